"""Which channels a message tries, in which order, over which connector, at which price.

Rule 1: the longest prefix wins, for routes and for prices; a channel without both is left out.
Rule 2: a Viber text that is an instance of a template goes as that template, whatever becomes of the template
later; it is transactional where the template is, and every other Viber message is promotional. An SMS is what
the account is.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from hopwire import sms
from hopwire.model import Account, SendRequest, SmsContent, Step, Template, ViberText, WapPush, Writing
from hopwire.prefixes import Prefixes
from hopwire.prices import PROMOTIONAL, TRANSACTIONAL, Charge, PriceLists
from hopwire.templates import Templates

T = TypeVar("T")

NOBODY: Prefixes["Carrier"] = Prefixes()


class Carrier(NamedTuple):
    """What a plan must know of a connector."""

    connector: str
    resend: bool = False  # after a lost answer
    writing: Writing = Writing()  # of short messages
    reports: str = "all"  # as Step has it


class Tables(NamedTuple):
    """What plans are made of; routes: channel -> who carries it to which numbers."""

    carriers: Mapping[str, Prefixes[Carrier]]
    prices: PriceLists = PriceLists()
    templates: Templates = Templates()


class Times(NamedTuple):
    sms_lifetime_s: int
    sms_grace_s: int
    viber_grace_s: int


def by_prefix(rows: Iterable[tuple[str, str, T]]) -> dict[str, Prefixes[T]]:
    """(channel, prefix, value) rows as tables to be asked for the longest prefix."""
    tables: dict[str, dict[str, T]] = {}
    for channel, prefix, value in rows:
        tables.setdefault(channel, {})[prefix] = value
    return {channel: Prefixes(values) for channel, values in tables.items()}


def price_of_part(tables: Tables, account: Account, digits: str, country: str = "") -> int | None:
    """What one SMS part to this number costs the account, in millionths; None where there is no route."""
    if carrier(tables, "sms", digits, country) is None:
        return None
    charge = tables.prices.charge(account, "sms", sms_type(account), digits)
    return charge.price if charge else None


def carrier(tables: Tables, channel: str, digits: str, country: str = "") -> Carrier | None:
    """Who carries the channel to this number."""
    return tables.carriers.get(channel, NOBODY).longest(digits, country)


def sms_type(account: Account) -> str:
    """By which prices an account's short messages are sold."""
    return TRANSACTIONAL if account.transactional else PROMOTIONAL


def viber_charge(tables: Tables, account: Account, template: Template | None, digits: str) -> Charge | None:
    """What a Viber message to this number costs the account; None where it has no price."""
    return tables.prices.charge(account, "viber", viber_type(template), digits)


def viber_type(template: Template | None) -> str:
    """By which prices a Viber message is sold."""
    return TRANSACTIONAL if template and template.kind == "transaction" else PROMOTIONAL


def plan(request: SendRequest, account: Account, tables: Tables, times: Times) -> tuple[Step, ...]:
    """The steps of the message: Viber first, then SMS; none where there is no route."""
    steps = (_viber_step(request, account, tables, times), _sms_step(request, account, tables, times))
    return tuple(step for step in steps if step is not None)


def parts(tables: Tables, digits: str, content: SmsContent, country: str = "") -> int:
    """Into how many SMS parts the content falls on its way to this number."""
    return sms.count(content, writing(tables, digits, country))


def writing(tables: Tables, digits: str, country: str = "") -> Writing:
    """How short messages to this number are written; the default where there is no route."""
    found = carrier(tables, "sms", digits, country)
    return found.writing if found else Writing()


def _handovers(content: SmsContent, count: int, writing: Writing) -> int:
    """How many hand-overs carry so many parts."""
    whole = writing.long == "payload" and not (isinstance(content, WapPush) and writing.wap)
    return 1 if whole else count


def _viber_step(request: SendRequest, account: Account, tables: Tables, times: Times) -> Step | None:
    if request.viber is None:
        return None
    template = _template(request, tables)
    found = carrier(tables, "viber", request.recipient, request.country)
    charge = viber_charge(tables, account, template, request.recipient)
    if found is None or charge is None:
        return None
    return Step(
        channel="viber",
        connector=found.connector,
        parts=1,
        part_price=charge.price,
        charge_on="delivered",
        lifetime_s=request.viber_lifetime_s,
        grace_s=times.viber_grace_s,
        resend=found.resend,
        redirect_blocked=account.transactional,
        template=template,
        part_cost=tables.prices.cost(found.connector, "viber", viber_type(template), request.recipient),
        part_commission=charge.commission,
    )


def _template(request: SendRequest, tables: Tables) -> Template | None:
    if not isinstance(request.viber, ViberText):
        return None
    return tables.templates.match(request.viber_sender, request.viber.text)


def _sms_step(request: SendRequest, account: Account, tables: Tables, times: Times) -> Step | None:
    if request.sms is None:
        return None
    digits, type = request.recipient, sms_type(account)
    found = carrier(tables, "sms", digits, request.country)
    charge = tables.prices.charge(account, "sms", type, digits)
    if found is None or charge is None:
        return None
    count = sms.count(request.sms, found.writing)
    handovers = _handovers(request.sms, count, found.writing)
    each = count // handovers
    return Step(
        channel="sms",
        connector=found.connector,
        parts=handovers,
        part_price=charge.price * each,
        charge_on="taken" if found.reports == "none" else account.charge_sms_on,
        lifetime_s=times.sms_lifetime_s,
        grace_s=times.sms_grace_s,
        resend=found.resend,
        writing=None if found.writing == Writing() else found.writing,
        reports=found.reports,
        part_cost=tables.prices.cost(found.connector, "sms", type, digits) * each,
        part_commission=charge.commission * each,
    )
