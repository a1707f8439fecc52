"""Sending by hand: one message, a list, saved texts; in a browser, without JavaScript, by forged forms."""

import re
from pathlib import Path

import pytest
from cabinet import Cabinet, is_accessible, is_readable_in_the_dark, look_over
from playwright.async_api import Page, expect

from hopwire.admission import now_ms
from hopwire.contents import Draft
from hopwire.lists import pasted
from hopwire.mailing import State
from hopwire.mailings import read_in
from hopwire.model import Limits, Taken
from hopwire.store.mailings import Mailings, Texts

pytestmark = pytest.mark.asyncio(loop_scope="session")

TO = "380501112233"
ME = "380501119999"
HOSTILE = "<script>alert(1)</script> \u202edrow"
LIST = f"phone;name\n{TO};Anna\n0671112233;Bob\n{TO};Anna\n12;=cmd()\n+380931112233;\n"
WRITTEN = {"way": "sms", "viber_type": "text", "sender": "Shop", "message": "hello"}


async def sent(cabinet: Cabinet) -> list[str]:
    """To whom messages were accepted, oldest first."""
    return [one.recipient for one in await cabinet.gateway.store.latest(100)][::-1]


def later() -> str:
    """A time as a form has it, within a year."""
    return f"{now_ms() // 31_557_600_000 + 1970}-12-31T23:59"


async def a_mailing(cabinet: Cabinet, *numbers: str, text: str = "hello", account_id: int = 1) -> int:
    draft, rows = Draft(sender="Shop", message=text), pasted("\n".join(numbers))
    return await read_in(Mailings(cabinet.gateway.store.engine), account_id, "Sale", draft, rows, now_ms())


async def is_in_state(page: Page, words: str) -> None:
    """By itself, while the page is open."""
    await expect(page.locator("#state")).to_have_text(words, timeout=15_000)


# ---- one message


async def test_one_message_is_written_looked_at_priced_and_sent(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("shop")).open("/send")
    await page.get_by_label("Number, or numbers").fill("050 111 22 33")
    await page.get_by_label("Viber sender name").fill("Shop")
    await page.get_by_label("Viber text").fill("Привіт")
    await page.get_by_label("SMS sender name").fill("Shop")
    await page.get_by_label("SMS text").fill("Hello from the shop … over there")
    preview = page.locator("#preview")
    await expect(preview.locator(".viber .text")).to_have_text("Привіт")
    await expect(preview).to_contain_text("1 SMS part")
    await expect(preview.locator(".sms mark")).to_have_text("…")
    await expect(preview).to_contain_text("At most 1.20 UAH a message")
    await is_accessible(page)

    await page.get_by_role("button", name="Check and see the price").click()
    await expect(page.get_by_role("heading", name="Send this message?")).to_be_visible()
    await expect(page.locator(".facts")).to_contain_text("+" + TO)
    assert await sent(cabinet) == []
    await is_accessible(page)
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("status")).to_have_text("The message is on its way.")
    assert await sent(cabinet) == [TO]


async def test_it_works_without_javascript(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("shop", java_script_enabled=False)).open("/send")
    await page.get_by_label("SMS alone").check()
    await expect(page.get_by_label("Viber text")).to_be_hidden()
    await page.get_by_label("Number, or numbers").fill(TO)
    await page.get_by_label("SMS sender name").fill("Shop")
    await page.get_by_label("SMS text").fill("hello")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview .sms .text")).to_have_text("hello")
    await expect(page.locator("#preview")).to_contain_text("At most 0.80 UAH a message")
    await page.get_by_role("button", name="Check and see the price").click()
    await page.get_by_role("button", name="Change the message").click()
    await expect(page.get_by_label("SMS text")).to_have_value("hello")
    await page.get_by_role("button", name="Check and see the price").click()
    await page.get_by_label("Send it to myself first").fill(ME)
    await page.get_by_role("button", name="Send it to me").click()
    await page.get_by_role("button", name="Send", exact=True).click()
    assert await sent(cabinet) == [ME, TO]


