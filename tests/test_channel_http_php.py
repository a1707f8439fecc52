"""Another gateway of the family as an upstream: what it is asked, what it answers, what it is asked again."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from answers import answer_to
from http_ends import Asked, Far, Store, handover, line, listening
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hopwire.channels.http import Callback, Polled, Reply, Request, Said, makes_no_sense
from hopwire.channels.http_php import ERRORS, HttpPhp, answer, parse_callback, receipts
from hopwire.config import ConfigError, HttpPhpConnector
from hopwire.errors import CATALOGUE
from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Later,
    Never,
    Outcome,
    Receipt,
    SmsContent,
    SmsText,
    Status,
    Taken,
    Template,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)

URL = "https://gateway.example/api/http.php"
TO = "380501234567"
IMAGE, LINK = "https://a.example/a.png?b=1&c=2", "https://b.example/"
SECRET = "callback-secret-1234567"


def settings(**changes: Any) -> HttpPhpConnector:
    return HttpPhpConnector(**({"url": URL, "key": "the key", "callback_secret": SECRET} | changes))


def asked(request: Request | Never) -> dict[str, str]:
    """The form of a request."""
    assert isinstance(request, Request)
    assert (request.url, request.method) == (URL, "POST")
    assert request.headers == {"content-type": "application/x-www-form-urlencoded"}
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))


def test_a_gateway_that_knows_it_is_told_which_message_it_is() -> None:
    again = HttpPhp(settings(on_unknown="resend"))
    first, repeat = (asked(again.request(replace(handover(), repeated=one))) for one in (False, True))
    assert first == repeat
    assert first["client_id"] == handover().key
    assert asked(again.request(handover(message_id=18)))["client_id"] != first["client_id"]
    assert "client_id" not in asked(HttpPhp(settings()).request(handover()))


def reply(text: str, status: int = 200) -> Reply:
    return Reply(status, {}, text.encode())


# ---- what is asked

SEND = {"version": "http", "key": "the key", "command": "send", "from": "Shop", "to": "+" + TO}
VIBER = {**SEND, "viber": "1", "viber_sms": "0", "viber_from": "Shop", "viber_lifetime": "60"}
TEXT = {"message": "Привіт & =+%", "viber_message": "Привіт & =+%"}
CAPTION = {"viber_button": "Open", "viber_url": LINK}


@pytest.mark.parametrize(
    ("content", "form"),
    [
        pytest.param(SmsText(text="Hi"), {**SEND, "message": "Hi"}, id="SMS"),
        pytest.param(FlashSms(text="Hi"), {**SEND, "message": "Hi", "flash": "1"}, id="flash SMS"),
        pytest.param(
            WapPush(url=LINK, text="Hi"), {**SEND, "message": "Hi", "wap": LINK}, id="a push is a push there"
        ),
        pytest.param(
            ViberText(text="Привіт & =+%"), {**VIBER, **TEXT, "viber_type": "text"}, id="text on Viber"
        ),
        pytest.param(
            ViberImage(image=IMAGE), {**VIBER, "viber_type": "image", "viber_image": IMAGE}, id="image"
        ),
        pytest.param(
            ViberImage(image=IMAGE, url=LINK),
            {**VIBER, "viber_type": "image", "viber_image": IMAGE, "viber_url": LINK},
            id="image with a link",
        ),
        pytest.param(
            ViberButton(text="Привіт & =+%", caption="Open", url=LINK),
            {**VIBER, **TEXT, **CAPTION, "viber_type": "button"},
            id="button",
        ),
        pytest.param(
            ViberButton(text="Привіт & =+%", caption="Open", url=LINK, image=IMAGE),
            {**VIBER, **TEXT, **CAPTION, "viber_type": "button", "viber_image": IMAGE},
            id="button with an image",
        ),
    ],
)
def test_a_message_is_asked_for_in_the_protocol_s_own_parameters(
    content: SmsContent | ViberContent, form: dict[str, str]
) -> None:
    """On Viber alone, too: the redirect to SMS stays ours."""
    assert asked(HttpPhp(settings()).request(handover(content))) == form


def test_a_text_with_a_template_goes_as_it_reads() -> None:
    template = Template(id="1", language="uk", kind="transaction")
    one, other = (HttpPhp(settings()).request(handover(template=each)) for each in (template, None))
    assert one == other


@pytest.mark.parametrize(
    ("lifetime_s", "said"), [(1, "60"), (61, "61"), (86_400, "86400"), (90_000, "86400")]
)
def test_the_lifetime_is_within_the_protocol_s(lifetime_s: int, said: str) -> None:
    assert asked(HttpPhp(settings()).request(handover(lifetime_s=lifetime_s)))["viber_lifetime"] == said


@pytest.mark.parametrize(("name", "there"), [("Shop", "SHOP-1"), ("Else", "Other"), ("shop", "Other")])
def test_a_sender_may_be_called_otherwise_there(name: str, there: str) -> None:
    request = HttpPhp(settings(senders={"Shop": "SHOP-1", "*": "Other"})).request(handover(sender=name))
    assert (asked(request)["from"], asked(request)["viber_from"]) == (there, there)
    assert isinstance(request, Request)
    assert request.scope == there


def test_login_and_password_are_said_where_there_is_no_key() -> None:
    form = asked(HttpPhp(settings(key="", login="shop", password="p&w")).request(handover()))
    assert (form["login"], form["pass"], "key" in form) == ("shop", "p&w", False)


@pytest.mark.parametrize("named", [{}, {"login": "shop"}, {"password": "secret"}], ids=str)
def test_settings_without_credentials_are_refused(named: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="key: must be given, or both login and password"):
        settings(key="", **named)


# ---- what is answered


@pytest.mark.parametrize(
    "text",
    [
        "id:84523377\nsms_count:1\n",
        "id:84523377\r\nsms_count:1\r\n",
        "id:84523377 sms_count:1",
        "id:84523377,sms_count:1",
        "sms_count:1\nid:84523377",
        "sms_count:1 id:84523377",
        "sms_count:1;id: 84523377;",
        "errors:\nid:84523377\nsms_count:1\n",
        "\ufeff\nid:84523377",
    ],
)
def test_what_has_an_id_is_taken_however_it_is_laid_out(text: str) -> None:
    assert answer(reply(text)) == Taken("84523377")


@pytest.mark.parametrize("error", CATALOGUE)
def test_every_sentence_of_the_protocol_has_its_meaning(error: str) -> None:
    said = answer(reply(f"errors:{CATALOGUE[error].text}\n", CATALOGUE[error].status))
    match ERRORS.get(error, Fault.CONTENT):
        case Fault() as fault:
            assert said == Never(error, fault)
        case kind:
            assert said == Later(1.0, error, throttled=kind == "throttled")
    assert not makes_no_sense(said)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        pytest.param(
            "Wrong login/password", Never("wrong_credentials", Fault.CONFIGURATION), id="credentials"
        ),
        pytest.param("Unknown command", Never("unknown_command", Fault.CONFIGURATION), id="command"),
        pytest.param("Not enough money", Never("not_enough_money", Fault.CONFIGURATION), id="no credit"),
        pytest.param(
            "Please enter valid receiver phone number", Never("bad_recipient", Fault.NUMBER), id="number"
        ),
        pytest.param("Please enter SMS text", Never("no_text", Fault.CONTENT), id="content"),
        pytest.param("Sender is not allowed", Never("bad_sender", Fault.SENDER), id="another sender's"),
        pytest.param("Temporarily unavailable", Later(1.0, "unavailable"), id="unavailable"),
        pytest.param(
            "Too many requests, slow down", Later(1.0, "too_many_requests", throttled=True), id="too fast"
        ),
        pytest.param(f"{TO} is not served", Never("errors", Fault.CONTENT), id="a sentence nobody knows"),
    ],
)
@pytest.mark.parametrize("form", ["errors:{}\n", "errors: {}.\r\n", "error:{}", "errors:{}\nid:1\n"])
def test_a_sentence_is_known_however_it_is_laid_out(sentence: str, said: Answer, form: str) -> None:
    assert answer(reply(form.format(sentence))) == said


def test_the_faults_of_the_account_are_known_codes() -> None:
    ours = {code for code, fault in ERRORS.items() if fault is Fault.CONFIGURATION}
    assert HttpPhp.account_faults == ours | {"http 401", "http 403", "url"}


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        pytest.param("errors:Temporarily unavailable", 503, Later(1.0, "unavailable"), id="its own 503"),
        pytest.param("<html>errors:Gateway</html>", 503, Later(1.0, "http 503"), id="a proxy's 503"),
        pytest.param("", 502, Unknown("http 502"), id="a proxy without an answer"),
        pytest.param("id:1", 500, Unknown("http 500"), id="a failure, whatever it says"),
        pytest.param("id:1", 302, Later(1.0, "http 302"), id="a redirect"),
        pytest.param("", 403, Never("http 403", Fault.CONFIGURATION), id="forbidden"),
        pytest.param("<html>It works!</html>", 200, Unknown("http 200"), id="a page"),
        pytest.param("", 200, Unknown("http 200"), id="nothing"),
        pytest.param("id:0", 200, Unknown("http 200"), id="no id"),
        pytest.param("id:-1", 200, Unknown("http 200"), id="a negative id"),
        pytest.param("paid:7", 200, Unknown("http 200"), id="another name"),
        pytest.param("sms_count:1", 200, Unknown("http 200"), id="no id at all"),
    ],
)
def test_what_is_not_the_protocol_s_is_what_http_says(text: str, status: int, said: Answer) -> None:
    assert answer(reply(text, status)) == said


@given(st.binary(max_size=100) | st.text("iderrors:,\n 0123", max_size=30).map(str.encode))
def test_any_answer_is_an_answer(body: bytes) -> None:
    assert isinstance(answer(Reply(200, {}, body)), Answer)


# ---- what became of it


def test_it_is_asked_about_one_message_at_a_time() -> None:
    one = HttpPhp(settings(poll_s=7))
    assert isinstance(one, Polled)
    assert (one.poll_s, one.poll_most) == (7.0, 1)
    assert asked(one.question(["17"])) == {
        "version": "http",
        "key": "the key",
        "command": "receive",
        "id": "17",
    }


ENDINGS: dict[Status, tuple[Outcome, Fault]] = {
    Status.DELIVERED: (Outcome.DELIVERED, Fault.RECIPIENT),
    Status.READ: (Outcome.SEEN, Fault.RECIPIENT),
    Status.EXPIRED: (Outcome.EXPIRED, Fault.RECIPIENT),
    Status.DELETED: (Outcome.FAILED, Fault.RECIPIENT),
    Status.PARTIAL: (Outcome.FAILED, Fault.RECIPIENT),
    Status.NO_ROUTE: (Outcome.FAILED, Fault.RECIPIENT),
    Status.FAILED: (Outcome.FAILED, Fault.RECIPIENT),
    Status.BAD_NUMBER: (Outcome.FAILED, Fault.NUMBER),
}

FORMS = {
    "our own": "status:{text}\ncode:{code}\nstatus_time:2026-11-23T10:11:12+0200\n",
    "another order": "code:{code}\nstatus:{text}",
    "one line": "status:{text} code:{code} status_time:2026-11-23T10:11:12+0200",
    "commas": "status:{text},code:{code}",
    "without its code": "status:{text}\nstatus_time:2026-11-23",
    "without its code, one line": "status:{text} status_time:2026-11-23",
    "without its text": "code:{code}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("status", Status, ids=lambda status: status.name)
def test_every_status_means_the_same_however_it_is_laid_out(status: Status, form: str) -> None:
    text = form.format(text=status.text, code=status.value)
    told = [(one.outcome, one.fault) for one in receipts("up", "17", reply(text))]
    assert told == ([ENDINGS[status]] if status in ENDINGS else [])


def test_a_receipt_says_what_was_told() -> None:
    raw = "status:Error in the number\ncode:99\n"
    assert HttpPhp(settings()).receipts("up", ["17"], reply(raw)) == [
        Receipt(
            connector="up",
            provider_id="17",
            recipient="",
            outcome=Outcome.FAILED,
            code="99",
            fault=Fault.NUMBER,
            raw=raw,
        )
    ]


@pytest.mark.parametrize("text", ["errors:SMS not found\n", "code:77\n", "code:2\n"])
def test_nothing_is_said_of_what_is_not_known_there_or_is_no_ending(text: str) -> None:
    assert receipts("up", "17", reply(text)) == []


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("errors:Wrong login/password", 200),
        ("<html>", 200),
        ("", 200),
        ("status:Somewhere", 200),
        ("code:3", 500),
        ("errors:Temporarily unavailable", 503),
    ],
)
def test_a_refusal_is_no_status(text: str, status: int) -> None:
    with pytest.raises(ValueError, match="no status"):
        receipts("up", "17", reply(text, status))


# ---- what is pushed


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":5,"msg_id":17,"type":"viber","status":"DELIVERED","phone":"380501234567"}',
        b'{"id":"5","msg_id":"17","status":"delivered","phone":"+380501234567"}',
        b'{"id":17,"status":102,"phone":380501234567}',
        b'{"id":"17","status":"3","phone":"380501234567"}',
        b"id=17&status=102&phone=380501234567",
        b"msg_id=17&id=5&status=DELIVERED&phone=%2B380501234567",
    ],
)
def test_a_pushed_status_is_a_receipt(body: bytes) -> None:
    [one] = HttpPhp(settings()).callback("up", Callback({}, "", body)).receipts
    assert (one.connector, one.provider_id, one.recipient) == ("up", "17", TO)
    assert (one.outcome, one.raw) == (Outcome.DELIVERED, body.decode())


FAILED = (Outcome.FAILED, Fault.RECIPIENT)
BY_SENDER = (Outcome.FAILED, Fault.SENDER)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        *((word, None) for word in ("ACCEPTED", "QUEUED", "ROUTING", "UNKNOWN", "NEW", "", "0", "1", "2")),
        *((number, None) for number in ("100", "101", "106", "107", "110", "114", "999", "1000")),
        *((word, (Outcome.SEEN, Fault.RECIPIENT)) for word in ("READ", "Read", "REPLIED", "116")),
        *((word, (Outcome.EXPIRED, Fault.RECIPIENT)) for word in ("EXPIRED", "103", "5", "Out of touch")),
        *((word, FAILED) for word in ("DELETED", "FILTERED", "REJECTED", "UNDELIVERABLE", "SIM FULL")),
        *((word, FAILED) for word in ("NO ROUTE", "NO_ROUTE", "PARTIALLY DELIVERED", "10", "50", "95", "96")),
        *((number, FAILED) for number in ("104", "105", "108", "109", "111")),
        *((word, BY_SENDER) for word in ("INVALID SOURCE ADDRESS", "112", "113")),
        *((word, (Outcome.FAILED, Fault.NUMBER)) for word in ("INVALID DESTINATION ADDRESS", "99")),
    ],
)
def test_every_word_of_the_family_has_its_meaning(said: str, told: tuple[Outcome, Fault] | None) -> None:
    receipts = parse_callback("up", b'{"id":17,"status":"%s"}' % said.encode()).receipts
    assert [(one.outcome, one.fault) for one in receipts] == ([told] if told else [])


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"status":"DELIVERED"}',
        b'{"id":true,"status":"DELIVERED"}',
        b'{"id":17}',
        b'{"id":17,"status":null}',
        b'{"id":17,"status":["DELIVERED"]}',
        b"a=b",
    ],
)
def test_a_push_about_something_else_says_nothing(body: bytes) -> None:
    assert parse_callback("up", body) == Said()


@pytest.mark.parametrize("body", [b"", b"[]", b"17", b"text", b"{", b"\xff=1", b'{"a":' * 10_000])
def test_garbage_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"neither a JSON object nor a form|can't decode"):
        parse_callback("up", body)


@given(st.binary(max_size=100))
def test_any_push_is_read_or_is_garbage(body: bytes) -> None:
    try:
        said = parse_callback("up", body)
    except ValueError:
        return
    assert isinstance(said, Said)


# ---- at work


class Impatient(HttpPhp):
    """Asks as soon as it can."""

    def __init__(self, settings: HttpPhpConnector) -> None:
        super().__init__(settings)
        self.poll_s = 0.001


async def test_a_message_is_taken_and_asked_about_until_it_has_ended() -> None:
    codes = iter([0, 1, 2])

    def gateway(asked: Asked) -> web.Response:
        if asked.fields["command"] == "send":
            return web.Response(text="id:17\nsms_count:1\n")
        return web.Response(text=f"status:Some\ncode:{next(codes, 116)}\n")

    far, ours = Far(), Store()
    far.reply = gateway
    async with listening(far) as url:
        there = settings(url=url + "/api/http.php")
        async with line(there, ours, Impatient(there)) as up:
            assert await answer_to(up, handover()) == Taken("17")
            ours.ids = ["17"]
            await ours.fresh.wait()
    assert ours.kept[0].outcome is Outcome.SEEN
    assert {one.target for one in far.asked} == {"/api/http.php"}


@pytest.mark.parametrize("sentence", ["Wrong login/password", "Not enough money", "Unknown command"])
async def test_while_the_account_is_refused_an_sms_waits_and_viber_goes_on(sentence: str) -> None:
    far = Far()
    far.says(f"errors:{sentence}\n".encode())
    async with listening(far) as url, line(settings(url=url)) as up:
        first = await answer_to(up, handover(SmsText(text="Hi")))
        assert isinstance(first, Later)
        assert (first.after_s, first.throttled) == (60.0, True), "no try of the message's"
        assert await answer_to(up, handover(SmsText(text="Hi"))) == Later(60.0, "paused", throttled=True)
        assert await answer_to(up, handover()) == Never("paused", Fault.CONFIGURATION, unasked=True)
        assert (len(far.asked), up.state.state) == (1, "refused")
        assert up.state.last_error == first.code


async def test_what_is_wrong_with_one_sms_is_final() -> None:
    far = Far()
    far.says(b"errors:Sender is not registered\n")
    async with listening(far) as url, line(settings(url=url)) as up:
        assert await answer_to(up, handover(SmsText(text="Hi"))) == Never("bad_sender", Fault.SENDER)
        assert up.state.state == "up"
