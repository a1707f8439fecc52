"""What comes in is kept once, for the account that owns the number; a stop list is kept to."""

import asyncio
from pathlib import Path

import pytest
from conftest import NOW, SMS, open_account, order, run_sql
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_inbox import cut, incoming
from test_store import admit, answered, claim, money

from hopwire.errors import NotEnoughMoney, RecipientOptedOut
from hopwire.inbox import whole
from hopwire.model import Account, Fault, Incoming, Never, Status, Taken, Unsubscribed
from hopwire.store import Accepted, Store
from hopwire.store.directory import Directory
from hopwire.store.inbox import Inbox, InboxMessage, Stopped
from hopwire.store.migrate import open_store

FROM = "380671112233"
TO = "4455"
DAY_MS = 86_400_000
WORDS = {"stop_words": ("stop",), "start_words": ("start",)}


@pytest.fixture
def inbox(store: Store) -> Inbox:
    return Inbox(store.engine)


@pytest.fixture
async def owner(inbox: Inbox, account: Account) -> Account:
    """An account that owns the number all messages here are for."""
    assert await inbox.own(account.id, TO)
    return account


async def said(inbox: Inbox) -> list[str]:
    """The texts in the inbox, the oldest first."""
    return [message.text for message in reversed(await inbox.latest(1000))]


# ---- messages


async def test_a_message_is_kept_as_it_came(inbox: Inbox, owner: Account) -> None:
    assert await inbox.keep_incoming([incoming(b"hi")], NOW) == [None]
    (kept,) = await inbox.latest(10)
    assert kept == InboxMessage(kept.id, NOW, "smsc", FROM, TO, "hi", owner.id)


async def test_a_message_to_a_number_of_nobody_is_kept(inbox: Inbox, account: Account) -> None:
    await inbox.keep_incoming([incoming(b"hi")], NOW)
    assert [message.account_id for message in await inbox.latest(10)] == [None]
    assert await inbox.latest(10, account.id) == []


async def test_a_plus_does_not_tell_numbers_apart(inbox: Inbox, account: Account) -> None:
    await inbox.own(account.id, "+380441112233")
    await inbox.keep_incoming(
        [replace(incoming(), recipient="380441112233"), replace(incoming(), recipient="+380441112233")], NOW
    )
    assert [message.account_id for message in await inbox.latest(10)] == [account.id] * 2


async def test_an_account_is_told_of_its_own_messages_the_newest_first(
    inbox: Inbox, owner: Account, directory: Directory
) -> None:
    other = await open_account(directory, login="other")
    await inbox.own(other.id, "7788")
    messages = [incoming(b"a"), replace(incoming(b"b"), recipient="7788"), incoming(b"c"), incoming(b"d")]
    await inbox.keep_incoming(messages, NOW)
    assert [message.text for message in await inbox.latest(2, owner.id)] == ["d", "c"]
    older = (await inbox.latest(1, owner.id))[0].id
    assert [message.text for message in await inbox.latest(1, owner.id, older)] == ["c"]
    assert [message.text for message in await inbox.latest(2, before=older)] == ["c", "b"]
    assert [message.text for message in await inbox.latest(9, other.id)] == ["b"]
    assert [message.text for message in await inbox.latest(9)] == ["d", "c", "b", "a"]


async def test_characters_that_no_database_keeps_stop_nothing(inbox: Inbox, owner: Account) -> None:
    strange = replace(incoming(b"\xd8\x00\x00\x00", 0x08), sender="\0")
    await inbox.keep_incoming([strange, *cut("\0\0", 2)], NOW)
    assert await said(inbox) == ["\ufffd" * 2] * 2


# ---- parts


