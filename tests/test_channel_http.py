"""A channel over HTTP: how it asks, when it stops asking, and what a broken line means.

It speaks to Viber here, whose file is the plainest.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from answers import answer_to
from http_ends import Far, Store, channel, handover, line, listening

from hopwire import metrics
from hopwire.channels import http
from hopwire.channels.http import HttpChannel, Reply
from hopwire.channels.viber import CODES, ViberPartner, body
from hopwire.config import ViberConnector
from hopwire.model import Answer, Fault, Later, Never, Taken, Unknown

TOKEN = "5379697806260881548"
OK = b'{"status":0,"seq":17,"message_token":"' + TOKEN.encode() + b'"}'
REFUSED = b'{"status":11,"seq":17}'
PAUSED = Never("paused", Fault.CONFIGURATION, unasked=True)
NO_CONNECTION = Later(1.0, "no connection")
REFUSAL = Never("11", Fault.CONFIGURATION)
OUR_FAULTS = [code for code, (_, fault) in CODES.items() if fault is Fault.CONFIGURATION]


def settings(url: str, **changes: Any) -> ViberConnector:
    fields: dict[str, Any] = {"service_ids": {"Shop": 3100}, "callback_secret": "x" * 16}
    return ViberConnector(url=url, **(fields | changes))


def reply(status: int) -> bytes:
    return json.dumps({"status": status, "seq": 17}).encode()


@asynccontextmanager
async def raw_line(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], scheme: str = "http", **changes: Any
) -> AsyncIterator[HttpChannel]:
    """A channel whose far end is a socket."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, line(settings(f"{scheme}://127.0.0.1:{port}/", **changes)) as one:
        yield one


@pytest.fixture
async def far() -> Far:
    return Far()


@pytest.fixture
async def url(far: Far) -> AsyncIterator[str]:
    """Where the far side listens."""
    async with listening(far) as one:
        yield one + "/send"


@pytest.fixture
async def viber(url: str) -> AsyncIterator[HttpChannel]:
    async with line(settings(url, window=3)) as one:
        yield one


@pytest.fixture
async def two(url: str) -> AsyncIterator[HttpChannel]:
    """A channel with two services, one of them set up wrongly."""
    async with line(settings(url, service_ids={"Shop": 3100, "Bad": 666})) as one:
        yield one


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The channel's time, moved by the test."""
    now = [1000.0]
    monkeypatch.setattr(http, "time", SimpleNamespace(time_ns=lambda: 0, monotonic=lambda: now[0]))
    return now


async def test_a_message_is_posted_and_taken(far: Far, viber: HttpChannel) -> None:
    far.says(OK)
    assert await answer_to(viber, handover()) == Taken(TOKEN)
    assert [one.fields for one in far.asked] == [body(handover(), settings(""))]
    assert far.asked[0].headers["content-type"] == "application/json"


async def test_a_name_without_a_service_id_is_not_sent(far: Far, viber: HttpChannel) -> None:
    assert await answer_to(viber, handover(sender="Else")) == Never("no service id", Fault.SENDER)
    assert far.asked == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(far: Far, viber: HttpChannel, status: int) -> None:
    far.says(status=status, Location="/elsewhere")
    assert await answer_to(viber, handover()) == Later(1.0, f"http {status}")
    assert len(far.asked) == 1


