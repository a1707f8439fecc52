"""The page of the demo, as a reader with and without JavaScript meets it."""

import asyncio
import shlex
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from cabinet import ARTEFACTS, chromium
from playwright.async_api import Browser, Page, expect
from simulated import Simulated, far, simulated
from system import PATIENCE_S

from hopwire.model import STATUS_TEXT, FlashSms, SmsContent, SmsText, Status, WapPush
from hopwire.simulators import phone as phone_page
from hopwire.simulators.phone import Badge, Missing, Told, ToldStep, badge, clock, curl, phones
from hopwire.simulators.record import Received
from hopwire.smpp import pdu as smpp

__all__ = ["far"]  # a fixture

NASTY = """<script>alert(1)</script><img src=x onerror=alert(1)>"'&"""
BASE = "3805012345"


# ---- what the page is made from


NO_USER = "instead of Viber: not a Viber user (9)"
UNTIL = (int(time.time()) + 45) * 1000


def message(n: int, number: str, *provider_ids: str, channel: str = "sms") -> Received:
    return Received(
        n=n, channel=channel, number=number, sender="Hopwire", kind="sms", at=0, provider_ids=provider_ids
    )


def told(status: int, *steps: ToldStep, ids: tuple[str, ...] = ("v", "s")) -> Told:
    return Told(7, status, STATUS_TEXT[Status(status)], list(ids), "1", "Cafe", list(steps))


def viber(state: str, code: str = "", ends_at: int | None = None) -> ToldStep:
    return ToldStep("viber", state, code, ends_at, [state])


def sms(*parts: str) -> ToldStep:
    return ToldStep("sms", parts[-1], parts=list(parts))


HELD = viber("taken", ends_at=UNTIL)
HAS = f"Viber has until {clock(UNTIL)}"
NOT_HIS = viber("failed", "9")
THREE = ["delivered"] * 3


def test_a_bubble_carries_the_status_of_the_message_that_one_of_its_parts_belongs_to() -> None:
    (phone,) = phones([message(1, "1", "a", "b")], [Told(7, 3, "Delivered", ["b"], "1")])
    assert [b.badge for b in phone.bubbles] == [Badge(7, "Delivered", "good", "checks")]
    assert phone.missing == []


def test_a_message_that_is_on_no_phone_is_told_on_the_phone_it_was_for() -> None:
    (phone,) = phones([], [Told(7, 96, "Failed", ["z"], "1")])
    assert (phone.number, phone.bubbles, [m.badge.id for m in phone.missing]) == ("1", [], [7])


@pytest.mark.parametrize(
    ("step", "note"),
    [
        pytest.param(viber("failed", "9"), NO_USER, id="no user"),
        pytest.param(viber("failed", "8"), "instead of Viber: blocked (8)", id="blocked"),
        pytest.param(viber("failed", "43"), "instead of Viber: refused (43)", id="a code with no word here"),
        pytest.param(viber("expired", "2"), "instead of Viber: not delivered in time", id="expired"),
        pytest.param(viber("delivered"), "instead of Viber: not delivered in time", id="Viber was late"),
    ],
)
def test_an_sms_tells_why_it_came_instead_of_viber(step: ToldStep, note: str) -> None:
    (phone,) = phones([message(1, "1", "s")], [told(3, step, sms("delivered"))])
    assert [bubble.note for bubble in phone.bubbles] == [note]


def test_an_sms_that_was_not_to_go_by_viber_needs_no_word_about_it() -> None:
    (phone,) = phones([message(1, "1", "s")], [told(3, sms("delivered"))])
    assert [bubble.note for bubble in phone.bubbles] == [""]


@pytest.mark.parametrize(
    ("order", "note"),
    [
        pytest.param(("s", "v"), "late, after the SMS", id="after the SMS"),
        pytest.param(("v", "s"), "", id="before it, and its callback was late"),
        pytest.param(("v",), "", id="there is no SMS"),
    ],
)
def test_a_viber_message_is_late_when_the_sms_was_there_first(order: tuple[str, ...], note: str) -> None:
    received = [message(n, "1", i, channel={"v": "viber", "s": "sms"}[i]) for n, i in enumerate(order)]
    (phone,) = phones(reversed(received), [told(3, viber("delivered"), sms("delivered"))])
    assert [b.note for b in phone.bubbles if b.message.channel == "viber"] == [note]


def test_a_viber_message_is_from_whom_the_client_named() -> None:
    (phone,) = phones([message(1, "1", "v", channel="viber")], [told(3, viber("delivered"))])
    assert [bubble.sender for bubble in phone.bubbles] == ["Cafe"]


