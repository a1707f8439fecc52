"""What providers report: taken in only under the secret path, kept before it is answered."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gateway import SECRET, TO, Gateway, Reply, get, running, settings
from starlette.requests import Request

from hopwire import metrics
from hopwire.channels.http import Callback, Said
from hopwire.model import Taken
from hopwire.store.inbox import Inbox, InboxMessage
from hopwire.web.callbacks import MAX_CALLBACK, Callbacks, Keep, Source

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
    longest = body.replace(b'""', b'"%s"' % (b"x" * (MAX_CALLBACK - len(body))))
    assert len(longest) == 1_048_576
    assert (await gateway.post(PATH, longest)).status == 200
    assert (await gateway.post(PATH, longest + b" ")).status == 413
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


async def test_what_is_neither_get_nor_post_is_not_taken(gateway: Gateway) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        async with gateway.wire() as wire:
            wire.say(get(PATH, method=method))
            assert (await wire.reply()).status == 405


async def test_a_get_that_says_nothing_is_garbage_to_viber(gateway: Gateway) -> None:
    """Only plain gateways report by GET."""
    assert (await gateway.get(PATH)).status == 400
    assert (await gateway.get(PATH + "?message_token=1&message_status=0")).status == 400
    assert receipts(gateway) == []


# ---- replies, and those who want no more


async def told(gateway: Gateway, **fields: object) -> int:
    body = json.dumps({"phone_number": TO, "service_id": 3100, **fields}).encode()
    return (await gateway.post(PATH, body)).status


async def sent(gateway: Gateway, token: str) -> int:
    message_id = await gateway.send(**VIBER)
    await gateway.play_worker("viber", Taken(token))
    return message_id


async def inbox(gateway: Gateway) -> list[InboxMessage]:
    return await Inbox(gateway.store.engine).latest(9)


@pytest.mark.parametrize("tracked", [True, False], ids=["by tracking data", "by its token"])
async def test_a_reply_comes_to_the_account_whose_message_it_answers(gateway: Gateway, tracked: bool) -> None:
    message_id = await sent(gateway, "a")
    tracking = {"tracking_data": f"m:{message_id}"} if tracked else {}
    answered = {} if tracked else {"message_token": "a"}
    assert await told(gateway, **answered, message={"text": "Так 😀", **tracking}) == 200
    [one] = await inbox(gateway)
    assert (one.connector, one.sender, one.recipient, one.text) == ("viber", TO, "3100", "Так 😀")
    assert one.account_id == 1


async def test_a_reply_to_nothing_is_kept_for_the_operator(gateway: Gateway) -> None:
    assert await told(gateway, message={"text": "Who is it?"}) == 200
    assert [(one.text, one.account_id) for one in await inbox(gateway)] == [("Who is it?", None)]


async def test_who_unsubscribes_is_written_to_no_more(gateway: Gateway) -> None:
    await sent(gateway, "a")
    assert await told(gateway, message_token="a", message_status=5) == 200
    stopped = await Inbox(gateway.store.engine).stopped(1, 9)
    assert [(one.number, one.note) for one in stopped] == [(TO, "said on viber")]
    refused = await gateway.ask(command="send", to=TO, message="Hello", **{"from": "test"}, **VIBER)
    assert refused == "errors:Parameter to: this recipient has asked for no more messages\n"


async def test_a_reply_must_come_again_when_it_could_not_be_kept(gateway: Gateway) -> None:
    message_id = await sent(gateway, "a")
    reply = {"text": "Yes", "tracking_data": f"m:{message_id}"}
    with gateway.locked():
        assert await told(gateway, message=reply) == 503
        assert await told(gateway, message_token="a", message_status=5) == 503
    assert await inbox(gateway) == []
    assert await told(gateway, message=reply) == 200
    assert len(await inbox(gateway)) == 1


# ---- who may call


def signed(body: dict[str, Any], secret: str) -> bytes:
    """As TurboSMS signs."""
    signature = hashlib.sha1(f"{secret}{body['id']}".encode()).hexdigest()  # noqa: S324 - as there
    return json.dumps({**body, "signature": signature}).encode()


EVENT = {
    "id": "e1",
    "type": "DLR_VIBER_API",
    "data": {"message_id": "a", "recipient": TO, "status": "Delivered"},
}


async def test_a_forged_signature_changes_nothing(tmp_path: Path) -> None:
    turbosms = {"kind": "turbosms", "token": "t", "signature_secret": "right", "callback_secret": SECRET}
    connectors = {**settings(tmp_path)["connectors"], "turbosms": turbosms}
    async with running(tmp_path, connectors=connectors) as gateway:
        path = f"/callbacks/turbosms/{SECRET}"
        for body in (signed(EVENT, "wrong"), json.dumps({**EVENT, "signature": ""}).encode()):
            reply = await gateway.post(path, body)
            assert (reply.status, reply.text) == (403, "The signature is wrong\n")
        assert receipts(gateway) == []
        assert (await gateway.post(path, signed(EVENT, "right"))).status == 200
        assert [row[:3] for row in receipts(gateway)] == [("turbosms", "a", 3)]


@pytest.mark.parametrize(
    ("networks", "status"),
    [
        ([], 200),
        (["127.0.0.1"], 200),
        (["203.0.113.0/24", "127.0.0.0/8"], 200),
        (["203.0.113.0/24"], 404),
        (["::1"], 404),
    ],
)
async def test_an_address_that_is_not_the_provider_s_is_an_unknown_path(
    tmp_path: Path, networks: list[str], status: int
) -> None:
    viber = {**settings(tmp_path)["connectors"]["viber"], "callback_from": networks}
    connectors = {**settings(tmp_path)["connectors"], "viber": viber}
    async with running(tmp_path, connectors=connectors) as gateway:
        assert (await report(gateway, 0, "a")).status == status
        forwarded = "X-Forwarded-For: 203.0.113.7"
        body = b'{"message_token": "b", "message_status": 0}'
        assert (await gateway.post(PATH, body, forwarded)).status == status, "anyone can write that"
        assert len(receipts(gateway)) == (2 if status == 200 else 0)


async def answer_to(host: str | None, networks: list[str], query: bytes = b"") -> tuple[int, list[Callback]]:
    """What a caller from this address is answered, and what was read of what he said."""
    read: list[Callback] = []

    def reader(name: str, callback: Callback) -> Said:
        read.append(callback)
        return Said()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def nothing(_: object) -> None:
        raise AssertionError("nothing was said")

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": query,
        "headers": [(b"host", b"["), (b"x-signature", b"abc")],
        "client": None if host is None else (host, 1),
        "path_params": {"connector": "up", "secret": SECRET},
    }
    callbacks = Callbacks({"up": Source(SECRET, tuple(networks), reader)}, Keep(nothing, nothing, nothing))
    return (await callbacks.take(Request(scope, receive))).status_code, read


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("203.0.113.7", 200, id="in the network"),
        pytest.param("::ffff:203.0.113.7", 200, id="as a socket for both families writes it"),
        pytest.param("2001:db8::7", 200, id="in the other network"),
        pytest.param("203.0.114.7", 404, id="beside it"),
        pytest.param("::ffff:203.0.114.7", 404, id="beside it, as a socket for both families writes it"),
        pytest.param("fe80::1%eth0", 404, id="of a link"),
        pytest.param("nowhere", 404, id="no address"),
        pytest.param(None, 404, id="a UNIX socket"),
    ],
)
async def test_an_address_is_known_however_it_is_written(host: str | None, status: int) -> None:
    said, _ = await answer_to(host, ["203.0.113.0/24", "2001:db8::/32"])
    assert said == status


async def test_a_provider_s_file_reads_headers_and_query_whatever_the_host_header_says() -> None:
    status, [callback] = await answer_to("127.0.0.1", [], b"id=1&x=%20")
    assert (status, callback.query, callback.body) == (200, "id=1&x=%20", b"{}")
    assert callback.headers["x-signature"] == "abc"
