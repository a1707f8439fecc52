"""SMS over SMPP: one account at an SMSC, by as many sessions as it allows.

Rule 1: what a PDU says is decided in `hopwire.smpp` and in `dialect`; here answers and receipts are carried.
Rule 2: what may have left is `Unknown` when its answer is lost; what has not is `Later`.
Rule 3: the parts of one message leave over one session.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from hopwire import metrics
from hopwire.channels import KeepIncoming, KeepReceipts, OnAnswers, OnLate, word
from hopwire.channels.smpp import dialect
from hopwire.channels.smpp.intake import Intake
from hopwire.channels.smpp.link import GOODBYE_S, Hold, Link, keep_connected, tls_context
from hopwire.channels.smpp.tracing import Tracing
from hopwire.config import SmppConnector
from hopwire.model import (
    Answer,
    ConnectorState,
    Fault,
    Handover,
    Later,
    Never,
    Taken,
    TraceOrder,
    Unknown,
)
from hopwire.smpp import ids, status
from hopwire.smpp.flow import Flow
from hopwire.smpp.pdu import Bind, BindTransceiver, SubmitSmResp, encode
from hopwire.smpp.session import (
    Answered,
    AnsweredLate,
    BindFailed,
    Bound,
    Closed,
    Delivered,
    Event,
    Forgotten,
    Invited,
    State,
    Unanswered,
    Unsent,
)

log = logging.getLogger(__name__)

ALERT_S = 60.0
ROOM_S = 1.0  # how long a part waits for room on the session of its message
NO_CAPACITY = Later(1, "no capacity", throttled=True, unasked=True)
WAKE_S = 0.01  # the least time between two wakings for tokens of the rate
MOST_MESSAGES = 10_000  # whose session is remembered


def check(settings: SmppConnector) -> None:
    """Raises ValueError for settings that no PDU can carry or that mean nothing, OSError for `tls_ca`."""
    encode(dialect.bind(settings, BindTransceiver))
    status.Statuses(settings.statuses)
    tls_context(settings)


class SmppChannel:
    """One SMSC account at work.

    `on_ready` is called whenever capacity comes back after it was 0, `on_late` when a submit that was
    answered `Unknown` is answered by the SMSC within ten minutes after all. Raises what `check` raises.
    """

    def __init__(
        self,
        name: str,
        settings: SmppConnector,
        keep_receipts: KeepReceipts,
        keep_incoming: KeepIncoming,
        on_ready: Callable[[], None],
        on_late: OnLate | None = None,
        *,
        share: int = 1,  # how many processes share the rate
    ) -> None:
        self._kinds = dialect.BINDS[settings.bind] * settings.sessions
        check(settings)  # what cannot work is an error now, not in the middle of a connection
        self.name = name
        self._settings = settings
        self._on_ready = on_ready
        self._on_late = on_late
        self._loop = asyncio.get_running_loop()
        self._statuses = status.Statuses(settings.statuses)
        self._ids = ids.Ids(settings.receipt_ids)
        self._flow: Flow
        self._share = share
        self._hold = Hold()
        self._tracing = Tracing(name)
        self._links: list[Link] = []  # bound
        self._link_of: dict[int, Link] = {}  # message whose parts have begun to leave -> its session
        self._patient: set[asyncio.Task[None]] = set()  # parts that wait for room on that session
        self._told: dict[OnAnswers, list[tuple[Handover, Answer]]] = defaultdict(list)  # in one read
        self._running: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self._blocked = True  # capacity was 0 and nobody has been told otherwise
        self._stopping = False
        self._quiet_until = 0.0  # no other alert before
        self._wake: asyncio.TimerHandle | None = None  # set while the rate leaves no room
        self._counts: Counter[str] = Counter()
        self._intake = Intake(name, settings, self._ids, keep_receipts, keep_incoming, self._counts)
        self._refused = False  # the last bind
        self._last_error = ""
        self._last_error_at: int | None = None
        self._bound_at: int | None = None

    # ---- how it stands

    @property
    def capacity(self) -> int:
        """How many parts may be submitted now."""
        room = 0 if self._stopping else sum(link.session.room for link in self._links)
        return min(room, self._flow.room(self._now())) if room else 0

    @property
    def state(self) -> ConnectorState:
        """How it stands, for an operator."""
        now = self._now()
        return ConnectorState(
            kind="smpp",
            sessions=len(self._links),
            sessions_wanted=len(self._kinds),
            window=self._settings.window * sum(link.session.transmits for link in self._links),
            in_flight=sum(link.session.pending for link in self._links),
            rate=self._flow.rate,
            state=self._word(now),
            last_error=self._last_error,
            last_error_at=self._last_error_at,
            bound_at=self._bound_at,
            submitted=self._counts["submitted"],
            taken=self._counts["taken"],
            refused=self._counts["refused"],
            throttled=self._counts["throttled"],
            unknown=self._counts["unknown"],
            receipts=self._counts["receipts"],
            incoming=self._counts["incoming"],
            receipt_ids=self._ids.learned,
        )

    def _word(self, now: float) -> str:
        if not self._links:
            return "refused" if self._refused else "down"
        if self._flow.paused(now):
            return "throttled"
        return "up" if len(self._links) == len(self._kinds) else "partly up"

    def trace(self, order: TraceOrder | None) -> None:
        """Write down what goes over its links from now on, as ordered; None: no more."""
        self._tracing.follow(order)

    # ---- submitting

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._flow = Flow(self._settings.rate / self._share, self._now())
        if self._settings.outbind:
            await self._listen()
            return
        for kind in self._kinds:
            connected = keep_connected(
                self.name, self._settings, self._hold, partial(self._new_link, kind), self._failed
            )
            self._running.append(asyncio.create_task(connected, name=f"smpp {self.name}"))

    def submit(self, handovers: Sequence[Handover], on_answers: OnAnswers) -> None:
        """Hand over parts, which leave in this order in one write; raises nothing.

        What is over the capacity is answered with `Later` at once.
        """
        room, refused = self.capacity, []
        for handover in handovers:
            try:
                said = self._submit(handover, on_answers) if room > 0 else NO_CAPACITY
            except Exception:  # a bug: the part comes back as lost when its lease ends
                log.exception("submit message=%d step=%d", handover.message_id, handover.step)
                continue
            if said is None:
                room -= 1
            else:
                refused.append((handover, said))
        self._note_capacity()
        if refused:
            on_answers(refused)

    def _submit(self, handover: Handover, on_answers: OnAnswers) -> Answer | None:
        """Hand over one part; gives the answer where there is one at once."""
        link = self._link_for(handover)
        if link.session.room:
            return self._submit_over(link, handover, on_answers)
        task = asyncio.create_task(self._submit_in_time(link, handover, on_answers))
        self._patient.add(task)
        task.add_done_callback(self._patient.discard)
        return None

    def _submit_over(self, link: Link, handover: Handover, on_answers: OnAnswers) -> Answer | None:
        now = self._now()
        try:
            pdu = dialect.submit_sm(handover, self._settings, time.time())
            link.submit(pdu, handover, on_answers, now)
        except ValueError:
            return Never("cannot be encoded", Fault.CONTENT)
        self._counts["submitted"] += 1
        self._flow.spend(now)
        return None

    async def _submit_in_time(self, link: Link, handover: Handover, on_answers: OnAnswers) -> None:
        """Wait for room on the session, but not for long."""
        try:
            async with asyncio.timeout(ROOM_S):
                while link.session.state is State.BOUND and not link.session.room:
                    await link.next_answer()
        except TimeoutError:
            pass
        has_room = link.session.room > 0
        said = self._submit_over(link, handover, on_answers) if has_room else NO_CAPACITY
        self._note_capacity()
        if said is not None:
            on_answers([(handover, said)])

    def _link_for(self, handover: Handover) -> Link:
        """The session for a part: that of the parts before it, or the one with most room."""
        link = self._link_of.get(handover.message_id)
        if link not in self._links or link.session.state is not State.BOUND:
            link = max(self._links, key=lambda one: one.session.room)
        if handover.parts > 1:
            self._link_of[handover.message_id] = link
            if len(self._link_of) > MOST_MESSAGES:
                del self._link_of[next(iter(self._link_of))]
        return link

    # ---- stopping

    async def stop(self) -> None:
        """Wait for the answers under way and for the receipts, unbind, disconnect."""
        self._stopping = True
        await asyncio.gather(*self._patient, return_exceptions=True)
        await asyncio.gather(*(self._say_goodbye(link) for link in self._links))
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._server:
            self._server.close()
        if self._wake:
            self._wake.cancel()
        await self._intake.finished()
        self._tracing.stop()

    async def _say_goodbye(self, link: Link) -> None:
        while link.waiting:
            await link.next_answer()
        await self._intake.finished()
        link.unbind()
        await asyncio.wait({link.over}, timeout=GOODBYE_S)
        link.close()

    # ---- connections

    def _new_link(self, kind: type[Bind], invited: bool = False) -> Link:
        return Link(self._settings, kind, self._take, self._tracing, invited)

    async def _listen(self) -> None:
        """Wait for the SMSC to connect (outbind, 3.4 section 2.2.1)."""
        host, _, port = self._settings.outbind.rpartition(":")
        try:
            self._server = await self._loop.create_server(
                lambda: self._new_link(self._kinds[0], invited=True), host.strip("[]"), int(port)
            )
        except OSError as error:
            log.error("listen connector=%s failed: %s", self.name, error.strerror)  # noqa: TRY400
            self._failed(f"cannot listen: {error.strerror}")

    def _failed(self, why: str) -> None:
        self._last_error, self._last_error_at = why, _ms()

    def _now(self) -> float:
        return self._loop.time()

    # ---- events

    def _take(self, link: Link, events: Iterable[Event]) -> None:
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
                    self._settle(link, event.sequence, Later(1, "not sent", throttled=True))
                case AnsweredLate():
                    said = dialect.answer(event.response, self._statuses, self._ids)
                    self._answered_late(link.late.pop(event.sequence), said)
                case Forgotten():
                    del link.late[event.sequence]
                case _:
                    self._changed(link, event)
        if delivered:
            link.of_use = True
            self._intake.take(link, delivered)
        self._tell()
        self._announce()

    def _tell(self) -> None:
        """Tell of all that has been answered in one read."""
        if self._told:
            told, self._told = self._told, defaultdict(list)
            for on_answers, answers in told.items():
                on_answers(answers)

    def _answered(self, link: Link, event: Answered) -> None:
        said = dialect.answer(event.response, self._statuses, self._ids)
        left_at, now = link.waiting[event.sequence].left_at, self._now()
        match said:
            case Taken():
                self._flow.taken(left_at)
                link.of_use = True
            case Later(_, code, True):
                self._flow.throttled(left_at, now)
                self._note_capacity()
                said = Later(max(said.after_s, self._flow.ready_at(now) - now), code, throttled=True)
            case Never(code, Fault.CONFIGURATION):
                self._alert(code)
        if isinstance(event.response, SubmitSmResp) and self._out_of_step(event.response.status):
            link.unbind()
        self._settle(link, event.sequence, said)

    def _out_of_step(self, command_status: int) -> bool:
        return bool(command_status) and self._statuses.meaning(command_status).kind is status.Class.SESSION

    def _alert(self, code: str) -> None:
        """Tell the operator, once a minute. There is no pause: such a code may be about one message only."""
        self._failed(code)
        if self._now() >= self._quiet_until:
            self._quiet_until = self._now() + ALERT_S
            metrics.ALERTS.labels(self.name).inc()
            log.error("connector=%s refused our configuration code=%s", self.name, code)

    def _unanswered(self, link: Link, sequence: int) -> None:
        link.late[sequence] = link.waiting[sequence].handover
        lost = link.session.state is State.CLOSED
        self._settle(link, sequence, Unknown("connection lost" if lost else "no answer in time"))

    def _settle(self, link: Link, sequence: int, said: Answer) -> None:
        handover, on_answers, _ = link.settle(sequence)
        self._counts[counted := word(said)] += 1
        if counted == "throttled":
            metrics.THROTTLED.labels(self.name).inc()
        if handover.part + 1 == handover.parts and not isinstance(said, Later):
            self._link_of.pop(handover.message_id, None)
        self._told[on_answers].append((handover, said))

    def _answered_late(self, handover: Handover, said: Answer) -> None:
        if self._on_late:
            self._on_late(handover.message_id, handover.step, handover.part, said)

    def _changed(self, link: Link, event: Event) -> None:
        match event:
            case Bound(_, version):
                log.info("bound connector=%s interface_version=%s", self.name, version)
                metrics.BINDS.labels(self.name, "ok").inc()
                self._links.append(link)
                link.bound_at = self._now()
                self._hold.accepted()
                self._refused, self._bound_at = False, _ms()
            case BindFailed(command_status):
                self._bind_failed(link, command_status)
            case Invited(_, password):
                wanted = self._settings.outbind_password
                link.accept(not self._stopping and wanted in ("", password))
            case Closed(reason):
                level = logging.INFO if self._stopping else logging.WARNING
                log.log(level, "disconnected connector=%s: %s", self.name, reason)
                if link in self._links:
                    self._links.remove(link)
                self._blocked = True
                if not self._stopping and not self._refused:
                    self._failed(reason)
        metrics.SESSIONS.labels(self.name).set(len(self._links))

    def _bind_failed(self, link: Link, command_status: int) -> None:
        name = status.name(command_status)
        meaning = self._statuses.meaning(command_status)
        log.error("bind refused connector=%s status=%s", self.name, name)
        metrics.BINDS.labels(self.name, name).inc()
        self._failed(f"bind refused: {name}")
        self._refused = True
        if meaning.kind in status.FAULTS:
            metrics.ALERTS.labels(self.name).inc()
            self._hold.refused()
        else:
            link.hold_s = meaning.after_s

    # ---- capacity

    def _note_capacity(self) -> None:
        """After what takes capacity: whoever finds none is told when there is some again."""
        if self.capacity:
            return
        self._blocked = True
        now = self._now()
        if self._wake is None and not self._flow.room(now):
            at = max(self._flow.ready_at(now), now + WAKE_S)
            self._wake = self._loop.call_at(at, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self._announce()

    def _announce(self) -> None:
        if not self._blocked:
            return
        if self.capacity:
            self._blocked = False
            self._on_ready()
        elif self._links:
            self._note_capacity()


def _ms() -> int:
    return time.time_ns() // 1_000_000
