"""What comes in: messages to our numbers, whose these are, and who wants no more messages."""

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    actor,
    emit,
    emit_rows,
    moment,
    new_commands,
    read_config,
    shown,
)
from hopwire.cli.operator import Login, find_account, in_store

if TYPE_CHECKING:
    from hopwire.model import Account
    from hopwire.store import Store
    from hopwire.store.directory import Directory
    from hopwire.store.inbox import InboxMessage

T = TypeVar("T")

message = new_commands("Messages.")
stoplist = new_commands("Stop lists: who wants no more messages from an account, or from anybody.")
number = new_commands("Numbers of ours: what comes to one belongs to the account.")

Words = Annotated[
    list[str],
    typer.Argument(metavar="[LOGIN] NUMBER", help="The number as it is typed in the account's country."),
]
Everyone = Annotated[bool, typer.Option("--all", help="Everybody's list; the number is international.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, the newest first.")]


# ---- messages


@message.command("inbox")
def show_inbox(
    account: Annotated[str | None, typer.Option("--account", help="Login; without it: all.")] = None,
    limit: Limit = 20,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the messages that came in."""
    from hopwire.store.directory import Directory
    from hopwire.store.inbox import Inbox

    async def work(store: "Store") -> list[dict[str, object]]:
        directory = Directory(store.engine)
        only = None if account is None else (await find_account(directory, account)).id
        logins = {one.id: one.login for one in await directory.accounts()}
        found = await Inbox(store.engine).latest(limit, only)
        return [_message_row(one, logins.get(one.account_id or 0), as_json) for one in found]

    emit_rows(in_store(read_config(config), work), as_json)


def _message_row(one: "InboxMessage", login: str | None, as_json: bool) -> dict[str, object]:
    from hopwire.privacy import forgotten, masked

    return {
        "id": one.id,
        "time": moment(one.received_at),
        "connector": one.connector,
        "from": shown(masked(one.sender) if forgotten(one.sender) else one.sender, as_json),
        "to": shown(one.recipient, as_json),
        "account": login or "",
        "text": shown(one.text, as_json),
    }


# ---- stop lists


@stoplist.command("list")
def list_stopped(
    login: Annotated[str, typer.Argument(help="Login of the account.")] = "",
    everyone: Everyone = False,
    limit: Limit = 1000,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List who wants no more messages from the account, or from anybody."""
    from hopwire.store.directory import Directory
    from hopwire.store.inbox import Inbox

    async def work(store: "Store") -> list[dict[str, object]]:
        whose = await _whose(Directory(store.engine), login, everyone)
        return [
            {"number": one.number, "since": moment(one.at), "note": shown(one.note, as_json)}
            for one in await Inbox(store.engine).stopped(whose.id, limit)
        ]

    emit_rows(in_store(read_config(config), work), as_json)


@stoplist.command("add")
def add_stopped(
    words: Words,
    everyone: Everyone = False,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Send no more messages of the account to the number, or with --all none of any account."""
    from hopwire.admission import now_ms
    from hopwire.store.directory import Directory
    from hopwire.store.inbox import Inbox

    login, number = _split(words, everyone)

    async def work(store: "Store") -> str:
        whose = await _whose(Directory(store.engine), login, everyone)
        digits = read_number(number, whose)
        await Inbox(store.engine, actor()).stop(whose.id, digits, now_ms(), note)
        return digits

    emit({"login": login or "*", "number": in_store(read_config(config), work), "stopped": True}, as_json)


@stoplist.command("remove")
def remove_stopped(
    words: Words, everyone: Everyone = False, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Let messages of the account go to the number again; with --all take it off everybody's list."""
    from hopwire.store.directory import Directory
    from hopwire.store.inbox import Inbox

    login, number = _split(words, everyone)

    async def work(store: "Store") -> str:
        whose = await _whose(Directory(store.engine), login, everyone)
        digits = read_number(number, whose)
        if not await Inbox(store.engine, actor()).unstop(whose.id, digits):
            raise CommandError(Ending.NOT_FOUND, "the number is not on the stop list")
        return digits

    emit({"login": login or "*", "number": in_store(read_config(config), work), "stopped": False}, as_json)


def _split(words: list[str], everyone: bool) -> tuple[str, str]:
    """Login and number; with --all there is no login."""
    if len(words) != (1 if everyone else 2):
        raise CommandError(Ending.USAGE, "name LOGIN and NUMBER, or --all and NUMBER")
    return ("", words[0]) if everyone else (words[0], words[1])


async def _whose(directory: "Directory", login: str, everyone: bool) -> "Account":
    """Whose list it is; everybody's is nobody's, who has no home country."""
    from msgspec.structs import replace

    from hopwire.store.directory import NOBODY

    if everyone == bool(login):
        raise CommandError(Ending.USAGE, "name either LOGIN or --all")
    return replace(NOBODY, home_country="") if everyone else await find_account(directory, login)


# ---- numbers


@number.command("add")
def add_number(
    login: Login,
    number: Annotated[str, typer.Argument(help="Phone number, or a short code of 3 to 8 digits.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let what comes to the number belong to the account."""
    from hopwire.store.directory import Directory
    from hopwire.store.inbox import Inbox

    async def work(store: "Store") -> str:
        account = await find_account(Directory(store.engine), login)
        digits = number if _is_short(number) else read_number(number, account)
        if not await Inbox(store.engine, actor()).own(account.id, digits):
            raise CommandError(Ending.FAILURE, "the number belongs to another account")
        return digits

    emit({"login": login, "number": in_store(read_config(config), work)}, as_json)


@number.command("remove")
def remove_number(
    number: Annotated[str, typer.Argument(help="As `hopwire account number list` shows it.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let what comes to the number belong to nobody."""
    from hopwire.store.inbox import Inbox

    if not in_store(read_config(config), lambda store: Inbox(store.engine, actor()).disown(number)):
        raise CommandError(Ending.NOT_FOUND, "no account has this number")
    emit({"number": number.removeprefix("+"), "removed": True}, as_json)


@number.command("list")
def list_numbers(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the numbers and the accounts that they belong to."""
    from hopwire.store.directory import Directory
    from hopwire.store.inbox import Inbox

    async def work(store: "Store") -> list[dict[str, object]]:
        logins = {one.id: one.login for one in await Directory(store.engine).accounts()}
        owned = await Inbox(store.engine).numbers()
        return [{"number": one.number, "login": logins[one.account_id]} for one in owned]

    emit_rows(in_store(read_config(config), work), as_json)


def _is_short(typed: str) -> bool:
    return typed.isascii() and typed.isdigit() and 3 <= len(typed) <= 8


# ---- shared


def read_number(typed: str, account: "Account") -> str:
    """The digits of a number as it is typed in the account's home country."""
    from hopwire import phone

    number = phone.parse(typed, account.home_country)
    if number is None:
        raise CommandError(Ending.USAGE, "NUMBER is not a phone number")
    return number.digits
