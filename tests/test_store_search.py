"""Looking through messages, on both engines."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import NOW, SMS, VIBER, open_account, order, run_sql
from msgspec.structs import replace
from test_store import TO, admit, answered, claim

from hopwire.model import (
    Account,
    Fault,
    Never,
    SmsContent,
    SmsText,
    Status,
    Taken,
    ViberButton,
    ViberContent,
    ViberText,
    WapPush,
)
from hopwire.privacy import pseudonym
from hopwire.store import ID_BLOCK_MS, Order, Store, search, sql
from hopwire.store.directory import Directory
from hopwire.store.engine import T, Tx
from hopwire.store.ledger import Ledger
from hopwire.store.search import EVER, NEWEST, Filter, Page, Search
from hopwire.store.sqlite import SqliteEngine

DAY_MS = 86_400_000
OTHER = "380671234567"


@pytest.fixture(autouse=True)
def nobody_hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far a page looks depends on the messages alone, not on the machine."""
    monkeypatch.setattr(search, "PATIENCE_S", 600)


def asked(
    account: Account,
    sms: SmsContent | None = None,
    viber: ViberContent | None = None,
    *,
    to: str = TO,
    sender: str = "Shop",
    at: int = NOW,
) -> Order:
    """An order accepted at that moment; without contents it is a short text by SMS."""
    steps = (VIBER, *((SMS,) if sms else ())) if viber else (SMS,)
    one = order(account, *steps, to=to)
    request = replace(
        one.request,
        sms=sms or (None if viber else SmsText(text="a text")),
        viber=viber,
        sms_sender=sender,
        viber_sender=sender,
    )
    return replace(one, request=request, accepted_at=at)


async def found(store: Store, **what: Any) -> list[int]:
    """The ids of what is found, which is all on one page."""
    page = await Search(store.engine).page(Filter(**what))
    assert (page.before, page.looked_back_to) == (0, None)
    return [one.id for one in page.messages]


# ---- what fits


async def test_the_newest_are_first_and_others_messages_are_not_there(
    store: Store, directory: Directory, account: Account
) -> None:
    rival = await open_account(directory, money=1_000_000, login="rival")
    first, theirs, last = await admit(store, asked(account), asked(rival), asked(account))
    assert await found(store, account_id=account.id) == [last, first]
    assert await found(store) == [last, theirs, first]
    assert await found(store, account_id=rival.id, message_id=first) == []
    assert await found(store, account_id=account.id, message_id=first) == [first]
    assert await found(store, message_id=2**62) == []


@pytest.mark.parametrize(
    ("what", "fits"),
    [
        pytest.param({"numbers": (TO,)}, True, id="the whole number"),
        pytest.param({"numbers": (OTHER, TO)}, True, id="one of several"),
        pytest.param({"numbers": (OTHER,)}, False, id="another number"),
        pytest.param({"ending": "112233"}, True, id="its end"),
        pytest.param({"ending": "11223"}, False, id="its middle"),
        pytest.param({"numbers": (OTHER,), "ending": "33"}, True, id="another number, or this end"),
        pytest.param({"sender": "Shop"}, True, id="the sender"),
        pytest.param({"sender": "sHOP"}, True, id="the sender in other letters"),
        pytest.param({"sender": "Sho"}, False, id="a piece of the sender"),
        pytest.param({"sender": "\0"}, False, id="what no database keeps"),
        pytest.param({"statuses": (Status.PENDING, Status.SENT)}, True, id="one of several statuses"),
        pytest.param({"statuses": (Status.SENT,)}, False, id="another status"),
        pytest.param({"since": NOW}, True, id="not before then"),
        pytest.param({"since": NOW + 1}, False, id="later"),
        pytest.param({"until": NOW + 1}, True, id="before then"),
        pytest.param({"until": NOW}, False, id="earlier"),
        pytest.param({"channel": "sms"}, True, id="the channel"),
        pytest.param({"channel": "viber"}, False, id="another channel"),
        pytest.param({"text": "TEXT", "channel": "sms", "ending": "33", "since": NOW}, True, id="all of it"),
        pytest.param({"text": "other", "channel": "sms", "ending": "33"}, False, id="all but one"),
    ],
)
async def test_what_fits_is_found(store: Store, account: Account, what: dict[str, Any], fits: bool) -> None:
    ids = await admit(store, asked(account))
    assert await found(store, account_id=account.id, **what) == (ids if fits else [])


