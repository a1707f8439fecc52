"""Whether the gateway is after half an hour as it was: the load of `mixed`, and what it holds each minute.

It fails when memory still grows after the first third of the time. What is shorter than ten minutes is not
judged: the store fills its cache of pages first.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from statistics import median

import msgspec

from bench.figures import FailedError, Report, database, figures, main, options
from bench.measure import holding
from bench.mixed import QUERIES, SLOWEST
from bench.rig import DATABASE, Rig, rig
from bench.witness import Seen, Witness, witness

START_S = 60  # for everything around the measurement
JUDGED_S = 600  # the shortest time after which memory is judged,
FEWEST = 9  # and the fewest samples
MORE = 1.05  # times as much memory in the last third as in the second: then it grows


class Sample(msgspec.Struct):
    at_s: float
    rss_mb: float
    files: int
    wal_mb: float | None  # None: it is a server's
    machine: Seen  # since the sample before


async def soak(args: argparse.Namespace) -> Report:
    """One measurement."""
    seconds = args.minutes * 60
    async with rig(database(args), far_end=True) as gateway:
        before = gateway.usage()
        with witness(gateway.folder) as machine:
            sampling = asyncio.ensure_future(_samples(gateway, machine, seconds, args.every))
            try:
                replies = await gateway.mix(args.connections, args.rate, QUERIES, seconds, args.every)
                samples = await sampling
            finally:
                sampling.cancel()
        after = gateway.usage()
        finals = await gateway.finals(replies.ids)
        measured = figures(gateway, args, replies, replies.ended_at - replies.began_at, before, after)
    said: Report = {
        "bench": "soak",
        **measured,
        "offered": args.rate,
        "sent": replies.accepted,
        "asked": replies.told,
        "errors": replies.refused,
        "finals": finals,
        "every_s": args.every,
        "judged": seconds >= JUDGED_S and len(samples) >= FEWEST,
        "samples": [msgspec.to_builtins(one) for one in samples],
        "slices": [msgspec.to_builtins(one) for one in replies.slices],
    }
    if replies.refused:
        raise FailedError(f"{replies.refused} requests were refused: {replies.refusal}", said)
    if seconds >= JUDGED_S and grows([one.rss_mb for one in samples]):
        raise FailedError("memory still grows after the first third of the time", said)
    return said


async def _samples(gateway: Rig, machine: Witness, seconds: float, every_s: float) -> list[Sample]:
    """What the gateway holds at the end of each slice of time, and what the machine did in it."""
    began, samples = time.monotonic(), []
    for n in range(1, round(seconds / every_s) + 1):
        await asyncio.sleep(max(0.0, began + n * every_s - time.monotonic()))
        held = holding("hopwire")
        at_s = round(time.monotonic() - began, 1)
        seen = machine.since_last().rounded()
        samples.append(Sample(at_s, round(held.rss_mb, 1), held.files, _wal_mb(gateway), seen))
        told = f"{held.rss_mb:.1f} MB, the machine's longest fsync {seen.sync_ms:g} ms"
        print(f"bench: soak: {at_s / 60:.1f} of {seconds / 60:.1f} min, {told}", file=sys.stderr, flush=True)
    return samples


def _wal_mb(gateway: Rig) -> float | None:
    if gateway.engine != "sqlite":
        return None
    return round((gateway.folder / f"{DATABASE}-wal").stat().st_size / 1e6, 2)


def grows(memory: Sequence[float]) -> bool:
    """Whether there is more of it in the last third than in the second; what is too short is not judged."""
    third = len(memory) // 3
    if len(memory) < FEWEST:
        return False
    return median(memory[-third:]) > MORE * median(memory[third : 2 * third])


def _options() -> argparse.Namespace:
    parser = options("The same load for half an hour: memory, files, write-ahead log, p99.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second (500)")
    parser.add_argument("--every", type=float, default=60.0, help="seconds from sample to sample (60)")
    return parser.parse_args()


if __name__ == "__main__":
    args = _options()
    limit_s = START_S + args.minutes * 60 * (1 + args.rate / SLOWEST)
    sys.exit(main(lambda: soak(args), limit_s=limit_s, as_json=args.json))
