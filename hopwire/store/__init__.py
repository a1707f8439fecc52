"""The store: verbs, each one transaction over many messages, written once for both engines.

Rule 1: what a verb did is on disk when it returns; a verb that raises has done nothing.
Rule 2: a message changes only in `_record`, whoever knocks: worker, receipt, timer, client.
Rule 3: rows are locked in one order, deliveries by id and then accounts by id.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from hopwire import delivery as life
from hopwire import metrics
from hopwire.delivery import Delivery, advance
from hopwire.errors import ApiError, NotEnoughMoney
from hopwire.model import (
    Account,
    Fault,
    Handover,
    Outcome,
    Receipt,
    SendRequest,
    SmsContent,
    Status,
    Taken,
    ViberContent,
)
from hopwire.store.engine import Engine, Row, Tx

ID_BLOCK = 1000
RECEIPTS_KEPT_MS = 72 * 3_600_000

_encode = msgspec.json.Encoder().encode
_decode_delivery = msgspec.json.Decoder(Delivery).decode
_decode_sms: msgspec.json.Decoder[SmsContent] = msgspec.json.Decoder(SmsContent)
_decode_viber: msgspec.json.Decoder[ViberContent] = msgspec.json.Decoder(ViberContent)


class Order(NamedTuple):
    """A request that has been planned and may be accepted, if the account can pay for it."""

    account: Account
    request: SendRequest
    delivery: Delivery
    accepted_at: int

    @property
    def price(self) -> int:
        return sum(rung.plan.price for rung in self.delivery.rungs)


class Kept(NamedTuple):
    """A delivery as it stands in its row."""

    id: int
    account_id: int
    recipient: str
    status_at: int
    worker: str
    delivery: Delivery


class KeptReceipt(NamedTuple):
    """A receipt that has not found its message."""

    id: int
    received_at: int
    connector: str
    provider_id: str
    recipient: str
    outcome: int
    code: str
    fault: str


class Standing(NamedTuple):
    """What `receive` tells of a message."""

    status: Status
    status_at: int


class Overview(NamedTuple):
    """What the phone page tells of a message."""

    id: int
    status: Status
    recipient: str
    provider_ids: list[str]


Change = tuple[int, life.Event]


class Store:
    """Messages and what becomes of them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._ids = iter(range(0))
        self._listener: asyncio.Task[None] | None = None

    def listen(self, on_due: Callable[[], None]) -> None:
        """Call back whenever there may be something to hand over, until `close`."""
        self._listener = asyncio.ensure_future(self.engine.listen(on_due))

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
        await self.engine.close()

    # ---- acceptance

    async def admit(self, orders: Sequence[Order]) -> list[int | ApiError]:
        """Take the money, keep the messages and make them due: each of them whole or not at all.

        Answers the new id, or `NotEnoughMoney`, for each order.
        """
        ids = await self._take_ids(len(orders))

        def work(tx: Tx) -> list[int | ApiError]:
            funded = _fund(tx, orders)
            taken = [(i, order) for i, order, paid in zip(ids, orders, funded, strict=True) if paid]
            tx.many("create_message", [_message_row(i, order) for i, order in taken])
            tx.many("create_delivery", [_delivery_row(i, order) for i, order in taken])
            tx.many("create_ledger_entry", [row for i, order in taken for row in _reservations(i, order)])
            if taken:
                tx.wake()
            return [i if paid else NotEnoughMoney() for i, paid in zip(ids, funded, strict=True)]

        return await self.engine.write(work)

    async def _take_ids(self, n: int) -> list[int]:
        """The next ids; those of an order that is refused, and of a block cut short, are never used."""
        taken = list(islice(self._ids, n))
        if len(taken) < n:
            block = max(ID_BLOCK, n)
            last: int = (await self.engine.write(lambda tx: tx.all("take_ids", n=block)))[0][0]
            self._ids = iter(range(last - block + 1, last + 1))
            taken += islice(self._ids, n - len(taken))
        return taken

    # ---- delivery

    async def claim(self, connector: str, worker: str, n: int, lease_ms: int, now: int) -> list[Handover]:
        """About `n` parts of messages that are due on the connector, kept as SENDING by this worker.

        A message is taken whole, so the last one may go over `n`.

        They must be answered for before the lease ends; after it they count as lost on the wire.
        """

        def work(tx: Tx) -> list[Handover]:
            rows = _about(n, tx.all("claim", connector=connector, now=now, n=n))
            kept = {i: one._replace(worker=worker) for i, one in _kept(rows).items()}
            actions = self._apply(tx, kept, [(i, life.Begin(lease_ms)) for i in kept], now)
            submits = {i: a for i, a in actions if isinstance(a, life.Submit)}
            return [
                h for row in rows if row[0] in submits for h in _handovers(row, kept[row[0]], submits[row[0]])
            ]

        return await self.engine.write(work)

    async def record(self, changes: Sequence[Change], now: int) -> list[None]:
        """Let these events happen to these messages; with them moves the money, and receipts that waited."""

        def work(tx: Tx) -> None:
            self._record(tx, changes, now)
            self._match_waiting(tx, changes, now)

        await self.engine.write(work)
        return [None] * len(changes)

    async def run_timers(self, n: int, now: int) -> int:
        """Let at most `n` timers run that are due; how many did."""

        def work(tx: Tx) -> int:
            kept = _kept(tx.all("due_timers", now=now, n=n))
            self._apply(tx, kept, [(i, life.Timer()) for i in kept], now)
            return len(kept)

        return await self.engine.write(work)

    async def recover(self, worker: str, now: int) -> int:
        """What this worker was handing over when it died is lost on the wire, nobody knows whether taken."""

        def work(tx: Tx) -> int:
            ids = [row[0] for row in tx.all("orphans", worker=worker)]
            self._record(tx, [(i, life.Orphaned()) for i in ids], now)
            return len(ids)

        return await self.engine.write(work)

    async def delete(self, account_id: int, ids: Sequence[int], now: int) -> dict[int, Standing]:
        """Delete what is still scheduled; how the account's messages among these stand after that."""

        def work(tx: Tx) -> dict[int, Standing]:
            own = list(_standings(tx, account_id, ids))
            self._record(tx, [(i, life.Delete()) for i in own], now)
            return _standings(tx, account_id, own)

        return await self.engine.write(work)

    # ---- receipts

    async def keep_receipts(self, receipts: Sequence[Receipt], now: int) -> list[None]:
        """Keep them as they came, and let those happen whose message is known."""

        def work(tx: Tx) -> None:
            found = _find(tx, [(r.connector, r.provider_id) for r in receipts])
            known = [(found.get((r.connector, r.provider_id)), r) for r in receipts]
            tx.many("create_receipt", [_receipt_row(r, place, now) for place, r in known])
            self._record(tx, [_reported(place, r) for place, r in known if place], now)

        await self.engine.write(work)
        return [None] * len(receipts)

    async def match_receipts(self, n: int, now: int) -> int:
        """Look again for the messages of receipts that found none; how many were found.

        A receipt whose submit was never answered is known by its number alone: it belongs to the oldest part
        in doubt on that connector, once no younger answer can claim it.
        """

        def work(tx: Tx) -> int:
            rows = tx.all("unmatched_receipts", since=now - RECEIPTS_KEPT_MS, n=n)
            receipts = [KeptReceipt(*row) for row in rows]
            matched = self._match(tx, receipts, now) if receipts else set()
            rest = [r for r in receipts if r.id not in matched and r.recipient]
            return len(matched) + (self._match_by_number(tx, rest, now) if rest else 0)

        return await self.engine.write(work)

    async def forget_receipts(self, now: int) -> int:
        """Drop the receipts that found no message in 72 hours; how many."""
        return await self.engine.write(
            lambda tx: tx.run("forget_unmatched_receipts", before=now - RECEIPTS_KEPT_MS)
        )

    # ---- questions

    async def statuses(self, account_id: int, ids: Sequence[int]) -> dict[int, Standing]:
        """How the account's messages among these stand; another account's are not found."""
        return await self.engine.read(lambda tx: _standings(tx, account_id, ids))

    async def spendable(self, account_id: int) -> int:
        """What the account can still spend, in millionths."""
        amount: int = (await self.engine.read(lambda tx: tx.all("spendable", id=account_id)))[0][0]
        return amount

    async def latest(self, n: int, after: int = 0) -> list[Overview]:
        """The newest messages of all accounts, newest first: for the demo's phone page."""
        rows = await self.engine.read(lambda tx: tx.all("latest_deliveries", n=n, after=after))
        return [
            Overview(i, Status(status), recipient, _provider_ids(_decode_delivery(state)))
            for i, recipient, status, state in rows
        ]

    async def backlog(self, now: int) -> tuple[int, int]:
        """How many messages are due, and for how many milliseconds the oldest has been."""
        count, oldest = (await self.engine.read(lambda tx: tx.all("unfinished", now=now)))[0]
        return count, now - oldest if oldest is not None else 0

    # ---- inside a transaction

    def _record(self, tx: Tx, changes: Sequence[Change], now: int) -> None:
        if ids := sorted({i for i, _ in changes}):
            kept = _kept(tx.all("load_deliveries", ids=ids))
            self._apply(tx, kept, [change for change in changes if change[0] in kept], now)

    def _apply(
        self, tx: Tx, kept: dict[int, Kept], changes: Iterable[Change], now: int
    ) -> list[tuple[int, life.Action]]:
        """Advance, keep what has changed, do the actions; `kept` then holds them as they are now."""
        before = dict(kept)
        actions: list[tuple[int, life.Action]] = []
        handles: list[Row] = []
        for i, event in changes:
            one = kept[i]
            d, todo = advance(one.delivery, event, now)
            status_at = one.status_at if d.status == one.delivery.status else now
            kept[i] = one._replace(delivery=d, status_at=status_at)
            actions += [(i, action) for action in todo]
            handles += _handle(i, d, event)
        changed = [one for i, one in sorted(kept.items()) if one.delivery != before[i].delivery]
        tx.many("save_delivery", [_save_row(one) for one in changed])
        tx.many("create_handle", handles)
        _move_money(tx, [(i, kept[i].account_id, action) for i, action in actions], now)
        metrics.DOUBLE_DELIVERIES.inc(sum(isinstance(action, life.DoubleDelivery) for _, action in actions))
        if any(one.delivery.due_at is not None for one in changed):
            tx.wake()
        return actions

    def _match_waiting(self, tx: Tx, changes: Sequence[Change], now: int) -> None:
        """Receipts that came before the answer which told their id."""
        told = [
            event.answer.provider_id
            for _, event in changes
            if isinstance(event, life.Answered)
            and isinstance(event.answer, Taken)
            and event.answer.provider_id
        ]
        rows = tx.all("unmatched_receipts_for", provider_ids=told) if told else []
        self._match(tx, [KeptReceipt(*row) for row in rows], now)

    def _match(self, tx: Tx, receipts: Sequence[KeptReceipt], now: int) -> set[int]:
        """Match by the provider's id; the ids of the receipts that were matched."""
        found = _find(tx, [(r.connector, r.provider_id) for r in receipts]) if receipts else {}
        pairs = [(place, r) for r in receipts if (place := found.get((r.connector, r.provider_id)))]
        tx.many("match_receipt", [(place.message_id, r.id) for place, r in pairs])
        self._record(tx, [_reported(place, r) for place, r in pairs], now)
        return {r.id for _, r in pairs}

    def _match_by_number(self, tx: Tx, receipts: Sequence[KeptReceipt], now: int) -> int:
        kept = _kept(tx.all("in_doubt_to", recipients=sorted({r.recipient for r in receipts})))
        matched = 0
        for receipt in receipts:
            place = _oldest_lost(kept.values(), receipt)
            if place is not None:
                learned = life.Answered(place.step, place.part, Taken(receipt.provider_id))
                self._apply(tx, kept, [(place.message_id, learned), _reported(place, receipt)], now)
                tx.many("match_receipt", [(place.message_id, receipt.id)])
                matched += 1
        return matched


