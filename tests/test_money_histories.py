"""Random histories of everything that moves money, with deaths in the middle, on both engines.

Operators pay in, correct, transfer and give back; messages of a customer, of a reseller and of its
sub-account are accepted, handed over, answered and reported on; and now and then the process dies: at some
statement of a transaction, before its commit, or after it when nobody was told. After every step the books
are in order, and in the end nothing is set aside any more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from conftest import NOW, SMS, VIBER, order
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hopwire import money
from hopwire.errors import NotEnoughMoney
from hopwire.events import Answered
from hopwire.model import (
    Account,
    Answer,
    Fault,
    Handover,
    Later,
    Never,
    Outcome,
    Receipt,
    Step,
    Taken,
    Unknown,
    ViberText,
)
from hopwire.store import Accepted, Store
from hopwire.store.directory import Directory
from hopwire.store.engine import Engine, Row, T, Tx
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import AnyEngine, open_engine, upgrade

A_DAY_MS = 86_400_000
TABLES = (
    "accounts",
    "deliveries",
    "messages",
    "handles",
    "receipts",
    "ledger",
    "events",
    "no_account",
    "audit",
)
WHO = ("customer", "reseller", "sub")
RESOLD = {"part_commission": 90, "part_cost": 100}
PLANS: tuple[tuple[Step, ...], ...] = (
    (VIBER, SMS),
    (replace(VIBER, part_price=0), replace(SMS, parts=3, part_cost=210)),
    (replace(SMS, parts=2, resend=True, charge_on="delivered", part_cost=7),),
    (replace(VIBER, part_cost=50),),
    (replace(SMS, part_price=0),),
)
ANSWERS: tuple[Answer, ...] = (
    *map(Taken, ("a", "b", "c", "")),
    Later(1.0, "later"),
    Never("no", Fault.RECIPIENT),
    Never("no", Fault.BLOCKED),
    Unknown("lost"),
)


class DiedError(Exception):
    """The process is gone."""


class MortalTx:
    """A transaction in which the process dies at one of its statements."""

    def __init__(self, tx: Tx, at: int) -> None:
        self._tx = tx
        self._left = at
        self.after, self.remembered = tx.after, tx.remembered

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise DiedError

    def all(self, name: str, /, **params: Any) -> list[Row]:
        self._step()
        return self._tx.all(name, **params)

    def ahead(self, name: str, /, **params: Any) -> list[Row]:
        self._step()
        return self._tx.ahead(name, **params)

    def run(self, name: str, /, **params: Any) -> int:
        self._step()
        return self._tx.run(name, **params)

    def many(self, name: str, rows: Any) -> None:
        self._step()
        self._tx.many(name, rows)

    def script(self, statements: Any) -> None:
        self._tx.script(statements)

    def wake(self, connectors: Iterable[str], now: int) -> None:
        self._tx.wake(connectors, now)

    def due_by(self, connector: str, now: int) -> int:
        return self._tx.due_by(connector, now)

    def settle(self, connector: str) -> None:
        self._tx.settle(connector)


class Mortal:
    """An engine whose process dies when it is told to: at a statement, or after the commit (-1)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.dies_at: int | None = None

    async def write(self, work: Callable[[Tx], T], *, at_leisure: bool = False, last: bool = False) -> T:
        at, self.dies_at = self.dies_at, None
        if at is None:
            return await self._engine.write(work)
        if at < 0:
            await self._engine.write(work)
            raise DiedError

        def fatal(tx: Tx) -> T:
            work(MortalTx(tx, at))
            raise DiedError  # all was said, nothing was committed

        return await self._engine.write(fatal)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._engine.read(work)

    def listen(self, on_wake: Callable[[Collection[str]], None]) -> Awaitable[None]:
        return self._engine.listen(on_wake)

    async def close(self) -> None:
        await self._engine.close()


