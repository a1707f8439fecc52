"""Viber's partner API: `send_message`, its codes, and what Viber reports later.

Sources: Viber Service Messages API 9.0 and 11.3 for the fields, types and codes. Viber knows us by our
address and `service_id`; there is no token. HTTP answers 200 even to a refusal: the outcome is `status` in
the body.
"""

from typing import Any

import msgspec

from hopwire.channels.http import (
    UNREADABLE,
    Callback,
    Reply,
    Request,
    Said,
    http_answer,
    incoming_text,
)
from hopwire.config import ViberConnector
from hopwire.model import (
    Answer,
    Fault,
    Handover,
    Later,
    Never,
    Outcome,
    Receipt,
    Taken,
    Template,
    Unknown,
    Unsubscribed,
    ViberButton,
    ViberImage,
    ViberText,
)

MIN_TTL_S = 30
JSON = {"content-type": "application/json"}

LATER = None  # a temporary refusal

CODES: dict[int, tuple[str, Fault | None]] = {
    1: ("SRVC_INTERNAL_FAILURE", LATER),
    2: ("SRVC_BAD_SERVICE_ID", Fault.CONFIGURATION),
    3: ("SRVC_BAD_DATA", Fault.CONTENT),
    4: ("SRVC_BLOCKED_MESSAGE_TYPE", Fault.CONFIGURATION),
    5: ("SRVC_BAD_MESSAGE_TYPE", Fault.CONFIGURATION),
    6: ("SRVC_BAD_PARAMETERS", Fault.CONTENT),
    7: ("SRVC_TIMEOUT", LATER),
    8: ("SRVC_USER_BLOCKED", Fault.BLOCKED),
    9: ("SRVC_NOT_VIBER_USER", Fault.NO_ACCOUNT),
    10: ("SRVC_NO_SUITABLE_DEVICE", Fault.RECIPIENT),
    11: ("SRVC_UNAUTHORIZED_IP", Fault.CONFIGURATION),
    13: ("SRVC_NOT_PERMITTED", Fault.CONFIGURATION),
    14: ("SRVC_BILLING_FAILURE", Fault.CONFIGURATION),
    17: ("SRVC_NO_MORE_MESSAGES", Fault.CONFIGURATION),
    18: ("SRVC_BAD_LABEL", Fault.CONFIGURATION),
    20: ("SRVC_INVALID_TTL", Fault.CONTENT),
    21: ("SRVC_WAIT_FOR_USER_RESPONSE", Fault.CONTENT),
    27: ("SRVC_INVALID_PHONE_NUMBER", Fault.NUMBER),
    28: ("SRVC_FILE_NOT_PERMITTED", Fault.CONTENT),
    29: ("SRVC_BAD_FILE_NAME_LENGTH", Fault.CONTENT),
    30: ("SRVC_BAD_THUMBNAIL", Fault.CONTENT),
    31: ("SRVC_BAD_FILE_SIZE", Fault.CONTENT),
    32: ("SRVC_BAD_DURATION", Fault.CONTENT),
    38: ("SRVC_TEMPLATE_NOT_FOUND", Fault.CONTENT),
    39: ("SRVC_TEMPLATE_VALIDATION_ERROR", Fault.CONTENT),
    40: ("SRVC_SURVEY_VALIDATION_ERROR", Fault.CONTENT),
    41: ("SRVC_CAROUSEL_VALIDATION_ERROR", Fault.CONTENT),
    43: ("SRVC_SERVICE_BLOCKED", Fault.CONFIGURATION),
    401: ("SRVC_UNAUTHORIZED_IP", Fault.CONFIGURATION),
}
CONNECTION_FAULTS = {"11", "401", "http 401", "http 403", "url"}  # they stop every service, others their own
ALREADY_SENT = 12  # an earlier try of ours was taken, and its token was lost with the answer

UNSUBSCRIBED = 5
OUTCOMES: dict[int | None, Outcome] = {0: Outcome.DELIVERED, 1: Outcome.SEEN, 2: Outcome.EXPIRED}


# ---- what is said


def body(handover: Handover, settings: ViberConnector) -> dict[str, Any] | None:
    """The request for one message; None where its sender name has no service id."""
    service_id = settings.service_ids.get(handover.sender, settings.service_ids.get("*"))
    if service_id is None:
        return None
    common = {
        "service_id": service_id,
        "dest": handover.recipient,
        "seq": handover.message_id,
        "ttl": max(MIN_TTL_S, handover.lifetime_s),
    }
    if handover.template is not None:
        return common | _template(handover.template, settings)
    kind, message = _message(handover.content, settings)
    if settings.mode == "twoway":  # there it is mandatory, and one-way types must not have it
        message["#tracking_data"] = f"m:{handover.message_id}"
    return common | {"type": kind, "label": settings.label, "message": message}


