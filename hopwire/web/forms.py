"""The parameters of a request: query string, urlencoded body, multipart body.

Rule 1: later wins over earlier, the body over the query; what is not well quoted is taken literally.
Rule 2: values stay bytes until somebody reads them as text.
"""

import re
from binascii import a2b_qp
from collections.abc import Mapping
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hopwire.errors import BadBody, BadUtf8, TooManyParameters

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

Pairs = dict[bytes, bytes]

MAX_PAIRS = 100

_PERCENT, _PLUS, _CR, _LF = b"%+\r\n"  # as numbers: `in` looks for a number five times faster than for bytes
_LITERAL = re.compile(rb"%(?![0-9A-Fa-f]{2})")  # a percent sign that quotes nothing


def parse_pairs(data: bytes) -> Pairs:
    """Read `name=value&…`, a query string or an urlencoded body; raises `TooManyParameters`."""
    chunks = [chunk for chunk in data.split(b"&") if chunk]
    if len(chunks) > MAX_PAIRS:
        raise TooManyParameters
    pairs = {}
    for chunk in chunks:
        name, _, value = chunk.partition(b"=")
        if _PERCENT in chunk or _PLUS in chunk:
            value = _unquoted(value)
            if _PERCENT in name or _PLUS in name:
                name = _unquoted(name)
        pairs[name] = value
    return pairs


def parse_body(content_type: bytes, body: bytes) -> Pairs:
    """Read a body: multipart/form-data when it says so, urlencoded whatever else it says.

    `content_type` is the header's value, empty when absent. Raises `BadBody` and `TooManyParameters`.
    """
    if body and content_type.lstrip().lower().startswith(b"multipart/form-data"):
        return _parse_multipart(content_type, body)
    return parse_pairs(body)


def merge(query: Pairs, body: Pairs) -> Pairs:
    """Both together, the body over the query; raises `TooManyParameters`."""
    pairs = query | body
    if len(pairs) > MAX_PAIRS:
        raise TooManyParameters
    return pairs


def text(pairs: Mapping[bytes, bytes], name: bytes) -> str | None:
    """One value as text; None when absent or empty. Raises `BadUtf8`."""
    try:
        return pairs.get(name, b"").decode() or None
    except UnicodeDecodeError:
        raise BadUtf8 from None


def _unquoted(data: bytes) -> bytes:
    """Quoted-printable is the same quoting with another sign, and its decoder is written in C.

    Where every sign quotes, all of them are gone from what comes out. Decoding again the few values where
    one does not costs less than looking at each sign before. A sign before a raw line end is gone, too.
    """
    data = data.replace(b"+", b" ")
    if _PERCENT not in data:
        return data
    marked = data.replace(b"=", b"%3D")
    found = a2b_qp(marked.replace(b"%", b"="))
    if len(found) == len(marked) - 2 * marked.count(_PERCENT) and not (_CR in marked or _LF in marked):
        return found
    return a2b_qp(_LITERAL.sub(b"%25", data).replace(b"=", b"%3D").replace(b"%", b"="))


def _parse_multipart(content_type: bytes, body: bytes) -> Pairs:
    _, options = parse_options_header(content_type)
    fields = _Fields()
    try:
        MultipartParser(options[b"boundary"], fields.callbacks()).write(body)
    except (FormParserError, KeyError):
        raise BadBody from None
    if not fields.complete:
        raise BadBody
    return dict(fields.found)


class _Fields:
    """Keeps the fields of a multipart body as the parser finds them; a file is a field like another."""

    def __init__(self) -> None:
        self.found: list[tuple[bytes, bytes]] = []
        self.complete = False  # the closing boundary was seen
        self._begin()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_part_data": self._data,
            "on_part_end": self._keep,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._header = b""
        self._name: bytes | None = None
        self._value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = data[start:end].lower()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        if self._header == b"content-disposition":
            _, options = parse_options_header(data[start:end])
            self._name = options.get(b"name")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _keep(self) -> None:
        if self._name is not None:
            self.found.append((self._name, self._value))
        if len(self.found) > MAX_PAIRS:
            raise TooManyParameters

    def _end(self) -> None:
        self.complete = True
