"""The life of one message, as a pure function.

Rule 1: whatever decides what happens next to a message is in this file.
Rule 2: nothing here reads a clock, a socket or a database; `now` comes with the event.
Rule 3: the same event twice changes nothing the second time.

A delivery is a list of rungs (the steps of the plan under way), tried in order. A rung has parts, and a part
moves along this graph:

    WAITING -> SENDING -> TAKEN -> DELIVERED -> SEEN
       ^         | |        |
       +- later -+ +-> UNKNOWN     FAILED and EXPIRED end a part from anywhere left of DELIVERED;
                                   a late "delivered" still outranks them.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from hopwire.model import Answer, Fault, Later, Never, Outcome, Status, Step, Taken, Unknown


class PartState(IntEnum):
    WAITING = 0
    SENDING = 1  # kept before the first byte left
    UNKNOWN = 2  # the answer was lost
    TAKEN = 3
    FAILED = 4
    EXPIRED = 5
    DELIVERED = 6
    SEEN = 7


IN_DOUBT = (PartState.SENDING, PartState.UNKNOWN)
IN_FLIGHT = (PartState.SENDING, PartState.UNKNOWN, PartState.TAKEN)


class Part(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    state: PartState = PartState.WAITING
    tries: int = 0  # temporary refusals, not counting throttling
    taken: bool = False  # an upstream has had it; SMS is charged by this
    repeated: bool = False  # handed over again after a lost answer: a possible duplicate
    provider_id: str = ""
    code: str = ""  # the upstream's last word
    fault: Fault = Fault.RECIPIENT  # when FAILED


class Rung(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A step under way."""

    plan: Step
    parts: tuple[Part, ...]
    give_up_at: int = 0  # waiting parts are not handed over after this
    handed_at: int | None = None  # the latest hand-over; the lifetime counts from here
    settled: bool = False  # its reservation is charged or released, whole

    @property
    def ends_at(self) -> int:
        return (self.handed_at or 0) + 1000 * (self.plan.lifetime_s + self.plan.grace_s)

    def any(self, *states: PartState) -> bool:
        return any(part.state in states for part in self.parts)


