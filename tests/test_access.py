"""Who gets what: every path and every command of the API, asked by everybody; nothing is left undecided.

A new path, command or kind of caller fails here until the tables say what was decided about it.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

import pytest
from gateway import PASSWORD, SECRET, SEND, TO, Gateway, Reply, running, settings

from hopwire import access, errors
from hopwire.access import From
from hopwire.credentials import hash_password
from hopwire.errors import ApiError
from hopwire.model import SCOPES, Account, AccountStatus, ApiKey, Caller
from hopwire.store.directory import NOBODY
from hopwire.web import http_php_request
from hopwire.web.app import PATHS, App
from hopwire.web.callbacks import Callbacks, Keep

COMMANDS = {command.decode() for command in http_php_request.COMMANDS}
API = "/api/http.php"
PAST, ELSEWHERE = 1, "192.0.2.0/24"
TOKEN = "a-token-of-the-operator"

# ---- what was decided about the API

OK, WRONG, NOT_FOUND = "ok", "wrong_credentials", "not_found"
NOT_ALLOWED, PAUSED = "key_not_allowed", "account_paused"
ORDER = ("send", "receive", "delete", "price", "balance", "no command")
ALL = (OK, OK, OK, OK, OK, "unknown_command")
NONE = (WRONG,) * 6
STRANGER = (OK, NOT_FOUND, NOT_FOUND, OK, OK, "unknown_command")
LOOKS = (PAUSED, OK, OK, OK, OK, "unknown_command")

DECIDED: dict[str, tuple[str, ...]] = {  # who asks about a message of the owner's -> answers in that order
    "owner": ALL,
    "owner by login and password": ALL,
    "owner by the API's password": ALL,
    "owner by the other password beside it": NONE,
    "owner by a password beside a second factor": NONE,
    "owner by a wrong password": NONE,
    "visitor": NONE,
    "nobody with a key": NONE,
    "other account": STRANGER,
    "reseller of the account": STRANGER,
    "key to read": (NOT_ALLOWED, OK, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, "unknown_command"),
    "key for the balance": (NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, OK, OK, "unknown_command"),
    "key to send": (OK, NOT_ALLOWED, OK, NOT_ALLOWED, NOT_ALLOWED, "unknown_command"),
    "revoked key": NONE,
    "expired key": NONE,
    "key that is not expired": ALL,
    "key for another address": NONE,
    "key for this address": ALL,
    "key that is not for URLs, in one": NONE,
    "key that is not for URLs, in a body": ALL,
    "paused account": LOOKS,
    "paused account by password": LOOKS,
    "account of a paused reseller": LOOKS,
    "closed account": NONE,
    "account of a closed reseller": NONE,
    "account without the API": NONE,
    "account without the API, by password": NONE,
}

ROUTES: dict[
    str, int
] = {  # every other path -> HTTP status for all of them: no key and no login counts there
    "/": 200,
    "/healthz": 200,
    "/readyz": 200,
    "/version": 200,
    "/metrics": 404,  # the operator's token
    "/demo/statuses": 404,  # the demo's token
    "/callbacks/{connector}/{secret}": 404,  # the connector's secret
}


class Asker(NamedTuple):
    """Who asks, and about which message: his own, or the owner's."""

    who: dict[str, str]
    message_id: int
    in_body: bool = False


