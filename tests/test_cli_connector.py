"""From a contract to a connector that works: added, tested, watched, paused, traced; and what comes in."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import far_ends
import pytest
from smpp_ends import Smsc
from system import Demo, Gateway, Program, demo, number, run, serve, wait_for

from hopwire.config import SmppConnector, load
from hopwire.smpp.pdu import SubmitSmResp

SAID = "Привіт, світе"  # what a phone of the far end answers to "MO"
CONFIG = '[http]\nport = 0\n[store]\nurl = "sqlite:hopwire.db"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hopwire.toml").write_text(CONFIG)
    return tmp_path


def does(folder: Path, *arguments: str, **env: str) -> list[dict[str, Any]]:
    """Run a command that must succeed; the JSON lines it prints."""
    ended = run(*arguments, "--json", cwd=folder, env={"HOPWIRE_PASSWORD": "a long password", **env})
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def add(folder: Path, where: str, password: str = "secret", *more: str) -> None:  # noqa: S107 - a test's
    host, _, port = where.rpartition(":")
    settings = [f"host={host}", f"port={port}", "system_id=me", *more]
    options = [word for setting in settings for word in ("--set", setting)]
    does(folder, "connector", "add", "operator", *options, "--route", "380", HOPWIRE_PASSWORD=password)


# ---- add


def test_a_connector_is_added_with_its_routes(folder: Path) -> None:
    add(folder, "smsc.example.net:3550", 'a"b\\c', "tls=true", 'statuses={ "0x400" = "sender" }')
    config = load(folder / "hopwire.toml", {})
    made = config.connectors["operator"]
    assert isinstance(made, SmppConnector)
    assert (made.host, made.port, made.password, made.tls) == ("smsc.example.net", 3550, 'a"b\\c', True)
    assert made.statuses == {"0x400": "sender"}
    assert [(r.prefix, r.channel, r.connector) for r in config.routes] == [("380", "sms", "operator")]
    assert (folder / "hopwire.toml").read_text().startswith(CONFIG)
    assert (folder / "hopwire.toml").stat().st_mode & 0o777 == 0o600


def test_a_viber_connector_gets_a_callback_secret(folder: Path) -> None:
    does(folder, "connector", "add", "viber", "--kind", "viber", "--set", 'service_ids={ "*" = 3100 }')
    assert "callback_secret" in (folder / "hopwire.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(
            ["--set", "host=a"], 3, "connectors.operator.system_id: is missing", id="one is missing"
        ),
        pytest.param(["--set", "windw=5"], 3, "did you mean connectors.operator.window?", id="unknown"),
        pytest.param(
            ["--set", "host=a", "--set", "system_id=b", "--set", "window=5000"],
            3,
            "a whole number from 1 to 1000",
            id="out of range",
        ),
        pytest.param(["--set", "host"], 2, "must be KEY=VALUE", id="no value"),
        pytest.param(["--kind", "fax"], 2, "--kind must be one of smpp, viber", id="unknown kind"),
    ],
)
def test_what_makes_no_good_settings_is_not_written(
    folder: Path, arguments: list[str], code: int, told: str
) -> None:
    ended = run("connector", "add", "operator", *arguments, cwd=folder, env={"HOPWIRE_PASSWORD": "x"})
    assert (ended.returncode, ended.stdout) == (code, "")
    assert told in ended.stderr
    assert [path.name for path in folder.iterdir()] == ["hopwire.toml"]
    assert (folder / "hopwire.toml").read_text() == CONFIG


def test_a_connector_is_not_added_twice(folder: Path) -> None:
    add(folder, "a:1")
    before = (folder / "hopwire.toml").read_text()
    ended = run("connector", "add", "operator", "--set", "host=b", cwd=folder, env={"HOPWIRE_PASSWORD": "x"})
    assert ended.returncode == 3
    assert (folder / "hopwire.toml").read_text() == before


# ---- test


async def tried(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    ended = await asyncio.to_thread(run, "connector", "test", "operator", *arguments, "--json", cwd=folder)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


async def test_an_account_is_tried_step_by_step(folder: Path) -> None:
    async with far_ends.start(far_ends.NODE) as far:
        await asyncio.to_thread(add, folder, f"127.0.0.1:{far.port}")
        code, steps = await tried(folder, "--to", "+380501234561", "--text", "Привіт " * 12)
        assert code == 0
        assert [step["name"] for step in steps] == [
            "connect", "bind", "enquire_link", "submit", "submit", "receipt", "unbind"
        ]  # fmt: skip
        assert all(step["good"] for step in steps)
        assert steps[-2]["detail"] == "DELIVRD, DELIVRD"
        assert (await far.hears("submit_sm"))["destination_addr"] == "380501234561"


@pytest.mark.parametrize(
    ("bind_status", "answer", "last"),
    [
        pytest.param(0x0E, None, ("bind", "ESME_RINVPASWD"), id="a wrong password"),
        pytest.param(0, SubmitSmResp(status=0x0B), ("submit", "ESME_RINVDSTADR"), id="a refused text"),
    ],
)
async def test_what_an_smsc_refuses_is_told(
    folder: Path, bind_status: int, answer: SubmitSmResp | None, last: tuple[str, str]
) -> None:
    smsc = Smsc()
    smsc.bind_status, smsc.answer = bind_status, lambda pdu: answer
    await asyncio.to_thread(add, folder, f"127.0.0.1:{await smsc.start()}")
    code, steps = await tried(folder, "--to", "380501234561")
    assert code == 1
    assert (steps[-1]["name"], steps[-1]["detail"], steps[-1]["good"]) == (*last, False)
    await smsc.stop()


async def test_an_smsc_that_is_not_there_is_told(folder: Path) -> None:
    await asyncio.to_thread(add, folder, "127.0.0.1:1")
    code, steps = await tried(folder)
    assert (code, [(step["name"], step["good"]) for step in steps]) == (1, [("connect", False)])


def test_what_cannot_be_tried_is_said(folder: Path) -> None:
    does(folder, "connector", "add", "viber", "--kind", "viber", "--set", 'service_ids={ "*" = 3100 }')
    assert run("connector", "test", "viber", cwd=folder).returncode == 2
    assert run("connector", "test", "nobody", cwd=folder).returncode == 5


# ---- at work


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo, of which the SMSC is used."""
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def gateway(folder: Path, phones: Demo) -> Iterator[Gateway]:
    add(folder, phones.ready["smsc"], phones.ready["password"])
    does(folder, "account", "create", "shop")
    does(folder, "topup", "shop", "100")
    does(folder, "price", "set", "380", "0.5")
    (key,) = does(folder, "key", "create", "shop")
    with serve(folder, (folder / "hopwire.toml").read_text()) as (_, url):
        yield Gateway(url, key["key"])


