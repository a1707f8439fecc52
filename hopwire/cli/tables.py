"""Tables in files: CSV as spreadsheets write it, and moments as people write them."""

import csv
import sys
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

from hopwire.cli.console import CommandError, Ending


def read_file(file: str) -> str:
    """The text of a file, or of standard input for `-`; ends the command where it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    except OSError as error:
        raise CommandError(Ending.NOT_FOUND, f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(Ending.USAGE, f"{file} is not UTF-8") from None


def read_rows(
    text: str, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV text with their line numbers; a spreadsheet may have written it with semicolons.

    Ends the command when a column is missing or a row is short.
    """
    head = text.partition("\n")[0]
    table = csv.DictReader(StringIO(text, newline=""), delimiter=";" if ";" in head else ",", strict=True)
    try:
        if not set(columns) - set(optional) <= set(table.fieldnames or ()):
            raise CommandError(Ending.USAGE, f"the first line must name the columns {', '.join(columns)}")
        for row in table:
            if any(row[name] is None for name in columns if name in row):
                raise wrong(table.reader.line_num, "there are fewer columns than in the first line")
            yield table.reader.line_num, {name: row.get(name) or "" for name in columns}
    except csv.Error as error:
        raise wrong(table.reader.line_num, str(error)) from None


def wrong(line: int, why: str) -> CommandError:
    """What ends the command for a row that is wrong."""
    return CommandError(Ending.USAGE, f"line {line}: {why}")


def write_rows(columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    """Print a CSV table."""
    table = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)


def read_moment(typed: str, time_zone: str) -> int:
    """A date or a time, ISO 8601, in milliseconds; without an offset by this clock. Raises ValueError."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    try:
        at = datetime.fromisoformat(typed)
    except ValueError:
        raise ValueError(f"{typed!r} is no date such as 2026-12-01 or 2026-12-01T09:00:00+02:00") from None
    return int((at if at.tzinfo else at.replace(tzinfo=ZoneInfo(time_zone))).timestamp() * 1000)
