"""`hopwire message show`: what has happened to a message, and what comes next."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    emit,
    emit_rows,
    read_config,
    shown,
)
from hopwire.cli.operator import in_store

if TYPE_CHECKING:
    from hopwire.model import Account
    from hopwire.store import Store
    from hopwire.timeline import Story


def show(
    message_id: Annotated[int, typer.Argument(metavar="ID", help="As it was answered to the client.")],
    show_texts: Annotated[bool, typer.Option("--show-texts", help="Show texts, too.")] = False,
    show_numbers: Annotated[bool, typer.Option("--show-numbers", help="Show numbers whole.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell what has happened to a message, what it cost, and what comes next.

    Texts and numbers are left out, also of raw receipts.
    """
    from hopwire import timeline
    from hopwire.channels.codes import meaning

    settings = read_config(config)
    story, account = in_store(settings, lambda store: _find(store, message_id))
    kinds = {name: one.kind for name, one in settings.connectors.items()}
    told = {
        **timeline.head(story, account.login, texts=show_texts, numbers=show_numbers),
        "next": timeline.outlook(story.delivery),
    }
    lines = timeline.lines(story, account.currency, lambda name, code: meaning(kinds.get(name, ""), code))
    rows = [{**line._asdict(), "at": timeline.moment(line.at)} for line in lines]
    receipts = timeline.receipt_rows(story, texts=show_texts, numbers=show_numbers)
    if as_json:
        emit({**told, "timeline": rows, "receipts": receipts}, as_json)
    else:
        _print(told, rows, receipts)


def _print(told: dict[str, object], rows: list[dict[str, str]], receipts: list[dict[str, str]]) -> None:
    ahead = told.pop("next")
    emit(_cells(told), False)
    for table in (rows, receipts):
        if table:
            print()
            emit_rows([_cells(row) for row in table], False)
    print(f"\nnext: {ahead}")


def _cells(row: Mapping[str, object]) -> dict[str, str]:
    return {name: shown(str(value), False) for name, value in row.items()}


async def _find(store: "Store", message_id: int) -> "tuple[Story, Account]":
    from hopwire.store.directory import Directory

    story = await store.story(message_id) if 0 < message_id < 2**63 else None
    if story is None:
        raise CommandError(Ending.NOT_FOUND, "there is no message with this id")
    accounts = {one.id: one for one in await Directory(store.engine).accounts()}
    return story, accounts[story.account_id]
