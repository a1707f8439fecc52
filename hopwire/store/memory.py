"""Numbers that are not on a channel, as an upstream has said: for some days they are not looked for there.

Rule 1: what was heard last counts; a delivery makes the number forgotten.
Rule 2: a message that has no other step is tried all the same, and so is one of which something has left.
"""

from collections.abc import Mapping

from hopwire.events import Answered, Event, Reported, Spared
from hopwire.model import Fault, Never, Outcome
from hopwire.privacy import forgotten, masked
from hopwire.store.audit import Audited
from hopwire.store.engine import Tx
from hopwire.store.rows import Kept

CHANNEL = "viber"  # every phone has SMS
KEPT_MS = 7 * 86_400_000
CODE = "remembered"


class Memory(Audited):
    """What an operator may ask of it. A number is E.164 digits."""

    remembered = False

    async def until(self, number: str, now: int) -> int | None:
        """Until when the number is not looked for on Viber; None: it is."""
        rows = await self.engine.read(
            lambda tx: tx.all("no_account_among", channel=CHANNEL, numbers=[number], now=now)
        )
        return rows[0][1] if rows else None

    async def forget(self, number: str) -> bool:
        """Look for the number on Viber again; False where that was so before."""

        def work(tx: Tx) -> bool:
            done = tx.run("forget_no_account", channel=CHANNEL, number=number) == 1
            if done:
                self._note(tx, "look again", f"number {masked(number)}")
            return done

        return await self.engine.write(work)

    async def forget_old(self, now: int) -> int:
        """Drop what does not count any more; how many."""
        return await self.engine.write(lambda tx: tx.run("forget_old_no_accounts", now=now))


# ---- inside a transaction


def spared(tx: Tx, kept: Mapping[int, Kept], now: int) -> dict[int, Event]:
    """Those whose step is passed over, for their number is remembered, with what happens to them."""
    asked = {
        i: one.recipient
        for i, one in kept.items()
        if _is_here(one, one.delivery.at) and one.delivery.sparable(now)
    }
    if not asked:
        return {}
    numbers = sorted(set(asked.values()))
    absent = {row[0] for row in tx.all("no_account_among", channel=CHANNEL, numbers=numbers, now=now)}
    return {
        i: Spared(kept[i].delivery.at, CODE, Fault.NO_ACCOUNT)
        for i, number in asked.items()
        if number in absent
    }


def lesson(one: Kept, event: Event) -> bool | None:
    """Whether the message's number has no account, as this event tells; None: it tells nothing of that."""
    if not isinstance(event, (Answered, Reported)) or not _is_here(one, event.step):
        return None
    if forgotten(one.recipient):
        return None
    match event:
        case Answered(answer=Never(_, Fault.NO_ACCOUNT)):
            return True
        case Reported(outcome=Outcome.FAILED, fault=Fault.NO_ACCOUNT):
            return True
        case Reported(outcome=Outcome.DELIVERED | Outcome.SEEN):
            return False
    return None


def learn(tx: Tx, lessons: Mapping[str, bool], until: int) -> None:
    """Keep what was learned: number -> whether it has no account."""
    learned = sorted(lessons.items())
    tx.many("remember_no_account", [(CHANNEL, number, until) for number, absent in learned if absent])
    tx.many("forget_no_account", [(CHANNEL, number) for number, absent in learned if not absent])


def _is_here(one: Kept, step: int) -> bool:
    return one.delivery.rungs[step].plan.channel == CHANNEL
