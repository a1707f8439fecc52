"""Limits where messages are kept: exactly so many are accepted, whoever asks, however many ask at once."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from conftest import NOW, SMS, VIBER, open_account, order, run_sql
from msgspec.structs import replace

from hopwire import limits as rules
from hopwire.delivery import plan_delivery
from hopwire.errors import (
    ApiError,
    BlockLimitReached,
    ClientIdReused,
    Duplicate,
    LimitReached,
    NotEnoughMoney,
    NumberLimitReached,
    RecipientOptedOut,
    SpendLimitReached,
    TooManyRequests,
)
from hopwire.model import Account, Limits, SmsText
from hopwire.store import Accepted, Order, Store
from hopwire.store import limits as store_limits
from hopwire.store.audit import Audit
from hopwire.store.batch import Batch
from hopwire.store.directory import Directory
from hopwire.store.inbox import EVERYONE, Inbox
from hopwire.store.migrate import open_store
from hopwire.store.notices import Notices

TO, NEXT, FAR = "380501112233", "380501112234", "380501113233"
DAY_MS = 86_400_000
Asked = tuple[str, int]  # to whom, how long after NOW


async def limited(directory: Directory, money: int = 1_000_000, **limits: Any) -> Account:
    """A new account with these limits."""
    account = await open_account(directory, money)
    changed = await directory.set_account(account.id, {"limits": Limits(**limits)})
    assert changed is not None
    return changed


def at(one: Order, later_ms: int) -> Order:
    now = NOW + later_ms
    return replace(one, accepted_at=now, delivery=plan_delivery([SMS], now))


def sms(account: Account, to: str = TO, later_ms: int = 0, text: str = "hello", **more: Any) -> Order:
    made = order(account, SMS, to=to)
    request = replace(made.request, sms=SmsText(text=text), viber=None, viber_sender="")
    return at(replace(made, request=request, **more), later_ms)


def said(answers: Sequence[Accepted | ApiError]) -> list[type[ApiError] | None]:
    return [type(answer) if isinstance(answer, ApiError) else None for answer in answers]


def rows(url: str, table: str) -> int:
    count: int = run_sql(url, f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - a table of ours
    return count


async def in_order(directory: Directory) -> bool:
    return not any((await directory.fsck()).values())


# ---- counts

HOUR_MS = 3_600_000
COUNTS = [
    pytest.param("account/second", [(TO, 0), (NEXT, 999), (TO, 1000)], TooManyRequests, id="second"),
    pytest.param("account/minute", [(TO, 0), (NEXT, 0), (TO, 60_000)], TooManyRequests, id="minute"),
    pytest.param("account/hour", [(TO, 0), (FAR, 0), (TO, HOUR_MS)], LimitReached, id="hour"),
    pytest.param("account/day", [(TO, 0), (FAR, HOUR_MS), (TO, DAY_MS)], LimitReached, id="day"),
    pytest.param("key/day", [(TO, 0), (FAR, 0), (TO, DAY_MS)], LimitReached, id="key"),
    pytest.param("number/day", [(TO, 0), (TO, 1), (NEXT, 1)], NumberLimitReached, id="number"),
    pytest.param("number/minute", [(TO, 0), (TO, 1), (TO, 60_000)], NumberLimitReached, id="number again"),
    pytest.param("block/day", [(TO, 0), (NEXT, 1), (FAR, 1)], BlockLimitReached, id="block"),
]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("name", "asked", "error"), COUNTS)
async def test_one_is_accepted_where_one_is_allowed(
    store: Store, directory: Directory, name: str, asked: list[Asked], error: type[ApiError], together: bool
) -> None:
    """The first, not the second, and the third, which counts elsewhere; in one batch, and each by itself."""
    account = await limited(directory, counts={name: 1})
    orders = [sms(account, *one) for one in asked]
    batches = [orders] if together else [[one] for one in orders]
    answers = [answer for batch in batches for answer in await store.admit(batch)]
    assert said(answers) == [None, error, None]
    assert await in_order(directory)


async def test_each_key_has_its_own_count(store: Store, directory: Directory) -> None:
    account = await limited(directory, counts={"key/day": 1})
    answers = await store.admit([sms(account, key_id=key_id) for key_id in (1, 2, 0, 1)])
    assert said(answers) == [None, None, None, LimitReached]


async def test_the_first_limit_that_is_reached_answers(store: Store, directory: Directory) -> None:
    account = await limited(directory, counts={"number/day": 1, "account/day": 2})
    answers = await store.admit([sms(account, to) for to in (TO, TO, NEXT, FAR)])
    assert said(answers) == [None, NumberLimitReached, None, LimitReached]


async def test_what_is_refused_counts_nowhere(store: Store, directory: Directory) -> None:
    account = await limited(directory, money=3 * SMS.price, counts={"account/day": 3}, spend={"day": 5000})
    await Inbox(store.engine).stop(account.id, FAR, NOW)
    dear = replace(sms(account), delivery=plan_delivery([replace(SMS, part_price=4000)], NOW))
    orders = [sms(account, FAR), dear, sms(account), sms(account, FAR), sms(account), sms(account), dear]
    refused = [RecipientOptedOut, NotEnoughMoney, None, RecipientOptedOut, None, None, LimitReached]
    assert said(await store.admit(orders)) == refused


async def test_an_account_without_limits_leaves_no_rows(
    store: Store, directory: Directory, store_url: str
) -> None:
    watched = await limited(directory, counts={"account/day": 5}, duplicates="refuse")
    other = await open_account(directory, 10_000, login="other")
    await store.admit([sms(other), sms(watched), sms(other)])
    for table in ("usage", "recent"):
        assert run_sql(store_url, f"SELECT account_id FROM {table}") == [(watched.id,)]  # noqa: S608
    assert rows(store_url, "answered") == rows(store_url, "holds") == rows(store_url, "notices") == 0


async def test_accounts_of_one_batch_are_counted_apart(store: Store, directory: Directory) -> None:
    one = await limited(directory, counts={"number/day": 1})
    two = replace(await open_account(directory, 10_000, login="other"), limits=one.limits)
    answers = await store.admit([sms(one), sms(two), sms(one), sms(two)])
    assert said(answers) == [None, None, NumberLimitReached, NumberLimitReached]


# ---- money


async def test_spending_stops_until_the_period_is_over(store: Store, directory: Directory) -> None:
    account = await limited(directory, spend={"day": 3 * SMS.price + 1, "month": 4 * SMS.price})
    assert said(await store.admit([sms(account)] * 4)) == [None, None, None, SpendLimitReached]
    assert said(await store.admit([sms(account, later_ms=DAY_MS)] * 2)) == [None, SpendLimitReached]
    assert said(await store.admit([sms(account, later_ms=31 * DAY_MS)])) == [None]
    assert await in_order(directory)


async def test_of_spending_a_notice_is_given_once_in_its_period(store: Store, directory: Directory) -> None:
    account = await limited(directory, spend={"day": 4 * SMS.price})
    kinds = []
    for _ in range(5):
        await store.admit([sms(account)])
        kinds.append([one.kind for one in await Notices(store.engine).latest(9)])
    assert kinds == [
        [],
        ["spend_day_50"],
        ["spend_day_50"],
        ["spend_day_100", "spend_day_80", "spend_day_50"],
        ["spend_day_100", "spend_day_80", "spend_day_50"],
    ]
    await store.admit([sms(account, later_ms=DAY_MS)] * 2)
    latest = (await Notices(store.engine).latest(9, account.id))[0]
    assert (latest.kind, latest.period, latest.detail) == ("spend_day_50", "2027-01-16", "of 0.002")
    assert await Notices(store.engine).latest(9, account.id + 1) == []


async def test_who_is_stopped_before_all_is_spent_is_told(store: Store, directory: Directory) -> None:
    account = await limited(directory, spend={"month": SMS.price - 1})
    assert said(await store.admit([sms(account)])) == [SpendLimitReached]
    (notice,) = await Notices(store.engine).latest(9)
    assert (notice.kind, notice.period) == ("spend_month_100", "2027-01")


async def test_a_low_balance_is_told_once_a_day(store: Store, directory: Directory) -> None:
    account = replace(await open_account(directory, 4 * SMS.price), low_balance=2 * SMS.price)
    told = []
    for later_ms in (0, 0, 0, 0, 0, DAY_MS):
        await store.admit([sms(account, later_ms=later_ms)])
        told.append([(one.period, one.detail) for one in await Notices(store.engine).latest(9)])
    day, following = ("2027-01-15", "0.0005"), ("2027-01-16", "0")
    assert told == [[], [], [day], [day], [day], [following, day]]


# ---- the same again


async def test_duplicates_are_refused_for_a_while(store: Store, directory: Directory) -> None:
    account = await limited(directory, duplicates="refuse", duplicate_s=60)
    orders = [
        sms(account), sms(account, later_ms=59_999), sms(account, later_ms=60_000), sms(account, NEXT),
        sms(account, text="another"),
    ]  # fmt: skip
    expected = [None, Duplicate, None, None, None]
    assert said(await store.admit(orders)) == expected
    assert said([(await store.admit([one]))[0] for one in map(later_by_a_day, orders)]) == expected


def later_by_a_day(one: Order) -> Order:
    return at(one, one.accepted_at - NOW + DAY_MS)


async def test_duplicates_are_merged_where_that_is_asked_for(
    store: Store, directory: Directory, store_url: str
) -> None:
    account = await limited(directory, duplicates="merge", counts={"account/day": 2})
    first, again, other = await store.admit([sms(account), sms(account), sms(account, NEXT)])
    (later,) = await store.admit([sms(account, later_ms=1000)])
    assert first == again == later != other
    assert rows(store_url, "messages") == 2
    assert await in_order(directory)


# ---- a client's keys


async def test_one_key_is_one_message(store: Store, directory: Directory, store_url: str) -> None:
    account = await open_account(directory, SMS.price)
    asked = sms(account, client_key="a", parts=3)
    answers = await store.admit([asked, asked])
    answers += await store.admit([asked])
    answers += await store.admit([at(asked, DAY_MS - 1)])
    assert answers == [answers[0]] * 4
    assert answers[0] == Accepted(1, 3)
    assert rows(store_url, "messages") == 1


async def test_a_repeat_is_neither_counted_nor_refused(store: Store, directory: Directory) -> None:
    account = await limited(
        directory, SMS.price, counts={"account/day": 1, "number/day": 1}, spend={"day": SMS.price},
        duplicates="refuse", sequence=2,
    )  # fmt: skip
    asked = sms(account, client_key="a")
    (first,) = await store.admit([asked])
    await Inbox(store.engine).stop(account.id, TO, NOW)
    assert await store.admit([asked, asked]) == [first, first]


async def test_a_key_that_was_refused_may_be_used_again(store: Store, directory: Directory) -> None:
    account = await limited(directory, counts={"account/second": 1})
    orders = [sms(account, client_key="a"), sms(account, client_key="b")]
    assert said(await store.admit(orders)) == [None, TooManyRequests]
    assert said(await store.admit([at(orders[1], 1000)])) == [None]


async def test_a_merged_message_is_answered_to_its_key_too(store: Store, directory: Directory) -> None:
    account = await limited(directory, duplicates="merge", duplicate_s=1)
    first, merged = await store.admit([sms(account), sms(account, client_key="a")])
    assert first == merged
    assert await store.admit([sms(account, later_ms=5000, client_key="a")]) == [first]


@pytest.mark.parametrize("together", [True, False])
async def test_another_request_under_the_same_key_is_refused(
    store: Store, directory: Directory, together: bool
) -> None:
    account = await open_account(directory, 10_000)
    orders = [sms(account, client_key="a"), sms(account, text="another", client_key="a")]
    batches = [orders] if together else [[one] for one in orders]
    answers = [answer for batch in batches for answer in await store.admit(batch)]
    assert said(answers) == [None, ClientIdReused]
    assert said(await store.admit([at(orders[1], DAY_MS)])) == [None], "a day later the key is free"


async def test_a_key_is_its_accounts_own(store: Store, directory: Directory) -> None:
    one, two = await open_account(directory, 1000), await open_account(directory, 1000, login="other")
    first, second = await store.admit([sms(one, client_key="a"), sms(two, client_key="a")])
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.id != second.id


async def test_what_was_answered_can_be_asked_for(store: Store, directory: Directory) -> None:
    account = await open_account(directory, 1000)
    asked = sms(account, client_key="a")
    fingerprint = rules.fingerprint(asked.request)
    assert await store.answered(account.id, "a", fingerprint, NOW) is None
    (first,) = await store.admit([asked])
    assert await store.answered(account.id, "a", fingerprint, NOW) == first
    assert isinstance(await store.answered(account.id, "a", "other", NOW), ClientIdReused)
    assert await store.answered(account.id, "a", fingerprint, NOW + DAY_MS) is None


# ---- everybody's stop list


async def test_who_is_on_everybodys_list_gets_nothing_of_anybody(
    store: Store, directory: Directory, account: Account
) -> None:
    inbox, other = Inbox(store.engine), await open_account(directory, 1000, login="other")
    waiting, free = await store.admit([sms(account), sms(account, NEXT)])
    assert isinstance(waiting, Accepted)
    assert isinstance(free, Accepted)
    await inbox.stop(EVERYONE, TO, NOW, "court order")
    assert said(await store.admit([sms(account), sms(other), sms(other, NEXT)])) == [
        RecipientOptedOut, RecipientOptedOut, None,
    ]  # fmt: skip
    handed = [one.recipient for one in await store.claim("smsc", "w1", 9, 1000, NOW)]
    assert handed == [NEXT, NEXT], "what was accepted before does not leave either"
    assert await inbox.unstop(EVERYONE, TO)
    assert said(await store.admit([sms(other)])) == [None]
    entries = await Audit(store.engine).entries(2)
    assert [(one.action, one.object) for one in entries] == [("unstop", "account 0"), ("stop", "account 0")]
    assert not any(TO in one.before + one.after for one in entries)


# ---- at once, and from several processes


def ids(answers: Sequence[Accepted | ApiError]) -> list[int]:
    found = [answer.id for answer in answers if isinstance(answer, Accepted)]
    assert len(found) == len(answers)
    return found


async def together(stores: Sequence[Store], orders: Sequence[Order]) -> list[Accepted | ApiError]:
    """The answers to orders that are asked for one by one at the same time."""
    batches: list[Batch[Order, Accepted | ApiError]] = [Batch(store.admit, 25) for store in stores]
    return await asyncio.gather(*(batches[n % len(batches)](one) for n, one in enumerate(orders)))


AT_ONCE = [
    pytest.param({"counts": {"account/day": 30}}, LimitReached, id="a count"),
    pytest.param({"spend": {"day": 30 * SMS.price + 499}}, SpendLimitReached, id="spending"),
]


@pytest.mark.parametrize(("limits", "error"), AT_ONCE)
async def test_a_limit_of_k_accepts_k_of_ten_k_at_once(
    store: Store, directory: Directory, limits: dict[str, Any], error: type[ApiError]
) -> None:
    account = await limited(directory, **limits)
    answers = said(await together([store], [sms(account, f"38050{i:07}") for i in range(300)]))
    assert (answers.count(None), answers.count(error)) == (30, 270)
    assert await in_order(directory)


@pytest.mark.parametrize(("limits", "error"), AT_ONCE)
async def test_a_limit_of_k_accepts_k_from_several_processes(
    postgres_url: str, limits: dict[str, Any], error: type[ApiError]
) -> None:
    async with AsyncExitStack() as stack:
        stores = await processes(stack, postgres_url)
        directory = Directory(stores[0].engine)
        account = await limited(directory, **limits)
        answers = said(await together(stores, [sms(account, f"38050{i:07}") for i in range(300)]))
        assert (answers.count(None), answers.count(error)) == (30, 270)
        assert await in_order(directory)


async def test_one_key_fifty_times_at_once_is_one_message(
    store: Store, directory: Directory, store_url: str
) -> None:
    account = await open_account(directory, 1_000_000)
    answers = await together([store], [sms(account, client_key="a")] * 50)
    assert answers == [Accepted(answers_id(answers), 1)] * 50
    assert rows(store_url, "messages") == 1


async def test_one_key_at_several_processes_is_one_message(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = await processes(stack, postgres_url)
        account = await open_account(Directory(stores[0].engine), 1_000_000)
        answers = await together(stores, [sms(account, client_key="a")] * 50)
        assert answers == [Accepted(answers_id(answers), 1)] * 50
        assert rows(postgres_url, "messages") == 1


def answers_id(answers: Sequence[Accepted | ApiError]) -> int:
    (found,) = set(ids(answers))
    return found


async def processes(stack: AsyncExitStack, url: str) -> list[Store]:
    """What three processes have on one database."""
    stores = [await open_store(url) for _ in range(3)]
    for store in stores:
        stack.push_async_callback(store.close)
    return stores


# ---- time


async def test_what_cannot_count_any_more_is_forgotten(
    store: Store, directory: Directory, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_limits, "PAGE", 1)
    account = await limited(
        directory, counts={"account/second": 9, "number/day": 9}, spend={"month": 9 * VIBER.price + 9999},
        duplicates="refuse",
    )  # fmt: skip
    await store.admit([sms(account, client_key="a")])

    async def left(later_ms: int) -> tuple[int, int, int]:
        await store_limits.forget(store.engine, NOW + later_ms)
        return rows(store_url, "usage"), rows(store_url, "recent"), rows(store_url, "answered")

    assert await left(999) == (3, 1, 1)
    assert await left(1000) == (2, 1, 1)
    assert await left(DAY_MS) == (1, 0, 0)
    assert await left(31 * DAY_MS) == (0, 0, 0)
