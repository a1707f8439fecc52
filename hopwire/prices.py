"""What a part costs: price lists, and which of their rows counts.

Rule 1: an account's own list stands before its plan's, and that before everyone's; in a list a row for the
message's type stands before one for both; then the longest prefix wins, and of its rows the youngest that is
valid.
Rule 2: a reseller sells at his own price at least: what his sub-account pays less is raised to it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from hopwire.model import Account, Fact, Price
from hopwire.prefixes import Prefixes

PROMOTIONAL, TRANSACTIONAL = "promotional", "transactional"
TYPES = ("", PROMOTIONAL, TRANSACTIONAL)
CHANNELS = ("sms", "viber")
NEVER = 2**62


class Charge(Fact, frozen=True):
    """What a part costs an account."""

    price: int
    commission: int = 0  # of it, the reseller's


_Asked = tuple[int | str | None, str, str, str]  # account, or connector's name; plan, channel, type


class PriceLists:
    """The rows that are valid at one moment, ready to be asked."""

    def __init__(self, prices: Iterable[Price] = (), now: int = 0) -> None:
        self.until = NEVER  # when a row begins to count that does not yet
        found: dict[tuple[str, str, str], dict[str, Price]] = {}
        for one in prices:
            if one.valid_from > now:
                self.until = min(self.until, one.valid_from)
                continue
            rows = found.setdefault((one.list, one.channel, one.type), {})
            if one.prefix not in rows or rows[one.prefix].valid_from < one.valid_from:
                rows[one.prefix] = one
        self._tables: Mapping[tuple[str, str, str], Prefixes[int]] = {
            which: Prefixes({prefix: one.price for prefix, one in rows.items()})
            for which, rows in found.items()
        }
        self._orders: dict[_Asked, tuple[Prefixes[int], ...]] = {}  # what is asked, as it was found once

    def charge(self, account: Account, channel: str, type: str, digits: str) -> Charge | None:
        """What a part to this number costs the account; None: it has no price."""
        price = self._first((account.id, account.plan, channel, type), digits)
        if account.parent_id is None or price is None:
            return None if price is None else Charge(price)
        return self._resold(account, price, channel, type, digits)

    def cost(self, connector: str, channel: str, type: str, digits: str) -> int | None:
        """What a part to this number costs us over the connector; None where that is not known."""
        return self._first((connector, "", channel, type), digits)

    def _resold(self, account: Account, price: int, channel: str, type: str, digits: str) -> Charge | None:
        wholesale = self._first((account.parent_id, account.parent_plan, channel, type), digits)
        if wholesale is None:
            return None
        price = max(price, wholesale)
        return Charge(price, price - wholesale)

    def _first(self, asked: "_Asked", digits: str) -> int | None:
        tables = self._orders.get(asked)
        if tables is None:
            tables = self._orders[asked] = tuple(self._in_order(*asked))
        for table in tables:
            if (price := table.longest(digits)) is not None:
                return price
        return None

    def _in_order(self, who: int | str | None, plan: str, channel: str, type: str) -> Iterator[Prefixes[int]]:
        """The tables that may say what an account pays, or what we pay for a connector."""
        lists = (f"connector:{who}",) if isinstance(who, str) else _lists(who, plan)
        for one in lists:
            for kind in (type, ""):
                if (table := self._tables.get((one, channel, kind))) is not None:
                    yield table


def candidates(
    prices: Iterable[Price], account: Account, channel: str, type: str, digits: str, now: int
) -> list[Price]:
    """The rows that say something of this number, the one that counts first."""
    lists = _lists(account.id, account.plan)
    said = [
        one
        for one in prices
        if (one.channel, one.list in lists, one.type in (type, "")) == (channel, True, True)
        and digits.startswith(one.prefix)
        and one.valid_from <= now
    ]
    order = lambda one: (lists.index(one.list), one.type != type, -len(one.prefix), -one.valid_from)  # noqa: E731
    return sorted(said, key=order)


def _lists(account_id: int | None, plan: str) -> tuple[str, ...]:
    own = f"account:{account_id}"
    return (own, f"plan:{plan}", "") if plan else (own, "")


class Change(NamedTuple):
    """What an import does to one row of a list."""

    row: Price
    before: int | None  # None: the row is new
    after: int | None  # None: the row goes


def changes(now: Iterable[Price], then: Iterable[Price], *, replace: Iterable[str] = ()) -> list[Change]:
    """What makes `then` out of what there is now; of the lists to `replace`, rows that are not named go."""
    replaced = set(replace)
    old = {one._replace(price=0): one.price for one in now}
    new = {one._replace(price=0): one.price for one in then}
    made = [Change(row, old.get(row), price) for row, price in new.items() if old.get(row) != price]
    gone = [Change(row, price, None) for row, price in old.items() if row.list in replaced and row not in new]
    return sorted([*made, *gone], key=lambda one: one.row)
