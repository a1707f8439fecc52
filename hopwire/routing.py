"""Which channels a message tries, in which order, over which connectors, at which price.

Rule 1: the longest prefix wins, for routes and for prices; a channel without both is left out.
Rule 2: a Viber text that is an instance of a template goes as that template, whatever becomes of the template
later; it is transactional where the template is, and every other Viber message is promotional. An SMS is what
the account is.
Rule 3: all connectors of a step are given the same parts, and charged for at the same moment, for the price
is fixed at acceptance; one where the text falls into other parts is none of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hopwire import choice, sms
from hopwire.choice import Health, Place
from hopwire.model import (
    Account,
    Fact,
    Other,
    Route,
    SendRequest,
    SmsContent,
    Step,
    Template,
    ViberText,
    WapPush,
    Writing,
)
from hopwire.prefixes import Prefixes
from hopwire.prices import PROMOTIONAL, TRANSACTIONAL, Charge, PriceLists
from hopwire.templates import Templates

PLAIN = Writing()
FORESEEN_MS = 60_000  # what leaves later than this does not ask how connectors stand now


class Carrier(NamedTuple):
    """What a plan must know of a connector."""

    connector: str
    resend: bool = False  # after a lost answer
    writing: Writing = PLAIN  # of short messages
    reports: str = "all"  # as Step has it
    carries: frozenset[str] = frozenset(("sms", "viber"))


class Road(NamedTuple):
    """A route, and its connectors."""

    route: Route
    carriers: Mapping[str, Carrier]
    alone: tuple[Carrier, ...] = ()  # where there is nothing to choose


NOWHERE: Prefixes[Road] = Prefixes()


class Network(NamedTuple):
    """What the settings say of ways: the routes, and the connectors by name."""

    routes: Sequence[Route]
    carriers: Mapping[str, Carrier]


class Tables(NamedTuple):
    """What plans are made of."""

    roads: Mapping[str, Prefixes[Road]]  # by channel
    prices: PriceLists = PriceLists()
    templates: Templates = Templates()
    health: Mapping[str, Health] = {}  # of connectors of which something is told


class Times(NamedTuple):
    sms_lifetime_s: int
    sms_grace_s: int
    viber_grace_s: int


Names = Callable[[str], frozenset[str] | None]
"""Channel -> over which connectors the sender's name may be used; None: over every one."""


def anywhere(channel: str) -> None:
    """The name may be used everywhere."""


def roads(routes: Iterable[Route], carriers: Mapping[str, Carrier]) -> dict[str, Prefixes[Road]]:
    """The routes, ready to be asked; of the same channel and prefix the last one counts.

    A connector that is not there is passed over, and a route of which nothing is left is none.
    """
    found: dict[str, dict[str, Road]] = {}
    for road in (_road(route, carriers) for route in routes):
        if road.carriers:
            found.setdefault(road.route.channel, {})[road.route.prefix] = road
    return {channel: Prefixes(by_prefix) for channel, by_prefix in found.items()}


def _road(route: Route, carriers: Mapping[str, Carrier]) -> Road:
    ways = tuple(
        way
        for way in route.ways
        if way.connector in carriers and route.channel in carriers[way.connector].carries
    )
    found = {way.connector: carriers[way.connector] for way in ways}
    alone = tuple(found.values()) if len(ways) == 1 and not ways[0].hours else ()
    return Road(replace(route, ways=ways), found, alone)


def road(tables: Tables, channel: str, digits: str, country: str = "") -> Road | None:
    """By which route the channel goes to this number."""
    return tables.roads.get(channel, NOWHERE).longest(digits, country)


def price_of_part(tables: Tables, account: Account, digits: str, country: str = "") -> int | None:
    """What one SMS part to this number costs the account, in millionths; None where there is no route."""
    if road(tables, "sms", digits, country) is None:
        return None
    charge = tables.prices.charge(account, "sms", sms_type(account), digits)
    return charge.price if charge else None


def prices(tables: Tables, account: Account, digits: str, country: str = "") -> dict[tuple[str, str], int]:
    """Channel and type -> what a part to this number costs the account, where the channel goes there."""
    asked = (("viber", PROMOTIONAL), ("viber", TRANSACTIONAL), ("sms", sms_type(account)))
    found = {
        (channel, type): tables.prices.charge(account, channel, type, digits)
        for channel, type in asked
        if road(tables, channel, digits, country) is not None
    }
    return {which: charge.price for which, charge in found.items() if charge is not None}


def places(
    tables: Tables, road: Road, type: str, digits: str, now: int, allowed: frozenset[str] | None = None
) -> list[Place]:
    """The connectors of a route in the order in which they are tried, and why; see `choice.choose`."""

    def cost(connector: str) -> int | None:
        return tables.prices.cost(connector, road.route.channel, type, digits)

    return choice.choose(road.route, tables.health, cost, digits, now, allowed)


def candidates(
    tables: Tables, road: Road, type: str, digits: str, now: int, allowed: frozenset[str] | None = None
) -> Sequence[Carrier]:
    """The connectors that may carry it, in the order in which they are tried."""
    if road.alone and allowed is None:
        return road.alone
    found = places(tables, road, type, digits, now, allowed)
    return [road.carriers[one.way.connector] for one in found if one.usable]


def sms_type(account: Account) -> str:
    """By which prices an account's short messages are sold."""
    return TRANSACTIONAL if account.transactional else PROMOTIONAL


def viber_charge(tables: Tables, account: Account, template: Template | None, digits: str) -> Charge | None:
    """What a Viber message to this number costs the account; None where it has no price."""
    return tables.prices.charge(account, "viber", viber_type(template), digits)


