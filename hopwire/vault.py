"""Secrets at rest: sealed with a key that is not kept where they are.

Rule 1: what was sealed for one purpose opens for no other.
Rule 2: neither a key nor what was sealed is ever part of an error.
Rule 3: the file of keys is read at every use, so that a new key counts at once in every process.

A sealed text is `sealed:KEY:BASE64`: the name of the key, and AES-256-GCM's nonce, ciphertext and tag. The
file of keys has a line `NAME BASE64` for each, the oldest first; the last one seals.
"""

import base64
import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from hopwire import files

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MARK = "sealed:"
SETTING = "setting"  # the purpose of what is sealed in the settings file
KEY_BYTES = 32
NONCE_BYTES = 12
HEAD = "# The keys that Hopwire seals secrets with, the oldest first. Keep a copy apart from the database.\n"
_SEALED = re.compile(r"sealed:([0-9a-f]{8}):([A-Za-z0-9_-]{38,})", re.ASCII)
_LINE = re.compile(r"([0-9a-f]{8}) ([A-Za-z0-9_-]{43})", re.ASCII)


class SealError(Exception):
    """It cannot be sealed or opened; the text says why, and what to look at."""


class Key(NamedTuple):
    name: str
    secret: bytes


def of_totp(account_id: int) -> str:
    """The purpose of what an account's second factor is made of."""
    return f"totp of account {account_id}"


def is_sealed(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith(MARK)


def key_name(sealed: str) -> str:
    """The name of the key that it was sealed with; raises SealError for what is cut or was never sealed."""
    return _parts(sealed)[0]


class Vault:
    """Seals and opens with the keys in a file; the file and its first key are made when one is needed."""

    def __init__(self, path: Path | None) -> None:
        """`path` is None where the settings name no file; sealing and opening then say so."""
        self._path = path

    def seal(self, text: str, purpose: str) -> str:
        """The text, sealed for a purpose with the newest key; never the same twice. Raises SealError."""
        key = (self._keys() or [self.rotate()])[-1]
        nonce = os.urandom(NONCE_BYTES)
        sealed = _cipher(key).encrypt(nonce, text.encode(), purpose.encode())
        return f"{MARK}{key.name}:{_base64(nonce + sealed)}"

    def open(self, sealed: str, purpose: str) -> str:
        """The text that was sealed for this purpose.

        Raises SealError for another purpose, what was altered, and a key that is not in the file.
        """
        from cryptography.exceptions import InvalidTag

        name, data = _parts(sealed)
        key = next((key for key in self._keys() if key.name == name), None)
        if key is None:
            raise SealError(f"store.keys_file: {self._path} has no key {name}, with which it was sealed")
        try:
            return _cipher(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], purpose.encode()).decode()
        except InvalidTag:
            raise SealError(
                f"it does not open with the key {name}: it was altered, or sealed for something else"
            ) from None

    def names(self) -> list[str]:
        """The names of the keys, the oldest first; the last one seals; none without a file."""
        return [key.name for key in self._keys()] if self._path else []

    def rotate(self) -> Key:
        """Seal with a new key from now on; the older ones still open. It is on disk on return."""
        key = Key(secrets.token_hex(4), os.urandom(KEY_BYTES))
        with self._alone() as path:
            self._write(path, [*self._keys(), key])
        return key

    def forget(self, names: Collection[str]) -> None:
        """Drop keys: what was sealed with them will never open again."""
        with self._alone() as path:
            self._write(path, [key for key in self._keys() if key.name not in names])

    # ---- the file

    @property
    def path(self) -> Path:
        """The file; raises SealError where the settings name none."""
        if self._path is None:
            raise SealError("store.keys_file: is missing; PostgreSQL needs it where something is sealed")
        return self._path

    def _keys(self) -> list[Key]:
        path = self.path
        try:
            lines = path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError):
            raise SealError(f"store.keys_file: {path} cannot be read") from None
        found = [_LINE.fullmatch(line) for line in lines if line and not line.startswith("#")]
        keys = [Key(line[1], base64.urlsafe_b64decode(line[2] + "=")) for line in found if line]
        if len(keys) < len(found) or not keys:
            raise SealError(f"store.keys_file: {path} is no file of keys")
        return keys

    @contextlib.contextmanager
    def _alone(self) -> Iterator[Path]:
        """Change the file while nobody else does, lest one of two new keys is lost."""
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(_Held(path.parent)):
                yield path
        except OSError as error:
            raise SealError(f"store.keys_file: {path} cannot be written: {error.strerror}") from None

    @staticmethod
    def _write(path: Path, keys: Collection[Key]) -> None:
        files.replace(path, HEAD + "".join(f"{key.name} {_base64(key.secret)}\n" for key in keys))


class _Held:
    """A lock on a folder, until closed."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def close(self) -> None:
        os.close(self._descriptor)


def _parts(sealed: str) -> tuple[str, bytes]:
    match = _SEALED.fullmatch(sealed)
    if match is None or len(match[2]) % 4 == 1:
        raise SealError("it begins with sealed: and is not as hopwire secret seal prints it; is it whole?")
    return match[1], base64.urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _cipher(key: Key) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # only where something is sealed

    return AESGCM(key.secret)
