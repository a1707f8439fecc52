"""The far ends of a gateway on sockets, which do as they are told: Viber, and an operator of SMS."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from gateway import TO
from msgspec.structs import replace
from smpp_ends import Smsc, receipt
from system import PATIENCE_S

from hopwire.smpp.pdu import Pdu, SubmitSm, SubmitSmResp

Said = web.Response | None  # None: the connection is closed without an answer
Says = Callable[[dict[str, Any]], Said | Awaitable[Said]]


def token(message_id: int) -> str:
    """By which Viber knows a message of ours."""
    return f"v{message_id}"


def takes(asked: Mapping[str, Any]) -> Said:
    return web.json_response({"status": 0, "message_token": token(asked["seq"])})


def refuses(status: int) -> Says:
    return lambda asked: web.json_response({"status": status, "seq": asked["seq"]})


async def is_silent(asked: Mapping[str, Any]) -> Said:
    await asyncio.Event().wait()
    return None


def hangs_up(asked: Mapping[str, Any]) -> Said:
    return None


def page(status: int) -> Says:
    """A web page where an answer should be."""
    return lambda asked: web.Response(text="<html>It works!</html>", status=status, content_type="text/html")


class Viber:
    """Viber's side, or that of another account there."""

    def __init__(self) -> None:
        self.says: Says = takes
        self.asked: list[dict[str, Any]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._at = ("127.0.0.1", 0)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen, at the same address as before."""
        app = web.Application()
        app.add_routes([web.post("/", self._take)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._at, reuse_address=True).start()
        self._at = self._runner.addresses[0][:2]

    async def stop(self) -> None:
        self.may_answer.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._at[1]}/"

    async def hears(self) -> dict[str, Any]:
        """The next request that nobody has taken from here."""
        return await asyncio.wait_for(self._heard.get(), PATIENCE_S)

    async def _take(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        self.asked.append(asked)
        self._heard.put_nowait(asked)
        await self.may_answer.wait()
        said = self.says(asked)
        answer = await said if isinstance(said, Awaitable) else said
        if answer is None and request.transport is not None:
            request.transport.abort()
        return answer or web.Response()


class Operator(Smsc):
    """The operator's side; every part that it takes has an id of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._ids = itertools.count(0xA0)
        self.answer = self.takes

    def takes(self, submit: SubmitSm) -> Pdu:
        return SubmitSmResp(message_id=f"{next(self._ids):x}")

    def refuses(self, status: int) -> None:
        """From now on, with this command_status."""
        self.answer = lambda submit: SubmitSmResp(status=status)

    @property
    def texts(self) -> list[SubmitSm]:
        """Every submit so far."""
        return [submit for _, submit in self.heard_submits]

    async def hears(self) -> SubmitSm:
        """The next submit that nobody has taken from here."""
        return await asyncio.wait_for(self.hear(SubmitSm), PATIENCE_S)

    def reports(self, provider_id: str, state: str = "DELIVRD", to: str = TO) -> None:
        """Say a receipt."""
        self.say(replace(receipt(provider_id, state), source_addr=to))
