"""Password checks in a queue: who goes first, who has to go, and what is remembered of who was wrong."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from system import PATIENCE_S

from hopwire.credentials import attempts
from hopwire.credentials.attempts import (
    LATELY_S,
    REMEMBERED,
    SUSPECT,
    SUSPECT_WAITING,
    WAITING,
    Attempt,
    Check,
    Checks,
    Line,
    Wrongs,
)
from hopwire.errors import TooManyRequests

NOW = 1000.0


# ---- who was wrong


def test_what_was_wrong_is_counted_until_it_is_long_ago() -> None:
    wrongs = Wrongs()
    for at in (0.0, 1.0, 1.0 + LATELY_S / 2):
        wrongs.add("a", at)
    assert wrongs.of("a", LATELY_S) == 3
    assert wrongs.of("b", LATELY_S) == 0
    assert wrongs.of("a", 1 + LATELY_S * 1.5) == 0
    wrongs.add("a", 1 + LATELY_S * 1.5)
    assert wrongs.of("a", 1 + LATELY_S * 1.5) == 1


def test_of_whoever_was_wrong_so_many_are_remembered() -> None:
    wrongs = Wrongs()
    wrongs.add("often", NOW)
    for i in range(REMEMBERED * 2):
        wrongs.add(i, NOW)
        if i % 1000 == 0:
            wrongs.add("often", NOW)
    assert len(wrongs._counts) == REMEMBERED
    assert wrongs.of("often", NOW) == 21
    assert wrongs.of(0, NOW) == 0


# ---- the line


class Waiting:
    """A line, and how often somebody was wrong before it."""

    def __init__(self, wrong: dict[Attempt, int]) -> None:
        self.line = Line()
        self.number = 0
        for attempt, times in wrong.items():
            for _ in range(times):
                self.line.wrong(attempt, NOW)

    def join(self, attempt: Attempt) -> Attempt | None:
        """Who had to go for it."""
        self.number += 1
        gone = self.line.join(
            Check(attempt, lambda: True, asyncio.get_running_loop().create_future(), self.number), NOW
        )
        return gone and gone.attempt

    def served(self) -> Iterator[Attempt]:
        while one := self.line.take(NOW, 0):
            yield one.attempt


A, B = "192.0.2.1", "192.0.2.2"
SHOP_A, BANK_A, SHOP_B = Attempt("shop", A), Attempt("bank", A), Attempt("shop", B)


@pytest.mark.parametrize(
    ("wrong", "come", "served"),
    [
        pytest.param({}, [SHOP_A, BANK_A, SHOP_B], [SHOP_A, BANK_A, SHOP_B], id="in turn"),
        pytest.param({SHOP_A: 1}, [SHOP_A, SHOP_B], [SHOP_B, SHOP_A], id="from another address"),
        pytest.param({SHOP_A: 1}, [SHOP_A, BANK_A], [BANK_A, SHOP_A], id="another login at the address"),
        pytest.param({SHOP_A: 9}, [BANK_A, SHOP_B], [SHOP_B, BANK_A], id="beside one who guesses"),
        pytest.param({SHOP_A: 9, SHOP_B: 2}, [SHOP_A, SHOP_B], [SHOP_B, SHOP_A], id="who was wrong less"),
    ],
)
async def test_whoever_was_wrong_least_goes_first(
    wrong: dict[Attempt, int], come: list[Attempt], served: list[Attempt]
) -> None:
    waiting = Waiting(wrong)
    assert [waiting.join(one) for one in come] == [None] * len(come)
    assert list(waiting.served()) == served


async def test_of_a_place_that_guesses_few_wait_and_the_rest_is_told_at_once() -> None:
    waiting = Waiting({SHOP_A: SUSPECT})
    gone = [waiting.join(SHOP_A) for _ in range(SUSPECT_WAITING + 5)]
    assert gone == [None] * SUSPECT_WAITING + [SHOP_A] * 5
    assert waiting.join(BANK_A) == SHOP_A  # it was never wrong itself, and takes the place of one that was
    assert waiting.join(SHOP_B) is None
    assert list(waiting.served()) == [SHOP_B, BANK_A, *[SHOP_A] * (SUSPECT_WAITING - 1)]


async def test_a_full_line_has_room_for_those_who_were_wrong_less() -> None:
    crowd = [Attempt("shop", f"198.51.100.{i}") for i in range(WAITING)]
    waiting = Waiting(dict.fromkeys(crowd, 1))
    assert {waiting.join(one) for one in crowd} == {None}
    assert waiting.join(SHOP_B) == crowd[-1]
    assert waiting.join(crowd[0]) == crowd[0]
    assert next(waiting.served()) == SHOP_B
    assert len(list(waiting.served())) == WAITING - 1


async def test_places_that_guess_are_served_one_at_a_time() -> None:
    waiting = Waiting({SHOP_A: SUSPECT})
    waiting.join(SHOP_A)
    assert waiting.line.take(NOW, 1) is None
    waiting.join(SHOP_B)
    taken = waiting.line.take(NOW, 1)
    assert taken is not None
    assert taken.attempt == SHOP_B
    assert waiting.line.take(NOW, 0) is not None


# ---- the threads


class Gate:
    """Checks that end when the test lets them, in the order in which they began."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self._open: dict[str, threading.Event] = {}
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def check(self, name: str, right: bool) -> Callable[[], bool]:
        self._open[name] = threading.Event()

        def verify() -> bool:
            self._loop.call_soon_threadsafe(self._begin, name)
            self._open[name].wait(10)
            return right

        return verify

    def _begin(self, name: str) -> None:
        self.began.append(name)
        self._news.set()

    async def has_begun(self, name: str) -> None:
        while name not in self.began:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), PATIENCE_S)

    def let(self, *names: str) -> None:
        for name in names:
            self._open[name].set()

    def let_all(self) -> None:
        self.let(*self._open)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    yield gate
    gate.let_all()


