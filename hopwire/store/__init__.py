"""The store: verbs, each one transaction over many messages, written once for both engines.

Rule 1: what a verb did is on disk when it returns; a verb that raises has done nothing.
Rule 2: a message changes only in a `Turn`, see there; what is forgotten of it afterwards is in forgetting.py.
Rule 3: rows are waited for in one order: deliveries by id, remembered numbers, accounts by id.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Mapping, Sequence
from functools import partial
from itertools import compress, islice

from msgspec.structs import replace

from hopwire import events, metrics
from hopwire.errors import ApiError
from hopwire.model import Actor, Handover, Receipt, Status
from hopwire.store import audit, limits, memory, notices, requests
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.forgetting import discreet
from hopwire.store.notices import Notice
from hopwire.store.receipts import RECEIPTS_KEPT_MS, Change, Found, attribute, before_answer, find, note
from hopwire.store.rows import (
    Accepted,
    Kept,
    KeptReceipt,
    Order,
    Overview,
    Standing,
    UnmatchedReceipt,
    arrived,
    begun,
    kept_by_id,
    kept_receipt,
    message_row,
    ordered,
    overview,
    receipt_row,
    reported,
    reservation_rows,
    story,
    taken_ids,
    unmatched_receipt,
)
from hopwire.store.turn import Around, Outlet, Turn, load
from hopwire.timeline import Story

__all__ = [
    "RECEIPTS_KEPT_MS",
    "Accepted",
    "Change",
    "Order",
    "Overview",
    "Standing",
    "Store",
    "UnmatchedReceipt",
]

ID_BLOCK = 1000
ID_BLOCK_MS = 12 * 3_600_000  # less than the day for which at least everything is kept


class Store:
    """Messages and what becomes of them."""

    GROUP = 0  # for `Batch`: another process keeps what is asked for in groups of so many; 0: this one does

    def __init__(self, engine: Engine, remember_ms: int = memory.KEPT_MS) -> None:
        """`remember_ms`: for how long a number without Viber is not looked for there; 0: it always is."""
        self.engine = engine
        self._around = Around(remember_ms)
        self._ids = iter(range(0))
        self._ids_until = 0  # when what is left of the block is too old
        self._taking_block = asyncio.Lock()
        self._looked_at = (0, 0)  # the receipt (received_at, id) up to which `match_receipts` has looked
        self._moved: dict[str, tuple[int, int]] = {}  # connector -> (due_at, id) that `reroute` has seen
        self._asked: dict[str, int] = {}  # connector -> the message up to which `outstanding` has told
        self._listener: asyncio.Task[None] | None = None

    def listen(self, on_due: Callable[[Collection[str]], None]) -> None:
        """Call back whenever there may be something to hand over, until `close`.

        It is told on which connectors; with none, it may be on any.
        """
        self._listener = asyncio.ensure_future(self.engine.listen(on_due))

    def leave_by(self, outlet: Outlet) -> None:
        """Let what is due leave at once where the outlet has room, with the commit that has made it due."""
        self._around = self._around._replace(outlet=outlet)

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
        await self.engine.close()

    # ---- acceptance

    def admit(self, orders: Sequence[Order]) -> Awaitable[list[Accepted | ApiError]]:
        """Take the money, keep the messages and make them due: each of them whole or not at all.

        Answers, for each order, what the client is told of the message, or why it was not accepted: by the
        stop list, for want of money, or by a limit of the account. A request that is repeated under the key
        that its client has given to it is answered as it was.
        """
        return self._admit(orders)

    async def _admit(self, orders: Sequence[Order]) -> list[Accepted | ApiError]:
        now = max((order.accepted_at for order in orders), default=0)
        ids = await self._take_ids(len(orders), now)

        def work(tx: Tx) -> tuple[list[Accepted | ApiError], list[Notice]]:
            made = limits.decide(tx, ids, orders)
            made.keep(tx)
            taken = made.taken
            tx.many("create_message", [message_row(*one) for one in taken])
            tx.many("create_ledger_entry", [row for one in taken for row in reservation_rows(*one)])
            turn = self._turn(tx, {i: begun(i, order) for i, order in taken}, now)
            turn.leave({i: ordered(order) for i, order in taken})
            turn.create()
            return made.answers, notices.give(tx, made.notices)

        answers, given = await self.engine.write(work)
        notices.tell(given)
        return answers

    async def foresee(self, orders: Sequence[Order]) -> list[Accepted | ApiError]:
        """What `admit` would answer now, the ids left out; nothing is kept."""
        ids = [0] * len(orders)
        return await self.engine.read(lambda tx: limits.decide(tx, ids, orders).answers)

    async def answered(
        self, account_id: int, client_key: str, fingerprint: str, now: int
    ) -> Accepted | ApiError | None:
        """What was answered to a client's key, or that it stands for another request; None: it is new."""
        return await self.engine.read(
            lambda tx: limits.answered(tx, account_id, client_key, fingerprint, now)
        )

    async def _take_ids(self, n: int, now: int) -> list[int]:
        """The next ids; those of an order that is refused, and of a block cut short, are never used.

        A block is dropped when it is old, so that messages are about as old as their ids are low: retention
        goes by that.
        """
        taken = self._from_block(n, now)
        if len(taken) == n:
            return taken
        async with self._taking_block:
            taken += self._from_block(n - len(taken), now)  # of one that was taken meanwhile
            if len(taken) < n:
                block = max(ID_BLOCK, n)
                last: int = (await self.engine.write(lambda tx: tx.all("take_ids", n=block)))[0][0]
                self._ids, self._ids_until = iter(range(last - block + 1, last + 1)), now + ID_BLOCK_MS
                taken += islice(self._ids, n - len(taken))
        return taken

    def _from_block(self, n: int, now: int) -> list[int]:
        return list(islice(self._ids, n)) if now < self._ids_until else []

    # ---- delivery

    async def claim(
        self,
        connector: str,
        worker: str,
        n: int,
        lease_ms: int,
        now: int,
        take: Callable[[Sequence[Handover]], None] = lambda handovers: None,
    ) -> list[Handover]:
        """At most `n` parts that are due on the connector, one of a message, kept as SENDING by this worker.

        They must be answered for before the lease ends; after it they count as lost on the wire. `take` gets
        them, too, as soon as they are on disk, before SQLite begins with anything else.
        """

        def work(tx: Tx) -> list[Handover]:
            at = tx.due_by(connector, now)
            due = kept_by_id(tx.all("claim", connector=connector, worker=worker, now=at, n=n))
            if len(due) < n:
                tx.settle(connector)
            turn = self._turn(tx, due, at)
            turn.begin(due, worker, lease_ms)
            turn.keep()
            handovers = turn.handovers({})
            tx.after.append(partial(take, handovers))
            return handovers

        return await self.engine.write(work, last=True)

    async def record(self, changes: Sequence[Change], now: int) -> list[None]:
        """Let these events happen to these messages; with them moves the money, and receipts that waited."""

        def work(tx: Tx) -> None:
            kept = load(tx, (i for i, _ in changes))
            happened = [change for change in changes if change[0] in kept]
            self._happen(tx, kept, [*happened, *before_answer(tx, kept, happened)], now)

        await self.engine.write(work, at_leisure=True)
        return [None] * len(changes)

    async def run_timers(self, n: int, now: int) -> int:
        """Let at most `n` timers run that are due; how many did."""

        def work(tx: Tx) -> int:
            kept = kept_by_id(tx.all("due_timers", now=now, n=n))
            self._happen(tx, kept, [(i, events.Timer()) for i in kept], now)
            return len(kept)

        return await self.engine.write(work)

    async def reroute(
        self, connector: str, to: Container[str], why: str, n: int, now: int
    ) -> tuple[int, int]:
        """Let what is due on the connector go by one of these where it may: how many it looked at, and moved.

        It looks at `n` at most; each call goes on after the last one, and behind the last it begins anew.
        """
        at, last = self._moved.get(connector, (0, 0))

        def work(tx: Tx) -> tuple[list[Kept], int]:
            found = kept_by_id(tx.all("waiting_for", connector=connector, now=now, at=at, last=last, n=n))
            kept = {i: replace(one, worker="") for i, one in found.items()}  # nothing of these has left
            changes = [(i, events.Rerouted(one.delivery.at, connector, to, why)) for i, one in kept.items()]
            turn = self._happen(tx, kept, changes, now)
            moved = sum(one.delivery.connector != connector for one in turn.kept.values())
            return list(found.values()), moved

        found, moved = await self.engine.write(work)
        end = found[-1] if len(found) == n else None
        self._moved[connector] = (end.delivery.due_at or 0, end.id) if end else (0, 0)
        return len(found), moved

    async def recover(self, worker: str, now: int) -> int:
        """What this worker was handing over when it died is lost on the wire, nobody knows whether taken."""

        def work(tx: Tx) -> int:
            kept = load(tx, (row[0] for row in tx.all("orphans", worker=worker)))
            self._happen(tx, kept, [(i, events.Orphaned()) for i in kept], now)
            return len(kept)

        return await self.engine.write(work)

    async def delete(self, account_id: int, ids: Sequence[int], now: int) -> dict[int, Standing]:
        """Delete what is still scheduled; how the account's messages among these stand after that."""

        def work(tx: Tx) -> dict[int, Standing]:
            kept = load(tx, (i for owner, i in _standings(tx, ids) if owner == account_id))
            turn = self._happen(tx, kept, [(i, events.Delete()) for i in kept], now)
            return {i: Standing(one.delivery.status, one.status_at) for i, one in turn.kept.items()}

        return await self.engine.write(work)

    async def decide_held(self, ids: Sequence[int], release: bool, by: Actor, now: int) -> list[int]:
        """Let these messages go that are held, or delete them; which of them were held."""
        event = events.Freed() if release else events.Delete()

        def work(tx: Tx) -> list[int]:
            kept = {i: one for i, one in load(tx, ids).items() if one.delivery.held_until}
            self._happen(tx, kept, [(i, event) for i in kept], now)
            for account_id in sorted({one.account_id for one in kept.values()}):
                theirs = [i for i, one in kept.items() if one.account_id == account_id]
                action = "release held" if release else "refuse held"
                audit.note(tx, by, action, f"account {account_id}", {}, {"messages": theirs})
            return sorted(kept)

        return await self.engine.write(work)

    # ---- receipts

    async def keep_receipts(self, receipts: Sequence[Receipt], now: int) -> list[str | None]:
        """Keep them as they came, and let those happen whose message is known.

        Answers, for each, the provider's id under which its message was found.
        """
        came = [arrived(r, now) for r in receipts]

        def work(tx: Tx) -> list[Found | None]:
            found = find(tx, came)
            ids = [one.place.message_id if one else None for one in found]
            kept = load(tx, (i for i in ids if i is not None))
            told = zip(came, (r.raw for r in receipts), ids, strict=True)
            kept_as = discreet(tx, kept, list(told))
            tx.many("create_receipt", [receipt_row(*one) for one in kept_as])
            changes = [reported(one.place, r) for one, (r, *_) in zip(found, kept_as, strict=True) if one]
            self._happen(tx, kept, changes, now)
            return found

        found = await self.engine.write(work, at_leisure=True)
        for (connector, outcome), n in Counter((one.connector, one.outcome) for one in receipts).items():
            metrics.RECEIPTS.labels(connector, outcome.name.lower()).inc(n)
        return [one.provider_id if one else None for one in found]

    async def match_receipts(self, n: int, now: int) -> int:
        """Look again for the messages of the next `n` receipts that found none; how many were found.

        After the last one it begins anew. A receipt whose submit was never answered is known by its number
        alone: it belongs to the oldest part in doubt on that connector, once no younger answer can claim it.
        """

        def work(tx: Tx) -> tuple[list[KeptReceipt], int]:
            at, last = max(self._looked_at, (now - RECEIPTS_KEPT_MS, 0))
            waiting = [kept_receipt(row) for row in tx.all("unmatched_receipts", at=at, id=last, n=n)]
            return waiting, self._match(tx, waiting, now) if waiting else 0

        waiting, matched = await self.engine.write(work)
        self._looked_at = (waiting[-1].received_at, waiting[-1].id) if len(waiting) == n else (0, 0)
        return matched

    async def forget_receipts(self, now: int) -> int:
        """Drop the receipts that found no message in 72 hours; how many."""
        return await self.engine.write(
            lambda tx: tx.run("forget_unmatched_receipts", before=now - RECEIPTS_KEPT_MS)
        )

    async def unmatched(
        self, n: int, connector: str = "", before: tuple[int, int] = (2**62, 0)
    ) -> list[UnmatchedReceipt]:
        """The newest receipts that have found no message, newest first; of one connector, or all.

        `before`: older than this one (received_at, id).
        """
        at, i = before
        rows = await self.engine.read(
            lambda tx: tx.all("list_unmatched_receipts", connector=connector, n=n, at=at, id=i)
        )
        return [unmatched_receipt(row) for row in rows]

    async def outstanding(self, connector: str, n: int) -> list[str]:
        """The provider's ids of at most `n` parts that the connector has taken and that wait for receipts.

        Each call goes on after the last one, and behind the newest message it begins anew.
        """

        def page(after: int) -> Callable[[Tx], list[Row]]:
            return lambda tx: tx.all("outstanding", connector=connector, after=after, n=n)

        after = self._asked.get(connector, 0)
        rows = await self.engine.read(page(after)) or (await self.engine.read(page(0)) if after else [])
        ids: list[str] = []
        for message_id, state in rows:
            more = taken_ids(state, connector)
            if ids and len(ids) + len(more) > n:
                break
            ids += more
            self._asked[connector] = message_id
        return ids

    async def keep_requests(self, rows: Sequence[requests.Asked]) -> None:
        """Keep what was asked for."""
        await self.engine.write(lambda tx: requests.keep(tx, rows))

    # ---- questions

    async def standings(self, asked: Sequence[tuple[int, int]]) -> list[Standing | None]:
        """How each stands that is asked for by its account and id; None: the account has no such message."""
        known = await self.engine.read(lambda tx: _standings(tx, {i for _, i in asked}))
        return [known.get(one) for one in asked]

    async def statuses(self, account_id: int, ids: Sequence[int]) -> dict[int, Standing]:
        """How the account's messages among these stand; another account's are not found."""
        found = await self.standings([(account_id, i) for i in ids])
        return {i: one for i, one in zip(ids, found, strict=True) if one}

    async def spendable(self, account_id: int) -> int:
        """What the account can still spend, in millionths."""
        amount: int = (await self.engine.read(lambda tx: tx.all("spendable", id=account_id)))[0][0]
        return amount

    async def latest(self, n: int, after: int = 0) -> list[Overview]:
        """The newest messages of all accounts, newest first: for the demo's phone page."""
        rows = await self.engine.read(lambda tx: tx.all("latest_deliveries", n=n, after=after))
        return [overview(row) for row in rows]

    async def story(self, message_id: int) -> Story | None:
        """Everything that is kept of a message of any account: for the operator."""

        def work(tx: Tx) -> Story | None:
            found = tx.all("story", id=message_id)
            happened = tx.all("events_of", id=message_id)
            payments = tx.all("payments_of", id=message_id)
            receipts = tx.all("receipts_of", id=message_id)
            return story(found[0], happened, payments, receipts) if found else None

        return await self.engine.read(work)

    async def backlog(self, now: int) -> tuple[int, int]:
        """How many messages are due, and for how many milliseconds the oldest has been."""
        count, oldest = (await self.engine.read(lambda tx: tx.all("unfinished", now=now)))[0]
        return count, now - oldest if oldest is not None else 0

    async def due_on(self, connector: str, n: int, now: int) -> int:
        """How many messages are due on the connector, counted up to `n`."""
        told = {"connector": connector, "n": n, "now": now}
        found: int = (await self.engine.read(lambda tx: tx.all("due_on", **told)))[0][0]
        return found

    async def installation(self) -> str:
        """By which name other gateways know this database."""
        name: str = (await self.engine.read(lambda tx: tx.all("installation")))[0][0]
        return name

    async def probe(self) -> None:
        """Raises Unavailable when nothing could be kept now: locked, full, gone."""
        await self.engine.write(lambda tx: tx.run("probe"))

    # ---- inside a transaction

    def _turn(self, tx: Tx, kept: Mapping[int, Kept], now: int) -> Turn:
        if not self._around.installation:
            self._around = self._around._replace(installation=tx.all("installation")[0][0])
        return Turn(tx, kept, now, self._around)

    def _happen(self, tx: Tx, kept: Mapping[int, Kept], changes: Iterable[Change], now: int) -> Turn:
        """Let these events happen, let leave what is due by them, and keep it."""
        turn = self._turn(tx, kept, now)
        turn.happen(changes)
        turn.leave({})
        turn.keep()
        return turn

    def _match(self, tx: Tx, waiting: Sequence[KeptReceipt], now: int) -> int:
        found = find(tx, waiting)
        lost = {r.recipient for r, one in zip(waiting, found, strict=True) if r.recipient and one is None}
        in_doubt = {row[0] for row in tx.all("in_doubt_to", recipients=sorted(lost))} if lost else set()
        kept = load(tx, {one.place.message_id for one in found if one} | in_doubt)
        if lost:  # now that no answer to these can be recorded: one may have been, since they were looked for
            found = find(tx, waiting)
            looked = [one is None or one.place.message_id in kept for one in found]
            waiting, found = list(compress(waiting, looked)), list(compress(found, looked))
        learned, pairs = attribute(waiting, found, [kept[i] for i in in_doubt])
        self._happen(tx, kept, [*learned, *note(tx, pairs)], now)
        return len(pairs)


# ---- reading


def _standings(tx: Tx, ids: Iterable[int]) -> dict[tuple[int, int], Standing]:
    """How these messages stand, by their accounts and ids."""
    rows = tx.all("statuses", ids=list(ids))
    return {(account_id, i): Standing(Status(status), at) for i, account_id, status, at in rows}
