"""`hopwire audit`: who has changed what, from where, and whether the book of it is whole."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    emit,
    emit_rows,
    moment,
    new_commands,
    read_config,
    shown,
)
from hopwire.cli.operator import in_store

if TYPE_CHECKING:
    from hopwire.store.audit import Entry

commands = new_commands("Who has changed what, when and from where.")


@commands.command("list")
def list_entries(
    object: Annotated[str, typer.Option(help='Only of this, such as "account 1"; without it: all.')] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="How many, the newest first.")
    ] = 50,
    before: Annotated[int | None, typer.Option(help="Only with a smaller id.", show_default=False)] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List changes, the newest first: what it was before, and what it is after."""
    from hopwire.store.audit import Audit

    until = before if before is not None else 2**62
    found = in_store(read_config(config), lambda store: Audit(store.engine).entries(limit, object, until))
    if as_json:
        emit_rows([_row(one) for one in found], True)
    else:
        for one in found:
            print("\n".join(_lines(one)))


def _row(one: "Entry") -> dict[str, object]:
    return {
        "id": one.id,
        "time": moment(one.at),
        "who": one.actor,
        "from": one.origin,
        "action": one.action,
        "object": one.object,
        "before": json.loads(one.before),
        "after": json.loads(one.after),
    }


def _lines(one: "Entry") -> Iterator[str]:
    """An entry as a person reads it: a line of what, and a line for each fact that has changed."""
    origin = f" ({one.origin})" if one.origin else ""
    yield shown(f"{one.id}  {moment(one.at)}  {one.actor}{origin}: {one.action}, {one.object}", False)
    before, after = json.loads(one.before), json.loads(one.after)
    for name in {**before, **after}:
        was, now = (
            json.dumps(facts[name], ensure_ascii=False) if name in facts else "" for facts in (before, after)
        )
        yield shown(f"    {name}: {was + ' -> ' if name in before else ''}{now}", False)


@commands.command()
def verify(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Check that no entry was altered or taken out. Keep the digest elsewhere: it proves the end, too."""
    from hopwire.store.audit import Audit

    right, digest, wrong = in_store(read_config(config), lambda store: Audit(store.engine).verify())
    emit({"right": right, "digest": digest, "wrong": wrong}, as_json)
    if wrong is not None:
        raise CommandError(
            Ending.FAILURE, f"entry {wrong} is not what was written, or one before it is missing"
        )
