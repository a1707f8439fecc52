"""When another connector carries a step: histories of (second, event), and where the message then is."""

from typing import Any

import pytest
from histories import LATER, SMS, TIMER, UNKNOWN, VIBER, History, answer, but, never, play, seconds, taken
from msgspec.structs import replace

from hopwire.delivery import Delivery, advance
from hopwire.events import Answered, Begin, Rerouted, Stopped
from hopwire.model import Answer, Fault, Later, Never, Other, Status, Step, Taken, Unknown
from hopwire.rung import PartState

BEGIN = Begin(30_000)
T, U = Other(connector="t", part_cost=2), Other(connector="u", part_cost=3)
TWO = but(SMS, others=(T,), part_cost=1)
THREE = but(SMS, others=(T, U), part_cost=1)
PARTS = but(TWO, parts=3)
RESEND = but(SMS, resend=True, others=(replace(T, resend=True),))
VIBER_TWO = but(VIBER, others=(Other(connector="w"),))
REFUSED = never(Fault.CONFIGURATION)
BUSY = answer(LATER)
THROTTLED = answer(Later(5, "slow down", throttled=True))
TWICE = answer(Later(30, "no", tries=2))


def by(connector: str, said: Answer, part: int = 0) -> Answered:
    return Answered(0, part, said, connector)


def standing(d: Delivery) -> tuple[str, str, float | None]:
    """Over which connector, in which state of the first part, and when it is due."""
    return d.connector, d.rungs[d.at].parts[0].state.name, seconds(d.due_at)


