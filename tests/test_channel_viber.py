"""The Viber channel: what is said to Viber, what its answers mean, and what a broken line means."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from hopwire import metrics
from hopwire.channels import viber
from hopwire.channels.viber import CODES, ViberChannel, answer, body, parse_callback
from hopwire.config import ViberConnector
from hopwire.model import (
    Answer,
    Fault,
    Handover,
    Later,
    Never,
    Outcome,
    Receipt,
    SmsText,
    Taken,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
)

TO = "380501234567"
TOKEN = "5379697806260881548"
OK = b'{"status":0,"seq":17,"message_token":"' + TOKEN.encode() + b'"}'
REFUSED = b'{"status":11,"seq":17}'
IMAGE, LINK = "https://a.example/a.png", "https://b.example/"
PAUSED = Never("paused", Fault.CONFIGURATION)


def settings(**changes: Any) -> ViberConnector:
    fields: dict[str, Any] = {"service_ids": {"Shop": 3100}, "callback_secret": "x" * 16}
    return ViberConnector(**(fields | changes))


def handover(content: ViberContent | SmsText | None = None, **changes: Any) -> Handover:
    fields: dict[str, Any] = {"message_id": 17, "sender": "Shop", "lifetime_s": 60}
    return Handover(
        **(fields | changes),
        step=0,
        part=0,
        parts=1,
        recipient=TO,
        content=content or ViberText(text="Привіт"),
        transactional=True,
        repeated=False,
    )


# ---- what is said

TEXT = ViberText(text="Hi")
PICTURE, LINKED = ViberImage(image=IMAGE), ViberImage(image=IMAGE, url=LINK)
BUTTON = ViberButton(text="Hi", caption="Open", url=LINK)
PICTURED = ViberButton(text="Hi", caption="Open", url=LINK, image=IMAGE)
PRESSED = {"#txt": "Hi", "#caption": "Open", "#action": LINK}
SHOWN = {**PRESSED, "#img": IMAGE}
GIF = "https://a.example/A.GIF?x=1"
MOVING = ViberImage(image=GIF)


@pytest.mark.parametrize(
    ("content", "mode", "label", "kind", "message"),
    [
        pytest.param(TEXT, "twoway", "promotion", 225, {"#txt": "Hi"}, id="text"),
        pytest.param(TEXT, "twoway", "transaction", 206, {"#txt": "Hi"}, id="transactional text"),
        pytest.param(TEXT, "oneway", "promotion", 106, {"#txt": "Hi"}, id="one-way text"),
        pytest.param(PICTURE, "twoway", "promotion", 207, {"#img": IMAGE}, id="image"),
        pytest.param(PICTURE, "oneway", "promotion", 107, {"#img": IMAGE}, id="one-way image"),
        pytest.param(LINKED, "oneway", "promotion", 107, {"#img": IMAGE}, id="image with a link"),
        pytest.param(MOVING, "twoway", "promotion", 207, {"#img": GIF, "#imageFormat": "gif"}, id="gif"),
        pytest.param(BUTTON, "twoway", "promotion", 209, PRESSED, id="button"),
        pytest.param(BUTTON, "oneway", "promotion", 109, PRESSED, id="one-way button"),
        pytest.param(PICTURED, "twoway", "transaction", 208, SHOWN, id="button with an image"),
        pytest.param(PICTURED, "oneway", "promotion", 108, SHOWN, id="one-way button with an image"),
    ],
)
def test_a_message_is_said_as_its_kind_and_mode_want(
    content: ViberContent, mode: Any, label: Any, kind: int, message: dict[str, str]
) -> None:
    tracking = {"#tracking_data": "m:17"} if mode == "twoway" else {}
    assert body(handover(content), settings(mode=mode, label=label)) == {
        "service_id": 3100,
        "dest": TO,
        "seq": 17,
        "type": kind,
        "label": label,
        "ttl": 60,
        "message": message | tracking,
    }


def test_the_lifetime_is_never_below_viber_s_least() -> None:
    said = [body(handover(lifetime_s=s), settings()) for s in (1, 30, 86_400)]
    assert [one["ttl"] for one in said if one] == [30, 30, 86_400]


@pytest.mark.parametrize(("sender", "service"), [("Shop", 3100), ("Else", 7), ("shop", 7)])
def test_a_sender_name_has_its_service_id_or_the_one_for_every_other(sender: str, service: int) -> None:
    said = body(handover(sender=sender), settings(service_ids={"Shop": 3100, "*": 7}))
    assert said is not None
    assert said["service_id"] == service


def test_viber_carries_no_sms() -> None:
    with pytest.raises(TypeError, match="SmsText"):
        body(handover(SmsText(text="Hi")), settings())


# ---- what is answered


def reply(status: int, **more: Any) -> bytes:
    return json.dumps({"status": status, "seq": 17, **more}).encode()


CONFIGURATION = (2, 4, 5, 11, 13, 14, 17, 18, 43, 401)
CONTENT = (3, 6, 20, 21, 28, 29, 30, 31, 32, 38, 39, 40, 41)
EXPECTED: dict[int, Answer] = {
    1: Later(1.0, "1"),
    7: Later(1.0, "7"),
    8: Never("8", Fault.BLOCKED),
    9: Never("9", Fault.RECIPIENT),
    10: Never("10", Fault.RECIPIENT),
    12: Unknown("12"),
    27: Never("27", Fault.NUMBER),
    **{code: Never(str(code), Fault.CONFIGURATION) for code in CONFIGURATION},
    **{code: Never(str(code), Fault.CONTENT) for code in CONTENT},
    999: Never("999", Fault.CONTENT),  # an unknown code is a no
    -1: Never("-1", Fault.CONTENT),
}


def test_every_code_of_viber_s_has_its_answer() -> None:
    assert EXPECTED.keys() - {12, 999, -1} == CODES.keys()
    assert {code: answer(200, reply(code)) for code in EXPECTED} == EXPECTED


@pytest.mark.parametrize(
    ("said", "token"),
    [
        pytest.param({"message_token": TOKEN}, TOKEN, id="a string"),
        pytest.param({"message_token": int(TOKEN)}, TOKEN, id="a number"),
        pytest.param({"message_token": 2**64}, str(2**64), id="a number above 64 bits"),
        pytest.param({"message_token": TOKEN, "session_id": 1, "x": None}, TOKEN, id="with more"),
        pytest.param({}, "", id="absent"),
        pytest.param({"message_token": None}, "", id="null"),
    ],
)
def test_what_was_taken_is_taken_whatever_its_token(said: dict[str, Any], token: str) -> None:
    assert answer(200, reply(0, **said)) == Taken(token)


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        pytest.param(401, b"", Never("http 401", Fault.CONFIGURATION), id="not authorised"),
        pytest.param(403, b"<html>", Never("http 403", Fault.CONFIGURATION), id="forbidden"),
        pytest.param(429, b"", Later(1.0, "http 429", throttled=True), id="too many requests"),
        pytest.param(503, b"", Later(1.0, "http 503"), id="not available"),
        pytest.param(302, b"", Later(1.0, "http 302"), id="a redirect"),
        pytest.param(404, b"", Later(1.0, "http 404"), id="not found"),
        pytest.param(400, OK, Later(1.0, "http 400"), id="a refusal, whatever it says"),
    ],
)
def test_what_http_refuses_was_not_taken(status: int, text: bytes, expected: Answer) -> None:
    assert answer(status, text) == expected


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param(500, OK, id="a failure, whatever it says"),
        pytest.param(502, b"<html>", id="a proxy without an answer"),
        pytest.param(504, b"", id="a proxy that has waited too long"),
        pytest.param(202, b"", id="another success"),
        pytest.param(200, b"<html>It works!</html>", id="a page"),
        pytest.param(200, b"", id="nothing"),
        pytest.param(200, b"[0]", id="a list"),
        pytest.param(200, b"{}", id="no status"),
        pytest.param(200, b'{"status":null}', id="a status of nothing"),
        pytest.param(200, b'{"status":"\xff"}', id="no UTF-8"),
        pytest.param(200, b'{"status":0,"x":' + DEEP, id="nested too deeply"),
    ],
)
def test_what_is_no_answer_of_viber_s_leaves_the_message_in_doubt(status: int, text: bytes) -> None:
    assert answer(status, text) == Unknown(f"http {status}")


# ---- what is reported later


@pytest.mark.parametrize(
    ("reported", "outcome"),
    [(0, Outcome.DELIVERED), (1, Outcome.SEEN), (2, Outcome.EXPIRED)],
    ids=["delivered", "seen", "expired"],
)
@pytest.mark.parametrize("token", [TOKEN, int(TOKEN)], ids=["string", "number"])
@pytest.mark.parametrize("number", [TO, "+" + TO, int(TO)], ids=["digits", "a plus", "a number"])
def test_a_report_is_a_receipt(reported: int, outcome: Outcome, token: Any, number: Any) -> None:
    text = json.dumps({"message_token": token, "message_status": reported, "phone_number": number})
    assert parse_callback("viber", text.encode()) == [
        Receipt(
            connector="viber",
            provider_id=TOKEN,
            recipient=TO,
            outcome=outcome,
            code=str(reported),
            raw=text,
        )
    ]


@pytest.mark.parametrize(
    "text", [DEEP, b'{"x":' + DEEP, b'{"message_token":"1","message_status":0,"x":' + DEEP]
)
def test_a_report_that_is_nested_too_deeply_is_garbage(text: bytes) -> None:
    with pytest.raises(ValueError, match="the callback is not a JSON object"):
        parse_callback("viber", text)


# ---- the line


class Far:
    """Viber's side: keeps what was asked, and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.says()

    def says(self, text: bytes = b"", status: int = 200, **headers: str) -> None:
        self.reply = partial(web.Response, body=text, status=status, headers=headers)

    async def take(self, request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/json"
        self.asked.append(await request.json())
        self.arrived.set()
        await self.may_answer.wait()
        return self.reply()


@asynccontextmanager
async def line(url: str, **changes: Any) -> AsyncIterator[ViberChannel]:
    channel = ViberChannel("viber", settings(url=url, **changes), lambda: None)
    await channel.start()
    try:
        yield channel
    finally:
        await channel.stop()


@asynccontextmanager
async def raw_line(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], scheme: str = "http", **changes: Any
) -> AsyncIterator[ViberChannel]:
    """A channel whose far end is a socket."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, line(f"{scheme}://127.0.0.1:{port}/", **changes) as channel:
        yield channel


@pytest.fixture
async def far() -> Far:
    return Far()


@pytest.fixture
async def url(far: Far) -> AsyncIterator[str]:
    """Where the far side listens."""
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", far.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/send"
    await runner.cleanup()


@pytest.fixture
async def channel(url: str) -> AsyncIterator[ViberChannel]:
    async with line(url, window=3) as one:
        yield one


@pytest.fixture
async def two(url: str) -> AsyncIterator[ViberChannel]:
    """A channel with two services, one of them set up wrongly."""
    async with line(url, service_ids={"Shop": 3100, "Bad": 666}) as one:
        yield one


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The channel's time, moved by the test."""
    now = [1000.0]
    monkeypatch.setattr(viber, "time", SimpleNamespace(time_ns=lambda: 0, monotonic=lambda: now[0]))
    return now


