from datetime import datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hopwire import errors, sms
from hopwire.errors import ApiError
from hopwire.model import (
    FlashSms,
    SendRequest,
    SmsContent,
    SmsText,
    ViberButton,
    ViberImage,
    ViberText,
    WapPush,
)
from hopwire.store.directory import NOBODY
from hopwire.web import php
from hopwire.web.http_php_request import Call, Key, LoginPassword, message_id, read, recipient, send_request

ACCOUNT = replace(NOBODY, id=1, login="380501112233")
DOCUMENTED = (
    b"version=http&key=api/key&command=send&from=test&to=380501234567&message=test&viber=1&viber_type=text"
    b"&viber_message=test&viber_from=test&viber_lifetime=60&viber_sms=true"
)
SMS = {"from": "Shop", "to": "380501234567", "message": "Hi"}
VIBER = {"viber": "1", "viber_from": "Shop", "viber_message": "Hello", "to": "380501234567"}
LINK = "http://a.example/"
PICTURE = "https://a.example/b.jpg"
CAPITALS = "HTTP://a.example:81/b.PNG?c=d"
LONG = "😀" * 1000
IMAGE = VIBER | {"viber_type": "image", "viber_image": PICTURE}
BUTTON = VIBER | {"viber_type": "button", "viber_url": LINK, "viber_button": "Open"}
Fields = dict[str, str | bytes | None]
NO_TEXT: Fields = {"viber_message": None}
REDIRECT: Fields = {"viber_sms": "1"}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


NOW = ms("2026-11-23T10:00:00+00:00")


def call(fields: dict[str, str], **changes: str | bytes | None) -> Call:
    """A `send` of these fields; a change to None leaves a field out."""
    merged = fields | {name.replace("from_", "from"): value for name, value in changes.items()}
    present = {name: value for name, value in merged.items() if value is not None}
    return read(urlencode({"command": "send"} | present).encode(), b"", b"")


def count(digits: str, content: SmsContent, country: str) -> int:
    return sms.count(content)


def send(fields: dict[str, str], **changes: str | bytes | None) -> SendRequest:
    return send_request(call(fields, **changes), ACCOUNT, NOW, 10, count)


def refusal(fields: dict[str, str], **changes: str | bytes | None) -> type[ApiError]:
    with pytest.raises(ApiError) as caught:
        send(fields, **changes)
    return type(caught.value)


# ---- reading


def test_the_documented_request() -> None:
    request = read(DOCUMENTED, b"", b"")
    assert (request.dialect, request.command, request.credentials) == ("plain", "send", Key("api/key"))
    assert send_request(request, ACCOUNT, NOW, 10, count) == SendRequest(
        recipient="380501234567",
        sms=SmsText(text="test"),
        sms_sender="test",
        viber=ViberText(text="test"),
        viber_sender="test",
        viber_lifetime_s=60,
        send_at=None,
        country="UA",
    )


@pytest.mark.parametrize(
    ("query", "content_type", "body"),
    [
        pytest.param(b"command=send&a=1", b"", b"", id="query"),
        pytest.param(b"", b"application/x-www-form-urlencoded", b"command=send&a=1", id="body"),
        pytest.param(b"", b"", b"&command=send&a=1", id="body without a type"),
        pytest.param(b"command=send&a=2", b"text/plain", b"a=1", id="both, the body wins"),
        pytest.param(b"command=SEND&a=1", b"", b"", id="command in capitals"),
        pytest.param(
            b"command=send",
            b"multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
            id="multipart",
        ),
    ],
)
def test_parameters_come_in_the_query_and_in_the_body(query: bytes, content_type: bytes, body: bytes) -> None:
    request = read(query, content_type, body)
    assert (request.dialect, request.command, request.fields[b"a"]) == ("plain", "send", b"1")


@pytest.mark.parametrize("command", ["send", "receive", "delete", "price", "balance", "Balance"])
def test_the_dialect_is_chosen_by_the_command(command: str) -> None:
    plain = read(b"command=" + command.encode() + b"&key=k", b"", b"")
    encoded = read(b"command=" + php.encode64(command.encode()) + b"&key=aw,,", b"", b"")
    assert (plain.dialect, plain.command, plain.credentials) == ("plain", command.lower(), Key("k"))
    assert (encoded.dialect, encoded.command, encoded.credentials) == ("encoded", command.lower(), Key("k"))


