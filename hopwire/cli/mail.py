"""`hopwire mail`: whether mail leaves."""

import asyncio
from typing import Annotated

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    emit,
    new_commands,
    read_config,
    usage,
)

commands = new_commands("Mail: links for registration and forgotten passwords, notices.")


@commands.command()
def test(
    address: Annotated[str, typer.Argument(help="Whom to write to.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Hand a letter over to the mail server of the settings, and say what it answered."""
    from hopwire import mail
    from hopwire.accounts import check_email

    settings = read_config(config)
    if not settings.mail.host:
        raise CommandError(Ending.CONFIG, "mail.host: is missing")
    with usage():
        recipient = check_email(address)
    name = settings.cabinet.name
    letter = f"{name}: test", "This letter was written by `hopwire mail test`. Mail leaves as it should.\n"
    try:
        asyncio.run(mail.send(settings.mail, name, recipient, *letter))
    except mail.MailError as error:
        told = f"{settings.mail.host}:{settings.mail.port} did not take the letter: {error}"
        raise CommandError(Ending.FAILURE, told) from None
    emit({"recipient": recipient, "result": "taken"}, as_json)
