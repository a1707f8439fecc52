"""What waits for the operator's word, and the texts that Viber has approved."""

from pathlib import Path

import pytest
from cabinet import Cabinet, is_accessible, look_over, opened
from gateway import Reply
from playwright.async_api import Browser, Page, expect
from post import Box, boxed

from hopwire.admission import now_ms
from hopwire.store.mails import Letter
from hopwire.store.registrations import Registration, Registrations
from hopwire.store.senders import REQUESTED, SenderName, Senders
from hopwire.store.templates import TemplateBook
from hopwire.templates import Registered, check
from hopwire.web.pages.complaints import COMPLAINTS

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEMPLATES = "/operator/approvals/templates"
RIGHT = {
    "id": "t1",
    "sender": "Shop",
    "language": "uk",
    "kind": "transaction",
    "text": "Ваш код: {{code}}",
}


async def do(cabinet: Cabinet, path: str, **fields: str) -> Reply:
    return await cabinet.post(path, fields, "boss")


# ---- sender names


async def test_names_that_wait_are_decided_where_they_wait(cabinet: Cabinet) -> None:
    senders = Senders(cabinet.gateway.store.engine)
    now = now_ms()
    rival = await cabinet.gateway.directory.account_by_login("rival")
    assert rival is not None
    await senders.put(
        [
            SenderName(1, "Younger", "viber", "", REQUESTED, "", now),
            SenderName(rival[0].id, "Older", "", "", REQUESTED, "<b>ours</b>", now - 1000),
        ]
    )
    page = await (await cabinet.person("boss")).open("/operator/approvals")
    assert await page.locator("tbody th").all_inner_texts() == ["Older", "Younger"]
    await expect(page.locator("tbody tr").first).to_contain_text("<b>ours</b>")
    await page.get_by_role("button", name="Approve Older").click()
    await page.get_by_label("Your answer about Younger").fill("not yours")
    await page.get_by_role("button", name="Refuse Younger").click()
    await expect(page.locator(".empty")).to_have_text("No name waits.")
    assert {one.name: one.state for one in await senders.all()} == {
        "Older": "approved",
        "Younger": "refused",
    }
    notes = {one.name: one.note for one in await senders.all()}
    assert notes == {"Older": "<b>ours</b>", "Younger": "not yours"}


# ---- templates


async def test_a_template_is_registered_paused_and_forgotten(cabinet: Cabinet) -> None:
    book = TemplateBook(cabinet.gateway.store.engine)
    page = await (await cabinet.person("boss")).open(TEMPLATES)
    for label, value in (("Id", "t1"), ("Sender", "Shop"), ("Language", "uk"), ("Text", RIGHT["text"])):
        await page.locator("section").get_by_label(label, exact=True).fill(value)
    await page.get_by_role("button", name="Register", exact=True).click()
    await expect(page.get_by_role("status")).to_have_text("The template is registered.")
    assert await book.all() == [Registered(**RIGHT)]  # type: ignore[arg-type]
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("tbody")).to_contain_text("paused")
    assert not (await book.all())[0].active
    await page.get_by_role("button", name="Let it go again").click()
    await expect(page.locator("tbody")).to_contain_text("active")
    await page.get_by_role("button", name="Forget").click()
    await expect(page.locator(".empty")).to_contain_text("There are no templates yet")
    assert await book.all() == []


async def test_templates_are_found_by_their_text(cabinet: Cabinet) -> None:
    await TemplateBook(cabinet.gateway.store.engine).put(
        [
            Registered(**{**RIGHT, "id": "one"}),  # type: ignore[arg-type]
            Registered(**{**RIGHT, "id": "two", "text": "ДЯКУЄМО {{name}}"}),  # type: ignore[arg-type]
        ]
    )
    text = (await cabinet.get(f"{TEMPLATES}?q=%D0%B4%D1%8F%D0%BA%D1%83", "boss")).text  # дяку
    assert ">two</th>" in text and ">one</th>" not in text
    assert "No template is like that." in (await cabinet.get(f"{TEMPLATES}?q=zzz", "boss")).text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"id": "a b"}, "id", id="id"),
        pytest.param({"sender": ""}, "sender", id="sender"),
        pytest.param({"language": "??"}, "language", id="language"),
        pytest.param({"kind": "spam"}, "kind", id="kind"),
        pytest.param({"text": "{{x}}"}, "text", id="nothing but variables"),
        pytest.param({"text": "{{x"}, "text", id="a variable that does not end"),
        pytest.param({"text": "x" * 1001}, "text", id="too long"),
    ],
)
async def test_a_wrong_template_is_not_registered(
    cabinet: Cabinet, fields: dict[str, str], field: str
) -> None:
    with pytest.raises(ValueError) as complaint:
        check(Registered(**{**RIGHT, **fields}))  # type: ignore[arg-type]
    assert str(complaint.value) in COMPLAINTS
    reply = await do(cabinet, TEMPLATES, **{**RIGHT, **fields})
    assert (reply.status, f'id="{field}-error"' in reply.text) == (422, True)
    assert await TemplateBook(cabinet.gateway.store.engine).all() == []


