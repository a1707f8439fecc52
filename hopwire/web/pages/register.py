"""Asking for an account, confirming the address, and being invited.

Rule 1: who asks learns nothing about whether an address is known: the answer and the work are the same, and
only its mailbox is told.
Rule 2: opening a link changes nothing; the button on its page does, so that who looks through mail for its
reader opens no account.
"""

from starlette.responses import Response

from hopwire import links
from hopwire.links import Purpose
from hopwire.model import Account, AccountStatus, Actor
from hopwire.store.registrations import Registration, Registrations
from hopwire.web.pages import new_password
from hopwire.web.pages.forms import Form
from hopwire.web.pages.letters import Letters
from hopwire.web.pages.security import USED, read_email
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Problem, TooMuch, Visit, Who

LONGEST_EMAIL = 64  # it is the login, too
LONGEST_NAME = 200


async def form(visit: Visit) -> Response:
    mode = visit.parts.config.cabinet.registration
    if mode in ("off", "invitation") or not visit.parts.sends_mail:
        return visit.to("/sign-in", visit.words("Accounts are opened by the operator. Please ask there."))
    return visit.render("register.html", form=Form(words=visit.words), invited="")


async def register(visit: Visit) -> Response:
    mode = visit.parts.config.cabinet.registration
    if mode in ("off", "invitation") or not visit.parts.sends_mail:
        return visit.to("/register")
    form = Form(await visit.form(), visit.words)
    email = read_email(form)
    if len(email) > LONGEST_EMAIL:
        form.wrong("email", "At most %(most)s characters, please.", most=LONGEST_EMAIL)
    customer, password = _said(form, email)
    if form.errors:
        return visit.render("register.html", status=422, form=form, invited="")
    if not visit.parts.allowance.asks(visit.address, visit.now):
        raise TooMuch
    one = await _registration(visit, email, customer, password)
    if visit.parts.allowance.reaches(email, visit.now):
        letters = Letters(visit.parts.config.cabinet, visit.language, email)
        token = links.make(visit.parts.secret, Purpose.CONFIRM, email, visit.now, one.bound)
        await _registrations(visit).put(one, letters.confirm(token), letters.known())
    return visit.to("/register/sent")


def _said(form: Form, email: str) -> tuple[str, str]:
    """A name, and a password."""
    customer = form.text("customer", LONGEST_NAME, required=True)
    if not customer.isprintable():
        form.wrong("customer", "One line of text, please.")
    return customer, new_password.read(form, email, customer)


async def _registration(visit: Visit, email: str, customer: str, password: str) -> Registration:
    """What was said, with the password hashed; who asks often waits behind the others."""
    visit.parts.credentials.asked(email, visit.origin)
    hashed = await new_password.hashed(visit, email, password)
    return Registration(email, customer, hashed, visit.language, visit.now)


def _registrations(visit: Visit) -> Registrations:
    """For changes by somebody who is not signed in."""
    return Registrations(visit.parts.engine, Actor("registration", visit.address))


async def sent(visit: Visit) -> Response:
    return visit.render("register_sent.html")


# ---- the link


async def confirm_form(visit: Visit) -> Response:
    return visit.render("register_confirm.html", email=(await _asked(visit)).email)


async def confirm(visit: Visit) -> Response:
    one = await _asked(visit)
    if visit.parts.config.cabinet.registration == "approval":
        if not await _registrations(visit).confirm(one, visit.now):
            raise Problem(404, USED)
        await _tell_operators(visit)
        told = visit.words("Thank you. The operator looks at it now, and you will be told by mail.")
        return visit.to("/sign-in", told)
    if await _registrations(visit).accept(one, visit.now) is None:
        raise Problem(404, USED)
    return visit.to(
        "/sign-in", visit.words("Your account is ready. Please sign in with your e-mail address.")
    )


async def _asked(visit: Visit) -> Registration:
    """What is confirmed by the link; raises Problem for one that is not good."""
    claim = links.read(visit.request.path_params["token"])
    one = await _registrations(visit).find(claim.who) if claim else None
    if claim is None or one is None or one.confirmed_at is not None or _is_off(visit):
        raise Problem(404, USED)
    if not links.is_good(visit.parts.secret, Purpose.CONFIRM, claim, visit.now, one.bound):
        raise Problem(404, USED)
    return one


def _is_off(visit: Visit) -> bool:
    return visit.parts.config.cabinet.registration == "off"


async def _tell_operators(visit: Visit) -> None:
    accounts = await visit.directory_as("").accounts()
    operators = [one for one in accounts if one.operator and one.email and _is_open(one)]
    cabinet = visit.parts.config.cabinet
    letters = [Letters(cabinet, one.language, one.email).waits() for one in operators]
    await visit.parts.mails.put(letters, visit.now)


def _is_open(account: Account) -> bool:
    return account.standing is not AccountStatus.CLOSED


# ---- invited


async def invited_form(visit: Visit) -> Response:
    return visit.render("register.html", form=Form(words=visit.words), invited=_invited(visit))


async def invited(visit: Visit) -> Response:
    email = _invited(visit)
    form = Form(await visit.form(), visit.words)
    customer, password = _said(form, email)
    if form.errors:
        return visit.render("register.html", status=422, form=form, invited=email)
    one = await _registration(visit, email, customer, password)
    if await _registrations(visit).accept_invited(one) is None:
        raise Problem(404, USED)
    return visit.to(
        "/sign-in", visit.words("Your account is ready. Please sign in with your e-mail address.")
    )


def _invited(visit: Visit) -> str:
    """The address that was invited; raises Problem for a link that is not good."""
    claim = links.read(visit.request.path_params["token"])
    if claim is None or _is_off(visit):
        raise Problem(404, USED)
    if not links.is_good(visit.parts.secret, Purpose.INVITATION, claim, visit.now):
        raise Problem(404, USED)
    return claim.who


# ---- for the operator's pages


async def invite(visit: Visit, email: str) -> None:
    """Write to an address, as accounts.check_email gives it, that may open an account for seven days."""
    token = links.make(visit.parts.secret, Purpose.INVITATION, email, visit.now)
    letters = Letters(visit.parts.config.cabinet, visit.language, email)
    await visit.parts.mails.put([letters.invitation(token)], visit.now)


async def approve(visit: Visit, email: str) -> int | None:
    """Open the account of who waits, and write to him; its id, or None where nobody waits any more."""
    registrations = Registrations(visit.parts.engine, visit.actor)
    return await registrations.approve(email, lambda one: _to(visit, one).approved(), visit.now)


async def refuse(visit: Visit, email: str) -> bool:
    """Forget who waits, and write to him; False where nobody waits any more."""
    registrations = Registrations(visit.parts.engine, visit.actor)
    return await registrations.refuse(email, lambda one: _to(visit, one).refused(), visit.now)


def _to(visit: Visit, one: Registration) -> Letters:
    return Letters(visit.parts.config.cabinet, one.language, one.email)


PAGES = [
    Page("/register", form, Who.VISITOR),
    Page("/register", register, Who.VISITOR, posts=True),
    Page("/register/sent", sent, Who.VISITOR),
    Page("/register/{token}", invited_form, Who.VISITOR),
    Page("/register/{token}", invited, Who.VISITOR, posts=True),
    Page("/confirm/{token}", confirm_form, Who.VISITOR),
    Page("/confirm/{token}", confirm, Who.VISITOR, posts=True),
]
