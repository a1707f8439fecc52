"""What waits for the operator's word: sender names, and who has asked for an account; and invitations."""

from starlette.responses import Response

from hopwire import accounts as rules
from hopwire.store.registrations import Registrations
from hopwire.store.senders import Senders
from hopwire.web.pages import register
from hopwire.web.pages.forms import Form
from hopwire.web.pages.operator_account import address_of
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who
from hopwire.web.pages.words import marked as _

SHOWN = 100
PATH = "/operator/approvals"


async def approvals(visit: Visit) -> Response:
    return await _page(visit, Form())


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    """Who has waited longest comes first. The form is for an invitation."""
    names = await Senders(visit.parts.engine).requested(SHOWN)
    return visit.render(
        "operator_approvals.html",
        status=status,
        form=form,
        names=names,
        logins=await visit.directory.logins(one.account_id for one in names),
        waiting=await Registrations(visit.parts.engine).waiting(SHOWN),
        invites=_invites(visit),
    )


def _invites(visit: Visit) -> bool:
    """Whether somebody can be invited by mail."""
    return visit.parts.sends_mail and visit.parts.config.cabinet.registration != "off"


async def decide(visit: Visit) -> Response:
    """Open the account of somebody who has asked for one, or refuse it; he is told by mail."""
    form = await visit.form()
    email, said = form.get("email", ""), form.get("do", "")
    if said == "approve" and (account_id := await register.approve(visit, email)) is not None:
        return visit.to(address_of(account_id), visit.words("The account is there, without money yet."))
    if said == "refuse" and await register.refuse(visit, email):
        return visit.to(PATH, visit.words("There will be no account; they are told by mail."))
    if said in ("approve", "refuse"):
        return visit.to(PATH, visit.words("Nobody waits by this address any more."))
    raise NotThere


async def invite(visit: Visit) -> Response:
    """Write to somebody that he may open an account."""
    if not _invites(visit):
        raise NotThere
    form = Form(await visit.form(), visit.words)
    email = form.read("email", rules.check_email, "")
    if email and await visit.directory.account_by_email(email) is not None:
        form.wrong("email", _("Another account has this address."))
    if form.errors:
        return await _page(visit, form, 422)
    await register.invite(visit, email)
    return visit.to(PATH, visit.words("The invitation is on its way. It is good for seven days."))


PAGES = [
    Page(PATH, approvals, Who.OPERATOR),
    Page(PATH + "/registrations", decide, Who.OPERATOR, posts=True),
    Page(PATH + "/invitations", invite, Who.OPERATOR, posts=True),
]