async def test_parts_that_came_at_different_times_make_one_message(inbox: Inbox, owner: Account) -> None:
    one, two, three = cut("Привіт", 4)
    await inbox.keep_incoming([three], NOW)
    await inbox.keep_incoming([one, incoming(b"another")], NOW + 1)
    assert await said(inbox) == ["another"]
    await inbox.keep_incoming([two], NOW + 2)
    newest = (await inbox.latest(1))[0]
    assert (newest.text, newest.received_at, newest.account_id) == ("Привіт", NOW + 2, owner.id)


async def test_a_last_part_that_is_repeated_does_not_begin_the_message_again(inbox: Inbox) -> None:
    parts = cut("Привіт", 4)
    await inbox.keep_incoming([*parts, parts[-1]], NOW)
    await inbox.keep_incoming(parts, NOW + 1)
    assert await inbox.join_leftovers(NOW + DAY_MS + 1, DAY_MS) == 0
    assert await said(inbox) == ["Привіт"]


async def test_a_reference_used_again_begins_another_message(inbox: Inbox) -> None:
    for text in ("Привіт", "Бувай!"):
        for part in cut(text, 4):
            await inbox.keep_incoming([part], NOW)
    assert await said(inbox) == ["Привіт", "Бувай!"]


async def test_the_last_part_may_be_a_wish(inbox: Inbox, owner: Account) -> None:
    for part in cut("stop", 4):
        await inbox.keep_incoming([part], NOW, **WORDS)
    assert [one.number for one in await inbox.stopped(owner.id, 9)] == [FROM]


async def test_what_stays_incomplete_is_told_after_a_day_as_it_is(
    inbox: Inbox, owner: Account, store_url: str
) -> None:
    one, _, three = cut("Привіт", 4)
    await inbox.keep_incoming([three], NOW)
    await inbox.keep_incoming([one, *cut("whole", 2, reference=2)], NOW + 5)
    assert await inbox.join_leftovers(NOW + DAY_MS, DAY_MS) == 0
    assert await inbox.join_leftovers(NOW + DAY_MS + 1, DAY_MS) == 1
    newest = (await inbox.latest(1))[0]
    assert (newest.text, newest.received_at, newest.account_id) == ("Пр…іт", NOW, owner.id)
    assert await inbox.join_leftovers(NOW + DAY_MS + 6, DAY_MS) == 0
    assert run_sql(store_url, "SELECT count(*) FROM incoming_parts") == [(0,)]


async def test_parts_that_come_to_two_workers_at_once_meet(store: Store, store_url: str) -> None:
    other = store if store_url.startswith("sqlite") else await open_store(store_url)
    inboxes = (Inbox(store.engine), Inbox(other.engine))
    pairs = [cut(f"{n:04}", 4, reference=n) for n in range(60)]
    for pair in pairs:
        await asyncio.gather(
            *(one.keep_incoming([part], NOW) for one, part in zip(inboxes, pair, strict=True))
        )
    assert await said(inboxes[0]) == [f"{n:04}" for n in range(60)]
    if other is not store:
        await other.close()


texts = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6)
histories = given(texts, st.sampled_from((2, 4, 8)), st.data())


async def deliver(url: str, said_by_them: list[str], batches: list[list[Incoming]]) -> None:
    """These batches bring each of the texts once and whole."""
    store = await open_store(url)
    try:
        await store.engine.write(lambda tx: tx.script(("DELETE FROM inbox", "DELETE FROM incoming_parts")))
        inbox = Inbox(store.engine)
        for batch in batches:
            await inbox.keep_incoming(batch, NOW)
        assert await inbox.join_leftovers(NOW + DAY_MS + 1, DAY_MS) == 0
        assert sorted(await said(inbox)) == sorted(text.replace("\0", "\ufffd") for text in said_by_them)
    finally:
        await store.close()


