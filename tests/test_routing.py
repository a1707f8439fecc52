"""Plans: which steps a request becomes, over which connector, at which price."""

from typing import Any

import pytest
from msgspec.structs import replace

from hopwire.choice import Health
from hopwire.model import (
    Account,
    Other,
    Price,
    Route,
    SendRequest,
    SmsText,
    Step,
    Template,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
    Way,
    Writing,
)
from hopwire.prices import PriceLists
from hopwire.routing import (
    FORESEEN_MS,
    Carrier,
    Road,
    Tables,
    Times,
    parts,
    plan,
    price_of_part,
    roads,
    sms_parts,
)
from hopwire.store.directory import NOBODY
from hopwire.templates import Registered, Templates

ACCOUNT = replace(NOBODY, id=1, login="shop")
PROMOTIONAL = replace(ACCOUNT, transactional=False)
ON_DELIVERY = replace(ACCOUNT, charge_sms_on="delivered")


def prices(*rows: tuple[str, str, int]) -> PriceLists:
    return PriceLists(Price(*row) for row in rows)


TIMES = Times(sms_lifetime_s=3600, sms_grace_s=10, viber_grace_s=20)
ROUTES = [
    Route(channel=channel, prefix=prefix, ways=(Way(connector=connector),))
    for channel, prefix, connector in (
        ("sms", "", "world"),
        ("sms", "380", "smsc"),
        ("viber", "380", "viber"),
    )
]
CARRIERS = {
    "world": Carrier("world"),
    "smsc": Carrier("smsc", resend=True),
    "viber": Carrier("viber"),
}
TABLES = Tables(
    roads(ROUTES, CARRIERS),
    prices(("sms", "380", 800), ("sms", "38050", 700), ("sms", "48", 0), ("viber", "", 400)),
)
TO = "380671234567"


def request(to: str = TO, sms: str = "", viber: str = "") -> SendRequest:
    return SendRequest(
        recipient=to,
        sms=SmsText(text=sms) if sms else None,
        viber=ViberText(text=viber) if viber else None,
        viber_lifetime_s=60,
    )


def viber_step(**changes: Any) -> Step:
    step: dict[str, Any] = {"parts": 1, "part_price": 400, "charge_on": "delivered", "lifetime_s": 60}
    return Step(channel="viber", connector="viber", grace_s=20, **(step | changes))


def sms_step(**changes: Any) -> Step:
    step: dict[str, Any] = {"connector": "smsc", "parts": 1, "part_price": 800, "charge_on": "taken"}
    return Step(channel="sms", lifetime_s=3600, grace_s=10, **({"resend": True} | step | changes))


@pytest.mark.parametrize(
    ("digits", "price"),
    [
        pytest.param(TO, 800, id="by its prefix"),
        pytest.param("380501234567", 700, id="by a longer prefix than the route's"),
        pytest.param("48501234567", 0, id="free"),
        pytest.param("49301234567", None, id="a route without a price"),
        pytest.param("44501234567", None, id="neither"),
    ],
)
def test_a_price_needs_a_route(digits: str, price: int | None) -> None:
    assert price_of_part(TABLES, ACCOUNT, digits) == price


@pytest.mark.parametrize(
    ("asked", "account", "steps"),
    [
        pytest.param(request(sms="a"), ACCOUNT, (sms_step(),), id="SMS"),
        pytest.param(request(viber="a"), ACCOUNT, (viber_step(),), id="Viber"),
        pytest.param(request(sms="a", viber="b"), ACCOUNT, (viber_step(), sms_step()), id="Viber, then SMS"),
        pytest.param(request(sms="a" * 161), ACCOUNT, (sms_step(parts=2),), id="two parts"),
        pytest.param(
            request("48501234567", "a", "b"),
            ACCOUNT,
            (sms_step(connector="world", part_price=0, resend=False),),
            id="no route on Viber",
        ),
        pytest.param(request("48501234567", viber="b"), ACCOUNT, (), id="no route at all"),
        pytest.param(request("49301234567", sms="a"), ACCOUNT, (), id="no price"),
        pytest.param(
            request(sms="a", viber="b"),
            PROMOTIONAL,
            (viber_step(redirect_blocked=False), sms_step()),
            id="a promotional account",
        ),
        pytest.param(
            request(sms="a"), ON_DELIVERY, (sms_step(charge_on="delivered"),), id="SMS charged on delivery"
        ),
    ],
)
def test_a_plan_is_viber_first_then_sms(
    asked: SendRequest, account: Account, steps: tuple[Step, ...]
) -> None:
    assert plan(asked, account, TABLES, TIMES) == steps


