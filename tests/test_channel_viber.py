"""Viber's partner API: what is said to Viber, what its answers mean, and what it reports later."""

import json
from typing import Any

import pytest
from http_ends import TO, handover
from hypothesis import given
from hypothesis import strategies as st

from hopwire.channels.http import Callback, Reply, Request, Said
from hopwire.channels.viber import CODES, ViberPartner, body, parse_callback
from hopwire.channels.viber import answer as answer_to
from hopwire.config import ViberConnector
from hopwire.model import (
    Answer,
    Fault,
    Incoming,
    Later,
    Never,
    Outcome,
    Receipt,
    SmsText,
    Taken,
    Template,
    Unknown,
    Unsubscribed,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
)

TOKEN = "5379697806260881548"
OK = b'{"status":0,"seq":17,"message_token":"' + TOKEN.encode() + b'"}'
IMAGE, LINK = "https://a.example/a.png", "https://b.example/"


def settings(**changes: Any) -> ViberConnector:
    fields: dict[str, Any] = {"service_ids": {"Shop": 3100}, "callback_secret": "x" * 16}
    return ViberConnector(**(fields | changes))


def answer(status: int, text: bytes, **headers: str) -> Answer:
    return answer_to(Reply(status, headers, text))


# ---- what is said

TEXT = ViberText(text="Hi")
PICTURE, LINKED = ViberImage(image=IMAGE), ViberImage(image=IMAGE, url=LINK)
BUTTON = ViberButton(text="Hi", caption="Open", url=LINK)
PICTURED = ViberButton(text="Hi", caption="Open", url=LINK, image=IMAGE)
PRESSED = {"#txt": "Hi", "#caption": "Open", "#action": LINK}
SHOWN = {**PRESSED, "#img": IMAGE}
GIF = "https://a.example/A.GIF?x=1"
MOVING = ViberImage(image=GIF)


@pytest.mark.parametrize(
    ("content", "mode", "label", "kind", "message"),
    [
        pytest.param(TEXT, "twoway", "promotion", 225, {"#txt": "Hi"}, id="text"),
        pytest.param(TEXT, "twoway", "transaction", 206, {"#txt": "Hi"}, id="transactional text"),
        pytest.param(TEXT, "oneway", "promotion", 106, {"#txt": "Hi"}, id="one-way text"),
        pytest.param(PICTURE, "twoway", "promotion", 207, {"#img": IMAGE}, id="image"),
        pytest.param(PICTURE, "oneway", "promotion", 107, {"#img": IMAGE}, id="one-way image"),
        pytest.param(LINKED, "oneway", "promotion", 107, {"#img": IMAGE}, id="image with a link"),
        pytest.param(MOVING, "twoway", "promotion", 207, {"#img": GIF, "#imageFormat": "gif"}, id="gif"),
        pytest.param(BUTTON, "twoway", "promotion", 209, PRESSED, id="button"),
        pytest.param(BUTTON, "oneway", "promotion", 109, PRESSED, id="one-way button"),
        pytest.param(PICTURED, "twoway", "transaction", 208, SHOWN, id="button with an image"),
        pytest.param(PICTURED, "oneway", "promotion", 108, SHOWN, id="one-way button with an image"),
    ],
)
def test_a_message_is_said_as_its_kind_and_mode_want(
    content: ViberContent, mode: Any, label: Any, kind: int, message: dict[str, str]
) -> None:
    tracking = {"#tracking_data": "m:17"} if mode == "twoway" else {}
    assert body(handover(content), settings(mode=mode, label=label)) == {
        "service_id": 3100,
        "dest": TO,
        "seq": 17,
        "type": kind,
        "label": label,
        "ttl": 60,
        "message": message | tracking,
    }


def test_the_lifetime_is_never_below_viber_s_least() -> None:
    said = [body(handover(lifetime_s=s), settings()) for s in (1, 30, 86_400)]
    assert [one["ttl"] for one in said if one] == [30, 30, 86_400]


CODE = Template(id="2c01", language="uk", kind="transaction", parameters={"pin": "1234"})


@pytest.mark.parametrize("kind", [1701, 1702])
@pytest.mark.parametrize("mode", ["twoway", "oneway"])
def test_a_text_with_a_template_is_said_as_its_template(kind: Any, mode: Any) -> None:
    """Types 1701 and 1702 have no `message` and so no tracking data."""
    chosen = settings(mode=mode, template_type=kind)
    assert body(handover(TEXT, template=CODE), chosen) == {
        "service_id": 3100,
        "dest": TO,
        "seq": 17,
        "type": kind,
        "label": "transaction",
        "ttl": 60,
        "templateId": "2c01",
        "templateLang": "uk",
        "templateParams": {"pin": "1234"},
    }


