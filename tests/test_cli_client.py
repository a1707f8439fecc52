"""The commands that talk to a gateway, against a small one that answers from a list."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from hopwire import __version__
from hopwire.cli import main
from hopwire.cli.console import Ending
from hopwire.errors import KeyNotAllowed


class Gateway(HTTPServer):
    """Answers each request with the next of `replies`, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.replies: list[str] = []
        self.asked: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert self.path == "/api/http.php"
        self.server.asked.append(dict(parse_qsl(body)))
        reply = self.server.replies.pop(0)
        self.send_response(503 if "Temporarily" in reply else 200)
        self.end_headers()
        self.wfile.write(reply.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("HOPWIRE_URL", server.url)
        monkeypatch.setenv("HOPWIRE_KEY", "k")
        yield server
        server.shutdown()
        thread.join()


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run one command in an empty directory -> exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hopwire", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


SEND = ("send", "--to", "380501234567", "--message", "Hi")


def test_send_prints_the_id(run: Run, gateway: Gateway) -> None:
    gateway.replies = ["id:17\nsms_count:1\n"]
    assert run(*SEND, "--from", "Shop", "--viber", "--viber-lifetime", "60") == (
        0,
        "id: 17\nsms_count: 1\n",
        "",
    )
    assert gateway.asked == [
        {
            "version": "http",
            "key": "k",
            "command": "send",
            "to": "380501234567",
            "message": "Hi",
            "from": "Shop",
            "viber": "1",
            "viber_lifetime": "60",
        }
    ]


def test_waiting_tells_each_status_and_prints_the_last(run: Run, gateway: Gateway) -> None:
    gateway.replies = [
        "id:17\nsms_count:1\n",
        "status:Pending\ncode:0\nstatus_time:t\n",
        "errors:Temporarily unavailable\n",
        "status:Sent\ncode:2\nstatus_time:t\n",
        "status:Delivered\ncode:3\nstatus_time:t\n",
    ]
    code, out, err = run(*SEND, "--wait", "--json")
    assert (code, err.splitlines()) == (0, ["Pending", "Temporarily unavailable", "Sent", "Delivered"])
    assert json.loads(out) == {"id": 17, "sms_count": 1, "status": "Delivered", "code": 3, "status_time": "t"}


def test_waiting_for_what_is_never_delivered_fails(run: Run, gateway: Gateway) -> None:
    gateway.replies = ["id:17\nsms_count:1\n", "status:Out of touch\ncode:5\nstatus_time:t\n"]
    assert run(*SEND, "--wait")[0] == Ending.FAILURE


@pytest.mark.parametrize(
    ("reply", "ending"),
    [
        pytest.param("errors:Wrong login/password\n", Ending.AUTH, id="a wrong key"),
        pytest.param(f"errors:{KeyNotAllowed.text}\n", Ending.AUTH, id="a key for something else"),
        pytest.param("errors:SMS not found\n", Ending.NOT_FOUND, id="no such message"),
        pytest.param("errors:Not enough money\n", Ending.REJECTED, id="no money"),
        pytest.param("errors:Too many requests, slow down\n", Ending.TEMPORARY, id="too fast"),
        pytest.param("errors:Temporarily unavailable\n", Ending.TEMPORARY, id="cannot store"),
        pytest.param("<html>It works!</html>", Ending.FAILURE, id="not a gateway"),
    ],
)
def test_what_the_gateway_refuses_is_the_exit_code(
    run: Run, gateway: Gateway, reply: str, ending: Ending
) -> None:
    gateway.replies = [reply]
    code, out, err = run("status", "17")
    assert (code, out) == (ending, "")
    assert err.startswith("hopwire: ")


@pytest.mark.parametrize("words", [("price", "380501234567"), ("price", "of", "380501234567", "--json")])
def test_a_price_is_asked_with_or_without_of(run: Run, gateway: Gateway, words: tuple[str, ...]) -> None:
    gateway.replies = ["price:1.2\ncurrency:UAH\n"]
    assert run(*words)[0] == 0
    assert gateway.asked[0]["to"] == "380501234567"


def test_a_key_comes_from_a_file(run: Run, gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    gateway.replies = ["balance:31.1683\n"]
    assert run("balance", "--key-file", "key") == (0, "balance: 31.1683\n", "")
    assert gateway.asked[0]["key"] == "from-file"


def test_without_a_key_nothing_is_asked(run: Run, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOPWIRE_KEY")
    assert run("balance")[0] == Ending.AUTH
    assert gateway.asked == []


def test_no_gateway_is_temporary(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPWIRE_KEY", "k")
    assert run("balance", "--url", "http://127.0.0.1:1")[0] == Ending.TEMPORARY


def test_a_wrong_command_line_is_usage(run: Run) -> None:
    assert run("status", "seventeen")[0] == Ending.USAGE
    assert run("sned")[0] == Ending.USAGE


def test_the_version_is_data(run: Run) -> None:
    assert run("version") == (0, f"{__version__}\n", "")


def test_init_writes_settings_that_check_finds_good_and_does_not_overwrite(run: Run, tmp_path: Path) -> None:
    assert run("config", "init")[0] == 0
    assert run("config", "check") == (0, "", "hopwire.toml: good\n")
    assert run("config", "init")[0] == Ending.FAILURE


def test_wrong_settings_have_their_own_exit_code(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hopwire.toml").write_text("[http]\nport = -1\n")
    assert run("config", "check") == (
        Ending.CONFIG,
        "",
        "hopwire: http.port = -1: must be a whole number from 0 to 65535\n",
    )
