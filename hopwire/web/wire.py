"""The HTTP/1.1 edge: uvicorn's protocol, kinder to old clients and harder on large and slow heads.

Programs that speak this gateway's protocol send unescaped spaces and UTF-8 in the request line. The parser
would refuse them, so a head is kept back until it is whole, and its first line is quoted.

What is asked of a path with a handler of ours goes to it in a plain call. The rest is uvicorn's and ASGI's,
which cost as much for each request as all that the gateway does for a message.
"""

import asyncio
import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hopwire.errors import HeadTooLarge
from hopwire.web.exchange import NO_REPLY, Exchange, Handler

MAX_HEAD = 65_536
BODY_S = 60.0  # for a body to come whole; then the connection ends
LINGER_S = 2.0  # for a refused client to read why, before an unread rest of its head resets the connection

_UNQUOTED = re.compile(rb"[^\x21-\x7e]|#")  # a fragment is no part of a request: that is a raw number sign
_LINE = re.compile(rb"([A-Z]+) (.*) (HTTP/1\.[01])\Z")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)  # Java asks for HTTP/2; the parser would stop


def quoted_line(data: bytes) -> bytes:
    """The same bytes; the target of the request line they begin with is percent-encoded where it must be."""
    end = data.find(b"\r\n")
    line = data[:end] if end >= 0 else b""
    if line.count(b" ") == 2 and line.isascii() and b"#" not in line:
        return data
    match = _LINE.match(line)
    if match is None:
        return data
    target = _UNQUOTED.sub(lambda m: b"%%%02X" % m[0][0], match[2])
    return b"%s %s %s%s" % (match[1], target, match[3], data[end:])


def _end(head: bytes, known: int) -> int:
    """Where a head ends, looked for behind what is known to be no end; 0: it is not whole yet."""
    crlf, lf = head.find(b"\n\r\n", known), head.find(b"\n\n", known)
    if lf >= 0 and not 0 <= crlf < lf:
        return lf + 2  # without CR: the parser's to refuse, not ours to wait for
    return crlf + 3 if crlf >= 0 else 0


