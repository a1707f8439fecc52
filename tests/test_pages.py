"""What is true of every page: who may see it, how it is answered, what it says."""

import re
from pathlib import Path

import pytest
from cabinet import PASSWORD, Cabinet, filled, is_accessible, look_over
from gateway import get
from playwright.async_api import expect
from sentences import catalogs, said, translated

from hopwire.web.pages import PAGES, guard, nav
from hopwire.web.pages.assets import assets
from hopwire.web.pages.marks import cell, csv_lines, visible
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Who
from hopwire.web.pages.words import Words, language_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parent.parent
BOXES = re.compile(r"%\(\w+\)s")


BARE = ("/send/picture",)  # nothing without a query
GETS = [page for page in PAGES if not page.posts]
POSTS = [page for page in PAGES if page.posts]


def pages(some: list[Page]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", [pytest.param(one, id=one.path) for one in some])


# ---- who may see what


async def test_each_role_sees_its_pages_and_no_others(cabinet: Cabinet) -> None:
    """Every page of the table, for everybody; what is somebody else's is tested where it is made."""
    dealer = await cabinet.account("dealer", language="en")
    await cabinet.account("branch", parent_id=dealer.id, language="en")
    customers = [(login, Who.CUSTOMER) for login in ("rival", "dealer", "branch")]
    for page in GETS:
        path = filled(page.path)
        for login, role in (("", Who.VISITOR), *customers, ("boss", Who.OPERATOR)):
            reply = await cabinet.get(path, login, Accept="text/html")
            where = f"{path} as {login or 'a visitor'}"
            if page.who <= role:
                found = path == page.path and path not in BARE
                assert reply.status in ((200, 303) if found else (404,)), where
                assert not reply.headers.get("location", "").startswith("/sign-in?"), where
            elif role is Who.VISITOR:
                assert (reply.status, reply.headers["location"][:13]) == (303, "/sign-in?next"), where
            else:
                assert reply.status == 404, where


async def test_a_form_is_taken_only_from_pages_of_ours(cabinet: Cabinet) -> None:
    cookie = f"Cookie: hopwire={await cabinet.session('boss')}"
    for page in POSTS:
        for headers in (["Sec-Fetch-Site: cross-site"], ["Origin: http://evil.example"], []):
            reply = await cabinet.gateway.post(filled(page.path), b"", cookie, *headers)
            assert reply.status == 403, f"{page.path} with {headers}"


async def test_what_stands_in_the_menu_is_there() -> None:
    assert {entry.path for entry in (*nav.CABINET, *nav.OPERATOR)} <= {page.path for page in GETS}


async def test_forms_of_others_are_not_there_for_who_may_not_see_them(cabinet: Cabinet) -> None:
    for page in POSTS:
        path = filled(page.path)
        if page.who > Who.VISITOR:
            reply = await cabinet.post(path, {})
            assert (reply.status, reply.headers["location"][:13]) == (303, "/sign-in?next"), path
        if page.who > Who.CUSTOMER:
            assert (await cabinet.post(path, {}, "rival")).status == 404, path


@pytest.mark.parametrize(
    ("method", "headers", "ours"),
    [
        pytest.param("GET", {"sec-fetch-site": "cross-site"}, True, id="looking is free"),
        pytest.param("POST", {"sec-fetch-site": "same-origin"}, True, id="the same origin"),
        pytest.param("POST", {"sec-fetch-site": "none"}, True, id="typed by hand"),
        pytest.param("POST", {"sec-fetch-site": "same-site"}, False, id="a neighbour"),
        pytest.param(
            "POST", {"origin": "https://a.example", "host": "a.example"}, True, id="an older browser"
        ),
        pytest.param("POST", {"origin": "https://b.example", "host": "a.example"}, False, id="another host"),
        pytest.param("POST", {"origin": "null", "host": "a.example"}, False, id="a sandbox"),
        pytest.param("POST", {"cookie": "hopwire=x"}, False, id="a cookie and no word of where from"),
        pytest.param("POST", {}, True, id="a program without a cookie"),
    ],
)
async def test_where_a_form_comes_from(method: str, headers: dict[str, str], ours: bool) -> None:
    assert guard.is_ours(method, headers) is ours


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\nb", "\\\\evil"],
)
async def test_nobody_is_led_elsewhere(cabinet: Cabinet, elsewhere: str) -> None:
    assert guard.inner(elsewhere) == "/"
    fields = {"login": "rival", "password": "wrong", "next": elsewhere}
    assert (await cabinet.post("/look", {**fields, "language": "uk"})).headers["location"] == "/"


