"""What can happen to a delivery, and what is to be done about it then; see `delivery.advance`."""

from collections.abc import Container
from typing import NamedTuple

from hopwire.model import Answer, Fault, Outcome

# ---- events


class Begin(NamedTuple):
    """A worker hands the next part over now, and answers for it until the lease ends."""

    lease_ms: int


class Spared(NamedTuple):
    """The step is due and not handed over, for it is known what the answer would be."""

    step: int
    code: str
    fault: Fault


class Stopped(NamedTuple):
    """The step is due, and the recipient wants no more messages of the account: what has not left stays."""

    step: int


class Answered(NamedTuple):
    """A connector answered a submit."""

    step: int
    part: int
    answer: Answer
    connector: str = ""  # which; "": the one that carries the step


class Rerouted(NamedTuple):
    """A connector takes nothing: what waits for it goes by one of these."""

    step: int
    connector: str
    to: Container[str]
    why: str


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
    """The client takes a scheduled message back, or the operator one that is held."""


class Freed(NamedTuple):
    """The operator lets a message go that is held."""


Event = Begin | Spared | Stopped | Answered | Rerouted | Reported | Timer | Orphaned | Delete | Freed


# ---- actions


class Submit(NamedTuple):
    """Hand this part of the step to its connector."""

    step: int
    part: int


class Charge(NamedTuple):
    step: int
    amount: int


class Release(NamedTuple):
    step: int
    amount: int


class Commission(NamedTuple):
    """Of what is charged, the reseller's."""

    step: int
    amount: int


class Cost(NamedTuple):
    """What the step costs us."""

    step: int
    amount: int


class DoubleDelivery(NamedTuple):
    """Viber delivered after the SMS had left."""


Action = Submit | Charge | Release | Commission | Cost | DoubleDelivery
