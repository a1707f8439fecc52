"""`hopwire sms`: how a text is written and cut. Nothing is sent."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    emit,
    new_commands,
    read_config,
)

if TYPE_CHECKING:
    from hopwire.model import SmsContent, Writing
    from hopwire.sms import Explained

Option = partial(typer.Option, show_default=False)

NAMED = 8  # characters that are told with their names; the others are only shown

commands = new_commands("Short messages: how a text is written and cut.")


@commands.command()
def parts(
    text: Annotated[str, typer.Argument(help="The text; - reads it from standard input.")],
    flash: Annotated[bool, typer.Option("--flash", help="As a flash message.")] = False,
    wap: Annotated[str | None, Option("--wap", help="Link: as a WAP push.")] = None,
    connector: Annotated[
        str | None, Option("--connector", help="NAME of the SMPP connector that would carry it.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the parts that a text falls into, and the characters that do not fit the GSM alphabet."""
    from hopwire import sms

    writing = _writing(connector, config)
    told = sms.explain(_content(_read(text), flash, wap), writing)
    emit(_object(told) if as_json else _lines(told), as_json)


def _read(text: str) -> str:
    try:
        text = sys.stdin.read().removesuffix("\n") if text == "-" else text
        text.encode()  # what came in another encoding cannot be
    except UnicodeError:
        raise CommandError(Ending.USAGE, "the text is not UTF-8") from None
    return text


def _content(text: str, flash: bool, wap: str | None) -> "SmsContent":
    from hopwire.model import FlashSms, SmsText, WapPush

    if wap is not None:
        return WapPush(url=wap, text=text)
    return FlashSms(text=text) if flash else SmsText(text=text)


def _writing(name: str | None, path: Path | None) -> "Writing":
    """How the connector of this name has texts written; the default without a name."""
    from hopwire.model import Writing

    if name is None:
        return Writing()
    connector = read_config(path).connectors.get(name)
    if connector is None:
        raise CommandError(Ending.NOT_FOUND, f"there is no connector {name}")
    if "sms" not in connector.carries:
        raise CommandError(Ending.USAGE, f"the connector {name} does not carry SMS")
    return connector.writing


def _lines(told: "Explained") -> dict[str, object]:
    room = told.whole if len(told.parts) == 1 else told.part
    forced = [_named(character) for character in _characters(told.forced[:NAMED])]
    if len(told.forced) > NAMED:
        forced.append("and " + " ".join(told.forced[NAMED:]))
    return {
        "encoding": told.encoding,
        "parts": len(told.parts),
        "units": f"{told.units}; a part has {room}, the last has {told.left} left",
        **({"forced UCS-2": ", ".join(forced)} if forced else {}),
        **{f"part {number}": text for number, text in enumerate(told.parts, 1)},
    }


def _named(character: dict[str, str]) -> str:
    shown = f"{character['character']} " if character["character"].isprintable() else ""
    return f"{shown}({character['code']} {character['name']})"


def _object(told: "Explained") -> dict[str, object]:
    return {
        **told._asdict(),
        "parts": len(told.parts),
        "forced": _characters(told.forced),
        "texts": told.parts,
    }


def _characters(forced: tuple[str, ...]) -> list[dict[str, str]]:
    import unicodedata

    return [
        {"character": c, "code": f"U+{ord(c):04X}", "name": unicodedata.name(c, "(no name)")} for c in forced
    ]
