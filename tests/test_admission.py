"""Acceptance: whole or not at all, at the prices and for the names of the moment."""

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest
from conftest import NOW, open_account, run_sql
from msgspec.structs import replace
from system import PATIENCE_S
from test_worker import STATE

from hopwire import admission
from hopwire.admission import Admission
from hopwire.delivery import Delivery
from hopwire.errors import (
    ApiError,
    ClientIdReused,
    DestinationNotAllowed,
    ImageUnreachable,
    NotEnoughMoney,
    PremiumNotAllowed,
    PriceTooHigh,
    SenderNotRegistered,
    ViberSenderNotRegistered,
)
from hopwire.model import (
    Account,
    Limits,
    Price,
    Route,
    SendRequest,
    SmsText,
    Status,
    Template,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    Way,
)
from hopwire.routing import Carrier, Network, Times
from hopwire.store import Store
from hopwire.store.connectors import Connectors
from hopwire.store.directory import NOBODY, Directory
from hopwire.store.ledger import Ledger
from hopwire.store.prices import PriceBook
from hopwire.store.routes import Routes
from hopwire.store.senders import SenderName, Senders
from hopwire.store.templates import TemplateBook
from hopwire.templates import Registered

NETWORK = Network(
    [
        Route(channel="sms", prefix="380", ways=(Way(connector="smsc"),)),
        Route(channel="viber", prefix="380", ways=(Way(connector="viber"),)),
    ],
    {name: Carrier(name) for name in ("smsc", "viber")},
)
TO = "380671234567"


@pytest.fixture
async def door(store: Store, directory: Directory) -> Admission:
    await PriceBook(directory.engine).put([Price("sms", "", 500), Price("viber", "", 300)])
    made = Admission(store, directory, NETWORK, Times(3600, 15, 15))
    await made.refresh()
    return made


def request(sender: str = "Shop", viber_sender: str = "", **changes: Any) -> SendRequest:
    viber = ViberText(text="hello") if viber_sender else None
    fields: dict[str, Any] = {
        "recipient": TO,
        "country": "UA",
        "sms": SmsText(text="hello"),
        "sms_sender": sender,
    }
    return SendRequest(**(fields | {"viber": viber, "viber_sender": viber_sender} | changes))


def price(door: Admission, digits: str) -> int:
    return door.price(NOBODY, digits, "UA", NOW)


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store.engine)


async def refused(door: Admission, account: Account, asked: SendRequest) -> type[ApiError]:
    with pytest.raises(ApiError) as error:
        await door.admit(account, asked, NOW)
    return error.type


async def test_what_it_may_cost_at_most_is_reserved(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 2000)
    message_id, parts = await door.admit(
        account, request(viber_sender="Shop", sms=SmsText(text="a" * 161)), NOW
    )
    assert (message_id > 0, parts) == (True, 2)
    assert await door.spendable(account) == 2000 - 300 - 2 * 500
    assert await refused(door, account, request(viber_sender="Shop")) is NotEnoughMoney
    assert await door.spendable(account) == 700


