"""`hopwire config`: write a settings file, check one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hopwire.cli.console import (
    CommandError,
    ConfigFile,
    Ending,
    default_config,
    new_commands,
    read_config,
    say,
)

if TYPE_CHECKING:
    from hopwire.config import Config

commands = new_commands("Write a settings file, or check one.")


@commands.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write; - prints it.")] = Path("hopwire.toml"),
) -> None:
    """Write a commented settings file with every setting at its default."""
    from hopwire.config import example

    if str(path) == "-":
        print(example(), end="")
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(example())
    except FileExistsError:
        raise CommandError(Ending.FAILURE, f"{path} exists already; it was left as it is") from None
    except OSError as error:
        raise CommandError(Ending.FAILURE, f"{path} cannot be written: {error.strerror}") from None
    say(f"Wrote {path}. Edit it, then run: hopwire config check --config {path}")


@commands.command()
def check(config: ConfigFile = None) -> None:
    """Check the settings, file and environment together. Exit code 3: they are wrong."""
    check_connectors(read_config(config))
    say(f"{config or default_config() or 'The environment and the defaults'}: good")


def check_connectors(config: "Config") -> None:
    """End the command where a connector could never connect with its settings."""
    from hopwire.channels import smpp
    from hopwire.config import SmppConnector

    for name, settings in config.connectors.items():
        if isinstance(settings, SmppConnector):
            try:
                smpp.check(settings)
            except (ValueError, OSError) as error:
                raise CommandError(Ending.CONFIG, f"connectors.{name}: cannot be used: {error}") from None