BUTTON = ViberButton(text="Знижка 20%", caption="Купити", url="https://shop.example/Sale")


@pytest.mark.parametrize(
    ("content", "text", "fits"),
    [
        pytest.param(SmsText(text="Ваш код 1234"), "код", True, id="a word"),
        pytest.param(SmsText(text="Ваш КОД 1234"), "вАШ код", True, id="Cyrillic in other letters"),
        pytest.param(SmsText(text="Straße"), "STRASSE", True, id="letters that are two in capitals"),
        pytest.param(SmsText(text="Ваш код"), "text", False, id="not the names of our fields"),
        pytest.param(SmsText(text='say "yes"\n\\ok'), '"YES"\n\\', True, id="what JSON writes otherwise"),
        pytest.param(SmsText(text="100% sure_"), "%", True, id="a sign of LIKE is itself"),
        pytest.param(SmsText(text="100 sure"), "1%e", False, id="and stands for nothing"),
        pytest.param(SmsText(text="a\0b \x1b"), "\0B \x1b", True, id="control characters"),
        pytest.param(SmsText(text="👋🏽"), "👋", True, id="emoji"),
        pytest.param(BUTTON, "20%", True, id="the text above a button"),
        pytest.param(BUTTON, "КУПИТИ", True, id="its caption"),
        pytest.param(BUTTON, "/sale", True, id="its link"),
        pytest.param(BUTTON, "button", False, id="not its kind"),
        pytest.param(WapPush(url="http://a.example", text="x"), "A.EX", True, id="a link in a WAP push"),
    ],
)
async def test_texts_are_found_in_any_letters(
    store: Store, account: Account, content: SmsContent | ViberContent, text: str, fits: bool
) -> None:
    on_viber = isinstance(content, ViberButton | ViberText)
    one = asked(account, viber=content) if on_viber else asked(account, content)  # type: ignore[arg-type]
    ids = await admit(store, one)
    assert await found(store, account_id=account.id, text=text) == (ids if fits else [])


async def test_a_number_that_is_forgotten_is_found_by_its_last_digits_and_by_who_knows_it(
    store: Store, store_url: str, account: Account
) -> None:
    (message_id,) = ids = await admit(store, asked(account))
    stands_for = pseudonym(TO, b"pepper")
    run_sql(store_url, f"UPDATE messages SET recipient = '{stands_for}', sms = NULL WHERE id = {message_id}")  # noqa: S608
    assert await found(store, ending="233") == ids
    assert await found(store, numbers=(TO, stands_for)) == ids
    assert await found(store, ending="12233") == []
    assert await found(store, text="text") == []


# ---- what is told


async def test_a_message_is_told_by_the_channel_that_has_delivered_it(
    store: Store, directory: Directory, account: Account
) -> None:
    texts = {"sms": SmsText(text="by SMS"), "viber": ViberText(text="by Viber")}
    (message_id,) = await admit(store, asked(account, **texts))  # type: ignore[arg-type]
    (one,) = (await Search(store.engine).page(Filter(channel="viber"))).messages
    assert (one.channel, one.status, one.price, one.reserved) == ("viber", Status.PENDING, 0, 800)
    (viber,) = await claim(store, "viber")
    await store.record([answered(viber, Never("6", Fault.NO_ACCOUNT))], NOW + 1)
    (sms,) = await claim(store, now=NOW + 2)
    await store.record([answered(sms, Taken("a1"))], NOW + 3)
    (one,) = (await Search(store.engine).page(Filter(channel="sms"))).messages
    assert one == (
        message_id, account.id, NOW, NOW, TO, Status.SENT, NOW + 3, "sms", "smsc", "Shop", 1,
        texts["sms"], texts["viber"], 500, 300,
    )  # fmt: skip
    await Ledger(directory.engine).refund(message_id, "", NOW + 4)
    (one,) = (await Search(store.engine).page(Filter())).messages
    assert (one.price, one.reserved) == (0, 300)


