"""The other paths of the web face: health, version, metrics; HTTPS beside HTTP; and what is not there."""

import asyncio
import json
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from gateway import SECRET, SEND, Gateway, get, running
from smpp_ends import missing

from hopwire import __version__
from hopwire.app import server
from hopwire.config import Config, Http
from hopwire.model import Taken

TOKEN = "metrics-token"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as one:
        yield one


# ---- what is there


async def test_health_version_and_the_root_are_told(gateway: Gateway) -> None:
    assert (await gateway.get("/healthz"))[::2] == (200, b"OK\n")
    version = await gateway.get("/version")
    assert (version.status, json.loads(version.body)) == (200, {"version": __version__})
    assert "/api/http.php" in (await gateway.get("/")).text


async def test_it_is_ready_while_the_store_can_be_read(gateway: Gateway) -> None:
    reply = await gateway.get("/readyz")
    assert (reply.status, json.loads(reply.body)) == (
        200,
        {"status": "pass", "checks": {"store": "ok"}},
    )


async def test_it_is_not_ready_while_the_store_cannot_be_written(gateway: Gateway) -> None:
    with gateway.locked():
        assert (await gateway.get("/readyz")).status == 503
    assert (await gateway.get("/readyz")).status == 200


async def test_metrics_tell_how_old_the_backlog_is(gateway: Gateway) -> None:
    await gateway.send()
    gateway.rows("UPDATE deliveries SET due_at = due_at - 7200000")
    (line,) = [
        line
        for line in (await gateway.get("/metrics")).text.splitlines()
        if line.startswith("hopwire_backlog_seconds ")
    ]
    assert 7200 <= float(line.split()[1]) < 7300


async def test_metrics_are_not_for_another_host_that_is_proxied_here(gateway: Gateway) -> None:
    reply = await gateway.say(b"GET /metrics HTTP/1.1\r\nHost: sms.example.com\r\n\r\n")
    assert reply.status == 404


async def test_it_is_not_ready_while_the_store_cannot_be_read(gateway: Gateway) -> None:
    with gateway.unreadable():
        reply = await gateway.get("/readyz")
        assert (reply.status, json.loads(reply.body)["status"]) == (503, "fail")
        assert (await gateway.get("/healthz")).status == 200
    assert (await gateway.get("/readyz")).status == 200


# ---- metrics


async def test_metrics_are_for_this_machine_where_there_is_no_token(gateway: Gateway) -> None:
    await gateway.send()
    reply = await gateway.get("/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert re.search(r'^hopwire_requests_total\{answer="ok",command="send"\} [1-9]', reply.text, re.M)
    assert "\nhopwire_backlog 1.0\n" in reply.text


@pytest.mark.parametrize("header", ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1"])
async def test_metrics_are_not_for_those_that_a_proxy_brings(gateway: Gateway, header: str) -> None:
    reply = await gateway.get("/metrics", header)
    assert (reply.status, reply.text) == (404, "Not found\n")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param((), 404, id="no token"),
        pytest.param(("Authorization: Bearer wrong",), 404, id="a wrong token"),
        pytest.param(("Authorization: Bearer",), 404, id="an empty token"),
        pytest.param(("Authorization: Bearer \u0439",), 404, id="a token outside ASCII"),
        pytest.param((f"Authorization: Basic {TOKEN}",), 404, id="another scheme"),
        pytest.param((f"Authorization: Bearer {TOKEN}",), 200, id="the token"),
        pytest.param((f"Authorization: bearer {TOKEN}",), 200, id="a scheme has no case"),
    ],
)
async def test_metrics_need_the_token_that_is_set(
    tmp_path: Path, headers: tuple[str, ...], status: int
) -> None:
    async with running(tmp_path, metrics={"token": TOKEN}) as gateway:
        assert (await gateway.get("/metrics", *headers)).status == status


async def test_metrics_are_told_without_the_store(gateway: Gateway) -> None:
    with gateway.unreadable():
        assert (await gateway.get("/metrics")).status == 200


# ---- the demo's statuses


