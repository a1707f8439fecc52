"""The search for what must not be seen finds it, wherever it is looked for; and nothing else."""

import json
import logging
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import planted
import pytest
from command_line import CommandLine
from gateway import Gateway, running
from system import Program

from hopwire import metrics
from hopwire.credentials import new_key
from hopwire.web.app import App

NUMBER = "380501234567"
KEY = new_key()


def found() -> list[str]:
    """What was found, which then counts no more."""
    said = list(planted.FOUND)
    planted.FOUND.clear()
    return said


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        pytest.param(f"key={KEY}", [KEY], id="a key"),
        pytest.param(f"key={KEY[:-1]}{'a' if KEY[-1] != 'a' else 'b'}", [], id="what looks like one"),
        pytest.param(f"{KEY[:12]}…", [], id="the label of one"),
        pytest.param(f"pass={planted.PASSWORD} battery", [planted.PASSWORD], id="a password"),
        pytest.param("pass=correct+horse&", ["correct+horse"], id="a password in a URL"),
        pytest.param(f"/callbacks/viber/{planted.CALLBACK_SECRET}", [planted.CALLBACK_SECRET], id="a secret"),
        pytest.param(f"to +{NUMBER},", [NUMBER], id="a number"),
        pytest.param(f"id=1{NUMBER}", [], id="digits of something else"),
        pytest.param("to …4567", [], id="the end of a number"),
        pytest.param("text='hello {€}'", ["hello"], id="a text"),
        pytest.param("Othello hello1", [], id="other words"),
    ],
)
def test_what_is_planted_is_known(text: str, seen: list[str]) -> None:
    assert planted.planted(text) == seen


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
@pytest.mark.parametrize("name", ["hopwire.web.http_php", "asyncio", "never heard of"])
def test_a_log_line_is_looked_at_whatever_its_level(
    name: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger(name).log(level, "sent to %s", NUMBER)
    assert found() == [f"log of {name}: {NUMBER}"]
    assert len(caplog.records) == (level == logging.ERROR)  # nobody else hears of it who would not


def test_a_traceback_is_looked_at() -> None:
    try:
        try:
            raise KeyError(KEY)
        except KeyError as error:
            raise RuntimeError("a bug") from error
    except RuntimeError:
        logging.getLogger("hopwire").exception("it failed")
    assert found() == [f"traceback in the log of hopwire: {KEY}"]


def test_the_log_is_looked_at_while_it_is_captured_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    logging.disable(logging.CRITICAL)
    try:
        logging.getLogger("hopwire").error("%s", NUMBER)
    finally:
        logging.disable(logging.NOTSET)
    assert found() == [f"log of hopwire: {NUMBER}"]


@pytest.mark.parametrize(
    ("kind", "body", "seen"),
    [
        pytest.param(b"text/plain; charset=utf-8", f"errors:{NUMBER}\n".encode(), True, id="an error"),
        pytest.param(b"text/plain", b64encode(f'a:1:{{s:2:"{NUMBER}"}}'.encode(), b"-_"), True, id="encoded"),
        pytest.param(b"text/html", b"<p>Hello</p>", False, id="a page, which shows texts"),
        pytest.param(b"text/html", f"<p>{planted.PASSWORD}</p>".encode(), True, id="a page with a secret"),
        pytest.param(b"application/json", json.dumps({"to": NUMBER}).encode(), False, id="the operator's"),
    ],
)
async def test_an_answer_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes, body: bytes, seen: bool
) -> None:
    async def told(self: App, scope: object, receive: object, send: Callable[..., object]) -> None:
        length = str(len(body)).encode()
        headers = [(b"content-type", kind), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 500, "headers": headers})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": body})  # type: ignore[misc]

    monkeypatch.setattr(App, "__call__", told)
    async with running(tmp_path) as gateway:
        await gateway.get("/")
    assert bool(found()) == seen


async def test_a_metric_is_looked_at(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await metrics_of(gateway)
        assert found() == []
        metrics.ALERTS.labels(NUMBER).inc()
        await metrics_of(gateway)
        metrics.ALERTS.remove(NUMBER)
    assert set(found()) == {f"answer: {NUMBER}"}


async def metrics_of(gateway: Gateway) -> None:
    assert (await gateway.get("/metrics")).status == 200


def test_a_complaint_of_a_command_is_looked_at(tmp_path: Path) -> None:
    line = CommandLine(f"sqlite:{tmp_path / 'hopwire.db'}", tmp_path)
    line.run("no-such-command")
    assert found() == []
    line.run(f"no-such-{NUMBER}")
    assert found() == [f"standard error: {NUMBER}"]


def test_what_a_program_writes_is_looked_at(tmp_path: Path) -> None:
    program = Program(tmp_path, f"no-such-{NUMBER}")
    program.process.wait(60)
    program.close()
    assert found() == [f"standard error: {NUMBER}"]
