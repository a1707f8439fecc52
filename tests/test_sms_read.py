"""Octets of an SMS become text again, and the alphabets are those that others write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_sms import GSM

from hopwire import sms
from hopwire.model import SmsText


@given(st.binary(max_size=200), st.integers(0, 255), st.integers(0, 255))
def test_whatever_arrives_can_be_read(payload: bytes, data_coding: int, national: int) -> None:
    assert isinstance(sms.decode(data_coding, payload, national), str)


OTHERS = sorted({*map(chr, range(0x500)), "€", "\u2028"} - {"\x1b"})  # they pass a bare escape through


@given(st.text(st.sampled_from(OTHERS), max_size=60))
def test_the_alphabet_is_the_one_that_others_write(text: str) -> None:
    (segment,) = sms.encode(SmsText(text=text))
    try:
        expected = GSM.encode(text)[0]
    except UnicodeError:
        assert segment.data_coding == 0x08
    else:
        assert (segment.data_coding, segment.payload) == (0x00, expected)


@pytest.mark.parametrize("character", sms._BY_ALPHABET["gsm"].septets)
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


@pytest.mark.parametrize(
    ("national", "text"),
    [(0, "sAe(€"), (1, "şAe(€"), (2, "sÁe(€"), (3, "sÀe(€"), (4, "sAe(€")],
    ids=["none", "Turkish", "Spanish", "Portuguese", "unknown"],
)
def test_the_header_names_the_table(national: int, text: str) -> None:
    assert sms.decode(0x00, b"\x1bs\x1bAe(\x1be", national) == text
