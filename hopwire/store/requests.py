"""What programs have asked for, and what they were answered.

Rule 1: nothing of what was asked is kept beyond the command: no number, text, key or parameter.
Rule 2: what is alike within a second is one row, so that a caller adds no more than some rows a second.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from hopwire.store.engine import Engine, Tx

PAGE = 1000
DAY_MS = 86_400_000
FIRST = 1 << 62  # an id behind the newest


class Asked(NamedTuple):
    """Requests that were alike."""

    at: int  # the first one
    account_id: int
    key_id: int  # 0: by login and password
    method: str
    command: str
    outcome: str  # "ok", or the code of the refusal
    message_id: int | None  # of the last one
    origin: str  # address
    n: int
    slowest_ms: int


class Requests:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def newest(
        self, account_id: int, n: int, before: int = FIRST, key_id: int = -1, outcome: str = ""
    ) -> list[tuple[int, Asked]]:
        """An account's, with their ids, newest first; those with ids below `before`.

        Of one key (0: by password; -1: all), and by outcome: "ok", "refused", or "" for both.
        """
        name = "refused_requests" if outcome == "refused" else "requests_of"
        params = {"account_id": account_id, "before": before, "key_id": key_id, "n": n}
        if outcome != "refused":
            params["ok"] = 1 if outcome == "ok" else -1
        rows = await self._engine.read(lambda tx: tx.all(name, **params))
        return [(row[0], Asked._make(row[1:])) for row in rows]

    async def forget(self, before: int) -> None:
        """Drop what is older, a page at a time."""

        def work(tx: Tx) -> bool:
            return tx.run("forget_requests", before=before, n=PAGE) == PAGE

        while await self._engine.write(work):  # noqa: ASYNC110 - the store's writes are what is awaited
            await asyncio.sleep(0)  # SQLite's verbs do not wait


def keep(tx: Tx, rows: Sequence[Asked]) -> None:
    tx.many("create_request", rows)
