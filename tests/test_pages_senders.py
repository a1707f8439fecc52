"""Sender names in the cabinet: asked for, answered by the operator, withdrawn."""

import pytest
from cabinet import Cabinet, look_over
from gateway import SEND, answers
from playwright.async_api import expect

from hopwire.store.senders import SenderName, Senders

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "<b>x</b>\u202ey"


async def strict(cabinet: Cabinet, login: str = "shop") -> int:
    """An account that may send under approved names alone; its id."""
    found = await cabinet.gateway.directory.account_by_login(login)
    assert found is not None
    await cabinet.gateway.directory.set_account(found[0].id, {"any_sender": False})
    return found[0].id


def registry(cabinet: Cabinet) -> Senders:
    return Senders(cabinet.gateway.store.engine)


async def test_a_name_is_asked_for_refused_asked_for_again_and_used(cabinet: Cabinet) -> None:
    account = await strict(cabinet)
    page = await (await cabinet.person("shop")).open("/senders")
    await expect(page.get_by_text("nothing can be sent")).to_be_visible()
    for note in ("please", "our trade mark"):
        await page.get_by_role("textbox", name="Name").fill("Kvitka")
        await page.get_by_label("Channel").select_option("SMS and Viber")
        await page.get_by_label("A word to the operator").fill(note)
        await page.get_by_role("button", name="Ask for it").click()
        await expect(page.get_by_role("row", name="Kvitka")).to_contain_text("requested")
        if note == "please":
            await registry(cabinet).put([SenderName(account, "Kvitka", state="refused", note="whose is it?")])
            await page.reload()
            await expect(page.get_by_role("row", name="Kvitka")).to_contain_text("whose is it?")
    refused = "errors:Parameter from: this sender name is not registered for the account\n"
    await answers(cabinet.gateway, refused, **{**SEND, "from": "Kvitka"})
    await registry(cabinet).put([SenderName(account, "Kvitka", state="approved")])
    await page.reload()
    await expect(page.get_by_role("row", name="Kvitka")).to_contain_text("approved")
    await expect(page.get_by_role("button", name="Withdraw")).to_have_count(0)
    premium = "errors:Parameter to: premium-rate, shared-cost, paging and satellite numbers are not allowed"
    premium += " for the account\n"  # which is looked at after the name
    await answers(cabinet.gateway, premium, **{**SEND, "from": "Kvitka", "to": "380900212345"})


@pytest.mark.parametrize(
    ("channel", "name", "complaint"),
    [
        pytest.param("sms", "", "Please fill this in.", id="none"),
        pytest.param("sms", "Квітка", "For SMS a name is", id="letters that no SMS carries"),
        pytest.param("sms", "a" * 12, "For SMS a name is", id="long for an SMS"),
        pytest.param("both", "Квітка", "For SMS a name is", id="right for one of both"),
        pytest.param("viber", HOSTILE, "For Viber a name is", id="marks that hide"),
        pytest.param("viber", "a" * 29, "At most 28 characters", id="long for Viber"),
    ],
)
async def test_a_name_that_no_phone_shows_is_not_asked_for(
    cabinet: Cabinet, channel: str, name: str, complaint: str
) -> None:
    account = await strict(cabinet)
    reply = await cabinet.post("/senders", {"channel": channel, "name": name}, "shop")
    assert reply.status == 422
    assert complaint in reply.text
    assert await registry(cabinet).of(account) == []


async def test_what_is_approved_cannot_be_asked_for_or_withdrawn(cabinet: Cabinet) -> None:
    account = await strict(cabinet)
    name = SenderName(account, "Shop", "sms", state="approved", changed_at=1)
    await registry(cabinet).put([name])
    assert (await cabinet.post("/senders", {"channel": "sms", "name": "Shop"}, "shop")).status == 422
    form = {"channel": "sms", "name": "Shop"}
    assert (await cabinet.post("/senders/withdraw", form, "shop")).status == 404
    assert await registry(cabinet).of(account) == [name]


async def test_a_name_is_withdrawn_by_whose_it_is(cabinet: Cabinet) -> None:
    account = await strict(cabinet)
    await cabinet.post("/senders", {"channel": "viber", "name": "Квітка"}, "shop")
    form = {"channel": "viber", "name": "Квітка"}
    assert (await cabinet.post("/senders/withdraw", form, "rival")).status == 404
    assert "Квітка" not in (await cabinet.get("/senders", "rival")).text
    page = await (await cabinet.person("shop")).open("/senders")
    await page.get_by_role("button", name="Withdraw").click()
    await expect(page.get_by_role("status")).to_have_text("The name is off the list.")
    assert await registry(cabinet).of(account) == []


async def test_nobody_asks_for_more_names_than_an_operator_can_read(cabinet: Cabinet) -> None:
    await strict(cabinet)
    for i in range(20):
        assert (await cabinet.post("/senders", {"channel": "sms", "name": f"n{i}"}, "shop")).status == 303
    reply = await cabinet.post("/senders", {"channel": "sms", "name": "one more"}, "shop")
    assert (reply.status, "20 names are waiting" in reply.text) == (422, True)


async def test_an_account_that_may_use_every_name_need_not_ask(cabinet: Cabinet) -> None:
    reply = await cabinet.get("/senders", "shop")
    assert "may send under every name" in reply.text
    assert "Ask for it" not in reply.text
    assert (await cabinet.post("/senders", {"channel": "sms", "name": "Shop"}, "shop")).status == 422


async def test_the_page_of_names_is_good_to_look_at(cabinet: Cabinet) -> None:
    account = await strict(cabinet)
    note = "The name belongs to <b>another</b> company.\nSend us the registration of your trade mark, please."
    names = [
        SenderName(account, "Kvitka", "", "", "approved", "", 1_790_000_000_000),
        SenderName(account, "KVITKA.UA", "sms", "smsc", "approved", "", 1_790_000_000_000),
        SenderName(account, HOSTILE, "viber", "", "refused", note, 1_790_000_000_000),
        SenderName(account, "Troyanda", "sms", "", "requested", "our trade mark", 1_790_000_000_000),
    ]
    await registry(cabinet).put(names)
    await look_over(cabinet, "/senders", "shop", "senders")
    await look_over(cabinet, "/senders", "rival", "senders-any")
