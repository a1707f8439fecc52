"""Mailings and their rows, and the texts that customers keep.

Rule 1: a verb takes the account first: what is another's is not there.
Rule 2: a row and the sums of its mailing change in one transaction; the mailing's row is locked first.
Rule 3: one process is at a mailing, for as long as its lease lasts; what another writes is refused.

That a row becomes a message is kept by mailed.py.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from hopwire.contents import Draft
from hopwire.lists import Row
from hopwire.mailing import Command, Mailing, RowState, State, after
from hopwire.store.engine import Engine, Tx
from hopwire.store.engine import Row as DbRow
from hopwire.store.mailed import count
from hopwire.store.notices import Notice, give, tell
from hopwire.store.rows import plain

NAME = 100  # characters
TEXTS = 200  # of an account
PAGE = 500  # rows of one transaction
BROKEN_OFF_MS = 3_600_000  # an upload that has taken longer is none any more
NEWEST = 2**62
_encode = msgspec.json.Encoder().encode
_decode_draft = msgspec.json.Decoder(Draft).decode
_decode_values = msgspec.json.Decoder(dict[str, str]).decode
_NAMES = Mailing.__struct_fields__


class KeptRow(NamedTuple):
    """A row of a mailing."""

    n: int
    line: int
    number: str
    values: Mapping[str, str]
    state: RowState
    message_id: int | None
    error: str


class Checked(NamedTuple):
    """What was found of a row."""

    n: int
    number: str  # E.164 digits, or as typed where it is none
    state: RowState  # GOOD, BAD, REPEATED
    error: str = ""
    parts: int = 0
    price: int = 0


class Text(NamedTuple):
    """A message that a customer keeps."""

    name: str
    draft: Draft
    changed_at: int


class Mailings:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # ---- what comes in

    async def create(self, account_id: int, name: str, draft: Draft, now: int) -> int:
        """A mailing without rows yet; its id."""
        told = {"account_id": account_id, "name": plain(name)[:NAME], "content": _json(draft), "now": now}
        created: int = (await self._engine.write(lambda tx: tx.all("create_mailing", **told)))[0][0]
        return created

    async def add(self, account_id: int, mailing_id: int, rows: Sequence[Row]) -> bool:
        """Rows behind those that are there; whether the mailing still takes them."""

        def work(tx: Tx) -> bool:
            mailing = _being_read(tx, account_id, mailing_id)
            if mailing is None:
                return False
            made = [_new_row(mailing_id, n, row) for n, row in enumerate(rows, mailing.total + 1)]
            tx.many("create_mailing_row", made)
            count(tx, mailing_id, total=len(rows), bad=sum(bool(row.error) for row in rows))
            return True

        return await self._engine.write(work)

    async def complete(self, account_id: int, mailing_id: int) -> bool:
        """All rows are there: it may be checked."""

        def work(tx: Tx) -> bool:
            mailing = _being_read(tx, account_id, mailing_id)
            if mailing is None:
                return False
            _move(tx, mailing, State.CHECKING if mailing.checked < mailing.total else State.READY)
            return True

        return await self._engine.write(work)

    async def discard(self, account_id: int, mailing_id: int) -> None:
        """Its list cannot be read: it was never there."""

        def work(tx: Tx) -> bool:
            mailing = _being_read(tx, account_id, mailing_id)
            if mailing is None:
                return False
            if tx.run("drop_rows", mailing_id=mailing_id, n=PAGE):
                return True
            tx.run("discard_mailing", id=mailing_id)
            return False

        while await self._engine.write(work):  # noqa: ASYNC110 - the store's writes are what is awaited
            await asyncio.sleep(0)

    # ---- what its owner sees and wants

    async def page(self, account_id: int, n: int, before: int = NEWEST) -> list[Mailing]:
        """The account's mailings that are older than this one, newest first."""
        rows = await self._engine.read(
            lambda tx: tx.all("mailings_of", account_id=account_id, before=before, n=n)
        )
        return [_mailing(row) for row in rows]

    async def one(self, account_id: int, mailing_id: int) -> Mailing | None:
        rows = await self._engine.read(lambda tx: tx.all("mailing", account_id=account_id, id=mailing_id))
        return _mailing(rows[0]) if rows else None

    async def tell(
        self, account_id: int, ids: Iterable[int], command: Command, now: int, starts_at: int | None = None
    ) -> list[Mailing]:
        """Start, pause, go on with, or stop mailings; those for which that made sense, as they stand then."""

        def work(tx: Tx) -> list[Mailing]:
            done = []
            for mailing_id in sorted(set(ids)):
                mailing = _held(tx, account_id, mailing_id)
                state = after(mailing, command) if mailing else None
                if mailing and state:
                    if command is Command.START:
                        mailing = msgspec.structs.replace(mailing, starts_at=starts_at)
                    done.append(_move(tx, mailing, state, now))
            return done

        return await self._engine.write(work)

    async def rows(
        self, account_id: int, mailing_id: int, states: Collection[RowState], n: int, after: int = 0
    ) -> list[KeptRow]:
        """The next rows behind row `after` that are in one of these states."""

        def work(tx: Tx) -> list[KeptRow]:
            if not tx.all("mailing", account_id=account_id, id=mailing_id):
                return []
            wanted = [int(state) for state in states]
            rows = tx.all("rows_in_state", mailing_id=mailing_id, states=wanted, after=after, limit=n)
            return [_kept(row) for row in rows]

        return await self._engine.read(work)

    async def unsent(self, account_id: int, mailing_id: int) -> AsyncGenerator[list[KeptRow], None]:
        """The rows that cannot or could not be sent, page by page."""
        last = 0
        while page := await self.rows(
            account_id, mailing_id, (RowState.BAD, RowState.REPEATED, RowState.REFUSED), PAGE, last
        ):
            yield page
            last = page[-1].n

    # ---- who is at it

    async def take(self, worker: str, now: int, lease_ms: int) -> Mailing | None:
        """The mailing that has waited longest, for this process alone until the lease ends; None: none."""

        def waiting(tx: Tx) -> list[DbRow]:
            return tx.all("waiting_mailings", now=now, broken_off=now - BROKEN_OFF_MS, n=1)

        def work(tx: Tx) -> Mailing | None:
            for mailing_id, account_id in waiting(tx):
                until = now + lease_ms
                if tx.run("lease_mailing", id=mailing_id, worker=worker, until=until, now=now):
                    return _mailing(tx.all("mailing", account_id=account_id, id=mailing_id)[0])
            return None

        return await self._engine.write(work) if await self._engine.read(waiting) else None

    async def leave(self, mailing_id: int, worker: str, until: int) -> None:
        """Let others have it, from `until` on."""
        await self._engine.write(
            lambda tx: tx.run("leave_mailing", id=mailing_id, worker=worker, until=until)
        )

    async def repeated(self, account_id: int, mailing_id: int, numbers: Iterable[str]) -> set[str]:
        """Which of these numbers are good rows of it already."""

        def work(tx: Tx) -> set[str]:
            if not tx.all("mailing", account_id=account_id, id=mailing_id):
                return set()
            asked = sorted(set(numbers))
            return {row[0] for row in tx.all("good_numbers_among", numbers=asked, mailing_id=mailing_id)}

        return await self._engine.read(work)

    async def keep_checked(
        self, account_id: int, mailing_id: int, worker: str, rows: Sequence[Checked]
    ) -> State | None:
        """Keep what was found of rows that waited; the mailing's state then, None: it is another's now."""
        ns = [one.n for one in rows]

        def work(tx: Tx) -> State | None:
            mailing = _leased(tx, account_id, mailing_id, worker)
            if mailing is None or mailing.state is not State.CHECKING:
                return mailing.state if mailing else None
            found = tx.all("rows_among", mailing_id=mailing_id, ns=ns)
            waiting = {n for n, state, _ in found if state == RowState.WAITING}  # another may have been there
            new = [one for one in rows if one.n in waiting]
            tx.many("mark_row", [(int(one.state), one.number, one.error, mailing_id, one.n) for one in new])
            count(tx, mailing_id, **_sums(new))
            if mailing.checked + len(new) < mailing.total:
                return mailing.state
            return _move(tx, mailing, State.READY).state

        return await self._engine.write(work)

    async def keep_refused(
        self, account_id: int, mailing_id: int, worker: str, refused: Mapping[str, Sequence[int]]
    ) -> None:
        """Keep why good rows could not be sent: the rows by error."""

        def work(tx: Tx) -> None:
            if _leased(tx, account_id, mailing_id, worker):
                found = [
                    len(tx.all("refuse_rows", mailing_id=mailing_id, error=error, ns=list(ns)))
                    for error, ns in refused.items()
                ]
                count(tx, mailing_id, refused=sum(found))

        await self._engine.write(work)

    async def end(
        self, account_id: int, mailing_id: int, worker: str, state: State, now: int, reason: str = ""
    ) -> None:
        """It is done, or cannot go on, for this reason; then its owner is given a notice."""

        def work(tx: Tx) -> list[Notice]:
            mailing = _leased(tx, account_id, mailing_id, worker)
            if mailing is None or mailing.state not in (State.READING, State.CHECKING, State.SENDING):
                return []
            if state is State.DONE and mailing.sent < mailing.good:
                return []  # some row is to be tried again
            _move(tx, mailing, state, now, reason)
            notice = Notice(now, account_id, "mailing_paused", f"{mailing_id}/{now}", reason)
            return give(tx, [notice]) if state is State.PAUSED else []

        tell(await self._engine.write(work))

    # ---- forgetting

    async def forget(self, before: int, now: int) -> bool:
        """Forget some rows of the oldest mailing that ended, or was left lying, before this; False: none."""

        def work(tx: Tx) -> bool:
            old = tx.all("old_mailings", before=before)
            if old and not tx.run("drop_rows", mailing_id=old[0][0], n=PAGE):
                tx.run("forget_mailing", id=old[0][0], now=now)
            return bool(old)

        return await self._engine.write(work)


