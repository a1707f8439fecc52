"""Pictures are fetched from where anybody might fetch them, and from nowhere else."""

import asyncio
import gzip
import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from smpp_ends import missing
from test_images import gif, jpeg, png
from yarl import URL

from hopwire import fetch
from hopwire.errors import ApiError, ImageBadPixels, ImageOfOtherKind, ImageTooLarge, ImageUnreachable
from hopwire.fetch import ForbiddenError, Guard, Pictures

HOST = "pictures.example"
HERE = (ipaddress.ip_network("127.0.0.0/8"),)
MOST = 100_000
PATIENCE_S = 10

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Names:
    """A resolver that answers what it is told to, the last answer again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Site:
    """A web site with pictures."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.handler: Handler = self._say
        self.port = 0
        self.gives(png())

    def gives(self, body: bytes, status: int = 200, **headers: str) -> None:
        """From now on; `_` stands for `-` in the names of headers."""
        self._body, self._status = body, status
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.handler(request)

    async def _say(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._body, status=self._status, headers=self._headers)

    def link(self, path: str = "/cake.png", scheme: str = "http") -> str:
        return f"{scheme}://{HOST}:{self.port}{path}"

    def guard(self, *answers: Sequence[str]) -> Guard:
        """One that lets its links through; `answers`: what the name resolves to."""
        return Guard(Names(*(answers or (["127.0.0.1"],))), HERE, {self.port})

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Site"]:
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", self.take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site().serving() as one:
        yield one


@pytest.fixture
async def pictures(site: Site) -> AsyncIterator[Pictures]:
    async with Pictures(MOST, site.guard()) as made:
        yield made


async def refused(pictures: Pictures, link: str) -> type[ApiError]:
    with pytest.raises(ApiError) as error:
        await asyncio.wait_for(pictures.check(link), PATIENCE_S)
    return error.type


# ---- what is fetched


@pytest.mark.parametrize(
    ("path", "body"), [("/a.png", png()), ("/b.JPG", jpeg()), ("/c.jpeg?d=e", jpeg()), ("/f.gif", gif())]
)
async def test_a_good_picture_is_good(site: Site, pictures: Pictures, path: str, body: bytes) -> None:
    site.gives(body + b"x" * 50_000)
    await pictures.check(site.link(path))
    (asked,) = site.asked
    assert (asked.method, asked.path_qs, asked.headers["Host"]) == ("GET", path, f"{HOST}:{site.port}")
    assert "Cookie" not in asked.headers
    assert asked.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("body", "status", "headers", "error"),
    [
        pytest.param(b"", 404, {}, ImageUnreachable, id="not found"),
        pytest.param(png(), 500, {}, ImageUnreachable, id="a picture with a failure"),
        pytest.param(png(), 206, {}, ImageUnreachable, id="a part of one"),
        pytest.param(b"", 200, {}, ImageOfOtherKind, id="nothing"),
        pytest.param(b"<html>", 200, {"Content_Type": "image/png"}, ImageOfOtherKind, id="HTML as a picture"),
        pytest.param(jpeg(), 200, {}, ImageOfOtherKind, id="a JPEG"),
        pytest.param(gzip.compress(png()), 200, {"Content_Encoding": "gzip"}, ImageOfOtherKind, id="packed"),
        pytest.param(png(20_000, 20_000), 200, {}, ImageBadPixels, id="huge"),
        pytest.param(png() + b"x" * MOST, 200, {}, ImageTooLarge, id="too many bytes"),
    ],
)
async def test_a_bad_picture_is_refused_with_what_is_wrong(
    site: Site, pictures: Pictures, body: bytes, status: int, headers: dict[str, str], error: type[ApiError]
) -> None:
    site.gives(body, status, **headers)
    assert await refused(pictures, site.link()) is error


async def test_as_many_bytes_as_are_allowed_are_good(site: Site, pictures: Pictures) -> None:
    site.gives(png().ljust(MOST, b"x"))
    await pictures.check(site.link())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(site: Site, pictures: Pictures, status: int) -> None:
    site.gives(png(), status, Location=site.link("/other.png"))
    assert await refused(pictures, site.link()) is ImageUnreachable
    assert len(site.asked) == 1


async def test_a_body_without_an_end_is_read_no_further_than_allowed(site: Site, pictures: Pictures) -> None:
    left = asyncio.Event()

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(png() * 100)
        finally:
            left.set()

    site.handler = pour
    assert await refused(pictures, site.link()) is ImageTooLarge
    await asyncio.wait_for(left.wait(), PATIENCE_S)


