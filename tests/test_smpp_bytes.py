"""Our bytes against what others write and read: PDUs that Kannel 1.4.5 has sent, and tshark's dissector."""

from pathlib import Path
from typing import Any

import pytest
import tshark
from msgspec.structs import replace

from hopwire import sms
from hopwire.channels.smpp import dialect
from hopwire.config import SmppConnector
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
NOW = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC
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


def submit_sms(
    content: SmsContent, sender: str = "Alpha", message_id: int = 0x1703, **settings: Any
) -> list[SubmitSm]:
    """What a connector with these settings sends, part by part, numbered from 1."""
    connector = SmppConnector(host="smsc", system_id="me", password="secret", **settings)
    parts = len(sms.encode(content, 0, connector.writing))
    whole = Handover(
        message_id=message_id,
        step=0,
        part=0,
        parts=parts,
        recipient="380501234567",
        sender=sender,
        content=content,
        lifetime_s=86_400,
        transactional=True,
        repeated=False,
        writing=connector.writing,
    )
    submits = [dialect.submit_sm(replace(whole, part=part), connector, NOW) for part in range(parts)]
    return [replace(submit, sequence=number) for number, submit in enumerate(submits, 1)]


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
        pytest.param([HELLO], submit_sms(SmsText(text="hello {€}")), id="GSM 7-bit with its extension"),
        pytest.param([FLASH], submit_sms(FlashSms(text="Flash"), "1234"), id="flash"),
        pytest.param([WIDE_FLASH], submit_sms(FlashSms(text="Привіт"), "380671112233"), id="flash in UCS-2"),
        pytest.param([LONG_1, LONG_2, LONG_3], submit_sms(SmsText(text=LONG)), id="long"),
        pytest.param(
            [CUT_1, CUT_2], submit_sms(SmsText(text=CUT), message_id=0x704), id="long, with the euro whole"
        ),
        pytest.param(
            [PUSH], submit_sms(WapPush(url="http://www.example.com/page.html", text="Hi")), id="WAP push"
        ),
    ],
)
def test_our_submits_are_those_of_kannel_but_for_settings(theirs: list[str], ours: list[SubmitSm]) -> None:
    for reference, submit in zip(map(decode, theirs), ours, strict=True):
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
        assert submit.esm_class == reference.esm_class & 0x40
        assert encode(replace(submit, **settings)) == encode(reference)


# ---- tshark


def read(pdus: list[Pdu], tmp_path: Path, *names: str) -> list[list[str]]:
    """What tshark reads in each of the PDUs, in which it finds nothing wrong."""
    made = tshark.capture(map(encode, pdus), tmp_path)
    assert tshark.complaints(made) == []
    return tshark.fields(made, *names)


def read_text(shown: str, octets: str, encoding: str) -> str:
    """The text, which tshark shows but for some values of data_coding."""
    return shown or bytes.fromhex(octets).decode(encoding)


def test_tshark_would_say_what_is_wrong(tmp_path: Path) -> None:
    cut_off = encode(SubmitSm(sequence=1, short_message=b"text"))[:-10]
    made = tshark.capture([(len(cut_off)).to_bytes(4) + cut_off[4:]], tmp_path)
    assert any("Malformed" in complaint for complaint in tshark.complaints(made))


@pytest.mark.parametrize(
    ("content", "settings", "coding"),
    [
        pytest.param(SmsText(text="hello {€} @$_ñ"), {}, "0x00", id="GSM alphabet"),
        pytest.param(SmsText(text="Привіт 🌊"), {}, "0x08", id="UCS-2"),
        pytest.param(SmsText(text="hello"), {"alphabet": "ucs2"}, "0x08", id="all in UCS-2"),
        pytest.param(FlashSms(text="Flash"), {}, "0xf0", id="flash, 0xF0"),
        pytest.param(FlashSms(text="Flash"), {"flash": "10"}, "0x10", id="flash, 0x10"),
        pytest.param(FlashSms(text="Флеш"), {}, "0x18", id="flash in UCS-2"),
        pytest.param(FlashSms(text="Флеш"), {"flash": "subunit"}, "0x08", id="flash by its TLV"),
    ],
)
def test_tshark_reads_a_text_as_it_was_meant(
    content: SmsText | FlashSms, settings: dict[str, Any], coding: str, tmp_path: Path
) -> None:
    names = ("message_text", "message", "command_id", "source_addr", "destination_addr", "data_coding")
    more = ("regdel.receipt", "dest_addr_subunit", "validity_period_r")
    submits: list[Pdu] = [*submit_sms(content, **settings)]
    ((text, octets, *rest),) = read(submits, tmp_path, *(f"smpp.{name}" for name in (*names, *more)))
    assert read_text(text, octets, "utf-16-be" if coding == "0x18" else "ascii") == content.text
    subunit = "0x01" if settings.get("flash") == "subunit" else ""
    assert rest == ["0x00000004", "Alpha", "380501234567", coding, "0x01", subunit, "86400.000000000"]


