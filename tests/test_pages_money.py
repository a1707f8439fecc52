"""Money in the cabinet: balances, statements that add up, prices, top-ups."""

import asyncio
import csv
from decimal import Decimal
from io import StringIO

import pytest
from cabinet import Cabinet, look_over
from playwright.async_api import expect

from hopwire import limits, tallies
from hopwire.admission import now_ms
from hopwire.model import Outcome, Price, Receipt, Taken
from hopwire.store.ledger import Ledger, Moved, Movement
from hopwire.store.prices import PriceBook
from hopwire.web.pages.money import Month, statement_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = '=cmd() <b onclick="x">paid</b>\u202e'
MINUTE_MS = 60_000


async def spend(cabinet: Cabinet) -> None:
    """An SMS for 0.8, and a Viber message for 0.4; one of them is still on its way."""
    await cabinet.gateway.send()
    await cabinet.gateway.play_worker("smsc", Taken("s"))
    await cabinet.gateway.send(viber="1", viber_sms="1")
    await cabinet.gateway.play_worker("viber", Taken("v"))
    receipt = Receipt(
        connector="viber", provider_id="v", recipient="", outcome=Outcome.DELIVERED, code="0", raw=""
    )
    await cabinet.gateway.store.keep_receipts([receipt], now_ms())
    await cabinet.gateway.send()


async def exported(cabinet: Cabinet, login: str, month: str = "") -> list[list[str]]:
    person = await cabinet.person(login)
    reply = await person.context.request.get(f"{cabinet.base}/money/statement?month={month}")
    assert reply.headers["content-disposition"].startswith('attachment; filename="statement-')
    return list(csv.reader(StringIO(await reply.text(), newline="")))


async def test_the_month_is_told_by_days_and_by_movements_and_both_add_up(cabinet: Cabinet) -> None:
    ledger = Ledger(cabinet.gateway.store.engine)
    await ledger.adjust(1, -5_500_000, HOSTILE, now_ms())
    await spend(cabinet)
    page = await (await cabinet.person("shop")).open("/money")
    await expect(page.get_by_role("region", name="Can be spent now")).to_contain_text("92.50 UAH")
    await expect(page.get_by_role("region", name="Set aside")).to_contain_text("0.80 UAH")
    together = page.get_by_role("row", name="Together")
    await expect(together.get_by_role("cell")).to_have_text(["+94.50", "-0.40", "-0.80", "93.30"])
    await expect(page.get_by_text("=cmd() <b onclick")).to_contain_text("⟨U+202E⟩")

    head, opening, *rows, closing = await exported(cabinet, "shop")
    assert head == ["time", "kind", "message", "note", "amount", "balance"]
    assert (opening[1], opening[5], closing[1], closing[5]) == ("opening", "0", "closing", "93.3")
    assert sum(Decimal(row[4]) for row in rows) == Decimal("93.3")
    assert [row[1] for row in rows] == ["topup", "adjustment", "charge", "charge"]
    assert (rows[1][3], rows[1][4]) == (f"'{HOSTILE}", "-5.5")


async def test_the_month_before_has_what_was_left_by_then(cabinet: Cabinet) -> None:
    since, _ = limits.month(limits.named("month", now_ms(), "Europe/Kyiv"), "Europe/Kyiv")
    await Ledger(cabinet.gateway.store.engine).top_up(1, 7_000_000, "early", since - 1)
    page = await (await cabinet.person("shop")).open("/money")
    await expect(page.get_by_role("row", name="Balance before")).to_contain_text("7.00")
    await page.get_by_role("link", name="The month before").click()
    together = page.get_by_role("row", name="Together")
    await expect(together.get_by_role("cell")).to_have_text(["+7.00", "–", "–", "7.00"])
    await page.get_by_role("link", name="The month after").click()
    await expect(page.get_by_role("link", name="The month after")).to_have_count(0)


async def test_a_month_that_was_not_counted_by_days_is_in_the_file_alone(cabinet: Cabinet) -> None:
    await spend(cabinet)
    cabinet.gateway.rows("DELETE FROM tallies")
    reply = await cabinet.get("/money", "shop")
    assert "older than its sums by days" in reply.text
    assert len(await exported(cabinet, "shop")) == 6


@pytest.mark.parametrize("month", ["", "2026-13", "0000-00", "9999-12", "x", "1969-12", "2026-1"])
async def test_a_month_that_is_none_is_the_present_one(cabinet: Cabinet, month: str) -> None:
    reply = await cabinet.get(f"/money?month={month}", "shop")
    assert reply.status == 200
    assert "The month after" not in reply.text


