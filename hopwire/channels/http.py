"""One account at a provider that is reached over HTTP.

Rule 1: what a request asks and what a reply means is the provider's file; here they are carried.
Rule 2: nothing is followed and nothing taken from the environment: no redirects, no cookies, no proxies.
Rule 3: a fault of ours pauses what it is about, and a provider that makes no sense is asked less; one message
tries whether it is over, and the operator reads of it once. Viber goes on by the next step, an SMS waits, or
either goes by another connector.
"""

import asyncio
import logging
import re
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import aiohttp
import msgspec

from hopwire import metrics
from hopwire.channels import KeepReceipts, OnAnswers, word
from hopwire.config import HttpConnector
from hopwire.errors import Unavailable
from hopwire.model import (
    Answer,
    ConnectorState,
    Fault,
    Handover,
    Incoming,
    Later,
    Never,
    Receipt,
    SmsContent,
    Taken,
    TraceOrder,
    Unknown,
    Unsubscribed,
)

log = logging.getLogger(__name__)

PAUSE_S = 60.0  # after a fault of our configuration; then one message of what is paused tries again
PROBE_S = 10.0  # how often a provider that makes no sense is tried
SICK = 5  # answers in a row that make no sense, after which it is only tried
UCS2 = 0x08  # data_coding of a text kept as if it had come by SMPP
KEEP_ALIVE_S = 5.0  # shorter than any server's, so that a request does not meet a closed connection
NOT_ITS_WORD = ("http ", "no connection", "no answer")  # how codes begin that are not the provider's own
MAX_REPLY = 1_048_576  # bytes; a longer one is no answer
MAX_RETRY_S = 86_400.0  # a longer Retry-After is not believed
QUESTIONS = 8  # of a poll, under way at a time; submits must find connections, too
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # JSON; the last: nested too deeply

Scope = str | None  # what a pause is for: a sender, as the provider knows it, or the whole account
ALL: Scope = None


class Request(NamedTuple):
    """What is asked of a provider."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"
    scope: str = ""  # the sender, as the provider knows it: what a fault of our configuration may be about


class Reply(NamedTuple):
    """What it answers."""

    status: int
    headers: Mapping[str, str]  # asked for in small letters, however they came
    body: bytes


class Callback(NamedTuple):
    """What a provider has sent to us."""

    headers: Mapping[str, str]  # names in small letters
    query: str
    body: bytes


class Said(NamedTuple):
    """What is in it."""

    receipts: Sequence[Receipt] = ()
    incoming: Sequence[Incoming] = ()
    unsubscribed: Sequence[Unsubscribed] = ()


class ForgedError(Exception):
    """The callback is not signed as the provider signs."""


class Provider(Protocol):
    """One provider's file. Everything here is pure."""

    @property
    def account_faults(self) -> Collection[str]:
        """Codes of a fault of ours that concern every sender, not the one that was asked for."""

    def request(self, handover: Handover) -> Request | Never:
        """What is asked to hand over a message; a final no where it cannot be asked."""

    def answer(self, reply: Reply) -> Answer:
        """What the reply to it means. What is no answer of the provider's is `Unknown`, or `Later` where HTTP
        says that the message was not taken (RFC 9110, section 15); its code is `http STATUS`."""

    def callback(self, connector: str, callback: Callback) -> Said:
        """What a callback says; nothing, where it is about something else.

        Raises ValueError for garbage, ForgedError for a wrong signature.
        """


@runtime_checkable
class Polled(Protocol):
    """A provider that is asked what became of messages, for its callbacks may be missed or do not exist."""

    poll_s: float  # how often; 0: not at all
    poll_most: int  # messages in one question

    def question(self, provider_ids: Sequence[str]) -> Request:
        """What is asked to learn what became of these messages."""

    def receipts(self, connector: str, provider_ids: Sequence[str], reply: Reply) -> list[Receipt]:
        """What the reply says; only what has changed need be said. Raises ValueError for garbage."""


Outstanding = Callable[[int], Awaitable[Sequence[str]]]
"""Ids of at most so many messages that were taken and have not ended; others each time, round and round."""


