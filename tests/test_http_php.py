"""/api/http.php over real sockets, read against the documented protocol."""

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from gateway import (
    LOGIN,
    PASSWORD,
    SEND,
    TO,
    Gateway,
    answers,
    decoded,
    encoded,
    get,
    multipart,
    running,
)

from hopwire import credentials
from hopwire.admission import now_ms
from hopwire.model import Taken

API = "/api/http.php"
WRONG = "errors:Wrong login/password\n"
FORM = "Content-Type: application/x-www-form-urlencoded"
DOCUMENTED = (  # the page's example, with our key
    "/api/http.php?version=http&key={key}&command=send&from=test&to=380501234567&message=test&viber=1"
    "&viber_type=text&viber_message=test&viber_from=test&viber_lifetime=60&viber_sms=true"
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as one:
        yield one


def query(gateway: Gateway, **params: str) -> str:
    """Of a right `send` with these parameters in place of its own; an empty one is absent."""
    return urlencode({"key": gateway.key, **SEND, **params})


# ---- the reply


@pytest.mark.parametrize("path", ["/api/http.php", "/http.php"])
async def test_the_documented_sample_is_answered_as_documented(gateway: Gateway, path: str) -> None:
    reply = await gateway.get(DOCUMENTED.format(key=gateway.key).replace("/api/http.php", path))
    assert reply.status == 200
    assert re.fullmatch(rb"id:[1-9][0-9]{0,15}\nsms_count:1\n", reply.body)
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "server" not in reply.headers
    assert "location" not in reply.headers


async def test_what_was_asked_is_what_is_kept(gateway: Gateway) -> None:
    await gateway.get(DOCUMENTED.format(key=gateway.key))
    row = gateway.rows("SELECT account_id, recipient, sms_sender, sms, viber_sender, viber FROM messages")
    assert row == [(1, TO, "test", '{"type":"sms","text":"test"}', "test", '{"type":"text","text":"test"}')]


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        pytest.param({}, 1, id="short"),
        pytest.param({"message": "a" * 161}, 2, id="two parts of GSM-7"),
        pytest.param({"message": "я" * 71}, 2, id="two parts of UCS-2"),
        pytest.param({"message": "a" * 500, "viber": "1", "viber_message": "b"}, 1, id="no SMS after Viber"),
        pytest.param(
            {"message": "a" * 500, "viber": "1", "viber_message": "b", "viber_sms": "1"}, 4, id="SMS after it"
        ),
    ],
)
async def test_sms_count_is_the_parts_that_may_be_sent(
    gateway: Gateway, params: dict[str, str], parts: int
) -> None:
    assert (await gateway.ask(**{**SEND, **params})).endswith(f"\nsms_count:{parts}\n")


async def test_ids_are_never_repeated(gateway: Gateway) -> None:
    ids = await asyncio.gather(*(gateway.send() for _ in range(50)))
    assert len(set(ids)) == 50
    assert min(ids) > 0


# ---- where parameters may stand


CALLED = [
    (FORM,),
    (FORM + "; charset=UTF-8",),
    (),
    ("Content-Type:",),
    ("Content-Type: text/plain",),
    ("Content-Type: application/json",),
    ("Content-Encoding: identity", FORM),
]


@pytest.mark.parametrize("ampersand", ["", "&"], ids=["as it is", "after an ampersand"])
async def test_a_body_is_read_whatever_it_is_called(gateway: Gateway, ampersand: str) -> None:
    for headers in CALLED:
        body = ampersand + query(gateway, message="Привіт & ще")
        assert (await gateway.post(API, body.encode(), *headers)).text.startswith("id:"), headers
    assert gateway.rows("SELECT DISTINCT json_extract(sms, '$.text') FROM messages") == [("Привіт & ще",)]


