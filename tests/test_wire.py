"""The HTTP edge: whatever well-meant bytes a client sends arrive as a request, and no others do any harm."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from gateway import SEND, TO, Gateway, get, post, running

from hopwire.errors import ApiError
from hopwire.store import Accepted, Order, Store
from hopwire.web.wire import HttpProtocol, quoted_line

RAW_TEXT = 'Привіт, це "ми" #1: 100% <так> ✓'
MULTIPART = (
    b'--sep\r\nContent-Disposition: form-data; name="message"\r\n\r\nin parts\r\n'
    b'--sep\r\nContent-Disposition: form-data; name="to"\r\n\r\n380501234567\r\n--sep--\r\n'
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as one:
        yield one


def target(gateway: Gateway, **params: str) -> str:
    """Of a right `send`."""
    return f"/api/http.php?{urlencode({'key': gateway.key, **SEND, **params})}"


def raw_target(gateway: Gateway, text: str = RAW_TEXT) -> bytes:
    """As programs write it that quote nothing; a percent sign is quoted even by them."""
    message = text.replace("%", "%25")
    return f"/api/http.php?key={gateway.key}&command=send&from=test&to={TO}&message={message}".encode()


def texts(gateway: Gateway) -> list[str]:
    """Of the messages that were kept, in their order."""
    return [row[0] for row in gateway.rows("SELECT json_extract(sms, '$.text') FROM messages ORDER BY id")]


def accepted(text: str) -> bool:
    first, second, rest = text.split("\n")
    return first.startswith("id:") and second == "sms_count:1" and rest == ""


# ---- the request line


@pytest.mark.parametrize(
    ("line", "quoted"),
    [
        pytest.param(b"GET /a?b=c HTTP/1.1", b"GET /a?b=c HTTP/1.1", id="in order"),
        pytest.param(b"GET /a?b=c d HTTP/1.1", b"GET /a?b=c%20d HTTP/1.1", id="a space"),
        pytest.param(b"GET /a?b=\xd0\xb9 HTTP/1.0", b"GET /a?b=%D0%B9 HTTP/1.0", id="UTF-8"),
        pytest.param(b"GET /a?b=#1&c=d HTTP/1.1", b"GET /a?b=%231&c=d HTTP/1.1", id="a number sign"),
        pytest.param(b"GET /a?b=%2e+ HTTP/1.1", b"GET /a?b=%2e+ HTTP/1.1", id="quoted already"),
        pytest.param(
            b"GET /a?b=x HTTP/1.1 HTTP/1.1", b"GET /a?b=x%20HTTP/1.1 HTTP/1.1", id="a version in it"
        ),
        pytest.param(b"GET / HTTP/1.1\nA: b HTTP/1.1", b"GET / HTTP/1.1\nA: b HTTP/1.1", id="two lines"),
        pytest.param(b"nothing of the kind", b"nothing of the kind", id="no request line"),
    ],
)
def test_a_request_line_is_quoted_where_it_must_be(line: bytes, quoted: bytes) -> None:
    assert quoted_line(line + b"\r\nHost: a b\r\n\r\n") == quoted + b"\r\nHost: a b\r\n\r\n"


async def test_raw_spaces_and_utf8_arrive(gateway: Gateway) -> None:
    assert accepted((await gateway.get(raw_target(gateway))).text)
    assert texts(gateway) == [RAW_TEXT]


async def test_raw_bytes_arrive_one_by_one(gateway: Gateway) -> None:
    async with gateway.wire() as wire:
        await wire.say_slowly(get(raw_target(gateway)))
        assert accepted((await wire.reply()).text)
        await wire.say_slowly(get(raw_target(gateway, "ще раз")))
        assert accepted((await wire.reply()).text)
    assert texts(gateway) == [RAW_TEXT, "ще раз"]


async def test_a_body_arrives_byte_by_byte(gateway: Gateway) -> None:
    async with gateway.wire() as wire:
        await wire.say_slowly(post("/api/http.php", target(gateway).partition("?")[2].encode()))
        assert accepted((await wire.reply()).text)


async def test_pipelined_raw_requests_are_answered_in_their_order(gateway: Gateway) -> None:
    body = urlencode({"key": gateway.key, **SEND, "message": "second"}).encode()
    async with gateway.wire() as wire:
        wire.say(
            get(raw_target(gateway, "перше і"))
            + post("/api/http.php?message=not this", body)
            + get(raw_target(gateway, "third, too"))
            + get("/healthz")
        )
        replies = [await wire.reply() for _ in range(4)]
    assert [accepted(one.text) for one in replies[:3]] == [True] * 3
    assert replies[3].text == "OK\n"
    assert texts(gateway) == ["перше і", "second", "third, too"]


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
async def test_pipelined_requests_may_be_cut_anywhere(gateway: Gateway, size: int) -> None:
    body = urlencode({"key": gateway.key, **SEND, "message": "second"}).encode()
    said = get(raw_target(gateway, "the first")) + post("/http.php", body) + get(raw_target(gateway, "a b c"))
    async with gateway.wire() as wire:
        for start in range(0, len(said), size):
            wire.say(said[start : start + size])
            await asyncio.sleep(0)
        assert [accepted((await wire.reply()).text) for _ in range(3)] == [True] * 3
    assert texts(gateway) == ["the first", "second", "a b c"]


async def test_thousands_of_pipelined_requests_are_answered_one_after_the_other(gateway: Gateway) -> None:
    """The first one waits for the store, so that all others wait for it; none of these waits for anything."""
    async with gateway.wire() as wire:
        wire.say(get(target(gateway)) + get("/http.php") * 4000 + get("/healthz"))
        assert accepted((await wire.reply()).text)
        for _ in range(4000):
            assert (await wire.reply()).text == "errors:Wrong login/password\n"
        assert (await wire.reply()).text == "OK\n"


@pytest.mark.parametrize(
    "path", ["/api%2Fhttp.php", "http://localhost/http.php", "http://localhost/api/%68ttp.php"]
)
async def test_a_path_may_be_written_otherwise(gateway: Gateway, path: str) -> None:
    said = target(gateway).replace("/api/http.php", path)
    assert accepted((await gateway.get(said)).text)


@pytest.mark.parametrize(
    "prefix",
    [pytest.param(b"\r\n", id="an empty line"), pytest.param(b"\r\n\r\n\n", id="several")],
)
async def test_empty_lines_before_a_request_are_passed_over(gateway: Gateway, prefix: bytes) -> None:
    """Some old clients end a body with a line end that its length does not count."""
    body = urlencode({"key": gateway.key, **SEND}).encode()
    async with gateway.wire() as wire:
        wire.say(prefix + post("/api/http.php", body) + prefix)
        assert accepted((await wire.reply()).text)
        wire.say(get(raw_target(gateway)))
        assert accepted((await wire.reply()).text)


# ---- connections


async def test_a_connection_is_kept(gateway: Gateway) -> None:
    async with gateway.wire() as wire:
        for _ in range(3):
            wire.say(get(target(gateway)))
            reply = await wire.reply()
            assert accepted(reply.text)
            assert "connection" not in reply.headers


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        pytest.param(("Connection: close",), "HTTP/1.1", id="asked for"),
        pytest.param((), "HTTP/1.0", id="HTTP/1.0"),
        pytest.param(("Connection: keep-alive",), "HTTP/1.0", id="HTTP/1.0 that would keep it"),
    ],
)
async def test_a_connection_is_closed_after_the_answer(
    gateway: Gateway, headers: tuple[str, ...], version: str
) -> None:
    async with gateway.wire() as wire:
        wire.say(get(raw_target(gateway), *headers, version=version))
        reply = await wire.reply()
        assert accepted(reply.text)
        assert reply.headers["connection"] == "close"
        assert await wire.closed()


async def test_a_request_needs_no_header_at_all(gateway: Gateway) -> None:
    assert accepted((await gateway.say(b"GET %s HTTP/1.0\r\n\r\n" % raw_target(gateway))).text)
    assert accepted((await gateway.say(b"GET %s HTTP/1.1\r\n\r\n" % raw_target(gateway))).text)


async def test_a_client_that_half_closes_gets_its_answer(gateway: Gateway) -> None:
    async with gateway.wire() as wire:
        wire.say(get(target(gateway)))
        wire.say_no_more()
        assert accepted((await wire.reply()).text)
        assert await wire.closed()


@pytest.fixture
async def connections(monkeypatch: pytest.MonkeyPatch) -> list[HttpProtocol]:
    """What is at the gateway's ends of the connections that are made."""
    made: list[HttpProtocol] = []
    begin = HttpProtocol.connection_made

    def connection_made(self: HttpProtocol, transport: asyncio.Transport) -> None:
        made.append(self)
        begin(self, transport)

    monkeypatch.setattr(HttpProtocol, "connection_made", connection_made)
    return made


