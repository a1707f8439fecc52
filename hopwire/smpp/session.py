"""One bind without its socket: bytes and time come in, events and bytes go out.

Rule 1: nothing here reads a clock or a socket; `now` is in seconds of any steady clock.
Rule 2: for every `submit` there is exactly one of `Answered`, `Unanswered` and `Unsent`; after `Unanswered`
an answer that still comes is `AnsweredLate`, for ten minutes.
Rule 3: nothing that the peer sends raises.
Rule 4: a goodbye, ours or the peer's, waits for the answers under way; the peer's also for ours to receipts.
"""

import math
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any

import msgspec
from msgspec import structs

from hopwire.smpp import status
from hopwire.smpp.pdu import (
    MAX_SEQUENCE,
    RESPONSE,
    BadLength,
    Bind,
    BindReceiver,
    BindResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Malformed,
    Other,
    Outbind,
    Pdu,
    Response,
    Stream,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)

LATE_S = 600.0  # how long the answer to a given-up submit is still recognised
LEAVE_S = 5.0  # how long the peer's unbind waits for the answers to our submits
NEVER_ANSWERED = {0x0B, 0x0102}  # outbind, alert_notification (3.4 sections 4.1.7 and 4.12)


class Event(msgspec.Struct, frozen=True, gc=False):
    """What the user of a session is told."""


class Invited(Event, frozen=True):
    """The SMSC that opened the connection has said who it is: call `accept` or `refuse`."""

    system_id: str  # of the SMSC, as the password is
    password: str

    def __repr__(self) -> str:
        return f"Invited(system_id={self.system_id!r})"


class Bound(Event, frozen=True):
    """Submits may begin."""

    system_id: str  # of the peer
    interface_version: int | None


class BindFailed(Event, frozen=True):
    """The peer refused the bind; `Closed` follows."""

    status: int


class Answered(Event, frozen=True):
    """What the peer says to a submit."""

    sequence: int
    response: SubmitSmResp | GenericNack


class AnsweredLate(Event, frozen=True):
    """The same after `Unanswered`."""

    sequence: int
    response: SubmitSmResp | GenericNack


class Unanswered(Event, frozen=True):
    """The time or the connection ended first: nobody knows whether the peer took it."""

    sequence: int


class Unsent(Event, frozen=True):
    """The time or the connection ended before `data_to_send` gave it out: the peer has not seen it."""

    sequence: int


class Forgotten(Event, frozen=True):
    """An answer to what was `Unanswered` will not be recognised any more."""

    sequence: int


class Delivered(Event, frozen=True):
    """A receipt or an incoming message: call `deliver_resp` when it is safe."""

    pdu: DeliverSm  # also of a data_sm, whose text is in the TLV MESSAGE_PAYLOAD


class Closed(Event, frozen=True):
    """The last event. What `data_to_send` still gives is to be written, then the connection ended."""

    reason: str


class State(Enum):
    LISTENING = auto()  # the SMSC has opened the connection, its outbind is to come
    INVITED = auto()  # it has come, and the user is to decide
    BINDING = auto()
    BOUND = auto()
    DRAINING = auto()  # our unbind leaves after the last answer
    UNBINDING = auto()  # it has left
    LEAVING = auto()  # the peer's unbind is answered after the last answer
    CLOSED = auto()


# Before Python 3.12 a member is slow to read off its class.
BOUND, CLOSED = State.BOUND, State.CLOSED
UNBOUND = (State.LISTENING, State.INVITED, State.BINDING)
AT_WORK = (BOUND, State.DRAINING)

SILENT = {
    State.LISTENING: "no outbind came",
    State.INVITED: "the outbind was neither accepted nor refused",
}


