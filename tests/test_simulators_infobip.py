"""Infobip's simulator does what the table of endings says, and the channel understands it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from provider_cases.infobip import KEY, LINK, PICTURE, make
from simulated_provider import (
    BASE,
    DELIVERED,
    EXPIRED,
    FAILED,
    HI,
    LONG,
    SEEN,
    SMS,
    Played,
    played,
    shows,
)

from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Later,
    Never,
    Outcome,
    SmsContent,
    Taken,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
)
from hopwire.simulators.infobip import InfobipSimulator

TAKEN = Taken(KEY)
HUNG_UP = None


def known(answer: Answer) -> Answer | None:
    """The answer, where there was one."""
    return HUNG_UP if isinstance(answer, Unknown) else answer


@pytest.fixture
async def far() -> AsyncIterator[Played]:
    async with played(InfobipSimulator, make, "key") as far:
        yield far


@pytest.mark.parametrize(
    ("ending", "content", "answer", "receipts"),
    [
        pytest.param("01", HI, TAKEN, [(DELIVERED, "5"), (SEEN, "SEEN")], id="01: delivered, then seen"),
        pytest.param("02", HI, TAKEN, [(FAILED, "7002")], id="02: not a Viber user"),
        pytest.param("03", HI, TAKEN, [(FAILED, "7003")], id="03: blocked"),
        pytest.param("04", HI, TAKEN, [(FAILED, "7025")], id="04: no suitable device"),
        pytest.param("05", HI, TAKEN, [(EXPIRED, "15")], id="05: expired"),
        pytest.param("06", HI, TAKEN, [(FAILED, "7002")], id="06: not a Viber user"),
        pytest.param("09", HI, HUNG_UP, [(DELIVERED, "5")], id="09: hangs up"),
        pytest.param("10", HI, TAKEN, [(SEEN, "SEEN")] * 2 + [(DELIVERED, "5")] * 2, id="10: seen first"),
        pytest.param("11", HI, Never("52", Fault.NUMBER), [], id="11: invalid number"),
        pytest.param("12", HI, TAKEN, [], id="12: silence"),
        pytest.param("99", HI, TAKEN, [(DELIVERED, "5")], id="any other"),
        pytest.param("06", SMS, TAKEN, [(FAILED, "11")], id="06, SMS: undeliverable"),
        pytest.param("09", SMS, HUNG_UP, [(DELIVERED, "5")], id="09, SMS"),
        pytest.param("10", SMS, TAKEN, [(DELIVERED, "5")] * 2, id="10, SMS: twice, before the answer"),
        pytest.param("11", SMS, Never("52", Fault.NUMBER), [], id="11, SMS: invalid number"),
        pytest.param("12", SMS, TAKEN, [(DELIVERED, "5")], id="12, SMS of one part"),
        pytest.param("12", LONG, TAKEN, [(FAILED, "11")], id="12, SMS of two parts"),
        pytest.param("99", SMS, TAKEN, [(DELIVERED, "5")], id="any other, SMS"),
    ],
)
async def test_it_answers_and_calls_back_as_the_row_says(
    far: Played,
    ending: str,
    content: ViberContent | SmsContent,
    answer: Answer | None,
    receipts: list[tuple[Outcome, str]],
) -> None:
    assert known(await far.submit(ending, content)) == answer
    told = [await far.receipt() for _ in receipts]
    assert [(receipt.outcome, receipt.code) for receipt in told] == receipts
    assert {receipt.provider_id for receipt in told} <= {KEY}
    assert isinstance(await far.submit("99", message_id=18), Taken)
    assert (await far.receipt()).provider_id == "18-0-0", "and nothing more"


@pytest.mark.parametrize("content", [HI, SMS], ids=["Viber", "SMS"])
async def test_it_is_busy_twice_and_then_takes_the_message(
    far: Played, content: ViberContent | SmsContent
) -> None:
    *busy, taken = await far.submit_until_it_is_no_longer_busy("08", content)
    assert busy == [Later(1.0, "http 429", throttled=True)] * 2
    assert taken == TAKEN
    assert (await far.receipt()).outcome is DELIVERED


async def test_late_delivery_comes_after_an_sms_to_the_same_number(far: Played) -> None:
    assert await far.submit("07", HI) == TAKEN
    assert await far.submit("07", SMS, message_id=18) == Taken("18-0-0")
    assert {(await far.receipt()).provider_id for _ in range(2)} == {KEY, "18-0-0"}


async def test_a_message_with_a_known_id_is_not_taken_again(far: Played) -> None:
    assert known(await far.submit("09", HI)) is HUNG_UP
    assert await far.submit("09", HI) == TAKEN
    assert (await far.receipt()).outcome is DELIVERED
    assert len(far.record.messages) == 1


@pytest.mark.parametrize(
    ("content", "channel", "shown"),
    [
        pytest.param(HI, "viber", {"kind": "text", "text": "Hi"}, id="text"),
        pytest.param(
            ViberImage(image=PICTURE, url=LINK), "viber", {"kind": "image", "image": PICTURE}, id="image"
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE),
            "viber",
            {"kind": "button", "text": "Hi", "caption": "Open", "url": LINK, "image": PICTURE},
            id="button with an image",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK), "viber", {"kind": "button"}, id="button"
        ),
        pytest.param(SMS, "sms", {"kind": "sms", "text": "Hi"}, id="SMS"),
        pytest.param(FlashSms(text="Hi"), "sms", {"kind": "flash", "text": "Hi"}, id="flash"),
    ],
)
async def test_the_phone_shows_what_was_sent(
    far: Played, content: ViberContent | SmsContent, channel: str, shown: dict[str, str]
) -> None:
    await shows(far, content, channel, shown)


@pytest.mark.parametrize("content", [HI, SMS], ids=["Viber", "SMS"])
async def test_what_no_webhook_tells_is_found_in_the_logs(content: ViberContent | SmsContent) -> None:
    async with played(InfobipSimulator, make, "key", calls_back=False) as far:
        far.ours.ids = [KEY]
        assert await far.submit("01", content) == TAKEN
        await far.ours.fresh.wait()
        assert {(one.provider_id, one.outcome) for one in far.ours.kept} == {(KEY, DELIVERED)}


async def test_another_key_is_not_let_in() -> None:
    async with played(InfobipSimulator, make, "another") as far:
        assert await far.submit("99") == Never("http 401", Fault.CONFIGURATION)
        assert not far.record.submissions


def request(**changes: Any) -> dict[str, Any]:
    fields = {
        "sender": "Shop",
        "destinations": [{"to": BASE + "99"}],
        "content": {"type": "TEXT", "text": "Hi"},
    }
    return {"messages": [fields | changes]}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({}, 200, id="the least"),
        pytest.param({"sender": ""}, 400, id="no sender"),
        pytest.param({"destinations": [{"to": "+380501234599"}]}, 400, id="a plus before the number"),
        pytest.param({"destinations": []}, 400, id="nobody"),
        pytest.param({"content": {"type": "TEXT", "text": "x" * 1001}}, 400, id="text too long"),
        pytest.param({"content": {"type": "POEM", "text": "x"}}, 400, id="unknown content"),
        pytest.param({"more": 1}, 400, id="unknown field"),
        pytest.param(
            {"content": {"type": "IMAGE", "mediaUrl": PICTURE, "imageAction": LINK}},
            400,
            id="a link on an image without text",
        ),
        pytest.param(
            {
                "content": {"type": "TEMPLATE", "templateId": "t", "language": "uk"},
                "options": {"trackingData": "x"},
            },
            400,
            id="tracking data of a template",
        ),
        pytest.param(
            {"content": {"type": "TEMPLATE", "templateId": "t", "language": "uk"}}, 200, id="template"
        ),
    ],
)
async def test_it_checks_the_request(far: Played, changes: dict[str, Any], status: int) -> None:
    url = far.url + "/viber/2/messages"
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, json=request(**changes), headers={"Authorization": "App key"}) as answer,
    ):
        assert answer.status == status
        body = await answer.json()
    assert body.get("errorCode") == ("E400" if status == 400 else None)
