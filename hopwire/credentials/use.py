"""When keys were used and seen in a URL: remembered in the process, written down now and then."""

from hopwire.regularly import regularly
from hopwire.store.directory import Directory

WRITE_S = 30.0
MINUTE_MS = 60_000

Seen = dict[int, int]
"""Id of a key -> when it was seen last, to the minute."""


class KeyUse:
    """A crash forgets the last half minute of it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._used: Seen = {}
        self._in_url: Seen = {}

    def used(self, key_id: int, now: int) -> None:
        self._used[key_id] = now - now % MINUTE_MS

    def in_url(self, key_id: int, now: int) -> None:
        self._in_url[key_id] = now - now % MINUTE_MS

    async def write(self) -> None:
        """Write down what was seen since the last time; raises Unavailable, and remembers it then."""
        used, self._used = self._used, {}
        in_url, self._in_url = self._in_url, {}
        if not used and not in_url:
            return
        try:
            await self._directory.keys_seen(_by_moment(used), _by_moment(in_url))
        except BaseException:  # also when it is stopped meanwhile
            self._used = used | self._used
            self._in_url = in_url | self._in_url
            raise

    async def watch(self) -> None:
        """Write now and then, until cancelled."""
        await regularly(self.write, WRITE_S, "when keys were used could not be written down")


def _by_moment(seen: Seen) -> dict[int, list[int]]:
    moments: dict[int, list[int]] = {}
    for key_id, at in sorted(seen.items()):
        moments.setdefault(at, []).append(key_id)
    return moments
