"""The store's verbs, each case on both engines."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from conftest import NOW, SMS, VIBER, open_account, order, run_sql
from msgspec.structs import replace

from hopwire.delivery import plan_delivery
from hopwire.errors import ApiError, NotEnoughMoney
from hopwire.events import Answered
from hopwire.model import (
    Account,
    Answer,
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
    Status,
    Taken,
    Unknown,
    ViberText,
)
from hopwire.store import Accepted, Change, Order, Store
from hopwire.store.batch import Batch
from hopwire.store.directory import Directory
from hopwire.store.migrate import open_store

LEASE_MS = 30_000
TO = "380501112233"
THREE = replace(SMS, parts=3)
RESENT = replace(SMS, resend=True)
FREE = replace(SMS, part_price=0)


async def admit(store: Store, *orders: Order) -> list[int]:
    answers = await store.admit(orders)
    ids = [answer.id for answer in answers if isinstance(answer, Accepted)]
    assert len(ids) == len(orders)
    return ids


async def claim(
    store: Store, connector: str = "smsc", n: int = 100, now: int = NOW, worker: str = "w1"
) -> list[Handover]:
    return await store.claim(connector, worker, n, LEASE_MS, now)


def answered(handover: Handover, answer: Answer) -> Change:
    return handover.message_id, Answered(handover.step, handover.part, answer)


async def submit(store: Store, answer: Answer, *orders: Order) -> list[int]:
    """Accept orders that go by SMS, hand them over, and record this answer for every part."""
    ids = await admit(store, *orders)
    await store.record([answered(handover, answer) for handover in await claim(store)], NOW)
    return ids


async def status(store: Store, account: Account, message_id: int) -> Status:
    return (await store.statuses(account.id, [message_id]))[message_id].status


async def money(directory: Directory) -> tuple[int, int]:
    """Balance and reserved, of an only account whose books are in order."""
    assert not any((await directory.fsck()).values())
    (account,) = await directory.accounts()
    return account.balance, account.reserved


# ---- acceptance


async def test_ids_are_positive_unique_and_below_2_to_the_53(store: Store, account: Account) -> None:
    """More than a block of them, and from two stores on one database."""
    other = Store(store.engine)
    ids = [
        i for _ in range(3) for one in (store, other) for i in await admit(one, *[order(account, FREE)] * 401)
    ]
    assert len(set(ids)) == len(ids)
    assert all(0 < i < 2**53 for i in ids)


async def test_what_is_accepted_is_reserved_whole(
    store: Store, directory: Directory, account: Account
) -> None:
    await admit(store, order(account), order(account, THREE))
    assert await money(directory) == (1_000_000, 300 + 500 + 3 * 500)
    assert await store.spendable(account.id) == 1_000_000 - 2300


async def test_who_cannot_pay_is_refused_in_the_order_of_asking(store: Store, directory: Directory) -> None:
    poor = await open_account(directory, money=1600)
    answers = await store.admit([order(poor, SMS), order(poor, THREE), order(poor, SMS), order(poor, SMS)])
    assert [isinstance(answer, NotEnoughMoney) for answer in answers] == [False, True, False, False]
    assert await money(directory) == (1600, 1500)
    assert len(await claim(store)) == 3


async def test_a_credit_limit_can_be_spent_and_not_more(store: Store, directory: Directory) -> None:
    account_id = await directory.create_account("credit", "", NOW, credit_limit=1000)
    (account,) = await directory.accounts()
    assert account.id == account_id
    answers = await store.admit([order(account, SMS)] * 3)
    assert [isinstance(answer, Accepted) for answer in answers] == [True, True, False]


async def test_an_account_that_is_gone_cannot_pay(store: Store, account: Account) -> None:
    stranger = replace(account, id=account.id + 1)
    assert isinstance((await store.admit([order(stranger, SMS)]))[0], NotEnoughMoney)


async def test_a_message_without_a_route_has_ended_when_it_is_accepted(
    store: Store, account: Account
) -> None:
    (message_id,) = await admit(store, replace(order(account), delivery=plan_delivery((), NOW)))
    assert await status(store, account, message_id) is Status.NO_ROUTE


async def test_an_acceptance_that_fails_midway_leaves_nothing(
    store: Store, store_url: str, directory: Directory, account: Account
) -> None:
    await admit(store, order(account))
    broken = replace(order(account), request=replace(order(account).request, recipient=None))
    with pytest.raises(Exception, match=r"(?i)null"):
        await store.admit([order(account), broken])
    assert run_sql(store_url, "SELECT count(*) FROM messages") == [(1,)]
    assert await money(directory) == (1_000_000, 800)


async def accepted(stores: Sequence[Store], account: Account, orders: int) -> list[int]:
    """The ids of so many orders, asked for one by one at the same time."""
    batches: list[Batch[Order, Accepted | ApiError]] = [Batch(store.admit, 25) for store in stores]
    answers = await asyncio.gather(*(batches[n % len(batches)](order(account, SMS)) for n in range(orders)))
    return [answer.id for answer in answers if isinstance(answer, Accepted)]


async def test_those_who_need_a_block_of_ids_at_the_same_time_share_it(
    store: Store, account: Account
) -> None:
    answers = await asyncio.gather(*(store.admit([order(account, SMS)] * 7) for _ in range(20)))
    ids = sorted(one.id for some in answers for one in some if isinstance(one, Accepted))
    assert ids == list(range(ids[0], ids[0] + 140))


async def test_money_for_k_accepts_k_of_ten_k_concurrent_orders(store: Store, directory: Directory) -> None:
    account = await open_account(directory, money=30 * 500 + 499)
    assert len(set(await accepted([store], account, 300))) == 30
    assert await money(directory) == (30 * 500 + 499, 30 * 500)


async def test_money_for_k_accepts_k_from_several_processes(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await open_store(postgres_url) for _ in range(3)]
        for store in stores:
            stack.push_async_callback(store.close)
        directory = Directory(stores[0].engine)
        account = await open_account(directory, money=30 * 500)
        assert len(set(await accepted(stores, account, 300))) == 30
        assert await money(directory) == (30 * 500, 30 * 500)


# ---- claims


async def test_a_claim_is_kept_as_sending_before_it_returns(
    store: Store, store_url: str, account: Account
) -> None:
    (message_id,) = await admit(store, order(account))
    (handover,) = await claim(store, "viber")
    assert run_sql(store_url, "SELECT id, status, worker, in_doubt FROM deliveries") == [
        (message_id, Status.SENDING, "w1", 1)
    ]
    assert (handover.message_id, handover.recipient, handover.sender) == (message_id, TO, "Shop")
    assert handover.content == ViberText(text="hello")
    assert await claim(store, "viber") == []


async def test_contents_come_back_as_they_were_asked(store: Store, account: Account) -> None:
    asked = order(account, SMS)
    await admit(store, replace(asked, request=replace(asked.request, sms=FlashSms(text="\0 Привіт 👋"))))
    assert [handover.content for handover in await claim(store)] == [FlashSms(text="\0 Привіт 👋")]


async def test_nothing_scheduled_leaves_early(store: Store, account: Account) -> None:
    await admit(store, order(account, SMS, send_at=NOW + 60_000))
    assert await claim(store, now=NOW + 59_999) == []
    assert len(await claim(store, now=NOW + 60_000)) == 1


async def test_the_oldest_leave_first(store: Store, account: Account) -> None:
    late, soon, also_soon = await admit(
        store, *(order(account, SMS, send_at=NOW + s) for s in (900, 100, 100))
    )
    claimed = [(await claim(store, n=1, now=NOW + 1000))[0].message_id for _ in range(3)]
    assert claimed == [soon, also_soon, late]


async def test_the_parts_of_a_message_are_claimed_one_after_the_other(store: Store, account: Account) -> None:
    first, second = await admit(store, *[order(account, THREE)] * 2)
    for part in range(3):
        handovers = await claim(store)
        assert [(h.message_id, h.part) for h in handovers] == [(first, part), (second, part)]
        assert await claim(store) == []
        await store.record([answered(h, Taken(f"a{h.message_id}{part}")) for h in handovers], NOW)
    assert await claim(store) == []


async def test_a_claim_is_for_one_connector(store: Store, account: Account) -> None:
    await admit(store, order(account, SMS), order(account))
    assert [h.step for h in await claim(store, "viber")] == [0]
    assert await claim(store, "another") == []
    assert len(await claim(store, "smsc")) == 1


async def test_two_claimers_never_get_the_same_message(
    store: Store, store_url: str, account: Account
) -> None:
    ids = await admit(store, *[order(account, SMS)] * 200)
    other = Store(store.engine) if store_url.startswith("sqlite") else await open_store(store_url)

    async def take_all(store: Store, worker: str) -> list[int]:
        taken: list[int] = []
        while handovers := await claim(store, n=7, worker=worker):
            taken += [handover.message_id for handover in handovers]
        return taken

    taken = await asyncio.gather(take_all(store, "w1"), take_all(other, "w2"), take_all(store, "w1"))
    rest = await take_all(store, "w1")  # passed over while another was looking at them
    assert sorted([*(i for one in taken for i in one), *rest]) == ids
    if other.engine is not store.engine:
        await other.close()


# ---- answers


@pytest.mark.parametrize(
    ("answer", "state", "balance", "reserved"),
    [
        pytest.param(Taken("a1"), Status.SENT, 999_500, 0, id="taken: charged"),
        pytest.param(Later(1.0, "x"), Status.SENDING, 1_000_000, 500, id="later: still reserved"),
        pytest.param(
            Never("x", Fault.NUMBER), Status.BAD_NUMBER, 1_000_000, 0, id="never: the money goes back"
        ),
        pytest.param(Unknown("x"), Status.SENDING, 1_000_000, 500, id="unknown: still reserved"),
    ],
)
async def test_an_answer_moves_the_message_and_its_money(
    store: Store, directory: Directory, account: Account, answer: Answer, state: Status, balance: int,
    reserved: int,
) -> None:  # fmt: skip
    (message_id,) = await submit(store, answer, order(account, SMS))
    assert await status(store, account, message_id) is state
    assert await money(directory) == (balance, reserved)


async def test_the_next_step_is_due_at_once_after_a_final_no(store: Store, account: Account) -> None:
    await admit(store, order(account))
    (handover,) = await claim(store, "viber")
    await store.record([answered(handover, Never("9", Fault.RECIPIENT))], NOW + 5)
    assert [h.step for h in await claim(store, now=NOW + 5)] == [1]


async def test_what_is_sent_again_after_a_lost_answer_says_so(store: Store, account: Account) -> None:
    await submit(store, Unknown("x"), order(account, RESENT))
    assert [h.repeated for h in await claim(store, now=NOW + 60_000)] == [True]


def everything(url: str) -> list[list[object]]:
    tables = ("accounts", "deliveries", "handles", "ledger", "receipts")
    return [sorted(run_sql(url, f"SELECT * FROM {table}")) for table in tables]  # noqa: S608


@pytest.mark.parametrize("answer", [Taken("a1"), Later(1.0, "x"), Never("x", Fault.CONTENT), Unknown("x")])
async def test_the_same_answers_recorded_twice_change_nothing(
    store: Store, store_url: str, account: Account, answer: Answer
) -> None:
    await admit(store, order(account, THREE), order(account, SMS))
    changes = [answered(handover, answer) for handover in await claim(store)]
    await store.record(changes, NOW)
    once = everything(store_url)
    await store.record(changes * 2, NOW)
    assert everything(store_url) == once


async def test_an_answer_for_a_message_that_never_was_is_passed_over(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    unknown = (message_id + 1, Answered(0, 0, Taken("b")))
    assert await store.record([unknown, answered(handover, Taken("a"))], NOW) == [None, None]
    assert await status(store, account, message_id) is Status.SENT


# ---- time


async def test_the_next_step_begins_when_the_lifetime_has_passed(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account))
    (handover,) = await claim(store, "viber")
    await store.record([answered(handover, Taken("v1"))], NOW)
    end = NOW + 1000 * (VIBER.lifetime_s + VIBER.grace_s)
    assert await store.run_timers(10, end - 1) == 0
    assert await store.run_timers(10, end) == 1
    assert [(h.message_id, h.step) for h in await claim(store, now=end)] == [(message_id, 1)]


async def test_timers_run_in_portions(store: Store, account: Account) -> None:
    await submit(store, Unknown("lost"), *[order(account, SMS)] * 5)
    end = NOW + 1000 * (SMS.lifetime_s + SMS.grace_s)
    assert [await store.run_timers(2, end) for _ in range(4)] == [2, 2, 1, 0]


async def test_the_backlog_is_what_is_due_and_the_age_of_its_oldest(store: Store, account: Account) -> None:
    assert await store.backlog(NOW) == (0, 0)
    await admit(store, order(account, SMS), order(account, SMS, send_at=NOW + 9000))
    assert await store.backlog(NOW + 700) == (1, 700)


# ---- the end of a worker


async def test_a_worker_comes_back_to_its_own_hand_overs_only(store: Store, account: Account) -> None:
    mine, others = await admit(store, order(account, RESENT), order(account, RESENT))
    await claim(store, n=1, worker="w1")
    await claim(store, n=1, worker="w2")
    assert await store.recover("w1", NOW + 1) == 1
    again = await claim(store, now=NOW + 60_000, worker="w1")
    assert [(h.message_id, h.repeated) for h in again] == [(mine, True)]
    assert await store.run_timers(10, NOW + LEASE_MS - 1) == 0
    assert await store.run_timers(10, NOW + LEASE_MS) == 1
    again = await claim(store, now=NOW + 60_000, worker="w1")
    assert [h.message_id for h in again] == [others]


async def test_an_answer_that_outlives_its_worker_is_recorded(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    assert await store.recover("w1", NOW) == 1
    await store.record([answered(handover, Taken("a1"))], NOW)
    assert await status(store, account, message_id) is Status.SENT


# ---- the client


async def test_what_is_scheduled_can_be_deleted(store: Store, directory: Directory, account: Account) -> None:
    (message_id,) = await admit(store, order(account, send_at=NOW + 60_000))
    for now in (NOW + 1, NOW + 2):  # the second time changes nothing
        standing = (await store.delete(account.id, [message_id], now))[message_id]
        assert standing == (Status.DELETED, NOW + 1)
    assert await money(directory) == (1_000_000, 0)
    assert await claim(store, "viber", now=NOW + 60_000) == []


async def test_what_has_left_is_not_deleted(store: Store, account: Account) -> None:
    (message_id,) = await submit(store, Taken("a1"), order(account, SMS))
    assert (await store.delete(account.id, [message_id], NOW + 1))[message_id].status is Status.SENT


async def test_nobody_sees_or_deletes_the_messages_of_another_account(
    store: Store, directory: Directory, account: Account
) -> None:
    (message_id,) = await admit(store, order(account, send_at=NOW + 60_000))
    stranger = await open_account(directory, login="stranger")
    assert await store.statuses(stranger.id, [message_id]) == {}
    assert await store.delete(stranger.id, [message_id], NOW) == {}
    assert await status(store, account, message_id) is Status.PENDING
    assert await store.statuses(account.id, [message_id, 2**53, 10**16]) == {
        message_id: (Status.PENDING, NOW)
    }


async def test_the_newest_messages_are_told_with_their_ids_upstream(store: Store, account: Account) -> None:
    first, second = await submit(store, Taken("a1"), order(account, SMS), order(account, SMS))
    (third,) = await admit(store, order(account))
    newer, older = await store.latest(2)
    assert newer[:4] == (third, Status.PENDING, TO, [])
    assert older[:4] == (second, Status.SENT, TO, ["a1"])
    assert [one.id for one in await store.latest(9, after=first)] == [third, second]


async def test_the_newest_messages_are_told_with_what_became_of_each_step(
    store: Store, account: Account
) -> None:
    redirected, held = await admit(store, order(account), order(account, VIBER, THREE))
    first, second = await claim(store, "viber")
    await store.record([answered(first, Never("9", Fault.RECIPIENT)), answered(second, Taken("v1"))], NOW)
    later, earlier = await store.latest(9)
    assert (later.id, earlier.id, earlier.viber_sender) == (held, redirected, "Shop")
    assert earlier.steps == [
        ("viber", "failed", "9", None, ["failed"]),
        ("sms", "waiting", "", None, ["waiting"]),
    ]
    assert later.steps == [
        ("viber", "taken", "", NOW + 600_000, ["taken"]),
        ("sms", "waiting", "", None, ["waiting"] * 3),
    ]
