"""`hopwire number`: what the gateway remembers of a phone number."""

from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    emit,
    moment,
    new_commands,
    read_config,
)
from hopwire.cli.operator import in_store

if TYPE_CHECKING:
    from hopwire.phone import Number
    from hopwire.store import Store

commands = new_commands("What is remembered of phone numbers.")

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
    if not in_store(read_config(config), lambda store: Memory(store.engine).forget(digits)):
        raise CommandError(Ending.NOT_FOUND, "nothing is remembered of this number")
    emit({"number": digits, "forgotten": True}, as_json)


def _read(typed: str, country: str) -> "Number":
    from hopwire import phone

    number = phone.parse(typed, country)
    if number is None:
        raise CommandError(Ending.USAGE, "NUMBER is not a phone number")
    return number
