"""Mailings on both engines: checked, started, paused, stopped, taken over; a row becomes one message."""

import pytest
from conftest import NOW, open_account, run_sql
from msgspec.structs import replace
from sendings import (
    DRAFT,
    NUMBERS,
    Ticking,
    a_door,
    a_runner,
    door,
    given,
    listed,
    mailings,
    messages,
    ready,
    rows_of,
    runner,
    seen,
    small_pages,
    told,
    worked,
)

from hopwire import mailings as running
from hopwire.admission import Admission
from hopwire.contents import Draft
from hopwire.errors import ImageUnreachable, Withdrawn
from hopwire.lists import Row
from hopwire.mailing import Command, State
from hopwire.mailings import LEASE_MS, MailingRunner
from hopwire.model import Account, AccountStatus, SendRequest, SmsText
from hopwire.store import Store
from hopwire.store import mailings as keeping
from hopwire.store.directory import Directory
from hopwire.store.inbox import Inbox
from hopwire.store.ledger import Ledger
from hopwire.store.mailings import BROKEN_OFF_MS, Mailings, Texts
from hopwire.store.notices import Notices

__all__ = ["door", "mailings", "runner", "small_pages"]  # fixtures


# ---- checking


async def test_rows_are_checked_before_anything_is_sent(
    mailings: Mailings, runner: MailingRunner, account: Account, store: Store, store_url: str
) -> None:
    await Inbox(store.engine).stop(account.id, NUMBERS[3], NOW, "STOP")
    rows = [
        *listed(NUMBERS[0], "+38 (050) 111-22-11", NUMBERS[0], "12", "48501234567", NUMBERS[3]),
        Row(line=8, number=NUMBERS[4]),
        Row(line=9, number="", error="unreadable"),
        *listed(NUMBERS[5], name="a" * 200),
    ]
    mailing_id = await given(mailings, account, rows)
    assert (await seen(mailings, account, mailing_id)).state is State.CHECKING
    await worked(runner)
    found = await rows_of(mailings, account, mailing_id)
    assert [(one.n, one.number, one.state.name, one.error) for one in found] == [
        (1, NUMBERS[0], "GOOD", ""),
        (2, NUMBERS[1], "GOOD", ""),
        (3, NUMBERS[0], "REPEATED", "repeated"),
        (4, "12", "BAD", "bad_recipient"),
        (5, "48501234567", "BAD", "destination_not_allowed"),
        (6, NUMBERS[3], "BAD", "recipient_opted_out"),
        (7, NUMBERS[4], "BAD", "no_value:name"),
        (8, "", "BAD", "unreadable"),
        (9, NUMBERS[5], "GOOD", ""),
    ]
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.state, mailing.total, mailing.good, mailing.bad, mailing.repeated) == (
        State.READY,
        9,
        3,
        5,
        1,
    )
    assert (mailing.parts, mailing.price) == (4, 2000)
    assert messages(store_url) == []
    assert [[one.n for one in page] async for page in mailings.unsent(account.id, mailing_id)] == [
        [3, 4, 5, 6, 7, 8]
    ]


async def test_a_number_repeats_across_pages(
    mailings: Mailings, runner: MailingRunner, account: Account
) -> None:
    mailing_id = await ready(mailings, runner, account, *NUMBERS[:9], NUMBERS[0], f"+{NUMBERS[8]}")
    states = [one.state.name for one in await rows_of(mailings, account, mailing_id)]
    assert states == ["GOOD"] * 9 + ["REPEATED"] * 2


async def test_a_number_without_a_route_is_bad(
    mailings: Mailings, runner: MailingRunner, directory: Directory, account: Account
) -> None:
    await directory.set_account(account.id, {"limits": replace(account.limits, destinations=("*",))})
    mailing_id = await ready(mailings, runner, account, "48501234567")
    assert [one.error for one in await rows_of(mailings, account, mailing_id)] == ["no_route"]


async def test_how_far_the_check_is_can_be_seen(
    mailings: Mailings, door: Admission, store: Store, account: Account
) -> None:
    runner = a_runner(door, store.engine, clock=Ticking())
    mailing_id = await given(mailings, account, listed(*NUMBERS[:9]))
    far = []
    while await runner.turn():
        far.append((await seen(mailings, account, mailing_id)).checked)
    assert far == [4, 8, 9]


