"""Viber's partner API: `send_message`, its codes, and what Viber reports later.

Sources: Viber Service Messages API 9.0 and 11.3 for the fields, types and codes. Viber knows us by our
address and `service_id`; there is no token. HTTP answers 200 even to a refusal: the outcome is `status` in
the body.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from hopwire import metrics
from hopwire.channels import word
from hopwire.config import ViberConnector
from hopwire.model import (
    Answer,
    ConnectorState,
    Fault,
    Handover,
    Later,
    Never,
    Outcome,
    Receipt,
    Taken,
    TraceOrder,
    Unknown,
    ViberButton,
    ViberImage,
    ViberText,
)

log = logging.getLogger(__name__)

MIN_TTL_S = 30
PAUSE_S = 60.0  # after a fault of our configuration; then one message of what is paused tries again
KEEP_ALIVE_S = 5.0  # shorter than any server's, so that a request does not meet a closed connection
MAX_REPLY = 65_536  # bytes; a longer one is no answer of Viber

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
    9: ("SRVC_NOT_VIBER_USER", Fault.RECIPIENT),
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

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last: nested too deeply

OUTCOMES = {0: Outcome.DELIVERED, 1: Outcome.SEEN, 2: Outcome.EXPIRED}


# ---- what is said


def body(handover: Handover, settings: ViberConnector) -> dict[str, Any] | None:
    """The request for one message; None where its sender name has no service id."""
    service_id = settings.service_ids.get(handover.sender, settings.service_ids.get("*"))
    if service_id is None:
        return None
    kind, message = _message(handover.content, settings)
    if settings.mode == "twoway":  # there it is mandatory, and one-way types must not have it
        message["#tracking_data"] = f"m:{handover.message_id}"
    return {
        "service_id": service_id,
        "dest": handover.recipient,
        "seq": handover.message_id,
        "type": kind,
        "label": settings.label,
        "ttl": max(MIN_TTL_S, handover.lifetime_s),
        "message": message,
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


def answer(http_status: int, text: bytes) -> Answer:
    """What the reply to a request means: HTTP status and body.

    What is no answer of Viber's leaves the message in doubt, unless HTTP says that it was not taken
    (RFC 9110, section 15): Viber has no idempotency key, and a message in doubt must not be sent again.
    """
    if http_status != 200:
        return _not_ok(http_status)
    try:
        return _answer(_decode_reply(text))
    except UNREADABLE:
        return Unknown("http 200")


def _not_ok(http_status: int) -> Answer:
    code = f"http {http_status}"
    if http_status in (401, 403):
        return Never(code, Fault.CONFIGURATION)
    if 300 <= http_status < 500 or http_status == 503:
        return Later(1.0, code, throttled=http_status == 429)
    return Unknown(code)


def _answer(reply: _Reply) -> Answer:
    if reply.status == 0:
        return Taken("" if reply.message_token is None else str(reply.message_token))
    if reply.status == ALREADY_SENT:
        return Unknown(str(ALREADY_SENT))
    _, fault = CODES.get(reply.status, ("", Fault.CONTENT))
    return Later(1.0, str(reply.status)) if fault is LATER else Never(str(reply.status), fault)


# ---- what is reported later


class _Callback(msgspec.Struct):
    message_token: int | str
    message_status: int
    phone_number: int | str = ""


_decode_callback = msgspec.json.Decoder(_Callback).decode


def parse_callback(connector: str, text: bytes) -> list[Receipt]:
    """The receipts in a callback; empty for one about something else. Raises ValueError for garbage."""
    try:
        callback = _decode_callback(text)
        raw = text.decode()
    except UNREADABLE:
        _decode_object(text)
        return []
    outcome = OUTCOMES.get(callback.message_status)
    if outcome is None:
        return []
    return [
        Receipt(
            connector=connector,
            provider_id=str(callback.message_token),
            recipient=str(callback.phone_number).lstrip("+"),
            outcome=outcome,
            code=str(callback.message_status),
            raw=raw,
        )
    ]


def _decode_object(text: bytes) -> None:
    """A user's reply and other reports are objects, too; raises ValueError for what is none."""
    try:
        msgspec.json.decode(text, type=dict[str, Any])
    except UNREADABLE:
        raise ValueError("the callback is not a JSON object") from None


# ---- the channel

Scope = int | None  # what a pause is for: a service id, or all of them
ALL: Scope = None


