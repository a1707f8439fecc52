"""Our bytes against what others write and read: PDUs that Kannel 1.4.5 has sent, and tshark's dissector."""

import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace
from smpp_ends import missing

from hopwire.channels.smpp import submit_sm
from hopwire.model import FlashSms, Handover, SmsContent, SmsText, WapPush
from hopwire.smpp.pdu import (
    BindResp,
    BindTransceiver,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    GenericNack,
    Pdu,
    Stream,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)

KANNEL_BIND = "000000260000000900000000000000016b616e6e656c0073656372657400564d410034000000"
LONG = "Довге повідомлення " * 8
CUT = "A" * 152 + "€" + "B" * 100  # the euro needs two octets and only one is left
LONG_1 = (
    "000000c3000000040000000000000005000500416c706861000101333830353031323334353637004300000000110008008c"
    "0500030303010414043e0432043304350020043f043e043204560434043e043c043b0435043d043d044f00200414043e0432"
    "043304350020043f043e043204560434043e043c043b0435043d043d044f00200414043e0432043304350020043f043e0432"
    "04560434043e043c043b0435043d043d044f00200414043e0432043304350020043f043e043204560426000101"
)
LONG_2 = (
    "000000c3000000040000000000000006000500416c706861000101333830353031323334353637004300000000000008008c"
    "0500030303020434043e043c043b0435043d043d044f00200414043e0432043304350020043f043e043204560434043e043c"
    "043b0435043d043d044f00200414043e0432043304350020043f043e043204560434043e043c043b0435043d043d044f0020"
    "0414043e0432043304350020043f043e043204560434043e043c043b0435043d043d044f002004140426000101"
)
LONG_3 = (
    "0000005c000000040000000000000007000500416c706861000101333830353031323334353637004300000000000008002a"
    "050003030303043e0432043304350020043f043e043204560434043e043c043b0435043d043d044f0020"
)
CUT_1 = (
    "000000d5000000040000000000000008000500416c706861000101333830353031323334353637004300000000000000009e"
    "050003040201" + "41" * 152 + "0426000101"
)
CUT_2 = (
    "0000009e000000040000000000000009000500416c706861000101333830353031323334353637004300000000000000006c"
    "0500030402021b65" + "42" * 100
)
HELLO = (
    "0000003e000000040000000000000002000500416c706861000101333830353031323334353637000300000000110000000c"
    "68656c6c6f201b281b651b29"
)
FLASH = (
    "000000360000000400000000000000030002013132333400010133383035303132333435363700030000"
    "00000000f00005466c617368"
)
WIDE_FLASH = (
    "000000550000000400000000000000040002013338303637313131323233330001013338303530313233343536370003000000"
    "3236313132343033353231373030302b00000018000c041f04400438043204560442"
)
PUSH = (
    "0000007000000004000000000000000a000500416c706861000101333830353031323334353637004300003236313132333034"
    "353231373030302b0000000004002e0605040b8423f0dc0601ae02056a0045c60d036578616d706c65008503706167652e6874"
    "6d6c0001034869000101"
)
SUBMITS = [HELLO, FLASH, WIDE_FLASH, LONG_1, LONG_2, LONG_3, CUT_1, CUT_2, PUSH]


def decode(data: str) -> Pdu:
    (pdu,) = Stream().feed(bytes.fromhex(data))
    return pdu


def handover(content: SmsContent, part: int = 0, sender: str = "Alpha", message_id: int = 3) -> Handover:
    return Handover(
        message_id=message_id,
        step=0,
        part=part,
        parts=1,
        recipient="380501234567",
        sender=sender,
        content=content,
        lifetime_s=86_400,
        transactional=True,
        repeated=False,
    )


def test_a_bind_of_kannel_is_read_and_written_alike() -> None:
    bind = decode(KANNEL_BIND)
    assert bind == BindTransceiver(sequence=1, system_id="kannel", password="secret", system_type="VMA")
    assert encode(bind).hex() == KANNEL_BIND


@pytest.mark.parametrize("data", SUBMITS)
def test_a_submit_of_kannel_is_written_as_it_was_read(data: str) -> None:
    assert encode(decode(data)).hex() == data


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        pytest.param(HELLO, handover(SmsText(text="hello {€}")), id="GSM 7-bit with its extension"),
        pytest.param(FLASH, handover(FlashSms(text="Flash"), sender="1234"), id="flash"),
        pytest.param(
            WIDE_FLASH, handover(FlashSms(text="Привіт"), sender="380671112233"), id="flash in UCS-2"
        ),
        pytest.param(LONG_1, handover(SmsText(text=LONG), 0), id="long, first part"),
        pytest.param(LONG_2, handover(SmsText(text=LONG), 1), id="long, second part"),
        pytest.param(LONG_3, handover(SmsText(text=LONG), 2), id="long, last part"),
        pytest.param(CUT_1, handover(SmsText(text=CUT), 0, message_id=0x704), id="before the euro"),
        pytest.param(CUT_2, handover(SmsText(text=CUT), 1, message_id=0x704), id="the euro, whole"),
        pytest.param(
            PUSH, handover(WapPush(url="http://www.example.com/page.html", text="Hi")), id="WAP push"
        ),
    ],
)
def test_our_submit_is_that_of_kannel_but_for_settings(theirs: str, ours: Handover) -> None:
    reference = decode(theirs)
    assert isinstance(reference, SubmitSm)
    settings = {
        "sequence": reference.sequence,
        "esm_class": reference.esm_class,  # Kannel says store and forward, we leave the mode to the SMSC
        "source_addr_ton": reference.source_addr_ton,
        "source_addr_npi": reference.source_addr_npi,
        "schedule_delivery_time": reference.schedule_delivery_time,
        "validity_period": reference.validity_period,
        "registered_delivery": reference.registered_delivery,
        "tlvs": reference.tlvs,  # more_messages_to_send
    }
    submit = submit_sm(ours)
    assert submit.esm_class == reference.esm_class & 0x40
    assert encode(replace(submit, **settings)).hex() == theirs


