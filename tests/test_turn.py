"""What SQLite's one process may do that several could not: leave at once, share commits, remember."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from conftest import NOW, SMS, VIBER, open_account, order
from msgspec.structs import replace

from hopwire.errors import NotEnoughMoney
from hopwire.events import Answered
from hopwire.model import Account, Fault, Handover, Later, Never, Status, Taken
from hopwire.store import Accepted, Store
from hopwire.store.directory import Directory
from hopwire.store.engine import Tx
from hopwire.store.inbox import EVERYONE, Inbox
from hopwire.store.migrate import open_store
from hopwire.store.sqlite import SqliteEngine
from hopwire.store.turn import Outlet

SOON = NOW + 10


class Phonebook:
    """An outlet that notes what it is given; with so much room at each connector."""

    def __init__(self, **room: int) -> None:
        self.room = room
        self._taken: list[tuple[str, Handover]] = []

    def outlet(self) -> Outlet:
        return Outlet("w1", 60_000, lambda name: self.room.get(name, 0), self._take)

    def _take(self, name: str, parts: Sequence[Handover]) -> None:
        self.room[name] -= len(parts)
        self._taken += [(name, part) for part in parts]

    async def taken(self) -> list[tuple[str, Handover]]:
        await asyncio.sleep(0)  # who waits for a commit hears of it before what has left with it is taken
        return self._taken

    async def ids(self) -> list[tuple[str, int]]:
        return [(name, part.message_id) for name, part in await self.taken()]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite:{tmp_path}/hopwire.db")
    yield store
    await store.close()


@pytest.fixture
async def account(store: Store) -> Account:
    return await open_account(Directory(store.engine), money=1_000_000)


def leaves_by(store: Store, **room: int) -> Phonebook:
    outlet = Phonebook(**room)
    store.leave_by(outlet.outlet())
    return outlet


async def accept(store: Store, account: Account, *to: str) -> list[int]:
    answers = await store.admit([order(account, to=number) for number in to])
    return [answer.id for answer in answers if isinstance(answer, Accepted)]


async def status(store: Store, account: Account, message_id: int) -> Status:
    return (await store.statuses(account.id, [message_id]))[message_id].status


# ---- what leaves at once


async def test_what_is_accepted_leaves_with_its_commit_as_far_as_there_is_room(
    store: Store, account: Account
) -> None:
    outlet = leaves_by(store, viber=2)
    first, second, third = await accept(store, account, "1", "2", "3")
    assert await outlet.ids() == [("viber", first), ("viber", second)]
    assert [await status(store, account, i) for i in (first, second, third)] == [
        Status.SENDING,
        Status.SENDING,
        Status.PENDING,
    ]
    claimed = await store.claim("viber", "w1", 10, 60_000, SOON)
    assert [one.message_id for one in claimed] == [third]


async def test_what_leaves_at_once_is_what_a_claim_would_have_given(store: Store, account: Account) -> None:
    outlet = leaves_by(store, viber=1)
    await accept(store, account, "1", "1")
    (claimed,) = await store.claim("viber", "w1", 10, 60_000, NOW)
    ((_, taken),) = await outlet.taken()
    assert claimed.message_id == taken.message_id + 1
    for field in (f for f in Handover.__struct_fields__ if f != "message_id"):
        assert getattr(claimed, field) == getattr(taken, field), field


async def test_what_is_claimed_with_the_commit_that_made_it_due_wakes_nobody(
    store: Store, account: Account
) -> None:
    due: list[set[str]] = []
    store.listen(lambda connectors: due.append(set(connectors)))
    await accept(store, account, "3")
    await store.claim("viber", "w1", 10, 60_000, SOON)  # it is listened, and there are ids
    due.clear()
    claim = store.claim("viber", "w1", 10, 60_000, SOON)  # asked for first, and comes last
    claimed, (message,) = await asyncio.gather(claim, accept(store, account, "1"))
    assert [one.message_id for one in claimed] == [message]
    assert due == []
    claim = store.claim("viber", "w1", 1, 60_000, SOON)
    claimed, (first, second) = await asyncio.gather(claim, accept(store, account, "1", "2"))
    assert [one.message_id for one in claimed] == [first]
    assert due == [{"viber"}]
    claim = store.claim("viber", "w1", 9, 60_000, NOW - 1)  # when it was asked for they were not due yet
    claimed, new = await asyncio.gather(claim, accept(store, account, "3"))
    assert [one.message_id for one in claimed] == [second, *new]
    assert due == [{"viber"}]
    assert await store.claim("viber", "w1", 9, 60_000, NOW - 1) == []


async def test_who_waits_hears_first_and_what_is_claimed_is_taken_before_the_next_commit_begins(
    store: Store, account: Account
) -> None:
    told: list[str] = []

    def take(handovers: Sequence[Handover]) -> None:
        told.append(f"taken {len(handovers)}")

    async def hears() -> None:
        await accept(store, account, "1")
        told.append("accepted")
        await store.engine.write(lambda tx: told.append("next commit"))

    await accept(store, account, "2")
    await asyncio.gather(hears(), store.claim("viber", "w1", 9, 60_000, SOON, take))
    assert told == ["accepted", "taken 2", "next commit"]


async def test_those_who_share_a_commit_do_not_take_the_same_room(store: Store, account: Account) -> None:
    outlet = leaves_by(store, viber=3)
    await store.admit([])  # ids for all of them
    await asyncio.gather(*(accept(store, account, "1", "2") for _ in range(3)))
    assert len(await outlet.taken()) == 3
    assert len(await store.claim("viber", "w1", 10, 60_000, SOON)) == 3


async def test_a_refused_viber_message_leaves_by_sms_with_the_answer_s_commit(
    store: Store, account: Account
) -> None:
    outlet = leaves_by(store, viber=1, smsc=1)
    (message,) = await accept(store, account, "1")
    await store.record([(message, Answered(0, 0, Never("no", Fault.NO_ACCOUNT), "viber"))], SOON)
    assert await outlet.ids() == [("viber", message), ("smsc", message)]
    assert (await outlet.taken())[1][1].step == 1


async def test_a_number_that_is_not_on_viber_leaves_by_sms_at_once(store: Store, account: Account) -> None:
    outlet = leaves_by(store, viber=2, smsc=2)
    (first,) = await accept(store, account, "1")
    await store.record([(first, Answered(0, 0, Never("no", Fault.NO_ACCOUNT), "viber"))], SOON)
    (second,) = await accept(store, account, "1")
    assert await outlet.ids() == [("viber", first), ("smsc", first), ("smsc", second)]


async def test_what_its_recipient_has_stopped_meanwhile_does_not_leave(
    store: Store, account: Account
) -> None:
    outlet = leaves_by(store, viber=1, smsc=1)
    (message,) = await accept(store, account, "1")
    await Inbox(store.engine).stop(EVERYONE, "1", SOON)
    await store.record([(message, Answered(0, 0, Never("no", Fault.NUMBER), "viber"))], SOON)
    assert await outlet.ids() == [("viber", message)]
    assert (await status(store, account, message)).final


async def test_what_is_to_be_tried_later_waits(store: Store, account: Account) -> None:
    outlet = leaves_by(store, viber=2)
    (message,) = await accept(store, account, "1")
    await store.record([(message, Answered(0, 0, Later(60.0, "busy"), "viber"))], SOON)
    assert len(await outlet.taken()) == 1


async def test_the_next_part_leaves_with_the_answer_to_the_one_before(store: Store, account: Account) -> None:
    outlet = leaves_by(store, smsc=5)
    long = replace(SMS, parts=2)
    (answer,) = await store.admit([order(account, long)])
    assert isinstance(answer, Accepted)
    assert [part.part for _, part in await outlet.taken()] == [0]
    await store.record([(answer.id, Answered(0, 0, Taken("a"), "smsc"))], SOON)
    assert [part.part for _, part in await outlet.taken()] == [0, 1]


async def test_nothing_leaves_of_what_was_not_kept(store: Store, account: Account) -> None:
    outlet = leaves_by(store, viber=5)
    (refused,) = await store.admit([order(account, replace(VIBER, part_price=2_000_000))])
    assert isinstance(refused, NotEnoughMoney)
    with pytest.raises(AttributeError):
        await store.admit([order(account), None])  # type: ignore[list-item]
    assert await outlet.taken() == []
    assert await store.latest(10) == []


# ---- commits


async def test_what_comes_in_one_turn_shares_a_commit_and_what_raises_has_done_nothing(
    store: Store, account: Account
) -> None:
    assert isinstance(store.engine, SqliteEngine)
    said: list[str] = []
    store.engine._connection.set_trace_callback(said.append)

    def add(tx: Tx) -> str:
        tx.run("add_to_balance", id=account.id, amount=5)
        return "done"

    def fail(tx: Tx) -> None:
        add(tx)
        raise LookupError

    write = store.engine.write
    results = await asyncio.gather(write(add), write(fail), write(add), return_exceptions=True)
    assert [results[0], type(results[1]), results[2]] == ["done", LookupError, "done"]
    assert said.count("COMMIT") == 1
    (account,) = await Directory(store.engine).accounts()
    assert account.balance == 1_000_010


async def test_who_does_not_wait_any_more_has_nothing_done(store: Store, account: Account) -> None:
    def add(tx: Tx) -> None:
        tx.run("add_to_balance", id=account.id, amount=5)

    gone = asyncio.ensure_future(store.engine.write(add))
    await asyncio.sleep(0)
    gone.cancel()
    await store.engine.write(add)
    assert (await Directory(store.engine).accounts())[0].balance == 1_000_005


# ---- what is remembered


async def test_what_another_process_has_changed_is_read_anew(
    store: Store, account: Account, tmp_path: Path
) -> None:
    leaves_by(store, viber=1)
    (message,) = await accept(store, account, "1")
    assert message in (await store.engine.write(lambda tx: list(tx.remembered or {})))
    other = await open_store(f"sqlite:{tmp_path}/hopwire.db")
    await other.record([(message, Answered(0, 0, Taken("a"), "viber"))], SOON)
    await store.record([(message, Answered(0, 0, Never("no", Fault.NUMBER), "viber"))], SOON)
    assert (await store.latest(1))[0].provider_ids == ["a"]
    await other.close()


async def test_what_was_rolled_back_is_not_remembered(store: Store, account: Account) -> None:
    leaves_by(store, viber=1)
    (message,) = await accept(store, account, "1")

    def fail(tx: Tx) -> None:
        assert tx.remembered is not None
        tx.remembered[message] = replace(tx.remembered[message], recipient="nobody")
        raise LookupError

    with pytest.raises(LookupError):
        await store.engine.write(fail)
    await store.record([(message, Answered(0, 0, Never("no", Fault.NO_ACCOUNT), "viber"))], SOON)
    assert (await store.latest(1))[0].recipient == "1"


async def test_what_has_ended_is_not_remembered(store: Store, account: Account) -> None:
    leaves_by(store, viber=1, smsc=1)
    (message,) = await accept(store, account, "1")
    await store.record([(message, Answered(0, 0, Never("no", Fault.NUMBER), "viber"))], SOON)
    await store.record([(message, Answered(1, 0, Never("no", Fault.NUMBER), "smsc"))], SOON)
    assert (await status(store, account, message)).final
    assert await store.engine.write(lambda tx: tx.remembered) == {}
