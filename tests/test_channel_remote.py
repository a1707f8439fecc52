"""Channels at work in another process: the owner's end and the host's, over a real Unix socket."""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from http_ends import Far, handover, listening
from http_ends import channel as http_channel
from msgspec.structs import replace

from hopwire.channels import NO_ROOM, Channel, OnAnswers
from hopwire.channels.remote import GONE, Host, RemoteChannel, Remotes
from hopwire.config import ViberConnector
from hopwire.model import (
    Answer,
    ConnectorState,
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
    SmsContent,
    SmsText,
    Taken,
    Template,
    TraceOrder,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
    Writing,
)

NAME = "viber"
SETTINGS = ViberConnector(url="http://127.0.0.1:1/", service_ids={"*": 1}, callback_secret="a" * 16, window=3)
TAKEN = Taken("token")


class Line:
    """A channel with room for so many parts, which answers when it is told to."""

    name = NAME

    def __init__(self, room: int) -> None:
        self.room = room
        self.most = 0  # that were under way at a time
        self.state = ConnectorState(kind="viber", state="up", window=room)
        self.has = asyncio.Event()
        self.under_way: list[tuple[Handover, OnAnswers]] = []
        self.host: Host

    @property
    def capacity(self) -> int:
        return max(0, self.room - len(self.under_way))

    async def start(self) -> None:
        self.host.ready(NAME)

    def submit(self, handovers: Sequence[Handover], on_answers: OnAnswers) -> None:
        self.under_way += [(handover, on_answers) for handover in handovers]
        self.most = max(self.most, len(self.under_way))
        if handovers:
            self.has.set()

    def answer(self, said: Answer, n: int = 1) -> None:
        """Answer for the oldest, or for the oldest so many at a time."""
        answered, self.under_way = self.under_way[:n], self.under_way[n:]
        for one, on_answers in answered:
            on_answers([(one, said)])
        self.host.ready(NAME)

    def trace(self, order: TraceOrder | None) -> None:
        pass

    async def stop(self) -> None:
        self.answer(TAKEN, len(self.under_way))


class Owner:
    """The owner's end, and what it was told."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = RemoteChannel(NAME, SETTINGS, self._has_room, self._late)
        self.told: list[tuple[Handover, Answer]] = []
        self.late: list[tuple[int, int, int, Answer]] = []
        self._news = asyncio.Event()
        self._remotes = Remotes({NAME: self.channel})
        self._sock = sock

    async def come(self) -> None:
        await self._remotes.start(self._sock.dup())

    async def go(self) -> None:
        await self._remotes.stop()

    def submit(self, *handovers: Handover) -> None:
        self.channel.submit(handovers, self._answered)

    def _answered(self, answers: Sequence[tuple[Handover, Answer]]) -> None:
        self.told += answers
        self._news.set()

    def _has_room(self) -> None:
        self._news.set()

    def _late(self, message_id: int, step: int, part: int, answer: Answer) -> None:
        self.late.append((message_id, step, part, answer))
        self._news.set()

    async def hears(self, answers: int) -> list[tuple[Handover, Answer]]:
        """What it was told, when there are so many answers."""
        while len(self.told) < answers:
            await self._next()
        return self.told

    async def hears_late(self) -> list[tuple[int, int, int, Answer]]:
        while not self.late:
            await self._next()
        return self.late

    async def has_room(self, room: int) -> None:
        while self.channel.capacity != room:
            await self._next()

    async def is_told(self, state: str) -> ConnectorState:
        while self.channel.state.state != state:  # noqa: ASYNC110 - a state is looked at, not waited for
            await asyncio.sleep(0.01)
        return self.channel.state

    async def _next(self) -> None:
        self._news.clear()
        await self._news.wait()


class Place:
    """Where they meet."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "remotes"
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(self.path))
        self.sock.listen()
        self._hosts: list[Host] = []
        self._owners: list[Owner] = []

    async def owner(self) -> Owner:
        one = Owner(self.sock)
        await one.come()
        self._owners.append(one)
        return one

    async def host(self, line: Line) -> Host:
        line.host = host = Host(self.path)
        return await self.start(host, line)

    async def start(self, host: Host, channel: Channel) -> Host:
        await host.start({NAME: channel})
        self._hosts.append(host)
        return host

    async def with_one_under_way(self, room: int = 2) -> tuple[Owner, Line]:
        """Both ends, and part 1 with the host."""
        owner, line = await self.owner(), Line(room)
        await self.host(line)
        await owner.has_room(room)
        owner.submit(part(1))
        await line.has.wait()
        return owner, line

    async def close(self) -> None:
        for host in self._hosts:
            await host.stop()
        for owner in self._owners:
            await owner.go()
        self.sock.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    one = Place(tmp_path)
    yield one
    await one.close()


