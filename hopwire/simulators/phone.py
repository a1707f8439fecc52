"""The page of the demo: what the simulated phones received, live, and what the gateway says about it.

Rule 1: the page is made here, once, with everything escaped; the script only merges a fresh one into the old.
Rule 2: nothing on it is fetched from anywhere else.

GET /             the page
GET /events       server-sent events: one whenever there is something new
GET /api/received ?number=&since=  what the phones show, since number n
GET /api/submits  ?number=         what was handed over
GET /api/stats                     counts by channel
"""

import asyncio
import shlex
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import aiohttp
import jinja2
import msgspec
from aiohttp import web

from hopwire.model import Status
from hopwire.simulators.record import Received, Record
from hopwire.simulators.scenario import SCENARIOS, scenario, table

HERE = Path(__file__).parent
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

EXAMPLE = "380501234501"
LATEST = 2000  # messages that the page looks at: more than the gateway tells of
PHONES = 24
BUBBLES = 20  # on one phone
POLL_S = 0.5  # how often the gateway is asked while someone watches
GATHER_S = 0.1  # news of this time are told together
SILENCE_S = 15.0  # after it a beat tells that the stream is open; the script doubts it after 40 s


class ToldStep(msgspec.Struct, frozen=True):
    """A channel that the message was, is or will be tried on."""

    channel: str
    state: str  # "waiting", "sending", "unknown", "taken", "expired", "failed", "delivered", "seen"
    code: str = ""
    ends_at: int | None = None  # while the channel has it
    parts: list[str] = []  # the state of each


class Told(msgspec.Struct, frozen=True):
    """What the gateway says about one of its messages."""

    id: int
    status: int
    text: str
    provider_ids: list[str] = []
    recipient: str = ""
    viber_sender: str = ""
    steps: list[ToldStep] = []

    def step(self, channel: str) -> ToldStep | None:
        return next((step for step in self.steps if step.channel == channel), None)


class Badge(NamedTuple):
    id: int
    text: str
    tone: str  # chooses the colour
    icon: str


class Bubble(NamedTuple):
    message: Received
    sender: str
    badge: Badge | None
    note: str  # what ties it to the other channel


class Missing(NamedTuple):
    """A message that the gateway has and this phone does not show."""

    words: str
    badge: Badge
    note: str


class Phone(NamedTuple):
    number: str
    viber: str  # what the simulators do with this number
    sms: str
    bubbles: list[Bubble]  # oldest first
    missing: list[Missing]


TONES: dict[int, tuple[str, str]] = {
    Status.PENDING: ("waiting", "clock"),
    Status.SENDING: ("waiting", "clock"),
    Status.SENT: ("sent", "check"),
    Status.DELIVERED: ("good", "checks"),
    Status.READ: ("good", "eye"),
    Status.EXPIRED: ("late", "hourglass"),
    Status.PARTIAL: ("late", "half"),
    Status.DELETED: ("late", "cross"),
}


UNFINISHED = {status for status in Status if not status.final}
ARRIVED = (Status.DELIVERED, Status.READ)
REFUSALS = {str(row.viber.status): row.viber.says for row in SCENARIOS.values() if row.viber.status}
REFUSALS |= {  # as other providers say it
    "7002": "not a Viber user (7002)",
    "7003": "blocked (7003)",
    "SRVC_NOT_VIBER_USER": "not a Viber user",
    "SRVC_USER_BLOCKED": "blocked",
    "SRVC_NO_SUITABLE_DEVICE": "no suitable device",
}


def badge(told: Told) -> Badge:
    tone, icon = TONES.get(told.status, ("bad", "cross"))
    return Badge(told.id, told.text, tone, icon)


def phones(messages: Iterable[Received], statuses: Sequence[Told]) -> list[Phone]:
    """Group what came and what the gateway says by number; all of them are newest first."""
    shown: dict[str, list[Received]] = {}
    for message in messages:
        shown.setdefault(message.number, []).append(message)
    told: dict[str, list[Told]] = {}
    for status in statuses:
        told.setdefault(status.recipient, []).append(status)
    fresh = [number for number in shown if number not in told]  # the gateway has not told of it yet
    return [_phone(n, shown.get(n, []), told.get(n, [])) for n in [*fresh, *told][:PHONES]]


def _phone(number: str, messages: list[Received], statuses: list[Told]) -> Phone:
    owners = {provider_id: told for told in statuses for provider_id in told.provider_ids}
    here = {provider_id: m for m in messages for provider_id in m.provider_ids}
    bubbles = [_bubble(m, _first(owners, m.provider_ids), here) for m in reversed(messages[:BUBBLES])]
    missing = [_missing(told) for told in statuses if here.keys().isdisjoint(told.provider_ids)]
    row = scenario(number)
    return Phone(number, row.viber.says, row.sms.says, bubbles, missing[:5])


def _first(owners: Mapping[str, Told], provider_ids: Iterable[str]) -> Told | None:
    return next((owners[i] for i in provider_ids if i in owners), None)


def _bubble(message: Received, told: Told | None, here: Mapping[str, Received]) -> Bubble:
    if not told:
        return Bubble(message, message.sender, None, "")
    if message.channel == "sms":
        reason = redirect(told)
        return Bubble(message, message.sender, badge(told), f"instead of Viber: {reason}" if reason else "")
    others = (here[i] for i in told.provider_ids if i in here)
    late = any(other.channel == "sms" and other.n < message.n for other in others)
    sender = told.viber_sender or message.sender
    return Bubble(message, sender, badge(told), "late, after the SMS" if late else "")


def _missing(told: Told) -> Missing:
    reason = redirect(told)
    return Missing(absence(told), badge(told), f"SMS instead of Viber: {reason}" if reason else wait(told))


