"""Fetches pictures that clients link to, from where anybody might, and nowhere behind our own walls.

Rule 1: a host's addresses are looked up once, all of them must be public, and the connection goes to one of
them: a name that leads elsewhere a moment later leads nowhere.
Rule 2: nothing is followed, sent along or taken from the environment: no redirects, cookies, proxies, logins.
Rule 3: what was found out about a link counts for a while, and who asks meanwhile waits for the same answer:
a campaign fetches its picture once. The picture itself is not kept.
"""

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple, Self

import aiohttp
from yarl import URL

from hopwire import images
from hopwire.errors import ApiError, ImageTooLarge, ImageUnreachable

log = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, by its name and the port that is wanted; raises OSError."""
Wrong = type[ApiError]
"""What is wrong with a picture."""

PORTS = frozenset((80, 443, 8443))
TIME_S = 10.0
HEAD = 1_048_576  # bytes of a picture that are looked at
AT_A_TIME = 100  # connections
AT_A_HOST = 10  # of them; one slow host does not take them all
GOOD_S = 600.0  # how long a picture that was good is not fetched again
BAD_S = 60.0  # a bad one may be mended sooner
MOST_KNOWN = 10_000  # links

NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; Python calls some of it global
        "192.88.99.0/24",  # relays of 6to4
        "::/96",  # the rest hold an IPv4 address that may be a private one, or were sites' own
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
    )
)


class ForbiddenError(Exception):
    """The link leads where it must not; the text says why, for the log."""


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


class Guard(NamedTuple):
    """Where a link may lead."""

    resolve: Resolve = look_up
    allow: Sequence[Network] = ()  # where it may lead although that is not public
    ports: Collection[int] = PORTS

    async def addresses(self, url: URL) -> Sequence[str]:
        """The addresses of its host, all of them good. Raises ForbiddenError and OSError."""
        if url.scheme not in ("http", "https") or url.user is not None or url.password is not None:
            raise ForbiddenError("scheme or login")
        if not url.raw_host or url.port is None or url.port not in self.ports:
            raise ForbiddenError("port")
        found = await self.resolve(url.raw_host, url.port)
        if not (found and all(self._is_good(ipaddress.ip_address(one)) for one in found)):
            raise ForbiddenError("address")
        return found

    def _is_good(self, address: Address) -> bool:
        if any(address in network for network in self.allow):
            return True
        forbidden = any(address in network for network in NEVER)
        return address.is_global and not address.is_multicast and not forbidden and not _is_ours(address)


def _is_ours(address: Address) -> bool:
    """Whether it is an address of this machine: what is sent there would come from there. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            ours: str = probe.getsockname()[0]
    except OSError:  # there is no way to it, or no such family here
        return False
    return ours == str(address)


class Known(NamedTuple):
    """What a link gave."""

    wrong: Wrong | None
    until: float  # on the clock


class Pictures:
    """Pictures by their link; to be entered before it is asked."""

    def __init__(
        self,
        most_bytes: int,
        guard: Guard = Guard(),  # noqa: B008 - it is a value
        time_s: float = TIME_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_bytes = most_bytes
        self._guard = guard
        self._time_s = time_s
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._under_way: dict[tuple[str, int], asyncio.Task[bytes | Wrong]] = {}
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_A_TIME, limit_per_host=AT_A_HOST, force_close=True),
            timeout=aiohttp.ClientTimeout(sock_connect=self._time_s / 2),  # there may be another address
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "Hopwire"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._session.close()

    async def check(self, link: str) -> None:
        """Raises the ApiError that says what is wrong with the picture behind the link."""
        if not self._is_good(link):
            await self._shared(link, HEAD)

    async def fetch(self, link: str) -> bytes:
        """The picture itself, which is not kept here; raises what `check` raises."""
        self._is_good(link)
        return await self._shared(link, self._most_bytes)

    def _is_good(self, link: str) -> bool:
        """Whether it was a short while ago; raises what was wrong with it then."""
        known = self._known.get(link)
        if known is None or self._clock() >= known.until:
            return False
        if known.wrong is not None:
            raise known.wrong
        return True

    async def _shared(self, link: str, most: int) -> bytes:
        """The picture's first bytes, so many at most."""
        job = link, most
        task = self._under_way.get(job)
        if task is None:
            task = self._under_way[job] = asyncio.create_task(self._find_out(link, most))
            task.add_done_callback(lambda _: self._under_way.pop(job))
        found = await asyncio.shield(task)  # one who leaves does not take it from the others
        if not isinstance(found, bytes):
            raise found
        return found

    async def _find_out(self, link: str, most: int) -> bytes | Wrong:
        found = await self._look(link, most)
        wrong = None if isinstance(found, bytes) else found
        self._known.pop(link, None)
        self._known[link] = Known(wrong, self._clock() + (BAD_S if wrong else GOOD_S))
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return found

    async def _look(self, link: str, most: int) -> bytes | Wrong:
        try:
            async with asyncio.timeout(self._time_s):
                url = URL(link)
                return await self._fetch(url, await self._guard.addresses(url), most)
        except (ForbiddenError, aiohttp.ClientError, OSError, ValueError) as exc:  # OSError: too late, too
            cause = str(exc) if isinstance(exc, ForbiddenError) else type(exc).__name__
            log.info("a picture cannot be fetched cause=%s", cause)
            return ImageUnreachable

    async def _fetch(self, url: URL, addresses: Sequence[str], most: int) -> bytes | Wrong:
        *others, last = addresses
        for address in others:
            try:
                return await self._fetch_from(url, address, most)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                pass  # the next one may answer
        return await self._fetch_from(url, last, most)

    async def _fetch_from(self, url: URL, address: str, most: int) -> bytes | Wrong:
        """Connect to the address, and ask there for what is on the host."""
        async with self._session.get(
            url.with_host(address),
            headers={"Host": str(url.host_port_subcomponent)},
            server_hostname=url.raw_host if url.scheme == "https" else None,
            allow_redirects=False,
        ) as response:
            if response.status != 200:
                raise ForbiddenError(f"http {response.status}")
            return await self._read(str(url), response, most)

    async def _read(self, link: str, response: aiohttp.ClientResponse, most: int) -> bytes | Wrong:
        if (response.content_length or 0) > self._most_bytes:
            return ImageTooLarge
        head, size = bytearray(), 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._most_bytes:
                return ImageTooLarge
            head += chunk[: most - len(head)]
        return images.wrong(link, bytes(head[:HEAD])) or bytes(head)
