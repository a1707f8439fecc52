"""API keys: how they are made and known again, and what is kept of them."""

import hmac
import os
import re
import secrets
import zlib
from pathlib import Path

from hopwire import config

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_PREFIX = "hw_live_"
_SHAPE = re.compile(KEY_PREFIX + "([0-9A-Za-z]{32})([0-9A-Za-z]{6})", re.ASCII)


def new_key() -> str:
    """A key with 190 bits of chance and a checksum, by which a mistyped or leaked one can be recognised."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(32))
    return f"{KEY_PREFIX}{body}{_checksum(body)}"


def is_key(text: str) -> bool:
    """Whether it has the shape of a key, its checksum included; others need not be looked for."""
    match = _SHAPE.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]


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
