"""aiosmpplib as bench/smpp measures it. Runs in .venv-peers.

It knows no window, but asks a broker of ours for the next message and tells a hook of ours what came: the
broker waits while the window is full. Its own correlator looks through everything it holds at every message
and is "not suitable for production", so there is one of ours, as its manual proposes. uvloop, and a codec in
C for the text, make it faster than its defaults do.
"""

import asyncio
import sys
from datetime import datetime

import uvloop
from aiosmpplib import (  # type: ignore[import-not-found] # it is in .venv-peers
    ESME,
    NPI,
    TON,
    AbstractBroker,
    AbstractCorrelator,
    AbstractHook,
    AbstractRetryTimer,
    DeliverSm,
    PhoneNumber,
    SmppCommandStatus,
    SmppMessage,
    SubmitSm,
    SubmitSmResp,
)

from bench import smpp_row as row


class Window(AbstractBroker):  # type: ignore[misc]
    """Gives out as many messages as there is room for."""

    def __init__(self, job: row.Job) -> None:
        self._job = job
        self._left, self._room = 0, job.window
        self._more = asyncio.Event()

    def put(self, messages: int) -> None:
        self._left = messages
        self._more.set()

    def answered(self) -> None:
        self._room += 1
        self._more.set()

    async def enqueue(self, message: SmppMessage) -> None:
        raise NotImplementedError

    async def dequeue(self) -> SmppMessage:
        while not (self._left and self._room):
            self._more.clear()
            await self._more.wait()
        self._left -= 1
        self._room -= 1
        return SubmitSm(
            short_message=row.TEXT,
            source=PhoneNumber(row.SOURCE, TON(row.SOURCE_TON), NPI(row.SOURCE_NPI)),
            destination=PhoneNumber(row.DESTINATION, TON(row.DESTINATION_TON), NPI(row.DESTINATION_NPI)),
            registered_delivery=int(self._job.receipts),
        )


class Hook(AbstractHook):  # type: ignore[misc]
    """Counts what comes."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._answers = self._receipts = 0  # to wait for
        self._done = asyncio.Event()

    async def wait(self, answers: int, receipts: int) -> None:
        self._answers, self._receipts = answers, receipts
        self._done.clear()
        await self._done.wait()

    async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None:
        pass

    async def received(self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str) -> None:
        if isinstance(smpp_message, SubmitSmResp):
            assert smpp_message.command_status == SmppCommandStatus.ESME_ROK
            self._answers -= 1
            self._window.answered()
        elif isinstance(smpp_message, DeliverSm) and smpp_message.is_receipt():
            self._receipts -= 1
        if not (self._answers or self._receipts):
            self._done.set()

    async def send_error(self, smpp_message: SmppMessage, error: Exception, client_id: str) -> None:
        raise error


class Correlator(AbstractCorrelator):  # type: ignore[misc]
    """What is under way, by sequence number, and what waits for a receipt, by the SMSC's id."""

    def __init__(self) -> None:
        self._sent: dict[int, SmppMessage] = {}
        self._taken: dict[str, SubmitSm] = {}

    async def put(self, smpp_message: SmppMessage) -> None:
        self._sent[smpp_message.sequence_num] = smpp_message

    async def get(self, response: SmppMessage) -> SmppMessage | None:
        return self._sent.pop(response.sequence_num, None)

    async def put_delivery(self, smsc_message_id: str, submit_sm: SubmitSm) -> None:
        if submit_sm.registered_delivery:
            self._taken[smsc_message_id] = submit_sm

    async def get_delivery(self, receipt: DeliverSm) -> SubmitSm | None:
        said: dict[str, str | int | datetime] = receipt.parse_receipt()
        return self._taken.pop(str(said["id"]), None)

    async def get_segmented(self, smpp_seq_num: int, remove: bool = False) -> tuple[None, int]:
        return None, 0  # no message here has a second part

    async def put_delivery_segmented(self, deliver_sm: DeliverSm) -> None:
        raise NotImplementedError

    def get_cumulated_status(self, ref_num: int) -> int:
        raise NotImplementedError

    async def expired(self, smpp_message: SmppMessage) -> None:
        raise NotImplementedError


class NoRetry(AbstractRetryTimer):  # type: ignore[misc]
    """It would connect again for ever."""

    def next_delay(self) -> float:
        return 0.0

    def reset(self) -> None:
        pass

    async def wait(self) -> None:
        sys.exit("the SMSC has gone")


async def main(job: row.Job) -> row.Figures:
    window = Window(job)
    hook = Hook(window)
    esme = ESME(
        "127.0.0.1",
        job.port,
        row.SYSTEM_ID,
        row.PASSWORD,
        log_level="ERROR",
        broker=window,
        hook=hook,
        correlator=Correlator(),
        retry_timer=NoRetry(),
        default_encoding="latin_1",  # of data_coding 0
    )

    async def send(messages: int) -> None:
        window.put(messages)
        await hook.wait(messages, messages if job.receipts else 0)

    running = asyncio.create_task(esme.start())
    await send(job.warm_up)
    stopwatch = row.Stopwatch()
    await send(job.messages)
    figures = stopwatch.figures()
    running.cancel()
    await asyncio.wait({running})
    return figures


if __name__ == "__main__":
    row.tell(uvloop.run(main(row.job())))
