"""Money: top-ups, corrections, transfers, refunds; statements of a month, and what is left of it for us."""

import csv
import sys
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
    new_commands,
    read_config,
    say,
    usage,
)
from hopwire.cli.operator import Login, find_account, in_directory, millionths

if TYPE_CHECKING:
    from hopwire.model import Account
    from hopwire.store.directory import Directory
    from hopwire.store.ledger import Ledger, Margin, Movement

T = TypeVar("T")

commands = new_commands()

Note = Annotated[str, typer.Option(help="Kept in the ledger.")]
Month = Annotated[str, typer.Argument(help="YYYY-MM.")]
SIGNED = {"ignore_unknown_options": True}  # -50 is no option
COLUMNS = ("time", "kind", "message", "step", "connector", "account", "note", "amount", "balance")


@commands.command(context_settings=SIGNED)
def topup(
    login: Login,
    amount: Annotated[str, typer.Argument(help="Money in the account's currency; negative takes it back.")],
    note: Note = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add money that was paid to an account; prints what it can spend."""
    added = millionths(amount)
    _move(config, login, as_json, lambda ledger, of, now: ledger.top_up(of.id, added, note, now))


@commands.command(context_settings=SIGNED)
def adjust(
    login: Login,
    amount: Annotated[str, typer.Argument(help="Money in the account's currency; negative takes it.")],
    note: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Correct the balance of an account, when nobody has paid; prints what it can spend."""
    added = millionths(amount)
    _move(config, login, as_json, lambda ledger, of, now: ledger.adjust(of.id, added, note, now))


@commands.command()
def transfer(
    giver: Annotated[str, typer.Argument(help="Login of the account that gives.")],
    taker: Annotated[str, typer.Argument(help="Login of the account that gets.")],
    amount: Annotated[str, typer.Argument(help="Money, in the currency of both.")],
    note: Note = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Give money of a reseller to its sub-account, or back; prints what the giver can spend."""
    moved = millionths(amount)
    if moved <= 0:
        raise CommandError(Ending.USAGE, "AMOUNT must be more than 0")

    async def give(directory: "Directory", ledger: "Ledger", one: "Account", now: int) -> int:
        other = await find_account(directory, taker)
        if one.id not in (other.parent_id, other.id) and one.parent_id != other.id:
            raise CommandError(Ending.REJECTED, "money goes between a reseller and its sub-accounts alone")
        if one.id == other.id:
            raise CommandError(Ending.USAGE, "an account gives itself nothing")
        return await ledger.transfer(one.id, other.id, moved, note, now)

    _with_ledger(config, giver, as_json, give)


@commands.command()
def refund(
    message_id: Annotated[int, typer.Argument(metavar="ID", help="As it was answered to the client.")],
    note: Note = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Give back what a message has cost, once. A reseller gives back what it earned by it."""
    from hopwire import money
    from hopwire.admission import now_ms
    from hopwire.store.ledger import Ledger

    async def work(directory: "Directory") -> list[dict[str, object]]:
        logins = {one.id: one.login for one in await directory.accounts()}
        back = await Ledger(directory.engine, actor()).refund(message_id, note, now_ms())
        return [{"login": logins[one.account_id], "refunded": money.text(one.amount)} for one in back]

    rows = in_directory(read_config(config), work)
    if not rows:
        raise CommandError(Ending.NOT_FOUND, "nothing of this message can be given back")
    emit_rows(rows, as_json)


Move = Callable[["Ledger", "Account", int], Awaitable[int]]


def _move(config: ConfigFile, login: str, as_json: bool, move: Move) -> None:
    async def work(directory: "Directory", ledger: "Ledger", one: "Account", now: int) -> int:
        return await move(ledger, one, now)

    _with_ledger(config, login, as_json, work)


def _with_ledger(
    config: ConfigFile,
    login: str,
    as_json: bool,
    move: Callable[["Directory", "Ledger", "Account", int], Awaitable[int]],
) -> None:
    """Move money of an account, and print what it can spend then."""
    from hopwire import money
    from hopwire.admission import now_ms
    from hopwire.store.ledger import Ledger

    async def work(directory: "Directory") -> tuple[int, str]:
        one = await find_account(directory, login)
        return await move(directory, Ledger(directory.engine, actor()), one, now_ms()), one.currency

    spendable, currency = in_directory(read_config(config), work)
    emit({"login": login, "spendable": money.text(spendable), "currency": currency}, as_json)


# ---- statements


@commands.command()
def statement(
    login: Login,
    month: Month,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what has moved an account's balance in a month, by its clock, as CSV or JSON lines.

    The first line has the balance before, the last one the balance after.
    """
    from hopwire import limits, money
    from hopwire.store.ledger import Ledger

    async def work(directory: "Directory") -> None:
        account = await find_account(directory, login)
        logins = {one.id: one.login for one in await directory.accounts()}
        with usage():
            since, until = limits.month(month, account.time_zone)
        ledger = Ledger(directory.engine)
        balance = await ledger.balance_at(account.id, since)
        write = _writer(as_json)
        write({"time": _local(since, account), "kind": "opening", "balance": money.text(balance)})
        async for one in ledger.movements(account.id, since, until):
            balance += one.amount
            write(_statement_row(one, account, logins, balance))
        write({"time": _local(until, account), "kind": "closing", "balance": money.text(balance)})

    in_directory(read_config(config), work)


def _writer(as_json: bool) -> Callable[[dict[str, object]], None]:
    if as_json:
        return lambda row: emit(row, True)
    table = csv.DictWriter(sys.stdout, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    return lambda row: table.writerow({name: formula_safe(value) for name, value in row.items()})


def _statement_row(
    one: "Movement", account: "Account", logins: dict[int, str], balance: int
) -> dict[str, object]:
    from hopwire import money

    return {
        "time": _local(one.at, account),
        "kind": one.kind,
        "message": one.message_id or "",
        "step": "" if one.step is None else one.step + 1,
        "connector": "" if account.parent_id or one.kind != "charge" else one.connector,
        "account": logins.get(one.other_id or 0, ""),
        "note": one.note,
        "amount": money.text(one.amount),
        "balance": money.text(balance),
    }


def formula_safe(value: object) -> object:
    """A cell that a spreadsheet does not take for a formula; numbers stay what they are."""
    text = str(value)
    number = text.lstrip("-").replace(".", "", 1).isdecimal()
    return f"'{text}" if text[:1] in "=+-@\t\r" and text and not number else value


def _local(at: int, account: "Account") -> str:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return datetime.fromtimestamp(at / 1000, ZoneInfo(account.time_zone)).isoformat(timespec="seconds")


# ---- what is left for us


@commands.command()
def books(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print what is in each book of the double-entry ledger, by currency; together they are nothing."""
    from hopwire import money
    from hopwire.store.ledger import Ledger

    sums = in_directory(read_config(config), lambda directory: Ledger(directory.engine).sums())
    rows = [
        {"currency": currency, "book": book, "amount": money.text(amount)}
        for currency, of in sums.items()
        for book, amount in sorted(money.trial_balance(of).items())
    ]
    emit_rows(rows, as_json)


@commands.command()
def margin(
    month: Month,
    by: Annotated[str, typer.Option(help="account, connector, or both.")] = "both",
    time_zone: Annotated[str, typer.Option(help="By whose clock, IANA.")] = "Europe/Kyiv",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what was charged, what of it resellers got, what was given back, what it cost, and the rest."""
    from hopwire import limits
    from hopwire.store.ledger import Ledger

    if by not in ("account", "connector", "both"):
        raise CommandError(Ending.USAGE, "--by must be account, connector or both")
    with usage():
        since, until = limits.month(month, time_zone)

    async def work(directory: "Directory") -> list[dict[str, object]]:
        accounts = {one.id: one for one in await directory.accounts()}
        say("Adding up ...")
        return _margins(await Ledger(directory.engine).margins(since, until), accounts, by)

    emit_rows(in_directory(read_config(config), work), as_json)


def _margins(found: "list[Margin]", accounts: "dict[int, Account]", by: str) -> list[dict[str, object]]:
    from hopwire import money

    sums: dict[tuple[str, ...], list[int]] = {}
    for one in found:
        account = accounts[one.account_id]
        who = account.login if by != "connector" else ""
        where = one.connector if by != "account" else ""
        row = sums.setdefault((account.currency, who, where), [0] * 5)
        for i, amount in enumerate((one.charges, one.charged, one.commission, one.refunded, one.cost)):
            row[i] += amount
    names = ("charged", "commission", "refunded", "cost")
    return [
        {
            **{
                name: value
                for name, value in zip(("currency", "account", "connector"), key, strict=True)
                if value
            },
            "charges": charges,
            **{name: money.text(amount) for name, amount in zip(names, amounts, strict=True)},
            "margin": money.text(amounts[0] - sum(amounts[1:])),
        }
        for key, (charges, *amounts) in sorted(sums.items())
    ]
