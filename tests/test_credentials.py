"""Keys and passwords: how they are made, what is kept of them, and what is remembered for how long."""

import asyncio
import re
import stat
import unicodedata
from pathlib import Path

import pytest
from conftest import NOW, open_account

from hopwire import credentials
from hopwire.config import ConfigError, Store
from hopwire.credentials import (
    Credentials,
    hash_password,
    installation_secret,
    key_digest,
    key_label,
    new_key,
)
from hopwire.errors import WrongCredentials
from hopwire.model import Caller
from hopwire.store.directory import Directory

SECRET = b"installation"


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
        assert credentials._checksum(key[8:40]) == key[40:]


def test_a_mistyped_key_does_not_fit_its_checksum() -> None:
    body = new_key()[8:40]
    assert credentials._checksum(body) != credentials._checksum(body[:-1] + ("a" if body[-1] != "a" else "b"))


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
    assert await known.by_key(await add_key(directory, account.id)) == account
    for key in ("", "wrong", new_key(), "\0", "x" * 60_000):
        with pytest.raises(WrongCredentials):
            await known.by_key(key)


async def test_a_revoked_key_is_refused_once_the_directory_is_known_to_have_changed(
    directory: Directory,
) -> None:
    version = Version()
    known = Credentials(directory, SECRET, version)
    key = await add_key(directory, (await open_account(directory)).id)
    await known.by_key(key)
    (kept,) = await directory.keys()
    assert await directory.revoke_key(kept.id, NOW)
    version.number += 1
    with pytest.raises(WrongCredentials):
        await known.by_key(key)


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
    early = asyncio.create_task(known.by_key(key))
    await slow.asked.wait()
    (kept,) = await directory.keys()
    await directory.revoke_key(kept.id, NOW)
    version.number += 1
    with pytest.raises(WrongCredentials):  # this request sees the new directory, and begins a new memory
        slow.may_answer.set()
        await Credentials.by_key(known, "another")
    await early
    with pytest.raises(WrongCredentials):
        await known.by_key(key)


# ---- passwords


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What argon2 said, each time it was asked."""
    said: list[bool] = []
    verify = credentials._verify

    def counted(password_hash: str, data: bytes) -> bool:
        said.append(verify(password_hash, data))
        return said[-1]

    monkeypatch.setattr(credentials, "_verify", counted)
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
        assert (await known.by_password("shop", unicodedata.normalize(form, "Їжак"))).login == "shop"


async def test_argon2_runs_once_until_the_memory_ends(
    directory: Directory, runs: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    await account_with(directory, "right")
    version = Version()
    known = Credentials(directory, SECRET, version)
    for _ in range(3):
        await known.by_password("shop", "right")
    assert runs == [True]
    version.number += 1
    await known.by_password("shop", "right")
    assert runs == [True, True]
    monkeypatch.setattr(credentials, "REMEMBERED_S", -1.0)
    version.number += 1
    for _ in range(2):
        await known.by_password("shop", "right")
    assert runs == [True] * 4


async def test_an_unknown_login_costs_what_a_known_one_does(directory: Directory, runs: list[bool]) -> None:
    await account_with(directory, "right")
    known = Credentials(directory, SECRET, Version())
    for login in ("shop", "nobody"):
        with pytest.raises(WrongCredentials):
            await known.by_password(login, "wrong")
    assert runs == [False, False]


async def test_what_cannot_be_right_costs_nothing(directory: Directory, runs: list[bool]) -> None:
    known = Credentials(directory, SECRET, Version())
    for login, password in (("shop", "x" * 257), ("a\0b", "x")):
        with pytest.raises(WrongCredentials):
            await known.by_password(login, password)
    assert runs == []


async def test_login_and_password_do_not_run_into_each_other(directory: Directory, runs: list[bool]) -> None:
    await account_with(directory, "cd", login="ab")
    known = Credentials(directory, SECRET, Version())
    await known.by_password("ab", "cd")
    for login, password in (("a", "bcd"), ("abc", "d"), ("abcd", "")):
        with pytest.raises(WrongCredentials):
            await known.by_password(login, password)


async def test_the_memory_is_bounded(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "REMEMBERED", 2)
    account = await open_account(directory)
    known = Credentials(directory, SECRET, Version())
    for _ in range(4):
        await known.by_key(await add_key(directory, account.id))
    assert len(known._keys) == 2


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
    assert credentials._password_bytes(accents) == accents.encode()
    assert credentials._password_bytes(accents[:200]) == ("é" * 100).encode()
