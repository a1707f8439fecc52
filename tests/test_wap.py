import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire import wap

# What another gateway sent for http://www.example.com/page.html with the text "Hi".
REFERENCE = bytes.fromhex("dc0601ae02056a0045c60d036578616d706c65008503706167652e68746d6c0001034869000101")
HEAD = bytes.fromhex("dc0601ae02056a0045c6")


def test_a_push_is_written_as_others_write_it() -> None:
    assert wap.encode("http://www.example.com/page.html", "Hi") == REFERENCE


def test_an_id_and_a_priority_are_skipped() -> None:
    push = HEAD + (
        b"\x0d\x03example\0\x85\x03page.html\0\x11\x03a1@example.com\0\x07\x01\x03Hello WAP\0\x01\x01"
    )
    assert wap.decode(push) == ("http://www.example.com/page.html", "Hello WAP")


def test_dates_are_skipped() -> None:
    push = (
        HEAD
        + b"\x0a\xc3\x07\x20\x26\x11\x23\x10\x11\x12\x0f\x03a.example\0\x10\xc3\x01\x01\x01\x03Hi\0\x01\x01"
    )
    assert wap.decode(push) == ("https://www.a.example", "Hi")


@pytest.mark.parametrize(
    ("url", "written"),
    [
        pytest.param("http://a.example", b"\x0c\x03a.example\0", id="http"),
        pytest.param("http://www.a.example", b"\x0d\x03a.example\0", id="http www"),
        pytest.param("https://a.example", b"\x0e\x03a.example\0", id="https"),
        pytest.param("https://www.a.example", b"\x0f\x03a.example\0", id="https www"),
        pytest.param("HTTP://a.example", b"\x0b\x03HTTP://a.example\0", id="no known beginning"),
        pytest.param("http://a.com/", b"\x0c\x03a\0\x85", id="com"),
        pytest.param("http://a.edu/b", b"\x0c\x03a\0\x86\x03b\0", id="edu"),
        pytest.param("http://a.net/b.org/", b"\x0c\x03a\0\x87\x03b\0\x88", id="net and org"),
        pytest.param("http://a.com", b"\x0c\x03a.com\0", id="com without a slash is no token"),
    ],
)
def test_the_tokens_of_a_link(url: str, written: bytes) -> None:
    push = wap.encode(url, "т")
    assert push == HEAD + written + b"\x01\x03\xd1\x82\0\x01\x01"
    assert wap.decode(push) == (url, "т")


def test_a_nul_cannot_be_part_of_a_text() -> None:
    assert wap.decode(wap.encode("http://a.example", "a\0b")) == ("http://a.example", "ab")


@given(
    st.lists(st.sampled_from(["http://", "https://", "www.", "a", "Ї", ".com/", ".org", "/", "?"])).map(
        "".join
    ),
    st.text(st.characters(exclude_characters="\0", codec="utf-8")),
)
def test_what_is_written_is_read(url: str, text: str) -> None:
    assert wap.decode(wap.encode(url, text)) == (url, text)


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_can_be_written(text: str) -> None:
    assert wap.decode(wap.encode(text, text))


@given(st.binary())
def test_something_else_is_a_value_error(data: bytes) -> None:
    for push in (data, HEAD + data):
        try:
            url, text = wap.decode(push)
        except ValueError:
            continue
        assert isinstance(url + text, str)