class Place(NamedTuple):
    """A part of a step of a message."""

    message_id: int
    step: int
    part: int


# ---- rows


def _kept(rows: Iterable[Row]) -> dict[int, Kept]:
    return {row[0]: Kept._make((*row[:5], _decode_delivery(row[5]))) for row in rows}


def _text(content: SmsContent | ViberContent | None) -> str | None:
    return None if content is None else _encode(content).decode()


def _message_row(message_id: int, order: Order) -> Row:
    account, request, delivery, at = order
    send_at = delivery.due_at if delivery.due_at is not None else at
    return (
        message_id, account.id, at, send_at, request.recipient, int(account.transactional),
        request.sms_sender, _text(request.sms), request.viber_sender, _text(request.viber),
    )  # fmt: skip


def _delivery_row(message_id: int, order: Order) -> Row:
    d = order.delivery
    return (
        message_id, order.account.id, order.request.recipient, int(d.status), order.accepted_at,
        d.connector, d.due_at, d.timer_at, "", 0, _encode(d).decode(),
    )  # fmt: skip


def _save_row(one: Kept) -> Row:
    d = one.delivery
    return (
        int(d.status), one.status_at, d.connector, d.due_at, d.timer_at,
        one.worker, int(d.in_doubt), _encode(d).decode(), one.id,
    )  # fmt: skip


