"""Mailings to test with: one that is kept, who checks and sends it, and what became of it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conftest import NOW, run_sql
from test_admission import NETWORK

from hopwire import mailings as running
from hopwire.admission import Admission
from hopwire.contents import Draft
from hopwire.lists import Row
from hopwire.mailing import Command, Mailing, RowState, State
from hopwire.mailings import MailingRunner
from hopwire.model import Account, Price
from hopwire.routing import Times
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.engine import Engine
from hopwire.store.mailings import KeptRow, Mailings
from hopwire.store.prices import PriceBook

DRAFT = Draft(sender="Shop", message="Hi {{name}}")
NUMBERS = [f"3805011122{n}" for n in range(10, 40)]
Clock = Callable[[], int]


class Ticking:
    """A clock by which each turn is over after one page."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        self.now += 600
        return self.now


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PAGE", 4)
    monkeypatch.setattr(running, "AT_A_TIME", 2)


@pytest.fixture
def mailings(store: Store) -> Mailings:
    return Mailings(store.engine)


@pytest.fixture
async def door(store: Store, directory: Directory) -> Admission:
    await PriceBook(directory.engine).put([Price("sms", "", 500), Price("viber", "", 300)])
    return await a_door(store)


@pytest.fixture
def runner(door: Admission, store: Store) -> MailingRunner:
    return a_runner(door, store.engine)


async def a_door(store: Store, check_image: Any = None) -> Admission:
    made = Admission(store, Directory(store.engine), NETWORK, Times(3600, 15, 15), check_image)
    await made.refresh()
    return made


def a_runner(
    door: Admission, engine: Engine, worker: str = "one", clock: Clock | None = None
) -> MailingRunner:
    return MailingRunner(door, Mailings(engine), Directory(engine), worker, 6, clock or (lambda: NOW))


def listed(*numbers: str, **values: str) -> list[Row]:
    return [Row(line=n, number=one, values={"name": "Anna"} | values) for n, one in enumerate(numbers, 2)]


async def given(mailings: Mailings, account: Account, rows: Sequence[Row], draft: Draft = DRAFT) -> int:
    """A mailing with these rows, to be checked."""
    mailing_id = await mailings.create(account.id, "Sale", draft, NOW)
    for at in range(0, len(rows), 3):
        assert await mailings.add(account.id, mailing_id, rows[at : at + 3])
    assert await mailings.complete(account.id, mailing_id)
    return mailing_id


async def ready(mailings: Mailings, runner: MailingRunner, account: Account, *numbers: str) -> int:
    """A mailing to these numbers that is checked."""
    mailing_id = await given(mailings, account, listed(*numbers))
    await worked(runner)
    return mailing_id


async def worked(runner: MailingRunner) -> None:
    """The runner has done what there is to do."""
    while await runner.turn():
        pass


async def told(mailings: Mailings, account: Account, mailing_id: int, command: Command) -> list[State]:
    return [one.state for one in await mailings.tell(account.id, [mailing_id], command, NOW)]


async def seen(mailings: Mailings, account: Account, mailing_id: int) -> Mailing:
    found = await mailings.one(account.id, mailing_id)
    assert found is not None
    return found


async def rows_of(mailings: Mailings, account: Account, mailing_id: int) -> list[KeptRow]:
    return await mailings.rows(account.id, mailing_id, list(RowState), 1000)


def messages(url: str) -> list[str]:
    """The recipients of what was accepted, in the order of the ids."""
    return [row[0] for row in run_sql(url, "SELECT recipient FROM messages ORDER BY id")]
