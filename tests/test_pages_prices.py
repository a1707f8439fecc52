"""The operator's pages about prices, in a browser: lists, one row, a file, and who pays what."""

import re

import pytest
from cabinet import Cabinet, look_over
from playwright.async_api import Page, expect

from hopwire.admission import now_ms
from hopwire.model import Price
from hopwire.store.audit import Audit
from hopwire.store.prices import PriceBook
from hopwire.web.pages.prices import prefixes_of
from hopwire.web.pages.words import Words

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEAD = "list,channel,type,prefix,valid_from,price\n"
GOLD = "plan:gold,sms,,380,,0.7\n"


def book(cabinet: Cabinet) -> PriceBook:
    return PriceBook(cabinet.gateway.store.engine)


async def priced(cabinet: Cabinet) -> None:
    """Prices of every kind of list."""
    later = now_ms() // 1000 * 1000 + 86_400_000
    await book(cabinet).put([
        Price("sms", "380", 700_000, list="plan:gold"),
        Price("sms", "380", 750_000, list="plan:gold", valid_from=1_700_000_000_000),
        Price("sms", "380", 900_000, list="plan:gold", valid_from=later),
        Price("sms", "38050", 500_000, "transactional", "account:1"),
        Price("sms", "380", 350_000, list="connector:smsc"),
        Price("viber", "", 450_000, list="connector:viber"),
        Price("sms", "48", 1_500_000),
    ])  # fmt: skip


async def first_cells(page: Page) -> list[str]:
    return [" ".join(one.split()) for one in await page.locator("tbody th").all_inner_texts()]


# ---- the lists


async def test_lists_are_looked_through_by_list_channel_prefix_and_country(cabinet: Cabinet) -> None:
    await priced(cabinet)
    page = await (await cabinet.person("boss")).open("/operator/prices")
    await expect(page.locator("tbody tr")).to_have_count(9)
    await page.get_by_label("List").select_option("plan:gold")
    await page.get_by_role("button", name="Show").click()
    states = [one.strip() for one in await page.locator("tbody .badge").all_inner_texts()]
    assert states == ["not yet", "counts", "replaced"]
    await page.goto(cabinet.base + "/operator/prices?q=poland")
    assert await first_cells(page) == ["every number", "48 Poland", "every number", "every number"]
    await page.goto(cabinet.base + "/operator/prices?q=38050&channel=sms&list=account:shop")
    assert await first_cells(page) == ["38050 Ukraine"]
    await page.goto(cabinet.base + "/operator/prices?q=nowhere")
    await expect(page.get_by_text("No price is like this")).to_be_visible()


@pytest.mark.parametrize(
    ("typed", "prefixes"),
    [
        pytest.param("", (), id="nothing"),
        pytest.param("+38 050", ("38050",), id="digits as people write them"),
        pytest.param("ua", ("380",), id="a code"),
        pytest.param("Укр", ("380",), id="the begin of a name"),
        pytest.param("%' OR 1", ("?",), id="nothing that there is"),
    ],
)
async def test_what_is_looked_for_is_digits_or_a_country(typed: str, prefixes: tuple[str, ...]) -> None:
    assert prefixes_of(typed, Words("uk", "UTC")) == prefixes


async def test_a_long_list_has_pages(cabinet: Cabinet) -> None:
    await book(cabinet).put([Price("sms", str(number), 1) for number in range(400, 550)])
    page = await (await cabinet.person("boss")).open("/operator/prices?list=everyone&channel=sms")
    seen = await first_cells(page)
    await page.get_by_role("link", name="Older").click()
    seen += await first_cells(page)
    assert (len(seen), len(set(seen))) == (151, 151)
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)
    assert (await cabinet.get("/operator/prices?after=nonsense", "boss")).status == 404


