"""A channel hands parts to one upstream account and tells what the upstream says later.

An expected outcome is a value: `submit` answers `Taken`, `Later`, `Never` or `Unknown` and raises nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hopwire.model import Answer, Handover, Receipt

KeepReceipts = Callable[[Sequence[Receipt]], Awaitable[None]]
"""Returns when the receipts are on disk; raises when they could not be kept and must come again."""


class Channel(Protocol):
    """One connector at work."""

    name: str

    @property
    def capacity(self) -> int:
        """How many parts may be submitted now; 0 while not connected or paused."""

    async def start(self) -> None:
        """Begin to connect; returns at once."""

    async def submit(self, handover: Handover) -> Answer:
        """Hand over one part. Parts submitted one after the other leave in that order."""

    async def stop(self) -> None:
        """Wait for the answers under way, say goodbye, disconnect."""
