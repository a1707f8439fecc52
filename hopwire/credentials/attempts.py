"""Password checks that wait for their turn, and how often somebody was wrong lately.

Rule 1: whoever was wrong least goes first, so that guessing waits behind those who know; it never shuts out a
login, only makes the place that guesses wait.
Rule 2: all memory is bounded; what was wrong longest ago is forgotten first.
Rule 3: nothing here depends on whether a login exists.
"""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from hopwire.errors import TooManyRequests

THREADS = 2  # checks at a time
WAITING = 64  # checks that may wait for them
SUSPECT = 5  # a place that was wrong so often lately: one check at a time for all such places
SUSPECT_WAITING = 8  # and so many that wait, for each of them
LATELY_S = 60.0
REMEMBERED = 10_000


class Attempt(NamedTuple):
    """Somebody who says that he is somebody."""

    login: str
    place: str  # addresses.neighbourhood


class Wrongs:
    """How often each was wrong lately: since when it had been right, or nothing, for a while."""

    def __init__(self, lately_s: float = LATELY_S) -> None:
        self._lately_s = lately_s
        self._counts: dict[Hashable, tuple[int, float]] = {}

    def of(self, who: Hashable, now: float) -> int:
        count, at = self._counts.get(who, (0, 0.0))
        return count if now - at < self._lately_s else 0

    def add(self, who: Hashable, now: float) -> None:
        count = self.of(who, now)
        self._counts.pop(who, None)
        if len(self._counts) >= REMEMBERED:
            del self._counts[next(iter(self._counts))]
        self._counts[who] = (count + 1, now)


class Check(NamedTuple):
    """A check that waits, or runs."""

    attempt: Attempt
    verify: Callable[[], bool]
    answer: asyncio.Future[bool]
    number: int


class Line:
    """The checks that wait, in the order in which they are served: a matter of who was wrong how often."""

    def __init__(self) -> None:
        self._places = Wrongs()
        self._pairs = Wrongs()
        self._waiting: list[Check] = []

    def wrong(self, attempt: Attempt, now: float) -> None:
        self._places.add(attempt.place, now)
        self._pairs.add(attempt, now)

    def is_suspect(self, attempt: Attempt, now: float) -> bool:
        return self._places.of(attempt.place, now) >= SUSPECT

    def join(self, one: Check, now: float) -> Check | None:
        """Wait; the check that has to go for it, which may be this one."""
        last = self._last(one.attempt, now)
        if last is not None and self._rank(last.attempt, now) <= self._rank(one.attempt, now):
            return one
        if last is not None:
            self._waiting.remove(last)
        self._waiting.append(one)
        return last

    def has_room(self, attempt: Attempt, now: float) -> bool:
        """Whether a check could wait now."""
        last = self._last(attempt, now)
        return last is None or self._rank(attempt, now) < self._rank(last.attempt, now)

    def take(self, now: float, suspects: int) -> Check | None:
        """The next one to be served while so many checks of suspects run; None: nobody, or not yet."""
        first = min(self._waiting, key=lambda one: (self._rank(one.attempt, now), one.number), default=None)
        if first is None or (suspects and self.is_suspect(first.attempt, now)):
            return None
        self._waiting.remove(first)
        return first

    def _last(self, attempt: Attempt, now: float) -> Check | None:
        """The one that another would have to replace; None: there is room for both."""
        rivals = [one for one in self._waiting if one.attempt.place == attempt.place]
        if not (self.is_suspect(attempt, now) and len(rivals) >= SUSPECT_WAITING):
            rivals = self._waiting if len(self._waiting) >= WAITING else []
        return max(rivals, key=lambda one: (self._rank(one.attempt, now), one.number), default=None)

    def _rank(self, attempt: Attempt, now: float) -> tuple[int, int]:
        return self._places.of(attempt.place, now), self._pairs.of(attempt, now)


class Checks:
    """Runs password checks in a few threads."""

    def __init__(self) -> None:
        self._line = Line()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._running = 0
        self._suspects = 0  # of those that run
        self._number = 0

    async def check(self, attempt: Attempt, verify: Callable[[], bool]) -> bool:
        """What `verify` says, in its turn; raises TooManyRequests where there is no room to wait."""
        loop = asyncio.get_running_loop()
        self._number += 1
        one = Check(attempt, verify, loop.create_future(), self._number)
        gone = self._line.join(one, loop.time())
        if gone is one:
            raise TooManyRequests
        if gone is not None and not gone.answer.done():
            gone.answer.set_exception(TooManyRequests())
        self._serve(loop)
        return await one.answer

    def has_room(self, attempt: Attempt) -> bool:
        """Whether it is worth the while to look up what is to be checked."""
        return self._line.has_room(attempt, asyncio.get_running_loop().time())

    def wrong(self, attempt: Attempt) -> None:
        """Count one that was wrong without a check, or for another reason."""
        self._line.wrong(attempt, asyncio.get_running_loop().time())

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._running < THREADS:
            one = self._line.take(loop.time(), self._suspects)
            if one is None:
                return
            if not one.answer.done():  # he has not left meanwhile
                self._run(loop, one)

    def _run(self, loop: asyncio.AbstractEventLoop, one: Check) -> None:
        suspect = self._line.is_suspect(one.attempt, loop.time())
        self._running += 1
        self._suspects += suspect
        job = loop.run_in_executor(self._threads, one.verify)
        job.add_done_callback(partial(self._done, loop, one, suspect))

    def _done(
        self, loop: asyncio.AbstractEventLoop, one: Check, suspect: bool, job: asyncio.Future[bool]
    ) -> None:
        self._running -= 1
        self._suspects -= suspect
        if job.cancelled():
            one.answer.cancel()
            return
        if not job.exception() and not job.result():
            self._line.wrong(one.attempt, loop.time())
        if not one.answer.done():
            _copy(job, one.answer)
        self._serve(loop)


def _copy(job: asyncio.Future[bool], answer: asyncio.Future[bool]) -> None:
    error = job.exception()
    if error is None:
        answer.set_result(job.result())
    else:
        answer.set_exception(error)
