"""The HTTP/1.1 edge: uvicorn's protocol, kinder to old clients and harder on large heads.

Programs that speak this gateway's protocol send unescaped spaces and UTF-8 in the request line. The parser
would refuse them, so the line is quoted before it gets there.
"""

import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hopwire.errors import HeadTooLarge

MAX_HEAD = 65_536

_UNQUOTED = re.compile(rb"[^\x21-\x7e]")
_LINE = re.compile(rb"([A-Z]+) (.*) (HTTP/1\.[01])\Z", re.DOTALL)


def quoted_line(data: bytes) -> bytes:
    """The same bytes; the target of the request line they begin with is percent-encoded where it must be."""
    end = data.find(b"\r\n")
    line = data[:end] if end >= 0 else b""
    if line.count(b" ") == 2 and line.isascii():
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
        self._head = b""  # of a request whose line has not come whole yet
        self._head_bytes = 0  # of the request whose head is under way; -1 between head and end

    def data_received(self, data: bytes) -> None:
        if self._head_bytes >= 0:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD and b"\r\n\r\n" not in (self._head + data)[:MAX_HEAD]:
                return self._refuse()
            data = self._head + data
            self._head = b""
            if b"\r\n" not in data and data[:1].isalpha():
                self._head = data
                return None
            if self._head_bytes == len(data):  # this is where a request begins
                data = quoted_line(data)
        super().data_received(data)
        return None

    def on_headers_complete(self) -> None:
        self._head_bytes = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        super().on_message_complete()

    def _refuse(self) -> None:
        text = b"errors:" + HeadTooLarge.text.encode() + b"\n"
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"cache-control: no-store\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
            % (len(text), text)
        )
        self.transport.close()
