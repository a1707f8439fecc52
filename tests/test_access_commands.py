"""What each command touches: a new one fails here until it is listed; what changes something is audited."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import planted
import pytest
import typer
from command_line import CommandLine
from conftest import NOW, SMS, order
from msgspec.structs import replace

from hopwire.cli import app
from hopwire.cli.console import Ending
from hopwire.credentials import is_key
from hopwire.events import Answered
from hopwire.model import Limits, Taken
from hopwire.store import Store, memory
from hopwire.store.audit import Audit, Entry
from hopwire.store.directory import Directory

PASSWORD = f"{planted.PASSWORD} battery"
SETTINGS = """
[connectors.operator]
kind = "smpp"
host = "smsc.example.net"
system_id = "hopwire"
password = "secret"
"""

READS = {  # they look into the store, and leave it as it is
    "account export",
    "account list",
    "account number list",
    "account show",
    "audit list",
    "audit verify",
    "books",
    "connector list",
    "connector receipts",
    "connector status",
    "fsck",
    "hold list",
    "key list",
    "margin",
    "message inbox",
    "message show",
    "notice list",
    "number export",
    "number show",
    "price explain",
    "price export",
    "price list",
    "sender list",
    "statement",
    "route explain",
    "route export",
    "route list",
    "stoplist list",
    "template export",
    "template list",
    "template match",
}
CLIENT = {"balance", "price of", "send", "status"}  # they ask a gateway over HTTP, with a key
OWN_MACHINE = {  # they have to do with files, processes and the schema, not with what is in the store
    "account traits",
    "config check",
    "config init",
    "connector add",
    "connector test",
    "db upgrade",
    "demo",
    "mail test",
    "secret forget-old",
    "secret list",
    "secret seal",
    "serve",
    "sms parts",
    "version",
}
CHANGES: dict[
    str, tuple[str, ...]
] = {  # what they are given; in this order, for each stands on those before it
    "account create": ("shop",),
    "account set": ("shop", "plan=gold"),
    "account limit": ("shop", "account/day=5"),
    "account pause": ("shop",),
    "account close": ("shop",),
    "account resume": ("shop",),
    "account password": ("shop",),
    "account api-password": ("shop",),
    "account totp": ("shop", "--off"),
    "account import": ("-",),
    "account number add": ("shop", "4455"),
    "account number remove": ("4455",),
    "topup": ("shop", "5"),
    "adjust": ("shop", "-1", "--note", "a mistake"),
    "transfer": ("shop", "branch", "1"),
    "refund": ("1",),
    "key create": ("shop",),
    "key rotate": ("1",),
    "key revoke": ("1",),
    "price set": ("380", "0.8"),
    "price remove": ("380",),
    "price import": ("-",),
    "route set": ("380", "operator"),
    "route remove": ("380",),
    "route import": ("-",),
    "sender request": ("shop", "Shop"),
    "sender approve": ("shop", "Shop"),
    "sender refuse": ("shop", "Shop"),
    "sender remove": ("shop", "Shop"),
    "hold release": ("2",),
    "hold refuse": ("3",),
    "number forget": ("380501112233",),
    "stoplist add": ("shop", "380501112233"),
    "stoplist remove": ("shop", "380501112233"),
    "number erase": ("380501112233", "--yes"),
    "connector pause": ("operator",),
    "connector resume": ("operator",),
    "connector trace": ("operator", "--seconds", "1"),
    "template add": ("t1", "Code {{code}}", "--sender", "Shop", "--language", "uk", "--kind", "transaction"),
    "template pause": ("t1",),
    "template resume": ("t1",),
    "template remove": ("t1",),
    "template import": ("-",),
    "secret rotate": (),
}
PROSE = ("connector trace",)  # what it prints is for people alone
TYPED: dict[str, str] = {  # on standard input, where it is not a password
    "account import": "[accounts.branch]\nreseller = 'shop'\n",
    "price import": "list,channel,type,prefix,valid_from,price\n,sms,,380,,0.9\n",
    "route import": "[[routes]]\nchannel = 'sms'\nconnector = 'operator'\n",
    "template import": "id,sender,language,kind,text\nt2,Shop,uk,transaction,Code {{code}}\n",
}


def commands(command: Any, path: str = "") -> Iterator[str]:
    """The name of every command."""
    children = getattr(command, "commands", {})
    if not children:
        yield path
    for name, child in children.items():
        yield from commands(child, f"{path} {name}".strip())


def test_every_command_is_listed_once() -> None:
    listed = [*READS, *CLIENT, *OWN_MACHINE, *CHANGES]
    assert sorted(listed) == sorted(commands(typer.main.get_command(app)))


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(f"sqlite:{tmp_path / 'hopwire.db'}", tmp_path, SETTINGS)


def audited(line: CommandLine) -> list[Entry]:
    return line.store(lambda store: Audit(store.engine).entries(1000))


def test_what_changes_something_is_in_the_audit_and_no_secret_is(line: CommandLine) -> None:
    before, shown = 0, []
    for command, arguments in CHANGES.items():
        if command in ("refund", "number forget"):  # these stand on what no command makes
            line.store(has_happened)
        told = [] if command in PROSE else ["--json"]
        ended = line.run(*command.split(), *arguments, *told, stdin=TYPED.get(command, f"{PASSWORD}\n"))
        assert ended.exception is None, (command, ended.exception, ended.stderr)
        rows = map(json.loads, ended.stdout.splitlines()) if told else ()
        shown += [row["key"] for row in rows if is_key(str(row.get("key")))]
        entries = audited(line)
        assert len(entries) > before, command
        assert all(one.actor and one.origin for one in entries[: len(entries) - before]), command
        before = len(entries)
    assert len(shown) == 2
    assert not [secret for secret in (PASSWORD, *shown) if secret in str(entries)]


async def has_happened(store: Store) -> None:
    """A message that has cost something, two that are held, and a number that is not on Viber."""
    shop = (await Directory(store.engine).accounts())[0]
    suspicious = replace(shop, limits=Limits(sequence=1))
    orders = [order(shop, SMS), order(suspicious, SMS), order(suspicious, SMS)]
    if not await store.statuses(shop.id, [1]):
        await store.admit(orders)
        (handover,) = await store.claim("smsc", "w", 1, 1000, NOW)
        await store.record([(handover.message_id, Answered(0, 0, Taken("p1")))], NOW)
    await store.engine.write(lambda tx: memory.learn(tx, {"380501112233": True}, NOW))


def dump(line: CommandLine) -> list[str]:
    """All that is in the store."""
    with closing(sqlite3.connect(line.url.removeprefix("sqlite:"))) as database:
        return list(database.iterdump())


def test_what_reads_leaves_everything_as_it_is(line: CommandLine) -> None:
    line.does("account", "create", "shop", stdin=PASSWORD)
    before = dump(line)
    given = {
        "account show": ("shop",),
        "margin": ("2026-11",),
        "message show": ("1",),
        "number export": ("380501112233",),
        "price explain": ("380501112233", "--account", "shop"),
        "route explain": ("380501112233",),
        "statement": ("shop", "2026-11"),
        "number show": ("380501112233",),
        "stoplist list": ("shop",),
        "template match": ("a text", "--sender", "Shop"),
    }
    for command in sorted(READS):
        ended = line.run(*command.split(), *given.get(command, ()))
        assert ended.exit_code != Ending.USAGE, command
        assert dump(line) == before, command
