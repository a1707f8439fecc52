"""The page of the demo, as a reader with and without JavaScript meets it."""

import os
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from simulated import Simulated, simulated

from hopwire.model import STATUS_TEXT, FlashSms, SmsText, WapPush
from hopwire.simulators.phone import Badge, Told, badge, curl, phones
from hopwire.simulators.record import Received
from hopwire.smpp import pdu as smpp

CHROMIUM = Path("/usr/bin/chromium")
ARTEFACTS = Path(__file__).parent.parent / "artefacts"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NASTY = """<script>alert(1)</script><img src=x onerror=alert(1)>"'&"""
BASE = "3805012345"


# ---- what the page is made from


def message(n: int, number: str, *provider_ids: str) -> Received:
    return Received(
        n=n, channel="sms", number=number, sender="Hopwire", kind="sms", at=0, provider_ids=provider_ids
    )


def test_a_bubble_carries_the_status_of_the_message_that_one_of_its_parts_belongs_to() -> None:
    (phone,) = phones([message(1, "1", "a", "b")], [Told(7, 3, "Delivered", ["b"], "1")])
    assert [b.badge for b in phone.bubbles] == [Badge(7, "Delivered", "good", "checks")]
    assert phone.missing == []


def test_a_message_that_is_on_no_phone_is_told_on_the_phone_it_was_for() -> None:
    (phone,) = phones([], [Told(7, 96, "Failed", ["z"], "1")])
    assert (phone.number, phone.bubbles, [b.id for b in phone.missing]) == ("1", [], [7])


def test_the_newest_phone_comes_first_and_its_oldest_message_first() -> None:
    told = [Told(9, 3, "Delivered", ["c"], "2"), Told(8, 3, "Delivered", ["a"], "1")]
    newest_first = [message(4, "3", "d"), message(3, "2", "c"), message(2, "1", "b"), message(1, "1", "a")]
    made = phones(newest_first, told)
    assert [phone.number for phone in made] == ["3", "2", "1"]
    assert [bubble.message.n for bubble in made[2].bubbles] == [1, 2]


@pytest.mark.parametrize("status", [*STATUS_TEXT, 77])
def test_every_status_has_a_word_an_icon_and_a_tone(status: int) -> None:
    assert all(badge(Told(1, status, "Word")))


def test_the_example_is_safe_in_a_shell() -> None:
    words = curl("http://localhost:8080/", "it's")
    assert words[:2] == ["curl", "http://localhost:8080/api/http.php"]
    assert shlex.split(" ".join(words))[3] == "key=it's"


# ---- in a browser


@pytest.fixture
async def far() -> AsyncIterator[Simulated]:
    async with simulated() as far:
        yield far


@pytest.fixture
def chromium() -> Path:
    if CHROMIUM.exists():
        return CHROMIUM
    reason = f"Chromium is not installed: {CHROMIUM} is missing"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        await browser.close()


class Visit:
    """A page and what went wrong on it."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self._asked(request.url, origin))

    def _asked(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:")):
            self.wrong.append(f"asked {url}")


async def visit(browser: Browser, far: Simulated, **options: Any) -> Visit:
    context = await browser.new_context(**({"reduced_motion": "reduce"} | options))
    visit = Visit(await context.new_page(), far.page)
    await visit.page.goto(far.page)
    return visit


async def send(far: Simulated) -> None:
    """One message of each kind, from two providers, to a few phones; and what a gateway tells of them."""
    tokens = [
        (await far.viber(number, type=type_, message=message | {"#tracking_data": ""}))["message_token"]
        for number, type_, message in (
            (BASE + "67", 225, {"#txt": "Your table for two is booked.\nTonight at 19:00, by the window."}),
            (BASE + "67", 207, {"#img": "https://example.com/menu/autumn.png"}),
            (
                BASE + "67",
                208,
                {
                    "#txt": "Вибачте, ми трохи запізнюємось. Перенести?",
                    "#img": "https://example.com/terrace.jpg",
                    "#caption": "Choose a time",
                    "#action": "https://example.com/book",
                },
            ),
            (BASE + "01", 225, {"#txt": "Your code is 4821."}),
        )
    ]
    for _ in range(5):
        await far.gateway.called_back()
    async with far.esme() as esme:
        ids = []
        for number, content in (
            (BASE + "02", SmsText(text="Your parcel has arrived. Collect it by Friday.")),
            (BASE + "02", SmsText(text="Ваша посилка прибула до відділення. " * 5)),
            (BASE + "03", FlashSms(text="Your code: 4821")),
            (BASE + "03", WapPush(url="https://example.com/ticket/17", text="Your ticket")),
            (BASE + "06", SmsText(text="Nobody sees this")),
        ):
            for _ in esme.submit(number, content, registered_delivery=0):
                ids.append((await esme.hears(smpp.SubmitSmResp)).message_id)
    told = [
        (67, 3, tokens[0]),
        (67, 116, tokens[1]),
        (67, 2, tokens[2]),
        (1, 116, tokens[3]),
        (2, 3, ids[0]),
        (2, 50, ids[1]),
        (3, 5, ids[-3]),
        (3, 1, ids[-2]),
        (6, 96, ids[-1]),
        (5, 0, "unknown"),
    ]
    far.gateway.statuses = [
        {
            "id": 84523377 + i,
            "status": status,
            "text": STATUS_TEXT[status],
            "provider_ids": [provider_id],
            "recipient": f"{BASE}{ending:02d}",
        }
        for i, (ending, status, provider_id) in reversed(list(enumerate(told)))
    ]


async def overflow(page: Page) -> int:
    """Pixels that the page is wider than the window."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_messages_and_their_statuses_appear_live(browser: Browser, far: Simulated, scheme: str) -> None:
    seen = await visit(browser, far, color_scheme=scheme, viewport={"width": 1440, "height": 1000})
    page = seen.page
    await expect(page.get_by_role("heading", name="No message yet")).to_be_visible()
    await expect(page.locator("#live")).to_have_text("Live")
    await page.screenshot(path=ARTEFACTS / f"phones-empty-{scheme}.png")
    await send(far)
    phone = page.get_by_role("region", name=f"+{BASE}67")
    await expect(phone.locator(".by-viber")).to_have_count(3)
    await expect(phone.get_by_role("link", name="Choose a time")).to_have_attribute(
        "href", "https://example.com/book"
    )
    await expect(phone.locator(".badge")).to_contain_text(["Delivered", "Read", "Sent"])
    await expect(page.locator(".is-flash")).to_contain_text("Your code: 4821")
    await expect(page.locator(".is-wap")).to_contain_text("https://example.com/ticket/17")
    await expect(page.get_by_role("region", name=f"+{BASE}06")).to_contain_text("Not on this phone")
    await expect(page.get_by_role("heading", name="No message yet")).to_have_count(0)
    await page.screenshot(path=ARTEFACTS / f"phones-{scheme}.png")
    assert seen.wrong == []


