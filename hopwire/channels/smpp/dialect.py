"""What one SMSC wants: our hand-overs as its PDUs, its PDUs in our words.

Rule: every way in which SMSCs differ is a setting, and is applied here; nothing else knows of it.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from hopwire import sms
from hopwire.config import SmppConnector
from hopwire.model import Answer, Fact, FlashSms, Handover, Incoming, Receipt, SmsText, Taken, WapPush
from hopwire.smpp import receipt
from hopwire.smpp.ids import Ids
from hopwire.smpp.part import read_part
from hopwire.smpp.pdu import (
    DEST_ADDR_SUBUNIT,
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    Bind,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
)
from hopwire.smpp.status import Statuses

MAX_VALIDITY_S = 30 * 86_400
ALPHANUMERIC = 5  # type of number (3.4 section 5.2.5)
RECEIPT, INTERMEDIATE = 0x01, 0x10  # registered_delivery (3.4 section 5.2.17)
DISPLAY = b"\x01"  # dest_addr_subunit: the screen of the phone (3.4 section 5.3.2.1)
NUMBER = re.compile(r"[0-9]{7,15}")
SMALLEST_NUMBER = 7  # digits; what has fewer is a short number

BINDS: dict[str, tuple[type[Bind], ...]] = {  # the connections of one session, by `bind`
    "transceiver": (BindTransceiver,),
    "transmitter+receiver": (BindTransmitter, BindReceiver),
    "transmitter": (BindTransmitter,),
}
DEFAULT_CODING, LATIN1 = 0x00, 0x03  # data_coding (3.4 section 5.2.19)
FLASH_CODING = {  # what becomes of class 0 with the default alphabet and with UCS-2, by `flash`
    "f0": {},
    "10": {0xF0: 0x10},
    "subunit": {0xF0: DEFAULT_CODING, 0x18: 0x08},
}


# ---- to the SMSC


def bind(settings: SmppConnector, kind: type[Bind]) -> Bind:
    """The request that opens a session."""
    return kind(system_id=settings.system_id, password=settings.password, system_type=settings.system_type)


def submit_sm(handover: Handover, settings: SmppConnector, now: float) -> SubmitSm:
    """The PDU for one part; `now` is in seconds since 1970. Raises ValueError for what does not fit in one.

    The parts of a message carry the low octets of its id as their reference, also after a restart.
    """
    assert isinstance(handover.content, SmsText | FlashSms | WapPush)
    segment = sms.encode(handover.content, handover.message_id & 0xFFFF, handover.writing)[handover.part]
    text = segment.udh + segment.payload
    ton, npi, sender = source(handover.sender, settings)
    return SubmitSm(
        service_type=settings.service_type,
        source_addr_ton=ton,
        source_addr_npi=npi,
        source_addr=sender,
        dest_addr_ton=settings.destination_ton,
        dest_addr_npi=settings.destination_npi,
        destination_addr=handover.recipient,
        esm_class=segment.esm_class,
        protocol_id=settings.protocol_id,
        priority_flag=settings.priority,
        validity_period=validity_period(settings.validity, handover.lifetime_s, now),
        registered_delivery=_registered(handover, settings),
        data_coding=_coding(segment.data_coding, handover, settings),
        short_message=b"" if segment.in_payload else text,
        tlvs=_tlvs(segment, text, handover, settings),
    )


def source(sender: str, settings: SmppConnector) -> tuple[int, int, str]:
    """Type and plan of a sender, and the sender as it is written: a name, a number, or a short number."""
    digits = sender.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return settings.name_ton, settings.name_npi, sender
    if len(digits) >= SMALLEST_NUMBER:
        return settings.number_ton, settings.number_npi, digits
    return settings.short_ton, settings.short_npi, digits


def validity_period(kind: str, lifetime_s: int, now: float) -> str:
    """The lifetime by 3.4 section 7.1.1: relative, in days and below, or absolute, in UTC; or not told.

    SMSCs do not keep messages over thirty days.
    """
    lifetime_s = min(lifetime_s, MAX_VALIDITY_S)
    if kind == "none":
        return ""
    if kind == "absolute":
        end = datetime.fromtimestamp(now, UTC) + timedelta(seconds=lifetime_s)
        return f"{end:%y%m%d%H%M%S}000+"
    return _relative(lifetime_s)


@lru_cache
def _relative(lifetime_s: int) -> str:
    minutes, seconds = divmod(lifetime_s, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"


def _registered(handover: Handover, settings: SmppConnector) -> int:
    if not handover.report:
        return 0
    return RECEIPT | INTERMEDIATE if settings.intermediate else RECEIPT


def _coding(coding: int, handover: Handover, settings: SmppConnector) -> int:
    if isinstance(handover.content, FlashSms):
        coding = FLASH_CODING[settings.flash].get(coding, coding)
    return settings.data_coding if coding == DEFAULT_CODING else coding


def _tlvs(segment: sms.Segment, text: bytes, handover: Handover, settings: SmppConnector) -> dict[int, bytes]:
    tlvs: dict[int, bytes] = {}
    if settings.flash == "subunit" and isinstance(handover.content, FlashSms):
        tlvs[DEST_ADDR_SUBUNIT] = DISPLAY
    if segment.sar:
        reference, total, number = segment.sar
        tlvs[SAR_MSG_REF_NUM] = reference.to_bytes(2)
        tlvs[SAR_TOTAL_SEGMENTS] = bytes((total,))
        tlvs[SAR_SEGMENT_SEQNUM] = bytes((number,))
    if segment.in_payload:
        tlvs[MESSAGE_PAYLOAD] = text
    return tlvs


# ---- from the SMSC


def answer(response: SubmitSmResp | GenericNack, statuses: Statuses, ids: Ids) -> Answer:
    """What the SMSC says of a submit."""
    if isinstance(response, GenericNack):
        return statuses.nacked(response.status)
    if response.status:
        return statuses.answer(response.status)
    return Taken(ids.of_answer(response.message_id))


class Heard(Fact, frozen=True):
    """What a deliver_sm brings: news of a message of ours, or a message from a phone."""

    said: Receipt | Incoming
    receipt_id: str = ""  # as the SMSC wrote it


def received(connector: str, pdu: DeliverSm, settings: SmppConnector, ids: Ids) -> Heard:
    """Read a deliver_sm; whatever is in it, it is one of the two."""
    said = receipt.parse(pdu)
    if said is None:
        return Heard(_incoming(connector, pdu, settings))
    return Heard(_receipt(connector, pdu, said, ids), said.provider_id)


def _receipt(connector: str, pdu: DeliverSm, said: receipt.ReceiptText, ids: Ids) -> Receipt:
    spelling = ids.of_receipt(said.provider_id)
    return Receipt(
        connector=connector,
        provider_id=spelling.provider_id,
        recipient=recipient(pdu),
        outcome=said.outcome,
        code=said.code,
        fault=said.fault,
        raw=said.raw,
        also=spelling.also,
    )


def _incoming(connector: str, pdu: DeliverSm, settings: SmppConnector) -> Incoming:
    part = read_part(pdu)
    default_is_latin = settings.alphabet in ("latin1", "ascii")
    return Incoming(
        connector=connector,
        sender=pdu.source_addr if pdu.source_addr_ton == ALPHANUMERIC else _digits(pdu.source_addr),
        recipient=_digits(pdu.destination_addr),
        data_coding=LATIN1 if default_is_latin and pdu.data_coding == DEFAULT_CODING else pdu.data_coding,
        payload=part.payload,
        reference=part.reference,
        part=part.number,
        parts=part.total,
        national=part.national,
    )


def _digits(address: str) -> str:
    """A number without its plus; what is no number stays as it is."""
    return address.removeprefix("+") if re.fullmatch(r"\+?[0-9]+", address) else address


def recipient(pdu: DeliverSm) -> str:
    """Who a receipt is about: most SMSCs swap the addresses of the submit, some do not."""
    for address in (pdu.source_addr, pdu.destination_addr):
        if NUMBER.fullmatch(number := address.removeprefix("+")):
            return number
    return ""
