"""Money that moves by hand, resellers' earnings, statements and margins, on both engines."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from conftest import NOW, SMS, VIBER, open_account, order, run_sql
from msgspec.structs import replace

from hopwire import money
from hopwire.errors import NotEnoughMoney
from hopwire.events import Answered
from hopwire.model import Account, Actor, Answer, Fault, Never, Step, Taken
from hopwire.store import Accepted, Order, Store
from hopwire.store.audit import Audit
from hopwire.store.directory import Directory
from hopwire.store.ledger import Ledger, Margin, Movement, Refund

SOLD = replace(SMS, part_commission=120, part_cost=300)  # 500 a part, of which 380 are ours


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store.engine, Actor("bookkeeper", "the office"))


@pytest.fixture
async def reseller(directory: Directory) -> Account:
    return await open_account(directory, money=1000, login="reseller")


@pytest.fixture
async def sub(directory: Directory, reseller: Account, ledger: Ledger) -> Account:
    await directory.create_account("sub", "", NOW, parent_id=reseller.id)
    found = await directory.account_by_login("sub")
    assert found
    await ledger.transfer(reseller.id, found[0].id, 600, "", NOW)
    return found[0]


async def balance(directory: Directory, account: Account) -> tuple[int, int]:
    """What is owned, and what of it is reserved."""
    found = next(one for one in await directory.accounts() if one.id == account.id)
    return found.balance, found.reserved


async def in_order(directory: Directory) -> bool:
    return not any((await directory.fsck()).values())


async def admitted(store: Store, asked: Order) -> int:
    (answer,) = await store.admit([asked])
    assert isinstance(answer, Accepted)
    return answer.id


async def sent(store: Store, account: Account, *steps: Step) -> int:
    """A message whose first step was taken."""
    message_id = await admitted(store, order(account, *steps))
    (handover,) = await store.claim(steps[0].connector, "w", 1, 1000, NOW)
    await store.record([(message_id, Answered(handover.step, 0, Taken("p1")))], NOW)
    return message_id


async def told(ledger: Ledger, account: Account) -> list[Movement]:
    return [one async for one in ledger.movements(account.id, 0, NOW + 1)]


# ---- by hand


async def test_a_correction_is_an_entry_of_its_own(ledger: Ledger, directory: Directory) -> None:
    account = await open_account(directory, money=1000)
    assert await ledger.adjust(account.id, -250, "a wrong price", NOW) == 750
    assert await ledger.adjust(account.id, 50, "a courtesy", NOW) == 800
    moved = [(one.kind, one.amount, one.note) for one in await told(ledger, account)]
    assert moved == [
        ("topup", 1000, ""),
        ("adjustment", -250, "a wrong price"),
        ("adjustment", 50, "a courtesy"),
    ]
    with pytest.raises(NotEnoughMoney):
        await ledger.adjust(account.id, -801, "", NOW)
    assert await balance(directory, account) == (800, 0)
    assert await in_order(directory)


async def test_what_one_gives_another_gets(ledger: Ledger, directory: Directory) -> None:
    giver = await open_account(directory, money=1000, login="giver")
    taker = await open_account(directory, login="taker")
    assert await ledger.transfer(giver.id, taker.id, 400, "for May", NOW) == 600
    assert (await balance(directory, giver), await balance(directory, taker)) == ((600, 0), (400, 0))
    (got,) = await told(ledger, taker)
    assert (got.kind, got.amount, got.other_id, got.note) == ("transfer", 400, giver.id, "for May")
    with pytest.raises(NotEnoughMoney):
        await ledger.transfer(giver.id, taker.id, 601, "", NOW)
    assert (await balance(directory, giver), await balance(directory, taker)) == ((600, 0), (400, 0))
    assert await in_order(directory)


async def test_money_that_is_reserved_cannot_be_given_away(
    ledger: Ledger, store: Store, directory: Directory
) -> None:
    giver = await open_account(directory, money=1000, login="giver")
    taker = await open_account(directory, login="taker")
    await store.admit([order(giver, SMS)])
    with pytest.raises(NotEnoughMoney):
        await ledger.transfer(giver.id, taker.id, 501, "", NOW)
    assert await ledger.transfer(giver.id, taker.id, 500, "", NOW) == 0


Act = Callable[[Ledger, Account], object]


async def test_every_movement_by_hand_is_in_the_audit(
    ledger: Ledger, store: Store, directory: Directory
) -> None:
    account = await open_account(directory, money=1000)
    other = await open_account(directory, login="other")
    message_id = await sent(store, account, SMS)
    await ledger.top_up(account.id, 5, "cash", NOW)
    await ledger.adjust(account.id, 5, "", NOW)
    await ledger.transfer(account.id, other.id, 5, "", NOW)
    await ledger.refund(message_id, "a mistake", NOW)
    entries = await Audit(store.engine).entries(4)
    assert [(one.actor, one.origin) for one in entries] == [("bookkeeper", "the office")] * 4
    assert [(one.action, one.object) for one in entries] == [
        ("refund", f"message {message_id}"),
        ("transfer", f"account {account.id}"),
        ("adjustment", f"account {account.id}"),
        ("topup", f"account {account.id}"),
    ]
    assert '"amount":"0.000005"' in entries[3].after


# ---- resellers


async def test_a_reseller_earns_what_is_paid_above_its_own_price(
    store: Store, directory: Directory, ledger: Ledger, reseller: Account, sub: Account
) -> None:
    await sent(store, sub, SOLD)
    assert await balance(directory, sub) == (100, 0)
    assert await balance(directory, reseller) == (400 + 120, 0)
    (_, earned) = (await told(ledger, reseller))[-2:]
    assert (earned.kind, earned.amount, earned.other_id, earned.connector) == (
        "commission",
        120,
        sub.id,
        "smsc",
    )
    assert await in_order(directory)


async def test_nothing_is_earned_by_what_is_not_charged(
    store: Store, directory: Directory, reseller: Account, sub: Account
) -> None:
    message_id = await admitted(store, order(sub, SOLD))
    await store.claim("smsc", "w", 1, 1000, NOW)
    await store.record([(message_id, Answered(0, 0, Never("no", Fault.NUMBER)))], NOW)
    assert (await balance(directory, sub), await balance(directory, reseller)) == ((600, 0), (400, 0))
    assert await in_order(directory)


async def test_each_part_that_was_taken_is_earned_by(
    store: Store, directory: Directory, reseller: Account
) -> None:
    await directory.create_account("big", "", NOW, parent_id=reseller.id, credit_limit=10_000)
    found = await directory.account_by_login("big")
    assert found
    message_id = await admitted(store, order(found[0], replace(SOLD, parts=3)))
    answers: list[Answer] = [Taken("a"), Taken("b"), Never("no", Fault.CONTENT)]
    for part, answer in enumerate(answers):
        await store.claim("smsc", "w", 1, 1000, NOW)
        await store.record([(message_id, Answered(0, part, answer))], NOW)
    assert (await balance(directory, found[0]))[0] == -1000
    assert (await balance(directory, reseller))[0] == 1000 + 240
    assert await in_order(directory)


# ---- refunds


async def test_a_message_is_given_back_once_and_by_the_reseller_too(
    store: Store, directory: Directory, ledger: Ledger, reseller: Account, sub: Account
) -> None:
    message_id = await sent(store, sub, SOLD)
    assert await ledger.refund(message_id, "lost", NOW) == [Refund(reseller.id, -120), Refund(sub.id, 500)]
    assert (await balance(directory, sub), await balance(directory, reseller)) == ((600, 0), (400, 0))
    assert await ledger.refund(message_id, "lost", NOW) == []
    assert await in_order(directory)


async def test_a_reseller_that_has_spent_its_earnings_cannot_give_them_back(
    store: Store, directory: Directory, ledger: Ledger, reseller: Account, sub: Account
) -> None:
    message_id = await sent(store, sub, SOLD)
    await ledger.top_up(reseller.id, -520, "", NOW)
    with pytest.raises(NotEnoughMoney):
        await ledger.refund(message_id, "", NOW)
    assert await balance(directory, sub) == (100, 0)
    assert await in_order(directory)


async def test_what_has_cost_nothing_is_not_given_back(
    store: Store, directory: Directory, ledger: Ledger, account: Account
) -> None:
    message_id = await admitted(store, order(account, SMS))
    assert await ledger.refund(message_id, "", NOW) == []
    assert await ledger.refund(999_999, "", NOW) == []
    assert await balance(directory, account) == (1_000_000, 500)


# ---- statements and margins


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


async def test_a_statement_begins_with_what_was_before_and_adds_up(
    ledger: Ledger, directory: Directory
) -> None:
    account = await open_account(directory)
    for moment, amount in (
        ("2026-10-31T23:59:59", 10),
        ("2026-11-01", 20),
        ("2026-11-30", 40),
        ("2026-12-01", 80),
    ):
        await ledger.top_up(account.id, amount, "", at(moment))
    since, until = at("2026-11-01"), at("2026-12-01")
    assert await ledger.balance_at(account.id, since) == 10
    assert [one.amount async for one in ledger.movements(account.id, since, until)] == [20, 40]
    assert await ledger.balance_at(account.id, until) == 70


async def test_a_long_statement_is_told_whole(
    ledger: Ledger, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await open_account(directory)
    monkeypatch.setattr("hopwire.store.ledger.PAGE", 2)
    for n in range(1, 8):
        await ledger.top_up(account.id, n, "", NOW - n % 2)  # not in the order of their moments
    assert [one.amount for one in await told(ledger, account)] == [1, 3, 5, 7, 2, 4, 6]


async def test_what_has_moved_a_balance_in_hours_and_by_hand_is_all_of_it(
    store: Store, directory: Directory, ledger: Ledger, reseller: Account, sub: Account, store_url: str
) -> None:
    await ledger.refund(await sent(store, sub, SOLD), "", NOW)
    await sent(store, sub, SOLD)
    for account, messages in ((sub, -500), (reseller, 120)):
        moved = await ledger.moved(account.id, 0)
        by_messages = sum(n if kind == "commission" else -n for _, kind, _, n in moved.by_messages)
        assert (moved.counted, by_messages) == (True, messages)
        assert moved.balance == messages + sum(one.amount for one in moved.by_hand)
    later = await ledger.moved(sub.id, NOW - NOW % 3_600_000 + 3_600_000)
    assert (later.by_hand, later.by_messages, later.counted) == ([], [], True)
    run_sql(store_url, "DELETE FROM tallies")
    assert not (await ledger.moved(sub.id, 0)).counted


async def test_movements_by_hand_are_read_in_pages(ledger: Ledger, directory: Directory) -> None:
    account = await open_account(directory)
    for n in (1, 2, 3):
        await ledger.top_up(account.id, n, "", NOW)
    first = await ledger.by_hand(account.id, 2)
    assert [one.amount for one in first] == [3, 2]
    assert [one.amount for one in await ledger.by_hand(account.id, 2, (NOW, first[-1].id))] == [1]


async def test_a_margin_is_what_is_left_of_what_was_charged(
    store: Store, directory: Directory, ledger: Ledger, reseller: Account, sub: Account
) -> None:
    await sent(store, sub, SOLD)
    await sent(store, reseller, replace(VIBER, part_cost=100))
    assert await ledger.margins(0, NOW + 1) == [
        Margin(reseller.id, "smsc", 0, 0, 120, 0, 0),
        Margin(sub.id, "smsc", 1, 500, 0, 0, 300),
    ]  # Viber is charged, and costs, when it is delivered
    assert await ledger.margins(NOW + 1, NOW + 2) == []


async def test_the_books_balance(
    store: Store, directory: Directory, ledger: Ledger, reseller: Account, sub: Account
) -> None:
    await ledger.refund(await sent(store, sub, SOLD), "", NOW)
    await ledger.adjust(sub.id, -7, "", NOW)
    await store.admit([order(reseller, VIBER)])
    books = {currency: money.trial_balance(sums) for currency, sums in (await ledger.sums()).items()}
    assert books == {
        "UAH": {
            "cash": -1000, "transfers": 0, "corrections": 7, "revenue": 0, "expenses": -300, "suppliers": 300,
            "available": 1000 - 7 - 300, "reserved": 300,
        }
    }  # fmt: skip
    assert sum(books["UAH"].values()) == 0
