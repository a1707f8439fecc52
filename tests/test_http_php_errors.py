"""The errors of /api/http.php over real sockets: each sentence, and that nothing is stored with it."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from gateway import (
    LOGIN,
    PASSWORD,
    SEND,
    Gateway,
    answers,
    decoded,
    encoded,
    get,
    multipart,
    post,
    running,
)

from hopwire import errors
from hopwire.credentials import attempts, passwords
from hopwire.model import AccountStatus
from hopwire.store.ledger import Ledger

API = "/api/http.php"
WRONG = "errors:Wrong login/password\n"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as one:
        yield one


def query(gateway: Gateway) -> str:
    """Of a right `send`."""
    return urlencode({"key": gateway.key, **SEND})


VIBER = {"viber": "1", "viber_from": "test", "viber_message": "Hello"}
BUTTON = {**VIBER, "viber_type": "button", "viber_url": "https://a.example/", "viber_button": "Go"}

REFUSALS: dict[str, dict[str, str]] = {
    "wrong_credentials": {"key": "wrong"},
    "key_not_allowed": {"key": "READER"},
    "account_paused": {"key": "PAUSED"},
    "unknown_command": {"command": "nonsense"},
    "bad_recipient": {"to": "12345"},
    "no_text": {"message": ""},
    "bad_sender": {"from": "Крамниця"},
    "not_enough_money": {"message": "a" * 1500, "key": "POOR"},
    "not_found": {"command": "receive", "id": "77"},
    "sender_not_registered": {"key": "POOR", "from": "other"},
    "viber_sender_not_registered": {"key": "POOR", **VIBER, "viber_from": "other"},
    "destination_not_allowed": {"key": "POOR", "to": "48501234567"},
    "premium_not_allowed": {"to": "380900212345"},
    "bad_client_id": {"client_id": "x" * 256},
    "no_viber_sender": {**VIBER, "viber_from": "x" * 29},
    "text_too_long": {"message": "a" * 1531},
    "bad_viber_type": {**VIBER, "viber_type": "video"},
    "no_viber_text": {**VIBER, "viber_message": "", "message": ""},
    "viber_text_too_long": {**VIBER, "viber_message": "я" * 1001},
    "bad_viber_lifetime": {**VIBER, "viber_lifetime": "59"},
    "no_viber_image": {**VIBER, "viber_type": "image"},
    "bad_viber_image": {**VIBER, "viber_type": "image", "viber_image": "https://a.example/a.webp"},
    "no_viber_url": {**BUTTON, "viber_url": ""},
    "bad_viber_url": {**BUTTON, "viber_url": "javascript:alert(1)"},
    "no_viber_button": {**BUTTON, "viber_button": ""},
    "viber_button_too_long": {**BUTTON, "viber_button": "я" * 20},
    "bad_wap": {"wap": "ftp://a.example/"},
    "bad_ask_date": {"ask_date": "tomorrow"},
    "ask_date_too_far": {"ask_date": "9999-01-01T00:00:00Z"},
    "bad_viber": {"viber": "maybe"},
    "bad_viber_sms": {**VIBER, "viber_sms": "maybe"},
    "bad_flash": {"flash": "maybe"},
    "too_many_parameters": {f"x{i}": "1" for i in range(101)},
}
ELSEWHERE = {
    "bad_utf8": "test_text_that_is_no_utf8_is_an_error",
    "bad_encoding": "test_a_value_outside_the_alphabet_is_an_error",
    "bad_body": "test_a_body_that_cannot_be_read_is_an_error",
    "too_many_requests": "test_a_flood_of_passwords_is_held_back",
    "unavailable": "test_a_locked_store_accepts_nothing_and_recovers_by_itself",
    "too_large": "test_wire.py",
    "head_too_large": "test_wire.py",
    "recipient_opted_out": "test_store_inbox.py, where a reader says stop",
    "image_unreachable": "test_a_picture_that_is_looked_at_is_not_fetched_from_behind_our_walls",
    "image_too_large": "test_fetch.py",
    "image_of_other_kind": "test_fetch.py",
    "image_bad_pixels": "test_fetch.py",
    "price_too_high": "test_http_php_limits.py",
    "client_id_reused": "test_http_php_limits.py",
    "duplicate": "test_http_php_limits.py",
    "number_limit_reached": "test_http_php_limits.py",
    "block_limit_reached": "test_http_php_limits.py",
    "limit_reached": "test_http_php_limits.py",
    "spend_limit_reached": "test_http_php_limits.py",
    "loop": "test_loops.py, where gateways stand behind one another",
}


def test_every_error_of_the_catalogue_is_met() -> None:
    assert REFUSALS.keys() | ELSEWHERE.keys() == errors.CATALOGUE.keys()
    named = {name for name in ELSEWHERE.values() if name.startswith("test_") and " " not in name}
    assert named - globals().keys() == {"test_wire.py", "test_fetch.py", "test_http_php_limits.py"}


@pytest.fixture
async def poor(gateway: Gateway) -> str:
    """The key of an account without money that may use one sender name."""
    account = await gateway.directory.create_account("poor", "", 0, any_sender=False, sender_names=["test"])
    assert account is not None
    key = await gateway.new_key(account)
    await answers(gateway, "errors:Not enough money\n", **{**SEND, "key": key})  # its name is known
    return key


@pytest.fixture
async def keys(gateway: Gateway, poor: str) -> dict[str, str]:
    """What stands for them in the table."""
    paused = await gateway.directory.create_account("paused", "", 0, status=AccountStatus.PAUSED)
    assert paused is not None
    reader = await gateway.new_key(1, scopes=["read"])
    return {"POOR": poor, "PAUSED": await gateway.new_key(paused), "READER": reader}


async def test_an_error_says_its_sentence_and_stores_nothing(gateway: Gateway, keys: dict[str, str]) -> None:
    for code, params in REFUSALS.items():
        said = {"key": gateway.key, **SEND, **params}
        said["key"] = keys.get(said["key"], said["key"])
        reply = await gateway.get(f"{API}?{urlencode(said)}")
        assert (code, reply.status, reply.text) == (code, 200, f"errors:{errors.CATALOGUE[code].text}\n")
    assert gateway.kept() == 0
    assert await gateway.ask(command="balance") == "balance:100\n"


@pytest.mark.parametrize("kind", [{"viber_type": "image"}, BUTTON], ids=["an image", "of a button"])
async def test_a_picture_that_is_looked_at_is_not_fetched_from_behind_our_walls(
    tmp_path: Path, kind: dict[str, str]
) -> None:
    sent = {**SEND, **VIBER, **kind, "viber_image": "http://127.0.0.1/x.png"}
    async with running(tmp_path, viber={"check_images": True}) as gateway:
        assert await gateway.ask(**sent) == f"errors:{errors.ImageUnreachable.text}\n"
        assert gateway.kept() == 0


async def test_a_registered_sender_may_be_used(gateway: Gateway, poor: str) -> None:
    await Ledger(gateway.directory.engine).top_up(2, 800_000, "", 0)
    assert (await gateway.ask(**{**SEND, "key": poor})).startswith("id:")
    assert await gateway.ask(**{**SEND, "key": poor}) == "errors:Not enough money\n"


async def test_money_for_k_messages_accepts_exactly_k(gateway: Gateway, poor: str) -> None:
    await Ledger(gateway.directory.engine).top_up(2, 5 * 800_000, "", 0)
    texts = await asyncio.gather(*(gateway.ask(**{**SEND, "key": poor}) for _ in range(30)))
    assert sum(text.startswith("id:") for text in texts) == 5
    assert sum(text == "errors:Not enough money\n" for text in texts) == 25
    assert await gateway.ask(key=poor, command="balance") == "balance:0\n"


async def test_text_that_is_no_utf8_is_an_error(gateway: Gateway) -> None:
    for name in ("message", "from", "to", "viber_message", "viber_from", "ask_date"):
        params = {"key": gateway.key, **SEND, **VIBER, "viber_sms": "1", name: b"Hello \xd0"}
        reply = await gateway.post(API, urlencode(params).encode())
        assert (name, reply.text) == (name, f"errors:{errors.BadUtf8.text}\n")
    assert gateway.kept() == 0


async def test_a_value_outside_the_alphabet_is_an_error(gateway: Gateway) -> None:
    target = f"{API}?{encoded(key=gateway.key, **SEND)}&message=*"
    assert decoded(await gateway.get(target)) == {"errors": [errors.BadEncoding.text]}
    assert gateway.kept() == 0


UNREADABLE = [
    "Content-Encoding: gzip",
    "Content-Type: multipart/form-data",
    "Content-Type: multipart/form-data; boundary=sep",
    "Content-Type: multipart/form-data; boundary=",
    f"Content-Type: multipart/form-data; boundary={'x' * 300}",
]


async def test_a_body_that_cannot_be_read_is_an_error(gateway: Gateway) -> None:
    bodies = (query(gateway).encode(), multipart({"key": gateway.key, **SEND})[:-9])
    async with gateway.wire() as wire:
        for header, body in itertools.product(UNREADABLE, bodies):
            wire.say(post(API, body, header))
            reply = await wire.reply()
            assert (header, reply.status, reply.text) == (header, 200, f"errors:{errors.BadBody.text}\n")
        wire.say(post(API, bodies[0]))
        assert (await wire.reply()).text.startswith("id:")


async def test_a_flood_of_passwords_is_held_back(
    gateway: Gateway, argon2_runs: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "WAITING", 2)
    guesses = [gateway.ask(login="nobody", **{"pass": str(i)}, command="balance") for i in range(30)]
    texts = await asyncio.gather(*guesses)
    assert set(texts) == {WRONG, f"errors:{errors.TooManyRequests.text}\n"}
    assert len(argon2_runs) == texts.count(WRONG) < 30


@pytest.fixture
def argon2_runs(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What argon2 said, each time it was asked."""
    runs: list[bool] = []
    verify = passwords.verify

    def counted(password_hash: str, data: bytes) -> bool:
        runs.append(verify(password_hash, data))
        return runs[-1]

    monkeypatch.setattr(passwords, "verify", counted)
    return runs


