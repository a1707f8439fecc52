"""The far end: an SMSC that takes every submit_sm at once and reports it delivered a moment later.

Rule: it costs as little as it can, for it shares the machine with what it measures: it remembers nothing, and
a receipt is one constant piece with an id and the number in it, which is always of as many digits.
SMPP 3.4; the text of a receipt is of its appendix B.
"""

import asyncio
import socket
from collections.abc import Iterator
from itertools import count

import msgspec

from bench.program import main
from hopwire.smpp import pdu as smpp

ID = b"0000000000"
NUMBER = b"380500000000"
DATE = "2601010000"
RECEIPT = smpp.encode(
    smpp.DeliverSm(
        source_addr=NUMBER.decode(),
        destination_addr="hopwire",
        esm_class=smpp.ESM_RECEIPT,
        short_message=b"id:%b sub:001 dlvrd:001 submit date:%b done date:%b stat:DELIVRD err:000 text:"
        % (ID, DATE.encode(), DATE.encode()),
        tlvs={smpp.RECEIPTED_MESSAGE_ID: ID + b"\0", smpp.MESSAGE_STATE: b"\2"},
    )
)


class Job(msgspec.Struct):
    receipt_delay_s: float


class Ready(msgspec.Struct):
    port: int


def receipt(provider_id: bytes, sequence: int, number: bytes = NUMBER) -> bytes:
    """The deliver_sm that says that the message to the number was delivered."""
    told = RECEIPT[16:].replace(ID, provider_id).replace(NUMBER, number, 1)
    return RECEIPT[:12] + sequence.to_bytes(4) + told


class Session(asyncio.Protocol):
    """One bind; what one turn of the loop has to say leaves in one write."""

    _ids = count(1)

    def __init__(self, receipt_delay_s: float) -> None:
        self._delay_s = receipt_delay_s
        self._stream = smpp.Stream()
        self._sequences = count(1)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        pdus = self._stream.feed(data)
        numbers = [pdu.destination_addr.encode() for pdu in pdus if isinstance(pdu, smpp.SubmitSm)]
        ids = [b"%010d" % next(self._ids) for _ in numbers]
        left = iter(ids)
        answers = (answer(pdu, left) for pdu in pdus)
        self._transport.write(b"".join(smpp.encode(one) for one in answers if one))
        if ids:
            taken = list(zip(ids, numbers, strict=True))
            asyncio.get_running_loop().call_later(self._delay_s, self._report, taken)

    def _report(self, taken: list[tuple[bytes, bytes]]) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"".join(receipt(i, next(self._sequences), number) for i, number in taken))


def answer(pdu: smpp.Pdu, ids: Iterator[bytes]) -> smpp.Pdu | None:
    """What is said to this; the next id goes to a submit_sm."""
    match pdu:
        case smpp.SubmitSm(sequence=sequence):
            return smpp.SubmitSmResp(sequence=sequence, message_id=next(ids).decode())
        case smpp.Bind(sequence=sequence):
            return smpp.BindResp(sequence=sequence, command=type(pdu), system_id="bench")
        case smpp.EnquireLink(sequence=sequence):
            return smpp.EnquireLinkResp(sequence=sequence)
        case smpp.Unbind(sequence=sequence):
            return smpp.UnbindResp(sequence=sequence)
        case _:
            return None


async def run(job: Job) -> Ready:
    """Serve on a free port until the process ends."""
    sock = socket.create_server(("127.0.0.1", 0))
    await asyncio.get_running_loop().create_server(lambda: Session(job.receipt_delay_s), sock=sock)
    return Ready(sock.getsockname()[1])


if __name__ == "__main__":
    main("bench: smsc", Job, run)
