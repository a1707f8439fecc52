"""The operator's pages about customers: who they are, their money, what they may."""

import pytest
from cabinet import PASSWORD, Cabinet, is_accessible, look_over
from gateway import Reply
from playwright.async_api import Page, expect

from hopwire import accounts as rules
from hopwire import limits
from hopwire.admission import now_ms
from hopwire.model import Account, AccountStatus, Limits
from hopwire.store.audit import Audit, Entry
from hopwire.store.ledger import Ledger
from hopwire.store.senders import REQUESTED, SenderName, Senders
from hopwire.store.sessions import Sessions
from hopwire.web.pages.complaints import COMPLAINTS
from hopwire.web.pages.forms import Form
from hopwire.web.pages.operator_account_forms import ASKED, read_limits, read_traits
from hopwire.web.pages.words import Words

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW = {"currency": "UAH", "country": "UA", "language": "en"}
HOSTILE = '<script>alert(1)</script>\u202e"=cmd()'


async def account(cabinet: Cabinet, login: str) -> Account:
    found = await cabinet.gateway.directory.account_by_login(login)
    assert found is not None
    return found[0]


async def audit(cabinet: Cabinet, n: int = 5) -> list[Entry]:
    return await Audit(cabinet.gateway.store.engine).entries(n)


async def do(cabinet: Cabinet, path: str, **fields: str) -> Reply:
    """Send a form as the operator."""
    return await cabinet.post(path, fields, "boss")


# ---- the journey


async def test_an_operator_makes_a_customer_and_looks_at_the_gateway_as_he_does(cabinet: Cabinet) -> None:
    person = await cabinet.person("boss")
    page = await person.open("/operator/accounts")
    await page.get_by_role("button", name="New account", exact=True).click()
    await page.get_by_label("Login", exact=True).fill("bakery")
    await page.get_by_label("Customer").fill("The Bakery")
    await page.get_by_role("button", name="Create").click()
    password = await page.locator("code").inner_text()
    assert len(password) == 19
    await page.get_by_role("button", name="To the account", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("The Bakery")

    await page.get_by_role("button", name="Top up or correct", exact=True).click()
    await page.get_by_label("Amount").fill("12.50")
    await page.get_by_label("Note").fill("invoice 7")
    await page.get_by_role("button", name="Go on").click()
    await is_accessible(page)
    await page.get_by_role("button", name="Yes, add it").click()
    await expect(page.get_by_role("status")).to_have_text("Done. It can spend 12.50 UAH now.")

    await page.get_by_role("link", name="Change the limits").click()
    await page.get_by_label("Destinations").fill("UA,PL")
    await page.get_by_label("To one number in a day").fill("3")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_have_text("The limits are changed.")
    await expect(page.locator("main")).to_contain_text("To one number in a day")

    await page.get_by_role("button", name="Sign in as", exact=True).click()
    await page.get_by_role("button", name="Sign in as this customer").click()
    await expect(page.locator(".guest")).to_contain_text("You are looking at the cabinet of bakery")
    await expect(page.locator("main")).to_contain_text("12.50 UAH")
    await expect(page.get_by_role("link", name="Accounts")).to_have_count(0)
    await is_accessible(page)
    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("The Bakery")

    told = [(one.actor, one.action) for one in await audit(cabinet, 5)]
    bakery = await account(cabinet, "bakery")
    boss = await account(cabinet, "boss")
    assert told == [
        (f"operator {boss.id} as bakery", "leave"),
        ("boss", "sign in as"),
        ("boss", "change account"),
        ("boss", "topup"),
        ("boss", "create account"),
    ]
    assert bakery.balance == 12_500_000
    assert bakery.limits.counts == {"number/day": 3}
    signed_in = await cabinet.post("/sign-in", {"login": "bakery", "password": password})
    assert (signed_in.status, signed_in.headers["location"]) == (303, "/")


# ---- the list


async def test_accounts_are_found_by_what_one_knows_of_them(cabinet: Cabinet) -> None:
    await cabinet.account("one", customer="Пекарня Зоря", email="zorya@example.com")
    await cabinet.account("two", customer="Other", status=AccountStatus.PAUSED)
    await cabinet.account("below", parent_id=(await account(cabinet, "one")).id)
    for query, found in (
        ("q=one", {"one"}),
        ("q=ONE", {"one"}),
        ("q=%D0%B7%D0%BE%D1%80%D1%8F", {"one"}),  # зоря
        ("q=zorya%40", {"one"}),
        ("q=1", {"shop"}),
        ("state=paused", {"two"}),
        ("q=%25", set()),
        (f"reseller={(await account(cabinet, 'one')).id}", {"below"}),
        ("q=nobody", set()),
        ("", {"one", "two", "below", "shop", "boss", "rival"}),
    ):
        text = (await cabinet.get(f"/operator/accounts?{query}", "boss")).text
        logins = ("one", "two", "below", "shop", "boss", "rival")
        assert {login for login in logins if f">{login}</a>" in text} == found, query


async def test_thousands_of_accounts_are_shown_page_by_page(cabinet: Cabinet) -> None:
    for number in range(55):
        cabinet.gateway.rows(
            "INSERT INTO accounts (login, password_hash, balance, reserved, credit_limit, currency,"
            " home_country, time_zone, any_sender, transactional, charge_sms_on, status, created_at)"
            " VALUES (?, '', 0, 0, 0, 'UAH', 'UA', 'Europe/Kyiv', 1, 1, 'taken', 1, 0)",
            f"many{number:02}",
        )
    page = await (await cabinet.person("boss")).open("/operator/accounts?q=many")
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator("tbody tr")).to_have_count(5)
    await expect(page.locator("tbody tr").last).to_contain_text("many00")
    await page.get_by_role("link", name="Newest").click()
    await expect(page.locator("tbody tr").first).to_contain_text("many54")


