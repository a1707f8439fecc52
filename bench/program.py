"""Both sides of a process of the bench: it is given jobs, each a line of JSON, gives one line back for each,
and lives until its standard input closes.

Rule: nothing is left over. A process that was started ends with the one that started it, however that ends.
"""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import uvloop
from setproctitle import setproctitle

ROOT = Path(__file__).resolve().parent.parent
END_S = 5
LONGEST_LINE = 1_048_576

Told = TypeVar("Told")
Answer = TypeVar("Answer")


class ProgramError(Exception):
    """A process of the bench ended before it had answered."""


# ---- inside


def main(title: str, told: type[Told], work: Callable[[Told], Awaitable[object]]) -> None:
    """Be this program: read a job, do it, tell what came of it, until the input ends."""
    setproctitle(title)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us decides
    print("ready", flush=True)
    uvloop.run(_main(told, work))


async def _main(told: type[Told], work: Callable[[Told], Awaitable[object]]) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        print(msgspec.json.encode(await work(msgspec.json.decode(line, type=told))).decode(), flush=True)


# ---- outside


@contextlib.asynccontextmanager
async def program(module: str) -> AsyncIterator[Process]:
    """Start the program and wait until it has its imports behind it; on leaving, end it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=PIPE, stdout=PIPE, cwd=ROOT, limit=LONGEST_LINE
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        yield process
    finally:
        await _end(process)


async def ask(process: Process, job: object, answer: type[Answer]) -> Answer:
    """Give it a job and wait for the answer; raises ProgramError."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(ConnectionError):  # then there is no answer either
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise ProgramError(f"a process of the bench ended with code {await process.wait()}")
    return msgspec.json.decode(line, type=answer)


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
