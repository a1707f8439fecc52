"""A whole gateway in the test's process, whose clock is a number, between far ends that do as they are told.

Rule 1: everything of the gateway is real: its web face, its store, its worker, its channels on their sockets.
Rule 2: nothing is waited for by time. The clock is moved, and then the worker is seen to look at what is due.
Rule 3: at the end of every test, whatever it did, every message ends, the books are in order, and nothing is
reserved any more.
"""

import asyncio
import json
import logging
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from conftest import NOW, run_sql
from gateway import SECRET, SEND, TO
from gateway import Gateway as Client
from rules_ends import Operator, Viber, takes, token
from system import PATIENCE_S

from hopwire import admission, metrics, worker
from hopwire.app import Assignment, channels, serving
from hopwire.channels import Channel, OnAnswers
from hopwire.channels.smpp import link
from hopwire.config import Config, parse
from hopwire.delivery import Delivery
from hopwire.model import Answer, ConnectorState, Handover, Status
from hopwire.rung import Part
from hopwire.store import Store
from hopwire.store.connectors import Connectors
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_engine, open_store
from hopwire.worker import Worker

ROWS = (  # the questions of the table of rules, in its order
    "When does SMS start?",
    "When does the lifetime start?",
    "Who watches the lifetime?",
    'Late "delivered" after the SMS left',
    '"expired" or "failed" after "delivered"',
    '"delivered" once per device',
    '"seen" without "delivered"',
    "User blocked the business",
    '"Not a Viber user"',
    "`Unknown` from Viber",
    "`Unknown` from SMPP",
    "`Later`",
    "No connector up",
    "Receipt before its submit was answered",
    "Several parts",
    "Delete",
    'Crash between "written to the wire" and "answer recorded"',
    "Scheduled",
)

OFTEN_S = {"POLL_S": 0.005, "MATCH_S": 0.005, "MIND_S": 0.02, "FORGET_S": 0.02}
LIFETIME_S, GRACE_S = 60, 15  # of Viber
SMS_LIFETIME_S = 600
VIBER_PRICE, SMS_PRICE = 400_000, 800_000  # as gateway.py sets them
DAY_S = 86_400
FIRST = "a0"  # the operator's id of the first part that it takes
PRIVATE = (TO, SEND["message"], SECRET)
DELIVERED, SEEN, EXPIRED = 0, 1, 2  # message_status of Viber's callbacks
BOTH = {"viber": "1", "viber_from": "test", "viber_sms": "1", "viber_lifetime": str(LIFETIME_S)}


class Clock:
    """The wall clock of a gateway: milliseconds since 1970."""

    def __init__(self) -> None:
        self.ms = NOW
        self.minded_at = 0  # the moment of the worker's last look at how its connectors stand

    def __call__(self) -> int:
        return self.ms


