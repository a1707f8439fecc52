"""A provider's simulator on a free port, a channel that speaks to it, and a place for its callbacks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from answers import answer_to
from http_ends import Store, handover, line
from simulated import listening, port
from system import PATIENCE_S

from hopwire.channels.http import Callback, HttpChannel, Provider
from hopwire.channels.providers import provider
from hopwire.config import HttpConnector
from hopwire.model import (
    Answer,
    Later,
    Outcome,
    Receipt,
    SmsContent,
    SmsText,
    Taken,
    ViberContent,
    ViberText,
)
from hopwire.simulators.messenger import Messenger
from hopwire.simulators.record import Record
from hopwire.simulators.run import serve_http

BASE = "3805012345"
HI, SMS, LONG = ViberText(text="Hi"), SmsText(text="Hi"), SmsText(text="Long " * 40)
DELIVERED, SEEN, EXPIRED, FAILED = Outcome.DELIVERED, Outcome.SEEN, Outcome.EXPIRED, Outcome.FAILED


class Gateway:
    """Takes callbacks as the gateway does."""

    def __init__(self, says: Provider) -> None:
        self.app = web.Application()
        self.app.add_routes([web.post("/callbacks", self._take)])
        self.receipts: asyncio.Queue[Receipt] = asyncio.Queue()
        self._says = says

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        said = self._says.callback("provider", Callback(headers, "", await request.read()))
        for receipt in said.receipts:
            self.receipts.put_nowait(receipt)
        return web.Response()


class Played:
    """The provider and the channel to it, as a test meets them."""

    def __init__(self, url: str, channel: HttpChannel, gateway: Gateway, record: Record, ours: Store) -> None:
        self.url = url
        self.channel = channel
        self.record = record
        self.ours = ours
        self._gateway = gateway

    async def submit(
        self, ending: str, content: ViberContent | SmsContent | None = None, message_id: int = 17
    ) -> Answer:
        handed = handover(content, message_id=message_id)
        return await answer_to(self.channel, msgspec.structs.replace(handed, recipient=BASE + ending))

    async def submit_until_it_is_no_longer_busy(
        self, ending: str, content: ViberContent | SmsContent | None = None
    ) -> list[Answer]:
        """All answers; the last one is not `Later`."""
        answers = [await self.submit(ending, content)]
        while isinstance(answers[-1], Later):
            answers.append(await self.submit(ending, content))
        return answers

    async def receipt(self) -> Receipt:
        return await asyncio.wait_for(self._gateway.receipts.get(), PATIENCE_S)


@asynccontextmanager
async def played(
    kind: type[Messenger], make: Callable[[str], HttpConnector], password: str, calls_back: bool = True
) -> AsyncIterator[Played]:
    """Run the simulator of a provider, and a channel with the settings that `make` gives for its URL.

    Without callbacks the channel asks for what becomes of messages, and often.
    """
    at_provider, at_gateway, record, ours = listening(), listening(), Record(), Store()
    url = f"http://127.0.0.1:{port(at_gateway)}/callbacks" if calls_back else ""
    simulator = kind(record, url, callback_delay_s=0.01, speed=1000.0, password=password)
    provider_url = f"http://127.0.0.1:{port(at_provider)}"
    settings = make(provider_url)
    says = provider(settings)
    if not calls_back:
        says.poll_s = 0.01  # type: ignore[attr-defined]
    gateway = Gateway(provider(settings))
    async with (
        serve_http(gateway.app, at_gateway),
        serve_http(simulator.app, at_provider),
        line(settings, ours, says) as channel,
    ):
        yield Played(provider_url, channel, gateway, record, ours)


# ---- what is asked of every provider's simulator


async def plays_the_row(
    far: Played,
    ending: str,
    content: ViberContent | SmsContent,
    answer: type[Answer],
    receipts: Sequence[tuple[Outcome, str]],
) -> list[Receipt]:
    """It answers so and tells these receipts, outcome and code, and no other; gives them."""
    first = await far.submit(ending, content)
    assert isinstance(first, answer)
    told = [await far.receipt() for _ in receipts]
    assert [(receipt.outcome, receipt.code) for receipt in told] == receipts
    if isinstance(first, Taken):
        assert {receipt.provider_id for receipt in told} <= {first.provider_id}
    after = await far.submit("99", message_id=18)
    assert isinstance(after, Taken)
    assert (await far.receipt()).provider_id == after.provider_id, "and nothing more"
    return told


async def tells_of_both(far: Played) -> None:
    """Viber delivers late, after an SMS to the same number: each has its receipt."""
    taken = [await far.submit("07", HI), await far.submit("07", SMS, message_id=18)]
    assert {Taken((await far.receipt()).provider_id) for _ in taken} == set(taken)


async def shows(
    far: Played, content: ViberContent | SmsContent, channel: str, shown: Mapping[str, str]
) -> None:
    """The phone shows what was sent."""
    await far.submit("99", content)
    await far.receipt()
    (message,) = far.record.messages
    assert (message.channel, message.number, message.sender) == (channel, BASE + "99", "Shop")
    assert {name: getattr(message, name) for name in shown} == shown