async def test_a_message_is_posted_and_taken(far: Far, channel: ViberChannel) -> None:
    far.says(OK)
    assert await channel.submit(handover()) == Taken(TOKEN)
    assert far.asked == [body(handover(), settings())]


async def test_a_name_without_a_service_id_is_not_sent(far: Far, channel: ViberChannel) -> None:
    assert await channel.submit(handover(sender="Else")) == Never("no service id", Fault.SENDER)
    assert far.asked == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(far: Far, channel: ViberChannel, status: int) -> None:
    far.says(status=status, Location="/elsewhere")
    assert await channel.submit(handover()) == Later(1.0, f"http {status}")
    assert len(far.asked) == 1


async def test_the_capacity_is_what_the_window_leaves(far: Far, channel: ViberChannel) -> None:
    far.says(OK)
    far.may_answer.clear()
    submits = [asyncio.create_task(channel.submit(handover())) for _ in range(3)]
    await far.arrived.wait()
    assert channel.capacity == 0
    far.may_answer.set()
    assert await asyncio.gather(*submits) == [Taken(TOKEN)] * 3
    assert channel.capacity == 3


async def test_stopping_waits_for_the_answers_under_way(far: Far, channel: ViberChannel) -> None:
    far.says(OK)
    far.may_answer.clear()
    submit = asyncio.create_task(channel.submit(handover()))
    await far.arrived.wait()
    stop = asyncio.create_task(channel.stop())
    await asyncio.sleep(0)
    assert channel.capacity == 0
    assert await channel.submit(handover()) == Later(1.0, "stopped")
    far.may_answer.set()
    await stop
    assert await submit == Taken(TOKEN)


