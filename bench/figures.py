"""What the programs share: their options, and the one line in which they end."""

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


class FailedError(BenchError):
    """The measurement is good, and what it shows is not; the text says why."""

    def __init__(self, why: str, figures: Report) -> None:
        super().__init__(why)
        self.figures = figures


def options(description: str) -> argparse.ArgumentParser:
    """The options that all have that measure a gateway."""
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
    if replies.refused or not replies.accepted + replies.told:
        raise BenchError(f"{replies.refused} requests were refused, the first with: {replies.refusal}")
    return figures(rig, args, replies, elapsed_s, before, after)


def figures(
    rig: Rig,
    args: argparse.Namespace,
    replies: Replies,
    elapsed_s: float,
    before: Mapping[int, Usage],
    after: Mapping[int, Usage],
) -> Report:
    """The figures, whatever was refused."""
    answered = max(1, replies.accepted + replies.told)
    cpu = cpu_by_title(before, after)
    return {
        "rate": round(answered / elapsed_s, 1),
        "p50_ms": round(replies.p50_ms, 2),
        "p99_ms": round(replies.p99_ms, 2),
        "cpu_s_per_1000": {title: round(s / answered * 1000, 4) for title, s in cpu.items()},
        "peak_rss_mb": {title: round(mb, 1) for title, mb in peak_by_title(after).items()},
        "messages": answered,
        "seconds": round(elapsed_s, 2),
        "connections": args.connections,
        "engine": rig.engine,
        "stored": rig.stored[1] - rig.stored[0],
        "fsync": rig.durability,
    }


def main(work: Callable[[], Awaitable[Report]], *, limit_s: float, as_json: bool) -> int:
    """Measure and print; the exit code."""
    try:
        _print(asyncio.run(_bounded(work, limit_s)), as_json)
    except FailedError as error:
        _print(error.figures, as_json)
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except (BenchError, ProgramError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 130
    return 0


def _print(figures: Report, as_json: bool) -> None:
    print(json.dumps(figures) if as_json else "\n".join(f"{k}: {v}" for k, v in figures.items()), flush=True)


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
