"""What connectors do in each minute, out of counters that only grow as long as a process lives.

Rule: each worker tells of its own minutes, from its own beginning on; those of several add up.
"""

from collections.abc import Mapping
from typing import NamedTuple

from hopwire.choice import AWAY
from hopwire.model import ConnectorState

MINUTE_MS = 60_000


class Minute(NamedTuple):
    """What a connector did in a minute."""

    connector: str
    minute: int  # its first millisecond
    submitted: int
    taken: int
    refused: int
    throttled: int
    unknown: int
    receipts: int
    latency_ms: int | None  # the longest mean time to an answer
    down: bool  # it was away for some of it


class Minutes:
    """The connectors of one worker."""

    def __init__(self) -> None:
        self._minute: int | None = None
        self._before: Mapping[str, ConnectorState] = {}  # how they stood when it began
        self._down: set[str] = set()
        self._latency: dict[str, int] = {}

    def look(self, states: Mapping[str, ConnectorState], now: int) -> list[Minute]:
        """See how they stand; the minute that is over, when one is."""
        minute = now - now % MINUTE_MS
        over = self._minute not in (None, minute)
        rows = self.rest(states, now) if over else []
        self._minute = minute
        for name, state in states.items():
            if state.state in AWAY:
                self._down.add(name)
            if state.latency_ms is not None:
                self._latency[name] = max(state.latency_ms, self._latency.get(name, 0))
        return rows

    def rest(self, states: Mapping[str, ConnectorState], now: int) -> list[Minute]:
        """What has not been told yet, of the minute of the last look."""
        minute = now - now % MINUTE_MS if self._minute is None else self._minute
        rows = [self._row(minute, name, state) for name, state in states.items()]
        self._before, self._down, self._latency = dict(states), set(), {}
        return rows

    def _row(self, minute: int, name: str, state: ConnectorState) -> Minute:
        before = _counters(self._before.get(name))
        counted = (now - was for now, was in zip(_counters(state), before, strict=True))
        latency_ms, down = self._latency.get(name), name in self._down
        return Minute._make((name, minute, *counted, latency_ms, down))


def _counters(state: ConnectorState | None) -> tuple[int, int, int, int, int, int]:
    if state is None:
        return 0, 0, 0, 0, 0, 0
    return state.submitted, state.taken, state.refused, state.throttled, state.unknown, state.receipts
