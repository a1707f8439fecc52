"""What others than the client may read: no key, password, number or text is in a log line or a metric."""

import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from answers import answer_to
from gateway import SECRET, Gateway, get, post, running
from http_ends import line
from prometheus_client import CollectorRegistry, Histogram

from hopwire import credentials, logs, metrics
from hopwire.config import Log, ViberConnector
from hopwire.model import Fault, Handover, Never, Taken, ViberText

API = "/api/http.php"
TOKEN = "canary-metrics-token"
PASSWORD = "canary-password-канарка"
LOGIN = "canary-login"
SENDER = "canary-from"
NUMBER = "380671597531"
TEXT = "canary text of a message, канарейка"
WRONG_KEY = "hw_live_canarywrongkey"
PROVIDER_KEY = "canary-callback-garbage"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path, metrics={"token": TOKEN}) as one:
        await one.directory.create_account(
            LOGIN, credentials.hash_password(PASSWORD), 0, credit_limit=10_000_000
        )
        yield one


@pytest.fixture
def restored() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def canaries(gateway: Gateway) -> list[str]:
    """Everything that must not be seen, in each form in which it could be."""
    said = [gateway.key, WRONG_KEY, PASSWORD, LOGIN, NUMBER, NUMBER[-9:], TEXT, SENDER, SECRET, TOKEN]
    parts = ["canary", "канарка", "канарейка"]
    return [form for one in [*said, *parts] for form in (one, quote(one), one.encode().hex())]


def requests(gateway: Gateway) -> list[bytes]:
    """Right, wrong and broken ones."""
    who = {"login": LOGIN, "pass": PASSWORD}
    send = {"command": "send", "from": SENDER, "to": NUMBER, "message": TEXT}
    viber = {"viber": "1", "viber_message": TEXT, "viber_from": SENDER, "viber_sms": "1"}
    query = urlencode({**who, **send, **viber})
    callback = f"/callbacks/viber/{SECRET}"
    return [
        get(f"{API}?{query}"),
        get(f"{API}?key={gateway.key}&command=send&from={SENDER}&to={NUMBER}&message={TEXT}".encode()),
        get(f"{API}?{urlencode({**send, 'key': WRONG_KEY})}"),
        get(f"{API}?{urlencode({**send, 'login': LOGIN, 'pass': PASSWORD + '1'})}"),
        *(get(f"{API}?{urlencode({**who, **send, **viber, name: TEXT})}") for name in [*send, *viber]),
        get(f"{API}?{urlencode({**who, 'command': 'receive', 'id': NUMBER})}"),
        get(f"{API}?{urlencode({**who, 'command': 'price', 'to': NUMBER})}"),
        post(API, query.encode(), "Content-Type: multipart/form-data; boundary=canary"),
        post(API, f"--canary\r\n{TEXT}".encode(), "Content-Type: multipart/form-data; boundary=canary"),
        post(API, query.encode(), "Content-Encoding: gzip"),
        post(API, TEXT.encode() * 2000),
        get(f"/{PASSWORD}/{NUMBER}?key={gateway.key}"),
        get(f"/metrics?key={gateway.key}", f"Authorization: Bearer {TOKEN}1"),
        get("/healthz", f"Cookie: {WRONG_KEY}", f"User-Agent: {WRONG_KEY}"),
        post(
            callback,
            json.dumps({"message_token": TEXT, "message_status": 0, "phone_number": NUMBER}).encode(),
        ),
        post(callback, PROVIDER_KEY.encode()),
        post(callback + "canary", PROVIDER_KEY.encode()),
        f"GET {API}?key={gateway.key}\r\n\r\n".encode(),
        f"{TEXT} {gateway.key}\r\n\r\n".encode(),
        f"GET /{gateway.key} HTTP/1.1\r\n{NUMBER}\r\n\r\n".encode(),
        f"GET /{gateway.key} HTTP/1.1\r\nX: ".encode() + TEXT.encode() * 2000,
        f"POST {API}?{query} HTTP/1.1\r\nContent-Length: {TEXT}\r\n\r\n".encode(),
    ]


async def talk(gateway: Gateway) -> None:
    """Say all of it, and be cut off, locked out and met by a bug, too."""
    for said in requests(gateway):
        reply = await gateway.say(said)
        assert b"Traceback" not in reply.body
        assert not any(canary.encode() in reply.body for canary in canaries(gateway))
    with gateway.locked():
        await gateway.say(requests(gateway)[0])
    async with gateway.wire() as wire:
        wire.say(post(API, TEXT.encode(), method="POST")[:-3])
        wire.hang_up()
    await gateway.play_worker("viber", Taken("a1"))
    gateway.rows("UPDATE accounts SET time_zone = 'Nowhere'")
    gateway.rows("ALTER TABLE messages RENAME TO gone")
    assert (await gateway.say(requests(gateway)[0])).status == 503


