"""`hopwire route`: what the commands print, refuse and keep, on both engines."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from system import run
from test_worker import STATE

from hopwire.model import Price, Route, Way
from hopwire.store import Store
from hopwire.store.audit import Audit
from hopwire.store.connectors import Connectors
from hopwire.store.directory import Directory
from hopwire.store.prices import PriceBook
from hopwire.store.routes import Routes
from hopwire.store.senders import SenderName, Senders

SETTINGS = """
[store]
url = "{url}"
secret = "of this installation"

[connectors.alpha]
kind = "smpp"
host = "alpha.example.net"
system_id = "hopwire"
password = "p"

[connectors.beta]
kind = "smpp"
host = "beta.example.net"
system_id = "hopwire"
password = "p"

[connectors.viber]
kind = "viber"
service_ids = {{ "*" = 3100 }}
callback_secret = "callback-secret-1234567"

[[routes]]
prefix = "380"
channel = "sms"
connector = "alpha"
"""
TO = "+380501234567"


class Commands:
    """Runs commands on one store."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        (folder / "hopwire.toml").write_text(SETTINGS.format(url=url))

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run("route", *arguments, stdin=stdin, cwd=self.folder)

    def does(self, *arguments: str, stdin: str = "") -> list[dict[str, Any]]:
        """Run a command that must succeed; the JSON lines it prints."""
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def fails(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        """Run a command that must not succeed; its exit code and what it says."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.stdout, "Traceback" in done.stderr) == ("", False)
        return done.returncode, done.stderr.strip()

    def listed(self) -> list[str]:
        """The routes in a line each."""
        return [
            f"{one['prefix']} {' '.join(way['connector'] for way in one['connectors'])} {one['from']}"
            + ("" if one["counts"] else " no")
            for one in self.does("list")
        ]


@pytest.fixture
async def commands(store: Store, store_url: str, tmp_path: Path) -> Commands:
    """Commands on a database that is there."""
    return Commands(store_url, tmp_path)


async def test_a_route_of_the_database_stands_before_the_settings(commands: Commands, store: Store) -> None:
    assert commands.listed() == ["380 alpha settings"]
    (told,) = commands.does("set", "380", "beta", "alpha:2:1", "--hours", "beta=08:00-20:00")
    beta: dict[str, Any] = {"connector": "beta", "priority": 1, "weight": 1, "hours": "08:00-20:00"}
    alpha: dict[str, Any] = {"connector": "alpha", "priority": 2, "weight": 1, "hours": ""}
    assert told == {"channel": "sms", "prefix": "380", "connectors": [beta, alpha], "least_cost": False}
    assert commands.listed() == ["380 beta alpha database", "380 alpha settings no"]
    commands.does("set", "", "beta:1:3", "alpha:1", "--least-cost")
    kept = [Way(connector="beta", weight=3), Way(connector="alpha")]
    assert await Routes(store.engine).all() == [
        Route(channel="sms", prefix="", ways=tuple(kept), least_cost=True),
        Route(channel="sms", prefix="380", ways=(Way(**beta), Way(**alpha))),
    ]
    commands.does("remove", "380")
    assert commands.fails("remove", "380") == (5, "hopwire: there is no such route in the database")
    assert commands.listed() == [" beta alpha database", "380 alpha settings"]
    entries = [(one.action, one.object, one.before) for one in await Audit(store.engine).entries(3)]
    assert entries[0] == (
        "change route",
        "route sms 380",
        '{"connectors":["beta:1:1 08:00-20:00","alpha:2:1"],"least_cost":false}',
    )
    assert [one[1] for one in entries] == ["route sms 380", "route sms *", "route sms 380"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["380", "gamma"], "connectors[0].connector = 'gamma': must be one of the connectors, alpha, beta,"
         " viber"),
        (["380", "alpha", "viber"], "connectors[1].connector = 'viber': must be a connector that carries sms,"
         " of kind gms, http, http_php, infobip, smpp, turbosms, vonage"),
        (["380", "alpha", "alpha"], "connectors[1].connector = 'alpha': is in the list already"),
        (["380", "alpha:1:7", "beta"], "connectors[0].weight = 7: is a share among connectors of the same"
         " priority, and no other one has priority 1"),
        (["380", "alpha:1:x"], "alpha:1:x: must be CONNECTOR, CONNECTOR:PRIORITY or with :WEIGHT"),
        (["380", "alpha:1001"], "connectors[0].priority = 1001: must be a whole number from 0 to 1000"),
        (["+380", "alpha"], "prefix = '+380': must be up to 15 digits, or two capital letters of ISO 3166,"
         " in quotes"),
        (["UK", "alpha"], "prefix = 'UK': is no country of ISO 3166"),
        (["380", "alpha", "--channel", "fax"], "channel = 'fax': must be one of \"sms\", \"viber\""),
        (["380", "alpha", "--hours", "beta=08:00-20:00"], "--hours beta: is none of these connectors"),
        (["380", "alpha", "--hours", "alpha"], "--hours alpha: must be CONNECTOR=HOURS"),
        (["380", "alpha", "--hours", "alpha=nine"], "connectors[0].hours = 'nine': hours must be"
         " written like `mon-fri 08:00-20:00 Europe/Kyiv` or `21:00-08:00`"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)  # fmt: skip
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_cannot_be_is_refused_by_name(commands: Commands, arguments: list[str], said: str) -> None:
    assert commands.fails("set", *arguments) == (2, f"hopwire: {said}")
    assert commands.listed() == ["380 alpha settings"]


FILE = """
[[routes]]
prefix = "380"
channel = "sms"
connector = "alpha"

[[routes]]
prefix = "UA"
channel = "sms"
connectors = [{ connector = "alpha", priority = 2, hours = "sat,sun 08:00-20:00" }, "beta"]
"""


async def test_routes_come_from_a_file_and_go_into_one(commands: Commands, store: Store) -> None:
    commands.does("set", "48", "beta")
    ua = {"channel": "sms", "prefix": "UA", "before": "", "after": "alpha:2 (sat,sun 08:00-20:00), beta:2"}
    assert commands.does("import", "-", "--dry-run", stdin=FILE) == [ua]
    assert commands.listed() == ["380 alpha settings", "48 beta database"]
    assert commands.does("import", "-", stdin=FILE) == [ua]
    assert commands.listed() == ["380 alpha settings", "48 beta database", "UA alpha beta database"]
    exported = commands.run("export").stdout
    assert commands.does("import", "-", "--replace", stdin=exported) == []
    (gone,) = commands.does("import", "-", "--replace", stdin=FILE)
    assert gone == {"channel": "sms", "prefix": "48", "before": "beta:1", "after": ""}
    assert commands.listed() == ["380 alpha settings", "UA alpha beta database"]
    wrong = FILE.replace('"beta"]', '"gamma"]')
    ending, said = commands.fails("import", "-", stdin=wrong)
    assert ending == 2
    assert said.startswith("hopwire: routes[1].connectors[1].connector = 'gamma': must be one of")
    assert commands.listed() == ["380 alpha settings", "UA alpha beta database"]
    assert commands.fails("import", "-", stdin="[[routes]")[1].startswith("hopwire: - is not TOML: ")
    assert commands.fails("import", "nowhere")[0] == 5


async def test_a_decision_is_explained(commands: Commands, store: Store) -> None:
    directory, now = Directory(store.engine), time.time_ns() // 1_000_000
    await directory.create_account("shop", "", now, any_sender=False, transactional=False)
    await Senders(store.engine).put([SenderName(1, "Shop", "sms", "beta")])
    costs = [Price("sms", "380", 300_000, list="connector:alpha"), Price("sms", "", 1, list="connector:beta")]
    promotional = Price("sms", "38050", 900_000, type="promotional")
    await PriceBook(store.engine).put([Price("sms", "380", 800_000), promotional, *costs])
    states = {"alpha": replace(STATE, error_rate=0.75, latency_ms=2500), "beta": STATE}
    await Connectors(store.engine).report("worker 1", states, now)
    commands.does("set", "38050", "alpha", "beta", "--least-cost")

    (told,) = commands.does("explain", TO)
    connectors = told.pop("connectors")
    assert told == {
        "number": "380501234567", "country": "UA", "channel": "sms", "type": "transactional",
        "prefix": "38050", "from": "database", "least_cost": True, "price": "0.8", "currency": "UAH",
    }  # fmt: skip
    assert connectors == [
        {
            "connector": "beta", "priority": 2, "weight": 1, "hours": "", "cost": "0.000001", "use": "chosen",
            "health": {"state": "up", "error_rate": None, "latency_ms": None}, "why": "is well",
        },
        {
            "connector": "alpha", "priority": 1, "weight": 1, "hours": "", "cost": "0.3", "use": "other",
            "health": {"state": "up", "error_rate": 0.75, "latency_ms": 2500},
            "why": "75% of its answers of the last minute were errors",
        },
    ]  # fmt: skip
    (told,) = commands.does("explain", TO, "--account", "shop", "--sender", "Shop")
    assert (told["type"], told["price"]) == ("promotional", "0.9")
    assert [(one["use"], one["why"]) for one in told["connectors"]] == [
        ("chosen", "the only one that may"),
        ("left out", "the sender's name is not approved there"),
    ]
    said = commands.run("explain", TO).stdout.splitlines()
    assert said[-1].split("  ")[0] == "alpha"
    assert "up, 75% errors, 2500 ms" in said[-1]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_cannot_be_explained(commands: Commands) -> None:
    assert commands.fails("explain", "+48501234567") == (5, "hopwire: no route for sms leads to this number")
    assert commands.fails("explain", TO, "--channel", "viber")[0] == 5
    assert commands.fails("explain", "x") == (2, "hopwire: NUMBER is not a phone number")
    assert commands.fails("explain", TO, "--type", "x") == (
        2, "hopwire: --type must be transactional or promotional",
    )  # fmt: skip
    assert commands.fails("explain", TO, "--channel", "x") == (2, "hopwire: --channel must be sms or viber")
    assert commands.fails("explain", TO, "--account", "x")[0] == 5
    assert "price: none, so that nothing is sent" in commands.run("explain", TO).stdout
