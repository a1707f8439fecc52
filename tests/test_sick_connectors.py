"""A Viber connector falls ill in every way there is, and gets well again, while messages come.

Nobody waits for it longer than his lifetime, the operator reads of it once, and it comes back by itself.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from rules import DELIVERED, GRACE_S, LIFETIME_S, Clock, House, becomes, counted, hasten, living
from rules_ends import Says, is_silent, page, takes
from system import PATIENCE_S

from hopwire.channels import NO_ROOM, http
from hopwire.channels.http import SICK
from hopwire.model import Status, Unknown

MESSAGES = 20  # at a time
TRIES = 4  # after it is known to be ill
TRIED_S = 0.05  # how soon it is tried again
STEP_S = 5  # the clock moves so far at a time; the lifetime and the grace are multiples of it


class Illness(NamedTuple):
    says: Says | None  # None: nobody listens
    final: bool = False  # it says no, so that SMS need not wait
    taken: bool = True  # whether what was handed over may have been taken


ILLNESSES = {
    "HTTP 401": Illness(page(401), final=True),
    "silence": Illness(is_silent),
    "a page with HTTP 200": Illness(page(200)),
    "nobody listens": Illness(None, taken=False),
}
of_each = pytest.mark.parametrize("illness", ILLNESSES.values(), ids=ILLNESSES)


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A gateway that soon tries again what is ill."""
    clock = Clock()
    hasten(monkeypatch, clock)
    monkeypatch.setattr(http, "PAUSE_S", TRIED_S)
    monkeypatch.setattr(http, "PROBE_S", TRIED_S)
    settings = {"viber": {"timeout_s": 1, "window": 8}, "smsc": {"window": 1000}}
    async with living(f"sqlite:{tmp_path}/hopwire.db", tmp_path, clock, settings) as one:
        yield one


async def fall_ill(house: House, illness: Illness) -> None:
    if illness.says is None:
        await house.viber.stop()
    else:
        house.viber.says = illness.says


async def get_well(house: House, illness: Illness) -> None:
    house.viber.says = takes
    if illness.says is None:
        await house.viber.start()


async def send_many(house: House) -> dict[int, int]:
    """Messages to numbers of their own, each with the moment of its acceptance."""
    last = house.rows("SELECT count(*) FROM deliveries")[0][0]
    numbers = [f"3805012{last + n:05}" for n in range(MESSAGES)]
    return {await house.send(to=number): house.clock() for number in numbers}


def handed(house: House, step: int) -> dict[int, int]:
    """When each message was handed over by this step, the last time."""
    return {one.message_id: at for at, one in house.store.handed if one.step == step}


async def redirected(house: House, illness: Illness, messages: dict[int, int]) -> None:
    """The SMS leaves, of each; time passes for that where it must."""
    async with asyncio.timeout(PATIENCE_S):
        while not illness.final and not messages.keys() <= handed(house, 1).keys():
            await house.leaps(STEP_S)
    await becomes(lambda: messages.keys() <= handed(house, 1).keys())


@of_each
async def test_messages_are_redirected_in_time(house: House, illness: Illness) -> None:
    await fall_ill(house, illness)
    messages = await send_many(house)
    await redirected(house, illness, messages)
    await house.leaps(30)
    messages |= (more := await send_many(house))
    await redirected(house, illness, more)
    by_viber, by_sms = handed(house, 0), handed(house, 1)
    for message_id, at in messages.items():
        least = most = at if illness.final else at + 1000 * LIFETIME_S
        in_doubt = isinstance(house.given.get((message_id, 0), NO_ROOM), Unknown | None)
        if illness.taken and not illness.final and in_doubt:
            least = most = by_viber[message_id] + 1000 * (LIFETIME_S + GRACE_S)
        assert least <= by_sms[message_id] <= most
    await get_well(house, illness)


@of_each
async def test_the_operator_reads_of_it_once(
    house: House, illness: Illness, caplog: pytest.LogCaptureFixture
) -> None:
    """However long it lasts, and however often it is tried."""
    alerts = counted("alerts", connector="viber")
    await fall_ill(house, illness)
    await redirected(house, illness, await send_many(house))
    while house.channels["viber"].state.submitted < SICK + TRIES:
        await becomes(lambda: house.channels["viber"].state.state != "refused")  # the next one is a try
        await redirected(house, illness, {await house.send(): house.clock()})
    told = [r for r in caplog.records if r.name == http.log.name and r.levelno >= logging.ERROR]
    assert (counted("alerts", connector="viber") - alerts, len(told)) == (1, 1)
    await get_well(house, illness)


@of_each
async def test_it_comes_back_by_itself(house: House, illness: Illness) -> None:
    """One message finds out that it is well; those after it go by Viber, and none by SMS."""
    await fall_ill(house, illness)
    await redirected(house, illness, await send_many(house))
    await house.answered()
    await get_well(house, illness)
    known = len(house.viber.asked)
    async with asyncio.timeout(PATIENCE_S):
        while len(house.viber.asked) == known:
            await house.send()
            await house.looks()
    await becomes(lambda: house.channels["viber"].state.state == "up")

    messages = await send_many(house)
    await becomes(lambda: messages.keys() <= {asked["seq"] for asked in house.viber.asked})
    await house.answered()
    for message_id in messages:
        await house.told(DELIVERED, message_id)
        assert await house.code(message_id) == Status.DELIVERED
    await house.passes(LIFETIME_S + GRACE_S)
    assert not messages.keys() & handed(house, 1).keys()
