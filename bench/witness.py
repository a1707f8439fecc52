"""What the machine itself does while something is measured on it, as one sees it who does next to nothing.

A disk that others use, too, makes everybody wait at times, and so does a processor. A witness writes 4 KiB to
a file of its own, beside the database, ten times a second, and sleeps in between: how long the disk took at
worst, and how much too late it woke.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.measure import BLOCK, timed_sync

PAUSE_S = 0.1


class Seen(msgspec.Struct):
    """The longest of each in some time."""

    sync_ms: float = 0.0  # until a block that was written in place was on disk
    late_ms: float = 0.0  # from when it was to wake until it did

    def worse(self, other: "Seen") -> "Seen":
        """The longest of both."""
        return Seen(max(self.sync_ms, other.sync_ms), max(self.late_ms, other.late_ms))

    def rounded(self) -> "Seen":
        """In tenths of milliseconds."""
        return Seen(round(self.sync_ms, 1), round(self.late_ms, 1))


class Witness:
    """Looks in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = Seen()

    def since_last(self) -> Seen:
        """What was seen since the last time this was asked."""
        with self._lock:
            seen, self._seen = self._seen, Seen()
        return seen

    def look(self, fd: int, end: threading.Event) -> None:
        """Look until the end; `fd` is of a file that has its block on disk."""
        while not end.is_set():
            began = time.monotonic()
            end.wait(PAUSE_S)
            late_s = max(0.0, time.monotonic() - began - PAUSE_S)
            # not its times as well: for them the file system would sync what others wrote
            seen = Seen(timed_sync(os.fdatasync, fd) * 1000, late_s * 1000)
            with self._lock:
                self._seen = self._seen.worse(seen)


@contextlib.contextmanager
def witness(folder: Path) -> Iterator[Witness]:
    """One that looks until it is left; its file is in the folder, and goes then."""
    path, end, one = folder / "witness", threading.Event(), Witness()
    with path.open("wb", buffering=0) as file:
        file.write(bytes(BLOCK))
        os.fsync(file.fileno())
        thread = threading.Thread(target=one.look, args=(file.fileno(), end), daemon=True)
        thread.start()
        try:
            yield one
        finally:
            end.set()
            thread.join()
    path.unlink()