async def test_a_multipart_body_is_read(gateway: Gateway) -> None:
    body = multipart({"key": gateway.key, **SEND, "message": "Привіт\r\nще"})
    reply = await gateway.post(API, body, "Content-Type: multipart/form-data; boundary=sep")
    assert reply.text.startswith("id:")
    assert gateway.rows("SELECT json_extract(sms, '$.text') FROM messages") == [("Привіт\r\nще",)]


async def test_the_body_wins_over_the_query_and_later_over_earlier(gateway: Gateway) -> None:
    target = f"{API}?{query(gateway, message='query')}&message=later"
    await gateway.get(target)
    await gateway.post(target, b"message=first&message=body")
    await gateway.say(get(target, "Content-Length: 12") + b"message=body")
    assert gateway.rows("SELECT json_extract(sms, '$.text') FROM messages ORDER BY id") == [
        ("later",),
        ("body",),
        ("body",),
    ]


async def test_a_post_may_carry_everything_in_its_query(gateway: Gateway) -> None:
    assert (await gateway.post(f"{API}?{query(gateway)}", b"")).text.startswith("id:")


async def test_version_and_unknown_parameters_are_ignored(gateway: Gateway) -> None:
    for version in ("http", "https", "anything", ""):
        assert await gateway.send(version=version, Message="names have a case", x="")


# ---- the encoded dialect


async def test_the_encoded_dialect_is_answered_in_it(gateway: Gateway) -> None:
    reply = await gateway.get(f"{API}?{encoded(key=gateway.key, **{**SEND, 'message': 'я' * 71})}")
    answer = decoded(reply)
    assert answer == {"id": answer["id"], "sms_count": 2, "errors": []}
    assert (type(answer["id"]), type(answer["sms_count"])) == (int, int)
    asked = await gateway.post(
        API, encoded(key=gateway.key, command="receive", id=str(answer["id"])).encode()
    )
    told = decoded(asked)
    assert told == {"status": "Pending", "code": 0, "status_time": told["status_time"], "errors": []}


@pytest.mark.parametrize(
    ("params", "error"),
    [
        pytest.param({"key": "wrong"}, "Wrong login/password", id="credentials"),
        pytest.param({"to": "12"}, "Please enter valid receiver phone number", id="a parameter"),
        pytest.param({"command": "receive", "id": "77"}, "SMS not found", id="not found"),
    ],
)
async def test_an_encoded_error_is_in_a_list(gateway: Gateway, params: dict[str, str], error: str) -> None:
    reply = await gateway.get(f"{API}?{encoded(**{'key': gateway.key, **SEND, **params})}")
    assert reply.status == 200
    assert decoded(reply) == {"errors": [error]}


async def test_an_encoded_command_that_is_none_is_answered_in_plain(gateway: Gateway) -> None:
    assert (await gateway.get(f"{API}?{encoded(command='sendx', key=gateway.key)}")).text == WRONG
    text = (await gateway.get(f"{API}?key={gateway.key}&{encoded(command='sendx')}")).text
    assert text == "errors:Unknown command\n"


# ---- who asks


FAILURES: dict[str, dict[str, str | bytes]] = {
    "nothing": {},
    "an empty key": {"key": ""},
    "a wrong key": {"key": "wrong"},
    "no password": {"login": LOGIN},
    "no login": {"pass": PASSWORD},
    "a wrong password": {"login": LOGIN, "pass": "wrong"},
    "an unknown login": {"login": "nobody", "pass": PASSWORD},
    "a login with a zero byte": {"login": "a\0b", "pass": PASSWORD},
    "a password that is too long": {"login": LOGIN, "pass": "x" * 300},
    "a password that is no UTF-8": {"login": LOGIN, "pass": b"\xff"},
    "a key that is no UTF-8": {"key": b"\xff"},
    "a wrong key decides alone": {"key": "wrong", "login": LOGIN, "pass": PASSWORD},
}