async def test_a_connection_is_closed_when_it_was_idle_for_long(
    gateway: Gateway, connections: list[HttpProtocol]
) -> None:
    async with gateway.wire() as wire:
        wire.say(get("/healthz"))
        await wire.reply()
        (connection,) = connections
        connection._look_whether_idle()  # it was asked just now
        wire.say(get("/http.php"))
        await wire.reply()
        connection._idle_since -= 76
        connection._look_whether_idle()
        assert await wire.closed()


@pytest.mark.parametrize("said", [b"", b"GET / HTT"], ids=["nothing said", "half a head"])
async def test_a_silent_connection_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("hopwire.app.KEEP_ALIVE_S", 0)
    async with running(tmp_path) as gateway, gateway.wire() as wire:
        wire.say(said)
        assert await wire.closed()


async def test_a_body_that_does_not_come_ends_the_connection(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hopwire.web.wire.BODY_S", 0.05)
    async with gateway.wire() as wire:
        wire.say(b"POST /api/http.php HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert await wire.closed()
    assert gateway.kept() == 0


async def test_a_chunked_body_arrives(gateway: Gateway) -> None:
    body = urlencode({"key": gateway.key, **SEND}).encode()
    chunks = (
        b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[:10], body[10:11], body[11:])) + b"0\r\n\r\n"
    )
    async with gateway.wire() as wire:
        for _ in range(2):
            wire.say(get("/api/http.php", "Transfer-Encoding: chunked", method="POST"))
            wire.say(chunks)
            assert accepted((await wire.reply()).text)


