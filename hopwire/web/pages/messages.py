"""Messages: looking for them, what became of each, taking back what is scheduled.

Rule 1: a customer sees his own, the operator everybody's; for the others they are not there.
Rule 2: what is the operator's business is told to him alone: connectors, their ids, costs, raw receipts.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from hopwire import timeline
from hopwire.admission import now_ms
from hopwire.channels import codes
from hopwire.model import Account, Status
from hopwire.money import text as amount
from hopwire.store.ledger import Ledger
from hopwire.store.search import EVERYBODY, PAGE, Found, Search
from hopwire.timeline import Story
from hopwire.web.pages import looking, telling
from hopwire.web.pages.forms import Form
from hopwire.web.pages.looking import Asked
from hopwire.web.pages.marks import csv_lines, digits, visible
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who

MINE, ALL = "/messages", "/operator/messages"
EXPORTED = 1_000_000  # messages at most
NOTE = 200  # characters


# ---- lists


async def mine(visit: Visit) -> Response:
    return await _list(visit, await looking.asked(visit, visit.account.id), MINE)


async def everybodys(visit: Visit) -> Response:
    return await _list(visit, await looking.asked(visit, EVERYBODY), ALL)


async def _list(visit: Visit, asked: Asked, path: str) -> Response:
    common: dict[str, Any] = {
        "asked": asked,
        "form": asked.form,
        "path": path,
        "statuses": looking.statuses(visit, asked.form.value("status")),
        "channels": looking.CHANNELS,
    }
    if asked.form.errors:
        return visit.render("messages.html", status=422, page=None, accounts={}, **common)
    page = await Search(visit.parts.engine).page(asked.what, asked.before, PAGE)
    accounts = await _accounts(visit, page.messages, path)
    return visit.render("messages.html", page=page, accounts=accounts, **common)


async def _accounts(visit: Visit, messages: Sequence[Found], path: str) -> Mapping[int, Account]:
    """Whose messages these are."""
    if path == MINE:
        return {visit.account.id: visit.account}
    return await visit.directory.accounts_among(one.account_id for one in messages)


# ---- files


async def my_file(visit: Visit) -> Response:
    return _file(visit, await looking.asked(visit, visit.account.id), MINE)


async def everybodys_file(visit: Visit) -> Response:
    return _file(visit, await looking.asked(visit, EVERYBODY), ALL)


def _file(visit: Visit, asked: Asked, path: str) -> Response:
    if asked.form.errors:
        return visit.to(asked.address(path))
    return visit.file_of("messages.csv", _lines(visit, asked, path))


async def _lines(visit: Visit, asked: Asked, path: str) -> AsyncIterator[str]:
    """What the filter finds, as CSV for people: some at a time, for a reader as slow as he is."""
    _ = visit.words
    names = [
        _("ID"), _("Accepted"), _("To leave at"), _("Number"), _("Sender"), _("Channel"), _("Status"),
        _("Since"), _("Parts"), _("Price"), _("Currency"), _("Text on Viber"), _("Text of the SMS"),
    ]  # fmt: skip
    operators = [_("Account"), _("Connector")] if path == ALL else []
    yield "\ufeff" + csv_lines([[*names, *operators]])
    async for some in Search(visit.parts.engine).export(asked.what, EXPORTED):
        accounts = await _accounts(visit, some, path)
        yield csv_lines(_cells(visit, one, accounts[one.account_id], bool(operators)) for one in some)


def _cells(visit: Visit, one: Found, account: Account, all_of_it: bool) -> list[object]:
    words = visit.words
    scheduled = words.plain(one.send_at) if one.send_at > one.accepted_at else ""
    said = ["\n".join(map(visible, timeline.said_in(c))) if c else "" for c in (one.viber, one.sms)]
    return [
        one.id, words.plain(one.accepted_at), scheduled, digits(one.recipient), visible(one.sender),
        one.channel, words.status(one.status), words.plain(one.status_at), one.parts, amount(one.price),
        account.currency, *said,
        *([account.login, one.connector] if all_of_it else []),
    ]  # fmt: skip


# ---- one


async def one_of_mine(visit: Visit) -> Response:
    return await _show(visit, await _mine(visit), visit.account, MINE)


async def one_of_all(visit: Visit) -> Response:
    story = await _any(visit)
    return await _show(visit, story, await _owner(visit, story), ALL)


async def _mine(visit: Visit) -> Story:
    """The message of the path; raises NotThere for another's."""
    story = await _any(visit)
    if story.account_id != visit.account.id:
        raise NotThere
    return story


async def _any(visit: Visit) -> Story:
    story = await visit.parts.store.story(visit.number("message"))
    if story is None:
        raise NotThere
    return story


async def _owner(visit: Visit, story: Story) -> Account:
    found = await visit.directory.account(story.account_id)
    if found is None:
        raise NotThere
    return found


async def _show(visit: Visit, story: Story, account: Account, path: str) -> Response:
    kinds = {name: one.kind for name, one in visit.parts.config.connectors.items()}
    told = telling.Told(story, visit.words, partial(_meaning, kinds), visit.now, operator=path == ALL)
    return visit.render("message.html", story=story, told=told, account=account, path=path)


def _meaning(kinds: Mapping[str, str], connector: str, code: str) -> str:
    return codes.meaning(kinds.get(connector, ""), code)


async def delete(visit: Visit) -> Response:
    """Take back what is scheduled."""
    message_id = visit.number("message")
    standing = await visit.parts.admission.delete(visit.account, message_id, now_ms())
    if standing is None:
        raise NotThere
    said = visit.words("Deleted: it is not sent.")
    if standing.status is not Status.DELETED:
        said = visit.words("It had left already, and could not be deleted.")
    return visit.to(f"{MINE}/{message_id}", said)


# ---- giving back


async def refund_form(visit: Visit) -> Response:
    return await _refund(visit, await _any(visit), Form({}, visit.words))


async def _refund(visit: Visit, story: Story, form: Form) -> Response:
    status = 422 if form.errors else 200
    account = await _owner(visit, story)
    cost = telling.refundable(story)
    return visit.render(
        "message_refund.html", status=status, story=story, account=account, cost=cost, form=form
    )


async def refund(visit: Visit) -> Response:
    story = await _any(visit)
    form = Form(await visit.form(), visit.words)
    note = form.text("note", NOTE, required=True)
    if form.errors:
        return await _refund(visit, story, form)
    back = await Ledger(visit.parts.engine, visit.actor).refund(story.id, note, now_ms())
    said = visit.words("Given back.") if back else visit.words("There is nothing to give back.")
    return visit.to(f"{ALL}/{story.id}", said)


PAGES = [
    Page(MINE, mine),
    Page(f"{MINE}.csv", my_file),
    Page(f"{MINE}/{{message:int}}", one_of_mine),
    Page(f"{MINE}/{{message:int}}/delete", delete, posts=True),
    Page(ALL, everybodys, Who.OPERATOR),
    Page(f"{ALL}.csv", everybodys_file, Who.OPERATOR),
    Page(f"{ALL}/{{message:int}}", one_of_all, Who.OPERATOR),
    Page(f"{ALL}/{{message:int}}/refund", refund_form, Who.OPERATOR, proof=True),
    Page(f"{ALL}/{{message:int}}/refund", refund, Who.OPERATOR, posts=True, proof=True),
]
