"""What a trace shows, what it hides, and that Wireshark opens it."""

from pathlib import Path

import pytest
import tshark
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hopwire.smpp.pdu import (
    MESSAGE_PAYLOAD,
    RECEIPTED_MESSAGE_ID,
    BadLength,
    BindReceiver,
    BindResp,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    GenericNack,
    Malformed,
    Other,
    Pdu,
    Stream,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    encode,
)
from hopwire.smpp.trace import Cut, Pcap, line, masked

AT = 1_700_000_000.25
UDH = bytes((5, 0, 3, 17, 2, 1))
RECEIPT = b"id:00AB sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
UNREADABLE = Other(sequence=6, command_id=0x04, body=b"\0\1\1no end")
DATA_SM = b"\0\1\1" + b"380501234567\0\5\0Alpha\0"


def decode(data: bytes) -> Pdu:
    (pdu,) = Stream().feed(data)
    return pdu


def data_sm(*tail: bytes) -> bytes:
    return encode(Other(sequence=5, command_id=0x103, body=DATA_SM + b"".join(tail)))


# ---- masking


@pytest.mark.parametrize(
    ("pdu", "shown"),
    [
        pytest.param(
            BindTransceiver(system_id="me", password="secret"),
            BindTransceiver(system_id="me", password="******"),
            id="the password of a bind",
        ),
        pytest.param(
            Other(command_id=0x0B, body=b"smsc\0secret\0"),
            Other(command_id=0x0B, body=b"smsc\0******\0"),
            id="the password of an outbind",
        ),
        pytest.param(SubmitSm(short_message=b"code 12"), SubmitSm(short_message=b"xxxxxxx"), id="a text"),
        pytest.param(
            SubmitSm(data_coding=8, short_message="Код".encode("utf-16-be")),
            SubmitSm(data_coding=8, short_message="xxx".encode("utf-16-be")),
            id="a text in UCS-2",
        ),
        pytest.param(
            SubmitSm(esm_class=0x40, short_message=UDH + b"part"),
            SubmitSm(esm_class=0x40, short_message=UDH + b"xxxx"),
            id="a part, whose header stays",
        ),
        pytest.param(
            SubmitSm(esm_class=0x40, short_message=b" no header but text"),
            SubmitSm(esm_class=0x40, short_message=b"x" * 19),
            id="a header that makes no sense",
        ),
        pytest.param(
            SubmitSm(tlvs={0x204: b"ab", MESSAGE_PAYLOAD: b"code"}),
            SubmitSm(tlvs={0x204: b"ab", MESSAGE_PAYLOAD: b"xxxx"}),
            id="a payload, and no other TLV",
        ),
        pytest.param(
            DeliverSm(source_addr="380501234567", short_message=b"STOP"),
            DeliverSm(source_addr="380501234567", short_message=b"xxxx"),
            id="an incoming text",
        ),
        pytest.param(
            DeliverSm(esm_class=4, short_message=RECEIPT + b"Your code"),
            DeliverSm(esm_class=4, short_message=RECEIPT + b"xxxxxxxxx"),
            id="in a receipt, what it reports on",
        ),
        pytest.param(
            DeliverSm(short_message=RECEIPT + b"Your code"),
            DeliverSm(short_message=RECEIPT + b"xxxxxxxxx"),
            id="in a receipt that is not marked, too",
        ),
        pytest.param(
            DeliverSm(esm_class=4, data_coding=8, short_message="id:1 Text:Код".encode("utf-16-be")),
            DeliverSm(esm_class=4, data_coding=8, short_message="id:1 Text:xxx".encode("utf-16-be")),
            id="in a receipt in UCS-2",
        ),
        pytest.param(
            DeliverSm(esm_class=4, data_coding=8, short_message=RECEIPT + b"Your code"),
            DeliverSm(esm_class=4, data_coding=8, short_message=RECEIPT + b"xxxxxxxxx"),
            id="in a receipt that says UCS-2 and is not",
        ),
        pytest.param(
            DeliverSm(esm_class=4, tlvs={MESSAGE_PAYLOAD: RECEIPT + b"Your"}),
            DeliverSm(esm_class=4, tlvs={MESSAGE_PAYLOAD: RECEIPT + b"xxxx"}),
            id="in a receipt in the payload",
        ),
        pytest.param(
            DeliverSm(esm_class=4, short_message=RECEIPT[:-5]),
            DeliverSm(esm_class=4, short_message=RECEIPT[:-5]),
            id="in a receipt without a text, nothing",
        ),
        pytest.param(
            DeliverSm(esm_class=4, short_message=b"hello"),
            DeliverSm(esm_class=4, short_message=b"xxxxx"),
            id="a receipt that says nothing of one",
        ),
        pytest.param(
            SubmitSm(short_message=RECEIPT), SubmitSm(short_message=b"x" * len(RECEIPT)), id="our own text"
        ),
        pytest.param(
            Other(command_id=0x21, body=b"who knows"),
            Other(command_id=0x21, body=b"xxxxxxxxx"),
            id="what nobody here reads",
        ),
        pytest.param(
            Other(command_id=0x0B, body=b"smsc\0secret"),
            Other(command_id=0x0B, body=b"xxxxxxxxxxx"),
            id="what cannot be read",
        ),
        pytest.param(
            Other(command_id=0x15, body=b"\x04\x24\x00\xfftext"),
            Other(command_id=0x15, body=b"\x04\x24\x00\xffxxxx"),
            id="a TLV that is cut off",
        ),
        pytest.param(SubmitSmResp(message_id="a1"), SubmitSmResp(message_id="a1"), id="no id"),
    ],
)
def test_secrets_are_masked_and_the_rest_stays(pdu: Pdu, shown: Pdu) -> None:
    assert masked(encode(pdu)) == encode(shown)


