"""Channels at work in another process of the gateway.

With SQLite one process owns the file and has most to do. What is asked of providers over HTTP is asked by a
web process, the host; the owner has a channel for each of those. Here are both ends of their connection.

Rule 1: room is told, not guessed: the host says how much it has, and how many parts it has seen by then.
Rule 2: what was given to a host that is gone is `Unknown`. An answer for which nobody waits any more is late,
not lost: the host keeps it until an owner is there.
Rule 3: a host says that it leaves, hears that nothing more will come, answers for what has, and hangs up.
"""

import asyncio
import contextlib
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from hopwire.channels import NO_ROOM, Channel, OnAnswers, OnLate
from hopwire.config import HttpConnector
from hopwire.frames import Frames
from hopwire.model import Answer, ConnectorState, Fact, Handover, TraceOrder, Unknown

LOOK_S = 0.5  # how often the host tells how channels stand, where that has changed
AGAIN_S = 0.1  # between its tries to reach the owner
BYE_S = 5.0  # for an owner that does not answer; then the host leaves without
GONE = Unknown("no answer: the process has ended")

Said = tuple[int, int, int, Answer]  # message id, step, part, and what was said of it


# ---- what they tell each other


class Parts(Fact, frozen=True, tag="parts"):
    """To the host: submit them, in this order."""

    connector: str
    parts: list[Handover]


class NoMore(Fact, frozen=True, tag="no more"):
    """To the host: nothing will come any more."""


class News(Fact, frozen=True, tag="news"):
    """To the owner: answers, and the room there is after so many parts."""

    connector: str
    room: int
    seen: int  # over this connection
    answers: list[Said]


class Stands(Fact, frozen=True, tag="stands"):
    """To the owner: how a channel stands."""

    connector: str
    state: ConnectorState


class Leaves(Fact, frozen=True, tag="leaves"):
    """To the owner: the host takes nothing more."""


_encode = msgspec.msgpack.Encoder().encode
_for_host = msgspec.msgpack.Decoder(Parts | NoMore).decode
_for_owner = msgspec.msgpack.Decoder(News | Stands | Leaves).decode


# ---- the owner's end


class RemoteChannel:
    """A channel that the host has at work, as `Channel` says; `Remotes` brings what the host tells of it."""

    def __init__(
        self, name: str, settings: HttpConnector, on_ready: Callable[[], None], on_late: OnLate
    ) -> None:
        self.name = name
        self.state = ConnectorState(kind=settings.kind, window=settings.window)  # as the host has told
        self._on_ready = on_ready
        self._on_late = on_late
        self._host: Frames | None = None
        self._room = self._seen = 0  # as it has told
        self._sent = 0  # parts, over this connection
        self._waiting: dict[tuple[int, int, int], tuple[Handover, OnAnswers]] = {}
        self._all_told = asyncio.Event()

    @property
    def capacity(self) -> int:
        """How many parts may be submitted now: those on their way have a claim on the room."""
        return max(0, self._room - (self._sent - self._seen))

    async def start(self) -> None:
        """The host begins by itself."""

    def submit(self, handovers: Sequence[Handover], on_answers: OnAnswers) -> None:
        """Let the host submit them."""
        if self._host is None:
            on_answers([(handover, NO_ROOM) for handover in handovers])
            return
        self._sent += len(handovers)
        self._waiting |= {handover.place: (handover, on_answers) for handover in handovers}
        self._host.tell(_encode(Parts(self.name, list(handovers))))

    def trace(self, order: TraceOrder | None) -> None:
        """There is no SMPP here to be traced."""

    async def stop(self) -> None:
        """Wait until all that was submitted has been told of."""
        while self._waiting:
            self._all_told.clear()
            await self._all_told.wait()

    # ---- the host

    def meet(self, host: Frames) -> None:
        """A host has come, and will tell how much room there is."""
        self._host, self._room, self._seen, self._sent = host, 0, 0, 0

    def hear(self, news: News) -> None:
        """It has answered, or has room."""
        self._room, self._seen = news.room, news.seen
        self._tell(news.answers)
        if self.capacity:
            self._on_ready()

    def close(self) -> None:
        """It takes nothing more, and will answer for what it has."""
        self._host, self._room = None, 0

    def lose(self) -> None:
        """It is gone, with what it had."""
        self.close()
        self.state = replace(self.state, state="down", sessions=0, in_flight=0)
        self._tell([(*place, GONE) for place in self._waiting])

    def _tell(self, said: Sequence[Said]) -> None:
        """Tell those who wait for these answers: each of all at a time that it was given."""
        told: dict[OnAnswers, list[tuple[Handover, Answer]]] = defaultdict(list)
        for message_id, step, part, answer in said:
            waiting = self._waiting.pop((message_id, step, part), None)
            if waiting is None:
                self._on_late(message_id, step, part, answer)
            else:
                handover, on_answers = waiting
                told[on_answers].append((handover, answer))
        for on_answers, answers in told.items():
            on_answers(answers)
        if not self._waiting:
            self._all_told.set()


