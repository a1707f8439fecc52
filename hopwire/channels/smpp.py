"""SMS over one SMPP connection: a transceiver bind to an SMSC, made again whenever it is lost.

Rule 1: what a PDU says is decided in `hopwire.smpp`; here bytes and answers are carried.
Rule 2: a receipt is answered to the SMSC when it is on disk, and not before.
Rule 3: what may have left is `Unknown` when its answer is lost; what has not is `Later`.
"""

import asyncio
import logging
import random
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import cast

from hopwire import metrics, sms
from hopwire.channels import KeepReceipts
from hopwire.config import SmppConnector
from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
    Receipt,
    SmsText,
    Taken,
    Unknown,
    WapPush,
)
from hopwire.smpp import receipt, status
from hopwire.smpp.pdu import BindTransceiver, DeliverSm, GenericNack, SubmitSm, SubmitSmResp, encode
from hopwire.smpp.session import (
    Answered,
    AnsweredLate,
    BindFailed,
    Bound,
    Closed,
    Delivered,
    Event,
    Forgotten,
    Session,
    State,
    Unanswered,
    Unsent,
)

log = logging.getLogger(__name__)

OnLate = Callable[[int, int, int, Answer], None]
"""Told message id, step, part and what the SMSC said after the submit had been answered `Unknown`."""

CONNECT_S = 10.0  # for TCP and TLS
STEADY_S = 60.0  # a connection that lived this long starts the backoff anew
BACKOFF_S = (0.2, 60.0)
REFUSED_S = 30.0  # after refused credentials: SMSCs lock out who hammers
PAUSE_S = (1.0, 30.0)  # after throttling, doubled while it lasts
GOODBYE_S = 5.0  # for the answer to our unbind, and for the last bytes to leave
ALERT_S = 60.0
KEEPING = 8  # bursts of receipts that wait for the store before no more are taken off the wire
MAX_VALIDITY_S = 30 * 86_400

# Type of number and numbering plan (3.4 sections 5.2.5 and 5.2.6)
ALPHANUMERIC = (5, 0)
INTERNATIONAL = (1, 1)
NETWORK_SPECIFIC = (3, 0)


# ---- decisions


def bind(settings: SmppConnector) -> BindTransceiver:
    """The request that opens a session."""
    return BindTransceiver(
        system_id=settings.system_id, password=settings.password, system_type=settings.system_type
    )


def submit_sm(handover: Handover) -> SubmitSm:
    """The PDU for one part. Raises ValueError when its content cannot be put into short messages.

    The parts of a message carry the low octet of its id as their reference, also after a restart.
    """
    assert isinstance(handover.content, SmsText | FlashSms | WapPush)
    segment = sms.encode(handover.content, handover.message_id & 0xFF)[handover.part]
    (ton, npi), sender = source(handover.sender)
    return SubmitSm(
        source_addr_ton=ton,
        source_addr_npi=npi,
        source_addr=sender,
        dest_addr_ton=INTERNATIONAL[0],
        dest_addr_npi=INTERNATIONAL[1],
        destination_addr=handover.recipient,
        esm_class=segment.esm_class,
        validity_period=validity_period(handover.lifetime_s),
        registered_delivery=1,
        data_coding=segment.data_coding,
        short_message=segment.udh + segment.payload,
    )


def source(sender: str) -> tuple[tuple[int, int], str]:
    """Type and plan of a sender, and the sender as it is written: a name, a number, or a short code."""
    digits = sender.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return ALPHANUMERIC, sender
    return (INTERNATIONAL if len(digits) >= 7 else NETWORK_SPECIFIC), digits


