"""Who pays what for a number, which row of which list says so, and what is left of it."""

from msgspec.structs import replace
from starlette.responses import Response

from hopwire import phone, tariffs
from hopwire.model import Account
from hopwire.prices import PROMOTIONAL
from hopwire.routing import sms_type
from hopwire.store.directory import NOBODY
from hopwire.web.pages.forms import Form
from hopwire.web.pages.named import account_named
from hopwire.web.pages.prices import book
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who


async def number(visit: Visit) -> Response:
    """The question, and where a number is given, its answer."""
    form = Form(visit.query, visit.words)
    if not form.value("number").strip():
        return await _render(visit, form)
    payer = await _payer(visit, form)
    read = phone.parse(form.value("number").strip(), payer.home_country)
    if read is None:
        form.wrong("number", "This is no phone number.")
    if form.errors or read is None:
        return await _render(visit, form, status=422)
    carriers = {name: one.carries for name, one in visit.parts.config.connectors.items()}
    found = tariffs.explain(await book(visit).all(), payer, read.digits, carriers, visit.now)
    country = visit.words.country(read.country) if read.country.isalpha() else ""
    return await _render(visit, form, found=found, read=read, payer=payer, country=country)


async def _payer(visit: Visit, form: Form) -> Account:
    """The account that is named, or somebody of the plan, or anybody."""
    plan = form.value("plan").strip()
    if plan and form.value("account").strip():
        form.wrong("plan", "Give an account or a plan, not both.")
    return await account_named(visit, form, "account") or replace(NOBODY, plan=plan)


async def _render(visit: Visit, form: Form, status: int = 200, **answer: object) -> Response:
    accounts = await visit.directory.accounts()
    names = {one.id: one.login for one in accounts}
    payer = answer.get("payer")
    usual = {"sms": sms_type(payer) if isinstance(payer, Account) else "", "viber": PROMOTIONAL}
    values = {
        "plans": sorted({one.plan for one in accounts if one.plan}),
        "name": lambda of: tariffs.named(of, names),
        "usual": usual,
        "found": None,
        **answer,
    }
    return visit.render("prices_number.html", status=status, form=form, **values)


PAGES = [Page("/operator/prices/number", number, Who.OPERATOR)]
