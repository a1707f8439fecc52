"""Company: what is asked for one by one is done for many at once."""

import asyncio
from collections.abc import Sequence

import pytest

from hopwire.errors import Unavailable
from hopwire.store import batch
from hopwire.store.batch import Batch


class Verb:
    """Doubles numbers, when it is let; a number in `trouble` raises instead."""

    def __init__(self, trouble: dict[int, Exception] | None = None) -> None:
        self.calls: list[list[int]] = []
        self.called = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self._trouble = trouble or {}

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        self.called.set()
        await self.free.wait()
        for item in items:
            if item in self._trouble:
                raise self._trouble[item]
        return [2 * item for item in items]


async def test_what_comes_together_leaves_together_and_each_gets_its_own_answer() -> None:
    verb = Verb()
    double = Batch(verb)
    assert await asyncio.gather(*map(double, range(5))) == [0, 2, 4, 6, 8]
    assert verb.calls == [[0, 1, 2, 3, 4]]


async def test_what_comes_while_the_verb_is_at_work_leaves_when_it_is_free() -> None:
    verb = Verb()
    verb.free.clear()
    double = Batch(verb)
    first = double(1)
    await verb.called.wait()
    rest = [double(2), double(3)]
    assert verb.calls == [[1]]
    verb.free.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6]
    assert verb.calls == [[1], [2, 3]]


async def test_who_comes_in_the_next_turn_of_the_loop_still_joins() -> None:
    verb = Verb()
    double = Batch(verb)
    first = double(1)
    await asyncio.sleep(0)
    second = double(2)
    assert [await first, await second] == [2, 4]
    assert verb.calls == [[1, 2]]


async def test_a_batch_has_a_greatest_size() -> None:
    verb = Verb()
    double = Batch(verb, most=2)
    await asyncio.gather(*map(double, range(5)))
    assert verb.calls == [[0, 1], [2, 3], [4]]


async def test_when_the_store_is_unavailable_all_are_told_and_nothing_is_tried_again() -> None:
    verb = Verb({2: Unavailable()})
    double = Batch(verb)
    answers = await asyncio.gather(*map(double, (1, 2, 3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert len(verb.calls) == 1


async def test_a_bug_that_one_item_meets_is_not_the_trouble_of_the_others() -> None:
    double = Batch(Verb({2: ZeroDivisionError()}))
    answers = await asyncio.gather(*map(double, (1, 2, 3)), return_exceptions=True)
    assert [answers[0], type(answers[1]), answers[2]] == [2, ZeroDivisionError, 6]
    assert await double(4) == 8


async def test_who_no_longer_waits_does_not_hinder_the_others() -> None:
    verb = Verb()
    verb.free.clear()
    double = Batch(verb)
    gone, stays = double(1), double(2)
    await verb.called.wait()
    gone.cancel()
    verb.free.set()
    assert await stays == 4


async def test_a_verb_that_was_cancelled_is_called_again_for_the_next() -> None:
    verb = Verb()
    verb.free.clear()
    double = Batch(verb)
    lost = double(1)
    await verb.called.wait()
    assert double._runner is not None
    double._runner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await double._runner
    verb.free.set()
    assert await double(2) == 4
    assert not lost.done()


async def test_what_comes_beyond_the_bound_is_refused_at_once_and_the_others_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "WAITING", 2)
    verb = Verb()
    verb.free.clear()
    double = Batch(verb)
    first = double(1)
    await verb.called.wait()
    waiting, beyond = [double(2), double(3)], double(4)
    assert beyond.done()
    with pytest.raises(Unavailable):
        await beyond
    verb.free.set()
    assert await asyncio.gather(first, *waiting) == [2, 4, 6]
    assert await double(5) == 10
    assert verb.calls == [[1], [2, 3], [5]]
