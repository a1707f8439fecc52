"""The worker: claim what is due, submit it, record the answers, run the timers, match late receipts.

Rule 1: a message is kept as SENDING before a byte of it leaves.
Rule 2: an answer is recorded however long the store takes; if this process dies first, it counts as lost.
Rule 3: a loop survives everything but its own end, and ends between two turns.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial

from hopwire import metrics
from hopwire.channels import Channel
from hopwire.delivery import Answered
from hopwire.errors import Unavailable
from hopwire.model import Answer, Handover, Later, Receipt
from hopwire.store import Change, Store
from hopwire.store.batch import Batch

log = logging.getLogger(__name__)

POLL_S = 0.25  # how late a retry, a schedule or a timer may be noticed
MATCH_S = 1.0
FORGET_S = 3600.0
RETRY_S = 0.5  # after the store was unavailable
MOST = 500  # messages claimed, or timers run, at a time
ROOM_S = 0.5  # how long the later parts of a message wait for room before they go back

Clock = Callable[[], int]


class Worker:
    """One worker process's part in delivering. `name` tells its claims from other workers'."""

    def __init__(self, store: Store, name: str, lease_s: int, clock: Clock) -> None:
        self._store = store
        self._name = name
        self._lease_ms = 1000 * lease_s
        self._clock = clock
        self._record: Batch[Change, None] = Batch(self._record_many)
        self._channels: Mapping[str, Channel] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._submits: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def start(self, channels: Mapping[str, Channel]) -> None:
        """Take over what this worker's last life left in the air, then begin."""
        self._channels = channels
        self._wake = {name: asyncio.Event() for name in channels}
        lost = await self._store.recover(self._name, self._clock())
        if lost:
            log.warning("recover worker=%s submits_in_doubt=%d", self._name, lost)
        self._store.listen(self._wake_all)
        for channel in channels.values():
            await channel.start()
            self._loop(partial(self._feed, channel))
        self._loop(self._run_timers)
        self._loop(self._match_receipts)
        self._loop(self._forget_receipts)

    async def stop(self) -> None:
        """Claim nothing more, give back what has not left, wait for the answers under way, disconnect."""
        self._stopping.set()
        self._wake_all()
        await asyncio.gather(*self._tasks)
        await asyncio.gather(*(channel.stop() for channel in self._channels.values()))
        if self._submits:
            await asyncio.wait(self._submits)

    def ready(self, name: str) -> None:
        """A channel has capacity again."""
        if name in self._wake:
            self._wake[name].set()

    async def keep_receipts(self, receipts: Sequence[Receipt]) -> None:
        """Keep what an upstream reports; on disk when this returns."""
        await self._store.keep_receipts(receipts, self._clock())

    def late(self, message_id: int, step: int, part: int, answer: Answer) -> None:
        """An upstream has answered a submit that had been given up."""
        self._start_record((message_id, Answered(step, part, answer)))

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

    def _wake_all(self) -> None:
        for event in self._wake.values():
            event.set()

    async def _feed(self, channel: Channel) -> None:
        """Hand over what is due on one channel while it has room, then wait for either."""
        wake = self._wake[channel.name]
        wake.clear()
        room = min(channel.capacity, MOST)
        metrics.CAPACITY.labels(channel.name).set(channel.capacity)
        handovers = await self._claim(channel, room) if room > 0 else []
        await self._hand_over(channel, handovers)
        if len(handovers) < room or not room:
            await _wait(wake, POLL_S)

    async def _claim(self, channel: Channel, room: int) -> list[Handover]:
        return await self._store.claim(channel.name, self._name, room, self._lease_ms, self._clock())

    async def _hand_over(self, channel: Channel, handovers: Sequence[Handover]) -> None:
        """Submit in their order, in one turn what there is room for, so that it leaves in one write.

        What finds no room goes back at once, lest a crash puts it in doubt. There was room when they were
        claimed, but for the later parts of the last message: these may wait.
        """
        patience = asyncio.get_running_loop().time() + ROOM_S
        while handovers:
            if not await self._finds_room(channel, patience if handovers[0].part else 0):
                return self._give_back(handovers)
            room = channel.capacity
            for handover in handovers[:room]:
                self._start(self._submit(channel, handover))
            await asyncio.sleep(0)  # let them write before the next ones look for room
            handovers = handovers[room:]
        return None

    def _give_back(self, handovers: Sequence[Handover]) -> None:
        answer = Later(1.0, "no room", throttled=True)
        for handover in handovers:
            self._start_record((handover.message_id, Answered(handover.step, handover.part, answer)))

    async def _finds_room(self, channel: Channel, patience: float) -> bool:
        wake = self._wake[channel.name]
        while not self._stopping.is_set() and not channel.capacity:
            if asyncio.get_running_loop().time() >= patience:
                return False
            wake.clear()
            await _wait(wake, POLL_S)
        return not self._stopping.is_set()

    async def _submit(self, channel: Channel, handover: Handover) -> None:
        if handover.repeated:
            metrics.REPEATED.labels(channel.name).inc()
            log.warning("submit message=%d step=%d part=%d possible_duplicate", *handover_keys(handover))
        answer = await channel.submit(handover)
        metrics.SUBMITS.labels(channel.name, type(answer).__name__.lower()).inc()
        log.debug("submit message=%d step=%d part=%d answer=%r", *handover_keys(handover), answer)
        await self._surely((handover.message_id, Answered(handover.step, handover.part, answer)))

    async def _run_timers(self) -> None:
        if await self._store.run_timers(MOST, self._clock()) < MOST:
            await _wait(self._stopping, POLL_S)

    async def _match_receipts(self) -> None:
        await self._store.match_receipts(MOST, self._clock())
        await _wait(self._stopping, MATCH_S)

    async def _forget_receipts(self) -> None:
        await self._store.forget_receipts(self._clock())
        await _wait(self._stopping, FORGET_S)

    # ---- recording

    async def _record_many(self, changes: Sequence[Change]) -> Sequence[None]:
        return await self._store.record(changes, self._clock())

    def _start_record(self, change: Change) -> None:
        self._start(self._surely(change))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._submits.add(task)
        task.add_done_callback(self._submits.discard)

    async def _surely(self, change: Change) -> None:
        while True:
            try:
                return await self._record(change)
            except Unavailable:
                await asyncio.sleep(RETRY_S)


def handover_keys(handover: Handover) -> tuple[int, int, int]:
    """What a log line may tell of a hand-over."""
    return handover.message_id, handover.step, handover.part


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
