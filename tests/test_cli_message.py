"""`hopwire message show` and `hopwire number`, on both engines."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, SMS, VIBER, order
from msgspec.structs import replace
from test_cli_inbox import Operator, with_accounts
from test_store import LEASE_MS, TO, admit, answered
from test_store_receipts import receipt

from hopwire.admission import now_ms
from hopwire.channels.codes import meaning
from hopwire.cli.console import Ending
from hopwire.model import Account, Fault, Later, Never, Taken
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.inbox import Inbox
from hopwire.store.ledger import Ledger

NOT_THERE = Never("9", Fault.NO_ACCOUNT)
PLAN = replace(VIBER, connector="viber"), replace(SMS, connector="operator")
RAW = f"id:a1 to {TO} stat:DELIVRD text:hello"


@pytest.fixture
def operator(store_url: str, tmp_path: Path) -> Operator:
    return with_accounts(store_url, tmp_path)


async def shop(store: Store) -> Account:
    """The account, with money."""
    directory = Directory(store.engine)
    account = next(one for one in await directory.accounts() if one.login == "shop")
    await Ledger(directory.engine).top_up(account.id, 1_000_000, "", NOW)
    return account


async def refused_on_viber(store: Store, at: int = NOW) -> int:
    """A message that Viber refused and that went on by SMS, from `at`; its id."""
    (message_id,) = await admit(store, order(await shop(store), *PLAN, send_at=at))
    (first,) = await store.claim("viber", "w1", 9, LEASE_MS, at)
    await store.record([answered(first, NOT_THERE)], at + 100)
    (second,) = await store.claim("operator", "w1", 9, LEASE_MS, at + 200)
    await store.record([answered(second, Taken("a1"))], at + 300)
    return message_id


async def delivered_by_sms(store: Store) -> int:
    message_id = await refused_on_viber(store)
    await store.keep_receipts([replace(receipt("a1", connector="operator"), raw=RAW)], NOW + 400)
    return message_id


def column(rows: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows]


# ---- a message


def test_a_message_is_told_from_acceptance_to_its_end(operator: Operator) -> None:
    message_id = operator.store(delivered_by_sms)
    (told,) = operator.does("message", "show", str(message_id))
    assert {name: told[name] for name in told if name not in ("timeline", "receipts")} == {
        "id": message_id, "account": "shop", "number": "…2233", "accepted": "2027-01-15T08:00:00.000Z",
        "status": "3 Delivered", "since": "2027-01-15T08:00:00.400Z", "viber": "text from Shop",
        "sms": "text from Shop", "next": "ended",
    }  # fmt: skip
    assert column(told["timeline"], "what") == [
        "accepted", "reserved 0.0003 UAH", "reserved 0.0005 UAH",
        "handed over to viber", "refused: no account", "refused: sms begins",
        "handed over to operator", "taken as a1", "charged 0.0005 UAH",
        "receipt: delivered", "released 0.0003 UAH",
    ]  # fmt: skip
    assert [row["meaning"] for row in told["timeline"] if row["code"] == "9"] == ["SRVC_NOT_VIBER_USER"]
    assert told["receipts"] == [
        {
            "at": "2027-01-15T08:00:00.400Z", "connector": "operator", "id": "a1", "outcome": "delivered",
            "code": "x", "raw": "id:a1 to …2233 stat:DELIVRD text: …",
        }
    ]  # fmt: skip


def test_a_person_reads_tables_and_what_comes_next(operator: Operator) -> None:
    message_id = operator.store(refused_on_viber)
    head, timeline, ahead = operator.says("message", "show", str(message_id)).split("\n\n")
    assert head.splitlines()[0] == f"id: {message_id}"
    assert re.split(r"\s\s+", timeline.splitlines()[0]) == [
        "at", "step", "part", "what", "status", "code", "meaning",
    ]  # fmt: skip
    assert ahead == "next: waits for a receipt until 2027-01-15T09:00:15.200Z\n"


def test_texts_and_numbers_are_shown_on_demand_alone(operator: Operator) -> None:
    message_id = str(operator.store(delivered_by_sms))
    for as_json in ((), ("--json",)):
        hidden = operator.says("message", "show", message_id, *as_json)
        assert "hello" not in hidden
        assert TO not in hidden
        shown = operator.says("message", "show", message_id, "--show-texts", "--show-numbers", *as_json)
        assert "hello" in shown
        assert RAW in shown
        assert TO in shown


def test_what_a_stranger_wrote_stays_on_its_line(operator: Operator) -> None:
    async def answered_strangely(store: Store) -> int:
        (message_id,) = await admit(store, order(await shop(store), *PLAN))
        (handover,) = await store.claim("viber", "w1", 9, LEASE_MS, NOW)
        await store.record([answered(handover, Later(1.0, "\n\x1b[2J"))], NOW)
        return message_id

    message_id = str(operator.store(answered_strangely))
    assert "\x1b" not in operator.says("message", "show", message_id)
    (told,) = operator.does("message", "show", message_id)
    assert told["timeline"][-1]["code"] == "\n\x1b[2J"


@pytest.mark.parametrize("message_id", ["1", "0", "-1", str(2**80)])
def test_a_message_that_never_was_is_not_found(operator: Operator, message_id: str) -> None:
    assert operator.fails("message", "show", "--", message_id) is Ending.NOT_FOUND


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("smpp", "ESME_RINVDSTADR", "number"),
        ("smpp", "ESME_RTHROTTLED", "throttled"),
        ("smpp", "0x00000400", ""),
        ("viber", "8", "SRVC_USER_BLOCKED"),
        ("viber", "999", ""),
        ("viber", "http 503", ""),
        ("turbosms", "103", "REQUIRED_TOKEN"),
        ("infobip", "EC_UNKNOWN_SUBSCRIBER", ""),
        ("", "9", ""),
        ("smpp", "lost", "the process that handed it over, or its link, was gone"),
    ],
)
def test_a_code_has_the_meaning_that_its_kind_of_connector_gives_it(kind: str, code: str, said: str) -> None:
    assert meaning(kind, code) == said


# ---- a number


def test_what_is_remembered_of_a_number_is_shown_and_forgotten(operator: Operator) -> None:
    operator.store(lambda store: refused_on_viber(store, now_ms()))
    (told,) = operator.does("number", "show", "050 111 22 33")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:]{8}Z", told.pop("no_viber_until"))
    assert told == {"number": TO, "country": "UA", "kind": "mobile", "stopped": []}
    assert operator.does("number", "forget", "0501112233") == [{"number": TO, "forgotten": True}]
    assert operator.does("number", "show", f"+{TO}")[0]["no_viber_until"] == ""
    assert operator.fails("number", "forget", TO) is Ending.NOT_FOUND


def test_a_number_is_shown_with_the_accounts_that_may_not_write_to_it(operator: Operator) -> None:
    async def stop(store: Store) -> None:
        for account in await Directory(store.engine).accounts():
            await Inbox(store.engine).stop(account.id, TO, NOW)

    operator.store(stop)
    assert operator.does("number", "show", TO)[0]["stopped"] == ["shop", "bank"]
    assert "stopped: shop, bank" in operator.says("number", "show", TO)


def test_a_number_is_read_as_it_is_typed_in_its_country(operator: Operator) -> None:
    assert operator.does("number", "show", "0512 345678", "--country", "PL")[0]["country"] == "PL"
    assert operator.fails("number", "show", "12") is Ending.USAGE
    assert operator.fails("number", "forget", "no number") is Ending.USAGE
