"""A Viber partner endpoint: takes messages, checks them as Viber would, and calls back.

Rule 1: the HTTP status of an answer is 200; what became of the message is `status` in its JSON.
Rule 2: a callback is posted until it is answered with 200, or given up after ten minutes.

The shapes are those of the partner API, version 11: `send_message`, its answer and its callbacks.
"""

import asyncio
import hashlib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from hopwire.simulators.record import Record, Shown
from hopwire.simulators.scenario import Callback, Refusals, When, scenario
from hopwire.simulators.scenario import Viber as Play

log = logging.getLogger(__name__)

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

GIVE_UP_S = 600.0
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # between tries of a callback; the last one goes on


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


class Taken(msgspec.Struct, frozen=True):
    """A message that Viber took."""

    request: Request
    token: str


class ViberSimulator:
    """The endpoint; `app` serves it.

    `callback_url` is where Viber would be told to report; `services` gives sender names to service ids;
    `speed` is how many seconds of a TTL pass in one.
    """

    def __init__(
        self,
        record: Record,
        callback_url: str,
        *,
        callback_delay_s: float = 0.2,
        services: Mapping[int, str] | None = None,
        speed: float = 1.0,
    ) -> None:
        self.app = web.Application()
        self.app.router.add_post(PATH, self._send_message)
        self.app.cleanup_ctx.append(self._connected)
        self._record = record
        self._callback_url = callback_url
        self._callback_delay_s = callback_delay_s
        self._services = services or {}
        self._speed = speed
        self._tokens = itertools.count(time.time_ns())
        self._refusals = Refusals()
        self._redirected: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: aiohttp.ClientSession

    def redirected(self, number: str) -> None:
        """An SMS to this number has been handed over."""
        if event := self._redirected.pop(number, None):
            event.set()

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as self._http:
            yield
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send_message(self, http: web.Request) -> web.Response:
        try:
            request = msgspec.json.decode(await http.read(), type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError):  # a mandatory field is absent, too
            return web.json_response({"status": BAD_DATA})
        play = scenario(request.dest).viber
        status = check(request) or self._status(request, play)
        token = "" if status else str(next(self._tokens))
        self._keep(request, token, None if play.hangs_up and token else status)
        if token:
            self._start(play, Taken(request, token))
            if play.hangs_up and http.transport:
                http.transport.abort()
        answer = {"status": status, "seq": request.seq}
        return web.json_response(answer | {"message_token": token} if token else answer)

    def _status(self, request: Request, play: Play) -> int:
        key = (request.dest, _hash(request))
        return INTERNAL_FAILURE if self._refusals.refuse(key, play.refusals) else play.status

    def _keep(self, request: Request, token: str, status: int | None) -> None:
        self._record.submitted(
            "viber",
            request.dest,
            reference=request.seq,
            text_hash=_hash(request),
            provider_id=token,
            status=status,
        )

    # ---- what happens after the answer

    def _start(self, play: Play, taken: Taken) -> None:
        task = asyncio.create_task(self._live(play, taken))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, play: Play, taken: Taken) -> None:
        """Wait as the row says, show the message on the phone and call back."""
        await self._wait(play.when, taken.request)
        await asyncio.sleep(self._callback_delay_s)
        if {Callback.DELIVERED, Callback.SEEN} & set(play.callbacks):
            self._show(taken)
        for status in play.callbacks:
            await self._call_back(status, taken)

    async def _wait(self, when: When, request: Request) -> None:
        match when:
            case When.TTL:
                await asyncio.sleep(request.ttl / self._speed)
            case When.REDIRECT:
                await self._redirected.setdefault(request.dest, asyncio.Event()).wait()

    def _show(self, taken: Taken) -> None:
        request = taken.request
        sender = self._services.get(request.service_id, f"Service {request.service_id}")
        self._record.received("viber", request.dest, sender, show(request), [taken.token])

    async def _call_back(self, status: Callback, taken: Taken) -> None:
        """Post one callback until it is answered with 200."""
        body = {
            "message_token": taken.token,
            "message_status": int(status),
            "message_time": time.time_ns() // 1_000_000,
            "phone_number": taken.request.dest,
            "service_id": taken.request.service_id,
        }
        deadline = asyncio.get_running_loop().time() + GIVE_UP_S
        for pause_s in itertools.chain(PAUSES_S, itertools.repeat(PAUSES_S[-1])):
            if await self._post(body):
                return
            if asyncio.get_running_loop().time() + pause_s > deadline:
                log.warning("callback given up token=%s status=%d", taken.token, status)
                return
            await asyncio.sleep(pause_s)

    async def _post(self, body: dict[str, Any]) -> bool:
        try:
            async with self._http.post(self._callback_url, json=body) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def _hash(request: Request) -> str:
    """What tells messages apart; a template has no message but parameters."""
    payload = [request.message, request.template_id, request.template_params]
    return hashlib.sha256(msgspec.json.encode(payload, order="sorted")).hexdigest()
