"""A provider's far end: takes messages over HTTP, plays what the number table says of them, and calls back.

Rule 1: how requests, answers and callbacks are written is the provider's file; what happens to a message, and
when, is here.
Rule 2: a callback is posted until it is answered with 200, or given up after ten minutes.
Rule 3: a message whose key is known was taken before; it is answered so, and nothing more happens.
"""

import asyncio
import hashlib
import itertools
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import aiohttp
import msgspec
from aiohttp import web

from hopwire.simulators.record import Record, Shown
from hopwire.simulators.scenario import Callback, Refusals, Sms, State, Viber, When, scenario

log = logging.getLogger(__name__)

TEMPORARY = 1  # what the record says of a temporary refusal, whoever's API it is
REMEMBERED = 10_000  # messages whose key and fate are known; the oldest go first
JSON = {"content-type": "application/json"}

GIVE_UP_S = 600.0
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # between tries of a callback; the last one goes on


# ---- what happens to a message


class Became(Enum):
    DELIVERED = "delivered"
    SEEN = "seen"
    EXPIRED = "expired"
    FAILED = "failed"


class Event(NamedTuple):
    """What became of a message."""

    became: Became
    code: int = 0  # why it failed: `status` of the row of the number table; 0: the network does not say


class Play(NamedTuple):
    """What the number table says, the same for Viber and SMS."""

    code: int = 0  # of a final no
    refusals: int = 0  # temporary ones before the message is looked at
    hangs_up: bool = False  # takes the message and closes the connection without an answer
    events: Sequence[Event] = ()
    when: When = When.SOON
    events_first: bool = False  # before the answer


VIBER_EVENTS = {
    Callback.DELIVERED: Event(Became.DELIVERED),
    Callback.SEEN: Event(Became.SEEN),
    Callback.EXPIRED: Event(Became.EXPIRED),
}
ARRIVED = {Event(Became.DELIVERED), Event(Became.SEEN)}


def viber_play(row: Viber) -> Play:
    events = [VIBER_EVENTS[callback] for callback in row.callbacks]
    return Play(row.status, row.refusals, row.hangs_up, events, row.when)


def sms_play(row: Sms, parts: int) -> Play:
    """A provider that cuts texts itself tells of the whole: it is delivered when all its parts are."""
    arrives = {row.first_part, *(row.other_parts for _ in range(1, parts))} == {State.DELIVRD}
    event = Event(Became.DELIVERED if arrives else Became.FAILED)
    return Play(
        row.status, row.refusals, not row.answers, [event] * row.receipts, events_first=row.receipts_first
    )


