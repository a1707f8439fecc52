from urllib.parse import parse_qsl, quote_from_bytes, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire.errors import BadBody, BadUtf8, TooManyParameters
from hopwire.web import forms

MULTIPART = b"multipart/form-data; boundary=xx"


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'--xx\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name, more, value)


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        pytest.param(b"", {}, id="nothing"),
        pytest.param(b"a=1&b=2", {b"a": b"1", b"b": b"2"}, id="two"),
        pytest.param(b"a=1&a=2", {b"a": b"2"}, id="later wins"),
        pytest.param(b"a=1&a=", {b"a": b""}, id="also when it is empty"),
        pytest.param(b"a=1&A=2", {b"a": b"1", b"A": b"2"}, id="names are case-sensitive"),
        pytest.param(b"&a=1&&b=2&", {b"a": b"1", b"b": b"2"}, id="empty pairs"),
        pytest.param(b"a", {b"a": b""}, id="a name alone"),
        pytest.param(b"a=b=c", {b"a": b"b=c"}, id="an equals sign in a value"),
        pytest.param(b"a=b%3Dc%26", {b"a": b"b=c&"}, id="quoted separators"),
        pytest.param(b"a=b=%20c", {b"a": b"b= c"}, id="an equals sign in a quoted value"),
        pytest.param(b"a+b=c+d%2B", {b"a b": b"c d+"}, id="plus is a space"),
        pytest.param(b"%61=%d0%b0%D0%B0", {b"a": "аа".encode()}, id="quoted in either case"),
        pytest.param("a=ї ї".encode(), {b"a": "ї ї".encode()}, id="raw UTF-8 and spaces"),
        pytest.param(b"a=100%&b=%zz%4&c=%%41", {b"a": b"100%", b"b": b"%zz%4", b"c": b"%A"}, id="malformed"),
        pytest.param(b"a=%\r\n%41", {b"a": b"%\r\nA"}, id="malformed before a line's end"),
        pytest.param(b"a=b;c=d", {b"a": b"b;c=d"}, id="a semicolon separates nothing"),
        pytest.param(b"a=%00%FF", {b"a": b"\x00\xff"}, id="any octets"),
    ],
)
def test_pairs_are_read(data: bytes, pairs: dict[bytes, bytes]) -> None:
    assert forms.parse_pairs(data) == pairs


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=20))
def test_well_formed_pairs_are_read_as_the_standard_library_reads_them(pairs: list[tuple[str, str]]) -> None:
    data = urlencode(pairs)
    expected = {name.encode(): value.encode() for name, value in parse_qsl(data, keep_blank_values=True)}
    assert forms.parse_pairs(data.encode()) == expected


@given(st.binary())
def test_quoting_anything_and_reading_it_gives_it_back(value: bytes) -> None:
    assert forms.parse_pairs(b"a=" + quote_from_bytes(value, safe="").encode()) == {b"a": value}


@given(
    st.lists(st.sampled_from([b"%", b"=", b"4", b"f", b"g", b"\r", b"\n", b" ", b"\xd0", b"%41"])).map(
        b"".join
    )
)
def test_malformed_quoting_is_read_as_the_standard_library_reads_it(value: bytes) -> None:
    assert forms.parse_pairs(b"a=" + value) == {b"a": unquote_to_bytes(value)}


def test_a_hundred_pairs_are_enough() -> None:
    assert len(forms.parse_pairs(b"&".join(b"%d=" % n for n in range(100)))) == 100
    with pytest.raises(TooManyParameters):
        forms.parse_pairs(b"a=&" * 101)
    with pytest.raises(TooManyParameters):
        forms.parse_body(MULTIPART, part(b"a", b"") * 101 + b"--xx--")
    with pytest.raises(TooManyParameters):
        forms.merge({b"%d" % n: b"" for n in range(60)}, {b"%d" % n: b"" for n in range(50, 101)})


