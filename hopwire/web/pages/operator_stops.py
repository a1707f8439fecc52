"""Stop lists: who wants no more messages, and from whom: an account, or everyone."""

from starlette.responses import Response

from hopwire import phone
from hopwire.model import Account
from hopwire.store.inbox import EVERYONE, Inbox, Stop
from hopwire.web.pages.forms import Form
from hopwire.web.pages.named import account_named
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who, is_id
from hopwire.web.pages.words import marked as _

SHOWN = 100
ALL = "*"  # stands for everyone, where a login would
PATH = "/operator/stop-list"


async def stops(visit: Visit) -> Response:
    """In the order of numbers: all lists, one account's, or those that a number is on."""
    return await _page(visit, Form(visit.query, visit.words))


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    search = Form(visit.query, visit.words)
    found = await _found(visit, search)
    logins = await visit.directory.logins(one.account_id for one in found)
    last = found[SHOWN - 1] if len(found) > SHOWN else None
    after = f"{last.number}.{last.account_id}" if last else ""
    return visit.render(
        "operator_stops.html",
        status=status,
        form=form,
        search=search,
        found=found[:SHOWN],
        logins=logins,
        everyone=EVERYONE,
        older=visit.address_with(after=after) if after else "",
        newest=visit.address_with(after=None) if "after" in visit.query else "",
    )


async def _found(visit: Visit, search: Form) -> list[Stop]:
    inbox, typed = Inbox(visit.parts.engine), search.value("number").strip()
    number, _dot, account = search.value("after")[:40].partition(".")
    if typed:
        read = phone.parse(typed, visit.account.home_country)
        return await inbox.stops_with(read.digits if read else typed[:40], SHOWN)
    if search.value("account").strip():
        whose = await _whose(visit, search)
        if whose is None:
            return []
        return [Stop(whose, *one) for one in await inbox.stopped_after(whose, number, SHOWN + 1)]
    return await inbox.stops((number, int(account) if is_id(account) else 0), SHOWN + 1)


async def _whose(visit: Visit, form: Form) -> int | None:
    """Whose list is meant, `EVERYONE` for that of all; None, and a complaint, where nobody has this login."""
    if form.value("account").strip() == ALL:
        return EVERYONE
    found = await account_named(visit, form, "account")
    if found is None:
        form.wrong("account", _("There is no account with this login."))
    return found.id if found else None


async def add(visit: Visit) -> Response:
    form = Form(await visit.form(), visit.words)
    whose = await _whose(visit, form)
    digits = await _digits(visit, form, whose)
    note = form.text("note", 200)
    if whose is None or form.errors:
        return await _page(visit, form, 422)
    if not await Inbox(visit.parts.engine, visit.actor).stop(whose, digits, visit.now, note):
        form.wrong("add_number", _("The number is on this list already."))
        return await _page(visit, form, 422)
    return visit.to(PATH, visit.words("The number is on the list."))


async def _digits(visit: Visit, form: Form, whose: int | None) -> str:
    """The number as it is kept; one without its country is read as the account does."""
    account: Account | None = await visit.directory.account(whose) if whose else None
    number = phone.parse(form.value("add_number").strip(), (account or visit.account).home_country)
    if number is None:
        form.wrong("add_number", _("This is no phone number."))
    return number.digits if number else ""


async def remove(visit: Visit) -> Response:
    form = await visit.form()
    whose, back = form.get("whose", ""), form.get("back", "")
    if not is_id(whose):
        raise NotThere
    if not await Inbox(visit.parts.engine, visit.actor).unstop(int(whose), form.get("number", "")[:40]):
        raise NotThere
    return visit.to(back if back.startswith(f"{PATH}?") else PATH, visit.words("The number is off the list."))


PAGES = [
    Page(PATH, stops, Who.OPERATOR),
    Page(PATH, add, Who.OPERATOR, posts=True),
    Page(PATH + "/remove", remove, Who.OPERATOR, posts=True),
]
