"""The two engines: what is on disk, what is undone, and how a database that cannot be used comes back."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import NOW, open_account, order

from hopwire.errors import Unavailable
from hopwire.model import Account
from hopwire.store import Store, sqlite
from hopwire.store.directory import Directory
from hopwire.store.engine import Tx
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_engine, open_store
from hopwire.store.sqlite import SqliteEngine

TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
AT_THE_GATE = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
LISTENERS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


async def in_order(store: Store, messages: int) -> bool:
    """So many messages are kept, each of them whole."""
    directory = Directory(store.engine)
    assert not any((await directory.fsck()).values())
    (account,) = await directory.accounts()
    return (await store.backlog(NOW))[0] == messages and account.reserved == 800 * messages


# ---- both


async def test_a_transaction_that_fails_leaves_nothing_and_wakes_nobody(
    store: Store, directory: Directory, account: Account
) -> None:
    woken = asyncio.Event()
    store.listen(lambda due: woken.set())

    def work(tx: Tx) -> None:
        tx.run("add_to_balance", id=account.id, amount=5)
        tx.wake(["smsc"], NOW)
        raise LookupError

    await asyncio.sleep(0)
    with pytest.raises(LookupError):
        await store.engine.write(work)
    await Ledger(directory.engine).top_up(account.id, 1, "", NOW)
    assert [one.balance for one in await directory.accounts()] == [1_000_001]
    assert not woken.is_set()


async def test_what_is_to_follow_a_commit_follows_it_alone(store: Store) -> None:
    followed: list[str] = []

    def work(tx: Tx) -> None:
        tx.run("probe")
        tx.after.append(lambda: followed.append("kept"))

    def undone(tx: Tx) -> None:
        tx.after.append(lambda: followed.append("undone"))
        raise LookupError

    await store.engine.write(work)
    with pytest.raises(LookupError):
        await store.engine.write(undone)
    assert followed == ["kept"]


async def test_what_is_asked_ahead_is_there_with_what_is_asked_next(store: Store, account: Account) -> None:
    def work(tx: Tx) -> tuple[list[Any], list[Any], list[Any]]:
        tx.many("move_funds", [(1, 0, account.id)])
        ahead = tx.ahead("account_by_login", login=account.login)
        funds = tx.all("lock_funds", ids=[account.id])
        return list(ahead), tx.all("account_by_login", login=account.login), funds

    ahead, again, funds = await store.engine.write(work)
    assert ahead == again != []
    assert [left for _, left in funds] == [account.balance - 1]


async def test_an_error_behind_what_was_asked_ahead_leaves_no_trace(store: Store, account: Account) -> None:
    def failing(tx: Tx) -> None:
        tx.ahead("account_by_login", login=account.login)
        tx.script(["no statement"])

    with pytest.raises((sqlite3.Error, psycopg.Error)):
        await store.engine.write(failing)
    left = await store.engine.write(lambda tx: tx.all("lock_funds", ids=[account.id]))
    assert left == [(account.id, account.balance)]


ODD = ["", "NULL", "a,b", "{}", '"', "\\", '\\"{","}', "line\nline", "Ї", " \t "]


@pytest.mark.parametrize("n", [1, len(ODD)])
async def test_many_rows_are_kept_as_they_are(store: Store, n: int) -> None:
    rows = [(NOW, "smsc", "1", "2", text, i if i % 2 else None) for i, text in enumerate(ODD[-n:])]

    def work(tx: Tx) -> list[Any]:
        tx.many("create_incoming", rows)
        return [row[1:] for row in tx.all("latest_incoming", before=2**62, n=n)]

    assert list(reversed(await store.engine.write(work))) == rows


async def test_an_account_that_is_moved_twice_is_moved_by_both(store: Store, account: Account) -> None:
    await store.engine.write(lambda tx: tx.many("move_funds", [(1, 0, account.id), (2, 0, account.id)]))
    assert [one.balance for one in await Directory(store.engine).accounts()] == [account.balance - 3]


INDEXED: list[tuple[str, dict[str, Any]]] = [
    ("lock_funds", {"ids": [1]}),
    ("claim", {"connector": "smsc", "worker": "w1", "now": NOW, "n": 10}),
    ("waiting_for", {"connector": "smsc", "now": NOW, "at": 0, "last": 0, "n": 10}),
    ("stopped_among", {"numbers": ["1"]}),
    ("find_spellings", {"provider_ids": ["1"]}),
    ("find_senders", {"provider_ids": ["1"]}),
    ("senders", {"ids": [1, 2]}),
    ("outstanding", {"connector": "viber", "after": 0, "n": 10}),
    ("no_account_among", {"channel": "viber", "numbers": ["1", "2"], "now": NOW}),
    ("forget_no_account", {"channel": "viber", "number": "1"}),
    ("forget_old_no_accounts", {"now": NOW}),
    ("story", {"id": 1}),
    ("events_of", {"id": 1}),
    ("payments_of", {"id": 1}),
    ("receipts_of", {"id": 1}),
    ("list_unmatched_receipts", {"connector": "", "at": NOW, "id": 1, "n": 10}),
    ("parts_from", {"senders": ["1"]}),
    ("old_parts", {"before": NOW}),
    ("owners", {"numbers": ["1"]}),
    ("latest_incoming_of", {"account_id": 1, "before": 100, "n": 10}),
    ("load_messages", {"ids": [1, 2]}),
    ("due_timers", {"now": NOW, "n": 10}),
    ("load_deliveries", {"ids": [1, 2]}),
    ("orphans", {"worker": "w1"}),
    ("in_doubt_to", {"recipients": ["1", "2"]}),
    ("find_handles", {"provider_ids": ["1", "2"]}),
    ("unmatched_receipts_for", {"provider_ids": ["1", "2"]}),
    ("unmatched_receipts", {"at": NOW, "id": 0, "n": 10}),
    ("forget_unmatched_receipts", {"before": NOW}),
    ("statuses", {"ids": [1, 2], "account_id": 1}),
    ("latest_deliveries", {"n": 10, "after": 0}),
    ("unfinished", {"now": NOW}),
    ("account_by_login", {"login": "x"}),
    ("account_by_key", {"digest": "x"}),
    ("hold_series", {"name": "texts"}),
    ("oldest_messages", {"after": 0, "n": 10}),
    ("oldest_incoming", {"after": 0, "n": 10}),
    ("not_forgotten", {"what": "texts", "after": 0, "n": 10}),
    ("held_among", {"ids": [1, 2]}),
    ("forget_texts", {"ids": [1, 2]}),
    ("forget_raw_receipts", {"ids": [1, 2]}),
    ("codes_of_receipts", {"ids": [1, 2]}),
    ("codes_of_events", {"ids": [1, 2]}),
    ("textless_among", {"ids": [1, 2]}),
    ("forget_incoming_texts", {"ids": [1, 2]}),
    ("newest_message", {}),
    ("messages_to", {"after": 0, "until": 10, "names": ["1"]}),
    ("newest_incoming", {}),
    ("incoming_from", {"after": 0, "until": 10, "names": ["1"]}),
    ("incoming_among", {"ids": [1, 2]}),
    ("parts_of", {"senders": ["1"]}),
    ("erase_parts", {"senders": ["1"]}),
    ("unmatched_to", {"recipients": ["1"]}),
    ("erase_unmatched", {"recipients": ["1"]}),
    ("stops_of", {"number": "1"}),
    ("erase_stops", {"number": "1"}),
    ("absence_of", {"number": "1"}),
    ("erase_absence", {"number": "1"}),
    ("counts_of", {"ending": "%:1"}),
    ("erase_counts", {"ending": "%:1"}),
    ("recently_to", {"number": "1"}),
    ("erase_recent", {"number": "1"}),
    ("usage_of", {"accounts": [1], "scopes": ["account/day"], "now": NOW}),
    ("recent_to", {"accounts": [1], "numbers": ["1"], "since": NOW}),
    ("recent_in", {"accounts": [1], "blocks": ["1"], "since": NOW}),
    ("answered_among", {"accounts": [1], "keys": ["1"], "since": NOW}),
    ("old_usage", {"now": NOW, "n": 10}),
    ("old_recent", {"before": NOW, "n": 10}),
    ("old_answers", {"before": NOW, "n": 10}),
    ("list_holds", {"after": 0, "account_id": 0, "block": "", "n": 10}),
    ("earned_by", {"message_id": 1}),
    ("balance_at", {"account_id": 1, "at": NOW}),
    ("movements", {"account_id": 1, "at": NOW, "last": 0, "until": NOW, "n": 10}),
    ("margins", {"since": NOW, "until": NOW}),
    ("resellers", {"ids": [1]}),
    ("audit_page", {"after": 0, "n": 10}),
    ("audit_digest", {"id": 1}),
    ("forget_notices", {"before": NOW}),
]
IN_ORDER = {
    "claim",
    "waiting_for",
    "due_timers",
    "outstanding",
    "oldest_messages",
    "oldest_incoming",
    "messages_to",
    "incoming_from",
    "not_forgotten",
    "unmatched_receipts",
}  # read in the order of an index, up to the limit


def sqlite_plan(tx: Any, name: str, params: dict[str, Any]) -> str:
    lists = {key: "[]" for key, value in params.items() if isinstance(value, list)}
    rows = tx._connection.execute(f"EXPLAIN QUERY PLAN {tx._statements[name].named}", params | lists)
    return "\n".join(row[3] for row in rows)


def postgres_plan(tx: Any, name: str, params: dict[str, Any]) -> str:
    statement = tx._statements[name]
    outcome = tx.ask(f"EXPLAIN {statement.named}", [params[one] for one in statement.parameters])
    return "\n".join(row[0] for row in outcome.rows)


@pytest.mark.parametrize(("name", "params"), INDEXED, ids=[name for name, _ in INDEXED])
async def test_no_query_on_the_way_reads_a_table_from_end_to_end(
    store: Store, name: str, params: dict[str, Any]
) -> None:
    explain = sqlite_plan if isinstance(store.engine, SqliteEngine) else postgres_plan
    plan = await store.engine.write(lambda tx: explain(tx, name, params))
    assert not re.search(r"Seq Scan|SCAN (?!json_each)\w+$", plan, re.MULTILINE), plan
    if name in IN_ORDER:
        assert not re.search(r"Sort|TEMP B-TREE", plan), plan


# ---- SQLite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hopwire.db"


@pytest.fixture
async def filed(path: Path) -> Any:
    store = await open_store(f"sqlite:{path}")
    await open_account(Directory(store.engine), money=1_000_000)
    yield store
    await store.close()


async def customer(store: Store) -> Account:
    return (await Directory(store.engine).accounts())[0]


async def test_sqlite_writes_a_log_ahead_and_syncs_every_commit(filed: Store) -> None:
    assert isinstance(filed.engine, SqliteEngine)
    pragmas = ("journal_mode", "synchronous")
    connection = filed.engine._connection
    values = [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
    assert values == ["wal", 2]  # 2 is FULL


async def test_what_nobody_waits_for_shares_a_commit_with_others_like_it(
    filed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, said = filed.engine, list[str]()
    assert isinstance(engine, SqliteEngine)
    monkeypatch.setattr(sqlite, "LEISURE_S", 1e9)
    engine._connection.set_trace_callback(said.append)
    at_leisure = [asyncio.create_task(engine.write(_probe, at_leisure=True)) for _ in range(3)]
    await asyncio.sleep(0)
    await engine.write(_probe)
    assert said.count("COMMIT") == 1
    assert not any(one.done() for one in at_leisure)
    engine._end_leisure()
    await asyncio.gather(*at_leisure)
    assert said.count("COMMIT") == 2


async def test_what_nobody_waits_for_is_committed_without_company(filed: Store) -> None:
    assert await filed.engine.write(_probe, at_leisure=True) == "done"


def _probe(tx: Tx) -> str:
    tx.run("probe")
    return "done"


async def test_a_file_locked_by_another_process_is_unavailable_until_it_is_free(
    filed: Store, path: Path
) -> None:
    account = await customer(filed)
    await filed.admit([order(account)])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await filed.admit([order(account)])
        assert len(await filed.latest(10)) == 1  # it can still be read
        other.execute("ROLLBACK")
    await filed.admit([order(account)])
    assert await in_order(filed, messages=2)


async def test_a_full_disk_is_unavailable_until_there_is_room(filed: Store) -> None:
    assert isinstance(filed.engine, SqliteEngine)
    account = await customer(filed)
    connection = filed.engine._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    accepted = 0
    with pytest.raises(Unavailable):
        for _ in range(1000):
            await filed.admit([order(account)])
            accepted += 1
    assert accepted
    assert await in_order(filed, messages=accepted)
    connection.execute("PRAGMA max_page_count = 1000000")
    await filed.admit([order(account)])
    assert await in_order(filed, messages=accepted + 1)


async def test_what_is_accepted_is_there_when_the_file_is_opened_again(filed: Store, path: Path) -> None:
    await filed.admit([order(await customer(filed))])
    other = await open_store(f"sqlite:{path}")  # without a goodbye of the first
    assert await in_order(other, messages=1)
    await other.close()


@pytest.mark.parametrize("content", [None, b"This is no database, but long enough to look like one. " * 100])
def test_a_file_that_is_no_database_is_unavailable(path: Path, content: bytes | None) -> None:
    path.write_bytes(content or b"")
    with pytest.raises(Unavailable):
        open_engine(f"sqlite:{path if content else path / 'below'}")
