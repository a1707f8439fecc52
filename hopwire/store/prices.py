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
        return await self.engine.read(_kept)

    async def put(self, prices: Sequence[Price]) -> None:
        """Enter these, each instead of the one of the same list, channel, type, prefix and date."""

        def work(tx: Tx) -> None:
            old = _now(tx)
            self._do(tx, [Change(one, old.get(one._replace(price=0)), one.price) for one in prices])

        await self.engine.write(work)

    async def apply(self, changes: Sequence[Change]) -> bool:
        """Do what `prices.changes` has found; False, and nothing is done, where a price is another by now."""

        def work(tx: Tx) -> bool:
            old = _now(tx)
            if any(old.get(row._replace(price=0)) != before for row, before, _ in changes):
                return False
            self._do(tx, changes)
            return True

        return await self.engine.write(work)

    def _do(self, tx: Tx, changes: Sequence[Change]) -> None:
        tx.many("put_tariff", [(*_key(row), after) for row, _, after in changes if after is not None])
        tx.many("remove_tariff", [_key(row) for row, _, after in changes if after is None])
        for of in sorted({change.row.list for change in changes}):
            rows = [change for change in changes if change.row.list == of]
            before = {_name(one.row): money.text(one.before) for one in rows if one.before is not None}
            after = {_name(one.row): money.text(one.after) for one in rows if one.after is not None}
            self._note(tx, "change prices", f"price list {of or 'of everyone'}", before, after)


def _kept(tx: Tx) -> list[Price]:
    rows = tx.all("tariffs")
    return [Price(channel, prefix, price, type, of, at) for of, channel, type, prefix, at, price in rows]


def _now(tx: Tx) -> dict[Price, int]:
    """Every row without its price -> its price, and nobody else changes one until the commit."""
    tx.all("hold_audit")
    return {one._replace(price=0): one.price for one in _kept(tx)}


def _key(row: Price) -> tuple[str, str, str, str, int]:
    return row.list, row.channel, row.type, row.prefix, row.valid_from


def _name(row: Price) -> str:
    since = f"since {row.valid_from}" if row.valid_from else ""
    return " ".join(filter(None, (row.channel, row.type, row.prefix or "*", since)))
