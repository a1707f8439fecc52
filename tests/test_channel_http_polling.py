"""A provider that is asked what became of messages: how many at a time, and whatever it answers."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from answers import answer_to
from http_ends import Asked, Far, Store, handover, line, listening

from hopwire.channels.http import HttpChannel, Reply, Request
from hopwire.channels.viber import ViberPartner
from hopwire.config import ViberConnector
from hopwire.errors import Unavailable
from hopwire.model import Outcome, Receipt, Taken

Replies = Callable[[Asked], web.Response]


class Telling(ViberPartner):
    """Viber, if it could be asked: it is sent a list of ids and answers with those that were delivered."""

    poll_s = 0.001
    poll_most = 2

    def __init__(self, settings: ViberConnector) -> None:
        super().__init__(settings)
        self._url = settings.url

    def question(self, provider_ids: Sequence[str]) -> Request:
        return Request(self._url + "/ask", json.dumps(provider_ids).encode(), {"content-type": "text/plain"})

    def receipts(self, connector: str, provider_ids: Sequence[str], reply: Reply) -> list[Receipt]:
        told = json.loads(reply.body)
        assert set(told) <= set(provider_ids)
        return [delivered(one) for one in told]


def delivered(provider_id: str) -> Receipt:
    return Receipt(
        connector="viber",
        provider_id=provider_id,
        recipient="",
        outcome=Outcome.DELIVERED,
        code="3",
        raw="",
    )


def all_delivered(asked: Asked) -> web.Response:
    return web.Response(body=asked.body)


@pytest.fixture
async def far() -> Far:
    return Far()


@pytest.fixture
def ours() -> Store:
    return Store()


@asynccontextmanager
async def polling(
    far: Far, ours: Store, kind: type[Telling] = Telling, window: int = 3
) -> AsyncIterator[HttpChannel]:
    async with listening(far) as url:
        settings = ViberConnector(
            url=url, service_ids={"*": 3100}, callback_secret="x" * 16, window=window, timeout_s=5
        )
        async with line(settings, ours, kind(settings)) as one:
            yield one


async def until(ours: Store, kept: int) -> None:
    while len(ours.kept) < kept:
        ours.fresh.clear()
        await ours.fresh.wait()


@pytest.mark.parametrize(
    ("window", "most", "questions"),
    [
        pytest.param(3, 2, [["a", "b"], ["c"]], id="as many messages as the window holds"),
        pytest.param(1, 2, [["a", "b"]], id="but one whole question at least"),
        pytest.param(3, 1, [["a"], ["b"], ["c"]], id="one message to a question"),
        pytest.param(100, 100, [["a", "b", "c", "d", "e"]], id="all in one"),
    ],
)
async def test_a_round_asks_about_as_many_as_may_be_under_way(
    far: Far, ours: Store, window: int, most: int, questions: list[list[str]]
) -> None:
    class Chosen(Telling):
        poll_most = most

    far.reply = all_delivered
    ours.ids = ["a", "b", "c", "d", "e"]
    count = sum(map(len, questions))
    async with polling(far, ours, Chosen, window) as viber:
        await until(ours, count)
        assert sorted(json.loads(one.body) for one in far.asked[: len(questions)]) == questions
        assert ours.wanted[0] == max(window, most)
        assert ours.kept[:count] == [delivered(one) for some in questions for one in some]
        assert viber.state.receipts >= count


async def test_nothing_is_asked_about_nothing(far: Far, ours: Store) -> None:
    async with polling(far, ours):
        while len(ours.wanted) < 3:
            ours.asked.clear()
            await ours.asked.wait()
    assert far.asked == []


TROUBLES: dict[str, Replies] = {
    "garbage": lambda _: web.Response(body=b"<html>"),
    "no UTF-8": lambda _: web.Response(body=b"\xff"),
    "a failure": lambda _: web.Response(status=500),
    "an answer that is a bug to us": lambda _: web.Response(body=b'["unasked"]'),
}


def three_times(trouble: Replies) -> Replies:
    """Then all is well."""
    replies = iter([trouble] * 3)

    def reply(asked: Asked) -> web.Response:
        return next(replies, all_delivered)(asked)

    return reply


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_it_is_asked_again_whatever_it_answers(far: Far, ours: Store, trouble: Replies) -> None:
    far.reply = three_times(trouble)
    ours.ids = ["a"]
    async with polling(far, ours) as viber:
        await until(ours, 1)
        far.says(b'{"status":0,"message_token":"1"}')
        assert await answer_to(viber, handover()) == Taken("1")


async def test_what_others_tell_is_kept_whatever_is_wrong_with_one(far: Far, ours: Store) -> None:
    far.reply = lambda asked: web.Response(body=b"<html>") if b"a" in asked.body else all_delivered(asked)
    ours.ids = ["a", "b", "c"]
    async with polling(far, ours):
        await until(ours, 2)
    assert set(ours.kept) == {delivered("c")}


async def test_a_trouble_is_told_once_and_that_it_is_over(
    far: Far, ours: Store, caplog: pytest.LogCaptureFixture
) -> None:
    far.reply = three_times(TROUBLES["garbage"])
    ours.ids = ["a"]
    async with polling(far, ours):
        await until(ours, 2)
    assert [record.getMessage() for record in caplog.records] == [
        "poll connector=viber failed: JSONDecodeError",
        "poll connector=viber good again",
    ]


async def test_a_store_that_is_away_is_waited_for(far: Far, caplog: pytest.LogCaptureFixture) -> None:
    class Away(Store):
        """It can be neither asked nor written to at first."""

        async def outstanding(self, most: int) -> Sequence[str]:
            if not self.wanted:
                self.wanted.append(most)
                raise Unavailable
            return await super().outstanding(most)

        async def keep(self, receipts: Sequence[Receipt]) -> Any:
            if len(self.wanted) == 2:
                raise Unavailable
            return await super().keep(receipts)

    far.reply = all_delivered
    ours = Away()
    ours.ids = ["a"]
    async with polling(far, ours):
        await until(ours, 1)
    assert "poll connector=viber failed: Unavailable" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_provider_that_is_not_to_be_asked_is_not(far: Far, ours: Store) -> None:
    class Silent(Telling):
        poll_s = 0.0

    ours.ids = ["a"]
    far.says(b'{"status":0,"message_token":"1"}')
    async with polling(far, ours, Silent) as viber:
        assert await answer_to(viber, handover()) == Taken("1")
    assert (len(far.asked), ours.wanted) == (1, [])


async def test_stopping_does_not_wait_for_what_was_asked(far: Far, ours: Store) -> None:
    far.may_answer.clear()
    ours.ids = ["a"]
    async with polling(far, ours) as viber:
        await far.arrived.wait()
        await viber.stop()
        asked = len(far.asked)
        far.may_answer.set()
    assert (ours.kept, len(far.asked)) == ([], asked)
