"""`hopwire route`: who carries what goes where, and why."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    DryRun,
    Ending,
    actor,
    emit,
    emit_rows,
    new_commands,
    read_config,
    say,
)
from hopwire.cli.operator import find_account, in_directory

if TYPE_CHECKING:
    from hopwire.choice import Health, Place
    from hopwire.config import Config
    from hopwire.model import Account, Route, Way
    from hopwire.routes import Change, Explanation
    from hopwire.store.directory import Directory
    from hopwire.store.routes import Routes

T = TypeVar("T")

commands = new_commands("Routes: which connectors carry what goes to which numbers.")

Channel = Annotated[str, typer.Option(help="sms or viber.")]
Prefix = Annotated[
    str,
    typer.Argument(help='First digits of the numbers, such as 380, or their country, UA; "": every number.'),
]


# ---- which there are


@commands.command("list")
def list_routes(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the routes of the settings and of the database; for the same prefix the latter counts."""
    from hopwire import routes

    settings = read_config(config)
    found = routes.listed(settings, _in_routes(settings, lambda kept: kept.all()))
    rows = [
        {
            **_told(one.route, as_json),
            "from": one.source,
            "counts": _flag(one.counts, as_json),
        }
        for one in found
    ]
    emit_rows(rows, as_json)


@commands.command("set")
def set_route(
    prefix: Prefix,
    connectors: Annotated[
        list[str],
        typer.Argument(
            metavar="CONNECTOR[:PRIORITY[:WEIGHT]]...",
            help="In the order in which they are tried; those of one priority share the numbers by weight.",
        ),
    ],
    channel: Channel = "sms",
    least_cost: Annotated[
        bool, typer.Option("--least-cost", help="Of one priority the cheapest first, whatever the weights.")
    ] = False,
    hours: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONNECTOR=HOURS",
            help='When alone a connector is used: night="20:00-08:00 Europe/Kyiv"; may be given again.',
        ),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Enter a route into the database, instead of any other for this channel and prefix."""
    settings = read_config(config)
    windows = dict(_window(one) for one in hours or ())
    ways = [_way(one, windows) for one in connectors]
    if windows:
        raise CommandError(Ending.USAGE, f"--hours {next(iter(windows))}: is none of these connectors")
    table = {"prefix": prefix, "channel": channel, "connectors": ways, "least_cost": least_cost}
    (route,) = _checked({"routes": [table]}, settings, "routes[0].")
    _in_routes(settings, lambda kept: kept.put([route]))
    emit(_told(route, as_json), as_json)


@commands.command()
def remove(
    prefix: Prefix, channel: Channel = "sms", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Take a route out of the database; one of the settings counts again."""
    settings = read_config(config)
    if not _in_routes(settings, lambda kept: kept.remove(channel, prefix)):
        raise CommandError(Ending.NOT_FOUND, "there is no such route in the database")
    emit({"channel": channel, "prefix": prefix, "removed": True}, as_json)


# ---- files


@commands.command()
def export(config: ConfigFile = None) -> None:
    """Print the routes that count as TOML, as `hopwire route import` and hopwire.toml read them."""
    from hopwire import routes

    settings = read_config(config)
    found = routes.listed(settings, _in_routes(settings, lambda kept: kept.all()))
    print(routes.text(one.route for one in found if one.counts), end="")


