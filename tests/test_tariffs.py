"""Prices as people write them: what a file says, what is wrong in it, and what an account pays."""

import pytest
from msgspec.structs import replace

from hopwire.model import Price
from hopwire.prices import Change, Charge
from hopwire.store.directory import NOBODY
from hopwire.tables import Mistake, moment, read_moment
from hopwire.tariffs import Cost, digest, explain, named, read

HEAD = "list,channel,type,prefix,valid_from,price\n"
IDS = {"shop": 7}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("nonsense", "the first line must name the columns list,", id="no table"),
        pytest.param("", "the first line must name the columns", id="nothing"),
        pytest.param(HEAD + ",sms", "there are fewer columns", id="a short row"),
        pytest.param(HEAD + '"', "this is no CSV", id="a quotation mark"),
        pytest.param(HEAD + ",sms,,380,soon,1", "'soon' is no date", id="no date"),
        pytest.param(HEAD + ",sms,,380,0001-01-01T00:00:00+23:59,1", "", id="an early date"),
        pytest.param(HEAD + "plan:" + "x" * 65 + ",sms,,380,,1", "list: a name is at most", id="long"),
        pytest.param(HEAD + ",sms,,380,,1e999999", "an amount is", id="a price without end"),
    ],
)
def test_what_is_wrong_in_a_file(text: str, told: str) -> None:
    _, wrong = read(text, IDS, "UTC")
    assert [str(one)[: len(told)] for one in wrong] == ([told] if told else [])


def test_all_mistakes_are_told_by_their_lines() -> None:
    rows = ["account:shop,sms,,380,,1", ",x,,,,1", "plan:a,viber,,,2026-01-01,0.5", ",sms,,380,,much"]
    found, wrong = read(HEAD + "\n".join(rows), IDS, "Europe/Kyiv")
    assert found == [
        Price("sms", "380", 1_000_000, list="account:7"),
        Price("viber", "", 500_000, "", "plan:a", 1_767_218_400_000),
    ]
    assert [one.line for one in wrong] == [3, 5]


def test_lists_are_called_by_logins() -> None:
    assert [named(one, {7: "shop"}) for one in ("", "plan:a", "account:7", "account:8")] == [
        "", "plan:a", "account:shop", "account:8",
    ]  # fmt: skip


def test_a_moment_is_written_as_it_is_read() -> None:
    assert moment(read_moment("2026-12-01T09:00:00+02:00", "UTC")) == "2026-12-01T07:00:00Z"
    with pytest.raises(Mistake, match="'x' is no date"):
        read_moment("x", "UTC")


def test_changes_that_differ_have_other_digests() -> None:
    row = Price("sms", "380", 0)
    some = [Change(row, None, 5)]
    assert digest(some) == digest(list(some))
    assert digest(some) not in (digest([]), digest([Change(row, 4, 5)]), digest([Change(row, None, 6)]))


def test_what_is_left_of_a_price() -> None:
    """A reseller's part is not ours."""
    seller, plan = "account:1", "plan:wholesale"
    child = replace(NOBODY, id=2, parent_id=1, parent_plan="wholesale")
    rows = [
        Price("sms", "", 300, list=plan),
        Price("sms", "", 500, list="account:2"),
        Price("sms", "", 9, list=seller.replace("1", "3")),
        Price("sms", "380", 100, list="connector:a"),
    ]
    carriers = {"a": frozenset({"sms"}), "b": frozenset({"sms", "viber"})}
    found = explain(rows, child, "380441234567", carriers, 0)
    first, last = found[0], found[-1]
    assert first.charge == Charge(500, 200)
    assert first.costs == [Cost("a", 100, 200), Cost("b", None, None)]
    assert (last.channel, last.charge, last.costs) == ("viber", None, [Cost("b", None, None)])
