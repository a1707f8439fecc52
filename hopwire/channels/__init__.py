"""A channel hands parts to one upstream account and tells what the upstream says later.

An expected outcome is a value: of a part `Taken`, `Later`, `Never` or `Unknown` is told; nothing is raised.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hopwire.model import (
    Answer,
    ConnectorState,
    Handover,
    Incoming,
    Later,
    Receipt,
    Taken,
    TraceOrder,
    Unknown,
)

KeepReceipts = Callable[[Sequence[Receipt]], Awaitable[Sequence[str | None]]]
"""Returns when the receipts are on disk, with the provider's id under which each one's message was found.

Raises when they could not be kept and must come again.
"""

KeepIncoming = Callable[[Sequence[Incoming]], Awaitable[None]]
"""Returns when the messages are on disk; raises when they could not be kept and must come again."""

OnAnswers = Callable[[Sequence[tuple[Handover, Answer]]], None]
"""Told what the upstream says of parts: of as many at a time as it has answered at a time."""

OnLate = Callable[[int, int, int, Answer], None]
"""Told message id, step, part and an answer for which nobody waits any more."""

NO_ROOM = Later(1.0, "no room", throttled=True, unasked=True)
"""Of a part that was given to a channel behind all that it had room for."""


def word(said: Answer) -> str:
    """Under which name an answer is counted in the state of a connector."""
    match said:
        case Taken():
            return "taken"
        case Later(throttled=True):
            return "throttled"
        case Unknown():
            return "unknown"
        case _:
            return "refused"


class Channel(Protocol):
    """One connector at work."""

    name: str

    @property
    def capacity(self) -> int:
        """How many parts may be submitted now; 0 while not connected or slowed down."""

    @property
    def state(self) -> ConnectorState:
        """How it stands, for an operator."""

    async def start(self) -> None:
        """Begin to connect; returns at once."""

    def submit(self, handovers: Sequence[Handover], on_answers: OnAnswers) -> None:
        """Hand over parts, which leave in this order, and return at once; `capacity` counts them from now on.

        Each is told of once, perhaps before this returns; none by a bug, and then it counts as lost.
        """

    def trace(self, order: TraceOrder | None) -> None:
        """Write down what goes over its links from now on, as ordered; None: no more."""

    async def stop(self) -> None:
        """Wait until all that was submitted has been told of, say goodbye, disconnect."""
