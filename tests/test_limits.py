"""The core of limits: which a message meets, until when it counts, and how an operator types them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from conftest import NOW
from msgspec.structs import replace

from hopwire import limits
from hopwire.errors import (
    ApiError,
    BlockLimitReached,
    LimitReached,
    NumberLimitReached,
    SpendLimitReached,
    TooManyRequests,
)
from hopwire.limits import Counter
from hopwire.model import Limits, SendRequest, SmsText, ViberText
from hopwire.store.directory import NOBODY

TO = "380501112233"


@pytest.mark.parametrize(
    ("destinations", "digits", "country", "allowed"),
    [
        pytest.param((), TO, "UA", True, id="home"),
        pytest.param((), "48501112233", "PL", False, id="abroad"),
        pytest.param((), TO, "", False, id="nobody knows where"),
        pytest.param(("PL",), "48501112233", "PL", True, id="a country"),
        pytest.param(("PL",), TO, "UA", False, id="home is named, too, or is not allowed"),
        pytest.param(("PL", "38050"), TO, "UA", True, id="first digits"),
        pytest.param(("38067",), TO, "UA", False, id="other digits"),
        pytest.param(("*",), "88213", "001", True, id="every number"),
    ],
)
def test_destinations(destinations: tuple[str, ...], digits: str, country: str, allowed: bool) -> None:
    assert limits.allowed(Limits(destinations=destinations), "UA", digits, country) is allowed


def moment(text: str, zone: str = "UTC") -> int:
    return round(1000 * datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


KYIV, NEW_YORK, CAIRO = "Europe/Kyiv", "America/New_York", "Africa/Cairo"


@pytest.mark.parametrize(
    ("period", "zone", "now", "end"),
    [
        pytest.param("second", KYIV, "2026-11-24T10:11:12.345", "2026-11-24T10:11:13", id="second"),
        pytest.param("minute", KYIV, "2026-11-24T10:11:12", "2026-11-24T10:12", id="minute"),
        pytest.param("hour", KYIV, "2026-11-24T10:11:12", "2026-11-24T11:00", id="hour"),
        pytest.param("hour", KYIV, "2026-11-24T10:00", "2026-11-24T11:00", id="an hour's first moment"),
        pytest.param("day", KYIV, "2026-11-24T00:00", "2026-11-25", id="a day's first moment"),
        pytest.param("day", KYIV, "2026-11-24T23:59:59.999", "2026-11-25", id="a day's last moment"),
        pytest.param("day", KYIV, "2026-12-31T10:00", "2027-01-01", id="a year's last day"),
        pytest.param("day", KYIV, "2026-10-25T12:00", "2026-10-26", id="a day of 25 hours"),
        pytest.param("day", KYIV, "2026-03-29T01:00", "2026-03-30", id="a day of 23 hours"),
        pytest.param("day", CAIRO, "2026-04-23T12:00", "2026-04-24T01:00", id="a midnight that is skipped"),
        pytest.param("day", NEW_YORK, "2026-11-24T23:00", "2026-11-25", id="another zone"),
        pytest.param("month", KYIV, "2026-11-24T10:00", "2026-12-01", id="month"),
        pytest.param("month", KYIV, "2026-12-31T23:59", "2027-01-01", id="a year's last month"),
        pytest.param("month", KYIV, "2027-01-31T10:00", "2027-02-01", id="a month's last day"),
        pytest.param("month", KYIV, "2027-02-01T00:00", "2027-03-01", id="a month's first moment"),
    ],
)
def test_a_period_ends_by_the_calendar(period: str, zone: str, now: str, end: str) -> None:
    assert limits.ends(period, moment(now, zone), zone) == moment(end, zone)


def test_a_day_and_a_month_have_names() -> None:
    late = moment("2026-11-30T23:30")
    assert limits.named("day", late, "UTC") == "2026-11-30"
    assert limits.named("day", late, KYIV) == "2026-12-01"
    assert limits.named("month", late, KYIV) == "2026-12"


def test_a_message_counts_where_there_is_a_limit() -> None:
    counts = {"account/second": 1, "key/day": 2, "number/hour": 3, "block/minute": 4}
    account = replace(NOBODY, time_zone="UTC", limits=Limits(counts=counts, spend={"month": 5}))
    now = moment("2026-11-24T10:11:12.345")
    assert limits.counters(account, TO, 7, now) == [
        Counter("account/second", "account/second", moment("2026-11-24T10:11:13"), 1),
        Counter("key/day", "key/day:7", moment("2026-11-25"), 2),
        Counter("number/hour", f"number/hour:{TO}", moment("2026-11-24T11:00"), 3),
        Counter("block/minute", "block/minute:380501112", moment("2026-11-24T10:12"), 4),
    ]
    assert limits.spending(account, now) == [Counter("spend/month", "spend/month", moment("2026-12-01"), 5)]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("account/second", TooManyRequests),
        ("account/minute", TooManyRequests),
        ("account/hour", LimitReached),
        ("account/day", LimitReached),
        ("key/minute", TooManyRequests),
        ("key/day", LimitReached),
        ("number/second", NumberLimitReached),
        ("number/day", NumberLimitReached),
        ("block/day", BlockLimitReached),
        ("spend/day", SpendLimitReached),
    ],
)
def test_each_limit_has_its_refusal(name: str, error: type[ApiError]) -> None:
    assert limits.refusal(name) is error


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(0, 49, [], id="not yet"),
        pytest.param(49, 50, [50], id="the half"),
        pytest.param(50, 79, [], id="was told"),
        pytest.param(0, 100, [50, 80, 100], id="all at once"),
        pytest.param(99, 101, [100], id="more than all"),
        pytest.param(50, 50, [], id="nothing was spent"),
    ],
)
def test_who_spends_is_told_at_some_percentages(before: int, after: int, told: list[int]) -> None:
    assert limits.alerts(before, after, 100) == told


@pytest.mark.parametrize(("quiet", "transactional", "step"), [
    ("21:00-08:00", False, "21:00-08:00 Europe/Kyiv"),
    ("21:00-08:00", True, ""),
    ("", False, ""),
])  # fmt: skip
def test_quiet_hours_are_for_promotional_accounts(quiet: str, transactional: bool, step: str) -> None:
    account = replace(NOBODY, transactional=transactional, limits=Limits(quiet=quiet))
    assert limits.quiet(account) == step


# ---- the same again

ASKED = SendRequest(recipient=TO, sms=SmsText(text="a"), sms_sender="Shop", country="UA")
SAME = pytest.param(ASKED, True, True, id="the same")
OTHERS = [
    SAME,
    pytest.param(replace(ASKED, send_at=NOW + 500_000), True, True, id="a little later"),
    pytest.param(replace(ASKED, send_at=NOW + 700_000), True, False, id="much later"),
    pytest.param(replace(ASKED, sms_sender="Sale"), False, True, id="under another name"),
    pytest.param(replace(ASKED, recipient="380501112234"), False, True, id="to another number"),
    pytest.param(replace(ASKED, sms=SmsText(text="b")), False, False, id="another text"),
    pytest.param(replace(ASKED, viber=ViberText(text="a")), False, False, id="by Viber, too"),
    pytest.param(
        replace(ASKED, sms=None, viber=ViberText(text="a")), False, False, id="by Viber instead of SMS"
    ),
]


@pytest.mark.parametrize(("other", "request_", "contents"), OTHERS)
def test_what_is_the_same_again(other: SendRequest, request_: bool, contents: bool) -> None:
    """A client's key stands for a request; a duplicate has the same contents, whoever seems to send it."""
    watched = Limits(duplicates="refuse")
    assert (limits.fingerprint(other) == limits.fingerprint(ASKED)) is request_
    assert (limits.digest(watched, other, NOW) == limits.digest(watched, ASKED, NOW)) is contents


