"""What stands in the place of a phone number that has been forgotten: `~2233~` and a keyed hash.

Rule 1: who has the number and the installation's secret finds it again; without the secret it cannot be
found by trying all numbers.
Rule 2: it begins with a sign that no number begins with.
"""

import hmac
import re

MARK = "~"
HASH_DIGITS = 32
TAIL = 4  # digits that stay: by them a person knows his number again
NATIONAL = 9  # digits by which a number is found, however it is written


def pseudonym(number: str, secret: bytes) -> str:
    """What stands for the number from now on; what stands for one already, and none, stay as they are."""
    digits = number.removeprefix("+")
    if not digits or forgotten(digits):
        return digits
    keyed = hmac.digest(secret, b"number " + digits.encode(), "sha256").hex()
    return f"{MARK}{digits[-TAIL:]}{MARK}{keyed[:HASH_DIGITS]}"


def forgotten(number: str) -> bool:
    return number.startswith(MARK)


def masked(number: str) -> str:
    """The last digits of a number, or of one that was forgotten."""
    tail = number[1:].partition(MARK)[0] if forgotten(number) else number[-TAIL:]
    return "…" + tail if tail else ""


def without(text: str, number: str) -> str:
    """A text in which the number, however it is written there, is masked."""
    end = number[-NATIONAL:]
    if not end or forgotten(number) or end not in text:
        return text
    return re.sub(rf"\+?[0-9]*{re.escape(end)}", masked(number), text)
