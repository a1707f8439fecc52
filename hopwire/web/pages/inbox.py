"""What phones have sent to an account's numbers."""

from collections.abc import AsyncIterator

from starlette.responses import Response

from hopwire.store.inbox import LATEST, Inbox, InboxMessage
from hopwire.web.pages.marks import csv_lines, digits, visible
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit

PAGE = 50
EXPORTED, TOGETHER = 1_000_000, 500  # messages at most, and at a time


async def inbox(visit: Visit) -> Response:
    before = visit.cursor("before", LATEST)
    found = await _page(visit, before, PAGE + 1)
    messages = found[:PAGE]
    older = messages[-1].id if len(found) > PAGE else 0
    numbers = await Inbox(visit.parts.engine).numbers_of(visit.account.id)
    return visit.render(
        "inbox.html", messages=messages, older=older, is_newest=before == LATEST, numbers=numbers
    )


async def _page(visit: Visit, before: int, n: int) -> list[InboxMessage]:
    return await Inbox(visit.parts.engine).latest(n, visit.account.id, before)


async def file(visit: Visit) -> Response:
    return visit.file_of("inbox.csv", _lines(visit))


async def _lines(visit: Visit) -> AsyncIterator[str]:
    _ = visit.words
    yield "\ufeff" + csv_lines([[_("ID"), _("Received"), _("From"), _("To"), _("Text")]])
    before, left = LATEST, EXPORTED
    while left and (some := await _page(visit, before, TOGETHER)):
        yield csv_lines(
            (
                one.id,
                visit.words.plain(one.received_at),
                digits(one.sender),
                digits(one.recipient),
                visible(one.text),
            )
            for one in some
        )
        before, left = some[-1].id, left - len(some)


PAGES = [Page("/inbox", inbox), Page("/inbox.csv", file)]
