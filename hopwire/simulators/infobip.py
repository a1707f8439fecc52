"""Infobip's far end: takes Viber messages and SMS, checks them as the API description says, and calls back.

Rule: whether a reader can be reached is told by a webhook; the answer refuses only what cannot be tried.

The shapes are those of the public API description, version 3.245: `/viber/2` and `/sms/3`, one message to one
destination in a request.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from hopwire import sms
from hopwire.model import SmsText
from hopwire.simulators.messenger import Became, Call, Event, Message, Messenger, Taken
from hopwire.simulators.record import Shown

VIBER, SMS = "/viber/2", "/sms/3"

ACTIONS = {400: "Check the syntax, violations and adjust the request.", 401: "Check the API key."}
ACCEPTED = (1, "PENDING", 26, "PENDING_ACCEPTED")
INVALID_NUMBER = (5, "REJECTED", 52, "REJECTED_INVALID_DESTINATION")
DUPLICATE = (5, "REJECTED", 23, "REJECTED_DUPLICATE_MESSAGE_ID")
DELIVERED = (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET")
EXPIRED = (4, "EXPIRED", 15, "EXPIRED_EXPIRED")
UNDELIVERABLE = (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED")
STATUSES = {Became.DELIVERED: DELIVERED, Became.EXPIRED: EXPIRED, Became.FAILED: UNDELIVERABLE}

NO_ERROR = (0, "OK", 0, "NO_ERROR")
REASONS = {  # `status` of a row of the number table -> the error
    0: (1, "HANDSET_ERRORS", 11, "EC_TELESERVICE_NOT_PROVISIONED"),
    8: (2, "USER_ERRORS", 7003, "BLOCKED_USER"),
    9: (2, "USER_ERRORS", 7002, "UNKNOWN_USER"),
    10: (2, "USER_ERRORS", 7025, "UNSUPPORTED_APP_VERSION"),
}
BAD_NUMBERS = {0x0B, 27}  # `status` of a row: refused in the answer

Url = Annotated[str, Meta(max_length=1000, pattern="^https?://")]


class Strict(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class Button(Strict, frozen=True):
    title: Annotated[str, Meta(min_length=1, max_length=30)]
    action: Url


class Text(Strict, frozen=True, tag_field="type", tag="TEXT"):
    text: Annotated[str, Meta(min_length=1, max_length=1000)]
    button: Button | None = None


class Image(Strict, frozen=True, tag_field="type", tag="IMAGE"):
    media_url: Url
    text: Annotated[str, Meta(max_length=1000)] = ""
    button: Button | None = None
    image_action: Url | None = None
    image_format: Literal["IMG", "GIF"] = "IMG"
    show_image_in_full_screen: bool = False


class Template(Strict, frozen=True, tag_field="type", tag="TEMPLATE"):
    template_id: Annotated[str, Meta(min_length=1)]
    language: str
    parameters: dict[str, str] = {}


class SmsContent(Strict, frozen=True):
    text: Annotated[str, Meta(min_length=1)]


class Destination(Strict, frozen=True):
    to: Annotated[str, Meta(pattern="^[0-9]{1,15}$")]
    message_id: Annotated[str, Meta(max_length=200)] = ""


class Period(Strict, frozen=True):
    amount: Annotated[int, Meta(gt=0)]
    time_unit: Literal["SECONDS", "MINUTES", "HOURS"] = "MINUTES"


class ViberOptions(Strict, frozen=True):
    validity_period: Period = Period(48, "HOURS")
    label: Literal["PROMOTIONAL", "TRANSACTIONAL"] = "PROMOTIONAL"
    tracking_data: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class SmsOptions(Strict, frozen=True):
    validity_period: Period = Period(48, "HOURS")
    flash: bool = False


class Hook(Strict, frozen=True):
    url: Url


class Webhooks(Strict, frozen=True):
    delivery: Hook | None = None
    seen: Hook | None = None
    content_type: Literal["application/json"] = "application/json"


class ViberMessage(Strict, frozen=True):
    sender: Annotated[str, Meta(min_length=1)]
    destinations: Annotated[list[Destination], Meta(min_length=1, max_length=1)]
    content: Text | Image | Template
    options: ViberOptions = ViberOptions()
    webhooks: Webhooks = Webhooks()


class SmsMessage(Strict, frozen=True):
    sender: Annotated[str, Meta(min_length=1)]
    destinations: Annotated[list[Destination], Meta(min_length=1, max_length=1)]
    content: SmsContent
    options: SmsOptions = SmsOptions()
    webhooks: Webhooks = Webhooks()


class ViberRequest(Strict, frozen=True):
    messages: Annotated[list[ViberMessage], Meta(min_length=1, max_length=1)]


class SmsRequest(Strict, frozen=True):
    messages: Annotated[list[SmsMessage], Meta(min_length=1, max_length=1)]


REQUESTS: dict[str, type[ViberRequest] | type[SmsRequest]] = {"viber": ViberRequest, "sms": SmsRequest}


def check(message: ViberMessage | SmsMessage) -> None:
    """What one field demands of another; raises ValueError."""
    content = message.content
    if isinstance(content, Image) and (content.button or content.image_action) and not content.text:
        raise ValueError("content.text: is required with a button or an imageAction")
    options = message.options
    if isinstance(content, Template) and isinstance(options, ViberOptions) and options.tracking_data:
        raise ValueError("options.trackingData: is not supported for TEMPLATE")


def show(message: ViberMessage | SmsMessage) -> Shown:
    """What the phone shows of it."""
    match message.content:
        case Text(text=text, button=None):
            return Shown(kind="text", text=text)
        case Text(text=text, button=Button(title, action)):
            return Shown(kind="button", text=text, caption=title, url=action)
        case Image(media_url=image, text=text, button=Button(title, action)):
            return Shown(kind="button", text=text, image=image, caption=title, url=action)
        case Image(media_url=image, text=text, image_action=action):
            return Shown(kind="image", text=text, image=image, url=action or "")
        case Template(template_id=id, parameters=parameters):
            told = ", ".join(f"{name}: {value}" for name, value in parameters.items())
            return Shown(kind="text", text=f"[template {id}] {told}")
    return _show_sms(message)


def _show_sms(message: ViberMessage | SmsMessage) -> Shown:
    assert isinstance(message, SmsMessage)
    return Shown(kind="flash" if message.options.flash else "sms", text=message.content.text)


def seconds(period: Period) -> int:
    return period.amount * {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600}[period.time_unit]


class InfobipSimulator(Messenger):
    """The account's own address; `password` is its API key."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post(VIBER + "/messages", self.take),
            web.post(SMS + "/messages", self.take),
            web.get(VIBER + "/logs", self._logs),
            web.get(SMS + "/logs", self._logs),
        ]

    def read(self, http: web.Request, body: bytes) -> Message | web.Response:
        if not self._knows(http):
            return _problem(401, "Unauthorized")
        channel = "viber" if http.path.startswith(VIBER) else "sms"
        try:
            request = msgspec.json.decode(body, type=REQUESTS[channel])
            check(request.messages[0])
        except (msgspec.DecodeError, ValueError) as error:
            return _problem(400, str(error))
        return self._message(channel, request.messages[0], body)

    def _knows(self, http: web.Request) -> bool:
        return http.headers.get("Authorization") == f"App {self.password}"

    def _message(self, channel: str, message: ViberMessage | SmsMessage, body: bytes) -> Message:
        (destination,), hook = message.destinations, message.webhooks.delivery
        text = message.content.text if isinstance(message.content, SmsContent) else ""
        return Message(
            channel=channel,
            number=destination.to,
            sender=message.sender,
            shown=show(message),
            payload=body,
            ttl_s=seconds(message.options.validity_period),
            parts=sms.count(SmsText(text=text)),
            key=destination.message_id,
            callback_url=hook.url if hook else "",
        )

    def name(self, message: Message) -> str:
        return message.key or str(uuid.uuid4())

    def accept(self, taken: Taken) -> web.Response:
        return _answer(taken.message, taken.id, ACCEPTED)

    def again(self, taken: Taken) -> web.Response:
        return _answer(taken.message, taken.id, DUPLICATE)

    def refuse(self, message: Message, code: int) -> web.Response | None:
        return _answer(message, message.key, INVALID_NUMBER) if code in BAD_NUMBERS else None

    def busy(self, message: Message) -> web.Response:
        return _problem(429, "Too many requests", {"Retry-After": "1"})

    def report(self, taken: Taken, event: Event) -> Call:
        item = seen_report(taken) if event.became is Became.SEEN else delivery_report(taken, event)
        return Call(msgspec.json.encode({"results": [item]}))

    async def _logs(self, http: web.Request) -> web.Response:
        if not self._knows(http):
            return _problem(401, "Unauthorized")
        channel = "viber" if http.path.startswith(VIBER) else "sms"
        asked = http.query.get("messageId", "").split(",")
        found = [self.by_id[id] for id in asked if id in self.by_id]
        return web.json_response({"results": [log(one) for one in found if one.message.channel == channel]})


