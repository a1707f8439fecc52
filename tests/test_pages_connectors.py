"""The operator's pages about connectors, in a browser: watched, paused, traced, tried; a new one's block."""

import tomllib
from pathlib import Path

import pytest
from cabinet import Cabinet, look_over, opened
from msgspec.structs import replace
from playwright.async_api import Browser, Page, expect
from smpp_ends import Smsc
from test_worker import STATE

from hopwire.admission import now_ms
from hopwire.minutes import MINUTE_MS, Minute
from hopwire.model import TraceOrder
from hopwire.store.audit import Audit
from hopwire.store.connectors import Connectors

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "<img src=x onerror=alert(1)>\u202egpj.exe"
LISTED = "/operator/connectors"


def orders(cabinet: Cabinet) -> Connectors:
    return Connectors(cabinet.gateway.store.engine)


async def told(cabinet: Cabinet, **changes: object) -> None:
    """What two workers tell of the connector `smsc`."""
    state = replace(STATE, submitted=5, taken=4, refused=1, error_rate=0.2, latency_ms=35, **changes)
    await orders(cabinet).report("one", {"smsc": state}, now_ms())
    await orders(cabinet).report("two", {"smsc": replace(state, receipt_ids="hex_to_dec")}, now_ms())


# ---- watched


async def test_connectors_are_listed_with_what_they_did(cabinet: Cabinet) -> None:
    await told(cabinet, last_error=EVIL, last_error_at=now_ms(), rate=30.0, in_flight=3)
    await cabinet.gateway.send(message="one that waits")
    page = await (await cabinet.person("boss")).open(LISTED)
    smsc = page.get_by_role("row", name="smsc")
    cells = [" ".join(one.split()) for one in await smsc.locator("th,td").all_inner_texts()]
    assert cells[0] == "smsc smpp, 127.0.0.1:2775"
    assert cells[1] == "up"
    assert cells[2].startswith("1 ")
    assert cells[3:8] == ["2 / 2", "6 / 20", "60", "20 %", "35 ms"]
    assert cells[8:15] == ["10", "8", "2", "0", "0", "0", "0"]
    assert "<img src=x onerror=alert(1)>⟨U+202E⟩gpj.exe" in cells[15]
    await expect(page.get_by_role("row", name="viber").locator("td").first).to_contain_text("nobody tells")
    await told(cabinet, state="down")
    await expect(smsc).to_contain_text("down", timeout=15_000)  # by itself


async def test_a_connector_has_a_page_with_its_minutes(cabinet: Cabinet) -> None:
    await told(cabinet, last_error=EVIL, last_error_at=now_ms())
    minute = now_ms() // MINUTE_MS * MINUTE_MS - MINUTE_MS
    await orders(cabinet).add_minutes([Minute("smsc", minute, 1200, 1100, 60, 30, 10, 900, 40, True)])
    page = await (await cabinet.person("boss", java_script_enabled=False)).open(LISTED)
    await page.get_by_role("link", name="smsc").click()
    main = page.locator("main")
    await expect(main).to_contain_text("hex_to_dec")
    await expect(main).to_contain_text(
        "1,200 parts were submitted in the last three hours; it was away in 1 of"
    )
    await expect(main).to_contain_text("<img src=x onerror=alert(1)>⟨U+202E⟩gpj.exe")
    assert (await cabinet.get(f"{LISTED}/nothing", "boss")).status == 404


# ---- ordered


