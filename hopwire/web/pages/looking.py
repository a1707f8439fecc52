"""Which messages somebody looks for: the form of a list, which is also its address.

Rule: the address has all that was asked, so that it can be kept, sent on, and gone through page by page.
"""

import re
from typing import NamedTuple
from urllib.parse import urlencode

from hopwire import phone
from hopwire.model import Status
from hopwire.privacy import pseudonym
from hopwire.store.search import EVER, EVERYBODY, NEWEST, Filter
from hopwire.web.pages.forms import Form
from hopwire.web.pages.named import account_named
from hopwire.web.pages.visit import Visit, is_id
from hopwire.web.pages.words import marked as _

FIELDS = ("number", "text", "status", "channel", "message", "sender", "since", "until", "account")
MOST = 200  # characters of a field
GROUPS = {
    "0,1,2": _("On the way"),
    "3,116": _("Delivered or read"),
    "5,10,50,95,96,99": _("Not delivered"),
}
CHANNELS = {"viber": _("Viber"), "sms": _("SMS")}
INTERNATIONAL = re.compile(r"\s*(\+|00)")
NO_DIGITS = re.compile(r"[^0-9]")
FEWEST = 3  # digits by which a number is looked for


class Asked(NamedTuple):
    """What was asked for, and where in the list it is."""

    form: Form
    what: Filter
    before: int

    @property
    def is_wide(self) -> bool:
        """Whether it is asked for more than by the fields that always show."""
        return any(self.form.value(name) for name in ("message", "sender", "since", "until"))

    @property
    def is_bare(self) -> bool:
        return not any(self.form.value(name) for name in FIELDS)

    def address(self, path: str, before: int | None = None) -> str:
        """A page of the list, or what else is at another path for the same messages."""
        kept = {name: value for name in FIELDS if (value := self.form.value(name))}
        if before is not None:
            kept["before"] = str(before)
        return f"{path}?{urlencode(kept)}" if kept else path


async def asked(visit: Visit, account_id: int) -> Asked:
    """What the address asks for, among the messages of an account, or of everybody."""
    query = visit.request.query_params
    values = {name: ",".join(query.getlist(name)).strip()[:MOST] for name in FIELDS}
    form = Form(values, visit.words)
    numbers, ending = _number(visit, form)
    what = Filter(
        account_id=account_id or await _account(visit, form),
        message_id=_id(form, "message"),
        numbers=numbers,
        ending=ending,
        text=form.value("text"),
        statuses=_statuses(form),
        channel=form.value("channel") if form.value("channel") in CHANNELS else "",
        sender=form.value("sender"),
        since=_moment(visit, form, "since", 0, 0),
        until=_moment(visit, form, "until", EVER, 60_000),
    )
    return Asked(form, what, visit.cursor("before", NEWEST))


def statuses(visit: Visit, typed: str) -> list[tuple[str, str]]:
    """What may be chosen: groups, then each, and what the address asks for beside these."""
    words = visit.words
    several = [(value, words(title)) for value, title in GROUPS.items()]
    single = [(str(int(one)), words.status(one)) for one in Status]
    known = {"", *dict(several), *dict(single)}
    other = [] if typed in known else [(typed, ", ".join(words.status(one) for one in _read(typed)))]
    return [("", words("Any")), *other, *several, *single]


def _read(typed: str) -> tuple[Status, ...]:
    known = {str(int(one)): one for one in Status}
    return tuple(known[one] for one in dict.fromkeys(typed.split(",")) if one in known)


def _statuses(form: Form) -> tuple[Status, ...]:
    found = _read(form.value("status"))
    form.values["status"] = ",".join(str(int(one)) for one in found)
    return found


def _id(form: Form, name: str) -> int:
    typed = form.value(name)
    if typed and not is_id(typed):
        form.wrong(name, "Type a number, please.")
        return 0
    return int(typed or 0)


def _number(visit: Visit, form: Form) -> tuple[tuple[str, ...], str]:
    """Whole numbers, and the end of a number, that what was typed may mean."""
    typed = form.value("number")
    digits = NO_DIGITS.sub("", typed)
    if not typed:
        return (), ""
    if len(digits) < FEWEST:
        form.wrong("number", "Type a phone number, or its last digits: three or more.")
        return (), ""
    found = phone.parse(typed, visit.account.home_country)
    whole = (found.digits, pseudonym(found.digits, visit.parts.secret)) if found else ()
    return whole, "" if INTERNATIONAL.match(typed) and found else digits


def _moment(visit: Visit, form: Form, name: str, otherwise: int, more_ms: int) -> int:
    typed = form.value(name)
    if not typed:
        return otherwise
    at = visit.words.moment_of(typed)
    if at is None:
        form.wrong(name, "Type a date and a time, please.")
        return otherwise
    return at + more_ms


async def _account(visit: Visit, form: Form) -> int:
    """The account of a login."""
    found = await account_named(visit, form, "account")
    return found.id if found else EVERYBODY