@pytest.mark.parametrize(
    "query", [b"", b"command=", b"command=sendd", b"command=c2VuZGQ,", b"command=%FF%FF%FF%FF"]
)
def test_any_other_command_is_unknown_and_plain(query: bytes) -> None:
    request = read(query + b"&key=k", b"", b"")
    assert (request.dialect, request.command, request.credentials) == ("plain", None, Key("k"))


def test_the_encoded_dialect_says_the_same() -> None:
    fields = BUTTON | {"from": "Shop", "message": "Їжак??>>", "viber_sms": "yes"}
    encoded = {name: php.encode64(value.encode()) for name, value in fields.items()}
    request = read(urlencode({"command": php.encode64(b"send")} | encoded).encode(), b"", b"")
    assert request.dialect == "encoded"
    assert send_request(request, ACCOUNT, NOW, 10, count) == send(fields)


def test_only_a_value_that_is_used_must_be_encoded() -> None:
    encoded = {name: php.encode64(value.encode()) for name, value in SMS.items()}
    version = urlencode(encoded | {"command": "c2VuZA,,", "version": "https"}).encode()
    message = urlencode(encoded | {"command": "c2VuZA,,", "message": "https"}).encode()
    assert send_request(read(version, b"", b""), ACCOUNT, NOW, 10, count) == send(SMS)
    with pytest.raises(errors.BadEncoding):
        send_request(read(message, b"", b""), ACCOUNT, NOW, 10, count)


@pytest.mark.parametrize(
    ("query", "credentials"),
    [
        pytest.param(b"", None, id="none"),
        pytest.param(b"key=k", Key("k"), id="key"),
        pytest.param(b"key=k&login=l&pass=p", Key("k"), id="a key decides alone"),
        pytest.param(b"key=&login=l&pass=p", LoginPassword("l", "p"), id="an empty key is none"),
        pytest.param(b"key=%FF&login=l&pass=p", None, id="a key that is no text"),
        pytest.param(b"login=l&password=p", LoginPassword("l", "p"), id="password"),
        pytest.param(b"login=l&pass=p&password=q", LoginPassword("l", "p"), id="pass before password"),
        pytest.param(b"login=l&pass=&password=q", LoginPassword("l", "q"), id="an empty pass is none"),
        pytest.param(b"login=%2B380501112233&pass=p", LoginPassword("380501112233", "p"), id="plus"),
        pytest.param(b"login=+380501112233&pass=p", LoginPassword("380501112233", "p"), id="plus as a space"),
        pytest.param(b"login=l&pass=+p%2B", LoginPassword("l", " p+"), id="a password is as it is"),
        pytest.param(b"login=l", None, id="no password"),
        pytest.param(b"pass=p", None, id="no login"),
        pytest.param(b"login=l&pass=%FF", None, id="a password that is no text"),
    ],
)
def test_who_asks(query: bytes, credentials: Key | LoginPassword | None) -> None:
    assert read(b"command=send&" + query, b"", b"").credentials == credentials


def test_a_credential_that_is_not_encoded_is_none() -> None:
    assert read(b"command=c2VuZA,,&key=a&login=bA,,&pass=cA,,", b"", b"").credentials is None


@pytest.mark.parametrize("typed", [b"1", b"84523377", b"007", b"9007199254740991"])
def test_an_id_is_a_number(typed: bytes) -> None:
    assert message_id(read(b"command=receive&id=" + typed, b"", b"")) == int(typed)


@pytest.mark.parametrize(
    "typed", [b"", b"0", b"-1", b"+1", b"1a", b"9007199254740992", b"%FF", b"1" + b"0" * 40]
)
def test_any_other_id_is_not_found(typed: bytes) -> None:
    with pytest.raises(errors.NotFound):
        message_id(read(b"command=receive&id=" + typed, b"", b""))


