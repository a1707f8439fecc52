"""The settings of an account at another gateway of the `/api/http.php` family."""

from typing import Annotated, ClassVar, Literal

import msgspec

from hopwire.config.fields import ConfigError, Seconds, Secret, Text, about
from hopwire.config.http import HttpConnector


class HttpPhpConnector(HttpConnector, frozen=True, kw_only=True, tag_field="kind", tag="http_php"):
    carries: ClassVar[frozenset[str]] = frozenset({"viber", "sms"})

    url: Annotated[
        Text,
        about("The gateway's address, with its path.", "https://gateway.example.net/api/http.php"),
    ]
    key: Annotated[
        Secret, about("Your API key there. Empty: `login` and `password` are said.", "change-me")
    ] = ""
    login: Annotated[str, about("Your login there, where there is no key.")] = ""
    password: Annotated[Secret, about("The password to it.")] = ""
    senders: Annotated[
        dict[str, str],
        about(
            "The gateway's name for each sender name that is called otherwise there; `*` stands for every"
            " other name. A name that is not here is used as it is.",
            allowed="a table of names by name",
        ),
    ] = msgspec.field(default_factory=dict)
    on_unknown: Annotated[
        Literal["hold", "resend"],
        about(
            "When nobody knows whether a message was taken: `hold` never sends it again; `resend` does,"
            " with the same `client_id`, by which a Hopwire knows it again."
        ),
    ] = "hold"
    poll_s: Annotated[Seconds, about("How often, in seconds, it is asked what became of messages.")] = 5

    def __post_init__(self) -> None:
        if not self.key and not (self.login and self.password):
            raise ConfigError("key: must be given, or both login and password")
