"""Which orders may be accepted, decided in the transaction that keeps them.

Rule 1: the accounts' rows are locked first, so that what is read after that is all that others have accepted.
Rule 2: an order that is refused counts nowhere; one that is a repeat is answered, and counts nowhere either.
Rule 3: an account without limits costs no query and no row.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hopwire import limits as rules
from hopwire import money
from hopwire.delivery import hold
from hopwire.errors import (
    ApiError,
    ClientIdReused,
    Duplicate,
    NotEnoughMoney,
    RecipientOptedOut,
    SpendLimitReached,
)
from hopwire.limits import DAY_MS, SEQUENCE_MS, Counter
from hopwire.model import Account, Status
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.inbox import EVERYONE
from hopwire.store.mailed import Mailed
from hopwire.store.notices import Notice
from hopwire.store.rows import Accepted, Order, event_row
from hopwire.timeline import Note, What

ANSWERED_MS = DAY_MS  # for how long a client's key stands for its message
HELD_MS = DAY_MS
PAGE = 1000
SEQUENCE = "sequence"

Answer = Accepted | ApiError


class Decided:
    """What becomes of orders: an answer for each, those to keep, and what is to be told."""

    def __init__(self, mailed: Mailed, watch: "_Watch | None") -> None:
        self.answers: list[Answer] = []
        self.taken: list[tuple[int, Order]] = []
        self.notices: list[Notice] = []
        self._mailed = mailed
        self._watch = watch
        self._spent: dict[int, int] = defaultdict(int)

    def spent(self, account: int) -> int:
        return self._spent[account]

    def take(self, i: int, order: Order) -> None:
        self._spent[order.account.id] += order.price
        self.taken.append((i, self._watch.take(i, order) if self._watch else order))

    def answer(self, order: Order, answer: Answer) -> None:
        self.answers.append(answer)
        if order.row and isinstance(answer, Accepted):
            self._mailed.take(order, answer)

    def keep(self, tx: Tx) -> None:
        """Reserve and count what was taken; what is kept of the messages is the caller's."""
        reserved = [(amount, i) for i, amount in sorted(self._spent.items()) if amount]
        tx.many("reserve_funds", reserved)
        self._mailed.keep(tx)
        if self._watch:
            self._watch.keep(tx)


def decide(tx: Tx, ids: Sequence[int], orders: Sequence[Order]) -> Decided:
    """Which of these may be accepted, in their order; nothing is written yet."""
    numbers = {order.request.recipient for order in orders}
    listed = tx.ahead("stopped_among", numbers=list(numbers))
    left: dict[int, int] = dict(tx.all("lock_funds", ids=sorted({order.account.id for order in orders})))
    stopped = set(listed)
    watch, mailed = _watch(tx, orders), Mailed(tx, orders)
    made = Decided(mailed, watch)
    for i, order in zip(ids, orders, strict=True):
        account, number = order.account.id, order.request.recipient
        answer = mailed.answer(order) or (watch.answer(order) if watch else None)
        if answer is not None:
            pass
        elif stopped and not stopped.isdisjoint(((account, number), (EVERYONE, number))):
            answer = RecipientOptedOut()
        elif account not in left or left[account] - made.spent(account) < order.price:
            answer = NotEnoughMoney()
        else:
            made.take(i, order)
            answer = Accepted(i, order.parts)
        made.answer(order, answer)
    made.notices.extend(_low(orders, left, made))
    if watch:
        made.notices.extend(watch.notices)
    return made


def _low(orders: Iterable[Order], left: dict[int, int], made: Decided) -> Iterable[Notice]:
    """Of the accounts that can spend less than they wanted to hear of."""
    asked = {one.account.id: one for one in orders if one.account.low_balance is not None}
    for i, one in asked.items():
        if i in left and left[i] - made.spent(i) < (one.account.low_balance or 0):
            yield _notice(one, "low_balance", "day", money.text(left[i] - made.spent(i)))


def _notice(order: Order, kind: str, period: str, detail: str) -> Notice:
    at, account = order.accepted_at, order.account
    return Notice(at, account.id, kind, rules.named(period, at, account.time_zone), detail)


# ---- accounts with limits, and requests with keys


class _Facts(NamedTuple):
    """What must be known of an order."""

    counters: list[Counter]
    spending: list[Counter]
    digest: str  # of the contents; "": nobody asks
    fingerprint: str  # of the request; "": it has no key

    @classmethod
    def of(cls, order: Order) -> "_Facts":
        account, request, now = order.account, order.request, order.accepted_at
        return cls(
            rules.counters(account, request.recipient, order.key_id, now),
            rules.spending(account, now),
            rules.digest(account.limits, request, now),
            rules.fingerprint(request) if order.client_key else "",
        )


