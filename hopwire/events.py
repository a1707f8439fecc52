"""What can happen to a delivery, and what is to be done about it then; see `delivery.advance`."""

from collections.abc import Container

from hopwire.model import Answer, Fact, Fault, Outcome

# ---- events


class Begin(Fact, frozen=True):
    """A worker hands the next part over now, and answers for it until the lease ends."""

    lease_ms: int


class Spared(Fact, frozen=True):
    """The step is due and not handed over, for it is known what the answer would be."""

    step: int
    code: str
    fault: Fault


class Stopped(Fact, frozen=True):
    """The step is due, and the recipient wants no more messages of the account: what has not left stays."""

    step: int


class Answered(Fact, frozen=True):
    """A connector answered a submit."""

    step: int
    part: int
    answer: Answer
    connector: str = ""  # which; "": the one that carries the step


class Rerouted(Fact, frozen=True):
    """A connector takes nothing: what waits for it goes by one of these."""

    step: int
    connector: str
    to: Container[str]
    why: str


class Reported(Fact, frozen=True):
    """A receipt for this part came."""

    step: int
    part: int
    outcome: Outcome
    code: str
    fault: Fault


class Timer(Fact, frozen=True):
    """`timer_at` has come."""


class Orphaned(Fact, frozen=True):
    """The worker that was handing it over is gone."""


class Delete(Fact, frozen=True):
    """The client takes a scheduled message back, or the operator one that is held."""


class Freed(Fact, frozen=True):
    """The operator lets a message go that is held."""


Event = Begin | Spared | Stopped | Answered | Rerouted | Reported | Timer | Orphaned | Delete | Freed


# ---- actions


class Submit(Fact, frozen=True):
    """Hand this part of the step to its connector."""

    step: int
    part: int


class Charge(Fact, frozen=True):
    step: int
    amount: int


class Release(Fact, frozen=True):
    step: int
    amount: int


class Commission(Fact, frozen=True):
    """Of what is charged, the reseller's."""

    step: int
    amount: int


class Cost(Fact, frozen=True):
    """What the step costs us."""

    step: int
    amount: int


class DoubleDelivery(Fact, frozen=True):
    """Viber delivered after the SMS had left."""


Action = Submit | Charge | Release | Commission | Cost | DoubleDelivery
