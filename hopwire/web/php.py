"""What the encoded dialect of /api/http.php is written in: PHP's `serialize` and an alphabet of base64.

Rule: serialized data is only ever written. Nothing that arrives is unserialized.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

Value = int | str | Sequence["Value"] | Mapping[str, "Value"] | Mapping[int, "Value"]

_TO_WIRE = bytes.maketrans(b"+/=", b"-_,")
_FROM_WIRE = bytes.maketrans(b"-_,", b"+/=")


def serialize(value: Value) -> bytes:
    """Write a value as PHP would: a string's length counts UTF-8 octets, a list is an array from 0."""
    match value:
        case int():
            return b"i:%d;" % value
        case str():
            data = value.encode()
            return b's:%d:"%b";' % (len(data), data)
        case Mapping():
            items = [serialize(key) + serialize(item) for key, item in value.items()]
        case _:
            items = [serialize(key) + serialize(item) for key, item in enumerate(value)]
    return b"a:%d:{%b}" % (len(items), b"".join(items))


def encode64(data: bytes) -> bytes:
    """Write base64 with `-_,` for `+/=`."""
    return b64encode(data).translate(_TO_WIRE)


def decode64(data: bytes) -> bytes:
    """Read what `encode64` writes, also without its padding; ValueError for anything else."""
    padding = b"=" * (-len(data) % 4)
    return b64decode(data.translate(_FROM_WIRE) + padding, validate=True)