def delivery_report(taken: Taken, event: Event) -> dict[str, Any]:
    reason = REASONS.get(event.code, REASONS[0]) if event.became is Became.FAILED else NO_ERROR
    return {
        "messageId": taken.id,
        "to": taken.message.number,
        "sender": taken.message.sender,
        "sentAt": _moment(taken),
        "doneAt": _moment(taken),
        "messageCount": taken.message.parts,
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": _code(STATUSES[event.became]),
        "error": _code(reason) | {"permanent": reason != NO_ERROR},
    }


def seen_report(taken: Taken) -> dict[str, Any]:
    moments = {"sentAt": _moment(taken), "seenAt": _moment(taken)}
    return {"messageId": taken.id, "from": taken.message.number, "to": taken.message.sender, **moments}


def log(taken: Taken) -> dict[str, Any]:
    """What the logs say; they do not tell who has seen a message."""
    known = [event for event in taken.events if event.became is not Became.SEEN]
    if not known:
        return {"messageId": taken.id, "destination": taken.message.number, "status": _code(ACCEPTED)}
    report = delivery_report(taken, known[-1])
    return {**report, "destination": report.pop("to")}


def _answer(message: Message, id: str, status: tuple[int, str, int, str]) -> web.Response:
    item = {"messageId": id, "status": _code(status), "destination": message.number}
    return web.json_response({"bulkId": str(uuid.uuid4()), "messages": [item]})


def _code(code: tuple[int, str, int, str]) -> dict[str, Any]:
    names = ("groupId", "groupName", "id", "name", "description")
    return dict(zip(names, (*code, code[-1].replace("_", " ").capitalize()), strict=True))


def _problem(status: int, description: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {
        "errorCode": f"E{status}",
        "description": description,
        "action": ACTIONS.get(status, "Try again later."),
        "violations": [],
        "resources": [],
    }
    return web.json_response(body, status=status, headers=headers)


def _moment(taken: Taken) -> str:
    return datetime.fromtimestamp(taken.at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
