"""Connectors: what the operator orders of them, and what the workers tell of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import to_builtins

from hopwire.minutes import Minute
from hopwire.model import ConnectorState, TraceOrder
from hopwire.store.audit import Audited
from hopwire.store.engine import Tx

MINUTES_KEPT_MS = 7 * 86_400_000
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


class Connectors(Audited):
    remembered = False

    # ---- orders

    async def pause(self, name: str, now: int) -> None:
        await self._set_paused(name, now, paused=True)

    async def resume(self, name: str, now: int) -> None:
        await self._set_paused(name, now, paused=False)

    async def _set_paused(self, name: str, now: int, *, paused: bool) -> None:
        def work(tx: Tx) -> None:
            tx.run("pause_connector", name=name, paused=int(paused), now=now)
            self._note(tx, "pause" if paused else "resume", f"connector {name}")

        await self.engine.write(work)

    async def order_trace(self, name: str, trace: TraceOrder | None, now: int) -> None:
        """Have a trace written, instead of any other; None: no more."""
        text = None if trace is None else _encode(trace).decode()

        def work(tx: Tx) -> None:
            tx.run("trace_connector", name=name, trace=text, now=now)
            told = to_builtins(trace) if trace else {}
            self._note(tx, "trace" if trace else "end trace", f"connector {name}", {}, told)

        await self.engine.write(work)

    async def orders(self) -> dict[str, ConnectorOrder]:
        """Connector -> what is ordered of it, of those of which anything ever was."""
        rows = await self.engine.read(lambda tx: tx.all("connector_orders"))
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

        await self.engine.write(work)

    async def states(self, since: int) -> list[Told]:
        """What the workers told since then, by connector and worker."""
        rows = await self.engine.read(lambda tx: tx.all("connector_states", since=since))
        return [Told(connector, worker, at, _decode_state(state)) for connector, worker, at, state in rows]

    async def forget_states(self, before: int) -> int:
        """Drop what was told before then, by workers that are gone; how many."""
        return await self.engine.write(lambda tx: tx.run("forget_states", before=before))

    async def waiting(self, now: int) -> dict[str, tuple[int, int]]:
        """Connector -> how many messages are due on it, and since when the oldest has been."""
        rows = await self.engine.read(lambda tx: tx.all("unfinished_by_connector", now=now))
        return {connector: (n, oldest) for connector, n, oldest in rows}

    # ---- minutes

    async def add_minutes(self, rows: Sequence[Minute]) -> None:
        """What a worker's connectors did in a minute, beside what other workers' did."""
        told = [(*one[:-1], int(one.down)) for one in sorted(rows, key=lambda one: one[:2])]
        await self.engine.write(lambda tx: tx.many("add_minute", told))

    async def minutes(self, since: int, connector: str = "") -> list[Minute]:
        """The minutes since then, by time and connector; of one connector, or all."""
        rows = await self.engine.read(lambda tx: tx.all("minutes", since=since, connector=connector))
        return [Minute._make((*row[:-1], bool(row[-1]))) for row in rows]

    async def forget_minutes(self, now: int) -> int:
        """Drop those of more than a week ago; how many."""
        return await self.engine.write(lambda tx: tx.run("forget_minutes", before=now - MINUTES_KEPT_MS))
