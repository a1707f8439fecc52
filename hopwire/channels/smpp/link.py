"""One connection to an SMSC, and the loop that makes it again whenever it is lost.

Rule: what a PDU means is decided elsewhere; here bytes go between a socket and its session.
"""

import asyncio
import logging
import math
import random
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple, cast

from hopwire.channels import OnAnswers
from hopwire.channels.smpp.dialect import bind
from hopwire.channels.smpp.tracing import Tracing
from hopwire.config import SmppConnector
from hopwire.model import Handover
from hopwire.smpp.pdu import Bind, SubmitSm
from hopwire.smpp.session import Event, Session, State

log = logging.getLogger(__name__)

CONNECT_S = 10.0  # for TCP and TLS
STEADY_S = 5.0  # a session that was bound this long starts the backoff anew, as one that was of use does
BACKOFF_S = (0.2, 60.0)
REFUSED_S = (60.0, 900.0)  # after refused credentials, doubled: SMSCs lock out who hammers
GOODBYE_S = 5.0  # for the answer to our unbind, and for the last bytes to leave


def backoff_s(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row; `jitter` of 0 to 1 spreads them over half of it."""
    shortest, longest = BACKOFF_S
    return min(longest, shortest * 2.0 ** min(failures, 20)) * (1 - jitter / 2)


class Underway(NamedTuple):
    """A submit that has not been answered."""

    handover: Handover
    on_answers: OnAnswers
    left_at: float  # on the loop's clock


Take = Callable[["Link", list[Event]], None]


class Link(asyncio.Protocol):
    """Carries bytes between a socket and its session; events go to `take`."""

    session: Session
    _transport: asyncio.Transport

    def __init__(
        self, settings: SmppConnector, kind: type[Bind], take: Take, tracing: Tracing, invited: bool = False
    ) -> None:
        self.waiting: dict[int, Underway] = {}  # by sequence
        self.late: dict[int, Handover] = {}  # answered `Unknown`, the true answer may still come
        self._answer = asyncio.Event()  # something that waited has been answered
        self.hold_s = 0.0  # how long not to connect again, at the least
        self.bound_at = math.inf  # on the loop's clock
        self.of_use = False  # the SMSC has taken or brought something over it
        self._settings = settings
        self._kind = kind
        self._take = take
        self._tracing = tracing
        self._invited = invited  # the SMSC has connected, and will ask us to bind
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self._full = self._busy = False  # what we say is not taken; what has come is not kept yet
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # ---- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        s = self._settings
        self.session = Session(
            bind(s, self._kind),
            self._loop.time(),
            window=s.window,
            response_timeout_s=s.response_timeout_s,
            enquire_link_s=s.enquire_link_s,
            inactivity_s=s.inactivity_s,
            outbind=self._invited,
        )
        self.flush()

    def data_received(self, data: bytes) -> None:
        if self._tracing.on:
            self._tracing.received(self, self._transport, self.session.unread, data)
        self._handle(self.session.receive(data, self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._handle(self.session.receive(b"", self._loop.time()))

    def pause_writing(self) -> None:
        """The SMSC does not read: then it is not read from, or what we say would pile up."""
        self._full = True
        self._read_or_not()

    def resume_writing(self) -> None:
        self._full = False
        self._read_or_not()

    def read(self, more: bool) -> None:
        """Take more off the wire, or leave it there for now."""
        self._busy = not more
        self._read_or_not()

    def _read_or_not(self) -> None:
        more = not (self._full or self._busy)
        if self._transport.is_closing() or more == self._transport.is_reading():
            return
        if more:
            self._transport.resume_reading()
            self.session.resume_hearing(self._loop.time())
            self._set_timer()
        else:
            self._transport.pause_reading()
            self.session.pause_hearing()

    def close(self) -> None:
        """Let the last bytes leave, then end the connection."""
        if self.over.done():
            return
        self.over.set_result(None)
        self._tracing.closed(self)
        if self._timer:
            self._timer.cancel()
        self._transport.close()
        self._loop.call_later(GOODBYE_S, self._transport.abort)

    # ---- what its owner does

    def submit(self, pdu: SubmitSm, handover: Handover, on_answers: OnAnswers, now: float) -> None:
        """Submit it, at this time of the loop's clock. Raises ValueError when it cannot be encoded."""
        sequence = self.session.submit(pdu, now)
        self.waiting[sequence] = Underway(handover, on_answers, now)
        self.flush_soon()

    def settle(self, sequence: int) -> Underway:
        """There is an answer to this submit; gives what it is about."""
        self._answer.set()
        return self.waiting.pop(sequence)

    async def next_answer(self) -> None:
        """Return when one more submit has been answered."""
        self._answer.clear()
        await self._answer.wait()

    def unbind(self) -> None:
        """Submit nothing more, and say goodbye when all has been answered."""
        self.session.unbind(self._loop.time())
        self.flush_soon()

    def accept(self, invited: bool) -> None:
        """Answer the SMSC's invitation, with a bind or by hanging up."""
        now = self._loop.time()
        if invited:
            self.session.accept(now)
            self.flush_soon()
        else:
            self._handle(self.session.refuse(now))

    def flush_soon(self) -> None:
        """What is said in one turn of the loop leaves in one write."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        self._flushing = False
        if data := self.session.data_to_send():
            if self._tracing.on:
                self._tracing.sent(self._transport, data)
            self._transport.write(data)
        if self.session.state is State.CLOSED:
            self.close()
        else:
            self._set_timer()

    # ---- time

    def _handle(self, events: list[Event]) -> None:
        self._take(self, events)
        if self.session.state is State.CLOSED:
            self.flush()
        else:
            self.flush_soon()

    def _set_timer(self) -> None:
        at = self.session.next_tick
        if self._timer:
            if at >= self._timer_at:
                return  # it will look again
            self._timer.cancel()
        if at < float("inf"):
            self._timer, self._timer_at = self._loop.call_at(at, self._tick), at

    def _tick(self) -> None:
        self._timer = None
        self._handle(self.session.tick(self._loop.time()))


class Hold:
    """How long all connections leave an SMSC account alone after it has refused our credentials."""

    def __init__(self) -> None:
        self._refusals = 0
        self._until = 0.0

    def refused(self) -> None:
        first, longest = REFUSED_S
        pause_s = min(longest, first * 2.0 ** min(self._refusals, 20))
        self._refusals += 1
        self._until = asyncio.get_running_loop().time() + pause_s

    def accepted(self) -> None:
        self._refusals, self._until = 0, 0.0

    async def over(self) -> None:
        """Return when it is time to try again."""
        loop = asyncio.get_running_loop()
        while (left_s := self._until - loop.time()) > 0:  # noqa: ASYNC110 - it may be set anew meanwhile
            await asyncio.sleep(left_s)


async def keep_connected(
    name: str,
    settings: SmppConnector,
    hold: Hold,
    new_link: Callable[[], Link],
    failed: Callable[[str], None],
) -> None:
    """Connect, live through it, and again, until cancelled; `failed` is told why no connection was made."""
    failures = 0
    loop = asyncio.get_running_loop()
    while True:
        await hold.over()
        link = new_link()
        hold_s = await _connect(name, settings, link, failed)
        failures = 0 if link.of_use or loop.time() - link.bound_at > STEADY_S else failures + 1
        await asyncio.sleep(max(hold_s, backoff_s(failures - 1, random.random())))  # noqa: S311 - no secret


async def _connect(name: str, s: SmppConnector, link: Link, failed: Callable[[str], None]) -> float:
    """Live through one connection; gives the seconds to stay away, at the least."""
    try:
        async with asyncio.timeout(CONNECT_S):
            await asyncio.get_running_loop().create_connection(
                lambda: link,
                s.host,
                s.port,
                ssl=tls_context(s),
                server_hostname=(s.tls_name or s.host) if s.tls else None,
            )
    except (OSError, UnicodeError) as error:  # TimeoutError and SSLError, too; a name that is none
        why = str(error) or type(error).__name__
        log.warning("connect connector=%s failed: %s", name, why)
        failed(why)
        return 0
    try:
        await asyncio.shield(link.over)
    finally:
        link.close()
    return link.hold_s


def tls_context(settings: SmppConnector) -> ssl.SSLContext | None:
    """What the SMSC's certificate is verified by; None: no TLS. Raises OSError for an unusable file."""
    return ssl.create_default_context(cafile=settings.tls_ca or None) if settings.tls else None