def test_a_price_is_asked_of_a_number() -> None:
    assert recipient(read(b"command=price&to=0501234567", b"", b""), ACCOUNT).digits == "380501234567"
    with pytest.raises(errors.BadRecipient):
        recipient(read(b"command=price", b"", b""), ACCOUNT)


# ---- what is sent


@pytest.mark.parametrize(
    ("fields", "changes", "name", "value"),
    [
        pytest.param(SMS, {}, "sms", SmsText(text="Hi"), id="an SMS"),
        pytest.param(SMS, {}, "viber", None, id="an SMS alone"),
        pytest.param(SMS, {"message": None, "text": "Ho"}, "sms", SmsText(text="Ho"), id="alias"),
        pytest.param(SMS, {"message": "", "text": "Ho"}, "sms", SmsText(text="Ho"), id="empty is absent"),
        pytest.param(SMS, {"text": "Ho"}, "sms", SmsText(text="Hi"), id="message before its alias"),
        pytest.param(SMS, {"message": "a\r\nb"}, "sms", SmsText(text="a\r\nb"), id="lines"),
        pytest.param(SMS, {"viber": "0", "viber_type": "?"}, "viber", None, id="Viber is off and not read"),
        pytest.param(SMS, {"viber_sms": "1"}, "sms", SmsText(text="Hi"), id="no Viber to redirect"),
        pytest.param(SMS, {"flash": "1"}, "sms", FlashSms(text="Hi"), id="flash"),
        pytest.param(SMS, {"flash": "off"}, "sms", SmsText(text="Hi"), id="no flash"),
        pytest.param(SMS, {"wap": LINK}, "sms", WapPush(url=LINK, text="Hi"), id="push"),
        pytest.param(SMS, {"wap": LINK, "flash": "1"}, "sms", WapPush(url=LINK, text="Hi"), id="not flashed"),
        pytest.param(SMS, {"to": "+38 (050) 123-45-67"}, "recipient", "380501234567", id="a typed number"),
        pytest.param(VIBER, {}, "viber", ViberText(text="Hello"), id="Viber"),
        pytest.param(VIBER, {}, "sms", None, id="Viber alone"),
        pytest.param(VIBER, NO_TEXT | {"message": "Hi"}, "viber", ViberText(text="Hi"), id="message for it"),
        pytest.param(VIBER, NO_TEXT | {"text": "Hi"}, "viber", ViberText(text="Hi"), id="alias for it"),
        pytest.param(VIBER, {"message": "Hi"}, "viber", ViberText(text="Hello"), id="Viber's own text"),
        pytest.param(VIBER, {"message": "a" * 5000}, "sms", None, id="the SMS is not read"),
        pytest.param(VIBER, {"wap": "x"}, "sms", None, id="nor its link"),
        pytest.param(VIBER, {"viber_type": ""}, "viber", ViberText(text="Hello"), id="default type"),
        pytest.param(VIBER, {"viber_from": "", "from_": "Крамниця"}, "viber_sender", "Крамниця", id="from"),
        pytest.param(VIBER, {"from_": "Other"}, "viber_sender", "Shop", id="Viber's own sender"),
        pytest.param(VIBER, {"from_": "Other"}, "sms_sender", "", id="no SMS sender"),
        pytest.param(VIBER, {"viber_from": "Ї" * 28}, "viber_sender", "Ї" * 28, id="28 characters"),
        pytest.param(VIBER, {"viber_message": LONG}, "viber", ViberText(text=LONG), id="1000 characters"),
        pytest.param(VIBER, {"viber_lifetime": "60"}, "viber_lifetime_s", 60, id="the shortest life"),
        pytest.param(VIBER, {"viber_lifetime": "86400"}, "viber_lifetime_s", 86_400, id="the longest life"),
        pytest.param(VIBER, {}, "viber_lifetime_s", 86_400, id="default life"),
        pytest.param(SMS | VIBER, REDIRECT, "sms", SmsText(text="Hi"), id="an SMS after Viber"),
        pytest.param(SMS | VIBER, REDIRECT, "viber", ViberText(text="Hello"), id="Viber before an SMS"),
        pytest.param(SMS | VIBER, REDIRECT | {"from_": "Other"}, "sms_sender", "Other", id="two senders"),
        pytest.param(IMAGE, {}, "viber", ViberImage(image=PICTURE), id="image"),
        pytest.param(IMAGE, {"viber_message": LONG * 2}, "viber", ViberImage(image=PICTURE), id="no text"),
        pytest.param(
            IMAGE, {"viber_url": LINK}, "viber", ViberImage(image=PICTURE, url=LINK), id="with a link"
        ),
        pytest.param(IMAGE, {"viber_image": CAPITALS}, "viber", ViberImage(image=CAPITALS), id="capitals"),
        pytest.param(BUTTON, {}, "viber", ViberButton(text="Hello", caption="Open", url=LINK), id="button"),
        pytest.param(
            BUTTON,
            {"viber_button": "Ї" * 19, "viber_image": PICTURE},
            "viber",
            ViberButton(text="Hello", caption="Ї" * 19, url=LINK, image=PICTURE),
            id="button with an image",
        ),
    ],
)
def test_what_is_asked_for(fields: dict[str, str], changes: Fields, name: str, value: object) -> None:
    assert getattr(send(fields, **changes), name) == value


