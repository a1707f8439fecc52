"""Where the parts meet: what one process of Hopwire consists of, by its role.

A process is started by the supervisor (cli/processes.py) as `python -m hopwire.app`, with one line of JSON on
its standard input (`Assignment`) and the listening sockets inherited. It says "ready" on standard output, and
ends in order on SIGTERM, or when its standard input closes because the supervisor is gone.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import uvicorn
import uvloop
from setproctitle import setproctitle

from hopwire import logs
from hopwire.admission import Admission, now_ms
from hopwire.channels import Channel, KeepReceipts
from hopwire.channels.http import HttpChannel
from hopwire.channels.providers import provider
from hopwire.channels.remote import Host, RemoteChannel, Remotes
from hopwire.channels.smpp import SmppChannel
from hopwire.config import Config, HttpConnector
from hopwire.credentials import Credentials, KeyUse, installation_secret, totp
from hopwire.errors import Unavailable
from hopwire.fetch import Pictures
from hopwire.mailings import MailingRunner
from hopwire.model import Receipt
from hopwire.postman import Postman, at_work
from hopwire.routes import network
from hopwire.routing import Times
from hopwire.store import Store
from hopwire.store.batch import Batch
from hopwire.store.directory import Directory
from hopwire.store.inbox import Inbox
from hopwire.store.mailings import Mailings
from hopwire.store.migrate import open_store
from hopwire.store.owner import OwnedStore, Owner
from hopwire.store.retention import Retention
from hopwire.web.app import App
from hopwire.web.callbacks import Callbacks, Keep, Source
from hopwire.web.http_php import HttpPhp
from hopwire.web.pages import Parts, letters
from hopwire.web.request_log import RequestLog
from hopwire.web.wire import HttpProtocol
from hopwire.worker import Worker

log = logging.getLogger(__name__)

DRAIN_S = 10
KEEP_ALIVE_S = 75  # longer than the proxies and clients that reuse connections


class Assignment(msgspec.Struct, kw_only=True):
    """What a process is told to be."""

    role: str  # web, worker, gateway (both in one), simulators
    title: str  # "web 1"
    sockets: dict[str, int]  # name -> inherited file descriptor
    config: Config
    simulators: dict[str, str] = {}  # arguments of run_simulators
    owner: str = ""  # of a web process with SQLite: the socket of the one that owns the file
    remotes: str = ""  # of the web process that has the owner's channels over HTTP: the socket for them


# ---- parts


def keeping(store: Store) -> KeepReceipts:
    """What keeps receipts in the store."""

    async def keep(receipts: Sequence[Receipt]) -> Sequence[str | None]:
        return await store.keep_receipts(receipts, now_ms())

    return keep


def channels(config: Config, worker: Worker, *, remote: bool = False) -> dict[str, Channel]:
    """A channel for each connector; `remote`: another process has those over HTTP at work."""
    made: dict[str, Channel] = {}
    for name, settings in config.connectors.items():
        if isinstance(settings, HttpConnector) and remote:
            made[name] = RemoteChannel(
                name, settings, partial(worker.ready, name), partial(worker.late, name)
            )
        elif isinstance(settings, HttpConnector):
            made[name] = HttpChannel(
                name,
                settings,
                provider(settings),
                partial(worker.ready, name),
                worker.outstanding(name),
                worker.keep_receipts,
            )
        else:
            made[name] = SmppChannel(
                name,
                settings,
                worker.keep_receipts,
                worker.keep_incoming,
                partial(worker.ready, name),
                partial(worker.late, name),
                share=config.worker.processes,
            )
    return made


def web_app(
    config: Config,
    store: Store,
    admission: Admission,
    directory: Directory,
    use: KeyUse,
    pictures: Pictures,
    installation: str = "",
    log: RequestLog | None = None,
) -> App:
    """The ASGI application over a store; `installation` names its database among those of other gateways."""
    secret, proxies = installation_secret(config.store), config.http.trusted_proxies
    credentials = Credentials(directory, secret, lambda: admission.generation, use, totp.seals(config.store))
    inbox = Inbox(store.engine)
    words = config.sms.stop_words, config.sms.start_words
    together: Batch[Receipt, str | None] = Batch(keeping(store), store.GROUP)
    keep = Keep(
        receipts=lambda receipts: asyncio.gather(*map(together, receipts)),
        incoming=lambda messages: inbox.keep_incoming(messages, now_ms(), *words),
        unsubscribed=lambda told: inbox.keep_unsubscribed(told, now_ms()),
    )
    sources = {
        name: Source(connector.callback_secret, connector.callback_from, provider(connector).callback)
        for name, connector in config.connectors.items()
        if isinstance(connector, HttpConnector)
    }
    return App(
        HttpPhp(admission, credentials, config.sms, proxies, installation, log),
        Callbacks(sources, keep, proxies),
        store,
        _parts(config, store, admission, credentials, pictures) if config.cabinet.enabled else None,
        metrics_token=config.metrics.token,
        demo_token=config.demo.token,
    )


def _parts(
    config: Config, store: Store, admission: Admission, credentials: Credentials, pictures: Pictures
) -> Parts:
    """What the pages work with."""
    return Parts(
        config=config,
        store=store,
        admission=admission,
        credentials=credentials,
        pictures=pictures,
        secret=installation_secret(config.store),
    )


# ---- roles


def worker_name(assignment: Assignment) -> str:
    """What tells this worker's claims from others', and is the same when it is started again.

    SQLite has one worker, whoever started it; with PostgreSQL a supervisor knows its own.
    """
    if not assignment.config.store.postgres:
        return "gateway"
    return f"{socket.gethostname()}:{os.getppid()}:{assignment.title}"


@contextlib.asynccontextmanager
async def working(assignment: Assignment, store: Store) -> AsyncIterator[None]:
    """A worker at work; on leaving, it claims no more and waits for what is under way."""
    config = assignment.config
    worker = Worker(
        store,
        worker_name(assignment),
        config.worker.lease_s,
        now_ms,
        config.sms.stop_words,
        config.sms.start_words,
        Retention(
            store.engine,
            installation_secret(config.store),
            config.retention.texts_days,
            config.retention.numbers_days,
        ),
        requests_days=config.cabinet.requests_days,
    )
    made = channels(config, worker, remote="remotes" in assignment.sockets)
    async with meeting_host(assignment, made):
        await worker.start(made, at_once=not config.store.postgres)
        try:
            async with sending_mail(config, store):
                yield
        finally:
            await worker.stop()


@contextlib.asynccontextmanager
async def meeting_host(assignment: Assignment, made: Mapping[str, Channel]) -> AsyncIterator[None]:
    """A door for the process that has the remote channels among these at work, where there is one."""
    if "remotes" not in assignment.sockets:
        yield
        return
    remotes = Remotes({name: one for name, one in made.items() if isinstance(one, RemoteChannel)})
    await remotes.start(socket.socket(fileno=assignment.sockets["remotes"]))
    try:
        yield
    finally:
        await remotes.stop()


@contextlib.asynccontextmanager
async def sending_mail(config: Config, store: Store) -> AsyncIterator[None]:
    """The postman at work, where there is a mail server."""
    if not config.mail.host:
        yield
        return
    postman = Postman(store.engine, config, partial(letters.about, config.cabinet), now_ms)
    async with at_work(postman):
        yield


@contextlib.asynccontextmanager
async def owning(assignment: Assignment, store: Store) -> AsyncIterator[None]:
    """SQLite's owner, at the service of the web processes."""
    owner = Owner(store)
    await owner.start(socket.socket(fileno=assignment.sockets["owner"]))
    try:
        yield
    finally:
        await owner.stop()


