"""Hopwire behind Hopwire: a gateway whose upstream is another of the family, and whose plan is its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import planted
import pytest
from system import LONG_TEXT, Demo, Gateway, Program, demo, number, run, serve, wait_for

SETTINGS = """
[store]
url = "sqlite:{folder}/hopwire.db"

[http]
port = 0

[connectors.up]
kind = "http_php"
url = "{far.url}/api/http.php"
{credentials}
poll_s = 1
callback_secret = "callback-secret-1234567"

[connectors.smsc]
kind = "smpp"
host = "{host}"
port = {port}
system_id = "{system_id}"
password = "{password}"

[[routes]]
channel = "viber"
connector = "up"

[[routes]]
channel = "sms"
connector = "{sms}"
"""
PASSWORD = f"{planted.PASSWORD} battery"


class Near(NamedTuple):
    """The gateway in front."""

    api: Gateway
    program: Program
    config: Path

    def command(self, *arguments: str, stdin: str = "") -> str:
        return command(self.config, *arguments, stdin=stdin)


@contextmanager
def in_front_of(far: Demo, folder: Path, credentials: str, sms: str = "up") -> Iterator[Near]:
    """A gateway with an account, whose Viber goes to the other one; its SMS does, or goes to an SMSC."""
    host, _, port = far.ready["smsc"].rpartition(":")
    config = SETTINGS.format(
        folder=folder,
        far=far,
        credentials=credentials,
        host=host,
        port=port,
        system_id=uuid4().hex[:15],  # receipts go to any session of the same
        password=far.ready["password"],
        sms=sms,
    )
    with serve(folder, config) as (program, url):
        path = folder / "hopwire.toml"
        api = Gateway(url, new_account(path))
        wait_for(lambda: api.ask("price", to=number("01"))["price"] == "0.8")
        yield Near(api, program, path)


def new_account(config: Path) -> str:
    """Its key; what it sends has a price, that of an SMS being the last to be set."""
    command(config, "account", "create", "shop", stdin=PASSWORD)
    command(config, "topup", "shop", "1000")
    command(config, "price", "set", "", "0.4", "--channel", "viber")
    command(config, "price", "set", "", "0.8")
    return str(json.loads(command(config, "key", "create", "shop", "--json"))["key"])


def command(config: Path, *arguments: str, stdin: str = "") -> str:
    done = run(*arguments, "--config", str(config), stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("far")) as running:
        yield running


@pytest.fixture(scope="module")
def near(far: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Near]:
    with in_front_of(far, tmp_path_factory.mktemp("near"), f'key = "{far.ready["key"]}"') as running:
        yield running


def channels(far: Demo, to: str) -> list[str]:
    """What the far gateway handed over to a number, in its order."""
    return [one["channel"] for one in far.submits(to)]


def test_what_is_delivered_behind_it_is_delivered(far: Demo, near: Near) -> None:
    to = number("01")
    message_id = near.api.send(to, viber_message="Good day")
    assert near.api.final(message_id) in (3, 116), "read, unless it was asked in the moment before"
    assert [one["text"] for one in far.received(to)] == ["Good day"]
    assert channels(far, to) == ["viber"]


def test_a_final_no_behind_it_is_followed_by_our_own_sms(far: Demo, near: Near) -> None:
    """The far gateway was asked for Viber alone, and then for an SMS; it knows of no redirect."""
    to = number("02")
    message_id = near.api.send(to, message="As an SMS")
    assert near.api.final(message_id) == 3
    assert [(one["channel"], one["text"]) for one in far.received(to)] == [("sms", "As an SMS")]
    assert channels(far, to) == ["viber", "sms"]


def test_what_nobody_can_deliver_fails_in_both(far: Demo, near: Near) -> None:
    to = number("06")
    assert near.api.final(near.api.send(to)) == 96
    assert channels(far, to) == ["viber", "sms"]


def test_a_long_text_is_handed_over_whole_and_cut_there(far: Demo, near: Near) -> None:
    to = number("67")
    assert near.api.final(near.api.send_sms(to, LONG_TEXT)) == 3
    assert [one["text"] for one in far.received(to)] == [LONG_TEXT]
    assert channels(far, to) == ["sms"] * 3


def test_login_and_password_are_as_good_as_the_key(far: Demo, tmp_path: Path) -> None:
    credentials = f'login = "{far.ready["login"]}"\npassword = "{far.ready["password"]}"'
    with in_front_of(far, tmp_path, credentials) as near:
        assert near.api.final(near.api.send_sms(number("67"))) == 3


def test_a_wrong_key_alerts_once_and_messages_go_on_by_sms(far: Demo, tmp_path: Path) -> None:
    with in_front_of(far, tmp_path, 'key = "wrong"', sms="smsc") as near:
        numbers = [number("01") for _ in range(3)]
        ids = [near.api.send(to) for to in numbers]
        assert [near.api.final(one) for one in ids] == [3, 3, 3]
        assert [channels(far, to) for to in numbers] == [["sms"]] * 3
        assert 'hopwire_alerts_total{connector="up"} 1.0' in near.api.metrics
        said = near.program.log.read_text()
        assert said.count("refused our configuration sender=all code=wrong_credentials") == 1
        assert "wrong_key" not in said
        [status] = wait_for(lambda: refused(near))
        assert (status["state"], status["last_error"]) == ("refused", "wrong_credentials")


def test_with_a_wrong_key_an_sms_waits(far: Demo, tmp_path: Path) -> None:
    with in_front_of(far, tmp_path, 'key = "wrong"') as near:
        message_id = near.api.send_sms(number("67"))
        wait_for(lambda: refused(near))
        assert near.api.code(message_id) == 1, "it has a day, and the operator knows"


def refused(near: Near) -> list[dict[str, object]]:
    """The connector, once it is told that it stands so."""
    told = json.loads(near.command("connector", "status", "up", "--json"))
    rows = told if isinstance(told, list) else [told]
    return [one for one in rows if one.get("state") == "refused"]