class Delivery(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    rungs: tuple[Rung, ...]
    at: int  # the current rung
    status: Status
    due_at: int | None  # when waiting parts are to be handed over
    lease_at: int = 0  # parts found SENDING after this have lost their worker

    @property
    def timer_at(self) -> int | None:
        """When `Timer` must come, unless something else happens first."""
        times = [t for i, rung in enumerate(self.rungs) if (t := _timer(self, i, rung)) is not None]
        return min(times, default=None)

    @property
    def in_doubt(self) -> bool:
        """Whether some part was handed over and its provider's id is not known."""
        return any(rung.any(*IN_DOUBT) for rung in self.rungs)

    @property
    def connector(self) -> str:
        return self.rungs[self.at].plan.connector if self.rungs else ""


# ---- events


class Begin(NamedTuple):
    """A worker hands the waiting parts over now, and answers for them until the lease ends."""

    lease_ms: int


class Answered(NamedTuple):
    """The connector answered a submit."""

    step: int
    part: int
    answer: Answer


class Reported(NamedTuple):
    """A receipt for this part came."""

    step: int
    part: int
    outcome: Outcome
    code: str
    fault: Fault


class Timer(NamedTuple):
    """`timer_at` has come."""


class Orphaned(NamedTuple):
    """The worker that was handing it over is gone."""


class Delete(NamedTuple):
    """The client takes a scheduled message back."""


Event = Begin | Answered | Reported | Timer | Orphaned | Delete


# ---- actions


class Submit(NamedTuple):
    """Hand these parts of the step to its connector."""

    step: int
    parts: tuple[int, ...]


class Charge(NamedTuple):
    step: int
    amount: int


class Release(NamedTuple):
    step: int
    amount: int


class DoubleDelivery(NamedTuple):
    """Viber delivered after the SMS had left."""


Action = Submit | Charge | Release | DoubleDelivery


# ---- the beginning


def plan_delivery(steps: Sequence[Step], due_at: int) -> Delivery:
    """A delivery that has not begun; without steps it has ended, for there is no route."""
    rungs = tuple(Rung(plan=step, parts=(Part(),) * step.parts) for step in steps)
    if not rungs:
        return Delivery(rungs=(), at=0, status=Status.NO_ROUTE, due_at=None)
    d = Delivery(rungs=rungs, at=0, status=Status.PENDING, due_at=due_at)
    return _put_rung(d, 0, _opened(rungs[0], due_at))


# ---- the one decision


def advance(d: Delivery, event: Event, now: int) -> tuple[Delivery, tuple[Action, ...]]:
    """What becomes of the delivery at this event, and what is to be done about it."""
    match event:
        case Begin(lease_ms):
            return _begin(d, lease_ms, now)
        case Answered(step, part, answer) if _has(d, step, part):
            return _after(_change(d, step, part, _answered(d, step, part, answer, now)), step, now, answer)
        case Reported(step, part, outcome, code, fault) if _has(d, step, part):
            before = d.rungs[step].parts[part]
            after = _reported(before, outcome, code, fault)
            double = before.state < PartState.DELIVERED <= after.state and any(
                map(_left, d.rungs[step + 1 :])
            )
            d, actions = _after(_change(d, step, part, after), step, now)
            return d, (*actions, DoubleDelivery()) if double else actions
        case Timer():
            return _expire(_lose(d, now) if now >= d.lease_at else d, now)
        case Orphaned():
            return _expire(_lose(d, now), now)
        case Delete() if d.status is Status.PENDING and d.due_at is not None and d.due_at > now:
            return _settle(replace(d, status=Status.DELETED, due_at=None))
        case _:
            return d, ()  # a receipt for a part that never was, a second delete


def _has(d: Delivery, step: int, part: int) -> bool:
    return 0 <= step < len(d.rungs) and 0 <= part < len(d.rungs[step].parts)


# ---- handing over


def _begin(d: Delivery, lease_ms: int, now: int) -> tuple[Delivery, tuple[Action, ...]]:
    if d.status.final or d.due_at is None or d.due_at > now:
        return d, ()
    rung = d.rungs[d.at]
    if now >= rung.give_up_at:
        return _expire(d, now)
    waiting = tuple(i for i, part in enumerate(rung.parts) if part.state is PartState.WAITING)
    parts = tuple(_sending(part) for part in rung.parts)
    d = _put_rung(d, d.at, replace(rung, parts=parts, handed_at=now))
    d = replace(d, status=max(d.status, Status.SENDING), due_at=None, lease_at=now + lease_ms)
    return d, (Submit(d.at, waiting),) if waiting else ()


def _sending(part: Part) -> Part:
    return replace(part, state=PartState.SENDING) if part.state is PartState.WAITING else part


def _answered(d: Delivery, step: int, index: int, answer: Answer, now: int) -> Part:
    part = d.rungs[step].parts[index]
    match answer:
        case Taken(provider_id):
            state = PartState.TAKEN if part.state < PartState.TAKEN else part.state
            return replace(part, state=state, taken=True, provider_id=provider_id)
        case _ if part.state not in IN_DOUBT:
            return part  # the receipt was first, or our timer
        case Never(code, fault):
            return replace(part, state=PartState.FAILED, code=code, fault=fault)
        case Later(_, code, throttled):
            return _again(d, step, replace(part, code=code, tries=part.tries + (not throttled)), now)
        case Unknown(code) if d.rungs[step].plan.resend:
            return _again(d, step, replace(part, code=code, repeated=True, tries=part.tries + 1), now)
        case Unknown(code):
            return replace(part, state=PartState.UNKNOWN, code=code)


def _again(d: Delivery, step: int, part: Part, now: int) -> Part:
    """Wait for another try, if this step is still the one to try and has the time."""
    open_still = step == d.at and not d.status.final and now < d.rungs[step].give_up_at
    return replace(part, state=PartState.WAITING if open_still else PartState.EXPIRED)


def _pause_ms(part: Part, answer: Answer | None) -> int:
    """How long to wait before the next try: 1, 2, 4 … 60 s, or longer where the upstream asks for it."""
    asked_s = answer.after_s if isinstance(answer, Later) else 0.0
    return int(1000 * max(asked_s, min(60, 2 ** max(0, min(part.tries, 7) - 1))))


# ---- receipts


def _reported(part: Part, outcome: Outcome, code: str, fault: Fault) -> Part:
    """Rank: seen > delivered > expired or failed."""
    match outcome:
        case Outcome.SEEN if part.state is not PartState.SEEN:
            return replace(part, state=PartState.SEEN, taken=True, code=code)
        case Outcome.DELIVERED if part.state < PartState.DELIVERED:
            return replace(part, state=PartState.DELIVERED, taken=True, code=code)
        case Outcome.FAILED if part.state in IN_FLIGHT:
            return replace(part, state=PartState.FAILED, taken=True, code=code, fault=fault)
        case Outcome.EXPIRED if part.state in IN_FLIGHT:
            return replace(part, state=PartState.EXPIRED, taken=True, code=code)
        case Outcome.PROGRESS if part.state in IN_DOUBT:
            return replace(part, state=PartState.TAKEN, taken=True, code=code)
        case _:
            return part


# ---- time


def _timer(d: Delivery, index: int, rung: Rung) -> int | None:
    current = index == d.at and not d.status.final
    if rung.any(PartState.SENDING):
        return d.lease_at
    if current and rung.any(PartState.WAITING):
        return rung.give_up_at
    return rung.ends_at if (current and rung.any(*IN_FLIGHT)) or _open(rung) else None


def _lose(d: Delivery, now: int) -> Delivery:
    """Nobody answers any more for the parts that were being handed over."""
    for i, rung in enumerate(d.rungs):
        for j, part in enumerate(rung.parts):
            if part.state is PartState.SENDING:
                d = _change(d, i, j, _answered(d, i, j, Unknown("lost"), now))
    return d


def _expire(d: Delivery, now: int) -> tuple[Delivery, tuple[Action, ...]]:
    """End the parts whose time is over, on every rung, and see what follows."""
    actions: tuple[Action, ...] = ()
    for i in range(len(d.rungs)):
        rung = d.rungs[i]
        parts = tuple(_expired(part, rung, now) for part in rung.parts)
        d, done = _after(_put_rung(d, i, replace(rung, parts=parts)), i, now)
        actions += done
    return d, actions


def _expired(part: Part, rung: Rung, now: int) -> Part:
    late = {
        PartState.WAITING: bool(rung.give_up_at) and now >= rung.give_up_at,
        PartState.UNKNOWN: now >= rung.ends_at,
        PartState.TAKEN: now >= rung.ends_at,
    }
    return replace(part, state=PartState.EXPIRED) if late.get(part.state) else part


# ---- what follows from a change on a rung


def _after(
    d: Delivery, step: int, now: int, answer: Answer | None = None
) -> tuple[Delivery, tuple[Action, ...]]:
    verdict = _verdict(d.rungs[step])
    if verdict is not None:
        d = _raise_status(d, verdict)
    elif not d.status.final and step == d.at:
        d = _go_on(d, d.rungs[step], now, answer)
    return _settle(d)


def _verdict(rung: Rung) -> Status | None:
    """What the client reads when every part has ended and one at least was delivered; else None."""
    states = [part.state for part in rung.parts]
    if min(states) < PartState.FAILED or max(states) < PartState.DELIVERED:
        return None
    if min(states) < PartState.DELIVERED:
        return Status.PARTIAL
    return Status.READ if min(states) is PartState.SEEN else Status.DELIVERED


_RANK = {
    Status.PENDING: 0,
    Status.SENDING: 0,
    Status.SENT: 0,
    Status.EXPIRED: 1,
    Status.FAILED: 1,
    Status.BAD_NUMBER: 1,
    Status.PARTIAL: 2,
    Status.DELIVERED: 3,
    Status.READ: 4,
}


def _raise_status(d: Delivery, status: Status) -> Delivery:
    """A final status gives way to a better one only; deleted and unroutable messages stay so."""
    if _RANK.get(d.status, 9) >= _RANK[status]:
        return d
    return replace(d, status=status, due_at=None)


def _go_on(d: Delivery, rung: Rung, now: int, answer: Answer | None) -> Delivery:
    """The current rung has not delivered: hand over again, wait on, or take the next rung."""
    if waiting := [part for part in rung.parts if part.state is PartState.WAITING]:
        if d.due_at is None:
            pause = min(_pause_ms(part, answer) for part in waiting)
            d = replace(d, due_at=min(now + pause, rung.give_up_at))
        return d
    d = replace(d, due_at=None)
    if rung.any(PartState.TAKEN) and not rung.any(*IN_DOUBT):
        return replace(d, status=max(d.status, Status.SENT))
    return d if rung.any(*IN_FLIGHT) else _next_rung(d, rung, now)


def _next_rung(d: Delivery, rung: Rung, now: int) -> Delivery:
    blocked = any(p.state is PartState.FAILED and p.fault is Fault.BLOCKED for p in rung.parts)
    if d.at + 1 == len(d.rungs) or (blocked and not rung.plan.redirect_blocked):
        return _raise_status(d, _failure(rung))
    due_at = max(now, _not_before(rung))
    d = replace(d, at=d.at + 1, due_at=due_at)
    return _put_rung(d, d.at, _opened(d.rungs[d.at], due_at))


def _not_before(rung: Rung) -> int:
    """An upstream's "expired" does not shorten the lifetime that the client asked for; a final no does."""
    if rung.handed_at is None or not rung.any(PartState.EXPIRED):
        return 0
    taken = any(part.taken for part in rung.parts)
    return rung.handed_at + 1000 * rung.plan.lifetime_s if taken else 0


def _failure(rung: Rung) -> Status:
    if any(part.state is PartState.FAILED and part.fault is Fault.NUMBER for part in rung.parts):
        return Status.BAD_NUMBER
    return Status.FAILED if rung.any(PartState.FAILED) else Status.EXPIRED


# ---- money


def _settle(d: Delivery) -> tuple[Delivery, tuple[Action, ...]]:
    """Charge what has become due, and release what can no longer become due."""
    actions: list[Action] = []
    for i, rung in enumerate(d.rungs):
        amount = None if rung.settled else _amount(d, i)
        if amount is not None:
            price = rung.plan.price
            actions += [Charge(i, amount)] if amount else []
            actions += [Release(i, price - amount)] if price > amount else []
            d = _put_rung(d, i, replace(rung, settled=True))
    return d, tuple(actions)


def _amount(d: Delivery, index: int) -> int | None:
    """What the rung costs; None while that is not known."""
    rung = d.rungs[index]
    if rung.plan.charge_on == "taken":
        units = sum(part.taken for part in rung.parts)
        known = not rung.any(PartState.WAITING, *IN_DOUBT)
    else:
        units = sum(part.state >= PartState.DELIVERED for part in rung.parts)
        known = not rung.any(PartState.WAITING, *IN_FLIGHT) and not any(map(_left, d.rungs[index + 1 :]))
    if known and units:
        return units * rung.plan.part_price
    return _rest(d, units * rung.plan.part_price if rung.plan.charge_on == "taken" else 0)


def _rest(d: Delivery, amount: int) -> int | None:
    """The message has ended and nothing of it is under way: what has not been earned goes back."""
    return amount if d.status.final and not any(map(_open, d.rungs)) else None


def _open(rung: Rung) -> bool:
    states = IN_FLIGHT if rung.plan.charge_on == "delivered" else IN_DOUBT
    return not rung.settled and rung.any(*states)


def _left(rung: Rung) -> bool:
    """Whether some part of it may be on its way to the phone."""
    return any(part.taken or part.state in IN_DOUBT for part in rung.parts)


# ---- small changes


def _opened(rung: Rung, due_at: int) -> Rung:
    return replace(rung, give_up_at=due_at + 1000 * rung.plan.lifetime_s)


def _put_rung(d: Delivery, index: int, rung: Rung) -> Delivery:
    return replace(d, rungs=(*d.rungs[:index], rung, *d.rungs[index + 1 :]))


def _change(d: Delivery, step: int, index: int, part: Part) -> Delivery:
    rung = d.rungs[step]
    return _put_rung(d, step, replace(rung, parts=(*rung.parts[:index], part, *rung.parts[index + 1 :])))
