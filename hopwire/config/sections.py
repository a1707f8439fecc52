"""The settings of the gateway itself, and the routes between it and its connectors."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hopwire import model
from hopwire.config.connectors import Connector
from hopwire.config.fields import Grace, Port, Processes, Seconds, Secret, Section, Text, about
from hopwire.vault import Vault


class Http(Section, frozen=True, kw_only=True):
    host: Annotated[Text, about("Address to listen on; 0.0.0.0 is every address.")] = "127.0.0.1"
    port: Annotated[Port, about("Port for HTTP; 0 takes a free one.")] = 8080
    tls_port: Annotated[Port, about("Port for HTTPS, beside HTTP, when there is a certificate.")] = 8443
    tls_certificate: Annotated[str, about("PEM file with the certificate chain. Empty: no HTTPS.")] = ""
    tls_key: Annotated[str, about("PEM file with the certificate's private key.")] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        about(
            "Addresses or networks of the web servers before this gateway. What these say in X-Forwarded-For"
            " is believed.",
            allowed="a list of addresses or networks in quotes",
        ),
    ] = ()
    web_processes: Annotated[
        int,
        Meta(ge=0, le=64),
        about(
            "Processes that take requests. With SQLite, 0 makes one process of everything, for machines with"
            " one core or little memory."
        ),
    ] = 1


class Store(Section, frozen=True, kw_only=True):
    url: Annotated[
        Secret,
        about("Where messages are kept: `sqlite:PATH`, or `postgresql://USER:PASSWORD@HOST/DATABASE`."),
    ] = "sqlite:data/hopwire.db"
    secret_file: Annotated[
        str,
        about(
            "File with the secret that API keys are hashed with. Empty, with SQLite: the file"
            " `secret` beside the database, made at the first start. PostgreSQL needs this or `secret`."
        ),
    ] = ""
    secret: Annotated[
        Secret, about("The secret itself instead of a file; meant for `HOPWIRE__STORE__SECRET`.")
    ] = ""
    keys_file: Annotated[
        str,
        about(
            "File with the keys that secrets are sealed with, made when one is first needed. Empty, with"
            " SQLite: the file `keys` beside the database. PostgreSQL needs it where something is sealed."
        ),
    ] = ""

    @property
    def postgres(self) -> bool:
        return self.url.startswith("postgres")

    @property
    def vault(self) -> Vault:
        """What secrets are sealed and opened with."""
        kind, _, path = self.url.partition(":")
        beside = Path(path).parent / "keys" if kind == "sqlite" else None
        return Vault(Path(self.keys_file) if self.keys_file else beside)


class Worker(Section, frozen=True, kw_only=True):
    processes: Annotated[
        Processes, about("Processes that submit messages. More than one needs PostgreSQL.")
    ] = 1
    lease_s: Annotated[Seconds, about("Seconds until the work of a process that died is taken over.")] = 60


class Sms(Section, frozen=True, kw_only=True):
    lifetime_s: Annotated[Seconds, about("Seconds that an SMS may take to be delivered.")] = 86_400
    grace_s: Annotated[Grace, about("Seconds to wait for a late receipt after the lifetime.")] = 15
    max_parts: Annotated[
        int, Meta(ge=1, le=255), about("Most parts that one text may need; longer ones are refused.")
    ] = 10
    stop_words: Annotated[
        tuple[str, ...],
        about(
            "A message of one of these words alone, from a phone to a number of an account, puts the phone on"
            " that account's stop list.",
            allowed="a list of words in quotes",
        ),
    ] = ("STOP", "СТОП")
    start_words: Annotated[
        tuple[str, ...],
        about("The same, to take it off the list again.", allowed="a list of words in quotes"),
    ] = ("START", "СТАРТ")


class Viber(Section, frozen=True, kw_only=True):
    grace_s: Annotated[
        Grace, about("Seconds to wait for a late receipt after `viber_lifetime`, before the SMS is sent.")
    ] = 15
    remember_days: Annotated[
        int,
        Meta(ge=0, le=365),
        about("Days for which a number that is not on Viber is not looked for there again; 0: not at all."),
    ] = 7
    check_images: Annotated[
        bool,
        about("Whether the picture of `viber_image` is fetched and looked at before a message is accepted."),
    ] = False
    max_image_bytes: Annotated[
        int, Meta(ge=1024, le=104_857_600), about("Most bytes that such a picture may have.")
    ] = 5_242_880


class Retention(Section, frozen=True, kw_only=True):
    texts_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        about(
            "Days after which the texts of messages are forgotten, once these have ended, and what upstreams"
            " reported word by word; 0: never."
        ),
    ] = 90
    numbers_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        about("Days after which of numbers only a keyed hash and the last four digits are kept; 0: never."),
    ] = 365


class Cabinet(Section, frozen=True, kw_only=True):
    enabled: Annotated[bool, about("Whether there are pages: the cabinet and the operator's.")] = True
    url: Annotated[
        str,
        about("Where users reach them, for links in mail: `https://sms.example.com`. Empty: no such mail."),
    ] = ""
    registration: Annotated[
        Literal["off", "invitation", "approval", "on"],
        about(
            "Who may open an account: nobody (`off`), who was sent a link (`invitation`), everyone, once the"
            " operator agrees (`approval`), or everyone (`on`). All but `off` need `[mail]`."
        ),
    ] = "off"
    name: Annotated[Text, about("What the pages call this gateway.")] = "Hopwire"
    requests_days: Annotated[
        int,
        Meta(ge=0, le=90),
        about(
            "Days for which it is shown what programs have asked for, and what they were answered; 0: not."
        ),
    ] = 7


class Mail(Section, frozen=True, kw_only=True):
    host: Annotated[str, about("Mail server (SMTP). Empty: nothing is mailed.")] = ""
    port: Annotated[Port, about("Its port: usually 587, or 465 with `tls`.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        about("`starttls` begins in plain text, `tls` does not; `none` is for a server on this machine."),
    ] = "starttls"
    login: Annotated[str, about("Login at the mail server. Empty: none is asked for.")] = ""
    password: Annotated[Secret, about("Its password.")] = ""
    sender: Annotated[str, about("Address that mail comes from: `hopwire@example.com`.")] = ""


class Metrics(Section, frozen=True, kw_only=True):
    token: Annotated[Secret, about("Bearer token for `/metrics`. Empty: only this machine may read.")] = ""


class Demo(Section, frozen=True, kw_only=True):
    token: Annotated[Secret, about("Internal: set by `hopwire demo` alone.")] = ""


class Log(Section, frozen=True, kw_only=True):
    level: Annotated[
        Literal["debug", "info", "warning", "error"], about("Least serious line that is written.")
    ] = "info"
    format: Annotated[
        Literal["auto", "text", "json"], about("`auto` is `text` on a terminal and `json` elsewhere.")
    ] = "auto"


class Way(Section, frozen=True, kw_only=True):
    """A connector of a route."""

    connector: Annotated[Text, about("NAME of the connector.", "operator")]
    priority: Annotated[
        int,
        Meta(ge=0, le=1000),
        about("Lower ones are tried first. 0: its place in the list."),
    ] = 0
    weight: Annotated[
        int,
        Meta(ge=0, le=1000),
        about("Its share of the numbers among those of the same priority; 0: when the others cannot."),
    ] = 1
    hours: Annotated[
        str,
        about("When alone it carries anything: `mon-fri 08:00-20:00 Europe/Kyiv`. Empty: always."),
    ] = ""


class Route(Section, frozen=True, kw_only=True):
    prefix: Annotated[
        str,
        Meta(pattern=r"^([0-9]{0,15}|[A-Z]{2})\Z"),
        about(
            "First digits of the numbers it is for, such as 380, or their country, such as UA; the longest"
            " match wins, and a country stands between three digits and four.",
            allowed="up to 15 digits, or two capital letters of ISO 3166, in quotes",
        ),
    ] = ""
    channel: Annotated[Literal["viber", "sms"], about("What the route carries.", "sms")]
    connector: Annotated[str, about("NAME of the connector that carries it, if it is one.", "operator")] = ""
    connectors: Annotated[
        tuple[Way, ...],
        about(
            "Several of them, in the order in which they are tried: each a name, or a table of `connector`,"
            " `priority`, `weight` and `hours`. See [routes](routes.md).",
            allowed="a list of names and of tables",
        ),
    ] = ()
    least_cost: Annotated[
        bool, about("Whether of the same priority the one that costs us least is tried first.")
    ] = False

    @property
    def ways(self) -> tuple[model.Way, ...]:
        """Its connectors, each with its priority."""
        listed = self.connectors or (Way(connector=self.connector),)
        return tuple(
            model.Way(
                connector=one.connector, priority=one.priority or place, weight=one.weight, hours=one.hours
            )
            for place, one in enumerate(listed, 1)
        )

    @property
    def model(self) -> model.Route:
        return model.Route(
            channel=self.channel, prefix=self.prefix, ways=self.ways, least_cost=self.least_cost
        )


class Config(Section, frozen=True, kw_only=True):
    """All settings, checked; the defaults make a working gateway that has no connector yet."""

    http: Http = Http()
    store: Store = Store()
    worker: Worker = Worker()
    sms: Sms = Sms()
    viber: Viber = Viber()
    retention: Retention = Retention()
    cabinet: Cabinet = Cabinet()
    mail: Mail = Mail()
    metrics: Metrics = Metrics()
    demo: Demo = Demo()
    log: Log = Log()
    connectors: dict[str, Connector] = msgspec.field(default_factory=dict)
    routes: tuple[Route, ...] = ()


SECTIONS: dict[str, type[Section]] = {
    "http": Http,
    "store": Store,
    "worker": Worker,
    "sms": Sms,
    "viber": Viber,
    "retention": Retention,
    "cabinet": Cabinet,
    "mail": Mail,
    "metrics": Metrics,
    "demo": Demo,
    "log": Log,
}
