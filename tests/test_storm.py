"""A storm of callbacks: each several times, in any order, before the answer or a day late, and forged ones.

HOPWIRE_STORM_MESSAGES says how many messages; there are about five callbacks for each. HOPWIRE_STORM_SEED
brings a storm back.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from gateway import SECRET
from rules import (
    BOTH,
    DAY_S,
    DELIVERED,
    EXPIRED,
    GRACE_S,
    LIFETIME_S,
    ON_SMS,
    ON_VIBER,
    SEEN,
    Books,
    Clock,
    House,
    counted,
    hasten,
    living,
)
from rules_ends import Said, Viber, refuses, takes, token

from hopwire import worker
from hopwire.model import Status
from hopwire.smpp.pdu import Pdu, SubmitSm, SubmitSmResp
from hopwire.store.ledger import Ledger

MESSAGES = int(os.environ.get("HOPWIRE_STORM_MESSAGES", "400"))
SEED = int(os.environ.get("HOPWIRE_STORM_SEED") or random.SystemRandom().randrange(2**32))
RIVALS = 40  # messages of another account
CONNECTIONS = 50
MOST = 5  # how often each callback comes
RIVAL_SECRET = "another-secret-1234567"
PATIENCE_S = 30 + MESSAGES / 50


class Fate(NamedTuple):
    """What Viber says of one message: before its answer, in its lifetime, a day later."""

    early: list[int]
    timely: list[int]
    late: list[int]
    sms_arrives: bool  # if one leaves

    @property
    def sms(self) -> bool:
        """Whether one must leave: nothing but "expired" was said in the lifetime."""
        return not {DELIVERED, SEEN} & {*self.early, *self.timely}

    @property
    def said(self) -> set[int]:
        return {*self.early, *self.timely, *self.late}

    @property
    def status(self) -> Status:
        """By rank: seen > delivered > expired."""
        if SEEN in self.said:
            return Status.READ
        arrived = DELIVERED in self.said or (self.sms and self.sms_arrives)
        return Status.DELIVERED if arrived else Status.EXPIRED


def draw(chance: random.Random) -> Fate:
    """One to three kinds of callbacks, each one to five times, of which each comes when it wants."""
    fate = Fate([], [], [], chance.random() < 0.5)
    phases = fate.early, fate.timely, fate.late
    for status in chance.sample((DELIVERED, SEEN, EXPIRED), chance.randint(1, 3)):
        when = chance.choice([[0], [1], [2], [0, 1, 2]])
        for _ in range(chance.randint(1, MOST)):
            phases[chance.choice(when)].append(status)
    return fate


class Call(NamedTuple):
    """One callback as Viber, or somebody else, posts it."""

    token: str
    status: int
    number: str
    path: str = f"viber/{SECRET}"
    answer: int = 200


class Storm:
    """Clients and Viber, who speak over a few connections; of every number there is one message."""

    def __init__(self, house: House, http: aiohttp.ClientSession, chance: random.Random) -> None:
        self.house = house
        self.fates: dict[str, Fate] = {}  # by number
        self.ids: dict[str, int] = {}
        self.sms_ids: dict[str, str] = {}  # the operator's
        self.rivals: list[str] = []  # numbers of another account's messages, on another connector
        self.posted, self.seconds = 0, 0.0  # without those before an answer
        self._chance = chance
        self._http = http
        self._url = f"http://127.0.0.1:{house.client.ports['http']}"
        house.viber.says = self._answer
        house.operator.answer = self._answer_sms

    def __str__(self) -> str:
        true = sum(len(fate.early + fate.timely + fate.late) for fate in self.fates.values())
        return (
            f"storm seed={SEED} messages={MESSAGES} true_callbacks={true} posted={self.posted}"
            f" seconds={self.seconds:.1f} posted_per_second={self.posted / self.seconds:.0f}"
        )

    # ---- clients

    async def send_all(self) -> None:
        self.fates = {f"38050{n:07}": draw(self._chance) for n in range(MESSAGES)}
        await in_company(self._send(number, self.house.client.key, LIFETIME_S) for number in self.fates)

    async def send_rivals(self) -> None:
        """The other account's messages: of a half it is not known whether they were taken."""
        _, key = await self.house.open_account("rival")
        self.rivals = [f"38067{n:07}" for n in range(RIVALS)]
        await in_company(self._send(number, key, DAY_S) for number in self.rivals)

    async def _send(self, number: str, key: str, lifetime_s: int) -> None:
        asked = BOTH | {"command": "send", "key": key, "from": "test", "to": number, "message": "Hello"}
        asked["viber_lifetime"] = str(lifetime_s)
        async with self._http.get(f"{self._url}/api/http.php", params=asked) as reply:
            self.ids[number] = int((await reply.text()).splitlines()[0].removeprefix("id:"))

    # ---- Viber and the operator

    async def _answer(self, asked: dict[str, Any]) -> Said:
        """Viber calls back before it answers."""
        number = asked["dest"]
        for status in self.fates[number].early:
            await self._post(Call(token(asked["seq"]), status, number))
        return takes(asked)

    def _answer_sms(self, submit: SubmitSm) -> Pdu:
        answer = self.house.operator.takes(submit)
        assert isinstance(answer, SubmitSmResp)
        self.sms_ids[submit.destination_addr] = answer.message_id
        return answer

    async def deliver_sms(self) -> None:
        """The operator reports on those that arrive."""
        arriving = [number for number in self.sms_ids if self.fates[number].sms_arrives]
        for number in arriving:
            self.house.operator.reports(self.sms_ids[number], to=number)
        await self.until(
            "SELECT count(*) FROM receipts WHERE connector = 'smsc' AND message_id IS NOT NULL", len(arriving)
        )

    # ---- callbacks

    def said(self, phase: str) -> list[Call]:
        """What Viber says in it."""
        return [
            Call(token(self.ids[number]), status, number)
            for number, fate in self.fates.items()
            for status in getattr(fate, phase)
        ]

    def forged(self) -> list[Call]:
        """Ids of others' messages, ids of nothing, and secrets of other paths."""
        others = [Call(token(self.ids[number]), DELIVERED, number) for number in self.rivals]
        own = [Call(token(self.ids[number]), SEEN, number) for number in self.fates]
        return [
            *others,  # on a path that is not their connector's
            *(one._replace(token=f"{one.token}x") for one in others),
            *(one._replace(token=f"0{one.token}", status=EXPIRED) for one in own[::3]),
            *(one._replace(path=f"rival/{RIVAL_SECRET}") for one in own[1::3]),
            *(one._replace(path=f"viber/{RIVAL_SECRET}", answer=404) for one in own[2::3]),
        ]

    async def post_all(self, calls: Sequence[Call]) -> None:
        """In random order, many at a time."""
        shuffled = self._chance.sample(calls, len(calls))
        began = time.monotonic()
        await in_company(map(self._post, shuffled))
        self.seconds += time.monotonic() - began
        self.posted += len(calls)

    async def _post(self, call: Call) -> None:
        report = {
            "message_token": call.token,
            "message_status": call.status,
            "message_time": self.house.clock(),
            "phone_number": call.number,
            "service_id": 3100,
        }
        async with self._http.post(f"{self._url}/callbacks/{call.path}", json=report) as reply:
            assert reply.status == call.answer

    # ---- what is kept

    async def until(self, question: str, answer: int) -> None:
        """Wait until the database says so."""
        async with asyncio.timeout(PATIENCE_S):
            while self.house.rows(question) != [(answer,)]:
                await self.house.looks()

    async def passes(self, seconds: int) -> None:
        """So much time passes, and what has become due by then has happened."""
        await self.house.leaps(seconds)
        await self.until(
            f"SELECT count(*) FROM deliveries WHERE due_at <= {self.house.clock()}"  # noqa: S608
            f" OR timer_at <= {self.house.clock()}",
            0,
        )
        await self.house.answered()

    def standing(self) -> list[Any]:
        """The other account's messages."""
        return self.house.rows("SELECT id, status, state FROM deliveries WHERE account_id = 2 ORDER BY id")

    def outcome(self) -> dict[str, tuple[int, Books]]:
        """Number -> the status and the books of the message."""
        books = {message_id: Books({}, {}) for message_id in self.ids.values()}
        for message_id, step, kind, amount in self.house.rows(
            "SELECT message_id, step, kind, amount FROM ledger WHERE kind IN ('charge', 'release')"
        ):
            part = books[message_id].charged if kind == "charge" else books[message_id].released
            part[step] = amount
        statuses = dict(self.house.rows("SELECT id, status FROM deliveries"))
        return {number: (statuses[self.ids[number]], books[self.ids[number]]) for number in self.fates}


