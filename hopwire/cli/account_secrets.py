"""`hopwire account`: passwords, and the second factor."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.account import hashed_password
from hopwire.cli.console import AsJson, CommandError, ConfigFile, Ending, emit, read_config, say
from hopwire.cli.operator import Login, find_account, in_directory

if TYPE_CHECKING:
    from hopwire.store.directory import Directory

TRIES = 3


def password(login: Login, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Set another password for signing in, from HOPWIRE_PASSWORD or, without it, from standard input.

    The API takes it, too, unless there is one for the API alone, or a second factor. A password has 10
    characters at least.
    """
    hashed = hashed_password()

    async def work(directory: "Directory") -> None:
        await directory.set_password((await find_account(directory, login)).id, hashed)

    in_directory(read_config(config), work)
    emit({"login": login, "password": "changed"}, as_json)


def api_password(
    login: Login,
    off: Annotated[bool, typer.Option("--off", help="No more: the API takes the other one again.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Set a password that the API alone takes, and instead of the one for signing in.

    It comes from HOPWIRE_PASSWORD or, without it, from standard input.
    """
    hashed = "" if off else hashed_password()

    async def work(directory: "Directory") -> None:
        await directory.set_api_password((await find_account(directory, login)).id, hashed)

    in_directory(read_config(config), work)
    emit({"login": login, "api_password": "none" if off else "changed"}, as_json)


def totp(
    login: Login,
    off: Annotated[bool, typer.Option("--off", help="No second factor any more.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Set up a second factor for signing in: a code from an authenticator on a phone, RFC 6238.

    Shows a new seed to scan, and asks on standard input for a code that the phone shows for it; until it has
    got one nothing changes. With a second factor the API does not take the password for signing in; keys, and
    a password for the API alone, go on working.
    """
    from hopwire.credentials import totp
    from hopwire.vault import SealError

    settings = read_config(config)
    seals = totp.seals(settings.store)
    if seals is None and not off:
        raise CommandError(Ending.CONFIG, "store.keys_file: is missing; it seals the seeds of second factors")

    async def turn_off(directory: "Directory") -> None:
        await directory.set_totp((await find_account(directory, login)).id, "")

    async def turn_on(directory: "Directory") -> None:
        one = await find_account(directory, login)
        seed = totp.new_seed()
        assert seals is not None, "it was looked for above"
        sealed = seals.seal(seed, one.id)
        _show(totp.uri(seed, one.login), as_json)
        await directory.set_totp(one.id, sealed, _confirmed(seed))

    try:
        in_directory(settings, turn_off if off else turn_on)
    except SealError as error:
        raise CommandError(Ending.CONFIG, str(error)) from None
    emit({"login": login, "totp": not off}, as_json)


def _show(uri: str, as_json: bool) -> None:
    import segno

    emit({"uri": uri}, as_json)
    sys.stdout.flush()
    segno.make(uri).terminal(out=sys.stderr, compact=True)


def _confirmed(seed: str) -> int:
    """The step of a code that fits the seed; ends the command where none is entered."""
    from hopwire.admission import now_ms
    from hopwire.credentials import totp

    for _ in range(TRIES):
        say("The code that the phone shows:")
        typed = sys.stdin.readline()
        step = totp.step_of(seed, typed.strip(), now_ms())
        if step is not None:
            return step
        if not typed:
            break
    raise CommandError(Ending.REJECTED, "that is not its code; nothing was changed")
