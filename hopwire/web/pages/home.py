"""The first page of the cabinet: the balance, what happened to the messages, and what is wrong just now.

Rule: a customer is told of a channel, never of a connector, which is the operator's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from starlette.responses import PlainTextResponse, Response

from hopwire import __version__, choice, limits, tallies
from hopwire.choice import Health, Rank
from hopwire.model import Account, Route
from hopwire.routes import listed
from hopwire.store.connectors import FRESH_MS, Connectors
from hopwire.store.routes import Routes
from hopwire.store.senders import Senders
from hopwire.store.tallies import Sums, Tallies, total
from hopwire.web.pages import samples
from hopwire.web.pages.charts import Bar, Chart, daily
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who
from hopwire.web.pages.words import Words
from hopwire.web.pages.words import marked as _

DAYS = 14
TROUBLE = {
    ("viber", Rank.AWAY): _(
        "Viber takes no messages just now. Those that may go by SMS do so; the others wait."
    ),
    ("sms", Rank.AWAY): _("SMS cannot leave just now. They wait, and leave as soon as they can."),
    ("viber", Rank.OVERLOADED): _("Viber takes messages slower than usual."),
    ("sms", Rank.OVERLOADED): _("SMS leave slower than usual."),
}


class Happened(NamedTuple):
    """What has happened to an account's messages in some time."""

    accepted: int
    viber: int  # delivered by it
    sms: int
    seen: int
    redirected: int
    partial: int
    failed: int
    spent: Mapping[str, int]  # by channel
    saved: int

    @classmethod
    def of(cls, sums: Sums) -> "Happened":
        delivered = {channel: sums.get(("delivered", channel), 0) for channel in ("viber", "sms")}
        spent = {channel: sums.get(("spent", channel), 0) for channel in ("viber", "sms")}
        return cls(
            accepted=total(sums, "accepted"),
            viber=delivered["viber"],
            sms=delivered["sms"],
            seen=total(sums, "seen"),
            redirected=total(sums, "redirected"),
            partial=total(sums, "partial"),
            failed=total(sums, "failed"),
            spent=spent,
            saved=total(sums, "saved"),
        )

    @property
    def delivered(self) -> int:
        return self.viber + self.sms

    @property
    def cost(self) -> int:
        return sum(self.spent.values())


async def home(visit: Visit) -> Response:
    """A program that looks in is told where the API is."""
    headers = visit.request.headers
    if "text/html" not in headers.get("accept", "") and "hx-request" not in headers:
        return PlainTextResponse(f"Hopwire {__version__}. The API is at /api/http.php.\n")
    if visit.signed_in is None:
        return visit.to("/sign-in")
    account, words, counted = visit.account, visit.words, Tallies(visit.parts.engine)
    zone = account.time_zone
    today = Happened.of(await counted.of(account.id, tallies.day(visit.now, zone)))
    week = Happened.of(await counted.of(account.id, tallies.week(visit.now, zone)))
    days = await counted.days(account.id, ["accepted"], zone, tallies.day(visit.now, zone, DAYS - 1))
    bars = daily(days["accepted"], DAYS, visit.now, words)
    is_new = not any(bar.n for bar in bars) and not await counted.of(account.id, 0)
    return visit.render(
        "home.html",
        today=today,
        week=week,
        funnel=_funnel(week, words),
        money=_money(week, account.currency, words),
        days=_days(bars, words),
        troubles=await _troubles(visit),
        first=await _first(visit) if is_new else None,
    )


# ---- charts


def _funnel(week: Happened, words: Words) -> Chart:
    sentence = words.several(
        "%(n)s message this week: %(viber)s delivered by Viber, %(sms)s by SMS, %(failed)s failed.",
        "%(n)s messages this week: %(viber)s delivered by Viber, %(sms)s by SMS, %(failed)s failed.",
        week.accepted,
        viber=words.number(week.viber),
        sms=words.number(week.sms),
        failed=words.number(week.failed),
    )
    steps = [
        (words("Accepted"), week.accepted, "accent"),
        (words("Delivered by Viber"), week.viber, "good"),
        (words("Read in Viber"), week.seen, "good"),
        (words("Went on to the next step"), week.redirected, "late"),
        (words("Delivered by SMS"), week.sms, "sent"),
        *([(words("Delivered in part"), week.partial, "late")] if week.partial else []),
        (words("Failed"), week.failed, "bad"),
    ]
    bars = [Bar(label, n, words.number(n), tone) for label, n, tone in steps]
    return Chart(sentence, (words("What happened"), words("Messages")), bars)


def _money(week: Happened, currency: str, words: Words) -> Chart:
    spent, saved = words.money(week.cost, currency), words.money(week.saved, currency)
    sentence = words("The messages of this week have cost %(spent)s.", spent=spent)
    if week.saved > 0:
        sentence += " " + words("By SMS alone it would have been %(saved)s more.", saved=saved)
    bars = [
        Bar(words("Viber"), week.spent["viber"], words.money(week.spent["viber"], currency), "accent"),
        Bar(words("SMS"), week.spent["sms"], words.money(week.spent["sms"], currency), "sent"),
    ]
    return Chart(sentence, (words("Channel"), words("Spent")), bars)


def _days(bars: Sequence[Bar], words: Words) -> Chart:
    n = sum(bar.n for bar in bars)
    sentence = words.several(
        "%(n)s message was accepted in the last %(days)s days.",
        "%(n)s messages were accepted in the last %(days)s days.",
        n,
        days=DAYS,
    )
    return Chart(sentence, (words("Day"), words("Messages")), bars)


# ---- trouble


async def _troubles(visit: Visit) -> list[tuple[str, str]]:
    """What is wrong with the channels of the account: a tone and a sentence each."""
    engine = visit.parts.engine
    routes = [one.route for one in listed(visit.parts.config, await Routes(engine).all()) if one.counts]
    told = await Connectors(engine).states(visit.now - FRESH_MS)
    health = choice.best((one.connector, one.state) for one in told)
    found = ranks((one for one in routes if concerns(one, visit.account)), health)
    return [
        ("bad" if rank is Rank.AWAY else "late", visit.words(TROUBLE[channel, rank]))
        for channel, rank in sorted(found.items(), reverse=True)
        if rank is not Rank.WELL
    ]


def concerns(route: Route, account: Account) -> bool:
    """Whether the account may send where a route leads; of digits nobody knows the country here."""
    country = route.prefix.isalpha()
    return not country or limits.allowed(account.limits, account.home_country, "", route.prefix)


def ranks(routes: Iterable[Route], health: Mapping[str, Health]) -> dict[str, Rank]:
    """Channel -> how well the worst of its routes stands, each as well as the best of its connectors."""
    found: dict[str, Rank] = {}
    for route in routes:
        best = min(health.get(way.connector, choice.UNTOLD).rank for way in route.ways)
        found[route.channel] = max(best, found.get(route.channel, Rank.WELL))
    return found


# ---- the first message


class First(NamedTuple):
    """How somebody begins who has sent nothing yet."""

    has_key: bool
    sample: str


async def _first(visit: Visit) -> First:
    keys = await visit.directory.keys_of(visit.account.id)
    key = next((one for one in reversed(keys) if one.is_valid(visit.now)), None)
    names = await Senders(visit.parts.engine).usable(visit.account.id)
    sender = next(iter(names["sms"]), samples.SENDER)
    task = samples.tasks(sender, sender)[0]
    written = samples.written(key) if key else samples.REST
    fields = {"key": written, **task.fields}
    return First(key is not None, samples.curl(f"{visit.own_address}/api/http.php", fields))


PAGES = [Page("/", home, Who.VISITOR)]
