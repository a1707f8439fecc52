"""What came in: messages to our numbers, whose numbers they are, and who wants no more messages.

Rule 1: one transaction at a time joins parts, so that two that come to two workers meet.
Rule 2: numbers are compared without a plus.
Rule 3: who names a message of ours is believed where that message went to his number; where that is
forgotten, to one with the same last digits.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hopwire import inbox
from hopwire.inbox import Key, Pile, Wish
from hopwire.model import Incoming, Unsubscribed
from hopwire.privacy import forgotten, masked
from hopwire.store.audit import Audited
from hopwire.store.engine import Row, Tx
from hopwire.store.rows import plain, plain_id


class InboxMessage(NamedTuple):
    """A message that came in."""

    id: int
    received_at: int  # when its last part came; of an incomplete one, when the first did
    connector: str
    sender: str
    recipient: str
    text: str
    account_id: int | None  # None: nobody owned the number


class OwnNumber(NamedTuple):
    number: str  # digits
    account_id: int


class Stopped(NamedTuple):
    """Someone who wants no more messages from an account, or from anybody."""

    number: str  # digits
    at: int
    note: str


class Stop(NamedTuple):
    """An entry of a stop list, and whose that is."""

    account_id: int  # `EVERYONE`: it counts for all
    number: str  # digits
    at: int
    note: str


Came = tuple[int, Sequence[Incoming]]  # when, and the parts of one message
About = tuple[str, str, str]  # connector, id of a message: the upstream's, or ours as m:ID; number, digits

LATEST = 2**62  # above every id
EVERYONE = 0  # the account whose stop list is everybody's
LAST_STOPPED = (2**62, "")  # before it is everything
OUR_ID = re.compile(r"m:([0-9]{1,16})", re.ASCII)


class Inbox(Audited):
    remembered = False

    # ---- messages

    async def keep_incoming(
        self,
        messages: Sequence[Incoming],
        now: int,
        stop_words: Collection[str] = (),
        start_words: Collection[str] = (),
    ) -> list[None]:
        """Keep them as they came; what is whole goes to the inbox of an account.

        That is the one whose message it answers, else the one that owns the number. A message that is a stop
        word puts its sender on that account's stop list, a start word takes him off.
        """

        def work(tx: Tx) -> None:
            tx.all("hold_incoming")
            for account_id, sender, said in _put(tx, _join(tx, messages, now)):
                match inbox.wish(said, stop_words, start_words):
                    case Wish.STOP:
                        tx.run("stop", account_id=account_id, number=sender, at=now, note=said)
                    case Wish.START:
                        tx.run("unstop", account_id=account_id, number=sender)

        await self.engine.write(work)
        return [None] * len(messages)

    async def join_leftovers(self, now: int, after_ms: int) -> int:
        """Put into the inbox, as they are, messages whose first part came longer ago; how many.

        After that time a part that is repeated is not known any more.
        """

        def work(tx: Tx) -> int:
            tx.all("hold_incoming")
            piles = _piles(tx.all("old_parts", before=now - after_ms))
            left = [(pile.since, list(pile.parts.values())) for pile in piles.values() if not pile.joined]
            _put(tx, left)
            tx.run("forget_old_parts", before=now - after_ms)
            return len(left)

        return await self.engine.write(work)

    async def latest(self, n: int, account_id: int | None = None, before: int = LATEST) -> list[InboxMessage]:
        """The newest messages with smaller ids, newest first: of one account, or all, also those to numbers
        of nobody."""

        def work(tx: Tx) -> list[Row]:
            if account_id is None:
                return tx.all("latest_incoming", n=n, before=before)
            return tx.all("latest_incoming_of", n=n, account_id=account_id, before=before)

        return [InboxMessage(*row) for row in await self.engine.read(work)]

    async def keep_unsubscribed(self, told: Sequence[Unsubscribed], now: int) -> int:
        """Put who wants no more messages on the stop list of the account whose message is named; how many.

        Without such a message nobody knows whose messages are meant, and nothing is kept.
        """

        def work(tx: Tx) -> int:
            meant = [(one.connector, one.about, _digits(one.number)) for one in told]
            accounts = _accounts(tx, meant)
            return sum(
                tx.run("stop", account_id=accounts[one], number=one[2], at=now, note=f"said on {one[0]}")
                for one in meant
                if one in accounts
            )

        return await self.engine.write(work)

    # ---- numbers

    async def own(self, account_id: int, number: str) -> bool:
        """Let what comes to the number belong to the account; False where another account owns it."""

        def work(tx: Tx) -> bool:
            if tx.run("own_number", number=_digits(number), account_id=account_id) == 1:
                self._note(tx, "own number", f"account {account_id}", {}, {"number": masked(number)})
            return _owners(tx, [number]) == {_digits(number): account_id}

        return await self.engine.write(work)

    async def disown(self, number: str) -> bool:
        """False where nobody owned it."""

        def work(tx: Tx) -> bool:
            done = tx.run("disown_number", number=_digits(number)) == 1
            if done:
                self._note(tx, "disown number", f"number {masked(number)}")
            return done

        return await self.engine.write(work)

    async def numbers(self) -> list[OwnNumber]:
        return [OwnNumber(*row) for row in await self.engine.read(lambda tx: tx.all("own_numbers"))]

    async def numbers_of(self, account_id: int) -> list[str]:
        rows = await self.engine.read(lambda tx: tx.all("own_numbers_of", account_id=account_id))
        return [row[0] for row in rows]

    # ---- stop lists

    async def stop(self, account_id: int, number: str, now: int, note: str = "") -> bool:
        """Accept no more messages of the account to the number; False where that was so before.

        `EVERYONE`: of any account.
        """
        row = {"account_id": account_id, "number": _digits(number), "at": now, "note": plain(note)}

        def work(tx: Tx) -> bool:
            done = tx.run("stop", **row) == 1
            if done:
                facts = {"number": masked(number), "note": note}
                self._note(tx, "stop", f"account {account_id}", {}, facts)
            return done

        return await self.engine.write(work)

    async def unstop(self, account_id: int, number: str) -> bool:
        """False where the number was not on the account's list."""

        def work(tx: Tx) -> bool:
            done = tx.run("unstop", account_id=account_id, number=_digits(number)) == 1
            if done:
                self._note(tx, "unstop", f"account {account_id}", {"number": masked(number)})
            return done

        return await self.engine.write(work)

    async def stopped_by(self, number: str) -> list[int]:
        """The accounts on whose lists the number is."""
        rows = await self.engine.read(lambda tx: tx.all("stopped_among", numbers=[_digits(number)]))
        return sorted(account_id for account_id, _ in rows)

    async def stop_all(self, account_id: int, numbers: Iterable[str], now: int, note: str = "") -> int:
        """Accept no more messages of the account to these numbers; how many were not on its list before."""
        asked = sorted({_digits(number) for number in numbers})

        def work(tx: Tx) -> int:
            stopped = tx.all("stopped_among", numbers=asked)
            known = {number for whose, number in stopped if whose == account_id}
            new = [(account_id, number, now, plain(note)) for number in asked if number not in known]
            tx.many("stop", new)
            if new:
                self._note(tx, "stop", f"account {account_id}", {}, {"numbers": len(new), "note": note})
            return len(new)

        return await self.engine.write(work)

    async def stopped(self, account_id: int, n: int, before: tuple[int, str] = LAST_STOPPED) -> list[Stopped]:
        """The newest on the account's list, newest first; older than one, by its moment and number."""
        at, number = before
        rows = await self.engine.read(
            lambda tx: tx.all("stopped", account_id=account_id, at=at, number=number, n=n)
        )
        return [Stopped(*row) for row in rows]

    async def stopped_after(self, account_id: int, number: str, n: int) -> list[Stopped]:
        """Those on the account's list that come after a number, in the order of numbers."""
        rows = await self.engine.read(
            lambda tx: tx.all("stopped_page", account_id=account_id, after=number, n=n)
        )
        return [Stopped(*row) for row in rows]

    async def stopped_like(self, account_id: int, digits: str, n: int) -> list[Stopped]:
        """Those on the account's list that begin with these digits."""
        after = f"{int(digits) + 1:0{len(digits)}}"
        until = after if len(after) == len(digits) else "A"  # behind every digit
        rows = await self.engine.read(
            lambda tx: tx.all("stopped_from", account_id=account_id, first=digits, until=until, n=n)
        )
        return [Stopped(*row) for row in rows]

    async def stops(self, after: tuple[str, int], n: int) -> list[Stop]:
        """What is on all stop lists behind a number and an account, in the order of these."""
        number, account_id = after
        where = {"after": plain(number), "after_id": account_id, "n": n}
        return [Stop._make(row) for row in await self.engine.read(lambda tx: tx.all("stop_lists", **where))]

    async def stops_with(self, number: str, n: int) -> list[Stop]:
        """The stop lists that the number is on."""
        where = {"number": _digits(number), "n": n}
        return [
            Stop._make(row) for row in await self.engine.read(lambda tx: tx.all("stop_lists_with", **where))
        ]


