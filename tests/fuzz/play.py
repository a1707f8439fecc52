"""A session with its stream and its receipts, under any script: what must hold of them whatever happens.

A script is bytes. Its first octet says what session it is (`_session`); then every step is an octet that
chooses from `STEPS`, followed by the octets that the step takes. Where the script ends, the connection ends.
"""

import math
from collections.abc import Callable

from hopwire.smpp import receipt
from hopwire.smpp.pdu import (
    HEADER,
    MAX_SEQUENCE,
    BadLength,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSmResp,
    DeliverSmResp,
    Malformed,
    Other,
    Pdu,
    Stream,
    SubmitSm,
    Unbind,
    encode,
)
from hopwire.smpp.session import (
    BOUND,
    CLOSED,
    Answered,
    AnsweredLate,
    Closed,
    Delivered,
    Event,
    Forgotten,
    Session,
    Unanswered,
    Unsent,
)

BINDS = (BindTransceiver, BindTransmitter, BindReceiver)
COMMANDS = (0, 1, 2, 4, 5, 6, 9, 0x0B, 0x15, 0x102, 0x103, 0x110)  # and their responses
STATUSES = (0, 2, 4, 0x0E, 0x14, 0x58)


def play(script: bytes) -> list[Event]:
    """Run it; gives the events. Raises AssertionError where a rule was broken."""
    game = _Game(script)
    while game.script:
        STEPS[game.octet() % len(STEPS)](game)
        game.check()
    game.receive(b"")
    game.ended()
    return game.events


class _Game:
    """The user of the session and its peer in one, with what they remember of each other."""

    def __init__(self, script: bytes) -> None:
        self.script = bytearray(script)
        self.now = 0.0
        self.events: list[Event] = []
        self.under_way: set[int] = set()  # submits that no event has ended
        self.left: set[int] = set()  # of these, what went on the wire
        self.late: set[int] = set()  # was Unanswered
        self.delivered: list[int] = []  # what waits for its deliver_resp
        self.deaf = False
        self.goodbye = False  # our unbind went on the wire
        self.chunks: list[bytes] = []  # what the peer has sent
        self._peer = Stream()
        self.session = _session(self.octet())

    # ---- the script

    def octet(self) -> int:
        return self.script.pop(0) if self.script else 0

    def octets(self) -> bytes:
        """As many as the octet before them says, or what is left."""
        count = self.octet()
        taken = bytes(self.script[:count])
        del self.script[:count]
        return taken

    # ---- what happens

    def receive(self, data: bytes) -> None:
        if self.session.state is not CLOSED:
            self.chunks.append(data)
        self.take(self.session.receive(data, self.now))

    def take(self, events: list[Event]) -> None:
        for event in events:
            assert not self.closed, "an event after Closed"
            self.events.append(event)
            match event:
                case Answered(sequence) | Unanswered(sequence):
                    self.under_way.remove(sequence)
                    self.left.remove(sequence)
                case Unsent(sequence):
                    self.under_way.remove(sequence)
                    assert sequence not in self.left
                case AnsweredLate(sequence) | Forgotten(sequence):
                    self.late.remove(sequence)
                case Delivered(pdu):
                    self.delivered.append(pdu.sequence)
                    _read(receipt.parse(pdu))
            if isinstance(event, Unanswered):
                self.late.add(event.sequence)

    @property
    def closed(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], Closed)

    def flush(self) -> list[Pdu]:
        """Put on the wire what there is; the peer can read all of it."""
        said = self._peer.feed(self.session.data_to_send())
        for pdu in said:
            assert not isinstance(pdu, Malformed | Other)
            if isinstance(pdu, SubmitSm):
                assert not self.goodbye, "a submit after our goodbye"
                self.left.add(pdu.sequence)
            self.goodbye = self.goodbye or isinstance(pdu, Unbind)
        assert self.session.data_to_send() == b""
        return said

    # ---- what must hold

    def check(self) -> None:
        session = self.session
        assert self.closed == (session.state is CLOSED)
        assert session.pending == len(self.under_way) <= session.window
        assert 0 <= session.room <= session.window - session.pending
        assert session.room == 0 or (session.state is BOUND and session.transmits)
        assert session.next_tick > self.now, "a busy loop"
        assert session.next_tick == math.inf or not (self.closed or self.deaf)

    def ended(self) -> None:
        self.flush()
        assert self.closed
        assert not self.under_way, "a submit without an end"
        assert self.session.tick(self.now + 1e6) == self.session.receive(b"x", self.now) == []
        self.session.unbind(self.now)
        self.session.deliver_resp(1, 0)
        assert self.session.data_to_send() == b""
        _read_alike(self.chunks)


