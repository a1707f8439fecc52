"""Texts that an upstream has approved, and which of them a text is an instance of.

Since July 2026 Viber takes a text as a transaction only as an instance of a template that it has approved;
it is handed over as the template's id and what stands for its variables.

Rule 1: a text is an instance as a whole; only white space at the ends of its lines does not count.
Rule 2: of several templates the one with the most fixed text wins, then one of the sender's own, then the
least id. Each variable, from the left, stands for as little as the rest of the text allows.
Rule 3: the time is bounded by the text's length times the variables: a template is no regular expression.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hopwire.model import Noun, Template
from hopwire.tables import Mistake, rows

MOST_TEXT = 1000  # characters of a Viber text
MOST_VALUE = 125  # characters for a variable (Viber Service Messages API 11.3)
ANY_SENDER = "*"
KINDS = ("transaction", "promotion")
COLUMNS = ("id", "sender", "language", "kind", "state", "text")  # of a file
STATES = {"active": True, "paused": False}

_VARIABLE = re.compile(r"\{\{\s*(\w{1,64})\s*\}\}", re.ASCII)
_LINK = re.compile(r"://|www\.", re.IGNORECASE)  # Viber allows none in a value
_ID = re.compile(r"[!-~]{1,100}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?")


class Registered(Noun, frozen=True, kw_only=True):
    """A template as the operator has registered it; id, sender and language tell it from the others."""

    id: str  # as the upstream knows it
    sender: str  # Viber sender name that it is approved for; "*": every one
    language: str
    kind: str  # "transaction" or "promotion"
    text: str  # with variables as {{name}}
    active: bool = True  # false: paused, nothing matches it

    @property
    def key(self) -> tuple[str, str, str]:
        return self.id, self.sender, self.language


def check(template: Registered) -> None:
    """Raises ValueError that says what is wrong with a template."""
    if not _ID.fullmatch(template.id):
        raise ValueError("the id must be 1 to 100 Latin letters, digits and signs, without spaces")
    if not (1 <= len(template.sender) <= 28 and template.sender.isprintable()):
        raise ValueError("the sender must be 1 to 28 printable characters, or * for every one")
    if not _LANGUAGE.fullmatch(template.language):
        raise ValueError("the language must be a code such as uk, en or pt-BR")
    if template.kind not in KINDS:
        raise ValueError("the kind must be transaction or promotion")
    _check_text(template.text)


def _check_text(text: str) -> None:
    fixed = "".join(_VARIABLE.split(text)[::2])
    if not (1 <= len(text) <= MOST_TEXT and "\0" not in text):
        raise ValueError(f"the text must be 1 to {MOST_TEXT} characters")
    if "{{" in fixed or "}}" in fixed:
        raise ValueError("{{ and }} must stand around a variable's name, as in {{name}}")
    if not any(map(str.isalnum, fixed)):
        raise ValueError("the text must be more than variables")


# ---- files


def read(text: str) -> list[Registered]:
    """The templates of a CSV; the state may be left out. Raises Mistake for the first row that is wrong."""
    found: dict[tuple[str, str, str], Registered] = {}
    for line, row in rows(text, COLUMNS, ("state",)):
        try:
            one = _of_row(row)
            if one.key in found:
                raise ValueError("this id, sender and language were there before")
        except ValueError as error:
            raise Mistake(str(error), line) from None
        found[one.key] = one
    return list(found.values())


def _of_row(row: dict[str, str]) -> Registered:
    state = row["state"] or "active"
    if state not in STATES:
        raise ValueError("the state must be active or paused")
    values = {name: row[name] for name in COLUMNS if name != "state"}
    template = Registered(**values, active=STATES[state])
    check(template)
    return template


# ---- matching


class _Pattern(NamedTuple):
    """A template as it is looked for."""

    rank: tuple[int, bool, str, str]  # the least one wins
    template: Registered
    pieces: Sequence[str]  # the fixed text before, between and behind the variables
    names: Sequence[str]  # of the variables


class _Index(NamedTuple):
    """Patterns by the fixed text that they begin with."""

    by_prefix: dict[str, list[_Pattern]]
    lengths: Sequence[int]  # of the prefixes


class _Reach(NamedTuple):
    """Where a value may end that begins at each position of a text."""

    earliest: Sequence[int]  # a value is not blank
    latest: Sequence[int]  # it has no link and at most MOST_VALUE characters


class Templates:
    """The templates that are active, ready to be looked for."""

    def __init__(self, registered: Iterable[Registered] = ()) -> None:
        patterns = [_pattern(one) for one in registered if one.active]
        senders = {one.template.sender for one in patterns} | {ANY_SENDER}
        self._by_sender = {
            sender: _index(p for p in patterns if p.template.sender in (sender, ANY_SENDER))
            for sender in senders
        }

    def match(self, sender: str, text: str) -> Template | None:
        """The template of the sender that the text is an instance of, with what stands for its variables."""
        index = self._by_sender.get(sender) or self._by_sender[ANY_SENDER]
        if not index.lengths:
            return None
        text = _trimmed(text)
        found = [one for n in index.lengths if n <= len(text) for one in index.by_prefix.get(text[:n], ())]
        if not found:
            return None
        reach = _reach(text)
        for pattern in sorted(found):
            values = _values(pattern, text, reach)
            if values is not None:
                one = pattern.template
                return Template(id=one.id, language=one.language, kind=one.kind, parameters=values)
        return None


def _trimmed(text: str) -> str:
    """The text without white space at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def _pattern(template: Registered) -> _Pattern:
    split = _VARIABLE.split(_trimmed(template.text))
    fixed = sum(map(len, split[::2]))
    rank = (-fixed, template.sender == ANY_SENDER, template.id, template.language)
    return _Pattern(rank, template, split[::2], split[1::2])


