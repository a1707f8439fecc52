"""Who is asking: API keys and logins with passwords.

Rule 1: a key is kept only as HMAC-SHA-256 under the installation's secret, a password only as argon2id.
Rule 2: every failure looks the same, and takes an unknown login as long as a known one.
Rule 3: a request does not pay for argon2 twice. What was right is remembered, under a key of this process,
until another password is set; what was wrong, for some seconds.
"""

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from hopwire import access, addresses
from hopwire.access import From
from hopwire.credentials import passwords, recovery
from hopwire.credentials.attempts import Attempt, Checks, Wrongs
from hopwire.credentials.keys import installation_secret, is_key, key_digest, key_label, new_key
from hopwire.credentials.passwords import (
    NOBODY,
    PASSWORD_BYTES,
    hash_password,
    new_password,
    password_bytes,
    plain_login,
)
from hopwire.credentials.totp import Seals, new_seed, step_of
from hopwire.credentials.use import KeyUse
from hopwire.errors import TooManyRequests, WrongCredentials
from hopwire.model import Account, AccountStatus, Caller
from hopwire.store.directory import Directory, Secrets

__all__ = [
    "Credentials",
    "From",
    "KeyUse",
    "Seals",
    "hash_password",
    "installation_secret",
    "is_key",
    "key_digest",
    "key_label",
    "new_key",
    "new_password",
    "plain_login",
]

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED = 10_000  # keys, logins, passwords that were right, and such that were wrong: so many of each
RIGHT_S = 3600.0  # since it was used last
WRONG_S = 10.0
LOGIN_LENGTH = 254  # no login is longer, nor an address
WRONG_CODES, CODES_S = 10, 600.0  # with the right password: after so many in so long a time none is right

Found = tuple[Account, Secrets] | None


class Given(NamedTuple):
    """What somebody typed."""

    login: str
    password: bytes
    pair: bytes  # both under a key of this process


