"""The operator's pages about routes, in a browser: which there are, changes that are shown first, and why."""

from cabinet import Cabinet, look_over
from msgspec.structs import replace
from playwright.async_api import Page, expect
from pytest import mark
from test_worker import STATE

from hopwire.admission import now_ms
from hopwire.model import Price, Route, Way
from hopwire.store.audit import Audit
from hopwire.store.connectors import Connectors
from hopwire.store.prices import PriceBook
from hopwire.store.routes import Routes

pytestmark = mark.asyncio(loop_scope="session")

SPARE = Route(channel="sms", prefix="38050", ways=(Way(connector="smsc", hours="08:00-20:00 Europe/Kyiv"),))


def kept(cabinet: Cabinet) -> Routes:
    return Routes(cabinet.gateway.store.engine)


async def rows(page: Page) -> list[list[str]]:
    return [
        [" ".join(cell.split()) for cell in await row.locator("th,td").all_inner_texts()]
        for row in await page.locator("tbody tr").all()
    ]


# ---- which there are


async def test_routes_of_the_settings_and_of_the_database_are_listed(cabinet: Cabinet) -> None:
    await kept(cabinet).put([SPARE, replace(SPARE, prefix="380")])
    page = await (await cabinet.person("boss")).open("/operator/routes?channel=sms")
    assert [(row[0], row[2], row[4], row[5]) for row in await rows(page)] == [
        ("380 Ukraine", "smsc 1, 08:00-20:00 Europe/Kyiv", "database", "in use"),
        ("380 Ukraine", "smsc 1", "settings", "covered"),
        ("38050 Ukraine", "smsc 1, 08:00-20:00 Europe/Kyiv", "database", "in use"),
    ]
    await page.get_by_label("First digits").fill("Україна")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("No route is like this")).to_be_visible()
    await page.goto(cabinet.base + "/operator/routes?q=ua&connector=viber")
    assert [row[1] for row in await rows(page)] == ["Viber"]
    reply = await page.request.get(cabinet.base + "/operator/routes/export")
    assert (await reply.text()).count("[[routes]]") == 3


# ---- one route