async def test_prices_leave_as_the_file_that_would_change_nothing(cabinet: Cabinet) -> None:
    await priced(cabinet)
    person = await cabinet.person("boss")
    page = await person.open("/operator/prices")
    async with page.expect_download() as found:
        await page.get_by_role("button", name="Export").click()
    text = (await (await found.value).path()).read_text()
    assert text.startswith(HEAD.strip())
    await page.goto(cabinet.base + "/operator/prices/import")
    await page.get_by_label("CSV file").set_input_files(
        {"name": "prices.csv", "mimeType": "text/csv", "buffer": text.encode("utf-8-sig")}
    )
    await page.get_by_label("The lists in the file become").check()
    await page.get_by_role("button", name="Check").click()
    await expect(page.get_by_text("There is nothing to do")).to_be_visible()


# ---- one row


async def test_a_price_is_entered_changed_and_removed_and_the_audit_knows(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss", java_script_enabled=False)).open("/operator/prices")
    await page.get_by_role("button", name="New price").click()
    await page.get_by_label("Whose price").select_option("account")
    await page.get_by_label("Name").fill("shop")
    await page.get_by_label("First digits").fill("38067")
    await page.get_by_label("Price of a part").fill("0,65")
    await page.get_by_label("Since").fill("2026-01-02T03:00")
    await page.get_by_role("button", name="Keep").click()
    await expect(page.get_by_role("status")).to_have_text("The price has been kept.")
    at = 1_767_315_600_000  # 2026-01-02T01:00Z: the operator's clock is Kyiv's
    row = Price("sms", "38067", 650_000, "", "account:1", at)
    assert row in await book(cabinet).all()
    await page.get_by_role("link", name="Change").click()
    await expect(page.get_by_label("Since")).to_have_value("2026-01-02T03:00")
    await page.get_by_label("Price of a part").fill("0.6")
    await page.get_by_role("button", name="Keep").click()
    assert row._replace(price=600_000) in await book(cabinet).all()
    await page.get_by_role("link", name="Change").click()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("status")).to_have_text("The price has been removed.")
    assert not [one for one in await book(cabinet).all() if one.prefix == "38067"]
    entries = await Audit(cabinet.gateway.store.engine).entries(3, "price list account:1")
    assert {(one.actor, one.action) for one in entries} == {("boss", "change prices")}


WRONG = [
    ({"price": "much"}, "an amount is a decimal number"),
    ({"price": "-1"}, "must not be negative"),
    ({"prefix": "+380"}, "up to 15 digits"),
    ({"since": "soon"}, "is no date"),
    ({"kind": "account", "name": "nobody"}, "no account with this login"),
    ({"kind": "connector", "name": "x"}, "no connector of this name"),
    ({"kind": "plan"}, "Please fill this in"),
    ({"kind": "plan", "name": "a\u202eb"}, "printable characters"),
    ({"channel": "pigeon"}, "Nothing was done"),
    ({"kind": "ours", "name": "x"}, "list must be empty"),
]


async def test_a_price_that_is_wrong_is_told_and_not_kept(cabinet: Cabinet) -> None:
    before = await book(cabinet).all()
    for fields, told in WRONG:
        given = {"channel": "sms", "price": "1", "prefix": "380"} | fields
        reply = await cabinet.post("/operator/prices/edit", given, "boss")
        assert (reply.status, told.lower() in reply.text.lower()) == (422, True), fields
    assert await book(cabinet).all() == before


async def test_a_price_that_has_changed_since_it_was_looked_at_is_not_removed(cabinet: Cabinet) -> None:
    shown = {"list": "", "channel": "sms", "type": "", "prefix": "", "since": "0", "price": "1"}
    before = await book(cabinet).all()
    reply = await cabinet.post("/operator/prices/remove", shown, "boss")
    assert (reply.status, reply.headers["location"]) == (303, "/operator/prices")
    assert await book(cabinet).all() == before


# ---- a file


async def checked(page: Page, text: str) -> None:
    await page.goto(page.url.partition("/operator")[0] + "/operator/prices/import")
    await page.get_by_label("Or its rows").fill(text)
    await page.get_by_role("button", name="Check").click()


