"""What only PostgreSQL does: see test_engines.py for what both do."""

import asyncio
import contextlib
import re
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from conftest import NOW, open_account, order, run_sql
from test_engines import AT_THE_GATE, LISTENERS, TERMINATE, customer, in_order

from hopwire.errors import OutcomeUnknown, Unavailable
from hopwire.store import Store, postgres
from hopwire.store.directory import Directory
from hopwire.store.engine import Tx
from hopwire.store.migrate import open_store
from hopwire.store.pipeline import Outcome, Pipeline
from hopwire.store.postgres import PostgresEngine, PostgresTx


@pytest.fixture
async def served(postgres_url: str) -> Any:
    store = await open_store(postgres_url)
    await open_account(Directory(store.engine), money=1_000_000)
    yield store
    await store.close()


async def test_connections_that_died_while_they_lay_idle_are_replaced(
    served: Store, postgres_url: str
) -> None:
    account = await customer(served)
    for _ in range(3):
        await asyncio.gather(*(served.admit([order(account)]) for _ in range(4)))
        run_sql(postgres_url, TERMINATE)
    assert await in_order(served, messages=12)


async def test_to_accept_costs_two_round_trips(served: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    trips, exchange = 0, Pipeline._exchange

    def counted(pipeline: Pipeline) -> Any:
        nonlocal trips
        trips += 1
        return exchange(pipeline)

    account = await customer(served)
    await served.admit([order(account), order(account)])  # that learns the statements, and takes ids
    monkeypatch.setattr(Pipeline, "_exchange", counted)
    await served.admit([order(account), order(account)])
    assert trips == 2


async def test_a_connection_lost_midway_leaves_nothing(served: Store, postgres_url: str) -> None:
    def work(tx: Tx) -> None:
        tx.run("add_to_balance", id=1, amount=5)
        run_sql(postgres_url, TERMINATE)
        tx.run("add_to_balance", id=1, amount=5)

    with pytest.raises(Unavailable):
        await served.engine.write(work)
    assert (await customer(served)).balance == 1_000_000  # and it can be used again


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    engine = PostgresEngine("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        await engine.read(lambda tx: tx.all("accounts"))
    await engine.close()


def ask(tx: Tx, text: str) -> Outcome:
    assert isinstance(tx, PostgresTx)
    return tx.ask(text)


@pytest.mark.parametrize("name", ["save_delivery", "move_funds", "match_receipt", "rewrite_event"])
async def test_an_update_of_many_rows_reads_no_others(served: Store, name: str) -> None:
    def plan(tx: Tx) -> str:
        assert isinstance(tx, PostgresTx)
        update = tx._plural(name) or ""
        rows = tx.ask(f"EXPLAIN {update}", [[1, 2]] * (update.count("::") - 1)).rows
        return "\n".join(row[0] for row in rows)

    assert re.search(r"Index Cond: \(.*\bid = ", await served.engine.write(plan))


async def test_what_writes_is_planned_once_and_what_reads_for_its_values(served: Store) -> None:
    def look(tx: Tx) -> tuple[int, int]:
        tx.all("no_account_among", channel="viber", numbers=["380501234567"], now=NOW)
        plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
        return tuple(ask(tx, f"{plans} WHERE statement LIKE 'SELECT number, until%'").rows[0])

    for n in (1, 2):
        assert await served.engine.write(look) == (n, 0)
    assert await served.engine.read(look) == (2, 1)


async def test_a_deadlock_is_tried_again(served: Store, postgres_url: str) -> None:
    directory = Directory(served.engine)
    await open_account(directory, login="other")

    def cross(first: int, second: int) -> Any:
        tried: list[Tx] = []

        def work(tx: Tx) -> int:
            tried.append(tx)
            tx.run("add_to_balance", id=first, amount=1)
            ask(tx, "SELECT pg_advisory_xact_lock_shared(1)")
            tx.run("add_to_balance", id=second, amount=1)
            return len(tried)

        return served.engine.write(work)

    with psycopg.connect(postgres_url) as gate:
        gate.execute("SELECT pg_advisory_xact_lock(1)")
        crossing = asyncio.gather(cross(1, 2), cross(2, 1))
        while len(run_sql(postgres_url, AT_THE_GATE)) < 2:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)
    winner, loser = sorted(await crossing)
    assert (winner, loser > 1) == (1, True)
    assert [account.balance for account in await directory.accounts()] == [1_000_002, 2]


@pytest.mark.parametrize("n", [1, 2])
async def test_what_fails_behind_the_last_look_undoes_all_and_is_told(served: Store, n: int) -> None:
    row = (NOW, 1, "charge", 5, 1, 0)  # one of each kind for a step of a message

    def work(tx: Tx) -> None:
        tx.run("add_to_balance", id=1, amount=5)
        tx.many("create_ledger_entry", [(NOW, 1, "topup", 5, None, None)])
        tx.many("create_ledger_entry", [row] * n)
        tx.many("create_ledger_entry", [row])

    for _ in range(2):  # and the connection goes on
        with pytest.raises(psycopg.errors.UniqueViolation):
            await served.engine.write(work)
    assert (await customer(served)).balance == 1_000_000
    assert not any((await Directory(served.engine).fsck()).values())
    assert isinstance(served.engine, PostgresEngine)
    assert len(served.engine._idle) == 1


async def test_a_text_that_cannot_be_kept_whole_is_not_kept(served: Store) -> None:
    with pytest.raises(psycopg.DataError):
        await served.engine.write(lambda tx: tx.run("set_schema_version", value="5\x00"))
    with pytest.raises(psycopg.DataError):
        await served.engine.write(lambda tx: tx.all("stopped_among", numbers=["1\x002"]))


async def test_an_error_that_a_transaction_has_hidden_is_told_at_its_commit(served: Store) -> None:
    def work(tx: Tx) -> None:
        tx.run("add_to_balance", id=1, amount=5)
        with contextlib.suppress(psycopg.Error):
            ask(tx, "SELECT 1/0")

    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        await served.engine.write(work)
    assert (await customer(served)).balance == 1_000_000


async def test_a_commit_that_nobody_has_answered_is_not_tried_again(served: Store, postgres_url: str) -> None:
    run_sql(postgres_url, TERMINATE)
    with pytest.raises(OutcomeUnknown):
        await served.engine.write(lambda tx: tx.many("move_funds", [(5, 0, 1)]))
    assert (await customer(served)).balance == 1_000_000


async def test_a_caller_who_goes_away_leaves_nothing_half_done(served: Store) -> None:
    here = asyncio.Event()

    def work(tx: Tx) -> None:
        here.set()
        tx.run("add_to_balance", id=1, amount=5)
        tx.run("add_to_balance", id=1, amount=5)

    caller = asyncio.ensure_future(served.engine.write(work))
    await here.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await served.engine.close()
    assert (await customer(served)).balance == 1_000_010


async def listening(url: str) -> None:
    while not run_sql(url, LISTENERS):  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.02)


