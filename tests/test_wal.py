"""Commits of a gateway that lives: SQLite writes them to its log, and the disk is waited for beside it."""

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import open_account, order
from rules import becomes

from hopwire.model import Account
from hopwire.store import Store, wal
from hopwire.store.directory import Directory
from hopwire.store.engine import Tx
from hopwire.store.migrate import open_store
from hopwire.store.sqlite import SqliteEngine

FULL, NORMAL = 2, 1  # of PRAGMA synchronous

DIES = """
import asyncio, os, sys
from hopwire.store.migrate import open_store

async def main():
    store = await open_store(sys.argv[1])
    store.listen(lambda due: None)
    await asyncio.sleep(0)
    os.dup2(os.pipe()[0], store.engine._wal._file)  # what can never be synced
    await store.engine.write(lambda tx: tx.run("probe"))
    print("answered")

asyncio.run(main())
"""


class SlowDisk:
    """Syncs that end when they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[Callable[[], None]] = []
        monkeypatch.setattr(wal.Wal, "sync", lambda _, done: self.waiting.append(done))

    def turn(self) -> None:
        self.waiting.pop()()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite:{tmp_path}/hopwire.db")
    await open_account(Directory(store.engine), money=1_000_000)
    yield store
    await store.close()


def engine_of(store: Store) -> SqliteEngine:
    assert isinstance(store.engine, SqliteEngine)
    return store.engine


def synchronous(store: Store) -> int:
    return int(engine_of(store)._connection.execute("PRAGMA synchronous").fetchone()[0])


async def listened(store: Store) -> None:
    store.listen(lambda due: None)
    await becomes(lambda: synchronous(store) == NORMAL)


async def customer(store: Store) -> Account:
    return (await Directory(store.engine).accounts())[0]


def probe(tx: Tx) -> str:
    tx.run("probe")
    return "done"


async def test_nothing_is_answered_and_nothing_follows_before_it_is_on_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listened(store)
    disk, followed = SlowDisk(monkeypatch), list[str]()

    def work(tx: Tx) -> None:
        tx.run("probe")
        tx.after.append(lambda: followed.append("after"))

    writing = asyncio.create_task(store.engine.write(work))
    await becomes(lambda: len(disk.waiting) == 1)
    await asyncio.sleep(0)
    assert (writing.done(), followed) == (False, [])
    disk.turn()
    await writing
    assert followed == ["after"]


async def test_what_comes_meanwhile_shares_the_next_commit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listened(store)
    disk, said = SlowDisk(monkeypatch), list[str]()
    engine_of(store)._connection.set_trace_callback(said.append)
    first = asyncio.create_task(store.engine.write(probe))
    await becomes(lambda: len(disk.waiting) == 1)
    others = [asyncio.create_task(store.engine.write(probe)) for _ in range(3)]
    await asyncio.sleep(0)
    assert said.count("COMMIT") == 1
    disk.turn()
    await becomes(lambda: len(disk.waiting) == 1)
    assert (await first, said.count("COMMIT")) == ("done", 2)
    assert not any(one.done() for one in others)
    disk.turn()
    assert await asyncio.gather(*others) == ["done"] * 3


async def test_what_is_not_on_disk_is_not_read_and_who_waits_reads_before_the_next_commit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await customer(store)
    await listened(store)
    await store.admit([order(account)])  # and there are ids
    disk = SlowDisk(monkeypatch)
    first = asyncio.ensure_future(store.admit([order(account)]))
    await becomes(lambda: len(disk.waiting) == 1)
    reading = asyncio.create_task(store.latest(10))
    given_up = asyncio.create_task(store.latest(10))
    second = asyncio.ensure_future(store.admit([order(account)]))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    assert not reading.done()
    disk.turn()
    assert len(await reading) == 2
    await becomes(lambda: len(disk.waiting) == 1)
    disk.turn()
    await asyncio.gather(first, second)
    assert len(await store.latest(10)) == 3


async def test_who_closes_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_store(f"sqlite:{tmp_path}/hopwire.db")
    await listened(store)
    disk = SlowDisk(monkeypatch)
    writing = asyncio.create_task(store.engine.write(probe))
    await becomes(lambda: len(disk.waiting) == 1)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    assert not closing.done()
    disk.turn()
    await closing
    assert await writing == "done"


async def test_when_nobody_listens_any_more_sqlite_waits_for_the_disk_again(store: Store) -> None:
    await listened(store)
    assert store._listener is not None
    store._listener.cancel()
    await becomes(lambda: synchronous(store) == FULL)
    assert await store.engine.write(probe) == "done"
    assert engine_of(store)._wal is None


class Used:
    """A system on which other programs have used up what there is: /proc/sys/fs/aio-max-nr."""

    @staticmethod
    def Context(max_requests: int) -> None:  # noqa: N802 - as caio calls it
        raise SystemError(errno.EAGAIN, "Resource temporarily unavailable")


@pytest.mark.parametrize("system", [None, Used])
async def test_where_the_system_cannot_wait_this_way_sqlite_does(
    store: Store, monkeypatch: pytest.MonkeyPatch, system: object
) -> None:
    monkeypatch.setattr(wal, "linux_aio", system)
    store.listen(lambda due: None)
    assert await store.engine.write(probe) == "done"
    assert synchronous(store) == FULL


async def test_every_commit_is_synced_with_the_file_it_was_written_to(store: Store) -> None:
    account = await customer(store)
    await listened(store)
    synced: list[int] = []
    sync: Any = wal.Wal.sync

    def counted(self: wal.Wal, done: Callable[[], None]) -> None:
        synced.append(os.fstat(self._file).st_size)
        sync(self, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wal.Wal, "sync", counted)
        for _ in range(50):
            await store.admit([order(account)])
    assert len(synced) >= 50
    assert synced[-1] > synced[0]


def test_when_the_disk_fails_the_process_ends_without_an_answer(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/hopwire.db"
    ended = subprocess.run(
        [sys.executable, "-c", DIES, url], capture_output=True, text=True, timeout=50, check=False
    )
    assert (ended.returncode, ended.stdout) == (os.EX_IOERR, "")
    assert "the disk has failed" in ended.stderr
