"""GMS's far end: takes Viber messages and SMS, checks them as its documentation says, and reports.

Rule: whether a reader can be reached is told by a report; the answer refuses only what cannot be tried.

The shapes are those of the JSON protocol, version 2, one message in a request. GMS's table of codes is not
public: the codes of errors, and those of failures in `CODES`, are ours.
"""

import uuid
from base64 import b64decode
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from hopwire import sms
from hopwire.model import SmsText
from hopwire.simulators.messenger import Became, Call, Event, Message, Messenger, Taken, now_ms
from hopwire.simulators.record import Shown

CLIENT = "/1234"
REPORTS = CLIENT + "/api/dr"
BAD_REQUEST = 400

# what a report says: status, substatus, hyber_status
ON_ITS_WAY = (-1, -1, -1)
DELIVERED = {"viber": (2, 23, 23033), "sms": (2, 23, 23011)}
SEEN = (2, 24, 24033)
EXPIRED = (3, 35, 35015)
FAILED = (3, 36, 36000)
CODES = {8: 36008, 9: 36009, 10: 36010, 0x0B: 36027, 27: 36027}  # `status` of a row of the number table
STATUSES = {  # what an operator would have been told of these
    "24": "seen",
    "36008": "blocked",
    "36009": "no account",
    "36010": "recipient",
    "36027": "number",
}

Link = Annotated[str, Meta(max_length=256, pattern="^https?://")]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ViberOptions(Strict, frozen=True):
    ttl: Annotated[int, Meta(ge=40, le=86_400)]
    text: Annotated[str, Meta(max_length=1000)] = ""
    alpha_name: str = ""
    img: Link | None = None
    caption: Annotated[str, Meta(max_length=30)] = ""
    action: Link | None = None


class SmsOptions(Strict, frozen=True):
    text: Annotated[str, Meta(min_length=1)]
    ttl: Annotated[int, Meta(ge=300, le=259_200)]
    alpha_name: Annotated[str, Meta(min_length=1, max_length=11)]


class Options(Strict, frozen=True):
    viber: ViberOptions | None = None
    sms: SmsOptions | None = None


class Request(Strict, frozen=True):
    """One message by one channel."""

    phone_number: Annotated[int, Meta(ge=1_000_000, lt=10**15)]
    channels: Annotated[list[str], Meta(min_length=1, max_length=1)]
    channel_options: Options
    extra_id: Annotated[str, Meta(max_length=64)] = ""
    callback_url: Annotated[str, Meta(max_length=256)] = ""


def check(request: Request) -> ViberOptions | SmsOptions:
    """The options of the one channel; raises ValueError for what one field demands of another."""
    (channel,), options = request.channels, request.channel_options
    said = {"viber": options.viber, "sms": options.sms}.get(channel)
    if said is None:
        raise ValueError("channel_options: are not those of the channel")
    if isinstance(said, ViberOptions):
        if not (said.text or said.img):
            raise ValueError("viber: is empty")
        if bool(said.caption) != bool(said.action):
            raise ValueError("viber: a caption needs an action, and an action a caption")
    return said


def show(said: ViberOptions | SmsOptions) -> Shown:
    """What the phone shows of it."""
    if isinstance(said, SmsOptions):
        return Shown(kind="sms", text=said.text)
    kind = "button" if said.caption else "text" if said.text else "image"
    return Shown(kind=kind, text=said.text, image=said.img or "", caption=said.caption, url=said.action or "")


class GmsSimulator(Messenger):
    """The API of the client 1234; any login, and `password`."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(CLIENT, self.take), web.get(REPORTS + "/{id}/simple", self._simple)]

    def read(self, http: web.Request, body: bytes) -> Message | web.Response:
        if not self._knows(http):
            return web.json_response({"error_text": "Unauthorized"}, status=401)
        try:
            request = msgspec.json.decode(body, type=Request)
            said = check(request)
        except (msgspec.DecodeError, ValueError) as error:
            return web.json_response({"error_code": BAD_REQUEST, "error_text": str(error)}, status=400)
        return Message(
            channel=request.channels[0],
            number=str(request.phone_number),
            sender=said.alpha_name,
            shown=show(said),
            payload=msgspec.json.encode(said),
            ttl_s=said.ttl,
            parts=sms.count(SmsText(text=said.text)),
            callback_url=request.callback_url,
            echo={"extra_id": request.extra_id},
        )

    def _knows(self, http: web.Request) -> bool:
        scheme, _, token = http.headers.get("Authorization", "").partition(" ")
        try:
            return scheme == "Basic" and b64decode(token).partition(b":")[2].decode() == self.password
        except ValueError:
            return False

    def name(self, message: Message) -> str:
        return str(uuid.uuid4())

    def accept(self, taken: Taken) -> web.Response:
        return web.json_response({"message_id": taken.id})

    def busy(self, message: Message) -> web.Response:
        return web.json_response({"error_text": "Try again later"}, status=503)

    def refuse(self, message: Message, code: int) -> None:
        """Nothing is refused after the request itself."""

    def report(self, taken: Taken, event: Event) -> Call:
        number = {"number": int(taken.message.number), "sent_via": taken.message.channel}
        return Call(msgspec.json.encode(number | told(taken, event)))

    async def _simple(self, http: web.Request) -> web.Response:
        """The report that is asked for."""
        if not self._knows(http):
            return web.Response(status=401)
        taken = self.by_id.get(http.match_info["id"])
        if taken is None:
            return web.Response(status=404)
        number = {"phone_number": taken.message.number, "last_partner": taken.message.channel}
        return web.json_response(number | told(taken, taken.events[-1] if taken.events else None))


def told(taken: Taken, event: Event | None) -> dict[str, Any]:
    """What became of a message; None: nothing yet."""
    names = ("status", "substatus", "hyber_status")
    message = {"message_id": taken.id, "extra_id": taken.message.echo["extra_id"], "time": now_ms()}
    return message | dict(zip(names, _codes(taken, event), strict=True))


def _codes(taken: Taken, event: Event | None) -> tuple[int, int, int]:
    match event:
        case None:
            return ON_ITS_WAY
        case Event(Became.DELIVERED):
            return DELIVERED[taken.message.channel]
        case Event(Became.SEEN):
            return SEEN
        case Event(Became.EXPIRED):
            return EXPIRED
        case Event(code=code):
            return (*FAILED[:2], CODES.get(code, FAILED[2]))
