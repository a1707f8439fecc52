"""Runs the measuring programs one after the other, and writes docs/performance.md with its tables and plots.

Every program's line goes to standard output as it comes, progress to standard error.
Rule: every figure of the page is of these lines; `--read` makes the page of lines that were kept.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench import machine, page, plots
from bench.figures import BenchError, FailedError, Report, main
from bench.page import Line
from bench.program import END_S, ROOT

ROUNDS = ("ceiling", "accept", "deliver", "redirect", "receive", "mixed")
NAMES = (*ROUNDS, "grow", "soak", "peers")
PAGE = ROOT / "docs" / "performance.md"
LIMIT_S = 4 * 3600
LONGEST_LINE = 1_048_576


class Size(NamedTuple):
    """How much of everything."""

    times: int  # that what is in ROUNDS is measured; the page has the middle one

    seconds: str
    messages: str
    connections: tuple[str, ...]
    rates: tuple[str, ...]  # requests a second of `mixed`
    stored: tuple[str, ...]
    soak: tuple[str, ...]


SHORT = Size(
    times=3,
    seconds="3",
    messages="20000",
    connections=("1", "4", "16", "64", "256"),
    rates=("250", "500", "1000", "2000", "4000", "8000"),
    stored=("0", "100000", "1000000"),
    soak=("--minutes", "2", "--every", "10"),
)
LONG = SHORT._replace(seconds="10", messages="50000", stored=(*SHORT.stored, "10000000"), soak=())
TINY = Size(1, "0.3", "50", ("1", "64"), ("50", "100"), ("0", "30"), ("--minutes", "0.02", "--every", "0.4"))


def commands(names: Iterable[str], size: Size, *, postgres: bool) -> Iterator[list[str]]:
    """The programs to run, each with its options."""
    for name in [name for name in ROUNDS if name in names] * size.times:
        yield from ([name, *words] for words in _words(name, size))
        if postgres and name != "mixed":
            yield from ([name, *words, "--engine", "postgres"] for words in _words(name, size))
    for name in names:
        if name not in ROUNDS:
            yield from ([name, *words] for words in _words(name, size))


def _words(name: str, size: Size) -> list[list[str]]:
    seconds, messages = ["--seconds", size.seconds], ["--messages", size.messages]
    match name:
        case "accept":
            return [[*seconds, "--connections", n] for n in size.connections]
        case "mixed":
            return [[*seconds, "--rate", rate] for rate in size.rates]
        case "grow":
            return [[*seconds, *messages, "--stored", *size.stored]]
        case "peers":
            return [[*seconds, *messages]]
        case "soak":
            return [list(size.soak)]
        case "ceiling" | "receive":
            return [seconds]
    return [messages]


# ---- running them


async def measure(args: argparse.Namespace) -> list[Line]:
    """Run them, and give their lines, the machine's first."""
    with tempfile.TemporaryDirectory(prefix="hopwire-bench-") as folder:
        lines: list[Line] = [machine.described(Path(folder), args.database, args.note)]
    print(json.dumps(lines[0]), flush=True)
    todo = list(commands(args.only, args.size, postgres=bool(args.database)))
    for n, command in enumerate(todo, 1):
        print(f"bench: {n} of {len(todo)}: {' '.join(command)}", file=sys.stderr, flush=True)
        line = await _run(command, args.database)
        lines.append(line)
        print(json.dumps(line), flush=True)
    return lines


async def _run(command: list[str], database: str | None) -> Line:
    """The line of one program; where it fails, that with the reason."""
    name, *words = command
    env = os.environ | ({"HOPWIRE_TEST_POSTGRES": database} if database else {})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"bench.{name}", *words, "--json", stdout=PIPE, stderr=PIPE, cwd=ROOT,
        env=env, limit=LONGEST_LINE, process_group=0,
    )  # fmt: skip
    try:
        out, err = await process.communicate()
    finally:
        await _end(process)
    line: Line = json.loads(out) if out.strip() else {"bench": name}
    line["command"] = " ".join([f"bench/{name}", *words])
    if process.returncode:
        said = err.decode(errors="replace").strip().rpartition("\n")[2].removeprefix("bench: ")
        print(f"bench: {name} failed: {said}", file=sys.stderr, flush=True)
        return line | {"failed": said or f"it ended with code {process.returncode}"}
    return line


async def _end(process: asyncio.subprocess.Process) -> None:
    """It ends by itself, and what it has started with it; when we are told to stop, it is told so, too."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(4 * END_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()


# ---- the page


async def report(args: argparse.Namespace) -> Report:
    """Measure, or read what was measured, and write the page."""
    lines = kept(args.read) if args.read else await measure(args)
    plots = write(args.page, lines)
    failed = [line["bench"] for line in lines if "failed" in line]
    said: Report = {"bench": "report", "page": str(args.page), "plots": [path.name for path in plots]}
    if failed:
        raise FailedError(f"failed: {', '.join(failed)}", said)
    return said


def kept(path: Path) -> list[Line]:
    """The lines of a file, but for those that this program ends with."""
    try:
        lines: list[Line] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise BenchError(f"--read {path}: {error}") from None
    return [line for line in lines if line["bench"] != "report"]


def write(path: Path, lines: list[Line]) -> list[Path]:
    """Put the tables between the marks of the page, and the plots beside it."""
    text = path.read_text("utf-8") if path.exists() else page.EMPTY
    made = plots.draw(lines, path.with_suffix(""))
    path.write_text(page.put(text, page.body(lines, made)), "utf-8")
    return made


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the measuring programs, and write docs/performance.md.")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        "--long",
        dest="size",
        action="store_const",
        const=LONG,
        default=SHORT,
        help="longer runs, ten million stored messages, and a soak of half an hour",
    )
    sizes.add_argument(
        "--tiny", dest="size", action="store_const", const=TINY, help="only to see that it works"
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="which of them (all)")
    parser.add_argument("--page", type=Path, default=PAGE, help="where to write (docs/performance.md)")
    parser.add_argument("--read", type=Path, help="make the page of lines that an earlier run has printed")
    parser.add_argument("--note", default="", help="what a reader should know of this run")
    parser.add_argument(
        "--database",
        default=os.environ.get("HOPWIRE_TEST_POSTGRES"),
        help="postgresql://… to measure that, too (HOPWIRE_TEST_POSTGRES)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    args = _options()
    sys.exit(main(lambda: report(args), limit_s=LIMIT_S, as_json=True))
