"""TurboSMS's far end: takes Viber messages and SMS, checks them as its documentation says, and calls back.

Rule 1: the HTTP status of an answer is 200; the outcome is in its codes.
Rule 2: whether a reader can be reached is told by a webhook; the answer refuses only what cannot be tried.

The shapes are those of turbosms.ua/en/api.html and callback.html, one recipient in a request.
"""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from hopwire import sms
from hopwire.model import SmsText
from hopwire.simulators.messenger import Became, Call, Event, Message, Messenger, Taken
from hopwire.simulators.record import Shown

CODES = {
    0: "OK",
    103: "REQUIRED_TOKEN",
    200: "REQUIRED_MESSAGE_SENDER",
    201: "REQUIRED_MESSAGE_TEXT",
    205: "REQUIRED_MESSAGE_BUTTON_CAPTION",
    206: "REQUIRED_MESSAGE_BUTTON_ACTION",
    300: "INVALID_REQUEST",
    301: "INVALID_TOKEN",
    305: "INVALID_PHONE",
    408: "NOT_ALLOWED_MESSAGE_BUTTON_TEXT_LENGTH",
    409: "NOT_ALLOWED_MESSAGE_TTL",
    410: "NOT_ALLOWED_MESSAGE_TRANSACTION_CONTENT",
    413: "NOT_ALLOWED_MESSAGE_TEXT_LENGTH",
    503: "FAILED_SMS_SEND",
    504: "FAILED_VIBER_SEND",
    507: "FAILED_DUPLICATE_REQUEST",
    800: "SUCCESS_MESSAGE_ACCEPTED",
}
OK, ACCEPTED, DUPLICATE, INVALID_PHONE = 0, 800, 507, 305
BUSY = {"viber": 504, "sms": 503}
BAD_NUMBERS = {0x0B, 27}  # `status` of a row of the number table: refused in the answer
REJECTIONS = {8: "SRVC_USER_BLOCKED", 9: "SRVC_NOT_VIBER_USER", 10: "SRVC_NO_SUITABLE_DEVICE"}
STATUSES = {
    Became.DELIVERED: "Delivered",
    Became.SEEN: "Read",
    Became.EXPIRED: "Expired",
    Became.FAILED: "Undelivered",
}

TTL_S = range(60, 86_400 + 1)
LONGEST_TEXT = 1000
LONGEST_CAPTION = 30


class ViberBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sender: str = ""
    text: str = ""
    ttl: int = 3600
    image_url: str = ""
    caption: str = ""
    action: str = ""
    is_transactional: int = 0


class SmsBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sender: str = ""
    text: str = ""
    is_flash: int = 0


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of message/send.json, with one of the blocks."""

    recipients: Annotated[list[str], Meta(min_length=1, max_length=1)]
    viber: ViberBlock | None = None
    sms: SmsBlock | None = None
    sequence_id: str = ""


class Question(msgspec.Struct, frozen=True):
    """The body of message/status.json."""

    messages: list[str]


def check_viber(block: ViberBlock) -> int:
    """What is wrong with a Viber message; 0: nothing."""
    if not block.text and not block.image_url:
        return 201
    if bool(block.caption) != bool(block.action):
        return 206 if block.caption else 205
    if len(block.caption) > LONGEST_CAPTION:
        return 408
    if block.ttl not in TTL_S:
        return 409
    if block.is_transactional and (block.image_url or block.caption):
        return 410
    return 413 if len(block.text) > LONGEST_TEXT else OK


def check(request: Request) -> int:
    """What is wrong with a request; 0: nothing."""
    (number,), block = request.recipients, request.viber or request.sms
    if block is None or (request.viber and request.sms):
        return 300
    if not block.sender:
        return 200
    if not (number.isascii() and number.isdigit() and 7 <= len(number) <= 15):
        return INVALID_PHONE
    return check_viber(block) if isinstance(block, ViberBlock) else OK if block.text else 201


def show(block: ViberBlock | SmsBlock) -> Shown:
    """What the phone shows of it."""
    if isinstance(block, SmsBlock):
        return Shown(kind="flash" if block.is_flash else "sms", text=block.text)
    kind = "button" if block.caption else "image" if block.image_url else "text"
    shown = {"text": block.text, "image": block.image_url, "caption": block.caption, "url": block.action}
    return Shown(kind=kind, **shown)


class TurboSmsSimulator(Messenger):
    """The API; `password` is its token, and the secret key of its webhooks."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/message/send.json", self.take),
            web.post("/message/status.json", self._status),
        ]

    def read(self, http: web.Request, body: bytes) -> Message | web.Response:
        if fault := self._stranger(http):
            return _said(fault)
        try:
            request = msgspec.json.decode(body, type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _said(300)
        block = request.viber or request.sms or SmsBlock()
        return Message(
            channel="viber" if request.viber else "sms",
            number=request.recipients[0],
            sender=block.sender,
            shown=show(block),
            payload=body,
            ttl_s=request.viber.ttl if request.viber else 0,
            parts=sms.count(SmsText(text=block.text)),
            key=request.sequence_id,
            wrong=check(request),
        )

    def _stranger(self, http: web.Request) -> int:
        """What is wrong with the token; 0: nothing."""
        token = http.headers.get("Authorization", "")
        return OK if token == f"Bearer {self.password}" else 301 if token else 103

    def name(self, message: Message) -> str:
        return str(uuid.uuid4())

    def accept(self, taken: Taken) -> web.Response:
        return _said(ACCEPTED, _item(taken.message, OK, taken.id))

    def again(self, taken: Taken) -> web.Response:
        return _said(DUPLICATE, _item(taken.message, OK, taken.id))

    def busy(self, message: Message) -> web.Response:
        code = BUSY[message.channel]
        return _said(code, _item(message, code))

    def refuse(self, message: Message, code: int) -> web.Response | None:
        if message.wrong:
            return _said(code, _item(message, code))
        return _said(INVALID_PHONE, _item(message, INVALID_PHONE)) if code in BAD_NUMBERS else None

    def report(self, taken: Taken, event: Event) -> Call:
        id = str(uuid.uuid4())
        body = {
            "id": id,
            "signature": hashlib.sha1(f"{self.password}{id}".encode()).hexdigest(),  # noqa: S324 - as there
            "type": f"DLR_{taken.message.channel.upper()}_API",
            "date": _moment(taken),
            "try": 1,
            "data": status(taken, event),
        }
        return Call(msgspec.json.encode(body))

    async def _status(self, http: web.Request) -> web.Response:
        if fault := self._stranger(http):
            return _said(fault)
        try:
            asked = msgspec.json.decode(await http.read(), type=Question).messages
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _said(300)
        known = [self.by_id[id] for id in asked if id in self.by_id]
        return _said(OK, *(status(taken, taken.events[-1] if taken.events else None) for taken in known))


def status(taken: Taken, event: Event | None) -> dict[str, Any]:
    """What became of a message; None: nothing yet."""
    rejected = REJECTIONS.get(event.code, "") if event else ""
    word = "Rejected" if rejected else STATUSES[event.became] if event else "Sent"
    return {
        "message_id": taken.id,
        "recipient": taken.message.number,
        "sent": _moment(taken),
        "updated": _moment(taken),
        "status": word,
        "type": taken.message.channel,
        "rejected_status": rejected,
        "response_code": OK,
        "response_status": CODES[OK],
    }


def _item(message: Message, code: int, id: str | None = None) -> dict[str, Any]:
    return {
        "phone": message.number,
        "response_code": code,
        "message_id": id,
        "response_status": CODES[code],
    }


def _said(code: int, *items: dict[str, Any]) -> web.Response:
    body = {"response_code": code, "response_status": CODES[code], "response_result": list(items) or None}
    return web.json_response(body)


def _moment(taken: Taken) -> str:
    return datetime.fromtimestamp(taken.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
