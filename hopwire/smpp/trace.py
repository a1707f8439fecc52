"""What goes over an SMPP connection, for people to read: a line of a PDU, and a capture that Wireshark opens.

Rule 1: a password is never shown. A text is shown where the caller asks for it, and masked in captures.
Rule 2: what cannot be read is masked whole but for its header, for nobody knows what it holds.
Rule 3: no bytes raise anything; `at` is a moment in seconds since 1970-01-01 UTC and comes from the caller.

The fields are of SMPP 3.4, section 4, the TLVs of its section 5.3.2.
"""

import ipaddress
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from hopwire.smpp import receipt, status
from hopwire.smpp.pdu import (
    ESM_INTERMEDIATE,
    ESM_RECEIPT,
    ESM_TYPE,
    HEADER,
    MAX_LENGTH,
    MESSAGE_PAYLOAD,
    RESPONSE,
)

DATA_SM, DELIVER_SM = 0x103, 0x05
ESM_HEADER = 0x40  # this bit of esm_class says that a user data header comes first

# A field is `name:kind`: z a C-octet string, t the same or all there is when nothing ends it, b an octet,
# s octets behind their number. No layout: nobody here reads the command, and its body may hold a text.
_BIND = "system_id:z password:z system_type:z interface_version:b addr_ton:b addr_npi:b address_range:z"
_ADDRESSES = "service_type:z source_ton:b source_npi:b source:z dest_ton:b dest_npi:b dest:z esm:b"
_SM = (
    f"{_ADDRESSES} protocol_id:b priority:b schedule:z validity:z registered:b replace:b dcs:b default:b"
    " short_message:s"
)
_COMMANDS: dict[int, tuple[str, str | None]] = {
    0x01: ("bind_receiver", _BIND),
    0x02: ("bind_transmitter", _BIND),
    0x03: ("query_sm", "message_id:z source_ton:b source_npi:b source:z"),
    0x04: ("submit_sm", _SM),
    DELIVER_SM: ("deliver_sm", _SM),
    0x06: ("unbind", ""),
    0x07: ("replace_sm", None),
    0x08: ("cancel_sm", None),
    0x09: ("bind_transceiver", _BIND),
    0x0B: ("outbind", "system_id:z password:z"),
    0x15: ("enquire_link", ""),
    0x21: ("submit_multi", None),
    0x102: ("alert_notification", None),
    DATA_SM: ("data_sm", f"{_ADDRESSES} registered:b dcs:b"),
    0x01 | RESPONSE: ("bind_receiver_resp", "system_id:t"),
    0x02 | RESPONSE: ("bind_transmitter_resp", "system_id:t"),
    0x03 | RESPONSE: ("query_sm_resp", None),
    0x04 | RESPONSE: ("submit_sm_resp", "message_id:t"),
    DELIVER_SM | RESPONSE: ("deliver_sm_resp", "message_id:t"),
    0x06 | RESPONSE: ("unbind_resp", ""),
    0x07 | RESPONSE: ("replace_sm_resp", ""),
    0x08 | RESPONSE: ("cancel_sm_resp", ""),
    0x09 | RESPONSE: ("bind_transceiver_resp", "system_id:t"),
    0x15 | RESPONSE: ("enquire_link_resp", ""),
    0x21 | RESPONSE: ("submit_multi_resp", None),
    DATA_SM | RESPONSE: ("data_sm_resp", "message_id:t"),
    RESPONSE: ("generic_nack", ""),
}

