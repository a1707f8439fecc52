"""What no log line, metric, error answer or complaint of a program may show: looked for in every test.

Planted is what tests use as secrets: every key of ours, passwords and secrets of providers that begin as the
ones here, every phone number of Ukraine, and texts of messages with the word Hello. `conftest` looks at every
record of every logger, whatever its level; `gateway`, `system` and `command_line` at what is answered and
said.
"""

import logging
import re
import traceback
from base64 import b64decode
from collections.abc import Iterator

from hopwire.credentials import is_key

PASSWORD = "correct horse"
CALLBACK_SECRET = "callback-secret-1234567"
TEXT = "Hello"

_ALWAYS_SECRET = r"hw_live_[0-9A-Za-z]{38}|correct(?: |\+|%20)horse|callback-secret-1234567"
_SECRET = re.compile(_ALWAYS_SECRET)
_PLANTED = re.compile(rf"{_ALWAYS_SECRET}|(?<![0-9])380[0-9]{{9}}(?![0-9])|\b[Hh]ello\b")
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9,_-]")

FOUND: list[str] = []  # in this test, so far: where, and what


def planted(text: str, kinds: re.Pattern[str] = _PLANTED) -> list[str]:
    """What is planted of a text."""
    found = kinds.findall(text)
    return [one for one in found if is_key(one) or not one.startswith("hw_live_")] if found else []


def look(where: str, text: str) -> None:
    """Remember what should not be in the text; the test fails when it has ended."""
    FOUND.extend(f"{where}: {one}" for one in planted(text))


def look_for_secrets(where: str, text: str) -> None:
    """The same, where an operator may be shown numbers and texts."""
    FOUND.extend(f"{where}: {one}" for one in planted(text, _SECRET))


def look_at_reply(content_type: str, body: bytes) -> None:
    """What the gateway has answered; an answer in JSON is for the operator alone.

    Pages and their files show numbers and texts to whom these belong.
    """
    if content_type.startswith("application/json"):
        return
    shown = content_type.startswith(("text/html", "text/csv"))
    (look_for_secrets if shown else look)("answer", body.decode("utf-8", "replace"))
    if body and not _NO_BASE64.search(body) and len(body) % 4 == 0:  # the encoded dialect
        look("answer", b64decode(body.replace(b",", b"="), b"-_").decode("utf-8", "replace"))


def look_at_record(record: logging.LogRecord) -> None:
    """A log record: its line, and what its exceptions say. Lines of our source are no secret."""
    look(f"log of {record.name}", record.getMessage())
    error = record.exc_info[1] if record.exc_info else None
    for one in _chain(error):
        look(f"traceback in the log of {record.name}", "".join(traceback.format_exception_only(one)))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


_handle = logging.Logger.handle


def is_enabled_for(logger: logging.Logger, level: int) -> bool:
    """Instead of Logger.isEnabledFor: every record is made."""
    return True


def handle(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Instead of Logger.handle: a record is looked at, and goes on if it would have been made."""
    look_at_record(record)
    if record.levelno >= logger.getEffectiveLevel() and record.levelno > logger.manager.disable:
        _handle(logger, record)
