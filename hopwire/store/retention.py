"""Forgets texts and numbers when their time is over, page by page, the oldest first.

Rule 1: a page is one short transaction, so that nobody waits for it.
Rule 2: of several workers one is at it; the others pass over the counter that it holds.
Rule 3: lists of mailings are forgotten with the first of the two.
Rule 4: a message that had not ended when it was passed is looked at again until it is forgotten.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from itertools import takewhile

from hopwire.privacy import pseudonym
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.forgetting import NUMBERS, TEXTS, forget
from hopwire.store.mailings import Mailings

DAY_MS = 86_400_000
PAGE = 200

Page = Callable[[Tx, int], int]  # where the last page ended -> where this one does; 0: it was the last one


class Retention:
    """How long texts and numbers are kept."""

    def __init__(self, engine: Engine, secret: bytes, texts_days: int, numbers_days: int) -> None:
        """`secret` keys the hashes that stand for numbers; 0 days are for ever."""
        self._engine = engine
        self._secret = secret
        self._days = {TEXTS: texts_days, NUMBERS: numbers_days}

    async def pages(self, now: int) -> AsyncGenerator[int, None]:
        """Forget what is to be forgotten now; between its pages others have their turns."""
        for what, days in self._days.items():
            before = now - days * DAY_MS
            pages: list[Page] = [partial(self._again, what)]
            if days:
                pages += [partial(self._messages, what, before), partial(self._inbox, what, before)]
            for page in pages:
                last = 0
                while last := await self._engine.write(partial(_call, page, last)):
                    yield last
        if kept := [days for days in self._days.values() if days]:
            before = now - min(kept) * DAY_MS
            while await Mailings(self._engine).forget(before, now):
                yield 0

    def _messages(self, what: str, before: int, tx: Tx, _: int) -> int:
        held = tx.all("hold_series", name=what)
        rows = tx.all("oldest_messages", after=held[0][0], n=PAGE) if held else []
        ids = _old(rows, before)
        if ids:
            left = forget(tx, what, ids, self._secret)
            tx.many("not_yet_forgotten", [(what, i) for i in left])
            tx.run("move_series", name=what, value=ids[-1])
        return ids[-1] if len(ids) == PAGE else 0

    def _again(self, what: str, tx: Tx, after: int) -> int:
        held = tx.all("hold_series", name=what)
        ids = [row[0] for row in tx.all("not_forgotten", what=what, after=after, n=PAGE)] if held else []
        if ids:
            left = set(forget(tx, what, ids, self._secret))
            tx.many("now_forgotten", [(what, i) for i in ids if i not in left])
        return ids[-1] if len(ids) == PAGE else 0

    def _inbox(self, what: str, before: int, tx: Tx, _: int) -> int:
        series = f"{what}/inbox"
        held = tx.all("hold_series", name=series)
        rows = tx.all("oldest_incoming", after=held[0][0], n=PAGE) if held else []
        ids = _old(rows, before)
        if ids:
            if what == TEXTS:
                tx.all("forget_incoming_texts", ids=ids)
            else:
                tx.many(
                    "rename_sender", [(pseudonym(row[2], self._secret), row[0]) for row in rows[: len(ids)]]
                )
            tx.run("move_series", name=series, value=ids[-1])
        return ids[-1] if len(ids) == PAGE else 0


def _old(rows: Sequence[Row], before: int) -> list[int]:
    """The ids of the rows that are old enough, up to the first that is not."""
    return [row[0] for row in takewhile(lambda row: row[1] < before, rows)]


def _call(page: Page, after: int, tx: Tx) -> int:
    return page(tx, after)
