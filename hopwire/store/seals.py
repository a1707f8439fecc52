"""What the database has that is sealed: the seeds of second factors."""

from collections.abc import Callable

from hopwire.model import Actor
from hopwire.store.audit import US, note
from hopwire.store.engine import Engine, Tx

Reseal = Callable[[int, str], str]  # account, sealed text -> the same sealed anew


class Seals:
    def __init__(self, engine: Engine, by: Actor = US) -> None:
        self._engine = engine
        self._by = by

    async def all(self) -> dict[int, str]:
        """Account -> what is sealed of it."""
        return dict(await self._engine.read(lambda tx: tx.all("sealed_totps")))

    async def reseal(self, anew: Reseal, key: str) -> int:
        """Seal everything anew, with the key of this name; how much was. All or nothing."""

        def work(tx: Tx) -> int:
            sealed = tx.all("sealed_totps")
            tx.many("reseal_totp", [(anew(i, old), i, old) for i, old in sealed])
            note(tx, self._by, "secret.rotate", "keys", after={"key": key, "accounts": len(sealed)})
            return len(sealed)

        return await self._engine.write(work)
