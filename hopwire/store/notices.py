"""What an operator or a customer should know: given once for each account, kind and period.

Rule: a notice is written in the transaction that gives the reason; it is logged when that is on disk, by the
account's id and the kind alone.
"""

import logging
from collections.abc import Iterable
from typing import NamedTuple

from hopwire import metrics
from hopwire.store.engine import Engine, Tx

log = logging.getLogger(__name__)

KINDS = (
    "low_balance",
    *(f"spend_{period}_{percent}" for period in ("day", "month") for percent in (50, 80, 100)),
    "held",
    "mailing_paused",
)
KEPT_MS = 366 * 86_400_000


class Notice(NamedTuple):
    at: int
    account_id: int
    kind: str  # of KINDS
    period: str  # "2026-11-24"
    detail: str = ""


class Notices:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def latest(self, n: int, account_id: int = 0) -> list[Notice]:
        """The newest notices, newest first; of one account, or of all."""
        rows = await self._engine.read(lambda tx: tx.all("latest_notices", n=n, account_id=account_id))
        return [Notice._make(row[1:]) for row in rows]

    async def forget_old(self, now: int) -> int:
        """Drop those of more than a year ago, some at a time; how many."""
        return await self._engine.write(lambda tx: tx.run("forget_notices", before=now - KEPT_MS))


# ---- inside a transaction, and after it


def give(tx: Tx, notices: Iterable[Notice]) -> list[Notice]:
    """Keep them; those that had not been given."""
    return [one for one in notices if tx.run("give_notice", **one._asdict()) == 1]


def tell(given: Iterable[Notice]) -> None:
    """Log and count what is on disk now."""
    for one in given:
        log.warning("notice account=%d kind=%s", one.account_id, one.kind)
        metrics.NOTICES.labels(one.kind).inc()
