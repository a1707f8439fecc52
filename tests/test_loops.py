"""Gateways behind one another: what would go in a circle is refused, and goes another way where there is one.

Real gateways with their workers, and third parties between them that pass on every byte.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from gateway import LOGIN, PASSWORD, SEND, TO, Gateway, running
from http_ends import handover
from msgspec.structs import replace
from rules import becomes
from rules_ends import Operator
from smpp_ends import receipt

from hopwire import via
from hopwire.admission import now_ms
from hopwire.app import channels
from hopwire.channels.http import Reply, Request
from hopwire.channels.http_php import HttpPhp
from hopwire.channels.http_php import answer as reply_means
from hopwire.config import HttpPhpConnector, parse
from hopwire.errors import Loop
from hopwire.model import Fault, Never, Status
from hopwire.worker import Worker

LOOP = f"errors:{Loop.text}\n"


class Between:
    """A third party: it passes on what comes to where it is told to, and what is answered back."""

    def __init__(self) -> None:
        self.port = 0
        self.to = 0
        self.heard = b""
        self._server: asyncio.Server

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except ConnectionError:  # nobody is there any more
            writer.close()
            return
        await asyncio.gather(
            self._pass_on(reader, far_writer, asked=True), self._pass_on(far_reader, writer, asked=False)
        )

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asked: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                self.heard += data if asked else b""
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()


def up(between: Between) -> dict[str, Any]:
    """A connector to the gateway behind a third party."""
    return {
        "kind": "http_php", "url": f"http://127.0.0.1:{between.port}/api/http.php", "login": LOGIN,
        "password": PASSWORD, "poll_s": 1, "callback_secret": "callback-secret-1234567",
    }  # fmt: skip


@asynccontextmanager
async def gateway(folder: Path, name: str, connectors: dict[str, Any], *ways: str) -> AsyncIterator[Gateway]:
    """One with a worker, whose SMS go by these connectors."""
    sections: dict[str, Any] = {
        "connectors": connectors,
        "routes": [{"channel": "sms", "connectors": list(ways)}],
        "store": {"url": f"sqlite:{folder / name / 'hopwire.db'}"},
    }
    async with running(folder / name, **sections) as one:
        worker = Worker(one.store, "worker", 60, now_ms)
        await worker.start(channels(parse(sections), worker))
        try:
            yield one
        finally:
            await worker.stop()


@pytest.fixture
async def between() -> AsyncIterator[list[Between]]:
    """Two third parties."""
    both = [Between(), Between()]
    for one in both:
        await one.start()
    yield both
    for one in both:
        await one.stop()


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    one = Operator()
    yield one
    await one.stop()


def statuses(one: Gateway) -> list[int]:
    return [status for (status,) in one.rows("SELECT status FROM deliveries ORDER BY id")]


def vias(one: Gateway) -> list[str]:
    return [said for (said,) in one.rows("SELECT via FROM messages ORDER BY id")]


async def test_what_goes_in_a_circle_ends(tmp_path: Path, between: list[Between]) -> None:
    to_b, to_a = between
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(gateway(tmp_path, "a", {"b": up(to_b)}, "b"))
        b = await stack.enter_async_context(gateway(tmp_path, "b", {"a": up(to_a)}, "a"))
        to_a.to, to_b.to = a.ports["http"], b.ports["http"]
        await a.send()
        await becomes(lambda: statuses(a) == [Status.FAILED])
        assert statuses(b) == [Status.FAILED]
        assert (vias(a), vias(b)) == ([""], [await a.store.installation()])
        code = "SELECT code, detail FROM events WHERE what = 3"  # What.REFUSED
        assert b.rows(code) == [("loop", "route")]
        assert await b.ask(command="balance", key=b.key) == "balance:100\n", "nothing is paid for it"


async def test_it_goes_another_way_where_there_is_one(
    tmp_path: Path, between: list[Between], operator: Operator
) -> None:
    to_b, to_a = between
    common = {"kind": "smpp", "host": "127.0.0.1", "system_id": "hopwire", "password": "secret"}
    smsc = common | {"port": await operator.start(), "receipt_ids": "same"}
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(gateway(tmp_path, "a", {"b": up(to_b)}, "b"))
        b = await stack.enter_async_context(
            gateway(tmp_path, "b", {"a": up(to_a), "smsc": smsc}, "a", "smsc")
        )
        to_a.to, to_b.to = a.ports["http"], b.ports["http"]
        await a.send()
        assert (await operator.hears()).destination_addr == TO
        operator.say(replace(receipt("a0"), source_addr=TO))
        await becomes(lambda: statuses(a) == [Status.DELIVERED])
        assert statuses(b) == [Status.DELIVERED]
        assert len(operator.texts) == 1
        assert to_a.heard.count(b"hopwire-via: " + ", ".join(await names(a, b)).encode()) == 1


async def names(*gateways: Gateway) -> list[str]:
    return [await one.store.installation() for one in gateways]


async def test_in_a_row_each_knows_those_before_it(tmp_path: Path, between: list[Between]) -> None:
    to_b, to_c = between
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(gateway(tmp_path, "a", {"b": up(to_b)}, "b"))
        b = await stack.enter_async_context(gateway(tmp_path, "b", {"c": up(to_c)}, "c"))
        c = await stack.enter_async_context(running(tmp_path))
        to_b.to, to_c.to = b.ports["http"], c.ports["http"]
        await a.send()
        await becomes(lambda: len(vias(c)) == 1)
        assert [vias(a), vias(b), vias(c)] == [[""], [(await names(a))[0]], [",".join(await names(a, b))]]


async def test_what_has_come_too_far_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        eight = [f"gateway-{n}" for n in range(8)]
        (own,) = await names(one)
        query = urlencode({"key": one.key, **SEND})
        for told in ([*eight, "more"], [own], [own + "x", own]):
            reply = await one.get(f"/api/http.php?{query}", f"Hopwire-Via: {','.join(told)}")
            assert (reply.status, reply.text) == (200, LOOP)
        assert one.kept() == 0
        for told in (eight, [own + "x"], ["<b>", "a b", "x" * 65, "fine"], [""]):
            reply = await one.get(f"/api/http.php?{query}", f"Hopwire-Via: {', '.join(told)}")
            assert reply.text.startswith("id:")
        assert vias(one) == [",".join(eight), own + "x", "fine", ""]


@pytest.mark.parametrize(
    ("before", "installation", "header"),
    [((), "c", {"hopwire-via": "c"}), (("a", "b"), "c", {"hopwire-via": "a, b, c"}), (("a",), "", {})],
)
def test_a_message_names_those_that_it_has_come_through(
    before: tuple[str, ...], installation: str, header: dict[str, str]
) -> None:
    settings = HttpPhpConnector(url="http://a.example/", key="k", callback_secret="c" * 20)
    request = HttpPhp(settings).request(replace(handover(), via=before, installation=installation))
    assert isinstance(request, Request)
    assert request.headers == {"content-type": "application/x-www-form-urlencoded"} | header
    assert via.written(before, installation) == header


def test_the_refusal_leads_to_another_connector() -> None:
    assert reply_means(Reply(200, {}, LOOP.encode())) == Never("loop", Fault.ROUTE)
