"""A far end and a gateway of one SMPP channel, connected, and what goes between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from answers import answer_to
from far_ends import FarEnd, start
from smpp_ends import Gateway

from hopwire import sms
from hopwire.config import SmppConnector
from hopwire.model import Answer, Handover, Receipt, SmsContent, SmsText, Taken

MESSAGE = 0x1702  # id of every message
NUMBER = "380501234561"  # delivered everywhere
HELLO = SmsText(text="hello {€}")


class Link:
    """A far end and our gateway, connected."""

    def __init__(self, far: FarEnd, gateway: Gateway, settings: SmppConnector) -> None:
        self.far = far
        self.gateway = gateway
        self.writing = settings.writing

    async def send(self, content: SmsContent = HELLO, to: str = NUMBER) -> list[Answer]:
        """What the far end says of each part."""
        parts = len(sms.encode(content, 0, self.writing))
        return await asyncio.gather(
            *(answer_to(self.gateway.channel, self._part(content, to, part, parts)) for part in range(parts))
        )

    async def send_one(self, content: SmsContent = HELLO, to: str = NUMBER) -> Answer:
        (said,) = await self.send(content, to)
        return said

    async def receipts(self, count: int) -> list[Receipt]:
        """So many, once they are kept and answered."""
        while sum(map(len, self.gateway.kept)) < count:
            await self.far.hears("deliver_sm_resp")
        return [receipt for batch in self.gateway.kept for receipt in batch]

    def _part(self, content: SmsContent, to: str, part: int, parts: int) -> Handover:
        return Handover(
            message_id=MESSAGE,
            step=1,
            part=part,
            parts=parts,
            recipient=to,
            sender="Alpha",
            content=content,
            lifetime_s=86_400,
            transactional=True,
            repeated=False,
            writing=self.writing,
        )


@asynccontextmanager
async def linked(end: str, settings: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Link]:
    """Start the far end with its options, and a gateway with its settings; wait until they are bound."""
    async with start(end, **options) as far:
        gateway = Gateway(far.port, **(settings or {}))
        await gateway.channel.start()
        await gateway.is_ready()
        common = {"host": "127.0.0.1", "port": far.port, "system_id": "me", "password": "secret"}
        try:
            yield Link(far, gateway, SmppConnector(**{**common, **(settings or {})}))
        finally:
            await gateway.channel.stop()


def taken(said: list[Answer]) -> list[str]:
    """The ids of parts that were all taken."""
    return [one.provider_id for one in said if isinstance(one, Taken)] if all_taken(said) else []


def all_taken(said: list[Answer]) -> bool:
    return all(isinstance(one, Taken) for one in said)
