"""The settings: file, environment, and what is said about a mistake."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hopwire.config import KINDS, Config, ConfigError, Route, SmppConnector, describe, example, load, parse

SMPP = {"kind": "smpp", "host": "smsc.example.net", "system_id": "u", "password": "p"}
VIBER = {"kind": "viber", "service_ids": {"*": 3100}, "callback_secret": "a" * 16}


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_nothing_given_is_a_working_gateway_on_this_machine_alone() -> None:
    config = load(None, {"PATH": "/bin"})
    assert config == Config()
    assert (config.http.host, config.http.port) == ("127.0.0.1", 8080)
    assert config.store.url == "sqlite:data/hopwire.db"


def test_a_file_is_read(tmp_path: Path) -> None:
    text = """
        http.port = 9000
        [connectors.operator]
        kind = "smpp"
        host = "smsc.example.net"
        system_id = "u"
        password = "p"
        [[routes]]
        prefix = "380"
        channel = "sms"
        connector = "operator"
    """
    config = load(write(tmp_path / "hopwire.toml", text), {})
    assert config.http.port == 9000
    assert config.connectors == {
        "operator": SmppConnector(host="smsc.example.net", system_id="u", password="p")
    }
    assert config.routes == (Route(prefix="380", channel="sms", connector="operator"),)


def test_a_route_by_several_connectors_has_them_in_order() -> None:
    """One without a priority has its place in the list."""
    listed = ["a", {"connector": "b", "priority": 1, "weight": 3}, {"connector": "c", "hours": "08:00-20:00"}]
    routes = [{"prefix": "UA", "channel": "sms", "connectors": listed, "least_cost": True}]
    config = parse({"connectors": dict.fromkeys("abc", SMPP), "routes": routes})
    ways = [("a", 1, 1, ""), ("b", 1, 3, ""), ("c", 3, 1, "08:00-20:00")]
    found = config.routes[0].model
    assert [(w.connector, w.priority, w.weight, w.hours) for w in found.ways] == ways
    assert (found.prefix, found.channel, found.least_cost) == ("UA", "sms", True)


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "hopwire.toml", "http = { port = 9000, host = '::1' }")
    config = load(file, {"HOPWIRE__HTTP__PORT": "9001"})
    assert (config.http.port, config.http.host) == (9001, "::1")


def test_the_environment_makes_a_connector() -> None:
    config = load(
        None,
        {
            "HOPWIRE__CONNECTORS__OPERATOR__KIND": "smpp",
            "HOPWIRE__CONNECTORS__OPERATOR__HOST": "smsc.example.net",
            "HOPWIRE__CONNECTORS__OPERATOR__SYSTEM_ID": "123",
            "HOPWIRE__CONNECTORS__OPERATOR__PASSWORD": "true",
            "HOPWIRE__CONNECTORS__OPERATOR__TLS": "true",
        },
    )
    connector = SmppConnector(host="smsc.example.net", system_id="123", password="true", tls=True)
    assert config.connectors == {"operator": connector}


def test_a_secret_comes_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    secret = write(tmp_path / "token", "s3cret\n")
    assert load(None, {"HOPWIRE__METRICS__TOKEN_FILE": str(secret)}).metrics.token == "s3cret"


def test_the_file_of_the_store_s_secret_is_a_setting_of_its_own() -> None:
    assert load(None, {"HOPWIRE__STORE__SECRET_FILE": "/nowhere"}).store.secret_file == "/nowhere"


def test_postgresql_takes_its_secret_from_the_environment() -> None:
    environ = {"HOPWIRE__STORE__URL": "postgresql://localhost/db", "HOPWIRE__STORE__SECRET": "pepper"}
    assert load(None, environ).store.postgres


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        pytest.param({"htpp": {}}, "htpp: unknown setting; did you mean http?", id="a section"),
        pytest.param(
            {"http": {"prot": 1}}, "http.prot: unknown setting; did you mean http.port?", id="a close key"
        ),
        pytest.param({"http": {"zzz": 1}}, "http.zzz: unknown setting", id="a key like no other"),
        pytest.param({"http": 1}, "http: must be a table", id="not a table"),
        pytest.param(
            {"http": {"port": 70000}}, "http.port = 70000: must be a whole number from 0 to 65535", id="range"
        ),
        pytest.param(
            {"http": {"port": "80"}}, "http.port = '80': must be a whole number from 0 to 65535", id="type"
        ),
        pytest.param(
            {"connectors": {"a": SMPP | {"response_timeout_s": 56}}},
            "connectors.a.response_timeout_s = 56: must be at least 5 less than worker.lease_s, which is 60",
            id="a lease that ends before the answer",
        ),
        pytest.param(
            {"log": {"format": "xml"}},
            'log.format = \'xml\': must be one of "auto", "json", "text"',
            id="one of some",
        ),
        pytest.param(
            {"http": {"tls_key": "k.pem"}},
            "http.tls_certificate, http.tls_key: must be given together",
            id="half of TLS",
        ),
        pytest.param(
            {"http": {"trusted_proxies": ["127.0.0.1", "10.0.0.1/8"]}},
            "http.trusted_proxies: '10.0.0.1/8' is no address or network",
            id="a proxy that is no network",
        ),
        pytest.param(
            {"store": {"url": "mysql://db"}},
            "store.url: must be sqlite:PATH or postgresql://USER:PASSWORD@HOST/DATABASE",
            id="an engine that is not there",
        ),
        pytest.param(
            {"store": {"url": "postgresql://db/x"}},
            "store.secret_file: is missing; PostgreSQL needs it, or HOPWIRE__STORE__SECRET",
            id="PostgreSQL without a secret",
        ),
        pytest.param(
            {"worker": {"processes": 2}},
            "worker.processes = 2: must be 1 with SQLite; more than one needs PostgreSQL",
            id="many processes on SQLite",
        ),
        pytest.param(
            {"store": {"url": "postgresql://db/x", "secret": "s"}, "http": {"web_processes": 0}},
            "http.web_processes = 0: must be at least 1 with PostgreSQL",
            id="no web process on PostgreSQL",
        ),
        pytest.param(
            {"connectors": {"a": {"kind": "smtp"}}},
            "connectors.a.kind = 'smtp': must be one of smpp, viber, infobip, turbosms, http_php, gms,"
            " vonage, http",
            id="a kind of connector",
        ),
        pytest.param(
            {"connectors": {"a": {"kind": "smpp"}}},
            "connectors.a.host: is missing; it must be text, not empty",
            id="a required key",
        ),
        pytest.param(
            {"connectors": {"a": SMPP | {"window": 0}}},
            "connectors.a.window = 0: must be a whole number from 1 to 1000",
            id="a key of a connector",
        ),
        pytest.param(
            {"connectors": {"a/b": SMPP}},
            "connectors.a/b: a name is lower-case letters and digits, with single - or _ between",
            id="a connector's name",
        ),
        pytest.param(
            {"connectors": {"v": VIBER | {"service_ids": {"Shop": "x"}}}},
            "connectors.v.service_ids = {'Shop': 'x'}: must be a table of whole numbers by name",
            id="a service id",
        ),
        pytest.param(
            {"routes": [{"channel": "sms", "connector": "b"}], "connectors": {"a": SMPP}},
            "routes[0].connector = 'b': must be one of the connectors, a",
            id="a route to nowhere",
        ),
        pytest.param(
            {"routes": [{"channel": "sms", "connector": "v"}], "connectors": {"v": VIBER}},
            "routes[0].connector = 'v': must be a connector that carries sms,"
            " of kind gms, http, http_php, infobip, smpp, turbosms, vonage",
            id="an SMS route to Viber",
        ),
        pytest.param(
            {"routes": [{"prefix": "+380", "channel": "sms", "connector": "a"}], "connectors": {"a": SMPP}},
            "routes[0].prefix = '+380': must be up to 15 digits, or two capital letters of ISO 3166,"
            " in quotes",
            id="a prefix with a plus",
        ),
        pytest.param(
            {"routes": [{"channel": "sms", "connector": "a"}] * 2, "connectors": {"a": SMPP}},
            "routes[1]: there is already a route for this prefix and channel",
            id="the same route twice",
        ),
        pytest.param(
            {"routes": {}}, "routes: must be a list of tables, each begun by [[routes]]", id="a list"
        ),
        pytest.param(
            {"routes": [{"channel": "sms"}], "connectors": {"a": SMPP}},
            "routes[0].connector, routes[0].connectors: one of them must be given",
            id="a route by nobody",
        ),
        pytest.param(
            {"routes": [{"channel": "sms", "connectors": [7]}], "connectors": {"a": SMPP}},
            "routes[0].connectors[0]: must be a table",
            id="a connector that is none",
        ),
        pytest.param(
            {"routes": [{"channel": "sms", "connectors": "a"}], "connectors": {"a": SMPP}},
            "routes[0].connectors = 'a': must be a list of names and of tables",
            id="no list of connectors",
        ),
        pytest.param(
            {"routes": [{"channel": "sms", "connectors": ["a", "b"]}], "connectors": {"a": SMPP}},
            "routes[0].connectors[1].connector = 'b': must be one of the connectors, a",
            id="one of several leads nowhere",
        ),
        pytest.param(
            {
                "routes": [{"channel": "sms", "connectors": [{"connector": "a", "wait": 3}]}],
                "connectors": {"a": SMPP},
            },
            "routes[0].connectors[0].wait: unknown setting; did you mean routes[0].connectors[0].weight?",
            id="an unknown setting of one",
        ),
        pytest.param(
            {
                "routes": [{"channel": "sms", "connectors": [{"connector": "a", "hours": "always"}]}],
                "connectors": {"a": SMPP},
            },
            "routes[0].connectors[0].hours = 'always': hours must be written like"
            " `mon-fri 08:00-20:00 Europe/Kyiv` or `21:00-08:00`",
            id="hours",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(tree: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(tree)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "tree",
    [
        pytest.param({"metrics": {"token": 271828}}, id="a token"),
        pytest.param({"connectors": {"a": SMPP | {"password": 271828}}}, id="a password"),
        pytest.param({"connectors": {"v": VIBER | {"callback_secret": "271828"}}}, id="a callback's secret"),
        pytest.param({"store": {"url": "pg://u:271828@db"}}, id="a password in a URL"),
        pytest.param(
            {"store": {"url": "postgresql://u:271828%zz@db/x", "secret": "s"}}, id="a password not encoded"
        ),
    ],
)
def test_a_secret_s_value_is_not_told(tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(tree)
    assert "271828" not in str(caught.value)


def test_a_printed_configuration_hides_its_secrets() -> None:
    tree = {"connectors": {"a": SMPP | {"password": "271828"}}, "store": {"secret": "271828"}}
    assert "271828" not in repr(parse(tree))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        pytest.param({"HOPWIRE__PORT": "1"}, "HOPWIRE__PORT: must be HOPWIRE__SECTION__KEY", id="no section"),
        pytest.param(
            {"HOPWIRE__HTTP__PRT": "1"}, "http.prt: unknown setting; did you mean http.port?", id="a key"
        ),
        pytest.param({"HOPWIRE__HTTP__PORT": "x"}, "http.port = 'x': must be a whole number", id="a value"),
        pytest.param(
            {"HOPWIRE__METRICS__TOKEN_FILE": "/nowhere/t"},
            "HOPWIRE__METRICS__TOKEN_FILE: /nowhere/t cannot be read",
            id="a file that is not there",
        ),
    ],
)
def test_a_mistake_in_the_environment_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(None, environ)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^/nowhere/hopwire.toml: cannot be read"):
        load(Path("/nowhere/hopwire.toml"), {})


def test_a_file_that_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not TOML: .* \(at line 2, "):
        load(write(tmp_path / "hopwire.toml", "[http]\nport = \n"), {})


def test_the_example_is_the_defaults() -> None:
    assert parse(tomllib.loads(example())) == Config()


def test_the_example_uncommented_is_good_and_holds_every_setting() -> None:
    text = re.sub(r"^#(?! )", "", example(), flags=re.MULTILINE)
    config = parse(tomllib.loads(text))
    assert set(config.connectors) == {"operator", *KINDS} - {"smpp"}
    assert len(config.routes) == 1
    settings = [s for s in describe() if s.section != "demo"]
    assert all(re.search(rf"^{s.key} = ", text, re.MULTILINE) for s in settings)


def test_every_setting_is_described() -> None:
    assert [s for s in describe() if not s.description.endswith(".")] == []


# ---- mail

MAIL = {"host": "mail.example.net", "sender": "hopwire@example.net"}
PAGES = {"registration": "on", "url": "https://sms.example.net"}


def test_registration_goes_with_mail() -> None:
    config = parse({"mail": MAIL, "cabinet": PAGES})
    assert (config.cabinet.registration, config.mail.port) == ("on", 587)


@pytest.mark.parametrize(
    ("mail", "cabinet", "told"),
    [
        pytest.param(
            {}, PAGES, "mail.host: is missing; cabinet.registration = 'on' needs it", id="no server"
        ),
        pytest.param(
            MAIL, {"registration": "invitation"}, "cabinet.url: is missing; .*'invitation'", id="no url"
        ),
        pytest.param({"host": "h"}, PAGES, "mail.sender: is missing", id="no sender"),
        pytest.param({"host": "h"}, {}, "mail.sender = '': must be an address", id="mail from nobody"),
        pytest.param(MAIL | {"sender": "a b@c"}, {}, "mail.sender = 'a b@c': must be", id="no address"),
        pytest.param(
            MAIL | {"login": "u"}, {}, "mail.login, mail.password: must be given together", id="half"
        ),
        pytest.param(
            MAIL, {"url": "sms.example.net"}, "cabinet.url = .* must be https://HOST", id="no scheme"
        ),
        pytest.param(MAIL, {"url": "https://a.b/c"}, "cabinet.url = .* without a path", id="a path"),
    ],
)
def test_mail_and_pages_agree(mail: dict[str, str], cabinet: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse({"mail": mail, "cabinet": cabinet})
