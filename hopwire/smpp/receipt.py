"""Delivery receipts in every form SMSCs have been seen to send (SMPP 3.4, 5.2.12 and 5.3.2, appendix B).

Rule 1: a TLV outranks the text; the text is read whatever its order, case and completeness.
Rule 2: a state that is not known to be final is progress; our own timer ends such a message.
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


OUTCOMES = {
    "SCHEDULED": Outcome.PROGRESS,
    "ENROUTE": Outcome.PROGRESS,
    "ACCEPTD": Outcome.PROGRESS,
    "ACCEPTED": Outcome.PROGRESS,
    "UNKNOWN": Outcome.PROGRESS,
    "DELIVRD": Outcome.DELIVERED,
    "DELIVERED": Outcome.DELIVERED,
    "SEEN": Outcome.SEEN,
    "READ": Outcome.SEEN,
    "EXPIRED": Outcome.EXPIRED,
    "DELETED": Outcome.FAILED,
    "UNDELIV": Outcome.FAILED,
    "UNDELIVERABLE": Outcome.FAILED,
    "UNDELIVERED": Outcome.FAILED,
    "REJECTD": Outcome.FAILED,
    "REJECTED": Outcome.FAILED,
    "FAILED": Outcome.FAILED,
    "SKIPPED": Outcome.FAILED,
}

# message_state, 3.4 section 5.2.28; SCHEDULED and SKIPPED are of 5.0
WORDS = (
    "SCHEDULED",
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
UCS2 = 0x08

FIELD = re.compile(r"(?<![a-z0-9_])(id|stat|err):[ ]*([^\s:]+)(?!\S)", re.IGNORECASE)
UNMARKED = re.compile(r"id:\S+ .*stat:", re.IGNORECASE | re.DOTALL)


def parse(deliver_sm: DeliverSm) -> ReceiptText | None:
    """What the PDU says of a message of ours; None: it is no receipt but an incoming message."""
    text = _text(deliver_sm)
    if not _is_receipt(deliver_sm, text):
        return None
    fields = _fields(text)
    word = _state(deliver_sm.tlvs) or fields.get("stat", "").upper()
    err = _network_error(deliver_sm.tlvs) or fields.get("err", "")
    return ReceiptText(
        provider_id=_receipted_id(deliver_sm.tlvs) or fields.get("id", ""),
        outcome=_outcome(deliver_sm.esm_class, word),
        code=f"{word} {err}".strip() if err.strip("0") else word,
        fault=Fault.NUMBER if err.lstrip("0") in NO_SUCH_NUMBER else Fault.RECIPIENT,
        raw=_raw(deliver_sm.tlvs, text),
    )


def key(provider_id: str) -> str:
    """The form in which the id in an answer and the id in its receipt are compared.

    SMSCs change the case between the two and add or drop leading zeros.
    """
    return provider_id.lower().lstrip("0") or provider_id[:1]


def _text(deliver_sm: DeliverSm) -> str:
    octets = deliver_sm.short_message or deliver_sm.tlvs.get(pdu.MESSAGE_PAYLOAD, b"")
    wide = deliver_sm.data_coding == UCS2 and b"\0" in octets  # some send ASCII and call it UCS-2
    return octets.decode("utf-16-be" if wide else "latin-1", "replace")


def _is_receipt(deliver_sm: DeliverSm, text: str) -> bool:
    kind = deliver_sm.esm_class & pdu.ESM_TYPE
    if kind:
        return kind in {pdu.ESM_RECEIPT, pdu.ESM_INTERMEDIATE}
    return pdu.RECEIPTED_MESSAGE_ID in deliver_sm.tlvs or UNMARKED.match(text) is not None


def _fields(text: str) -> dict[str, str]:
    """The first id, stat and err; the part after "text:" is the message's own and is not looked at."""
    head = re.split(r"\btext:", text, maxsplit=1, flags=re.IGNORECASE)[0] or text
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
    if esm_class & pdu.ESM_TYPE == pdu.ESM_INTERMEDIATE:
        return Outcome.PROGRESS
    return OUTCOMES.get(word, Outcome.PROGRESS)


def _raw(tlvs: dict[int, bytes], text: str) -> str:
    return " ".join(
        [text, *(f"{tag:04x}={value.hex()}" for tag, value in tlvs.items() if tag != pdu.MESSAGE_PAYLOAD)]
    )