def part(n: int) -> Handover:
    return handover(message_id=n)


def break_off(host: Host) -> None:
    """Let the connection end without a word."""
    assert host._owner is not None
    host._owner.transport.abort()


# ---- there and back


CONTENTS: list[SmsContent | ViberContent] = [
    ViberText(text="Привіт"),
    ViberImage(image="https://a.example/a.png", url="https://a.example"),
    ViberButton(text="a", caption="b", url="https://a.example", image="https://a.example/a.png"),
    SmsText(text="€ [x]"),
    FlashSms(text="now"),
    WapPush(text="see", url="https://a.example"),
]
ANSWERS: list[Answer] = [
    Taken("17"),
    Taken(""),
    Later(2.5, "7", throttled=True, tries=3),
    Never("9", Fault.NO_ACCOUNT),
    Never("paused", Fault.CONFIGURATION, unasked=True),
    Unknown("no answer: TimeoutError"),
]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda one: type(one).__name__)
async def test_a_part_arrives_as_it_was(place: Place, content: SmsContent | ViberContent) -> None:
    owner, line = await place.owner(), Line(1)
    await place.host(line)
    given = replace(
        handover(content, template=Template(kind="a", id="b", language="uk", parameters={"c": "d"})),
        step=1,
        part=2,
        parts=3,
        repeated=True,
        writing=Writing(long="sar"),
        report=False,
        installation="x",
        via=("y", "z"),
    )
    await owner.has_room(1)
    owner.submit(given)
    await line.has.wait()
    assert [one for one, _ in line.under_way] == [given]


@pytest.mark.parametrize("said", ANSWERS, ids=str)
async def test_an_answer_comes_back_as_it_was(place: Place, said: Answer) -> None:
    owner, line = await place.owner(), Line(1)
    await place.host(line)
    await owner.has_room(1)
    owner.submit(part(5))
    await line.has.wait()
    line.answer(said)
    assert await owner.hears(1) == [(part(5), said)]
    await owner.has_room(1)


async def test_a_real_channel_asks_its_provider_for_the_owner(place: Place) -> None:
    far = Far()
    far.says(b'{"status": 0, "message_token": 99}')
    async with listening(far) as url:
        host = Host(place.path)
        owner = await place.owner()
        at_work = http_channel(replace(SETTINGS, url=url))
        await place.start(host, at_work)
        await owner.has_room(3)
        assert (await owner.is_told("up")).window == 3
        owner.submit(part(1), part(2))
        assert sorted(await owner.hears(2), key=lambda one: one[0].message_id) == [
            (part(1), Taken("99")),
            (part(2), Taken("99")),
        ]
        await host.stop()
        place._hosts.clear()


# ---- room


async def test_what_is_on_its_way_takes_of_the_room(place: Place) -> None:
    owner, line = await place.owner(), Line(3)
    await place.host(line)
    await owner.has_room(3)
    owner.submit(part(1), part(2))
    assert owner.channel.capacity == 1
    await line.has.wait()
    await owner.has_room(1)
    line.answer(TAKEN)
    await owner.has_room(2)


async def test_what_finds_no_room_any_more_goes_back_unasked(place: Place) -> None:
    owner, line = await place.owner(), Line(3)
    await place.host(line)
    await owner.has_room(3)
    line.room = 1  # and the owner has not been told
    owner.submit(part(1), part(2), part(3))
    assert await owner.hears(2) == [(part(2), NO_ROOM), (part(3), NO_ROOM)]
    assert [one.message_id for one, _ in line.under_way] == [1]
    assert owner.channel.capacity == 0


