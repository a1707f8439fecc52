"""`hopwire key`: API keys of accounts, what they may do, from where and for how long."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire import addresses
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
    say,
    usage,
)
from hopwire.cli.operator import Login, find_account, in_directory

if TYPE_CHECKING:
    from hopwire.model import ApiKey
    from hopwire.store.directory import Directory

commands = new_commands("API keys of accounts.")

KeyId = Annotated[int, typer.Argument(metavar="ID", help="As `hopwire key list` shows it.")]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires",
        show_default=False,
        help="When it ends: 2027-01-31, 2027-01-31T12:00+02:00 (UTC without an offset), or in 90d, 12h.",
    ),
]


@commands.command()
def create(
    login: Login,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do: send (and delete), read (statuses), balance (and prices); may be given"
            " again. Without any: all."
        ),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            help="Address or network it may be used from; may be given again. Without any: from anywhere."
        ),
    ] = None,
    expires: Expires = None,
    post_only: Annotated[bool, typer.Option("--post-only", help="Not taken from a URL.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key. It is shown now and never again."""
    from hopwire.admission import now_ms
    from hopwire.credentials import installation_secret, key_digest, key_label, new_key
    from hopwire.model import SCOPES

    if unknown := set(scope or ()) - set(SCOPES):
        raise CommandError(Ending.USAGE, f"--scope {min(unknown)}: must be one of {', '.join(SCOPES)}")
    networks, now = list(map(_network, address or ())), now_ms()
    ends_at = _moment(expires, now)
    settings = read_config(config)
    new = new_key()

    async def work(directory: "Directory") -> int:
        one = await find_account(directory, login)
        digest = key_digest(installation_secret(settings.store), new)
        return await directory.create_key(
            one.id,
            digest,
            key_label(new),
            name,
            now,
            scopes=scope or SCOPES,
            addresses=networks,
            post_only=post_only,
            expires_at=ends_at,
        )

    emit({"id": in_directory(settings, work), "login": login, "key": new}, as_json)


@commands.command("list")
def list_keys(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the keys by their first characters. Times are UTC, the last use is to the minute."""
    from hopwire.admission import now_ms

    now = now_ms()

    async def work(directory: "Directory") -> list[dict[str, object]]:
        logins = {one.id: one.login for one in await directory.accounts()}
        return [_row(one, logins[one.account_id], now) for one in await directory.keys()]

    rows = in_directory(read_config(config), work)
    emit_rows(rows, as_json)
    if any(row["in_url"] and row["valid"] for row in rows):
        say("A key that is seen in a URL is in the logs of others: replace it, and send keys in the body.")


def _row(one: "ApiKey", login: str, now: int) -> dict[str, object]:
    return {
        "id": one.id,
        "login": login,
        "key": one.prefix + "…",
        "name": one.name,
        "scopes": ",".join(one.scopes),
        "addresses": ",".join(one.addresses),
        "post_only": one.post_only,
        "valid": one.is_valid(now),
        "expires": moment(one.expires_at),
        "revoked": one.revoked_at is not None,
        "used": moment(one.used_at),
        "in_url": moment(one.in_url_at),
        "replaces": one.replaces or "",
    }


@commands.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(help="How long the old key still works: 30m, 24h, 7d.")] = "24h",
    expires: Expires = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one that may do the same. Both work until the overlap is over.

    The new key is shown now and never again. It ends when the old one would have, if --expires does not say
    otherwise. A key is rotated again only after the one that it replaces has ended.
    """
    from hopwire.admission import now_ms
    from hopwire.credentials import installation_secret, key_digest, key_label, new_key

    overlap_ms, now = _duration(overlap, "--overlap"), now_ms()
    ends_at = _moment(expires, now)
    settings = read_config(config)
    new = new_key()

    async def work(directory: "Directory") -> "int | ApiKey | None":
        digest = key_digest(installation_secret(settings.store), new)
        return await directory.rotate_key(key_id, digest, key_label(new), now, overlap_ms, ends_at)

    made = in_directory(settings, work)
    if made is None:
        raise CommandError(Ending.NOT_FOUND, "there is no such key that could be rotated")
    if not isinstance(made, int):
        raise CommandError(Ending.REJECTED, f"two keys are valid already: first key {made.id} must end")
    emit({"id": made, "replaces": key_id, "key": new}, as_json)


@commands.command()
def revoke(key_id: KeyId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Make a key useless, within a second, everywhere."""
    from hopwire.admission import now_ms

    if not in_directory(read_config(config), lambda d: d.revoke_key(key_id, now_ms())):
        raise CommandError(Ending.NOT_FOUND, "there is no such key that could be revoked")
    emit({"id": key_id, "revoked": True}, as_json)


# ---- what is typed

UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def _network(typed: str) -> str:
    with usage(f"--address {typed}: is no address or network"):
        return addresses.network(typed)


def _duration(typed: str, option: str) -> int:
    match = re.fullmatch(r"(\d{1,6})([mhd])", typed, re.ASCII)
    if match is None:
        raise CommandError(Ending.USAGE, f"{option} {typed}: must be a number with m, h or d, such as 24h")
    return int(match[1]) * UNITS[match[2]]


def _moment(typed: str | None, now: int) -> int | None:
    """A moment that is to come, in milliseconds; None: none was given."""
    from datetime import UTC, datetime

    if typed is None:
        return None
    if re.fullmatch(r"\d+[mhd]", typed, re.ASCII):
        return now + _duration(typed, "--expires")
    try:
        at = datetime.fromisoformat(typed)
    except ValueError:
        raise CommandError(Ending.USAGE, f"--expires {typed}: must be a date, or such as 90d") from None
    moment_ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    if moment_ms <= now:
        raise CommandError(Ending.USAGE, f"--expires {typed}: is over")
    return moment_ms
