"""A provider that is polled is asked about what it has taken, each message in its turn."""

import pytest
from conftest import NOW, SMS, VIBER, order
from msgspec.structs import replace
from test_store import admit, answered, claim, submit
from test_store_receipts import receipt

from hopwire.model import Account, Answer, Fault, Later, Never, Taken, Unknown
from hopwire.store import Store

UNREPORTED = replace(SMS, reports="none")
TWO = replace(SMS, parts=2)


async def take(store: Store, account: Account, *provider_ids: str) -> None:
    """Let messages be taken under these ids, in their order."""
    await admit(store, *(order(account, SMS) for _ in provider_ids))
    handovers = await claim(store)
    pairs = zip(handovers, provider_ids, strict=True)
    await store.record([answered(handover, Taken(one)) for handover, one in pairs], NOW)


async def test_what_is_outstanding_is_told_round_and_round(store: Store, account: Account) -> None:
    await take(store, account, "a", "b", "c", "d", "e")
    assert [await store.outstanding("smsc", 2) for _ in range(5)] == [
        ["a", "b"], ["c", "d"], ["e"], ["a", "b"], ["c", "d"],
    ]  # fmt: skip
    assert await store.outstanding("smsc", 9) == ["e"]
    assert await store.outstanding("smsc", 9) == ["a", "b", "c", "d", "e"]


async def test_what_has_ended_is_not_asked_about_and_what_is_new_has_its_turn(
    store: Store, account: Account
) -> None:
    await take(store, account, "a", "b", "c")
    assert await store.outstanding("smsc", 1) == ["a"]
    await store.keep_receipts([receipt("b")], NOW)
    await take(store, account, "d")
    assert [await store.outstanding("smsc", 1) for _ in range(3)] == [["c"], ["d"], ["a"]]


@pytest.mark.parametrize(
    "answer", [Taken(""), Later(1.0, "x"), Never("x", Fault.CONTENT), Unknown("x")], ids=str
)
async def test_what_has_no_id_cannot_be_asked_about(store: Store, account: Account, answer: Answer) -> None:
    await submit(store, answer, order(account, SMS))
    assert await store.outstanding("smsc", 9) == []


async def test_what_nobody_reports_on_is_not_asked_about(store: Store, account: Account) -> None:
    await submit(store, Taken("a"), order(account, UNREPORTED))
    assert await store.outstanding("smsc", 9) == []


async def test_each_connector_is_asked_about_its_own_and_has_its_own_place(
    store: Store, account: Account
) -> None:
    await take(store, account, "a", "b")
    await admit(store, order(account, VIBER), order(account, VIBER))
    handovers = await claim(store, "viber")
    await store.record([answered(h, Taken(f"v{n}")) for n, h in enumerate(handovers)], NOW)
    assert await store.outstanding("smsc", 1) == ["a"]
    assert await store.outstanding("viber", 9) == ["v0", "v1"]
    assert await store.outstanding("smsc", 1) == ["b"]
    assert await store.outstanding("other", 9) == []


async def test_the_parts_of_a_message_are_asked_about_together(store: Store, account: Account) -> None:
    await admit(store, order(account, TWO), order(account, TWO))
    for part in range(2):
        handovers = await claim(store)
        await store.record([answered(h, Taken(f"{n}{part}")) for n, h in enumerate(handovers)], NOW)
    assert [await store.outstanding("smsc", 3) for _ in range(3)] == [
        ["00", "01"],
        ["10", "11"],
        ["00", "01"],
    ]
