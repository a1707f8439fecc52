"""Two processes with SQLite: the one that owns the file, and those that ask it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from conftest import NOW, SMS, VIBER, open_account, order
from msgspec.structs import replace
from rules import becomes

from hopwire.delivery import plan_delivery
from hopwire.errors import (
    ApiError,
    ClientIdReused,
    NotEnoughMoney,
    OutcomeUnknown,
    RecipientOptedOut,
    Unavailable,
)
from hopwire.events import Answered
from hopwire.limits import fingerprint
from hopwire.model import (
    Account,
    FlashSms,
    Limits,
    Other,
    Outcome,
    Receipt,
    SendRequest,
    SmsText,
    Status,
    Taken,
    Template,
    ViberButton,
    ViberImage,
    ViberText,
    WapPush,
    Writing,
)
from hopwire.store import Accepted, Order, Standing, Store
from hopwire.store.directory import NOBODY, Directory
from hopwire.store.inbox import EVERYONE, Inbox
from hopwire.store.migrate import open_engine, open_store
from hopwire.store.owner import VERBS, OwnedStore, Owner, OwnerError
from hopwire.store.wal import Wal

SOON = NOW + 10


class House:
    """A database with its owner, who may go and come back while the socket stays."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:{folder}/hopwire.db"
        self.path = folder / "owner"
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind(str(self.path))
        self._sock.listen()
        self.store: Store
        self._owner: Owner

    async def come(self, store: Store | None = None) -> None:
        self.store = store or await open_store(self.url)
        self._owner = Owner(self.store)
        await self._owner.start(self._sock.dup())

    async def go(self) -> None:
        await self._owner.stop()
        await self.store.close()

    def caller(self) -> OwnedStore:
        return OwnedStore(open_engine(self.url), self.path)

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.come()
    yield house
    await house.go()
    house.close()


@pytest.fixture
async def account(house: House) -> Account:
    return await open_account(Directory(house.store.engine), money=1_000_000)


@pytest.fixture
async def caller(house: House) -> AsyncIterator[OwnedStore]:
    caller = house.caller()
    yield caller
    await caller.close()


def accepted(answers: Sequence[Accepted | ApiError]) -> list[int]:
    return [answer.id for answer in answers if isinstance(answer, Accepted)]


# ---- what is asked for


async def test_what_is_asked_for_is_done_and_may_be_read(
    house: House, caller: OwnedStore, account: Account
) -> None:
    [message_id] = accepted(await caller.admit([order(account)]))
    assert await caller.statuses(account.id, [message_id]) == {message_id: Standing(Status.PENDING, NOW)}
    claimed = await house.store.claim("viber", "w1", 10, 60_000, SOON)
    assert [one.message_id for one in claimed] == [message_id]


async def test_refusals_are_told_each_in_its_place(
    house: House, caller: OwnedStore, account: Account
) -> None:
    poor = await open_account(Directory(house.store.engine), login="poor", money=0)
    await Inbox(house.store.engine).stop(EVERYONE, "380501112299", NOW)
    orders = [order(poor), order(account), order(account, to="380501112299")]
    first, second, third = await caller.admit(orders)
    assert isinstance(first, NotEnoughMoney)
    assert isinstance(second, Accepted)
    assert isinstance(third, RecipientOptedOut)


async def test_receipts_are_kept_and_tell_their_messages(
    house: House, caller: OwnedStore, account: Account
) -> None:
    [message_id] = accepted(await caller.admit([order(account)]))
    await house.store.claim("viber", "w1", 10, 60_000, SOON)
    await house.store.record([(message_id, Answered(0, 0, Taken("p1"), "viber"))], SOON)
    receipts = [receipt("p1"), receipt("p2")]
    assert await caller.keep_receipts(receipts, SOON) == ["p1", None]
    assert (await caller.statuses(account.id, [message_id]))[message_id].status is Status.DELIVERED


def receipt(provider_id: str) -> Receipt:
    return Receipt(
        connector="viber", provider_id=provider_id, recipient="", outcome=Outcome.DELIVERED, code="", raw=""
    )


