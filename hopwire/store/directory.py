"""Who may send: accounts and API keys; and the check of the books.

Every change raises the directory's version, by which processes know that what they remember is old, and is
written into the audit.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from hopwire.model import SCOPES, Account, AccountStatus, ApiKey, Caller, Limits
from hopwire.store.audit import Audited
from hopwire.store.engine import Row, Tx
from hopwire.store.rows import kept_by_id, like, plain

ACCOUNT = (
    "id", "login", "balance", "reserved", "credit_limit", "currency", "home_country", "time_zone",
    "any_sender", "transactional", "charge_sms_on", "status", "parent_id", "parent_status", "parent_plan",
    "customer", "contact", "language", "api", "plan", "limits", "low_balance", "operator", "email", "theme",
    "mailed",
)  # fmt: skip
KEY = (
    "id", "account_id", "prefix", "name", "created_at", "revoked_at", "scopes", "addresses", "post_only",
    "expires_at", "used_at", "in_url_at", "replaces",
)  # fmt: skip
FIXED = ("id", "login", "balance", "reserved", "currency", "parent_id", "parent_status", "parent_plan")
TRAITS = tuple(name for name in ACCOUNT if name not in FIXED)  # what an operator may change
CHECKS = (
    "balance",
    "reserved",
    "limit",
    "steps",
    "refunds",
    "transfers",
    "stuck",
    "kept",
    "holds",
    "orphans",
)
NOBODY = Account(
    id=0,
    login="",
    balance=0,
    reserved=0,
    credit_limit=0,
    currency="UAH",
    home_country="UA",
    time_zone="Europe/Kyiv",
    any_sender=True,
    transactional=True,
    charge_sms_on="taken",
)
_decode_limits = msgspec.json.Decoder(Limits).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Secrets(NamedTuple):
    """What is kept of an account's secrets."""

    password_hash: str  # argon2id
    api_password: str  # argon2id; empty: the API takes the other one
    totp: str  # the seed of the second factor, sealed; empty: there is none
    totp_step: int  # of the last code that was used


