"""What the machine allows with nothing of a gateway: its HTTP server alone, and its store alone.

The server answers every request the same. The store takes the rows that an accepted message has, in batches
of about so many as come together in acceptance, with one commit each.
"""

import argparse
import contextlib
import sys
from collections.abc import Mapping

import msgspec

from bench import constant, load, rows
from bench.figures import BenchError, Report, database, main, options
from bench.measure import Usage, cpu_by_title, descendants
from bench.program import ask, program
from bench.rig import configure, durability, enter_database, seed
from hopwire.store.directory import Directory
from hopwire.store.migrate import open_store

START_S = 60  # for everything around the measurement
NOBODY = 1  # a port that is never connected to


async def ceiling(args: argparse.Namespace) -> Report:
    """Both, one after the other."""
    url = database(args)
    http = await _http(args.connections, args.seconds)
    async with contextlib.AsyncExitStack() as stack:
        folder, own = enter_database(stack, url)
        store = await _store(stack, own, args.batches, args.seconds)
        return {
            "bench": "ceiling",
            "http": http,
            "store": [msgspec.to_builtins(row) for row in store.rows],
            "written": store.messages,
            "connections": args.connections,
            "seconds": args.seconds,
            "engine": args.engine,
            "fsync": durability(url, folder),
        }


async def _http(connections: int, seconds: float) -> Report:
    """Requests as those of acceptance, answered without being looked at."""
    async with program("bench.constant") as server, program("bench.load") as client:
        ready = await ask(server, constant.Job(), constant.Ready)
        before = descendants()
        job = load.Job(
            port=ready.port, connections=connections, send=load.sending("hw_live_key"), seconds=seconds
        )
        replies = await ask(client, job, load.Replies)
        return _figures(replies, before, descendants())


def _figures(replies: load.Replies, before: Mapping[int, Usage], after: Mapping[int, Usage]) -> Report:
    if replies.refused or not replies.accepted:
        raise BenchError(f"{replies.refused} requests were not answered: {replies.refusal}")
    cpu = cpu_by_title(before, after)
    return {
        "rate": round(replies.accepted / (replies.ended_at - replies.began_at), 1),
        "p50_ms": round(replies.p50_ms, 2),
        "p99_ms": round(replies.p99_ms, 2),
        "cpu_s_per_1000": {title: round(s / replies.accepted * 1000, 4) for title, s in cpu.items()},
    }


async def _store(stack: contextlib.AsyncExitStack, url: str, batches: list[int], seconds: float) -> rows.Done:
    config = configure(url, NOBODY)
    store = await open_store(url)
    try:
        _, key = await seed(config, Directory(store.engine))
    finally:
        await store.close()
    writer = await stack.enter_async_context(program("bench.rows"))
    return await ask(writer, rows.Job(config, key, batches, seconds), rows.Done)


def _options() -> argparse.Namespace:
    parser = options("What the machine allows, without a gateway.")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each part lasts (3)")
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[1, 32, 64], help="messages in a commit (1 32 64)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    args = _options()
    limit_s = START_S + args.seconds * (1 + 5 * len(args.batches))
    sys.exit(main(lambda: ceiling(args), limit_s=limit_s, as_json=args.json))
