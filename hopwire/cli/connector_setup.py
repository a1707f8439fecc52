"""`hopwire connector add` and `hopwire connector test`: from a contract to a connector that works."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hopwire.cli.connector import Name, named
from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    default_config,
    emit,
    emit_rows,
    read_config,
    say,
)

if TYPE_CHECKING:
    from hopwire.channels.smpp.probe import Step
    from hopwire.config import Connector, SmppConnector
    from hopwire.model import Handover


# ---- add


def add(
    name: Name,
    kind: Annotated[
        str, typer.Option(help="What it speaks: smpp, viber, or one of the others in docs/channels.md.")
    ] = "smpp",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the connector; may be given again."),
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(help='Send numbers with these first digits over it, "" for all; may be given again.'),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="sms or viber: what these routes carry. Without it: all it can.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a connector into the settings file, if it is good as it is; the gateway must be started again.

    The password, or what the provider calls its key or token, comes from HOPWIRE_PASSWORD or, without it,
    from standard input. The secret in the address for callbacks is made, and shown now and never again.
    Secrets are sealed where there are keys, see `hopwire secret`.
    """
    from hopwire.config import KINDS, blocks

    if kind not in KINDS:
        raise CommandError(Ending.USAGE, f"--kind must be one of {', '.join(KINDS)}")
    path = config or default_config() or Path("hopwire.toml")
    values = dict(_setting(one) for one in settings or ())
    values |= (made := _secrets(KINDS[kind], values))
    values = _sealed(KINDS[kind], values, path)
    channels = [channel] if channel else sorted(KINDS[kind].carries)
    table = blocks.block(name, kind, values)
    routes = [
        blocks.table("routes", {"prefix": prefix, "channel": one, "connector": name})
        for prefix in route or ()
        for one in channels
    ]
    _append(path, "\n".join([table, *(one.replace("[routes]", "[[routes]]", 1) for one in routes)]))
    told = {"connector": name, "file": str(path)}
    if "callback_secret" in made:  # the provider must be told, and it may be sealed now
        told["callback"] = f"/callbacks/{name}/{made['callback_secret']}"
    emit(told, as_json)


def _setting(text: str) -> tuple[str, Any]:
    """KEY=VALUE, the value as TOML has it; what is no TOML is text."""
    import tomllib

    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError(Ending.USAGE, f"--set {text}: must be KEY=VALUE")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value


def _secrets(kind: "type[Connector]", known: dict[str, Any]) -> dict[str, str]:
    """The secrets that the connector must have: ours is made, the provider's is asked for."""
    import secrets

    from hopwire.config import required_secrets

    wanted = [name for name in required_secrets(kind) if name not in known]
    return {name: secrets.token_urlsafe(24) if name == "callback_secret" else _ask(name) for name in wanted}


def _sealed(kind: "type[Connector]", values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The settings with their secrets sealed, where the installation has keys to seal with."""
    from hopwire.config import ConfigError, blocks, read_tree, vault_of
    from hopwire.vault import SealError

    try:
        return blocks.sealed(kind, values, vault_of(read_tree(path if path.exists() else None, os.environ)))
    except (ConfigError, SealError) as error:
        raise CommandError(Ending.CONFIG, str(error)) from None


def _ask(name: str) -> str:
    password = os.environ.get("HOPWIRE_PASSWORD")
    if password is not None:
        return password
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"The provider's {name}: ")
    return sys.stdin.readline().rstrip("\r\n")


def _append(path: Path, text: str) -> None:
    """Add to the file what makes good settings of it, whole or not at all; its owner alone may read it."""
    from hopwire.config import ConfigError, load

    fresh = path.with_name(f".{path.name}.new")
    try:
        old = path.read_text("utf-8") if path.exists() else ""
        fresh.touch(mode=0o600)
        fresh.write_text(f"{old.rstrip()}\n\n{text}" if old.strip() else text, "utf-8")
        load(fresh, os.environ)
        fresh.replace(path)
    except ConfigError as error:
        raise CommandError(Ending.CONFIG, str(error).replace(str(fresh), str(path))) from None
    except OSError as error:
        raise CommandError(Ending.FAILURE, f"{path} cannot be written: {error.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)


# ---- test


def test(
    name: Name,
    to: Annotated[
        str | None, typer.Option("--to", help="Also send a text to this number, in international form.")
    ] = None,
    sender: Annotated[str, typer.Option("--from", help="Sender of that text.")] = "Test",
    text: Annotated[str, typer.Option("--text", help="That text.")] = "Test",
    wait_s: Annotated[
        int, typer.Option("--wait", min=0, max=3600, help="Seconds to wait for its receipt.")
    ] = 30,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Connect to an SMSC with the connector's settings and tell what it says, step by step.

    It makes a session of its own beside the gateway's. A text that is sent so is not kept and not charged by
    the gateway, but it is by the SMSC's owner.
    """
    from hopwire.config import SmppConnector

    connectors = read_config(config)
    connector = connectors.connectors[named(connectors, name)[0]]
    if not isinstance(connector, SmppConnector):
        raise CommandError(Ending.USAGE, "only connectors of kind smpp can be tested without a message")
    handovers = _handovers(connector, to, sender, text) if to else []
    steps = asyncio.run(_probe(connector, handovers, wait_s, as_json))
    if not all(step.good for step in steps if step.name != "receipt"):
        raise CommandError(Ending.FAILURE, "the SMSC cannot be used like this")


async def _probe(
    connector: "SmppConnector", handovers: "list[Handover]", wait_s: int, as_json: bool
) -> "list[Step]":
    from hopwire.channels.smpp.probe import probe

    steps = []
    async for step in probe(connector, handovers, wait_s):
        steps.append(step)
        if as_json:
            emit_rows([step._asdict()], as_json)
        else:
            print(
                f"{'good' if step.good else 'BAD ':4}  {step.name:12}  {step.ms:5} ms  {step.detail}",
                flush=True,
            )
    return steps


def _handovers(connector: "SmppConnector", to: str, sender: str, text: str) -> "list[Handover]":
    from hopwire import phone
    from hopwire.channels.smpp.probe import handovers

    number = phone.parse(to if to.startswith("+") else f"+{to}", "ZZ")
    if number is None:
        raise CommandError(Ending.USAGE, "--to must be a phone number in international form")
    found = handovers(connector, number.digits, sender, text)
    say(f"Sending {len(found)} part{'s' if len(found) > 1 else ''}.")
    return found
