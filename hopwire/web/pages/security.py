"""One's own address, password, and password for the API.

Rule: another address counts once a link that was sent there is opened by who is signed in; the old one is
told.
"""

from starlette.responses import Response

from hopwire import accounts, links
from hopwire.errors import TooManyRequests
from hopwire.links import Purpose
from hopwire.web.pages import new_password
from hopwire.web.pages.forms import Form
from hopwire.web.pages.letters import Letters, tell
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Problem, TooMuch, Visit
from hopwire.web.pages.words import marked as _

USED = _("This link has been used, or is too old. Ask for another one.")


# ---- the address


async def email_form(visit: Visit) -> Response:
    return visit.render("email.html", form=Form(words=visit.words))


async def email(visit: Visit) -> Response:
    form = Form(await visit.form(), visit.words)
    wanted = read_email(form)
    if not visit.parts.sends_mail:
        form.wrong("", "This gateway sends no mail. Ask the operator to change the address.")
    if form.errors:
        return visit.render("email.html", status=422, form=form)
    if not visit.parts.allowance.asks(visit.address, visit.now):
        raise TooMuch
    if visit.parts.allowance.reaches(wanted, visit.now):
        account = visit.account
        token = links.make(
            visit.parts.secret, Purpose.EMAIL, f"{account.id} {wanted}", visit.now, account.email
        )
        letters = Letters(visit.parts.config.cabinet, account.language, wanted, account.time_zone)
        known = await visit.directory.is_known(wanted)
        await visit.parts.mails.put([letters.email_taken() if known else letters.new_email(token)], visit.now)
    return visit.to("/settings", visit.words("We have sent a mail to the new address. Open the link in it."))


def read_email(form: Form, name: str = "email") -> str:
    """An address that was typed, in small letters."""
    typed = form.text(name, 254, required=True)
    try:
        return accounts.check_email(typed)
    except ValueError:
        form.wrong(name, "This is no e-mail address.")
        return typed


async def new_email_form(visit: Visit) -> Response:
    return visit.render("email_confirm.html", email=_new_email(visit))


async def new_email(visit: Visit) -> Response:
    wanted, account = _new_email(visit), visit.account
    if not await visit.directory.set_email(account.id, account.email, wanted):
        raise Problem(404, USED)
    await tell(visit.parts, account, Letters.email_changed, visit.now)
    return visit.to("/settings", visit.words("Your e-mail address is changed."))


def _new_email(visit: Visit) -> str:
    """The address that a good link of this account names; raises Problem."""
    visit.must_be_himself()
    claim, account = links.read(visit.request.path_params["token"]), visit.account
    if claim is None or not links.is_good(visit.parts.secret, Purpose.EMAIL, claim, visit.now, account.email):
        raise Problem(404, USED)
    whose, _, wanted = claim.who.partition(" ")
    if whose != str(account.id):
        raise Problem(404, USED)
    return wanted


# ---- the password


async def password_form(visit: Visit) -> Response:
    visit.must_be_himself()
    return visit.render("password.html", form=Form(words=visit.words))


async def password(visit: Visit) -> Response:
    visit.must_be_himself()
    form, account = Form(await visit.form(), visit.words), visit.account
    new = new_password.read(form, account.login, account.email, account.customer)
    if not await _knows(visit, form.value("old")):
        form.wrong("old", "This is not your password.")
    if form.errors:
        return visit.render("password.html", status=422, form=form)
    await visit.directory.set_password(account.id, await new_password.hashed(visit, account.login, new))
    await visit.parts.sessions.end_others(account.id, visit.session.digest)
    await tell(visit.parts, account, Letters.password_changed, visit.now)
    return visit.to("/settings", visit.words("Your password is changed. You are signed out everywhere else."))


async def _knows(visit: Visit, typed: str) -> bool:
    try:
        return await visit.parts.credentials.knows(visit.account.login, typed, visit.origin)
    except TooManyRequests:
        raise TooMuch from None


# ---- the password for the API


async def api_password_form(visit: Visit) -> Response:
    return await _api_password(visit, Form(words=visit.words))


async def _api_password(visit: Visit, form: Form, status: int = 200) -> Response:
    found = await visit.directory.account_by_login(visit.account.login)
    return visit.render("api_password.html", status=status, form=form, on=found and found[1].api_password)


async def api_password(visit: Visit) -> Response:
    form, account = Form(await visit.form(), visit.words), visit.account
    new = new_password.read(form, account.login, account.email, account.customer)
    if form.errors:
        return await _api_password(visit, form, 422)
    await visit.directory.set_api_password(account.id, await new_password.hashed(visit, account.login, new))
    return visit.to("/settings", visit.words("The API takes the new password, and no other one."))


async def api_password_off(visit: Visit) -> Response:
    await visit.directory.set_api_password(visit.account.id, "")
    return visit.to("/settings", visit.words("There is no password for the API alone any more."))


PAGES = [
    Page("/settings/email", email_form, proof=True),
    Page("/settings/email", email, posts=True, proof=True),
    Page("/settings/email/{token}", new_email_form),
    Page("/settings/email/{token}", new_email, posts=True),
    Page("/settings/password", password_form),
    Page("/settings/password", password, posts=True),
    Page("/settings/api-password", api_password_form, proof=True),
    Page("/settings/api-password", api_password, posts=True, proof=True),
    Page("/settings/api-password/off", api_password_off, posts=True, proof=True),
]
