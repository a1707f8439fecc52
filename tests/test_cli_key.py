"""`hopwire key`: what keys may do, from where and for how long; and how one replaces another."""

from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine
from conftest import open_account

from hopwire.cli.console import Ending
from hopwire.store.audit import Audit
from hopwire.store.directory import Directory

TRAITS = (
    "--name", "till", "--scope", "send", "--scope", "read", "--address", "192.0.2.0/24",
    "--address", "2001:db8::1", "--expires", "2100-01-31T12:00+02:00", "--post-only",
)  # fmt: skip


@pytest.fixture
def shop(store_url: str, tmp_path: Path) -> CommandLine:
    """An operator's, with one account."""
    line = CommandLine(store_url, tmp_path)
    line.store(lambda store: open_account(Directory(store.engine), login="shop"))
    return line


def listed(shop: CommandLine) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in shop.does("key", "list")}


def test_a_key_is_listed_with_what_it_may_do(shop: CommandLine) -> None:
    (made,) = shop.does("key", "create", "shop", *TRAITS)
    (plain,) = shop.does("key", "create", "shop")
    rows = listed(shop)
    assert rows[made["id"]] == {
        "id": made["id"],
        "login": "shop",
        "key": made["key"][:12] + "…",
        "name": "till",
        "scopes": "read,send",
        "addresses": "192.0.2.0/24,2001:db8::1",
        "post_only": True,
        "valid": True,
        "expires": "2100-01-31T10:00:00Z",
        "revoked": False,
        "used": "",
        "in_url": "",
        "replaces": "",
    }
    assert [rows[plain["id"]][name] for name in ("scopes", "addresses", "post_only", "expires")] == [
        "balance,read,send",
        "",
        False,
        "",
    ]
    assert made["key"] not in str(rows)


def test_a_new_key_has_the_traits_of_the_one_that_it_replaces(shop: CommandLine) -> None:
    (made,) = shop.does("key", "create", "shop", *TRAITS)
    (new,) = shop.does("key", "rotate", str(made["id"]), "--overlap", "24h")
    assert (new["replaces"], new["key"][:8]) == (made["id"], "hw_live_")
    assert new["key"] != made["key"]
    old_row, new_row = listed(shop).values()
    same = ("login", "name", "scopes", "addresses", "post_only", "valid")
    assert [old_row[name] for name in same] == [new_row[name] for name in same]
    assert (new_row["expires"], new_row["replaces"]) == ("2100-01-31T10:00:00Z", made["id"])
    assert old_row["expires"] < new_row["expires"]


def test_there_are_two_at_a_time(shop: CommandLine) -> None:
    (first,) = shop.does("key", "create", "shop")
    (second,) = shop.does("key", "rotate", str(first["id"]))
    for one in (first, second):
        ending, said = shop.fails("key", "rotate", str(one["id"]))
        assert ending is Ending.REJECTED
        assert str({first["id"]: second, second["id"]: first}[one["id"]]["id"]) in said
    shop.does("key", "revoke", str(first["id"]))
    assert shop.fails("key", "rotate", str(first["id"]))[0] is Ending.NOT_FOUND
    (third,) = shop.does("key", "rotate", str(second["id"]), "--overlap", "0m", "--expires", "90d")
    valid = [row["id"] for row in listed(shop).values() if row["valid"]]
    assert valid == [third["id"]]
    assert listed(shop)[third["id"]]["expires"]


def test_a_key_whose_successor_was_lost_is_rotated_again(shop: CommandLine) -> None:
    (first,) = shop.does("key", "create", "shop")
    (lost,) = shop.does("key", "rotate", str(first["id"]))
    shop.does("key", "revoke", str(lost["id"]))
    (new,) = shop.does("key", "rotate", str(first["id"]), "--overlap", "7d")
    assert [row["id"] for row in listed(shop).values() if row["valid"]] == [first["id"], new["id"]]


def test_an_overlap_does_not_prolong_a_key(shop: CommandLine) -> None:
    (made,) = shop.does("key", "create", "shop", "--expires", "1h")
    before = listed(shop)[made["id"]]["expires"]
    shop.does("key", "rotate", str(made["id"]), "--overlap", "7d")
    assert {row["expires"] for row in listed(shop).values()} == {before}


def test_a_key_that_was_seen_in_a_url_is_told_of(shop: CommandLine) -> None:
    (made,) = shop.does("key", "create", "shop")
    assert "URL" not in shop.run("key", "list").stderr
    at = {1_800_000_000_000: [made["id"]]}
    shop.store(lambda store: Directory(store.engine).keys_seen(at, at))
    row = listed(shop)[made["id"]]
    assert row["used"] == row["in_url"] == "2027-01-15T08:00:00Z"
    assert "URL" in shop.run("key", "list").stderr
    shop.does("key", "revoke", str(made["id"]))
    assert "URL" not in shop.run("key", "list").stderr


def test_what_is_done_to_keys_is_in_the_audit_and_the_keys_are_not(shop: CommandLine) -> None:
    (made,) = shop.does("key", "create", "shop")
    (new,) = shop.does("key", "rotate", str(made["id"]))
    shop.does("key", "revoke", str(new["id"]))
    entries = shop.store(lambda store: Audit(store.engine).entries(4))
    assert [(one.action, one.object) for one in reversed(entries)] == [
        ("create key", f"key {made['id']}"),
        ("rotate key", f"key {made['id']}"),
        ("create key", f"key {new['id']}"),
        ("revoke key", f"key {new['id']}"),
    ]
    assert made["key"] not in str(entries)
    assert new["key"] not in str(entries)


@pytest.mark.parametrize(
    ("arguments", "ending", "word"),
    [
        pytest.param(("create", "nobody"), Ending.NOT_FOUND, "login", id="nobody's"),
        pytest.param(("create", "shop", "--scope", "all"), Ending.USAGE, "balance, read, send", id="a scope"),
        pytest.param(("create", "shop", "--address", "here"), Ending.USAGE, "here", id="an address"),
        pytest.param(
            ("create", "shop", "--address", "192.0.2.1/24"), Ending.USAGE, "network", id="a network"
        ),
        pytest.param(("create", "shop", "--expires", "soon"), Ending.USAGE, "soon", id="a date"),
        pytest.param(("create", "shop", "--expires", "2020-01-01"), Ending.USAGE, "over", id="a past date"),
        pytest.param(("rotate", "7"), Ending.NOT_FOUND, "key", id="no such key"),
        pytest.param(("rotate", "7", "--overlap", "day"), Ending.USAGE, "--overlap", id="an overlap"),
        pytest.param(("revoke", "7"), Ending.NOT_FOUND, "key", id="no such key to revoke"),
    ],
)
def test_a_mistake_is_said(shop: CommandLine, arguments: tuple[str, ...], ending: Ending, word: str) -> None:
    told = shop.fails("key", *arguments)
    assert told[0] is ending
    assert word in told[1]
    assert listed(shop) == {}
