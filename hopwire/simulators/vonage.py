"""Vonage's far end: takes Viber messages and SMS, checks them as the reference says, and calls back, signed.

Rule: whether a reader can be reached is told by a webhook; the answer refuses only what cannot be tried.

The shapes are those of the Messages API, version 1.
"""

import hashlib
import hmac
import uuid
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from hopwire import sms
from hopwire.model import SmsText
from hopwire.simulators.messenger import Became, Call, Event, Message, Messenger, Taken, now_ms
from hopwire.simulators.record import Shown

PATH = "/v1/messages"
ERRORS = "https://developer.vonage.com/api-errors/messages#"

BAD_NUMBERS = {0x0B, 27}  # `status` of a row of the number table: refused in the answer
INVALID_RECIPIENT = (1430, "Invalid recipient")
EXPIRED = (1360, "TTL was activated, or message expired before delivered")
REASONS = {  # `status` of a row -> the error of the webhook
    0: (1260, "Destination unreachable"),
    8: (1240, "Illegal Number"),
    9: (1300, "Not part of the provider network"),
    10: (1310, "Not suitable device"),
}
STATUSES = {Became.DELIVERED: "delivered", Became.SEEN: "read"}

Url = Annotated[str, Meta(pattern="^https?://")]
Words = Annotated[str, Meta(min_length=1, max_length=1000)]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Action(Strict, frozen=True):
    url: Url
    text: Annotated[str, Meta(min_length=1, max_length=30)]


class ViberOptions(Strict, frozen=True):
    category: Literal["transaction", "promotion"] = "promotion"
    ttl: Annotated[int, Meta(ge=30, le=259_200)] = 259_200
    type: Literal["string", "template"] = "string"
    action: Action | None = None


class Image(Strict, frozen=True):
    url: Url
    caption: str = ""


class Common(Strict, frozen=True, kw_only=True):
    to: Annotated[str, Meta(pattern="^[1-9][0-9]{6,14}$")]
    from_: Annotated[str, Meta(min_length=1, max_length=50)] = msgspec.field(name="from")
    message_type: Literal["text", "image"]
    text: Words | None = None
    client_ref: Annotated[str, Meta(max_length=100)] = ""
    webhook_url: str = ""
    webhook_version: Literal["v0.1", "v1"] = "v1"


class ViberMessage(Common, frozen=True, kw_only=True, tag_field="channel", tag="viber_service"):
    image: Image | None = None
    viber_service: ViberOptions = ViberOptions()


class SmsMessage(Common, frozen=True, kw_only=True, tag_field="channel", tag="sms"):
    ttl: Annotated[int, Meta(ge=20, le=604_800)] = 259_200


def check(said: ViberMessage | SmsMessage) -> None:
    """What one field demands of another; raises ValueError."""
    image = said.image if isinstance(said, ViberMessage) else None
    there = {"text": said.text is not None, "image": image is not None}
    if there != {kind: kind == said.message_type for kind in there}:
        raise ValueError("message_type: is not what the message is")


def show(said: ViberMessage | SmsMessage) -> Shown:
    """What the phone shows of it."""
    if isinstance(said, SmsMessage):
        return Shown(kind="sms", text=said.text or "")
    image, action = said.image, said.viber_service.action
    return Shown(
        kind="button" if action else said.message_type,
        text=said.text or (image.caption if image else ""),
        image=image.url if image else "",
        caption=action.text if action else "",
        url=action.url if action else "",
    )


class VonageSimulator(Messenger):
    """The API; `password` is the API secret of any key, and what webhooks are signed with."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(PATH, self.take)]

    def read(self, http: web.Request, body: bytes) -> Message | web.Response:
        if not self._knows(http):
            return _problem(401, "unauthorized", "Unauthorized")
        try:
            said = msgspec.json.decode(body, type=ViberMessage | SmsMessage)
            check(said)
        except (msgspec.DecodeError, ValueError) as error:
            return _problem(422, 1020, str(error))
        viber = isinstance(said, ViberMessage)
        return Message(
            channel="viber" if viber else "sms",
            number=said.to,
            sender=said.from_,
            shown=show(said),
            payload=msgspec.json.encode(msgspec.structs.replace(said, client_ref="")),
            ttl_s=said.viber_service.ttl if isinstance(said, ViberMessage) else 0,
            parts=sms.count(SmsText(text=said.text or "")),
            callback_url=said.webhook_url,
            echo={"client_ref": said.client_ref, "channel": "viber_service" if viber else "sms"},
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
        return web.json_response({"message_uuid": taken.id}, status=202)

    def busy(self, message: Message) -> web.Response:
        return _problem(429, 1000, "Throttled", {"Retry-After": "1"})

    def refuse(self, message: Message, code: int) -> web.Response | None:
        return _problem(422, *INVALID_RECIPIENT) if code in BAD_NUMBERS else None

    def report(self, taken: Taken, event: Event) -> Call:
        body = msgspec.json.encode(status(taken, event))
        claims = {
            "iat": now_ms() // 1000,
            "jti": str(uuid.uuid4()),
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(body).hexdigest(),
            "api_key": "12345678",
        }
        headers = {"authorization": f"Bearer {token(claims, self.password)}"}
        return Call(body, {"content-type": "application/json", **headers})


def token(claims: dict[str, Any], secret: str) -> str:
    """A JSON Web Token, signed with HS256 (RFC 7515, 3.1)."""
    parts = [msgspec.json.encode(one) for one in ({"alg": "HS256", "typ": "JWT"}, claims)]
    said = b".".join(map(_base64, parts))
    return (said + b"." + _base64(hmac.digest(secret.encode(), said, "sha256"))).decode()


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def status(taken: Taken, event: Event) -> dict[str, Any]:
    """The webhook of a status."""
    message = taken.message
    told = {
        "message_uuid": taken.id,
        "to": message.number,
        "from": message.sender,
        "timestamp": datetime.fromtimestamp(taken.at / 1000, UTC).isoformat(),
        "status": STATUSES.get(event.became, "rejected"),
        **message.echo,
    }
    if event.became in STATUSES:
        return told
    code, detail = EXPIRED if event.became is Became.EXPIRED else REASONS[event.code]
    error = {"type": f"{ERRORS}{code}", "title": code, "detail": detail, "instance": str(uuid.uuid4())}
    return told | {"error": error}


def _problem(
    http_status: int, code: int | str, detail: str, headers: dict[str, str] | None = None
) -> web.Response:
    body = {"type": f"{ERRORS}{code}", "title": code, "detail": detail, "instance": str(uuid.uuid4())}
    return web.json_response(body, status=http_status, headers=headers)
