"""The operator's price lists: looked through, changed row by row, written into a file."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from hopwire import money, phone, tariffs
from hopwire.model import Price
from hopwire.prices import CHANNELS, TYPES, Change
from hopwire.store.prices import PriceBook
from hopwire.tables import Mistake
from hopwire.web.pages.forms import Form
from hopwire.web.pages.marks import csv_lines
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who, choices
from hopwire.web.pages.words import Words
from hopwire.web.pages.words import marked as _

PAGE = 100  # rows
FOR_EVERYONE = "everyone"  # everyone's list in an address, where nothing means all lists
MISTAKES = (  # what `tariffs` and `tables` complain of
    _("channel must be sms or viber"),
    _("type must be transactional, promotional or empty"),
    _("a prefix is up to 15 digits"),
    _("a price must not be negative"),
    _("an amount is a decimal number such as 12.5, of at most 6 decimals, up to 10^9"),
    _("%(typed)s is no date such as 2026-12-01 or 2026-12-01T09:00:00+02:00"),
    _("list %(typed)s: there is no account with this login"),
    _("list must be empty, plan:NAME, account:LOGIN or connector:NAME"),
    _("list: a name is at most 64 printable characters"),
    _("this list, channel, type, prefix and date were there before"),
    _("the first line must name the columns %(columns)s"),
    _("there are fewer columns than in the first line"),
    _("this is no CSV: is a quotation mark missing, or one too many?"),
)


class Shown(NamedTuple):
    """A row of a list, as the page has it."""

    price: Price
    list: str  # as people call it
    country: str
    state: str  # "now", "later", "past"
    edit: dict[str, str | int]  # what names it in an address


def book(visit: Visit) -> PriceBook:
    return PriceBook(visit.parts.engine, visit.actor)


async def logins(visit: Visit) -> dict[int, str]:
    return {one.id: one.login for one in await visit.directory.accounts()}


# ---- the list


async def prices(visit: Visit) -> Response:
    """All rows, or those of a list, a channel, a prefix or a country; the address is the filter."""
    names, kept = await logins(visit), await book(visit).all()
    lists = sorted({tariffs.named(one.list, names) for one in kept})
    wanted = Filter.read(visit, lists)
    rows = sorted((one for one in kept if wanted.has(one, names)), key=_key)
    if visit.query.get("after"):
        begin = _after(visit)
        rows = [one for one in rows if _key(one) > begin]
    found = shown(rows[:PAGE], kept, names, visit)
    older = visit.address_with(after=_written(rows[PAGE - 1])) if len(rows) > PAGE else ""
    newest = visit.address_with(after=None) if visit.query.get("after") else ""
    return visit.render(
        "prices.html",
        rows=found,
        form=Form(visit.query),
        lists=lists,
        is_filtered=wanted != Filter(),
        older=older,
        newest=newest,
    )


class Filter(NamedTuple):
    list: str | None = None  # as people call it; None: all
    channel: str = ""
    prefixes: tuple[str, ...] = ()

    @classmethod
    def read(cls, visit: Visit, lists: Iterable[str]) -> "Filter":
        asked = choices([one or FOR_EVERYONE for one in lists], visit.query.get("list", ""), "")
        of = None if not asked else "" if asked == FOR_EVERYONE else asked
        channel = choices(CHANNELS, visit.query.get("channel", ""), "")
        return cls(of, channel, prefixes_of(visit.query.get("q", ""), visit.words))

    def has(self, row: Price, names: dict[int, str]) -> bool:
        return (
            self.list in (None, tariffs.named(row.list, names))
            and self.channel in ("", row.channel)
            and (not self.prefixes or any(meet(row.prefix, one) for one in self.prefixes))
        )


def meet(prefix: str, typed: str) -> bool:
    """Whether a row says something of numbers that begin as typed."""
    return prefix.startswith(typed) or (typed.isdigit() and typed.startswith(prefix))


def prefixes_of(typed: str, words: Words) -> tuple[str, ...]:
    """The first digits that are looked for: as typed, or those of a country; "?" where there are none."""
    digits = typed.strip().lstrip("+").replace(" ", "")
    if not digits or (digits.isascii() and digits.isdigit()):
        return (digits[:15],) if digits else ()
    wanted = typed.strip().casefold()
    codes = [
        code
        for code in sorted({one for codes in phone.CODES.values() for one in codes})
        if wanted == code.casefold() or words.country(code).casefold().startswith(wanted)
    ]
    return tuple(dict.fromkeys(map(phone.calling_code, codes))) or ("?",)


def shown(rows: Iterable[Price], kept: Iterable[Price], names: dict[int, str], visit: Visit) -> list[Shown]:
    newest: dict[Price, int] = {}  # of the rows that are valid, since when
    for one in kept:
        if one.valid_from <= visit.now:
            key = _undated(one)
            newest[key] = max(newest.get(key, one.valid_from), one.valid_from)
    return [_shown(one, newest, names, visit) for one in rows]


def _shown(one: Price, newest: dict[Price, int], names: dict[int, str], visit: Visit) -> Shown:
    of = tariffs.named(one.list, names)
    later = one.valid_from > visit.now
    state = "later" if later else "now" if newest.get(_undated(one)) == one.valid_from else "past"
    edit: dict[str, str | int] = {
        "list": of,
        "channel": one.channel,
        "type": one.type,
        "prefix": one.prefix,
        "since": one.valid_from,
    }
    return Shown(one, of, country_of(one.prefix, visit.words), state, edit)


def _undated(one: Price) -> Price:
    return one._replace(price=0, valid_from=0)


def country_of(prefix: str, words: Words) -> str:
    """Whose numbers begin so, in words; of many countries the first."""
    found = [words.country(code) for code in phone.countries(prefix) if code.isalpha()]
    return ", ".join(found[:2]) + (" …" if len(found) > 2 else "")


Key = tuple[str, str, str, str, int]


def _key(one: Price) -> Key:
    return one.list, one.channel, one.prefix, one.type, -one.valid_from


def _written(one: Price) -> str:
    return "|".join(map(str, _key(one)))


def _after(visit: Visit) -> Key:
    """Where the page begins, out of the address; one that nobody has made here is not there."""
    *rest, since = visit.query["after"].rsplit("|", 4)
    try:
        of, channel, prefix, type = rest
        return of, channel, prefix, type, int(since)
    except ValueError:
        raise NotThere from None


async def export(visit: Visit) -> Response:
    """All lists, as the import reads them."""
    names = await logins(visit)
    rows = [tariffs.told(one, names).values() for one in await book(visit).all()]
    lines = csv_lines([tariffs.COLUMNS, *map(tuple, rows)])
    return visit.file_of("prices.csv", iter([lines.encode()]))


# ---- one row


async def edit_form(visit: Visit) -> Response:
    """A price that there is, as the address names it, or a new one."""
    old = await _named(visit, visit.query)
    kind, _colon, name = visit.query.get("list", "").partition(":")
    values = {
        "kind": choices(tariffs.KINDS, kind, ""),
        "name": name,
        "channel": choices(CHANNELS, visit.query.get("channel", ""), "sms"),
        "type": choices(TYPES, visit.query.get("type", ""), ""),
        "prefix": visit.query.get("prefix", "")[:15],
        "since": _for_a_field(visit.words.local(old.valid_from)) if old and old.valid_from else "",
        "price": money.text(old.price) if old else "",
    }
    return await _edit(visit, Form(values, visit.words), old, 200)


async def _named(visit: Visit, named: Mapping[str, str]) -> Price | None:
    """The row that is named by its list, channel, type, prefix and `since`; None where there is none."""
    ids = {login: number for number, login in (await logins(visit)).items()}
    try:
        of, since = tariffs.list_of(named.get("list", ""), ids), int(named.get("since", ""))
    except ValueError:
        return None
    key = Price(named.get("channel", ""), named.get("prefix", ""), 0, named.get("type", ""), of, since)
    return next((one for one in await book(visit).all() if one._replace(price=0) == key), None)


def _for_a_field(at: datetime) -> str:
    """As <input type="datetime-local"> has it."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds").removesuffix(".000")


