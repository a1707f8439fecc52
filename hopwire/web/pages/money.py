"""Money: what can be spent, statements of months, prices, top-ups.

Rule: what is shown by days is what the ledger has, row by row, in the file of the month.
"""

import re
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import NamedTuple

from starlette.responses import Response

from hopwire import limits, phone, tallies
from hopwire.errors import BadRecipient
from hopwire.model import Account
from hopwire.money import UNIT
from hopwire.prices import PROMOTIONAL, TRANSACTIONAL
from hopwire.store.ledger import EVER, Ledger, Moved, Movement
from hopwire.web.pages.forms import Form
from hopwire.web.pages.marks import csv_lines
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit
from hopwire.web.pages.words import marked as _

SHOWN = 20  # movements by hand
CHUNK = 1000  # rows of a file
KINDS = {"topup": _("Top-up"), "adjustment": _("Correction"), "transfer": _("Transfer")}
PRICES = {
    ("viber", PROMOTIONAL): _("Viber message"),
    ("viber", TRANSACTIONAL): _("Viber message by an approved template"),
    ("sms", TRANSACTIONAL): _("SMS, each part"),
    ("sms", PROMOTIONAL): _("SMS, each part"),
}
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}", re.ASCII)
_CURSOR = re.compile(r"([0-9]{1,16})-([0-9]{1,16})", re.ASCII)


class Day(NamedTuple):
    """What has moved the balance on a day, and what it was at its end."""

    at: int
    by_hand: int
    viber: int
    sms: int
    commission: int
    balance: int


class Month(NamedTuple):
    """A month of an account's clock."""

    name: str  # 2026-11
    since: int
    until: int
    before: str
    after: str  # "": it is to come


class Statement(NamedTuple):
    opening: int
    days: list[Day]  # on which something has moved it
    closing: int

    def sum_of(self, column: str) -> int:
        return sum(getattr(day, column) for day in self.days)


# ---- the page


async def money(visit: Visit) -> Response:
    month, ledger = _month(visit, visit.account), Ledger(visit.parts.engine)
    moved = await ledger.moved(visit.account.id, tallies.hour(month.since))
    zone = visit.account.time_zone
    statement = statement_of(moved, month, zone) if moved.counted else None
    cursor = _CURSOR.fullmatch(visit.query.get("before", ""))
    before = (int(cursor[1]), int(cursor[2])) if cursor else (EVER, 0)
    by_hand = await ledger.by_hand(visit.account.id, SHOWN + 1, before)
    form = Form(visit.query, visit.words)
    return visit.render(
        "money.html",
        spendable=await visit.parts.admission.spendable(visit.account),
        month=month,
        statement=statement,
        by_hand=by_hand[:SHOWN],
        kinds=KINDS,
        older=_older(visit, by_hand),
        newest=visit.address_with(before=None) if cursor else "",
        form=form,
        prices=_prices(visit, form),
    )


def _older(visit: Visit, rows: list[Movement]) -> str:
    if len(rows) <= SHOWN:
        return ""
    last = rows[SHOWN - 1]
    return visit.address_with(before=f"{last.at}-{last.id}")


def _prices(visit: Visit, form: Form) -> list[tuple[str, int]] | None:
    """What a message to the number in the form costs, in words and money; None: no number was asked for."""
    typed = form.value("to").strip()
    if not typed:
        return None
    number = phone.parse(typed, visit.account.home_country)
    if number is None:
        form.wrong("to", BadRecipient.text)
        return None
    found = visit.parts.admission.prices(visit.account, number.digits, number.country, visit.now)
    by_template, other = found.get(("viber", TRANSACTIONAL)), found.get(("viber", PROMOTIONAL))
    if by_template == other:  # no need to tell both
        found.pop(("viber", TRANSACTIONAL), None)
    return [(PRICES[which], price) for which, price in found.items()]


# ---- months


def _month(visit: Visit, account: Account) -> Month:
    """The month that is asked for; the present one where that is none, or is to come."""
    zone = account.time_zone
    now = limits.named("month", visit.now, zone)
    asked = visit.query.get("month", "")
    name = asked if _MONTH.fullmatch(asked) and "1970-01" < asked <= now else now
    try:
        since, until = limits.month(name, zone)
    except ValueError:
        name = now
        since, until = limits.month(name, zone)
    before = limits.named("month", since - 1, zone)
    after = limits.named("month", until, zone) if name != now else ""
    return Month(name, since, until, before, after)


def statement_of(moved: Moved, month: Month, time_zone: str) -> Statement:
    """The days of a month, out of all that has moved the balance since it began."""
    days = dict(_days(moved, time_zone))
    later = sum(map(_sum, (sums for at, sums in days.items() if at >= month.until)))
    balance = closing = moved.balance - later
    found = []
    for at, sums in sorted(days.items(), reverse=True):
        if month.since <= at < month.until:
            hand, viber, sms, earned = (sums.get(name, 0) for name in ("hand", "viber", "sms", "commission"))
            found.append(Day(at, hand, viber, sms, earned, balance))
            balance -= _sum(sums)
    return Statement(balance, found[::-1], closing)


def _days(moved: Moved, time_zone: str) -> Iterator[tuple[int, dict[str, int]]]:
    """Each day with its sums, as they have moved the balance."""
    days: dict[int, dict[str, int]] = {}
    for hour, kind, channel, n in moved.by_messages:
        name, amount = (channel, -n) if kind == "spent" else (kind, n)
        _add(days.setdefault(tallies.day(hour + tallies.HOUR_MS - 1, time_zone), {}), name, amount)
    for one in moved.by_hand:
        _add(days.setdefault(tallies.day(one.at, time_zone), {}), "hand", one.amount)
    yield from days.items()


def _add(sums: dict[str, int], name: str, amount: int) -> None:
    sums[name] = sums.get(name, 0) + amount


def _sum(sums: dict[str, int]) -> int:
    return sum(sums.values())


# ---- the file


async def export(visit: Visit) -> Response:
    return statement_file(visit, visit.account)


def statement_file(visit: Visit, account: Account) -> Response:
    """A month of an account, row by row, with the balance before and after it."""
    month = _month(visit, account)
    return visit.file_of(f"statement-{month.name}.csv", _lines(visit, account, month))


async def _lines(visit: Visit, account: Account, month: Month) -> AsyncIterator[str]:
    ledger, iso = Ledger(visit.parts.engine), visit.words.iso
    balance = 0
    async for one in ledger.movements(account.id, 0, month.since):
        balance += one.amount
    rows: list[tuple[object, ...]] = [
        ("time", "kind", "message", "note", "amount", "balance"),
        (iso(month.since), "opening", "", "", "", _decimal(balance)),
    ]
    async for one in ledger.movements(account.id, month.since, month.until):
        balance += one.amount
        amounts = _decimal(one.amount), _decimal(balance)
        rows.append((iso(one.at), one.kind, one.message_id, one.note, *amounts))
        if len(rows) == CHUNK:
            yield csv_lines(rows)
            rows.clear()
    yield csv_lines([*rows, (iso(month.until), "closing", "", "", "", _decimal(balance))])


def _decimal(millionths: int) -> Decimal:
    return Decimal(millionths) / UNIT


PAGES = [Page("/money", money), Page("/money/statement", export)]
