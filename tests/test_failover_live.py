"""One connector falls out, in every way there is, and the other one carries what it does not.

A whole gateway between two operators on sockets: everything is delivered, nothing twice, and the story of a
message tells who has carried it.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rules import SMS_ALONE, Clock, House, becomes, faults, hasten, living
from rules_ends import Operator
from smpp_ends import receipt
from test_worker import STATE

from hopwire.model import Status
from hopwire.smpp import flow
from hopwire.smpp.pdu import Pdu, SubmitSm, SubmitSmResp
from hopwire.smpp.status import RTHROTTLED
from hopwire.store.connectors import Connectors
from hopwire.timeline import lines

N = 12
REFUSES, SYSERR = 0x0F, 0x08  # ESME_RINVSYSID, ESME_RSYSERR


@pytest.fixture
async def house(
    request: pytest.FixtureRequest,
    store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    second: Operator,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[House]:
    """SMS goes by `smsc`, and by `second` where that does not take it."""
    clock = Clock()
    hasten(monkeypatch, clock)
    monkeypatch.setattr(flow, "PAUSE_S", (60.0, 60.0))  # who is throttled once stays so
    common = {"kind": "smpp", "host": "127.0.0.1", "system_id": "hopwire", "password": "secret"}
    other = common | {"port": await second.start(), "receipt_ids": "same", "window": 100}
    changes: dict[str, Any] = {
        "connectors": {"second": other},
        "routes": [{"prefix": "38050", "channel": "sms", "connectors": ["smsc", "second"]}],
        "smsc": getattr(request, "param", {}),
    }
    async with living(store_url, tmp_path, clock, changes) as one:
        await one.up("second")
        yield one
        one.operator.answer = one.operator.takes
    assert faults([*caplog.get_records("call"), *caplog.records]) == []


def numbers() -> list[str]:
    return [f"3805012345{n:02}" for n in range(N)]


async def send_all(house: House, **params: str) -> dict[int, str]:
    """A message to each number."""
    return {await house.sms(to=number, **params): number for number in numbers()}


async def all_arrive(house: House, second: Operator, messages: dict[int, str]) -> None:
    """By the other operator, each once; and its receipts find them."""
    await becomes(lambda: len(second.texts) >= len(messages))
    await house.answered()
    assert sorted(one.destination_addr for one in second.texts) == sorted(messages.values())
    for n, submit in enumerate(second.texts):
        second.say(replace(receipt(f"{0xA0 + n:x}"), source_addr=submit.destination_addr))
    for message_id in messages:
        await house.reaches(message_id, Status.DELIVERED)
        assert house.books(message_id) == SMS_ALONE


async def told(house: House, message_id: int) -> list[str]:
    """The story of a message, from the first hand-over on."""
    story = await house.store.story(message_id)
    assert story is not None
    said = [line.what for line in lines(story, "UAH", lambda connector, code: "")]
    return said[2:]  # acceptance, and what was reserved


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(REFUSES, "refused: configuration", id="refuses"),
        pytest.param(SYSERR, "not now", id="is ill"),
        pytest.param(RTHROTTLED, "not now", id="is throttled"),
    ],
)
async def test_what_one_refuses_the_other_takes(
    house: House, second: Operator, status: int, said: str
) -> None:
    house.operator.refuses(status)
    messages = await send_all(house)
    if status == RTHROTTLED:  # what had not left when it said so waits, and is moved
        await waits_until_moved(house)
    await all_arrive(house, second, messages)
    first = next(iter(messages))
    begun = ["handed over to smsc", said, "goes by second instead", "handed over to second", "taken as a0"]
    assert (await told(house, first))[:5] == begun
    assert len(house.operator.texts) <= N


async def waits_until_moved(house: House) -> None:
    """Time passes until the worker sees that one takes nothing."""
    for _ in range(8):
        await house.leaps(1)
        await house.minds()
    await house.looks()


@pytest.mark.parametrize("paused", [True, False], ids=["is paused", "is down"])
async def test_what_waits_for_one_goes_by_the_other(house: House, second: Operator, paused: bool) -> None:
    if paused:
        await house.pause("smsc")
    else:
        house.operator.bind_status = 0x0D  # ESME_RBINDFAIL
        house.operator.drop()
        await house.down("smsc")
    messages = await send_all(house)
    await waits_until_moved(house)
    await all_arrive(house, second, messages)
    assert house.operator.texts == []
    assert (await told(house, next(iter(messages))))[:2] == [
        "goes by second instead",
        "handed over to second",
    ]
    house.operator.bind_status = 0
    await house.resume("smsc")


@pytest.mark.parametrize(
    "house", [{"window": 4, "response_timeout_s": 1, "on_unknown": "resend"}], indirect=True, ids=["resend"]
)
async def test_what_one_never_answers_the_other_takes(house: House, second: Operator) -> None:
    """What has left is marked as a possible duplicate, the rest is moved before."""
    house.operator.answer = lambda submit: None
    messages = await send_all(house)
    await becomes(lambda: len(house.operator.texts) >= 4)
    await waits_until_moved(house)
    await becomes(lambda: len(second.texts) == N)
    house.operator.answer = house.operator.takes
    await all_arrive(house, second, messages)
    stories = [await told(house, message_id) for message_id in messages]
    assert sum("handed over to second, perhaps again" in one for one in stories) == len(house.operator.texts)


@pytest.mark.parametrize("house", [{"window": 4, "response_timeout_s": 1}], indirect=True, ids=["hold"])
async def test_what_is_in_doubt_stays_where_it_is(house: House, second: Operator) -> None:
    house.operator.answer = lambda submit: None
    await send_all(house)
    await becomes(lambda: len(house.operator.texts) >= 4)
    await waits_until_moved(house)
    await becomes(lambda: len(second.texts) + len(house.operator.texts) == N)
    both = [one.destination_addr for one in [*second.texts, *house.operator.texts]]
    assert sorted(both) == numbers()


async def test_what_another_worker_can_hand_over_stays(house: House, second: Operator) -> None:
    """As the other worker tells; until it tells otherwise."""
    connectors = Connectors(house.store.engine)
    states = {"smsc": STATE, "second": replace(STATE, state="down")}
    await connectors.report("another", states, house.clock() + 10_000)
    house.operator.bind_status = 0x0D
    house.operator.drop()
    await house.down("smsc")
    messages = await send_all(house)
    await waits_until_moved(house)
    assert second.texts == []
    states["smsc"] = replace(STATE, state="down")
    await connectors.report("another", states, house.clock())
    await waits_until_moved(house)
    await all_arrive(house, second, messages)
    house.operator.bind_status = 0


async def test_parts_of_a_message_go_one_way(house: House, second: Operator) -> None:
    """The first part was taken; the others wait, whatever the operator says."""

    def one_part(submit: SubmitSm) -> Pdu:
        return house.operator.takes(submit) if len(house.operator.texts) == 1 else SubmitSmResp(status=SYSERR)

    house.operator.answer = one_part
    await house.sms(message="x" * 400)
    await becomes(lambda: len(house.operator.texts) == 2)
    await house.answered()
    await house.leaps(31)
    await becomes(lambda: len(house.operator.texts) == 3)
    assert second.texts == []


@pytest.mark.parametrize("house", [{"window": 4}], indirect=True, ids=["small"])
async def test_a_full_window_is_no_reason_while_answers_come(house: House, second: Operator) -> None:
    messages = await send_all(house)
    await becomes(lambda: len(house.operator.texts) == N)
    await waits_until_moved(house)
    assert second.texts == []
    assert len(messages) == N
