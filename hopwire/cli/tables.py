"""Files and tables of the commands."""

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hopwire import tables
from hopwire.cli.console import CommandError, Ending


def read_file(file: str) -> str:
    """The text of a file, or of standard input for `-`; ends the command where it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    except OSError as error:
        raise CommandError(Ending.NOT_FOUND, f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(Ending.USAGE, f"{file} is not UTF-8") from None


def read_rows(text: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tables.Row]:
    """The rows of a CSV text with their line numbers; ends the command when one cannot be read."""
    try:
        yield from tables.rows(text, columns, optional)
    except tables.Mistake as mistake:
        raise wrong(mistake.line, str(mistake)) from None


def wrong(line: int, why: str) -> CommandError:
    """What ends the command for a row that is wrong."""
    return CommandError(Ending.USAGE, f"line {line}: {why}")


def write_rows(columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    """Print a CSV table."""
    table = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
