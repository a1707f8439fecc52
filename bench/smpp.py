"""What an SMPP session costs: ours and those of other Python libraries, against the same SMSC, in one run.

Every row is a process of its own, and the rows of the libraries take turns. CPU is that of the row's process,
over the measured messages only.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import msgspec

import hopwire
from bench import smpp_smsc
from bench.figures import BenchError, Report, main
from bench.machine import basics
from bench.program import ROOT, ask, program
from bench.smpp_row import Figures, Job

PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
PEERS = ("smpplib", "aiosmpplib")
VERSIONS = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
WAITING_S = 3  # how long a row may last whose window, and not its library, makes it slow
START_S = 60  # for everything around the rows
ROW_S = 10  # for a row's process to begin and end
SLOWEST = 500  # messages a second, below which it is given up


class Row(msgspec.Struct):
    library: str
    window: int  # submits under way at once
    answer_ms: int  # how long the SMSC takes
    receipts: bool
    rate: float  # messages a second, each answered and with its receipt
    cpu_us: float  # CPU microseconds of the library's process for each message, user and system
    messages: int


async def smpp(args: argparse.Namespace) -> Report:
    """One measurement."""
    libraries = {"hopwire": hopwire.__version__} | peers(PEERS_PYTHON, must=os.environ.get("CI") == "true")
    manners = [smpp_smsc.Manner(*one) for one in product(args.answer_ms, (False, True))]
    rows: list[Row] = []
    _say(heading(libraries))
    async with program("bench.smpp_smsc") as far_end:
        ready = await ask(far_end, smpp_smsc.Job(manners), smpp_smsc.Ready)
        for (manner, port), window in product(zip(manners, ready.ports, strict=True), args.windows):
            found = [await measure(library, manner, port, window, args.messages) for library in libraries]
            _say(line(found))
            rows += found
    return {
        "bench": "smpp",
        "machine": basics(),
        "libraries": libraries,
        "rows": [msgspec.to_builtins(row) for row in rows],
    }


# ---- one row


async def measure(library: str, manner: smpp_smsc.Manner, port: int, window: int, most: int) -> Row:
    """Send the messages of one row from a process of its own."""
    messages = how_many(most, window, manner.answer_ms)
    job = Job(port=port, window=window, messages=messages, receipts=manner.receipts)
    figures = await _send(library, job)
    return Row(
        library=library,
        window=window,
        answer_ms=manner.answer_ms,
        receipts=manner.receipts,
        rate=round(messages / figures.seconds, 1),
        cpu_us=round(figures.cpu_s / messages * 1_000_000, 2),
        messages=messages,
    )


def how_many(most: int, window: int, answer_ms: int) -> int:
    """Messages for a row: fewer than the most where the window lets only few go in a second."""
    return min(most, window * WAITING_S * 1000 // answer_ms) if answer_ms else most


async def _send(library: str, job: Job) -> Figures:
    python = PEERS_PYTHON if library in PEERS else sys.executable
    process = await asyncio.create_subprocess_exec(
        python, "-m", f"bench.smpp_{library}", msgspec.json.encode(job).decode(), stdout=PIPE, cwd=ROOT
    )
    try:
        out, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            process.kill()
        await process.wait()
    if process.returncode:
        raise BenchError(f"{library} ended with code {process.returncode}")
    return msgspec.json.decode(out, type=Figures)


# ---- around them


def peers(python: Path, *, must: bool) -> dict[str, str]:
    """The other libraries and their versions; none when they are not installed, unless they must be."""
    if not python.exists():
        if must:
            raise BenchError("the peers are not installed: scripts/peers")
        _say("bench: the peers are not installed and left out; scripts/peers installs them")
        return {}
    said = subprocess.run([python, "-c", VERSIONS, *PEERS], capture_output=True, text=True, check=True)
    return dict(zip(PEERS, said.stdout.split(), strict=True))


def heading(libraries: dict[str, str]) -> str:
    """The table's two first lines."""
    names = "".join(f"{f'{name} {version}':>22}" for name, version in libraries.items())
    columns = f"{'msg/s':>12}{'CPU µs':>10}" * len(libraries)
    return f"{'':25}{names}\n{'window':>6}{'answer':>9}{'receipts':>10}{columns}"


def line(rows: Iterable[Row]) -> str:
    """The table's line of those rows that differ in the library only."""
    first, *_ = rows = list(rows)
    manner = f"{first.window:6}{first.answer_ms:6} ms{'yes' if first.receipts else 'no':>10}"
    return manner + "".join(f"{row.rate:12,.0f}{row.cpu_us:10.1f}" for row in rows)


def _say(text: str) -> None:
    print(f"\r{text}" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What an SMPP session costs, ours and others.")
    parser.add_argument("--messages", type=int, default=20_000, help="at most in a row (20000)")
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument(
        "--answer-ms", type=int, nargs="+", default=[0, 40], help="how long the SMSC takes (0 40)"
    )
    return parser.parse_args()


def _limit_s(args: argparse.Namespace) -> float:
    rows: int = len(args.windows) * len(args.answer_ms) * 2 * (1 + len(PEERS))
    row_s: float = ROW_S + args.messages / SLOWEST
    return START_S + rows * row_s


if __name__ == "__main__":
    args = _options()
    sys.exit(main(lambda: smpp(args), limit_s=_limit_s(args), as_json=True))
