"""The HTTP/1.1 edge: uvicorn's protocol, kinder to old clients and harder on large and slow heads.

Programs that speak this gateway's protocol send unescaped spaces and UTF-8 in the request line. The parser
would refuse them, so a head is kept back until it is whole, and its first line is quoted.
"""

import asyncio
import re
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from hopwire.errors import HeadTooLarge

MAX_HEAD = 65_536
BODY_S = 60.0  # for a body to come whole; then the connection ends
WHOLE_REPLY = "hopwire.reply"  # ASGI extension: (status, header lines, body), instead of two `send`s
LINGER_S = 2.0  # for a refused client to read why, before an unread rest of its head resets the connection

_UNQUOTED = re.compile(rb"[^\x21-\x7e]|#")  # a fragment is no part of a request: that is a raw number sign
_LINE = re.compile(rb"([A-Z]+) (.*) (HTTP/1\.[01])\Z")
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)  # Java asks for HTTP/2; the parser would stop
_END = re.compile(rb"\n\r?\n")  # a head that ends without CR is the parser's to refuse, not ours to wait for


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


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # a request line may hold a key, a number, a text; whoever listens
        self._head = b""  # what has come of a head that is not whole yet
        self._in_body = False
        self._body_left = 0  # bytes; 0 in a body: nobody knows, it is chunked
        self._refused = False
        self._body_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head may take no longer than a later one: as long as a connection may be idle."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

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
        end = _END.search(self._head, known)
        length = end.end() if end else len(self._head)
        if length > MAX_HEAD:
            self._refuse()
            return b""
        if end is None and (self._head[:1].isalpha() or not self._head):
            return b""  # what begins otherwise is no request, and the parser says so
        head, rest = self._head[:length], self._head[length:]
        self._head = b""
        super().data_received(_UPGRADE.sub(b"", quoted_line(head)))
        if self._in_body:
            self._body_timer = self.loop.call_later(BODY_S, self.transport.close)
        return rest

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._body_left = next((int(value) for name, value in self.headers if name == b"content-length"), 0)
        super().on_headers_complete()
        self.scope["extensions"] = {WHOLE_REPLY: partial(self._reply, self.cycle)}  # type: ignore[dict-item]

    def _reply(self, cycle: RequestResponseCycle, status: int, headers: bytes, body: bytes) -> None:
        """Write a whole response; ASGI's two events for it cost more than reading the request."""
        if cycle.disconnected:
            return
        cycle.keep_alive = cycle.keep_alive and status < 400
        head = [STATUS_LINE[status], headers, b"content-length: %d\r\n" % len(body)]
        head += [b"%s: %s\r\n" % pair for pair in self.server_state.default_headers]
        head.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        self.transport.write(b"".join(head) + (b"" if cycle.scope["method"] == "HEAD" else body))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._stop_body_timer()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_body_timer()
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
