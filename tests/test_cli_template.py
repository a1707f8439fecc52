"""The commands for templates, on both engines."""

import asyncio
import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hopwire.cli import template
from hopwire.cli.console import CommandError, Ending
from hopwire.model import Price
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook
from hopwire.templates import COLUMNS

SHOP = ("--sender", "Shop", "--language", "uk")
CODE = {
    "id": "2c01", "sender": "Shop", "language": "uk", "kind": "transaction", "state": "active",
    "text": "Code {{pin}}",
}  # fmt: skip
SALE = {**CODE, "id": "2c02", "kind": "promotion", "text": 'Sale, "big",\nof {{what}}; yes'}


class Operator:
    """Runs commands on one store."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._env = {"HOPWIRE__STORE__URL": url, "HOPWIRE__STORE__SECRET": "none is needed here"}

    def run(self, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(template.commands, arguments, env=self._env, input=stdin)

    def says(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; what it prints."""
        ended = self.run(*arguments, stdin=stdin)
        assert ended.exception is None, ended.exception
        return ended.stdout

    def does(self, *arguments: str, stdin: str = "") -> list[dict[str, Any]]:
        """Run a command that must succeed; the JSON lines it prints."""
        return [json.loads(line) for line in self.says(*arguments, "--json", stdin=stdin).splitlines()]

    def fails(self, *arguments: str, stdin: str = "") -> tuple[Ending, str]:
        """Run a command that must not succeed; how it ends, and what it says."""
        ended = self.run(*arguments, stdin=stdin)
        assert isinstance(ended.exception, CommandError), ended.output
        assert not ended.stdout
        return ended.exception.ending, str(ended.exception)

    def set_prices(self, *prices: Price) -> None:
        async def work() -> None:
            store = await open_store(self._url)
            await PriceBook(store.engine).put(prices)
            await store.close()

        asyncio.run(work())


@pytest.fixture
def operator(store_url: str) -> Operator:
    made = Operator(store_url)
    made.set_prices()
    return made


# ---- by hand


def test_templates_are_added_listed_and_removed(operator: Operator) -> None:
    assert operator.does("add", "2c01", "Code {{pin}}", *SHOP) == [CODE]
    (sale,) = operator.does("add", "2c02", "-", *SHOP, "--kind", "promotion", stdin=f"{SALE['text']}\n")
    assert sale == SALE
    assert operator.does("list") == [CODE, SALE]
    assert operator.does("list", "--sender", "Bank") == []
    head, *lines = operator.says("list").splitlines()
    assert (head.split(), len(lines)) == (list(CODE), 2)
    assert operator.does("remove", "2c01") == [{"id": "2c01", "removed": True}]
    assert operator.does("list") == [SALE]


def test_a_template_is_added_in_place_of_another(operator: Operator) -> None:
    operator.does("add", "2c01", "Old {{pin}}", *SHOP, "--kind", "promotion")
    operator.does("add", "2c01", "Code {{pin}}", *SHOP)
    assert operator.does("list") == [CODE]


def test_a_template_is_paused_and_resumed(operator: Operator) -> None:
    operator.does("add", "2c01", "Code {{pin}}", *SHOP)
    operator.does("add", "2c01", "Code {{pin}}", "--sender", "Shop", "--language", "en")
    assert operator.does("pause", "2c01", "--language", "uk") == [{"id": "2c01", "state": "paused"}]
    assert [row["state"] for row in operator.does("list")] == ["active", "paused"]
    assert operator.does("match", "Code 7", "--sender", "Shop")[0]["language"] == "en"
    assert operator.does("resume", "2c01") == [{"id": "2c01", "state": "active"}]
    assert [row["state"] for row in operator.does("list")] == ["active", "active"]


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        pytest.param(("add", "2c01", "{{pin}}", *SHOP), Ending.USAGE, id="a variable alone"),
        pytest.param(("add", "2c01", "Hi", *SHOP, "--kind", "otp"), Ending.USAGE, id="no such kind"),
        pytest.param(("remove", "2c01"), Ending.NOT_FOUND, id="nothing to remove"),
        pytest.param(("pause", "2c01", "--sender", "Shop"), Ending.NOT_FOUND, id="nothing to pause"),
        pytest.param(("resume", "2c01"), Ending.NOT_FOUND, id="nothing to resume"),
        pytest.param(("match", "Hi", "--sender", "Shop"), Ending.NOT_FOUND, id="no template matches"),
        pytest.param(("match", "Hi", "--sender", "Shop", "--to", "7"), Ending.USAGE, id="no phone number"),
        pytest.param(("import", "/nowhere.csv"), Ending.NOT_FOUND, id="no such file"),
    ],
)
def test_a_mistake_has_its_exit_code(operator: Operator, arguments: tuple[str, ...], ending: Ending) -> None:
    assert operator.fails(*arguments)[0] is ending


# ---- matching