async def test_nothing_is_taken_from_the_environment_or_kept_in_cookies(
    far: Far, viber: HttpChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    far.says(OK, Set_Cookie="a=b; Path=/")
    assert [await answer_to(viber, handover()) for _ in range(2)] == [Taken(TOKEN)] * 2
    assert "cookie" not in far.asked[1].headers


async def test_the_capacity_is_what_the_window_leaves(far: Far, viber: HttpChannel) -> None:
    far.says(OK)
    far.may_answer.clear()
    submits = [answer_to(viber, handover()) for _ in range(3)]
    await far.arrived.wait()
    assert viber.capacity == 0
    far.may_answer.set()
    assert await asyncio.gather(*submits) == [Taken(TOKEN)] * 3
    assert viber.capacity == 3


async def test_stopping_waits_for_the_answers_under_way(far: Far, viber: HttpChannel) -> None:
    far.says(OK)
    far.may_answer.clear()
    submit = answer_to(viber, handover())
    await far.arrived.wait()
    stop = asyncio.create_task(viber.stop())
    await asyncio.sleep(0)
    assert viber.capacity == 0
    assert await answer_to(viber, handover()) == Later(1.0, "stopped", unasked=True)
    far.may_answer.set()
    await stop
    assert await submit == Taken(TOKEN)
    await viber.stop()  # once more does no harm


async def test_it_says_when_there_is_room_again() -> None:
    ours = Store()
    one = channel(settings("http://127.0.0.1:1/"), ours)
    assert (one.capacity, ours.ready) == (0, 0)
    await one.start()
    assert (one.capacity, ours.ready) == (100, 1)
    await answer_to(one, handover())
    assert (one.capacity, ours.ready) == (100, 2)
    await one.stop()
    assert (one.capacity, ours.ready) == (0, 2)


async def test_a_bug_in_a_provider_s_file_takes_no_room_away(
    far: Far, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(ViberPartner):
        def answer(self, reply: Reply) -> Answer:
            raise RuntimeError("a bug")

    ours = Store()
    async with line(settings(url), ours, Wrong(settings(url))) as one:
        ours.room.clear()
        said = answer_to(one, handover())
        assert one.capacity == 99
        await ours.room.wait()
        assert (one.capacity, ours.ready, said.done()) == (100, 2, False)
    assert "submit message=17 step=0" in caplog.text


async def test_it_tells_an_operator_how_it_stands(far: Far, two: HttpChannel) -> None:
    assert (two.state.kind, two.state.state, two.state.sessions, two.state.window) == ("viber", "up", 1, 100)
    for said in (OK, reply(8), b"", REFUSED):
        far.says(said)
        await answer_to(two, handover())
    state = two.state
    assert (state.submitted, state.taken, state.refused, state.unknown) == (4, 1, 2, 1)
    assert (state.state, state.last_error) == ("refused", "11")
    await two.stop()
    assert (two.state.state, two.state.sessions) == ("refused", 0)


# ---- a fault of our configuration


def alerts() -> float:
    return metrics.REGISTRY.get_sample_value("hopwire_alerts_total", {"connector": "viber"}) or 0.0


async def test_a_fault_of_the_connection_pauses_it_and_then_one_message_tries(
    far: Far, viber: HttpChannel, clock: list[float]
) -> None:
    before = alerts()
    far.says(REFUSED)
    assert await answer_to(viber, handover()) == Never("11", Fault.CONFIGURATION)
    assert [await answer_to(viber, handover()) for _ in range(3)] == [PAUSED] * 3
    assert (len(far.asked), alerts() - before) == (1, 1)

    clock[0] += http.PAUSE_S
    far.says(status=401)
    together = await asyncio.gather(*(answer_to(viber, handover()) for _ in range(3)))
    assert together == [Never("http 401", Fault.CONFIGURATION), PAUSED, PAUSED]
    assert (len(far.asked), alerts() - before) == (2, 2)

    clock[0] += http.PAUSE_S
    far.says(OK)
    assert await answer_to(viber, handover()) == Taken(TOKEN)
    assert [await answer_to(viber, handover()) for _ in range(3)] == [Taken(TOKEN)] * 3
    assert (len(far.asked), alerts() - before) == (6, 2)


@pytest.mark.parametrize(
    ("status", "text", "pauses_all"),
    [
        *(pytest.param(200, reply(code), code in (11, 401), id=str(code)) for code in OUR_FAULTS),
        pytest.param(401, b"", True, id="http 401"),
        pytest.param(403, b"", True, id="http 403"),
    ],
)
async def test_a_fault_of_one_service_does_not_pause_another(
    far: Far, two: HttpChannel, status: int, text: bytes, pauses_all: bool
) -> None:
    says = ViberPartner(settings("http://viber.example/"))
    far.says(text, status)
    assert await answer_to(two, handover(sender="Bad")) == says.answer(Reply(status, {}, text))
    far.says(OK)
    assert await answer_to(two, handover(sender="Bad")) == PAUSED
    assert await answer_to(two, handover()) == (PAUSED if pauses_all else Taken(TOKEN))
    assert await answer_to(two, handover(sender="Bad")) == PAUSED


async def test_a_service_is_refused_when_the_connection_is_right_again(
    far: Far, two: HttpChannel, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    before = alerts()
    far.says(REFUSED)
    await answer_to(two, handover())
    clock[0] += http.PAUSE_S
    far.says(reply(2))
    assert await answer_to(two, handover(sender="Bad")) == Never("2", Fault.CONFIGURATION)
    far.says(OK)
    assert await answer_to(two, handover(sender="Bad")) == PAUSED
    assert await answer_to(two, handover()) == Taken(TOKEN)
    assert alerts() - before == 2
    assert [one.getMessage() for one in caplog.records] == [
        "connector=viber refused our configuration sender=all code=11 paused_s=60",
        "connector=viber refused our configuration sender=666 code=2 paused_s=60",
    ]


async def test_a_service_stays_paused_while_the_connection_is_refused(
    far: Far, two: HttpChannel, clock: list[float]
) -> None:
    far.says(reply(2))
    await answer_to(two, handover(sender="Bad"))
    clock[0] += http.PAUSE_S
    far.says(REFUSED)
    assert await answer_to(two, handover(sender="Bad")) == REFUSAL
    clock[0] += http.PAUSE_S
    far.says(OK)
    assert await answer_to(two, handover()) == Taken(TOKEN)
    together = await asyncio.gather(*(answer_to(two, handover(sender="Bad")) for _ in range(2)))
    assert together == [Taken(TOKEN), PAUSED]
    assert await answer_to(two, handover(sender="Bad")) == Taken(TOKEN)


async def test_an_older_answer_does_not_end_a_pause(far: Far, viber: HttpChannel) -> None:
    far.says(OK)
    far.may_answer.clear()
    older = answer_to(viber, handover())
    await far.arrived.wait()
    held, far.may_answer = far.may_answer, asyncio.Event()
    far.may_answer.set()
    far.says(REFUSED)
    assert await answer_to(viber, handover()) == REFUSAL
    far.says(OK)
    held.set()
    assert await older == Taken(TOKEN)
    assert await answer_to(viber, handover()) == PAUSED


async def test_many_refusals_at_once_alert_once(far: Far, viber: HttpChannel) -> None:
    before = alerts()
    far.says(REFUSED)
    far.may_answer.clear()
    submits = [answer_to(viber, handover()) for _ in range(3)]
    await far.arrived.wait()
    far.may_answer.set()
    assert set(await asyncio.gather(*submits)) == {Never("11", Fault.CONFIGURATION)}
    assert alerts() - before == 1


async def test_another_refusal_does_not_pause(far: Far, viber: HttpChannel) -> None:
    for code in (1, 8, 9, 27, 39):
        far.says(reply(code))
        assert await answer_to(viber, handover()) != PAUSED
    assert len(far.asked) == 5


# ---- a broken line


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")
    )
    await reader.readexactly(length)


async def test_a_refused_connection_is_temporary() -> None:
    async with line(settings("http://127.0.0.1:1/")) as viber:
        assert await answer_to(viber, handover()) == NO_CONNECTION


async def test_a_name_that_does_not_resolve_is_temporary() -> None:
    async with line(settings("http://nowhere.invalid/")) as viber:
        assert await answer_to(viber, handover()) == NO_CONNECTION


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://a.example/"])
async def test_an_address_that_is_none_is_our_fault(url: str) -> None:
    async with line(settings(url)) as viber:
        assert await answer_to(viber, handover()) == Never("url", Fault.CONFIGURATION)


async def test_a_connection_closed_after_the_request_leaves_it_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with raw_line(serve) as viber:
        assert isinstance(await answer_to(viber, handover()), Unknown)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="in the head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + OK[:20], id="in the body"),
        pytest.param(b"no HTTP at all\r\n\r\n", id="nonsense"),
    ],
)
async def test_an_answer_cut_short_leaves_it_unknown(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(said)
        await writer.drain()
        writer.close()

    async with raw_line(serve) as viber:
        assert isinstance(await answer_to(viber, handover()), Unknown)


async def test_an_answer_in_pieces_is_read_to_its_end() -> None:
    read_some = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(OK), OK[:9]))
        await writer.drain()
        await read_some.wait()
        writer.write(OK[9:])
        await writer.drain()
        await reader.read()

    async with raw_line(serve) as viber:
        submit = answer_to(viber, handover())
        asyncio.get_running_loop().call_later(0.05, read_some.set)
        assert await submit == Taken(TOKEN)