def _receipt_row(r: Receipt, place: Place | None, now: int) -> Row:
    return (
        now, r.connector, r.provider_id, r.recipient, int(r.outcome), r.code, str(r.fault),
        r.raw.replace("\0", ""), place.message_id if place else None,
    )  # fmt: skip


def _about(n: int, rows: Sequence[Row]) -> list[Row]:
    """The first rows, up to the one with which their messages reach `n` parts."""
    taken: list[Row] = []
    parts = 0
    for row in rows:
        if parts >= n:
            break
        d = _decode_delivery(row[5])
        parts += len(d.rungs[d.at].parts)
        taken.append(row)
    return taken


def _handovers(row: Row, kept: Kept, submit: life.Submit) -> list[Handover]:
    transactional, sms_sender, sms, viber_sender, viber = row[6:11]
    rung = kept.delivery.rungs[submit.step]
    viber_step = rung.plan.channel == "viber"
    content = _decode_viber.decode(viber) if viber_step else _decode_sms.decode(sms)
    return [
        Handover(
            message_id=kept.id,
            step=submit.step,
            part=part,
            parts=rung.plan.parts,
            recipient=kept.recipient,
            sender=viber_sender if viber_step else sms_sender,
            content=content,
            lifetime_s=rung.plan.lifetime_s,
            transactional=bool(transactional),
            repeated=rung.parts[part].repeated,
        )
        for part in submit.parts
    ]


