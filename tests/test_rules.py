"""The table of rules of delivery, row by row, through a whole gateway between far ends on sockets.

The docstring of a test begins with the row that it is about. What happens where nobody knows, and the rest of
the table, is in test_rules_doubt.py.
"""

import pytest
import rules
import test_rules_doubt
from gateway import TO
from rules import (
    BOTH,
    DAY_S,
    DELIVERED,
    EXPIRED,
    FIRST,
    NOT_AT_ALL,
    ON_SMS,
    ON_VIBER,
    ROWS,
    SEEN,
    SMS_ALONE,
    Books,
    House,
    arrives_by_sms,
    counted,
    handed_to_viber,
    in_seconds,
    leaves_by_sms_in,
    no_sms_leaves,
    on_sqlite,
)
from rules_ends import Says, page, refuses, takes

from hopwire.model import Status
from hopwire.rung import PartState
from hopwire.smpp.pdu import SubmitSmResp
from hopwire.store.inbox import Inbox
from hopwire.timeline import What

house = rules.house
OTHER = "380501234568"

# ---- when


@on_sqlite
@pytest.mark.parametrize(
    "no",
    [
        pytest.param(refuses(8), id="8 blocked"),
        pytest.param(refuses(9), id="9 not a Viber user"),
        pytest.param(refuses(10), id="10 no suitable device"),
        pytest.param(refuses(27), id="27 bad number"),
        pytest.param(refuses(3), id="3 content refused"),
        pytest.param(refuses(38), id="38 no such template"),
        pytest.param(refuses(2), id="2 wrong service id"),
        pytest.param(refuses(11), id="11 our address is refused"),
        pytest.param(page(401), id="HTTP 401"),
        pytest.param(page(403), id="HTTP 403"),
    ],
)
async def test_a_final_no_of_viber_starts_the_sms_at_once(house: House, no: Says) -> None:
    """When does SMS start? At once on a final "no"."""
    house.viber.says = no
    message_id = await house.send()
    await arrives_by_sms(house, message_id)
    await house.passes(DAY_S)
    assert len(house.viber.asked) == 1


@pytest.mark.parametrize("no", [pytest.param(refuses(11), id="11"), pytest.param(page(401), id="HTTP 401")])
async def test_our_configuration_at_fault_is_told_once_and_not_tried_by_every_message(
    house: House, no: Says, caplog: pytest.LogCaptureFixture
) -> None:
    """When does SMS start? At once where our configuration is at fault, with an alert and a pause."""
    alerts = counted("alerts", connector="viber")
    house.viber.says = no
    await handed_to_viber(house)
    for n in range(9):
        await house.send(to=f"3805012345{n:02}")
    for _ in range(10):
        await house.operator.hears()
    assert len(house.viber.asked) == 1
    assert counted("alerts", connector="viber") == alerts + 1
    assert [r.levelname for r in caplog.records if "refused our" in r.getMessage()] == ["ERROR"]


async def test_viber_is_given_its_lifetime_before_the_sms_leaves(house: House) -> None:
    """When does SMS start? Else when the lifetime has passed without "delivered"."""
    message_id = await handed_to_viber(house)
    assert await house.code(message_id) == Status.SENT
    await leaves_by_sms_in(house, 75)


async def test_an_early_expired_of_viber_does_not_shorten_the_lifetime(house: House) -> None:
    """When does SMS start? Never earlier than the lifetime without a final "no"."""
    message_id = await handed_to_viber(house)
    await house.passes(10)
    await house.told(EXPIRED, message_id)
    await leaves_by_sms_in(house, 50)


@on_sqlite
@pytest.mark.parametrize("lifetime", [60, 3600, DAY_S])
async def test_viber_is_told_the_lifetime(house: House, lifetime: int) -> None:
    """When does the lifetime start? It is passed to Viber as its own TTL, too."""
    await house.send(viber_lifetime=str(lifetime))
    assert (await house.viber.hears())["ttl"] == lifetime
    await house.answered()
    await leaves_by_sms_in(house, lifetime + 15)