# ---- how it is answered


async def test_every_answer_is_guarded(cabinet: Cabinet) -> None:
    for path in ("/sign-in", "/", "/nothing-here"):
        reply = await cabinet.get(path, "rival", Accept="text/html")
        for name, value in guard.HEADERS.items():
            assert reply.headers[name.lower()] == value, f"{name} of {path}"


async def test_a_browser_is_shown_a_page_where_there_is_none_and_a_program_a_line(cabinet: Cabinet) -> None:
    reply = await cabinet.get("/nothing-here", Accept="text/html")
    assert (reply.status, reply.text.count("<h1>")) == (404, 1)
    reply = await cabinet.get("/nothing-here")
    assert (reply.status, reply.text) == (404, "Not found\n")


async def test_a_form_that_is_too_large_or_has_no_length_is_refused(cabinet: Cabinet) -> None:
    big = {"login": "x" * 1_048_577}
    assert (await cabinet.post("/sign-in", big)).status == 413
    head = ["Sec-Fetch-Site: none", "Transfer-Encoding: chunked"]
    assert (await cabinet.gateway.say(get("/sign-in", *head, method="POST") + b"0\r\n\r\n")).status == 411


async def test_what_the_browser_keeps_has_its_hash_in_its_address(cabinet: Cabinet) -> None:
    asset = assets()["hopwire.css"]
    reply = await cabinet.get(asset.address)
    assert (reply.status, reply.body) == (200, asset.body)
    assert "immutable" in reply.headers["cache-control"]
    old = asset.address.replace(asset.address.split("/")[2], "000000000000")
    assert (await cabinet.get(old)).status == 404


async def test_what_is_served_is_what_the_lock_file_names() -> None:
    packages = ROOT / "requirements/npm/node_modules"
    assert packages.exists(), "scripts/test installs them"
    served = ROOT / "hopwire/web/pages/static/vendor"
    origin = {
        "pico.css": "@picocss/pico/css/pico.min.css",
        "htmx.js": "htmx.org/dist/htmx.min.js",
        "uplot.js": "uplot/dist/uPlot.iife.min.js",
        "uplot.css": "uplot/dist/uPlot.min.css",
        "pico.licence.txt": "@picocss/pico/LICENSE.md",
        "htmx.licence.txt": "htmx.org/LICENSE",
        "uplot.licence.txt": "uplot/LICENSE",
    }
    assert {path.name for path in served.iterdir()} == set(origin)
    for name, package in origin.items():
        assert (served / name).read_bytes() == (packages / package).read_bytes(), name


async def test_templates_have_no_script_or_style_of_their_own() -> None:
    for path in (ROOT / "hopwire/web/pages/templates").glob("*.html"):
        text = path.read_text("utf-8")
        for part in (
            "style=",
            "<style",
            "onclick",
            "javascript:",
            "|safe",
            "| safe",
            "hx-on",
            "{% autoescape false",
        ):
            assert part not in text, f"{path.name}: {part}"
        assert "<script>" not in text, path.name


# ---- signing in


async def test_signing_in_leads_to_where_one_wanted_to_go(cabinet: Cabinet) -> None:
    person = await cabinet.person()
    page = await person.open("/prove")
    await page.get_by_label("Login or e-mail").fill("rival")
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("Wrong login/password")
    await page.get_by_label("Password").fill("a right one")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(cabinet.base + "/prove")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("status")).to_have_text("You have signed out.")
    await page.goto(cabinet.base + "/prove")
    await expect(page).to_have_url(re.compile("/sign-in"))


