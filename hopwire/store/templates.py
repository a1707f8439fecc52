"""The templates that the operator has registered.

Every change raises the directory's version, by which processes know that what they remember is old, and is
written into the audit.
"""

from collections.abc import Sequence
from typing import Any

from hopwire.store.audit import Audited
from hopwire.store.engine import Row, Tx
from hopwire.templates import Registered


class TemplateBook(Audited):
    async def put(self, templates: Sequence[Registered]) -> None:
        """Register these, each instead of the one with its id, sender and language."""
        rows = [(t.id, t.sender, t.language, t.kind, int(t.active), t.text) for t in templates]

        def work(tx: Tx) -> None:
            tx.many("put_template", rows)
            told = {f"{t.id} {t.sender} {t.language}": t.kind for t in templates}
            self._note(tx, "register templates", "templates", {}, told)

        await self.engine.write(work)

    async def all(self) -> list[Registered]:
        """Those that are paused, too; by sender, id and language."""
        return [_registered(row) for row in await self.engine.read(lambda tx: tx.all("templates"))]

    async def remove(self, id: str, sender: str = "", language: str = "") -> int:
        """Forget those with this id, of one sender and in one language, or of all and in all; how many."""
        return await self._do("remove template", "remove_template", id=id, sender=sender, language=language)

    async def pause(self, id: str, sender: str = "", language: str = "") -> int:
        """Let no more texts match these, chosen as in `remove`; how many."""
        which = {"id": id, "sender": sender, "language": language}
        return await self._do("pause template", "set_template_active", active=0, **which)

    async def resume(self, id: str, sender: str = "", language: str = "") -> int:
        """Let texts match these again; how many."""
        which = {"id": id, "sender": sender, "language": language}
        return await self._do("resume template", "set_template_active", active=1, **which)

    async def _do(self, action: str, query: str, **which: Any) -> int:
        def work(tx: Tx) -> int:
            changed = tx.run(query, **which)
            if changed:
                named = " ".join(filter(None, (which["id"], which["sender"], which["language"])))
                self._note(tx, action, f"template {named}")
            return changed

        return await self.engine.write(work)


def _registered(row: Row) -> Registered:
    id, sender, language, kind, active, text = row
    return Registered(id=id, sender=sender, language=language, kind=kind, active=bool(active), text=text)
