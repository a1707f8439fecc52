from collections.abc import Iterator

import gsm0338
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from hopwire import sms, wap
from hopwire.model import FlashSms, SmsContent, SmsText, WapPush, Writing

EVERYTHING = st.text(st.characters(codec=None, exclude_categories=()))
PIECES = [*"aZ@€{\n Їщ'ü`óçğÃ“", "😀", "👨‍👩‍👧", "🇺🇦", "1️⃣", "а\u0301"]
ALPHABETS = ["aZ@€{\n Їü`😀", "a€ğİ", "eóç{", "aÃê", "a{é€", "Їщ «»'—", PIECES]
MIXED = st.sampled_from(ALPHABETS).flatmap(lambda a: st.lists(st.sampled_from(a), max_size=500)).map("".join)
TEXTS = st.one_of(EVERYTHING, MIXED)
WRITINGS = st.builds(
    Writing,
    alphabet=st.sampled_from(["gsm", "latin1", "ascii", "ucs2"]),
    transliterate=st.booleans(),
    national=st.sampled_from(["", "turkish", "spanish", "portuguese"]),
    long=st.sampled_from(["udh8", "udh16", "sar", "payload"]),
    wap=st.booleans(),
)
CHARSETS = {"latin1": "latin-1", "ascii": "ascii"}
GSM = gsm0338.Codec()


def said(segment: sms.Segment, writing: Writing) -> str:
    """What the network makes of a segment."""
    if segment.data_coding in (0x00, 0xF0) and writing.alphabet in CHARSETS:
        return segment.payload.decode(CHARSETS[writing.alphabet])
    return sms.decode(segment.data_coding, segment.payload, dict(elements(segment)).get(0x24, b"\0")[0])


def elements(segment: sms.Segment) -> Iterator[tuple[int, bytes]]:
    """The elements of the header, which must be whole."""
    rest = segment.udh[1:]
    assert segment.udh[:1] in (b"", bytes((len(rest),)))
    while rest:
        identifier, length = rest[:2]
        assert len(rest) >= 2 + length
        yield identifier, rest[2 : 2 + length]
        rest = rest[2 + length :]


def bits(segment: sms.Segment, writing: Writing) -> int:
    """How long the user data is in the network, header and all."""
    if segment.data_coding not in (0x00, 0xF0):
        return 8 * len(segment.udh + segment.payload)
    text = said(segment, writing)
    in_charset = writing.alphabet in CHARSETS
    septets = len(GSM.encode(text)[0] if in_charset else segment.payload)
    header = -(-8 * len(segment.udh) // 7)
    return 7 * (header + septets)


def units(text: str) -> bytes:
    """Two lone surrogates that meet are one character; their UTF-16 is the same."""
    return text.encode("utf-16-be", "surrogatepass")


# ---- the default


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("", 1, id="nothing"),
        pytest.param("a" * 160, 1, id="160 septets"),
        pytest.param("a" * 161, 2, id="161 septets"),
        pytest.param("a" * 306, 2, id="306 septets"),
        pytest.param("a" * 307, 3, id="307 septets"),
        pytest.param("€" * 80, 1, id="an extended character is two septets"),
        pytest.param("€" * 81, 2, id="162 septets"),
        pytest.param("a" * 152 + "€" + "a" * 152, 3, id="an escape pair is not cut, and costs a septet"),
        pytest.param("Ї" * 70, 1, id="70 units"),
        pytest.param("Ї" * 71, 2, id="71 units"),
        pytest.param("Ї" * 134, 2, id="134 units"),
        pytest.param("Ї" * 135, 3, id="135 units"),
        pytest.param("😀" * 35, 1, id="outside the plane a character is two units"),
        pytest.param("😀" * 36, 2, id="72 units"),
        pytest.param("😀" * 67, 3, id="a surrogate pair is not cut, and costs a unit"),
        pytest.param("`" + "a" * 70, 2, id="one foreign character makes all of it UCS-2"),
        pytest.param("\x1b" + "a" * 70, 2, id="an escape is not a character of the alphabet"),
    ],
)
def test_a_text_is_counted_as_it_is_cut(text: str, parts: int) -> None:
    content = SmsText(text=text)
    assert sms.count(content) == parts == len(sms.encode(content))


