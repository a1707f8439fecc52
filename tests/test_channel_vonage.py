"""The Vonage channel: what is said to Vonage, what is answered and called back, and whose webhooks count."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from http_ends import TO, handover
from hypothesis import given
from hypothesis import strategies as st
from provider_cases.vonage import CASES, ID, KEY, LINK, PICTURE, REPLY, SIGNED, make, problem, report, signed

from hopwire.channels.http import Callback, ForgedError, Reply, Request
from hopwire.channels.vonage import CODES, LATER, RENEW_S, REPEATED_S, SKEW_S, TOKEN_S, Vonage, answer, verify
from hopwire.channels.vonage import parse_callback as read
from hopwire.config import ConfigError, VonageConnector, parse
from hopwire.model import (
    Fault,
    FlashSms,
    Handover,
    Incoming,
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

URL = "https://api.nexmo.com"
HOOK = "https://us.example/callbacks/vonage/callback-secret-1234567"
NOW = 1_800_000_000.0


def settings(**changes: Any) -> VonageConnector:
    fields: dict[str, Any] = {
        "api_key": "key",
        "api_secret": "secret",
        "signature_secret": SIGNED,
        "callback_secret": "callback-secret-1234567",
    }
    return VonageConnector(**(fields | changes))


def asked(handed: Handover, **changes: Any) -> Request:
    request = Vonage(settings(**changes)).request(handed)
    assert isinstance(request, Request)
    return request


def said(handed: Handover, **changes: Any) -> dict[str, Any]:
    return dict(json.loads(asked(handed, **changes).body))


# ---- what is said

OPTIONS = {"category": "promotion", "ttl": 60}
ACTION = {"url": LINK, "text": "Open"}


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        pytest.param(
            ViberText(text="Hi"),
            {"channel": "viber_service", "message_type": "text", "text": "Hi", "viber_service": OPTIONS},
            id="text",
        ),
        pytest.param(
            ViberImage(image=PICTURE, url=LINK),
            {
                "channel": "viber_service",
                "message_type": "image",
                "image": {"url": PICTURE},
                "viber_service": OPTIONS,
            },
            id="image, whose link needs a button",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK),
            {
                "channel": "viber_service",
                "message_type": "text",
                "text": "Hi",
                "viber_service": {**OPTIONS, "action": ACTION},
            },
            id="button",
        ),
        pytest.param(
            ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE),
            {
                "channel": "viber_service",
                "message_type": "image",
                "image": {"url": PICTURE, "caption": "Hi"},
                "viber_service": {**OPTIONS, "action": ACTION},
            },
            id="button with an image",
        ),
        pytest.param(
            SmsText(text="Hi"),
            {"channel": "sms", "message_type": "text", "text": "Hi", "ttl": 60},
            id="SMS",
        ),
        pytest.param(
            WapPush(url=LINK, text="See"),
            {"channel": "sms", "message_type": "text", "text": f"See {LINK}", "ttl": 60},
            id="WAP push, as a text",
        ),
    ],
)
def test_a_message_is_said_as_its_kind_wants(
    content: ViberContent | SmsContent, fields: dict[str, Any]
) -> None:
    request = asked(handover(content))
    assert (request.method, request.url) == ("POST", URL + "/v1/messages")
    assert said(handover(content)) == {"to": TO, "from": "Shop", "client_ref": KEY, **fields}


def test_a_template_goes_by_its_text_and_in_its_own_category() -> None:
    template = Template(id="t-1", language="uk", kind="transaction", parameters={"pin": "1234"})
    told = said(handover(ViberText(text="Code 1234"), template=template))
    assert told["text"] == "Code 1234"
    assert told["viber_service"] == {"category": "transaction", "ttl": 60, "type": "template"}


def test_a_flash_message_is_not_carried() -> None:
    assert Vonage(settings()).request(handover(FlashSms(text="Hi"))) == Never(
        "content not carried", Fault.CONTENT
    )


@pytest.mark.parametrize(
    ("lifetime_s", "viber", "sms"), [(1, 30, 20), (60, 60, 60), (604_800, 259_200, 604_800)]
)
def test_the_lifetime_is_within_vonages_limits(lifetime_s: int, viber: int, sms: int) -> None:
    assert said(handover(lifetime_s=lifetime_s))["viber_service"]["ttl"] == viber
    assert said(handover(SmsText(text="Hi"), lifetime_s=lifetime_s))["ttl"] == sms


@pytest.mark.parametrize(
    ("senders", "sender"),
    [({}, "Shop"), ({"Shop": "1", "*": "2"}, "1"), ({"*": "2"}, "2"), ({"Else": "1"}, "Shop")],
)
def test_a_sender_name_is_its_own_or_the_service_it_stands_for(senders: dict[str, str], sender: str) -> None:
    assert said(handover(), senders=senders)["from"] == sender


def test_a_name_for_viber_and_the_same_name_for_sms_are_two_senders() -> None:
    assert asked(handover(ViberText(text="Hi"))).scope == "viber_service Shop"
    assert asked(handover(SmsText(text="Hi"))).scope == "sms Shop"


def test_statuses_are_ordered_where_the_setting_says() -> None:
    told = said(handover(), callback_url=HOOK)
    assert (told["webhook_url"], told["webhook_version"]) == (HOOK, "v1")
    assert "webhook_url" not in said(handover())


# ---- who we are


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, lock: KeySerializationEncryption | None = None
) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption()).decode()


RSA = rsa.generate_private_key(65537, 2048)
PRIVATE = pem(RSA)
PUBLIC = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
APPLICATION = {"application_id": "app-1", "private_key": PRIVATE}


def test_key_and_secret_go_by_basic_authentication() -> None:
    assert asked(handover()).headers["authorization"] == "Basic a2V5OnNlY3JldA=="


def token(vonage: Vonage) -> str:
    request = vonage.request(handover())
    assert isinstance(request, Request)
    scheme, _, value = request.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    return value


def test_an_application_signs_a_token_that_its_public_key_confirms() -> None:
    clock = lambda: NOW  # noqa: E731
    claims = jwt.decode(
        token(Vonage(settings(**APPLICATION), clock)),
        PUBLIC,
        algorithms=["RS256"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims.pop("jti")
    assert claims == {"application_id": "app-1", "iat": int(NOW), "exp": int(NOW) + TOKEN_S}


def test_a_token_serves_for_some_minutes_and_then_there_is_another() -> None:
    now = NOW
    vonage = Vonage(settings(**APPLICATION), lambda: now)
    first = token(vonage)
    now += RENEW_S - 1
    assert token(vonage) == first
    now += 1
    assert token(vonage) != first
    assert RENEW_S < TOKEN_S


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"api_secret": ""}, "application_id: must be given", id="a key without its secret"),
        pytest.param(
            {"application_id": "app-1"}, "must be given together", id="an application without a key"
        ),
        pytest.param({"private_key": PRIVATE}, "must be given together", id="a key without an application"),
        pytest.param(
            {**APPLICATION, "private_key": "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"},
            "private_key: must be an RSA key",
            id="no PEM",
        ),
        pytest.param(
            {**APPLICATION, "private_key": pem(RSA, BestAvailableEncryption(b"lock"))},
            "without a password",
            id="a key with a password",
        ),
        pytest.param(
            {**APPLICATION, "private_key": pem(ec.generate_private_key(ec.SECP256R1()))},
            "must be an RSA key",
            id="a key of another kind",
        ),
    ],
)
def test_credentials_that_cannot_be_are_told_when_the_settings_are_read(
    fields: dict[str, str], complaint: str
) -> None:
    good = {"kind": "vonage", "api_key": "k", "api_secret": "s", "signature_secret": "x"}
    tree = {"connectors": {"vonage": {**good, "callback_secret": "s" * 16, **fields}}}
    with pytest.raises(ConfigError, match=complaint) as told:
        parse(tree)
    assert "secret\n" not in str(told.value)


# ---- what is answered


def reply(body: bytes, status: int = 202, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("told", [case for case in CASES.answers.values() if not isinstance(case, str)])
def test_an_answer_means_what_the_table_of_channels_says(told: Any) -> None:
    http_status, body, expected = told
    assert answer(reply(body, http_status)) == expected


def test_every_code_of_a_refusal_has_its_answer() -> None:
    for code, (_, fault) in CODES.items():
        expected = Later(5.0, code) if fault is LATER else Never(code, fault)
        assert answer(reply(problem(code), 422)) == expected
    assert answer(reply(problem(9999), 422)) == Never("9999", Fault.CONTENT)


def test_the_code_is_the_title_where_that_is_one() -> None:
    assert answer(reply(problem(1, title="1120"), 422)) == Never("1120", Fault.SENDER)
    body = json.dumps({"type": "about:blank", "title": 1120}).encode()
    assert answer(reply(body, 422)) == Never("1120", Fault.SENDER)


def test_a_busy_vonage_says_when_to_come_back() -> None:
    assert answer(reply(problem(1000), 429, retry_after="7")) == Later(7.0, "http 429", throttled=True)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        pytest.param(b"", 202, Unknown("http 202"), id="nothing"),
        pytest.param(b"[]", 202, Unknown("http 202"), id="a list"),
        pytest.param(b"{}", 202, Unknown("http 202"), id="no id"),
        pytest.param(b"[" * 100_000, 202, Unknown("http 202"), id="nested too deeply"),
        pytest.param(b"<html>", 422, Later(1.0, "http 422"), id="a refusal that is not Vonage's"),
        pytest.param(b"<html>", 402, Never("http 402", Fault.CONFIGURATION), id="no money, and no word"),
        pytest.param(problem("not-found"), 404, Later(1.0, "http 404"), id="no such address"),
        pytest.param(b"<html>", 503, Later(1.0, "http 503"), id="away"),
        pytest.param(b"<html>", 502, Unknown("http 502"), id="a gateway between"),
    ],
)
def test_what_is_no_answer_goes_by_http(body: bytes, status: int, expected: object) -> None:
    assert answer(reply(body, status)) == expected


@given(st.binary(), st.sampled_from([200, 202, 301, 400, 401, 402, 404, 422, 429, 500, 503]))
def test_whatever_is_answered_means_something(body: bytes, http_status: int) -> None:
    assert isinstance(answer(reply(body, http_status)), Taken | Later | Never | Unknown)


# ---- whose webhooks count

BODY = report("delivered")


def forged(callback: Callback) -> bool:
    try:
        Vonage(settings()).callback("vonage", callback)
    except ForgedError:
        return True
    return False


def b64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def handmade(header: object, key: bytes = SIGNED.encode(), digest: str = "sha256") -> Callback:
    """A token as no library would write it."""
    claims = {"iat": int(time.time())}
    said = b".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    whole = said + b"." + b64(hmac.new(key, said, digest).digest())
    return Callback({"authorization": f"Bearer {whole.decode()}"}, "", BODY)


@pytest.mark.parametrize(
    "callback",
    [
        pytest.param(signed(BODY), id="as Vonage signs"),
        pytest.param(signed(BODY, payload_hash=None), id="without a hash of the body"),
        pytest.param(
            signed(BODY, payload_hash=hashlib.sha256(BODY).hexdigest().upper()), id="hash in capitals"
        ),
        pytest.param(signed(BODY, exp=int(time.time()) + 86_400), id="not expired"),
        pytest.param(signed(BODY, iat=time.time() - 3600), id="of an hour ago, repeated"),
        pytest.param(handmade({"alg": "HS256", "typ": "JWT"}), id="by hand"),
    ],
)
def test_what_the_owner_of_the_secret_has_signed_counts(callback: Callback) -> None:
    assert not forged(callback)


def test_a_short_secret_is_vonages_to_choose() -> None:
    callback = handmade({"alg": "HS256"}, b"short")
    Vonage(settings(signature_secret="short")).callback("vonage", callback)


@pytest.mark.parametrize(
    "callback",
    [
        pytest.param(Callback({}, "", BODY), id="not signed"),
        pytest.param(Callback({"authorization": "Basic a2V5OnNlY3JldA=="}, "", BODY), id="Basic"),
        pytest.param(Callback({"authorization": "Bearer"}, "", BODY), id="an empty token"),
        pytest.param(Callback({"authorization": "Bearer ключ"}, "", BODY), id="no ASCII"),
        pytest.param(signed(BODY, "another-secret-of-the-same-length-1234567"), id="another secret"),
        pytest.param(signed(BODY)._replace(body=report("read")), id="another body"),
        pytest.param(signed(BODY, payload_hash="é"), id="a hash that is none"),
        pytest.param(signed(BODY, iat=None), id="signed at no time"),
        pytest.param(signed(BODY, iat="yesterday"), id="a time that is none"),
        pytest.param(signed(BODY, iat=int(time.time()) + 3600), id="from the future"),
        pytest.param(signed(BODY, iat=int(time.time()) - 2 * 86_400), id="of long ago"),
        pytest.param(signed(BODY, exp=int(time.time()) - 3600), id="expired"),
        pytest.param(handmade({"alg": "none"}, b""), id="no algorithm"),
        pytest.param(handmade({"alg": "None"}, b""), id="no algorithm, with a capital"),
        pytest.param(handmade({"alg": "HS512"}, digest="sha512"), id="another algorithm with the secret"),
        pytest.param(handmade({"alg": "HS256"}, PUBLIC), id="our public key as the secret"),
        pytest.param(handmade({"alg": "HS256", "crit": ["x"], "x": 1}), id="what must be understood is not"),
        pytest.param(handmade([]), id="a header that is a list"),
        pytest.param(
            Callback({"authorization": f"Bearer {b64(b'[' * 100_000).decode()}.e30.x"}, "", BODY),
            id="nested too deeply",
        ),
    ],
)
def test_what_nobody_has_signed_so_changes_nothing(callback: Callback) -> None:
    assert forged(callback)


def test_a_token_of_ours_is_no_signature_of_vonages() -> None:
    bearer = token(Vonage(settings(**APPLICATION)))
    assert forged(Callback({"authorization": f"Bearer {bearer}"}, "", BODY))


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"iat": NOW + SKEW_S}, True),
        ({"iat": NOW + SKEW_S + 1}, False),
        ({"iat": NOW - REPEATED_S - SKEW_S}, True),
        ({"iat": NOW - REPEATED_S - SKEW_S - 1}, False),
        ({"iat": NOW, "exp": NOW - SKEW_S}, True),
        ({"iat": NOW, "exp": NOW - SKEW_S - 1}, False),
    ],
)
def test_clocks_may_differ_by_a_minute(claims: dict[str, Any], good: bool) -> None:
    try:
        verify(signed(BODY, **claims), SIGNED, NOW)
    except ForgedError:
        assert not good
    else:
        assert good


@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda data: data.decode("latin-1")))
def test_whatever_stands_for_a_token_is_a_signature_or_forged(token: str) -> None:
    assert forged(Callback({"authorization": f"Bearer {token}"}, "", BODY))


# ---- what is reported later


@pytest.mark.parametrize("told", [case for case in CASES.reports.values() if not isinstance(case, str)])
def test_a_status_means_what_the_table_of_channels_says(told: Any) -> None:
    body, outcome, fault = told
    receipts = Vonage(make(URL)).callback("vonage", signed(body)).receipts
    assert [receipt.outcome for receipt in receipts] == ([] if outcome is None else [outcome])
    for receipt in receipts:
        assert (receipt.connector, receipt.provider_id, receipt.recipient) == ("vonage", ID, TO)
        assert receipt.raw == body.decode()
        assert fault is None or receipt.fault is fault


def test_every_error_has_its_outcome() -> None:
    for code, (_, fault) in CODES.items():
        (receipt,) = read("vonage", report("rejected", int(code))).receipts
        expected = Outcome.EXPIRED if fault is LATER else Outcome.FAILED
        assert (receipt.outcome, receipt.code) == (expected, code)
        assert fault is LATER or receipt.fault is fault


@pytest.mark.parametrize(
    ("body", "outcome", "code"),
    [
        pytest.param(report("rejected"), Outcome.FAILED, "rejected", id="for no reason"),
        pytest.param(report("rejected", 9999), Outcome.FAILED, "9999", id="for a reason that nobody knows"),
        pytest.param(report("delivered", 1300), Outcome.DELIVERED, "1300", id="an error beside a delivery"),
    ],
)
def test_the_status_decides_and_the_error_explains(body: bytes, outcome: Outcome, code: str) -> None:
    (receipt,) = read("vonage", body).receipts
    assert (receipt.outcome, receipt.code, receipt.fault) == (outcome, code, Fault.RECIPIENT)


def test_a_message_that_was_already_sent_lives() -> None:
    assert read("vonage", report("rejected", 1320)).receipts == []


def written(fields: dict[str, Any]) -> Incoming:
    (one,) = read("vonage", json.dumps(REPLY | fields).encode()).incoming
    return one


@pytest.mark.parametrize(
    ("fields", "text", "about"),
    [
        pytest.param({}, "Дякую", ID, id="an answer"),
        pytest.param({"context": None}, "Дякую", "", id="to no message of ours"),
        pytest.param({"message_type": "image", "text": "", "image": {"url": LINK}}, LINK, ID, id="an image"),
        pytest.param({"message_type": "file", "text": "", "file": {"url": LINK}}, LINK, ID, id="a file"),
    ],
)
def test_what_a_reader_writes_is_an_incoming_message(fields: dict[str, Any], text: str, about: str) -> None:
    one = written(fields)
    assert (one.sender, one.recipient, one.about) == (TO, "16273", about)
    assert one.payload.decode("utf-16-be") == text


def test_what_cannot_be_shown_is_no_message() -> None:
    body = json.dumps(REPLY | {"message_type": "unsupported", "text": ""}).encode()
    assert read("vonage", body).incoming == []


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"{", b'{"status":5}', b"[" * 100_000, b"\xff"])
def test_garbage_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="the callback is no webhook of Vonage"):
        read("vonage", body)


@given(st.binary())
def test_whatever_a_callback_is_it_is_read_or_garbage(body: bytes) -> None:
    try:
        Vonage(settings()).callback("vonage", signed(body))
    except ValueError:
        return
