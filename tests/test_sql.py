"""The statements, written once and read for two engines."""

import re
from pathlib import Path

import pytest

from hopwire import store
from hopwire.store import sql

BOTH = pytest.mark.parametrize("dialect", [sql.SQLITE, sql.POSTGRES], ids=["sqlite", "postgres"])
FOLDER = Path(store.__file__).parent


@BOTH
def test_nothing_of_the_notation_is_left_in_a_statement(dialect: sql.Dialect) -> None:
    texts = [s for name in ("queries.sql", "schema.sql") for s in sql.script(name, dialect)]
    texts += [text for s in sql.queries(dialect).values() for text in (s.named, s.positional)]
    assert not [text for text in texts if re.search(r"[{}]|--", text.replace("'{}'", ""))]  # JSON of nothing


def test_every_query_is_used_and_every_query_that_is_used_is_written() -> None:
    code = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.py"))
    called = set(re.findall(r"tx\.(?:all|run|many)\(\s*\"(\w+)\"", code))
    written = set(sql.queries(sql.SQLITE))
    named = set(re.findall(r"\"(\w+)\"", code))  # some verbs choose among queries by their names
    assert called <= written
    assert {name for name in written - named if not name.startswith("fsck_")} == set()  # by their prefix


def test_a_parameter_is_written_by_name_for_one_call_and_by_place_for_many() -> None:
    one = sql.queries(sql.SQLITE)["move_funds"]
    two = sql.queries(sql.POSTGRES)["move_funds"]
    assert one.named.endswith("balance = balance - :charged, reserved = reserved - :settled WHERE id = :id")
    assert one.positional.endswith("balance = balance - ?, reserved = reserved - ? WHERE id = ?")
    assert two.named.endswith("WHERE id = %(id)s")
    assert two.positional.endswith("WHERE id = %s")


def test_lists_and_locks_are_what_the_engine_has() -> None:
    assert sql.queries(sql.POSTGRES)["load_deliveries"].named.endswith(
        "WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE"
    )
    assert sql.queries(sql.SQLITE)["load_deliveries"].named.endswith(
        "WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id "
    )


def test_a_statement_for_sqlite_alone_is_in_no_other_script() -> None:
    name = sql.migrations()[6]
    assert [s.split()[0] for s in sql.script(name, sql.SQLITE)] == [
        "CREATE", "INSERT", "DROP", "ALTER", "CREATE", "CREATE",
    ]  # fmt: skip
    assert sql.script(name, sql.POSTGRES) == []


def test_only_a_plain_insert_can_be_copied() -> None:
    queries = sql.queries(sql.POSTGRES)
    assert queries["create_handle"].copy == (
        "COPY handles (provider_id, connector, message_id, step, part) FROM STDIN"
    )
    for name in ("add_to_balance", "create_account", "put_sender", "put_tariff", "take_ids"):
        assert queries[name].copy is None
