"""The processes of a gateway: their titles, how they are started again, and how they end."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from system import BROKEN_OFF, Demo, alive, both, demo, number, wait_for


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One that gets over what the tests do to it."""
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Demo]:
    """One that will be ended."""
    with demo(tmp_path) as running:
        yield running


def test_a_process_shows_its_part_in_its_title(gateway: Demo) -> None:
    assert sorted(gateway.program.children) == [
        "hopwire: simulators",
        "hopwire: web 1",
        "hopwire: worker 1",
    ]


def test_a_killed_web_process_is_back_on_the_same_port(gateway: Demo) -> None:
    before = gateway.program.children
    os.kill(before["hopwire: web 1"], signal.SIGKILL)
    began = time.monotonic()
    wait_for(lambda: not alive(before["hopwire: web 1"]))
    wait_for(lambda: gateway.answers)
    print(f"back after {time.monotonic() - began:.2f} s")
    after = gateway.program.children
    assert after.pop("hopwire: web 1") != before.pop("hopwire: web 1")
    assert after == before


def test_a_request_made_while_the_web_process_is_away_waits_for_it(gateway: Demo) -> None:
    os.kill(gateway.program.children["hopwire: web 1"], signal.SIGKILL)
    assert gateway.ask("balance").keys() == {"balance"}


def test_a_message_sent_while_the_owner_of_the_file_is_away_waits_for_it(gateway: Demo) -> None:
    worker = gateway.program.children["hopwire: worker 1"]
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not alive(worker))
    assert gateway.ask("balance").keys() == {"balance"}  # read from the file, by the web process
    to = number("67")
    gateway.reaches(gateway.send(to), 3)
    assert gateway.program.children["hopwire: worker 1"] != worker


def test_killed_simulators_come_back_where_they_were(gateway: Demo) -> None:
    simulators = gateway.program.children["hopwire: simulators"]
    os.kill(simulators, signal.SIGKILL)
    others = {simulators, None}  # what leaves for them before all of them is gone would be in doubt
    wait_for(lambda: gateway.program.children.get("hopwire: simulators") not in others)
    to = number("67")
    gateway.reaches(gateway.send(to), 3)
    wait_for(lambda: gateway.received(to))


def test_killing_the_parent_ends_the_children(doomed: Demo) -> None:
    children = doomed.program.children
    doomed.program.end(signal.SIGKILL)
    wait_for(lambda: not any(map(alive, children.values())))


@pytest.mark.parametrize(
    ("ending", "whole_group"),
    [
        pytest.param(signal.SIGTERM, False, id="SIGTERM, as service managers do"),
        pytest.param(signal.SIGINT, False, id="SIGINT"),
        pytest.param(signal.SIGINT, True, id="Ctrl-C, which reaches all processes"),
    ],
)
def test_a_signal_ends_everything_in_order_and_leaves_nothing(
    doomed: Demo, ending: signal.Signals, whole_group: bool
) -> None:
    children, folder = doomed.program.children, database_folder(doomed)
    (os.killpg if whole_group else os.kill)(doomed.program.process.pid, ending)
    assert doomed.program.process.wait(60) == 0
    assert not any(map(alive, children.values()))
    assert not folder.exists()
    assert "Traceback" not in doomed.program.log.read_text()


def database_folder(gateway: Demo) -> Path:
    """Where a demo without --data keeps its database."""
    open_files = Path(f"/proc/{gateway.program.children['hopwire: worker 1']}/fd").iterdir()
    return next(file.readlink().parent for file in open_files if file.readlink().name == "hopwire.db")


def test_a_stop_under_load_leaves_nothing_in_doubt(tmp_path: Path) -> None:
    """What was accepted is kept; what was claimed was handed over and answered, or given back."""
    ids: list[str] = []
    with demo(tmp_path, "--data", str(tmp_path)) as gateway:
        clients = [threading.Thread(target=send_until_refused, args=(gateway, ids)) for _ in range(4)]
        for client in clients:
            client.start()
        wait_for(lambda: len(ids) > 200)
        assert gateway.program.end() == 0
        for client in clients:
            client.join()
    with closing(sqlite3.connect(tmp_path / "hopwire.db")) as connection:
        kept = dict(connection.execute("SELECT id, in_doubt FROM deliveries").fetchall())
    assert {int(message_id) for message_id in ids} <= kept.keys()
    assert not any(kept.values())


def send_until_refused(gateway: Demo, ids: list[str]) -> None:
    with suppress(*BROKEN_OFF):
        while True:
            ids.append(gateway.send_sms(number("67")))
            ids.append(gateway.send(number("02")))  # no Viber user: an SMS after it


def test_a_locked_file_is_said_to_be_temporary_and_forgotten_when_it_is_over(tmp_path: Path) -> None:
    with demo(tmp_path, "--data", str(tmp_path)) as gateway:
        to, before_it = number("67"), gateway.program.children
        before = gateway.send(to)
        with closing(sqlite3.connect(tmp_path / "hopwire.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            until = time.monotonic() + 3
            while time.monotonic() < until:
                assert gateway.ask("send", **both(to)) == {"errors": "Temporarily unavailable"}
        after = gateway.send(to)
        assert [gateway.final(before), gateway.final(after)] == [3, 3]
        assert len(gateway.submits(to)) == 2
        assert gateway.program.children == before_it
