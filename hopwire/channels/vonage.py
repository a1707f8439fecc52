"""Vonage: Viber and SMS by the Messages API, version 1.

Sources: Vonage's reference of the Messages API for requests and webhooks; its pages "Messages API status
callbacks", "Signed webhooks" and "API errors: Messages API" for what they mean.

Rule 1: a redirect to SMS stays ours: no `failover` is asked for.
Rule 2: a webhook counts that is signed with the secret of the account, by HMAC and SHA-256 and nothing else
(RFC 7519; RFC 8725, 3.1), for this body, and not too long ago.
Rule 3: no key makes a repeated request known, so one in doubt is not made again.
"""

import hashlib
import hmac
import time
import uuid
import warnings
from collections.abc import Callable
from typing import Any

import msgspec

from hopwire.channels.http import (
    UNREADABLE,
    Callback,
    ForgedError,
    Reply,
    Request,
    Said,
    basic,
    http_answer,
    incoming_text,
    registered,
)
from hopwire.config import VonageConnector
from hopwire.model import (
    Answer,
    Fault,
    Handover,
    Incoming,
    Later,
    Never,
    Outcome,
    Receipt,
    SmsText,
    Taken,
    Template,
    Unknown,
    ViberButton,
    ViberImage,
    ViberText,
    WapPush,
)

PATH = "/v1/messages"
VIBER, SMS = "viber_service", "sms"
TTL_S = {VIBER: range(30, 259_200 + 1), SMS: range(20, 604_800 + 1)}

TOKEN_S = 900  # how long a token of ours is good: Vonage's own default
RENEW_S = 600  # after which the next request has a new one
SKEW_S = 60  # that clocks may differ
REPEATED_S = 86_400  # for so long a webhook that was not answered comes again

# ---- what its codes mean

LATER = None  # a temporary refusal; of a message that had been taken: not delivered in time
Meaning = Fault | None