def shuffled(texts: list[str], octets: int, data: st.DataObject) -> list[list[Incoming]]:
    """All their parts in some order, parts repeated, in batches of some size."""
    senders = data.draw(st.lists(st.sampled_from((FROM, "Bank")), min_size=len(texts), max_size=len(texts)))
    messages = [
        cut(one, octets, n, sender) for n, (one, sender) in enumerate(zip(texts, senders, strict=True))
    ]
    parts = [part for message in messages for part in message]
    tied = [part for part in parts if not whole(part)]
    repeats = data.draw(st.lists(st.sampled_from(tied), max_size=8)) if tied else []
    order = data.draw(st.permutations([*parts, *repeats]))
    size = data.draw(st.integers(1, len(order)))
    return [order[at : at + size] for at in range(0, len(order), size)]


@settings(max_examples=60)
@histories
def test_in_any_order_with_repeats_each_message_comes_once_and_whole(
    tmp_path: Path, said_by_them: list[str], octets: int, data: st.DataObject
) -> None:
    batches = shuffled(said_by_them, octets, data)
    asyncio.run(deliver(f"sqlite:{tmp_path}/hopwire.db", said_by_them, batches))


@settings(max_examples=10)
@histories
def test_in_any_order_on_postgresql_each_message_comes_once_and_whole(
    postgres_url: str, said_by_them: list[str], octets: int, data: st.DataObject
) -> None:
    asyncio.run(deliver(postgres_url, said_by_them, shuffled(said_by_them, octets, data)))


# ---- numbers


async def test_a_number_belongs_to_one_account(inbox: Inbox, owner: Account, directory: Directory) -> None:
    other = await open_account(directory, login="other")
    assert await inbox.own(owner.id, TO), "again"
    assert not await inbox.own(other.id, TO)
    assert await inbox.numbers() == [(TO, owner.id)]
    assert await inbox.disown(TO)
    assert not await inbox.disown(TO)
    assert await inbox.own(other.id, TO)
    assert await inbox.numbers() == [(TO, other.id)]


# ---- stop lists


async def test_a_stop_word_stops_one_account_until_a_start_word(
    inbox: Inbox, store: Store, owner: Account, directory: Directory
) -> None:
    other = await open_account(directory, money=1000, login="other")
    await inbox.keep_incoming([incoming(b" Stop! ")], NOW, **WORDS)
    assert await inbox.stopped(owner.id, 9) == [Stopped(FROM, NOW, " Stop! ")]
    refused, accepted = await store.admit([order(owner, to=FROM), order(other, to=FROM)])
    assert isinstance(refused, RecipientOptedOut)
    assert isinstance(accepted, Accepted)
    await inbox.keep_incoming([incoming(b"start")], NOW + 1, **WORDS)
    assert await inbox.stopped(owner.id, 9) == []
    await admit(store, order(owner, to=FROM))


@pytest.mark.parametrize(
    ("words", "stopped"),
    [((b"stop", b"start"), False), ((b"start", b"stop"), True), ((b"stop", b"no"), True)],
)
async def test_of_several_wishes_the_last_one_counts(
    inbox: Inbox, owner: Account, words: tuple[bytes, ...], stopped: bool
) -> None:
    await inbox.keep_incoming([incoming(word) for word in words], NOW, **WORDS)
    assert bool(await inbox.stopped(owner.id, 9)) is stopped


async def test_a_stop_word_to_a_number_of_nobody_stops_nobody(
    inbox: Inbox, account: Account, store_url: str
) -> None:
    await inbox.keep_incoming([incoming(b"stop")], NOW, **WORDS)
    assert run_sql(store_url, "SELECT count(*) FROM stop_list") == [(0,)]


async def test_a_plus_before_the_sender_is_no_matter(inbox: Inbox, store: Store, owner: Account) -> None:
    await inbox.keep_incoming([replace(incoming(b"stop"), sender="+" + FROM)], NOW, **WORDS)
    (refused,) = await store.admit([order(owner, to=FROM)])
    assert isinstance(refused, RecipientOptedOut)


