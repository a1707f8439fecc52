"""SQLite's checkpoints beside the commits: the log stays short, and nothing is lost whatever happens."""

import asyncio
import logging
import sqlite3
import struct
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import NOW, open_account, order
from rules import becomes

from hopwire.model import Account
from hopwire.store import Store, checkpoints
from hopwire.store.directory import Directory
from hopwire.store.migrate import open_store
from hopwire.store.sqlite import SqliteEngine

TIMES, WRITERS = 3, 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hopwire.db"


@pytest.fixture
async def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store that somebody listens to, whose log is soon long."""
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.005)
    monkeypatch.setattr(checkpoints, "LONG", 100)
    store = await open_store(f"sqlite:{path}")
    await open_account(Directory(store.engine), money=1_000_000_000)
    store.listen(lambda due: None)
    await becomes(lambda: automatic(store) == 0)
    yield store
    await store.close()


def engine_of(store: Store) -> SqliteEngine:
    assert isinstance(store.engine, SqliteEngine)
    return store.engine


def automatic(store: Store) -> int:
    """Pages after which a commit makes a checkpoint; 0: it never does."""
    (pages,) = engine_of(store)._connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    return int(pages)


def begun_anew(path: Path) -> int:
    """How often the log has been: https://www.sqlite.org/fileformat2.html#walformat"""
    header = Path(f"{path}-wal").read_bytes()[:16]
    return int(struct.unpack(">4I", header)[3])


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("checkpoints")]


async def customer(store: Store) -> Account:
    return (await Directory(store.engine).accounts())[0]


async def write(store: Store, path: Path, until: int) -> int:
    """Accept messages, several at a time, until the log has begun anew so often; how many."""
    account, accepted = await customer(store), 0

    async def writer() -> None:
        nonlocal accepted
        while begun_anew(path) < until:
            await store.admit([order(account)])
            accepted += 1

    async with asyncio.timeout(60):
        await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return accepted


async def test_the_log_begins_anew_again_and_again_while_there_is_no_pause_in_writing(
    store: Store, path: Path
) -> None:
    accepted = await write(store, path, begun_anew(path) + TIMES)
    assert automatic(store) == 0
    assert (await store.backlog(NOW))[0] == accepted
    remembered = engine_of(store)._tx.remembered
    assert len(remembered) == accepted  # as if nobody else had written


async def test_what_is_left_of_a_long_log_is_carried_over_where_the_commits_are_made(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left_all(connection: sqlite3.Connection) -> bool:
        return True

    monkeypatch.setattr(checkpoints, "_carry", left_all)
    await write(store, path, begun_anew(path) + TIMES)


async def test_a_reader_puts_it_off_and_holds_up_nobody(store: Store, path: Path) -> None:
    await write(store, path, begun_anew(path) + 1)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    before = reader.execute("SELECT count(*) FROM deliveries").fetchone()
    account, anew = await customer(store), begun_anew(path)
    for _ in range(50):
        await store.admit([order(account)])
    assert reader.execute("SELECT count(*) FROM deliveries").fetchone() == before
    assert begun_anew(path) <= anew + 1  # once it may have, if the reader needed nothing of it
    reader.close()
    await write(store, path, anew + TIMES)


async def test_closing_ends_the_thread_and_leaves_no_log(store: Store, path: Path) -> None:
    accepted = await write(store, path, begun_anew(path) + 1)
    assert threads()
    await store.close()
    assert threads() == []
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    again = await open_store(f"sqlite:{path}")
    assert (await again.backlog(NOW))[0] == accepted
    await again.close()


async def test_when_the_thread_fails_it_is_told_once_and_commits_make_the_checkpoints(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(connection: sqlite3.Connection) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    caplog.set_level(logging.ERROR, checkpoints.log.name)
    monkeypatch.setattr(checkpoints, "_carry", full)
    await becomes(lambda: automatic(store) > 0)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("ERROR", "checkpoints are made with commits from now on")
    ]
    assert threads() == []
    accepted = await write(store, path, begun_anew(path) + 1)
    assert (await store.backlog(NOW))[0] == accepted


async def test_another_process_that_comes_and_goes_leaves_the_log_where_it_is(
    store: Store, path: Path
) -> None:
    """It removes the log if it believes to be the last one; by the lock that every connection holds."""
    await store.admit([order(await customer(store))])
    visit = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM deliveries').fetchone()"
    visitor = await asyncio.create_subprocess_exec(sys.executable, "-c", visit, str(path))
    assert await visitor.wait() == 0
    assert {one.name for one in path.parent.iterdir()} == {f"hopwire.db{end}" for end in ("", "-wal", "-shm")}
