"""SQLite: one process owns the file (see owner.py), and commits on the loop.

What costs in a commit is to wait for the disk. So all that has come in one turn of the loop shares one,
whatever verbs it is of, and each transaction has a savepoint of its own. With a write-ahead log and
`synchronous=FULL` a commit is on disk when it returns. Other processes (the command line) may write for a
moment; a lock is waited for half a second. While somebody listens, which is as long as the gateway lives, the
disk is waited for beside the loop (wal.py), while the next commit gathers, and so are checkpoints made.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hopwire.errors import Unavailable
from hopwire.store import checkpoints, sql
from hopwire.store.engine import Row, T
from hopwire.store.wal import Wal

log = logging.getLogger(__name__)

BUSY_S = 0.5  # how long a write waits for another process; the loop goes on meanwhile
BUSY_PAUSE_S = 0.01
LEISURE_S = 0.01  # how long what nobody waits for is gathered; after a quiet while it need not be
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=ON",  # what is deleted or forgotten is overwritten in the file, too
    "temp_store=MEMORY",
    "cache_size=-32000",  # KiB
    "journal_size_limit=67108864",  # bytes that a log keeps on disk which has once grown longer
    "busy_timeout=0",  # the last one: until here SQLite itself waits, BUSY_S
)
UNUSABLE = {  # primary result codes, https://www.sqlite.org/rescode.html; the others are bugs of ours
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class SqliteTx:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._statements = sql.queries(sql.SQLITE)
        self.due: dict[str, int] = {}  # connector -> when something was due there last
        self.after: list[Callable[[], None]] = []
        self.remembered: dict[int, Any] = {}
        self._version = 0

    def begin(self) -> None:
        """Begin a transaction; what is remembered is forgotten if another process has written meanwhile."""
        self._connection.execute("BEGIN IMMEDIATE")
        self.due, self.after = {}, []
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self.remembered.clear()
            self._version = version

    def undo(self, statement: str) -> None:
        """Roll back, all or some of it."""
        self.remembered.clear()
        self._connection.execute(statement)

    def all(self, name: str, /, **params: Any) -> list[Row]:
        return self._connection.execute(self._statements[name].named, _bound(params)).fetchall()

    ahead = all  # nobody is asked over a wire

    def run(self, name: str, /, **params: Any) -> int:
        return self._connection.execute(self._statements[name].named, _bound(params)).rowcount

    def many(self, name: str, rows: Sequence[Row]) -> None:
        if rows:
            self._connection.executemany(self._statements[name].positional, rows)

    def script(self, statements: Iterable[str]) -> None:
        self.remembered.clear()
        for statement in statements:
            self._connection.execute(statement)

    def wake(self, connectors: Iterable[str], now: int) -> None:
        self.due |= {name: max(now, self.due.get(name, now)) for name in connectors}

    def due_by(self, connector: str, now: int) -> int:
        return max(now, self.due.get(connector, now))

    def settle(self, connector: str) -> None:
        self.due.pop(connector, None)


def _bound(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as SQLite takes them: a list as JSON."""
    return {key: _json(value) if isinstance(value, list) else value for key, value in params.items()}


def _json(values: list[Any]) -> str:
    return msgspec.json.encode(values).decode()


class _Job(NamedTuple):
    """A transaction that somebody waits for."""

    work: Callable[[SqliteTx], Any]
    done: "asyncio.Future[Any]"
    last: bool


