"""A real gateway in the test's process, over real sockets, and a client that sends exactly what it is told.

There is no worker: what was accepted stays as it is until the test plays one.
"""

import asyncio
import socket
import sqlite3
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import planted
from system import PATIENCE_S

from hopwire import credentials
from hopwire.admission import now_ms
from hopwire.app import Assignment, serving, working
from hopwire.config import Config, parse
from hopwire.errors import OutcomeUnknown, Unavailable
from hopwire.events import Answered
from hopwire.model import Answer, Limits, Price
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.engine import Engine, T, Tx
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook

SECRET = planted.CALLBACK_SECRET  # of the connector `viber`
LOGIN, PASSWORD = "shop", planted.PASSWORD
TO = "380501234567"
SEND = {"command": "send", "from": "test", "to": TO, "message": planted.TEXT}

_PASSWORD_HASH = credentials.hash_password(PASSWORD)


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Wire:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def say_slowly(self, data: bytes) -> None:
        """One byte to a packet."""
        self._writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            self._writer.write(data[i : i + 1])
            await asyncio.sleep(0)

    def say_no_more(self) -> None:
        self._writer.write_eof()

    def hang_up(self) -> None:
        self._writer.transport.abort()

    async def reply(self, body: bool = True) -> Reply:
        """The next answer; `body` is False for the answer to HEAD."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        first, *lines = head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0)) if body else 0
        chunked = body and headers.get("transfer-encoding") == "chunked"
        said = await (self._chunks() if chunked else self._reader.readexactly(length))
        reply = Reply(int(first.split()[1]), headers, said)
        planted.look_at_reply(headers.get("content-type", ""), reply.body)
        return reply

    async def _chunks(self) -> bytes:
        found = b""
        while True:
            length = int(await asyncio.wait_for(self._reader.readuntil(b"\r\n"), PATIENCE_S), 16)
            found += (await self._reader.readexactly(length + 2))[:-2]
            if not length:
                return found

    async def closed(self) -> bool:
        """Wait until the gateway closes the connection without another byte."""
        try:
            return await asyncio.wait_for(self._reader.read(1), PATIENCE_S) == b""
        except ConnectionResetError:  # it had not read all that we said
            return True


class Gateway:
    """A running gateway with one account."""

    key: str

    def __init__(self, store: Store, config: Config, path: Path, ports: dict[str, int]) -> None:
        self.store = store
        self.directory = Directory(store.engine)
        self.config = config
        self._secret = credentials.installation_secret(config.store)
        self._path = path
        self.ports = ports

    @asynccontextmanager
    async def wire(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
        port = self.ports["https" if tls else "http"]
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()

    async def say(self, data: bytes) -> Reply:
        async with self.wire() as wire:
            wire.say(data)
            return await wire.reply()

    async def get(self, target: str | bytes, *headers: str) -> Reply:
        return await self.say(get(target, *headers))

    async def post(self, target: str, body: bytes, *headers: str) -> Reply:
        return await self.say(post(target, body, *headers))

    async def ask(self, **params: str | int) -> str:
        """The text of the answer to a GET; the key is added where no other credential is given."""
        who = {} if {"key", "login"} & params.keys() else {"key": self.key}
        return (await self.get(f"/api/http.php?{urlencode({**who, **params})}")).text

    async def send(self, **params: str) -> int:
        """Send a message with these parameters over those of a right one; its id."""
        text = await self.ask(**{**SEND, **params})
        name, _, number = text.splitlines()[0].partition(":")
        assert name == "id", text
        return int(number)

    async def new_key(self, account: int, **traits: Any) -> str:
        """A key for the account, with traits of Directory.create_key."""
        key = credentials.new_key()
        digest, label = credentials.key_digest(self._secret, key), credentials.key_label(key)
        await self.directory.create_key(account, digest, label, "test", now_ms(), **traits)
        return key

    async def open_account(self) -> None:
        """The one account, and what everything costs."""
        limits = Limits(destinations=("*",))
        account = await self.directory.create_account(LOGIN, _PASSWORD_HASH, now_ms(), limits=limits)
        assert account == 1
        await Ledger(self.directory.engine).top_up(account, 100_000_000, "", now_ms())
        await PriceBook(self.directory.engine).put([Price("viber", "", 400_000), Price("sms", "", 800_000)])
        self.key = await self.new_key(account)

    async def play_worker(self, connector: str, answer: Answer) -> list[int]:
        """Hand over all that is due on the connector, and record this answer; the messages' ids."""
        now = now_ms()
        handovers = await self.store.claim(connector, "test", 100, 60_000, now)
        await self.store.record([(h.message_id, Answered(h.step, h.part, answer)) for h in handovers], now)
        return [h.message_id for h in handovers]

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """Ask the database, or change it, behind the gateway's back."""
        with self.database() as database:
            return database.execute(statement, values).fetchall()

    def kept(self) -> int:
        """How many rows sending has made."""
        count: int = self.rows(
            "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM deliveries) + count(*)"
            " FROM ledger WHERE kind != 'topup'"
        )[0][0]
        return count

    def alter(self, statement: str, *values: Any) -> None:
        """Change the directory, and let the gateway know as the command line would."""
        self.rows(statement, *values)
        self.rows("UPDATE counters SET value = value + 1 WHERE name = 'directory'")

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another process is writing, and does not stop."""
        with self.database() as database:
            database.execute("BEGIN IMMEDIATE")
            yield
            database.execute("ROLLBACK")

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        """The store cannot even be read, as when a database server is away."""
        with self._engine(_Away(Unavailable())):
            yield

    @contextmanager
    def unanswered(self) -> Iterator[None]:
        """Nobody knows what becomes of a commit, as when a database server goes away."""
        with self._engine(_Away(OutcomeUnknown())):
            yield

    @contextmanager
    def _engine(self, engine: Engine) -> Iterator[None]:
        before, self.store.engine = self.store.engine, engine
        yield
        self.store.engine = before


class _Away:
    """An engine whose database does not answer."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    async def write(self, work: Callable[[Tx], T], *, at_leisure: bool = False, last: bool = False) -> T:
        raise self._failure

    async def read(self, work: Callable[[Tx], T]) -> T:
        raise self._failure

    async def listen(self, on_wake: Callable[[Collection[str]], None]) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


