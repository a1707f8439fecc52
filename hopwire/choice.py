"""Which connectors of a route carry a message, in which order, and why.

Rule 1: those that may not carry it are left out; of the others, those that are well come before those that
have too much to do, and these before those that take nothing. The latter are kept: a message waits for one
rather than be lost.
Rule 2: then the priority decides, then the cost where the route says so, then the weights.
Rule 3: by weight a number goes the same way each time, and when a connector falls out, only its numbers move.
"""

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from enum import IntEnum
from hashlib import blake2b
from typing import NamedTuple

from hopwire import hours
from hopwire.model import ConnectorState, Route, Way
from hopwire.sentence import Sentence

MOST_ERRORS = 0.5  # of the answers of the last minute
SLOW_MS = 2000  # a mean time to answer that is called slow, where another connector is a lot faster
SLOWER = 4  # times the time of the fastest
AWAY = {
    "down": "is down: only when no other is up",
    "paused": "is paused by the operator: only when no other is up",
    "refused": "refuses our account: only when no other is up",
}
NOTHING = Sentence("")


class Rank(IntEnum):
    WELL = 0
    OVERLOADED = 1
    AWAY = 2  # takes nothing


class Health(NamedTuple):
    """How a connector stands."""

    state: str = ""  # as ConnectorState has it; "": nobody tells
    error_rate: float | None = None
    latency_ms: int | None = None

    @property
    def rank(self) -> Rank:
        if self.state in AWAY:
            return Rank.AWAY
        bad = self.error_rate is not None and self.error_rate >= MOST_ERRORS
        return Rank.OVERLOADED if bad or self.state == "throttled" else Rank.WELL


UNTOLD = Health()


class Place(NamedTuple):
    """A connector of a route, and what was found of it."""

    way: Way
    health: Health
    cost: int | None  # of a part; None: not known
    turn: float  # by its weight, among equals: the smaller, the sooner
    why: Sentence = NOTHING  # what is wrong with it
    usable: bool = True


Cost = Callable[[str], int | None]  # what a part costs us over a connector


def best(states: Iterable[tuple[str, ConnectorState]]) -> dict[str, Health]:
    """Connector -> how it stands, of what several workers tell of it the best."""
    found: dict[str, Health] = {}
    for connector, state in states:
        health = Health(state.state, state.error_rate, state.latency_ms)
        if connector not in found or _wellness(health) < _wellness(found[connector]):
            found[connector] = health
    return found


def _wellness(health: Health) -> tuple[int, float, int]:
    return health.rank, health.error_rate or 0, health.latency_ms or 0


def choose(
    route: Route,
    health: Mapping[str, Health],
    cost: Cost,
    number: str,
    now: int,
    allowed: Container[str] | None = None,
) -> list[Place]:
    """The connectors in the order in which they are tried; behind them those that are left out.

    `number` is the recipient's; `allowed` are the connectors where the sender's name may be used, None: all.
    """
    standing = [health.get(way.connector, UNTOLD) for way in route.ways]
    fastest = min((one.latency_ms for one in standing if one.latency_ms), default=0)
    keyed = []
    for way, stands in zip(route.ways, standing, strict=True):
        left_out = _left_out(way, now, allowed)
        rank, why = _judged(stands, fastest)
        price = cost(way.connector)
        place = Place(way, stands, price, _turn(number, way), left_out or why, not left_out)
        dear = _dear(price) if route.least_cost else 0
        keyed.append((bool(left_out), rank, way.priority, dear, place.turn, place))
    return [place for *_, place in sorted(keyed, key=lambda one: one[:-1])]


def _left_out(way: Way, now: int, allowed: Container[str] | None) -> Sentence:
    """Why a connector may not carry the message; empty: it may."""
    if allowed is not None and way.connector not in allowed:
        return Sentence("the sender's name is not approved there")
    if way.hours and not hours.parse(way.hours).contains(now):
        return Sentence("outside %(hours)s", hours=way.hours)
    return NOTHING


def _judged(health: Health, fastest: int) -> tuple[Rank, Sentence]:
    """How well it is, also beside the others, and in words what is wrong."""
    if health.rank is Rank.AWAY:
        return Rank.AWAY, Sentence(AWAY[health.state])
    if health.state == "throttled":
        return Rank.OVERLOADED, Sentence("has asked us to slow down")
    if health.rank is Rank.OVERLOADED:
        rate = f"{health.error_rate:.0%}"
        return Rank.OVERLOADED, Sentence("%(rate)s of its answers of the last minute were errors", rate=rate)
    if health.latency_ms is not None and health.latency_ms >= max(SLOW_MS, SLOWER * fastest):
        told = "is slow: %(ms)s ms to an answer, and another one %(other)s ms"
        return Rank.OVERLOADED, Sentence(told, ms=health.latency_ms, other=fastest)
    return Rank.WELL, NOTHING


def _dear(cost: int | None) -> float:
    """What is not known may be dear."""
    return math.inf if cost is None else cost


def _turn(number: str, way: Way) -> float:
    """The smaller, the sooner: each is first for its share of the numbers (weighted rendezvous hashing)."""
    if not way.weight:
        return math.inf
    digest = blake2b(f"{number} {way.connector}".encode(), digest_size=8).digest()
    return -math.log((int.from_bytes(digest) + 1) / (2**64 + 1)) / way.weight


# ---- in words


def reasons(places: Sequence[Place], *, least_cost: bool) -> list[Sentence]:
    """Why each stands where it does: what is wrong with it, or what tells it from the one before it."""
    usable = [place for place in places if place.usable]
    if len(usable) == 1:
        return [place.why or Sentence("the only one that may") for place in places]
    pairs = zip(places, [*usable[1:2], *places], strict=False)  # the first is told from the next
    return [here.why or _reason(here, other, least_cost=least_cost) for here, other in pairs]


def _reason(here: Place, other: Place, *, least_cost: bool) -> Sentence:
    """What tells a connector that is well from another one."""
    if other.why:
        return Sentence("is well")
    if here.way.priority != other.way.priority:
        return Sentence("has priority %(priority)s", priority=here.way.priority)
    if least_cost and here.cost != other.cost:
        cheaper = _dear(here.cost) < _dear(other.cost)
        return Sentence("costs us less" if cheaper else "its cost is higher, or not known")
    if not here.way.weight or not other.way.weight:
        return Sentence("has weight %(weight)s", weight=here.way.weight)
    sooner = here.turn < other.turn
    return Sentence("the number is of its share" if sooner else "the number is of another's share")
