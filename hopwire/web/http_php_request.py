"""What a request to /api/http.php asks for, as pure functions.

Rule 1: `read` decides nothing but the dialect; who asks is known before anything else is found wrong.
Rule 2: the checks of `send` run in the order of the protocol's table of parameters; the first one answers.
Rule 3: what the message cannot use is not checked: Viber's parameters without Viber, the SMS's without SMS.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from hopwire import contents, errors, phone, sms
from hopwire.credentials import plain_login
from hopwire.errors import ApiError
from hopwire.model import (
    Account,
    Fact,
    FlashSms,
    SendRequest,
    SmsContent,
    SmsText,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)
from hopwire.web import forms, php

Fields = Mapping[bytes, bytes]
Count = Callable[[str, SmsContent, str], int]
"""Into how many SMS parts a content falls on its way to a number of a country."""
Fits = Callable[[SmsContent], None]
"""Raises `TextTooLong`."""

COMMANDS = frozenset((b"send", b"receive", b"delete", b"price", b"balance"))

_TRUE = frozenset((b"1", b"true", b"yes", b"on"))
_FALSE = frozenset((b"0", b"false", b"no", b"off", b""))
_ID = re.compile(rb"[0-9]{1,16}")
_QUOTED = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\])+)"')
_ESCAPED = re.compile(rb"\\(.)")
_ASK_DATE = re.compile(
    r"(?:ISO-8601:)?\s*"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)"
    r"\s?(Z|[+\- ]\d\d(?::?\d\d)?)?",  # a plus may have arrived as a space
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Key(Fact, frozen=True):
    key: str


class LoginPassword(Fact, frozen=True):
    login: str  # without the leading plus that it may be written with
    password: str


Dialect = Literal["plain", "encoded"]


class Call(Fact, frozen=True):
    """One request, read but not yet checked."""

    dialect: Dialect
    command: str | None  # lower-case; None: unknown
    credentials: Key | LoginPassword | None  # None: not given, or not readable
    fields: Fields  # decoded from the dialect; looking at a value that cannot be raises `BadEncoding`
    idempotency_key: bytes = b""  # the header's value
    in_url: bool = False  # the key stood in the URL
    via: str = ""  # the header that tells through which gateways it has come


UNREAD = Call("plain", None, None, {})  # one that cannot be read


class _Encoded(Fields):
    """The fields of the encoded dialect; a value that nobody looks at may be bad."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def __getitem__(self, name: bytes) -> bytes:
        try:
            return php.decode64(self._fields[name])
        except ValueError:
            raise errors.BadEncoding from None

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def read(query: bytes, content_type: bytes, body: bytes, idempotency_key: bytes = b"") -> Call:
    """Read a request: its query string, its Content-Type and Idempotency-Key (empty when absent), its body.

    Raises `TooManyParameters` and `BadBody`.
    """
    plain = in_query = forms.parse_pairs(query)
    if body:
        plain = forms.merge(in_query, forms.parse_body(content_type, body))
    in_url = bool(in_query.get(b"key")) and in_query[b"key"] == plain[b"key"]
    if command := _command(plain):
        return Call("plain", command, _credentials(plain), plain, idempotency_key, in_url)
    encoded = _Encoded(plain)
    if hidden := _command(encoded):
        return Call("encoded", hidden, _credentials(encoded), encoded, idempotency_key, in_url)
    return Call("plain", None, _credentials(plain), plain, idempotency_key, in_url)


def send_request(call: Call, account: Account, now_ms: int, max_parts: int, count: Count) -> SendRequest:
    """Check a `send`: the message that is asked for, or the `ApiError` of the first parameter that is wrong.

    Whether the account may use its senders and reach the number is not known here. A sender that is a phone
    number comes out without its plus.
    """
    fields = call.fields
    wants_viber, wants_redirect = _flag(fields, b"viber"), _flag(fields, b"viber_sms")
    with_sms = not wants_viber or bool(wants_redirect)
    sender = contents.sms_sender(_stripped(fields, b"from")) if with_sms else ""
    number = recipient(call, account)

    def fits(content: SmsContent) -> None:
        if (
            not sms.surely_fits(content, max_parts)
            and count(number.digits, content, number.country) > max_parts
        ):
            raise errors.TextTooLong

    text = _message(fields, fits) if with_sms else ""
    _certain(wants_viber, errors.BadBooleanViber)
    viber = _viber(fields) if wants_viber else None
    _certain(wants_redirect, errors.BadBooleanViberSms)
    viber_content = _viber_content(fields, viber) if viber else None
    link = _wap(fields, text, fits) if with_sms else None
    flash = _certain(_flag(fields, b"flash"), errors.BadBooleanFlash)
    return SendRequest(
        recipient=number.digits,
        sms=_sms_content(text, link, flash) if with_sms else None,
        sms_sender=sender,
        viber=viber_content,
        viber_sender=viber.sender if viber else "",
        viber_lifetime_s=viber.lifetime_s if viber else 86_400,
        send_at=_send_at(fields, account.time_zone, now_ms),
        country=number.country,
    )


def recipient(call: Call, account: Account) -> phone.Number:
    """The number in `to`, read in the account's home country; raises `BadRecipient`."""
    number = phone.parse(forms.text(call.fields, b"to") or "", account.home_country)
    if number is None:
        raise errors.BadRecipient
    return number


def client_key(call: Call) -> str:
    """What the client calls this request, by the header or else by `client_id`; empty: nothing.

    The header is a string as RFC 8941 writes it, or what stands there as it is. Raises `BadClientId`.
    """
    typed = _header(call.idempotency_key.strip()) or forms.text(call.fields, b"client_id") or ""
    if len(typed) > 255 or not typed.isprintable():
        raise errors.BadClientId
    return typed


