"""A Viber partner endpoint: takes messages, checks them as Viber would, and calls back.

Rule: the HTTP status of an answer is 200; what became of the message is `status` in its JSON.

The shapes are those of the partner API, version 11: `send_message`, its answer and its callbacks.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from hopwire.simulators.messenger import Became, Call, Event, Message, Messenger, Taken, now_ms
from hopwire.simulators.record import Shown

PATH = "/vibersrvc/1/send_message"

# status of an answer
SUCCESS = 0
INTERNAL_FAILURE = 1
BAD_DATA = 3
BAD_MESSAGE_TYPE = 5
BAD_PARAMETERS = 6
BAD_LABEL = 18
INVALID_TTL = 20
INVALID_PHONE_NUMBER = 27
TEMPLATE_NOT_FOUND = 38
TEMPLATE_VALIDATION_ERROR = 39

# type of a message
TEXTS = {6, 106, 206, 306, 225}
IMAGES = {7, 107, 207, 307}
BUTTONS = {9, 109, 209}
BUTTONS_WITH_IMAGE = {8, 108, 208, 210}
TEMPLATES = {1701, 1702}
TRACKING_REFUSED = {7, 8, 9, 107, 108, 109}
TRACKING_REQUIRED = {206, 207, 208, 209, 210, 225, 306, 307}

TTL_S = range(30, 1_209_600 + 1)
LONGEST_TEXT = 1000
LONGEST_CAPTION = 30
LONGEST_PARAMETER = 125

# message_status of a callback
STATUSES = {Became.DELIVERED: 0, Became.SEEN: 1, Became.EXPIRED: 2}


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """The body of send_message; what may be absent has a default."""

    service_id: int = msgspec.field(name="service_id")
    dest: str
    seq: int
    type: int
    label: str = ""
    ttl: int = TTL_S[-1]
    message: dict[str, Any] = {}
    template_id: str = ""
    template_lang: str = ""
    template_params: dict[str, str] = {}


def check(request: Request) -> int:
    """The status that Viber would answer for the request itself, whoever the recipient is."""
    if request.type not in TEXTS | IMAGES | BUTTONS | BUTTONS_WITH_IMAGE | TEMPLATES:
        return BAD_MESSAGE_TYPE
    if request.label not in ("transaction", "promotion"):
        return BAD_LABEL
    if request.ttl not in TTL_S:
        return INVALID_TTL
    if not (request.dest.isascii() and request.dest.isdigit() and 7 <= len(request.dest) <= 15):
        return INVALID_PHONE_NUMBER
    return _check_template(request) if request.type in TEMPLATES else _check_message(request)


def _check_template(request: Request) -> int:
    if not (request.template_id and request.template_lang):
        return TEMPLATE_NOT_FOUND
    valid = all(len(value) <= LONGEST_PARAMETER for value in request.template_params.values())
    return SUCCESS if valid else TEMPLATE_VALIDATION_ERROR


def _check_message(request: Request) -> int:
    tracking = request.message.get("#tracking_data")
    if (tracking is not None and request.type in TRACKING_REFUSED) or (
        not isinstance(tracking, str) and request.type in TRACKING_REQUIRED
    ):
        return BAD_PARAMETERS
    return SUCCESS if all(_limits(request)) else BAD_DATA


def _limits(request: Request) -> list[bool]:
    """Whether each field that the type has is there and not too long."""

    def has(name: str, longest: int) -> bool:
        value = request.message.get(name)
        return isinstance(value, str) and 1 <= len(value) <= longest

    fields = []
    if request.type not in IMAGES:
        fields.append(has("#txt", LONGEST_TEXT))
    if request.type in IMAGES | BUTTONS_WITH_IMAGE:
        fields.append(has("#img", LONGEST_TEXT))
    if request.type in BUTTONS | BUTTONS_WITH_IMAGE:
        fields += [has("#caption", LONGEST_CAPTION), has("#action", LONGEST_TEXT)]
    return fields


def show(request: Request) -> Shown:
    """What the phone shows of it."""
    if request.type in TEMPLATES:
        params = ", ".join(f"{name}: {value}" for name, value in request.template_params.items())
        return Shown(kind="text", text=f"[template {request.template_id}] {params}")
    message = request.message
    kind = "text" if request.type in TEXTS else "image" if request.type in IMAGES else "button"
    return Shown(
        kind=kind,
        text=message.get("#txt", ""),
        image=message.get("#img", ""),
        url=message.get("#action", ""),
        caption=message.get("#caption", ""),
    )


class ViberSimulator(Messenger):
    """The endpoint. `services` gives sender names to service ids."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(PATH, self.take)]

    def read(self, http: web.Request, body: bytes) -> Message | web.Response:
        try:
            request = msgspec.json.decode(body, type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError):  # a mandatory field is absent, too
            return web.json_response({"status": BAD_DATA})
        return Message(
            number=request.dest,
            sender=self.services.get(request.service_id, f"Service {request.service_id}"),
            shown=show(request),
            payload=_payload(request),
            ttl_s=request.ttl,
            reference=request.seq,
            wrong=check(request),
            echo={"service_id": request.service_id},
        )

    def accept(self, taken: Taken) -> web.Response:
        answer = {"status": SUCCESS, "seq": taken.message.reference, "message_token": taken.id}
        return web.json_response(answer)

    def busy(self, message: Message) -> web.Response:
        return self.refuse(message, INTERNAL_FAILURE)

    def refuse(self, message: Message, code: int) -> web.Response:
        return web.json_response({"status": code, "seq": message.reference})

    def report(self, taken: Taken, event: Event) -> Call:
        body = {
            "message_token": taken.id,
            "message_status": STATUSES[event.became],
            "message_time": now_ms(),
            "phone_number": taken.message.number,
            "service_id": taken.message.echo["service_id"],
        }
        return Call(msgspec.json.encode(body))


def _payload(request: Request) -> bytes:
    """What tells messages apart; a template has no message but parameters."""
    payload = [request.message, request.template_id, request.template_params]
    return msgspec.json.encode(payload, order="sorted")