def _index(patterns: Iterable[_Pattern]) -> _Index:
    by_prefix: dict[str, list[_Pattern]] = {}
    for pattern in patterns:
        by_prefix.setdefault(pattern.pieces[0], []).append(pattern)
    return _Index(by_prefix, sorted({len(prefix) for prefix in by_prefix}))


def _reach(text: str) -> _Reach:
    links = {link.start(): link.end() for link in _LINK.finditer(text)}
    earliest, latest = [len(text) + 1], [len(text)]
    barrier = len(text)
    for at in range(len(text) - 1, -1, -1):
        barrier = links.get(at, barrier + 1) - 1
        earliest.append(earliest[-1] if text[at].isspace() else at + 1)
        latest.append(min(at + MOST_VALUE, barrier))
    return _Reach(earliest[::-1], latest[::-1])


def _values(pattern: _Pattern, text: str, reach: _Reach) -> dict[str, str] | None:
    """What stands for each variable where the text, which begins as the pattern, is an instance of it.

    A name that stands twice must stand for the same.
    """
    if not pattern.names:
        return {} if text == pattern.pieces[0] else None
    values: dict[str, str] = {}
    at = len(pattern.pieces[0])
    ends = _ends(pattern, text, reach)
    for name, piece, goals in zip(pattern.names, pattern.pieces[1:], ends, strict=True):
        end = _nearest(at, goals, reach)
        if end is None or values.setdefault(name, text[at:end]) != text[at:end]:
            return None
        at = end + len(piece)
    return values


def _ends(pattern: _Pattern, text: str, reach: _Reach) -> list[list[int]]:
    """For each variable, where it may end so that the rest of the text is the rest of the pattern."""
    first, *middle, last = pattern.pieces
    variables = len(pattern.names)
    left = len(text) - sum(map(len, pattern.pieces))
    if not (variables <= left <= variables * MOST_VALUE and text.endswith(last)):
        return [[]] * variables
    ends = [[len(text) - len(last)]]
    for piece in reversed(middle):
        goals = ends[-1]
        start = max(len(first), goals[0] - MOST_VALUE - len(piece)) if goals else len(text)
        places = _places(text, piece, start, len(text) - len(last))
        ends.append([at for at in places if _nearest(at + len(piece), goals, reach) is not None])
    return ends[::-1]


def _nearest(at: int, goals: Sequence[int], reach: _Reach) -> int | None:
    """The first of the goals at which a value that begins here may end."""
    i = bisect_left(goals, reach.earliest[at])
    return goals[i] if i < len(goals) and goals[i] <= reach.latest[at] else None


def _places(text: str, piece: str, start: int, end: int) -> Iterator[int]:
    """Where the piece stands in this part of the text."""
    at = text.find(piece, start, end)
    while at >= 0:
        yield at
        at = text.find(piece, at + 1, end)
