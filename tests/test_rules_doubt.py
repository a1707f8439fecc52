"""The table of rules of delivery, its second half: doubts, delays, parts, deletion, crashes, schedules.

As in test_rules.py, the docstring of a test begins with the row that it is about.
"""

import pytest
import rules
from aiohttp import web
from rules import (
    BOTH,
    DAY_S,
    DELIVERED,
    FIRST,
    NOT_AT_ALL,
    ON_SMS,
    ON_VIBER,
    SMS_ALONE,
    SMS_FREE,
    SMS_PRICE,
    Books,
    House,
    counted,
    handed_to_viber,
    in_seconds,
    leaves_by_sms_in,
    no_sms_leaves,
    on_sqlite,
)
from rules_ends import Says, hangs_up, is_silent, page, refuses, takes

from hopwire.model import Status
from hopwire.smpp import flow
from hopwire.smpp.pdu import Pdu, SubmitSm, SubmitSmResp

house = rules.house
OTHER = "380501234568"
LONG = "x" * 400  # three parts

resending = pytest.mark.parametrize(
    "house", [{"smsc": {"on_unknown": "resend"}}], indirect=True, ids=["resend"]
)

# ---- nobody knows

DOUBTS = [
    pytest.param({"viber": {"timeout_s": 1}}, is_silent, id="no answer in time"),
    pytest.param({}, hangs_up, id="the connection closes"),
    pytest.param({}, page(200), id="a page"),
    pytest.param({}, page(500), id="HTTP 500"),
    pytest.param({}, refuses(12), id="12 already sent"),
]


@on_sqlite
@pytest.mark.parametrize(("house", "says"), DOUBTS, indirect=["house"])
async def test_what_viber_may_have_taken_is_not_sent_to_it_again(house: House, says: Says) -> None:
    """`Unknown` from Viber: not sent again, waited for until the lifetime, then SMS."""
    house.viber.says = says
    message_id = await handed_to_viber(house)
    house.viber.says = takes
    await leaves_by_sms_in(house, 75)
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == ON_SMS
    assert len(house.viber.asked) == 1


@on_sqlite
@pytest.mark.parametrize(("house", "says"), DOUBTS, indirect=["house"])
async def test_what_viber_took_unheard_is_known_by_its_callback(house: House, says: Says) -> None:
    """`Unknown` from Viber: the callback before the lifetime's end prevents the SMS."""
    house.viber.says = says
    message_id = await handed_to_viber(house)
    await house.passes(74.999)
    await house.told(DELIVERED, message_id)
    await house.reaches(message_id, Status.DELIVERED)
    await no_sms_leaves(house)
    assert house.books(message_id) == ON_VIBER
    assert len(house.viber.asked) == 1


async def lost_by_the_operator(house: House) -> int:
    """An SMS whose answer was lost with the connection."""
    house.operator.answer = lambda submit: None
    message_id = await house.sms()
    await house.operator.hears()
    house.operator.answer = house.operator.takes
    house.operator.drop()
    await house.answered()
    await house.up("smsc")
    return message_id


async def test_what_the_operator_may_have_taken_is_held(house: House) -> None:
    """`Unknown` from SMPP: by default held until the validity ends, then failed."""
    message_id = await lost_by_the_operator(house)
    await house.passes(614.999)
    assert await house.code(message_id) == Status.SENDING
    await house.passes(0.001)
    assert await house.code(message_id) == Status.EXPIRED
    assert house.books(message_id) == SMS_FREE
    assert len(house.operator.texts) == 1


async def test_what_is_held_is_known_by_its_receipt(house: House) -> None:
    """`Unknown` from SMPP: held, the receipt tells."""
    message_id = await lost_by_the_operator(house)
    house.operator.reports("77")
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == SMS_ALONE
    assert len(house.operator.texts) == 1


