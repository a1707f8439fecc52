"""Who may send, at what price: accounts, keys, sender names, prices, top-ups; and the check of the books.

Every change raises the directory's version, by which processes know that what they remember is old.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hopwire.errors import NotEnoughMoney
from hopwire.model import Account, ApiKey
from hopwire.store.engine import Engine, Row, Tx
from hopwire.store.rows import kept_by_id, plain


class Price(NamedTuple):
    channel: str
    prefix: str
    price: int


class Directory:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create_account(
        self,
        login: str,
        password_hash: str,
        now: int,
        *,
        currency: str = "UAH",
        home_country: str = "UA",
        time_zone: str = "Europe/Kyiv",
        credit_limit: int = 0,
        any_sender: bool = True,
        sender_names: Sequence[str] = (),
        transactional: bool = True,
        charge_sms_on: str = "taken",
    ) -> int | None:
        """A new account without money; its id, or None where the login is taken."""

        def work(tx: Tx) -> int | None:
            rows = tx.all(
                "create_account",
                login=login, password_hash=password_hash, credit_limit=credit_limit, currency=currency,
                home_country=home_country, time_zone=time_zone, any_sender=int(any_sender),
                transactional=int(transactional), charge_sms_on=charge_sms_on, created_at=now,
            )  # fmt: skip
            if not rows:
                return None
            account_id: int = rows[0][0]
            tx.many("create_sender_name", [(account_id, name) for name in sender_names])
            tx.run("raise_directory_version")
            return account_id

        return await self._engine.write(work)

    async def accounts(self) -> list[Account]:
        return [_account(row) for row in await self._engine.read(lambda tx: tx.all("accounts"))]

    async def account_by_login(self, login: str) -> tuple[Account, str] | None:
        """The account and its password's hash."""
        rows = await self._engine.read(lambda tx: tx.all("account_by_login", login=plain(login)))
        return (_account(rows[0][:12]), rows[0][12]) if rows else None

    async def account_by_key(self, digest: str) -> Account | None:
        """The account of a key that has not been revoked."""
        rows = await self._engine.read(lambda tx: tx.all("account_by_key", digest=digest))
        return _account(rows[0]) if rows else None

    async def sender_names(self) -> dict[int, set[str]]:
        """Account -> the names it may send under."""
        names: dict[int, set[str]] = {}
        for account_id, name in await self._engine.read(lambda tx: tx.all("sender_names")):
            names.setdefault(account_id, set()).add(name)
        return names

    async def create_key(self, account_id: int, digest: str, prefix: str, name: str, now: int) -> int:
        def work(tx: Tx) -> int:
            tx.run("raise_directory_version")
            rows = tx.all(
                "create_key", account_id=account_id, digest=digest, prefix=prefix, name=name, created_at=now
            )
            key_id: int = rows[0][0]
            return key_id

        return await self._engine.write(work)

    async def keys(self) -> list[ApiKey]:
        rows = await self._engine.read(lambda tx: tx.all("keys"))
        fields = ("id", "account_id", "prefix", "name", "created_at", "revoked_at")
        return [ApiKey(**dict(zip(fields, row, strict=True))) for row in rows]

    async def revoke_key(self, key_id: int, now: int) -> bool:
        """False where there is no such key, or it was revoked before."""

        def work(tx: Tx) -> bool:
            tx.run("raise_directory_version")
            return tx.run("revoke_key", id=key_id, now=now) == 1

        return await self._engine.write(work)

    async def put_prices(self, prices: Sequence[Price]) -> None:
        def work(tx: Tx) -> None:
            tx.many("put_price", list(prices))
            tx.run("raise_directory_version")

        await self._engine.write(work)

    async def prices(self) -> list[Price]:
        return [Price(*row) for row in await self._engine.read(lambda tx: tx.all("prices"))]

    async def top_up(self, account_id: int, amount: int, note: str, now: int) -> int:
        """Add to the balance (or take from it, when negative); what can be spent after that.

        Raises NotEnoughMoney when more would be taken than can be spent.
        """

        def work(tx: Tx) -> int:
            tx.run("top_up", id=account_id, amount=amount)
            tx.many("create_top_up_entry", [(now, account_id, amount, note)])
            spendable: int = tx.all("spendable", id=account_id)[0][0]
            if amount < 0 and spendable < 0:
                raise NotEnoughMoney
            return spendable

        return await self._engine.write(work)

    async def version(self) -> int:
        value: int = (await self._engine.read(lambda tx: tx.all("directory_version")))[0][0]
        return value

    async def fsck(self) -> dict[str, list[Row]]:
        """Check name -> the rows that break it. All lists empty: the books are in order."""
        checks = ("balance", "reserved", "limit", "steps", "stuck", "kept", "orphans")

        def work(tx: Tx) -> dict[str, list[Row]]:
            found = {check: tx.all(f"fsck_{check}") for check in checks}
            resting = kept_by_id(found["stuck"]).values()
            found["stuck"] = [(one.id, int(one.delivery.status)) for one in resting if not one.delivery.ended]
            return found

        return await self._engine.read(work)

    async def count_by_status(self) -> dict[int, int]:
        """Status number -> messages."""
        return dict(await self._engine.read(lambda tx: tx.all("count_by_status")))


def _account(row: Row) -> Account:
    fields = (
        "id", "login", "balance", "reserved", "credit_limit", "currency", "home_country", "time_zone",
    )  # fmt: skip
    values = dict(zip(fields, row[:8], strict=True))
    return Account(
        **values,
        any_sender=bool(row[8]),
        transactional=bool(row[9]),
        charge_sms_on=row[10],
        active=bool(row[11]),
    )
