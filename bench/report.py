"""What both programs share: their options, and the one line in which they end."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from bench.load import Replies
from bench.measure import Usage, cpu_by_title, peak_by_title
from bench.program import ProgramError
from bench.rig import Rig

Report = dict[str, object]


class BenchError(Exception):
    """The measurement is worth nothing; the text says why."""


def options(description: str) -> argparse.ArgumentParser:
    """The options that both have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--connections", type=int, default=64, help="clients that ask at a time (64)")
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument(
        "--database",
        default=os.environ.get("HOPWIRE_TEST_POSTGRES"),
        help="postgresql://… for --engine postgres (HOPWIRE_TEST_POSTGRES)",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser


def database(args: argparse.Namespace) -> str | None:
    """The PostgreSQL to use; None is SQLite."""
    if args.engine == "postgres" and not args.database:
        raise BenchError("--engine postgres needs --database or HOPWIRE_TEST_POSTGRES")
    return args.database if args.engine == "postgres" else None


def report(
    rig: Rig,
    args: argparse.Namespace,
    replies: Replies,
    elapsed_s: float,
    before: Mapping[int, Usage],
    after: Mapping[int, Usage],
) -> Report:
    """The figures; raises BenchError when the gateway refused anything."""
    if replies.refused or not replies.accepted:
        raise BenchError(f"{replies.refused} requests were refused, the first with: {replies.refusal}")
    cpu = cpu_by_title(before, after)
    return {
        "rate": round(replies.accepted / elapsed_s, 1),
        "p50_ms": round(replies.p50_ms, 2),
        "p99_ms": round(replies.p99_ms, 2),
        "cpu_s_per_1000": {title: round(s / replies.accepted * 1000, 4) for title, s in cpu.items()},
        "peak_rss_mb": {title: round(mb, 1) for title, mb in peak_by_title(after).items()},
        "messages": replies.accepted,
        "seconds": round(elapsed_s, 2),
        "connections": args.connections,
        "engine": rig.engine,
        "fsync": rig.durability,
    }


def main(work: Callable[[], Awaitable[Report]], *, limit_s: float, as_json: bool) -> int:
    """Measure and print; the exit code."""
    try:
        figures = asyncio.run(_bounded(work, limit_s))
    except (BenchError, ProgramError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 130
    print(json.dumps(figures) if as_json else "\n".join(f"{k}: {v}" for k, v in figures.items()), flush=True)
    return 0


async def _bounded(work: Callable[[], Awaitable[Report]], limit_s: float) -> Report:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with asyncio.timeout(limit_s), _dots():
            return await work()
    except TimeoutError:
        raise BenchError(f"not done after {limit_s:.0f} s") from None


@contextlib.asynccontextmanager
async def _dots() -> AsyncIterator[None]:
    """Show a person that something is going on."""
    showing = asyncio.ensure_future(_show_dots()) if sys.stderr.isatty() else None
    try:
        yield
    finally:
        if showing:
            showing.cancel()
            print(file=sys.stderr)


async def _show_dots() -> None:
    while True:
        print(".", end="", file=sys.stderr, flush=True)
        await asyncio.sleep(0.5)
