"""The picture in the preview of a message: fetched by the gateway, from where anybody might fetch it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from aiohttp import web
from cabinet import Cabinet, fits, is_accessible, opened
from playwright.async_api import Browser, Locator, expect
from test_fetch import HERE, Site
from test_images import gif

from hopwire import app
from hopwire.fetch import Guard, Pictures

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST = 4096  # bytes of a picture
DOT = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")  # a whole GIF
PATIENCE_S = 10


async def resolve(host: str, port: int) -> Sequence[str]:
    """One name of our neighbours', and all others are the site's."""
    return ["10.0.0.1"] if host == "inner.example" else ["127.0.0.1"]


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    async with Site().serving() as one:
        one.gives(DOT)
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def shop(
    site: Site, tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cabinet]:
    """A cabinet whose gateway may reach the site."""
    guard = Guard(resolve, HERE, {site.port})
    monkeypatch.setattr(app, "Pictures", partial(Pictures, guard=guard))
    async with opened(tmp_path, browser, viber={"max_image_bytes": MOST}) as made:
        await made.account("rival")
        await made.gateway.directory.set_account(1, {"language": "en"})
        yield made


def address(link: str) -> str:
    return f"/send/picture?link={quote(link, safe='')}"


async def width(image: Locator) -> int:
    """In pixels, as soon as it is known whether there is a picture."""
    done = "one => one.complete || new Promise(done => { one.onload = one.onerror = () => done(1) })"
    await image.evaluate(done)
    found: int = await image.evaluate("one => one.naturalWidth")
    return found


async def test_a_picture_is_shown_as_the_phone_shows_it(shop: Cabinet, site: Site) -> None:
    page = await (await shop.person("shop")).open("/send")
    await page.get_by_label("picture", exact=True).check()
    await page.get_by_label("Link to the picture").fill(site.link("/a b&c=d.gif?e=f+g").replace(" ", "%20"))
    image = page.locator("#preview .picture img")
    await expect(image).to_have_attribute("alt", site.link("/a%20b&c=d.gif?e=f+g"))
    assert await width(image) == 1
    assert site.asked[0].path_qs == "/a%20b&c=d.gif?e=f+g"


async def test_what_cannot_be_shown_is_told_by_its_address(shop: Cabinet, site: Site) -> None:
    """Also without JavaScript, and where the address is longer than a phone is wide."""
    site.gives(b"", 404)
    link = site.link(f"/{'w' * 300}.gif")
    form = {"way": "viber", "viber_type": "image", "viber_image": link}
    page = await (await shop.person("shop", viewport={"width": 320, "height": 900})).open("/send")
    await page.get_by_label("picture", exact=True).check()
    await page.get_by_label("Link to the picture").fill(link)
    await page.get_by_role("button", name="Preview").click()
    image = page.get_by_role("img", name=link)
    await expect(image).to_be_visible()
    assert await width(image) == 0
    await fits(page)
    await is_accessible(page)
    reply = await shop.post("/send/preview", {**form, "viber_image": "ftp://a.example/x.gif"}, "shop")
    assert ("/send/picture" in reply.text, "ftp://a.example/x.gif" in reply.text) == (False, True)


async def test_a_picture_is_answered_as_what_it_is(shop: Cabinet, site: Site) -> None:
    site.gives(DOT.ljust(MOST, b"\0"), Content_Type="text/html")
    reply = await shop.get(address(site.link("/a.gif")), "shop")
    assert (reply.status, reply.body) == (200, DOT.ljust(MOST, b"\0"))
    told = {name: reply.headers[name] for name in ("content-type", "x-content-type-options", "cache-control")}
    assert list(told.values()) == ["image/gif", "nosniff", "private, max-age=600"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("/a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 200, id="SVG"),
        pytest.param("/a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 200, id="SVG by another name"),
        pytest.param("/a.gif", b"<html><script>alert(1)</script>", 200, id="HTML"),
        pytest.param("/a.png", DOT, 200, id="a picture of another kind"),
        pytest.param("/a.gif", gif(20_000), 200, id="too wide"),
        pytest.param("/a.gif", DOT.ljust(MOST + 1, b"\0"), 200, id="too large"),
        pytest.param("/a.gif", DOT, 404, id="not there"),
        pytest.param("/a.gif", DOT, 302, id="elsewhere"),
    ],
)
async def test_anything_else_is_not_there(
    shop: Cabinet, site: Site, path: str, body: bytes, status: int
) -> None:
    site.gives(body, status, Content_Type="image/gif", Location=site.link("/b.gif"))
    reply = await shop.get(address(site.link(path)), "shop")
    assert (reply.status, reply.body) == (404, b"")
    assert [asked.path for asked in site.asked] == [path]


@pytest.mark.parametrize("link", ["", "a", "file:///etc/a.gif", "http://inner.example:{}/a.gif"])
async def test_a_link_that_leads_nowhere_public_is_not_followed(shop: Cabinet, site: Site, link: str) -> None:
    reply = await shop.get(address(link.format(site.port)), "shop")
    assert (reply.status, reply.body, site.asked) == (404, b"", [])


async def test_a_visitor_gets_none(shop: Cabinet, site: Site) -> None:
    reply = await shop.get(address(site.link("/a.gif")))
    assert (reply.status, reply.headers["location"][:13], site.asked) == (303, "/sign-in?next", [])


async def test_an_account_has_one_fetched_at_a_time_and_keeps_nobody_else(shop: Cabinet, site: Site) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        if request.path == "/first.gif":
            asked.set()
            await may_answer.wait()
        return web.Response(body=DOT)

    site.handler = wait
    first = asyncio.create_task(shop.get(address(site.link("/first.gif")), "shop"))
    await asyncio.wait_for(asked.wait(), PATIENCE_S)
    second = asyncio.create_task(shop.get(address(site.link("/second.gif")), "shop"))
    assert (await shop.get(address(site.link("/other.gif")), "rival")).status == 200
    assert [request.path for request in site.asked] == ["/first.gif", "/other.gif"]
    may_answer.set()
    assert [(await one).status for one in (first, second)] == [200, 200]
