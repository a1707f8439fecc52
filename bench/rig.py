"""A gateway to be measured: its own database, account and connector, started as `hopwire serve` starts it.

Rule: nothing of it is left. The folder, the PostgreSQL schema and the processes go when the rig is left.
"""

import asyncio
import contextlib
import secrets
import socket
import tempfile
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from bench import http_far_end, load, measure, smsc, stock
from bench.program import ProgramError, ask, program
from hopwire.admission import now_ms
from hopwire.cli.processes import Supervisor, listen
from hopwire.cli.run import parts
from hopwire.config import Config, parse
from hopwire.credentials import hash_password, installation_secret, key_digest, key_label, new_key
from hopwire.model import Account, Limits, Price
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook
from hopwire.store.sessions import Sessions
from hopwire.web.pages.visit import cookie_name

MONEY = 10_000_000 * 1_000_000
PRICE = 800_000
RECEIPT_DELAY_S = 0.1  # of the far end: long enough for the answer to be recorded before the receipt comes
WINDOW = 200
LOOK_S = 0.05  # how often it is looked whether all messages are final,
TOGETHER = 1000  # so many of them at a time
DATABASE = "hopwire.db"
SLOWEST_FILL = 5000  # messages a second, below which it is given up


def fill_s(messages: int) -> float:
    """The longest that it may take to put so many into the database."""
    return messages / SLOWEST_FILL


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A gateway that runs, and the load that can be put on it."""

    engine: str  # "sqlite" or "postgres"
    durability: str  # what a commit does here, in words
    folder: Path  # of SQLite's file
    store: Store
    account_id: int
    stored: tuple[int, int]  # ids of the messages that were there before: from the first up to the second
    _load: Process
    _port: int
    _key: str

    async def send(
        self, connections: int, *, messages: int | None = None, seconds: float | None = None
    ) -> load.Replies:
        """Send over so many connections until so many messages, or so much time, have gone."""
        return await self._run(
            connections=connections, send=load.sending(self._key), messages=messages, seconds=seconds
        )

    async def query(self, connections: int, seconds: float, ids: tuple[int, int]) -> load.Replies:
        """Ask how messages with these ids stand, all of which there are."""
        query = load.querying(self._key)
        return await self._run(connections=connections, query=query, ids=ids, seconds=seconds)

    async def mix(
        self, connections: int, rate: float, queries: float, seconds: float, slice_s: float | None = None
    ) -> load.Replies:
        """Send at planned times, and ask for what was sent; `queries` is their share of all requests."""
        return await self._run(
            connections=connections,
            send=load.sending(self._key),
            query=load.querying(self._key),
            queries=queries,
            rate=rate,
            seconds=seconds,
            slice_s=slice_s,
        )

    async def _run(self, **job: Any) -> load.Replies:
        return await ask(self._load, load.Job(port=self._port, **job), load.Replies)

    async def finals(self, ids: tuple[int, int]) -> dict[str, int]:
        """Wait until every message with such an id has ended; how many have, by their final status."""
        found: Counter[str] = Counter()
        for first in range(*ids, TOGETHER):
            found += await self._ended(range(first, min(first + TOGETHER, ids[1])))
        return dict(found)

    async def _ended(self, ids: Sequence[int]) -> Counter[str]:
        while True:
            standings = (await self.store.statuses(self.account_id, ids)).values()
            if all(one.status.final for one in standings):
                return Counter(one.status.text for one in standings)
            await asyncio.sleep(LOOK_S)

    async def ways(self, messages: int) -> dict[str, int]:
        """How many of the newest messages went which way: "viber failed, sms delivered"."""
        latest = await self.store.latest(messages)
        return dict(
            Counter(", ".join(f"{step.channel} {step.state}" for step in one.steps) for one in latest)
        )

    async def page_ms(self, path: str, times: int) -> list[float]:
        """How long the account's owner waits for a page of the cabinet, each time."""
        cookie = await Sessions(self.store.engine).begin(self.account_id, "127.0.0.1", "bench", now_ms())
        async with aiohttp.ClientSession(cookies={cookie_name(secure=False): cookie}) as browser:
            return [await self._page_ms(browser, path) for _ in range(times)]

    async def _page_ms(self, browser: aiohttp.ClientSession, path: str) -> float:
        began = time.perf_counter()
        async with browser.get(f"http://127.0.0.1:{self._port}{path}", allow_redirects=False) as response:
            await response.read()
            if response.status != 200:
                raise ProgramError(f"{path} was answered with {response.status}")
        return (time.perf_counter() - began) * 1000

    def usage(self) -> dict[int, measure.Usage]:
        """What the processes have used so far."""
        database = measure.servers("postgres") if self.engine == "postgres" else {}
        return measure.descendants() | database


