"""API keys in the cabinet: made once, shown once, replaced, revoked, and code that runs as it stands."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import planted
import pytest
from cabinet import Cabinet, is_accessible, look_over
from gateway import Reply, answers
from playwright.async_api import Page, expect
from smpp_ends import missing

from hopwire.admission import now_ms
from hopwire.model import ApiKey
from hopwire.web.pages import samples

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = '<script>alert(1)</script> "\u202edrow'


async def newest(cabinet: Cabinet, account_id: int = 1) -> ApiKey:
    return (await cabinet.gateway.directory.keys_of(account_id))[-1]


async def asked(cabinet: Cabinet, path: str, form: dict[str, str], login: str = "shop") -> Reply:
    """The page that answers a form, on which a key may be seen."""
    reply = await cabinet.post(path, form, login)
    planted.FOUND.clear()
    return reply


async def shown(page: Page) -> str:
    """The key on the page that answers its making."""
    text = await page.locator("section .code code").inner_text()
    assert re.fullmatch("hw_live_[0-9A-Za-z]{38}", text)
    return text


# ---- journeys


async def test_a_key_is_made_shown_once_used_replaced_and_revoked(cabinet: Cabinet) -> None:
    person = await cabinet.person("shop")
    page = await person.open("/keys")
    await page.get_by_role("button", name="New key").click()
    await page.get_by_label("What it is for").fill("till")
    await page.get_by_label("From where it may be used").fill("127.0.0.0/8\n::1")
    await page.get_by_role("button", name="Make the key").click()
    key = await shown(page)
    await is_accessible(page)
    reply = await cabinet.gateway.post("/api/http.php", f"key={key}&command=balance".encode())
    assert reply.text == "balance:100\n"

    await page.get_by_role("link", name="back to the keys").click()
    row = page.get_by_role("row", name="till")
    await expect(row).to_contain_text(key[:12] + "…")
    assert key not in await page.content()

    await row.get_by_role("link", name="Replace").click()
    await page.get_by_label("The old key ends").select_option("in an hour")
    await page.get_by_role("button", name="Make the new key").click()
    other = await shown(page)
    for one in (key, other):
        reply = await cabinet.gateway.post("/api/http.php", f"key={one}&command=balance".encode())
        assert reply.text == "balance:100\n"

    made = await newest(cabinet)
    await page.goto(f"{cabinet.base}/keys/{made.id}/revoke")
    await page.get_by_role("button", name="Revoke it").click()
    await expect(page.get_by_role("status")).to_contain_text("The key is revoked")
    await answers(cabinet.gateway, "errors:Wrong login/password\n", key=other, command="balance")
    await expect(page.get_by_text("Keys that are over")).to_be_visible()


async def test_a_key_is_made_and_replaced_without_javascript(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("shop", java_script_enabled=False)).open("/keys/new")
    await page.get_by_label("What it is for").fill("till")
    await page.get_by_role("button", name="Make the key").click()
    key = await shown(page)
    await expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    await page.goto(f"{cabinet.base}/keys/{(await newest(cabinet)).id}/rotate")
    await page.get_by_role("button", name="Make the new key").click()
    assert await shown(page) != key


async def test_what_is_asked_for_is_what_the_key_may_do(cabinet: Cabinet) -> None:
    day = "2100-01-31"
    form = {"name": HOSTILE, "scope": "read", "networks": "203.0.113.7, 2001:db8::/32", "expires": day}
    reply = await asked(cabinet, "/keys/new", form, "rival")
    assert reply.status == 200
    made = await newest(cabinet, 3)
    assert (made.scopes, made.addresses) == (("read",), ("203.0.113.7", "2001:db8::/32"))
    assert (made.post_only, made.name) == (False, HOSTILE)
    assert made.expires_at == 4_105_116_000_000  # midnight in Kyiv
    page = await (await cabinet.person("rival")).open("/keys")
    await expect(page.get_by_role("row", name="alert")).to_contain_text("<script>alert(1)</script>")
    await expect(page.get_by_role("row", name="alert")).to_contain_text("⟨U+202E⟩")


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        pytest.param({"name": ""}, "Please fill this in.", id="no name"),
        pytest.param({"name": "x" * 101}, "At most 100 characters", id="a long name"),
        pytest.param({"scope": ""}, "Choose at least one thing", id="nothing to do"),
        pytest.param(
            {"networks": "10.0.0.1/8"}, "10.0.0.1/8 is no address or network", id="bits behind the mask"
        ),
        pytest.param({"networks": "a " * 21}, "At most 20 networks", id="many networks"),
        pytest.param({"expires": "2020-01-01"}, "a day that is to come", id="a day that is over"),
        pytest.param({"expires": "9999-12-31"}, "a day that is to come", id="the end of time"),
        pytest.param({"expires": "soon"}, "a day that is to come", id="no day"),
    ],
)
async def test_a_form_that_is_not_right_makes_no_key(
    cabinet: Cabinet, typed: dict[str, str], complaint: str
) -> None:
    form = {"name": "till", "scope": "send", "networks": "", "expires": "", **typed}
    reply = await cabinet.post("/keys/new", form, "shop")
    assert reply.status == 422
    assert complaint in reply.text
    assert len(await cabinet.gateway.directory.keys_of(1)) == 1


async def test_two_keys_stand_for_one_at_most(cabinet: Cabinet) -> None:
    key = (await newest(cabinet)).id
    assert (await asked(cabinet, f"/keys/{key}/rotate", {"overlap": "24"})).status == 200
    reply = await cabinet.post(f"/keys/{key}/rotate", {"overlap": "24"}, "shop")
    assert reply.status == 422
    assert len(await cabinet.gateway.directory.keys_of(1)) == 2


async def test_an_overlap_that_nobody_offers_is_a_day(cabinet: Cabinet) -> None:
    key = await newest(cabinet)
    await asked(cabinet, f"/keys/{key.id}/rotate", {"overlap": "999999"})
    old = (await cabinet.gateway.directory.keys_of(1))[0]
    assert old.expires_at is not None
    assert abs(old.expires_at - now_ms() - 86_400_000) < 60_000


# ---- of others


async def test_the_key_of_another_is_not_there(cabinet: Cabinet) -> None:
    key = (await newest(cabinet)).id
    for verb in ("code", "rotate", "revoke"):
        assert (await cabinet.get(f"/keys/{key}/{verb}", "rival", Accept="text/html")).status == 404
    for verb in ("rotate", "revoke"):
        assert (await cabinet.post(f"/keys/{key}/{verb}", {}, "rival")).status == 404
    assert (await newest(cabinet)).is_valid(now_ms())
    directory = cabinet.gateway.directory
    assert not await directory.revoke_key(key, now_ms(), 3)
    assert await directory.rotate_key(key, "d", "p", now_ms(), 0, account_id=3) is None


async def test_what_is_dangerous_asks_for_the_password(cabinet: Cabinet) -> None:
    cabinet.gateway.rows("DELETE FROM sessions")
    session = await cabinet.session("shop")
    cabinet.gateway.rows("UPDATE sessions SET proved_at = 0")
    key = (await newest(cabinet)).id
    for path in ("/keys/new", f"/keys/{key}/rotate", f"/keys/{key}/revoke"):
        reply = await cabinet.gateway.get(path, f"Cookie: hopwire={session}")
        assert (reply.status, reply.headers["location"]) == (303, f"/prove?next={path}")
        reply = await cabinet.gateway.post(path, b"", f"Cookie: hopwire={session}", "Sec-Fetch-Site: none")
        assert (reply.status, reply.headers["location"][:11]) == (303, "/prove?next")
    assert len(await cabinet.gateway.directory.keys_of(1)) == 1


async def test_a_key_that_was_seen_in_a_url_is_pointed_at(cabinet: Cabinet) -> None:
    page = await (await cabinet.person("shop")).open("/keys")
    await expect(page.get_by_text("seen in a URL")).to_have_count(0)
    await cabinet.gateway.directory.keys_seen({}, {now_ms(): [(await newest(cabinet)).id]})
    await page.reload()
    await expect(page.get_by_role("note")).to_contain_text("in the logs")
    await expect(page.get_by_role("row", name="test")).to_contain_text("seen in a URL")


# ---- ready code

RUNS = {"curl": ["bash"], "Python": [sys.executable], "PHP": ["php"], "JavaScript": ["node"]}


def runs(language: str) -> list[str]:
    """What runs code in this language; where nothing may be missing, the test fails without it."""
    command = RUNS[language]
    needed = "curl" if language == "curl" else command[0]
    if shutil.which(needed) is None:
        missing(f"{needed} is not installed")
    return command


async def said(command: list[str], text: str, folder: Path) -> str:
    """What a program writes."""
    file = folder / "sample"
    file.write_text(text, "utf-8")
    process = await asyncio.create_subprocess_exec(
        *command, str(file), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, err.decode()
    return out.decode().strip()


@pytest.mark.parametrize("language", samples.LANGUAGES)
async def test_code_from_the_page_runs_as_it_stands(cabinet: Cabinet, language: str, tmp_path: Path) -> None:
    command = runs(language)
    page = await (await cabinet.person("shop")).open("/keys/new")
    await page.get_by_label("What it is for").fill("code")
    await page.get_by_role("button", name="Make the key").click()
    part = page.locator("details", has=page.locator("summary", has_text=re.compile(f"^{language}$")))
    if await part.get_attribute("open") is None:
        await part.locator("summary").click()
    sms, viber, status, balance = await part.locator("code").all_inner_texts()
    sent = await said(command, sms, tmp_path)
    assert re.fullmatch(r"id:\d+\nsms_count:1", sent)
    number = sent.splitlines()[0].removeprefix("id:")
    assert (await said(command, status.replace(samples.ID, number), tmp_path)).startswith("status:Pending\n")
    assert re.fullmatch(r"id:\d+\nsms_count:1", await said(command, viber, tmp_path))
    assert (await said(command, balance, tmp_path)).startswith("balance:")
    kept = cabinet.gateway.rows("SELECT viber FROM messages ORDER BY id")
    assert [one[0] is not None for one in kept] == [False, True]


async def test_code_for_an_old_key_has_its_beginning_and_what_it_may_do(cabinet: Cabinet) -> None:
    await cabinet.gateway.new_key(1, scopes=("balance",))
    key = await newest(cabinet)
    page = await (await cabinet.person("shop")).open(f"/keys/{key.id}/code")
    text = await page.locator("details code").first.inner_text()
    assert f"key={key.prefix}<the rest of the key>" in text
    assert "command=balance" in text
    assert await page.locator("details code").count() == len(samples.LANGUAGES)


@pytest.mark.parametrize("language", ["curl", "Python", "JavaScript"])
async def test_what_stands_in_code_is_quoted(language: str, tmp_path: Path) -> None:
    """Names of senders are what customers have typed; an address is what a browser has said."""
    command = runs(language)
    fields = {"from": "\"'$(touch x)`touch x`\\ \n${x}\u2028"}
    text = samples.LANGUAGES[language]("http://localhost/", fields)
    printed = {
        "curl": text.replace("curl ", "printf '%s' ", 1).replace("--data-urlencode", ""),
        "Python": re.sub(r"with .*", "", text, flags=re.S) + "print(fields['from'], end='')",
        "JavaScript": re.sub(r"fetch.*", "", text, flags=re.S) + "process.stdout.write(fields.from)",
    }
    out = await said(command, printed[language], tmp_path)
    assert fields["from"].strip() in out
    assert not (tmp_path / "x").exists()


# ---- what it looks like


async def test_the_pages_of_keys_are_good_to_look_at(cabinet: Cabinet) -> None:
    await look_over(cabinet, "/keys", "rival", "keys-none")
    await cabinet.gateway.new_key(1, scopes=("read",), addresses=("203.0.113.0/24", "2001:db8::/32"))
    ended = await cabinet.gateway.new_key(1, expires_at=now_ms() - 1)
    assert ended
    await cabinet.gateway.directory.keys_seen({now_ms(): [1]}, {now_ms(): [1]})
    await look_over(cabinet, "/keys", "shop", "keys")
    await look_over(cabinet, "/keys/new", "shop", "keys-new")
    await look_over(cabinet, "/keys/1/code", "shop", "keys-code")
    await look_over(cabinet, "/keys/1/rotate", "shop")
    await look_over(cabinet, "/keys/1/revoke", "shop")
