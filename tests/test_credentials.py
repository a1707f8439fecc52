"""Keys and passwords: how they are made, what is kept of them, and what is remembered for how long."""

import asyncio
import re
import stat
import threading
import unicodedata
from pathlib import Path

import pytest
from conftest import NOW, open_account

from hopwire import credentials
from hopwire.access import From
from hopwire.config import ConfigError, Store
from hopwire.credentials import (
    Credentials,
    attempts,
    hash_password,
    installation_secret,
    is_key,
    key_digest,
    key_label,
    new_key,
    passwords,
)
from hopwire.errors import TooManyRequests, WrongCredentials
from hopwire.model import Account, AccountStatus, Caller
from hopwire.store.directory import Directory, Secrets

SECRET = b"installation"
HERE = From("192.0.2.1")


class Version:
    """What rises when the directory changes."""

    def __init__(self) -> None:
        self.number = 1

    def __call__(self) -> int:
        return self.number


async def account_with(directory: Directory, password: str, login: str = "shop") -> None:
    assert await directory.create_account(login, hash_password(password), NOW)


async def add_key(directory: Directory, account_id: int) -> str:
    key = new_key()
    await directory.create_key(account_id, key_digest(SECRET, key), key_label(key), "", NOW)
    return key


# ---- keys


def test_a_key_is_long_random_and_ends_with_its_checksum() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert re.fullmatch(r"hw_live_[0-9A-Za-z]{32}[0-9A-Za-z]{6}", key)
        assert is_key(key)


def test_a_mistyped_key_does_not_fit_its_checksum() -> None:
    key = new_key()
    for place in (8, 39, 45):
        assert not is_key(key[:place] + ("a" if key[place] != "a" else "b") + key[place + 1 :])
    for other in ("", key[:-1], key + "0", key + "\n", key.replace("live", "test")):
        assert not is_key(other)


def test_a_label_tells_keys_apart_and_no_more() -> None:
    key = new_key()
    assert key.startswith(key_label(key))
    assert len(key_label(key)) == 12


def test_a_digest_depends_on_the_installation() -> None:
    assert key_digest(b"one", "key") != key_digest(b"two", "key")
    assert re.fullmatch("[0-9a-f]{64}", key_digest(SECRET, "ключ"))


async def test_a_key_finds_its_account(directory: Directory) -> None:
    account = await open_account(directory)
    known = Credentials(directory, SECRET, Version())
    caller = await known.by_key(await add_key(directory, account.id), HERE)
    assert (caller.account, caller.key and caller.key.account_id) == (account, account.id)
    for key in ("", "wrong", new_key(), "\0", "x" * 60_000):
        with pytest.raises(WrongCredentials):
            await known.by_key(key, HERE)


async def test_a_revoked_key_is_refused_once_the_directory_is_known_to_have_changed(
    directory: Directory,
) -> None:
    version = Version()
    known = Credentials(directory, SECRET, version)
    key = await add_key(directory, (await open_account(directory)).id)
    await known.by_key(key, HERE)
    (kept,) = await directory.keys()
    assert await directory.revoke_key(kept.id, NOW)
    version.number += 1
    with pytest.raises(WrongCredentials):
        await known.by_key(key, HERE)


class SlowDirectory(Directory):
    """Its answers are as old as the question, and come when the test lets them."""

    def __init__(self, directory: Directory) -> None:
        super().__init__(directory.engine)
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def caller_by_key(self, digest: str) -> Caller | None:
        found = await super().caller_by_key(digest)
        self.asked.set()
        await self.may_answer.wait()
        return found


async def test_an_answer_from_before_a_change_is_not_remembered_after_it(directory: Directory) -> None:
    version, slow = Version(), SlowDirectory(directory)
    known = Credentials(slow, SECRET, version)
    key = await add_key(directory, (await open_account(directory)).id)
    early = asyncio.create_task(known.by_key(key, HERE))
    await slow.asked.wait()
    (kept,) = await directory.keys()
    await directory.revoke_key(kept.id, NOW)
    version.number += 1
    with pytest.raises(WrongCredentials):  # this request sees the new directory, and begins a new memory
        slow.may_answer.set()
        await Credentials.by_key(known, "another", HERE)
    await early
    with pytest.raises(WrongCredentials):
        await known.by_key(key, HERE)