async def test_a_message_is_sent_again(cabinet: Cabinet) -> None:
    """Its page leads to a form with all that was written; another account's message is not there."""
    viber = {"viber": "1", "viber_type": "button", "viber_message": "Привіт", "viber_from": "Cafe"}
    tap = {"viber_button": "Open", "viber_url": "https://shop.example/", "viber_sms": "1"}
    message_id = await cabinet.gateway.send(**{"from": "Shop", "message": "hello", "to": TO}, **viber, **tap)
    page = await (await cabinet.person("shop")).open(f"/messages/{message_id}")
    await page.get_by_role("button", name="Send again").click()
    for field, text in {
        "to": f"+{TO}", "sender": "Shop", "message": "hello", "viber_from": "Cafe", "viber_message": "Привіт",
        "viber_button": "Open", "viber_url": "https://shop.example/",
    }.items():  # fmt: skip
        await expect(page.locator(f"#{field}")).to_have_value(text)
    await expect(page.locator("[name=viber_type][value=button]")).to_be_checked()
    await page.get_by_role("button", name="Check and see the price").click()
    await page.get_by_role("button", name="Send", exact=True).click()
    assert await sent(cabinet) == [TO, TO]
    assert (await cabinet.get(f"/send?from={message_id}", "rival")).status == 404


async def test_a_form_that_is_sent_twice_sends_once(cabinet: Cabinet) -> None:
    form = {**WRITTEN, "to": TO, "key": "k" * 32}
    for _ in range(2):
        assert (await cabinet.post("/send", form, "shop")).status == 303
    assert await sent(cabinet) == [TO]
    assert (await cabinet.post("/send", {**form, "key": ""}, "shop")).status == 422
    assert (await cabinet.post("/send", {**form, "key": "m" * 32}, "shop")).status == 303
    assert len(await sent(cabinet)) == 2


async def test_its_writer_gets_a_message_first(cabinet: Cabinet) -> None:
    """At once, whenever it is to be sent; its recipient gets nothing until it is sent."""
    page = await (await cabinet.person("shop", reduced_motion="reduce")).open("/send")
    await page.get_by_label("SMS alone").check()
    await page.get_by_label("Number, or numbers").fill(TO)
    await page.get_by_label("SMS sender name").fill("Shop")
    await page.get_by_label("SMS text").fill("hello")
    await page.get_by_label("Send at").fill(later())
    await page.get_by_role("button", name="Check and see the price").click()
    await page.get_by_label("Send it to myself first").fill("050 111 99 99")
    await page.get_by_role("button", name="Send it to me").click()
    await expect(page.get_by_role("status")).to_contain_text("One message is on its way to you.")
    await is_accessible(page)
    await is_readable_in_the_dark(page)
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("One message is on its way to you.")
    await expect(page.locator(".facts")).to_contain_text("31 Dec")
    assert await sent(cabinet) == [ME]
    assert len(await cabinet.gateway.play_worker("smsc", Taken("a"))) == 1
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("status")).to_have_text("The message is scheduled.")
    assert await sent(cabinet) == [ME, TO]
    assert await cabinet.gateway.play_worker("smsc", Taken("b")) == []


async def test_a_form_for_oneself_sends_once_and_leaves_the_other_as_it_is(cabinet: Cabinet) -> None:
    form = {**WRITTEN, "to": TO, "key": "k" * 32, "me": ME, "trial": "t" * 32}
    for _ in range(2):
        reply = await cabinet.post("/send/try", form, "shop")
        assert (reply.status, f'name="key" value="{form["key"]}"' in reply.text) == (200, True)
    assert await sent(cabinet) == [ME]
    for _ in range(2):
        assert (await cabinet.post("/send", form, "shop")).status == 303
    assert await sent(cabinet) == [ME, TO]


@pytest.mark.parametrize(
    ("me", "told"),
    [
        pytest.param("", "Please enter valid receiver phone number", id="nobody"),
        pytest.param("12", "Please enter valid receiver phone number", id="no number"),
        pytest.param("+48501112233", "this destination is not allowed", id="refused"),
    ],
)
async def test_what_is_wrong_with_ones_own_number_is_told_at_it(cabinet: Cabinet, me: str, told: str) -> None:
    await cabinet.gateway.directory.set_account(1, {"limits": Limits(destinations=("380",))})
    form = {**WRITTEN, "to": TO, "key": "k" * 32, "me": me, "trial": "t" * 32}
    reply = await cabinet.post("/send/try", form, "shop")
    error = re.search('id="me-error".*?</small>', reply.text)
    assert (reply.status, bool(error and told in error[0])) == (422, True)
    assert f'name="key" value="{form["key"]}"' in reply.text
    assert await sent(cabinet) == []


