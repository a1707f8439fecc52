"""The settings of accounts at providers that are reached over HTTP."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from hopwire.config.fields import Seconds, Secret, Text, Upstream, Window, about
from hopwire.model import Writing


class HttpConnector(Upstream, frozen=True, kw_only=True):
    """What all of them have."""

    carries: ClassVar[frozenset[str]] = frozenset()
    idempotent: ClassVar[bool] = False  # whether a request that is made again is known to be the same
    reports: ClassVar[str] = "all"
    writing: ClassVar[Writing] = Writing(long="payload", wap=False)  # the provider cuts texts itself

    callback_secret: Annotated[
        Secret,
        Meta(min_length=16, pattern=r"^[A-Za-z0-9_-]+\Z"),
        about(
            "Long and random. The provider must report to `https://YOUR-HOST/callbacks/NAME/SECRET`.",
            "change-me-change-me",
            allowed="at least 16 Latin letters, digits, - or _",
        ),
    ]
    callback_from: Annotated[
        tuple[str, ...],
        about(
            'Addresses or networks that callbacks may come from, such as `["203.0.113.0/24"]`. Empty: any.',
            allowed="a list of addresses or networks in quotes",
        ),
    ] = ()
    window: Annotated[Window, about("Requests that may be under way at a time.")] = 100
    timeout_s: Annotated[Seconds, about("Seconds to wait for an answer.")] = 30


class ViberConnector(HttpConnector, frozen=True, kw_only=True, tag_field="kind", tag="viber"):
    carries: ClassVar[frozenset[str]] = frozenset({"viber"})

    url: Annotated[Text, about("Where messages are posted.")] = (
        "https://services.viber.com/vibersrvc/1/send_message"
    )
    service_ids: Annotated[
        dict[str, int],
        Meta(min_length=1),
        about(
            "Viber's service id of each `viber_from`; `*` stands for every other name.",
            {"*": 3100},
            allowed="a table of whole numbers by name",
        ),
    ]
    mode: Annotated[
        Literal["twoway", "oneway"], about("As Viber set the service up: with replies or without.")
    ] = "twoway"
    label: Annotated[
        Literal["transaction", "promotion"],
        about(
            "What texts without a template are, in Viber's terms; they are promotion unless Viber agreed"
            " otherwise."
        ),
    ] = "promotion"
    template_type: Annotated[
        Literal[1701, 1702], about("Message type of texts with a template, as Viber told you.")
    ] = 1702
