"""Signing in and out, and proving again who it is.

Rule: who cannot sign in learns nothing about why.
"""

from starlette.responses import RedirectResponse, Response

from hopwire import accounts
from hopwire.errors import ApiError
from hopwire.web.pages import guard
from hopwire.web.pages.forms import Form
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who
from hopwire.web.pages.words import LANGUAGES

YEAR_S = 31_536_000


async def sign_in_form(visit: Visit) -> Response:
    if visit.signed_in is not None:
        return visit.to(guard.inner(visit.query.get("next", "/")))
    return visit.render("sign_in.html", form=Form(visit.query))


async def sign_in(visit: Visit) -> Response:
    form = Form(await visit.form(), visit.words)
    given = (form.value("login").strip(), form.value("password"), form.value("code").strip())
    try:
        account = await visit.parts.credentials.sign_in(*given, visit.origin)
    except ApiError as error:
        form.wrong("", error.text)
        return visit.render("sign_in.html", status=422, form=form)
    response = RedirectResponse(guard.inner(form.value("next") or "/"), 303)
    await visit.sign_in(account, response)
    return response


async def sign_out(visit: Visit) -> Response:
    await visit.end_session()
    response = visit.to("/sign-in", visit.words("You have signed out."))
    response.delete_cookie(visit.cookie_name, path="/", secure=visit.is_secure)
    return response


async def prove_form(visit: Visit) -> Response:
    return visit.render("prove.html", form=Form(visit.query))


async def prove(visit: Visit) -> Response:
    """The password again."""
    form = Form(await visit.form(), visit.words)
    given = (visit.account.login, form.value("password"), form.value("code").strip())
    try:
        await visit.parts.credentials.sign_in(*given, visit.origin)
    except ApiError as error:
        form.wrong("", error.text)
        return visit.render("prove.html", status=422, form=form)
    await visit.parts.sessions.prove(visit.session, visit.now)
    return visit.to(guard.inner(form.value("next") or "/"))


async def look(visit: Visit) -> Response:
    """Another language, other colours: kept with the account, or in the browser of a visitor."""
    form = await visit.form()
    language, theme = form.get("language", ""), form.get("theme", "")
    response = visit.to(guard.inner(form.get("next", "/")))
    if language in LANGUAGES and theme in ("", *accounts.THEMES):
        if visit.signed_in is not None and not visit.is_guest:
            changes = {"language": language, "theme": theme}
            await visit.directory.set_account(visit.account.id, changes)
        visit.set_cookie(response, "language", language, YEAR_S)
        visit.set_cookie(response, "theme", theme, YEAR_S)
    return response


PAGES = [
    Page("/sign-in", sign_in_form, Who.VISITOR),
    Page("/sign-in", sign_in, Who.VISITOR, posts=True),
    Page("/sign-out", sign_out, Who.VISITOR, posts=True),
    Page("/prove", prove_form),
    Page("/prove", prove, posts=True),
    Page("/look", look, Who.VISITOR, posts=True),
]
