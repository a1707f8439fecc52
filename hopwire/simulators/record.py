"""What the simulators saw, for the phone page and for tests: bounded, in memory, in order.

Rule: a submission is what a gateway handed over, whatever became of it; a message is received when a phone
shows it. Moments are milliseconds since 1970-01-01 UTC, numbers are digits.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One hand-over, as the wire told it."""

    n: int
    channel: str  # "viber" or "sms"
    number: str
    at: int
    part: int
    parts: int
    reference: int | None  # Viber: seq; SMS: what ties the parts together, None for a single one
    text_hash: str  # SHA-256 of the payload, in hex
    provider_id: str  # empty when it was refused
    status: int | None  # what was answered; None: no answer
    repeated: bool  # the same was handed over and taken before


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One message on a phone."""

    n: int
    channel: str
    number: str
    sender: str
    kind: str  # "text", "image", "button" on Viber; "sms", "flash", "wap"
    at: int
    provider_ids: Sequence[str]  # one for each part
    parts: int = 1
    text: str = ""
    image: str = ""  # URL
    url: str = ""
    caption: str = ""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a phone shows of a message, whoever sent it."""

    kind: str
    text: str = ""
    image: str = ""
    url: str = ""
    caption: str = ""


class Record:
    """The latest submissions and received messages of all channels."""

    def __init__(self, limit: int = 100_000) -> None:
        self.submissions: deque[Submission] = deque()
        self.messages: deque[Received] = deque(maxlen=limit)
        self._limit = limit
        self._taken: Counter[tuple[str, str, int | None, int, str]] = Counter()
        self._counts = {channel: Counter[str]() for channel in ("viber", "sms")}
        self._watchers: set[asyncio.Event] = set()

    def submitted(
        self,
        channel: str,
        number: str,
        *,
        text_hash: str,
        provider_id: str,
        status: int | None,
        reference: int | None = None,
        part: int = 1,
        parts: int = 1,
    ) -> None:
        """Keep one hand-over; taken is what got a provider id."""
        counts = self._counts[channel]
        key = (channel, number, reference, part, text_hash)
        repeated = self._taken[key] > 0
        counts["submitted"] += 1
        counts["repeated"] += repeated
        if provider_id:
            counts["taken"] += 1
            self._taken[key] += 1
        self.submissions.append(
            Submission(
                n=self._counts["viber"]["submitted"] + self._counts["sms"]["submitted"],
                channel=channel,
                number=number,
                at=_now(),
                part=part,
                parts=parts,
                reference=reference,
                text_hash=text_hash,
                provider_id=provider_id,
                status=status,
                repeated=repeated,
            )
        )
        if len(self.submissions) > self._limit:
            self._forget(self.submissions.popleft())

    def received(
        self, channel: str, number: str, sender: str, shown: Shown, provider_ids: Sequence[str]
    ) -> None:
        """Keep one message that a phone shows, and tell those who watch."""
        self._counts[channel]["received"] += 1
        self.messages.append(
            Received(
                n=self.total_received,
                channel=channel,
                number=number,
                sender=sender,
                kind=shown.kind,
                text=shown.text,
                image=shown.image,
                url=shown.url,
                caption=shown.caption,
                parts=len(provider_ids),
                at=_now(),
                provider_ids=provider_ids,
            )
        )
        self.changed()

    @property
    def total_received(self) -> int:
        return sum(counts["received"] for counts in self._counts.values())

    def stats(self) -> dict[str, dict[str, int]]:
        """Counts by channel."""
        names = ("submitted", "taken", "repeated", "received")
        return {channel: {name: counts[name] for name in names} for channel, counts in self._counts.items()}

    def changed(self) -> None:
        for watcher in self._watchers:
            watcher.set()

    @contextmanager
    def watched(self) -> Iterator[asyncio.Event]:
        """An event that is set, by someone who clears it, whenever there is something new to show."""
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            yield event
        finally:
            self._watchers.discard(event)

    def _forget(self, old: Submission) -> None:
        if not old.provider_id:
            return
        key = (old.channel, old.number, old.reference, old.part, old.text_hash)
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]


def _now() -> int:
    return time.time_ns() // 1_000_000