def redirect(told: Told) -> str:
    """Why the SMS goes, or went, in the place of Viber; empty where it does not."""
    viber, sms = told.step("viber"), told.step("sms")
    if not (viber and sms):
        return ""
    next_up = viber.state in ("failed", "expired") and told.status in UNFINISHED
    if sms.state == "waiting" and not next_up:
        return ""
    if viber.state == "failed":
        return REFUSALS.get(viber.code, f"refused ({viber.code})")
    return "not delivered in time"


def wait(told: Told) -> str:
    """Until when Viber has the message; empty when it has not."""
    viber = told.step("viber")
    if not viber or viber.ends_at is None or told.status not in UNFINISHED:
        return ""
    return f"Viber has until {clock(viber.ends_at)}{', then SMS' if told.step('sms') else ''}"


def absence(told: Told) -> str:
    """What to say in the place of a message that the phone does not show."""
    if told.status in UNFINISHED:
        return "Not here yet"
    if told.status in ARRIVED:
        return "Arrived, but no message here carries its id"
    sms = told.step("sms")
    arrived = [str(n) for n, state in enumerate(sms.parts, 1) if state == "delivered"] if sms else []
    if not (sms and arrived):
        return "Never arrived"
    return f"{'Part' if len(arrived) == 1 else 'Parts'} {', '.join(arrived)} of {len(sms.parts)} arrived"


def curl(gateway_url: str, api_key: str) -> list[str]:
    """The words of a line to paste, quoted for a shell, that sends the first message."""
    parameters = {
        "key": api_key,
        "command": "send",
        "from": "Hopwire",
        "to": EXAMPLE,
        "message": "Hello from Hopwire",
        "viber": "1",
        "viber_sms": "1",
        "viber_lifetime": "60",
    }
    data = [f"-d {shlex.quote(f'{name}={value}')}" for name, value in parameters.items()]
    return ["curl", shlex.quote(gateway_url.rstrip("/") + "/api/http.php"), *data]


class Gateway:
    """What the gateway says about its latest messages; None while it is away."""

    def __init__(self, url: str, token: str) -> None:
        self.statuses: list[Told] = []
        self.away = False
        self._url = url.rstrip("/") + "/demo/statuses?after=0"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, http: aiohttp.ClientSession) -> bool:
        """Ask once; say whether anything is different from before. What was known outlives an absence."""
        before = (self.away, self.statuses)
        try:
            async with http.get(self._url, headers=self._headers) as answer:
                answer.raise_for_status()
                self.statuses = msgspec.json.decode(await answer.read(), type=list[Told])
                self.away = False
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            self.away = True
        return (self.away, self.statuses) != before


class PhoneServer:
    """The page and what tests read; `app` serves it."""

    def __init__(self, record: Record, gateway_url: str, demo_token: str, api_key: str) -> None:
        self.app = web.Application()
        self.app.add_routes(
            [
                web.get("/", self._page),
                web.get("/events", self._events),
                web.get("/phone.css", self._file),
                web.get("/phone.js", self._file),
                web.get("/api/received", self._received),
                web.get("/api/submits", self._submits),
                web.get("/api/stats", self._stats),
            ]
        )
        self.app.on_response_prepare.append(_secure)
        self.app.cleanup_ctx.append(self._connected)
        self._record = record
        self._gateway = Gateway(gateway_url, demo_token)
        self._curl = curl(gateway_url, api_key)
        self._template = _templates().get_template("phone.html")
        self._watchers = 0
        self._watched = asyncio.Event()
        self._http: aiohttp.ClientSession

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as self._http:
            polling = asyncio.create_task(self._poll())
            yield
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)

    async def _poll(self) -> None:
        while True:
            await self._watched.wait()
            if await self._gateway.ask(self._http):
                self._record.changed()
            await asyncio.sleep(POLL_S)

    # ---- the page

    async def _page(self, _: web.Request) -> web.Response:
        if not self._watchers:
            await self._gateway.ask(self._http)
        latest = islice(reversed(self._record.messages), LATEST)
        text = self._template.render(
            phones=phones(latest, self._gateway.statuses),
            away=self._gateway.away,
            curl=self._curl,
            example=EXAMPLE,
            table=table(),
        )
        return web.Response(text=text, content_type="text/html")

    async def _file(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(HERE / request.path[1:])

    async def _events(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        with self._watching() as news, suppress(ConnectionResetError):  # the page was closed
            while True:
                await stream.write(b"retry: 1000\ndata: news\n\n")
                while not await _comes(news):
                    await stream.write(b"event: beat\ndata: nothing new\n\n")
                await asyncio.sleep(GATHER_S)
                news.clear()
        return stream

    @contextmanager
    def _watching(self) -> Iterator[asyncio.Event]:
        self._watchers += 1
        self._watched.set()
        try:
            with self._record.watched() as news:
                yield news
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._watched.clear()

    # ---- for tests

    async def _received(self, request: web.Request) -> web.Response:
        number, since = request.query.get("number"), _whole(request.query.get("since", "0"))
        return _json([m for m in self._record.messages if m.n > since and number in (None, m.number)])

    async def _submits(self, request: web.Request) -> web.Response:
        number = request.query.get("number")
        return _json([s for s in self._record.submissions if number in (None, s.number)])

    async def _stats(self, _: web.Request) -> web.Response:
        return _json(self._record.stats())


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    return environment


def clock(at: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at / 1000))


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY)


async def _comes(event: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(event.wait(), SILENCE_S)
    except TimeoutError:
        return False
    return True


def _whole(value: str) -> int:
    if not value.isdecimal():
        raise web.HTTPBadRequest(text="since: a whole number is required")
    return int(value)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
