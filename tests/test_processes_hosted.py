"""What is asked of providers over HTTP is asked by the web process: what becomes of it when one dies."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from conftest import run_sql
from system import Gateway, Operator, Program, number, serve, wait_for

SECRET = "callback-secret-1234567"
SETTINGS = """
[store]
url = "{url}"
secret_file = "{secret}"
[http]
port = 0
[log]
level = "warning"
[connectors.viber]
kind = "viber"
url = "{viber}"
service_ids = {{ "*" = 3100 }}
callback_secret = "{callback}"
[[routes]]
channel = "viber"
connector = "viber"
"""
MESSAGE = {"viber": 1, "viber_type": "text", "viber_message": "a", "viber_from": "Shop", "viber_sms": "false"}


class Far(ThreadingHTTPServer):
    """The provider's side: takes every message, and answers when it may."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.asked: list[bytes] = []
        self.may_answer = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Asked(BaseHTTPRequestHandler):
    server: Far

    def do_POST(self) -> None:
        self.server.asked.append(self.rfile.read(int(self.headers["content-length"])))
        self.server.may_answer.wait()
        body = b'{"status": 0, "message_token": 77}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def far() -> Iterator[Far]:
    with Far() as server:
        running = threading.Thread(target=server.serve_forever)
        running.start()
        yield server
        server.may_answer.set()
        server.shutdown()
        running.join()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/hopwire.db"


@pytest.fixture
def running(tmp_path: Path, far: Far, url: str) -> Iterator[tuple[Program, Gateway]]:
    operator = Operator(url, tmp_path)
    operator.does("account", "create", "shop")
    operator.does("price", "set", "380", "0.4", "--channel", "viber")
    operator.does("topup", "shop", "10")
    (key,) = operator.does("key", "create", "shop")
    secret = operator.env["HOPWIRE__STORE__SECRET_FILE"]
    settings = SETTINGS.format(url=url, secret=secret, viber=far.url, callback=SECRET)
    with serve(tmp_path, settings) as (program, where):
        yield program, Gateway(where, key["key"])


def kill(program: Program, title: str) -> None:
    """Let a process die, and wait for the next one."""
    before = program.children[title]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: program.children.get(title) not in (before, None))


def test_an_answer_that_comes_while_the_owner_of_the_file_is_away_is_not_lost(
    running: tuple[Program, Gateway], far: Far, url: str
) -> None:
    program, gateway = running
    to = number("67")
    message_id = gateway.ask("send", to=to, **MESSAGE)["id"]
    wait_for(lambda: far.asked)
    kill(program, "hopwire: worker 1")
    far.may_answer.set()
    wait_for(lambda: run_sql(url, "SELECT provider_id FROM handles") == [("77",)])

    report = {"message_token": 77, "message_status": 0, "phone_number": to, "service_id": 3100}
    callback = Request(  # noqa: S310 - the gateway's own address
        f"{gateway.url}/callbacks/viber/{SECRET}",
        json.dumps(report).encode(),
        {"content-type": "application/json"},
    )
    assert urlopen(callback, timeout=30).status == 200  # noqa: S310
    assert gateway.final(message_id) == 3
    assert len(far.asked) == 1


def test_what_the_web_process_was_asking_when_it_died_is_in_doubt_and_not_asked_again(
    running: tuple[Program, Gateway], far: Far, url: str
) -> None:
    program, gateway = running
    gateway.ask("send", to=number("67"), **MESSAGE)
    wait_for(lambda: far.asked)
    kill(program, "hopwire: web 1")
    far.may_answer.set()
    doubt = "SELECT code FROM events JOIN deliveries ON deliveries.id = message_id WHERE in_doubt = 1"
    wait_for(lambda: run_sql(url, doubt) == [("no answer: the process has ended",)])

    gateway.ask("send", to=number("67"), **MESSAGE)  # and the new one takes what comes
    wait_for(lambda: run_sql(url, "SELECT provider_id FROM handles") == [("77",)])
    assert len(far.asked) == 2