# ---- passwords


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What argon2 said, each time it was asked."""
    said: list[bool] = []
    verify = passwords.verify

    def counted(password_hash: str, data: bytes) -> bool:
        said.append(verify(password_hash, data))
        return said[-1]

    monkeypatch.setattr(passwords, "verify", counted)
    return said


def test_a_password_is_kept_as_argon2id() -> None:
    assert re.match(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$", hash_password("secret"))
    assert hash_password("secret") != hash_password("secret")


def test_a_password_is_at_most_256_bytes() -> None:
    hash_password("я" * 128)
    with pytest.raises(ValueError, match="256"):
        hash_password("я" * 128 + "a")


async def test_a_password_is_verified_in_its_normal_form(directory: Directory) -> None:
    await account_with(directory, unicodedata.normalize("NFD", "Їжак"))
    known = Credentials(directory, SECRET, Version())
    for form in ("NFC", "NFD"):
        assert (
            await known.by_password("shop", unicodedata.normalize(form, "Їжак"), HERE)
        ).account.login == "shop"


async def test_argon2_runs_once_until_the_memory_ends(
    directory: Directory, runs: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    await account_with(directory, "right")
    version = Version()
    known = Credentials(directory, SECRET, version)
    for _ in range(3):
        await known.by_password("shop", "right", HERE)
        version.number += 1
    assert runs == [True]
    monkeypatch.setattr(credentials, "RIGHT_S", -1.0)
    await known.by_password("shop", "right", HERE)  # it was remembered for longer
    other = Credentials(directory, SECRET, version)
    for _ in range(2):
        await other.by_password("shop", "right", HERE)
    assert runs == [True] * 3


async def test_what_was_right_is_so_for_longer_while_it_is_used(
    directory: Directory, runs: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(credentials, "_clock", lambda: now)
    await account_with(directory, "right")
    known = Credentials(directory, SECRET, Version())
    for _ in range(10):
        await known.by_password("shop", "right", HERE)
        now += credentials.RIGHT_S * 0.9
    assert runs == [True]
    now += credentials.RIGHT_S
    await known.by_password("shop", "right", HERE)
    assert runs == [True, True]


async def test_another_password_counts_at_once_and_the_old_one_no_more(
    directory: Directory, runs: list[bool]
) -> None:
    await account_with(directory, "right")
    version = Version()
    known = Credentials(directory, SECRET, version)
    await known.by_password("shop", "right", HERE)
    with pytest.raises(WrongCredentials):
        await known.by_password("shop", "newer", HERE)
    await directory.set_password(1, hash_password("newer"))
    version.number += 1
    await known.by_password("shop", "newer", HERE)
    with pytest.raises(WrongCredentials):
        await known.by_password("shop", "right", HERE)
    assert runs == [True, False, True, False]


async def test_what_an_account_may_do_is_read_again_without_argon2(
    directory: Directory, runs: list[bool]
) -> None:
    await account_with(directory, "right")
    version = Version()
    known = Credentials(directory, SECRET, version)
    await known.by_password("shop", "right", HERE)
    await directory.set_account(1, {"status": AccountStatus.PAUSED})
    version.number += 1
    assert (await known.by_password("shop", "right", HERE)).account.status is AccountStatus.PAUSED
    await directory.set_account(1, {"status": AccountStatus.CLOSED})
    version.number += 1
    with pytest.raises(WrongCredentials):
        await known.by_password("shop", "right", HERE)
    assert runs == [True]


@pytest.mark.parametrize("login", ["shop", "nobody"])
async def test_what_was_wrong_is_wrong_for_some_seconds_without_argon2(
    directory: Directory, runs: list[bool], monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    now = 1000.0
    monkeypatch.setattr(credentials, "_clock", lambda: now)
    await account_with(directory, "right")
    known = Credentials(directory, SECRET, Version())
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            await known.by_password(login, "wrong", HERE)
    assert runs == [False]
    now += credentials.WRONG_S
    with pytest.raises(WrongCredentials):
        await known.by_password(login, "wrong", HERE)
    assert runs == [False, False]


async def test_argon2_runs_once_for_all_that_ask_the_same_meanwhile(
    directory: Directory, runs: list[bool]
) -> None:
    await account_with(directory, "right")
    known = Credentials(directory, SECRET, Version())
    callers = await asyncio.gather(*(known.by_password("shop", "right", HERE) for _ in range(200)))
    assert {caller.account.login for caller in callers} == {"shop"}
    assert runs == [True]


@pytest.mark.parametrize(
    ("api", "totp", "right"),
    [
        pytest.param("", "", "cabinet", id="one password for both"),
        pytest.param("api", "", "api", id="one of the API's own"),
        pytest.param("api", "sealed", "api", id="one of the API's own, and a second factor"),
        pytest.param("", "sealed", None, id="a second factor alone"),
    ],
)
async def test_the_api_takes_one_password(
    directory: Directory, runs: list[bool], api: str, totp: str, right: str | None
) -> None:
    await account_with(directory, "cabinet")
    await directory.set_api_password(1, hash_password(api) if api else "")
    await directory.set_totp(1, totp)
    known = Credentials(directory, SECRET, Version())
    for typed in ("cabinet", "api"):
        if typed == right:
            assert (await known.by_password("shop", typed, HERE)).account.login == "shop"
        else:
            with pytest.raises(WrongCredentials):
                await known.by_password("shop", typed, HERE)
    assert runs == [typed == right for typed in ("cabinet", "api")]


class Steps(Directory):
    """Tells what it is asked."""

    def __init__(self, directory: Directory) -> None:
        super().__init__(directory.engine)
        self.taken: list[str] = []

    async def account_by_login(self, login: str) -> tuple[Account, Secrets] | None:
        self.taken.append("look up")
        return await super().account_by_login(login)


async def test_an_unknown_login_goes_through_the_same_steps(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await account_with(directory, "right")
    await account_with(directory, "right", login="with a code")
    await directory.set_totp(2, "sealed")
    await directory.create_account("without a password", "", NOW)
    steps = Steps(directory)
    verify = passwords.verify

    def counted(password_hash: str, data: bytes) -> bool:
        steps.taken.append(password_hash[:31])
        return verify(password_hash, data)

    monkeypatch.setattr(passwords, "verify", counted)
    taken = []
    for login in ("shop", "with a code", "without a password", "nobody", "n" * 64):
        known = Credentials(steps, SECRET, Version())
        for _ in range(2):
            with pytest.raises(WrongCredentials):
                await known.by_password(login, "wrong", HERE)
        taken.append(steps.taken)
        steps.taken = []
    assert taken == [["look up", "$argon2id$v=19$m=19456,t=2,p=1$"]] * 5


async def test_an_unknown_login_costs_what_a_known_one_does(directory: Directory, runs: list[bool]) -> None:
    await account_with(directory, "right")
    known = Credentials(directory, SECRET, Version())
    for login in ("shop", "nobody"):
        with pytest.raises(WrongCredentials):
            await known.by_password(login, "wrong", HERE)
    assert runs == [False, False]


async def test_a_flood_that_finds_no_room_is_not_looked_up(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await account_with(directory, "right")
    steps, gate = Steps(directory), threading.Event()
    monkeypatch.setattr(passwords, "verify", lambda hashed, data: gate.wait(60) and data == b"right")
    known = Credentials(steps, SECRET, Version())
    right = asyncio.ensure_future(known.by_password("shop", "right", HERE))
    room = attempts.THREADS + attempts.WAITING
    flood = [asyncio.ensure_future(known.by_password("shop", f"{i}", HERE)) for i in range(1000)]
    done, waiting = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
    while len(waiting) >= room:
        more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    assert {type(one.exception()) for one in done} == {TooManyRequests}
    assert len(done) == 1000 - (room - 1)
    looked_up = len(steps.taken)
    for login in ("shop", "nobody"):
        with pytest.raises(TooManyRequests):
            await known.by_password(login, "another", HERE)
        with pytest.raises(TooManyRequests):
            await known.sign_in(login, "another", "", HERE)
    assert len(steps.taken) == looked_up
    again = asyncio.ensure_future(known.by_password("shop", "right", HERE))  # that one is being checked
    gate.set()
    assert (await right).account == (await again).account
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_cannot_be_right_costs_nothing(directory: Directory, runs: list[bool]) -> None:
    known = Credentials(directory, SECRET, Version())
    for login, password in (("shop", "x" * 257), ("a\0b", "x"), ("x" * 255, "x")):
        with pytest.raises(WrongCredentials):
            await known.by_password(login, password, HERE)
    assert runs == []


async def test_login_and_password_do_not_run_into_each_other(directory: Directory, runs: list[bool]) -> None:
    await account_with(directory, "cd", login="ab")
    known = Credentials(directory, SECRET, Version())
    await known.by_password("ab", "cd", HERE)
    for login, password in (("a", "bcd"), ("abc", "d"), ("abcd", "")):
        with pytest.raises(WrongCredentials):
            await known.by_password(login, password, HERE)


async def test_the_memory_is_bounded(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "REMEMBERED", 2)
    account = await open_account(directory)
    known = Credentials(directory, SECRET, Version())
    for _ in range(4):
        await known.by_key(await add_key(directory, account.id), HERE)
    assert len(known._keys) == 2
    for i in range(3):
        with pytest.raises(WrongCredentials):
            await known.by_password("nobody", str(i), HERE)
    assert len(known._wrong) == 2


# ---- the installation's secret


def test_the_secret_is_made_beside_the_database_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Store(url=f"sqlite:{tmp_path / 'data' / 'hopwire.db'}")
    made = installation_secret(settings)
    file = tmp_path / "data" / "secret"
    assert re.fullmatch(rb"[0-9a-f]{64}", made)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert installation_secret(settings) == made == file.read_bytes()


def test_the_secret_may_be_given(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n")
    assert installation_secret(Store(secret="given")) == b"given"
    assert installation_secret(Store(secret_file=str(file))) == b"from a file"


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch()
    with pytest.raises(ConfigError, match="is empty"):
        installation_secret(Store(secret_file=str(file)))


def test_what_is_far_too_long_is_not_normalized() -> None:
    accents = "e\u0301" * 200  # 64 KB of them would take seconds
    assert passwords.password_bytes(accents) == accents.encode()
    assert passwords.password_bytes(accents[:200]) == ("é" * 100).encode()
