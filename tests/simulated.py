"""The simulators on free ports, and the two ends that a gateway has: a server for callbacks, and an ESME."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web
from system import PATIENCE_S

from hopwire import sms
from hopwire.model import SmsContent
from hopwire.simulators.run import run_simulators, serve_http
from hopwire.simulators.viber import PATH
from hopwire.smpp import pdu as smpp

PASSWORD = "secret"
TOKEN = "demo-token"

T = TypeVar("T", bound=smpp.Pdu)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def port(of: socket.socket) -> int:
    number: int = of.getsockname()[1]
    return number


class Gateway:
    """Takes callbacks and tells statuses; `refuse` so many callbacks first."""

    def __init__(self) -> None:
        self.app = web.Application()
        self.app.add_routes(
            [web.post("/callbacks", self._callback), web.get("/demo/statuses", self._statuses)]
        )
        self.callbacks: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.refuse = 0
        self.statuses: list[dict[str, Any]] | None = []

    async def _callback(self, request: web.Request) -> web.Response:
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        self.callbacks.put_nowait(await request.json())
        return web.Response()

    async def _statuses(self, request: web.Request) -> web.Response:
        if self.statuses is None or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=503)
        return web.json_response(self.statuses)

    async def called_back(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.callbacks.get(), PATIENCE_S)


class Simulated:
    """The running simulators, as a gateway and a test meet them."""

    def __init__(self, gateway: Gateway, http: aiohttp.ClientSession, ports: tuple[int, int, int]) -> None:
        self.gateway = gateway
        self.http = http
        self.smsc_port, self.viber_port, self.phone_port = ports

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.phone_port}/"

    async def viber(self, number: str, **fields: Any) -> dict[str, Any]:
        """Send a Viber message; `fields` replace those of a right request, None takes one out."""
        body = {
            "service_id": 3100,
            "dest": number,
            "seq": 421,
            "type": 225,
            "label": "promotion",
            "ttl": 60,
            "message": {"#txt": "Hi", "#tracking_data": ""},
        } | fields
        return await self.post(json.dumps({k: v for k, v in body.items() if v is not None}).encode())

    async def post(self, body: bytes) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.viber_port}{PATH}"
        async with self.http.post(url, data=body) as answer:
            assert answer.status == 200
            said: dict[str, Any] = await answer.json()
            return said

    async def api(self, path: str, **query: str | int) -> Any:
        async with self.http.get(f"{self.page}api/{path}", params=query) as answer:
            return await answer.json()

    @asynccontextmanager
    async def esme(
        self, bind: type[smpp.Bind] = smpp.BindTransceiver, password: str = PASSWORD
    ) -> AsyncIterator["Esme"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.smsc_port)
        esme = Esme(reader, writer)
        esme.say(bind(sequence=1, system_id="gateway", password=password))
        esme.bound = await esme.hears(smpp.BindResp)
        try:
            yield esme
        finally:
            writer.transport.abort()


class Esme:
    """One connection to the SMSC; it says what it is told to, and nothing by itself."""

    bound: smpp.BindResp

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._stream = smpp.Stream()
        self._heard: list[smpp.Pdu] = []
        self._sequence = 1

    def say(self, pdu: smpp.Pdu) -> None:
        self.write(smpp.encode(pdu))

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def submit(self, number: str, content: SmsContent, reference: int = 7, **fields: Any) -> list[int]:
        """Say a submit_sm for each part; give their sequence numbers."""
        return [
            self.submit_part(
                number,
                short_message=part.udh + part.payload,
                data_coding=part.data_coding,
                esm_class=part.esm_class,
                **fields,
            )
            for part in sms.encode(content, reference)
        ]

    def submit_part(self, number: str, **fields: Any) -> int:
        self._sequence += 1
        said: dict[str, Any] = {"source_addr": "Hopwire", "registered_delivery": 1} | fields
        self.say(smpp.SubmitSm(sequence=self._sequence, destination_addr=number, **said))
        return self._sequence

    async def next(self) -> smpp.Pdu:
        """The next PDU; EOFError when the SMSC has closed the connection."""
        while not self._heard:
            data = await asyncio.wait_for(self._reader.read(65536), PATIENCE_S)
            if not data:
                raise EOFError
            self._heard = self._stream.feed(data)
        return self._heard.pop(0)

    async def hears(self, kind: type[T]) -> T:
        pdu = await self.next()
        assert isinstance(pdu, kind)
        return pdu

    async def answered(self) -> smpp.SubmitSmResp:
        """The next answer to a submit_sm; receipts that come before it are heard later."""
        early: list[smpp.Pdu] = []
        while isinstance(pdu := await self.next(), smpp.DeliverSm):
            early.append(pdu)
        self._heard[:0] = early
        assert isinstance(pdu, smpp.SubmitSmResp)
        return pdu

    async def receipt(self, status: int = 0) -> smpp.DeliverSm:
        """The next PDU, a receipt; it is acknowledged with the status."""
        pdu = await self.hears(smpp.DeliverSm)
        self.say(smpp.DeliverSmResp(sequence=pdu.sequence, status=status))
        return pdu


@asynccontextmanager
async def simulated(**options: Any) -> AsyncIterator[Simulated]:
    """Start everything; options go to `run_simulators`."""
    gateway = Gateway()
    sockets = (listening(), listening(), listening())
    at_gateway = listening()
    url = f"http://127.0.0.1:{port(at_gateway)}"
    async with serve_http(gateway.app, at_gateway), aiohttp.ClientSession() as http:
        running = asyncio.create_task(
            run_simulators(
                *sockets,
                callback_url=f"{url}/callbacks",
                gateway_url=url,
                demo_token=TOKEN,
                smsc_password=PASSWORD,
                api_key="test_key",
                services={3100: "Hopwire"},
                **{"delay_s": 0.01, "viber_speed": 1000.0} | options,
            )
        )
        try:
            smsc, viber, phone = sockets
            yield Simulated(gateway, http, (port(smsc), port(viber), port(phone)))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def far() -> AsyncIterator[Simulated]:
    async with simulated() as far:
        yield far
