"""The life of one message, as a pure function.

Rule 1: whatever decides what happens next to a message is in this file; which connector is next, in failover.
Rule 2: nothing here reads a clock, a socket or a database; `now` comes with the event.
Rule 3: the same event twice changes nothing the second time.

A delivery is a list of rungs (the steps of the plan under way, see `rung`), tried in order. Until the first
part of a rung has been taken, or may have been, another connector may carry all of it.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from hopwire import failover, hours
from hopwire.events import (
    Action,
    Answered,
    Begin,
    Charge,
    Commission,
    Cost,
    Delete,
    DoubleDelivery,
    Event,
    Freed,
    Orphaned,
    Release,
    Reported,
    Rerouted,
    Spared,
    Stopped,
    Submit,
    Timer,
)
from hopwire.model import Answer, Fault, Later, Never, Outcome, Status, Step, Taken, Unknown
from hopwire.rung import (
    DELIVERED,
    EXPIRED,
    FAILED,
    IN_DOUBT,
    IN_FLIGHT,
    SEEN,
    SENDING,
    TAKEN,
    UNKNOWN,
    WAITING,
    Part,
    PartState,
    Rung,
)

STOPPED = "stopped"  # the code of what the recipient's wish has kept here


class Delivery(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    rungs: tuple[Rung, ...]
    at: int  # the current rung
    status: Status
    lease_at: int = 0  # parts found SENDING after this have lost their worker
    held_until: int = 0  # waits for the operator's decision; then it is deleted. 0: it is not held

    @property
    def due_at(self) -> int | None:
        """When the next waiting part is to be handed over."""
        if self.status.final or self.held_until:
            return None
        rung = self.rungs[self.at]
        return None if (index := rung.next) is None else rung.parts[index].due_at

    @property
    def timer_at(self) -> int | None:
        """When `Timer` must come, unless something else happens first."""
        if self.held_until:
            return self.held_until
        first = None
        for i, rung in enumerate(self.rungs):
            at = _timer(self, i, rung)
            if at is not None and (first is None or at < first):
                first = at
        return first

    @property
    def in_doubt(self) -> bool:
        """Whether some part was handed over and its provider's id is not known."""
        ended = self.ended  # then it waits for answers, not for receipts
        for rung in self.rungs:
            for part in rung.parts:
                if part.nameless and not (ended and part.state is TAKEN):
                    return True
        return False

    @property
    def ended(self) -> bool:
        """Whether nothing is awaited any more: the status is final, or all is sent and nobody will report."""
        if self.status.final or not self.rungs:
            return True
        rung = self.rungs[self.at]
        return rung.plan.reports == "none" and not rung.any(WAITING, *IN_DOUBT)

    def sparable(self, now: int) -> bool:
        """Whether the current rung may be passed over: it is due, has not begun, and another one follows."""
        chosen = self.at + 1 >= len(self.rungs) or self.rungs[self.at].handed_at is not None
        return not chosen and self.due_at is not None and self.due_at <= now

    @property
    def connector(self) -> str:
        return self.rungs[self.at].plan.connector if self.rungs else ""


Decision = tuple[Delivery, tuple[Action, ...]]


# ---- the beginning


def plan_delivery(steps: Sequence[Step], due_at: int) -> Delivery:
    """A delivery that has not begun; without steps it has ended, for there is no route."""
    rungs = [Rung(plan=step, parts=(Part(),) * step.parts) for step in steps]
    if not rungs:
        return Delivery(rungs=(), at=0, status=Status.NO_ROUTE)
    return Delivery(rungs=(_opened(rungs[0], due_at), *rungs[1:]), at=0, status=Status.PENDING)


def _open_rung(d: Delivery, index: int, due_at: int) -> Delivery:
    return replace(d, at=index, rungs=_with(d, index, _opened(d.rungs[index], due_at)))


def _opened(rung: Rung, due_at: int) -> Rung:
    due_at = _after_quiet(rung.plan.quiet, due_at)
    parts = tuple([replace(part, due_at=due_at) for part in rung.parts])
    return replace(rung, parts=parts, give_up_at=due_at + 1000 * rung.plan.lifetime_s)


def _after_quiet(quiet: str, at: int) -> int:
    """This moment, or the end of the quiet hours that it is in; those of two days may touch."""
    if quiet:
        window = hours.parse(quiet)
        for _ in range(8):
            at = window.end(at) or at
    return at


def hold(d: Delivery, until: int) -> Delivery:
    """Let it wait for the operator's decision, and be deleted when there is none."""
    return d if d.status.final else replace(d, held_until=until)


def _put_rung(d: Delivery, index: int, rung: Rung) -> Delivery:
    return replace(d, rungs=_with(d, index, rung))