@pytest.mark.parametrize("word", ["1", "true", "TRUE", "Yes", "on"])
def test_a_word_for_true(word: str) -> None:
    request = send(SMS | VIBER, viber=word, viber_sms=word, flash=word)
    assert (request.viber, request.sms) == (ViberText(text="Hello"), FlashSms(text="Hi"))


@pytest.mark.parametrize("word", ["0", "false", "FALSE", "No", "off", "", None])
def test_a_word_for_false(word: str | None) -> None:
    assert send(SMS | VIBER, viber=word, flash=word).sms == SmsText(text="Hi")
    assert send(SMS | VIBER, viber_sms=word).sms is None


@pytest.mark.parametrize(
    ("typed", "sender"),
    [
        ("a", "a"),
        ("Shop.Na_me-", "Shop.Na_me-"),
        ("My shop 24", "My shop 24"),
        ("12345678901", "12345678901"),
        ("123456789012345", "123456789012345"),
        ("+380501112233", "380501112233"),
        (" 380501112233", "380501112233"),
        (" Shop ", "Shop"),
    ],
)
def test_a_sender_of_sms(typed: str, sender: str) -> None:
    assert send(SMS, from_=typed).sms_sender == sender


@pytest.mark.parametrize(
    "sender",
    [None, "", " ", "Twelve.chars", "1234567890123456", "Їжак", "a+b", "a\n", "+", "++1", "١٢٣", "a,b", "@"],
)
def test_not_a_sender_of_sms(sender: str | None) -> None:
    assert refusal(SMS, from_=sender) is errors.BadSender
    assert refusal(SMS | VIBER, viber_sms="1", from_=sender) is errors.BadSender


