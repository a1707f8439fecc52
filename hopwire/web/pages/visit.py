"""One request for a page: who asks, what for, and the answers a page can give."""

import time
from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote, urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from hopwire import __version__, accounts
from hopwire.credentials import From
from hopwire.errors import TooManyRequests
from hopwire.model import Account, Actor, Status
from hopwire.store.directory import Directory
from hopwire.store.sessions import LONGEST_MS, Session, SignedIn
from hopwire.web.addresses import client_address
from hopwire.web.pages import nav
from hopwire.web.pages.parts import Parts, templates
from hopwire.web.pages.words import LANGUAGES, Words, language_of, marked

FORM_BYTES = 1_048_576  # of a form without a file
TEXT_BYTES = 4_194_304  # of one field of a form with a file, which is in memory
FIELDS = 500
SAID = "said"  # the cookie with the sentence that the next page shows
TONES = {
    Status.PENDING: ("waiting", "clock"),
    Status.SENDING: ("waiting", "clock"),
    Status.SENT: ("sent", "check"),
    Status.DELIVERED: ("good", "checks"),
    Status.READ: ("good", "eye"),
    Status.PARTIAL: ("late", "half"),
    Status.EXPIRED: ("late", "hourglass"),
    Status.DELETED: ("waiting", "cross"),
    Status.NO_ROUTE: ("bad", "cross"),
    Status.FAILED: ("bad", "cross"),
    Status.BAD_NUMBER: ("bad", "cross"),
}


class Who(IntEnum):
    """Who may see a page."""

    VISITOR = 0  # everyone
    CUSTOMER = 1  # who is signed in
    OPERATOR = 2