def _with(d: Delivery, index: int, rung: Rung) -> tuple[Rung, ...]:
    """Its rungs, of which this one has become another."""
    return (*d.rungs[:index], rung, *d.rungs[index + 1 :])


# ---- the one decision


def advance(d: Delivery, event: Event, now: int) -> Decision:
    """What becomes of the delivery at this event, and what is to be done about it."""
    if d.held_until:
        return _held(d, event, now)
    match event:
        case Begin(lease_ms):
            return _begin(d, lease_ms, now)
        case Spared(step, code, fault) if step == d.at and d.sparable(now):
            refused = replace(d.rungs[step].parts[0], state=FAILED, code=code, fault=fault)
            return _change(d, step, 0, d.rungs[step].put(0, refused), now)
        case Stopped(step) if step == d.at and d.due_at is not None and d.due_at <= now:
            return _stopped(d, now)
        case Answered(step, part, answer, connector) if _was_handed(d, step, part):
            return _change(d, step, part, _heard(d, step, part, answer, connector, now), now)
        case Rerouted(step, connector, to) if step == d.at and d.due_at is not None and d.due_at <= now:
            return _put_rung(d, step, failover.moved(d.rungs[step], connector, to, now)), ()
        case Reported(step, part, outcome, code, fault) if _was_handed(d, step, part):
            reported = _reported(d.rungs[step].parts[part], outcome, code, fault)
            return _change(d, step, part, d.rungs[step].put(part, reported), now)
        case Timer():
            return _expire(d, now)
        case Orphaned():
            return _expire(replace(d, lease_at=min(d.lease_at, now)), now)
        case Delete() if d.status is Status.PENDING and d.due_at is not None and d.due_at > now:
            return _settle(replace(d, status=Status.DELETED))
        case _:
            return d, ()  # a receipt for a part that never was, a second delete


def _held(d: Delivery, event: Event, now: int) -> Decision:
    """Nothing happens to it but the decision, or the end of the time for it."""
    freed = replace(d, held_until=0)
    match event:
        case Freed():
            return _open_rung(freed, 0, max(now, d.rungs[0].parts[0].due_at)), ()
        case Delete():
            return _settle(replace(freed, status=Status.DELETED))
        case Timer() if now >= d.held_until:
            return _expire(replace(freed, status=Status.DELETED), now)
    return d, ()


def _was_handed(d: Delivery, step: int, part: int) -> bool:
    return step < len(d.rungs) and part < len(d.rungs[step].parts) and d.rungs[step].handed_at is not None


# ---- handing over, and what upstreams say


def _begin(d: Delivery, lease_ms: int, now: int) -> Decision:
    if (due_at := d.due_at) is None or due_at > now:
        return d, ()
    rung = d.rungs[d.at]
    if now >= rung.give_up_at:
        return _expire(d, now)
    if rung.plan.quiet and rung.handed_at is None and _after_quiet(rung.plan.quiet, now) > now:
        return _open_rung(d, d.at, now), ()  # it was due before, and nobody had room
    index = rung.next
    assert index is not None, "due_at names a part"
    sending = replace(rung.parts[index], state=SENDING)
    rungs = _with(d, d.at, replace(rung.put(index, sending), handed_at=now))
    d = replace(d, rungs=rungs, status=max(d.status, Status.SENDING), lease_at=now + lease_ms)
    return d, (Submit(d.at, index),)


def _stopped(d: Delivery, now: int) -> Decision:
    """The step ends as if the upstream had said that it is blocked; the next one, when due, ends so, too."""
    rung = d.rungs[d.at]
    index = rung.next
    assert index is not None, "due_at names a part"
    blocked = replace(rung.parts[index], code=STOPPED, fault=Fault.BLOCKED)
    rung = replace(rung, parts=tuple(_stays(part, blocked) for part in rung.parts))
    return _change(d, d.at, index, rung, now)


def _heard(d: Delivery, step: int, index: int, answer: Answer, connector: str, now: int) -> Rung:
    rung = d.rungs[step]
    if connector and connector != rung.plan.connector:
        return failover.heard_late(rung, index, answer, connector)
    elsewhere = step == d.at and _again(d, rung, now)
    turned = failover.turned(rung, index, answer, now) if elsewhere else None
    return turned or rung.put(index, _answered(d, step, index, answer, now))


def _again(d: Delivery, rung: Rung, now: int) -> bool:
    """Whether there may be another try."""
    return not d.status.final and now < rung.give_up_at and not rung.any(FAILED)


