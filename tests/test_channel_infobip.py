"""The Infobip channel: what is said to Infobip, what its answers mean."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from http_ends import TO, handover
from hypothesis import given
from hypothesis import strategies as st
from provider_cases.infobip import CASES, KEY, LINK, PICTURE, problem

from hopwire.channels.http import Reply, Request, http_answer
from hopwire.channels.infobip import LATER, STATUSES, Infobip, answer
from hopwire.config import InfobipConnector
from hopwire.model import (
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
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

URL = "https://x.api.infobip.com"
HOOK = "https://us.example/callbacks/infobip/callback-secret-1234567"


def settings(**changes: Any) -> InfobipConnector:
    fields: dict[str, Any] = {"url": URL, "api_key": "key", "callback_secret": "callback-secret-1234567"}
    return InfobipConnector(**(fields | changes))


def asked(handed: Handover, **changes: Any) -> Request:
    request = Infobip(settings(**changes)).request(handed)
    assert isinstance(request, Request)
    return request


def message(handed: Handover, **changes: Any) -> dict[str, Any]:
    (one,) = json.loads(asked(handed, **changes).body)["messages"]
    return dict(one)


# ---- what is said: the public API description, version 3.245, as a table of fields and their limits

Limits = tuple[int, int]  # characters
LINKS: Limits = (0, 1000)
BUTTON = {"title": (1, 30), "action": LINKS}
PERIOD = {"amount": range(1, 172_801), "timeUnit": {"SECONDS", "MINUTES", "HOURS"}}
HOOKS = {"delivery?": {"url": (1, 2048)}, "contentType?": {"application/json", "application/xml"}}
TEXT = {"type": {"TEXT"}, "text": (0, 1000), "button?": BUTTON}
IMAGE = {
    "type": {"IMAGE"},
    "mediaUrl": LINKS,
    "text?": (1, 1000),
    "button?": BUTTON,
    "imageAction?": LINKS,
    "imageFormat?": {"GIF", "IMG"},
}
TEMPLATE = {
    "type": {"TEMPLATE"},
    "templateId": (1, 10_000),
    "language": (1, 10),
    "parameters?": {"*": (0, 125)},
}
DESTINATION = {"to": (1, 15), "messageId": (0, 200)}
OPTIONS = {
    "validityPeriod": PERIOD,
    "label": {"PROMOTIONAL", "TRANSACTIONAL"},
    "trackingData?": (1, 100),
}


def envelope(content: object, options: object, hooks: object) -> dict[str, object]:
    fields = {"sender": (1, 10_000), "destinations": [DESTINATION], "content": content, "options": options}
    return {"messages": [{**fields, "webhooks?": hooks}]}


SEEN = {**HOOKS, "seen?": {"url": (1, 2048)}}
SCHEMAS = {
    "/viber/2/messages TEXT": envelope(TEXT, OPTIONS, SEEN),
    "/viber/2/messages IMAGE": envelope(IMAGE, OPTIONS, SEEN),
    "/viber/2/messages TEMPLATE": envelope(
        TEMPLATE, {name: OPTIONS[name] for name in ("validityPeriod", "label")}, SEEN
    ),
    "/sms/3/messages": envelope({"text": (1, 10_000)}, {"validityPeriod": PERIOD, "flash?": {True}}, HOOKS),
}


def faults(value: Any, schema: Any, where: str = "$") -> list[str]:
    """What in a value is against its schema."""
    match schema:
        case {"*": each}:
            return [fault for name in value for fault in faults(value[name], each, f"{where}.{name}")]
        case dict():
            return _object_faults(value, schema, where)
        case [each]:
            return [fault for one in value for fault in faults(one, each, where + "[]")] or (
                [] if value else [f"{where}: is empty"]
            )
        case (least, most):
            right = isinstance(value, str) and least <= len(value) <= most
        case _:
            right = value in schema
    return [] if right else [f"{where}: {value!r}"]


def _object_faults(value: Any, schema: Mapping[str, Any], where: str) -> list[str]:
    known = {name.removesuffix("?"): one for name, one in schema.items()}
    missing = [f"{where}.{name}: is missing" for name in schema if name[-1] != "?" and name not in value]
    unknown = [f"{where}.{name}: is unknown" for name in value if name not in known]
    there = [
        f for name in value if name in known for f in faults(value[name], known[name], f"{where}.{name}")
    ]
    return missing + unknown + there


def schema_of(request: Request) -> Any:
    path = urlsplit(request.url).path
    kind = json.loads(request.body)["messages"][0]["content"].get("type", "")
    return SCHEMAS[f"{path} {kind}".strip()]


WORDS = st.text(min_size=1, max_size=1000)
URLS = st.text(max_size=950).map("https://a.example/".__add__)
CAPTIONS = st.text(min_size=1, max_size=19)
CONTENTS: st.SearchStrategy[ViberContent | SmsContent] = st.one_of(
    st.builds(ViberText, text=WORDS),
    st.builds(ViberImage, image=URLS, url=st.none() | URLS),
    st.builds(ViberButton, text=WORDS, caption=CAPTIONS, url=URLS, image=st.none() | URLS),
    st.builds(SmsText, text=WORDS),
    st.builds(FlashSms, text=WORDS),
    st.builds(WapPush, url=URLS, text=st.text(max_size=100)),
)
TEMPLATES = st.builds(
    Template,
    id=st.text(min_size=1, max_size=50),
    language=st.sampled_from(["uk", "pt_BR"]),
    kind=st.sampled_from(["transaction", "promotion"]),
    parameters=st.dictionaries(st.text(min_size=1), st.text(max_size=125), max_size=3),
)


@given(
    CONTENTS,
    st.none() | TEMPLATES,
    st.integers(1, 604_800),
    st.sampled_from(["transaction", "promotion"]),
    st.sampled_from(["", HOOK]),
)
def test_every_request_is_as_the_api_description_wants_it(
    content: ViberContent | SmsContent, template: Template | None, lifetime_s: int, label: str, hook: str
) -> None:
    handed = handover(content, lifetime_s=lifetime_s, template=template)
    request = asked(handed, label=label, callback_url=hook)
    assert faults(json.loads(request.body), schema_of(request)) == []


def test_the_table_of_fields_finds_faults() -> None:
    text = {"type": "TEXT", "text": "x" * 1001, "more": 1, "button": {"title": ""}}
    assert faults(text, TEXT) == [
        "$.more: is unknown",
        f"$.text: {'x' * 1001!r}",
        "$.button.action: is missing",
        "$.button.title: ''",
    ]


LIFETIME = {"validityPeriod": {"amount": 60, "timeUnit": "SECONDS"}}
VIBER = {**LIFETIME, "label": "PROMOTIONAL", "trackingData": "m:17"}
OTP = Template(id="t-1", language="uk", kind="transaction", parameters={"pin": "1234"})


@pytest.mark.parametrize(
    ("content", "path", "said", "options"),
    [
        pytest.param(
            ViberText(text="Hi"), "/viber/2/messages", {"type": "TEXT", "text": "Hi"}, VIBER, id="text"
        ),
        pytest.param(
            ViberImage(image=PICTURE),
            "/viber/2/messages",
            {"type": "IMAGE", "mediaUrl": PICTURE},
            VIBER,
            id="image",
        ),
        pytest.param(
            ViberImage(image="https://a.example/A.GIF?x=1"),
            "/viber/2/messages",
            {"type": "IMAGE", "mediaUrl": "https://a.example/A.GIF?x=1", "imageFormat": "GIF"},
            VIBER,
            id="moving image",
        ),
        pytest.param(
            ViberImage(image=PICTURE, url=LINK),
            "/viber/2/messages",
            {"type": "IMAGE", "mediaUrl": PICTURE, "text": LINK, "imageAction": LINK},
            VIBER,
            id="image with a link, which needs a text",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK),
            "/viber/2/messages",
            {"type": "TEXT", "text": "Hi", "button": {"title": "Open", "action": LINK}},
            VIBER,
            id="button",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE),
            "/viber/2/messages",
            {
                "type": "IMAGE",
                "mediaUrl": PICTURE,
                "text": "Hi",
                "button": {"title": "Open", "action": LINK},
            },
            VIBER,
            id="button with an image",
        ),
        pytest.param(SmsText(text="Hi"), "/sms/3/messages", {"text": "Hi"}, LIFETIME, id="SMS"),
        pytest.param(
            FlashSms(text="Hi"), "/sms/3/messages", {"text": "Hi"}, {**LIFETIME, "flash": True}, id="flash"
        ),
        pytest.param(
            WapPush(url=LINK, text="See"),
            "/sms/3/messages",
            {"text": f"See {LINK}"},
            LIFETIME,
            id="WAP push, as a text",
        ),
    ],
)
def test_a_message_is_said_as_its_kind_wants(
    content: ViberContent | SmsContent, path: str, said: dict[str, Any], options: dict[str, Any]
) -> None:
    request = asked(handover(content))
    assert (request.method, request.url) == ("POST", URL + path)
    assert request.headers["authorization"] == "App key"
    assert message(handover(content)) == {
        "sender": "Shop",
        "destinations": [{"to": TO, "messageId": KEY}],
        "content": said,
        "options": options,
    }


def test_a_template_goes_by_its_id_and_without_tracking_data() -> None:
    said = message(handover(ViberText(text="Code 1234"), template=OTP))
    assert said["content"] == {
        "type": "TEMPLATE",
        "templateId": "t-1",
        "language": "uk",
        "parameters": {"pin": "1234"},
    }
    assert said["options"] == {**LIFETIME, "label": "TRANSACTIONAL"}


def test_a_template_without_parameters_has_none() -> None:
    said = message(handover(template=Template(id="t", language="uk", kind="promotion")))
    assert said["content"] == {"type": "TEMPLATE", "templateId": "t", "language": "uk"}


@pytest.mark.parametrize(
    ("lifetime_s", "amount"), [(1, 30), (30, 30), (172_800, 172_800), (604_800, 172_800)]
)
def test_the_lifetime_is_within_infobips_limits(lifetime_s: int, amount: int) -> None:
    for content in (ViberText(text="Hi"), SmsText(text="Hi")):
        said = message(handover(content, lifetime_s=lifetime_s))
        assert said["options"]["validityPeriod"] == {"amount": amount, "timeUnit": "SECONDS"}


@pytest.mark.parametrize(
    ("senders", "sender"),
    [({}, "Shop"), ({"Shop": "S1", "*": "S2"}, "S1"), ({"*": "S2"}, "S2"), ({"Else": "S1"}, "Shop")],
)
def test_a_sender_name_is_its_own_or_the_one_it_is_registered_by(
    senders: dict[str, str], sender: str
) -> None:
    assert message(handover(), senders=senders)["sender"] == sender


def test_a_name_for_viber_and_the_same_name_for_sms_are_two_senders() -> None:
    assert asked(handover(ViberText(text="Hi"))).scope == "viber Shop"
    assert asked(handover(SmsText(text="Hi"))).scope == "sms Shop"


def test_reports_are_ordered_where_the_setting_says() -> None:
    assert message(handover(), callback_url=HOOK)["webhooks"] == {
        "delivery": {"url": HOOK},
        "seen": {"url": HOOK},
        "contentType": "application/json",
    }
    assert message(handover(SmsText(text="Hi")), callback_url=HOOK)["webhooks"] == {
        "delivery": {"url": HOOK},
        "contentType": "application/json",
    }


def test_an_address_with_a_slash_at_its_end_is_the_same() -> None:
    assert asked(handover(), url=URL + "/").url == f"{URL}/viber/2/messages"


# ---- what is answered


def reply(body: bytes, status: int = 200, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def status(code: int, group: int = 5, message_id: str = KEY) -> bytes:
    one = {"messageId": message_id, "status": {"groupId": group, "id": code, "name": "N"}, "destination": TO}
    return json.dumps({"messages": [one]}).encode()


def test_every_status_of_a_refusal_has_its_answer() -> None:
    for code, (_, fault) in STATUSES.items():
        expected = Later(5.0, str(code)) if fault is LATER else Never(str(code), fault)
        assert answer(reply(status(code))) == expected
    assert answer(reply(status(999))) == Never("999", Fault.RECIPIENT)


@pytest.mark.parametrize("told", [case for case in CASES.answers.values() if not isinstance(case, str)])
def test_an_answer_means_what_the_table_of_channels_says(told: Any) -> None:
    http_status, body, expected = told
    assert answer(reply(body, http_status)) == expected


def test_a_busy_infobip_says_when_to_come_back() -> None:
    assert answer(reply(problem(429), 429, retry_after="7")) == Later(7.0, "http 429", throttled=True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"messages":[]}', id="no message"),
        pytest.param(b'{"messages":[{}]}', id="no status"),
        pytest.param(b'{"messages":[{"messageId":7,"status":{}}]}', id="an id that is no text"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
        pytest.param(b'{"messages":"\xff"}', id="no UTF-8"),
    ],
)
def test_what_is_no_answer_leaves_the_message_in_doubt(body: bytes) -> None:
    assert answer(reply(body)) == Unknown("http 200")


def test_what_was_taken_under_no_id_is_in_doubt() -> None:
    assert answer(reply(status(26, group=1, message_id=""))) == Unknown("26")


def test_a_bad_request_that_is_not_infobips_word_may_pass() -> None:
    assert answer(reply(b"<html>", 400)) == http_answer(400)


@given(st.binary(), st.sampled_from([200, 400, 401, 429, 500, 503]))
def test_whatever_is_answered_means_something(body: bytes, http_status: int) -> None:
    assert isinstance(answer(reply(body, http_status)), Taken | Later | Never | Unknown)
