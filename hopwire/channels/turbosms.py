"""TurboSMS: Viber and SMS by `message/send.json`.

Sources: turbosms.ua/en/api.html for requests, codes and statuses; turbosms.ua/en/callback.html for webhooks.
HTTP answers 200 always, the outcome is in codes: one of the request, one of each recipient. A request with a
known `sequence_id` is answered as it was before, so one in doubt may be made again. What became of messages
comes by webhooks and can be asked.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from hopwire.channels.http import (
    UNREADABLE,
    Callback,
    ForgedError,
    Reply,
    Request,
    Said,
    http_answer,
    incoming_text,
    registered,
)
from hopwire.config import TurboSmsConnector
from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Handover,
    Incoming,
    Later,
    Never,
    Outcome,
    Receipt,
    SmsText,
    Taken,
    Unknown,
    ViberButton,
    ViberImage,
    ViberText,
    WapPush,
)

TTL_S = range(60, 86_400 + 1)
TRIES = 3  # of a refusal that may pass: the same sequence_id may be answered with it for ever

# ---- what its codes mean

LATER = None  # a temporary refusal
DOUBT = Unknown
Meaning = Fault | None | type[Unknown]

SUCCESSES = {0, 800, 801, 802, 803}  # of the request; without an id of the message they say nothing
REPEATED = 507  # the request was made before; what follows is the reply it had
TOO_SOON = 427  # the same text went to this number less than 90 s ago
TOO_SOON_S = 30.0

CODES: dict[int, tuple[str, Meaning]] = {
    103: ("REQUIRED_TOKEN", Fault.CONFIGURATION),
    104: ("REQUIRED_CONTENT", Fault.CONTENT),
    105: ("REQUIRED_AUTH", Fault.CONFIGURATION),
    106: ("REQUIRED_ACTIVE_USER", Fault.CONFIGURATION),
    200: ("REQUIRED_MESSAGE_SENDER", Fault.SENDER),
    201: ("REQUIRED_MESSAGE_TEXT", Fault.CONTENT),
    202: ("REQUIRED_MESSAGE_RECIPIENT", Fault.NUMBER),
    203: ("REQUIRED_BALANCE", Fault.CONFIGURATION),
    204: ("REQUIRED_MESSAGE_BUTTON", Fault.CONTENT),
    205: ("REQUIRED_MESSAGE_BUTTON_CAPTION", Fault.CONTENT),
    206: ("REQUIRED_MESSAGE_BUTTON_ACTION", Fault.CONTENT),
    300: ("INVALID_REQUEST", Fault.CONTENT),
    301: ("INVALID_TOKEN", Fault.CONFIGURATION),
    302: ("INVALID_MESSAGE_SENDER", Fault.SENDER),
    303: ("INVALID_START_TIME", Fault.CONTENT),
    304: ("INVALID_MESSAGE_TEXT", Fault.CONTENT),
    305: ("INVALID_PHONE", Fault.NUMBER),
    306: ("INVALID_TTL", Fault.CONTENT),
    307: ("INVALID_MESSAGE_ID", Fault.CONTENT),
    400: ("NOT_ALLOWED_MESSAGE_SENDER", Fault.SENDER),
    401: ("NOT_ALLOWED_MESSAGE_SENDER_NOT_ACTIVE", Fault.CONFIGURATION),
    402: ("NOT_ALLOWED_MESSAGE_IMAGE", Fault.CONTENT),
    403: ("NOT_ALLOWED_START_TIME", Fault.CONTENT),
    404: ("NOT_ALLOWED_NUMBER_STOPLIST", Fault.BLOCKED),
    405: ("NOT_ALLOWED_RECIPIENTS_LIMIT", Fault.CONTENT),
    406: ("NOT_ALLOWED_RECIPIENT_COUNTRY", Fault.RECIPIENT),
    407: ("NOT_ALLOWED_RECIPIENT_DUPLICATE", Fault.CONTENT),
    408: ("NOT_ALLOWED_MESSAGE_BUTTON_TEXT_LENGTH", Fault.CONTENT),
    409: ("NOT_ALLOWED_MESSAGE_TTL", Fault.CONTENT),
    410: ("NOT_ALLOWED_MESSAGE_TRANSACTION_CONTENT", Fault.CONTENT),
    411: ("NOT_ALLOWED_MESSAGE_DATA", Fault.CONTENT),
    412: ("NOT_ALLOWED_MESSAGE_TEXT", Fault.CONTENT),
    413: ("NOT_ALLOWED_MESSAGE_TEXT_LENGTH", Fault.CONTENT),
    414: ("NOT_ALLOWED_MESSAGE_ID", Fault.CONTENT),
    415: ("NOT_ALLOWED_MESSAGE_TRANSACTION_SENDER", Fault.CONFIGURATION),
    416: ("NOT_ALLOWED_MESSAGE_TRANSACTION_PATTERN", Fault.CONTENT),
    421: ("NOT_ALLOWED_MESSAGE_TRAFFIC_TYPE", Fault.CONFIGURATION),
    425: ("NOT_ALLOWED_TEST_NUMBER", Fault.RECIPIENT),
    426: ("NOT_ALLOWED_TEST_MESSAGES_LIMIT", Fault.CONFIGURATION),
    427: ("NOT_ALLOWED_MESSAGE_DUPLICATE", LATER),
    500: ("FAILED_CONVERT_RESULT2JSON", DOUBT),
    501: ("FAILED_CONVERT_RESULT2XML", DOUBT),
    502: ("FAILED_PARSE_BODY", Fault.CONTENT),
    503: ("FAILED_SMS_SEND", LATER),
    504: ("FAILED_VIBER_SEND", LATER),
    505: ("FAILED_SAVE_IMAGE", LATER),
    999: ("FATAL_ERROR", DOUBT),
}

OUTCOMES: dict[str, Outcome] = {
    "queued": Outcome.PROGRESS,
    "accepted": Outcome.PROGRESS,
    "sent": Outcome.PROGRESS,
    "unknown": Outcome.PROGRESS,
    "delivered": Outcome.DELIVERED,
    "read": Outcome.SEEN,
    "expired": Outcome.EXPIRED,
    "undelivered": Outcome.FAILED,
    "rejected": Outcome.FAILED,
    "failed": Outcome.FAILED,
    "cancelled": Outcome.FAILED,
    # of an SMS, as SMPP 3.4, appendix B, has it
    "enroute": Outcome.PROGRESS,
    "acceptd": Outcome.PROGRESS,
    "delivrd": Outcome.DELIVERED,
    "undeliv": Outcome.FAILED,
    "rejectd": Outcome.FAILED,
    "deleted": Outcome.FAILED,
}

REJECTIONS: dict[str, Fault] = {  # rejected_status: Viber's own names
    "SRVC_USER_BLOCKED": Fault.BLOCKED,
    "SRVC_NOT_VIBER_USER": Fault.NO_ACCOUNT,
    "SRVC_NO_SUITABLE_DEVICE": Fault.RECIPIENT,
    "SRVC_INVALID_PHONE_NUMBER": Fault.NUMBER,
}


# ---- what is said


def _viber(handover: Handover, label: str) -> dict[str, Any] | None:
    """The block of a Viber message without its sender; None for what is none."""
    fields = _viber_content(handover.content)
    if fields is None:
        return None
    fields["ttl"] = min(max(handover.lifetime_s, TTL_S[0]), TTL_S[-1])
    kind = handover.template.kind if handover.template else label
    if kind == "transaction" and isinstance(handover.content, ViberText):  # a transaction is a text, no more
        fields["is_transactional"] = 1  # its template is found by the text
    return fields


def _viber_content(content: object) -> dict[str, Any] | None:
    match content:
        case ViberText(text=text):
            return {"text": text}
        case ViberImage(image=image):  # a link would need a text and a button
            return {"image_url": image}
        case ViberButton(text=text, caption=caption, url=url, image=image):
            picture = {} if image is None else {"image_url": image}
            return {"text": text, "caption": caption, "action": url, **picture}
    return None


def _sms(content: object) -> dict[str, Any] | None:
    """The block of an SMS without its sender; None for what is none."""
    match content:
        case SmsText(text=text):
            return {"text": text}
        case FlashSms(text=text):
            return {"text": text, "is_flash": 1}
        case WapPush(text=text, url=url):
            return {"text": f"{text} {url}".strip()}
    return None


# ---- what is answered


class _Recipient(msgspec.Struct):
    response_code: int = 0
    message_id: str | None = None


class _Reply(msgspec.Struct):
    response_code: int
    response_result: list[_Recipient] | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def answer(reply: Reply) -> Answer:
    """What the reply to a message means: the code of its one recipient, else that of the request."""
    if reply.status != 200:
        return http_answer(reply.status, reply.headers)
    try:
        said = _decode_reply(reply.body)
    except UNREADABLE:
        return Unknown("http 200")
    recipient = said.response_result[0] if said.response_result else _Recipient(said.response_code)
    if recipient.message_id and recipient.response_code == 0:
        return Taken(recipient.message_id)
    return _refusal(recipient.response_code)


def _refusal(code: int) -> Answer:
    if code in SUCCESSES or code == REPEATED:
        return Unknown(str(code))
    _, meaning = CODES.get(code, ("", Fault.CONTENT))
    if meaning is LATER:
        return Later(TOO_SOON_S if code == TOO_SOON else 5.0, str(code), tries=TRIES)
    return Never(str(code), meaning) if isinstance(meaning, Fault) else Unknown(str(code))


# ---- what is reported later


class _Status(msgspec.Struct):
    """What became of a message, as a webhook and the answer to a question tell it."""

    message_id: str
    status: str
    recipient: int | str = ""
    rejected_status: str | None = None


class _Event(msgspec.Struct):
    """A webhook; `data` is an object, or a list of them."""

    id: int | str
    signature: str
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Inbox(msgspec.Struct):
    """What a reader wrote in a Viber chat."""

    phone: int | str
    text: str
    sender: str = ""  # ours
    message_id: str | None = None


class _Statuses(msgspec.Struct):
    response_code: int
    response_result: list[msgspec.Raw] | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_statuses = msgspec.json.Decoder(_Statuses).decode
_decode_status = msgspec.json.Decoder(_Status).decode
_decode_inbox = msgspec.json.Decoder(_Inbox).decode

INBOX = "INBOX_VIBER_SESSION"
REPORTS = ("DLR_SMS_API", "DLR_VIBER_API", "DLR_VIBER_SESSION")


def parse_callback(connector: str, callback: Callback, secret: str) -> Said:
    """What a webhook says; nothing, where it is about something else or an item cannot be read.

    Raises ValueError for garbage, ForgedError for a wrong signature.
    """
    event = _event(callback)
    signed = hashlib.sha1(f"{secret}{event.id}".encode()).hexdigest()  # noqa: S324 - theirs to choose
    if not hmac.compare_digest(signed.encode(), event.signature.lower().encode()):
        raise ForgedError
    items = _items(event.data)
    if event.type == INBOX:
        return Said(incoming=[one for one in (_incoming(connector, item) for item in items) if one])
    if event.type not in REPORTS:
        return Said()
    return Said(receipts=[one for one in (_receipt(connector, item) for item in items) if one])


def _event(callback: Callback) -> _Event:
    form = "x-www-form-urlencoded" in callback.headers.get("content-type", "")
    try:
        return _decode_event(_from_form(callback.body) if form else callback.body)
    except (*UNREADABLE, ValueError):
        raise ValueError("the callback is no webhook of TurboSMS") from None


def _from_form(body: bytes) -> bytes:
    """The JSON of a form: `data[status]=…` is an entry of the object `data`. Raises ValueError."""
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    data = {name[5:-1]: value for name, value in fields.items() if name.startswith("data[")}
    plain: Mapping[str, object] = {n: value for n, value in fields.items() if not n.startswith("data")}
    return msgspec.json.encode({**plain, "data": data})


def _items(data: msgspec.Raw) -> list[bytes]:
    try:
        return [bytes(item) for item in msgspec.json.decode(data, type=list[msgspec.Raw])]
    except UNREADABLE:
        return [bytes(data)]


def _receipt(connector: str, item: bytes) -> Receipt | None:
    try:
        said = _decode_status(item)
        raw = item.decode()
    except UNREADABLE:
        return None
    outcome = OUTCOMES.get(said.status.lower())
    if outcome is None or not said.message_id:
        return None
    rejected = said.rejected_status or ""
    return Receipt(
        connector=connector,
        provider_id=said.message_id,
        recipient=str(said.recipient).removeprefix("+"),
        outcome=outcome,
        code=rejected or said.status,
        fault=REJECTIONS.get(rejected, Fault.RECIPIENT),
        raw=raw,
    )


def _incoming(connector: str, item: bytes) -> Incoming | None:
    try:
        said = _decode_inbox(item)
    except UNREADABLE:
        return None
    return incoming_text(connector, str(said.phone), said.sender, said.text, said.message_id or "")


# ---- the provider


class TurboSms:
    """One account."""

    account_faults = frozenset({"103", "105", "106", "203", "301", "http 401", "http 403", "url"})
    poll_s = 30.0
    poll_most = 100

    def __init__(self, settings: TurboSmsConnector) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._headers = {"authorization": f"Bearer {settings.token}", "content-type": "application/json"}

    def request(self, handover: Handover) -> Request | Never:
        settings, content = self._settings, handover.content
        channel = "viber" if isinstance(content, ViberText | ViberImage | ViberButton) else "sms"
        block = _viber(handover, settings.label) if channel == "viber" else _sms(content)
        if block is None:
            return Never("content not carried", Fault.CONTENT)
        sender = registered(handover.sender, settings.senders)
        asked = {
            "sequence_id": handover.key,
            "recipients": [handover.recipient],
            channel: {"sender": sender, **block},
        }
        # a name is registered for Viber and for SMS by itself
        return self._ask("message/send.json", asked, scope=f"{channel} {sender}")

    def answer(self, reply: Reply) -> Answer:
        return answer(reply)

    def callback(self, connector: str, callback: Callback) -> Said:
        return parse_callback(connector, callback, self._settings.signature_secret)

    def question(self, provider_ids: Sequence[str]) -> Request:
        return self._ask("message/status.json", {"messages": list(provider_ids)})

    def receipts(self, connector: str, provider_ids: Sequence[str], reply: Reply) -> list[Receipt]:
        try:
            items = _decode_statuses(reply.body).response_result or []
        except UNREADABLE:
            raise ValueError(f"http {reply.status}") from None
        said = (_receipt(connector, bytes(item)) for item in items)
        return [one for one in said if one and one.outcome is not Outcome.PROGRESS]

    def _ask(self, method: str, body: dict[str, Any], scope: str = "") -> Request:
        return Request(f"{self._url}/{method}", msgspec.json.encode(body), self._headers, scope=scope)
