"""The console: it answers as the API does, explains why, and does nothing."""

import re
from html import unescape

import pytest
from cabinet import ARTEFACTS, Cabinet, fits, is_accessible, look_over
from gateway import LOGIN, SEND, TO
from playwright.async_api import expect

from hopwire.admission import now_ms
from hopwire.model import Limits
from hopwire.store.inbox import Inbox

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "<script>alert(1)</script>\"'\u202edrow"
VIBER = {**SEND, "viber": "1", "viber_sms": "1"}
PICTURE = {"viber_type": "image", "viber_image": "https://example.com/a.png"}
BUTTON = {"viber_type": "button", "viber_url": "https://example.com/", "viber_button": "Open"}


async def tried(cabinet: Cabinet, fields: dict[str, str], login: str = LOGIN) -> tuple[str, str]:
    """The reply that the console shows, and the page."""
    page = (await cabinet.post("/console", fields, login)).text
    found = re.search('id="result".*?<pre[^>]*><code>(.*?)</code>', page, re.S)
    assert found is not None
    return unescape(found[1]), page


def without(fields: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in fields.items() if key != name}


REQUESTS = [
    pytest.param(SEND, id="an SMS"),
    pytest.param({**SEND, "to": "+1 202 555 0143"}, id="no route"),
    pytest.param({**SEND, "message": "Квітка " * 40}, id="several parts"),
    pytest.param({**SEND, "message": "a\r\nb", "flash": "1"}, id="flash"),
    pytest.param({**SEND, "wap": "https://example.com/"}, id="a push"),
    pytest.param(VIBER, id="Viber and SMS"),
    pytest.param(without(VIBER, "viber_sms"), id="Viber alone"),
    pytest.param({**VIBER, **PICTURE}, id="a picture"),
    pytest.param({**VIBER, **BUTTON}, id="a button"),
    pytest.param({**SEND, "ask_date": "2030-01-01"}, id="a date without a time"),
    pytest.param(without(SEND, "to"), id="no number"),
    pytest.param({**SEND, "to": HOSTILE}, id="no such number"),
    pytest.param(without(SEND, "message"), id="no text"),
    pytest.param({**SEND, "from": "Квітка"}, id="no sender of an SMS"),
    pytest.param({**SEND, "message": "x" * 2000}, id="a long text"),
    pytest.param({**VIBER, "viber_lifetime": "5"}, id="a short life"),
    pytest.param({**VIBER, **PICTURE, "viber_image": "https://example.com/a.bmp"}, id="no picture"),
    pytest.param({**VIBER, **BUTTON, "viber_button": "x" * 20}, id="a long caption"),
    pytest.param({**VIBER, **BUTTON, "viber_url": "javascript:alert(1)"}, id="no link"),
    pytest.param({"command": "receive", "id": "12345"}, id="a message of nobody"),
    pytest.param({"command": "price", "to": TO}, id="a price"),
    pytest.param({"command": "balance"}, id="the balance"),
]


@pytest.mark.parametrize("fields", REQUESTS)
async def test_the_console_answers_as_the_api_does_and_keeps_nothing(
    cabinet: Cabinet, fields: dict[str, str]
) -> None:
    reply, page = await tried(cabinet, fields)
    assert cabinet.gateway.kept() == 0
    asked = {name: value.replace("\r\n", "\n") for name, value in fields.items()}
    real = await cabinet.gateway.ask(**asked)
    assert re.sub(r"id:\d+", "id:", reply) == re.sub(r"id:\d+", "id:", real)
    assert "<script>alert" not in page


async def test_what_the_account_may_not_do_is_told_before(cabinet: Cabinet) -> None:
    directory = cabinet.gateway.directory
    await Inbox(directory.engine).stop(1, TO, now_ms())
    assert (await tried(cabinet, SEND))[0].startswith("errors:Parameter to: this recipient has asked")
    assert (await tried(cabinet, SEND, "rival"))[0] == "errors:Not enough money\n"
    await directory.set_account(1, {"limits": Limits(max_price=1)})
    assert "may cost more than the account allows" in (await tried(cabinet, SEND))[0]
    await directory.set_account(1, {"any_sender": False})
    assert (await tried(cabinet, SEND))[0].startswith("errors:Parameter from: this sender name")
    await directory.set_account(1, {"status": 2})
    assert (await tried(cabinet, SEND))[0] == "errors:The account is paused: it may not send\n"
    await directory.set_account(1, {"status": 1, "api": False})
    assert (await tried(cabinet, SEND))[0] == "errors:Wrong login/password\n"
    assert cabinet.gateway.kept() == 0