@pytest.mark.parametrize("command", ["send", "receive", "delete", "price", "balance", "nonsense", ""])
async def test_who_asks_is_known_first_and_every_failure_looks_the_same(
    gateway: Gateway, command: str
) -> None:
    async with gateway.wire() as wire:
        for name, who in FAILURES.items():
            wire.say(get(f"{API}?{urlencode({**SEND, 'command': command, **who})}"))
            reply = await wire.reply()
            assert (name, reply.status, reply.text) == (name, 200, WRONG)
    assert gateway.kept() == 0


@pytest.mark.parametrize(
    ("login", "password"),
    [
        pytest.param(LOGIN, "pass", id="login and pass"),
        pytest.param(LOGIN, "password", id="login and password"),
        pytest.param("+" + LOGIN, "pass", id="a plus before the login"),
        pytest.param(" " + LOGIN, "pass", id="a plus that became a space"),
    ],
)
async def test_a_login_with_its_password_is_let_in(gateway: Gateway, login: str, password: str) -> None:
    said = {"login": login, password: PASSWORD, "key": "", "command": "balance"}
    assert await gateway.ask(**said) == "balance:100\n"


async def test_a_right_key_decides_alone(gateway: Gateway) -> None:
    assert (
        await gateway.ask(key=gateway.key, login="x", **{"pass": "x"}, command="balance") == "balance:100\n"
    )


@pytest.mark.parametrize("kept", ["NFC", "NFD"])
@pytest.mark.parametrize("given", ["NFC", "NFD"])
async def test_a_cyrillic_password_is_the_same_in_both_normal_forms(
    gateway: Gateway, kept: Any, given: Any
) -> None:
    password = "Їжак і ёлка"
    hashed = credentials.hash_password(unicodedata.normalize(kept, password))
    await gateway.directory.create_account("їжак", hashed, 0)
    said = unicodedata.normalize(given, password)
    assert await gateway.ask(login="їжак", **{"pass": said}, command="balance") == "balance:0\n"


async def test_an_inactive_account_is_wrong_credentials_within_a_second(gateway: Gateway) -> None:
    for who in ({"key": gateway.key}, {"login": LOGIN, "pass": PASSWORD}):
        assert await gateway.ask(**who, command="balance") == "balance:100\n"
    gateway.alter("UPDATE accounts SET status = 0")
    for who in ({"key": gateway.key}, {"login": LOGIN, "pass": PASSWORD}):
        await answers(gateway, WRONG, **who, command="balance")


async def test_a_revoked_key_is_wrong_credentials_within_a_second(gateway: Gateway) -> None:
    assert await gateway.ask(command="balance") == "balance:100\n"
    assert await gateway.directory.revoke_key(1, now_ms())
    await answers(gateway, WRONG, command="balance")
    assert await gateway.ask(**SEND) == WRONG
    assert gateway.kept() == 0


# ---- receive, delete


async def test_a_status_is_told_as_it_changes(gateway: Gateway) -> None:
    message_id = await gateway.send()
    assert await status(gateway, message_id) == ("Pending", 0)
    await gateway.play_worker("smsc", Taken("a1"))
    assert await status(gateway, message_id) == ("Sent", 2)


async def status(gateway: Gateway, message_id: int) -> tuple[str, int]:
    text = await gateway.ask(command="receive", id=message_id)
    found = re.fullmatch(r"status:(.+)\ncode:(\d+)\nstatus_time:(.+)\n", text)
    assert found, text
    moment = datetime.strptime(found[3], "%Y-%m-%dT%H:%M:%S%z")
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)
    assert moment.utcoffset() in (timedelta(hours=2), timedelta(hours=3))  # Kyiv
    return found[1], int(found[2])


NO_IDS = ["", "0", "-1", "abc", "1.5", "77777", "9007199254740992", "9" * 30, "1 OR 1=1", "\0", "١"]


@pytest.mark.parametrize("command", ["receive", "delete"])
async def test_an_id_that_is_none_is_not_found(gateway: Gateway, command: str) -> None:
    texts = {await gateway.ask(command=command, id=wanted) for wanted in NO_IDS}
    assert texts == {"errors:SMS not found\n"}


