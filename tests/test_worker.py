"""The worker at work on a real store: what it does when there is no room, no store, or no more time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
from conftest import open_account, run_sql
from rules import Watched

from hopwire import worker
from hopwire.admission import now_ms
from hopwire.channels import OnAnswers
from hopwire.delivery import Delivery, plan_delivery
from hopwire.errors import Unavailable
from hopwire.model import (
    Account,
    ConnectorState,
    Handover,
    SendRequest,
    SmsText,
    Step,
    Taken,
    TraceOrder,
)
from hopwire.rung import Part, PartState
from hopwire.store import Change, Order, Store
from hopwire.store.connectors import Connectors
from hopwire.store.directory import Directory
from hopwire.store.migrate import open_store
from hopwire.worker import Worker

STATE = ConnectorState(
    kind="smpp", sessions=1, sessions_wanted=1, window=10, in_flight=0, rate=None, state="up", last_error="",
    last_error_at=None, bound_at=None, submitted=0, taken=0, refused=0, throttled=0, unknown=0, receipts=0,
    incoming=0, receipt_ids="",
)  # fmt: skip
SENDING, WAITING, TAKEN = PartState.SENDING, PartState.WAITING, PartState.TAKEN


class Operator:
    """A connector with room for so many parts; it answers when it is told to, or when it is stopped.

    With `promised` it has said once that there is more room than there was.
    """

    name = "smsc"

    def __init__(self, room: int, promised: int = 0) -> None:
        self.room = room
        self._promised = promised
        self.handed: list[Handover] = []
        self.traced: TraceOrder | None = None
        self._answers: list[tuple[Handover, OnAnswers]] = []

    @property
    def capacity(self) -> int:
        promised, self._promised = self._promised, 0
        return promised or self.room - len(self._answers)

    async def start(self) -> None:
        pass

    @property
    def state(self) -> ConnectorState:
        return STATE

    def trace(self, order: TraceOrder | None) -> None:
        self.traced = order

    def submit(self, handovers: Sequence[Handover], on_answers: OnAnswers) -> None:
        self.handed += handovers
        self._answers += [(handover, on_answers) for handover in handovers]

    def answer(self) -> None:
        answers, self._answers = self._answers, []
        for n, (handover, on_answers) in enumerate(answers):
            on_answers([(handover, Taken(f"{len(self.handed)}-{n}"))])

    async def stop(self) -> None:
        self.answer()


@asynccontextmanager
async def working(store: Store, operator: Operator, *, at_once: bool = False) -> AsyncIterator[Worker]:
    worker = Worker(store, "test", 60, now_ms)
    await worker.start({"smsc": operator}, at_once=at_once)
    try:
        yield worker
    finally:
        await worker.stop()


async def accept(store: Store, account: Account, parts: int) -> None:
    step = Step(channel="sms", connector="smsc", parts=parts, part_price=1, charge_on="taken", lifetime_s=600)
    request = SendRequest(recipient="380501112233", sms=SmsText(text="x" * 150 * parts), sms_sender="Shop")
    now = now_ms()
    await store.admit([Order(account, request, plan_delivery([step], now), now)])


async def becomes(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 - what is on disk has no event
            await asyncio.sleep(0.02)


def all_parts(url: str) -> list[tuple[Part, ...]]:
    """The parts of each message, as they are on disk."""
    rows = run_sql(url, "SELECT state FROM deliveries ORDER BY id")
    return [msgspec.json.decode(state, type=Delivery).rungs[0].parts for (state,) in rows]


def parts(url: str) -> tuple[Part, ...]:
    """The parts of the only message."""
    (found,) = all_parts(url)
    return found


def states(parts: tuple[Part, ...]) -> list[PartState]:
    return [part.state for part in parts]


async def test_what_finds_no_room_any_more_goes_back_and_leaves_later(store: Store, store_url: str) -> None:
    operator = Operator(room=2, promised=3)
    account = await open_account(Directory(store.engine), 10)
    for _ in range(3):
        await accept(store, account, parts=1)
    async with working(store, operator):
        await becomes(lambda: sorted(map(states, all_parts(store_url))) == [[WAITING], [SENDING], [SENDING]])
        assert len(operator.handed) == 2
        operator.answer()
        await becomes(lambda: len(operator.handed) == 3)
    assert not any(part.repeated or part.tries for parts in all_parts(store_url) for part in parts)


async def test_what_comes_behind_what_has_waited_leaves_with_its_own_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL_S", 60)
    url = f"sqlite:{tmp_path}/hopwire.db"
    await (await open_store(url)).close()
    store, operator, flows, each = Watched(url), Operator(room=1000), 4, 25
    account = await open_account(Directory(store.engine), 1000)
    await accept(store, account, parts=1)

    async def flow() -> None:
        for _ in range(each):
            await accept(store, account, parts=1)

    async with working(store, operator, at_once=True):
        await asyncio.gather(*(flow() for _ in range(flows)))
        await becomes(lambda: len(operator.handed) == 1 + flows * each)
    assert 1 <= len(store.handed) < flows * each // 3  # those that came while it was looked for what waits
    await store.close()


async def test_parts_leave_one_after_the_other(store: Store, store_url: str) -> None:
    operator = Operator(room=2)
    account = await open_account(Directory(store.engine), 10)
    async with working(store, operator):
        await accept(store, account, parts=3)
        for n in (1, 2, 3):
            await becomes(lambda n=n: len(operator.handed) == n)  # type: ignore[misc]
            assert [part.state for part in parts(store_url)] == [TAKEN] * (n - 1) + [SENDING] + [WAITING] * (
                3 - n
            )
            operator.answer()
    assert [handover.part for handover in operator.handed] == [0, 1, 2]


async def test_a_paused_connector_is_given_nothing_until_it_is_resumed(store: Store, store_url: str) -> None:
    operator, connectors = Operator(room=2), Connectors(store.engine)
    account = await open_account(Directory(store.engine), 10)
    await connectors.pause("smsc", now_ms())
    async with working(store, operator):
        await told(connectors, "paused")
        await accept(store, account, parts=1)
        await connectors.resume("smsc", now_ms())
        await told(connectors, "up")
        await becomes(lambda: len(operator.handed) == 1)
        operator.answer()


async def told(connectors: Connectors, state: str) -> None:
    """Wait until the worker tells this of its connector."""
    async with asyncio.timeout(20):
        while [one.state.state for one in await connectors.states(0)] != [state]:  # noqa: ASYNC110 - on disk
            await asyncio.sleep(0.02)


async def test_a_trace_is_ordered_of_the_channel(store: Store) -> None:
    operator, connectors = Operator(room=2), Connectors(store.engine)
    order = TraceOrder(file="/dev/null", format="text", until=now_ms() + 60_000)
    async with working(store, operator):
        await connectors.order_trace("smsc", order, now_ms())
        await becomes(lambda: operator.traced == order)
        await connectors.order_trace("smsc", None, now_ms())
        await becomes(lambda: operator.traced is None)


async def test_a_stop_answers_for_what_has_left_and_gives_back_the_rest(store: Store, store_url: str) -> None:
    operator = Operator(room=1)
    account = await open_account(Directory(store.engine), 10)
    async with working(store, operator):
        await accept(store, account, parts=2)
        await becomes(lambda: [handover.part for handover in operator.handed] == [0])
    assert states(parts(store_url)) == [TAKEN, WAITING]


async def test_what_a_dead_worker_had_in_hand_is_in_doubt_for_the_next(store: Store, store_url: str) -> None:
    account = await open_account(Directory(store.engine), 10)
    await accept(store, account, parts=1)
    await store.claim("smsc", "test", 1, 60_000, now_ms())
    operator = Operator(room=1)
    async with working(store, operator):
        assert states(parts(store_url)) == [PartState.UNKNOWN]
    assert not operator.handed


async def test_an_answer_that_cannot_be_recorded_is_not_the_others_trouble(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    record = store.record

    async def records_all_but_one(changes: Sequence[Change], now: int) -> Sequence[None]:
        if any(i == operator.handed[0].message_id for i, _ in changes):
            raise RuntimeError("a bug")
        return await record(changes, now)

    monkeypatch.setattr(store, "record", records_all_but_one)
    operator = Operator(room=3)
    account = await open_account(Directory(store.engine), 10)
    async with working(store, operator):
        for _ in range(3):
            await accept(store, account, parts=1)
        await becomes(lambda: len(operator.handed) == 3)
        operator.answer()
        await becomes(lambda: sorted(map(states, all_parts(store_url))) == [[SENDING], [TAKEN], [TAKEN]])
    assert f"record message={operator.handed[0].message_id}" in caplog.text


async def test_a_store_that_is_locked_for_a_while_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hopwire.db"
    store, operator = await open_store(f"sqlite:{path}"), Operator(room=10)
    account = await open_account(Directory(store.engine), 10)
    try:
        async with working(store, operator):
            await accept(store, account, parts=1)
            await becomes(lambda: [handover.part for handover in operator.handed] == [0])
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                operator.answer()
                until = asyncio.get_running_loop().time() + 3
                while asyncio.get_running_loop().time() < until:
                    with pytest.raises(Unavailable):
                        await accept(store, account, parts=1)
                    await asyncio.sleep(0.01)
                assert states(parts(f"sqlite:{path}")) == [SENDING]
            await becomes(lambda: states(parts(f"sqlite:{path}")) == [TAKEN])
            await accept(store, account, parts=1)
            await becomes(lambda: [handover.part for handover in operator.handed] == [0, 0])
    finally:
        await store.close()


async def test_a_worker_tells_what_its_connectors_did_in_each_minute(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the minute in which it stops, and from its beginning when it is started again."""
    counted = msgspec.structs.replace(STATE, submitted=5, taken=4, refused=1, state="up")
    monkeypatch.setattr(Operator, "state", property(lambda operator: counted))
    connectors = Connectors(store.engine)
    for lives in (1, 2):
        async with working(store, Operator(room=1)):
            await told(connectors, "up")
        minutes = await connectors.minutes(0)
        assert sum(one.submitted for one in minutes) == 5 * lives
        assert sum(one.refused for one in minutes) == lives
