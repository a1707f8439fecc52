"""What the table of channels knows of each provider: one file of cases a provider.

A content that is not carried, or an outcome that does not exist there, has a reason in the place of its case.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hopwire.config import HttpConnector
from hopwire.model import Answer, Fault, Outcome


def unsigned(body: bytes) -> Mapping[str, str]:
    return {}


class Cases(NamedTuple):
    make: Callable[[str], HttpConnector]  # settings with this base URL
    asks: Mapping[str, Mapping[str, object] | str]  # content -> dotted.path -> what the request must contain
    answers: Mapping[str, tuple[int, bytes, Answer] | str]  # of a submit: HTTP status, body, what it means
    reports: Mapping[str, tuple[bytes, Outcome | None, Fault | None] | str]  # body of the callback, what it
    # means; None: it is no receipt
    signed: Callable[[bytes], Mapping[str, str]] = unsigned  # headers of a callback with this body
