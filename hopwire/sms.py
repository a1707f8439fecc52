"""Text -> the short messages that carry it, and back.

Rule 1: a text is written in what its connector reads by default when it fits whole, else in UCS-2.
Rule 2: whatever the connector reads, the network carries GSM septets (3GPP TS 23.038) or UCS-2: those are
counted and cut, never inside a character.
Rule 3: what a client is charged for, `count`, is cut by the same code as what is sent, `encode`.
"""

import codecs
import re
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

from hopwire import wap
from hopwire.model import FlashSms, SmsContent, SmsText, WapPush, Writing
from hopwire.translit import to_gsm

MAX_PARTS = 255  # the number of parts is one octet

_DEFAULT = Writing()
_SURE = 33  # so many characters fit into each of several parts, whatever they are: also as surrogates
_SHORT = 35  # so many characters are one message in any alphabet, also as four letters each


class Segment(NamedTuple):
    """One hand-over: a short message, or a long text that the SMSC cuts itself."""

    udh: bytes  # with its length octet; empty where nothing needs one
    payload: bytes  # what follows the header: a septet per octet, text in a charset, UTF-16BE, or 8-bit data
    data_coding: int  # SMPP 3.4, 5.2.19
    esm_class: int  # 0x40 when there is a header
    sar: tuple[int, int, int] | None = None  # reference, parts, number of this one, for the TLVs sar_*
    in_payload: bool = False  # belongs into the TLV message_payload


class Explained(NamedTuple):
    """How a content is sent. A unit is a septet, 16 bits of UCS-2, or an octet of a push."""

    encoding: str  # in words
    units: int  # in all parts, without their headers
    whole: int  # units that one message holds
    part: int  # units that each of several holds
    left: int  # units that are free in the last part
    parts: tuple[str, ...]  # the text of each; of a push in hex
    forced: tuple[str, ...]  # the characters that forced UCS-2, once each, in the order of the text
    text: str  # all of it as it is sent, transliterated or not


# ---- alphabets

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B


def _extended(octets: bytes, characters: str) -> dict[int, str]:
    """What the octets mean after an escape."""
    return dict(zip(octets, characters, strict=True))


_EXTENSION = _extended(b"\n\x14()/<=>@e", "\f^{}\\[~]|€")
_NATIONAL = {  # by identifier (3GPP TS 23.038, 6.2.1.2.4): the tables of its annex A.2
    1: _EXTENSION | _extended(b"GIScgis", "ĞİŞçğış"),
    2: _EXTENSION | _extended(b"\tAIOUaiou", "çÁÍÓÚáíóú"),
    3: _EXTENSION
    | _extended(b"\x05\t\x0b\x0c\x0e\x0f\x1fAIOU[\\aiou{|\x7f", "êçÔôÁáÊÀÍÓÚÃÕÂíóúãõâ")
    | _extended(b"\x12\x13\x15\x16\x17\x18\x19", "ΦΓΩΠΨΣΘ"),
}


class _Septets(dict[int, str]):
    """Gives up at the first foreign character."""

    def __missing__(self, character: int) -> str:
        raise UnicodeError


def _septets(extension: dict[int, str], below: int) -> _Septets:
    """What characters below a number are written as; one that both tables have goes without an escape."""
    escaped = {ord(c): chr(_ESCAPE) + chr(i) for i, c in extension.items()}
    basic = {ord(c): chr(i) for i, c in enumerate(_BASIC) if i != _ESCAPE}
    return _Septets({number: septets for number, septets in (escaped | basic).items() if number < below})


# ---- scripts


class _Limits(NamedTuple):
    whole: int  # octets of data that one message holds
    part: int  # that one of several holds
    pattern: re.Pattern[bytes]  # one of several


_PATTERNS = {  # by the bits of a unit
    7: rb".{1,%d}(?<!\x1b)",  # not between escape and character
    8: rb".{1,%d}",
    16: rb"(?:..){1,%d}(?!(?<=[\xd8-\xdb].)[\xdc-\xdf])",  # nor surrogates
}

_TIES = {"udh8": 5, "udh16": 6, "sar": 5, "payload": 5}  # octets; what the SMSC cuts or joins it ties by udh8


