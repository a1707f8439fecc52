"""What is kept of a message tells what has happened to it."""

import pytest
from conftest import NOW, SMS, VIBER, order, run_sql
from msgspec.structs import replace
from test_store import LEASE_MS, admit, answered, claim
from test_store_receipts import receipt

from hopwire.model import Account, Fault, Later, Never, Outcome, SmsText, Status, Taken, Unknown, ViberText
from hopwire.store import Store
from hopwire.timeline import Note, Payment, Story, What

END = NOW + 1000 * (VIBER.lifetime_s + VIBER.grace_s)
RESENT = replace(SMS, resend=True)


async def read(store: Store, message_id: int) -> Story:
    story = await store.story(message_id)
    assert story is not None
    return story


async def test_a_message_that_never_was_has_no_story(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account))
    assert await store.story(message_id + 1) is None


async def test_a_message_is_told_as_it_was_asked(store: Store, account: Account) -> None:
    asked = order(account, send_at=NOW + 60_000)
    (message_id,) = await admit(store, asked)
    assert await read(store, message_id) == Story(
        id=message_id,
        account_id=account.id,
        accepted_at=NOW,
        send_at=NOW + 60_000,
        recipient="380501112233",
        sms_sender="Shop",
        sms=SmsText(text="hello"),
        viber_sender="Shop",
        viber=ViberText(text="hello"),
        status_at=NOW,
        delivery=asked.delivery,
        notes=[],
        payments=[Payment(NOW, "reserve", 300, 0), Payment(NOW, "reserve", 500, 1)],
        receipts=[],
    )


async def test_a_redirected_message_is_told_step_by_step(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account))
    (viber,) = await claim(store, "viber", now=NOW + 1)
    await store.record([answered(viber, Taken("v1"))], NOW + 2)
    await store.run_timers(9, END + 1)
    (sms,) = await claim(store, now=END + 2)
    await store.record([answered(sms, Taken("a1"))], END + 3)
    await store.keep_receipts([replace(receipt("a1"), raw="id:a1 stat:DELIVRD")], END + 4)
    await store.keep_receipts([receipt("v1", Outcome.SEEN, "viber")], END + 5)
    story = await read(store, message_id)
    assert story.notes == [
        (NOW + 2, Note(0, 0, What.TAKEN, Status.SENT, "", "v1", NOW + 1)),
        (END + 1, Note(0, 0, What.LAPSED, Status.SENT)),
        (END + 1, Note(1, 0, What.NEXT, Status.SENT, "not delivered", str(END + 1))),
        (END + 3, Note(1, 0, What.TAKEN, Status.SENT, "", "a1", END + 2)),
        (END + 4, Note(1, 0, What.DELIVERED, Status.DELIVERED, "x")),
        (END + 5, Note(0, 0, What.SEEN, Status.READ, "x")),
        (END + 5, Note(0, 0, What.LATE, Status.READ)),
    ]
    assert [one[:2] for one in story.payments[2:]] == [(END + 3, "charge"), (END + 4, "release")]
    assert [(one.provider_id, one.outcome, one.raw) for one in story.receipts] == [
        ("a1", Outcome.DELIVERED, "id:a1 stat:DELIVRD"), ("v1", Outcome.SEEN, ""),
    ]  # fmt: skip


async def test_each_try_of_a_part_is_told(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, RESENT))
    (first,) = await claim(store)
    await store.record([answered(first, Later(1.0, "busy"))], NOW + 1)
    (second,) = await claim(store, now=NOW + 5000)
    await store.run_timers(9, NOW + 5000 + LEASE_MS)
    (third,) = await claim(store, now=NOW + 99_000)
    await store.record([answered(third, Never("no", Fault.NUMBER))], NOW + 99_001)
    assert (await read(store, message_id)).notes == [
        (NOW + 1, Note(0, 0, What.LATER, Status.SENDING, "busy", str(NOW + 1001), NOW)),
        (NOW + 5000 + LEASE_MS, Note(0, 0, What.UNKNOWN, Status.SENDING, "lost", "", NOW + 5000)),
        (NOW + 99_001, Note(0, 0, What.REFUSED, Status.BAD_NUMBER, "no", "number", NOW + 99_000)),
    ]
    assert second.message_id == message_id


async def test_a_receipt_that_overtakes_the_answer_ends_the_try(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    await store.keep_receipts([receipt("a1")], NOW + 1)
    await store.record([answered(handover, Taken("a1"))], NOW + 2)
    assert (await read(store, message_id)).notes == [
        (NOW + 2, Note(0, 0, What.TAKEN, Status.SENT, "", "a1", NOW)),
        (NOW + 2, Note(0, 0, What.DELIVERED, Status.DELIVERED, "x")),
    ]


async def test_a_receipt_that_is_found_by_the_number_is_told(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    await store.record([answered(handover, Unknown("timeout"))], NOW)
    await store.keep_receipts([receipt("a1", to=handover.recipient)], NOW + 1)
    await store.match_receipts(9, NOW + 2)
    story = await read(store, message_id)
    assert [note.what for _, note in story.notes] == [What.UNKNOWN, What.TAKEN, What.DELIVERED]
    assert [one.received_at for one in story.receipts] == [NOW + 1]


async def test_what_changes_nothing_is_not_noted(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    for _ in range(2):
        await store.record([answered(handover, Taken("a1"))], NOW)
        await store.keep_receipts([receipt("a1"), receipt("a1", Outcome.EXPIRED)], NOW)
    story = await read(store, message_id)
    assert [note.what for _, note in story.notes] == [What.TAKEN, What.DELIVERED]
    assert len(story.receipts) == 4


async def test_a_number_that_is_remembered_is_told(store: Store, account: Account) -> None:
    await admit(store, order(account))
    (handover,) = await claim(store, "viber")
    await store.record([answered(handover, Never("9", Fault.NO_ACCOUNT))], NOW)
    (message_id,) = await admit(store, order(account))
    await claim(store, "viber", now=NOW + 1)
    assert (await read(store, message_id)).notes == [
        (NOW + 1, Note(0, 0, What.SPARED, Status.PENDING, "remembered", "no account")),
        (NOW + 1, Note(1, 0, What.NEXT, Status.PENDING, "refused", str(NOW + 1))),
    ]


async def test_a_deletion_is_told(store: Store, account: Account) -> None:
    (message_id,) = await admit(store, order(account, send_at=NOW + 60_000))
    await store.delete(account.id, [message_id], NOW + 1)
    assert (await read(store, message_id)).notes == [(NOW + 1, Note(0, 0, What.DELETED, Status.DELETED))]


@pytest.mark.parametrize("strange", ["\0", "\ud7ff\U0010ffff", "'; DROP TABLE events; --"])
async def test_what_strangers_write_is_kept(store: Store, account: Account, strange: str) -> None:
    (message_id,) = await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    await store.record([answered(handover, Later(1.0, strange))], NOW)
    ((_, note),) = (await read(store, message_id)).notes
    assert note.code == strange.replace("\0", "\ufffd")


async def test_a_change_and_its_note_are_kept_together(
    store: Store, store_url: str, account: Account
) -> None:
    await admit(store, order(account, SMS))
    (handover,) = await claim(store)
    run_sql(store_url, "ALTER TABLE events RENAME TO gone")
    with pytest.raises(Exception, match="events"):
        await store.record([answered(handover, Taken("a1"))], NOW)
    run_sql(store_url, "ALTER TABLE gone RENAME TO events")
    assert run_sql(store_url, "SELECT status FROM deliveries") == [(Status.SENDING,)]
