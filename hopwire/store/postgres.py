"""PostgreSQL: transactions on the loop, each over one of a few connections; NOTIFY wakes the workers.

A transaction is a plain function that has to wait midway: it runs in a greenlet, which is left while the
server works. What it does not look at leaves with what it does, see pipeline.py.

Every statement has an index made for it. Without this said, a table that has grown since it was last analyzed
is read from end to end: a plan is chosen by statistics, and those of a new installation are a guess. For the
same reason what writes is planned once, whatever the values. Searches are planned for theirs.

A transaction that met a deadlock or a serialization failure runs again, and so does one that finds out that
its connection had died before. One whose connection broke at the commit has an unknown outcome.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from greenlet import getcurrent, greenlet
from psycopg.abc import PQGen
from psycopg.errors import (
    DeadlockDetected,
    InFailedSqlTransaction,
    ReadOnlySqlTransaction,
    SerializationFailure,
)
from psycopg.waiting import wait_async

from hopwire.errors import OutcomeUnknown, Unavailable
from hopwire.store import sql
from hopwire.store.engine import Row, T
from hopwire.store.pipeline import Outcome, Pipeline

CHANNEL = "hopwire_due"
CONNECTIONS = 4
TRIES = 10
SHUT_DOWN = "57P"  # class of error codes, https://www.postgresql.org/docs/current/errcodes-appendix.html
PAUSE_S = 5  # psycopg wants to look up from time to time
PATIENCE: dict[str, Any] = {  # seconds until a server that swallows packets counts as gone
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds
}
SETTINGS = (
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;"
    " SET synchronous_commit = on;"  # an id is a promise, whatever the server's default
    " SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'"  # not for ever
)
ONE_PLAN = "SET LOCAL plan_cache_mode = force_generic_plan"

Plurals = dict[str, str | None]  # of statements by name: for many rows; None: each row is one statement


class PostgresTx:
    remembered = None  # there are other processes

    def __init__(self, pipeline: Pipeline, statements: Mapping[str, sql.Statement], plurals: Plurals) -> None:
        self._pipeline = pipeline
        self._statements = statements
        self._plurals = plurals
        self.after: list[Callable[[], None]] = []
        self.answered = False  # the server has, since this began
        self.committing = False

    def all(self, name: str, /, **params: Any) -> list[Row]:
        return self.ask(*self._filled(name, params)).rows

    def ahead(self, name: str, /, **params: Any) -> list[Row]:
        return self._pipeline.send_ahead(*self._filled(name, params))

    def run(self, name: str, /, **params: Any) -> int:
        return self.ask(*self._filled(name, params)).changed

    def many(self, name: str, rows: Sequence[Row]) -> None:
        plural = self._plural(name) if len(rows) > 1 else None
        if plural and (plural.startswith("INSERT") or len({row[-1] for row in rows}) == len(rows)):  # the ids
            self._pipeline.send(plural, [list(column) for column in zip(*rows, strict=True)])
        else:
            for row in rows:
                self._pipeline.send(self._statements[name].positional, row)

    def script(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self.ask(statement)

    def wake(self, connectors: Iterable[str], now: int) -> None:
        self._pipeline.send(f"NOTIFY {CHANNEL}")

    def due_by(self, connector: str, now: int) -> int:
        return now

    def settle(self, connector: str) -> None:
        """Another worker may have been told already."""

    def ask(self, text: str, params: Sequence[Any] = ()) -> Outcome:
        """What comes of a statement that has no name."""
        self._pipeline.send(text, params)
        return self._wait(self._pipeline.outcome())

    def whole(self, work: Callable[["PostgresTx"], T]) -> T:
        """Run `work` and commit; when anything fails, undo all of it."""
        self._pipeline.send("BEGIN")
        self._pipeline.send(ONE_PLAN)
        try:
            result = work(self)
            self.committing = True
            if self.ask("COMMIT").done != b"COMMIT":
                raise InFailedSqlTransaction
        except Exception:
            with contextlib.suppress(psycopg.Error):
                self._wait(self._pipeline.rollback())
            raise
        return result

    def _filled(self, name: str, params: dict[str, Any]) -> tuple[str, list[Any]]:
        """A statement by its name, and its parameters in their order."""
        statement = self._statements[name]
        return statement.named, [params[one] for one in statement.parameters]

    def _plural(self, name: str) -> str | None:
        if name not in self._plurals:
            text = self._statements[name].positional
            self._plurals[name] = sql.plural(text, self._wait(self._pipeline.types(text)))
        return self._plurals[name]

    def _wait(self, exchange: PQGen[T]) -> T:
        """Leave the greenlet until this has taken place."""
        parent = getcurrent().parent
        assert parent is not None
        result: T = parent.switch(exchange)
        self.answered = True
        return result


async def _drive(work: Callable[[], T], socket: int) -> T:
    """Run `work` in a greenlet, and wait on the loop for what it waits for."""
    running = greenlet(work)
    asked = running.switch()
    while not running.dead:
        try:
            answer = await wait_async(asked, socket, PAUSE_S)
        except psycopg.Error as exc:
            asked = running.throw(exc)
        else:
            asked = running.switch(answer)
    result: T = asked
    return result


def _says_nothing(exc: psycopg.Error) -> bool:
    """Whether it does not tell what became of a commit: the connection broke, or the server is shut down."""
    return exc.sqlstate is None or exc.sqlstate.startswith(SHUT_DOWN)


class PostgresEngine:
    dialect = sql.POSTGRES

    def __init__(self, url: str) -> None:
        """Take the address of the database; the connections are made when they are needed."""
        self._url = url
        self._statements = sql.queries(sql.POSTGRES)
        self._plurals: Plurals = {}
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Pipeline] = []
        self._running: set[asyncio.Task[Any]] = set()

    async def write(
        self, work: Callable[[PostgresTx], T], *, at_leisure: bool = False, last: bool = False
    ) -> T:
        return await self._do(lambda tx: tx.whole(work))

    async def read(self, work: Callable[[PostgresTx], T]) -> T:
        return await self._do(work)

    async def _do(self, work: Callable[[PostgresTx], T]) -> T:
        """Have it done in a task of its own: a caller who goes away does not leave it half done."""
        task = asyncio.ensure_future(self._persist(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _persist(self, work: Callable[[PostgresTx], T]) -> T:
        async with self._places:
            for _ in range(TRIES):
                pipeline = await self._take()
                tx = PostgresTx(pipeline, self._statements, self._plurals)
                try:
                    result = await _drive(lambda tx=tx: work(tx), pipeline.socket)  # type: ignore[misc]
                except (DeadlockDetected, SerializationFailure) as exc:
                    failure: psycopg.Error = exc
                except (psycopg.OperationalError, psycopg.InterfaceError, ReadOnlySqlTransaction) as exc:
                    await pipeline.close()
                    if tx.committing and _says_nothing(exc):
                        raise OutcomeUnknown from exc
                    if tx.answered or tx.committing:
                        raise Unavailable from exc
                    failure = exc  # the connection had died while it lay idle
                else:
                    for after in tx.after:
                        after()
                    return result
                finally:
                    await self._give_back(pipeline)
            raise Unavailable from failure

    async def _take(self) -> Pipeline:
        if self._idle:
            return self._idle.pop()
        try:
            connecting = psycopg.AsyncConnection.connect(self._url, autocommit=True, **PATIENCE)
            connection = await connecting
            await connection.execute(SETTINGS)
        except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
            raise Unavailable from exc
        return Pipeline(connection)

    async def _give_back(self, pipeline: Pipeline) -> None:
        if pipeline.usable:
            self._idle.append(pipeline)
        else:
            await pipeline.close()

    async def listen(self, on_wake: Callable[[Collection[str]], None]) -> None:
        while True:
            with contextlib.suppress(psycopg.Error):
                connecting = psycopg.AsyncConnection.connect(self._url, autocommit=True, **PATIENCE)
                async with await connecting as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    async for _ in connection.notifies():
                        on_wake(())
            await asyncio.sleep(1)  # the server went away; the workers poll meanwhile

    async def close(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
        for pipeline in self._idle:
            await pipeline.close()
