"""`hopwire secret`: secrets sealed at rest, and the keys that they are sealed with."""

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    actor,
    default_config,
    emit,
    emit_rows,
    new_commands,
    read_config,
    say,
)
from hopwire.cli.operator import in_store

if TYPE_CHECKING:
    from hopwire.config import Config
    from hopwire.store import Store
    from hopwire.vault import Vault

commands = new_commands("Secrets of the settings, sealed; and the keys that seal them.")


# ---- sealing


@commands.command()
def seal(
    file: Annotated[
        Path | None, typer.Option("--file", help="Seal every secret of this settings file in its place.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Seal a secret for the settings file. It is read from standard input, or asked for.

    The key is made when there is none yet: keep a copy of `store.keys_file` apart from the database.
    """
    from hopwire.vault import SETTING

    vault = read_config(file or config).store.vault
    with _seal_errors():
        if not vault.names():
            vault.rotate()
            say(f"Made {vault.path}. Keep a copy of it apart from the database: without it nothing opens.")
        if file is not None:
            emit_rows([{"setting": name, "sealed": True} for name in _seal_file(file, vault)], as_json)
            return
        sealed = vault.seal(_read_secret(), SETTING)
    if as_json:
        emit({"sealed": sealed}, as_json)
    else:
        print(sealed)


def _read_secret() -> str:
    if sys.stdin.isatty():
        from getpass import getpass

        secret = getpass("Secret: ")
    else:
        secret = sys.stdin.read().rstrip("\r\n")
    if not secret:
        raise CommandError(Ending.USAGE, "there is nothing on standard input to be sealed")
    return secret


def _seal_file(path: Path, vault: "Vault") -> list[str]:
    """Seal what is plain in the file; the names of these settings."""
    import tomllib

    from hopwire.config import sealing

    text = path.read_bytes().decode()  # its line ends stay
    plain = sealing.plain_secrets(tomllib.loads(text))
    for one in plain:
        text = sealing.seal(text, one, vault)
    if plain:
        _write(path, text)
    return list(map(sealing.name, plain))


def _write(path: Path, text: str) -> None:
    from hopwire import files

    try:
        files.replace(path, text)
    except OSError as error:
        raise CommandError(Ending.FAILURE, f"{path} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def _seal_errors() -> Iterator[None]:
    """What cannot be sealed or opened ends the command."""
    from hopwire.config.sealing import NoPlaceError
    from hopwire.vault import SealError

    try:
        yield
    except SealError as error:
        raise CommandError(Ending.CONFIG, str(error)) from None
    except NoPlaceError as error:
        told = f"{error}: its place in the file was not found; nothing was changed. Seal it by hand"
        raise CommandError(Ending.FAILURE, told) from None


# ---- keys


@commands.command("list")
def list_keys(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the keys, the oldest first, and how many values each has sealed."""
    settings = read_config(config)
    with _seal_errors():
        names = settings.store.vault.names()
        uses = _uses(settings, config or default_config())
    rows = [
        {
            "key": name,
            "seals": name == names[-1],
            **{where: counts[name] for where, counts in uses.items()},
        }
        for name in names
    ]
    emit_rows(rows, as_json)


@commands.command()
def rotate(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Make a new key, and seal anew what is in the database and in the settings file.

    The older keys are kept, for what is sealed elsewhere, until `hopwire secret forget-old`.
    """
    settings = read_config(config)
    vault = settings.store.vault
    path = config or default_config()
    with _seal_errors():
        key = vault.rotate().name
        rewritten = _reseal_file(path, vault) if path else []
        accounts = _reseal_store(settings, vault, key)
    emit({"key": key, "settings": len(rewritten), "accounts": accounts}, as_json)


@commands.command("forget-old")
def forget_old(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Drop the older keys, when nothing is sealed with them any more."""
    settings = read_config(config)
    vault = settings.store.vault
    with _seal_errors():
        old = vault.names()[:-1]
        for where, counts in _uses(settings, config or default_config()).items():
            if used := [name for name in old if counts[name]]:
                raise CommandError(
                    Ending.FAILURE,
                    f"{where}: something is still sealed with {', '.join(used)}; nothing was dropped",
                )
        vault.forget(old)
    emit({"forgotten": old if as_json else ", ".join(old) or "none"}, as_json)


def _uses(settings: "Config", path: Path | None) -> "dict[str, Counter[str]]":
    """How many values each key has sealed, by where these are."""
    from hopwire.config import read_tree, sealing
    from hopwire.vault import key_name

    in_file = sealing.sealed_secrets(read_tree(path, {}))
    in_all = sealing.sealed_secrets(read_tree(path, os.environ))
    return {
        "settings": Counter(in_file.values()),
        "environment": Counter(key for where, key in in_all.items() if in_file.get(where) != key),
        "accounts": Counter(map(key_name, _sealed_in_store(settings).values())),
    }


def _has_store(settings: "Config") -> bool:
    return settings.store.postgres or Path(settings.store.url.removeprefix("sqlite:")).exists()


def _sealed_in_store(settings: "Config") -> dict[int, str]:
    from hopwire.store.seals import Seals

    return in_store(settings, lambda store: Seals(store.engine).all()) if _has_store(settings) else {}


def _reseal_store(settings: "Config", vault: "Vault", key: str) -> int:
    from hopwire.store.seals import Seals
    from hopwire.vault import of_totp

    def anew(account_id: int, sealed: str) -> str:
        purpose = of_totp(account_id)
        return vault.seal(vault.open(sealed, purpose), purpose)

    async def work(store: "Store") -> int:
        return await Seals(store.engine, actor()).reseal(anew, key)

    return in_store(settings, work) if _has_store(settings) else 0


def _reseal_file(path: Path, vault: "Vault") -> list[str]:
    import tomllib

    from hopwire.config import sealing

    text = path.read_bytes().decode()  # its line ends stay
    sealed = list(sealing.sealed_secrets(tomllib.loads(text)))
    for one in sealed:
        text = sealing.reseal(text, one, vault)
    if sealed:
        _write(path, text)
    return list(map(sealing.name, sealed))
