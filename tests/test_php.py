from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire.web import php


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(84523377, "i:84523377;", id="an integer"),
        pytest.param(-1, "i:-1;", id="a negative one"),
        pytest.param("test", 's:4:"test";', id="a string"),
        pytest.param("її", 's:4:"її";', id="octets are counted"),
        pytest.param('"; ', 's:3:""; ";', id="nothing is escaped"),
        pytest.param([], "a:0:{}", id="an empty list"),
        pytest.param(["a", 1], 'a:2:{i:0;s:1:"a";i:1;i:1;}', id="a list"),
        pytest.param({5: "a"}, 'a:1:{i:5;s:1:"a";}', id="numbers as keys"),
        pytest.param(
            {"id": 84523377, "sms_count": 1, "errors": []},
            'a:3:{s:2:"id";i:84523377;s:9:"sms_count";i:1;s:6:"errors";a:0:{}}',
            id="an answer",
        ),
        pytest.param(
            {"errors": ["Wrong login/password"]},
            'a:1:{s:6:"errors";a:1:{i:0;s:20:"Wrong login/password";}}',
            id="an error",
        ),
    ],
)
def test_values_are_written_as_php_writes_them(value: php.Value, written: str) -> None:
    assert php.serialize(value) == written.encode()


def test_the_alphabet_has_no_character_that_a_query_would_quote() -> None:
    assert b64encode(b"\xff\xef\xfe?") == b"/+/+Pw=="
    assert php.encode64(b"\xff\xef\xfe?") == b"_-_-Pw,,"


@given(st.binary())
def test_what_is_written_is_read_with_its_padding_and_without(data: bytes) -> None:
    written = php.encode64(data)
    assert php.decode64(written) == php.decode64(written.rstrip(b",")) == data


@pytest.mark.parametrize("data", [b"a", b"ab cd", b"a,bc", b"abcd,,,,a", b"\xff\xff\xff\xff", b"abc\n"])
def test_anything_else_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        php.decode64(data)
