"""`hopwire audit`: who has changed what, from where, and whether the book of it is whole."""

import json
from typing import Annotated

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
    rows = [
        {
            "id": one.id,
            "time": moment(one.at),
            "who": shown(one.actor, as_json),
            "from": shown(one.origin, as_json),
            "action": one.action,
            "object": shown(one.object, as_json),
            "before": json.loads(one.before) if as_json else _facts(one.before),
            "after": json.loads(one.after) if as_json else _facts(one.after),
        }
        for one in found
    ]
    emit_rows(rows, as_json)


def _facts(told: str) -> str:
    """JSON as a person reads it."""
    facts = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in json.loads(told).items()
    )
    return shown(facts, False)


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
