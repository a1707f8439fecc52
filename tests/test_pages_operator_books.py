"""The operator's stop lists, the audit, and what the system is."""

import csv
from io import StringIO

import pytest
from cabinet import Cabinet, look_over
from gateway import Reply
from playwright.async_api import expect

from hopwire.admission import now_ms
from hopwire.config import parse, settings_of
from hopwire.model import Actor, ConnectorState
from hopwire.store.audit import Audit
from hopwire.store.connectors import Connectors
from hopwire.store.inbox import EVERYONE, Inbox
from hopwire.web.pages.operator_system import disk_of
from hopwire.web.pages.overview import STATES

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBER = "380501112233"


async def do(cabinet: Cabinet, path: str, **fields: str) -> Reply:
    return await cabinet.post(path, fields, "boss")


# ---- stop lists


async def test_a_number_is_put_on_a_stop_list_found_and_taken_off(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss")).open("/operator/stop-list")
    await expect(page.locator(".empty")).to_contain_text("The stop lists are empty.")
    await page.locator("#add_number").fill("050 111 22 33")
    await page.locator("#account").fill("shop")
    await page.get_by_label("Why").fill("called us")
    await page.get_by_role("button", name="Add").click()
    await expect(page.get_by_role("status")).to_have_text("The number is on the list.")
    assert await Inbox(cabinet.gateway.store.engine).stopped_by(NUMBER) == [1]
    await page.locator("#number").fill("+38 050 111-22-33")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("shop")
    await page.get_by_role("button", name=f"Remove {NUMBER}").click()
    await expect(page.get_by_role("status")).to_have_text("The number is off the list.")
    assert await Inbox(cabinet.gateway.store.engine).stopped_by(NUMBER) == []


async def test_everyone_has_a_list_too(cabinet: Cabinet) -> None:
    fields = {"add_number": NUMBER, "account": "*", "note": ""}
    assert (await do(cabinet, "/operator/stop-list", **fields)).status == 303
    assert await Inbox(cabinet.gateway.store.engine).stopped_by(NUMBER) == [EVERYONE]
    again = await do(cabinet, "/operator/stop-list", **fields)
    assert again.status == 422 and "The number is on this list already." in again.text
    assert "everyone" in (await cabinet.get("/operator/stop-list?account=*", "boss")).text
    entry = (await Audit(cabinet.gateway.store.engine).entries(1))[0]
    assert entry.actor == "boss" and NUMBER not in entry.after


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"add_number": "12"}, "This is no phone number.", id="no number"),
        pytest.param({"account": "nobody"}, "There is no account with this login.", id="no account"),
        pytest.param({"note": "x" * 201}, "At most 200 characters", id="too long"),
    ],
)
async def test_a_wrong_entry_is_not_made(cabinet: Cabinet, fields: dict[str, str], complaint: str) -> None:
    right = {"add_number": NUMBER, "account": "shop", "note": ""}
    reply = await do(cabinet, "/operator/stop-list", **{**right, **fields})
    assert (reply.status, complaint in reply.text) == (422, True)
    assert await Inbox(cabinet.gateway.store.engine).stops(("", 0), 10) == []


async def test_what_is_not_on_a_list_is_not_taken_off(cabinet: Cabinet) -> None:
    for whose in ("1", "x", "9" * 30):
        reply = await do(cabinet, "/operator/stop-list/remove", number=NUMBER, whose=whose)
        assert reply.status == 404
    await Inbox(cabinet.gateway.store.engine).stop(1, NUMBER, now_ms())
    fields = {"number": NUMBER, "whose": "1", "back": "https://evil.example"}
    reply = await do(cabinet, "/operator/stop-list/remove", **fields)
    assert reply.headers["location"] == "/operator/stop-list"


async def test_long_stop_lists_are_shown_page_by_page(cabinet: Cabinet) -> None:
    rows = [(1 + n % 2, f"3805000{n // 2:05}") for n in range(230)]
    for account_id, number in rows:
        cabinet.gateway.rows("INSERT INTO stop_list VALUES (?, ?, 0, '')", account_id, number)
    seen, path = [], "/operator/stop-list"
    person = await cabinet.person("boss")
    page = await person.open(path)
    while True:
        seen += await page.locator("tbody th").all_inner_texts()
        older = page.get_by_role("link", name="Older")
        if not await older.count():
            break
        await older.click()
        await page.wait_for_load_state()  # the click has waited for its beginning alone
    assert seen == sorted(number for _, number in rows)
    await page.goto(cabinet.base + path + "?account=shop")
    await expect(page.locator("tbody tr")).to_have_count(100)
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator("tbody tr")).to_have_count(15)


# ---- audit