class Session:
    """Starts with the connection: the bind is the first of `data_to_send`.

    `window`: submits under way at once. `response_timeout_s`: how long anything we ask may stay unanswered.
    `enquire_link_s`: silence of the peer after which it is asked whether it lives. `inactivity_s`: how long
    there may be neither submits nor messages of the peer before we say goodbye; 0: for ever.
    `outbind`: the SMSC has opened the connection, and the bind leaves when its outbind was accepted.
    """

    def __init__(
        self,
        bind: Bind,
        now: float,
        *,
        window: int,
        response_timeout_s: float,
        enquire_link_s: float,
        inactivity_s: float = 0.0,
        outbind: bool = False,
    ) -> None:
        self.state = State.LISTENING if outbind else State.INVITED
        self.transmits = not isinstance(bind, BindReceiver)  # false: there is never room
        self.window = window
        self.response_timeout_s = response_timeout_s
        self.enquire_link_s = enquire_link_s
        self.inactivity_s = inactivity_s or math.inf
        self._bind = bind
        self._stream = Stream()
        self._out: list[bytes] = []
        self._sequence = 0
        self._pending: dict[int, float] = {}  # submit -> when it was given; the oldest first
        self._unsent: dict[int, bytes] = {}  # of these, what `data_to_send` has not given out
        self._late: dict[int, float] = {}  # given up -> when; the oldest first
        self._owed: dict[
            int, type[DeliverSmResp | DataSmResp]
        ] = {}  # what we have not answered, and with what
        self._heard_at = self._active_at = now
        self._asked_at = now  # since when we wait: for the outbind, or for the answer to our last request
        self._enquired = False
        self._deaf_since: float | None = None
        self._last_words = "unbound"
        self._peers_unbind = 0  # its sequence number, while LEAVING
        self._handlers: dict[type[Pdu], Callable[[Any, float], Iterable[Event]]] = {
            SubmitSmResp: self._on_answer,
            DeliverSm: self._on_deliver,
            DataSm: self._on_data_sm,
            EnquireLink: self._on_enquire_link,
            GenericNack: self._on_nack,
            BindResp: self._on_bind_resp,
            Outbind: self._on_outbind,
            Unbind: self._on_unbind,
            UnbindResp: self._on_unbind_resp,
            Other: self._on_other,
            Malformed: self._on_malformed,
        }
        self.accept(now)  # at once, but where the SMSC has called

    # ---- what the user does

    @property
    def room(self) -> int:
        """How many submits may be given now."""
        room = self.window - len(self._pending)
        return room if room > 0 and self.state is BOUND and self.transmits else 0

    @property
    def pending(self) -> int:
        """How many submits wait for their answer."""
        return len(self._pending)

    def accept(self, now: float) -> None:
        """Bind to the SMSC that was `Invited`; when it has left meanwhile, nothing."""
        if self.state is State.INVITED:
            self.state, self._asked_at = State.BINDING, now
            self._request(self._bind)

    def refuse(self, now: float) -> list[Event]:
        """Do not bind to it; there is no PDU that says so, the connection just ends."""
        undecided = self.state in (State.LISTENING, State.INVITED)
        return self._close("the outbind was refused", now) if undecided else []

    @property
    def unread(self) -> bytes:
        """What has come of a PDU that is not whole."""
        return self._stream.unread

    def submit(self, pdu: SubmitSm, now: float) -> int:
        """Send it; gives the sequence number that its event will carry.

        There must be room. Raises ValueError when the PDU cannot be encoded; nothing is sent then.
        """
        assert self.state is BOUND, "submit before Bound or after a goodbye"
        assert self.transmits, "submit to a receiver"
        sequence = self._next_sequence()
        self._unsent[sequence] = encode(pdu, sequence)
        self._pending[sequence] = self._active_at = now
        return sequence

    def deliver_resp(self, sequence: int, command_status: int) -> None:
        """Answer a `Delivered`; after the end of the session it goes nowhere, and the peer sends again."""
        kind = self._owed.pop(sequence, DeliverSmResp)
        self._respond(kind(sequence=sequence, status=command_status))

    def unbind(self, now: float) -> None:
        """Say goodbye when nothing waits for its answer any more; there is no room from now on.

        `Closed` comes when the peer has answered, or has not in time.
        """
        if self.state is BOUND:
            self.state = State.DRAINING
            self._proceed(now)

    def pause_hearing(self) -> None:
        """The user reads no more from the socket: until `resume_hearing` no time runs out.

        What we wait for may lie there unread, so `next_tick` is infinite meanwhile.
        """
        if self._deaf_since is None:
            self._deaf_since = self._heard_at

    def resume_hearing(self, now: float) -> None:
        """The user reads again: every time goes on from where it stood at the last bytes before the pause."""
        if self._deaf_since is None:
            return
        deaf_s = now - self._deaf_since
        self._deaf_since, self._heard_at = None, now
        self._asked_at = min(self._asked_at + deaf_s, now)
        self._active_at = min(self._active_at + deaf_s, now)
        self._pending = {sequence: min(at + deaf_s, now) for sequence, at in self._pending.items()}

    def data_to_send(self) -> bytes:
        """The bytes to write now, each given once."""
        data = b"".join((*self._out, *self._unsent.values()))
        self._out.clear()
        self._unsent.clear()
        return data

    # ---- what happens to it

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take bytes off the wire; b"" says that the connection has ended."""
        if self.state is CLOSED:
            return []
        if not data:
            return self._close("the connection has ended", now)
        self._heard_at, self._enquired = now, False
        try:
            events = self._take(self._stream.feed(data), now)
        except BadLength as bad:
            events = self._take(bad.before, now)
            self._respond(GenericNack(sequence=bad.sequence, status=status.RINVCMDLEN))
            return events + self._close("the peer sent a length that no PDU has", now)
        return events if self.state is BOUND else events + self._proceed(now)

    @property
    def next_tick(self) -> float:
        """When `tick` has something to do; infinity after the end."""
        if self._deaf_since is not None or self.state is CLOSED:
            return math.inf
        oldest = next(iter(self._pending.values()), math.inf) + self.response_timeout_s
        inactive = self._active_at + self.inactivity_s if self.state is BOUND else math.inf
        return min(self._patience_ends(), oldest, inactive)

    def tick(self, now: float) -> list[Event]:
        """Let time pass: submits are given up, a silent peer is asked, a dead one is left."""
        if self._deaf_since is not None or self.state is CLOSED:
            return []
        events: list[Event] = [Forgotten(sequence) for sequence in _overdue(self._late, LATE_S, now)]
        events += [
            self._given_up(sequence, now)
            for sequence in _overdue(self._pending, self.response_timeout_s, now)
        ]
        if self.state is BOUND and now >= self._active_at + self.inactivity_s:
            self._last_words = "inactive"
            self.unbind(now)
        events += self._proceed(now)
        return events + self._on_silence(now) if now >= self._patience_ends() else events

    def _given_up(self, sequence: int, now: float) -> Event:
        if self._unsent.pop(sequence, None) is not None:
            return Unsent(sequence)
        self._late[sequence] = now
        return Unanswered(sequence)

    def _patience_ends(self) -> float:
        """When the peer has been silent for too long, whatever it is that we wait for."""
        if self.state is State.LEAVING:
            return self._asked_at + (LEAVE_S if self._pending or self._owed else 0)
        if self.state in AT_WORK and not self._enquired:
            return self._heard_at + self.enquire_link_s
        return self._asked_at + self.response_timeout_s

    def _on_silence(self, now: float) -> list[Event]:
        if self.state is State.LEAVING:
            return self._leave(now)
        if self._enquired or self.state not in AT_WORK:
            return self._close(SILENT.get(self.state, "the peer does not answer"), now)
        self._enquired, self._asked_at = True, now
        self._request(EnquireLink())
        return []

    # ---- PDUs

    def _take(self, pdus: Iterable[Pdu], now: float) -> list[Event]:
        events: list[Event] = []
        handlers = self._handlers
        for pdu in pdus:
            handler = handlers.get(type(pdu)) or self._on_wrong_way
            events += handler(pdu, now)
            if self.state is CLOSED:
                break
        return events

    def _on_answer(self, pdu: SubmitSmResp | GenericNack, now: float) -> Iterable[Event]:
        sequence = pdu.sequence
        if self._unsent and sequence in self._unsent:
            return ()  # nothing that the peer can have seen
        if self._pending.pop(sequence, None) is not None:
            self._active_at = now
            return (Answered(sequence, pdu),)
        if self._late.pop(sequence, None) is not None:
            return (AnsweredLate(sequence, pdu),)
        return ()

    def _on_nack(self, pdu: GenericNack, now: float) -> Iterable[Event]:
        if self.state is State.BINDING:
            return self._refused(pdu.status or status.RSYSERR, now)
        if not pdu.sequence:  # the header could not be read (3.4 section 4.3): which request, nobody knows
            return self._close("the peer could not read us", now)
        if self.state is State.UNBINDING and pdu.sequence == self._sequence:
            return self._close(self._last_words, now)
        return self._on_answer(pdu, now)

    def _on_bind_resp(self, pdu: BindResp, now: float) -> Iterable[Event]:
        if self.state is not State.BINDING:
            return ()
        if pdu.status:
            return self._refused(pdu.status, now)
        self.state, self._active_at = BOUND, now
        return (Bound(pdu.system_id, pdu.sc_interface_version),)

    def _refused(self, command_status: int, now: float) -> list[Event]:
        return [BindFailed(command_status), *self._close("the bind was refused", now)]

    def _on_outbind(self, pdu: Outbind, now: float) -> Iterable[Event]:
        if self.state is not State.LISTENING:
            return ()
        self.state, self._asked_at = State.INVITED, now
        return (Invited(pdu.system_id, pdu.password),)

    def _on_deliver(self, pdu: DeliverSm, now: float) -> Iterable[Event]:
        if self.state in UNBOUND:
            self.deliver_resp(pdu.sequence, status.RINVBNDSTS)
            return ()
        self._active_at = now
        self._owed.setdefault(pdu.sequence, DeliverSmResp)
        return (Delivered(pdu),)

    def _on_data_sm(self, pdu: DataSm, now: float) -> Iterable[Event]:
        self._owed[pdu.sequence] = DataSmResp
        return self._on_deliver(DeliverSm(**structs.asdict(pdu)), now)

    def _on_enquire_link(self, pdu: EnquireLink, now: float) -> Iterable[Event]:
        self._respond(EnquireLinkResp(sequence=pdu.sequence))
        return ()

    def _on_unbind(self, pdu: Unbind, now: float) -> Iterable[Event]:
        """What has not left stays here; what has may still be answered, for some peers say unbind first."""
        if self.state is not State.LEAVING:
            self.state, self._asked_at = State.LEAVING, now
        self._peers_unbind = pdu.sequence
        unsent: list[Event] = [Unsent(sequence) for sequence in self._unsent]
        for sequence in self._unsent:
            del self._pending[sequence]
        self._unsent.clear()
        return unsent + self._proceed(now)

    def _on_unbind_resp(self, pdu: UnbindResp, now: float) -> Iterable[Event]:
        return self._close(self._last_words, now) if self.state is State.UNBINDING else ()

    def _on_other(self, pdu: Other, now: float) -> Iterable[Event]:
        return self._cannot(pdu, pdu.command_id, status.RINVCMDID)

    def _on_malformed(self, pdu: Malformed, now: float) -> Iterable[Event]:
        return self._cannot(pdu, pdu.command_id, status.RINVCMDLEN)

    def _cannot(self, pdu: Pdu, command_id: int, command_status: int) -> Iterable[Event]:
        if not command_id & RESPONSE and command_id not in NEVER_ANSWERED:
            self._respond(GenericNack(sequence=pdu.sequence, status=command_status))
        return ()

    def _on_wrong_way(self, pdu: Pdu, now: float) -> Iterable[Event]:
        """A request that only we may make is unknown here; a response that nobody waits for is dropped."""
        if not isinstance(pdu, Response):
            self._respond(GenericNack(sequence=pdu.sequence, status=status.RINVCMDID))
        return ()

    # ---- the rest

    def _next_sequence(self) -> int:
        """The next number, without those whose answer may still come."""
        sequence = self._sequence % MAX_SEQUENCE + 1
        while sequence in self._pending or sequence in self._late:
            sequence = sequence % MAX_SEQUENCE + 1
        self._sequence = sequence
        return sequence

    def _request(self, pdu: Pdu) -> None:
        self._out.append(encode(pdu, self._next_sequence()))

    def _respond(self, pdu: Response) -> None:
        if self.state is not CLOSED:
            self._out.append(encode(pdu))

    def _proceed(self, now: float) -> list[Event]:
        """Do what a goodbye has put off until the last answer."""
        if self._pending:
            return []
        if self.state is State.DRAINING:
            self.state, self._asked_at = State.UNBINDING, now
            self._request(Unbind())
        return self._leave(now) if self.state is State.LEAVING and not self._owed else []

    def _leave(self, now: float) -> list[Event]:
        self._respond(UnbindResp(sequence=self._peers_unbind))
        return self._close("the peer has said goodbye", now)

    def _close(self, reason: str, now: float) -> list[Event]:
        if self.state is CLOSED:
            return []
        self.state = CLOSED
        lost: list[Event] = [Unsent(seq) if seq in self._unsent else Unanswered(seq) for seq in self._pending]
        self._pending.clear()
        self._unsent.clear()
        return [*lost, Closed(reason)]


def _overdue(moments: dict[int, float], after_s: float, now: float) -> list[int]:
    """Take out what is that old, given that the dict is in the order of time."""
    found = []
    for sequence, moment in moments.items():
        if moment + after_s > now:
            break
        found.append(sequence)
    for sequence in found:
        del moments[sequence]
    return found
