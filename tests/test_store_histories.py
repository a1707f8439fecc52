"""Random histories of a store keep its books in order, on both engines.

Everything may come late, twice or never: answers, receipts, timers, workers. The books are checked after
every event; in the end time passes, and then every message has ended and no money is held back.
"""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from conftest import NOW, SMS, VIBER, open_account, order
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hopwire.delivery import plan_delivery
from hopwire.events import Answered
from hopwire.model import (
    Account,
    Answer,
    Fault,
    Handover,
    Later,
    Limits,
    Never,
    Other,
    Outcome,
    Receipt,
    Status,
    Step,
    Taken,
    Unknown,
)
from hopwire.rung import PartState
from hopwire.store import RECEIPTS_KEPT_MS, Accepted, Store
from hopwire.store.audit import US
from hopwire.store.directory import Directory
from hopwire.store.engine import Tx
from hopwire.store.holds import Holds
from hopwire.store.migrate import open_store
from hopwire.store.rows import kept_by_id
from hopwire.timeline import Story, What, lines

LEASE_MS = 30_000
A_DAY_MS = 86_400_000
TABLES = (
    "accounts", "deliveries", "messages", "handles", "receipts", "ledger", "events", "no_account", "recent",
    "holds", "notices",
)  # fmt: skip

SECOND = Other(connector="second", part_cost=7)
PLANS: tuple[tuple[Step, ...], ...] = (
    (VIBER, SMS),
    (SMS,),
    (replace(SMS, parts=3),),
    (replace(SMS, parts=2, resend=True, charge_on="delivered"),),
    (replace(VIBER, redirect_blocked=False), replace(SMS, resend=True)),
    (replace(SMS, others=(SECOND,)),),
    (VIBER, replace(SMS, parts=2, resend=True, others=(replace(SECOND, resend=True),))),
    (),
)
IDS = ("a", "b", "c")  # few, so that they are used again
ANSWERS: tuple[Answer, ...] = (
    *map(Taken, IDS),
    Taken(""),
    Later(1.0, "later"),
    Later(1.0, "slow down", throttled=True),
    Never("no", Fault.RECIPIENT),
    Never("no", Fault.BLOCKED),
    Never("no", Fault.CONFIGURATION),
    Never("no", Fault.NO_ACCOUNT),
    Unknown("lost"),
)

plans = st.sampled_from(PLANS)
numbers = st.sampled_from(("380501112233", "380501112234", "380671112233"))
connectors = st.sampled_from(("viber", "smsc", "second"))
workers = st.sampled_from(("w1", "w2"))
which = st.integers(0, 9)
receipts = st.builds(
    Receipt,
    connector=connectors,
    provider_id=st.sampled_from((*IDS, "")),
    recipient=numbers | st.just(""),
    outcome=st.sampled_from(Outcome),
    code=st.just("x"),
    fault=st.sampled_from(Fault),
    raw=st.just(""),
    also=st.sampled_from(((), ("a",), ("c", "b"))),
)
admits = st.tuples(st.just("admit"), plans, numbers, st.sampled_from((0, 0, 60)), st.sampled_from((0, 0, 2)))
claims = st.tuples(st.just("claim"), connectors, st.integers(1, 8), workers)
answers = st.tuples(
    st.just("answer"), st.lists(st.tuples(which, st.sampled_from(ANSWERS)), min_size=1, max_size=5)
)
reports = st.tuples(st.just("report"), st.lists(receipts, min_size=1, max_size=3))
confirmations = st.tuples(st.just("confirm"), which, st.sampled_from(Outcome))
events = st.one_of(
    admits,
    *(claims, answers) * 3,  # these are what most of a life is made of
    reports,
    *(confirmations,) * 3,
    st.tuples(st.just("match"), st.integers(1, 5)),
    st.tuples(st.just("timers"), st.integers(1, 5)),
    st.tuples(st.just("recover"), workers),
    st.tuples(st.just("reroute"), st.sampled_from(("smsc", "second")), st.integers(1, 3)),
    st.tuples(st.just("delete"), which),
    st.tuples(st.just("decide"), which, st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from((1, 31, 600, 3700))),
)


