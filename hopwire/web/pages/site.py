"""The pages as a whole: which there are, who may see each, and what goes wrong.

Rule 1: a page is in `PAGES` of its module, with who may see it; nothing else is reachable.
Rule 2: who may not see a page learns nothing of it: a visitor is asked to sign in, the others are told that
there is no such page.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hopwire.errors import ApiError, Unavailable
from hopwire.model import AccountStatus
from hopwire.store.sessions import SignedIn
from hopwire.web.pages import assets, guard
from hopwire.web.pages.parts import Parts
from hopwire.web.pages.visit import NotThere, Problem, Visit, Who, cookie_name
from hopwire.web.pages.words import marked

log = logging.getLogger(__name__)

PROOF_MS = 600_000  # for so long after the password was typed dangerous things may be done
NOT_A_GUEST = marked("The customer alone does this. An operator has pages of his own for it.")

Handler = Callable[[Visit], Awaitable[Response]]


class Page(NamedTuple):
    """A page, or what its form is sent to."""

    path: str  # with {name:int} as Starlette has it
    handler: Handler
    who: Who = Who.CUSTOMER
    posts: bool = False  # it changes something, and is asked by POST alone
    proof: bool = False  # the password must have been typed within `PROOF_MS`

    @property
    def methods(self) -> list[str]:
        return ["POST"] if self.posts else ["GET"]


def routes(parts: Parts, pages: list[Page]) -> Iterator[Route]:
    """For Starlette."""
    yield Route(assets.PATH, assets.serve)
    for page in pages:
        yield Route(page.path, _endpoint(parts, page), methods=page.methods)


def _endpoint(parts: Parts, page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not guard.is_ours(request.method, request.headers):
            return _dressed(PlainTextResponse("The form is not from a page of ours\n", 403), secure=False)
        visit = Visit(request, parts, None)
        try:
            visit.signed_in = await _signed_in(visit)
            response = await _shown(visit, page)
        except Problem as problem:
            response = _trouble(visit, problem.status, problem.why)
        except Unavailable:
            response = _trouble(visit, 503, marked("The gateway is busy. Please try again in a moment."))
        except ApiError as error:
            response = _trouble(visit, 409, error.text)
        except Exception:  # a bug: the reader gets a page nevertheless
            log.exception("page %s", page.path)
            response = _trouble(visit, 500, marked("Something went wrong here. It was written down."))
        finally:
            await request.close()  # files that came with a form
        return _dressed(response, secure=visit.is_secure)

    return endpoint


async def _signed_in(visit: Visit) -> SignedIn | None:
    """Who it is; a closed account is nobody."""
    cookie = visit.request.cookies.get(cookie_name(visit.is_secure), "")
    found = await visit.parts.sessions.find(cookie, visit.now) if cookie else None
    return None if found is None or found.account.standing is AccountStatus.CLOSED else found


async def _shown(visit: Visit, page: Page) -> Response:
    if page.who is not Who.VISITOR and visit.signed_in is None:
        back = "/" if page.posts else visit.here
        return visit.to(f"/sign-in?next={quote(back)}")
    if page.who is Who.OPERATOR and not visit.is_operator:
        raise NotThere
    if page.who is Who.OPERATOR and _needs_second_factor(visit):
        return visit.to("/settings/second-factor", visit.words("An operator needs a second factor first."))
    if page.proof and visit.is_guest:
        raise Problem(403, NOT_A_GUEST)
    if page.proof and visit.session.proved_at < visit.now - PROOF_MS:
        back = visit.request.headers.get("referer", "/") if page.posts else visit.here
        return visit.to(f"/prove?next={quote(guard.inner(_path_of(back)))}")
    return await page.handler(visit)


def _needs_second_factor(visit: Visit) -> bool:
    return (
        visit.signed_in is not None
        and not visit.signed_in.second_factor
        and not visit.parts.config.demo.token
    )


def _path_of(address: str) -> str:
    """The path and query of an address of ours."""
    _, scheme, rest = address.partition("://")
    return "/" + rest.partition("/")[2] if scheme else address


def _trouble(visit: Visit, status: int, why: str) -> Response:
    return visit.render("trouble.html", status=status, number=status, why=why)


def trouble(parts: Parts) -> Callable[[Request], Awaitable[Response]]:
    """What a browser is told where there is no page."""

    async def endpoint(request: Request) -> Response:
        visit = Visit(request, parts, None)
        with suppress(Unavailable):
            visit.signed_in = await _signed_in(visit)
        return _dressed(_trouble(visit, 404, NotThere().why), secure=visit.is_secure)

    return endpoint


def _dressed(response: Response, *, secure: bool) -> Response:
    for name, value in guard.HEADERS.items():
        response.headers.setdefault(name, value)
    if secure:
        response.headers["Strict-Transport-Security"] = guard.HSTS
    return response
