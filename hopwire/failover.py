"""Which connector carries a step when the one that should does not.

The connectors of a step stand in a ring: the present one, and behind it the others in the order of choice.
One that asks for time goes to the end, and is asked again after it; one that says no leaves.

Rule: this is asked while nothing of the step has left or may have left; afterwards it stays where it is.
"""

from collections.abc import Container
from typing import NamedTuple

from msgspec.structs import replace

from hopwire.model import Fault, Never, Other, Step

ELSEWHERE = {Fault.CONFIGURATION, Fault.SENDER, Fault.ROUTE}  # of the connector, not of the message


class Next(NamedTuple):
    """How the step goes on, and when."""

    step: Step
    at: int


def may_try_others(step: Step, no: Never) -> bool:
    """Whether another connector may take what this one has refused."""
    out_of_reach = step.channel == "sms" and no.fault is Fault.RECIPIENT  # of this SMSC
    return bool(step.others) and (no.fault in ELSEWHERE or out_of_reach)


def put_off(step: Step, again_at: int, now: int) -> Next:
    """The present connector wants to be asked again then."""
    return _next(step, (*step.others, _other(step, again_at)), now)


def refused(step: Step, now: int) -> Next:
    """The present connector leaves the ring."""
    return _next(step, step.others, now)


def moved(step: Step, to: Container[str], now: int) -> Step:
    """By one of these, where one may be asked now; else as it was."""
    found = next((one for one in step.others if one.connector in to and one.not_before <= now), None)
    return step if found is None else _carried(step, found, (*step.others, _other(step, now)))


def returned(step: Step, connector: str) -> Step:
    """By a connector that was asked before and has taken it after all, where it is still in the ring."""
    found = next((one for one in step.others if one.connector == connector), None)
    return step if found is None else _carried(step, found, (*step.others, _other(step, 0)))


def _next(step: Step, ring: tuple[Other, ...], now: int) -> Next:
    """Who may be asked soonest; of those who may be asked now, the first."""
    found = min(ring, key=lambda one: max(one.not_before, now))
    return Next(_carried(step, found, ring), max(found.not_before, now))


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
