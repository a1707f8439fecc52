"""SQLite's checkpoints, made by a thread: what is in the write-ahead log is carried into the file beside the
commits, so that none of them waits for it.

Rule 1: the log begins anew only when all of it has been carried over and nobody writes. So the thread carries
nearly all of a long log, and the loop, where all commits are made, the little that has come meanwhile.
Rule 2: whatever happens here, nothing is lost: SQLite makes the checkpoints again with the commits.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

log = logging.getLogger(__name__)

EVERY_S = 0.5
LONG = 2_000  # pages, 8 MB, from which the log is made to begin anew; a shorter one does so when it is quiet
CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"  # which waits for nobody, and lets everybody write and read
WITH_COMMITS = "PRAGMA wal_autocheckpoint = 1000"  # pages, as SQLite has it by itself
NOT_WITH_COMMITS = "PRAGMA wal_autocheckpoint = 0"


async def beside(commits: sqlite3.Connection, connect: Callable[[], sqlite3.Connection]) -> None:
    """Make the checkpoints of the connection that commits on this loop, until cancelled.

    `connect` opens another connection to the file, for the thread. Both have ended when this has.
    """
    loop = asyncio.get_running_loop()
    try:
        with closing(connect()) as other, ThreadPoolExecutor(1, "checkpoints") as thread:
            commits.execute(NOT_WITH_COMMITS)
            while True:
                await asyncio.sleep(EVERY_S)
                if await loop.run_in_executor(thread, _carry, other):
                    commits.execute(CHECKPOINT)
    except Exception:  # full, broken, or a bug: the commits can do without
        log.exception("checkpoints are made with commits from now on")
        commits.execute(WITH_COMMITS)


def _carry(other: sqlite3.Connection) -> bool:
    """Carry over what is in the log; whether it is long, and nearly all of it has been carried."""
    _, pages, carried = other.execute(CHECKPOINT).fetchone()
    if pages < LONG or carried < pages:  # or somebody reads what was there before: then it cannot begin anew
        return False
    other.execute(CHECKPOINT)  # what has come meanwhile; now little is left
    return True