async def test_a_password_is_verified_once(gateway: Gateway, argon2_runs: list[bool]) -> None:
    for _ in range(5):
        assert await gateway.ask(login=LOGIN, **{"pass": PASSWORD}, command="balance") == "balance:100\n"
    assert argon2_runs == [True]
    assert await gateway.ask(login=LOGIN, **{"pass": "wrong"}, command="balance") == WRONG
    assert argon2_runs == [True, False]


# ---- when the store cannot be written


async def test_a_locked_store_accepts_nothing_and_recovers_by_itself(gateway: Gateway) -> None:
    await gateway.send()
    before = gateway.kept()
    with gateway.locked():
        for said in (get(f"{API}?{query(gateway)}"), post(API, query(gateway).encode())):
            reply = await gateway.say(said)
            assert (reply.status, reply.text) == (503, "errors:Temporarily unavailable\n")
            assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert await gateway.ask(**{**SEND, "key": "wrong"}) == WRONG
        assert await gateway.ask(command="balance") == "balance:99.2\n"
    assert gateway.kept() == before
    await gateway.send()
    assert gateway.kept() == 2 * before


async def test_there_is_no_answer_where_nobody_knows_whether_it_was_done(gateway: Gateway) -> None:
    with gateway.unanswered():
        async with gateway.wire() as wire:
            wire.say(get(f"{API}?{query(gateway)}"))
            assert await wire.closed()


async def test_a_locked_store_is_told_in_the_encoded_dialect_too(gateway: Gateway) -> None:
    with gateway.locked():
        reply = await gateway.get(f"{API}?{encoded(key=gateway.key, **SEND)}")
    assert (reply.status, decoded(reply)) == (503, {"errors": ["Temporarily unavailable"]})


async def test_a_bug_of_ours_is_told_as_unavailable_without_a_traceback(gateway: Gateway) -> None:
    message_id = await gateway.send()
    gateway.alter("UPDATE accounts SET time_zone = 'Nowhere'")
    await answers(gateway, "errors:Temporarily unavailable\n", command="receive", id=str(message_id))
