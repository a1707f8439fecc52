"""Messages that wait for the operator: he sees them, lets them go or deletes them."""

import pytest
from cabinet import Cabinet
from playwright.async_api import expect
from test_pages_messages import found, hold, report

from hopwire.model import Outcome
from hopwire.web.pages import held

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_held_messages_are_released_or_deleted(cabinet: Cabinet) -> None:
    ids = await hold(cabinet, 5)
    waiting = ids[1:]
    person = await cabinet.person("boss")
    page = await person.open("/operator/holds")
    await expect(page.get_by_role("checkbox")).to_have_count(len(waiting))
    await page.get_by_role("button", name="Release what is chosen").click()
    await expect(page.get_by_role("status")).to_have_text("Nothing was chosen that is still held.")
    await page.get_by_label(f"Message {waiting[0]}").check()
    await page.get_by_role("button", name="Release what is chosen").click()
    await expect(page.get_by_role("status")).to_have_text("1 message was released.")
    await page.get_by_role("link", name="its block").first.click()
    await expect(page.get_by_text("To numbers that begin with 380507770")).to_be_visible()
    await page.get_by_role("button", name="Delete what is chosen").click()
    await expect(page.get_by_role("status")).to_have_text(f"{len(waiting) - 1} messages were deleted.")
    await expect(page.get_by_text("No message is held.")).to_be_visible()
    assert await found(cabinet, status="0") == [waiting[0], ids[0]]
    assert await found(cabinet, status="10") == waiting[:0:-1]


async def test_a_held_message_says_so_and_can_be_taken_back(cabinet: Cabinet) -> None:
    *_, message_id = await hold(cabinet, 3)
    text = (await cabinet.get(f"/messages/{message_id}", "shop")).text
    assert "Held until somebody has looked at it" in text
    assert "It is held, and deleted at" in text
    await cabinet.post(f"/messages/{message_id}/delete", {}, "shop")
    assert await found(cabinet, status="10") == [message_id]


async def test_held_messages_are_chosen_by_account(cabinet: Cabinet) -> None:
    ids = await hold(cabinet, 3)
    for login, shown in (("shop", True), ("rival", False), ("nobody", False)):
        text = (await cabinet.get(f"/operator/holds?account={login}", "boss")).text
        assert (f'value="{ids[-1]}"' in text) is shown, login


async def test_receipts_without_a_message_are_listed_page_by_page(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "PAGE", 2)
    for name in "abc":
        await report(cabinet, f"lost-{name}", Outcome.FAILED, code="UNDELIV")
    person = await cabinet.person("boss")
    page = await person.open("/operator/receipts")
    shown = page.locator("tbody code")
    await expect(shown).to_have_text(["lost-c", "UNDELIV", "lost-b", "UNDELIV"])
    await page.get_by_role("link", name="Older").click()
    await expect(shown).to_have_text(["lost-a", "UNDELIV"])
    await page.get_by_label("Connector").select_option("viber")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("Every receipt has found its message.")).to_be_visible()
