"""Counters and timings, for Prometheus. No number, name or text of a message is ever a label.

One process keeps them in memory. Several (web and worker) keep them in files of one folder, which the
supervisor names in the environment, and any of them tells the sum.
"""

import os
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # names a folder when several processes add up to one gateway

REGISTRY = CollectorRegistry()


class Durations(Histogram):
    """A histogram that is told of many at once; by itself each is two writes into what all share."""

    def observe_all(self, seconds: Sequence[float]) -> None:
        self._sum.inc(sum(seconds))
        for bucket, n in Tally(bisect_left(self._upper_bounds, one) for one in seconds).items():
            self._buckets[bucket].inc(n)


REQUESTS = Counter(
    "hopwire_requests", "Requests to the /api paths.", ["command", "answer"], registry=REGISTRY
)
REPLY_SECONDS = Durations(
    "hopwire_reply_seconds",
    "Time from a request to its reply.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
SUBMITS = Counter(
    "hopwire_submits", "Parts handed to a connector.", ["connector", "answer"], registry=REGISTRY
)
REPEATED = Counter(
    "hopwire_possible_duplicates",
    "Parts submitted again after an answer was lost.",
    ["connector"],
    registry=REGISTRY,
)
REROUTED = Counter(
    "hopwire_rerouted",
    "Steps that another connector carries, by the connector that they have left.",
    ["connector"],
    registry=REGISTRY,
)
RECEIPTS = Counter("hopwire_receipts", "Receipts taken.", ["connector", "outcome"], registry=REGISTRY)
DOUBLE_DELIVERIES = Counter(
    "hopwire_double_deliveries", "Messages that Viber delivered after the SMS had left.", registry=REGISTRY
)
ALERTS = Counter(
    "hopwire_alerts",
    "What an operator must look at: refusals for our configuration, connectors that make no sense.",
    ["connector"],
    registry=REGISTRY,
)
NOTICES = Counter(
    "hopwire_notices",
    "Notices that were given: money that runs out, spending, messages that are held.",
    ["kind"],
    registry=REGISTRY,
)
THROTTLED = Counter(
    "hopwire_throttled",
    "Parts that a connector refused because they came too fast.",
    ["connector"],
    registry=REGISTRY,
)
INCOMING = Counter("hopwire_incoming", "Messages from phones taken.", ["connector"], registry=REGISTRY)
BINDS = Counter(
    "hopwire_binds",
    "Binds of SMPP sessions, by what the SMSC said.",
    ["connector", "answer"],
    registry=REGISTRY,
)
SESSIONS = Gauge(
    "hopwire_connector_sessions",
    "SMPP sessions that are bound.",
    ["connector"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
IN_FLIGHT = Gauge(
    "hopwire_connector_in_flight",
    "Parts that wait for the connector's answer.",
    ["connector"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
RATE = Gauge(
    "hopwire_connector_rate",
    "Parts a second that the connector may be given now; -1: no limit.",
    ["connector"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
PAUSED = Gauge(
    "hopwire_connector_paused",
    "1 while the operator has paused the connector.",
    ["connector"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
CAPACITY = Gauge(
    "hopwire_connector_capacity",
    "Parts that the connector would take now; 0 while it is away or paused.",
    ["connector"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
BACKLOG = Gauge(
    "hopwire_backlog",
    "Messages that are due and not handed over.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
BACKLOG_SECONDS = Gauge(
    "hopwire_backlog_seconds",
    "How long the oldest of them has been due.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)


class Replies:
    """Requests that were answered, to be counted together."""

    def __init__(self) -> None:
        self._answers: list[tuple[str, str]] = []
        self._seconds: list[float] = []

    def note(self, command: str, answer: str, took_s: float) -> bool:
        """One was answered; whether it is the first that `count` would count."""
        self._answers.append((command, answer))
        self._seconds.append(took_s)
        return len(self._seconds) == 1

    def count(self) -> None:
        """Count all that have been noted."""
        for (command, answer), n in Tally(self._answers).items():
            REQUESTS.labels(command, answer).inc(n)
        REPLY_SECONDS.observe_all(self._seconds)
        self._answers, self._seconds = [], []


def text() -> bytes:
    """All of them in the Prometheus text format."""
    if not os.environ.get(SHARED):
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)
