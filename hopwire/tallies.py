"""What has happened, in numbers: what a row of the events or of the ledger adds to which count.

Rule 1: a message is in one of the counts of its end at a time: what was given up and is delivered all the
same leaves `failed` again.
Rule 2: no count tells a number, a name or a text of a message: an upstream's code is counted by itself only
where it looks like one.
Rule 3: hours are hours of UTC. The days of a time zone that is not whole hours away from it begin with the
hour in which it has midnight.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from hopwire.delivery import Delivery
from hopwire.model import Fact, Status
from hopwire.timeline import Note, What

HOUR_MS = 3_600_000

KINDS = {  # what each counts; by what it is told apart (the detail)
    "accepted": "messages that were accepted",
    "delivered": "messages that were delivered; by the channel that did",
    "seen": "messages that were read, as Viber tells",
    "redirected": "messages whose next step began; by why",
    "twice": "messages that Viber delivered when the SMS had left",
    "partial": "messages of which some parts were delivered",
    "failed": "messages that were given up or had no route; by their status",
    "deleted": "messages that were deleted",
    "failures": "what connectors did not do, each part; by the connector and its code",
    "spent": "what the account has paid, in millionths; by channel",
    "saved": "by how much Viber was cheaper than the SMS that had been planned, in millionths",
    "commission": "what a reseller has earned, in millionths",
    "cost": "what connectors cost us, in millionths; by connector",
}

_ENDS = {
    Status.DELIVERED: "delivered",
    Status.READ: "delivered",
    Status.PARTIAL: "partial",
    Status.EXPIRED: "failed",
    Status.NO_ROUTE: "failed",
    Status.FAILED: "failed",
    Status.BAD_NUMBER: "failed",
    Status.DELETED: "deleted",
}
_FAILURES = frozenset((What.REFUSED, What.EXPIRED, What.FAILED))
_MATTER = _FAILURES | {What.NEXT, What.LATE}
_CODE = re.compile(r"(?!.*\d{7})[\w.:#/-](?:[\w .:#/-]{0,30}[\w.:#/-])?", re.ASCII)
OTHER = "…"  # in the place of a code that may be a text

Count = tuple[str, str, int]  # kind, detail, how many or how much


# ---- as it happens


def of_acceptance(status: Status) -> list[Count]:
    """What a new message adds; one without a route has ended, and no event tells it."""
    ended = _ended(Status.PENDING, status, "") if status is Status.NO_ROUTE else ()
    return [("accepted", "", 1), *ended]


def of_change(before: Delivery, after: Delivery, noted: Sequence[Note]) -> list[Count]:
    """What a change of a delivery adds, of which so much was noted."""
    counts: list[Count] = []
    for note in noted:
        if note.what in _MATTER:
            counts.append(_of_note(note.what, note.code, before.rungs[note.step].plan.connector))
    if after.status is not before.status and after.status.final:
        counts += _of_end(before.status, after, noted[0].step if noted else after.at)
    return counts


def of_money(kind: str, amount: int, channel: str, connector: str) -> list[Count]:
    """What a movement of money adds that a message makes on an account."""
    match kind:
        case "charge":
            return [("spent", channel, amount)]
        case "commission":
            return [("commission", "", amount)]
        case "cost":
            return [("cost", connector, amount)]
    return []


def of_refund(amount: int, channel: str, *, own: bool) -> Count:
    """What it adds that a message is given back: to its own account, or by the one that has earned by it."""
    return ("spent", channel, -amount) if own else ("commission", "", amount)


def _of_note(what: What, code: str, connector: str) -> Count:
    if what is What.NEXT:
        return "redirected", code, 1
    if what is What.LATE:
        return "twice", "", 1
    return "failures", f"{connector} {plain_code(code)}".strip(), 1


def _of_end(before: Status, after: Delivery, step: int) -> Iterator[Count]:
    """That a message has ended, or otherwise than it had before, by a step."""
    plan = after.rungs[step].plan
    yield from _ended(before, after.status, plan.channel)
    if after.status is Status.READ:
        yield "seen", "", 1
    if plan.channel == "viber" and _ends(after.status) == "delivered" != _ends(before):
        later = after.rungs[step + 1 :]
        if later and all(rung.handed_at is None for rung in later):
            yield "saved", "", later[0].plan.price - plan.price


def _ended(before: Status, after: Status, channel: str) -> Iterator[Count]:
    was, now = _ends(before), _ends(after)
    if was == now:
        return
    if was:
        yield was, str(int(before)) if was == "failed" else "", -1
    if now:
        yield now, {"failed": str(int(after)), "delivered": channel}.get(now, ""), 1


def _ends(status: Status) -> str:
    return _ENDS.get(status, "")


# ---- out of what is kept


class Happened(Fact, frozen=True):
    """A row of the events."""

    id: int
    at: int
    message_id: int
    step: int
    what: What
    status: Status  # of the message, after it
    code: str
    before: Status  # of the message
    connector: str  # that had the step, where another one has it now; "": the same


class Moved(NamedTuple):
    """A row of the ledger."""

    id: int
    at: int
    account_id: int
    kind: str
    amount: int
    message_id: int
    step: int
    connector: str


def of_event(event: Happened, delivery: Delivery) -> list[Count]:
    """What an event has added; the delivery is of later."""
    counts: list[Count] = []
    if event.what in _MATTER:
        connector = event.connector or delivery.rungs[event.step].plan.connector
        counts.append(_of_note(event.what, event.code, connector))
    if event.status is not event.before and event.status.final:
        counts += _of_end(event.before, replace(delivery, status=event.status), event.step)
    return counts


def of_movement(row: Moved, owner_id: int, delivery: Delivery) -> list[Count]:
    """What a movement of money has added, by a message of the owner."""
    channel = delivery.rungs[row.step].plan.channel
    if row.kind == "refund":
        return [of_refund(row.amount, channel, own=row.account_id == owner_id)]
    return of_money(row.kind, row.amount, channel, row.connector)


# ---- codes


def plain_code(code: str) -> str:
    """A code as it is counted: what may be a text, or holds digits enough for a number, is `OTHER`."""
    return code if not code or _CODE.fullmatch(code) else OTHER


# ---- time


def hour(at: int) -> int:
    """The first millisecond of the hour."""
    return at - at % HOUR_MS


def day(now: int, time_zone: str, back: int = 0) -> int:
    """When the day began in that time zone, or the one so many days before."""
    zone = ZoneInfo(time_zone)
    date = datetime.fromtimestamp(now / 1000, zone).date() - timedelta(days=back)
    return round(1000 * datetime.combine(date, time(), zone).timestamp())


def week(now: int, time_zone: str) -> int:
    """When the week began there: on Monday."""
    return day(now, time_zone, datetime.fromtimestamp(now / 1000, ZoneInfo(time_zone)).weekday())


def by_day(hours: Iterable[tuple[int, int]], time_zone: str) -> Mapping[int, int]:
    """Sums by the beginning of the day, out of (hour, n)."""
    days: dict[int, int] = {}
    for at, n in hours:
        begin = day(at + HOUR_MS - 1, time_zone)
        days[begin] = days.get(begin, 0) + n
    return days
