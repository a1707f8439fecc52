"""The log of requests: what programs have asked for and what they were answered, and nothing else."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import planted
import pytest
from conftest import NOW, SMS, open_account, order
from gateway import LOGIN, PASSWORD, SEND, TO, Gateway, running
from system import PATIENCE_S
from test_owner import House

from hopwire.credentials import new_key
from hopwire.errors import OutcomeUnknown, Unavailable
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.requests import PAGE, Asked, Requests
from hopwire.web import request_log
from hopwire.web.request_log import MOST, RequestLog, Where

API = "/api/http.php"
SENT: Where = (1, 2, b"GET", "send", "ok", "10.0.0.1")
REFUSED: Where = (1, 2, b"POST", "send", "not_enough_money", "10.0.0.1")


class Kept:
    """What was written, and what goes wrong with the next writes."""

    def __init__(self, *failures: Exception) -> None:
        self.rows: list[Asked] = []
        self.written = asyncio.Event()
        self._failures = list(failures)

    async def __call__(self, rows: Sequence[Asked]) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.rows += rows
        self.written.set()

    def told(self) -> list[tuple[str, int | None, int, int]]:
        return [(one.outcome, one.message_id, one.n, one.slowest_ms) for one in self.rows]


def asked(n: int = 1, **more: object) -> Asked:
    return Asked(NOW, 1, 2, "GET", "send", "ok", 7, "10.0.0.1", n, 3)._replace(**more)  # type: ignore[arg-type]


# ---- remembering


async def test_what_is_alike_is_one_row_until_it_is_written() -> None:
    kept = Kept()
    log = RequestLog(kept)
    for took_s, message_id in ((0.002, 5), (0.0316, 6), (0.001, 0)):
        log.note(SENT, took_s, message_id)
    log.note(REFUSED, 0.001, 0)
    await log.write()
    log.note(SENT, 0.001, 7)
    await log.write()
    await log.write()
    assert kept.told() == [("ok", 6, 3, 32), ("not_enough_money", None, 1, 1), ("ok", 7, 1, 1)]
    assert kept.rows[0][1:6] == (1, 2, "GET", "send", "ok")


async def test_what_cannot_be_written_waits_and_what_may_have_been_does_not() -> None:
    kept = Kept(Unavailable(), OutcomeUnknown())
    log = RequestLog(kept)
    log.note(SENT, 0.001, 1)
    with pytest.raises(Unavailable):
        await log.write()
    log.note(REFUSED, 0.001, 0)
    await log.write()
    log.note(SENT, 0.001, 2)
    await log.write()
    assert [one.message_id for one in kept.rows] == [2]


async def test_it_does_not_grow_without_bound() -> None:
    kept = Kept(Unavailable())
    log = RequestLog(kept)
    for i in range(MOST + 10):
        log.note((1, 2, b"GET", "send", "ok", str(i)), 0.001, i)
    with pytest.raises(Unavailable):
        await log.write()
    log.note(SENT, 0.001, 5)
    await log.write()
    assert len(kept.rows) == MOST
    assert kept.rows[-1].message_id == 5


async def test_it_is_written_every_second_whatever_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "WRITE_S", 0.001)
    kept = Kept(Unavailable(), RuntimeError("a bug"))
    log = RequestLog(kept)
    log.note(SENT, 0.001, 9)
    watch = asyncio.ensure_future(log.watch())
    await asyncio.wait_for(kept.written.wait(), PATIENCE_S)
    watch.cancel()
    assert [one.message_id for one in kept.rows] == [9]


# ---- keeping


async def test_an_account_reads_its_own_newest_first(store: Store) -> None:
    await store.keep_requests([asked(1), asked(2, account_id=2), asked(3, key_id=0), asked(4, outcome="x")])
    log = Requests(store.engine)

    async def counts(*args: int, **filters: object) -> list[int]:
        return [one.n for _, one in await log.newest(*args, **filters)]  # type: ignore[arg-type]

    assert await counts(1, 10) == [4, 3, 1]
    assert await counts(2, 10) == [2]
    assert await counts(1, 10, outcome="refused") == [4]
    assert await counts(1, 10, outcome="ok") == [3, 1]
    assert await counts(1, 10, key_id=0) == [3]
    assert await counts(1, 10, key_id=2, outcome="ok") == [1]
    assert await counts(1, 10, key_id=0, outcome="refused") == []
    page = await log.newest(1, 2)
    assert await counts(1, 2, page[-1][0]) == [1]
    assert page[0][1] == asked(4, outcome="x")


async def test_old_ones_are_forgotten(store: Store) -> None:
    log = Requests(store.engine)
    await store.keep_requests([asked(1)] * (PAGE + 1) + [asked(2, at=NOW + 1)])
    await log.forget(NOW + 1)
    assert [one.n for _, one in await log.newest(1, 10)] == [2]


async def test_the_owner_keeps_them_and_forgets_nothing_for_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.come()
    caller = house.caller()
    account = await open_account(Directory(house.store.engine), money=1_000_000)
    await house.store.admit([order(account, SMS)])
    engine = house.store.engine
    before = dict(engine._tx.remembered)  # type: ignore[attr-defined]
    assert before
    await caller.keep_requests([asked()])
    await house.store.probe()
    assert engine._tx.remembered == before  # type: ignore[attr-defined]
    assert [one for _, one in await Requests(caller.engine).newest(1, 9)] == [asked()]
    await caller.close()
    await house.go()
    house.close()


# ---- a gateway


async def requests(gateway: Gateway) -> list[tuple[str, str, str, int, bool]]:
    """Method, command, outcome, how often, and whether with a message."""
    columns = "method, command, outcome, n, message_id IS NOT NULL"
    rows = gateway.rows(f"SELECT {columns} FROM requests ORDER BY id")  # noqa: S608
    return [(*row[:4], bool(row[4])) for row in rows]


async def test_what_programs_ask_is_written_down_without_what_was_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "WRITE_S", 60.0)  # it is written when the gateway stops
    async with running(tmp_path) as gateway:
        await gateway.send()
        await gateway.send()
        await gateway.ask(**{**SEND, "to": "12"})
        await gateway.ask(command="dance")
        await gateway.ask(command="balance", login=LOGIN, **{"pass": PASSWORD})
        await gateway.post(API, urlencode({"key": gateway.key, "command": "price", "to": TO}).encode())
        await gateway.ask(command="balance", key="hw_" + "x" * 40)  # nobody's
    assert sorted(await requests(gateway)) == [
        ("GET", "balance", "ok", 1, False),
        ("GET", "send", "bad_recipient", 1, False),
        ("GET", "send", "ok", 2, True),
        ("GET", "unknown", "unknown_command", 1, False),
        ("POST", "price", "ok", 1, False),
    ]
    kept = str(gateway.rows("SELECT * FROM requests"))
    for secret in (gateway.key, TO, planted.TEXT, PASSWORD):
        assert secret not in kept
    assert gateway.rows("SELECT DISTINCT account_id, origin FROM requests") == [(1, "127.0.0.1")]
    assert {row[0] for row in gateway.rows("SELECT key_id FROM requests WHERE command = 'balance'")} == {0}


async def test_of_who_is_not_let_in_only_a_right_key_at_a_wrong_address_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "WRITE_S", 60.0)
    async with running(tmp_path) as gateway:
        key = await gateway.new_key(1, addresses=["192.0.2.1"])
        ended = await gateway.new_key(1, addresses=["192.0.2.1"], expires_at=1)
        for one in (key, key, ended, new_key(), "hw_live_" + "x" * 40):
            assert await gateway.ask(**{**SEND, "key": one}) == "errors:Wrong login/password\n"
        assert await gateway.ask(command="balance", key=key) == "errors:Wrong login/password\n"
    assert sorted(await requests(gateway)) == [
        ("GET", "balance", "key_elsewhere", 1, False),
        ("GET", "send", "key_elsewhere", 2, False),
    ]
    assert gateway.rows("SELECT DISTINCT account_id, key_id, origin FROM requests") == [(1, 2, "127.0.0.1")]


async def test_with_no_days_nothing_is_written(tmp_path: Path) -> None:
    async with running(tmp_path, cabinet={"requests_days": 0}) as gateway:
        await gateway.send()
    assert await requests(gateway) == []