_TLVS = {
    0x0005: "dest_addr_subunit",
    0x0006: "dest_network_type",
    0x0007: "dest_bearer_type",
    0x0008: "dest_telematics_id",
    0x000D: "source_addr_subunit",
    0x000E: "source_network_type",
    0x000F: "source_bearer_type",
    0x0010: "source_telematics_id",
    0x0017: "qos_time_to_live",
    0x0019: "payload_type",
    0x001D: "additional_status_info_text",
    0x001E: "receipted_message_id",
    0x0030: "ms_msg_wait_facilities",
    0x0201: "privacy_indicator",
    0x0202: "source_subaddress",
    0x0203: "dest_subaddress",
    0x0204: "user_message_reference",
    0x0205: "user_response_code",
    0x020A: "source_port",
    0x020B: "destination_port",
    0x020C: "sar_msg_ref_num",
    0x020D: "language_indicator",
    0x020E: "sar_total_segments",
    0x020F: "sar_segment_seqnum",
    0x0210: "sc_interface_version",
    0x0302: "callback_num_pres_ind",
    0x0303: "callback_num_atag",
    0x0304: "number_of_messages",
    0x0381: "callback_num",
    0x0420: "dpf_result",
    0x0421: "set_dpf",
    0x0422: "ms_availability_status",
    0x0423: "network_error_code",
    MESSAGE_PAYLOAD: "message_payload",
    0x0425: "delivery_failure_reason",
    0x0426: "more_messages_to_send",
    0x0427: "message_state",
    0x0428: "congestion_state",
    0x0501: "ussd_service_op",
    0x060B: "broadcast_channel_indicator",
    0x1201: "display_time",
    0x1203: "sms_signal",
    0x1204: "ms_validity",
    0x130C: "alert_on_message_delivery",
    0x1380: "its_reply_type",
    0x1383: "its_session_info",
}


# ---- where things stand


class _Parts(NamedTuple):
    """Where in the octets of a PDU its parts stand; a string without its end, octets without their number."""

    fields: dict[str, slice]
    tlvs: list[tuple[int, slice]]  # tag and value
    rest: slice  # the value of a TLV that is cut off


def _read(data: bytes) -> _Parts | None:
    """None: the command is not known here, or its body is not what it should be."""
    layout = _layout(data)
    if layout is None:
        return None
    try:
        fields, at = _read_fields(data, layout)
    except (ValueError, IndexError):  # no NUL where a string must end; a number after the end
        return None
    tlvs, rest = _read_tlvs(data, at)
    return _Parts(fields, tlvs, slice(rest, len(data))) if at <= len(data) else None


def _command_id(data: bytes) -> int:
    return int.from_bytes(data[4:8])


def _layout(data: bytes) -> str | None:
    return _COMMANDS.get(_command_id(data), ("", None))[1]


def _read_fields(data: bytes, layout: str) -> tuple[dict[str, slice], int]:
    fields, at = {}, HEADER.size
    for field in layout.split():
        name, _, kind = field.partition(":")
        fields[name], at = _read_field(data, at, kind)
    return fields, at


def _read_field(data: bytes, at: int, kind: str) -> tuple[slice, int]:
    """Where the field stands, and where the next one begins."""
    match kind:
        case "b":
            return slice(at, at + 1), at + 1
        case "s":
            end = at + 1 + data[at]
            return slice(at + 1, end), end
        case "t" if 0 not in data[at:]:
            return slice(at, len(data)), len(data)
        case _:
            end = data.index(0, at)
            return slice(at, end), end + 1


def _read_tlvs(data: bytes, at: int) -> tuple[list[tuple[int, slice]], int]:
    """The TLVs from `at` on, and where the value of one that is cut off begins."""
    tlvs = []
    while at + 4 <= len(data):
        tag, length = struct.unpack_from(">HH", data, at)
        if at + 4 + length > len(data):
            break
        tlvs.append((tag, slice(at + 4, at + 4 + length)))
        at += 4 + length
    return tlvs, min(at + 4, len(data))


class _Text(NamedTuple):
    """What a short_message or message_payload holds; the octets of all three make up its own."""

    udh: bytes
    head: bytes  # of a receipt, everything up to the text of the message it is about
    text: bytes
    wide: bool  # two octets are a character


def _text_of(data: bytes, parts: _Parts, where: slice) -> _Text:
    esm, dcs = (data[parts.fields[name]][0] for name in ("esm", "dcs"))
    octets = data[where]
    udh = octets[: _udh_length(octets)] if esm & ESM_HEADER else b""
    payload, wide, head = octets[len(udh) :], dcs & 0xCC in {0x08, 0x48}, 0
    if _command_id(data) in {DELIVER_SM, DATA_SM}:
        head = _head_length(payload, wide, esm & ESM_TYPE)
        if wide and not head:  # some send ASCII and call it UCS-2
            head = _head_length(payload, False, esm & ESM_TYPE)
            wide = not head
    return _Text(udh, payload[:head], payload[head:], wide)


def _udh_length(octets: bytes) -> int:
    """Of the user data header with its length octet (3GPP TS 23.040, 9.2.3.24); 0 when it makes no sense."""
    end, at = 1 + octets[0] if octets else 0, 1
    while at + 1 < min(end, len(octets)):
        at += 2 + octets[at + 1]
    return end if 1 < end == at <= len(octets) else 0


