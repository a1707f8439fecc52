"""The stop list: numbers that want no more messages from the account."""

import re
from collections.abc import AsyncIterator

from starlette.responses import Response

from hopwire import phone
from hopwire.store.inbox import EVERYONE, LAST_STOPPED, Inbox, Stopped
from hopwire.web.pages.forms import Form
from hopwire.web.pages.marks import csv_lines
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit

SHOWN = 50
FOUND = 100
PASTED = 1000  # numbers at once
NOTE = 200  # characters
CHUNK = 1000  # rows of a file
SHOWN_WRONG = 5
_BETWEEN = re.compile(r"[\r\n,;\t]+")
_CURSOR = re.compile(r"([0-9]{1,16})-(.{0,255})", re.ASCII)


async def stop_list(visit: Visit) -> Response:
    return await _page(visit, Form(visit.query, visit.words))


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    search = visit.query.get("number", "").strip()
    rows = await (_found(visit, search) if search else _newest(visit))
    older = ""
    if not search and len(rows) > SHOWN:
        last = rows[SHOWN - 1]
        older = visit.address_with(before=f"{last.at}-{last.number}")
    return visit.render(
        "stop_list.html",
        status=status,
        form=form,
        search=search,
        rows=rows[: FOUND if search else SHOWN],
        more=bool(search) and len(rows) > FOUND,
        older=older,
        newest="/stop-list" if "before" in visit.query else "",
        everyones=bool(search) and await _on_everyones(visit, search),
    )


async def _newest(visit: Visit) -> list[Stopped]:
    """One more than is shown."""
    cursor = _CURSOR.fullmatch(visit.query.get("before", ""))
    before = (int(cursor[1]), cursor[2]) if cursor else LAST_STOPPED
    return await _lists(visit).stopped(visit.account.id, SHOWN + 1, before)


async def _found(visit: Visit, search: str) -> list[Stopped]:
    """A number as it may be typed, or how it begins."""
    number = phone.parse(search, visit.account.home_country)
    begins = {re.sub("[^0-9]", "", search)[:15], number.digits if number else ""} - {""}
    found: dict[str, Stopped] = {}
    for digits in sorted(begins):
        for one in await _lists(visit).stopped_like(visit.account.id, digits, FOUND + 1):
            found[one.number] = one
    return list(found.values())[: FOUND + 1]


async def _on_everyones(visit: Visit, search: str) -> bool:
    """Whether nobody at all may send to the number."""
    number = phone.parse(search, visit.account.home_country)
    return number is not None and EVERYONE in await _lists(visit).stopped_by(number.digits)


def _lists(visit: Visit) -> Inbox:
    return Inbox(visit.parts.engine, visit.actor)


async def add(visit: Visit) -> Response:
    """All of the numbers, or none where one cannot be read."""
    form = Form(await visit.form(), visit.words)
    numbers, note = _numbers(visit, form), form.text("note", NOTE)
    if form.errors:
        return await _page(visit, form, 422)
    n = await _lists(visit).stop_all(visit.account.id, numbers, visit.now, note)
    said = visit.words.several("%(n)s number was put on the list.", "%(n)s numbers were put on the list.", n)
    return visit.to("/stop-list", said)


def _numbers(visit: Visit, form: Form) -> list[str]:
    typed = [one.strip() for one in _BETWEEN.split(form.text("numbers", 50_000, required=True))]
    typed = [one for one in typed if one]
    if len(typed) > PASTED:
        form.wrong("numbers", "At most %(most)s numbers at once, please.", most=PASTED)
        return []
    read = [(one, phone.parse(one, visit.account.home_country)) for one in typed]
    if wrong := [one[:30] for one, number in read if number is None]:
        form.wrong("numbers", "These are no phone numbers: %(some)s", some=", ".join(wrong[:SHOWN_WRONG]))
    return [number.digits for _, number in read if number is not None]


async def remove(visit: Visit) -> Response:
    number = (await visit.form()).get("number", "")
    if not await _lists(visit).unstop(visit.account.id, number):
        raise NotThere
    return visit.to("/stop-list", visit.words("The number is off the list. It gets messages again."))


async def export(visit: Visit) -> Response:
    return visit.file_of("stop-list.csv", _lines(visit))


async def _lines(visit: Visit) -> AsyncIterator[str]:
    yield csv_lines([("number", "since", "note")])
    after = ""
    while rows := await _lists(visit).stopped_after(visit.account.id, after, CHUNK):
        yield csv_lines((one.number, visit.words.iso(one.at), one.note) for one in rows)
        after = rows[-1].number


PAGES = [
    Page("/stop-list", stop_list),
    Page("/stop-list", add, posts=True),
    Page("/stop-list/remove", remove, posts=True),
    Page("/stop-list/export", export),
]
