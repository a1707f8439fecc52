"""The address that a request comes from, as the server and the proxies before it tell it."""

from typing import Any

from hopwire import addresses


def client_address(scope: Any, proxies: tuple[str, ...]) -> str:
    """Of an ASGI request: the peer's, or what the proxies that are ours have seen; "": nobody knows."""
    peer: str = scope["client"][0] if scope["client"] else ""
    if not proxies:
        return peer
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return addresses.client(peer, lines, proxies)
