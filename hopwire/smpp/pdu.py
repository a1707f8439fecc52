"""SMPP PDUs to bytes and back (SMPP 3.4, sections 3 to 5; of 5.0 only what a 3.4 peer may meet).

Rule 1: bytes from the peer never raise anything but `BadLength`; what cannot be read is a value, `Malformed`.
Rule 2: what is not known is kept: a command as `Other`, a TLV under its tag.

C-octet strings are Latin-1 text here; `short_message` and TLVs are octets.
"""

import struct
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import structs

HEADER = struct.Struct(">IIII")  # command_length with itself, command_id, command_status, sequence_number
MAX_LENGTH = 0x10000
MAX_SEQUENCE = 0x7FFFFFFF
RESPONSE = 0x80000000  # this bit of a command_id makes it a response
INTERFACE_VERSION = 0x34

# TLV tags (3.4 section 5.3.2; congestion_state is of 5.0)
DEST_ADDR_SUBUNIT = 0x0005
RECEIPTED_MESSAGE_ID = 0x001E
USER_MESSAGE_REFERENCE = 0x0204
SOURCE_PORT = 0x020A
DESTINATION_PORT = 0x020B
SAR_MSG_REF_NUM = 0x020C
SAR_TOTAL_SEGMENTS = 0x020E
SAR_SEGMENT_SEQNUM = 0x020F
SC_INTERFACE_VERSION = 0x0210
NETWORK_ERROR_CODE = 0x0423
MESSAGE_PAYLOAD = 0x0424
DELIVERY_FAILURE_REASON = 0x0425
MESSAGE_STATE = 0x0427
CONGESTION_STATE = 0x0428

# esm_class (3.4 section 5.2.12)
ESM_TYPE = 0x3C  # the bits that tell what a deliver_sm is
ESM_RECEIPT = 0x04
ESM_INTERMEDIATE = 0x20