def state(folder: Path) -> dict[str, Any]:
    (told,) = does(folder, "connector", "status", "operator")
    return told


def test_an_operator_sees_how_a_connector_stands_and_pauses_it(folder: Path, gateway: Gateway) -> None:
    wait_for(lambda: state(folder)["state"] == "up")
    (listed,) = does(folder, "connector", "list")
    assert (listed["state"], listed["sessions"], listed["paused"]) == ("up", "1/1", False)
    assert gateway.final(gateway.send_sms(number("67"), "x" * 200)) == 3
    wait_for(lambda: state(folder)["receipts"] == 2)
    told = state(folder)
    assert (told["submitted"], told["taken"], told["in_flight"], told["last_error"]) == (2, 2, 0, "")
    does(folder, "connector", "pause", "operator")
    wait_for(lambda: state(folder)["state"] == "paused")
    assert 'hopwire_connector_paused{connector="operator"} 1.0' in gateway.metrics
    waiting = gateway.send_sms(number("67"))
    does(folder, "connector", "resume", "operator")
    assert gateway.final(waiting) == 3
    assert 'hopwire_connector_sessions{connector="operator"} 1.0' in gateway.metrics


def test_what_goes_over_the_wire_is_shown_without_texts(folder: Path, gateway: Gateway) -> None:
    wait_for(lambda: state(folder)["state"] == "up")
    tracing = Program(folder, "connector", "trace", "operator", "--seconds", "60")
    try:
        wait_for(lambda: "Tracing" in tracing.log.read_text())
        lines: list[str] = []
        wanted = {" submit_sm ", " deliver_sm_resp "}
        while not all(any(one in line for line in lines) for one in wanted):  # it begins within a second
            gateway.send_sms(number("67"), "planted text")
            lines.append(tracing.line())
        assert not any("planted" in line for line in lines)
        assert tracing.end(signal.SIGINT) in (0, 130)
    finally:
        tracing.close()


