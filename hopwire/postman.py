"""Sends the mail that waits, and writes letters about new notices; in the worker processes.

Rule 1: a letter that cannot leave is tried again after pauses that grow, for a day.
Rule 2: nothing of a letter is logged but its number.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from hopwire import mail
from hopwire.config import Config
from hopwire.errors import Unavailable
from hopwire.model import Account
from hopwire.store.engine import Engine
from hopwire.store.mails import Letter, Mail, Mails
from hopwire.store.notices import Notice

log = logging.getLogger(__name__)

POLL_S = 1.0
RETRY_S = 5.0  # after the store was unavailable
AT_ONCE = 10
LEASE_MS = 120_000  # longer than the mail server may take

Write = Callable[[Account, Notice], Letter]


class Postman:
    def __init__(self, engine: Engine, config: Config, write: Write, clock: Callable[[], int]) -> None:
        """`write` makes a letter about a notice, in the language of its account."""
        self._mails = Mails(engine)
        self._send: Callable[..., Awaitable[None]] = partial(mail.send, config.mail, config.cabinet.name)
        self._write = write
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if await self._mails.waits(self._clock()):
                    await self._mails.put_notices(self._write, self._clock())
                    await self.turn()
                await asyncio.sleep(POLL_S)
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            except Exception:  # a bug: what was taken is due again when its lease ends
                log.exception("the loop that sends mail failed")
                await asyncio.sleep(RETRY_S)

    async def turn(self) -> int:
        """Send the first of what is due; how many letters that were."""
        taken = await self._mails.take(AT_ONCE, LEASE_MS, self._clock())
        answers = await asyncio.gather(*map(self._hand_over, taken))
        gone = [one.id for one, has_left in zip(taken, answers, strict=True) if has_left]
        again = [one for one, has_left in zip(taken, answers, strict=True) if not has_left]
        if gone:
            await self._mails.sent(gone)
        for one in await self._mails.later(again, self._clock()) if again else ():
            log.error("mail id=%d given up after tries=%d", one.id, one.tries)
        return len(taken)

    async def _hand_over(self, one: Mail) -> bool:
        """Whether it needs no other try."""
        if not one.letter.recipient:
            return True
        try:
            await self._send(*one.letter)
        except mail.MailError as error:
            log.warning("mail id=%d try=%d why=%s final=%s", one.id, one.tries, error, error.final)
            return error.final
        log.info("mail id=%d try=%d sent", one.id, one.tries)
        return True


@contextlib.asynccontextmanager
async def at_work(postman: Postman) -> AsyncIterator[None]:
    """The postman goes round; on leaving he has stopped, and what he had taken is due again later."""
    running = asyncio.ensure_future(postman.run())
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
