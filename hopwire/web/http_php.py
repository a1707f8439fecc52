"""`/api/http.php`: the documented protocol, in front of everything else.

Rule 1: every protocol-level answer is HTTP 200 text, from the catalogue; nothing a client sent is echoed.
Rule 2: a request that did not come whole is not a request.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from hopwire import access, metrics, money, via
from hopwire.admission import Admission, now_ms
from hopwire.config import Sms
from hopwire.credentials import Credentials, From
from hopwire.errors import (
    ApiError,
    BadBody,
    NotFound,
    TooLarge,
    Unavailable,
    UnknownCommand,
    WrongCredentials,
)
from hopwire.model import Account, Caller
from hopwire.store import Standing
from hopwire.web import http_php_request as request
from hopwire.web import php
from hopwire.web.addresses import client_address
from hopwire.web.http_php_request import Call, Key, LoginPassword
from hopwire.web.wire import WHOLE_REPLY

log = logging.getLogger(__name__)

VIA = via.HEADER.encode()
MAX_BODY = 65_536
MAX_DISCARDED = 1_048_576  # of a body that is too large, so that its sender gets to reading why

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Answer = dict[str, int | str]
Dialect = Literal["plain", "encoded"]


class DisconnectedError(Exception):
    """The client left before its request was whole."""


class HttpPhp:
    def __init__(
        self,
        admission: Admission,
        credentials: Credentials,
        limits: Sms,
        proxies: tuple[str, ...] = (),
        installation: str = "",
    ) -> None:
        self._admission = admission
        self._installation = installation
        self._credentials = credentials
        self._limits = limits
        self._proxies = proxies
        self._commands: dict[str, Callable[[Call, Caller], Awaitable[Answer]]] = {
            "send": self._send,
            "receive": self._receive,
            "delete": self._delete,
            "price": self._price,
            "balance": self._balance,
        }

    async def __call__(self, scope: Scope, receive: Receive) -> None:
        """Answer an ASGI request on our own wire, which takes the reply whole."""
        began = time.perf_counter()
        dialect: Dialect = "plain"
        command, answer, status = "none", "ok", 200
        try:
            headers = dict(scope["headers"])
            body = await _read_body(headers, receive)
            call = request.read(
                scope["query_string"],
                headers.get(b"content-type", b""),
                body,
                headers.get(b"idempotency-key", b""),
            )
            if hops := headers.get(VIA):
                call = call._replace(via=hops.decode("latin-1"))
            dialect, command = call.dialect, call.command or "unknown"
            origin = From(client_address(scope, self._proxies), call.in_url)
            reply = _reply(call.dialect, await self._answer(call, origin))
        except DisconnectedError:
            return
        except Exception as exc:
            error = _as_error(exc)
            answer, status, reply = error.code, error.status, _refusal(dialect, error)
        metrics.REQUESTS.labels(command, answer).inc()
        scope["extensions"][WHOLE_REPLY](status, _HEADERS, reply)
        metrics.REPLY_SECONDS.observe(time.perf_counter() - began)

    async def _answer(self, call: Call, origin: From) -> Answer:
        """Who asks is known first, whatever is asked."""
        caller = await self._caller(call, origin)
        if call.command is None:
            raise UnknownCommand
        access.permit(caller, call.command)
        return await self._commands[call.command](call, caller)

    async def _caller(self, call: Call, origin: From) -> Caller:
        match call.credentials:
            case Key(key):
                return await self._credentials.by_key(key, origin)
            case LoginPassword(login, password):
                return await self._credentials.by_password(login, password, origin)
            case _:
                raise WrongCredentials

    async def _send(self, call: Call, caller: Caller) -> Answer:
        account, now = caller.account, now_ms()
        message = request.send_request(call, account, now, self._limits.max_parts, self._admission.parts)
        if call.via:
            message = replace(message, via=via.read(call.via, self._installation))
        client_key = request.client_key(call)
        key_id = caller.key.id if caller.key else 0
        message_id, parts = await self._admission.admit(account, message, now, key_id, client_key)
        return {"id": message_id, "sms_count": parts}

    async def _receive(self, call: Call, caller: Caller) -> Answer:
        account = caller.account
        return _standing(await self._admission.standing(account, request.message_id(call)), account)

    async def _delete(self, call: Call, caller: Caller) -> Answer:
        account = caller.account
        standing = await self._admission.delete(account, request.message_id(call), now_ms())
        answer = _standing(standing, account)
        del answer["status_time"]
        return answer

    async def _price(self, call: Call, caller: Caller) -> Answer:
        account = caller.account
        number = request.recipient(call, account)
        price = self._admission.price(account, number.digits, number.country, now_ms())
        return {"price": money.text(price), "currency": account.currency}

    async def _balance(self, call: Call, caller: Caller) -> Answer:
        return {"balance": money.text(await self._admission.spendable(caller.account))}


def _standing(standing: Standing | None, account: Account) -> Answer:
    if standing is None:
        raise NotFound
    return {
        "status": standing.status.text,
        "code": int(standing.status),
        "status_time": moment(standing.status_at, account.time_zone),
    }


def moment(at: int, time_zone: str) -> str:
    """Milliseconds since 1970 as 2026-11-23T10:11:12+0200 in the account's time zone."""
    return datetime.fromtimestamp(at / 1000, _zone(time_zone)).strftime("%Y-%m-%dT%H:%M:%S%z")


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


# ---- bytes


async def _read_body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The whole body; raises `TooLarge`, `BadBody` and `DisconnectedError`."""
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return b""
    size = int(headers.get(b"content-length", b"0"))
    if size > (MAX_BODY if b"expect" in headers else MAX_DISCARDED):
        raise TooLarge
    body, size, more = b"", 0, True
    while more and size <= MAX_DISCARDED:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise DisconnectedError
        size += len(event["body"])
        body = body + event["body"] if size <= MAX_BODY else b""
        more = event["more_body"]
    if size > MAX_BODY:
        raise TooLarge
    if headers.get(b"content-encoding", b"identity").lower() not in (b"", b"identity"):
        raise BadBody
    return body


def _as_error(exc: Exception) -> ApiError:
    if isinstance(exc, ApiError):
        return exc
    log.error("a request failed", exc_info=exc)  # a bug; the client may try again
    return Unavailable()


def _reply(dialect: Dialect, answer: Answer) -> bytes:
    if dialect == "encoded":
        return php.encode64(php.serialize({**answer, "errors": []}))
    return "".join(f"{name}:{value}\n" for name, value in answer.items()).encode()


def _refusal(dialect: Dialect, error: ApiError) -> bytes:
    if dialect == "encoded":
        return php.encode64(php.serialize({"errors": [error.text]}))
    return f"errors:{error.text}\n".encode()


_HEADERS = b"".join(
    (
        b"content-type: text/plain; charset=utf-8\r\n",
        b"cache-control: no-store\r\n",
        b"x-content-type-options: nosniff\r\n",
    )
)