async def test_a_scheduled_message_lives_from_its_hand_over(house: House) -> None:
    """When does the lifetime start? At the hand-over, not at acceptance or `ask_date`."""
    await house.send(ask_date=in_seconds(house, 3600))
    await house.passes(3600)
    assert (await house.viber.hears())["ttl"] == 60
    await house.answered()
    await leaves_by_sms_in(house, 75)


async def test_a_message_that_waited_for_viber_lives_from_its_hand_over(house: House) -> None:
    """When does the lifetime start? At the hand-over, however long the connector was away before."""
    await house.pause("viber")
    await house.send()
    await house.passes(40)
    await house.resume("viber")
    assert (await house.viber.hears())["ttl"] == 60
    await house.answered()
    await leaves_by_sms_in(house, 75)


async def test_a_message_that_was_refused_for_now_lives_from_its_last_hand_over(house: House) -> None:
    """When does the lifetime start? At the hand-over that was taken."""
    house.viber.says = refuses(1)
    await handed_to_viber(house)
    house.viber.says = takes
    await house.passes(1)
    assert (await house.viber.hears())["ttl"] == 60
    await house.answered()
    await leaves_by_sms_in(house, 75)


@pytest.mark.parametrize(
    ("house", "seconds"), [({"viber_grace_s": 0}, 60), ({"viber_grace_s": 40}, 100)], indirect=["house"]
)
async def test_our_own_timer_ends_the_lifetime(house: House, seconds: int) -> None:
    """Who watches the lifetime? Our own timer, at lifetime + grace, for nothing comes from Viber."""
    await handed_to_viber(house)
    await leaves_by_sms_in(house, seconds)


async def test_the_timer_survives_a_restart(house: House) -> None:
    """Who watches the lifetime? Our own timer, also of the process that comes after."""
    await handed_to_viber(house)
    await house.passes(50)
    await house.crash()
    await house.start()
    await leaves_by_sms_in(house, 25)


# ---- what Viber says, and when


async def redirected(house: House) -> int:
    """A message whose SMS was taken, for Viber was silent."""
    message_id = await handed_to_viber(house)
    await house.passes(75)
    await house.operator.hears()
    await house.answered()
    return message_id


@pytest.mark.parametrize("sms_arrived", [False, True], ids=["SMS on its way", "SMS delivered"])
@pytest.mark.parametrize(
    ("reports", "code"),
    [([DELIVERED], Status.DELIVERED), ([DELIVERED] * 2, Status.DELIVERED), ([SEEN], Status.READ)],
    ids=["delivered", "delivered twice", "seen"],
)
async def test_viber_delivers_after_all(
    house: House, reports: list[int], code: Status, sms_arrived: bool
) -> None:
    """Late "delivered" after the SMS left: recorded, counted, charged once; cancels and repeats nothing."""
    before = counted("double_deliveries")
    message_id = await redirected(house)
    if sms_arrived:
        house.operator.reports(FIRST)
        await house.reaches(message_id, Status.DELIVERED)
    for status in reports:
        await house.told(status, message_id)
    assert await house.code(message_id) == code
    assert house.parts(message_id, 0)[0].state >= PartState.DELIVERED
    assert counted("double_deliveries") == before + 1
    late = f"SELECT step FROM events WHERE message_id = {message_id} AND what = {What.LATE}"  # noqa: S608
    assert house.rows(late) == [(0,)]
    await house.passes(DAY_S)
    assert house.books(message_id) == ON_SMS
    assert (len(house.viber.asked), len(house.operator.texts)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "books"),
    [pytest.param(0, ON_SMS, id="taken"), pytest.param(0x0B, ON_VIBER, id="refused")],
)
async def test_viber_delivers_while_the_sms_is_being_handed_over(
    house: House, status: int, books: Books
) -> None:
    """Late "delivered" after the SMS left: charged once, for the SMS if the operator took it."""
    house.operator.answer = lambda submit: None
    message_id = await handed_to_viber(house)
    await house.passes(75)
    submit = await house.operator.hears()
    await house.told(DELIVERED, message_id)
    assert await house.code(message_id) == Status.DELIVERED
    house.operator.say(SubmitSmResp(sequence=submit.sequence, status=status, message_id=FIRST))
    await house.answered()
    assert house.books(message_id) == books
    assert await house.code(message_id) == Status.DELIVERED


