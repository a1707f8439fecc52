from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire import hours
from hopwire.hours import DAYS, SHAPED

KYIV = ZoneInfo("Europe/Kyiv")
WEEK_MS = 7 * 86_400_000


def at(text: str, zone: ZoneInfo | None = None) -> int:
    moment = datetime.fromisoformat(text)
    return round(1000 * moment.replace(tzinfo=zone or UTC).timestamp())


@pytest.mark.parametrize(
    ("written", "now", "end"),
    [  # 2026-11-23 is a Monday
        pytest.param("08:00-20:00", "2026-11-23T07:59:59.999", None, id="before it opens"),
        pytest.param("08:00-20:00", "2026-11-23T08:00", "2026-11-23T20:00", id="the moment it opens"),
        pytest.param("08:00-20:00", "2026-11-23T19:59:59.999", "2026-11-23T20:00", id="just before the end"),
        pytest.param("08:00-20:00", "2026-11-23T20:00", None, id="the moment it closes"),
        pytest.param("21:00-08:00", "2026-11-23T23:00", "2026-11-24T08:00", id="before midnight"),
        pytest.param("21:00-08:00", "2026-11-24T02:00", "2026-11-24T08:00", id="after midnight"),
        pytest.param("21:00-08:00", "2026-11-24T12:00", None, id="by day"),
        pytest.param("00:00-24:00", "2026-11-23T12:00", "2026-11-24T00:00", id="a whole day"),
        pytest.param("12:00-00:00", "2026-11-23T12:00", "2026-11-24T00:00", id="midnight is an end"),
        pytest.param("mon-fri 08:00-20:00", "2026-11-27T12:00", "2026-11-27T20:00", id="Friday"),
        pytest.param("mon-fri 08:00-20:00", "2026-11-28T12:00", None, id="Saturday"),
        pytest.param("fri-mon 08:00-20:00", "2026-11-29T12:00", "2026-11-29T20:00", id="over a week's end"),
        pytest.param("fri-mon 08:00-20:00", "2026-11-24T12:00", None, id="not on Tuesday"),
        pytest.param("tue,thu-fri 08:00-20:00", "2026-11-26T12:00", "2026-11-26T20:00", id="a list of days"),
        pytest.param("tue,thu-fri 08:00-20:00", "2026-11-25T12:00", None, id="not in the list"),
        pytest.param("sun 21:00-08:00", "2026-11-30T03:00", "2026-11-30T08:00", id="the night of Sunday"),
        pytest.param("sun 21:00-08:00", "2026-11-29T03:00", None, id="the night before it"),
        pytest.param("08:00-20:00 Europe/Kyiv", "2026-11-23T06:00", "2026-11-23T18:00", id="another clock"),
        pytest.param("08:00-20:00 UTC", "2026-11-23T08:00", "2026-11-23T20:00", id="UTC by its name"),
        pytest.param("mon 00:00-02:00 Europe/Kyiv", "2026-11-22T23:00", "2026-11-23T00:00", id="its Monday"),
    ],
)  # fmt: skip
def test_a_window_is_open_from_its_begin_to_its_end(written: str, now: str, end: str | None) -> None:
    window = hours.parse(written)
    assert window.end(at(now)) == (None if end is None else at(end))
    assert window.contains(at(now)) == (end is not None)


@pytest.mark.parametrize(
    ("written", "now", "end"),
    [
        pytest.param("01:00-03:30 Europe/Kyiv", "2026-03-29T00:59", "2026-03-29T01:30", id="3:30 is 4:30"),
        pytest.param("22:00-06:00 Europe/Kyiv", "2026-03-28T20:00", "2026-03-29T03:00", id="a short night"),
        pytest.param("22:00-06:00 Europe/Kyiv", "2026-10-24T19:00", "2026-10-25T04:00", id="a long night"),
        pytest.param("01:00-03:30 Europe/Kyiv", "2026-10-25T00:29", "2026-10-25T00:30", id="the first 3:30"),
        pytest.param("01:00-03:30 Europe/Kyiv", "2026-10-25T01:00", None, id="not the second one"),
    ],
)
def test_clocks_that_change(written: str, now: str, end: str | None) -> None:
    assert hours.parse(written).end(at(now)) == (None if end is None else at(end))


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("", SHAPED),
        ("8:00-20:00", SHAPED),
        ("always", SHAPED),
        ("mon 08:00-20:00 Europe/Kyiv now", SHAPED),
        ("08:00-20:60", "20:60 is no time of day"),
        ("24:01-20:00", "24:01 is no time of day"),
        ("08:00-08:00", "hours must not begin when they end; a whole day is 00:00-24:00"),
        ("24:00-08:00", "hours must not begin when they end; a whole day is 00:00-24:00"),
        ("mo-fr 08:00-20:00", "mo is no day; days are mon, tue, wed, thu, fri, sat, sun"),
        ("mon, 08:00-20:00", "nothing is no day; days are mon, tue, wed, thu, fri, sat, sun"),
        ("mon- 08:00-20:00", "nothing is no day; days are mon, tue, wed, thu, fri, sat, sun"),
        ("08:00-20:00 Europe/Kiew", "Europe/Kiew is no time zone; one is Europe/Kyiv"),
        ("08:00-20:00 Europe", "Europe is no time zone; one is Europe/Kyiv"),
        ("08:00-20:00 ../UTC", SHAPED),
        ("08:00-20:00 /UTC", "/UTC is no time zone; one is Europe/Kyiv"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(written: str, wrong: str) -> None:
    with pytest.raises(ValueError) as caught:
        hours.parse(written)
    assert str(caught.value) == wrong


@given(
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    opens=st.integers(0, 1439),
    minutes=st.integers(1, 1439),
    now=st.integers(at("2026-01-01"), at("2027-12-31")),
)
def test_what_is_open_closes_within_its_length(days: set[str], opens: int, minutes: int, now: int) -> None:
    closes = (opens + minutes) % 1440
    window = hours.parse(
        f"{','.join(sorted(days))} {opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"
    )
    end = window.end(now)
    assert window.end(now + WEEK_MS) == (None if end is None else end + WEEK_MS)
    if end is not None:
        assert now < end <= now + 60_000 * minutes
        assert window.end(end - 1) == end
        assert window.end(end - 60_000 * minutes) == end