def _handle(message_id: int, d: Delivery, event: life.Event) -> list[Row]:
    """The row by which receipts of a part that was taken will find it."""
    match event:
        case life.Answered(step, part, Taken(provider_id)) if provider_id:
            return [(provider_id, d.rungs[step].plan.connector, message_id, step, part)]
        case _:
            return []


def _reported(place: Place, r: Receipt | KeptReceipt) -> Change:
    return place.message_id, life.Reported(place.step, place.part, Outcome(r.outcome), r.code, Fault(r.fault))


def _provider_ids(d: Delivery) -> list[str]:
    return [part.provider_id for rung in d.rungs for part in rung.parts if part.provider_id]


# ---- looking up


def _find(tx: Tx, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Place]:
    """(connector, provider's id) -> where it belongs; of several the youngest message."""
    rows = tx.all(
        "find_handles", provider_ids=sorted({provider_id for _, provider_id in keys if provider_id})
    )
    return {(connector, provider_id): Place(*place) for provider_id, connector, *place in rows}


def _oldest_lost(kept: Iterable[Kept], receipt: KeptReceipt) -> Place | None:
    """The oldest part whose answer was lost, if no part still waiting for its answer could be meant."""
    parts = [
        (rung.handed_at or 0, one.id, i, j, part.state)
        for one in kept
        if one.recipient == receipt.recipient
        for i, rung in enumerate(one.delivery.rungs)
        if rung.plan.connector == receipt.connector and (rung.handed_at or 0) <= receipt.received_at
        for j, part in enumerate(rung.parts)
        if part.state in life.IN_DOUBT
    ]
    if not parts or any(state is life.PartState.SENDING for *_, state in parts):
        return None
    return Place(*min(parts)[1:4])


def _standings(tx: Tx, account_id: int, ids: Sequence[int]) -> dict[int, Standing]:
    rows = tx.all("statuses", account_id=account_id, ids=list(ids))
    return {i: Standing(Status(status), status_at) for i, status, status_at in rows}


# ---- money


def _fund(tx: Tx, orders: Sequence[Order]) -> list[bool]:
    """Reserve for each order that its account can pay, in their order; which ones it could."""
    left: dict[int, int] = dict(tx.all("lock_funds", ids=sorted({order.account.id for order in orders})))
    spent: dict[int, int] = defaultdict(int)
    funded = []
    for order in orders:
        account, price = order.account.id, order.price
        paid = account in left and left[account] - spent[account] >= price
        spent[account] += price if paid else 0
        funded.append(paid)
    tx.many("reserve_funds", [(amount, i) for i, amount in sorted(spent.items()) if amount])
    return funded


def _reservations(message_id: int, order: Order) -> list[Row]:
    return [
        (order.accepted_at, order.account.id, "reserve", rung.plan.price, message_id, step)
        for step, rung in enumerate(order.delivery.rungs)
        if rung.plan.price
    ]


def _move_money(tx: Tx, actions: Sequence[tuple[int, int, life.Action]], now: int) -> None:
    """Write the charges and releases into the ledger and the accounts."""
    entries: list[Row] = []
    moved: dict[int, tuple[int, int]] = {}
    for message_id, account, action in actions:
        if isinstance(action, life.Charge | life.Release):
            kind = "charge" if isinstance(action, life.Charge) else "release"
            entries.append((now, account, kind, action.amount, message_id, action.step))
            charged, settled = moved.get(account, (0, 0))
            moved[account] = charged + (action.amount if kind == "charge" else 0), settled + action.amount
    tx.many("create_ledger_entry", entries)
    tx.many("move_funds", [(charged, settled, i) for i, (charged, settled) in sorted(moved.items())])
