"""Accounts in a file, to be kept under version control: `hopwire account export` and `import`.

Rule: money, keys and passwords are never in the file.
"""

import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from hopwire.cli import tables
from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    DryRun,
    Ending,
    actor,
    emit_rows,
    read_config,
    say,
)
from hopwire.cli.operator import in_directory

if TYPE_CHECKING:
    from hopwire.model import Account, Limits
    from hopwire.store.directory import Directory
    from hopwire.store.senders import SenderName, Senders

SENDER = ("name", "channel", "connector", "state", "note")


class Wanted(NamedTuple):
    """An account as the file has it."""

    login: str
    currency: str
    reseller: str  # login; "": none
    fields: dict[str, Any]  # of model.Account
    senders: "tuple[SenderName, ...]"  # of no account yet


def export(config: ConfigFile = None) -> None:
    """Print all accounts with their traits and sender names as TOML, without money, keys and passwords."""
    import tomli_w

    async def work(directory: "Directory") -> dict[str, object]:
        from hopwire.store.senders import Senders

        accounts = await directory.accounts()
        names = await Senders(directory.engine).all()
        logins = {one.id: one.login for one in accounts}
        return {one.login: _told(one, logins, names) for one in accounts}

    print(tomli_w.dumps({"accounts": in_directory(read_config(config), work)}), end="")


