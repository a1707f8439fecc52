"""A provider that makes no sense is only tried, one that is too busy is left in peace; both come back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from answers import answer_to
from http_ends import Far, Store, handover, line, listening

from hopwire import metrics
from hopwire.channels import http
from hopwire.channels.http import SICK, HttpChannel, http_answer, makes_no_sense
from hopwire.config import ViberConnector
from hopwire.model import Answer, Fault, Later, Never, Taken, Unknown

OK = b'{"status":0,"message_token":"1"}'
PAGE = b"<html>It works!</html>"
NOBODY = "http://127.0.0.1:1/"


def settings(url: str, **changes: Any) -> ViberConnector:
    fields: dict[str, Any] = {"service_ids": {"*": 3100}, "callback_secret": "x" * 16, "window": 8}
    return ViberConnector(url=url, **(fields | changes))


@pytest.fixture
async def far() -> Far:
    return Far()


@pytest.fixture
def ours() -> Store:
    return Store()


@pytest.fixture
async def viber(far: Far, ours: Store) -> AsyncIterator[HttpChannel]:
    async with listening(far) as url, line(settings(url), ours) as one:
        yield one


def alerts() -> float:
    return metrics.REGISTRY.get_sample_value("hopwire_alerts_total", {"connector": "viber"}) or 0.0


async def submit(one: HttpChannel, times: int = 1) -> list[Answer]:
    return await asyncio.gather(*(answer_to(one, handover()) for _ in range(times)))


async def has_room(ours: Store, one: HttpChannel) -> None:
    """Wait until it says that it has room."""
    while not one.capacity:
        ours.room.clear()
        await ours.room.wait()


# ---- no sense


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(PAGE, 200, id="a page"),
        pytest.param(b"", 200, id="nothing"),
        pytest.param(PAGE, 404, id="not found"),
        pytest.param(PAGE, 500, id="a failure"),
        pytest.param(PAGE, 502, id="a proxy without an answer"),
        pytest.param(PAGE, 503, id="not available"),
        pytest.param(b"", 302, id="a redirect"),
    ],
)
async def test_a_provider_that_makes_no_sense_is_only_tried_until_it_does(
    far: Far,
    ours: Store,
    viber: HttpChannel,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    status: int,
) -> None:
    before = alerts()
    far.says(body, status)
    for _ in range(SICK - 1):
        await submit(viber)
        assert (viber.capacity, viber.state.state) == (8, "up")
    monkeypatch.setattr(http, "PROBE_S", 0.01)
    await submit(viber)
    assert (viber.capacity, viber.state.state) == (0, "down")

    for _ in range(3):
        await has_room(ours, viber)
        assert (viber.capacity, viber.state.state) == (1, "down")
        await submit(viber)
        assert viber.capacity == 0
    assert alerts() - before == 1

    far.says(OK)
    await has_room(ours, viber)
    assert await submit(viber) == [Taken("1")]
    assert (viber.capacity, viber.state.state) == (8, "up")
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"connector=viber makes no sense code=http {status} tried_every_s=0.01",
        "connector=viber makes sense again",
    ]


async def test_one_at_a_time_tries(far: Far, ours: Store, viber: HttpChannel, monkeypatch: Any) -> None:
    monkeypatch.setattr(http, "PROBE_S", 0.01)
    far.says(PAGE)
    await submit(viber, SICK)
    await has_room(ours, viber)
    far.arrived.clear()
    far.may_answer.clear()
    tries = asyncio.create_task(submit(viber))
    await far.arrived.wait()
    assert viber.capacity == 0
    far.says(OK)
    far.may_answer.set()
    assert (await tries, viber.capacity) == ([Taken("1")], 8)


async def test_nobody_at_home_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    async with line(settings(NOBODY)) as viber:
        assert await submit(viber, SICK) == [Later(1.0, "no connection")] * SICK
        assert (viber.capacity, viber.state.last_error) == (0, "no connection")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


@pytest.mark.parametrize("serve", [silent, deaf])
async def test_silence_makes_no_sense(serve: Callable[..., Any]) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, line(settings(url, timeout_s=1)) as viber:
        said = await submit(viber, SICK)
        assert all(isinstance(one, Unknown) and makes_no_sense(one) for one in said)
        assert viber.capacity == 0


async def test_a_word_of_its_own_in_between_makes_sense(far: Far, viber: HttpChannel) -> None:
    for _ in range(2):
        far.says(PAGE)
        await submit(viber, SICK - 1)
        far.says(b'{"status":9}')
        await submit(viber)
    assert viber.capacity == 8


@pytest.mark.parametrize("status", [1, 7, 9, 12, 39])
async def test_an_answer_of_its_own_makes_sense_whatever_it_says(
    far: Far, viber: HttpChannel, status: int
) -> None:
    """Among them "already sent", which leaves the message in doubt."""
    far.says(b'{"status":%d}' % status)
    await submit(viber, 2 * SICK)
    assert viber.capacity == 8


async def test_what_was_under_way_may_end_it(far: Far, ours: Store, viber: HttpChannel) -> None:
    far.says(OK)
    far.may_answer.clear()
    earlier = asyncio.create_task(submit(viber))
    await far.arrived.wait()
    held, far.may_answer = far.may_answer, asyncio.Event()
    far.may_answer.set()
    far.says(PAGE)
    await submit(viber, SICK)
    assert viber.state.state == "down"
    far.says(OK)
    held.set()
    assert await earlier == [Taken("1")]
    assert viber.state.state != "down"


# ---- too fast


async def test_a_provider_that_is_asked_too_fast_is_left_in_peace(
    far: Far, ours: Store, viber: HttpChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.says(status=429, Retry_After="7")
    monkeypatch.setattr(http, "PAUSE_S", 0.01)  # the longest rest
    assert await submit(viber, SICK) == [Later(7.0, "http 429", throttled=True)] * SICK
    assert (viber.capacity, viber.state.state, viber.state.throttled) == (0, "throttled", SICK)
    await has_room(ours, viber)
    assert (viber.capacity, viber.state.state) == (8, "up")


async def test_another_answer_does_not_shorten_its_rest(far: Far, ours: Store, viber: HttpChannel) -> None:
    far.says(status=429, Retry_After="30")
    await submit(viber)
    far.says(status=429, Retry_After="0")
    await submit(viber)
    far.says(OK)
    await submit(viber)
    assert viber.capacity == 0


@pytest.mark.parametrize(
    ("status", "after", "answer"),
    [
        pytest.param(503, "30", Later(30.0, "http 503"), id="seconds"),
        pytest.param(429, "30", Later(30.0, "http 429", throttled=True), id="seconds, too many requests"),
        pytest.param(503, "0", Later(0.0, "http 503"), id="at once"),
        pytest.param(503, "9" * 400, Later(86_400.0, "http 503"), id="for ever"),
        pytest.param(503, "Wed, 21 Oct 2026 07:28:00 GMT", Later(1.0, "http 503"), id="a date"),
        pytest.param(503, "-1", Later(1.0, "http 503"), id="in the past"),
        pytest.param(503, "soon", Later(1.0, "http 503"), id="a word"),
        pytest.param(503, None, Later(1.0, "http 503"), id="nothing"),
        pytest.param(500, "30", Unknown("http 500"), id="a failure, which may have taken the message"),
        pytest.param(401, "30", Never("http 401", Fault.CONFIGURATION), id="not authorised"),
    ],
)
def test_a_server_may_say_when_to_come_again(status: int, after: str | None, answer: Answer) -> None:
    assert http_answer(status, {} if after is None else {"retry-after": after}) == answer