@pytest.mark.parametrize(("sender", "service"), [("Shop", 3100), ("Else", 7), ("shop", 7)])
def test_a_sender_name_has_its_service_id_or_the_one_for_every_other(sender: str, service: int) -> None:
    said = body(handover(sender=sender), settings(service_ids={"Shop": 3100, "*": 7}))
    assert said is not None
    assert said["service_id"] == service


def test_viber_carries_no_sms() -> None:
    with pytest.raises(TypeError, match="SmsText"):
        body(handover(SmsText(text="Hi")), settings())


def test_a_request_is_json_and_in_the_name_of_its_service() -> None:
    asked = ViberPartner(settings(url="https://viber.example/")).request(handover())
    assert isinstance(asked, Request)
    assert json.loads(asked.body) == body(handover(), settings())
    assert asked._replace(body=b"") == Request(
        "https://viber.example/", b"", {"content-type": "application/json"}, "POST", "3100"
    )


def test_a_name_without_a_service_id_cannot_be_asked_for() -> None:
    said = ViberPartner(settings()).request(handover(sender="Else"))
    assert said == Never("no service id", Fault.SENDER)


# ---- what is answered


def reply(status: int, **more: Any) -> bytes:
    return json.dumps({"status": status, "seq": 17, **more}).encode()


CONFIGURATION = (2, 4, 5, 11, 13, 14, 17, 18, 43, 401)
CONTENT = (3, 6, 20, 21, 28, 29, 30, 31, 32, 38, 39, 40, 41)
EXPECTED: dict[int, Answer] = {
    1: Later(1.0, "1"),
    7: Later(1.0, "7"),
    8: Never("8", Fault.BLOCKED),
    9: Never("9", Fault.NO_ACCOUNT),
    10: Never("10", Fault.RECIPIENT),
    12: Unknown("12"),
    27: Never("27", Fault.NUMBER),
    **{code: Never(str(code), Fault.CONFIGURATION) for code in CONFIGURATION},
    **{code: Never(str(code), Fault.CONTENT) for code in CONTENT},
    999: Never("999", Fault.CONTENT),  # an unknown code is a no
    -1: Never("-1", Fault.CONTENT),
}


def test_every_code_of_viber_s_has_its_answer() -> None:
    assert EXPECTED.keys() - {12, 999, -1} == CODES.keys()
    assert {code: answer(200, reply(code)) for code in EXPECTED} == EXPECTED


@pytest.mark.parametrize(
    ("said", "token"),
    [
        pytest.param({"message_token": TOKEN}, TOKEN, id="a string"),
        pytest.param({"message_token": int(TOKEN)}, TOKEN, id="a number"),
        pytest.param({"message_token": 2**64}, str(2**64), id="a number above 64 bits"),
        pytest.param({"message_token": TOKEN, "session_id": 1, "x": None}, TOKEN, id="with more"),
        pytest.param({}, "", id="absent"),
        pytest.param({"message_token": None}, "", id="null"),
    ],
)
def test_what_was_taken_is_taken_whatever_its_token(said: dict[str, Any], token: str) -> None:
    assert answer(200, reply(0, **said)) == Taken(token)


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        pytest.param(401, b"", Never("http 401", Fault.CONFIGURATION), id="not authorised"),
        pytest.param(403, b"<html>", Never("http 403", Fault.CONFIGURATION), id="forbidden"),
        pytest.param(429, b"", Later(1.0, "http 429", throttled=True), id="too many requests"),
        pytest.param(503, b"", Later(1.0, "http 503"), id="not available"),
        pytest.param(302, b"", Later(1.0, "http 302"), id="a redirect"),
        pytest.param(308, b"", Later(1.0, "http 308"), id="another redirect"),
        pytest.param(404, b"", Later(1.0, "http 404"), id="not found"),
        pytest.param(400, OK, Later(1.0, "http 400"), id="a refusal, whatever it says"),
    ],
)
def test_what_http_refuses_was_not_taken(status: int, text: bytes, expected: Answer) -> None:
    assert answer(status, text) == expected


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param(500, OK, id="a failure, whatever it says"),
        pytest.param(502, b"<html>", id="a proxy without an answer"),
        pytest.param(504, b"", id="a proxy that has waited too long"),
        pytest.param(202, b"", id="another success"),
        pytest.param(200, b"<html>It works!</html>", id="a page"),
        pytest.param(200, b"", id="nothing"),
        pytest.param(200, b"[0]", id="a list"),
        pytest.param(200, b"{}", id="no status"),
        pytest.param(200, b'{"status":null}', id="a status of nothing"),
        pytest.param(200, b'{"status":"\xff"}', id="no UTF-8"),
        pytest.param(200, b'{"status":0,"x":' + DEEP, id="nested too deeply"),
    ],
)
def test_what_is_no_answer_of_viber_s_leaves_the_message_in_doubt(status: int, text: bytes) -> None:
    assert answer(status, text) == Unknown(f"http {status}")


