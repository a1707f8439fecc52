"""`hopwire account limit`: how much an account may do."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hopwire.cli.console import AsJson, CommandError, ConfigFile, Ending, emit, read_config
from hopwire.cli.operator import Login, find_account, in_directory, millionths

if TYPE_CHECKING:
    from hopwire.model import Account
    from hopwire.store.directory import Directory

LOW_BALANCE = "low-balance"


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
    max-price (of one message) and low-balance (below it a notice is given). The others are
    destinations=UA,PL,38050 (or home, or *), premium=yes, sequence=N, quiet=21:00-08:00, duplicates=refuse
    (or merge) and duplicate-s=N.
    """

    async def work(directory: "Directory") -> "Account":
        one = await find_account(directory, login)
        if changes:
            one = await directory.set_account(one.id, _changed(one, changes)) or one
        return one

    emit(_row(in_directory(read_config(config), work)), as_json)


def _changed(account: "Account", changes: Iterable[str]) -> dict[str, Any]:
    """What is to be set of the account."""
    from hopwire import limits

    set_: dict[str, Any] = {}
    for one in changes:
        name, equals, typed = one.partition("=")
        if not equals:
            raise CommandError(Ending.USAGE, "limits are set as NAME=VALUE")
        try:
            if name == LOW_BALANCE:
                set_["low_balance"] = millionths(typed) if typed else None
            else:
                set_["limits"] = limits.changed(set_.get("limits", account.limits), name, typed)
        except ValueError as error:
            raise CommandError(Ending.USAGE, str(error)) from None
    return set_


def _row(account: "Account") -> dict[str, object]:
    from hopwire import limits, money

    low = "" if account.low_balance is None else money.text(account.low_balance)
    return {"login": account.login, **limits.shown(account.limits), LOW_BALANCE: low}
