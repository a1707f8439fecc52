"""The rate of a connector: what may leave when, and how it gives way. Time is a number."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire.smpp.flow import GROWTH, Flow


def send(flow: Flow, now: float) -> int:
    """Let everything leave that may; how much that was."""
    sent = 0
    while flow.room(now) and sent < 100_000:
        flow.spend(now)
        sent += 1
    return sent


def test_without_a_limit_there_is_always_room() -> None:
    flow = Flow(0, 0)
    assert flow.rate is None
    for _ in range(5_000):
        flow.spend(0)
    assert flow.room(0) >= 1_000_000
    assert flow.ready_at(5) == 5


@pytest.mark.parametrize("limit", [1, 7, 100, 1_000])
@pytest.mark.parametrize("step_s", [0.001, 0.013, 0.3])
def test_no_more_leaves_than_the_limit_and_a_tenth_of_a_second_of_it(limit: int, step_s: float) -> None:
    flow, sent, now = Flow(limit, 100.0), 0, 100.0
    while now < 110.0:
        sent += send(flow, now)
        assert sent <= limit * (now - 100.0) + max(1, limit * 0.1) + 1e-6
        now += step_s
    assert sent >= 0.9 * min(limit, max(1, limit * 0.1) / step_s) * 10


def test_it_is_known_when_there_is_room_again() -> None:
    flow = Flow(5, 0.0)
    send(flow, 0.0)
    ready = flow.ready_at(0.0)
    assert ready == pytest.approx(0.2)
    assert flow.room(ready - 0.01) == 0
    assert flow.room(ready + 1e-9) == 1


def test_a_complaint_pauses_and_halves_the_rate() -> None:
    flow = Flow(100, 0.0)
    for n in range(100):
        flow.spend(n / 100)
    flow.throttled(0.99, 1.0)
    assert (flow.rate, flow.room(1.5), flow.paused(1.5)) == (50.0, 0, True)
    assert flow.ready_at(1.0) == 2.0
    assert (flow.room(2.0), flow.paused(2.0)) == (1, False)


def test_what_left_before_the_pause_does_not_halve_it_again() -> None:
    flow = Flow(100, 0.0)
    flow.throttled(0.0, 1.0)
    rate = flow.rate
    flow.throttled(0.9, 1.1)
    flow.throttled(0.9, 5.0)
    assert flow.rate == rate


def test_the_rate_is_halved_from_what_really_left() -> None:
    flow = Flow(0, 0.0)
    for n in range(40):
        flow.spend(n / 40)
    flow.throttled(0.9, 1.0)
    assert flow.rate == 20.0


def test_it_grows_again_up_to_the_limit() -> None:
    flow = Flow(100, 0.0)
    for n in range(100):
        flow.spend(n / 100)
    flow.throttled(0.99, 1.0)
    rates = []
    for second in range(2, 16):
        flow.room(float(second))
        rates.append(flow.rate)
    assert rates[1] == pytest.approx(50 * GROWTH)
    assert rates == sorted(rates, key=lambda rate: rate or math.inf)
    assert rates[-1] == 100


def test_without_a_limit_it_grows_until_there_is_none() -> None:
    flow = Flow(0, 0.0)
    flow.spend(0.5)
    flow.throttled(0.5, 1.0)
    assert flow.rate == 1.0
    for second in range(2, 200):
        flow.room(float(second))
    assert flow.rate is None


def test_the_pause_doubles_while_it_lasts_and_is_short_again_after_something_was_taken() -> None:
    flow, now, pauses = Flow(10, 0.0), 0.0, []
    for _ in range(7):
        flow.throttled(now, now)
        pauses.append(flow.ready_at(now) - now)
        now += pauses[-1] + 0.001
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 30, 30])
    flow.taken(now)
    flow.throttled(now, now)
    assert flow.ready_at(now) - now == 1


@given(
    st.integers(0, 50),
    st.lists(
        st.tuples(st.sampled_from(["wait", "send", "throttled", "taken"]), st.floats(0, 3)), max_size=60
    ),
)
def test_whatever_happens_there_is_room_again(limit: int, happenings: list[tuple[str, float]]) -> None:
    flow, now = Flow(limit, 0.0), 0.0
    for what, seconds in happenings:
        if what == "wait":
            now += seconds
        elif what == "send":
            send(flow, now) if limit else flow.spend(now)
        elif what == "throttled":
            flow.throttled(now - seconds, now)
        else:
            flow.taken(now - seconds)
    ready = flow.ready_at(now)
    assert now <= ready <= now + 32
    assert flow.room(ready + 1e-6) >= 1
    assert flow.rate is None or flow.rate >= 1