CODES: dict[str, tuple[str, Meaning]] = {
    "1000": ("Throttled", LATER),
    "1010": ("Missing params", Fault.CONTENT),
    "1020": ("Invalid params", Fault.CONTENT),
    "1021": ("Invalid tag", Fault.CONTENT),
    "1022": ("Invalid template", Fault.CONTENT),
    "1030": ("Internal error", LATER),
    "1040": ("Invalid message", Fault.NUMBER),  # for example, the prefix of the number
    "1050": ("Number barred", Fault.BLOCKED),
    "1060": ("Partner account barred", Fault.CONFIGURATION),
    "1070": ("Partner quota exceeded", Fault.CONFIGURATION),
    "1080": ("Account not enabled for REST", Fault.CONFIGURATION),
    "1090": ("Message too long", Fault.CONTENT),
    "1100": ("Communication failed", LATER),
    "1120": ("Illegal sender address", Fault.SENDER),
    "1130": ("Invalid TTL", Fault.CONTENT),
    "1140": ("Facility not allowed", Fault.CONFIGURATION),
    "1150": ("Invalid message class", Fault.CONTENT),
    "1160": ("Non white-listed destination", Fault.RECIPIENT),  # a trial account sends to few numbers
    "1170": ("Invalid or missing MSISDN", Fault.NUMBER),
    "1180": ("Absent subscriber, temporary", LATER),
    "1190": ("Absent subscriber, permanent", Fault.NUMBER),
    "1200": ("Portability error", Fault.RECIPIENT),
    "1210": ("Anti-spam rejection", Fault.CONTENT),
    "1220": ("Handset busy", LATER),
    "1230": ("Network error", LATER),
    "1240": ("Illegal number", Fault.BLOCKED),  # the reader has opted out
    "1241": ("Too many send requests", LATER),
    "1250": ("Unroutable", Fault.RECIPIENT),
    "1251": ("Unable to route", Fault.RECIPIENT),
    "1260": ("Destination unreachable", Fault.RECIPIENT),
    "1270": ("Subscriber age restriction", Fault.CONTENT),
    "1280": ("Number blocked by carrier", Fault.RECIPIENT),
    "1282": ("Message blocked by provider", Fault.CONTENT),
    "1290": ("Prepaid, insufficient funds", Fault.RECIPIENT),
    "1300": ("Not part of the provider network", Fault.NO_ACCOUNT),
    "1310": ("Not suitable device", Fault.RECIPIENT),
    "1330": ("Unknown", Fault.RECIPIENT),
    "1331": ("Provider error", LATER),
    "1340": ("Outside of the allowed window", Fault.CONTENT),
    "1360": ("TTL was activated, or message expired", LATER),
    "1380": ("Invalid resource", Fault.CONTENT),
    "1381": ("Resource too large", Fault.CONTENT),
    "1382": ("Resource type invalid", Fault.CONTENT),
    "1400": ("Unsupported channel", Fault.CONFIGURATION),
    "1410": ("Invalid channel parameters", Fault.CONTENT),
    "1420": ("Invalid sender", Fault.SENDER),
    "1430": ("Invalid recipient", Fault.NUMBER),
    "1440": ("Invalid message type", Fault.CONTENT),
    "1450": ("Invalid client reference", Fault.CONTENT),
    "1460": ("Daily message limit exceeded", Fault.CONFIGURATION),
    "1461": ("Auto-limited by provider", Fault.RECIPIENT),
    "1470": ("Fraud Defender traffic rule", Fault.RECIPIENT),
    "1472": ("Fraud Defender burst protection", Fault.RECIPIENT),
    "1473": ("AIT protection", Fault.RECIPIENT),
    "1480": ("Entity filter", Fault.CONFIGURATION),
    "1481": ("Header filter", Fault.SENDER),
    "1482": ("Content filter", Fault.CONTENT),
    "1483": ("Consent filter", Fault.BLOCKED),
    "1484": ("Regulation error", Fault.CONFIGURATION),
}
ALREADY_SENT = "1320"  # another request of ours was taken before

OUTCOMES = {
    "submitted": Outcome.PROGRESS,
    "delivered": Outcome.DELIVERED,
    "read": Outcome.SEEN,
    "rejected": Outcome.FAILED,
    "undeliverable": Outcome.FAILED,
}


# ---- what is said


def _fields(handover: Handover, label: str) -> dict[str, Any] | None:
    """A message without its addresses; None for what is not carried."""
    match handover.content:
        case SmsText(text=text):
            return _sms(text, handover.lifetime_s)
        case WapPush(text=text, url=url):
            return _sms(f"{text} {url}".strip(), handover.lifetime_s)
        case ViberText(text=text):
            return {**_text(text), VIBER: _options(handover, label)}
        case ViberImage(image=image):  # a link would need a text and a button
            return {"message_type": "image", "image": {"url": image}, VIBER: _options(handover, label)}
        case ViberButton(text=text, caption=caption, url=url, image=image):
            said = _text(text) if image is None else _image(image, text)
            return {**said, VIBER: {**_options(handover, label), "action": {"url": url, "text": caption}}}
    return None


def _text(text: str) -> dict[str, Any]:
    return {"message_type": "text", "text": text}


def _image(image: str, text: str) -> dict[str, Any]:
    return {"message_type": "image", "image": {"url": image, "caption": text}}


def _sms(text: str, lifetime_s: int) -> dict[str, Any]:
    return {**_text(text), "ttl": _ttl(SMS, lifetime_s)}


def _options(handover: Handover, label: str) -> dict[str, Any]:
    template = handover.template
    return {
        "category": label if template is None else template.kind,
        "ttl": _ttl(VIBER, handover.lifetime_s),
        **_type(template),
    }


def _type(template: Template | None) -> dict[str, str]:
    """A template is found there by the text."""
    return {} if template is None else {"type": "template"}


