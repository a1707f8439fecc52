"""The commands for what comes in, stop lists, numbers of ours and connectors, on both engines."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import typer
from conftest import open_account, run_sql
from msgspec.structs import replace
from test_inbox import incoming
from test_store_connectors import DOWN, UP
from test_store_receipts import receipt
from typer.testing import CliRunner, Result

from hopwire.admission import now_ms
from hopwire.cli import connector, hold, inbox, limits, notice, number
from hopwire.cli.console import CommandError, Ending, new_commands
from hopwire.model import ConnectorState, Outcome
from hopwire.store import Store
from hopwire.store.connectors import Connectors
from hopwire.store.directory import Directory
from hopwire.store.inbox import Inbox
from hopwire.store.migrate import open_store

T = TypeVar("T")

SETTINGS = """
[connectors.operator]
kind = "smpp"
host = "smsc.example.net"
port = 2776
system_id = "hopwire"
password = "secret"

[connectors.viber]
kind = "viber"
service_ids = { "*" = 1 }
callback_secret = "0123456789abcdef"
"""


def commands() -> typer.Typer:
    app = new_commands()
    account = new_commands()
    account.add_typer(inbox.number, name="number")
    account.command("limit")(limits.limit)
    app.add_typer(account, name="account")
    app.add_typer(hold.commands, name="hold")
    app.add_typer(inbox.message, name="message")
    app.add_typer(notice.commands, name="notice")
    app.add_typer(number.commands, name="number")
    app.add_typer(inbox.stoplist, name="stoplist")
    app.add_typer(connector.commands, name="connector")
    return app


class Operator:
    """Runs commands on one store."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._config = folder / "hopwire.toml"
        self._config.write_text(SETTINGS)
        self._secret = folder / "secret"

    def run(self, *arguments: str) -> Result:
        env = {
            "HOPWIRE__STORE__URL": self._url,
            "HOPWIRE__STORE__SECRET_FILE": str(self._secret),
            "HOPWIRE_CONFIG": str(self._config),
        }
        return CliRunner().invoke(commands(), arguments, env=env)

    def does(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command that must succeed; the JSON lines it prints."""
        ended = self.run(*arguments, "--json")
        assert ended.exception is None, ended.exception
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def says(self, *arguments: str) -> str:
        """Run a command that must succeed; what it prints for a person."""
        ended = self.run(*arguments)
        assert ended.exception is None, ended.exception
        return ended.stdout

    def fails(self, *arguments: str) -> Ending:
        """Run a command that must not succeed; how it ends."""
        ended = self.run(*arguments)
        assert isinstance(ended.exception, CommandError), ended.output
        assert not ended.stdout
        return ended.exception.ending

    def store(self, work: Callable[[Store], Awaitable[T]]) -> T:
        """Do something with the store that no command does."""

        async def opened() -> T:
            store = await open_store(self._url)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())


def with_accounts(url: str, folder: Path) -> Operator:
    """With two accounts, shop and bank."""
    operator = Operator(url, folder)
    for login in ("shop", "bank"):
        operator.store(lambda store, login=login: open_account(Directory(store.engine), login=login))  # type: ignore[misc]
    return operator


@pytest.fixture
def operator(store_url: str, tmp_path: Path) -> Operator:
    return with_accounts(store_url, tmp_path)


# ---- numbers and messages


def test_what_comes_to_a_number_is_shown_to_its_account(operator: Operator) -> None:
    assert operator.does("account", "number", "add", "shop", "4455") == [{"login": "shop", "number": "4455"}]
    other = replace(incoming(b"to nobody\n\x1b"), recipient="7788")
    operator.store(
        lambda store: Inbox(store.engine).keep_incoming([incoming(b"hello"), other], 1_800_000_000_999)
    )
    newest, oldest = operator.does("message", "inbox")
    assert oldest == {
        "id": oldest["id"], "time": "2027-01-15T08:00:00Z", "connector": "smsc", "from": "380671112233",
        "to": "4455", "account": "shop", "text": "hello",
    }  # fmt: skip
    assert (newest["to"], newest["account"]) == ("7788", "")
    assert operator.does("message", "inbox", "--account", "shop") == [oldest]
    assert operator.does("message", "inbox", "--account", "bank") == []
    assert operator.does("message", "inbox", "--limit", "1") == [newest]
    assert len(operator.says("message", "inbox").splitlines()) == 3


def test_a_number_is_read_as_it_is_typed_at_home(operator: Operator) -> None:
    assert operator.does("account", "number", "add", "shop", "044 111 22 33")[0]["number"] == "380441112233"
    assert operator.fails("account", "number", "add", "bank", "+380441112233") is Ending.FAILURE
    assert operator.does("account", "number", "list") == [{"number": "380441112233", "login": "shop"}]
    operator.does("account", "number", "remove", "+380441112233")
    assert operator.fails("account", "number", "remove", "380441112233") is Ending.NOT_FOUND
    assert operator.does("account", "number", "list") == []


# ---- stop lists


def test_a_stop_list_is_kept_by_hand(operator: Operator) -> None:
    (added,) = operator.does("stoplist", "add", "shop", "050 111 22 33", "--note", "called")
    assert added == {"login": "shop", "number": "380501112233", "stopped": True}
    (listed,) = operator.does("stoplist", "list", "shop")
    assert (listed["number"], listed["note"]) == ("380501112233", "called")
    assert operator.does("stoplist", "list", "bank") == []
    assert operator.fails("stoplist", "remove", "bank", "380501112233") is Ending.NOT_FOUND
    operator.does("stoplist", "remove", "shop", "380501112233")
    assert operator.does("stoplist", "list", "shop") == []


def test_everybodys_stop_list_is_kept_by_hand(operator: Operator) -> None:
    (added,) = operator.does("stoplist", "add", "--all", "+380501112233", "--note", "a court")
    assert added == {"login": "*", "number": "380501112233", "stopped": True}
    assert [row["note"] for row in operator.does("stoplist", "list", "--all")] == ["a court"]
    assert operator.does("stoplist", "list", "shop") == []
    assert operator.does("number", "show", "380501112233")[0]["stopped"] == ["*"]
    operator.does("stoplist", "remove", "--all", "380501112233")
    assert operator.fails("stoplist", "remove", "--all", "380501112233") is Ending.NOT_FOUND


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        pytest.param(("account", "number", "add", "nobody", "4455"), Ending.NOT_FOUND, id="no such account"),
        pytest.param(("account", "number", "add", "shop", "44"), Ending.USAGE, id="no short code"),
        pytest.param(("stoplist", "add", "shop", "4455"), Ending.USAGE, id="a short code gets no messages"),
        pytest.param(("stoplist", "list", "nobody"), Ending.NOT_FOUND, id="a list of nobody"),
        pytest.param(("stoplist", "list"), Ending.USAGE, id="no list"),
        pytest.param(("stoplist", "list", "shop", "--all"), Ending.USAGE, id="two lists"),
        pytest.param(("stoplist", "add", "380501112233"), Ending.USAGE, id="on no list"),
        pytest.param(("stoplist", "add", "--all", "shop", "380501112233"), Ending.USAGE, id="on two lists"),
        pytest.param(("stoplist", "add", "--all", "0501112233"), Ending.USAGE, id="nobody's national number"),
        pytest.param(("message", "inbox", "--account", "nobody"), Ending.NOT_FOUND, id="an inbox of nobody"),
        pytest.param(("connector", "pause", "nobody"), Ending.NOT_FOUND, id="no such connector to pause"),
        pytest.param(("connector", "resume", "nobody"), Ending.NOT_FOUND, id="or to resume"),
        pytest.param(("connector", "status", "nobody"), Ending.NOT_FOUND, id="or to tell of"),
        pytest.param(("connector", "receipts", "--unmatched", "nobody"), Ending.NOT_FOUND, id="no receipts"),
        pytest.param(("connector", "receipts"), Ending.USAGE, id="which receipts"),
    ],
)
def test_a_mistake_has_its_exit_code(operator: Operator, arguments: tuple[str, ...], ending: Ending) -> None:
    assert operator.fails(*arguments) is ending


@pytest.mark.parametrize(
    "command", [("message", "inbox"), ("connector", "list"), ("connector", "pause", "operator")]
)
def test_a_command_makes_no_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    operator = Operator(f"sqlite:{tmp_path}/none.db", tmp_path)
    assert operator.fails(*command) is Ending.NOT_FOUND
    assert not (tmp_path / "none.db").exists()


# ---- connectors


def report(operator: Operator, worker: str, states: dict[str, ConnectorState], age_ms: int = 0) -> None:
    operator.store(lambda store: Connectors(store.engine).report(worker, states, now_ms() - age_ms))


def test_connectors_are_listed_with_what_all_workers_tell(operator: Operator) -> None:
    report(operator, "worker 1", {"operator": UP})
    report(operator, "worker 2", {"operator": DOWN})
    report(operator, "worker 3", {"viber": UP}, 40_000)
    operator.does("connector", "pause", "viber")
    assert operator.does("connector", "list") == [
        {
            "name": "operator", "kind": "smpp", "where": "smsc.example.net:2776", "state": "down, up",
            "sessions": "2/4", "paused": False,
        },
        {
            "name": "viber", "kind": "viber", "where": "services.viber.com", "state": "no worker",
            "sessions": "0/0", "paused": True,
        },
    ]  # fmt: skip


def test_a_status_tells_all_that_each_worker_tells(operator: Operator) -> None:
    report(operator, "worker 1", {"operator": UP, "viber": UP})
    report(operator, "worker 2", {"operator": DOWN})
    up, down = operator.does("connector", "status", "operator")
    assert (up["connector"], up["worker"], up["state"], up["rate"]) == ("operator", "worker 1", "up", 12.5)
    assert set(up) == {*UP.__struct_fields__, "connector", "worker", "at", "paused"}
    assert (down["worker"], down["last_error_at"]) == ("worker 2", "2027-01-15T08:00:00Z")
    assert len(operator.does("connector", "status")) == 3
    head, *lines = operator.says("connector", "status", "operator").rstrip().splitlines()
    assert re.split(r"\s\s+", head) == ["operator", "worker 1", "worker 2"]
    assert [line.split()[1:] for line in lines if line.startswith("state ")] == [["up", "down"]]


def test_a_connector_that_no_worker_tells_of_is_shown_so(operator: Operator) -> None:
    report(operator, "worker 1", {"operator": UP}, 40_000)
    (row,) = operator.does("connector", "status", "operator")
    assert row == {"connector": "operator", "worker": "", "state": "no worker", "paused": False}
    assert "no worker" in operator.says("connector", "status", "operator")


def test_a_connector_is_paused_and_resumed(operator: Operator, store_url: str) -> None:
    assert operator.does("connector", "pause", "operator") == [{"connector": "operator", "paused": True}]
    assert operator.does("connector", "status", "operator")[0]["paused"]
    operator.does("connector", "resume", "operator")
    assert not operator.does("connector", "status", "operator")[0]["paused"]
    assert run_sql(store_url, "SELECT name, paused FROM connectors") == [("operator", 0)]


def test_receipts_without_a_message_are_listed_with_masked_numbers(operator: Operator) -> None:
    lost = replace(receipt("0A", Outcome.FAILED, "operator", "380501112233"), code="UNDELIV 1", raw="id:0A\n")
    other = receipt("b", connector="viber")
    operator.store(lambda store: store.keep_receipts([lost], 1_800_000_000_000))
    operator.store(lambda store: store.keep_receipts([other], 1_800_000_001_000))
    newest, oldest = operator.does("connector", "receipts", "--unmatched")
    assert oldest == {
        "time": "2027-01-15T08:00:00Z", "connector": "operator", "id": "0A", "number": "…2233",
        "outcome": "failed", "code": "UNDELIV 1", "raw": "id:0A\n",
    }  # fmt: skip
    assert (newest["id"], newest["number"]) == ("b", "")
    assert operator.does("connector", "receipts", "--unmatched", "operator") == [oldest]
    assert operator.does("connector", "receipts", "--unmatched", "--limit", "1") == [newest]
    (whole,) = operator.does("connector", "receipts", "operator", "--unmatched", "--show-numbers")
    assert whole["number"] == "380501112233"
    assert len(operator.says("connector", "receipts", "--unmatched").splitlines()) == 3
