"""Nothing accepted is lost or sent twice while the gateway's processes are killed again and again.

Clients send mixed messages from several threads, every message to a number of its own, and never try again;
meanwhile a process of the gateway dies every second or two. When the faults have stopped, everything must
come to its end by itself and the books must be in order.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import run_sql
from system import BROKEN_OFF, TABLE, Demo, both, demo, number, run, wait_for

from hopwire.delivery import Delivery
from hopwire.model import Status

MESSAGES = int(os.environ.get("HOPWIRE_CRASH_MESSAGES", "400"))
CLIENTS = 4
PAUSE_S = 0.4  # at most, between two messages of a client, so that the faults have their time
ENDS_S = 2 * (60 + 15) + 60  # the lifetime and grace of two steps, and what a busy machine needs


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


def be_client(gateway: Demo, history: History, seed: int, numbers: range) -> None:
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
    """A process of the gateway dies every second or two until the block ends."""
    chance, over = random.Random(seed), threading.Event()

    def kill() -> None:
        while not over.wait(1 + chance.random()):
            parts = {title: pid for title, pid in gateway.program.children.items() if _killable(title)}
            if parts:
                title = chance.choice(sorted(parts))
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
    return title.startswith(("hopwire: gateway", "hopwire: web", "hopwire: worker"))


def crash(gateway: Demo, seed: int) -> History:
    """Send all messages while processes die."""
    history = History()
    with killing(gateway, history, seed):
        clients = [
            threading.Thread(target=be_client, args=(gateway, history, seed + n, range(n, MESSAGES, CLIENTS)))
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
    """What the account has, and what the ledger says."""
    ((balance, reserved),) = run_sql(url, "SELECT balance, reserved FROM accounts")
    sums = run_sql(url, "SELECT kind, sum(amount) FROM ledger GROUP BY kind")
    return {"balance": balance, "reserved": reserved, "charge": 0} | {kind: int(s) for kind, s in sums}


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
        history = crash(gateway, seed)
        wait_for(lambda: at_rest(store_url), ENDS_S)
        submits, spendable = gateway.submits(), gateway.ask("balance")["balance"]
    ends, twice, books = statuses(store_url), taken_twice(submits), money(store_url)
    print(f"seed {seed}, {time.monotonic() - began:.0f} s: {history}")
    print(f"{Counter(status.name for status in ends.values())}, {len(twice)} repeated")
    assert history.kills
    assert len(set(history.ids)) == len(history.ids)
    assert set(history.ids) <= set(ends)
    assert twice <= marked(store_url)
    assert books["balance"] == books["topup"] - books["charge"]
    assert Decimal(spendable) * 1_000_000 == books["balance"]
    store = {"HOPWIRE__STORE__URL": store_url, "HOPWIRE__STORE__SECRET_FILE": str(tmp_path / "secret")}
    fsck = run("fsck", "--json", env=store, cwd=tmp_path)
    assert fsck.returncode == 0, fsck.stdout
