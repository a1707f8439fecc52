"""Which connector of a route carries a message: the table of the order, the shares, and the words."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from test_worker import STATE

from hopwire.choice import Health, best, choose, reasons
from hopwire.model import Route, Way

NOW = 1_795_510_800_000  # 2026-11-24, a Tuesday, 09:00 UTC
NUMBER = "380501234567"
UP, DOWN, THROTTLED = Health("up"), Health("down"), Health("throttled")
COSTS = {"a": 300, "b": 200, "c": 100}


def ways(*said: str) -> tuple[Way, ...]:
    """CONNECTOR, or CONNECTOR:PRIORITY, or CONNECTOR:PRIORITY:WEIGHT."""
    found = []
    for one in said:
        name, priority, weight, *_ = [*one.split(":"), "1", "1"]
        found.append(Way(connector=name, priority=int(priority), weight=int(weight)))
    return tuple(found)


def route(*said: str, least_cost: bool = False) -> Route:
    return Route(channel="sms", prefix="380", ways=ways(*said), least_cost=least_cost)


def chosen(found: Route, health: dict[str, Health] | None = None, **more: Any) -> str:
    """The connectors in their order; those that are left out are in brackets."""
    asked: dict[str, Any] = {"cost": COSTS.get, "number": NUMBER, "now": NOW} | more
    places = choose(found, health or {}, **asked)
    return " ".join(one.way.connector if one.usable else f"({one.way.connector})" for one in places)


BY_PRIORITY = route("a:1", "b:2", "c:3")


@pytest.mark.parametrize(
    ("found", "health", "order"),
    [
        pytest.param(route("a"), {}, "a", id="one, of which nobody tells"),
        pytest.param(BY_PRIORITY, {}, "a b c", id="by priority"),
        pytest.param(route("c:3", "a:1", "b:2"), {}, "a b c", id="however they are listed"),
        pytest.param(BY_PRIORITY, {"a": UP, "b": Health("partly up"), "c": UP}, "a b c", id="all are up"),
        pytest.param(BY_PRIORITY, {"a": DOWN}, "b c a", id="one is down"),
        pytest.param(BY_PRIORITY, {"a": Health("paused")}, "b c a", id="one is paused"),
        pytest.param(BY_PRIORITY, {"a": Health("refused")}, "b c a", id="one refuses the account"),
        pytest.param(BY_PRIORITY, {"a": DOWN, "b": DOWN, "c": DOWN}, "a b c", id="all are down, and wait"),
        pytest.param(BY_PRIORITY, {"a": THROTTLED}, "b c a", id="one is throttled"),
        pytest.param(BY_PRIORITY, {"a": DOWN, "b": THROTTLED, "c": UP}, "c b a", id="throttled before down"),
        pytest.param(BY_PRIORITY, {"a": Health("up", 0.5)}, "b c a", id="half of the answers are errors"),
        pytest.param(BY_PRIORITY, {"a": Health("up", 0.49)}, "a b c", id="less than half"),
        pytest.param(
            BY_PRIORITY, {"a": Health("up", 0, 2000), "b": Health("up", 0, 500)}, "b c a", id="a lot slower"
        ),
        pytest.param(
            BY_PRIORITY, {"a": Health("up", 0, 2000), "b": Health("up", 0, 501)}, "a b c", id="not so much"
        ),
        pytest.param(
            BY_PRIORITY, {"a": Health("up", 0, 1999), "b": Health("up", 0, 1)}, "a b c", id="slower, but fast"
        ),
        pytest.param(BY_PRIORITY, {"a": Health("up", 0, 9000)}, "a b c", id="slow, but is it?"),
        pytest.param(route("a", "b", "c", least_cost=True), {}, "c b a", id="the cheapest first"),
        pytest.param(route("a:1", "b:2", "c:2", least_cost=True), {}, "a c b", id="in its priority"),
        pytest.param(
            route("a", "b", "d", least_cost=True), {}, "b a d", id="what is not known may be dear"
        ),
        pytest.param(route("a", "c", least_cost=True), {"c": DOWN}, "a c", id="the cheapest is down"),
        pytest.param(route("a:1:0", "b:1:1"), {}, "b a", id="no weight: when the other cannot"),
        pytest.param(route("a:1:0", "b:1:1"), {"b": DOWN}, "a b", id="which it cannot"),
    ],
)  # fmt: skip
def test_the_order(found: Route, health: dict[str, Health], order: str) -> None:
    assert chosen(found, health) == order


def test_outside_its_hours_a_connector_is_left_out() -> None:
    day = replace(ways("a")[0], hours="mon-fri 08:00-20:00")
    night = replace(ways("b")[0], hours="20:00-08:00")
    found = Route(channel="sms", prefix="", ways=(night, day))
    assert chosen(found) == "a (b)"
    assert chosen(found, {"a": DOWN}) == "a (b)"
    assert chosen(found, now=NOW + 12 * 3_600_000) == "b (a)"


def test_where_the_sender_is_not_approved_it_does_not_go() -> None:
    assert chosen(BY_PRIORITY, allowed={"c", "b"}) == "b c (a)"


def shares(found: Route, health: dict[str, Health] | None = None) -> Counter[str]:
    numbers = (f"38050{n:07}" for n in range(3000))
    return Counter(chosen(found, health, number=number)[0] for number in numbers)


def test_numbers_are_shared_out_by_weight() -> None:
    found = shares(route("a:1:1", "b:1:3", "c:2"))
    assert found.keys() == {"a", "b"}
    assert 660 < found["a"] < 840  # a quarter of them, and six deviations


@given(st.integers(0, 10**9))
def test_when_one_falls_out_the_numbers_of_the_others_stay(n: int) -> None:
    found, number = route("a:1:2", "b:1:3", "c:1:1"), f"38050{n}"
    first, second, _ = chosen(found, number=number).split()
    for connector in "abc":
        now_first = chosen(found, {connector: DOWN}, number=number)[0]
        assert now_first == (second if connector == first else first)


def test_of_several_workers_the_best_is_believed() -> None:
    down, up = replace(STATE, state="down"), replace(STATE, error_rate=0.1, latency_ms=40)
    told = [("a", down), ("a", up), ("b", down), ("b", replace(STATE, error_rate=0.9)), ("c", down)]
    assert best(told) == {"a": Health("up", 0.1, 40), "b": Health("up", 0.9), "c": DOWN}


@pytest.mark.parametrize(
    ("found", "health", "why"),
    [
        pytest.param(route("a"), {}, ["the only one that may"], id="one"),
        pytest.param(BY_PRIORITY, {}, ["has priority 1", "has priority 2", "has priority 3"], id="priority"),
        pytest.param(
            route("a:1", "b:2"), {"a": DOWN}, ["is well", "is down: only when no other is up"], id="down"
        ),
        pytest.param(
            route("a", "b"), {"a": Health("paused"), "b": THROTTLED},
            ["has asked us to slow down", "is paused by the operator: only when no other is up"], id="both",
        ),
        pytest.param(
            route("a", "b"), {"a": Health("up", 0.75)},
            ["is well", "75% of its answers of the last minute were errors"], id="errors",
        ),
        pytest.param(
            route("a", "b"), {"a": Health("up", 0, 5000), "b": Health("up", 0, 20)},
            ["is well", "is slow: 5000 ms to an answer, and another one 20 ms"], id="slow",
        ),
        pytest.param(
            route("a", "b", "d", least_cost=True), {},
            ["costs us less", *["its cost is higher, or not known"] * 2], id="cost",
        ),
        pytest.param(route("a:1:0", "b"), {}, ["has weight 1", "has weight 0"], id="no weight"),
        pytest.param(
            route("a:1:1", "b:1:1000"), {},
            ["the number is of its share", "the number is of another's share"], id="shares",
        ),
    ],
)  # fmt: skip
def test_why(found: Route, health: dict[str, Health], why: list[str]) -> None:
    places = choose(found, health, COSTS.get, NUMBER, NOW)
    assert reasons(places, least_cost=found.least_cost) == why


def test_why_one_is_left_out() -> None:
    night = replace(ways("a:1")[0], hours="20:00-08:00")
    found = Route(channel="sms", prefix="", ways=(night, *ways("b:2", "c:3")))
    places = choose(found, {}, COSTS.get, NUMBER, NOW, {"a", "b"})
    assert reasons(places, least_cost=False) == [
        "the only one that may",
        "outside 20:00-08:00",
        "the sender's name is not approved there",
    ]