def hasten(patch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Let the gateway live by the clock, and look often at what is due."""
    real = admission.now_ms
    for name, module in list(sys.modules.items()):
        if name.startswith("hopwire.") and getattr(module, "now_ms", None) is real:
            patch.setattr(module, "now_ms", clock)
    for name, seconds in OFTEN_S.items():
        patch.setattr(worker, name, seconds)
    patch.setattr(link, "BACKOFF_S", (0.01, 0.05))
    relieve = Worker._relieve

    async def told(self: Worker, states: Mapping[str, ConnectorState], now: int) -> None:
        await relieve(self, states, now)
        clock.minded_at = now

    patch.setattr(Worker, "_relieve", told)


# ---- the gateway


class Watched(Store):
    """A store that tells what the worker has looked at, and what it was given to hand over."""

    def __init__(self, url: str) -> None:
        super().__init__(open_engine(url))
        self.looks: Counter[str] = Counter()  # by connector, and of timers and receipts
        self.handed: list[tuple[int, Handover]] = []  # with the moment

    async def claim(
        self,
        connector: str,
        worker: str,
        n: int,
        lease_ms: int,
        now: int,
        take: Callable[[Sequence[Handover]], None] = lambda handovers: None,
    ) -> list[Handover]:
        handovers = await super().claim(connector, worker, n, lease_ms, now, take)
        self.handed += [(now, handover) for handover in handovers]
        self.looks[connector] += 1
        return handovers

    async def run_timers(self, n: int, now: int) -> int:
        ran = await super().run_timers(n, now)
        self.looks["timers"] += 1
        return ran

    async def match_receipts(self, n: int, now: int) -> int:
        matched = await super().match_receipts(n, now)
        self.looks["receipts"] += 1
        return matched


class Books(NamedTuple):
    """What was charged and released of each step of a message, in millionths."""

    charged: dict[int, int]
    released: dict[int, int]


ON_VIBER = Books({0: VIBER_PRICE}, {1: SMS_PRICE})
ON_SMS = Books({1: SMS_PRICE}, {0: VIBER_PRICE})
NOT_AT_ALL = Books({}, {0: VIBER_PRICE, 1: SMS_PRICE})
SMS_ALONE = Books({0: SMS_PRICE}, {})
SMS_FREE = Books({}, {0: SMS_PRICE})


class House:
    """The gateway with one account, and its far ends."""

    store: Watched
    client: Client
    worker: Worker

    def __init__(self, url: str, folder: Path, clock: Clock, changes: Mapping[str, Any]) -> None:
        self.clock = clock
        self.viber, self.operator = Viber(), Operator()
        self._url, self._folder, self._changes = url, folder, changes
        self._sock = socket.create_server(("127.0.0.1", 0))  # outlives the gateway, as under a supervisor
        self._key = ""
        self.config = Config()
        self.given: dict[tuple[int, int], Answer | None] = {}  # by message and step, what channels told of it

    # ---- its life

    async def build(self) -> None:
        """Start the far ends, and the gateway with an empty store."""
        await self.viber.start()
        self.config = parse(self._settings(await self.operator.start()))
        store = await open_store(self._url)
        client = self._client(store)
        await client.open_account()
        self._key = client.key
        await store.close()
        await self.start()

    def _settings(self, smsc_port: int) -> dict[str, Any]:
        viber = {"kind": "viber", "service_ids": {"*": 3100}, "callback_secret": SECRET}
        smsc = {"kind": "smpp", "system_id": "hopwire", "password": "secret", "receipt_ids": "same"}
        at = {"host": "127.0.0.1", "port": smsc_port}
        changes = dict(self._changes)
        return {
            "store": {"url": self._url, "secret": "of this installation, and long"},
            "worker": {"lease_s": 60},
            "sms": {"lifetime_s": SMS_LIFETIME_S, "grace_s": GRACE_S},
            "viber": {"grace_s": changes.pop("viber_grace_s", GRACE_S)},
            "connectors": {
                "viber": viber | {"url": self.viber.url} | changes.pop("viber", {}),
                "smsc": smsc | at | changes.pop("smsc", {}),
                **changes.pop("connectors", {}),
            },
            "routes": [
                {"prefix": "380", "channel": "sms", "connector": "smsc"},
                {"prefix": "380", "channel": "viber", "connector": "viber"},
                *changes.pop("routes", []),
            ],
            **changes,
        }

    def _client(self, store: Store) -> Client:
        ports = {"http": self._sock.getsockname()[1]}
        client = Client(store, self.config, self._folder / "hopwire.db", ports)
        client.key = self._key
        return client

    async def start(self) -> None:
        """Begin, or begin again with what is on disk."""
        self.store = Watched(self._url)
        self.client = self._client(self.store)
        self.worker = Worker(self.store, "gateway", self.config.worker.lease_s, self.clock)
        self.channels = channels(self.config, self.worker)
        for channel in self.channels.values():
            self._watch(channel)
        await self.worker.start(self.channels)
        sockets = {"http": self._sock.dup().detach()}
        self._serving = serving(
            Assignment(role="web", title="", sockets=sockets, config=self.config), self.store
        )
        await self._serving.__aenter__()
        await self.up("smsc")

    def _watch(self, channel: Channel) -> None:
        """Know which parts it is given, and what it tells of them."""
        submit = channel.submit

        def watched(handovers: Sequence[Handover], on_answers: OnAnswers) -> None:
            def told(answers: Sequence[tuple[Handover, Answer]]) -> None:
                self.given |= {(one.message_id, one.step): answer for one, answer in answers}
                on_answers(answers)

            self.given |= dict.fromkeys((one.message_id, one.step) for one in handovers)
            submit(handovers, told)

        channel.submit = watched  # type: ignore[method-assign]

    async def stop(self) -> None:
        await self.worker.stop()
        await self._serving.__aexit__(None, None, None)
        await self.store.close()

    async def crash(self) -> None:
        """The process dies: what it was doing is not recorded, and its connections end."""
        self.worker._record = lambda changes: None  # type: ignore[method-assign]
        work = [*self.worker._tasks, *filter(None, [self.worker._recording])]
        work += [task for channel in self.channels.values() for task in getattr(channel, "_submits", ())]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        self.operator.drop()
        await asyncio.gather(*(channel.stop() for channel in self.channels.values()))
        await self._serving.__aexit__(None, None, None)
        await self.store.close()

    async def tear_down(self) -> None:
        """Stop everything."""
        self.viber.may_answer.set()
        await self.stop()
        await self.viber.stop()
        await self.operator.stop()
        self._sock.close()

    async def open_account(self, login: str, **traits: Any) -> tuple[int, str]:
        """Another account with money; its id and its key."""
        directory = self.client.directory
        account = await directory.create_account(login, "", NOW, **traits)
        assert account is not None
        await Ledger(directory.engine).top_up(account, 100_000_000, "", NOW)
        return account, await self.client.new_key(account)

    # ---- time

    async def leaps(self, seconds: float) -> None:
        """So much time passes at once; then the worker looks at what is due."""
        self.clock.ms += round(1000 * seconds)
        await self.looks()

    async def passes(self, seconds: float) -> None:
        """So much time passes; the worker looks at what is due at the end, and now and then before."""
        left, step = round(1000 * seconds), 1000
        while left > 0:
            await self.leaps(min(left, step) / 1000)
            left, step = left - step, 4 * step

    async def minds(self) -> None:
        """Wait until the worker has looked, at this moment, at how its connectors stand."""
        await becomes(lambda: self.clock.minded_at >= self.clock.ms)

    async def looks(self) -> None:
        """Wait until the worker has run the timers that are due, matched receipts, and then claimed."""
        await asyncio.gather(self._turns("timers"), self._turns("receipts"))
        await asyncio.gather(*map(self._turns, self.channels))

    async def _turns(self, what: str) -> None:
        """The second look from now has begun after now; a connector without room is not looked at."""
        seen = self.store.looks[what]

        def done() -> bool:
            return self._blocked(what) or self.store.looks[what] >= seen + 2

        await becomes(done)

    def _blocked(self, connector: str) -> bool:
        channel = self.channels.get(connector)
        return channel is not None and (connector in self.worker._paused or not channel.capacity)

    async def answered(self) -> None:
        """Wait until every answer of an upstream is recorded."""

        def done() -> bool:
            under_way = any(channel.state.in_flight for channel in self.channels.values())
            return not under_way and self.worker._recording is None

        await becomes(done)

    async def up(self, connector: str) -> None:
        """Wait until the connector has room."""
        await becomes(lambda: self.channels[connector].capacity > 0)

    async def down(self, connector: str) -> None:
        """Wait until the connector has none."""
        await becomes(lambda: not self.channels[connector].capacity)

    async def pause(self, connector: str) -> None:
        """The operator pauses it."""
        await Connectors(self.store.engine).pause(connector, self.clock())
        await becomes(lambda: connector in self.worker._paused)

    async def resume(self, connector: str) -> None:
        await Connectors(self.store.engine).resume(connector, self.clock())
        await becomes(lambda: connector not in self.worker._paused)

    # ---- what a client and Viber do

    async def send(self, **params: str) -> int:
        """Send by Viber, then by SMS; the message's id."""
        return await self.client.send(**{**BOTH, **params})

    async def sms(self, **params: str) -> int:
        """Send by SMS alone."""
        return await self.client.send(**params)

    async def code(self, message_id: int, **who: str) -> int:
        """The status as the client reads it."""
        text = await self.client.ask(command="receive", id=message_id, **who)
        return int(dict(line.split(":", 1) for line in text.splitlines())["code"])

    async def reaches(self, message_id: int, code: int, **who: str) -> None:
        """Wait until the status is this."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.code(message_id, **who) != code:
                await self.looks()

    async def told(self, status: int, message_id: int, to: str = TO, said: str = "") -> None:
        """Viber reports this, and is answered when it is on disk."""
        report = {
            "message_token": said or token(message_id),
            "message_status": status,
            "message_time": self.clock.ms,
            "phone_number": to,
            "service_id": 3100,
        }
        reply = await self.client.post(f"/callbacks/viber/{SECRET}", json.dumps(report).encode())
        assert reply.status == 200

    # ---- what is kept

    def rows(self, statement: str) -> list[Any]:
        return run_sql(self._url, statement)

    def parts(self, message_id: int, step: int) -> tuple[Part, ...]:
        ((state,),) = self.rows(f"SELECT state FROM deliveries WHERE id = {message_id}")  # noqa: S608
        return msgspec.json.decode(state, type=Delivery).rungs[step].parts

    def books(self, message_id: int) -> Books:
        found = Books({}, {})
        for kind, step, amount in self.rows(
            f"SELECT kind, step, amount FROM ledger WHERE message_id = {message_id} ORDER BY step"  # noqa: S608
        ):
            if kind != "reserve":
                (found.charged if kind == "charge" else found.released)[step] = amount
        return found

    async def comes_to_rest(self) -> None:
        """Time passes until nothing is awaited; then all messages have ended, and the books are in order."""
        self.viber.says, self.operator.answer = takes, self.operator.takes
        self.viber.may_answer.set()
        unfinished = "SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL OR timer_at IS NOT NULL"
        async with asyncio.timeout(PATIENCE_S):
            while self.rows(unfinished) != [(0,)]:
                await self.leaps(30 * DAY_S)
        assert self.rows("SELECT id, status FROM deliveries WHERE status <= 2") == []
        assert self.rows("SELECT id FROM accounts WHERE reserved <> 0") == []
        assert {check for check, faults in (await self.client.directory.fsck()).items() if faults} == set()


@asynccontextmanager
async def living(url: str, folder: Path, clock: Clock, changes: Mapping[str, Any]) -> AsyncIterator[House]:
    """A gateway on an empty store, with these settings; in the end it comes to rest."""
    one = House(url, folder, clock, changes)
    await one.build()
    try:
        yield one
        await one.comes_to_rest()
    finally:
        await one.tear_down()


@pytest.fixture
async def house(
    request: pytest.FixtureRequest,
    store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[House]:
    """On each engine, with the settings that the test asks for; no bug is met, and no log tells a number."""
    clock = Clock()
    hasten(monkeypatch, clock)
    caplog.set_level(logging.DEBUG, "hopwire")
    async with living(store_url, tmp_path, clock, getattr(request, "param", {})) as one:
        yield one
    assert faults([*caplog.get_records("call"), *caplog.records]) == []


on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For tables whose rows differ in nothing that an engine would notice."""


async def becomes(what: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - what is on disk and what a socket did has no event
            await asyncio.sleep(0.002)


def counted(name: str, **labels: str) -> float:
    """A counter of the gateway's metrics."""
    return metrics.REGISTRY.get_sample_value(f"hopwire_{name}_total", labels) or 0.0


def faults(records: Sequence[logging.LogRecord]) -> list[str]:
    """Bugs, and what a log must not tell."""
    said = [(record.getMessage(), bool(record.exc_info)) for record in records]
    return [text for text, traceback in said if traceback or any(one in text for one in PRIVATE)]


# ---- what happens to a message


async def handed_to_viber(house: House, **params: str) -> int:
    """A message that Viber has been asked to take, and has answered for."""
    message_id = await house.send(**params)
    await house.viber.hears()
    await house.answered()
    return message_id


async def arrives_by_sms(house: House, message_id: int) -> None:
    """The SMS leaves now, is delivered, and nothing else has been charged."""
    await house.operator.hears()
    house.operator.reports(FIRST)
    await house.reaches(message_id, Status.DELIVERED)
    assert house.books(message_id) == ON_SMS


async def leaves_by_sms_in(house: House, seconds: float) -> None:
    """The SMS leaves then, and not a millisecond earlier."""
    await house.passes(seconds - 0.001)
    assert house.operator.texts == []
    await house.passes(0.001)
    assert (await house.operator.hears()).destination_addr == TO


async def no_sms_leaves(house: House) -> None:
    await house.passes(2 * DAY_S)
    assert house.operator.texts == []


def in_seconds(house: House, seconds: float) -> str:
    return datetime.fromtimestamp(house.clock() / 1000 + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
