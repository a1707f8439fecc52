"""Home, the log of requests, the operator's overview: numbers that are right, and what is wrong just now."""

import pytest
from cabinet import Cabinet, is_accessible, look_over
from conftest import SMS, VIBER, order
from msgspec.structs import replace
from playwright.async_api import expect
from test_store_connectors import UP

from hopwire import choice
from hopwire.admission import now_ms
from hopwire.choice import Rank
from hopwire.delivery import plan_delivery
from hopwire.events import Answered
from hopwire.minutes import MINUTE_MS, Minute
from hopwire.model import Account, Answer, Fault, Handover, Limits, Never, Outcome, Receipt, Route, Taken, Way
from hopwire.store import Change, Order
from hopwire.store.connectors import Connectors, Told
from hopwire.store.requests import Asked
from hopwire.tallies import hour
from hopwire.web.pages import home, overview
from hopwire.web.pages.charts import Bar, Chart, daily, hourly
from hopwire.web.pages.words import Words

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "<script>alert(1)</script>\u202e"
DEAR = replace(SMS, part_price=800_000, part_cost=100_000)
CHEAP = replace(VIBER, part_price=400_000)


async def the_shop(cabinet: Cabinet) -> Account:
    found = await cabinet.gateway.directory.account_by_login("shop")
    assert found is not None
    return found[0]


async def a_week(cabinet: Cabinet) -> None:
    """Three messages of the shop: one by Viber, one by SMS, one that fails."""
    store, now, account = cabinet.gateway.store, now_ms(), await the_shop(cabinet)
    delivery = plan_delivery((CHEAP, DEAR), now)
    orders: list[Order] = [replace(order(account), delivery=delivery, accepted_at=now) for _ in range(3)]
    await store.admit(orders)
    (first, *others) = await store.claim("viber", "w", 9, 60_000, now)
    await store.record(
        [_answer(first, Taken("v1")), *(_answer(one, Never("9", Fault.NO_ACCOUNT)) for one in others)], now
    )
    await store.keep_receipts([_receipt("viber", "v1")], now)
    (second, third) = await store.claim("smsc", "w", 9, 60_000, now)
    await store.record([_answer(second, Taken("a1")), _answer(third, Never("0x0b", Fault.NUMBER))], now)
    await store.keep_receipts([_receipt("smsc", "a1")], now)


def _answer(handover: Handover, answer: Answer) -> Change:
    return handover.message_id, Answered(handover.step, handover.part, answer)


def _receipt(connector: str, name: str) -> Receipt:
    return Receipt(
        connector=connector, provider_id=name, recipient="", outcome=Outcome.DELIVERED, code="", raw=""
    )


async def tell(cabinet: Cabinet, **states: str) -> None:
    """How connectors stand, as a worker tells."""
    told = {name: replace(UP, state=state, last_error=HOSTILE) for name, state in states.items()}
    await Connectors(cabinet.gateway.store.engine).report("w", told, now_ms())


# ---- home


async def test_home_shows_what_happened_in_words_and_in_tables(cabinet: Cabinet) -> None:
    await a_week(cabinet)
    page = await (await cabinet.person("shop")).open("/")
    main = page.locator("main")
    await expect(main).to_contain_text("3 messages this week: 1 delivered by Viber, 1 by SMS, 1 failed.")
    await expect(main).to_contain_text("The messages of this week have cost 1.20 UAH.")
    await expect(main).to_contain_text("By SMS alone it would have been 0.40 UAH more.")
    await page.locator("section:has(#funnel-title) summary").click()
    rows = await page.locator("section:has(#funnel-title) tbody tr").all_inner_texts()
    assert [" ".join(row.split()) for row in rows] == [
        "Accepted 3", "Delivered by Viber 1", "Read in Viber 0", "Went on to the next step 2",
        "Delivered by SMS 1", "Failed 1",
    ]  # fmt: skip
    today = page.get_by_label("Today")
    await expect(today.locator("dd")).to_have_text(["2", "1", "1.20 UAH", "0.40 UAH"])
    await is_accessible(page)


async def test_home_is_anothers_and_shows_nothing_of_it(cabinet: Cabinet) -> None:
    await a_week(cabinet)
    reply = await cabinet.get("/", "rival", Accept="text/html")
    assert "Send the first message" in reply.text
    assert "--data-urlencode" in reply.text


async def test_home_is_fetched_again_where_it_is_live(cabinet: Cabinet) -> None:
    person = await cabinet.person("shop")
    page = await person.open("/")
    today = page.get_by_label("Today").locator(".figure")
    await expect(today).to_have_text("0")
    await a_week(cabinet)
    await page.evaluate("htmx.ajax('GET', '/', {target: '#live', select: '#live', swap: 'outerHTML'})")
    await expect(page.get_by_label("Today").locator(".figure")).to_have_text("3")