@pytest.mark.parametrize(
    ("pdu", "shown"),
    [
        (SubmitSm(short_message=b"code"), SubmitSm(short_message=b"code")),
        (Other(command_id=0x21, body=b"who knows"), Other(command_id=0x21, body=b"who knows")),
        (Other(command_id=0x0B, body=b"smsc\0secret\0"), Other(command_id=0x0B, body=b"smsc\0******\0")),
        (Other(command_id=0x09, body=b"me\0secret"), Other(command_id=0x09, body=b"xxxxxxxxx")),
    ],
)
def test_where_texts_may_be_shown_passwords_may_not(pdu: Pdu, shown: Pdu) -> None:
    assert masked(encode(pdu), texts=True) == encode(shown)


def test_the_payload_of_a_data_sm_is_masked() -> None:
    said = data_sm(b"\0\0\0", b"\x04\x24\0\4code")
    assert masked(said) == said.replace(b"code", b"xxxx")


addresses = st.text("0123456789", max_size=15)
texts = st.text("QWZЖЩЇ🌊", min_size=2, max_size=60)
codings = st.sampled_from(
    [(0, "utf-8"), (4, "utf-8"), (8, "utf-16-be"), (0x18, "utf-16-be"), (0xF0, "utf-8")]
)


@given(
    st.sampled_from([SubmitSm, DeliverSm]),
    addresses,
    addresses,
    texts,
    codings,
    st.sampled_from([b"", UDH]),
    st.sampled_from([b"", RECEIPT]),
    st.booleans(),
)
def test_a_masked_pdu_is_the_same_without_its_text(
    kind: type[SubmitSm | DeliverSm],
    source: str,
    dest: str,
    text: str,
    coding: tuple[int, str],
    udh: bytes,
    head: bytes,
    in_payload: bool,
) -> None:
    data_coding, encoding = coding
    octets = text.encode(encoding)
    head = head.decode().encode(encoding)
    said = udh + head + octets
    pdu = kind(
        sequence=7,
        source_addr=source,
        destination_addr=dest,
        data_coding=data_coding,
        esm_class=(0x40 if udh else 0) | (4 if head and kind is DeliverSm else 0),
        short_message=b"" if in_payload else said[:254],
        tlvs={MESSAGE_PAYLOAD: said} if in_payload else {},
    )
    data = encode(pdu)
    shown = masked(data)
    assert octets not in shown
    assert octets.decode(encoding) not in line(data, True, AT, "alpha", texts=False)
    assert len(shown) == len(data)
    assert masked(shown) == shown
    assert replace(decode(shown), short_message=b"", tlvs={}) == replace(pdu, short_message=b"", tlvs={})


@given(
    st.sampled_from([BindReceiver, BindTransmitter, BindTransceiver]),
    st.text("abc", max_size=15),
    st.text("!#%", min_size=1, max_size=30),
)
def test_a_password_is_never_shown(kind: type[BindTransceiver], system_id: str, password: str) -> None:
    bind = kind(sequence=1, system_id=system_id, password=password)
    assert decode(masked(encode(bind))) == replace(bind, password="*" * len(password))
    assert password not in line(encode(bind), True, AT, "alpha", True)


commands = st.sampled_from([1, 3, 4, 5, 9, 0x0B, 0x15, 0x103, 0x80000004, 0x80000009, 0x80000000])