@pytest.mark.parametrize(
    ("fields", "changes", "error"),
    [
        pytest.param(SMS, {"to": None}, errors.BadRecipient, id="no number"),
        pytest.param(SMS, {"to": "123"}, errors.BadRecipient, id="a short number"),
        pytest.param(SMS, {"to": "380501234567,380501234568"}, errors.BadRecipient, id="two numbers"),
        pytest.param(SMS, {"message": None}, errors.NoText, id="no text"),
        pytest.param(VIBER, {"viber_sms": "1", "from_": "Shop"}, errors.NoText, id="no text to redirect"),
        pytest.param(SMS, {"message": b"\xff"}, errors.BadUtf8, id="text not in UTF-8"),
        pytest.param(SMS, {"message": "a" * 1531}, errors.TextTooLong, id="11 parts"),
        pytest.param(SMS, {"message": "Ї" * 671}, errors.TextTooLong, id="11 parts of UCS-2"),
        pytest.param(SMS, {"message": "a" * 1300, "wap": "http://a.example"}, errors.TextTooLong, id="push"),
        pytest.param(SMS, {"viber": "2"}, errors.BadBooleanViber, id="viber"),
        pytest.param(SMS, {"viber": b"\xff"}, errors.BadBooleanViber, id="viber is no text"),
        pytest.param(VIBER, {"viber_type": "video"}, errors.BadViberType, id="type"),
        pytest.param(VIBER, {"viber_type": "Text"}, errors.BadViberType, id="type in capitals"),
        pytest.param(VIBER, {"viber_message": None}, errors.NoViberText, id="no Viber text"),
        pytest.param(BUTTON, {"viber_message": ""}, errors.NoViberText, id="no text for a button"),
        pytest.param(VIBER, {"viber_message": "a" * 1001}, errors.ViberTextTooLong, id="Viber text"),
        pytest.param(VIBER, {"viber_message": b"\xff"}, errors.BadUtf8, id="Viber text not in UTF-8"),
        pytest.param(VIBER, {"viber_from": None}, errors.NoViberSender, id="no Viber sender"),
        pytest.param(VIBER, {"viber_from": "a" * 29}, errors.NoViberSender, id="a long Viber sender"),
        pytest.param(VIBER, {"viber_from": " "}, errors.NoViberSender, id="a Viber sender of spaces"),
        pytest.param(VIBER, {"viber_from": "a\nb"}, errors.NoViberSender, id="a Viber sender of lines"),
        pytest.param(VIBER, {"viber_lifetime": "59"}, errors.BadViberLifetime, id="too short a life"),
        pytest.param(VIBER, {"viber_lifetime": "86401"}, errors.BadViberLifetime, id="too long a life"),
        pytest.param(VIBER, {"viber_lifetime": "60.0"}, errors.BadViberLifetime, id="not whole"),
        pytest.param(VIBER, {"viber_lifetime": "-60"}, errors.BadViberLifetime, id="below zero"),
        pytest.param(VIBER, {"viber_lifetime": "٦٠"}, errors.BadViberLifetime, id="other digits"),
        pytest.param(VIBER, {"viber_lifetime": "9" * 5000}, errors.BadViberLifetime, id="endless digits"),
        pytest.param(VIBER, {"viber_sms": "ja"}, errors.BadBooleanViberSms, id="viber_sms"),
        pytest.param(SMS, {"viber_sms": "ja"}, errors.BadBooleanViberSms, id="viber_sms without viber"),
        pytest.param(IMAGE, {"viber_image": None}, errors.NoViberImage, id="no image"),
        pytest.param(IMAGE, {"viber_image": "https://a.example/b.webp"}, errors.BadViberImage, id="webp"),
        pytest.param(IMAGE, {"viber_image": "ftp://a.example/b.jpg"}, errors.BadViberImage, id="ftp"),
        pytest.param(
            IMAGE, {"viber_image": "https://a.example?b.jpg"}, errors.BadViberImage, id="in the query"
        ),
        pytest.param(IMAGE, {"viber_image": "https:///b.jpg"}, errors.BadViberImage, id="no host"),
        pytest.param(BUTTON, {"viber_image": "b.jpg"}, errors.BadViberImage, id="a button's image"),
        pytest.param(BUTTON, {"viber_url": None}, errors.NoViberUrl, id="no link"),
        pytest.param(BUTTON, {"viber_url": "viber://chat"}, errors.BadViberUrl, id="another scheme"),
        pytest.param(BUTTON, {"viber_url": "https://a example/"}, errors.BadViberUrl, id="a space"),
        pytest.param(BUTTON, {"viber_url": "https://a.example/\n"}, errors.BadViberUrl, id="a line"),
        pytest.param(BUTTON, {"viber_url": "http://["}, errors.BadViberUrl, id="half an address"),
        pytest.param(IMAGE, {"viber_url": "javascript:x"}, errors.BadViberUrl, id="an image's link"),
        pytest.param(BUTTON, {"viber_button": None}, errors.NoViberButton, id="no caption"),
        pytest.param(BUTTON, {"viber_button": "a" * 20}, errors.ViberButtonTooLong, id="caption"),
        pytest.param(SMS, {"wap": "a.example"}, errors.BadWap, id="wap"),
        pytest.param(SMS, {"flash": "maybe"}, errors.BadBooleanFlash, id="flash"),
        pytest.param(VIBER, {"flash": "maybe"}, errors.BadBooleanFlash, id="flash without SMS"),
        pytest.param(SMS, {"ask_date": "tomorrow"}, errors.BadAskDate, id="ask_date"),
        pytest.param(SMS, {"ask_date": "2027-11-23T10:00:01Z"}, errors.AskDateTooFar, id="too far"),
    ],
)
def test_what_is_refused(fields: dict[str, str], changes: Fields, error: type[ApiError]) -> None:
    assert refusal(fields, **changes) is error


