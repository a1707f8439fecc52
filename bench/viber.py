"""The far end for Viber: a partner endpoint that knows no number, and says so of every message at once.

Rule: it costs as little as it can, for it shares the machine with what it measures: of a request it reads how
long it is, and its answer is constant. The shape is that of `send_message`, see hopwire/simulators/viber.py.
"""

import asyncio
import socket

import msgspec

from bench.load import LENGTH
from bench.program import main

NOT_A_USER = 9  # SRVC_NOT_VIBER_USER
BODY = b'{"status":%d,"seq":0}' % NOT_A_USER
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


class Job(msgspec.Struct):
    pass


class Ready(msgspec.Struct):
    port: int


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
        self._transport.write(REPLY * requests)


def whole(data: bytes) -> int:
    """How many bytes the first request has; 0 while it has not come whole."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    size = int(length[1]) if length else 0
    return len(head) + len(blank) + size if blank and len(rest) >= size else 0


async def run(job: Job) -> Ready:
    """Serve on a free port until the process ends."""
    sock = socket.create_server(("127.0.0.1", 0))
    await asyncio.get_running_loop().create_server(Session, sock=sock)
    return Ready(sock.getsockname()[1])


if __name__ == "__main__":
    main("bench: viber", Job, run)
