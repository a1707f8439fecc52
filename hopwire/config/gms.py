"""The settings of an account at GMS (Hyber)."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from hopwire.config.fields import Secret, Text, about
from hopwire.config.http import HttpConnector

LONGEST_CALLBACK_URL = 256

Status = Annotated[str, Meta(pattern=r"^[0-9]{1,6}\Z")]
StatusWord = Literal[
    "delivered",
    "seen",
    "expired",
    "progress",
    "later",
    "recipient",
    "no account",
    "number",
    "blocked",
    "content",
    "sender",
    "configuration",
]


class GmsConnector(HttpConnector, frozen=True, kw_only=True, tag_field="kind", tag="gms"):
    carries: ClassVar[frozenset[str]] = frozenset({"viber", "sms"})

    url: Annotated[
        Text,
        about(
            "Where messages are posted, with your client id: `https://api-v2-SITE.hyber.im/CLIENT_ID`.",
            "https://api-v2-site.hyber.im/1234",
        ),
    ]
    reports_url: Annotated[
        str,
        about(
            "Where it is asked what became of messages: `https://dr-v2-SITE.hyber.im/CLIENT_ID`. Empty: it"
            " is not asked, only reported."
        ),
    ] = ""
    login: Annotated[Text, about("The login of the technical plan.", "login")]
    password: Annotated[Secret, Meta(min_length=1), about("The password to it.", "change-me")]
    callback_url: Annotated[
        str,
        Meta(max_length=LONGEST_CALLBACK_URL),
        about(
            "Where GMS is told to report each message: `https://YOUR-HOST/callbacks/NAME/SECRET`. Empty:"
            " where GMS has set up for your account."
        ),
    ] = ""
    senders: Annotated[
        dict[str, str],
        about(
            "The `alpha_name` of each sender name that is called otherwise at GMS; `*` stands for every other"
            " name. A name that is not here is used as it is.",
            allowed="a table of names by name",
        ),
    ] = msgspec.field(default_factory=dict)
    statuses: Annotated[
        dict[Status, StatusWord],
        about(
            "What GMS's own codes mean: error_code of an answer; hyber_status, or substatus for all of its"
            ' kind, of a report. Such as `{ "35021" = "no account", "24" = "seen" }`.',
            allowed="a table of codes: delivered, seen, expired, progress, later, recipient, no account,"
            " number, blocked, content, sender or configuration",
        ),
    ] = msgspec.field(default_factory=dict)