# ---- a new one


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"login": "shop"}, "There is already an account with this login.", id="a login twice"),
        pytest.param({"login": ""}, "A login is 1 to 64 printable characters", id="no login"),
        pytest.param({"login": "x", "country": "XX"}, "ISO 3166", id="no country"),
        pytest.param({"login": "x", "currency": "grn"}, "ISO 4217", id="no currency"),
        pytest.param({"login": "x", "email": "a@b"}, "NAME@DOMAIN", id="no address"),
        pytest.param(
            {"login": "x", "email": "Taken@example.com"}, "Another account has", id="an address twice"
        ),
        pytest.param({"login": "x", "reseller": "nobody"}, "There is no account with", id="no reseller"),
        pytest.param(
            {"login": "x", "reseller": "below"}, "cannot have sub-accounts", id="below a sub-account"
        ),
    ],
)
async def test_a_wrong_account_is_not_made(cabinet: Cabinet, fields: dict[str, str], complaint: str) -> None:
    await cabinet.account("taken", email="taken@example.com")
    await cabinet.account("below", parent_id=1)
    before = len(await cabinet.gateway.directory.accounts())
    reply = await do(cabinet, "/operator/accounts/new", **{**NEW, **fields})
    assert reply.status == 422
    assert complaint in reply.text
    assert len(await cabinet.gateway.directory.accounts()) == before


async def test_a_sub_account_has_the_currency_of_its_reseller(cabinet: Cabinet) -> None:
    await cabinet.account("seller", currency="EUR")
    reply = await do(cabinet, "/operator/accounts/new", login="low", reseller="seller", **NEW)
    assert reply.status == 200
    made = await account(cabinet, "low")
    assert (made.currency, made.parent_id) == ("EUR", (await account(cabinet, "seller")).id)
    assert not made.any_sender


# ---- money


