"""Who has asked for an account, until there is one.

Rule 1: whether an address is known is found out in the transaction that puts the letter, and told by the
letter alone; both take the same statements but one.
Rule 2: who has confirmed and waits for the operator is not asked for again, nor forgotten.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from hopwire.model import Account
from hopwire.store.directory import NOBODY, Directory
from hopwire.store.engine import Tx
from hopwire.store.mails import Letter, put_letters
from hopwire.store.rows import plain


class Registration(NamedTuple):
    """What somebody has said of himself."""

    email: str
    customer: str  # a company, or a name
    password_hash: str
    language: str
    at: int
    confirmed_at: int | None = None  # he reads mail to the address, and waits for the operator

    @property
    def bound(self) -> str:
        """What a link that confirms it is bound to."""
        return f"{self.at} {self.password_hash}"

    @property
    def account(self) -> Account:
        """The account that it is to become: no money, home alone, and sender names by approval."""
        return replace(
            NOBODY,
            login=self.email,
            email=self.email,
            customer=self.customer,
            language=self.language,
            any_sender=False,
        )


class Registrations(Directory):
    async def put(self, one: Registration, confirm: Letter, known: Letter) -> None:
        """Keep it, and have it confirmed; or tell an address that is known already that it is."""

        def work(tx: Tx) -> None:
            if tx.all("is_known", email=one.email):
                put_letters(tx, [known], one.at)
            else:
                tx.run("put_registration", **_row(one))
                put_letters(tx, [confirm], one.at)

        await self.engine.write(work)

    async def find(self, email: str) -> Registration | None:
        rows = await self.engine.read(lambda tx: tx.all("registration", email=plain(email)))
        return Registration(*rows[0]) if rows else None

    async def confirm(self, one: Registration, now: int) -> bool:
        """Mail to the address is read by him, who waits for the operator now; False where he did already."""

        def work(tx: Tx) -> bool:
            return (
                _find(tx, one.email) == one and tx.run("confirm_registration", email=one.email, now=now) == 1
            )

        return one.confirmed_at is None and await self.engine.write(work)

    async def accept(self, one: Registration, now: int) -> int | None:
        """Make the account, without money; its id. None where it has changed, or the address is taken."""

        def work(tx: Tx) -> int | None:
            if _find(tx, one.email) != one:
                return None
            tx.run("drop_registration", email=one.email)
            return self._create(tx, one.account, one.password_hash, now)

        return await self.engine.write(work)

    async def accept_invited(self, one: Registration) -> int | None:
        """Make the account of somebody who was invited; its id, or None where the address is taken by now."""

        def work(tx: Tx) -> int | None:
            tx.run("drop_registration", email=one.email)
            taken = tx.all("is_known", email=one.email)
            return None if taken else self._create(tx, one.account, one.password_hash, one.at)

        return await self.engine.write(work)

    # ---- the operator's side

    async def waiting(self, n: int = 200) -> list[Registration]:
        """Who waits for the operator, the longest first."""
        rows = await self.engine.read(lambda tx: tx.all("waiting_registrations", n=n))
        return [Registration(*row) for row in rows]

    async def approve(self, email: str, write: Callable[[Registration], Letter], now: int) -> int | None:
        """Make the account of who waits, and tell him; its id, or None where nobody waits by this address."""

        def work(tx: Tx) -> int | None:
            one = _find(tx, email)
            if one is None or one.confirmed_at is None:
                return None
            tx.run("drop_registration", email=email)
            put_letters(tx, [write(one)], now)
            return self._create(tx, one.account, one.password_hash, now)

        return await self.engine.write(work)

    async def refuse(self, email: str, write: Callable[[Registration], Letter], now: int) -> bool:
        """Forget who waits, and tell him; False where nobody waits by this address."""

        def work(tx: Tx) -> bool:
            one = _find(tx, email)
            if one is None or one.confirmed_at is None:
                return False
            tx.run("drop_registration", email=email)
            put_letters(tx, [write(one)], now)
            self._note(tx, "refuse registration", f"registration {email}")
            return True

        return await self.engine.write(work)


def _find(tx: Tx, email: str) -> Registration | None:
    rows = tx.all("hold_registration", email=plain(email))
    return Registration(*rows[0]) if rows else None


def _row(one: Registration) -> dict[str, object]:
    return {
        "email": one.email, "customer": plain(one.customer), "password_hash": one.password_hash,
        "language": one.language, "at": one.at,
    }  # fmt: skip
