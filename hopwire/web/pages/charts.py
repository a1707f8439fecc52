"""What a chart shows, before templates/charts.html draws it: a sentence, its numbers, and a table of them.

Rule: a chart says nothing that its sentence and its table do not say, too.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hopwire.tallies import HOUR_MS, day
from hopwire.web.pages.words import Words


class Bar(NamedTuple):
    label: str
    n: int
    text: str  # the number, as it is read
    tone: str = "accent"  # a colour of hopwire.css: accent, good, sent, late, bad, soft


class Chart(NamedTuple):
    """`funnel`, `lying`, `bars`, `spark` and `stack` of charts.html draw it."""

    sentence: str
    heads: tuple[str, str]  # of the table: what the bars are, and their numbers
    bars: Sequence[Bar]

    @property
    def most(self) -> int:
        return max([1, *(bar.n for bar in self.bars)])

    @property
    def total(self) -> int:
        return sum(max(0, bar.n) for bar in self.bars)

    @property
    def rows(self) -> list[tuple[str, str]]:
        return [(bar.label, bar.text) for bar in self.bars]


class Line(NamedTuple):
    """Something that is measured again and again."""

    name: str
    points: Sequence[int]


class Plot(NamedTuple):
    """Lines over time; `plot` of charts.html draws it, and where there is JavaScript, uPlot."""

    sentence: str
    times: Sequence[int]
    lines: Sequence[Line]

    @property
    def most(self) -> int:
        return max([1, *(n for line in self.lines for n in line.points)])


def hourly(found: Mapping[int, int], since: int, until: int, words: Words) -> list[Bar]:
    """A bar for each hour from `since` to before `until`, of (hour -> n)."""
    return [
        _counted(f"{words.local(at):%H:%M}", found.get(at, 0), words) for at in range(since, until, HOUR_MS)
    ]


def daily(found: Mapping[int, int], days: int, now: int, words: Words) -> list[Bar]:
    """A bar for each of the last days, today's last, of (its beginning -> n)."""
    begins = (day(now, words.time_zone, back) for back in range(days - 1, -1, -1))
    return [_counted(words.day(at), found.get(at, 0), words) for at in begins]


def _counted(label: str, n: int, words: Words) -> Bar:
    return Bar(label, n, words.number(n))