class Texts:
    """Messages that a customer keeps to send them again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def put(self, account_id: int, texts: Mapping[str, Draft], now: int) -> bool:
        """Keep these by their names; False, and nothing is kept, where there would be too many."""

        def work(tx: Tx) -> bool:
            there = {row[0] for row in tx.all("texts_of", account_id=account_id)}
            if len(there | texts.keys()) > TEXTS:
                return False
            tx.many("put_text", [(account_id, name, _json(draft), now) for name, draft in texts.items()])
            return True

        return await self._engine.write(work)

    async def all(self, account_id: int) -> list[Text]:
        """By name."""
        rows = await self._engine.read(lambda tx: tx.all("texts_of", account_id=account_id))
        return [_text(row) for row in rows]

    async def named(self, account_id: int, names: Collection[str]) -> list[Text]:
        rows = await self._engine.read(
            lambda tx: tx.all("texts_named", account_id=account_id, names=list(names))
        )
        return [_text(row) for row in rows]

    async def remove(self, account_id: int, names: Collection[str]) -> int:
        """How many of these there were."""
        return await self._engine.write(
            lambda tx: tx.run("remove_texts", account_id=account_id, names=list(names))
        )


# ---- inside a transaction


def erase_rows(tx: Tx, names: Sequence[str], stands_for: str) -> int:
    """Erase a number, by any of its spellings, from all lists; how many rows that were.

    Rows that have not become messages yet never will.
    """
    ids = sorted({row[2] for row in tx.all("rows_to", names=list(names))})
    tx.all("hold_mailings", ids=ids)
    found = tx.all("rows_to", names=list(names))
    for _, _, mailing_id, n, state, _, _, error in found:
        waits = state in (RowState.WAITING, RowState.GOOD)
        left = (int(RowState.BAD), "erased") if waits else (state, error)
        tx.run("erase_row", mailing_id=mailing_id, n=n, number=stands_for, state=left[0], error=left[1])
        if waits:
            count(tx, mailing_id, bad=1, good=-1 if state == RowState.GOOD else 0)
    return len(found)


def _held(tx: Tx, account_id: int, mailing_id: int) -> Mailing | None:
    rows = tx.all("hold_mailing", account_id=account_id, id=mailing_id)
    return _mailing(rows[0]) if rows else None


def _being_read(tx: Tx, account_id: int, mailing_id: int) -> Mailing | None:
    """The same, as long as its list comes in."""
    mailing = _held(tx, account_id, mailing_id)
    return mailing if mailing is not None and mailing.state is State.READING else None


def _leased(tx: Tx, account_id: int, mailing_id: int, worker: str) -> Mailing | None:
    rows = tx.all("hold_leased", account_id=account_id, id=mailing_id, worker=worker)
    return _mailing(rows[0]) if rows else None


def _move(tx: Tx, mailing: Mailing, state: State, now: int = 0, reason: str = "") -> Mailing:
    ended_at = now if state.ended else None
    moved = msgspec.structs.replace(mailing, state=state, reason=reason, ended_at=ended_at)
    names = ("id", "reason", "starts_at", "ended_at")
    tx.run("move_mailing", state=str(state), **{name: getattr(moved, name) for name in names})
    return moved


# ---- rows


def _json(value: object) -> str:
    return _encode(value).decode()


def _mailing(row: DbRow) -> Mailing:
    told = dict(zip(_NAMES, row, strict=True))
    draft, state = told.pop("draft"), told.pop("state")
    return Mailing(draft=_decode_draft(draft) if draft else None, state=State(state), **told)


def _new_row(mailing_id: int, n: int, row: Row) -> DbRow:
    state = RowState.BAD if row.error else RowState.WAITING
    return mailing_id, n, row.line, row.number, _json(row.values), int(state), None, row.error


def _kept(row: DbRow) -> KeptRow:
    n, line, number, values, state, message_id, error = row
    return KeptRow(n, line, number, _decode_values(values), RowState(state), message_id, error)


def _sums(rows: Sequence[Checked]) -> dict[str, int]:
    good = [one for one in rows if one.state is RowState.GOOD]
    return {
        "good": len(good),
        "bad": sum(one.state is RowState.BAD for one in rows),
        "repeated": sum(one.state is RowState.REPEATED for one in rows),
        "parts": sum(one.parts for one in good),
        "price": sum(one.price for one in good),
    }


def _text(row: DbRow) -> Text:
    name, content, changed_at = row
    return Text(name, _decode_draft(content), changed_at)