class Cast:
    """Brings the callers of the table on."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._logins = 0

    async def account(self, status: AccountStatus = AccountStatus.ACTIVE, **traits: Any) -> tuple[int, str]:
        """An account with money and its login."""
        self._logins += 1
        login = f"shop{self._logins}"
        account = await self._gateway.directory.create_account(
            login, _HASH, 0, credit_limit=10_000_000, **traits
        )
        assert account is not None
        return account, login

    async def sent(self, account: int) -> int:
        """A message of the account that waits for its time."""
        key = await self._gateway.new_key(account)
        return await self._gateway.send(key=key, ask_date=in_an_hour())

    async def by_key(self, account: int = 1, in_body: bool = False, **traits: Any) -> Asker:
        """With a key of the account; it asks about a message of the account."""
        key = await self._gateway.new_key(account, **traits)
        return Asker({"key": key}, await self.sent(account), in_body)

    async def after(self, change: dict[str, Any], *, of: str = "account", by: str = "key") -> Asker:
        """An account that has sent a message before it, or its reseller, was changed."""
        parent, _ = await self.account()
        account, login = await self.account(parent_id=parent)
        asker = await self.by_key(account)
        await self._gateway.directory.set_account(account if of == "account" else parent, change)
        return asker if by == "key" else asker._replace(who={"login": login, "pass": PASSWORD})

    async def with_secrets(self, typed: str, api: str = "", totp: str = "") -> Asker:
        """By login and password."""
        account, login = await self.account()
        asker = await self.by_key(account)
        await self._gateway.directory.set_api_password(account, hash_password(api) if api else "")
        await self._gateway.directory.set_totp(account, totp)
        return asker._replace(who={"login": login, "pass": typed})

    async def all(self) -> dict[str, Asker]:
        mine = await self.sent(1)
        reseller, _ = await self.account()
        child, _ = await self.account(parent_id=reseller)
        other, _ = await self.account()
        paused, closed = ({"status": one} for one in (AccountStatus.PAUSED, AccountStatus.CLOSED))
        no_api = {"api": False}
        revoked = await self.by_key()
        await self._gateway.directory.revoke_key((await self._gateway.directory.keys())[-2].id, 1)
        return {
            "owner": await self.by_key(),
            "owner by login and password": await self.with_secrets(PASSWORD),
            "owner by the API's password": await self.with_secrets("for programs", api="for programs"),
            "owner by the other password beside it": await self.with_secrets(PASSWORD, api="for programs"),
            "owner by a password beside a second factor": await self.with_secrets(PASSWORD, totp="sealed"),
            "owner by a wrong password": await self.with_secrets("wrong"),
            "visitor": Asker({}, mine),
            "nobody with a key": Asker({"key": await self._gateway.new_key(99)}, mine),
            "other account": (await self.by_key(other))._replace(message_id=mine),
            "reseller of the account": (await self.by_key(reseller))._replace(
                message_id=await self.sent(child)
            ),
            "key to read": await self.by_key(scopes=["read"]),
            "key for the balance": await self.by_key(scopes=["balance"]),
            "key to send": await self.by_key(scopes=["send"]),
            "revoked key": revoked,
            "expired key": await self.by_key(expires_at=PAST),
            "key that is not expired": await self.by_key(expires_at=2**50),
            "key for another address": await self.by_key(addresses=[ELSEWHERE]),
            "key for this address": await self.by_key(addresses=[ELSEWHERE, "127.0.0.0/8"]),
            "key that is not for URLs, in one": await self.by_key(post_only=True),
            "key that is not for URLs, in a body": await self.by_key(post_only=True, in_body=True),
            "paused account": await self.after(paused),
            "paused account by password": await self.after(paused, by="password"),
            "account of a paused reseller": await self.after(paused, of="reseller"),
            "closed account": await self.after(closed),
            "account of a closed reseller": await self.after(closed, of="reseller"),
            "account without the API": await self.after(no_api),
            "account without the API, by password": await self.after(no_api, by="password"),
        }


_HASH = hash_password(PASSWORD)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path, metrics={"token": TOKEN}, demo={"token": TOKEN}) as one:
        yield one


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")


def asked(command: str, asker: Asker) -> dict[str, str]:
    about = {"id": str(asker.message_id)} if command in ("receive", "delete") else {"to": TO}
    name = command if command in COMMANDS else "nonsense"
    return {**(SEND if command == "send" else {}), **about, "command": name, **asker.who}


async def answer(gateway: Gateway, command: str, asker: Asker) -> str:
    """The code of the error, or OK."""
    params = urlencode(asked(command, asker))
    reply = await (gateway.post(API, params.encode()) if asker.in_body else gateway.get(f"{API}?{params}"))
    assert reply.status == 200
    texts = {f"errors:{error.text}\n": code for code, error in errors.CATALOGUE.items()}
    return texts[reply.text] if reply.text.startswith("errors:") else OK


def test_every_command_is_decided() -> None:
    assert set(ORDER) == COMMANDS | {"no command"} == access.NEEDS.keys() | {"no command"}
    assert {len(answers) for answers in DECIDED.values()} == {len(ORDER)}
    assert set(access.NEEDS.values()) == set(SCOPES)


async def test_everybody_gets_what_was_decided(gateway: Gateway) -> None:
    askers = await Cast(gateway).all()
    got = {
        name: tuple([await answer(gateway, command, asker) for command in ORDER])
        for name, asker in askers.items()
    }
    assert got == DECIDED


def routes() -> list[str]:
    callbacks = Callbacks({}, cast(Keep, None))
    app = App(cast(Any, None), callbacks, cast(Any, None), metrics_token=TOKEN, demo_token=TOKEN)
    return [cast(Any, route).path for route in app._rest.routes]


def test_every_path_is_decided() -> None:
    assert set(routes()) == ROUTES.keys()
    assert list(map(bytes.decode, PATHS)) == [API, "/http.php"]


async def test_no_caller_gets_more_at_the_other_paths_than_a_visitor(gateway: Gateway) -> None:
    for name, asker in (await Cast(gateway).all()).items():
        secret = asker.who.get("key") or asker.who.get("pass") or "none"
        bearer = f"Authorization: Bearer {secret}"
        for path, status in ROUTES.items():
            target = path.format(connector="viber", secret=secret)
            reply: Reply = await gateway.get(f"{target}?{urlencode(asker.who)}", bearer)
            assert (name, path, reply.status) == (name, path, status)


# ---- the decisions themselves

NOW = 1_000_000
KEY = ApiKey(id=1, account_id=1, prefix="hw_live_abcd", name="", created_at=0, revoked_at=None)


def caller(key: dict[str, Any] | None = None, **account: Any) -> Caller:
    """With a key that has these traits; without one, by password."""
    noun = Account(**{**{name: getattr(NOBODY, name) for name in NOBODY.__struct_fields__}, **account})
    return Caller(noun, None if key is None else ApiKey(**{**KEY_TRAITS, **key}))


KEY_TRAITS = {name: getattr(KEY, name) for name in KEY.__struct_fields__}


@pytest.mark.parametrize(
    ("who", "origin", "let_in"),
    [
        pytest.param(caller({}), From(), True, id="a plain key"),
        pytest.param(caller({"expires_at": NOW + 1}), From(), True, id="in its last millisecond"),
        pytest.param(caller({"expires_at": NOW}), From(), False, id="at its end"),
        pytest.param(caller({"revoked_at": NOW + 9}), From(), False, id="revoked, by another clock"),
        pytest.param(caller({"addresses": ("192.0.2.1",)}), From("192.0.2.1"), True, id="its address"),
        pytest.param(caller({"addresses": ("192.0.2.1",)}), From("::ffff:192.0.2.1"), True, id="mapped"),
        pytest.param(caller({"addresses": ("192.0.2.1",)}), From("192.0.2.2"), False, id="another address"),
        pytest.param(caller({"addresses": ("192.0.2.1",)}), From(""), False, id="no address"),
        pytest.param(caller({"post_only": True}), From(in_url=True), False, id="not for URLs, in one"),
        pytest.param(caller({"post_only": True}), From(), True, id="not for URLs, in a body"),
        pytest.param(caller({}), From(in_url=True), True, id="in a URL"),
        pytest.param(caller(None), From(in_url=True), True, id="a password in a URL"),
        pytest.param(caller(None, api=False), From(), False, id="the API is off"),
        pytest.param(caller({}, parent_status=AccountStatus.PAUSED), From(), True, id="a paused reseller"),
        pytest.param(caller({}, parent_status=AccountStatus.CLOSED), From(), False, id="a closed reseller"),
    ],
)
def test_who_is_let_in(who: Caller, origin: From, let_in: bool) -> None:
    if let_in:
        access.admit(who, origin, NOW)
    else:
        with pytest.raises(errors.WrongCredentials):
            access.admit(who, origin, NOW)


@pytest.mark.parametrize(
    ("who", "origin", "elsewhere"),
    [
        pytest.param(caller({"addresses": ("192.0.2.1",)}), From("192.0.2.2"), True, id="another address"),
        pytest.param(caller({"addresses": ("192.0.2.1",)}), From("192.0.2.1"), False, id="its address"),
        pytest.param(caller({}), From("192.0.2.2"), False, id="from anywhere"),
        pytest.param(
            caller({"addresses": ("192.0.2.1",), "expires_at": NOW}), From("192.0.2.2"), False, id="ended"
        ),
        pytest.param(
            caller({"addresses": ("192.0.2.1",)}, api=False), From("192.0.2.2"), False, id="the API is off"
        ),
        pytest.param(caller(None), From("192.0.2.2"), False, id="a password"),
    ],
)
def test_who_is_not_let_in_for_his_address_alone(who: Caller, origin: From, elsewhere: bool) -> None:
    assert access.is_elsewhere(who, origin, NOW) is elsewhere


@pytest.mark.parametrize(
    ("who", "command", "refusal"),
    [
        pytest.param(caller(None), "send", None, id="a password may do all"),
        pytest.param(caller({"scopes": ()}), "balance", errors.KeyNotAllowed, id="a key for nothing"),
        pytest.param(
            caller({"scopes": ("read",)}, status=AccountStatus.PAUSED),
            "send",
            errors.KeyNotAllowed,
            id="a key that could never send does not hear of the pause",
        ),
    ],
)
def test_what_he_may_do(who: Caller, command: str, refusal: type[ApiError] | None) -> None:
    if refusal is None:
        access.permit(who, command)
    else:
        with pytest.raises(refusal):
            access.permit(who, command)


# ---- where from


def said(line: str) -> tuple[str, ...]:
    return (f"X-Forwarded-For: {line}",) if line else ()


@pytest.mark.parametrize(
    ("proxies", "forwarded", "let_in"),
    [
        pytest.param([], "", False, id="not its address"),
        pytest.param([], "192.0.2.7", False, id="a stranger's word"),
        pytest.param(["127.0.0.1"], "192.0.2.7", True, id="a proxy's word"),
        pytest.param(["127.0.0.1"], "192.0.2.7, 203.0.113.1", False, id="what was told to the proxy"),
        pytest.param(["127.0.0.1"], "", False, id="a proxy without a word"),
        pytest.param(["203.0.113.0/24"], "192.0.2.7", False, id="another proxy"),
    ],
)
async def test_a_proxy_of_ours_says_where_a_request_comes_from(
    tmp_path: Path, proxies: list[str], forwarded: str, let_in: bool
) -> None:
    async with running(tmp_path, http={"trusted_proxies": proxies}) as gateway:
        key = await gateway.new_key(1, addresses=[ELSEWHERE])
        reply = await gateway.get(f"{API}?key={key}&command=balance", *said(forwarded))
        assert reply.text == ("balance:100\n" if let_in else f"errors:{errors.WrongCredentials.text}\n")


async def test_a_proxy_of_ours_says_where_a_callback_comes_from(tmp_path: Path) -> None:
    viber = {**settings(tmp_path)["connectors"]["viber"], "callback_from": [ELSEWHERE]}
    connectors = {**settings(tmp_path)["connectors"], "viber": viber}
    async with running(tmp_path, http={"trusted_proxies": ["127.0.0.1"]}, connectors=connectors) as gateway:
        body = b'{"message_token": "1", "message_status": 0}'
        for line, status in (("192.0.2.7", 200), ("198.51.100.1", 404), ("192.0.2.7, 198.51.100.1", 404)):
            reply = await gateway.post(f"/callbacks/viber/{SECRET}", body, *said(line))
            assert (line, reply.status) == (line, status)
