"""A forgotten password: a link in a mail, and another password.

Rule: who asks learns nothing about whether there is such an account: the answer, what is done and what is
written are the same; where nobody is found, the letter is to nobody.
"""

from starlette.responses import Response

from hopwire import links
from hopwire.links import Purpose
from hopwire.model import Account, AccountStatus
from hopwire.store.directory import NOBODY, Secrets
from hopwire.web.pages import new_password
from hopwire.web.pages.forms import Form
from hopwire.web.pages.letters import Letters, tell
from hopwire.web.pages.security import USED
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Problem, TooMuch, Visit, Who

Found = tuple[Account, Secrets] | None
NOTHING = Secrets("", "", "", 0)


async def ask_form(visit: Visit) -> Response:
    return visit.render("reset.html", form=Form(words=visit.words))


async def ask(visit: Visit) -> Response:
    if not visit.parts.sends_mail:
        return visit.to("/reset")
    form = Form(await visit.form(), visit.words)
    typed = form.text("login", 254, required=True).lower()
    if form.errors:
        return visit.render("reset.html", status=422, form=form)
    if not visit.parts.allowance.asks(visit.address, visit.now):
        raise TooMuch
    if visit.parts.allowance.reaches(typed, visit.now):
        await _write(visit, form.value("login").strip(), typed)
    return visit.to("/reset/sent")


async def _write(visit: Visit, login: str, email: str) -> None:
    directory = visit.directory_as("")
    by_login, by_email = await directory.account_by_login(login), await directory.account_by_email(email)
    account, kept = _if_open(by_login or by_email) or (NOBODY, NOTHING)
    token = links.make(visit.parts.secret, Purpose.RESET, account.login, visit.now, kept.password_hash)
    language = account.language if account.login else visit.language
    letters = Letters(visit.parts.config.cabinet, language, account.email)
    await visit.parts.mails.put([letters.reset(token)], visit.now)


def _if_open(found: Found) -> Found:
    return None if found is None or found[0].standing is AccountStatus.CLOSED else found


async def sent(visit: Visit) -> Response:
    return visit.render("reset_sent.html")


async def set_form(visit: Visit) -> Response:
    account, _ = await _whose(visit)
    return visit.render("reset_set.html", form=Form(words=visit.words), account=account)


async def set_password(visit: Visit) -> Response:
    account, kept = await _whose(visit)
    form = Form(await visit.form(), visit.words)
    new = new_password.read(form, account.login, account.email, account.customer)
    if form.errors:
        return visit.render("reset_set.html", status=422, form=form, account=account)
    made = await new_password.hashed(visit, account.login, new)
    directory = visit.directory_as(f"{account.login} by mail")
    if not await directory.replace_password(account.id, kept.password_hash, made):
        raise Problem(404, USED)
    await tell(visit.parts, account, Letters.password_changed, visit.now)
    return visit.to("/sign-in", visit.words("Your password is changed. Please sign in with it."))


async def _whose(visit: Visit) -> tuple[Account, Secrets]:
    """Whose link it is; raises Problem for one that is not good."""
    claim = links.read(visit.request.path_params["token"])
    found = _if_open(await visit.directory_as("").account_by_login(claim.who)) if claim else None
    if claim is None or found is None:
        raise Problem(404, USED)
    if not links.is_good(visit.parts.secret, Purpose.RESET, claim, visit.now, found[1].password_hash):
        raise Problem(404, USED)
    return found


PAGES = [
    Page("/reset", ask_form, Who.VISITOR),
    Page("/reset", ask, Who.VISITOR, posts=True),
    Page("/reset/sent", sent, Who.VISITOR),
    Page("/reset/{token}", set_form, Who.VISITOR),
    Page("/reset/{token}", set_password, Who.VISITOR, posts=True),
]
