"""Kannel, another gateway, as its Debian package has it: got, configured, started, ended.

Rule: the system stays as it is. Where the package is not installed, it is unpacked into a folder of the
checkout with those that it needs; nothing is installed, and no root is needed.
"""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.program import END_S, ROOT, ProgramError

UNPACKED = ROOT / "build" / "kannel"
LIBRARIES = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu")
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
GET_S = 300
READY_S = 20
LOOK_S = 0.1
STORES = {"memory": "", "spool": "store-type = spool\nstore-location = {folder}/spool"}
CONFIG = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = bench
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
box-deny-ip = "*.*.*.*"
log-file = "{folder}/bearerbox.log"
log-level = 2
dlr-storage = internal
{store}

group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
system-type = ""
smsc-username = "bench"
smsc-password = ""
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-file = "{folder}/smsbox.log"
log-level = 2

group = sendsms-user
username = bench
password = bench

group = sms-service
keyword = default
text = "No service"
"""


@dataclass(frozen=True)
class Kannel:
    """Where its programs are."""

    folder: Path
    env: Mapping[str, str]

    def version(self) -> str:
        """As it names itself."""
        command = [str(self.folder / "bearerbox"), "--version"]
        said = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        found = re.search(r"version `([^']+)'", said.stdout + said.stderr)
        return found[1] if found else "of no known version"


def find() -> Kannel | None:
    """The one that is there, or that can be got now; None: there is none."""
    if (found := here()) is None:
        _unpack()
        found = here()
    return found


def here() -> Kannel | None:
    """The one that is installed, or that was unpacked before."""
    if installed := shutil.which("bearerbox", path=SYSTEM_PATH):
        return Kannel(Path(installed).parent, os.environ)
    if not UNPACKED.exists():
        return None
    libraries = ":".join(str(folder) for pattern in LIBRARIES for folder in UNPACKED.glob(pattern))
    return Kannel(UNPACKED / "usr" / "sbin", os.environ | {"LD_LIBRARY_PATH": libraries})


def _unpack() -> None:
    """Get the packages by the system's own means, and unpack them; where that cannot be, nothing is left."""
    UNPACKED.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED.parent, prefix="kannel-") as name:
        folder = Path(name)
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            for package in _needed():
                _do(["apt-get", "download", "-qq", package], folder)
            for file in folder.glob("*.deb"):
                _do(["dpkg-deb", "--extract", str(file), "all"], folder)
            (folder / "all").rename(UNPACKED)


def _needed() -> list[str]:
    """The package, and those of the ones it needs that are not installed."""
    said = _do(["apt-get", "--simulate", "--no-install-recommends", "install", "kannel"], ROOT)
    return [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]


def _do(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=GET_S)
    return done.stdout


# ---- running


@contextlib.asynccontextmanager
async def running(kannel: Kannel, store: str, smsc_port: int, window: int) -> AsyncIterator[int]:
    """Its two processes, with one of STORES, bound to the SMSC; the port for requests."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hopwire-bench-")))
        admin, boxes, sendsms = _free_ports(3)
        text = CONFIG.format(
            admin=admin,
            boxes=boxes,
            sendsms=sendsms,
            smsc=smsc_port,
            window=window,
            folder=folder,
            store=STORES[store].format(folder=folder),
        )
        (folder / "kannel.conf").write_text(text)
        (folder / "spool").mkdir()
        await stack.enter_async_context(_process(kannel, "bearerbox", folder))
        await _until_it_says(admin, "/status.txt?password=bench", "(online")
        await stack.enter_async_context(_process(kannel, "smsbox", folder))
        await _until_it_says(admin, "/status.txt?password=bench", "smsbox:")
        await _until_it_says(sendsms, "/cgi-bin/sendsms", "Authorization")
        yield sendsms


@contextlib.asynccontextmanager
async def _process(kannel: Kannel, name: str, folder: Path) -> AsyncIterator[Process]:
    program, config = kannel.folder / name, folder / "kannel.conf"
    process = await asyncio.create_subprocess_exec(
        program, "-v", "4", config, env=kannel.env, stdout=DEVNULL, stderr=DEVNULL, cwd=folder
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(n)]
        return [sock.getsockname()[1] for sock in socks]


async def _until_it_says(port: int, target: str, word: str) -> None:
    """Ask again and again, until there is this word in the answer."""
    said = ""
    try:
        async with asyncio.timeout(READY_S):
            while word not in (said := await _said(port, target)):  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise ProgramError(f"Kannel was not ready in {READY_S} s: {said.strip()[-200:]}") from None


async def _said(port: int, target: str) -> str:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:  # not yet
        return ""
    try:
        writer.write(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        return (await reader.read()).decode(errors="replace")
    except OSError:
        return ""
    finally:
        writer.close()