@pytest.mark.parametrize(
    ("content", "data_coding", "payload"),
    [
        pytest.param(SmsText(text="@_$ €"), 0x00, b"\x00\x11\x02 \x1be", id="GSM"),
        pytest.param(SmsText(text="Їa"), 0x08, b"\x04\x07\x00a", id="UCS-2"),
        pytest.param(FlashSms(text="flash"), 0xF0, b"flash", id="flash in GSM"),
        pytest.param(FlashSms(text="Ї"), 0x18, b"\x04\x07", id="flash in UCS-2"),
    ],
)
def test_a_short_text_is_one_message_without_a_header(
    content: SmsContent, data_coding: int, payload: bytes
) -> None:
    assert sms.encode(content) == (sms.Segment(b"", payload, data_coding, 0),)


def test_the_parts_of_a_long_text_are_tied_by_the_low_octet_of_the_reference() -> None:
    segments = sms.encode(SmsText(text="a" * 161), 0x1A7)
    assert [segment.udh.hex() for segment in segments] == ["050003a70201", "050003a70202"]
    assert [len(segment.payload) for segment in segments] == [153, 8]
    assert {segment[3:] for segment in segments} == {(0x40, None, False)}


def test_neither_an_escape_pair_nor_a_surrogate_pair_is_cut() -> None:
    euro = sms.encode(SmsText(text="a" * 152 + "€" + "b" * 99))
    smile = sms.encode(SmsText(text="Ї" * 66 + "😀" * 40))
    assert [segment.payload[:2] for segment in euro] == [b"aa", b"\x1be"]
    assert all(segment.payload[:1] < b"\xdc" for segment in smile)
    assert len(smile[0].payload) == 132


@pytest.mark.parametrize("long", ["udh8", "udh16", "sar", "payload"])
def test_a_text_of_more_than_255_parts_is_counted_but_not_encoded(long: str) -> None:
    part = 152 if long == "udh16" else 153
    fits, too_long = SmsText(text="a" * 255 * part), SmsText(text="a" * (255 * part + 1))
    assert len(sms.encode(fits, 0, Writing(long=long))) == (1 if long == "payload" else 255)
    assert sms.count(too_long, Writing(long=long)) == 256
    with pytest.raises(ValueError, match="256 parts"):
        sms.encode(too_long, 0, Writing(long=long))


# ---- as a connector wants it

LIMITS = [  # how it is written, a character, how many make one message, how many make each of several
    (Writing(), "a", 160, 153),
    (Writing(long="udh16"), "a", 160, 152),
    (Writing(long="sar"), "a", 160, 153),
    (Writing(long="payload"), "a", 160, 153),
    (Writing(), "€", 80, 76),
    (Writing(long="udh16"), "€", 80, 76),
    (Writing(), "Ї", 70, 67),
    (Writing(long="udh16"), "Ї", 70, 66),
    (Writing(long="sar"), "Ї", 70, 67),
    (Writing(long="payload"), "Ї", 70, 67),
    (Writing(), "😀", 35, 33),
    (Writing(long="udh16"), "😀", 35, 33),
    (Writing(alphabet="ucs2"), "a", 70, 67),
    (Writing(alphabet="latin1"), "é", 160, 153),
    (Writing(alphabet="latin1"), "{", 80, 76),
    (Writing(alphabet="latin1", long="udh16"), "ñ", 160, 152),
    (Writing(alphabet="latin1"), "€", 70, 67),
    (Writing(alphabet="latin1"), "á", 70, 67),
    (Writing(alphabet="ascii"), "@", 160, 153),
    (Writing(alphabet="ascii"), "{", 80, 76),
    (Writing(alphabet="ascii"), "é", 70, 67),
    (Writing(alphabet="ascii"), "`", 70, 67),
    (Writing(national="turkish"), "a", 160, 153),
    (Writing(national="turkish"), "ş", 77, 74),
    (Writing(national="turkish", long="udh16"), "ş", 77, 74),
    (Writing(national="turkish"), "á", 70, 67),
    (Writing(national="spanish", long="sar"), "á", 77, 74),
    (Writing(national="portuguese", long="payload"), "ã", 77, 74),
    (Writing(national="turkish", alphabet="latin1"), "ş", 70, 67),
    (Writing(transliterate=True), "ф", 160, 153),
    (Writing(transliterate=True), "щ", 40, 38),
    (Writing(transliterate=True, alphabet="ascii"), "ф", 160, 153),
    (Writing(transliterate=True, alphabet="ucs2"), "ф", 70, 67),
]


@pytest.mark.parametrize(("writing", "character", "whole", "part"), LIMITS)
def test_so_many_characters_fit(writing: Writing, character: str, whole: int, part: int) -> None:
    texts = [SmsText(text=character * n) for n in (whole, whole + 1, 2 * part, 2 * part + 1)]
    assert [sms.count(text, writing) for text in texts] == [1, 2, 2, 3]
    expected = [1, 1, 1, 1] if writing.long == "payload" else [1, 2, 2, 3]
    assert [len(sms.encode(text, 0, writing)) for text in texts] == expected


