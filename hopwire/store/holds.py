"""Messages that wait for the operator's decision, as they are listed; `Store.decide_held` decides."""

from typing import NamedTuple

from hopwire.store.engine import Engine


class Hold(NamedTuple):
    message_id: int
    account_id: int
    at: int
    reason: str
    recipient: str


class Holds:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def waiting(self, n: int, account_id: int = 0, block: str = "", after: int = 0) -> list[Hold]:
        """The oldest with larger ids than `after`; of one account or all, of one block of numbers or all."""
        rows = await self._engine.read(
            lambda tx: tx.all("list_holds", n=n, account_id=account_id, block=block, after=after)
        )
        return [Hold._make(row) for row in rows]
