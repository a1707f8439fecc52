"""Mail that has not left yet.

Rule 1: a letter may hold a link that is a secret: when it has been sent, or is given up, it is deleted.
Rule 2: who takes a letter has it alone until his lease ends; one that was being sent when he died may leave
twice.
Rule 3: a letter to nobody is kept like any other, and dropped: so that an address that is known here takes as
long as one that is not.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from hopwire.model import Account
from hopwire.store.directory import account_of
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.notices import Notice
from hopwire.store.rows import plain

DAY_MS = 86_400_000
GIVE_UP_MS = DAY_MS
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 30_000, 3_600_000
SERIES = "mailed/notices"  # the counter that tells up to which notice that was done
SETTLED_MS = 3_000  # a notice that is older has no predecessor that is still being committed


class Letter(NamedTuple):
    recipient: str  # an address; "": nobody
    subject: str
    body: str


class Mail(NamedTuple):
    """A letter on its way."""

    id: int
    at: int
    tries: int  # this one included
    letter: Letter


class Mails:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def put(self, letters: Sequence[Letter], now: int) -> None:
        """Have them sent."""
        await self.engine.write(lambda tx: put_letters(tx, letters, now))

    async def waits(self, now: int) -> bool:
        """Whether there is something to send, or to write about; this writes nothing."""
        return bool(await self.engine.read(lambda tx: tx.all("mail_waits", name=SERIES, now=now)))

    async def take(self, n: int, lease_ms: int, now: int) -> list[Mail]:
        """What is due, the oldest first; nobody else is given it until the lease ends."""

        def work(tx: Tx) -> list[Mail]:
            rows = tx.all("due_mails", n=n, now=now)
            tx.many("lease_mail", [(now + lease_ms, row[0]) for row in rows])
            return [Mail(id, at, tries + 1, Letter(*letter)) for id, at, tries, *letter in rows]

        return await self.engine.write(work)

    async def sent(self, ids: Sequence[int]) -> None:
        """They have left, or never will."""
        await self.engine.write(lambda tx: tx.run("drop_mails", ids=list(ids)))

    async def later(self, mails: Sequence[Mail], now: int) -> list[Mail]:
        """Try again after a pause that grows; those that are given up, a day after they were put."""
        old = [mail for mail in mails if mail.at <= now - GIVE_UP_MS]
        again = [(now + pause_ms(mail.tries), mail.id) for mail in mails if mail not in old]

        def work(tx: Tx) -> None:
            tx.many("put_off_mail", again)
            tx.run("drop_mails", ids=[mail.id for mail in old])

        await self.engine.write(work)
        return old

    async def put_notices(self, write: Callable[[Account, Notice], Letter], now: int) -> int:
        """Put a letter for each new notice of a kind that its account wants mailed, once; how many.

        `write` is a pure function, which may be called more than once.
        """

        def work(tx: Tx) -> int:
            held = tx.all("hold_series", name=SERIES)  # none: another worker is at it
            found = [row for (after,) in held for row in tx.all("notices_after", after=after, n=500)]
            rows = list(takewhile(lambda row: int(row[1]) <= now - SETTLED_MS, found))
            if not rows:
                return 0
            tx.run("move_series", name=SERIES, value=rows[-1][0])
            letters = [write(account, notice) for account, notice in _wanted(rows, now)]
            put_letters(tx, letters, now)
            return len(letters)

        return await self.engine.write(work)


def _wanted(rows: Sequence[Row], now: int) -> Iterator[tuple[Account, Notice]]:
    """Those whose account wants them mailed, and that are not old news."""
    for row in rows:
        notice, account = Notice(*row[1:6]), account_of(row[6:])
        if account.email and notice.kind in account.mailed.split(",") and notice.at > now - DAY_MS:
            yield account, notice


def pause_ms(tries: int) -> int:
    """After so many tries."""
    return min(FIRST_PAUSE_MS << (tries - 1), LONGEST_PAUSE_MS)


# ---- inside a transaction


def put_letters(tx: Tx, letters: Iterable[Letter], now: int) -> None:
    tx.many("create_mail", [(now, now, 0, *map(plain, letter)) for letter in letters])
