"""Which new passwords are too easy to guess.

Rule: a password is judged by how it would be guessed: what is known of its owner, rows of keys, the same over
and over, and words that everybody takes, with digits and signs around them.
"""

import re
import unicodedata
from enum import StrEnum

from hopwire.credentials.passwords import PASSWORD_BYTES
from hopwire.credentials.words import WORDS

SHORTEST = 10
_ROWS = """
    01234567890 abcdefghijklmnopqrstuvwxyz qwertyuiop[] asdfghjkl;' zxcvbnm,./
    qazwsxedcrfvtgbyhnujmikolp 1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p q1w2e3r4t5y6u7i8o9p0 147258369
    абвгґдеєжзиіїйклмнопрстуфхцчшщьюя йцукенгшщзхї фівапролджє ячсмитьбю йцукенгшщзхъ фывапролджэ
""".split()  # noqa: SIM905 - keys as they lie side by side
_LEET = str.maketrans("013457@$!", "oieastasi")


class Weakness(StrEnum):
    SHORT = "short"
    LONG = "long"
    OWN = "own"  # what others know of him
    REPEATED = "repeated"
    ROW = "row"
    COMMON = "common"


def weakness(password: str, *known: str) -> Weakness | None:
    """What is wrong with a new password; `known` is what others know of its owner: login, address, name."""
    if len(password) < SHORTEST:
        return Weakness.SHORT
    if len(password.encode()) > PASSWORD_BYTES:
        return Weakness.LONG
    plain = unicodedata.normalize("NFKC", password).lower()
    if _is_repeated(plain):
        return Weakness.REPEATED
    if _is_row(plain):
        return Weakness.ROW
    if _is_own(plain, known):
        return Weakness.OWN
    return Weakness.COMMON if _is_common(plain) else None


def _is_repeated(plain: str) -> bool:
    """One character or a few, again and again."""
    return len(set(plain)) < 4 or bool(re.fullmatch(r"(.{1,4}?)\1+.{0,3}", plain))


def _is_row(plain: str) -> bool:
    """Keys as they lie side by side, there or back; what is left without them is short."""
    rest = plain
    for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
        for length in range(len(row), 3, -1):
            for start in range(len(row) - length + 1):
                rest = rest.replace(row[start : start + length], "")
    return len(rest) < 4


def _is_own(plain: str, known: tuple[str, ...]) -> bool:
    """What he is called, with little more."""
    names = {_bare(part) for one in known for part in (one, *re.split(r"[\W_]+", one))}
    rest = _bare(plain)
    for name in sorted(names, key=len, reverse=True):
        rest = rest.replace(name, "") if len(name) > 3 else rest
    return len(rest) < 6


def _is_common(plain: str) -> bool:
    """Words that everybody takes, whatever digits and signs are around them, or in the place of letters."""
    inner = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    return any(_are_words(re.sub(r"[\W\d_]+", "", text)) for text in (inner, inner.translate(_LEET)))


def _are_words(letters: str) -> bool:
    """Whether letters are one of the words, or two of them; nothing but digits and signs is none."""
    if letters in WORDS or not letters:
        return True
    return any(letters[:n] in WORDS and letters[n:] in WORDS for n in range(3, len(letters) - 2))


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())
