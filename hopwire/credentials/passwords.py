"""Passwords: kept as argon2id alone."""

import secrets
import unicodedata

import argon2

_CLEAR = "23456789abcdefghjkmnpqrstuvwxyz"
PASSWORD_BYTES = 256  # longer ones are refused before argon2 sees them

_hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's minimum
NOBODY = _hasher.hash(secrets.token_hex(16))  # of a password that nobody knows


def plain_login(typed: str) -> str:
    """A login as it is kept: a phone number without its plus, which may have arrived as a space."""
    return typed.lstrip(" +")


def hash_password(password: str) -> str:
    """argon2id of the password, in its NFC form; raises ValueError beyond 256 bytes."""
    data = password_bytes(password)
    if len(data) > PASSWORD_BYTES:
        raise ValueError(f"a password is at most {PASSWORD_BYTES} bytes of UTF-8")
    return _hasher.hash(data)


def password_bytes(password: str) -> bytes:
    """What is hashed; more than PASSWORD_BYTES of it is no password."""
    if len(password) > PASSWORD_BYTES:  # it takes a second to normalize 64 KB of accents
        return password.encode()
    return unicodedata.normalize("NFC", password).encode()


def verify(password_hash: str, data: bytes) -> bool:
    """Whether the hash is of this password. It takes about 20 ms and does not hold up other threads."""
    try:
        return _hasher.verify(password_hash, data)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def new_password() -> str:
    """A password of 79 bits of chance, in letters and digits that nobody takes for others."""
    return "-".join("".join(secrets.choice(_CLEAR) for _ in range(4)) for _ in range(4))
