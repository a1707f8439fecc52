"""What providers send over HTTP: answered as soon as it is on disk, believed only where it matches.

The path `/callbacks/NAME/SECRET` is told to the provider once; a wrong secret is an unknown path.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from hopwire.model import Receipt

MAX_CALLBACK = 65_536

Parse = Callable[[str, bytes], list[Receipt]]
Keep = Callable[[Receipt], Awaitable[object]]


class Callbacks:
    """`connectors`: name -> (secret, reader of its callbacks)."""

    def __init__(self, connectors: Mapping[str, tuple[str, Parse]], keep: Keep) -> None:
        self._connectors = connectors
        self._keep = keep

    async def take(self, request: Request) -> PlainTextResponse:
        """Answer one callback: 200 when it is kept, so that the provider sends it again otherwise.

        Raises Unavailable when it could not be kept.
        """
        name = request.path_params["connector"]
        secret, parse = self._connectors.get(name, ("", None))
        if parse is None or not hmac.compare_digest(secret.encode(), request.path_params["secret"].encode()):
            return PlainTextResponse("Not found\n", 404)
        body = await _body(request)
        if body is None:
            return PlainTextResponse("Too large\n", 413, {"Connection": "close"})
        try:
            receipts = parse(name, body)
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 400)
        for receipt in receipts:
            await self._keep(receipt)
        return PlainTextResponse("OK\n")


async def _body(request: Request) -> bytes | None:
    """The whole body; None when it is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_CALLBACK:
            return None
    return body
