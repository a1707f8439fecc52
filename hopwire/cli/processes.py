"""Starts the processes of a gateway, starts again what dies, and ends them in order.

The listening sockets are bound here and inherited, so that a port never changes, a connection made while a
process is being replaced waits instead of being refused, and several processes can share one port.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from prometheus_client import multiprocess

from hopwire import metrics
from hopwire.config import Config

log = logging.getLogger(__name__)

READY_S = 60
STOP_S = 60  # for a process to drain; then it is killed
PAUSES_S = (0.1, 0.5, 1, 2, 5)  # after ends before it was ready; what was ready is started again at once


class ProcessError(Exception):
    """A process did not come up."""


@dataclass
class Part:
    """One process of the gateway."""

    role: str  # gateway, web, worker, simulators
    title: str
    config: Config
    sockets: dict[str, socket.socket] = field(default_factory=dict)
    simulators: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    remotes: str = ""

    def assignment(self) -> bytes:
        """What the process is told to be, as the line of JSON that hopwire/app.py reads."""
        told = {
            "role": self.role,
            "title": self.title,
            "sockets": {name: sock.fileno() for name, sock in self.sockets.items()},
            "config": self.config,
            "simulators": self.simulators,
            "owner": self.owner,
            "remotes": self.remotes,
        }
        return msgspec.json.encode(told) + b"\n"


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises OSError when the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(2048)
    except OSError:
        sock.close()
        raise
    return sock


def address(sock: socket.socket) -> str:
    """`host:port` of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Supervisor:
    """Keeps the parts running until SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._watches: list[asyncio.Task[None]] = []
        self._left = contextlib.ExitStack()  # what goes when all have ended
        shared = tempfile.TemporaryDirectory(prefix="hopwire-")  # nobody else may enter it
        self._shared = self._left.enter_context(shared)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)

    def meeting(self, name: str) -> socket.socket:
        """A listening Unix socket, by which the processes meet."""
        sock = self._left.enter_context(socket.socket(socket.AF_UNIX))
        sock.bind(f"{self._shared}/{name}")
        sock.listen()
        return sock

    async def start(self, parts: Sequence[Part]) -> None:
        """Start them one after the other, each when the one before is ready; raises ProcessError."""
        for part in parts:
            if self._stopping.is_set():
                return
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watches.append(asyncio.ensure_future(self._keep_running(part, ready)))
            stopped = asyncio.ensure_future(self._stopping.wait())
            first: list[asyncio.Future[Any]] = [ready, stopped]
            await asyncio.wait(first, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if ready.done():
                ready.result()
            elif not self._stopping.is_set():
                raise ProcessError(f"{part.title} was not ready in {READY_S} s")

    async def wait(self) -> None:
        """Until a signal asks for the end."""
        await self._stopping.wait()

    async def stop(self) -> None:
        """End the parts, the last started first."""
        self._stopping.set()
        for watch in reversed(self._watches):
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        self._left.close()

    async def _keep_running(self, part: Part, ready: asyncio.Future[None]) -> None:
        failures = 0
        while True:
            process = await _spawn(part, self._shared)
            try:
                failures = 0 if await _said_ready(process) else failures + 1
                if not failures and not ready.done():
                    ready.set_result(None)
                code = await process.wait()
            finally:
                await _end(process)
                multiprocess.mark_process_dead(process.pid, self._shared)  # type: ignore[no-untyped-call]
            if not ready.done():
                ready.set_exception(ProcessError(f"{part.title} ended with code {code} before it was ready"))
                return
            if self._stopping.is_set():
                return
            log.warning("%s ended with code %s, starting it again", part.title, code)
            if failures:
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S)) - 1])


async def _spawn(part: Part, shared: str) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hopwire.app",
        stdin=PIPE,
        stdout=PIPE,
        pass_fds=[sock.fileno() for sock in part.sockets.values()],
        env=os.environ | ({metrics.SHARED: shared} if part.role in ("web", "worker") else {}),
    )
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # it died at once; the wait for it tells
        process.stdin.write(part.assignment())
        await process.stdin.drain()
    return process


async def _said_ready(process: Process) -> bool:
    assert process.stdout is not None
    return await process.stdout.readline() == b"ready\n"


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
