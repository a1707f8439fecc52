"""What happens to messages in one transaction: they advance, are kept, and move money.

Rule 1: a message changes only here, whoever knocks: worker, receipt, timer, client; and here it is counted.
Rule 2: what is due leaves in the same transaction, where this process has the worker and there is room: it is
kept as SENDING with what has made it due, and given away when that is on disk.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hopwire import events, metrics
from hopwire.delivery import Delivery, advance
from hopwire.model import Handover, Taken
from hopwire.store import memory, tallies
from hopwire.store.engine import Row, Tx
from hopwire.store.inbox import EVERYONE
from hopwire.store.receipts import Change
from hopwire.store.rows import (
    Content,
    Kept,
    content,
    delivery_row,
    event_row,
    handover,
    kept_by_id,
    movement_row,
    plain_id,
    save_row,
)
from hopwire.store.tallies import Counts
from hopwire.tallies import of_acceptance, of_change, of_money
from hopwire.timeline import What, notes

REMEMBERED = 10_000  # deliveries that have not ended, of which it is remembered how they were kept last
MoneyAction = events.Charge | events.Release | events.Commission | events.Cost
MONEY = (events.Charge, events.Release, events.Commission, events.Cost)


class Outlet(NamedTuple):
    """The worker of this process, as it takes what is due at once."""

    worker: str
    lease_ms: int  # from the hand-over; after it a part that nobody has answered for counts as lost
    room: Callable[[str], int]  # connector -> how many parts it would take now, before all that wait
    take: Callable[[str, Sequence[Handover]], None]  # parts that are kept as SENDING, of a connector


class Leaving:
    """Parts that a transaction has begun: given to the outlet when it is on disk."""

    def __init__(self, outlet: Outlet) -> None:
        self.parts: dict[str, list[Handover]] = defaultdict(list)  # by connector
        self._outlet = outlet

    def __call__(self) -> None:
        for connector, parts in self.parts.items():
            self._outlet.take(connector, parts)


class Around(NamedTuple):
    """What a turn must know of where it happens."""

    remember_ms: int = 0  # for how long a number that has no account is not looked for there
    outlet: Outlet | None = None
    installation: str = ""  # by which name other gateways know this database


class Turn:
    """One transaction over deliveries: `kept` has them as they are now, `keep` writes that down."""

    def __init__(self, tx: Tx, kept: Mapping[int, Kept], now: int, around: Around) -> None:
        self.kept = dict(kept)
        self.submits: list[tuple[int, events.Submit]] = []
        self._tx, self._now, self._around = tx, now, around
        self._before = kept
        self._handles: list[Row] = []
        self._events: list[Row] = []
        self._lessons: dict[str, bool] = {}
        self._moves: list[tuple[int, MoneyAction]] = []
        self._counts: Counts = Counter()
        self._doubles = 0

    # ---- what happens

    def happen(self, changes: Iterable[Change]) -> None:
        """Let these events happen, in their order."""
        for i, event in changes:
            one = self.kept[i]
            d, actions = advance(one.delivery, event, self._now)
            self._handles += _handle(one, event)
            self._note(one, event, d, actions)
            status_at = one.status_at if d.status == one.delivery.status else self._now
            self.kept[i] = Kept(i, one.account_id, one.recipient, status_at, one.worker, d)
            for action in actions:
                self._do(i, action)

    def _do(self, i: int, action: events.Action) -> None:
        if isinstance(action, events.Submit):
            self.submits.append((i, action))
        elif isinstance(action, events.DoubleDelivery):
            self._doubles += 1
        else:
            self._moves.append((i, action))

    def _note(self, one: Kept, event: events.Event, d: Delivery, actions: Sequence[events.Action]) -> None:
        noted = notes(one.delivery, event, d, actions)
        for told in noted:
            self._events.append(event_row(one.id, self._now, told))
            if told.what is What.REROUTED:
                metrics.REROUTED.labels(told.detail).inc()
        if counted := of_change(one.delivery, d, noted):
            tallies.add(self._counts, one.account_id, self._now, counted)
        if (absent := memory.lesson(one, event)) is not None:
            self._lessons[one.recipient] = absent

    def begin(self, ids: Iterable[int], worker: str, lease_ms: int, new: Container[int] = ()) -> None:
        """Hand the next part of each over to the worker, but where nobody wants it: `submits` tells which.

        Of those that are new the stop list has just been asked.
        """
        here = {i: replace(self.kept[i], worker=worker) for i in ids}
        self.kept |= here
        happens: dict[int, events.Event] = dict.fromkeys(here, events.Begin(lease_ms))
        happens |= memory.spared(self._tx, here, self._now) if self._around.remember_ms else {}
        happens |= _stopped(self._tx, {i: one for i, one in here.items() if i not in new})
        self.happen(happens.items())

    # ---- what leaves at once

    def leave(self, contents: Mapping[int, Content]) -> None:
        """Begin what is due and finds room at the outlet; `contents` are those of messages that are new."""
        outlet = self._around.outlet
        if outlet is None:
            return
        due = self._due(outlet)
        while due:  # what is passed over on one step may leave by the next; there are no more than two
            left = len(self.submits)
            self.begin(due, outlet.worker, outlet.lease_ms, contents)
            due = self._due(outlet) if len(self.submits) < left + len(due) else []
        if self.submits:
            leaving = Leaving(outlet)
            for part in self.handovers(contents):
                leaving.parts[self.kept[part.message_id].delivery.connector].append(part)
            self._tx.after.append(leaving)

    def _due(self, outlet: Outlet) -> list[int]:
        """What is due and finds room."""
        room: dict[str, int] = {}
        due = []
        for i, one in self.kept.items():
            if not self._is_due(one) or one.worker not in ("", outlet.worker):
                continue
            connector = one.delivery.connector
            left = room.get(connector)
            if left is None:
                left = outlet.room(connector) - self._promised(connector)
            if left > 0:
                due.append(i)
            room[connector] = left - 1
        return due

    def _is_due(self, one: Kept) -> bool:
        at = one.delivery.due_at
        return at is not None and at <= self._now

    def _promised(self, connector: str) -> int:
        """What others that share the commit, and this one, have begun."""
        leaving = (len(one.parts[connector]) for one in self._tx.after if isinstance(one, Leaving))
        mine = sum(self.kept[i].delivery.connector == connector for i, _ in self.submits)
        return sum(leaving) + mine

    def handovers(self, contents: Mapping[int, Content]) -> list[Handover]:
        """What is to be submitted."""
        unknown = [i for i, _ in self.submits if i not in contents]
        loaded = self._tx.all("load_messages", ids=unknown) if unknown else []
        known = {**contents, **{row[0]: content(row) for row in loaded}} if loaded else contents
        installation = self._around.installation
        return [handover(self.kept[i], known[i], submit, installation) for i, submit in self.submits]

    # ---- keeping

    def create(self) -> None:
        """Keep them, which are new."""
        for one in self._before.values():
            tallies.add(self._counts, one.account_id, self._now, of_acceptance(one.delivery.status))
        self._tx.many("create_delivery", [delivery_row(one) for one in self.kept.values()])
        self._keep(list(self.kept.values()))

    def keep(self) -> None:
        """Keep what has changed."""
        before = self._before
        changed = [one for i, one in sorted(self.kept.items()) if _differs(one, before[i])]
        held = [(one.id,) for one in changed if before[one.id].delivery.held_until]
        self._tx.many("drop_hold", held)
        self._tx.many("save_delivery", [save_row(one) for one in changed])
        self._keep(changed)

    def _keep(self, changed: Sequence[Kept]) -> None:
        tx = self._tx
        tx.many("create_handle", self._handles)
        tx.many("create_event", self._events)
        if self._lessons and self._around.remember_ms:
            memory.learn(tx, self._lessons, self._now + self._around.remember_ms)
        _move_money(tx, [(self.kept[i], action) for i, action in self._moves], self._now, self._counts)
        tallies.write(tx, self._counts)
        metrics.DOUBLE_DELIVERIES.inc(self._doubles)
        _remember(tx, changed)
        if due := {one.delivery.connector for one in changed if self._is_due(one)}:
            tx.wake(due, self._now)


def _differs(one: Kept, before: Kept) -> bool:
    return one.delivery is not before.delivery and one.delivery != before.delivery


# ---- reading


def load(tx: Tx, ids: Iterable[int]) -> dict[int, Kept]:
    """The deliveries of these messages, by id: as they were kept here, or else as they stand in the rows."""
    wanted = sorted(set(ids))
    known = tx.remembered or {}
    unknown = [i for i in wanted if i not in known]
    found = kept_by_id(tx.all("load_deliveries", ids=unknown)) if unknown else {}
    if len(found) == len(wanted):
        return found
    return {i: one for i in wanted if (one := known.get(i) or found.get(i)) is not None}


def _remember(tx: Tx, changed: Iterable[Kept]) -> None:
    """Nobody else writes to them, so they need not be read again; what has ended is seldom asked for."""
    if (known := tx.remembered) is None:
        return
    for one in changed:
        if one.delivery.ended:
            known.pop(one.id, None)
        else:
            known[one.id] = one
    while len(known) > REMEMBERED:
        del known[next(iter(known))]


def _handle(one: Kept, event: events.Event) -> list[Row]:
    """The row by which receipts of a part that was taken will find it, unless it has that row."""
    match event:
        case events.Answered(step, part, Taken(provider_id), connector) if provider_id:
            rung = one.delivery.rungs[step]
            by = connector or rung.plan.connector
            known = rung.parts[part].provider_id == provider_id and by == rung.plan.connector
            return [] if known else [(plain_id(provider_id), by, one.id, step, part)]
        case _:
            return []


def _stopped(tx: Tx, kept: Mapping[int, Kept]) -> dict[int, events.Event]:
    """What happens to messages whose recipients want no more of their accounts."""
    if not kept:
        return {}
    stopped = set(tx.all("stopped_among", numbers=sorted({one.recipient for one in kept.values()})))
    return {
        i: events.Stopped(one.delivery.at)
        for i, one in kept.items()
        if stopped and not stopped.isdisjoint(((one.account_id, one.recipient), (EVERYONE, one.recipient)))
    }


# ---- money


def _move_money(tx: Tx, actions: Sequence[tuple[Kept, MoneyAction]], now: int, counts: Counts) -> None:
    """Write the charges, releases, commissions and costs into the ledger and the accounts, and count them."""
    resold = sorted({one.account_id for one, action in actions if isinstance(action, events.Commission)})
    resellers: dict[int, int] = dict(tx.all("resellers", ids=resold)) if resold else {}
    entries: list[Row] = []
    moved: dict[int, list[int]] = defaultdict(lambda: [0, 0])  # account -> less balance, less reserved
    for one, action in actions:
        account = one.account_id
        match action:
            case events.Charge(_, amount):
                moved[account][0] += amount
                moved[account][1] += amount
            case events.Release(_, amount):
                moved[account][1] += amount
            case events.Commission(_, amount):
                account = resellers[account]
                moved[account][0] -= amount
        entries.append(movement_row(now, one, account, action))
        if not isinstance(action, events.Release):
            plan, kind = one.delivery.rungs[action.step].plan, type(action).__name__.lower()
            tallies.add(counts, account, now, of_money(kind, action.amount, plan.channel, plan.connector))
    tx.many("create_movement", entries)
    tx.many("move_funds", [(*less, i) for i, less in sorted(moved.items())])
