"""Money that moves by hand: top-ups, corrections, transfers, refunds; statements and reports.

What messages move is in `Store`. Every movement is a row of the ledger, never changed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from hopwire import money
from hopwire.errors import NotEnoughMoney
from hopwire.store import tallies
from hopwire.store.audit import Audited
from hopwire.store.engine import Row, Tx
from hopwire.store.rows import kept_by_id
from hopwire.store.tallies import Counts
from hopwire.tallies import of_refund

PAGE = 1000
EVER = 1 << 62


class Movement(NamedTuple):
    """A row of an account's statement. Money is added where the amount is positive."""

    id: int
    at: int
    kind: str
    amount: int
    message_id: int | None
    step: int | None
    connector: str
    other_id: int | None
    note: str


class Moved(NamedTuple):
    """What has moved an account's balance since a moment."""

    balance: int  # now
    by_hand: list[Movement]  # newest first
    by_messages: list[tuple[int, str, str, int]]  # hour, "spent" or "commission", channel, how much
    counted: bool  # whether that is all of it; else it has begun before messages were counted by hours


class Margin(NamedTuple):
    """What a connector has brought from an account, and what it cost us."""

    account_id: int
    connector: str
    charges: int  # how many
    charged: int
    commission: int
    refunded: int
    cost: int


class Refund(NamedTuple):
    """What was given back of a message."""

    account_id: int
    amount: int


