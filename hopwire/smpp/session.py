"""One bind without its socket: bytes and time come in, events and bytes go out.

Rule 1: nothing here reads a clock or a socket; `now` is in seconds of any steady clock.
Rule 2: for every `submit` there is exactly one of `Answered`, `Unanswered` and `Unsent`; after `Unanswered`
an answer that still comes is `AnsweredLate`, for ten minutes.
Rule 3: nothing that the peer sends raises.
"""

import math
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any

import msgspec

from hopwire.smpp import status
from hopwire.smpp.pdu import (
    MAX_SEQUENCE,
    RESPONSE,
    BadLength,
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Malformed,
    Other,
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
NEVER_ANSWERED = {0x0B, 0x0102}  # outbind, alert_notification (3.4 sections 4.1.7 and 4.12)


class Event(msgspec.Struct, frozen=True):
    """What the user of a session is told."""


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
    """The connection ended before `data_to_send` gave it out: the peer has not seen it."""

    sequence: int


class Forgotten(Event, frozen=True):
    """An answer to what was `Unanswered` will not be recognised any more."""

    sequence: int


class Delivered(Event, frozen=True):
    """A receipt or an incoming message: call `deliver_resp` when it is safe."""

    pdu: DeliverSm


class Closed(Event, frozen=True):
    """The last event. What `data_to_send` still gives is to be written, then the connection ended."""

    reason: str


class State(Enum):
    BINDING = auto()
    BOUND = auto()
    UNBINDING = auto()
    CLOSED = auto()


class Session:
    """Starts with the connection: the bind is the first of `data_to_send`.

    `window`: submits under way at once. `response_timeout_s`: how long anything we ask may stay unanswered.
    `enquire_link_s`: silence of the peer after which it is asked whether it lives.
    """

    def __init__(
        self, bind: Bind, now: float, *, window: int, response_timeout_s: float, enquire_link_s: float
    ) -> None:
        self.state = State.BINDING
        self.window = window
        self.response_timeout_s = response_timeout_s
        self.enquire_link_s = enquire_link_s
        self._stream = Stream()
        self._out: list[bytes] = []
        self._sequence = 0
        self._pending: dict[int, float] = {}  # submit -> when it was given; the oldest first
        self._unsent: dict[int, bytes] = {}  # of these, what `data_to_send` has not given out
        self._late: dict[int, float] = {}  # given up -> when; the oldest first
        self._heard_at = now
        self._asked_at = now  # when the bind, enquire_link or unbind that we wait for was sent
        self._enquired = False
        self._handlers: dict[type[Pdu], Callable[[Any, float], Iterable[Event]]] = {
            SubmitSmResp: self._on_answer,
            DeliverSm: self._on_deliver,
            EnquireLink: self._on_enquire_link,
            GenericNack: self._on_nack,
            BindResp: self._on_bind_resp,
            Unbind: self._on_unbind,
            UnbindResp: self._on_unbind_resp,
            Other: self._on_other,
            Malformed: self._on_malformed,
        }
        self._request(bind)

    # ---- what the user does

    @property
    def room(self) -> int:
        """How many submits may be given now."""
        return max(0, self.window - len(self._pending)) if self.state is State.BOUND else 0

    @property
    def pending(self) -> int:
        """How many submits wait for their answer."""
        return len(self._pending)

    def submit(self, pdu: SubmitSm, now: float) -> int:
        """Send it; gives the sequence number that its event will carry.

        There must be room. Raises ValueError when the PDU cannot be encoded; nothing is sent then.
        """
        assert self.state is State.BOUND, "submit before Bound or after Closed"
        sequence = self._next_sequence()
        self._unsent[sequence] = encode(pdu, sequence)
        self._pending[sequence] = now
        return sequence

    def deliver_resp(self, sequence: int, command_status: int) -> None:
        """Answer a `Delivered`; after the end of the session it goes nowhere, and the peer sends again."""
        self._respond(DeliverSmResp(sequence=sequence, status=command_status))

    def unbind(self, now: float) -> None:
        """Say goodbye: no submits any more; `Closed` comes when the peer has answered, or has not in time."""
        if self.state is State.BOUND:
            self.state, self._asked_at = State.UNBINDING, now
            self._out = [self.data_to_send()]  # what was submitted goes ahead of it
            self._request(Unbind())

    def data_to_send(self) -> bytes:
        """The bytes to write now, each given once."""
        data = b"".join((*self._out, *self._unsent.values()))
        self._out.clear()
        self._unsent.clear()
        return data

    # ---- what happens to it

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take bytes off the wire; b"" says that the connection has ended."""
        if self.state is State.CLOSED:
            return []
        if not data:
            return self._close("the connection has ended", now)
        self._heard_at, self._enquired = now, False
        try:
            return self._take(self._stream.feed(data), now)
        except BadLength as bad:
            events = self._take(bad.before, now)
            self._respond(GenericNack(sequence=bad.sequence, status=status.RINVCMDLEN))
            return events + self._close("the peer sent a length that no PDU has", now)

    @property
    def next_tick(self) -> float:
        """When `tick` has something to do; infinity after the end."""
        if self.state is State.CLOSED:
            return math.inf
        if self.state is not State.BOUND or self._enquired:
            alive = self._asked_at + self.response_timeout_s
        else:
            alive = self._heard_at + self.enquire_link_s
        return min(alive, next(iter(self._pending.values()), math.inf) + self.response_timeout_s)

    def tick(self, now: float) -> list[Event]:
        """Let time pass: submits are given up, a silent peer is asked, a dead one is left."""
        if self.state is State.CLOSED:
            return []
        events: list[Event] = [Forgotten(seq) for seq in _overdue(self._late, LATE_S, now)]
        overdue = _overdue(self._pending, self.response_timeout_s, now)
        self._late.update(dict.fromkeys(overdue, now))
        events += [Unanswered(seq) for seq in overdue]
        return events + self._check_peer(now)

    def _check_peer(self, now: float) -> list[Event]:
        if self.state is not State.BOUND or self._enquired:
            if now >= self._asked_at + self.response_timeout_s:
                return self._close("the peer does not answer", now)
        elif now >= self._heard_at + self.enquire_link_s:
            self._enquired, self._asked_at = True, now
            self._request(EnquireLink())
        return []

    # ---- PDUs

    def _take(self, pdus: Iterable[Pdu], now: float) -> list[Event]:
        events: list[Event] = []
        for pdu in pdus:
            if self.state is State.CLOSED:
                break
            handler = self._handlers.get(type(pdu), self._on_wrong_way)
            events += handler(pdu, now)
        return events

    def _on_answer(self, pdu: SubmitSmResp | GenericNack, now: float) -> Iterable[Event]:
        if self._pending.pop(pdu.sequence, None) is not None:
            return (Answered(pdu.sequence, pdu),)
        if self._late.pop(pdu.sequence, None) is not None:
            return (AnsweredLate(pdu.sequence, pdu),)
        return ()

    def _on_nack(self, pdu: GenericNack, now: float) -> Iterable[Event]:
        if self.state is State.BINDING:
            return self._refused(pdu.status or status.RSYSERR, now)
        return self._on_answer(pdu, now)

    def _on_bind_resp(self, pdu: BindResp, now: float) -> Iterable[Event]:
        if self.state is not State.BINDING:
            return ()
        if pdu.status:
            return self._refused(pdu.status, now)
        self.state = State.BOUND
        return (Bound(pdu.system_id, pdu.sc_interface_version),)

    def _refused(self, command_status: int, now: float) -> list[Event]:
        return [BindFailed(command_status), *self._close("the bind was refused", now)]

    def _on_deliver(self, pdu: DeliverSm, now: float) -> Iterable[Event]:
        if self.state is State.BINDING:
            self.deliver_resp(pdu.sequence, status.RINVBNDSTS)
            return ()
        return (Delivered(pdu),)

    def _on_enquire_link(self, pdu: EnquireLink, now: float) -> Iterable[Event]:
        self._respond(EnquireLinkResp(sequence=pdu.sequence))
        return ()

    def _on_unbind(self, pdu: Unbind, now: float) -> Iterable[Event]:
        self._respond(UnbindResp(sequence=pdu.sequence))
        return self._close("the peer has said goodbye", now)

    def _on_unbind_resp(self, pdu: UnbindResp, now: float) -> Iterable[Event]:
        return self._close("unbound", now) if self.state is State.UNBINDING else ()

    def _on_other(self, pdu: Other, now: float) -> Iterable[Event]:
        if not pdu.command_id & RESPONSE and pdu.command_id not in NEVER_ANSWERED:
            self._respond(GenericNack(sequence=pdu.sequence, status=status.RINVCMDID))
        return ()

    def _on_malformed(self, pdu: Malformed, now: float) -> Iterable[Event]:
        if not pdu.command_id & RESPONSE:
            self._respond(GenericNack(sequence=pdu.sequence, status=status.RINVCMDLEN))
        return ()

    def _on_wrong_way(self, pdu: Pdu, now: float) -> Iterable[Event]:
        """A request that only we may make is unknown here; a response that nobody waits for is dropped."""
        if not isinstance(pdu, Response):
            self._respond(GenericNack(sequence=pdu.sequence, status=status.RINVCMDID))
        return ()

    # ---- the rest

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % MAX_SEQUENCE + 1
        return self._sequence

    def _request(self, pdu: Pdu) -> None:
        self._out.append(encode(pdu, self._next_sequence()))

    def _respond(self, pdu: Response) -> None:
        if self.state is not State.CLOSED:
            self._out.append(encode(pdu))

    def _close(self, reason: str, now: float) -> list[Event]:
        self.state = State.CLOSED
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
