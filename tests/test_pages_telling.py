"""A message's story in its reader's words: whatever may happen, for a customer and the operator."""

from typing import Any

import pytest
from conftest import NOW, SMS, VIBER, order
from msgspec.structs import replace

from hopwire.delivery import hold
from hopwire.model import Account, AccountStatus, Fault, Outcome, Status
from hopwire.rung import Part, PartState
from hopwire.timeline import Note, Payment, RawReceipt, Story, What
from hopwire.web.pages.telling import FAULTS, PARTS, PLAIN, Told, outcome, refundable
from hopwire.web.pages.words import Words

SHOP = Account(
    id=1, login="shop", balance=0, reserved=0, credit_limit=0, currency="UAH", home_country="UA",
    time_zone="UTC", any_sender=True, transactional=False, charge_sms_on="taken", status=AccountStatus.ACTIVE,
)  # fmt: skip
ENGLISH, UKRAINIAN = Words("en", "UTC"), Words("uk", "UTC")
PLAN = replace(VIBER, connector="upstream-v"), replace(SMS, connector="upstream-s", parts=2)
LATER = str(NOW + 60_000)


def story(*notes: Note, **facts: Any) -> Story:
    asked = order(SHOP, *PLAN)
    made = Story(
        id=7, account_id=1, accepted_at=NOW, send_at=NOW, recipient="380501112233", sms_sender="Shop",
        sms=asked.request.sms, viber_sender="Shop", viber=asked.request.viber, status_at=NOW,
        delivery=asked.delivery, notes=[(NOW + n, note) for n, note in enumerate(notes, 1)], payments=[],
        receipts=[],
    )  # fmt: skip
    return made._replace(**facts)


def told(one: Story, words: Words = ENGLISH, *, operator: bool = False, now: int = NOW) -> Told:
    return Told(one, words, lambda connector, code: f"{code} at {connector}", now, operator=operator)


def note(what: What, *, step: int = 0, part: int = 0, status: Status = Status.SENDING, **facts: Any) -> Note:
    return replace(Note(step, part, what, status), **facts)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        pytest.param(note(What.TAKEN, detail="x1"), "Taken by Viber", id="taken"),
        pytest.param(note(What.TAKEN, step=1), "Taken by the mobile network", id="taken as an SMS"),
        pytest.param(note(What.LATER), "Not taken, and given up", id="given up"),
        pytest.param(
            note(What.LATER, detail=LATER), "Not taken now, tried again at 15 Jan 2027, 08:01:00", id="later"
        ),
        pytest.param(
            note(What.REFUSED, detail="no account"), "Refused: the number is not on Viber", id="refused"
        ),
        pytest.param(note(What.REFUSED, detail="of old"), "Refused: of old", id="a fault nobody knows"),
        pytest.param(note(What.UNKNOWN, code="lost"), "No answer came", id="no answer"),
        pytest.param(
            note(What.SPARED, detail="blocked"),
            "Not tried: the recipient wants no messages from this sender",
            id="passed over",
        ),
        pytest.param(note(What.PROGRESS), "On its way", id="on its way"),
        pytest.param(note(What.EXPIRED), "Not delivered in time", id="expired"),
        pytest.param(
            note(What.FAILED, detail="number"),
            "Not delivered: the number is wrong or not assigned",
            id="failed",
        ),
        pytest.param(note(What.DELIVERED), "Delivered", id="delivered"),
        pytest.param(note(What.SEEN), "Read", id="read"),
        pytest.param(note(What.LAPSED), "The time for it is over", id="lapsed"),
        pytest.param(note(What.NEXT, step=1, code="refused", detail=str(NOW)), "SMS follows", id="next"),
        pytest.param(
            note(What.NEXT, step=1, code="refused", detail=LATER),
            "SMS follows at 15 Jan 2027, 08:01:00",
            id="next, later",
        ),
        pytest.param(note(What.LATE), "Delivered late: what follows it had left already", id="late"),
        pytest.param(note(What.DELETED), "Deleted", id="deleted"),
        pytest.param(note(What.HELD), "Held until somebody has looked at it", id="held"),
        pytest.param(note(What.FREED, detail=LATER), "Released", id="released"),
        pytest.param(note(What.REROUTED, detail="upstream-a"), "", id="another connector"),
    ],
)
def test_a_customer_reads_what_happened_in_words(one: Note, said: str) -> None:
    lines = told(story(one)).lines
    assert [line.what for line in lines[1:]] == ([said] if said else [])
    assert "upstream" not in str([line.what for line in lines])


def test_everything_that_may_happen_has_words_in_both_languages() -> None:
    """For what is added to timeline.What, model.Fault and rung.PartState, too."""
    assert set(FAULTS) == set(Fault)
    assert set(PARTS) == set(PartState)
    for what in What:
        one = story(note(what, detail=LATER if what in (What.LATER, What.NEXT, What.FREED) else ""))
        for words in (ENGLISH, UKRAINIAN):
            lines = told(one, words, operator=True).lines
            assert len(lines) == 2
            assert lines[1].what
        english, ukrainian = (told(one, words, operator=True).lines[1].what for words in (ENGLISH, UKRAINIAN))
        assert english != ukrainian, what
    for said in Outcome:
        assert outcome(ENGLISH, said)[0] != outcome(UKRAINIAN, said)[0]
    assert all(sentence for sentence, _ in PLAIN.values())