class World:
    """A store with one account, and what its clients, workers and upstreams may do to it."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._directory = Directory(store.engine)
        self._account = account
        self.now = NOW
        self._ids: list[int] = []
        self._handed: list[tuple[str, Handover]] = []  # with the connector
        self._taken: list[Receipt] = []  # what an upstream that took something may say of it
        self._statuses: dict[int, Status] = {}

    # ---- what may happen

    async def admit(self, plan: tuple[Step, ...], to: str, later_s: int, sequence: int) -> None:
        """Of a suspicious sequence, the message is held."""
        due_at = self.now + 1000 * later_s
        asked = order(replace(self._account, limits=Limits(sequence=sequence)), to=to, send_at=due_at)
        asked = replace(asked, delivery=plan_delivery(plan, due_at), accepted_at=self.now)
        answers = await self._store.admit([asked])
        self._ids += [answer.id for answer in answers if isinstance(answer, Accepted)]

    async def claim(self, connector: str, n: int, worker: str) -> None:
        handed = await self._store.claim(connector, worker, n, LEASE_MS, self.now)
        self._handed += [(connector, one) for one in handed]

    async def answer(self, answers: list[tuple[int, Answer]]) -> None:
        recent = self._handed[-10:]
        asked = [(*recent[n % len(recent)], answer) for n, answer in answers if recent]
        changes = [(h.message_id, Answered(h.step, h.part, a, by)) for by, h, a in asked]
        await self._store.record(changes, self.now)
        self._taken += [_progress(by, h, a.provider_id) for by, h, a in asked if isinstance(a, Taken)]

    async def confirm(self, n: int, outcome: Outcome) -> None:
        await self.report([replace(taken, outcome=outcome) for taken in self._taken[-1 - n :][:1]])

    async def report(self, receipts: list[Receipt]) -> None:
        await self._store.keep_receipts(receipts, self.now)

    async def match(self, n: int) -> None:
        await self._store.match_receipts(n, self.now)

    async def timers(self, n: int) -> None:
        await self._store.run_timers(n, self.now)

    async def recover(self, worker: str) -> None:
        await self._store.recover(worker, self.now)

    async def reroute(self, connector: str, n: int) -> None:
        await self._store.reroute(connector, {"smsc", "second"}, "down", n, self.now)

    async def delete(self, n: int) -> None:
        await self._store.delete(self._account.id, self._ids[-1 - n :][:1], self.now)

    async def decide(self, n: int, release: bool) -> None:
        await self._store.decide_held(self._ids[-1 - n :], release, US, self.now)

    async def wait(self, seconds: int) -> None:
        self.now += 1000 * seconds

    # ---- what must hold

    async def check(self) -> None:
        """The books are in order, a row tells what its state tells, and what has ended stays so."""
        faults = await self._directory.fsck()
        assert not any(faults.values()), faults
        standings = await self._store.statuses(self._account.id, self._ids)
        statuses = {i: standing.status for i, standing in standings.items()}
        assert sorted(statuses) == self._ids
        kept = await self._store.engine.read(lambda tx: kept_by_id(tx.all("load_deliveries", ids=self._ids)))
        assert statuses == {i: one.delivery.status for i, one in kept.items()}
        for i, before in self._statuses.items():
            assert statuses[i].final or not before.final
            assert statuses[i] is before or before not in (Status.DELETED, Status.NO_ROUTE)
        self._statuses = statuses
        await self._check_stories()

    async def _check_stories(self) -> None:
        """What is told of a message fits what it is, and how often it was handed over to whom."""
        handed = Counter((h.message_id, f"handed over to {by}") for by, h in self._handed)
        for i in self._ids:
            story = await self._store.story(i)
            assert story is not None
            told = [line.what for line in lines(story, "UAH", lambda connector, code: "")]
            tries = Counter((i, what.partition(",")[0]) for what in told if what.startswith("handed over"))
            assert tries == {key: n for key, n in handed.items() if key[0] == i}
            assert sum(what.startswith("charged") for what in told) <= 1
            noted = [note for _, note in story.notes]
            assert story.delivery.status is told_status(story)
            assert story.delivery.at == max((n.step for n in noted if n.what is What.NEXT), default=0)
            for step, rung in enumerate(story.delivery.rungs):
                for part, one in enumerate(rung.parts):
                    ids = [n.detail for n in noted if (n.step, n.part, n.what) == (step, part, What.TAKEN)]
                    assert one.provider_id == (ids[-1] if ids else "")

    async def end(self) -> None:
        """Nobody answers any more, and time passes."""
        for _ in range(6):
            self.now += A_DAY_MS
            for _ in range(20):
                await self._store.run_timers(100, self.now)
        assert await self._store.run_timers(100, self.now) == 0
        await self.check()
        assert all(status.final for status in self._statuses.values())
        (account,) = await self._directory.accounts()
        assert account.reserved == 0
        assert await Holds(self._store.engine).waiting(1) == []
        await self._store.forget_receipts(self.now + RECEIPTS_KEPT_MS)
        assert await self._store.match_receipts(100, self.now) == 0


def told_status(story: Story) -> Status:
    """The status after the last note; that something is being handed over is told by the delivery itself."""
    rungs = story.delivery.rungs
    handed = any(part.state is PartState.SENDING for rung in rungs for part in rung.parts)
    noted = [note.status for _, note in story.notes]
    return max(noted[-1] if noted else Status.PENDING if rungs else Status.NO_ROUTE, Status(handed))


def _progress(connector: str, handover: Handover, provider_id: str) -> Receipt:
    return Receipt(
        connector=connector,
        provider_id=provider_id,
        recipient=handover.recipient,
        outcome=Outcome.PROGRESS,
        code="x",
        raw="",
    )


async def live(url: str, history: list[tuple[Any, ...]]) -> None:
    store = await open_store(url)
    try:
        await store.engine.write(empty)
        world = World(store, await open_account(Directory(store.engine), money=6000))
        for name, *args in history:
            await getattr(world, name)(*args)
            await world.check()
        await world.end()
    finally:
        await store.close()


def empty(tx: Tx) -> None:
    tx.script(f"DELETE FROM {table}" for table in TABLES)  # noqa: S608


histories = given(
    first=st.lists(admits, min_size=1, max_size=5), then=st.lists(events, min_size=10, max_size=40)
)


@settings(max_examples=80)
@histories
def test_the_books_are_in_order_whatever_happens(
    tmp_path: Path, first: list[tuple[Any, ...]], then: list[tuple[Any, ...]]
) -> None:
    asyncio.run(live(f"sqlite:{tmp_path}/hopwire.db", [*first, *then]))


@settings(max_examples=15)
@histories
def test_the_books_are_in_order_on_postgresql_whatever_happens(
    postgres_url: str, first: list[tuple[Any, ...]], then: list[tuple[Any, ...]]
) -> None:
    asyncio.run(live(postgres_url, [*first, *then]))
