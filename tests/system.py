"""A whole Hopwire as its users have it: `python -m hopwire …` in its own processes, asked over its sockets.

Rule: nothing here reaches into a process; what is known of one comes from its output, its HTTP and /proc.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen
from uuid import uuid4

import forks
import planted

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60  # for what never comes; a busy machine may take its time
BROKEN_OFF = (OSError, HTTPException)  # a request that got no reply
LONG_TEXT = "A text that needs three parts. " * 12
PASSWORD = f"{planted.PASSWORD} battery"
TABLE = [f"{n:02}" for n in range(1, 13)]

T = TypeVar("T")
Reply = dict[str, str]

_numbers = itertools.count(int(time.time() * 10) % 50_000)


def number(ending: str) -> str:
    """A phone number that nobody else in this run has, with the ending that chooses its fate."""
    return f"38067{next(_numbers) % 100_000:05}{ending}"


def wait_for(what: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Ask until the answer is true, and give it; fails when patience ends."""
    end = time.monotonic() + patience_s
    while not (answer := what()):
        assert time.monotonic() < end, f"in vain for {patience_s} s; the last answer was {answer!r}"
        time.sleep(0.05)
    return answer


# ---- processes


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without what would configure a Hopwire; compiled modules are kept, as an installation does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOPWIRE_")}
    if kept.pop("PYTHONDONTWRITEBYTECODE", ""):
        kept["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "hopwire-pycache")
    return {**kept, "PYTHONPATH": str(ROOT), **(more or {})}


def run(
    *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    ended = forks.run(arguments, stdin, environment(env), cwd, PATIENCE_S)
    planted.look("standard error", ended.stderr)
    if arguments[:1] != ("key",):  # which shows a new one, once
        planted.look_for_secrets("standard output", ended.stdout)
    return ended


class Operator:
    """Runs commands on one store."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "HOPWIRE__STORE__URL": url,
            "HOPWIRE__STORE__SECRET_FILE": str(folder / "secret"),
            "HOPWIRE_PASSWORD": PASSWORD,
        }

    def does(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command that must succeed; the JSON lines it prints."""
        ended = run(*arguments, "--json", env=self.env, cwd=self.folder)
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def fails(self, *arguments: str) -> tuple[int, str]:
        """Run a command that must not succeed; its exit code and the line it says."""
        ended = run(*arguments, env=self.env, cwd=self.folder)
        assert ended.returncode != 0
        assert not ended.stdout
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stderr.strip()


def titles(parent: int) -> dict[str, int]:
    """Title -> process id of the living children of a process."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _parent(folder) == parent:
            found[_title(folder)] = int(folder.name)
    return {title: pid for title, pid in found.items() if title}


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return 0


def _title(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Program:
    """A `hopwire` command that keeps running; what it writes to standard error goes to the file `log`."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.log = folder / f"stderr-{uuid4().hex[:6]}.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hopwire", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
                env=environment(env),
                start_new_session=True,
            )

    def line(self) -> str:
        """The next line on standard output; empty when it has ended."""
        assert self.process.stdout
        return self.process.stdout.readline()

    @property
    def children(self) -> dict[str, int]:
        """Title -> process id."""
        return titles(self.process.pid)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Leave nothing of it behind."""
        if self.process.poll() is None:
            left = list(self.children.values())
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                for pid in (self.process.pid, *left):
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        planted.look("standard error", self.log.read_text())


class Gateway:
    """The HTTP API of a running gateway, with a key to it."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key

    def ask(self, command: str, **parameters: object) -> Reply:
        """One request; its reply by names. Raises one of BROKEN_OFF."""
        whole = {"version": "http", "key": self.key, "command": command, **parameters}
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request("POST", "/api/http.php", urlencode(whole))
            response = connection.getresponse()
            body = response.read()
            planted.look_at_reply(response.headers["Content-Type"], body)
            text = body.decode()
        finally:
            connection.close()
        return dict(line.split(":", 1) for line in text.splitlines())

    def send(self, to: str, **parameters: object) -> str:
        """Send by Viber with an SMS after it; the id."""
        return self.ask("send", **(both(to) | parameters))["id"]

    def send_sms(self, to: str, text: str = planted.TEXT) -> str:
        return self.ask("send", **{"from": "test", "to": to, "message": text})["id"]

    def code(self, message_id: str) -> int:
        return int(self.ask("receive", id=message_id)["code"])

    def final(self, message_id: str, patience_s: float = PATIENCE_S) -> int:
        """The code of a message once it is final; Delivered may still become Read."""
        return wait_for(lambda: final(self.code(message_id)), patience_s)

    def reaches(self, message_id: str, code: int, patience_s: float = PATIENCE_S) -> None:
        wait_for(lambda: self.code(message_id) == code, patience_s)

    @property
    def answers(self) -> bool:
        try:
            return bool(urlopen(self.url + "/healthz", timeout=10).read())  # noqa: S310
        except OSError:
            return False

    @property
    def metrics(self) -> str:
        """What /metrics says."""
        with urlopen(self.url + "/metrics", timeout=10) as answer:  # noqa: S310
            text = str(answer.read().decode())
        planted.look("metrics", text)
        return text


def both(to: str, text: str = planted.TEXT) -> dict[str, object]:
    """The documented request: Viber first, then SMS."""
    return {
        "from": "test",
        "to": to,
        "message": text,
        "viber": 1,
        "viber_type": "text",
        "viber_message": text,
        "viber_from": "test",
        "viber_lifetime": 60,
        "viber_sms": "true",
    }


def final(code: int) -> int:
    """The code where it is final, else 0."""
    return code if code > 2 else 0


class Demo(Gateway):
    """A running demo: its gateway, its phones, its processes."""

    def __init__(self, program: Program, ready: dict[str, str]) -> None:
        super().__init__(ready["url"], ready["key"])
        self.program = program
        self.ready = ready

    def received(self, to: str) -> list[dict[str, Any]]:
        """What the phone with this number shows."""
        return self._phone("received", to)

    def submits(self, to: str = "", channel: str = "") -> list[dict[str, Any]]:
        """What was handed over, for one number, on one channel or altogether."""
        return [one for one in self._phone("submits", to) if channel in ("", one["channel"])]

    def _phone(self, what: str, to: str = "") -> list[dict[str, Any]]:
        query = f"?number={to}" if to else ""
        with urlopen(f"{self.ready['phone']}api/{what}{query}", timeout=30) as answer:  # noqa: S310
            rows: list[dict[str, Any]] = json.load(answer)
            return rows


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[Demo]:
    """`hopwire demo --port 0 --json …` until the block ends."""
    program = Program(folder, "demo", "--port", "0", "--json", *arguments)
    try:
        line = program.line()
        assert line, program.log.read_text()
        yield Demo(program, json.loads(line))
    finally:
        program.close()


@contextmanager
def serve(folder: Path, config: str, **env: str) -> Iterator[tuple[Program, str]]:
    """`hopwire serve` with these settings until the block ends; with it the URL."""
    path = folder / "hopwire.toml"
    path.write_text(config)
    program = Program(folder, "serve", "--config", str(path), env=env)
    try:
        yield program, wait_for(lambda: _where(program))
    finally:
        program.close()


def _where(program: Program) -> str:
    text = program.log.read_text()
    assert program.process.poll() is None, text
    found = re.search(r"ready at (http://\S+)", text)
    return found[1].rstrip(",") if found else ""
