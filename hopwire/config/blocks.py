"""A connector as a block of the settings file, out of what somebody has typed field by field.

Rule: what comes out was checked by the code that reads the file.
"""

import secrets
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import inspect
from msgspec.structs import fields

from hopwire.config.connectors import Connector
from hopwire.config.explain import default_of, required_secrets, toml
from hopwire.config.fields import ConfigError, allowed, meta, secret, secret_names
from hopwire.config.reading import parse
from hopwire.config.sections import Config
from hopwire.vault import SETTING, Vault, is_sealed

CALLBACK = "callback_secret"  # ours: whoever knows it may tell us of messages


class Field(NamedTuple):
    """A setting, as a form asks for it."""

    key: str
    shape: str  # "text", "number", "flag", "choice"; "toml": lists and tables
    choices: tuple[str, ...]
    required: bool
    secret: bool
    allowed: str  # in words
    default: str  # as it is typed
    description: str


def form(kind: type[Connector]) -> Iterator[Field]:
    """What a connector of a kind is asked for, in the order of the manual."""
    for field in fields(kind):
        shape, choices = _shape(inspect.type_info(field.type))
        default = None if field.required else default_of(field)
        written = "" if default in (None, "") else default if isinstance(default, str) else toml(default)
        required = field.required and field.name != CALLBACK
        about = meta(field, "description", "")
        yield Field(field.name, shape, choices, required, secret(field), allowed(field), str(written), about)


def _shape(kind: inspect.Type) -> tuple[str, tuple[str, ...]]:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    match kind:
        case inspect.StrType():
            return "text", ()
        case inspect.IntType():
            return "number", ()
        case inspect.BoolType():
            return "flag", ("false", "true")
        case inspect.LiteralType():
            return "choice", tuple(map(str, kind.values))
        case _:
            return "toml", ()


def read(kind: type[Connector], typed: Mapping[str, str]) -> dict[str, Any]:
    """The values of what was filled in and is not the default; an empty secret of ours is made."""
    found = {
        one.key: _value(one, typed[one.key].strip())
        for one in form(kind)
        if typed.get(one.key, "").strip() not in ("", one.default)
    }
    if CALLBACK in required_secrets(kind):
        found.setdefault(CALLBACK, secrets.token_urlsafe(24))
    return found


def _value(field: Field, typed: str) -> Any:
    """What is no such value stays text, and the check says what it must be."""
    if field.shape == "flag":
        return typed == "true"
    if field.shape in ("text", "choice"):
        return typed
    try:
        return tomllib.loads(f"value = {typed}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return typed


def check(name: str, kind: str, values: Mapping[str, Any], config: Config) -> None:
    """Raises ConfigError where these settings do not take the connector."""
    if name in config.connectors:
        raise ConfigError(f"connectors.{name}: there is a connector of this name")
    table = {"kind": kind, **values}
    parse({"connectors": {name: table}, "worker": {"lease_s": config.worker.lease_s}})
    if tomllib.loads(block(name, kind, values)) != {"connectors": {name: table}}:
        raise ConfigError(f"connectors.{name}: has characters that a settings file cannot have")


def block(name: str, kind: str, values: Mapping[str, Any]) -> str:
    """The part of the file."""
    return table(f"connectors.{name}", {"kind": kind, **values})


def table(head: str, values: Mapping[str, Any]) -> str:
    return "\n".join([f"[{head}]", *(f"{key} = {toml(value)}" for key, value in values.items())]) + "\n"


def sealed(kind: type[Connector], values: Mapping[str, Any], vault: Vault) -> dict[str, Any]:
    """The settings with their secrets sealed, where the installation has keys; raises SealError."""
    if not vault.names():
        return dict(values)
    plain = [
        name
        for name in secret_names(kind)
        if isinstance(values.get(name), str) and values[name] and not is_sealed(values[name])
    ]
    return {**values, **{name: vault.seal(values[name], SETTING) for name in plain}}
