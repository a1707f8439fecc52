"""The operator's first page: how much happens, what waits, how the connectors stand, and what goes wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from starlette.responses import Response

from hopwire import choice, tallies
from hopwire.minutes import MINUTE_MS, Minute
from hopwire.store.connectors import FRESH_MS, Connectors, Told
from hopwire.store.tallies import Sums, Tallies, total
from hopwire.tallies import HOUR_MS
from hopwire.web.pages.charts import Bar, Chart, Line, Plot, hourly
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who
from hopwire.web.pages.words import Words
from hopwire.web.pages.words import marked as _

MINUTES = 60
LINES = 5  # of the busiest connectors
FAILURES = 12
LATE_MS = 60_000  # what has been due for so long is late
STATES = {
    "up": (_("up"), "good", "check"),
    "partly up": (_("partly up"), "late", "half"),
    "throttled": (_("throttled"), "late", "hourglass"),
    "paused": (_("paused"), "waiting", "pause"),
    "down": (_("down"), "bad", "cross"),
    "refused": (_("refused"), "bad", "cross"),
    "": (_("nobody tells"), "bad", "question"),
}


class Stands(NamedTuple):
    """How a connector stands at all workers together."""

    name: str
    kind: str
    state: str
    sessions: int
    sessions_wanted: int
    in_flight: int
    window: int
    rate: float | None
    error_rate: float | None
    latency_ms: int | None
    last_error: str
    last_error_at: int | None


async def overview(visit: Visit) -> Response:
    engine, words, now = visit.parts.engine, visit.words, visit.now
    today = await Tallies(engine).of(None, tallies.day(now, visit.account.time_zone))
    since = tallies.hour(now) - 23 * HOUR_MS
    hours = await Tallies(engine).hours(None, ["accepted", "delivered"], since)
    connectors = Connectors(engine)
    minutes = await connectors.minutes(now - now % MINUTE_MS - MINUTES * MINUTE_MS)
    due, late_ms = await visit.parts.store.backlog(now)
    stands = together(visit.parts.config.connectors, await connectors.states(now - FRESH_MS))
    return visit.render(
        "overview.html",
        accepted=total(today, "accepted"),
        delivered=total(today, "delivered"),
        failed=total(today, "failed"),
        rate=_rate(minutes, now),
        due=due,
        late_ms=late_ms,
        is_late=late_ms > LATE_MS,
        money=await Tallies(engine).money(tallies.day(now, visit.account.time_zone)),
        stands=stands,
        states=STATES,
        away=Counter(one.connector for one in minutes if one.down),
        plot=submitted(minutes, now, words),
        hours=_hours(hours["accepted"], since, now, words),
        failures=_failures(today, words),
    )


def _rate(minutes: Iterable[Minute], now: int) -> float:
    """Parts a second that connectors took in the last whole minute."""
    last = now - now % MINUTE_MS - MINUTE_MS
    return round(sum(one.taken for one in minutes if one.minute == last) / 60, 1)


# ---- connectors


def together(names: Iterable[str], told: Sequence[Told]) -> list[Stands]:
    """How each connector stands: sums of its workers, and the best of what they say of its state."""
    by_name: dict[str, list[Told]] = {name: [] for name in names}
    for one in told:
        by_name.setdefault(one.connector, []).append(one)
    return [_stands(name, some) for name, some in sorted(by_name.items())]


def _stands(name: str, some: Sequence[Told]) -> Stands:
    health = choice.best((name, one.state) for one in some).get(name, choice.UNTOLD)
    states = [one.state for one in some]
    last = max(states, key=lambda one: one.last_error_at or 0, default=None)
    rates = [one.rate for one in states if one.rate is not None]
    return Stands(
        name=name,
        kind=states[0].kind if states else "",
        state=health.state,
        sessions=sum(one.sessions for one in states),
        sessions_wanted=sum(one.sessions_wanted for one in states),
        in_flight=sum(one.in_flight for one in states),
        window=sum(one.window for one in states),
        rate=sum(rates) if rates else None,
        error_rate=health.error_rate,
        latency_ms=health.latency_ms,
        last_error=last.last_error if last else "",
        last_error_at=last.last_error_at if last else None,
    )


def submitted(minutes: Sequence[Minute], now: int, words: Words) -> Plot:
    """Parts that connectors were given in each of the last minutes; of the busiest ones."""
    last = now - now % MINUTE_MS
    times = range(last - MINUTES * MINUTE_MS, last, MINUTE_MS)
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for one in minutes:
        found[one.connector][one.minute] = one.submitted
    busiest = sorted(found, key=lambda name: (-sum(found[name].values()), name))[:LINES]
    lines = [Line(name, [found[name].get(at, 0) for at in times]) for name in sorted(busiest)]
    n = sum(sum(line.points) for line in lines)
    most = max((sum(line.points[i] for line in lines) for i in range(len(times))), default=0)
    sentence = words.several(
        "%(n)s part was submitted in the last hour; at most %(most)s in a minute.",
        "%(n)s parts were submitted in the last hour; at most %(most)s in a minute.",
        n,
        most=words.number(most),
    )
    return Plot(sentence, list(times), lines)


# ---- charts


def _hours(found: dict[int, int], since: int, now: int, words: Words) -> Chart:
    bars = hourly(found, since, tallies.hour(now) + HOUR_MS, words)
    n = sum(bar.n for bar in bars)
    sentence = words.several(
        "%(n)s message was accepted in the last 24 hours.",
        "%(n)s messages were accepted in the last 24 hours.",
        n,
    )
    return Chart(sentence, (words("Hour"), words("Messages")), bars)


def _failures(today: Sums, words: Words) -> Chart | None:
    """What connectors did not do today, by connector and code; the most frequent first."""
    found = {detail: n for (kind, detail), n in today.items() if kind == "failures" and n}
    if not found:
        return None
    first = sorted(found, key=lambda detail: (-found[detail], detail))[:FAILURES]
    total = sum(found.values())
    sentence = words.several(
        "Connectors did not do %(n)s part today.", "Connectors did not do %(n)s parts today.", total
    )
    bars = [Bar(detail, found[detail], words.number(found[detail]), "bad") for detail in first]
    return Chart(sentence, (words("Connector and code"), words("Parts")), bars)


PAGES = [Page("/operator", overview, Who.OPERATOR)]
