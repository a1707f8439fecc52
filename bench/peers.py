"""Another gateway beside ours: the same SMSC, the same load, in one run.

Each takes messages, at planned times first and then over a closed loop, hands them to the SMSC, and tells of
their receipts: ours keeps all of it on disk, Kannel calls a URL. Kannel never waits for a disk: its spool is
files without fsync.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from msgspec.structs import replace

from bench import http_far_end, kannel, load
from bench.figures import BenchError, Report, database, main, options
from bench.measure import Usage, cpu_by_title, descendants, peak_by_title
from bench.program import ask, program
from bench.rig import LOOK_S, WINDOW, rig, start_smsc

START_S = 90  # for everything around the measurement of one
GET_S = kannel.GET_S
SLOWEST = 100  # messages a second, below which it is given up
MISSING = "Kannel is not installed, and apt-get cannot get Debian's package `kannel`: it is left out"


async def peers(args: argparse.Namespace) -> Report:
    """One measurement: ours, and Kannel with each of its stores."""
    rows = [await _hopwire(args)]
    found = await asyncio.get_running_loop().run_in_executor(None, kannel.find)
    if found is None:
        print(f"bench: {MISSING}", file=sys.stderr, flush=True)
    else:
        rows += [await _kannel(found, store, args) for store in kannel.STORES]
    return {
        "bench": "peers",
        "kannel": found.version() if found else None,
        "rows": rows,
        "messages": args.messages,
        "connections": args.connections,
    }


async def _hopwire(args: argparse.Namespace) -> Report:
    async with rig(database(args), far_end=True) as gateway:
        steady = await gateway.mix(args.connections, args.rate, queries=0.0, seconds=args.seconds)
        await gateway.finals(steady.ids)
        before = gateway.usage()
        replies = await gateway.send(args.connections, messages=args.messages)
        await gateway.finals(replies.ids)
        ended_at = time.monotonic()
        row = _row("hopwire", f"{gateway.engine}, fsync", replies, ended_at, before, gateway.usage())
        return row | _steady("hopwire", steady, args.rate)


async def _kannel(found: kannel.Kannel, store: str, args: argparse.Namespace) -> Report:
    async with contextlib.AsyncExitStack() as stack:
        smsc_port = await start_smsc(stack)
        client = await stack.enter_async_context(program("bench.load"))
        callbacks = await stack.enter_async_context(program("bench.http_far_end"))
        url = f"http://127.0.0.1:{(await _served(callbacks)).port}/"
        port = await stack.enter_async_context(kannel.running(found, store, smsc_port, WINDOW))
        job = load.Job(port=port, connections=args.connections, send=_sending(url))
        planned = replace(job, rate=args.rate, seconds=args.seconds)
        steady = await ask(client, planned, load.Replies)
        await _all_called(callbacks, steady.told)
        before = descendants()
        replies = await ask(client, replace(job, messages=args.messages), load.Replies)
        await _all_called(callbacks, steady.told + replies.told)
        ended_at = time.monotonic()
        row = _row("kannel", f"{store}, no fsync", replies, ended_at, before, descendants())
        return row | _steady("kannel", steady, args.rate)


def _sending(callback_url: str) -> load.Ask:
    """A message as Kannel is asked for it, and for a callback when it was delivered or not."""
    query = {
        "username": "bench",
        "password": "bench",
        "from": "hopwire",
        "to": load.NUMBER,
        "text": load.TEXT,
        "charset": "utf-8",
        "coding": "2",
        "dlr-mask": "3",
        "dlr-url": callback_url,
    }
    before, after = load.around(f"/cgi-bin/sendsms?{urlencode(query)}")
    return load.Ask(before=before, after=after, good=b"0: Accepted")


async def _served(callbacks: Process) -> http_far_end.Served:
    return await ask(callbacks, http_far_end.Job("ok"), http_far_end.Served)


async def _all_called(callbacks: Process, messages: int) -> None:
    while (await _served(callbacks)).requests < messages:  # noqa: ASYNC110 - another process's work
        await asyncio.sleep(LOOK_S)


def _steady(gateway: str, replies: load.Replies, rate: float) -> Report:
    """How long requests took at planned times."""
    _sure(gateway, replies)
    p50_ms, p99_ms = round(replies.p50_ms, 2), round(replies.p99_ms, 2)
    return {"steady": {"offered": rate, "p50_ms": p50_ms, "p99_ms": p99_ms}}


def _sure(gateway: str, replies: load.Replies) -> None:
    if replies.refused or not replies.accepted + replies.told:
        raise BenchError(f"{gateway} refused {replies.refused} requests, the first with: {replies.refusal}")


def _row(
    gateway: str,
    store: str,
    replies: load.Replies,
    ended_at: float,
    before: Mapping[int, Usage],
    after: Mapping[int, Usage],
) -> Report:
    _sure(gateway, replies)
    messages = replies.accepted + replies.told
    cpu = cpu_by_title(_short(before), _short(after))
    return {
        "gateway": gateway,
        "store": store,
        "accepted_rate": round(messages / (replies.ended_at - replies.began_at), 1),
        "rate": round(messages / (ended_at - replies.began_at), 1),
        "p50_ms": round(replies.p50_ms, 2),
        "p99_ms": round(replies.p99_ms, 2),
        "cpu_s_per_1000": {title: round(s / messages * 1000, 4) for title, s in cpu.items()},
        "peak_rss_mb": {title: round(mb, 1) for title, mb in peak_by_title(_short(after)).items()},
    }


def _short(uses: Mapping[int, Usage]) -> dict[int, Usage]:
    """Those of Kannel go by the names of their programs."""
    return {
        pid: use._replace(title=f"kannel: {Path(use.title.split()[0]).name}") if "/" in use.title else use
        for pid, use in uses.items()
    }


def _options() -> argparse.Namespace:
    parser = options("Another gateway beside ours, with the same SMSC and load.")
    parser.add_argument("--messages", type=int, default=10_000, help="how many to send through each (10000)")
    parser.add_argument(
        "--rate", type=float, default=1000.0, help="messages a second at planned times (1000)"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="how long these are sent (5)")
    return parser.parse_args()


if __name__ == "__main__":
    args = _options()
    limit_s = GET_S + (1 + len(kannel.STORES)) * (
        START_S + args.seconds + (args.messages + args.rate * args.seconds) / SLOWEST
    )
    sys.exit(main(lambda: peers(args), limit_s=limit_s, as_json=args.json))
