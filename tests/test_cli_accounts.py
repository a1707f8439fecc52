"""The commands for customers: accounts, money, prices, sender names, the audit; and what they refuse."""

import csv
import json
import re
import tomllib
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import planted
import pytest
from command_line import CommandLine
from conftest import run_sql

from hopwire.cli.console import CommandError, Ending

PASSWORD = f"{planted.PASSWORD} battery"
MONTH = datetime.now(UTC).strftime("%Y-%m")


@pytest.fixture
def operator(store_url: str, tmp_path: Path) -> CommandLine:
    return at_work(store_url, tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> CommandLine:
    operator = at_work(f"sqlite:{tmp_path / 'hopwire.db'}", tmp_path)
    operator.does("account", "create", "shop")
    return operator


def at_work(url: str, folder: Path) -> CommandLine:
    line = CommandLine(url, folder)
    line.env["HOPWIRE_PASSWORD"] = PASSWORD
    return line


def prints(operator: CommandLine, *arguments: str, stdin: str = "") -> str:
    """What a command prints that must succeed."""
    ended = operator.run(*arguments, stdin=stdin)
    assert ended.exception is None, (ended.exception, ended.stderr)
    return ended.stdout


def changes(operator: CommandLine, *arguments: str, stdin: str) -> list[dict[str, Any]]:
    """What a command that reads standard input tells as JSON lines."""
    return operator.does(*arguments, stdin=stdin)


def test_a_customer_is_opened_changed_paused_and_closed(operator: CommandLine) -> None:
    operator.does("account", "create", "shop", "customer=Flower shop", "plan=gold", "low_balance=50")
    (shown,) = operator.does("account", "show", "shop")
    assert (shown["customer"], shown["plan"], shown["low_balance"]) == ("Flower shop", "gold", "50")
    (changed,) = operator.does("account", "set", "shop", "plan=", "type=promotional", "low_balance=")
    assert (changed["plan"], changed["type"], changed["low_balance"]) == ("", "promotional", "")
    assert changed["customer"] == "Flower shop"
    for command, status in (("pause", "paused"), ("close", "closed"), ("resume", "active")):
        assert operator.does("account", command, "shop") == [{"login": "shop", "status": status}]
    actions = [entry["action"] for entry in operator.does("audit", "list")]
    assert actions == ["change account"] * 4 + ["create account"]
    told = prints(operator, "audit", "list", "--limit", "1")
    assert re.fullmatch(
        r"5  \S+Z  \S+ \(command line on \S+\): change account, account 1\n    status: 0 -> 1\n", told
    )
    (whole,) = operator.does("audit", "verify")
    assert (whole["right"], whole["wrong"]) == (5, None)


def test_a_reseller_gives_money_to_its_sub_accounts_alone(small: CommandLine) -> None:
    small.does("account", "create", "reseller")
    (made,) = small.does("account", "create", "sub", "--reseller", "reseller")
    assert made["login"] == "sub"
    small.does("topup", "reseller", "100")
    (left,) = small.does("transfer", "reseller", "sub", "40", "--note", "May")
    assert left == {"login": "reseller", "spendable": "60", "currency": "UAH"}
    assert small.does("transfer", "sub", "reseller", "10")[0]["spendable"] == "30"
    assert small.fails("transfer", "reseller", "shop", "1")[0] is Ending.REJECTED
    assert small.fails("transfer", "reseller", "sub", "71") == (Ending.REJECTED, "Not enough money")
    assert small.fails("account", "create", "x", "--reseller", "sub")[0] is Ending.REJECTED
    subs = small.does("account", "list", "--reseller", "reseller")
    assert [(row["login"], row["balance"], row["reseller"]) for row in subs] == [("sub", "30", "reseller")]


def test_a_statement_has_every_movement_and_both_balances(small: CommandLine) -> None:
    small.does("topup", "shop", "100", "--note", "=cmd|' /C calc'!A0")
    small.does("adjust", "shop", "-7.5", "--note", "a wrong price")
    rows = list(csv.DictReader(StringIO(prints(small, "statement", "shop", MONTH))))
    assert [(row["kind"], row["amount"], row["balance"]) for row in rows] == [
        ("opening", "", "0"),
        ("topup", "100", "100"),
        ("adjustment", "-7.5", "92.5"),
        ("closing", "", "92.5"),
    ]
    assert rows[1]["note"] == "'=cmd|' /C calc'!A0", "a spreadsheet must not take it for a formula"
    assert small.does("statement", "shop", "2001-01")[-1]["balance"] == "0"
    assert small.fails("statement", "shop", "2026-13")[0] is Ending.USAGE
    books = {row["book"]: row["amount"] for row in small.does("books")}
    assert books == {"available": "92.5", "cash": "-100", "corrections": "7.5"}


PRICES = """\
list,channel,type,prefix,valid_from,price
,sms,,380,,0.8
,viber,transactional,,,0.3
plan:gold,sms,,380,2020-01-01,0.7
plan:gold,sms,,380,2099-01-01,0.9
account:shop,sms,,38050,,0.5
connector:smsc,sms,,380,,0.35
"""


def test_prices_come_from_a_file_and_go_into_one(small: CommandLine) -> None:
    shown = changes(small, "price", "import", "-", "--dry-run", stdin=PRICES)
    assert len(shown) == 6
    assert small.does("price", "list") == []
    assert changes(small, "price", "import", "-", stdin=PRICES) == shown
    written = prints(small, "price", "export")
    moments = {"2020-01-01": "2019-12-31T22:00:00Z", "2099-01-01": "2098-12-31T22:00:00Z"}
    expected = PRICES
    for local, utc in moments.items():
        expected = expected.replace(local, utc)
    assert sorted(written.splitlines()) == sorted(expected.splitlines())
    replacing = ("price", "import", "-", "--replace")
    assert changes(small, *replacing, stdin=written) == []
    fewer = PRICES.replace(",viber,transactional,,,0.3\n", "").replace("0.8", "0.85")
    told = [(row["channel"], row["before"], row["after"]) for row in changes(small, *replacing, stdin=fewer)]
    assert told == [("sms", "0.8", "0.85"), ("viber", "0.3", "")]


def test_what_a_number_costs_is_explained(small: CommandLine) -> None:
    changes(small, "price", "import", "-", stdin=PRICES)
    rows = small.does("price", "explain", "050 123 45 67", "--account", "shop")
    assert [(row["list"], row["price"], row["counts"]) for row in rows] == [
        ("account:shop", "0.5", True),
        ("", "0.8", False),
    ]
    small.does("account", "set", "shop", "plan=gold")
    (first, *_) = small.does("price", "explain", "067 123 45 67", "--account", "shop")
    assert (first["list"], first["price"]) == ("plan:gold", "0.7")
    assert small.fails("price", "explain", "+48501234567", "--account", "shop")[0] is Ending.NOT_FOUND


@pytest.mark.parametrize(
    ("row", "word"),
    [
        pytest.param(",pigeon,,380,,1", "line 3: channel", id="a channel"),
        pytest.param(",sms,urgent,380,,1", "line 3: type", id="a type"),
        pytest.param(",sms,,+380,,1", "line 3: a prefix", id="a prefix"),
        pytest.param(",sms,,380,soon,1", "line 3: 'soon'", id="a date"),
        pytest.param(",sms,,380,,much", "line 3: an amount", id="an amount"),
        pytest.param(",sms,,380,,-1", "line 3: a price", id="less than nothing"),
        pytest.param("account:nobody,sms,,380,,1", "line 3: list", id="an account"),
        pytest.param("gold,sms,,380,,1", "line 3: list", id="a list"),
        pytest.param(",sms,,48,,2", "line 3: this list", id="a row twice"),
    ],
)
def test_a_price_file_with_a_mistake_changes_nothing(small: CommandLine, row: str, word: str) -> None:
    text = f"list,channel,type,prefix,valid_from,price\n,sms,,48,,1\n{row}\n"
    ending, said = small.fails("price", "import", "-", stdin=text)
    assert ending is Ending.USAGE
    assert word in said
    assert small.does("price", "list") == []


def test_sender_names_have_states(small: CommandLine) -> None:
    small.does("account", "set", "shop", "any_sender=off")
    small.does("sender", "request", "shop", "Flowers", "--channel", "sms")
    (asked,) = small.does("sender", "list", "--state", "requested")
    assert (asked["account"], asked["name"], asked["channel"]) == ("shop", "Flowers", "sms")
    small.does("sender", "approve", "shop", "Flowers", "--channel", "sms", "--note", "contract 7")
    small.does("sender", "refuse", "shop", "Bank", "--note", "not theirs")
    states = {row["name"]: (row["state"], row["note"]) for row in small.does("sender", "list")}
    assert states == {"Flowers": ("approved", "contract 7"), "Bank": ("refused", "not theirs")}
    small.does("sender", "remove", "shop", "Bank")
    assert small.fails("sender", "remove", "shop", "Bank")[0] is Ending.NOT_FOUND


def test_accounts_come_from_a_file_and_go_into_one(small: CommandLine) -> None:
    small.does("account", "create", "reseller", "plan=wholesale")
    small.does("sender", "approve", "shop", "Flowers")
    written = prints(small, "account", "export")
    told = tomllib.loads(written)["accounts"]
    assert told["shop"]["senders"] == [{"name": "Flowers", "state": "approved"}]
    assert changes(small, "account", "import", "-", stdin=written) == []
    more = (
        written.replace('plan = ""', 'plan = "gold"')
        + '[accounts.new]\nreseller = "reseller"\ncredit = "5"\n'
    )
    shown = changes(small, "account", "import", "-", "--dry-run", stdin=more)
    assert {(row["account"], row["what"], row["after"]) for row in shown} == {
        ("shop", "plan", "gold"), ("new", "account", "created"), ("new", "credit_limit", "5000000"),
    }  # fmt: skip
    assert changes(small, "account", "import", "-", stdin=more) == shown
    assert changes(small, "account", "import", "-", stdin=more) == []
    (new,) = small.does("account", "show", "new")
    assert (new["credit"], new["reseller"]) == ("5", "reseller")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        pytest.param("[accounts", "Expected ']'", id="no TOML"),
        pytest.param("accounts = 5", "accounts: must be tables", id="no tables"),
        pytest.param("[accounts.shop]\nshoe = 44", "accounts.shop: shoe", id="a trait that is none"),
        pytest.param("[accounts.shop]\ncountry = 'XX'", "accounts.shop: country", id="a country"),
        pytest.param("[accounts.shop]\nstatus = 'asleep'", "accounts.shop: status", id="a status"),
        pytest.param("[accounts.shop]\ncurrency = 'EUR'", "accounts.shop: its currency", id="a currency"),
        pytest.param("[accounts.x]\nreseller = 'nobody'", "accounts.x: there is no", id="a reseller"),
        pytest.param("[accounts.x]\nsenders = [{state = 'approved'}]", "accounts.x: senders", id="a sender"),
    ],
)
def test_an_account_file_with_a_mistake_changes_nothing(small: CommandLine, text: str, word: str) -> None:
    ending, said = small.fails("account", "import", "-", stdin=text)
    assert ending is Ending.USAGE
    assert word in said
    assert len(said.splitlines()) == 1
    assert [row["login"] for row in small.does("account", "list")] == ["shop"]


def test_an_audit_that_was_tampered_with_is_told(small: CommandLine) -> None:
    run_sql(small.url, "UPDATE audit SET after = '{}'")
    ended = small.run("audit", "verify", "--json")
    assert isinstance(ended.exception, CommandError)
    assert ended.exception.ending is Ending.FAILURE
    assert json.loads(ended.stdout) == {"right": 0, "digest": "", "wrong": 1}