def test_ten_parts_are_enough() -> None:
    assert send(SMS, message="a" * 1530).sms == SmsText(text="a" * 1530)
    assert send(SMS, message="Ї" * 670).sms == SmsText(text="Ї" * 670)


def test_a_link_is_counted_with_its_text_and_not_the_text_alone() -> None:
    assert send(SMS, message="Ї" + "a" * 700, wap="http://a.example").sms is not None


def test_the_first_failing_check_answers() -> None:
    rows = {
        "from": ("?", errors.BadSender, "Shop"),
        "to": ("?", errors.BadRecipient, "380501234567"),
        "message": ("", errors.NoText, "Hi"),
        "viber_type": ("?", errors.BadViberType, "button"),
        "viber_message": ("a" * 1001, errors.ViberTextTooLong, "Hello"),
        "viber_from": ("a" * 29, errors.NoViberSender, "Shop"),
        "viber_lifetime": ("?", errors.BadViberLifetime, "60"),
        "viber_image": ("?", errors.BadViberImage, PICTURE),
        "viber_url": ("?", errors.BadViberUrl, LINK),
        "viber_button": ("a" * 20, errors.ViberButtonTooLong, "Open"),
        "wap": ("?", errors.BadWap, LINK),
        "flash": ("?", errors.BadBooleanFlash, "1"),
        "ask_date": ("?", errors.BadAskDate, ""),
    }
    fields = {"viber": "1", "viber_sms": "1"} | {name: wrong for name, (wrong, _, _) in rows.items()}
    for name, (_, error, right) in rows.items():
        assert refusal(fields) is error
        fields[name] = right
    assert send(fields).sms == WapPush(url=LINK, text="Hi")


def test_a_wrong_boolean_answers_in_its_turn() -> None:
    assert refusal(VIBER, viber="?", from_="") is errors.BadSender
    assert refusal(SMS | VIBER, viber="?", viber_type="?") is errors.BadBooleanViber
    assert refusal(VIBER, viber_sms="?", viber_lifetime="?") is errors.BadViberLifetime
    assert refusal(BUTTON, viber_sms="?", viber_url="?") is errors.BadBooleanViberSms


# ---- when


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        pytest.param("2026-12-15T15:52:01+0200", "2026-12-15T13:52:01+00:00", id="documented"),
        pytest.param("2026-12-15T15:52:01+02:00", "2026-12-15T13:52:01+00:00", id="colon"),
        pytest.param("2026-12-15T15:52:01-0530", "2026-12-15T21:22:01+00:00", id="west"),
        pytest.param("2026-12-15T15:52:01+02", "2026-12-15T13:52:01+00:00", id="hours alone"),
        pytest.param("2026-12-15T15:52:01 0200", "2026-12-15T13:52:01+00:00", id="plus as a space"),
        pytest.param("2026-12-15 15:52:01 +0200", "2026-12-15T13:52:01+00:00", id="spaces"),
        pytest.param("2026-12-15T15:52:01Z", "2026-12-15T15:52:01+00:00", id="Z"),
        pytest.param("2026-12-15T15:52:01.250Z", "2026-12-15T15:52:01.250+00:00", id="fraction"),
        pytest.param("2026-12-15T15:52+0200", "2026-12-15T13:52:00+00:00", id="no seconds"),
        pytest.param("2026-12-15T15:52:01", "2026-12-15T13:52:01+00:00", id="no offset"),
        pytest.param("2026-12-15 15:52:01", "2026-12-15T13:52:01+00:00", id="a space for T"),
        pytest.param("2026-12-15 15:52", "2026-12-15T13:52:00+00:00", id="neither"),
        pytest.param("ISO-8601:2026-12-15T15:52:01+0200", "2026-12-15T13:52:01+00:00", id="named"),
        pytest.param("ISO-8601: 2026-12-15T15:52:01 0200", "2026-12-15T13:52:01+00:00", id="named, spaces"),
        pytest.param(" 2026-12-15T15:52:01+0200 ", "2026-12-15T13:52:01+00:00", id="around it"),
        pytest.param("2027-07-01 12:00:00", "2027-07-01T09:00:00+00:00", id="summer"),
        pytest.param("2027-03-28 03:30:00", "2027-03-28T01:30:00+00:00", id="a time that is skipped"),
        pytest.param("2027-10-31 03:30:00", "2027-10-31T00:30:00+00:00", id="a time that comes twice"),
        pytest.param("2027-11-23T10:00:00Z", "2027-11-23T10:00:00+00:00", id="a year ahead"),
    ],
)
def test_a_date_ahead_schedules(typed: str, moment: str) -> None:
    assert send(SMS, ask_date=typed).send_at == ms(moment)


