"""Text of strangers, made safe to look at: what hides is shown, and cells of a table are no formulas."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from io import StringIO

from hopwire import phone
from hopwire.privacy import forgotten, masked

_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def visible(text: str) -> str:
    """Text in which marks that turn or hide its letters are shown by their numbers: ⟨U+202E⟩."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def name_of(char: str) -> str:
    """A character in words, for who cannot see it."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip()


def number(digits: str) -> str:
    """A phone number as people write it; of one that is forgotten its last digits; else what stands there."""
    if forgotten(digits):
        return masked(digits)
    bare = digits.removeprefix("+")
    return phone.written(bare) if bare.isascii() and bare.isdigit() else visible(digits)


def digits(number: str) -> str:
    """A phone number for a table of numbers: without a plus, which begins a formula."""
    return masked(number) if forgotten(number) else visible(number.removeprefix("+"))


def cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula; a number is none."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180)."""
    out = StringIO(newline="")
    csv.writer(out).writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()
