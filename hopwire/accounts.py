"""What an operator says of an account, as text: on the command line, in a file, in a form.

Rule: a name here is the name everywhere; what cannot be read is a ValueError that names it and says what it
may be.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from hopwire import money
from hopwire.model import Account

LANGUAGES = ("uk", "en")
THEMES = ("light", "dark")  # of the pages; "": as the system of the reader has it
_MAILBOX = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")  # as HTML has it


class Trait(NamedTuple):
    """Something that an operator may set."""

    field: str  # of model.Account
    read: Callable[[str], Any]  # raises ValueError that says what it may be
    write: Callable[[Any], str]
    about: str


def read(pairs: Mapping[str, str]) -> dict[str, Any]:
    """Fields of an account and their values, out of traits and what was typed for them."""
    fields: dict[str, Any] = {}
    for name, typed in pairs.items():
        trait = TRAITS.get(name)
        if trait is None:
            raise ValueError(f"{name}: there is no such trait; there are {', '.join(TRAITS)}")
        try:
            fields[trait.field] = trait.read(typed.strip())
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return fields


def write(account: Account) -> dict[str, str]:
    """Every trait of an account, as `read` reads it."""
    return {name: trait.write(getattr(account, trait.field)) for name, trait in TRAITS.items()}


def check_login(login: str) -> str:
    """The login; raises ValueError when it cannot be one."""
    if not (1 <= len(login) <= 64 and login.isprintable()):
        raise ValueError("a login is 1 to 64 printable characters")
    return login


def check_sender(name: str) -> str:
    """The sender name; raises ValueError when it cannot be one (28 characters: the most that Viber takes)."""
    if not (1 <= len(name) <= 28 and name.isprintable() and name == name.strip()):
        raise ValueError("a sender name is 1 to 28 printable characters")
    return name


def check_email(typed: str) -> str:
    """An address for mail, in small letters; raises ValueError when it cannot be one."""
    local, at, domain = typed.strip().lower().rpartition("@")
    whole = f"{local}{at}{domain}"
    if not (local and "." in domain.strip(".") and len(whole) <= 254 and _MAILBOX.fullmatch(whole)):
        raise ValueError("an e-mail address is NAME@DOMAIN, at most 254 characters of ASCII")
    return whole


def check_currency(code: str) -> str:
    """The code of a currency; raises ValueError when it cannot be one."""
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise ValueError("a currency is three capital letters of ISO 4217, such as UAH")
    return code


# ---- values


def _text(most: int) -> Callable[[str], str]:
    def read_text(typed: str) -> str:
        if len(typed) > most or not (typed.isprintable() or not typed):
            raise ValueError(f"must be at most {most} printable characters")
        return typed

    return read_text


def _one_of(values: Mapping[str, Any]) -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    """How one of these words is read and written."""
    words = {value: word for word, value in values.items()}

    def read_word(typed: str) -> Any:
        if typed not in values:
            raise ValueError(f"must be {_either(values)}")
        return values[typed]

    return read_word, lambda value: words[value]


def _either(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}"


def _country(typed: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS  # its import takes a quarter of a second

    if typed not in SUPPORTED_REGIONS:
        raise ValueError("must be two capital letters of ISO 3166, such as UA")
    return typed


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    from zoneinfo import available_timezones

    return frozenset(available_timezones())


def _time_zone(typed: str) -> str:
    if typed not in _zones():
        raise ValueError("must be an IANA name such as Europe/Kyiv")
    return typed


def _amount(typed: str) -> int:
    amount = money.parse(typed)
    if amount < 0:
        raise ValueError("must not be negative")
    return amount


def _plan(typed: str) -> str:
    if len(typed) > 32 or not all(c.isalnum() or c in "._-" for c in typed):
        raise ValueError("must be at most 32 letters, digits, dots, dashes and underscores")
    return typed


def _email(typed: str) -> str:
    return check_email(typed) if typed else ""


_switch = _one_of({"on": True, "off": False})

TRAITS: Mapping[str, Trait] = {
    "customer": Trait("customer", _text(200), str, "Who it is."),
    "contact": Trait("contact", _text(200), str, "How to reach them."),
    "country": Trait("home_country", _country, str, "Home country, ISO 3166, for numbers without one."),
    "time_zone": Trait("time_zone", _time_zone, str, "IANA name, for dates without an offset, and for days."),
    "language": Trait("language", *_one_of({one: one for one in LANGUAGES}), "uk or en."),
    "credit": Trait("credit_limit", _amount, money.text, "How far below zero the balance may go."),
    "low_balance": Trait(
        "low_balance",
        lambda typed: _amount(typed) if typed else None,
        lambda amount: "" if amount is None else money.text(amount),
        "Below it a notice is given; empty: never.",
    ),
    "plan": Trait(
        "plan", _plan, str, "Whose prices it pays where it has none of its own; empty: everyone's."
    ),
    "type": Trait(
        "transactional",
        *_one_of({"transactional": True, "promotional": False}),
        "transactional or promotional: whose prices; a promotional one sends no SMS to who blocked it.",
    ),
    "charge_sms_on": Trait(
        "charge_sms_on", *_one_of({"taken": "taken", "delivered": "delivered"}), "taken or delivered."
    ),
    "any_sender": Trait("any_sender", *_switch, "on: it may use every sender name; off: those approved."),
    "email": Trait("email", _email, str, "Address for mail; one may sign in with it, too."),
    "operator": Trait("operator", *_switch, "on: it sees the operator's pages."),
    "api": Trait("api", *_switch, "on or off: whether programs may use the account."),
}
