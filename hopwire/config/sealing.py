"""Seals the secrets of a settings file in their places: comments, order and all else stay as they are.

Rule 1: a place is found by trying: the file that comes out must read as the one that went in, but for one
value.
Rule 2: what is no secret by itself stays: an empty value, one in a table with places to be filled in, and an
address of the database without a password.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from hopwire.config.connectors import KINDS
from hopwire.config.fields import Section, secret_names
from hopwire.config.sections import SECTIONS
from hopwire.vault import SETTING, Vault, is_sealed, key_name

Path = tuple[str | int, ...]  # ("connectors", "operator", "password")
Change = Callable[[str], str]

_TOKEN = re.compile(  # comments, and the four kinds of strings
    r'#[^\n]*|"""(?:\\.|[^\\])*?"""(?!")|\'\'\'.*?\'\'\'(?!\')|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL
)


class NoPlaceError(Exception):
    """A value was not found in the file; the text names its setting."""


def plain_secrets(tree: Mapping[str, Any]) -> list[Path]:
    """Where secrets stand that could be sealed and are not."""
    return [path for path, value in _secrets(tree) if not is_sealed(value) and _worth_sealing(path, value)]


def sealed_secrets(tree: Mapping[str, Any]) -> dict[Path, str]:
    """Where secrets stand that are sealed, and the names of their keys."""
    return {path: key_name(value) for path, value in _secrets(tree) if is_sealed(value)}


def seal(text: str, path: Path, vault: Vault) -> str:
    """The file with this secret sealed; raises NoPlaceError."""
    return _changed(text, path, lambda value: vault.seal(value, SETTING))


def reseal(text: str, path: Path, vault: Vault) -> str:
    """The file with this secret sealed with the newest key; raises NoPlaceError."""
    return _changed(text, path, lambda value: vault.seal(vault.open(value, SETTING), SETTING))


def name(path: Path) -> str:
    return ".".join(map(str, path))


# ---- which values


def _secrets(tree: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for section, kind in SECTIONS.items():
        yield from _of_table((section,), kind, tree.get(section))
    for connector, table in tree.get("connectors", {}).items():
        if isinstance(table, dict) and table.get("kind") in KINDS:
            yield from _of_table(("connectors", connector), KINDS[table["kind"]], table)


def _of_table(path: Path, kind: type[Section], table: object) -> Iterator[tuple[Path, str]]:
    if isinstance(table, dict):
        for key in secret_names(kind):
            if key in table:
                yield from _leaves((*path, key), table[key])


def _leaves(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves((*path, key), one)


def _worth_sealing(path: Path, value: str) -> bool:
    if path == ("store", "url"):
        return "@" in value and urlsplit(value).password is not None
    return bool(value) and not (len(path) > 3 and "{" in value)


# ---- where they stand


def _changed(text: str, path: Path, change: Change) -> str:
    """The file with another value at the path."""
    tree = tomllib.loads(text)
    old = _at(tree, path)
    new = change(old)
    _put(tree, path, new)
    for token in _TOKEN.finditer(text):
        if not token[0].startswith("#") and tomllib.loads(f"x = {token[0]}")["x"] == old:
            changed = f'{text[: token.start()]}"{new}"{text[token.end() :]}'
            if _reads_as(changed, tree):
                return changed
    raise NoPlaceError(name(path))


def _reads_as(text: str, tree: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == tree
    except tomllib.TOMLDecodeError:  # it was a key, or the same text within another one
        return False


def _at(tree: Any, path: Path) -> str:
    for key in path:
        tree = tree[key]
    assert isinstance(tree, str)
    return tree


def _put(tree: Any, path: Path, value: str) -> None:
    for key in path[:-1]:
        tree = tree[key]
    tree[path[-1]] = value
