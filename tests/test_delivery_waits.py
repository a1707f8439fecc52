"""What keeps a message from leaving: the operator has not decided, or it is the time of quiet."""

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from conftest import NOW, SMS, VIBER
from msgspec.structs import replace

from hopwire.delivery import Delivery, advance, hold, plan_delivery
from hopwire.events import (
    Action,
    Answered,
    Begin,
    Delete,
    Event,
    Freed,
    Orphaned,
    Release,
    Spared,
    Stopped,
    Submit,
    Timer,
)
from hopwire.model import Fault, Never, Status, Step
from hopwire.timeline import notes, outlook

BOTH = (VIBER, SMS)
BEGIN = Begin(lease_ms=30_000)
DAY_S = 86_400
ALL_BACK = [Release(1, SMS.price), Release(0, VIBER.price)]


class End(NamedTuple):
    status: Status
    due_s: int | None
    timer_s: int | None


# ---- held


def play(history: list[tuple[int, Event]], due_s: int = 0) -> tuple[End, list[Action]]:
    """What a history, in seconds, makes of a message that is held for a day."""
    d = hold(plan_delivery(BOTH, 1000 * due_s), 1000 * DAY_S)
    actions: list[Action] = []
    for at_s, event in history:
        d, more = advance(d, event, 1000 * at_s)
        actions += more
    due, timer = (None if at is None else at // 1000 for at in (d.due_at, d.timer_at))
    return End(d.status, due, timer), actions


HELD = End(Status.PENDING, None, DAY_S)
DELETED = End(Status.DELETED, None, None)


@pytest.mark.parametrize(
    ("history", "due_s", "end", "actions"),
    [
        pytest.param([], 0, HELD, [], id="held"),
        pytest.param([(5, BEGIN)], 0, HELD, [], id="it does not leave"),
        pytest.param([(9, Timer()), (9, Orphaned())], 0, HELD, [], id="nothing comes of time"),
        pytest.param([(9, Spared(0, "x", Fault.NO_ACCOUNT))], 0, HELD, [], id="no step is passed over"),
        pytest.param([(9, Stopped(0))], 0, HELD, [], id="who has opted out is asked when it leaves"),
        pytest.param([(9, Freed())], 0, End(Status.PENDING, 9, 609), [], id="released: it leaves now"),
        pytest.param([(9, Freed())], 50, End(Status.PENDING, 50, 650), [], id="released: at its time"),
        pytest.param([(9, Freed()), (10, Freed())], 0, End(Status.PENDING, 9, 609), [], id="released twice"),
        pytest.param(
            [(9, Freed()), (10, BEGIN)], 0, End(Status.SENDING, None, 40), [Submit(0, 0)], id="it has left"
        ),
        pytest.param([(9, Delete())], 0, DELETED, ALL_BACK, id="refused, or deleted by the client"),
        pytest.param([(9, Delete()), (10, Freed())], 0, DELETED, ALL_BACK, id="refused, then released"),
        pytest.param([(DAY_S - 1, Timer())], 0, HELD, [], id="there is time for a decision"),
        pytest.param([(DAY_S, Timer())], 0, DELETED, ALL_BACK, id="nobody has decided"),
        pytest.param([(DAY_S, Timer())], 2 * DAY_S, DELETED, ALL_BACK, id="nor on a scheduled one"),
    ],
)
def test_what_is_held_waits_for_a_decision(
    history: list[tuple[int, Event]], due_s: int, end: End, actions: list[Action]
) -> None:
    assert play(history, due_s) == (end, actions)


def test_what_has_ended_is_not_held() -> None:
    ended = plan_delivery((), NOW)
    assert hold(ended, NOW + 1) is ended


@pytest.mark.parametrize(
    ("event", "at_s", "said"),
    [
        pytest.param(Freed(), 1, ["FREED 1000"], id="released"),
        pytest.param(Delete(), 1, ["DELETED "], id="refused"),
        pytest.param(Timer(), DAY_S, ["DELETED nobody has released it"], id="nobody has decided"),
        pytest.param(Timer(), 1, [], id="nothing has happened"),
    ],
)
def test_a_decision_is_noted(event: Event, at_s: int, said: list[str]) -> None:
    before = hold(plan_delivery(BOTH, 0), 1000 * DAY_S)
    after, actions = advance(before, event, 1000 * at_s)
    assert [f"{one.what.name} {one.detail}" for one in notes(before, event, after, actions)] == said


def test_what_comes_next_is_the_decision() -> None:
    held = hold(plan_delivery(BOTH, 0), 1000 * DAY_S)
    assert outlook(held) == "held; deleted at 1970-01-02T00:00:00.000Z unless it is released"


# ---- quiet hours

QUIET = "21:00-08:00 UTC"
WEEKEND = "sat,sun 00:00-24:00 UTC"


def at(day: int, hour: int, minute: int = 0) -> int:
    """A moment of November 2026, of which the 27th is a Friday."""
    return round(1000 * datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp())


def quiet(*steps: Step, hours: str = QUIET) -> tuple[Step, ...]:
    return tuple(replace(step, quiet=hours) for step in steps)


@pytest.mark.parametrize(
    ("hours", "wanted", "due_at"),
    [
        pytest.param("", at(26, 23), at(26, 23), id="no such hours"),
        pytest.param(QUIET, at(26, 20, 59), at(26, 20, 59), id="before them"),
        pytest.param(QUIET, at(26, 21), at(27, 8), id="they begin"),
        pytest.param(QUIET, at(27, 7, 59), at(27, 8), id="they have not ended"),
        pytest.param(QUIET, at(27, 8), at(27, 8), id="they have ended"),
        pytest.param(WEEKEND, at(28, 12), at(30, 0), id="those of two days that touch"),
    ],
)
def test_a_message_is_due_when_quiet_hours_are_over(hours: str, wanted: int, due_at: int) -> None:
    d = plan_delivery(quiet(VIBER, SMS, hours=hours), wanted)
    assert (d.due_at, d.timer_at) == (due_at, due_at + 1000 * VIBER.lifetime_s)


def begun(d: Delivery, now: int) -> tuple[Delivery, bool]:
    d, actions = advance(d, BEGIN, now)
    return d, bool(actions)


def test_what_was_due_and_found_no_room_does_not_begin_in_quiet_hours() -> None:
    d, left = begun(plan_delivery(quiet(SMS), at(26, 20, 59)), at(26, 21, 1))
    assert (d.due_at, left) == (at(27, 8), False)
    assert begun(d, at(27, 8))[1]


def test_what_has_begun_goes_on() -> None:
    d, left = begun(plan_delivery(quiet(replace(SMS, parts=2)), at(26, 20, 59)), at(26, 20, 59))
    assert left
    d, _ = advance(d, Answered(0, 0, Never("no", Fault.RECIPIENT)), at(26, 21))
    assert d.status is Status.FAILED, "and is not begun anew"


def test_the_next_step_begins_when_quiet_hours_are_over() -> None:
    d, _ = begun(plan_delivery(quiet(VIBER, SMS), at(26, 20, 59)), at(26, 20, 59))
    d, _ = advance(d, Answered(0, 0, Never("9", Fault.NO_ACCOUNT)), at(26, 21))
    assert (d.at, d.due_at) == (1, at(27, 8))
    d, _ = advance(d, Timer(), at(26, 22))
    assert begun(d, at(27, 8))[1]