async def test_a_right_one_does_not_wait_for_a_flood_from_elsewhere(gate: Gate) -> None:
    checks = Checks()
    for _ in range(SUSPECT):
        checks.wrong(SHOP_A)
    flood = [
        asyncio.ensure_future(checks.check(SHOP_A, gate.check(f"wrong {i}", False))) for i in range(1000)
    ]
    await gate.has_begun("wrong 0")
    answered = [one for one in flood if one.done()]
    assert len(answered) == 1000 - 1 - SUSPECT_WAITING
    assert {type(one.exception()) for one in answered} == {TooManyRequests}
    right = asyncio.ensure_future(checks.check(SHOP_B, gate.check("right", True)))
    await gate.has_begun("right")  # while the flood's is still running
    gate.let("right")
    assert await right
    assert gate.began == ["wrong 0", "right"]
    gate.let_all()
    assert not any(await asyncio.gather(*(one for one in flood if one not in answered)))


async def test_an_answer_that_is_wrong_counts_for_the_next(gate: Gate) -> None:
    checks = Checks()
    gate.let_all()
    for i in range(SUSPECT):
        check = gate.check(f"{i}", False)
        gate.let(f"{i}")
        assert not await checks.check(SHOP_A, check)
    waiting = [
        asyncio.ensure_future(checks.check(one, gate.check(f"{one}", True))) for one in (SHOP_A, SHOP_B)
    ]
    await gate.has_begun(f"{SHOP_A}")
    await gate.has_begun(f"{SHOP_B}")
    third = asyncio.ensure_future(checks.check(BANK_A, gate.check("third", True)))
    gate.let(f"{SHOP_B}")
    assert await waiting[1]
    assert "third" not in gate.began  # its place guesses, and one of these runs
    gate.let(f"{SHOP_A}", "third")
    assert await waiting[0]
    assert await third


async def test_who_leaves_while_waiting_is_not_served(gate: Gate) -> None:
    checks = Checks()
    running = [
        asyncio.ensure_future(checks.check(SHOP_A, gate.check(f"{i}", True))) for i in range(attempts.THREADS)
    ]
    left, last = (
        asyncio.ensure_future(checks.check(SHOP_B, gate.check(name, True))) for name in ("left", "last")
    )
    await gate.has_begun("1")
    left.cancel()
    gate.let("0", "1", "last")
    assert await asyncio.gather(*running, last) == [True] * (attempts.THREADS + 1)
    assert "left" not in gate.began


async def test_a_check_that_breaks_is_told_and_the_next_is_served() -> None:
    checks = Checks()

    def broken() -> bool:
        raise RuntimeError("a bug")

    for _ in range(attempts.THREADS + 1):
        with pytest.raises(RuntimeError, match="a bug"):
            await checks.check(SHOP_A, broken)
    assert await checks.check(SHOP_A, lambda: True)


async def test_who_is_sent_away_for_another_is_told() -> None:
    checks = Checks()
    checks.wrong(SHOP_A)
    stop = threading.Event()
    try:
        waiting = [
            asyncio.ensure_future(checks.check(SHOP_A, lambda: stop.wait(10)))
            for _ in range(attempts.THREADS + WAITING)
        ]
        await asyncio.sleep(0)
        right = asyncio.ensure_future(checks.check(SHOP_B, lambda: True))
        with pytest.raises(TooManyRequests):
            await waiting[-1]
    finally:
        stop.set()
    assert await right
    assert all(await asyncio.gather(*waiting[:-1]))
