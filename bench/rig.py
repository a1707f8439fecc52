"""A gateway to be measured: its own database, account and connector, started as `hopwire serve` starts it.

Rule: nothing of it is left. The folder, the PostgreSQL schema and the processes go when the rig is left.
"""

import asyncio
import contextlib
import secrets
import socket
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import load, measure, smsc
from bench.program import ask, program
from hopwire.admission import now_ms
from hopwire.cli.processes import Supervisor, listen
from hopwire.cli.run import parts
from hopwire.config import Config, parse
from hopwire.credentials import hash_password, installation_secret, key_digest, key_label, new_key
from hopwire.model import Limits, Price, Status
from hopwire.store.directory import Directory
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook

MONEY = 10_000_000 * 1_000_000
PRICE = 800_000
RECEIPT_DELAY_S = 0.1  # of the far end: long enough for the answer to be recorded before the receipt comes
WINDOW = 200
LOOK_S = 0.05  # how often it is looked whether all messages are final


@dataclass(frozen=True)
class Rig:
    """A gateway that runs, and the load that can be put on it."""

    engine: str  # "sqlite" or "postgres"
    durability: str  # what a commit does here, in words
    directory: Directory
    _load: Process
    _port: int
    _key: str

    async def load(
        self, connections: int, *, messages: int | None = None, seconds: float | None = None
    ) -> load.Replies:
        """Ask over so many connections until so many messages, or so much time, have gone."""
        job = load.Job(
            port=self._port, key=self._key, connections=connections, messages=messages, seconds=seconds
        )
        return await ask(self._load, job, load.Replies)

    async def finals(self) -> dict[str, int]:
        """How many messages ended, by their final status."""
        found = await self.directory.count_by_status()
        return {Status(status).text: n for status, n in found.items() if Status(status).final}

    async def all_final(self, messages: int) -> None:
        """Wait until so many messages have ended."""
        while sum((await self.finals()).values()) < messages:  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(LOOK_S)

    def usage(self) -> dict[int, measure.Usage]:
        """What the processes have used so far."""
        database = measure.servers("postgres") if self.engine == "postgres" else {}
        return measure.descendants() | database


@contextlib.asynccontextmanager
async def rig(database: str | None, *, far_end: bool) -> AsyncIterator[Rig]:
    """Start everything; `database` is a PostgreSQL, None means SQLite in the folder for temporary files.

    Without a far end the connector finds nobody at its port: messages are kept and wait.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hopwire-bench-")))
        url = stack.enter_context(_schema(database)) if database else f"sqlite:{folder / 'hopwire.db'}"
        http = stack.enter_context(contextlib.closing(listen("127.0.0.1", 0)))
        if far_end:
            port = await _start_smsc(stack)
        else:
            port = _nobodys_port(stack)
        config = _config(url, port)
        store = await open_store(url)
        stack.push_async_callback(store.close)
        directory = Directory(store.engine)
        key = await _seed(config, directory)
        client = await stack.enter_async_context(program("bench.load"))
        await _start_gateway(stack, config, http)
        yield Rig(
            "postgres" if database else "sqlite",
            _commits(database) if database else _fsyncs(folder),
            directory,
            client,
            http.getsockname()[1],
            key,
        )


def _config(url: str, smsc_port: int) -> Config:
    """Messages ask for Viber and go by SMS at once, because there is no Viber route."""
    connector: dict[str, Any] = {
        "kind": "smpp",
        "host": "127.0.0.1",
        "port": smsc_port,
        "system_id": "bench",
        "password": "",
        "window": WINDOW,
    }
    return parse(
        {
            "store": {"url": url, "secret": secrets.token_hex(16)},
            "log": {"level": "error"},
            "connectors": {"smsc": connector},
            "routes": [{"channel": "sms", "connector": "smsc"}],
        }
    )


async def _seed(config: Config, directory: Directory) -> str:
    """One account with money, a price and a key; the key."""
    now, key = now_ms(), new_key()
    account = await directory.create_account(
        "bench", hash_password(secrets.token_hex(8)), now, limits=Limits(destinations=("*",))
    )
    assert account is not None
    await Ledger(directory.engine).top_up(account, MONEY, "bench", now)
    await PriceBook(directory.engine).put([Price("sms", "", PRICE)])
    digest = key_digest(installation_secret(config.store), key)
    await directory.create_key(account, digest, key_label(key), "bench", now)
    return key


# ---- processes


async def _start_smsc(stack: contextlib.AsyncExitStack) -> int:
    process = await stack.enter_async_context(program("bench.smsc"))
    ready = await ask(process, smsc.Job(RECEIPT_DELAY_S), smsc.Ready)
    return ready.port


def _nobodys_port(stack: contextlib.AsyncExitStack) -> int:
    """A port that is ours and refuses connections."""
    sock = stack.enter_context(socket.socket())
    sock.bind(("127.0.0.1", 0))
    port: int = sock.getsockname()[1]
    return port


async def _start_gateway(stack: contextlib.AsyncExitStack, config: Config, http: socket.socket) -> None:
    supervisor, measuring = Supervisor(), asyncio.current_task()
    assert measuring is not None
    stack.push_async_callback(supervisor.stop)
    await supervisor.start(parts(config, {"http": http}))
    told = asyncio.ensure_future(supervisor.wait())  # it takes the signals; what we await must end, too
    told.add_done_callback(lambda told: None if told.cancelled() else measuring.cancel())
    stack.callback(told.cancel)


# ---- databases


@contextlib.contextmanager
def _schema(database: str) -> Iterator[str]:
    """A schema of its own in the database; its address."""
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        try:
            yield f"{database}{'&' if '?' in database else '?'}options=-csearch_path%3D{name}"
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def _commits(database: str) -> str:
    with psycopg.connect(database) as connection:
        rows = [connection.execute(b"SHOW " + name).fetchone() for name in (b"fsync", b"synchronous_commit")]
    fsync, commit = (row[0] for row in rows if row)
    return f"fsync={fsync}, synchronous_commit={commit}"


def _fsyncs(folder: Path) -> str:
    return f"synchronous=FULL; an fsync takes {measure.fsync_ms(folder):.2f} ms here"
