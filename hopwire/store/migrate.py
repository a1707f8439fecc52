"""Brings a database to the schema of this version, and opens stores by their address."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Union

from hopwire.store import Store, sql
from hopwire.store.engine import Tx
from hopwire.store.memory import KEPT_MS
from hopwire.store.sqlite import SqliteEngine

if TYPE_CHECKING:
    from hopwire.store.postgres import PostgresEngine

AnyEngine = Union[SqliteEngine, "PostgresEngine"]

_LOCK = (  # so that several processes may start at once, however long the one that migrates takes
    "SET LOCAL lock_timeout = 0",
    "SELECT pg_advisory_xact_lock(4607182418)",
)


class SchemaError(Exception):
    """The database is of another version than the program."""


def open_engine(url: str) -> AnyEngine:
    """`sqlite:PATH` or `postgresql://…`."""
    scheme, _, path = url.partition(":")
    if scheme == "sqlite":
        return SqliteEngine(Path(path))
    from hopwire.store.postgres import PostgresEngine  # its import takes a tenth of a second

    return PostgresEngine(url)


async def open_store(url: str, remember_ms: int = KEPT_MS) -> Store:
    """A store whose schema is that of this version; an empty database gets it, an older one is migrated.

    `remember_ms` is `Store`'s. Raises SchemaError for a newer one, and Unavailable.
    """
    engine = open_engine(url)
    try:
        await upgrade(engine)
    except BaseException:
        await engine.close()
        raise
    return Store(engine, remember_ms)


async def upgrade(engine: AnyEngine) -> tuple[int, int]:
    """Migrate; the version before (0: empty) and after. Raises SchemaError for a newer database."""

    newest = max(sql.migrations(), default=1)

    def work(tx: Tx) -> tuple[int, int]:
        if engine.dialect is sql.POSTGRES:
            tx.script(_LOCK)
        before = _version(tx)
        if before > newest:
            raise SchemaError(f"the database has schema version {before}, this program knows {newest}")
        if before == 0:
            tx.script(sql.script("schema.sql", engine.dialect))
        for version, name in sql.migrations().items():
            if 0 < before < version:
                tx.script(sql.script(name, engine.dialect))
        if before < newest:
            tx.run("set_schema_version", value=str(newest))
        tx.run("name_installation", value=secrets.token_hex(4))  # unless it has a name
        return before, newest

    return await engine.write(work)


def _version(tx: Tx) -> int:
    if not tx.all("has_tables"):
        return 0
    return int(tx.all("schema_version")[0][0])