@pytest.mark.parametrize(
    ("one", "words", "note"),
    [
        pytest.param(told(0, viber("waiting"), sms("waiting")), "Not here yet", "", id="pending"),
        pytest.param(told(2, HELD, sms("waiting")), "Not here yet", f"{HAS}, then SMS", id="Viber has it"),
        pytest.param(told(2, HELD), "Not here yet", HAS, id="Viber has it, and there is no SMS"),
        pytest.param(
            told(1, NOT_HIS, sms("waiting")), "Not here yet", f"SMS {NO_USER}", id="the SMS is next"
        ),
        pytest.param(told(96, NOT_HIS, sms("failed")), "Never arrived", f"SMS {NO_USER}", id="neither"),
        pytest.param(told(96, NOT_HIS, sms("waiting")), "Never arrived", "", id="no SMS was wanted"),
        pytest.param(told(10, sms("waiting")), "Never arrived", "", id="deleted"),
        pytest.param(told(50, sms("delivered", "failed")), "Part 1 of 2 arrived", "", id="one part"),
        pytest.param(told(50, sms(*THREE, "failed")), "Parts 1, 2, 3 of 4 arrived", "", id="three parts"),
        pytest.param(told(3, sms(*THREE)), "Arrived, but no message here carries its id", "", id="it did"),
    ],
)
def test_a_message_that_is_not_on_the_phone_tells_how_it_stands(one: Told, words: str, note: str) -> None:
    (phone,) = phones([], [one])
    assert phone.missing == [Missing(words, badge(one), note)]


def test_the_newest_phone_comes_first_and_its_oldest_message_first() -> None:
    statuses = [Told(9, 3, "Delivered", ["c"], "2"), Told(8, 3, "Delivered", ["a"], "1")]
    newest_first = [message(4, "3", "d"), message(3, "2", "c"), message(2, "1", "b"), message(1, "1", "a")]
    made = phones(newest_first, statuses)
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
async def browser() -> AsyncIterator[Browser]:
    """One for each test, on its loop."""
    async with chromium() as started:
        yield started


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


VIBER_SENT: list[tuple[str, int, dict[str, str]]] = [
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
]
SMS_SENT: list[tuple[str, SmsContent]] = [
    (BASE + "02", SmsText(text="Your parcel has arrived. Collect it by Friday.")),
    (BASE + "05", SmsText(text="Ваша посилка прибула до відділення. " * 5)),
    (BASE + "03", FlashSms(text="Your code: 4821")),
    (BASE + "03", WapPush(url="https://example.com/ticket/17", text="Your ticket")),
    (BASE + "06", SmsText(text="Nobody sees this")),
]


async def send(far: Simulated) -> None:
    """One message of each kind, from two providers, to a few phones; and what a gateway tells of them."""
    tokens = await send_by_viber(far)
    ids = await send_by_sms(far)
    rows: list[tuple[int, int, str, list[ToldStep]]] = [
        (99, 0, "scheduled", [viber("waiting"), sms("waiting")]),
        (12, 50, "in parts", [viber("expired"), sms("delivered", "failed", "failed")]),
        (3, 3, ids[-3], [viber("failed", "8"), sms("delivered")]),
        (3, 1, ids[-2], [sms("sending")]),
        (6, 96, ids[-1], [NOT_HIS, sms("failed")]),
        (1, 116, tokens[3], [viber("seen"), sms("waiting")]),
        (5, 3, ids[1], [viber("expired", "2"), sms(*THREE)]),
        (5, 2, "silent", [HELD, sms("waiting")]),
        (67, 3, tokens[0], [viber("delivered"), sms("waiting")]),
        (67, 116, tokens[1], [viber("seen")]),
        (67, 2, tokens[2], [HELD, sms("waiting")]),
        (2, 3, ids[0], [NOT_HIS, sms("delivered")]),
    ]
    far.gateway.statuses = [as_told(i, *row) for i, row in reversed(list(enumerate(rows)))]


async def send_by_viber(far: Simulated) -> list[str]:
    """The tokens of the messages, of which all that Viber tells has come."""
    tokens = [
        (await far.viber(number, type=type_, message=message | {"#tracking_data": ""}))["message_token"]
        for number, type_, message in VIBER_SENT
    ]
    for _ in range(5):
        await far.gateway.called_back()
    return tokens