async def test_money_for_some_accepts_exactly_those(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 7 * 500)
    asked = [door.admit(account, request(), NOW) for _ in range(70)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    ids = {answer[0] for answer in answers if isinstance(answer, tuple)}
    assert len(ids) == 7
    assert sum(isinstance(answer, NotEnoughMoney) for answer in answers) == 63
    assert await door.spendable(account) == 0
    assert not any((await directory.fsck()).values())


async def test_an_account_uses_only_its_own_names(door: Admission, directory: Directory) -> None:
    await directory.create_account(
        "own", "", NOW, any_sender=False, sender_names=["Own"], credit_limit=10_000
    )
    await directory.create_account("other", "", NOW, any_sender=False, sender_names=["Shop"])
    await door.refresh()
    account = next(one for one in await directory.accounts() if one.login == "own")
    assert await refused(door, account, request("Shop")) is SenderNotRegistered
    assert await refused(door, account, request("own")) is SenderNotRegistered
    assert await refused(door, account, request("Own", "Shop")) is ViberSenderNotRegistered
    await door.admit(account, request("Own", "Own"), NOW)
    await door.admit(account, request("", "Own", sms=None), NOW)


async def test_a_new_price_counts_when_it_has_been_read(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 10_000)
    assert price(door, TO) == 500
    await PriceBook(directory.engine).put([Price("sms", "38067", 900)])
    assert price(door, TO) == 500
    await door.refresh()
    assert (price(door, TO), price(door, "380501234567"), price(door, "48501234567")) == (900, 500, 0)
    await door.admit(account, request(), NOW)
    assert await door.spendable(account) == 10_000 - 900


async def over(store: Store) -> list[str]:
    """Over which connectors what is due goes."""
    rows = await store.engine.read(lambda tx: tx.all("latest_deliveries", after=0, n=100))
    return [msgspec.json.decode(row[3], type=Delivery).connector for row in reversed(rows)]


async def test_a_route_of_the_database_counts_when_it_has_been_read(
    store: Store, directory: Directory
) -> None:
    """It stands before one of the settings, and what workers tell of its connectors decides."""
    network = NETWORK._replace(carriers={**NETWORK.carriers, "more": Carrier("more")})
    await PriceBook(directory.engine).put([Price("sms", "", 500)])
    door = Admission(store, directory, network, Times(3600, 15, 15))
    account = await open_account(directory, 10_000)

    async def send() -> None:
        await door.refresh()
        await door.admit(account, request(), NOW)

    await send()
    ways = (Way(connector="more"), Way(connector="gone"), Way(connector="smsc", priority=2))
    routes = Routes(store.engine)
    await routes.put([Route(channel="sms", prefix="380", ways=ways)])
    await send()
    told = {"more": replace(STATE, state="down"), "smsc": STATE}
    await Connectors(store.engine).report("worker", told, admission.now_ms())
    await send()
    await Connectors(store.engine).report("worker", {"more": STATE, "smsc": STATE}, admission.now_ms())
    await send()
    await routes.remove("sms", "380")
    await send()
    assert await over(store) == ["smsc", "more", "smsc", "more", "smsc"]


async def test_a_name_that_is_approved_elsewhere_alone_is_not_registered(
    door: Admission, directory: Directory
) -> None:
    await directory.create_account("own", "", NOW, any_sender=False, credit_limit=10_000)
    await Senders(directory.engine).put([SenderName(1, "Own", "sms", "more")])
    await door.refresh()
    (account,) = await directory.accounts()
    assert await refused(door, account, request("Own")) is SenderNotRegistered
    await Senders(directory.engine).put([SenderName(1, "Own", "sms", "smsc")])
    await door.refresh()
    await door.admit(account, request("Own"), NOW)


async def test_the_generation_rises_with_the_directory_alone(door: Admission, directory: Directory) -> None:
    before = door.generation
    await door.refresh()
    assert door.generation == before
    await directory.create_account("more", "", NOW)
    await door.refresh()
    assert door.generation == before + 1


async def test_the_directory_is_watched(
    door: Admission, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "WATCH_S", 0.001)
    watch = asyncio.create_task(door.watch())
    await PriceBook(directory.engine).put([Price("sms", "380", 1)])
    async with asyncio.timeout(PATIENCE_S):
        while price(door, TO) != 1:  # noqa: ASYNC110 - what the watch sees has no event
            await asyncio.sleep(0.001)
    watch.cancel()


class FailingOnce(Directory):
    """A directory that cannot be read the first time it is asked, for a reason nobody thought of."""

    failed = False

    async def version(self) -> int:
        if not self.failed:
            self.failed = True
            raise RuntimeError
        return await super().version()


async def test_the_watch_survives_a_bug(
    store: Store, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "WATCH_S", 0.001)
    await PriceBook(directory.engine).put([Price("sms", "", 500)])
    door = Admission(store, FailingOnce(directory.engine), NETWORK, Times(3600, 15, 15))
    watch = asyncio.create_task(door.watch())
    async with asyncio.timeout(PATIENCE_S):
        while price(door, TO) != 500:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    watch.cancel()


async def test_a_message_of_another_account_is_nobody_s(door: Admission, directory: Directory) -> None:
    own = await open_account(directory, 1000)
    other = await open_account(directory, 1000, login="other")
    message_id, _ = await door.admit(own, request(send_at=NOW + 60_000), NOW)
    assert await door.standing(other, message_id) is None
    assert await door.delete(other, message_id, NOW) is None
    standing = await door.standing(own, message_id)
    assert standing is not None
    assert standing.status is Status.PENDING


async def test_who_asks_in_company_is_told_of_the_own_messages_alone(
    door: Admission, directory: Directory
) -> None:
    own = await open_account(directory, 1000)
    other = await open_account(directory, 1000, login="other")
    mine, _ = await door.admit(own, request(send_at=NOW + 60_000), NOW)
    theirs, _ = await door.admit(other, request(send_at=NOW + 60_000), NOW)
    asked = [(own, mine), (other, mine), (own, theirs), (other, theirs), (own, mine), (own, 2**52)]
    told = await asyncio.gather(*(door.standing(account, i) for account, i in asked))
    assert [one and one.status for one in told] == [
        Status.PENDING, None, None, Status.PENDING, Status.PENDING, None
    ]  # fmt: skip


async def test_deleting_gives_the_money_back_once(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 1000)
    message_id, _ = await door.admit(account, request(send_at=NOW + 60_000), NOW)
    for _ in range(2):
        standing = await door.delete(account, message_id, NOW)
        assert standing is not None
        assert standing.status is Status.DELETED
        assert await door.spendable(account) == 1000


# ---- templates

CODE = Registered(id="2c01", sender="Shop", language="uk", kind="transaction", text="Code {{pin}}")
CODE_7 = Template(id="2c01", language="uk", kind="transaction", parameters={"pin": "7"})


async def test_a_message_goes_with_the_template_that_it_was_accepted_with(
    door: Admission, directory: Directory, store: Store
) -> None:
    book, account = TemplateBook(store.engine), await open_account(directory, 10_000)
    await PriceBook(directory.engine).put([Price("viber", "380", 100, "transactional")])

    async def spent() -> int:
        """What one more message costs, accepted when the changes are known."""
        await door.refresh()
        before = await door.spendable(account)
        await door.admit(account, request(sms=None, viber_sender="Shop", viber=ViberText(text="Code 7")), NOW)
        return before - await door.spendable(account)

    assert await spent() == 300
    await book.put([CODE])
    assert await spent() == 100
    await book.pause("2c01")
    assert await spent() == 300
    await book.resume("2c01")
    assert await spent() == 100
    await book.remove("2c01")
    handovers = await store.claim("viber", "w1", 10, 1000, NOW)
    assert [one.template for one in handovers] == [None, CODE_7, None, CODE_7]
    assert not any((await directory.fsck()).values())


# ---- limits


@pytest.mark.parametrize(
    ("limits", "to", "country", "error"),
    [
        pytest.param(Limits(), "48501234567", "PL", DestinationNotAllowed, id="abroad"),
        pytest.param(Limits(destinations=("PL",)), TO, "UA", DestinationNotAllowed, id="home is not named"),
        pytest.param(Limits(), "380900212345", "UA", PremiumNotAllowed, id="premium rate"),
        pytest.param(
            Limits(destinations=("*",)), "881612345678", "001", PremiumNotAllowed, id="a satellite phone"
        ),
        pytest.param(Limits(max_price=799), TO, "UA", PriceTooHigh, id="both steps together cost too much"),
    ],
)
async def test_what_the_account_may_not_do_is_refused(
    door: Admission, account: Account, limits: Limits, to: str, country: str, error: type[ApiError]
) -> None:
    limited = replace(account, limits=limits)
    asked = request(viber_sender="Shop", recipient=to, country=country)
    assert await refused(door, limited, asked) is error


async def test_what_the_account_may_do_is_accepted(door: Admission, account: Account) -> None:
    free = replace(account, limits=Limits(destinations=("*",), premium=True, max_price=800))
    for to, country in (("881612345678", "001"), (TO, "UA")):
        await door.admit(free, request(viber_sender="Shop", recipient=to, country=country), NOW)


async def test_a_promotion_is_due_after_quiet_hours(
    door: Admission, store: Store, account: Account, store_url: str
) -> None:
    noisy = replace(account, limits=Limits(quiet="09:00-11:00"))  # NOW is 10:00 in Kyiv
    await door.admit(replace(noisy, transactional=False), request(), NOW)
    await door.admit(noisy, request(), NOW)
    assert run_sql(store_url, "SELECT due_at FROM deliveries ORDER BY id") == [(NOW + 3_600_000,), (NOW,)]
    assert len(await store.claim("smsc", "w1", 9, 1000, NOW)) == 1


async def test_a_repeat_is_answered_whatever_has_changed(
    door: Admission, account: Account, store: Store
) -> None:
    asked = request(sms=SmsText(text="a" * 161))
    first = await door.admit(account, asked, NOW, client_key="a")
    changed = replace(account, any_sender=False, limits=Limits(destinations=("PL",), max_price=1))
    assert await refused(door, changed, asked) is SenderNotRegistered
    assert await door.admit(changed, asked, NOW, client_key="a") == first == (first.id, 2)
    with pytest.raises(ClientIdReused):
        await door.admit(account, request(), NOW, client_key="a")


# ---- pictures

LINK = "https://a.example/cake.png"


@pytest.mark.parametrize(
    ("content", "looked_at"),
    [
        pytest.param(ViberImage(image=LINK), [LINK], id="an image"),
        pytest.param(ViberButton(text="a", caption="b", url="c", image=LINK), [LINK], id="of a button"),
        pytest.param(ViberButton(text="a", caption="b", url="c"), [], id="a button without"),
        pytest.param(ViberText(text="a"), [], id="a text"),
    ],
)
async def test_a_picture_is_looked_at_before_anything_is_kept(
    store: Store, directory: Directory, content: ViberContent, looked_at: list[str]
) -> None:
    await PriceBook(directory.engine).put([Price("viber", "", 300)])
    asked: list[str] = []

    async def check(link: str) -> None:
        asked.append(link)
        raise ImageUnreachable

    door = Admission(store, directory, NETWORK, Times(3600, 15, 15), check)
    await door.refresh()
    account = await open_account(directory, 300)
    sent = request(sms=None, viber_sender="Shop", viber=content)
    if looked_at:
        assert await refused(door, account, sent) is ImageUnreachable
    else:
        await door.admit(account, sent, NOW)
    assert asked == looked_at
    assert await door.spendable(account) == (300 if looked_at else 0)


# ---- prices

LISTS = [
    Price("sms", "380", 800),
    Price("sms", "380", 700, list="plan:gold"),
    Price("sms", "38067", 650, "transactional", "plan:gold"),
    Price("sms", "380", 900, list="plan:gold", valid_from=NOW + 1000),
    Price("sms", "", 1000, list="account:3"),
]


@pytest.mark.parametrize("now", [NOW, NOW + 999, NOW + 1000])
async def test_price_answers_what_send_takes(
    store: Store, directory: Directory, ledger: Ledger, now: int
) -> None:
    gold = await directory.create_account("gold", "", NOW, plan="gold")
    await directory.create_account("plain", "", NOW, transactional=False)
    await directory.create_account("sub", "", NOW, parent_id=gold)
    await PriceBook(store.engine).put(LISTS)
    door = Admission(store, directory, NETWORK, Times(3600, 15, 15))
    await door.refresh()
    taken = {}
    for account in await directory.accounts():
        await ledger.top_up(account.id, 10_000, "", NOW)
        told = door.price(account, TO, "UA", now)
        await door.admit(account, request(), now)
        taken[account.login] = told
        assert await door.spendable(account) == 10_000 - told
    assert taken == {"gold": 650, "plain": 800, "sub": 1000}
    assert door.price((await directory.accounts())[0], "380501234567", "UA", now) == (
        900 if now >= NOW + 1000 else 700
    )


# ---- what a request would become


async def test_a_quote_tells_steps_parts_and_price_and_keeps_nothing(
    door: Admission, directory: Directory, store_url: str
) -> None:
    account = await open_account(directory, 2000)
    asked = request(viber_sender="Shop", sms=SmsText(text="a" * 161))
    quote = await door.quote(account, asked, NOW)
    assert ([step.channel for step in quote.steps], quote.parts, quote.price) == (["viber", "sms"], 2, 1300)
    assert await door.spendable(account) == 2000
    assert run_sql(store_url, "SELECT count(*) FROM messages") == [(0,)]


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        pytest.param({"limits": Limits(max_price=499)}, {}, id="price"),
        pytest.param({}, {"recipient": "48501234567", "country": "PL"}, id="destination"),
        pytest.param({"any_sender": False}, {}, id="sender name"),
        pytest.param({"limits": Limits(counts={"account/day": 1})}, {}, id="limit"),
        pytest.param({"limits": Limits(duplicates="refuse")}, {}, id="duplicate"),
        pytest.param({}, {"sms": SmsText(text="a" * 307)}, id="money"),
    ],
)
async def test_a_quote_is_refused_as_the_request_would_be(
    door: Admission, directory: Directory, changes: dict[str, Any], asked: dict[str, Any]
) -> None:
    account = replace(await open_account(directory, 1500), **changes)
    with contextlib.suppress(ApiError):
        await door.admit(account, request(), NOW)
    with pytest.raises(ApiError) as told:
        await door.quote(account, request(**asked), NOW)
    assert await refused(door, account, request(**asked)) is told.type


async def test_of_many_requests_each_is_told_for_itself(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 700)
    asked = [request(), request(recipient="48501234567", country="PL"), request()]
    one, other, third = await door.quotes(account, asked, NOW)
    assert isinstance(other, DestinationNotAllowed)
    assert not isinstance(one, ApiError) and not isinstance(third, ApiError)
    assert (one.refusal, type(third.refusal), third.price) == (None, NotEnoughMoney, 500)
