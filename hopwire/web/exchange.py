"""A request and its reply, without ASGI: what the wire hands to a handler of ours, and what it keeps of it.

Rule: a handler sees whole requests, or is told that one is too large; half of one is nothing.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from hopwire.model import Fact

MAX_BODY = 65_536
MAX_DISCARDED = 1_048_576  # of a body that is too large, so that its sender gets to reading why

Pairs = Sequence[tuple[bytes, bytes]]
Reply = Callable[[int, bytes, bytes], None]
"""Writes the reply, once: its status, its header lines and its body; or for `NO_REPLY` hangs up."""
NO_REPLY = 0


class Request(Fact, frozen=True):
    """One request that has come."""

    query: bytes  # as it stands in the URL
    headers: Mapping[bytes, bytes]  # names in lower case; of several lines of a name the last one
    lines: Pairs  # all of them
    peer: str  # the address at the other end of the connection; "": nobody knows
    body: bytes | None  # None: it is too large
    began: float  # when its head was whole, by time.perf_counter
    method: bytes = b"GET"

    @property
    def has_body(self) -> bool:
        return b"content-length" in self.headers or b"transfer-encoding" in self.headers


Handler = Callable[[Request, Reply], "asyncio.Future[Any] | None"]
"""Answers a request, at once, or else when what it gives back is done. It raises nothing."""


class Exchange:
    """A request under way; uvicorn takes it for one of its own cycles."""

    __slots__ = (
        "_chunks",
        "_request",
        "_size",
        "disconnected",
        "handler",
        "head_only",
        "keep_alive",
        "length",
        "more_body",
        "refused",
        "response_complete",
        "waits",
        "work",
    )
    message_event = asyncio.Event()  # uvicorn sets it; nobody waits for ours

    def __init__(self, query: bytes, lines: Pairs, peer: str, method: bytes, *, keep_alive: bool) -> None:
        headers = dict(lines)
        self._request = Request(query, headers, lines, peer, b"", time.perf_counter(), method)
        self._chunks: list[bytes] = []
        self._size = 0  # of the body, so far
        self.length = int(headers.get(b"content-length", 0))  # as it is said to be; 0 where nothing is said
        asks = b"expect" in headers  # before the body is sent, so that it need not be
        self.refused = self.length > (MAX_BODY if asks else MAX_DISCARDED)  # nobody waits for so much
        self.waits = asks and headers[b"expect"].lower() == b"100-continue" and self._request.has_body
        self.more_body = True
        self.keep_alive = keep_alive
        self.head_only = method == b"HEAD"
        self.disconnected = self.response_complete = False
        self.handler: Handler | None = None  # whose turn it is: what was asked before is answered
        self.work: asyncio.Future[Any] | None = None  # what its handler waits for

    def take(self, chunk: bytes) -> None:
        """Keep a piece of the body, as long as all of it is not too large."""
        self._size += len(chunk)
        if self._size <= MAX_BODY:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()
            self.refused = self.refused or self._size > MAX_DISCARDED

    def request(self) -> Request:
        """The request as its handler sees it."""
        if self.refused or self._size > MAX_BODY:
            return replace(self._request, body=None)
        return replace(self._request, body=b"".join(self._chunks)) if self._chunks else self._request
