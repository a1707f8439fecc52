"""Company: what is asked for one by one is done for many at once.

Rule 1: nobody waits for company. A batch leaves as soon as the verb is free, with all that has come
meanwhile.
Rule 2: when the verb cannot follow, what comes beyond `WAITING` is refused at once, so that neither memory
nor the wait of those before it grows without bound.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Sized
from typing import Generic, TypeVar

from hopwire.errors import Unavailable

WAITING = 5_000  # items, at most: about a second's work; who came behind them would wait longer than that

Item = TypeVar("Item")
Result = TypeVar("Result")


async def company(waiting: Sized, most: int) -> None:
    """Let those join who come together; return when nobody has in a turn of the loop, or `most` have."""
    here = 0
    while here < len(waiting) < most:
        here = len(waiting)
        await asyncio.sleep(0)


class Batch(Generic[Item, Result]):
    """Turns a plural verb into one that can be called for a single item."""

    def __init__(
        self, verb: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], most: int = 500
    ) -> None:
        """`most`: items of one call."""
        self._verb = verb
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._runner: asyncio.Task[None] | None = None

    def __call__(self, item: Item) -> asyncio.Future[Result]:
        """What the verb answers for the item; Unavailable when too many are waiting already."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if len(self._waiting) >= WAITING:
            future.set_exception(Unavailable())
            return future
        self._waiting.append((item, future))
        if self._runner is None:
            self._runner = loop.create_task(self._run())
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await company(self._waiting, self._most)
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._do(batch)
        finally:
            self._runner = None

    async def _do(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._verb([item for item, _ in batch])
        except Exception as exc:
            if len(batch) > 1 and not isinstance(exc, Unavailable):
                for one in batch:  # a bug that one item meets is not the others' trouble
                    await self._do([one])
            else:
                _settle(batch, exc)
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _settle(batch: Sequence[tuple[Item, asyncio.Future[Result]]], exc: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(exc)