@given(
    st.binary(max_size=80)
    | st.builds(lambda c, body: encode(Other(command_id=c, body=body)), commands, st.binary())
)
def test_any_octets_can_be_shown(data: bytes) -> None:
    shown = masked(data)
    assert len(shown) == len(data)
    assert shown[:16] == data[:16]
    assert masked(shown) == shown
    for texts in (False, True):
        assert "\n" not in line(data, False, AT, "alpha", texts)
    assert Pcap().packet(data, True, AT, ("127.0.0.1", 1), ("127.0.0.1", 2)).endswith(data)


# ---- lines

SUBMIT = SubmitSm(
    sequence=2,
    source_addr_ton=5,
    source_addr="My Shop",
    dest_addr_ton=1,
    dest_addr_npi=1,
    destination_addr="380501234567",
    esm_class=0x40,
    validity_period="000001000000000R",
    registered_delivery=1,
    short_message=UDH + b"Your code\n12",
    tlvs={0x0426: b"\1", 0x1501: b"ab"},
)
SUBMITTED = (
    "2023-11-14T22:13:20.250Z -> alpha submit_sm sequence=2 source=5/0:'My Shop' dest=1/1:380501234567"
    " esm=0x40 validity=000001000000000R registered=1 dcs=0x00 more_messages_to_send=01 0x1501=6162"
    " udh=050003110201"
)


@pytest.mark.parametrize(
    ("data", "outgoing", "texts", "shown"),
    [
        pytest.param(encode(SUBMIT), True, False, f"{SUBMITTED} length=97", id="a submit"),
        pytest.param(
            encode(SUBMIT), True, True, rf"{SUBMITTED} text='Your code\n12' length=97", id="with its text"
        ),
        pytest.param(
            encode(BindTransceiver(sequence=1, system_id="me", password="secret")),
            True,
            True,
            "2023-11-14T22:13:20.250Z -> alpha bind_transceiver sequence=1 system_id=me length=31",
            id="a bind",
        ),
        pytest.param(
            encode(BindResp(sequence=1, status=0x0E)),
            False,
            False,
            "2023-11-14T22:13:20.250Z <- alpha bind_transceiver_resp sequence=1 ESME_RINVPASWD length=16",
            id="a refusal without a body",
        ),
        pytest.param(
            encode(SubmitSmResp(sequence=2, message_id="00AB")),
            False,
            False,
            "2023-11-14T22:13:20.250Z <- alpha submit_sm_resp sequence=2 ESME_ROK message_id=00AB length=21",
            id="an answer",
        ),
        pytest.param(
            encode(
                DeliverSm(
                    sequence=3,
                    source_addr="1\n2",
                    esm_class=4,
                    short_message=RECEIPT + b"Your",
                    tlvs={RECEIPTED_MESSAGE_ID: b"ab\0", 0x0427: b"\2"},
                )
            ),
            False,
            False,
            r"2023-11-14T22:13:20.250Z <- alpha deliver_sm sequence=3 source=0/0:'1\n2' dest=0/0: esm=0x04"
            r" registered=0 dcs=0x00 receipted_message_id=616200 message_state=02"
            r" receipt='id:00AB sub:001 dlvrd:001 stat:DELIVRD err:000 text:' length=104",
            id="a receipt, and an address that would break the line",
        ),
        pytest.param(
            data_sm(b"\0\0\x08", b"\x04\x24\0\2" + "Ї".encode("utf-16-be")),
            False,
            True,
            "2023-11-14T22:13:20.250Z <- alpha data_sm sequence=5 source=1/1:380501234567 dest=5/0:Alpha"
            " esm=0x00 registered=0 dcs=0x08 message_payload=(2 octets) text='Ї' length=49",
            id="a payload with its text",
        ),
        pytest.param(
            encode(GenericNack(sequence=9, status=0x999)),
            False,
            False,
            "2023-11-14T22:13:20.250Z <- alpha generic_nack sequence=9 0x00000999 length=16",
            id="a status without a name",
        ),
        pytest.param(
            encode(Other(sequence=9, command_id=0x111, body=b"text")),
            False,
            True,
            "2023-11-14T22:13:20.250Z <- alpha 0x00000111 sequence=9 length=20",
            id="an unknown command",
        ),
        pytest.param(
            encode(UNREADABLE),
            False,
            True,
            "2023-11-14T22:13:20.250Z <- alpha submit_sm sequence=6 malformed length=25",
            id="a body that cannot be read",
        ),
        pytest.param(
            b"GET /", False, True, "2023-11-14T22:13:20.250Z <- alpha no PDU, length=5", id="no PDU"
        ),
    ],
)
def test_a_line_tells_what_a_pdu_says(data: bytes, outgoing: bool, texts: bool, shown: str) -> None:
    assert line(data, outgoing, AT, "alpha", texts) == shown


