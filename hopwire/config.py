"""The settings: `hopwire.toml`, and the environment over it.

Rule 1: a setting explains itself; the manual and the example file are printed from the classes below.
Rule 2: what is wrong is named with its key, its value and what is allowed; a secret's value is never shown.
Rule 3: nobody else reads the settings' part of the environment.

`HOPWIRE__SECTION__KEY=value` sets one key; `HOPWIRE__SECTION__KEY_FILE=path` takes the value from a file.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args

import msgspec
from msgspec import Meta, inspect
from msgspec.structs import FieldInfo, fields

S = TypeVar("S", bound="Section")


class ConfigError(Exception):
    """The settings cannot be used; the text says which one, and what is allowed."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that belong together. Printing one hides its secrets."""

    def __repr__(self) -> str:
        shown = (f"{f.name}={'***' if _secret(f) else repr(getattr(self, f.name))}" for f in fields(self))
        return f"{type(self).__name__}({', '.join(shown)})"


Text = Annotated[str, Meta(min_length=1)]
Secret = Annotated[str, Meta(extra={"secret": True})]
Seconds = Annotated[int, Meta(ge=1, le=604_800)]
Grace = Annotated[int, Meta(ge=0, le=3600)]
Processes = Annotated[int, Meta(ge=1, le=64)]
Window = Annotated[int, Meta(ge=1, le=1000)]
Port = Annotated[int, Meta(ge=0, le=65_535)]


def about(description: str, sample: object = None) -> Meta:
    """What a setting is for; a setting without a default has a sample for the example file."""
    return Meta(description=description, examples=None if sample is None else [sample])