async def test_a_number_is_put_on_the_list_once_and_taken_off_once(inbox: Inbox, account: Account) -> None:
    assert await inbox.stop(account.id, FROM, NOW, "called")
    assert not await inbox.stop(account.id, "+" + FROM, NOW + 1, "called again")
    assert await inbox.stop(account.id, "1", NOW + 2)
    assert await inbox.stopped(account.id, 9) == [("1", NOW + 2, ""), (FROM, NOW, "called")]
    assert await inbox.stopped(account.id, 1) == [("1", NOW + 2, "")]
    assert await inbox.unstop(account.id, FROM)
    assert not await inbox.unstop(account.id, FROM)
    assert not await inbox.unstop(account.id + 1, "1")


async def test_many_numbers_are_put_on_the_list_together(inbox: Inbox, account: Account) -> None:
    await inbox.stop(account.id, FROM, NOW, "called")
    await inbox.stop(account.id + 1, "44", NOW)
    assert await inbox.stop_all(account.id, ["33", "+" + FROM, "22", "33", "44"], NOW + 1, "told us") == 3
    assert await inbox.stop_all(account.id, ["33"], NOW + 2) == 0
    listed = [(one.number, one.note) for one in await inbox.stopped(account.id, 9)]
    assert listed == [("44", "told us"), ("33", "told us"), ("22", "told us"), (FROM, "called")]
    assert await inbox.stop_all(account.id, [], NOW) == 0


async def test_the_list_is_read_in_pages_and_by_how_numbers_begin(inbox: Inbox, account: Account) -> None:
    numbers = ["380", "38050", "380501", "38051", "389", "39", "99", "999", "Bank"]
    await inbox.stop_all(account.id, numbers, NOW)
    await inbox.stop(account.id, "1", NOW + 1)
    first = await inbox.stopped(account.id, 4)
    rest = await inbox.stopped(account.id, 9, (first[-1].at, first[-1].number))
    assert [one.number for one in [*first, *rest]] == ["1", *reversed(numbers)]
    after = [one.number for one in await inbox.stopped_after(account.id, "38050", 3)]
    assert after == ["380501", "38051", "389"]
    for digits, found in (("3805", ["38050", "380501", "38051"]), ("99", ["99", "999"]), ("7", [])):
        assert [one.number for one in await inbox.stopped_like(account.id, digits, 9)] == found
    assert [one.number for one in await inbox.stopped_like(account.id, "38", 2)] == ["380", "38050"]


async def test_nothing_is_reserved_for_who_has_opted_out(
    inbox: Inbox, store: Store, directory: Directory
) -> None:
    account = await open_account(directory, money=1000)
    await inbox.stop(account.id, FROM, NOW)
    answers = await store.admit([order(account, SMS, to=to) for to in ("1", FROM, "2", FROM, "3")])
    assert [type(answer) for answer in answers] == [
        Accepted, RecipientOptedOut, Accepted, RecipientOptedOut, NotEnoughMoney,
    ]  # fmt: skip
    assert await money(directory) == (1000, 1000)
    assert [handover.recipient for handover in await claim(store)] == ["1", "2"]


async def test_what_is_scheduled_does_not_leave_to_who_has_opted_out_meanwhile(
    inbox: Inbox, store: Store, directory: Directory
) -> None:
    account = await open_account(directory, money=1_000_000)
    both, sms, other = await admit(
        store, order(account, to=FROM), order(account, SMS, to=FROM), order(account, SMS, to="2")
    )
    await inbox.stop(account.id, FROM, NOW)
    assert await claim(store, "viber") == []
    assert [handover.message_id for handover in await claim(store)] == [other]
    standing = await store.statuses(account.id, [both, sms])
    assert {one.status for one in standing.values()} == {Status.FAILED}
    assert await money(directory) == (1_000_000, SMS.price)
    assert not any((await directory.fsck()).values())


