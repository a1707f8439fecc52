"""SQLite: one process owns the file, and commits on the loop.

A commit takes a fraction of a millisecond and needs no hand-over to a thread; verbs are plural, so that all
that has come meanwhile shares it. `synchronous=FULL` with a write-ahead log: a commit is on disk when it
returns. Other processes (the command line) may write for a moment; a lock is waited for half a second.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from hopwire.errors import Unavailable
from hopwire.store import sql
from hopwire.store.engine import Row, T

BUSY_S = 0.5  # how long a write waits for another process; the loop goes on meanwhile
BUSY_PAUSE_S = 0.01
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=ON",  # what is deleted or forgotten is overwritten in the file, too
    "temp_store=MEMORY",
    "cache_size=-32000",  # KiB
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
        self.woken = False

    def all(self, name: str, /, **params: Any) -> list[Row]:
        return self._connection.execute(self._statements[name].named, _bound(params)).fetchall()

    def run(self, name: str, /, **params: Any) -> int:
        return self._connection.execute(self._statements[name].named, _bound(params)).rowcount

    def many(self, name: str, rows: Sequence[Row]) -> None:
        if rows:
            self._connection.executemany(self._statements[name].positional, rows)

    def script(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._connection.execute(statement)

    def wake(self) -> None:
        self.woken = True


def _bound(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as SQLite takes them: a list as JSON."""
    return params | {key: json.dumps(value) for key, value in params.items() if isinstance(value, list)}


class SqliteEngine:
    dialect = sql.SQLITE

    def __init__(self, path: Path) -> None:
        """Open the file, and create it and its folder where there is none."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(path)
        except (OSError, sqlite3.Error) as exc:
            raise Unavailable from exc
        self._tx = SqliteTx(self._connection)
        self._on_wake: Callable[[], None] = lambda: None

    async def write(self, work: Callable[[SqliteTx], T]) -> T:
        loop = asyncio.get_running_loop()
        patience = loop.time() + BUSY_S
        while not self._begin():
            if loop.time() > patience:
                raise Unavailable
            await asyncio.sleep(BUSY_PAUSE_S)
        return self._commit(work)

    def _begin(self) -> bool:
        """Open a transaction; False while another process is writing."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise Unavailable from exc
        return True

    def _commit(self, work: Callable[[SqliteTx], T]) -> T:
        try:
            self._tx.woken = False
            result = work(self._tx)
            self._connection.execute("COMMIT")
        except BaseException as exc:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if _unusable(exc):
                raise Unavailable from exc
            raise
        if self._tx.woken:
            self._on_wake()
        return result

    async def read(self, work: Callable[[SqliteTx], T]) -> T:
        try:
            return work(self._tx)
        except sqlite3.Error as exc:
            if _unusable(exc):
                raise Unavailable from exc
            raise

    async def listen(self, on_wake: Callable[[], None]) -> None:
        self._on_wake = on_wake  # nobody else works on the file
        await asyncio.Event().wait()

    async def close(self) -> None:
        self._connection.close()


def _unusable(exc: BaseException) -> bool:
    return getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in UNUSABLE


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # texts and numbers are nobody else's to read
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, cached_statements=256)
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
