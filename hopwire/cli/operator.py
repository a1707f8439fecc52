"""The operator's commands work on the store directly: the database, and what all of them share."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
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
    new_commands,
    read_config,
)

if TYPE_CHECKING:
    from hopwire.config import Config
    from hopwire.model import Account
    from hopwire.store import Store
    from hopwire.store.directory import Directory

T = TypeVar("T")

commands = new_commands()
db = new_commands("The database.")
commands.add_typer(db, name="db")

Login = Annotated[str, typer.Argument(help="Login of the account.")]


# ---- the database


@db.command("upgrade")
def upgrade_database(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Bring the database to the schema of this version."""
    from hopwire.store.migrate import open_engine, upgrade

    async def work() -> tuple[int, int]:
        engine = open_engine(read_config(config).store.url)
        try:
            return await upgrade(engine)
        finally:
            await engine.close()

    before, after = run(work())
    emit({"before": before, "after": after}, as_json)


@commands.command()
def fsck(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Check the books: ledger against balances, nothing stuck, nothing reserved for ever."""
    faults = in_directory(read_config(config), lambda d: d.fsck())
    rows: list[dict[str, object]] = [
        {"check": check, "faults": len(found), "first": list(found[0]) if found else []}
        for check, found in faults.items()
    ]
    emit_rows(rows, as_json)
    if any(faults.values()):
        raise CommandError(Ending.FAILURE, "the books are not in order")


# ---- shared


def in_store(config: "Config", work: Callable[["Store"], Awaitable[T]], *, create: bool = False) -> T:
    """Do something with the configured store; without `create` it must be there."""
    from hopwire.store.migrate import open_store

    path = config.store.url.removeprefix("sqlite:")
    if not (create or config.store.postgres or Path(path).exists()):
        raise CommandError(Ending.NOT_FOUND, f"there is no database {path}; see store.url, or --config")

    async def opened() -> T:
        store = await open_store(config.store.url)
        try:
            return await work(store)
        finally:
            await store.close()

    return run(opened())


def in_directory(config: "Config", work: Callable[["Directory"], Awaitable[T]], *, create: bool = False) -> T:
    """Do something with the directory of the configured store."""
    from hopwire.store.directory import Directory

    return in_store(config, lambda store: work(Directory(store.engine, actor())), create=create)


def run(work: Awaitable[T]) -> T:
    """Run to the end, with what is wrong with the database as the command's ending."""

    async def awaited() -> T:
        return await work

    with database_errors():
        return asyncio.run(awaited())


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """A database that cannot be used ends the command with exit code 7, one of a newer version with 1."""
    from hopwire.errors import ApiError, Unavailable
    from hopwire.store.migrate import SchemaError

    try:
        yield
    except Unavailable:
        raise CommandError(Ending.TEMPORARY, "the database cannot be used; see store.url") from None
    except ApiError as error:
        raise CommandError(Ending.REJECTED, error.text) from None
    except SchemaError as error:
        raise CommandError(Ending.FAILURE, str(error)) from None


async def find_account(directory: "Directory", login: str) -> "Account":
    """The account of a login; ends the command where there is none."""
    from hopwire.credentials import plain_login

    found = await directory.account_by_login(plain_login(login))
    if found is None:
        raise CommandError(Ending.NOT_FOUND, "there is no account with this login")
    return found[0]


def millionths(amount: str) -> int:
    """An amount from the command line."""
    from hopwire import money

    try:
        return money.parse(amount)
    except ValueError as error:
        raise CommandError(Ending.USAGE, str(error)) from None
