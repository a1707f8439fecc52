"""PostgreSQL: transactions in a few threads, each with a connection of its own; NOTIFY wakes the workers.

Every statement has an index made for it. Without this said, a table that has grown since it was last analyzed
is read from end to end: a plan is chosen by statistics, and those of a new installation are a guess.

A transaction that met a deadlock or a serialization failure runs again, and so does one whose connection had
died before it began. One whose connection broke at the commit has an unknown outcome: it is reported as
unavailable, and nobody is told that it was done.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg.errors import DeadlockDetected, ReadOnlySqlTransaction, SerializationFailure

from hopwire.errors import Unavailable
from hopwire.store import sql
from hopwire.store.engine import Row, T

CHANNEL = "hopwire_due"
CONNECTIONS = 4
TRIES = 10
PATIENCE: dict[str, Any] = {  # seconds until a server that swallows packets counts as gone
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds
}
COPY_FROM_ROWS = 8  # below that, INSERTs in a pipeline cost less than a COPY
SETTINGS = (
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;"
    " SET synchronous_commit = on;"  # an id is a promise, whatever the server's default
    " SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'"  # not for ever
)


class PostgresTx:
    remembered = None  # there are other processes

    def __init__(self, connection: psycopg.Connection[Row], statements: dict[str, sql.Statement]) -> None:
        self._cursor = connection.cursor()
        self._statements = statements
        self.after: list[Callable[[], None]] = []

    def all(self, name: str, /, **params: Any) -> list[Row]:
        return self._cursor.execute(_sql(self._statements[name].named), params).fetchall()

    def run(self, name: str, /, **params: Any) -> int:
        return self._cursor.execute(_sql(self._statements[name].named), params).rowcount

    def many(self, name: str, rows: Sequence[Row]) -> None:
        statement = self._statements[name]
        if statement.copy and len(rows) >= COPY_FROM_ROWS:
            with self._cursor.copy(_sql(statement.copy)) as copy:
                for row in rows:
                    copy.write_row(row)
        elif rows:
            self._cursor.executemany(_sql(statement.positional), rows)

    def script(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._cursor.execute(_sql(statement))

    def wake(self) -> None:
        self._cursor.execute(_sql(f"NOTIFY {CHANNEL}"))


def _sql(text: str) -> Any:
    """Our statements come from our own files; nothing of a request is ever part of one."""
    return text


class PostgresEngine:
    dialect = sql.POSTGRES

    def __init__(self, url: str) -> None:
        """Take the address of the database; the connections are made when they are needed."""
        self._url = url
        self._statements = sql.queries(sql.POSTGRES)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="postgres")
        self._local = threading.local()
        self._open: list[psycopg.Connection[Row]] = []

    async def write(self, work: Callable[[PostgresTx], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._transact, work)

    async def read(self, work: Callable[[PostgresTx], T]) -> T:
        return await self.write(work)

    def _transact(self, work: Callable[[PostgresTx], T]) -> T:
        for attempt in range(TRIES):
            begun = False
            try:
                connection = self._connection()
                with connection.transaction():
                    begun = True
                    return work(PostgresTx(connection, self._statements))
            except (DeadlockDetected, SerializationFailure) as exc:
                if attempt == TRIES - 1:
                    raise Unavailable from exc
            except (psycopg.OperationalError, psycopg.InterfaceError, ReadOnlySqlTransaction) as exc:
                idle_died = self._drop() and not begun
                if not idle_died or attempt == TRIES - 1:
                    raise Unavailable from exc
        raise AssertionError("unreachable")

    def _connection(self) -> psycopg.Connection[Row]:
        connection: psycopg.Connection[Row] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = psycopg.connect(self._url, autocommit=True, **PATIENCE)
            connection.prepare_threshold = 2
            self._local.connection = connection
            self._open.append(connection)
            connection.execute(SETTINGS)
        return connection

    def _drop(self) -> bool:
        """Give up this thread's connection; whether there was one."""
        connection: psycopg.Connection[Row] | None = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            self._open.remove(connection)
            with contextlib.suppress(psycopg.Error):
                connection.close()
        return connection is not None

    async def listen(self, on_wake: Callable[[], None]) -> None:
        while True:
            with contextlib.suppress(psycopg.Error):
                connecting = psycopg.AsyncConnection.connect(self._url, autocommit=True, **PATIENCE)
                async with await connecting as connection:
                    await connection.execute(_sql(f"LISTEN {CHANNEL}"))
                    async for _ in connection.notifies():
                        on_wake()
            await asyncio.sleep(1)  # the server went away; the workers poll meanwhile

    async def close(self) -> None:
        self._threads.shutdown(wait=True)
        for connection in self._open:
            connection.close()
