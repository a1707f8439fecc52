"""The operator's commands and `hopwire serve`, on both engines: what they print, and how they end."""

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from system import BROKEN_OFF, PASSWORD, Gateway, Operator, Program, number, run, serve, wait_for


@pytest.fixture
def operator(store_url: str, tmp_path: Path) -> Operator:
    return Operator(store_url, tmp_path)


def test_an_account_with_money_a_key_and_prices_is_made_and_listed(operator: Operator) -> None:
    (made,) = operator.does("account", "create", "shop", "credit=10", "--sender", "Shop")
    assert made == {"id": 1, "login": "shop"}
    (money,) = operator.does("topup", "shop", "100.50", "--note", "first")
    assert money == {"login": "shop", "spendable": "110.5", "currency": "UAH"}
    (key,) = operator.does("key", "create", "shop", "--name", "web")
    assert key["login"] == "shop"
    operator.does("price", "set", "380", "0.8")
    operator.does("price", "set", "", "1.25", "--channel", "viber")
    (account,) = operator.does("account", "list")
    assert (account["login"], account["balance"], account["credit"]) == ("shop", "100.5", "10")
    (listed,) = operator.does("key", "list")
    assert listed["name"] == "web"
    assert key["key"].startswith(listed["key"].rstrip("…"))
    assert key["key"] not in str(listed)
    assert operator.does("price", "list") == [
        {"list": "", "channel": "sms", "type": "", "prefix": "380", "valid_from": "", "price": "0.8"},
        {"list": "", "channel": "viber", "type": "", "prefix": "", "valid_from": "", "price": "1.25"},
    ]
    assert operator.does("key", "revoke", str(key["id"])) == [{"id": key["id"], "revoked": True}]
    assert operator.does("key", "list")[0]["revoked"]
    assert all(row["faults"] == 0 for row in operator.does("fsck"))


@pytest.fixture
def small(tmp_path: Path) -> Operator:
    return Operator(f"sqlite:{tmp_path / 'hopwire.db'}", tmp_path)


def test_an_empty_database_is_upgraded_once(small: Operator) -> None:
    (first,), (second,) = small.does("db", "upgrade"), small.does("db", "upgrade")
    assert first["before"] == 0
    assert second["before"] == second["after"] == first["after"]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        pytest.param(("topup", "nobody", "5"), 5, "account", id="no such account"),
        pytest.param(("key", "create", "nobody"), 5, "account", id="a key for nobody"),
        pytest.param(("key", "revoke", "7"), 5, "key", id="no such key"),
        pytest.param(("topup", "nobody", "five"), 2, "amount", id="money that is none"),
        pytest.param(("price", "set", "+380", "1"), 2, "PREFIX", id="a prefix with a plus"),
        pytest.param(("price", "set", "380", "-1"), 2, "AMOUNT", id="a negative price"),
        pytest.param(("account", "create", "x", "country=ua"), 2, "country", id="a country in small"),
        pytest.param(("account", "create", "x", "time_zone=Kyiv"), 2, "time_zone", id="a made-up zone"),
    ],
)
def test_a_mistake_is_said_in_a_line_with_its_exit_code(
    small: Operator, arguments: tuple[str, ...], code: int, word: str
) -> None:
    small.does("db", "upgrade")
    ending, said = small.fails(*arguments)
    assert ending == code
    assert word.lower() in said.lower()


def test_a_login_that_is_a_number_is_kept_without_its_plus(small: Operator) -> None:
    (made,) = small.does("account", "create", "+380501112233")
    assert made["login"] == "380501112233"
    (money,) = small.does("topup", "+380501112233", "5")
    assert money["spendable"] == "5"


def test_money_is_taken_back_by_a_negative_amount(small: Operator) -> None:
    small.does("account", "create", "shop")
    small.does("topup", "shop", "5")
    (money,) = small.does("topup", "shop", "-2.5")
    assert money["spendable"] == "2.5"
    code, told = small.fails("topup", "shop", "-3")
    assert (code, told) == (6, "hopwire: Not enough money")


