"""A text that is an instance of a template, from /api/http.php to Viber and back."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from gateway import SECRET, Gateway, running, settings
from system import PATIENCE_S

from hopwire.app import Assignment, working
from hopwire.config import parse
from hopwire.model import Price
from hopwire.simulators.messenger import Message
from hopwire.simulators.record import Record
from hopwire.simulators.run import serve_http
from hopwire.simulators.viber import PATH, ViberSimulator
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook
from hopwire.store.templates import TemplateBook
from hopwire.templates import Registered

TO = "380671234567"  # delivered
CODE = Registered(
    id="2c017482", sender="test", language="uk", kind="transaction", text="Ваш код {{pin}}, {{name}}."
)
DELIVERED = 3


class Viber(ViberSimulator):
    """The simulator, and what it was asked."""

    asked: dict[str, Any]

    def read(self, http: web.Request, body: bytes) -> Message | web.Response:
        self.asked = json.loads(body)
        return super().read(http, body)


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[tuple[Gateway, Viber]]:
    """A gateway that knows a template, with a worker and a Viber to connect to."""
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}{PATH}"
    sections = settings(tmp_path)
    sections["connectors"]["viber"]["url"] = url
    store = await open_store(sections["store"]["url"])
    await TemplateBook(store.engine).put([CODE])
    await PriceBook(store.engine).put([Price("viber", "380", 150_000, "transactional")])
    await store.close()
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running(tmp_path, **sections))
        told = f"http://127.0.0.1:{gateway.ports['http']}/callbacks/viber/{SECRET}"
        viber = Viber(Record(), told, callback_delay_s=0, services={3100: "test"})
        await stack.enter_async_context(serve_http(viber.app, sock))
        work = Assignment(role="worker", title="worker 1", sockets={}, config=parse(sections))
        await stack.enter_async_context(working(work, gateway.store))
        yield gateway, viber


async def delivered(gateway: Gateway, text: str) -> str:
    """Send a text by Viber and wait until it is delivered; the balance after that."""
    message_id = await gateway.send(to=TO, viber="1", viber_from="test", viber_message=text)
    async with asyncio.timeout(PATIENCE_S):
        while f"code:{DELIVERED}\n" not in await gateway.ask(command="receive", id=message_id):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return await gateway.ask(command="balance")


async def test_an_instance_arrives_as_its_template_and_is_paid_as_a_transaction(
    system: tuple[Gateway, Viber],
) -> None:
    gateway, viber = system
    assert await delivered(gateway, "Ваш код 1234, Анно Петрівно.") == "balance:99.85\n"
    asked = viber.asked
    assert (asked["type"], asked["label"], asked["templateId"]) == (1702, "transaction", "2c017482")
    assert asked["templateLang"] == "uk"
    assert asked["templateParams"] == {"pin": "1234", "name": "Анно Петрівно"}
    assert "message" not in asked


async def test_another_text_arrives_as_it_is_and_is_paid_as_a_promotion(
    system: tuple[Gateway, Viber],
) -> None:
    gateway, viber = system
    assert await delivered(gateway, "Ваш код 1234") == "balance:99.6\n"
    assert (viber.asked["type"], viber.asked["message"]["#txt"]) == (225, "Ваш код 1234")
