"""The same work over an empty database, over a million stored messages, and over as many as are asked for.

Accepting goes on while an SMSC takes what was accepted, as it does in a gateway that has stored anything.
"""

import argparse
import sys
import time
from statistics import median

from bench.figures import BenchError, Report, database, main, options, report
from bench.load import percentile_ms
from bench.measure import read_mb
from bench.rig import Rig, fill_s, rig
from hopwire.store.search import Filter, Search

NEWEST = 50  # messages of a listing
LISTINGS = 300
PAGES = 20
ONE_BY_ONE = 1  # connection
PAGE = "/messages"
FRUITLESS = "/messages?number=380990000000"  # of a number that no message went to: it looks through them all
START_S = 60  # for everything around the measurements of one size
SLOWEST = 100  # messages a second, below which it is given up


async def grow(args: argparse.Namespace) -> Report:
    """One measurement: a row for each size."""
    rows = [await _row(args, stored) for stored in args.stored]
    return {"bench": "grow", "rows": rows, "connections": args.connections, "engine": args.engine}


async def _row(args: argparse.Namespace, stored: int) -> Report:
    print(f"bench: grow: {stored} stored messages", file=sys.stderr, flush=True)
    began = time.monotonic()
    async with rig(database(args), far_end=True, stored=stored) as gateway:
        ready_s = time.monotonic() - began
        accept = await _accept(gateway, args)
        deliver, ids = await _deliver(gateway, args)
        asked = gateway.stored if stored else ids
        receive = await _receive(gateway, args, asked)
        one_by_one = await gateway.query(ONE_BY_ONE, args.seconds, asked)
        newest = await _newest(gateway)
        return {
            "stored": stored,
            "ready_s": round(ready_s, 1),
            "file_mb": _file_mb(gateway),
            "accept": accept,
            "deliver": deliver,
            "receive": receive,
            "one_by_one": {"p50_ms": round(one_by_one.p50_ms, 2), "p99_ms": round(one_by_one.p99_ms, 2)},
            "newest": {f"p{n}_ms": round(percentile_ms(newest, n), 2) for n in (50, 99)},
            "page_ms": round(median(await gateway.page_ms(PAGE, PAGES)), 1),
            "search_ms": round(median(await gateway.page_ms(FRUITLESS, PAGES)), 1),
            "fsync": gateway.durability,
        }


async def _accept(gateway: Rig, args: argparse.Namespace) -> Report:
    before = gateway.usage()
    replies = await gateway.send(args.connections, seconds=args.seconds)
    after = gateway.usage()
    await gateway.finals(replies.ids)
    return report(gateway, args, replies, replies.ended_at - replies.began_at, before, after)


async def _deliver(gateway: Rig, args: argparse.Namespace) -> tuple[Report, tuple[int, int]]:
    """The figures, and the ids of the messages."""
    before = gateway.usage()
    replies = await gateway.send(args.connections, messages=args.messages)
    finals = await gateway.finals(replies.ids)
    elapsed_s = time.monotonic() - replies.began_at
    measured = report(gateway, args, replies, elapsed_s, before, gateway.usage())
    return measured | {"finals": finals}, replies.ids


async def _receive(gateway: Rig, args: argparse.Namespace, ids: tuple[int, int]) -> Report:
    before = gateway.usage()
    replies = await gateway.query(args.connections, args.seconds, ids)
    after = gateway.usage()
    measured = report(gateway, args, replies, replies.ended_at - replies.began_at, before, after)
    return measured | {"read_mb": round(read_mb(before, after), 1)}


async def _newest(gateway: Rig) -> list[float]:
    """Seconds that it takes to list the account's newest messages, read by a process beside the gateway."""
    search, times = Search(gateway.store.engine), []
    for _ in range(LISTINGS):
        began = time.perf_counter()
        page = await search.page(Filter(gateway.account_id), n=NEWEST)
        times.append(time.perf_counter() - began)
        if not page.messages:
            raise BenchError("there is nothing to list")
    return times


def _file_mb(gateway: Rig) -> float | None:
    """Of the database with what is beside it; None where it is a server's."""
    if gateway.engine != "sqlite":
        return None
    return round(sum(path.stat().st_size for path in gateway.folder.glob("*.db*")) / 1e6, 1)


def _options() -> argparse.Namespace:
    parser = options("The same work over more and more stored messages.")
    parser.add_argument("--stored", type=int, nargs="+", default=[0, 1_000_000], help="messages (0 1000000)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to accept, and to ask (3)")
    parser.add_argument("--messages", type=int, default=5000, help="how many to deliver (5000)")
    return parser.parse_args()


def _limit_s(args: argparse.Namespace) -> float:
    work_s: float = START_S + args.messages / SLOWEST + 20 * args.seconds
    return sum(work_s + fill_s(stored) for stored in args.stored)


if __name__ == "__main__":
    args = _options()
    sys.exit(main(lambda: grow(args), limit_s=_limit_s(args), as_json=args.json))