@contextlib.asynccontextmanager
async def hosting(assignment: Assignment, store: Store) -> AsyncIterator[None]:
    """The owner's channels over HTTP, at work in this process."""
    host = Host(Path(assignment.remotes))
    made = {
        name: HttpChannel(
            name,
            settings,
            provider(settings),
            partial(host.ready, name),
            partial(store.outstanding, name),
            keeping(store),
        )
        for name, settings in assignment.config.connectors.items()
        if isinstance(settings, HttpConnector)
    }
    await host.start(made)
    try:
        yield
    finally:
        await host.stop()


@contextlib.asynccontextmanager
async def serving(assignment: Assignment, store: Store) -> AsyncIterator[None]:
    """The HTTP servers of a web process; on leaving, they finish the requests under way."""
    async with (
        Pictures(assignment.config.viber.max_image_bytes) as pictures,
        _serving(assignment, store, pictures),
    ):
        yield


@contextlib.asynccontextmanager
async def _serving(assignment: Assignment, store: Store, pictures: Pictures) -> AsyncIterator[None]:
    config = assignment.config
    directory = Directory(store.engine)
    times = Times(config.sms.lifetime_s, config.sms.grace_s, config.viber.grace_s)
    check_image = pictures.check if config.viber.check_images else None
    admission = Admission(store, directory, network(config), times, check_image)
    await admission.refresh()
    use = KeyUse(directory)
    me = f"{socket.gethostname()}:{os.getpid()}"
    mailings = MailingRunner(admission, Mailings(store.engine), directory, me, config.sms.max_parts, now_ms)
    requests = RequestLog(store.keep_requests)
    watches = [asyncio.ensure_future(one.watch()) for one in (admission, use, mailings, requests)]
    log = requests if config.cabinet.enabled and config.cabinet.requests_days else None
    app = web_app(config, store, admission, directory, use, pictures, await store.installation(), log)
    servers = [
        (server(app, config, tls=name == "https"), socket.socket(fileno=fd))
        for name, fd in assignment.sockets.items()
    ]
    running = [asyncio.ensure_future(one.serve(sockets=[sock])) for one, sock in servers]
    while not all(one.started for one, _ in servers):  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        for one, _ in servers:
            one.should_exit = True
        await asyncio.gather(*running)
        for watch in watches:
            watch.cancel()
        for told in (use, requests):
            with contextlib.suppress(Unavailable):
                await told.write()


