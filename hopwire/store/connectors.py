"""Connectors: what the operator orders of them, and what the workers tell of them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from hopwire.model import ConnectorState, TraceOrder
from hopwire.store.engine import Engine, Tx

FRESH_MS = 30_000  # what a worker told longer ago is not believed any more


class ConnectorOrder(NamedTuple):
    """What the operator wants of a connector."""

    paused: bool = False
    trace: TraceOrder | None = None


class Told(NamedTuple):
    """What one worker told last of one connector."""

    connector: str
    worker: str
    at: int
    state: ConnectorState


_encode = msgspec.json.Encoder().encode
_decode_trace = msgspec.json.Decoder(TraceOrder).decode
_decode_state = msgspec.json.Decoder(ConnectorState).decode


class Connectors:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # ---- orders

    async def pause(self, name: str, now: int) -> None:
        await self._do(lambda tx: tx.run("pause_connector", name=name, paused=1, now=now))

    async def resume(self, name: str, now: int) -> None:
        await self._do(lambda tx: tx.run("pause_connector", name=name, paused=0, now=now))

    async def order_trace(self, name: str, trace: TraceOrder | None, now: int) -> None:
        """Have a trace written, instead of any other; None: no more."""
        text = None if trace is None else _encode(trace).decode()
        await self._do(lambda tx: tx.run("trace_connector", name=name, trace=text, now=now))

    async def orders(self) -> dict[str, ConnectorOrder]:
        """Connector -> what is ordered of it, of those of which anything ever was."""
        rows = await self._engine.read(lambda tx: tx.all("connector_orders"))
        return {
            name: ConnectorOrder(bool(paused), None if trace is None else _decode_trace(trace))
            for name, paused, trace in rows
        }

    # ---- states

    async def report(self, worker: str, states: Mapping[str, ConnectorState], now: int) -> None:
        """How the connectors stand in this worker, instead of what it told before."""

        def work(tx: Tx) -> None:
            tx.run("forget_states_of", worker=worker)
            rows = [(name, worker, now, _encode(state).decode()) for name, state in states.items()]
            tx.many("create_connector_state", rows)

        await self._do(work)

    async def states(self, since: int) -> list[Told]:
        """What the workers told since then, by connector and worker."""
        rows = await self._engine.read(lambda tx: tx.all("connector_states", since=since))
        return [Told(connector, worker, at, _decode_state(state)) for connector, worker, at, state in rows]

    async def forget_states(self, before: int) -> int:
        """Drop what was told before then, by workers that are gone; how many."""
        return await self._engine.write(lambda tx: tx.run("forget_states", before=before))

    async def _do(self, work: Callable[[Tx], Any]) -> None:
        await self._engine.write(work)