class Http(Section, frozen=True, kw_only=True):
    host: Annotated[Text, about("Address to listen on; 0.0.0.0 is every address.")] = "127.0.0.1"
    port: Annotated[Port, about("Port for HTTP; 0 takes a free one.")] = 8080
    tls_port: Annotated[Port, about("Port for HTTPS, beside HTTP, when there is a certificate.")] = 8443
    tls_certificate: Annotated[str, about("PEM file with the certificate chain. Empty: no HTTPS.")] = ""
    tls_key: Annotated[str, about("PEM file with the certificate's private key.")] = ""
    web_processes: Annotated[
        Processes, about("Processes that take requests. More than one needs PostgreSQL.")
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

    @property
    def postgres(self) -> bool:
        return self.url.startswith("postgres")


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


class Viber(Section, frozen=True, kw_only=True):
    grace_s: Annotated[
        Grace, about("Seconds to wait for a late receipt after `viber_lifetime`, before the SMS is sent.")
    ] = 15


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


class SmppConnector(Section, frozen=True, kw_only=True, tag_field="kind", tag="smpp"):
    host: Annotated[Text, about("The SMSC's host name or address.", "smsc.example.net")]
    port: Annotated[Port, about("The SMSC's port.")] = 2775
    system_id: Annotated[
        str, Meta(max_length=15), about("The login that the SMSC's owner gave you.", "hopwire")
    ]
    password: Annotated[
        Secret, about("The password to it.", "change-me")
    ]  # many SMSCs take more than 8 bytes
    system_type: Annotated[str, Meta(max_length=12), about("Sent as it is; most SMSCs want it empty.")] = ""
    window: Annotated[Window, about("Messages that may wait for the SMSC's answer at a time.")] = 10
    response_timeout_s: Annotated[Seconds, about("Seconds to wait for an answer.")] = 30
    enquire_link_s: Annotated[Seconds, about("Seconds of silence after which the link is checked.")] = 30
    tls: Annotated[bool, about("Whether the SMSC is reached over TLS.")] = False
    on_unknown: Annotated[
        Literal["hold", "resend"],
        about(
            "When nobody knows whether a message was taken: `hold` waits for a receipt and never sends"
            " twice; `resend` sends again and marks it as a possible duplicate."
        ),
    ] = "hold"


class ViberConnector(Section, frozen=True, kw_only=True, tag_field="kind", tag="viber"):
    url: Annotated[Text, about("Where messages are posted.")] = (
        "https://services.viber.com/vibersrvc/1/send_message"
    )
    service_ids: Annotated[
        dict[str, int],
        Meta(min_length=1),
        about("Viber's service id of each `viber_from`; `*` stands for every other name.", {"*": 3100}),
    ]
    mode: Annotated[
        Literal["twoway", "oneway"], about("As Viber set the service up: with replies or without.")
    ] = "twoway"
    label: Annotated[
        Literal["transaction", "promotion"],
        about(
            "What the messages are, in Viber's terms; free text is promotion unless Viber agreed otherwise."
        ),
    ] = "promotion"
    callback_secret: Annotated[
        Secret,
        Meta(min_length=16, pattern=r"^[A-Za-z0-9_-]+\Z"),
        about(
            "Long and random. Viber must be told to report to `https://YOUR-HOST/callbacks/NAME/SECRET`.",
            "change-me-change-me",
        ),
    ]
    window: Annotated[Window, about("Requests that may be under way at a time.")] = 100
    timeout_s: Annotated[Seconds, about("Seconds to wait for an answer.")] = 30


Connector = SmppConnector | ViberConnector
KINDS: dict[str, type[Connector]] = {"smpp": SmppConnector, "viber": ViberConnector}
DIGITS = r"^[0-9]{0,15}\Z"
LEASE_MARGIN_S = 5
CARRIER = {"sms": "smpp", "viber": "viber"}  # the kind of connector that carries a channel


class Route(Section, frozen=True, kw_only=True):
    prefix: Annotated[
        str,
        Meta(pattern=DIGITS),
        about("First digits of the numbers it is for, such as 380; the longest match wins."),
    ] = ""
    channel: Annotated[Literal["viber", "sms"], about("What the route carries.", "sms")]
    connector: Annotated[Text, about("NAME of the connector that carries it.", "operator")]


class Config(Section, frozen=True, kw_only=True):
    """All settings, checked; the defaults make a working gateway that has no connector yet."""

    http: Http = Http()
    store: Store = Store()
    worker: Worker = Worker()
    sms: Sms = Sms()
    viber: Viber = Viber()
    metrics: Metrics = Metrics()
    demo: Demo = Demo()
    log: Log = Log()
    connectors: dict[str, Connector] = {}
    routes: tuple[Route, ...] = ()


SECTIONS: dict[str, type[Section]] = {
    "http": Http,
    "store": Store,
    "worker": Worker,
    "sms": Sms,
    "viber": Viber,
    "metrics": Metrics,
    "demo": Demo,
    "log": Log,
}


# ---- reading


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the TOML file, if one is given, and the environment over it.

    Raises ConfigError for a file that cannot be read and for the first setting that cannot be used.
    """
    tree = _read_toml(path) if path else {}
    for name, value in sorted(environ.items()):
        if name.startswith("HOPWIRE__"):
            _put(tree, name, value)
    return parse(tree)


def parse(tree: Mapping[str, Any]) -> Config:
    """Check settings that are already a tree of tables, as TOML gives them; raises ConfigError."""
    _known(tree, (*SECTIONS, "connectors", "routes"), "")
    sections: dict[str, Any] = {n: _section(kind, n, tree.get(n, {})) for n, kind in SECTIONS.items()}
    config = Config(
        **sections,
        connectors={name: _connector(name, t) for name, t in _table("connectors", tree).items()},
        routes=tuple(_section(Route, f"routes[{i}]", t) for i, t in enumerate(_list("routes", tree))),
    )
    _agree(config)
    return config


class _EnvText(str):
    """A value from the environment: always text, read as what its setting needs."""

    __slots__ = ()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None


def _put(tree: dict[str, Any], name: str, value: str) -> None:
    """Set the one key that an environment variable names."""
    *tables, key = name.removeprefix("HOPWIRE__").lower().split("__")
    if not tables:
        raise ConfigError(f"{name}: must be HOPWIRE__SECTION__KEY")
    if key.endswith("_file") and key != "secret_file":  # that one is a setting of its own
        key, value = key.removesuffix("_file"), _read_value(name, Path(value))
    for table in tables:
        tree = tree.setdefault(table, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{name}: {table} is not a table")
    tree[key] = _EnvText(value)


def _read_value(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{name}: {path} cannot be read") from None


# ---- checking


def _section(kind: type[S], where: str, table: object) -> S:
    """One table to its class: every key known, none missing that has no default, every value allowed."""
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: must be a table")
    known = {f.name: f for f in fields(kind)}
    _known(table, known, where + ".")
    for name, field in known.items():
        if field.required and name not in table:
            raise ConfigError(f"{where}.{name}: is missing; it must be {_allowed(field)}")
    return kind(**{name: _value(known[name], f"{where}.{name}", value) for name, value in table.items()})


def _connector(name: str, table: object) -> Connector:
    where = f"connectors.{name}"
    if not re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", name):
        raise ConfigError(f"{where}: a name is lower-case letters and digits, with single - or _ between")
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: must be a table")
    rest = dict(table)
    kind = rest.pop("kind", None)
    if kind not in KINDS:
        raise ConfigError(f"{where}.kind = {kind!r}: must be one of {', '.join(KINDS)}")
    return _section(KINDS[kind], where, rest)


def _value(field: FieldInfo, where: str, value: object) -> Any:
    from_environment = isinstance(value, _EnvText)
    try:
        plain = str(value) if from_environment else value
        return msgspec.convert(plain, field.type, strict=not from_environment)
    except msgspec.ValidationError:
        shown = "" if _secret(field) else f" = {plain!r}"
        raise ConfigError(f"{where}{shown}: must be {_allowed(field)}") from None


def _known(names: Collection[str], known: Collection[str], where: str) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise ConfigError(
                f"{where}{name}: unknown setting" + (f"; did you mean {where}{close[0]}?" if close else "")
            )


def _table(name: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    value = tree.get(name, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{name}: must be tables, each begun by [{name}.NAME]")
    return value


def _list(name: str, tree: Mapping[str, Any]) -> list[Any]:
    value = tree.get(name, [])
    if not isinstance(value, list):
        raise ConfigError(f"{name}: must be a list of tables, each begun by [[{name}]]")
    return value


def _agree(config: Config) -> None:
    """What one setting demands of another."""
    _store_agrees(config)
    if bool(config.http.tls_certificate) != bool(config.http.tls_key):
        raise ConfigError("http.tls_certificate, http.tls_key: must be given together")
    for name, connector in config.connectors.items():
        _lease_agrees(f"connectors.{name}", connector, config.worker.lease_s)
    seen = set()
    for i, route in enumerate(config.routes):
        _route_agrees(f"routes[{i}]", route, config.connectors)
        if (route.prefix, route.channel) in seen:
            raise ConfigError(f"routes[{i}]: there is already a route for this prefix and channel")
        seen.add((route.prefix, route.channel))


def _lease_agrees(where: str, connector: Connector, lease_s: int) -> None:
    """A worker that still waits for an answer must not lose its claim."""
    key = "response_timeout_s" if isinstance(connector, SmppConnector) else "timeout_s"
    timeout_s: int = getattr(connector, key)
    if timeout_s + LEASE_MARGIN_S > lease_s:
        raise ConfigError(
            f"{where}.{key} = {timeout_s}: must be at least {LEASE_MARGIN_S} less than worker.lease_s,"
            f" which is {lease_s}"
        )


def _store_agrees(config: Config) -> None:
    if not re.match(r"sqlite:.|postgres(ql)?://.", config.store.url):
        raise ConfigError("store.url: must be sqlite:PATH or postgresql://USER:PASSWORD@HOST/DATABASE")
    if config.store.secret and config.store.secret_file:
        raise ConfigError("store.secret, store.secret_file: must not be given both")
    if config.store.postgres and not (config.store.secret or config.store.secret_file):
        raise ConfigError("store.secret_file: is missing; PostgreSQL needs it, or HOPWIRE__STORE__SECRET")
    if config.store.postgres:
        _check_postgres_url(config.store.url)
    for name, n in (
        ("http.web_processes", config.http.web_processes),
        ("worker.processes", config.worker.processes),
    ):
        if n > 1 and not config.store.postgres:
            raise ConfigError(f"{name} = {n}: must be 1 with SQLite; more than one needs PostgreSQL")


def _check_postgres_url(url: str) -> None:
    from psycopg import ProgrammingError  # here, where it is needed: its import takes a tenth of a second
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except ProgrammingError:  # its text may hold the password
        raise ConfigError("store.url: is not a PostgreSQL URL; is its password percent-encoded?") from None


def _route_agrees(where: str, route: Route, connectors: Mapping[str, Connector]) -> None:
    if route.connector not in connectors:
        raise ConfigError(
            f"{where}.connector = {route.connector!r}: must be one of the connectors,"
            f" {', '.join(connectors) or 'of which there are none'}"
        )
    if not isinstance(connectors[route.connector], KINDS[CARRIER[route.channel]]):
        raise ConfigError(
            f"{where}.connector = {route.connector!r}: must be a connector of kind {CARRIER[route.channel]},"
            f" which carries {route.channel}"
        )


# ---- explaining


class Setting(NamedTuple):
    """One setting, as the manual tells it."""

    section: str  # "http", "connectors.NAME (smpp)", "routes"
    key: str
    type: str  # what is allowed, in words
    default: str  # as TOML; empty when there is none and the setting is required
    description: str


def describe() -> Iterator[Setting]:
    """Every setting there is, in the order of the example file."""
    for section, kind in _all_sections():
        if kind in KINDS.values():
            tag = json.dumps(kind.__struct_config__.tag)
            yield Setting(section, "kind", tag, "", "What the connector speaks.")
        for field in fields(kind):
            default = "" if field.required else _toml(field.default)
            yield Setting(section, field.name, _allowed(field), default, _meta(field, "description", ""))


def example() -> str:
    """A commented file of every setting at its default: `#key = value` lines are there to be uncommented."""
    head = "# Settings of Hopwire. What is commented out is the default, or a sample where there is none.\n"
    return head + "".join(_example(section, kind) for section, kind in _all_sections() if kind is not Demo)


def _all_sections() -> Iterator[tuple[str, type[Section]]]:
    yield from SECTIONS.items()
    for name, kind in KINDS.items():
        yield f"connectors.NAME ({name})", kind
    yield "routes", Route


_SAMPLE_HEAD = {
    SmppConnector: '#[connectors.operator]\n#kind = "smpp"',
    ViberConnector: '#[connectors.viber]\n#kind = "viber"',
    Route: "#[[routes]]",
}


def _example(section: str, kind: type[Section]) -> str:
    lines = [_SAMPLE_HEAD.get(kind, f"[{section}]")]
    for field in fields(kind):
        sample = _meta(field, "examples", [None])[0] if field.required else field.default
        lines += [f"# {_meta(field, 'description', '')}", f"#{field.name} = {_toml(sample)}"]
    return "\n" + "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


def _meta(field: FieldInfo, name: str, default: Any) -> Any:
    """What the annotations of a field say under one name; the last one that says it wins."""
    said = (getattr(meta, name) for meta in reversed(get_args(field.type)) if isinstance(meta, Meta))
    return next((value for value in said if value is not None), default)


def _secret(field: FieldInfo) -> bool:
    return bool(_meta(field, "extra", {}).get("secret"))


def _allowed(field: FieldInfo) -> str:
    """What a setting may be, in words."""
    kind = inspect.type_info(field.type)
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    match kind:
        case inspect.IntType():
            return f"a whole number from {kind.ge} to {kind.le}"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return "one of " + ", ".join(json.dumps(v) for v in kind.values)  # in the order of the alphabet
        case inspect.DictType():
            return "a table of whole numbers by name"
        case inspect.StrType() if kind.pattern == DIGITS:
            return "up to 15 digits in quotes"
        case inspect.StrType(pattern=str()):
            return f"at least {kind.min_length} Latin letters, digits, - or _"
        case inspect.StrType(max_length=int()):
            return f"text of at most {kind.max_length} characters"
        case inspect.StrType(min_length=1):
            return "text, not empty"
        case _:
            return "text"
