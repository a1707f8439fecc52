"""What a step under way is made of: parts, and the states that they move through.

    WAITING -> SENDING -> TAKEN -> DELIVERED -> SEEN
       ^         | |        |
       +- later -+ +-> UNKNOWN     FAILED and EXPIRED end a part from anywhere left of DELIVERED;
                                   a late "delivered" still outranks them.

The parts of a rung are handed over one after the other: each when the one before it has been answered. So
they arrive in order, one that must wait holds back those behind it, and what is behind a refused one stays.
"""

from enum import IntEnum

import msgspec
from msgspec.structs import replace

from hopwire.model import Fault, Step


class PartState(IntEnum):  # a receipt only raises it: seen > delivered > failed > expired > taken
    WAITING = 0
    SENDING = 1  # kept before the first byte left
    UNKNOWN = 2  # the answer was lost
    TAKEN = 3
    EXPIRED = 4
    FAILED = 5
    DELIVERED = 6
    SEEN = 7


WAITING, SENDING, UNKNOWN, TAKEN, EXPIRED, FAILED, DELIVERED, SEEN = PartState  # an enum looks each up anew
IN_DOUBT = (SENDING, UNKNOWN)
IN_FLIGHT = (*IN_DOUBT, TAKEN)


class Part(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    state: PartState = WAITING
    due_at: int = 0  # not handed over before this
    tries: int = 0  # temporary refusals, not counting throttling
    taken: bool = False  # an upstream has had it; SMS is charged by this
    repeated: bool = False  # waits for another try after a lost answer: a possible duplicate
    provider_id: str = ""
    code: str = ""  # the upstream's last word
    fault: Fault = Fault.RECIPIENT  # when FAILED

    @property
    def nameless(self) -> bool:
        """Handed over, and no provider's id is known by which receipts would find it."""
        return self.state in IN_DOUBT or (self.state is TAKEN and not self.provider_id)


class Rung(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A step under way."""

    plan: Step
    parts: tuple[Part, ...]
    give_up_at: int = 0  # waiting parts are not handed over after this
    handed_at: int | None = None  # the latest hand-over; the lifetime counts from here
    settled: bool = False  # its reservation is charged or released, whole

    @property
    def ends_at(self) -> int:
        return (self.handed_at or 0) + 1000 * (self.plan.lifetime_s + self.plan.grace_s)

    @property
    def next(self) -> int | None:
        """The part to hand over; None while another one waits for its answer, or when none is left."""
        found = None
        for i, part in enumerate(self.parts):
            if part.state is SENDING:
                return None
            if part.state is WAITING and found is None:
                found = i
        return found

    @property
    def under_way(self) -> tuple[PartState, ...]:
        """The states of parts that may still hear of themselves."""
        return IN_DOUBT if self.plan.reports == "none" else IN_FLIGHT

    def any(self, *states: PartState) -> bool:
        for part in self.parts:  # noqa: SIM110 - asked a dozen times per event; a generator costs thrice as much
            if part.state in states:
                return True
        return False

    def put(self, index: int, part: Part) -> "Rung":
        """The rung with this part."""
        return replace(self, parts=(*self.parts[:index], part, *self.parts[index + 1 :]))

    def free(self, index: int) -> bool:
        """Whether nothing of it but this part has left, or may have."""
        others = (part for i, part in enumerate(self.parts) if i != index)
        return all(part.state is WAITING and not part.repeated for part in others)