class World:
    """A bank of three accounts, its messages, and what may happen to them."""

    def __init__(self, engine: AnyEngine) -> None:
        self._engine = Mortal(engine)
        self._now = NOW
        self._ids: list[int] = []
        self._handed: list[Handover] = []
        self._accounts: dict[str, Account] = {}
        self._begin()

    def _begin(self) -> None:
        """A process that knows nothing but the database."""
        self._store = Store(self._engine)
        self._ledger = Ledger(self._engine)
        self._directory = Directory(self._engine)

    async def open(self) -> None:
        parent = None
        for login in WHO:  # the last one is the sub-account of the one before it
            of = parent if login == "sub" else None
            parent = await self._directory.create_account(login, "", NOW, credit_limit=500, parent_id=of)
        self._accounts = {one.login: one for one in await self._directory.accounts()}
        for login in WHO:
            await self._ledger.top_up(self._accounts[login].id, 3000, "", NOW)

    # ---- what happens

    async def pay(self, who: str, amount: int) -> None:
        await self._ledger.top_up(self._accounts[who].id, amount, "", self._now)

    async def correct(self, who: str, amount: int) -> None:
        await self._ledger.adjust(self._accounts[who].id, amount, "", self._now)

    async def transfer(self, back: bool, amount: int) -> None:
        giver, taker = ("sub", "reseller") if back else ("reseller", "sub")
        await self._ledger.transfer(self._accounts[giver].id, self._accounts[taker].id, amount, "", self._now)

    async def give_back(self, n: int) -> None:
        for message_id in self._ids[-1 - n :][:1]:
            await self._ledger.refund(message_id, "", self._now)

    async def admit(self, who: str, plan: tuple[Step, ...], many: int) -> None:
        steps = tuple(replace(step, **RESOLD) if step.part_price > 90 else step for step in plan)
        asked = replace(order(self._accounts[who], *(steps if who == "sub" else plan)), accepted_at=self._now)
        answers = await self._store.admit([asked] * many)
        self._ids += [one.id for one in answers if isinstance(one, Accepted)]

    async def claim(self, connector: str, n: int) -> None:
        self._handed += await self._store.claim(connector, "w", n, 30_000, self._now)

    async def answer(self, n: int, answer: Answer) -> None:
        for one in self._handed[-1 - n :][:1]:
            await self._store.record([(one.message_id, Answered(one.step, one.part, answer))], self._now)

    async def report(self, n: int, provider_id: str, outcome: Outcome) -> None:
        for one in self._handed[-1 - n :][:1]:
            connector = "viber" if isinstance(one.content, ViberText) else "smsc"
            await self._store.keep_receipts([_told(connector, provider_id, outcome)], self._now)

    async def deliver(self, viber: tuple[Answer, Outcome], smsc: tuple[Answer, Outcome]) -> None:
        """All that is due goes, and all of a connector meets the same."""
        await self._deliver("viber", *viber)
        await self._deliver("smsc", *smsc)

    async def _deliver(self, connector: str, answer: Answer, outcome: Outcome) -> None:
        handed = await self._store.claim(connector, "w", 20, 30_000, self._now)
        self._handed += handed
        named = {one.message_id: f"p{one.key}" for one in handed}
        answers = [Taken(named[one.message_id]) if isinstance(answer, Taken) else answer for one in handed]
        changes = [Answered(one.step, one.part, said) for one, said in zip(handed, answers, strict=True)]
        await self._store.record(list(zip(named, changes, strict=True)), self._now)
        await self._store.keep_receipts([_told(connector, i, outcome) for i in named.values()], self._now)

    async def timers(self) -> None:
        await self._store.run_timers(10, self._now)

    async def delete(self, n: int) -> None:
        for who in self._accounts.values():
            await self._store.delete(who.id, self._ids[-1 - n :][:1], self._now)

    async def wait(self, seconds: int) -> None:
        self._now += 1000 * seconds

    async def happen(self, name: str, args: tuple[Any, ...], dies_at: int | None) -> None:
        """One step; if it is the process's last, another one takes over."""
        before = await self._books()
        self._engine.dies_at = dies_at
        try:
            await getattr(self, name)(*args)
        except NotEnoughMoney:
            assert await self._books() == before
        except DiedError:
            assert dies_at == -1 or await self._books() == before
            self._begin()
            await self._store.recover("w", self._now)
        self._engine.dies_at = None
        await self.check()

    # ---- what must hold

    async def _books(self) -> list[Any]:
        accounts = [(one.balance, one.reserved) for one in await self._directory.accounts()]
        return [accounts, await self._ledger.sums()]

    async def check(self) -> None:
        faults = await self._directory.fsck()
        assert not any(faults.values()), faults
        books = money.trial_balance((await self._ledger.sums())["UAH"])
        accounts = await self._directory.accounts()
        assert sum(books.values()) == 0
        assert books.get(money.RESERVED, 0) == sum(one.reserved for one in accounts)
        assert books[money.AVAILABLE] + books.get(money.RESERVED, 0) == sum(one.balance for one in accounts)
        assert all(one.spendable >= 0 for one in accounts)

    async def end(self) -> None:
        """Nobody answers any more, and time passes."""
        for _ in range(6):
            self._now += A_DAY_MS
            while await self._store.run_timers(100, self._now):
                pass
        await self.check()
        assert all(one.reserved == 0 for one in await self._directory.accounts())