async def test_want_of_money_does_not_make_rows_bad(
    mailings: Mailings, runner: MailingRunner, directory: Directory
) -> None:
    poor = await open_account(directory, 600, "poor")
    mailing_id = await ready(mailings, runner, poor, *NUMBERS[:3])
    assert (await seen(mailings, poor, mailing_id)).good == 3


async def test_a_sender_name_that_is_not_ones_own_pauses_the_check(
    mailings: Mailings, runner: MailingRunner, directory: Directory, account: Account
) -> None:
    await directory.set_account(account.id, {"any_sender": False})
    mailing_id = await ready(mailings, runner, account, *NUMBERS[:3])
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.state, mailing.reason, mailing.checked) == (State.PAUSED, "sender_not_registered", 0)
    await directory.set_account(account.id, {"any_sender": True})
    assert await told(mailings, account, mailing_id, Command.GO_ON) == [State.CHECKING]
    await worked(runner)
    assert (await seen(mailings, account, mailing_id)).state is State.READY


async def test_an_upload_that_broke_off_is_stopped(
    mailings: Mailings, runner: MailingRunner, store: Store, door: Admission, account: Account
) -> None:
    mailing_id = await mailings.create(account.id, "", DRAFT, NOW)
    await mailings.add(account.id, mailing_id, listed(NUMBERS[0]))
    await worked(runner)
    assert (await seen(mailings, account, mailing_id)).state is State.READING
    await worked(a_runner(door, store.engine, clock=lambda: NOW + BROKEN_OFF_MS + 1))
    assert (await seen(mailings, account, mailing_id)).state is State.STOPPED
    assert not await mailings.add(account.id, mailing_id, listed(NUMBERS[1]))


# ---- sending


async def test_what_is_started_is_sent_and_done(
    mailings: Mailings, runner: MailingRunner, directory: Directory, account: Account, store_url: str
) -> None:
    mailing_id = await ready(mailings, runner, account, *NUMBERS[:9])
    assert await told(mailings, account, mailing_id, Command.START) == [State.SENDING]
    await worked(runner)
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.state, mailing.accepted, mailing.refused, mailing.ended_at) == (State.DONE, 9, 0, NOW)
    assert messages(store_url) == NUMBERS[:9]
    rows = await rows_of(mailings, account, mailing_id)
    assert [one.message_id for one in rows] == [
        row[0] for row in run_sql(store_url, "SELECT id FROM messages ORDER BY id")
    ]
    texts = {row[0] for row in run_sql(store_url, "SELECT sms FROM messages")}
    assert texts == {'{"type":"sms","text":"Hi Anna"}'}
    assert not any((await directory.fsck()).values())


async def test_what_is_to_start_later_waits(
    mailings: Mailings, door: Admission, store: Store, account: Account, store_url: str
) -> None:
    mailing_id = await ready(mailings, a_runner(door, store.engine), account, NUMBERS[0])
    await mailings.tell(account.id, [mailing_id], Command.START, NOW, starts_at=NOW + 1000)
    await worked(a_runner(door, store.engine, clock=lambda: NOW + 999))
    assert messages(store_url) == []
    await worked(a_runner(door, store.engine, clock=lambda: NOW + 1000))
    assert messages(store_url) == [NUMBERS[0]]


async def test_it_is_paused_goes_on_and_stops(
    mailings: Mailings, door: Admission, store: Store, account: Account, store_url: str
) -> None:
    runner = a_runner(door, store.engine, clock=Ticking())
    mailing_id = await ready(mailings, runner, account, *NUMBERS)
    await told(mailings, account, mailing_id, Command.START)
    assert await runner.turn()
    assert await told(mailings, account, mailing_id, Command.PAUSE) == [State.PAUSED]
    assert not await runner.turn()
    assert messages(store_url) == NUMBERS[:4]
    assert await told(mailings, account, mailing_id, Command.GO_ON) == [State.SENDING]
    assert await runner.turn()
    assert await told(mailings, account, mailing_id, Command.STOP) == [State.STOPPED]
    assert not await runner.turn()
    assert messages(store_url) == NUMBERS[:8]
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.accepted, mailing.ended_at) == (8, NOW)