async def test_what_is_live_stays_while_somebody_is_in_it(cabinet: Cabinet) -> None:
    """Else the keyboard would be thrown out of it."""
    page = await (await cabinet.person("boss")).open("/operator")
    ask = """() => document.querySelector('#live').dispatchEvent(
        new CustomEvent('htmx:beforeRequest', {bubbles: true, cancelable: true}))"""
    assert await page.evaluate(ask)
    await page.locator("#live [tabindex='0']").first.focus()
    assert not await page.evaluate(ask)


async def test_who_has_sent_nothing_is_shown_how(cabinet: Cabinet) -> None:
    reply = await cabinet.get("/", "shop", Accept="text/html")
    key = (await cabinet.gateway.directory.keys_of(1))[-1]
    assert f"key={key.prefix}" in reply.text
    assert "http://localhost/api/http.php" in reply.text
    await look_over(cabinet, "/", "shop")


async def test_a_customer_hears_of_a_channel_that_is_away_and_of_no_connector(cabinet: Cabinet) -> None:
    await tell(cabinet, viber="down", smsc="throttled")
    page = await (await cabinet.person("shop")).open("/")
    await expect(page.get_by_role("note").first).to_contain_text("Viber takes no messages just now.")
    text = await page.locator("main").inner_text()
    assert "smsc" not in text
    assert "script" not in text


@pytest.mark.parametrize(
    ("states", "found"),
    [
        pytest.param({"a": "up", "b": "up"}, Rank.WELL, id="all is well"),
        pytest.param({"a": "down", "b": "up"}, Rank.WELL, id="another one carries it"),
        pytest.param({"a": "down", "b": "throttled"}, Rank.OVERLOADED, id="slowly"),
        pytest.param({"a": "paused", "b": "refused"}, Rank.AWAY, id="nobody does"),
        pytest.param({}, Rank.WELL, id="nobody tells"),
    ],
)
async def test_a_channel_stands_as_its_worst_route_and_a_route_as_its_best_connector(
    states: dict[str, str], found: Rank
) -> None:
    health = choice.best((name, replace(UP, state=state)) for name, state in states.items())
    one = Route(channel="sms", prefix="380", ways=(Way(connector="a"), Way(connector="b")))
    assert home.ranks([one], health) == {"sms": found}


@pytest.mark.parametrize(
    ("prefix", "limits", "concerns"),
    [
        ("UA", Limits(), True),
        ("PL", Limits(), False),
        ("PL", Limits(destinations=("*",)), True),
        ("", Limits(), True),
        ("380", Limits(), True),
    ],
)
async def test_a_route_concerns_who_may_send_there(
    cabinet: Cabinet, prefix: str, limits: Limits, concerns: bool
) -> None:
    account = replace(await the_shop(cabinet), limits=limits)
    assert home.concerns(Route(channel="sms", prefix=prefix, ways=()), account) is concerns


# ---- the log of requests


def asked(**more: object) -> Asked:
    one = Asked(now_ms(), 1, 1, "POST", "send", "ok", None, "10.0.0.1", 1, 12)
    return one._replace(**more)  # type: ignore[arg-type]


async def test_the_log_shows_requests_and_why_they_were_refused(cabinet: Cabinet) -> None:
    store = cabinet.gateway.store
    refused = [asked(outcome="not_enough_money"), asked(outcome="key_elsewhere")]
    await store.keep_requests([asked(n=7), *refused, asked(key_id=0, command="balance")])
    await store.keep_requests([asked(account_id=3, origin="192.0.2.7")])
    page = await (await cabinet.person("shop")).open("/requests")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(4)
    await expect(rows.nth(0)).to_contain_text("login and password")
    await expect(rows.nth(1)).to_contain_text("may not be used from this address")
    await expect(rows.nth(2)).to_contain_text("Not enough money")
    await expect(rows.nth(3)).to_contain_text("7")
    await expect(page.locator("main")).not_to_contain_text("192.0.2.7")
    await page.select_option("#outcome", "refused")
    await page.get_by_role("button", name="Show").click()
    await expect(rows).to_have_count(2)
    assert "outcome=refused" in page.url
    await is_accessible(page)


async def test_the_log_has_pages(cabinet: Cabinet) -> None:
    await cabinet.gateway.store.keep_requests([asked(n=i + 1) for i in range(60)])
    page = await (await cabinet.person("shop", java_script_enabled=False)).open("/requests")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(50)
    await page.get_by_role("link", name="Older").click()
    await expect(rows).to_have_count(10)
    await page.get_by_role("link", name="Newest").click()
    await expect(rows).to_have_count(50)