@pytest.mark.parametrize(
    ("long", "septets"), [("udh8", (155, 149)), ("udh16", (155, 148)), ("sar", (155, 149))]
)
def test_a_national_table_costs_septets_in_every_part(long: str, septets: tuple[int, int]) -> None:
    writing = Writing(national="turkish", long=long)
    whole, part = septets
    assert sms.count(SmsText(text="ş" + "a" * (whole - 2)), writing) == 1
    assert sms.count(SmsText(text="ş" + "a" * (whole - 1)), writing) == 2
    assert sms.count(SmsText(text="ş" + "a" * (2 * part - 2)), writing) == 2
    assert sms.count(SmsText(text="ş" + "a" * (2 * part - 1)), writing) == 3


@pytest.mark.parametrize(
    ("writing", "text", "udh"),
    [
        pytest.param(Writing(), "a" * 161, "050003a70202", id="8 bits"),
        pytest.param(Writing(long="udh16"), "a" * 161, "060804c1a70202", id="16 bits"),
        pytest.param(Writing(long="sar"), "a" * 161, "", id="in TLVs"),
        pytest.param(Writing(national="turkish"), "ş" * 78, "082401010003a70202", id="Turkish"),
        pytest.param(
            Writing(national="spanish", long="udh16"), "á" * 78, "092401020804c1a70202", id="Spanish"
        ),
        pytest.param(Writing(national="portuguese", long="sar"), "ã" * 78, "03240103", id="Portuguese"),
    ],
)
def test_the_header_of_the_second_part(writing: Writing, text: str, udh: str) -> None:
    _, segment = sms.encode(SmsText(text=text), 0x5C1A7, writing)
    assert segment.udh.hex() == udh
    assert segment.esm_class == (0x40 if udh else 0)
    assert segment.sar == ((0xC1A7, 2, 2) if writing.long == "sar" else None)
    assert not segment.in_payload


def test_a_short_text_is_not_tied_at_all() -> None:
    for long in ("udh16", "sar", "payload"):
        assert sms.encode(SmsText(text="a"), 7, Writing(long=long)) == (sms.Segment(b"", b"a", 0x00, 0),)
    (turkish,) = sms.encode(SmsText(text="ş"), 7, Writing(national="turkish", long="sar"))
    assert turkish == sms.Segment(bytes.fromhex("03240101"), b"\x1bs", 0x00, 0x40)


@pytest.mark.parametrize(
    ("writing", "content", "segment"),
    [
        pytest.param(Writing(), SmsText(text="{" * 81), sms.Segment(b"", b"\x1b(" * 81, 0x00, 0), id="GSM"),
        pytest.param(
            Writing(), FlashSms(text="Ї" * 71), sms.Segment(b"", b"\x04\x07" * 71, 0x18, 0), id="flash UCS-2"
        ),
        pytest.param(
            Writing(national="turkish"),
            SmsText(text="ş" * 80),
            sms.Segment(bytes.fromhex("03240101"), b"\x1bs" * 80, 0x00, 0x40),
            id="Turkish",
        ),
        pytest.param(
            Writing(alphabet="latin1"),
            SmsText(text="é{" * 60),
            sms.Segment(b"", b"\xe9{" * 60, 0x00, 0),
            id="Latin-1",
        ),
    ],
)
def test_a_long_text_for_the_smsc_to_cut_is_one_hand_over(
    writing: Writing, content: SmsContent, segment: sms.Segment
) -> None:
    assert sms.encode(content, 7, structs.replace(writing, long="payload")) == (
        segment._replace(in_payload=True),
    )


@pytest.mark.parametrize(
    ("alphabet", "text", "data_coding", "payload"),
    [
        pytest.param("latin1", "@é£{", 0x00, b"@\xe9\xa3{", id="Latin-1"),
        pytest.param("latin1", "á", 0x08, b"\x00\xe1", id="the network has no á"),
        pytest.param("latin1", "€", 0x08, b"\x20\xac", id="Latin-1 has no €"),
        pytest.param("ascii", "@{_", 0x00, b"@{_", id="ASCII"),
        pytest.param("ascii", "é", 0x08, b"\x00\xe9", id="ASCII has no é"),
        pytest.param("ucs2", "a", 0x08, b"\x00a", id="UCS-2"),
        pytest.param("ucs2", "", 0x08, b"", id="nothing in UCS-2"),
    ],
)
def test_the_default_alphabet_is_the_one_of_the_smsc(
    alphabet: str, text: str, data_coding: int, payload: bytes
) -> None:
    writing = Writing(alphabet=alphabet)
    assert sms.encode(SmsText(text=text), 0, writing) == (sms.Segment(b"", payload, data_coding & 8, 0),)
    (flash,) = sms.encode(FlashSms(text=text), 0, writing)
    assert flash == sms.Segment(b"", payload, 0x18 if data_coding else 0xF0, 0)


