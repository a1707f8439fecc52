"""Reads the settings and checks them, one by one and against each other."""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import FieldInfo, fields

from hopwire import hours
from hopwire.config.connectors import KINDS, Connector
from hopwire.config.fields import ConfigError, S, allowed, secret
from hopwire.config.http import HttpConnector
from hopwire.config.sections import SECTIONS, Config, Route, Store, Way
from hopwire.vault import SETTING, SealError, Vault, is_sealed

LEASE_MARGIN_S = 5


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the TOML file, if one is given, and the environment over it.

    Raises ConfigError for a file that cannot be read and for the first setting that cannot be used.
    """
    return parse(read_tree(path, environ))


def read_tree(path: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings as they are written, not checked, and what is sealed still sealed; raises ConfigError."""
    tree = _read_toml(path) if path else {}
    for name, value in sorted(environ.items()):
        if name.startswith("HOPWIRE__"):
            _put(tree, name, value)
    return tree


def parse(tree: Mapping[str, Any]) -> Config:
    """Check settings that are already a tree of tables, as TOML gives them; raises ConfigError."""
    _known(tree, (*SECTIONS, "connectors", "routes"), "")
    vault = vault_of(tree)
    sections: dict[str, Any] = {n: _section(kind, n, tree.get(n, {}), vault) for n, kind in SECTIONS.items()}
    config = Config(
        **sections,
        connectors={name: _connector(name, t, vault) for name, t in _table("connectors", tree).items()},
        routes=tuple(_route(f"routes[{i}]", t, vault) for i, t in enumerate(_list("routes", tree))),
    )
    _agree(config)
    return config


def parse_routes(tree: Mapping[str, Any], connectors: Mapping[str, Connector]) -> tuple[Route, ...]:
    """Check routes that are a file of their own, as the settings have them; raises ConfigError."""
    _known(tree, ("routes",), "")
    vault = vault_of({})  # nothing of a route is secret
    found = tuple(_route(f"routes[{i}]", table, vault) for i, table in enumerate(_list("routes", tree)))
    _routes_agree(found, connectors)
    return found


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
    if key.endswith("_file") and key not in ("secret_file", "keys_file"):  # these are settings of their own
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


# ---- opening what is sealed


def vault_of(tree: Mapping[str, Any]) -> Vault:
    """Where the keys are must be told plainly: by `store.keys_file`, or by the path of SQLite's file."""
    store = tree.get("store")
    told = store if isinstance(store, dict) else {}
    return Store(**{key: str(told[key]) for key in ("url", "keys_file") if key in told}).vault


def _opened(value: object, where: str, vault: Vault) -> object:
    """A secret, or tables and lists with secrets, with the sealed ones open."""
    match value:
        case dict():
            return {key: _opened(one, f"{where}.{key}", vault) for key, one in value.items()}
        case list():
            return [_opened(one, where, vault) for one in value]
        case str() if is_sealed(value):
            try:
                return vault.open(value, SETTING)
            except SealError as error:
                raise ConfigError(f"{where}: is sealed and cannot be opened: {error}") from None
    return value


# ---- checking


def _section(kind: type[S], where: str, table: object, vault: Vault) -> S:
    """One table to its class: every key known, none missing that has no default, every value allowed."""
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: must be a table")
    known = {f.name: f for f in fields(kind)}
    _known(table, known, where + ".")
    for name, field in known.items():
        if field.required and name not in table:
            raise ConfigError(f"{where}.{name}: is missing; it must be {allowed(field)}")
    values = {name: _value(known[name], f"{where}.{name}", value, vault) for name, value in table.items()}
    try:
        return kind(**values)
    except ConfigError as error:  # what its settings demand of each other
        raise ConfigError(f"{where}.{error}") from None


def _connector(name: str, table: object, vault: Vault) -> Connector:
    where = f"connectors.{name}"
    if not re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", name):
        raise ConfigError(f"{where}: a name is lower-case letters and digits, with single - or _ between")
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: must be a table")
    rest = dict(table)
    kind = rest.pop("kind", None)
    if kind not in KINDS:
        raise ConfigError(f"{where}.kind = {kind!r}: must be one of {', '.join(KINDS)}")
    return _section(KINDS[kind], where, rest, vault)


def _route(where: str, table: object, vault: Vault) -> Route:
    """A name among its connectors stands for a table of a name."""
    if isinstance(table, dict) and isinstance(table.get("connectors"), list):
        listed = ({"connector": one} if isinstance(one, str) else one for one in table["connectors"])
        ways = [_section(Way, f"{where}.connectors[{i}]", one, vault) for i, one in enumerate(listed)]
        table = {**table, "connectors": ways}
    return _section(Route, where, table, vault)


def _value(field: FieldInfo, where: str, value: object, vault: Vault) -> Any:
    from_environment = isinstance(value, _EnvText)
    plain = str(value) if from_environment else value
    if secret(field):
        plain = _opened(plain, where, vault)
    elif is_sealed(plain):
        raise ConfigError(f"{where}: is sealed, and is no secret; write it as it is")
    try:
        return msgspec.convert(plain, field.type, strict=not from_environment)
    except msgspec.ValidationError:
        shown = "" if secret(field) else f" = {plain!r}"
        raise ConfigError(f"{where}{shown}: must be {allowed(field)}") from None


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
    _networks_agree("http.trusted_proxies", config.http.trusted_proxies)
    for name, connector in config.connectors.items():
        _lease_agrees(f"connectors.{name}", connector, config.worker.lease_s)
        if isinstance(connector, HttpConnector):
            _networks_agree(f"connectors.{name}.callback_from", connector.callback_from)
    _routes_agree(config.routes, config.connectors)
    _mail_agrees(config)


