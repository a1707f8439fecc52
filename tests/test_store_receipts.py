"""Receipts find their messages: by the provider's id, before its answer or after, and by the number."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from conftest import NOW, SMS, open_account, order, run_sql
from msgspec.structs import replace
from test_store import TO, admit, answered, claim, money, status, submit

from hopwire.model import Account, Fault, Never, Outcome, Receipt, Status, Taken, Unknown
from hopwire.store import RECEIPTS_KEPT_MS, Store, UnmatchedReceipt
from hopwire.store import receipts as receipts_module
from hopwire.store.directory import Directory
from hopwire.store.engine import Tx
from hopwire.store.migrate import open_store
from hopwire.store.receipts import Found
from hopwire.store.rows import KeptReceipt


def receipt(
    provider_id: str, outcome: Outcome = Outcome.DELIVERED, connector: str = "smsc", to: str = ""
) -> Receipt:
    return Receipt(
        connector=connector, provider_id=provider_id, recipient=to, outcome=outcome, code="x", raw=""
    )


async def test_a_receipt_is_charged_once_however_often_it_comes(store: Store, directory: Directory) -> None:
    account = await open_account(directory, money=1000, charge_sms_on="delivered")
    (message_id,) = await submit(store, Taken("a1"), order(account, replace(SMS, charge_on="delivered")))
    assert await money(directory) == (1000, 500)
    await store.keep_receipts([receipt("a1")] * 2, NOW)
    await store.keep_receipts([receipt("a1")], NOW)
    assert await status(store, account, message_id) is Status.DELIVERED
    assert await money(directory) == (500, 0)


async def test_a_receipt_before_the_answer_waits_for_it(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    await store.keep_receipts([receipt("a1", Outcome.PROGRESS), receipt("a1")], NOW)
    assert await status(store, account, message_id) is Status.SENDING
    await store.record([answered(handover, Taken("a1"))], NOW)
    assert await status(store, account, message_id) is Status.DELIVERED
    assert await store.match_receipts(10, NOW) == 0


async def test_another_connectors_receipt_with_the_same_id_is_not_meant(
    store: Store, account: Account
) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    await store.keep_receipts([receipt("a1", connector="viber")], NOW)
    await store.record([answered(handover, Taken("a1"))], NOW)
    await store.keep_receipts([receipt("a1", connector="viber")], NOW)
    assert await store.match_receipts(10, NOW) == 0
    assert await status(store, account, message_id) is Status.SENT


async def test_an_id_used_again_means_the_latest_message(store: Store, account: Account) -> None:
    first, *_ = await submit(store, Taken("7"), order(account, SMS))
    second, *_ = await submit(store, Taken("7"), order(account, SMS))
    await store.keep_receipts([receipt("7")], NOW)
    assert await status(store, account, first) is Status.SENT
    assert await status(store, account, second) is Status.DELIVERED


async def test_a_receipt_that_nothing_is_known_of_is_kept_for_72_hours(
    store: Store, store_url: str, account: Account
) -> None:
    await submit(store, Taken("a1"), order(account, SMS))
    await store.keep_receipts([receipt("stranger"), receipt("a1")], NOW)
    assert await store.forget_receipts(NOW + RECEIPTS_KEPT_MS) == 0
    assert await store.forget_receipts(NOW + RECEIPTS_KEPT_MS + 1) == 1
    assert run_sql(store_url, "SELECT provider_id FROM receipts") == [("a1",)]


async def test_a_lost_answer_is_learned_from_the_number(store: Store, account: Account) -> None:
    (message_id,) = await submit(store, Unknown("lost"), order(account, SMS))
    await store.keep_receipts([receipt("a1", to=TO)], NOW)
    assert await store.match_receipts(10, NOW) == 1
    assert await status(store, account, message_id) is Status.DELIVERED
    await store.keep_receipts([receipt("a1", Outcome.SEEN)], NOW)  # by its id, from now on
    assert await status(store, account, message_id) is Status.READ


async def test_of_several_lost_answers_the_oldest_is_meant(store: Store, account: Account) -> None:
    """Two receipts with one id mean one message, not the next one, too."""
    first, second = await submit(store, Unknown("lost"), order(account, SMS), order(account, SMS))
    await store.keep_receipts([receipt("a1", Outcome.PROGRESS, to=TO), receipt("a1", to=TO)], NOW)
    assert await store.match_receipts(10, NOW) == 2
    assert await status(store, account, first) is Status.DELIVERED
    assert await status(store, account, second) is Status.SENDING
    await store.keep_receipts([receipt("a2", Outcome.FAILED, to=TO)], NOW)
    assert await store.match_receipts(10, NOW) == 1
    assert await status(store, account, second) is Status.FAILED


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(receipt("a1", to="380507654321"), id="another number"),
        pytest.param(receipt("a1", connector="other", to=TO), id="another connector"),
        pytest.param(receipt("a1"), id="no number"),
    ],
)
async def test_a_receipt_of_others_does_not_match_by_number(
    store: Store, account: Account, stranger: Receipt
) -> None:
    await submit(store, Unknown("lost"), order(account, SMS))
    await store.keep_receipts([stranger], NOW)
    assert await store.match_receipts(10, NOW) == 0


async def test_a_receipt_older_than_the_hand_over_does_not_match_by_number(
    store: Store, account: Account
) -> None:
    await store.keep_receipts([receipt("a1", to=TO)], NOW - 1)
    await submit(store, Unknown("lost"), order(account, SMS))
    assert await store.match_receipts(10, NOW) == 0


async def test_a_number_decides_nothing_while_an_answer_may_still_come(
    store: Store, account: Account
) -> None:
    (lost,) = await submit(store, Unknown("lost"), order(account, SMS))
    (asked,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    await store.keep_receipts([receipt("a2", to=TO)], NOW)
    assert await store.match_receipts(10, NOW) == 0
    await store.record([answered(handover, Taken("a2"))], NOW)
    assert await status(store, account, asked) is Status.DELIVERED
    assert await status(store, account, lost) is Status.SENDING


async def test_many_receipts_of_strangers_do_not_hide_one_of_ours(store: Store, account: Account) -> None:
    await store.keep_receipts([receipt(f"stranger{n}") for n in range(30)], NOW)
    (message_id,) = await submit(store, Unknown("lost"), order(account, SMS))
    await store.keep_receipts([receipt("a1", to=TO)], NOW)
    assert sum([await store.match_receipts(10, NOW) for _ in range(5)]) == 1
    assert await status(store, account, message_id) is Status.DELIVERED


async def test_characters_that_postgresql_cannot_keep_stop_nothing(store: Store, account: Account) -> None:
    nul = replace(receipt("a\0", to="3805\0"), code="\0", raw="raw\0")
    (message_id,) = await submit(store, Taken("b\0"), order(account, SMS))
    await submit(store, Never("\0", Fault.CONTENT), order(account, SMS))
    await store.keep_receipts([nul, receipt("b\0")], NOW)
    await store.match_receipts(10, NOW)
    assert await status(store, account, message_id) is Status.DELIVERED


# ---- an id that is spelled otherwise


def spelled(*spellings: str, to: str = TO, connector: str = "smsc") -> Receipt:
    return replace(receipt("0A", connector=connector, to=to), also=spellings)


async def test_each_receipt_is_told_the_id_of_its_message(store: Store, account: Account) -> None:
    await submit(store, Taken("10"), order(account, SMS))
    await submit(store, Taken("b"), order(account, SMS))
    receipts = [receipt("b"), receipt("c"), spelled("a", "10"), spelled("c"), receipt("")]
    assert await store.keep_receipts(receipts, NOW) == ["b", None, "10", None, None]


async def test_a_message_is_found_by_another_spelling_of_its_id(store: Store, account: Account) -> None:
    (message_id,) = await submit(store, Taken("10"), order(account, SMS))
    await store.keep_receipts([spelled("a", "10")], NOW)
    assert await status(store, account, message_id) is Status.DELIVERED
    assert await store.match_receipts(10, NOW) == 0


async def test_the_id_as_it_is_written_wins_and_then_the_first_spelling(
    store: Store, account: Account
) -> None:
    second, first, exact = [
        (await submit(store, Taken(one), order(account, SMS)))[0] for one in ("10", "a", "0A")
    ]
    assert await store.keep_receipts([spelled("a", "10")], NOW) == ["0A"]
    assert await store.keep_receipts([replace(spelled("a", "10"), provider_id="00A")], NOW) == ["a"]
    assert await status(store, account, exact) is Status.DELIVERED
    assert await status(store, account, first) is Status.DELIVERED
    assert await status(store, account, second) is Status.SENT


async def test_of_several_messages_to_the_number_the_youngest_is_meant(
    store: Store, account: Account
) -> None:
    other = order(account, SMS, to="380671112233")
    ids = [
        (await submit(store, Taken("10"), one))[0]
        for one in (order(account, SMS), order(account, SMS), other)
    ]
    await store.keep_receipts([spelled("10")], NOW)
    told = await store.statuses(account.id, ids)
    assert [told[i].status for i in ids] == [Status.SENT, Status.DELIVERED, Status.SENT]


@pytest.mark.parametrize(
    ("stranger", "now"),
    [
        pytest.param(spelled("10", to="380507654321"), NOW, id="another number"),
        pytest.param(spelled("10", to=""), NOW, id="no number"),
        pytest.param(spelled("10", connector="other"), NOW, id="another connector"),
        pytest.param(spelled("11"), NOW, id="another id"),
        pytest.param(spelled("10"), NOW + RECEIPTS_KEPT_MS + 1, id="too late"),
        pytest.param(spelled("10"), NOW - 1, id="before the hand-over"),
    ],
)
async def test_a_spelling_is_not_believed_of(
    store: Store, account: Account, stranger: Receipt, now: int
) -> None:
    await submit(store, Taken("10"), order(account, SMS))
    assert await store.keep_receipts([stranger], now) == [None]
    assert await store.match_receipts(10, now) == 0


async def test_a_spelling_is_believed_for_72_hours(store: Store, account: Account) -> None:
    await submit(store, Taken("10"), order(account, SMS))
    assert await store.keep_receipts([spelled("10")], NOW + RECEIPTS_KEPT_MS) == ["10"]


async def test_an_id_spelled_otherwise_before_the_answer_waits_for_it(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    assert await store.keep_receipts([spelled("a", "10\0")], NOW + 5) == [None]
    assert await store.match_receipts(10, NOW + 5) == 0
    await store.record([answered(handover, Taken("10\0"))], NOW + 10)
    assert await store.match_receipts(10, NOW + 20) == 1
    assert await status(store, account, message_id) is Status.DELIVERED


async def test_a_receipt_of_a_part_is_older_than_the_hand_over_of_the_next(
    store: Store, account: Account
) -> None:
    (message_id,) = await admit(store, order(account, replace(SMS, parts=2)))
    (first,) = await claim(store)
    await store.keep_receipts([spelled("10")], NOW + 5)
    await store.record([answered(first, Taken("10"))], NOW + 10)
    (second,) = await claim(store, now=NOW + 20)
    await store.record([answered(second, Taken("11"))], NOW + 30)
    assert await store.match_receipts(10, NOW + 40) == 1
    assert await store.keep_receipts([receipt("11")], NOW + 50) == ["11"]
    assert await status(store, account, message_id) is Status.DELIVERED


async def test_a_lost_part_is_found_by_a_receipt_older_than_the_hand_over_of_the_next(
    store: Store, account: Account
) -> None:
    (message_id,) = await admit(store, order(account, replace(SMS, parts=2)))
    (first,) = await claim(store)
    await store.keep_receipts([receipt("10", to=TO)], NOW + 5)
    await store.record([answered(first, Unknown("lost"))], NOW + 10)
    (second,) = await claim(store, now=NOW + 20)
    await store.record([answered(second, Taken("11"))], NOW + 30)
    assert await store.match_receipts(10, NOW + 40) == 1
    await store.keep_receipts([receipt("11")], NOW + 50)
    assert await status(store, account, message_id) is Status.DELIVERED


async def test_a_receipt_of_the_first_try_is_known_when_the_last_was_lost(
    store: Store, account: Account
) -> None:
    (message_id,) = await admit(store, order(account, replace(SMS, resend=True, lifetime_s=10)))
    (first,) = await claim(store)
    await store.record([answered(first, Unknown("lost"))], NOW)
    await store.keep_receipts([receipt("a1", to=TO)], NOW + 500)
    (second,) = await claim(store, now=NOW + 1_000)
    await store.record([answered(second, Unknown("lost"))], NOW + 10_000)
    assert await store.match_receipts(10, NOW + 10_000) == 1
    assert await status(store, account, message_id) is Status.DELIVERED


async def test_an_answer_that_comes_while_its_receipt_is_looked_for_is_believed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = [await open_store(postgres_url) for _ in range(2)]
    account = await open_account(Directory(store.engine), money=1_000_000)
    await admit(store, order(account, replace(SMS, parts=2)))
    (first,) = await claim(store)
    await store.record([answered(first, Unknown("lost"))], NOW)
    (second,) = await claim(store)
    await store.keep_receipts([receipt("a1", to=TO)], NOW)

    def find(tx: Tx, receipts: Sequence[KeptReceipt]) -> list[Found | None]:
        monkeypatch.undo()
        found = receipts_module.find(tx, receipts)
        answer = threading.Thread(
            target=lambda: asyncio.run(other.record([answered(second, Taken("a1"))], NOW))
        )
        answer.start()
        answer.join()
        return found

    monkeypatch.setattr("hopwire.store.find", find)
    await store.match_receipts(10, NOW)
    (overview,) = await store.latest(1)
    assert overview.steps[0].parts == ["unknown", "delivered"]
    for one in (store, other):
        await one.close()


async def test_receipts_without_a_message_are_told_the_newest_first(store: Store, account: Account) -> None:
    await submit(store, Taken("a1"), order(account, SMS))
    lost = replace(spelled("b"), raw="id:0A", outcome=Outcome.FAILED)
    await store.keep_receipts([receipt("1"), receipt("a1"), receipt("2", connector="other")], NOW)
    await store.keep_receipts([lost], NOW + 1)
    told = await store.unmatched(9)
    assert [one.provider_id for one in told] == ["0A", "2", "1"]
    assert told[0] == UnmatchedReceipt(NOW + 1, "smsc", "0A", TO, Outcome.FAILED, "x", "id:0A", told[0].id)
    assert await store.unmatched(1, before=(told[0].received_at, told[0].id)) == told[1:2]
    assert [one.provider_id for one in await store.unmatched(1)] == ["0A"]
    assert [one.provider_id for one in await store.unmatched(9, "other")] == ["2"]
    assert await store.unmatched(9, "none") == []