# ---- inside a transaction


def _join(tx: Tx, messages: Sequence[Incoming], now: int) -> list[Came]:
    """Keep the parts; the messages that are for the inbox, in the order in which they became so."""
    messages = [replace(m, sender=plain_id(m.sender), recipient=plain_id(m.recipient)) for m in messages]
    senders = {m.sender for m in messages if not inbox.whole(m)}
    before = _piles(tx.all("parts_from", senders=sorted(senders)) if senders else [])
    piles = dict(before)
    came: list[Came] = []
    for m in messages:
        if inbox.whole(m):
            came.append((now, [m]))
            continue
        piles[inbox.key(m)], done = inbox.add(piles.get(inbox.key(m)), m, now)
        if done is not None:
            came.append((now if done.joined else done.since, list(done.parts.values())))
    changed = {key: pile for key, pile in piles.items() if pile is not before.get(key)}
    tx.many("forget_parts", [key for key in changed if key in before])
    tx.many("create_part", [row for key, pile in changed.items() for row in _part_rows(key, pile)])
    return came


def _piles(rows: Iterable[Row]) -> dict[Key, Pile]:
    piles: dict[Key, Pile] = {}
    parts: dict[Key, dict[int, Incoming]] = {}
    for (
        sender,
        recipient,
        connector,
        reference,
        count,
        number,
        since,
        joined,
        coding,
        national,
        payload,
    ) in rows:
        part = Incoming(
            connector=connector, sender=sender, recipient=recipient, data_coding=coding,
            payload=bytes.fromhex(payload), reference=reference, part=number, parts=count, national=national,
        )  # fmt: skip
        known = parts.setdefault(inbox.key(part), {})
        known[number] = part
        piles[inbox.key(part)] = Pile(since, known, bool(joined))
    return piles


