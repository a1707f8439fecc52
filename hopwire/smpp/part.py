"""What a short message carries beside its text: the header that ties parts together and names ports.

Rule: whatever the octets are, something is read and nothing raises; a header that makes no sense is text.
The user data header is of 3GPP TS 23.040, 9.2.3.24; the TLVs are of SMPP 3.4, 5.3.2.
"""

from collections.abc import Iterator
from typing import NamedTuple

from hopwire.smpp.pdu import (
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    DeliverSm,
    SubmitSm,
)

HEADER = 0x40  # the bit of esm_class that says that a header comes first


class Part(NamedTuple):
    """One part of a message, with what ties it to the others."""

    payload: bytes  # without the header
    reference: int | None = None
    number: int = 1
    total: int = 1
    port: int | None = None  # of the destination
    national: int = 0  # single-shift table that the text is written with


def read_part(pdu: SubmitSm | DeliverSm) -> Part:
    """Take a short message and give what it carries."""
    data = pdu.short_message or pdu.tlvs.get(MESSAGE_PAYLOAD, b"")
    part = Part(data)
    if pdu.esm_class & HEADER and data and len(data) > data[0]:
        part = _with_header(dict(_elements(data[1 : 1 + data[0]])), data[1 + data[0] :])
    if part.reference is None and SAR_MSG_REF_NUM in pdu.tlvs:
        reference, total, number = (
            int.from_bytes(pdu.tlvs.get(tag, b"\1"))
            for tag in (SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM)
        )
        part = _tied(part, reference, number, total)
    return part


def _elements(header: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(header):
        end = at + 2 + header[at + 1]
        yield header[at], header[at + 2 : end]
        at = end


def _with_header(elements: dict[int, bytes], payload: bytes) -> Part:
    ports, national = elements.get(0x05, b""), elements.get(0x24, b"\0")
    port = int.from_bytes(ports[:2]) if len(ports) == 4 else None
    part = Part(payload, port=port, national=national[0] if national else 0)
    for element, size in ((0x00, 3), (0x08, 4)):  # an 8-bit and a 16-bit reference
        value = elements.get(element, b"")
        if len(value) == size:
            return _tied(part, int.from_bytes(value[:-2]), value[-1], value[-2])
    return part


def _tied(part: Part, reference: int, number: int, total: int) -> Part:
    makes_sense = 1 <= number <= total <= 255
    return part._replace(reference=reference, number=number, total=total) if makes_sense else part
