"""The manual names everything there is, and its printed parts are as the code is now."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from hopwire.cli import app
from hopwire.cli.console import MEANING, Ending
from hopwire.config import Setting, describe
from hopwire.errors import CATALOGUE, ApiError
from hopwire.model import Status

ROOT = Path(__file__).parent.parent


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def commands(command: Any, path: str) -> Iterator[str]:
    """The full name of every command."""
    children = getattr(command, "commands", {})
    if not children:
        yield path
    for name, child in children.items():
        yield from commands(child, f"{path} {name}")


def test_the_printed_parts_are_not_stale() -> None:
    run = [sys.executable, str(ROOT / "scripts" / "docs"), "--check"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("setting", list(describe()), ids=lambda s: f"{s.section}.{s.key}")
def test_every_setting_is_in_the_manual(setting: Setting) -> None:
    section = setting.section.split(maxsplit=1)[0]
    text = page("configuration")
    after = text[text.index(f"### `[{section}" if section != "routes" else "### `[[routes]]") :]
    assert f"| `{setting.key}` |" in after
    assert setting.description in after


@pytest.mark.parametrize("error", list(CATALOGUE.values()), ids=list(CATALOGUE))
def test_every_error_is_in_the_manual(error: type[ApiError]) -> None:
    assert f"| {error.text} |" in page("errors")


@pytest.mark.parametrize("status", Status, ids=lambda s: s.name)
def test_every_status_is_in_the_manual(status: Status) -> None:
    assert f"| {status.value} | {status.text} |" in page("statuses")


@pytest.mark.parametrize("command", list(commands(typer.main.get_command(app), "hopwire")))
def test_every_command_is_in_the_manual(command: str) -> None:
    assert f"\n### {command}\n" in page("commands")


@pytest.mark.parametrize("ending", Ending, ids=lambda e: e.name)
def test_every_exit_code_is_in_the_manual(ending: Ending) -> None:
    assert f"| {ending.value} | {MEANING[ending]} |" in page("commands")


@pytest.mark.parametrize(
    "parameter", sorted({error.parameter for error in CATALOGUE.values() if error.parameter} - {"id"})
)
def test_every_parameter_that_can_be_wrong_is_explained(parameter: str) -> None:
    assert f"`{parameter}`" in page("send")