class Pdu(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every PDU has. `sequence` 0: not given yet."""

    sequence: int = 0


class Response(Pdu, frozen=True, kw_only=True):
    status: int = 0  # command_status; 0 is ESME_ROK


class Bind(Pdu, frozen=True, kw_only=True):
    system_id: str
    password: str
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sequence={self.sequence}, system_id={self.system_id!r})"


class BindReceiver(Bind, frozen=True, kw_only=True):
    pass


class BindTransmitter(Bind, frozen=True, kw_only=True):
    pass


class BindTransceiver(Bind, frozen=True, kw_only=True):
    pass


class BindResp(Response, frozen=True, kw_only=True):
    command: type[Bind] = BindTransceiver  # which bind it answers
    system_id: str = ""
    sc_interface_version: int | None = None  # TLV; None: the peer did not say


class Outbind(Pdu, frozen=True, kw_only=True):
    """The SMSC has opened the connection and asks to be bound to (3.4 section 4.1.7)."""

    system_id: str = ""  # of the SMSC, as the password is
    password: str = ""

    def __repr__(self) -> str:
        return f"Outbind(sequence={self.sequence}, system_id={self.system_id!r})"


class Unbind(Pdu, frozen=True, kw_only=True):
    pass


class UnbindResp(Response, frozen=True, kw_only=True):
    pass


class EnquireLink(Pdu, frozen=True, kw_only=True):
    pass


class EnquireLinkResp(Response, frozen=True, kw_only=True):
    pass


class GenericNack(Response, frozen=True, kw_only=True):
    pass


class _Addressed(Pdu, frozen=True, kw_only=True):
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: dict[int, bytes] = {}


class DataSm(_Addressed, frozen=True, kw_only=True):
    """A short message or a receipt whose text is in the TLV MESSAGE_PAYLOAD (3.4 section 4.7)."""


class _Sm(_Addressed, frozen=True, kw_only=True):
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    replace_if_present: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""  # at most 254 octets


class SubmitSm(_Sm, frozen=True, kw_only=True):
    pass


class DeliverSm(_Sm, frozen=True, kw_only=True):
    pass


class _SmResp(Response, frozen=True, kw_only=True):
    message_id: str = ""
    tlvs: dict[int, bytes] = {}


class SubmitSmResp(_SmResp, frozen=True, kw_only=True):
    pass


class DeliverSmResp(_SmResp, frozen=True, kw_only=True):
    pass


class DataSmResp(_SmResp, frozen=True, kw_only=True):
    pass


class Other(Response, frozen=True, kw_only=True):
    """A command this codec does not know."""

    command_id: int
    body: bytes = b""


class Malformed(Response, frozen=True, kw_only=True):
    """A whole PDU of a known command whose body cannot be read."""

    command_id: int


class BadLength(Exception):  # noqa: N818 - an event of the connection
    """A command_length that no PDU can have: nothing after it can be read, the connection is lost.

    `sequence` is the number in that header, `before` the whole PDUs that came ahead of it.
    """

    def __init__(self, length: int, sequence: int, before: list[Pdu]) -> None:
        super().__init__(f"command_length {length}")
        self.sequence = sequence
        self.before = before


# ---- to bytes


def encode(pdu: Pdu, sequence: int | None = None) -> bytes:
    """The PDU as it goes on the wire, under the given sequence number or else its own.

    Raises ValueError when a field does not fit: a character outside Latin-1 or NUL in a C-octet string,
    a number over its octets, more than 255 octets of short_message, more than MAX_LENGTH octets in all.
    """
    command_id, write = _WRITERS[type(pdu)] if type(pdu) in _WRITERS else _writer(pdu)
    number = pdu.sequence if sequence is None else sequence
    try:
        body = write(pdu)
        header = HEADER.pack(16 + len(body), command_id, getattr(pdu, "status", 0), number)
    except (OverflowError, struct.error) as error:
        raise ValueError(str(error)) from error
    if len(body) > MAX_LENGTH - HEADER.size:
        raise ValueError(f"a body of {len(body)} octets")
    return header + body


def _writer(pdu: Pdu) -> tuple[int, Callable[[Any], bytes]]:
    """Command id and writer of a PDU whose class alone does not tell the id."""
    if isinstance(pdu, BindResp):
        return RESPONSE | _WRITERS[pdu.command][0], _write_bind_resp
    if isinstance(pdu, Other):
        return pdu.command_id, lambda other: bytes(other.body)
    raise TypeError(f"{type(pdu).__name__} cannot be encoded")


def _text(value: str) -> bytes:
    if "\0" in value:
        raise ValueError("NUL in a C-octet string")
    return value.encode("latin-1")


def _tlvs(tlvs: dict[int, bytes]) -> bytes:
    return b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in tlvs.items())


def _write_fields(pdu: Bind | Outbind | DataSm) -> bytes:
    """What is rare is written field by field: they stand in the order of the wire, after the sequence."""
    return b"".join(map(_write_field, structs.astuple(pdu)[1:]))


def _write_field(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(value) + b"\0"
    return bytes((value,)) if isinstance(value, int) else _tlvs(value)


def _write_bind_resp(pdu: BindResp) -> bytes:
    version = pdu.sc_interface_version
    if pdu.status and not pdu.system_id and version is None:
        return b""
    tlvs = {} if version is None else {SC_INTERFACE_VERSION: bytes([version])}
    return _text(pdu.system_id) + b"\0" + _tlvs(tlvs)


def _write_sm(pdu: _Sm) -> bytes:
    """All fields before the octets as one text: a number is the Latin-1 character with that code."""
    service_type, source_addr, destination_addr = pdu.service_type, pdu.source_addr, pdu.destination_addr
    schedule, validity = pdu.schedule_delivery_time, pdu.validity_period
    if "\0" in f"{service_type}{source_addr}{destination_addr}{schedule}{validity}":
        raise ValueError("NUL in a C-octet string")
    fields = "%s\0%c%c%s\0%c%c%s\0%c%c%c%s\0%s\0%c%c%c%c%c" % (  # noqa: UP031 - an f-string takes longer
        service_type,
        pdu.source_addr_ton,
        pdu.source_addr_npi,
        source_addr,
        pdu.dest_addr_ton,
        pdu.dest_addr_npi,
        destination_addr,
        pdu.esm_class,
        pdu.protocol_id,
        pdu.priority_flag,
        schedule,
        validity,
        pdu.registered_delivery,
        pdu.replace_if_present,
        pdu.data_coding,
        pdu.sm_default_msg_id,
        len(pdu.short_message),
    )
    body = fields.encode("latin-1") + pdu.short_message
    return body + _tlvs(pdu.tlvs) if pdu.tlvs else body


def _write_sm_resp(pdu: _SmResp) -> bytes:
    if pdu.tlvs:
        return _text(pdu.message_id) + b"\0" + _tlvs(pdu.tlvs)
    return b"" if pdu.status and not pdu.message_id else _text(pdu.message_id) + b"\0"


def _write_nothing(_: Pdu) -> bytes:
    return b""


_WRITERS: dict[type[Pdu], tuple[int, Callable[[Any], bytes]]] = {
    BindReceiver: (0x01, _write_fields),
    BindTransmitter: (0x02, _write_fields),
    SubmitSm: (0x04, _write_sm),
    SubmitSmResp: (0x04 | RESPONSE, _write_sm_resp),
    DeliverSm: (0x05, _write_sm),
    DeliverSmResp: (0x05 | RESPONSE, _write_sm_resp),
    Unbind: (0x06, _write_nothing),
    UnbindResp: (0x06 | RESPONSE, _write_nothing),
    BindTransceiver: (0x09, _write_fields),
    Outbind: (0x0B, _write_fields),
    EnquireLink: (0x15, _write_nothing),
    EnquireLinkResp: (0x15 | RESPONSE, _write_nothing),
    DataSm: (0x103, _write_fields),
    DataSmResp: (0x103 | RESPONSE, _write_sm_resp),
    GenericNack: (RESPONSE, _write_nothing),
}


# ---- from bytes


class Stream:
    """Cuts what a connection brings into PDUs, wherever it was split or joined."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = HEADER.size  # octets without which nothing more can be read

    @property
    def unread(self) -> bytes:
        """What has come of a PDU that is not whole."""
        return bytes(self._rest)

    def feed(self, data: bytes) -> list[Pdu]:
        """Take bytes; give the PDUs that are whole now. Raises BadLength: feed nothing after it."""
        self._rest += data
        if len(self._rest) < self._wanted:
            return []
        pdus: list[Pdu] = []
        whole, at = bytes(self._rest), 0
        self._wanted = HEADER.size
        while len(whole) - at >= HEADER.size:
            length, command_id, status, sequence = HEADER.unpack_from(whole, at)
            if not HEADER.size <= length <= MAX_LENGTH:
                raise BadLength(length, sequence, pdus)
            if len(whole) - at < length:
                self._wanted = length
                break
            pdus.append(decode(command_id, status, sequence, whole[at + HEADER.size : at + length]))
            at += length
        self._rest = bytearray(whole[at:])
        return pdus


def decode(command_id: int, status: int, sequence: int, body: bytes) -> Pdu:
    """One PDU from the fields of its header and its body: `Other` or `Malformed` where it cannot be more."""
    reader = _READERS.get(command_id)
    if reader is None:
        return Other(command_id=command_id, status=status, sequence=sequence, body=body)
    try:
        return reader(body, status, sequence)
    except (ValueError, IndexError):  # no NUL where a string must end; a number after the end
        return Malformed(command_id=command_id, status=status, sequence=sequence)


Reader = Callable[[bytes, int, int], Pdu]


def _read_text(body: bytes, at: int) -> tuple[str, int]:
    """A C-octet string, and where the next field begins."""
    end = body.index(0, at)
    return body[at:end].decode("latin-1"), end + 1


def _read_only_text(body: bytes) -> tuple[str, bytes]:
    """A C-octet string and what follows it; some peers leave it out or do not end it: then it is all."""
    text, _, rest = body.partition(b"\0")
    return text.decode("latin-1"), rest


def _read_tlvs(body: bytes, at: int = 0) -> dict[int, bytes]:
    """The TLVs from `at` on; one that is cut off ends them, for what stands before it still counts."""
    tlvs = {}
    while at + 4 <= len(body):
        tag, length = struct.unpack_from(">HH", body, at)
        if at + 4 + length > len(body):
            break
        tlvs[tag] = body[at + 4 : at + 4 + length]
        at += 4 + length
    return tlvs


def _reads_fields(kind: type[Pdu]) -> Reader:
    """The reader to `_write_fields`."""
    fields = [(field.name, field.type) for field in structs.fields(kind)[1:]]

    def read(body: bytes, status: int, sequence: int) -> Pdu:
        values: dict[str, Any] = {}
        at = 0
        for name, wanted in fields:
            if wanted is str:
                values[name], at = _read_text(body, at)
            elif wanted is int:
                values[name], at = body[at], at + 1
            else:
                values[name] = _read_tlvs(body, at)
        return kind(sequence=sequence, **values)

    return read


def _reads_bind_resp(command: type[Bind]) -> Reader:
    def read(body: bytes, status: int, sequence: int) -> Pdu:
        system_id, rest = _read_only_text(body)
        version = _read_tlvs(rest).get(SC_INTERFACE_VERSION)
        return BindResp(
            sequence=sequence,
            status=status,
            command=command,
            system_id=system_id,
            sc_interface_version=version[0] if version else None,
        )

    return read


def _reads_sm(kind: type[SubmitSm] | type[DeliverSm]) -> Reader:
    def read(body: bytes, status: int, sequence: int) -> Pdu:
        text = body.decode("latin-1")  # one character is one octet: positions are the same
        source = text.index("\0") + 1
        dest = text.index("\0", source + 2) + 1
        esm = text.index("\0", dest + 2) + 1
        validity = text.index("\0", esm + 3) + 1
        at = text.index("\0", validity) + 1
        end = at + 5 + body[at + 4]
        if end > len(body):
            raise ValueError("short_message is cut off")
        return kind(
            sequence=sequence,
            service_type=text[: source - 1],
            source_addr_ton=body[source],
            source_addr_npi=body[source + 1],
            source_addr=text[source + 2 : dest - 1],
            dest_addr_ton=body[dest],
            dest_addr_npi=body[dest + 1],
            destination_addr=text[dest + 2 : esm - 1],
            esm_class=body[esm],
            protocol_id=body[esm + 1],
            priority_flag=body[esm + 2],
            schedule_delivery_time=text[esm + 3 : validity - 1],
            validity_period=text[validity : at - 1],
            registered_delivery=body[at],
            replace_if_present=body[at + 1],
            data_coding=body[at + 2],
            sm_default_msg_id=body[at + 3],
            short_message=body[at + 5 : end],
            tlvs=_read_tlvs(body, end) if end < len(body) else {},
        )

    return read


def _reads_sm_resp(kind: type[_SmResp]) -> Reader:
    def read(body: bytes, status: int, sequence: int) -> Pdu:
        message_id, rest = _read_only_text(body)
        tlvs = _read_tlvs(rest) if rest else {}
        return kind(sequence=sequence, status=status, message_id=message_id, tlvs=tlvs)

    return read


def _reads_request(kind: type[Pdu]) -> Reader:
    return lambda body, status, sequence: kind(sequence=sequence)


def _reads_response(kind: type[Response]) -> Reader:
    return lambda body, status, sequence: kind(sequence=sequence, status=status)


_READERS: dict[int, Reader] = {
    0x01: _reads_fields(BindReceiver),
    0x02: _reads_fields(BindTransmitter),
    0x04: _reads_sm(SubmitSm),
    0x05: _reads_sm(DeliverSm),
    0x06: _reads_request(Unbind),
    0x09: _reads_fields(BindTransceiver),
    0x0B: _reads_fields(Outbind),
    0x15: _reads_request(EnquireLink),
    0x103: _reads_fields(DataSm),
    0x01 | RESPONSE: _reads_bind_resp(BindReceiver),
    0x02 | RESPONSE: _reads_bind_resp(BindTransmitter),
    0x04 | RESPONSE: _reads_sm_resp(SubmitSmResp),
    0x05 | RESPONSE: _reads_sm_resp(DeliverSmResp),
    0x06 | RESPONSE: _reads_response(UnbindResp),
    0x09 | RESPONSE: _reads_bind_resp(BindTransceiver),
    0x15 | RESPONSE: _reads_response(EnquireLinkResp),
    0x103 | RESPONSE: _reads_sm_resp(DataSmResp),
    RESPONSE: _reads_response(GenericNack),
}
