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
    from hopwire.store.senders import SenderName, Senders

T = TypeVar("T")

commands = new_commands("Sender names: which names accounts may send under, and who has asked for one.")

Name = Annotated[str, typer.Argument(help="The sender name.")]
Channel = Annotated[str, typer.Option(help="sms or viber; without it: both.")]
Connector = Annotated[str, typer.Option(help="Over this connector alone; without it: over every one.")]
Note = Annotated[str, typer.Option(help="Why, or where it is registered.")]


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


def _putting(state: str) -> Callable[..., None]:
    """The command that gives a name this state."""

    def put(
        login: Login,
        name: Name,
        channel: Channel = "",
        connector: Connector = "",
        note: Note = "",
        config: ConfigFile = None,
        as_json: AsJson = False,
    ) -> None:
        from hopwire.store.senders import SenderName

        any_name = _put(config, login, SenderName(0, name, channel, connector, state, note))
        said = f"{state}, as every name is: any_sender is on" if any_name and state == "approved" else state
        emit({"login": login, "name": name, "state": said}, as_json)

    return put


for command, becomes, about in (
    ("request", "requested", "Ask for a name on behalf of an account; nothing leaves under it until then."),
    ("approve", "approved", "Let an account send under a name, whether it was asked for or not."),
    ("refuse", "refused", "Do not let an account send under a name; the note tells it why."),
):
    commands.command(command, help=about)(_putting(becomes))


def _put(config: ConfigFile, login: str, one: "SenderName") -> bool:
    """Enter a name of an account; whether that may use every name anyhow."""
    from hopwire.accounts import check_sender
    from hopwire.admission import now_ms

    if one.channel not in ("", "sms", "viber"):
        raise CommandError(Ending.USAGE, "--channel must be sms or viber")
    with usage():
        check_sender(one.name)

    async def work(senders: "Senders", directory: "Directory") -> bool:
        account = await find_account(directory, login)
        await senders.put([one._replace(account_id=account.id, changed_at=now_ms())])
        return account.any_sender

    return _in_registry(config, work)


def _in_registry(config: ConfigFile, work: "Callable[[Senders, Directory], Awaitable[T]]") -> T:
    from hopwire.store.senders import Senders

    return in_directory(read_config(config), lambda d: work(Senders(d.engine, actor()), d))