async def test_one_process_wakes_another_also_after_the_server_went_away(
    served: Store, postgres_url: str
) -> None:
    account = await customer(served)
    woken = asyncio.Event()
    other = await open_store(postgres_url)
    other.listen(lambda due: woken.set())
    await listening(postgres_url)
    await served.admit([order(account)])
    await woken.wait()
    run_sql(postgres_url, TERMINATE)
    await listening(postgres_url)
    woken.clear()
    await served.admit([order(account)])
    await woken.wait()
    await other.close()


async def test_a_row_that_another_session_holds_is_not_waited_for_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "SETTINGS", postgres.SETTINGS.replace("'5s'", "'100ms'"))
    store = await open_store(postgres_url)
    account = await open_account(Directory(store.engine), money=1_000_000)
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM accounts FOR UPDATE")
        with pytest.raises(Unavailable):
            await store.admit([order(account)])
        other.rollback()
    await store.admit([order(account)])
    assert await in_order(store, messages=1)
    await store.close()


async def test_a_commit_is_on_disk_whatever_the_server_s_default_is(postgres_url: str) -> None:
    name = urlsplit(postgres_url).path[1:]
    run_sql(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = await open_store(postgres_url)
    assert isinstance(store.engine, PostgresEngine)

    def setting(tx: Tx) -> str:
        return str(ask(tx, "SHOW synchronous_commit").rows[0][0])

    assert await store.engine.read(setting) == "on"
    await store.close()
