"""What an SMSC brings: receipts, and messages from phones.

Rule: it is answered to the SMSC when it is on disk, and not before; what could not be kept comes again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hopwire import metrics
from hopwire.channels import KeepIncoming, KeepReceipts
from hopwire.channels.smpp import dialect
from hopwire.channels.smpp.link import Link
from hopwire.config import SmppConnector
from hopwire.model import Incoming, Receipt
from hopwire.smpp import status
from hopwire.smpp.ids import Ids
from hopwire.smpp.pdu import DeliverSm

log = logging.getLogger(__name__)
T = TypeVar("T")

KEEPING = 8  # bursts that wait for the store before no more are taken off the wire


class Intake:
    """Keeps what the links of one connector bring; `counts` is told how much."""

    def __init__(
        self,
        connector: str,
        settings: SmppConnector,
        ids: Ids,
        keep_receipts: KeepReceipts,
        keep_incoming: KeepIncoming,
        counts: Counter[str],
    ) -> None:
        self._connector = connector
        self._settings = settings
        self._ids = ids
        self._keep_receipts = keep_receipts
        self._keep_incoming = keep_incoming
        self._counts = counts
        self._keeping: set[asyncio.Task[None]] = set()

    def take(self, link: Link, delivered: list[DeliverSm]) -> None:
        """Keep what one turn of the loop has brought, and answer it then."""
        task = asyncio.create_task(self._keep_and_answer(link, delivered))
        self._keeping.add(task)
        link.read(len(self._keeping) < KEEPING)

        def done(task: asyncio.Task[None]) -> None:
            self._keeping.discard(task)
            link.read(True)

        task.add_done_callback(done)

    async def finished(self) -> None:
        """Return when all that has come is answered."""
        while self._keeping:
            await asyncio.wait(self._keeping)

    async def _keep_and_answer(self, link: Link, delivered: list[DeliverSm]) -> None:
        heard = [dialect.received(self._connector, pdu, self._settings, self._ids) for pdu in delivered]
        receipts = [one for one in heard if isinstance(one.said, Receipt)]
        incoming = [one.said for one in heard if isinstance(one.said, Incoming)]
        kept = {
            Receipt: await self._kept(receipts, self._keep_all_receipts),
            Incoming: await self._kept(incoming, self._keep_all_incoming),
        }
        for pdu, one in zip(delivered, heard, strict=True):
            said = status.ROK if kept[type(one.said)] else status.RX_T_APPN
            link.session.deliver_resp(pdu.sequence, said)
        link.flush_soon()

    async def _kept(self, these: Sequence[T], keep: Callable[[Sequence[T]], Awaitable[None]]) -> bool:
        try:
            if these:
                await keep(these)
        except Exception:  # the SMSC has them still, and sends them again
            log.exception("keep connector=%s count=%d", self._connector, len(these))
            return False
        return True

    async def _keep_all_receipts(self, heard: Sequence[dialect.Heard]) -> None:
        found = await self._keep_receipts([one.said for one in heard if isinstance(one.said, Receipt)])
        self._counts["receipts"] += len(heard)
        for one, provider_id in zip(heard, found, strict=True):
            if self._ids.matched(one.receipt_id, provider_id):
                log.info("connector=%s learned receipt_ids=%s", self._connector, self._ids.learned)

    async def _keep_all_incoming(self, messages: Sequence[Incoming]) -> None:
        await self._keep_incoming(messages)
        self._counts["incoming"] += len(messages)
        metrics.INCOMING.labels(self._connector).inc(len(messages))