@pytest.mark.parametrize("command", [("account", "list"), ("price", "list"), ("key", "list"), ("fsck",)])
def test_a_command_that_reads_makes_no_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    operator = Operator(f"sqlite:{tmp_path / 'none.db'}", tmp_path)
    assert operator.fails(*command)[0] == 5
    assert not (tmp_path / "none.db").exists()


def test_a_login_is_taken_once(small: Operator) -> None:
    small.does("account", "create", "shop")
    assert small.fails("account", "create", "shop") == (
        1,
        "hopwire: there is already an account with this login, or with this e-mail",
    )


def test_a_short_password_is_refused_and_standard_input_is_read(tmp_path: Path) -> None:
    env = {"HOPWIRE__STORE__URL": f"sqlite:{tmp_path / 'hopwire.db'}"}
    short = run("account", "create", "shop", stdin="short\n", env=env, cwd=tmp_path)
    assert short.returncode == 2
    assert "short" not in short.stderr
    assert run("account", "create", "shop", stdin=PASSWORD + "\n", env=env, cwd=tmp_path).returncode == 0


def test_books_that_are_not_in_order_are_told(small: Operator) -> None:
    small.does("account", "create", "shop")
    with closing(sqlite3.connect(small.folder / "hopwire.db", isolation_level=None)) as connection:
        connection.execute("UPDATE accounts SET balance = 5")
    ended = run("fsck", "--json", env=small.env, cwd=small.folder)
    assert ended.returncode == 1
    found = {row["check"]: row["faults"] for row in map(json.loads, ended.stdout.splitlines())}
    assert found["balance"] == 1


