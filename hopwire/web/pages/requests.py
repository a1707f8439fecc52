"""What programs have asked for in the last days, and what they were answered."""

from typing import NamedTuple

from starlette.responses import Response

from hopwire.errors import CATALOGUE, WrongCredentials
from hopwire.store.requests import FIRST, Asked, Requests
from hopwire.web.pages.forms import Form
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, choices
from hopwire.web.pages.words import marked as _
from hopwire.web.request_log import ELSEWHERE

ROWS = 50
ALL_KEYS = -1
NOT_FROM_THERE = _("The key is right, but may not be used from this address. The program was told: %(told)s")
OUTCOMES = {"": _("all"), "ok": _("answered"), "refused": _("refused")}


class Row(NamedTuple):
    """Requests that were alike, as they are shown."""

    asked: Asked
    key: str  # its name and its beginning; "": a password
    why: str  # it was refused; "": it was not


async def requests(visit: Visit) -> Response:
    days = visit.parts.config.cabinet.requests_days
    keys = {one.id: one for one in await visit.directory.keys_of(visit.account.id)}
    outcome = choices(OUTCOMES, visit.query.get("outcome", ""), "")
    key_id, before = visit.cursor("key", ALL_KEYS), visit.cursor("before", FIRST)
    log = Requests(visit.parts.engine)
    found = await log.newest(visit.account.id, ROWS + 1, before, key_id, outcome)
    named = {key: f"{one.name} ({one.prefix}…)".strip() for key, one in keys.items()}
    rows = [Row(one, named.get(one.key_id, ""), _why(visit, one.outcome)) for _, one in found[:ROWS]]
    return visit.render(
        "requests.html",
        rows=rows,
        days=days,
        form=Form({"outcome": outcome, "key": str(key_id) if key_id != ALL_KEYS else ""}, visit.words),
        keys=[("", visit.words("all")), *((str(key), name) for key, name in named.items())],
        outcomes=[(value, visit.words(label)) for value, label in OUTCOMES.items()],
        older=visit.address_with(before=found[ROWS - 1][0]) if len(found) > ROWS else "",
        newest=visit.address_with(before=None) if before != FIRST else "",
        filtered=bool(outcome or key_id != ALL_KEYS),
    )


def _why(visit: Visit, outcome: str) -> str:
    if outcome == ELSEWHERE:
        return visit.words(NOT_FROM_THERE, told=WrongCredentials.text)
    error = CATALOGUE.get(outcome)
    return "" if outcome == "ok" else visit.words.error(error) if error else outcome


PAGES = [Page("/requests", requests)]
