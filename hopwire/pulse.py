"""How well a connector has answered in the last minute.

A refusal that is about the message alone, or that asks for less, is a good answer: the connector is well.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from hopwire.model import Answer, Fault, Later, Never, Taken, Unknown

SPAN_MS = 60_000
SLOT_MS = 5_000  # answers are forgotten so many milliseconds' worth at a time
FEW = 5  # answers; of fewer nothing is said about errors


class Slot(NamedTuple):
    """What was answered in one of the slots."""

    at: int
    answers: int = 0
    errors: int = 0
    total_ms: float = 0.0


class Pulse:
    """The answers of one connector."""

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()

    def note(self, answers: Iterable[Answer], took_ms: float, now: int) -> None:
        """It has given each of these answers after so many milliseconds."""
        asked = [one for one in answers if isinstance(one, Taken | Unknown) or not one.unasked]
        at = now - now % SLOT_MS
        last = self._slots.pop() if self._slots and self._slots[-1].at == at else Slot(at)
        errors = sum(map(is_error, asked))
        took_ms *= len(asked)
        self._slots.append(Slot(at, last.answers + len(asked), last.errors + errors, last.total_ms + took_ms))

    def told(self, now: int) -> tuple[float | None, int | None]:
        """The share of errors, and the mean time to an answer in milliseconds."""
        while self._slots and self._slots[0].at < now - SPAN_MS:
            self._slots.popleft()
        answers = sum(slot.answers for slot in self._slots)
        if not answers:
            return None, None
        errors = sum(slot.errors for slot in self._slots)
        mean_ms = round(sum(slot.total_ms for slot in self._slots) / answers)
        return round(errors / answers, 3) if answers >= FEW else None, mean_ms


def is_error(answer: Answer) -> bool:
    """Whether something is wrong with the connector, or with our account there."""
    match answer:
        case Never(_, fault):
            return fault is Fault.CONFIGURATION
        case Later():
            return not answer.throttled
        case _:
            return isinstance(answer, Unknown)
