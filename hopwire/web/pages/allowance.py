"""How much mail strangers may have sent: counted by the hour, in this process.

Rule: nothing here depends on whether an address is known.
"""

from collections import Counter

from hopwire import addresses

HOUR_MS = 3_600_000
TO_ADDRESS = 3
FROM_PLACE = 20  # a network's, see addresses.neighbourhood
IN_ALL = 1_000
REMEMBERED = 20_000


class Allowance:
    def __init__(self) -> None:
        self._hour = 0
        self._counts: Counter[str] = Counter()

    def asks(self, origin: str, now: int) -> bool:
        """Whether somebody from this address may ask for mail; it counts as asked."""
        place = f"from {addresses.neighbourhood(origin)}"
        return self._take(place, FROM_PLACE, now) and self._take("all", IN_ALL, now)

    def reaches(self, recipient: str, now: int) -> bool:
        """Whether one more letter may go to an address, known or not; it counts as sent."""
        return self._take(f"to {recipient}", TO_ADDRESS, now)

    def _take(self, what: str, most: int, now: int) -> bool:
        if now // HOUR_MS != self._hour or len(self._counts) >= REMEMBERED:
            self._hour, self._counts = now // HOUR_MS, Counter()
        self._counts[what] += 1
        return self._counts[what] <= most
