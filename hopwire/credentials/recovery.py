"""Recovery codes: what is typed instead of a code of the second factor when the phone is lost; each once."""

import hmac
import secrets

MANY = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
LENGTH = 12


def new_codes() -> list[str]:
    """Codes of 59 bits of chance each, as they are shown once: `abcd-efgh-jkmn`."""
    return ["-".join(_chance(4) for _ in range(LENGTH // 4)) for _ in range(MANY)]


def _chance(n: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(n))


def digest(secret: bytes, account_id: int, typed: str) -> str:
    """What is kept of an account's code, however it was typed; "" for what cannot be one."""
    code = typed[:100].lower().replace(" ", "").replace("-", "")
    if len(code) != LENGTH or not set(code) <= set(LETTERS):
        return ""
    return hmac.digest(secret, f"recovery code {account_id} {code}".encode(), "sha256").hex()
