"""Limits and clients' keys over real sockets: what a client reads, and that a key is one message."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from gateway import SEND, Gateway, decoded, encoded, running

from hopwire import errors
from hopwire.errors import ApiError
from hopwire.model import Limits
from hopwire.store.ledger import Ledger

API = "/api/http.php"
NEXT, FAR = "380501234568", "380671234567"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as one:
        yield one


async def limited(gateway: Gateway, **limits: Any) -> str:
    """The key of another account with these limits."""
    account = await gateway.directory.create_account("limited", "", 0, limits=Limits(**limits))
    assert account is not None
    await Ledger(gateway.directory.engine).top_up(account, 10_000_000, "", 0)
    return await gateway.new_key(account)


ONCE = [
    pytest.param({"counts": {"account/hour": 1}}, {"to": FAR}, errors.LimitReached, id="an hour's"),
    pytest.param({"counts": {"key/day": 1}}, {"to": FAR}, errors.LimitReached, id="a key's"),
    pytest.param({"counts": {"number/day": 1}}, {}, errors.NumberLimitReached, id="a number's"),
    pytest.param({"counts": {"block/day": 1}}, {"to": NEXT}, errors.BlockLimitReached, id="a block's"),
    pytest.param({"spend": {"month": 800_000}}, {"to": FAR}, errors.SpendLimitReached, id="spending"),
    pytest.param({"duplicates": "refuse"}, {}, errors.Duplicate, id="a duplicate"),
    pytest.param({"max_price": 800_000}, {"message": "a" * 161}, errors.PriceTooHigh, id="a price"),
    pytest.param({"destinations": ("38050",)}, {"to": FAR}, errors.DestinationNotAllowed, id="a destination"),
]


@pytest.mark.parametrize(("limits", "second", "error"), ONCE)
async def test_what_a_limit_refuses_is_said_and_not_kept(
    gateway: Gateway, limits: dict[str, Any], second: dict[str, str], error: type[ApiError]
) -> None:
    key = await limited(gateway, **limits)
    assert (await gateway.ask(**{**SEND, "key": key})).startswith("id:")
    kept = gateway.kept()
    assert await gateway.ask(**{**SEND, "key": key, **second}) == f"errors:{error.text}\n"
    assert gateway.kept() == kept


async def test_too_many_in_a_minute_are_told_to_slow_down(gateway: Gateway) -> None:
    key = await limited(gateway, counts={"account/minute": 2})
    texts = {await gateway.ask(**{**SEND, "key": key}) for _ in range(6)}  # the minute may end meanwhile
    assert "errors:Too many requests, slow down\n" in texts


async def test_numbers_that_cost_more_are_allowed_to_whom_they_are(gateway: Gateway) -> None:
    sent = {**SEND, "to": "380900212345"}
    assert await gateway.ask(**sent) == f"errors:{errors.PremiumNotAllowed.text}\n"
    assert (await gateway.ask(**{**sent, "key": await limited(gateway, premium=True)})).startswith("id:")


async def test_a_merged_duplicate_is_answered_as_the_first(gateway: Gateway) -> None:
    key = await limited(gateway, duplicates="merge")
    first, again = [await gateway.ask(**{**SEND, "key": key, "message": "a" * 161}) for _ in range(2)]
    assert first == again
    assert first.endswith("\nsms_count:2\n")


async def test_what_is_held_is_pending(gateway: Gateway) -> None:
    key = await limited(gateway, sequence=2)
    held = [await gateway.ask(**{**SEND, "key": key, "to": to}) for to in (SEND["to"], NEXT)][1]
    message_id = held.splitlines()[0].removeprefix("id:")
    answer = await gateway.ask(key=key, command="receive", id=message_id)
    assert answer.startswith("status:Pending\ncode:0\n")
    assert (await gateway.ask(key=key, command="delete", id=message_id)) == "status:Deleted\ncode:10\n"


# ---- a client's keys


async def send(gateway: Gateway, *headers: str, **params: str) -> str:
    query = urlencode({"key": gateway.key, **SEND, **params})
    return (await gateway.get(f"{API}?{query}", *headers)).text


def kept_messages(gateway: Gateway) -> int:
    count: int = gateway.rows("SELECT count(*) FROM messages")[0][0]
    return count


async def test_the_header_and_the_parameter_are_one_key(gateway: Gateway) -> None:
    first = await send(gateway, client_id='order "5"')
    ways: list[tuple[tuple[str, ...], dict[str, str]]] = [
        ((), {"client_id": 'order "5"'}),
        (('Idempotency-Key: order "5"',), {}),
        (('Idempotency-Key: "order \\"5\\""',), {}),
        (('idempotency-key:   "order \\"5\\"" ',), {"client_id": "another"}),
        (("Idempotency-Key:",), {"client_id": 'order "5"'}),
    ]
    for headers, params in ways:
        assert await send(gateway, *headers, **params) == first, (headers, params)
    hidden = encoded(key=gateway.key, **SEND, client_id='order "5"')
    reply = await gateway.get(f"{API}?{hidden}")
    assert f"id:{decoded(reply)['id']}\n" in first
    assert kept_messages(gateway) == 1
    assert await send(gateway, client_id="another") != first


async def test_without_a_key_every_request_is_a_message(gateway: Gateway) -> None:
    assert await send(gateway) != await send(gateway, client_id="")
    assert kept_messages(gateway) == 2


async def test_fifty_requests_with_one_key_at_once_are_one_message(gateway: Gateway) -> None:
    texts = await asyncio.gather(*(send(gateway, client_id="a") for _ in range(50)))
    assert len(set(texts)) == 1
    assert texts[0].startswith("id:")
    assert kept_messages(gateway) == 1
    assert await gateway.ask(command="balance") == "balance:99.2\n"


async def test_another_message_under_the_same_key_is_refused(gateway: Gateway) -> None:
    await send(gateway, client_id="a")
    assert await send(gateway, client_id="a", message="other") == f"errors:{errors.ClientIdReused.text}\n"
    assert kept_messages(gateway) == 1


@pytest.mark.parametrize(
    "client_id", ["x" * 255, "замовлення 5"], ids=["255 characters", "not of Latin letters"]
)
async def test_a_key_may_be_any_printable_text(gateway: Gateway, client_id: str) -> None:
    assert await send(gateway, client_id=client_id) == await send(gateway, client_id=client_id)


@pytest.mark.parametrize(
    ("headers", "client_id"),
    [
        pytest.param((), "x" * 256, id="256 characters"),
        pytest.param((), "a\tb", id="a tab"),
        pytest.param((), "a\0", id="a NUL"),
        pytest.param((f"Idempotency-Key: {'x' * 256}",), "a", id="a header of 256 characters"),
        pytest.param(('Idempotency-Key: "a',), "a", id="a quote that is not closed"),
        pytest.param(('Idempotency-Key: ""',), "a", id="nothing in quotes"),
        pytest.param(('Idempotency-Key: "a\\b"',), "a", id="a backslash before a letter"),
        pytest.param(("Idempotency-Key: a\tb",), "a", id="a tab in the header"),
    ],
)
async def test_a_key_that_is_none_is_refused(
    gateway: Gateway, headers: tuple[str, ...], client_id: str
) -> None:
    assert await send(gateway, *headers, client_id=client_id) == f"errors:{errors.BadClientId.text}\n"
    assert gateway.kept() == 0
