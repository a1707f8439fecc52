"""One's own settings: who one is, language and clock, notices that are mailed; and where one is signed in."""

import re
from functools import lru_cache
from zoneinfo import available_timezones

from starlette.responses import Response

from hopwire import money
from hopwire.store.notices import KINDS
from hopwire.web.pages.forms import Form
from hopwire.web.pages.letters import NOTICES
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit
from hopwire.web.pages.words import LANGUAGES
from hopwire.web.pages.words import marked as _

LONGEST = 200  # of a name, and of what is said about how to reach somebody
AREAS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
THEMES = {"": _("as the system"), "light": _("light"), "dark": _("dark")}


# ---- who one is


async def settings(visit: Visit) -> Response:
    account = visit.account
    low = account.low_balance
    kept = {
        name: getattr(account, name) for name in ("customer", "contact", "time_zone", "language", "theme")
    }
    typed = {**kept, "mailed": account.mailed, "low_balance": "" if low is None else money.text(low)}
    return await _settings(visit, Form(typed, visit.words))


async def _settings(visit: Visit, form: Form, status: int = 200) -> Response:
    sessions = await visit.parts.sessions.of(visit.account.id)
    return visit.render(
        "settings.html",
        status=status,
        form=form,
        zones=zones(visit.account.time_zone),
        themes=THEMES,
        notices={kind: NOTICES[kind][0] for kind in KINDS if kind in NOTICES},
        sessions=len([one for one in sessions if one.is_open(visit.now)]),
    )


async def change(visit: Visit) -> Response:
    fields = await visit.fields()
    form = Form({**await visit.form(), "mailed": ",".join(map(str, fields.getlist("mailed")))}, visit.words)
    changes = {
        "customer": _line(form, "customer"),
        "contact": _line(form, "contact"),
        "time_zone": _among(form, "time_zone", zones(visit.account.time_zone)),
        "language": _among(form, "language", LANGUAGES),
        "theme": _among(form, "theme", THEMES),
        "low_balance": _amount(form, "low_balance"),
        "mailed": ",".join(kind for kind in KINDS if form.has("mailed", kind)),
    }
    if form.errors:
        return await _settings(visit, form, 422)
    await visit.directory.set_account(visit.account.id, changes)
    return visit.to("/settings", visit.words("Your settings are saved."))


def _line(form: Form, name: str) -> str:
    typed = form.text(name, LONGEST)
    if not typed.isprintable():
        form.wrong(name, "One line of text, please.")
    return typed


def _among(form: Form, name: str, known: object) -> str:
    typed = form.value(name)
    if typed not in known:  # type: ignore[operator]
        form.wrong(name, "Choose one of the list, please.")
    return typed


def _amount(form: Form, name: str) -> int | None:
    typed = form.text(name, 30)
    try:
        amount = money.parse(typed.replace(",", ".")) if typed else None
    except ValueError:
        amount = -1
    if amount is not None and not 0 <= amount < 10**18:
        form.wrong(name, "An amount such as 100 or 99.50, please.")
    return amount


@lru_cache
def zones(own: str) -> tuple[str, ...]:
    """Time zones by name, one's own among them."""
    places = (name for name in available_timezones() if name.partition("/")[0] in AREAS)
    return tuple(sorted({own, "UTC", *places}))


# ---- where one is signed in


async def sessions(visit: Visit) -> Response:
    found = await visit.parts.sessions.of(visit.account.id)
    shown = [(one, *browser(one.agent)) for one in found if one.is_open(visit.now)]
    return visit.render("sessions.html", shown=shown)


async def end(visit: Visit) -> Response:
    digest = (await visit.form()).get("session", "")
    if digest == visit.session.digest:
        return visit.to("/settings/sessions")
    await visit.parts.sessions.end(visit.account.id, [digest])
    return visit.to("/settings/sessions", visit.words("Signed out there."))


async def end_others(visit: Visit) -> Response:
    await visit.parts.sessions.end_others(visit.account.id, visit.session.digest)
    return visit.to("/settings/sessions", visit.words("Signed out everywhere else."))


def browser(agent: str) -> tuple[str, str]:
    """A browser and its system in a word each, by what it calls itself; "" for what is not known."""
    name = next((name for mark, name in BROWSERS if re.search(rf"\b{mark}", agent)), "")
    return name, next((name for mark, name in SYSTEMS if mark in agent), "")


PAGES = [
    Page("/settings", settings),
    Page("/settings", change, posts=True),
    Page("/settings/sessions", sessions),
    Page("/settings/sessions/end", end, posts=True),
    Page("/settings/sessions/end-others", end_others, posts=True),
]
