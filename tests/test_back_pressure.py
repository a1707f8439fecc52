"""What happens when one end cannot follow: the store, or an operator. The others go on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from gateway import Gateway, Reply, get, running
from rules import SMS_ALONE, Clock, House, becomes, hasten, living
from rules_ends import Operator
from test_http_php import API, query

from hopwire.model import Status
from hopwire.smpp.pdu import Pdu, SubmitSm
from hopwire.store import batch
from hopwire.store.engine import Engine, T, Tx

WAITING, BEYOND, WINDOW = 20, 7, 3
SILENT_TO, SECOND_TO = "3805012345", "3806712345"


class Slow:
    """An engine that writes nothing until it may go on."""

    def __init__(self, engine: Engine) -> None:
        self.asked, self.may_go_on = asyncio.Event(), asyncio.Event()
        self._engine = engine
        self.read, self.listen, self.close = engine.read, engine.listen, engine.close

    async def write(self, work: Callable[[Tx], T], *, at_leisure: bool = False, last: bool = False) -> T:
        self.asked.set()
        await self.may_go_on.wait()
        return await self._engine.write(work)


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    monkeypatch.setattr(batch, "WAITING", WAITING)
    async with running(tmp_path) as one:
        yield one


async def refused(requests: set["asyncio.Task[Reply]"]) -> set["asyncio.Task[Reply]"]:
    """Wait until so many are answered as must be refused; those that are."""
    answered: set[asyncio.Task[Reply]] = set()
    while len(answered) < BEYOND:
        done, requests = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        answered |= done
    return answered


async def test_a_store_that_cannot_follow_refuses_what_is_beyond_and_keeps_what_waits(
    gateway: Gateway,
) -> None:
    said = get(f"{API}?{query(gateway)}")
    gateway.store.engine = slow = Slow(gateway.store.engine)
    first = asyncio.ensure_future(gateway.say(said))
    await slow.asked.wait()
    waiting = {asyncio.ensure_future(gateway.say(said)) for _ in range(WAITING - 1 + BEYOND)}
    no = await refused(waiting)
    assert Counter((one.result().status, one.result().text) for one in no) == {
        (503, "errors:Temporarily unavailable\n"): BEYOND
    }
    assert gateway.rows("SELECT count(*) FROM messages") == [(0,)]
    slow.may_go_on.set()
    replies = await asyncio.gather(first, *(waiting - no))
    assert {reply.status for reply in replies} == {200}
    ids = sorted(int(reply.text.splitlines()[0].removeprefix("id:")) for reply in replies)
    assert gateway.rows("SELECT id FROM messages ORDER BY id") == [(i,) for i in ids]
    assert len(ids) == WAITING
    await gateway.send()


@pytest.fixture
async def house(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: Operator
) -> AsyncIterator[House]:
    """Numbers at 38050 go by `smsc`, which will be silent; those at 38067 by `second`."""
    clock = Clock()
    hasten(monkeypatch, clock)
    common = {"kind": "smpp", "host": "127.0.0.1", "system_id": "hopwire", "password": "secret"}
    changes = {
        "connectors": {"second": common | {"port": await second.start(), "receipt_ids": "same"}},
        "routes": [{"prefix": "38067", "channel": "sms", "connector": "second"}],
        "smsc": {"window": WINDOW},
    }
    async with living(store_url, tmp_path, clock, changes) as one:
        await one.up("second")
        yield one


async def test_an_operator_that_is_silent_slows_neither_acceptance_nor_another_operator(
    house: House, second: Operator
) -> None:
    def says_nothing(submit: SubmitSm) -> Pdu | None:
        return None

    house.operator.answer = says_nothing
    held = [await house.sms(to=f"{SILENT_TO}{n:02}") for n in range(3 * WINDOW)]
    await becomes(lambda: len(house.operator.texts) == WINDOW)
    messages = [await house.sms(to=f"{SECOND_TO}{n:02}") for n in range(3 * WINDOW)]
    await becomes(lambda: len(second.texts) == len(messages))
    for n, submit in enumerate(second.texts):
        second.reports(f"a{n:x}", to=submit.destination_addr)
    for message_id in messages:
        await house.reaches(message_id, Status.DELIVERED)
        assert house.books(message_id) == SMS_ALONE
    assert len(house.operator.texts) == WINDOW  # all that it may have at a time
    assert house.rows(f"SELECT count(*) FROM deliveries WHERE id IN {tuple(held)}") == [(len(held),)]  # noqa: S608
    house.operator.drop()  # nobody will answer any more