def _watch(tx: Tx, orders: Sequence[Order]) -> "_Watch | None":
    watched = [one for one in orders if one.client_key or rules.counted(one.account.limits)]
    return _Watch(tx, watched) if watched else None


class _Watch:
    """What was accepted of these accounts before, and what is accepted now."""

    def __init__(self, tx: Tx, orders: Sequence[Order]) -> None:
        self.notices: list[Notice] = []
        self._facts = {id(order): _Facts.of(order) for order in orders}
        self._accounts = sorted({order.account.id for order in orders})
        self._now = min(order.accepted_at for order in orders)
        self._used = self._read_usage(tx)
        self._answered = self._read_answers(tx, orders)
        self._recent = self._read_recent(tx, orders)
        self._blocks = self._read_blocks(tx, orders)
        self._counted: dict[tuple[int, str, int], int] = defaultdict(int)
        self._new_answers: dict[tuple[int, str], Row] = {}
        self._new_recent: dict[tuple[int, str, str], Row] = {}
        self._held: list[tuple[Row, Row]] = []

    # ---- reading

    def _read_usage(self, tx: Tx) -> dict[tuple[int, str, int], int]:
        """(account, what is counted, when that is over) -> how many, how much."""
        scopes = {one.scope for facts in self._facts.values() for one in (*facts.counters, *facts.spending)}
        used: dict[tuple[int, str, int], int] = defaultdict(int)
        if scopes:
            rows = tx.all("usage_of", accounts=self._accounts, scopes=sorted(scopes), now=self._now)
            used.update((row[:3], row[3]) for row in rows)
        return used

    def _read_answers(self, tx: Tx, orders: Iterable[Order]) -> dict[tuple[int, str], tuple[str, Accepted]]:
        """(account, client's key) -> fingerprint, and what was answered."""
        keys = sorted({order.client_key for order in orders if order.client_key})
        return _answers(tx, self._accounts, keys, self._now) if keys else {}

    def _read_recent(self, tx: Tx, orders: Iterable[Order]) -> dict[tuple[int, str, str], tuple[int, int]]:
        """(account, number, digest) -> when, and the message."""
        numbers = {order.request.recipient for order in orders if order.account.limits.duplicates}
        if not numbers:
            return {}
        since = self._now - DAY_MS
        rows = tx.all("recent_to", accounts=self._accounts, numbers=sorted(numbers), since=since)
        return {row[:3]: row[3:] for row in rows}

    def _read_blocks(self, tx: Tx, orders: Iterable[Order]) -> dict[tuple[int, str], set[str]]:
        """(account, block) -> the numbers of it that were sent to in the last minutes."""
        blocks = {rules.block(one.request.recipient) for one in orders if one.account.limits.sequence}
        found: dict[tuple[int, str], set[str]] = defaultdict(set)
        if blocks:
            since = self._now - SEQUENCE_MS
            rows = tx.all("recent_in", accounts=self._accounts, blocks=sorted(blocks), since=since)
            for account, block, number in rows:
                found[account, block].add(number)
        return found

    # ---- deciding

    def answer(self, order: Order) -> Answer | None:
        """What is answered without accepting it: it is a repeat, or a limit is reached. None: neither."""
        facts = self._facts.get(id(order))
        if facts is None:
            return None
        return self._repeat(order, facts) or self._again(order, facts) or self._exceeded(order, facts)

    def _repeat(self, order: Order, facts: _Facts) -> Answer | None:
        if not order.client_key:
            return None
        return _same(self._answered.get((order.account.id, order.client_key)), facts.fingerprint)

    def _again(self, order: Order, facts: _Facts) -> Answer | None:
        """The same contents to the same number."""
        limits, where = order.account.limits, (order.account.id, order.request.recipient, facts.digest)
        found = self._recent.get(where) if limits.duplicates else None
        if found is None or found[0] <= order.accepted_at - 1000 * limits.duplicate_s:
            return None
        if limits.duplicates == "refuse":
            return Duplicate()
        earlier = Accepted(found[1], order.parts)
        self._remember_answer(order, facts, earlier)
        return earlier

    def _exceeded(self, order: Order, facts: _Facts) -> ApiError | None:
        account = order.account.id
        for one in facts.counters:
            if self._used[account, one.scope, one.ends_at] >= one.most:
                return rules.refusal(one.name)()
        for one in facts.spending:
            if self._used[account, one.scope, one.ends_at] + order.price > one.most:
                self._tell_of_spending(order, one, 100)
                return SpendLimitReached()
        return None

    def _tell_of_spending(self, order: Order, counter: Counter, percent: int) -> None:
        period = counter.name.removeprefix("spend/")
        kind = f"spend_{period}_{percent}"
        self.notices.append(_notice(order, kind, period, f"of {money.text(counter.most)}"))

    # ---- accepting

    def take(self, i: int, order: Order) -> Order:
        """Count it and remember it; as it is to be kept, for it may have to wait for the operator."""
        facts = self._facts.get(id(order))
        if facts is None:
            return order
        for one in facts.counters:
            self._count(order.account, one, 1)
        for one in facts.spending:
            before, after = self._count(order.account, one, order.price)
            for percent in rules.alerts(before, after, one.most):
                self._tell_of_spending(order, one, percent)
        self._remember_answer(order, facts, Accepted(i, order.parts))
        return self._remember_number(i, order, facts)

    def _count(self, account: Account, one: Counter, more: int) -> tuple[int, int]:
        where = account.id, one.scope, one.ends_at
        before = self._used[where]
        self._used[where] += more
        self._counted[where] += more
        return before, before + more

    def _remember_answer(self, order: Order, facts: _Facts, answer: Accepted) -> None:
        if order.client_key:
            where = order.account.id, order.client_key
            self._answered[where] = facts.fingerprint, answer
            self._new_answers[where] = (*where, facts.fingerprint, *answer, order.accepted_at)

    def _remember_number(self, i: int, order: Order, facts: _Facts) -> Order:
        limits, account, number = order.account.limits, order.account.id, order.request.recipient
        if not (limits.duplicates or limits.sequence):
            return order
        where, block = (account, number, facts.digest), rules.block(number)
        self._recent[where] = order.accepted_at, i
        self._new_recent[where] = (*where, block, order.accepted_at, i)
        numbers = self._blocks.setdefault((account, block), set())
        numbers.add(number)
        return self._hold(i, order) if limits.sequence and len(numbers) >= limits.sequence else order

    def _hold(self, i: int, order: Order) -> Order:
        now, delivery = order.accepted_at, hold(order.delivery, order.accepted_at + HELD_MS)
        if not delivery.held_until:
            return order
        note = event_row(i, now, Note(0, 0, What.HELD, Status.PENDING, "", SEQUENCE))
        self._held.append(((i, order.account.id, now, SEQUENCE), note))
        self.notices.append(_notice(order, "held", "day", SEQUENCE))
        return replace(order, delivery=delivery)

    # ---- writing

    def keep(self, tx: Tx) -> None:
        tx.many("count_usage", [(*where, n) for where, n in sorted(self._counted.items())])
        tx.many("keep_answer", list(self._new_answers.values()))
        tx.many("keep_recent", list(self._new_recent.values()))
        tx.many("create_hold", [row for row, _ in self._held])
        tx.many("create_event", [note for _, note in self._held])


