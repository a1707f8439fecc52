"""Messages of several parts: in which order they leave, what they cost, and what they make together."""

import pytest
from histories import (
    BEGIN,
    LATER,
    SMS_3,
    SMS_3_ON_DELIVERY,
    THREE_TAKEN,
    THROTTLED,
    TIMER,
    TWO_TAKEN,
    UNKNOWN,
    History,
    answer,
    but,
    delivered,
    money,
    never,
    play,
    receipt,
    seconds,
    submits,
    taken,
)

from hopwire.delivery import advance
from hopwire.events import Action, Charge, Event, Release, Submit
from hopwire.model import Fault, Later, Outcome, Status
from hopwire.rung import PartState


def test_a_part_leaves_when_the_one_before_it_is_answered() -> None:
    d, actions = play((SMS_3,), [(0, BEGIN), (0, BEGIN)])
    assert (submits(actions), d.due_at) == ([Submit(0, 0)], None)
    for part in (0, 1):
        d, _ = advance(d, taken(part), 1_000)
        assert seconds(d.due_at) == 0  # as old as the message: it goes before younger ones
        d, done = advance(d, BEGIN, 1_000)
        assert done == (Submit(0, part + 1),)
    d, done = advance(d, taken(2), 2_000)
    assert (d.status, d.due_at, money(done)) == (Status.SENT, None, money([Charge(0, 30)]))


@pytest.mark.parametrize("no", [LATER, THROTTLED], ids=["busy", "throttled"])
def test_a_part_that_must_wait_holds_back_those_behind_it(no: Later) -> None:
    d, _ = play((SMS_3,), [(0, BEGIN), (1, taken(0)), (1, BEGIN), (1, answer(no, 1))])
    assert seconds(d.due_at) == 2
    assert advance(d, BEGIN, 1_500) == (d, ())
    d, done = advance(d, BEGIN, 2_000)
    assert done == (Submit(0, 1),)


def test_a_part_whose_answer_was_lost_holds_back_none() -> None:
    d, _ = play((SMS_3,), [(0, BEGIN), (5, answer(UNKNOWN)), (5, BEGIN)])
    assert [p.state.name for p in d.rungs[0].parts] == ["UNKNOWN", "SENDING", "WAITING"]


@pytest.mark.parametrize(
    "no", [never(Fault.NUMBER, 1), receipt(Outcome.FAILED, 0)], ids=["refused", "failed"]
)
def test_of_a_message_that_cannot_arrive_whole_nothing_more_leaves(no: Event) -> None:
    d, _ = play((SMS_3,), [(0, BEGIN), (1, taken(0)), (1, BEGIN), (2, no)])
    assert d.rungs[0].parts[2].state is PartState.FAILED
    assert d.due_at is None


SPOKESMEN = [
    pytest.param("last", [(2, delivered(2))], Status.DELIVERED, id="the last one"),
    pytest.param("first", [(2, delivered(0))], Status.DELIVERED, id="the first one"),
    pytest.param("last", [(2, receipt(Outcome.FAILED, 2))], Status.FAILED, id="a no speaks for all, too"),
    pytest.param("last", [(2, receipt(Outcome.PROGRESS, 2))], Status.SENT, id="on its way"),
    pytest.param("last", [(315, TIMER)], Status.EXPIRED, id="silence"),
    pytest.param("last", [(315, TIMER), (316, delivered(2))], Status.DELIVERED, id="late"),
    pytest.param("all", [(2, delivered(2))], Status.SENT, id="where each has its own receipt"),
]


@pytest.mark.parametrize(("reports", "events", "status"), SPOKESMEN)
def test_where_one_part_is_reported_on_it_speaks_for_all(
    reports: str, events: History, status: Status
) -> None:
    d, actions = play((but(SMS_3, reports=reports),), [*THREE_TAKEN, *events])
    assert (d.status, money(actions)) == (status, money([Charge(0, 30)]))


def test_the_first_part_may_be_delivered_before_the_last_has_left() -> None:
    d, _ = play((but(SMS_3, reports="first"),), [*TWO_TAKEN, (1, delivered(0))])
    assert (d.status, d.due_at) == (Status.SENDING, None)
    assert advance(d, taken(2), 2_000)[0].status is Status.DELIVERED


def test_without_receipts_a_message_ends_as_sent() -> None:
    d, actions = play((but(SMS_3, reports="none"),), THREE_TAKEN)
    assert (d.status, d.due_at, d.timer_at) == (Status.SENT, None, None)
    assert money(actions) == money([Charge(0, 30)])
    d, _ = play((but(SMS_3, reports="none"),), [*TWO_TAKEN, (5, answer(UNKNOWN, 2))])
    assert seconds(d.timer_at) == 315
    assert advance(d, TIMER, 315_000)[0].status is Status.SENT


PARTS = [
    pytest.param([delivered(0), delivered(1), delivered(2)], Status.DELIVERED, 30, id="all"),
    pytest.param([delivered(0), delivered(1)], Status.SENT, None, id="not yet all"),
    pytest.param([delivered(0), receipt(Outcome.FAILED, 1)], Status.SENT, None, id="not yet over"),
    pytest.param([delivered(0), delivered(1), receipt(Outcome.FAILED, 2)], Status.PARTIAL, 20, id="some"),
    pytest.param([delivered(0), TIMER], Status.PARTIAL, 10, id="some, and silence"),
    pytest.param([receipt(Outcome.FAILED, i) for i in range(3)], Status.FAILED, 0, id="none"),
    pytest.param([TIMER], Status.EXPIRED, 0, id="silence"),
    pytest.param([receipt(Outcome.FAILED, 0), TIMER], Status.FAILED, 0, id="one no, and silence"),
    pytest.param([delivered(0), receipt(Outcome.FAILED, 1, fault=Fault.NUMBER), TIMER], Status.PARTIAL, 10,
        id="some, and a bad number"),
    pytest.param([delivered(0), TIMER, delivered(1), delivered(2)], Status.DELIVERED, 10,
        id="some, and the others late"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "status", "on_delivery"), PARTS)
def test_parts_make_one_status_and_one_charge(
    events: list[Event], status: Status, on_delivery: int | None
) -> None:
    history = [*THREE_TAKEN, *((315.0, event) for event in events)]
    assert play((SMS_3,), history)[0].status is status
    assert money(play((SMS_3,), history)[1]) == money([Charge(0, 30)])
    paid: list[Action] = [] if on_delivery is None else [Charge(0, on_delivery), Release(0, 30 - on_delivery)]
    assert money(play((SMS_3_ON_DELIVERY,), history)[1]) == money(paid)


def test_only_the_parts_that_were_taken_are_paid() -> None:
    history: History = [(0, BEGIN), (1, taken(0)), (1, BEGIN), (2, answer(UNKNOWN, 1)), (2, BEGIN)]
    d, actions = play((SMS_3,), [*history, (3, never(Fault.CONTENT, 2))])
    assert (d.status, money(actions)) == (Status.SENDING, [])
    d, done = advance(d, TIMER, 317_000)
    assert (d.status, money(done)) == (Status.FAILED, money([Charge(0, 10), Release(0, 20)]))
