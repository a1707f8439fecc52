"""What a command_status means for the message it answers.

Names and numbers: SMPP 3.4 section 5.1.3, and 5.0 section 4.7.6 for what it added.
Rule: a code that is not in the table is a final no and our configuration's matter, so that an operator looks.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from hopwire.model import Answer, Fault, Later, Never

ROK = 0x00
RINVCMDLEN = 0x02
RINVCMDID = 0x03
RINVBNDSTS = 0x04
RALYBND = 0x05
RSYSERR = 0x08
RMSGQFUL = 0x14
RTHROTTLED = 0x58
RX_T_APPN = 0x64


class Class(StrEnum):
    """What a refusal is about; the first three are temporary, the others final."""

    TEMPORARY = "temporary"  # try again later
    THROTTLED = "throttled"  # too fast: the connector slows down, the message has not failed
    SESSION = "session"  # the session is out of step: bind anew, try again
    RECIPIENT = "recipient"  # cannot be reached
    NUMBER = "number"  # a number that does not exist
    SENDER = "sender"
    CONTENT = "content"
    CONFIGURATION = "configuration"  # ours: credentials, permissions, credit upstream


class Meaning(NamedTuple):
    name: str
    kind: Class
    after_s: float = 0  # until the next try, of a temporary one
    tries: int = 0  # after so many a temporary one is final; 0: as long as the message lives


T, H, S = Class.TEMPORARY, Class.THROTTLED, Class.SESSION  # with seconds until the next try, and most tries
N, R, F, C, G = Class.NUMBER, Class.RECIPIENT, Class.SENDER, Class.CONTENT, Class.CONFIGURATION

TABLE: dict[int, Meaning] = {
    0x01: Meaning("ESME_RINVMSGLEN", C),
    RINVCMDLEN: Meaning("ESME_RINVCMDLEN", S, 5, 2),
    RINVCMDID: Meaning("ESME_RINVCMDID", S, 5, 2),
    RINVBNDSTS: Meaning("ESME_RINVBNDSTS", S, 1),
    RALYBND: Meaning("ESME_RALYBND", S, 30),  # until the peer has missed the end of the session before
    0x06: Meaning("ESME_RINVPRTFLG", C),
    0x07: Meaning("ESME_RINVREGDLVFLG", C),
    RSYSERR: Meaning("ESME_RSYSERR", T, 30),
    0x0A: Meaning("ESME_RINVSRCADR", F),
    0x0B: Meaning("ESME_RINVDSTADR", N),
    0x0C: Meaning("ESME_RINVMSGID", G),
    0x0D: Meaning("ESME_RBINDFAIL", G),
    0x0E: Meaning("ESME_RINVPASWD", G),
    0x0F: Meaning("ESME_RINVSYSID", G),
    0x11: Meaning("ESME_RCANCELFAIL", G),
    0x13: Meaning("ESME_RREPLACEFAIL", G),
    RMSGQFUL: Meaning("ESME_RMSGQFUL", H, 5),
    0x15: Meaning("ESME_RINVSERTYP", C),
    0x33: Meaning("ESME_RINVNUMDESTS", R),
    0x34: Meaning("ESME_RINVDLNAME", G),
    0x40: Meaning("ESME_RINVDESTFLAG", R),
    0x42: Meaning("ESME_RINVSUBREP", G),
    0x43: Meaning("ESME_RINVESMCLASS", C),
    0x44: Meaning("ESME_RCNTSUBDL", G),
    0x45: Meaning("ESME_RSUBMITFAIL", T, 30, 2),
    0x48: Meaning("ESME_RINVSRCTON", F),
    0x49: Meaning("ESME_RINVSRCNPI", F),
    0x50: Meaning("ESME_RINVDSTTON", N),
    0x51: Meaning("ESME_RINVDSTNPI", N),
    0x53: Meaning("ESME_RINVSYSTYP", G),
    0x54: Meaning("ESME_RINVREPFLAG", C),
    0x55: Meaning("ESME_RINVNUMMSGS", G),
    RTHROTTLED: Meaning("ESME_RTHROTTLED", H, 1),
    0x61: Meaning("ESME_RINVSCHED", T, 30),
    0x62: Meaning("ESME_RINVEXPIRY", C),
    0x63: Meaning("ESME_RINVDFTMSGID", C),
    RX_T_APPN: Meaning("ESME_RX_T_APPN", T, 30),
    0x65: Meaning("ESME_RX_P_APPN", C),
    0x66: Meaning("ESME_RX_R_APPN", C),
    0x67: Meaning("ESME_RQUERYFAIL", G),
    0xC0: Meaning("ESME_RINVOPTPARSTREAM", C),
    0xC1: Meaning("ESME_ROPTPARNOTALLWD", C),
    0xC2: Meaning("ESME_RINVPARLEN", C),
    0xC3: Meaning("ESME_RMISSINGOPTPARAM", C),
    0xC4: Meaning("ESME_RINVOPTPARAMVAL", C),
    0xFE: Meaning("ESME_RDELIVERYFAILURE", T, 30),
    0xFF: Meaning("ESME_RUNKNOWNERR", T, 30, 2),
    0x100: Meaning("ESME_RSERTYPUNAUTH", C),
    0x101: Meaning("ESME_RPROHIBITED", C),
    0x102: Meaning("ESME_RSERTYPUNAVAIL", T, 60),
    0x103: Meaning("ESME_RSERTYPDENIED", C),
    0x104: Meaning("ESME_RINVDCS", C),
}


VENDOR = Meaning("", Class.CONFIGURATION)  # a code that nobody has explained

FAULTS = {
    Class.RECIPIENT: Fault.RECIPIENT,
    Class.NUMBER: Fault.NUMBER,
    Class.SENDER: Fault.SENDER,
    Class.CONTENT: Fault.CONTENT,
    Class.CONFIGURATION: Fault.CONFIGURATION,
}
AFTER_S = {Class.TEMPORARY: 30.0, Class.THROTTLED: 1.0, Class.SESSION: 1.0}  # of a code with a class alone


def name(status: int) -> str:
    """The specification's name, or the number in hexadecimal where it has none."""
    if status == ROK:
        return "ESME_ROK"
    return TABLE[status].name if status in TABLE else f"0x{status:08X}"