@pytest.mark.parametrize("command", [Command.PAUSE, Command.STOP])
async def test_once_it_is_told_to_nothing_more_is_accepted(
    mailings: Mailings,
    door: Admission,
    runner: MailingRunner,
    account: Account,
    store_url: str,
    command: Command,
) -> None:
    """Not even what is on its way already."""
    mailing_id = await ready(mailings, runner, account, NUMBERS[0])
    await told(mailings, account, mailing_id, Command.START)
    await told(mailings, account, mailing_id, command)
    request = SendRequest(recipient=NUMBERS[0], sms=SmsText(text="a"), sms_sender="Shop", country="UA")
    with pytest.raises(Withdrawn):
        await door.admit(account, request, NOW, row=(mailing_id, 1))
    assert messages(store_url) == []


async def test_several_take_turns(
    mailings: Mailings, door: Admission, store: Store, account: Account, store_url: str
) -> None:
    runner = a_runner(door, store.engine, clock=Ticking())
    first = await ready(mailings, runner, account, *NUMBERS[:8])
    second = await ready(mailings, runner, account, *NUMBERS[8:16])
    for one in (first, second):
        await told(mailings, account, one, Command.START)
    await runner.turn()
    await runner.turn()
    assert messages(store_url) == [*NUMBERS[:4], *NUMBERS[8:12]]


# ---- what is in the way


async def test_want_of_money_pauses_it_and_it_goes_on_with_more(
    mailings: Mailings, runner: MailingRunner, directory: Directory, store: Store, store_url: str
) -> None:
    poor = await open_account(directory, 5 * 500, "poor")
    mailing_id = await ready(mailings, runner, poor, *NUMBERS[:9])
    await told(mailings, poor, mailing_id, Command.START)
    await worked(runner)
    mailing = await seen(mailings, poor, mailing_id)
    assert (mailing.state, mailing.reason) == (State.PAUSED, "not_enough_money")
    assert (mailing.accepted, mailing.refused) == (5, 0)
    (notice,) = await Notices(store.engine).latest(9)
    assert (notice.account_id, notice.kind, notice.detail) == (poor.id, "mailing_paused", "not_enough_money")
    await Ledger(directory.engine).top_up(poor.id, 4 * 500, "", NOW)
    await told(mailings, poor, mailing_id, Command.GO_ON)
    await worked(runner)
    mailing = await seen(mailings, poor, mailing_id)
    assert (mailing.state, mailing.reason, mailing.accepted) == (State.DONE, "", 9)
    assert sorted(messages(store_url)) == NUMBERS[:9]


async def test_what_concerns_one_row_is_kept_with_it(
    mailings: Mailings, runner: MailingRunner, store: Store, account: Account, store_url: str
) -> None:
    mailing_id = await ready(mailings, runner, account, *NUMBERS[:5])
    await Inbox(store.engine).stop(account.id, NUMBERS[1], NOW, "STOP")
    await told(mailings, account, mailing_id, Command.START)
    await worked(runner)
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.state, mailing.accepted, mailing.refused) == (State.DONE, 4, 1)
    assert [(one.n, one.error) for one in await rows_of(mailings, account, mailing_id) if one.error] == [
        (2, "recipient_opted_out")
    ]
    assert NUMBERS[1] not in messages(store_url)


async def test_it_sends_no_faster_than_the_account_may(
    mailings: Mailings, door: Admission, store: Store, directory: Directory, account: Account, store_url: str
) -> None:
    mailing_id = await ready(mailings, a_runner(door, store.engine), account, *NUMBERS[:5])
    await directory.set_account(account.id, {"limits": replace(account.limits, counts={"account/second": 3})})
    await told(mailings, account, mailing_id, Command.START)
    await worked(a_runner(door, store.engine))
    assert messages(store_url) == NUMBERS[:3]
    assert (await seen(mailings, account, mailing_id)).state is State.SENDING
    await worked(a_runner(door, store.engine, clock=lambda: NOW + 1000))
    assert messages(store_url) == NUMBERS[:5]


async def test_it_waits_while_its_connector_has_enough_to_do(
    mailings: Mailings,
    door: Admission,
    store: Store,
    account: Account,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "MOST_DUE", 6)
    mailing_id = await ready(mailings, a_runner(door, store.engine), account, *NUMBERS[:12])
    await told(mailings, account, mailing_id, Command.START)
    await worked(a_runner(door, store.engine))
    assert messages(store_url) == NUMBERS[:8]
    await store.claim("smsc", "worker", 8, LEASE_MS, NOW)
    await worked(a_runner(door, store.engine, clock=lambda: NOW + 1000))
    assert messages(store_url) == NUMBERS[:12]


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        (AccountStatus.PAUSED, State.PAUSED, "account_paused"),
        (AccountStatus.CLOSED, State.STOPPED, ""),
    ],
)
async def test_an_account_that_may_not_send_sends_no_mailing(
    mailings: Mailings,
    runner: MailingRunner,
    directory: Directory,
    account: Account,
    store_url: str,
    status: AccountStatus,
    state: State,
    reason: str,
) -> None:
    mailing_id = await ready(mailings, runner, account, NUMBERS[0])
    await told(mailings, account, mailing_id, Command.START)
    await directory.set_account(account.id, {"status": status})
    await worked(runner)
    mailing = await seen(mailings, account, mailing_id)
    assert (mailing.state, mailing.reason, messages(store_url)) == (state, reason, [])


