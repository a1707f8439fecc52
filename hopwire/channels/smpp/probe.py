"""Tries an SMSC account beside the gateway: connect, bind, ask whether the link lives, unbind."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from hopwire import sms
from hopwire.channels.smpp import dialect
from hopwire.channels.smpp.link import CONNECT_S, tls_context
from hopwire.config import SmppConnector
from hopwire.model import Handover, SmsText
from hopwire.sentence import Sentence
from hopwire.smpp import receipt, status
from hopwire.smpp.pdu import (
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    Response,
    Stream,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)


class Step(NamedTuple):
    """One thing that was tried. It is the last one when it has failed."""

    name: str  # "connect", "tls", "bind", "enquire_link", "submit", "receipt", "unbind"
    good: bool
    ms: int
    detail: str  # a Sentence, where it is ours


async def probe(settings: SmppConnector, handovers: list[Handover], receipts_s: float) -> AsyncIterator[Step]:
    """Try the account; with hand-overs, submit them, too, and wait so long for their receipts.

    What is asked for here is not known to the gateway: nothing is kept and nothing charged. An account that
    allows one session refuses this one while the gateway is bound.
    """
    began = time.monotonic()
    try:
        reader, writer = await asyncio.wait_for(_connect(settings), CONNECT_S)
    except (OSError, UnicodeError) as error:
        yield Step("connect", False, _ms(began), str(error) or type(error).__name__)
        return
    far = _Far(reader, writer, settings.response_timeout_s)
    yield Step("connect", True, _ms(began), f"{settings.host}:{settings.port}")
    if settings.tls:
        yield Step("tls", True, _ms(began), _describe_tls(writer))
    try:
        async for step in _dialogue(settings, far, handovers, receipts_s):
            yield step
    finally:
        writer.transport.abort()


def handovers(settings: SmppConnector, recipient: str, sender: str, text: str) -> list[Handover]:
    """A text to a number (E.164 digits), in the parts in which the account would be given it."""
    content = SmsText(text=text)
    parts = len(sms.encode(content, 0, settings.writing))
    return [
        Handover(
            message_id=0,
            step=0,
            part=part,
            parts=parts,
            recipient=recipient,
            sender=sender,
            content=content,
            lifetime_s=3600,
            transactional=True,
            repeated=False,
            writing=settings.writing,
        )
        for part in range(parts)
    ]


async def _connect(s: SmppConnector) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    name = (s.tls_name or s.host) if s.tls else None
    return await asyncio.open_connection(s.host, s.port, ssl=tls_context(s), server_hostname=name)


def _describe_tls(writer: asyncio.StreamWriter) -> str:
    tls: Any = writer.get_extra_info("ssl_object")
    until = dict(tls.getpeercert() or {}).get("notAfter", "")
    told = "%(version)s, certificate valid until %(until)s"
    return Sentence(told, version=tls.version(), until=until)


def _ms(began: float) -> int:
    return round(1000 * (time.monotonic() - began))


class _Far:
    """The SMSC; says what it is told and hears what comes, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience_s: float) -> None:
        self._reader, self._writer = reader, writer
        self._patience_s = patience_s
        self._stream, self._heard = Stream(), list[Pdu]()
        self._sequence = 0
        self.receipts: list[DeliverSm] = []

    async def ask(self, pdu: Pdu) -> Pdu:
        """The response to a request. Raises TimeoutError, OSError and EOFError."""
        self._sequence += 1
        self._writer.write(encode(pdu, self._sequence))
        async with asyncio.timeout(self._patience_s):
            while True:
                answer = await self.hear()
                if isinstance(answer, Response) and answer.sequence == self._sequence:
                    return answer

    async def hear(self) -> Pdu:
        """The next PDU; a request of the SMSC is answered."""
        while not self._heard:
            data = await self._reader.read(65_536)
            if not data:
                raise EOFError
            self._heard = self._stream.feed(data)
        pdu = self._heard.pop(0)
        if isinstance(pdu, EnquireLink):
            self._writer.write(encode(EnquireLinkResp(sequence=pdu.sequence)))
        elif isinstance(pdu, DeliverSm) and receipt.parse(pdu) is not None:
            self.receipts.append(pdu)
            self._writer.write(encode(DeliverSmResp(sequence=pdu.sequence)))
        return pdu


async def _dialogue(
    settings: SmppConnector, far: _Far, handovers: list[Handover], receipts_s: float
) -> AsyncIterator[Step]:
    requests: list[tuple[str, Pdu]] = [
        ("bind", dialect.bind(settings, dialect.BINDS[settings.bind][0])),
        ("enquire_link", EnquireLink()),
    ]
    requests += [("submit", dialect.submit_sm(one, settings, time.time())) for one in handovers]
    for name, request in requests:
        step = await _ask(name, far, request)
        yield step
        if not step.good:
            return
    if handovers:
        yield await _await_receipts(far, len(handovers), receipts_s)
    yield await _ask("unbind", far, Unbind())


async def _ask(name: str, far: _Far, request: Pdu) -> Step:
    began = time.monotonic()
    try:
        answer = await far.ask(request)
    except TimeoutError:
        return Step(name, False, _ms(began), Sentence("no answer in time"))
    except (OSError, EOFError):
        return Step(name, False, _ms(began), Sentence("the connection has ended"))
    code = answer.status if isinstance(answer, Response) else status.ROK
    good = code == status.ROK and not isinstance(answer, GenericNack)
    return Step(name, good, _ms(began), _said(answer) if good else status.name(code))


def _said(answer: Pdu) -> str:
    match answer:
        case BindResp(system_id=system_id, sc_interface_version=version):
            spoken = f", SMPP {version >> 4}.{version & 15}" if version else ""
            told = "the SMSC calls itself %(name)s%(spoken)s"
            return Sentence(told, name=system_id or "–", spoken=spoken)
        case SubmitSmResp(message_id=message_id):
            return Sentence("taken as %(id)s", id=message_id or "–")
        case UnbindResp() | EnquireLinkResp():
            return Sentence("it answers")
        case _:
            return type(answer).__name__


async def _await_receipts(far: _Far, wanted: int, receipts_s: float) -> Step:
    began = time.monotonic()
    try:
        async with asyncio.timeout(receipts_s):
            while len(far.receipts) < wanted:
                await far.hear()
    except (TimeoutError, OSError, EOFError):
        pass
    said = [found.code for pdu in far.receipts if (found := receipt.parse(pdu)) is not None]
    none = Sentence("none in %(seconds)s s; it may come to the gateway later", seconds=f"{receipts_s:g}")
    detail = ", ".join(said) if said else none
    return Step("receipt", len(said) >= wanted, _ms(began), detail)
