"""Routes, for the operator: which there are, where they come from, what would become of a message and why.

The command line and web pages call what is here.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from hopwire import choice, phone, routing
from hopwire.choice import Place
from hopwire.config import Config, parse_routes, toml
from hopwire.model import Account, Route
from hopwire.prices import PROMOTIONAL, PriceLists
from hopwire.routing import Carrier, Network, Tables
from hopwire.sentence import Sentence
from hopwire.store.connectors import FRESH_MS, Connectors
from hopwire.store.engine import Engine
from hopwire.store.prices import PriceBook
from hopwire.store.routes import Routes
from hopwire.store.senders import Allowed, Senders

SETTINGS, DATABASE = "settings", "database"


def network(config: Config) -> Network:
    """The routes and the connectors of the settings."""
    carriers = {
        name: Carrier(
            name,
            connector.idempotent or getattr(connector, "on_unknown", "hold") == "resend",
            connector.writing,
            connector.reports,
            connector.carries,
        )
        for name, connector in config.connectors.items()
    }
    return Network([route.model for route in config.routes], carriers)


# ---- which there are


class Listed(NamedTuple):
    """A route, and where it comes from."""

    route: Route
    source: str  # SETTINGS or DATABASE
    counts: bool = True  # false: another one stands before it


def listed(config: Config, kept: Iterable[Route]) -> list[Listed]:
    """The routes of the settings and of the database, by channel and prefix."""
    entered = _by_key(kept)
    settings = [route.model for route in config.routes]
    found = [Listed(one, DATABASE) for one in entered.values()]
    found += [Listed(one, SETTINGS, (one.channel, one.prefix) not in entered) for one in settings]
    return sorted(found, key=lambda one: (one.route.channel, one.route.prefix, one.source))


# ---- as tables, which TOML has


def table(route: Route) -> dict[str, Any]:
    """A route as the settings write it, as short as can be."""
    ways = [
        {"connector": way.connector}
        | ({"priority": way.priority} if way.priority != place else {})
        | ({"weight": way.weight} if way.weight != 1 else {})
        | ({"hours": way.hours} if way.hours else {})
        for place, way in enumerate(route.ways, 1)
    ]
    names = [way["connector"] if len(way) == 1 else way for way in ways]
    carried = (
        {"connector": names[0]} if len(names) == 1 and names[0] is not ways[0] else {"connectors": names}
    )
    head = {"prefix": route.prefix, "channel": route.channel}
    return head | carried | ({"least_cost": True} if route.least_cost else {})


def text(routes: Iterable[Route]) -> str:
    """Routes as a file that `[[routes]]` of the settings, and `route import`, take."""
    tables = ("".join(f"{key} = {toml(value)}\n" for key, value in table(one).items()) for one in routes)
    return "\n".join(f"[[routes]]\n{one}" for one in tables)


def read(tree: Mapping[str, Any], config: Config) -> list[Route]:
    """The routes of such a file; raises ConfigError."""
    return [route.model for route in parse_routes(tree, config.connectors)]


class Change(NamedTuple):
    """What an import does to one route."""

    channel: str
    prefix: str
    before: Route | None
    after: Route | None


def changes(config: Config, kept: Sequence[Route], new: Sequence[Route], *, replace: bool) -> list[Change]:
    """What an import does to the routes of the database; with `replace`, those that are not named go.

    What the settings say alike, and nothing else stands before, need not be kept.
    """
    old, said = _by_key(kept), _by_key(route.model for route in config.routes)
    then = {key: route for key, route in _by_key(new).items() if key in old or said.get(key) != route}
    gone = {key: None for key in old if replace and key not in then}
    found = [Change(*key, old.get(key), route) for key, route in (then | gone).items()]
    return sorted((one for one in found if one.before != one.after), key=lambda one: one[:2])


def halves(found: Iterable[Change]) -> tuple[list[Route], list[tuple[str, str]]]:
    """What is to be entered, and what is to go."""
    put = [one.after for one in found if one.after is not None]
    return put, [(one.channel, one.prefix) for one in found if one.after is None]


def digest(found: Iterable[Change]) -> str:
    """Changes that are the same have the same digest: what was shown can be told from what would be done."""
    return sha256(repr([tuple(one) for one in found]).encode()).hexdigest()


def _by_key(routes: Iterable[Route]) -> dict[tuple[str, str], Route]:
    return {(one.channel, one.prefix): one for one in routes}


# ---- what would become of a message


class Explanation(NamedTuple):
    """How a message to a number goes, if it is sent now."""

    number: phone.Number
    channel: str
    type: str
    route: Route | None  # None: there is none
    source: str
    price: int | None  # of a part, what the account pays; None: it has no price
    places: list[Place]  # in the order in which the connectors are tried
    why: list[Sentence]  # of each


class Asked(NamedTuple):
    """What is to be explained."""

    account: Account
    number: phone.Number
    channel: str
    type: str = ""  # transactional or promotional; "": as the account sends
    sender: str = ""  # "": whatever name


async def explain(config: Config, engine: Engine, asked: Asked, now: int) -> Explanation:
    """Decide as acceptance does, with what is known now."""
    kept = await Routes(engine).all()
    tables = await _tables(config, engine, kept, now)
    digits, channel, type = asked.number.digits, asked.channel, asked.type or _type(asked)
    road = routing.road(tables, channel, digits, asked.number.country)
    charge = tables.prices.charge(asked.account, channel, type, digits)
    allowed = await _allowed(engine, asked)
    found = routing.places(tables, road, type, digits, now, allowed) if road else []
    route = road.route if road else None
    return Explanation(
        number=asked.number,
        channel=channel,
        type=type,
        route=route,
        source=DATABASE if route and (channel, route.prefix) in _by_key(kept) else SETTINGS,
        price=charge.price if charge else None,
        places=found,
        why=choice.reasons(found, least_cost=bool(route and route.least_cost)),
    )


async def _tables(config: Config, engine: Engine, kept: Iterable[Route], now: int) -> Tables:
    connected = network(config)
    told = await Connectors(engine).states(now - FRESH_MS)
    return Tables(
        routing.roads([*connected.routes, *kept], connected.carriers),
        PriceLists(await PriceBook(engine).all(), now),
        health=choice.best((one.connector, one.state) for one in told),
    )


async def _allowed(engine: Engine, asked: Asked) -> frozenset[str] | None:
    if asked.account.any_sender or not asked.sender:
        return None
    names = Allowed(await Senders(engine).all())
    return names.connectors(asked.account.id, asked.sender, asked.channel)


def _type(asked: Asked) -> str:
    return routing.sms_type(asked.account) if asked.channel == "sms" else PROMOTIONAL
