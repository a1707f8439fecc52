"""What waits for a connector that takes nothing is moved, page by page, on both engines."""

import pytest
from conftest import NOW, SMS, VIBER, order
from msgspec.structs import replace

from hopwire.events import Answered
from hopwire.model import Account, Later, Other, Outcome, Receipt, Status, Step, Taken, Unknown
from hopwire.store import Accepted, Store
from hopwire.timeline import lines

TWO = replace(SMS, others=(Other(connector="second", part_cost=5), Other(connector="third")))
WELL = frozenset({"second", "viber"})


async def accept(store: Store, account: Account, *steps: Step, to: str = "380501112233") -> int:
    (answer,) = await store.admit([order(account, *steps, to=to)])
    assert isinstance(answer, Accepted)
    return answer.id


async def claimed(store: Store, connector: str, worker: str = "w1") -> list[int]:
    handed = await store.claim(connector, worker, 100, 1000, NOW)
    return sorted(one.message_id for one in handed)


async def test_each_call_goes_on_after_the_last_one(store: Store, account: Account) -> None:
    """What has no other connector is passed over, and is in nobody's way."""
    alone = [await accept(store, account, SMS) for _ in range(5)]
    moved = [await accept(store, account, TWO) for _ in range(4)]
    looks = [await store.reroute("smsc", WELL, "down", 3, NOW) for _ in range(4)]
    assert looks == [(3, 0), (3, 1), (3, 3), (0, 0)]
    assert await store.reroute("smsc", WELL, "down", 100, NOW) == (5, 0)
    assert (await claimed(store, "smsc"), await claimed(store, "second")) == (alone, moved)


async def test_what_is_not_due_or_has_begun_stays(store: Store, account: Account) -> None:
    (later,) = await store.admit([order(account, TWO, send_at=NOW + 1)])
    assert isinstance(later, Accepted)
    begun = await accept(store, account, replace(TWO, parts=2))
    (handed,) = await store.claim("smsc", "w1", 1, 1000, NOW)
    await store.record([(begun, Answered(handed.step, handed.part, Taken("a"), "smsc"))], NOW)
    assert await store.reroute("smsc", WELL, "down", 100, NOW) == (1, 0)
    assert await store.reroute("smsc", WELL, "down", 100, NOW + 1) == (2, 1)
    assert [one.message_id for one in await store.claim("second", "w2", 9, 1000, NOW + 1)] == [later.id]


async def test_what_is_moved_may_be_taken_by_any_worker(store: Store, account: Account) -> None:
    """One had tried it; nothing of it has left."""
    message_id = await accept(store, account, replace(TWO, others=TWO.others[:1]))
    (handed,) = await store.claim("smsc", "w1", 1, 1000, NOW)
    await store.record([(message_id, Answered(0, 0, Later(0, "busy", unasked=True), "smsc"))], NOW)
    assert handed.message_id == message_id
    assert await store.reroute("smsc", WELL, "down", 9, NOW + 1000) == (1, 1)
    assert len(await store.claim("second", "w2", 9, 1000, NOW + 1000)) == 1


async def test_the_step_after_it_is_moved_like_any_other(store: Store, account: Account) -> None:
    """And its story tells it, with why."""
    message_id = await accept(store, account, replace(VIBER, others=(Other(connector="other"),)), TWO)
    assert await store.reroute("viber", {"other"}, "paused", 9, NOW) == (1, 1)
    story = await store.story(message_id)
    assert story is not None
    told = [(line.what, line.code) for line in lines(story, "UAH", lambda connector, code: "?")]
    assert told[-1] == ("goes by other instead", "paused")


@pytest.mark.parametrize("by", ["smsc", "second"])
async def test_a_receipt_finds_what_either_has_taken(store: Store, account: Account, by: str) -> None:
    """The first one's answer was lost and comes after all, when the second one has it, too."""
    step = replace(SMS, resend=True, others=(Other(connector="second", resend=True),))
    message_id = await accept(store, account, step)
    await store.claim("smsc", "w1", 1, 1000, NOW)
    await store.record([(message_id, Answered(0, 0, Unknown("lost"), "smsc"))], NOW)
    await store.claim("second", "w1", 1, 1000, NOW)
    for connector, provider_id in (("second", "b"), ("smsc", "a")):
        await store.record([(message_id, Answered(0, 0, Taken(provider_id), connector))], NOW)
    told = Receipt(
        connector=by,
        provider_id={"smsc": "a", "second": "b"}[by],
        recipient="380501112233",
        outcome=Outcome.DELIVERED,
        code="0",
        raw="",
    )
    await store.keep_receipts([told], NOW)
    assert (await store.statuses(account.id, [message_id]))[message_id].status is Status.DELIVERED
    story = await store.story(message_id)
    assert story is not None
    said = [line.what for line in lines(story, "UAH", lambda connector, code: "")]
    assert said[2:7] == [
        "handed over to smsc",
        "no answer",
        "goes by second instead",
        "handed over to second, perhaps again",
        "taken as b",
    ]
