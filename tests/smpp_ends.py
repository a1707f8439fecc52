"""Both ends of an SMPP connection: an SMSC that does as it is told, and a gateway of one channel."""

import asyncio
import contextlib
import logging
import os
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

import pytest
from msgspec.structs import replace

from hopwire.channels.smpp import SmppChannel
from hopwire.config import SmppConnector
from hopwire.model import Answer, Handover, Incoming, Receipt, SmsContent, SmsText, Writing
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
T = TypeVar("T")
LATE = (17, 1, 0)  # message, step, part of `handover`


def missing(what: str) -> NoReturn:
    """Skip the test that needs a far end which is not installed; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI must have it")
    pytest.skip(what)


def handover(
    text: str | SmsContent = "x",
    part: int = 0,
    sender: str = "Alpha",
    recipient: str = "380501234567",
    parts: int = 1,
    message_id: int = 17,
    writing: Writing | None = None,
    report: bool = True,
) -> Handover:
    return Handover(
        message_id=message_id,
        step=1,
        part=part,
        parts=parts,
        recipient=recipient,
        sender=sender,
        content=SmsText(text=text) if isinstance(text, str) else text,
        lifetime_s=86_400,
        transactional=True,
        repeated=False,
        writing=writing or Writing(),
        report=report,
    )


def receipt(provider_id: str, state: str = "DELIVRD", sequence: int | None = None) -> DeliverSm:
    text = f"id:{provider_id} stat:{state} err:000"
    number = int(provider_id, 16) if sequence is None else sequence
    return DeliverSm(sequence=number, esm_class=4, short_message=text.encode())


class Smsc:
    """The far end. `answer` decides what a submit gets; None: nothing."""

    def __init__(self) -> None:
        self.answer: Callable[[SubmitSm], Pdu | None] = lambda pdu: SubmitSmResp(message_id="00AB")
        self.bind_status: int | None = 0  # None: the bind is not answered
        self.hung_up = asyncio.Event()
        self.reads: list[int] = []  # how many submits each read from the socket has brought
        self.heard_submits: list[tuple[int, SubmitSm]] = []  # with the number of the connection
        self._heard: asyncio.Queue[Pdu] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None  # of the latest connection
        self._writers: list[asyncio.StreamWriter] = []
        self._binds: dict[type[Bind], asyncio.StreamWriter] = {}
        self._server: asyncio.Server

    async def start(self, tls: ssl.SSLContext | None = None) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            with contextlib.suppress(AttributeError):  # asyncio's, of a TLS connection that was closed twice
                writer.transport.abort()

    @property
    def submits(self) -> Counter[int]:
        """How many submits each connection has brought."""
        return Counter(number for number, _ in self.heard_submits)

    async def hear(self, kind: type[P]) -> P:
        """The next PDU of that kind; others are passed over."""
        while True:
            pdu = await self._heard.get()
            if isinstance(pdu, kind):
                return pdu

    def say(self, *pdus: Pdu) -> None:
        assert self._writer
        self._writer.write(b"".join(map(encode, pdus)))

    def say_to(self, kind: type[Bind], *pdus: Pdu) -> None:
        """Say it over the latest connection that was bound so."""
        self._binds[kind].write(b"".join(map(encode, pdus)))

    def drop(self, kind: type[Bind] | None = None, session: int | None = None) -> None:
        """Cut the latest connection, or the one that was bound so, or that of a number."""
        writer = (
            self._binds[kind] if kind else self._writers[session] if session is not None else self._writer
        )
        if writer and not writer.transport.is_closing():
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, stream, number = writer, Stream(), len(self._writers)
        self._writers.append(writer)
        try:
            while data := await reader.read(65536):
                pdus = stream.feed(data)
                self.reads.append(sum(isinstance(pdu, SubmitSm) for pdu in pdus))
                for pdu in pdus:
                    self._writer = writer
                    if isinstance(pdu, SubmitSm):
                        self.heard_submits.append((number, pdu))
                    elif isinstance(pdu, Bind):
                        self._binds[type(pdu)] = writer
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
                if self.bind_status is None:
                    return None
                return BindResp(status=self.bind_status, command=type(pdu))
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
        self.incoming: list[list[Incoming]] = []
        self.find: Callable[[Receipt], str | None] = lambda receipt: receipt.provider_id
        self.may_keep = asyncio.Event()
        self.may_keep.set()
        self.disk_full = False
        common = {"host": "127.0.0.1", "port": port, "system_id": "me", "password": "secret"}
        self.channel = SmppChannel(
            "alpha",
            SmppConnector(**{**common, **settings}),  # type: ignore[arg-type]
            self.keep,
            self.keep_incoming,
            self.ready.set,
            lambda *late: self.late.put_nowait(late),
        )

    async def keep(self, receipts: Sequence[Receipt]) -> Sequence[str | None]:
        await self._keep(receipts, self.kept)
        return [self.find(receipt) for receipt in receipts]

    async def keep_incoming(self, messages: Sequence[Incoming]) -> None:
        await self._keep(messages, self.incoming)

    async def _keep(self, these: Sequence[T], kept: list[list[T]]) -> None:
        await self.may_keep.wait()
        if self.disk_full:
            raise OSError("disk full")
        kept.append(list(these))

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
