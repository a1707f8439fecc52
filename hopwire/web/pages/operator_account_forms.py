"""What an operator sets of an account, typed into a form: its traits, and its limits.

Rule: a form names every trait; what came is read by the floor below, and only what differs is changed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.responses import Response

from hopwire import accounts as rules
from hopwire import limits
from hopwire.accounts import TRAITS
from hopwire.model import Account, Limits
from hopwire.web.pages.forms import Form
from hopwire.web.pages.operator_account import PATH, PERIODS, SCOPES, SPENDS, account_in, address_of
from hopwire.web.pages.operator_accounts import check_address
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who
from hopwire.web.pages.words import marked as _

NOTHING = _("Nothing was different.")


class Asked(NamedTuple):
    """A field of the form: its label, what it means, and what may be chosen; nothing: it is typed."""

    label: str
    hint: str
    options: Mapping[str, str] = {}


SWITCH = {"on": _("yes"), "off": _("no")}
ASKED = {
    "customer": Asked(_("Customer"), _("Who it is.")),
    "contact": Asked(_("Contact"), _("How to reach them.")),
    "email": Asked(_("E-mail"), _("For mail; one may sign in with it, too.")),
    "language": Asked(_("Language"), "", {"uk": "Українська", "en": "English"}),
    "country": Asked(_("Home country"), _("Two letters, such as UA: for numbers without a country.")),
    "time_zone": Asked(_("Time zone"), _("Such as Europe/Kyiv: for dates, and where a day begins.")),
    "plan": Asked(_("Plan"), _("Whose prices it pays; without one, everyone's.")),
    "credit": Asked(_("Credit"), _("How far below zero the balance may go.")),
    "low_balance": Asked(_("Low balance"), _("Below it a notice is given; empty: never.")),
    "type": Asked(
        _("Kind of messages"),
        _("Whose prices; a promotional one sends no SMS to who blocked it."),
        {"transactional": _("transactional"), "promotional": _("promotional")},
    ),
    "charge_sms_on": Asked(
        _("An SMS is charged when"),
        "",
        {"taken": _("it was handed over"), "delivered": _("it was delivered")},
    ),
    "any_sender": Asked(
        _("It may use every sender name"), _("Otherwise those that you have approved."), SWITCH
    ),
    "api": Asked(
        _("Programs may use it"), _("Without it, its keys and its API password open nothing."), SWITCH
    ),
    "operator": Asked(_("It is an operator"), _("It sees these pages, and may do all of this."), SWITCH),
}


# ---- traits


async def traits_form(visit: Visit) -> Response:
    account = await account_in(visit)
    return _traits(visit, account, Form(rules.write(account)))


def _traits(visit: Visit, account: Account, form: Form, status: int = 200) -> Response:
    return visit.render("operator_traits.html", status=status, account=account, form=form, asked=ASKED)


async def set_traits(visit: Visit) -> Response:
    account, form = await account_in(visit), Form(await visit.form(), visit.words)
    changes = read_traits(form, account)
    await check_address(visit, form, changes.get("email", ""), account.id)
    if account.id == visit.account.id and changes.get("operator") is False:
        form.wrong("operator", _("You cannot take this from yourself."))
    if form.errors:
        return _traits(visit, account, form, 422)
    if changes:
        await visit.directory.set_account(account.id, changes)
    said = visit.words(_("The account is changed.")) if changes else visit.words(NOTHING)
    return visit.to(address_of(account.id), said)


def read_traits(form: Form, account: Account) -> dict[str, Any]:
    """The traits in the form that differ, by the names of their fields."""
    read = {
        TRAITS[name].field: form.read(name, TRAITS[name].read, getattr(account, TRAITS[name].field))
        for name in ASKED
        if name in form.values
    }
    return {field: value for field, value in read.items() if value != getattr(account, field)}


# ---- limits


async def limits_form(visit: Visit) -> Response:
    account = await account_in(visit)
    return _limits(visit, account, Form(limits.shown(account.limits)))


def _limits(visit: Visit, account: Account, form: Form, status: int = 200) -> Response:
    return visit.render(
        "operator_limits.html",
        status=status,
        account=account,
        form=form,
        scopes=SCOPES,
        periods=PERIODS,
        spends=SPENDS,
    )


async def set_limits(visit: Visit) -> Response:
    account, form = await account_in(visit), Form(await visit.form(), visit.words)
    bounds = read_limits(form, account.limits)
    if form.errors:
        return _limits(visit, account, form, 422)
    if bounds == account.limits:
        return visit.to(address_of(account.id), visit.words(NOTHING))
    await visit.directory.set_account(account.id, {"limits": bounds})
    return visit.to(address_of(account.id), visit.words("The limits are changed."))


def read_limits(form: Form, bounds: Limits) -> Limits:
    """With every limit that the form has; what is wrong is told at its field."""
    for name in limits.NAMES:
        if name in form.values:
            try:
                bounds = limits.changed(bounds, name, form.value(name).strip())
            except ValueError as error:
                form.wrong(name, _complaint(name, str(error)))
    return bounds


def _complaint(name: str, said: str) -> str:
    """What is wrong with a limit, without its name."""
    if name == "quiet" and "must leave" not in said:
        return _("quiet hours are written as 21:00-08:00")
    return said.removeprefix(f"{name}: ")


PAGES = [
    Page(PATH + "/traits", traits_form, Who.OPERATOR, proof=True),
    Page(PATH + "/traits", set_traits, Who.OPERATOR, posts=True, proof=True),
    Page(PATH + "/limits", limits_form, Who.OPERATOR),
    Page(PATH + "/limits", set_limits, Who.OPERATOR, posts=True),
]
