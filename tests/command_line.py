"""The command line in the test's process, on one store: what it prints, and how it ends."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import planted
from typer.testing import CliRunner, Result

from hopwire.cli import app
from hopwire.cli.console import CommandError, Ending
from hopwire.store import Store
from hopwire.store.migrate import open_store

T = TypeVar("T")


class CommandLine:
    """Runs commands on one store; standard input is what the test says."""

    def __init__(self, url: str, folder: Path, settings: str = "") -> None:
        self.url = url
        config = folder / "hopwire.toml"
        config.write_text(settings)
        self.env = {
            "HOPWIRE__STORE__URL": url,
            "HOPWIRE__STORE__SECRET_FILE": str(folder / "secret"),
            "HOPWIRE_CONFIG": str(config),
        }

    def run(self, *arguments: str, stdin: str = "") -> Result:
        ended = CliRunner().invoke(app, arguments, input=stdin, env=self.env)
        planted.look("standard error", ended.stderr)
        if arguments[:1] != ("key",):  # which shows a new one, once
            planted.look_for_secrets("standard output", ended.stdout)
        return ended

    def does(self, *arguments: str, stdin: str = "") -> list[dict[str, Any]]:
        """Run a command that must succeed; the JSON lines it prints."""
        ended = self.run(*arguments, "--json", stdin=stdin)
        assert ended.exception is None, (ended.exception, ended.stderr)
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def fails(self, *arguments: str, stdin: str = "") -> tuple[Ending, str]:
        """Run a command that must not succeed; how it ends, and what it says."""
        ended = self.run(*arguments, stdin=stdin)
        assert isinstance(ended.exception, CommandError), (ended.exception, ended.output)
        return ended.exception.ending, str(ended.exception)

    def store(self, work: Callable[[Store], Awaitable[T]]) -> T:
        """Do something with the store that no command does."""

        async def opened() -> T:
            store = await open_store(self.url)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())
