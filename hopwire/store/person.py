"""What is kept of one phone number: everything told, or erased.

Rule 1: messages have no index by number: they are looked through page by page, so that nobody waits for it.
Rule 2: what the number was, where it is forgotten, is found by its keyed hash.
Rule 3: what may still happen to a message is not taken from it: it is erased when it has ended.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from hopwire import timeline
from hopwire.mailing import RowState
from hopwire.model import Actor
from hopwire.privacy import masked, pseudonym
from hopwire.store import Store
from hopwire.store.audit import US, note
from hopwire.store.directory import Directory
from hopwire.store.engine import Row, Tx
from hopwire.store.forgetting import NUMBERS, TEXTS, forget
from hopwire.store.mailings import erase_rows

LOOKED_THROUGH = 20_000  # ids at a time
ERASED = 200  # messages at a time
PAUSE_S = 0.01  # in which others write
ROW = ("at", "account", "mailing", "row", "state", "message", "fields", "error")

Record = dict[str, object]
Progress = Callable[[int, int], None]  # how far, of how much


class Erased(NamedTuple):
    """What was erased, in numbers."""

    messages: int
    under_way: Sequence[int]  # the ids of messages that are erased when they have ended
    inbox: int
    stop_lists: int
    mailing_rows: int


def quietly(_: int, __: int) -> None:
    """Nobody asks how far it is."""


class Person:
    """What is kept of a number, which is E.164 digits; `secret` keys the hashes that stand for numbers."""

    def __init__(self, store: Store, number: str, secret: bytes, by: Actor = US) -> None:
        self._store = store
        self._engine = store.engine
        self._number = number
        self._secret = secret
        self._by = by
        self._names = [number, f"+{number}", pseudonym(number, secret)]
        self._ending = f"%:{number}"  # of the scopes by which messages to it are counted

    # ---- telling

    async def export(self, progress: Progress = quietly) -> AsyncGenerator[Record, None]:
        """Everything that is kept, as one record after the other; `kind` tells what each is."""
        logins = {one.id: one.login for one in await Directory(self._engine).accounts()}
        async for ids in self._pages("messages_to", "newest_message", progress):
            for i in ids:
                story = await self._store.story(i)
                if story is not None:
                    yield _message(story, logins[story.account_id])
        async for ids in self._pages("incoming_from", "newest_incoming", quietly):
            for row in await self._engine.read(partial(_incoming, ids)):
                names = ("id", "at", "connector", "to", "text", "account")
                yield {"kind": "incoming message", **_record(dict(zip(names, row, strict=True)), logins)}
        for record in await self._engine.read(partial(self._remembered, logins)):
            yield record

    def _remembered(self, logins: Mapping[int, str], tx: Tx) -> list[Record]:
        """What is known of the number beside its messages."""
        names, number = self._names, self._number
        told: list[tuple[str, tuple[str, ...], list[Row]]] = [
            ("part of an incoming message", ("at", "to", "data"), tx.all("parts_of", senders=names)),
            ("receipt without a message", ("at", "raw"), tx.all("unmatched_to", recipients=names)),
            ("stop list", ("at", "account", "note"), tx.all("stops_of", number=number)),
            ("not on Viber", ("until",), tx.all("absence_of", number=number)),
            ("count", ("since", "account", "what", "n"), tx.all("counts_of", ending=self._ending)),
            ("sent just now", ("at", "account", "message"), tx.all("recently_to", number=number)),
            ("row of a mailing", ROW, [_row(row) for row in tx.all("rows_to", names=names)]),
        ]
        return [
            {"kind": kind, **_record(dict(zip(names, row, strict=True)), logins)}
            for kind, names, rows in told
            for row in rows
        ]

    # ---- erasing

    async def erase(self, *, stop_lists: bool = False, progress: Progress = quietly) -> Erased:
        """Erase texts and numbers of ended messages, what came in, and what is remembered.

        Of what is under way this happens within the hour after it has ended. Stop lists, which are the
        person's wish, are kept unless they are named. It can be done again, also after it broke off.
        """
        stops = await self._engine.write(partial(self._forget_remembered, stop_lists))
        rows = await self._engine.write(lambda tx: erase_rows(tx, self._names, self._names[-1]))
        messages, incoming = 0, 0
        under_way: list[int] = []
        async for ids in self._pages("messages_to", "newest_message", progress):
            for some in _cut(ids):
                left = await self._engine.write(partial(self._erase_messages, some))
                messages, under_way = messages + len(some) - len(left), under_way + left
                await asyncio.sleep(PAUSE_S)
        async for ids in self._pages("incoming_from", "newest_incoming", quietly):
            for some in _cut(ids):
                await self._engine.write(partial(self._erase_incoming, some))
                incoming += len(some)
        if not under_way:  # else one of them may be waiting for its receipt
            await self._engine.write(lambda tx: tx.all("erase_unmatched", recipients=self._names))
        return Erased(messages, under_way, incoming, stops, rows)

    def _erase_messages(self, ids: list[int], tx: Tx) -> list[int]:
        left = forget(tx, TEXTS, ids, self._secret)
        forget(tx, NUMBERS, [i for i in ids if i not in set(left)], self._secret)
        tx.many("not_yet_forgotten", [(what, i) for i in left for what in (TEXTS, NUMBERS)])
        return left

    def _erase_incoming(self, ids: list[int], tx: Tx) -> None:
        tx.all("forget_incoming_texts", ids=ids)
        tx.many("rename_sender", [(self._names[-1], i) for i in ids])

    def _forget_remembered(self, stop_lists: bool, tx: Tx) -> int:
        tx.all("hold_incoming")  # nobody joins parts meanwhile
        tx.all("erase_parts", senders=self._names)
        tx.run("erase_absence", number=self._number)
        tx.run("erase_counts", ending=self._ending)
        tx.run("erase_recent", number=self._number)
        stops = tx.run("erase_stops", number=self._number) if stop_lists else 0
        note(tx, self._by, "number.erase", f"number {masked(self._number)}", after={"stop_lists": stops})
        return stops

    # ---- looking through

    async def _pages(self, query: str, newest: str, progress: Progress) -> AsyncGenerator[list[int], None]:
        """The ids of the number's rows, page by page, up to the newest that there is now."""
        end: int = (await self._engine.read(lambda tx: tx.all(newest)))[0][0]
        for after in range(0, end, LOOKED_THROUGH):
            until = min(after + LOOKED_THROUGH, end)
            progress(after, end)
            rows = await self._engine.read(partial(self._page, query, after, until))
            yield [row[0] for row in rows]

    def _page(self, query: str, after: int, until: int, tx: Tx) -> list[Row]:
        return tx.all(query, after=after, until=until, names=self._names)