def target(url: bytes) -> tuple[bytes, bytes]:
    """The path, unquoted, and the query of a request's target; raises HttpParserError."""
    path, _, query = url.partition(b"?")
    if path.startswith(b"/") and b"%" not in path and b"#" not in url:
        return path, query  # by far the most
    parsed = httptools.parse_url(url)
    return unquote_to_bytes(parsed.path), parsed.query or b""


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handlers: Mapping[bytes, Handler] = self.app.handlers
        self.access_log = False  # a request line may hold a key, a number, a text; whoever listens
        self._head = b""  # what has come of a head that is not whole yet
        self._in_body = False
        self._body_left = 0  # bytes; 0 in a body: nobody knows, it is chunked
        self._refused = False
        self._idle_since = 0.0  # by the loop's clock; 0: something is under way
        self._body_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head may take no longer than a later one: as long as a connection may be idle."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._look_later(self.timeout_keep_alive)

    def _look_later(self, after_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(after_s, self._look_whether_idle)

    def _look_whether_idle(self) -> None:
        """Close a connection on which nothing was asked for so long.

        One timer that looks again costs less than one for each pause between two requests.
        """
        idle_s = self.loop.time() - self._idle_since if self._idle_since else 0.0
        if idle_s < self.timeout_keep_alive or not self._idle_since:
            self._look_later(self.timeout_keep_alive - idle_s)
        else:
            self.timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        """uvicorn says so when something is asked."""
        self._idle_since = 0.0

    def data_received(self, data: bytes) -> None:
        while data and not self._refused and not self.transport.is_closing():
            data = self._take_body(data) if self._in_body else self._take_head(data)

    def _take_body(self, data: bytes) -> bytes:
        """Pass on the body's bytes; what is left is the next request's."""
        end = self._body_left or len(data)
        self._body_left = max(0, self._body_left - len(data))
        super().data_received(data[:end])
        return data[end:]

    def _take_head(self, data: bytes) -> bytes:
        """Pass on the head when it is whole; what is left is the body's, or the next request's."""
        known = max(0, len(self._head) - 3)
        self._head = self._head + data if self._head else data.lstrip(b"\r\n")
        end = _end(self._head, known)
        length = end or len(self._head)
        if length > MAX_HEAD:
            self._refuse()
            return b""
        if not end and (self._head[:1].isalpha() or not self._head):
            return b""  # what begins otherwise is no request, and the parser says so
        head, rest = self._head[:length], self._head[length:]
        self._head = b""
        if b"upgrade:" in head.lower():
            head = _UPGRADE.sub(b"", head)
        super().data_received(quoted_line(head))
        if self._in_body:
            self._body_timer = self.loop.call_later(BODY_S, self.transport.close)
        return rest

    # ---- what the parser finds

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        self._in_body = True
        path, query = target(self.url)
        handler = self._handlers.get(path)
        if handler is None:
            self._body_left = next(
                (int(value) for name, value in self.headers if name == b"content-length"), 0
            )
            self._leave_to_asgi()
            return
        before, parser = self.cycle, self.parser
        exchange = Exchange(
            query,
            self.headers,
            self.client[0] if self.client else "",
            parser.get_method(),
            keep_alive=parser.get_http_version() != "1.0" and parser.should_keep_alive(),
        )
        self._body_left = exchange.length
        self.cycle = exchange  # type: ignore[assignment]
        if before is None or before.response_complete:
            self._start_asgi_task(exchange, handler)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, handler))  # type: ignore[arg-type]

    def _leave_to_asgi(self) -> None:
        """Make uvicorn's scope only here: it costs much, and handlers of ours need none."""
        url, headers, waits = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, waits
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        exchange = self.cycle
        if not isinstance(exchange, Exchange):
            super().on_body(body)
        elif not exchange.response_complete:
            exchange.take(body)
            self._go_on(exchange)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._stop_body_timer()
        exchange = self.cycle
        if not isinstance(exchange, Exchange):
            super().on_message_complete()
        elif not exchange.response_complete:
            exchange.more_body = False
            self._go_on(exchange)

    # ---- handlers of ours

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Begin with a request, now that those before it are answered."""
        if isinstance(cycle, Exchange):
            cycle.handler = app
            self._go_on(cycle)
        else:
            super()._start_asgi_task(cycle, app)

    def _go_on(self, exchange: Exchange) -> None:
        """Hand it to its handler as soon as all of it has come, or too much."""
        if exchange.handler is None:
            return
        if exchange.waits and not exchange.refused:
            self.transport.write(_CONTINUE)
            exchange.waits = False
        if exchange.refused or not exchange.more_body:
            handler, exchange.handler = exchange.handler, None
            work = handler(exchange.request(), partial(self._reply, exchange))
            if work is not None and not exchange.response_complete:
                exchange.work = work
                self.tasks.add(work)  # type: ignore[arg-type] # whoever ends the server waits for it

    def _reply(self, exchange: Exchange, status: int, headers: bytes, body: bytes) -> None:
        """Write a whole response."""
        exchange.response_complete = True
        if exchange.work is not None:
            self.tasks.discard(exchange.work)
        if status == NO_REPLY:
            self.transport.close()
        elif not self.transport.is_closing():
            self._write(exchange, status, headers, body)
        self.on_response_complete()

    def _write(self, exchange: Exchange, status: int, headers: bytes, body: bytes) -> None:
        keep_alive = exchange.keep_alive and status < 400
        head = [STATUS_LINE[status], headers, b"content-length: %d\r\n" % len(body)]
        head += [b"%s: %s\r\n" % pair for pair in self.server_state.default_headers]
        head.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        self.transport.write(b"".join(head) + (b"" if exchange.head_only else body))
        if not keep_alive:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Begin with the next request that waits; not within this one, for thousands may."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self.loop.call_soon(self._start_asgi_task, *self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()

    # ---- its end

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_body_timer()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has said all still gets its answer; over TLS there is no such half-closing."""
        if self.cycle is None or self.cycle.more_body or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return self.scheme == "http"

    def _refuse(self) -> None:
        text = b"errors:%s\n" % HeadTooLarge.text.encode()
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"cache-control: no-store\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
            % (len(text), text)
        )
        self._refused = True
        self._head = b""
        self.loop.call_later(LINGER_S, self.transport.close)
