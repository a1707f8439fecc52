"""An SMSC: takes submit_sm, shows the messages on phones, and sends receipts until they are acknowledged.

Rule 1: a receipt stays with its account, whatever happens to connections, until it is answered ESME_ROK.
Rule 2: what one turn of the loop has to say to a connection leaves in one write.

SMPP 3.4; the text of a receipt is of its appendix B.
"""

import asyncio
import hashlib
import itertools
import logging
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import cast

from hopwire.simulators import handset
from hopwire.simulators.record import Record
from hopwire.simulators.scenario import Refusals, Sms, State, scenario
from hopwire.smpp import pdu as smpp
from hopwire.smpp.part import Part, read_part

log = logging.getLogger(__name__)

ROK = 0x00
RINVCMDLEN = 0x02
RINVCMDID = 0x03
RINVBNDSTS = 0x04
RALYBND = 0x05
RINVPASWD = 0x0E
RTHROTTLED = 0x58

OUTSTANDING = 500  # deliver_sm that a connection may have unanswered
AGAIN_S = 1.0  # until a receipt that was refused is sent again

RECEIPT = 0x04  # esm_class
ERRORS = {State.DELIVRD: "000", State.UNDELIV: "034"}  # 34: system failure (3GPP TS 29.002)


class Account:
    """One system_id: its connections that take receipts, and the receipts that wait for them."""

    def __init__(self) -> None:
        self.receivers: list[Session] = []
        self.waiting: deque[bytes] = deque()

    def add(self, receipts: Iterable[bytes]) -> None:
        self.waiting.extend(receipts)
        self.pump()

    def give_back(self, receipts: Iterable[bytes]) -> None:
        self.waiting.extendleft(reversed(list(receipts)))
        self.pump()

    def pump(self) -> None:
        """Hand what waits to the connections that have room for it."""
        for session in self.receivers:
            while self.waiting and session.has_room:
                session.deliver(self.waiting.popleft())
            session.flush()