async def refused_by_viber() -> None:
    """A hand-over to an address where nobody listens, and one that is none."""
    for url in ("http://127.0.0.1:1/", f"nonsense://{WRONG_KEY}"):
        settings = ViberConnector(url=url, service_ids={"*": 1}, callback_secret=SECRET)
        handed = Handover(
            message_id=1,
            step=0,
            part=0,
            parts=1,
            recipient=NUMBER,
            sender=SENDER,
            content=ViberText(text=TEXT),
            lifetime_s=60,
            transactional=True,
            repeated=False,
        )
        async with line(settings) as channel:
            answer = await answer_to(channel, handed)
    assert answer == Never("url", Fault.CONFIGURATION)


async def test_no_secret_number_or_text_is_in_a_log_line(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    await talk(gateway)
    await refused_by_viber()
    lines = [logs.JsonFormatter().format(record) for record in caplog.records] + [caplog.text]
    seen = "\n".join([*lines, *capfd.readouterr()])
    assert "Invalid HTTP request received." in seen
    assert "refused our configuration" in seen
    assert [canary for canary in canaries(gateway) if canary in seen] == []


async def test_no_secret_number_or_text_is_in_a_metric(gateway: Gateway) -> None:
    await talk(gateway)
    await refused_by_viber()
    seen = (await gateway.get("/metrics", f"Authorization: Bearer {TOKEN}")).text
    assert 'hopwire_requests_total{answer="wrong_credentials"' in seen
    assert [canary for canary in canaries(gateway) if canary in seen] == []


async def test_a_metric_has_no_label_from_a_client(gateway: Gateway) -> None:
    """Else anybody could fill our memory with counters."""
    for command in ("nonsense", "", "send\n", TEXT):
        await gateway.ask(command=command)
    commands = {
        sample.labels["command"]
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if "command" in sample.labels
    }
    assert commands <= {"send", "receive", "delete", "price", "balance", "unknown", "none"}


@pytest.mark.parametrize("seconds", [[0.001], [0.002, 0.0021, 0.3, 0.3], [0.0, 4.9, 5.0, 5.1, 60.0]])
def test_many_durations_are_told_as_one_by_one(seconds: list[float]) -> None:
    buckets = (0.001, 0.002, 0.25, 5)
    together, apart = CollectorRegistry(), CollectorRegistry()
    metrics.Durations("took", "", buckets=buckets, registry=together).observe_all(seconds)
    one_by_one = Histogram("took", "", buckets=buckets, registry=apart)
    for one in seconds:
        one_by_one.observe(one)
    assert _samples(together) == _samples(apart)


def _samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name != "took_created"
    }


async def test_every_reply_is_counted_once(gateway: Gateway) -> None:
    async def counted() -> tuple[int, int]:
        seen = (await gateway.get("/metrics", f"Authorization: Bearer {TOKEN}")).text
        told = dict(line.rsplit(" ", 1) for line in seen.splitlines())
        answered = told.get('hopwire_requests_total{answer="ok",command="balance"}', "0")
        return int(float(answered)), int(float(told["hopwire_reply_seconds_count"]))

    before = await counted()
    for _ in range(3):
        await gateway.ask(command="balance")
    assert await counted() == (before[0] + 3, before[1] + 3)


async def test_a_bug_is_in_the_log_with_its_traceback(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    message_id = await gateway.send()
    gateway.rows("UPDATE accounts SET time_zone = 'Nowhere'")
    who = {"login": "shop", "pass": "correct horse"}
    assert await gateway.ask(**who, command="receive", id=message_id) == "errors:Temporarily unavailable\n"
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert "ZoneInfoNotFoundError" in json.loads(logs.JsonFormatter().format(record))["traceback"]


# ---- how a line looks


def written(monkeypatch: pytest.MonkeyPatch, settings: Log) -> list[str]:
    """The lines of standard error."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure(settings)
    log = logging.getLogger("hopwire.test")
    log.debug("a detail")
    log.info("decided message=%d text=%s", 17, "так\nні")
    return stream.getvalue().splitlines()


def test_a_line_is_json_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, restored: logging.Logger
) -> None:
    (line,) = written(monkeypatch, Log())
    told = json.loads(line)
    assert told.keys() == {"ts", "level", "logger", "event"}
    assert (told["level"], told["logger"]) == ("info", "hopwire.test")
    assert told["event"] == "decided message=17 text=так\nні"
    assert told["ts"].endswith("Z")


def test_a_line_is_text_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, restored: logging.Logger
) -> None:
    lines = written(monkeypatch, Log(format="text", level="debug"))
    assert lines[0].endswith("a detail")
    assert "INFO" in lines[1]


def test_a_level_hides_what_is_less_serious(
    monkeypatch: pytest.MonkeyPatch, restored: logging.Logger
) -> None:
    assert written(monkeypatch, Log(level="warning")) == []
    assert logging.getLogger("uvicorn.error").level == logging.WARNING
