"""What several files share: an empty store on each engine, orders to put into it, and an SMSC.

PostgreSQL comes from HOPWIRE_TEST_POSTGRES, a URL whose user may create databases.
"""

import logging
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import planted
import psycopg
import pytest
from cabinet import browser, cabinet  # noqa: F401 - fixtures
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from rules_ends import Operator
from smpp_ends import Lines, Smsc, missing

from hopwire.channels import smpp
from hopwire.channels.smpp import link
from hopwire.delivery import plan_delivery
from hopwire.model import Account, SendRequest, SmsText, Step, ViberText
from hopwire.smpp import flow
from hopwire.store import Order, Store, sql
from hopwire.store.directory import Directory
from hopwire.store.ledger import Ledger
from hopwire.store.migrate import open_store

pytest.register_assert_rewrite("simulated_provider")  # so that what it asserts is told in full

NOW = 1_800_000_000_000
VIBER = Step(
    channel="viber", connector="viber", parts=1, part_price=300, charge_on="delivered", lifetime_s=600
)
SMS = Step(channel="sms", connector="smsc", parts=1, part_price=500, charge_on="taken", lifetime_s=3600)


LONGEST = ("crashes", "bench", "cli_operator", "flows", "cut_link", "chain", "operate", "demo")


def pytest_configure() -> None:
    """How fast the machine is fails no test: in a fresh clone the tables of characters have to be made first.

    And programs that tests interrupt must not inherit that nobody listens: a shell's `&` has it so.
    """
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    hypothesis_settings.register_profile("any machine", deadline=None, suppress_health_check=slow)
    hypothesis_settings.load_profile("any machine")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest begin first, so that no worker is left alone with one of them."""
    order = {f"test_{name}.py": n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


# ---- nothing planted is told


@pytest.fixture(scope="session", autouse=True)
def every_log_record_is_looked_at() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.Logger, "isEnabledFor", planted.is_enabled_for)
        patch.setattr(logging.Logger, "handle", planted.handle)
        yield


@pytest.fixture(autouse=True)
def nothing_planted_is_told() -> Iterator[None]:
    """Fails a test in which a secret, a number or a text was logged, counted, answered or complained of."""
    planted.FOUND.clear()
    yield
    found = list(planted.FOUND)
    planted.FOUND.clear()
    assert not found


# ---- stores


class Postgres:
    """A server, and databases on it that live as long as a test."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = psycopg.connect(url, autocommit=True)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new database."""
        name = f"hopwire_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield urlsplit(self._url)._replace(path=f"/{name}").geturl()
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    url = os.environ.get("HOPWIRE_TEST_POSTGRES")
    if not url:
        missing("HOPWIRE_TEST_POSTGRES is not set: the URL of a PostgreSQL server to create databases on")
    server = Postgres(url)
    yield server
    server.close()


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> Iterator[str]:
    """The name of a database with the current schema, to make copies of."""
    with postgres.database() as url:
        with psycopg.connect(url) as connection:
            for statement in sql.script("schema.sql", sql.POSTGRES):
                connection.execute(statement.encode())
        yield urlsplit(url).path[1:]


@pytest.fixture
def postgres_url(postgres: Postgres, template: str) -> Iterator[str]:
    """An empty store on PostgreSQL."""
    with postgres.database(template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty store on each engine."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:{request.getfixturevalue('tmp_path')}/hopwire.db"


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    store = await open_store(store_url)
    yield store
    await store.close()


@pytest.fixture
def directory(store: Store) -> Directory:
    return Directory(store.engine)


@pytest.fixture
async def account(directory: Directory) -> Account:
    return await open_account(directory, money=1_000_000)


def run_sql(url: str, statement: str) -> list[Any]:
    """What a statement answers on a connection of its own, beside the store's."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(url, autocommit=True) as server:
        cursor = server.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


async def open_account(
    directory: Directory, money: int = 0, login: str = "shop", charge_sms_on: str = "taken"
) -> Account:
    """A new account with this much money, in millionths."""
    account_id = await directory.create_account(login, "", NOW, charge_sms_on=charge_sms_on)
    assert account_id is not None
    if money:
        await Ledger(directory.engine).top_up(account_id, money, "", NOW)
    return next(account for account in await directory.accounts() if account.id == account_id)


def order(account: Account, *steps: Step, to: str = "380501112233", send_at: int | None = None) -> Order:
    """An order accepted at NOW; without steps it goes by Viber, then by SMS."""
    request = SendRequest(
        recipient=to,
        sms=SmsText(text="hello"),
        sms_sender="Shop",
        viber=ViberText(text="hello"),
        viber_sender="Shop",
        send_at=send_at,
    )
    delivery = plan_delivery(steps or (VIBER, SMS), send_at if send_at is not None else NOW)
    return Order(account, request, delivery, NOW)


# ---- SMPP


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    far = Smsc()
    yield far
    await far.stop()


@pytest.fixture
async def second() -> AsyncIterator[Operator]:
    """The far end of another operator."""
    operator = Operator()
    yield operator
    await operator.stop()


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What the SMPP channels log."""
    handler = Lines()
    smpp.log.addHandler(handler)
    yield handler
    smpp.log.removeHandler(handler)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel comes back soon after a lost connection or a throttled answer."""
    monkeypatch.setattr(link, "BACKOFF_S", (0.01, 0.05))
    monkeypatch.setattr(flow, "PAUSE_S", (0.01, 0.02))
