"""Signing in: a password and, where the account has it, a code of its phone; every failure looks the same."""

import asyncio

import planted
import pyotp
import pytest
from conftest import NOW, run_sql

from hopwire import credentials
from hopwire.access import From
from hopwire.credentials import Credentials, Seals, hash_password, passwords, recovery, totp
from hopwire.errors import WrongCredentials
from hopwire.model import Account, AccountStatus
from hopwire.store.directory import Directory, Secrets

HERE = From("192.0.2.1")
PASSWORD = f"{planted.PASSWORD} battery"
HASH = hash_password(PASSWORD)
SEED = pyotp.random_base32()
ARGON2 = "$argon2id$v=19$m=19456,t=2,p=1$"  # all that a hash is, but for its salt
STEP_MS = totp.STEP_S * 1000


class Vault:
    """Keeps nothing from anybody, and knows whose each seed is."""

    def __init__(self) -> None:
        self.opened = 0

    def seal(self, text: str, account_id: int) -> str:
        return f"{account_id}:{text}"

    def open(self, sealed: str, account_id: int) -> str:
        self.opened += 1
        whose, _, text = sealed.partition(":")
        assert whose == str(account_id)
        return text


class Door:
    """Who signs in, at a time that the test says."""

    def __init__(self, directory: Directory) -> None:
        self.now = NOW
        self.vault = Vault()
        self.credentials = Credentials(
            directory,
            b"installation",
            lambda: 1,
            seals=Seals(self.vault.seal, self.vault.open),
            now=lambda: self.now,
        )

    def code(self, steps: int = 0) -> str:
        """The code of now, or of some half minutes later."""
        return pyotp.HOTP(SEED).at(self.now // STEP_MS + steps)

    async def lets_in(
        self, code: str = "", password: str = PASSWORD, login: str = "shop", named: str = ""
    ) -> bool:
        try:
            account = await self.credentials.sign_in(login, password, code, HERE)
        except WrongCredentials:
            return False
        assert account.login == (named or login)
        return True


@pytest.fixture
async def door(directory: Directory) -> Door:
    assert await directory.create_account("shop", HASH, NOW) == 1
    return Door(directory)


@pytest.fixture
async def guarded(directory: Directory, door: Door) -> Door:
    """The account has a second factor."""
    await directory.set_totp(1, door.vault.seal(SEED, 1))
    return door


async def test_a_password_is_enough_where_there_is_no_second_factor(door: Door) -> None:
    assert await door.lets_in()
    assert await door.lets_in("what is typed for nothing")
    assert not await door.lets_in(password="wrong")
    assert not await door.lets_in(login="nobody")


async def test_a_second_factor_is_asked_for(guarded: Door) -> None:
    for wrong in ("", "000000", guarded.code() + "0", guarded.code()[:5], "я" * 6, "1" * 5000):
        assert not await guarded.lets_in(wrong)
    assert not await guarded.lets_in(guarded.code(), password="wrong")
    assert await guarded.lets_in(f"{guarded.code()[:3]} {guarded.code()[3:]}")


async def test_a_code_counts_once_and_no_earlier_one_after_it(guarded: Door) -> None:
    earlier, code, later = guarded.code(-1), guarded.code(), guarded.code(1)
    assert await guarded.lets_in(code)
    assert not await guarded.lets_in(code)
    assert not await guarded.lets_in(earlier)
    assert await guarded.lets_in(later)
    guarded.now += STEP_MS
    assert not await guarded.lets_in(later)


@pytest.mark.parametrize(("steps", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_code_counts_in_its_half_minute_and_the_ones_beside_it(
    guarded: Door, steps: int, counts: bool
) -> None:
    assert await guarded.lets_in(guarded.code(steps)) == counts


async def test_of_many_at_once_with_the_same_code_one_gets_in(guarded: Door) -> None:
    code = guarded.code()
    assert sorted(await asyncio.gather(*(guarded.lets_in(code) for _ in range(5)))) == [False] * 4 + [True]


async def test_codes_are_not_guessed_by_who_knows_the_password(
    guarded: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(credentials, "_clock", lambda: now)
    for _ in range(credentials.WRONG_CODES):
        assert not await guarded.lets_in("000000")
    assert not await guarded.lets_in(guarded.code())
    now += credentials.CODES_S
    assert await guarded.lets_in(guarded.code())


async def test_strangers_do_not_use_up_the_tries(guarded: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "verify", lambda hashed, data: data == PASSWORD.encode())
    for i in range(credentials.WRONG_CODES * 2):
        assert not await guarded.lets_in("000000", password=f"wrong {i}")
    assert await guarded.lets_in(guarded.code())


async def test_a_paused_account_may_look_and_a_closed_one_is_not_there(
    directory: Directory, door: Door
) -> None:
    await directory.set_account(1, {"status": AccountStatus.PAUSED, "api": False})
    assert await door.lets_in()
    await directory.set_account(1, {"status": AccountStatus.CLOSED})
    assert not await door.lets_in()


async def test_nobody_gets_in_by_a_seed_that_cannot_be_opened(directory: Directory) -> None:
    assert await directory.create_account("shop", HASH, NOW) == 1
    await directory.set_totp(1, "sealed")
    known = Credentials(directory, b"installation", lambda: 1)
    with pytest.raises(WrongCredentials):
        await known.sign_in("shop", PASSWORD, "", HERE)


# ---- recovery codes


@pytest.fixture
async def codes(directory: Directory, guarded: Door) -> list[str]:
    """The account has these."""
    made = recovery.new_codes()
    await directory.set_recovery(1, [recovery.digest(b"installation", 1, code) for code in made])
    return made


async def test_a_recovery_code_counts_once_instead_of_a_code(
    directory: Directory, guarded: Door, codes: list[str]
) -> None:
    assert await directory.recovery_left(1) == len(set(codes)) == 10
    assert not await guarded.lets_in(codes[0], password="wrong")
    assert await guarded.lets_in(codes[0])
    assert not await guarded.lets_in(codes[0])
    assert await guarded.lets_in(f" {codes[1].upper().replace('-', ' ')}")
    assert await directory.recovery_left(1) == 8
    assert await guarded.lets_in(guarded.code())


async def test_of_many_at_once_with_the_same_recovery_code_one_gets_in(
    guarded: Door, codes: list[str]
) -> None:
    entered = await asyncio.gather(*(guarded.lets_in(codes[0]) for _ in range(5)))
    assert sorted(entered) == [False] * 4 + [True]


async def test_recovery_codes_are_one_accounts_and_one_second_factors(
    directory: Directory, guarded: Door, codes: list[str]
) -> None:
    assert await directory.create_account("other", HASH, NOW) == 2
    await directory.set_totp(2, guarded.vault.seal(SEED, 2))
    assert not await guarded.lets_in(codes[0], login="other")
    await directory.set_totp(1, guarded.vault.seal(SEED, 1))
    assert not await guarded.lets_in(codes[0])
    assert await directory.recovery_left(1) == 0


async def test_recovery_codes_are_not_guessed_either(guarded: Door, codes: list[str]) -> None:
    for _ in range(credentials.WRONG_CODES):
        assert not await guarded.lets_in("aaaa-bbbb-cccc")
    assert not await guarded.lets_in(codes[0])


async def test_what_is_kept_of_a_code_is_of_use_to_nobody(store_url: str, codes: list[str]) -> None:
    kept = [digest for (digest,) in run_sql(store_url, "SELECT digest FROM recovery_codes")]
    assert len(kept) == 10
    assert not [one for one in kept for code in codes if code.replace("-", "") in one]


async def test_who_is_signed_in_proves_himself_again(guarded: Door, codes: list[str]) -> None:
    known = guarded.credentials
    assert await known.knows("shop", PASSWORD, HERE)
    assert not await known.knows("shop", "wrong", HERE)
    assert not await known.knows("shop", "x" * 300, HERE)
    assert await known.shows_code("shop", codes[0])
    assert not await known.shows_code("shop", codes[0])
    assert await known.shows_code("shop", guarded.code())
    assert not await known.shows_code("nobody", guarded.code())


async def test_a_new_password_is_hashed_as_it_will_be_checked(directory: Directory, door: Door) -> None:
    await directory.set_password(1, await door.credentials.hash("shop", "another one", HERE))
    assert await door.lets_in(password="another one")
    with pytest.raises(ValueError, match="256"):
        await door.credentials.hash("shop", "x" * 257, HERE)


async def test_one_signs_in_with_the_address_too(directory: Directory, door: Door) -> None:
    await directory.set_account(1, {"email": "anna@shop.example"})
    assert await door.lets_in(login="Anna@Shop.example", named="shop")


# ---- who is watching the clock


class Steps(Directory):
    """Tells what it is asked."""

    def __init__(self, directory: Directory, taken: list[str]) -> None:
        super().__init__(directory.engine)
        self._taken = taken

    async def account_by_login(self, login: str) -> tuple[Account, Secrets] | None:
        self._taken.append("look up")
        return await super().account_by_login(login)

    async def account_by_email(self, email: str) -> tuple[Account, Secrets] | None:
        self._taken.append("by e-mail")
        return await super().account_by_email(email)


async def test_every_failure_goes_through_the_same_steps(
    directory: Directory, guarded: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password, a wrong code, an account without either, a closed one, and one that is not there."""
    taken: list[str] = []
    await directory.create_account("simple", HASH, NOW)
    await directory.create_account("without a password", "", NOW)
    await directory.create_account("closed", HASH, NOW, status=AccountStatus.CLOSED)
    verify, step_of = passwords.verify, totp.step_of

    def counted_verify(password_hash: str, data: bytes) -> bool:
        taken.append(password_hash[:31])
        return verify(password_hash, data)

    def counted_step(seed: str, code: str, now: int, after: int = 0) -> int | None:
        taken.append("code")
        return step_of(seed, code, now, after)

    monkeypatch.setattr(passwords, "verify", counted_verify)
    monkeypatch.setattr(credentials, "step_of", counted_step)
    door = Door(Steps(directory, taken))
    failures = [
        ("shop", "wrong"),
        ("shop", PASSWORD),
        ("simple", "wrong"),
        ("without a password", "wrong"),
        ("closed", PASSWORD),
        ("nobody", "wrong"),
    ]
    for login, password in failures:
        taken.clear()
        door.vault.opened = 0
        assert not await door.lets_in("000000", password, login)
        assert (login, taken, door.vault.opened) == (login, ["look up", "by e-mail", ARGON2, "code"], 1)
