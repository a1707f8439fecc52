"""Lists of numbers as people have them: pasted, or a CSV as spreadsheets write it.

Rule 1: a line that cannot be used never stops the others; it is told by its number in the file.
Rule 2: a list comes in pieces and leaves as rows; at most a line of it is in memory.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from types import MappingProxyType

from hopwire.model import Noun

MOST_ROWS = 100_000
MOST_LINE = 100_000  # characters
SAMPLE = 20  # records by which the column of the numbers is found
TO = frozenset((  # what the column of the numbers is called
    "phone", "phone number", "phone_number", "phonenumber", "number", "to", "tel", "telephone", "mobile",
    "msisdn", "recipient", "телефон", "номер", "номер телефону", "номер телефона", "тел", "тел.",
    "мобільний", "мобильный", "отримувач", "одержувач", "получатель",
))  # fmt: skip
FAULTS = {  # of lists that cannot be read
    "empty": "There is no row in the list",
    "no_numbers": "No column looks like phone numbers; call it phone in the first row",
    "same_names": "Two columns have the same name",
    "no_column": "A gap in the text is the name of no column, and has nothing to take its place",
    "spreadsheet": "This is a spreadsheet; save it as CSV",
    "not_text": "This is no text in UTF-8, UTF-16 or windows-1251",
    "long_line": "A line is longer than 100,000 characters",
    "too_many": "The list has more than 100,000 rows",
}


class Row(Noun, frozen=True, kw_only=True):
    """A row of a list, as it was read."""

    line: int  # of the file, 1 is the first
    number: str  # as typed
    values: Mapping[str, str] = {}  # by the names of the gaps
    error: str = ""  # why it cannot be used


class BadListError(Exception):
    """A list that cannot be read: one of FAULTS, and the line where that was found."""

    def __init__(self, code: str, line: int = 1) -> None:
        super().__init__(f"line {line}: {FAULTS[code]}")
        self.code = code
        self.line = line


def pasted(text: str) -> Iterator[Row]:
    """Numbers, one a line or separated by commas or semicolons. Raises BadListError."""
    lines = enumerate(text.splitlines(), 1)
    numbers = ((line, one.strip()) for line, typed in lines for one in re.split(r"[,;\t]", typed))
    return _limited(Row(line=line, number=number[:64]) for line, number in numbers if number)


def table(chunks: Iterable[bytes], wanted: Mapping[str, bool] = MappingProxyType({})) -> Iterator[Row]:
    """A CSV as spreadsheets write it. Raises BadListError.

    `wanted`: the columns whose values are kept, and whether there must be such a column.

    Separated by commas, semicolons or tabs, in UTF-8, UTF-16 or windows-1251. The first row names the columns
    if nothing in it looks like a number; else they are called 1, 2, 3.
    """
    return _limited(_rows(_lines(_decoded(chunks)), wanted))


def _limited(rows: Iterable[Row]) -> Iterator[Row]:
    n = 0
    for n, row in enumerate(rows, 1):
        if n > MOST_ROWS:
            raise BadListError("too_many", row.line)
        yield row
    if not n:
        raise BadListError("empty")


Record = tuple[int, list[str] | None]  # the line where it begins; None: it cannot be read


def _rows(lines: Iterator[str], wanted: Mapping[str, bool]) -> Iterator[Row]:
    records = _records(lines)
    begin = list(islice(records, SAMPLE))
    names, begin = _names(begin)
    to = _column(names, [cells for _, cells in begin if cells])
    if any(must and name not in names for name, must in wanted.items()):
        raise BadListError("no_column")
    places = {name: at for at, name in enumerate(names) if name in wanted}
    for line, cells in chain(begin, records):
        if cells is None:
            yield Row(line=line, number="", error="unreadable")
        else:
            values = {name: cells[at] for name, at in places.items() if at < len(cells)}
            yield Row(line=line, number=cells[to].strip()[:64] if to < len(cells) else "", values=values)


def _names(begin: Sequence[Record]) -> tuple[list[str], list[Record]]:
    """The names of the columns, and what is left when they are read."""
    first = next((cells for _, cells in begin if cells), [])
    if any(map(_looks_like_a_number, first)):
        widest = max(len(cells or ()) for _, cells in begin)
        return [str(n) for n in range(1, widest + 1)], list(begin)
    names = [cell.strip().casefold() for cell in first]
    named = [name for name in names if name]
    line = next((line for line, cells in begin if cells), 1)
    if len(set(named)) < len(named):
        raise BadListError("same_names", line)
    return names, [one for one in begin if one[0] != line]


def _column(names: Sequence[str], sample: Sequence[Sequence[str]]) -> int:
    """Where the numbers stand: in a column that is called so and looks so, else one that does either."""
    called = [at for at, name in enumerate(names) if name in TO]
    looking = [
        at
        for at in range(max(map(len, sample), default=0))
        if any(at < len(cells) and _looks_like_a_number(cells[at]) for cells in sample)
    ]
    found = [*(at for at in called if at in looking), *looking, *called]
    if not found:
        raise BadListError("no_numbers" if sample else "empty")
    return found[0]


_ROUNDED = re.compile(r"\d[.,]\d+[eE]\+\d+")
_SIGNS = re.compile(r"[\s()\-+]")


def _looks_like_a_number(cell: str) -> bool:
    digits = _SIGNS.sub("", cell)
    return (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15) or rounded(cell)


def rounded(cell: str) -> bool:
    """Whether it is a number as spreadsheets shorten long ones: 3.80671E+11."""
    return bool(_ROUNDED.fullmatch(cell.strip()))


def _records(lines: Iterator[str]) -> Iterator[Record]:
    separator, lines = _separated(lines)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield line, None
            continue
        if any(map(str.strip, cells)):
            yield line, cells


_QUOTED = re.compile(r'"[^"]*"')


def _separated(lines: Iterator[str]) -> tuple[str, Iterator[str]]:
    """What stands between the cells, by the first line that is not blank, or as Excel says it there."""
    begin: list[str] = []
    for line in lines:
        begin.append(line)
        if said := re.fullmatch(r"sep=(.)\n?", line):
            begin[-1] = "\n"
            return said[1], chain(begin, lines)
        if line.strip():
            break
    bare = _QUOTED.sub("", begin[-1]) if begin else ""
    return max("\t;,", key=bare.count) if begin else ",", chain(begin, lines)


# ---- from bytes to lines


def _lines(texts: Iterable[str]) -> Iterator[str]:
    newline, rest, line = io.IncrementalNewlineDecoder(None, translate=True), "", 0
    for text in chain(texts, [""]):
        more = newline.decode(text, final=not text)
        if "\0" in more:
            raise BadListError("not_text", line + 1 + more[: more.index("\0")].count("\n"))
        *whole, rest = (rest + more).split("\n")
        for one in whole:
            line += 1
            yield one + "\n"
        if len(rest) > MOST_LINE:
            raise BadListError("long_line", line + 1)
    if rest:
        yield rest


def _decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    chunks = iter(chunks)
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 4:
            break
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):  # .xlsx and .ods; .xls
        raise BadListError("spreadsheet")
    chunks = chain([head], (one for one in chunks if one))
    signed = head.startswith(codecs.BOM_UTF8)
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    yield from _utf_16(chunks) if wide else _utf_8_or_windows(chunks, signed)


def _utf_16(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder, line = codecs.getincrementaldecoder("utf-16")(), 1
    for chunk in chain(chunks, [b""]):
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            raise BadListError("not_text", line) from None
        line += text.count("\n")
        if text:
            yield text


def _utf_8_or_windows(chunks: Iterable[bytes], signed: bool) -> Iterator[str]:
    """UTF-8; from the first byte on that it cannot be, if there was none but ASCII before, windows-1251."""
    decoder: codecs.IncrementalDecoder = codecs.getincrementaldecoder("utf-8-sig")()
    line, ascii_only, windows = 1, not signed, False
    for chunk in chain(chunks, [b""]):
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as exc:
            good = exc.object[: exc.start]
            if windows or not (ascii_only and good.isascii()):
                raise BadListError("not_text", line + good.count(b"\n")) from None
            decoder, windows = codecs.getincrementaldecoder("cp1251")(), True
            text = _windows(exc.object, line)
        ascii_only = ascii_only and text.isascii()
        line += text.count("\n")
        if text:
            yield text


def _windows(data: bytes, line: int) -> str:
    try:
        return data.decode("cp1251")
    except UnicodeDecodeError as exc:
        raise BadListError("not_text", line + data[: exc.start].count(b"\n")) from None