async def test_a_repeat_is_told_of_what_is_on_disk(
    house: House, caller: OwnedStore, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(order(account), client_key="k1")
    print_ = fingerprint(one.request)
    house.store.listen(lambda due: None)
    await house.store.admit([order(account)])  # there are ids
    on_disk: list[Callable[[], None]] = []
    monkeypatch.setattr(Wal, "sync", lambda _, done: on_disk.append(done))
    admitted = asyncio.ensure_future(house.store.admit([one]))
    await becomes(lambda: len(on_disk) == 1)
    asked = asyncio.create_task(caller.answered(account.id, "k1", print_, NOW))
    assert await caller.answered(account.id, "k2", print_, NOW) is None
    assert isinstance(await caller.answered(account.id, "k1", "another", NOW), ClientIdReused)
    assert not asked.done()
    on_disk.pop()()
    assert [await asked] == await admitted


async def test_a_message_is_deleted(caller: OwnedStore, account: Account) -> None:
    later = NOW + 3_600_000
    [message_id] = accepted(await caller.admit([order(account, send_at=later)]))
    standings = await caller.delete(account.id, [message_id], SOON)
    assert standings == {message_id: Standing(Status.DELETED, SOON)}
    assert await caller.delete(account.id + 1, [message_id], SOON) == {}


async def test_many_ask_at_a_time_and_each_gets_his_own_answer(
    house: House, caller: OwnedStore, account: Account
) -> None:
    other = house.caller()
    asked = [(caller, other)[n % 2].admit([order(account, to=f"38050111{n:04}")] * 3) for n in range(20)]
    ids = [i for answers in await asyncio.gather(*asked) for i in accepted(answers)]
    await other.close()
    assert len(set(ids)) == 60
    found = await caller.latest(60)
    recipients = {one.id: one.recipient for one in found}
    assert [recipients[i] for i in ids] == [f"38050111{n:04}" for n in range(20) for _ in range(3)]


async def test_what_several_ask_for_in_one_turn_is_admitted_together(tmp_path: Path) -> None:
    house = House(tmp_path)
    await (await open_store(house.url)).close()  # the tables
    counted = Counted(house)
    await house.come(counted)
    account = await open_account(Directory(counted.engine), money=1_000_000)
    callers = [house.caller() for _ in range(2)]
    for one in callers:
        await one.admit([])  # it is connected
    counted.calls.clear()
    asked = [one.admit([order(account, to=f"38050111{n:04}")] * (n + 1)) for n, one in enumerate(callers * 2)]
    answers = [accepted(await one) for one in asked]
    assert [len(ids) for ids in answers] == [1, 2, 3, 4]
    assert counted.calls == [10]
    found = {one.id: one.recipient for one in await counted.latest(10)}
    assert [{found[i] for i in ids} for ids in answers] == [{f"38050111{n:04}"} for n in range(4)]
    for one in callers:
        await one.close()
    await house.go()
    house.close()


class Counted(Store):
    """A store that tells how many orders were admitted at a time."""

    def __init__(self, house: House) -> None:
        super().__init__(open_engine(house.url))
        self.calls: list[int] = []

    def admit(self, orders: Sequence[Order]) -> Awaitable[list[Accepted | ApiError]]:
        self.calls.append(len(orders))
        return super().admit(orders)


async def test_an_order_that_meets_a_bug_is_not_the_trouble_of_those_it_came_with(
    house: House, caller: OwnedStore, account: Account
) -> None:
    await caller.admit([])  # it is connected
    broken = replace(order(account), request=replace(order(account).request, recipient=None))
    asked = [caller.admit([one]) for one in (order(account), broken, order(account))]
    first, second, third = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(second, OwnerError)
    for answer in (first, third):
        assert not isinstance(answer, BaseException)
        assert len(accepted(answer)) == 1
    assert len(await house.store.latest(9)) == 2


async def test_what_has_no_form_on_the_wire_is_told_to_who_asks_and_to_nobody_else(
    house: House, caller: OwnedStore, account: Account
) -> None:
    await caller.admit([])  # it is connected
    asked = [caller.admit([one]) for one in (replace(order(account), parts=2**80), order(account))]
    with pytest.raises(OverflowError):
        await asked[0]
    assert len(accepted(await asked[1])) == 1


# ---- trouble


class Sick(Store):
    """A store whose acceptance fails."""

    def __init__(self, house: House, failure: Exception) -> None:
        super().__init__(open_engine(house.url))
        self._failure = failure

    async def admit(self, orders: Sequence[Order]) -> list[Accepted | ApiError]:
        raise self._failure


@pytest.mark.parametrize(
    ("failure", "told"), [(Unavailable(), Unavailable), (KeyError("a bug"), OwnerError)], ids=["away", "bug"]
)
async def test_a_failure_of_the_owner_is_told_as_one(
    tmp_path: Path, failure: Exception, told: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path)
    await house.come(Sick(house, failure))
    caller = house.caller()
    with pytest.raises(told):
        await caller.admit([])
    await caller.close()
    await house.go()
    house.close()
    assert ("what another process has asked for failed" in caplog.text) == (told is OwnerError)


class Slow(Store):
    """A store that does not come to an end before it is let."""

    def __init__(self, house: House) -> None:
        super().__init__(open_engine(house.url))
        self.begun, self.let = asyncio.Event(), asyncio.Event()

    async def admit(self, orders: Sequence[Order]) -> list[Accepted | ApiError]:
        self.begun.set()
        await self.let.wait()
        return [Accepted(1, 1)]


async def test_what_is_under_way_is_finished_before_the_owner_goes(tmp_path: Path) -> None:
    house = House(tmp_path)
    slow = Slow(house)
    await house.come(slow)
    caller = house.caller()
    asked = asyncio.ensure_future(caller.admit([order(NOBODY)]))
    await slow.begun.wait()
    going = asyncio.ensure_future(house.go())
    await asyncio.sleep(0)
    slow.let.set()
    await going
    assert await asked == [Accepted(1, 1)]
    await caller.close()
    house.close()


async def test_an_owner_that_dies_leaves_nobody_waiting(tmp_path: Path) -> None:
    connections: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    path = tmp_path / "owner"
    server = await asyncio.start_unix_server(lambda reader, writer: connections.put_nowait(writer), path)
    caller = OwnedStore(open_engine(f"sqlite:{tmp_path}/hopwire.db"), path)
    for _ in range(2):
        asked = asyncio.ensure_future(caller.admit([]))
        (await connections.get()).close()
        with pytest.raises(OutcomeUnknown):
            await asked
    await caller.close()
    server.close()


async def test_what_is_asked_for_while_the_owner_is_away_waits_for_it(
    house: House, caller: OwnedStore, account: Account
) -> None:
    await house.go()
    asked = [asyncio.ensure_future(caller.admit([order(account)])) for _ in range(2)]
    await house.come()
    assert [len(accepted(await one)) for one in asked] == [1, 1]


async def test_where_there_is_no_owner_it_is_unavailable(tmp_path: Path) -> None:
    caller = OwnedStore(open_engine(f"sqlite:{tmp_path}/hopwire.db"), tmp_path / "owner")
    with pytest.raises(Unavailable):
        await caller.admit([])
    await caller.close()


# ---- what goes over the wire


@pytest.mark.parametrize(
    "request_",
    [
        SendRequest(recipient="380501112233", sms=SmsText(text="Привіт \0 🙂"), sms_sender="shop"),
        SendRequest(recipient="1", sms=FlashSms(text=""), send_at=NOW, via=("a", "b"), country="UA"),
        SendRequest(recipient="1", sms=WapPush(text="t", url="http://x/")),
        SendRequest(recipient="1", viber=ViberText(text="t"), viber_sender="v", viber_lifetime_s=60),
        SendRequest(recipient="1", viber=ViberImage(image="http://x/a.png", url=None)),
        SendRequest(
            recipient="1", viber=ViberButton(text="t", url="http://x/", caption="c", image="http://x/a.png")
        ),
    ],
    ids=["sms", "flash", "wap", "viber", "image", "button"],
)
def test_an_order_arrives_as_it_was(request_: SendRequest) -> None:
    from hopwire.store.owner import _encode

    account = replace(NOBODY, id=7, parent_id=3, limits=Limits(max_price=5, destinations=("UA",)))
    step = replace(
        SMS,
        writing=Writing(alphabet="latin1"),
        template=Template(id="1", language="uk", kind="promotion", parameters={"a": "b"}),
        others=(Other(connector="b", writing=Writing()),),
    )
    asked = Order(account, request_, plan_delivery((VIBER, step), NOW), NOW, 9, "client", 2)
    assert VERBS["admit"].arguments(_encode(([asked],))) == ([asked],)
