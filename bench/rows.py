"""A ceiling: the gateway's store engine taking the rows of acceptance, with one commit for each batch."""

import time
from functools import partial
from itertools import count

import msgspec

from bench import stock
from bench.program import main
from hopwire.config import Config
from hopwire.credentials import installation_secret, key_digest
from hopwire.store.directory import Directory
from hopwire.store.engine import Engine
from hopwire.store.migrate import open_store

FIRST_ID = 1_000_000_000  # above those of the sample


class Job(msgspec.Struct):
    config: Config
    key: str  # of the account whose messages they are
    batches: list[int]  # messages in one commit
    seconds: float  # for each of these


class Row(msgspec.Struct):
    batch: int
    rate: float  # messages a second
    commit_ms: float  # of one batch
    cpu_s_per_1000: float  # of this process


class Done(msgspec.Struct):
    rows: list[Row]
    messages: int  # that are in the database now


async def run(job: Job) -> Done:
    """Write in batches of each size."""
    store = await open_store(job.config.store.url)
    caller = await Directory(store.engine).caller_by_key(
        key_digest(installation_secret(job.config.store), job.key)
    )
    assert caller is not None
    sample = await stock.sample(job.config, store.engine, caller.account, job.key)
    ids = count(FIRST_ID)
    rows = [await _batches(store.engine, sample, ids, batch, job.seconds) for batch in job.batches]
    await store.close()
    return Done(rows, next(ids) - FIRST_ID)


async def _batches(
    engine: Engine, sample: stock.Sample, ids: "count[int]", batch: int, seconds: float
) -> Row:
    """Only the commits are timed: the rows are made between them."""
    commits, elapsed_s, cpu_s = 0, 0.0, 0.0
    while elapsed_s < seconds:
        rows = stock.accepted(sample, [next(ids) for _ in range(batch)])
        began, cpu = time.perf_counter(), time.process_time()
        await engine.write(partial(stock.accept, sample, rows))
        elapsed_s, cpu_s = elapsed_s + time.perf_counter() - began, cpu_s + time.process_time() - cpu
        commits += 1
    messages = commits * batch
    return Row(
        batch=batch,
        rate=round(messages / elapsed_s, 1),
        commit_ms=round(elapsed_s / commits * 1000, 3),
        cpu_s_per_1000=round(cpu_s / messages * 1000, 4),
    )


if __name__ == "__main__":
    main("bench: rows", Job, run)
