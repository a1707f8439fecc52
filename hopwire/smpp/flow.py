"""How fast one SMSC account may be fed: a token bucket that gives way when the SMSC complains.

Rule 1: nothing here reads a clock; `now` is in seconds of any steady clock.
Rule 2: a throttled answer halves the rate and pauses, once for all that left before the pause; then the rate
grows by a tenth a second, or by one a second where that is more, up to the limit.
"""

import math

BURST_S = 0.1  # so much of a second's messages may leave at once after a silence
PAUSE_S = (1.0, 30.0)  # after throttling, doubled while it lasts
GROWTH = 1.1  # of the rate, in a second
FREE = 10_000.0  # a rate that has grown this far without complaint is none


class Flow:
    """Shared by all sessions of a connector. `limit`: messages a second; 0: as many as the SMSC takes."""

    def __init__(self, limit: float, now: float) -> None:
        self._limit = limit or math.inf
        self._rate = self._limit
        self._tokens = self._burst
        self._at = now  # of `_tokens` and `_rate`
        self._pause_s = PAUSE_S[0]
        self._paused_until = -math.inf
        self._slowed_at = -math.inf
        self._second = math.floor(now)
        self._counts = (0, 0)  # messages of the second before, and of this one

    @property
    def rate(self) -> float | None:
        """Messages a second that may leave now; None: no limit."""
        return None if self._rate == math.inf else self._rate

    def paused(self, now: float) -> bool:
        """Whether the SMSC has asked for fewer messages just now."""
        return now < self._paused_until

    def room(self, now: float) -> int:
        """How many messages may leave now."""
        if now < self._paused_until:
            return 0
        if self._rate == math.inf:
            return 1_000_000
        self._refill(now)
        return int(self._tokens)

    def spend(self, now: float) -> None:
        """One message leaves."""
        if self._rate != math.inf:
            self._tokens -= 1
        second = math.floor(now)
        if second != self._second:
            self._counts = (self._counts[1] if second == self._second + 1 else 0, 0)
            self._second = second
        self._counts = (self._counts[0], self._counts[1] + 1)

    def ready_at(self, now: float) -> float:
        """When there is room again."""
        if self._rate == math.inf:
            return max(now, self._paused_until)
        self._refill(now)
        missing = max(0.0, 1.0 - self._tokens)
        return max(now, self._paused_until) + missing / self._rate

    def throttled(self, left_at: float, now: float) -> None:
        """The SMSC complains about a message that left then."""
        if left_at <= self._slowed_at or now < self._paused_until:
            return  # it left before we had slowed down
        self._refill(now)
        self._rate = max(1.0, min(self._rate, float(max(self._counts))) / 2)
        self._tokens = 1.0  # one message tries whether the pause was long enough
        self._slowed_at = self._paused_until = now + self._pause_s
        self._at = self._paused_until  # neither tokens nor the rate grow in the pause
        self._pause_s = min(2 * self._pause_s, PAUSE_S[1])

    def taken(self, left_at: float) -> None:
        """The SMSC has taken a message that left then: the next pause is a short one again."""
        if left_at > self._slowed_at:
            self._pause_s = PAUSE_S[0]

    @property
    def _burst(self) -> float:
        return 0.0 if self._rate == math.inf else max(1.0, self._rate * BURST_S)

    def _refill(self, now: float) -> None:
        passed_s = now - self._at
        if passed_s <= 0 or self._rate == math.inf:
            return
        self._at = now
        self._tokens = min(self._burst, self._tokens + passed_s * self._rate)
        self._rate = min(self._limit, max(self._rate * GROWTH**passed_s, self._rate + passed_s))
        if self._rate >= FREE and self._limit == math.inf:
            self._rate = math.inf
