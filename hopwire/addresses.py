"""Whose address a request comes from, and whether it is in a network.

Rule 1: an address of IPv4 that a socket for both families writes as one of IPv6 is the one of IPv4.
Rule 2: what a stranger says of his address counts only from the first proxy of ours on.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](?::\d+)?|(?P<four>[\d.]+):\d+")


def read(text: str) -> Address | None:
    """An address as sockets and proxies write it, with a port or without; None: it is none."""
    match = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((match["six"] or match["four"] or "") if match else text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network(typed: str) -> str:
    """A network, or a single address, as it is kept; raises ValueError where it is none."""
    found = ip_network(typed)
    return str(found.network_address if found.num_addresses == 1 else found)


def within(text: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    address = read(text)
    return address is not None and any(address in network for network in _networks(networks))


def client(peer: str, forwarded: Sequence[str], proxies: tuple[str, ...]) -> str:
    """The address of who asks: the peer's, or behind proxies of ours the one that the first of them has seen.

    `forwarded` are the lines of X-Forwarded-For; "" comes out where a proxy has written no address.
    """
    if not (proxies and within(peer, proxies)):
        return peer
    address = peer
    for said in _backwards(forwarded):
        address = "" if read(said) is None else said
        if not within(address, proxies):
            break
    return address


def neighbourhood(text: str) -> str:
    """What one customer of a provider has: an address of IPv4, a /64 of IPv6."""
    address = read(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address or "")


@lru_cache(maxsize=1024)
def _networks(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(map(ip_network, networks))


def _backwards(lines: Sequence[str]) -> Iterator[str]:
    for line in reversed(lines):
        yield from (part.strip() for part in reversed(line.split(",")))
