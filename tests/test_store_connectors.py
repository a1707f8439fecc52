"""What is ordered of connectors and what workers tell of them, on both engines."""

import pytest
from conftest import NOW
from msgspec.structs import replace

from hopwire.model import ConnectorState, TraceOrder
from hopwire.store import Store
from hopwire.store.connectors import ConnectorOrder, Connectors, Told

UP = ConnectorState(
    kind="smpp", sessions=2, sessions_wanted=2, window=20, in_flight=3, rate=12.5, state="up", last_error="",
    last_error_at=None, bound_at=NOW, submitted=9, taken=6, refused=1, throttled=1, unknown=1, receipts=5,
    incoming=4, receipt_ids="hexadecimal",
)  # fmt: skip
DOWN = replace(UP, sessions=0, rate=None, state="down", last_error="refused: 0x0e", last_error_at=NOW)
TRACE = TraceOrder(file="/tmp/a.pcap", format="pcap", until=NOW + 60_000)  # noqa: S108


@pytest.fixture
def connectors(store: Store) -> Connectors:
    return Connectors(store.engine)


async def test_a_connector_is_paused_until_it_is_resumed(connectors: Connectors) -> None:
    assert await connectors.orders() == {}
    await connectors.pause("a", NOW)
    await connectors.pause("a", NOW + 1)
    await connectors.resume("b", NOW)
    assert await connectors.orders() == {"a": ConnectorOrder(paused=True), "b": ConnectorOrder()}
    await connectors.resume("a", NOW + 2)
    assert await connectors.orders() == {"a": ConnectorOrder(), "b": ConnectorOrder()}


async def test_a_trace_and_a_pause_leave_each_other_alone(connectors: Connectors) -> None:
    await connectors.pause("a", NOW)
    await connectors.order_trace("a", TRACE, NOW)
    await connectors.order_trace("b", replace(TRACE, texts=True, format="text"), NOW)
    await connectors.pause("b", NOW)
    assert await connectors.orders() == {
        "a": ConnectorOrder(True, TRACE),
        "b": ConnectorOrder(True, replace(TRACE, texts=True, format="text")),
    }
    await connectors.order_trace("a", None, NOW + 1)
    await connectors.resume("b", NOW + 1)
    orders = await connectors.orders()
    assert orders["a"] == ConnectorOrder(True, None)
    assert (orders["b"].paused, orders["b"].trace is None) == (False, False)


async def test_a_worker_tells_all_its_connectors_anew(connectors: Connectors) -> None:
    await connectors.report("w1", {"a": UP, "b": DOWN}, NOW)
    await connectors.report("w2", {"a": DOWN}, NOW + 1)
    assert await connectors.states(NOW) == [
        Told("a", "w1", NOW, UP), Told("a", "w2", NOW + 1, DOWN), Told("b", "w1", NOW, DOWN),
    ]  # fmt: skip
    await connectors.report("w1", {"b": UP}, NOW + 2)
    assert await connectors.states(NOW) == [Told("a", "w2", NOW + 1, DOWN), Told("b", "w1", NOW + 2, UP)]
    assert await connectors.states(NOW + 2) == [Told("b", "w1", NOW + 2, UP)]
    await connectors.report("w1", {}, NOW + 3)
    assert [told.worker for told in await connectors.states(0)] == ["w2"]


async def test_what_workers_told_that_are_gone_is_forgotten(connectors: Connectors) -> None:
    await connectors.report("w1", {"a": UP, "b": UP}, NOW)
    await connectors.report("w2", {"a": UP}, NOW + 5)
    assert await connectors.forget_states(NOW + 5) == 2
    assert [told.worker for told in await connectors.states(0)] == ["w2"]
