"""Nothing accepted is lost or sent twice while the gateway's processes are killed again and again.

Clients send mixed messages from several threads, every message to a number of its own, and never try again;
some of them are a reseller's sub-account, and a bookkeeper moves money all the while. Meanwhile a process of
the gateway dies every second or two. When the faults have stopped, everything must come to its end by itself
and the books must be in order.
"""

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import run_sql
from system import BROKEN_OFF, TABLE, Demo, Gateway, both, demo, number, run, wait_for

from hopwire.admission import now_ms
from hopwire.credentials import key_digest, key_label, new_key
from hopwire.delivery import Delivery
from hopwire.errors import NotEnoughMoney, Unavailable
from hopwire.model import Price, Status
from hopwire.store.directory import Directory
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook

MESSAGES = int(os.environ.get("HOPWIRE_CRASH_MESSAGES", "240"))
CLIENTS = int(os.environ.get("HOPWIRE_CRASH_CLIENTS", "4"))
PAUSE_S = float(os.environ.get("HOPWIRE_CRASH_PAUSE", "0.4"))  # at most, between two messages of a client
KILLS = 5  # at least: a client rests for twelve seconds in all, and a process dies every second or two
ENDS_S = 2 * (60 + 15) + 300  # the lifetime and grace of two steps, and what a busy machine needs


@dataclass
class History:
    """What the clients saw, and what was done to the gateway."""

    ids: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    broken_off: int = 0  # requests that got no reply: accepted or not, nobody knows
    kills: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.kills.total()} kills {dict(self.kills)}, {len(self.ids)} ids, "
            f"{self.broken_off} broken off, refused {dict(self.refused)}"
        )


# ---- what is done to the gateway


def message(chance: random.Random, n: int) -> dict[str, object]:
    to = number(chance.choice([*TABLE, "13", "67", "68"]))
    text = f"message {n} " + "that needs three parts, " * chance.choice([0, 0, 0, 18])
    if chance.random() < 0.35:
        return {"from": "test", "to": to, "message": text}
    return both(to, text) | {"viber_message": f"message {n}"}


def be_client(gateway: Gateway, history: History, seed: int, numbers: range) -> None:
    chance = random.Random(seed)
    for n in numbers:
        try:
            reply = gateway.ask("send", **message(chance, n))
        except BROKEN_OFF:
            history.broken_off += 1
        else:
            if "id" in reply:
                history.ids.append(reply["id"])
            else:
                history.refused[str(reply)] += 1
        time.sleep(PAUSE_S * chance.random())


@contextmanager
def killing(gateway: Demo, history: History, seed: int) -> Iterator[None]:
    """A process of the gateway dies every second or two, each in its turn, until the block ends."""
    chance, over = random.Random(seed), threading.Event()

    def kill() -> None:
        while not over.wait(1 + chance.random()):
            parts = {title: pid for title, pid in gateway.program.children.items() if _killable(title)}
            if parts:
                title = min(parts, key=lambda one: (history.kills[one], chance.random()))
                os.kill(parts[title], signal.SIGKILL)
                history.kills[title] += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


def _killable(title: str) -> bool:
    return title.startswith(("hopwire: web", "hopwire: worker"))


async def open_accounts(url: str, secret: bytes) -> str:
    """A reseller with a sub-account that has money, and pays more than the reseller; its key."""
    store, now, key = await open_store(url), now_ms(), new_key()
    directory, ledger = Directory(store.engine), Ledger(store.engine)
    reseller = await directory.create_account("reseller", "", now)
    sub = await directory.create_account("sub", "", now, parent_id=reseller)
    assert reseller and sub
    await PriceBook(store.engine).put([Price("sms", "", 1_500_000, list=f"account:{sub}")])
    await ledger.top_up(reseller, 5_000_000_000, "", now)
    await ledger.transfer(reseller, sub, 4_000_000_000, "", now)
    await directory.create_key(sub, key_digest(secret, key), key_label(key), "", now)
    await store.close()
    return key