class Ledger(Audited):
    remembered = False

    # ---- movements

    async def top_up(self, account_id: int, amount: int, note: str, now: int) -> int:
        """Add to the balance (or take from it, when negative); what can be spent after that.

        Raises NotEnoughMoney when more would be taken than can be spent.
        """
        return await self._move("topup", account_id, amount, note, now)

    async def adjust(self, account_id: int, amount: int, note: str, now: int) -> int:
        """Correct the balance; what can be spent after that. As `top_up`, but nobody has paid."""
        return await self._move("adjustment", account_id, amount, note, now)

    async def move_once(
        self, kind: str, account_id: int, amount: int, note: str, since: int, now: int
    ) -> int | None:
        """As `top_up` or `adjust`, the kind; None: since that moment this was done, and nothing is done.

        So that a form which is sent twice, or by two operators, moves money once.
        """

        def work(tx: Tx) -> int | None:
            tx.all("lock_funds", ids=[account_id])
            if tx.all("moved_by_hand", account_id=account_id, since=since):
                return None
            return self._enter(tx, kind, account_id, amount, note, max(now, since))

        return await self.engine.write(work)

    async def _move(self, kind: str, account_id: int, amount: int, note: str, now: int) -> int:
        return await self.engine.write(lambda tx: self._enter(tx, kind, account_id, amount, note, now))

    def _enter(self, tx: Tx, kind: str, account_id: int, amount: int, note: str, now: int) -> int:
        left = _put(tx, kind, account_id, amount, note, now)
        self._note(tx, kind, f"account {account_id}", {}, {"amount": money.text(amount), "note": note})
        return left

    async def transfer(self, giver_id: int, taker_id: int, amount: int, note: str, now: int) -> int:
        """Move money from one account to another; what the giver can spend after that.

        Raises NotEnoughMoney when that would be less than nothing.
        """

        def work(tx: Tx) -> int:
            tx.all("lock_funds", ids=sorted((giver_id, taker_id)))
            left = _put(tx, "transfer", giver_id, -amount, note, now, taker_id)
            _put(tx, "transfer", taker_id, amount, note, now, giver_id)
            told = {"amount": money.text(amount), "to": f"account {taker_id}", "note": note}
            self._note(tx, "transfer", f"account {giver_id}", {}, told)
            return left

        return await self.engine.write(work)

    async def refund(self, message_id: int, note: str, now: int) -> list[Refund]:
        """Give back what a message has cost, all of its steps, once; what went to whom.

        A reseller gives back what it has earned by it. Empty: it has cost nothing, or was given back before.
        Raises NotEnoughMoney when the reseller cannot.
        """

        def work(tx: Tx) -> list[Refund]:
            owner = kept_by_id(tx.all("load_deliveries", ids=[message_id]))  # so that it is given back once
            earned = tx.all("earned_by", message_id=message_id)
            tx.all("lock_funds", ids=sorted({account_id for account_id, *_ in earned}))
            back = []
            counts: Counts = Counter()
            for account_id, kind, amount, step in earned:
                given = amount if kind == "charge" else -amount
                _put(tx, "refund", account_id, given, note, now, None, message_id, step)
                back.append(Refund(account_id, given))
                channel = owner[message_id].delivery.rungs[step].plan.channel
                tallies.add(counts, account_id, now, [of_refund(given, channel, own=kind == "charge")])
            tallies.write(tx, counts)
            if back:
                told = {f"account {one.account_id}": money.text(one.amount) for one in back}
                self._note(tx, "refund", f"message {message_id}", {}, {**told, "note": note})
            return back

        return await self.engine.write(work)

    # ---- statements and reports

    async def balance_at(self, account_id: int, at: int) -> int:
        """What the account owned just before that moment."""
        rows = await self.engine.read(lambda tx: tx.all("balance_at", account_id=account_id, at=at))
        amount: int = rows[0][0]
        return amount

    async def movements(self, account_id: int, since: int, until: int) -> AsyncIterator[Movement]:
        """What has moved the balance from `since` to before `until`, in its order."""
        at, last = since, 0
        while rows := await self.engine.read(_page(account_id, at, last, until)):
            for row in rows:
                yield Movement._make(row)
            at, last = rows[-1][1], rows[-1][0]

    async def by_hand(self, account_id: int, n: int, before: tuple[int, int] = (EVER, 0)) -> list[Movement]:
        """Top-ups, corrections and transfers, newest first; older than one, by its moment and id."""
        at, last = before
        rows = await self.engine.read(
            lambda tx: tx.all("by_hand", account_id=account_id, since=0, at=at, id=last, n=n)
        )
        return [Movement._make(row) for row in rows]

    async def moved(self, account_id: int, since: int) -> Moved:
        """The balance, and what has moved it since the beginning of an hour, as both were at one moment."""

        def work(tx: Tx) -> Moved:
            of: dict[str, int] = {"account_id": account_id, "since": since}
            by_hand = tx.all("by_hand", **of, at=EVER, id=0, n=EVER)
            hours = tx.all("moved_in_hours", **of)
            until = hours[0][0] if hours else EVER
            counted = not tx.all("moved_by_messages", **of, until=until)
            (balance,) = tx.all("balance", id=account_id)[0]
            return Moved(balance, [Movement._make(row) for row in by_hand], hours, counted)

        return await self.engine.read(work)

    async def sums(self) -> dict[str, dict[str, int]]:
        """Currency -> kind -> the sum of all entries of it."""
        found: dict[str, dict[str, int]] = {}
        for currency, kind, amount in await self.engine.read(lambda tx: tx.all("ledger_sums")):
            found.setdefault(currency, {})[kind] = int(amount)
        return found

    async def margins(self, since: int, until: int) -> list[Margin]:
        """What each connector has brought and cost, by account, from `since` to before `until`."""
        rows = await self.engine.read(lambda tx: tx.all("margins", since=since, until=until))
        return [Margin._make(row) for row in rows]


def _page(account_id: int, at: int, last: int, until: int) -> Callable[[Tx], list[Row]]:
    return lambda tx: tx.all("movements", account_id=account_id, at=at, last=last, until=until, n=PAGE)


def _put(
    tx: Tx,
    kind: str,
    account_id: int,
    amount: int,
    note: str,
    now: int,
    other_id: int | None = None,
    message_id: int | None = None,
    step: int | None = None,
) -> int:
    """Enter a movement and move the balance; what can be spent after that.

    Raises NotEnoughMoney where more is taken than can be spent.
    """
    tx.run("add_to_balance", id=account_id, amount=amount)
    tx.many("create_movement", [(now, account_id, kind, amount, message_id, step, "", other_id, note)])
    left: int = tx.all("spendable", id=account_id)[0][0]
    if amount < 0 and left < 0:
        raise NotEnoughMoney
    return left