def _told(connector: str, provider_id: str, outcome: Outcome) -> Receipt:
    return Receipt(
        connector=connector, provider_id=provider_id, recipient="", outcome=outcome, code="x", raw=""
    )


who, which = st.sampled_from(WHO), st.integers(0, 9)
amounts = st.sampled_from((1, 90, 500, 2999, 10_000))
connectors = st.sampled_from(("viber", "smsc"))
outcomes = st.sampled_from((Outcome.DELIVERED, Outcome.DELIVERED, *Outcome))
fates = st.tuples(st.sampled_from((*map(Taken, "abcd"), *ANSWERS)), outcomes)
admits = st.tuples(st.just("admit"), st.tuples(who, st.sampled_from(PLANS), st.integers(1, 4)))
signed = amounts | amounts.map(lambda amount: -amount)
steps = st.one_of(
    st.tuples(st.just("pay"), st.tuples(who, signed)),
    st.tuples(st.just("correct"), st.tuples(who, signed)),
    st.tuples(st.just("transfer"), st.tuples(st.booleans(), amounts)),
    *(st.tuples(st.just("give_back"), st.tuples(st.integers(0, 3))),) * 2,
    *(admits,) * 2,
    *(st.tuples(st.just("deliver"), st.tuples(fates, fates)),) * 3,
    st.tuples(st.just("claim"), st.tuples(connectors, st.integers(1, 8))),
    st.tuples(st.just("answer"), st.tuples(which, st.sampled_from(ANSWERS))),
    st.tuples(st.just("report"), st.tuples(which, st.sampled_from("abc"), outcomes)),
    st.tuples(st.just("timers"), st.just(())),
    st.tuples(st.just("delete"), st.tuples(which)),
    st.tuples(st.just("wait"), st.tuples(st.sampled_from((1, 31, 700, 3700)))),
)
deaths = st.none() | st.none() | st.none() | st.integers(-1, 12)
histories = given(
    first=st.lists(st.tuples(admits, st.none()), min_size=2, max_size=4),
    then=st.lists(st.tuples(steps, deaths), min_size=15, max_size=50),
)


async def live(url: str, history: list[tuple[tuple[str, tuple[Any, ...]], int | None]]) -> None:
    engine = open_engine(url)
    try:
        await upgrade(engine)
        await engine.write(empty)
        world = World(engine)
        await world.open()
        for (name, args), dies_at in history:
            await world.happen(name, args, dies_at)
        await world.end()
    finally:
        await engine.close()


def empty(tx: Tx) -> None:
    tx.script(f"DELETE FROM {table}" for table in TABLES)  # noqa: S608


@settings(max_examples=150)
@histories
def test_the_money_is_right_whatever_happens(tmp_path: Path, first: list[Any], then: list[Any]) -> None:
    asyncio.run(live(f"sqlite:{tmp_path}/hopwire.db", [*first, *then]))


@settings(max_examples=15)
@histories
def test_the_money_is_right_on_postgresql_whatever_happens(
    postgres_url: str, first: list[Any], then: list[Any]
) -> None:
    asyncio.run(live(postgres_url, [*first, *then]))
