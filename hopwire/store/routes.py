"""Routes that the operator has entered; for the same channel and prefix they stand before the settings'."""

from collections.abc import Mapping, Sequence

import msgspec

from hopwire.model import Route
from hopwire.store.audit import Audited, Facts
from hopwire.store.engine import Tx

Key = tuple[str, str]  # channel, prefix

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Route).decode


class Routes(Audited):
    async def all(self) -> list[Route]:
        """By channel and prefix."""
        return list((await self.engine.read(_kept)).values())

    async def put(self, routes: Sequence[Route]) -> None:
        """Enter these, each instead of the one of the same channel and prefix."""
        await self.change(routes, ())

    async def remove(self, channel: str, prefix: str) -> bool:
        """False where there is no such route."""
        return await self.change((), [(channel, prefix)])

    async def change(self, put: Sequence[Route], remove: Sequence[Key]) -> bool:
        """Enter some and remove others, at once; whether anything is another than before."""
        return await self.engine.write(lambda tx: self._change(tx, _kept(tx), put, remove))

    async def change_if(
        self, put: Sequence[Route], remove: Sequence[Key], shown: Mapping[Key, Route | None]
    ) -> bool:
        """The same, if these are still what they were when they were shown; False: nothing was done."""

        def work(tx: Tx) -> bool:
            tx.all("hold_audit")  # until the commit nobody else changes one
            before = _kept(tx)
            if any(before.get(key) != route for key, route in shown.items()):
                return False
            self._change(tx, before, put, remove)
            return True

        return await self.engine.write(work)

    def _change(self, tx: Tx, before: dict[Key, Route], put: Sequence[Route], remove: Sequence[Key]) -> bool:
        after = {key: route for key, route in before.items() if key not in remove}
        after |= {(one.channel, one.prefix): one for one in put}
        changed = sorted(key for key in before | after if before.get(key) != after.get(key))
        tx.many("put_route", [(*key, _encode(after[key]).decode()) for key in changed if key in after])
        tx.many("remove_route", [key for key in changed if key not in after])
        for key in changed:
            self._note(tx, "change route", _object(key), _told(before.get(key)), _told(after.get(key)))
        return bool(changed)


def _kept(tx: Tx) -> dict[Key, Route]:
    return {(channel, prefix): _decode(route) for channel, prefix, route in tx.all("routes")}


def _object(key: Key) -> str:
    return f"route {key[0]} {key[1] or '*'}"


def _told(route: Route | None) -> Facts:
    """A route as the audit has it."""
    if route is None:
        return {}
    ways = [
        " ".join(filter(None, (f"{one.connector}:{one.priority}:{one.weight}", one.hours)))
        for one in route.ways
    ]
    return {"connectors": ways, "least_cost": route.least_cost}