@pytest.mark.parametrize(
    ("content", "settings", "parts", "encoding"),
    [
        pytest.param(SmsText(text="Довгий текст " * 8), {}, 2, "utf-16-be", id="two parts"),
        pytest.param(SmsText(text=LONG), {}, 3, "utf-16-be", id="three parts"),
        pytest.param(SmsText(text=CUT), {}, 2, "", id="GSM alphabet"),
        pytest.param(FlashSms(text=LONG), {}, 3, "utf-16-be", id="flash"),
        pytest.param(SmsText(text=LONG), {"long_message": "udh16"}, 3, "utf-16-be", id="16-bit reference"),
        pytest.param(SmsText(text=LONG), {"long_message": "sar"}, 3, "utf-16-be", id="SAR"),
    ],
)
def test_tshark_puts_the_parts_together(
    content: SmsText | FlashSms, settings: dict[str, Any], parts: int, encoding: str, tmp_path: Path
) -> None:
    sar = settings.get("long_message") == "sar"
    tie = (
        ("smpp.sar_msg_ref_num", "smpp.sar_total_segments", "smpp.sar_segment_seqnum")
        if sar
        else ("gsm_sms.udh.mm.msg_id", "gsm_sms.udh.mm.msg_parts", "gsm_sms.udh.mm.msg_part")
    )
    submits = submit_sms(content, **settings)
    seen = read(
        [*submits],
        tmp_path,
        *tie,
        "gsm_sms_ud.reassembled.length",
        "smpp.message_text",
        "smpp.message",
    )
    reference = 0x1703 if settings else 0x03
    assert [row[:3] for row in seen] == [[str(reference), str(parts), str(n + 1)] for n in range(parts)]
    size = sum(len(submit.short_message) - len(header(submit)) for submit in submits)
    assert [row[3] for row in seen] == [""] * (parts - 1) + [str(size)]
    texts = [
        read_text(row[4], row[5][2 * len(header(submit)) :], encoding)
        for row, submit in zip(seen, submits, strict=True)
    ]
    assert "".join(texts) == content.text


def header(submit: SubmitSm) -> bytes:
    return submit.short_message[: 1 + submit.short_message[0]] if submit.esm_class & 0x40 else b""


def test_tshark_reads_the_text_in_a_payload(tmp_path: Path) -> None:
    submits: list[Pdu] = [*submit_sms(SmsText(text=LONG), long_message="payload")]
    assert read(submits, tmp_path, "smpp.sm_length", "smpp.message_text") == [["0", LONG]]


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        pytest.param("page.html", 1, id="in one part"),
        pytest.param("a/long/path/" * 16, 2, id="in two parts"),
        pytest.param("a/long/path/" * 26, 3, id="in three parts"),
    ],
)
def test_tshark_reads_the_link_and_the_text_of_a_push(path: str, parts: int, tmp_path: Path) -> None:
    push = WapPush(url=f"https://www.example.com/{path}", text="Подивіться сюди")
    seen = read(
        [*submit_sms(push)],
        tmp_path,
        "smpp.data_coding",
        "gsm_sms.destination_port",
        "gsm_sms.originator_port",
        "wsp.pdu_type",
        "wbxml.known_attrstart",
        "wbxml.str_i",
        "wbxml.known_attrvalue",
    )
    assert [row[0] for row in seen] == ["0x04"] * parts
    assert len(seen) == parts
    assert {tuple(row[1:3]) for row in seen} == {("2948", "9200")}
    assert [row[3:] for row in seen[:-1]] == [[""] * 4] * (parts - 1)
    assert seen[-1][3:] == ["0x06", "href='https://www.'", f"example,{path},{push.text}", "'.com/'"]


def test_tshark_reads_the_national_table_of_a_text(tmp_path: Path) -> None:
    submits: list[Pdu] = [*submit_sms(SmsText(text="ığ"), national="turkish")]
    made = tshark.capture(map(encode, submits), tmp_path)
    assert tshark.complaints(made) == []
    assert "Language (Single Shift): Turkish (1)" in tshark.dissection(made)


def test_tshark_reads_every_other_pdu(tmp_path: Path) -> None:
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
    names = ("smpp.command_id", "smpp.command_status", "smpp.sequence_number")
    assert read(pdus, tmp_path, *names) == [
        ["0x00000009", "", "1"],
        ["0x80000009", "0x00000000", "2"],
        ["0x00000005", "", "3"],
        ["0x80000005", "0x00000000", "4"],
        ["0x80000004", "0x00000000", "5"],
        ["0x80000004", "0x00000058", "6"],
        ["0x00000015", "", "7"],
        ["0x00000006", "", "8"],
        ["0x80000006", "0x00000000", "9"],
        ["0x80000000", "0x00000003", "10"],
    ]


def test_tshark_reads_a_receipt(tmp_path: Path) -> None:
    receipt = DeliverSm(sequence=2, esm_class=4, tlvs={0x1E: b"a1\0", 0x427: b"\2"})
    assert read([receipt], tmp_path, "smpp.receipted_message_id", "smpp.message_state") == [["a1", "2"]]


@pytest.mark.parametrize(
    ("validity", "seen"),
    [
        ("relative", ["86400.000000000", ""]),
        ("absolute", ["", "Nov 15, 2023 22:13:20.000000000 UTC"]),
        ("none", ["0.000000000", ""]),
    ],
)
def test_tshark_reads_the_lifetime(validity: str, seen: list[str], tmp_path: Path) -> None:
    submits: list[Pdu] = [*submit_sms(SmsText(text="x"), validity=validity)]
    assert read(submits, tmp_path, "smpp.validity_period_r", "smpp.validity_period") == [seen]
