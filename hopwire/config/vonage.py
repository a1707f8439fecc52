"""The settings of an account at Vonage."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from hopwire.config.fields import ConfigError, Secret, Text, about
from hopwire.config.http import HttpConnector


class VonageConnector(HttpConnector, frozen=True, kw_only=True, tag_field="kind", tag="vonage"):
    carries: ClassVar[frozenset[str]] = frozenset({"viber", "sms"})

    url: Annotated[Text, about("Where the API is.")] = "https://api.nexmo.com"
    application_id: Annotated[
        str, about("The id of your application. Empty: `api_key` and `api_secret` are said instead.")
    ] = ""
    private_key: Annotated[
        Secret, about("The application's private key, the whole text of its PEM file.")
    ] = ""
    api_key: Annotated[str, about("Your account's API key, where there is no application.", "12345678")] = ""
    api_secret: Annotated[Secret, about("The secret to it.", "change-me")] = ""
    signature_secret: Annotated[
        Secret,
        Meta(min_length=1),
        about("The signature secret of your account; webhooks are signed with it.", "change-me"),
    ]
    senders: Annotated[
        dict[str, str],
        about(
            "The Viber service id, or the SMS sender, of each sender name that is called otherwise at Vonage;"
            " `*` stands for every other name. A name that is not here is used as it is.",
            allowed="a table of names by name",
        ),
    ] = msgspec.field(default_factory=dict)
    label: Annotated[
        Literal["transaction", "promotion"],
        about(
            "What Viber texts without a template are, in Viber's terms; they are promotion unless Viber"
            " agreed otherwise."
        ),
    ] = "promotion"
    callback_url: Annotated[
        str,
        about(
            "Where Vonage is told to report each message: `https://YOUR-HOST/callbacks/NAME/SECRET`. Empty:"
            " where your application says."
        ),
    ] = ""

    def __post_init__(self) -> None:
        if bool(self.application_id) != bool(self.private_key):
            raise ConfigError("application_id, private_key: must be given together")
        if not self.application_id and not (self.api_key and self.api_secret):
            raise ConfigError("application_id: must be given with private_key, or api_key with api_secret")
        if self.private_key:
            _check_private_key(self.private_key)


def _check_private_key(text: str) -> None:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # here: its import takes long
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):  # no PEM, or one with a password; the error's text may hold a part of it
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("private_key: must be an RSA key in PEM, without a password")
