"""The GMS channel: what is said to GMS, what its answers, reports and replies mean."""

import json
from typing import Any

import pytest
from http_ends import TO, handover
from hypothesis import given
from hypothesis import strategies as st
from provider_cases.gms import CASES, ID, KEY, LINK, PICTURE, REPLY, make, refused, report

from hopwire.channels.gms import STATUSES, Gms, answer, parse_callback
from hopwire.channels.http import Callback, Reply, Request
from hopwire.config import ConfigError, GmsConnector, parse
from hopwire.model import (
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
    Outcome,
    SmsContent,
    SmsText,
    Taken,
    Template,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)

URL = "https://api-v2-site.hyber.im/1234"
HOOK = "https://us.example/callbacks/gms/callback-secret-1234567"


def settings(**changes: Any) -> GmsConnector:
    fields: dict[str, Any] = {
        "url": URL,
        "login": "login",
        "password": "password",
        "callback_secret": "callback-secret-1234567",
    }
    return GmsConnector(**(fields | changes))


def asked(handed: Handover, **changes: Any) -> Request:
    request = Gms(settings(**changes)).request(handed)
    assert isinstance(request, Request)
    return request


def said(handed: Handover, **changes: Any) -> dict[str, Any]:
    return dict(json.loads(asked(handed, **changes).body))


# ---- what is said

BUTTON = {"caption": "Open", "action": LINK}


@pytest.mark.parametrize(
    ("content", "channel", "options"),
    [
        pytest.param(ViberText(text="Hi"), "viber", {"text": "Hi", "ttl": 60}, id="text"),
        pytest.param(ViberImage(image=PICTURE), "viber", {"img": PICTURE, "ttl": 60}, id="image"),
        pytest.param(
            ViberImage(image=PICTURE, url=LINK),
            "viber",
            {"img": PICTURE, "ttl": 60},
            id="image with a link, which needs a button",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK),
            "viber",
            {"text": "Hi", **BUTTON, "ttl": 60},
            id="button",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE),
            "viber",
            {"text": "Hi", **BUTTON, "img": PICTURE, "ttl": 60},
            id="button with an image",
        ),
        pytest.param(SmsText(text="Hi"), "sms", {"text": "Hi", "ttl": 300}, id="SMS"),
        pytest.param(
            WapPush(url=LINK, text="See"),
            "sms",
            {"text": f"See {LINK}", "ttl": 300},
            id="WAP push, as a text",
        ),
    ],
)
def test_a_message_is_said_as_its_kind_wants(
    content: ViberContent | SmsContent, channel: str, options: dict[str, Any]
) -> None:
    request = asked(handover(content))
    assert (request.method, request.url) == ("POST", URL)
    assert request.headers["authorization"] == "Basic bG9naW46cGFzc3dvcmQ="
    assert said(handover(content)) == {
        "phone_number": int(TO),
        "extra_id": KEY,
        "channels": [channel],
        "channel_options": {channel: {**options, "alpha_name": "Shop"}},
    }


def test_a_template_goes_by_its_text() -> None:
    template = Template(id="t-1", language="uk", kind="transaction", parameters={"pin": "1234"})
    told = said(handover(ViberText(text="Code 1234"), template=template))
    assert told["channel_options"]["viber"]["text"] == "Code 1234"


def test_a_flash_message_is_not_carried() -> None:
    assert Gms(settings()).request(handover(FlashSms(text="Hi"))) == Never(
        "content not carried", Fault.CONTENT
    )


@pytest.mark.parametrize(
    ("content", "lifetime_s", "ttl"),
    [
        (ViberText(text="Hi"), 1, 40),
        (ViberText(text="Hi"), 86_400, 86_400),
        (ViberText(text="Hi"), 604_800, 86_400),
        (SmsText(text="Hi"), 1, 300),
        (SmsText(text="Hi"), 604_800, 259_200),
    ],
)
def test_the_lifetime_is_within_gmss_limits(
    content: ViberContent | SmsContent, lifetime_s: int, ttl: int
) -> None:
    (options,) = said(handover(content, lifetime_s=lifetime_s))["channel_options"].values()
    assert options["ttl"] == ttl


@pytest.mark.parametrize(
    ("senders", "sender"),
    [({}, "Shop"), ({"Shop": "S1", "*": "S2"}, "S1"), ({"*": "S2"}, "S2"), ({"Else": "S1"}, "Shop")],
)
def test_a_sender_name_is_its_own_or_the_one_it_is_registered_by(
    senders: dict[str, str], sender: str
) -> None:
    assert said(handover(), senders=senders)["channel_options"]["viber"]["alpha_name"] == sender


