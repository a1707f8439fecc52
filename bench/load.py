"""The load: N keep-alive connections that ask for messages to be sent, or how messages stand.

In a closed loop each connection asks again as soon as it was answered. In an open loop requests leave at
planned times, whatever the answers, or wait for a free connection; latency counts from the planned time.
So a gateway that stands still for a moment is not asked less meanwhile, and what it costs is in the figures.

Rule: it costs as little as it can, for it shares the machine with what it measures: raw sockets, and requests
that are two constant pieces with a number between them. It is a process of its own, so that the load comes
from outside; its job comes as a line of JSON on standard input, what came of it leaves on standard output.
"""

import asyncio
import re
import time
from array import array
from collections import deque
from collections.abc import Iterable
from itertools import count
from urllib.parse import urlencode

import msgspec

from bench.program import main

TEXT = "Ваше замовлення прийнято. Очікуйте на дзвінок кур'єра завтра"  # 60 characters: one part of UCS-2
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
HEADERS = "Host: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
NUMBER = "NUMBER"
SCATTER = 2_654_435_761  # a prime: ids that are asked for lie far from each other
TURN_S = 0.001  # of an open loop: what is due within one leaves together


class Ask(msgspec.Struct, kw_only=True):
    """A request: constant but for a number, and how a good reply to it begins."""

    before: bytes
    after: bytes
    good: bytes


class Job(msgspec.Struct, kw_only=True):
    port: int
    connections: int
    send: Ask | None = None  # with a recipient's number
    query: Ask | None = None  # with the id of a message
    queries: float = 0.0  # of all requests: how many are these, where there are both
    ids: tuple[int, int] = (0, 0)  # messages that there are before: those from the first up to the second
    rate: float | None = None  # requests a second of an open loop
    messages: int | None = None  # stop after so many requests,
    seconds: float | None = None  # or after so long
    slice_s: float | None = None  # tell how it was in each slice of time, too


class Slice(msgspec.Struct, kw_only=True):
    """What was to leave within one slice of time."""

    requests: int
    p50_ms: float
    p99_ms: float


class Replies(msgspec.Struct, kw_only=True):
    accepted: int
    refused: int  # answered with something else than was good, or not answered
    refusal: str  # the first of these
    began_at: float  # of time.monotonic, which all processes of a machine share
    ended_at: float
    p50_ms: float
    p99_ms: float
    p999_ms: float = 0.0
    told: int = 0  # queries that were answered
    ids: tuple[int, int] = (0, 0)  # of what was accepted: from the lowest up to, without it, the second
    slices: list[Slice] = []


# ---- what is asked


def request(key: str) -> tuple[bytes, bytes]:
    """What comes before and after the recipient's number in a `send` with its twelve parameters."""
    query = {
        "version": "http",
        "key": key,
        "command": "send",
        "from": "hopwire",
        "to": NUMBER,
        "message": TEXT,
        "viber": "1",
        "viber_type": "text",
        "viber_message": TEXT,
        "viber_from": "hopwire",
        "viber_lifetime": "3600",
        "viber_sms": "true",
    }
    return around(f"/api/http.php?{urlencode(query)}")


def sending(key: str) -> Ask:
    before, after = request(key)
    return Ask(before=before, after=after, good=b"id:")


def querying(key: str) -> Ask:
    """How a message stands."""
    query = {"version": "http", "key": key, "command": "receive", "id": NUMBER}
    before, after = around(f"/api/http.php?{urlencode(query)}")
    return Ask(before=before, after=after, good=b"status:")


def around(target: str) -> tuple[bytes, bytes]:
    """What comes before and after the number in a GET of this target."""
    before, _, after = f"GET {target} HTTP/1.1\r\n{HEADERS}\r\n".encode().partition(NUMBER.encode())
    return before, after