async def test_a_picture_that_all_rows_share_pauses_it_and_one_of_a_row_is_the_rows(
    mailings: Mailings, store: Store, door: Admission, account: Account
) -> None:
    async def unreachable(link: str) -> None:
        if "bad" in link:
            raise ImageUnreachable

    runner = a_runner(await a_door(store, unreachable), store.engine)
    draft = Draft(viber=True, sms=False, viber_from="Shop", viber_type="image")
    ids = [
        await given(mailings, account, listed(*NUMBERS[:3], at=at), replace(draft, viber_image=image))
        for at, image in (("", "https://a.b/bad.png"), ("bad", "https://a.b/{{at}}.png"))
    ]
    await worked(runner)
    shared, own = [await seen(mailings, account, one) for one in ids]
    assert (shared.state, shared.reason, shared.bad) == (State.PAUSED, "image_unreachable", 0)
    assert (own.state, own.bad) == (State.READY, 3)


# ---- whose it is


async def test_another_accounts_mailing_is_not_there(
    mailings: Mailings,
    runner: MailingRunner,
    door: Admission,
    directory: Directory,
    account: Account,
    store_url: str,
) -> None:
    other = await open_account(directory, 10_000, "other")
    mailing_id = await ready(mailings, runner, account, NUMBERS[0])
    assert await mailings.one(other.id, mailing_id) is None
    assert await mailings.page(other.id, 9) == []
    assert await rows_of(mailings, other, mailing_id) == []
    assert [page async for page in mailings.unsent(other.id, mailing_id)] == []
    assert not await mailings.add(other.id, mailing_id, listed(NUMBERS[1]))
    assert not await mailings.complete(other.id, mailing_id)
    assert await mailings.repeated(other.id, mailing_id, NUMBERS) == set()
    for command in Command:
        assert await told(mailings, other, mailing_id, command) == []
    await told(mailings, account, mailing_id, Command.START)
    request = SendRequest(recipient=NUMBERS[0], sms=SmsText(text="a"), sms_sender="Shop", country="UA")
    with pytest.raises(Withdrawn):
        await door.admit(other, request, NOW, row=(mailing_id, 1))
    assert messages(store_url) == []


async def test_mailings_are_listed_page_by_page(mailings: Mailings, account: Account) -> None:
    ids = [await mailings.create(account.id, f"{n}", DRAFT, NOW + n) for n in range(5)]
    first = await mailings.page(account.id, 3)
    second = await mailings.page(account.id, 3, before=first[-1].id)
    assert [one.id for one in (*first, *second)] == ids[::-1]
    assert first[0].name == "4"
    assert first[0].draft == DRAFT


async def test_texts_are_kept_by_name_and_account(
    store: Store, directory: Directory, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, other = Texts(store.engine), await open_account(directory, 0, "other")
    assert await texts.put(account.id, {"b": DRAFT, "a": DRAFT}, NOW)
    assert await texts.put(account.id, {"a": Draft(message="new")}, NOW + 1)
    assert [(one.name, one.draft.message, one.changed_at - NOW) for one in await texts.all(account.id)] == [
        ("a", "new", 1), ("b", DRAFT.message, 0)
    ]  # fmt: skip
    assert [one.name for one in await texts.named(account.id, ["b", "c"])] == ["b"]
    assert await texts.all(other.id) == await texts.named(other.id, ["a"]) == []
    assert await texts.remove(other.id, ["a"]) == 0
    assert await texts.remove(account.id, ["a", "c"]) == 1
    monkeypatch.setattr(keeping, "TEXTS", 2)
    assert not await texts.put(account.id, {"c": DRAFT, "d": DRAFT}, NOW)
    assert [one.name for one in await texts.all(account.id)] == ["b"]