class Statuses:
    """The table, and over it what an operator has said of one SMSC's own codes.

    `own`: a code or a range of codes, `0x400` or `1024-1039`, to the value of a `Class`; raises ValueError.
    """

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        self._own = [(*_range(codes), Class(kind)) for codes, kind in (own or {}).items()]

    def meaning(self, status: int) -> Meaning:
        """What the code means at this SMSC; of the ranges that hold it the first one counts."""
        for first, last, kind in self._own:
            if first <= status <= last:
                return Meaning(name(status), kind, AFTER_S.get(kind, 0))
        return TABLE.get(status, VENDOR)

    def answer(self, status: int) -> Answer:
        """What a response with this command_status, other than ESME_ROK, says of its request."""
        _, kind, after_s, tries = self.meaning(status)
        if kind in FAULTS:
            return Never(name(status), FAULTS[kind])
        return Later(after_s, name(status), throttled=kind is Class.THROTTLED, tries=tries)

    def nacked(self, status: int) -> Answer:
        """What a generic_nack says of the request it names.

        The peer could not read the request at all (3.4 section 4.3.1): sending it again would not help. A
        code that says neither this nor anything temporary is taken as a system error.
        """
        if status in {RINVCMDLEN, RINVCMDID}:
            return Never(name(status), Fault.CONFIGURATION)
        said = self.answer(status)
        return said if isinstance(said, Later) else self.answer(RSYSERR)


def _range(codes: str) -> tuple[int, int]:
    first, _, last = codes.partition("-")
    low, high = int(first, 0), int(last or first, 0)
    if low > high:
        raise ValueError(f"the range {codes} is the wrong way round")
    return low, high