class Directory(Audited):
    # ---- accounts

    async def create_account(
        self,
        login: str,
        password_hash: str,
        now: int,
        *,
        currency: str = "UAH",
        parent_id: int | None = None,
        sender_names: Sequence[str] = (),
        **traits: Any,
    ) -> int | None:
        """A new account without money; its id, or None where the login is taken. The traits are `TRAITS`."""
        account = replace(NOBODY, login=login, currency=currency, parent_id=parent_id, **traits)

        def work(tx: Tx) -> int | None:
            account_id = self._create(tx, account, password_hash, now)
            if account_id is not None:
                names = dict.fromkeys(sender_names)
                tx.many("put_sender", [(account_id, name, "", "", "approved", "", now) for name in names])
            return account_id

        return await self.engine.write(work)

    async def create_first_operator(
        self, login: str, password_hash: str, now: int, language: str = "uk"
    ) -> int | None:
        """An operator's account, if there is no operator yet; None where there is, or the login is taken."""
        account = replace(NOBODY, login=login, operator=True, language=language)

        def work(tx: Tx) -> int | None:
            tx.all("hold_audit")  # whoever else does the same waits
            return None if _has_operator(tx) else self._create(tx, account, password_hash, now)

        return await self.engine.write(work)

    async def has_operator(self) -> bool:
        """Whether somebody may see the operator's pages."""
        return await self.engine.read(_has_operator)

    def _create(self, tx: Tx, account: Account, password_hash: str, now: int) -> int | None:
        """A new account; None where its login is taken, or the address."""
        row = {name: getattr(account, name) for name in ("login", "currency", "parent_id")} | _row(account)
        rows = tx.all("create_account", password_hash=password_hash, created_at=now, **row)
        if not rows:
            return None
        account_id: int = rows[0][0]
        told = _told(account, *TRAITS, "login", "currency", "parent_id")
        self._note(tx, "create account", f"account {account_id}", {}, told)
        return account_id

    async def set_account(self, account_id: int, changes: Mapping[str, Any]) -> Account | None:
        """Change traits of an account; how it is after that. None where there is no such account."""

        def work(tx: Tx) -> Account | None:
            tx.all("lock_funds", ids=[account_id])  # who changes another trait at the same time waits
            rows = tx.all("account_by_id", id=account_id)
            if not rows:
                return None
            before = account_of(rows[0])
            after = replace(before, **changes)
            tx.run("set_account", id=account_id, **_row(after))
            was, told = _told(before, *changes), _told(after, *changes)
            self._note(tx, "change account", f"account {account_id}", was, told)
            return after

        return await self.engine.write(work)

    async def set_email(self, account_id: int, before: str, email: str) -> bool:
        """Another address of an account that has still this one; False where it has not, or it is taken."""

        def work(tx: Tx) -> bool:
            tx.all("lock_funds", ids=[account_id])
            if tx.all("is_known", email=email) or not tx.run(
                "set_email", id=account_id, before=before, email=email
            ):
                return False
            self._note(tx, "change account", f"account {account_id}", {"email": before}, {"email": email})
            return True

        return await self.engine.write(work)

    async def set_password(self, account_id: int, password_hash: str) -> None:
        """Another password for signing in."""

        def work(tx: Tx) -> None:
            tx.run("set_password", id=account_id, hash=password_hash)
            self._note(tx, "change password", f"account {account_id}")

        await self.engine.write(work)

    async def replace_password(self, account_id: int, before: str, after: str) -> bool:
        """Another password instead of this one, and every session ends; False where it is another already."""

        def work(tx: Tx) -> bool:
            if not tx.run("replace_password", id=account_id, before=before, after=after):
                return False
            tx.run("end_other_sessions", account_id=account_id, but="")
            self._note(tx, "change password", f"account {account_id}")
            return True

        return await self.engine.write(work)

    async def is_known(self, email: str) -> bool:
        """Whether an address is an account's, or one's that waits for the operator."""
        return bool(await self.engine.read(lambda tx: tx.all("is_known", email=plain(email))))

    async def set_api_password(self, account_id: int, password_hash: str) -> None:
        """A password that only the API takes, instead of the other one; empty: no more."""

        def work(tx: Tx) -> None:
            tx.run("set_api_password", id=account_id, hash=password_hash)
            self._note(tx, "change API password", f"account {account_id}")

        await self.engine.write(work)

    async def set_totp(
        self, account_id: int, sealed: str, step: int = 0, recovery: Sequence[str] = ()
    ) -> None:
        """Another seed of the second factor, whose codes count after this step; empty: no second factor.

        Recovery codes belong to it: there are none but the ones with these digests.
        """

        def work(tx: Tx) -> None:
            tx.run("set_totp", id=account_id, sealed=sealed, step=step)
            _put_recovery(tx, account_id, recovery)
            self._note(tx, "change second factor", f"account {account_id}", {}, {"on": bool(sealed)})

        await self.engine.write(work)

    async def set_recovery(self, account_id: int, digests: Sequence[str]) -> None:
        """Other recovery codes, of which only digests are kept."""

        def work(tx: Tx) -> None:
            _put_recovery(tx, account_id, digests)
            self._note(tx, "change recovery codes", f"account {account_id}")

        await self.engine.write(work)

    async def use_recovery(self, account_id: int, digest: str, now: int) -> bool:
        """Let a recovery code count; False where there is none like it, or it has counted before."""

        def work(tx: Tx) -> bool:
            counts = tx.run("use_recovery_code", account_id=account_id, digest=digest, now=now) == 1
            if counts:
                self._note(tx, "use recovery code", f"account {account_id}")
            return counts

        return await self.engine.write(work)

    async def recovery_left(self, account_id: int) -> int:
        """How many recovery codes have not been used."""
        rows = await self.engine.read(lambda tx: tx.all("recovery_codes_left", account_id=account_id))
        left: int = rows[0][0]
        return left

    async def use_code(self, account_id: int, step: int) -> bool:
        """Let a code of the second factor count; False where it, or a later one, has counted before."""
        return await self.engine.write(lambda tx: tx.run("use_code", id=account_id, step=step) == 1)

    async def accounts(self) -> list[Account]:
        return [account_of(row) for row in await self.engine.read(lambda tx: tx.all("accounts"))]

    async def account(self, account_id: int) -> Account | None:
        rows = await self.engine.read(lambda tx: tx.all("account_by_id", id=account_id))
        return account_of(rows[0]) if rows else None

    async def accounts_among(self, ids: Iterable[int]) -> dict[int, Account]:
        """Those of these accounts that there are, by id."""
        rows = await self.engine.read(lambda tx: tx.all("accounts_among", ids=sorted(set(ids))))
        return {row[0]: account_of(row) for row in rows}

    async def find_accounts(
        self,
        typed: str = "",
        status: AccountStatus | None = None,
        *,
        before: int = 2**62,
        n: int = 50,
    ) -> list[Account]:
        """The newest accounts with a smaller id: all, or with this in their login, address, or customer.

        A number is looked for as an id, too.
        """
        typed = plain(typed.strip())
        spelled = {"words": typed.lower(), "typed": typed, "title": typed.title(), "capital": typed.upper()}
        which = {
            "status": -1 if status is None else int(status), "before": before, "n": n,
            "id": int(typed) if typed.isdecimal() and len(typed) < 18 else 0,
        }  # fmt: skip
        patterns = {name: like(text) for name, text in spelled.items()}
        rows = await self.engine.read(lambda tx: tx.all("accounts_page", **which, **patterns))
        return [account_of(row) for row in rows]

    async def sub_accounts(self, parent_id: int, n: int, before: int = 2**62) -> list[Account]:
        """The newest sub-accounts of a reseller with a smaller id."""
        which = {"parent_id": parent_id, "before": before, "n": n}
        return [account_of(row) for row in await self.engine.read(lambda tx: tx.all("sub_accounts", **which))]

    async def logins(self, ids: Iterable[int]) -> dict[int, str]:
        """The logins of these accounts, by id."""
        wanted = sorted(set(ids))
        rows = await self.engine.read(lambda tx: tx.all("logins", ids=wanted))
        return dict(rows)

    async def account_by_login(self, login: str) -> tuple[Account, Secrets] | None:
        """The account, and what is kept of its secrets."""
        rows = await self.engine.read(lambda tx: tx.all("account_by_login", login=plain(login)))
        n = len(ACCOUNT)
        return (account_of(rows[0][:n]), Secrets(*rows[0][n:])) if rows else None

    async def account_by_email(self, email: str) -> tuple[Account, Secrets] | None:
        """The same by its confirmed address, which is in small letters."""
        rows = await self.engine.read(lambda tx: tx.all("account_by_email", email=plain(email)))
        n = len(ACCOUNT)
        return (account_of(rows[0][:n]), Secrets(*rows[0][n:])) if rows else None

    async def caller_by_key(self, digest: str) -> Caller | None:
        """A key that has not been revoked, and its account."""
        rows = await self.engine.read(lambda tx: tx.all("account_by_key", digest=digest))
        n = len(ACCOUNT)
        return Caller(account_of(rows[0][:n]), _key(rows[0][n:])) if rows else None

    # ---- keys

    async def create_key(
        self,
        account_id: int,
        digest: str,
        prefix: str,
        name: str,
        now: int,
        *,
        scopes: Sequence[str] = SCOPES,
        addresses: Sequence[str] = (),
        post_only: bool = False,
        expires_at: int | None = None,
        replaces: int | None = None,
    ) -> int:
        """A new key, of which only the digest and the first characters are kept; its id."""
        row = {
            "account_id": account_id, "prefix": prefix, "name": name, "scopes": ",".join(sorted(scopes)),
            "addresses": ",".join(addresses), "post_only": int(post_only), "expires_at": expires_at,
            "replaces": replaces,
        }  # fmt: skip

        def work(tx: Tx) -> int:
            key_id: int = tx.all("create_key", digest=digest, created_at=now, **row)[0][0]
            self._note(tx, "create key", f"key {key_id}", {}, row)
            return key_id

        return await self.engine.write(work)

    async def keys(self) -> list[ApiKey]:
        return [_key(row) for row in await self.engine.read(lambda tx: tx.all("keys"))]

    async def keys_of(self, account_id: int) -> list[ApiKey]:
        """The keys of an account, oldest first."""
        rows = await self.engine.read(lambda tx: tx.all("keys_of", account_id=account_id))
        return [_key(row) for row in rows]

    async def revoke_key(self, key_id: int, now: int, account_id: int = 0) -> bool:
        """False where there is no such key, of this account or (0) of any, or it was revoked before."""

        def work(tx: Tx) -> bool:
            found = tx.run("revoke_key", id=key_id, account_id=account_id, now=now) == 1
            if found:
                self._note(tx, "revoke key", f"key {key_id}", {"revoked": False}, {"revoked": True})
            return found

        return await self.engine.write(work)

    async def rotate_key(
        self,
        key_id: int,
        digest: str,
        prefix: str,
        now: int,
        overlap_ms: int,
        expires_at: int | None = None,
        account_id: int = 0,
    ) -> int | ApiKey | None:
        """A new key with the traits of this one, which ends when the overlap is over; the id of the new one.

        The other key where there are two already; None where there is no such key, of this account or (0) of
        any, or it has ended.
        """

        def work(tx: Tx) -> int | ApiKey | None:
            held = map(_key, tx.all("hold_key", id=key_id, account_id=account_id))
            old = next((one for one in held if one.is_valid(now)), None)
            if old is None:
                return None
            beside = map(_key, tx.all("keys_beside", id=old.id, replaces=old.replaces))
            if other := next((one for one in beside if one.is_valid(now)), None):
                return other
            ends_at = min(now + overlap_ms, old.expires_at or now + overlap_ms)
            tx.run("end_key", id=old.id, at=ends_at)
            row = {**_key_row(old), "expires_at": expires_at or old.expires_at, "replaces": old.id}
            new_id: int = tx.all("create_key", digest=digest, created_at=now, **row, prefix=prefix)[0][0]
            self._note(
                tx, "rotate key", f"key {old.id}", _key_row(old), {**_key_row(old), "expires_at": ends_at}
            )
            self._note(tx, "create key", f"key {new_id}", {}, {**row, "prefix": prefix})
            return new_id

        return await self.engine.write(work)

    async def keys_seen(self, used: Mapping[int, list[int]], in_url: Mapping[int, list[int]]) -> None:
        """When keys were used and seen in a URL: ids by moment. A later moment that is kept stays."""

        def work(tx: Tx) -> None:
            for at, ids in used.items():
                tx.run("keys_used", at=at, ids=ids)
            for at, ids in in_url.items():
                tx.run("keys_in_url", at=at, ids=ids)

        await self.engine.write(work)

    # ---- all of it

    async def version(self) -> int:
        value: int = (await self.engine.read(lambda tx: tx.all("directory_version")))[0][0]
        return value

    async def fsck(self) -> dict[str, list[Row]]:
        """Check name -> the rows that break it. All lists empty: the books are in order."""

        def work(tx: Tx) -> dict[str, list[Row]]:
            found = {check: tx.all(f"fsck_{check}") for check in CHECKS}
            resting = kept_by_id(found["stuck"]).values()
            found["stuck"] = [(one.id, int(one.delivery.status)) for one in resting if not one.delivery.ended]
            return found

        return await self.engine.read(work)

    async def count_by_status(self) -> dict[int, int]:
        """Status number -> messages."""
        return dict(await self.engine.read(lambda tx: tx.all("count_by_status")))


