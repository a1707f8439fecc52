"""Our session and codec as bench/smpp measures them: a transport, and nothing of a gateway around them."""

import asyncio
import time
from typing import cast

import uvloop

from bench import smpp_row as row
from hopwire.smpp import receipt
from hopwire.smpp.pdu import BindTransceiver, SubmitSm, SubmitSmResp
from hopwire.smpp.session import Answered, Bound, Delivered, Event, Session

PATIENCE_S = 60.0  # for an answer; longer than any row waits


class Esme(asyncio.Protocol):
    """Keeps the window full until as many messages as were asked for have been answered and received."""

    _transport: asyncio.Transport
    _session: Session

    def __init__(self, job: row.Job) -> None:
        self._job = job
        self._left = self._answers = self._receipts = 0  # to submit, to wait for
        self.done = asyncio.get_running_loop().create_future()

    async def send(self, messages: int) -> None:
        self._left = self._answers = messages
        self._receipts = messages if self._job.receipts else 0
        self.done = asyncio.get_running_loop().create_future()
        self._fill(time.monotonic())
        await self.done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        self._session = Session(
            BindTransceiver(system_id=row.SYSTEM_ID, password=row.PASSWORD),
            time.monotonic(),
            window=self._job.window,
            response_timeout_s=PATIENCE_S,
            enquire_link_s=PATIENCE_S,
        )
        self._transport.write(self._session.data_to_send())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        for event in self._session.receive(data, now):
            self._take(event)
        self._fill(now)
        if not (self._answers or self._receipts or self.done.done()):
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the SMSC has gone"))

    def _take(self, event: Event) -> None:
        match event:
            case Answered(response=SubmitSmResp(status=0)):
                self._answers -= 1
            case Delivered(pdu) if receipt.parse(pdu):
                self._receipts -= 1
                self._session.deliver_resp(pdu.sequence, 0)
            case Bound():
                pass
            case _:
                self._transport.abort()

    def _fill(self, now: float) -> None:
        more = min(self._session.room, self._left)
        self._left -= more
        for _ in range(more):
            self._session.submit(submit_sm(self._job.receipts), now)
        if data := self._session.data_to_send():
            self._transport.write(data)


def submit_sm(receipts: bool) -> SubmitSm:
    return SubmitSm(
        source_addr_ton=row.SOURCE_TON,
        source_addr_npi=row.SOURCE_NPI,
        source_addr=row.SOURCE,
        dest_addr_ton=row.DESTINATION_TON,
        dest_addr_npi=row.DESTINATION_NPI,
        destination_addr=row.DESTINATION,
        registered_delivery=int(receipts),
        short_message=row.TEXT.encode("ascii"),
    )


async def main(job: row.Job) -> row.Figures:
    loop = asyncio.get_running_loop()
    _, esme = await loop.create_connection(lambda: Esme(job), "127.0.0.1", job.port)
    await esme.done  # bound
    await esme.send(job.warm_up)
    stopwatch = row.Stopwatch()
    await esme.send(job.messages)
    return stopwatch.figures()


if __name__ == "__main__":
    row.tell(uvloop.run(main(row.job())))
