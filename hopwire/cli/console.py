"""What every command shares: how it ends, how it prints, where the settings come from.

Rule: data goes to stdout, everything else to stderr; nothing is coloured, so NO_COLOR is always kept.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hopwire.config import Config
    from hopwire.model import Actor


class Ending(IntEnum):
    """How a command ends: its exit code."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG = 3
    AUTH = 4
    NOT_FOUND = 5
    REJECTED = 6
    TEMPORARY = 7


MEANING = {
    Ending.OK: "Done.",
    Ending.FAILURE: "It failed; with `send --wait`: the message ended undelivered.",
    Ending.USAGE: "The command line is wrong.",
    Ending.CONFIG: "The settings are wrong.",
    Ending.AUTH: "There is no key, or the gateway does not accept it.",
    Ending.NOT_FOUND: "What was asked for does not exist.",
    Ending.REJECTED: "The gateway refused the request.",
    Ending.TEMPORARY: "The gateway cannot be reached or is busy; try again later.",
}


class CommandError(Exception):
    """Ends the command with an exit code and a sentence for stderr."""

    def __init__(self, ending: Ending, text: str) -> None:
        super().__init__(text)
        self.ending = ending


@contextlib.contextmanager
def usage(told: str = "") -> Iterator[None]:
    """A ValueError ends the command as a mistake in its line, with its own words or these."""
    try:
        yield
    except ValueError as error:
        raise CommandError(Ending.USAGE, told or str(error)) from None


def new_commands(help: str | None = None, **more: Any) -> typer.Typer:
    """A group of commands in the house's manner: plain text, no boxes, no colours."""
    return typer.Typer(
        help=help, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, **more
    )


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="HOPWIRE_CONFIG",
        show_default=False,
        help="Settings file. Without it: hopwire.toml in this directory, if there is one.",
    ),
]


def read_config(path: Path | None) -> "Config":
    """The settings of this command; a mistake in them ends it with exit code 3."""
    from hopwire.config import ConfigError, load

    try:
        return load(path or default_config(), os.environ)
    except ConfigError as error:
        raise CommandError(Ending.CONFIG, str(error)) from None


def actor() -> "Actor":
    """Who runs this command, for the audit: the user of this machine, and which machine it is."""
    import getpass
    import socket

    from hopwire.model import Actor

    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        user = f"uid {os.getuid()}"
    return Actor(user, f"command line on {socket.gethostname()}")


def default_config() -> Path | None:
    path = Path("hopwire.toml")
    return path if path.exists() else None


def emit(data: Mapping[str, object], as_json: bool) -> None:
    """Print one result: a line of JSON, or `name: value` lines."""
    print(json.dumps(data) if as_json else "\n".join(f"{name}: {value}" for name, value in data.items()))


def emit_rows(rows: Sequence[Mapping[str, object]], as_json: bool) -> None:
    """Print many results of one shape: a line of JSON each, or a table with a head."""
    if as_json:
        for row in rows:
            print(json.dumps(row))
    elif rows:
        lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def moment(at: int | None) -> str:
    """Milliseconds as a person reads them: UTC, to the second; empty for never."""
    from hopwire import tables

    return tables.moment(at)


def shown(text: str, as_json: bool) -> str:
    """A stranger's text: in a table it stays on its line, and tells the terminal nothing."""
    return text if as_json else "".join(c if c.isprintable() else " " for c in text)


def say(text: str) -> None:
    """Tell the person, not the program that reads stdout."""
    print(text, file=sys.stderr, flush=True)
