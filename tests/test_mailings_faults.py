"""Whatever dies while a mailing is checked and sent, a row becomes one message."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import pytest
from conftest import NOW
from sendings import (
    NUMBERS,
    a_door,
    a_runner,
    door,
    given,
    listed,
    mailings,
    messages,
    runner,
    seen,
    small_pages,
    told,
    worked,
)

from hopwire.admission import Admission
from hopwire.errors import OutcomeUnknown, Unavailable
from hopwire.mailing import Command, State
from hopwire.mailings import LEASE_MS, MailingRunner
from hopwire.model import Account
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.engine import Engine
from hopwire.store.mailings import Mailings

__all__ = ["door", "mailings", "runner", "small_pages"]  # fixtures


class Faulty:
    """An engine whose nth call, of all verbs, goes wrong; without a fault, the process dies there."""

    def __init__(self, engine: Engine, fault: type[Exception] | None, *, after: bool) -> None:
        self.engine = engine
        self.left = 0
        self.dead = asyncio.Event()
        self._fault = fault
        self._after = after

    async def write(self, work: Any, *, at_leisure: bool = False) -> Any:
        return await self._call(self.engine.write, work)

    async def read(self, work: Any) -> Any:
        return await self._call(self.engine.read, work)

    async def _call(self, verb: Any, work: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self._after:
            await self._fail()
        result = await verb(work)
        if self.left == 0 and self._after:
            await self._fail()
        return result

    async def _fail(self) -> None:
        if self._fault:
            raise self._fault
        self.dead.set()
        await asyncio.Event().wait()

    async def lives_through(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, as far as that goes."""
        doing, dying = asyncio.ensure_future(work), asyncio.ensure_future(self.dead.wait())
        await asyncio.wait([doing, dying], return_when=asyncio.FIRST_COMPLETED)
        for one in (doing, dying):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError, Unavailable):
                await one


@pytest.mark.parametrize(
    ("fault", "after"),
    [
        pytest.param(None, False, id="killed before the commit"),
        pytest.param(None, True, id="killed behind the commit"),
        pytest.param(OutcomeUnknown, True, id="nobody knows whether it was done"),
    ],
)
async def test_whatever_step_fails_a_row_becomes_one_message(
    mailings: Mailings,
    store: Store,
    door: Admission,
    directory: Directory,
    account: Account,
    store_url: str,
    fault: type[Exception] | None,
    after: bool,
) -> None:
    nth, met = 0, True
    while met:
        nth += 1
        mailing_id = await given(mailings, account, listed(*NUMBERS[:3], "12", NUMBERS[0]))
        faulty = Faulty(store.engine, fault, after=after)
        met = await with_a_fault(store, faulty, account, mailing_id, nth)
        mailing = await seen(mailings, account, mailing_id)
        assert (mailing.state, mailing.good, mailing.bad, mailing.repeated) == (State.DONE, 3, 1, 1), nth
        assert (mailing.accepted, mailing.refused, mailing.price) == (3, 0, 1500), nth
        assert sorted(messages(store_url)) == sorted(NUMBERS[:3] * nth), nth
    assert nth > 20
    assert not any((await directory.fsck()).values())


async def with_a_fault(store: Store, faulty: Faulty, account: Account, mailing_id: int, nth: int) -> bool:
    """Check and send it in a process whose nth step fails, then in another; whether there was such a step."""
    mailings = Mailings(store.engine)
    dying = a_runner(await a_door(Store(faulty)), faulty, "dying")  # type: ignore[arg-type]
    heir = a_runner(await a_door(store), store.engine, "heir", lambda: NOW + LEASE_MS)
    faulty.left = nth
    for command in (Command.START, None):
        if not faulty.dead.is_set():
            await faulty.lives_through(worked(dying))
        await worked(heir)
        if command:
            await told(mailings, account, mailing_id, command)
    return faulty.left <= 0


async def test_a_process_that_has_lost_its_mailing_does_no_harm(
    mailings: Mailings, door: Admission, store: Store, directory: Directory, account: Account, store_url: str
) -> None:
    """It was away for longer than its lease, and both are at it now."""
    slow = a_runner(door, store.engine, "slow")
    other = a_runner(await a_door(store), store.engine, "other", lambda: NOW + 2 * LEASE_MS)
    mailing_id = await given(mailings, account, listed(*NUMBERS, NUMBERS[0]))
    await asyncio.gather(worked(slow), worked(other))
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.state, mailing.good, mailing.repeated) == (State.READY, 30, 1)
    await told(mailings, account, mailing_id, Command.START)
    await asyncio.gather(worked(slow), worked(other))
    await worked(other)
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.state, mailing.accepted, mailing.refused) == (State.DONE, 30, 0)
    assert sorted(messages(store_url)) == NUMBERS
    assert not any((await directory.fsck()).values())


async def test_of_two_processes_one_is_at_a_mailing(
    mailings: Mailings, runner: MailingRunner, account: Account
) -> None:
    mailing_id = await given(mailings, account, listed(NUMBERS[0]))
    took = [await mailings.take(worker, NOW, LEASE_MS) for worker in ("one", "two")]
    assert [one and one.id for one in took] == [mailing_id, None]
    assert (again := await mailings.take("two", NOW + LEASE_MS, LEASE_MS)) and again.id == mailing_id
    assert await mailings.keep_checked(account.id, mailing_id, "one", []) is None
