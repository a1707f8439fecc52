"""Templates: texts that Viber has approved, registered by the operator."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hopwire.cli import tables
from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    DryRun,
    Ending,
    actor,
    emit,
    emit_rows,
    new_commands,
    read_config,
    shown,
)
from hopwire.cli.operator import in_store

if TYPE_CHECKING:
    from hopwire.model import Template
    from hopwire.store import Store
    from hopwire.store.templates import TemplateBook
    from hopwire.templates import Registered

T = TypeVar("T")

commands = new_commands("Templates: texts that Viber has approved.")

Id = Annotated[str, typer.Argument(metavar="ID", help="As the upstream knows the template.")]
Text = Annotated[str, typer.Argument(help="The text; - reads it from standard input.")]
OneSender = Annotated[str, typer.Option("--sender", help="Only of this sender.")]
OneLanguage = Annotated[str, typer.Option("--language", help="Only in this language.")]


# ---- by hand


@commands.command()
def add(
    id: Id,
    text: Text,
    sender: Annotated[str, typer.Option(help="Viber sender name that it is approved for; * is every one.")],
    language: Annotated[str, typer.Option(help="As the upstream knows it, such as uk.")],
    kind: Annotated[str, typer.Option(help="transaction or promotion.")] = "transaction",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Register a template, in place of the one with the same id, sender and language.

    Its variables are written {{name}}.
    """
    from hopwire.templates import Registered, check

    template = Registered(id=id, sender=sender, language=language, kind=kind, text=_read(text))
    try:
        check(template)
    except ValueError as error:
        raise CommandError(Ending.USAGE, str(error)) from None
    _in_book(config, lambda book: book.put([template]))
    emit(_row(template, as_json), as_json)


@commands.command()
def remove(
    id: Id,
    sender: OneSender = "",
    language: OneLanguage = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Forget a template. Messages that were accepted with it still go with it."""
    _some(_in_book(config, lambda book: book.remove(id, sender, language)))
    emit({"id": id, "removed": True}, as_json)


@commands.command()
def pause(
    id: Id,
    sender: OneSender = "",
    language: OneLanguage = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let no more texts go as a template, such as one that Viber has withdrawn."""
    _some(_in_book(config, lambda book: book.pause(id, sender, language)))
    emit({"id": id, "state": "paused"}, as_json)


@commands.command()
def resume(
    id: Id,
    sender: OneSender = "",
    language: OneLanguage = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let texts go as a template again."""
    _some(_in_book(config, lambda book: book.resume(id, sender, language)))
    emit({"id": id, "state": "active"}, as_json)


@commands.command("list")
def list_templates(sender: OneSender = "", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the templates."""
    templates = _in_book(config, lambda book: book.all())
    emit_rows([_row(one, as_json) for one in templates if sender in ("", one.sender)], as_json)


@commands.command()
def match(
    text: Text,
    sender: Annotated[str, typer.Option(help="Viber sender name.")],
    to: Annotated[
        str, typer.Option(help="Phone number with its country: tell what the message costs there.")
    ] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell which template a text goes as, and what stands for its variables. Exit code 5: as none."""
    from hopwire.store.prices import PriceBook
    from hopwire.store.templates import TemplateBook
    from hopwire.templates import Templates

    wanted, digits = _read(text), _digits(to) if to else ""

    async def work(store: "Store") -> dict[str, object]:
        found = Templates(await TemplateBook(store.engine, actor()).all()).match(sender, wanted)
        if found is None:
            raise CommandError(Ending.NOT_FOUND, "the text is an instance of no template of this sender")
        told = _match_row(found, as_json)
        if digits:
            told["price"] = _price(found, digits, await PriceBook(store.engine).all())
        return told

    emit(in_store(read_config(config), work), as_json)


def _match_row(found: "Template", as_json: bool) -> dict[str, object]:
    row: dict[str, object] = {"id": found.id, "language": found.language, "kind": found.kind}
    if as_json:
        return {**row, "parameters": found.parameters}
    return row | {f"{{{{{name}}}}}": shown(value, as_json) for name, value in found.parameters.items()}


def _price(found: "Template", digits: str, prices: Any) -> str:
    from hopwire import money, routing
    from hopwire.admission import now_ms
    from hopwire.prices import PriceLists
    from hopwire.store.directory import NOBODY

    tables = routing.Tables({}, PriceLists(prices, now_ms()))
    charge = routing.viber_charge(tables, NOBODY, found, digits)
    return "" if charge is None else money.text(charge.price)


def _digits(typed: str) -> str:
    from hopwire import phone

    number = phone.parse("+" + typed.lstrip("+ "), "UA")
    if number is None:
        raise CommandError(Ending.USAGE, "--to is not a phone number with its country")
    return number.digits


# ---- many


@commands.command("export")
def export_templates(config: ConfigFile = None) -> None:
    """Print all templates as CSV, as `hopwire template import` reads it."""
    from hopwire.templates import COLUMNS

    rows = [_row(one, as_json=True) for one in _in_book(config, lambda book: book.all())]
    tables.write_rows(COLUMNS, rows)


@commands.command("import")
def import_templates(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV; - reads it from standard input.")],
    dry_run: DryRun = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Register all templates of a CSV file, or none when a row is wrong. Others stay as they are.

    Columns: id, sender, language, kind, text, and state, which is active where it is left out.
    """
    new = {one.key: one for one in _templates(tables.read_file(file))}

    async def work(book: "TemplateBook") -> dict[str, int]:
        old = {one.key: one for one in await book.all()}
        changed = [one for key, one in new.items() if old.get(key) != one]
        if not dry_run:
            await book.put(changed)
        added = sum(one.key not in old for one in changed)
        return {"added": added, "changed": len(changed) - added, "same": len(new) - len(changed)}

    emit({**_in_book(config, work), "dry_run": dry_run}, as_json)


def _templates(text: str) -> "list[Registered]":
    """The templates of a CSV file; ends the command for the first row that is wrong."""
    from hopwire.tables import Mistake
    from hopwire.templates import read

    try:
        return read(text)
    except Mistake as mistake:
        raise tables.wrong(mistake.line, str(mistake)) from None


# ---- shared


def _in_book(config: Path | None, work: "Callable[[TemplateBook], Awaitable[T]]") -> T:
    from hopwire.store.templates import TemplateBook

    return in_store(read_config(config), lambda store: work(TemplateBook(store.engine, actor())))


def _some(count: int) -> None:
    if not count:
        raise CommandError(Ending.NOT_FOUND, "there is no such template")


def _read(text: str) -> str:
    return sys.stdin.read().rstrip("\n") if text == "-" else text


def _row(one: "Registered", as_json: bool) -> dict[str, object]:
    return {
        "id": one.id,
        "sender": one.sender,
        "language": one.language,
        "kind": one.kind,
        "state": "active" if one.active else "paused",
        "text": shown(one.text, as_json),
    }