def _header(value: bytes) -> str:
    if value.startswith(b'"'):
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            raise errors.BadClientId
        value = _ESCAPED.sub(rb"\1", quoted[1])
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise errors.BadClientId from None


def message_id(call: Call) -> int:
    """The number in `id`, between 0 and 2^53; raises `NotFound` for anything else."""
    typed = call.fields.get(b"id", b"")
    number = int(typed) if _ID.fullmatch(typed) else 0
    if not 0 < number < 2**53:
        raise errors.NotFound
    return number


# ---- who and what


def _command(fields: Fields) -> str | None:
    try:
        command = fields.get(b"command", b"").lower()
    except ApiError:
        return None
    return command.decode() if command in COMMANDS else None


def _credentials(fields: Fields) -> Key | LoginPassword | None:
    try:
        if key := forms.text(fields, b"key"):
            return Key(key)
        login = forms.text(fields, b"login")
        password = forms.text(fields, b"pass") or forms.text(fields, b"password")
    except ApiError:
        return None
    return LoginPassword(plain_login(login), password) if login and password else None


# ---- the SMS


def _text(fields: Fields) -> str | None:
    return forms.text(fields, b"message") or forms.text(fields, b"text")


def _message(fields: Fields, fits: Fits) -> str:
    text = _text(fields)
    if text is None:
        raise errors.NoText
    if not fields.get(b"wap"):  # a link is counted together with its text
        fits(SmsText(text=text))
    return text


def _wap(fields: Fields, text: str, fits: Fits) -> str | None:
    url = forms.text(fields, b"wap")
    if url is None:
        return None
    if not contents.link(url):
        raise errors.BadWap
    fits(WapPush(url=url, text=text))
    return url


def _sms_content(text: str, link: str | None, flash: bool) -> SmsContent:
    if link:
        return WapPush(url=link, text=text)
    return FlashSms(text=text) if flash else SmsText(text=text)


# ---- Viber


class _Viber(Fact, frozen=True):
    kind: str
    text: str
    sender: str
    lifetime_s: int


def _viber(fields: Fields) -> _Viber:
    """The parameters that the table names before `viber_sms`."""
    kind = _viber_type(fields)
    text = _viber_text(fields) if kind != "image" else ""
    return _Viber(kind, text, _viber_sender(fields), _viber_lifetime(fields))


def _viber_type(fields: Fields) -> str:
    return contents.viber_kind(forms.text(fields, b"viber_type") or "text")


def _viber_text(fields: Fields) -> str:
    return contents.viber_text(forms.text(fields, b"viber_message") or _text(fields))


def _viber_sender(fields: Fields) -> str:
    return contents.viber_sender(forms.text(fields, b"viber_from") or forms.text(fields, b"from") or "")


def _viber_lifetime(fields: Fields) -> int:
    return contents.lifetime_s(forms.text(fields, b"viber_lifetime") or "")


def _viber_content(fields: Fields, viber: _Viber) -> ViberContent:
    match viber.kind:
        case "image":
            image = _viber_image(fields)
            if image is None:
                raise errors.NoViberImage
            return ViberImage(image=image, url=_viber_url(fields))
        case "button":
            image, url = _viber_image(fields), _viber_url(fields)
            if url is None:
                raise errors.NoViberUrl
            caption = _viber_caption(fields)
            return ViberButton(text=viber.text, caption=caption, url=url, image=image)
        case _:
            return ViberText(text=viber.text)


def _viber_image(fields: Fields) -> str | None:
    return contents.image(forms.text(fields, b"viber_image"))


def _viber_url(fields: Fields) -> str | None:
    return contents.url(forms.text(fields, b"viber_url"))


def _viber_caption(fields: Fields) -> str:
    return contents.caption(forms.text(fields, b"viber_button"))


# ---- values


def _stripped(fields: Fields, name: bytes) -> str:
    """One value without spaces at its ends: the plus of a number may arrive as one."""
    return (forms.text(fields, name) or "").strip(" ")


def _flag(fields: Fields, name: bytes) -> bool | None:
    """None: neither true nor false."""
    typed = fields.get(name, b"").lower()
    return True if typed in _TRUE else False if typed in _FALSE else None


def _certain(flag: bool | None, wrong: type[ApiError]) -> bool:
    if flag is None:
        raise wrong
    return flag


def _send_at(fields: Fields, time_zone: str, now_ms: int) -> int | None:
    """`ask_date` in milliseconds; None: at once. Raises `BadAskDate` and `AskDateTooFar`."""
    typed = forms.text(fields, b"ask_date")
    if typed is None:
        return None
    at, now = _moment(typed, ZoneInfo(time_zone)), _EPOCH + timedelta(milliseconds=now_ms)
    if at > _year_after(now):
        raise errors.AskDateTooFar
    return (at - _EPOCH) // timedelta(milliseconds=1) if at > now else None


def _moment(typed: str, zone: tzinfo) -> datetime:
    """A time that the clock skips in spring is taken an hour later; of one that comes twice, the first."""
    match = _ASK_DATE.fullmatch(typed.strip())
    if match is None:
        raise errors.BadAskDate
    local, offset = match.groups(default="")
    try:
        at = datetime.fromisoformat(local + offset.replace(" ", "+"))
    except ValueError:
        raise errors.BadAskDate from None
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _year_after(moment: datetime) -> datetime:
    try:
        return moment.replace(year=moment.year + 1)
    except ValueError:  # 29 February
        return moment.replace(year=moment.year + 1, month=3, day=1)
