"""One's own settings: what may be changed and what not; second factor, sessions, passwords, the address."""

import re
from pathlib import Path

import pyotp
import pytest
from cabinet import ARTEFACTS, PASSWORD, Cabinet, is_accessible, look_over, opened
from gateway import Reply, answers
from playwright.async_api import Browser, Page, expect
from post import Box, boxed

from hopwire.model import Account
from hopwire.web.pages.settings import browser as told

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW = "quite another sentence"
SETTINGS = {
    "customer": "The Shop",
    "contact": "by telephone",
    "language": "en",
    "theme": "dark",
    "time_zone": "Europe/Warsaw",
    "low_balance": "99,5",
}


WRONG = (
    ("customer", "x" * 201),
    ("contact", "a\u202eb"),
    ("language", "de"),
    ("theme", "pink"),
    ("time_zone", "Mars/Base"),
    ("low_balance", "-1"),
    ("low_balance", "much"),
    ("low_balance", "1e300"),
)


async def account(cabinet: Cabinet, login: str) -> Account:
    found = await cabinet.gateway.directory.account_by_login(login)
    assert found is not None
    return found[0]


async def signs_in(cabinet: Cabinet, login: str, password: str = PASSWORD, code: str = "") -> bool:
    fields = {"login": login, "password": password, "code": code}
    reply = await cabinet.post("/sign-in", fields)
    return reply.status == 303 and "hopwire=" in reply.headers["set-cookie"]


# ---- who one is


async def test_settings_are_kept(cabinet: Cabinet) -> None:
    reply = await cabinet.post("/settings", {**SETTINGS, "mailed": "held"}, "rival")
    assert (reply.status, reply.headers["location"]) == (303, "/settings")
    kept = await account(cabinet, "rival")
    assert (kept.customer, kept.contact, kept.language, kept.theme) == (
        "The Shop",
        "by telephone",
        "en",
        "dark",
    )
    assert (kept.time_zone, kept.low_balance, kept.mailed) == ("Europe/Warsaw", 99_500_000, "held")


async def test_nobody_changes_of_himself_what_the_operator_decides(cabinet: Cabinet) -> None:
    before = await account(cabinet, "rival")
    more = {"operator": "on", "credit_limit": "1000", "email": "x@y.example", "plan": "gold", "login": "boss"}
    await cabinet.post("/settings", {**SETTINGS, **more, "any_sender": "1", "limits": "{}"}, "rival")
    after = await account(cabinet, "rival")
    for name in ("operator", "credit_limit", "email", "plan", "login", "any_sender", "limits", "status"):
        assert getattr(after, name) == getattr(before, name), name


async def test_what_cannot_be_is_told_at_its_field(cabinet: Cabinet) -> None:
    before = await account(cabinet, "rival")
    for field, typed in WRONG:
        reply = await cabinet.post("/settings", {**SETTINGS, field: typed}, "rival")
        assert (reply.status, f'id="{field}-error"' in reply.text) == (422, True), (field, typed)
    assert await account(cabinet, "rival") == before


async def test_settings_are_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/settings", "shop", "settings")
    await look_over(cabinet, "/settings/password", "shop", "settings-password")
    await look_over(cabinet, "/settings/api-password", "shop", "settings-api-password")
    await look_over(cabinet, "/settings/email", "shop")


# ---- where one is signed in


async def test_sessions_are_ended_one_by_one_and_all_together(cabinet: Cabinet) -> None:
    mine = await cabinet.person("rival")
    for _ in range(3):
        await cabinet.session("rival")
    page = await mine.open("/settings/sessions")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(4)
    await rows.get_by_role("button").first.click()
    await expect(rows).to_have_count(3)
    await page.get_by_role("button", name="Sign out everywhere else").click()
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("This browser")


async def test_nobody_ends_the_sessions_of_others(cabinet: Cabinet) -> None:
    await cabinet.session("shop")
    (digest,) = (one for (one,) in cabinet.gateway.rows("SELECT digest FROM sessions WHERE account_id = 1"))
    await cabinet.post("/settings/sessions/end", {"session": digest}, "rival")
    await cabinet.post("/settings/sessions/end-others", {}, "rival")
    assert cabinet.gateway.rows("SELECT 1 FROM sessions WHERE digest = ?", digest)
    assert digest not in (await cabinet.get("/settings/sessions", "rival")).text


