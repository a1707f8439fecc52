"""Counts by account and hour, as `hopwire.tallies` tells.

Rule 1: what happens is counted in the transaction in which it does, behind everything else that locks rows.
Rule 2: what had happened before there were tallies is counted from the newest back, page by page: each is
a short transaction that moves the counter "tallied/…", with a pause behind it. Of several workers one is at
it; the others pass over the counter that it holds.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from hopwire import tallies
from hopwire.model import Status
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.rows import Kept, kept_by_id
from hopwire.tallies import Count, Happened, Moved, hour
from hopwire.timeline import What

PAGE = 200
BACK_MS = 30 * 86_400_000  # of what was there before, so much is counted
EVER = 1 << 62

Sums = dict[tuple[str, str], int]
"""(kind, detail) -> how many, or how much."""
Counts = Counter[tuple[int, int, str, str]]
"""(account, hour, kind, detail) -> how much more."""


def total(sums: Sums, kind: str) -> int:
    """The sum of a kind, whatever its details."""
    return sum(n for (one, _), n in sums.items() if one == kind)


def add(counts: Counts, account_id: int, at: int, counted: Iterable[Count]) -> None:
    for kind, detail, n in counted:
        counts[account_id, hour(at), kind, detail] += n


def write(tx: Tx, counts: Counts) -> None:
    """In one order, for others may write the same."""
    tx.many("add_tally", [(*where, n) for where, n in sorted(counts.items()) if n])


# ---- asking


class Money(NamedTuple):
    """What accounts with the same currency have brought, in millionths."""

    spent: int = 0
    commission: int = 0  # of it, the resellers'
    cost: int = 0

    @property
    def left(self) -> int:
        return self.spent - self.commission - self.cost


class Tallies:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of(self, account_id: int | None, since: int, until: int = EVER) -> Sums:
        """The sums of the hours from that of `since` to before that of `until`; None: of all accounts."""
        name, params = _scoped("tally_sums", "tally_sums_of_all", account_id, since, until)
        rows = await self._engine.read(lambda tx: tx.all(name, **params))
        return {(kind, detail): int(n) for kind, detail, n in rows}

    async def money(self, since: int) -> dict[str, Money]:
        """Currency -> what has come in it since the hour of then, from all accounts."""
        rows = await self._engine.read(lambda tx: tx.all("tally_money", since=hour(since)))
        found: dict[str, Money] = {}
        for currency, kind, n in rows:
            found[currency] = found.get(currency, Money())._replace(**{kind: int(n)})
        return found

    async def hours(
        self, account_id: int | None, kinds: Sequence[str], since: int, until: int = EVER
    ) -> dict[str, dict[int, int]]:
        """Kind -> hour -> its sum, as `of`; hours without any are left out."""
        name, params = _scoped("tally_hours", "tally_hours_of_all", account_id, since, until)
        rows = await self._engine.read(lambda tx: tx.all(name, kinds=list(kinds), **params))
        found: dict[str, dict[int, int]] = {kind: {} for kind in kinds}
        for at, kind, n in rows:
            found[kind][at] = int(n)
        return found

    async def days(
        self, account_id: int | None, kinds: Sequence[str], time_zone: str, since: int, until: int = EVER
    ) -> dict[str, dict[int, int]]:
        """Kind -> the beginning of a day in that time zone -> its sum."""
        found = await self.hours(account_id, kinds, since, until)
        return {kind: dict(tallies.by_day(hours.items(), time_zone)) for kind, hours in found.items()}

    async def count_old(self, now: int) -> bool:
        """Count a page of what had happened before there were tallies; whether there is more of it."""
        pages = (
            partial(_page, "tallied/messages", "messages_until", _of_messages, now),
            partial(_page, "tallied/events", "events_until", _of_events, now),
            partial(_page, "tallied/ledger", "ledger_until", _of_ledger, now),
        )
        return any([await self._engine.write(page) for page in pages])


def _scoped(
    of_one: str, of_all: str, account_id: int | None, since: int, until: int
) -> tuple[str, dict[str, int]]:
    """Which of two queries to ask, and what with."""
    times = {"since": hour(since), "until": hour(until)}
    if account_id is None:
        return of_all, times
    return of_one, {"account_id": account_id, **times}


# ---- what was there before


def _page(series: str, query: str, count: Callable[[Tx, Sequence[Row]], Counts], now: int, tx: Tx) -> bool:
    """Count the newest rows that are not counted yet; whether there may be others. A row begins (id, at)."""
    held = tx.all("hold_series", name=series)
    if not held or not held[0][0]:
        return False
    rows = tx.all(query, until=held[0][0], n=PAGE)
    recent = [row for row in rows if row[1] >= now - BACK_MS]
    more = len(recent) == PAGE
    write(tx, count(tx, recent))
    tx.run("move_series", name=series, value=recent[-1][0] - 1 if more else 0)
    return more


def _of_messages(tx: Tx, rows: Sequence[Row]) -> Counts:
    counts: Counts = Counter()
    for _, at, account_id, status in rows:
        add(counts, account_id, at, tallies.of_acceptance(Status(status)))
    return counts


def _of_events(tx: Tx, rows: Sequence[Row]) -> Counts:
    events = [_happened(row) for row in rows]
    kept = _kept(tx, (one.message_id for one in events))
    counts: Counts = Counter()
    for one in events:
        of = kept[one.message_id]
        add(counts, of.account_id, one.at, tallies.of_event(one, of.delivery))
    return counts


def _of_ledger(tx: Tx, rows: Sequence[Row]) -> Counts:
    moved = [Moved._make(row) for row in rows]
    kept = _kept(tx, (one.message_id for one in moved))
    counts: Counts = Counter()
    for one in moved:
        of = kept[one.message_id]
        add(counts, one.account_id, one.at, tallies.of_movement(one, of.account_id, of.delivery))
    return counts


def _happened(row: Row) -> Happened:
    i, at, message_id, step, what, status, code, before, connector = row
    return Happened(
        i, at, message_id, step, What(what), Status(status), code, Status(before or 0), connector or ""
    )


def _kept(tx: Tx, ids: Iterable[int]) -> dict[int, Kept]:
    wanted = sorted(set(ids))
    return kept_by_id(tx.all("states_among", ids=wanted)) if wanted else {}
