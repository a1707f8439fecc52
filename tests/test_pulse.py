import pytest

from hopwire.model import Answer, Fault, Later, Never, Taken, Unknown
from hopwire.pulse import Pulse, is_error

NOW = 1_800_000_000_000
TAKEN = Taken("1")
BUSY = Later(1, "busy")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (TAKEN, False),
        (BUSY, True),
        (Later(1, "slow down", throttled=True), False),
        (Unknown("no answer"), True),
        (Never("no", Fault.CONFIGURATION), True),
        *((Never("no", fault), False) for fault in Fault if fault is not Fault.CONFIGURATION),
    ],
)
def test_what_counts_as_an_error(answer: Answer, error: bool) -> None:
    assert is_error(answer) == error


def pulse(*answers: Answer, took_ms: float = 10, at: int = NOW) -> Pulse:
    made = Pulse()
    made.note(answers, took_ms, at)
    return made


def test_nothing_is_told_of_no_answers() -> None:
    assert Pulse().told(NOW) == (None, None)


def test_of_few_answers_only_the_time_is_told() -> None:
    assert pulse(*[BUSY] * 4).told(NOW) == (None, 10)
    assert pulse(*[BUSY] * 5).told(NOW) == (1.0, 10)


def test_errors_are_a_share_and_the_time_is_a_mean() -> None:
    made = pulse(TAKEN, TAKEN, TAKEN, BUSY)
    made.note([TAKEN], 60, NOW + 20_000)
    assert made.told(NOW + 20_000) == (0.2, 20)


def test_what_was_not_asked_is_no_answer() -> None:
    unasked = Later(1, "no room", unasked=True), Never("paused", Fault.CONFIGURATION, unasked=True)
    assert pulse(*unasked * 5).told(NOW) == (None, None)


def test_a_minute_later_it_is_forgotten() -> None:
    made = pulse(*[BUSY] * 5)
    made.note([TAKEN], 10, NOW + 50_000)
    assert made.told(NOW + 50_000) == (round(5 / 6, 3), 10)
    assert made.told(NOW + 66_000) == (None, 10)
    assert made.told(NOW + 120_000) == (None, None)