async def test_it_says_when_there_is_room_again() -> None:
    told: list[int] = []
    one: ViberChannel
    one = ViberChannel("viber", settings(url="http://127.0.0.1:1/"), lambda: told.append(one.capacity))
    assert one.capacity == 0
    await one.start()
    await one.submit(handover())
    await one.stop()
    assert told == [100, 100]


# ---- a fault of our configuration


def alerts() -> float:
    return metrics.REGISTRY.get_sample_value("hopwire_alerts_total", {"connector": "viber"}) or 0.0


async def test_a_fault_of_the_connection_pauses_it_and_then_one_message_tries(
    far: Far, channel: ViberChannel, clock: list[float]
) -> None:
    before = alerts()
    far.says(REFUSED)
    assert await channel.submit(handover()) == Never("11", Fault.CONFIGURATION)
    assert [await channel.submit(handover()) for _ in range(3)] == [PAUSED] * 3
    assert (len(far.asked), alerts() - before) == (1, 1)

    clock[0] += viber.PAUSE_S
    far.says(status=401)
    together = await asyncio.gather(*(channel.submit(handover()) for _ in range(3)))
    assert together == [Never("http 401", Fault.CONFIGURATION), PAUSED, PAUSED]
    assert (len(far.asked), alerts() - before) == (2, 2)

    clock[0] += viber.PAUSE_S
    far.says(OK)
    assert await channel.submit(handover()) == Taken(TOKEN)
    assert [await channel.submit(handover()) for _ in range(3)] == [Taken(TOKEN)] * 3
    assert (len(far.asked), alerts() - before) == (6, 2)


