"""Who asks for an account: known or not, his letter is all that differs; what becomes of a request."""

import asyncio

import pytest
from conftest import NOW, run_sql

from hopwire.links import DAY_MS, LASTS_MS, Purpose
from hopwire.model import AccountStatus
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.mails import Letter, Mails
from hopwire.store.registrations import Registration, Registrations
from hopwire.store.sessions import Sessions

ANNA = Registration("anna@shop.example", "Anna's shop", "hash", "uk", NOW)
CONFIRM, KNOWN = Letter(ANNA.email, "confirm", "link"), Letter(ANNA.email, "known", "sign in")


def answer(one: Registration) -> Letter:
    return Letter(one.email, "answer", "")


@pytest.fixture
def registrations(store: Store) -> Registrations:
    return Registrations(store.engine)


async def letters(store: Store) -> list[str]:
    """The subjects of what waits."""
    return [mail.letter.subject for mail in await Mails(store.engine).take(100, 1, NOW + DAY_MS * 9)]


async def test_who_is_new_is_asked_to_confirm(store: Store, registrations: Registrations) -> None:
    await registrations.put(ANNA, CONFIRM, KNOWN)
    assert await registrations.find(ANNA.email) == ANNA
    assert await letters(store) == ["confirm"]
    assert await registrations.waiting() == []


@pytest.mark.parametrize(
    ("login", "email"), [(ANNA.email, ""), ("anna", ANNA.email)], ids=["by login", "by e-mail"]
)
async def test_who_has_an_account_is_told_so(
    store: Store, registrations: Registrations, login: str, email: str
) -> None:
    await registrations.create_account(login, "", NOW, email=email)
    await registrations.put(ANNA, CONFIRM, KNOWN)
    assert await registrations.find(ANNA.email) is None
    assert await letters(store) == ["known"]


async def test_the_latest_request_counts(registrations: Registrations) -> None:
    again = ANNA._replace(password_hash="another", at=NOW + 1)
    await registrations.put(ANNA, CONFIRM, KNOWN)
    await registrations.put(again, CONFIRM, KNOWN)
    assert await registrations.find(ANNA.email) == again
    assert await registrations.accept(ANNA, NOW + 2) is None
    assert await registrations.accept(again, NOW + 2) is not None


async def test_an_account_is_made_once_without_money_and_for_its_home_alone(
    registrations: Registrations,
) -> None:
    await registrations.put(ANNA, CONFIRM, KNOWN)
    made = await registrations.accept(ANNA, NOW)
    assert await registrations.accept(ANNA, NOW) is None
    found = await registrations.account_by_email(ANNA.email)
    assert found is not None
    account, kept = found
    assert (account.id, account.login, kept.password_hash) == (made, ANNA.email, "hash")
    assert (account.customer, account.language, account.spendable) == ("Anna's shop", "uk", 0)
    assert (account.limits.destinations, account.any_sender, account.operator) == ((), False, False)
    assert account.standing is AccountStatus.ACTIVE


async def test_of_many_at_once_one_account_is_made(registrations: Registrations) -> None:
    await registrations.put(ANNA, CONFIRM, KNOWN)
    made = await asyncio.gather(*(registrations.accept(ANNA, NOW) for _ in range(5)))
    assert len([one for one in made if one]) == 1


async def test_who_has_confirmed_waits_for_the_operator(store: Store, registrations: Registrations) -> None:
    await registrations.put(ANNA, CONFIRM, KNOWN)
    assert await registrations.confirm(ANNA, NOW + 1)
    waits = ANNA._replace(confirmed_at=NOW + 1)
    assert await registrations.waiting() == [waits]
    assert not await registrations.confirm(ANNA, NOW + 2)
    assert not await registrations.confirm(waits, NOW + 2)
    await registrations.put(ANNA._replace(at=NOW + 5 * DAY_MS), CONFIRM, KNOWN)
    assert await registrations.waiting() == [waits]
    made = await registrations.approve(ANNA.email, answer, NOW)
    assert await registrations.approve(ANNA.email, answer, NOW) is None
    found = await registrations.account_by_login(ANNA.email)
    assert found is not None
    assert (found[0].id, await registrations.waiting()) == (made, [])
    assert await letters(store) == ["confirm", "answer", "known"]


async def test_who_is_refused_is_forgotten_and_told(store: Store, registrations: Registrations) -> None:
    await registrations.put(ANNA, CONFIRM, KNOWN)
    assert not await registrations.refuse(ANNA.email, answer, NOW)
    assert await registrations.approve(ANNA.email, answer, NOW) is None
    await registrations.confirm(ANNA, NOW)
    assert await registrations.refuse(ANNA.email, answer, NOW)
    assert await registrations.find(ANNA.email) is None
    assert await registrations.accounts() == []
    assert await letters(store) == ["confirm", "answer"]


async def test_what_nobody_confirms_is_forgotten(registrations: Registrations) -> None:
    await registrations.put(ANNA, CONFIRM, KNOWN)
    sessions = Sessions(registrations.engine)
    await sessions.forget_old(NOW + LASTS_MS[Purpose.CONFIRM])
    assert await registrations.find(ANNA.email) == ANNA, "its link is good until then"
    await sessions.forget_old(NOW + LASTS_MS[Purpose.CONFIRM] + 1)
    assert await registrations.find(ANNA.email) is None


async def test_an_invited_one_needs_no_confirmation(registrations: Registrations) -> None:
    assert await registrations.accept_invited(ANNA) is not None
    assert await registrations.accept_invited(ANNA) is None


async def test_there_is_one_first_operator(directory: Directory) -> None:
    assert not await directory.has_operator()
    made = await asyncio.gather(*(directory.create_first_operator(f"boss{n}", "", NOW) for n in range(4)))
    assert len([one for one in made if one]) == 1
    assert await directory.has_operator()
    (boss,) = await directory.accounts()
    assert boss.operator
    await directory.set_account(boss.id, {"status": AccountStatus.CLOSED})
    assert not await directory.has_operator()


async def test_an_address_is_kept_by_one_account(store_url: str, directory: Directory) -> None:
    assert await directory.create_account("a", "", NOW, email=ANNA.email)
    assert await directory.create_account("b", "", NOW, email=ANNA.email) is None
    assert run_sql(store_url, "SELECT count(*) FROM accounts") == [(1,)]
