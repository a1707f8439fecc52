"""Hours of the week, as people write them: "mon-fri 08:00-20:00 Europe/Kyiv".

Days and zone may be left out: every day, UTC. A window may pass midnight; it is of the day on which it opens.
Days are a list of days and of spans of days: "mon,wed-fri".

A time that the clock skips in spring is taken an hour later; of one that comes twice, the first.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
SHAPE = re.compile(
    r"(?:(?P<days>[a-z,-]+) +)?(?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d)(?: +(?P<zone>[A-Za-z0-9_+/-]+))?",
    re.ASCII,
)

SHAPED = "hours must be written like `mon-fri 08:00-20:00 Europe/Kyiv` or `21:00-08:00`"


class Hours(NamedTuple):
    """One window of each of some days."""

    days: frozenset[int]  # on which it opens; 0 is Monday
    opens: int  # minutes since midnight
    closes: int  # the same; more than a day: on the next one
    zone: tzinfo

    def contains(self, now: int) -> bool:
        """Whether it is open at this moment, in milliseconds since 1970 UTC."""
        return self.end(now) is not None

    def end(self, now: int) -> int | None:
        """When the window closes that is open now, in milliseconds; None where none is."""
        today = datetime.fromtimestamp(now / 1000, self.zone).date()
        for day in (today, today - timedelta(days=1)):
            if day.weekday() in self.days and self._moment(day, self.opens) <= now:
                end = self._moment(day, self.closes)
                if now < end:
                    return end
        return None

    def _moment(self, day: date, minutes: int) -> int:
        later, minutes = divmod(minutes, DAY_MINUTES)
        day += timedelta(days=later)
        at = datetime(day.year, day.month, day.day, *divmod(minutes, 60), tzinfo=self.zone)
        return round(1000 * at.timestamp())


@lru_cache
def parse(text: str) -> Hours:
    """Raises ValueError with a sentence that says what is wrong."""
    found = SHAPE.fullmatch(text.strip())
    if found is None:
        raise ValueError(SHAPED)
    opens, closes = _minutes(found["opens"]), _minutes(found["closes"])
    if opens in (closes, DAY_MINUTES):
        raise ValueError("hours must not begin when they end; a whole day is 00:00-24:00")
    days = frozenset(range(7)) if found["days"] is None else _days(found["days"])
    return Hours(days, opens, closes if closes > opens else closes + DAY_MINUTES, _zone(found["zone"]))


def _minutes(text: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    if minutes > 59 or 60 * hours + minutes > DAY_MINUTES:
        raise ValueError(f"{text} is no time of day")
    return 60 * hours + minutes


def _days(text: str) -> frozenset[int]:
    return frozenset(day for span in text.split(",") for day in _span(span))


def _span(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    begin, end = _day(first), _day(last if dash else first)
    return [(begin + i) % 7 for i in range((end - begin) % 7 + 1)]


def _day(name: str) -> int:
    if name not in DAYS:
        raise ValueError(f"{name or 'nothing'} is no day; days are {', '.join(DAYS)}")
    return DAYS.index(name)


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found; not a name; a directory of zones
        raise ValueError(f"{name} is no time zone; one is Europe/Kyiv") from None
