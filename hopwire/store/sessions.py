"""Who is signed in to the pages.

Rule: a cookie is kept only as its digest, so that who reads the database cannot sign in with it.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from hopwire.model import Account
from hopwire.store.directory import ACCOUNT, account_of
from hopwire.store.engine import Engine, Tx
from hopwire.store.rows import plain

HOUR_MS = 3_600_000
IDLE_MS = 12 * HOUR_MS  # since a page was seen last
LONGEST_MS = 7 * 24 * HOUR_MS
GUEST_MS = HOUR_MS  # of an operator in the cabinet of another
UNCONFIRMED_MS = 48 * HOUR_MS  # for so long a registration waits
SEEN_MS = 60_000  # how often that is written down


class Session(NamedTuple):
    """A browser that is signed in."""

    digest: str
    account_id: int
    operator_id: int | None  # the operator who looks at it as this account
    created_at: int
    seen_at: int
    proved_at: int  # when the password was typed last
    origin: str  # address
    agent: str  # as the browser calls itself

    def is_open(self, now: int) -> bool:
        """An operator's in the cabinet of another ends sooner."""
        longest = LONGEST_MS if self.operator_id is None else GUEST_MS
        return self.seen_at > now - IDLE_MS and self.created_at > now - longest


class SignedIn(NamedTuple):
    """A session, its account, and whether that has a second factor."""

    session: Session
    account: Account
    second_factor: bool


class Sessions:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def begin(
        self,
        account_id: int,
        origin: str,
        agent: str,
        now: int,
        operator_id: int | None = None,
        *,
        proved: bool = True,
    ) -> str:
        """Sign in; the cookie, which is told nowhere else.

        `proved`: the password was typed just now.
        """
        cookie = secrets.token_urlsafe(32)
        row = {
            "account_id": account_id,
            "operator_id": operator_id,
            "origin": origin,
            "agent": plain(agent)[:200],
            "proved_at": now if proved else 0,
        }

        def work(tx: Tx) -> None:
            tx.run("create_session", digest=digest_of(cookie), now=now, **row)

        await self.engine.write(work)
        return cookie

    async def find(self, cookie: str, now: int) -> SignedIn | None:
        """Who has this cookie, if the session has not ended; that it was seen is written down."""
        digest, n = digest_of(cookie), len(ACCOUNT)
        rows = await self.engine.read(lambda tx: tx.all("account_by_session", digest=digest))
        if not rows:
            return None
        session, account = Session(*rows[0][n:-1]), account_of(rows[0][:n])
        if not session.is_open(now):
            return None
        if session.seen_at <= now - SEEN_MS:
            await self.engine.write(lambda tx: tx.run("session_seen", digest=digest, at=now))
        return SignedIn(session, account, bool(rows[0][-1]))

    async def prove(self, session: Session, now: int) -> None:
        """The password was typed again."""
        await self.engine.write(lambda tx: tx.run("session_proved", digest=session.digest, at=now))

    async def of(self, account_id: int) -> list[Session]:
        """An account's own, the one seen last first; those of operators are not told."""
        rows = await self.engine.read(lambda tx: tx.all("sessions_of", account_id=account_id))
        return [Session._make(row) for row in rows]

    async def forget_old(self, now: int) -> None:
        """Drop sessions that are over, registrations that nobody has confirmed, and mail that nobody took."""

        def work(tx: Tx) -> None:
            tx.run("end_old_sessions", idle_since=now - IDLE_MS, created_before=now - LONGEST_MS)
            tx.run("forget_registrations", before=now - UNCONFIRMED_MS)
            tx.run("forget_mails", before=now - LONGEST_MS)

        await self.engine.write(work)

    async def end(self, account_id: int, digests: Sequence[str]) -> int:
        """Sign out; how many of the account's sessions that were."""
        return await self.engine.write(
            lambda tx: tx.run("end_sessions", account_id=account_id, digests=list(digests))
        )

    async def end_others(self, account_id: int, but: str = "") -> int:
        """Sign out everywhere else."""
        return await self.engine.write(
            lambda tx: tx.run("end_other_sessions", account_id=account_id, but=but)
        )


def digest_of(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