async def test_a_client_may_wait_for_100_continue(gateway: Gateway) -> None:
    body = urlencode({"key": gateway.key, **SEND}).encode()
    async with gateway.wire() as wire:
        wire.say(post("/api/http.php", b"", "Expect: 100-continue")[:-4].rsplit(b"\r\n", 1)[0])
        wire.say(b"\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert (await wire.reply()).status == 100
        wire.say(body)
        assert accepted((await wire.reply()).text)


async def test_a_client_that_waits_is_refused_before_it_sends_too_much(gateway: Gateway) -> None:
    async with gateway.wire() as wire:
        wire.say(get("/api/http.php", "Expect: 100-continue", "Content-Length: 65537", method="POST"))
        assert (await wire.reply()).status == 413


async def test_a_pipelined_client_may_wait_for_100_continue(gateway: Gateway) -> None:
    body = urlencode({"key": gateway.key, **SEND}).encode()
    async with gateway.wire() as wire:
        wire.say(get(target(gateway)) + post("/api/http.php", body, "Expect: 100-continue"))
        assert accepted((await wire.reply()).text)
        assert (await wire.reply()).status == 100
        assert accepted((await wire.reply()).text)


async def test_a_server_that_ends_answers_what_it_has_begun(
    tmp_path: Path, connections: list[HttpProtocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    came, go_on, admit = asyncio.Event(), asyncio.Event(), Store.admit

    async def admit_later(self: Store, orders: Sequence[Order]) -> list[Accepted | ApiError]:
        came.set()
        await go_on.wait()
        return await admit(self, orders)

    monkeypatch.setattr(Store, "admit", admit_later)
    async with AsyncExitStack() as server:
        gateway = await server.enter_async_context(running(tmp_path))
        async with gateway.wire() as wire, gateway.wire() as gone:
            wire.say(get(target(gateway)))
            gone.say(get(target(gateway)))
            await came.wait()
            for connection in connections:
                connection._look_whether_idle()  # they are not, however long it takes
            gone.hang_up()
            ending = asyncio.ensure_future(server.aclose())
            assert await asyncio.wait({ending}, timeout=0.3) == (set(), {ending})
            go_on.set()
            reply = await wire.reply()
            assert accepted(reply.text)
            assert reply.headers["connection"] == "close"
        await ending
    assert len(texts(gateway)) == 2


# ---- limits and nonsense


async def test_a_head_of_64_kib_is_read(gateway: Gateway) -> None:
    said = get(target(gateway), "X: ")
    padding = b"x" * (65_536 - len(said))
    assert accepted((await gateway.say(said.replace(b"X: ", b"X: " + padding))).text)
    reply = await gateway.say(said.replace(b"X: ", b"X: x" + padding))
    assert (reply.status, reply.text) == (
        431,
        "errors:The request line and headers are larger than 65536 bytes\n",
    )


@pytest.mark.parametrize("size", [70_000, 1_000_000])
@pytest.mark.parametrize("begin", [b"GET /api/http.php?message=", b"GET / HTTP/1.1\r\nX: "])
async def test_a_head_without_end_is_refused(gateway: Gateway, begin: bytes, size: int) -> None:
    async with gateway.wire() as wire:
        wire.say(begin + b"x" * size)
        reply = await wire.reply()
        assert reply.status == 431
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_body_of_64_kib_is_read(gateway: Gateway) -> None:
    body = urlencode({"key": gateway.key, **SEND, "x": ""}).encode()
    assert accepted((await gateway.post("/api/http.php", body.ljust(65_536, b"x"))).text)
    reply = await gateway.post("/api/http.php", body.ljust(65_537, b"x"))
    assert (reply.status, reply.text) == (413, "errors:The request is larger than 65536 bytes\n")
    assert len(texts(gateway)) == 1


@pytest.mark.parametrize(
    ("length", "sent"),
    [
        pytest.param(500_000, 500_000, id="large: it may send all and then read why"),
        pytest.param(5_000_000, 0, id="very large: nobody waits for it"),
    ],
)
async def test_a_body_that_is_far_too_large_is_refused(gateway: Gateway, length: int, sent: int) -> None:
    async with gateway.wire() as wire:
        wire.say(get("/api/http.php", f"Content-Length: {length}", method="POST"))
        wire.say(b"x" * sent)
        reply = await wire.reply()
        assert reply.status == 413
        assert reply.headers["connection"] == "close"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"10001\r\n" + b"x" * 65_537 + b"\r\n0\r\n\r\n", id="one chunk"),
        pytest.param(b"100\r\n" + b"x" * 256 + b"\r\n" + b"1\r\nx\r\n" * 65_281 + b"0\r\n\r\n", id="many"),
        pytest.param(b"100001\r\n" + b"x" * 1_048_577, id="nobody waits for its end"),
    ],
)
async def test_a_chunked_body_is_limited_too(gateway: Gateway, body: bytes) -> None:
    async with gateway.wire() as wire:
        wire.say(get("/api/http.php", "Transfer-Encoding: chunked", method="POST"))
        wire.say(body)
        reply = await wire.reply()
        assert (reply.status, reply.headers["connection"]) == (413, "close")


