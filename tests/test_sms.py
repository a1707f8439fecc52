import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire import sms, wap
from hopwire.model import FlashSms, SmsContent, SmsText, WapPush

EVERYTHING = st.text(st.characters(codec=None, exclude_categories=()))
MIXED = st.text(st.sampled_from("aZ@€{\n Їü`😀"), max_size=700)
GSM = gsm0338.Codec()


def joined(segments: tuple[sms.Segment, ...]) -> str:
    return "".join(sms.decode(segment.data_coding, segment.payload) for segment in segments)


def units(text: str) -> bytes:
    """Two lone surrogates that meet are one character; their UTF-16 is the same."""
    return text.encode("utf-16-be", "surrogatepass")


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
    assert {segment.esm_class for segment in segments} == {0x40}


def test_neither_an_escape_pair_nor_a_surrogate_pair_is_cut() -> None:
    euro = sms.encode(SmsText(text="a" * 152 + "€" + "b" * 99))
    smile = sms.encode(SmsText(text="Ї" * 66 + "😀" * 40))
    assert [segment.payload[:2] for segment in euro] == [b"aa", b"\x1be"]
    assert all(segment.payload[:1] < b"\xdc" for segment in smile)
    assert len(smile[0].payload) == 132


def test_a_text_of_more_than_255_parts_is_counted_but_not_encoded() -> None:
    fits, too_long = SmsText(text="a" * 255 * 153), SmsText(text="a" * (255 * 153 + 1))
    assert len(sms.encode(fits)) == 255
    assert sms.count(too_long) == 256
    with pytest.raises(ValueError, match="256 parts"):
        sms.encode(too_long)


def test_a_push_names_its_ports() -> None:
    content = WapPush(url="http://www.example.com/page.html", text="Hi")
    (segment,) = sms.encode(content)
    assert segment == (bytes.fromhex("0605040b8423f0"), wap.encode(content.url, content.text), 0x04, 0x40)


def test_a_long_push_is_cut_into_128_octets_under_both_headers() -> None:
    content = WapPush(url="https://www.example.net/" + "path/" * 20, text="Дізнайтеся більше")
    segments = sms.encode(content, 7)
    assert [segment.udh.hex() for segment in segments] == [
        "0b05040b8423f00003070201",
        "0b05040b8423f00003070202",
    ]
    assert len(segments[0].payload) == 128
    assert sms.count(content) == 2
    assert wap.decode(b"".join(segment.payload for segment in segments)) == (content.url, content.text)


@pytest.mark.parametrize(("length", "parts"), [(133, 1), (134, 2)])
def test_a_push_of_133_octets_is_one_message(length: int, parts: int) -> None:
    text = "x" * (length - len(wap.encode("http://a.example", "")))
    assert sms.count(WapPush(url="http://a.example", text=text)) == parts


@given(st.one_of(EVERYTHING, MIXED), st.booleans())
def test_the_parts_say_what_the_text_said(text: str, flash: bool) -> None:
    content = FlashSms(text=text) if flash else SmsText(text=text)
    segments = sms.encode(content)
    assert units(joined(segments)) == units(text)
    assert sms.count(content) == len(segments)
    assert all(
        len(segment.udh) * 8 + len(segment.payload) * (7 if segment.data_coding in (0x00, 0xF0) else 8)
        <= 1120
        for segment in segments
    )


@given(st.binary(max_size=200), st.integers(0, 255))
def test_whatever_arrives_can_be_read(payload: bytes, data_coding: int) -> None:
    assert isinstance(sms.decode(data_coding, payload), str)


@given(st.text(st.sampled_from([chr(n) for n in range(0x500)] + ["€", "Ω", "\u2028"]), max_size=60))
def test_the_alphabet_is_the_one_that_others_write(text: str) -> None:
    (segment,) = sms.encode(SmsText(text=text))
    try:
        expected = GSM.encode(text)[0]
    except UnicodeError:
        assert segment.data_coding == 0x08
    else:
        assert (segment.data_coding, segment.payload) == (0x00, expected)


@pytest.mark.parametrize("character", sms._SEPTETS)
def test_every_character_of_the_alphabet_is_read_back(character: int) -> None:
    data = GSM.encode(chr(character))[0]
    assert sms.encode(SmsText(text=chr(character)))[0].payload == data
    assert sms.decode(0x00, data) == chr(character)


@pytest.mark.parametrize(
    ("data_coding", "payload", "text"),
    [
        pytest.param(0x00, b"a\x1bzb", "azb", id="an unknown extension is read from the basic table"),
        pytest.param(0x00, b"a\x1b", "a", id="an escape at the end"),
        pytest.param(0x00, b"a\x80", "a\ufffd", id="not a septet"),
        pytest.param(0x03, b"\xe9", "é", id="Latin-1"),
        pytest.param(0x06, b"\xbf", "П", id="ISO 8859-5"),
        pytest.param(0x08, b"\x04\x07\x00", "Ї", id="half a unit at the end"),
        pytest.param(0x10, b"\x00", "@", id="class 0"),
    ],
)
def test_what_others_send_is_read(data_coding: int, payload: bytes, text: str) -> None:
    assert sms.decode(data_coding, payload) == text