@pytest.mark.parametrize(
    ("step", "history", "stands"),
    [
        # a final no
        pytest.param(TWO, [(0, BEGIN), (1, REFUSED)], ("t", "WAITING", 1), id="our account"),
        pytest.param(TWO, [(0, BEGIN), (1, never(Fault.SENDER))], ("t", "WAITING", 1), id="the sender"),
        pytest.param(TWO, [(0, BEGIN), (1, never(Fault.ROUTE))], ("t", "WAITING", 1), id="no way there"),
        pytest.param(TWO, [(0, BEGIN), (1, never(Fault.RECIPIENT))], ("t", "WAITING", 1), id="no reach"),
        pytest.param(TWO, [(0, BEGIN), (1, never(Fault.NUMBER))], ("s", "FAILED", None), id="a bad number"),
        pytest.param(TWO, [(0, BEGIN), (1, never(Fault.CONTENT))], ("s", "FAILED", None), id="the content"),
        pytest.param(TWO, [(0, BEGIN), (1, never(Fault.BLOCKED))], ("s", "FAILED", None), id="blocked"),
        pytest.param(
            THREE, [(0, BEGIN), (1, REFUSED), (1, BEGIN), (2, REFUSED)], ("u", "WAITING", 2), id="the third"
        ),
        pytest.param(
            TWO, [(0, BEGIN), (1, REFUSED), (1, BEGIN), (2, REFUSED)], ("t", "FAILED", None), id="all refuse"
        ),
        # a temporary one
        pytest.param(TWO, [(0, BEGIN), (1, BUSY)], ("t", "WAITING", 1), id="busy"),
        pytest.param(TWO, [(0, BEGIN), (1, THROTTLED)], ("t", "WAITING", 1), id="throttled"),
        pytest.param(
            TWO, [(0, BEGIN), (1, THROTTLED), (1, BEGIN), (2, answer(Later(60, "busy")))],
            ("s", "WAITING", 6), id="both: the one that is ready sooner",
        ),
        pytest.param(
            TWO, [(0, BEGIN), (1, answer(Later(60, "a"))), (1, BEGIN), (2, answer(Later(3, "b")))],
            ("t", "WAITING", 5), id="which may be the same again",
        ),
        pytest.param(
            TWO, [(0, BEGIN), (0, BUSY), (0, BEGIN), (0, BUSY), (1, BEGIN), (1, BUSY), (1, BEGIN),
                  (1, BUSY)],
            ("s", "WAITING", 3), id="a second round waits longer",
        ),
        pytest.param(
            TWO, [(0, BEGIN), (1, TWICE), (1, BEGIN), (2, TWICE)], ("s", "WAITING", 31), id="two tries"
        ),
        pytest.param(
            TWO, [(0, BEGIN), (1, TWICE), (1, BEGIN), (2, TWICE), (31, BEGIN), (32, TWICE)],
            ("t", "WAITING", 32), id="two tries: the first one leaves",
        ),
        pytest.param(
            TWO, [(0, BEGIN), (1, TWICE), (1, BEGIN), (2, TWICE), (31, BEGIN), (32, TWICE), (32, BEGIN),
                  (33, TWICE)],
            ("t", "FAILED", None), id="two tries: and the second one",
        ),
        pytest.param(
            THREE, [(0, BEGIN), (1, THROTTLED), (1, BEGIN), (2, REFUSED), (2, BEGIN), (3, REFUSED)],
            ("s", "WAITING", 6), id="the others refuse: it is waited for",
        ),
        pytest.param(
            TWO, [(0, BEGIN), (1, answer(Later(1, "no room", throttled=True, unasked=True)))],
            ("s", "WAITING", 2), id="it was not asked",
        ),
        pytest.param(TWO, [(0, BEGIN), (300, BUSY)], ("s", "EXPIRED", None), id="its time is over"),
        # no answer
        pytest.param(TWO, [(0, BEGIN), (1, answer(UNKNOWN))], ("s", "UNKNOWN", None), id="in doubt: stays"),
        pytest.param(RESEND, [(0, BEGIN), (1, answer(UNKNOWN))], ("t", "WAITING", 1), id="in doubt: again"),
        pytest.param(
            RESEND, [(0, BEGIN), (1, answer(UNKNOWN)), (1, BEGIN), (1, answer(UNKNOWN))],
            ("s", "WAITING", 2), id="in doubt at both",
        ),
        pytest.param(RESEND, [(0, BEGIN), (30, TIMER)], ("t", "WAITING", 30), id="its worker is gone"),
        # what has been taken stays
        pytest.param(
            PARTS, [(0, BEGIN), (1, taken()), (1, BEGIN), (2, Answered(0, 1, LATER))],
            ("s", "TAKEN", 3), id="the first part was taken",
        ),
        pytest.param(
            but(PARTS, resend=True), [(0, BEGIN), (1, taken()), (1, BEGIN), (2, Answered(0, 1, UNKNOWN))],
            ("s", "TAKEN", 3), id="and the second is in doubt",
        ),
        pytest.param(
            PARTS, [(0, BEGIN), (1, answer(UNKNOWN)), (1, BEGIN), (2, Answered(0, 1, LATER))],
            ("s", "UNKNOWN", 3), id="the first part is in doubt",
        ),
        # Viber
        pytest.param(VIBER_TWO, [(0, BEGIN), (1, REFUSED)], ("w", "WAITING", 1), id="Viber: our account"),
        pytest.param(
            VIBER_TWO, [(0, BEGIN), (1, never(Fault.RECIPIENT))], ("v", "FAILED", None), id="Viber: no device"
        ),
        pytest.param(
            VIBER_TWO, [(0, BEGIN), (1, never(Fault.NO_ACCOUNT))], ("v", "FAILED", None), id="not on Viber"
        ),
    ],
)  # fmt: skip
def test_where_a_step_goes_on(step: Step, history: History, stands: tuple[str, str, float | None]) -> None:
    d, _ = play((step,), history)
    assert standing(d) == stands


def test_what_goes_elsewhere_after_a_lost_answer_is_marked() -> None:
    d, _ = play((RESEND,), [(0, BEGIN), (1, answer(UNKNOWN))])
    assert d.rungs[0].parts[0].repeated


def test_a_part_that_the_first_one_has_taken_after_all_stays_there() -> None:
    history: History = [(0, BEGIN), (1, by("s", UNKNOWN)), (2, by("s", Taken("late")))]
    d, _ = play((RESEND,), history)
    assert (standing(d), d.rungs[0].parts[0].provider_id) == (("s", "TAKEN", None), "late")
    d, _ = play((but(RESEND, parts=2),), [*history[:2], (2, BEGIN), history[2]])
    assert (d.connector, d.rungs[0].parts[0].provider_id, seconds(d.due_at)) == ("s", "late", 0)
    d, _ = play((RESEND,), [*history[:2], (2, BEGIN), history[2], (3, by("t", Never("no", Fault.CONTENT)))])
    assert standing(d) == ("s", "TAKEN", None)