def _told(account: "Account", logins: dict[int, str], names: "list[SenderName]") -> dict[str, object]:
    from hopwire import accounts, limits

    own = [one for one in names if one.account_id == account.id]
    return {
        "currency": account.currency,
        **({"reseller": logins[account.parent_id]} if account.parent_id else {}),
        "status": account.status.name.lower(),
        **accounts.write(account),
        "limits": {name: value for name, value in limits.shown(account.limits).items() if value},
        "senders": [{part: getattr(one, part) for part in SENDER if getattr(one, part)} for one in own],
    }


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="TOML; - reads it from standard input.")],
    dry_run: DryRun = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make accounts what a file says, as `hopwire account export` writes it; prints what changes.

    Accounts that are not there are created; they can sign in when they have been given a password. What is
    not in the file stays as it is.
    """
    wanted = _read(tables.read_file(file))

    async def work(directory: "Directory") -> list[dict[str, object]]:
        from hopwire.store.senders import Senders

        return await _Import(directory, Senders(directory.engine, actor()), dry_run).run(wanted)

    changed = in_directory(read_config(config), work, create=not dry_run)
    emit_rows(changed, as_json)
    say(f"{len(changed)} changes" + (", nothing was changed" if dry_run else ""))


class _Import:
    """One import under way."""

    def __init__(self, directory: "Directory", senders: "Senders", dry_run: bool) -> None:
        self._directory = directory
        self._senders = senders
        self._dry_run = dry_run
        self._changed: list[dict[str, object]] = []

    async def run(self, wanted: list[Wanted]) -> list[dict[str, object]]:
        """Resellers first, for their sub-accounts need them."""
        known = {one.login: one for one in await self._directory.accounts()}
        for one in wanted:
            _agree(one, known, {other.login for other in wanted})
        for one in sorted(wanted, key=lambda one: one.reseller != ""):
            account = known.get(one.login)
            if account is None:
                account = known[one.login] = await self._create(one, known)
            await self._change(one, account)
            await self._register(one, account)
        return self._changed

    async def _create(self, one: Wanted, known: Mapping[str, "Account"]) -> "Account":
        from msgspec.structs import replace

        from hopwire.admission import now_ms
        from hopwire.store.directory import NOBODY

        parent_id = known[one.reseller].id if one.reseller else None
        self._tell(one.login, "account", "", "created")
        made = replace(NOBODY, login=one.login, currency=one.currency, parent_id=parent_id)
        if self._dry_run:
            return made
        account_id = await self._directory.create_account(
            one.login, "", now_ms(), currency=one.currency, parent_id=parent_id
        )
        if account_id is None:
            raise CommandError(Ending.TEMPORARY, f"{one.login}: was created by somebody else just now")
        return replace(made, id=account_id)

    async def _change(self, one: Wanted, account: "Account") -> None:
        changes = {name: value for name, value in one.fields.items() if getattr(account, name) != value}
        for name, value in changes.items():
            self._tell(one.login, name, getattr(account, name), value)
        if changes and not self._dry_run:
            await self._directory.set_account(account.id, changes)

    async def _register(self, one: Wanted, account: "Account") -> None:
        from hopwire.admission import now_ms

        mine = (name for name in await self._senders.all() if account.id and name.account_id == account.id)
        known = {name[1:4]: name for name in mine}
        put = []
        for name in one.senders:
            before = known.get(name[1:4])
            if before is None or (before.state, before.note) != (name.state, name.note):
                self._tell(one.login, f"sender {name.name}", before.state if before else "", name.state)
                put.append(name._replace(account_id=account.id, changed_at=now_ms()))
        if put and not self._dry_run:
            await self._senders.put(put)

    def _tell(self, login: str, what: str, before: object, after: object) -> None:
        self._changed.append({"account": login, "what": what, "before": str(before), "after": str(after)})


def _agree(one: Wanted, known: Mapping[str, "Account"], coming: set[str]) -> None:
    """What a file cannot change, and whom it must know; ends the command otherwise."""
    if one.reseller and one.reseller not in known and one.reseller not in coming:
        raise CommandError(Ending.USAGE, f"accounts.{one.login}: there is no account {one.reseller!r}")
    account = known.get(one.login)
    if account is None:
        return
    logins = {other.id: other.login for other in known.values()}
    if account.currency != one.currency or logins.get(account.parent_id or 0, "") != one.reseller:
        raise CommandError(Ending.USAGE, f"accounts.{one.login}: its currency and its reseller never change")


# ---- reading


def _read(text: str) -> list[Wanted]:
    """The accounts of a TOML text; ends the command for what is wrong in it."""
    try:
        told = tomllib.loads(text).get("accounts", {})
        return [_wanted(login, table) for login, table in told.items()]
    except AttributeError:
        raise CommandError(Ending.USAGE, "accounts: must be tables, each begun by [accounts.LOGIN]") from None
    except ValueError as error:
        raise CommandError(Ending.USAGE, str(error)) from None


def _wanted(login: str, told: Any) -> Wanted:
    from hopwire import accounts
    from hopwire.model import AccountStatus

    where = f"accounts.{login}"
    try:
        accounts.check_login(login)
        table = dict(told)
        currency = accounts.check_currency(str(table.pop("currency", "UAH")))
        reseller, status = str(table.pop("reseller", "")), str(table.pop("status", "active"))
        if status.upper() not in AccountStatus.__members__:
            raise ValueError("status: must be active, paused or closed")
        names = tuple(_sender(one) for one in table.pop("senders", ()))
        bounds = _limits(table.pop("limits", {}))
        fields = accounts.read({name: str(value) for name, value in table.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None
    fields |= {"status": AccountStatus[status.upper()], **bounds}
    return Wanted(login, currency, reseller, fields, names)


def _limits(told: Any) -> "dict[str, Limits]":
    """All limits, where the file has any; those that it does not name are taken away."""
    from hopwire import limits
    from hopwire.model import Limits

    bounds = Limits()
    for name, value in dict(told).items():
        bounds = limits.changed(bounds, name, str(value))
    return {"limits": bounds} if told else {}


def _sender(told: Any) -> "SenderName":
    from hopwire.accounts import check_sender
    from hopwire.store.senders import STATES, SenderName

    unknown = set(told) - set(SENDER)
    if unknown or "name" not in told:
        raise ValueError(f"senders: each is a table of {', '.join(SENDER)}, and has a name")
    one = SenderName(0, **{part: str(value) for part, value in told.items()})  # type: ignore[arg-type]
    check_sender(one.name)
    if one.state not in STATES or one.channel not in ("", "sms", "viber"):
        raise ValueError(f"senders: state is one of {', '.join(STATES)}, channel is sms, viber or empty")
    return one
