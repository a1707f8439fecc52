"""Messages in the pages: looking for them, what became of each, the inbox."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from cabinet import PASSWORD, Cabinet, fits, look_over
from gateway import SEND, TO
from playwright.async_api import expect

from hopwire.admission import now_ms
from hopwire.model import Answer, Fault, Incoming, Later, Limits, Never, Outcome, Receipt, SmsText, Taken
from hopwire.privacy import pseudonym
from hopwire.store import search
from hopwire.store.audit import Audit
from hopwire.store.inbox import Inbox
from hopwire.web.pages import inbox, messages

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER = "380671234567"
OUR_NUMBER = "380441234567"


async def send_both(cabinet: Cabinet, **params: str) -> int:
    """A message by Viber, then by SMS."""
    asked = {"viber": "1", "viber_sms": "1", "viber_from": "Shop", "viber_message": "Your parcel is here"}
    return await cabinet.gateway.send(**{**asked, **params})


async def hand_over(cabinet: Cabinet, connector: str, answer: Answer) -> list[int]:
    return await cabinet.gateway.play_worker(connector, answer)


async def report(cabinet: Cabinet, provider_id: str, outcome: Outcome, **facts: Any) -> None:
    facts = {"connector": "smsc", "recipient": TO, "code": "DELIVRD", "raw": f"id:{provider_id} raw", **facts}
    receipt = Receipt(provider_id=provider_id, outcome=outcome, **facts)
    await cabinet.gateway.store.keep_receipts([receipt], now_ms())


async def redirected(cabinet: Cabinet) -> int:
    """A message that Viber refused, and that was delivered as an SMS."""
    message_id = await send_both(cabinet)
    await hand_over(cabinet, "viber", Never("6", Fault.NO_ACCOUNT))
    await hand_over(cabinet, "smsc", Taken("upstream-77"))
    await report(cabinet, "upstream-77", Outcome.DELIVERED, raw="id:upstream-77 price:0.0123 stat:DELIVRD")
    return message_id


async def came(cabinet: Cabinet, *texts: str, sender: str = TO) -> None:
    """Messages from a phone to a number of the shop."""
    box = Inbox(cabinet.gateway.store.engine)
    await box.own(1, OUR_NUMBER)
    for text in texts:
        message = Incoming(
            connector="smsc", sender=sender, recipient=OUR_NUMBER, data_coding=8,
            payload=text.encode("utf-16-be"),
        )  # fmt: skip
        await box.keep_incoming([message], now_ms())


async def found(cabinet: Cabinet, login: str = "shop", path: str = "/messages", **query: Any) -> list[int]:
    """The ids in a list, in its order."""
    reply = await cabinet.get(f"{path}?{urlencode(query, doseq=True)}", login)
    assert reply.status == 200
    return [int(i) for i in re.findall(r'id="m(\d+)"', reply.text)]


async def table(cabinet: Cabinet, path: str, login: str) -> list[dict[str, str]]:
    """A CSV file, by the names of its columns."""
    reply = await cabinet.get(path, login)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert reply.headers["content-disposition"].startswith("attachment; ")
    assert reply.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(reply.text[1:], newline="")))


async def hold(cabinet: Cabinet, n: int) -> list[int]:
    """Messages to numbers in a row, of which the first ones leave; the ids of all."""
    await cabinet.gateway.directory.set_account(1, {"limits": Limits(destinations=("*",), sequence=2)})
    key = await cabinet.gateway.new_key(1)
    return [await cabinet.gateway.send(key=key, to=f"38050777{i:04}") for i in range(n)]


# ---- lists


async def test_a_message_that_a_program_sends_appears_and_is_followed_to_its_end(cabinet: Cabinet) -> None:
    """Also that nobody loses his place in a page that keeps itself fresh."""
    person = await cabinet.person("shop")
    listed = await person.open("/messages")
    await expect(listed.get_by_text("No message was sent yet.")).to_be_visible()
    message_id = await send_both(cabinet)
    link = listed.get_by_role("link", name="+380 50 123 4567")
    await expect(link).to_be_visible(timeout=15_000)
    await cabinet.gateway.send(to=OTHER)
    await hand_over(cabinet, "smsc", Taken("another"))
    await expect(listed.locator("#rows tr")).to_have_count(2, timeout=15_000)
    await link.focus()
    await listed.evaluate("htmx.trigger('#rows', 'every')")  # it is time to fetch the list again
    await expect(link).to_be_focused()
    await link.press("Enter")
    await expect(listed).to_have_url(f"{cabinet.base}/messages/{message_id}")
    await expect(listed.get_by_text("It leaves by Viber as soon as there is room.")).to_be_visible()
    await hand_over(cabinet, "viber", Never("6", Fault.NO_ACCOUNT))
    await hand_over(cabinet, "smsc", Taken("a1"))
    await expect(listed.get_by_text("Refused: the number is not on Viber")).to_be_visible(timeout=15_000)
    await report(cabinet, "a1", Outcome.DELIVERED)
    status = listed.get_by_role("region", name="How it stands")
    await expect(status).to_contain_text("Delivered", timeout=15_000)
    assert await listed.locator("#live[hx-get]").count() == 0
    shown = await listed.get_by_role("region", name="What happened").get_by_role("listitem").all_inner_texts()
    assert [re.split(r"\n+", one)[0].strip() for one in shown] == [
        "Accepted", "Given to Viber", "Refused: the number is not on Viber", "SMS follows",
        "Given to the mobile network", "Taken by the mobile network", "Delivered",
    ]  # fmt: skip


async def test_messages_are_found_by_what_the_address_says(cabinet: Cabinet) -> None:
    parcel = await redirected(cabinet)
    seen = await send_both(cabinet, to=OTHER, viber_message="Код ЗНИЖКИ")
    await hand_over(cabinet, "viber", Taken("v1"))
    await report(cabinet, "v1", Outcome.SEEN, connector="viber", recipient=OTHER)
    waits = await cabinet.gateway.send(**{"from": "Bank", "message": "=1+1"})
    asked: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [waits, seen, parcel]),
        ({"number": "+380 (50) 123-45-67"}, [waits, parcel]),
        ({"number": "0671234567"}, [seen]),
        ({"number": "4567"}, [waits, seen, parcel]),
        ({"text": "знижки"}, [seen]),
        ({"text": "PARCEL"}, [parcel]),
        ({"status": "0,1,2"}, [waits]),
        ({"status": ["3", "116"]}, [seen, parcel]),
        ({"channel": "viber"}, [seen]),
        ({"sender": "bank"}, [waits]),
        ({"message": str(seen)}, [seen]),
        ({"since": "2020-01-01T00:00", "until": "2099-01-01T00:00"}, [waits, seen, parcel]),
        ({"until": "2020-01-01T00:00"}, []),
        ({"number": "4567", "channel": "sms", "status": "3"}, [parcel]),
        ({"status": "nonsense", "channel": "pigeon", "before": "x"}, [waits, seen, parcel]),
    ]
    for query, ids in asked:
        assert await found(cabinet, **query) == ids, query


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("number=12", "Type a phone number, or its last digits"),
        ("message=abc", "Type a number, please."),
        ("since=yesterday", "Type a date and a time, please."),
        ("until=9999-99-99T00:00", "Type a date and a time, please."),
    ],
)
async def test_what_makes_no_sense_is_told_at_its_field(cabinet: Cabinet, query: str, why: str) -> None:
    reply = await cabinet.get(f"/messages?{query}", "shop")
    assert (reply.status, why in reply.text) == (422, True)
    assert (await cabinet.get(f"/messages.csv?{query}", "shop")).headers["location"].startswith("/messages?")


async def test_a_form_fills_the_address_also_by_the_keyboard_alone(cabinet: Cabinet) -> None:
    await redirected(cabinet)
    person = await cabinet.person("shop")
    page = await person.open("/messages")
    await page.keyboard.press("/")
    await page.keyboard.type("999")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("There is no such message.")).to_be_visible()
    assert "number=999" in page.url
    await page.get_by_role("button", name="Show all").click()
    await page.get_by_text("Sender, time, ID").click()
    await page.get_by_label("Accepted from").fill("2020-01-01T00:00")
    await page.get_by_label("Status").select_option("Delivered or read")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(page.get_by_label("Accepted from")).to_have_value("2020-01-01T00:00")
    await expect(page.get_by_label("Status")).to_have_value("3,116")


async def test_a_list_is_gone_through_page_by_page_without_scripts(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "PAGE", 2)
    ids = [await cabinet.gateway.send(message="one two") for _ in range(5)][::-1]
    person = await cabinet.person("shop", java_script_enabled=False)
    page = await person.open("/messages?text=two")
    seen = []
    for _ in range(3):
        links = page.locator("#rows th a")
        seen += [int(str(await one.get_attribute("id"))[1:]) for one in await links.all()]
        if await page.get_by_role("link", name="Older").count():
            await page.get_by_role("link", name="Older").click()
            await page.wait_for_load_state()  # the click has waited for its beginning alone
    assert seen == ids
    await page.get_by_role("link", name="Newest").click()
    await expect(page).to_have_url(f"{cabinet.base}/messages?text=two")


async def test_a_page_that_has_looked_for_long_says_how_far_and_goes_on(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_THROUGH", 2)
    first = await cabinet.gateway.send(to=OTHER)
    for _ in range(60):
        await cabinet.gateway.send()
    person = await cabinet.person("shop")
    page = await person.open(f"/messages?number={OTHER}")
    await expect(page.get_by_text("Nothing was found so far.")).to_be_visible()
    await expect(page.get_by_text(re.compile("Looked back to .*20"))).to_be_visible()
    assert await page.locator("[hx-get]").count() == 0
    await page.get_by_role("link", name="Look further").click()
    await expect(page.locator(f"#m{first}")).to_be_visible()


async def test_a_number_that_is_forgotten_is_found_by_who_knows_it(cabinet: Cabinet) -> None:
    message_id = await cabinet.gateway.send()
    secret = cabinet.gateway._secret
    cabinet.gateway.rows("UPDATE messages SET recipient = ?, sms = NULL", pseudonym(TO, secret))
    for typed in ("+380501234567", "0501234567", "4567"):
        assert await found(cabinet, number=typed) == [message_id]
    for path in ("/messages", f"/messages/{message_id}"):
        reply = await cabinet.get(path, "shop")
        assert "…4567" in reply.text
        assert "forgotten" in reply.text
    assert (await table(cabinet, "/messages.csv", "shop"))[0]["Number"] == "…4567"


# ---- whose messages


async def test_messages_of_others_are_not_there(cabinet: Cabinet) -> None:
    message_id = await redirected(cabinet)
    await came(cabinet, "for the shop alone")
    assert await found(cabinet, "rival") == []
    assert await found(cabinet, "rival", message=message_id) == []
    assert await found(cabinet, "rival", account="shop") == []
    assert await table(cabinet, "/messages.csv?account=shop", "rival") == []
    assert await table(cabinet, "/inbox.csv", "rival") == []
    assert "for the shop alone" not in (await cabinet.get("/inbox", "rival")).text
    assert (await cabinet.get(f"/messages/{message_id}", "rival")).status == 404
    assert (await cabinet.post(f"/messages/{message_id}/delete", {}, "rival")).status == 404
    assert (await cabinet.get(f"/messages/{message_id}", "boss")).status == 404, "an operator has his own"


async def test_the_operators_business_is_told_to_the_operator_alone(cabinet: Cabinet) -> None:
    message_id = await redirected(cabinet)
    mine = (await cabinet.get(f"/messages/{message_id}", "shop")).text
    all_of_it = (await cabinet.get(f"/operator/messages/{message_id}", "boss")).text
    for secret in ("smsc", "upstream-77", "price:0.0123", "Costs us", "The Shop</a>"):
        assert secret not in mine, secret
    for told in ("(smsc)", "upstream-77", "price:0.0123", "Costs us", "The Shop", "Charged", "Refused: the"):
        assert told in all_of_it, told
    assert set((await table(cabinet, "/operator/messages.csv", "boss"))[0]) - set(
        (await table(cabinet, "/messages.csv", "shop"))[0]
    ) == {"Account", "Connector"}


async def test_the_operator_sees_everybodys_and_chooses_by_login(cabinet: Cabinet) -> None:
    mine = await cabinet.gateway.send()
    path = "/operator/messages"
    assert await found(cabinet, "boss", path) == [mine]
    assert await found(cabinet, "boss", path, account="shop") == [mine]
    assert await found(cabinet, "boss", path, account="rival") == []
    reply = await cabinet.get(f"{path}?account=nobody", "boss")
    assert (reply.status, "There is no account with this login." in reply.text) == (422, True)


# ---- files


async def test_a_file_has_what_the_filter_finds(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "EXPORTED", 2)
    await redirected(cabinet)
    for n in range(4):
        await cabinet.gateway.send(message=f"number {n}", to=OTHER)
    assert len(await table(cabinet, "/messages.csv", "shop")) == 5
    (one,) = await table(cabinet, "/messages.csv?text=parcel", "shop")
    assert {name: one[name] for name in one if name not in ("Accepted", "Since")} == {
        "ID": "1", "To leave at": "", "Number": TO, "Sender": "test", "Channel": "sms", "Status": "Delivered",
        "Parts": "1", "Price": "0.8", "Currency": "UAH", "Text on Viber": "Your parcel is here",
        "Text of the SMS": SEND["message"],
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", one["Accepted"])
    monkeypatch.setattr(messages, "EXPORTED", 3)
    assert len(await table(cabinet, "/messages.csv", "shop")) == 3


# ---- taking back, giving back


async def test_a_scheduled_message_can_be_taken_back(cabinet: Cabinet) -> None:
    message_id = await cabinet.gateway.send(
        ask_date=f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    )
    person = await cabinet.person("shop")
    page = await person.open(f"/messages/{message_id}")
    await expect(page.get_by_text("It leaves by SMS at")).to_be_visible()
    await page.get_by_role("button", name="Delete, do not send").click()
    await expect(page.get_by_role("status")).to_have_text("Deleted: it is not sent.")
    await expect(page.get_by_role("region", name="How it stands")).to_contain_text("Deleted")
    assert await page.get_by_role("button", name="Delete").count() == 0
    assert await found(cabinet, status="10") == [message_id]


async def test_what_has_left_is_not_taken_back(cabinet: Cabinet) -> None:
    message_id = await cabinet.gateway.send()
    assert "Delete, do not send" not in (await cabinet.get(f"/messages/{message_id}", "shop")).text
    reply = await cabinet.post(f"/messages/{message_id}/delete", {}, "shop")
    assert reply.headers["location"] == f"/messages/{message_id}"
    assert "had%20left" in reply.headers["set-cookie"]
    assert await found(cabinet, status="0") == [message_id]


async def test_the_operator_gives_back_what_a_message_has_cost(cabinet: Cabinet) -> None:
    message_id = await redirected(cabinet)
    cabinet.gateway.rows("UPDATE sessions SET proved_at = 0")
    person = await cabinet.person("boss")
    cabinet.gateway.rows("UPDATE sessions SET proved_at = 0")
    page = await person.open(f"/operator/messages/{message_id}")
    await page.get_by_role("button", name="Give back the price").click()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_text("has cost the account shop 0.80 UAH")).to_be_visible()
    await page.get_by_label("Why").fill("it came twice")
    await page.get_by_role("button", name="Give back").click()
    await expect(page.get_by_role("status")).to_have_text("Given back.")
    await expect(page.get_by_role("region", name="Money")).to_contain_text("Given back")
    entry = (await Audit(cabinet.gateway.store.engine).entries(1))[0]
    assert (entry.actor, entry.action, "it came twice" in str(entry.after)) == ("boss", "refund", True)
    reply = await cabinet.get(f"/operator/messages/{message_id}/refund", "boss")
    assert "was given back" in reply.text
    again = await cabinet.post(f"/operator/messages/{message_id}/refund", {"note": "again"}, "boss")
    assert "nothing%20to%20give%20back" in again.headers["set-cookie"]
    empty = await cabinet.post(f"/operator/messages/{message_id}/refund", {"note": " "}, "boss")
    assert empty.status == 422


# ---- the inbox


async def test_what_phones_send_appears_and_can_be_kept_as_a_file(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PAGE", 2)
    person = await cabinet.person("shop")
    page = await person.open("/inbox")
    await expect(page.get_by_text("you need a number of your own")).to_be_visible()
    await came(cabinet, "Перше", "Друге", "=SUM(A1)")
    await expect(page.locator("#rows tr")).to_have_count(2, timeout=15_000)
    await expect(page.locator("#rows tr").first).to_contain_text("=SUM(A1)")
    await page.reload()
    await expect(page.get_by_text("Your numbers:")).to_contain_text("+380 44 123 4567")
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator("#rows td.words")).to_have_text(["Перше"])
    rows = await table(cabinet, "/inbox.csv", "shop")
    assert [one["Text"] for one in rows] == ["'=SUM(A1)", "Друге", "Перше"]
    assert {one["From"] for one in rows} == {TO}


# ---- text of strangers

HOSTILE = {  # what was written, and where it is not shown as it is, how
    "HTML": ("<script>parent.hacked = 1</script><b>bold</b>", ""),
    "out of an attribute": ('"><img src=x onerror="parent.hacked = 1">', ""),
    "templates": ("{{ 7 * 7 }}{% raw %}${7*7}", ""),
    "ends of elements": ("</textarea></td></tr></table>", ""),
    "an address of a script": ("javascript:parent.hacked=1", ""),
    "marks": ("pay \u202e moc \u2066 now\u200b", "pay ⟨U+202E⟩ moc ⟨U+2066⟩ now⟨U+200B⟩"),
    "a formula": ('=HYPERLINK("http://evil.example","x")', ""),
    "a plus": ("+1 formula", ""),
    "a minus": ("-2+3", ""),
    "an at": ("@SUM(A1)", ""),
    "a long word": ("довге" * 60, ""),
    "NUL and escapes": ("a\0b\x1b[2J", "a⟨U+0000⟩b⟨U+001B⟩[2J"),
    "emoji": ("👨‍👩‍👧 👋🏽 é", ""),
}
NUL, STANDS_FOR_NUL = "⟨U+0000⟩", "\N{REPLACEMENT CHARACTER}"  # where the store keeps text outside of JSON


async def strange(cabinet: Cabinet, text: str) -> int:
    """A message with this text and from this sender, of which an upstream says this, and an answer to it."""
    message_id = await cabinet.gateway.send()
    await hand_over(cabinet, "smsc", Taken(f"u{text}"))
    await report(cabinet, f"u{text}", Outcome.DELIVERED, code=text, raw=text)
    await report(cabinet, f"lost{text}", Outcome.FAILED, code=text, raw=text)
    await came(cabinet, text, sender="Stranger")
    kept = msgspec.json.encode(SmsText(text=text)).decode()
    cabinet.gateway.rows("UPDATE messages SET sms_sender = ?, sms = ? WHERE id = ?", text, kept, message_id)
    return message_id


async def test_text_of_strangers_is_shown_as_text(cabinet: Cabinet) -> None:
    """In the message, its sender, what an upstream says of it, and what phones send."""
    ids = {name: await strange(cabinet, text) for name, (text, _) in HOSTILE.items()}
    looks = [
        *((f"/messages/{ids[name]}", "shop", 4, [name]) for name in HOSTILE),
        *((f"/operator/messages/{ids[name]}", "boss", 5, [name]) for name in HOSTILE),
        ("/messages", "shop", 2, list(HOSTILE)),
        ("/inbox", "shop", 1, list(HOSTILE)),
        ("/operator/messages", "boss", 2, list(HOSTILE)),
        ("/operator/receipts", "boss", 2, list(HOSTILE)),
    ]
    pages = {}
    for login in ("shop", "boss"):
        person = await cabinet.person(login, viewport={"width": 320, "height": 900})
        pages[login] = await person.page()
    for path, login, times, names in looks:
        page = pages[login]
        await page.goto(cabinet.base + path)
        await fits(page)
        assert await page.evaluate("window.hacked") is None, path
        content = await page.evaluate("document.querySelector('main').textContent")
        content = content.replace(STANDS_FOR_NUL, NUL)
        for name in names:
            text, seen = HOSTILE[name]
            assert content.count(seen or text) >= times, (path, name)


async def test_text_of_strangers_is_text_in_files(cabinet: Cabinet) -> None:
    for text, _ in HOSTILE.values():
        await strange(cabinet, text)
    mine = (await table(cabinet, "/messages.csv", "shop"))[::-1]
    box = (await table(cabinet, "/inbox.csv", "shop"))[::-1]
    for (text, seen), sent, received in zip(HOSTILE.values(), mine, box, strict=True):
        cell = f"'{text}" if text[0] in "=+-@" else seen or text
        assert (sent["Text of the SMS"], sent["Sender"]) == (cell, cell)
        assert received["Text"].replace(STANDS_FOR_NUL, NUL) == cell


async def test_what_can_be_tapped_is_shown_and_never_fetched(cabinet: Cabinet) -> None:
    link = "https://shop.example/offer"
    asked = {
        "viber_type": "button", "viber_button": "Buy", "viber_url": link, "viber_image": f"{link}.png"
    }  # fmt: skip
    message_id = await send_both(cabinet, **asked)
    person = await cabinet.person("shop")
    page = await person.page()
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    await page.goto(f"{cabinet.base}/messages/{message_id}")
    for text in ("Your parcel is here", "Buy", link, f"{link}.png"):
        await expect(page.locator(".bubble.viber").get_by_text(text, exact=True)).to_be_visible()
    assert [one for one in fetched if "shop.example" in one] == []
    assert await page.locator('a[href*="shop.example"], img[src*="shop.example"]').count() == 0


# ---- what it looks like


async def filled(cabinet: Cabinet) -> int:
    message_id = await redirected(cabinet)
    await cabinet.gateway.send(
        to=OTHER, message="Ще одне повідомлення, досить довге, щоб не вміститися в таблиці"
    )
    await hand_over(cabinet, "smsc", Later(60, "ESME_RTHROTTLED"))
    await came(cabinet, "Дякую, отримав! " * 6)
    await report(cabinet, "unknown-2", Outcome.FAILED, code="UNDELIV", raw="id:unknown-2 stat:UNDELIV " * 6)
    return message_id


async def test_the_pages_of_messages_are_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/messages", "rival", "messages-none")
    message_id = await filled(cabinet)
    await look_over(cabinet, "/messages?sender=test", "shop", "messages")
    await look_over(cabinet, f"/messages/{message_id}", "shop", "message")
    await look_over(cabinet, "/inbox", "shop", "inbox")


async def test_the_operators_pages_of_messages_are_good_to_look_at(cabinet: Cabinet) -> None:
    message_id = await filled(cabinet)
    await hold(cabinet, 3)
    await look_over(cabinet, "/operator/messages?account=shop", "boss", "operator-messages")
    await look_over(cabinet, f"/operator/messages/{message_id}", "boss", "operator-message")
    await look_over(cabinet, f"/operator/messages/{message_id}/refund", "boss", "operator-refund")
    await look_over(cabinet, "/operator/holds", "boss", "operator-holds")
    await look_over(cabinet, "/operator/receipts", "boss", "operator-receipts")
