"""A ceiling: the gateway's HTTP server, with its protocol and settings, answering every request the same."""

import asyncio
import socket
from typing import Any, cast

import msgspec

from bench.program import main
from hopwire.app import server
from hopwire.config import Config
from hopwire.web.app import App
from hopwire.web.wire import WHOLE_REPLY

HEADERS = b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n"
REPLY = b"id:1\nsms_count:1\n"
running: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly


class Job(msgspec.Struct):
    pass


class Ready(msgspec.Struct):
    port: int


async def app(scope: dict[str, Any], receive: object, send: object) -> None:
    scope["extensions"][WHOLE_REPLY](200, HEADERS, REPLY)


async def run(job: Job) -> Ready:
    """Serve on a free port until the process ends."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
    serving = server(cast(App, app), Config(), tls=False)
    running.add(asyncio.ensure_future(serving.serve(sockets=[sock])))
    while not serving.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    return Ready(sock.getsockname()[1])


if __name__ == "__main__":
    main("bench: constant", Job, run)
