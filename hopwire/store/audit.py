"""The audit: who has changed what, from where, what it was before and what it is after.

Rule 1: it is written in the transaction of the change; what is not written did not happen.
Rule 2: nothing secret is in it, and no phone number whole.
Rule 3: a row's digest is made of the one before it, so that a row that is altered or missing is found out.
Whoever keeps the newest digest elsewhere finds out, too, when the end was cut off.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec

from hopwire.model import Actor
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.rows import escaped, like, plain

US = Actor("hopwire")  # the gateway itself
Facts = Mapping[str, Any]
NO: Facts = {}
_encode = msgspec.json.Encoder(order="sorted").encode


class Entry(NamedTuple):
    """One change. The texts are JSON."""

    id: int
    at: int
    actor: str
    origin: str
    action: str
    object: str
    before: str
    after: str
    digest: str


class Audit:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def entries(self, n: int, object: str = "", before: int = 2**62, actor: str = "") -> list[Entry]:
        """The newest entries with a smaller id, newest first.

        Of one object and what is its own ("account 1", "account 1 sender Shop"), or of all; by actors with
        this in their names, or by all.
        """
        which = {"object": plain(object), "below": f"{escaped(object)} %", "actor": like(actor)}
        rows = await self.engine.read(lambda tx: tx.all("audit_entries", n=n, before=before, **which))
        return [Entry._make(row) for row in rows]

    async def write(self, by: Actor, action: str, object: str, after: Facts = NO) -> None:
        """Write down what somebody did that changed nothing here."""
        await self.engine.write(lambda tx: note(tx, by, action, object, NO, after))

    async def verify(self) -> tuple[int, str, int | None]:
        """How many entries are right, the digest of the last of these, and the id of the first wrong one."""
        after, right, digest = 0, 0, ""
        while rows := await self.engine.read(self._page(after)):
            for entry in map(Entry._make, rows):
                if entry.digest != _digest(digest, entry[1:8]):
                    return right, digest, entry.id
                after, right, digest = entry.id, right + 1, entry.digest
            await asyncio.sleep(0)  # SQLite's reads do not wait
        return right, digest, None

    @staticmethod
    def _page(after: int) -> Callable[[Tx], list[Row]]:
        return lambda tx: tx.all("audit_page", after=after, n=1000)


class Audited:
    """Verbs whose changes are written into the audit, as of one actor."""

    remembered: ClassVar[bool] = True  # processes remember what they change

    def __init__(self, engine: Engine, by: Actor = US) -> None:
        self.engine = engine
        self._by = by

    def _note(self, tx: Tx, action: str, object: str, before: Facts = NO, after: Facts = NO) -> None:
        """Write down a change, and tell the processes that what they remember is old."""
        if self.remembered:
            tx.run("raise_directory_version")
        note(tx, self._by, action, object, before, after)


def note(tx: Tx, by: Actor, action: str, object: str, before: Facts = NO, after: Facts = NO) -> None:
    """Add an entry. Of facts that have not changed nothing is told."""
    same = [name for name in before if name in after and before[name] == after[name]]
    old, new = ({name: facts[name] for name in facts if name not in same} for facts in (before, after))
    last = tx.all("hold_audit")[0][0]  # until the commit nobody else adds one
    previous = tx.all("audit_digest", id=last)
    facts = (
        time.time_ns() // 1_000_000, plain(by.name), plain(by.origin), action, plain(object),
        plain(_encode(old).decode()), plain(_encode(new).decode()),
    )  # fmt: skip
    digest = _digest(previous[0][0] if previous else "", facts)
    columns = ("at", "actor", "origin", "action", "object", "before", "after")
    written = tx.all("create_audit", **dict(zip(columns, facts, strict=True)), digest=digest)
    tx.run("move_audit", id=written[0][0])


def _digest(previous: str, facts: Sequence[Any]) -> str:
    return hashlib.sha256(previous.encode() + _encode(list(facts))).hexdigest()
