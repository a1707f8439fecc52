"""Says what settings there are: for the manual, and as a file to begin with."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields

from hopwire.config.connectors import KINDS, SmppConnector, ViberConnector
from hopwire.config.fields import Section, allowed, meta
from hopwire.config.sections import SECTIONS, Demo, Route


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
            default = "" if field.required else toml(_default(field))
            yield Setting(section, field.name, allowed(field), default, meta(field, "description", ""))


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
        sample = meta(field, "examples", [None])[0] if field.required else _default(field)
        lines += [f"# {meta(field, 'description', '')}", f"#{field.name} = {toml(sample)}"]
    return "\n" + "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def toml(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, dict) and value:
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