def test_a_name_for_viber_and_the_same_name_for_sms_are_two_senders() -> None:
    assert asked(handover(ViberText(text="Hi"))).scope == "viber Shop"
    assert asked(handover(SmsText(text="Hi"))).scope == "sms Shop"


def test_reports_are_ordered_where_the_setting_says() -> None:
    assert "callback_url" not in said(handover())
    assert said(handover(), callback_url=HOOK)["callback_url"] == HOOK


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("callback_url", "https://us.example/" + "x" * 240),
        ("statuses", {"35021": "nobody"}),
        ("statuses", {"x": "seen"}),
        ("password", ""),
    ],
)
def test_what_gms_could_not_take_is_told_when_the_settings_are_read(key: str, value: object) -> None:
    good = {"kind": "gms", "url": URL, "login": "l", "password": "p", "callback_secret": "s" * 16}
    with pytest.raises(ConfigError, match=rf"^connectors\.gms\.{key}"):
        parse({"connectors": {"gms": {**good, key: value}}})


# ---- what is answered


def reply(body: bytes, status: int = 200) -> Reply:
    return Reply(status, {}, body)


@pytest.mark.parametrize("told", [case for case in CASES.answers.values() if not isinstance(case, str)])
def test_an_answer_means_what_the_table_of_channels_says(told: Any) -> None:
    http_status, body, expected = told
    assert Gms(make(URL)).answer(reply(body, http_status)) == expected


@pytest.mark.parametrize(
    ("body", "status", "statuses", "expected"),
    [
        pytest.param(refused(7), 200, {}, Never("7", Fault.CONTENT), id="a code that nobody knows"),
        pytest.param(refused(7), 503, {"7": "sender"}, Never("7", Fault.SENDER), id="its word before HTTP's"),
        pytest.param(refused(7), 200, {"7": "later"}, Later(5.0, "7"), id="later"),
        pytest.param(refused(7), 200, {"7": "delivered"}, Unknown("7"), id="a word for reports"),
        pytest.param(
            b'{"message_id":"x","accepted":false}',
            200,
            {},
            Never("not accepted", Fault.CONTENT),
            id="not accepted",
        ),
        pytest.param(b'{"message_id":"x","accepted":true}', 200, {}, Taken("x"), id="accepted"),
        pytest.param(b'{"message_id":""}', 200, {}, Unknown("http 200"), id="no id"),
        pytest.param(b'{"message_id":"x"}', 500, {}, Unknown("http 500"), id="an id with an error of HTTP's"),
        pytest.param(b"[" * 100_000, 200, {}, Unknown("http 200"), id="nested too deeply"),
    ],
)
def test_its_own_code_goes_before_what_http_says(
    body: bytes, status: int, statuses: dict[str, str], expected: object
) -> None:
    assert answer(reply(body, status), statuses) == expected


@given(st.binary(), st.sampled_from([200, 400, 401, 429, 500, 503]))
def test_whatever_is_answered_means_something(body: bytes, http_status: int) -> None:
    assert isinstance(answer(reply(body, http_status), {}), Taken | Later | Never | Unknown)


# ---- what is reported later


@pytest.mark.parametrize("told", [case for case in CASES.reports.values() if not isinstance(case, str)])
def test_a_report_means_what_the_table_of_channels_says(told: Any) -> None:
    body, outcome, fault = told
    receipts = Gms(make(URL)).callback("gms", Callback({}, "", body)).receipts
    assert [receipt.outcome for receipt in receipts] == ([] if outcome is None else [outcome])
    for receipt in receipts:
        assert (receipt.connector, receipt.provider_id, receipt.recipient) == ("gms", ID, TO)
        assert receipt.raw == body.decode()
        assert fault is None or receipt.fault is fault


