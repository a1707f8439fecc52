"""Looking through messages: the newest first, page by page.

Rule 1: an account's messages have one index, by id. No filter has one of its own, for each would cost every
acceptance: a page looks through so many messages, and for so long, at most, and tells how far it has come.
Rule 2: it looks in bites, between which others work.
Rule 3: a message is about as old as its id is low (see `Store._take_ids`): a search in time goes by that.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from hopwire.model import SmsContent, Status, ViberContent
from hopwire.rung import PartState
from hopwire.store import ID_BLOCK_MS
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.rows import content_of, plain
from hopwire.timeline import said_in

PAGE = 50
LOOKED_THROUGH = 100_000  # messages for a page,
PATIENCE_S = 0.1  # or what can be looked through in this time
BITE = 1_000  # messages at a time
EXPORTED = 500  # messages at a time
PAUSE_S = 0.001  # between bites of an export
NEWEST = 2**62  # above every id
EVER = 2**62  # after every moment
EVERYBODY = 0  # instead of an account
TAIL = 4  # digits that are known of a number that is forgotten


class Filter(NamedTuple):
    """What is looked for; what is empty is not asked."""

    account_id: int = EVERYBODY
    message_id: int = 0
    numbers: tuple[str, ...] = ()  # recipients: E.164 digits, or what stands for a forgotten number
    ending: str = ""  # digits that the recipient ends with; it is enough that this or `numbers` fits
    text: str = ""  # somewhere in what was sent, in small or large letters
    statuses: tuple[Status, ...] = ()
    channel: str = ""  # by which it was delivered, or is being sent
    sender: str = ""  # on either channel
    since: int = 0  # accepted, in milliseconds
    until: int = EVER  # accepted before


class Found(NamedTuple):
    """A message in a list."""

    id: int
    account_id: int
    accepted_at: int
    send_at: int
    recipient: str
    status: Status
    status_at: int
    channel: str  # by which it was delivered, or is being sent; "": by none
    connector: str
    sender: str  # there
    parts: int  # there
    sms: SmsContent | None  # None: none, or forgotten
    viber: ViberContent | None
    price: int  # what it has cost so far, in millionths
    reserved: int  # what it may cost beside that


class Page(NamedTuple):
    messages: list[Found]  # the newest first
    before: int  # the next page is of smaller ids; 0: there is none
    looked_back_to: int | None  # for a page that is not full, though there may be more


class Search:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(self, what: Filter, before: int = NEWEST, n: int = PAGE) -> Page:
        """The newest `n` with smaller ids, of those that a page looks through."""
        end = time.monotonic() + PATIENCE_S
        before = await self._engine.read(partial(_beginning, what, before))
        ids: list[int] = []
        looked, size = 0, n + 1
        while True:
            bite = await self._engine.read(partial(_bite, what, before, size))
            ids += bite.ids
            looked, before = looked + bite.looked, bite.oldest
            size = min(4 * size, BITE, LOOKED_THROUGH - looked)
            if bite.last or len(ids) > n or size <= 0 or time.monotonic() >= end:
                break
            await asyncio.sleep(0)
        found = await self._engine.read(partial(_found, ids[:n]))
        if len(ids) > n:
            return Page(found, ids[n - 1], None)
        return Page(found, 0, None) if bite.last else Page(found, bite.oldest, bite.accepted_at)

    async def export(self, what: Filter, most: int) -> AsyncIterator[list[Found]]:
        """All of them, `most` at most, some at a time."""
        before, left = NEWEST, most
        while before and left:
            page = await self.page(what, before, min(EXPORTED, left))
            before, left = page.before, left - len(page.messages)
            yield page.messages
            await asyncio.sleep(PAUSE_S)


class _Bite(NamedTuple):
    """Some messages that were looked at together."""

    ids: list[int]  # of those that fit, the newest first
    looked: int
    oldest: int  # of all that were looked at
    accepted_at: int  # that one
    last: bool  # nothing older can fit


_NOTHING = _Bite([], 0, 0, 0, last=True)


# ---- inside a transaction


def _beginning(what: Filter, before: int, tx: Tx) -> int:
    """An id above all that can fit, by the time in which they were accepted: bisected over all messages."""
    if what.until == EVER or what.message_id:
        return before
    low, high = 0, min(before, int(tx.all("newest_message")[0][0]) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        rows = tx.all("message_from", id=middle)
        if rows and rows[0][1] < what.until + ID_BLOCK_MS:
            low = middle
        else:
            high = middle
    return high


def _bite(what: Filter, before: int, n: int, tx: Tx) -> _Bite:
    ids = _among(tx, what, before, n)
    if not ids:
        return _NOTHING
    accepted_at = tx.all("message_from", id=ids[-1])[0][1]
    last = len(ids) < n or accepted_at < what.since - ID_BLOCK_MS
    return _Bite(_fitting(tx, what, ids), len(ids), ids[-1], accepted_at, last)


def _among(tx: Tx, what: Filter, before: int, n: int) -> list[int]:
    """The ids that are looked at."""
    if what.message_id:
        rows = tx.all("message_of", id=what.message_id, account_id=what.account_id, before=before)
    elif what.account_id == EVERYBODY:
        rows = tx.all("messages_before", before=before, n=n)
    else:
        rows = tx.all("messages_of_before", account_id=what.account_id, before=before, n=n)
    return [row[0] for row in rows]


def _fitting(tx: Tx, what: Filter, ids: list[int]) -> list[int]:
    if what._replace(account_id=0, message_id=0) == Filter():
        return ids
    forgotten = f"~%{what.ending}~%" if what.ending and len(what.ending) <= TAIL else ""
    rows = tx.all(
        "fitting",
        ids=ids,
        any_number=int(not what.numbers and not what.ending),
        numbers=list(what.numbers),
        ending=f"%{what.ending}" if what.ending else "",
        forgotten=forgotten,
        sender=plain(what.sender),
        since=what.since,
        until=what.until,
        any_status=int(not what.statuses),
        statuses=[int(one) for one in what.statuses],
        with_texts=int(bool(what.text)),
        with_state=int(bool(what.channel)),
    )
    if what.text:
        rows = _saying(rows, what.text.casefold())
    if what.channel:
        rows = [row for row in rows if _way(row[3]).channel == what.channel]
    return [row[0] for row in rows]


def _saying(rows: Sequence[Row], text: str) -> list[Row]:
    """Those with a text, which is in small letters. Most are passed over without reading their JSON."""
    raw = msgspec.json.encode(text).decode()[1:-1].casefold()
    return [
        row
        for row in rows
        if ((row[1] and raw in row[1].casefold()) or (row[2] and raw in row[2].casefold()))
        and any(text in part.casefold() for one in content_of(*row[1:3]) if one for part in said_in(one))
    ]


def _found(ids: Sequence[int], tx: Tx) -> list[Found]:
    if not ids:
        return []
    money = _money(tx.all("moved_among", ids=list(ids)))
    return [_message(row, money[row[0], row[1]]) for row in tx.all("messages_among", ids=list(ids))]


def _money(rows: Iterable[Row]) -> defaultdict[tuple[int, int], dict[str, int]]:
    """Message, account -> kind -> amount."""
    found: defaultdict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for message_id, account_id, kind, amount in rows:
        found[message_id, account_id][kind] = int(amount)
    return found


# ---- out of rows


class _Part(msgspec.Struct, array_like=True):
    state: PartState


class _Plan(msgspec.Struct, array_like=True):
    channel: str
    connector: str


class _Rung(msgspec.Struct, array_like=True):
    plan: _Plan
    parts: tuple[_Part, ...]


class _Delivery(msgspec.Struct, array_like=True):
    """Of a delivery what a list tells: a tenth of the work of reading it whole."""

    rungs: tuple[_Rung, ...]
    at: int
    status: Status


class _Way(NamedTuple):
    channel: str
    connector: str
    parts: int
    status: Status


_decode = msgspec.json.Decoder(_Delivery).decode


def _way(state: str) -> _Way:
    """By which step a message was delivered; else the one that it is at."""
    d = _decode(state)
    if not d.rungs:
        return _Way("", "", 0, d.status)
    delivered = (one for one in d.rungs if any(part.state >= PartState.DELIVERED for part in one.parts))
    rung = next(delivered, d.rungs[d.at])
    return _Way(rung.plan.channel, rung.plan.connector, len(rung.parts), d.status)


def _message(row: Row, money: dict[str, int]) -> Found:
    sms_sender, sms, viber_sender, viber, status_at, state = row[5:]
    way = _way(state)
    charged = money.get("charge", 0)
    price = charged - money.get("refund", 0)
    reserved = money.get("reserve", 0) - charged - money.get("release", 0)
    told = (way.status, status_at, way.channel, way.connector, _sender(way.channel, sms_sender, viber_sender))
    return Found._make((*row[:5], *told, way.parts, *content_of(sms, viber), price, reserved))


def _sender(channel: str, sms: str, viber: str) -> str:
    return (viber or sms) if channel == "viber" else (sms or viber)
