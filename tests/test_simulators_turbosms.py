"""TurboSMS's simulator does what the table of endings says, and the channel understands it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from provider_cases.turbosms import LINK, PICTURE, SIGNED
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

from hopwire.config import TurboSmsConnector
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
from hopwire.simulators.turbosms import Request, SmsBlock, TurboSmsSimulator, ViberBlock, check


def make(url: str) -> TurboSmsConnector:
    return TurboSmsConnector(
        url=url, token=SIGNED, signature_secret=SIGNED, callback_secret="callback-secret-1234567"
    )


@pytest.fixture
async def far() -> AsyncIterator[Played]:
    async with played(TurboSmsSimulator, make, SIGNED) as far:
        yield far


@pytest.mark.parametrize(
    ("ending", "content", "answer", "receipts"),
    [
        pytest.param("01", HI, Taken, [(DELIVERED, "Delivered"), (SEEN, "Read")], id="01: then seen"),
        pytest.param("02", HI, Taken, [(FAILED, "SRVC_NOT_VIBER_USER")], id="02: not a Viber user"),
        pytest.param("03", HI, Taken, [(FAILED, "SRVC_USER_BLOCKED")], id="03: blocked"),
        pytest.param("04", HI, Taken, [(FAILED, "SRVC_NO_SUITABLE_DEVICE")], id="04: no suitable device"),
        pytest.param("05", HI, Taken, [(EXPIRED, "Expired")], id="05: expired"),
        pytest.param("06", HI, Taken, [(FAILED, "SRVC_NOT_VIBER_USER")], id="06: not a Viber user"),
        pytest.param("09", HI, Unknown, [(DELIVERED, "Delivered")], id="09: hangs up"),
        pytest.param(
            "10", HI, Taken, [(SEEN, "Read")] * 2 + [(DELIVERED, "Delivered")] * 2, id="10: seen first"
        ),
        pytest.param("11", HI, Never, [], id="11: invalid number"),
        pytest.param("12", HI, Taken, [], id="12: silence"),
        pytest.param("99", HI, Taken, [(DELIVERED, "Delivered")], id="any other"),
        pytest.param("06", SMS, Taken, [(FAILED, "Undelivered")], id="06, SMS: undeliverable"),
        pytest.param("09", SMS, Unknown, [(DELIVERED, "Delivered")], id="09, SMS: hangs up"),
        pytest.param("10", SMS, Taken, [(DELIVERED, "Delivered")] * 2, id="10, SMS: twice"),
        pytest.param("11", SMS, Never, [], id="11, SMS: invalid number"),
        pytest.param("12", LONG, Taken, [(FAILED, "Undelivered")], id="12, SMS of two parts"),
        pytest.param("99", SMS, Taken, [(DELIVERED, "Delivered")], id="any other, SMS"),
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
    assert await far.submit("11", HI) == Never("305", Fault.NUMBER)


@pytest.mark.parametrize(("content", "code"), [(HI, "504"), (SMS, "503")], ids=["Viber", "SMS"])
async def test_it_fails_twice_and_then_takes_the_message(
    far: Played, content: ViberContent | SmsContent, code: str
) -> None:
    *busy, taken = await far.submit_until_it_is_no_longer_busy("08", content)
    assert busy == [Later(5.0, code, tries=3)] * 2
    assert isinstance(taken, Taken)
    assert (await far.receipt()).outcome is DELIVERED


async def test_late_delivery_comes_after_an_sms_to_the_same_number(far: Played) -> None:
    await tells_of_both(far)


async def test_a_request_with_a_known_id_has_its_earlier_answer(far: Played) -> None:
    assert isinstance(await far.submit("09", HI), Unknown)
    again = await far.submit("09", HI)
    assert again == Taken((await far.receipt()).provider_id)
    assert len(far.record.messages) == 1


@pytest.mark.parametrize(
    ("content", "channel", "shown"),
    [
        pytest.param(HI, "viber", {"kind": "text", "text": "Hi"}, id="text"),
        pytest.param(ViberImage(image=PICTURE), "viber", {"kind": "image", "image": PICTURE}, id="image"),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE),
            "viber",
            {"kind": "button", "text": "Hi", "caption": "Open", "url": LINK, "image": PICTURE},
            id="button with an image",
        ),
        pytest.param(SMS, "sms", {"kind": "sms", "text": "Hi"}, id="SMS"),
        pytest.param(FlashSms(text="Hi"), "sms", {"kind": "flash", "text": "Hi"}, id="flash"),
    ],
)
async def test_the_phone_shows_what_was_sent(
    far: Played, content: ViberContent | SmsContent, channel: str, shown: dict[str, str]
) -> None:
    await shows(far, content, channel, shown)


async def test_what_no_webhook_tells_is_asked() -> None:
    async with played(TurboSmsSimulator, make, SIGNED, calls_back=False) as far:
        taken = await far.submit("99", HI)
        assert isinstance(taken, Taken)
        far.ours.ids = [taken.provider_id, "unknown"]
        await far.ours.fresh.wait()
        assert {(one.provider_id, one.outcome) for one in far.ours.kept} == {(taken.provider_id, DELIVERED)}


async def test_another_token_is_not_let_in() -> None:
    async with played(TurboSmsSimulator, make, "another") as far:
        assert await far.submit("99") == Never("301", Fault.CONFIGURATION)
        assert not far.record.submissions


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"text": "Hi"}, 0, id="text"),
        pytest.param({"image_url": PICTURE}, 0, id="image"),
        pytest.param({}, 201, id="nothing"),
        pytest.param({"text": "Hi", "sender": ""}, 200, id="no sender"),
        pytest.param({"text": "Hi", "caption": "Open"}, 206, id="a button that opens nothing"),
        pytest.param({"text": "Hi", "action": LINK}, 205, id="a button without a word"),
        pytest.param({"text": "Hi", "caption": "x" * 31, "action": LINK}, 408, id="caption too long"),
        pytest.param({"text": "Hi", "ttl": 59}, 409, id="TTL too short"),
        pytest.param({"text": "Hi", "ttl": 86_400}, 0, id="longest TTL"),
        pytest.param({"text": "Hi", "is_transactional": 1}, 0, id="a transaction"),
        pytest.param(
            {"text": "Hi", "is_transactional": 1, "image_url": PICTURE}, 410, id="a transaction with image"
        ),
        pytest.param({"text": "x" * 1001}, 413, id="text too long"),
    ],
)
def test_it_checks_a_viber_message(fields: dict[str, Any], code: int) -> None:
    assert check(Request([BASE + "99"], ViberBlock(**({"sender": "Shop"} | fields)))) == code


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(Request([BASE + "99"], sms=SmsBlock("Shop", "Hi")), 0, id="SMS"),
        pytest.param(Request([BASE + "99"], sms=SmsBlock("Shop")), 201, id="SMS without text"),
        pytest.param(Request([BASE + "99"]), 300, id="no block"),
        pytest.param(Request(["+1"], sms=SmsBlock("Shop", "Hi")), 305, id="a plus before the number"),
    ],
)
def test_it_checks_a_request(request_: Request, code: int) -> None:
    assert check(request_) == code
