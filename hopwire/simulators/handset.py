"""What a phone makes of the short messages that reach it.

Rule: pure; whatever the octets are, something is shown and nothing raises.
The user data header is of 3GPP TS 23.040, 9.2.3.24; the TLVs are of SMPP 3.4, 5.3.2.
"""

from collections.abc import Iterator
from typing import NamedTuple

from hopwire import sms, wap
from hopwire.simulators.record import Shown
from hopwire.smpp.pdu import MESSAGE_PAYLOAD, SubmitSm

_HEADER = 0x40  # the bit of esm_class that says that a header comes first
_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER = 0x020C, 0x020E, 0x020F
_PUSH_PORT = 2948
_LINK_CODINGS = (0x04, 0xF5)


class Part(NamedTuple):
    """One part of a message, with what ties it to the others."""

    payload: bytes  # without the header
    reference: int | None = None
    number: int = 1
    total: int = 1
    port: int | None = None


def read_part(pdu: SubmitSm) -> Part:
    """Take a submit_sm and give what it carries; a header that makes no sense is text."""
    data = pdu.short_message or pdu.tlvs.get(MESSAGE_PAYLOAD, b"")
    if pdu.esm_class & _HEADER and data and len(data) > data[0]:
        return _with_header(dict(_elements(data[1 : 1 + data[0]])), data[1 + data[0] :])
    if _SAR_REFERENCE in pdu.tlvs:
        reference, total, number = (
            int.from_bytes(pdu.tlvs.get(tag, b"\1")) for tag in (_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER)
        )
        return _checked(Part(data, reference, number, total))
    return Part(data)


def _elements(header: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(header):
        end = at + 2 + header[at + 1]
        yield header[at], header[at + 2 : end]
        at = end


def _with_header(elements: dict[int, bytes], payload: bytes) -> Part:
    ports = elements.get(0x05, b"")
    port = int.from_bytes(ports[:2]) if len(ports) == 4 else None
    for element, size in ((0x00, 3), (0x08, 4)):  # an 8-bit and a 16-bit reference
        value = elements.get(element, b"")
        if len(value) == size:
            return _checked(Part(payload, int.from_bytes(value[:-2]), value[-1], value[-2], port))
    return Part(payload, port=port)


def _checked(part: Part) -> Part:
    return part if 1 <= part.number <= part.total <= 255 else Part(part.payload, port=part.port)


class Joiner:
    """Holds the parts of long messages until all are there; the oldest of many are dropped."""

    def __init__(self, limit: int = 10_000) -> None:
        self._open: dict[tuple[str, str, int | None, int], dict[int, tuple[bytes, str]]] = {}
        self._limit = limit

    def add(self, number: str, sender: str, part: Part, provider_id: str) -> tuple[bytes, list[str]] | None:
        """Take a part; give the whole payload and the ids of all parts in order, or None while one misses."""
        if part.total == 1:
            return part.payload, [provider_id]
        key = (number, sender, part.reference, part.total)
        parts = self._open.setdefault(key, {})
        parts[part.number] = (part.payload, provider_id)
        if len(parts) == part.total:
            del self._open[key]
            return b"".join(parts[n][0] for n in sorted(parts)), [parts[n][1] for n in sorted(parts)]
        if len(self._open) > self._limit:
            del self._open[next(iter(self._open))]
        return None


def show(data_coding: int, port: int | None, payload: bytes) -> Shown:
    """What stands on the screen: a link that was pushed, a flash message or a short message."""
    if port == _PUSH_PORT and data_coding in _LINK_CODINGS:
        try:
            url, text = wap.decode(payload)
            return Shown(kind="wap", url=url, text=text)
        except ValueError:
            return Shown(kind="wap", text="(a push that cannot be read)")
    text = sms.decode(data_coding, payload).encode("utf-8", "replace").decode()  # no lone surrogates
    return Shown(kind="flash" if _is_flash(data_coding) else "sms", text=text)


def _is_flash(data_coding: int) -> bool:
    """Message class 0 (3GPP TS 23.038, 4): with a class and class 0, in either coding group."""
    return data_coding & 0xD3 == 0x10 or data_coding & 0xF3 == 0xF0