def test_contents_are_not_looked_at_where_nobody_asks() -> None:
    assert limits.digest(Limits(sequence=5), ASKED, NOW) == ""


# ---- as people write them

TYPED = [
    ("destinations", "UA,PL,38050", Limits(destinations=("UA", "PL", "38050"))),
    ("destinations", "*", Limits(destinations=("*",))),
    ("premium", "yes", Limits(premium=True)),
    ("max-price", "1.5", Limits(max_price=1_500_000)),
    ("sequence", "20", Limits(sequence=20)),
    ("quiet", "21:00-08:00", Limits(quiet="21:00-08:00")),
    ("quiet", "mon-fri 21:00-08:00", Limits(quiet="mon-fri 21:00-08:00")),
    ("duplicates", "merge", Limits(duplicates="merge")),
    ("duplicate-s", "60", Limits(duplicate_s=60)),
    ("account/second", "10", Limits(counts={"account/second": 10})),
    ("block/day", "1000000000", Limits(counts={"block/day": 10**9})),
    ("spend/day", "100", Limits(spend={"day": 100_000_000})),
    ("spend/month", "0.5", Limits(spend={"month": 500_000})),
]


@pytest.mark.parametrize(("name", "typed", "wanted"), TYPED)
def test_a_limit_is_set_shown_and_taken_away(name: str, typed: str, wanted: Limits) -> None:
    found = limits.changed(Limits(), name, typed)
    assert found == wanted
    assert limits.shown(found)[name] == typed
    assert limits.changed(found, name, "") == Limits()


def test_every_limit_is_shown() -> None:
    assert list(limits.shown(Limits())) == list(limits.NAMES)
    assert {name: text for name, text in limits.shown(Limits()).items() if text} == {
        "destinations": "home", "premium": "no", "duplicate-s": "600",
    }  # fmt: skip


def test_setting_one_limit_leaves_the_others() -> None:
    both = limits.changed(Limits(counts={"key/day": 1}, premium=True), "account/day", "2")
    assert both == Limits(counts={"key/day": 1, "account/day": 2}, premium=True)


def test_home_is_the_default() -> None:
    assert limits.changed(Limits(destinations=("*",)), "destinations", "home") == Limits()


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("destinations", "ua"),
        ("destinations", "UA,"),
        ("destinations", "UA,+380"),
        ("premium", "true"),
        ("max-price", "-1"),
        ("max-price", "much"),
        ("sequence", "1"),
        ("sequence", "1001"),
        ("quiet", "9-5"),
        ("quiet", "21:00-08:00 UTC"),
        ("quiet", "00:00-24:00"),
        ("duplicates", "yes"),
        ("duplicate-s", "0"),
        ("duplicate-s", "86401"),
        ("account/second", "0"),
        ("account/second", "1.5"),
        ("account/second", "\u0665"),
        ("spend/day", "0"),
        ("account/year", "1"),
        ("spend/hour", "1"),
        ("everything", "1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(name: str, typed: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}"):
        limits.changed(Limits(), name, typed)