def test_a_part_in_a_charset_is_cut_where_the_network_would() -> None:
    segments = sms.encode(SmsText(text="a" * 152 + "{" + "b" * 99), 0, Writing(alphabet="ascii"))
    assert [segment.payload for segment in segments] == [b"a" * 152, b"{" + b"b" * 99]


def test_a_national_table_is_used_only_for_what_the_default_lacks() -> None:
    plain, national = (
        sms.encode(SmsText(text=text), 0, Writing(national="turkish"))[0] for text in ("{€", "{ğ€")
    )
    assert plain == sms.Segment(b"", b"\x1b(\x1be", 0x00, 0)
    assert national == sms.Segment(bytes.fromhex("03240101"), b"\x1b(\x1bg\x1be", 0x00, 0x40)


@pytest.mark.parametrize("language", ["turkish", "spanish", "portuguese"])
def test_every_character_of_a_national_table_is_read_back(language: str) -> None:
    writing = Writing(national=language)
    for text in map(chr, sms._BY_LANGUAGE[language].septets):
        (segment,) = sms.encode(SmsText(text=text), 0, writing)
        assert segment.data_coding == 0x00
        assert said(segment, writing) == text


@pytest.mark.parametrize(
    ("language", "characters"),
    [
        ("turkish", "ĞİŞçğış"),
        ("spanish", "çÁÍÓÚáíóú"),
        ("portuguese", "êçÔôÁáÊÀÍÓÚÃÕÂíóúãõâ"),
    ],
)
def test_a_national_table_adds_its_letters_and_keeps_the_others(language: str, characters: str) -> None:
    default, national = sms._BY_ALPHABET["gsm"].septets, sms._BY_LANGUAGE[language].septets
    assert {chr(c) for c in national.keys() - default.keys()} == set(characters)
    assert all(national[c] == default[c] for c in default)


@pytest.mark.parametrize(
    ("text", "national", "sent"),
    [
        pytest.param("Привіт, Юліє!", "", "Pryvit, Yuliie!", id="Ukrainian"),
        pytest.param("«Так» — так", "", '"Tak" - tak', id="typographic signs"),
        pytest.param("Привіт 😀", "", "Привіт 😀", id="a smile would stay, so all stays"),
        pytest.param("a’{é", "", "a'{é", id="what fits stays"),
        pytest.param("ağ", "turkish", "ağ", id="a national table comes first"),
        pytest.param("ağї", "turkish", "agi", id="a national table that is not enough"),
    ],
)
def test_a_text_is_transliterated_when_it_then_fits(text: str, national: str, sent: str) -> None:
    writing = Writing(transliterate=True, national=national)
    (segment,) = sms.encode(SmsText(text=text), 0, writing)
    assert said(segment, writing) == sent == sms.explain(text, writing).text


# ---- pushes


def test_a_push_names_its_ports() -> None:
    content = WapPush(url="http://www.example.com/page.html", text="Hi")
    (segment,) = sms.encode(content)
    push = wap.encode(content.url, content.text)
    assert segment == sms.Segment(bytes.fromhex("0605040b8423f0"), push, 0x04, 0x40)


@pytest.mark.parametrize(
    ("long", "octets", "udh"),
    [
        ("udh8", 128, "0b05040b8423f0000307020"),
        ("udh16", 127, "0c05040b8423f00804c107020"),
        ("sar", 128, "0b05040b8423f0000307020"),
        ("payload", 128, "0b05040b8423f0000307020"),
    ],
)
def test_a_long_push_is_cut_under_both_headers_whatever_ties_texts(long: str, octets: int, udh: str) -> None:
    content = WapPush(url="https://www.example.net/" + "path/" * 20, text="Дізнайтеся більше")
    segments = sms.encode(content, 0xC107, Writing(long=long))
    assert [segment.udh.hex() for segment in segments] == [udh + "1", udh + "2"]
    assert len(segments[0].payload) == octets
    assert {segment[2:] for segment in segments} == {(0x04, 0x40, None, False)}
    assert sms.count(content, Writing(long=long)) == 2
    assert wap.decode(b"".join(segment.payload for segment in segments)) == (content.url, content.text)


