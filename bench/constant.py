"""A ceiling: the gateway's HTTP server, with its protocol and settings, answering every request the same."""

import asyncio
import socket
from typing import cast

import msgspec

from bench.program import main
from hopwire.app import server
from hopwire.config import Config
from hopwire.web.app import PATHS, App
from hopwire.web.exchange import Reply, Request

HEADERS = b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n"
REPLY = b"id:1\nsms_count:1\n"
running: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly


class Job(msgspec.Struct):
    pass


class Ready(msgspec.Struct):
    port: int


def constant(request: Request, reply: Reply) -> None:
    reply(200, HEADERS, REPLY)


class Constant:
    """In the place of the gateway's application."""

    handlers = dict.fromkeys(PATHS, constant)

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        raise NotImplementedError


async def run(job: Job) -> Ready:
    """Serve on a free port until the process ends."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
    serving = server(cast(App, Constant()), Config(), tls=False)
    running.add(asyncio.ensure_future(serving.serve(sockets=[sock])))
    while not serving.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    return Ready(sock.getsockname()[1])


if __name__ == "__main__":
    main("bench: constant", Job, run)
