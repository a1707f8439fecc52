"""What each command touches: a new one fails here until it is listed; what changes something is audited."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import planted
import pytest
import typer
from command_line import CommandLine

from hopwire.cli import app
from hopwire.cli.console import Ending
from hopwire.credentials import is_key
from hopwire.store.audit import Audit, Entry

PASSWORD = f"{planted.PASSWORD} battery"
SETTINGS = """
[connectors.operator]
kind = "smpp"
host = "smsc.example.net"
system_id = "hopwire"
password = "secret"
"""

READS = {  # they look into the store, and leave it as it is
    "account list",
    "account number list",
    "connector list",
    "connector receipts",
    "connector status",
    "fsck",
    "key list",
    "message inbox",
    "message show",
    "number show",
    "price list",
    "stoplist list",
    "template export",
    "template list",
    "template match",
}
CLIENT = {"balance", "price of", "send", "status"}  # they ask a gateway over HTTP, with a key
OWN_MACHINE = {  # they have to do with files, processes and the schema, not with what is in the store
    "config check",
    "config init",
    "connector add",
    "connector test",
    "db upgrade",
    "demo",
    "serve",
    "sms parts",
    "version",
}
CHANGES: dict[
    str, tuple[str, ...]
] = {  # what they are given; in this order, for each stands on those before it
    "account create": ("shop",),
    "account password": ("shop",),
    "account api-password": ("shop",),
    "account totp": ("shop", "--off"),
    "topup": ("shop", "5"),
    "key create": ("shop",),
    "key rotate": ("1",),
    "key revoke": ("1",),
    "price set": ("380", "0.8"),
}
TYPED: dict[str, str] = {  # on standard input, where it is not a password
    "template import": "id,sender,language,kind,text\nt2,Shop,uk,transaction,Code {{code}}\n",
}
NOT_AUDITED_YET: dict[str, tuple[str, ...]] = {
    "account number add": ("shop", "4455"),
    "account number remove": ("4455",),
    "connector pause": ("operator",),
    "connector resume": ("operator",),
    "connector trace": ("operator", "--seconds", "1"),
    "number forget": ("380501112233",),
    "stoplist add": ("shop", "380501112233"),
    "stoplist remove": ("shop", "380501112233"),
    "template add": ("t1", "Code {{code}}", "--sender", "Shop", "--language", "uk", "--kind", "transaction"),
    "template pause": ("t1",),
    "template resume": ("t1",),
    "template remove": ("t1",),
    "template import": ("-",),
}


def commands(command: Any, path: str = "") -> Iterator[str]:
    """The name of every command."""
    children = getattr(command, "commands", {})
    if not children:
        yield path
    for name, child in children.items():
        yield from commands(child, f"{path} {name}".strip())


def test_every_command_is_listed_once() -> None:
    listed = [*READS, *CLIENT, *OWN_MACHINE, *CHANGES, *NOT_AUDITED_YET]
    assert sorted(listed) == sorted(commands(typer.main.get_command(app)))


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(f"sqlite:{tmp_path / 'hopwire.db'}", tmp_path, SETTINGS)


def audited(line: CommandLine) -> list[Entry]:
    return line.store(lambda store: Audit(store.engine).entries(1000))


def test_what_changes_something_is_in_the_audit_and_no_secret_is(line: CommandLine) -> None:
    before, shown = 0, []
    for command, arguments in CHANGES.items():
        printed = line.does(*command.split(), *arguments, stdin=TYPED.get(command, f"{PASSWORD}\n"))
        shown += [row["key"] for row in printed if is_key(str(row.get("key")))]
        entries = audited(line)
        assert len(entries) > before, command
        assert all(one.actor and one.origin for one in entries[: len(entries) - before]), command
        before = len(entries)
    assert len(shown) == 2
    assert not [secret for secret in (PASSWORD, *shown) if secret in str(entries)]


def dump(line: CommandLine) -> list[str]:
    """All that is in the store."""
    with closing(sqlite3.connect(line.url.removeprefix("sqlite:"))) as database:
        return list(database.iterdump())


def test_what_reads_leaves_everything_as_it_is(line: CommandLine) -> None:
    line.does("account", "create", "shop", stdin=PASSWORD)
    before = dump(line)
    given = {
        "message show": ("1",),
        "number show": ("380501112233",),
        "stoplist list": ("shop",),
        "template match": ("a text", "--sender", "Shop"),
    }
    for command in sorted(READS):
        ended = line.run(*command.split(), *given.get(command, ()))
        assert ended.exit_code != Ending.USAGE, command
        assert dump(line) == before, command
