from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hopwire.smpp.pdu import (
    BadLength,
    BindReceiver,
    BindResp,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Malformed,
    Other,
    Outbind,
    Pdu,
    Stream,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)

octet = st.integers(0, 255)
number = st.integers(1, 0x7FFFFFFF)
status = st.integers(0, 0xFFFFFFFF)
text = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20)
tlvs = st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=20), max_size=3)
addressed = {
    "sequence": number,
    "service_type": text,
    "source_addr_ton": octet,
    "source_addr_npi": octet,
    "source_addr": text,
    "dest_addr_ton": octet,
    "dest_addr_npi": octet,
    "destination_addr": text,
    "esm_class": octet,
    "registered_delivery": octet,
    "data_coding": octet,
    "tlvs": tlvs,
}
sm = {
    **addressed,
    "protocol_id": octet,
    "priority_flag": octet,
    "schedule_delivery_time": text,
    "validity_period": text,
    "replace_if_present": octet,
    "sm_default_msg_id": octet,
    "short_message": st.binary(max_size=254),
}
bind = {
    "sequence": number,
    "system_id": text,
    "password": text,
    "system_type": text,
    "interface_version": octet,
    "addr_ton": octet,
    "addr_npi": octet,
    "address_range": text,
}
binds = [BindReceiver, BindTransmitter, BindTransceiver]
kinds: dict[type[Pdu], st.SearchStrategy[Pdu]] = {
    **{kind: st.builds(kind, **bind) for kind in binds},
    BindResp: st.builds(
        BindResp,
        sequence=number,
        status=status,
        command=st.sampled_from(binds),
        system_id=text,
        sc_interface_version=st.none() | octet,
    ),
    Outbind: st.builds(Outbind, sequence=number, system_id=text, password=text),
    **{kind: st.builds(kind, **sm) for kind in (SubmitSm, DeliverSm)},
    DataSm: st.builds(DataSm, **addressed),
    **{
        kind: st.builds(kind, sequence=number, status=status, message_id=text, tlvs=tlvs)
        for kind in (SubmitSmResp, DeliverSmResp, DataSmResp)
    },
    **{kind: st.builds(kind, sequence=number) for kind in (Unbind, EnquireLink)},
    **{
        kind: st.builds(kind, sequence=number, status=status)
        for kind in (UnbindResp, EnquireLinkResp, GenericNack)
    },
    Other: st.builds(
        Other, command_id=st.just(0x102), sequence=number, status=status, body=st.binary(max_size=100)
    ),
}
pdus = st.one_of(list(kinds.values()))


def leaves(kind: type[Pdu]) -> Iterator[type[Pdu]]:
    """The classes that are PDUs and not only what some have in common."""
    for child in kind.__subclasses__():
        yield from leaves(child)
    if not kind.__subclasses__():
        yield kind


def test_every_pdu_is_tried() -> None:
    assert set(kinds) == set(leaves(Pdu)) - {Malformed}


def decode(data: bytes) -> Pdu:
    (pdu,) = Stream().feed(data)
    return pdu


@given(pdus)
@example(BindResp(status=0x0E, sc_interface_version=0x34))
def test_a_pdu_comes_back_as_it_was(pdu: Pdu) -> None:
    assert decode(encode(pdu)) == pdu


@given(st.lists(pdus, max_size=5), st.lists(st.integers(0, 2000), max_size=8))
def test_pdus_come_whole_however_the_bytes_are_cut(sent: list[Pdu], cuts: list[int]) -> None:
    data = b"".join(map(encode, sent))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    stream = Stream()
    got = [pdu for a, b in pairwise(edges) for pdu in stream.feed(data[a:b])]
    assert got == sent


def test_bytes_one_at_a_time_are_enough() -> None:
    stream = Stream()
    got = [pdu for byte in encode(SubmitSm(sequence=7)) * 2 for pdu in stream.feed(bytes([byte]))]
    assert got == [SubmitSm(sequence=7)] * 2


@given(st.binary(max_size=400))
def test_any_bytes_give_pdus_or_a_bad_length(data: bytes) -> None:
    try:
        assert all(isinstance(pdu, Pdu) for pdu in Stream().feed(data))
    except BadLength as bad:
        assert isinstance(bad.sequence, int)


@given(
    st.sampled_from([1, 2, 4, 5, 6, 9, 0x0B, 0x15, 0x103]),
    st.sampled_from([0, 0x80000000]),
    st.binary(max_size=100),
)
def test_any_body_of_a_known_command_gives_one_pdu(command: int, response: int, body: bytes) -> None:
    header = b"".join(n.to_bytes(4, "big") for n in (16 + len(body), command | response, 0, 5))
    assert decode(header + body).sequence == 5