async def test_no_answer_in_time_leaves_it_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await reader.read()

    async with raw_line(serve, timeout_s=1) as viber:
        assert isinstance(await answer_to(viber, handover()), Unknown)


async def test_no_handshake_in_time_is_temporary() -> None:
    """Not a byte of the message has left."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    async with raw_line(serve, scheme="https", timeout_s=1) as viber:
        assert await answer_to(viber, handover()) == NO_CONNECTION


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while not writer.is_closing() and sent < 100_000_000:
            writer.write(b" " * 65_536)
            sent += 65_536
            await writer.drain()

    async with raw_line(serve) as viber:
        assert await answer_to(viber, handover()) == Unknown("http 200")
    assert sent < 100_000_000


# ---- connections


async def serve_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take all that comes over one connection, until it is closed."""
    while True:
        try:
            await read_request(reader)
        except asyncio.IncompleteReadError:
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(OK), OK))


async def test_a_connection_is_used_again() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await serve_all(reader, writer)

    async with raw_line(serve) as viber:
        assert [await answer_to(viber, handover()) for _ in range(3)] == [Taken(TOKEN)] * 3
    assert connections == 1


async def test_an_idle_connection_is_closed_before_the_server_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a message might leave just when the server hangs up, and would be in doubt."""
    assert http.KEEP_ALIVE_S == 5
    monkeypatch.setattr(http, "KEEP_ALIVE_S", 0.01)
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_all(reader, writer)
        closed.set()

    async with raw_line(serve) as viber:
        await answer_to(viber, handover())
        await closed.wait()


async def test_no_more_connections_than_the_window_has() -> None:
    connections, most = 0, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, most
        connections += 1
        most = max(most, connections)
        await serve_all(reader, writer)
        connections -= 1

    async with raw_line(serve, window=2) as viber:
        assert await asyncio.gather(*(answer_to(viber, handover()) for _ in range(10))) == [Taken(TOKEN)] * 10
    assert most == 2
