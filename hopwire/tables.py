"""Tables in files: CSV as spreadsheets write it, and moments as people write them.

Rule: what is wrong is a `Mistake`, in words that can be translated.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from zoneinfo import ZoneInfo

Row = tuple[int, dict[str, str]]  # the line of the file where it ends, and its cells by their columns


class Mistake(ValueError):  # noqa: N818 - what is wrong with what somebody wrote, not a fault of ours
    """A sentence with gaps, %(name)s, and what fills them; in a file, the line."""

    def __init__(self, sentence: str, line: int = 0, **values: object) -> None:
        super().__init__(sentence % values if values else sentence)
        self.sentence = sentence
        self.line = line
        self.values = values


def rows(text: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a CSV text; a spreadsheet may have written it with semicolons.

    Raises Mistake when a column is missing or a row is short.
    """
    head = text.partition("\n")[0]
    table = csv.DictReader(StringIO(text, newline=""), delimiter=";" if ";" in head else ",", strict=True)
    try:
        if not set(columns) - set(optional) <= set(table.fieldnames or ()):
            raise Mistake("the first line must name the columns %(columns)s", 1, columns=", ".join(columns))
        for row in table:
            line = table.reader.line_num
            if any(row[name] is None for name in columns if name in row):
                raise Mistake("there are fewer columns than in the first line", line)
            yield line, {name: row.get(name) or "" for name in columns}
    except csv.Error:
        told = "this is no CSV: is a quotation mark missing, or one too many?"
        raise Mistake(told, table.reader.line_num) from None


def read_moment(typed: str, time_zone: str) -> int:
    """A date or a time, ISO 8601, in milliseconds; without an offset by this clock. Raises Mistake."""
    try:
        at = datetime.fromisoformat(typed)
        return int((at if at.tzinfo else at.replace(tzinfo=ZoneInfo(time_zone))).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Mistake(
            "%(typed)s is no date such as 2026-12-01 or 2026-12-01T09:00:00+02:00", typed=repr(typed)
        ) from None


def moment(at: int | None) -> str:
    """Milliseconds as ISO 8601 has them: UTC, to the second; empty for never."""
    return "" if at is None else datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
