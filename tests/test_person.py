"""Everything that is kept of a phone number can be told, and erased, on both engines."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, SMS, VIBER, order, run_sql
from msgspec.structs import replace
from test_cli_inbox import Operator, with_accounts
from test_inbox import cut
from test_retention import (
    LATER,
    NATIONAL,
    SECRET,
    STANDS_FOR,
    TEXT,
    delivered,
    dump,
    forget,
    scheduled,
    texts,
)
from test_store import LEASE_MS, TO, admit, answered, claim, status, submit
from test_store_receipts import receipt

from hopwire.cli.console import Ending
from hopwire.model import Account, Actor, Fault, Never, SmsText, Status, Taken
from hopwire.store import Store
from hopwire.store.audit import Audit
from hopwire.store.directory import Directory
from hopwire.store.engine import Tx
from hopwire.store.inbox import Inbox
from hopwire.store.ledger import Ledger
from hopwire.store.person import Person

OTHER = "380671112233"
THE_OPERATOR = Actor("someone", "here")


async def everything(store: Store, account: Account) -> None:
    """Whatever may be kept of a number; and a message to another one."""
    await delivered(store, account)
    inbox = Inbox(store.engine)
    await inbox.keep_incoming(cut(TEXT, 140, sender=f"+{TO}"), NOW)
    await inbox.keep_incoming(cut(TEXT * 9, 100, sender=TO)[:1], NOW)
    await admit(store, order(account, VIBER, SMS, to=TO))
    (viber,) = await claim(store, "viber")
    await store.record([answered(viber, Never("9", Fault.NO_ACCOUNT))], NOW)
    (sms,) = await claim(store)
    await store.record([answered(sms, Never("1", Fault.CONTENT))], NOW)
    await store.keep_receipts([replace(receipt("nobody's", to=TO), raw=f"{TO} {TEXT}")], NOW)
    for number, n in ((TO, 3), (OTHER, 4)):
        counts = f"INSERT INTO usage VALUES (1, 'number/day:{number}', {NOW}, {n})"  # noqa: S608
        recent = f"INSERT INTO recent VALUES (1, '{number}', 'x', '{number[:-3]}', {NOW}, 1)"  # noqa: S608
        await store.engine.write(partial(_script, [counts, recent]))
    await submit(store, Taken("b1"), texts(account, SMS, to=OTHER))
    await inbox.stop(account.id, TO, NOW, "STOP")


def _script(statements: Sequence[str], tx: Tx) -> None:
    tx.script(statements)


def person(store: Store, number: str = TO) -> Person:
    return Person(store, number, SECRET, THE_OPERATOR)


async def exported(store: Store, number: str = TO) -> list[dict[str, Any]]:
    return [record async for record in person(store, number).export()]


def kinds(records: list[dict[str, Any]]) -> list[str]:
    return [record["kind"] for record in records]


async def test_everything_is_told(store: Store, account: Account) -> None:
    await everything(store, account)
    records = await exported(store)
    assert kinds(records) == [
        "message", "message", "incoming message", "part of an incoming message", "receipt without a message",
        "stop list", "not on Viber", "count", "sent just now",
    ]  # fmt: skip
    first, second, came = records[:3]
    assert (first["account"], first["number"], first["sms"]) == ("shop", TO, f"text from Shop: {TEXT}")
    assert first["receipts"][0]["raw"].endswith(TEXT)
    assert [line["what"] for line in first["timeline"]] == [
        "accepted", "handed over to smsc", "taken as a1", "receipt: delivered"
    ]  # fmt: skip
    assert second["status"] == "96 Network failure during SMS delivery"
    assert (came["to"], came["text"], came["account"]) == ("4455", TEXT, "")
    assert [(one["account"], one["note"]) for one in records if one["kind"] == "stop list"] == [
        ("shop", "STOP")
    ]
    assert [one["n"] for one in records if one["kind"] == "count"] == [3]


async def test_of_a_number_that_is_not_known_nothing_is_told(store: Store, account: Account) -> None:
    await everything(store, account)
    assert await exported(store, "380931112233") == []


async def test_what_is_forgotten_is_found_by_the_keyed_hash(store: Store, account: Account) -> None:
    await delivered(store, account)
    await Inbox(store.engine).keep_incoming(cut(TEXT, 140, sender=f"+{TO}"), NOW)
    await forget(store, LATER, numbers=1)
    message, came = await exported(store)
    assert (message["number"], message["sms"]) == ("…2233", f"text from Shop: {TEXT}")
    assert came["text"] == TEXT


async def test_nothing_is_left_of_what_is_erased(store: Store, account: Account, store_url: str) -> None:
    await everything(store, account)
    erased = await person(store).erase(stop_lists=True)
    assert erased == (2, [], 1, 1, 0)
    left = dump(store_url)
    assert NATIONAL not in left
    assert "271828" not in "".join(line for line in left.splitlines() if OTHER not in line)
    assert left.count(OTHER) == 4  # message, delivery, count, what was sent just now
    assert left.count(STANDS_FOR) == 6  # twice message and delivery; a receipt; the inbox
    assert not any((await Directory(store.engine).fsck()).values())
    assert kinds(await exported(store)) == ["message", "message", "incoming message"]


async def test_the_stop_list_is_the_person_s_wish_and_stays(store: Store, account: Account) -> None:
    await everything(store, account)
    await person(store).erase()
    assert await Inbox(store.engine).stopped_by(TO) == [account.id]


async def test_what_is_under_way_is_named_and_erased_when_it_has_ended(
    store: Store, account: Account, store_url: str
) -> None:
    message_id = await scheduled(store, account)
    await store.keep_receipts([replace(receipt("early", to=TO), raw=TEXT)], NOW)
    erased = await person(store).erase()
    assert (erased.messages, erased.under_way) == (0, [message_id])
    assert len(run_sql(store_url, "SELECT id FROM receipts")) == 1  # it may be this message's
    at = LATER + 86_400_000
    (handover,) = await store.claim("smsc", "w1", 9, LEASE_MS, at)
    assert (handover.content, handover.recipient) == (SmsText(text=TEXT), TO)
    await store.record([answered(handover, Taken("early"))], at)
    assert await status(store, account, message_id) is Status.DELIVERED
    await forget(store, at)
    left = dump(store_url)
    assert NATIONAL not in left
    assert TEXT not in left


async def test_a_late_receipt_brings_nothing_back(store: Store, account: Account, store_url: str) -> None:
    await delivered(store, account)
    await person(store).erase()
    await store.keep_receipts([replace(receipt("a1", to=TO), raw=f"{TO} {TEXT}")], NOW)
    left = dump(store_url)
    assert NATIONAL not in left
    assert TEXT not in left


async def test_erasing_is_audited_without_the_number(store: Store, account: Account) -> None:
    await delivered(store, account)
    await person(store).erase()
    (entry,) = await Audit(store.engine).entries(1)
    assert (entry.actor, entry.action, entry.object) == ("someone", "number.erase", "number …2233")
    assert await Audit(store.engine).verify() == (entry.id, entry.digest, None)


async def test_messages_are_looked_through_in_pages(
    store: Store, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hopwire.store.person.LOOKED_THROUGH", 7)
    monkeypatch.setattr("hopwire.store.person.ERASED", 2)
    free = replace(SMS, part_price=0)
    await admit(store, *[order(account, free, to=TO if n % 3 else OTHER) for n in range(30)])
    ways: list[tuple[int, int]] = []
    found = [record["id"] async for record in person(store).export(lambda *way: ways.append(way))]
    assert found == [n + 1 for n in range(30) if n % 3]
    assert ways == [(0, 30), (7, 30), (14, 30), (21, 30), (28, 30)]
    assert len((await person(store).erase()).under_way) == 20


# ---- the commands


@pytest.fixture
def operator(store_url: str, tmp_path: Path) -> Operator:
    return with_accounts(store_url, tmp_path)


async def one_message(store: Store) -> int:
    directory = Directory(store.engine)
    account = next(one for one in await directory.accounts() if one.login == "shop")
    await Ledger(directory.engine).top_up(account.id, 1_000_000, "", NOW)
    return await delivered(store, account)


def test_a_number_is_exported_as_it_is_typed(operator: Operator) -> None:
    message_id = operator.store(one_message)
    (message,) = operator.does("number", "export", "050 111 22 33")
    assert (message["kind"], message["id"], message["number"]) == ("message", message_id, TO)


def test_a_number_is_erased_when_that_is_really_meant(operator: Operator) -> None:
    operator.store(one_message)
    operator.store(lambda store: Inbox(store.engine).keep_incoming(cut(TEXT, 140, sender=TO), NOW))
    assert operator.fails("number", "erase", TO) is Ending.USAGE
    assert operator.does("number", "export", TO)[0]["number"] == TO
    assert operator.does("number", "erase", TO, "--yes") == [
        {"messages": 1, "under_way": [], "inbox": 1, "stop_lists": 0, "mailing_rows": 0}
    ]
    assert operator.does("number", "export", TO)[0]["number"] == "…2233"
    (came,) = operator.does("message", "inbox")
    assert (came["from"], came["text"]) == ("…2233", "")
    (shown,) = operator.does("message", "show", "1", "--show-numbers", "--show-texts")
    assert (shown["number"], shown["sms"]) == ("…2233", "forgotten, from Shop")


def test_erasing_says_what_is_under_way(operator: Operator) -> None:
    async def under_way(store: Store) -> int:
        directory = Directory(store.engine)
        account = next(one for one in await directory.accounts() if one.login == "shop")
        return (await admit(store, order(account, replace(SMS, part_price=0))))[0]

    message_id = operator.store(under_way)
    assert operator.does("number", "erase", TO, "--yes")[0]["under_way"] == [message_id]