@resending
async def test_what_is_sent_again_is_flagged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """`Unknown` from SMPP: with `resend` sent again, and flagged as a possible duplicate."""
    before = counted("possible_duplicates", connector="smsc")
    message_id = await lost_by_the_operator(house)
    await house.passes(1)
    await house.operator.hears()
    assert counted("possible_duplicates", connector="smsc") == before + 1
    assert f"submit message={message_id} step=0 part=0 possible_duplicate" in caplog.text
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == SMS_ALONE
    await house.passes(DAY_S)
    assert len(house.operator.texts) == 2


# ---- later


async def test_viber_is_asked_again_ever_more_slowly(house: House) -> None:
    """`Later`: retried with growing delay within the lifetime, then SMS."""
    house.viber.says = refuses(1)
    message_id = await handed_to_viber(house)
    for seconds in (1, 2, 4, 8, 16):
        known = len(house.viber.asked)
        await house.passes(seconds - 0.001)
        assert len(house.viber.asked) == known
        await house.passes(0.001)
        await house.viber.hears()
        await house.answered()
    await leaves_by_sms_in(house, 60 - 31)
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == ON_SMS


async def test_what_viber_takes_in_the_end_is_no_sms(house: House) -> None:
    """`Later`: what is taken at last goes on as if nothing had been."""
    house.viber.says = refuses(7)
    message_id = await handed_to_viber(house)
    house.viber.says = takes
    await house.passes(1)
    await house.viber.hears()
    await house.told(DELIVERED, message_id)
    await house.reaches(message_id, Status.DELIVERED)
    await no_sms_leaves(house)
    assert house.books(message_id) == ON_VIBER


async def test_too_many_requests_pause_viber_and_not_the_message(house: House) -> None:
    """`Later`: throttling pauses the connector, and is no try of the message."""
    house.viber.says = lambda asked: web.Response(status=429, headers={"Retry-After": "3600"})
    message_id = await handed_to_viber(house)
    assert (house.channels["viber"].capacity, house.channels["viber"].state.state) == (0, "throttled")
    await house.send(to=OTHER)
    await house.passes(30)
    assert len(house.viber.asked) == 1
    assert house.parts(message_id, 0)[0].tries == 0
    await leaves_by_sms_in(house, 30)


