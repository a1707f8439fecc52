"""Both ends of an SMPP connection: an SMSC that does as it is told, and a gateway of one channel."""

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from msgspec.structs import replace

from hopwire.channels.smpp import SmppChannel
from hopwire.config import SmppConnector
from hopwire.model import Answer, Handover, Receipt, SmsText
from hopwire.smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    Stream,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)

P = TypeVar("P", bound=Pdu)
LATE = (17, 1, 0)  # message, step, part of `handover`


def missing(what: str) -> None:
    """Skip the test that needs a far end which is not installed; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI must have it")
    pytest.skip(what)


def handover(
    text: str = "x", part: int = 0, sender: str = "Alpha", recipient: str = "380501234567"
) -> Handover:
    return Handover(
        message_id=17,
        step=1,
        part=part,
        parts=1,
        recipient=recipient,
        sender=sender,
        content=SmsText(text=text),
        lifetime_s=86_400,
        transactional=True,
        repeated=False,
    )


def receipt(provider_id: str, state: str = "DELIVRD") -> DeliverSm:
    text = f"id:{provider_id} stat:{state} err:000"
    return DeliverSm(sequence=int(provider_id, 16), esm_class=4, short_message=text.encode())


class Smsc:
    """The far end. `answer` decides what a submit gets; None: nothing."""

    def __init__(self) -> None:
        self.answer: Callable[[SubmitSm], Pdu | None] = lambda pdu: SubmitSmResp(message_id="00AB")
        self.bind_status: int | None = 0  # None: the bind is not answered
        self.hung_up = asyncio.Event()
        self.reads: list[int] = []  # how many submits each read from the socket has brought
        self._heard: asyncio.Queue[Pdu] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server

    async def start(self, tls: ssl.SSLContext | None = None) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        self.drop()

    async def hear(self, kind: type[P]) -> P:
        """The next PDU of that kind; others are passed over."""
        while True:
            pdu = await self._heard.get()
            if isinstance(pdu, kind):
                return pdu

    def say(self, *pdus: Pdu) -> None:
        assert self._writer
        self._writer.write(b"".join(map(encode, pdus)))

    def drop(self) -> None:
        if self._writer and not self._writer.transport.is_closing():
            self._writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, stream = writer, Stream()
        try:
            while data := await reader.read(65536):
                pdus = stream.feed(data)
                self.reads.append(sum(isinstance(pdu, SubmitSm) for pdu in pdus))
                for pdu in pdus:
                    self._react(pdu)
        except ConnectionError:
            pass
        writer.close()
        self.hung_up.set()

    def _react(self, pdu: Pdu) -> None:
        self._heard.put_nowait(pdu)
        answer = self._answer(pdu)
        if answer is not None:
            self.say(replace(answer, sequence=pdu.sequence))

    def _answer(self, pdu: Pdu) -> Pdu | None:
        match pdu:
            case Bind():
                return None if self.bind_status is None else BindResp(status=self.bind_status)
            case SubmitSm():
                return self.answer(pdu)
            case EnquireLink():
                return EnquireLinkResp()
            case Unbind():
                return UnbindResp()
            case _:
                return None


class Gateway:
    """The near end around one channel."""

    def __init__(self, port: int, **settings: object) -> None:
        self.ready = asyncio.Event()
        self.late: asyncio.Queue[tuple[int, int, int, Answer]] = asyncio.Queue()
        self.kept: list[list[Receipt]] = []
        self.may_keep = asyncio.Event()
        self.may_keep.set()
        self.disk_full = False
        common = {"host": "127.0.0.1", "port": port, "system_id": "me", "password": "secret"}
        self.channel = SmppChannel(
            "alpha",
            SmppConnector(**{**common, **settings}),  # type: ignore[arg-type]
            self.keep,
            self.ready.set,
            lambda *late: self.late.put_nowait(late),
        )

    async def keep(self, receipts: Sequence[Receipt]) -> None:
        await self.may_keep.wait()
        if self.disk_full:
            raise OSError("disk full")
        self.kept.append(list(receipts))

    async def is_ready(self) -> None:
        await self.ready.wait()
        self.ready.clear()


class Lines(logging.Handler):
    """What the channel logs."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.put_nowait(record.getMessage())

    async def have(self, part: str) -> None:
        while part not in await self._lines.get():
            pass
