"""What becomes of messages in a running demo, by the ending of the recipient's number."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from system import LONG_TEXT, Demo, both, demo, number, wait_for

DELIVERED, DELETED, PARTIAL, FAILED, BAD_NUMBER, READ = 3, 10, 50, 96, 99, 116


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_documented_request_answers_an_id_and_a_count(gateway: Demo) -> None:
    reply = gateway.ask("send", **both("380501234501"))
    assert list(reply) == ["id", "sms_count"]
    assert int(reply["id"]) > 0
    assert reply["sms_count"] == "1"


@pytest.mark.parametrize(
    ("ending", "code", "sms", "shown"),
    [
        pytest.param("01", READ, 0, ["viber"], id="01 seen on Viber"),
        pytest.param("02", DELIVERED, 1, ["sms"], id="02 not a Viber user"),
        pytest.param("03", DELIVERED, 1, ["sms"], id="03 blocked"),
        pytest.param("04", DELIVERED, 1, ["sms"], id="04 no suitable device"),
        pytest.param("06", FAILED, 1, [], id="06 undeliverable on both"),
        pytest.param("08", DELIVERED, 0, ["viber"], id="08 temporary failures"),
        pytest.param("09", DELIVERED, 0, ["viber"], id="09 the answer is lost"),
        pytest.param("10", READ, 0, ["viber"], id="10 reports out of order"),
        pytest.param("11", BAD_NUMBER, 1, [], id="11 bad number on both"),
        pytest.param("67", DELIVERED, 0, ["viber"], id="67 delivered"),
    ],
)
def test_viber_first_ends_as_the_table_says(
    gateway: Demo, ending: str, code: int, sms: int, shown: list[str]
) -> None:
    to = number(ending)
    gateway.reaches(gateway.send(to), code)
    assert len(gateway.submits(to, "sms")) == sms
    assert [message["channel"] for message in gateway.received(to)] == shown


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param("01", DELIVERED, id="01"),
        pytest.param("06", FAILED, id="06 undeliverable"),
        pytest.param("08", DELIVERED, id="08 throttled"),
        pytest.param("09", DELIVERED, id="09 the answer is lost"),
        pytest.param("10", DELIVERED, id="10 receipt before the answer"),
        pytest.param("11", BAD_NUMBER, id="11 refused"),
        pytest.param("12", DELIVERED, id="12 a single part"),
        pytest.param("67", DELIVERED, id="67"),
    ],
)
def test_sms_alone_ends_as_the_table_says(gateway: Demo, ending: str, code: int) -> None:
    to = number(ending)
    gateway.reaches(gateway.send_sms(to), code)
    assert not gateway.submits(to, "viber")
    assert not any(submit["repeated"] for submit in gateway.submits(to, "sms"))


def test_a_long_text_is_joined_on_the_phone(gateway: Demo) -> None:
    to = number("67")
    reply = gateway.ask("send", **{"from": "test", "to": to, "message": LONG_TEXT.strip()})
    assert reply["sms_count"] == "3"
    gateway.reaches(reply["id"], DELIVERED)
    (message,) = gateway.received(to)
    assert message["text"] == LONG_TEXT.strip()


def test_parts_that_end_differently_are_a_partial_delivery(gateway: Demo) -> None:
    gateway.reaches(gateway.send_sms(number("12"), LONG_TEXT), PARTIAL)


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param("02", FAILED, id="02 not a Viber user"),
        pytest.param("11", BAD_NUMBER, id="11 bad number"),
        pytest.param("01", READ, id="01 seen"),
    ],
)
def test_without_viber_sms_no_sms_leaves(gateway: Demo, ending: str, code: int) -> None:
    to = number(ending)
    gateway.reaches(gateway.send(to, viber_sms=0), code)
    assert not gateway.submits(to, "sms")


# ---- time


def test_a_scheduled_message_leaves_at_its_time_and_not_before(gateway: Demo) -> None:
    to = number("01")
    at = in_seconds(3)
    message_id = gateway.send(to, ask_date=at)
    assert gateway.code(message_id) == 0
    gateway.reaches(message_id, READ)
    (submit,) = gateway.submits(to, "viber")
    assert submit["at"] >= datetime.fromisoformat(at).timestamp() * 1000


def test_a_scheduled_message_can_be_deleted_and_never_leaves(gateway: Demo) -> None:
    to, later = number("01"), number("01")
    message_id = gateway.send(to, ask_date=in_seconds(3))
    before = gateway.ask("balance")
    assert gateway.ask("delete", id=message_id) == {"status": "Deleted", "code": "10"}
    assert gateway.ask("balance") != before, "what was reserved is free again"
    gateway.reaches(gateway.send(later, ask_date=in_seconds(4)), READ)
    assert gateway.code(message_id) == DELETED
    assert not gateway.submits(to, "viber")


def test_what_has_left_is_not_deleted(gateway: Demo) -> None:
    message_id = gateway.send_sms(number("67"))
    gateway.reaches(message_id, DELIVERED)
    assert gateway.ask("delete", id=message_id) == {"status": "Delivered", "code": "3"}


@pytest.mark.timeout(600)
def test_silence_on_viber_turns_into_an_sms_when_the_lifetime_has_passed(gateway: Demo) -> None:
    numbers = {ending: number(ending) for ending in ("05", "07", "12")}
    ids = {ending: gateway.send(to) for ending, to in numbers.items()}
    for ending, to in numbers.items():
        wait_for(lambda to=to: gateway.submits(to, "sms"), 100)  # type: ignore[misc]
        gateway.reaches(ids[ending], DELIVERED)
        handed, (redirected,) = gateway.submits(to, "viber")[0]["at"], gateway.submits(to, "sms")
        assert 60_000 <= redirected["at"] - handed <= 90_000
    shown = wait_for(lambda: two(gateway.received(numbers["07"])))
    assert {message["channel"] for message in shown} == {"viber", "sms"}


def two(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return rows if len(rows) == 2 else []