async def test_language_and_colours_stay_as_chosen(cabinet: Cabinet) -> None:
    person = await cabinet.person("rival")
    page = await person.open("/")
    await page.get_by_label("Language").select_option("uk")
    await page.get_by_label("Colours").select_option("dark")
    await page.get_by_role("button", name="Apply").click()
    assert await page.locator("html").get_attribute("lang") == "uk"
    assert await page.locator("html").get_attribute("data-theme") == "dark"
    await is_accessible(page)
    other = await cabinet.person("rival")
    assert await (await other.open("/")).locator("html").get_attribute("lang") == "uk"


async def test_the_sign_in_page_is_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/sign-in", "", "sign-in")
    await look_over(cabinet, "/prove", "rival")


# ---- what is said


async def test_every_sentence_is_in_ukrainian_and_none_is_left_over() -> None:
    spoken, known = said(), translated("uk")
    missing = [f'msgid "{one}"  # {where}' for one, where in spoken.items() if one not in known]
    assert not missing, "\n".join(missing)
    assert not [one for one in known if one not in spoken]
    for one, message in known.items():
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings) and not message.fuzzy, one
        source = one if isinstance(one, str) else one[-1]
        for string in map(str, strings):
            assert sorted(BOXES.findall(string)) == sorted(BOXES.findall(source)), one


async def test_no_sentence_is_translated_twice() -> None:
    seen: dict[object, str] = {}
    for path, catalog in catalogs("uk"):
        for message in catalog:
            assert not message.id or message.id not in seen, (
                f"{message.id} in {seen[message.id]} and {path.name}"
            )
            seen[message.id] = path.name


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("uk-UA,uk;q=0.9,en;q=0.8", "uk"), ("en-GB", "en"), ("de,uk;q=0.5", "uk"), ("de", "en"), ("", "en")],
)
async def test_a_visitor_reads_his_language(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


async def test_numbers_money_and_moments_are_written_as_the_reader_does() -> None:
    english, ukrainian = Words("en", "UTC"), Words("uk", "Europe/Kyiv")
    assert english.money(1_234_567_000_000, "UAH") == "1,234,567.00 UAH"
    assert ukrainian.money(1_234_500_000) == "1\N{NO-BREAK SPACE}234,50"
    assert english.money(400_125) == "0.400125"
    assert english.moment(1_800_000_000_000) == "15 Jan 2027, 08:00"
    assert ukrainian.moment(1_800_000_000_000, seconds=True) == "15 січ. 2027, 10:00:00"
    assert english.percent(0.1234) == "12.3 %"
    assert english.ago(0, 120_000) == "2 minutes ago"


# ---- text of strangers


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        pytest.param("Добрий день\nще", "Добрий день\nще", id="ordinary text"),
        pytest.param("a\u202eb", "a⟨U+202E⟩b", id="turned around"),
        pytest.param("pay\u200bpal", "pay⟨U+200B⟩pal", id="hidden"),
        pytest.param("x\x00\x1b[31m", "x⟨U+0000⟩⟨U+001B⟩[31m", id="control characters"),
        pytest.param("👨‍👩‍👧", "👨‍👩‍👧", id="joined emoji stay whole"),
    ],
)
async def test_what_hides_is_shown(text: str, seen: str) -> None:
    assert visible(text) == seen


async def test_no_cell_is_a_formula() -> None:
    assert [cell(one) for one in ("=1+1", "+380", "-1", "@a", "\tx", "a=1", -5, None)] == [
        "'=1+1", "'+380", "'-1", "'@a", "'\tx", "a=1", "-5", ""
    ]  # fmt: skip
    assert csv_lines([["a,b", 'say "hi"', "=cmd()"]]) == '"a,b","say ""hi""",\'=cmd()\r\n'
