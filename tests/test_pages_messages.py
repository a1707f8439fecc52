"""Messages in the pages: looking for them, what became of each, the inbox, what waits for the operator."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import pytest
from cabinet import Cabinet, look_over
from gateway import TO
from playwright.async_api import Page, expect

from hopwire.admission import now_ms
from hopwire.delivery import Answered
from hopwire.model import Answer, Fault, Incoming, Limits, Never, Outcome, Receipt, Taken, Unknown
from hopwire.store.inbox import Inbox
from hopwire.web.pages import messages

pytestmark = pytest.mark.asyncio(loop_scope="session")

PRETTY = "+380 50 123 4567"
OTHER = "380671234567"


async def send_both(cabinet: Cabinet, **params: str) -> int:
    """A message by Viber, then by SMS."""
    asked = {"viber": "1", "viber_sms": "1", "viber_from": "Shop", "viber_message": "Your parcel is here", **params}
    return await cabinet.gateway.send(**asked)


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


async def rows(page: Page) -> list[str]:
    """The numbers of a list."""
    return await page.locator("#rows th").all_inner_texts()


async def test_look(cabinet: Cabinet) -> None:
    message_id = await redirected(cabinet)
    await cabinet.gateway.send(to=OTHER, message="Ще одне повідомлення")
    await look_over(cabinet, "/messages", "shop", "messages")
    await look_over(cabinet, f"/messages/{message_id}", "shop", "message")
    await look_over(cabinet, "/operator/messages", "boss", "operator-messages")
    await look_over(cabinet, f"/operator/messages/{message_id}", "boss", "operator-message")