@contextlib.asynccontextmanager
async def rig(
    database: str | None, *, far_end: bool, viber: bool = False, stored: int = 0
) -> AsyncIterator[Rig]:
    """Start everything; `database` is a PostgreSQL, None means SQLite in the folder for temporary files.

    Without a far end the connector finds nobody at its port: messages are kept and wait. With `viber` they go
    there first, to a far end that knows no number. `stored` messages are in the database beforehand.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder, url = enter_database(stack, database)
        http = stack.enter_context(contextlib.closing(listen("127.0.0.1", 0)))
        smsc_port = await start_smsc(stack) if far_end else _nobodys_port(stack)
        viber_port = await _start_viber(stack) if viber else None
        config = configure(url, smsc_port, viber_port)
        store = await open_store(url)
        stack.push_async_callback(store.close)
        account, key = await seed(config, Directory(store.engine))
        ids = await _stock(config, store, account, key, stored)
        client = await stack.enter_async_context(program("bench.load"))
        await _start_gateway(stack, config, http)
        yield Rig(
            engine="postgres" if database else "sqlite",
            durability=durability(database, folder),
            folder=folder,
            store=store,
            account_id=account.id,
            stored=ids,
            _load=client,
            _port=http.getsockname()[1],
            _key=key,
        )


def configure(url: str, smsc_port: int, viber_port: int | None = None) -> Config:
    """Messages ask for Viber; without a Viber route they go by SMS at once."""
    smsc: dict[str, Any] = {
        "kind": "smpp",
        "host": "127.0.0.1",
        "port": smsc_port,
        "system_id": "bench",
        "password": "",
        "window": WINDOW,
    }
    viber: dict[str, Any] = {
        "kind": "viber",
        "url": f"http://127.0.0.1:{viber_port}/vibersrvc/1/send_message",
        "service_ids": {"*": 3100},
        "callback_secret": secrets.token_hex(16),
        "window": WINDOW,
    }
    by_viber = [{"channel": "viber", "connector": "viber"}] if viber_port else []
    return parse(
        {
            "store": {"url": url, "secret": secrets.token_hex(16)},
            "log": {"level": "error"},
            "connectors": {stock.CONNECTOR: smsc} | ({"viber": viber} if viber_port else {}),
            "routes": [{"channel": "sms", "connector": stock.CONNECTOR}, *by_viber],
        }
    )


async def seed(config: Config, directory: Directory) -> tuple[Account, str]:
    """One account with money, prices and a key; the key."""
    now, key = now_ms(), new_key()
    account = await directory.create_account(
        "bench", hash_password(secrets.token_hex(8)), now, limits=Limits(destinations=("*",))
    )
    assert account is not None
    await Ledger(directory.engine).top_up(account, MONEY, "bench", now)
    await PriceBook(directory.engine).put([Price("sms", "", PRICE), Price("viber", "", PRICE // 2)])
    digest = key_digest(installation_secret(config.store), key)
    await directory.create_key(account, digest, key_label(key), "bench", now)
    caller = await directory.caller_by_key(digest)
    assert caller is not None
    return caller.account, key


async def _stock(config: Config, store: Store, account: Account, key: str, messages: int) -> tuple[int, int]:
    """So many messages that have ended; their ids."""
    if not messages:
        return 0, 0
    sample = await stock.sample(config, store.engine, account, key)
    return await stock.fill(store.engine, sample, account.id, messages)


# ---- processes


async def start_smsc(stack: contextlib.AsyncExitStack) -> int:
    """An SMSC; its port."""
    process = await stack.enter_async_context(program("bench.smsc"))
    ready = await ask(process, smsc.Job(RECEIPT_DELAY_S), smsc.Ready)
    return ready.port


async def _start_viber(stack: contextlib.AsyncExitStack) -> int:
    """A partner endpoint of Viber's that knows no number, and says so of every message at once; its port."""
    process = await stack.enter_async_context(program("bench.http_far_end"))
    job = http_far_end.Job(http_far_end.NOT_A_VIBER_USER)
    return (await ask(process, job, http_far_end.Served)).port


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
    await supervisor.start(parts(config, {"http": http}, supervisor))
    told = asyncio.ensure_future(supervisor.wait())  # it takes the signals; what we await must end, too
    told.add_done_callback(lambda told: None if told.cancelled() else measuring.cancel())
    stack.callback(told.cancel)


# ---- databases


def enter_database(stack: contextlib.AsyncExitStack, database: str | None) -> tuple[Path, str]:
    """A folder for temporary files, and the address of an empty database: a schema of this one, or a file."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hopwire-bench-")))
    return folder, stack.enter_context(_schema(database)) if database else f"sqlite:{folder / DATABASE}"


def durability(database: str | None, folder: Path) -> str:
    """What a commit does there, in words."""
    return _commits(database) if database else _fsyncs(folder)


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
    return f"the log is synced before an answer; an fsync takes {measure.fsync_ms(folder):.2f} ms here"