def test_what_goes_over_the_wire_is_captured(folder: Path, gateway: Gateway) -> None:
    wait_for(lambda: state(folder)["state"] == "up")
    capture = folder / "wire.pcap"
    tracing = Program(folder, "connector", "trace", "operator", "--pcap", str(capture), "--seconds", "60")
    try:
        while not capture.exists() or capture.stat().st_size < 2000:
            gateway.final(gateway.send_sms(number("67"), "planted text"))
        tracing.end(signal.SIGINT)
        assert f"Wrote {capture}" in tracing.log.read_text()
    finally:
        tracing.close()
    assert b"planted" not in capture.read_bytes()
    read = [
        "tshark",
        "-r",
        str(capture),
        "-d",
        f"tcp.port=={_port(folder)},smpp",
        "-Y",
        "smpp",
        "-T",
        "fields",
    ]
    shown = subprocess.run([*read, "-e", "smpp.command_id"], capture_output=True, text=True, timeout=60)
    assert {"0x00000004", "0x80000004", "0x00000005"} <= set(shown.stdout.split())
    again = run("connector", "trace", "operator", "--pcap", str(capture), cwd=folder)
    assert (again.returncode, "exists already" in again.stderr) == (1, True)


def _port(folder: Path) -> int:
    made = load(folder / "hopwire.toml", {}).connectors["operator"]
    assert isinstance(made, SmppConnector)
    return made.port


async def test_a_reader_who_says_stop_is_left_alone(folder: Path) -> None:
    """A phone answers over an SMSC that is not ours; its parts are joined, and its wish is kept."""
    async with far_ends.start(far_ends.NODE) as far:
        await asyncio.to_thread(conversation, folder, far.port)


def conversation(folder: Path, port: int) -> None:
    add(folder, f"127.0.0.1:{port}")
    does(folder, "account", "create", "shop")
    does(folder, "topup", "shop", "100")
    does(folder, "price", "set", "380", "0.5")
    (key,) = does(folder, "key", "create", "shop")
    does(folder, "account", "number", "add", "shop", "380440000000")
    words = f'stop_words = ["{SAID}"]\n'
    with serve(folder, f"{(folder / 'hopwire.toml').read_text()}\n[sms]\n{words}") as (_, url):
        gateway, to = Gateway(url, key["key"]), "380671234561"
        sent = {"from": "380440000000", "to": to, "message": "MO"}
        gateway.ask("send", **sent)
        (came,) = wait_for(lambda: does(folder, "message", "inbox", "--account", "shop"))
        assert (came["from"], came["text"]) == (to, SAID)
        (stopped,) = does(folder, "stoplist", "list", "shop")
        assert stopped["number"] == to
        refusal = {"errors": "Parameter to: this recipient has asked for no more messages"}
        assert gateway.ask("send", **sent) == refusal
        does(folder, "stoplist", "remove", "shop", to)
        assert gateway.ask("send", **sent).keys() == {"id", "sms_count"}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        pytest.param('tls=true" --set "tls_ca=/no/such/file', "No such file", id="a file that is not there"),
        pytest.param("system_id=мій", "latin-1", id="a login that no PDU carries"),
        pytest.param('statuses={ "0x40F-0x401" = "sender" }', "the wrong way round", id="a range"),
    ],
)
def test_what_could_never_connect_is_found_by_the_check(folder: Path, setting: str, told: str) -> None:
    add(folder, "127.0.0.1:1", "secret", *setting.split('" --set "'))
    for command in (("config", "check"), ("serve",)):
        ended = run(*command, cwd=folder)
        assert ended.returncode == 3
        assert ended.stderr.startswith("hopwire: connectors.operator: cannot be used: ")
        assert told in ended.stderr
