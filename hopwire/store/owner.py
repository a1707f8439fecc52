"""SQLite and several processes: one owns the file, the others ask it over a Unix socket.

They read the file themselves. What is asked for is what there is much of, and what may make something due, so
that it shares commits and wakes the worker; the rest they write for a moment, as the command line does.

Rule 1: an answer leaves only after what it tells of is on disk.
Rule 2: the socket is for the processes of one gateway: it lies in a folder that nobody else may enter.

On the wire, both ways, are frames: four bytes that tell the length, then MessagePack: (number, verb,
arguments) there, and (number, how it ended, answer) back, in any order.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from hopwire.errors import CATALOGUE, ApiError, OutcomeUnknown, Unavailable, Withdrawn
from hopwire.model import Receipt
from hopwire.store import Accepted, Order, Standing, Store
from hopwire.store.engine import Engine
from hopwire.store.requests import Asked

log = logging.getLogger(__name__)

HEAD = 4
ERRORS = {**CATALOGUE, Withdrawn.code: Withdrawn}


class OwnerError(Exception):
    """The owner has met a bug; its log tells which."""


class _End(IntEnum):
    DONE = 0
    UNAVAILABLE = 1
    FAILED = 2


class _Verb(NamedTuple):
    """A verb of `Store`: how its arguments and its answer are read."""

    arguments: msgspec.msgpack.Decoder[Any]
    answer: msgspec.msgpack.Decoder[Any]


def _verb(arguments: Any, answer: Any) -> _Verb:
    return _Verb(msgspec.msgpack.Decoder(arguments), msgspec.msgpack.Decoder(answer))


VERBS = {
    "admit": _verb(tuple[list[Order]], list[Accepted | str]),  # a refusal is told by its code
    "delete": _verb(tuple[int, list[int], int], dict[int, Standing]),
    "keep_receipts": _verb(tuple[list[Receipt], int], list[str | None]),
    "keep_requests": _verb(tuple[list[Asked]], None),
}
_asked = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw]).decode
_told = msgspec.msgpack.Decoder(tuple[int, _End, msgspec.Raw]).decode


def _code(value: object) -> str:
    if isinstance(value, ApiError):
        return value.code
    raise NotImplementedError(f"{type(value).__name__} has no form on this wire")


_encode = msgspec.msgpack.Encoder(enc_hook=_code).encode


class _Frames(asyncio.Protocol):
    """One end of a connection."""

    def __init__(self, take: Callable[["_Frames", bytes], None], lost: Callable[["_Frames"], None]) -> None:
        self._take = take
        self._lost = lost
        self._come = bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        self._come += data
        come, at = self._come, 0
        while len(come) >= (body := at + HEAD):
            end = body + int.from_bytes(come[at:body], "big")
            if len(come) < end:
                break
            self._take(self, bytes(come[body:end]))
            at = end
        del come[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)

    def send(self, told: object) -> None:
        frame = _encode(told)
        self.transport.writelines((len(frame).to_bytes(HEAD, "big"), frame))


# ---- the owner


class Owner:
    """Does what other processes ask of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way: set[asyncio.Task[None]] = set()
        self._callers: set[_Frames] = set()
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Listen on a Unix socket that is bound."""
        self._server = await asyncio.get_running_loop().create_unix_server(self._caller, sock=sock)

    async def stop(self) -> None:
        """Take nothing more, finish what is under way, and hang up."""
        if self._server is not None:
            self._server.close()
        for caller in self._callers:
            caller.transport.pause_reading()
        if self._under_way:
            await asyncio.wait(self._under_way)
        for caller in self._callers:
            caller.transport.close()

    def _caller(self) -> _Frames:
        caller = _Frames(self._take, self._callers.discard)
        self._callers.add(caller)
        return caller

    def _take(self, caller: _Frames, frame: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(caller, frame))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, caller: _Frames, frame: bytes) -> None:
        number, verb, arguments = _asked(frame)
        answer: object = None
        try:
            answer = await getattr(self._store, verb)(*VERBS[verb].arguments.decode(arguments))
            end = _End.DONE
        except Unavailable:
            end = _End.UNAVAILABLE
        except Exception:
            log.exception("what another process has asked for failed")
            end = _End.FAILED
        if not caller.transport.is_closing():
            caller.send((number, end, answer))


# ---- the others


class _Waiting(NamedTuple):
    owner: _Frames  # who was asked
    answer: "asyncio.Future[msgspec.Raw]"


class OwnedStore(Store):
    """The store of a process that does not own the file."""

    def __init__(self, engine: Engine, owner: Path) -> None:
        """`owner`: the path of the socket."""
        super().__init__(engine)
        self._path = str(owner)
        self._connecting = asyncio.Lock()
        self._owner: _Frames | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = 0

    async def admit(self, orders: Sequence[Order]) -> list[Accepted | ApiError]:
        told = await self._ask("admit", orders)
        return [ERRORS[one]() if isinstance(one, str) else one for one in told]

    async def delete(self, account_id: int, ids: Sequence[int], now: int) -> dict[int, Standing]:
        standings: dict[int, Standing] = await self._ask("delete", account_id, ids, now)
        return standings

    async def keep_receipts(self, receipts: Sequence[Receipt], now: int) -> list[str | None]:
        found: list[str | None] = await self._ask("keep_receipts", receipts, now)
        return found

    async def keep_requests(self, rows: Sequence[Asked]) -> None:
        await self._ask("keep_requests", rows)

    async def close(self) -> None:
        if self._owner is not None:
            self._owner.transport.close()
        await super().close()

    async def _ask(self, verb: str, *arguments: object) -> Any:
        """The owner's answer. Raises Unavailable, OwnerError, and OutcomeUnknown when the owner dies."""
        owner = await self._connected()
        self._numbers += 1
        number = self._numbers
        waiting = _Waiting(owner, asyncio.get_running_loop().create_future())
        self._waiting[number] = waiting
        owner.send((number, verb, arguments))
        return VERBS[verb].answer.decode(await waiting.answer)

    async def _connected(self) -> _Frames:
        """The connection; where the owner is being started again, what is asked over it waits for it."""
        async with self._connecting:
            if self._owner is None or self._owner.transport.is_closing():
                make = partial(_Frames, self._take, self._lost)
                try:
                    _, self._owner = await asyncio.get_running_loop().create_unix_connection(make, self._path)
                except OSError as exc:
                    raise Unavailable from exc
            return self._owner

    def _take(self, owner: _Frames, frame: bytes) -> None:
        number, end, answer = _told(frame)
        waiting = self._waiting.pop(number).answer
        if waiting.done():
            return  # nobody waits for it any more
        if end is _End.DONE:
            waiting.set_result(answer)
        else:
            waiting.set_exception(Unavailable() if end is _End.UNAVAILABLE else OwnerError())

    def _lost(self, owner: _Frames) -> None:
        lost = [number for number, waiting in self._waiting.items() if waiting.owner is owner]
        for number in lost:
            waiting = self._waiting.pop(number).answer
            if not waiting.done():
                waiting.set_exception(OutcomeUnknown())
