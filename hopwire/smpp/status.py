"""What a command_status means for the message it answers.

Names and numbers: SMPP 3.4 section 5.1.3, and 5.0 section 4.7.6 for what it added.
Rule: a code that is not in the table is a final no and our configuration's matter, so that an operator looks.
"""

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

THROTTLED = frozenset({RMSGQFUL, RTHROTTLED})
REBIND = frozenset({RINVBNDSTS, RALYBND})  # the session is out of step, not the message

# A number: temporary, seconds until the next try. A fault: final.
TABLE: dict[int, tuple[str, float | Fault]] = {
    0x01: ("ESME_RINVMSGLEN", Fault.CONTENT),
    RINVCMDLEN: ("ESME_RINVCMDLEN", Fault.CONFIGURATION),
    RINVCMDID: ("ESME_RINVCMDID", Fault.CONFIGURATION),
    RINVBNDSTS: ("ESME_RINVBNDSTS", 1),
    RALYBND: ("ESME_RALYBND", 30),  # until the peer has missed the end of the session before
    0x06: ("ESME_RINVPRTFLG", Fault.CONTENT),
    0x07: ("ESME_RINVREGDLVFLG", Fault.CONTENT),
    RSYSERR: ("ESME_RSYSERR", 30),
    0x0A: ("ESME_RINVSRCADR", Fault.SENDER),
    0x0B: ("ESME_RINVDSTADR", Fault.NUMBER),
    0x0C: ("ESME_RINVMSGID", Fault.CONFIGURATION),
    0x0D: ("ESME_RBINDFAIL", Fault.CONFIGURATION),
    0x0E: ("ESME_RINVPASWD", Fault.CONFIGURATION),
    0x0F: ("ESME_RINVSYSID", Fault.CONFIGURATION),
    0x11: ("ESME_RCANCELFAIL", Fault.CONFIGURATION),
    0x13: ("ESME_RREPLACEFAIL", Fault.CONFIGURATION),
    RMSGQFUL: ("ESME_RMSGQFUL", 5),
    0x15: ("ESME_RINVSERTYP", Fault.CONTENT),
    0x33: ("ESME_RINVNUMDESTS", Fault.RECIPIENT),
    0x34: ("ESME_RINVDLNAME", Fault.CONFIGURATION),
    0x40: ("ESME_RINVDESTFLAG", Fault.RECIPIENT),
    0x42: ("ESME_RINVSUBREP", Fault.CONFIGURATION),
    0x43: ("ESME_RINVESMCLASS", Fault.CONTENT),
    0x44: ("ESME_RCNTSUBDL", Fault.CONFIGURATION),
    0x45: ("ESME_RSUBMITFAIL", 30),
    0x48: ("ESME_RINVSRCTON", Fault.SENDER),
    0x49: ("ESME_RINVSRCNPI", Fault.SENDER),
    0x50: ("ESME_RINVDSTTON", Fault.NUMBER),
    0x51: ("ESME_RINVDSTNPI", Fault.NUMBER),
    0x53: ("ESME_RINVSYSTYP", Fault.CONFIGURATION),
    0x54: ("ESME_RINVREPFLAG", Fault.CONTENT),
    0x55: ("ESME_RINVNUMMSGS", Fault.CONFIGURATION),
    RTHROTTLED: ("ESME_RTHROTTLED", 1),
    0x61: ("ESME_RINVSCHED", 30),
    0x62: ("ESME_RINVEXPIRY", Fault.CONTENT),
    0x63: ("ESME_RINVDFTMSGID", Fault.CONTENT),
    RX_T_APPN: ("ESME_RX_T_APPN", 30),
    0x65: ("ESME_RX_P_APPN", Fault.CONTENT),
    0x66: ("ESME_RX_R_APPN", Fault.CONTENT),
    0x67: ("ESME_RQUERYFAIL", Fault.CONFIGURATION),
    0xC0: ("ESME_RINVOPTPARSTREAM", Fault.CONTENT),
    0xC1: ("ESME_ROPTPARNOTALLWD", Fault.CONTENT),
    0xC2: ("ESME_RINVPARLEN", Fault.CONTENT),
    0xC3: ("ESME_RMISSINGOPTPARAM", Fault.CONTENT),
    0xC4: ("ESME_RINVOPTPARAMVAL", Fault.CONTENT),
    0xFE: ("ESME_RDELIVERYFAILURE", 30),
    0xFF: ("ESME_RUNKNOWNERR", 30),
    0x100: ("ESME_RSERTYPUNAUTH", Fault.CONTENT),
    0x101: ("ESME_RPROHIBITED", Fault.CONTENT),
    0x102: ("ESME_RSERTYPUNAVAIL", 60),
    0x103: ("ESME_RSERTYPDENIED", Fault.CONTENT),
    0x104: ("ESME_RINVDCS", Fault.CONTENT),
}


def name(status: int) -> str:
    """The specification's name, or the number in hexadecimal where it has none."""
    if status == ROK:
        return "ESME_ROK"
    return TABLE[status][0] if status in TABLE else f"0x{status:08X}"


def answer(status: int) -> Answer:
    """What a response with this command_status, other than ESME_ROK, says of its request."""
    meaning = TABLE[status][1] if status in TABLE else Fault.CONFIGURATION
    if isinstance(meaning, Fault):
        return Never(name(status), meaning)
    return Later(meaning, name(status), throttled=status in THROTTLED)


def nacked(status: int) -> Answer:
    """What a generic_nack says of the request it names.

    The peer could not read the request at all (3.4 section 4.3.1): sending it again would not help. A code
    that says neither this nor anything temporary is taken as a system error.
    """
    if status in {RINVCMDLEN, RINVCMDID}:
        return Never(name(status), Fault.CONFIGURATION)
    said = answer(status)
    return said if isinstance(said, Later) else answer(RSYSERR)
