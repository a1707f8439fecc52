"""What connectors did in each minute: of each worker from its beginning on, and of all of them together."""

import pytest
from conftest import NOW
from msgspec.structs import replace
from test_store_connectors import UP

from hopwire.minutes import MINUTE_MS, Minute, Minutes
from hopwire.model import ConnectorState
from hopwire.store import Store
from hopwire.store.connectors import MINUTES_KEPT_MS, Connectors

FIRST = NOW - NOW % MINUTE_MS
NONE = replace(UP, submitted=0, taken=0, refused=0, throttled=0, unknown=0, receipts=0)


def after(n: int, **more: object) -> ConnectorState:
    """A connector that has taken so much since its worker began."""
    return replace(NONE, submitted=n, taken=n, **more)


def row(n: int, minute: int = FIRST, **more: object) -> Minute:
    return Minute("a", minute, n, n, 0, 0, 0, 0, None, False)._replace(**more)  # type: ignore[arg-type]


def test_a_minute_is_told_when_it_is_over() -> None:
    minutes = Minutes()
    assert minutes.look({"a": after(0)}, FIRST + 5) == []
    assert minutes.look({"a": after(7)}, FIRST + 59_999) == []
    assert minutes.look({"a": after(9)}, FIRST + MINUTE_MS) == [row(9)]
    assert minutes.look({"a": after(9)}, FIRST + MINUTE_MS + 1) == []
    assert minutes.look({"a": after(12)}, FIRST + 2 * MINUTE_MS) == [row(3, FIRST + MINUTE_MS)]


def test_what_was_counted_before_the_first_look_counts() -> None:
    minutes = Minutes()
    minutes.look({"a": after(4)}, FIRST)
    assert minutes.rest({"a": after(5)}, FIRST + 9) == [row(5)]
    assert minutes.rest({"a": after(5)}, FIRST + 9) == [row(0)]
    assert Minutes().rest({"a": after(5)}, FIRST + 9) == [row(5)]


def test_one_look_at_a_connector_that_is_away_marks_the_minute() -> None:
    minutes = Minutes()
    minutes.look({"a": after(0, state="down", latency_ms=40)}, FIRST)
    minutes.look({"a": after(0, latency_ms=30)}, FIRST + 1000)
    assert minutes.look({"a": after(2)}, FIRST + MINUTE_MS) == [row(2, down=True, latency_ms=40)]
    assert minutes.rest({"a": after(2)}, FIRST) == [row(0, FIRST + MINUTE_MS)]


@pytest.fixture
def connectors(store: Store) -> Connectors:
    return Connectors(store.engine)


async def test_the_minutes_of_all_workers_add_up(connectors: Connectors) -> None:
    await connectors.add_minutes([row(3, latency_ms=20), row(5)._replace(connector="b")])
    await connectors.add_minutes([row(4, refused=1, receipts=2, latency_ms=10, down=True)])
    await connectors.add_minutes([row(1, FIRST + MINUTE_MS), row(0)])
    both = Minute("a", FIRST, 7, 7, 1, 0, 0, 2, 20, True)
    other, later = row(5)._replace(connector="b"), row(1, FIRST + MINUTE_MS)
    assert await connectors.minutes(FIRST) == [both, other, later]
    assert await connectors.minutes(FIRST, "a") == [both, later]
    assert await connectors.minutes(FIRST + 1) == [later]


async def test_minutes_are_forgotten_after_a_week(connectors: Connectors) -> None:
    await connectors.add_minutes([row(1), row(1, FIRST + MINUTE_MS)])
    assert await connectors.forget_minutes(FIRST + MINUTES_KEPT_MS + 1) == 1
    assert await connectors.minutes(0) == [row(1, FIRST + MINUTE_MS)]