# ---- a client's keys


def answered(tx: Tx, account_id: int, key: str, fingerprint: str, now: int) -> Answer | None:
    """What was answered to the client's key, or that it stands for another request; None: it is new."""
    return _same(_answers(tx, [account_id], [key], now).get((account_id, key)), fingerprint)


def _answers(
    tx: Tx, accounts: list[int], keys: list[str], now: int
) -> dict[tuple[int, str], tuple[str, Accepted]]:
    rows = tx.all("answered_among", accounts=accounts, keys=keys, since=now - ANSWERED_MS)
    return {(account, key): (print_, Accepted(i, parts)) for account, key, print_, i, parts, _ in rows}


def _same(found: tuple[str, Accepted] | None, fingerprint: str) -> Answer | None:
    if found is None:
        return None
    return found[1] if found[0] == fingerprint else ClientIdReused()


# ---- time


async def forget(engine: Engine, now: int) -> None:
    """Drop what was counted in periods that are over, and what is a day old: it cannot be repeated any more.

    A page at a time, so that acceptance goes on meanwhile.
    """

    def work(tx: Tx) -> bool:
        usage = tx.all("old_usage", now=now, n=PAGE)
        tx.many("drop_usage", usage)
        recent = tx.all("old_recent", before=now - DAY_MS, n=PAGE)
        tx.many("drop_recent", recent)
        answers = tx.all("old_answers", before=now - ANSWERED_MS, n=PAGE)
        tx.many("drop_answer", answers)
        return PAGE in (len(usage), len(recent), len(answers))

    while await engine.write(work):  # noqa: ASYNC110 - the store's writes are what is awaited
        await asyncio.sleep(0)  # SQLite's verbs do not wait
