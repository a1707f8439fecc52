"""Nothing is lost, and nothing is sent twice unmarked, over a link that is cut several times a second.

Every message goes to a number of its own, so what the SMSC has taken can be held against what was accepted.
HOPWIRE_CUT_MESSAGES says how many there are, and HOPWIRE_CUT_SEED repeats the chances of a run.
"""

import asyncio
import os
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from conftest import run_sql
from cut_link import CutLink, Process, Smsc, Take, gateway

from hopwire import credentials, sms
from hopwire.admission import now_ms
from hopwire.config import Config, parse
from hopwire.model import Price, SmsText, Status
from hopwire.store.directory import Directory
from hopwire.store.engine import Row
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook

MESSAGES = int(os.environ.get("HOPWIRE_CUT_MESSAGES", "600"))
HELD_S = 8  # lifetime of what ends with it
LONG_S = 600  # lifetime of what is tried again until it is taken
GRACE_S = 2
MARGIN_S = 60  # what a busy machine may need
ENDS_S = 60 + MARGIN_S  # the longest pause between two tries, and more than what is held takes to end
AT_ONCE = 50  # messages accepted at a time
BACKLOG = 100  # messages that wait to be handed over before the next are sent
CALM = 50  # when so few are not final, there are no more cuts
MONEY, PRICE = 10**12, 800_000
POLL_S = 0.1

DUE = "SELECT due_at FROM deliveries WHERE due_at IS NOT NULL"
UNFINISHED = "SELECT id FROM deliveries WHERE status <= 2 OR timer_at IS NOT NULL"

GSM, UCS2 = "fish {and} chips, ", "борщ із пампушками, "
SIZES = {  # characters that need one, two and three parts
    GSM: (range(20, 140), range(170, 270), range(320, 400)),
    UCS2: (range(20, 70), range(75, 130), range(140, 195)),
}

Key = tuple[str, int]  # recipient, part


class Message(NamedTuple):
    recipient: str
    text: str
    parts: int


@dataclass
class Books:
    """What everybody says when all is over."""

    sent: dict[int, Message]  # what the clients had accepted
    takes: list[Take]  # what the SMSC had, in its order
    statuses: dict[int, Status]
    flagged: Counter[Key]  # what the gateway called a possible duplicate
    balance: int
    faults: dict[str, list[Row]]  # what fsck found

    @cached_property
    def times(self) -> Counter[Key]:
        """How often each part was taken."""
        return Counter((take.recipient, take.part) for take in self.takes)

    @cached_property
    def repeats(self) -> Counter[Key]:
        return self.times - Counter(set(self.times))

    @cached_property
    def first(self) -> dict[str, dict[int, Take]]:
        """Recipient -> part -> how it was first taken, in that order."""
        found: dict[str, dict[int, Take]] = {message.recipient: {} for message in self.sent.values()}
        for take in self.takes:
            found[take.recipient].setdefault(take.part, take)
        return found


# ---- the run


def messages(chance: random.Random) -> list[Message]:
    """One, two or three parts in either alphabet."""
    return [_message(n, chance) for n in range(MESSAGES)]


def _message(n: int, chance: random.Random) -> Message:
    words, parts = chance.choice([GSM, UCS2]), chance.choice([1, 1, 1, 2, 3])
    text = (f"{n} " + words * 30)[: chance.choice(SIZES[words][parts - 1])]
    assert sms.count(SmsText(text=text)) == parts
    return Message(f"38067{n:07}", text, parts)


def settings(on_unknown: str, lifetime_s: int, store_url: str, port: int) -> Config:
    connector = {
        "kind": "smpp",
        "host": "127.0.0.1",
        "port": port,
        "system_id": "hopwire",
        "password": "secret",
        "sessions": 2,
        "window": 20,
        "on_unknown": on_unknown,
    }
    return parse(
        {
            "store": {"url": store_url, "secret": "of-this-installation"},
            "sms": {"lifetime_s": lifetime_s, "grace_s": GRACE_S},
            "log": {"format": "text"},
            "connectors": {"smsc": connector},
            "routes": [{"channel": "sms", "connector": "smsc"}],
        }
    )


async def open_account(config: Config) -> str:
    """An account with money enough; its key."""
    key = credentials.new_key()
    digest = credentials.key_digest(credentials.installation_secret(config.store), key)
    async with directory(config.store.url) as found:
        account = await found.create_account("shop", "", now_ms())
        assert account
        await Ledger(found.engine).top_up(account, MONEY, "", now_ms())
        await PriceBook(found.engine).put([Price("sms", "", PRICE)])
        await found.create_key(account, digest, credentials.key_label(key), "test", now_ms())
    return key


@asynccontextmanager
async def directory(url: str) -> AsyncIterator[Directory]:
    store = await open_store(url)
    try:
        yield Directory(store.engine)
    finally:
        await store.close()