async def test_a_file_is_shown_before_it_is_done(cabinet: Cabinet) -> None:
    await book(cabinet).put(
        [Price("sms", "380", 700_000, list="plan:gold"), Price("sms", "48", 1, list="plan:gold")]
    )
    page = await (await cabinet.person("boss", java_script_enabled=False)).open("/operator/prices/import")
    await page.get_by_label("Or its rows").fill(
        HEAD + GOLD.replace("0.7", "0.65") + "plan:gold,viber,,,,0.3\n"
    )
    await page.get_by_label("The lists in the file become").check()
    await page.get_by_role("button", name="Check").click()
    assert [one.strip() for one in await page.locator("tbody .badge").all_inner_texts()] == [
        "changed", "removed", "new",
    ]  # fmt: skip
    before = await book(cabinet).all()
    assert Price("sms", "48", 1, list="plan:gold") in before
    await page.get_by_role("button", name="Do this").click()
    await expect(page.get_by_role("status")).to_have_text("3 prices have changed.")
    gold = [one for one in await book(cabinet).all() if one.list == "plan:gold"]
    assert gold == [
        Price("sms", "380", 650_000, "", "plan:gold"),
        Price("viber", "", 300_000, "", "plan:gold"),
    ]


async def test_prices_that_have_changed_meanwhile_are_shown_again(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss")).open("/operator/prices/import")
    await checked(page, HEAD + GOLD)
    await book(cabinet).put([Price("sms", "380", 600_000, list="plan:gold")])
    await page.get_by_role("button", name="Do this").click()
    await expect(page.get_by_role("alert")).to_contain_text("changed meanwhile")
    assert Price("sms", "380", 600_000, list="plan:gold") in await book(cabinet).all()
    await expect(page.locator("tbody .badge")).to_have_text("changed")
    await page.get_by_role("button", name="Do this").click()
    await expect(page.get_by_role("status")).to_have_text("1 price has changed.")


async def test_prices_are_applied_only_if_they_are_what_they_were(cabinet: Cabinet) -> None:
    """Also where another change comes between the look and the deed."""
    from hopwire.prices import Change

    row = Price("sms", "380", 0, list="plan:gold")
    assert await book(cabinet).apply([Change(row, None, 5)])
    assert not await book(cabinet).apply([Change(row, None, 6), Change(row._replace(prefix="48"), None, 7)])
    assert [one.price for one in await book(cabinet).all() if one.list == "plan:gold"] == [5]


EVIL = "<script>alert(1)</script>\u202e"
NASTY = (
    ",sms,,=380,,=1+1",
    f"{EVIL},sms,,380,,1",
    f"account:{EVIL},sms,,380,,1",
    f"plan:{EVIL},sms,,380,,1",
    f",sms,,380,{EVIL},1",
    ",sms,,380,,1e400",
    ",sms,,380,9999-12-31T23:59:59-23:59,NaN",
    ",pigeon,,380,,1",
    ",sms",
)


async def test_a_nasty_file_is_text_and_changes_nothing(cabinet: Cabinet) -> None:
    before = await book(cabinet).all()
    page = await (await cabinet.person("boss")).open("/operator/prices/import")
    await checked(page, HEAD + "\n".join(NASTY))
    await expect(page.get_by_role("alert")).to_contain_text("9 lines cannot be used")
    assert await first_cells(page) == ["2", "3", "4", "5", "6", "7", "8", "9", "10"]
    told = await page.locator("tbody td").all_inner_texts()
    assert "<script>alert(1)</script>" in told[2]
    assert "\u202e" not in "".join(told)
    await cabinet.speaks("boss", "uk")
    await page.reload()  # the form, sent again
    told = await page.locator("tbody td").all_inner_texts()
    assert all(re.search("[а-яії]", one) for one in told), told
    assert await book(cabinet).all() == before


async def test_files_as_programs_write_them(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss")).page()
    for data, told in (
        (b"PK\x03\x04\xff\xfe\x00", "no text in UTF-8"),
        ((HEAD + "plan:\u0456,sms,,380,,1").encode("cp1251"), "no text in UTF-8"),
        ((HEAD + GOLD).encode("utf-16"), "What happens"),
        ((HEAD + GOLD).replace(",", ";").encode(), "What happens"),
        (b" \n", "Choose a file"),
        (b"\0" * 100, "cannot be used"),
    ):
        await page.goto(cabinet.base + "/operator/prices/import")
        file = {"name": "x.csv", "mimeType": "text/csv", "buffer": data}
        await page.get_by_label("CSV file").set_input_files(file)  # type: ignore[arg-type]
        await page.get_by_role("button", name="Check").click()
        await expect(page.locator("main")).to_contain_text(told)


# ---- who pays what


async def test_who_pays_what_for_a_number_and_what_is_left_of_it(cabinet: Cabinet) -> None:
    await priced(cabinet)
    page = await (await cabinet.person("boss")).open("/operator/prices/number")
    await page.get_by_label("Number").fill("050 123 45 67")
    await page.get_by_label("Account").fill("shop")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("heading", name="+380501234567")).to_be_visible()
    rows = await rows_of(page, "Price of a part")
    assert rows[0] == [
        "SMS, transactional as usual", "0.50 UAH", "account shop: 38050, transactional", "ever",
        "everyone: every number, 0.80",
    ]  # fmt: skip
    assert rows[1][1:3] == ["0.80 UAH", "everyone: every number, both types"]
    costs = {tuple(row[:2]): row[2:] for row in await rows_of(page, "Cost and margin")}
    assert costs["smsc", "SMS, transactional"] == ["0.35", "0.15", "30 %"]
    assert costs["viber", "Viber, promotional"] == ["0.45", "-0.05 a loss", "-12.5 %"]


async def rows_of(page: Page, label: str) -> list[list[str]]:
    found = page.get_by_role("region", name=label).locator("tbody tr")
    return [
        [" ".join(cell.split()).replace(" :", ":") for cell in await row.locator("th,td").all_inner_texts()]
        for row in await found.all()
    ]


async def test_prices_of_a_number_for_whom(cabinet: Cabinet) -> None:
    await priced(cabinet)
    page = await (await cabinet.person("boss")).page()
    for query, told in (
        ("number=%2B380501234567&plan=gold", "0.75"),
        ("number=%2B48601234567", "1.50"),
        ("number=12", "This is no phone number."),
        ("number=%2B380501234567&account=nobody", "no account with this login"),
        ("number=%2B380501234567&account=shop&plan=gold", "not both"),
    ):
        await page.goto(f"{cabinet.base}/operator/prices/number?{query}")
        await expect(page.locator("main")).to_contain_text(told)


async def test_a_sub_account_pays_at_least_what_its_reseller_does(cabinet: Cabinet) -> None:
    seller = await cabinet.account("seller")
    child = await cabinet.account("child", parent_id=seller.id)
    await book(cabinet).put([Price("sms", "", 300_000, list=f"account:{child.id}")])
    page = await (await cabinet.person("boss")).open(
        "/operator/prices/number?number=0501234567&account=child"
    )
    await expect(page.locator("main")).to_contain_text("raised to what the reseller pays")


# ---- how they look


async def test_the_pages_of_prices_are_good_to_look_at(cabinet: Cabinet) -> None:
    await priced(cabinet)
    await look_over(cabinet, "/operator/prices", "boss", "prices")
    await look_over(
        cabinet, "/operator/prices/edit?list=plan:gold&channel=sms&prefix=380&since=0", "boss", "price"
    )


async def test_the_forms_of_prices_are_good_to_look_at(cabinet: Cabinet) -> None:
    await priced(cabinet)
    await look_over(cabinet, "/operator/prices/import", "boss", "price-import")
    await look_over(cabinet, "/operator/prices/number?number=0501234567&account=shop", "boss", "price-number")