def test_what_a_text_goes_as_is_told_with_its_price(operator: Operator) -> None:
    operator.does("add", "2c01", "Code {{pin}}", *SHOP)
    told = {"id": "2c01", "language": "uk", "kind": "transaction", "parameters": {"pin": "12 34"}}
    assert operator.does("match", "-", "--sender", "Shop", stdin="Code 12 34\n") == [told]
    asked = ("match", "Code 12 34", "--sender", "Shop", "--to", "+380501234567")
    assert operator.does(*asked) == [{**told, "price": ""}]
    operator.set_prices(Price("viber", "", 400_000))
    assert operator.does(*asked) == [{**told, "price": "0.4"}]
    operator.set_prices(Price("viber", "380", 100_000, "transactional"))
    assert operator.does(*asked) == [{**told, "price": "0.1"}]
    assert operator.says(*asked).splitlines() == [
        "id: 2c01", "language: uk", "kind: transaction", "{{pin}}: 12 34", "price: 0.1",
    ]  # fmt: skip


def test_a_stranger_s_value_tells_the_terminal_nothing(operator: Operator) -> None:
    operator.does("add", "2c01", "Code {{pin}}", *SHOP)
    said = operator.says("match", "Code 1\n\x1b[2J", "--sender", "Shop")
    assert said.splitlines()[-1] == "{{pin}}: 1  [2J"


# ---- many


def as_csv(*rows: dict[str, str], delimiter: str = ",", columns: tuple[str, ...] = COLUMNS) -> str:
    told = StringIO()
    table = csv.DictWriter(told, columns, delimiter=delimiter, extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    return told.getvalue()


def counts(added: int, changed: int, same: int, dry_run: bool = False) -> list[dict[str, int]]:
    return [{"added": added, "changed": changed, "same": same, "dry_run": dry_run}]


def test_what_was_exported_is_imported_as_it_was(operator: Operator) -> None:
    paused = {**CODE, "id": "2c03", "state": "paused"}
    assert operator.does("import", "-", stdin=as_csv(CODE, SALE, paused)) == counts(3, 0, 0)
    exported = operator.says("export")
    assert operator.does("import", "-", stdin=exported) == counts(0, 0, 3)
    for row in (CODE, SALE, paused):
        operator.does("remove", row["id"])
    assert operator.does("import", "-", stdin=exported) == counts(3, 0, 0)
    assert operator.does("list") == [CODE, SALE, paused]


def test_a_dry_run_tells_and_changes_nothing(operator: Operator) -> None:
    operator.does("import", "-", stdin=as_csv(CODE, SALE))
    more = as_csv({**CODE, "text": "New {{pin}}"}, SALE, {**SALE, "language": "en"})
    assert operator.does("import", "-", "--dry-run", stdin=more) == counts(1, 1, 1, dry_run=True)
    assert operator.does("list") == [CODE, SALE]
    assert operator.does("import", "-", stdin=more) == counts(1, 1, 1)
    assert len(operator.does("list")) == 3


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(as_csv(CODE, SALE, delimiter=";"), id="with semicolons"),
        pytest.param("\ufeff" + as_csv(CODE, SALE), id="with a byte order mark"),
        pytest.param(as_csv(CODE, SALE, columns=COLUMNS[::-1]), id="in another order"),
        pytest.param(
            as_csv(CODE, SALE, columns=tuple(c for c in COLUMNS if c != "state")),
            id="without a state",
        ),
    ],
)
def test_a_file_may_be_written_otherwise(operator: Operator, written: str, tmp_path: Path) -> None:
    file = tmp_path / "templates.csv"
    file.write_text(written, "utf-8", newline="")
    assert operator.does("import", str(file)) == counts(2, 0, 0)
    assert operator.does("list") == [CODE, SALE]


@pytest.mark.parametrize(
    ("written", "word"),
    [
        pytest.param("", "columns", id="nothing"),
        pytest.param("id,text\n1,a\n", "columns", id="columns left out"),
        pytest.param(as_csv(CODE, {**SALE, "kind": "otp"}), "line 4: the kind", id="a kind that is none"),
        pytest.param(as_csv(CODE, {**CODE, "state": "off"}), "line 3: the state", id="a state that is none"),
        pytest.param(as_csv(CODE, SALE, CODE), "line 5: this id", id="one twice"),
        pytest.param(as_csv(CODE) + "2c03,Shop\n", "line 3: there are fewer", id="a short row"),
        pytest.param(as_csv(CODE) + '"2c03"x,Shop\n', "line 3: ", id="no CSV"),
    ],
)
def test_a_file_with_a_mistake_changes_nothing(operator: Operator, written: str, word: str) -> None:
    ending, said = operator.fails("import", "-", stdin=written)
    assert ending is Ending.USAGE
    assert word in said
    assert operator.does("list") == []


def test_a_file_of_another_encoding_is_refused(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "templates.csv"
    file.write_bytes(as_csv({**CODE, "text": "Код {{pin}}"}).encode("cp1251"))
    assert operator.fails("import", str(file))[0] is Ending.USAGE
