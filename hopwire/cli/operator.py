"""The operator's commands: accounts, prices, top-ups, the database. They work on the store directly."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
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
account = new_commands("Accounts: who may send.")
db = new_commands("The database.")
commands.add_typer(account, name="account")
commands.add_typer(db, name="db")

Login = Annotated[str, typer.Argument(help="Login of the account.")]


# ---- accounts


@account.command("create")
def create_account(
    login: Login,
    country: Annotated[str, typer.Option(help="Home country, ISO 3166, for numbers without one.")] = "UA",
    time_zone: Annotated[str, typer.Option(help="IANA name, for dates without an offset.")] = "Europe/Kyiv",
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "UAH",
    credit: Annotated[str, typer.Option(help="How far below zero the balance may go.")] = "0",
    sender: Annotated[
        list[str] | None,
        typer.Option(help="A sender name it may use; may be given again. Without any: every name."),
    ] = None,
    promotional: Annotated[
        bool, typer.Option("--promotional", help="No SMS to a user who blocked the business on Viber.")
    ] = False,
    charge_delivered: Annotated[
        bool, typer.Option("--charge-delivered", help="Charge an SMS when delivered, not when taken.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create an account. The password comes from HOPWIRE_PASSWORD or, without it, from standard input.

    A password has 10 characters at least.
    """
    from hopwire.admission import now_ms
    from hopwire.credentials import hash_password, plain_login

    login = plain_login(login)
    _check_names(login, sender or ())
    _check_place(country, time_zone, currency)
    try:
        hashed = hash_password(read_password())
    except ValueError as error:
        raise CommandError(Ending.USAGE, str(error)) from None
    limit = millionths(credit)

    async def work(directory: "Directory") -> int | None:
        return await directory.create_account(
            login,
            hashed,
            now_ms(),
            home_country=country,
            time_zone=time_zone,
            currency=currency,
            credit_limit=limit,
            any_sender=not sender,
            sender_names=sender or (),
            transactional=not promotional,
            charge_sms_on="delivered" if charge_delivered else "taken",
        )

    account_id = in_directory(read_config(config), work, create=True)
    if account_id is None:
        raise CommandError(Ending.FAILURE, "there is already an account with this login")
    emit({"id": account_id, "login": login}, as_json)


@account.command("list")
def list_accounts(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the accounts with their money."""
    from hopwire import money

    rows = [
        {
            "id": one.id,
            "login": one.login,
            "balance": money.text(one.balance),
            "reserved": money.text(one.reserved),
            "credit": money.text(one.credit_limit),
            "currency": one.currency,
            "country": one.home_country,
        }
        for one in in_directory(read_config(config), lambda d: d.accounts())
    ]
    emit_rows(rows, as_json)


@commands.command(context_settings={"ignore_unknown_options": True})  # -50 is no option
def topup(
    login: Login,
    amount: Annotated[str, typer.Argument(help="Money in the account's currency; negative takes it back.")],
    note: Annotated[str, typer.Option(help="Kept in the ledger.")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add money to an account; prints what it can spend."""
    from hopwire import money
    from hopwire.admission import now_ms
    from hopwire.store.ledger import Ledger

    added = millionths(amount)

    async def work(directory: "Directory") -> tuple[int, str]:
        one = await find_account(directory, login)
        return await Ledger(directory.engine, actor()).top_up(one.id, added, note, now_ms()), one.currency

    spendable, currency = in_directory(read_config(config), work)
    emit({"login": login, "spendable": money.text(spendable), "currency": currency}, as_json)


# ---- prices


def set_price(
    prefix: Annotated[
        str, typer.Argument(help='First digits of the numbers, such as 380; "" is every number.')
    ],
    amount: Annotated[str, typer.Argument(help="Price of one part, in the accounts' currency.")],
    channel: Annotated[str, typer.Option(help="sms or viber.")] = "sms",
    type: Annotated[
        str, typer.Option(help="transactional or promotional. Without it: for both, where there is no other.")
    ] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Set the price of a part to the numbers with this prefix."""
    from hopwire.model import Price
    from hopwire.store.prices import PriceBook

    if channel not in ("sms", "viber"):
        raise CommandError(Ending.USAGE, "--channel must be sms or viber")
    if not (prefix.isascii() and prefix.isdigit() and len(prefix) <= 15) and prefix:
        raise CommandError(Ending.USAGE, "PREFIX must be up to 15 digits")
    price = millionths(amount)
    if price < 0:
        raise CommandError(Ending.USAGE, "AMOUNT must not be negative")
    in_directory(
        read_config(config), lambda d: PriceBook(d.engine, actor()).put([Price(channel, prefix, price, type)])
    )
    emit({"channel": channel, "prefix": prefix, "price": amount}, as_json)


def list_prices(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the prices."""
    from hopwire import money
    from hopwire.store.prices import PriceBook

    prices = in_directory(read_config(config), lambda d: PriceBook(d.engine).all())
    emit_rows(
        [{"channel": p.channel, "prefix": p.prefix, "price": money.text(p.price)} for p in prices], as_json
    )


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


def read_password() -> str:
    """A new password, from HOPWIRE_PASSWORD or standard input."""
    password = os.environ.get("HOPWIRE_PASSWORD") or _ask_password()
    if len(password) < 10:
        raise CommandError(Ending.USAGE, "a password has at least 10 characters")
    return password


def _ask_password() -> str:
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("Password for the account: ")
    return sys.stdin.readline().rstrip("\r\n")


def _check_names(login: str, senders: Sequence[str]) -> None:
    if not (1 <= len(login) <= 64 and login.isprintable()):
        raise CommandError(Ending.USAGE, "LOGIN must be 1 to 64 printable characters")
    for name in senders:
        if not (1 <= len(name) <= 28 and name.isprintable() and name == name.strip()):
            raise CommandError(Ending.USAGE, "--sender must be 1 to 28 printable characters")


def _check_place(country: str, time_zone: str, currency: str) -> None:
    from zoneinfo import available_timezones

    from phonenumbers import SUPPORTED_REGIONS

    if country not in SUPPORTED_REGIONS:
        raise CommandError(Ending.USAGE, "--country must be two capital letters of ISO 3166, such as UA")
    if time_zone not in available_timezones():
        raise CommandError(Ending.USAGE, "--time-zone must be an IANA name such as Europe/Kyiv")
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise CommandError(Ending.USAGE, "--currency must be three capital letters of ISO 4217")
