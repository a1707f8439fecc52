"""Messages to numbers in a row wait until the operator decides."""

import pytest
from conftest import NOW, SMS, open_account, run_sql
from msgspec.structs import replace
from test_store_limits import DAY_MS, FAR, NEXT, ids, in_order, limited, sms

from hopwire.model import Account, Status
from hopwire.store import Order, Store
from hopwire.store.audit import US, Audit
from hopwire.store.directory import Directory
from hopwire.store.holds import Holds
from hopwire.store.notices import Notices
from hopwire.timeline import lines


async def held(store: Store) -> list[int]:
    return [one.message_id for one in await Holds(store.engine).waiting(100)]


def sequence(account: Account, n: int, start: int = 0, later_ms: int = 0) -> list[Order]:
    return [sms(account, f"380501112{i:03}", later_ms) for i in range(start, start + n)]


@pytest.mark.parametrize("together", [True, False])
async def test_a_suspicious_sequence_is_held_from_its_nth_number_on(
    store: Store, directory: Directory, together: bool
) -> None:
    account = await limited(directory, sequence=3)
    orders = [*sequence(account, 4), sms(account, FAR), *sequence(account, 1)]
    batches = [orders] if together else [[one] for one in orders]
    made = ids([answer for batch in batches for answer in await store.admit(batch)])
    assert await held(store) == [made[2], made[3], made[5]]
    assert [one.message_id for one in await store.claim("smsc", "w1", 9, 1000, NOW)] == [*made[:2], made[4]]
    standings = await store.statuses(account.id, made)
    assert standings[made[2]].status is Status.PENDING
    assert [one.kind for one in await Notices(store.engine).latest(9)] == ["held"]
    assert await store.spendable(account.id) == 1_000_000 - 6 * SMS.price
    assert await in_order(directory)


async def test_numbers_that_come_slowly_or_again_are_no_sequence(store: Store, directory: Directory) -> None:
    account = await limited(directory, sequence=3)
    await store.admit([sms(account)] * 5)
    await store.admit(sequence(account, 1))
    await store.admit([sms(account, NEXT, later_ms=600_000)])
    assert await held(store) == []
    await store.admit([sms(account, "380501112999", later_ms=1_199_999)] * 2)
    assert await held(store) == []
    await store.admit(sequence(account, 1, later_ms=1_199_999))
    assert len(await held(store)) == 1


async def test_what_is_released_leaves_and_what_is_refused_does_not(
    store: Store, directory: Directory
) -> None:
    account = await limited(directory, sequence=2)
    _, first, second, third = ids(await store.admit(sequence(account, 4)))
    await store.claim("smsc", "w1", 9, 1000, NOW)
    assert await store.decide_held([first, 999], True, US, NOW + 5) == [first]
    assert await store.decide_held([second], False, US, NOW + 5) == [second]
    assert await store.decide_held([first, second], False, US, NOW + 6) == [], "it is decided"
    assert await held(store) == [third]
    assert [one.message_id for one in await store.claim("smsc", "w1", 9, 1000, NOW + 5)] == [first]
    standings = await store.statuses(account.id, [first, second, third])
    assert [standings[i].status for i in (first, second, third)] == [
        Status.SENDING, Status.DELETED, Status.PENDING,
    ]  # fmt: skip
    assert await store.spendable(account.id) == 1_000_000 - 3 * SMS.price
    assert [one.action for one in await Audit(store.engine).entries(2)] == ["refuse held", "release held"]
    assert await told(store, first) == ["accepted", "held: sequence", "released", "handed over to smsc"]
    assert await told(store, second) == ["accepted", "held: sequence", "deleted"]
    assert await in_order(directory)


async def told(store: Store, message_id: int) -> list[str]:
    """What a person reads of it, but for the money."""
    story = await store.story(message_id)
    assert story is not None
    whole = [line.what for line in lines(story, "UAH", lambda connector, code: "")]
    return [what for what in whole if not what.endswith(" UAH")]


async def test_what_nobody_decides_on_is_deleted_after_a_day(store: Store, directory: Directory) -> None:
    account = await limited(directory, sequence=2)
    _, waiting, taken_back = ids(await store.admit(sequence(account, 3)))
    assert (await store.delete(account.id, [taken_back], NOW))[taken_back].status is Status.DELETED
    assert await held(store) == [waiting]
    await store.claim("smsc", "w1", 9, 10 * DAY_MS, NOW)
    assert await store.run_timers(9, NOW + DAY_MS - 1) == 0
    assert await store.run_timers(9, NOW + DAY_MS) == 1
    assert (await store.statuses(account.id, [waiting]))[waiting].status is Status.DELETED
    assert await held(store) == []
    assert (await told(store, waiting))[-1] == "deleted: nobody has released it"
    assert await in_order(directory)


async def test_held_messages_are_listed_by_account_and_by_block(store: Store, directory: Directory) -> None:
    one = await limited(directory, sequence=2)
    two = replace(await open_account(directory, 10_000, login="other"), limits=one.limits)
    answers = await store.admit([order for who in (one, two) for order in sequence(who, 3)])
    theirs = ids(answers)[1:3], ids(answers)[4:6]
    holds = Holds(store.engine)
    assert [i.message_id for i in await holds.waiting(9)] == [*theirs[0], *theirs[1]]
    assert [i.message_id for i in await holds.waiting(9, two.id)] == theirs[1]
    assert [i.message_id for i in await holds.waiting(9, two.id, after=theirs[1][0])] == theirs[1][1:]
    assert [i.message_id for i in await holds.waiting(1, 0, "380501112")] == theirs[0][:1]
    assert await holds.waiting(9, 0, "380501113") == []


async def test_a_hold_that_is_none_is_a_fault_of_the_books(
    store: Store, directory: Directory, account: Account, store_url: str
) -> None:
    (free,) = ids(await store.admit([sms(account)]))
    run_sql(store_url, f"INSERT INTO holds VALUES ({free}, {account.id}, 0, 'x')")  # noqa: S608
    assert (await directory.fsck())["holds"] == [(free, account.id)]
