"""Commands that talk to a running gateway over `/api/http.php`, as any client program does.

Rule: the key comes from the environment or a file, never from the command line, and leaves in a POST body.
"""

import os
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import typer
from typer.core import TyperGroup

from hopwire.cli.console import AsJson, CommandError, Ending, emit, new_commands, say

Reply = dict[str, str]
Option = partial(typer.Option, show_default=False)

Url = Annotated[str, typer.Option("--url", envvar="HOPWIRE_URL", help="Where the gateway is.")]
KeyFile = Annotated[
    str | None,
    Option(
        "--key-file", help="File with the API key, - for stdin. Without it: HOPWIRE_KEY from the environment."
    ),
]
LOCAL = "http://127.0.0.1:8080"


class PriceGroup(TyperGroup):
    """Reads `price NUMBER` as `price of NUMBER`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and "--help" not in args and not any(word in self.commands for word in args):
            args = ["of", *args]
        return super().parse_args(ctx, args)


commands = new_commands()
price = new_commands("What an SMS costs: `hopwire price 380501234567`.", cls=PriceGroup)
commands.add_typer(price, name="price")


@commands.command()
def send(
    ctx: typer.Context,
    to: Annotated[str, Option("--to", help="Recipient's phone number.")],
    from_: Annotated[str | None, Option("--from", help="Sender name, up to 11 Latin characters.")] = None,
    message: Annotated[str | None, Option("--message", help="Text of the SMS.")] = None,
    viber: Annotated[bool, Option("--viber", help="Try Viber first.")] = False,
    viber_type: Annotated[str | None, Option("--viber-type", help="text, image or button.")] = None,
    viber_message: Annotated[
        str | None, Option("--viber-message", help="Text for Viber, if not --message.")
    ] = None,
    viber_from: Annotated[str | None, Option("--viber-from", help="Sender on Viber, if not --from.")] = None,
    viber_lifetime: Annotated[
        int | None, Option("--viber-lifetime", help="Seconds Viber may take: 60 to 86400.")
    ] = None,
    viber_sms: Annotated[bool, Option("--viber-sms", help="Send an SMS when Viber cannot deliver.")] = False,
    viber_image: Annotated[str | None, Option("--viber-image", help="Link to an image.")] = None,
    viber_url: Annotated[str | None, Option("--viber-url", help="Link that a tap opens.")] = None,
    viber_button: Annotated[str | None, Option("--viber-button", help="Caption of the button.")] = None,
    wap: Annotated[str | None, Option("--wap", help="Link: send the SMS as WAP Push.")] = None,
    flash: Annotated[bool, Option("--flash", help="Show the SMS at once, unsaved.")] = False,
    ask_date: Annotated[
        str | None, Option("--ask-date", help="When to send: 2024-08-15T15:52:01+0200.")
    ] = None,
    wait: Annotated[bool, Option("--wait", help="Follow the status until it is final.")] = False,
    url: Url = LOCAL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Send one message and print its id."""
    ours = ("wait", "url", "key_file", "as_json")
    asked = {name.rstrip("_"): value for name, value in ctx.params.items() if name not in ours and value}
    key = read_key(key_file)
    sent = call(url, key, "send", asked)
    last = follow(url, key, sent["id"]) if wait else {}
    emit(typed(sent | last), as_json)
    if wait and last["code"] not in DELIVERED:
        raise CommandError(Ending.FAILURE, f"ended undelivered: {last['status']}")


@commands.command()
def status(
    id: Annotated[int, typer.Argument(help="The id that send printed.")],
    url: Url = LOCAL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what has become of a message."""
    emit(typed(call(url, read_key(key_file), "receive", {"id": id})), as_json)


@commands.command()
def balance(url: Url = LOCAL, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Print the money that can still be spent."""
    emit(call(url, read_key(key_file), "balance", {}), as_json)


@price.command("of")
def price_of(
    to: Annotated[str, typer.Argument(help="A phone number.")],
    url: Url = LOCAL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the price of one SMS part to a number; `of` may be left out."""
    emit(call(url, read_key(key_file), "price", {"to": to}), as_json)


# ---- one call


def read_key(key_file: str | None) -> str:
    """The API key from a file, from stdin or from HOPWIRE_KEY; without one the command ends."""
    try:
        if key_file == "-":
            key = sys.stdin.readline()
        elif key_file:
            with open(key_file, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to import
                key = file.readline()
        else:
            key = os.environ.get("HOPWIRE_KEY", "")
    except OSError as error:
        raise CommandError(Ending.AUTH, f"--key-file cannot be read: {error.strerror}") from None
    if not key.strip():
        raise CommandError(Ending.AUTH, "no API key: set HOPWIRE_KEY, or give --key-file")
    return key.strip()


def call(url: str, key: str, command: str, parameters: Mapping[str, object]) -> Reply:
    """Ask the gateway one thing; what it refuses ends the command with the exit code that says why."""
    from urllib.parse import urlencode

    form = {name: "1" if value is True else str(value) for name, value in parameters.items()}
    body = urlencode({"version": "http", "key": key, "command": command, **form}).encode()
    reply = read_reply(post(url.rstrip("/") + "/api/http.php", body))
    if "errors" in reply:
        raise CommandError(ending_of(reply["errors"]), reply["errors"])
    return reply


def post(url: str, body: bytes) -> str:
    """One POST of a form. Ends the command when there is no gateway at the other end."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    if not url.startswith(("http://", "https://")):
        raise CommandError(Ending.USAGE, "--url must begin with http:// or https://")
    try:
        with urlopen(Request(url, body), timeout=30) as response:  # noqa: S310 - the scheme was checked above
            return str(response.read(65_536), "utf-8", "replace")
    except HTTPError as error:
        with error:
            return str(error.read(65_536), "utf-8", "replace")
    except URLError as error:
        raise CommandError(Ending.TEMPORARY, f"no gateway answers at {url}: {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise CommandError(Ending.TEMPORARY, f"the gateway at {url} broke off: {error}") from None


def read_reply(text: str) -> Reply:
    """`name:value` lines to a dict."""
    reply = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    if not reply.keys() & {"errors", "id", "status", "balance", "price"}:
        raise CommandError(Ending.FAILURE, "what answered is not a Hopwire gateway; check --url")
    return reply


def ending_of(text: str) -> Ending:
    """The exit code for what the gateway says after `errors:`."""
    from hopwire import errors

    return {
        errors.WrongCredentials.text: Ending.AUTH,
        errors.KeyNotAllowed.text: Ending.AUTH,
        errors.NotFound.text: Ending.NOT_FOUND,
        errors.Unavailable.text: Ending.TEMPORARY,
        errors.TooManyRequests.text: Ending.TEMPORARY,
    }.get(text, Ending.REJECTED)


def typed(reply: Reply) -> dict[str, object]:
    """The whole numbers of a reply as numbers."""
    whole = ("id", "sms_count", "code")
    return {name: int(value) if name in whole else value for name, value in reply.items()}


# ---- following a message

DELIVERED = ("3", "116")  # Delivered, Read


def follow(url: str, key: str, id: str) -> Reply:
    """Ask until the status is final, telling each change; a gateway that restarts is waited for."""
    from hopwire.model import Status

    told = ""
    pause_s = 0.1
    while True:
        try:
            reply = call(url, key, "receive", {"id": id})
            news = reply["status"]
        except CommandError as stop:
            if stop.ending != Ending.TEMPORARY:
                raise
            reply, news = {}, str(stop)
        if news != told:
            say(news)
            told = news
        if reply and Status(int(reply["code"])).final:
            return reply
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 5)
