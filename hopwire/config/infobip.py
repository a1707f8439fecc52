"""The settings of an account at Infobip."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from hopwire.config.fields import Secret, Text, about
from hopwire.config.http import HttpConnector


class InfobipConnector(HttpConnector, frozen=True, kw_only=True, tag_field="kind", tag="infobip"):
    carries: ClassVar[frozenset[str]] = frozenset({"viber", "sms"})
    idempotent: ClassVar[bool] = True  # a message id is taken once

    url: Annotated[
        Text, about("The address that Infobip gave your account.", "https://xxxxx.api.infobip.com")
    ]
    api_key: Annotated[
        Secret, Meta(min_length=1), about("An API key that may send Viber and SMS.", "change-me")
    ]
    senders: Annotated[
        dict[str, str],
        about(
            "The name that Infobip registered for each sender name that is called otherwise there; `*`"
            " stands for every other name. A name that is not here is used as it is.",
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
            "Where Infobip is told to report each message: `https://YOUR-HOST/callbacks/NAME/SECRET`."
            " Empty: where the subscriptions of your account say."
        ),
    ] = ""
