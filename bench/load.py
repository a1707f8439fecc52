"""The load: N keep-alive connections, each of which asks again as soon as it was answered (closed loop).

Rule: it costs as little as it can, for it shares the machine with what it measures: raw sockets, and requests
that are two constant pieces with a number between them. It is a process of its own, so that the load comes
from outside; its job comes as a line of JSON on standard input, what came of it leaves on standard output.
"""

import asyncio
import re
import time
from array import array
from collections.abc import Iterable
from itertools import count
from urllib.parse import urlencode

import msgspec

from bench.program import main

TEXT = "Ваше замовлення прийнято. Очікуйте на дзвінок кур'єра завтра"  # 60 characters: one part of UCS-2
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Job(msgspec.Struct, kw_only=True):
    port: int
    key: str
    connections: int
    messages: int | None = None  # stop after so many requests,
    seconds: float | None = None  # or after so long


class Replies(msgspec.Struct, kw_only=True):
    accepted: int
    refused: int  # answered with something else than an id, or not answered
    refusal: str  # the first of these
    began_at: float  # of time.monotonic, which all processes of a machine share
    ended_at: float
    p50_ms: float
    p99_ms: float


def request(key: str) -> tuple[bytes, bytes]:
    """What comes before and after the recipient's number in a `send` with its twelve parameters."""
    number = "NUMBER"
    query = urlencode(
        {
            "version": "http",
            "key": key,
            "command": "send",
            "from": "hopwire",
            "to": number,
            "message": TEXT,
            "viber": "1",
            "viber_type": "text",
            "viber_message": TEXT,
            "viber_from": "hopwire",
            "viber_lifetime": "3600",
            "viber_sms": "true",
        }
    )
    headers = "Host: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
    whole = f"GET /api/http.php?{query} HTTP/1.1\r\n{headers}\r\n"
    before, _, after = whole.encode().partition(number.encode())
    return before, after


def recipient(n: int) -> bytes:
    """The n-th number, each another one, scattered; none ends as those do that a simulated phone knows."""
    scattered = n * 5_000_011 % 8_700_000
    return b"38050%05d%02d" % (scattered // 87, 13 + scattered % 87)


def body(data: bytes) -> bytes | None:
    """The body of a response; None while it has not come whole."""
    head, _, rest = data.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    return rest if length and len(rest) >= int(length[1]) else None


def percentile_ms(seconds: Iterable[float], percent: int) -> float:
    """The nearest rank of these times, in milliseconds; 0 of none."""
    ranked = sorted(seconds)
    return ranked[(len(ranked) - 1) * percent // 100] * 1000 if ranked else 0.0


class Load:
    """What the connections share: which request is next, and what came of them."""

    def __init__(self, job: Job) -> None:
        self._before, self._after = request(job.key)
        self._numbers = count()
        self._messages = job.messages
        self._seconds = job.seconds
        self._until = float("inf")
        self._open = 0
        self.over = asyncio.Event()
        self.times = array("d")
        self.accepted = self.refused = 0
        self.refusal = ""

    def begin(self, connections: "list[Connection]") -> None:
        if self._seconds is not None:
            self._until = time.monotonic() + self._seconds
        self._open = len(connections)
        for connection in connections:
            connection.ask()

    def next(self) -> bytes | None:
        """The next request; None when it is enough."""
        n = next(self._numbers)
        if n == self._messages or time.monotonic() >= self._until:
            self._messages = n  # for the other connections, too
        if self._messages is not None and n >= self._messages:
            return None
        return b"".join((self._before, recipient(n), self._after))

    def answered(self, seconds: float, reply: bytes) -> None:
        self.times.append(seconds)
        if reply.startswith(b"id:"):
            self.accepted += 1
        else:
            self.failed(reply.decode(errors="replace").strip())

    def failed(self, why: str) -> None:
        self.refused += 1
        self.refusal = self.refusal or why

    def finished(self) -> None:
        self._open -= 1
        if not self._open:
            self.over.set()


class Connection(asyncio.Protocol):
    """One client: asks, waits, asks again."""

    _transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self._load = load
        self._asked_at = 0.0
        self._data = b""
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is no subclass

    def ask(self) -> None:
        data = self._load.next()
        self._waiting = data is not None
        if data is None:
            self._load.finished()
        else:
            self._asked_at = time.monotonic()
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._data += data
        reply = body(self._data)
        if reply is not None:
            self._data = b""
            self._load.answered(time.monotonic() - self._asked_at, reply)
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._waiting = False
            self._load.failed("the connection was closed")
            self._load.finished()

    def close(self) -> None:
        self._transport.close()


async def run(job: Job) -> Replies:
    """Do the job and tell what came of it."""
    load = Load(job)
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: Connection(load), "127.0.0.1", job.port))[1]
        for _ in range(job.connections)
    ]
    began_at = time.monotonic()
    load.begin(connections)
    await load.over.wait()
    ended_at = time.monotonic()
    for connection in connections:
        connection.close()
    return Replies(
        accepted=load.accepted,
        refused=load.refused,
        refusal=load.refusal,
        began_at=began_at,
        ended_at=ended_at,
        p50_ms=percentile_ms(load.times, 50),
        p99_ms=percentile_ms(load.times, 99),
    )


if __name__ == "__main__":
    main("bench: load", Job, run)