@pytest.mark.parametrize(
    ("long", "length", "parts"),
    [
        ("udh8", 133, 1),
        ("udh8", 134, 2),
        ("udh8", 256, 2),
        ("udh8", 257, 3),
        ("udh16", 133, 1),
        ("udh16", 134, 2),
        ("udh16", 254, 2),
        ("udh16", 255, 3),
    ],
)
def test_so_many_octets_of_a_push_fit(long: str, length: int, parts: int) -> None:
    text = "x" * (length - len(wap.encode("http://a.example", "")))
    content = WapPush(url="http://a.example", text=text)
    assert sms.count(content, Writing(long=long)) == parts == len(sms.encode(content, 0, Writing(long=long)))


def test_where_no_push_is_carried_the_link_stands_behind_the_text() -> None:
    writing = Writing(wap=False)
    push = WapPush(url="https://a.example/", text="a" * 150)
    assert sms.encode(push, 7, writing) == sms.encode(SmsText(text="a" * 150 + " https://a.example/"), 7)
    assert sms.count(push, writing) == 2


# ---- whatever it is


@given(TEXTS, WRITINGS, st.booleans(), st.integers(min_value=0))
@example("ağ" * 200, Writing(national="turkish", long="udh16"), True, 0x12345)
@example("щ" * 35, Writing(transliterate=True), False, 0)
def test_the_parts_say_what_the_text_said(text: str, writing: Writing, flash: bool, reference: int) -> None:
    content = FlashSms(text=text) if flash else SmsText(text=text)
    segments = sms.encode(content, reference, writing)
    told = sms.explain(content, writing)
    assert units("".join(said(segment, writing) for segment in segments)) == units(told.text)
    if not writing.transliterate or told.encoding == "UCS-2":
        assert units(told.text) == units(text)
    assert len(told.parts) == sms.count(content, writing)
    if segments[0].in_payload:
        assert writing.long == "payload"
        assert len(told.parts) > len(segments) == 1
    else:
        assert [said(segment, writing) for segment in segments] == list(told.parts)
        assert all(bits(segment, writing) <= 140 * 8 for segment in segments)


@given(TEXTS, WRITINGS, st.integers(min_value=1, max_value=15))
@example("a" + "😀" * 65, Writing(long="udh16"), 2)
@example("Щ" * 330, Writing(transliterate=True, national="turkish", long="udh16"), 10)
def test_a_text_that_surely_fits_does(text: str, writing: Writing, parts: int) -> None:
    content = SmsText(text=text[: 33 * parts])
    assert sms.surely_fits(content, parts)
    assert sms.count(content, writing) <= parts


def test_of_what_is_longer_nothing_is_sure() -> None:
    assert not sms.surely_fits(SmsText(text="a" * 67), 2)
    assert not sms.surely_fits(WapPush(url="http://a.example", text=""), 9)


@given(TEXTS, WRITINGS, st.integers(min_value=0))
def test_parts_are_tied_and_numbered(text: str, writing: Writing, reference: int) -> None:
    segments = sms.encode(SmsText(text=text), reference, writing)
    for number, segment in enumerate(segments, 1):
        found = dict(elements(segment))
        assert bool(found) == bool(segment.esm_class)
        found.pop(0x24, None)
        place = bytes((len(segments), number))
        wide = (reference & 0xFFFF).to_bytes(2)
        if len(segments) == 1:
            assert (found, segment.sar) == ({}, None)
        elif writing.long == "sar":
            assert (found, segment.sar) == ({}, (reference & 0xFFFF, len(segments), number))
        else:
            assert found == ({0x00: wide[1:] + place} if writing.long == "udh8" else {0x08: wide + place})


@given(TEXTS, WRITINGS)
def test_what_the_smsc_cuts_is_paid_for_as_if_we_had_cut_it(text: str, writing: Writing) -> None:
    payload, udh8 = (structs.replace(writing, long=long) for long in ("payload", "udh8"))
    content = SmsText(text=text)
    assert sms.count(content, payload) == sms.count(content, udh8) == len(sms.encode(content, 0, udh8))


@given(st.text(), st.text(), WRITINGS)
def test_a_push_fits_into_its_parts(url: str, text: str, writing: Writing) -> None:
    content = WapPush(url=url, text=text)
    segments = sms.encode(content, 0, writing)
    if writing.wap:
        assert all(dict(elements(segment))[0x05] == bytes.fromhex("0b8423f0") for segment in segments)
        assert all(bits(segment, writing) <= 140 * 8 for segment in segments)
        assert b"".join(segment.payload for segment in segments) == wap.encode(url, text)
        assert sms.count(content, writing) == len(segments)