@pytest.mark.parametrize("length", [0, 15, 0x10001, 0xFFFFFFFF])
def test_a_length_that_no_pdu_has_names_the_sequence_and_what_came_before(length: int) -> None:
    bad = length.to_bytes(4, "big") + encode(EnquireLink(sequence=9))[4:]
    with pytest.raises(BadLength) as caught:
        Stream().feed(encode(Unbind(sequence=8)) + bad)
    assert (caught.value.sequence, caught.value.before) == (9, [Unbind(sequence=8)])


def submit(body: str) -> bytes:
    data = bytes.fromhex(body)
    return b"".join(n.to_bytes(4, "big") for n in (16 + len(data), 4, 0, 3)) + data


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("00 01 01 31", id="a string without end"),
        pytest.param("00 0101 3100 0101 3200 000000 00 00 01000000", id="no sm_length"),
        pytest.param("00 0101 3100 0101 3200 000000 00 00 01000000 05 41", id="short_message cut off"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_value(body: str) -> None:
    assert decode(submit(body)) == Malformed(command_id=4, sequence=3)


def test_a_tlv_that_is_cut_off_does_not_spoil_the_rest() -> None:
    whole = encode(SubmitSm(sequence=3, tlvs={5: b"\x01"}))
    longer = (len(whole) + 5).to_bytes(4, "big") + whole[4:] + bytes.fromhex("0424 0009 41")
    assert decode(longer) == SubmitSm(sequence=3, tlvs={5: b"\x01"})


@pytest.mark.parametrize(
    ("data", "pdu"),
    [
        pytest.param(
            "00000010 80000004 00000058 00000002",
            SubmitSmResp(sequence=2, status=0x58),
            id="a refusal has no body",
        ),
        pytest.param(
            "00000010 80000009 0000000e 00000001", BindResp(sequence=1, status=0x0E), id="nor has a bind's"
        ),
        pytest.param(
            "00000012 80000004 00000000 00000002 6131",
            SubmitSmResp(sequence=2, message_id="a1"),
            id="a message id without its NUL",
        ),
        pytest.param(
            "00000018 80000004 00000058 00000002 00 0428 0001 50 0425",
            SubmitSmResp(sequence=2, status=0x58, tlvs={0x0428: b"\x50"}),
            id="a refusal says how full it is, and stops in the middle",
        ),
        pytest.param(
            "00000010 80000103 00000064 00000002", DataSmResp(sequence=2, status=0x64), id="data_sm"
        ),
    ],
)
def test_what_peers_leave_out_is_missed_by_nobody(data: str, pdu: Pdu) -> None:
    assert decode(bytes.fromhex(data)) == pdu


@pytest.mark.parametrize(
    "pdu",
    [
        pytest.param(SubmitSm(source_addr="Альфа"), id="not Latin-1"),
        pytest.param(SubmitSm(source_addr="a\0b"), id="a NUL inside"),
        pytest.param(SubmitSm(esm_class=256), id="more than an octet"),
        pytest.param(SubmitSm(short_message=b"x" * 256), id="too long"),
        pytest.param(SubmitSm(tlvs={0x10000: b""}), id="a tag of three octets"),
        pytest.param(SubmitSm(tlvs={5: bytes(0x10000)}), id="a TLV too long"),
        pytest.param(SubmitSm(tlvs={5: bytes(0x8000), 6: bytes(0x8000)}), id="too long in all"),
        pytest.param(DataSm(source_addr="Альфа"), id="not Latin-1 in a data_sm"),
        pytest.param(DataSm(data_coding=-1), id="less than an octet"),
        pytest.param(Unbind(sequence=1 << 32), id="a sequence of five octets"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_bent(pdu: Pdu) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(pdu)


def test_a_sequence_number_can_be_given_when_the_pdu_leaves() -> None:
    assert decode(encode(Unbind(), 5)) == Unbind(sequence=5)


@pytest.mark.parametrize("kind", [BindTransceiver, Outbind])
def test_a_password_is_not_printed(kind: type[BindTransceiver] | type[Outbind]) -> None:
    assert "secret" not in repr(kind(system_id="me", password="secret"))


def test_a_data_sm_is_on_the_wire_what_the_specification_says() -> None:
    data = DataSm(
        sequence=3,
        service_type="a",
        source_addr_ton=5,
        source_addr="b",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="c",
        esm_class=4,
        registered_delivery=1,
        data_coding=8,
        tlvs={0x0424: b"d"},
    )
    assert encode(data) == bytes.fromhex(
        "00000022 00000103 00000000 00000003 6100 05 00 6200 01 01 6300 04 01 08 0424 0001 64"
    )
