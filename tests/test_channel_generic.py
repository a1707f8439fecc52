"""The channel to any other provider: templates, paths and tables of codes, and what cannot be set."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from answers import answer_to
from http_ends import TO, Far, handover, line, listening
from hypothesis import given
from hypothesis import strategies as st
from provider_cases.http import CASES, LINK, PAGE, PICTURE, answered, example, report, settings

from hopwire.channels.generic import Generic
from hopwire.channels.http import Callback, Reply, Request, Said
from hopwire.config import ConfigError, GenericConnector, load, parse
from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
    Outcome,
    SmsContent,
    SmsText,
    Taken,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)

PLAIN = settings("plain")
SIMPLE = settings("simple")
HI, SMS = ViberText(text="Hi"), SmsText(text="Hi")


def asked(connector: GenericConnector, handed: Handover | None = None) -> Request:
    request = Generic(connector).request(handed or handover(SMS))
    assert isinstance(request, Request)
    return request


def field(template: object, handed: Handover | None = None) -> Any:
    """What becomes of one field of JSON; nothing, where it is left out."""
    body = asked(settings("plain", body={"field": template}, messages={"sms": {}, "button": {}}), handed).body
    return json.loads(body).get("field")


# ---- the page: its provider, as the page describes it


def plain(asked: Any) -> bytes:
    """What Plain says to a request."""
    if asked.headers.get("authorization") != "Bearer change-me":
        return b"no"
    known = {"viber", "sms"} >= {asked.fields["channel"]} and asked.fields["reference"] == "17-0-0"
    return answered(0 if known else 3)


async def test_the_settings_of_the_page_work_as_the_page_says() -> None:
    far = Far()
    async with listening(far) as url, line(settings("plain", url=f"{url}/v1/messages")) as channel:
        for content in (HI, SMS, ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE)):
            far.says(b"")
            await answer_to(channel, handover(content))
            far.says(plain(far.asked[-1]))
            assert await answer_to(channel, handover(content)) == Taken("p-1")
    (receipt,) = Generic(PLAIN).callback("plain", Callback({}, "", report("DELIVRD"))).receipts
    assert (receipt.provider_id, receipt.recipient, receipt.outcome) == ("p-1", TO, Outcome.DELIVERED)


async def test_the_simple_gateway_of_the_page_is_asked_in_the_address_and_answers_by_text() -> None:
    far = Far()
    far.says(b"OK: a17\n")
    async with listening(far) as url, line(settings("simple", url=f"{url}/send")) as channel:
        assert await answer_to(channel, handover(SmsText(text="Привіт & 1+1=2 {to}"))) == Taken("a17")
        far.says(b"ERR 1 bad number")
        assert await answer_to(channel, handover(SMS)) == Never("ERR 1", Fault.NUMBER)
    first, _ = far.asked
    target = urlsplit(first.target)
    assert (first.method, target.path) == ("GET", "/send")
    assert dict(parse_qsl(target.query)) == {
        "key": "change-me",
        "to": TO,
        "from": "Shop",
        "text": "Привіт & 1+1=2 {to}",
    }
    said = Generic(SIMPLE).callback("simple", Callback({}, "id=a17&state=1&x=", b""))
    assert [(one.provider_id, one.outcome) for one in said.receipts] == [("a17", Outcome.DELIVERED)]


def test_the_page_sends_routes_to_its_provider() -> None:
    assert {route.channel for route in parse(example("plain")).routes} == {"sms", "viber"}


# ---- what is asked


@pytest.mark.parametrize(
    ("template", "value"),
    [
        pytest.param("{to}", TO, id="a place"),
        pytest.param("+{to}", f"+{TO}", id="a place and more"),
        pytest.param("{id}/{ttl}", "17-0-0/60", id="two places"),
        pytest.param("{to:number}", int(TO), id="a number"),
        pytest.param("{ttl:number}", 60, id="another one"),
        pytest.param("x{ttl:number}", "x60", id="a number within a text is text"),
        pytest.param("{from}", "Shop", id="the sender"),
        pytest.param("{password}", "change-me", id="the password"),
        pytest.param("fixed", "fixed", id="no place"),
        pytest.param("", "", id="a text that is meant to be empty"),
        pytest.param("{ }{}{0}{TO}", "{ }{}{0}{TO}", id="braces that are no place"),
        pytest.param(7, 7, id="a whole number"),
        pytest.param(1.5, 1.5, id="a number"),
        pytest.param(True, True, id="true"),
        pytest.param(False, False, id="false"),
        pytest.param([["{to}"], "{image}"], [[TO]], id="lists, without what is empty"),
        pytest.param({"a": {"b": "{text}", "c": "{url}"}}, {"a": {"b": "Hi"}}, id="tables"),
        pytest.param("{button}", None, id="a place that is empty"),
        pytest.param({"caption": "{button}", "link": "{url}"}, None, id="a table of which nothing is left"),
    ],
)
def test_a_template_is_filled_in(template: object, value: object) -> None:
    assert field(template) == value


def test_a_button_fills_all_its_places() -> None:
    handed = handover(ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE))
    assert field("{text} {button} {url} {image}", handed) == f"Hi Open {LINK} {PICTURE}"


EVIL = [
    '","x":"',
    "&to=1",
    "\r\nX: y",
    "{password}",
    "%26",
    "\\",
    "{to:number}",
    "\x00",
    "\u2028",
    "#?/",
    "😀",
]
TEXTS = st.text(min_size=1) | st.lists(st.sampled_from(EVIL) | st.text(), min_size=1).map("".join).filter(
    bool
)


@given(TEXTS)
def test_in_json_a_text_is_a_string_whatever_is_in_it(text: str) -> None:
    text = text.encode(errors="replace").decode()
    handed = handover(SmsText(text=text), sender=text)
    body = {"text": "{text}", "from": "<{from}>", "to": "{to}"}
    said = json.loads(asked(settings("plain", body=body, messages={"sms": {}}), handed).body)
    assert said == {"text": text, "from": f"<{text}>", "to": TO}


@given(TEXTS, st.sampled_from(["form", "query"]))
def test_in_a_form_and_in_an_address_a_text_is_one_value(text: str, encoding: str) -> None:
    text = text.encode(errors="replace").decode()
    handed = handover(SmsText(text=text), sender=text)
    fields = {"text": "{text}", "from": "{from}", "to": "{to}", "n": 5}
    request = asked(settings("plain", encoding=encoding, body=fields, messages={"sms": {}}), handed)
    carried = request.body.decode() if encoding == "form" else urlsplit(request.url).query
    pairs = parse_qsl(carried, keep_blank_values=True, strict_parsing=True)
    assert pairs == [("text", text), ("from", text), ("to", TO), ("n", "5")]


@given(TEXTS)
def test_in_the_url_a_text_stays_in_its_place(text: str) -> None:
    text = text.encode(errors="replace").decode()
    url = "https://api.example.net/{from}/{to}?text={text}&x=1"
    connector = settings("plain", url=url, body={}, messages={"sms": {}})
    parts = urlsplit(asked(connector, handover(SmsText(text=text), sender=text)).url)
    assert (parts.hostname, parts.path.count("/"), parts.fragment) == ("api.example.net", 2, "")
    assert parse_qsl(parts.query, strict_parsing=True) == [("text", text), ("x", "1")]


@pytest.mark.parametrize("encoding", ["query", "form"])
async def test_over_the_wire_a_text_arrives_as_it_is(encoding: str) -> None:
    text = "".join(EVIL).replace("\x00", "")
    far = Far()
    fields = {"text": "{text}"}
    async with listening(far) as url:
        connector = settings(
            "plain", url=f"{url}/send?a={{text}}", encoding=encoding, body=fields, messages={"sms": {}}
        )
        async with line(connector) as channel:
            await answer_to(channel, handover(SmsText(text=text)))
    [one] = far.asked
    query = parse_qsl(urlsplit(one.target).query, strict_parsing=True)
    assert query[0] == ("a", text)
    assert [text] == ([query[1][1]] if encoding == "query" else [one.fields["text"]])


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://h/send?text=Hi"),
        ({"url": "https://h/send?key=1"}, "https://h/send?key=1&text=Hi"),
        ({"body": {}}, "https://h/send"),
    ],
)
def test_fields_in_the_address_stand_behind_what_is_there(changes: dict[str, Any], url: str) -> None:
    usual = {
        "url": "https://h/send",
        "encoding": "query",
        "body": {"text": "{text}"},
        "messages": {"sms": {}},
    }
    request = asked(settings("plain", **(usual | changes)))
    assert (request.url, request.body) == (url, b"")


def test_headers_are_filled_in_and_say_what_the_body_is() -> None:
    headers = {"Idempotency-Key": "{id}", "X-Token": "{password}"}
    assert asked(settings("plain", headers=headers)).headers == {
        "idempotency-key": "17-0-0",
        "x-token": "change-me",
        "content-type": "application/json",
    }
    own = asked(settings("plain", headers={"Content-Type": "application/vnd.plain+json"}))
    assert own.headers["content-type"] == "application/vnd.plain+json"


def test_login_and_password_are_basic_authentication() -> None:
    headers = asked(settings("plain", login="me")).headers
    assert headers["authorization"] == "Basic bWU6Y2hhbmdlLW1l"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (SMS, "sms"),
        (FlashSms(text="Hi"), "flash"),
        (WapPush(url=LINK, text="Hi"), "wap"),
        (HI, "text"),
        (ViberImage(image=PICTURE), "image"),
        (ViberButton(text="Hi", caption="Open", url=LINK), "button"),
    ],
)
def test_what_is_not_among_the_messages_is_not_carried(content: ViberContent | SmsContent, name: str) -> None:
    others: dict[str, object] = {kind: {} for kind in PLAIN.messages if kind != name}
    none = Generic(settings("plain", messages=others)).request(handover(content))
    assert none == Never("content not carried", Fault.CONTENT)
    own = settings("plain", messages={name: {"phone": "its own"}})
    assert json.loads(asked(own, handover(content)).body)["phone"] == "its own"


@pytest.mark.parametrize(("lifetime_s", "ttl"), [(1, 30), (30, 30), (100, 100), (604_800, 86_400)])
def test_the_lifetime_is_within_the_limits_that_are_set(lifetime_s: int, ttl: int) -> None:
    assert json.loads(asked(PLAIN, handover(SMS, lifetime_s=lifetime_s)).body)["lifetime"] == ttl


@pytest.mark.parametrize(
    ("senders", "sender"),
    [({}, "Shop"), ({"Shop": "S1", "*": "S2"}, "S1"), ({"*": "S2"}, "S2"), ({"Else": "S1"}, "Shop")],
)
def test_a_sender_name_is_its_own_or_the_one_it_is_called_by(senders: dict[str, str], sender: str) -> None:
    request = asked(settings("plain", senders=senders))
    assert (json.loads(request.body)["from"], request.scope) == (sender, sender)


# ---- what is answered


def meant(body: bytes, status: int = 200, connector: GenericConnector = PLAIN) -> Answer:
    return Generic(connector).answer(Reply(status, {}, body))


@pytest.mark.parametrize("told", [case for case in CASES.answers.values() if not isinstance(case, str)])
def test_an_answer_means_what_the_table_of_channels_says(told: Any) -> None:
    http_status, body, expected = told
    assert meant(body, http_status) == expected


@pytest.mark.parametrize(
    ("changes", "body", "status", "expected"),
    [
        pytest.param({}, answered(99), 200, Unknown("99"), id="a code that is not in the table"),
        pytest.param({"answers": {"*": "content"}}, answered(99), 200, Never("99", Fault.CONTENT), id="*"),
        pytest.param({"answers": {"*": "content"}}, b"{}", 200, Unknown("http 200"), id="*, but no code"),
        pytest.param(
            {"answers": {"*": "content"}},
            answered(99),
            404,
            Later(1.0, "http 404"),
            id="*, but no success",
        ),
        pytest.param({}, answered(3), 500, Never("3", Fault.CONTENT), id="a code before what HTTP says"),
        pytest.param({}, b'{"error":0}', 200, Unknown("0"), id="taken, but no id"),
        pytest.param({"reply_id": ""}, b'{"error":0}', 200, Taken(""), id="a provider that gives none"),
        pytest.param({"reply_code": ""}, b'{"message":{"id":7}}', 201, Taken("7"), id="no code: HTTP says"),
        pytest.param({"reply_code": ""}, b"{}", 200, Unknown("http 200"), id="no code and no id"),
        pytest.param({"reply_code": "", "reply_id": ""}, b"", 204, Taken(""), id="nothing to read"),
        pytest.param(
            {"answers": {"true": "taken"}}, b'{"error":true,"message":{"id":1}}', 200, Taken("1"), id="true"
        ),
        pytest.param(
            {"answers": {"1.5": "number"}}, b'{"error":1.5}', 200, Never("1.5", Fault.NUMBER), id="1.5"
        ),
        pytest.param({}, b'{"error":[0]}', 200, Unknown("http 200"), id="a code that is a list"),
        pytest.param({}, b'{"error":null}', 200, Unknown("http 200"), id="a code that is nothing"),
        pytest.param({}, b"[" * 100_000, 200, Unknown("http 200"), id="nested too deeply"),
        pytest.param(
            {"reply_id": "0.ids.1", "reply_code": "0.code"},
            b'[{"code":0,"ids":["a","b"]}]',
            200,
            Taken("b"),
            id="a path through lists",
        ),
        pytest.param(
            {"reply_id": "0.ids.9", "reply_code": "0.code"},
            b'[{"code":0,"ids":[]}]',
            200,
            Unknown("0"),
            id="a path that ends nowhere",
        ),
    ],
)
def test_an_answer_goes_by_the_tables(
    changes: dict[str, Any], body: bytes, status: int, expected: Answer
) -> None:
    assert meant(body, status, settings("plain", **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "body", "expected"),
    [
        pytest.param({}, b"OK: a17", Taken("a17"), id="taken"),
        pytest.param({}, b"ERR 7", Never("ERR 7", Fault.CONTENT), id="every other code"),
        pytest.param({}, b"<html>", Unknown("http 200"), id="garbage"),
        pytest.param({"reply_id": r"\d+"}, b"OK: 17", Taken("17"), id="no group: the whole"),
        pytest.param({"reply_id": r"OK: (\d+)?"}, b"OK: x", Unknown("OK"), id="a group that is not there"),
    ],
)
def test_a_text_is_read_by_expressions(changes: dict[str, Any], body: bytes, expected: Answer) -> None:
    assert meant(body, 200, settings("simple", **changes)) == expected


@given(
    st.binary(), st.sampled_from([200, 201, 302, 400, 401, 429, 500, 503]), st.sampled_from([PLAIN, SIMPLE])
)
def test_whatever_is_answered_means_something(
    body: bytes, http_status: int, connector: GenericConnector
) -> None:
    assert isinstance(meant(body, http_status, connector), Taken | Later | Never | Unknown)


# ---- what is reported later


def told(connector: GenericConnector, body: bytes, query: str = "") -> Said:
    return Generic(connector).callback("plain", Callback({}, query, body))


@pytest.mark.parametrize("case", [case for case in CASES.reports.values() if not isinstance(case, str)])
def test_a_report_means_what_the_table_of_channels_says(case: Any) -> None:
    body, outcome, fault = case
    receipts = told(PLAIN, body).receipts
    assert [receipt.outcome for receipt in receipts] == ([] if outcome is None else [outcome])
    for receipt in receipts:
        assert (receipt.connector, receipt.provider_id, receipt.recipient) == ("plain", "p-1", TO)
        assert fault is None or receipt.fault is fault


ONE = {"id": "p-1", "status": "DELIVRD"}
HERE = {"callback_list": "", "callback_id": "id", "callback_code": "status", "callback_number": "to"}


@pytest.mark.parametrize(
    ("changes", "tree", "ids"),
    [
        pytest.param({}, ONE, ["p-1"], id="one report"),
        pytest.param({}, [ONE, ONE | {"id": 2}], ["p-1", "2"], id="a list"),
        pytest.param({"callback_list": "a.b"}, {"a": {"b": [ONE]}}, ["p-1"], id="a list at a path"),
        pytest.param({"callback_list": "a.b"}, {"a": ONE}, [], id="no list there"),
        pytest.param({}, [5, None, [], {}, ONE], ["p-1"], id="what is no report is passed over"),
        pytest.param({}, ONE | {"status": "OTHER"}, [], id="a code that is not in the table"),
        pytest.param(
            {"outcomes": {"*": "failed"}}, ONE | {"status": "OTHER"}, ["p-1"], id="every other code"
        ),
        pytest.param({"outcomes": {"*": "failed"}}, {"id": "p-1"}, [], id="no code"),
        pytest.param({}, {"status": "DELIVRD"}, [], id="of no message"),
        pytest.param({}, {"status": "DELIVRD", "to": "+" + TO}, [""], id="of a number"),
        pytest.param({"callback_id": ""}, ONE | {"to": TO}, [""], id="a provider that tells no ids"),
    ],
)
def test_reports_are_where_the_settings_say(changes: dict[str, Any], tree: object, ids: list[str]) -> None:
    connector = settings("plain", **(HERE | changes))
    receipts = told(connector, json.dumps(tree).encode()).receipts
    assert [receipt.provider_id for receipt in receipts] == ids
    assert {receipt.recipient for receipt in receipts} <= {"", TO}


def test_a_form_is_read_by_the_names_of_its_fields() -> None:
    fields = {**HERE, "callback": "form", "callback_id": "message.id"}
    connector = settings("plain", **fields)
    (receipt,) = told(connector, b"message.id=p%2B1&status=READ&to=%2B380501234567").receipts
    assert (receipt.provider_id, receipt.recipient, receipt.outcome) == ("p+1", TO, Outcome.SEEN)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff"])
def test_garbage_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="the callback is no JSON"):
        told(PLAIN, body)


@given(
    st.binary() | st.builds(lambda body: b'{"events":[' + body + b"]}", st.binary()),
    st.sampled_from([PLAIN, SIMPLE, settings("plain", callback="form")]),
)
def test_whatever_a_callback_is_it_is_read_or_garbage(body: bytes, connector: GenericConnector) -> None:
    try:
        told(connector, body, body.decode("latin-1"))
    except ValueError:
        return


# ---- what cannot be set


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"url": "ftp://h/"}, "url: must begin with http", id="another protocol"),
        pytest.param(
            {"url": "https://{to}/send"}, "url: must begin with http", id="a host that is filled in"
        ),
        pytest.param({"url": "https://h{to}/send"}, "url: must begin with http", id="a part of a host"),
        pytest.param({"url": "https://h/a b"}, "url: must begin with http", id="a blank in the URL"),
        pytest.param({"url": "https://h/{txt}"}, r"url: \{txt\} is none of .*\{text\}", id="a place unknown"),
        pytest.param(
            {"body": {"x": {"y": ["{txt}"]}}}, r"body\.x: \{txt\} is none of", id="deep in the body"
        ),
        pytest.param({"messages": {"sms": {"x": "{txt}"}}}, r"messages\.sms\.x: \{txt\}", id="in a message"),
        pytest.param({"messages": {"mms": {}}}, "messages = .*must be a table", id="a content unknown"),
        pytest.param({"messages": {}}, "messages = .*must be a table", id="nothing is carried"),
        pytest.param({"headers": {"X": "{text}"}}, r"headers\.X: \{text\} is none of", id="text in a header"),
        pytest.param(
            {"headers": {"X": "a\r\nY: b"}}, r"headers\.X: must be printable", id="two headers in one"
        ),
        pytest.param({"headers": {"X Y": "a"}}, r"headers\.X Y: must be printable", id="no name of a header"),
        pytest.param({"password": "a\nb"}, "password: must be printable", id="a password of two lines"),
        pytest.param(
            {"encoding": "form", "body": {"x": {"y": "z"}}},
            r"body\.x: must be text or a number",
            id="a deep form",
        ),
        pytest.param({"reply_id": "a..b"}, "reply_id = 'a..b': must be names", id="a path with a gap"),
        pytest.param(
            {"callback_code": ".x"}, "callback_code = '.x': must be names", id="a path with a dot first"
        ),
        pytest.param(
            {"reply": "text", "reply_code": "("},
            "reply_code = .* is no regular expression",
            id="no expression",
        ),
        pytest.param(
            {"answers": {"0": "ok"}}, "answers = .*must be a table of codes: taken", id="a word unknown"
        ),
        pytest.param({"answers": {}}, "answers: must be given with reply_code", id="codes that mean nothing"),
        pytest.param(
            {"outcomes": {"0": "taken"}}, "outcomes = .*must be a table of codes: delivered", id="a word"
        ),
        pytest.param(
            {"ttl_least_s": 90_000}, "ttl_least_s: must not be more", id="limits the wrong way round"
        ),
    ],
)
def test_what_is_wrong_is_named_when_the_settings_are_read(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as told:
        settings("plain", **changes)
    assert "change-me" not in str(told.value)


def test_the_settings_hide_what_may_be_secret() -> None:
    connector = settings("plain", headers={"X": "secret-1"}, body={"key": "secret-2"}, password="secret-3")
    assert "secret-" not in repr(connector)


def test_the_password_may_come_from_the_environment(tmp_path: Path) -> None:
    text = PAGE.read_text("utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "hopwire.toml").write_text(text)
    (tmp_path / "password").write_text("from-a-file\n")
    environ = {"HOPWIRE__CONNECTORS__PLAIN__PASSWORD_FILE": str(tmp_path / "password")}
    connector = load(tmp_path / "hopwire.toml", environ).connectors["plain"]
    assert isinstance(connector, GenericConnector)
    assert asked(connector).headers["authorization"] == "Bearer from-a-file"