def validity_period(lifetime_s: int) -> str:
    """Relative time of 3.4 section 7.1.1, in days and below; SMSCs do not keep messages over thirty days."""
    minutes, seconds = divmod(min(lifetime_s, MAX_VALIDITY_S), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"


def answer(response: SubmitSmResp | GenericNack) -> Answer:
    """What the SMSC says of a submit."""
    if isinstance(response, GenericNack):
        return status.nacked(response.status)
    return status.answer(response.status) if response.status else Taken(receipt.key(response.message_id))


def received(connector: str, pdu: DeliverSm) -> Receipt | None:
    """The receipt in a deliver_sm; None when it is an incoming message."""
    said = receipt.parse(pdu)
    if said is None:
        return None
    return Receipt(
        connector=connector,
        provider_id=receipt.key(said.provider_id),
        recipient=recipient(pdu),
        outcome=said.outcome,
        code=said.code,
        fault=said.fault,
        raw=said.raw,
    )


def recipient(pdu: DeliverSm) -> str:
    """Who a receipt is about: most SMSCs swap the addresses of the submit, some do not."""
    numbers = (address.removeprefix("+") for address in (pdu.source_addr, pdu.destination_addr))
    return next((number for number in numbers if re.fullmatch(r"[0-9]{7,15}", number)), "")


def backoff_s(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row; `jitter` of 0 to 1 spreads them over half of it."""
    shortest, longest = BACKOFF_S
    return min(longest, shortest * 2.0 ** min(failures, 20)) * (1 - jitter / 2)


def refused_s(command_status: int) -> float:
    """Seconds to wait, at the least, after a bind was refused."""
    said = status.answer(command_status)
    return said.after_s if isinstance(said, Later) else REFUSED_S


# ---- one connection


class _Link(asyncio.Protocol):
    """Carries bytes between a socket and its session; events go to `take`."""

    session: Session
    _transport: asyncio.Transport

    def __init__(self, settings: SmppConnector, take: "Callable[[_Link, list[Event]], None]") -> None:
        self.waiting: dict[int, tuple[asyncio.Future[Answer], Handover]] = {}  # by sequence
        self.late: dict[int, Handover] = {}  # answered `Unknown`, the true answer may still come
        self.hold_s = 0.0  # how long not to connect again, at the least
        self._settings = settings
        self._take = take
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def read(self, more: bool) -> None:
        """Take more off the wire, or leave it there for now."""
        if self._transport.is_closing():
            return
        if more:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s = self._settings
        self.session = Session(
            bind(s),
            self._loop.time(),
            window=s.window,
            response_timeout_s=s.response_timeout_s,
            enquire_link_s=s.enquire_link_s,
        )
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._handle(self.session.receive(data, self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._handle(self.session.receive(b"", self._loop.time()))

    def submit(self, pdu: SubmitSm, handover: Handover) -> "asyncio.Future[Answer]":
        sequence = self.session.submit(pdu, self._loop.time())
        future: asyncio.Future[Answer] = self._loop.create_future()
        self.waiting[sequence] = (future, handover)
        self.flush_soon()
        return future

    def unbind(self) -> None:
        self.session.unbind(self._loop.time())
        self.flush_soon()

    def flush_soon(self) -> None:
        """What is said in one turn of the loop leaves in one write."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        self._flushing = False
        if data := self.session.data_to_send():
            self._transport.write(data)
        if self.session.state is State.CLOSED:
            self.close()
        elif self._timer is None or self.session.next_tick < self._timer_at:
            self._set_timer(self.session.next_tick)

    def close(self) -> None:
        """Let the last bytes leave, then end the connection."""
        if self.over.done():
            return
        self.over.set_result(None)
        if self._timer:
            self._timer.cancel()
        self._transport.close()
        self._loop.call_later(GOODBYE_S, self._transport.abort)

    def _handle(self, events: list[Event]) -> None:
        self._take(self, events)
        if self.session.state is State.CLOSED:
            self.flush()
        else:
            self.flush_soon()

    def _set_timer(self, at: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(at, self._tick), at

    def _tick(self) -> None:
        self._timer = None
        self._handle(self.session.tick(self._loop.time()))


# ---- the channel


class SmppChannel:
    """One SMSC account at work.

    `on_ready` is called whenever capacity comes back after it was 0, `on_late` when a submit that was
    answered `Unknown` is answered by the SMSC within ten minutes after all. Raises ValueError for credentials
    that no PDU can carry.
    """

    def __init__(
        self,
        name: str,
        settings: SmppConnector,
        keep_receipts: KeepReceipts,
        on_ready: Callable[[], None],
        on_late: OnLate | None = None,
    ) -> None:
        encode(bind(settings))  # what cannot be sent is an error now, not in the middle of a connection
        self.name = name
        self._settings = settings
        self._keep_receipts = keep_receipts
        self._on_ready = on_ready
        self._on_late = on_late
        self._link: _Link | None = None  # while bound
        self._running: asyncio.Task[None] | None = None
        self._keeping: set[asyncio.Task[None]] = set()
        self._blocked = True  # capacity was 0 and nobody has been told otherwise
        self._stopping = False
        self._quiet_until = 0.0  # no other alert before
        self._pause_s = PAUSE_S[0]
        self._resume: asyncio.TimerHandle | None = None  # set while paused

    @property
    def capacity(self) -> int:
        """How many parts may be submitted now."""
        if self._link is None or self._resume or self._stopping:
            return 0
        return self._link.session.room

    @property
    def paused(self) -> bool:
        """Whether the SMSC has asked for fewer messages just now."""
        return self._resume is not None

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._running = asyncio.create_task(self._run(), name=f"smpp {self.name}")

    async def submit(self, handover: Handover) -> Answer:
        """Hand over one part; raises nothing. Without capacity the answer is `Later` at once."""
        if not self.capacity or self._link is None:
            return Later(self._pause_s, "no capacity", throttled=True)
        try:
            future = self._link.submit(submit_sm(handover), handover)
        except ValueError:
            return Never("cannot be encoded", Fault.CONTENT)
        self._blocked = not self.capacity
        return await future

    async def stop(self) -> None:
        """Wait for the answers under way and for the receipts, unbind, disconnect."""
        self._stopping = True
        if self._link:
            await self._say_goodbye(self._link)
        if self._running:
            self._running.cancel()
            await asyncio.wait({self._running})
        if self._resume:
            self._resume.cancel()
        await self._receipts_kept()

    async def _say_goodbye(self, link: _Link) -> None:
        if link.waiting:
            await asyncio.wait([future for future, _ in link.waiting.values()])
        await self._receipts_kept()
        link.unbind()
        await asyncio.wait({link.over}, timeout=GOODBYE_S)
        link.close()

    async def _receipts_kept(self) -> None:
        while self._keeping:
            await asyncio.wait(self._keeping)

    # ---- connecting

    async def _run(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began = loop.time()
            hold_s = await self._connect()
            failures = 0 if loop.time() - began > STEADY_S else failures + 1
            await asyncio.sleep(max(hold_s, backoff_s(failures - 1, random.random())))  # noqa: S311 - no secret

    async def _connect(self) -> float:
        """Live through one connection; gives the seconds to stay away, at the least."""
        s = self._settings
        link = _Link(s, self._take)
        try:
            tls = ssl.create_default_context() if s.tls else None
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(lambda: link, s.host, s.port, ssl=tls)
        except (OSError, UnicodeError) as error:  # TimeoutError and SSLError, too; a name that is none
            log.warning("connect connector=%s failed: %s", self.name, error or type(error).__name__)
            return 0
        try:
            await asyncio.shield(link.over)
        finally:
            link.close()
        return link.hold_s

    # ---- events

    def _take(self, link: _Link, events: Iterable[Event]) -> None:
        delivered = []
        for event in events:
            match event:
                case Answered():
                    self._answered(link, event)
                case Delivered():
                    delivered.append(event.pdu)
                case Unanswered():
                    self._unanswered(link, event.sequence)
                case Unsent():
                    self._settle(link, event.sequence, Later(1, "connection lost", throttled=True))
                case AnsweredLate():
                    self._answered_late(link.late.pop(event.sequence), answer(event.response))
                case Forgotten():
                    del link.late[event.sequence]
                case Bound() | BindFailed() | Closed():
                    self._changed(link, event)
        if delivered:
            self._keep(link, delivered)
        self._announce()

    def _answered(self, link: _Link, event: Answered) -> None:
        said = answer(event.response)
        if isinstance(said, Later) and said.throttled:
            self._pause()
        elif isinstance(said, Taken) and not self._resume:
            self._pause_s = PAUSE_S[0]
        elif isinstance(said, Never) and said.fault is Fault.CONFIGURATION:
            self._alert(said.code)
        if isinstance(event.response, SubmitSmResp) and event.response.status in status.REBIND:
            link.unbind()
        self._settle(link, event.sequence, said)

    def _alert(self, code: str) -> None:
        """Tell the operator, once a minute. There is no pause: such a code may be about one message only."""
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + ALERT_S
            metrics.ALERTS.labels(self.name).inc()
            log.error("connector=%s refused our configuration code=%s", self.name, code)

    def _unanswered(self, link: _Link, sequence: int) -> None:
        link.late[sequence] = link.waiting[sequence][1]
        lost = link.session.state is State.CLOSED
        self._settle(link, sequence, Unknown("connection lost" if lost else "no answer in time"))

    def _settle(self, link: _Link, sequence: int, said: Answer) -> None:
        future, handover = link.waiting.pop(sequence)
        if not future.done():
            future.set_result(said)
        elif not isinstance(said, Unknown):  # who waited was cancelled; that is `Unknown` to them
            self._answered_late(handover, said)

    def _answered_late(self, handover: Handover, said: Answer) -> None:
        if self._on_late:
            self._on_late(handover.message_id, handover.step, handover.part, said)

    def _changed(self, link: _Link, event: Bound | BindFailed | Closed) -> None:
        match event:
            case Bound(_, version):
                log.info("bound connector=%s interface_version=%s", self.name, version)
                self._link = link
            case BindFailed(command_status):
                log.error("bind refused connector=%s status=%s", self.name, status.name(command_status))
                link.hold_s = refused_s(command_status)
            case Closed(reason):
                level = logging.INFO if self._stopping else logging.WARNING
                log.log(level, "disconnected connector=%s: %s", self.name, reason)
                self._link, self._blocked = None, True

    # ---- capacity

    def _pause(self) -> None:
        if self._resume:
            return
        self._blocked = True
        self._resume = asyncio.get_running_loop().call_later(self._pause_s, self._go_on)
        self._pause_s = min(2 * self._pause_s, PAUSE_S[1])

    def _go_on(self) -> None:
        self._resume = None
        self._announce()

    def _announce(self) -> None:
        if self._blocked and self.capacity:
            self._blocked = False
            self._on_ready()

    # ---- receipts

    def _keep(self, link: _Link, delivered: list[DeliverSm]) -> None:
        task = asyncio.create_task(self._keep_and_answer(link, delivered))
        self._keeping.add(task)
        link.read(len(self._keeping) < KEEPING)

        def done(task: asyncio.Task[None]) -> None:
            self._keeping.discard(task)
            link.read(True)

        task.add_done_callback(done)

    async def _keep_and_answer(self, link: _Link, delivered: list[DeliverSm]) -> None:
        found = [(pdu.sequence, received(self.name, pdu)) for pdu in delivered]
        kept = await self._kept([r for _, r in found if r])
        for sequence, said in found:
            if said is None:
                log.info("incoming message connector=%s not kept", self.name)
            link.session.deliver_resp(sequence, status.ROK if kept or said is None else status.RX_T_APPN)
        link.flush_soon()

    async def _kept(self, receipts: list[Receipt]) -> bool:
        try:
            if receipts:
                await self._keep_receipts(receipts)
        except Exception:  # the SMSC keeps them and sends them again
            log.exception("keep receipts connector=%s count=%d", self.name, len(receipts))
            return False
        return True
