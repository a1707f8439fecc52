"""What Infobip tells later, and what it tells when it is asked."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from http_ends import TO
from hypothesis import given
from hypothesis import strategies as st
from provider_cases.infobip import CASES, KEY, LINK, make, problem, report
from test_channel_infobip import URL, reply, settings

from hopwire.channels.http import Callback
from hopwire.channels.infobip import ERRORS, LATER, Infobip, parse_callback
from hopwire.model import Incoming, Outcome


@pytest.mark.parametrize(
    "told", [case for case in CASES.reports.values() if not isinstance(case, str) and case[1] is not None]
)
def test_a_report_means_what_the_table_of_channels_says(told: Any) -> None:
    body, outcome, fault = told
    (receipt,) = Infobip(make(URL)).callback("infobip", Callback({}, "", body)).receipts
    assert (receipt.connector, receipt.provider_id, receipt.outcome) == ("infobip", KEY, outcome)
    assert fault is None or receipt.fault is fault
    assert receipt.recipient == ("" if outcome is Outcome.SEEN else TO)
    assert json.loads(receipt.raw)["messageId"] == KEY


def test_every_error_of_infobips_has_its_outcome() -> None:
    for error, (_, fault) in ERRORS.items():
        (receipt,) = parse_callback("infobip", report(2, 9, error)).receipts
        expected = Outcome.EXPIRED if fault is LATER else Outcome.FAILED
        assert (receipt.outcome, receipt.code) == (expected, str(error))
        assert fault is LATER or receipt.fault is fault


@pytest.mark.parametrize(
    ("body", "outcome", "code"),
    [
        pytest.param(report(2, 9, 27, False), Outcome.EXPIRED, "27", id="an error that passes"),
        pytest.param(report(2, 9, 500, True), Outcome.FAILED, "500", id="a permanent error"),
        pytest.param(report(2, 4), Outcome.FAILED, "4", id="no error"),
        pytest.param(report(5, 12), Outcome.FAILED, "12", id="rejected without an error"),
        pytest.param(report(5, 21), Outcome.EXPIRED, "21", id="rejected for a reason that passes"),
        pytest.param(report(1, 3), Outcome.PROGRESS, "3", id="pending"),
        pytest.param(report(9, 77), Outcome.PROGRESS, "77", id="a group that is not known"),
    ],
)
def test_what_ended_a_message_decides(body: bytes, outcome: Outcome, code: str) -> None:
    (receipt,) = parse_callback("infobip", body).receipts
    assert (receipt.outcome, receipt.code) == (outcome, code)


@pytest.mark.parametrize("body", [report(5, 23), report(2, 9, 7280)], ids=["status", "error"])
def test_a_duplicate_of_our_own_ends_nothing(body: bytes) -> None:
    assert parse_callback("infobip", body).receipts == []


REPLY = {
    "sender": TO,
    "to": "Shop",
    "integrationType": "VIBER",
    "messageId": "in-1",
    "pairedMessageId": KEY,
    "message": {"type": "TEXT", "text": "Дякую", "trackingData": "m:17"},
}


def told(result: dict[str, Any]) -> Incoming:
    body = json.dumps({"results": [result], "messageCount": 1, "pendingMessageCount": 0}).encode()
    said = parse_callback("infobip", body)
    assert said.receipts == []
    (one,) = said.incoming
    return one


@pytest.mark.parametrize(
    ("message", "text", "about"),
    [
        pytest.param({"text": "Дякую", "trackingData": "m:17"}, "Дякую", "m:17", id="our tracking data"),
        pytest.param({"text": "Дякую", "trackingData": "a1b2"}, "Дякую", KEY, id="made-up tracking data"),
        pytest.param({"text": "Дякую"}, "Дякую", KEY, id="no tracking data"),
        pytest.param({"type": "FILE", "url": LINK}, LINK, KEY, id="a file"),
    ],
)
def test_a_reply_on_viber_is_an_incoming_message(message: dict[str, str], text: str, about: str) -> None:
    one = told(REPLY | {"message": message})
    assert (one.sender, one.recipient, one.about) == (TO, "Shop", about)
    assert one.payload.decode("utf-16-be") == text


def test_a_reply_by_sms_is_an_incoming_message() -> None:
    one = told({"messageId": "in-2", "from": "+" + TO, "to": "4111", "text": "STOP", "keyword": "STOP"})
    assert (one.sender, one.recipient, one.about) == (TO, "4111", "")
    assert one.payload.decode("utf-16-be") == "STOP"


def test_several_items_come_at_once_and_one_that_cannot_be_read_is_passed_over() -> None:
    items = [json.loads(report(3, 5))["results"][0], 5, {"messageId": 7}, {}, {"messageId": "x"}, REPLY]
    said = parse_callback("infobip", json.dumps({"results": items}).encode())
    assert [receipt.outcome for receipt in said.receipts] == [Outcome.DELIVERED]
    assert len(said.incoming) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"results":5}', b"[" * 100_000, b"\xff"])
def test_garbage_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="the callback has no results"):
        parse_callback("infobip", body)


@given(st.binary() | st.builds(lambda body: b'{"results":[' + body + b"]}", st.binary()))
def test_whatever_a_callback_is_it_is_read_or_garbage(body: bytes) -> None:
    try:
        parse_callback("infobip", body)
    except ValueError:
        return


# ---- polling


def test_the_logs_of_viber_and_of_sms_are_asked_in_turn() -> None:
    infobip = Infobip(settings())
    first, second = infobip.question([KEY, "18-0-0"]), infobip.question([KEY])
    assert [urlsplit(one.url).path for one in (first, second)] == ["/viber/2/logs", "/sms/3/logs"]
    assert parse_qs(urlsplit(first.url).query) == {"messageId": [f"{KEY},18-0-0"], "limit": ["2"]}
    assert (first.method, first.headers["authorization"]) == ("GET", "App key")


def test_so_many_ids_fit_into_a_question() -> None:
    infobip = Infobip(settings())
    longest = f"{2**53}-1-99"
    assert len(infobip.question([longest] * infobip.poll_most).url) < 2048


def test_the_logs_tell_what_has_ended_of_what_was_asked() -> None:
    item = json.loads(report(3, 5))["results"][0]
    logged = {**item, "destination": item["to"], "to": ""}
    pending = {**logged, "messageId": "18-0-0", "status": {"groupId": 1, "id": 7}}
    foreign = {**logged, "messageId": "19-0-0"}
    body = json.dumps({"results": [logged, pending, foreign]}).encode()
    (receipt,) = Infobip(settings()).receipts("infobip", [KEY, "18-0-0"], reply(body))
    assert (receipt.provider_id, receipt.recipient, receipt.outcome) == (KEY, TO, Outcome.DELIVERED)


def test_logs_that_are_refused_are_garbage() -> None:
    with pytest.raises(ValueError, match="http 429"):
        Infobip(settings()).receipts("infobip", [KEY], reply(problem(429), 429))
