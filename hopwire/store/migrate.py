"""Brings a database to the schema of this version, and opens stores by their address."""

from pathlib import Path

from hopwire.store import Store, sql
from hopwire.store.engine import Tx
from hopwire.store.postgres import PostgresEngine
from hopwire.store.sqlite import SqliteEngine

SCHEMA_VERSION = max(sql.migrations(), default=1)

_LOCK = "SELECT pg_advisory_xact_lock(4607182418)"  # so that several processes may start at once


class SchemaError(Exception):
    """The database is of another version than the program."""


def open_engine(url: str) -> SqliteEngine | PostgresEngine:
    """`sqlite:PATH` or `postgresql://…`."""
    scheme, _, path = url.partition(":")
    return SqliteEngine(Path(path)) if scheme == "sqlite" else PostgresEngine(url)


async def open_store(url: str) -> Store:
    """A store whose schema is that of this version; an empty database gets it, an older one is migrated."""
    engine = open_engine(url)
    await upgrade(engine)
    return Store(engine)


async def upgrade(engine: SqliteEngine | PostgresEngine) -> tuple[int, int]:
    """Migrate; the version before (0: empty) and after."""

    def work(tx: Tx) -> tuple[int, int]:
        if engine.dialect is sql.POSTGRES:
            tx.script([_LOCK])
        before = _version(tx)
        if before > SCHEMA_VERSION:
            raise SchemaError(
                f"the database has schema version {before}, this program knows {SCHEMA_VERSION}"
            )
        if before == 0:
            tx.script(sql.script("schema.sql", engine.dialect))
        for version, name in sql.migrations().items():
            if 0 < before < version:
                tx.script(sql.script(name, engine.dialect))
        if before < SCHEMA_VERSION:
            tx.script([f"UPDATE meta SET value = '{SCHEMA_VERSION}' WHERE name = 'schema_version'"])  # noqa: S608
        return before, SCHEMA_VERSION

    return await engine.write(work)


def _version(tx: Tx) -> int:
    if not tx.all("has_tables"):
        return 0
    return int(tx.all("schema_version")[0][0])