def get(target: str | bytes, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """The bytes of a request; a target of bytes goes out as it is."""
    raw = target.encode() if isinstance(target, str) else target
    head = "".join(f"{line}\r\n" for line in ("Host: localhost", *headers, ""))
    return b"%s %s %s\r\n%s" % (method.encode(), raw, version.encode(), head.encode())


def post(target: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    return get(target, *headers, f"Content-Length: {len(body)}", method=method) + body


def multipart(fields: dict[str, str]) -> bytes:
    parts = (
        f'--sep\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return ("".join(parts) + "--sep--\r\n").encode()


async def answers(gateway: Gateway, text: str, **params: str) -> None:
    """Ask until the answer is this; fails after a second, with some patience for a busy machine."""
    end = time.monotonic() + 3
    while (answer := await gateway.ask(**params)) != text:
        assert time.monotonic() < end, answer
        await asyncio.sleep(0.05)


def settings(folder: Path) -> dict[str, Any]:
    """A configuration as the file has it, with connectors that nobody answers for."""
    return {
        "store": {"url": f"sqlite:{folder / 'hopwire.db'}"},
        "connectors": {
            "smsc": {"kind": "smpp", "host": "127.0.0.1", "system_id": "hopwire", "password": "secret"},
            "viber": {"kind": "viber", "service_ids": {"*": 3100}, "callback_secret": SECRET},
        },
        "routes": [
            {"prefix": "380", "channel": "sms", "connector": "smsc"},
            {"prefix": "380", "channel": "viber", "connector": "viber"},
        ],
    }


@asynccontextmanager
async def running(folder: Path, *, worker: bool = False, **sections: Any) -> AsyncIterator[Gateway]:
    """A gateway with an account, its key, 100 in money, and prices of 0.4 on Viber and 0.8 an SMS part.

    `worker`: with a real one, too, whose far ends the sections name.
    """
    config = parse(settings(folder) | sections)
    store = await open_store(config.store.url)
    names = ["http", *(["https"] if config.http.tls_certificate else [])]
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    ports = {name: one.getsockname()[1] for name, one in sockets.items()}
    gateway = Gateway(store, config, folder / "hopwire.db", ports)
    await gateway.open_account()
    inherited = {name: one.detach() for name, one in sockets.items()}
    assignment = Assignment(role="web", title="web 1", sockets=inherited, config=config)
    try:
        async with AsyncExitStack() as stack:
            if worker:
                await stack.enter_async_context(working(assignment, store))
            await stack.enter_async_context(serving(assignment, store))
            yield gateway
    finally:
        await store.close()


# ---- the encoded dialect


def from_php(data: bytes) -> Any:
    """Unserialize what the protocol's replies may hold: arrays, strings and integers."""
    value, rest = _from_php(data)
    assert rest == b""
    return value


def _from_php(data: bytes) -> tuple[Any, bytes]:
    kind = data[:2]
    number, _, rest = data[2:].partition(b";" if kind == b"i:" else b":")
    if kind == b"i:":
        return int(number), rest
    if kind == b"s:":
        end = int(number) + 1
        assert (rest[:1], rest[end : end + 2]) == (b'"', b'";')
        return rest[1:end].decode(), rest[end + 2 :]
    assert (kind, rest[:1]) == (b"a:", b"{")
    return _array(int(number), rest[1:])


def _array(size: int, rest: bytes) -> tuple[Any, bytes]:
    items = {}
    for _ in range(size):
        key, rest = _from_php(rest)
        items[key], rest = _from_php(rest)
    assert rest[:1] == b"}"
    return list(items.values()) if list(items) == list(range(size)) else items, rest[1:]


def encoded(**params: str) -> str:
    """Each value in the dialect's alphabet."""
    return urlencode({k: b64encode(v.encode(), b"-_").decode().replace("=", ",") for k, v in params.items()})


def decoded(reply: Reply) -> dict[str, Any]:
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    value: dict[str, Any] = from_php(b64decode(reply.text.replace(",", "="), b"-_", validate=True))
    return value