async def test_a_top_up_that_is_sent_twice_is_done_once(cabinet: Cabinet) -> None:
    fields = {"kind": "topup", "amount": "5", "note": "", "since": str(now_ms())}
    before = (await account(cabinet, "rival")).balance
    at = f"/operator/accounts/{(await account(cabinet, 'rival')).id}"
    for _ in range(2):
        assert (await do(cabinet, f"{at}/money", **fields)).headers["location"] == at
    assert (await account(cabinet, "rival")).balance == before + 5_000_000
    for since in ("", "x", str(now_ms() + 3_600_000)):
        assert (await do(cabinet, f"{at}/money", **{**fields, "since": since})).status == 422
    assert (await account(cabinet, "rival")).balance == before + 5_000_000
    assert (await do(cabinet, f"{at}/money", **{**fields, "since": str(now_ms() + 1)})).status == 303
    assert (await account(cabinet, "rival")).balance == before + 10_000_000, "a form that was shown later"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"amount": "x"}, "An amount is a decimal number", id="no number"),
        pytest.param({"amount": "0"}, "Please say how much.", id="nothing"),
        pytest.param({"amount": "-1000"}, "There is not so much to take.", id="more than there is"),
        pytest.param({"amount": "1", "kind": "adjustment"}, "Please fill this in.", id="no reason"),
        pytest.param({"amount": "1", "kind": "charge"}, "Please fill this in.", id="no such kind"),
    ],
)
async def test_money_that_is_not_right_does_not_move(
    cabinet: Cabinet, fields: dict[str, str], complaint: str
) -> None:
    reply = await do(
        cabinet,
        "/operator/accounts/1/money",
        **{"kind": "topup", "note": "", "since": str(now_ms()), **fields},
    )
    assert reply.status == 422
    assert complaint in reply.text
    assert (await account(cabinet, "shop")).balance == 100_000_000


async def test_money_is_looked_at_before_it_moves(cabinet: Cabinet) -> None:
    reply = await cabinet.get(
        "/operator/accounts/1/money/check?kind=adjustment&amount=-7.5&note=ours+was+wrong", "boss"
    )
    assert reply.status == 200
    assert "-7.50 UAH" in reply.text and "92.50 UAH" in reply.text
    assert (await account(cabinet, "shop")).balance == 100_000_000
    wrong = await cabinet.get("/operator/accounts/1/money/check?kind=topup&amount=x", "boss")
    assert wrong.status == 422


async def test_the_statement_of_an_account_is_a_file(cabinet: Cabinet) -> None:
    assert "by hand" in (await cabinet.get("/operator/accounts/1", "boss")).text
    person = await cabinet.person("boss")
    reply = await person.context.request.get(f"{cabinet.base}/operator/accounts/1/statement")
    lines = (await reply.text()).splitlines()
    assert lines[0] == "time,kind,message,note,amount,balance"
    assert [line.split(",")[1] for line in lines[1:]] == ["opening", "topup", "closing"]
    assert lines[-1].endswith(",100")


# ---- traits and limits


async def test_only_what_was_changed_is_changed(cabinet: Cabinet) -> None:
    shop = await account(cabinet, "shop")
    form = {**rules.write(shop), "customer": "Another", "credit": "10", "plan": "gold"}
    assert (await do(cabinet, "/operator/accounts/1/traits", **form)).status == 303
    after = await account(cabinet, "shop")
    assert (after.customer, after.credit_limit, after.plan) == ("Another", 10_000_000, "gold")
    assert after.limits == shop.limits
    entry = (await audit(cabinet, 1))[0]
    assert entry.after == '{"credit_limit":10000000,"customer":"Another","plan":"gold"}'
    same = rules.write(after)
    assert (await do(cabinet, "/operator/accounts/1/traits", **same)).status == 303
    assert (await audit(cabinet, 1))[0] == entry