def _ttl(channel: str, lifetime_s: int) -> int:
    limits = TTL_S[channel]
    return min(max(lifetime_s, limits[0]), limits[-1])


# ---- what is answered


class _Reply(msgspec.Struct):
    message_uuid: str


class _Problem(msgspec.Struct):
    """An error, in the way of RFC 9457: the code is the title, or what stands behind the `#` of the type."""

    type: str = ""
    title: int | str = ""

    @property
    def code(self) -> str:
        title = str(self.title)
        return title if title.isdecimal() else self.type.rpartition("#")[2]


_decode_reply = msgspec.json.Decoder(_Reply).decode
_decode_problem = msgspec.json.Decoder(_Problem).decode


def answer(reply: Reply) -> Answer:
    """What the reply to a message means.

    A refusal with a code is final or not by its code, unless HTTP says more: who we are (401, 403), what we
    have not paid (402), that we are too fast (429), that it is their fault (5xx).
    """
    if reply.status in (400, 402, 422):
        return _refusal(reply)
    if not 200 <= reply.status < 300:
        return http_answer(reply.status, reply.headers)
    try:
        return Taken(_decode_reply(reply.body).message_uuid or "")
    except UNREADABLE:
        return Unknown(f"http {reply.status}")


def _refusal(reply: Reply) -> Answer:
    try:
        code = _decode_problem(reply.body).code
    except UNREADABLE:
        code = ""
    if reply.status == 402:
        return Never(code or "http 402", Fault.CONFIGURATION)
    if not code:
        return http_answer(reply.status, reply.headers)
    if code == ALREADY_SENT:
        return Unknown(code)
    _, fault = CODES.get(code, ("", Fault.CONTENT))
    return Later(5.0, code) if fault is LATER else Never(code, fault)


# ---- who has sent a webhook


class _Claims(msgspec.Struct):
    iat: float
    exp: float | None = None
    payload_hash: str | None = None  # SHA-256 of the body, hexadecimal


def verify(callback: Callback, secret: str, now: float) -> None:
    """Raises ForgedError for a webhook that the owner of the secret has not signed, or not lately.

    `now`: seconds since 1970-01-01 UTC.
    """
    scheme, _, token = callback.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise ForgedError
    claims = _claims(token.strip(), secret)
    fresh = now - REPEATED_S - SKEW_S <= claims.iat <= now + SKEW_S
    if not fresh or (claims.exp is not None and claims.exp + SKEW_S < now):
        raise ForgedError
    if claims.payload_hash is not None:
        _compare(hashlib.sha256(callback.body).hexdigest(), claims.payload_hash.lower())


def _claims(token: str, secret: str) -> _Claims:
    # here, where it is needed: its import takes a tenth of a second
    from jwt import InsecureKeyLengthWarning, PyJWS, PyJWTError

    try:
        with warnings.catch_warnings(action="ignore", category=InsecureKeyLengthWarning):  # theirs to choose
            signed = PyJWS(algorithms=["HS256"]).decode(token, secret, algorithms=["HS256"])
        return msgspec.json.decode(signed, type=_Claims)
    except (PyJWTError, *UNREADABLE, ValueError):
        raise ForgedError from None


def _compare(ours: str, theirs: str) -> None:
    if not hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "replace")):
        raise ForgedError


# ---- what is reported later


class _File(msgspec.Struct, frozen=True):
    url: str = ""


class _Context(msgspec.Struct):
    message_uuid: str = ""


class _Event(msgspec.Struct):
    """A status, or what a reader wrote: which fields are there says what it is."""

    message_uuid: str = ""
    to: str = ""  # of a status the reader, of a message we
    from_: str = msgspec.field(default="", name="from")
    channel: str = ""
    status: str | None = None
    error: _Problem | None = None
    message_type: str = ""
    text: str = ""
    image: _File = _File()
    video: _File = _File()
    file: _File = _File()
    context: _Context | None = None


