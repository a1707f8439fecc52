"""`hopwire sender`: under which names accounts send."""

from collections.abc import Awaitable, Callable
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
    usage,
)
from hopwire.cli.operator import Login, find_account, in_directory

if TYPE_CHECKING:
    from hopwire.store.directory import Directory
    from hopwire.store.senders import Senders

T = TypeVar("T")

commands = new_commands("Sender names: which names accounts may send under, and who has asked for one.")

Name = Annotated[str, typer.Argument(help="The sender name.")]
Channel = Annotated[str, typer.Option(help="sms or viber; without it: both.")]
Connector = Annotated[str, typer.Option(help="Over this connector alone; without it: over every one.")]
Note = Annotated[str, typer.Option(help="Why, or where it is registered.")]


@commands.command()
def request(
    login: Login,
    name: Name,
    channel: Channel = "",
    connector: Connector = "",
    note: Note = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a name on behalf of an account; until it is approved nothing leaves under it."""
    _put(config, login, name, channel, connector, "requested", note, as_json)


@commands.command()
def approve(
    login: Login,
    name: Name,
    channel: Channel = "",
    connector: Connector = "",
    note: Note = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let an account send under a name, whether it was asked for or not."""
    _put(config, login, name, channel, connector, "approved", note, as_json)


@commands.command()
def refuse(
    login: Login,
    name: Name,
    channel: Channel = "",
    connector: Connector = "",
    note: Note = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Do not let an account send under a name; the note tells it why."""
    _put(config, login, name, channel, connector, "refused", note, as_json)


@commands.command()
def remove(
    login: Login,
    name: Name,
    channel: Channel = "",
    connector: Connector = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Forget a name of an account."""
    from hopwire.store.senders import SenderName

    async def work(senders: "Senders", directory: "Directory") -> bool:
        account = await find_account(directory, login)
        return await senders.remove(SenderName(account.id, name, channel, connector))

    if not _in_registry(config, work):
        raise CommandError(Ending.NOT_FOUND, "the account has no such name for this channel and connector")
    emit({"login": login, "name": name, "removed": True}, as_json)


@commands.command("list")
def list_names(
    login: Annotated[str | None, typer.Option("--account", help="Login; without it: all.")] = None,
    state: Annotated[str, typer.Option(help="requested, approved or refused; without it: all.")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List sender names and their states."""

    async def work(senders: "Senders", directory: "Directory") -> list[dict[str, object]]:
        only = None if login is None else (await find_account(directory, login)).id
        logins = {one.id: one.login for one in await directory.accounts()}
        return [
            {
                "account": logins[one.account_id],
                "name": shown(one.name, as_json),
                "channel": one.channel,
                "connector": one.connector,
                "state": one.state,
                "since": moment(one.changed_at or None),
                "note": shown(one.note, as_json),
            }
            for one in await senders.all()
            if only in (None, one.account_id) and state in ("", one.state)
        ]

    emit_rows(_in_registry(config, work), as_json)


def _put(
    config: ConfigFile,
    login: str,
    name: str,
    channel: str,
    connector: str,
    state: str,
    note: str,
    as_json: bool,
) -> None:
    from hopwire.accounts import check_sender
    from hopwire.admission import now_ms
    from hopwire.store.senders import SenderName

    if channel not in ("", "sms", "viber"):
        raise CommandError(Ending.USAGE, "--channel must be sms or viber")
    with usage():
        check_sender(name)

    async def work(senders: "Senders", directory: "Directory") -> bool:
        account = await find_account(directory, login)
        await senders.put([SenderName(account.id, name, channel, connector, state, note, now_ms())])
        return account.any_sender

    if _in_registry(config, work) and state == "approved":
        state = "approved, as every name is: any_sender is on"
    emit({"login": login, "name": name, "state": state}, as_json)


def _in_registry(config: ConfigFile, work: "Callable[[Senders, Directory], Awaitable[T]]") -> T:
    from hopwire.store.senders import Senders

    return in_directory(read_config(config), lambda d: work(Senders(d.engine, actor()), d))
