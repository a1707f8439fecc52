"""docs/operate.md as a new operator follows it: every command is run, from an empty folder, in its order."""

import asyncio
import csv
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from simulated import listening, port
from system import Program, environment, wait_for

from hopwire.simulators.record import Record
from hopwire.simulators.smsc import SmscSimulator

PAGE = Path(__file__).parent.parent / "docs" / "operate.md"
PASSWORD = "the-smsc-password"
MONTH = datetime.now(ZoneInfo("Europe/Kyiv")).strftime("%Y-%m")
SERVE = "hopwire serve"


def blocks() -> list[str]:
    """What the page tells to type."""
    return re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@contextmanager
def an_smsc() -> Iterator[int]:
    """A simulated SMSC in a thread of its own; its port."""
    sock, ready, over = listening(), threading.Event(), threading.Event()

    async def serve() -> None:
        async with SmscSimulator(Record(), PASSWORD, receipt_delay_s=0.05).serve(sock):
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield port(sock)
    finally:
        over.set()
        thread.join()


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A folder with a `hopwire` in it, which the shell finds."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "hopwire"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hopwire "$@"\n')
    program.chmod(0o755)
    return tmp_path


def type_in(folder: Path, text: str, kept: dict[str, str]) -> None:
    """Let a shell run these lines, each of which must succeed; what it exports is kept for the next ones."""
    script = f"set -euo pipefail\n{text}\nenv -0 >{shlex.quote(str(folder / 'env'))}\n"
    path = f"{folder / 'bin'}:{environment()['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment({"PATH": path, **kept}),
        text=True,
        capture_output=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    lines = (one.partition("=") for one in (folder / "env").read_text().split("\0") if one)
    kept |= {name: value for name, _, value in lines if name.startswith("HOPWIRE_")}


def test_an_operator_gets_from_nothing_to_a_paying_customer(shell: Path) -> None:
    kept = {"HOPWIRE__HTTP__PORT": "0"}
    gateway: Program | None = None
    with an_smsc() as number:
        try:
            for block in blocks():
                text = block.replace("smsc.example.net", "127.0.0.1").replace("port=2775", f"port={number}")
                text = text.replace("2026-11", MONTH)
                if text.strip() == SERVE:
                    gateway = Program(shell, "serve", env=kept)
                    kept["HOPWIRE_URL"] = where(gateway)
                else:
                    type_in(shell, text, kept)
        finally:
            if gateway:
                gateway.close()
    with (shell / f"flowers-{MONTH}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["amount"], row["note"]) for row in rows] == [
        ("opening", "", ""),
        ("topup", "100", "invoice 1"),
        ("charge", "-0.7", ""),
        ("closing", "", ""),
    ]
    assert rows[-1]["balance"] == "99.3"


def where(gateway: Program) -> str:
    """The address of a gateway that has just been started."""
    found: list[str] = wait_for(lambda: re.findall(r"ready at (http://\S+)", gateway.log.read_text()))
    return found[0]
