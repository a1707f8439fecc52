"""What a phone makes of the short messages that reach it.

Rule: pure; whatever the octets are, something is shown and nothing raises.
"""

from hopwire import sms, wap
from hopwire.simulators.record import Shown
from hopwire.smpp.part import Part

_PUSH_PORT = 2948
_LINK_CODINGS = (0x04, 0xF5)


class Joiner:
    """Holds the parts of long messages until all are there; the oldest of many are dropped."""

    def __init__(self, limit: int = 10_000) -> None:
        self._open: dict[tuple[str, str, int | None, int], dict[int, tuple[bytes, str]]] = {}
        self._limit = limit

    def add(self, number: str, sender: str, part: Part, provider_id: str) -> tuple[bytes, list[str]] | None:
        """Take a part; give the whole payload and the ids of all parts in order, or None while one misses."""
        if part.total == 1:
            return part.payload, [provider_id]
        key = (number, sender, part.reference, part.total)
        parts = self._open.setdefault(key, {})
        parts[part.number] = (part.payload, provider_id)
        if len(parts) == part.total:
            del self._open[key]
            return b"".join(parts[n][0] for n in sorted(parts)), [parts[n][1] for n in sorted(parts)]
        if len(self._open) > self._limit:
            del self._open[next(iter(self._open))]
        return None


def show(data_coding: int, part: Part, payload: bytes, to_screen: bool = False) -> Shown:
    """What stands on the screen: a link that was pushed, a flash message or a short message.

    `part` is the last one, `payload` that of all; `to_screen`: the SMSC was told not to have it stored.
    """
    if part.port == _PUSH_PORT and data_coding in _LINK_CODINGS:
        try:
            url, text = wap.decode(payload)
            return Shown(kind="wap", url=url, text=text)
        except ValueError:
            return Shown(kind="wap", text="(a push that cannot be read)")
    text = (
        sms.decode(data_coding, payload, part.national).encode("utf-8", "replace").decode()
    )  # no lone surrogates
    return Shown(kind="flash" if to_screen or _is_flash(data_coding) else "sms", text=text)


def _is_flash(data_coding: int) -> bool:
    """Message class 0 (3GPP TS 23.038, 4): with a class and class 0, in either coding group."""
    return data_coding & 0xD3 == 0x10 or data_coding & 0xF3 == 0xF0
