"""The far end of bench/smpp: an SMSC that answers every submit_sm after a given time, perhaps with a receipt.

Rule: it costs as little as it can, for it shares the machine with what it measures: it reads headers only,
and its answers are constant but for two numbers. SMPP 3.4.

What came in one read is answered in one write, the answers ahead of the receipts.
"""

import asyncio
import socket
from itertools import count

import msgspec

from bench.program import main
from bench.smsc import receipt
from hopwire.smpp.pdu import HEADER, RESPONSE

SUBMIT_SM = 0x04
BODIES = {0x01: b"bench\0", 0x02: b"bench\0", 0x09: b"bench\0"}  # of the answers to binds; others have none


class Manner(msgspec.Struct, frozen=True):
    """How it behaves at one port."""

    answer_ms: int
    receipts: bool


class Job(msgspec.Struct):
    manners: list[Manner]


class Ready(msgspec.Struct):
    ports: list[int]  # in the order of the manners


class Session(asyncio.Protocol):
    _ids = count(1)

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._rest = b""
        self._sequences = count(1)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        said = self._answers(self._rest + data)
        if not said:
            return
        if self._manner.answer_ms:
            asyncio.get_running_loop().call_later(self._manner.answer_ms / 1000, self._say, said)
        else:
            self._say(said)

    def _answers(self, data: bytes) -> bytes:
        """Everything there is to say to the whole PDUs of this; what is left over is kept."""
        at, answers, receipts = 0, [], []
        while len(data) - at >= HEADER.size:
            length, command, _, sequence = HEADER.unpack_from(data, at)
            if len(data) - at < length:
                break
            at += length
            if command == SUBMIT_SM:
                provider_id = b"%010d" % next(self._ids)
                answers.append(_answer(command, sequence, provider_id + b"\0"))
                receipts.append(provider_id)
            elif not command & RESPONSE:
                answers.append(_answer(command, sequence, BODIES.get(command, b"")))
        self._rest = data[at:]
        if self._manner.receipts:
            answers += (receipt(one, next(self._sequences)) for one in receipts)
        return b"".join(answers)

    def _say(self, said: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(said)


def _answer(command: int, sequence: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), command | RESPONSE, 0, sequence) + body


async def run(job: Job) -> Ready:
    """Serve on free ports until the process ends."""
    return Ready([await _serve(manner) for manner in job.manners])


async def _serve(manner: Manner) -> int:
    sock = socket.create_server(("127.0.0.1", 0))
    await asyncio.get_running_loop().create_server(lambda: Session(manner), sock=sock)
    port: int = sock.getsockname()[1]
    return port


if __name__ == "__main__":
    main("bench: smpp smsc", Job, run)
