"""The address that a request comes from, as the server and the proxies before it tell it."""

from collections.abc import Iterable

from hopwire import addresses


def client_address(peer: str, lines: Iterable[tuple[bytes, bytes]], proxies: tuple[str, ...]) -> str:
    """Of a request with these header lines: the peer's, or what the proxies that are ours have seen.

    "": nobody knows.
    """
    if not proxies:
        return peer
    forwarded = [value.decode("latin-1") for name, value in lines if name == b"x-forwarded-for"]
    return addresses.client(peer, forwarded, proxies)
