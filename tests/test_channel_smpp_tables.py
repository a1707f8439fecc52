"""What the SMPP channel decides by itself: types of numbers, times, who is meant, how long to stay away."""

import pytest

from hopwire.channels.smpp import dialect, link
from hopwire.config import SmppConnector
from hopwire.smpp.pdu import DeliverSm

SETTINGS = SmppConnector(host="smsc", system_id="me", password="secret")


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        pytest.param("Alpha", ((5, 0), "Alpha"), id="a name"),
        pytest.param("24-7", ((5, 0), "24-7"), id="a name of digits and a dash"),
        pytest.param("380671112233", ((1, 1), "380671112233"), id="a number"),
        pytest.param("+380671112233", ((1, 1), "380671112233"), id="a number with its plus"),
        pytest.param("1234", ((3, 0), "1234"), id="a short code"),
        pytest.param("١٢٣", ((5, 0), "١٢٣"), id="digits of another script"),
        pytest.param("", ((5, 0), ""), id="nothing: the SMSC's own"),
    ],
)
def test_a_sender_tells_its_type_of_number(sender: str, said: tuple[tuple[int, int], str]) -> None:
    (kind, sender_said) = said
    assert dialect.source(sender, SETTINGS) == (*kind, sender_said)


@pytest.mark.parametrize(
    ("lifetime_s", "said"),
    [
        (86_400, "000001000000000R"),
        (60, "000000000100000R"),
        (93_784, "000001020304000R"),
        (400 * 86_400, "000030000000000R"),
    ],
)
def test_a_lifetime_is_a_relative_time(lifetime_s: int, said: str) -> None:
    assert dialect.validity_period("relative", lifetime_s, 0) == said


def test_a_lifetime_may_be_told_as_a_moment_or_not_at_all() -> None:
    now = 1_798_761_600.0  # 2027-01-01 00:00 UTC
    assert dialect.validity_period("absolute", 93_784, now) == "270102020304000+"
    assert dialect.validity_period("absolute", 400 * 86_400, now) == "270131000000000+"
    assert dialect.validity_period("none", 60, now) == ""


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        pytest.param("380501234567", "Alpha", "380501234567", id="swapped, as it should be"),
        pytest.param("+380501234567", "1234", "380501234567", id="with a plus"),
        pytest.param("Alpha", "380501234567", "380501234567", id="not swapped"),
        pytest.param("", "", "", id="not said"),
    ],
)
def test_a_receipt_is_about_the_end_that_is_a_phone(source: str, destination: str, said: str) -> None:
    assert dialect.recipient(DeliverSm(source_addr=source, destination_addr=destination)) == said


def test_the_way_back_grows_and_stays_below_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "BACKOFF_S", (0.2, 60.0))
    assert [link.backoff_s(n, 0) for n in (0, 1, 2, 8, 9, 1000)] == [0.2, 0.4, 0.8, 51.2, 60, 60]
    assert link.backoff_s(1000, 1) == 30