def _put_recovery(tx: Tx, account_id: int, digests: Sequence[str]) -> None:
    tx.run("drop_recovery_codes", account_id=account_id)
    tx.many("create_recovery_code", [(account_id, digest) for digest in digests])


def _has_operator(tx: Tx) -> bool:
    return bool(tx.all("first_operator", closed=int(AccountStatus.CLOSED)))


# ---- rows


def account_of(row: Row) -> Account:
    """An account out of its columns, which are `ACCOUNT`."""
    values = dict(zip(ACCOUNT, row, strict=True))
    parent_status = values["parent_status"]
    return Account(
        **{
            **values,
            "any_sender": bool(values["any_sender"]),
            "transactional": bool(values["transactional"]),
            "api": bool(values["api"]),
            "operator": bool(values["operator"]),
            "status": AccountStatus(values["status"]),
            "parent_status": AccountStatus.ACTIVE if parent_status is None else AccountStatus(parent_status),
            "parent_plan": values["parent_plan"] or "",
            "limits": _decode_limits(values["limits"]),
        }
    )


def _row(account: Account) -> dict[str, Any]:
    """An account's traits as they are kept."""
    row = {name: getattr(account, name) for name in TRAITS}
    flags = ("any_sender", "transactional", "api", "operator", "status")
    return {**row, **{name: int(row[name]) for name in flags}, "limits": _encode(account.limits).decode()}


def _told(account: Account, *names: str) -> dict[str, Any]:
    """An account's traits as the audit has them; each limit by its own name."""
    told = {name: getattr(account, name) for name in names}
    bounds = msgspec.to_builtins(told.pop("limits", {}))
    return {**told, **{f"limits.{name}": value for name, value in bounds.items()}}


def _key(row: Row) -> ApiKey:
    values = dict(zip(KEY, row, strict=True))
    lists = {name: tuple(filter(None, values[name].split(","))) for name in ("scopes", "addresses")}
    return ApiKey(**{**values, **lists, "post_only": bool(values["post_only"])})


def _key_row(key: ApiKey) -> dict[str, Any]:
    """A key's traits, as they are kept."""
    return {
        "account_id": key.account_id, "name": key.name, "scopes": ",".join(key.scopes),
        "addresses": ",".join(key.addresses), "post_only": int(key.post_only), "expires_at": key.expires_at,
    }  # fmt: skip
