"""`hopwire account limit`: how much an account may do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.account import read_pairs
from hopwire.cli.console import AsJson, ConfigFile, emit, read_config, usage
from hopwire.cli.operator import Login, find_account, in_directory

if TYPE_CHECKING:
    from hopwire.model import Account, Limits
    from hopwire.store.directory import Directory


def limit(
    login: Login,
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="Limits to set; NAME= takes one away."),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the limits of an account, or set some of them. docs/limits.md says what they mean.

    Counts of messages are SCOPE/PERIOD=N, such as number/hour=10: the scope is account, key, number or block
    (1,000 numbers in a row), the period second, minute, hour or day. Money is spend/day, spend/month,
    and max-price (of one message). The others are destinations=UA,PL,38050 (or home, or *), premium=yes,
    sequence=N, quiet=21:00-08:00, duplicates=refuse (or merge) and duplicate-s=N.
    """

    async def work(directory: "Directory") -> "Account":
        one = await find_account(directory, login)
        if changes:
            one = await directory.set_account(one.id, {"limits": _changed(one, changes)}) or one
        return one

    emit(_row(in_directory(read_config(config), work)), as_json)


def _changed(account: "Account", changes: Sequence[str]) -> "Limits":
    from hopwire import limits

    changed = account.limits
    with usage():
        for name, typed in read_pairs(changes).items():
            changed = limits.changed(changed, name, typed)
    return changed


def _row(account: "Account") -> dict[str, object]:
    from hopwire import limits

    return {"login": account.login, **limits.shown(account.limits)}