async def test_the_money_of_another_is_not_seen(cabinet: Cabinet) -> None:
    await Ledger(cabinet.gateway.store.engine).top_up(1, 1, "private", now_ms())
    assert "private" not in (await cabinet.get("/money", "rival")).text
    assert [row[1] for row in await exported(cabinet, "rival")] == ["kind", "opening", "closing"]


async def test_top_ups_are_read_page_by_page(cabinet: Cabinet) -> None:
    ledger = Ledger(cabinet.gateway.store.engine)
    for i in range(45):
        await ledger.top_up(1, 1_000_000, f"bill {i}.", 1_700_000_000_000)
    page = await (await cabinet.person("shop")).open("/money?month=2026-01")
    seen: list[str] = []
    for shown in (20, 20, 6):
        hand = page.get_by_role("region", name="Top-ups and corrections").locator("tbody tr")
        await expect(hand).to_have_count(shown)
        seen += await hand.all_inner_texts()
        if shown == 20:
            older = await page.get_by_role("link", name="Older").get_attribute("href")
            await page.goto(f"{cabinet.base}{older}")
    assert len(set(seen)) == 46


# ---- prices


async def test_what_a_message_costs_is_what_it_would_be_sold_for(cabinet: Cabinet) -> None:
    book = PriceBook(cabinet.gateway.store.engine)
    await book.put(
        [
            Price("sms", "38067", 1_250_000, list="account:1"),
            Price("viber", "380", 250_000, "transactional"),
        ]
    )
    while "price:1.25" not in await cabinet.gateway.ask(command="price", to="067 123 45 67"):  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # every process looks now and then whether prices have changed
    page = await (await cabinet.person("shop")).open("/money")
    await page.get_by_label("To this number").fill("067 123 45 67")
    await page.get_by_role("button", name="Show the price").click()
    prices = page.get_by_role("region", name="What a message costs").get_by_role("status")
    await expect(prices).to_have_text(
        "Viber message0.40 UAHViber message by an approved template0.25 UAHSMS, each part1.25 UAH"
    )
    await page.goto(f"{cabinet.base}/money?to=%2B48601234567")
    await expect(page.get_by_text("Nothing can be sent to this number")).to_be_visible()
    await page.goto(f"{cabinet.base}/money?to=12")
    await expect(page.get_by_text("valid receiver phone number")).to_be_visible()
    assert "1.25" not in (await cabinet.get("/money?to=0671234567", "rival")).text


# ---- days


def by_hand(at: int, amount: int) -> Movement:
    return Movement(1, at, "topup", amount, None, None, "", None, "")


@pytest.mark.parametrize("zone", ["Europe/Kyiv", "Asia/Kolkata", "America/St_Johns", "UTC"])
async def test_days_of_a_month_lead_from_its_opening_to_its_closing(zone: str) -> None:
    since, until = limits.month("2026-03", zone)
    first = tallies.hour(since + tallies.HOUR_MS - 1)
    moved = Moved(
        balance=1000,
        by_hand=[by_hand(until + 1, 70), by_hand(since, 500), by_hand(since - MINUTE_MS, 9000)],
        by_messages=[
            (first, "spent", "sms", 30),
            (first, "spent", "viber", 20),
            (first + 48 * tallies.HOUR_MS, "commission", "", 5),
            (tallies.hour(until) + tallies.HOUR_MS, "spent", "sms", 1),
        ],
        counted=True,
    )
    found = statement_of(moved, Month("2026-03", since, until, "", ""), zone)
    assert (found.opening, found.closing) == (1000 - 70 + 1 - 5 + 50 - 500, 1000 - 70 + 1)
    assert [day[1:] for day in found.days] == [(500, -20, -30, 0, 926), (0, 0, 0, 5, 931)]
    assert found.days[0].at == since


# ---- what it looks like


async def test_the_page_of_money_is_good_to_look_at(cabinet: Cabinet) -> None:
    await cabinet.gateway.directory.set_account(1, {"credit_limit": 50_000_000})
    ledger = Ledger(cabinet.gateway.store.engine)
    for days, amount, note in (
        (5, 250_000_000, "invoice 17"),
        (3, -12_000_000, HOSTILE),
        (1, 99_990_000, ""),
    ):
        await ledger.top_up(1, amount, note, now_ms() - days * 86_400_000)
    await spend(cabinet)
    await look_over(cabinet, "/money?to=0501234567", "shop", "money")
    await look_over(cabinet, "/money", "rival", "money-none")