class Credentials:
    """Finds who has a key, or a login with its password; raises WrongCredentials for all others."""

    def __init__(
        self,
        directory: Directory,
        secret: bytes,
        generation: Callable[[], int],
        use: KeyUse | None = None,
        seals: Seals | None = None,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`generation` rises whenever the directory has changed."""
        self._directory = directory
        self._secret = secret
        self._current = generation
        self._use = use or KeyUse(directory)
        self._seals = seals
        self._now = now
        self._checks = Checks()
        self._process_key = secrets.token_bytes(32)
        self._right: dict[bytes, tuple[str, float]] = {}  # what it was right for, and until when it counts
        self._under_way: dict[tuple[bytes, str], asyncio.Future[bool]] = {}
        self._wrong_codes = Wrongs(CODES_S)
        self._nobodys_seed = ""
        self._generation = -1
        self._forget_if_changed()

    # ---- the API

    def remembered(self, key: str, origin: From) -> Caller | None:
        """Who has this key, where that is known already; None: `by_key` has to look."""
        self._forget_if_changed()
        caller = self._keys.get(self._mark(key))
        if caller is not None:
            self._admit(caller, origin)
        return caller

    async def by_key(self, key: str, origin: From) -> Caller:
        """Who has this key."""
        caller = self.remembered(key, origin)
        if caller is None:
            keys = self._keys
            digest = key_digest(self._secret, key)
            caller = await self._directory.caller_by_key(digest) if is_key(key) else None
            if caller is None:
                raise WrongCredentials
            _remember(keys, self._mark(key), caller)
            self._admit(caller, origin)
        return caller

    def elsewhere(self, key: str, origin: From) -> Caller | None:
        """Whose key it is that was refused just now for nothing but its address."""
        caller = self._keys.get(self._mark(key))
        return caller if caller and access.is_elsewhere(caller, origin, self._now()) else None

    def _mark(self, key: str) -> bytes:
        """By what a key is known again in this process: neither the key nor what the store keeps of it."""
        return blake2b(key.encode(), key=self._process_key, digest_size=16).digest()

    def _admit(self, caller: Caller, origin: From) -> None:
        now, key = self._now(), caller.key
        if key is not None and origin.in_url:  # also where that is not allowed
            self._use.in_url(key.id, now)
        access.admit(caller, origin, now)
        if key is not None:
            self._use.used(key.id, now)

    async def by_password(self, login: str, password: str, origin: From) -> Caller:
        """Who has this login, with the password for the API; raises TooManyRequests, too."""
        self._forget_if_changed()
        given = self._given(login, password)
        if given.pair not in self._right:
            self._look_before(given, origin)
        wrong, found = self._wrong, await self._found(login)
        wanted = _api_hash(found)
        if not (self._was_right(given.pair, wanted) or await self._is_right(given, wanted, origin)):
            _remember(wrong, given.pair, _clock() + WRONG_S)
            raise WrongCredentials
        if found is None:
            raise WrongCredentials
        caller = Caller(found[0])
        self._admit(caller, origin)
        return caller

    def _look_before(self, given: Given, origin: From) -> None:
        """Refuse what was wrong just now, or finds no room, before anything is looked up for it."""
        attempt = _attempt(given, origin)
        if self._wrong.get(given.pair, 0.0) > _clock():
            self._checks.wrong(attempt)
            raise WrongCredentials
        self._look_for_room(given, attempt)

    def _look_for_room(self, given: Given, attempt: Attempt) -> None:
        under_way = any(pair == given.pair for pair, _ in self._under_way)
        if not under_way and not self._checks.has_room(attempt):
            raise TooManyRequests

    async def _found(self, login: str) -> Found:
        """An account, remembered; logins that nobody has are not."""
        found, accounts = self._accounts.get(login), self._accounts
        if found is None:
            found = await self._directory.account_by_login(login)
            if found is not None:
                _remember(accounts, login, found)
        return found

    def _was_right(self, pair: bytes, wanted: str) -> bool:
        """Whether this was right for the password that is wanted now; being used, it is so for longer."""
        now = _clock()
        right_for, until = self._right.get(pair, ("", 0.0))
        if right_for != wanted or until < now:
            return False
        if until < now + RIGHT_S / 2:
            _remember(self._right, pair, (wanted, now + RIGHT_S))
        return True

    async def _is_right(self, given: Given, wanted: str, origin: From) -> bool:
        """Ask argon2, once for all that ask the same until the answer is remembered."""
        job = given.pair, wanted
        if job not in self._under_way:
            verify = partial(passwords.verify, wanted, given.password)
            check = asyncio.ensure_future(self._checks.check(_attempt(given, origin), verify))
            check.add_done_callback(partial(self._ended, job))
            self._under_way[job] = check
        return await asyncio.shield(self._under_way[job])

    def _ended(self, job: tuple[bytes, str], check: asyncio.Future[bool]) -> None:
        del self._under_way[job]
        if not check.cancelled() and check.exception() is None and check.result():
            pair, wanted = job
            _remember(self._right, pair, (wanted, _clock() + RIGHT_S))

    # ---- the cabinet

    async def sign_in(self, login: str, password: str, code: str, origin: From) -> Account:
        """Whose login, password and, where the account has it, code these are; raises TooManyRequests, too.

        A code is one of the second factor, or a recovery code. A paused account may look at itself.
        """
        given = self._given(login, password)
        found, right = await self._has_password(given, origin)
        step = self._step(found, code)
        if found is None or not right or found[0].standing is AccountStatus.CLOSED:
            raise WrongCredentials
        account, kept = found
        if kept.totp and not await self._code_counts(account, step, code):
            self._checks.wrong(_attempt(given, origin))
            raise WrongCredentials
        return account

    async def knows(self, login: str, password: str, origin: From) -> bool:
        """Whether this is the password of who is signed in; raises TooManyRequests."""
        try:
            return (await self._has_password(self._given(login, password), origin))[1]
        except WrongCredentials:  # nobody has such a password
            return False

    async def shows_code(self, login: str, code: str) -> bool:
        """Whether who is signed in has typed a code that counts; it counts for this."""
        found = await self._directory.account_by_login(login)
        if found is None or not found[1].totp:
            return False
        return await self._code_counts(found[0], self._step(found, code), code)

    async def hash(self, login: str, password: str, origin: From) -> str:
        """argon2id of a new password, in its turn among the checks, behind those who were wrong less.

        Raises ValueError beyond 256 bytes, and TooManyRequests.
        """
        made: list[str] = []
        data = password_bytes(password)
        if len(data) > PASSWORD_BYTES:
            raise ValueError(f"a password is at most {PASSWORD_BYTES} bytes of UTF-8")

        def work() -> bool:
            made.append(hash_password(password))
            return True

        await self._checks.check(Attempt(login, addresses.neighbourhood(origin.address)), work)
        return made[0]

    def asked(self, login: str, origin: From) -> None:
        """Somebody asks for what costs us something: whoever does so often waits behind the others."""
        self._checks.wrong(Attempt(login, addresses.neighbourhood(origin.address)))

    async def _has_password(self, given: Given, origin: From) -> tuple[Found, bool]:
        """Who signs in by this, if anybody, and whether it is his password."""
        self._look_for_room(given, _attempt(given, origin))
        by_login = await self._directory.account_by_login(given.login)
        by_email = await self._directory.account_by_email(given.login.lower())  # asked for always
        found = by_login or by_email
        wanted = (found and found[1].password_hash) or NOBODY
        return found, await self._is_right(given, wanted, origin)

    def _step(self, found: Found, code: str) -> int | None:
        """Which step the code is of; who has no second factor, or no account, is asked for one, too."""
        if self._seals is None:
            return None
        if not self._nobodys_seed:
            self._nobodys_seed = self._seals.seal(new_seed(), 0)
        asked = (found[1].totp, found[0].id, found[1].totp_step) if found and found[1].totp else None
        sealed, account_id, after = asked or (self._nobodys_seed, 0, 0)
        return step_of(self._seals.open(sealed, account_id), code, self._now(), after)

    async def _code_counts(self, account: Account, step: int | None, code: str) -> bool:
        """Only who knows the password can use up the tries."""
        if self._wrong_codes.of(account.id, _clock()) >= WRONG_CODES:
            return False
        if step is None:
            digest = recovery.digest(self._secret, account.id, code)
            counts = bool(digest) and await self._directory.use_recovery(account.id, digest, self._now())
        else:
            counts = await self._directory.use_code(account.id, step)
        if not counts:
            self._wrong_codes.add(account.id, _clock())
        return counts

    # ---- what is remembered

    def _given(self, login: str, password: str) -> Given:
        """What was typed; raises WrongCredentials for what cannot be right."""
        data = password_bytes(password)
        if (
            len(data) > PASSWORD_BYTES or len(login) > LOGIN_LENGTH or "\0" in login
        ):  # PostgreSQL has no such text
            raise WrongCredentials
        return Given(login, data, hmac.digest(self._process_key, login.encode() + b"\0" + data, "sha256"))

    def _forget_if_changed(self) -> None:
        """Begin anew, so that a look-up under way remembers its old answer where nobody looks."""
        if self._generation != self._current():
            self._generation = self._current()
            self._keys: dict[bytes, Caller] = {}
            self._accounts: dict[str, tuple[Account, Secrets]] = {}
            self._wrong: dict[bytes, float] = {}


def _api_hash(found: Found) -> str:
    """What a password for the API must fit: with a second factor, the one for signing in is not enough."""
    if found is None:
        return NOBODY
    kept = found[1]
    return kept.api_password or (not kept.totp and kept.password_hash) or NOBODY


def _attempt(given: Given, origin: From) -> Attempt:
    return Attempt(given.login, addresses.neighbourhood(origin.address))


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _remember(memory: dict[K, V], what: K, value: V) -> None:
    memory.pop(what, None)
    if len(memory) >= REMEMBERED:
        del memory[next(iter(memory))]
    memory[what] = value
