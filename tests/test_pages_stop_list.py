"""The stop list in the cabinet: searched, added to, taken from, exported."""

import csv
from io import StringIO

import pytest
from cabinet import Cabinet, look_over
from gateway import answers
from playwright.async_api import expect

from hopwire.store.inbox import EVERYONE, Inbox

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "=1+1 <i>x</i>\u202ey"
RIVAL = 3


def lists(cabinet: Cabinet) -> Inbox:
    return Inbox(cabinet.gateway.store.engine)


async def on_list(cabinet: Cabinet, account_id: int = 1) -> list[str]:
    return [one.number for one in await lists(cabinet).stopped(account_id, 10_000)]


async def test_numbers_are_pasted_refused_found_and_let_go(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("shop")).open("/stop-list")
    await expect(page.get_by_text("Nobody is on the list")).to_be_visible()
    await page.get_by_role("textbox", name="Numbers").fill(
        "050 123-45-67\n+48 601 234 567, 380671234567\n\n0501234567"
    )
    await page.get_by_label("Note").fill("by phone")
    await page.get_by_role("button", name="Add").click()
    await expect(page.get_by_role("status")).to_have_text("3 numbers were put on the list.")
    assert sorted(await on_list(cabinet)) == ["380501234567", "380671234567", "48601234567"]
    stopped = "errors:Parameter to: this recipient has asked for no more messages\n"
    await answers(cabinet.gateway, stopped, command="send", to="0501234567", message="x", **{"from": "test"})

    await page.get_by_label("Number, or how it begins").fill("(050) 123 45 67")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("row")).to_have_count(2)
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("status")).to_contain_text("off the list")
    assert await cabinet.gateway.send()
    await page.goto(f"{cabinet.base}/stop-list?number=%2B38")
    await expect(page.get_by_role("row")).to_have_count(2)
    await page.goto(f"{cabinet.base}/stop-list?number=39")
    await expect(page.get_by_text("No such number")).to_be_visible()


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        pytest.param({"numbers": ""}, "Please fill this in.", id="nothing"),
        pytest.param(
            {"numbers": "0501234567\n<b>12</b>"}, "no phone numbers: &lt;b&gt;12&lt;/b&gt;", id="no number"
        ),
        pytest.param({"numbers": "0501234567,\n" * 1001}, "At most 1000 numbers", id="many"),
        pytest.param({"numbers": "0501234567", "note": "x" * 201}, "At most 200", id="a long note"),
    ],
)
async def test_where_something_is_wrong_no_number_is_added(
    cabinet: Cabinet, typed: dict[str, str], complaint: str
) -> None:
    reply = await cabinet.post("/stop-list", typed, "shop")
    assert reply.status == 422
    assert complaint in reply.text
    assert await on_list(cabinet) == []


async def test_a_number_that_was_there_stays_as_it_was(cabinet: Cabinet) -> None:
    await lists(cabinet).stop(1, "380501234567", 5, "STOP")
    await cabinet.post("/stop-list", {"numbers": "0501234567", "note": "later"}, "shop")
    (one,) = await lists(cabinet).stopped(1, 10)
    assert (one.at, one.note) == (5, "STOP")


async def test_the_list_of_another_is_not_seen_or_changed(cabinet: Cabinet) -> None:
    await lists(cabinet).stop_all(1, ["380501234567"], 5, "private")
    person = await cabinet.person("rival")
    for path in ("/stop-list", "/stop-list?number=380501234567", "/stop-list/export"):
        reply = await person.context.request.get(cabinet.base + path)
        assert "private" not in await reply.text()
    form = {"number": "380501234567"}
    assert (await cabinet.post("/stop-list/remove", form, "rival")).status == 404
    await cabinet.post("/stop-list", {"numbers": "380501234567", "note": "mine"}, "rival")
    assert (await on_list(cabinet, RIVAL), await on_list(cabinet)) == (["380501234567"], ["380501234567"])


async def test_a_number_on_everybodys_list_is_told(cabinet: Cabinet) -> None:
    await lists(cabinet).stop(EVERYONE, "380501234567", 5, "secret")
    reply = await cabinet.get("/stop-list?number=0501234567", "shop")
    assert "from anybody at this gateway" in reply.text
    assert "secret" not in reply.text


async def test_a_long_list_is_read_page_by_page(cabinet: Cabinet) -> None:
    numbers = [f"3805012{i:05}" for i in range(120)]
    await lists(cabinet).stop_all(1, numbers, 5)
    page = await (await cabinet.person("shop")).open("/stop-list")
    seen: list[str] = []
    while True:
        seen += await page.locator("tbody th").all_inner_texts()
        older = page.get_by_role("link", name="Older")
        if not await older.count():
            break
        await older.click()
        await page.wait_for_url("**before=*")
        await expect(page.get_by_role("link", name="Newest")).to_be_visible()
        await expect(page.locator("tbody th").first).not_to_have_text(seen[-50])
        await page.wait_for_load_state()
    assert seen == [f"+{number}" for number in sorted(numbers, reverse=True)]
    for nonsense in ("x", "1-", "99999999999999999-1", "-"):
        assert (await cabinet.get(f"/stop-list?before={nonsense}", "shop")).status == 200


async def test_the_export_has_every_number_and_no_formula(cabinet: Cabinet) -> None:
    numbers = [f"3805012{i:05}" for i in range(1500)]
    await lists(cabinet).stop_all(1, numbers, 1_800_000_000_000, HOSTILE)
    person = await cabinet.person("shop")
    reply = await person.context.request.get(f"{cabinet.base}/stop-list/export")
    assert reply.headers["content-disposition"] == 'attachment; filename="stop-list.csv"'
    head, *rows = csv.reader(StringIO(await reply.text(), newline=""))
    assert head == ["number", "since", "note"]
    assert [row[0] for row in rows] == numbers
    assert {row[2] for row in rows} == {f"'{HOSTILE}"}


async def test_the_page_of_the_stop_list_is_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/stop-list", "rival", "stop-list-none")
    for i, note in enumerate(("STOP", "said on viber", HOSTILE, "asked by phone", "")):
        await lists(cabinet).stop(1, f"38050123456{i}", 1_790_000_000_000 + i, note)
    await look_over(cabinet, "/stop-list", "shop", "stop-list")