@pytest.mark.parametrize(
    "typed",
    ["", "2026-11-23T10:00:00Z", "2026-11-23 12:00:00", "2024-08-15T15:52:01+0200", "0001-01-01T00:00+1200"],
)
def test_now_and_the_past_are_at_once(typed: str) -> None:
    assert send(SMS, ask_date=typed).send_at is None


@pytest.mark.parametrize(
    "typed",
    [
        "2026-12-15",
        "15:52",
        "20261215T155201Z",
        "2026-W51-2T10:00",
        "2026-13-15T15:52:01Z",
        "2026-02-30T15:52:01Z",
        "2026-12-15T25:52:01Z",
        "2026-12-15T15:52:01+2500",
        "2026-12-15T15:52:01 EET",
        "2026-12-15T15:52:01Z+0200",
        "٢٠٢٦-12-15T15:52:01Z",
        "0000-01-01T00:00Z",
        "1797342721",
    ],
)
def test_not_a_date(typed: str) -> None:
    assert refusal(SMS, ask_date=typed) is errors.BadAskDate


def test_a_year_after_29_february_is_1_march() -> None:
    now = ms("2028-02-29T10:00:00+00:00")
    fits, too_far = call(SMS, ask_date="2029-03-01T10:00:00Z"), call(SMS, ask_date="2029-03-01T10:00:01Z")
    assert send_request(fits, ACCOUNT, now, 10, count).send_at == ms("2029-03-01T10:00:00+00:00")
    with pytest.raises(errors.AskDateTooFar):
        send_request(too_far, ACCOUNT, now, 10, count)


# ---- anything

NAMES = sorted(
    {*SMS, *BUTTON, *IMAGE, "text", "viber_lifetime", "viber_sms", "wap", "flash", "ask_date", "command"}
)
VALUES = st.one_of(
    st.binary(max_size=30),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"1", b"send", b"c2VuZA,,", b"text", b"image", b"http://[::1", b"https://a.example/b.jpg"]
    ),
    st.sampled_from(["0501234567", "Shop", "9999-12-31T23:59:59-2359", "0001-01-01 00:00", "Ї" * 800]).map(
        str.encode
    ),
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_any_parameters_are_a_request_or_an_error_of_the_catalogue(fields: dict[str, bytes]) -> None:
    request = read(urlencode(SMS | fields).encode(), b"", b"")
    for question in (
        lambda: send_request(request, ACCOUNT, NOW, 10, count),
        lambda: message_id(request),
        lambda: recipient(request, ACCOUNT),
    ):
        try:
            question()
        except ApiError as error:
            assert type(error) in errors.CATALOGUE.values()


@given(st.binary(), st.sampled_from([b"", b"multipart/form-data; boundary=x"]), st.binary())
def test_any_bytes_are_a_call_or_an_error_of_the_catalogue(
    query: bytes, content_type: bytes, body: bytes
) -> None:
    try:
        assert read(query, content_type, body).dialect in ("plain", "encoded")
    except (errors.BadBody, errors.TooManyParameters):
        return