# ---- tshark


@pytest.fixture
def tshark() -> str:
    for tool in ("tshark", "text2pcap"):
        if shutil.which(tool) is None:
            missing(f"{tool} is not installed (Debian: apt-get install tshark)")
    return "tshark"


def dissect(tshark: str, pdus: list[Pdu], fields: list[str], tmp_path: Path) -> list[list[str]]:
    """What tshark reads in each of the PDUs."""
    dump, capture = tmp_path / "pdus.hex", tmp_path / "pdus.pcap"
    dump.write_text("".join(f"000000 {encode(pdu).hex(' ')}\n\n" for pdu in pdus))
    subprocess.run(
        ["text2pcap", "-q", "-T", "40000,2775", str(dump), str(capture)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    shown = subprocess.run(
        [tshark, "-r", str(capture), "-d", "tcp.port==2775,smpp", "-T", "fields", "-E", "separator=|"]
        + [word for field in fields for word in ("-e", field)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [line.split("|") for line in shown.stdout.splitlines()]


def test_tshark_reads_our_submits_as_we_mean_them(tshark: str, tmp_path: Path) -> None:
    contents: list[tuple[SmsContent, int]] = [
        (SmsText(text="hello {€}"), 0),
        (FlashSms(text="Привіт"), 0),
        (SmsText(text=LONG), 1),
        (WapPush(url="https://example.com/", text="Hi"), 0),
    ]
    pdus = [
        replace(submit_sm(handover(content, part)), sequence=number)
        for number, (content, part) in enumerate(contents, 1)
    ]
    fields = [
        "smpp.command_id",
        "smpp.sequence_number",
        "smpp.source_addr",
        "smpp.destination_addr",
        "smpp.data_coding",
        "smpp.sm_length",
        "smpp.regdel.receipt",
        "smpp.esm.submit.features",
        "_ws.malformed",
    ]
    assert dissect(tshark, list(pdus), fields, tmp_path) == [
        [
            "0x00000004",
            str(pdu.sequence),
            "Alpha",
            "380501234567",
            f"0x{pdu.data_coding:02x}",
            str(len(pdu.short_message)),
            "0x01",
            f"0x{pdu.esm_class >> 6:02x}",
            "",
        ]
        for pdu in pdus
    ]


def test_tshark_reads_every_other_pdu(tshark: str, tmp_path: Path) -> None:
    pdus: list[Pdu] = [
        BindTransceiver(sequence=1, system_id="me", password="secret"),
        BindResp(sequence=2, system_id="SMSC", sc_interface_version=0x34),
        DeliverSm(
            sequence=3, esm_class=4, short_message=b"id:1 stat:DELIVRD", tlvs={0x1E: b"a\0", 0x427: b"\2"}
        ),
        DeliverSmResp(sequence=4),
        SubmitSmResp(sequence=5, message_id="a1"),
        SubmitSmResp(sequence=6, status=0x58),
        EnquireLink(sequence=7),
        Unbind(sequence=8),
        UnbindResp(sequence=9),
        GenericNack(sequence=10, status=3),
    ]
    fields = ["smpp.command_id", "smpp.command_status", "smpp.sequence_number", "_ws.malformed"]
    assert dissect(tshark, pdus, fields, tmp_path) == [
        ["0x00000009", "", "1", ""],
        ["0x80000009", "0x00000000", "2", ""],
        ["0x00000005", "", "3", ""],
        ["0x80000005", "0x00000000", "4", ""],
        ["0x80000004", "0x00000000", "5", ""],
        ["0x80000004", "0x00000058", "6", ""],
        ["0x00000015", "", "7", ""],
        ["0x00000006", "", "8", ""],
        ["0x80000006", "0x00000000", "9", ""],
        ["0x80000000", "0x00000003", "10", ""],
    ]


def test_tshark_reads_the_lifetime_and_the_receipt(tshark: str, tmp_path: Path) -> None:
    submit = replace(submit_sm(handover(SmsText(text="x"))), sequence=1)
    receipt = DeliverSm(sequence=2, esm_class=4, tlvs={0x1E: b"a1\0", 0x427: b"\2"})
    fields = ["smpp.validity_period_r", "smpp.receipted_message_id", "smpp.message_state"]
    assert dissect(tshark, [submit, receipt], fields, tmp_path) == [
        ["86400.000000000", "", ""],
        ["0.000000000", "a1", "2"],
    ]