@pytest.mark.parametrize("command", ["receive", "delete"])
async def test_the_message_of_another_account_is_not_found(gateway: Gateway, command: str) -> None:
    message_id = await gateway.send(ask_date=in_an_hour())
    await gateway.directory.create_account("other", credentials.hash_password("other"), 0)
    text = await gateway.ask(login="other", **{"pass": "other"}, command=command, id=message_id)
    assert text == "errors:SMS not found\n"
    assert await status(gateway, message_id) == ("Pending", 0)


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S%z")


async def test_a_scheduled_message_is_deleted_once_and_its_money_comes_back(gateway: Gateway) -> None:
    message_id = await gateway.send(ask_date=in_an_hour())
    assert await gateway.ask(command="balance") == "balance:99.2\n"
    for _ in range(2):
        assert await gateway.ask(command="delete", id=message_id) == "status:Deleted\ncode:10\n"
        assert await gateway.ask(command="balance") == "balance:100\n"
    assert await status(gateway, message_id) == ("Deleted", 10)
    assert await gateway.play_worker("smsc", Taken("a1")) == []


async def test_what_has_left_the_schedule_stays_as_it_is(gateway: Gateway) -> None:
    message_id = await gateway.send()
    await gateway.play_worker("smsc", Taken("a1"))
    assert await gateway.ask(command="delete", id=message_id) == "status:Sent\ncode:2\n"
    assert await status(gateway, message_id) == ("Sent", 2)


async def test_a_message_without_a_route_ends_at_once(gateway: Gateway) -> None:
    message_id = await gateway.send(to="+48 512 345 678")
    assert await status(gateway, message_id) == ("Operator not supported", 95)
    assert await gateway.ask(command="balance") == "balance:100\n"


# ---- price, balance


@pytest.mark.parametrize(
    ("prefix", "price", "text"),
    [
        pytest.param("380", 1_200_000, "1.2", id="one decimal"),
        pytest.param("380", 1, "0.000001", id="no exponent"),
        pytest.param("380", 12_000_000, "12", id="whole"),
        pytest.param("38050", 0, "0", id="free"),
        pytest.param("48", 1_200_000, "0.8", id="the price of another prefix"),
    ],
)
async def test_price_is_of_one_part(gateway: Gateway, prefix: str, price: int, text: str) -> None:
    gateway.alter("INSERT INTO tariffs VALUES ('', 'sms', '', ?, 0, ?)", prefix, price)
    await answers(gateway, f"price:{text}\ncurrency:UAH\n", command="price", to=TO)


async def test_price_is_0_where_there_is_no_route(gateway: Gateway) -> None:
    assert await gateway.ask(command="price", to="+48 512 345 678") == "price:0\ncurrency:UAH\n"
    bad = "errors:Please enter valid receiver phone number\n"
    assert await gateway.ask(command="price", to="") == bad


@pytest.mark.parametrize(
    ("account", "text"),
    [
        pytest.param("balance = 31168300", "31.1683", id="the documented form"),
        pytest.param("balance = 0", "0", id="nothing"),
        pytest.param("balance = 5000000, reserved = 2000000", "3", id="less what is reserved"),
        pytest.param("balance = 0, credit_limit = 10500000", "10.5", id="with credit"),
        pytest.param("balance = -250000", "-0.25", id="below zero"),
        pytest.param("balance = 1000000000000000", "1000000000", id="a lot"),
    ],
)
async def test_balance_is_alone_in_its_reply(gateway: Gateway, account: str, text: str) -> None:
    gateway.rows(f"UPDATE accounts SET {account}")  # noqa: S608
    assert await gateway.ask(command="balance") == f"balance:{text}\n"


async def test_commands_may_be_written_in_any_case(gateway: Gateway) -> None:
    assert await gateway.ask(command="BALANCE") == "balance:100\n"