class Problem(Exception):  # noqa: N818 - it is what the reader is told, not a fault of ours
    """A page that cannot be shown: the HTTP status, and why, in English."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class NotThere(Problem):
    """Nothing is there, or nothing that concerns who asks."""

    def __init__(self) -> None:
        super().__init__(404, marked("There is no such page."))


class TooMuch(Problem):
    """Somebody asks too often."""

    def __init__(self) -> None:
        super().__init__(429, TooManyRequests.text)


class Visit:
    """A request, in the eyes of a page."""

    def __init__(self, request: Request, parts: Parts, signed_in: SignedIn | None) -> None:
        self.request = request
        self.parts = parts
        self.signed_in = signed_in
        self.now = time.time_ns() // 1_000_000
        self.query: Mapping[str, str] = request.query_params

    # ---- who asks

    @property
    def account(self) -> Account:
        """Whose cabinet it is; a page for visitors looks at `signed_in` first."""
        if self.signed_in is None:
            raise Problem(403, "Please sign in first.")
        return self.signed_in.account

    @property
    def session(self) -> Session:
        if self.signed_in is None:
            raise Problem(403, "Please sign in first.")
        return self.signed_in.session

    @property
    def is_operator(self) -> bool:
        return self.signed_in is not None and self.signed_in.account.operator and not self.is_guest

    @property
    def is_guest(self) -> bool:
        """Whether an operator looks at it as this account."""
        return self.signed_in is not None and self.signed_in.session.operator_id is not None

    @property
    def has_second_factor(self) -> bool:
        return self.signed_in is not None and self.signed_in.second_factor

    def must_be_himself(self) -> None:
        """What opens somebody's door no operator may change who looks at his cabinet; raises Problem.

        Pages with `proof` are closed to him anyway.
        """
        if self.is_guest:
            raise Problem(403, "This can be changed by the account's owner alone.")

    @cached_property
    def address(self) -> str:
        peer = self.request.client.host if self.request.client else ""
        return client_address(peer, self.request.headers.raw, self.parts.config.http.trusted_proxies)

    @property
    def origin(self) -> From:
        return From(self.address)

    @property
    def actor(self) -> Actor:
        """Who changes something, for the audit."""
        session = self.session
        name = self.account.login
        if session.operator_id is not None:
            name = f"operator {session.operator_id} as {name}"
        return Actor(name, self.address)

    @property
    def directory(self) -> Directory:
        """For changes in the name of who asks."""
        return Directory(self.parts.engine, self.actor)

    def directory_as(self, name: str) -> Directory:
        """For changes by somebody who is not signed in, as the audit calls him."""
        return Directory(self.parts.engine, Actor(name, self.address))

    @property
    def is_secure(self) -> bool:
        """Whether the browser speaks TLS, to us or to a proxy of ours."""
        if self.request.url.scheme == "https":
            return True
        proxied = bool(self.parts.config.http.trusted_proxies)
        return proxied and self.request.headers.get("x-forwarded-proto") == "https"

    @property
    def own_address(self) -> str:
        """Where this gateway is reached, without a path."""
        scheme = "https" if self.is_secure else "http"
        host = self.request.headers.get("host", "localhost")
        return self.parts.config.cabinet.url.rstrip("/") or f"{scheme}://{host}"

    # ---- how he reads

    @cached_property
    def language(self) -> str:
        if self.signed_in is not None:
            asked = self.signed_in.account.language
        else:
            asked = self.request.cookies.get("language", "")
        return asked if asked in LANGUAGES else language_of(self.request.headers.get("accept-language", ""))

    @cached_property
    def words(self) -> Words:
        zone = self.signed_in.account.time_zone if self.signed_in else "Europe/Kyiv"
        return Words(self.language, zone)

    @property
    def theme(self) -> str:
        """ "light", "dark"; "": as his system has it."""
        asked = self.signed_in.account.theme if self.signed_in else self.request.cookies.get("theme", "")
        return asked if asked in accounts.THEMES else ""

    languages = LANGUAGES
    version = __version__

    @cached_property
    def menu(self) -> list[tuple[str, tuple[nav.Entry, ...]]]:
        return nav.menu(self.signed_in is not None, self.is_operator)

    def is_current(self, entry: nav.Entry) -> bool:
        return nav.is_current(entry, self.path)

    @staticmethod
    def tone(status: Status) -> tuple[str, str]:
        """The colour of a status, and its icon."""
        return TONES[status]

    # ---- what came

    @property
    def path(self) -> str:
        return self.request.url.path

    @property
    def here(self) -> str:
        """The path and the query, to come back to."""
        query = self.request.url.query
        return f"{self.path}?{query}" if query else self.path

    def number(self, name: str) -> int:
        """A number in the path; raises NotThere for one that no row can have."""
        found: int = self.request.path_params[name]
        if found >= 2**63:
            raise NotThere
        return found

    def cursor(self, name: str, otherwise: int = 2**62) -> int:
        """The id behind which a list goes on, as the address has it; without one, it begins at the newest."""
        typed = self.query.get(name, "")
        return int(typed) if is_id(typed) else otherwise

    async def form(self, most: int = FORM_BYTES) -> dict[str, str]:
        """The fields of a form, of each the last one; files are not among them."""
        return {
            name: value for name, value in (await self.fields(most)).multi_items() if isinstance(value, str)
        }

    async def fields(self, most: int = FORM_BYTES) -> FormData:
        """The fields and files of a form, of at most so many bytes; raises Problem."""
        length = self.request.headers.get("content-length", "")
        if not length.isdecimal():
            raise Problem(411, "The form has no length.")
        if int(length) > most:
            raise Problem(413, "The form is too large.")
        try:
            return await self.request.form(
                max_files=1, max_fields=FIELDS, max_part_size=min(most, TEXT_BYTES)
            )
        except HTTPException:
            raise Problem(400, "The form cannot be read.") from None

    async def file(self, name: str, most: int) -> UploadFile | None:
        """A file that came with a form; None where none was chosen."""
        found = (await self.fields(most)).get(name)
        return found if isinstance(found, UploadFile) and found.filename else None

    # ---- answers

    def render(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page."""
        page = templates(self.language).get_template(template)
        said = self.request.cookies.get(SAID)
        body = page.render(visit=self, words=self.words, said=unquote(said) if said else "", **values)
        response = HTMLResponse(body, status)
        if said:
            response.delete_cookie(SAID)
        return response

    def to(self, path: str, said: str = "") -> Response:
        """Go on to another page of ours, which shows this sentence."""
        response = RedirectResponse(path, 303)
        if said:
            self.set_cookie(response, SAID, quote(said[:500]), 60)
        return response

    def file_of(self, name: str, rows: Any, kind: str = "text/csv; charset=utf-8") -> Response:
        """A file to keep, out of chunks of text or bytes that come one by one; the name is ours."""
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(rows, media_type=kind, headers=headers)

    def set_cookie(self, response: Response, name: str, value: str, lasts_s: int) -> None:
        response.set_cookie(
            name, value, max_age=lasts_s, path="/", secure=self.is_secure, httponly=True, samesite="lax"
        )

    # ---- signing in

    @property
    def cookie_name(self) -> str:
        return cookie_name(self.is_secure)

    async def sign_in(
        self,
        account: Account,
        response: Response,
        operator_id: int | None = None,
        *,
        proved: bool = True,
    ) -> None:
        """Begin a session, and end the one there was; `proved`: the password was typed just now."""
        await self.end_session()
        agent = self.request.headers.get("user-agent", "")
        cookie = await self.parts.sessions.begin(
            account.id, self.address, agent, self.now, operator_id, proved=proved
        )
        self.set_cookie(response, self.cookie_name, cookie, LONGEST_MS // 1000)

    async def end_session(self) -> None:
        if self.signed_in is not None:
            session = self.signed_in.session
            await self.parts.sessions.end(session.account_id, [session.digest])

    # ---- addresses

    def address_with(self, **changes: object) -> str:
        """This page with another query: what is None or empty is not in it."""
        query = {**self.query, **changes}
        kept = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.path}?{urlencode(kept)}" if kept else self.path


def cookie_name(secure: bool) -> str:
    """The prefix binds the cookie to this very host, which needs TLS."""
    return "__Host-hopwire" if secure else "hopwire"


def is_id(typed: str) -> bool:
    """Whether it is a number that a row may have."""
    return typed.isascii() and typed.isdigit() and len(typed) <= 18


def choices(names: Iterable[str], typed: str, otherwise: str) -> str:
    """What was typed, where it is one of these; a page that is asked for anything else shows the usual."""
    return typed if typed in names else otherwise