async def test_a_connector_is_paused_and_resumed(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss", java_script_enabled=False)).open(f"{LISTED}/smsc")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("note")).to_contain_text("You have paused it")
    assert (await orders(cabinet).orders())["smsc"].paused
    await page.goto(cabinet.base + LISTED)
    await expect(page.get_by_role("row", name="smsc")).to_contain_text("to be paused")
    await page.goto(f"{cabinet.base}{LISTED}/smsc")
    await page.get_by_role("button", name="Resume").click()
    assert not (await orders(cabinet).orders())["smsc"].paused
    entries = await Audit(cabinet.gateway.store.engine).entries(2, "connector smsc")
    assert [(one.actor, one.action) for one in entries] == [("boss", "resume"), ("boss", "pause")]


async def test_what_goes_over_the_wire_is_shown_and_deleted(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss")).open(f"{LISTED}/smsc")
    await page.get_by_role("button", name="Write it down").click()
    order = (await orders(cabinet).orders())["smsc"].trace
    assert order is not None
    assert (order.format, order.texts, order.until > now_ms() + 50_000) == ("text", False, True)
    file = Path(order.file)
    assert file.parent.stat().st_mode & 0o077 == 0
    await expect(page.locator("#trace")).to_contain_text("Nothing was written yet")
    file.write_text(f"> bind_transceiver {EVIL}\n", "utf-8")  # noqa: ASYNC240 - as the worker does
    await expect(page.locator("#trace pre")).to_contain_text("bind_transceiver <img", timeout=15_000)
    await page.get_by_role("button", name="End and delete").click()
    await expect(page.get_by_role("status")).to_contain_text("ended and deleted")
    assert (await orders(cabinet).orders())["smsc"].trace is None
    assert not file.parent.exists()


async def test_a_trace_of_the_command_line_is_not_read_here(cabinet: Cabinet, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("of the command line")
    order = TraceOrder(file=str(file), format="text", until=now_ms() + 60_000)
    await orders(cabinet).order_trace("smsc", order, now_ms())
    reply = await cabinet.get(f"{LISTED}/smsc", "boss")
    assert "of the command line" not in reply.text
    await cabinet.post(f"{LISTED}/smsc/end-trace", {}, "boss")
    assert file.exists()


# ---- tried


async def test_an_account_is_tried_step_by_step(tmp_path: Path, browser: Browser) -> None:
    smsc = Smsc()
    account = {"kind": "smpp", "host": "127.0.0.1", "system_id": "a", "password": "b"}
    connectors = {"smsc": {**account, "port": await smsc.start()}, "gone": {**account, "port": 1}}
    async with opened(tmp_path, browser, demo={"token": "t"}, connectors=connectors, routes=[]) as made:
        await made.account("boss", operator=True, language="en")
        page = await (await made.person("boss")).open(f"{LISTED}/smsc/test")
        await page.get_by_role("button", name="Test now").click()
        await expect(page.get_by_role("status")).to_have_text("The account can be used.")
        assert await steps(page) == ["Connect", "Bind", "Does the link live?", "Unbind"]
        smsc.bind_status = 0x0E
        await page.get_by_role("button", name="Test now").click()
        await expect(page.get_by_role("alert")).to_contain_text("cannot be used")
        await expect(page.locator("tbody")).to_contain_text("ESME_RINVPASWD")
        await page.goto(f"{made.base}{LISTED}/gone/test")
        await page.get_by_role("button", name="Test now").click()
        assert await steps(page) == ["Connect"]
        await page.get_by_label("Number").fill("1")
        await page.get_by_role("button", name="Test now").click()
        await expect(page.locator("#number-error")).to_have_text("This is no phone number.")
    await smsc.stop()


async def steps(page: Page) -> list[str]:
    await expect(page.locator("tbody")).to_be_visible()
    return await page.locator("tbody th").all_inner_texts()


async def test_what_cannot_be_tried_is_said(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss")).open(f"{LISTED}/viber/test")
    await expect(page.locator("main")).to_contain_text("Send one from an account of your own")
    assert (await cabinet.post(f"{LISTED}/viber/test", {}, "boss")).status == 404


# ---- a new one


async def test_the_block_of_a_new_connector_is_shown_and_nothing_is_kept(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss", java_script_enabled=False)).open(LISTED)
    await page.get_by_role("button", name="Add").click()
    await page.get_by_role("link", name="smpp").click()
    await page.get_by_label("Name", exact=True).fill("operator-a")
    await page.locator("#host").fill("smsc.example.net")
    await page.locator("#system_id").fill("hopwire")
    await page.locator("#password").fill('p"ass\\word')
    await page.get_by_text("All other settings").click()
    await page.locator("#bind").select_option("transmitter")
    await page.locator("#window").fill("5000")
    await page.locator("#statuses").fill('{ "0x400" = "sender" }')
    await page.get_by_role("button", name="Show the block").click()
    await expect(page.locator("#window-error")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("a whole number from 1 to 1000")
    await page.locator("#window").fill("50")
    await page.locator("#password").fill('p"ass\\word')
    await page.get_by_role("button", name="Show the block").click()
    table = tomllib.loads(await page.locator(".code code").first.inner_text())["connectors"]["operator-a"]
    assert table == {
        "kind": "smpp", "host": "smsc.example.net", "system_id": "hopwire", "password": 'p"ass\\word',
        "bind": "transmitter", "window": 50, "statuses": {"0x400": "sender"},
    }  # fmt: skip


async def test_a_secret_for_callbacks_is_made(cabinet: Cabinet) -> None:
    fields = {"kind": "viber", "connector-name": "v", "service_ids": '{ "*" = 3100 }'}
    reply = await cabinet.post("/operator/new-connector", fields, "boss")
    assert reply.status == 200
    assert "/callbacks/v/" in reply.text


async def test_what_makes_no_good_settings_is_told(cabinet: Cabinet) -> None:
    good = {"kind": "smpp", "connector-name": "a", "host": "h", "system_id": "s", "password": "p"}
    for fields, wrong in (
        ({"connector-name": ""}, "connector-name"),
        ({"connector-name": "A b"}, "connector-name"),
        ({"connector-name": "smsc"}, "connector-name"),
        ({"connector-name": "a]\n[http"}, "connector-name"),
        ({"host": ""}, "host"),
        ({"port": "x"}, "port"),
        ({"bind": "<script>\u202e"}, "bind"),
        ({"response_timeout_s": "300"}, "response_timeout_s"),
        ({"statuses": "[["}, "statuses"),
    ):
        reply = await cabinet.post("/operator/new-connector", {**good, **fields}, "boss")
        assert (reply.status, f'id="{wrong}-error"' in reply.text) == (422, True), fields
        assert "<script>" not in reply.text
        assert "\u202e" not in reply.text


# ---- how they look


async def test_the_pages_of_connectors_are_good_to_look_at(cabinet: Cabinet) -> None:
    await told(cabinet, last_error="ESME_RTHROTTLED", last_error_at=now_ms(), state="throttled")
    await look_over(cabinet, LISTED, "boss", "connectors")
    await look_over(cabinet, f"{LISTED}/smsc", "boss", "connector")


async def test_the_forms_of_connectors_are_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/operator/new-connector", "boss", "connector-kinds")
    await look_over(cabinet, "/operator/new-connector?kind=smpp", "boss", "connector-new")


async def test_the_test_of_a_connector_is_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, f"{LISTED}/smsc/test", "boss", "connector-test")
