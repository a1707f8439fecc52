"""`hopwire connector trace`: what goes over a connector's wire, as it happens."""

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.connector import Name, named
from hopwire.cli.console import CommandError, ConfigFile, Ending, actor, read_config, say
from hopwire.cli.operator import in_store

if TYPE_CHECKING:
    from hopwire.store import Store

LOOK_S = 0.1  # how often it is looked for more


def trace(
    name: Name,
    seconds: Annotated[int, typer.Option(min=1, max=86_400, help="How long.")] = 60,
    pcap: Annotated[
        Path | None,
        typer.Option(
            help="Write a capture for Wireshark into this file, instead of lines.", show_default=False
        ),
    ] = None,
    show_texts: Annotated[
        bool, typer.Option("--show-texts", help="With the texts of messages; without it they are masked.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Show what a connector says to its SMSC and hears from it. Ctrl-C ends it.

    It is the worker who writes: run this as its user, on its machine. Passwords are never shown.
    """
    settings = read_config(config)
    named(settings, name)
    if pcap is not None and pcap.exists():
        raise CommandError(Ending.FAILURE, f"{pcap} exists already; it was left as it is")

    async def work(store: "Store") -> None:
        with tempfile.TemporaryDirectory(prefix="hopwire-trace-") as folder:
            file = (pcap or Path(folder) / "lines").resolve()
            await _trace(store, name, file, seconds, "pcap" if pcap else "text", show_texts)

    with contextlib.suppress(KeyboardInterrupt):
        in_store(settings, work)
    if pcap is not None and pcap.exists():
        say(f"Wrote {pcap}, {pcap.stat().st_size} bytes.")


async def _trace(store: "Store", name: str, file: Path, seconds: int, form: str, texts: bool) -> None:
    """Order it, show what comes while it lasts, and take the order back."""
    from hopwire.admission import now_ms
    from hopwire.model import TraceOrder
    from hopwire.store.connectors import Connectors

    connectors = Connectors(store.engine, actor())
    order = TraceOrder(file=str(file), format=form, until=now_ms() + 1000 * seconds, texts=texts)
    await connectors.order_trace(name, order, now_ms())
    say(f"Tracing {name} for {seconds} s ...")
    try:
        async with asyncio.timeout(seconds):
            await _follow(file, form == "text")
    except TimeoutError:
        pass
    finally:
        await connectors.order_trace(name, None, now_ms())
    if not file.exists():  # noqa: ASYNC240 - nothing else runs here
        say("Nothing was written. Is a worker running, on this machine and as this user?")


async def _follow(file: Path, show: bool) -> None:
    """Print what is added to the file, until cancelled."""
    at = 0
    while True:
        if show and file.exists():  # noqa: ASYNC240 - nothing else runs here
            with file.open("rb") as lines:
                lines.seek(at)
                data = lines.read()
            whole = data[: data.rfind(b"\n") + 1]
            at += len(whole)
            if whole:
                os.write(1, whole)
        await asyncio.sleep(LOOK_S)
