"""The operator looks at the cabinet of a customer as the customer does, and how far that goes."""

import pytest
from cabinet import Cabinet
from test_pages_operator import account, do

from hopwire.admission import now_ms
from hopwire.model import AccountStatus
from hopwire.store.sessions import Sessions
from hopwire.web.pages import PAGES
from hopwire.web.pages.visit import Who

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_nobody_enters_the_account_of_an_operator_or_a_closed_one(cabinet: Cabinet) -> None:
    await cabinet.account("boss2", operator=True)
    await cabinet.account("gone", status=AccountStatus.CLOSED)
    for login in ("boss", "boss2", "gone"):
        at = f"/operator/accounts/{(await account(cabinet, login)).id}/sign-in"
        assert (await cabinet.get(at, "boss")).status == 404, login
        assert (await do(cabinet, at)).status == 404, login


async def test_who_leaves_has_to_prove_who_he_is_before_the_next_dangerous_thing(cabinet: Cabinet) -> None:
    boss = await account(cabinet, "boss")
    cookie = await cabinet.session("shop", boss.id)
    reply = await cabinet.gateway.post(
        "/leave", b"", f"Cookie: hopwire={cookie}", "Sec-Fetch-Site: same-origin"
    )
    assert (reply.status, reply.headers["location"]) == (303, "/operator/accounts/1")
    new = reply.headers["set-cookie"].partition("hopwire=")[2].partition(";")[0]
    found = await Sessions(cabinet.gateway.store.engine).find(new, now_ms())
    assert found is not None and found.account.login == "boss" and found.session.proved_at == 0
    reply = await cabinet.gateway.get("/operator/accounts/1/money", f"Cookie: hopwire={new}")
    assert reply.headers["location"].startswith("/prove?next=")
    assert await Sessions(cabinet.gateway.store.engine).find(cookie, now_ms()) is None


async def test_a_guest_is_no_operator_and_a_customer_cannot_leave(cabinet: Cabinet) -> None:
    boss = await account(cabinet, "boss")
    cookie = f"Cookie: hopwire={await cabinet.session('shop', boss.id)}"
    assert (await cabinet.gateway.get("/operator/accounts", cookie, "Accept: text/html")).status == 404
    assert (await cabinet.post("/leave", {}, "rival")).status == 404
    assert (await cabinet.post("/leave", {}, "boss")).status == 404


async def test_a_guest_does_nothing_that_asks_for_the_password(cabinet: Cabinet) -> None:
    boss = await account(cabinet, "boss")
    cookie = f"Cookie: hopwire={await cabinet.session('shop', boss.id)}"
    for path in [
        page.path for page in PAGES if page.proof and page.who is Who.CUSTOMER and "{" not in page.path
    ]:
        reply = await cabinet.gateway.post(path, b"", cookie, "Sec-Fetch-Site: same-origin")
        assert reply.status in (403, 405), path
        assert (await cabinet.gateway.get(path, cookie, "Accept: text/html")).status in (403, 404, 405), path


async def test_a_visit_ends_with_the_operator_s_own_rights(cabinet: Cabinet) -> None:
    other = await cabinet.account("boss2", operator=True)
    sessions = Sessions(cabinet.gateway.store.engine)
    cookie = await cabinet.session("shop", other.id)
    assert await sessions.find(cookie, now_ms()) is not None
    await cabinet.gateway.directory.set_account(other.id, {"operator": False})
    assert await sessions.find(cookie, now_ms()) is None


async def test_dangerous_things_need_the_password_again(cabinet: Cabinet) -> None:
    boss = await account(cabinet, "boss")
    cookie = await Sessions(cabinet.gateway.store.engine).begin(
        boss.id, "127.0.0.1", "test", now_ms(), proved=False
    )
    paths = ("new", "1/traits", "1/money", "1/close", "1/password", "1/second-factor", "1/sign-in")
    for path in paths:
        for send in (cabinet.gateway.get, cabinet.gateway.post):
            args = (b"",) if send == cabinet.gateway.post else ()
            reply = await send(
                f"/operator/accounts/{path}",
                *args,
                f"Cookie: hopwire={cookie}",
                "Sec-Fetch-Site: same-origin",
            )
            assert reply.headers["location"].startswith("/prove?next="), path
    assert (await account(cabinet, "shop")).status is AccountStatus.ACTIVE
