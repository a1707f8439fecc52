"""Sender names: under which names accounts may send, where, and who has asked for one."""

from collections.abc import Iterable
from typing import NamedTuple

from hopwire.store.audit import Audited
from hopwire.store.engine import Tx
from hopwire.store.rows import plain

REQUESTED, APPROVED, REFUSED = STATES = ("requested", "approved", "refused")


class SenderName(NamedTuple):
    account_id: int
    name: str
    channel: str = ""  # "sms", "viber"; "": both
    connector: str = ""  # "": every one
    state: str = APPROVED
    note: str = ""
    changed_at: int = 0


class Senders(Audited):
    async def all(self) -> list[SenderName]:
        """Every name of every account, in whatever state."""
        return [SenderName._make(row) for row in await self.engine.read(lambda tx: tx.all("sender_names"))]

    async def of(self, account_id: int) -> list[SenderName]:
        """An account's, in whatever state."""
        rows = await self.engine.read(lambda tx: tx.all("sender_names_of", account_id=account_id))
        return [SenderName._make(row) for row in rows]

    async def usable(self, account_id: int) -> dict[str, list[str]]:
        """Channel -> the names that are approved for it, in their order."""
        approved = [one for one in await self.of(account_id) if one.state == APPROVED]
        return {
            channel: sorted({one.name for one in approved if one.channel in ("", channel)})
            for channel in ("sms", "viber")
        }

    async def requested(self, n: int) -> list[SenderName]:
        """Those that wait for an answer, of all accounts; the one that has waited longest first."""
        rows = await self.engine.read(lambda tx: tx.all("sender_names_in", state=REQUESTED, n=n))
        return [SenderName._make(row) for row in rows]

    async def put(self, names: Iterable[SenderName]) -> None:
        """Enter these, each instead of the one of the same account, name, channel and connector."""
        entered = list(names)

        def work(tx: Tx) -> None:
            before = {row[:4]: row[4] for row in tx.all("sender_names")}
            tx.many("put_sender", entered)
            for one in entered:
                was = {"state": before[one[:4]]} if one[:4] in before else {}
                self._note(tx, "sender", _object(one), was, {"state": one.state, "note": one.note})

        await self.engine.write(work)

    async def ask(self, one: SenderName) -> bool:
        """Enter a name as requested; False where it is there already and was not refused."""
        row = {**one._asdict(), "name": plain(one.name), "state": REQUESTED, "note": plain(one.note)}

        def work(tx: Tx) -> bool:
            done = tx.run("ask_for_sender", **row) == 1
            if done:
                self._note(tx, "sender", _object(one), {}, {"state": REQUESTED, "note": one.note})
            return done

        return await self.engine.write(work)

    async def withdraw(self, one: SenderName) -> bool:
        """Take a name back, for every connector, that is not approved; False where there is none."""

        def work(tx: Tx) -> bool:
            which = {"account_id": one.account_id, "name": plain(one.name), "channel": plain(one.channel)}
            found = tx.all("withdraw_sender", **which)
            for (state,) in found:
                self._note(tx, "sender", _object(one), {"state": state})
            return bool(found)

        return await self.engine.write(work)

    async def remove(self, one: SenderName) -> bool:
        """False where there is no such name."""

        def work(tx: Tx) -> bool:
            which = dict(zip(("account_id", "name", "channel", "connector"), one[:4], strict=True))
            found = tx.all("remove_sender", **which)
            for (state,) in found:
                self._note(tx, "sender", _object(one), {"state": state})
            return bool(found)

        return await self.engine.write(work)


class Allowed:
    """Which names are approved, ready to be asked at acceptance."""

    def __init__(self, names: Iterable[SenderName] = ()) -> None:
        self._where: dict[tuple[int, str, str], set[str]] = {}
        for one in names:
            if one.state == APPROVED:
                for channel in (one.channel,) if one.channel else ("sms", "viber"):
                    self._where.setdefault((one.account_id, one.name, channel), set()).add(one.connector)

    def connectors(self, account_id: int, name: str, channel: str) -> frozenset[str] | None:
        """Over which connectors the account may use the name; None: over every one; empty: it may not."""
        where = self._where.get((account_id, name, channel), set())
        return None if "" in where else frozenset(where)


def _object(one: SenderName) -> str:
    return " ".join(filter(None, (f"account {one.account_id} sender {one.name}", one.channel, one.connector)))
