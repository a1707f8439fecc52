"""Price lists as people write them: on the command line, in a form, in a CSV; and who pays what for a number.

Rule: in a file and on a page a list is called "" (everyone's), "plan:NAME", "account:LOGIN" or
"connector:NAME" (what we pay ourselves); in the store an account is its id.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hopwire import money
from hopwire.model import Account, Price
from hopwire.prices import CHANNELS, PROMOTIONAL, TRANSACTIONAL, TYPES, Change, Charge, PriceLists, candidates
from hopwire.tables import Mistake, moment, read_moment, rows

COLUMNS = ("list", "channel", "type", "prefix", "valid_from", "price")
KINDS = ("plan", "account", "connector")  # of lists, beside everyone's
MOST_NAME = 64


# ---- read


def row(channel: str, type: str, prefix: str, since: str, amount: str, time_zone: str) -> Price:
    """A price of everyone's list; raises Mistake."""
    channel, type, prefix = channel_of(channel), type_of(type), prefix_of(prefix)
    return Price(channel, prefix, amount_of(amount), type, "", since_of(since, time_zone))


def channel_of(typed: str) -> str:
    if typed not in CHANNELS:
        raise Mistake("channel must be sms or viber")
    return typed


def type_of(typed: str) -> str:
    if typed not in TYPES:
        raise Mistake("type must be transactional, promotional or empty")
    return typed


def prefix_of(typed: str) -> str:
    if typed and not (typed.isascii() and typed.isdigit() and len(typed) <= 15):
        raise Mistake("a prefix is up to 15 digits")
    return typed


def since_of(typed: str, time_zone: str) -> int:
    """Since when a price counts; 0: since ever."""
    return read_moment(typed, time_zone) if typed else 0


def amount_of(typed: str) -> int:
    """What a part costs; raises Mistake."""
    try:
        price = money.parse(typed)
    except ValueError as error:
        raise Mistake(str(error)) from None
    if price < 0:
        raise Mistake("a price must not be negative")
    return price


def list_of(typed: str, ids: Mapping[str, int]) -> str:
    """A list as the store calls it, out of what people call it; raises Mistake."""
    kind, _, name = typed.partition(":")
    if kind == "account":
        if name not in ids:
            raise Mistake("list %(typed)s: there is no account with this login", typed=repr(typed))
        return f"account:{ids[name]}"
    if typed and (kind not in KINDS or not name):
        raise Mistake("list must be empty, plan:NAME, account:LOGIN or connector:NAME")
    if len(name) > MOST_NAME or not name.isprintable():
        raise Mistake("list: a name is at most 64 printable characters")
    return typed


def read(text: str, ids: Mapping[str, int], time_zone: str) -> tuple[list[Price], list[Mistake]]:
    """The prices of a CSV, and what is wrong in it, line by line."""
    found: dict[Price, Price] = {}
    wrong: list[Mistake] = []
    try:
        for line, cells in rows(text, COLUMNS, ("list", "type", "valid_from")):
            try:
                one = _read(cells, ids, time_zone)
                if found.setdefault(one._replace(price=0), one) is not one:
                    raise Mistake("this list, channel, type, prefix and date were there before")
            except Mistake as mistake:
                wrong.append(Mistake(mistake.sentence, line, **mistake.values))
    except Mistake as mistake:  # what comes behind it cannot be read
        wrong.append(mistake)
    return list(found.values()), wrong


def _read(cells: Mapping[str, str], ids: Mapping[str, int], time_zone: str) -> Price:
    names = ("channel", "type", "prefix", "valid_from", "price")
    channel, type, prefix, since, amount = (cells[name] for name in names)
    return row(channel, type, prefix, since, amount, time_zone)._replace(list=list_of(cells["list"], ids))


# ---- written


def named(of: str, logins: Mapping[int, str]) -> str:
    """A list as people call it: an account by its login."""
    kind, _, name = of.partition(":")
    return f"account:{logins.get(int(name), name)}" if kind == "account" else of


def told(one: Price, logins: Mapping[int, str]) -> dict[str, str]:
    """A row as a file has it."""
    cells = (named(one.list, logins), one.channel, one.type, one.prefix, moment(one.valid_from or None))
    return dict(zip(COLUMNS, (*cells, money.text(one.price)), strict=True))


def digest(changes: Iterable[Change]) -> str:
    """Changes that are the same have the same digest: what was shown can be told from what would be done."""
    return hashlib.sha256(repr([tuple(one) for one in changes]).encode()).hexdigest()


# ---- who pays what


class Cost(NamedTuple):
    """What a part costs us over a connector, and what is left of the price."""

    connector: str
    cost: int | None  # None: not known
    margin: int | None  # None: not known


class Said(NamedTuple):
    """What a part of one channel and type costs to a number."""

    channel: str
    type: str
    charge: Charge | None  # None: it has no price, so nothing is sent
    rows: list[Price]  # that say something of the number; the first one counts
    costs: list[Cost]

    @property
    def is_raised(self) -> bool:
        """Whether it is not the row's price but the reseller's, which is higher."""
        return bool(self.charge and self.rows and self.charge.price != self.rows[0].price)


def explain(
    prices: Sequence[Price], payer: Account, digits: str, carriers: Mapping[str, frozenset[str]], now: int
) -> list[Said]:
    """What parts cost an account, by channel and type; `carriers`: connectors, and what each carries."""
    lists = PriceLists(prices, now)
    found = []
    for channel in CHANNELS:
        for type in (TRANSACTIONAL, PROMOTIONAL):
            charge = lists.charge(payer, channel, type, digits)
            says = candidates(prices, payer, channel, type, digits, now)
            names = [name for name, carries in carriers.items() if channel in carries]
            known = [(name, lists.cost(name, channel, type, digits)) for name in names]
            costs = [Cost(name, cost, _margin(charge, cost)) for name, cost in known]
            found.append(Said(channel, type, charge, says, costs))
    return found


def _margin(charge: Charge | None, cost: int | None) -> int | None:
    """A reseller's part is not ours."""
    return None if charge is None or cost is None else charge.price - charge.commission - cost