async def test_the_redirect_does_not_leave_to_who_has_opted_out_on_viber(
    inbox: Inbox, store: Store, directory: Directory
) -> None:
    account = await open_account(directory, money=1_000_000)
    (message_id,) = await admit(store, order(account, to=FROM))
    (handover,) = await claim(store, "viber")
    await inbox.stop(account.id, FROM, NOW)
    await store.record([answered(handover, Never("8", Fault.BLOCKED))], NOW)
    assert await claim(store) == []
    assert (await store.statuses(account.id, [message_id]))[message_id].status is Status.FAILED
    assert await money(directory) == (1_000_000, 0)


# ---- who names a message of ours


async def sent(store: Store, account: Account, provider_id: str, to: str = FROM) -> int:
    """A message that Viber took under this id."""
    (message_id,) = await admit(store, order(account, to=to))
    (handover,) = await claim(store, "viber")
    await store.record([answered(handover, Taken(provider_id))], NOW)
    return message_id


def gone(about: str, number: str = FROM, connector: str = "viber") -> Unsubscribed:
    return Unsubscribed(connector=connector, number=number, about=about)


async def test_who_unsubscribes_hears_no_more_of_the_account_whose_message_he_names(
    inbox: Inbox, store: Store, account: Account, directory: Directory
) -> None:
    other = await open_account(directory, money=9000, login="other")
    await sent(store, account, "v1")
    await sent(store, other, "v2")
    assert await inbox.keep_unsubscribed([gone("v2", "+" + FROM)], NOW) == 1
    assert await inbox.stopped(other.id, 9) == [Stopped(FROM, NOW, "said on viber")]
    assert await inbox.stopped(account.id, 9) == []
    assert await inbox.keep_unsubscribed([gone("v2")], NOW + 1) == 0, "again"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(gone(""), id="no message"),
        pytest.param(gone("v2"), id="a message that never was"),
        pytest.param(gone("v1", "380501112233"), id="a message to another number"),
        pytest.param(gone("v1", connector="other"), id="an id of another connector"),
        pytest.param(gone("m:99"), id="an id of ours that never was"),
        pytest.param(gone("m:99999999999999999999999"), id="an id that no message can have"),
        pytest.param(gone("\0" * 300), id="no id at all"),
    ],
)
async def test_who_names_no_message_to_himself_is_not_believed(
    inbox: Inbox, store: Store, account: Account, store_url: str, said: Unsubscribed
) -> None:
    await sent(store, account, "v1")
    assert await inbox.keep_unsubscribed([said], NOW) == 0
    assert run_sql(store_url, "SELECT count(*) FROM stop_list") == [(0,)]


async def test_of_messages_with_one_id_the_youngest_to_the_number_is_meant(
    inbox: Inbox, store: Store, account: Account, directory: Directory
) -> None:
    other = await open_account(directory, money=9000, login="other")
    third = await open_account(directory, money=9000, login="third")
    await sent(store, account, "v1")
    await sent(store, other, "v1")
    await sent(store, third, "v1", to="380501112233")
    assert await inbox.keep_unsubscribed([gone("v1")], NOW) == 1
    assert [one.number for one in await inbox.stopped(other.id, 9)] == [FROM]


@pytest.mark.parametrize("ours", [True, False])
async def test_a_reply_is_for_the_account_whose_message_it_answers(
    inbox: Inbox, store: Store, owner: Account, directory: Directory, ours: bool
) -> None:
    other = await open_account(directory, money=9000, login="other")
    message_id = await sent(store, other, "v1")
    reply = replace(incoming(b"stop"), connector="viber", about=f"m:{message_id}" if ours else "v1")
    await inbox.keep_incoming([reply, replace(reply, sender="380501112233")], NOW, **WORDS)
    newest = await inbox.latest(9)
    assert [message.account_id for message in newest] == [owner.id, other.id]
    assert [one.number for one in await inbox.stopped(other.id, 9)] == [FROM]
    assert [one.number for one in await inbox.stopped(owner.id, 9)] == ["380501112233"]
    await inbox.keep_incoming([replace(reply, payload=b"start")], NOW, **WORDS)
    assert await inbox.stopped(other.id, 9) == []
