"""Routes, and errors to responses.

`/api/http.php` has a handler that the wire calls itself; the rest is Starlette.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from hopwire import __version__, metrics
from hopwire.admission import now_ms
from hopwire.errors import Unavailable
from hopwire.store import Store
from hopwire.web.callbacks import Callbacks
from hopwire.web.exchange import Handler
from hopwire.web.pages import PAGES, Parts, routes, trouble

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PATHS = (b"/api/http.php", b"/http.php")


class App:
    """The ASGI application of a web process."""

    def __init__(
        self,
        http_php: Handler,
        callbacks: Callbacks,
        store: Store,
        parts: Parts | None = None,
        *,
        metrics_token: str,
        demo_token: str,
    ) -> None:
        """`parts` are what the pages work with; None: there are no pages."""
        self.handlers = dict.fromkeys(PATHS, http_php)  # by path, for the wire
        self._rest = Starlette(
            routes=[
                *(routes(parts, PAGES) if parts else [Route("/", _root)]),
                Route("/healthz", _healthz),
                Route("/readyz", _readyz(store)),
                Route("/version", _version),
                Route("/metrics", _metrics(store, metrics_token)),
                Route("/callbacks/{connector}/{secret}", callbacks.take, methods=["GET", "POST"]),
                *([Route("/demo/statuses", _demo_statuses(store, demo_token))] if demo_token else []),
            ],
            exception_handlers={
                404: _not_found(parts),
                405: _not_allowed,
                Unavailable: _unavailable,
                ClientDisconnect: _gone,
                500: _failed,
            },
        )
        self._rest.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._rest(scope, receive, send)  # type: ignore[arg-type]


Endpoint = Callable[[Request], Awaitable[Response]]


async def _root(request: Request) -> Response:
    return PlainTextResponse(f"Hopwire {__version__}. The API is at /api/http.php.\n")


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("OK\n")


async def _version(request: Request) -> Response:
    return JSONResponse({"version": __version__})


def _readyz(store: Store) -> Endpoint:
    async def readyz(request: Request) -> Response:
        try:
            await store.probe()
        except Unavailable:
            return JSONResponse({"status": "fail", "checks": {"store": "unavailable"}}, 503)
        return JSONResponse({"status": "pass", "checks": {"store": "ok"}})

    return readyz


def _metrics(store: Store, token: str) -> Endpoint:
    async def exposition(request: Request) -> Response:
        if not _may_read_metrics(request, token):
            return PlainTextResponse("Not found\n", 404)
        try:
            count, oldest_ms = await store.backlog(now_ms())
            metrics.BACKLOG.set(count)
            metrics.BACKLOG_SECONDS.set(oldest_ms / 1000)
        except Unavailable:
            pass  # the counters are worth reading without it
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return exposition


def _may_read_metrics(request: Request, token: str) -> bool:
    """Those who have the token; where there is none, this machine itself, not those it is a proxy for."""
    if token:
        return _bears(request.headers, token)
    if request.client is None or {"forwarded", "x-forwarded-for"}.intersection(request.headers):
        return False
    asked = request.url.hostname or ""
    return _is_loopback(request.client.host) and (asked == "localhost" or _is_loopback(asked))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bears(headers: Mapping[str, str], token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _demo_statuses(store: Store, token: str) -> Endpoint:
    async def statuses(request: Request) -> Response:
        if not _bears(request.headers, token):
            return PlainTextResponse("Not found\n", 404)
        rows: list[dict[str, Any]] = [
            {
                "id": one.id,
                "status": int(one.status),
                "text": one.status.text,
                "provider_ids": one.provider_ids,
                "recipient": one.recipient,
                "viber_sender": one.viber_sender,
                "steps": [step._asdict() for step in one.steps],
            }
            for one in await store.latest(500)
        ]
        return JSONResponse(rows)

    return statuses


def _not_found(parts: Parts | None) -> Callable[[Request, Exception], Awaitable[Response]]:
    """A browser is shown a page."""
    show = trouble(parts) if parts else None

    async def not_found(request: Request, exc: Exception) -> Response:
        if show and "text/html" in request.headers.get("accept", ""):
            return await show(request)
        return PlainTextResponse("Not found\n", 404)

    return not_found


async def _not_allowed(request: Request, exc: Exception) -> Response:
    return PlainTextResponse("Method not allowed\n", 405)


async def _unavailable(request: Request, exc: Exception) -> Response:
    return PlainTextResponse(f"{Unavailable.text}\n", 503)


async def _gone(request: Request, exc: Exception) -> Response:
    return PlainTextResponse("The request did not come whole\n", 400)  # nobody is there to read it


async def _failed(request: Request, exc: Exception) -> Response:
    return PlainTextResponse("Internal error\n", 500)