def viber_type(template: Template | None) -> str:
    """By which prices a Viber message is sold."""
    return TRANSACTIONAL if template and template.kind == "transaction" else PROMOTIONAL


def plan(
    request: SendRequest,
    account: Account,
    tables: Tables,
    times: Times,
    now: int = 0,
    names: Names = anywhere,
) -> tuple[Step, ...]:
    """The steps of the message: Viber first, then SMS; none where there is no route."""
    at = now if request.send_at is None else request.send_at
    if at > now + FORESEEN_MS:
        tables = tables._replace(health={})
    asked = _Asked(request, account, tables, times, at, names)
    steps = (_viber_step(asked), _sms_step(asked))
    return tuple(step for step in steps if step is not None)


def sms_parts(request: SendRequest, steps: Iterable[Step], tables: Tables, now: int = 0) -> int:
    """Into how many SMS parts the message falls; 1 where there is no SMS."""
    if request.sms is None:
        return 1
    for step in steps:
        if step.channel == "sms":
            return step.parts if step.writing is None else sms.count(request.sms, step.writing)
    return parts(tables, request.recipient, request.sms, request.country, now)


def parts(tables: Tables, digits: str, content: SmsContent, country: str = "", now: int = 0) -> int:
    """Into how many SMS parts the content falls on its way to this number."""
    return sms.count(content, writing(tables, digits, country, now))


def writing(tables: Tables, digits: str, country: str = "", now: int = 0) -> Writing:
    """How short messages to this number are written; the default where there is no route."""
    found = road(tables, "sms", digits, country)
    by = candidates(tables, found, "", digits, now) if found else ()
    return by[0].writing if by else PLAIN


def _handovers(content: SmsContent, count: int, writing: Writing) -> int:
    """How many hand-overs carry so many parts."""
    whole = writing.long == "payload" and not (isinstance(content, WapPush) and writing.wap)
    return 1 if whole else count


class _Asked(Fact, frozen=True):
    """What is to be planned, and by what."""

    request: SendRequest
    account: Account
    tables: Tables
    times: Times
    at: int
    names: Names

    def road(self, channel: str) -> Road | None:
        return road(self.tables, channel, self.request.recipient, self.request.country)

    def candidates(self, by: Road, type: str) -> Sequence[Carrier]:
        allowed = self.names(by.route.channel)
        return candidates(self.tables, by, type, self.request.recipient, self.at, allowed)

    def cost(self, by: Carrier, channel: str, type: str) -> int:
        """What a part costs us; 0 where that is not known."""
        return self.tables.prices.cost(by.connector, channel, type, self.request.recipient) or 0


def _viber_step(asked: _Asked) -> Step | None:
    request = asked.request
    by = asked.road("viber") if request.viber else None
    if by is None:
        return None
    template = _template(request, asked.tables)
    type = viber_type(template)
    charge = viber_charge(asked.tables, asked.account, template, request.recipient)
    found = asked.candidates(by, type) if charge else ()
    if charge is None or not found:
        return None
    first = found[0]
    return Step(
        channel="viber",
        connector=first.connector,
        parts=1,
        part_price=charge.price,
        charge_on="delivered",
        lifetime_s=request.viber_lifetime_s,
        grace_s=asked.times.viber_grace_s,
        resend=first.resend,
        redirect_blocked=asked.account.transactional,
        template=template,
        part_cost=asked.cost(first, "viber", type),
        part_commission=charge.commission,
        others=tuple([_other(one, asked.cost(one, "viber", type)) for one in found[1:]]),
    )


def _template(request: SendRequest, tables: Tables) -> Template | None:
    if not isinstance(request.viber, ViberText):
        return None
    return tables.templates.match(request.viber_sender, request.viber.text)


class _Shape(Fact, frozen=True):
    """How a content leaves over a connector."""

    parts: int
    handovers: int
    charge_on: str


def _shape(content: SmsContent, by: Carrier, account: Account) -> _Shape:
    count = sms.count(content, by.writing)
    charge_on = "taken" if by.reports == "none" else account.charge_sms_on
    return _Shape(count, _handovers(content, count, by.writing), charge_on)


def _sms_step(asked: _Asked) -> Step | None:
    request, account = asked.request, asked.account
    by = asked.road("sms") if request.sms else None
    if request.sms is None or by is None:
        return None
    type = sms_type(account)
    charge = asked.tables.prices.charge(account, "sms", type, request.recipient)
    found = asked.candidates(by, type) if charge else ()
    if charge is None or not found:
        return None
    first = found[0]
    shape = _shape(request.sms, first, account)
    each = shape.parts // shape.handovers
    return Step(
        channel="sms",
        connector=first.connector,
        parts=shape.handovers,
        part_price=charge.price * each,
        charge_on=shape.charge_on,
        lifetime_s=asked.times.sms_lifetime_s,
        grace_s=asked.times.sms_grace_s,
        resend=first.resend,
        writing=_unusual(first.writing),
        reports=first.reports,
        part_cost=asked.cost(first, "sms", type) * each,
        part_commission=charge.commission * each,
        others=tuple(
            [
                _other(one, asked.cost(one, "sms", type) * each)
                for one in found[1:]
                if _shape(request.sms, one, account) == shape
            ]
        ),
    )


def _other(by: Carrier, part_cost: int) -> Other:
    return Other(
        connector=by.connector,
        resend=by.resend,
        writing=_unusual(by.writing),
        reports=by.reports,
        part_cost=part_cost,
    )


def _unusual(writing: Writing) -> Writing | None:
    """None is the default: it need not be kept with every message."""
    return None if writing == PLAIN else writing