async def test_a_form_sets_no_more_than_the_traits(cabinet: Cabinet) -> None:
    fields = {"balance": "999", "reserved": "1", "login": "x", "status": "0", "id": "7"}
    shop = await account(cabinet, "shop")
    assert read_traits(Form(fields), shop) == {}
    assert (await do(cabinet, "/operator/accounts/1/traits", **fields)).status == 303
    assert await account(cabinet, "shop") == shop


async def test_the_form_asks_for_every_trait() -> None:
    assert set(ASKED) == set(rules.TRAITS)


async def test_an_operator_does_not_take_his_own_mark_nor_his_own_account(cabinet: Cabinet) -> None:
    boss = await account(cabinet, "boss")
    at = f"/operator/accounts/{boss.id}"
    assert (await do(cabinet, f"{at}/traits", operator="off")).status == 422
    assert (await do(cabinet, f"{at}/status", status="paused")).status == 404
    assert (await do(cabinet, f"{at}/close")).status == 404
    assert await account(cabinet, "boss") == boss


async def test_limits_are_set_as_they_are_typed(cabinet: Cabinet) -> None:
    shop = await account(cabinet, "shop")
    form = {
        **limits.shown(shop.limits),
        "destinations": "UA, 48",
        "account/hour": "100",
        "spend/month": "1000",
        "quiet": "21:00-08:00",
        "duplicates": "refuse",
        "sequence": "20",
    }
    assert (await do(cabinet, "/operator/accounts/1/limits", **form)).status == 303
    assert (await account(cabinet, "shop")).limits == Limits(
        destinations=("UA", "48"),
        counts={"account/hour": 100},
        spend={"month": 1_000_000_000},
        quiet="21:00-08:00",
        duplicates="refuse",
        sequence=20,
    )
    text = (await cabinet.get("/operator/accounts/1", "boss")).text
    for told in ("UA, 48", "The whole account in an hour", "1,000.00", "from 20 numbers on", "are refused"):
        assert told in text


async def test_what_is_wrong_is_said_in_the_reader_s_language(cabinet: Cabinet) -> None:
    """Whatever the readers below complain of is known to who translates."""
    shop = await account(cabinet, "shop")
    ukrainian, typed = Words("uk", "UTC"), ("?", "-1", "x" * 300, "99999999999", "aa")
    for words in typed:
        form = Form(dict.fromkeys((*ASKED, *limits.NAMES), words), ukrainian)
        read_traits(form, shop)
        read_limits(form, shop.limits)
        for name, complaint in form.errors.items():
            assert any("а" <= c <= "я" for c in complaint), f"{name}: {complaint}"
    assert len(set(COMPLAINTS)) == len(COMPLAINTS)


# ---- how it stands, how one signs in


async def test_an_account_is_paused_closed_and_opened_again(cabinet: Cabinet) -> None:
    at = "/operator/accounts/1"
    cookie = await cabinet.session("shop")
    page = await (await cabinet.person("boss")).open(at)
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("status")).to_contain_text("paused")
    assert (await account(cabinet, "shop")).status is AccountStatus.PAUSED
    await page.get_by_role("button", name="Close", exact=True).click()
    await page.get_by_role("button", name="Close the account").click()
    assert (await account(cabinet, "shop")).status is AccountStatus.CLOSED
    assert await Sessions(cabinet.gateway.store.engine).find(cookie, now_ms()) is None
    await page.get_by_role("button", name="Let it work again").click()
    await expect(page.get_by_role("status")).to_have_text("The account works again.")
    assert (await account(cabinet, "shop")).status is AccountStatus.ACTIVE


async def test_a_new_password_is_told_once_and_ends_the_sessions(cabinet: Cabinet) -> None:
    cookie = await cabinet.session("rival")
    at = f"/operator/accounts/{(await account(cabinet, 'rival')).id}"
    reply = await do(cabinet, f"{at}/password")
    password = reply.text.partition("<code>")[2].partition("</code>")[0]
    assert await Sessions(cabinet.gateway.store.engine).find(cookie, now_ms()) is None
    wrong = await cabinet.post("/sign-in", {"login": "rival", "password": PASSWORD})
    right = await cabinet.post("/sign-in", {"login": "rival", "password": password})
    assert (wrong.status, right.status) == (422, 303)
    assert password not in (await cabinet.get(at, "boss")).text
    assert all(password not in one.before + one.after for one in await audit(cabinet))