def test_what_is_malformed_here_is_malformed_to_the_codec() -> None:
    assert isinstance(decode(encode(UNREADABLE)), Malformed)


# ---- streams


@given(st.lists(st.binary(max_size=30), max_size=5), st.integers(1, 50))
def test_a_stream_is_cut_where_pdus_end(bodies: list[bytes], size: int) -> None:
    pdus = [encode(Other(command_id=0x999, body=body)) for body in bodies]
    stream, cut = b"".join(pdus), Cut()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [pdu for piece in pieces for pdu in cut.feed(piece)] == pdus


@pytest.mark.parametrize("length", [b"\0\0\0\x0f", b"\0\1\0\1", b"GET "])
def test_after_a_length_that_no_pdu_has_there_is_its_header_and_nothing(length: bytes) -> None:
    enquiry, stray = encode(EnquireLink(sequence=1)), length + b"x" * 12
    cut = Cut()
    assert cut.feed(enquiry + stray + b"more") == [enquiry, stray]
    assert cut.feed(enquiry) == []
    with pytest.raises(BadLength):
        Stream().feed(stray)


# ---- captures

BIG = SubmitSm(
    sequence=3, data_coding=8, tlvs={0x1400: b"v" * 33_000, MESSAGE_PAYLOAD: "Ї".encode("utf-16-be") * 16_230}
)
TALK: list[tuple[Pdu, bool]] = [
    (BindTransceiver(sequence=1, system_id="me", password="secret"), True),
    (BindResp(sequence=1, system_id="SMSC", sc_interface_version=0x34), False),
    (SUBMIT, True),
    (SubmitSmResp(sequence=2, message_id="a1"), False),
    (BIG, True),
    (SubmitSmResp(sequence=3, message_id="a2"), False),
    (DeliverSm(sequence=1, esm_class=4, short_message=RECEIPT + b"Your code"), False),
    (DeliverSmResp(sequence=1), True),
    (Unbind(sequence=4), True),
]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_wireshark_opens_a_capture(host: str, tmp_path: Path) -> None:
    near, far, made = (host, 40_000), (host, tshark.PORT), tmp_path / "made.pcap"
    pcap = Pcap()
    packets = [pcap.packet(masked(encode(pdu)), out, AT, near, far) for pdu, out in TALK]
    made.write_bytes(pcap.header() + b"".join(packets))
    seen = tshark.fields(made, "smpp.command_id", "smpp.sequence_number", "tcp.srcport", "frame.time_epoch")
    assert len(encode(BIG)) > 65_475
    assert seen.pop(4) == ["", "", "40000", "1700000000.250000000"], "the first segment of the big one"
    assert seen == [
        [
            f"0x{int.from_bytes(encode(pdu)[4:8]):08x}",
            str(pdu.sequence),
            "40000" if out else str(tshark.PORT),
            "1700000000.250000000",
        ]
        for pdu, out in TALK
    ]
    assert tshark.complaints(made) == []
    ((password, text),) = [row for row in tshark.fields(made, "smpp.password", "smpp.message_text") if row[0]]
    assert (password, text) == ("******", "")


def test_wireshark_would_say_what_is_wrong(tmp_path: Path) -> None:
    made = tmp_path / "made.pcap"
    near, far = ("127.0.0.1", 40_000), ("127.0.0.1", tshark.PORT)
    made.write_bytes(Pcap().header() + Pcap().packet(encode(UNREADABLE), True, AT, near, far))
    assert any("Malformed" in complaint for complaint in tshark.complaints(made))


def test_every_connection_counts_its_own_octets(tmp_path: Path) -> None:
    made, pcap, data = tmp_path / "made.pcap", Pcap(), encode(EnquireLink(sequence=1))
    far = ("127.0.0.1", tshark.PORT)
    said = [
        pcap.packet(data, out, AT, ("127.0.0.1", port), far)
        for port, out in [(1, True), (1, False), (1, True), (2, True)]
    ]
    made.write_bytes(pcap.header() + b"".join(said))
    assert tshark.fields(made, "tcp.seq_raw", "tcp.ack_raw") == [
        ["1", "1"],
        ["1", "17"],
        ["17", "17"],
        ["1", "1"],
    ]
