"""The store: verbs, each one transaction over many messages, written once for both engines.

Rule 1: what a verb did is on disk when it returns; a verb that raises has done nothing.
Rule 2: a message changes only in `_apply`, whoever knocks: worker, receipt, timer, client.
Rule 3: rows are waited for in one order, deliveries by id and then accounts by id.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from hopwire import delivery as life
from hopwire import metrics
from hopwire.delivery import advance
from hopwire.errors import ApiError, NotEnoughMoney
from hopwire.model import Handover, Receipt, Status, Taken
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.rows import (
    Kept,
    KeptReceipt,
    Order,
    Overview,
    Place,
    Standing,
    delivery_row,
    handovers,
    kept_by_id,
    ledger_row,
    message_row,
    overview,
    plain_id,
    receipt_row,
    reported,
    reservation_rows,
    save_row,
)

__all__ = ["Change", "Order", "Overview", "Standing", "Store"]

ID_BLOCK = 1000
RECEIPTS_KEPT_MS = 72 * 3_600_000

Change = tuple[int, life.Event]


class Store:
    """Messages and what becomes of them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._ids = iter(range(0))
        self._looked_at = (0, 0)  # the receipt (received_at, id) up to which `match_receipts` has looked
        self._listener: asyncio.Task[None] | None = None

    def listen(self, on_due: Callable[[], None]) -> None:
        """Call back whenever there may be something to hand over, until `close`."""
        self._listener = asyncio.ensure_future(self.engine.listen(on_due))

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
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
            tx.many("create_message", [message_row(*one) for one in taken])
            tx.many("create_delivery", [delivery_row(*one) for one in taken])
            tx.many("create_ledger_entry", [row for one in taken for row in reservation_rows(*one)])
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
            due = _about(n, kept_by_id(tx.all("claim", connector=connector, now=now, n=n)))
            kept = {i: one._replace(worker=worker) for i, one in due.items()}
            actions = self._apply(tx, kept, [(i, life.Begin(lease_ms)) for i in kept], now)
            submits = [(i, action) for i, action in actions if isinstance(action, life.Submit)]
            contents = {row[0]: row for row in tx.all("load_messages", ids=[i for i, _ in submits])}
            return [h for i, submit in submits for h in handovers(kept[i], contents[i], submit)]

        return await self.engine.write(work)

    async def record(self, changes: Sequence[Change], now: int) -> list[None]:
        """Let these events happen to these messages; with them moves the money, and receipts that waited."""

        def work(tx: Tx) -> None:
            kept = _load(tx, (i for i, _ in changes))
            happened = [change for change in changes if change[0] in kept]
            waited = _report(tx, _waiting(tx, _told(kept, happened)))
            self._apply(tx, kept, [*happened, *waited], now)

        await self.engine.write(work)
        return [None] * len(changes)

    async def run_timers(self, n: int, now: int) -> int:
        """Let at most `n` timers run that are due; how many did."""

        def work(tx: Tx) -> int:
            kept = kept_by_id(tx.all("due_timers", now=now, n=n))
            self._apply(tx, kept, [(i, life.Timer()) for i in kept], now)
            return len(kept)

        return await self.engine.write(work)

    async def recover(self, worker: str, now: int) -> int:
        """What this worker was handing over when it died is lost on the wire, nobody knows whether taken."""

        def work(tx: Tx) -> int:
            kept = _load(tx, (row[0] for row in tx.all("orphans", worker=worker)))
            self._apply(tx, kept, [(i, life.Orphaned()) for i in kept], now)
            return len(kept)

        return await self.engine.write(work)

    async def delete(self, account_id: int, ids: Sequence[int], now: int) -> dict[int, Standing]:
        """Delete what is still scheduled; how the account's messages among these stand after that."""

        def work(tx: Tx) -> dict[int, Standing]:
            kept = _load(tx, _standings(tx, account_id, ids))
            self._apply(tx, kept, [(i, life.Delete()) for i in kept], now)
            return {i: Standing(one.delivery.status, one.status_at) for i, one in kept.items()}

        return await self.engine.write(work)

    # ---- receipts

    async def keep_receipts(self, receipts: Sequence[Receipt], now: int) -> list[None]:
        """Keep them as they came, and let those happen whose message is known."""

        def work(tx: Tx) -> None:
            found = _find(tx, receipts)
            places = [found.get(_key(r)) for r in receipts]
            both = list(zip(receipts, places, strict=True))
            tx.many("create_receipt", [receipt_row(r, place, now) for r, place in both])
            kept = _load(tx, (place.message_id for place in found.values()))
            self._apply(tx, kept, [reported(place, r) for r, place in both if place], now)

        await self.engine.write(work)
        for receipt in receipts:
            metrics.RECEIPTS.labels(receipt.connector, receipt.outcome.name.lower()).inc()
        return [None] * len(receipts)

    async def match_receipts(self, n: int, now: int) -> int:
        """Look again for the messages of the next `n` receipts that found none; how many were found.

        After the last one it begins anew. A receipt whose submit was never answered is known by its number
        alone: it belongs to the oldest part in doubt on that connector, once no younger answer can claim it.
        """

        def work(tx: Tx) -> tuple[list[KeptReceipt], int]:
            at, last = max(self._looked_at, (now - RECEIPTS_KEPT_MS, 0))
            waiting = [KeptReceipt(*row) for row in tx.all("unmatched_receipts", at=at, id=last, n=n)]
            return waiting, self._match(tx, waiting, now) if waiting else 0

        waiting, matched = await self.engine.write(work)
        self._looked_at = (waiting[-1].received_at, waiting[-1].id) if len(waiting) == n else (0, 0)
        return matched

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
        return [overview(row) for row in rows]

    async def backlog(self, now: int) -> tuple[int, int]:
        """How many messages are due, and for how many milliseconds the oldest has been."""
        count, oldest = (await self.engine.read(lambda tx: tx.all("unfinished", now=now)))[0]
        return count, now - oldest if oldest is not None else 0

    async def probe(self) -> None:
        """Raises Unavailable when nothing could be kept now: locked, full, gone."""
        await self.engine.write(lambda tx: tx.run("probe"))

    # ---- inside a transaction

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
            handles += _handle(one, event)
            status_at = one.status_at if d.status == one.delivery.status else now
            kept[i] = one._replace(delivery=d, status_at=status_at)
            actions += [(i, action) for action in todo]
        changed = [one for i, one in sorted(kept.items()) if one.delivery != before[i].delivery]
        tx.many("save_delivery", [save_row(one) for one in changed])
        tx.many("create_handle", handles)
        _move_money(tx, [(i, kept[i].account_id, action) for i, action in actions], now)
        metrics.DOUBLE_DELIVERIES.inc(sum(isinstance(action, life.DoubleDelivery) for _, action in actions))
        if any(one.delivery.due_at is not None for one in changed):
            tx.wake()
        return actions

    def _match(self, tx: Tx, receipts: Sequence[KeptReceipt], now: int) -> int:
        found = _find(tx, receipts)
        lost = [r.recipient for r in receipts if r.recipient and _key(r) not in found]
        in_doubt = {row[0] for row in tx.all("in_doubt_to", recipients=sorted(set(lost)))} if lost else set()
        kept = _load(tx, {place.message_id for place in found.values()} | in_doubt)
        learned, pairs = _attribute(receipts, found, [kept[i] for i in in_doubt])
        self._apply(tx, kept, [*learned, *_report(tx, pairs)], now)
        return len(pairs)