def faults(reply: Answer, service_id: int) -> dict[Scope, str]:
    """What a reply says of the scopes that it concerns: the code of a fault of ours, "" for none."""
    match reply:
        case Never(code, Fault.CONFIGURATION) if code in CONNECTION_FAULTS:
            return {ALL: code}  # the service itself was not looked at
        case Never(code, Fault.CONFIGURATION):
            return {ALL: "", service_id: code}
    return {ALL: "", service_id: ""}


class ViberChannel:
    """One connection to Viber and its services. `on_ready` is called when there is capacity again."""

    def __init__(self, name: str, settings: ViberConnector, on_ready: Callable[[], None]) -> None:
        self.name = name
        self._settings = settings
        self._on_ready = on_ready
        self._session: aiohttp.ClientSession | None = None
        self._under_way = 0
        self._paused_until: dict[Scope, float] = {}  # an ended one stays until a message has tried
        self._counts: Counter[str] = Counter()
        self._error, self._error_at = "", 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def capacity(self) -> int:
        return self._settings.window - self._under_way if self._session is not None else 0

    @property
    def state(self) -> ConnectorState:
        """How it stands; one session stands for the connections to Viber."""
        connected = int(self._session is not None)
        refused = time.monotonic() < self._paused_until.get(ALL, 0)
        return ConnectorState(
            kind="viber",
            sessions=connected,
            sessions_wanted=1,
            window=self._settings.window,
            in_flight=self._under_way,
            rate=None,
            state="refused" if refused else "up" if connected else "down",
            last_error=self._error,
            last_error_at=self._error_at or None,
            bound_at=None,
            submitted=self._counts.total() + self._under_way,
            taken=self._counts["taken"],
            refused=self._counts["refused"],
            throttled=self._counts["throttled"],
            unknown=self._counts["unknown"],
            receipts=0,  # callbacks come to the web process
            incoming=0,
            receipt_ids="",
        )

    def trace(self, order: TraceOrder | None) -> None:
        """There is no SMPP here to be traced."""

    async def start(self) -> None:
        timeout_s = self._settings.timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.window, keepalive_timeout=KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 2),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._on_ready()

    async def submit(self, handover: Handover) -> Answer:
        request = body(handover, self._settings)
        if request is None:
            return Never("no service id", Fault.SENDER)
        service_id = request["service_id"]
        if self._spared(service_id):
            return Never("paused", Fault.CONFIGURATION)
        known = dict(self._paused_until)
        reply = await self._post_counted(msgspec.json.encode(request))
        self._counts[word(reply)] += 1
        self._learn(service_id, reply, known)
        return reply

    def _spared(self, service_id: int) -> bool:
        """Whether there is a pause; at its end one message tries, and those after it go by what it finds."""
        now = time.monotonic()
        pauses = [scope for scope in (ALL, service_id) if scope in self._paused_until]
        if any(now < self._paused_until[scope] for scope in pauses):
            return True
        self._paused_until |= dict.fromkeys(pauses, now + PAUSE_S)
        return False

    async def _post_counted(self, data: bytes) -> Answer:
        self._under_way += 1
        self._idle.clear()
        try:
            return await self._post(data)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
            self._on_ready()

    async def _post(self, data: bytes) -> Answer:
        if self._session is None:
            return Later(1.0, "stopped")
        try:
            async with self._session.post(
                self._settings.url,
                data=data,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                return answer(response.status, await _bounded(response.content))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Later(1.0, "no connection")  # not a byte of the message has left
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return Never("url", Fault.CONFIGURATION)
        except (aiohttp.ClientError, TimeoutError) as exc:
            return Unknown(type(exc).__name__)

    def _learn(self, service_id: int, reply: Answer, known: dict[Scope, float]) -> None:
        """Begin and end pauses, but leave what has changed since the message left to the newer reply."""
        for scope, code in faults(reply, service_id).items():
            if self._paused_until.get(scope) != known.get(scope):
                continue
            if code:
                self._pause(scope, code)
            else:
                self._paused_until.pop(scope, None)

    def _pause(self, scope: Scope, code: str) -> None:
        """After a fault of ours, spare the next messages a round trip that must fail; tell the operator."""
        self._paused_until[scope] = time.monotonic() + PAUSE_S
        self._error, self._error_at = code, time.time_ns() // 1_000_000
        metrics.ALERTS.labels(self.name).inc()
        log.error(
            "connector=%s refused our configuration service_id=%s code=%s paused_s=%d",
            self.name,
            "all" if scope is ALL else scope,
            code,
            PAUSE_S,
        )

    async def stop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await self._idle.wait()
            await session.close()


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """The body to its end, or more of it than an answer has."""
    data = b""
    async for chunk in content.iter_any():
        data += chunk
        if len(data) > MAX_REPLY:
            break
    return data
