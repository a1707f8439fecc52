"""What happens to a message in the simulators: the last two digits of the recipient's number choose.

Rule 1: an ending is known to this table alone; the simulators play the row they are given.
Rule 2: `says` is what a reader is told about the rest of the row; the documentation is printed from it.
"""

from collections.abc import Hashable
from enum import Enum, IntEnum
from typing import NamedTuple


class Callback(IntEnum):
    """`message_status` of a Viber callback."""

    DELIVERED = 0
    SEEN = 1
    EXPIRED = 2


class When(Enum):
    """What the Viber callbacks wait for."""

    SOON = "soon"
    TTL = "ttl"  # the end of the message's time to live
    REDIRECT = "redirect"  # an SMS to the same number


class State(IntEnum):
    """`message_state` of an SMS receipt (SMPP 3.4, 5.2.28)."""

    DELIVRD = 2
    UNDELIV = 5


class Viber(NamedTuple):
    says: str = "delivered"
    status: int = 0  # of the answer
    refusals: int = 0  # temporary failures before that
    hangs_up: bool = False  # takes the message and closes the connection without an answer
    callbacks: tuple[Callback, ...] = (Callback.DELIVERED,)
    when: When = When.SOON


class Sms(NamedTuple):
    says: str = "delivered"
    status: int = 0  # of the submit_sm_resp
    refusals: int = 0  # ESME_RTHROTTLED before that
    answers: bool = True  # false: takes the message and sends no submit_sm_resp
    first_part: State = State.DELIVRD
    other_parts: State = State.DELIVRD
    receipts: int = 1  # how often each one is sent
    receipts_first: bool = False  # before the submit_sm_resp


class Scenario(NamedTuple):
    viber: Viber = Viber()
    sms: Sms = Sms()


DELIVERED, SEEN, EXPIRED = Callback

OTHERWISE = Scenario()

SCENARIOS = {
    "01": Scenario(Viber("delivered, then seen", callbacks=(DELIVERED, SEEN))),
    "02": Scenario(Viber("not a Viber user (9)", status=9)),
    "03": Scenario(Viber("blocked (8)", status=8)),
    "04": Scenario(Viber("no suitable device (10)", status=10)),
    "05": Scenario(
        Viber("taken, then silence until the TTL, then expired", callbacks=(EXPIRED,), when=When.TTL)
    ),
    "06": Scenario(
        Viber("not a Viber user (9)", status=9),
        Sms("undeliverable", first_part=State.UNDELIV, other_parts=State.UNDELIV),
    ),
    "07": Scenario(
        Viber("taken, silence, and “delivered” after the redirect has left", when=When.REDIRECT),
    ),
    "08": Scenario(
        Viber("temporary failure twice, then delivered", refusals=2),
        Sms("throttled twice, then delivered", refusals=2),
    ),
    "09": Scenario(
        Viber("the connection closes with no answer; the callback says delivered", hangs_up=True),
        Sms("no submit_sm_resp; the receipt says delivered", answers=False),
    ),
    "10": Scenario(
        Viber("seen before delivered, each twice", callbacks=(SEEN, SEEN, DELIVERED, DELIVERED)),
        Sms("receipt before submit_sm_resp, twice", receipts=2, receipts_first=True),
    ),
    "11": Scenario(
        Viber("invalid number (27)", status=27),
        Sms("ESME_RINVDSTADR", status=0x0B),
    ),
    "12": Scenario(
        Viber("taken, silence for ever, not even expired", callbacks=()),
        Sms("first part delivered, the others undeliverable", other_parts=State.UNDELIV),
    ),
}


def scenario(number: str) -> Scenario:
    """The row for a recipient's number, digits."""
    return SCENARIOS.get(number[-2:], OTHERWISE)


def table() -> list[tuple[str, str, str]]:
    """What readers are told: ending, Viber, SMS."""
    rows = [(ending, row.viber.says, row.sms.says) for ending, row in SCENARIOS.items()]
    return [*rows, ("any other", OTHERWISE.viber.says, OTHERWISE.sms.says)]


class Refusals:
    """Counts how often something was refused, and forgets it when it passes; the oldest of many go first."""

    def __init__(self, limit: int = 10_000) -> None:
        self._counts: dict[Hashable, int] = {}
        self._limit = limit

    def refuse(self, key: Hashable, times: int) -> bool:
        """Whether to refuse this time, when every key is refused so many times before it passes."""
        count = self._counts.pop(key, 0)
        if count >= times:
            return False
        self._counts[key] = count + 1
        if len(self._counts) > self._limit:
            del self._counts[next(iter(self._counts))]
        return True