@pytest.mark.parametrize(
    ("body", "statuses", "outcome"),
    [
        pytest.param(report(2, 0, 0), {}, Outcome.DELIVERED, id="the simple status alone"),
        pytest.param(report(3, 0, 0), {}, Outcome.FAILED, id="the simple status alone: a failure"),
        pytest.param(report(1, 0, 0), {}, Outcome.PROGRESS, id="the simple status alone: under way"),
        pytest.param(report(-1, -1, -1), {}, Outcome.PROGRESS, id="nothing yet"),
        pytest.param(report(9, 99, 99999), {}, Outcome.PROGRESS, id="what nobody knows ends nothing"),
        pytest.param(report(3, 35, 35015), {}, Outcome.EXPIRED, id="expired"),
        pytest.param(report(3, 35, 35099), {}, Outcome.FAILED, id="another one of its kind"),
        pytest.param(report(2, 26, 26011), {}, Outcome.EXPIRED, id="not delivered within its TTL"),
        pytest.param(report(2, 24, 24033), {"24": "seen"}, Outcome.SEEN, id="all of a kind"),
        pytest.param(
            report(2, 24, 24033), {"24": "seen", "24033": "progress"}, Outcome.PROGRESS, id="one of a kind"
        ),
        pytest.param(report(3, 35, 35015), {"35": "blocked"}, Outcome.FAILED, id="the operator before us"),
        pytest.param(report(3, 36, 36001), {"36001": "later"}, Outcome.EXPIRED, id="an error that passes"),
    ],
)
def test_the_most_precise_code_that_is_known_decides(
    body: bytes, statuses: dict[str, str], outcome: Outcome
) -> None:
    (receipt,) = parse_callback("gms", body, statuses).receipts
    assert receipt.outcome is outcome


def test_every_code_that_is_known_here_says_something() -> None:
    for code in STATUSES:
        (receipt,) = parse_callback("gms", report(0, int(code[:2]), int(code)), {}).receipts
        assert receipt.code == code


def test_several_reports_come_at_once_and_one_that_cannot_be_read_is_passed_over() -> None:
    items = [
        json.loads(report(2, 23, 23033)),
        5,
        {"status": "x"},
        {},
        {"message_id": None, "status": 2},
        REPLY,
    ]
    said = parse_callback("gms", json.dumps(items).encode(), {})
    assert [receipt.outcome for receipt in said.receipts] == [Outcome.DELIVERED]
    assert len(said.incoming) == 1


@pytest.mark.parametrize(
    ("fields", "text", "about"),
    [
        pytest.param({}, "Дякую", ID, id="an answer"),
        pytest.param({"message_id": None}, "Дякую", "", id="to no message of ours"),
        pytest.param({"text_from_subscriber": None, "media": LINK}, LINK, ID, id="a file"),
    ],
)
def test_what_a_reader_writes_is_an_incoming_message(fields: dict[str, Any], text: str, about: str) -> None:
    (one,) = parse_callback("gms", json.dumps(REPLY | fields).encode(), {}).incoming
    assert (one.sender, one.about) == (TO, about)
    assert one.payload.decode("utf-16-be") == text


@pytest.mark.parametrize("body", [b"", b"5", b"[1,", b"{", b"[" * 100_000, b"\xff", b'"x"'])
def test_garbage_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="the callback is no report of GMS"):
        parse_callback("gms", body, {})


@given(st.binary() | st.builds(lambda body: b"[" + body + b"]", st.binary()))
def test_whatever_a_callback_is_it_is_read_or_garbage(body: bytes) -> None:
    try:
        parse_callback("gms", body, {})
    except ValueError:
        return


# ---- polling

REPORTS = "https://dr-v2-site.hyber.im/1234"


def test_it_is_not_asked_where_no_address_is_set() -> None:
    assert Gms(settings()).poll_s == 0
    assert Gms(settings(reports_url=REPORTS)).poll_s > 0


def test_what_became_of_a_message_is_asked_by_its_id() -> None:
    gms = Gms(settings(reports_url=REPORTS + "/"))
    request = gms.question([ID])
    assert gms.poll_most == 1
    assert (request.method, request.url) == ("GET", f"{REPORTS}/api/dr/{ID}/simple")
    assert request.headers["authorization"].startswith("Basic ")
    assert gms.question(["a/../b?c"]).url == f"{REPORTS}/api/dr/a%2F..%2Fb%3Fc/simple"


def test_the_report_that_was_asked_for_tells_an_ending() -> None:
    gms = Gms(settings(reports_url=REPORTS))
    delivered = json.loads(report(2, 23, 23033))
    asked_for = {**delivered, "phone_number": str(delivered.pop("number")), "last_partner": "viber"}
    del asked_for["number"]
    (receipt,) = gms.receipts("gms", [ID], reply(json.dumps(asked_for).encode()))
    assert (receipt.provider_id, receipt.recipient, receipt.outcome) == (ID, TO, Outcome.DELIVERED)
    assert gms.receipts("gms", [ID], reply(report(-1, -1, -1))) == []
    assert gms.receipts("gms", ["another"], reply(report(2, 23, 23033))) == []
    with pytest.raises(ValueError, match="http 404"):
        gms.receipts("gms", [ID], reply(b"", 404))
