"""Company: what is asked for one by one is done for many at once.

Rule 1: nobody waits for company. A batch leaves as soon as the verb is free, with all that has come
meanwhile; where another process does the work, so many leave as make a group, and the others follow.
Rule 2: when the verb cannot follow, what comes beyond `WAITING` is refused at once, so that neither memory
nor the wait of those before it grows without bound.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from hopwire.errors import OutcomeUnknown, Unavailable

WAITING = 5_000  # items without an answer: about a second's work; who came behind them would wait longer
MOST = 500  # items of one call

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batch(Generic[Item, Result]):
    """Turns a plural verb into one that can be called for a single item."""

    def __init__(self, verb: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], group: int = 0) -> None:
        """`group`: so many leave as soon as they are there, beside those that are under way; 0: none do."""
        self._verb = verb
        self._group = group
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._under_way: dict[asyncio.Future[Sequence[Result]], int] = {}  # call -> of how many items
        self._is_leaving = False  # whether what waits leaves at the end of this turn of the loop

    def __call__(self, item: Item) -> asyncio.Future[Result]:
        """What the verb answers for the item; Unavailable when too many are waiting already."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if len(self._waiting) + sum(self._under_way.values()) >= WAITING:
            future.set_exception(Unavailable())
            return future
        self._waiting.append((item, future))
        if len(self._waiting) == self._group:
            self._leave()
        elif not self._is_leaving:
            self._is_leaving = True
            loop.call_soon(self._leave_with_company)
        return future

    def _leave_with_company(self) -> None:
        self._is_leaving = False
        if self._group or not self._under_way:
            self._leave()

    def _leave(self) -> None:
        """Call the verb for what waits."""
        if self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            self._do(batch)

    def _do(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        call = asyncio.ensure_future(self._verb([item for item, _ in batch]))  # noqa: RUF006 - kept here:
        self._under_way[call] = len(batch)
        call.add_done_callback(partial(self._done, batch))

    def _done(
        self,
        batch: Sequence[tuple[Item, asyncio.Future[Result]]],
        call: asyncio.Future[Sequence[Result]],
    ) -> None:
        del self._under_way[call]
        exc = OutcomeUnknown() if call.cancelled() else call.exception()
        if exc is None:
            for (_, future), result in zip(batch, call.result(), strict=True):
                if not future.done():
                    future.set_result(result)
        elif len(batch) > 1 and not isinstance(exc, Unavailable):
            for one in batch:  # a bug that one item meets is not the others' trouble
                self._do([one])
        else:
            _settle(batch, exc)
        if not self._under_way:
            self._leave()


def _settle(batch: Sequence[tuple[Item, asyncio.Future[Result]]], exc: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(exc)
