"""Says what settings there are: for the manual, and as a file to begin with."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import NODEFAULT, to_builtins
from msgspec.structs import FieldInfo, fields

from hopwire.config.connectors import KINDS
from hopwire.config.fields import Section, allowed, meta, secret
from hopwire.config.sections import SECTIONS, Config, Demo, Route


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
            default = "" if field.required else toml(default_of(field))
            yield Setting(section, field.name, allowed(field), default, meta(field, "description", ""))


def required_secrets(kind: type[Section]) -> list[str]:
    """The secrets that settings of this kind cannot do without."""
    return [field.name for field in fields(kind) if field.required and secret(field)]


def example() -> str:
    """A commented file of every setting at its default: `#key = value` lines are there to be uncommented."""
    head = "# Settings of Hopwire. What is commented out is the default, or a sample where there is none.\n"
    return head + "".join(_example(section, kind) for section, kind in _all_sections() if kind is not Demo)


def _all_sections() -> Iterator[tuple[str, type[Section]]]:
    yield from SECTIONS.items()
    for name, kind in KINDS.items():
        yield f"connectors.NAME ({name})", kind
    yield "routes", Route


def _sample_head(section: str, kind: type[Section]) -> str:
    if kind is Route:
        return "#[[routes]]"
    if kind in KINDS.values():
        tag = kind.__struct_config__.tag
        return f'#[connectors.{"operator" if tag == "smpp" else tag}]\n#kind = "{tag}"'
    return f"[{section}]"


def _example(section: str, kind: type[Section]) -> str:
    lines = [_sample_head(section, kind)]
    for field in fields(kind):
        samples = meta(field, "examples", None)
        sample = samples[0] if samples else default_of(field)
        lines += [f"# {meta(field, 'description', '')}", f"#{field.name} = {toml(sample)}"]
    return "\n" + "\n".join(lines) + "\n"


def default_of(field: FieldInfo) -> Any:
    """The value of a setting that is not given."""
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def toml(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, dict) and value:
        return "{ " + ", ".join(f"{_key(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def settings_of(config: Config) -> Iterator[tuple[str, str]]:
    """The settings that differ from the defaults, by their names, as TOML; secrets are hidden."""
    for name in (one for one, kind in SECTIONS.items() if kind is not Demo):
        yield from _differing(name, getattr(config, name))
    for name, connector in config.connectors.items():
        yield f"connectors.{name}.kind", toml(connector.kind)
        yield from _differing(f"connectors.{name}", connector)
    for place, route in enumerate(config.routes, 1):
        yield from _differing(f"routes {place}", route)


def _differing(name: str, section: Section) -> Iterator[tuple[str, str]]:
    for field in fields(section):
        value = getattr(section, field.name)
        if field.required or value != default_of(field):
            yield f"{name}.{field.name}", "***" if secret(field) else toml(to_builtins(value))