def _answered(d: Delivery, step: int, index: int, answer: Answer, now: int) -> Part:
    rung = d.rungs[step]
    part = rung.parts[index]
    again = _again(d, rung, now)
    match answer:
        case Taken(provider_id):
            return replace(part, state=max(part.state, TAKEN), taken=True, provider_id=provider_id)
        case _ if part.state not in IN_DOUBT:
            return part  # the receipt was first, or our timer
        case Never(code, fault):
            return replace(part, state=FAILED, code=code, fault=fault)
        case Later(_, code, False, most) if most and part.tries + 1 >= most:
            return _give_up(replace(part, code=code), FAILED)
        case Later(after_s, code, throttled) if again:
            return _wait(replace(part, code=code, tries=part.tries + (not throttled)), rung, after_s, now)
        case Later(_, code):
            return _give_up(replace(part, code=code), EXPIRED)
        case Unknown(code) if rung.plan.resend and again:
            return _wait(replace(part, code=code, repeated=True, tries=part.tries + 1), rung, 0, now)
        case Unknown(code):
            return replace(part, state=UNKNOWN, code=code)


def _wait(part: Part, rung: Rung, asked_s: float, now: int) -> Part:
    at = now + failover.pause_ms(part.tries, asked_s)
    return replace(part, state=WAITING, due_at=min(at, rung.give_up_at))


def _give_up(part: Part, state: PartState) -> Part:
    """No other try: it ends so; but a part whose earlier answer was lost may still be delivered."""
    return replace(part, state=UNKNOWN if part.repeated else state)


# ---- receipts

_SAYS = {
    Outcome.PROGRESS: TAKEN,
    Outcome.EXPIRED: EXPIRED,
    Outcome.FAILED: FAILED,
    Outcome.DELIVERED: DELIVERED,
    Outcome.SEEN: SEEN,
}


def _reported(part: Part, outcome: Outcome, code: str, fault: Fault) -> Part:
    state = _SAYS[outcome]
    return part if state <= part.state else replace(part, state=state, taken=True, code=code, fault=fault)


# ---- time


def _timer(d: Delivery, index: int, rung: Rung) -> int | None:
    current = index == d.at and not d.status.final
    if rung.any(SENDING):
        return d.lease_at
    if current and rung.any(WAITING):
        return rung.give_up_at
    return rung.ends_at if (current and rung.any(*rung.under_way)) or _earning(rung) else None


def _expire(d: Delivery, now: int) -> Decision:
    """End the parts whose time is over, on every rung that was begun, and see what follows."""
    actions: tuple[Action, ...] = ()
    for i in range(min(d.at + 1, len(d.rungs))):
        d = _put_rung(d, i, _lost(d, i, now))
        parts = tuple(_expired(d, i, j, now) for j in range(len(d.rungs[i].parts)))
        d, done = _follow(_put_rung(d, i, _agreed(replace(d.rungs[i], parts=parts))), i, now)
        actions += done
    return d, actions


def _lost(d: Delivery, step: int, now: int) -> Rung:
    """The rung when nobody answers any more for the part that is being handed over."""
    rung = d.rungs[step]
    sending = next((i for i, part in enumerate(rung.parts) if part.state is SENDING), None)
    if sending is None or now < d.lease_at:
        return rung
    return _heard(d, step, sending, Unknown("lost"), "", now)


def _expired(d: Delivery, step: int, index: int, now: int) -> Part:
    rung = d.rungs[step]
    part = rung.parts[index]
    if part.state is WAITING and now >= rung.give_up_at:
        part = _give_up(part, EXPIRED)
    if part.state in rung.under_way and part.state is not SENDING and now >= rung.ends_at:
        part = replace(part, state=EXPIRED)
    return part


# ---- what follows from a change on a rung


def _change(d: Delivery, step: int, index: int, rung: Rung, now: int) -> Decision:
    """The rung becomes this one, of which the part has changed."""
    before, after = d.rungs[step].parts[index], rung.parts[index]
    d = _put_rung(d, step, _agreed(rung))
    double = before.state < DELIVERED <= after.state and any(map(_left, d.rungs[step + 1 :]))
    d, actions = _follow(d, step, now)
    return d, (*actions, DoubleDelivery()) if double else actions


def _agreed(rung: Rung) -> Rung:
    """What a part's fate means for the others.

    What has not left of a message that cannot arrive whole stays; and where receipts come for one part alone,
    they speak for all that were handed over.
    """
    if len(rung.parts) == 1:
        return rung
    failed = next((part for part in rung.parts if part.state is FAILED), None)
    if failed is not None:
        rung = replace(rung, parts=tuple(_stays(part, failed) for part in rung.parts))
    if rung.plan.reports not in ("first", "last"):
        return rung
    spokesman = rung.parts[0 if rung.plan.reports == "first" else -1]
    return replace(rung, parts=tuple(_hears(part, spokesman) for part in rung.parts))


def _stays(part: Part, failed: Part) -> Part:
    if part.state is not WAITING:
        return part
    return _give_up(replace(part, code=failed.code, fault=failed.fault), FAILED)


