"""Gateways behind one another: a message tells which it has come through, so that it does not go in a circle.

Each writes its installation's name behind those that it was told; who finds its own name there refuses.
"""

import re
from collections.abc import Sequence

from hopwire.errors import Loop

HEADER = "hopwire-via"
MOST = 8  # gateways that a message may have come through
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def written(via: Sequence[str], installation: str) -> dict[str, str]:
    """The header that a message leaves with; none where this installation has no name."""
    return {HEADER: ", ".join((*via, installation))} if installation else {}


def read(header: str, installation: str) -> tuple[str, ...]:
    """The installations that a header tells; raises `Loop`."""
    names = [name.strip() for name in header.split(",")]
    if installation in names or len(names) > MOST:
        raise Loop
    return tuple(name for name in names if NAME.fullmatch(name))
