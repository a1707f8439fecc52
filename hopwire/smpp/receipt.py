"""Delivery receipts in every form SMSCs have been seen to send (SMPP 3.4, 5.2.12 and 5.3.2, appendix B).

Rule 1: a TLV outranks the text; the text is read whatever its order, case and completeness.
Rule 2: a state that is not known to be final is progress; our own timer ends such a message.
Rule 3: `sub`, `dlvrd` and the dates are not looked at: what SMSCs write there beside DELIVRD may be anything.
"""

import re

from hopwire.model import Fault, Noun, Outcome
from hopwire.smpp import pdu
from hopwire.smpp.pdu import DeliverSm


class ReceiptText(Noun, frozen=True, kw_only=True):
    """What a receipt says."""

    provider_id: str  # as the SMSC wrote it; empty when it named none
    outcome: Outcome
    code: str  # the state's word, and the network's error number when there is one
    fault: Fault
    raw: str


# What is not here, ENROUTE, ACCEPTD and UNKNOWN or a vendor's BUFFRED and ACKED, is progress.
OUTCOMES = {
    "DELIVRD": Outcome.DELIVERED,
    "DELIVERED": Outcome.DELIVERED,
    "DELIVER": Outcome.DELIVERED,  # cut to the seven letters of appendix B, as some cut every word
    "SEEN": Outcome.SEEN,
    "READ": Outcome.SEEN,
    "EXPIRED": Outcome.EXPIRED,
    "DELETED": Outcome.FAILED,
    "CANCELED": Outcome.FAILED,
    "CANCELLED": Outcome.FAILED,
    "UNDELIV": Outcome.FAILED,
    "UNDELIVERABLE": Outcome.FAILED,
    "UNDELIVERED": Outcome.FAILED,
    "UNDELIVRD": Outcome.FAILED,
    "REJECTD": Outcome.FAILED,
    "REJECTED": Outcome.FAILED,
    "REJECTE": Outcome.FAILED,
    "FAILED": Outcome.FAILED,
    "BLOCKED": Outcome.FAILED,
    "SKIPPED": Outcome.FAILED,
}

# message_state, 3.4 section 5.2.28; SKIPPED is of 5.0. 0 is SCHEDULED there, with others a TLV not filled in.
WORDS = (
    "",
    "ENROUTE",
    "DELIVRD",
    "EXPIRED",
    "DELETED",
    "UNDELIV",
    "ACCEPTD",
    "UNKNOWN",
    "REJECTD",
    "SKIPPED",
)

NO_SUCH_NUMBER = {"1", "9"}  # MAP: unknown subscriber, illegal subscriber
GSM = 3  # network type of network_error_code

# A value may be quoted and is not the name of the field after it, as it would be where a field is left empty.
FIELD = re.compile(
    r"""(?<![a-z0-9_])(id|stat|err)\s*:\s*["']?(?!(?:(?:submit|done)\s)?\w+\s*:)([^\s:,;"']+)(?![^\s,;"'])""",
    re.IGNORECASE,
)
# As appendix B writes it, and most do: then the three stand where they must, and nobody need look for them.
PLAIN = re.compile(
    r"id:(?!submit |done )([\w.-]+) sub:[0-9]* dlvrd:[0-9]* submit date:[0-9]+ done date:[0-9]+"
    r" stat:(?!submit |done )([a-z]+) err:([0-9]+) text:",
    re.IGNORECASE | re.ASCII,
)
TEXT = re.compile(r"\btext\s*:", re.IGNORECASE)
UNMARKED = re.compile(r"\s*id\s*:\s*\S+\s.*stat\s*:\s*[a-z]", re.IGNORECASE | re.DOTALL)


def parse(deliver_sm: DeliverSm) -> ReceiptText | None:
    """What the PDU says of a message of ours; None: it is no receipt but an incoming message."""
    text = _text(deliver_sm)
    if not _is_receipt(deliver_sm, text):
        return None
    fields = _fields(text)
    word = _state(deliver_sm.tlvs) or fields.get("stat", "").upper()
    err = _network_error(deliver_sm.tlvs) or fields.get("err", "")
    number = err.lower().removeprefix("0x").lstrip("0")
    return ReceiptText(
        provider_id=_receipted_id(deliver_sm.tlvs) or fields.get("id", ""),
        outcome=_outcome(deliver_sm.esm_class, word),
        code=f"{word} {err}".strip() if number else word,
        fault=Fault.NUMBER if number in NO_SUCH_NUMBER else Fault.RECIPIENT,
        raw=_raw(deliver_sm.tlvs, text),
    )


def _text(deliver_sm: DeliverSm) -> str:
    octets = deliver_sm.short_message or deliver_sm.tlvs.get(pdu.MESSAGE_PAYLOAD, b"")
    return octets.decode(_encoding(octets), "replace").replace("\0", "")


def _encoding(octets: bytes) -> str:
    """A receipt begins with ASCII; how wide it is shows there, and not in what data_coding says of it."""
    match list(octets[:2]):
        case [0xFE, 0xFF] | [0xFF, 0xFE]:
            return "utf-16"
        case [0, letter] if letter >= 0x20:
            return "utf-16-be"
        case [letter, 0] if letter >= 0x20:
            return "utf-16-le"
        case _:
            return "latin-1"


def _is_receipt(deliver_sm: DeliverSm, text: str) -> bool:
    kind = deliver_sm.esm_class & pdu.ESM_TYPE
    if kind:
        return kind == pdu.ESM_RECEIPT or kind & pdu.ESM_INTERMEDIATE != 0
    told = deliver_sm.tlvs.keys() & {pdu.RECEIPTED_MESSAGE_ID, pdu.MESSAGE_STATE}
    return bool(told) or UNMARKED.match(text) is not None


def _fields(text: str) -> dict[str, str]:
    """The first id, stat and err; the part after "text:" is the message's own and is not looked at."""
    if plain := PLAIN.match(text):
        return dict(zip(("id", "stat", "err"), plain.groups(), strict=True))
    head = TEXT.split(text, maxsplit=1)[0] or text
    return {name.lower(): value for name, value in reversed(FIELD.findall(head))}


def _state(tlvs: dict[int, bytes]) -> str:
    state = tlvs.get(pdu.MESSAGE_STATE, b"")
    return WORDS[state[0]] if state and state[0] < len(WORDS) else ""


def _receipted_id(tlvs: dict[int, bytes]) -> str:
    return tlvs.get(pdu.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("latin-1").strip()


def _network_error(tlvs: dict[int, bytes]) -> str:
    """The number in network_error_code of a GSM network; in others it means something else."""
    error = tlvs.get(pdu.NETWORK_ERROR_CODE, b"")
    return str(int.from_bytes(error[1:3], "big")) if len(error) == 3 and error[0] == GSM else ""


def _outcome(esm_class: int, word: str) -> Outcome:
    if esm_class & pdu.ESM_INTERMEDIATE:
        return Outcome.PROGRESS
    return OUTCOMES.get(word, Outcome.PROGRESS)


def _raw(tlvs: dict[int, bytes], text: str) -> str:
    return " ".join(
        [text, *(f"{tag:04x}={value.hex()}" for tag, value in tlvs.items() if tag != pdu.MESSAGE_PAYLOAD)]
    )
