"""`hopwire hold`: messages that wait for the operator's decision."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

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
    say,
)
from hopwire.cli.operator import find_account, in_store

if TYPE_CHECKING:
    from hopwire.store import Store
    from hopwire.store.holds import Hold

commands = new_commands("Messages that are held until they are released or refused.")

PAGE = 500

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="As `hopwire hold list` shows them.")]
Login = Annotated[str, typer.Option(help="Of this account alone.")]
Block = Annotated[
    str, typer.Option(help="Of this block of 1,000 numbers: a number without its last 3 digits.")
]


@commands.command("list")
def show(
    login: Login = "",
    block: Block = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="How many, the oldest first.")
    ] = 1000,
    numbers: Annotated[bool, typer.Option("--numbers", help="Show the numbers whole.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the messages that are held."""
    from hopwire.store.directory import Directory
    from hopwire.store.holds import Holds

    async def work(store: "Store") -> list[dict[str, object]]:
        logins = {one.id: one.login for one in await Directory(store.engine).accounts()}
        found = await Holds(store.engine).waiting(limit, await _account_id(store, login), block)
        return [_row(one, logins[one.account_id], numbers) for one in found]

    emit_rows(in_store(read_config(config), work), as_json)


@commands.command()
def release(
    ids: Ids = None, login: Login = "", block: Block = "", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Let messages go: these, or all of an account or of a block of numbers."""
    _decide(True, ids or (), login, block, config, as_json)


@commands.command()
def refuse(
    ids: Ids = None, login: Login = "", block: Block = "", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Delete messages, and give their money back: these, or all of an account or of a block of numbers."""
    _decide(False, ids or (), login, block, config, as_json)


def _decide(
    release: bool, ids: Sequence[int], login: str, block: str, config: ConfigFile, as_json: bool
) -> None:
    from hopwire.admission import now_ms

    if bool(ids) == bool(login or block):
        raise CommandError(Ending.USAGE, "name either messages, or --login, --block or both")

    async def work(store: "Store") -> int:
        if ids:
            return len(await store.decide_held(ids, release, actor(), now_ms()))
        return await _decide_all(store, release, login, block)

    done = in_store(read_config(config), work)
    if not done:
        raise CommandError(Ending.NOT_FOUND, "no such message is held")
    emit({"released" if release else "refused": done}, as_json)


async def _decide_all(store: "Store", release: bool, login: str, block: str) -> int:
    """Decide on what is held now, some at a time; how many."""
    from hopwire.admission import now_ms
    from hopwire.store.holds import Holds

    account_id, done, last = await _account_id(store, login), 0, 0
    while found := await Holds(store.engine).waiting(PAGE, account_id, block, last):
        last = found[-1].message_id
        done += len(await store.decide_held([one.message_id for one in found], release, actor(), now_ms()))
        if len(found) == PAGE:
            say(f"{done} messages …")
    return done


async def _account_id(store: "Store", login: str) -> int:
    """Of the login; 0 for none: every account."""
    from hopwire.store.directory import Directory

    return (await find_account(Directory(store.engine), login)).id if login else 0


def _row(one: "Hold", login: str, numbers: bool) -> dict[str, object]:
    from hopwire.privacy import masked

    return {
        "id": one.message_id,
        "login": login,
        "number": one.recipient if numbers else masked(one.recipient),
        "since": moment(one.at),
        "reason": one.reason,
    }
