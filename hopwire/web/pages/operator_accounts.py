"""The operator's list of accounts, and the form for a new one."""

import asyncio
from typing import Any

from starlette.responses import Response

from hopwire import accounts as rules
from hopwire.credentials import hash_password, new_password, plain_login
from hopwire.model import Account, AccountStatus
from hopwire.web.pages.forms import Form
from hopwire.web.pages.named import account_named
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who, choices
from hopwire.web.pages.words import marked as _

SHOWN = 50
TYPED = ("customer", "contact", "email", "language", "country", "plan")  # traits that the form asks for
STATES = {
    "active": AccountStatus.ACTIVE,
    "paused": AccountStatus.PAUSED,
    "closed": AccountStatus.CLOSED,
}


async def accounts(visit: Visit) -> Response:
    """The newest first: all, those that are looked for, or the sub-accounts of a reseller."""
    reseller = await visit.directory.account(visit.cursor("reseller", 0))
    found = await _found(visit, reseller)
    return visit.render(
        "operator_accounts.html",
        form=Form(visit.query),
        found=found[:SHOWN],
        searched=bool(reseller or visit.query.get("q") or visit.query.get("state")),
        reseller=reseller,
        older=visit.address_with(before=found[SHOWN - 1].id) if len(found) > SHOWN else "",
        newest=visit.address_with(before=None) if "before" in visit.query else "",
    )


async def _found(visit: Visit, reseller: Account | None) -> list[Account]:
    """One more than is shown."""
    before, directory = visit.cursor("before"), visit.directory
    if reseller is not None:
        return await directory.sub_accounts(reseller.id, SHOWN + 1, before)
    typed = visit.query.get("q", "")[:100]
    state = STATES.get(choices(STATES, visit.query.get("state", ""), ""))
    return await directory.find_accounts(typed, state, before=before, n=SHOWN + 1)


# ---- a new one


async def new_form(visit: Visit) -> Response:
    usual = {"currency": "UAH", "country": "UA", "language": visit.language}
    return visit.render("operator_account_new.html", form=Form({**usual, **visit.query}))


async def create(visit: Visit) -> Response:
    """Create it; its password is told here, and nowhere again."""
    form = Form(await visit.form(), visit.words)
    login, parent, traits = _login(form), await _reseller(visit, form), _traits(form)
    currency = parent.currency if parent else form.read("currency", rules.check_currency, "")
    await check_address(visit, form, traits.get("email", ""))
    password = new_password()
    if not form.errors:
        hashed = await asyncio.to_thread(hash_password, password)
        parent_id = parent.id if parent else None
        made = await visit.directory.create_account(
            login, hashed, visit.now, currency=currency, parent_id=parent_id, **traits
        )
        if made is not None:
            return visit.render(
                "operator_password.html", account_id=made, login=login, password=password, new=True
            )
        form.wrong("login", _("There is already an account with this login."))
    return visit.render("operator_account_new.html", status=422, form=form)


def _login(form: Form) -> str:
    return form.read("login", lambda typed: rules.check_login(plain_login(typed)), "")


def _traits(form: Form) -> dict[str, Any]:
    """The traits that the form asks for, by the names of their fields."""
    read = {rules.TRAITS[name].field: form.read(name, rules.TRAITS[name].read, None) for name in TYPED}
    return {**read, "any_sender": form.has("any_sender")}


async def _reseller(visit: Visit, form: Form) -> Account | None:
    """The account whose sub-account it is to be."""
    found = await account_named(visit, form, "reseller")
    if found is not None and found.parent_id is not None:
        form.wrong("reseller", _("A sub-account cannot have sub-accounts."))
    return found


async def check_address(visit: Visit, form: Form, email: object, account_id: int = 0) -> None:
    """Complain of an address that another account has."""
    found = await visit.directory.account_by_email(str(email)) if email else None
    if found is not None and found[0].id != account_id:
        form.wrong("email", _("Another account has this address."))


PAGES = [
    Page("/operator/accounts", accounts, Who.OPERATOR),
    Page("/operator/accounts/new", new_form, Who.OPERATOR, proof=True),
    Page("/operator/accounts/new", create, Who.OPERATOR, posts=True, proof=True),
]
