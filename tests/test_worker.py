"""The worker at work on a real store: what it does when there is no room, no store, or no more time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
from conftest import open_account, run_sql

from hopwire.admission import now_ms
from hopwire.delivery import Delivery, Part, PartState, plan_delivery
from hopwire.errors import Unavailable
from hopwire.model import Account, Answer, Handover, SendRequest, SmsText, Step, Taken
from hopwire.store import Order, Store
from hopwire.store.directory import Directory
from hopwire.store.migrate import open_store
from hopwire.worker import Worker

SENDING, WAITING, TAKEN = PartState.SENDING, PartState.WAITING, PartState.TAKEN


class Operator:
    """A connector with room for so many parts; it answers when it is told to, or when it is stopped."""

    name = "smsc"

    def __init__(self, room: int) -> None:
        self.room = room
        self.handed: list[Handover] = []
        self._answers: list[asyncio.Future[Answer]] = []

    @property
    def capacity(self) -> int:
        return self.room - len(self._answers)

    async def start(self) -> None:
        pass

    async def submit(self, handover: Handover) -> Answer:
        self.handed.append(handover)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        return await answer

    def answer(self) -> None:
        for n, answer in enumerate(self._answers):
            answer.set_result(Taken(f"{len(self.handed)}-{n}"))
        self._answers = []

    async def stop(self) -> None:
        self.answer()


@asynccontextmanager
async def working(store: Store, operator: Operator) -> AsyncIterator[Worker]:
    worker = Worker(store, "test", 60, now_ms)
    await worker.start({"smsc": operator})
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


def parts(url: str) -> tuple[Part, ...]:
    """The parts of the only message, as they are on disk."""
    ((state,),) = run_sql(url, "SELECT state FROM deliveries")
    return msgspec.json.decode(state, type=Delivery).rungs[0].parts


def states(url: str) -> list[PartState]:
    return [part.state for part in parts(url)]


async def test_parts_that_find_no_room_go_back_and_leave_later(store: Store, store_url: str) -> None:
    operator = Operator(room=2)
    account = await open_account(Directory(store.engine), 10)
    async with working(store, operator):
        await accept(store, account, parts=3)
        await becomes(lambda: states(store_url) == [SENDING, SENDING, WAITING])
        assert [handover.part for handover in operator.handed] == [0, 1]
        operator.answer()
        await becomes(lambda: states(store_url) == [TAKEN, TAKEN, SENDING])
        await becomes(lambda: len(operator.handed) == 3)  # SENDING is kept before it is handed over
        operator.answer()
        await becomes(lambda: states(store_url) == [TAKEN, TAKEN, TAKEN])
    assert [handover.part for handover in operator.handed] == [0, 1, 2]
    assert not any(part.repeated or part.tries for part in parts(store_url))


async def test_a_stop_answers_for_what_has_left_and_gives_back_the_rest(store: Store, store_url: str) -> None:
    operator = Operator(room=1)
    account = await open_account(Directory(store.engine), 10)
    async with working(store, operator):
        await accept(store, account, parts=2)
        await becomes(lambda: [handover.part for handover in operator.handed] == [0])
    assert states(store_url) == [TAKEN, WAITING]


async def test_what_a_dead_worker_had_in_hand_is_in_doubt_for_the_next(store: Store, store_url: str) -> None:
    account = await open_account(Directory(store.engine), 10)
    await accept(store, account, parts=1)
    await store.claim("smsc", "test", 1, 60_000, now_ms())
    operator = Operator(room=1)
    async with working(store, operator):
        assert states(store_url) == [PartState.UNKNOWN]
    assert not operator.handed


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
                assert states(f"sqlite:{path}") == [SENDING]
            await becomes(lambda: states(f"sqlite:{path}") == [TAKEN])
            await accept(store, account, parts=1)
            await becomes(lambda: [handover.part for handover in operator.handed] == [0, 0])
    finally:
        await store.close()