def _hears(part: Part, spokesman: Part) -> Part:
    if spokesman.state < EXPIRED or not SENDING < part.state < spokesman.state:
        return part
    return replace(part, state=spokesman.state, code=spokesman.code, fault=spokesman.fault)


def _follow(d: Delivery, step: int, now: int) -> Decision:
    if (verdict := _verdict(d.rungs[step])) is not None:
        d = _raise_status(d, verdict)
    elif not d.status.final and step == d.at:
        d = _go_on(d, now)
    return _settle(d)


def _verdict(rung: Rung) -> Status | None:
    """What the client reads when every part has ended and one at least was delivered; else None."""
    states = [part.state for part in rung.parts]
    if min(states) < EXPIRED or max(states) < DELIVERED:
        return None
    if min(states) < DELIVERED:
        return Status.PARTIAL
    return Status.READ if min(states) is SEEN else Status.DELIVERED


_RANK = {Status.PARTIAL: 2, Status.DELIVERED: 3, Status.READ: 4, Status.DELETED: 9, Status.NO_ROUTE: 9}


def _rank(status: Status) -> int:
    return _RANK.get(status, 1 if status.final else 0)


def _raise_status(d: Delivery, status: Status) -> Delivery:
    """A final status gives way to a better one only; deleted and unroutable messages stay so."""
    return replace(d, status=status) if _rank(status) > _rank(d.status) else d


def _go_on(d: Delivery, now: int) -> Delivery:
    """The current rung has not delivered: wait on, or take the next rung."""
    rung = d.rungs[d.at]
    if rung.any(WAITING, *IN_DOUBT):
        return d
    if rung.any(TAKEN):
        return replace(d, status=Status.SENT)
    blocked = any(p.state is FAILED and p.fault is Fault.BLOCKED for p in rung.parts)
    if d.at + 1 == len(d.rungs) or (blocked and not rung.plan.redirect_blocked):
        return _raise_status(d, _failure(rung))
    return _open_rung(d, d.at + 1, max(now, _not_before(rung)))


def _not_before(rung: Rung) -> int:
    """An upstream's "expired" does not shorten the lifetime that the client asked for; a final no does."""
    expired = any(part.state is EXPIRED and part.taken for part in rung.parts)
    return rung.ends_at - 1000 * rung.plan.grace_s if expired else 0


def _failure(rung: Rung) -> Status:
    if any(part.state is FAILED and part.fault is Fault.NUMBER for part in rung.parts):
        return Status.BAD_NUMBER
    return Status.FAILED if rung.any(FAILED) else Status.EXPIRED


# ---- money


def _settle(d: Delivery) -> Decision:
    """Charge what has become due, and release what can no longer become due; the later rungs first."""
    actions: list[Action] = []
    for i, rung in reversed(tuple(enumerate(d.rungs))):
        if not rung.settled and (amount := _amount(d, i)) is not None:
            rest = rung.plan.price - amount
            actions += [Charge(i, amount)] if amount else []
            actions += [Release(i, rest)] if rest else []
            if rung.plan.part_commission and amount:
                actions.append(Commission(i, amount // rung.plan.part_price * rung.plan.part_commission))
            if rung.plan.part_cost and (units := _costly(rung)):
                actions.append(Cost(i, units * rung.plan.part_cost))
            d = _put_rung(d, i, replace(rung, settled=True))
    return d, tuple(actions)


def _costly(rung: Rung) -> int:
    """How many hand-overs the upstream charges us for: an SMS when it takes it, Viber when it delivers."""
    if rung.plan.channel == "sms":
        return sum(part.taken for part in rung.parts)
    return sum(part.state >= DELIVERED for part in rung.parts)


def _amount(d: Delivery, index: int) -> int | None:
    """What the rung costs; None while that may change. A later rung that costs makes this one free."""
    rung, later = d.rungs[index], d.rungs[index + 1 :]
    if _earning(rung) or any(_left(other) and not other.settled for other in later):
        return None
    earned = 0 if any(map(_earned, later)) else _earned(rung)
    return earned if d.ended or (earned and not rung.any(WAITING)) else None


def _earning(rung: Rung) -> bool:
    """Whether a part under way may yet add to what the rung costs."""
    states = IN_FLIGHT if rung.plan.charge_on == "delivered" else IN_DOUBT
    return rung.any(*states)


def _earned(rung: Rung) -> int:
    on_delivery = rung.plan.charge_on == "delivered"
    units = (part.state >= DELIVERED if on_delivery else part.taken for part in rung.parts)
    return rung.plan.part_price * sum(units)


def _left(rung: Rung) -> bool:
    """Whether some part of it may be on its way to the phone."""
    return any(part.taken or part.state in IN_DOUBT for part in rung.parts)