async def test_the_audit_tells_what_was_changed_by_whom(cabinet: Cabinet) -> None:
    await cabinet.gateway.directory.set_account(1, {"plan": "gold"})
    await cabinet.gateway.directory.set_account(1, {"plan": "silver"})
    await Audit(cabinet.gateway.store.engine).write(Actor("somebody", "10.1.2.3"), "look", "account 2")
    page = await (await cabinet.person("boss")).open("/operator/audit")
    await expect(page.locator("tbody tr").first).to_contain_text("10.1.2.3")
    await page.get_by_label("What, such as: account 1").fill("account 1")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("tbody tr").first).to_contain_text("plan: gold → silver")
    await expect(page.locator("tbody")).not_to_contain_text("somebody")
    await page.get_by_label("What, such as: account 1").fill("")
    await page.get_by_label("Who").fill("some")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_label("Who").fill("nobody at all")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator(".empty")).to_contain_text("No entry is like that.")


async def test_the_audit_is_verified_and_a_change_behind_its_back_is_told(cabinet: Cabinet) -> None:
    person = await cabinet.person("boss")
    page = await person.open("/operator/audit")
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_role("status")).to_contain_text("entries, all as they were written.")
    digest = (await Audit(cabinet.gateway.store.engine).entries(1))[0].digest
    await expect(page.locator("code")).to_have_text(digest)
    cabinet.gateway.rows("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("Entry 2 is not what was written")


async def test_the_audit_is_a_file_without_formulas(cabinet: Cabinet) -> None:
    audit = Audit(cabinet.gateway.store.engine)
    for n in range(3):
        await audit.write(Actor("=cmd()"), f"do {n}", "thing", {"said": "a,b"})
    person = await cabinet.person("boss")
    reply = await person.context.request.get(f"{cabinet.base}/operator/audit/file?object=thing")
    rows = list(csv.DictReader(StringIO(await reply.text())))
    assert [row["action"] for row in rows] == ["do 2", "do 1", "do 0"]
    assert {row["who"] for row in rows} == {"'=cmd()"}
    assert rows[0]["after"] == '{"said":"a,b"}'
    assert reply.headers["content-disposition"] == 'attachment; filename="audit.csv"'


# ---- system


async def test_the_system_tells_what_it_is_and_no_secret(cabinet: Cabinet) -> None:
    text = (await cabinet.get("/operator/system", "boss")).text
    for told in (
        "SQLite 3",
        "0007_cabinet.sql",
        "hopwire fsck",
        "on its disk are free",
        "connectors.smsc.host",
    ):
        assert told in text, told


async def test_workers_tell_how_their_connectors_are(cabinet: Cabinet) -> None:
    state = ConnectorState(
        kind="smpp", sessions=1, sessions_wanted=2, window=10, in_flight=0, rate=None, state="partly up",
        last_error="", last_error_at=None, bound_at=None, submitted=0, taken=0, refused=0, throttled=0,
        unknown=0, receipts=0, incoming=0, receipt_ids="",
    )  # fmt: skip
    await Connectors(cabinet.gateway.store.engine).report("worker 1", {"smsc": state}, now_ms())
    page = await (await cabinet.person("boss")).open("/operator/system")
    row = page.get_by_role("row", name="worker 1")
    await expect(row).to_contain_text("smsc: partly up")
    assert set(STATES) == {"up", "partly up", "down", "throttled", "paused", "refused", ""}


async def test_settings_are_told_without_their_secrets() -> None:
    config = parse(
        {
            "store": {"url": "postgresql://u:geheim1@db/h", "secret": "geheim2"},
            "http": {"port": 9999},
            "mail": {"host": "mail", "sender": "a@b.example", "login": "l", "password": "geheim3"},
            "connectors": {"op": {"kind": "smpp", "host": "h", "system_id": "me", "password": "geheim4"}},
            "routes": [{"channel": "sms", "connector": "op"}],
        }
    )
    told = dict(settings_of(config))
    assert told["http.port"] == "9999"
    assert told["store.url"] == told["mail.password"] == told["connectors.op.password"] == "***"
    assert told["connectors.op.kind"] == '"smpp"'
    assert "http.host" not in told
    assert "geheim" not in str(told)
    assert disk_of(config) is None


# ---- how they look


async def test_stop_lists_audit_and_system_are_good_to_look_at(cabinet: Cabinet) -> None:
    inbox = Inbox(cabinet.gateway.store.engine)
    await inbox.stop(1, NUMBER, now_ms(), "STOP")
    await inbox.stop(EVERYONE, "380672223344", now_ms(), "<b>please</b>, never again")
    await cabinet.gateway.directory.set_account(1, {"plan": "gold", "customer": "<script>\u202e"})
    await look_over(cabinet, "/operator/stop-list", "boss", "operator-stops")
    await look_over(cabinet, "/operator/audit", "boss", "operator-audit")
    await look_over(cabinet, "/operator/system", "boss", "operator-system")
