"""A link and its text -> WAP Push Service Indication, and back.

The bytes are a WSP push header (OMA WAP-230-WSP) and a WBXML body (OMA WAP-192-WBXML) with the tokens of
Service Indication 1.0 (OMA WAP-167-ServiceInd). They go to port 2948 of the phone as an 8-bit message.

Rule: what is shown is the link and the text. Priority, dates and ids are not written, and skipped when read.
"""

import re
from collections.abc import Iterator
from itertools import takewhile

_PUSH = bytes.fromhex("dc 06 01 ae")  # transaction id, Push, one octet of headers: application/vnd.wap.sic
_SI = bytes.fromhex(
    "02 05 6a 00 45 c6"
)  # WBXML 1.2, SI 1.0, UTF-8, no strings; <si> <indication attributes, content>
_END = 0x01
_STRING = 0x03
_OPAQUE = 0xC3

_HREF = {"": 0x0B, "http://": 0x0C, "http://www.": 0x0D, "https://": 0x0E, "https://www.": 0x0F}
_DOMAIN = {".com/": 0x85, ".edu/": 0x86, ".net/": 0x87, ".org/": 0x88}
_START = {token: prefix for prefix, token in _HREF.items()}
_VALUE = {token: domain for domain, token in _DOMAIN.items()}


def encode(url: str, text: str) -> bytes:
    """Give the push: header and body, without the user data header that names the ports."""
    return b"".join((_PUSH, _SI, _href(url), bytes((_END,)), _string(text), bytes((_END, _END))))


def decode(data: bytes) -> tuple[str, str]:
    """Take a push as `encode` gives it and give back its link and text; ValueError for anything else."""
    if not data.startswith(_PUSH + _SI):
        raise ValueError("not a Service Indication")
    tokens = _tokens(data, len(_PUSH + _SI))
    url = _read_href(takewhile(_is_inside, tokens))
    return url, "".join(token for token in takewhile(_is_inside, tokens) if isinstance(token, str))


def _href(url: str) -> bytes:
    prefix = max((p for p in _HREF if url.startswith(p)), key=len)
    pieces = re.split(r"(\.(?:com|edu|net|org)/)", url.removeprefix(prefix))
    values = (bytes((_DOMAIN[p],)) if p in _DOMAIN else _string(p) for p in pieces if p)
    return bytes((_HREF[prefix],)) + b"".join(values)


def _string(text: str) -> bytes:
    """A NUL ends a string on the wire, so it cannot be part of one."""
    return b"%c%b\0" % (_STRING, text.replace("\0", "").encode("utf-8", "replace"))


def _is_inside(token: int | str) -> bool:
    return token != _END


def _read_href(attributes: Iterator[int | str]) -> str:
    url, inside = "", False
    for token in attributes:
        if isinstance(token, str):
            url += token if inside else ""
        elif token in _VALUE:
            url += _VALUE[token] if inside else ""
        else:  # another attribute begins
            inside = token in _START
            url += _START.get(token, "")
    return url


def _tokens(data: bytes, at: int) -> Iterator[int | str]:
    """Strings as str, opaque data as an empty str, everything else as its number."""
    while at < len(data):
        token, at = data[at], at + 1
        if token == _STRING:
            end = data.index(b"\0", at)
            yield data[at:end].decode("utf-8", "replace")
            at = end + 1
        elif token == _OPAQUE:
            at += 1 + data[at] if at < len(data) else 0
            yield ""
        else:
            yield token