async def test_what_is_not_there_is_not_changed(cabinet: Cabinet) -> None:
    change = f"{TEMPLATES}/change"
    for fields in (
        {"do": "remove"},
        {**RIGHT, "do": "remove"},
        {**RIGHT, "do": "eat"},
        {"id": "t1", "do": "pause"},
    ):
        assert (await do(cabinet, change, **fields)).status == 404


# ---- how they look


async def test_approvals_and_templates_are_good_to_look_at(cabinet: Cabinet) -> None:
    engine = cabinet.gateway.store.engine
    await Senders(engine).put([SenderName(1, "Shop", "viber", "", REQUESTED, "our trade mark", now_ms())])
    await TemplateBook(engine).put(
        [Registered(**RIGHT), Registered(**{**RIGHT, "id": "t2", "sender": "*"}, active=False)]  # type: ignore[arg-type]
    )
    await look_over(cabinet, "/operator/approvals", "boss", "operator-approvals")
    await look_over(cabinet, TEMPLATES, "boss", "operator-templates")


# ---- who asks for an account


async def test_who_has_asked_for_an_account_gets_one_or_not_and_others_are_invited(
    tmp_path: Path, browser: Browser
) -> None:
    sections = {
        "cabinet": {"url": "http://sms.example", "registration": "approval"},
        "demo": {"token": "t"},
    }
    async with boxed() as box, opened(tmp_path, browser, mail=box.section, **sections) as cabinet:
        await cabinet.account("boss", operator=True, language="en")
        await asked_for_accounts(cabinet)
        await decided(cabinet, box)


async def asked_for_accounts(cabinet: Cabinet) -> None:
    """Two who have confirmed their addresses, and wait."""
    registrations = Registrations(cabinet.gateway.store.engine)
    letter = Letter("", "", "")
    for n, name in enumerate(("first", "second")):
        one = Registration(f"{name}@example.com", f"<b>{name}</b>", "hash", "en", now_ms() - 1000 + n)
        await registrations.put(one, letter, letter)
        assert await registrations.confirm(one, now_ms() - 500 + n)


async def decided(cabinet: Cabinet, box: Box) -> None:
    directory = cabinet.gateway.directory
    page = await (await cabinet.person("boss")).open("/operator/approvals")
    await is_accessible(page)
    rows = page.get_by_role("region", name="Who asks for an account").locator("tbody tr")
    await expect(rows.first).to_contain_text("<b>first</b>")
    await page.get_by_role("button", name="Refuse second@example.com").click()
    await expect(rows).to_have_count(1)
    await page.get_by_role("button", name="Approve first@example.com").click()
    await expect(page.get_by_role("status")).to_have_text("The account is there, without money yet.")
    assert await directory.account_by_email("first@example.com") is not None
    assert await directory.account_by_email("second@example.com") is None
    again = {"email": "first@example.com", "do": "approve"}
    assert (await do(cabinet, "/operator/approvals/registrations", **again)).status == 303
    assert (await do(cabinet, "/operator/approvals/registrations", email="x", do="eat")).status == 404

    await page.goto(cabinet.base + "/operator/approvals")
    for typed, complaint in (
        ("a@b", "NAME@DOMAIN"),
        ("first@example.com", "Another account has this address"),
    ):
        reply = await do(cabinet, "/operator/approvals/invitations", email=typed)
        assert (reply.status, complaint in reply.text) == (422, True)
    await page.get_by_label("E-mail").fill("third@example.com")
    await page.get_by_role("button", name="Invite").click()
    await expect(page.get_by_role("status")).to_contain_text("The invitation is on its way.")
    letters = [await box.letter(n) for n in (1, 2, 3)]
    assert {one["To"] for one in letters} == {f"{name}@example.com" for name in ("first", "second", "third")}


async def test_without_mail_nobody_is_invited(cabinet: Cabinet) -> None:
    assert "Invite somebody" not in (await cabinet.get("/operator/approvals", "boss")).text
    assert (await do(cabinet, "/operator/approvals/invitations", email="a@example.com")).status == 404


# ---- templates in a file


async def test_templates_come_in_a_file_all_or_none(cabinet: Cabinet) -> None:
    book = TemplateBook(cabinet.gateway.store.engine)
    page = await (await cabinet.person("boss")).open(TEMPLATES)
    head = "id,sender,language,kind,text\n"
    for rows, told in (
        ("t1,Shop,uk,transaction,Ваш код: {{code}}\nt2,Shop,uk,spam,x\n", "Line 3: the kind must be"),
        ("t1,Shop\n", "Line 2: there are fewer columns"),
    ):
        await upload(page, head + rows)
        await expect(page.locator("#file-error")).to_contain_text(told)
        assert await book.all() == []
    await upload(page, head + "t1,Shop,uk,transaction,Ваш код: {{code}}\n")
    await expect(page.get_by_role("status")).to_have_text("1 template has changed.")
    assert await book.all() == [Registered(**RIGHT)]  # type: ignore[arg-type]
    reply = await page.request.get(f"{cabinet.base}{TEMPLATES}/file")
    assert (await reply.text()).splitlines()[1] == "t1,Shop,uk,transaction,active,Ваш код: {{code}}"


async def upload(page: Page, text: str) -> None:
    file = {"name": "t.csv", "mimeType": "text/csv", "buffer": text.encode()}
    await page.get_by_label("CSV file").set_input_files(file)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Register all").click()
