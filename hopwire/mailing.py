"""The same message to a list: how gaps are filled, and what may become of a mailing and its rows.

Rule 1: a gap is filled with what stands in the row, and with nothing else: there is no logic in a text.
Rule 2: a row that has become a message stays that message, whatever happens to its mailing.
"""

import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum

from msgspec.structs import replace

from hopwire import lists, phone
from hopwire.contents import Draft, Fits, compose
from hopwire.errors import CATALOGUE, ApiError, BadRecipient
from hopwire.model import Noun, SendRequest

REASONS = {  # of rows that cannot be sent, beside the errors of the catalogue
    "no_value": "The row has no value for the field",
    "unreadable": "The line cannot be read: its quotation marks do not match",
    "rounded": "The spreadsheet has rounded the number; make the column text and save it again",
    "no_route": "There is no route to this number",
    "repeated": "The number stands in the list more than once",
    "erased": "The number was erased at the wish of its owner",
}


class State(StrEnum):
    """Of a mailing."""

    READING = "reading"  # its rows are still coming
    CHECKING = "checking"
    READY = "ready"  # and waits to be started
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"

    @property
    def ended(self) -> bool:
        return self in (State.STOPPED, State.DONE)


class RowState(IntEnum):
    WAITING = 0  # to be checked
    GOOD = 1  # and waits to be sent
    BAD = 2
    REPEATED = 3  # its number is in the list before
    SENT = 4  # it has become a message
    REFUSED = 5


class Command(StrEnum):
    """What its owner may want of a mailing."""

    START = "start"
    PAUSE = "pause"
    GO_ON = "go on"
    STOP = "stop"


class Mailing(Noun, frozen=True, kw_only=True):
    id: int
    account_id: int
    created_at: int
    name: str
    draft: Draft | None  # None: it is forgotten
    state: State
    reason: str  # why it is paused, an error's code; "": its owner wanted it
    starts_at: int | None  # None: at once
    total: int  # rows, of which there are:
    good: int
    bad: int
    repeated: int
    accepted: int  # good ones that have become messages
    refused: int  # good ones that could not
    parts: int  # short messages, of all good ones
    price: int  # what all good ones may cost at most
    ended_at: int | None

    @property
    def checked(self) -> int:
        return self.good + self.bad + self.repeated

    @property
    def sent(self) -> int:
        """How many rows there is nothing more to do for."""
        return self.accepted + self.refused


def after(mailing: Mailing, command: Command) -> State | None:
    """Where the command brings it; None: it makes no sense now."""
    match command, mailing.state:
        case Command.START, State.READY if mailing.good:
            return State.SENDING
        case Command.PAUSE, State.CHECKING | State.SENDING:
            return State.PAUSED
        case Command.GO_ON, State.PAUSED:
            return State.CHECKING if mailing.checked < mailing.total else State.SENDING
        case Command.STOP, state if not state.ended:
            return State.STOPPED
        case _:
            return None


def told(error: str) -> tuple[str, str]:
    """A row's error in words, and the field that it is about ("": none)."""
    code, _, field = error.partition(":")
    return (REASONS.get(code) or CATALOGUE[code].text), field


# ---- gaps

_GAP = re.compile(r"\{\{\s*([^{}|]{1,64}?)\s*(?:\|([^{}]*))?\}\}")


class NoValueError(Exception):
    """Nothing stands in the row for this gap."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def written(draft: Draft) -> list[str]:
    """The fields of a draft that are part of its message and may have gaps."""
    words, tap = draft.viber_type != "image", draft.viber_type != "text"
    own = words and bool(draft.viber_message)
    used = {
        "message": draft.sms or not draft.viber or (words and not own),
        "viber_message": draft.viber and own,
        "viber_image": draft.viber and tap,
        "viber_url": draft.viber and tap,
        "viber_button": draft.viber and draft.viber_type == "button",
    }
    return [field for field, is_used in used.items() if is_used]


def gaps(draft: Draft) -> dict[str, bool]:
    """The names of the gaps, in small letters, and whether a row must have the value: one has no default."""
    found: dict[str, bool] = {}
    for field in written(draft):
        for name, default in ((one[1], one[2]) for one in _GAP.finditer(getattr(draft, field))):
            found[name.casefold()] = found.get(name.casefold(), False) or default is None
    return found


def fill(draft: Draft, values: Mapping[str, str]) -> Draft:
    """The draft without gaps; raises NoValueError."""
    open_ = {field: text for field in written(draft) if "{{" in (text := getattr(draft, field))}
    if not open_:
        return draft
    return replace(draft, **{field: _filled(text, values) for field, text in open_.items()})


def _filled(text: str, values: Mapping[str, str]) -> str:
    def value(gap: re.Match[str]) -> str:
        found = values.get(gap[1].casefold(), "").strip() or gap[2]
        if found is None:
            raise NoValueError(gap[1])
        return found

    return _GAP.sub(value, text)


def request(
    draft: Draft, number: str, values: Mapping[str, str], home_country: str, fits: Fits
) -> SendRequest:
    """The message of a row. Raises NoValueError, and the ApiError of the first thing that is wrong."""
    found = phone.parse(number, home_country)
    if found is None:
        raise BadRecipient
    return compose(fill(draft, values), found, fits)


def asked(
    draft: Draft, number: str, values: Mapping[str, str], home_country: str, fits: Fits
) -> SendRequest | str:
    """The message of a row, or the row's error."""
    try:
        return request(draft, number, values, home_country, fits)
    except NoValueError as exc:
        return f"no_value:{exc.name}"
    except BadRecipient:
        return "rounded" if lists.rounded(number) else BadRecipient.code
    except ApiError as exc:
        return exc.code
