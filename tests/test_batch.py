"""Company: what is asked for one by one is done for many at once."""

import asyncio
from collections.abc import Sequence

import pytest

from hopwire.errors import OutcomeUnknown, Unavailable
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


async def test_a_batch_has_a_greatest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST", 2)
    verb = Verb()
    double = Batch(verb)
    await asyncio.gather(*map(double, range(5)))
    assert verb.calls == [[0, 1], [2, 3], [4]]


async def test_a_group_leaves_as_soon_as_it_is_there_and_waits_for_nobody_under_way() -> None:
    groups: list[Sequence[int]] = []
    answers: list[asyncio.Future[Sequence[int]]] = []

    def verb(items: Sequence[int]) -> asyncio.Future[Sequence[int]]:
        groups.append(items)
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    double = Batch(verb, group=2)
    asked = [double(n) for n in range(5)]
    assert groups == [[0, 1], [2, 3]]
    await asyncio.sleep(0)
    assert groups == [[0, 1], [2, 3], [4]]
    for group, answer in reversed(list(zip(groups, answers, strict=True))):
        answer.set_result([2 * n for n in group])
    assert await asyncio.gather(*asked) == [0, 2, 4, 6, 8]


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


async def test_what_became_of_a_call_that_was_cancelled_nobody_knows_and_the_next_is_made() -> None:
    calls: list[asyncio.Future[Sequence[int]]] = []

    def verb(items: Sequence[int]) -> asyncio.Future[Sequence[int]]:
        calls.append(asyncio.get_running_loop().create_future())
        return calls[-1]

    double = Batch(verb)
    lost = double(1)
    await asyncio.sleep(0)
    next_ = double(2)
    calls[0].cancel()
    with pytest.raises(OutcomeUnknown):
        await lost
    calls[1].set_result([4])
    assert await next_ == 4


async def test_what_comes_beyond_the_bound_is_refused_at_once_and_the_others_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "WAITING", 3)
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
