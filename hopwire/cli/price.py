"""`hopwire price`: price lists, what connectors cost, and why a number costs what it costs."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hopwire.cli import tables
from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    DryRun,
    Ending,
    actor,
    emit,
    emit_rows,
    moment,
    read_config,
    say,
    usage,
)
from hopwire.cli.operator import find_account, in_directory

if TYPE_CHECKING:
    from hopwire.model import Price
    from hopwire.prices import Change
    from hopwire.store.directory import Directory
    from hopwire.store.prices import PriceBook

T = TypeVar("T")

Plan = Annotated[
    str | None, typer.Option(help="The list of a plan instead of everyone's.", show_default=False)
]
Of = Annotated[
    str | None, typer.Option("--account", help="The list of this login alone.", show_default=False)
]
Connector = Annotated[
    str | None, typer.Option(help="What we pay for this connector ourselves.", show_default=False)
]
Channel = Annotated[str, typer.Option(help="sms or viber.")]
Type = Annotated[
    str,
    typer.Option(
        "--type", help="transactional or promotional. Without it: for both, where there is no other."
    ),
]
Prefix = Annotated[str, typer.Argument(help='First digits of the numbers, such as 380; "" is every number.')]
Since = Annotated[
    str | None,
    typer.Option("--since", help="Date or time since when it counts, ISO 8601.", show_default=False),
]
Zone = Annotated[str, typer.Option(help="By whose clock a date without an offset is meant, IANA.")]


def set_(
    prefix: Prefix,
    amount: Annotated[str, typer.Argument(help="Price of one part, in the accounts' currency.")],
    channel: Channel = "sms",
    type: Type = "",
    plan: Plan = None,
    account: Of = None,
    connector: Connector = None,
    since: Since = None,
    time_zone: Zone = "Europe/Kyiv",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Set the price of a part to the numbers with this prefix."""
    from hopwire import money, tariffs

    with usage():
        row = tariffs.row(channel, type, prefix, since or "", amount, time_zone)

    async def work(book: "PriceBook", directory: "Directory") -> "Price":
        new = row._replace(list=await _list(directory, plan, account, connector))
        await book.put([new])
        return new

    new = _in_book(config, work)
    told = {"list": new.list, "channel": new.channel, "type": new.type, "prefix": prefix}
    emit({**told, "since": moment(new.valid_from or None), "price": money.text(new.price)}, as_json)


