"""What a picture is, by its first bytes: its format and its size in pixels.

Sources: PNG (ISO/IEC 15948, 5.2 and 11.2.2), GIF89a (17 and 18), JPEG (ITU-T T.81, B.1 and B.2.2).
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from hopwire.errors import ApiError, ImageBadPixels, ImageOfOtherKind

MOST_PIXELS = 10_000  # wide or high
EXTENSIONS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".gif": "gif"}

_STANDS_ALONE = {0x01, *range(0xD0, 0xD8)}  # JPEG markers without a segment: TEM, RSTn
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the others are tables
_NO_FRAME = {0xD9, 0xDA}  # the end or the scan has come


class Picture(NamedTuple):
    kind: str  # "jpeg", "png" or "gif"
    width: int  # pixels
    height: int


def look(head: bytes) -> Picture | None:
    """The picture that begins with these bytes; None: they begin none, or are too few to tell."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR" and len(head) >= 24:
        return Picture("png", int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        return Picture("gif", int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"))
    return _jpeg(head) if head.startswith(b"\xff\xd8") else None


def _jpeg(head: bytes) -> Picture | None:
    """Go from segment to segment until the frame's."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _STANDS_ALONE:
            at += 2
        elif marker in _FRAMES:
            height, width = int.from_bytes(head[at + 5 : at + 7]), int.from_bytes(head[at + 7 : at + 9])
            return Picture("jpeg", width, height)
        elif marker in _NO_FRAME:
            return None
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return None


def wrong(url: str, head: bytes) -> type[ApiError] | None:
    """What is wrong with the picture that a link gave; None: nothing."""
    picture = look(head)
    path = urlsplit(url).path.lower()
    if picture is None or picture.kind != EXTENSIONS.get(path[path.rfind(".") :]):
        return ImageOfOtherKind
    sides = (picture.width, picture.height)
    return None if all(1 <= side <= MOST_PIXELS for side in sides) else ImageBadPixels