def test_a_database_of_a_newer_version_is_left_alone(small: Operator) -> None:
    small.does("db", "upgrade")
    with closing(sqlite3.connect(small.folder / "hopwire.db", isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE name = 'schema_version'")
    for command in (("db", "upgrade"), ("account", "list"), ("serve",)):
        code, said = small.fails(*command)
        assert code == 1
        assert "schema version 999" in said


def test_a_database_that_cannot_be_reached_is_a_temporary_failure(tmp_path: Path) -> None:
    away = Operator("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    for command in (("account", "list"), ("db", "upgrade"), ("serve",)):
        assert away.fails(*command) == (7, "hopwire: the database cannot be used; see store.url")


# ---- serve


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("[http]\nport = 99999\n", "http.port", id="a port that is none"),
        pytest.param("[htpp]\n", "htpp", id="an unknown table"),
        pytest.param("[store]\nurl = 'postgresql://h/d'\n", "store.secret_file", id="no secret"),
        pytest.param("[http\n", "hopwire.toml", id="no TOML"),
    ],
)
def test_wrong_settings_end_it_with_their_name(tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "hopwire.toml").write_text(text)
    ended = run("serve", "--config", "hopwire.toml", cwd=tmp_path)
    assert ended.returncode == 3
    assert key in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def settings(operator: Operator) -> str:
    return f"""
[store]
url = "{operator.env["HOPWIRE__STORE__URL"]}"
secret_file = "{operator.env["HOPWIRE__STORE__SECRET_FILE"]}"
[http]
port = 0
[log]
level = "warning"
"""


def test_an_operator_sets_up_a_gateway_that_serves(operator: Operator) -> None:
    operator.does("account", "create", "shop")
    operator.does("topup", "shop", "1000")
    (key,) = operator.does("key", "create", "shop")
    with serve(operator.folder, settings(operator)) as (program, url):
        gateway = Gateway(url, key["key"])
        assert gateway.ask("balance") == {"balance": "1000"}
        assert gateway.final(gateway.send_sms(number("67"))) == 95, "there is no connector"
        operator.does("topup", "shop", "5")
        assert gateway.ask("balance") == {"balance": "1005"}
        operator.does("key", "revoke", str(key["id"]))
        wait_for(lambda: gateway.ask("balance") == {"errors": "Wrong login/password"})
        assert program.end() == 0
        assert not program.log.read_text().count("Traceback")


def test_a_stop_answers_the_requests_under_way(operator: Operator) -> None:
    operator.does("account", "create", "shop")
    operator.does("topup", "shop", "1000")
    (key,) = operator.does("key", "create", "shop")
    with serve(operator.folder, settings(operator)) as (program, url):
        gateway = Gateway(url, key["key"])
        ids: list[str] = []
        clients = [threading.Thread(target=send_until_gone, args=(gateway, ids)) for _ in range(4)]
        for client in clients:
            client.start()
        wait_for(lambda: len(ids) > 50)
        assert program.end() == 0
        for client in clients:
            client.join()
        assert "Traceback" not in program.log.read_text()
    with serve(operator.folder, settings(operator)) as (_, url):
        again = Gateway(url, key["key"])
        assert {again.code(message_id) for message_id in ids} == {95}


def send_until_gone(gateway: Gateway, ids: list[str]) -> None:
    try:
        while True:
            ids.append(gateway.send_sms(number("67")))
    except BROKEN_OFF:
        pass


def test_serve_listens_where_it_is_told_and_says_when_it_cannot(tmp_path: Path, small: Operator) -> None:
    with serve(tmp_path, settings(small)) as (_, url):
        port = url.rpartition(":")[2]
        other = {"HOPWIRE__HTTP__PORT": port, "HOPWIRE__STORE__URL": f"sqlite:{tmp_path / 'other.db'}"}
        second = run("serve", env=small.env | other, cwd=tmp_path)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.stderr


def test_two_gateways_do_not_share_a_file(tmp_path: Path, small: Operator) -> None:
    with serve(tmp_path, settings(small)):
        second = run("serve", env={**small.env, "HOPWIRE__HTTP__PORT": "0"}, cwd=tmp_path)
    assert (second.returncode, second.stdout) == (1, "")
    assert "another gateway is running on" in second.stderr


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_is_named(
    tmp_path: Path, small: Operator, content: str | None
) -> None:
    pem = tmp_path / "pair.pem"
    if content:
        pem.write_text(content)
    tls = {"HOPWIRE__HTTP__TLS_CERTIFICATE": str(pem), "HOPWIRE__HTTP__TLS_KEY": str(pem)}
    ended = run("serve", env={**small.env, **tls, "HOPWIRE__HTTP__PORT": "0"}, cwd=tmp_path)
    assert ended.returncode == 3
    assert ended.stderr.startswith("hopwire: http.tls_certificate = ")
    assert len(ended.stderr.splitlines()) == 1


def test_settings_come_from_the_environment_too(tmp_path: Path, small: Operator) -> None:
    program = Program(tmp_path, "serve", env={**small.env, "HOPWIRE__HTTP__PORT": "0"})
    try:
        wait_for(lambda: "ready at http://127.0.0.1:" in program.log.read_text())
        assert program.end() == 0
    finally:
        program.close()


@pytest.mark.parametrize(
    ("web_processes", "titles"),
    [(0, ["gateway"]), (1, ["web 1", "worker 1"]), (2, ["web 1", "web 2", "worker 1"])],
)
def test_with_sqlite_as_many_processes_take_requests_as_are_asked_for(
    tmp_path: Path, small: Operator, web_processes: int, titles: list[str]
) -> None:
    many = {"HOPWIRE__HTTP__WEB_PROCESSES": str(web_processes)}
    with serve(tmp_path, settings(small), **many) as (program, url):
        assert sorted(program.children) == [f"hopwire: {part}" for part in titles]
        assert Gateway(url, "none").ask("balance") == {"errors": "Wrong login/password"}
        assert program.end() == 0


def test_postgres_takes_as_many_processes_as_are_asked_for(postgres_url: str, tmp_path: Path) -> None:
    many = {"HOPWIRE__HTTP__WEB_PROCESSES": "2", "HOPWIRE__WORKER__PROCESSES": "2"}
    with serve(tmp_path, settings(Operator(postgres_url, tmp_path)), **many) as (program, url):
        assert sorted(program.children) == [
            f"hopwire: {part}" for part in ("web 1", "web 2", "worker 1", "worker 2")
        ]
        assert Gateway(url, "none").ask("balance") == {"errors": "Wrong login/password"}
        assert program.end() == 0
