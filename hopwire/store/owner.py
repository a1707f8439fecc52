"""SQLite and several processes: one owns the file, the others ask it over a Unix socket.

They read the file themselves. What is asked for is what there is much of, and what may make something due, so
that it shares commits and wakes the worker; the rest they write for a moment, as the command line does.

Rule 1: an answer leaves only after what it tells of is on disk.
Rule 2: the socket is for the processes of one gateway: it lies in a folder that nobody else may enter.

In the frames (frames.py) is (number, verb, arguments) there, and (number, how it ended, answer) back, in any
order.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from enum import IntEnum
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hopwire.errors import CATALOGUE, ApiError, OutcomeUnknown, Unavailable, Withdrawn
from hopwire.frames import Frames
from hopwire.model import Receipt
from hopwire.store import Accepted, Order, Standing, Store
from hopwire.store.engine import Engine
from hopwire.store.requests import Asked

log = logging.getLogger(__name__)

ERRORS = {**CATALOGUE, Withdrawn.code: Withdrawn}


class OwnerError(Exception):
    """The owner has met a bug; its log tells which."""


class _End(IntEnum):
    DONE = 0
    UNAVAILABLE = 1
    FAILED = 2


class _Verb(NamedTuple):
    """A verb of `Store`: how its arguments and its answer are read."""

    arguments: Callable[[bytes | msgspec.Raw], Any]
    answer: Callable[[bytes | msgspec.Raw], Any]


def _verb(arguments: Any, answer: Any) -> _Verb:
    return _Verb(msgspec.msgpack.Decoder(arguments).decode, msgspec.msgpack.Decoder(answer).decode)


_accepted = msgspec.msgpack.Decoder(list[Accepted | str]).decode  # a refusal is told by its code


def _admitted(answer: bytes | msgspec.Raw) -> list[Accepted | ApiError]:
    return [ERRORS[one]() if isinstance(one, str) else one for one in _accepted(answer)]


VERBS = {
    "admit": _Verb(msgspec.msgpack.Decoder(tuple[list[Order]]).decode, _admitted),
    "answered": _verb(tuple[int, str, str, int], Accepted | None),
    "delete": _verb(tuple[int, list[int], int], dict[int, Standing]),
    "keep_receipts": _verb(tuple[list[Receipt], int], list[str | None]),
    "keep_requests": _verb(tuple[list[Asked]], None),
}
_frame = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw]).decode
_told = msgspec.msgpack.Decoder(tuple[int, _End, msgspec.Raw]).decode


def _code(value: object) -> str:
    if isinstance(value, ApiError):
        return value.code
    raise NotImplementedError(f"{type(value).__name__} has no form on this wire")


_encode = msgspec.msgpack.Encoder(enc_hook=_code).encode


# ---- the owner


class _Asked(NamedTuple):
    caller: Frames
    number: int
    arguments: msgspec.Raw


class Owner:
    """Does what other processes ask of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way: set[asyncio.Task[None]] = set()
        self._callers: set[Frames] = set()
        self._orders: list[_Asked] = []  # what is to be admitted together
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

    def _caller(self) -> Frames:
        caller = Frames(self._take, self._callers.discard)
        self._callers.add(caller)
        return caller

    def _take(self, caller: Frames, frame: bytes) -> None:
        number, verb, arguments = _frame(frame)
        if verb != "admit":
            self._begin(self._answer(caller, number, verb, arguments))
            return
        self._orders.append(_Asked(caller, number, arguments))
        if len(self._orders) == 1:
            self._begin(self._admit_all())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _admit_all(self) -> None:
        """Admit what has come in this turn of the loop: what is kept together costs less for each."""
        asked, self._orders = self._orders, []
        try:
            shares = [VERBS["admit"].arguments(one.arguments)[0] for one in asked]
            answers = iter(await self._store.admit(list(chain(*shares))))
        except Unavailable:
            for one in asked:
                one.caller.tell(_encode((one.number, _End.UNAVAILABLE, None)))
        except Exception:  # not the trouble of all: each meets its own
            for caller, number, arguments in asked:
                await self._answer(caller, number, "admit", arguments)
        else:
            for one, share in zip(asked, shares, strict=True):
                one.caller.tell(_encode((one.number, _End.DONE, list(islice(answers, len(share))))))

    async def _answer(self, caller: Frames, number: int, verb: str, arguments: msgspec.Raw) -> None:
        answer: object = None
        try:
            answer = await getattr(self._store, verb)(*VERBS[verb].arguments(arguments))
            end = _End.DONE
        except Unavailable:
            end = _End.UNAVAILABLE
        except Exception:
            log.exception("what another process has asked for failed")
            end = _End.FAILED
        caller.tell(_encode((number, end, answer)))


