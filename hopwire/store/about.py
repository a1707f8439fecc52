"""What the database is, for who looks after it."""

from collections.abc import Mapping
from typing import NamedTuple

from hopwire.store import sql
from hopwire.store.engine import Engine, Tx


class About(NamedTuple):
    """The database, as its engine tells it."""

    engine: str  # with its version
    schema: int  # the version of the tables
    bytes: int  # on disk, without the log that is written ahead
    waiting: int  # parts that are due and were not handed over yet
    oldest_at: int | None  # since when the first of these is due


async def about(engine: Engine, now: int) -> About:
    """How the database is now."""

    def work(tx: Tx) -> About:
        version, size = tx.all("engine_version")[0][0], tx.all("database_bytes")[0][0]
        waiting, oldest = tx.all("unfinished", now=now)[0]
        return About(version, int(tx.all("schema_version")[0][0]), size, waiting, oldest)

    return await engine.read(work)


def migrations() -> Mapping[int, str]:
    """What each version of the tables is called, of those there were since the first."""
    return {version: name.rpartition("/")[2] for version, name in sql.migrations().items()}