async def test_a_chunked_body_of_64_kib_is_read(gateway: Gateway) -> None:
    body = urlencode({"key": gateway.key, **SEND, "x": ""}).encode().ljust(65_536, b"x")
    async with gateway.wire() as wire:
        wire.say(get("/api/http.php", "Transfer-Encoding: chunked", method="POST"))
        wire.say(b"".join(b"1\r\n%c\r\n" % one for one in body) + b"0\r\n\r\n")
        assert accepted((await wire.reply()).text)


NONSENSE = {
    "no request line": b"nonsense\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "no header": b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
    "a length of letters": b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "a huge length": b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    "a bad chunk": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "CONNECT": b"CONNECT example.net:80 HTTP/1.1\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "another version": b"GET / HTTP/9.9\r\n\r\n",
}


async def test_nonsense_is_a_bad_request(gateway: Gateway) -> None:
    for name, said in NONSENSE.items():
        async with gateway.wire() as wire:
            wire.say(said)
            assert (name, (await wire.reply()).status) == (name, 400)
            assert await wire.closed()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(get("*", method="OPTIONS"), id="OPTIONS"),
        pytest.param(get("/api/http.php", "Connection: Upgrade", "Upgrade: h2c"), id="an upgrade to HTTP/2"),
        pytest.param(
            get("/api/http.php", "Connection: Upgrade", "Upgrade: websocket"), id="an upgrade to a web socket"
        ),
        pytest.param(get("http://localhost/api/http.php"), id="an absolute target"),
    ],
)
async def test_unusual_requests_are_answered(gateway: Gateway, said: bytes) -> None:
    assert (await gateway.say(said)).status in (200, 404)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_parameters_are_read_whatever_the_method(gateway: Gateway, method: str) -> None:
    async with gateway.wire() as wire:
        wire.say(get(target(gateway), method=method))
        reply = await wire.reply(body=method != "HEAD")
        assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        wire.say(get(target(gateway)))
        assert accepted((await wire.reply()).text)
    assert len(texts(gateway)) == 2


