"""Infobip: Viber by `/viber/2/messages` and SMS by `/sms/3/messages`, in one envelope.

Sources: Infobip's public API description, version 3.245, for paths, fields and limits; its page "Response
status and error codes" for the codes. A message carries our id, which is also its provider id and is taken
once, so a request in doubt may be made again. What became of messages comes by webhooks and can be looked up
in the logs.
"""

import itertools
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from hopwire.channels.http import (
    UNREADABLE,
    Callback,
    Reply,
    Request,
    Said,
    http_answer,
    incoming_text,
    registered,
)
from hopwire.config import InfobipConnector
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
    Template,
    Unknown,
    ViberButton,
    ViberImage,
    ViberText,
    WapPush,
)

VIBER, SMS = "viber/2", "sms/3"
LIFETIME_S = range(30, 172_800 + 1)  # a longer one is cut to 48 hours there
LABELS = {"transaction": "TRANSACTIONAL", "promotion": "PROMOTIONAL"}
ABOUT = "m:"  # how our tracking data begin; without them Infobip makes some up

# ---- what its codes mean

LATER = None  # a temporary refusal
Meaning = Fault | None

PENDING, UNDELIVERABLE, DELIVERED, EXPIRED, REJECTED = range(1, 6)  # groupId of a status; 0: accepted
ON_ITS_WAY = 2  # DELIVERED_TO_OPERATOR: of the group DELIVERED, and not there yet
DUPLICATES = {23, 7280}  # a message with this id was taken before

STATUSES: dict[int, tuple[str, Meaning]] = {
    4: ("UNDELIVERABLE_REJECTED_OPERATOR", Fault.RECIPIENT),
    6: ("REJECTED_NETWORK", Fault.RECIPIENT),
    8: ("REJECTED_PREFIX_MISSING", Fault.NUMBER),
    9: ("UNDELIVERABLE_NOT_DELIVERED", Fault.RECIPIENT),
    10: ("REJECTED_DND", Fault.BLOCKED),
    11: ("REJECTED_SOURCE", Fault.SENDER),
    12: ("REJECTED_NOT_ENOUGH_CREDITS", Fault.CONFIGURATION),
    13: ("REJECTED_SENDER", Fault.SENDER),
    14: ("REJECTED_DESTINATION", Fault.BLOCKED),
    17: ("REJECTED_PREPAID_PACKAGE_EXPIRED", Fault.CONFIGURATION),
    18: ("REJECTED_DESTINATION_NOT_REGISTERED", Fault.RECIPIENT),  # a trial account sends to few numbers
    19: ("REJECTED_ROUTE_NOT_AVAILABLE", Fault.CONFIGURATION),
    20: ("REJECTED_FLOODING_FILTER", Fault.RECIPIENT),
    21: ("REJECTED_SYSTEM_ERROR", LATER),
    24: ("REJECTED_INVALID_UDH", Fault.CONTENT),
    25: ("REJECTED_MESSAGE_TOO_LONG", Fault.CONTENT),
    31: ("UNDELIVERABLE_NOT_SENT", Fault.RECIPIENT),
    51: ("MISSING_TO", Fault.NUMBER),
    52: ("REJECTED_INVALID_DESTINATION", Fault.NUMBER),
}

