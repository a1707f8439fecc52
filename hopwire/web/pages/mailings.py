"""Mailings: which there are, how far each is and what it costs; starting, pausing and stopping them."""

from collections.abc import AsyncGenerator

from starlette.responses import Response

from hopwire import access, phone
from hopwire.errors import CATALOGUE
from hopwire.mailing import Command, Mailing, RowState, State, told
from hopwire.model import Caller
from hopwire.store.mailings import NEWEST, KeptRow, Mailings
from hopwire.web.pages import drafts, send
from hopwire.web.pages.forms import Form
from hopwire.web.pages.marks import csv_lines
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit
from hopwire.web.pages.words import marked as _

PAGE = 25
SHOWN = 20  # rows that cannot be sent, on the page
UNSENT = (RowState.BAD, RowState.REPEATED, RowState.REFUSED)
STATES = {  # state -> tone, words, icon
    State.READING: ("waiting", _("being read"), "clock"),
    State.CHECKING: ("sent", _("being checked"), "clock"),
    State.READY: ("late", _("ready to start"), "check"),
    State.SENDING: ("sent", _("being sent"), "send"),
    State.PAUSED: ("late", _("on pause"), "pause"),
    State.STOPPED: ("bad", _("stopped"), "stop"),
    State.DONE: ("good", _("done"), "checks"),
}
SCHEDULED = ("waiting", _("scheduled"), "hourglass")
SAID = {
    Command.START: _("The mailing has started."),
    Command.PAUSE: _("The mailing is paused."),
    Command.GO_ON: _("The mailing goes on."),
    Command.STOP: _("The mailing is stopped. What was sent stays sent."),
}


# ---- looking


async def mailings(visit: Visit) -> Response:
    before = visit.cursor("before", NEWEST)
    found = await Mailings(visit.parts.engine).page(visit.account.id, PAGE + 1, before)
    older = visit.address_with(before=found[PAGE - 1].id) if len(found) > PAGE else ""
    return visit.render(
        "mailings.html",
        mailings=found[:PAGE],
        badge_of=lambda one: badge_of(one, visit.now),
        older=older,
        newest="/mailings" if visit.query.get("before") else "",
    )


async def mailing(visit: Visit) -> Response:
    return await _page(visit, await _mine(visit), Form({"at": visit.query.get("at", "")}, visit.words))


async def unsent(visit: Visit) -> Response:
    """The rows that cannot or could not be sent, as a file."""
    found = await _mine(visit)
    return visit.file_of(f"mailing-{found.id}.csv", _unsent(visit, found))


async def _unsent(visit: Visit, found: Mailing) -> AsyncGenerator[str, None]:
    words = visit.words
    yield csv_lines([[words("Line"), words("Number"), words("Reason"), words("Field")]])
    async for rows in Mailings(visit.parts.engine).unsent(found.account_id, found.id):
        yield csv_lines([(row.line, row.number, *_reason(visit, row)) for row in rows])


def _reason(visit: Visit, row: KeptRow) -> tuple[str, str]:
    sentence, field = told(row.error)
    return visit.words(sentence), field


def badge_of(one: Mailing, now: int) -> tuple[str, str, str]:
    """The colour of a mailing's state, its words, its icon."""
    waits = one.state is State.SENDING and one.starts_at is not None and one.starts_at > now
    return SCHEDULED if waits else STATES[one.state]


async def _mine(visit: Visit) -> Mailing:
    found = await Mailings(visit.parts.engine).one(visit.account.id, visit.number("mailing"))
    if found is None:
        raise NotThere
    return found


async def _first(visit: Visit, found: Mailing) -> KeptRow | None:
    """The first row that is good, or has been."""
    states = (RowState.GOOD, RowState.SENT)
    rows = await Mailings(visit.parts.engine).rows(found.account_id, found.id, states, 1)
    return rows[0] if rows else None


async def _page(visit: Visit, found: Mailing, form: Form, status: int = 200) -> Response:
    rows = await Mailings(visit.parts.engine).rows(found.account_id, found.id, UNSENT, SHOWN)
    first = await _first(visit, found)
    preview = None
    if found.draft is not None:
        number = phone.parse(first.number, visit.account.home_country) if first else None
        preview = await drafts.preview(visit, found.draft, number, first.values if first else {})
    return visit.render(
        "mailing.html",
        status=status,
        form=form,
        mailing=found,
        standing=badge_of(found, visit.now),
        live=found.state in (State.READING, State.CHECKING, State.SENDING),
        reason=CATALOGUE[found.reason].text if found.reason in CATALOGUE else "",
        spendable=await visit.parts.admission.spendable(visit.account),
        rows=[(row, *_reason(visit, row)) for row in rows],
        preview=preview,
        trial=send.new_key(),
    )


# ---- telling it what to do


async def start(visit: Visit) -> Response:
    access.permit(Caller(visit.account), "send")
    form = Form(await visit.form(), visit.words)
    at = send.moment_of(visit, form)
    if form.errors:
        return await _page(visit, await _mine(visit), form, 422)
    return await _tell(visit, Command.START, at)


async def pause(visit: Visit) -> Response:
    return await _tell(visit, Command.PAUSE)


async def go_on(visit: Visit) -> Response:
    access.permit(Caller(visit.account), "send")
    return await _tell(visit, Command.GO_ON)


async def stop(visit: Visit) -> Response:
    return await _tell(visit, Command.STOP)


async def _tell(visit: Visit, command: Command, starts_at: int | None = None) -> Response:
    found = await _mine(visit)
    done = await Mailings(visit.parts.engine).tell(
        visit.account.id, [found.id], command, visit.now, starts_at
    )
    return visit.to(f"/mailings/{found.id}", visit.words(SAID[command]) if done else "")


async def to_myself(visit: Visit) -> Response:
    """One message of it, with the values of its first good row, to a number that its owner has typed."""
    access.permit(Caller(visit.account), "send")
    form, found = Form(await visit.form(), visit.words), await _mine(visit)
    first = await _first(visit, found)
    if found.draft is None:
        raise NotThere
    if await send.to_myself(visit, form, found.draft, first.values if first else {}) is None:
        return await _page(visit, found, form, 422)
    return visit.to(f"/mailings/{found.id}", visit.words("One message is on its way to you."))


PAGES = [
    Page("/mailings", mailings),
    Page("/mailings/{mailing:int}", mailing),
    Page("/mailings/{mailing:int}/unsent.csv", unsent),
    Page("/mailings/{mailing:int}/start", start, posts=True),
    Page("/mailings/{mailing:int}/pause", pause, posts=True),
    Page("/mailings/{mailing:int}/go-on", go_on, posts=True),
    Page("/mailings/{mailing:int}/stop", stop, posts=True),
    Page("/mailings/{mailing:int}/try", to_myself, posts=True),
]
