"""The commands for limits, for messages that are held and for notices, on both engines."""

from pathlib import Path

import pytest
from conftest import SMS, order
from msgspec.structs import replace
from test_cli_inbox import Operator, with_accounts

from hopwire.cli.console import Ending
from hopwire.model import Limits, Status
from hopwire.store import Accepted, Store
from hopwire.store.audit import Audit
from hopwire.store.directory import Directory


@pytest.fixture
def operator(store_url: str, tmp_path: Path) -> Operator:
    return with_accounts(store_url, tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Operator:
    return with_accounts(f"sqlite:{tmp_path / 'hopwire.db'}", tmp_path)


def kept_limits(operator: Operator) -> Limits:
    """Of the shop."""
    accounts = operator.store(lambda store: Directory(store.engine).accounts())
    return accounts[0].limits


def test_limits_are_shown_set_and_taken_away(operator: Operator) -> None:
    (before,) = operator.does("account", "limit", "shop")
    assert (before["login"], before["destinations"], before["account/second"]) == ("shop", "home", "")
    changes = ["destinations=UA,PL", "account/second=10", "spend/day=100.5"]
    (after,) = operator.does("account", "limit", "shop", *changes)
    assert after == {**before, "destinations": "UA,PL", "account/second": "10", "spend/day": "100.5"}
    assert operator.does("account", "limit", "shop") == [after]
    wanted = Limits(destinations=("UA", "PL"), counts={"account/second": 10}, spend={"day": 100_500_000})
    assert kept_limits(operator) == wanted
    cleared = [one.partition("=")[0] + "=" for one in changes]
    assert operator.does("account", "limit", "shop", *cleared) == [before]
    assert operator.does("account", "limit", "bank")[0]["account/second"] == ""
    entries = operator.store(lambda store: Audit(store.engine).entries(9, "account 1"))
    assert [one.action for one in entries[:2]] == ["change account"] * 2


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        pytest.param(("nobody",), Ending.NOT_FOUND, id="no such account"),
        pytest.param(("shop", "sequence"), Ending.USAGE, id="no value"),
        pytest.param(("shop", "account/day=5", "sequence=none"), Ending.USAGE, id="one that makes no sense"),
        pytest.param(("shop", "account/day=5", "week=5"), Ending.USAGE, id="no such limit"),
        pytest.param(("shop", "max-price=much"), Ending.USAGE, id="no money"),
    ],
)
def test_a_mistake_sets_nothing(small: Operator, arguments: tuple[str, ...], ending: Ending) -> None:
    assert small.fails("account", "limit", *arguments) is ending
    assert kept_limits(small) == Limits()


# ---- held


def hold(operator: Operator, login: str, n: int, block: str = "380501112") -> list[int]:
    """Messages of a sequence that are held, each for nothing; their ids."""

    async def work(store: Store) -> list[int]:
        accounts = await Directory(store.engine).accounts()
        account = next(one for one in accounts if one.login == login)
        limited = replace(account, limits=Limits(sequence=2))
        free = replace(SMS, part_price=0)
        answers = await store.admit([order(limited, free, to=f"{block}{i:03}") for i in range(n + 1)])
        return [answer.id for answer in answers if isinstance(answer, Accepted)][1:]

    return operator.store(work)


def status(operator: Operator, message_id: int) -> Status:
    """Of a message of any account."""
    story = operator.store(lambda store: store.story(message_id))
    assert story is not None
    return story.delivery.status


def held(operator: Operator, *options: str) -> list[int]:
    return [row["id"] for row in operator.does("hold", "list", *options)]


def test_held_messages_are_listed_released_and_refused(operator: Operator) -> None:
    first, second, third = hold(operator, "shop", 3)
    (row, *_) = operator.does("hold", "list")
    assert row == {
        "id": first, "login": "shop", "number": "…2001", "since": "2027-01-15T08:00:00Z",
        "reason": "sequence",
    }  # fmt: skip
    assert operator.does("hold", "list", "--numbers")[0]["number"] == "380501112001"
    assert operator.does("hold", "release", str(first)) == [{"released": 1}]
    assert operator.does("hold", "refuse", str(second), str(first)) == [{"refused": 1}]
    assert held(operator) == [third]
    assert status(operator, first) is Status.PENDING
    assert status(operator, second) is Status.DELETED
    assert operator.fails("hold", "release", str(second)) is Ending.NOT_FOUND


def test_an_account_or_a_block_is_decided_on_as_a_whole(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hopwire.cli.hold.PAGE", 2)
    shop, bank = hold(operator, "shop", 5), hold(operator, "bank", 2)
    other = hold(operator, "shop", 2, "380671112")
    assert held(operator, "--login", "shop", "--block", "380501112") == shop
    assert held(operator, "--login", "bank") == bank
    assert held(operator, "--limit", "1") == shop[:1]
    command = ("hold", "release", "--login", "shop", "--block", "380501112")
    assert operator.does(*command) == [{"released": 5}]
    assert operator.does("hold", "refuse", "--block", "380671112") == [{"refused": 2}]
    assert held(operator) == bank
    assert {status(operator, i) for i in other} == {Status.DELETED}
    assert operator.fails(*command) is Ending.NOT_FOUND


@pytest.mark.parametrize("arguments", [(), ("1", "--login", "shop")], ids=["none", "both"])
def test_what_is_decided_on_is_named_in_one_way(small: Operator, arguments: tuple[str, ...]) -> None:
    for decision in ("release", "refuse"):
        assert small.fails("hold", decision, *arguments) is Ending.USAGE


# ---- notices


def test_notices_are_listed(operator: Operator) -> None:
    hold(operator, "shop", 1)
    hold(operator, "bank", 1)
    newest, oldest = operator.does("notice", "list")
    assert oldest == {
        "time": "2027-01-15T08:00:00Z", "login": "shop", "kind": "held", "period": "2027-01-15",
        "detail": "sequence",
    }  # fmt: skip
    assert newest["login"] == "bank"
    assert operator.does("notice", "list", "--login", "shop") == [oldest]
    assert operator.does("notice", "list", "--limit", "1") == [newest]
    assert operator.fails("notice", "list", "--login", "nobody") is Ending.NOT_FOUND
