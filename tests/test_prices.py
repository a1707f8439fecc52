"""Price lists: which row of which list counts, when, and what an import changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hopwire.model import Account, Price
from hopwire.prices import NEVER, Change, Charge, PriceLists, candidates, changes
from hopwire.store.directory import NOBODY

TO = "380671234567"
SHOP = replace(NOBODY, id=7)
GOLD = replace(SHOP, plan="gold")
SUB = replace(NOBODY, id=8, parent_id=7, parent_plan="gold")
OURS = Price("sms", "380", 1000)
PLAN = Price("sms", "380", 800, list="plan:gold")
OWN = Price("sms", "", 700, list="account:7")
LATER = Price("sms", "380", 1500, valid_from=100)


@pytest.mark.parametrize(
    ("rows", "account", "now", "charge"),
    [
        pytest.param([OURS], SHOP, 0, Charge(1000), id="everyone's"),
        pytest.param([OURS, PLAN], SHOP, 0, Charge(1000), id="another plan's"),
        pytest.param([OURS, PLAN], GOLD, 0, Charge(800), id="the plan's"),
        pytest.param([OURS, PLAN, OWN], GOLD, 0, Charge(700), id="its own, of a shorter prefix"),
        pytest.param([OURS, Price("sms", "38050", 1, list="account:7")], SHOP, 0, Charge(1000), id="no own"),
        pytest.param([OURS, OURS._replace(prefix="38067", price=5)], SHOP, 0, Charge(5), id="longest prefix"),
        pytest.param([OURS, Price("sms", "", 5, "transactional")], SHOP, 0, Charge(5), id="of its type"),
        pytest.param([OURS, Price("sms", "", 5, "promotional")], SHOP, 0, Charge(1000), id="another type"),
        pytest.param([OURS, LATER], SHOP, 99, Charge(1000), id="not valid yet"),
        pytest.param([LATER, OURS], SHOP, 100, Charge(1500), id="valid since now"),
        pytest.param([LATER, OURS], SHOP, 1000, Charge(1500), id="the youngest that is valid"),
        pytest.param([Price("viber", "", 5)], SHOP, 0, None, id="another channel"),
        pytest.param([Price("sms", "48", 5)], SHOP, 0, None, id="another country"),
        pytest.param([Price("sms", "", 0)], SHOP, 0, Charge(0), id="free"),
        pytest.param([OURS, PLAN], SUB, 0, Charge(1000, 200), id="a reseller's sub-account"),
        pytest.param(
            [PLAN, Price("sms", "", 900, list="account:8")], SUB, 0, Charge(900, 100), id="its price"
        ),
        pytest.param([PLAN, Price("sms", "", 500, list="account:8")], SUB, 0, Charge(800), id="no loss"),
        pytest.param([Price("sms", "", 500, list="account:8")], SUB, 0, None, id="not sold to the reseller"),
    ],
)
def test_which_price_counts(rows: list[Price], account: Account, now: int, charge: Charge | None) -> None:
    assert PriceLists(rows, now).charge(account, "sms", "transactional", TO) == charge


def test_what_a_connector_costs_is_in_a_list_of_its_own() -> None:
    lists = PriceLists([OURS, Price("sms", "380", 300, list="connector:smsc")])
    assert lists.cost("smsc", "sms", "transactional", TO) == 300
    assert lists.cost("other", "sms", "transactional", TO) is None


def test_lists_know_until_when_they_are_right() -> None:
    assert PriceLists([OURS, LATER, LATER._replace(valid_from=70)], 50).until == 70
    assert PriceLists([OURS, LATER], 100).until == NEVER


OTHER = OURS._replace(prefix="48")


@pytest.mark.parametrize(
    ("now", "then", "replaced", "expected"),
    [
        pytest.param([], [OURS], [], [Change(OURS._replace(price=0), None, 1000)], id="new"),
        pytest.param([OURS], [OURS], [], [], id="as it was"),
        pytest.param(
            [OURS],
            [OURS._replace(price=9)],
            [],
            [Change(OURS._replace(price=0), 1000, 9)],
            id="another price",
        ),
        pytest.param([OTHER], [OURS], [], [Change(OURS._replace(price=0), None, 1000)], id="others stay"),
        pytest.param(
            [OTHER, PLAN],
            [OURS],
            [""],
            [Change(OURS._replace(price=0), None, 1000), Change(OTHER._replace(price=0), 1000, None)],
            id="others of a list that is replaced go",
        ),
    ],
)
def test_an_import_says_what_it_changes(
    now: list[Price], then: list[Price], replaced: list[str], expected: list[Change]
) -> None:
    assert changes(now, then, replace=replaced) == expected


ROWS = st.builds(
    Price,
    channel=st.sampled_from(("sms", "viber")),
    prefix=st.sampled_from(("", "3", "380", "38067", "48")),
    price=st.integers(0, 5),
    type=st.sampled_from(("", "promotional", "transactional")),
    list=st.sampled_from(("", "plan:gold", "account:7", "account:8", "connector:smsc")),
    valid_from=st.integers(0, 3),
)


@given(
    st.lists(ROWS, max_size=12, unique_by=lambda one: one._replace(price=0)),
    st.sampled_from((SHOP, GOLD)),
    st.sampled_from(("promotional", "transactional")),
    st.integers(0, 3),
)
def test_what_is_explained_is_what_counts(rows: list[Price], account: Account, type: str, now: int) -> None:
    lists, told = PriceLists(rows, now), candidates(rows, account, "sms", type, TO, now)
    for _ in range(2):  # the second time as it is remembered
        charge = lists.charge(account, "sms", type, TO)
        assert charge == (Charge(told[0].price) if told else None)