def _template(template: Template, settings: ViberConnector) -> dict[str, Any]:
    return {
        "type": settings.template_type,
        "label": template.kind,
        "templateId": template.id,
        "templateLang": template.language,
        "templateParams": template.parameters,
    }


def _message(content: object, settings: ViberConnector) -> tuple[int, dict[str, Any]]:
    """The message type and its fields."""
    twoway = 100 if settings.mode == "twoway" else 0
    match content:
        case ViberText(text=text):
            promotion = settings.mode == "twoway" and settings.label == "promotion"
            return 225 if promotion else 106 + twoway, {"#txt": text}
        case ViberImage(image=image):  # the plain image types have no place for a link
            return 107 + twoway, {"#img": image, **_format(image)}
        case ViberButton(text=text, caption=caption, url=url, image=None):
            return 109 + twoway, {"#txt": text, "#caption": caption, "#action": url}
        case ViberButton(text=text, caption=caption, url=url, image=str() as image):
            fields = {"#txt": text, "#img": image, "#caption": caption, "#action": url}
            return 108 + twoway, {**fields, **_format(image)}
    raise TypeError(f"Viber does not carry {type(content).__name__}")


def _format(image: str) -> dict[str, str]:
    return {"#imageFormat": "gif"} if image.partition("?")[0].lower().endswith(".gif") else {}


# ---- what is answered


class _Reply(msgspec.Struct):
    status: int
    message_token: int | str | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def answer(reply: Reply) -> Answer:
    """What the reply to a request means.

    What is no answer of Viber's leaves the message in doubt, unless HTTP says that it was not taken: Viber
    has no idempotency key, and a message in doubt must not be sent again.
    """
    if reply.status != 200:
        return http_answer(reply.status, reply.headers)
    try:
        return _answer(_decode_reply(reply.body))
    except UNREADABLE:
        return Unknown("http 200")


def _answer(reply: _Reply) -> Answer:
    if reply.status == 0:
        return Taken("" if reply.message_token is None else str(reply.message_token))
    if reply.status == ALREADY_SENT:
        return Unknown(str(ALREADY_SENT))
    _, fault = CODES.get(reply.status, ("", Fault.CONTENT))
    return Later(1.0, str(reply.status)) if fault is LATER else Never(str(reply.status), fault)


# ---- what is reported later


class _Callback(msgspec.Struct):
    message_token: int | str = ""
    message_status: int | None = None
    phone_number: int | str = ""
    service_id: int | str = ""
    message: "_UserMessage | None" = None


class _UserMessage(msgspec.Struct):
    text: str = ""
    tracking_data: str = ""  # ours: m:ID


_decode_callback = msgspec.json.Decoder(_Callback).decode


def parse_callback(connector: str, text: bytes) -> Said:
    """What a callback says. Raises ValueError for what is no JSON object."""
    try:
        callback = _decode_callback(text)
        raw = text.decode()
    except UNREADABLE:
        _decode_object(text)
        return Said()
    token, number = str(callback.message_token), str(callback.phone_number).lstrip("+")
    if callback.message is not None and callback.message_status is None:
        about = callback.message.tracking_data or token
        return Said(
            incoming=[
                incoming_text(connector, number, str(callback.service_id), callback.message.text, about)
            ]
        )
    if callback.message_status == UNSUBSCRIBED:
        return Said(unsubscribed=[Unsubscribed(connector=connector, number=number, about=token)])
    outcome = OUTCOMES.get(callback.message_status)
    if outcome is None or not token:
        return Said()
    return Said(
        receipts=[
            Receipt(
                connector=connector,
                provider_id=token,
                recipient=number,
                outcome=outcome,
                code=str(callback.message_status),
                raw=raw,
            )
        ]
    )


def _decode_object(text: bytes) -> None:
    """A user's reply and other reports are objects, too; raises ValueError for what is none."""
    try:
        msgspec.json.decode(text, type=dict[str, Any])
    except UNREADABLE:
        raise ValueError("the callback is not a JSON object") from None


# ---- the provider


class ViberPartner:
    """One connection to Viber and its services."""

    account_faults = CONNECTION_FAULTS

    def __init__(self, settings: ViberConnector) -> None:
        self._settings = settings

    def request(self, handover: Handover) -> Request | Never:
        asked = body(handover, self._settings)
        if asked is None:
            return Never("no service id", Fault.SENDER)
        return Request(self._settings.url, msgspec.json.encode(asked), JSON, scope=str(asked["service_id"]))

    def answer(self, reply: Reply) -> Answer:
        return answer(reply)

    def callback(self, connector: str, callback: Callback) -> Said:
        return parse_callback(connector, callback.body)