def test_the_body_is_over_the_query() -> None:
    assert forms.merge({b"a": b"1", b"b": b"2"}, {b"a": b"3"}) == {b"a": b"3", b"b": b"2"}


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"application/x-www-form-urlencoded",
        b"text/plain",
        b"application/json",
        b"\xff",
        b"multipart/mixed",
    ],
)
def test_whatever_the_type_the_body_is_urlencoded(content_type: bytes) -> None:
    assert forms.parse_body(content_type, b"&a=1") == {b"a": b"1"}


@pytest.mark.parametrize(
    ("content_type", "body", "pairs"),
    [
        pytest.param(MULTIPART, part(b"a", "ї".encode()) + b"--xx--\r\n", {b"a": "ї".encode()}, id="a field"),
        pytest.param(
            b'Multipart/Form-Data; charset=UTF-8; boundary="xx"',
            part(b"a", b"1") + b"--xx--",
            {b"a": b"1"},
            id="case",
        ),
        pytest.param(
            MULTIPART, part(b"a", b"1") + part(b"a", b"2") + b"--xx--", {b"a": b"2"}, id="later wins"
        ),
        pytest.param(
            MULTIPART, part(b"a", b"+%41&b=\r\n") + b"--xx--", {b"a": b"+%41&b=\r\n"}, id="not quoted"
        ),
        pytest.param(MULTIPART, part(b"a", b"") + b"--xx--", {b"a": b""}, id="an empty field"),
        pytest.param(
            MULTIPART,
            part(b"a", b"1", b'; filename="f.txt"\r\nContent-Type: text/plain') + b"--xx--",
            {b"a": b"1"},
            id="a file is a field",
        ),
        pytest.param(MULTIPART, b"--xx\r\n\r\n1\r\n--xx--", {}, id="a part without a name"),
        pytest.param(MULTIPART, b"--xx--\r\n", {}, id="no parts"),
        pytest.param(MULTIPART, b"", {}, id="no body"),
    ],
)
def test_a_multipart_body_is_read(content_type: bytes, body: bytes, pairs: dict[bytes, bytes]) -> None:
    assert forms.parse_body(content_type, body) == pairs


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param(MULTIPART, b"a=1", id="urlencoded"),
        pytest.param(MULTIPART, part(b"a", b"1"), id="cut off"),
        pytest.param(MULTIPART, b"--yy\r\n\r\n1\r\n--yy--", id="another boundary"),
        pytest.param(b"multipart/form-data", part(b"a", b"1") + b"--xx--", id="no boundary"),
        pytest.param(b"multipart/form-data; boundary=" + b"x" * 300, b"a", id="a long boundary"),
        pytest.param(MULTIPART, b"--xx\r\nBad Header\r\n\r\n1\r\n--xx--", id="a bad header"),
    ],
)
def test_a_malformed_multipart_body_is_an_error(content_type: bytes, body: bytes) -> None:
    with pytest.raises(BadBody):
        forms.parse_body(content_type, body)


@given(
    st.binary(max_size=40), st.lists(st.sampled_from([b"--xx", b"--", b"\r\n", b"a", b":", part(b"a", b"1")]))
)
def test_any_body_is_read_or_refused(content_type: bytes, pieces: list[bytes]) -> None:
    for value in (MULTIPART, b"multipart/form-data" + content_type):
        try:
            assert isinstance(forms.parse_body(value, b"".join(pieces)), dict)
        except (BadBody, TooManyParameters):
            continue


def test_a_text_is_utf_8_and_an_empty_one_is_absent() -> None:
    pairs = {b"a": "ї".encode(), b"b": b"", b"c": b"\xff", b"d": b"\xed\xa0\x80"}
    assert forms.text(pairs, b"a") == "ї"
    assert forms.text(pairs, b"b") is None
    assert forms.text(pairs, b"none") is None
    for name in (b"c", b"d"):
        with pytest.raises(BadUtf8):
            forms.text(pairs, name)
