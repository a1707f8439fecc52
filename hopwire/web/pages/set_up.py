"""The first way in: the first operator's account, by a link that `hopwire serve` prints; and the demo's.

Rule: the link makes an operator only while there is none; the demo's is a session that waits to be taken
over.
"""

from starlette.responses import RedirectResponse, Response

from hopwire import accounts, links
from hopwire.credentials import plain_login
from hopwire.links import Purpose
from hopwire.store.sessions import SignedIn
from hopwire.web.pages import new_password
from hopwire.web.pages.forms import Form
from hopwire.web.pages.security import USED
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Problem, Visit, Who


async def set_up_form(visit: Visit) -> Response:
    await _look_at_link(visit)
    return visit.render("set_up.html", form=Form(words=visit.words))


async def _look_at_link(visit: Visit) -> None:
    claim = links.read(visit.request.path_params["token"])
    good = claim is not None and links.is_good(visit.parts.secret, Purpose.SET_UP, claim, visit.now)
    if not good or await visit.directory_as("").has_operator():
        raise Problem(404, USED)


async def set_up(visit: Visit) -> Response:
    await _look_at_link(visit)
    form = Form(await visit.form(), visit.words)
    login = plain_login(form.text("login", 64, required=True))
    if not form.errors and not _is_login(login):
        form.wrong("login", "One line of text, please.")
    password = new_password.read(form, login)
    if form.errors:
        return visit.render("set_up.html", status=422, form=form)
    directory = visit.directory_as("set-up")
    hashed = await new_password.hashed(visit, login, password)
    if await directory.create_first_operator(login, hashed, visit.now, visit.language) is None:
        form.wrong("login", "There is an account with this login already.")
        return visit.render("set_up.html", status=422, form=form)
    found = await directory.account_by_login(login)
    if found is None:
        raise NotThere
    response = RedirectResponse("/settings/second-factor", 303)
    await visit.sign_in(found[0], response)
    return response


def _is_login(login: str) -> bool:
    try:
        return bool(accounts.check_login(login))
    except ValueError:
        return False


async def come_in_form(visit: Visit) -> Response:
    await _waiting(visit)
    return visit.render("come_in.html")


async def _waiting(visit: Visit) -> SignedIn:
    """The session that waits; raises Problem."""
    token = visit.request.path_params["token"]
    found = await visit.parts.sessions.find(token, visit.now) if visit.parts.config.demo.token else None
    if found is None:
        raise Problem(404, USED)
    return found


async def come_in(visit: Visit) -> Response:
    """Take over the session that waits: it ends, and one of this browser begins, in its language."""
    found = await _waiting(visit)
    language = visit.language
    await visit.end_session()
    visit.signed_in = found
    await visit.directory.set_account(found.account.id, {"language": language})
    response = RedirectResponse("/", 303)
    await visit.sign_in(found.account, response)
    return response


PAGES = [
    Page("/set-up/{token}", set_up_form, Who.VISITOR),
    Page("/set-up/{token}", set_up, Who.VISITOR, posts=True),
    Page("/come-in/{token}", come_in_form, Who.VISITOR),
    Page("/come-in/{token}", come_in, Who.VISITOR, posts=True),
]
