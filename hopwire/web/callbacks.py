"""What providers send over HTTP: answered as soon as it is on disk, believed only where it matches.

Rule 1: the path `/callbacks/NAME/SECRET` is told to the provider once; a wrong secret is an unknown path.
Rule 2: what is forged, too large or garbage changes nothing, and is answered so.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from hopwire import addresses
from hopwire.channels.http import Callback, ForgedError, Said
from hopwire.model import Incoming, Receipt, Unsubscribed
from hopwire.web.addresses import client_address

MAX_CALLBACK = 1_048_576  # a provider may tell of many messages at once


class Source(NamedTuple):
    """A connector whose provider calls back."""

    secret: str
    networks: tuple[str, ...]  # where callbacks may come from; none: anywhere
    read: Callable[[str, Callback], Said]


class Keep(NamedTuple):
    """What keeps each kind; on disk when it returns. Raises Unavailable."""

    receipts: Callable[[Sequence[Receipt]], Awaitable[object]]
    incoming: Callable[[Sequence[Incoming]], Awaitable[object]]
    unsubscribed: Callable[[Sequence[Unsubscribed]], Awaitable[object]]


class Callbacks:
    """The sources by their connector's name."""

    def __init__(self, sources: Mapping[str, Source], keep: Keep, proxies: tuple[str, ...] = ()) -> None:
        self._sources = sources
        self._keep = keep
        self._proxies = proxies

    async def take(self, request: Request) -> PlainTextResponse:
        """Answer one callback: 200 when it is kept, so that the provider sends it again otherwise.

        Raises Unavailable when it could not be kept.
        """
        name = request.path_params["connector"]
        source = self._sources.get(name)
        if source is None or not self._is_welcome(source, request):
            return PlainTextResponse("Not found\n", 404)
        body = await _body(request)
        if body is None:
            return PlainTextResponse("Too large\n", 413, {"Connection": "close"})
        try:
            said = source.read(name, Callback(dict(request.headers), _query(request), body))
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 400)
        except ForgedError:
            return PlainTextResponse("The signature is wrong\n", 403)
        await self._keep_all(said)
        return PlainTextResponse("OK\n")

    def _is_welcome(self, source: Source, request: Request) -> bool:
        """Whether the secret is right and the address is one of the provider's."""
        said: str = request.path_params["secret"]
        if not hmac.compare_digest(source.secret.encode(), said.encode()):
            return False
        peer = request.client.host if request.client else ""
        address = client_address(peer, request.headers.raw, self._proxies)
        return not source.networks or addresses.within(address, source.networks)

    async def _keep_all(self, said: Said) -> None:
        if said.receipts:
            await self._keep.receipts(said.receipts)
        if said.incoming:
            await self._keep.incoming(said.incoming)
        if said.unsubscribed:
            await self._keep.unsubscribed(said.unsubscribed)


def _query(request: Request) -> str:
    query: bytes = request.scope["query_string"]
    return query.decode("latin-1")


async def _body(request: Request) -> bytes | None:
    """The whole body; None when it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_CALLBACK:
            return None
    return bytes(body)
