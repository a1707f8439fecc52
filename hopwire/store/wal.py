"""SQLite's write-ahead log as a file that is brought to disk while the loop goes on.

A commit writes to the log, which costs little, and waits for the disk, which takes half a millisecond and
needs no CPU. While the gateway lives, SQLite only writes (`synchronous=NORMAL`), and the kernel is asked for
the rest: io_submit(2) with IOCB_CMD_FDSYNC. A thread of ours would have to take turns with the loop.

Rule 1: nothing that a commit has done is answered, handed over or read here before it is on disk.
Rule 2: when the disk fails, nobody knows what is on it: the process ends without an answer, as if it had
crashed, and what is left is looked for at the next start.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from caio import linux_aio

log = logging.getLogger(__name__)


class Wal:
    """The log of a database that stays open; one sync is under way at a time."""

    def __init__(self, database: Path) -> None:
        """Raises OSError where there is no log, or the system lets nobody wait this way."""
        self._file = os.open(f"{database}-wal", os.O_RDONLY)
        try:
            self._kernel = _kernel()
        except BaseException:
            os.close(self._file)
            raise
        self._done: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._kernel.fileno, self._look)

    def sync(self, done: Callable[[], None]) -> None:
        """Call back, on the loop, when all that has been written to the log is on disk."""
        self._done = done
        self._wanted = linux_aio.Operation.fdsync(self._file)
        try:
            if self._kernel.submit(self._wanted) != 1:
                raise OSError("the kernel has not taken it")
        except Exception:
            _give_up()

    def close(self) -> None:
        """No sync may be under way."""
        self._loop.remove_reader(self._kernel.fileno)
        os.close(self._file)

    def _look(self) -> None:
        """The kernel has something to tell."""
        try:
            self._kernel.poll()
            if not self._kernel.process_events():
                return
            self._wanted.get_value()
        except BlockingIOError:
            return  # woken for nothing
        except Exception:
            _give_up()
        done, self._done = self._done, None
        if done is not None:
            done()


def _kernel() -> Any:
    if linux_aio is None:  # another system than Linux
        raise OSError("this system has no such call")
    try:
        return linux_aio.Context(max_requests=1)
    except SystemError as exc:  # caio's, with the error of io_setup(2)
        raise OSError(*exc.args) from exc


def _give_up() -> None:
    log.critical("the disk has failed: the write-ahead log could not be synced", exc_info=True)
    logging.shutdown()
    os._exit(os.EX_IOERR)