ERRORS: dict[int, tuple[str, Meaning]] = {
    1: ("EC_UNKNOWN_SUBSCRIBER", Fault.NUMBER),
    9: ("EC_ILLEGAL_SUBSCRIBER", Fault.NUMBER),
    7001: ("UNKNOWN_APPLICATION", Fault.CONFIGURATION),
    7002: ("UNKNOWN_USER", Fault.NO_ACCOUNT),
    7003: ("BLOCKED_USER", Fault.BLOCKED),
    7004: ("AUTHENTICATION_FAILED", Fault.CONFIGURATION),
    7005: ("AUTHORIZATION_FAILED", Fault.CONFIGURATION),
    7006: ("BAD_REQUEST", Fault.CONTENT),
    7007: ("ILLEGAL_TRAFFIC_TYPE", Fault.CONFIGURATION),
    7008: ("TEMPLATE_NOT_FOUND", Fault.CONTENT),
    7009: ("TEMPLATE_ARGUMENTS", Fault.CONTENT),
    7010: ("NO_SESSION", Fault.CONTENT),
    7011: ("ACCOUNT_ISSUE", Fault.CONFIGURATION),
    7012: ("TEMPORARY", LATER),
    7013: ("TEMPORARY", LATER),
    7014: ("TEMPORARY", LATER),
    7015: ("MEDIA", Fault.CONTENT),
    7016: ("SPAM", Fault.CONTENT),
    7017: ("TOO_MANY_REQUESTS", LATER),
    7022: ("MEDIA", Fault.CONTENT),
    7024: ("NOT_ALLOWED_SENDING_TIME", LATER),
    7025: ("UNSUPPORTED_APP_VERSION", Fault.RECIPIENT),
    7027: ("BLOCKED_CONTENT", Fault.CONTENT),
    7036: ("TEMPLATE_NOT_SYNCED", LATER),
    7037: ("TEMPLATE_NOT_AVAILABLE", LATER),
    7050: ("PROVIDER", LATER),
    7051: ("PROVIDER", LATER),
    7080: ("SYSTEM", LATER),
    7081: ("SYSTEM", LATER),
    7082: ("SYSTEM", LATER),
    7083: ("SYSTEM", LATER),
    7084: ("SYSTEM", LATER),
}


# ---- what is said


def _viber(handover: Handover, label: str) -> dict[str, Any] | None:
    """Content and options of a Viber message; None for what is none."""
    content = _viber_content(handover.content)
    if content is None:
        return None
    options = {**_lifetime(handover), "label": LABELS[label], "trackingData": f"{ABOUT}{handover.message_id}"}
    if handover.template is not None:
        content = _template(handover.template)
        options["label"] = LABELS[handover.template.kind]
        del options["trackingData"]  # not supported there
    return {"content": content, "options": options}


def _template(template: Template) -> dict[str, Any]:
    parameters = {"parameters": template.parameters} if template.parameters else {}
    return {"type": "TEMPLATE", "templateId": template.id, "language": template.language, **parameters}


def _viber_content(content: object) -> dict[str, Any] | None:
    match content:
        case ViberText(text=text):
            return {"type": "TEXT", "text": text}
        case ViberImage(image=image, url=None):
            return _image(image)
        case ViberImage(image=image, url=str() as url):  # a link needs a text: it is its own
            return {**_image(image), "text": url, "imageAction": url}
        case ViberButton(text=text, caption=caption, url=url, image=image):
            picture = {"type": "TEXT"} if image is None else _image(image)
            return {**picture, "text": text, "button": {"title": caption, "action": url}}
    return None


def _image(url: str) -> dict[str, Any]:
    moving = url.partition("?")[0].lower().endswith(".gif")
    return {"type": "IMAGE", "mediaUrl": url, **({"imageFormat": "GIF"} if moving else {})}


def _sms(handover: Handover) -> dict[str, Any] | None:
    """Content and options of an SMS; None for what is none."""
    options = _lifetime(handover)
    match handover.content:
        case SmsText(text=text):
            return {"content": {"text": text}, "options": options}
        case FlashSms(text=text):
            return {"content": {"text": text}, "options": {**options, "flash": True}}
        case WapPush(text=text, url=url):
            return {"content": {"text": f"{text} {url}".strip()}, "options": options}
    return None


def _lifetime(handover: Handover) -> dict[str, Any]:
    seconds = min(max(handover.lifetime_s, LIFETIME_S[0]), LIFETIME_S[-1])
    return {"validityPeriod": {"amount": seconds, "timeUnit": "SECONDS"}}


def _webhooks(path: str, url: str) -> dict[str, Any]:
    if not url:
        return {}
    seen = {"seen": {"url": url}} if path == VIBER else {}
    return {"webhooks": {"delivery": {"url": url}, **seen, "contentType": "application/json"}}


