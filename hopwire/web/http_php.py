"""`/api/http.php`: the documented protocol, in front of everything else.

Rule 1: every protocol-level answer is HTTP 200 text, from the catalogue; nothing a client sent is echoed.
Rule 2: a request that did not come whole is not a request.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
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
    OutcomeUnknown,
    TooLarge,
    Unavailable,
    UnknownCommand,
    WrongCredentials,
)
from hopwire.model import Account, Caller, SendRequest
from hopwire.store import Accepted, Standing
from hopwire.web import php
from hopwire.web.addresses import client_address
from hopwire.web.exchange import NO_REPLY, Reply, Request
from hopwire.web.http_php_request import (
    UNREAD,
    Call,
    Dialect,
    Key,
    LoginPassword,
    client_key,
    message_id,
    read,
    recipient,
    send_request,
)
from hopwire.web.request_log import ELSEWHERE, RequestLog

log = logging.getLogger(__name__)

VIA = via.HEADER.encode()
NOWHERE = From()

Answer = dict[str, int | str]
Result = Accepted | ApiError | Standing | None  # of what is begun at once


class _Asked:
    """A request on its way to its reply."""

    __slots__ = ("call", "caller", "origin", "reply", "request")

    def __init__(self, request: Request, reply: Reply) -> None:
        self.request = request
        self.reply = reply
        self.call = UNREAD
        self.origin = NOWHERE
        self.caller: Caller | None = None  # who asks, as soon as that is known


class HttpPhp:
    def __init__(
        self,
        admission: Admission,
        credentials: Credentials,
        limits: Sms,
        proxies: tuple[str, ...] = (),
        installation: str = "",
        log: RequestLog | None = None,
    ) -> None:
        self._admission = admission
        self._log = log
        self._replies = metrics.Replies()
        self._installation = installation
        self._credentials = credentials
        self._limits = limits
        self._proxies = proxies
        self._at_once: dict[str, Callable[[Call, Caller], asyncio.Future[Any]]] = {
            "send": self._send,
            "receive": self._receive,
        }
        self._commands: dict[str, Callable[[Call, Caller], Awaitable[Answer]]] = {
            "delete": self._delete,
            "price": self._price,
            "balance": self._balance,
        }

    def __call__(self, request: Request, reply: Reply) -> asyncio.Future[Any] | None:
        """Answer a request, as `exchange.Handler` says."""
        asked = _Asked(request, reply)
        try:
            asked.call = call = self._read(request)
            address = client_address(request.peer, request.lines, self._proxies)
            asked.origin = origin = From(address, call.in_url)
            command = call.command or ""
            begin = self._at_once.get(command)
            caller = self._known(call, origin) if begin else None
            if begin is None or caller is None:
                return asyncio.ensure_future(self._take_time(asked))
            asked.caller = caller
            access.permit(caller, command)
            waiting = begin(call, caller)
        except Exception as exc:
            self._refuse(asked, exc)
            return None
        waiting.add_done_callback(partial(self._ended, asked, caller))
        return waiting

    def _read(self, request: Request) -> Call:
        """Raises `TooLarge` and `BadBody`, and what reading the parameters does."""
        headers, body = request.headers, request.body
        if body is None:
            raise TooLarge
        encoding = headers.get(b"content-encoding", b"identity").lower()
        if request.has_body and encoding not in (b"", b"identity"):
            raise BadBody
        call = read(
            request.query, headers.get(b"content-type", b""), body, headers.get(b"idempotency-key", b"")
        )
        hops = headers.get(VIA)
        return replace(call, via=hops.decode("latin-1")) if hops else call

    async def _take_time(self, asked: "_Asked") -> None:
        try:
            asked.caller = await self._caller(asked.call, asked.origin)
            answer = await self.answer(asked.call, asked.caller)
        except (Exception, asyncio.CancelledError) as exc:
            self._refuse(asked, exc)
        else:
            self._tell(asked, answer)

    async def answer(self, call: Call, caller: Caller) -> Answer:
        """Who asks is known first, whatever is asked; raises the ApiError that says why not."""
        if call.command is None:
            raise UnknownCommand
        access.permit(caller, call.command)
        if begin := self._at_once.get(call.command):
            return _answer(await begin(call, caller), caller.account)
        return await self._commands[call.command](call, caller)

    async def _caller(self, call: Call, origin: From) -> Caller:
        match call.credentials:
            case Key(key):
                return await self._credentials.by_key(key, origin)
            case LoginPassword(login, password):
                return await self._credentials.by_password(login, password, origin)
            case _:
                raise WrongCredentials

    def _known(self, call: Call, origin: From) -> Caller | None:
        """Who asks, by a key that is known; None: that takes time."""
        if not isinstance(call.credentials, Key):
            return None
        return self._credentials.remembered(call.credentials.key, origin)

    # ---- commands

    def _send(self, call: Call, caller: Caller) -> "asyncio.Future[Accepted | ApiError]":
        return self._admission.start(*self._asked(call, caller))

    def _receive(self, call: Call, caller: Caller) -> "asyncio.Future[Standing | None]":
        return self._admission.standing(caller.account, message_id(call))

    def _asked(self, call: Call, caller: Caller) -> tuple[Account, SendRequest, int, int, str]:
        """What a `send` asks of admission."""
        account, now = caller.account, now_ms()
        message = send_request(call, account, now, self._limits.max_parts, self._admission.parts)
        if call.via:
            message = replace(message, via=via.read(call.via, self._installation))
        return account, message, now, caller.key.id if caller.key else 0, client_key(call)

    async def _delete(self, call: Call, caller: Caller) -> Answer:
        account = caller.account
        standing = await self._admission.delete(account, message_id(call), now_ms())
        answer = _standing(standing, account)
        del answer["status_time"]
        return answer

    async def _price(self, call: Call, caller: Caller) -> Answer:
        account = caller.account
        number = recipient(call, account)
        price = self._admission.price(account, number.digits, number.country, now_ms())
        return {"price": money.text(price), "currency": account.currency}

    async def _balance(self, call: Call, caller: Caller) -> Answer:
        return {"balance": money.text(await self._admission.spendable(caller.account))}

    # ---- replies

    def _ended(self, asked: "_Asked", caller: Caller, waiting: "asyncio.Future[Result]") -> None:
        """Answer what was begun at once."""
        try:
            answer = _answer(waiting.result(), caller.account)
        except (Exception, asyncio.CancelledError) as exc:
            self._refuse(asked, exc)
        else:
            self._tell(asked, answer)

    def _tell(self, asked: "_Asked", answer: Answer) -> None:
        call = asked.call
        asked.reply(200, _HEADERS, written(call.dialect, answer))
        self._count(asked, call.command or "unknown", "ok", int(answer.get("id", 0)))

    def _refuse(self, asked: "_Asked", exc: BaseException) -> None:
        error, call = _as_error(exc), asked.call
        if isinstance(error, OutcomeUnknown):
            asked.reply(NO_REPLY, b"", b"")  # every sentence of ours says that nothing was done
        else:
            asked.reply(error.status, _HEADERS, refused(call.dialect, error))
        self._count(asked, "none" if call is UNREAD else call.command or "unknown", error.code)

    def _count(self, asked: "_Asked", command: str, outcome: str, message_id: int = 0) -> None:
        """A request has been answered."""
        took_s = time.perf_counter() - asked.request.began
        if self._replies.note(command, outcome, took_s):  # the first in this turn of the loop
            asyncio.get_running_loop().call_soon(self._replies.count)
        if self._log is None:
            return
        caller = asked.caller
        if caller is None:
            caller, outcome = self._elsewhere(asked), ELSEWHERE
        if caller is not None:
            key_id = caller.key.id if caller.key else 0
            who = caller.account.id, key_id, asked.request.method
            self._log.note((*who, command, outcome, asked.origin.address), took_s, message_id)

    def _elsewhere(self, asked: "_Asked") -> Caller | None:
        """Whose key was refused for its address alone: nobody else who is not let in is written down."""
        given = asked.call.credentials
        return self._credentials.elsewhere(given.key, asked.origin) if isinstance(given, Key) else None


def _answer(result: Result, account: Account) -> Answer:
    if isinstance(result, ApiError):
        raise result
    if isinstance(result, Accepted):
        return {"id": result.id, "sms_count": result.parts}
    return _standing(result, account)


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
    text = datetime.fromtimestamp(at // 1000, _zone(time_zone)).isoformat()
    return text[:19] + text[19:].replace(":", "")  # strftime takes twice as long


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


# ---- replies


def _as_error(exc: BaseException) -> ApiError:
    if isinstance(exc, ApiError):
        return exc
    if isinstance(exc, asyncio.CancelledError):
        return Unavailable()  # the server ends, and has waited long enough
    log.error("a request failed", exc_info=exc)  # a bug; the client may try again
    return Unavailable()


def written(dialect: Dialect, answer: Answer) -> bytes:
    if dialect == "encoded":
        return php.encode64(php.serialize({**answer, "errors": []}))
    return "".join([f"{name}:{value}\n" for name, value in answer.items()]).encode()


def refused(dialect: Dialect, error: ApiError) -> bytes:
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
