"""The operator's routes: those of the settings, and those of the database, which can be changed here.

Rule: every change is shown before it is done, as a file of routes; what was shown is done, and nothing else.
"""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from hopwire import phone, routes
from hopwire.config import Config, ConfigError
from hopwire.model import Route
from hopwire.prices import CHANNELS
from hopwire.routes import DATABASE, Change, Listed
from hopwire.store.routes import Routes
from hopwire.web.pages.forms import Form
from hopwire.web.pages.prices import country_of, meet, prefixes_of
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who, choices
from hopwire.web.pages.words import Words
from hopwire.web.pages.words import marked as _

PAGE = 100  # rows
SPARE = 3  # empty lines of the form, below the connectors that there are
MOST_WAYS = 20
WRONG = {  # what the check of the settings complains of -> what the field is told
    "prefix": _("Up to 15 digits, or a country in two capital letters, such as UA."),
    "connector": _("Such a connector does not carry this channel, or is in the list twice."),
    "priority": _("A whole number from 1 to 1000."),
    "weight": _("A whole number up to 1000; other than 1 only beside another one of the same priority."),
    "hours": _("Write hours like mon-fri 08:00-20:00 Europe/Kyiv."),
}


def kept(visit: Visit) -> Routes:
    return Routes(visit.parts.engine, visit.actor)


# ---- which there are


async def list_routes(visit: Visit) -> Response:
    """All routes, or those for a channel, over a connector, to numbers that begin so."""
    config = visit.parts.config
    wanted = Filter.read(visit, config)
    found = routes.listed(config, await kept(visit).all())
    after = visit.query.get("after", "")
    rows = [one for one in found if wanted.has(one.route) and _cursor(one) > after]
    return visit.render(
        "routes.html",
        rows=[(one, name_of(one.route.prefix, visit.words)) for one in rows[:PAGE]],
        form=Form(visit.query),
        connectors=list(config.connectors),
        is_filtered=wanted != Filter(),
        older=visit.address_with(after=_cursor(rows[PAGE - 1])) if len(rows) > PAGE else "",
        newest=visit.address_with(after=None) if after else "",
    )


def _cursor(one: Listed) -> str:
    """As `routes.listed` puts them in order."""
    return f"{one.route.channel}|{one.route.prefix}|{one.source}"


class Filter(NamedTuple):
    channel: str = ""
    connector: str = ""
    prefixes: tuple[str, ...] = ()

    @classmethod
    def read(cls, visit: Visit, config: Config) -> "Filter":
        channel = choices(CHANNELS, visit.query.get("channel", ""), "")
        connector = choices(config.connectors, visit.query.get("connector", ""), "")
        return cls(channel, connector, prefixes_of(visit.query.get("q", ""), visit.words))

    def has(self, route: Route) -> bool:
        prefix = phone.calling_code(route.prefix) if route.prefix.isalpha() else route.prefix
        return (
            self.channel in ("", route.channel)
            and (not self.connector or any(self.connector == way.connector for way in route.ways))
            and (not self.prefixes or any(meet(prefix, one) for one in self.prefixes))
        )


def name_of(prefix: str, words: Words) -> str:
    """The country of a prefix, in words."""
    return words.country(prefix) if prefix.isalpha() else country_of(prefix, words)


async def export(visit: Visit) -> Response:
    """The routes that count, as a file."""
    found = routes.listed(visit.parts.config, await kept(visit).all())
    text = routes.text(one.route for one in found if one.counts)
    return visit.file_of("routes.toml", iter([text.encode()]), "application/toml")


# ---- one route


async def edit_form(visit: Visit) -> Response:
    """The route that the address names, or a new one."""
    channel = choices(CHANNELS, visit.query.get("channel", ""), "sms")
    prefix = visit.query.get("prefix", "")
    found = routes.listed(visit.parts.config, await kept(visit).all())
    named = [one for one in found if (one.route.channel, one.route.prefix) == (channel, prefix)]
    old = next((one for one in named if one.counts), None) if "prefix" in visit.query else None
    values = _values(old.route) if old else {"channel": channel}
    return _edit(visit, Form(values, visit.words), old, 200)


def _values(route: Route) -> dict[str, str]:
    values = {
        "channel": route.channel,
        "prefix": route.prefix,
        "least_cost": "on" if route.least_cost else "",
    }
    for n, way in enumerate(route.ways):
        cells = (way.connector, str(way.priority), str(way.weight), way.hours)
        values |= {f"{field}-{n}": cell for field, cell in zip(_FIELDS, cells, strict=True)}
    return values


_FIELDS = ("connector", "priority", "weight", "hours")


def _edit(visit: Visit, form: Form, old: Listed | None = None, status: int = 422) -> Response:
    filled = [n for n in range(MOST_WAYS) if form.value(f"connector-{n}")]
    lines = min((max(filled) + 1 if filled else 0) + SPARE, MOST_WAYS)
    found = {"old": old, "lines": range(lines), "kept": DATABASE, "connectors": visit.parts.config.connectors}
    return visit.render("routes_edit.html", status=status, form=form, **found)


async def edit(visit: Visit) -> Response:
    """Show what the form would change."""
    form = Form(await visit.form(), visit.words)
    route = _read(form, visit.parts.config)
    if route is None:
        return _edit(visit, form)
    shown = Form({"text": routes.text([route])}, visit.words)
    return await _show(visit, shown, await _preview(visit, shown))