@pytest.mark.parametrize("late", [Never("no", Fault.CONTENT), LATER, UNKNOWN])
def test_what_else_the_first_one_says_then_is_not_heard(late: Answer) -> None:
    d, _ = play((RESEND,), [(0, BEGIN), (1, by("s", UNKNOWN)), (1, BEGIN), (2, by("s", late))])
    assert standing(d) == ("t", "SENDING", None)


def test_parts_that_have_begun_elsewhere_are_not_split() -> None:
    """Both connectors have the first part; the others go where the first of them went on."""
    history: History = [(0, BEGIN), (1, by("s", UNKNOWN)), (1, BEGIN), (2, by("t", Taken("t-0")))]
    d, _ = play((but(RESEND, parts=2),), [*history, (2, BEGIN), (3, by("s", Taken("late")))])
    assert (d.connector, d.rungs[0].parts[0].provider_id) == ("t", "t-0")


def test_the_cost_is_that_of_the_one_that_took_it() -> None:
    _, actions = play((TWO,), [(0, BEGIN), (1, REFUSED), (1, BEGIN), (2, taken())])
    assert [repr(one) for one in actions if "ost" in repr(one)] == ["Cost(step=0, amount=2)"]


# ---- a connector that takes nothing


def moved(*to: str, connector: str = "s") -> Rerouted:
    return Rerouted(0, connector, frozenset(to), "down")


@pytest.mark.parametrize(
    ("step", "history", "stands"),
    [
        pytest.param(TWO, [(0, moved("t"))], ("t", "WAITING", 0), id="what waits"),
        pytest.param(THREE, [(0, moved("u"))], ("u", "WAITING", 0), id="to one that is well"),
        pytest.param(TWO, [(0, moved("x", "s"))], ("s", "WAITING", 0), id="none of the others is"),
        pytest.param(TWO, [(0, moved("t", connector="x"))], ("s", "WAITING", 0), id="another connector"),
        pytest.param(TWO, [(-1, moved("t"))], ("s", "WAITING", 0), id="what is not due"),
        pytest.param(TWO, [(0, moved("t")), (1, moved("s", connector="t"))], ("s", "WAITING", 0), id="back"),
        pytest.param(TWO, [(0, BEGIN), (0, moved("t"))], ("s", "SENDING", None), id="what has left"),
        pytest.param(
            TWO, [(0, BEGIN), (1, THROTTLED), (1, moved("s", connector="t"))], ("t", "WAITING", 1),
            id="not to one that has asked for time",
        ),
        pytest.param(
            TWO, [(0, BEGIN), (1, THROTTLED), (6, moved("s", connector="t"))], ("s", "WAITING", 1),
            id="unless it is over",
        ),
        pytest.param(PARTS, [(0, BEGIN), (1, taken()), (1, moved("t"))], ("s", "TAKEN", 0), id="begun"),
        pytest.param(SMS, [(0, moved("t"))], ("s", "WAITING", 0), id="what has no other"),
    ],
)  # fmt: skip
def test_what_waits_for_a_connector_that_takes_nothing(
    step: Step, history: History, stands: tuple[str, str, float | None]
) -> None:
    d, actions = play((step,), history)
    assert standing(d) == stands
    assert all("Submit" in repr(one) for one in actions)


def test_a_step_that_is_stopped_ends_with_all_its_parts() -> None:
    d, _ = play((but(RESEND, parts=2),), [(0, BEGIN), (1, answer(UNKNOWN)), (1, Stopped(0))])
    assert [part.state for part in d.rungs[0].parts] == [PartState.UNKNOWN, PartState.FAILED]
    assert (d.status, d.due_at) == (Status.SENDING, None)


def test_all_is_over_with_the_lifetime_however_many_there_are() -> None:
    said: list[Any] = [LATER, Later(7, "busy", throttled=True), Unknown("lost")]
    d, now = play((but(RESEND, others=(replace(T, resend=True), replace(U, resend=True))),), [])[0], 0
    for n in range(1000):
        if d.due_at is None:
            break
        now = max(now, d.due_at)
        for event in (BEGIN, answer(said[n % 3])):
            d, _ = advance(d, event, now)
    assert (d.due_at, n < 200) == (None, True)
    assert now <= 1000 * SMS.lifetime_s