async def test_a_body_that_does_not_come_is_given_up(site: Site) -> None:
    async def dawdle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(png())
        await asyncio.Event().wait()
        return response

    site.handler = dawdle
    async with Pictures(MOST, site.guard(), time_s=0.2) as pictures:
        assert await refused(pictures, site.link()) is ImageUnreachable


async def test_a_name_that_is_not_answered_is_given_up(site: Site) -> None:
    async def silence(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with Pictures(MOST, Guard(silence, HERE, {site.port}), time_s=0.05) as pictures:
        assert await refused(pictures, site.link()) is ImageUnreachable


async def test_a_cookie_is_not_brought_back(site: Site, pictures: Pictures) -> None:
    site.gives(png(), Set_Cookie="who=me; Path=/")
    await pictures.check(site.link("/a.png"))
    await pictures.check(site.link("/b.png"))
    assert ["Cookie" in asked.headers for asked in site.asked] == [False, False]


async def test_a_proxy_of_the_environment_is_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Pictures(MOST, site.guard()) as pictures:
        await pictures.check(site.link())


async def test_another_address_of_the_host_is_tried(site: Site) -> None:
    async with Pictures(MOST, site.guard(["127.0.0.9", "127.0.0.1"])) as pictures:
        await pictures.check(site.link())
    async with Pictures(MOST, site.guard(["127.0.0.9"])) as pictures:
        assert await refused(pictures, site.link()) is ImageUnreachable


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that nobody has reason to trust."""
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    pem = tmp_path_factory.mktemp("tls") / "pair.pem"
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    subprocess.run(
        ["openssl", "req", "-x509", *made, "-keyout", pem, "-out", pem.with_suffix(".crt")],
        check=True,
        capture_output=True,
    )
    pem.write_text(pem.read_text() + pem.with_suffix(".crt").read_text())
    return pem


async def test_a_certificate_is_asked_for_by_the_host_s_name_and_verified(certificate: Path) -> None:
    named: list[str | None] = []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    tls.sni_callback = lambda _socket, name, _context: named.append(name)
    async with Site().serving(tls) as site, Pictures(MOST, site.guard()) as pictures:
        assert await refused(pictures, site.link(scheme="https")) is ImageUnreachable
        assert (named, site.asked) == ([HOST], [])


# ---- where a link may lead


async def leads_nowhere(link: str, guard: Guard) -> str:
    with pytest.raises(ForbiddenError) as error:
        await guard.addresses(URL(link))
    return str(error.value)


GOOD = "93.184.216.34"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
        "2002:7f00:1::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2001::1", "2001:db8::1", "fc00::1", "fd12::1",
        "fe80::1", "fec0::1", "ff0e::1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("others", [(), (GOOD,)], ids=["alone", "beside a good one"])
async def test_an_address_that_is_not_public_is_refused(address: str, others: tuple[str, ...]) -> None:
    for answer in ([address, *others], [*others, address]):
        assert await leads_nowhere("http://a.example/x.png", Guard(Names(answer))) == "address"


async def test_public_addresses_are_good() -> None:
    public = [GOOD, "2606:4700::1111"]
    assert await Guard(Names(public)).addresses(URL("https://a.example/x.png")) == public


def test_an_address_of_this_machine_is_known() -> None:
    assert fetch._is_ours(ipaddress.ip_address("127.0.0.1"))
    assert not fetch._is_ours(ipaddress.ip_address(GOOD))


async def test_a_name_without_addresses_is_refused() -> None:
    assert await leads_nowhere("http://a.example/x.png", Guard(Names([]))) == "address"


@pytest.mark.parametrize(
    ("link", "why"),
    [
        pytest.param("ftp://a.example/x.png", "scheme or login", id="another scheme"),
        pytest.param("file:///etc/x.png", "scheme or login", id="a file"),
        pytest.param("http://me@a.example/x.png", "scheme or login", id="a login"),
        pytest.param("http://:p@a.example/x.png", "scheme or login", id="a password"),
        pytest.param("http://a.example:22/x.png", "port", id="another port"),
        pytest.param("https://a.example:8080/x.png", "port", id="a port of inner servers"),
    ],
)
async def test_a_link_of_another_form_is_refused_without_a_look_up(link: str, why: str) -> None:
    names = Names([GOOD])
    assert await leads_nowhere(link, Guard(names)) == why
    assert names.asked == []


@pytest.mark.parametrize(
    ("link", "asked"),
    [
        pytest.param("http://a.example/x.png", ("a.example", 80), id="HTTP"),
        pytest.param("https://A.example/x.png", ("a.example", 443), id="HTTPS"),
        pytest.param("https://a.example:8443/x.png", ("a.example", 8443), id="the third port"),
        pytest.param("https://a.укр/x.png", ("a.xn--j1amh", 443), id="a name of other letters"),
    ],
)
async def test_a_name_is_looked_up_as_it_will_be_asked_for(link: str, asked: tuple[str, int]) -> None:
    names = Names([GOOD])
    await Guard(names).addresses(URL(link))
    assert names.asked == [asked]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]", "localhost"],
)
async def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    async with Pictures(MOST) as pictures:
        assert await refused(pictures, f"http://{host}/x.png") is ImageUnreachable


@pytest.mark.parametrize(
    "link", ["http:///x.png", "http://a..example/x.png", "http://a.example:99999/x.png", "http://[::1/x.png"]
)
async def test_what_is_no_link_is_refused(link: str) -> None:
    async with Pictures(MOST, Guard(Names([GOOD]))) as pictures:
        assert await refused(pictures, link) is ImageUnreachable


async def test_a_name_that_leads_elsewhere_a_moment_later_leads_nowhere(site: Site) -> None:
    guard = site.guard(["127.0.0.1"], ["10.0.0.1"])
    async with Pictures(MOST, guard) as pictures:
        await pictures.check(site.link("/a.png"))
        assert await refused(pictures, site.link("/b.png")) is ImageUnreachable
    assert isinstance(guard.resolve, Names)
    assert guard.resolve.asked == [(HOST, site.port)] * 2
    assert len(site.asked) == 1


# ---- what is remembered


@pytest.mark.parametrize(
    ("body", "look", "kept_s"),
    [
        pytest.param(png(), Pictures.check, 600, id="good"),
        pytest.param(b"", refused, 60, id="bad, for less long"),
    ],
)
async def test_a_picture_is_remembered_for_a_while(
    site: Site, body: bytes, look: Callable[[Pictures, str], Awaitable[object]], kept_s: float
) -> None:
    now = 1000.0
    site.gives(body)

    async with Pictures(MOST, site.guard(), clock=lambda: now) as pictures:
        await look(pictures, site.link())
        now += kept_s - 1
        await look(pictures, site.link())
        await look(pictures, site.link("/other.png"))
        now += 1
        await look(pictures, site.link())
    assert [asked.path for asked in site.asked] == ["/cake.png", "/other.png", "/cake.png"]


async def test_a_picture_that_is_wanted_itself_is_fetched_whole_and_again(
    site: Site, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not kept; what was found out about it is."""
    monkeypatch.setattr(fetch, "HEAD", 100)
    body = png().ljust(MOST, b"x")
    site.gives(body)
    for _ in range(2):
        assert await pictures.fetch(site.link()) == body
    await pictures.check(site.link())
    assert len(site.asked) == 2


async def test_a_bad_picture_is_not_fetched_again_by_who_wants_it_itself(
    site: Site, pictures: Pictures
) -> None:
    site.gives(b"<svg/>")
    assert await refused(pictures, site.link()) is ImageOfOtherKind
    with pytest.raises(ImageOfOtherKind):
        await pictures.fetch(site.link())
    assert len(site.asked) == 1


async def test_of_many_links_the_oldest_is_forgotten(
    site: Site, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MOST_KNOWN", 2)
    for path in ("/a.png", "/b.png", "/c.png", "/b.png", "/c.png", "/a.png"):
        await pictures.check(site.link(path))
    assert [asked.path for asked in site.asked] == ["/a.png", "/b.png", "/c.png", "/a.png"]


async def test_those_who_ask_at_a_time_share_an_answer_and_one_may_leave(
    site: Site, pictures: Pictures
) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        asked.set()
        await may_answer.wait()
        return web.Response(body=png(1, 20_000))

    site.handler = wait
    first, *others = [asyncio.create_task(refused(pictures, site.link())) for _ in range(20)]
    await asyncio.wait_for(asked.wait(), PATIENCE_S)
    first.cancel()
    may_answer.set()
    assert await asyncio.gather(*others) == [ImageBadPixels] * 19
    assert len(site.asked) == 1


async def test_what_is_under_way_ends_with_it(site: Site) -> None:
    asked = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    site.handler = never
    async with Pictures(MOST, site.guard()) as pictures:
        waiting = asyncio.create_task(pictures.check(site.link()))
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
    with pytest.raises(asyncio.CancelledError):
        await waiting
