"""Pages in a real browser: a gateway, people who are signed in, and what must be right on every page.

Tests that use it run on one loop for the session, so that the browser is started once.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gateway
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright
from smpp_ends import missing

from hopwire.admission import now_ms
from hopwire.app import sending_mail
from hopwire.credentials import hash_password
from hopwire.model import Account, Limits
from hopwire.store.sessions import Sessions

ROOT = Path(__file__).parent.parent
ARTEFACTS = ROOT / "artefacts"
AXE = ROOT / "requirements/npm/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PASSWORD = gateway.PASSWORD  # of every account here
HASH = hash_password(PASSWORD)
LOOK = "rules => axe.run({runOnly: rules, resultTypes: ['violations']}).then(found => found.violations)"
WIDTHS = (320, 768, 1440)
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HARMLESS = (
    "the server responded with a status of 4",  # a form that is not right yet
    "htmx:sendAbort",  # a newer request has taken the place of this one, or the page was left;
    "htmx:afterRequest",  # htmx tells this beside it, and beside sendError and timeout, which are faults
)
WATCH = "addEventListener('securitypolicyviolation', e => console.error('POLICY ' + e.violatedDirective));"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser; where none is installed the test is skipped, and in CI fails."""
    path = os.environ.get("HOPWIRE_TEST_CHROMIUM", "/usr/bin/chromium")
    if not os.access(path, os.X_OK):
        missing(f"Chromium is not installed: {path} is missing")
    ARTEFACTS.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=ARGS)
        yield started
        await started.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, once for all."""
    async with chromium() as started:
        yield started


def filled(path: str, **things: str | int) -> str:
    """A path with these things in its gaps; where there is none, with one that nobody has."""

    def thing(gap: re.Match[str]) -> str:
        return str(things.get(gap[1], "999999999" if gap[2] else "none"))

    return re.sub(r"\{(\w+)(:int)?\}", thing, path)


class Person:
    """Somebody with a browser; what goes wrong on his pages is kept."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context = context
        self.base = base
        self.complaints: list[str] = []

    async def page(self) -> Page:
        page = await self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(one in message.text for one in HARMLESS):
            self.complaints.append(message.text)

    async def open(self, path: str) -> Page:
        page = await self.page()
        await page.goto(self.base + path)
        return page


class Cabinet:
    """A running gateway with its pages, and a browser before it; without one, for `get` and `post` alone."""

    def __init__(self, running: gateway.Gateway, browser: Browser | None) -> None:
        self.gateway = running
        self.base = f"http://localhost:{running.ports['http']}"
        self._browser = browser
        self._people: list[Person] = []

    async def account(self, login: str, **traits: Any) -> Account:
        """Another account with `PASSWORD`, and its traits."""
        directory = self.gateway.directory
        traits.setdefault("limits", Limits(destinations=("*",)))
        made = await directory.create_account(login, HASH, now_ms(), **traits)
        assert made is not None
        found = await directory.account_by_login(login)
        assert found is not None
        return found[0]

    async def speaks(self, login: str, language: str) -> None:
        """An account's language from now on."""
        found = await self.gateway.directory.account_by_login(login)
        assert found is not None
        await self.gateway.directory.set_account(found[0].id, {"language": language})

    async def session(self, login: str, operator_id: int | None = None) -> str:
        """A cookie of somebody who has just signed in."""
        found = await self.gateway.directory.account_by_login(login)
        assert found is not None
        return await Sessions(self.gateway.store.engine).begin(
            found[0].id, "127.0.0.1", "test", now_ms(), operator_id
        )

    async def person(self, login: str = "", **options: Any) -> Person:
        """Somebody before a browser, signed in or not; options as Playwright's new_context has them."""
        options = {"locale": "en-GB", "viewport": {"width": 1440, "height": 900}, **options}
        assert self._browser is not None
        context = await self._browser.new_context(**options)
        await context.add_init_script(WATCH)
        if login:
            cookie = {"name": "hopwire", "value": await self.session(login), "url": self.base}
            await context.add_cookies([cookie])  # type: ignore[list-item]
        made = Person(context, self.base)
        self._people.append(made)
        return made

    async def get(self, path: str, login: str = "", **headers: str) -> gateway.Reply:
        """A page without a browser."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if login:
            lines.append(f"Cookie: hopwire={await self.session(login)}")
        return await self.gateway.get(path, *lines)

    async def post(self, path: str, fields: dict[str, str], login: str = "", **headers: str) -> gateway.Reply:
        """A form without a browser, from a page of ours."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += ["Sec-Fetch-Site: same-origin", "Content-Type: application/x-www-form-urlencoded"]
        if login:
            lines.append(f"Cookie: hopwire={await self.session(login)}")
        return await self.gateway.post(path, urlencode(fields).encode(), *lines)

    async def close(self) -> None:
        complaints = [complaint for person in self._people for complaint in person.complaints]
        await asyncio.gather(*(person.context.close() for person in self._people))
        assert complaints == [], complaints


@asynccontextmanager
async def opened(folder: Path, browser: Browser | None, **sections: Any) -> AsyncIterator[Cabinet]:
    """A gateway with its pages; settings as `gateway.running` takes them."""
    async with gateway.running(folder, **sections) as running, sending_mail(running.config, running.store):
        made = Cabinet(running, browser)
        yield made
        await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def cabinet(tmp_path: Path, browser: Browser) -> AsyncIterator[Cabinet]:
    """One for a test, with the account `shop`, an operator `boss`, and another customer `rival`."""
    async with opened(tmp_path, browser, demo={"token": "t"}) as made:
        await made.account("boss", operator=True, language="en")
        await made.account("rival", language="en")
        await made.gateway.directory.set_account(1, {"language": "en", "customer": "The Shop"})
        yield made


# ---- what must be right on every page


async def is_accessible(page: Page, rules: Sequence[str] = ()) -> None:
    """axe-core finds nothing of WCAG 2.2 A and AA, in the colours that are on; or nothing of some rules."""
    assert AXE.exists(), "axe-core is not here; scripts/test installs it"
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text("utf-8"))
    found = await page.evaluate(LOOK, list(rules) or RULES)
    told = [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for one in found
        for node in one["nodes"]
    ]
    assert not told, "\n".join(told)


async def is_readable_in_the_dark(page: Page) -> None:
    """Of the rules of axe-core only that of contrast depends on the colours."""
    await page.emulate_media(color_scheme="dark")
    await is_accessible(page, ["color-contrast"])


async def fits(page: Page) -> None:
    """Nothing is wider than the screen, but what scrolls by itself."""
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} pixels too wide"


async def look_over(cabinet: Cabinet, path: str, login: str, name: str = "") -> None:
    """A page in Ukrainian, whose words are longer, three widths, light and dark; it is kept as pictures."""
    if login:
        await cabinet.speaks(login, "uk")
    person = await cabinet.person(login, color_scheme="light", locale="uk", reduced_motion="reduce")
    page = await person.page()
    response = await page.goto(cabinet.base + path)
    assert response is not None and response.status == 200
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 900})
        await fits(page)
    await is_accessible(page)
    await picture(page, name, "light")
    await is_readable_in_the_dark(page)
    await picture(page, name, "dark")
    if login:
        await cabinet.speaks(login, "en")
    await page.close()


async def picture(page: Page, name: str, scheme: str) -> None:
    if name:
        await page.screenshot(path=ARTEFACTS / f"{name}-{scheme}.png", full_page=True)