# ---- the others


class _Waiting(NamedTuple):
    owner: Frames  # who was asked
    verb: str
    answer: "asyncio.Future[Any]"


class OwnedStore(Store):
    """The store of a process that does not own the file."""

    GROUP = 24  # while these are being kept, the next ones are read and planned

    def __init__(self, engine: Engine, owner: Path) -> None:
        """`owner`: the path of the socket."""
        super().__init__(engine)
        self._path = str(owner)
        self._connecting = asyncio.Lock()
        self._owner: Frames | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = 0

    def admit(self, orders: Sequence[Order]) -> Awaitable[list[Accepted | ApiError]]:
        return self._ask("admit", orders)

    async def answered(
        self, account_id: int, client_key: str, fingerprint: str, now: int
    ) -> Accepted | ApiError | None:
        """What is found in the file may not be on disk yet; the owner answers when it is."""
        found = await super().answered(account_id, client_key, fingerprint, now)
        if isinstance(found, Accepted):
            found = await self._ask("answered", account_id, client_key, fingerprint, now)
        return found

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

    def _ask(self, verb: str, *arguments: object) -> Awaitable[Any]:
        """The owner's answer, asked for at once where there is a connection.

        Raises Unavailable, OwnerError, and OutcomeUnknown when the owner dies.
        """
        if self._owner is None or self._owner.transport.is_closing():
            return self._connect_and_ask(verb, *arguments)
        self._numbers += 1
        answer = asyncio.get_running_loop().create_future()
        try:
            self._owner.tell(_encode((self._numbers, verb, arguments)))
        except Exception as exc:  # a bug: something has no form on this wire
            answer.set_exception(exc)
        else:
            self._waiting[self._numbers] = _Waiting(self._owner, verb, answer)
        return answer

    async def _connect_and_ask(self, verb: str, *arguments: object) -> Any:
        """Where the owner is being started again, what is asked for waits for it."""
        async with self._connecting:
            if self._owner is None or self._owner.transport.is_closing():
                make = partial(Frames, self._take, self._lost)
                try:
                    _, self._owner = await asyncio.get_running_loop().create_unix_connection(make, self._path)
                except OSError as exc:
                    raise Unavailable from exc
        return await self._ask(verb, *arguments)

    def _take(self, owner: Frames, frame: bytes) -> None:
        number, end, answer = _told(frame)
        _, verb, waiting = self._waiting[number]
        told = VERBS[verb].answer(answer) if end is _End.DONE else None
        del self._waiting[number]  # now: who cannot be answered is told so when the connection breaks
        if waiting.done():
            return  # nobody waits for it any more
        if end is _End.DONE:
            waiting.set_result(told)
        else:
            waiting.set_exception(Unavailable() if end is _End.UNAVAILABLE else OwnerError())

    def _lost(self, owner: Frames) -> None:
        lost = [number for number, waiting in self._waiting.items() if waiting.owner is owner]
        for number in lost:
            waiting = self._waiting.pop(number).answer
            if not waiting.done():
                waiting.set_exception(OutcomeUnknown())
