"""What Viber reports: taken in only under the secret path, kept before it is answered."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway import SECRET, TO, Gateway, Reply, get, running

from hopwire import metrics
from hopwire.model import Taken

PATH = f"/callbacks/viber/{SECRET}"
VIBER = {"viber": "1", "viber_from": "test", "viber_message": "Hello", "viber_sms": "1"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as one:
        yield one


async def report(gateway: Gateway, status: int, token: str | int) -> Reply:
    told = {
        "message_token": token,
        "message_status": status,
        "message_time": 1_723_729_921_000,
        "phone_number": TO,
        "service_id": 3100,
    }
    return await gateway.post(PATH, json.dumps(told).encode(), "Content-Type: application/json")


def receipts(gateway: Gateway) -> list[tuple[str, str, int, str, int | None]]:
    return gateway.rows("SELECT connector, provider_id, outcome, raw, message_id FROM receipts ORDER BY id")


async def code(gateway: Gateway, message_id: int) -> int:
    return int((await gateway.ask(command="receive", id=message_id)).splitlines()[1].removeprefix("code:"))


@pytest.mark.parametrize("token", ["5379697806260881548", 5379697806260881548, 2**63], ids=repr)
@pytest.mark.parametrize(
    ("reported", "told"),
    [
        pytest.param([0], 3, id="delivered"),
        pytest.param([0, 1], 116, id="delivered, then seen"),
        pytest.param([1], 116, id="seen alone"),
        pytest.param([1, 0, 2], 116, id="in the wrong order"),
        pytest.param([0, 0], 3, id="once for each device"),
    ],
)
async def test_a_report_becomes_the_status(
    gateway: Gateway, token: str | int, reported: list[int], told: int
) -> None:
    message_id = await gateway.send(**VIBER)
    assert await gateway.play_worker("viber", Taken(str(token))) == [message_id]
    for status in reported:
        assert (await report(gateway, status, token))[::2] == (200, b"OK\n")
    assert await code(gateway, message_id) == told
    assert len(receipts(gateway)) == len(reported)
    assert await gateway.ask(command="balance") == "balance:99.6\n"


async def test_a_report_before_its_answer_waits_for_it(gateway: Gateway) -> None:
    message_id = await gateway.send(**VIBER)
    assert (await report(gateway, 0, "early")).status == 200
    await gateway.play_worker("viber", Taken("early"))
    assert await code(gateway, message_id) == 3


async def test_a_report_about_nothing_we_know_is_kept_as_it_came(gateway: Gateway) -> None:
    body = b'{"message_token": "foreign", "message_status": 0, "more": ["\\u0439"]}'
    assert (await gateway.post(PATH, body)).status == 200
    assert receipts(gateway) == [("viber", "foreign", 3, body.decode(), None)]


async def test_reports_of_many_at_once_are_all_kept(gateway: Gateway) -> None:
    replies = await asyncio.gather(*(report(gateway, 0, f"t{i}") for i in range(50)))
    assert {reply.status for reply in replies} == {200}
    assert len(receipts(gateway)) == 50


def counted(outcome: str) -> float:
    labels = {"connector": "viber", "outcome": outcome}
    return metrics.REGISTRY.get_sample_value("hopwire_receipts_total", labels) or 0.0


async def test_what_is_kept_is_counted_by_its_outcome(gateway: Gateway) -> None:
    before = [counted(outcome) for outcome in ("delivered", "seen", "expired")]
    for status in (0, 0, 1, 4):
        assert (await report(gateway, status, "a")).status == 200
    with gateway.locked():
        assert (await report(gateway, 2, "a")).status == 503
    after = [counted(outcome) for outcome in ("delivered", "seen", "expired")]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 0]


WRONG_PATHS = [
    "/callbacks/viber/wrong",
    f"/callbacks/viber/{SECRET}x",
    f"/callbacks/viber/{SECRET[:-1]}",
    "/callbacks/viber/%D0%B9",
    f"/callbacks/nobody/{SECRET}",
    f"/callbacks/smsc/{SECRET}",
    f"/callbacks/viber/{SECRET.upper()}",
]


async def test_a_wrong_secret_is_an_unknown_path(gateway: Gateway) -> None:
    body = b'{"message_token": "1", "message_status": 0}'
    for path in WRONG_PATHS:
        reply = await gateway.post(path, body)
        assert (path, reply.status, reply.text) == (path, 404, "Not found\n")
    assert receipts(gateway) == []


GARBAGE = [
    b"",
    b"not json",
    b"[]",
    b"1",
    b'"text"',
    b"null",
    b'{"a":',
    b"\xff\xfe",
    b'{"a": "\xff"}',
    b"{}{}",
    b'{"a":' * 10_000,
]


async def test_garbage_is_a_bad_request(gateway: Gateway) -> None:
    for body in GARBAGE:
        reply = await gateway.post(PATH, body)
        assert (body, reply.status, reply.text) == (body, 400, "the callback is not a JSON object\n")
    assert receipts(gateway) == []


OTHERS = [
    b"{}",
    b'{"message": {"text": "STOP"}, "phone_number": "380501234567"}',
    b'{"message_token": "1", "message_status": 4}',
    b'{"message_token": "1", "message_status": 1000}',
    b'{"message_token": "1", "message_status": "0.5"}',
    b'{"message_token": null, "message_status": 0}',
]


async def test_reports_about_something_else_are_taken_and_dropped(gateway: Gateway) -> None:
    for body in OTHERS:
        assert (body, (await gateway.post(PATH, body)).status) == (body, 200)
    assert receipts(gateway) == []


async def test_a_callback_that_is_too_large_is_refused(gateway: Gateway) -> None:
    body = json.dumps({"message_token": "1", "message_status": 0, "x": ""}).encode()
    assert (await gateway.post(PATH, body.replace(b'""', b'"%s"' % (b"x" * 60_000)))).status == 200
    assert (await gateway.post(PATH, body.replace(b'""', b'"%s"' % (b"x" * 66_000)))).status == 413
    assert len(receipts(gateway)) == 1


async def test_half_a_callback_is_not_kept(gateway: Gateway) -> None:
    async with gateway.wire() as wire:
        wire.say(get(PATH, "Content-Length: 99", method="POST"))
        wire.say(b'{"message_token": "1", "message_status": 0}')
        wire.say_no_more()
        assert await wire.closed()
    assert receipts(gateway) == []


async def test_it_must_come_again_when_it_could_not_be_kept(gateway: Gateway) -> None:
    message_id = await gateway.send(**VIBER)
    await gateway.play_worker("viber", Taken("a"))
    with gateway.locked():
        reply = await report(gateway, 0, "a")
        assert (reply.status, reply.text) == (503, "Temporarily unavailable\n")
    assert receipts(gateway) == []
    assert (await report(gateway, 0, "a")).status == 200
    assert await code(gateway, message_id) == 3


async def test_only_post_is_taken(gateway: Gateway) -> None:
    for method in ("GET", "HEAD", "PUT"):
        async with gateway.wire() as wire:
            wire.say(get(PATH, method=method))
            assert (await wire.reply(body=method != "HEAD")).status == 405