async def test_the_list_of_sessions_is_good_to_look_at(cabinet: Cabinet) -> None:
    waiting = await cabinet.session("shop")
    await look_over(cabinet, f"/come-in/{waiting}", "")
    await look_over(cabinet, "/settings/sessions", "shop", "sessions")


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("Firefox", "Linux")),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            ("Edge", "Windows"),
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            " Version/18.0 Mobile/15E148 Safari/604.1",
            ("Safari", "iPhone"),
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/140.0 Mobile Safari/537.36",
            ("Chrome", "Android"),
        ),
        ("curl/8.5.0", ("", "")),
    ],
)
async def test_a_browser_in_short_words(agent: str, words: tuple[str, str]) -> None:
    assert told(agent) == words


# ---- passwords


async def test_another_password_ends_the_other_sessions(cabinet: Cabinet) -> None:
    other = await cabinet.session("rival")
    person = await cabinet.person("rival")
    page = await person.open("/settings/password")
    await page.get_by_label("Password until now").fill(PASSWORD)
    await page.get_by_label("New password").fill(NEW)
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    reply = await cabinet.gateway.get("/settings", f"Cookie: hopwire={other}")
    assert reply.headers["location"].startswith("/sign-in")
    assert await signs_in(cabinet, "rival", NEW)
    assert not await signs_in(cabinet, "rival")


async def test_nothing_changes_without_the_old_password(cabinet: Cabinet) -> None:
    reply = await cabinet.post("/settings/password", {"old": "wrong", "password": NEW}, "rival")
    assert (reply.status, 'id="old-error"' in reply.text) == (422, True)
    reply = await cabinet.post("/settings/password", {"old": PASSWORD, "password": "rival12345"}, "rival")
    assert (reply.status, 'id="password-error"' in reply.text) == (422, True)
    assert await signs_in(cabinet, "rival")


async def test_the_api_takes_its_own_password_while_there_is_one(cabinet: Cabinet) -> None:
    asks = {"command": "balance", "login": "shop"}
    await cabinet.post("/settings/api-password", {"password": NEW}, "shop")
    assert (await cabinet.gateway.ask(**asks, **{"pass": NEW})).startswith("balance")
    assert "Wrong" in await cabinet.gateway.ask(**asks, **{"pass": PASSWORD})
    assert await signs_in(cabinet, "shop")
    await cabinet.post("/settings/api-password/off", {}, "shop")
    await answers(cabinet.gateway, "errors:Wrong login/password\n", **asks, **{"pass": NEW})


# ---- the second factor


async def turned_on(cabinet: Cabinet, login: str) -> Page:
    """Somebody who has just turned it on, before his recovery codes."""
    person = await cabinet.person(login)
    page = await person.open("/settings/second-factor")
    await page.get_by_text("It cannot be scanned?").click()
    seed = (await page.locator("details .code code").inner_text()).replace(" ", "")
    phone = pyotp.TOTP(seed)
    await page.get_by_label("Code", exact=True).fill("000000")
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_label("Code", exact=True).fill(phone.now())
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    return page


async def test_a_second_factor_is_turned_on_by_a_code_and_asked_for_from_then_on(cabinet: Cabinet) -> None:
    other = await cabinet.session("rival")
    page = await turned_on(cabinet, "rival")
    codes = (await page.locator(".code code").inner_text()).split()
    assert len(codes) == 10
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Keep as a file").click()
    file = await (await download.value).path()
    assert Path(file).read_text().split() == codes  # noqa: ASYNC240
    assert not await signs_in(cabinet, "rival")
    assert await signs_in(cabinet, "rival", code=codes[0])
    assert not await signs_in(cabinet, "rival", code=codes[0])
    reply = await cabinet.gateway.get("/settings", f"Cookie: hopwire={other}")
    assert reply.status == 303, "who had signed in without it is signed out"
    await page.goto(cabinet.base + "/settings/second-factor")
    await expect(page.get_by_text("9 recovery codes are left.")).to_be_visible()
    await page.get_by_label("Code", exact=True).fill(codes[1])
    await page.get_by_role("button", name="Make new recovery codes").click()
    fresh = (await page.locator(".code code").inner_text()).split()
    assert not set(fresh) & set(codes)
    assert not await signs_in(cabinet, "rival", code=codes[2])
    assert await signs_in(cabinet, "rival", code=fresh[0])
    await page.goto(cabinet.base + "/settings/second-factor")
    await page.get_by_label("Code", exact=True).fill("123456")
    await page.get_by_role("button", name="Turn off").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_label("Code", exact=True).fill(fresh[1])
    await page.get_by_role("button", name="Turn off").click()
    await expect(page.get_by_role("status")).to_have_text("The second factor is off.")
    assert await signs_in(cabinet, "rival")
    assert cabinet.gateway.rows("SELECT count(*) FROM recovery_codes") == [(0,)]