# ---- what is answered


class _Code(msgspec.Struct, frozen=True, rename="camel"):
    """A status or an error."""

    group_id: int = 0
    id: int = 0
    permanent: bool = False  # of an error


class _Message(msgspec.Struct, rename="camel"):
    status: _Code
    message_id: str = ""


class _Reply(msgspec.Struct):
    messages: list[_Message]


class _Problem(msgspec.Struct, rename="camel"):
    error_code: str


_decode_reply = msgspec.json.Decoder(_Reply).decode
_decode_problem = msgspec.json.Decoder(_Problem).decode


def answer(reply: Reply) -> Answer:
    """What the reply to a message means: the outcome is in the status of the one message in it."""
    if reply.status == 400:
        return _bad_request(reply)
    if reply.status != 200:
        return http_answer(reply.status, reply.headers)
    try:
        (message,) = _decode_reply(reply.body).messages
    except (*UNREADABLE, ValueError):
        return Unknown("http 200")
    return _answer(message.status, message.message_id)


def _bad_request(reply: Reply) -> Answer:
    """A request that Infobip itself calls bad is bad whenever it is made."""
    try:
        return Never(_decode_problem(reply.body).error_code, Fault.CONTENT)
    except UNREADABLE:
        return http_answer(reply.status, reply.headers)


def _answer(status: _Code, message_id: str) -> Answer:
    code = str(status.id)
    if status.id in DUPLICATES or status.group_id in (0, PENDING, DELIVERED):
        return Taken(message_id) if message_id else Unknown(code)
    _, fault = STATUSES.get(status.id, ("", Fault.RECIPIENT))
    return Later(5.0, code) if fault is LATER else Never(code, fault)


# ---- what is reported later


class _Report(msgspec.Struct, rename="camel"):
    """An item of any webhook, or of the logs: all its fields, and which of them are there says what it is."""

    message_id: str = ""
    to: str = ""  # of a report the reader, of his reply we
    destination: str = ""  # the reader, in the logs
    status: _Code | None = None
    error: _Code = _Code()
    seen_at: str = ""
    sender: str = ""  # of a reply on Viber the reader
    message: "_UserMessage | None" = None
    paired_message_id: str = ""
    from_: str = msgspec.field(default="", name="from")  # of a reply by SMS the reader
    text: str | None = None


class _UserMessage(msgspec.Struct, rename="camel"):
    text: str = ""
    url: str = ""  # of a file
    tracking_data: str = ""


class _Reports(msgspec.Struct):
    results: list[msgspec.Raw]


_decode_reports = msgspec.json.Decoder(_Reports).decode
_decode_report = msgspec.json.Decoder(_Report).decode


def parse_callback(connector: str, text: bytes) -> Said:
    """What a webhook says; an item that cannot be read is passed over. Raises ValueError for garbage."""
    items = [(report, raw) for report, raw in _reports(text) if report.message_id]
    receipts = [_receipt(connector, report, raw) for report, raw in items]
    incoming = [_incoming(connector, report) for report, _ in items]
    return Said(receipts=[one for one in receipts if one], incoming=[one for one in incoming if one])


def _reports(text: bytes) -> list[tuple[_Report, str]]:
    try:
        items = [bytes(item) for item in _decode_reports(text).results]
    except UNREADABLE:
        raise ValueError("the callback has no results") from None
    read = []
    for item in items:
        try:
            read.append((_decode_report(item), item.decode()))
        except UNREADABLE:
            continue
    return read


def _receipt(connector: str, report: _Report, raw: str) -> Receipt | None:
    if report.seen_at:
        outcome, code, fault = Outcome.SEEN, "SEEN", Fault.RECIPIENT
    elif report.status is None or {report.status.id, report.error.id} & DUPLICATES:
        return None  # a duplicate is our own second try: the first one lives
    else:
        outcome, code, fault = _outcome(report.status, report.error)
    return Receipt(
        connector=connector,
        provider_id=report.message_id,
        recipient="" if report.seen_at else (report.to or report.destination).removeprefix("+"),
        outcome=outcome,
        code=code,
        fault=fault,
        raw=raw,
    )


