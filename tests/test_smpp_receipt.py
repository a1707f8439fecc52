import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire.model import Fault, Outcome
from hopwire.smpp.pdu import DeliverSm
from hopwire.smpp.receipt import key, parse

FULL = "id:0013169678 sub:001 dlvrd:001 submit date:2408151552 done date:2408151553 stat:{} err:{} text:Hello"


def receipt(text: str, esm_class: int = 4, **fields: object) -> DeliverSm:
    return DeliverSm(esm_class=esm_class, short_message=text.encode("latin-1"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "provider_id", "outcome", "code"),
    [
        pytest.param(FULL.format("DELIVRD", "000"), "0013169678", Outcome.DELIVERED, "DELIVRD", id="full"),
        pytest.param(FULL.format("EXPIRED", "000"), "0013169678", Outcome.EXPIRED, "EXPIRED", id="expired"),
        pytest.param(FULL.format("UNDELIV", "034"), "0013169678", Outcome.FAILED, "UNDELIV 034", id="failed"),
        pytest.param(
            FULL.format("REJECTD", "00A"), "0013169678", Outcome.FAILED, "REJECTD 00A", id="hex err"
        ),
        pytest.param(FULL.format("DELETED", ""), "0013169678", Outcome.FAILED, "DELETED", id="deleted"),
        pytest.param(FULL.format("ACCEPTD", "000"), "0013169678", Outcome.PROGRESS, "ACCEPTD", id="accepted"),
        pytest.param(FULL.format("ENROUTE", "000"), "0013169678", Outcome.PROGRESS, "ENROUTE", id="en route"),
        pytest.param(FULL.format("UNKNOWN", "000"), "0013169678", Outcome.PROGRESS, "UNKNOWN", id="unknown"),
        pytest.param(FULL.format("BLUE", "0"), "0013169678", Outcome.PROGRESS, "BLUE", id="never heard of"),
        pytest.param("id:ab-1 stat:SEEN", "ab-1", Outcome.SEEN, "SEEN", id="a vendor's word"),
        pytest.param("ID:AB12 STAT:delivered", "AB12", Outcome.DELIVERED, "DELIVERED", id="other case"),
        pytest.param("stat:DELIVRD err:000 id:9", "9", Outcome.DELIVERED, "DELIVRD", id="other order"),
        pytest.param("id: 77 stat: UNDELIV err: 5", "77", Outcome.FAILED, "UNDELIV 5", id="spaces"),
        pytest.param("id: sub:001 stat:DELIVRD", "", Outcome.DELIVERED, "DELIVRD", id="empty id"),
        pytest.param(
            "id:5 done date:20240815155300 stat:DELIVRD", "5", Outcome.DELIVERED, "DELIVRD", id="dates"
        ),
        pytest.param("id:5 Text:id:6 stat:DELIVRD", "5", Outcome.PROGRESS, "", id="the message is not read"),
        pytest.param("", "", Outcome.PROGRESS, "", id="nothing"),
    ],
)
def test_the_text_is_read_as_far_as_it_goes(text: str, provider_id: str, outcome: Outcome, code: str) -> None:
    said = parse(receipt(text))
    assert said is not None
    assert (said.provider_id, said.outcome, said.code, said.raw) == (provider_id, outcome, code, text)


@pytest.mark.parametrize(
    ("tlvs", "outcome", "code"),
    [
        pytest.param({0x427: b"\x02"}, Outcome.DELIVERED, "DELIVRD 7", id="delivered"),
        pytest.param({0x427: b"\x03"}, Outcome.EXPIRED, "EXPIRED 7", id="expired"),
        pytest.param({0x427: b"\x08"}, Outcome.FAILED, "REJECTD 7", id="rejected"),
        pytest.param({0x427: b"\x06"}, Outcome.PROGRESS, "ACCEPTD 7", id="accepted is not the end"),
        pytest.param({0x427: b"\x63"}, Outcome.FAILED, "UNDELIV 7", id="no such state: the text"),
        pytest.param({0x427: b""}, Outcome.FAILED, "UNDELIV 7", id="empty: the text"),
        pytest.param(
            {0x427: b"\x05", 0x423: b"\x03\x00\x22"}, Outcome.FAILED, "UNDELIV 34", id="network error"
        ),
        pytest.param({0x423: b"\x01\x00\x22"}, Outcome.FAILED, "UNDELIV 7", id="of another kind of network"),
    ],
)
def test_a_tlv_outranks_the_text(tlvs: dict[int, bytes], outcome: Outcome, code: str) -> None:
    said = parse(receipt("id:5 stat:UNDELIV err:7", tlvs={**tlvs, 0x1E: b"00C8f\0"}))
    assert said is not None
    assert (said.provider_id, said.outcome, said.code) == ("00C8f", outcome, code)
    assert "001e=3030433866" in said.raw


