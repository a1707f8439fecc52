"""How much an account may do: which limits a message meets, and when what was counted is forgotten.

Rule 1: a period is a piece of the calendar, not the last so many seconds; a day and a month begin by the
account's clock.
Rule 2: a limit is the most that is allowed: so many are accepted, and not one more.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace
from phonenumbers import SUPPORTED_REGIONS

from hopwire import hours, money
from hopwire.errors import (
    ApiError,
    BlockLimitReached,
    LimitReached,
    NumberLimitReached,
    SpendLimitReached,
    TooManyRequests,
)
from hopwire.model import Account, Limits, SendRequest

SCOPES = ("account", "key", "number", "block")
PERIODS = ("second", "minute", "hour", "day")
SPENDS = ("day", "month")
COUNTS = tuple(f"{scope}/{period}" for scope in SCOPES for period in PERIODS)
SPENDING = tuple(f"spend/{period}" for period in SPENDS)
ALERTS = (50, 80, 100)  # percent of what may be spent, at which a notice is given
HOME = "home"
MOST = 10**9
SEQUENCE_MS = 600_000  # how long numbers of one block make a sequence
DAY_MS = 86_400_000
QUARTER_MS = 900_000  # of an hour: at one of these a day begins, in every zone
LENGTH_MS = {"second": 1000, "minute": 60_000, "hour": 3_600_000}
_encode = msgspec.json.Encoder().encode


class Counter(NamedTuple):
    """What a message is counted in."""

    name: str  # of the limit: "number/day"
    scope: str  # what is counted: "number/day:380501112233"
    ends_at: int  # when it begins anew
    most: int


# ---- which limits a message meets


def allowed(limits: Limits, home_country: str, digits: str, country: str) -> bool:
    """Whether the account may send to a number of this country."""
    if not limits.destinations:
        return country == home_country
    return any(one in ("*", country) or digits.startswith(one) for one in limits.destinations)


def counted(limits: Limits) -> bool:
    """Whether what the account has sent must be known when it sends."""
    return bool(limits.counts or limits.spend or limits.sequence or limits.duplicates)


def counters(account: Account, digits: str, key_id: int, now: int) -> list[Counter]:
    """Where a message to this number, by this key, counts as one."""
    found = []
    for name, most in account.limits.counts.items():
        scope, _, period = name.partition("/")
        what = {"key": f":{key_id}", "number": f":{digits}", "block": f":{block(digits)}"}.get(scope, "")
        found.append(Counter(name, name + what, ends(period, now, account.time_zone), most))
    return found


def spending(account: Account, now: int) -> list[Counter]:
    """Where a message counts with what it may cost."""
    return [
        Counter(f"spend/{period}", f"spend/{period}", ends(period, now, account.time_zone), most)
        for period, most in account.limits.spend.items()
    ]


def refusal(name: str) -> type[ApiError]:
    """What a client reads when this limit is reached."""
    scope, _, period = name.partition("/")
    if scope == "number":
        return NumberLimitReached
    if scope == "block":
        return BlockLimitReached
    if scope == "spend":
        return SpendLimitReached
    return TooManyRequests if period in ("second", "minute") else LimitReached


def alerts(before: int, after: int, most: int) -> list[int]:
    """The percentages that have been reached between."""
    return [one for one in ALERTS if 100 * before < most * one <= 100 * after]


def block(digits: str) -> str:
    """What the 1,000 numbers have in common that a number is one of."""
    return digits[:-3]


# ---- time


def ends(period: str, now: int, time_zone: str) -> int:
    """When the period is over that this moment is in, in milliseconds."""
    if (length := LENGTH_MS.get(period)) is not None:
        return now - now % length + length
    return _turn(period, now - now % QUARTER_MS, time_zone)


@lru_cache
def _turn(period: str, now: int, time_zone: str) -> int:
    zone = ZoneInfo(time_zone)
    today = datetime.fromtimestamp(now / 1000, zone).replace(tzinfo=None, fold=0)
    day = today.replace(hour=0, minute=0, second=0, microsecond=0)
    month = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    following = month if period == "month" else day + timedelta(days=1)
    return round(1000 * following.replace(tzinfo=zone).timestamp())


def named(period: str, now: int, time_zone: str) -> str:
    """The day or the month as a person writes it."""
    today = datetime.fromtimestamp(now / 1000, ZoneInfo(time_zone))
    return today.strftime("%Y-%m" if period == "month" else "%Y-%m-%d")


def month(typed: str, time_zone: str) -> tuple[int, int]:
    """The first moment of a month, YYYY-MM, and that of the next one, by a clock; raises ValueError."""
    try:
        first = datetime.strptime(typed, "%Y-%m").replace(tzinfo=ZoneInfo(time_zone))
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return int(first.timestamp() * 1000), int(after.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError("MONTH must be YYYY-MM, such as 2026-11") from None


def quiet(account: Account) -> str:
    """When no message of the account begins, as a step has it; empty: there is no such time."""
    limits = account.limits
    return f"{limits.quiet} {account.time_zone}" if limits.quiet and not account.transactional else ""


# ---- the same again


def fingerprint(request: SendRequest) -> str:
    """What two requests have in common that ask for the same message, whenever it is to leave.

    A program that tries again may write another `ask_date`, and one that was ahead may have passed.
    """
    facts = (
        request.recipient, request.sms, request.sms_sender, request.viber, request.viber_sender,
        request.viber_lifetime_s,
    )  # fmt: skip
    return hashlib.sha256(_encode(facts)).hexdigest()


def digest(limits: Limits, request: SendRequest, now: int) -> str:
    """What two messages to a number have in common that are the same; empty where nobody asks.

    Of those that leave later than "again" means, every moment is another message: a series of reminders.
    """
    if not limits.duplicates:
        return ""
    later = request.send_at is not None and request.send_at > now + 1000 * limits.duplicate_s
    facts = (request.sms, request.viber, request.send_at if later else None)
    return hashlib.sha256(_encode(facts)).hexdigest()


# ---- as people write them


def changed(limits: Limits, name: str, typed: str) -> Limits:
    """With one limit as an operator has typed it; empty: there is none. Raises ValueError, which names it."""
    try:
        if name in COUNTS:
            return replace(limits, counts=_with(limits.counts, name, typed, _count))
        if name in SPENDING:
            return replace(limits, spend=_with(limits.spend, name.removeprefix("spend/"), typed, amount))
        if name in READERS:
            field = name.replace("-", "_")
            value = READERS[name](typed) if typed else getattr(NONE, field)
            return replace(limits, **{field: value})
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    raise ValueError(f"{name} is no limit; there are {', '.join(NAMES)}")


def shown(limits: Limits) -> dict[str, str]:
    """Every limit by its name, as it is typed; empty: there is none."""
    plain = {
        "destinations": ",".join(limits.destinations) or HOME,
        "premium": "yes" if limits.premium else "no",
        "max-price": "" if limits.max_price is None else money.text(limits.max_price),
        "sequence": str(limits.sequence or ""),
        "quiet": limits.quiet,
        "duplicates": limits.duplicates,
        "duplicate-s": str(limits.duplicate_s),
    }
    counts = {name: str(limits.counts.get(name, "")) for name in COUNTS}
    spend = {f"spend/{one}": money.text(limits.spend[one]) if one in limits.spend else "" for one in SPENDS}
    return {**plain, **counts, **spend}


def _with(values: Mapping[str, int], name: str, typed: str, read: Callable[[str], int]) -> dict[str, int]:
    kept = {one: value for one, value in values.items() if one != name}
    return {**kept, name: read(typed)} if typed else kept


def _whole(typed: str, least: int, most: int) -> int:
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 10 and least <= int(typed) <= most):
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(typed)


def _count(typed: str) -> int:
    return _whole(typed, 1, MOST)


def amount(typed: str) -> int:
    """Money in millionths; raises ValueError."""
    millionths = money.parse(typed)
    if millionths <= 0:
        raise ValueError("must be more than 0")
    return millionths


def _destinations(typed: str) -> tuple[str, ...]:
    if typed == HOME:
        return ()
    return tuple(dict.fromkeys(map(_destination, typed.split(","))))


def _destination(typed: str) -> str:
    one = typed.strip()
    digits = one.isascii() and one.isdigit() and len(one) <= 15
    if not (digits or one == "*" or one in SUPPORTED_REGIONS):
        raise ValueError(
            f"must be {HOME}, or a list of countries (UA) and of first digits of numbers (38050), or *"
        )
    return one


def _yes(typed: str) -> bool:
    if typed not in ("yes", "no"):
        raise ValueError("must be yes or no")
    return typed == "yes"


def _quiet(typed: str) -> str:
    window = hours.parse(f"{typed} UTC")
    if len(window.days) == 7 and window.closes - window.opens >= hours.DAY_MINUTES:
        raise ValueError("must leave some hours in which messages may go")
    return typed.strip()


def _duplicates(typed: str) -> str:
    if typed not in ("refuse", "merge"):
        raise ValueError("must be refuse or merge")
    return typed


READERS: Mapping[str, Callable[[str], Any]] = {
    "destinations": _destinations,
    "premium": _yes,
    "max-price": amount,
    "sequence": lambda typed: _whole(typed, 2, 1000),
    "quiet": _quiet,
    "duplicates": _duplicates,
    "duplicate-s": lambda typed: _whole(typed, 1, 86_400),
}
NAMES = (*READERS, *COUNTS, *SPENDING)
NONE = Limits()
