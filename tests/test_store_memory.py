"""A number that is not on Viber is remembered: its messages go by SMS at once, for some days."""

from collections.abc import AsyncIterator

import pytest
from conftest import NOW, SMS, VIBER, order, run_sql
from msgspec.structs import replace
from test_store import TO, admit, answered, claim, status
from test_store_receipts import receipt

from hopwire.model import Account, Answer, Fault, Handover, Later, Never, Outcome, Status, Taken, Unknown
from hopwire.store import Store
from hopwire.store.memory import KEPT_MS, Memory

NOT_THERE = Never("9", Fault.NO_ACCOUNT)
OTHER = "380671112233"


@pytest.fixture
def memory(store: Store) -> Memory:
    return Memory(store.engine)


@pytest.fixture
async def learned(store: Store, account: Account) -> AsyncIterator[None]:
    """Viber has said that the number is not there."""
    await try_viber(store, account, NOT_THERE)
    yield


async def try_viber(store: Store, account: Account, answer: Answer, now: int = NOW, to: str = TO) -> int:
    """A message that Viber answers so; it goes no further."""
    (message_id,) = await admit(store, order(account, to=to, send_at=now))
    (handover,) = await claim(store, "viber", now=now)
    await store.record([answered(handover, answer)], now)
    await claim(store, "smsc", now=now)
    return message_id


async def left(store: Store, now: int = NOW) -> list[Handover]:
    """What leaves when both connectors are asked, Viber first."""
    return [*await claim(store, "viber", now=now), *await claim(store, "smsc", now=now)]


@pytest.mark.usefixtures("learned")
async def test_a_message_to_a_remembered_number_goes_by_sms_at_once(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account))
    assert [(h.message_id, h.step) for h in await left(store)] == [(message_id, 1)]
    assert await status(store, account, message_id) is Status.SENDING


@pytest.mark.usefixtures("learned")
async def test_other_numbers_are_looked_for(store: Store, account: Account) -> None:
    ids = await admit(store, order(account, to=OTHER), order(account))
    assert [(h.message_id, h.step) for h in await left(store)] == [(ids[0], 0), (ids[1], 1)]


@pytest.mark.usefixtures("learned")
async def test_a_message_that_has_no_other_step_is_tried(store: Store, account: Account) -> None:
    await admit(store, order(account, VIBER))
    assert [h.step for h in await left(store)] == [0]


@pytest.mark.usefixtures("learned")
async def test_a_scheduled_message_does_not_leave_early(store: Store, account: Account) -> None:
    await admit(store, order(account, send_at=NOW + 60_000))
    assert await left(store, NOW + 59_999) == []
    assert [h.step for h in await left(store, NOW + 60_000)] == [1]


@pytest.mark.usefixtures("learned")
async def test_one_connector_may_carry_both_steps(store: Store, account: Account) -> None:
    await admit(store, order(account, VIBER, replace(SMS, connector="viber")))
    assert await claim(store, "viber") == []
    assert [h.step for h in await claim(store, "viber")] == [1]


@pytest.mark.usefixtures("learned")
async def test_a_step_that_had_begun_is_gone_on_with(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, to=OTHER))
    (handover,) = await claim(store, "viber")
    await store.record([answered(handover, Later(1.0, "1"))], NOW)
    await try_viber(store, account, NOT_THERE, to=OTHER)
    assert [h.message_id for h in await claim(store, "viber", now=NOW + 1000)] == [message_id]


@pytest.mark.usefixtures("learned")
async def test_the_number_is_looked_for_again_when_the_time_has_passed(
    store: Store, memory: Memory, account: Account
) -> None:
    assert await memory.until(TO, NOW) == NOW + KEPT_MS
    await admit(store, order(account, send_at=NOW + KEPT_MS))
    assert [h.step for h in await claim(store, "viber", now=NOW + KEPT_MS)] == [0]
    assert await memory.until(TO, NOW + KEPT_MS) is None


@pytest.mark.usefixtures("learned")
async def test_what_is_heard_again_counts_from_then(store: Store, memory: Memory, account: Account) -> None:
    later = NOW + KEPT_MS
    await try_viber(store, account, NOT_THERE, now=later)
    assert await memory.until(TO, later) == later + KEPT_MS


@pytest.mark.parametrize(
    "answer",
    [Never("8", Fault.BLOCKED), Never("10", Fault.RECIPIENT), Later(1.0, "1"), Unknown("x"), Taken("a1")],
    ids=str,
)
async def test_other_answers_are_not_remembered(
    store: Store, memory: Memory, account: Account, answer: Answer
) -> None:
    await try_viber(store, account, answer)
    assert await memory.until(TO, NOW) is None


async def test_what_another_channel_says_is_not_remembered(
    store: Store, memory: Memory, account: Account
) -> None:
    await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    await store.record([answered(handover, NOT_THERE)], NOW)
    assert await memory.until(TO, NOW) is None


async def test_a_receipt_may_tell_it_too(store: Store, memory: Memory, account: Account) -> None:
    await try_viber(store, account, Taken("v1"))
    no = replace(receipt("v1", Outcome.FAILED, "viber"), fault=Fault.NO_ACCOUNT)
    await store.keep_receipts([no], NOW + 5)
    assert await memory.until(TO, NOW) == NOW + 5 + KEPT_MS


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.SEEN])
async def test_a_delivery_makes_the_number_forgotten(
    store: Store, memory: Memory, account: Account, outcome: Outcome
) -> None:
    await try_viber(store, account, Taken("v1"))
    await try_viber(store, account, NOT_THERE)
    await store.keep_receipts([receipt("v1", Outcome.PROGRESS, "viber")], NOW)
    assert await memory.until(TO, NOW) is not None
    await store.keep_receipts([receipt("v1", outcome, "viber")], NOW)
    assert await memory.until(TO, NOW) is None


@pytest.mark.usefixtures("learned")
async def test_a_delivery_by_sms_makes_nothing_forgotten(
    store: Store, memory: Memory, account: Account
) -> None:
    await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    await store.record([answered(handover, Taken("a1"))], NOW)
    await store.keep_receipts([receipt("a1")], NOW)
    assert await memory.until(TO, NOW) is not None


@pytest.mark.usefixtures("learned")
async def test_an_operator_may_make_it_forgotten(store: Store, memory: Memory, account: Account) -> None:
    assert await memory.forget(TO)
    assert not await memory.forget(TO)
    await admit(store, order(account))
    assert [h.step for h in await left(store)] == [0]


@pytest.mark.usefixtures("learned")
async def test_what_is_old_is_dropped(memory: Memory, store_url: str) -> None:
    assert await memory.forget_old(NOW + KEPT_MS - 1) == 0
    assert await memory.forget_old(NOW + KEPT_MS) == 1
    assert run_sql(store_url, "SELECT count(*) FROM no_account") == [(0,)]


@pytest.mark.usefixtures("learned")
async def test_the_memory_can_be_switched_off(store: Store, store_url: str, account: Account) -> None:
    forgetful = Store(store.engine, remember_ms=0)
    await try_viber(forgetful, account, NOT_THERE, to=OTHER)
    assert run_sql(store_url, "SELECT number FROM no_account") == [(TO,)]
    await admit(forgetful, order(account))
    assert [h.step for h in await left(forgetful)] == [0]