@commands.command("import")
def import_routes(
    file: Annotated[str, typer.Argument(metavar="FILE", help="TOML; - reads it from standard input.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Routes of the database that are not in the file go.")
    ] = False,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Enter all routes of a TOML file into the database, or none when one is wrong; prints what changes."""
    from hopwire import routes

    settings = read_config(config)
    new = _checked(_tree(file), settings)

    async def work(kept: "Routes") -> "list[Change]":
        found = routes.changes(settings, await kept.all(), new, replace=replace)
        if not dry_run:
            await kept.change(*routes.halves(found))
        return found

    changed = _in_routes(settings, work)
    emit_rows([_change(one) for one in changed], as_json)
    say(f"{len(changed)} routes change" + (", nothing was changed" if dry_run else ""))


def _tree(file: str) -> dict[str, Any]:
    import sys
    import tomllib
    from pathlib import Path

    try:
        return tomllib.loads(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"))
    except OSError as error:
        raise CommandError(Ending.NOT_FOUND, f"{file} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CommandError(Ending.USAGE, f"{file} is not TOML: {error}") from None


# ---- why


@commands.command()
def explain(
    number: Annotated[str, typer.Argument(help="A phone number.")],
    channel: Channel = "sms",
    account: Annotated[
        str | None,
        typer.Option("--account", help="Login of who sends. Without it: whom everyone's prices are for."),
    ] = None,
    type: Annotated[
        str, typer.Option("--type", help="transactional or promotional; without it: as the account sends.")
    ] = "",
    sender: Annotated[
        str, typer.Option(help="The sender's name, for an account that may not use every one.")
    ] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell over which connectors a message to a number goes now, in which order, why, and what it costs."""
    from hopwire import phone, routes
    from hopwire.admission import now_ms

    settings = read_config(config)
    _check_words(channel, type)

    async def work(directory: "Directory") -> "tuple[Explanation, Account]":
        payer = await _payer(directory, account)
        read = phone.parse(number, payer.home_country)
        if read is None:
            raise CommandError(Ending.USAGE, "NUMBER is not a phone number")
        asked = routes.Asked(payer, read, channel, type, sender)
        return await routes.explain(settings, directory.engine, asked, now_ms()), payer

    found, payer = in_directory(settings, work)
    if found.route is None:
        raise CommandError(Ending.NOT_FOUND, f"no route for {channel} leads to this number")
    _print(found, payer.currency, as_json)


def _check_words(channel: str, type: str) -> None:
    from hopwire.prices import CHANNELS, TYPES

    if channel not in CHANNELS:
        raise CommandError(Ending.USAGE, "--channel must be sms or viber")
    if type not in TYPES:
        raise CommandError(Ending.USAGE, "--type must be transactional or promotional")


async def _payer(directory: "Directory", login: str | None) -> "Account":
    from hopwire.store.directory import NOBODY

    return NOBODY if login is None else await find_account(directory, login)


def _print(found: "Explanation", currency: str, as_json: bool) -> None:
    assert found.route is not None
    head: dict[str, object] = {
        "number": found.number.digits,
        "country": found.number.country,
        "channel": found.channel,
        "type": found.type,
        "prefix": found.route.prefix,
        "from": found.source,
        "least_cost": _flag(found.route.least_cost, as_json),
        "price": _money(found.price),
        "currency": currency,
    }
    first = next((one for one in found.places if one.usable), None)
    rows = [_place(one, why, one is first, as_json) for one, why in zip(found.places, found.why, strict=True)]
    if as_json:
        emit({**head, "connectors": rows}, as_json)
        return
    if found.price is None:
        head["price"] = "none, so that nothing is sent"
    emit(head, False)
    print()
    emit_rows(rows, False)


def _place(one: "Place", why: str, first: bool, as_json: bool) -> dict[str, object]:
    use = "left out" if not one.usable else "chosen" if first else "other"
    head = {
        "connector": one.way.connector,
        "priority": one.way.priority,
        "weight": one.way.weight,
        "hours": one.way.hours,
    }
    health = one.health._asdict() if as_json else _health(one.health)
    return {**head, "health": health, "cost": _money(one.cost), "use": use, "why": why}


def _health(one: "Health") -> str:
    errors = "" if one.error_rate is None else f"{one.error_rate:.0%} errors"
    latency = "" if one.latency_ms is None else f"{one.latency_ms} ms"
    return ", ".join(filter(None, (one.state or "no worker", errors, latency)))


# ---- shared


def _in_routes(settings: "Config", work: "Callable[[Routes], Awaitable[T]]") -> T:
    from hopwire.store.routes import Routes

    return in_directory(settings, lambda d: work(Routes(d.engine, actor())))


def _checked(tree: dict[str, Any], settings: "Config", where: str = "") -> "list[Route]":
    """The routes of a tree; ends the command for the first mistake, whose place begins so."""
    from hopwire import routes
    from hopwire.config import ConfigError

    try:
        return routes.read(tree, settings)
    except ConfigError as error:
        raise CommandError(Ending.USAGE, str(error).removeprefix(where)) from None


def _window(typed: str) -> tuple[str, str]:
    connector, equals, hours = typed.partition("=")
    if not (equals and hours):
        raise CommandError(Ending.USAGE, f"--hours {typed}: must be CONNECTOR=HOURS")
    return connector, hours


def _way(typed: str, windows: dict[str, str]) -> dict[str, Any]:
    """A connector as the settings write it; its hours are taken out of the windows."""
    name, *numbers = typed.split(":")
    if len(numbers) > 2 or not all(one.isascii() and one.isdigit() for one in numbers):
        raise CommandError(Ending.USAGE, f"{typed}: must be CONNECTOR, CONNECTOR:PRIORITY or with :WEIGHT")
    words = zip(("priority", "weight"), map(int, numbers), strict=False)
    return {"connector": name, **dict(words), "hours": windows.pop(name, "")}


def _told(route: "Route", as_json: bool) -> dict[str, object]:
    ways: Sequence[object] = [_plain(one) if as_json else _short(one) for one in route.ways]
    return {
        "channel": route.channel,
        "prefix": route.prefix,
        "connectors": ways if as_json else ", ".join(map(str, ways)),
        "least_cost": _flag(route.least_cost, as_json),
    }


def _plain(way: "Way") -> dict[str, object]:
    from msgspec import to_builtins

    plain: dict[str, object] = to_builtins(way)
    return plain


def _short(way: "Way") -> str:
    weight = f":{way.weight}" if way.weight != 1 else ""
    return f"{way.connector}:{way.priority}{weight}" + (f" ({way.hours})" if way.hours else "")


def _change(one: "Change") -> dict[str, object]:
    before, after = (
        "" if route is None else str(_told(route, False)["connectors"]) for route in (one.before, one.after)
    )
    return {"channel": one.channel, "prefix": one.prefix, "before": before, "after": after}


def _money(amount: int | None) -> str:
    from hopwire import money

    return "" if amount is None else money.text(amount)


def _flag(value: bool, as_json: bool) -> object:
    return value if as_json else "yes" if value else "no"