@pytest.mark.parametrize(
    "query", ["before=x", "key=;drop", "outcome=<b>", "before=99999999999999999999", "key=-5"]
)
async def test_a_query_that_nobody_would_write_is_answered(cabinet: Cabinet, query: str) -> None:
    assert (await cabinet.get(f"/requests?{query}", "shop", Accept="text/html")).status == 200


# ---- the overview


async def test_the_overview_shows_rates_states_and_failures(cabinet: Cabinet) -> None:
    await a_week(cabinet)
    await tell(cabinet, viber="up", smsc="down")
    minute = now_ms() - now_ms() % MINUTE_MS - MINUTE_MS
    await Connectors(cabinet.gateway.store.engine).add_minutes(
        [Minute("viber", minute, 90, 90, 0, 0, 0, 0, 5, True)]
    )
    person = await cabinet.person("boss")
    page = await person.open("/operator")
    main = page.locator("main")
    await expect(page.get_by_label("Today").first).to_contain_text("2 delivered, 1 failed")
    await expect(main).to_contain_text("90 parts were submitted in the last hour; at most 90 in a minute.")
    await expect(main).to_contain_text("Connectors did not do 3 parts today.")
    await expect(main).to_contain_text("viber 9")
    await expect(page.locator("tr", has_text="smsc").first).to_contain_text("down")
    await expect(page.locator("tr", has_text="viber").first).to_contain_text("1 min")
    await expect(page.locator("figure[data-plot] canvas")).to_have_count(1)
    await is_accessible(page)


async def test_without_javascript_the_minutes_are_drawn_by_the_server(cabinet: Cabinet) -> None:
    await tell(cabinet, viber="up")
    await Connectors(cabinet.gateway.store.engine).add_minutes(
        [Minute("viber", now_ms() - now_ms() % MINUTE_MS - MINUTE_MS, 90, 90, 0, 0, 0, 0, 5, False)]
    )
    page = await (await cabinet.person("boss", java_script_enabled=False)).open("/operator")
    await expect(page.locator("figure[data-plot] [data-picture] polyline")).to_have_count(1)
    await expect(page.locator("figure[data-plot] tbody tr")).to_have_count(overview.MINUTES)


@pytest.mark.parametrize(("path", "login"), [("/", "shop"), ("/requests", "shop"), ("/operator", "boss")])
async def test_the_pages_are_right_at_every_width_and_in_both_languages(
    cabinet: Cabinet, path: str, login: str
) -> None:
    await a_week(cabinet)
    await tell(cabinet, viber="down", smsc="throttled")
    await cabinet.gateway.store.keep_requests(
        [asked(message_id=84523377, outcome="not_enough_money"), asked()]
    )
    await look_over(cabinet, path, login, f"numbers{path.replace('/', '-')}")


async def test_workers_are_told_together() -> None:
    two = [
        Told("a", w, 0, replace(UP, state=s, sessions=1, rate=r))
        for w, s, r in (("1", "down", None), ("2", "up", 5.0))
    ]
    (first, second) = overview.together(["a", "b"], two)
    assert (first.state, first.sessions, first.rate, second.state) == ("up", 2, 5.0, "")


# ---- charts


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "0 повідомлень"), (1, "1 повідомлення"), (3, "3 повідомлення"), (11, "11 повідомлень")],
)
async def test_numbers_have_their_plurals(n: int, said: str) -> None:
    one = "%(n)s message was accepted in the last 24 hours."
    many = "%(n)s messages were accepted in the last 24 hours."
    assert said in Words("uk", "UTC").several(one, many, n)


async def test_bars_are_there_for_hours_and_days_in_which_nothing_happened() -> None:
    words, now = Words("en", "Europe/Kyiv"), 1_795_896_000_000
    since = hour(now) - 2 * 3_600_000
    assert [bar.n for bar in hourly({hour(now): 4}, since, hour(now) + 3_600_000, words)] == [0, 0, 4]
    bars = daily({}, 3, now, words)
    assert [bar.label for bar in bars] == ["26 Nov 2026", "27 Nov 2026", "28 Nov 2026"]


async def test_a_chart_knows_its_whole_and_its_most() -> None:
    chart = Chart("", ("", ""), [Bar("a", 3, "3"), Bar("b", -1, "-1"), Bar("c", 2, "2")])
    assert (chart.most, chart.total) == (3, 5)
    assert Chart("", ("", ""), []).most == 1
