"""Links that let somebody in once: signed with the installation's secret, kept nowhere.

Rule 1: a link is good for one purpose, until a moment, and while what it is bound to stays as it was: a link
that sets another password is bound to the password there is, so that it is used once.
Rule 2: what a link claims counts only after `is_good`.
"""

import base64
import binascii
import hmac
import json
from enum import StrEnum
from typing import NamedTuple

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LONGEST = 1000  # no link is longer


class Purpose(StrEnum):
    CONFIRM = "confirm"  # that mail to an address is read by who has asked for an account
    INVITATION = "invitation"
    RESET = "reset"  # another password
    EMAIL = "email"  # another address for mail
    SET_UP = "set-up"  # the first operator


LASTS_MS = {
    Purpose.CONFIRM: 2 * DAY_MS,
    Purpose.INVITATION: 7 * DAY_MS,
    Purpose.RESET: HOUR_MS,
    Purpose.EMAIL: 2 * DAY_MS,
    Purpose.SET_UP: HOUR_MS,
}


class Claim(NamedTuple):
    """What a link says."""

    who: str  # an address, an account's id
    until: int
    mark: bytes


def make(secret: bytes, purpose: Purpose, who: str, now: int, bound: str = "") -> str:
    """A link's token, of letters, digits, `-`, `_` and `.`."""
    until = now + LASTS_MS[purpose]
    return f"{_written(who.encode())}.{until:x}.{_written(_mark(secret, purpose, who, until, bound))}"


def read(token: str) -> Claim | None:
    """What a token claims, to look up what it is bound to; None: it is no token."""
    if len(token) > LONGEST or not token.isascii():
        return None
    try:
        who, until, mark = token.split(".")
        return Claim(_plain(who).decode(), int(until, 16), _plain(mark))
    except (ValueError, binascii.Error):
        return None


def is_good(secret: bytes, purpose: Purpose, claim: Claim, now: int, bound: str = "") -> bool:
    """Whether we have made it for this, its time is not over, and it was not used."""
    wanted = _mark(secret, purpose, claim.who, claim.until, bound)
    return hmac.compare_digest(wanted, claim.mark) and now < claim.until


def _mark(secret: bytes, purpose: Purpose, who: str, until: int, bound: str) -> bytes:
    told = json.dumps(["link", purpose, who, until, bound])
    return hmac.digest(secret, told.encode(), "sha256")


def _written(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _plain(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