def _part_rows(key: Key, pile: Pile) -> list[Row]:
    return [
        (*key, number, pile.since, int(pile.joined), part.data_coding, part.national, part.payload.hex())
        for number, part in pile.parts.items()
    ]


def _put(tx: Tx, came: Sequence[Came]) -> list[tuple[int, str, str]]:
    """Put messages into the inbox; account, sender's digits and text of those that are for an account."""
    owners = _owners(tx, {parts[0].recipient for _, parts in came}) if came else {}
    answered = _accounts(tx, [_about(parts[0]) for _, parts in came])
    told: list[tuple[int, str, str]] = []
    rows: list[Row] = []
    for at, parts in came:
        one, said = parts[0], plain(inbox.text(parts))
        account_id = answered.get(_about(one), owners.get(_digits(one.recipient)))
        rows.append((at, one.connector, one.sender, one.recipient, said, account_id))
        if account_id is not None:
            told.append((account_id, _digits(one.sender), said))
    tx.many("create_incoming", rows)
    return told


def _owners(tx: Tx, numbers: Collection[str]) -> dict[str, int]:
    """Digits -> account, of the numbers among these that are owned."""
    return dict(tx.all("owners", numbers=sorted(map(_digits, numbers))))


def _about(message: Incoming) -> About:
    return message.connector, message.about, _digits(message.sender)


def _accounts(tx: Tx, asked: Iterable[About]) -> dict[About, int]:
    """Whose messages are named, of those that went to the number; of several, the youngest."""
    named = {one: plain_id(one[1]) for one in asked if one[1]}
    if not named:
        return {}
    rows = tx.all("find_senders", provider_ids=sorted(set(named.values())))
    theirs = {(connector, about, _known(number)): of for connector, about, number, of in rows}
    ids = sorted({int(ours[1]) for ours in map(OUR_ID.fullmatch, named.values()) if ours})
    rows = tx.all("senders", ids=ids) if ids else []
    ours = {(f"m:{i}", _known(number)): of for i, number, of in rows}
    found = {
        one: theirs.get((one[0], about, number), ours.get((about, number)))
        for one, about in named.items()
        for number in (masked(one[2]), one[2])  # the number itself counts more
        if (one[0], about, number) in theirs or (about, number) in ours
    }
    return {one: account_id for one, account_id in found.items() if account_id is not None}


def _known(number: str) -> str:
    """What is known of a number by which a message went; of a forgotten one, the last digits."""
    return masked(number) if forgotten(number) else number


def _digits(number: str) -> str:
    return plain_id(number).removeprefix("+")
