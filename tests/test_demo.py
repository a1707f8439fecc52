"""The demo as a user starts it: what it prints, what it keeps, how it ends."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from system import Demo, Program, demo, number, run


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


def test_it_prints_one_line_of_json_when_it_is_ready(tmp_path: Path) -> None:
    with demo(tmp_path) as gateway:
        assert list(gateway.ready) == ["url", "key", "login", "password", "phone", "smsc", "viber", "cabinet"]
        assert gateway.ask("balance").keys() == {"balance"}
        assert gateway.program.end() == 0
        assert gateway.program.line() == "", "nothing more on standard output"


def test_the_link_to_the_cabinet_signs_in_once_in_the_language_of_the_browser(gateway: Demo) -> None:
    path = urlsplit(gateway.ready["cabinet"]).path

    def asks(method: str, path: str, cookie: str = "") -> tuple[int, str, str]:
        connection = HTTPConnection(urlsplit(gateway.ready["url"]).netloc, timeout=30)
        headers = {
            "Content-Length": "0",
            "Sec-Fetch-Site": "same-origin",
            "Cookie": cookie,
            "Accept-Language": "en",
        }
        connection.request(method, path, headers=headers | {"Accept": "text/html"})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply.status, reply.headers.get("Set-Cookie", "").partition(";")[0], text

    assert asks("GET", path)[0] == 200
    status, cookie, _ = asks("POST", path)
    assert (status, cookie.partition("=")[0]) == (303, "hopwire")
    assert "Sign out" in asks("GET", "/settings", cookie)[2]
    assert asks("POST", path)[0] == 404
    assert asks("GET", path)[0] == 404


def test_login_and_password_are_as_good_as_the_key(gateway: Demo) -> None:
    login = {"key": "", "login": gateway.ready["login"], "pass": gateway.ready["password"]}
    assert gateway.ask("balance", **login) == gateway.ask("balance")


def test_the_page_of_the_phones_shows_what_was_sent(gateway: Demo) -> None:
    to = number("01")
    gateway.reaches(gateway.send(to, viber_message="Good day"), 116)
    with urlopen(gateway.ready["phone"]) as page:  # noqa: S310
        text = page.read().decode()
    assert to in text
    assert "Good day" in text


def test_without_json_it_welcomes_a_person(tmp_path: Path) -> None:
    program = Program(tmp_path, "demo", "--port", "0")
    try:
        assert "ready" in program.line()
        assert program.end(signal.SIGINT) == 0
        assert program.process.stdout
        text = program.process.stdout.read()
        assert "curl" in text
        assert "Traceback" not in program.log.read_text()
    finally:
        program.close()


def test_a_port_in_use_is_told_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("demo", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("hopwire: cannot listen on 127.0.0.1:")
    assert len(ended.stderr.splitlines()) == 1
    assert not ended.stdout


def test_a_database_that_is_not_there_is_told_plainly(tmp_path: Path) -> None:
    ended = run("demo", "--port", "0", "--database", "postgresql://nobody@127.0.0.1:1/none", cwd=tmp_path)
    assert ended.returncode == 7
    assert ended.stderr == "hopwire: the database cannot be used; see store.url\n"


def test_a_folder_keeps_messages_and_key(tmp_path: Path) -> None:
    arguments = ("--data", str(tmp_path / "kept"))
    with demo(tmp_path, *arguments) as before:
        message_id = before.send_sms(number("67"))
        before.reaches(message_id, 3)
        balance = before.ask("balance")
    with demo(tmp_path, *arguments) as after:
        assert [after.ready[name] for name in ("key", "login", "password")] == [
            before.ready[name] for name in ("key", "login", "password")
        ]
        assert after.code(message_id) == 3
        assert after.ask("balance") == balance


def test_what_it_keeps_only_its_user_can_read(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with demo(tmp_path, "--data", str(kept)) as gateway:
        assert json.loads((kept / "demo-account.json").read_text())["key"] == gateway.key
        assert (kept / "demo-account.json").stat().st_mode & 0o077 == 0
        kept_files = {path.name: path.stat().st_mode & 0o077 for path in kept.iterdir()}
    assert {"secret", "hopwire.db"} <= kept_files.keys()
    assert set(kept_files.values()) == {0}


def test_a_key_that_the_database_does_not_know_is_made_anew(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "demo-account.json").write_text(
        '{"key": "hw_live_old", "login": "demo", "password": "longpassword"}'
    )
    with demo(tmp_path, "--data", str(kept)) as gateway:
        assert gateway.key != "hw_live_old"
        assert gateway.ask("balance").keys() == {"balance"}


@pytest.mark.parametrize("folder", ["/etc/passwd", "/proc/none", "x" * 300])
def test_a_folder_that_cannot_be_made_is_said_in_a_line(tmp_path: Path, folder: str) -> None:
    ended = run("demo", "--port", "0", "--data", folder, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"hopwire: --data {folder}: ")
    assert len(ended.stderr.splitlines()) == 1


def test_on_postgres_web_and_worker_are_processes_of_their_own(tmp_path: Path, postgres_url: str) -> None:
    with demo(tmp_path, "--database", postgres_url) as gateway:
        assert sorted(gateway.program.children) == [
            "hopwire: simulators",
            "hopwire: web 1",
            "hopwire: worker 1",
        ]
        gateway.reaches(gateway.send(number("02")), 3)


def test_on_postgres_the_metrics_are_those_of_all_processes(tmp_path: Path, postgres_url: str) -> None:
    with demo(tmp_path, "--database", postgres_url) as gateway:
        gateway.reaches(gateway.send(number("02")), 3)
        os.kill(gateway.program.children["hopwire: worker 1"], signal.SIGKILL)
        gateway.reaches(gateway.send(number("02")), 3)
        told = gateway.metrics
    assert 'hopwire_requests_total{answer="ok",command="send"} 2.0' in told  # the web process
    assert 'hopwire_submits_total{answer="never",connector="viber"} 2.0' in told  # two lives of the worker
    assert 'hopwire_connector_capacity{connector="smsc"} 200.0' in told  # of the one that lives