async def test_a_status_that_changes_is_told_without_touching_the_message(
    browser: Browser, far: Simulated
) -> None:
    seen = await visit(browser, far)
    await send(far)
    bubble = seen.page.locator(f"#p{BASE}01 .bubble")
    await expect(seen.page.locator(f"#p{BASE}01 .badge")).to_contain_text("Read")
    await bubble.evaluate("bubble => { bubble.mine = 1; }")
    assert far.gateway.statuses
    far.gateway.statuses = [told | {"text": "Changed"} for told in far.gateway.statuses]
    await expect(seen.page.locator(f"#p{BASE}01 .badge")).to_contain_text("Changed")
    assert await bubble.evaluate("bubble => bubble.mine") == 1
    assert seen.wrong == []


async def test_the_gateway_may_be_away_and_come_back(browser: Browser, far: Simulated) -> None:
    far.gateway.statuses = None
    seen = await visit(browser, far)
    await expect(seen.page.locator("#gateway")).to_have_text("The gateway is away")
    await far.viber(BASE + "99")
    await expect(seen.page.locator(".badge")).to_contain_text("not told yet")
    far.gateway.statuses = []
    await expect(seen.page.locator("#gateway")).to_have_text("The gateway is up")
    assert seen.wrong == []


async def test_what_a_sender_wrote_is_only_ever_text(browser: Browser, far: Simulated) -> None:
    seen = await visit(browser, far)
    async with far.esme() as esme:
        esme.submit_part(BASE + "99", short_message=NASTY.encode(), data_coding=3, source_addr=NASTY[:20])
        await esme.hears(smpp.SubmitSmResp)
    await far.viber(
        BASE + "99",
        type=208,
        message={
            "#txt": NASTY,
            "#img": NASTY,
            "#caption": NASTY[:30],
            "#action": "javascript:alert(1)",
            "#tracking_data": "",
        },
    )
    await expect(seen.page.locator(".message .text")).to_have_text([NASTY, NASTY])
    await expect(seen.page.locator(".message a")).to_have_count(0)
    assert await seen.page.locator("main script, main img").count() == 0
    assert seen.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_overflows_a_narrow_screen(browser: Browser, far: Simulated, scheme: str) -> None:
    seen = await visit(browser, far, color_scheme=scheme, viewport={"width": 320, "height": 640})
    assert await overflow(seen.page) == 0
    await far.viber(BASE + "67", message={"#txt": "x" * 300, "#tracking_data": ""})
    await send(far)
    await expect(seen.page.locator(f"#p{BASE}06 .badge")).to_be_visible()
    assert await overflow(seen.page) == 0
    await seen.page.screenshot(path=ARTEFACTS / f"phones-narrow-{scheme}.png", full_page=True)
    assert seen.wrong == []


async def test_the_page_is_readable_without_javascript(browser: Browser, far: Simulated) -> None:
    seen = await visit(browser, far, java_script_enabled=False)
    await expect(seen.page.locator("#empty")).to_contain_text("curl ")
    await send(far)
    await expect(seen.page.locator(f"#p{BASE}02 .message")).to_have_count(2)  # it reloads itself
    await expect(seen.page.locator("#live")).to_have_text("Reloading every 2 seconds")


async def test_an_ending_of_the_table_goes_into_the_example(browser: Browser, far: Simulated) -> None:
    seen = await visit(browser, far)
    for ending in ("05", "11"):
        await seen.page.get_by_role("button", name=ending, exact=True).click()
        await expect(seen.page.locator("#example")).to_contain_text(f"to={BASE}{ending} ")
    assert seen.wrong == []


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const linear = (v) => v <= 10 ? v / 3294 : ((v / 255 + 0.055) / 1.055) ** 2.4;
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [rgb(getComputedStyle(element).color), behind(element)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.className || element.tagName} ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_has_a_contrast_of_at_least_4_5(
    browser: Browser, far: Simulated, scheme: str
) -> None:
    seen = await visit(browser, far, color_scheme=scheme)
    await send(far)
    await expect(seen.page.locator(f"#p{BASE}06 .badge")).to_be_visible()
    assert await seen.page.evaluate(CONTRAST) == []


async def test_every_answer_carries_the_security_headers(far: Simulated) -> None:
    for path in ("", "phone.css", "phone.js", "api/stats", "nothing"):
        async with far.http.get(far.page + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "style=" not in await answer.text()