class Client:
    """Sends as fast as the gateway gets rid of it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, key: str) -> None:
        self._http = http
        self._url = f"{url}/api/http.php"
        self._key = key
        self.sent: dict[int, Message] = {}

    async def send(self, batch: Iterable[Message]) -> None:
        await asyncio.gather(*map(self._send, batch))

    async def _send(self, message: Message) -> None:
        what = {"from": "test", "to": message.recipient, "message": message.text}
        form = {"version": "http", "key": self._key, "command": "send", **what}
        async with self._http.post(self._url, data=form) as answer:
            reply = dict(line.split(":", 1) for line in (await answer.text()).splitlines())
        assert int(reply["sms_count"]) == message.parts, reply
        self.sent[int(reply["id"])] = message


async def until(count: Callable[[], int], most: int, patience_s: float) -> None:
    """Return when no more than so many are left; fails when patience ends."""
    end = time.monotonic() + patience_s
    while (left := count()) > most:
        assert time.monotonic() < end, f"{left} are left after {patience_s} s"
        await asyncio.sleep(POLL_S)


def due(url: str) -> int:
    return sum(due_at <= now_ms() for (due_at,) in run_sql(url, DUE))


def unfinished(url: str) -> int:
    return int(
        run_sql(url, "SELECT count(*) FROM deliveries WHERE status <= 2 OR timer_at IS NOT NULL")[0][0]
    )


async def send_all(client: Client, chance: random.Random, url: str) -> None:
    waiting = messages(chance)
    while waiting:
        await client.send(waiting[:AT_ONCE])
        del waiting[:AT_ONCE]
        await until(lambda: due(url), BACKLOG, MARGIN_S)


async def live(on_unknown: str, lifetime_s: int, url: str, folder: Path) -> Books:
    """Send everything over the link that is being cut; the books when all is over."""
    seed = int(os.environ.get("HOPWIRE_CUT_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    smsc = Smsc(seed)
    async with smsc.serve() as smsc_port, aiohttp.ClientSession() as http:
        link = CutLink(smsc_port, seed)
        async with link.serve() as port:
            config = settings(on_unknown, lifetime_s, url, port)
            key = await open_account(config)
            async with gateway(folder, config) as process:
                client = Client(http, process.url, key)
                began = time.monotonic()
                await send_all(client, random.Random(seed), url)
                print(f"all accepted after {time.monotonic() - began:.0f} s")
                await until(lambda: unfinished(url), CALM, ENDS_S)
                link.cutting = False
                print(f"calm after {time.monotonic() - began:.0f} s: {dict(link.cuts)}")
                await until(lambda: unfinished(url), 0, ENDS_S)
                print(f"all final after {time.monotonic() - began:.0f} s")
                await asyncio.wait_for(smsc.all_acknowledged(), MARGIN_S)
                await report(http, process)
                assert await process.end() == 0
    print(f"the SMSC: {len(smsc.takes)} taken, {dict(smsc.counts)}")
    assert not smsc.surprises
    assert link.cuts["inside a PDU of the gateway"] > 0
    assert link.cuts["inside a PDU of the SMSC"] > 0
    return await books(url, client.sent, smsc.takes, process.log)


async def report(http: aiohttp.ClientSession, process: Process) -> None:
    """Print what the gateway counts of itself."""
    async with http.get(f"{process.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    names = ("hopwire_submits_total", "hopwire_possible_duplicates_total", "hopwire_receipts_total")
    print(*(line for line in lines if line.startswith(names)), f"cpu {process.cpu_s:.0f} s", sep="\n")


async def books(url: str, sent: dict[int, Message], takes: list[Take], log: Path) -> Books:
    told = log.read_text()  # noqa: ASYNC240 - everybody else has gone
    assert "Traceback" not in told, told
    marks = re.findall(r"submit message=(\d+) step=0 part=(\d+) possible_duplicate", told)
    statuses = run_sql(url, "SELECT id, status FROM deliveries")
    ((balance,),) = run_sql(url, "SELECT balance FROM accounts")
    async with directory(url) as found:
        faults = await found.fsck()
    result = Books(
        sent,
        takes,
        {i: Status(status) for i, status in statuses},
        Counter((sent[int(i)].recipient, int(part) + 1) for i, part in marks),
        balance,
        faults,
    )
    ends = Counter(status.name for status in result.statuses.values())
    print(f"{dict(ends)}, {result.flagged.total()} flagged, {result.repeats.total()} repeated")
    return result


# ---- what must be true


def check(books: Books) -> None:
    """Whatever is done about lost answers."""
    assert len(books.sent) == MESSAGES
    assert books.statuses.keys() == books.sent.keys()
    assert all(list(parts) == sorted(parts) for parts in books.first.values()), "parts came out of order"
    assert all(
        text(books.first[one.recipient]) == one.text
        for i, one in books.sent.items()
        if books.statuses[i] is Status.DELIVERED
    )
    assert books.faults == {name: [] for name in books.faults}
    assert books.balance == MONEY - PRICE * len(books.times), "charged for what was not taken, or not for all"


def text(parts: dict[int, Take]) -> str:
    """What the phone shows."""
    return "".join(parts[n].text for n in sorted(parts))


def fate(message: Message, parts: dict[int, Take]) -> Status:
    """How a message ends of which the SMSC had these parts, and said that they are delivered."""
    if len(parts) == message.parts:
        return Status.DELIVERED
    return Status.PARTIAL if parts else Status.EXPIRED


def differences(told: dict[int, Status], true: dict[int, Status]) -> dict[int, tuple[Status, Status]]:
    """The messages about which the gateway is wrong: what it tells, and what is true."""
    return {i: (told[i], true[i]) for i in true if told[i] != true[i]}


@pytest.mark.timeout(3600)
async def test_held_messages_are_sent_once_and_what_was_taken_is_not_lost(
    store_url: str, tmp_path: Path
) -> None:
    books = await live("hold", HELD_S, store_url, tmp_path)
    assert not books.repeats
    assert not books.flagged
    fates = {i: fate(message, books.first[message.recipient]) for i, message in books.sent.items()}
    assert differences(books.statuses, fates) == {}
    check(books)


@pytest.mark.timeout(3600)
async def test_messages_that_are_sent_again_all_arrive_and_every_repeat_was_marked(
    store_url: str, tmp_path: Path
) -> None:
    books = await live("resend", LONG_S, store_url, tmp_path)
    assert not books.repeats - books.flagged, "repeated without a mark"
    assert differences(books.statuses, dict.fromkeys(books.sent, Status.DELIVERED)) == {}
    assert all(fate(one, books.first[one.recipient]) is Status.DELIVERED for one in books.sent.values())
    check(books)