def _head_length(payload: bytes, wide: bool, kind: int) -> int:
    """`kind`: the bits of esm_class that tell what a deliver_sm is."""
    encoding = "utf-16-be" if wide else "latin-1"
    text = payload.decode(encoding, "replace")
    told = (kind == ESM_RECEIPT or kind & ESM_INTERMEDIATE) and re.search(
        r"\b(id|stat):", text, re.IGNORECASE
    )
    if not told and (kind or not receipt.UNMARKED.match(text)):
        return 0
    found = re.search(r"\btext:", text, re.IGNORECASE)
    return len(text[: found.end()].encode(encoding)) if found else len(payload)


def _texts(data: bytes, parts: _Parts) -> Iterator[tuple[slice, _Text]]:
    """The texts of a PDU, with where they stand."""
    if "esm" not in parts.fields:
        return
    places = [where for tag, where in parts.tlvs if tag == MESSAGE_PAYLOAD]
    for where in (parts.fields.get("short_message", slice(0)), *places):
        if data[where]:
            yield where, _text_of(data, parts, where)


# ---- masking


def masked(data: bytes, texts: bool = False) -> bytes:
    """A whole PDU, in as many octets, with `*` for a password and `x` for what a message says.

    Its user data header stays, and of a receipt everything up to `text:`. `texts`: show what it says, too.
    """
    parts = _read(data)
    if parts is None:
        return data if texts and _layout(data) is None else _hidden(data)
    shown = bytearray(data)
    if not texts:
        for where, text in _texts(data, parts):
            shown[where] = text.udh + text.head + _cover(text)
        shown[parts.rest] = b"x" * len(data[parts.rest])
    if password := parts.fields.get("password"):
        shown[password] = b"*" * len(data[password])
    return bytes(shown)


def _hidden(data: bytes) -> bytes:
    return data[: HEADER.size] + b"x" * len(data[HEADER.size :])