def test_a_server_that_says_when_is_asked_then() -> None:
    assert answer(503, b"", **{"retry-after": "30"}) == Later(30.0, "http 503")


@given(st.binary(max_size=200), st.integers(200, 599))
def test_any_answer_is_an_answer(text: bytes, status: int) -> None:
    assert isinstance(answer(status, text), Answer)


# ---- what is reported later


@pytest.mark.parametrize(
    ("reported", "outcome"),
    [(0, Outcome.DELIVERED), (1, Outcome.SEEN), (2, Outcome.EXPIRED)],
    ids=["delivered", "seen", "expired"],
)
@pytest.mark.parametrize("token", [TOKEN, int(TOKEN)], ids=["string", "number"])
@pytest.mark.parametrize("number", [TO, "+" + TO, int(TO)], ids=["digits", "a plus", "a number"])
def test_a_report_is_a_receipt(reported: int, outcome: Outcome, token: Any, number: Any) -> None:
    text = json.dumps({"message_token": token, "message_status": reported, "phone_number": number})
    receipt = Receipt(
        connector="viber", provider_id=TOKEN, recipient=TO, outcome=outcome, code=str(reported), raw=text
    )
    assert parse_callback("viber", text.encode()) == Said(receipts=[receipt])


def said(**fields: Any) -> Said:
    return parse_callback("viber", json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        pytest.param({"message_token": TOKEN}, TOKEN, id="a token"),
        pytest.param({"message_token": int(TOKEN)}, TOKEN, id="a token that is a number"),
        pytest.param({}, "", id="nothing"),
    ],
)
@pytest.mark.parametrize(
    ("tracking", "known"), [({}, ""), ({"tracking_data": "m:17"}, "m:17")], ids=["", "tracking data"]
)
def test_a_reply_of_the_reader_s_came_in(
    fields: dict[str, Any], about: str, tracking: dict[str, str], known: str
) -> None:
    """It answers the message that its tracking data names, else the one whose token it bears."""
    text = "Так 😀"
    told = said(**fields, phone_number="+" + TO, service_id=3100, time=1, message={"text": text, **tracking})
    assert told == Said(
        incoming=[
            Incoming(
                connector="viber",
                sender=TO,
                recipient="3100",
                data_coding=8,
                payload=text.encode("utf-16-be"),
                about=known or about,
            )
        ]
    )


def test_a_reader_who_unsubscribes_is_told_of() -> None:
    told = said(message_token=TOKEN, message_status=5, phone_number=TO)
    assert told == Said(unsubscribed=[Unsubscribed(connector="viber", number=TO, about=TOKEN)])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"message_token": "1", "message_status": 4},
        {"message_token": "1", "message_status": 1000},
        {"message_token": "1", "message_status": "0.5"},
        {"message_token": None, "message_status": 0},
        {"message_token": "", "message_status": 0},
        {"message_status": 0},
        {"message": None},
        {"message": "text"},
    ],
    ids=str,
)
def test_a_report_about_something_else_says_nothing(fields: dict[str, Any]) -> None:
    assert said(**fields) == Said()


@pytest.mark.parametrize(
    "text", [DEEP, b'{"x":' + DEEP, b'{"message_token":"1","message_status":0,"x":' + DEEP]
)
def test_a_report_that_is_nested_too_deeply_is_garbage(text: bytes) -> None:
    with pytest.raises(ValueError, match="the callback is not a JSON object"):
        parse_callback("viber", text)


@pytest.mark.parametrize("text", [b"", b"not json", b"[]", b"1", b"null", b'{"a":', b"\xff", b"{}{}"])
def test_what_is_no_object_is_garbage(text: bytes) -> None:
    with pytest.raises(ValueError, match="the callback is not a JSON object"):
        parse_callback("viber", text)


@given(st.binary(max_size=200))
def test_any_callback_is_read_or_is_garbage(text: bytes) -> None:
    try:
        told = ViberPartner(settings()).callback("viber", Callback({}, "", text))
    except ValueError:
        return
    assert isinstance(told, Said)
