"""`hopwire serve` and `hopwire demo`: the commands that run a gateway."""

import asyncio
import contextlib
import errno
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import CommandError, ConfigFile, Ending, new_commands, read_config, say

if TYPE_CHECKING:
    from hopwire.cli.processes import Part, Supervisor
    from hopwire.config import Config
    from hopwire.store.directory import Directory

commands = new_commands()

DEMO_LOGIN = "demo"
DEMO_FILE = "demo-account.json"
DEMO_MONEY = 10_000_000  # in the account's currency: more than a million of the dearest messages
DEMO_PRICES = {"viber": 0.4, "sms": 0.8}
DEMO_PROVIDERS: dict[str, dict[str, object]] = {  # settings that reach the simulator, by the connector's kind
    "viber": {"url": "{url}/vibersrvc/1/send_message", "service_ids": {"*": 3100}},
    "infobip": {"url": "{url}", "api_key": "{password}"},
    "turbosms": {"url": "{url}", "token": "{password}", "signature_secret": "{password}"},
    "gms": {
        "url": "{url}/1234",
        "login": "demo",
        "password": "{password}",
        "statuses": {
            "24": "seen",
            "36008": "blocked",
            "36009": "no account",
            "36010": "recipient",
            "36027": "number",
        },
    },
    "vonage": {
        "url": "{url}",
        "api_key": "demo",
        "api_secret": "{password}",
        "signature_secret": "{password}",
    },
}


# ---- serve


@commands.command()
def serve(config: ConfigFile = None) -> None:
    """Run the gateway: web processes and a worker, or several workers with PostgreSQL."""
    from hopwire.cli.settings import check_connectors

    settings = read_config(config)
    check_connectors(settings)
    _supervise(lambda supervisor: _serve(supervisor, settings), "hopwire: serve", settings)


async def _serve(supervisor: "Supervisor", config: "Config") -> None:
    from hopwire.cli.processes import address
    from hopwire.store.directory import Directory
    from hopwire.store.migrate import open_store

    store = await open_store(config.store.url)  # what is wrong with it is told here, before anything starts
    try:
        set_up = config.cabinet.enabled and not await Directory(store.engine).has_operator()
    finally:
        await store.close()
    _own(config)
    sockets = {"http": _listen(config.http.host, config.http.port)}
    if config.http.tls_certificate:
        _check_certificate(config)
        sockets["https"] = _listen(config.http.host, config.http.tls_port)
    await supervisor.start(parts(config, sockets, supervisor))
    where = ", ".join(f"{scheme}://{address(sock)}" for scheme, sock in sockets.items())
    say(f"Hopwire is ready at {where}")
    if set_up:
        link = _set_up_link(config, where)
        say(f"There is no operator yet. This link makes the first one, within an hour: {link}")
    if not config.connectors:
        say("There is no connector yet, so every message ends as Operator not supported (95).")


def _set_up_link(config: "Config", where: str) -> str:
    """The address of the page that makes the first operator."""
    from hopwire import links
    from hopwire.admission import now_ms
    from hopwire.credentials import installation_secret

    token = links.make(installation_secret(config.store), links.Purpose.SET_UP, "", now_ms())
    return f"{config.cabinet.url.rstrip('/') or where.rpartition(', ')[2]}/set-up/{token}"


def _own(config: "Config") -> None:
    """Lock the SQLite file against a second gateway, for as long as this process lives."""
    import fcntl

    if config.store.postgres:
        return
    path = config.store.url.removeprefix("sqlite:")
    descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR, 0o600)  # closed by the end of the process
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise CommandError(Ending.FAILURE, f"another gateway is running on {path}") from None


def _check_certificate(config: "Config") -> None:
    import ssl

    pair = config.http.tls_certificate, config.http.tls_key
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*pair)
    except (OSError, ssl.SSLError) as error:
        told = f"http.tls_certificate = {pair[0]!r}, http.tls_key = {pair[1]!r}: cannot be used: {error}"
        raise CommandError(Ending.CONFIG, told) from None


def parts(config: "Config", sockets: dict[str, socket.socket], supervisor: "Supervisor") -> list["Part"]:
    """The processes of a gateway, which the supervisor will start."""
    from hopwire.cli.processes import Part

    if not config.http.web_processes:
        return [Part("gateway", "gateway", config, sockets)]
    names = () if config.store.postgres else ("owner", "remotes")
    meetings = {name: supervisor.meeting(name) for name in names}
    paths = {name: sock.getsockname() for name, sock in meetings.items()}
    owner, remotes = paths.get("owner", ""), paths.get("remotes", "")
    workers, webs = range(1, config.worker.processes + 1), range(1, config.http.web_processes + 1)
    return [
        *(Part("worker", f"worker {n}", config, meetings) for n in workers),
        *(
            Part("web", f"web {n}", config, sockets, owner=owner, remotes=remotes if n == 1 else "")
            for n in webs
        ),
    ]


