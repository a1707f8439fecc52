"""Secrets are sealed and opened with keys in a file."""

import base64
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hopwire.config import ConfigError, load, parse
from hopwire.vault import SETTING, SealError, Vault, is_sealed, key_name, of_totp

SECRET = "пароль-271828"
SMPP = {"kind": "smpp", "host": "smsc.example.net", "system_id": "x"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "apart" / "keys"


@pytest.fixture
def vault(path: Path) -> Vault:
    return Vault(path)


@pytest.mark.parametrize("text", ["", SECRET, "line\nline", "x" * 10_000])
def test_what_was_sealed_opens(vault: Vault, text: str) -> None:
    sealed = vault.seal(text, SETTING)
    assert is_sealed(sealed)
    assert (text or "sealed") not in sealed.partition(":")[2]
    assert vault.open(sealed, SETTING) == text


def test_nothing_is_sealed_twice_the_same(vault: Vault) -> None:
    assert vault.seal(SECRET, SETTING) != vault.seal(SECRET, SETTING)


def test_the_file_of_keys_is_made_when_it_is_needed_and_for_its_owner_alone(vault: Vault, path: Path) -> None:
    assert vault.names() == []
    assert not path.exists()
    sealed = vault.seal(SECRET, SETTING)
    assert vault.names() == [key_name(sealed)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_process_opens_it(vault: Vault, path: Path) -> None:
    assert Vault(path).open(vault.seal(SECRET, SETTING), SETTING) == SECRET


@pytest.mark.parametrize("purpose", [SETTING, of_totp(2)])
def test_what_was_sealed_for_one_purpose_opens_for_no_other(vault: Vault, purpose: str) -> None:
    with pytest.raises(SealError, match="sealed for something else"):
        vault.open(vault.seal(SECRET, of_totp(1)), purpose)


def test_what_was_altered_does_not_open(vault: Vault) -> None:
    sealed = vault.seal(SECRET, SETTING)
    head, data = sealed[:16], bytearray(base64.urlsafe_b64decode(sealed[16:] + "=="))
    for i in range(len(data)):
        altered = bytes(data[:i]) + bytes([data[i] ^ 1]) + bytes(data[i + 1 :])
        with pytest.raises(SealError, match="was altered"):
            vault.open(head + base64.urlsafe_b64encode(altered).decode().rstrip("="), SETTING)


@pytest.mark.parametrize(
    "text", ["sealed:", "sealed:0011", "sealed:00112233:short", "sealed:00112233:" + "é" * 40]
)
def test_what_is_cut_is_known(vault: Vault, text: str) -> None:
    with pytest.raises(SealError, match="is it whole"):
        vault.open(text, SETTING)


def test_a_cut_at_every_place_is_known(vault: Vault) -> None:
    sealed = vault.seal(SECRET, SETTING)
    for n in range(1, len(sealed)):
        with pytest.raises(SealError):
            vault.open(sealed[:n], SETTING)


def test_the_keys_of_another_installation_do_not_open_it(vault: Vault, tmp_path: Path) -> None:
    sealed = vault.seal(SECRET, SETTING)
    other = Vault(tmp_path / "other")
    other.seal("x", SETTING)
    with pytest.raises(SealError, match=f"has no key {key_name(sealed)}"):
        other.open(sealed, SETTING)


def test_a_new_key_seals_and_the_old_one_opens_until_it_is_forgotten(vault: Vault, path: Path) -> None:
    old = vault.seal(SECRET, SETTING)
    new = Vault(path).rotate().name  # another process
    assert vault.names() == [key_name(old), new]
    assert key_name(vault.seal(SECRET, SETTING)) == new
    assert vault.open(old, SETTING) == SECRET
    vault.forget([key_name(old)])
    with pytest.raises(SealError, match="has no key"):
        vault.open(old, SETTING)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_keys_that_are_made_at_once_none_is_lost(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: Vault(path).rotate().name, range(40)))
    assert sorted(Vault(path).names()) == sorted(made)


@pytest.mark.parametrize("content", ["", "# only a head\n", "0011 x\n", "00112233 short\n"])
def test_what_is_no_file_of_keys_is_left_alone(vault: Vault, path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(SealError, match="is no file of keys"):
        vault.seal(SECRET, SETTING)
    assert path.read_text() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SealError, match=re.escape(str(tmp_path / "file" / "keys"))):
        Vault(tmp_path / "file" / "keys").seal(SECRET, SETTING)


def test_no_key_is_ever_told(vault: Vault, path: Path) -> None:
    vault.seal(SECRET, SETTING)
    key = path.read_text().split()[-1]
    path.write_text(path.read_text() + f"{key}\n")
    with pytest.raises(SealError) as caught:
        vault.seal(SECRET, SETTING)
    assert key not in str(caught.value)
    assert SECRET not in str(caught.value)


# ---- in the settings


def sealing(path: Path) -> dict[str, Any]:
    return {"keys_file": str(path)}


def test_every_secret_of_the_settings_may_be_sealed(vault: Vault, path: Path) -> None:
    url = "postgresql://u:271828@db/x"
    tree = {
        "store": {
            **sealing(path),
            "url": vault.seal(url, SETTING),
            "secret": vault.seal("pepper", SETTING),
        },
        "connectors": {
            "a": SMPP | {"password": vault.seal(SECRET, SETTING)},
            "b": {
                "kind": "http",
                "url": "https://api.example.net/",
                "callback_secret": vault.seal("a" * 16, SETTING),
                "messages": {"sms": {}},
                "headers": {"Authorization": vault.seal("Bearer 1", SETTING)},
                "body": {"auth": [{"token": vault.seal("2", SETTING)}]},
            },
        },
    }
    config = parse(tree)
    a, b = config.connectors.values()
    assert (config.store.url, config.store.secret, a.password) == (url, "pepper", SECRET)  # type: ignore[union-attr]
    assert b.headers == {"Authorization": "Bearer 1"}  # type: ignore[union-attr]
    assert b.body == {"auth": [{"token": "2"}]}  # type: ignore[union-attr]


def test_one_from_the_environment_may_be_sealed_too(vault: Vault, path: Path) -> None:
    environ = {"HOPWIRE__STORE__KEYS_FILE": str(path), "HOPWIRE__METRICS__TOKEN": vault.seal(SECRET, SETTING)}
    assert load(None, environ).metrics.token == SECRET


def test_the_keys_are_beside_sqlite_s_file(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / "keys").seal(SECRET, SETTING)
    tree = {"store": {"url": f"sqlite:{tmp_path}/hopwire.db"}, "metrics": {"token": sealed}}
    assert parse(tree).metrics.token == SECRET


def test_without_anything_sealed_no_keys_are_needed(path: Path) -> None:
    assert parse({"store": sealing(path), "metrics": {"token": SECRET}}).metrics.token == SECRET
    assert not path.exists()


def test_what_does_not_open_is_named_and_not_told(vault: Vault, path: Path) -> None:
    sealed = vault.seal(SECRET, of_totp(1))
    with pytest.raises(ConfigError) as caught:
        parse({"store": sealing(path), "metrics": {"token": sealed}})
    assert str(caught.value).startswith("metrics.token: is sealed and cannot be opened: ")
    assert sealed[16:] not in str(caught.value)


def test_postgresql_says_which_setting_is_missing(vault: Vault) -> None:
    sealed = vault.seal(SECRET, SETTING)
    with pytest.raises(ConfigError, match=r"metrics.token: .*store.keys_file: is missing"):
        parse({"store": {"url": "postgresql://localhost/x"}, "metrics": {"token": sealed}})


def test_only_secrets_are_opened(vault: Vault, path: Path) -> None:
    sealed = vault.seal(SECRET, SETTING)
    with pytest.raises(ConfigError, match=r"connectors.a.host: is sealed, and is no secret"):
        parse({"store": sealing(path), "connectors": {"a": SMPP | {"password": "x", "host": sealed}}})


def test_an_opened_secret_that_cannot_be_used_is_not_told(vault: Vault, path: Path) -> None:
    sealed = vault.seal("271828", SETTING)
    connector = {"kind": "viber", "service_ids": {"*": 1}, "callback_secret": sealed}
    with pytest.raises(ConfigError) as caught:
        parse({"store": sealing(path), "connectors": {"v": connector}})
    assert "271828" not in str(caught.value)
