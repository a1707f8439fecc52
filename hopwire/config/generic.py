"""The settings of a provider that has no file of its own: what it is asked and what it says, told here.

Rule: what is wrong with a template, a path or an expression is told when the settings are read.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from hopwire.config.fields import ConfigError, Seconds, Secret, Text, about
from hopwire.config.http import HttpConnector

PLACEHOLDER = re.compile(r"\{([a-z]+(?::number)?)\}")
NUMBERS = {"to:number", "ttl:number"}  # a number where the body is JSON
TOKENS = {"to", "id", "ttl", "password"} | NUMBERS  # nothing that a client writes
NAMES = TOKENS | {"from", "text", "image", "url", "button"}

Content = Literal["sms", "flash", "wap", "text", "image", "button"]
AnswerWord = Literal[
    "taken",
    "later",
    "throttled",
    "recipient",
    "no account",
    "number",
    "blocked",
    "content",
    "sender",
    "configuration",
]
ReportWord = Literal[
    "delivered",
    "seen",
    "expired",
    "failed",
    "progress",
    "recipient",
    "no account",
    "number",
    "blocked",
    "content",
    "sender",
    "configuration",
]


class GenericConnector(HttpConnector, frozen=True, kw_only=True, tag_field="kind", tag="http"):
    carries: ClassVar[frozenset[str]] = frozenset({"viber", "sms"})

    # what is asked
    url: Annotated[
        Text,
        about(
            "Where messages are handed over. What stands in braces is filled in: `{to}`, `{from}`, `{text}`,"
            " `{id}` (ours), `{image}`, `{url}` (of a button or an image), `{button}` (its caption), `{ttl}`"
            " (seconds), `{password}`.",
            "https://api.example.net/send",
        ),
    ]
    method: Annotated[Literal["POST", "GET", "PUT"], about("How.")] = "POST"
    headers: Annotated[
        dict[str, Secret],
        Meta(extra={"secret": True}),
        about(
            "Headers of every request; `{password}`, `{id}`, `{to}` and `{ttl}` are filled in.",
            allowed="a table of printable ASCII text by name",
        ),
    ] = msgspec.field(default_factory=dict)
    login: Annotated[
        str, about("Login of HTTP Basic authentication, with `password`. Empty: there is none.")
    ] = ""
    password: Annotated[
        Secret, Meta(pattern=r"^[ -~]*\Z"), about("What `{password}` stands for.", allowed="printable ASCII")
    ] = ""
    encoding: Annotated[
        Literal["json", "form", "query"],
        about("How the fields of `body` go: as JSON, as a form, or behind the `?` of the URL."),
    ] = "json"
    body: Annotated[
        dict[str, Any],
        Meta(extra={"secret": True}),
        about(
            'The fields of every message, such as `{ phone = "{to}", message = "{text}" }`. The places are'
            " those of `url`; `{to:number}` and `{ttl:number}` alone are numbers in JSON. A field that comes"
            " out empty is left out.",
            allowed="a table of text, numbers, tables and lists",
        ),
    ] = msgspec.field(default_factory=dict)
    messages: Annotated[
        dict[Content, dict[str, Any]],
        Meta(min_length=1),
        about(
            "What is carried, and the fields that each adds to `body`: `sms`, `flash`, `wap` (as the text"
            " with the link behind it), `text`, `image` and `button` (of Viber).",
            {"sms": {}},
            allowed="a table of tables: sms, flash, wap, text, image, button",
        ),
    ]
    senders: Annotated[
        dict[str, str],
        about(
            "The provider's name for each sender name that is called otherwise there; `*` stands for every"
            " other name. A name that is not here is used as it is.",
            allowed="a table of names by name",
        ),
    ] = msgspec.field(default_factory=dict)
    ttl_least_s: Annotated[Seconds, about("The shortest lifetime that may be asked for, in seconds.")] = 60
    ttl_most_s: Annotated[Seconds, about("The longest one.")] = 86_400

    # what is answered
    reply: Annotated[Literal["json", "text"], about("What the provider answers.")] = "json"
    reply_id: Annotated[
        str,
        about(
            "Where its id of the message is: a path in JSON, such as `data.0.id`, or a regular expression"
            " whose first group it is. Empty: it gives none."
        ),
    ] = ""
    reply_code: Annotated[
        str,
        about("Where the code of the outcome is, told likewise. Empty: what HTTP calls a success is taken."),
    ] = ""
    answers: Annotated[
        dict[str, AnswerWord],
        about(
            'What the codes mean, such as `{ "0" = "taken", "9" = "no account" }`; `*` stands for every'
            " other code of a success of HTTP. Without it such a message is in doubt, and not sent again.",
            allowed="a table of codes: taken, later, throttled, recipient, no account, number, blocked,"
            " content, sender or configuration",
        ),
    ] = msgspec.field(default_factory=dict)

    # what is reported
    callback: Annotated[
        Literal["json", "form", "query"],
        about("How the provider reports: by JSON, by a form, or in the URL that it calls."),
    ] = "json"
    callback_list: Annotated[
        str, about("Path to the list of reports in the JSON. Empty: it is one report, or a list of them.")
    ] = ""
    callback_id: Annotated[str, about("Path to, or name of, the provider's id of the message.")] = "id"
    callback_code: Annotated[str, about("Path to, or name of, the code of what became of it.")] = "status"
    callback_number: Annotated[
        str, about("Path to, or name of, the reader's number. Empty: it is not told.")
    ] = ""
    outcomes: Annotated[
        dict[str, ReportWord],
        about(
            'What those codes mean, such as `{ "DELIVRD" = "delivered", "UNDELIV" = "failed" }`; `*` stands'
            " for every other code. Without it such a report says nothing.",
            allowed="a table of codes: delivered, seen, expired, failed, progress, recipient, no account,"
            " number, blocked, content, sender or configuration",
        ),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_url(self.url)
        for name, value in self.headers.items():
            _check_header(name, value)
        for where, fields in (("body", self.body), *((f"messages.{k}", v) for k, v in self.messages.items())):
            _check_fields(where, fields, self.encoding)
        self._check_paths()
        if self.ttl_least_s > self.ttl_most_s:
            raise ConfigError("ttl_least_s: must not be more than ttl_most_s")

    def _check_paths(self) -> None:
        check = _check_path if self.reply == "json" else _check_expression
        for key in ("reply_id", "reply_code"):
            check(key, getattr(self, key))
        for key in ("callback_list", "callback_id", "callback_code", "callback_number"):
            if self.callback == "json":
                _check_path(key, getattr(self, key))
        if self.reply_code and not self.answers:
            raise ConfigError("answers: must be given with reply_code")


# ---- checking; a key is named, its value is not shown: it may hold what is secret


def _check_url(url: str) -> None:
    """What is filled in comes behind the host, so that nothing but the operator chooses that."""
    _check_places("url", url, NAMES)
    if not re.match(r"https?://[^/?#{}\s]+([/?]\S*)?\Z", url):
        raise ConfigError("url: must begin with http:// or https:// and a host, with places only behind it")


def _check_header(name: str, value: str) -> None:
    _check_places(f"headers.{name}", value, TOKENS)
    if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not re.fullmatch(r"[ -~]*", value):
        raise ConfigError(f"headers.{name}: must be printable ASCII by a name of letters, digits and -")


def _check_fields(where: str, fields: dict[str, Any], encoding: str) -> None:
    for key, value in fields.items():
        if encoding != "json" and isinstance(value, dict | list):
            raise ConfigError(f"{where}.{key}: must be text or a number where encoding is {encoding}")
        for leaf in leaves(value):
            if not isinstance(leaf, str | int | float):
                raise ConfigError(f"{where}.{key}: must be text, a number, true or false")
            _check_places(f"{where}.{key}", leaf if isinstance(leaf, str) else "", NAMES)


def leaves(value: Any) -> Iterator[Any]:
    """What stands in a value that may be made of tables and lists."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield value


def _check_places(where: str, template: str, names: set[str]) -> None:
    for name in PLACEHOLDER.findall(template):
        if name not in names:
            allowed = ", ".join(f"{{{one}}}" for one in sorted(names))
            raise ConfigError(f"{where}: {{{name}}} is none of {allowed}")


def _check_path(key: str, path: str) -> None:
    if path and not all(path.split(".")):
        raise ConfigError(f"{key} = {path!r}: must be names and numbers with single dots between")


def _check_expression(key: str, expression: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise ConfigError(f"{key} = {expression!r}: is no regular expression: {error}") from None