def _limits(bits: int, unit: int, header: int, tie: int) -> _Limits:
    """For units of so many bits, a header that is always there, and so many octets that tie parts."""
    whole, part = ((140 - octets) * 8 // bits for octets in (header, max(header, 1) + tie))
    return _Limits(whole * unit, part * unit, re.compile(_PATTERNS[bits] % part, re.DOTALL))


class _Script(NamedTuple):
    """What a content is written in."""

    name: str
    unit: int  # octets of data that a unit takes; a septet has one to itself
    data_coding: int
    flash: int  # the data_coding of a flash message: class 0
    limits: dict[str, _Limits]  # by how long ones are tied
    element: bytes = b""  # of every header
    septets: _Septets = _Septets()
    extension: dict[int, str] = _EXTENSION
    charset: str = ""  # what septets are handed over in; empty: as they are


def _script(name: str, bits: int, data_coding: int, flash: int, element: bytes = b"") -> _Script:
    unit, header = 2 if bits == 16 else 1, len(element) + 1 if element else 0
    limits = {long: _limits(bits, unit, header, tie) for long, tie in _TIES.items()}
    return _Script(name, unit, data_coding, flash, limits, element)


def _gsm(name: str, below: int = 0x110000, charset: str = "", national: int = 0) -> _Script:
    element = bytes((0x24, 1, national)) if national else b""  # 3GPP TS 23.040, 9.2.3.24.15
    extension = _NATIONAL.get(national, _EXTENSION)
    return _script(name, 7, 0x00, 0xF0, element)._replace(
        septets=_septets(extension, below), extension=extension, charset=charset
    )


_UCS2 = _script("UCS-2", 16, 0x08, 0x18)
_PUSH = _script("8-bit, WAP push", 8, 0x04, 0x04, bytes.fromhex("05 04 0b84 23f0"))  # to 2948 from 9200
_BY_ALPHABET = {
    "gsm": _gsm("GSM 7-bit"),
    "latin1": _gsm("Latin-1", 0x100, "latin-1"),
    "ascii": _gsm("ASCII", 0x80, "ascii"),
    "ucs2": _UCS2,
}
_BY_LANGUAGE = {
    "turkish": _gsm("GSM 7-bit, Turkish extension", national=1),
    "spanish": _gsm("GSM 7-bit, Spanish extension", national=2),
    "portuguese": _gsm("GSM 7-bit, Portuguese extension", national=3),
}


# ---- out


def encode(content: SmsContent, reference: int = 0, writing: Writing = _DEFAULT) -> tuple[Segment, ...]:
    """Give the hand-overs in order.

    `reference` ties the parts together: the next number for every message from a sender to a number; its low
    8 or 16 bits count. ValueError for more than 255 parts.
    """
    data, script = _written(content, writing)
    parts = _cut(data, script.limits[writing.long])
    if len(parts) > MAX_PARTS:
        raise ValueError(f"{len(parts)} parts are more than a header can count")
    tie = _tie(script, writing) if len(parts) > 1 else ""
    if tie == "payload":
        parts = [data]
    if script.charset:
        parts = [_read(part, script).encode(script.charset) for part in parts]
    udhs = _udhs(script.element, tie, reference & 0xFFFF, len(parts))
    sars = _sars(reference & 0xFFFF, len(parts)) if tie == "sar" else repeat(None)
    data_coding = repeat(script.flash if isinstance(content, FlashSms) else script.data_coding)
    esm_class = repeat(0x40 if udhs[0] else 0)
    return tuple(map(Segment, udhs, parts, data_coding, esm_class, sars, repeat(tie == "payload")))


@lru_cache(maxsize=1024)  # asked by the plan, of long texts by the check, too; and campaigns repeat one text
def count(content: SmsContent, writing: Writing = _DEFAULT) -> int:
    """How many short messages it is, which is what is paid for; also beyond what can be sent.

    `encode` gives as many, except where the SMSC cuts: there it gives one, and this is what becomes of it.
    """
    if not isinstance(content, WapPush) and len(content.text) <= _SHORT:
        return 1
    data, script = _written(content, writing)
    return len(_cut(data, script.limits[writing.long]))


def surely_fits(content: SmsContent, parts: int) -> bool:
    """Whether a text is so short that it falls into no more than so many parts in any writing."""
    return not isinstance(content, WapPush) and len(content.text) <= _SURE * parts


def explain(content: SmsContent | str, writing: Writing = _DEFAULT) -> Explained:
    """Say how a content, or a plain text, is sent."""
    data, script = _written(SmsText(text=content) if isinstance(content, str) else content, writing)
    limits = script.limits[writing.long]
    parts = _cut(data, limits)
    room = limits.whole if len(parts) == 1 else limits.part
    texts = tuple(_read(part, script) for part in parts)
    text = "".join(texts)
    return Explained(
        encoding=script.name,
        units=len(data) // script.unit,
        whole=limits.whole // script.unit,
        part=limits.part // script.unit,
        left=(room - len(parts[-1])) // script.unit,
        parts=texts,
        forced=_forced(text, writing) if script is _UCS2 else (),
        text=text,
    )


def _written(content: SmsContent, writing: Writing) -> tuple[bytes, _Script]:
    match content:
        case SmsText() | FlashSms():
            return _written_text(content.text, writing)
        case WapPush() if writing.wap:
            return wap.encode(content.url, content.text), _PUSH
        case WapPush():
            return _written_text(f"{content.text} {content.url}", writing)


def _written_text(text: str, writing: Writing) -> tuple[bytes, _Script]:
    """In the default alphabet, else with the national extension, else transliterated, else in UCS-2."""
    script = _BY_ALPHABET[writing.alphabet]
    written = _in_septets(text, script)
    if written is None and writing.national and writing.alphabet == "gsm":
        written = _in_septets(text, _BY_LANGUAGE[writing.national])
    if written is None and writing.transliterate and writing.alphabet != "ucs2":
        written = _in_septets(to_gsm(text), script)
    return written or (text.encode("utf-16-be", "surrogatepass"), _UCS2)


def _in_septets(text: str, script: _Script) -> tuple[bytes, _Script] | None:
    """None where it does not fit."""
    try:
        return text.translate(script.septets).encode("ascii"), script
    except UnicodeError:
        return None


def _forced(text: str, writing: Writing) -> tuple[str, ...]:
    """The characters that not even alone are written otherwise."""
    if writing.alphabet == "ucs2":
        return ()
    return tuple(c for c in dict.fromkeys(text) if _written_text(c, writing)[1] is _UCS2)


def _cut(data: bytes, limits: _Limits) -> list[bytes]:
    return [data] if len(data) <= limits.whole else limits.pattern.findall(data)


def _tie(script: _Script, writing: Writing) -> str:
    """How several parts are tied; a push by its header, which it has anyway."""
    return "udh8" if script is _PUSH and writing.long != "udh16" else writing.long


def _udhs(element: bytes, tie: str, reference: int, total: int) -> list[bytes]:
    """The header of each part (3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8)."""
    match tie:
        case "udh8":
            head = bytes((len(element) + 5, *element, 0x00, 0x03, reference & 0xFF, total))
        case "udh16":
            head = bytes((len(element) + 6, *element, 0x08, 0x04, reference >> 8, reference & 0xFF, total))
        case _:
            return [bytes((len(element), *element)) if element else b""] * total
    return [head + bytes((number,)) for number in range(1, total + 1)]


def _sars(reference: int, total: int) -> list[tuple[int, int, int]]:
    return [(reference, total, number) for number in range(1, total + 1)]


# ---- back


def decode(data_coding: int, payload: bytes, national: int = 0) -> str:
    """Read the text of one short message without its header; nothing is refused, a bad octet is U+FFFD.

    `national` is the identifier in the header's element 0x24, 0 without one; an unknown one is as none
    (3GPP TS 23.040, 9.2.3.24.15).
    """
    match data_coding:
        case 0x08 | 0x18 | 0x19:
            return _from_ucs2(payload[: len(payload) & ~1])
        case 0x01 | 0x02 | 0x03 | 0x04 | 0xF4 | 0xF5:
            return payload.decode("latin-1")
        case 0x06:
            return payload.decode("iso8859-5")
        case _:
            return _from_septets(payload, _NATIONAL.get(national, _EXTENSION))


def _read(data: bytes, script: _Script) -> str:
    if script is _PUSH:
        return data.hex()
    return _from_ucs2(data) if script is _UCS2 else _from_septets(data, script.extension)


def _from_ucs2(data: bytes) -> str:
    return data.decode("utf-16-be", "surrogatepass")


def _from_septets(data: bytes, extension: dict[int, str]) -> str:
    head, *escaped = data.split(bytes((_ESCAPE,)))
    return _from_basic(head) + "".join(_from_escaped(piece, extension) for piece in escaped)


def _from_escaped(data: bytes, extension: dict[int, str]) -> str:
    """What is not in the extension table is read from the basic one (3GPP TS 23.038, 6.2.1.1)."""
    if data and data[0] in extension:
        return extension[data[0]] + _from_basic(data[1:])
    return _from_basic(data)


def _from_basic(data: bytes) -> str:
    return codecs.charmap_decode(data, "replace", _BASIC)[0]