class Remotes:
    """All channels that the host has, and the connection to it; of two hosts, to the one that came last."""

    def __init__(self, channels: Mapping[str, RemoteChannel]) -> None:
        self._channels = channels
        self._host: Frames | None = None
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Wait for the host on a Unix socket that is bound."""
        make = partial(Frames, self._take, self._lose)
        self._server = await asyncio.get_running_loop().create_unix_server(make, sock=sock)

    async def stop(self) -> None:
        """Hang up; nothing is under way any more."""
        if self._server is not None:
            self._server.close()
        if self._host is not None:
            self._host.transport.close()

    def _take(self, host: Frames, frame: bytes) -> None:
        if host is not self._host:
            self._meet(host)
        match _for_owner(frame):
            case News() as news:
                self._channels[news.connector].hear(news)
            case Stands(connector, state):
                self._channels[connector].state = state
            case Leaves():
                for channel in self._channels.values():
                    channel.close()
                host.tell(_encode(NoMore()))

    def _meet(self, host: Frames) -> None:
        if self._host is not None:
            self._lose(self._host)
        self._host = host
        for channel in self._channels.values():
            channel.meet(host)

    def _lose(self, host: Frames) -> None:
        if host is self._host:
            self._host = None
            for channel in self._channels.values():
                channel.lose()


# ---- the host's end


class Host:
    """Has channels at work for the owner, and finds its way back to him whenever he was away."""

    def __init__(self, owner: Path) -> None:
        """`owner`: the path of his socket."""
        self._path = str(owner)
        self._channels: Mapping[str, Channel] = {}
        self._owner: Frames | None = None
        self._seen: Counter[str] = Counter()  # parts of each channel, over this connection
        self._answers: dict[str, list[Said]] = defaultdict(list)  # that he has not been told
        self._with_news: set[str] = set()  # channels
        self._told: dict[str, ConnectorState] = {}
        self._is_leaving = False
        self._no_more = asyncio.Event()  # will come
        self._hung_up = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, channels: Mapping[str, Channel]) -> None:
        """Begin, and look for the owner; returns at once."""
        self._channels = channels
        for channel in channels.values():
            await channel.start()
        self._tasks = [asyncio.create_task(one()) for one in (self._stay_connected, self._stay_known)]

    def ready(self, name: str) -> None:
        """A channel has room, which the owner is told with all that comes in this turn of the loop."""
        if not self._with_news:
            asyncio.get_running_loop().call_soon(self._tell_news)
        self._with_news.add(name)

    async def stop(self) -> None:
        """Take no more, answer for what is under way, hang up."""
        self._is_leaving = True
        if self._owner is not None:
            self._owner.tell(_encode(Leaves()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._no_more.wait(), BYE_S)
        await asyncio.gather(*(channel.stop() for channel in self._channels.values()))
        self._tell_news()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        if self._owner is not None:
            self._owner.transport.close()

    # ---- parts and answers

    def _take(self, owner: Frames, frame: bytes) -> None:
        match _for_host(frame):
            case Parts(connector, parts):
                self._submit(connector, parts)
            case NoMore():
                self._no_more.set()

    def _submit(self, name: str, parts: Sequence[Handover]) -> None:
        """Hand them to the channel; what finds no room any more goes back."""
        channel, on_answers = self._channels[name], partial(self._answered, name)
        self._seen[name] += len(parts)
        room = channel.capacity
        channel.submit(parts[:room], on_answers)
        on_answers([(part, NO_ROOM) for part in parts[room:]])

    def _answered(self, name: str, answers: Sequence[tuple[Handover, Answer]]) -> None:
        self._answers[name] += [(*handover.place, answer) for handover, answer in answers]
        self.ready(name)

    def _tell_news(self) -> None:
        names, self._with_news = self._with_news, set()
        if self._owner is None:
            return
        for name in names:
            room = 0 if self._is_leaving else self._channels[name].capacity
            self._owner.tell(_encode(News(name, room, self._seen[name], self._answers.pop(name, []))))

    def _tell_states(self) -> None:
        if self._owner is None:
            return
        for name, channel in self._channels.items():
            state = channel.state
            if state != self._told.get(name):
                self._owner.tell(_encode(Stands(name, state)))
                self._told[name] = state

    # ---- the owner

    async def _stay_known(self) -> None:
        while True:
            self._tell_states()
            await asyncio.sleep(LOOK_S)

    async def _stay_connected(self) -> None:
        make = partial(Frames, self._take, self._lose)
        while True:
            self._hung_up.clear()
            try:
                _, owner = await asyncio.get_running_loop().create_unix_connection(make, self._path)
            except OSError:
                await asyncio.sleep(AGAIN_S)
            else:
                self._meet(owner)
                await self._hung_up.wait()

    def _meet(self, owner: Frames) -> None:
        self._owner = owner
        self._seen.clear()
        self._told.clear()
        self._tell_states()
        for name in self._channels:
            self.ready(name)

    def _lose(self, owner: Frames) -> None:
        self._owner = None
        self._no_more.set()
        self._hung_up.set()