async def test_a_route_is_shown_before_it_is_kept_changed_and_removed(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss", java_script_enabled=False)).open("/operator/routes")
    await page.get_by_role("button", name="New route").click()
    await page.get_by_label("First digits").fill("PL")
    await page.get_by_label("Connector 2", exact=True).select_option("smsc")
    await page.get_by_label("Priority of connector 2").fill("7")
    await page.get_by_label("Hours of connector 2").fill("mon-fri 08:00-20:00 Europe/Kyiv")
    await page.get_by_role("button", name="Show what would change").click()
    assert await rows(page) == [["new", "PL Poland", "SMS", "–", "smsc 7, mon-fri 08:00-20:00 Europe/Kyiv"]]
    assert await kept(cabinet).all() == []
    await page.get_by_role("button", name="Do this").click()
    await expect(page.get_by_role("status")).to_have_text("1 route has changed.")
    (route,) = await kept(cabinet).all()
    assert (route.prefix, route.ways[0].priority) == ("PL", 7)
    await page.goto(cabinet.base + "/operator/routes/edit?channel=sms&prefix=PL")
    await page.get_by_label("Of one priority the cheapest first").check()
    await page.get_by_role("button", name="Show what would change").click()
    await page.get_by_role("button", name="Do this").click()
    assert [one.least_cost for one in await kept(cabinet).all()] == [True]
    await page.goto(cabinet.base + "/operator/routes/edit?channel=sms&prefix=PL")
    await page.get_by_role("button", name="Remove").click()
    assert await kept(cabinet).all() == []
    entries = await Audit(cabinet.gateway.store.engine).entries(9, "route sms PL")
    assert [(one.actor, one.action) for one in entries] == [("boss", "change route")] * 3


async def test_a_route_that_is_wrong_is_told_at_its_field(cabinet: Cabinet) -> None:
    one = {"channel": "sms", "prefix": "380", "connector-0": "smsc"}
    for fields, name in (
        ({"prefix": "+380"}, "prefix"),
        ({"prefix": "XX"}, "prefix"),
        ({"connector-0": ""}, "connector-0"),
        ({"connector-0": "viber"}, "connector-0"),
        ({"connector-0": "<script>"}, "connector-0"),
        ({"connector-2": "smsc"}, "connector-2"),
        ({"priority-0": "-1"}, "priority-0"),
        ({"priority-0": "1001"}, "priority-0"),
        ({"weight-0": "5"}, "weight-0"),
        ({"hours-0": "at night"}, "hours-0"),
    ):
        reply = await cabinet.post("/operator/routes/edit", {**one, **fields}, "boss")
        assert (reply.status, f'id="{name}-error"' in reply.text) == (422, True), fields
        assert "<script>" not in reply.text.replace('<script src="', "")
    reply = await cabinet.post("/operator/routes/edit", {**one, "channel": "pigeon"}, "boss")
    assert (reply.status, await kept(cabinet).all()) == (422, [])


# ---- a file


async def test_routes_that_have_changed_meanwhile_are_shown_again(cabinet: Cabinet) -> None:
    await kept(cabinet).put([SPARE])
    page = await (await cabinet.person("boss")).open("/operator/routes/import")
    await page.get_by_label("Routes, as the settings").fill(
        '[[routes]]\nprefix = "49"\nchannel = "sms"\nconnector = "smsc"'
    )
    await page.get_by_label("Routes of the database").check()
    await page.get_by_role("button", name="Check").click()
    assert [row[:2] for row in await rows(page)] == [["removed", "38050 Ukraine"], ["new", "49 Germany"]]
    await kept(cabinet).put([replace(SPARE, least_cost=True)])
    await page.get_by_role("button", name="Do this").click()
    await expect(page.get_by_role("alert")).to_contain_text("changed meanwhile")
    assert [one.prefix for one in await kept(cabinet).all()] == ["38050"]
    await page.get_by_role("button", name="Do this").click()
    await expect(page.get_by_role("status")).to_have_text("2 routes have changed.")
    assert [one.prefix for one in await kept(cabinet).all()] == ["49"]


async def test_routes_are_changed_only_if_they_are_what_they_were(cabinet: Cabinet) -> None:
    """Also where another change comes between the look and the deed."""
    key = ("sms", "38050")
    assert await kept(cabinet).change_if([SPARE], [], {key: None})
    assert not await kept(cabinet).change_if([], [key], {key: replace(SPARE, least_cost=True)})
    assert await kept(cabinet).all() == [SPARE]


async def test_a_file_that_is_wrong_changes_nothing(cabinet: Cabinet) -> None:
    for text, told in (
        ("", "Please fill this in."),
        ("[[routes", "TOML"),
        ("evil = '<script>\u202e'", "evil: unknown setting"),
        ('[[routes]]\nchannel = "<script>\u202e"\nconnector = "smsc"', "&lt;script&gt;"),
        ("a" + "[" * 5000, "nothing was changed"),
    ):
        reply = await cabinet.post("/operator/routes/import", {"text": text}, "boss")
        assert (reply.status, told in reply.text) == (422, True), text[:20]
        assert "<script>" not in reply.text
    assert await kept(cabinet).all() == []


# ---- why


async def test_the_way_of_a_message_is_told_in_words(cabinet: Cabinet) -> None:
    connectors = Connectors(cabinet.gateway.store.engine)
    await connectors.report("w", {"smsc": replace(STATE, state="down")}, now_ms())
    await PriceBook(cabinet.gateway.store.engine).put([Price("sms", "", 300_000, list="connector:smsc")])
    page = await (await cabinet.person("boss")).open("/operator/routes/explain")
    await page.get_by_label("Number").fill("050 123 45 67")
    await page.get_by_label("Account").fill("shop")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("main")).to_contain_text("0.80 UAH")
    assert await rows(page) == [
        ["1", "smsc", "chosen", "is down: only when no other is up", "down", "–", "–", "1", "1", "0.30"]
    ]
    await cabinet.speaks("boss", "uk")
    await page.reload()
    assert (await rows(page))[0][3] == "не працює: лише коли інших немає"
    await page.goto(cabinet.base + "/operator/routes/explain?number=%2B48601234567")
    await expect(page.locator("main")).to_contain_text("не веде жоден маршрут")
    for query, told in (
        ("number=1", "Це не телефонний номер"),
        ("number=0501234567&account=x", "логіном немає"),
    ):
        await page.goto(f"{cabinet.base}/operator/routes/explain?{query}")
        await expect(page.locator("main")).to_contain_text(told)


# ---- how they look


async def test_the_pages_of_routes_are_good_to_look_at(cabinet: Cabinet) -> None:
    await kept(cabinet).put([SPARE])
    await look_over(cabinet, "/operator/routes", "boss", "routes")
    await look_over(cabinet, "/operator/routes/edit?channel=sms&prefix=380", "boss", "route")


async def test_the_forms_of_routes_are_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/operator/routes/import", "boss", "route-import")
    await look_over(
        cabinet, "/operator/routes/explain?number=0501234567&account=shop", "boss", "route-number"
    )
