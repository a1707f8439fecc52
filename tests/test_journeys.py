"""Whole ways through the pages, with all that is behind them: a worker, an SMSC, Viber, phones, mail."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from cabinet import Cabinet, is_accessible, opened
from gateway import LOGIN, PASSWORD, SECRET
from playwright.async_api import Browser, Page, expect
from post import Box, boxed
from simulated import PASSWORD as FAR_PASSWORD
from simulated import TOKEN, listening, port

from hopwire.admission import now_ms
from hopwire.simulators.run import run_simulators
from hopwire.store.ledger import Ledger
from hopwire.store.senders import Senders

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEWCOMER = "olena@flowers.example"
SENTENCE = "nine bouquets on a Monday"


class World(NamedTuple):
    cabinet: Cabinet
    box: Box


@asynccontextmanager
async def world(folder: Path, browser: Browser) -> AsyncIterator[World]:
    """A gateway that delivers, to simulated phones."""
    smsc, viber, phone = listening(), listening(), listening()
    async with boxed() as box:
        sections = {
            "connectors": {
                "smsc": {
                    "kind": "smpp",
                    "host": "127.0.0.1",
                    "port": port(smsc),
                    "system_id": "hopwire",
                    "password": FAR_PASSWORD,
                },
                "viber": {
                    "kind": "viber",
                    "url": f"http://127.0.0.1:{port(viber)}/vibersrvc/1/send_message",
                    "service_ids": {"*": 3100},
                    "callback_secret": SECRET,
                },
            },
            "mail": box.section,
            "demo": {"token": TOKEN},
            "cabinet": {"registration": "on", "url": "http://localhost"},
        }
        async with opened(folder, browser, worker=True, **sections) as cabinet:
            url = cabinet.base
            far_ends = asyncio.create_task(
                run_simulators(
                    smsc,
                    viber,
                    phone,
                    callback_url=f"{url}/callbacks/viber/{SECRET}",
                    gateway_url=url,
                    demo_token=TOKEN,
                    smsc_password=FAR_PASSWORD,
                    api_key=cabinet.gateway.key,
                    services={3100: "Hopwire"},
                    delay_s=0.05,
                )
            )
            try:
                yield World(cabinet, box)
            finally:
                far_ends.cancel()
                await asyncio.gather(far_ends, return_exceptions=True)


async def runs(line: str) -> str:
    """What a shell command prints."""
    program, *arguments = shlex.split(line.replace("\\\n", " "))
    started = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    told, _ = await started.communicate()
    return told.decode()


def here(text: str, cabinet: Cabinet) -> str:
    """The same with the port, which nobody knew when the settings were written."""
    return text.replace("http://localhost/", f"{cabinet.base}/")


async def signs_in(page: Page, cabinet: Cabinet, login: str, password: str) -> None:
    await page.goto(f"{cabinet.base}/sign-in")
    await page.locator("#login").fill(login)
    await page.locator("#password").fill(password)
    await page.locator("form[action='/sign-in'] button").click()


async def stands(page: Page, status: str) -> None:
    """Wait for the status; where the page cannot fetch itself, the reader does."""
    async with asyncio.timeout(30):
        while await page.get_by_text(status, exact=True).count() == 0:
            await asyncio.sleep(0.2)
            if not await page.evaluate("typeof htmx === 'object'"):
                await page.reload()


@pytest.mark.parametrize(
    ("javascript", "language", "delivered"),
    [
        pytest.param(True, "en", "Delivered", id="with JavaScript, in English"),
        pytest.param(False, "uk", "Доставлено", id="without JavaScript, in Ukrainian"),
    ],
)
async def test_a_newcomer_gets_to_a_delivered_message(
    tmp_path: Path, browser: Browser, javascript: bool, language: str, delivered: str
) -> None:
    """Registration, the letter, a key, the line that the page shows, and what became of the message."""
    async with world(tmp_path, browser) as (cabinet, box):
        person = await cabinet.person(locale=language, java_script_enabled=javascript)
        page = await person.open("/register")
        await page.locator("#customer").fill("Flowers")
        await page.locator("#email").fill(NEWCOMER)
        await page.locator("input[type=password]").fill(SENTENCE)
        await page.locator("main form button").click()
        await expect(page).to_have_url(f"{cabinet.base}/register/sent")
        await page.goto(here(await box.link(), cabinet))
        await page.locator("main form button").click()
        await signs_in(page, cabinet, NEWCOMER, SENTENCE)
        await expect(page).to_have_url(f"{cabinet.base}/")
        await page.goto(f"{cabinet.base}/senders")
        await page.locator("#name").fill("Flowers")
        await page.locator("form[action='/senders'] button").click()
        await the_operator_agrees(cabinet, NEWCOMER, "Flowers")
        await page.goto(f"{cabinet.base}/keys/new")
        await page.locator("#name").fill("shop")
        await page.locator("main form button").click()
        line = await page.locator("details .code code").first.text_content()
        assert line and line.startswith("curl")
        async with asyncio.timeout(30):
            while not (await runs(here(line, cabinet))).startswith("id:"):
                pass  # what the operator has changed is not known in the same moment
        await page.goto(f"{cabinet.base}/messages")
        await page.locator("tbody a").first.click()
        await stands(page, delivered)
        if javascript:
            await is_accessible(page)


async def the_operator_agrees(cabinet: Cabinet, login: str, sender: str) -> None:
    """The newcomer has asked for this name, and may use it from now on; he has paid, too."""
    engine = cabinet.gateway.store.engine
    found = await cabinet.gateway.directory.account_by_login(login)
    assert found is not None
    asked = [
        one for one in await Senders(engine).all() if (one.account_id, one.name) == (found[0].id, sender)
    ]
    assert asked
    await Senders(engine).put([one._replace(state="approved") for one in asked])
    await Ledger(engine).top_up(found[0].id, 10_000_000, "", now_ms())


async def test_an_operator_gets_from_a_new_account_to_its_first_message(
    tmp_path: Path, browser: Browser
) -> None:
    """An account, its money, a price of its own, its route and connector, and a message by Viber and SMS."""
    async with world(tmp_path, browser) as (cabinet, _):
        await cabinet.account("boss", operator=True, language="en")
        page = await (await cabinet.person("boss")).open("/operator/accounts/new")
        await page.get_by_label("Login").fill("bakery")
        await page.get_by_label("Customer").fill("The Bakery")
        await page.get_by_label("It may use every sender name").check()
        await page.get_by_role("button", name="Create").click()
        password = await page.locator(".code code").first.text_content()
        found = await cabinet.gateway.directory.account_by_login("bakery")
        assert found is not None
        await page.goto(f"{cabinet.base}/operator/accounts/{found[0].id}/money")
        await page.get_by_label("Amount, in UAH").fill("50")
        await page.get_by_role("button", name="Go on").click()
        await page.locator("main form button").click()
        await page.goto(f"{cabinet.base}/operator/prices/edit")
        await page.get_by_label("Whose price").select_option("account")
        await page.locator("#name").fill("bakery")
        await page.get_by_label("Channel").select_option("sms")
        await page.get_by_label("Price of a part").fill("0.55")
        await page.get_by_role("button", name="Keep").click()
        await page.goto(f"{cabinet.base}/operator")
        await expect(page.get_by_role("row", name="smsc").first).to_contain_text("up")
        customer = await (await cabinet.person()).page()
        await signs_in(customer, cabinet, "bakery", str(password))
        await expect(customer).to_have_url(f"{cabinet.base}/")
        await customer.goto(f"{cabinet.base}/keys/new")
        await customer.locator("#name").fill("shop")
        await customer.locator("main form button").click()
        key = await customer.locator(".code code").first.text_content()
        number = "380671234502"  # nobody on Viber
        text = {"command": "send", "from": "Bakery", "to": number, "message": "Bread", "viber": 1}
        viber = {"viber_type": "text", "viber_message": "Bread", "viber_from": "Bakery", "viber_sms": 1}
        fields = urlencode({"key": str(key), **text, **viber, "viber_lifetime": 60}).encode()
        told = (await cabinet.gateway.post("/api/http.php", fields)).text
        assert told.startswith("id:"), told
        message = told.splitlines()[0].removeprefix("id:")
        await page.goto(f"{cabinet.base}/operator/messages/{message}")
        await stands(page, "Delivered")
        await expect(page.locator("main")).to_contain_text("0.55 UAH")


async def test_a_message_is_sent_by_keyboard_alone(tmp_path: Path, browser: Browser) -> None:
    async with world(tmp_path, browser) as (cabinet, _):
        await cabinet.speaks(LOGIN, "en")
        page = await (await cabinet.person()).open("/sign-in")
        await tab_to(page, "login")
        await page.keyboard.type(LOGIN)
        await tab_to(page, "password")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{cabinet.base}/")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.goto(f"{cabinet.base}/send")
        await tab_to(page, "to")
        await page.keyboard.type("380671234500")
        await tab_to(page, "viber_from")
        await page.keyboard.type("Shop")
        await tab_to(page, "sender")
        await page.keyboard.type("Shop")
        await tab_to(page, "message")
        await page.keyboard.type("Good morning")
        await tab_to(page, "Check and see the price")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
        await tab_to(page, "Send")
        await page.keyboard.press("Enter")
        await stands(page, "Delivered")


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has this id, or is a button with these words, has the focus; it is to be seen."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        at = await page.evaluate(
            "(() => { const a = document.activeElement;"
            " return [a.id, a.tagName === 'BUTTON' ? a.textContent.trim() : '']; })()"
        )
        if name in at:
            seen = await page.evaluate(
                "(() => { const a = document.activeElement, r = a.getBoundingClientRect();"
                " return r.top >= 0 && r.bottom <= innerHeight && a.matches(':focus-visible'); })()"
            )
            assert seen, f"{name} has the focus and is not to be seen"
            return
    raise AssertionError(f"the keyboard does not reach {name}")
