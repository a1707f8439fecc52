"""Who is asking: API keys and logins with passwords.

Rule 1: a key is kept only as HMAC-SHA-256 under the installation's secret, a password only as argon2id.
Rule 2: every failure looks the same, and takes an unknown login as long as a known one.
Rule 3: a request does not pay for argon2 twice; what was verified is remembered for a minute, under a key of
this process, and forgotten when the directory changes.
"""

import asyncio
import hmac
import os
import secrets
import unicodedata
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import argon2

from hopwire import config
from hopwire.errors import TooManyRequests, WrongCredentials
from hopwire.model import Account, AccountStatus
from hopwire.store.directory import Directory

K = TypeVar("K")
V = TypeVar("V")

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_PREFIX = "hw_live_"
PASSWORD_BYTES = 256  # longer ones are refused before argon2 sees them
REMEMBERED = 10_000
REMEMBERED_S = 60.0
WAITING = 64  # password checks that may queue for the two threads

_hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's minimum
_NOBODY = _hasher.hash(secrets.token_hex(16))


def new_key() -> str:
    """A key with 190 bits of chance and a checksum, by which a mistyped or leaked one can be recognised."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(32))
    return f"{KEY_PREFIX}{body}{_checksum(body)}"


def _checksum(body: str) -> str:
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = ALPHABET[digit] + digits
    return digits


def key_digest(secret: bytes, key: str) -> str:
    """What is kept of a key."""
    return hmac.digest(secret, key.encode(), "sha256").hex()


def key_label(key: str) -> str:
    """The first characters, by which a person tells keys apart."""
    return key[: len(KEY_PREFIX) + 4]


def plain_login(typed: str) -> str:
    """A login as it is kept: a phone number without its plus, which may have arrived as a space."""
    return typed.lstrip(" +")


def hash_password(password: str) -> str:
    """argon2id of the password, in its NFC form; raises ValueError beyond 256 bytes."""
    data = _password_bytes(password)
    if len(data) > PASSWORD_BYTES:
        raise ValueError(f"a password is at most {PASSWORD_BYTES} bytes of UTF-8")
    return _hasher.hash(data)


def _password_bytes(password: str) -> bytes:
    if len(password) > PASSWORD_BYTES:  # it takes a second to normalize 64 KB of accents
        return password.encode()
    return unicodedata.normalize("NFC", password).encode()


def _verify(password_hash: str, data: bytes) -> bool:
    try:
        return _hasher.verify(password_hash, data)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def installation_secret(settings: config.Store) -> bytes:
    """What keys are hashed with, from wherever the settings say; a missing file is made, mode 0600.

    Raises ConfigError for an empty file.
    """
    if settings.secret:
        return settings.secret.encode()
    beside = Path(settings.url.partition(":")[2]).parent / "secret"
    return _read_or_make(Path(settings.secret_file) if settings.secret_file else beside)


def _read_or_make(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            path.chmod(0o600)
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())  # without it every key there is would be lost
    except FileExistsError:
        pass
    secret = path.read_text().strip()
    if not secret:
        raise config.ConfigError(f"store.secret_file: {path} is empty")
    return secret.encode()


class Credentials:
    """Finds the account of a key, or of a login with its password; raises WrongCredentials."""

    def __init__(self, directory: Directory, secret: bytes, generation: Callable[[], int]) -> None:
        """`generation` rises whenever the directory has changed."""
        self._directory = directory
        self._secret = secret
        self._current = generation
        self._generation = -1
        self._keys: dict[str, Account] = {}
        self._logins: dict[bytes, tuple[Account, float]] = {}
        self._process_key = secrets.token_bytes(32)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._waiting = 0

    async def by_key(self, key: str) -> Account:
        """The active account of an API key."""
        self._forget_if_changed()
        digest, keys = key_digest(self._secret, key), self._keys
        account = keys.get(digest)
        if account is None:
            caller = await self._directory.caller_by_key(digest)
            if caller is None:
                raise WrongCredentials
            account = caller.account
            _remember(keys, digest, account)
        return _active(account)

    async def by_password(self, login: str, password: str) -> Account:
        """The active account of a login; raises TooManyRequests when too many checks are waiting."""
        self._forget_if_changed()
        data = _password_bytes(password)
        print_ = hmac.digest(self._process_key, login.encode() + b"\0" + data, "sha256")
        now = asyncio.get_running_loop().time()
        logins = self._logins
        account, until = logins.get(print_, (None, 0.0))
        if account is None or until < now:
            account = await self._check(login, data)
            _remember(logins, print_, (account, now + REMEMBERED_S))
        return _active(account)

    async def _check(self, login: str, data: bytes) -> Account:
        if len(data) > PASSWORD_BYTES or "\0" in login:  # PostgreSQL has no text with it
            raise WrongCredentials
        found = await self._directory.account_by_login(login)
        if self._waiting >= WAITING:
            raise TooManyRequests
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            hashed = found[1].password_hash if found else _NOBODY
            good = await loop.run_in_executor(self._threads, _verify, hashed, data)
        finally:
            self._waiting -= 1
        if not good or found is None:
            raise WrongCredentials
        return found[0]

    def _forget_if_changed(self) -> None:
        """Begin anew, so that a look-up under way remembers its old answer where nobody looks."""
        if self._generation != self._current():
            self._generation = self._current()
            self._keys = {}
            self._logins = {}


def _active(account: Account) -> Account:
    if account.standing is not AccountStatus.ACTIVE:
        raise WrongCredentials
    return account


def _remember(memory: dict[K, V], what: K, value: V) -> None:
    if len(memory) >= REMEMBERED:
        del memory[next(iter(memory))]
    memory[what] = value