async def send_by_sms(far: Simulated) -> list[str]:
    """The SMSC's ids of all parts."""
    ids = []
    async with far.esme() as esme:
        for number, content in SMS_SENT:
            for _ in esme.submit(number, content, registered_delivery=0):
                ids.append((await esme.hears(smpp.SubmitSmResp)).message_id)
    return ids


def as_told(i: int, ending: int, status: int, provider_id: str, steps: list[ToldStep]) -> dict[str, Any]:
    """A message as the gateway tells of it to the page."""
    return {
        "id": 84523377 + i,
        "status": status,
        "text": STATUS_TEXT[Status(status)],
        "provider_ids": [provider_id],
        "recipient": f"{BASE}{ending:02d}",
        "viber_sender": "Cafe",
        "steps": msgspec.to_builtins(steps),
    }


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
    await expect(phone.locator(".bubble bdi")).to_have_text(["Cafe", "Cafe", "Cafe"])
    for ending, words in (
        ("02", NO_USER),
        ("05", "instead of Viber: not delivered in time"),
        ("05", f"{HAS}, then SMS"),
        ("06", "Never arrived"),
        ("12", "Part 1 of 3 arrived"),
        ("99", "Not here yet"),
    ):
        await expect(page.get_by_role("region", name=f"+{BASE}{ending}")).to_contain_text(words)
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
    far.gateway.statuses = [row | {"text": "Changed"} for row in far.gateway.statuses]
    await expect(seen.page.locator(f"#p{BASE}01 .badge")).to_contain_text("Changed")
    assert await bubble.evaluate("bubble => bubble.mine") == 1
    assert seen.wrong == []


async def test_a_message_that_arrives_late_is_tied_to_its_sms(browser: Browser, far: Simulated) -> None:
    seen = await visit(browser, far)
    to = BASE + "07"  # Viber delivers when the SMS has left
    ids = [(await far.viber(to))["message_token"]]
    async with far.esme() as esme:
        esme.submit(to, SmsText(text="Hi"))
        ids.append((await esme.hears(smpp.SubmitSmResp)).message_id)
    one = told(3, viber("delivered"), sms("delivered"), ids=tuple(ids))
    far.gateway.statuses = [msgspec.to_builtins(one) | {"recipient": to}]
    await expect(seen.page.locator(f"#p{to} .note")).to_have_text(
        ["instead of Viber: not delivered in time", "late, after the SMS"]
    )
    assert seen.wrong == []


async def test_a_page_that_hears_nothing_is_not_live_until_it_hears_again(
    browser: Browser, far: Simulated
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.clock.install()
    await page.goto(far.page)
    await expect(page.locator("#live")).to_have_text("Live")
    await page.clock.fast_forward(41_000)
    await expect(page.locator("#live")).to_have_text("Not live")
    await far.viber(BASE + "99")
    await expect(page.locator("#live")).to_have_text("Live")


async def test_a_beat_comes_when_there_is_nothing_new(
    far: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_page, "SILENCE_S", 0.01)
    async with far.http.get(f"{far.page}events") as stream:
        said = [await asyncio.wait_for(stream.content.readline(), PATIENCE_S) for _ in range(4)]
    assert said == [b"retry: 1000\n", b"data: news\n", b"\n", b"event: beat\n"]


async def test_a_page_that_is_closed_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with simulated() as far:
        async with far.http.get(f"{far.page}events") as stream:
            await stream.content.readline()
        async with far.http.get(f"{far.page}events") as other:
            for n in range(3):  # each is news for the page that is gone, too
                await far.viber(BASE + "99", seq=n)
                while await other.content.readline() != b"data: news\n":
                    pass
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


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
    await expect(seen.page.locator("pre")).to_contain_text("curl ")  # once
    await expect(seen.page.locator("#endings table")).to_be_visible()
    await send(far)
    await expect(seen.page.locator(f"#p{BASE}03 .message")).to_have_count(2)  # it reloads itself
    await expect(seen.page.locator("#live")).to_have_text("Reloading every 2 seconds")


async def test_on_a_narrow_screen_how_to_try_it_comes_first(browser: Browser, far: Simulated) -> None:
    seen = await visit(browser, far, viewport={"width": 320, "height": 640})
    await expect(seen.page.locator("#endings table")).to_be_hidden()
    await seen.page.get_by_text("Try these endings").click()
    await expect(seen.page.locator("#endings table")).to_be_visible()
    boxes = [await seen.page.locator(part).bounding_box() for part in ("#example", "#endings", "#phones")]
    tops = [box["y"] for box in boxes if box]
    assert len(tops) == 3
    assert tops == sorted(tops)
    assert seen.wrong == []


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
