"""Incoming messages: parts -> one text, and what a reader asks for by a word.

Rule 1: a message goes to the inbox once, when its last part has come, in whatever order they came.
Rule 2: upstreams repeat what they were not answered for; the same part again changes nothing.
Rule 3: phones use references again; another part in the same place begins another message.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from hopwire import sms
from hopwire.model import Incoming

MISSING = "…"

Key = tuple[str, str, str, int, int]  # sender, recipient, connector, reference, parts


class Pile(NamedTuple):
    """What has come of a message in parts."""

    since: int  # when its first part came, milliseconds
    parts: Mapping[int, Incoming]  # by their number
    joined: bool = False  # it is whole


class Wish(StrEnum):
    """What a reader may ask for by one word."""

    STOP = "stop"
    START = "start"


# ---- parts


def whole(message: Incoming) -> bool:
    """Whether it is a message by itself.

    Numbers that make no sense tie nothing (3GPP TS 23.040, 9.2.3.24.1).
    """
    return message.reference is None or message.parts < 2 or not 1 <= message.part <= message.parts


def key(part: Incoming) -> Key:
    """What the parts of one message have in common."""
    return part.sender, part.recipient, part.connector, part.reference or 0, part.parts


def add(pile: Pile | None, part: Incoming, now: int) -> tuple[Pile, Pile | None]:
    """The pile with this part, and the pile that is to go to the inbox now, if one is.

    That is this one, when it has become whole, or what was kept of an earlier message that this part cannot
    belong to.
    """
    pile = pile or Pile(now, {})
    known = pile.parts.get(part.part)
    if known is None:
        parts = {**pile.parts, part.part: part}
        pile = Pile(pile.since, parts, joined=len(parts) == part.parts)
        return pile, pile if pile.joined else None
    if (_coding(known), known.payload) == (_coding(part), part.payload):
        return pile, None
    return Pile(now, {part.part: part}), None if pile.joined else pile


# ---- text


def text(parts: Sequence[Incoming]) -> str:
    """What a message says, of which these parts have come; for a missing one it says "…".

    Neighbours of one coding are read as one, for a character may be cut between them. Half a character is
    U+FFFD.
    """
    if whole(parts[0]):
        return _honest(_run(_coding(parts[0]), parts[:1]))
    by_number = {part.part: part for part in reversed(parts)}
    places = (by_number.get(number) for number in range(1, parts[0].parts + 1))
    runs = groupby(places, lambda part: None if part is None else _coding(part))
    return _honest("".join(_run(coding, run) for coding, run in runs))


Coding = tuple[int, int]  # data_coding, national table


def _coding(part: Incoming) -> Coding:
    return part.data_coding, part.national


def _run(coding: Coding | None, parts: Iterable[Incoming | None]) -> str:
    if coding is None:
        return MISSING * len(tuple(parts))
    data_coding, national = coding
    return sms.decode(data_coding, b"".join(part.payload for part in parts if part), national)


def _honest(said: str) -> str:
    """Without halves of surrogate pairs, which no database keeps."""
    return said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# ---- wishes


def wish(said: str, stop_words: Iterable[str], start_words: Iterable[str]) -> Wish | None:
    """What a message asks for that is one of the words alone, in any case, with any signs around it."""
    word = _bare(said)
    if not word:
        return None
    if word in map(_bare, stop_words):
        return Wish.STOP
    return Wish.START if word in map(_bare, start_words) else None


def _bare(said: str) -> str:
    return said.strip("".join({c for c in said if not c.isalnum()})).casefold()
