"""`hopwire secret`, and a gateway whose secrets are sealed."""

import asyncio
import json
import stat
import tomllib
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from conftest import open_account, run_sql
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from system import run, serve

from hopwire.config import SmppConnector, load, sealing
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.migrate import open_store
from hopwire.vault import SETTING, Vault, is_sealed, key_name, of_totp

PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
FILE = f"""\
# Settings of a shop.   The password = "p-ss" is theirs.
[http]
port = 0   # any

[metrics]
token = ''

[connectors.operator] # the first one
kind = "smpp"
host = "p-ss"         # the same text as the password, and no secret
system_id = "p-ss"
password = 'p-ss'     # "p-ss"

[connectors.other]
kind = "smpp"
host = "smsc.example.net"
system_id = "x"
password = "quo\\"te \\u00e9 # no comment"

[connectors."web-api"]
kind = "http"
url = "https://api.example.net/send"
callback_secret = "0123456789abcdef"
password = "p-ss"
headers = {{ "p-ss" = "p-ss", Authorization = "Bearer {{password}}" }}
body = {{ auth = [{{ token = "t0ken" }}], phone = "{{to}}", "n" = 1 }}
messages = {{ sms = {{ }} }}

[connectors.vonage]
kind = "vonage"
application_id = "app"
private_key = \"\"\"
{PEM}\"\"\"
callback_secret = "0123456789abcdef"
signature_secret = "p-ss"
"""
SECRETS = {
    "connectors.operator.password": "p-ss",
    "connectors.other.password": 'quo"te é # no comment',
    "connectors.web-api.callback_secret": "0123456789abcdef",
    "connectors.web-api.headers.p-ss": "p-ss",
    "connectors.web-api.password": "p-ss",
    "connectors.web-api.body.auth.0.token": "t0ken",
    "connectors.vonage.callback_secret": "0123456789abcdef",
    "connectors.vonage.private_key": PEM,
    "connectors.vonage.signature_secret": "p-ss",
}


class House:
    """An installation in a folder."""

    def __init__(self, folder: Path, text: str = FILE) -> None:
        self.folder = folder
        self.file = folder / "hopwire.toml"
        self.file.write_text(text)
        self.vault = Vault(folder / "data" / "keys")

    def ended(self, *arguments: str, stdin: str = "", **env: str) -> Any:
        return run(*arguments, stdin=stdin, cwd=self.folder, env=env)

    def does(self, *arguments: str, stdin: str = "", **env: str) -> list[dict[str, Any]]:
        ended = self.ended(*arguments, "--json", stdin=stdin, **env)
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def fails(self, *arguments: str, **env: str) -> tuple[int, str]:
        ended = self.ended(*arguments, **env)
        assert not ended.stdout
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stderr

    @property
    def tree(self) -> dict[str, Any]:
        return tomllib.loads(self.file.read_text())

    def totp(self, sealed: str | None = None) -> str:
        """The sealed seed of the account's second factor, which is made where there is none."""

        async def work() -> None:
            store: Store = await open_store(f"sqlite:{self.folder}/data/hopwire.db")
            if sealed is not None:
                await open_account(Directory(store.engine))
            await store.close()

        asyncio.run(work())
        url = f"sqlite:{self.folder}/data/hopwire.db"
        if sealed is not None:
            run_sql(url, f"UPDATE accounts SET totp = '{sealed}'")  # noqa: S608
        kept: str = run_sql(url, "SELECT totp FROM accounts")[0][0]
        return kept


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


# ---- sealing


def test_a_secret_from_standard_input_is_sealed(house: House) -> None:
    sealed = house.ended("secret", "seal", stdin=PEM).stdout.strip()
    assert house.vault.open(sealed, SETTING) == PEM.rstrip("\n")
    (told,) = house.does("secret", "seal", stdin="x\n")
    assert house.vault.open(told["sealed"], SETTING) == "x"
    assert house.fails("secret", "seal")[0] == 2


