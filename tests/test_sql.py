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
    assert two.named.endswith("balance = balance - $1, reserved = reserved - $2 WHERE id = $3")
    assert two.positional == two.named
    assert two.parameters == ("charged", "settled", "id")


def test_a_parameter_that_is_named_twice_has_one_number() -> None:
    claim = sql.queries(sql.POSTGRES)["claim"]
    assert claim.parameters == ("connector", "now", "worker", "n")
    assert "due_at <= $2 AND (worker IN ('', $3) OR status_at <= $2 - 30000)" in claim.named


def test_lists_and_locks_are_what_the_engine_has() -> None:
    assert sql.queries(sql.POSTGRES)["load_deliveries"].named.endswith(
        "WHERE id = ANY($1) ORDER BY id FOR UPDATE"
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


def test_a_plain_insert_and_an_update_by_id_are_done_for_many_rows_at_once() -> None:
    queries = sql.queries(sql.POSTGRES)
    assert sql.plural(queries["create_handle"].positional, ["text", "text", "int8", "int2", "int2"]) == (
        "INSERT INTO handles (provider_id, connector, message_id, step, part)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::int2[], $5::int2[])"
    )
    assert sql.plural(queries["move_funds"].positional, ["int8", "int8", "int8"]) == (
        "UPDATE accounts SET balance = balance - v.p1, reserved = reserved - v.p2"
        " FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS v (p1, p2, p3)"
        " WHERE id = v.p3 AND id = ANY($3::int8[])"
    )
    for name in ("create_account", "put_sender", "put_tariff", "reseal_totp", "drop_hold"):
        statement = queries[name]
        assert sql.plural(statement.positional, ["text"] * len(statement.parameters)) is None


def test_no_name_is_given_to_two_queries() -> None:
    names = re.findall(r"^-- name: (\w+)", (FOLDER / "queries.sql").read_text("utf-8"), re.MULTILINE)
    assert len(names) == len(set(names))
