"""Accounts, keys, sender names, prices and money; and the check of the books, which finds each fault."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from conftest import NOW, SMS, VIBER, open_account, order, run_sql

from hopwire.errors import NotEnoughMoney
from hopwire.events import Answered
from hopwire.model import Account, AccountStatus, ApiKey, Price, Status, Taken
from hopwire.store import Store
from hopwire.store.directory import CHECKS, Directory
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook
from hopwire.store.senders import SenderName, Senders


async def test_an_account_comes_back_as_it_was_made(directory: Directory) -> None:
    account_id = await directory.create_account(
        "shop", "hash", NOW, currency="EUR", home_country="PL", time_zone="Europe/Warsaw",
        credit_limit=7, any_sender=False, transactional=False, charge_sms_on="delivered",
    )  # fmt: skip
    found = await directory.account_by_login("shop")
    assert found is not None
    account, secrets = found
    assert secrets.password_hash == "hash"
    assert [account] == await directory.accounts()
    assert (account.id, account.login, account.currency) == (account_id, "shop", "EUR")
    assert (account.home_country, account.time_zone) == ("PL", "Europe/Warsaw")
    assert (account.any_sender, account.transactional, account.charge_sms_on) == (False, False, "delivered")
    assert (account.balance, account.reserved, account.credit_limit) == (0, 0, 7)
    assert account.standing is AccountStatus.ACTIVE


async def test_a_login_is_taken_once(directory: Directory) -> None:
    await open_account(directory, login="shop")
    before = await directory.version()
    assert await directory.create_account("shop", "", NOW) is None
    assert await directory.version() == before


async def test_a_login_is_taken_once_also_by_several_processes(postgres_url: str) -> None:
    stores = [await open_store(postgres_url) for _ in range(3)]
    made = await asyncio.gather(*(Directory(s.engine).create_account("shop", "", NOW) for s in stores))
    assert len([account_id for account_id in made if account_id is not None]) == 1
    for store in stores:
        await store.close()


async def test_traits_that_are_changed_at_the_same_time_are_all_kept(postgres_url: str) -> None:
    stores = [await open_store(postgres_url) for _ in range(3)]
    account = await open_account(Directory(stores[0].engine))
    traits = {"plan": "gold", "customer": "Flower shop", "contact": "by telephone"}
    changes = [
        Directory(store.engine).set_account(account.id, {name: value})
        for store, (name, value) in zip(stores, traits.items(), strict=True)
    ]
    await asyncio.gather(*changes)
    (kept,) = await Directory(stores[0].engine).accounts()
    assert {name: getattr(kept, name) for name in traits} == traits
    for store in stores:
        await store.close()


@pytest.mark.parametrize("login", ["", "Shop", "shop ", "shop\0", "\0", "š" * 1000, "' OR 1=1 --"])
async def test_another_login_finds_nobody(directory: Directory, login: str) -> None:
    await open_account(directory, login="shop")
    assert await directory.account_by_login(login) is None


async def test_a_key_finds_its_account_until_it_is_revoked(directory: Directory) -> None:
    account = await open_account(directory)
    key_id = await directory.create_key(account.id, "digest", "hw_abc", "till", NOW)
    other_id = await directory.create_key(account.id, "other", "hw_def", "", NOW)
    found = await directory.caller_by_key("digest")
    assert found is not None
    assert (found.account, found.key and found.key.id) == (account, key_id)
    assert await directory.revoke_key(key_id, NOW + 5)
    assert not await directory.revoke_key(key_id, NOW + 6)
    assert await directory.caller_by_key("digest") is None
    assert await directory.caller_by_key("other") is not None
    key, other = await directory.keys()
    assert key == ApiKey(
        id=key_id, account_id=account.id, prefix="hw_abc", name="till", created_at=NOW, revoked_at=NOW + 5
    )
    assert (other.id, other.revoked_at) == (other_id, None)


async def test_sender_names_are_told_by_account(directory: Directory) -> None:
    shop = await directory.create_account("shop", "", NOW, sender_names=("Shop", "Sale", "Shop"))
    bank = await directory.create_account("bank", "", NOW, sender_names=("Bank",))
    await directory.create_account("nameless", "", NOW)
    names = [(one.account_id, one.name, one.state) for one in await Senders(directory.engine).all()]
    assert names == [(shop, "Sale", "approved"), (shop, "Shop", "approved"), (bank, "Bank", "approved")]


async def test_keys_are_told_revoked_and_rotated_by_whose_they_are(directory: Directory) -> None:
    account = await open_account(directory)
    other = await directory.create_account("other", "", NOW)
    assert other is not None
    key_id = await directory.create_key(account.id, "digest", "hw_abc", "till", NOW)
    assert [one.id for one in await directory.keys_of(account.id)] == [key_id]
    assert await directory.keys_of(other) == []
    assert not await directory.revoke_key(key_id, NOW, other)
    assert await directory.rotate_key(key_id, "new", "hw_def", NOW, 5, account_id=other) is None
    assert await directory.rotate_key(key_id, "new", "hw_def", NOW, 5, account_id=account.id) == key_id + 1
    assert await directory.revoke_key(key_id, NOW, account.id)


async def test_a_name_is_asked_for_once_and_withdrawn_until_it_is_approved(directory: Directory) -> None:
    account = await open_account(directory)
    senders = Senders(directory.engine)
    wanted = SenderName(account.id, "Shop", "sms", changed_at=NOW)
    assert await senders.ask(wanted)
    assert not await senders.ask(wanted)
    await senders.put([wanted._replace(state="refused", note="no")])
    assert await senders.ask(wanted._replace(note="please"))
    assert await senders.of(account.id) == [wanted._replace(state="requested", note="please")]
    assert not await senders.withdraw(wanted._replace(account_id=account.id + 1))
    assert await senders.withdraw(wanted)
    await senders.put([wanted])
    assert not await senders.withdraw(wanted)
    assert not await senders.ask(wanted)
    assert await senders.of(account.id) == [wanted]


async def test_a_price_is_replaced_by_a_later_one(directory: Directory) -> None:
    await PriceBook(directory.engine).put(
        [Price("sms", "380", 500), Price("sms", "", 900), Price("viber", "380", 300)]
    )
    await PriceBook(directory.engine).put([Price("sms", "380", 600)])
    kept = [one[:3] for one in await PriceBook(directory.engine).all()]
    assert kept == [("sms", "", 900), ("sms", "380", 600), ("viber", "380", 300)]


async def test_money_is_added_and_taken_with_an_entry_for_each(directory: Directory, store_url: str) -> None:
    account = await open_account(directory, money=1000)
    assert await Ledger(directory.engine).top_up(account.id, -300, "a mistake", NOW) == 700
    assert not any((await directory.fsck()).values())
    assert run_sql(store_url, "SELECT kind, amount, note FROM ledger ORDER BY id") == [
        ("topup", 1000, ""),
        ("topup", -300, "a mistake"),
    ]


async def test_money_for_an_account_that_is_not_there_is_kept_by_nobody(
    directory: Directory, store_url: str
) -> None:
    with pytest.raises(LookupError):
        await Ledger(directory.engine).top_up(99, 5, "", NOW)
    assert run_sql(store_url, "SELECT count(*) FROM ledger") == [(0,)]


Change = Callable[[Directory], Awaitable[Any]]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d.create_account("new", "", NOW), id="an account"),
        pytest.param(lambda d: d.create_key(1, "digest", "", "", NOW), id="a key"),
        pytest.param(lambda d: d.revoke_key(1, NOW), id="a revoked key"),
        pytest.param(lambda d: PriceBook(d.engine).put([Price("sms", "380", 1)]), id="a price"),
    ],
)
async def test_a_change_raises_the_version_by_which_processes_know_of_it(
    directory: Directory, change: Change
) -> None:
    await directory.create_key(1, "of a key that is there", "", "", NOW)
    before = await directory.version()
    await change(directory)
    assert await directory.version() > before


async def test_reading_and_money_leave_the_version(directory: Directory) -> None:
    account = await open_account(directory)
    before = await directory.version()
    await Ledger(directory.engine).top_up(account.id, 5, "", NOW)
    await directory.accounts()
    await PriceBook(directory.engine).all()
    assert await directory.version() == before


# ---- the check of the books


async def busy(store: Store) -> None:
    """An account with a message that waits, one that was sent, and one that has no route."""
    account = await open_account(Directory(store.engine), money=10_000)
    await store.admit([order(account, SMS), order(account, VIBER)])
    handovers = await store.claim("smsc", "w1", 1, 1000, NOW)
    await store.record([(h.message_id, Answered(0, 0, Taken("a1"))) for h in handovers], NOW)


async def test_books_in_order_have_no_fault(store: Store, directory: Directory) -> None:
    await busy(store)
    faults = await directory.fsck()
    assert set(faults) == set(CHECKS)
    assert not any(faults.values())
    assert await directory.count_by_status() == {Status.PENDING: 1, Status.SENT: 1}


EXTRA = "INSERT INTO ledger (at, account_id, kind, amount, message_id, step) SELECT 0, 1"
SENT = "FROM deliveries WHERE status = 2"


async def test_no_more_is_taken_back_than_can_be_spent(directory: Directory, account: Account) -> None:
    spendable = await Ledger(directory.engine).top_up(account.id, 1000, "", NOW)
    with pytest.raises(NotEnoughMoney):
        await Ledger(directory.engine).top_up(account.id, -spendable - 1, "", NOW)
    assert await Ledger(directory.engine).top_up(account.id, -spendable, "", NOW) == 0
    assert not any((await directory.fsck()).values())


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        pytest.param("balance", "UPDATE accounts SET balance = balance + 1", id="money from nowhere"),
        pytest.param("balance", "DELETE FROM ledger WHERE kind = 'topup'", id="a top-up without an entry"),
        pytest.param("reserved", "UPDATE accounts SET reserved = reserved - 1", id="a reservation forgotten"),
        pytest.param("reserved", "DELETE FROM ledger WHERE kind = 'reserve'", id="reserved without an entry"),
        pytest.param("limit", "UPDATE accounts SET credit_limit = -10000", id="below the limit"),
        pytest.param("steps", f"{EXTRA}, 'release', 1, id, 0 {SENT}", id="charged and released"),
        pytest.param("steps", f"{EXTRA}, 'charge', 1, id, 1 {SENT}", id="charged, never reserved"),
        pytest.param("stuck", "UPDATE deliveries SET due_at = NULL, timer_at = NULL", id="nothing will come"),
        pytest.param("kept", "UPDATE deliveries SET status = 5, timer_at = NULL", id="ended, still reserved"),
        pytest.param("orphans", "DELETE FROM deliveries WHERE status = 2", id="a message without a delivery"),
        pytest.param("orphans", "DELETE FROM messages", id="deliveries without messages"),
        pytest.param(
            "orphans", "UPDATE ledger SET message_id = 99 WHERE kind = 'charge'", id="money of no message"
        ),
    ],
)
async def test_a_planted_fault_is_found(
    store: Store, store_url: str, directory: Directory, check: str, fault: str
) -> None:
    await busy(store)
    run_sql(store_url, fault)
    assert (await directory.fsck())[check]