async def test_the_phone_page_reads_statuses_with_its_token(tmp_path: Path) -> None:
    async with running(tmp_path, demo={"token": TOKEN}) as gateway:
        message_id = await gateway.send()
        await gateway.play_worker("smsc", Taken("a1"))
        reply = await gateway.get("/demo/statuses", f"Authorization: Bearer {TOKEN}")
        (row,) = json.loads(reply.body)
        (step,) = row.pop("steps")
        assert row == {
            "id": message_id,
            "status": 2,
            "text": "Sent",
            "provider_ids": ["a1"],
            "recipient": "380501234567",
            "viber_sender": "",
        }
        assert (step["channel"], step["state"], step["parts"]) == ("sms", "taken", ["taken"])
        assert (await gateway.get("/demo/statuses")).status == 404
        with gateway.unreadable():
            reply = await gateway.get("/demo/statuses", f"Authorization: Bearer {TOKEN}")
        assert (reply.status, reply.text) == (503, "Temporarily unavailable\n")


async def test_there_are_no_statuses_outside_the_demo(gateway: Gateway) -> None:
    assert (await gateway.get("/demo/statuses", "Authorization: Bearer ")).status == 404


# ---- what is not there

NOWHERE = [
    "/api/http.php/",
    "/api/http.php/x",
    "/api/",
    "/api",
    "/API/HTTP.PHP",
    "//api/http.php",
    "/healthz/",
    "/metrics/",
    "/../etc/passwd",
    "/%2e%2e/etc/passwd",
    "/%ff",
    "/x?/api/http.php",
    "/callbacks/viber",
    f"/callbacks/viber/{SECRET}/",
    "/docs",
    "/openapi.json",
]


async def test_an_unknown_path_is_not_found_and_never_redirected(gateway: Gateway) -> None:
    for path in NOWHERE:
        for reply in (await gateway.get(path), await gateway.post(path, b"x=1")):
            assert (path, reply.status, reply.text) == (path, 404, "Not found\n")
            assert "location" not in reply.headers


@pytest.mark.parametrize("path", ["/healthz", "/version", "/readyz", "/metrics", "/"])
async def test_another_method_is_not_allowed(gateway: Gateway, path: str) -> None:
    reply = await gateway.post(path, b"")
    assert (reply.status, reply.text) == (405, "Method not allowed\n")


# ---- HTTPS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings for HTTPS with a certificate of `localhost` that signs itself."""
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    made = {"tls_certificate": str(folder / "certificate.pem"), "tls_key": str(folder / "key.pem")}
    line = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", made["tls_key"]]
    subprocess.run(
        [*line.split(), *more, "-out", made["tls_certificate"]], check=True, capture_output=True, timeout=60
    )
    return made


def trusting(certificate: dict[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate["tls_certificate"])


async def test_https_works_beside_http_and_neither_redirects(
    tmp_path: Path, certificate: dict[str, str]
) -> None:
    async with running(tmp_path, http=certificate) as gateway:
        target = f"/api/http.php?{urlencode({'key': gateway.key, **SEND})}"
        async with gateway.wire(trusting(certificate)) as secure, gateway.wire() as plain:
            for wire in (secure, plain, secure):
                wire.say(get(target))
                reply = await wire.reply()
                assert (reply.status, reply.text[:3]) == (200, "id:")
                assert "location" not in reply.headers
                assert "strict-transport-security" not in reply.headers


async def test_raw_requests_arrive_over_https(tmp_path: Path, certificate: dict[str, str]) -> None:
    async with (
        running(tmp_path, http=certificate) as gateway,
        gateway.wire(trusting(certificate)) as wire,
    ):
        query = f"key={gateway.key}&command=send&from=test&to=380501234567&message=Привіт усім"
        await wire.say_slowly(get(f"/api/http.php?{query}".encode()))
        assert (await wire.reply()).text.startswith("id:")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_tls_and_no_tls_are_refused_on_the_https_port(
    tmp_path: Path, certificate: dict[str, str]
) -> None:
    old = trusting(certificate)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1
    async with running(tmp_path, http=certificate) as gateway:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            async with gateway.wire(old):
                pass
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.ports["https"])
        writer.write(get("/healthz"))
        assert not (await reader.read()).startswith(b"HTTP")
        writer.close()


def test_a_certificate_that_cannot_be_used_stops_the_start(
    tmp_path: Path, certificate: dict[str, str]
) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for path in (bad, tmp_path / "missing.pem"):
        config = Config(http=Http(tls_certificate=str(path), tls_key=certificate["tls_key"]))
        with pytest.raises(OSError):
            server(lambda: None, config, tls=True)  # type: ignore[arg-type]
