"""A far end for HTTP: answers every request the same, and counts them.

Rule: it costs as little as it can, for it shares the machine with what it measures: of a request it reads how
long it is, and no more.
"""

import asyncio
import socket

import msgspec

from bench.load import LENGTH
from bench.program import main

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
NOT_A_VIBER_USER = '{"status":9,"seq":0}'  # SRVC_NOT_VIBER_USER, see hopwire/simulators/viber.py


class Job(msgspec.Struct):
    """Serve, where it has not begun to; tell how far it is."""

    body: str  # of every answer


class Served(msgspec.Struct):
    port: int
    requests: int  # that have been answered


class FarEnd:
    """What the connections share."""

    requests = 0
    port = 0
    reply = b""


class Session(asyncio.Protocol):
    """One connection; answers to what came in one read leave in one write."""

    def __init__(self) -> None:
        self._data = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._data += data
        requests = 0
        while end := whole(self._data):
            self._data = self._data[end:]
            requests += 1
        FarEnd.requests += requests
        self._transport.write(FarEnd.reply * requests)


def whole(data: bytes) -> int:
    """How many bytes the first request has; 0 while it has not come whole."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    size = int(length[1]) if length else 0
    return len(head) + len(blank) + size if blank and len(rest) >= size else 0


async def run(job: Job) -> Served:
    """Serve on a free port until the process ends."""
    if not FarEnd.port:
        body = job.body.encode()
        FarEnd.reply = f"{HEAD}{len(body)}\r\n\r\n".encode() + body
        sock = socket.create_server(("127.0.0.1", 0))
        await asyncio.get_running_loop().create_server(Session, sock=sock)
        FarEnd.port = sock.getsockname()[1]
    return Served(FarEnd.port, FarEnd.requests)


if __name__ == "__main__":
    main("bench: http far end", Job, run)