@pytest.mark.parametrize("ended", [b"a1", b"a1\0", b"a1\0\0"])
def test_an_id_in_a_tlv_may_lack_its_nul(ended: bytes) -> None:
    said = parse(DeliverSm(esm_class=4, tlvs={0x1E: ended, 0x427: b"\x02"}))
    assert said is not None
    assert (said.provider_id, said.outcome) == ("a1", Outcome.DELIVERED)


@pytest.mark.parametrize(
    ("err", "fault"),
    [
        pytest.param("001", Fault.NUMBER, id="unknown subscriber"),
        pytest.param("9", Fault.NUMBER, id="illegal subscriber"),
        pytest.param("006", Fault.RECIPIENT, id="absent"),
        pytest.param("000", Fault.RECIPIENT, id="no reason given"),
        pytest.param("ABC", Fault.RECIPIENT, id="letters"),
    ],
)
def test_an_error_tells_a_bad_number_from_a_phone_that_is_off(err: str, fault: Fault) -> None:
    said = parse(receipt(f"id:5 stat:UNDELIV err:{err}"))
    assert said is not None
    assert said.fault is fault


@pytest.mark.parametrize(
    "pdu",
    [
        pytest.param(DeliverSm(esm_class=4, tlvs={0x424: b"id:5 stat:DELIVRD"}), id="in the payload TLV"),
        pytest.param(
            DeliverSm(esm_class=4, data_coding=8, short_message="id:5 stat:DELIVRD".encode("utf-16-be")),
            id="in UCS-2",
        ),
        pytest.param(receipt("id:5 stat:DELIVRD", data_coding=8), id="not in UCS-2 but called so"),
        pytest.param(receipt("id:5 sub:1 stat:DELIVRD", esm_class=0), id="not marked"),
        pytest.param(receipt("id:5 stat:DELIVRD", esm_class=0x44), id="with the header bit"),
        pytest.param(DeliverSm(tlvs={0x1E: b"5\0", 0x427: b"\x02"}), id="not marked, in TLVs"),
    ],
)
def test_a_receipt_is_known_wherever_it_hides(pdu: DeliverSm) -> None:
    said = parse(pdu)
    assert said is not None
    assert (said.provider_id, said.outcome) == ("5", Outcome.DELIVERED)


def test_an_intermediate_notification_is_never_final() -> None:
    said = parse(receipt("id:5 stat:DELIVRD", esm_class=0x20))
    assert said is not None
    assert said.outcome is Outcome.PROGRESS


@pytest.mark.parametrize(
    "pdu",
    [
        pytest.param(receipt("STOP", esm_class=0), id="a reply"),
        pytest.param(receipt("my id:5 stat:no", esm_class=0), id="a reply that looks a bit like one"),
        pytest.param(receipt("id:5 stat:DELIVRD", esm_class=0x10), id="an acknowledgement by a person"),
        pytest.param(receipt("id:5 stat:DELIVRD", esm_class=0x08), id="by a phone"),
    ],
)
def test_an_incoming_message_is_no_receipt(pdu: DeliverSm) -> None:
    assert parse(pdu) is None


@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=254),
    st.dictionaries(st.sampled_from([0x1E, 0x423, 0x424, 0x427]), st.binary(max_size=20)),
)
def test_anything_can_be_asked(esm: int, coding: int, text: bytes, tlvs: dict[int, bytes]) -> None:
    parse(DeliverSm(esm_class=esm, data_coding=coding, short_message=text, tlvs=tlvs))


@pytest.mark.parametrize(
    ("answered", "receipted"),
    [("00C8F40E", "c8f40e"), ("0013169678", "13169678"), ("A-B", "a-b"), ("0", "000"), ("", "")],
)
def test_an_id_is_the_same_in_another_case_and_with_other_zeros(answered: str, receipted: str) -> None:
    assert key(answered) == key(receipted)


def test_ids_that_differ_stay_apart() -> None:
    assert len({key(x) for x in ("", "0", "1", "10", "a", "a0")}) == 6
