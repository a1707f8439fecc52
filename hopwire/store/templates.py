"""The templates that the operator has registered.

Every change raises the directory's version, by which processes know that what they remember is old.
"""

from collections.abc import Callable, Sequence

from hopwire.store.engine import Engine, Row, Tx
from hopwire.templates import Registered


class TemplateBook:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def put(self, templates: Sequence[Registered]) -> None:
        """Register these, each instead of the one with its id, sender and language."""
        rows = [(t.id, t.sender, t.language, t.kind, int(t.active), t.text) for t in templates]

        def work(tx: Tx) -> None:
            tx.many("put_template", rows)
            tx.run("raise_directory_version")

        await self._engine.write(work)

    async def all(self) -> list[Registered]:
        """Those that are paused, too; by sender, id and language."""
        return [_registered(row) for row in await self._engine.read(lambda tx: tx.all("templates"))]

    async def remove(self, id: str, sender: str = "", language: str = "") -> int:
        """Forget those with this id, of one sender and in one language, or of all and in all; how many."""
        return await self._change(
            lambda tx: tx.run("remove_template", id=id, sender=sender, language=language)
        )

    async def pause(self, id: str, sender: str = "", language: str = "") -> int:
        """Let no more texts match these, chosen as in `remove`; how many."""
        return await self._set_active(0, id, sender, language)

    async def resume(self, id: str, sender: str = "", language: str = "") -> int:
        """Let texts match these again; how many."""
        return await self._set_active(1, id, sender, language)

    async def _set_active(self, active: int, id: str, sender: str, language: str) -> int:
        return await self._change(
            lambda tx: tx.run("set_template_active", active=active, id=id, sender=sender, language=language)
        )

    async def _change(self, change: Callable[[Tx], int]) -> int:
        def work(tx: Tx) -> int:
            tx.run("raise_directory_version")
            return change(tx)

        return await self._engine.write(work)


def _registered(row: Row) -> Registered:
    id, sender, language, kind, active, text = row
    return Registered(id=id, sender=sender, language=language, kind=kind, active=bool(active), text=text)