async def test_a_message_is_scheduled_by_the_accounts_clock(cabinet: Cabinet) -> None:
    confirm = await cabinet.post("/send/check", {**WRITTEN, "to": TO, "at": "2100-01-31T09:30"}, "shop")
    assert confirm.status == 422  # more than a year ahead
    confirm = await cabinet.post("/send/check", {**WRITTEN, "to": TO, "at": later()}, "shop")
    assert (confirm.status, "31 Dec" in confirm.text) == (200, True)
    reply = await cabinet.post("/send", {**WRITTEN, "to": TO, "at": later(), "key": "k" * 32}, "shop")
    assert reply.status == 303
    (one,) = await cabinet.gateway.store.latest(1)
    assert one.status.name == "PENDING"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"to": "12"}, "Please enter valid receiver phone number", id="number"),
        pytest.param({"to": ""}, "Type a number, paste a list, or choose a file.", id="nobody"),
        pytest.param({"message": ""}, "Please enter SMS text", id="text"),
        pytest.param({"message": "{{name}}"}, "One message has no list", id="gap"),
        pytest.param({"to": f"{TO}, 0671112233", "message": "{{a}}"}, "no columns", id="gap of a list"),
        pytest.param({"sender": "Крамниця"}, "Sender phone should contains only", id="sender"),
        pytest.param({"way": "both", "viber_from": "", "sender": ""}, "Sender phone should", id="no names"),
        pytest.param({"at": "tomorrow"}, "Parameter ask_date", id="time"),
        pytest.param(
            {"to": f"{TO}, 0671112233", "message": ""}, "Please enter SMS text", id="text of a list"
        ),
    ],
)
async def test_what_is_wrong_is_told_at_its_field(
    cabinet: Cabinet, changes: dict[str, str], told: str
) -> None:
    reply = await cabinet.post("/send/check", {**WRITTEN, "to": TO, **changes}, "shop")
    assert (reply.status, told in reply.text) == (422, True)
    assert await sent(cabinet) == []


async def test_what_a_stranger_has_written_is_text(cabinet: Cabinet) -> None:
    form = {**WRITTEN, "way": "both", "viber_message": HOSTILE, "message": HOSTILE, "to": HOSTILE}
    reply = await cabinet.post("/send/preview", form, "shop")
    assert "<script>alert(1)" not in reply.text
    assert "⟨U+202E⟩" in reply.text


async def test_a_paused_account_sends_nothing(cabinet: Cabinet) -> None:
    await cabinet.gateway.directory.set_account(1, {"status": 2})
    reply = await cabinet.post("/send", {**WRITTEN, "to": TO, "key": "k" * 32}, "shop")
    assert (reply.status, "may not send" in reply.text) == (409, True)


# ---- a list


async def test_a_file_is_checked_started_and_its_bad_rows_are_told(cabinet: Cabinet, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(LIST.encode("cp1251"))
    page = await (await cabinet.person("shop")).open("/send")
    await page.get_by_label("or a CSV file").set_input_files(file)
    await page.get_by_label("SMS alone").check()
    await page.get_by_label("SMS sender name").fill("Shop")
    await page.get_by_label("SMS text").fill("Hi {{name|you}}")
    await page.get_by_role("button", name="Check and see the price").click()
    await expect(page.get_by_role("heading", name="clients.csv")).to_be_visible()
    await is_in_state(page, "ready to start")
    assert await sent(cabinet) == []
    await page.reload()
    await expect(page.locator(".phone .text")).to_have_text("Hi Anna")
    await is_accessible(page)

    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="All of them as CSV").click()
    await (await waiting.value).save_as(tmp_path / "report.csv")
    assert (tmp_path / "report.csv").read_text("utf-8").splitlines() == [
        "Line,Number,Reason,Field",
        f"4,{TO},The number stands in the list more than once,",
        "5,12,Please enter valid receiver phone number,",
    ]

    await page.get_by_label("Send it to myself first").fill("050 111 99 99")
    await page.get_by_role("button", name="Send it to me").click()
    await expect(page.get_by_role("status")).to_have_text("One message is on its way to you.")
    assert await sent(cabinet) == [ME]

    await page.get_by_role("button", name="Send to 3 numbers for at most 2.40 UAH").click()
    await is_in_state(page, "done")
    assert await sent(cabinet) == [ME, TO, "380671112233", "380931112233"]


async def test_a_mailing_is_paused_goes_on_and_stops_without_javascript(cabinet: Cabinet) -> None:
    mailing_id = await a_mailing(cabinet, TO, "0671112233")
    mailings = Mailings(cabinet.gateway.store.engine)
    page = await (await cabinet.person("shop")).open(f"/mailings/{mailing_id}")
    await is_in_state(page, "ready to start")
    page = await (await cabinet.person("shop", java_script_enabled=False)).open(f"/mailings/{mailing_id}")
    year = int((await page.locator("time").first.get_attribute("datetime") or "")[:4])
    await page.get_by_label("Send at").fill(f"{year}-12-31T23:59")
    await page.get_by_role("button", name="Send to 2 numbers").click()
    await is_in_state(page, "scheduled")
    await page.get_by_role("button", name="Pause").click()
    await is_in_state(page, "on pause")
    await page.get_by_role("button", name="Continue").click()
    await is_in_state(page, "scheduled")
    await page.get_by_role("button", name="Stop for good").click()
    await is_in_state(page, "stopped")
    found = await mailings.one(1, mailing_id)
    assert found
    assert (found.state, await sent(cabinet)) == (State.STOPPED, [])
    await page.goto(cabinet.base + "/mailings")
    await expect(page.get_by_role("row", name="Sale")).to_contain_text("stopped")