class _Server(uvicorn.Server):
    """uvicorn, with the signals left to us."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


def server(app: App, config: Config, *, tls: bool) -> uvicorn.Server:
    """An HTTP or HTTPS server, not started yet; raises OSError for a certificate that cannot be used."""
    settings = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,  # a request line may hold a key, a number, a text
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=2048,
        ssl_certfile=config.http.tls_certificate if tls else None,
        ssl_keyfile=config.http.tls_key if tls else None,
    )
    settings.load()  # here, where it can fail; a server that fails inside its task would be waited for
    return _Server(settings)


async def run_gateway(assignment: Assignment, stopped: Awaitable[object]) -> None:
    """Live in this role until `stopped`."""
    remember_ms = 86_400_000 * assignment.config.viber.remember_days
    store = await open_store(assignment.config.store.url, remember_ms)
    if assignment.owner:
        store = OwnedStore(store.engine, Path(assignment.owner))
    try:
        async with contextlib.AsyncExitStack() as stack:
            if assignment.role in ("gateway", "worker"):
                await stack.enter_async_context(working(assignment, store))
            if "owner" in assignment.sockets:
                await stack.enter_async_context(owning(assignment, store))
            if assignment.remotes:
                await stack.enter_async_context(hosting(assignment, store))
            if assignment.role in ("gateway", "web"):
                await stack.enter_async_context(serving(assignment, store))
            gc.freeze()  # what has been imported stays; the collector need not walk it again and again
            gc.set_threshold(10_000, 20, 50)  # thousands of messages are under way: that is no garbage
            print("ready", flush=True)
            await stopped
    finally:
        await store.close()


async def run_demo_simulators(assignment: Assignment, stopped: Awaitable[object]) -> None:
    """The far ends of the demo, until `stopped`."""
    from hopwire.simulators.run import run_simulators  # a gateway starts sooner without them

    smsc, viber, phone = (socket.socket(fileno=assignment.sockets[n]) for n in ("smsc", "viber", "phone"))
    running = asyncio.ensure_future(run_simulators(smsc, viber, phone, **assignment.simulators))  # type: ignore[arg-type]
    print("ready", flush=True)
    await asyncio.wait([running, asyncio.ensure_future(stopped)], return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


# ---- the process


async def _until_stopped(
    role: Callable[[Assignment, Awaitable[object]], Awaitable[None]], a: Assignment
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us, too; the supervisor ends us in order
    loop.add_reader(0, _end_with_supervisor, loop, stop)
    await role(a, stop.wait())


def _end_with_supervisor(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Nothing more is ever written to standard input: what comes is its end."""
    loop.remove_reader(0)
    stop.set()


def main() -> None:
    """Be what standard input says."""
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the supervisor is gone already
    assignment = msgspec.json.decode(line, type=Assignment)
    setproctitle(f"hopwire: {assignment.title}")
    logs.configure(assignment.config.log)
    role = run_demo_simulators if assignment.role == "simulators" else run_gateway
    try:
        uvloop.run(_until_stopped(role, assignment))
    except Unavailable:
        sys.exit(f"hopwire: {assignment.title} cannot start, for the database cannot be used")


if __name__ == "__main__":
    main()