def recipient(n: int) -> bytes:
    """The n-th number, each another one, scattered; none ends as those do that a simulated phone knows."""
    scattered = n * 5_000_011 % 8_700_000
    return b"38050%05d%02d" % (scattered // 87, 13 + scattered % 87)


# ---- what is answered


def body(data: bytes) -> bytes | None:
    """The body of a response; None while it has not come whole."""
    head, _, rest = data.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    return rest if length and len(rest) >= int(length[1]) else None


def percentile_ms(seconds: Iterable[float], percent: float) -> float:
    """The nearest rank of these times, in milliseconds; 0 of none."""
    ranked = sorted(seconds)
    return ranked[int((len(ranked) - 1) * percent / 100)] * 1000 if ranked else 0.0


class Tally:
    """What came of the requests."""

    def __init__(self) -> None:
        self.times = array("d")
        self.moments = array("d")  # when each of them was to leave
        self.ids = array("q")
        self.told = self.refused = 0
        self.refusal = ""

    def answered(self, ask: Ask, planned_at: float, reply: bytes, now: float) -> None:
        self.times.append(now - planned_at)
        self.moments.append(planned_at)
        if not reply.startswith(ask.good):
            self.failed(reply.decode(errors="replace").strip())
        elif ask.good == b"id:":
            self.ids.append(int(reply[3:].partition(b"\n")[0]))
        else:
            self.told += 1

    def failed(self, why: str) -> None:
        self.refused += 1
        self.refusal = self.refusal or why

    def replies(self, began_at: float, ended_at: float, slice_s: float | None) -> Replies:
        return Replies(
            accepted=len(self.ids),
            told=self.told,
            refused=self.refused,
            refusal=self.refusal,
            began_at=began_at,
            ended_at=ended_at,
            p50_ms=percentile_ms(self.times, 50),
            p99_ms=percentile_ms(self.times, 99),
            p999_ms=percentile_ms(self.times, 99.9),
            ids=(min(self.ids), max(self.ids) + 1) if self.ids else (0, 0),
            slices=self._slices(began_at, slice_s) if slice_s else [],
        )

    def _slices(self, began_at: float, slice_s: float) -> list[Slice]:
        times: dict[int, list[float]] = {}
        for at, seconds in zip(self.moments, self.times, strict=True):
            times.setdefault(int((at - began_at) / slice_s), []).append(seconds)
        return [
            Slice(requests=len(some), p50_ms=percentile_ms(some, 50), p99_ms=percentile_ms(some, 99))
            for _, some in sorted(times.items())
        ]


# ---- when it is asked


class Load:
    """What the connections share: which request is next, and what came of them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._n = 0  # requests that have been planned,
        self._left = 0  # and that have left: behind a slow gateway they wait
        self._numbers, self._asked = count(), count(1)
        self._most = float("inf") if job.messages is None else job.messages
        self._until = float("inf")
        self._idle: deque[Connection] = deque()
        self._due: deque[float] = deque()  # planned times of what waits for a free connection
        self._open = 0
        self._planned = job.rate is None  # nothing more is to be planned
        self.tally = Tally()
        self.over = asyncio.Event()

    async def run(self, connections: "list[Connection]") -> Replies:
        """Let them ask until it is enough and all is answered."""
        began_at = time.monotonic()
        if self._job.seconds is not None:
            self._until = began_at + self._job.seconds
        self._open = len(connections)
        for connection in connections:
            self.free(connection)
        if self._job.rate is not None:
            await self._plan(began_at, self._job.rate)
        await self.over.wait()
        return self.tally.replies(began_at, time.monotonic(), self._job.slice_s)

    async def _plan(self, began_at: float, rate: float) -> None:
        """Let requests leave at their planned times, over whichever connection is free."""
        while self._open and self._more(at := began_at + self._n / rate):
            now = time.monotonic()
            if at > now:
                await asyncio.sleep(max(at - now, TURN_S))
                continue
            self._n += 1
            self._due.append(at)
            self._hand_out()
        self._planned = True
        self._hand_out()

    def _more(self, at: float) -> bool:
        return self._n < self._most and at < self._until

    def _hand_out(self) -> None:
        while self._idle and self._due:
            self._idle.popleft().ask(*self._next(), self._due.popleft())
        while self._planned and self._idle:
            self._idle.popleft()
            self.finished()

    def free(self, connection: "Connection") -> None:
        """The connection has been answered."""
        if self._job.rate is None and self._more(now := time.monotonic()):
            self._n += 1
            connection.ask(*self._next(), now)
        else:
            self._idle.append(connection)
            self._hand_out()

    def _next(self) -> tuple[Ask, bytes]:
        """What is asked next, and its bytes."""
        job = self._job
        self._left += 1
        if job.query is not None and (job.send is None or self._query_is_next()):
            ask, number = job.query, b"%d" % self._known(next(self._asked))
        else:
            assert job.send is not None
            ask, number = job.send, recipient(next(self._numbers))
        return ask, b"".join((ask.before, number, ask.after))

    def _query_is_next(self) -> bool:
        """Queries are spread evenly between the sends; there is none before there is a message."""
        share = self._job.queries
        return bool(self.tally.ids) and int(self._left * share) > int((self._left - 1) * share)

    def _known(self, n: int) -> int:
        """The id of a message that there is."""
        first, end = self._job.ids
        scattered = n * SCATTER
        return first + scattered % (end - first) if end else self.tally.ids[scattered % len(self.tally.ids)]

    def lost(self, connection: "Connection", *, asking: bool) -> None:
        """The other side has closed the connection, or we have at the end."""
        if asking:
            self.tally.failed("the connection was closed")
        elif connection in self._idle:
            self._idle.remove(connection)
        else:
            return
        self.finished()

    def finished(self) -> None:
        self._open -= 1
        if not self._open:
            self.over.set()


class Connection(asyncio.Protocol):
    """One client: asks, waits, and is free again."""

    _transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self._load = load
        self._ask: Ask | None = None
        self._planned_at = 0.0
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is no subclass

    def ask(self, ask: Ask, data: bytes, planned_at: float) -> None:
        self._ask, self._planned_at = ask, planned_at
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._data += data
        reply = body(self._data)
        if reply is not None and self._ask is not None:
            self._data, ask, self._ask = b"", self._ask, None
            self._load.tally.answered(ask, self._planned_at, reply, time.monotonic())
            self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self, asking=self._ask is not None)

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
    replies = await load.run(connections)
    for connection in connections:
        connection.close()
    return replies


if __name__ == "__main__":
    main("bench: load", Job, run)