def test_a_plan_costs_all_its_parts() -> None:
    steps = plan(request(sms="я" * 141, viber="b"), ACCOUNT, TABLES, TIMES)
    assert [step.price for step in steps] == [400, 3 * 800]


def test_parts_are_those_of_the_route() -> None:
    assert parts(TABLES, TO, SmsText(text="a" * 161)) == 2
    assert parts(TABLES, TO, WapPush(url="https://a.example/", text="я" * 100)) > 1
    wide = tables(Writing(alphabet="ucs2"))
    assert [parts(wide, to, SmsText(text="a" * 100)) for to in (TO, "48501234567")] == [2, 1]
    assert parts(wide, "1", SmsText(text="a" * 100)) == 1


def tables(writing: Writing, reports: str = "all") -> Tables:
    """Routes like TABLES, whose carrier to 380 writes so."""
    carriers = {"world": Carrier("world"), "smsc": Carrier("smsc", False, writing, reports)}
    return Tables(roads(ROUTES, carriers), TABLES.prices)


@pytest.mark.parametrize(
    ("writing", "parts", "part_price"),
    [
        pytest.param(Writing(long="udh16"), 2, 800, id="in parts"),
        pytest.param(Writing(long="payload"), 1, 1600, id="handed over whole, and paid by its parts"),
        pytest.param(Writing(alphabet="ucs2"), 3, 800, id="in more parts"),
    ],
)
def test_a_step_is_written_as_its_connector_wants(writing: Writing, parts: int, part_price: int) -> None:
    (step,) = plan(request(sms="a" * 161), ACCOUNT, tables(writing), TIMES)
    assert (step.parts, step.part_price, step.writing) == (parts, part_price, writing)


def test_what_gets_no_receipt_is_paid_when_taken() -> None:
    (step,) = plan(request(sms="a"), ON_DELIVERY, tables(Writing(), "none"), TIMES)
    assert (step.reports, step.charge_on, step.writing) == ("none", "taken", None)


# ---- several connectors

SEVERAL = Route(
    channel="sms", prefix="", ways=tuple(Way(connector=name, priority=i) for i, name in enumerate("abc", 1))
)


def by_several(**carriers: Carrier) -> Tables:
    """A route over a, b and c, which write as they are told."""
    plain = {name: Carrier(name) for name in "abc"}
    costs = [Price("sms", "", 100, list="connector:a"), Price("sms", "", 50, list="connector:b")]
    return Tables(roads([SEVERAL], plain | carriers), PriceLists([Price("sms", "", 800), *costs]))


def test_a_step_has_the_others_behind_it() -> None:
    tables = by_several(b=Carrier("b", resend=True, reports="last"))
    (step,) = plan(request(sms="a" * 161), ACCOUNT, tables, TIMES)
    others = (Other(connector="b", resend=True, reports="last", part_cost=50), Other(connector="c"))
    assert step == sms_step(connector="a", parts=2, resend=False, part_cost=100, others=others)


def test_they_stand_as_they_are_well() -> None:
    tables = by_several()._replace(health={"a": Health("down"), "b": Health("throttled")})
    (step,) = plan(request(sms="a"), ACCOUNT, tables, TIMES)
    assert (step.connector, [one.connector for one in step.others]) == ("c", ["b", "a"])
    assert parts(tables, TO, SmsText(text="a")) == 1
    asked = replace(request(sms="a"), send_at=FORESEEN_MS)
    assert [plan(asked, ACCOUNT, tables, TIMES, now)[0].connector for now in (0, -1)] == ["c", "a"]


@pytest.mark.parametrize(
    ("second", "account", "kept"),
    [
        pytest.param(Carrier("b", writing=Writing(long="udh16")), ACCOUNT, True, id="tied otherwise"),
        pytest.param(Carrier("b", writing=Writing(alphabet="ucs2")), ACCOUNT, False, id="in more parts"),
        pytest.param(Carrier("b", writing=Writing(long="payload")), ACCOUNT, False, id="handed over whole"),
        pytest.param(Carrier("b", reports="none"), ACCOUNT, True, id="without receipts, charged when taken"),
        pytest.param(Carrier("b", reports="none"), ON_DELIVERY, False, id="or on delivery"),
    ],
)
def test_one_where_the_price_would_be_another_is_none_of_them(
    second: Carrier, account: Account, kept: bool
) -> None:
    (step,) = plan(request(sms="a" * 161), account, by_several(b=second), TIMES)
    assert ["b" in one.connector for one in step.others] == ([True, False] if kept else [False])


