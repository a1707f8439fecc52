"""Message ids: the one in the answer to a submit, and the one in its receipt, which SMSCs write differently.

Rule 1: ids are compared in one form, `key`: lower-case, without leading zeros.
Rule 2: what an SMSC does beyond that is a setting, or learned; until it is known, an id that has several
spellings is believed of a message to the same number first.
"""

import re
from collections import deque
from typing import NamedTuple

EVIDENCE = 5  # receipts in a row that must say the same before it counts as learned
REPEATS = 3  # answers with an id that others had before, after which ids are of no use
RECENT = 8  # ids that are remembered for that

_DECIMAL = re.compile(r"[0-9]{1,20}")
_HEXADECIMAL = re.compile(r"[0-9a-f]{1,16}")


def key(provider_id: str) -> str:
    """The form in which the id in an answer and the id in its receipt are compared.

    SMSCs change the case between the two and add or drop leading zeros.
    """
    return provider_id.lower().lstrip("0") or provider_id[:1]


class Spelling(NamedTuple):
    """An id in a receipt, as it may stand in the answer."""

    provider_id: str
    also: tuple[str, ...] = ()


def as_answered(receipt_key: str, form: str) -> str:
    """The key that the answer had, where receipts are of this form; "" where there can be none."""
    match form:
        case "same":
            return receipt_key
        case "hex_to_dec" if _DECIMAL.fullmatch(receipt_key):
            return format(int(receipt_key), "x")
        case "dec_to_hex" if _HEXADECIMAL.fullmatch(receipt_key):
            return str(int(receipt_key, 16))
        case _:
            return ""


FORMS = ("same", "hex_to_dec", "dec_to_hex")
WORDS = {
    "same": "receipts carry the ids of the answers",
    "hex_to_dec": "receipts carry in decimal the hexadecimal ids of the answers",
    "dec_to_hex": "receipts carry in hexadecimal the decimal ids of the answers",
    "none": "the SMSC answers the same id again and again; receipts go by their number",
}


class Ids:
    """What is known of one connector's ids. `setting` is one of FORMS, "none" or "auto"."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self.learned = ""  # of "auto"; also "none"
        self._last, self._evidence, self._lost = "", 0, 0
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._repeats = 0

    @property
    def form(self) -> str:
        """How receipts' ids are read now: one of FORMS, "none", or "auto" while that is not known."""
        return self.learned or self._setting

    def of_answer(self, message_id: str) -> str:
        """The id under which receipts will find the message; "" where ids are of no use."""
        if self.form == "none":
            return ""
        found = key(message_id)
        if self._setting == "auto" and found:
            self._repeats = self._repeats + 1 if found in self._recent else 0
            self._recent.append(found)
            if self._repeats >= REPEATS:
                self.learned, found = "none", ""
        return found

    def of_receipt(self, receipt_id: str) -> Spelling:
        """The ids that the message of a receipt may have."""
        found = key(receipt_id)
        if self.form == "none" or not found:
            return Spelling("")
        if self.form != "auto":
            return Spelling(as_answered(found, self.form) or found)
        others = dict.fromkeys(as_answered(found, form) for form in FORMS)
        return Spelling(found, tuple(one for one in others if one and one != found))

    def matched(self, receipt_id: str, provider_id: str | None) -> bool:
        """Under which id the message of a receipt was found, if it was; whether something was learned by it.

        An id that is written the same in several forms proves nothing. What was learned is forgotten when
        receipts in a row find no message by it.
        """
        if self._setting != "auto" or self.learned == "none":
            return False
        if provider_id is None:
            self._lost += 1
            if self._lost >= EVIDENCE:
                self.learned, self._evidence = "", 0
            return False
        self._lost = 0
        found = key(receipt_id)
        fitting = [form for form in FORMS if as_answered(found, form) == provider_id]
        if len(fitting) != 1:
            return False
        self._evidence = self._evidence + 1 if fitting[0] == self._last else 1
        self._last = fitting[0]
        if self._evidence < EVIDENCE or self.learned == self._last:
            return False
        self.learned = self._last
        return True
