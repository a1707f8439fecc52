"""`hopwire notice`: what an operator should know of accounts."""

from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import AsJson, ConfigFile, emit_rows, moment, new_commands, read_config
from hopwire.cli.operator import find_account, in_directory

if TYPE_CHECKING:
    from hopwire.store.directory import Directory

commands = new_commands("Notices: money that runs out, spending, messages that are held.")


@commands.callback()
def _group() -> None:
    """One command alone would take the group's name."""


@commands.command("list")
def show(
    login: Annotated[str, typer.Option(help="Of this account alone.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="How many, the newest first.")
    ] = 20,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the notices. Each is given once in its period."""
    from hopwire.store.notices import Notices

    async def work(directory: "Directory") -> list[dict[str, object]]:
        logins = {one.id: one.login for one in await directory.accounts()}
        account_id = (await find_account(directory, login)).id if login else 0
        return [
            {
                "time": moment(one.at),
                "login": logins[one.account_id],
                "kind": one.kind,
                "period": one.period,
                "detail": one.detail,
            }
            for one in await Notices(directory.engine).latest(limit, account_id)
        ]

    emit_rows(in_directory(read_config(config), work), as_json)
