"""The log of requests: remembered in the process, written down every second.

Rule 1: a request pays for a look into a table in memory, and for nothing else.
Rule 2: what cannot be written waits, and is given up beyond `MOST`; a crash forgets the last second of it.
"""

import time
from collections.abc import Awaitable, Callable, Sequence

from hopwire.errors import OutcomeUnknown
from hopwire.regularly import regularly
from hopwire.store.requests import Asked

WRITE_S = 1.0
MOST = 10_000  # rows
ELSEWHERE = "key_elsewhere"  # the outcome of a right key from a wrong address; the client is not told so

Where = tuple[int, int, bytes, str, str, str]
"""What requests have in common that are one row: account, key, method, command, outcome, address."""


class _Seen:
    """Requests that were alike."""

    __slots__ = ("at", "message_id", "n", "slowest_s")

    def __init__(self, at: int) -> None:
        self.at = at
        self.n = 0
        self.message_id = 0
        self.slowest_s = 0.0


class RequestLog:
    def __init__(self, keep: Callable[[Sequence[Asked]], Awaitable[object]]) -> None:
        """`keep` puts rows into the store; raises Unavailable, and OutcomeUnknown."""
        self._keep = keep
        self._seen: dict[Where, _Seen] = {}
        self._unwritten: list[Asked] = []

    def note(self, where: Where, took_s: float, message_id: int) -> None:
        """A request was answered; `message_id` is that of the message that it has made, or 0."""
        seen = self._seen.get(where)
        if seen is None:
            if len(self._seen) >= MOST:
                return
            seen = self._seen[where] = _Seen(time.time_ns() // 1_000_000)
        seen.n += 1
        seen.message_id = message_id or seen.message_id
        if took_s > seen.slowest_s:
            seen.slowest_s = took_s

    async def write(self) -> None:
        """Write down what was seen since the last time; raises Unavailable, and remembers it then."""
        seen, self._seen = self._seen, {}
        self._unwritten = [*self._unwritten, *map(_row, seen.items())][-MOST:]
        rows, self._unwritten = self._unwritten, []
        if rows:
            try:
                await self._keep(rows)
            except OutcomeUnknown:
                pass  # it may be there, and twice would be wrong
            except BaseException:  # also when it is stopped meanwhile
                self._unwritten = rows
                raise

    async def watch(self) -> None:
        """Write every second, until cancelled."""
        await regularly(self.write, WRITE_S, "the log of requests could not be written down")


def _row(one: tuple[Where, _Seen]) -> Asked:
    (account_id, key_id, method, command, outcome, origin), seen = one
    return Asked(
        seen.at, account_id, key_id, method.decode("ascii"), command, outcome, seen.message_id or None,
        origin, seen.n, round(1000 * seen.slowest_s),
    )  # fmt: skip
