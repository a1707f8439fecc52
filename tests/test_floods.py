"""Wrong logins by the thousand, over real sockets: right ones are answered, and nobody is locked out."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from gateway import LOGIN, PASSWORD, Gateway, Wire, get, running

from hopwire import errors
from hopwire.credentials import hash_password, passwords

FLOOD, OWNER = "127.0.0.1", "127.0.0.2"  # addresses of this machine
WRONG = f"errors:{errors.WrongCredentials.text}\n"
TOO_MANY = f"errors:{errors.TooManyRequests.text}\n"
BALANCE = "balance:100\n"
CONNECTIONS, GUESSES = 50, 3000


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as one:
        yield one


@pytest.fixture
def argon2_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """What argon2 said, each time it was asked."""
    runs: list[bool] = []
    verify = passwords.verify

    def counted(password_hash: str, data: bytes) -> bool:
        runs.append(verify(password_hash, data))
        return runs[-1]

    monkeypatch.setattr(passwords, "verify", counted)
    yield runs


@asynccontextmanager
async def wire_from(gateway: Gateway, address: str) -> AsyncIterator[Wire]:
    """A connection from an address of ours."""
    port = gateway.ports["http"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


async def log_in(wire: Wire, login: str, password: str) -> str:
    wire.say(get(f"/api/http.php?{urlencode({'login': login, 'pass': password, 'command': 'balance'})}"))
    return (await wire.reply()).text


class Flood:
    """Guesses on many connections: a login that there is, and made-up ones in turn, no password twice."""

    def __init__(self, gateway: Gateway, guesses: int = GUESSES) -> None:
        self._gateway = gateway
        self._numbers = iter(range(guesses))
        self.began, self.ended = asyncio.Event(), asyncio.Event()
        self.told: Counter[str] = Counter()

    async def run(self) -> None:
        try:
            await asyncio.gather(*(self._guess() for _ in range(CONNECTIONS)))
        finally:
            self.ended.set()

    async def _guess(self) -> None:
        async with wire_from(self._gateway, FLOOD) as wire:
            for number in self._numbers:
                self.told[await log_in(wire, LOGIN if number % 2 else f"login-{number}", f"{number}")] += 1
                self.began.set()


async def ask_during(flood: Flood, gateway: Gateway, login: str) -> Counter[str]:
    """What somebody with the right password is answered meanwhile, from an address of his own."""
    answers: Counter[str] = Counter()
    await flood.began.wait()
    async with wire_from(gateway, OWNER) as wire:
        while not flood.ended.is_set():
            answers[await log_in(wire, login, PASSWORD)] += 1
    return answers


async def test_right_logins_go_on_during_a_flood(gateway: Gateway, argon2_runs: list[bool]) -> None:
    hashed = hash_password(PASSWORD)
    await gateway.directory.create_account("other", hashed, 0, credit_limit=100_000_000)
    flood = Flood(gateway)
    owners = (ask_during(flood, gateway, LOGIN), ask_during(flood, gateway, "other"))
    _, *answers = await asyncio.gather(flood.run(), *owners)
    for told in answers:
        assert told.keys() == {BALANCE}
    assert flood.told.keys() == {WRONG, TOO_MANY}
    assert flood.told.total() == GUESSES
    assert argon2_runs.count(True) == 2
    assert argon2_runs.count(False) == flood.told[WRONG] < flood.told[TOO_MANY]


async def test_the_owner_is_not_locked_out_where_the_flood_comes_from_either(
    gateway: Gateway, argon2_runs: list[bool]
) -> None:
    await Flood(gateway, 300).run()
    async with wire_from(gateway, FLOOD) as wire:
        assert await log_in(wire, LOGIN, PASSWORD) == BALANCE
        runs, flood = len(argon2_runs), Flood(gateway, 300)
        going_on = asyncio.ensure_future(flood.run())
        while not flood.ended.is_set():  # it has been verified, and stays so
            assert await log_in(wire, LOGIN, PASSWORD) == BALANCE
        await going_on
    assert True not in argon2_runs[runs:]