@contextmanager
def bookkeeping(url: str, seed: int) -> Iterator[None]:
    """Money goes between the reseller and its sub-account, and in and out, until the block ends."""
    chance, over = random.Random(seed), threading.Event()

    async def move() -> None:
        store = await open_store(url)
        ids = {one.login: one.id for one in await Directory(store.engine).accounts()}
        ledger = Ledger(store.engine)
        while not over.is_set():
            amount = chance.randrange(1, 10_000_000)
            with suppress(Unavailable, NotEnoughMoney):  # the file is the gateway's most of the time
                await ledger.transfer(ids["reseller"], ids["sub"], amount, "", now_ms())
                await ledger.transfer(ids["sub"], ids["reseller"], amount, "", now_ms())
                await ledger.top_up(ids["reseller"], chance.randrange(-1000, 1000), "", now_ms())
            await asyncio.to_thread(over.wait, 0.05)
        await store.close()

    bookkeeper = threading.Thread(target=lambda: asyncio.run(move()))
    bookkeeper.start()
    try:
        yield
    finally:
        over.set()
        bookkeeper.join()


def crash(gateway: Demo, sub: Gateway, seed: int) -> History:
    """Send all messages while processes die."""
    history = History()
    with killing(gateway, history, seed):
        clients = [
            threading.Thread(
                target=be_client,
                args=(sub if n % 2 else gateway, history, seed + n, range(n, MESSAGES, CLIENTS)),
            )
            for n in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    return history


# ---- what the books say


def statuses(url: str) -> dict[str, Status]:
    return {str(i): Status(status) for i, status in run_sql(url, "SELECT id, status FROM deliveries")}


def money(url: str) -> dict[str, int]:
    """What all accounts have, and what the ledger says."""
    ((balance, reserved),) = run_sql(url, "SELECT sum(balance), sum(reserved) FROM accounts")
    sums = dict(run_sql(url, "SELECT kind, sum(amount) FROM ledger GROUP BY kind"))
    kinds = ("topup", "charge", "commission", "transfer")
    return {"balance": int(balance), "reserved": int(reserved)} | {
        kind: int(sums.get(kind, 0)) for kind in kinds
    }


def at_rest(url: str) -> bool:
    return all(status.final for status in statuses(url).values()) and money(url)["reserved"] == 0


def taken_twice(submits: list[dict[str, Any]]) -> set[tuple[str, str, int]]:
    """(number, channel, part) of what an upstream took more than once."""
    taken = Counter((s["number"], s["channel"], s["part"]) for s in submits if s["provider_id"])
    return {key for key, times in taken.items() if times > 1}


def marked(url: str) -> set[tuple[str, str, int]]:
    """(number, channel, part) of what the gateway itself calls a possible duplicate."""
    rows = run_sql(url, "SELECT recipient, state FROM deliveries")
    return {
        (recipient, rung.plan.channel, n)
        for recipient, state in rows
        for rung in msgspec.json.decode(state, type=Delivery).rungs
        for n, part in enumerate(rung.parts, 1)
        if part.repeated
    }


# ---- the run


@pytest.mark.timeout(1800)
def test_no_crash_loses_a_message_or_sends_it_twice(store_url: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("HOPWIRE_CRASH_SEED", time.time_ns() % 1_000_000))
    arguments = () if store_url.startswith("sqlite:") else ("--database", store_url)
    with demo(tmp_path, "--data", str(tmp_path), *arguments) as gateway:
        began = time.monotonic()
        secret = (tmp_path / "secret").read_text().strip().encode()
        sub = Gateway(gateway.url, asyncio.run(open_accounts(store_url, secret)))
        with bookkeeping(store_url, seed):
            history = crash(gateway, sub, seed)
        wait_for(lambda: at_rest(store_url), ENDS_S)
        submits, spendable = gateway.submits(), gateway.ask("balance")["balance"]
    ends, twice, books = statuses(store_url), taken_twice(submits), money(store_url)
    print(f"seed {seed}, {time.monotonic() - began:.0f} s: {history}")
    print(f"{Counter(status.name for status in ends.values())}, {len(twice)} repeated")
    assert history.kills.total() >= KILLS
    assert {title.split()[1] for title in history.kills} == {"web", "worker"}
    assert len(set(history.ids)) == len(history.ids)
    assert set(history.ids) <= set(ends)
    assert twice <= marked(store_url)
    assert books["balance"] == books["topup"] - books["charge"] + books["commission"]
    assert books["commission"] > 0
    assert books["transfer"] == 0
    ((balance,),) = run_sql(store_url, "SELECT balance FROM accounts WHERE id = 1")
    assert Decimal(spendable) * 1_000_000 == balance
    store = {"HOPWIRE__STORE__URL": store_url, "HOPWIRE__STORE__SECRET_FILE": str(tmp_path / "secret")}
    fsck = run("fsck", "--json", env=store, cwd=tmp_path)
    assert fsck.returncode == 0, fsck.stdout