@pytest.mark.parametrize("seed", range(10))
async def test_there_is_never_more_than_there_is_room_for_and_all_is_answered_once(
    place: Place, seed: int
) -> None:
    chance = random.Random(seed)
    owner, line = await place.owner(), Line(5)
    await place.host(line)
    await owner.has_room(5)
    given = 0
    for _ in range(200):
        if chance.random() < 0.5 and (room := owner.channel.capacity):
            n = chance.randint(1, room)
            owner.submit(*map(part, range(given, given + n)))
            given += n
        if chance.random() < 0.5:
            line.answer(chance.choice(ANSWERS), chance.randint(1, 3))
        await asyncio.sleep(0)
    while len(owner.told) < given:
        line.answer(TAKEN, 5)
        await asyncio.sleep(0)
    assert given > 50
    assert line.most == 5
    assert sorted(one.message_id for one, _ in owner.told) == list(range(given))
    assert NO_ROOM not in [said for _, said in owner.told]
    assert owner.late == []


# ---- coming and going


async def test_without_a_host_there_is_no_room(place: Place) -> None:
    owner = await place.owner()
    assert (owner.channel.capacity, owner.channel.state.state) == (0, "down")
    assert owner.channel.state.kind == "viber"
    owner.submit(part(1))
    assert owner.told == [(part(1), NO_ROOM)]


async def test_what_a_host_had_that_is_gone_is_unknown(place: Place) -> None:
    owner, line = await place.with_one_under_way()
    await owner.is_told("up")
    break_off(line.host)
    assert await owner.hears(1) == [(part(1), GONE)]
    assert owner.channel.state.state == "down"


async def test_an_answer_that_is_late_is_told_as_one(place: Place) -> None:
    """The host finds the owner again, and tells it what it was asked over the connection that broke."""
    owner, line = await place.with_one_under_way()
    break_off(line.host)
    await owner.hears(1)
    await owner.has_room(1)  # one is under way still
    line.answer(TAKEN)
    assert await owner.hears_late() == [(1, 0, 0, TAKEN)]
    await owner.has_room(2)


async def test_an_answer_waits_for_the_next_owner(place: Place) -> None:
    owner, line = await place.with_one_under_way()
    before = line.host._owner
    await owner.go()
    while line.host._owner in (before, None):  # noqa: ASYNC110 - the door is open, and nobody is behind it
        await asyncio.sleep(0.01)
    line.answer(TAKEN)
    another = await place.owner()
    assert await another.hears_late() == [(1, 0, 0, TAKEN)]
    await another.has_room(2)
    assert (await another.is_told("up")).window == 2


async def test_a_host_that_leaves_answers_for_what_it_has_and_takes_no_more(place: Place) -> None:
    owner, line = await place.with_one_under_way(3)
    stopping = asyncio.create_task(line.host.stop())
    await asyncio.sleep(0)  # it has said that it leaves
    owner.submit(part(2))  # and that has not been heard yet
    await stopping
    told = await owner.hears(2)
    assert sorted((one.message_id, said) for one, said in told) == [(1, TAKEN), (2, TAKEN)]
    assert owner.channel.capacity == 0
    owner.submit(part(3))
    assert owner.told[2:] == [(part(3), NO_ROOM)]
    place._hosts.clear()


async def test_who_stops_the_owner_waits_for_what_is_under_way(place: Place) -> None:
    owner, line = await place.owner(), Line(3)
    await place.host(line)
    await owner.has_room(3)
    owner.submit(part(1), part(2))
    await line.has.wait()
    stopping = asyncio.create_task(owner.channel.stop())
    line.answer(TAKEN)
    await owner.hears(1)
    assert not stopping.done()
    line.answer(TAKEN)
    await stopping
    assert Counter(said for _, said in owner.told) == {TAKEN: 2}


async def test_of_two_hosts_the_last_one_counts(place: Place) -> None:
    owner, first, second = await place.owner(), Line(2), Line(1)
    await place.host(first)
    await owner.has_room(2)
    owner.submit(part(1))
    await first.has.wait()
    await place.host(second)
    assert await owner.hears(1) == [(part(1), GONE)]
    await owner.has_room(1)
    owner.submit(part(2))
    await second.has.wait()
    second.answer(TAKEN)
    assert (await owner.hears(2))[1] == (part(2), TAKEN)


async def test_how_a_channel_stands_is_told_when_it_changes(place: Place) -> None:
    owner, line = await place.owner(), Line(1)
    await place.host(line)
    await owner.is_told("up")
    line.state = replace(line.state, state="refused", last_error="11", last_error_at=5)
    assert (await owner.is_told("refused")) == line.state