def _read(form: Form, config: Config) -> Route | None:
    """The route as it was typed; None, and the form says why, where it is none."""
    lines = [n for n in range(MOST_WAYS) if form.value(f"connector-{n}")]
    ways = [_way(form, n, place) for place, n in enumerate(lines, 1)]
    if not ways:
        form.wrong("connector-0", "Please fill this in.")
    table = {
        "prefix": form.value("prefix").strip(),
        "channel": form.value("channel"),
        "connectors": ways,
        "least_cost": form.has("least_cost"),
    }
    if form.errors:
        return None
    try:
        return routes.read({"routes": [table]}, config)[0]
    except ConfigError as error:
        _complain(form, str(error), lines)
        return None


def _way(form: Form, n: int, place: int) -> dict[str, Any]:
    def whole(field: str, otherwise: int) -> int:
        name = f"{field}-{n}"
        typed = form.value(name).strip()
        if typed and not (typed.isascii() and typed.isdigit() and len(typed) < 5):
            form.wrong(name, WRONG[field])
            return otherwise
        return int(typed) if typed else otherwise

    hours, connector = form.value(f"hours-{n}").strip(), form.value(f"connector-{n}")
    numbers = {"priority": whole("priority", place), "weight": whole("weight", 1)}
    return {"connector": connector, "hours": hours, **numbers}


_PLACE = re.compile(r"routes\[0\]\.(?:connectors\[(\d+)\]\.)?(\w+)")


def _complain(form: Form, told: str, lines: Sequence[int]) -> None:
    """What the check of the settings says, at the field that it means."""
    found = _PLACE.match(told)
    field = found[2] if found else ""
    if found and found[1] is not None and field in WRONG:
        name = f"{field}-{lines[int(found[1])]}"
        form.wrong(name, WRONG[field])
    elif field in WRONG:
        form.wrong(field, WRONG[field])
    else:
        form.wrong("", "Something in the form is not right yet. Nothing was done.")


async def remove(visit: Visit) -> Response:
    """Take a route out of the database; one of the settings counts again."""
    form = await visit.form()
    key = (form.get("channel", ""), form.get("prefix", ""))
    if not await kept(visit).remove(*key):
        return visit.to("/operator/routes", visit.words("The route was gone already."))
    return visit.to(
        f"/operator/routes?{urlencode({'q': key[1]})}", visit.words("The route has been removed.")
    )


# ---- a file


class Preview(NamedTuple):
    """What a file of routes would do."""

    changes: list[Change]
    wrong: str = ""  # why it cannot be used


async def import_form(visit: Visit) -> Response:
    return visit.render("routes_import.html", form=Form())


async def check(visit: Visit) -> Response:
    """Show what a file would change."""
    form = Form(await visit.form(), visit.words)
    if not form.text("text", 1_000_000, required=True):
        return visit.render("routes_import.html", status=422, form=form)
    found = await _preview(visit, form)
    if found.wrong:
        form.wrong("text", "It cannot be used; nothing was changed.")
        return visit.render("routes_import.html", status=422, form=form, wrong=found.wrong)
    return await _show(visit, form, found)


async def apply(visit: Visit) -> Response:
    """Do what was shown, or show again what has become another meanwhile."""
    form = Form(await visit.form(), visit.words)
    found = await _preview(visit, form)
    shown = {(one.channel, one.prefix): one.before for one in found.changes}
    same = not found.wrong and form.value("digest") == routes.digest(found.changes)
    if not same or not await kept(visit).change_if(*routes.halves(found.changes), shown):
        told = visit.words("The routes have changed meanwhile. This is what would be done now.")
        return await _show(visit, form, await _preview(visit, form), told)
    n = len(found.changes)
    return visit.to(
        "/operator/routes", visit.words.several("%(n)s route has changed.", "%(n)s routes have changed.", n)
    )


async def _preview(visit: Visit, form: Form) -> Preview:
    config = visit.parts.config
    try:
        new = routes.read(tomllib.loads(form.value("text")), config)
    except (ConfigError, tomllib.TOMLDecodeError, RecursionError) as error:
        return Preview([], str(error) or "TOML")
    return Preview(routes.changes(config, await kept(visit).all(), new, replace=form.has("replace")))


async def _show(visit: Visit, form: Form, found: Preview, told: str = "") -> Response:
    rows = [(one, name_of(one.prefix, visit.words)) for one in found.changes]
    digest = routes.digest(found.changes)
    answer = {"rows": rows, "digest": digest, "told": told}
    return visit.render("routes_preview.html", status=422 if told else 200, form=form, **answer)


PAGES = [
    Page("/operator/routes", list_routes, Who.OPERATOR),
    Page("/operator/routes/export", export, Who.OPERATOR),
    Page("/operator/routes/edit", edit_form, Who.OPERATOR, proof=True),
    Page("/operator/routes/edit", edit, Who.OPERATOR, posts=True, proof=True),
    Page("/operator/routes/remove", remove, Who.OPERATOR, posts=True, proof=True),
    Page("/operator/routes/import", import_form, Who.OPERATOR, proof=True),
    Page("/operator/routes/import", check, Who.OPERATOR, posts=True, proof=True),
    Page("/operator/routes/apply", apply, Who.OPERATOR, posts=True, proof=True),
]
