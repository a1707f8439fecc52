"""GMS's simulator does what the table of endings says, and the channel understands it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from provider_cases.gms import LINK, PICTURE
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

from hopwire.config import GmsConnector
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
from hopwire.simulators.gms import STATUSES, GmsSimulator, Request, check

PASSWORD = "password"


def make(url: str) -> GmsConnector:
    settings = {"url": f"{url}/1234", "reports_url": f"{url}/1234", "login": "login", "password": PASSWORD}
    told = {**settings, "statuses": STATUSES, "callback_secret": "callback-secret-1234567"}
    return msgspec.convert(told | {"kind": "gms"}, GmsConnector)


@pytest.fixture
async def far() -> AsyncIterator[Played]:
    async with played(GmsSimulator, make, PASSWORD) as far:
        yield far


@pytest.mark.parametrize(
    ("ending", "content", "answer", "receipts"),
    [
        pytest.param("01", HI, Taken, [(DELIVERED, "23033"), (SEEN, "24033")], id="01: then seen"),
        pytest.param("02", HI, Taken, [(FAILED, "36009")], id="02: not a Viber user"),
        pytest.param("03", HI, Taken, [(FAILED, "36008")], id="03: blocked"),
        pytest.param("04", HI, Taken, [(FAILED, "36010")], id="04: no suitable device"),
        pytest.param("05", HI, Taken, [(EXPIRED, "35015")], id="05: expired"),
        pytest.param("06", HI, Taken, [(FAILED, "36009")], id="06: not a Viber user"),
        pytest.param("09", HI, Unknown, [(DELIVERED, "23033")], id="09: hangs up"),
        pytest.param(
            "10", HI, Taken, [(SEEN, "24033")] * 2 + [(DELIVERED, "23033")] * 2, id="10: seen first"
        ),
        pytest.param("11", HI, Taken, [(FAILED, "36027")], id="11: invalid number"),
        pytest.param("12", HI, Taken, [], id="12: silence"),
        pytest.param("99", HI, Taken, [(DELIVERED, "23033")], id="any other"),
        pytest.param("06", SMS, Taken, [(FAILED, "36000")], id="06, SMS: undeliverable"),
        pytest.param("09", SMS, Unknown, [(DELIVERED, "23011")], id="09, SMS: hangs up"),
        pytest.param("10", SMS, Taken, [(DELIVERED, "23011")] * 2, id="10, SMS: twice"),
        pytest.param("11", SMS, Taken, [(FAILED, "36027")], id="11, SMS: invalid number"),
        pytest.param("12", LONG, Taken, [(FAILED, "36000")], id="12, SMS of two parts"),
        pytest.param("99", SMS, Taken, [(DELIVERED, "23011")], id="any other, SMS"),
    ],
)
async def test_it_answers_and_reports_as_the_row_says(
    far: Played,
    ending: str,
    content: ViberContent | SmsContent,
    answer: type[Answer],
    receipts: list[tuple[Outcome, str]],
) -> None:
    told = await plays_the_row(far, ending, content, answer, receipts)
    assert {receipt.recipient for receipt in told} <= {BASE + ending}


@pytest.mark.parametrize(
    ("ending", "fault"),
    [
        ("02", Fault.NO_ACCOUNT),
        ("03", Fault.BLOCKED),
        ("04", Fault.RECIPIENT),
        ("11", Fault.NUMBER),
    ],
)
async def test_why_it_failed_is_told_by_its_code(far: Played, ending: str, fault: Fault) -> None:
    await far.submit(ending, HI)
    assert (await far.receipt()).fault is fault


@pytest.mark.parametrize("content", [HI, SMS], ids=["Viber", "SMS"])
async def test_it_fails_twice_and_then_takes_the_message(
    far: Played, content: ViberContent | SmsContent
) -> None:
    *busy, taken = await far.submit_until_it_is_no_longer_busy("08", content)
    assert busy == [Later(1.0, "http 503")] * 2
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


async def test_what_no_report_tells_is_asked() -> None:
    async with played(GmsSimulator, make, PASSWORD, calls_back=False) as far:
        taken, silent = await far.submit("99", HI), await far.submit("12", HI, message_id=18)
        assert isinstance(taken, Taken)
        assert isinstance(silent, Taken)
        far.ours.ids = [taken.provider_id, silent.provider_id, "unknown"]
        await far.ours.fresh.wait()
        assert {(one.provider_id, one.outcome) for one in far.ours.kept} == {(taken.provider_id, DELIVERED)}


async def test_another_password_is_not_let_in() -> None:
    async with played(GmsSimulator, make, "another") as far:
        assert await far.submit("99") == Never("http 401", Fault.CONFIGURATION)
        assert not far.record.submissions


def body(channel: str = "viber", **options: Any) -> dict[str, Any]:
    usual = {"text": "Hi", "ttl": 300, "alpha_name": "Shop"}
    said = {name: value for name, value in (usual | options).items() if value is not None}
    return {"phone_number": int(BASE + "99"), "channels": [channel], "channel_options": {channel: said}}


@pytest.mark.parametrize(
    ("asked", "good"),
    [
        pytest.param(body(), True, id="text"),
        pytest.param(body(text=None, img=PICTURE), True, id="image"),
        pytest.param(body(text=None), False, id="nothing"),
        pytest.param(body(caption="Open"), False, id="a button that opens nothing"),
        pytest.param(body(action=LINK), False, id="a button without a word"),
        pytest.param(body(caption="x" * 31, action=LINK), False, id="caption too long"),
        pytest.param(body(caption="Open", action=f"{LINK}{'x' * 256}"), False, id="link too long"),
        pytest.param(body(ttl=39), False, id="TTL too short"),
        pytest.param(body(ttl=40), True, id="shortest TTL"),
        pytest.param(body("sms"), True, id="SMS"),
        pytest.param(body("sms", ttl=299), False, id="TTL of an SMS too short"),
        pytest.param(body("sms", alpha_name=None), False, id="SMS without a sender"),
        pytest.param(body() | {"channels": ["sms"]}, False, id="options of another channel"),
        pytest.param(body() | {"phone_number": "+380501234599"}, False, id="a number that is text"),
    ],
)
def test_it_checks_a_request(asked: dict[str, Any], good: bool) -> None:
    try:
        check(msgspec.convert(asked, Request))
    except ValueError:
        assert not good
    else:
        assert good
