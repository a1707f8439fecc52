from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire.smpp.pdu import (
    BadLength,
    BindReceiver,
    BindResp,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Malformed,
    Other,
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
sm = {
    "sequence": number,
    "service_type": text,
    "source_addr_ton": octet,
    "source_addr_npi": octet,
    "source_addr": text,
    "dest_addr_ton": octet,
    "dest_addr_npi": octet,
    "destination_addr": text,
    "esm_class": octet,
    "protocol_id": octet,
    "priority_flag": octet,
    "schedule_delivery_time": text,
    "validity_period": text,
    "registered_delivery": octet,
    "replace_if_present": octet,
    "data_coding": octet,
    "sm_default_msg_id": octet,
    "short_message": st.binary(max_size=254),
    "tlvs": tlvs,
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
pdus: st.SearchStrategy[Pdu] = st.one_of(
    st.one_of([st.builds(kind, **bind) for kind in (BindReceiver, BindTransmitter, BindTransceiver)]),
    st.builds(
        BindResp,
        sequence=number,
        command=st.sampled_from([BindReceiver, BindTransmitter, BindTransceiver]),
        system_id=text,
        sc_interface_version=st.none() | octet,
    ),
    st.one_of([st.builds(kind, **sm) for kind in (SubmitSm, DeliverSm)]),
    st.one_of(
        [
            st.builds(kind, sequence=number, status=status, message_id=text)
            for kind in (SubmitSmResp, DeliverSmResp)
        ]
    ),
    st.one_of([st.builds(kind, sequence=number) for kind in (Unbind, EnquireLink)]),
    st.one_of(
        [
            st.builds(kind, sequence=number, status=status)
            for kind in (UnbindResp, EnquireLinkResp, GenericNack)
        ]
    ),
    st.builds(Other, command_id=st.just(0x102), sequence=number, status=status, body=st.binary(max_size=100)),
)


def decode(data: bytes) -> Pdu:
    (pdu,) = Stream().feed(data)
    return pdu


@given(pdus)
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


@given(st.sampled_from([1, 2, 4, 5, 6, 9, 0x15]), st.sampled_from([0, 0x80000000]), st.binary(max_size=100))
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
    ],
)
def test_what_does_not_fit_is_refused_and_not_bent(pdu: Pdu) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(pdu)


def test_a_sequence_number_can_be_given_when_the_pdu_leaves() -> None:
    assert decode(encode(Unbind(), 5)) == Unbind(sequence=5)


def test_a_bind_does_not_print_its_password() -> None:
    assert "secret" not in repr(BindTransceiver(system_id="me", password="secret"))