def _outcome(status: _Code, error: _Code) -> tuple[Outcome, str, Fault]:
    """What became of a message, the code that says why, and whose fault a final no is.

    A message that ended with an error that passes was not delivered in time.
    """
    code = str(error.id or status.id)
    if status.group_id == DELIVERED and status.id != ON_ITS_WAY:
        return Outcome.DELIVERED, str(status.id), Fault.RECIPIENT
    if status.group_id == EXPIRED:
        return Outcome.EXPIRED, code, Fault.RECIPIENT
    if status.group_id not in (UNDELIVERABLE, REJECTED):
        return Outcome.PROGRESS, str(status.id), Fault.RECIPIENT
    _, general = STATUSES.get(status.id, ("", Fault.RECIPIENT))
    unknown = general if error.permanent or not error.id else LATER
    _, fault = ERRORS.get(error.id, ("", unknown))
    return (Outcome.EXPIRED, code, Fault.RECIPIENT) if fault is LATER else (Outcome.FAILED, code, fault)


def _incoming(connector: str, report: _Report) -> Incoming | None:
    """What a reader wrote: on Viber `message`, by SMS `text`."""
    if report.message is not None:
        said, tracking = report.message.text or report.message.url, report.message.tracking_data
        about = tracking if tracking.startswith(ABOUT) else report.paired_message_id
        return incoming_text(connector, report.sender, report.to, said, about)
    if report.text is not None and report.from_:
        return incoming_text(connector, report.from_, report.to, report.text, report.paired_message_id)
    return None


# ---- the provider


class Infobip:
    """One account. The logs of Viber and of SMS are looked at in turn."""

    account_faults = frozenset({"12", "17", "http 401", "http 403", "url"})
    poll_s = 30.0
    poll_most = 50  # ids are comma-separated in the address, 2048 characters at most

    def __init__(self, settings: InfobipConnector) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._headers = {
            "authorization": f"App {settings.api_key}",
            "content-type": "application/json",
            "accept": "application/json",
        }
        self._logs = itertools.cycle((VIBER, SMS))

    def request(self, handover: Handover) -> Request | Never:
        path = VIBER if isinstance(handover.content, ViberText | ViberImage | ViberButton) else SMS
        said = _viber(handover, self._settings.label) if path == VIBER else _sms(handover)
        if said is None:
            return Never("content not carried", Fault.CONTENT)
        sender = registered(handover.sender, self._settings.senders)
        message = {
            "sender": sender,
            "destinations": [{"to": handover.recipient, "messageId": handover.key}],
            **said,
            **_webhooks(path, self._settings.callback_url),
        }
        return Request(
            f"{self._url}/{path}/messages",
            msgspec.json.encode({"messages": [message]}),
            self._headers,
            scope=f"{path.partition('/')[0]} {sender}",  # a name is registered for each by itself
        )

    def answer(self, reply: Reply) -> Answer:
        return answer(reply)

    def callback(self, connector: str, callback: Callback) -> Said:
        return parse_callback(connector, callback.body)

    def question(self, provider_ids: Sequence[str]) -> Request:
        """The logs, not the reports: those are given once, and a reply that got lost would be the last."""
        query = urlencode({"messageId": ",".join(provider_ids), "limit": len(provider_ids)}, quote_via=quote)
        return Request(f"{self._url}/{next(self._logs)}/logs?{query}", b"", self._headers, "GET")

    def receipts(self, connector: str, provider_ids: Sequence[str], reply: Reply) -> list[Receipt]:
        if reply.status != 200:
            raise ValueError(f"http {reply.status}")
        said = parse_callback(connector, reply.body).receipts
        asked = set(provider_ids)
        return [one for one in said if one.provider_id in asked and one.outcome is not Outcome.PROGRESS]
