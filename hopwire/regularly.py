"""Work that a process does now and then, for as long as it lives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hopwire.errors import Unavailable

log = logging.getLogger(__name__)


async def regularly(work: Callable[[], Awaitable[object]], every_s: float, trouble: str) -> None:
    """Do it every so many seconds, until cancelled; what a turn leaves undone is the next one's.

    That the store is away is expected; of everything else it is logged that there is this trouble.
    """
    while True:
        await asyncio.sleep(every_s)
        try:
            await work()
        except Unavailable:
            pass  # the next turn does it
        except Exception:  # a bug: the next turn tries again
            log.exception(trouble)