_decode_event = msgspec.json.Decoder(_Event).decode


def parse_callback(connector: str, body: bytes) -> Said:
    """What a webhook says; nothing, where it is about something else. Raises ValueError for garbage."""
    try:
        event, raw = _decode_event(body), body.decode()
    except UNREADABLE:
        raise ValueError("the callback is no webhook of Vonage") from None
    if event.status is not None:
        receipt = _receipt(connector, event, raw)
        return Said(receipts=[receipt] if receipt else [])
    incoming = _incoming(connector, event)
    return Said(incoming=[incoming] if incoming else [])


def _receipt(connector: str, event: _Event, raw: str) -> Receipt | None:
    status = event.status or ""
    outcome = OUTCOMES.get(status)
    code = event.error.code if event.error is not None else ""
    if outcome is None or not event.message_uuid or code == ALREADY_SENT:
        return None
    fault: Meaning = Fault.RECIPIENT
    if outcome is Outcome.FAILED:
        _, fault = CODES.get(code, ("", Fault.RECIPIENT))
    return Receipt(
        connector=connector,
        provider_id=event.message_uuid,
        recipient=event.to.removeprefix("+"),
        outcome=Outcome.EXPIRED if fault is LATER else outcome,
        code=code or status,
        fault=fault or Fault.RECIPIENT,
        raw=raw,
    )


def _incoming(connector: str, event: _Event) -> Incoming | None:
    """A message of a reader; what he sent as a file is the link to it."""
    said = event.text or event.image.url or event.video.url or event.file.url
    if not (event.message_type and event.from_ and said):
        return None
    about = event.context.message_uuid if event.context is not None else ""
    return incoming_text(connector, event.from_, event.to, said, about)


# ---- the provider


class Vonage:
    """One account. `clock`: seconds since 1970-01-01 UTC."""

    account_faults = frozenset(
        {"1060", "1070", "1080", "low-balance", "http 401", "http 402", "http 403", "url"}
    )

    def __init__(self, settings: VonageConnector, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._url = settings.url.rstrip("/") + PATH
        self._token, self._renew_at = "", 0.0

    def request(self, handover: Handover) -> Request | Never:
        settings, fields = self._settings, _fields(handover, self._settings.label)
        if fields is None:
            return Never("content not carried", Fault.CONTENT)
        sender = registered(handover.sender, settings.senders)
        channel = VIBER if VIBER in fields else SMS
        hook = {"webhook_url": settings.callback_url, "webhook_version": "v1"}
        asked = {
            "channel": channel,
            "to": handover.recipient,
            "from": sender,
            "client_ref": handover.key,
            **fields,
            **(hook if settings.callback_url else {}),
        }
        headers = {
            "authorization": self._authorization(),
            "content-type": "application/json",
            "accept": "application/json",
        }
        # a name is registered for Viber and for SMS by itself
        return Request(self._url, msgspec.json.encode(asked), headers, scope=f"{channel} {sender}")

    def _authorization(self) -> str:
        settings = self._settings
        if settings.application_id:
            return f"Bearer {self._signed()}"
        return basic(settings.api_key, settings.api_secret)

    def _signed(self) -> str:
        """A token of ours; signing takes longer than everything else, so one serves for some minutes."""
        from jwt import encode  # here, where it is needed: its import takes a tenth of a second

        now = self._clock()
        if now >= self._renew_at:
            claims = {
                "application_id": self._settings.application_id,
                "iat": int(now),
                "exp": int(now) + TOKEN_S,
                "jti": str(uuid.uuid4()),
            }
            self._token = encode(claims, self._settings.private_key, algorithm="RS256")
            self._renew_at = now + RENEW_S
        return self._token

    def answer(self, reply: Reply) -> Answer:
        return answer(reply)

    def callback(self, connector: str, callback: Callback) -> Said:
        verify(callback, self._settings.signature_secret, self._clock())
        return parse_callback(connector, callback.body)
