"""A connection to PostgreSQL of which statements leave in a pipeline.

A statement is sent with the next one whose outcome is looked at: a transaction costs as many round trips as
it looks at outcomes, and one for its commit. An error is told there; what was sent behind the statement that
met it, a COMMIT too, has not been done.

psycopg makes the connection, tells when a socket is to be waited for, and reads rows. Its cursors are passed
by: through one, a statement with four arrays of 32 values costs this process five times as much.
"""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from hopwire.store import sql
from hopwire.store.engine import Row

BIGINT = 20  # its number in pg_type
FAILED = {ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE, ExecStatus.NONFATAL_ERROR}


class Outcome(NamedTuple):
    """What came of the statement that was sent last."""

    rows: list[Row]
    changed: int  # how many rows
    done: bytes | None  # what the server says that it was: COMMIT, or ROLLBACK in its place


class Pipeline:
    """Statements go in by `send` and leave by the generators, which psycopg's waiting functions drive."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Take a connection that has no transaction; nothing else may use it from now on."""
        self.connection = connection
        self._wire = connection.pgconn
        self._wire.enter_pipeline_mode()
        self._reader = Transformer(connection)
        self._prepared: dict[str, bytes] = {}  # statement -> its name at the server
        self._new: list[str] = []  # statements of which it is not known yet whether they could be prepared
        self._names = 0  # how many there have been; one that failed may be there all the same
        self._sent = 0
        self._ahead: list[tuple[int, list[Row]]] = []  # places among those sent, and where their rows go

    @property
    def usable(self) -> bool:
        """Whether the connection is there, as far as is known, and no transaction is open."""
        return self._wire.transaction_status == TransactionStatus.IDLE

    @property
    def socket(self) -> int:
        return self._wire.socket

    def send(self, text: str, params: Sequence[Any] = ()) -> None:
        """Put a statement, with its parameters as $1, $2 …, behind those that wait to leave."""
        name = self._prepare(text, [_type(value) for value in params])
        self._wire.send_query_prepared(name, [_dumped(value) for value in params])
        self._sent += 1

    def send_ahead(self, text: str, params: Sequence[Any] = ()) -> list[Row]:
        """As `send`; its rows come into this list with the next outcome."""
        rows: list[Row] = []
        self.send(text, params)
        self._ahead.append((self._sent - 1, rows))
        return rows

    def outcome(self) -> PQGen[Outcome]:
        """Let leave what waits, and raise the error that it has met; else tell of the last statement."""
        result = yield from self._exchange()
        return Outcome(self._rows(result), result.command_tuples or 0, result.command_status)

    def rollback(self) -> PQGen[None]:
        """Undo the transaction, whatever of it has left."""
        if self._sent:
            with contextlib.suppress(psycopg.Error):
                yield from self._exchange()
        self.send("ROLLBACK")
        yield from self._exchange()

    async def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            await self.connection.close()

    def types(self, text: str) -> PQGen[list[str]]:
        """What the server takes the statement's parameters for."""
        self._wire.send_describe_prepared(self._prepare(text, ()))
        self._sent += 1
        described = yield from self._exchange()
        known = self.connection.adapters.types
        return [known[described.param_type(i)].name for i in range(described.nparams)]

    def _prepare(self, text: str, types: Sequence[int]) -> bytes:
        name = self._prepared.get(text)
        if name is None:
            self._names += 1
            name = self._prepared[text] = b"%d" % self._names
            self._new.append(text)
            self._wire.send_prepare(name, text.encode(), types)
            self._sent += 1
        return name

    def _exchange(self) -> PQGen[PGresult]:
        self._wire.pipeline_sync()
        sent, self._sent = self._sent, 0
        ahead, self._ahead = self._ahead, []
        yield from generators.send(self._wire)
        results: list[PGresult] = []
        for _ in range(sent + 1):  # each has one, and the end of the pipeline
            results += yield from generators.fetch_many(self._wire)
        self._check(results)
        if len(results) <= sent:
            raise psycopg.OperationalError("the connection was lost")
        self._new.clear()
        for place, rows in ahead:
            rows.extend(self._rows(results[place]))
        return results[-2]

    def _rows(self, result: PGresult) -> list[Row]:
        self._reader.set_pgresult(result)
        return self._reader.load_rows(0, result.ntuples, tuple)

    def _check(self, results: Iterable[PGresult]) -> None:
        for result in results:
            if result.status in FAILED:
                for text in self._new:
                    del self._prepared[text]
                self._new.clear()
                raise psycopg.errors.error_from_result(result, self.connection.info.encoding)


def _type(value: Any) -> int:
    """As what a parameter is sent; 0: the statement tells."""
    return BIGINT if isinstance(value, int) else 0


def _dumped(value: Any) -> bytes | None:
    """As text, which the server reads as what the statement wants."""
    if value is None:
        return None
    text = (sql.array(value) if isinstance(value, list) else str(value)).encode()
    if 0 in text:
        raise psycopg.DataError("a text for PostgreSQL cannot contain NUL")
    return text