def _session(choice: int) -> Session:
    return Session(
        BINDS[choice % 3](system_id="me", password="secret"),
        0.0,
        window=4,
        response_timeout_s=10,
        enquire_link_s=3 if choice & 4 else 30,
        inactivity_s=7 if choice & 8 else 0,
        outbind=bool(choice & 16),
    )


# ---- the steps


def _bytes(game: _Game) -> None:
    if data := game.octets():
        game.receive(data)


def _frame(game: _Game) -> None:
    """A PDU of the right length with anything in it."""
    command = game.octet()
    command_id = COMMANDS[command % len(COMMANDS)] | (0x80000000 if command & 0x80 else 0)
    command_status, sequence = STATUSES[game.octet() % len(STATUSES)], game.octet()
    body = game.octets()
    game.receive(HEADER.pack(16 + len(body), command_id, command_status, sequence) + body)


def _answer(game: _Game) -> None:
    """A submit_sm_resp or generic_nack to one of the submits under way or given up."""
    choice, command_status = game.octet(), STATUSES[game.octet() % len(STATUSES)]
    known = sorted(game.under_way | game.late)
    if known:
        command_id = 0x80000000 if choice & 0x80 else 0x80000004
        game.receive(HEADER.pack(19, command_id, command_status, known[choice % len(known)]) + b"a1\0")


def _submit(game: _Game) -> None:
    if game.session.room:
        sequence = game.session.submit(SubmitSm(destination_addr="380501234567"), game.now)
        assert 0 < sequence <= MAX_SEQUENCE
        assert sequence not in game.under_way | game.late, "a number that may still be answered"
        game.under_way.add(sequence)


def _cannot_encode(game: _Game) -> None:
    if game.session.room:
        try:
            game.session.submit(SubmitSm(destination_addr="\0"), game.now)
        except ValueError:
            return
        raise AssertionError("a NUL was sent")


def _flush(game: _Game) -> None:
    game.flush()


def _wait(game: _Game) -> None:
    """Up to 64 seconds; a tick before its time does nothing."""
    until = game.now + game.octet() / 4
    early = game.session.tick(game.now)
    assert all(isinstance(event, Forgotten) for event in early)
    game.take(early)
    while game.session.next_tick <= until:
        game.now = game.session.next_tick
        game.take(game.session.tick(game.now))
        assert game.session.next_tick > game.now, "a busy loop"
    game.now = until


def _wait_long(game: _Game) -> None:
    """Sleep through every tick, as a machine does that was suspended."""
    game.now += 300
    game.take(game.session.tick(game.now))


def _deliver_resp(game: _Game) -> None:
    if game.delivered:
        game.flush()
        game.session.deliver_resp(game.delivered.pop(0), STATUSES[game.octet() % len(STATUSES)])
        said = game.flush()
        assert len(said) == (0 if game.closed else 1)
        assert all(isinstance(pdu, DeliverSmResp | DataSmResp) for pdu in said)


def _unbind(game: _Game) -> None:
    game.session.unbind(game.now)
    assert game.session.room == 0


def _hearing(game: _Game) -> None:
    game.deaf = not game.deaf
    if game.deaf:
        game.session.pause_hearing()
    else:
        game.session.resume_hearing(game.now)


def _decide(game: _Game) -> None:
    if game.octet() % 4:
        game.session.accept(game.now)
    else:
        game.take(game.session.refuse(game.now))


def _near_the_last_number(game: _Game) -> None:
    game.session._sequence = MAX_SEQUENCE - game.octet() % 4


STEPS: tuple[Callable[[_Game], None], ...] = (
    _bytes,
    _frame,
    _answer,
    _submit,
    _flush,
    _wait,
    _deliver_resp,
    _unbind,
    _hearing,
    _decide,
    _wait_long,
    _near_the_last_number,
    _cannot_encode,
)


# ---- the stream and the receipts


def _read(said: receipt.ReceiptText | None) -> None:
    assert said is None or "\0" not in said.provider_id + said.code + said.raw


def _read_alike(chunks: list[bytes]) -> None:
    """However the bytes are cut the same PDUs come of them, and they can be written again."""
    pdus = _pdus(chunks)
    assert pdus == _pdus([b"".join(chunks)])
    for pdu in pdus:
        if not isinstance(pdu, Malformed):
            assert Stream().feed(encode(pdu)) == [pdu]


def _pdus(chunks: list[bytes]) -> list[Pdu]:
    stream = Stream()
    pdus: list[Pdu] = []
    try:
        for chunk in chunks:
            pdus += stream.feed(chunk)
    except BadLength as bad:
        pdus += bad.before
    return pdus
