"""Which connector carries a step when the one that should does not.

The connectors of a step stand in a ring: the present one, and behind it the others in the order of choice.
One that asks for time goes to the end, and is asked again after it; one that says no leaves.

Rule: while nothing of the step has left or may have left, it may go elsewhere; afterwards it stays there.
"""

from collections.abc import Container
from typing import NamedTuple

from msgspec.structs import replace

from hopwire.model import Answer, Fault, Later, Never, Other, Step, Taken, Unknown
from hopwire.rung import IN_DOUBT, Part, PartState, Rung

ELSEWHERE = {Fault.CONFIGURATION, Fault.SENDER, Fault.ROUTE}  # of the connector, not of the message


# ---- what becomes of a rung


def turned(rung: Rung, index: int, answer: Answer, now: int) -> Rung | None:
    """After this answer, with its next connector; None: the answer does not lead there."""
    part = rung.parts[index]
    if not rung.plan.others or part.state not in IN_DOUBT or not rung.free(index):
        return None
    match answer:
        case Never() if _may_try_others(rung.plan, answer):
            return _by_next(rung, index, _refused(rung.plan, now), part, answer.code)
        case Later(tries=most, throttled=False, unasked=False) if most and part.tries + 1 >= most:
            return _by_next(rung, index, _refused(rung.plan, now), part, answer.code)
        case Later(after_s, throttled=throttled, unasked=False):
            tried = replace(part, tries=part.tries + (not throttled))
        case Unknown() if rung.plan.resend:
            after_s, tried = 0, replace(part, repeated=True, tries=part.tries + 1)
        case _:
            return None
    by = _put_off(rung.plan, now + pause_ms(tried.tries, after_s), now)
    if by.at <= now:  # the try counts when none is left who may be asked now
        tried = replace(tried, tries=part.tries)
    return _by_next(rung, index, by, tried, answer.code)


def heard_late(rung: Rung, index: int, answer: Answer, connector: str) -> Rung:
    """One that was asked before answers: if it has taken the part after all, the rung stays with it."""
    part = rung.parts[index]
    if not isinstance(answer, Taken):
        return rung
    if part.state >= PartState.TAKEN:
        return rung.put(index, replace(part, taken=True))
    taken = replace(part, state=PartState.TAKEN, taken=True, provider_id=answer.provider_id)
    plan = _returned(rung.plan, connector) if rung.free(index) else rung.plan
    return replace(rung.put(index, taken), plan=plan)


def moved(rung: Rung, connector: str, to: Container[str], now: int) -> Rung:
    """What waits for this connector, by one of these that may be asked now; else as it was."""
    index, plan = rung.next, rung.plan
    if index is None or connector != plan.connector or not rung.free(index):
        return rung
    found = next((one for one in plan.others if one.connector in to and one.not_before <= now), None)
    if found is None:
        return rung
    return replace(rung, plan=_carried(plan, found, (*plan.others, _other(plan, now))))


def pause_ms(tries: int, asked_s: float) -> int:
    """Wait 1, 2, 4 … 60 s for the next try, or longer where the upstream asks for it."""
    return int(1000 * max(asked_s, min(60, 2 ** min(max(tries - 1, 0), 6))))


def _may_try_others(step: Step, no: Never) -> bool:
    """Whether another connector may take what this one has refused."""
    out_of_reach = step.channel == "sms" and no.fault is Fault.RECIPIENT  # of this SMSC
    return no.fault in ELSEWHERE or out_of_reach


# ---- the ring


class _Next(NamedTuple):
    """How the step goes on, and when."""

    step: Step
    at: int


def _by_next(rung: Rung, index: int, by: _Next, part: Part, code: str) -> Rung:
    due_at = min(by.at, rung.give_up_at)
    waiting = replace(part, state=PartState.WAITING, due_at=due_at, code=code)
    return replace(rung.put(index, waiting), plan=by.step)


def _put_off(step: Step, again_at: int, now: int) -> _Next:
    """The present connector wants to be asked again then."""
    return _next(step, (*step.others, _other(step, again_at)), now)


def _refused(step: Step, now: int) -> _Next:
    """The present connector leaves the ring."""
    return _next(step, step.others, now)


def _returned(step: Step, connector: str) -> Step:
    """By a connector that was asked before, where it is still in the ring."""
    found = next((one for one in step.others if one.connector == connector), None)
    return step if found is None else _carried(step, found, (*step.others, _other(step, 0)))


def _next(step: Step, ring: tuple[Other, ...], now: int) -> _Next:
    """Who may be asked soonest; of those who may be asked now, the first."""
    found = min(ring, key=lambda one: max(one.not_before, now))
    return _Next(_carried(step, found, ring), max(found.not_before, now))


def _carried(step: Step, by: Other, ring: tuple[Other, ...]) -> Step:
    return replace(
        step,
        connector=by.connector,
        resend=by.resend,
        writing=by.writing,
        reports=by.reports,
        part_cost=by.part_cost,
        others=tuple(one for one in ring if one is not by),
    )


def _other(step: Step, not_before: int) -> Other:
    """The present connector as one of the others."""
    return Other(
        connector=step.connector,
        resend=step.resend,
        writing=step.writing,
        reports=step.reports,
        part_cost=step.part_cost,
        not_before=not_before,
    )
