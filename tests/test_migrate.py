"""A database comes to the schema of this version, from nothing or from an older one."""

import asyncio
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import psycopg
import pytest
from conftest import Postgres, open_account, run_sql

from hopwire.store import Store, sql
from hopwire.store.directory import Directory
from hopwire.store.migrate import SchemaError, open_engine, open_store, upgrade

CURRENT = max(sql.migrations(), default=1)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without tables, on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:{request.getfixturevalue('tmp_path')}/below/hopwire.db"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as url:
            yield url


async def migrate(url: str) -> tuple[int, int]:
    engine = open_engine(url)
    try:
        return await upgrade(engine)
    finally:
        await engine.close()


async def test_an_empty_database_gets_the_schema_and_a_current_one_stays(empty_url: str) -> None:
    assert await migrate(empty_url) == (0, CURRENT)
    assert await migrate(empty_url) == (CURRENT, CURRENT)
    store = await open_store(empty_url)
    assert await Directory(store.engine).accounts() == []
    await store.close()


async def test_a_database_of_a_newer_program_is_left_alone(store: Store, store_url: str) -> None:
    run_sql(store_url, "UPDATE meta SET value = '9999' WHERE name = 'schema_version'")
    with pytest.raises(SchemaError, match=f"schema version 9999, this program knows {CURRENT}"):
        await open_store(store_url)
    assert run_sql(store_url, "SELECT value FROM meta WHERE name = 'schema_version'") == [("9999",)]


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> int:
    """A program with one migration more than ours."""
    version, text, name = CURRENT + 1, sql._text, "migrations/made_up.sql"
    script = "ALTER TABLE accounts ADD COLUMN shoe_size BIGINT;\nUPDATE accounts SET shoe_size = 44;"
    monkeypatch.setattr(sql, "_text", lambda asked: script if asked == name else text(asked))
    monkeypatch.setattr(sql, "migrations", lambda: {version: name})
    return version


async def test_an_older_database_is_migrated_and_keeps_what_is_in_it(
    store: Store, store_url: str, next_version: int
) -> None:
    await open_account(Directory(store.engine), money=5)
    assert await migrate(store_url) == (CURRENT, next_version)
    assert await migrate(store_url) == (next_version, next_version)
    assert run_sql(store_url, "SELECT balance, shoe_size FROM accounts") == [(5, 44)]


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    store: Store, store_url: str, next_version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sql._text
    monkeypatch.setattr(sql, "_text", lambda name: f"{text(name)}; SELECT 1 FROM nothing;")  # noqa: S608
    with pytest.raises(Exception, match="nothing"):
        await migrate(store_url)
    assert run_sql(store_url, "SELECT value FROM meta WHERE name = 'schema_version'") == [(str(CURRENT),)]
    with pytest.raises(Exception, match="shoe_size"):
        run_sql(store_url, "SELECT shoe_size FROM accounts")


async def test_several_processes_may_migrate_at_once(postgres: Postgres) -> None:
    with postgres.database() as url:
        versions = await asyncio.gather(*(migrate(url) for _ in range(4)))
    assert sorted(versions) == [(0, CURRENT)] + [(CURRENT, CURRENT)] * 3


OLD_SCHEMAS = {n: Path(__file__).parent / f"schema_{n}.sql" for n in (1, 2)}  # as each version made them
CATALOGUE = {
    "sqlite": (
        "SELECT m.name, c.* FROM sqlite_master m, pragma_table_info(m.name) c ORDER BY 1, 2",
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' ORDER BY 1, 2",
    ),
    "postgresql": (
        "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    ),
}


def schema(url: str) -> list[object]:
    """The tables, columns and indexes of a database, and what the schema itself puts into it."""
    told = [run_sql(url, question) for question in CATALOGUE[url.partition(":")[0]]]
    return [
        *told,
        run_sql(url, "SELECT name FROM counters ORDER BY 1"),
        run_sql(url, "SELECT name FROM meta ORDER BY 1"),
    ]


@pytest.fixture
def old_url(store_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without tables on the engine of the store."""
    if store_url.startswith("sqlite:"):
        yield store_url.replace("hopwire.db", "old.db")
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield url


@pytest.mark.parametrize("version", OLD_SCHEMAS)
async def test_a_database_of_an_older_version_becomes_one_of_this_version(
    old_url: str, store_url: str, store: Store, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        text, old = sql._text, str(OLD_SCHEMAS[version])
        before.setattr(sql, "_text", lambda name: text(old if name == "schema.sql" else name))
        before.setattr(sql, "migrations", lambda: {version: "schema.sql"})
        assert await migrate(old_url) == (0, version)
    run_sql(old_url, "INSERT INTO sender_names (account_id, name) VALUES (1, 'Shop')")
    run_sql(
        old_url,
        "INSERT INTO receipts (received_at, connector, provider_id, recipient, outcome, code, fault, raw)"
        " VALUES (1, 'smsc', 'a1', '', 3, '', '', '')",
    )
    run_sql(old_url, "INSERT INTO prices VALUES ('viber', '380', 5), ('viber-transaction', '380', 4)")
    run_sql(
        old_url, "INSERT INTO ledger (at, account_id, kind, amount, note) VALUES (1, 1, 'topup', 7, 'paid')"
    )
    assert await migrate(old_url) == (version, CURRENT)
    assert schema(old_url) == schema(store_url)
    assert run_sql(old_url, "SELECT name, state FROM senders") == [("Shop", "approved")]
    assert run_sql(old_url, "SELECT channel, type, price FROM tariffs ORDER BY 2") == [
        ("viber", "", 5),
        ("viber", "transactional", 4),
    ]
    assert run_sql(old_url, "SELECT kind, amount, note FROM ledger") == [("topup", 7, "paid")]
    assert run_sql(old_url, "SELECT provider_id, also FROM receipts") == [("a1", "[]")]
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.CheckViolation)):
        run_sql(old_url, "INSERT INTO ledger (at, account_id, kind, amount) VALUES (1, 1, 'gift', 7)")


@pytest.mark.parametrize(
    ("name", "version"), [("0002_more.sql", 2), ("0117_x.sql", 117), ("2_x.sql", None), ("0003.txt", None)]
)
def test_a_migration_is_known_by_its_number(
    name: str, version: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / name).write_text("")
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    assert sql.migrations() == ({version: f"migrations/{name}"} if version else {})
