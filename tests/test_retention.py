"""Texts and numbers are forgotten when their time is over, on both engines; the rest stays."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import NOW, SMS, VIBER, open_account, order, run_sql
from msgspec.structs import replace
from system import PATIENCE_S
from test_inbox import cut
from test_store import LEASE_MS, THREE, TO, admit, answered, claim, status, submit
from test_store_receipts import receipt
from test_worker import becomes

from hopwire import privacy
from hopwire.delivery import Delivery
from hopwire.model import (
    Account,
    Fault,
    Never,
    Outcome,
    SmsText,
    Status,
    Taken,
    Template,
    Unsubscribed,
    ViberText,
)
from hopwire.store import Order, Store
from hopwire.store.directory import Directory
from hopwire.store.inbox import Inbox
from hopwire.store.memory import Memory
from hopwire.store.migrate import open_store
from hopwire.store.notices import Notices
from hopwire.store.retention import DAY_MS, PAGE, Retention
from hopwire.timeline import head, lines, outlook, receipt_rows
from hopwire.worker import Worker

SECRET = b"pepper"
TEXT = "Привіт 271828"
NATIONAL = TO[-9:]
STANDS_FOR = privacy.pseudonym(TO, SECRET)
LATER = NOW + 30 * DAY_MS
TEMPLATE = Template(id="t1", language="uk", kind="transaction", parameters={"code": "271828"})


def dump(url: str) -> str:
    """Everything in the database, as text."""
    names = "sqlite_master WHERE type = 'table'" if url.startswith("sqlite:") else ""
    column = "name" if names else "tablename"
    names = names or "pg_tables WHERE schemaname = 'public'"
    tables = [row[0] for row in run_sql(url, f"SELECT {column} FROM {names}")]  # noqa: S608
    return "\n".join(f"{table}: {row}" for table in tables for row in rows(url, table))


def rows(url: str, table: str, columns: str = "*", where: str = "true") -> list[Any]:
    return run_sql(url, f"SELECT {columns} FROM {table} WHERE {where}")  # noqa: S608


async def forget(store: Store, now: int, texts: int = 0, numbers: int = 0) -> None:
    """Forget what is older than so many days."""
    async for _ in Retention(store.engine, SECRET, texts, numbers).pages(now):
        pass


def texts(account: Account, *steps: Any, **more: Any) -> Order:
    """An order whose texts are known again."""
    one = order(account, *steps, **more)
    request = replace(one.request, sms=SmsText(text=TEXT), viber=ViberText(text=TEXT))
    return replace(one, request=request)


async def delivered(store: Store, account: Account, name: str = "a1") -> int:
    """A message by SMS that was delivered, whose receipt holds its number and its text; its id."""
    (message_id,) = await submit(store, Taken(name), texts(account, SMS))
    raw = f"id:{name} to +{TO} stat:DELIVRD text:{TEXT}"
    code = f"to {TO}"
    await store.keep_receipts([replace(receipt(name, to=TO), raw=raw, code=code)], NOW + 1)
    return message_id


async def told(store: Store, message_id: int) -> str:
    """Everything that an operator can be told of a message."""
    story = await store.story(message_id)
    assert story is not None
    shown = (
        head(story, "shop", texts=True, numbers=True),
        lines(story, "UAH", lambda connector, code: code),
        receipt_rows(story, texts=True, numbers=True),
        outlook(story.delivery),
    )
    return str(shown)


async def fsck(store: Store) -> bool:
    return not any((await Directory(store.engine).fsck()).values())


# ---- texts


async def test_texts_are_forgotten_and_the_rest_stays(store: Store, account: Account, store_url: str) -> None:
    message_id = await delivered(store, account)
    await forget(store, NOW + DAY_MS, texts=1)
    assert TEXT in dump(store_url)  # not a moment too early
    await forget(store, NOW + DAY_MS + 1, texts=1)
    assert TEXT not in dump(store_url)
    assert TO in dump(store_url)
    assert run_sql(store_url, "SELECT sms, viber FROM messages") == [(None, None)]
    said = await told(store, message_id)
    assert "'sms': 'forgotten, from Shop'" in said
    assert f"'number': '{TO}'" in said
    assert "receipt: delivered" in said
    assert await status(store, account, message_id) is Status.DELIVERED
    assert await fsck(store)


async def test_what_stood_in_templates_is_forgotten(store: Store, account: Account, store_url: str) -> None:
    steps = replace(VIBER, template=TEMPLATE), replace(SMS, template=TEMPLATE)
    await admit(store, order(account, *steps))
    (viber,) = await claim(store, "viber")
    await store.record([answered(viber, Never("9", Fault.NO_ACCOUNT))], NOW)
    (sms,) = await claim(store)
    await store.record([answered(sms, Never("1", Fault.CONTENT))], NOW)
    assert "271828" in dump(store_url)
    await forget(store, LATER, texts=1)
    assert "271828" not in dump(store_url)
    assert "'t1'" in dump(store_url) or '"t1"' in dump(store_url)


# ---- numbers


async def test_of_a_number_a_keyed_hash_and_the_last_digits_stay(
    store: Store, account: Account, store_url: str
) -> None:
    message_id = await delivered(store, account)
    await forget(store, LATER, numbers=1)
    assert NATIONAL not in dump(store_url)
    assert TEXT in str(run_sql(store_url, "SELECT sms FROM messages"))
    for table in ("messages", "deliveries", "receipts"):
        assert rows(store_url, table, "recipient") == [(STANDS_FOR,)]
    assert "'number': '…2233'" in await told(store, message_id)
    assert await fsck(store)


async def test_nothing_is_left_when_both_are_forgotten(
    store: Store, account: Account, store_url: str
) -> None:
    await delivered(store, account)
    await Inbox(store.engine).keep_incoming(cut(TEXT, 140, sender=f"+{TO}"), NOW)
    await Inbox(store.engine).join_leftovers(LATER, DAY_MS)
    await Memory(store.engine).forget_old(LATER)
    await forget(store, LATER, texts=1, numbers=2)
    left = dump(store_url)
    assert NATIONAL not in left
    assert "271828" not in left
    assert left.count(STANDS_FOR) == 4  # message, delivery, receipt, inbox


async def test_nothing_is_left_in_sqlite_s_file(tmp_path: Path) -> None:
    path = tmp_path / "hopwire.db"
    store = await open_store(f"sqlite:{path}")
    account = await open_account(Directory(store.engine), money=100_000_000)
    for n in range(50):
        await delivered(store, account, f"a{n}")
    await store.engine.close()
    assert TEXT.encode() in path.read_bytes()
    store = await open_store(f"sqlite:{path}")
    await forget(store, LATER, texts=1, numbers=1)
    await store.engine.close()
    assert TEXT.encode() not in path.read_bytes()
    assert NATIONAL.encode() not in path.read_bytes()


# ---- what is not over


async def scheduled(store: Store, account: Account) -> int:
    (message_id,) = await admit(store, texts(account, SMS, send_at=LATER + DAY_MS))
    return message_id


async def on_its_way(store: Store, account: Account) -> int:
    (message_id,) = await submit(store, Taken("a1"), texts(account, SMS))
    return message_id


async def with_a_timer(store: Store, account: Account) -> int:
    """Delivered, and a part may still report that it was, and cost."""
    on_delivery = replace(THREE, charge_on="delivered", parts=2)
    (message_id,) = await admit(store, texts(account, VIBER, on_delivery))
    (viber,) = await claim(store, "viber")
    await store.record([answered(viber, Taken("v1"))], NOW)
    end = NOW + 1000 * (VIBER.lifetime_s + VIBER.grace_s)
    await store.run_timers(9, end)
    (sms,) = await claim(store, now=end)
    await store.record([answered(sms, Taken("a1"))], end)
    await store.keep_receipts([receipt("v1", connector="viber")], end)
    return message_id


async def held(store: Store, account: Account) -> int:
    message_id = await delivered(store, account)
    hold = f"INSERT INTO holds VALUES ({message_id}, {account.id}, {NOW}, 'x')"  # noqa: S608
    await store.engine.write(lambda tx: tx.script([hold]))
    return message_id


@pytest.mark.parametrize("begin", [scheduled, on_its_way, with_a_timer, held])
async def test_what_is_not_over_is_passed_over(
    store: Store, account: Account, store_url: str, begin: Callable[[Store, Account], Any]
) -> None:
    message_id = await begin(store, account)
    before = run_sql(store_url, "SELECT * FROM messages"), run_sql(store_url, "SELECT * FROM deliveries")
    await forget(store, LATER, texts=1, numbers=1)
    assert before == (
        run_sql(store_url, "SELECT * FROM messages"),
        run_sql(store_url, "SELECT * FROM deliveries"),
    )
    assert run_sql(store_url, "SELECT what, message_id FROM not_forgotten ORDER BY what") == [
        ("numbers", message_id),
        ("texts", message_id),
    ]


async def test_a_scheduled_message_leaves_whole_and_is_forgotten_when_it_has_ended(
    store: Store, account: Account, store_url: str
) -> None:
    message_id = await scheduled(store, account)
    await forget(store, LATER, texts=1, numbers=1)
    at = LATER + DAY_MS
    (handover,) = await store.claim("smsc", "w1", 9, LEASE_MS, at)
    assert (handover.content, handover.recipient) == (SmsText(text=TEXT), TO)
    await store.record([answered(handover, Taken("a1"))], at)
    await forget(store, at, texts=1, numbers=1)
    assert TEXT in dump(store_url)
    await store.keep_receipts([receipt("a1", to=TO)], at + 1)
    assert await status(store, account, message_id) is Status.DELIVERED
    await forget(store, at + 2, texts=1, numbers=1)
    left = dump(store_url)
    assert TEXT not in left
    assert NATIONAL not in left
    assert run_sql(store_url, "SELECT * FROM not_forgotten") == []
    assert await fsck(store)


async def test_what_ended_with_nothing_awaited_is_forgotten(
    store: Store, account: Account, store_url: str
) -> None:
    """There was no route; nobody reports; it was deleted."""
    await admit(
        store, replace(texts(account, SMS), delivery=Delivery(rungs=(), at=0, status=Status.NO_ROUTE))
    )
    (unreported,) = await submit(store, Taken(""), texts(account, replace(SMS, reports="none")))
    deleted = await scheduled(store, account)
    await store.delete(account.id, [deleted], NOW)
    await forget(store, LATER, texts=1, numbers=1)
    assert run_sql(store_url, "SELECT * FROM not_forgotten") == []
    assert NATIONAL not in dump(store_url)
    assert await status(store, account, unreported) is Status.SENT
    assert await fsck(store)


# ---- what comes later


async def test_a_late_receipt_finds_its_message_and_brings_nothing_back(
    store: Store, account: Account, store_url: str
) -> None:
    (message_id,) = await admit(store, texts(account, VIBER))
    (viber,) = await claim(store, "viber")
    await store.record([answered(viber, Taken("v1"))], NOW)
    await store.keep_receipts([receipt("v1", connector="viber")], NOW)
    await forget(store, LATER, texts=1, numbers=1)
    seen = replace(receipt("v1", Outcome.SEEN, "viber", to=TO), raw=f"{TO} {TEXT}", code=f"0 {TO}")
    assert await store.keep_receipts([seen], LATER) == ["v1"]
    assert await status(store, account, message_id) is Status.READ
    left = dump(store_url)
    assert NATIONAL not in left
    assert TEXT not in left
    assert "receipt: seen" in await told(store, message_id)


async def test_a_late_receipt_of_a_message_whose_text_alone_is_forgotten(
    store: Store, account: Account, store_url: str
) -> None:
    await delivered(store, account)
    await forget(store, LATER, texts=1)
    await store.keep_receipts([replace(receipt("a1", to=TO), raw=f"{TO} {TEXT}")], LATER)
    assert run_sql(store_url, "SELECT recipient, raw FROM receipts ORDER BY id") == [(TO, ""), (TO, "")]


async def test_a_receipt_of_an_ended_message_is_kept_as_it_came_before_that(
    store: Store, account: Account, store_url: str
) -> None:
    await delivered(store, account)
    await store.keep_receipts([replace(receipt("a1", to=TO), raw="again")], LATER)
    assert run_sql(store_url, "SELECT raw FROM receipts ORDER BY id DESC LIMIT 1") == [("again",)]


async def test_nothing_is_learned_of_a_forgotten_number(
    store: Store, account: Account, store_url: str
) -> None:
    await admit(store, texts(account, VIBER))
    (viber,) = await claim(store, "viber")
    await store.record([answered(viber, Taken("v1"))], NOW)
    await store.run_timers(9, NOW + 1000 * (VIBER.lifetime_s + VIBER.grace_s))
    await forget(store, LATER, numbers=1)
    late = replace(receipt("v1", Outcome.FAILED, "viber", to=TO), fault=Fault.NO_ACCOUNT)
    await store.keep_receipts([late], LATER)
    assert run_sql(store_url, "SELECT * FROM no_account") == []


# ---- by the worker


async def test_the_worker_forgets(store: Store, account: Account, store_url: str) -> None:
    await delivered(store, account)
    worker = Worker(store, "w1", 60, lambda: LATER, retention=Retention(store.engine, SECRET, 1, 1))
    await worker.start({})
    await becomes(lambda: NATIONAL not in dump(store_url))
    await worker.stop()
    assert TEXT not in dump(store_url)


# ---- in pages, and by several


async def test_pages_go_on_where_the_last_one_ended(store: Store, account: Account, store_url: str) -> None:
    at = [NOW + n for n in range(2 * PAGE + 1)]
    free = replace(SMS, part_price=0)
    await store.admit([replace(texts(account, free), accepted_at=t) for t in at])
    for handover in await claim(store, n=1000):
        await store.record([answered(handover, Never("1", Fault.CONTENT))], NOW)
    old = at[PAGE + 50]
    await forget(store, old + DAY_MS, texts=1)
    assert run_sql(store_url, "SELECT count(*) FROM messages WHERE sms IS NULL") == [(PAGE + 50,)]
    assert rows(store_url, "messages", "count(*)", f"sms IS NULL AND accepted_at >= {old}") == [(0,)]
    await forget(store, LATER, texts=1)
    assert run_sql(store_url, "SELECT count(*) FROM messages WHERE sms IS NOT NULL") == [(0,)]


async def test_many_that_are_not_over_are_looked_at_again(
    store: Store, account: Account, store_url: str
) -> None:
    free = replace(SMS, part_price=0)
    ids = await admit(store, *[texts(account, free, send_at=LATER) for _ in range(2 * PAGE + 1)])
    await forget(store, NOW + 2 * DAY_MS, texts=1)
    assert run_sql(store_url, "SELECT count(*) FROM not_forgotten") == [(len(ids),)]
    await store.delete(account.id, ids, NOW + 2 * DAY_MS)
    await forget(store, NOW + 2 * DAY_MS)  # also where nothing is forgotten by its age
    assert run_sql(store_url, "SELECT count(*) FROM not_forgotten") == [(0,)]
    assert TEXT not in dump(store_url)


async def test_without_settings_nothing_is_forgotten(store: Store, account: Account, store_url: str) -> None:
    await delivered(store, account)
    before = dump(store_url)
    await forget(store, NOW + 36_500 * DAY_MS)
    assert dump(store_url) == before


async def test_one_worker_forgets_at_a_time(postgres_url: str) -> None:
    store = await open_store(postgres_url)
    account = await open_account(Directory(store.engine), money=1_000_000)
    await delivered(store, account)
    with closing(psycopg.connect(postgres_url)) as other:
        other.execute("SELECT value FROM counters WHERE name = 'texts' FOR UPDATE")
        async with asyncio.timeout(PATIENCE_S):
            await forget(store, LATER, texts=1)
        assert run_sql(postgres_url, "SELECT count(*) FROM messages WHERE sms IS NULL") == [(0,)]
        other.rollback()
    await forget(store, LATER, texts=1)
    assert run_sql(postgres_url, "SELECT count(*) FROM messages WHERE sms IS NULL") == [(1,)]
    await store.close()


async def test_ids_are_as_old_as_they_are_low(store: Store, account: Account) -> None:
    """A process that is seldom asked does not use the ids that it took long ago."""
    seldom, often = Store(store.engine), Store(store.engine)

    async def accepted(by: Store, at: int) -> int:
        (i,) = await admit(by, replace(order(account, replace(SMS, part_price=0)), accepted_at=at))
        return i

    first, second = await accepted(seldom, NOW), await accepted(often, NOW)
    assert first < second
    assert await accepted(seldom, NOW + 1) == first + 1
    assert await accepted(seldom, NOW + DAY_MS) > second


# ---- what came in


async def test_what_came_in_is_forgotten_likewise(store: Store, store_url: str) -> None:
    inbox = Inbox(store.engine)
    await inbox.keep_incoming(cut(TEXT, 140, sender=TO), NOW)
    await inbox.keep_incoming(cut("young", 140, sender=TO), LATER)
    await forget(store, LATER, texts=1)
    assert run_sql(store_url, "SELECT text, sender FROM inbox ORDER BY id") == [("", TO), ("young", TO)]
    await forget(store, LATER, numbers=1)
    assert run_sql(store_url, "SELECT text, sender FROM inbox ORDER BY id") == [
        ("", STANDS_FOR),
        ("young", TO),
    ]


# ---- what is remembered for a while


async def test_notices_are_dropped_when_they_are_old(store: Store, store_url: str) -> None:
    for days in (0, 365, 367):
        values = f"{LATER - days * DAY_MS}, 1, 'low_balance', '{days}', ''"
        run_sql(store_url, f"INSERT INTO notices (at, account_id, kind, period, detail) VALUES ({values})")  # noqa: S608
    assert await Notices(store.engine).forget_old(LATER) == 1
    assert [one.period for one in await Notices(store.engine).latest(9)] == ["365", "0"]


async def test_who_stops_a_sender_by_a_message_whose_number_is_forgotten_is_heard(
    store: Store, account: Account
) -> None:
    await delivered(store, account)
    await forget(store, LATER, numbers=1)
    inbox = Inbox(store.engine)
    told = [Unsubscribed(connector="smsc", number=number, about="a1") for number in ("380671119999", TO)]
    assert await inbox.keep_unsubscribed(told, LATER) == 1
    assert await inbox.stopped_by(TO) == [account.id]
