"""The second factor, RFC 6238: six digits that change every half minute, from a seed that a phone knows, too.

Rule: a code counts once, in its half minute and the ones beside it.
"""

from collections.abc import Callable
from typing import NamedTuple

import pyotp

from hopwire import config
from hopwire.vault import of_totp

STEP_S = 30


class Seals(NamedTuple):
    """What keeps seeds from whoever has the database alone; each is sealed for one account, by its id."""

    seal: Callable[[str, int], str]
    open: Callable[[str, int], str]


def seals(settings: config.Store) -> Seals | None:
    """What seals the seeds of this installation; None where the settings name no file of keys.

    Its functions raise SealError.
    """
    if settings.postgres and not settings.keys_file:
        return None
    ring = settings.vault
    return Seals(
        seal=lambda seed, account_id: ring.seal(seed, of_totp(account_id)),
        open=lambda sealed, account_id: ring.open(sealed, of_totp(account_id)),
    )


def new_seed() -> str:
    """160 bits of chance, in base32."""
    return pyotp.random_base32(32)


def uri(seed: str, login: str) -> str:
    """What an authenticator reads from a QR code."""
    return pyotp.TOTP(seed).provisioning_uri(name=login, issuer_name="Hopwire")


def step_of(seed: str, code: str, now: int, after: int = 0) -> int | None:
    """The half minute whose code this is, if it is later than the one that counted last."""
    digits = code.replace(" ", "")
    codes = pyotp.HOTP(seed)
    middle = now // 1000 // STEP_S
    steps = [step for step in (middle - 1, middle, middle + 1) if codes.verify(digits, step)]
    return next((step for step in reversed(steps) if step > after), None)
