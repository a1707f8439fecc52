"""One end of a connection between two processes of a gateway.

On the wire, both ways, are frames: four bytes that tell the length, then MessagePack.
"""

import asyncio
from collections.abc import Callable
from typing import cast

HEAD = 4


class Frames(asyncio.Protocol):
    """Reads frames as they come, each for a call, and writes them at once."""

    def __init__(self, take: Callable[["Frames", bytes], None], lost: Callable[["Frames"], None]) -> None:
        self._take = take
        self._lost = lost
        self._come = bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        self.transport.set_write_buffer_limits(0)  # write at once, not at the end of the loop's turn

    def data_received(self, data: bytes) -> None:
        self._come += data
        come, at = self._come, 0
        while len(come) >= (body := at + HEAD):
            end = body + int.from_bytes(come[at:body], "big")
            if len(come) < end:
                break
            self._take(self, bytes(come[body:end]))
            at = end
        del come[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)

    def tell(self, frame: bytes) -> None:
        """Send it, unless nobody listens any more."""
        if not self.transport.is_closing():
            self.transport.writelines((len(frame).to_bytes(HEAD, "big"), frame))
