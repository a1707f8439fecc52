"""What has happened is counted once, on both engines, whatever happens and whoever dies."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, SMS, VIBER, open_account, order, run_sql
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_store import LEASE_MS, THREE, admit, submit
from test_store_histories import TABLES, World, admits, events
from test_store_receipts import receipt

from hopwire.delivery import plan_delivery
from hopwire.events import Answered
from hopwire.model import Account, Answer, Fault, Never, Other, Outcome, Receipt, Status, Taken
from hopwire.store import Store, sql, tallies
from hopwire.store.directory import Directory
from hopwire.store.engine import Tx
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_store
from hopwire.store.tallies import Money, Tallies
from hopwire.tallies import HOUR_MS, KINDS, OTHER, by_day, day, hour, plain_code, week
from hopwire.timeline import What

SECOND = Other(connector="second")
Told = dict[str, dict[str, int]]


async def count_old(store: Store, now: int = NOW) -> None:
    """Count all that was there before."""
    while await Tallies(store.engine).count_old(now):
        pass


async def told(store: Store, account: Account | None = None) -> Told:
    """Kind -> detail -> its sum of all times, without what is nothing."""
    found: Told = {}
    for (kind, detail), n in (await Tallies(store.engine).of(account.id if account else None, 0)).items():
        if n:
            found.setdefault(kind, {})[detail] = n
    return found


# ---- whatever happens


class DeadError(Exception):
    """The worker has died."""


class Dying:
    """The engine of a process that dies at a commit: before it, or right after."""

    def __init__(self, engine: Any, commits: int, *, after: bool) -> None:
        self._engine, self._left, self._after = engine, commits, after

    async def write(self, work: Any, *, at_leisure: bool = False, last: bool = False) -> Any:
        self._left -= 1
        result = await self._engine.write(work if self._left > 0 or self._after else _fatally(work))
        if self._left <= 0:
            raise DeadError
        return result


def _fatally(work: Any) -> Any:
    def dies(tx: Tx) -> None:
        work(tx)
        raise DeadError

    return dies


class Counted(World):
    """A world that may be of an older program until some moment; its books are looked at elsewhere."""

    async def upgrade(self) -> None:
        """Processes of the new program take new blocks of ids."""
        await self._store.engine.write(_as_upgraded)
        self._store = Store(self._store.engine)

    async def count(self, commits: int, after: bool, workers: int) -> None:
        """Workers count what was there before, and die of it."""
        engine: Any = Dying(self._store.engine, commits, after=after)
        await asyncio.gather(
            *(Tallies(engine).count_old(self.now) for _ in range(workers)), return_exceptions=True
        )

    async def check(self) -> None:
        pass

    async def end(self) -> None:
        await super().end()
        await count_old(self._store, self.now)


def _as_upgraded(tx: Tx) -> None:
    """As the migration leaves it."""
    script = sql.script("migrations/0007_cabinet.sql", sql.SQLITE)
    tx.script(["DELETE FROM tallies", "DELETE FROM counters WHERE name LIKE 'tallied/%'"])
    tx.script(one for one in script if "'tallied/" in one)


async def live(url: str, history: list[tuple[Any, ...]]) -> None:
    store = await open_store(url)
    try:
        await store.engine.write(_empty)
        world = Counted(store, await open_account(Directory(store.engine), money=6000))
        for name, *args in history:
            await getattr(world, name)(*args)
        await world.end()
        found = await told(store)
        await store.engine.write(_as_upgraded)
        await count_old(store, world.now)
        assert await told(store) == found  # what is kept tells the same as what happened
    finally:
        await store.close()
    assert set(found) <= set(KINDS)
    assert without_channels(found) == facts(url)


def _empty(tx: Tx) -> None:
    tx.script(f"DELETE FROM {table}" for table in (*TABLES, "tallies"))  # noqa: S608
    tx.script(["UPDATE counters SET value = 0 WHERE name LIKE 'tallied/%'"])


def facts(url: str) -> Counter[str]:
    """What the other tables tell of it."""
    kept = run_sql(url, "SELECT status, count(*) FROM deliveries GROUP BY status")
    statuses = {Status(status): n for status, n in kept}
    what = {What(what): n for what, n in run_sql(url, "SELECT what, count(*) FROM events GROUP BY what")}
    sums = {kind: int(n) for kind, n in run_sql(url, "SELECT kind, sum(amount) FROM ledger GROUP BY kind")}
    ends = {
        "delivered": (Status.DELIVERED, Status.READ),
        "seen": (Status.READ,),
        "partial": (Status.PARTIAL,),
        "failed": (Status.EXPIRED, Status.NO_ROUTE, Status.FAILED, Status.BAD_NUMBER),
        "deleted": (Status.DELETED,),
    }
    found = Counter({kind: sum(statuses.get(one, 0) for one in some) for kind, some in ends.items()})
    found["accepted"] = sum(statuses.values())
    found["redirected"], found["twice"] = what.get(What.NEXT, 0), what.get(What.LATE, 0)
    found["failures"] = sum(what.get(one, 0) for one in (What.REFUSED, What.EXPIRED, What.FAILED))
    found["spent"], found["cost"] = sums.get("charge", 0), sums.get("cost", 0)
    return +found


def without_channels(found: Told) -> Counter[str]:
    """Of kinds that other tables tell, too."""
    return +Counter({kind: sum(details.values()) for kind, details in found.items() if kind != "saved"})


counts = st.tuples(st.just("count"), st.integers(1, 4), st.booleans(), st.integers(1, 2))
histories = given(
    first=st.lists(admits, min_size=1, max_size=5),
    before=st.lists(events, max_size=20),
    after=st.lists(events | counts, min_size=5, max_size=20),
)


@settings(max_examples=40)
@histories
def test_all_is_counted_once_whatever_happens(
    tmp_path: Path, first: list[Any], before: list[Any], after: list[Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "PAGE", 3)
        asyncio.run(live(f"sqlite:{tmp_path}/hopwire.db", [*first, *before, ("upgrade",), *after]))


@settings(max_examples=10)
@histories
def test_all_is_counted_once_on_postgresql_whatever_happens(
    postgres_url: str, first: list[Any], before: list[Any], after: list[Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "PAGE", 3)
        asyncio.run(live(postgres_url, [*first, *before, ("upgrade",), *after]))


# ---- what is counted


async def answer(store: Store, connector: str, answer: Answer, now: int = NOW) -> None:
    """Hand over all that is due on a connector, and let it answer so."""
    handed = await store.claim(connector, "w1", 100, LEASE_MS, now)
    changes = [(h.message_id, Answered(h.step, h.part, answer, connector)) for h in handed]
    await store.record(changes, now)


def report(outcome: Outcome, connector: str = "viber", name: str = "v1", code: str = "x") -> Receipt:
    return replace(receipt(name, outcome, connector=connector), code=code)


async def test_viber_that_delivers_has_saved_the_sms(store: Store, account: Account) -> None:
    await admit(store, order(account))
    await answer(store, "viber", Taken("v1"))
    await store.keep_receipts([report(Outcome.DELIVERED)], NOW)
    assert await told(store) == {
        "accepted": {"": 1}, "delivered": {"viber": 1}, "spent": {"viber": 300}, "saved": {"": 200},
    }  # fmt: skip
    await store.keep_receipts([report(Outcome.SEEN)], NOW)
    assert (await told(store))["seen"] == {"": 1}
    assert (await told(store))["delivered"] == {"viber": 1}


async def test_seen_alone_is_delivered_too(store: Store, account: Account) -> None:
    await admit(store, order(account, VIBER))
    await answer(store, "viber", Taken("v1"))
    await store.keep_receipts([report(Outcome.SEEN)], NOW)
    assert await told(store) == {
        "accepted": {"": 1}, "delivered": {"viber": 1}, "seen": {"": 1}, "spent": {"viber": 300},
    }  # fmt: skip


async def test_a_redirect_is_counted_with_why_and_whose_code(store: Store, account: Account) -> None:
    await admit(store, order(account, VIBER, replace(THREE, part_cost=7)))
    await answer(store, "viber", Never("9", Fault.NO_ACCOUNT))
    for name in ("a1", "a2", "a3"):
        await answer(store, "smsc", Taken(name))
        await store.keep_receipts([receipt(name)], NOW)
    assert await told(store) == {
        "accepted": {"": 1}, "failures": {"viber 9": 1}, "redirected": {"refused": 1},
        "delivered": {"sms": 1}, "spent": {"sms": 1500}, "cost": {"smsc": 21},
    }  # fmt: skip


async def test_viber_that_is_late_has_saved_nothing(store: Store, account: Account) -> None:
    await admit(store, order(account))
    await answer(store, "viber", Taken("v1"))
    later = NOW + 1000 * (VIBER.lifetime_s + VIBER.grace_s)
    await store.run_timers(10, later)
    await answer(store, "smsc", Taken("a1"), later)
    await store.keep_receipts([report(Outcome.DELIVERED)], later)
    found = await told(store)
    assert found["redirected"] == {"not delivered": 1}
    assert found["twice"] == {"": 1}
    assert found["delivered"] == {"viber": 1}
    assert "saved" not in found


async def test_what_was_given_up_and_is_delivered_all_the_same_has_not_failed(
    store: Store, account: Account
) -> None:
    await submit(store, Taken("a1"), order(account, SMS), order(account, SMS))
    later = NOW + 1000 * (SMS.lifetime_s + SMS.grace_s)
    await store.run_timers(10, later)
    assert (await told(store))["failed"] == {"5": 2}
    await store.keep_receipts([receipt("a1")], later + HOUR_MS)
    found = await Tallies(store.engine).hours(account.id, ["failed", "delivered"], 0)
    assert found == {
        "failed": {hour(later): 2, hour(later) + HOUR_MS: -1},
        "delivered": {hour(later) + HOUR_MS: 1},
    }


async def test_a_failure_is_counted_for_the_connector_that_had_the_part(
    store: Store, account: Account
) -> None:
    await admit(store, order(account, replace(SMS, others=(SECOND,))))
    await answer(store, "smsc", Never("0x0b", Fault.CONFIGURATION))
    await answer(store, "second", Never("7", Fault.NUMBER))
    found = await told(store)
    assert found["failures"] == {"smsc 0x0b": 1, "second 7": 1}
    assert found["failed"] == {"99": 1}


async def test_what_is_given_back_is_neither_spent_nor_earned(store: Store, directory: Directory) -> None:
    reseller = await open_account(directory, login="reseller")
    sub = await directory.create_account("sub", "", NOW, parent_id=reseller.id)
    account = next(one for one in await directory.accounts() if one.id == sub)
    await Ledger(store.engine).top_up(account.id, 1000, "", NOW)
    step = replace(SMS, part_cost=3, part_commission=100)
    (message_id,) = await submit(store, Taken("a1"), order(account, step))
    assert await told(store, account) == {"accepted": {"": 1}, "spent": {"sms": 500}, "cost": {"smsc": 3}}
    assert await told(store, reseller) == {"commission": {"": 100}}
    await Ledger(store.engine).refund(message_id, "", NOW)
    assert await told(store, account) == {"accepted": {"": 1}, "cost": {"smsc": 3}}
    assert await told(store, reseller) == {}


async def test_money_is_told_by_currency(store: Store, directory: Directory) -> None:
    hryvnias = await open_account(directory, money=1000)
    zlotys = await directory.create_account("pl", "", NOW, currency="PLN", credit_limit=10_000)
    other = next(one for one in await directory.accounts() if one.id == zlotys)
    step = replace(SMS, part_cost=7)
    await submit(store, Taken("a1"), order(hryvnias, step), order(other, step), order(other, step))
    found = await Tallies(store.engine).money(NOW)
    assert found == {"UAH": Money(500, 0, 7), "PLN": Money(1000, 0, 14)}
    assert found["PLN"].left == 986


async def test_a_message_without_a_route_has_failed_and_one_that_is_taken_back_is_deleted(
    store: Store, account: Account
) -> None:
    none = replace(order(account), delivery=plan_delivery((), NOW))
    _, scheduled = await admit(store, none, order(account, SMS, send_at=NOW + HOUR_MS))
    await store.delete(account.id, [scheduled], NOW)
    assert await told(store) == {"accepted": {"": 2}, "failed": {"95": 1}, "deleted": {"": 1}}


async def test_accounts_are_counted_apart(store: Store, directory: Directory) -> None:
    shop = await open_account(directory, money=10_000)
    other = await open_account(directory, money=10_000, login="other")
    await submit(store, Taken("a1"), order(shop, SMS), order(other, SMS), order(other, SMS))
    assert (await told(store, shop))["spent"] == {"sms": 500}
    assert (await told(store, other))["accepted"] == {"": 2}
    assert (await told(store))["accepted"] == {"": 3}


async def test_each_hour_has_its_own(store: Store, account: Account) -> None:
    for later in (0, HOUR_MS, 25 * HOUR_MS):
        one = order(account, SMS)
        await admit(store, replace(one, accepted_at=NOW + later))
    counting = Tallies(store.engine)
    hours = {hour(NOW): 1, hour(NOW) + HOUR_MS: 1, hour(NOW) + 25 * HOUR_MS: 1}
    assert await counting.hours(account.id, ["accepted"], 0) == {"accepted": hours}
    assert await counting.hours(None, ["accepted", "seen"], NOW, NOW + HOUR_MS) == {
        "accepted": {hour(NOW): 1}, "seen": {},
    }  # fmt: skip
    assert await counting.of(account.id, NOW + HOUR_MS) == {("accepted", ""): 2}
    days = await counting.days(account.id, ["accepted"], "Europe/Kyiv", 0)
    assert sorted(days["accepted"].values()) == [1, 2]


# ---- a database that is older than the counting


async def test_of_an_old_database_the_last_thirty_days_are_counted(
    store: Store, store_url: str, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "PAGE", 2)
    for days in (40, 31, 20, 10, 9, 8, 1, 0):
        at = NOW - days * 86_400_000
        await admit(store, replace(order(account, SMS), accepted_at=at, delivery=plan_delivery((SMS,), at)))
        await answer(store, "smsc", Never("7", Fault.NUMBER), at)
    await store.engine.write(_as_upgraded)
    await count_old(store)
    assert await told(store) == {"accepted": {"": 6}, "failed": {"99": 6}, "failures": {"smsc 7": 6}}
    await admit(store, order(account, SMS))
    assert (await told(store))["accepted"] == {"": 7}
    left = run_sql(store_url, "SELECT value FROM counters WHERE name = 'tallied/messages'")
    assert left == [(0,)]


# ---- cores


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("", ""),
        ("9", "9"),
        ("0x0000000b", OTHER),
        ("0x0b", "0x0b"),
        ("UNDELIV 034", "UNDELIV 034"),
        ("EC_ABSENT_SUBSCRIBER", "EC_ABSENT_SUBSCRIBER"),
        ("to 380501112233", OTHER),
        ("Привіт", OTHER),
        ("the code is 1234 <b>", OTHER),
        ("x" * 33, OTHER),
    ],
)
def test_a_code_is_counted_by_itself_where_it_looks_like_one(code: str, told: str) -> None:
    assert plain_code(code) == told


@pytest.mark.parametrize(
    ("now", "zone", "today", "monday"),
    [
        pytest.param(1_795_896_000_000, "UTC", 1_795_824_000_000, 1_795_392_000_000, id="UTC"),
        pytest.param(1_795_896_000_000, "Europe/Kyiv", 1_795_816_800_000, 1_795_384_800_000, id="Kyiv"),
        pytest.param(1_774_780_000_000, "Europe/Kyiv", 1_774_735_200_000, 1_774_216_800_000, id="23 hours"),
    ],
)
def test_days_and_weeks_begin_by_the_accounts_clock(now: int, zone: str, today: int, monday: int) -> None:
    assert (day(now, zone), week(now, zone)) == (today, monday)


def test_hours_are_of_the_day_whose_midnight_they_have() -> None:
    midnight = day(NOW, "Asia/Kolkata")
    first = hour(midnight)
    assert first < midnight
    days = by_day([(first - HOUR_MS, 1), (first, 2), (first + 23 * HOUR_MS, 4)], "Asia/Kolkata")
    assert days == {day(NOW, "Asia/Kolkata", 1): 1, midnight: 6}