async def in_company(work: Iterable[Awaitable[None]]) -> None:
    """Do it in this order, many at a time."""
    left = iter(work)

    async def do() -> None:
        for one in left:
            await one

    await asyncio.gather(*(do() for _ in range(CONNECTIONS)))


@pytest.fixture
async def storm(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Storm]:
    print(f"storm seed={SEED}")
    clock, rival = Clock(), Viber()
    hasten(monkeypatch, clock)
    monkeypatch.setattr(worker, "MATCH_S", 0.25)  # what is forged is looked at again and again
    rival.says = lambda asked: takes(asked) if asked["seq"] % 2 else refuses(12)(asked)
    await rival.start()
    known = {"kind": "viber", "service_ids": {"*": 3101}, "url": rival.url, "callback_secret": RIVAL_SECRET}
    changes = {
        "viber": {"window": 1000},
        "smsc": {"window": 1000},
        "connectors": {"rival": known},
        "routes": [{"prefix": "38067", "channel": "viber", "connector": "rival"}],
    }
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2 * CONNECTIONS)) as http,
        living(store_url, tmp_path, clock, changes) as house,
    ):
        await Ledger(house.client.directory.engine).top_up(1, MESSAGES * 10_000_000, "", clock())
        yield Storm(house, http, random.Random(SEED))
    await rival.stop()


@pytest.mark.timeout(60 + 10 * PATIENCE_S)
async def test_a_storm_of_callbacks_changes_only_what_it_may(storm: Storm) -> None:
    doubles = counted("double_deliveries")
    await storm.send_rivals()
    await storm.send_all()
    await storm.passes(0)
    await storm.until("SELECT count(*) FROM deliveries WHERE status < 2 AND account_id = 1", 0)
    rivals, forged = storm.standing(), storm.forged()
    await storm.post_all([*storm.said("timely"), *forged])
    assert storm.standing() == rivals

    await storm.passes(LIFETIME_S + GRACE_S)
    redirected = {number for number, fate in storm.fates.items() if fate.sms}
    assert storm.sms_ids.keys() == redirected
    await storm.deliver_sms()
    await storm.passes(DAY_S)
    await storm.post_all(storm.said("late"))

    right = {n: (fate.status, ON_SMS if fate.sms else ON_VIBER) for n, fate in storm.fates.items()}
    told = storm.outcome()
    assert {number: (told[number], one) for number, one in right.items() if told[number] != one} == {}
    late = sum(fate.sms and bool({DELIVERED, SEEN} & fate.said) for fate in storm.fates.values())
    assert counted("double_deliveries") == doubles + late
    unmatched = sum(call.answer == 200 for call in forged)
    await storm.until("SELECT count(*) FROM receipts WHERE message_id IS NULL", unmatched)
    print(storm)