def test_parts_are_those_of_the_plan() -> None:
    tables = by_several(a=Carrier("a", writing=Writing(alphabet="ucs2")))
    asked = request(sms="a" * 100)
    steps = plan(asked, ACCOUNT, tables, TIMES)
    assert (steps[0].connector, sms_parts(asked, steps, tables)) == ("a", 2)
    assert sms_parts(asked, (), tables) == 2
    assert sms_parts(request(viber="a"), (), tables) == 1


def test_a_name_goes_where_it_may_be_used() -> None:
    names = lambda channel: frozenset("bc")  # noqa: E731
    (step,) = plan(request(sms="a"), ACCOUNT, by_several(), TIMES, 0, names)
    assert (step.connector, [one.connector for one in step.others]) == ("b", ["c"])
    assert plan(request(sms="a"), ACCOUNT, by_several(), TIMES, 0, lambda channel: frozenset()) == ()


def test_a_connector_that_is_not_there_is_passed_over() -> None:
    found = roads([SEVERAL, replace(SEVERAL, prefix="380")], {"b": Carrier("b"), "viber": Carrier("viber")})
    assert [way.connector for _, road in found["sms"].items() for way in road.route.ways] == ["b", "b"]
    assert roads([SEVERAL], {"a": Carrier("a", carries=frozenset({"viber"}))}) == {}


def test_of_two_routes_for_the_same_the_last_one_counts() -> None:
    other = replace(SEVERAL, ways=(Way(connector="c"),))
    found = roads([SEVERAL, other], {name: Carrier(name) for name in "abc"})
    assert found["sms"].longest(TO) == Road(other, {"c": Carrier("c")}, (Carrier("c"),))


# ---- templates


def registered(kind: str = "transaction", **more: Any) -> Registered:
    fields = {"id": kind, "sender": "Shop", "language": "uk", "text": f"Your {kind} is {{{{what}}}}"}
    return Registered(kind=kind, **(fields | more))


def with_templates(*transactional: Price) -> Tables:
    book = Templates([registered(), registered("promotion")])
    return TABLES._replace(prices=PriceLists([Price("viber", "380", 400), *transactional]), templates=book)


def transactional(prefix: str, price: int) -> Price:
    return Price("viber", prefix, price, "transactional")


def by_viber(content: ViberContent, tables: Tables, to: str = TO, sender: str = "Shop") -> Step | None:
    """The one step of a message by Viber alone."""
    asked = SendRequest(recipient=to, viber=content, viber_sender=sender, viber_lifetime_s=60)
    return next(iter(plan(asked, ACCOUNT, tables, TIMES)), None)


TRANSACTION, PROMOTION = ViberText(text="Your transaction is 17"), ViberText(text="Your promotion is 17")
CHEAP, CHEAPER = transactional("38", 100), transactional("38067", 50)


@pytest.mark.parametrize(
    ("content", "prices", "template", "price"),
    [
        pytest.param(TRANSACTION, [], "transaction", 400, id="a transaction, and only one price"),
        pytest.param(TRANSACTION, [CHEAP], "transaction", 100, id="a transaction at its price"),
        pytest.param(TRANSACTION, [CHEAP, CHEAPER], "transaction", 50, id="by the longest prefix"),
        pytest.param(TRANSACTION, [transactional("48", 1)], "transaction", 400, id="none for the number"),
        pytest.param(TRANSACTION, [transactional("", 0)], "transaction", 0, id="for nothing"),
        pytest.param(PROMOTION, [CHEAP], "promotion", 400, id="a promotion"),
        pytest.param(ViberText(text="Your turn"), [CHEAP], None, 400, id="another text"),
        pytest.param(ViberImage(image="Your transaction is 17"), [CHEAP], None, 400, id="an image"),
        pytest.param(
            ViberButton(text="Your transaction is 17", caption="a", url="b"),
            [CHEAP],
            None,
            400,
            id="a button",
        ),
    ],
)
def test_an_instance_of_a_template_goes_as_it_and_at_its_price(
    content: ViberContent, prices: list[Price], template: str | None, price: int
) -> None:
    step = by_viber(content, with_templates(*prices))
    kept = (
        Template(id=template, language="uk", kind=template, parameters={"what": "17"}) if template else None
    )
    assert step == viber_step(template=kept, part_price=price)


def test_a_template_counts_for_its_sender_alone() -> None:
    step = by_viber(TRANSACTION, with_templates(CHEAP), sender="Bank")
    assert step == viber_step()


def test_a_number_with_a_price_of_transactions_alone_gets_transactions_alone() -> None:
    tables = with_templates()._replace(prices=PriceLists([CHEAP]))
    assert by_viber(TRANSACTION, tables) is not None
    assert by_viber(PROMOTION, tables) is None
    assert by_viber(TRANSACTION, tables, "48501234567") is None
