"""A mail server for tests: real SMTP, on this loop; it keeps what comes, or answers as the test says."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from hopwire import postman
from hopwire.config import Mail

PATIENCE_S = 10
Security = Literal["starttls", "tls", "none"]
LINK = re.compile(r"http\S+")


class Box:
    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.arrival = asyncio.Event()
        self.rcpt = self.data = "250 OK"
        self.port = 0

    def settings(self, security: Security = "none") -> Mail:
        return Mail(host="127.0.0.1", port=self.port, security=security, sender="hopwire@example.net")

    @property
    def section(self) -> dict[str, Any]:
        """The same, as a settings file has it."""
        return {"host": "127.0.0.1", "port": self.port, "security": "none", "sender": "hopwire@example.net"}

    async def letter(self, n: int = 1) -> EmailMessage:
        """The n-th letter, once it has come."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.letters) < n:
                self.arrival.clear()
                await self.arrival.wait()
        return self.letters[n - 1]

    async def link(self, n: int = 1) -> str:
        """The address in the n-th letter."""
        found = LINK.search((await self.letter(n)).get_content())
        assert found
        return found[0]

    # ---- what the server calls

    async def handle_RCPT(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.letters.append(message_from_bytes(envelope.content, EmailMessage, policy=default))
            self.arrival.set()
        return self.data


@asynccontextmanager
async def boxed() -> AsyncIterator[Box]:
    """A box, open."""
    made = Box()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(made, enable_SMTPUTF8=False, loop=loop), "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postman, "POLL_S", 0.02)
            yield made
    finally:
        server.close()
