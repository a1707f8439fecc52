"""What a picture is, by its first bytes."""

import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire.errors import ApiError, ImageBadPixels, ImageOfOtherKind
from hopwire.images import Picture, look, wrong


def png(width: int = 800, height: int = 600) -> bytes:
    """A whole picture of one chunk, as far as anybody looks."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def gif(width: int = 800, height: int = 600, version: bytes = b"GIF89a") -> bytes:
    return version + struct.pack("<HH", width, height) + b"\x80\x00\x00"


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def jpeg(width: int = 800, height: int = 600, frame: int = 0xC0, before: bytes = b"") -> bytes:
    start = b"\xff\xd8" + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    sizes = segment(frame, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    return start + before + sizes + segment(0xDA, b"\1\1\0\0\x3f\0") + b"\0\xff\xd9"


THUMBNAIL = segment(0xE1, b"Exif\0\0" + jpeg(160, 120))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(png(), "png", id="PNG"),
        pytest.param(gif(), "gif", id="GIF"),
        pytest.param(gif(version=b"GIF87a"), "gif", id="the older GIF"),
        pytest.param(jpeg(), "jpeg", id="JPEG"),
        pytest.param(jpeg(frame=0xC2), "jpeg", id="progressive JPEG"),
        pytest.param(jpeg(before=THUMBNAIL), "jpeg", id="not the thumbnail"),
        pytest.param(jpeg(before=segment(0xC4, b"tables")), "jpeg", id="not the tables"),
        pytest.param(jpeg(before=b"\xff\xff\xff"), "jpeg", id="fill bytes"),
        pytest.param(jpeg(before=b"\xff\x01"), "jpeg", id="a marker that stands alone"),
        pytest.param(jpeg(before=segment(0xE2, b"x" * 65_000) * 9), "jpeg", id="behind much else"),
    ],
)
def test_a_picture_is_known_with_its_size(data: bytes, kind: str) -> None:
    assert look(data) == Picture(kind, 800, 600)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>\x89PNG</html>", id="HTML"),
        pytest.param(png()[:20], id="half a PNG header"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"x" * 30, id="a PNG without a header"),
        pytest.param(gif()[:9], id="half a GIF header"),
        pytest.param(jpeg()[:2], id="the beginning of a JPEG"),
        pytest.param(jpeg(before=THUMBNAIL)[:80], id="a JPEG that ends before its frame"),
        pytest.param(jpeg(before=b"x"), id="a JPEG with something between"),
        pytest.param(
            b"\xff\xd8" + segment(0xDA, b"\1\1\0\0\x3f\0") + b"\0" * 20, id="a JPEG without a frame"
        ),
        pytest.param(b"\xff\xd8\xff\xd9" + jpeg(), id="a JPEG that has ended"),
        pytest.param(b"\xff\xd8" + b"\xff" * 1000, id="fill bytes for ever"),
        pytest.param(b"RIFF\0\0\0\0WEBPVP8 ", id="WebP"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="SVG"),
    ],
)
def test_what_is_no_picture_is_none(data: bytes) -> None:
    assert look(data) is None


@pytest.mark.parametrize("make", [png, gif, jpeg])
@given(width=st.integers(0, 65_535), height=st.integers(0, 65_535), behind=st.binary(max_size=20))
def test_any_size_is_read(make: Callable[[int, int], bytes], width: int, height: int, behind: bytes) -> None:
    found = look(make(width, height) + behind)
    assert found is not None
    assert (found.width, found.height) == (width, height)


@given(st.sampled_from([b"", b"\xff\xd8", png()[:16], gif()[:6], jpeg()[:20]]), st.binary(max_size=300))
def test_any_bytes_are_looked_at(before: bytes, data: bytes) -> None:
    assert isinstance(look(before + data), Picture | None)


@pytest.mark.parametrize(
    ("url", "data", "error"),
    [
        pytest.param("https://a.example/x.png", png(), None, id="PNG"),
        pytest.param("https://a.example/X.JPG?v=2.png#a", jpeg(), None, id="JPEG in capitals"),
        pytest.param("https://a.example/x.jpeg", jpeg(), None, id="JPEG in full"),
        pytest.param("https://a.example/b.c/x.gif", gif(), None, id="GIF"),
        pytest.param("https://a.example/x.png", png(10_000, 1), None, id="as wide as may be"),
        pytest.param("https://a.example/x.png", png(10_001, 1), ImageBadPixels, id="too wide"),
        pytest.param("https://a.example/x.gif", gif(1, 10_001), ImageBadPixels, id="too high"),
        pytest.param("https://a.example/x.png", png(0, 5), ImageBadPixels, id="no width"),
        pytest.param("https://a.example/x.jpg", jpeg(5, 0), ImageBadPixels, id="no height"),
        pytest.param("https://a.example/x.png", png(2**32 - 1, 2**32 - 1), ImageBadPixels, id="huge"),
        pytest.param("https://a.example/x.png", jpeg(), ImageOfOtherKind, id="a JPEG by the name of a PNG"),
        pytest.param("https://a.example/x.jpg", png(), ImageOfOtherKind, id="a PNG by the name of a JPEG"),
        pytest.param("https://a.example/x.png", b"<html>", ImageOfOtherKind, id="HTML by the name of a PNG"),
        pytest.param("https://a.example/x", png(), ImageOfOtherKind, id="no extension"),
        pytest.param("https://a.png/x", png(), ImageOfOtherKind, id="a host that has it"),
    ],
)
def test_a_picture_must_be_what_its_link_says(url: str, data: bytes, error: type[ApiError] | None) -> None:
    assert wrong(url, data) is error