async def test_a_second_factor_is_turned_off(cabinet: Cabinet) -> None:
    await cabinet.gateway.directory.set_totp(1, "sealed")
    assert "second-factor" in (await cabinet.get("/operator/accounts/1", "boss")).text
    assert (await do(cabinet, "/operator/accounts/1/second-factor")).status == 303
    found = await cabinet.gateway.directory.account_by_login("shop")
    assert found is not None and found[1].totp == ""


async def test_sessions_are_ended_everywhere(cabinet: Cabinet) -> None:
    cookie = await cabinet.session("shop")
    assert (await do(cabinet, "/operator/accounts/1/sessions")).status == 303
    assert await Sessions(cabinet.gateway.store.engine).find(cookie, now_ms()) is None
    assert (await audit(cabinet, 1))[0].action == "end sessions"


async def test_a_key_is_revoked_after_a_second_look_and_only_of_its_account(cabinet: Cabinet) -> None:
    key = (await cabinet.gateway.directory.keys())[0]
    rival = await account(cabinet, "rival")
    elsewhere = f"/operator/accounts/{rival.id}/keys/{key.id}/revoke"
    assert (await cabinet.get(elsewhere, "boss")).status == 404
    assert (await do(cabinet, elsewhere)).status == 404
    page = await (await cabinet.person("boss")).open("/operator/accounts/1")
    await page.get_by_role("link", name="Revoke").click()
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("status")).to_have_text("The key opens nothing any more.")
    assert (await cabinet.gateway.directory.keys())[0].revoked_at is not None


# ---- sender names


async def test_sender_names_are_approved_refused_and_added(cabinet: Cabinet) -> None:
    senders = Senders(cabinet.gateway.store.engine)
    await senders.put([SenderName(1, "Shop", "viber", "", REQUESTED, "please", now_ms())])
    page = await (await cabinet.person("boss")).open("/operator/accounts/1")
    await page.get_by_role("button", name="Approve Shop").click()
    await expect(page.get_by_role("status")).to_have_text("Shop may be used.")
    await page.get_by_role("button", name="Refuse Shop").click()
    await expect(page.get_by_role("status")).to_have_text("Shop may not be used.")
    await page.get_by_label("Another name").fill("Second")
    await page.get_by_label("For").select_option("sms")
    await page.get_by_role("button", name="Approve", exact=True).click()
    states = {one.name: (one.channel, one.state) for one in await senders.of(1)}
    assert states == {"Shop": ("viber", "refused"), "Second": ("sms", "approved")}
    await page.get_by_label("Another name").fill(" ")
    await page.get_by_role("button", name="Approve", exact=True).click()
    await expect(page.locator("#name-error")).to_contain_text("A sender name is 1 to 28")


async def test_a_name_that_nobody_has_is_not_decided(cabinet: Cabinet) -> None:
    fields = {"account": "1", "name": "Nobody", "channel": "", "connector": "", "state": "approved"}
    assert (await do(cabinet, "/operator/senders", **fields)).status == 404
    assert (await do(cabinet, "/operator/senders", **{**fields, "account": "x"})).status == 404


# ---- strangers


async def test_names_of_customers_are_shown_as_text(cabinet: Cabinet) -> None:
    made = await cabinet.account("evil", customer=HOSTILE, contact=HOSTILE)
    await Senders(cabinet.gateway.store.engine).put([SenderName(made.id, "<b>x", "", "", REQUESTED, HOSTILE)])
    for path in ("", f"/{made.id}", f"/{made.id}/money", f"/{made.id}/traits", f"/{made.id}/limits"):
        page = await (await cabinet.person("boss")).open(f"/operator/accounts{path}")
        assert await page.locator("main script, main b").count() == 0
        await is_accessible(page)
    text = (await cabinet.get(f"/operator/accounts/{made.id}", "boss")).text
    assert "&lt;script&gt;" in text and "⟨U+202E⟩" in text


