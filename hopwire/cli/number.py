"""`hopwire number`: what the gateway keeps of a phone number."""

from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    actor,
    emit,
    moment,
    new_commands,
    read_config,
    say,
)
from hopwire.cli.operator import in_store

if TYPE_CHECKING:
    from hopwire.config import Config
    from hopwire.phone import Number
    from hopwire.store import Store
    from hopwire.store.person import Erased, Progress

commands = new_commands("What is kept of phone numbers.")

Typed = Annotated[str, typer.Argument(metavar="NUMBER", help="International, or as typed in the country.")]
Country = Annotated[str, typer.Option(help="Country of a national number, ISO 3166.")]


@commands.command()
def show(number: Typed, country: Country = "UA", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Tell until when a number is not looked for on Viber, and on whose stop lists it is (*: everybody's)."""
    from hopwire import phone
    from hopwire.admission import now_ms
    from hopwire.store.directory import Directory
    from hopwire.store.inbox import EVERYONE, Inbox
    from hopwire.store.memory import Memory

    read = _read(number, country)

    async def work(store: "Store") -> dict[str, object]:
        logins = {EVERYONE: "*"} | {one.id: one.login for one in await Directory(store.engine).accounts()}
        stopped = [logins[i] for i in await Inbox(store.engine).stopped_by(read.digits)]
        return {
            "number": read.digits,
            "country": read.country,
            "kind": phone.kind(read),
            "no_viber_until": moment(await Memory(store.engine).until(read.digits, now_ms())),
            "stopped": stopped if as_json else ", ".join(stopped),
        }

    emit(in_store(read_config(config), work), as_json)


@commands.command()
def forget(
    number: Typed, country: Country = "UA", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Look for a number on Viber again, though Viber has said that it is not there."""
    from hopwire.store.memory import Memory

    digits = _read(number, country).digits
    if not in_store(read_config(config), lambda store: Memory(store.engine, actor()).forget(digits)):
        raise CommandError(Ending.NOT_FOUND, "nothing is remembered of this number")
    emit({"number": digits, "forgotten": True}, as_json)


@commands.command()
def export(
    number: Typed, country: Country = "UA", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Print everything that is kept of a number, a line of JSON for each message and fact.

    Also what is kept under the keyed hash of a number that was forgotten.
    """
    digits = _read(number, country).digits
    settings = read_config(config)

    async def work(store: "Store") -> None:
        from hopwire.store.person import Person

        async for record in Person(store, digits, _secret(settings)).export(_progress()):
            emit(record, as_json=True)

    in_store(settings, work)


@commands.command()
def erase(
    number: Typed,
    country: Country = "UA",
    stop_list: Annotated[
        bool, typer.Option("--stop-list", help="Take the number off stop lists, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Really: this cannot be undone.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Erase the texts of a number's messages, and the number.

    What is under way is erased within an hour after it has ended. Statuses and money stay.
    """
    digits = _read(number, country).digits
    if not yes:
        raise CommandError(Ending.USAGE, "this cannot be undone; say --yes, and export first what is wanted")
    settings = read_config(config)

    async def work(store: "Store") -> "Erased":
        from hopwire.store.person import Person

        person = Person(store, digits, _secret(settings), actor())
        return await person.erase(stop_lists=stop_list, progress=_progress())

    erased = in_store(settings, work)
    told = erased._asdict()
    emit(told if as_json else told | {"under_way": ", ".join(map(str, erased.under_way)) or "none"}, as_json)


def _secret(settings: "Config") -> bytes:
    from hopwire.credentials import installation_secret

    return installation_secret(settings.store)


def _progress() -> "Progress":
    """Says every other second how far it is."""
    import time

    next_at = time.monotonic() + 2

    def progress(done: int, all: int) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + 2
            say(f"{100 * done // all} % of the messages looked through")

    return progress


def _read(typed: str, country: str) -> "Number":
    from hopwire import phone

    number = phone.parse(typed, country)
    if number is None:
        raise CommandError(Ending.USAGE, "NUMBER is not a phone number")
    return number