async def _edit(visit: Visit, form: Form, old: Price | None, status: int = 422) -> Response:
    accounts = await visit.directory.accounts()
    plans = sorted({one.plan for one in accounts if one.plan})
    names = {one.id: one.login for one in accounts}
    found = shown([old], [old], names, visit)[0] if old else None
    known = {"plans": plans, "connectors": list(visit.parts.config.connectors)}
    return visit.render("prices_edit.html", status=status, form=form, old=found, **known)


async def edit(visit: Visit) -> Response:
    """Enter a price, instead of the one of the same list, channel, type, prefix and moment."""
    form = Form(await visit.form(), visit.words)
    new = _read(form, await logins(visit), visit)
    if form.errors:
        return await _edit(visit, form, None)
    await book(visit).put([new])
    where = {"list": _typed_list(form) or FOR_EVERYONE, "q": new.prefix}
    return visit.to(f"/operator/prices?{urlencode(where)}", visit.words("The price has been kept."))


def _typed_list(form: Form) -> str:
    kind = form.value("kind")
    return f"{kind}:{form.value('name').strip()}" if kind else ""


def _read(form: Form, names: Mapping[int, str], visit: Visit) -> Price:
    return Price(
        form.read("channel", tariffs.channel_of, "sms"),
        form.read("prefix", tariffs.prefix_of, ""),
        form.read("price", lambda typed: tariffs.amount_of(typed.replace(",", ".")), 0),
        form.read("type", tariffs.type_of, ""),
        _list(form, names, visit),
        form.read("since", lambda typed: tariffs.since_of(typed, visit.words.time_zone), 0),
    )


def _list(form: Form, names: Mapping[int, str], visit: Visit) -> str:
    """The list, as the store calls it; a connector must be there, for its name may be mistyped."""
    kind, name = form.value("kind"), form.value("name").strip()
    if kind == "connector" and name not in visit.parts.config.connectors:
        form.wrong("name", "There is no connector of this name.")
    if kind and not name:
        form.wrong("name", "Please fill this in.")
    ids = {login: number for number, login in names.items()}
    try:
        return tariffs.list_of(_typed_list(form), ids)
    except Mistake as mistake:
        form.wrong("name", mistake.sentence, **mistake.values)
        return ""


async def remove(visit: Visit) -> Response:
    """Take a row out of its list, as long as its price is the one that was shown."""
    form = await visit.form()
    old = await _named(visit, form)
    if old is None or str(old.price) != form.get("price"):
        told = visit.words("The price has changed meanwhile; it was left as it is.")
        return visit.to("/operator/prices", told)
    await book(visit).apply([Change(old, old.price, None)])
    where = {"list": form.get("list") or FOR_EVERYONE}
    return visit.to(f"/operator/prices?{urlencode(where)}", visit.words("The price has been removed."))


PAGES = [
    Page("/operator/prices", prices, Who.OPERATOR),
    Page("/operator/prices/export", export, Who.OPERATOR),
    Page("/operator/prices/edit", edit_form, Who.OPERATOR, proof=True),
    Page("/operator/prices/edit", edit, Who.OPERATOR, posts=True, proof=True),
    Page("/operator/prices/remove", remove, Who.OPERATOR, posts=True, proof=True),
]