# ---- which message is meant


def _about(n: int, kept: dict[int, Kept]) -> dict[int, Kept]:
    """The first messages, up to the one with which they reach `n` parts."""
    taken: dict[int, Kept] = {}
    parts = 0
    for i, one in kept.items():
        if parts >= n:
            break
        parts += len(one.delivery.rungs[one.delivery.at].parts)
        taken[i] = one
    return taken


def _load(tx: Tx, ids: Iterable[int]) -> dict[int, Kept]:
    wanted = sorted(set(ids))
    return kept_by_id(tx.all("load_deliveries", ids=wanted)) if wanted else {}


def _handle(one: Kept, event: life.Event) -> list[Row]:
    """The row by which receipts of a part that was taken will find it, unless it has that row."""
    match event:
        case life.Answered(step, part, Taken(provider_id)) if provider_id:
            rung = one.delivery.rungs[step]
            known = rung.parts[part].provider_id == provider_id
            return [] if known else [(plain_id(provider_id), rung.plan.connector, one.id, step, part)]
        case _:
            return []


Key = tuple[str, str]  # connector, provider's id


def _key(r: Receipt | KeptReceipt) -> Key:
    return r.connector, plain_id(r.provider_id)


def _find(tx: Tx, receipts: Sequence[Receipt | KeptReceipt]) -> dict[Key, Place]:
    """Where receipts belong, by the provider's id; of several the youngest message."""
    wanted = {_key(r) for r in receipts if r.provider_id}
    rows = tx.all("find_handles", provider_ids=sorted({provider_id for _, provider_id in wanted}))
    places = {(connector, provider_id): Place(*place) for provider_id, connector, *place in rows}
    return {key: place for key, place in places.items() if key in wanted}