def _mail_agrees(config: Config) -> None:
    """Who may register is sent a link, and a link begins with the address of the pages."""
    mail, cabinet = config.mail, config.cabinet
    if not re.fullmatch(r"(https?://[^/?#\s]+/?)?", cabinet.url):
        raise ConfigError(f"cabinet.url = {cabinet.url!r}: must be https://HOST, without a path")
    needed = {"mail.host": mail.host, "mail.sender": mail.sender, "cabinet.url": cabinet.url}
    for name, value in needed.items():
        if cabinet.registration != "off" and not value:
            raise ConfigError(f"{name}: is missing; cabinet.registration = {cabinet.registration!r} needs it")
    if mail.host and not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", mail.sender):
        raise ConfigError(f"mail.sender = {mail.sender!r}: must be an address, NAME@DOMAIN")
    if bool(mail.login) != bool(mail.password):
        raise ConfigError("mail.login, mail.password: must be given together")


def _lease_agrees(where: str, connector: Connector, lease_s: int) -> None:
    """A worker that still waits for an answer must not lose its claim."""
    key = "timeout_s" if isinstance(connector, HttpConnector) else "response_timeout_s"
    timeout_s: int = getattr(connector, key)
    if timeout_s + LEASE_MARGIN_S > lease_s:
        raise ConfigError(
            f"{where}.{key} = {timeout_s}: must be at least {LEASE_MARGIN_S} less than worker.lease_s,"
            f" which is {lease_s}"
        )


def _networks_agree(where: str, networks: Collection[str]) -> None:
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise ConfigError(f"{where}: {network!r} is no address or network") from None


def _store_agrees(config: Config) -> None:
    if not re.match(r"sqlite:.|postgres(ql)?://.", config.store.url):
        raise ConfigError("store.url: must be sqlite:PATH or postgresql://USER:PASSWORD@HOST/DATABASE")
    if config.store.secret and config.store.secret_file:
        raise ConfigError("store.secret, store.secret_file: must not be given both")
    if config.store.postgres and not (config.store.secret or config.store.secret_file):
        raise ConfigError("store.secret_file: is missing; PostgreSQL needs it, or HOPWIRE__STORE__SECRET")
    if config.store.postgres:
        _check_postgres_url(config.store.url)
    if config.worker.processes > 1 and not config.store.postgres:
        told = f"worker.processes = {config.worker.processes}: must be 1 with SQLite"
        raise ConfigError(f"{told}; more than one needs PostgreSQL")
    if config.http.web_processes == 0 and config.store.postgres:
        raise ConfigError("http.web_processes = 0: must be at least 1 with PostgreSQL")


def _check_postgres_url(url: str) -> None:
    from psycopg import ProgrammingError  # here, where it is needed: its import takes a tenth of a second
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except ProgrammingError:  # its text may hold the password
        raise ConfigError("store.url: is not a PostgreSQL URL; is its password percent-encoded?") from None


def _routes_agree(routes: Sequence[Route], connectors: Mapping[str, Connector]) -> None:
    seen = set()
    for i, route in enumerate(routes):
        if bool(route.connector) == bool(route.connectors):
            raise ConfigError(f"routes[{i}].connector, routes[{i}].connectors: one of them must be given")
        _country_agrees(f"routes[{i}]", route.prefix)
        for where, way in _ways(f"routes[{i}]", route):
            _way_agrees(where, way, route.channel, connectors)
        _ways_agree(f"routes[{i}]", route)
        if (route.prefix, route.channel) in seen:
            raise ConfigError(f"routes[{i}]: there is already a route for this prefix and channel")
        seen.add((route.prefix, route.channel))


def _country_agrees(where: str, prefix: str) -> None:
    if prefix.isalpha():
        from phonenumbers import SUPPORTED_REGIONS  # its import takes a tenth of a second

        if prefix not in SUPPORTED_REGIONS:
            raise ConfigError(f"{where}.prefix = {prefix!r}: is no country of ISO 3166")


def _ways(where: str, route: Route) -> list[tuple[str, Way]]:
    if route.connector:
        return [(where, Way(connector=route.connector))]
    return [(f"{where}.connectors[{i}]", way) for i, way in enumerate(route.connectors)]


def _way_agrees(where: str, way: Way, channel: str, connectors: Mapping[str, Connector]) -> None:
    if way.connector not in connectors:
        raise ConfigError(
            f"{where}.connector = {way.connector!r}: must be one of the connectors,"
            f" {', '.join(connectors) or 'of which there are none'}"
        )
    if channel not in connectors[way.connector].carries:
        kinds = ", ".join(sorted(tag for tag, kind in KINDS.items() if channel in kind.carries))
        raise ConfigError(
            f"{where}.connector = {way.connector!r}: must be a connector that carries {channel},"
            f" of kind {kinds}"
        )
    try:
        if way.hours:
            hours.parse(way.hours)
    except ValueError as error:
        raise ConfigError(f"{where}.hours = {way.hours!r}: {error}") from None


def _ways_agree(where: str, route: Route) -> None:
    """A weight is a share among connectors of the same priority."""
    ways = route.ways
    for i, way in enumerate(ways):
        if any(way.connector == other.connector for other in ways[:i]):
            raise ConfigError(
                f"{where}.connectors[{i}].connector = {way.connector!r}: is in the list already"
            )
        if way.weight != 1 and sum(way.priority == other.priority for other in ways) == 1:
            raise ConfigError(
                f"{where}.connectors[{i}].weight = {way.weight}: is a share among connectors of the same"
                f" priority, and no other one has priority {way.priority}"
            )