def _cover(text: _Text) -> bytes:
    size = len(text.text)
    return (b"\0x" * (size // 2 + 1))[:size] if text.wide else b"x" * size


# ---- a line


def line(data: bytes, outgoing: bool, at: float, connector: str, texts: bool) -> str:
    """One PDU for a reader. What the SMSC wrote is escaped, so that it stays one line.

    The octets of a text are shown as UTF-16 or as Latin-1, which of the GSM alphabet is mostly right.
    """
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    words = [f"{moment}Z", "->" if outgoing else "<-", connector, *_words(data, texts)]
    return " ".join(words)


def _words(data: bytes, texts: bool) -> Iterator[str]:
    if len(data) < HEADER.size:
        yield f"no PDU, length={len(data)}"
        return
    _, command_id, command_status, sequence = HEADER.unpack_from(data)
    name, layout = _COMMANDS.get(command_id, (f"0x{command_id:08x}", None))
    yield f"{name} sequence={sequence}"
    if command_id & RESPONSE or command_status:
        yield status.name(command_status)
    parts = _read(data)
    if parts:
        yield from _field_words(data, parts)
        yield from (_tlv_word(tag, data[where]) for tag, where in parts.tlvs)
        yield from (word for _, text in _texts(data, parts) for word in _text_words(text, texts))
    elif layout is not None:
        yield "malformed"
    yield f"length={len(data)}"


def _field_words(data: bytes, parts: _Parts) -> Iterator[str]:
    """The fields that say something; an address follows its type of number and numbering plan."""
    values = {name: data[where] for name, where in parts.fields.items()}
    for name, value in values.items():
        if name in {"source", "dest"}:
            yield f"{name}={values[name + '_ton'][0]}/{values[name + '_npi'][0]}:{_shown(value)}"
        elif name in {"esm", "dcs"}:
            yield f"{name}=0x{value[0]:02x}"
        elif name == "registered":
            yield f"registered={value[0]}"
        elif value.strip(b"\0") and name in {
            "system_id",
            "system_type",
            "message_id",
            "validity",
            "schedule",
        }:
            yield f"{name}={_shown(value)}"


def _tlv_word(tag: int, value: bytes) -> str:
    name = _TLVS.get(tag, f"0x{tag:04x}")
    return f"{name}=({len(value)} octets)" if tag == MESSAGE_PAYLOAD else f"{name}={value.hex()}"


def _text_words(text: _Text, texts: bool) -> Iterator[str]:
    if text.udh:
        yield f"udh={text.udh.hex()}"
    if text.head:
        yield f"receipt={_said(text.head, text.wide)!r}"
    if texts:
        yield f"text={_said(text.text, text.wide)!r}"


def _said(octets: bytes, wide: bool) -> str:
    return octets.decode("utf-16-be" if wide else "latin-1", "replace")


def _shown(value: bytes) -> str:
    """As it is where that is one word, else quoted and escaped."""
    text = value.decode("latin-1")
    return text if re.fullmatch(r"[!-&(-~]*", text) else repr(text)


# ---- a stream


class Cut:
    """Cuts what one end of a connection has sent into the octets of whole PDUs.

    After a length that no PDU can have nothing more can be read: that header is the last that it gives.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take octets; give the PDUs that are whole now."""
        if not self._lost:
            self._rest += data
        whole, at = [], 0
        while len(self._rest) - at >= HEADER.size and not self._lost:
            length = int.from_bytes(self._rest[at : at + 4])
            self._lost = not HEADER.size <= length <= MAX_LENGTH
            end = at + (HEADER.size if self._lost else length)
            if end > len(self._rest):
                break
            whole.append(bytes(self._rest[at:end]))
            at = end
        del self._rest[:at]
        return whole


# ---- a capture

Address = tuple[str, int]
"""An IPv4 or IPv6 address and a port."""

_LINKTYPE_RAW = 101  # packets begin with their IP header
_MOST = 65_475  # octets of a segment: with the headers of IPv6 and TCP, what the length of a packet can say
_TCP = 6
_PUSH_ACK = 0x18
_WORD = 0xFFFFFFFF


class Pcap:
    """Writes PDUs as packets of TCP connections, in libpcap's classic format.

    https://ietf-opsawg-wg.github.io/draft-ietf-opsawg-pcap/draft-ietf-opsawg-pcap.html
    """

    def __init__(self) -> None:
        self._sent: dict[tuple[Address, Address], int] = {}  # octets from the first to the second, plus one

    def header(self) -> bytes:
        """What a capture begins with."""
        return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, _LINKTYPE_RAW)

    def packet(self, data: bytes, outgoing: bool, at: float, near: Address, far: Address) -> bytes:
        """The record of one PDU on the connection between the two; several when one packet cannot hold it."""
        source, dest = (near, far) if outgoing else (far, near)
        pieces = [data[start : start + _MOST] for start in range(0, len(data), _MOST)]
        return b"".join(self._record(piece, at, source, dest) for piece in pieces)

    def _record(self, data: bytes, at: float, source: Address, dest: Address) -> bytes:
        sent, received = self._sent.get((source, dest), 1), self._sent.get((dest, source), 1)
        self._sent[source, dest] = sent + len(data) & _WORD
        packet = _packet(data, source, dest, sent, received)
        seconds, microseconds = divmod(round(at * 1_000_000), 1_000_000)
        return struct.pack("<IIII", seconds, microseconds, len(packet), len(packet)) + packet


def _packet(data: bytes, source: Address, dest: Address, sent: int, received: int) -> bytes:
    """An IP packet with one TCP segment (RFC 791, RFC 8200, RFC 9293)."""
    ends = b"".join(ipaddress.ip_address(host).packed for host, _ in (source, dest))
    tcp = struct.pack(">HHIIBBHHH", source[1], dest[1], sent, received, 5 << 4, _PUSH_ACK, 0xFFFF, 0, 0)
    segment = tcp + data
    checksum = _checksum(ends + struct.pack(">II", _TCP, len(segment)) + segment)
    return _ip_header(ends, len(segment)) + segment[:16] + checksum + segment[18:]


def _ip_header(ends: bytes, size: int) -> bytes:
    if len(ends) == 32:
        return struct.pack(">IHBB", 6 << 28, size, _TCP, 64) + ends
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + size, 0, 0x4000, 64, _TCP)  # not to be cut on the way
    return start + _checksum(start + ends) + ends


def _checksum(data: bytes) -> bytes:
    """RFC 1071: the sum of 16-bit words in ones' complement is the number they make, modulo 0xFFFF."""
    if len(data) % 2:
        data += b"\0"
    return (0xFFFF - int.from_bytes(data) % 0xFFFF).to_bytes(2)
