"""Histories of a message, as (second, event), and what becomes of it by the rules of delivery."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from hopwire.delivery import Delivery, advance, plan_delivery
from hopwire.events import (
    Action,
    Answered,
    Begin,
    Charge,
    Event,
    Release,
    Reported,
    Submit,
    Timer,
)
from hopwire.model import Answer, Fault, Later, Never, Outcome, Step, Taken, Unknown

History = list[tuple[float, Event]]

VIBER = Step(
    channel="viber", connector="v", parts=1, part_price=7, charge_on="delivered", lifetime_s=60, grace_s=15
)
SMS = Step(channel="sms", connector="s", parts=1, part_price=10, charge_on="taken", lifetime_s=300)
BOTH = (VIBER, SMS)


def but(step: Step, **changes: Any) -> Step:
    return replace(step, **changes)


SMS_ON_DELIVERY = but(SMS, charge_on="delivered")
SMS_3 = but(SMS, parts=3)
SMS_3_ON_DELIVERY = but(SMS_3, charge_on="delivered")
SMS_RESEND = but(SMS, resend=True)

BEGIN = Begin(lease_ms=30_000)
TIMER = Timer()
UNKNOWN = Unknown("timeout")
LATER = Later(0, "busy")
THROTTLED = Later(0, "throttled", throttled=True)


def answer(answer: Answer, part: int = 0, step: int = 0) -> Answered:
    return Answered(step, part, answer)


def taken(part: int = 0, step: int = 0) -> Answered:
    return Answered(step, part, Taken(f"id-{step}-{part}"))


def never(fault: Fault, part: int = 0, step: int = 0) -> Answered:
    return Answered(step, part, Never("no", fault))


def receipt(outcome: Outcome, part: int = 0, step: int = 0, fault: Fault = Fault.RECIPIENT) -> Reported:
    return Reported(step, part, outcome, outcome.name, fault)


def delivered(part: int = 0, step: int = 0) -> Reported:
    return receipt(Outcome.DELIVERED, part, step)


SEEN = receipt(Outcome.SEEN)
EXPIRED = receipt(Outcome.EXPIRED)

# Histories that others go on from
ON_VIBER: History = [(0, BEGIN), (1, taken())]
SMS_DUE: History = [*ON_VIBER, (75, TIMER)]  # Viber was silent for its lifetime and the grace
SMS_LEFT: History = [*SMS_DUE, (76, BEGIN)]
SMS_TAKEN: History = [*SMS_LEFT, (77, taken(step=1))]
TWO_TAKEN: History = [
    (0, BEGIN),
    (0, taken(0)),
    (0, BEGIN),
    (0, taken(1)),
    (0, BEGIN),
]  # and the third has left
THREE_TAKEN: History = [*TWO_TAKEN, (1, taken(2))]


def play(steps: tuple[Step, ...], history: History, due_s: float = 0) -> tuple[Delivery, list[Action]]:
    """What the history makes of a new message, and all its actions."""
    d = plan_delivery(steps, int(due_s * 1000))
    actions: list[Action] = []
    for at_s, event in history:
        d, done = advance(d, event, int(at_s * 1000))
        actions += done
    return d, actions


def seconds(at: int | None) -> float | None:
    return None if at is None else at / 1000


def money(actions: Iterable[Action]) -> list[str]:
    """As text, for a `Charge` and a `Release` of the same amount are equal tuples."""
    return sorted(repr(one) for one in actions if isinstance(one, Charge | Release) and one.amount)


def submits(actions: list[Action]) -> list[Action]:
    return [action for action in actions if isinstance(action, Submit)]