def _told(kept: dict[int, Kept], changes: Iterable[Change]) -> dict[Key, Place]:
    """The places of the provider's ids that these answers tell."""
    return {
        (kept[i].delivery.rungs[event.step].plan.connector, plain_id(event.answer.provider_id)): Place(
            i, event.step, event.part
        )
        for i, event in changes
        if isinstance(event, life.Answered) and isinstance(event.answer, Taken) and event.answer.provider_id
    }


def _waiting(tx: Tx, told: dict[Key, Place]) -> list[tuple[KeptReceipt, Place]]:
    """Receipts that came before the answer which told their id."""
    ids = sorted({provider_id for _, provider_id in told})
    rows = tx.all("unmatched_receipts_for", provider_ids=ids) if ids else []
    receipts = [KeptReceipt(*row) for row in rows]
    return [(r, told[_key(r)]) for r in receipts if _key(r) in told]


def _report(tx: Tx, pairs: Sequence[tuple[KeptReceipt, Place]]) -> list[Change]:
    """Note that these receipts have found their messages; what they change."""
    tx.many("match_receipt", [(place.message_id, r.id) for r, place in pairs])
    return [reported(place, r) for r, place in pairs]


def _attribute(
    receipts: Sequence[KeptReceipt], found: dict[Key, Place], in_doubt: Sequence[Kept]
) -> tuple[list[Change], list[tuple[KeptReceipt, Place]]]:
    """What is learned of parts in doubt, and which receipt belongs where; a part answers to one id."""
    known = dict(found)
    meant = set(found.values())
    learned: list[Change] = []
    pairs: list[tuple[KeptReceipt, Place]] = []
    for r in receipts:
        place = known.get(_key(r))
        if place is None and (place := _oldest_lost(in_doubt, r, meant)) is not None:
            meant.add(place)
            learned.append((place.message_id, life.Answered(place.step, place.part, Taken(r.provider_id))))
            if r.provider_id:
                known[_key(r)] = place
        if place is not None:
            pairs.append((r, place))
    return learned, pairs


def _oldest_lost(in_doubt: Sequence[Kept], receipt: KeptReceipt, meant: set[Place]) -> Place | None:
    """The oldest part whose answer was lost, if no part still waiting for its answer could be meant."""
    parts = [
        (rung.handed_at or 0, place, part.state)
        for one in in_doubt
        if one.recipient == receipt.recipient
        for i, rung in enumerate(one.delivery.rungs)
        if rung.plan.connector == receipt.connector and (rung.handed_at or 0) <= receipt.received_at
        for j, part in enumerate(rung.parts)
        if part.nameless and (place := Place(one.id, i, j)) not in meant
    ]
    if not parts or any(state is life.PartState.SENDING for *_, state in parts):
        return None
    return min(parts)[1]


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


def _move_money(tx: Tx, actions: Sequence[tuple[int, int, life.Action]], now: int) -> None:
    """Write the charges and releases into the ledger and the accounts."""
    entries: list[Row] = []
    moved: dict[int, tuple[int, int]] = {}
    for message_id, account, action in actions:
        if isinstance(action, life.Charge | life.Release):
            entries.append(ledger_row(now, message_id, account, action))
            charged, settled = moved.get(account, (0, 0))
            cost = action.amount if isinstance(action, life.Charge) else 0
            moved[account] = charged + cost, settled + action.amount
    tx.many("create_ledger_entry", entries)
    tx.many("move_funds", [(charged, settled, i) for i, (charged, settled) in sorted(moved.items())])
