"""A channel hands parts to one upstream account and tells what the upstream says later.

An expected outcome is a value: `submit` answers `Taken`, `Later`, `Never` or `Unknown` and raises nothing.
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

    async def submit(self, handover: Handover) -> Answer:
        """Hand over one part. Parts submitted one after the other leave in that order."""

    def trace(self, order: TraceOrder | None) -> None:
        """Write down what goes over its links from now on, as ordered; None: no more."""

    async def stop(self) -> None:
        """Wait for the answers under way, say goodbye, disconnect."""