# ---- what goes over the wire


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What was handed over, whoever's API it came by."""

    channel: str = "viber"  # or "sms"
    number: str  # digits
    sender: str  # as the phone shows it
    shown: Shown
    payload: bytes  # what tells messages apart
    ttl_s: float = 0.0
    parts: int = 1  # of an SMS
    key: str = ""  # the sender's own id, where the provider takes a message with it only once
    reference: int | None = None  # a number that the sender gave it
    wrong: int = 0  # why the request is refused, whoever the recipient is
    callback_url: str = ""  # where the request wants callbacks; empty: where the provider was told
    echo: Mapping[str, Any] = {}  # what answers and callbacks repeat of the request

    @property
    def text_hash(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()


class Taken:
    """A message that was taken, and what has become of it so far."""

    def __init__(self, message: Message, id: str) -> None:
        self.message = message
        self.id = id
        self.at = now_ms()
        self.events: list[Event] = []


class Call(NamedTuple):
    """One callback."""

    body: bytes
    headers: Mapping[str, str] = JSON


def now_ms() -> int:
    return time.time_ns() // 1_000_000


# ---- the far end


class Messenger(ABC):
    """A provider's endpoint; `app` serves it, with the routes that the provider's file gives.

    `callback_url` is where the provider was told to report; empty: it posts nothing and waits to be asked.
    `services` gives sender names to numbers; `speed` is how many seconds of a TTL pass in one; `password` is
    what a request must prove to know, and the secret of signatures.
    """

    def __init__(
        self,
        record: Record,
        callback_url: str,
        *,
        callback_delay_s: float = 0.2,
        services: Mapping[int, str] | None = None,
        speed: float = 1.0,
        password: str = "",
    ) -> None:
        self.app = web.Application()
        self.app.add_routes(self.routes())
        self.app.cleanup_ctx.append(self._connected)
        self.services = services or {}
        self.password = password
        self.by_id: dict[str, Taken] = {}
        self._by_key: dict[str, Taken] = {}
        self._record = record
        self._callback_url = callback_url
        self._callback_delay_s = callback_delay_s
        self._speed = speed
        self._ids = itertools.count(time.time_ns())
        self._refusals = Refusals()
        self._redirected: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: aiohttp.ClientSession

    # ---- the provider's file

    @abstractmethod
    def routes(self) -> Sequence[web.RouteDef]:
        """Where messages are handed over, to `self.take`, and what else may be asked."""

    @abstractmethod
    def read(self, http: web.Request, body: bytes) -> Message | web.Response:
        """What a request hands over; the answer to one that is none."""

    @abstractmethod
    def accept(self, taken: Taken) -> web.Response:
        """The answer to a message that was taken."""

    @abstractmethod
    def busy(self, message: Message) -> web.Response:
        """A temporary no."""

    @abstractmethod
    def refuse(self, message: Message, code: int) -> web.Response | None:
        """A final no with `wrong`, or with the `status` of the number table's row; None: such a message is
        taken, and the callback says no."""

    @abstractmethod
    def report(self, taken: Taken, event: Event) -> Call | None:
        """The callback; None: the provider does not tell that."""

    def again(self, taken: Taken) -> web.Response:
        """The answer to a message whose key is known."""
        return self.accept(taken)

    def name(self, message: Message) -> str:
        """The provider's id of a message."""
        return str(next(self._ids))

    # ---- taking

    def redirected(self, number: str) -> None:
        """An SMS to this number has been handed over."""
        if event := self._redirected.pop(number, None):
            event.set()

    async def take(self, http: web.Request) -> web.Response:
        message = self.read(http, await http.read())
        if isinstance(message, web.Response):
            return message
        if known := self._by_key.get(message.key):
            self._keep(message, known.id, 0)
            return self.again(known)
        play = self._play(message)
        if not message.wrong and self._refusals.refuse((message.number, message.text_hash), play.refusals):
            self._keep(message, "", TEMPORARY)
            return self.busy(message)
        if refusal := self._refusal(message, message.wrong or play.code):
            return refusal
        return await self._take(http, message, play)

    def _play(self, message: Message) -> Play:
        row = scenario(message.number)
        return viber_play(row.viber) if message.channel == "viber" else sms_play(row.sms, message.parts)

    def _refusal(self, message: Message, code: int) -> web.Response | None:
        refusal = self.refuse(message, code) if code else None
        if refusal is not None:
            self._keep(message, "", code)
        return refusal

    async def _take(self, http: web.Request, message: Message, play: Play) -> web.Response:
        taken = Taken(message, self.name(message))
        self._remember(taken)
        self._keep(message, taken.id, None if play.hangs_up else 0)
        if play.code:  # a no that comes by callback
            play = Play(events=[Event(Became.FAILED, play.code)])
        living = self._start(play, taken)
        if message.channel == "sms":
            self.redirected(message.number)
        if play.hangs_up and http.transport:
            http.transport.abort()
        if play.events_first:
            await asyncio.wait([living])
        return self.accept(taken)

    def _remember(self, taken: Taken) -> None:
        for known, key in ((self.by_id, taken.id), (self._by_key, taken.message.key)):
            if key:
                known[key] = taken
            if len(known) > REMEMBERED:
                del known[next(iter(known))]

    def _keep(self, message: Message, provider_id: str, status: int | None) -> None:
        self._record.submitted(
            message.channel,
            message.number,
            reference=message.reference,
            text_hash=message.text_hash,
            provider_id=provider_id,
            status=status,
        )

    # ---- what happens after the answer

    def _start(self, play: Play, taken: Taken) -> asyncio.Task[None]:
        task = asyncio.create_task(self._live(play, taken))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _live(self, play: Play, taken: Taken) -> None:
        """Wait as the row says, show the message on the phone and call back."""
        await self._wait(play.when, taken.message)
        await asyncio.sleep(self._callback_delay_s)
        if ARRIVED & set(play.events):
            message = taken.message
            self._record.received(message.channel, message.number, message.sender, message.shown, [taken.id])
        for event in play.events:
            taken.events.append(event)
            await self._call_back(taken, event)

    async def _wait(self, when: When, message: Message) -> None:
        match when:
            case When.TTL:
                await asyncio.sleep(message.ttl_s / self._speed)
            case When.REDIRECT:
                await self._redirected.setdefault(message.number, asyncio.Event()).wait()

    async def _call_back(self, taken: Taken, event: Event) -> None:
        """Post one callback until it is answered with 200."""
        url = taken.message.callback_url or self._callback_url
        call = self.report(taken, event) if url else None
        if call is None:
            return
        deadline = asyncio.get_running_loop().time() + GIVE_UP_S
        for pause_s in itertools.chain(PAUSES_S, itertools.repeat(PAUSES_S[-1])):
            if await self._post(url, call):
                return
            if asyncio.get_running_loop().time() + pause_s > deadline:
                log.warning("callback given up id=%s event=%s", taken.id, event.became.value)
                return
            await asyncio.sleep(pause_s)

    async def _post(self, url: str, call: Call) -> bool:
        try:
            async with self._http.post(url, data=call.body, headers=call.headers) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as self._http:
            yield
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
