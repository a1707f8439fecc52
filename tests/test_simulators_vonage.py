"""Vonage's simulator does what the table of endings says, and the channel understands it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from provider_cases.vonage import LINK, PICTURE, SIGNED
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
    plays_the_row,
    shows,
    tells_of_both,
)

from hopwire.config import VonageConnector
from hopwire.model import (
    Answer,
    Fault,
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
from hopwire.simulators.vonage import SmsMessage, ViberMessage, VonageSimulator, check


def make(url: str) -> VonageConnector:
    return VonageConnector(
        url=url,
        api_key="key",
        api_secret=SIGNED,
        signature_secret=SIGNED,
        callback_secret="callback-secret-1234567",
    )


@pytest.fixture
async def far() -> AsyncIterator[Played]:
    async with played(VonageSimulator, make, SIGNED) as far:
        yield far


@pytest.mark.parametrize(
    ("ending", "content", "answer", "receipts"),
    [
        pytest.param("01", HI, Taken, [(DELIVERED, "delivered"), (SEEN, "read")], id="01: then seen"),
        pytest.param("02", HI, Taken, [(FAILED, "1300")], id="02: not a Viber user"),
        pytest.param("03", HI, Taken, [(FAILED, "1240")], id="03: blocked"),
        pytest.param("04", HI, Taken, [(FAILED, "1310")], id="04: no suitable device"),
        pytest.param("05", HI, Taken, [(EXPIRED, "1360")], id="05: expired"),
        pytest.param("06", HI, Taken, [(FAILED, "1300")], id="06: not a Viber user"),
        pytest.param("09", HI, Unknown, [(DELIVERED, "delivered")], id="09: hangs up"),
        pytest.param(
            "10", HI, Taken, [(SEEN, "read")] * 2 + [(DELIVERED, "delivered")] * 2, id="10: seen first"
        ),
        pytest.param("11", HI, Never, [], id="11: invalid number"),
        pytest.param("12", HI, Taken, [], id="12: silence"),
        pytest.param("99", HI, Taken, [(DELIVERED, "delivered")], id="any other"),
        pytest.param("06", SMS, Taken, [(FAILED, "1260")], id="06, SMS: undeliverable"),
        pytest.param("09", SMS, Unknown, [(DELIVERED, "delivered")], id="09, SMS: hangs up"),
        pytest.param("10", SMS, Taken, [(DELIVERED, "delivered")] * 2, id="10, SMS: twice"),
        pytest.param("11", SMS, Never, [], id="11, SMS: invalid number"),
        pytest.param("12", LONG, Taken, [(FAILED, "1260")], id="12, SMS of two parts"),
        pytest.param("99", SMS, Taken, [(DELIVERED, "delivered")], id="any other, SMS"),
    ],
)
async def test_it_answers_and_calls_back_as_the_row_says(
    far: Played,
    ending: str,
    content: ViberContent | SmsContent,
    answer: type[Answer],
    receipts: list[tuple[Outcome, str]],
) -> None:
    await plays_the_row(far, ending, content, answer, receipts)


async def test_a_bad_number_is_refused(far: Played) -> None:
    assert await far.submit("11", HI) == Never("1430", Fault.NUMBER)


@pytest.mark.parametrize("content", [HI, SMS], ids=["Viber", "SMS"])
async def test_it_is_too_busy_twice_and_then_takes_the_message(
    far: Played, content: ViberContent | SmsContent
) -> None:
    *busy, taken = await far.submit_until_it_is_no_longer_busy("08", content)
    assert busy == [Later(1.0, "http 429", throttled=True)] * 2
    assert isinstance(taken, Taken)
    assert (await far.receipt()).outcome is DELIVERED


async def test_late_delivery_comes_after_an_sms_to_the_same_number(far: Played) -> None:
    await tells_of_both(far)


@pytest.mark.parametrize(
    ("content", "channel", "shown"),
    [
        pytest.param(HI, "viber", {"kind": "text", "text": "Hi"}, id="text"),
        pytest.param(ViberImage(image=PICTURE), "viber", {"kind": "image", "image": PICTURE}, id="image"),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK),
            "viber",
            {"kind": "button", "text": "Hi", "caption": "Open", "url": LINK, "image": ""},
            id="button",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE),
            "viber",
            {"kind": "button", "text": "Hi", "caption": "Open", "url": LINK, "image": PICTURE},
            id="button with an image",
        ),
        pytest.param(SMS, "sms", {"kind": "sms", "text": "Hi"}, id="SMS"),
    ],
)
async def test_the_phone_shows_what_was_sent(
    far: Played, content: ViberContent | SmsContent, channel: str, shown: dict[str, str]
) -> None:
    await shows(far, content, channel, shown)


async def test_another_secret_is_not_let_in() -> None:
    async with played(VonageSimulator, make, "another-secret-that-is-as-long-as-it-should-be") as far:
        assert await far.submit("99") == Never("http 401", Fault.CONFIGURATION)
        assert not far.record.submissions


def body(channel: str = "viber_service", **fields: Any) -> dict[str, Any]:
    usual = {"to": BASE + "99", "from": "Shop", "message_type": "text", "text": "Hi", "client_ref": "17-0-0"}
    return {n: v for n, v in ({"channel": channel} | usual | fields).items() if v is not None}


@pytest.mark.parametrize(
    ("asked", "good"),
    [
        pytest.param(body(), True, id="text"),
        pytest.param(body(message_type="image", text=None, image={"url": PICTURE}), True, id="image"),
        pytest.param(body(message_type="image"), False, id="an image that is a text"),
        pytest.param(body(text=None), False, id="nothing"),
        pytest.param(body(text="x" * 1001), False, id="text too long"),
        pytest.param(body(viber_service={"ttl": 29}), False, id="TTL too short"),
        pytest.param(body(viber_service={"ttl": 259_200}), True, id="longest TTL"),
        pytest.param(body(viber_service={"action": {"url": LINK}}), False, id="a button without a word"),
        pytest.param(body(to="+380501234599"), False, id="a plus before the number"),
        pytest.param(body(client_ref="x" * 101), False, id="client_ref too long"),
        pytest.param(body("sms", ttl=20), True, id="SMS"),
        pytest.param(body("sms", image={"url": PICTURE}), False, id="an SMS with an image"),
        pytest.param(body("mms"), False, id="another channel"),
    ],
)
def test_it_checks_a_request(asked: dict[str, Any], good: bool) -> None:
    try:
        check(msgspec.convert(asked, ViberMessage | SmsMessage))
    except ValueError:
        assert not good
    else:
        assert good
