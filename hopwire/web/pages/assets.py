"""The files that a page brings to the browser: each has its hash in its address, and may be kept for ever."""

import gzip
import hashlib
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
PATH = "/static/{hash}/{name:path}"


class Asset(NamedTuple):
    address: str
    kind: str
    body: bytes
    packed: bytes  # gzip


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Every file under `static`, by its path there."""
    return dict(_found(resources.files(__package__) / "static", ""))


def _found(folder: Traversable, above: str) -> "list[tuple[str, Asset]]":
    found: list[tuple[str, Asset]] = []
    for one in folder.iterdir():
        name = f"{above}{one.name}"
        if one.is_dir():
            found += _found(one, f"{name}/")
        elif kind := TYPES.get(name[name.rfind(".") :]):
            body = one.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:12]
            found.append((name, Asset(f"/static/{digest}/{name}", kind, body, gzip.compress(body, mtime=0))))
    return found


def address(name: str) -> str:
    """Where the browser finds a file; raises KeyError."""
    return assets()[name].address


async def serve(request: Request) -> Response:
    """A file. One of another version is not there: its page is old, too."""
    asset = assets().get(request.path_params["name"])
    if asset is None or asset.address != request.url.path:
        return PlainTextResponse("Not found\n", 404)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.kind, headers=headers)
    return Response(asset.body, media_type=asset.kind, headers=headers)
