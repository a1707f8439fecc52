"""Which channels a message tries, in which order, over which connector, at which price.

Rule 1: the longest prefix wins, for routes and for prices; a channel without both is left out.
Rule 2: a Viber text that is an instance of a template goes as that template, whatever becomes of the template
later; a transaction costs the price of "viber-transaction", where there is one.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from hopwire import sms
from hopwire.model import Account, SendRequest, SmsContent, Step, Template, ViberText, WapPush, Writing
from hopwire.templates import Templates

T = TypeVar("T")

TRANSACTION = "viber-transaction"  # the channel whose prices are those of transactions on Viber


class Carrier(NamedTuple):
    """What a plan must know of a connector."""

    connector: str
    resend: bool = False  # after a lost answer
    writing: Writing = Writing()  # of short messages
    reports: str = "all"  # as Step has it


class Tables(NamedTuple):
    """Templates; routes and prices: channel -> prefix of the E.164 digits -> carrier, or price of a part."""

    carriers: Mapping[str, Mapping[str, Carrier]]
    prices: Mapping[str, Mapping[str, int]]
    templates: Templates = Templates()


class Times(NamedTuple):
    sms_lifetime_s: int
    sms_grace_s: int
    viber_grace_s: int


def by_prefix(rows: Iterable[tuple[str, str, T]]) -> dict[str, dict[str, T]]:
    """(channel, prefix, value) rows as a table for `longest`."""
    table: dict[str, dict[str, T]] = {}
    for channel, prefix, value in rows:
        table.setdefault(channel, {})[prefix] = value
    return table


def longest(table: Mapping[str, T], digits: str) -> T | None:
    """The value of the longest prefix of these digits."""
    for length in range(max(map(len, table), default=-1), -1, -1):
        if (value := table.get(digits[:length])) is not None:
            return value
    return None


def price_of_part(tables: Tables, channel: str, digits: str) -> int | None:
    """What one part to this number costs, in millionths; None where there is no route."""
    found = _look_up(tables, channel, digits)
    return found[1] if found else None


def _look_up(tables: Tables, channel: str, digits: str) -> tuple[Carrier, int] | None:
    """Who carries the channel to this number, and at which price of a part."""
    carrier = longest(tables.carriers.get(channel, {}), digits)
    price = longest(tables.prices.get(channel, {}), digits)
    return None if carrier is None or price is None else (carrier, price)


def viber_price(tables: Tables, template: Template | None, digits: str) -> int | None:
    """What a Viber message to this number costs, in millionths; None where it has no price."""
    special = tables.prices.get(TRANSACTION, {}) if template and template.kind == "transaction" else {}
    price = longest(special, digits)
    return longest(tables.prices.get("viber", {}), digits) if price is None else price


def plan(request: SendRequest, account: Account, tables: Tables, times: Times) -> tuple[Step, ...]:
    """The steps of the message: Viber first, then SMS; none where there is no route."""
    steps = (_viber_step(request, account, tables, times), _sms_step(request, account, tables, times))
    return tuple(step for step in steps if step is not None)


def parts(tables: Tables, digits: str, content: SmsContent) -> int:
    """Into how many SMS parts the content falls on its way to this number."""
    return sms.count(content, writing(tables, digits))


def writing(tables: Tables, digits: str) -> Writing:
    """How short messages to this number are written; the default where there is no route."""
    carrier = longest(tables.carriers.get("sms", {}), digits)
    return carrier.writing if carrier else Writing()


def _handovers(content: SmsContent, count: int, writing: Writing) -> int:
    """How many hand-overs carry so many parts."""
    whole = writing.long == "payload" and not (isinstance(content, WapPush) and writing.wap)
    return 1 if whole else count


def _viber_step(request: SendRequest, account: Account, tables: Tables, times: Times) -> Step | None:
    if request.viber is None:
        return None
    template = _template(request, tables)
    carrier = longest(tables.carriers.get("viber", {}), request.recipient)
    price = viber_price(tables, template, request.recipient)
    if carrier is None or price is None:
        return None
    return Step(
        channel="viber",
        connector=carrier.connector,
        parts=1,
        part_price=price,
        charge_on="delivered",
        lifetime_s=request.viber_lifetime_s,
        grace_s=times.viber_grace_s,
        resend=carrier.resend,
        redirect_blocked=account.transactional,
        template=template,
    )


def _template(request: SendRequest, tables: Tables) -> Template | None:
    if not isinstance(request.viber, ViberText):
        return None
    return tables.templates.match(request.viber_sender, request.viber.text)


def _sms_step(request: SendRequest, account: Account, tables: Tables, times: Times) -> Step | None:
    found = _look_up(tables, "sms", request.recipient) if request.sms is not None else None
    if found is None or request.sms is None:
        return None
    carrier, price = found
    count = sms.count(request.sms, carrier.writing)
    handovers = _handovers(request.sms, count, carrier.writing)
    return Step(
        channel="sms",
        connector=carrier.connector,
        parts=handovers,
        part_price=price * count // handovers,
        charge_on="taken" if carrier.reports == "none" else account.charge_sms_on,
        lifetime_s=times.sms_lifetime_s,
        grace_s=times.sms_grace_s,
        resend=carrier.resend,
        writing=None if carrier.writing == Writing() else carrier.writing,
        reports=carrier.reports,
    )