async def test_a_file_that_is_no_list_is_told_and_leaves_nothing(cabinet: Cabinet, tmp_path: Path) -> None:
    file = tmp_path / "clients.xlsx"
    file.write_bytes(b"PK\x03\x04" + b"\0" * 2000)
    page = await (await cabinet.person("shop")).open("/send")
    await page.get_by_label("or a CSV file").set_input_files(file)
    await page.get_by_label("SMS alone").check()
    await page.get_by_label("SMS sender name").fill("Shop")
    await page.get_by_label("SMS text").fill("hello")
    await page.get_by_role("button", name="Check and see the price").click()
    await expect(page.locator("#file-error")).to_contain_text("Line 1: This is a spreadsheet; save it as CSV")
    assert await Mailings(cabinet.gateway.store.engine).page(1, 9) == []


async def test_a_mailing_of_another_account_is_not_there(cabinet: Cabinet) -> None:
    mailing_id = await a_mailing(cabinet, TO)
    for path in ("", "/unsent.csv"):
        assert (await cabinet.get(f"/mailings/{mailing_id}{path}", "rival")).status == 404
    for command in ("start", "pause", "go-on", "stop", "try"):
        form = {"me": TO, "trial": "t" * 32}
        assert (await cabinet.post(f"/mailings/{mailing_id}/{command}", form, "rival")).status == 404
    assert "Sale" not in (await cabinet.get("/mailings", "rival")).text


# ---- saved texts


async def test_a_text_is_written_used_changed_and_deleted(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("shop")).open("/texts")
    await page.get_by_role("button", name="Write the first text").click()
    await page.get_by_label("Name of the text").fill("Sale & more")
    await page.get_by_label("SMS alone").check()
    await page.get_by_label("SMS text").fill("Hi {{name}}")
    await page.get_by_role("button", name="Keep it").click()
    row = page.get_by_role("row", name="Sale & more")
    await row.get_by_role("link", name="Edit").click()
    await page.get_by_label("Name of the text").fill(HOSTILE)
    await page.get_by_role("button", name="Keep it").click()
    row = page.get_by_role("row", name=re.compile("alert"))
    await is_accessible(page)
    await row.get_by_role("link", name="Use").click()
    await expect(page.get_by_label("SMS text")).to_have_value("Hi {{name}}")
    await page.goto(cabinet.base + "/texts")
    await row.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("There is no saved text yet.")).to_be_visible()


async def test_a_text_of_another_account_is_not_there(cabinet: Cabinet) -> None:
    texts = Texts(cabinet.gateway.store.engine)
    await texts.put(1, {"mine": Draft(message="hello")}, now_ms())
    for path in ("/texts/edit?name=mine", "/send?text=mine"):
        assert (await cabinet.get(path, "rival")).status == 404
    assert (await cabinet.post("/texts/delete", {"name": "mine"}, "rival")).status == 404
    assert [one.name for one in await texts.all(1)] == ["mine"]
    reply = await cabinet.post("/texts/edit", {**WRITTEN, "name": "mine", "was": ""}, "shop")
    assert (reply.status, "already" in reply.text) == (422, True)


# ---- how it looks


async def test_the_pages_are_good_to_look_at(cabinet: Cabinet) -> None:
    mailing_id = await a_mailing(cabinet, TO, "12", text=f"Привіт {HOSTILE} " + "W" * 80)
    await Texts(cabinet.gateway.store.engine).put(1, {"W" * 60: Draft(message="W" * 200)}, now_ms())
    page = await (await cabinet.person("shop")).open(f"/mailings/{mailing_id}")
    await is_in_state(page, "ready to start")
    await look_over(cabinet, "/send", "shop", "send")
    await look_over(cabinet, f"/mailings/{mailing_id}", "shop", "mailing")
    await look_over(cabinet, "/mailings", "shop", "mailings")
    await look_over(cabinet, "/texts", "shop", "texts")
    await look_over(cabinet, "/texts/edit", "shop")