async def test_a_client_that_would_rather_speak_http2_is_answered_as_usual(gateway: Gateway) -> None:
    """Java's own client asks for it with every first request."""
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB")
    body = urlencode({"key": gateway.key, **SEND}).encode()
    async with gateway.wire() as wire:
        for said in (post("/api/http.php", body, *upgrade), get(target(gateway), *upgrade), get("/healthz")):
            wire.say(said)
            assert (await wire.reply()).text.startswith(("id:", "OK"))
    assert len(texts(gateway)) == 2


# ---- what did not come whole


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("POST {target} HTTP/1.1\r\nContent-Length: 99\r\n\r\nmessage=Hel", id="half a body"),
        pytest.param("POST {target} HTTP/1.1\r\nContent-Length: 99\r\n\r\n", id="no body"),
        pytest.param(
            "POST {target} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nmessage=Hel\r\n",
            id="some chunks",
        ),
        pytest.param("GET {target} HTTP/1.1\r\nHost:", id="half a head"),
    ],
)
async def test_half_a_request_sends_nothing(gateway: Gateway, said: str) -> None:
    async with gateway.wire() as wire:
        wire.say(said.format(target=target(gateway)).encode())
        wire.say_no_more()
        assert await wire.closed()
    assert gateway.kept() == 0


async def test_a_client_that_does_not_wait_for_the_answer_has_sent(gateway: Gateway) -> None:
    async with gateway.wire() as wire:
        wire.say(post("/api/http.php", target(gateway).partition("?")[2].encode()))
        wire.say_no_more()
        wire.hang_up()
    end = time.monotonic() + 10
    while not texts(gateway):
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_quoting_is_what_urllib_would_do() -> None:
    raw = "/api/http.php?message=Привіт, світе #1"
    (target_sent,) = quoted_line(f"GET {raw} HTTP/1.1\r\n\r\n".encode()).split()[1:2]
    assert target_sent.decode() == quote(raw, safe="/?=,&")
