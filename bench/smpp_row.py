"""One row of bench/smpp as the process that sends it sees it: its job, the message, the stopwatch.

Rule: the standard library and nothing else, because the Python of the peers imports this, too.
"""

import json
import resource
import signal
import sys
import time
from dataclasses import asdict, dataclass

TEXT = "Your parcel 4829 is here. Collect it by Friday 18:00, desk 12."  # 62 characters
SOURCE, SOURCE_TON, SOURCE_NPI = "hopwire", 5, 0
DESTINATION, DESTINATION_TON, DESTINATION_NPI = "380500000013", 1, 1
SYSTEM_ID, PASSWORD = "bench", "secret"


@dataclass(frozen=True, kw_only=True)
class Job:
    port: int
    window: int  # submits under way at once
    messages: int  # that are measured
    receipts: bool  # whether each asks for one, and waits for it

    @property
    def warm_up(self) -> int:
        """Messages sent beforehand, which are not measured."""
        return max(1, self.messages // 10)


@dataclass(frozen=True, kw_only=True)
class Figures:
    seconds: float
    cpu_s: float  # of this process, user and system


class Stopwatch:
    """Runs from the moment when it is made."""

    def __init__(self) -> None:
        self._cpu_s, self._began_at = _cpu_s(), time.perf_counter()

    def figures(self) -> Figures:
        seconds = time.perf_counter() - self._began_at
        return Figures(seconds=seconds, cpu_s=_cpu_s() - self._cpu_s)


def job() -> Job:
    """What this process was started for: its only argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us decides
    return Job(**json.loads(sys.argv[1]))


def tell(figures: Figures) -> None:
    """What came of it: the only line of standard output."""
    print(json.dumps(asdict(figures)), flush=True)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
