"""The TurboSMS channel: what is said to TurboSMS, what its answers and webhooks mean."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from http_ends import TO, handover
from hypothesis import given
from hypothesis import strategies as st
from provider_cases.turbosms import CASES, ID, KEY, LINK, PICTURE, SIGNED, answered, event, make, report

from hopwire.channels.http import Callback, ForgedError, Reply, Request
from hopwire.channels.turbosms import CODES, DOUBT, LATER, OUTCOMES, REJECTIONS, TurboSms, answer
from hopwire.config import TurboSmsConnector
from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
    Outcome,
    Receipt,
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

URL = "https://api.turbosms.ua"


def settings(**changes: Any) -> TurboSmsConnector:
    fields: dict[str, Any] = {"token": "token", "signature_secret": SIGNED}
    return TurboSmsConnector(callback_secret="callback-secret-1234567", **(fields | changes))


def asked(handed: Handover, **changes: Any) -> Request:
    request = TurboSms(settings(**changes)).request(handed)
    assert isinstance(request, Request)
    return request


def said(handed: Handover, **changes: Any) -> dict[str, Any]:
    return dict(json.loads(asked(handed, **changes).body))


# ---- what is said


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        pytest.param(ViberText(text="Hi"), {"viber": {"text": "Hi", "ttl": 60}}, id="text"),
        pytest.param(ViberImage(image=PICTURE), {"viber": {"image_url": PICTURE, "ttl": 60}}, id="image"),
        pytest.param(
            ViberImage(image=PICTURE, url=LINK),
            {"viber": {"image_url": PICTURE, "ttl": 60}},
            id="image with a link, which has no place",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK),
            {"viber": {"text": "Hi", "caption": "Open", "action": LINK, "ttl": 60}},
            id="button",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE),
            {"viber": {"text": "Hi", "caption": "Open", "action": LINK, "image_url": PICTURE, "ttl": 60}},
            id="button with an image",
        ),
        pytest.param(SmsText(text="Hi"), {"sms": {"text": "Hi"}}, id="SMS"),
        pytest.param(FlashSms(text="Hi"), {"sms": {"text": "Hi", "is_flash": 1}}, id="flash"),
        pytest.param(
            WapPush(url=LINK, text="See"), {"sms": {"text": f"See {LINK}"}}, id="WAP push, as a text"
        ),
    ],
)
def test_a_message_is_one_block_to_one_recipient(
    content: ViberContent | SmsContent, blocks: dict[str, dict[str, Any]]
) -> None:
    request = asked(handover(content))
    assert (request.method, request.url) == ("POST", f"{URL}/message/send.json")
    assert request.headers == {"authorization": "Bearer token", "content-type": "application/json"}
    (name, block), *_ = blocks.items()
    assert said(handover(content)) == {
        "sequence_id": KEY,
        "recipients": [TO],
        name: {"sender": "Shop", **block},
    }
    assert request.scope == f"{name} Shop"


@pytest.mark.parametrize(("lifetime_s", "ttl"), [(1, 60), (60, 60), (86_400, 86_400), (604_800, 86_400)])
def test_the_lifetime_is_within_turbosmss_limits(lifetime_s: int, ttl: int) -> None:
    assert said(handover(lifetime_s=lifetime_s))["viber"]["ttl"] == ttl


OTP = Template(id="t", language="uk", kind="transaction", parameters={"pin": "1234"})
NEWS = Template(id="t", language="uk", kind="promotion")
PRESSED = ViberButton(text="Hi", caption="Open", url=LINK)


@pytest.mark.parametrize(
    ("content", "template", "label", "transactional"),
    [
        pytest.param(ViberText(text="Hi"), None, "promotion", False, id="a promotion"),
        pytest.param(ViberText(text="Hi"), None, "transaction", True, id="transactions are agreed"),
        pytest.param(ViberText(text="Hi"), OTP, "promotion", True, id="a template of a transaction"),
        pytest.param(ViberText(text="Hi"), NEWS, "transaction", False, id="a template of a promotion"),
        pytest.param(PRESSED, None, "transaction", False, id="a button is none"),
        pytest.param(ViberImage(image=PICTURE), None, "transaction", False, id="an image is none"),
    ],
)
def test_a_transaction_is_a_text_that_is_one(
    content: ViberContent, template: Template | None, label: str, transactional: bool
) -> None:
    block = said(handover(content, template=template), label=label)["viber"]
    assert block.get("is_transactional") == (1 if transactional else None)


@pytest.mark.parametrize(
    ("senders", "sender"),
    [({}, "Shop"), ({"Shop": "S1", "*": "S2"}, "S1"), ({"*": "S2"}, "S2"), ({"Else": "S1"}, "Shop")],
)
def test_a_sender_name_is_its_own_or_the_one_it_is_registered_by(
    senders: dict[str, str], sender: str
) -> None:
    assert said(handover(), senders=senders)["viber"]["sender"] == sender


# ---- what is answered


def reply(body: bytes, status: int = 200) -> Reply:
    return Reply(status, {}, body)


def expected(code: int) -> Answer:
    _, meaning = CODES[code]
    if meaning is LATER:
        return Later(30.0 if code == 427 else 5.0, str(code), tries=3)
    return Never(str(code), meaning) if isinstance(meaning, Fault) else Unknown(str(code))


def test_every_code_has_its_answer_of_the_recipient_and_of_the_request() -> None:
    for code in CODES:
        assert answer(reply(answered(code, of_request=802))) == expected(code)
        whole = {"response_code": code, "response_status": "STATUS", "response_result": None}
        assert answer(reply(json.dumps(whole).encode())) == expected(code)
    assert answer(reply(answered(998))) == Never("998", Fault.CONTENT)


def test_a_code_of_doubt_leaves_the_message_in_doubt() -> None:
    assert {code for code, (_, meaning) in CODES.items() if meaning is DOUBT} == {500, 501, 999}


@pytest.mark.parametrize("told", [case for case in CASES.answers.values() if not isinstance(case, str)])
def test_an_answer_means_what_the_table_of_channels_says(told: Any) -> None:
    http_status, body, meaning = told
    assert answer(reply(body, http_status)) == meaning


@pytest.mark.parametrize("code", [0, 800, 801, 802, 803])
def test_what_was_accepted_has_an_id(code: int) -> None:
    assert answer(reply(answered(0, ID, of_request=code))) == Taken(ID)
    assert answer(reply(answered(0, of_request=code))) == Unknown("0")


def test_a_request_that_was_made_before_means_what_it_meant_then() -> None:
    assert answer(reply(answered(0, ID, of_request=507))) == Taken(ID)
    assert answer(reply(answered(305, of_request=507))) == Never("305", Fault.NUMBER)
    assert answer(reply(b'{"response_code":507,"response_result":null}')) == Unknown("507")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no code"),
        pytest.param(b'{"response_code":0,"response_result":5}', id="results that are none"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
        pytest.param(b'{"response_code":"\xff"}', id="no UTF-8"),
    ],
)
def test_what_is_no_answer_leaves_the_message_in_doubt(body: bytes) -> None:
    assert answer(reply(body)) == Unknown("http 200")


@given(st.binary(), st.sampled_from([200, 302, 401, 429, 500, 503]))
def test_whatever_is_answered_means_something(body: bytes, http_status: int) -> None:
    assert isinstance(answer(reply(body, http_status)), Taken | Later | Never | Unknown)


# ---- what is reported later


def callback(body: bytes, kind: str = "application/json") -> Callback:
    return Callback({"content-type": kind}, "", body)


def receipts(body: bytes, kind: str = "application/json") -> list[Receipt]:
    return list(TurboSms(make(URL)).callback("turbosms", callback(body, kind)).receipts)


@pytest.mark.parametrize(
    "told", [case for case in CASES.reports.values() if not isinstance(case, str) and case[1] is not None]
)
def test_a_report_means_what_the_table_of_channels_says(told: Any) -> None:
    body, outcome, fault = told
    (receipt,) = receipts(body)
    assert (receipt.connector, receipt.provider_id, receipt.recipient) == ("turbosms", ID, TO)
    assert receipt.outcome is outcome
    assert fault is None or receipt.fault is fault
    assert json.loads(receipt.raw)["message_id"] == ID


@pytest.mark.parametrize("word", OUTCOMES)
def test_every_status_word_has_its_outcome_in_small_letters_and_in_capitals(word: str) -> None:
    for spelt in (word, word.upper(), word.capitalize()):
        (receipt,) = receipts(report(spelt, kind="DLR_SMS_API"))
        assert (receipt.outcome, receipt.code) == (OUTCOMES[word], spelt)


@pytest.mark.parametrize("reason", REJECTIONS)
def test_a_rejection_says_whose_fault_it_is(reason: str) -> None:
    (receipt,) = receipts(report("Rejected", reason))
    assert (receipt.outcome, receipt.fault, receipt.code) == (Outcome.FAILED, REJECTIONS[reason], reason)


def form(body: bytes) -> bytes:
    told = json.loads(body)
    data = told.pop("data")
    return urlencode({**told, **{f"data[{name}]": value for name, value in data.items()}}).encode()


FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def test_a_webhook_may_be_a_form() -> None:
    body = report("Rejected", "SRVC_NOT_VIBER_USER")
    (as_json,), (as_form,) = receipts(body), receipts(form(body), FORM)
    assert (as_form.provider_id, as_form.recipient, as_form.code, as_form.fault) == (
        as_json.provider_id,
        as_json.recipient,
        as_json.code,
        as_json.fault,
    )


def test_a_webhook_may_tell_of_several_and_what_cannot_be_read_is_passed_over() -> None:
    one = {"message_id": ID, "recipient": int(TO), "status": "Delivered"}
    many = [one, {**one, "status": "Read"}, {**one, "status": "Odd"}, {**one, "message_id": ""}, 5, {}]
    told = receipts(event("DLR_VIBER_SESSION", many))
    assert [(receipt.outcome, receipt.recipient) for receipt in told] == [
        (Outcome.DELIVERED, TO),
        (Outcome.SEEN, TO),
    ]


@pytest.mark.parametrize("kind", ["VIBER_BUTTON_CLICK", "DLR_SMS_SMPP", "NEW_TYPE"])
def test_a_webhook_about_something_else_says_nothing(kind: str) -> None:
    assert receipts(report("Delivered", kind=kind)) == []


def test_a_reply_on_viber_is_an_incoming_message() -> None:
    inbox = {"phone": "+" + TO, "sender": "Shop", "text": "Дякую", "message_id": ID}
    body = event("INBOX_VIBER_SESSION", inbox)
    (one,) = TurboSms(make(URL)).callback("turbosms", callback(body)).incoming
    assert (one.sender, one.recipient, one.about) == (TO, "Shop", ID)
    assert one.payload.decode("utf-16-be") == "Дякую"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(event("DLR_VIBER_API", {}, secret="guess"), id="another secret"),
        pytest.param(report("Delivered").replace(b'"e1"', b'"e2"'), id="another id"),
        pytest.param(b'{"id":"e1","signature":"","type":"DLR_VIBER_API"}', id="no signature"),
        pytest.param('{"id":"e1","signature":"ї","type":"DLR_VIBER_API"}'.encode(), id="no hash at all"),
    ],
)
def test_a_webhook_that_is_not_signed_with_the_secret_is_forged(body: bytes) -> None:
    with pytest.raises(ForgedError):
        receipts(body)


@pytest.mark.parametrize("kind", ["application/json", FORM])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"id=1", b"[" * 100_000, b"\xff", b'{"id":{}}'])
def test_garbage_is_a_value_error(body: bytes, kind: str) -> None:
    with pytest.raises(ValueError, match="the callback is no webhook of TurboSMS"):
        receipts(body, kind)


@given(
    st.binary() | st.builds(lambda item: event("DLR_SMS_API", item), st.dictionaries(st.text(), st.text()))
)
def test_whatever_a_callback_is_it_is_read_forged_or_garbage(body: bytes) -> None:
    for kind in ("application/json", FORM):
        try:
            receipts(body, kind)
        except (ValueError, ForgedError):
            continue


# ---- polling


def test_messages_are_asked_about_by_their_ids() -> None:
    question = TurboSms(settings()).question([ID, "b"])
    assert (question.method, question.url) == ("POST", f"{URL}/message/status.json")
    assert json.loads(question.body) == {"messages": [ID, "b"]}


def test_the_answer_to_a_question_tells_what_has_ended() -> None:
    one = {"message_id": ID, "recipient": TO, "status": "Read", "type": "viber", "rejected_status": None}
    result = [one, {**one, "message_id": "b", "status": "Sent"}, {"message_id": "c", "response_code": 414}]
    body = json.dumps({"response_code": 0, "response_status": "OK", "response_result": result}).encode()
    (receipt,) = TurboSms(settings()).receipts("turbosms", [ID, "b", "c"], reply(body))
    assert (receipt.provider_id, receipt.outcome) == (ID, Outcome.SEEN)


def test_an_answer_to_a_question_that_is_none_is_garbage() -> None:
    with pytest.raises(ValueError, match="http 502"):
        TurboSms(settings()).receipts("turbosms", [ID], reply(b"<html>", 502))