class SqliteEngine:
    dialect = sql.SQLITE

    def __init__(self, path: Path) -> None:
        """Open the file, and create it and its folder where there is none."""
        try:
            _create(path)
            self._connection = _connect(path)
            self._path = path
        except (OSError, sqlite3.Error) as exc:
            raise Unavailable from exc
        self._tx = SqliteTx(self._connection)
        self._on_wake: Callable[[Collection[str]], None] = lambda due: None
        self._jobs: list[_Job] = []
        self._gathered: list[_Job] = []  # at leisure
        self._gathered_at = 0.0  # when others were last, by the loop's clock
        self._committing = False  # whether a commit is about to begin, or waits for the disk
        self._wal: Wal | None = None  # while somebody listens; without it SQLite waits for the disk
        self._is_syncing = False  # whether what was committed is not on disk yet
        self._readers: list[asyncio.Future[None]] = []  # who wait until it is

    async def write(
        self, work: Callable[[SqliteTx], T], *, at_leisure: bool = False, last: bool = False
    ) -> T:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        job = _Job(work, done, last)
        if at_leisure:
            self._gathered.append(job)
            if len(self._gathered) == 1:
                loop.call_at(self._gathered_at + LEISURE_S, self._end_leisure)
        else:
            self._jobs.append(job)
            self._begin_soon()
        return await done

    def _end_leisure(self) -> None:
        """Let what has been gathered join the next commit."""
        self._gathered_at = asyncio.get_running_loop().time()
        self._jobs += self._gathered
        self._gathered = []
        self._begin_soon()

    def _begin_soon(self) -> None:
        """Commit what has come when all that comes in this turn of the loop is there, one at a time."""
        if self._jobs and not self._committing:
            self._committing = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._commit_all, loop.time() + BUSY_S)

    def _commit_all(self, patience: float) -> None:
        """Do what has come; look again soon while another process is writing."""
        loop = asyncio.get_running_loop()
        try:
            self._tx.begin()
        except sqlite3.Error as exc:
            if _code(exc) == sqlite3.SQLITE_BUSY and loop.time() < patience:
                loop.call_later(BUSY_PAUSE_S, self._commit_all, patience)
            else:
                _fail(self._take_jobs(), exc)
                self._committing = False
        else:
            self._commit(self._take_jobs())

    def _take_jobs(self) -> list[_Job]:
        """What is still waited for, in its order."""
        jobs, self._jobs = self._jobs, []
        jobs.sort(key=attrgetter("last"))
        return [job for job in jobs if not job.done.done()]

    def _commit(self, jobs: Sequence[_Job]) -> None:
        tx = self._tx
        try:
            results = [self._do(job) for job in jobs]
            self._connection.execute("COMMIT")
        except BaseException as exc:
            if self._connection.in_transaction:
                tx.undo("ROLLBACK")
            self._committing = False
            _fail(jobs, exc)
            if not isinstance(exc, sqlite3.Error):
                raise
        else:
            self._sync(partial(self._kept, jobs, results))

    def _sync(self, done: Callable[[], None]) -> None:
        """Call back when what was committed is on disk."""
        if self._wal is None:
            done()
        else:
            self._is_syncing = True
            self._wal.sync(done)

    def _kept(self, jobs: Sequence[_Job], results: Sequence[Any]) -> None:
        """They are on disk: tell those who wait, let follow what is to follow, and go on with the next."""
        tx, loop = self._tx, asyncio.get_running_loop()
        self._is_syncing = self._committing = False
        for reader in self._readers:  # before the next commit begins
            if not reader.done():
                reader.set_result(None)
        self._readers.clear()
        for job, result in zip(jobs, results, strict=True):
            if not job.done.done():
                job.done.set_result(result)
        for after in tx.after:  # behind the answers, with which other processes go on meanwhile
            loop.call_soon(after)
        if tx.due:
            loop.call_soon(self._on_wake, tx.due)
        self._begin_soon()

    def _do(self, job: _Job) -> Any:
        """What the transaction returns; when it raises, it has done nothing, and is told so."""
        tx = self._tx
        due, after = dict(tx.due), len(tx.after)
        self._connection.execute("SAVEPOINT job")
        try:
            return job.work(tx)
        except Exception as exc:
            if not self._connection.in_transaction:
                raise  # SQLite has given up what the others have done, too
            tx.undo("ROLLBACK TO job")
            tx.due = due
            del tx.after[after:]
            _fail([job], exc)
        finally:
            if self._connection.in_transaction:
                self._connection.execute("RELEASE job")

    async def read(self, work: Callable[[SqliteTx], T]) -> T:
        await self._synced()
        try:
            return work(self._tx)
        except sqlite3.Error as exc:
            raise _told(exc) from exc

    async def _synced(self) -> None:
        """Wait until what was committed is on disk."""
        while self._is_syncing:
            reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._readers.append(reader)
            await reader

    async def listen(self, on_wake: Callable[[Collection[str]], None]) -> None:
        self._on_wake = on_wake  # nobody else works on the file
        self._open_wal()
        try:
            await checkpoints.beside(self._connection, partial(_connect, self._path, one_thread=False))
            await asyncio.Event().wait()
        finally:
            await self._close_wal()

    def _open_wal(self) -> None:
        """Wait for the disk beside the loop from now on, where the system can."""
        self._connection.execute("PRAGMA user_version")  # with the first read there is a log
        try:
            self._wal = Wal(self._path)
        except OSError as exc:
            log.info("commits wait for the disk one by one: %s", exc.strerror or exc)
        else:
            self._connection.execute("PRAGMA synchronous=NORMAL")

    async def _close_wal(self) -> None:
        """Let SQLite wait again."""
        if self._wal is not None:
            await self._synced()
            self._connection.execute("PRAGMA synchronous=FULL")
            self._wal.close()
            self._wal = None

    async def close(self) -> None:
        while jobs := [*self._jobs, *self._gathered]:
            await asyncio.wait([job.done for job in jobs])
        await self._synced()
        self._connection.close()


def _fail(jobs: Iterable[_Job], exc: BaseException) -> None:
    told = _told(exc)
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(told)


def _told(exc: BaseException) -> BaseException:
    """What is raised for it: `Unavailable` where it is the database's trouble, not a bug."""
    if isinstance(exc, sqlite3.Error) and _code(exc) in UNUSABLE:
        unavailable = Unavailable()
        unavailable.__cause__ = exc
        return unavailable
    return exc


def _code(exc: sqlite3.Error) -> int:
    """The primary result code."""
    code: int = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF


def _create(path: Path) -> None:
    """Where there is none. Not while it is open: to close a file gives up all locks of the process on it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # texts and numbers are nobody else's to read


def _connect(path: Path, one_thread: bool = True) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, cached_statements=256, check_same_thread=one_thread
    )
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
