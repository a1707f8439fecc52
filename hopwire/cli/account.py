"""`hopwire account`: customers, and what they may do."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    emit,
    emit_rows,
    new_commands,
    read_config,
    shown,
    usage,
)
from hopwire.cli.operator import Login, find_account, in_directory

if TYPE_CHECKING:
    from hopwire.model import Account
    from hopwire.store.directory import Directory

commands = new_commands("Accounts: who may send.")

Traits = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TRAIT=VALUE]...", help="As `hopwire account traits` lists them.", show_default=False
    ),
]


@commands.command()
def traits(as_json: AsJson = False) -> None:
    """List what can be said of an account with TRAIT=VALUE."""
    from hopwire.accounts import TRAITS

    emit_rows([{"trait": name, "": trait.about} for name, trait in TRAITS.items()], as_json)


@commands.command()
def create(
    login: Login,
    said: Traits = None,
    currency: Annotated[str, typer.Option(help="ISO 4217. It never changes.")] = "UAH",
    reseller: Annotated[
        str | None, typer.Option(help="Login of the reseller whose sub-account it is.", show_default=False)
    ] = None,
    sender: Annotated[
        list[str] | None,
        typer.Option(help="A sender name it may use; may be given again. Without any: every name."),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create an account. The password comes from HOPWIRE_PASSWORD or, without it, from standard input.

    A password has 10 characters at least. A sub-account has the currency of its reseller.
    """
    from hopwire.accounts import check_currency, check_login, check_sender
    from hopwire.admission import now_ms
    from hopwire.credentials import plain_login

    fields = read_traits(said or ())
    names = sender or ()
    with usage():
        login = check_login(plain_login(login))
        check_currency(currency)
        for name in names:
            check_sender(name)
    hashed = hashed_password()

    async def work(directory: "Directory") -> int | None:
        parent = None if reseller is None else await _reseller(directory, reseller)
        traits = {"any_sender": not names, **fields, "currency": parent.currency if parent else currency}
        parent_id = parent.id if parent else None
        return await directory.create_account(
            login, hashed, now_ms(), parent_id=parent_id, sender_names=names, **traits
        )

    account_id = in_directory(read_config(config), work, create=True)
    if account_id is None:
        raise CommandError(Ending.FAILURE, "there is already an account with this login, or with this e-mail")
    emit({"id": account_id, "login": login}, as_json)


async def _reseller(directory: "Directory", login: str) -> "Account":
    parent = await find_account(directory, login)
    if parent.parent_id is not None:
        raise CommandError(Ending.REJECTED, "a sub-account cannot be a reseller")
    return parent


@commands.command("set")
def set_traits(
    login: Login,
    said: Traits = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Change traits of an account; prints it as it is then."""
    _change(config, login, read_traits(said or ()))
    show(login, config, as_json)


@commands.command()
def show(login: Login, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show an account: its money, its traits, its reseller."""

    async def work(directory: "Directory") -> tuple["Account", str]:
        account = await find_account(directory, login)
        resellers = [one.login for one in await directory.accounts() if one.id == account.parent_id]
        return account, "".join(resellers)

    account, reseller = in_directory(read_config(config), work)
    _emit(account, reseller, as_json)


@commands.command()
def pause(login: Login, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Let an account send no more; it may still ask. What was accepted goes on."""
    _set_status(config, login, "PAUSED", as_json)


@commands.command()
def resume(login: Login, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Let a paused or closed account work again."""
    _set_status(config, login, "ACTIVE", as_json)


@commands.command()
def close(login: Login, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Close an account: its keys and its password open nothing any more. Its history stays."""
    _set_status(config, login, "CLOSED", as_json)


def _set_status(config: ConfigFile, login: str, status: str, as_json: bool) -> None:
    from hopwire.model import AccountStatus

    account = _change(config, login, {"status": AccountStatus[status]})
    emit({"login": account.login, "status": account.status.name.lower()}, as_json)


def _change(config: ConfigFile, login: str, fields: dict[str, Any]) -> "Account":
    async def work(directory: "Directory") -> "Account":
        found = await find_account(directory, login)
        changed = await directory.set_account(found.id, fields)
        assert changed is not None, "it was found just now, and none is ever deleted"
        return changed

    return in_directory(read_config(config), work)


@commands.command("list")
def list_accounts(
    reseller: Annotated[str | None, typer.Option(help="Only sub-accounts of this login.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the accounts with their money."""
    from hopwire import money

    accounts = in_directory(read_config(config), lambda d: d.accounts())
    logins = {one.id: one.login for one in accounts}
    rows = [
        {
            "id": one.id,
            "login": one.login,
            "balance": money.text(one.balance),
            "reserved": money.text(one.reserved),
            "credit": money.text(one.credit_limit),
            "currency": one.currency,
            "country": one.home_country,
            "status": one.status.name.lower(),
            "reseller": logins.get(one.parent_id or 0, ""),
            "customer": shown(one.customer, as_json),
        }
        for one in accounts
        if reseller is None or logins.get(one.parent_id or 0) == reseller
    ]
    emit_rows(rows, as_json)


# ---- shared


def _emit(account: "Account", reseller: str, as_json: bool) -> None:
    from hopwire import accounts, money

    told: dict[str, object] = {
        "id": account.id,
        "login": account.login,
        "status": account.status.name.lower(),
        "balance": money.text(account.balance),
        "reserved": money.text(account.reserved),
        "spendable": money.text(account.spendable),
        "currency": account.currency,
        "reseller": reseller,
    }
    said = {name: shown(value, as_json) for name, value in accounts.write(account).items()}
    emit({**told, **said}, as_json)


def read_traits(said: Sequence[str]) -> dict[str, Any]:
    """TRAIT=VALUE words as fields of an account; ends the command for one that is wrong."""
    from hopwire import accounts

    with usage():
        return accounts.read(read_pairs(said))


def read_pairs(said: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE words; ends the command for another word."""
    for word in said:
        if "=" not in word:
            raise CommandError(Ending.USAGE, f"{word}: must be NAME=VALUE")
    return {name.strip(): value for name, _, value in (word.partition("=") for word in said)}


def hashed_password() -> str:
    """The password that was typed, as it is kept."""
    from hopwire.credentials import hash_password

    with usage():
        return hash_password(_read_password())


def _read_password() -> str:
    password = os.environ.get("HOPWIRE_PASSWORD") or _ask_password()
    if len(password) < 10:
        raise CommandError(Ending.USAGE, "a password has at least 10 characters")
    return password


def _ask_password() -> str:
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("Password for the account: ")
    return sys.stdin.readline().rstrip("\r\n")