# ---- demo


@commands.command()
def demo(
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port; 0 takes a free one.")] = 8080,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", show_default=False, help="Keep everything here. Without it: forgotten at the end."
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", show_default=False, help="An empty PostgreSQL database instead of SQLite."
        ),
    ] = None,
    viber: Annotated[
        str, typer.Option("--viber", help=f"Whose API Viber is reached by: {', '.join(DEMO_PROVIDERS)}.")
    ] = "viber",
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")] = False,
) -> None:
    """Run a gateway with simulated phones on this machine: nothing leaves it."""
    from hopwire.config import Config

    if viber not in DEMO_PROVIDERS:
        raise CommandError(Ending.USAGE, f"--viber {viber}: must be one of {', '.join(DEMO_PROVIDERS)}")
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hopwire-demo-")))
        _make(folder)
        _supervise(
            lambda supervisor: _demo(supervisor, port, folder, database, viber, as_json),
            "hopwire: demo",
            Config(),
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(Ending.FAILURE, f"--data {folder}: {error.strerror}") from None


async def _demo(
    supervisor: "Supervisor", port: int, folder: Path, database: str | None, provider: str, as_json: bool
) -> None:
    from hopwire.cli.processes import Part, address

    http = _listen("127.0.0.1", port)
    far = {name: _listen("127.0.0.1", 0) for name in ("smsc", "viber", "phone")}
    known = _remembered(folder)
    password = known.get("password") or secrets.token_urlsafe(9)
    store = {"url": database or f"sqlite:{folder / 'hopwire.db'}", "secret_file": str(folder / "secret")}
    addresses = {name: address(sock) for name, sock in far.items()}
    config, arguments = _demo_config(store, password, address(http), addresses, provider)
    ready, waiting = await _seed(config, folder, known, password)
    _own(config)
    ready |= {
        "url": f"http://{address(http)}",
        "cabinet": f"http://{address(http)}/come-in/{waiting}",
        "phone": f"http://{address(far['phone'])}/",
        "smsc": address(far["smsc"]),
        "viber": f"http://{address(far['viber'])}",
    }
    simulators = Part("simulators", "simulators", config, far, {**arguments, "api_key": ready["key"]})
    await supervisor.start([simulators, *parts(config, {"http": http}, supervisor)])
    if as_json:
        order = ("url", "key", "login", "password", "phone", "smsc", "viber", "cabinet")
        print(json.dumps({name: ready[name] for name in order}), flush=True)
    else:
        print(_welcome(ready), flush=True)


def _demo_config(
    store: dict[str, str], password: str, gateway: str, far: dict[str, str], provider: str
) -> tuple["Config", dict[str, str]]:
    """The settings of the demo, and what its simulators must know of them."""
    from hopwire.config import parse

    smsc_host, _, smsc_port = far["smsc"].rpartition(":")
    secret, token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    smsc = {
        "kind": "smpp",
        "host": smsc_host,
        "port": int(smsc_port),
        "system_id": "demo",
        "password": password,
    }
    viber = {
        "kind": provider,
        **_filled(DEMO_PROVIDERS[provider], url=f"http://{far['viber']}", password=password),
        "callback_secret": secret,
    }
    config = parse(
        {
            "store": store,
            "demo": {"token": token},
            "log": {"level": "warning"},
            "sms": {"lifetime_s": 60},  # simulated phones answer within seconds
            "worker": {"lease_s": 15},
            "connectors": {
                "smsc": {**smsc, "window": 200, "response_timeout_s": 5},
                "viber": {**viber, "timeout_s": 5},
            },
            "routes": [{"channel": "sms", "connector": "smsc"}, {"channel": "viber", "connector": "viber"}],
        }
    )
    arguments = {
        "callback_url": f"http://{gateway}/callbacks/viber/{secret}",
        "gateway_url": f"http://{gateway}",
        "demo_token": token,
        "smsc_password": password,
        "provider": provider,
    }
    return config, arguments


def _filled(settings: dict[str, object], **words: str) -> dict[str, object]:
    """Settings with the words in the place of their names in braces."""
    return {k: v.format(**words) if isinstance(v, str) else v for k, v in settings.items()}


def _remembered(folder: Path) -> dict[str, str]:
    """The account of an earlier demo in this folder; an empty one where there is none that can be read."""
    try:
        told = json.loads((folder / DEMO_FILE).read_text())
        return {name: str(told[name]) for name in ("key", "login", "password")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _remember(folder: Path, ready: dict[str, str]) -> None:
    fresh = folder / f"{DEMO_FILE}.new"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(ready))
    fresh.rename(folder / DEMO_FILE)  # whole or not at all


async def _seed(
    config: "Config", folder: Path, known: dict[str, str], password: str
) -> tuple[dict[str, str], str]:
    """The demo's account with its key: the one the folder remembers, if the store has it, or a new one.

    And a session of it that waits for a browser.
    """
    from hopwire.admission import now_ms
    from hopwire.credentials import installation_secret, key_digest
    from hopwire.store.directory import Directory
    from hopwire.store.migrate import open_store
    from hopwire.store.sessions import Sessions

    store = await open_store(config.store.url)
    try:
        directory = Directory(store.engine)
        secret = installation_secret(config.store)
        caller = await directory.caller_by_key(key_digest(secret, known["key"])) if known else None
        ready = known if caller else await _new_account(directory, secret, password)
        if not caller:
            _remember(folder, ready)
        found = await directory.account_by_login(ready["login"])
        assert found is not None, "it was found by its key, or made just now"
        await directory.set_account(found[0].id, {"operator": True})
        return ready, await Sessions(store.engine).begin(found[0].id, "", "hopwire demo", now_ms())
    finally:
        await store.close()


async def _new_account(directory: "Directory", secret: bytes, password: str) -> dict[str, str]:
    from hopwire.admission import now_ms
    from hopwire.credentials import hash_password, key_digest, key_label, new_key
    from hopwire.model import Limits, Price
    from hopwire.store.ledger import Ledger
    from hopwire.store.prices import PriceBook

    key, now, limits = new_key(), now_ms(), Limits(destinations=("*",))
    login, hashed = DEMO_LOGIN, hash_password(password)
    account = await directory.create_account(login, hashed, now, limits=limits)
    while account is None:  # a database that other demos have used
        login = f"{DEMO_LOGIN}-{secrets.token_hex(3)}"
        account = await directory.create_account(login, hashed, now, limits=limits)
    await Ledger(directory.engine).top_up(account, DEMO_MONEY * 1_000_000, "demo", now)
    prices = [Price(channel, "", round(price * 1e6)) for channel, price in DEMO_PRICES.items()]
    await PriceBook(directory.engine).put(prices)
    await directory.create_key(account, key_digest(secret, key), key_label(key), "demo", now)
    return {"key": key, "login": login, "password": password}


def _welcome(ready: dict[str, str]) -> str:
    return f"""\
Hopwire demo is ready. Nothing leaves this machine; Ctrl-C ends it.

  Gateway   {ready["url"]}/api/http.php
  Phones    {ready["phone"]}   <- open this in a browser
  Cabinet   {ready["cabinet"]}   <- and this; it signs you in once
  Key       {ready["key"]}
  Login     {ready["login"]}   Password  {ready["password"]}

Send a Viber message that nobody can get, so that it goes on by SMS:

  curl '{ready["url"]}/api/http.php?version=http&key={ready["key"]}&command=send&from=test&to=380501234502&message=Hello&viber=1&viber_type=text&viber_message=Hello&viber_from=test&viber_lifetime=60&viber_sms=true'
"""  # noqa: E501 - the line to copy


# ---- both


def _listen(host: str, port: int) -> socket.socket:
    from hopwire.cli.processes import listen

    try:
        return listen(host, port)
    except OSError as error:
        raise CommandError(
            Ending.FAILURE,
            f"cannot listen on {host}:{port}: {error.strerror}."
            + (" Choose another port, or 0 for any." if error.errno == errno.EADDRINUSE else ""),
        ) from None


def _supervise(start: Callable[["Supervisor"], Awaitable[None]], title: str, config: "Config") -> None:
    """Start the parts, and keep them running until a signal comes."""
    from setproctitle import setproctitle

    from hopwire import logs
    from hopwire.cli.operator import database_errors
    from hopwire.cli.processes import ProcessError, Supervisor

    async def run() -> None:
        supervisor = Supervisor()
        try:
            await start(supervisor)
            await supervisor.wait()
        finally:
            await supervisor.stop()

    setproctitle(title)
    logs.configure(config.log)
    try:
        with database_errors():
            asyncio.run(run())
    except ProcessError as error:
        raise CommandError(Ending.FAILURE, str(error)) from None
