"""Getting in: registration, a forgotten password, the first operator. Nobody learns who has an account."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from cabinet import PASSWORD, Cabinet, look_over, opened
from gateway import Reply
from playwright.async_api import Browser, expect
from post import Box, boxed

from hopwire import links
from hopwire.admission import now_ms
from hopwire.credentials import installation_secret, passwords
from hopwire.links import LASTS_MS, Purpose
from hopwire.model import Account, AccountStatus
from hopwire.store.registrations import Registrations
from hopwire.web.pages import allowance

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = "http://sms.example"
NEW = "quite another sentence"
ANNA = {"customer": "Anna's shop", "email": "Anna@Shop.example", "password": NEW}
WRONG = (
    ("email", "no address"),
    ("email", f"{'a' * 60}@b.example"),
    ("email", "a@b.example\r\nBcc: everybody@c.example"),
    ("customer", ""),
    ("customer", "a\u202eb"),
    ("password", "short"),
    ("password", "anna@shop.example"),
    ("password", "Password2026!"),
    ("password", "x" * 300),
)
HTML = "<b>bold</b>"


class Town:
    """A cabinet and the mailbox of everybody."""

    def __init__(self, cabinet: Cabinet, box: Box) -> None:
        self.cabinet = cabinet
        self.box = box
        self.secret = installation_secret(cabinet.gateway.config.store)

    async def path(self, n: int = 1) -> str:
        """Where the link of the n-th letter leads."""
        return (await self.box.link(n)).removeprefix(ROOT)

    async def account(self, login: str) -> Account | None:
        found = await self.cabinet.gateway.directory.account_by_login(login)
        return found and found[0]

    async def signs_in(self, login: str, password: str) -> bool:
        reply = await self.cabinet.post("/sign-in", {"login": login, "password": password})
        return reply.status == 303

    def link(self, purpose: Purpose, who: str, at: int | None = None, bound: str = "") -> str:
        return links.make(self.secret, purpose, who, now_ms() if at is None else at, bound)


@pytest_asyncio.fixture(loop_scope="session")
async def town(tmp_path: Path, browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    """Who may register is what the test says, or everybody."""
    registration = getattr(request, "param", "on")
    pages = {"registration": registration, "url": ROOT}
    sections: dict[str, Any] = {"cabinet": pages, "http": {"trusted_proxies": ["127.0.0.1"]}}
    async with boxed() as box, opened(tmp_path, browser, mail=box.section, **sections) as cabinet:
        await cabinet.account("rival", language="en", email="known@shop.example")
        yield Town(cabinet, box)


def registration(mode: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("town", [mode], indirect=True)


# ---- opening an account


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
async def test_a_newcomer_opens_an_account_and_signs_in(town: Town, javascript: bool) -> None:
    person = await town.cabinet.person(java_script_enabled=javascript)
    page = await person.open("/sign-in")
    await page.get_by_role("link", name="Open an account").click()
    await page.get_by_label("Company or name").fill("Anna's shop")
    await page.get_by_label("E-mail").fill("anna@shop.example")
    await page.get_by_label("Password").fill(NEW)
    await page.get_by_role("button", name="Open the account").click()
    await expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    assert (await town.box.letter())["To"] == "anna@shop.example"
    assert await town.account("anna@shop.example") is None
    await page.goto(town.cabinet.base + await town.path())
    assert await town.account("anna@shop.example") is None, "opening the link changes nothing"
    await page.get_by_role("button", name="Yes, this is my address").click()
    await expect(page.get_by_role("status")).to_contain_text("Your account is ready")
    await page.get_by_label("Login or e-mail").fill("anna@shop.example")
    await page.get_by_label("Password").fill(NEW)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(town.cabinet.base + "/")
    made = await town.account("anna@shop.example")
    assert made is not None
    assert (made.customer, made.language, made.spendable) == ("Anna's shop", "en", 0)
    assert (made.operator, made.any_sender, made.limits.destinations) == (False, False, ())


async def test_a_link_is_followed_once(town: Town) -> None:
    await town.cabinet.post("/register", ANNA)
    path = await town.path()
    replies = await asyncio.gather(*(town.cabinet.post(path, {}) for _ in range(3)))
    assert sorted(reply.status for reply in replies) == [303, 404, 404]
    assert (await town.cabinet.get(path)).status == 404


async def test_only_the_latest_request_counts(town: Town) -> None:
    await town.cabinet.post("/register", ANNA)
    await town.cabinet.post("/register", ANNA | {"password": "the second sentence"})
    first, second = await town.path(1), await town.path(2)
    assert (await town.cabinet.post(first, {})).status == 404
    assert (await town.cabinet.post(second, {})).status == 303
    assert await town.signs_in("anna@shop.example", "the second sentence")


@registration("approval")
async def test_with_approval_the_operator_is_told_and_decides(town: Town) -> None:
    await town.cabinet.account("boss", operator=True, language="en", email="boss@sms.example")
    await town.cabinet.post("/register", ANNA)
    assert (await town.cabinet.post(await town.path(), {})).status == 303
    assert (await town.box.letter(2))["To"] == "boss@sms.example"
    assert not await town.signs_in("anna@shop.example", NEW)
    (waits,) = await Registrations(town.cabinet.gateway.store.engine).waiting()
    assert (waits.email, waits.customer) == ("anna@shop.example", "Anna's shop")
    again = await town.cabinet.post("/register", ANNA)
    assert again.headers["location"] == "/register/sent"
    assert "waits for the operator" in (await town.box.letter(3)).get_content()


@registration("invitation")
async def test_by_invitation_only_who_was_invited_opens_an_account(town: Town) -> None:
    assert (await town.cabinet.get("/register")).headers["location"] == "/sign-in"
    assert (await town.cabinet.post("/register", ANNA)).headers["location"] == "/register"
    path = f"/register/{town.link(Purpose.INVITATION, 'anna@shop.example')}"
    assert "anna@shop.example" in (await town.cabinet.get(path)).text
    other = {**ANNA, "email": "other@shop.example"}
    assert (await town.cabinet.post(path, other)).status == 303
    assert await town.signs_in("anna@shop.example", NEW)
    assert await town.account("other@shop.example") is None
    assert (await town.cabinet.post(path, ANNA)).status == 404, "once"
    assert town.box.letters == []


@registration("off")
async def test_where_registration_is_off_no_link_opens_an_account(town: Town) -> None:
    path = f"/register/{town.link(Purpose.INVITATION, 'anna@shop.example')}"
    assert (await town.cabinet.get("/register")).headers["location"] == "/sign-in"
    assert (await town.cabinet.get(path)).status == 404
    assert (await town.cabinet.post(path, ANNA)).status == 404
    assert "/register" not in (await town.cabinet.get("/sign-in")).text


async def test_what_cannot_be_is_told_at_its_field(town: Town) -> None:
    for field, typed in WRONG:
        reply = await town.cabinet.post("/register", {**ANNA, field: typed})
        assert (reply.status, f'id="{field}-error"' in reply.text) == (422, True), (field, typed)
        assert NEW not in reply.text
    assert town.cabinet.gateway.rows("SELECT count(*) FROM registrations") == [(0,)]


async def test_what_was_typed_is_text_wherever_it_is_shown(town: Town) -> None:
    await town.cabinet.post("/register", ANNA | {"customer": HTML})
    letter = (await town.box.letter()).get_content()
    assert HTML not in letter, "nobody writes to others through us"
    await town.cabinet.post(await town.path(), {})
    shown = (await town.cabinet.get("/settings", "anna@shop.example")).text
    assert HTML not in shown
    assert "&lt;b&gt;bold&lt;/b&gt;" in shown


# ---- a forgotten password


async def test_a_forgotten_password_is_set_anew(town: Town) -> None:
    old = await town.cabinet.session("rival")
    person = await town.cabinet.person()
    page = await person.open("/sign-in")
    await page.get_by_role("link", name="Forgotten password").click()
    await page.get_by_label("Login or e-mail").fill("Known@Shop.example")
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    assert (await town.box.letter())["To"] == "known@shop.example"
    await page.goto(town.cabinet.base + await town.path())
    await page.get_by_label("New password").fill("rival12345")
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_label("New password").fill(NEW)
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    assert await town.signs_in("rival", NEW)
    assert not await town.signs_in("rival", PASSWORD)
    reply = await town.cabinet.gateway.get("/settings", f"Cookie: hopwire={old}")
    assert reply.headers["location"].startswith("/sign-in"), "whoever was signed in is not any more"
    assert "was changed" in (await town.box.letter(2)).get_content()
    assert (await town.cabinet.get(await town.path())).status == 404, "once"


async def test_of_many_who_use_a_link_at_once_one_sets_the_password(town: Town) -> None:
    await town.cabinet.post("/reset", {"login": "rival"})
    path = await town.path()
    tries = [f"{NEW} {n}" for n in range(3)]
    replies = await asyncio.gather(*(town.cabinet.post(path, {"password": one}) for one in tries))
    assert sorted(reply.status for reply in replies) == [303, 404, 404]
    assert [await town.signs_in("rival", one) for one in tries].count(True) == 1


async def test_links_that_are_not_good_open_nothing(town: Town) -> None:
    found = await town.cabinet.gateway.directory.account_by_login("rival")
    assert found is not None
    bound, now = found[1].password_hash, now_ms()
    bad = {
        "too old": town.link(Purpose.RESET, "rival", now - LASTS_MS[Purpose.RESET], bound),
        "for another purpose": town.link(Purpose.INVITATION, "rival", None, bound),
        "of another account": town.link(Purpose.RESET, "shop", None, bound),
        "of nobody": town.link(Purpose.RESET, "", None, ""),
        "used": town.link(Purpose.RESET, "rival", None, "another hash"),
        "signed by somebody else": links.make(b"other", Purpose.RESET, "rival", now, bound),
        "nothing": "none",
        "very long": "A" * 3000,
        "of nul": town.link(Purpose.RESET, "ri\0val", None, bound),
    }
    for why, token in bad.items():
        assert (await town.cabinet.get(f"/reset/{token}")).status == 404, why
        assert (await town.cabinet.post(f"/reset/{token}", {"password": NEW})).status == 404, why
        for page in ("register", "confirm", "set-up", "come-in"):
            assert (await town.cabinet.get(f"/{page}/{quote(token)}")).status in (
                {200, 404} if why == "for another purpose" and page == "register" else {404}
            ), (why, page)
    good = town.link(Purpose.RESET, "rival", None, bound)
    assert (await town.cabinet.get(f"/reset/{good}")).status == 200
    await town.cabinet.gateway.directory.set_account(found[0].id, {"status": AccountStatus.CLOSED})
    assert (await town.cabinet.get(f"/reset/{good}")).status == 404, "a closed account is not there"


# ---- nobody learns who is here


def told(reply: Reply, typed: str = "") -> tuple[int, dict[str, str], str]:
    """All of an answer but its moment, and what was typed."""
    headers = {k: v for k, v in reply.headers.items() if k not in ("date", "content-length")}
    return reply.status, headers, reply.text.replace(typed, "") if typed else reply.text


class Hasher:
    """argon2, with its runs counted."""

    def __init__(self, real: Any, work: Counter[str]) -> None:
        self._real, self._work = real, work

    def hash(self, password: str | bytes) -> str:
        self._work["hash"] += 1
        hashed: str = self._real.hash(password)
        return hashed

    def verify(self, hashed: str, password: str | bytes) -> bool:
        self._work["verify"] += 1
        return bool(self._real.verify(hashed, password))


@pytest.mark.parametrize(
    ("path", "known", "unknown", "expected"),
    [
        pytest.param(
            "/register",
            ANNA | {"email": "known@shop.example"},
            ANNA | {"email": "unheard@shop.example"},
            {"hash": 1, "write": 1},
            id="registration",
        ),
        pytest.param(
            "/reset",
            {"login": "known@shop.example"},
            {"login": "unheard@shop.example"},
            {"write": 1},
            id="reset",
        ),
        pytest.param("/reset", {"login": "rival"}, {"login": "nobody"}, {"write": 1}, id="reset by login"),
        pytest.param(
            "/sign-in",
            {"login": "known@shop.example", "password": "wrong"},
            {"login": "unheard@shop.example", "password": "wrong"},
            {"verify": 1},
            id="sign-in",
        ),
    ],
)
async def test_an_address_that_is_known_is_answered_like_any_other(
    town: Town,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    known: dict[str, str],
    unknown: dict[str, str],
    expected: dict[str, int],
) -> None:
    """The same status, headers and body; as many hashes of passwords, and as many letters and writes."""
    work: Counter[str] = Counter()
    engine = town.cabinet.gateway.store.engine
    monkeypatch.setattr(passwords, "_hasher", Hasher(passwords._hasher, work))
    write = engine.write

    async def counted(*args: Any) -> Any:
        work["write"] += 1
        return await write(*args)

    monkeypatch.setattr(engine, "write", counted)
    monkeypatch.setattr("hopwire.postman.POLL_S", 60)  # its turns are not counted
    await asyncio.sleep(0.1)
    done = []
    for fields in (known, unknown):
        work.clear()
        reply = await town.cabinet.post(path, fields)
        done.append((told(reply, fields.get("login", "")), dict(work)))
    assert done[0] == done[1]
    assert dict(work) == expected


async def test_only_the_mailbox_is_told_that_there_is_an_account(town: Town) -> None:
    await town.cabinet.post("/register", ANNA | {"email": "known@shop.example"})
    letter = await town.box.letter()
    assert letter["To"] == "known@shop.example"
    assert "There is one already" in letter.get_content()
    assert town.cabinet.gateway.rows("SELECT count(*) FROM registrations") == [(0,)]
    await town.cabinet.post("/reset", {"login": "nobody"})
    await town.cabinet.post("/reset", {"login": "rival"})
    assert (await town.box.letter(2))["To"] == "known@shop.example"
    assert len(town.box.letters) == 2, "there is no letter to nobody"


# ---- floods


async def test_to_an_address_few_letters_go_and_the_answer_stays_the_same(town: Town) -> None:
    replies = [await town.cabinet.post("/reset", {"login": "rival"}) for _ in range(6)]
    assert {reply.status for reply in replies} == {303}
    await town.box.letter(allowance.TO_ADDRESS)
    await town.cabinet.post("/reset", {"login": "known@shop.example"})
    await town.box.letter(allowance.TO_ADDRESS + 1)
    assert len(town.box.letters) == allowance.TO_ADDRESS + 1


async def test_a_flood_is_bounded_and_shuts_nobody_out(town: Town) -> None:
    """Somebody asks for many accounts from one place; others go on signing in, registering, and resetting."""

    async def asks(path: str, fields: dict[str, str]) -> int:
        return (await town.cabinet.post(path, fields, X_Forwarded_For="203.0.113.9")).status

    victims = [ANNA | {"email": f"victim{n}@shop.example"} for n in range(60)]
    flood = [asyncio.ensure_future(asks("/register", one)) for one in victims]
    flood += [asyncio.ensure_future(asks("/reset", {"login": "rival"})) for _ in range(20)]
    assert await town.signs_in("rival", PASSWORD)
    assert (await town.cabinet.post("/register", ANNA)).status == 303
    statuses = Counter([await one for one in flood])
    assert set(statuses) == {303, 429}
    assert statuses[303] <= allowance.FROM_PLACE
    (kept,) = town.cabinet.gateway.rows("SELECT count(*) FROM registrations")
    assert kept[0] <= allowance.FROM_PLACE + 1
    assert await town.account("rival") is not None
    assert await town.signs_in("rival", PASSWORD)


async def test_what_is_counted_of_a_flood_is_bounded() -> None:
    counted = allowance.Allowance()
    for n in range(allowance.REMEMBERED * 2):
        counted.asks(f"2001:db8:{n:x}::1", 0)
    assert len(counted._counts) <= allowance.REMEMBERED
    again = allowance.Allowance()
    assert [again.asks("2001:db8::1", 0) for _ in range(allowance.FROM_PLACE + 1)].count(True) == 20
    assert not again.asks("2001:db8::ffff", 0), "the same network"
    assert again.asks("192.0.2.1", 0)
    assert again.asks("2001:db8::1", allowance.HOUR_MS), "an hour later"
    assert [again.reaches("a@b.example", 0) for _ in range(4)] == [True, True, True, False]


# ---- how it looks


@pytest.mark.parametrize("path", ["/sign-in", "/register", "/register/sent", "/reset", "/reset/sent"])
async def test_the_doors_are_good_to_look_at(town: Town, path: str) -> None:
    await look_over(town.cabinet, path, "", f"open{path.replace('/', '-')}")


async def test_what_links_lead_to_is_good_to_look_at(town: Town) -> None:
    await town.cabinet.gateway.directory.create_account("x", "", now_ms(), email="x@y.example")
    await look_over(town.cabinet, f"/reset/{town.link(Purpose.RESET, 'x')}", "", "reset-set")
    await town.cabinet.post("/register", ANNA)
    await look_over(town.cabinet, await town.path(), "", "register-confirm")
    rival = await town.account("rival")
    assert rival is not None
    token = town.link(Purpose.EMAIL, f"{rival.id} new@shop.example", None, rival.email)
    await look_over(town.cabinet, f"/settings/email/{token}", "rival")


async def test_the_first_operators_page_is_good_to_look_at(town: Town) -> None:
    await look_over(town.cabinet, f"/set-up/{town.link(Purpose.SET_UP, '')}", "", "set-up")


# ---- the first operator


async def test_the_first_operator_comes_in_by_the_link_once(town: Town) -> None:
    path = f"/set-up/{town.link(Purpose.SET_UP, '')}"
    old = town.link(Purpose.SET_UP, "", now_ms() - LASTS_MS[Purpose.SET_UP])
    assert (await town.cabinet.get(f"/set-up/{old}")).status == 404
    taken = await town.cabinet.post(path, {"login": "rival", "password": NEW})
    assert (taken.status, 'id="login-error"' in taken.text) == (422, True)
    weak = await town.cabinet.post(path, {"login": "chief", "password": "chief12345"})
    assert (weak.status, 'id="password-error"' in weak.text) == (422, True)
    person = await town.cabinet.person()
    page = await person.open(path)
    await page.get_by_label("Login").fill("chief")
    await page.get_by_label("Password").fill(NEW)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    made = await town.account("chief")
    assert made is not None
    assert made.operator
    assert (await town.cabinet.get(path)).status == 404
    assert (await town.cabinet.post(path, {"login": "second", "password": NEW})).status == 404
    assert await town.account("second") is None