async def test_a_throttling_operator_is_left_in_peace(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Later`: throttling pauses the connector, also the operator's."""
    monkeypatch.setattr(flow, "PAUSE_S", (30.0, 30.0))
    await house.stop()
    await house.start()
    house.operator.refuses(0x58)
    message_id = await house.sms()
    await house.operator.hears()
    await house.answered()
    assert (house.channels["smsc"].capacity, house.channels["smsc"].state.state) == (0, "throttled")
    await house.sms(to=OTHER)
    await house.passes(300)
    assert len(house.operator.texts) == 1
    assert house.parts(message_id, 0)[0].tries == 0


async def test_a_message_waits_for_viber_and_then_goes_by_sms(house: House) -> None:
    """No connector up: the message waits; when the lifetime passes, the next step."""
    await house.pause("viber")
    message_id = await house.send()
    await house.passes(59.999)
    assert await house.code(message_id) == Status.PENDING
    await leaves_by_sms_in(house, 0.001)
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    await house.resume("viber")
    await house.passes(DAY_S)
    assert house.viber.asked == []
    assert house.books(message_id) == ON_SMS


async def test_a_message_waits_for_the_operator(house: House) -> None:
    """No connector up: the message waits for the last step, too."""
    house.operator.bind_status = None
    house.operator.drop()
    await house.down("smsc")
    message_id = await house.sms()
    await house.passes(599)
    assert await house.code(message_id) == Status.PENDING
    house.operator.bind_status = 0
    house.operator.drop()
    await house.operator.hears()
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == SMS_ALONE


async def test_a_message_without_any_connector_ends(house: House) -> None:
    """No connector up: behind the last step the message has expired, and costs nothing."""
    await house.pause("viber")
    await house.pause("smsc")
    message_id = await house.send()
    await house.passes(60)
    await house.passes(599.999)
    assert await house.code(message_id) == Status.PENDING
    await house.passes(0.001)
    assert await house.code(message_id) == Status.EXPIRED
    assert house.books(message_id) == NOT_AT_ALL


# ---- before the answer


async def test_viber_reports_before_it_answers(house: House) -> None:
    """Receipt before its submit was answered: kept, and matched when the answer is recorded."""
    house.viber.may_answer.clear()
    message_id = await house.send()
    await house.viber.hears()
    await house.told(DELIVERED, message_id, to="")
    await house.looks()
    assert await house.code(message_id) == Status.SENDING
    house.viber.may_answer.set()
    await house.reaches(message_id, Status.DELIVERED)
    await no_sms_leaves(house)
    assert house.books(message_id) == ON_VIBER


async def test_the_operator_reports_before_it_answers(house: House) -> None:
    """Receipt before its submit was answered: the same for an SMS, with the receipt coming again."""
    house.operator.answer = lambda submit: None
    message_id = await house.sms()
    submit = await house.operator.hears()
    for _ in range(2):
        house.operator.reports(FIRST)
    while house.rows("SELECT count(*) FROM receipts") != [(2,)]:
        await house.looks()
    house.operator.say(SubmitSmResp(sequence=submit.sequence, message_id=FIRST))
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == SMS_ALONE


async def test_what_is_about_nothing_is_shown_for_72_hours(house: House) -> None:
    """Receipt before its submit was answered: unmatched ones are kept 72 h and shown."""
    await house.told(DELIVERED, 0, said="stranger")
    await house.passes(3 * DAY_S)
    assert [one.provider_id for one in await house.store.unmatched(10)] == ["stranger"]
    await house.passes(0.001)
    while await house.store.unmatched(10):
        await house.looks()


# ---- parts


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["DELIVRD"] * 3, Status.DELIVERED),
        (["DELIVRD", "UNDELIV", "DELIVRD"], Status.PARTIAL),
        (["EXPIRED", "UNDELIV", "DELIVRD"], Status.PARTIAL),
        (["DELIVRD", "DELIVRD", ""], Status.PARTIAL),
        (["UNDELIV"] * 3, Status.FAILED),
        (["", "", ""], Status.EXPIRED),
    ],
    ids=["all", "two", "one", "two, and one unheard of", "none", "all unheard of"],
)
async def test_parts_make_a_whole(house: House, states: list[str], code: Status) -> None:
    """Several parts: delivered when all are; 50 when some are; failed when all have."""
    message_id = await house.sms(message=LONG)
    for _ in states:
        await house.operator.hears()
    await house.answered()
    for n, state in enumerate(states):
        if state:
            house.operator.reports(f"{0xA0 + n:x}", state)
    if "" in states:
        said = [(len(states) - states.count(""),)]
        while house.rows("SELECT count(*) FROM receipts WHERE message_id IS NOT NULL") != said:
            await house.looks()
        await house.passes(614.999)
        assert await house.code(message_id) == Status.SENT
        await house.passes(0.001)
    await house.reaches(message_id, code)
    assert house.books(message_id) == Books({0: 3 * SMS_PRICE}, {})


async def test_what_is_behind_a_refused_part_stays(house: House) -> None:
    """Several parts: the others have failed for good when one is refused."""
    message_id = await house.sms(message=LONG, ask_date=in_seconds(house, 1))
    taking = house.operator.takes

    def takes_one(submit: SubmitSm) -> Pdu:
        return taking(submit) if len(house.operator.texts) == 1 else SubmitSmResp(status=0x0B)

    house.operator.answer = takes_one
    await house.passes(1)
    for _ in range(2):
        await house.operator.hears()
    await house.answered()
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.PARTIAL)
    assert house.books(message_id) == Books({0: SMS_PRICE}, {0: 2 * SMS_PRICE})
    await house.passes(DAY_S)
    assert len(house.operator.texts) == 2


# ---- deleted, crashed, scheduled


async def delete(house: House, message_id: int) -> str:
    return await house.client.ask(command="delete", id=message_id)


async def test_what_is_scheduled_can_be_taken_back(house: House) -> None:
    """Delete: while scheduled, everything; the money is released."""
    message_id = await house.send(ask_date=in_seconds(house, 3600))
    assert await house.client.ask(command="balance") == "balance:98.8\n"
    for _ in range(2):
        assert await delete(house, message_id) == "status:Deleted\ncode:10\n"
    assert await house.client.ask(command="balance") == "balance:100\n"
    assert house.books(message_id) == NOT_AT_ALL
    await no_sms_leaves(house)
    assert house.viber.asked == []


async def test_what_viber_has_is_not_taken_back(house: House) -> None:
    """Delete: after a hand-over it answers the present status, and changes nothing."""
    message_id = await handed_to_viber(house, ask_date=in_seconds(house, 0))
    assert await delete(house, message_id) == "status:Sent\ncode:2\n"
    await leaves_by_sms_in(house, 75)
    assert await delete(house, message_id) == f"status:Sent\ncode:{Status.SENT}\n"
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    assert await delete(house, message_id) == "status:Delivered\ncode:3\n"
    assert house.books(message_id) == ON_SMS


async def crashed_with_viber(house: House) -> int:
    """A message whose answer came when the gateway was dead."""
    house.viber.may_answer.clear()
    message_id = await house.send()
    await house.viber.hears()
    await house.crash()
    house.viber.may_answer.set()
    await house.start()
    return message_id


async def test_a_crash_does_not_repeat_what_viber_may_have(house: House) -> None:
    """Crash between "written to the wire" and "answer recorded": `Unknown`, so SMS after the lifetime."""
    message_id = await crashed_with_viber(house)
    await leaves_by_sms_in(house, 75)
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == ON_SMS
    assert len(house.viber.asked) == 1


async def test_a_crash_does_not_lose_what_viber_delivers(house: House) -> None:
    """Crash between "written to the wire" and "answer recorded": `Unknown`, so the callback tells."""
    message_id = await crashed_with_viber(house)
    await house.told(DELIVERED, message_id)
    await house.reaches(message_id, Status.DELIVERED)
    await no_sms_leaves(house)
    assert house.books(message_id) == ON_VIBER


async def crashed_with_the_operator(house: House) -> int:
    house.operator.answer = lambda submit: None
    message_id = await house.sms()
    await house.operator.hears()
    await house.crash()
    house.operator.answer = house.operator.takes
    await house.start()
    await house.passes(1)
    return message_id


async def test_a_crash_does_not_repeat_what_the_operator_may_have(house: House) -> None:
    """Crash between "written to the wire" and "answer recorded": held, for that is the connector's rule."""
    message_id = await crashed_with_the_operator(house)
    await house.passes(613.999)
    assert await house.code(message_id) == Status.SENDING
    await house.passes(0.001)
    assert await house.code(message_id) == Status.EXPIRED
    assert house.books(message_id) == SMS_FREE
    assert len(house.operator.texts) == 1


@resending
async def test_a_crash_repeats_and_flags_where_that_is_the_rule(house: House) -> None:
    """Crash between "written to the wire" and "answer recorded": sent again, for that is the rule."""
    before = counted("possible_duplicates", connector="smsc")
    message_id = await crashed_with_the_operator(house)
    await house.operator.hears()
    assert counted("possible_duplicates", connector="smsc") == before + 1
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == SMS_ALONE


@pytest.mark.parametrize("params", [{}, BOTH], ids=["SMS", "Viber"])
async def test_nothing_leaves_before_its_time(house: House, params: dict[str, str]) -> None:
    """Scheduled: never before its time; late only by the queue."""
    message_id = await house.sms(**params, ask_date=in_seconds(house, DAY_S))
    await house.passes(DAY_S - 0.001)
    assert (house.viber.asked, house.operator.texts) == ([], [])
    assert await house.code(message_id) == Status.PENDING
    await house.passes(0.001)
    await (house.viber.hears() if params else house.operator.hears())


async def test_a_restart_does_not_hurry(house: House) -> None:
    """Scheduled: never before its time, whatever happens to the gateway."""
    await house.send(ask_date=in_seconds(house, 3600))
    await house.crash()
    await house.start()
    await house.passes(3599.999)
    assert house.viber.asked == []
    await house.passes(0.001)
    await house.viber.hears()