class SmscSimulator:
    """The message centre; `serve` opens it to connections.

    `on_submit` is called with the recipient's number of each message that was taken.
    """

    def __init__(
        self,
        record: Record,
        password: str,
        *,
        on_submit: Callable[[str], None] = lambda number: None,
        receipt_delay_s: float = 0.2,
    ) -> None:
        self.password = password
        self.receipt_delay_s = receipt_delay_s
        self._record = record
        self._on_submit = on_submit
        self._accounts: dict[str, Account] = {}
        self._sessions: set[Session] = set()
        self._ids = itertools.count(time.time_ns())
        self._refusals = Refusals()
        self._joiner = handset.Joiner()

    @asynccontextmanager
    async def serve(self, listening: socket.socket) -> AsyncIterator[None]:
        """Take connections from the socket; on leaving, close it and them."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Session(self, loop), sock=listening)
        try:
            yield
        finally:
            server.close()
            for session in list(self._sessions):
                session.drop()

    def account(self, system_id: str) -> Account:
        return self._accounts.setdefault(system_id, Account())

    def opened(self, session: "Session") -> None:
        self._sessions.add(session)

    def closed(self, session: "Session") -> None:
        self._sessions.discard(session)

    def take(self, submit: smpp.SubmitSm) -> tuple[Sms, smpp.SubmitSmResp, list[bytes]]:
        """Decide on a submission and keep it: the row it follows, the answer and the receipts to come."""
        number = submit.destination_addr
        play = scenario(number).sms
        part = read_part(submit)
        text_hash = hashlib.sha256(part.payload).hexdigest()
        throttled = self._refusals.refuse((number, part.number, text_hash), play.refusals)
        status = RTHROTTLED if throttled else play.status
        provider_id = "" if status else f"{next(self._ids):x}"
        self._record.submitted(
            "sms",
            number,
            reference=part.reference,
            part=part.number,
            parts=part.total,
            text_hash=text_hash,
            provider_id=provider_id,
            status=status if play.answers else None,
        )
        answer = smpp.SubmitSmResp(sequence=submit.sequence, status=status, message_id=provider_id)
        if status:
            return play, answer, []
        self._on_submit(number)
        return play, answer, self._carry_out(play, submit, part, provider_id)

    def _carry_out(self, play: Sms, submit: smpp.SubmitSm, part: Part, provider_id: str) -> list[bytes]:
        state = play.first_part if part.number == 1 else play.other_parts
        if state is State.DELIVRD:
            self._show(submit, part, provider_id)
        wanted = submit.registered_delivery & 3  # 1: every outcome, 2: failure alone
        if wanted == 1 or (wanted == 2 and state is not State.DELIVRD):
            return [receipt(submit, provider_id, state)] * play.receipts
        return []

    def _show(self, submit: smpp.SubmitSm, part: Part, provider_id: str) -> None:
        joined = self._joiner.add(submit.destination_addr, submit.source_addr, part, provider_id)
        if joined:
            payload, ids = joined
            shown = handset.show(submit.data_coding, part, payload, smpp.DEST_ADDR_SUBUNIT in submit.tlvs)
            self._record.received("sms", submit.destination_addr, submit.source_addr, shown, ids)


def receipt(submit: smpp.SubmitSm, provider_id: str, state: State) -> bytes:
    """The deliver_sm that reports on a submission; its sequence number is set when it leaves."""
    date = _date(int(time.time()) // 60)
    text = (
        f"id:{provider_id} sub:001 dlvrd:{state is State.DELIVRD:03d} submit date:{date} done date:{date}"
        f" stat:{state.name} err:{ERRORS[state]} text:"
    )
    return smpp.encode(
        smpp.DeliverSm(
            source_addr_ton=submit.dest_addr_ton,
            source_addr_npi=submit.dest_addr_npi,
            source_addr=submit.destination_addr,
            dest_addr_ton=submit.source_addr_ton,
            dest_addr_npi=submit.source_addr_npi,
            destination_addr=submit.source_addr,
            esm_class=RECEIPT,
            short_message=text.encode(),
            tlvs={
                smpp.RECEIPTED_MESSAGE_ID: provider_id.encode() + b"\0",
                smpp.MESSAGE_STATE: bytes((state,)),
            },
        )
    )


@lru_cache(maxsize=2)
def _date(minute: int) -> str:
    return time.strftime("%y%m%d%H%M", time.gmtime(minute * 60))


class Session(asyncio.Protocol):
    """One connection of an ESME."""

    def __init__(self, smsc: SmscSimulator, loop: asyncio.AbstractEventLoop) -> None:
        self._smsc = smsc
        self._loop = loop
        self._stream = smpp.Stream()
        self._account: Account | None = None
        self._transmits = self._receives = False
        self._sequences = itertools.count(1)
        self._outstanding: dict[int, bytes] = {}
        self._out: list[bytes] = []
        self._later: list[bytes] = []  # receipts of this turn
        self._refused: list[bytes] = []
        self._transport: asyncio.Transport

    # ---- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not say so
        self._smsc.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._smsc.closed(self)
        self._unbind()

    def drop(self) -> None:
        """Cut the connection, as a broken link does."""
        self._transport.abort()

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        try:
            pdus, broken = self._stream.feed(data), None
        except smpp.BadLength as error:
            pdus, broken = error.before, error
        for pdu in pdus:
            self._handle(pdu)
        if broken:
            self._say(smpp.GenericNack(sequence=broken.sequence, status=RINVCMDLEN))
        self._end_turn()
        if broken:
            self._transport.close()

    def _end_turn(self) -> None:
        if self._account:
            for delay_s, receipts in (
                (self._smsc.receipt_delay_s, self._later),
                (AGAIN_S, self._refused),
            ):
                if receipts:
                    self._loop.call_later(delay_s, self._account.add, receipts)
            self._later, self._refused = [], []
            self._account.pump()
        self.flush()

    def _say(self, pdu: smpp.Pdu) -> None:
        self._out.append(smpp.encode(pdu))

    def flush(self) -> None:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    # ---- receipts

    @property
    def has_room(self) -> bool:
        return len(self._outstanding) < OUTSTANDING and not self._transport.is_closing()

    def deliver(self, receipt: bytes) -> None:
        """Say a deliver_sm under the next sequence number, and remember it until it is answered."""
        sequence = next(self._sequences)
        self._outstanding[sequence] = receipt
        self._out.append(b"".join((receipt[:12], sequence.to_bytes(4), receipt[16:])))

    def _acknowledged(self, pdu: smpp.DeliverSmResp | smpp.GenericNack) -> None:
        receipt = self._outstanding.pop(pdu.sequence, None)
        if receipt and pdu.status != ROK:
            self._refused.append(receipt)

    # ---- what the ESME says

    def _handle(self, pdu: smpp.Pdu) -> None:
        match pdu:
            case smpp.SubmitSm():
                self._submit(pdu)
            case smpp.DeliverSmResp() | smpp.GenericNack():
                self._acknowledged(pdu)
            case smpp.EnquireLink():
                self._say(smpp.EnquireLinkResp(sequence=pdu.sequence))
            case smpp.Bind():
                self._bind(pdu)
            case smpp.Unbind():
                self._say(smpp.UnbindResp(sequence=pdu.sequence))
                self.flush()
                self._transport.close()
                self._unbind()
            case smpp.DataSm():
                self._say(smpp.GenericNack(sequence=pdu.sequence, status=RINVCMDID))
            case smpp.Malformed() | smpp.Other() if not pdu.command_id & smpp.RESPONSE:
                status = RINVCMDLEN if isinstance(pdu, smpp.Malformed) else RINVCMDID
                self._say(smpp.GenericNack(sequence=pdu.sequence, status=status))

    def _bind(self, bind: smpp.Bind) -> None:
        status = RALYBND if self._account else ROK if bind.password == self._smsc.password else RINVPASWD
        self._say(
            smpp.BindResp(
                sequence=bind.sequence,
                status=status,
                command=type(bind),
                system_id="" if status else "hopwire-smsc",
                sc_interface_version=smpp.INTERFACE_VERSION,
            )
        )
        log.info("bind status=%d", status)
        if status == RINVPASWD:
            self.flush()
            self._transport.close()
        elif status == ROK:
            self._bound(bind)

    def _bound(self, bind: smpp.Bind) -> None:
        self._account = self._smsc.account(bind.system_id)
        self._transmits = not isinstance(bind, smpp.BindReceiver)
        self._receives = not isinstance(bind, smpp.BindTransmitter)
        if self._receives:
            self._account.receivers.append(self)

    def _unbind(self) -> None:
        """Leave the account; what was not acknowledged goes back to it."""
        account, self._account = self._account, None
        if not account:
            return
        if self._receives:
            account.receivers.remove(self)
        account.give_back([*self._outstanding.values(), *self._refused, *self._later])
        self._outstanding.clear()

    def _submit(self, submit: smpp.SubmitSm) -> None:
        if not (self._account and self._transmits):
            self._say(smpp.SubmitSmResp(sequence=submit.sequence, status=RINVBNDSTS))
            return
        play, answer, receipts = self._smsc.take(submit)
        if play.receipts_first:
            self._account.add(receipts)
        else:
            self._later += receipts
        if play.answers:
            self._say(answer)
