"""Lists are forgotten with time, and a number is told and erased wherever it is listed, on both engines."""

import pytest
from conftest import NOW
from sendings import (
    DRAFT,
    NUMBERS,
    door,
    given,
    mailings,
    ready,
    rows_of,
    runner,
    seen,
    small_pages,
    told,
    worked,
)
from sendings import messages as messages_of
from test_retention import SECRET, dump, forget

from hopwire.lists import Row
from hopwire.mailing import Command, State
from hopwire.mailings import MailingRunner
from hopwire.model import Account
from hopwire.privacy import pseudonym
from hopwire.store import Store
from hopwire.store import mailings as keeping
from hopwire.store.mailings import Mailings
from hopwire.store.person import Person
from hopwire.store.retention import DAY_MS

__all__ = ["door", "mailings", "runner", "small_pages"]  # fixtures

LATER = NOW + 10 * DAY_MS


async def test_a_list_is_forgotten_with_time_and_its_sums_stay(
    mailings: Mailings,
    runner: MailingRunner,
    store: Store,
    account: Account,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "PAGE", 2)
    mailing_id = await ready(mailings, runner, account, *NUMBERS[:5], "12345")
    await told(mailings, account, mailing_id, Command.START)
    await worked(runner)
    await forget(store, LATER, texts=11, numbers=12)
    assert len(await rows_of(mailings, account, mailing_id)) == 6
    await forget(store, LATER, texts=9, numbers=12)
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.state, mailing.draft, mailing.accepted, mailing.ended_at) == (State.DONE, None, 5, NOW)
    assert await rows_of(mailings, account, mailing_id) == []
    assert "mailing_rows" not in dump(store_url)


async def test_what_was_left_lying_is_stopped_and_forgotten_and_what_is_scheduled_is_not(
    mailings: Mailings, runner: MailingRunner, store: Store, account: Account
) -> None:
    left = await ready(mailings, runner, account, NUMBERS[0])
    later = await ready(mailings, runner, account, NUMBERS[1])
    await mailings.tell(account.id, [later], Command.START, NOW, starts_at=LATER + 1)
    await forget(store, LATER, numbers=9)
    stopped = await seen(mailings, account, left)
    assert (stopped.state, stopped.ended_at, stopped.draft) == (State.STOPPED, LATER, None)
    waiting = await seen(mailings, account, later)
    assert (waiting.state, waiting.draft) == (State.SENDING, DRAFT)
    assert len(await rows_of(mailings, account, later)) == 1


async def test_a_number_is_told_and_erased_from_lists_and_nothing_is_sent_to_it(
    mailings: Mailings, runner: MailingRunner, store: Store, account: Account, store_url: str
) -> None:
    sent = await ready(mailings, runner, account, NUMBERS[0], NUMBERS[1])
    await told(mailings, account, sent, Command.START)
    await worked(runner)
    checked = await ready(mailings, runner, account, NUMBERS[0], NUMBERS[1])
    waiting = await given(mailings, account, [Row(line=1, number=f"+{NUMBERS[0]}", values={"name": "Eve"})])
    person = Person(store, NUMBERS[0], SECRET)
    records = [one async for one in person.export() if one["kind"] == "row of a mailing"]
    assert [(one["mailing"], one["account"], one["state"], one["fields"]) for one in records] == [
        (sent, "shop", "sent", {"name": "Anna"}),
        (checked, "shop", "good", {"name": "Anna"}),
        (waiting, "shop", "waiting", {"name": "Eve"}),
    ]
    assert (await person.erase()).mailing_rows == 3
    left = [one for i in (sent, checked, waiting) for one in await rows_of(mailings, account, i)]
    assert [(one.number, one.state.name, one.error) for one in left] == [
        (pseudonym(NUMBERS[0], SECRET), "SENT", ""),
        (NUMBERS[1], "SENT", ""),
        (pseudonym(NUMBERS[0], SECRET), "BAD", "erased"),
        (NUMBERS[1], "GOOD", ""),
        (pseudonym(NUMBERS[0], SECRET), "BAD", "erased"),
    ]
    assert "Eve" not in dump(store_url)
    await worked(runner)
    assert (await seen(mailings, account, waiting)).state is State.READY
    await told(mailings, account, checked, Command.START)
    await worked(runner)
    mailing = await seen(mailings, account, checked)
    assert (mailing.state, mailing.good, mailing.bad, mailing.accepted) == (State.DONE, 1, 1, 1)
    assert messages_of(store_url) == [*NUMBERS[:2], NUMBERS[1]]  # the first one is under way
