"""Price lists: what parts cost, whom, and since when."""

from collections.abc import Sequence

from hopwire import money
from hopwire.model import Price
from hopwire.prices import Change
from hopwire.store.audit import Audited
from hopwire.store.engine import Tx


class PriceBook(Audited):
    async def all(self) -> list[Price]:
        """Every row, also of what is not valid yet or any more."""
        rows = await self.engine.read(lambda tx: tx.all("tariffs"))
        return [Price(channel, prefix, price, type, of, at) for of, channel, type, prefix, at, price in rows]

    async def put(self, prices: Sequence[Price]) -> None:
        """Enter these, each instead of the one of the same list, channel, type, prefix and date."""
        old = {one._replace(price=0): one.price for one in await self.all()}
        await self.apply([Change(one, old.get(one._replace(price=0)), one.price) for one in prices])

    async def apply(self, changes: Sequence[Change]) -> None:
        """Do what `prices.changes` has found."""
        put = [(*_key(row), after) for row, _, after in changes if after is not None]
        gone = [_key(row) for row, _, after in changes if after is None]

        def work(tx: Tx) -> None:
            tx.many("put_tariff", put)
            tx.many("remove_tariff", gone)
            for of in sorted({change.row.list for change in changes}):
                rows = [change for change in changes if change.row.list == of]
                before = {_name(one.row): money.text(one.before) for one in rows if one.before is not None}
                after = {_name(one.row): money.text(one.after) for one in rows if one.after is not None}
                self._note(tx, "change prices", f"price list {of or 'of everyone'}", before, after)

        await self.engine.write(work)


def _key(row: Price) -> tuple[str, str, str, str, int]:
    return row.list, row.channel, row.type, row.prefix, row.valid_from


def _name(row: Price) -> str:
    since = f"since {row.valid_from}" if row.valid_from else ""
    return " ".join(filter(None, (row.channel, row.type, row.prefix or "*", since)))