# ---- how they look


async def filled(cabinet: Cabinet) -> None:
    """A customer of whom there is something to tell."""
    directory, engine = cabinet.gateway.directory, cabinet.gateway.store.engine
    bounds = Limits(
        destinations=("UA", "48"), counts={"number/day": 3}, spend={"day": 10**9}, quiet="21:00-08:00"
    )
    await directory.set_account(1, {"limits": bounds, "email": "shop@example.com", "plan": "gold"})
    await directory.set_totp(1, "sealed")
    await cabinet.account("branch", customer="A branch of the shop", parent_id=1)
    await cabinet.account("idle", customer="Пекарня «Зоря»", status=AccountStatus.PAUSED)
    await Ledger(engine).top_up((await account(cabinet, "idle")).id, 12_000_000, "", now_ms())
    await Senders(engine).put(
        [
            SenderName(1, "Shop", "viber", "", REQUESTED, "our trade mark", now_ms()),
            SenderName(1, "SHOP.UA", "sms", "smsc", "approved", "", now_ms()),
        ]
    )
    cabinet.gateway.rows(
        "INSERT INTO notices (at, account_id, kind, period, detail) VALUES (?, 1, 'low_balance', 'd', '9.5')",
        now_ms(),
    )
    await cabinet.session("shop")


async def test_the_pages_of_accounts_are_good_to_look_at(cabinet: Cabinet) -> None:
    await filled(cabinet)
    await look_over(cabinet, "/operator/accounts", "boss", "operator-accounts")
    await look_over(cabinet, "/operator/accounts/1", "boss", "operator-account")


async def test_the_forms_of_accounts_are_good_to_look_at(cabinet: Cabinet) -> None:
    await filled(cabinet)
    await look_over(cabinet, "/operator/accounts/1/limits", "boss", "operator-limits")
    await look_over(cabinet, "/operator/accounts/1/traits", "boss", "operator-traits")


async def test_the_smaller_pages_of_accounts_are_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/operator/accounts/new", "boss", "operator-account-new")
    check = "/operator/accounts/1/money/check?kind=topup&amount=500&note=invoice"
    await look_over(cabinet, check, "boss", "operator-money-check")
    for path in ("money", "close", "password", "second-factor", "sign-in", "keys/1/revoke"):
        await look_over(cabinet, f"/operator/accounts/1/{path}", "boss")


async def test_it_all_works_without_javascript(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss", java_script_enabled=False)).open("/operator/accounts?q=shop")
    await page.get_by_role("link", name="shop").click()
    await page.get_by_role("button", name="Top up or correct").click()
    await page.get_by_label("Amount").fill("5")
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_role("button", name="Yes, add it").dblclick()
    await expect(page.get_by_role("status")).to_be_visible()
    assert (await account(cabinet, "shop")).balance == 105_000_000
    await page.get_by_role("button", name="Sign in as", exact=True).click()
    await page.get_by_role("button", name="Sign in as this customer").click()
    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("The Shop")


async def test_a_customer_is_found_and_paused_with_the_keyboard_alone(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("boss")).open("/operator/accounts")
    await page.keyboard.press("/")
    await page.keyboard.type("rival")
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await reach(page, "rival")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("rival")
    await reach(page, "Pause")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("paused")
    assert (await account(cabinet, "rival")).status is AccountStatus.PAUSED


async def reach(page: Page, text: str) -> None:
    """Press Tab until this has the focus, and can be seen to have it."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if (await page.evaluate("document.activeElement.textContent.trim()")) == text:
            assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"{text} is not reached")