def _message(story: timeline.Story, login: str) -> Record:
    lines = timeline.lines(story._replace(payments=()), "", lambda connector, code: "")
    return {
        "kind": "message",
        **timeline.head(story, login, texts=True, numbers=True),
        "timeline": [{**line._asdict(), "at": timeline.moment(line.at)} for line in lines],
        "receipts": timeline.receipt_rows(story, texts=True, numbers=True),
    }


def _row(row: Row) -> Row:
    """A row of a mailing as it is told: its state by its name."""
    *begin, state, message_id, fields, error = row
    return *begin, RowState(state).name.lower(), message_id, msgspec.json.decode(fields), error


def _incoming(ids: list[int], tx: Tx) -> list[Row]:
    return tx.all("incoming_among", ids=ids)


def _record(facts: Record, logins: Mapping[int, str]) -> Record:
    """Facts as they are told: moments in words, accounts by their logins."""
    for name in facts.keys() & {"at", "since", "until"}:
        facts[name] = timeline.moment(int(str(facts[name])))
    if "account" in facts:
        facts["account"] = logins.get(int(str(facts["account"] or 0)), "")
    return facts


def _cut(ids: Sequence[int]) -> Iterable[list[int]]:
    return (list(ids[at : at + ERASED]) for at in range(0, len(ids), ERASED))