def remove(
    prefix: Prefix,
    channel: Channel = "sms",
    type: Type = "",
    plan: Plan = None,
    account: Of = None,
    connector: Connector = None,
    since: Since = None,
    time_zone: Zone = "Europe/Kyiv",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a row out of a price list."""
    from hopwire import tariffs
    from hopwire.prices import changes

    with usage():
        row = tariffs.row(channel, type, prefix, since or "", "0", time_zone)

    async def work(book: "PriceBook", directory: "Directory") -> int:
        gone = row._replace(list=await _list(directory, plan, account, connector))
        rows = await book.all()
        left = [one for one in rows if one._replace(price=0) != gone]
        await _apply(book, changes(rows, left, replace=[gone.list]))
        return len(rows) - len(left)

    if not _in_book(config, work):
        raise CommandError(Ending.NOT_FOUND, "there is no such price")
    emit({"channel": channel, "prefix": prefix, "removed": True}, as_json)


def list_(
    plan: Plan = None,
    account: Of = None,
    connector: Connector = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the prices, all lists or one."""

    async def work(book: "PriceBook", directory: "Directory") -> list[dict[str, object]]:
        only = await _list(directory, plan, account, connector)
        return _rows([one for one in await book.all() if only in ("", one.list)], await _logins(directory))

    emit_rows(_in_book(config, work), as_json)


def export(config: ConfigFile = None) -> None:
    """Print all price lists as CSV, as `hopwire price import` reads them."""

    from hopwire.tariffs import COLUMNS

    async def work(book: "PriceBook", directory: "Directory") -> list[dict[str, object]]:
        return _rows(await book.all(), await _logins(directory))

    tables.write_rows(COLUMNS, _in_book(config, work))


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV; - reads it from standard input.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Rows that are not in the file go, of every list that is in it.")
    ] = False,
    dry_run: DryRun = False,
    time_zone: Zone = "Europe/Kyiv",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Enter all prices of a CSV file, or none when a row is wrong; prints what changes.

    Columns: list, channel, type, prefix, valid_from, price. The list is empty (everyone's), plan:NAME,
    account:LOGIN, or connector:NAME (what we pay ourselves); valid_from may be empty.
    """
    from hopwire.prices import changes

    text = tables.read_file(file)

    async def work(book: "PriceBook", directory: "Directory") -> list[dict[str, object]]:
        logins = await _logins(directory)
        new = _prices(text, {login: i for i, login in logins.items()}, time_zone)
        found = changes(await book.all(), new, replace={one.list for one in new} if replace else ())
        if not dry_run:
            await _apply(book, found)
        return [_change(one, logins) for one in found]

    changed = _in_book(config, work)
    emit_rows(changed, as_json)
    say(f"{len(changed)} rows change" + (", nothing was changed" if dry_run else ""))


def explain(
    number: Annotated[str, typer.Argument(help="A phone number.")],
    account: Annotated[str, typer.Option("--account", help="Login of who sends.")],
    channel: Channel = "sms",
    type: Annotated[
        str, typer.Option("--type", help="transactional or promotional; else the account's.")
    ] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a part to a number costs an account, and which row of which list says so."""
    from hopwire import phone, prices
    from hopwire.admission import now_ms
    from hopwire.routing import sms_type

    async def work(book: "PriceBook", directory: "Directory") -> list[dict[str, object]]:
        payer = await find_account(directory, account)
        found = phone.parse(number, payer.home_country)
        if found is None:
            raise CommandError(Ending.USAGE, "NUMBER is not a phone number")
        kind = type or (sms_type(payer) if channel == "sms" else prices.PROMOTIONAL)
        rows, now, logins = await book.all(), now_ms(), await _logins(directory)
        says = prices.candidates(rows, payer, channel, kind, found.digits, now)
        return [{**one, "counts": i == 0} for i, one in enumerate(_rows(says, logins))]

    rows = _in_book(config, work)
    if not rows:
        raise CommandError(Ending.NOT_FOUND, "no price list has this number, so nothing is sent to it")
    emit_rows(rows, as_json)


COMMANDS = (set_, remove, list_, export, import_, explain)


# ---- shared


def _in_book(config: ConfigFile, work: "Callable[[PriceBook, Directory], Awaitable[T]]") -> T:
    from hopwire.store.prices import PriceBook

    return in_directory(read_config(config), lambda d: work(PriceBook(d.engine, actor()), d))


async def _list(directory: "Directory", plan: str | None, login: str | None, connector: str | None) -> str:
    if sum(one is not None for one in (plan, login, connector)) > 1:
        raise CommandError(Ending.USAGE, "--plan, --account and --connector: one of them at most")
    if login is not None:
        return f"account:{(await find_account(directory, login)).id}"
    return f"plan:{plan}" if plan else f"connector:{connector}" if connector else ""


async def _logins(directory: "Directory") -> dict[int, str]:
    return {one.id: one.login for one in await directory.accounts()}


def _rows(prices: "Iterable[Price]", logins: dict[int, str]) -> list[dict[str, object]]:
    from hopwire import tariffs

    return [dict(tariffs.told(one, logins)) for one in prices]


def _change(one: "Change", logins: dict[int, str]) -> dict[str, object]:
    from hopwire import money, tariffs

    before, after = ("" if amount is None else money.text(amount) for amount in (one.before, one.after))
    row = tariffs.told(one.row, logins)
    del row["price"]
    return {**row, "before": before, "after": after}


def _prices(text: str, ids: dict[str, int], time_zone: str) -> "list[Price]":
    """The prices of a file; ends the command for the first row that is wrong."""
    from hopwire import tariffs

    found, wrong = tariffs.read(text, ids, time_zone)
    if wrong:
        raise tables.wrong(wrong[0].line, str(wrong[0]))
    return found


async def _apply(book: "PriceBook", changes: "list[Change]") -> None:
    if not await book.apply(changes):
        raise CommandError(Ending.TEMPORARY, "the prices have changed meanwhile; nothing was done, try again")
