"""The far end of a channel over HTTP: a server that keeps what it is asked and says what it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web

from hopwire.channels.http import HttpChannel, Provider
from hopwire.channels.providers import provider
from hopwire.config import HttpConnector
from hopwire.model import Handover, Receipt, SmsContent, Template, ViberContent, ViberText

TO = "380501234567"
SECRET = "callback-secret-1234567"


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    target: str  # path and query
    headers: Mapping[str, str]  # names in small letters
    body: bytes

    @property
    def fields(self) -> Any:
        """The body as JSON or as a form, whichever its Content-Type says."""
        if self.headers.get("content-type", "").startswith("application/json"):
            return json.loads(self.body)
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))


class Far:
    """The provider's side."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.arrived = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.says()

    def says(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        """From now on; `_` stands for `-` in the names of headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply: Callable[[Asked], web.Response] = lambda _: web.Response(
            body=body, status=status, headers=named
        )

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.path_qs, headers, await request.read())
        self.asked.append(asked)
        self.arrived.set()
        await self.may_answer.wait()
        return self.reply(asked)


@asynccontextmanager
async def listening(far: Far) -> AsyncIterator[str]:
    """Where it listens, for any path below."""
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", far.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        far.may_answer.set()
        await runner.cleanup()


class Store:
    """What a channel is given of ours: ids to ask about, and a place for what is said of them."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.wanted: list[int] = []
        self.kept: list[Receipt] = []
        self.ready = 0  # how often there was said to be room
        self.asked = asyncio.Event()
        self.room = asyncio.Event()
        self.fresh = asyncio.Event()  # something was kept

    async def outstanding(self, most: int) -> Sequence[str]:
        self.wanted.append(most)
        self.asked.set()
        return self.ids[:most]

    async def keep(self, receipts: Sequence[Receipt]) -> Sequence[str | None]:
        self.kept += receipts
        self.fresh.set()
        return [None] * len(receipts)

    def has_room(self) -> None:
        self.ready += 1
        self.room.set()


def channel(settings: HttpConnector, ours: Store | None = None, says: Provider | None = None) -> HttpChannel:
    """One that has not begun; named as its kind."""
    ours = ours or Store()
    name = settings.kind
    return HttpChannel(name, settings, says or provider(settings), ours.has_room, ours.outstanding, ours.keep)


@asynccontextmanager
async def line(
    settings: HttpConnector, ours: Store | None = None, says: Provider | None = None
) -> AsyncIterator[HttpChannel]:
    """A channel at work."""
    one = channel(settings, ours, says)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


def handover(
    content: ViberContent | SmsContent | None = None,
    sender: str = "Shop",
    lifetime_s: int = 60,
    message_id: int = 17,
    template: Template | None = None,
    transactional: bool = True,
) -> Handover:
    return Handover(
        message_id=message_id,
        step=0,
        part=0,
        parts=1,
        recipient=TO,
        sender=sender,
        content=content or ViberText(text="Привіт"),
        lifetime_s=lifetime_s,
        transactional=transactional,
        repeated=False,
        template=template,
    )
