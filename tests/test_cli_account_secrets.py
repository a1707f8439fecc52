"""`hopwire account password`, `api-password` and `totp`: what they set, and when they set nothing."""

import re
from pathlib import Path

import planted
import pyotp
import pytest
from command_line import CommandLine
from conftest import open_account

from hopwire.cli.console import Ending
from hopwire.config import Config, parse
from hopwire.credentials import Credentials, From, passwords, totp
from hopwire.errors import WrongCredentials
from hopwire.model import Account
from hopwire.store import Store
from hopwire.store.audit import Audit
from hopwire.store.directory import Directory, Secrets
from hopwire.vault import Vault, of_totp

PASSWORD = f"{planted.PASSWORD} battery"


@pytest.fixture
def shop(store_url: str, tmp_path: Path) -> CommandLine:
    """An operator's, with one account and a file of keys."""
    line = CommandLine(store_url, tmp_path)
    line.env["HOPWIRE__STORE__KEYS_FILE"] = str(tmp_path / "keys")
    line.store(lambda store: open_account(Directory(store.engine), login="shop"))
    return line


def secrets(shop: CommandLine) -> Secrets:
    found = shop.store(lambda store: Directory(store.engine).account_by_login("shop"))
    assert found is not None
    return found[1]


def audited(shop: CommandLine) -> list[tuple[str, str, str]]:
    entries = shop.store(lambda store: Audit(store.engine).entries(10))
    assert PASSWORD not in str(entries)
    return [(one.action, one.object, one.after) for one in reversed(entries)][1:]


def test_a_password_is_changed(shop: CommandLine) -> None:
    assert shop.does("account", "password", "shop", stdin=f"{PASSWORD}\n") == [
        {"login": "shop", "password": "changed"}
    ]
    assert passwords.verify(secrets(shop).password_hash, PASSWORD.encode())
    assert audited(shop) == [("change password", "account 1", "{}")]


def test_the_api_has_a_password_of_its_own_until_it_is_taken_away(shop: CommandLine) -> None:
    shop.does("account", "api-password", "shop", stdin=f"{PASSWORD}\n")
    assert passwords.verify(secrets(shop).api_password, PASSWORD.encode())
    assert secrets(shop).password_hash == ""
    assert shop.does("account", "api-password", "shop", "--off") == [
        {"login": "shop", "api_password": "none"}
    ]
    assert secrets(shop).api_password == ""
    assert [entry[0] for entry in audited(shop)] == ["change API password"] * 2


@pytest.mark.parametrize("command", ["password", "api-password"])
def test_a_short_password_or_one_for_nobody_is_refused(shop: CommandLine, command: str) -> None:
    assert shop.fails("account", command, "shop", stdin="123456789\n")[0] is Ending.USAGE
    assert shop.fails("account", command, "shop", stdin="я" * 129)[0] is Ending.USAGE
    assert shop.fails("account", command, "nobody", stdin=PASSWORD)[0] is Ending.NOT_FOUND
    assert audited(shop) == []


class Phone:
    """Standard input of somebody who reads the seed and types what his phone shows for it."""

    def __init__(self, shop: CommandLine, monkeypatch: pytest.MonkeyPatch, *typed: str) -> None:
        self.seed = pyotp.random_base32()
        monkeypatch.setattr(totp, "new_seed", lambda: self.seed)
        self.stdin = "".join(f"{one or pyotp.TOTP(self.seed).now()}\n" for one in typed)


RIGHT = ""


def test_a_second_factor_counts_once_its_code_was_entered(
    shop: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Phone(shop, monkeypatch, "000000", RIGHT)
    shown, done = shop.does("account", "totp", "shop", stdin=phone.stdin)
    assert re.fullmatch(rf"otpauth://totp/Hopwire:shop\?secret={phone.seed}&issuer=Hopwire", shown["uri"])
    assert done == {"login": "shop", "totp": True}
    kept = secrets(shop)
    assert phone.seed not in kept.totp
    assert Vault(tmp_path / "keys").open(kept.totp, of_totp(1)) == phone.seed
    assert kept.totp_step > 0  # the code that was shown here has counted
    assert shop.does("account", "totp", "shop", "--off") == [{"login": "shop", "totp": False}]
    assert secrets(shop).totp == ""
    assert audited(shop) == [
        ("change second factor", "account 1", '{"on":true}'),
        ("change second factor", "account 1", '{"on":false}'),
    ]


def test_a_person_is_shown_a_code_to_scan(shop: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = shop.run("account", "totp", "shop", stdin=Phone(shop, monkeypatch, RIGHT).stdin)
    assert ended.exception is None
    assert "otpauth://" in ended.stdout
    assert len([line for line in ended.stderr.splitlines() if "█" in line]) > 10


@pytest.mark.parametrize("typed", [(), ("000000",), ("000000", "x", "12345678", RIGHT)])
def test_without_a_right_code_nothing_changes(
    shop: CommandLine, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...]
) -> None:
    phone = Phone(shop, monkeypatch, *typed)
    assert shop.fails("account", "totp", "shop", stdin=phone.stdin)[0] is Ending.REJECTED
    assert secrets(shop).totp == ""
    assert audited(shop) == []


def test_without_a_file_of_keys_there_is_no_second_factor(postgres_url: str, tmp_path: Path) -> None:
    line = CommandLine(postgres_url, tmp_path)
    line.store(lambda store: open_account(Directory(store.engine), login="shop"))
    ending, said = line.fails("account", "totp", "shop")
    assert ending is Ending.CONFIG
    assert "store.keys_file" in said
    assert secrets(line).totp == ""


async def signs_in(store: Store, config: Config, code: str) -> Account:
    known = Credentials(
        Directory(store.engine), b"secret", lambda: 0, seals=totp.seals(config.store), now=lambda: AT
    )
    return await known.sign_in("shop", PASSWORD, code, From("203.0.113.7"))


AT = 1_800_000_000_000


def test_who_has_the_phone_signs_in_with_what_is_sealed(
    shop: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop.does("account", "password", "shop", stdin=f"{PASSWORD}\n")
    phone = Phone(shop, monkeypatch, RIGHT)
    shop.does("account", "totp", "shop", stdin=phone.stdin)
    config = parse({"store": {"url": shop.url, "secret": "x", "keys_file": str(tmp_path / "keys")}})
    code = pyotp.TOTP(phone.seed).at(AT // 1000)
    assert shop.store(lambda store: signs_in(store, config, code)).login == "shop"
    for wrong in (code, "000000", ""):  # a code counts once
        with pytest.raises(WrongCredentials):
            shop.store(lambda store, wrong=wrong: signs_in(store, config, wrong))  # type: ignore[misc]