async def test_an_sms_that_is_due_and_has_not_left_stays(house: House) -> None:
    """Late "delivered" after the SMS left: before it has left, it does not leave any more."""
    before = counted("double_deliveries")
    await house.pause("smsc")
    message_id = await handed_to_viber(house)
    await house.passes(80)
    await house.told(DELIVERED, message_id)
    await house.resume("smsc")
    await no_sms_leaves(house)
    assert house.books(message_id) == ON_VIBER
    assert counted("double_deliveries") == before


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        ([DELIVERED, EXPIRED], Status.DELIVERED),
        ([SEEN, EXPIRED, DELIVERED], Status.READ),
        ([EXPIRED, DELIVERED], Status.DELIVERED),
        ([EXPIRED, DELIVERED, EXPIRED, SEEN, EXPIRED], Status.READ),
    ],
    ids=str,
)
async def test_expired_never_outranks_delivered(house: House, reports: list[int], code: Status) -> None:
    """ "expired" or "failed" after "delivered": ignored and recorded. Rank: seen > delivered > expired."""
    message_id = await handed_to_viber(house)
    for status in reports:
        await house.told(status, message_id)
    assert await house.code(message_id) == code
    best = PartState.SEEN if SEEN in reports else PartState.DELIVERED
    assert house.parts(message_id, 0)[0].state is best
    assert house.rows("SELECT count(*) FROM receipts WHERE message_id IS NOT NULL") == [(len(reports),)]
    await no_sms_leaves(house)
    assert house.books(message_id) == ON_VIBER
    assert await house.code(message_id) == code


@on_sqlite
@pytest.mark.parametrize("state", ["UNDELIV", "EXPIRED", "REJECTD"])
async def test_failed_never_outranks_delivered(house: House, state: str) -> None:
    """ "expired" or "failed" after "delivered": ignored and recorded, also of an SMS."""
    message_id = await house.sms()
    await house.operator.hears()
    for one in ("DELIVRD", state):
        house.operator.reports(FIRST, one)
    matched = "SELECT count(*) FROM receipts WHERE message_id IS NOT NULL"
    while house.rows(matched) != [(2,)]:
        await house.looks()
    assert await house.code(message_id) == Status.DELIVERED
    assert house.books(message_id) == SMS_ALONE


async def test_the_first_device_counts(house: House) -> None:
    """ "delivered" once per device: the first one counts."""
    before = counted("double_deliveries")
    message_id = await handed_to_viber(house)
    await house.told(DELIVERED, message_id)
    standing = await house.client.ask(command="receive", id=message_id)
    for _ in range(3):
        await house.passes(20)
        await house.told(DELIVERED, message_id)
    assert await house.client.ask(command="receive", id=message_id) == standing
    assert house.books(message_id) == ON_VIBER
    assert counted("double_deliveries") == before


@on_sqlite
@pytest.mark.parametrize("then", [[], [DELIVERED], [EXPIRED]], ids=["nothing", "delivered", "expired"])
async def test_who_has_seen_it_has_got_it(house: House, then: list[int]) -> None:
    """ "seen" without "delivered": implies delivered; status 116."""
    message_id = await handed_to_viber(house)
    for status in [SEEN, *then]:
        await house.told(status, message_id)
    assert await house.code(message_id) == 116
    await no_sms_leaves(house)
    assert house.books(message_id) == ON_VIBER