async def test_the_status_of_a_message_is_told_to_whose_it_is(cabinet: Cabinet) -> None:
    asked = {"command": "receive", "id": str(await cabinet.gateway.send())}
    assert (await tried(cabinet, asked))[0].startswith("status:Pending\ncode:0\n")
    assert (await tried(cabinet, asked, "rival"))[0] == "errors:SMS not found\n"


async def test_an_id_of_ones_own_that_was_used_is_answered_as_it_was(cabinet: Cabinet) -> None:
    mine = {**SEND, "client_id": "order 17"}
    message = await cabinet.gateway.send(client_id="order 17")
    assert (await tried(cabinet, mine))[0] == f"id:{message}\nsms_count:1\n"
    reply, _ = await tried(cabinet, {**mine, "message": "other"})
    assert "another message was sent with the same value" in reply


async def test_nothing_is_deleted(cabinet: Cabinet) -> None:
    later = await cabinet.gateway.send(ask_date="2026-12-31T10:00")
    await tried(cabinet, {"command": "delete", "id": str(later)})
    assert "status:Pending" in await cabinet.gateway.ask(command="receive", id=later)


async def test_a_request_that_is_too_large_is_told(cabinet: Cabinet) -> None:
    reply, page = await tried(cabinet, {**VIBER, "message": "ї" * 6000, "viber_message": "ї" * 6000})
    assert reply == "errors:The request is larger than 65536 bytes\n"
    assert "HTTP 413" in page


async def test_what_would_become_of_it_is_explained(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("shop")).open("/console")
    await page.get_by_label("Number to").fill("050 123-45-67")
    await page.get_by_label("Sender name from", exact=True).fill("Shop")
    await page.get_by_label("Text message", exact=True).fill("Ціна 5 € — " + "x" * 80)
    await page.get_by_label("Viber first").check()
    await page.get_by_label("An SMS when Viber").check()
    await page.get_by_label("Seconds for Viber").fill("600")
    await page.get_by_role("button", name="Try it").click()
    result = page.get_by_role("region", name="What the API would answer")
    await expect(result).to_contain_text("id:84523377\nsms_count:2")
    await expect(result).to_contain_text("Nothing was sent: the id is an example.")
    await expect(result).to_contain_text("+380501234567, Ukraine")
    await expect(result).to_contain_text("UCS-2; 2 parts")
    await expect(result).to_contain_text("Ц, і, н, а, — U+2014 EM DASH")
    await expect(result.get_by_role("listitem")).to_have_text(
        ["Viber as Shop, for 10 minutes at most; 0.40 UAH if it is delivered", "SMS as Shop, 2 × 0.80 UAH"]
    )
    await expect(result).to_contain_text("It costs at most2.00 UAH")
    await expect(page.get_by_label("Viber first")).to_be_checked()
    await is_accessible(page)

    await page.get_by_label("Seconds for Viber").fill("5")
    await page.get_by_role("button", name="Try it").click()
    await expect(page.get_by_label("Seconds for Viber")).to_have_attribute("aria-invalid", "true")
    await result.get_by_role("link", name="To the field").click()
    await expect(page).to_have_url(re.compile("#viber_lifetime$"))
    await is_accessible(page)
    assert cabinet.gateway.kept() == 0


async def test_the_page_of_the_console_is_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/console", "shop", "console")
    for scheme, language, fields in (
        ("light", "en", {"Text": "Ціна — 5 €", "Number": TO}),
        ("dark", "uk", {"Текст": HOSTILE, "Номер": "12"}),
    ):
        await cabinet.speaks("shop", language)
        person = await cabinet.person("shop", color_scheme=scheme)
        page = await person.open("/console?from=Shop&viber=1&viber_sms=1&viber_from=Shop")
        for label, value in fields.items():
            await page.get_by_label(re.compile(f"^{label} (to|message)$")).fill(value)
        await page.locator("form.card button").click()
        await expect(page.locator("#result pre").first).to_be_visible()
        await is_accessible(page)
        for width in (1440, 320):
            await page.set_viewport_size({"width": width, "height": 900})
            await fits(page)
            await page.screenshot(
                path=ARTEFACTS / f"console-tried-{width}-{scheme}-{language}.png", full_page=True
            )
