"""The worker: claim what is due, submit it, record the answers, run the timers, match late receipts.

It also does what the operator has ordered of the connectors, and tells how they stand.

Rule 1: a message is kept as SENDING before a byte of it leaves.
Rule 2: an answer is recorded however long the store takes; if this process dies first, it counts as lost.
Rule 3: a loop survives everything but its own end, and ends between two turns.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Container, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from msgspec.structs import replace

from hopwire import choice, metrics
from hopwire.channels import NO_ROOM, Channel
from hopwire.choice import AWAY, Rank
from hopwire.errors import Unavailable
from hopwire.events import Answered
from hopwire.minutes import Minute, Minutes
from hopwire.model import Answer, ConnectorState, Handover, Incoming, Receipt
from hopwire.pulse import Pulse
from hopwire.store import Change, Store
from hopwire.store.connectors import FRESH_MS, ConnectorOrder, Connectors, Told
from hopwire.store.inbox import Inbox
from hopwire.store.limits import forget as forget_counts
from hopwire.store.memory import Memory
from hopwire.store.notices import Notices
from hopwire.store.requests import Requests
from hopwire.store.retention import Retention
from hopwire.store.sessions import Sessions
from hopwire.store.tallies import Tallies
from hopwire.store.turn import Outlet

log = logging.getLogger(__name__)

POLL_S = 0.25  # how late a retry, a schedule or a timer may be noticed
MATCH_S = 1.0
FORGET_S = 3600.0
PAGE_PAUSE_S = 0.05
STUCK_MS = 3_000  # for so long a connector takes nothing before what waits for it goes by others
PAGES = 4  # of MOST messages, that are looked at in one turn for that
MIND_S = 1.0  # how soon a connector is paused, resumed or traced when ordered
TELL_MS = 10_000  # how often it is told how connectors stand, when nothing has changed
FORGET_STATES_MS = 3_600_000
LEFTOVERS_MS = 24 * 3_600_000  # after which a message from a phone is shown without its missing parts
RETRY_S = 0.5  # after the store was unavailable
MOST = 500  # messages claimed, timers run, or answers recorded, at a time

Clock = Callable[[], int]


class Worker:
    """One worker process's part in delivering. `name` tells its claims from other workers'.

    The words are those by which a reader stops and starts being written to.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        lease_s: int,
        clock: Clock,
        stop_words: Sequence[str] = (),
        start_words: Sequence[str] = (),
        retention: Retention | None = None,
        requests_days: int = 0,
    ) -> None:
        self._store = store
        self._inbox = Inbox(store.engine)
        self._connectors = Connectors(store.engine)
        self._words = stop_words, start_words
        self._retention = retention
        self._requests_ms = 86_400_000 * requests_days
        self._tallies = Tallies(store.engine)
        self._name = name
        self._lease_ms = 1000 * lease_s
        self._clock = clock
        self._channels: Mapping[str, Channel] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._unrecorded: list[Change] = []
        self._recording: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._paused: set[str] = set()  # by the operator
        self._open: set[str] = set()  # connectors for which nothing waits: what is due leaves at once
        self._pulses: dict[str, Pulse] = {}
        self._taken: dict[str, int] = {}  # connector -> how many it had taken at the last look
        self._stuck: dict[str, int] = {}  # connector that takes nothing -> since when
        self._told: dict[str, ConnectorState] = {}
        self._told_at = 0
        self._minutes = Minutes()
        self._untold: list[Minute] = []  # minutes that the store has not taken yet

    async def start(self, channels: Mapping[str, Channel], *, at_once: bool = False) -> None:
        """Take over what this worker's last life left in the air, then begin.

        `at_once`: what the store makes due leaves with the same commit, and is not claimed. That needs one
        whose transactions run on this process's loop.
        """
        self._channels = channels
        self._wake = {name: asyncio.Event() for name in channels}
        self._pulses = {name: Pulse() for name in channels}
        lost = await self._store.recover(self._name, self._clock())
        if lost:
            log.warning("recover worker=%s submits_in_doubt=%d", self._name, lost)
        self._store.listen(self._due)
        if at_once:
            self._store.leave_by(Outlet(self._name, self._lease_ms, self._room, self._take))
        for channel in channels.values():
            await channel.start()
            self._loop(partial(self._feed, channel))
        self._loop(self._run_timers)
        self._loop(self._match_receipts)
        self._loop(self._mind_connectors)
        self._loop(self._forget)
        self._loop(self._forget_persons)
        self._loop(self._count_old)

    async def stop(self) -> None:
        """Claim nothing more, give back what has not left, wait for the answers under way, disconnect."""
        self._stopping.set()
        self._due(())
        await asyncio.gather(*self._tasks)
        await asyncio.gather(*(channel.stop() for channel in self._channels.values()))
        if self._recording is not None:
            await self._recording
        with contextlib.suppress(Unavailable):
            await self._tell_minutes(self._minutes.rest(self._states(), self._clock()))

    def ready(self, name: str) -> None:
        """A channel has capacity again, which is news where something waits."""
        if name in self._wake and name not in self._open:
            self._wake[name].set()

    async def keep_receipts(self, receipts: Sequence[Receipt]) -> Sequence[str | None]:
        """Keep what an upstream reports; on disk when this gives the ids under which messages were found."""
        return await self._store.keep_receipts(receipts, self._clock())

    async def keep_incoming(self, messages: Sequence[Incoming]) -> None:
        """Keep what phones have sent; on disk when this returns."""
        await self._inbox.keep_incoming(messages, self._clock(), *self._words)

    def outstanding(self, connector: str) -> Callable[[int], Awaitable[Sequence[str]]]:
        """What asks for the ids of messages that the connector has taken and that have not ended."""
        return partial(self._store.outstanding, connector)

    def late(self, connector: str, message_id: int, step: int, part: int, answer: Answer) -> None:
        """An upstream has answered a submit that had been given up."""
        self._record([(message_id, Answered(step, part, answer, connector))])

    # ---- the loops

    def _loop(self, turn: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._until_stopped(turn)))

    async def _until_stopped(self, turn: Callable[[], Awaitable[None]]) -> None:
        """Take turns; the last one is finished, so that what it claimed is handed over or given back."""
        while not self._stopping.is_set():
            try:
                await turn()
                await asyncio.sleep(0)  # SQLite's verbs do not wait, and others have their turns, too
            except Unavailable:
                log.warning("the store is unavailable, trying again")
                await _wait(self._stopping, RETRY_S)
            except Exception:  # a bug: claimed rows come back as lost when their lease ends
                log.exception("a worker's loop failed")
                await _wait(self._stopping, RETRY_S)

    def _due(self, connectors: Collection[str]) -> None:
        """Something waits on these, or on any."""
        for name in connectors or self._wake:
            if name in self._wake:
                self._open.discard(name)
                self._wake[name].set()

    async def _feed(self, channel: Channel) -> None:
        """Hand over what is due on one channel while it has room, then wait for either."""
        wake = self._wake[channel.name]
        wake.clear()
        self._open.discard(channel.name)  # what waits has its turn first
        capacity = 0 if channel.name in self._paused else channel.capacity
        room = min(capacity, MOST)
        metrics.CAPACITY.labels(channel.name).set(capacity)
        taken = await self._claim(channel, room) if room > 0 else 0
        if taken < room or not room:
            await _wait(wake, POLL_S)

    def _room(self, name: str) -> int:
        """How many parts may leave at once, before all that waits."""
        return self._channels[name].capacity if name in self._open and name not in self._paused else 0

    def _take(self, name: str, handovers: Sequence[Handover]) -> None:
        """Submit what the store has begun."""
        self._hand_over(self._channels[name], handovers)

    async def _claim(self, channel: Channel, room: int) -> int:
        """Hand over what is due, as far as there is room; how much it was."""

        def take(handovers: Sequence[Handover]) -> None:
            self._hand_over(channel, handovers)
            if len(handovers) < room:  # nothing waits: what is due next may leave at once
                self._open.add(channel.name)

        name, now = channel.name, self._clock()
        return len(await self._store.claim(name, self._name, room, self._lease_ms, now, take))

    def _hand_over(self, channel: Channel, handovers: Sequence[Handover]) -> None:
        """Submit in their order, in one turn, so that it leaves in one write.

        What finds no room, for there was some when it was claimed, goes back at once, lest a crash puts it in
        doubt.
        """
        room = 0 if self._stopping.is_set() else channel.capacity
        if leaving := handovers[:room]:
            self._submit(channel, leaving)
        if back := handovers[room:]:
            self._record([answered(handover, NO_ROOM) for handover in back])

    def _submit(self, channel: Channel, handovers: Sequence[Handover]) -> None:
        for handover in handovers:
            if handover.repeated:
                metrics.REPEATED.labels(channel.name).inc()
                log.warning("submit message=%d step=%d part=%d possible_duplicate", *handover.place)
        channel.submit(handovers, partial(self._answered, channel.name, time.monotonic()))

    def _answered(self, connector: str, began: float, answers: Sequence[tuple[Handover, Answer]]) -> None:
        """The connector has answered what it was given then."""
        took_ms = 1000 * (time.monotonic() - began)
        self._pulses[connector].note([answer for _, answer in answers], took_ms, self._clock())
        for kind, count in Counter(type(answer) for _, answer in answers).items():
            metrics.SUBMITS.labels(connector, kind.__name__.lower()).inc(count)
        if log.isEnabledFor(logging.DEBUG):
            for handover, answer in answers:
                log.debug("submit message=%d step=%d part=%d answer=%r", *handover.place, answer)
        self._record([answered(handover, answer, connector) for handover, answer in answers])

    async def _run_timers(self) -> None:
        if await self._store.run_timers(MOST, self._clock()) < MOST:
            await _wait(self._stopping, POLL_S)

    async def _match_receipts(self) -> None:
        await self._store.match_receipts(MOST, self._clock())
        await _wait(self._stopping, MATCH_S)

    async def _forget(self) -> None:
        now = self._clock()
        await self._store.forget_receipts(now)
        await self._inbox.join_leftovers(now, LEFTOVERS_MS)
        await self._connectors.forget_states(now - FORGET_STATES_MS)
        await self._connectors.forget_minutes(now)
        await Memory(self._store.engine).forget_old(now)
        await forget_counts(self._store.engine, now)
        await Notices(self._store.engine).forget_old(now)
        await Requests(self._store.engine).forget(now - self._requests_ms)
        await Sessions(self._store.engine).forget_old(now)
        await _wait(self._stopping, FORGET_S)

    async def _forget_persons(self) -> None:
        """Forget texts and numbers whose time is over; deliveries have their turns between the pages."""
        if self._retention is not None:
            async with aclosing(self._retention.pages(self._clock())) as pages:
                async for _ in pages:
                    await _wait(self._stopping, PAGE_PAUSE_S)
                    if self._stopping.is_set():
                        return
        await _wait(self._stopping, FORGET_S)

    async def _count_old(self) -> None:
        """Count what had happened before there were tallies."""
        more = await self._tallies.count_old(self._clock())
        await _wait(self._stopping, PAGE_PAUSE_S if more else FORGET_S)

    # ---- the connectors

    async def _mind_connectors(self) -> None:
        """Do as the operator has ordered, and tell how the connectors stand."""
        orders = await self._connectors.orders()
        self._follow(orders)
        states, now = self._states(), self._clock()
        if states != self._told or now >= self._told_at + TELL_MS:
            await self._connectors.report(self._name, states, now)
            self._told, self._told_at = states, now
        await self._tell_minutes(self._minutes.look(states, now))
        await self._relieve(states, now)
        await _wait(self._stopping, MIND_S)

    async def _tell_minutes(self, rows: Sequence[Minute]) -> None:
        self._untold += rows
        if self._untold:
            await self._connectors.add_minutes(self._untold)
            self._untold = []

    async def _relieve(self, states: Mapping[str, ConnectorState], now: int) -> None:
        """What waits for connectors that take nothing, at whatever worker, goes by others that are well."""
        self._watch(states, now)
        stuck = [name for name, since in self._stuck.items() if now >= since + STUCK_MS]
        if not stuck or len(states) == 1:
            return
        told = [(one.connector, one.state) for one in await self._others(now)]
        told += [(name, state) for name, state in states.items() if name not in self._stuck]
        well = {name for name, health in choice.best(told).items() if health.rank is Rank.WELL}
        for name in stuck:
            if name not in well:
                await self._reroute(name, well, _why(states[name]), now)

    def _watch(self, states: Mapping[str, ConnectorState], now: int) -> None:
        """Learn which connectors take nothing: they are away, or have no room and take nothing meanwhile."""
        for name, state in states.items():
            taken, self._taken[name] = self._taken.get(name, 0), state.taken
            has_room = state.taken > taken or self._channels[name].capacity > 0
            if has_room and state.state not in AWAY:
                self._stuck.pop(name, None)
            else:
                self._stuck.setdefault(name, now)

    async def _others(self, now: int) -> list[Told]:
        """What the other workers tell."""
        told = await self._connectors.states(now - FRESH_MS)
        return [one for one in told if one.worker != self._name]

    async def _reroute(self, name: str, to: Container[str], why: str, now: int) -> None:
        moved = 0
        for _ in range(PAGES):
            looked, more = await self._store.reroute(name, to, why, MOST, now)
            moved += more
            if looked < MOST:
                break
        if moved:
            log.warning("reroute connector=%s why=%s messages=%d", name, why, moved)

    def _follow(self, orders: Mapping[str, ConnectorOrder]) -> None:
        for name, channel in self._channels.items():
            order = orders.get(name, ConnectorOrder())
            channel.trace(order.trace)
            metrics.PAUSED.labels(name).set(order.paused)
            if order.paused:
                self._paused.add(name)
            elif name in self._paused:
                self._paused.remove(name)
                self._wake[name].set()

    def _states(self) -> dict[str, ConnectorState]:
        return {name: self._state(channel) for name, channel in self._channels.items()}

    def _state(self, channel: Channel) -> ConnectorState:
        state = channel.state
        metrics.IN_FLIGHT.labels(channel.name).set(state.in_flight)
        metrics.RATE.labels(channel.name).set(-1 if state.rate is None else state.rate)
        error_rate, latency_ms = self._pulses[channel.name].told(self._clock())
        word = "paused" if channel.name in self._paused else state.state
        return replace(state, state=word, error_rate=error_rate, latency_ms=latency_ms)

    # ---- recording

    def _record(self, changes: Sequence[Change]) -> None:
        """Record them, together with all that come until the store is free."""
        self._unrecorded += changes
        if self._recording is None:
            self._recording = asyncio.get_running_loop().create_task(self._record_all())

    async def _record_all(self) -> None:
        try:
            while self._unrecorded:
                changes, self._unrecorded = self._unrecorded[:MOST], self._unrecorded[MOST:]
                await self._surely(changes)
        finally:
            self._recording = None

    async def _surely(self, changes: Sequence[Change]) -> None:
        while True:
            try:
                await self._store.record(changes, self._clock())
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            except Exception:
                if len(changes) == 1:  # a bug: the part comes back as lost when its lease ends
                    log.exception("record message=%d", changes[0][0])
                    return
                for change in changes:  # a bug that one of them meets is not the others' trouble
                    await self._surely([change])
                return
            else:
                return


def _why(state: ConnectorState) -> str:
    """Why a connector takes nothing, in a word or two."""
    return "no room" if state.state in ("up", "partly up") else state.state


def answered(handover: Handover, answer: Answer, connector: str = "") -> Change:
    """What the answer to a part means to its message."""
    return handover.message_id, Answered(handover.step, handover.part, answer, connector)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
