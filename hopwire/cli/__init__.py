"""The command line. `hopwire --help` lists it; docs/commands.md is printed from it.

Rule: a command imports what it needs when it runs, so that `hopwire version` starts at once.
"""

import sys

from hopwire import __version__
from hopwire.cli import (
    account,
    account_files,
    account_secrets,
    audit,
    client,
    connector,
    connector_setup,
    connector_trace,
    hold,
    inbox,
    key,
    ledger,
    limits,
    mail,
    message,
    notice,
    number,
    operator,
    price,
    route,
    run,
    secret,
    sender,
    settings,
    sms,
    template,
)
from hopwire.cli.console import AsJson, CommandError, emit, new_commands, say

app = new_commands("Hopwire: a messaging gateway. Viber first, SMS when Viber cannot.", add_completion=False)
app.add_typer(settings.commands, name="config")
app.add_typer(client.commands)
account.commands.command("export")(account_files.export)
account.commands.command("import")(account_files.import_)
app.add_typer(account.commands, name="account")
app.add_typer(operator.commands)
app.add_typer(ledger.commands)
app.add_typer(run.commands)
for command in (connector_setup.add, connector_setup.test, connector_trace.trace):
    connector.commands.command()(command)
app.add_typer(connector.commands, name="connector")
app.add_typer(key.commands, name="key")
inbox.message.command("show")(message.show)
app.add_typer(inbox.message, name="message")
app.add_typer(hold.commands, name="hold")
app.add_typer(mail.commands, name="mail")
app.add_typer(notice.commands, name="notice")
app.add_typer(number.commands, name="number")
app.add_typer(route.commands, name="route")
app.add_typer(inbox.stoplist, name="stoplist")
app.add_typer(secret.commands, name="secret")
app.add_typer(sms.commands, name="sms")
app.add_typer(template.commands, name="template")
account.commands.add_typer(inbox.number, name="number")
for one in price.COMMANDS:
    client.price.command(one.__name__.removesuffix("_"))(one)
app.add_typer(sender.commands, name="sender")
app.add_typer(audit.commands, name="audit")
account.commands.command("limit")(limits.limit)
for secret_of in (account_secrets.password, account_secrets.api_password, account_secrets.totp):
    account.commands.command()(secret_of)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        emit({"version": __version__}, as_json)
    else:
        print(__version__)


def main() -> None:
    """Run one command and exit with its code."""
    try:
        app(prog_name="hopwire")
    except CommandError as stop:
        say(f"hopwire: {stop}")
        sys.exit(stop.ending)