# ---- who does not want it, and who cannot get it


async def test_a_promotion_to_someone_who_blocked_it_does_not_become_an_sms(house: House) -> None:
    """User blocked the business: no SMS for promotional accounts."""
    _, key = await house.open_account("promotion", transactional=False)
    house.viber.says = refuses(8)
    message_id = await handed_to_viber(house, key=key)
    await house.reaches(message_id, Status.FAILED, key=key)
    assert house.books(message_id) == NOT_AT_ALL
    await no_sms_leaves(house)


async def test_whom_a_promotion_cannot_reach_otherwise_gets_an_sms(house: House) -> None:
    """User blocked the business: for another reason promotional accounts send an SMS, too."""
    _, key = await house.open_account("promotion", transactional=False)
    house.viber.says = refuses(10)
    await handed_to_viber(house, key=key)
    await house.operator.hears()


@pytest.mark.parametrize("on_viber", [True, False], ids=["said on Viber", "entered by the operator"])
async def test_the_stop_list_is_for_both_channels(house: House, on_viber: bool) -> None:
    """User blocked the business: our own stop list blocks both channels, at acceptance."""
    message_id = await handed_to_viber(house)
    await house.told(DELIVERED, message_id)
    if on_viber:
        await house.told(5, message_id)
    else:
        await Inbox(house.store.engine).stop(1, TO, house.clock())
    balance = await house.client.ask(command="balance")
    for params in ({}, BOTH, BOTH | {"viber_sms": "0"}):
        asked: dict[str, str] = {"command": "send", "from": "test", "to": TO, "message": "Hello", **params}
        assert "asked for no more messages" in await house.client.ask(**asked)
    assert await house.client.ask(command="balance") == balance
    _, key = await house.open_account("another")
    await handed_to_viber(house, key=key)
    await handed_to_viber(house, to=OTHER)


async def test_a_number_that_is_not_on_viber_is_remembered(house: House) -> None:
    """ "Not a Viber user": remembered for 7 days, straight to SMS meanwhile; probed again after that."""
    house.viber.says = refuses(9)
    await handed_to_viber(house)
    await house.operator.hears()
    await handed_to_viber(house, to=OTHER)  # another number is another matter
    await house.operator.hears()
    for seconds in (0, 3 * DAY_S, 4 * DAY_S - 0.001):
        await house.passes(seconds)
        message_id = await house.send()
        await house.operator.hears()
        await house.answered()
        assert len(house.viber.asked) == 2
    house.operator.reports("a4")
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == ON_SMS
    house.viber.says = takes
    await house.passes(0.001)
    for _ in range(2):
        await house.told(DELIVERED, await handed_to_viber(house))


@on_sqlite
@pytest.mark.parametrize("status", [8, 10, 27, 3])
async def test_another_no_is_not_remembered(house: House, status: int) -> None:
    """ "Not a Viber user": another "no" does not say so."""
    house.viber.says = refuses(status)
    for _ in range(2):
        await handed_to_viber(house)
        await house.operator.hears()


async def test_a_number_that_is_not_on_viber_is_tried_where_there_is_no_sms(house: House) -> None:
    """ "Not a Viber user": a message without an SMS is tried all the same."""
    house.viber.says = refuses(9)
    for _ in range(2):
        message_id = await handed_to_viber(house, viber_sms="0")
        await house.reaches(message_id, Status.FAILED)


# ---- the table


def test_every_row_of_the_table_has_its_tests() -> None:
    """Every test is about a row, and every row has a test."""
    both = {**globals(), **vars(test_rules_doubt)}
    said = {
        name: (f.__doc__ or "").strip()
        for name, f in both.items()
        if name.startswith("test_") and callable(f)
    }
    del said["test_every_row_of_the_table_has_its_tests"]
    assert [name for name, text in said.items() if not text.startswith(ROWS)] == []
    assert [row for row in ROWS if not any(text.startswith(row) for text in said.values())] == []
