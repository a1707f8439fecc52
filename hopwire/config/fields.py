"""What a setting is made of: its type, its limits and what it says of itself."""

import json
from typing import Annotated, Any, TypeVar, get_args

import msgspec
from msgspec import Meta, inspect
from msgspec.structs import FieldInfo, fields

S = TypeVar("S", bound="Section")


class ConfigError(Exception):
    """The settings cannot be used; the text says which one, and what is allowed."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that belong together. Printing one hides its secrets."""

    def __repr__(self) -> str:
        shown = (f"{f.name}={'***' if secret(f) else repr(getattr(self, f.name))}" for f in fields(self))
        return f"{type(self).__name__}({', '.join(shown)})"


class Upstream(Section, frozen=True, kw_only=True):
    """Settings of a connector."""

    @property
    def kind(self) -> str:
        """By which name the settings know it."""
        return str(self.__struct_config__.tag)


Text = Annotated[str, Meta(min_length=1)]
Secret = Annotated[str, Meta(extra={"secret": True})]
Seconds = Annotated[int, Meta(ge=1, le=604_800)]
Grace = Annotated[int, Meta(ge=0, le=3600)]
Processes = Annotated[int, Meta(ge=1, le=64)]
Window = Annotated[int, Meta(ge=1, le=1000)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Octet = Annotated[int, Meta(ge=0, le=255)]


def about(description: str, sample: object = None, allowed: str | None = None) -> Meta:
    """What a setting is for.

    One without a default has a sample for the example file; `allowed` says it where the type does not.
    """
    return Meta(
        description=description,
        examples=None if sample is None else [sample],
        extra=None if allowed is None else {"allowed": allowed},
    )


def meta(field: FieldInfo, name: str, default: Any) -> Any:
    """What the annotations of a field say under one name; the last one that says it wins."""
    return next((value for value in _said(field, name)), default)


def secret(field: FieldInfo) -> bool:
    return any(extra.get("secret") for extra in _said(field, "extra"))


def secret_names(kind: type[Section]) -> list[str]:
    """The settings that are secrets, or tables with secrets."""
    return [field.name for field in fields(kind) if secret(field)]


def allowed(field: FieldInfo) -> str:
    """What a setting may be, in words."""
    words = next((extra["allowed"] for extra in _said(field, "extra") if "allowed" in extra), None)
    return words or _allowed(inspect.type_info(field.type))


def _said(field: FieldInfo, name: str) -> list[Any]:
    metas = (meta for meta in reversed(get_args(field.type)) if isinstance(meta, Meta))
    return [value for value in (getattr(meta, name) for meta in metas) if value is not None]


def _allowed(kind: inspect.Type) -> str:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    match kind:
        case inspect.IntType():
            return f"a whole number from {kind.ge} to {kind.le}"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return "one of " + ", ".join(json.dumps(v) for v in kind.values)  # in the order of the alphabet
        case inspect.StrType(max_length=int()):
            return f"text of at most {kind.max_length} characters"
        case inspect.StrType(min_length=1):
            return "text, not empty"
        case _:
            return "text"