def test_every_secret_of_a_file_is_sealed_in_its_place_and_nothing_else(house: House) -> None:
    house.file.chmod(0o640)
    before = load(house.file, {})
    rows = house.does("secret", "seal", "--file", "hopwire.toml")
    assert {row["setting"] for row in rows} == set(SECRETS)
    text = house.file.read_text()
    for sealed in filter(is_sealed, _texts(house.tree)):
        text = text.replace(f'"{sealed}"', "SECRET", 1)
    masked = FILE.replace(f'"""\n{PEM}"""', "SECRET").replace('"quo\\"te \\u00e9 # no comment"', "SECRET")
    for plain in ("password = 'p-ss'", 'password = "p-ss"', 'signature_secret = "p-ss"', '"p-ss" = "p-ss"',
                  'token = "t0ken"', 'callback_secret = "0123456789abcdef"'):  # fmt: skip
        masked = masked.replace(plain, plain.rpartition("= ")[0] + "= SECRET")
    first = FILE.partition("\n")[0]  # a comment that speaks of the password
    assert text == first + masked[masked.index("\n") :]
    assert stat.S_IMODE(house.file.stat().st_mode) == 0o640
    assert load(house.file, {"HOPWIRE__STORE__KEYS_FILE": str(house.folder / "data/keys")}) == _moved(
        house, before
    )
    assert house.does("secret", "seal", "--file", "hopwire.toml") == []
    assert house.file.read_text() != FILE


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        values = value.values() if isinstance(value, dict) else value
        return [text for one in values for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def _moved(house: House, config: Any) -> Any:
    import msgspec

    keys = str(house.folder / "data/keys")
    return msgspec.structs.replace(config, store=msgspec.structs.replace(config.store, keys_file=keys))


def test_secrets_are_found_by_their_settings() -> None:
    plain = sealing.plain_secrets(tomllib.loads(FILE))
    assert set(map(sealing.name, plain)) == set(SECRETS)


@pytest.mark.parametrize(
    ("url", "sealed"),
    [
        ("sqlite:data/hopwire.db", False),
        ("postgresql://localhost/x", False),
        ("postgresql://me@localhost/x", False),
        ("postgresql://me:secret@localhost/x", True),
    ],
)
def test_an_address_with_a_password_is_a_secret(url: str, sealed: bool) -> None:
    assert bool(sealing.plain_secrets({"store": {"url": url}})) is sealed


@pytest.mark.parametrize(
    "text",
    [
        'connectors.a = { kind = "smpp", password = "p-ss" }',
        '[connectors]\na.kind = "smpp"\na.password = "p-ss" # p-ss',
        '["connectors".\'a\']\n"kind" = "smpp"\n"password" = "p-ss"',
        "[connectors.a]\nkind = 'smpp'\npassword = '''p-ss'''\n",
        '[connectors.a]\r\nkind = "smpp"\r\npassword = """\r\np-ss"""\r\n',
        '[connectors.a]\nkind = "smpp"\nhost = "p-ss"\ntls_ca = """a "p-ss" b"""\npassword = "p\\u002dss"',
    ],
)
def test_a_value_is_found_however_it_is_written(tmp_path: Path, text: str) -> None:
    vault = Vault(tmp_path / "keys")
    sealed = sealing.seal(text, ("connectors", "a", "password"), vault)
    before, after = tomllib.loads(text), tomllib.loads(sealed)
    assert vault.open(after["connectors"]["a"].pop("password"), SETTING) == before["connectors"]["a"].pop(
        "password"
    )
    assert after == before


def test_line_ends_stay(house: House) -> None:
    house.file.write_bytes(FILE.replace("\n", "\r\n").encode())
    house.does("secret", "seal", "--file", "hopwire.toml")
    text = house.file.read_bytes()
    assert text.count(b"\n") == text.count(b"\r\n") == FILE.count("\n") - PEM.count("\n") - 1


def test_a_file_that_may_not_be_written_is_left_alone(house: House) -> None:
    (house.folder / ".hopwire.toml.new").mkdir()
    ending, said = house.fails("secret", "seal", "--file", "hopwire.toml")
    assert (ending, "cannot be written" in said) == (1, True)
    assert house.file.read_text() == FILE


# ---- a new connector


def test_the_secrets_of_a_new_connector_are_sealed_where_there_are_keys(tmp_path: Path) -> None:
    house = House(tmp_path, "")
    options = "--set", "host=smsc.example.net", "--set", "system_id=x"
    house.does("connector", "add", "plain", *options, HOPWIRE_PASSWORD="p1")
    house.does("secret", "seal", stdin="x")
    house.does("connector", "add", "sealed", *options, HOPWIRE_PASSWORD="p2")
    (viber,) = house.does(
        "connector", "add", "viber", "--kind", "viber", "--set", 'service_ids={ "*" = 3100 }'
    )
    tree = house.tree["connectors"]
    assert tree["plain"]["password"] == "p1"
    assert house.vault.open(tree["sealed"]["password"], SETTING) == "p2"
    secret = house.vault.open(tree["viber"]["callback_secret"], SETTING)
    assert viber["callback"] == f"/callbacks/viber/{secret}"
    assert house.ended("config", "check").returncode == 0


# ---- keys


def test_a_rotation_seals_everything_anew_and_the_old_key_goes_when_nothing_needs_it(house: House) -> None:
    house.does("secret", "seal", "--file", "hopwire.toml")
    house.totp(house.vault.seal("seed", of_totp(1)))
    (first,) = house.does("secret", "list")
    assert (first["seals"], first["settings"], first["accounts"]) == (True, len(SECRETS), 1)
    comments = [line for line in house.file.read_text().splitlines() if "#" in line]
    (rotated,) = house.does("secret", "rotate")
    assert (rotated["settings"], rotated["accounts"]) == (len(SECRETS), 1)
    old, new = house.does("secret", "list")
    assert (old["key"], old["seals"], old["settings"], old["accounts"]) == (first["key"], False, 0, 0)
    assert (new["key"], new["settings"], new["accounts"]) == (rotated["key"], len(SECRETS), 1)
    assert house.vault.open(house.totp(), of_totp(1)) == "seed"
    assert [line.partition("#")[2] for line in house.file.read_text().splitlines() if "#" in line] == [
        line.partition("#")[2] for line in comments
    ]
    assert house.does("secret", "forget-old") == [{"forgotten": [first["key"]]}]
    assert house.vault.names() == [new["key"]]
    operator = load(house.file, {"HOPWIRE__STORE__KEYS_FILE": str(house.folder / "data/keys")}).connectors[
        "operator"
    ]
    assert isinstance(operator, SmppConnector)
    assert operator.password == "p-ss"
    audit = run_sql(
        f"sqlite:{house.folder}/data/hopwire.db", "SELECT action, after FROM audit ORDER BY id DESC LIMIT 1"
    )
    assert audit == [("secret.rotate", json.dumps({"accounts": 1, "key": new["key"]}, separators=(",", ":")))]


def test_a_key_that_is_needed_is_not_dropped(tmp_path: Path) -> None:
    house = House(tmp_path, "")
    sealed = house.vault.seal("secret", SETTING)
    token = tmp_path / "token"
    token.write_text(sealed)
    house.does("secret", "rotate")
    for env in ({"HOPWIRE__METRICS__TOKEN": sealed}, {"HOPWIRE__METRICS__TOKEN_FILE": str(token)}):
        ending, said = house.fails("secret", "forget-old", **env)
        assert (ending, key_name(sealed) in said, "environment" in said) == (1, True, True)
    assert len(house.vault.names()) == 2
    assert house.does("secret", "list", HOPWIRE__METRICS__TOKEN=sealed)[0]["environment"] == 1


def test_without_its_keys_a_settings_file_is_refused_and_says_why(house: House) -> None:
    house.does("secret", "seal", "--file", "hopwire.toml")
    (house.folder / "data" / "keys").unlink()
    ending, said = house.fails("config", "check")
    assert ending == 3
    assert "is sealed and cannot be opened: store.keys_file: data/keys has no key" in said
    assert "sealed:" not in said


def test_a_gateway_starts_with_sealed_secrets_and_with_a_new_ring(tmp_path: Path) -> None:
    house = House(tmp_path, '[http]\nport = 0\n[metrics]\ntoken = "t0ken"\n')
    house.does("secret", "seal", "--file", "hopwire.toml")
    for _ in range(2):
        with serve(tmp_path, house.file.read_text()) as (_, url):
            asked = Request(f"{url}/metrics", headers={"Authorization": "Bearer t0ken"})  # noqa: S310
            with urlopen(asked, timeout=10) as answer:  # noqa: S310
                assert answer.status == 200
            with pytest.raises(HTTPError):
                urlopen(f"{url}/metrics", timeout=10)  # noqa: S310
        house.does("secret", "rotate")
        house.does("secret", "forget-old")
