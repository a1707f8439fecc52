"""Text -> the short messages that carry it, and back.

Rule 1: a text is written in the GSM 7-bit alphabet (3GPP TS 23.038) when it fits whole, else in UCS-2.
Rule 2: a long one is cut by an 8-bit reference (3GPP TS 23.040, 9.2.3.24.1), never inside a character.
Rule 3: what a client is charged for, `count`, is cut by the same rule as what is sent, `encode`.
"""

import codecs
import re
from functools import lru_cache
from typing import NamedTuple

from hopwire import wap
from hopwire.model import FlashSms, SmsContent, SmsText, WapPush

MAX_PARTS = 255  # the number of parts is one octet

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = dict(zip(b"\n\x14()/<=>@e", "\f^{}\\[~]|€", strict=True))  # by the octet after an escape
_ESCAPE = 0x1B


class Segment(NamedTuple):
    """One short message."""

    udh: bytes  # with its length octet; empty when the text is one part
    payload: bytes  # what follows the header: a septet per octet, UTF-16BE, or 8-bit data
    data_coding: int  # SMPP 3.4, 5.2.19
    esm_class: int  # 0x40 when there is a header


class _Coding(NamedTuple):
    data_coding: int
    whole: int  # octets that fit into one message
    parts: re.Pattern[bytes]  # one part of several
    ports: bytes = b""  # an element that every header has


class _Septets(dict[int, str]):
    """Gives up at the first foreign character."""

    def __missing__(self, character: int) -> str:
        raise UnicodeError


_SEPTETS = _Septets(
    {ord(c): chr(i) for i, c in enumerate(_BASIC) if i != _ESCAPE}
    | {ord(c): chr(_ESCAPE) + chr(i) for i, c in _EXTENSION.items()}
)

_GSM_PARTS = re.compile(rb".{1,153}(?<!\x1b)", re.DOTALL)  # not between escape and character
_UCS2_PARTS = re.compile(rb"(?:..){1,67}(?!(?<=[\xd8-\xdb].)[\xdc-\xdf])", re.DOTALL)  # nor surrogates
_PUSH_PARTS = re.compile(rb".{1,128}", re.DOTALL)

_GSM = _Coding(0x00, 160, _GSM_PARTS)
_UCS2 = _Coding(0x08, 140, _UCS2_PARTS)
_FLASH_GSM = _Coding(0xF0, 160, _GSM_PARTS)
_FLASH_UCS2 = _Coding(0x18, 140, _UCS2_PARTS)
_PUSH = _Coding(0x04, 133, _PUSH_PARTS, ports=bytes.fromhex("05 04 0b84 23f0"))  # to 2948 from 9200


def encode(content: SmsContent, reference: int = 0) -> tuple[Segment, ...]:
    """Give the short messages in order.

    `reference` ties the parts together: the next number for every message from a sender to a number; its low
    octet counts. ValueError for more than 255 parts.
    """
    data, coding = _encoded(content)
    parts = _cut(data, coding)
    if len(parts) > MAX_PARTS:
        raise ValueError(f"{len(parts)} parts are more than a header can count")
    udhs = [_udh(coding, reference, len(parts), number + 1) for number in range(len(parts))]
    esm_class = 0x40 if udhs[0] else 0
    return tuple(
        Segment(udh, part, coding.data_coding, esm_class) for udh, part in zip(udhs, parts, strict=True)
    )


@lru_cache(maxsize=1024)  # asked by the check, the plan and the reply; and campaigns repeat one text
def count(content: SmsContent) -> int:
    """Into how many short messages `encode` cuts it; also beyond what can be sent."""
    if not isinstance(content, WapPush) and len(content.text) <= 35:
        return 1  # in any alphabet
    return len(_cut(*_encoded(content)))


def decode(data_coding: int, payload: bytes) -> str:
    """Read the text of one short message without its header; nothing is refused, a bad octet is U+FFFD."""
    match data_coding:
        case 0x08 | 0x18 | 0x19:
            return payload[: len(payload) & ~1].decode("utf-16-be", "surrogatepass")
        case 0x01 | 0x02 | 0x03 | 0x04 | 0xF4 | 0xF5:
            return payload.decode("latin-1")
        case 0x06:
            return payload.decode("iso8859-5")
        case _:
            return _from_septets(payload)


def _encoded(content: SmsContent) -> tuple[bytes, _Coding]:
    match content:
        case SmsText():
            return _encoded_text(content.text, _GSM, _UCS2)
        case FlashSms():
            return _encoded_text(content.text, _FLASH_GSM, _FLASH_UCS2)
        case WapPush():
            return wap.encode(content.url, content.text), _PUSH


def _encoded_text(text: str, gsm: _Coding, ucs2: _Coding) -> tuple[bytes, _Coding]:
    try:
        return text.translate(_SEPTETS).encode("ascii"), gsm
    except UnicodeError:
        return text.encode("utf-16-be", "surrogatepass"), ucs2


def _cut(data: bytes, coding: _Coding) -> list[bytes]:
    return [data] if len(data) <= coding.whole else coding.parts.findall(data)


def _udh(coding: _Coding, reference: int, total: int, number: int) -> bytes:
    concatenation = bytes((0x00, 0x03, reference & 0xFF, total, number)) if total > 1 else b""
    elements = coding.ports + concatenation
    return bytes((len(elements),)) + elements if elements else b""


def _from_septets(data: bytes) -> str:
    head, *escaped = data.split(bytes((_ESCAPE,)))
    return _from_basic(head) + "".join(map(_from_escaped, escaped))


def _from_escaped(data: bytes) -> str:
    """What is not in the extension table is read from the basic one (3GPP TS 23.038, 6.2.1.1)."""
    if data and data[0] in _EXTENSION:
        return _EXTENSION[data[0]] + _from_basic(data[1:])
    return _from_basic(data)


def _from_basic(data: bytes) -> str:
    return codecs.charmap_decode(data, "replace", _BASIC)[0]