async def test_a_message_without_a_route_is_told(store: Store, account: Account) -> None:
    one = asked(account)
    await admit(store, replace(one, delivery=replace(one.delivery, rungs=(), status=Status.NO_ROUTE)))
    (told,) = (await Search(store.engine).page(Filter())).messages
    assert (told.status, told.channel, told.parts, told.sender) == (Status.NO_ROUTE, "", 0, "Shop")


# ---- page by page


async def test_pages_follow_each_other_and_the_last_one_says_so(store: Store, account: Account) -> None:
    ids = await admit(store, *[asked(account)] * 6)
    pages, before = [], NEWEST
    while before:
        page = await Search(store.engine).page(Filter(), before, 2)
        pages.append([one.id for one in page.messages])
        before = page.before
    assert pages == [[ids[5], ids[4]], [ids[3], ids[2]], [ids[1], ids[0]]]


async def test_a_page_tells_how_far_it_has_looked(
    store: Store, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_THROUGH", 5)
    ids = await admit(store, asked(account, to=OTHER), *(asked(account, at=NOW + i) for i in range(1, 10)))
    first = await Search(store.engine).page(Filter(numbers=(OTHER,)), n=1)
    assert first == Page([], ids[5], NOW + 5)
    second = await Search(store.engine).page(Filter(numbers=(OTHER,)), first.before, 1)
    assert [one.id for one in second.messages] == [ids[0]]


async def test_a_page_that_takes_long_ends_with_what_it_has(
    store: Store, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PATIENCE_S", 0)
    ids = await admit(store, asked(account, to=OTHER), *[asked(account)] * 9)
    assert await Search(store.engine).page(Filter(numbers=(OTHER,)), n=3) == Page([], ids[6], NOW)


async def test_everything_can_be_exported_up_to_a_bound(
    store: Store, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "EXPORTED", 2)
    ids = await admit(store, *[asked(account)] * 5)
    for most in (4, 9):
        told = [[one.id for one in some] async for some in Search(store.engine).export(Filter(), most)]
        assert [i for some in told for i in some] == ids[::-1][:most]
        assert all(len(some) <= 2 for some in told)


# ---- tens of thousands


class Watched:
    """An engine that counts the messages which are looked at."""

    def __init__(self, engine: Any) -> None:
        self.write, self.listen, self.close = engine.write, engine.listen, engine.close
        self._engine = engine
        self.looked = 0

    async def read(self, work: Callable[[Tx], T]) -> T:
        found: T = await self._engine.read(lambda tx: work(WatchedTx(tx, self)))  # type: ignore[arg-type]
        return found


class WatchedTx:
    def __init__(self, tx: Tx, watched: Watched) -> None:
        self._tx, self._watched = tx, watched

    def all(self, name: str, /, **params: Any) -> list[Any]:
        rows = self._tx.all(name, **params)
        self._watched.looked += len(params["ids"]) if name == "fitting" else len(rows)
        return rows


MANY = 20_000
THEIRS = 20  # messages to one of another account


@pytest.fixture
async def many(store: Store, directory: Directory) -> Account:
    """Twenty thousand messages of an account, one a minute, the last one now, and some of another one."""
    account = await open_account(directory, money=10**12)
    rival = await open_account(directory, money=10**12, login="rival")
    one = asked(account)
    for first in range(0, MANY, 2000):
        moments = [NOW - 60_000 * (MANY - 1 - i) for i in range(first, first + 2000)]
        orders = [replace(one, accepted_at=at) for at in moments]
        await store.admit([*orders, *(replace(one, account=rival) for one in orders[::THEIRS])])
    return account


async def test_a_search_stays_within_its_bounds(
    store: Store, store_url: str, many: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: nothing but what is looked at is read, and time leads to where it begins."""
    newest: int = run_sql(store_url, f"SELECT max(id) FROM messages WHERE account_id = {many.id}")[0][0]  # noqa: S608
    looked: dict[str, int] = {}
    old = NOW - 12 * DAY_MS
    for name, what in {
        "page": Filter(many.id),
        "one": Filter(many.id, message_id=newest - 2),
        "ends": Filter(many.id, ending="33"),
        "old": Filter(many.id, since=old - DAY_MS, until=old),
        "none": Filter(many.id, since=NOW - DAY_MS, text="nothing"),
        "everybody": Filter(until=old),
    }.items():
        watched = Watched(store.engine)
        page = await Search(watched).page(what)
        looked[name] = watched.looked
        assert bool(page.messages) is (name != "none"), name
    assert looked["page"] < 200
    assert looked["one"] < 10
    assert looked["ends"] < 300
    blocks = 2 * ID_BLOCK_MS // 60_000  # by so many messages an id may be wrong about its time
    assert looked["old"] < 2 * (50 + blocks)
    assert looked["none"] < 2 * (DAY_MS // 60_000 + blocks + search.BITE)
    assert looked["everybody"] < 4 * (50 + blocks)
    monkeypatch.setattr(search, "LOOKED_THROUGH", 5000)
    watched = Watched(store.engine)
    page = await Search(watched).page(Filter(many.id, text="nothing"))
    assert page.looked_back_to is not None
    assert 5000 <= watched.looked / 2 < 5100
    assert page.looked_back_to == NOW - 60_000 * 4999
    await plans_are_bounded(store, store_url)


async def plans_are_bounded(store: Store, url: str) -> None:
    """No query of a search is planned over a whole table."""
    ids = [1, 2, 3]
    asked: dict[str, dict[str, Any]] = {
        "message_from": {"id": 1},
        "message_of": {"id": 1, "account_id": 1, "before": 9},
        "messages_before": {"before": 9, "n": 9},
        "messages_of_before": {"account_id": 1, "before": 9, "n": 9},
        "fitting": {
            "ids": ids, "with_texts": 1, "with_state": 1, "since": 0, "until": EVER, "any_number": 0,
            "numbers": ["1"], "ending": "%1", "forgotten": "", "sender": "a", "any_status": 0,
            "statuses": [1],
        },
        "messages_among": {"ids": ids},
        "moved_among": {"ids": ids},
    }  # fmt: skip
    is_sqlite = isinstance(store.engine, SqliteEngine)
    if not is_sqlite:
        run_sql(url, "ANALYZE")
    statements = sql.queries(store.engine.dialect)  # type: ignore[attr-defined]
    for name, params in asked.items():
        plan = run_sql(url, explained(statements[name], params, is_sqlite))
        told = "\n".join(str(row[-1]) for row in plan)
        for table in ("messages", "deliveries", "ledger"):
            assert f"SCAN {table}" not in told, (name, told)
            assert f"Seq Scan on {table}" not in told, (name, told)


def explained(statement: sql.Statement, params: dict[str, Any], is_sqlite: bool) -> str:
    """The question for a statement's plan, with its parameters written out."""
    values = [literal(params[name], is_sqlite) for name in statement.parameters]
    if is_sqlite:
        named = dict(zip(statement.parameters, values, strict=True))
        return "EXPLAIN QUERY PLAN " + re.sub(r":([a-z_]+)", lambda found: named[found[1]], statement.named)
    return "EXPLAIN " + re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], statement.named)


def literal(value: Any, is_sqlite: bool) -> str:
    if isinstance(value, list):
        items = ", ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in value)
        return f"'[{items}]'" if is_sqlite else f"'{{{items}}}'"
    return f"'{value}'" if isinstance(value, str) else str(value)