@pytest.mark.parametrize(
    ("status", "text", "pauses_all"),
    [
        *(pytest.param(200, reply(code), code in (11, 401), id=str(code)) for code in CONFIGURATION),
        pytest.param(401, b"", True, id="http 401"),
        pytest.param(403, b"", True, id="http 403"),
    ],
)
async def test_a_fault_of_one_service_does_not_pause_another(
    far: Far, two: ViberChannel, status: int, text: bytes, pauses_all: bool
) -> None:
    far.says(text, status)
    assert await two.submit(handover(sender="Bad")) == answer(status, text)
    far.says(OK)
    assert await two.submit(handover(sender="Bad")) == PAUSED
    assert await two.submit(handover()) == (PAUSED if pauses_all else Taken(TOKEN))
    assert await two.submit(handover(sender="Bad")) == PAUSED


async def test_a_service_is_refused_when_the_connection_is_right_again(
    far: Far, two: ViberChannel, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    before = alerts()
    far.says(REFUSED)
    await two.submit(handover())
    clock[0] += viber.PAUSE_S
    far.says(reply(2))
    assert await two.submit(handover(sender="Bad")) == EXPECTED[2]
    far.says(OK)
    assert await two.submit(handover(sender="Bad")) == PAUSED
    assert await two.submit(handover()) == Taken(TOKEN)
    assert alerts() - before == 2
    assert [one.getMessage() for one in caplog.records] == [
        "connector=viber refused our configuration service_id=all code=11 paused_s=60",
        "connector=viber refused our configuration service_id=666 code=2 paused_s=60",
    ]


async def test_a_service_stays_paused_while_the_connection_is_refused(
    far: Far, two: ViberChannel, clock: list[float]
) -> None:
    far.says(reply(2))
    await two.submit(handover(sender="Bad"))
    clock[0] += viber.PAUSE_S
    far.says(REFUSED)
    assert await two.submit(handover(sender="Bad")) == EXPECTED[11]
    clock[0] += viber.PAUSE_S
    far.says(OK)
    assert await two.submit(handover()) == Taken(TOKEN)
    together = await asyncio.gather(*(two.submit(handover(sender="Bad")) for _ in range(2)))
    assert together == [Taken(TOKEN), PAUSED]
    assert await two.submit(handover(sender="Bad")) == Taken(TOKEN)


async def test_an_older_answer_does_not_end_a_pause(far: Far, channel: ViberChannel) -> None:
    far.says(OK)
    far.may_answer.clear()
    older = asyncio.create_task(channel.submit(handover()))
    await far.arrived.wait()
    held, far.may_answer = far.may_answer, asyncio.Event()
    far.may_answer.set()
    far.says(REFUSED)
    assert await channel.submit(handover()) == EXPECTED[11]
    far.says(OK)
    held.set()
    assert await older == Taken(TOKEN)
    assert await channel.submit(handover()) == PAUSED


async def test_many_refusals_at_once_alert_once(far: Far, channel: ViberChannel) -> None:
    before = alerts()
    far.says(REFUSED)
    far.may_answer.clear()
    submits = [asyncio.create_task(channel.submit(handover())) for _ in range(3)]
    await far.arrived.wait()
    far.may_answer.set()
    assert set(await asyncio.gather(*submits)) == {Never("11", Fault.CONFIGURATION)}
    assert alerts() - before == 1


async def test_another_refusal_does_not_pause(far: Far, channel: ViberChannel) -> None:
    for code in (1, 8, 9, 27, 39):
        far.says(reply(code))
        assert await channel.submit(handover()) == EXPECTED[code]
    assert len(far.asked) == 5


# ---- a broken line


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")
    )
    await reader.readexactly(length)