def incoming_text(connector: str, sender: str, recipient: str, text: str, about: str = "") -> Incoming:
    """A message from a reader that came as text.

    `about`: the id of the message that it answers: the upstream's, or ours as `m:ID`.
    """
    return Incoming(
        connector=connector,
        sender=sender.removeprefix("+"),
        recipient=recipient,
        data_coding=UCS2,
        payload=text.encode("utf-16-be", "replace"),
        about=about,
    )


def basic(login: str, password: str) -> str:
    """The `Authorization` of an account that has a login (RFC 7617)."""
    return "Basic " + b64encode(f"{login}:{password}".encode()).decode()


def registered(sender: str, senders: Mapping[str, str]) -> str:
    """What a sender name is called at the provider, by the connector's table; `*` is for every other name."""
    return senders.get(sender, senders.get("*", sender))


def http_answer(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """What a status other than success says of a request that sends a message (RFC 9110, section 15).

    Nothing was taken where the server says that the request is at fault, or that it is too busy. Behind
    another 5xx nobody knows. A Retry-After in seconds is kept to, one that is a date is not (10.2.3).
    """
    code = f"http {status}"
    if status in (401, 403):
        return Never(code, Fault.CONFIGURATION)
    if 300 <= status < 500 or status == 503:
        after = (headers or {}).get("retry-after", "")
        after_s = min(float(after), MAX_RETRY_S) if after.isdecimal() else 1.0
        return Later(after_s, code, throttled=status == 429)
    return Unknown(code)


class HttpChannel:
    """One account at work. `on_ready` is called when there is capacity again.

    A provider that can be polled is asked about what is `outstanding`; what it says goes to `keep_receipts`.
    """

    def __init__(
        self,
        name: str,
        settings: HttpConnector,
        provider: Provider,
        on_ready: Callable[[], None],
        outstanding: Outstanding,
        keep_receipts: KeepReceipts,
    ) -> None:
        self.name = name
        self._settings = settings
        self._provider = provider
        self._on_ready = on_ready
        self._outstanding = outstanding
        self._keep_receipts = keep_receipts
        self._polling: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._submits: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._paused_until: dict[Scope, float] = {}  # an ended one stays until a message has tried
        self._told: dict[Scope, str] = {}  # the code for which each is paused, as the operator knows it
        self._nonsense = 0  # answers in a row
        self._resting: asyncio.TimerHandle | None = None  # until it rings, nothing is submitted
        self._counts: Counter[str] = Counter()
        self._receipts = 0
        self._poll_trouble = ""  # what was wrong with the latest poll, so that a new trouble is told once
        self._asking = asyncio.Semaphore(QUESTIONS)
        self._error, self._error_at = "", 0

    # ---- how it stands

    @property
    def capacity(self) -> int:
        """How many messages may be submitted now; to a sick provider one at a time."""
        if self._session is None or self._resting is not None:
            return 0
        return max(0, (1 if self._sick else self._settings.window) - self._under_way)

    @property
    def _sick(self) -> bool:
        return self._nonsense >= SICK

    @property
    def state(self) -> ConnectorState:
        """How it stands; one session stands for the connections to the provider."""
        return ConnectorState(
            kind=self._settings.kind,
            sessions=int(self._session is not None),
            window=self._settings.window,
            in_flight=self._under_way,
            state=self._word(),
            last_error=self._error,
            last_error_at=self._error_at or None,
            submitted=self._counts.total() + self._under_way,
            taken=self._counts["taken"],
            refused=self._counts["refused"],
            throttled=self._counts["throttled"],
            unknown=self._counts["unknown"],
            receipts=self._receipts,  # of polls; callbacks come to the web process
        )

    @property
    def _refused(self) -> bool:
        return time.monotonic() < self._paused_until.get(ALL, 0)

    def _word(self) -> str:
        if self._refused:
            return "refused"
        if self._session is None or self._sick:
            return "down"
        return "throttled" if self._resting else "up"

    def trace(self, order: TraceOrder | None) -> None:
        """There is no SMPP here to be traced."""

    # ---- submitting

    async def start(self) -> None:
        timeout_s = self._settings.timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.window, keepalive_timeout=KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 2),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        if isinstance(self._provider, Polled) and self._provider.poll_s:
            self._polling = asyncio.create_task(self._poll_on(self._provider))
        self._on_ready()

    def submit(self, handovers: Sequence[Handover], on_answers: OnAnswers) -> None:
        """Ask for each by itself, beginning in this order; they are answered in any."""
        self._under_way += len(handovers)
        for handover in handovers:
            task = asyncio.create_task(self._submit_and_tell(handover, on_answers))
            self._submits.add(task)
            task.add_done_callback(self._submits.discard)

    async def _submit_and_tell(self, handover: Handover, on_answers: OnAnswers) -> None:
        try:
            on_answers([(handover, await self._submit(handover))])
        except Exception:  # a bug: the part comes back as lost when its lease ends
            log.exception("submit message=%d step=%d", handover.message_id, handover.step)
        finally:
            self._under_way -= 1
            self._on_ready()

    async def _submit(self, handover: Handover) -> Answer:
        request = self._provider.request(handover)
        if isinstance(request, Never):
            return request
        if self._session is None:
            return Later(1.0, "stopped", unasked=True)
        if self._spared(request.scope):
            answer: Answer = Never("paused", Fault.CONFIGURATION, unasked=True)
        else:
            answer = await self._submit_request(request, dict(self._paused_until))
        return self._put_off(answer) if isinstance(handover.content, SmsContent) else answer

    async def _submit_request(self, request: Request, known: dict[Scope, float]) -> Answer:
        """`known`: the pauses as they are when it leaves."""
        answer = await self._ask_to_send(request)
        self._counts[word(answer)] += 1
        self._learn(request.scope, answer, known)
        self._judge(answer)
        return answer

    async def _ask_to_send(self, request: Request) -> Answer:
        try:
            return self._provider.answer(await self._ask(request))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Later(1.0, "no connection")  # not a byte of the message has left
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return Never("url", Fault.CONFIGURATION)
        except (aiohttp.ClientError, TimeoutError) as exc:
            return Unknown(f"no answer: {type(exc).__name__}")

    async def _ask(self, request: Request) -> Reply:
        """One request and its reply. Raises what aiohttp raises, and ClientError when it is stopped."""
        if self._session is None:
            raise aiohttp.ClientConnectionError("stopped")
        async with self._session.request(
            request.method, request.url, data=request.body, headers=request.headers, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await _bounded(response.content))

    # ---- faults of ours

    def _spared(self, scope: str) -> bool:
        """Whether there is a pause; at its end one message tries, and those after it go by what it finds."""
        now = time.monotonic()
        pauses = [one for one in (ALL, scope) if one in self._paused_until]
        if any(now < self._paused_until[one] for one in pauses):
            return True
        self._paused_until |= dict.fromkeys(pauses, now + PAUSE_S)
        return False

    def _put_off(self, answer: Answer) -> Answer:
        """An SMS waits until the account is right, as it would for an SMSC, unless another one takes it."""
        if isinstance(answer, Never) and answer.fault is Fault.CONFIGURATION and self._refused:
            return Later(PAUSE_S, answer.code, throttled=True)
        return answer

    def _learn(self, scope: str, answer: Answer, known: dict[Scope, float]) -> None:
        """Begin and end pauses, but leave what has changed since the message left to the newer reply."""
        for one, code in self._faults(answer, scope).items():
            if self._paused_until.get(one) != known.get(one):
                continue
            if code:
                self._pause(one, code)
            else:
                self._paused_until.pop(one, None)
                self._told.pop(one, None)

    def _faults(self, answer: Answer, scope: str) -> dict[Scope, str]:
        """What an answer says of the scopes that it concerns: the code of a fault of ours, "" for none."""
        match answer:
            case Never(code, Fault.CONFIGURATION) if code in self._provider.account_faults:
                return {ALL: code}  # the sender itself was not looked at
            case Never(code, Fault.CONFIGURATION):
                return {ALL: "", scope: code}
            case Unknown() | Later():
                return {}
        return {ALL: "", scope: ""}

    def _pause(self, scope: Scope, code: str) -> None:
        """Spare the next messages a round trip that must fail; tell the operator, once while it lasts."""
        self._paused_until[scope] = time.monotonic() + PAUSE_S
        if self._told.get(scope) == code:
            return
        self._told[scope] = code
        what = f"refused our configuration sender={_shown(scope)} code={code} paused_s={PAUSE_S:g}"
        self._alert(what, code)

    def _alert(self, what: str, code: str) -> None:
        self._error, self._error_at = code, time.time_ns() // 1_000_000
        metrics.ALERTS.labels(self.name).inc()
        log.error("connector=%s %s", self.name, what)

    # ---- a provider that makes no sense

    def _judge(self, answer: Answer) -> None:
        """Count answers that were none; after some in a row the provider is only tried, until one is good.

        What comes too fast for a provider makes the connector rest, not the message.
        """
        if isinstance(answer, Later) and answer.throttled:
            metrics.THROTTLED.labels(self.name).inc()
            self._rest(min(answer.after_s, PAUSE_S))
        if not isinstance(answer, Taken) and makes_no_sense(answer):
            self._lose_sense(answer.code)
        elif self._nonsense:
            if self._sick:
                log.warning("connector=%s makes sense again", self.name)
            self._nonsense = 0

    def _lose_sense(self, code: str) -> None:
        self._nonsense += 1
        if self._nonsense == SICK:
            self._alert(f"makes no sense code={code} tried_every_s={PROBE_S:g}", code)
        if self._sick:
            self._rest(PROBE_S)

    def _rest(self, seconds: float) -> None:
        """Submit nothing for a while; an answer to what is under way does not shorten it."""
        loop = asyncio.get_running_loop()
        if self._resting is not None:
            if self._resting.when() >= loop.time() + seconds:
                return
            self._resting.cancel()
        self._resting = loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        self._on_ready()

    # ---- polling

    async def _poll_on(self, polled: Polled) -> None:
        """Ask again and again what became of messages, until cancelled."""
        while True:
            await asyncio.sleep(polled.poll_s)
            try:
                await self._poll(polled)
                self._note_poll("")
            except (aiohttp.ClientError, TimeoutError, ValueError, Unavailable) as error:
                self._note_poll(type(error).__name__)
            except Exception:  # a bug; it is asked again
                log.exception("poll connector=%s", self.name)

    async def _poll(self, polled: Polled) -> None:
        """Ask about as many messages as the window holds, in as many questions as that takes.

        What some of them tell is kept, whatever is wrong with the others; that is raised afterwards.
        """
        most = polled.poll_most
        ids = await self._outstanding(max(most, self._settings.window))
        questions = [ids[i : i + most] for i in range(0, len(ids), most)]
        told = await asyncio.gather(
            *(self._ask_about(polled, some) for some in questions), return_exceptions=True
        )
        errors = [one for one in told if isinstance(one, BaseException)]
        if receipts := [receipt for one in told if not isinstance(one, BaseException) for receipt in one]:
            await self._keep_receipts(receipts)
            self._receipts += len(receipts)
        if errors:
            raise errors[0]

    async def _ask_about(self, polled: Polled, provider_ids: Sequence[str]) -> list[Receipt]:
        async with self._asking:
            reply = await self._ask(polled.question(provider_ids))
        return polled.receipts(self.name, provider_ids, reply)

    def _note_poll(self, trouble: str) -> None:
        if trouble != self._poll_trouble:
            log.warning("poll connector=%s %s", self.name, f"failed: {trouble}" if trouble else "good again")
            self._poll_trouble = trouble

    # ---- stopping

    async def stop(self) -> None:
        session, self._session = self._session, None
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait([self._polling])
        if session is not None:
            if self._submits:
                await asyncio.wait(self._submits)
            await session.close()
        if self._resting is not None:
            self._resting.cancel()


def makes_no_sense(answer: Later | Never | Unknown) -> bool:
    """No connection, a server's error page, silence: nothing of it was the provider's own word."""
    if isinstance(answer, Never) or (isinstance(answer, Later) and answer.throttled):
        return False
    return answer.code.startswith(NOT_ITS_WORD)


def _shown(scope: Scope) -> str:
    """A sender as it may stand in a log, where no phone number may."""
    return "all" if scope is None else re.sub(r"[0-9]{7,}", "a number", scope)


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """The body to its end, or more of it than an answer has."""
    data = b""
    async for chunk in content.iter_any():
        data += chunk
        if len(data) > MAX_REPLY:
            break
    return data