def test_the_operator_reads_who_carried_it_and_under_which_id() -> None:
    moved = story(
        note(What.REROUTED, detail="upstream-a"),
        note(What.TAKEN, detail="x1", handed_at=NOW + 2),
        note(What.UNKNOWN, step=1, part=1, code="lost", handed_at=NOW + 3),
    )
    assert [line.what for line in told(moved, operator=True).lines] == [
        "Accepted", "Goes by upstream-v instead", "Given to Viber (upstream-v)", "Taken by Viber: x1",
        "Given to the mobile network (upstream-s)", "No answer came",
    ]  # fmt: skip
    assert [line.what for line in told(moved).lines] == [
        "Accepted", "Given to Viber", "Taken by Viber", "Given to the mobile network", "No answer came",
    ]  # fmt: skip
    assert [line.where for line in told(moved).lines] == ["", "Viber", "Viber", *["SMS, part 2 of 2"] * 2]
    assert told(moved).steps[0].connector == "upstream-v"


def test_what_may_have_been_taken_is_perhaps_given_twice() -> None:
    lost = note(What.UNKNOWN, code="lost", handed_at=NOW + 1)
    again = note(What.TAKEN, handed_at=NOW + 2)
    assert told(story(lost, again)).lines[3].what == "Given to Viber, perhaps for the second time"


def test_a_code_is_told_with_its_meaning_and_a_status_where_it_has_changed() -> None:
    seen = told(
        story(
            note(What.LATER, code="88", detail=LATER, status=Status.SENDING),
            note(What.UNKNOWN, code="lost", status=Status.SENDING),
        )
    )
    first, second = seen.lines[1:]
    assert (first.code, first.meaning, first.status) == ("88", "88 at upstream-v", Status.SENDING)
    assert second.meaning == "the process that handed it over, or its link, was gone"
    assert second.status is None
    assert Told(story(), ENGLISH, lambda *_: "throttled", NOW, operator=False).meaning("a", "b") == "too fast"


def test_a_customer_is_told_of_his_own_money_alone() -> None:
    paid = story(
        payments=[
            Payment(NOW, "reserve", 500, 1), Payment(NOW, "charge", 400, 1), Payment(NOW, "release", 100, 1),
            Payment(NOW, "commission", 50, 1), Payment(NOW, "cost", 30, 1), Payment(NOW, "refund", 400, 1),
            Payment(NOW, "refund", -50, 1),
        ]
    )  # fmt: skip
    assert [one.what for one in told(paid).money] == ["Reserved", "Charged", "Released", "Given back"]
    assert len(told(paid, operator=True).money) == 7
    assert refundable(paid) == 0
    assert refundable(paid._replace(payments=paid.payments[:5])) == 400


def test_what_comes_next_is_told() -> None:
    waiting = story()
    assert told(waiting, now=NOW + 1).outlook == (
        "It leaves by Viber as soon as there is room. "
        "SMS follows at 15 Jan 2027, 08:10:00 unless it is delivered."
    )
    scheduled = story(delivery=order(SHOP, *PLAN, send_at=NOW + 60_000).delivery, send_at=NOW + 60_000)
    assert told(scheduled).outlook.startswith("It leaves by Viber at 15 Jan 2027, 08:01:00.")
    assert told(scheduled).is_scheduled
    assert told(scheduled).lines[0].what == "Accepted, to leave at 15 Jan 2027, 08:01:00"
    assert not told(scheduled, now=NOW + 60_000).is_scheduled
    held = story(delivery=hold(waiting.delivery, NOW + 60_000))
    assert told(held).outlook == "It is held, and deleted at 15 Jan 2027, 08:01:00 unless it is released."
    assert told(held).is_scheduled
    first = waiting.delivery.rungs[0]
    for state, said in (
        (PartState.SENDING, "Viber is being asked."),
        (PartState.TAKEN, "It waits for word from the phone until"),
    ):
        rung = replace(first, parts=(Part(state=state),), handed_at=NOW)
        under_way = story(delivery=replace(waiting.delivery, rungs=(rung, waiting.delivery.rungs[1])))
        assert told(under_way).outlook.startswith(said)
        assert told(under_way).is_live
    ended = story(delivery=replace(waiting.delivery, status=Status.DELETED))
    assert (told(ended).outlook, told(ended).is_live) == ("", False)
    assert told(ended).steps[0].parts[0].text == "not sent"


def test_a_message_without_a_way_has_a_story_too() -> None:
    nowhere = story(delivery=replace(story().delivery, rungs=(), status=Status.NO_ROUTE))
    one = told(nowhere._replace(receipts=[RawReceipt(NOW, "a", "b", Outcome.FAILED, "c", "d")]))
    assert (one.outlook, one.steps, [line.what for line in one.lines]) == ("", [], ["Accepted"])
    assert one.outcome(one.receipts[0])[0] == "Not delivered"
