"""The settings of an account at TurboSMS."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from hopwire.config.fields import Secret, Text, about
from hopwire.config.http import HttpConnector


class TurboSmsConnector(HttpConnector, frozen=True, kw_only=True, tag_field="kind", tag="turbosms"):
    carries: ClassVar[frozenset[str]] = frozenset({"viber", "sms"})
    idempotent: ClassVar[bool] = True  # a sequence_id is carried out once

    url: Annotated[Text, about("Where the API is.")] = "https://api.turbosms.ua"
    token: Annotated[
        Secret, Meta(min_length=1), about("The authentication key of your HTTP API.", "change-me")
    ]
    signature_secret: Annotated[
        Secret,
        Meta(min_length=1),
        about("The secret key that you entered for the webhook; TurboSMS signs with it.", "change-me"),
    ]
    senders: Annotated[
        dict[str, str],
        about(
            "The name that TurboSMS registered for each sender name that is called otherwise there; `*`"
            " stands for every other name. A name that is not here is used as it is.",
            allowed="a table of names by name",
        ),
    ] = msgspec.field(default_factory=dict)
    label: Annotated[
        Literal["transaction", "promotion"],
        about(
            "What Viber texts without a template are. A transaction needs a sender of your own and a text"
            " that matches a template registered there."
        ),
    ] = "promotion"