async def test_a_refused_connection_is_temporary() -> None:
    async with line("http://127.0.0.1:1/") as channel:
        assert await channel.submit(handover()) == Later(1.0, "no connection")


async def test_a_name_that_does_not_resolve_is_temporary() -> None:
    async with line("http://nowhere.invalid/") as channel:
        assert await channel.submit(handover()) == Later(1.0, "no connection")


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://a.example/"])
async def test_an_address_that_is_none_is_our_fault(url: str) -> None:
    async with line(url) as channel:
        assert await channel.submit(handover()) == Never("url", Fault.CONFIGURATION)


async def test_a_connection_closed_after_the_request_leaves_it_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with raw_line(serve) as channel:
        assert isinstance(await channel.submit(handover()), Unknown)


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

    async with raw_line(serve) as channel:
        assert isinstance(await channel.submit(handover()), Unknown)


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

    async with raw_line(serve) as channel:
        submit = asyncio.create_task(channel.submit(handover()))
        asyncio.get_running_loop().call_later(0.05, read_some.set)
        assert await submit == Taken(TOKEN)


async def test_no_answer_in_time_leaves_it_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await reader.read()

    async with raw_line(serve, timeout_s=1) as channel:
        assert isinstance(await channel.submit(handover()), Unknown)


async def test_no_handshake_in_time_is_temporary() -> None:
    """Not a byte of the message has left."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    async with raw_line(serve, scheme="https", timeout_s=1) as channel:
        assert await channel.submit(handover()) == Later(1.0, "no connection")


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

    async with raw_line(serve) as channel:
        assert await channel.submit(handover()) == Unknown("http 200")
    assert sent < 100_000_000