async def test_proving_takes_a_recovery_code_too(cabinet: Cabinet) -> None:
    page = await turned_on(cabinet, "rival")
    codes = (await page.locator(".code code").inner_text()).split()
    cabinet.gateway.rows("UPDATE sessions SET proved_at = 0")
    await page.goto(cabinet.base + "/settings/api-password")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Code").fill(codes[0])
    await page.get_by_role("button", name="Go on").click()
    await expect(page).to_have_url(cabinet.base + "/settings/api-password")


async def test_a_seed_that_is_not_ours_is_not_taken(cabinet: Cabinet) -> None:
    for sealed in ("", "JBSWY3DPEHPK3PXP", "sealed:00000000:" + "A" * 60):
        reply = await cabinet.post("/settings/second-factor", {"sealed": sealed, "code": "123456"}, "rival")
        assert (reply.status, reply.headers["location"]) == (303, "/settings/second-factor")
    assert cabinet.gateway.rows("SELECT totp FROM accounts WHERE login = 'rival'") == [("",)]


async def test_an_operator_who_looks_at_a_cabinet_does_not_change_its_lock(cabinet: Cabinet) -> None:
    boss = await account(cabinet, "boss")
    cookie = f"Cookie: hopwire={await cabinet.session('rival', boss.id)}"
    for path in ("second-factor", "password", "email", "api-password", "email/none"):
        assert (await cabinet.gateway.get(f"/settings/{path}", cookie)).status == 403, path
    for path in ("second-factor", "second-factor/off", "recovery-codes", "password", "email", "api-password"):
        reply = await cabinet.gateway.post(
            f"/settings/{path}", b"", cookie, "Sec-Fetch-Site: same-origin", "Content-Type: text/plain"
        )
        assert reply.status == 403, path


async def test_the_second_factor_is_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/settings/second-factor", "shop", "second-factor")
    page = await turned_on(cabinet, "rival")
    await is_accessible(page)
    await page.screenshot(path=ARTEFACTS / "recovery-codes.png", full_page=True)
    await page.close()
    await look_over(cabinet, "/settings/second-factor", "rival", "second-factor-on")


# ---- the address


async def test_another_address_counts_once_its_link_is_opened(tmp_path: Path, browser: Browser) -> None:
    async with (
        boxed() as box,
        opened(tmp_path, browser, mail=box.section, cabinet={"url": "http://sms.example"}) as cabinet,
    ):
        await cabinet.account("rival", language="en", email="old@shop.example")
        await changes_address(cabinet, box)


async def changes_address(cabinet: Cabinet, box: Box) -> None:
    asked = await cabinet.post("/settings/email", {"email": "New@Shop.example"}, "rival")
    assert asked.status == 303
    assert (await box.letter())["To"] == "new@shop.example"
    path = (await box.link()).removeprefix("http://sms.example")
    assert re.fullmatch(r"/settings/email/[\w.-]+", path)
    assert (await account(cabinet, "rival")).email == "old@shop.example"
    assert (await cabinet.get(path, "shop")).status == 404, "it is not theirs"
    assert (await cabinet.post(path, {}, "shop")).status == 404
    assert (await cabinet.get(path)).status == 303, "a visitor signs in first"
    assert "new@shop.example" in (await cabinet.get(path, "rival")).text
    assert (await account(cabinet, "rival")).email == "old@shop.example", "looking changes nothing"
    assert (await cabinet.post(path, {}, "rival")).status == 303
    assert (await account(cabinet, "rival")).email == "new@shop.example"
    assert (await box.letter(2))["To"] == "old@shop.example"
    assert (await cabinet.post(path, {}, "rival")).status == 404, "once"
    taken: Reply = await cabinet.post("/settings/email", {"email": "new@shop.example"}, "shop")
    assert (taken.status, taken.headers["location"]) == (asked.status, asked.headers["location"])
    assert "вже належить іншому" in (await box.letter(3)).get_content()
