import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hopwire.model import Fault, Outcome
from hopwire.smpp.pdu import DeliverSm
from hopwire.smpp.receipt import parse

DATES = "submit date:2408151552 done date:2408151553"
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
        pytest.param("id : 77 stat : DELIVRD", "77", Outcome.DELIVERED, "DELIVRD", id="spaces before colons"),
        pytest.param('id:"a-7" stat:\'UNDELIV\' err:"21"', "a-7", Outcome.FAILED, "UNDELIV 21", id="quotes"),
        pytest.param("id:5,stat:DELIVRD,err:000", "5", Outcome.DELIVERED, "DELIVRD", id="commas"),
        pytest.param("id:5;stat:EXPIRED;err:4;", "5", Outcome.EXPIRED, "EXPIRED 4", id="semicolons"),
        pytest.param("id:5\r\nstat:DELIVRD\r\nerr:0", "5", Outcome.DELIVERED, "DELIVRD", id="lines"),
        pytest.param(
            "id: submit date:2408151552 stat: err: text:", "", Outcome.PROGRESS, "", id="only names"
        ),
        pytest.param("id: sub : 001 stat:DELIVRD", "", Outcome.DELIVERED, "DELIVRD", id="empty id, spaces"),
        pytest.param("id:5 err:12 Text :x stat:DELIVRD", "5", Outcome.PROGRESS, "12", id="no stat"),
        pytest.param("context:x id:5 stat:DELIVRD", "5", Outcome.DELIVERED, "DELIVRD", id="no text"),
        pytest.param("text:id stat:DELIVRD", "", Outcome.DELIVERED, "DELIVRD", id="text first"),
        pytest.param("mid:4 id:5 substat:EXPIRED", "5", Outcome.PROGRESS, "", id="names that end alike"),
        pytest.param("id:5 stat:UNDELIV err:0x01", "5", Outcome.FAILED, "UNDELIV 0x01", id="err 0x01"),
        pytest.param("id:5 stat:DELIVRD err:0x00", "5", Outcome.DELIVERED, "DELIVRD", id="err 0x00"),
        pytest.param("id:5 stat:UNDELIV err:-1", "5", Outcome.FAILED, "UNDELIV -1", id="err -1"),
    ],
)
def test_the_text_is_read_as_far_as_it_goes(text: str, provider_id: str, outcome: Outcome, code: str) -> None:
    said = parse(receipt(text))
    assert said is not None
    assert (said.provider_id, said.outcome, said.code, said.raw) == (provider_id, outcome, code, text)


@pytest.mark.parametrize(
    ("text", "provider_id", "outcome", "code"),
    [
        pytest.param(
            f"id:7bd1bd28-3f7f-4dbb-9a80-4dcf0a2e2a5c sub:001 dlvrd:001 {DATES} stat:DELIVRD err:000 text:",
            "7bd1bd28-3f7f-4dbb-9a80-4dcf0a2e2a5c",
            Outcome.DELIVERED,
            "DELIVRD",
            id="Kannel, Jasmin and Infobip: a UUID",
        ),
        pytest.param(
            f"id:3 sub:001 dlvrd:001 {DATES} stat:UNDELIV err:001 text:Hello",
            "3",
            Outcome.FAILED,
            "UNDELIV 001",
            id="SMPPSim: small numbers",
        ),
        pytest.param(
            f"id:0123456789 sub:002 dlvrd:001 {DATES} stat:DELIVRD err:012 text:This is a sample",
            "0123456789",
            Outcome.DELIVERED,
            "DELIVRD 012",
            id="Cloudhopper: ten digits, and one of two parts",
        ),
        pytest.param(
            f"id:40072910491427628 sub:001 dlvrd:001 {DATES} stat:DELIVRD err:000",
            "40072910491427628",
            Outcome.DELIVERED,
            "DELIVRD",
            id="Infobip: no text",
        ),
        pytest.param(
            f"id:0C000000217B7F02 sub:001 dlvrd:001 {DATES} stat:REJECTD err:03e text:",
            "0C000000217B7F02",
            Outcome.FAILED,
            "REJECTD 03e",
            id="hexadecimal in capitals",
        ),
        pytest.param(
            f"id:SM5ef8732a3c49700934481addd5ce1659 sub:001 dlvrd:000 {DATES} stat:UNDELIV err:30003 text:",
            "SM5ef8732a3c49700934481addd5ce1659",
            Outcome.FAILED,
            "UNDELIV 30003",
            id="Twilio: its own error numbers",
        ),
        pytest.param(
            "id:26ea5b4460a2f4b50c62f23b0c6489e49e12ef5df7ff207597a07ebe9d2003b8 stat:DELIVRD",
            "26ea5b4460a2f4b50c62f23b0c6489e49e12ef5df7ff207597a07ebe9d2003b8",
            Outcome.DELIVERED,
            "DELIVRD",
            id="64 letters",
        ),
        pytest.param(
            f"id:1526758174 {DATES} stat:DELIVRD err:000 text:hellow",
            "1526758174",
            Outcome.DELIVERED,
            "DELIVRD",
            id="no sub, no dlvrd",
        ),
        pytest.param(
            "id:rdwjwxns18krxr9936ey96ymcw sub:000 dlvrd:000 submit date:180711070003912+ "
            "done date:180711070000012+ stat:UNDELIV err:000",
            "rdwjwxns18krxr9936ey96ymcw",
            Outcome.FAILED,
            "UNDELIV",
            id="dates with time zones",
        ),
        pytest.param(
            f"id:45013692 sub:0 dlvrd:28 {DATES} stat:UNDELIV err:21 Text:*100#",
            "45013692",
            Outcome.FAILED,
            "UNDELIV 21",
            id="dlvrd is anything",
        ),
        pytest.param(
            f"id:117062714244798261 sub:001 dlvrd:000 {DATES} stat:DELIVRD err:0000 text:H\x1bello",
            "117062714244798261",
            Outcome.DELIVERED,
            "DELIVRD",
            id="dlvrd is not believed",
        ),
        pytest.param(
            f"id:0489708364 sub:001 dlvrd:001 {DATES} stat:DELIVRD err:000 "
            "text:\x04\x1f\x04@\x048\x042\x045\x04B\x00 \x041",
            "0489708364",
            Outcome.DELIVERED,
            "DELIVRD",
            id="the message in UCS-2 behind ASCII",
        ),
        pytest.param(
            "id:x1 dlvrd:001 submit date:2024-08-15T15:52:00Z done date:2024-08-15 15:53 stat:DELIVER",
            "x1",
            Outcome.DELIVERED,
            "DELIVER",
            id="other dates, a word cut to seven letters",
        ),
        pytest.param("id:9 stat:BUFFRED err:001", "9", Outcome.PROGRESS, "BUFFRED 001", id="Mblox: BUFFRED"),
        pytest.param("id:9 stat:ACKED err:000", "9", Outcome.PROGRESS, "ACKED", id="Mblox: ACKED"),
        pytest.param("id:9 stat:FAILED err:4096", "9", Outcome.FAILED, "FAILED 4096", id="Mblox: FAILED"),
    ],
)
@pytest.mark.parametrize("esm_class", [4, 0])
def test_what_smscs_are_known_to_send_is_read_marked_or_not(
    esm_class: int, text: str, provider_id: str, outcome: Outcome, code: str
) -> None:
    said = parse(receipt(text, esm_class))
    assert said is not None
    assert (said.provider_id, said.outcome, said.code) == (provider_id, outcome, code)
    assert said.raw == text.replace("\0", "")


@pytest.mark.parametrize(
    ("tlvs", "outcome", "code"),
    [
        pytest.param({0x427: b"\x02"}, Outcome.DELIVERED, "DELIVRD 7", id="delivered"),
        pytest.param({0x427: b"\x03"}, Outcome.EXPIRED, "EXPIRED 7", id="expired"),
        pytest.param({0x427: b"\x08"}, Outcome.FAILED, "REJECTD 7", id="rejected"),
        pytest.param({0x427: b"\x06"}, Outcome.PROGRESS, "ACCEPTD 7", id="accepted is not the end"),
        pytest.param({0x427: b"\x63"}, Outcome.FAILED, "UNDELIV 7", id="no such state: the text"),
        pytest.param({0x427: b""}, Outcome.FAILED, "UNDELIV 7", id="empty: the text"),
        pytest.param({0x427: b"\x00"}, Outcome.FAILED, "UNDELIV 7", id="not filled in: the text"),
        pytest.param({0x427: b"\x09"}, Outcome.FAILED, "SKIPPED 7", id="skipped"),
        pytest.param({0x423: b"\x00\x00\x14"}, Outcome.FAILED, "UNDELIV 7", id="of no network"),
        pytest.param({0x423: b"\x03\x22"}, Outcome.FAILED, "UNDELIV 7", id="cut off"),
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
        pytest.param("0x01", Fault.NUMBER, id="the same in C"),
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
        pytest.param(
            DeliverSm(esm_class=4, tlvs={0x424: "id:5 stat:DELIVRD".encode("utf-16-be")}),
            id="in UCS-2, in the payload TLV, and not called so",
        ),
        pytest.param(
            DeliverSm(data_coding=8, short_message="id:5 stat:DELIVRD".encode("utf-16-le")),
            id="in UCS-2 turned round",
        ),
        pytest.param(
            DeliverSm(esm_class=4, short_message=b"\xfe\xff" + "id:5 stat:DELIVRD".encode("utf-16-be")),
            id="in UCS-2 with a mark",
        ),
        pytest.param(receipt("id:5 stat:DELIVRD\0", data_coding=8), id="not in UCS-2 but called so"),
        pytest.param(receipt("id:5\0 stat:DELIVRD err:000\0"), id="with NULs"),
        pytest.param(receipt("\5\0\3\1\2\1id:5 stat:DELIVRD", esm_class=0x44), id="in parts"),
        pytest.param(receipt(" ID: 5 dlvrd:1 Stat: DELIVRD", esm_class=0), id="not marked, spaced"),
        pytest.param(receipt("stat:DELIVRD id:5", esm_class=0, tlvs={0x427: b"\x02"}), id="only a state TLV"),
        pytest.param(receipt("id:5 stat:DELIVRD", tlvs={0x1E: b"\0", 0x427: b"\0"}), id="TLVs not filled in"),
        pytest.param(receipt("id:5 sub:1 stat:DELIVRD", esm_class=0), id="not marked"),
        pytest.param(receipt("id:5 stat:DELIVRD", esm_class=0x44), id="with the header bit"),
        pytest.param(DeliverSm(tlvs={0x1E: b"5\0", 0x427: b"\x02"}), id="not marked, in TLVs"),
    ],
)
def test_a_receipt_is_known_wherever_it_hides(pdu: DeliverSm) -> None:
    said = parse(pdu)
    assert said is not None
    assert (said.provider_id, said.outcome) == ("5", Outcome.DELIVERED)


@pytest.mark.parametrize("esm_class", [0x20, 0x24, 0x60])
def test_an_intermediate_notification_is_never_final(esm_class: int) -> None:
    said = parse(receipt("id:5 stat:DELIVRD", esm_class=esm_class))
    assert said is not None
    assert said.outcome is Outcome.PROGRESS


@pytest.mark.parametrize(
    "pdu",
    [
        pytest.param(receipt("STOP", esm_class=0), id="a reply"),
        pytest.param(receipt("my id:5 stat:no", esm_class=0), id="a reply that looks a bit like one"),
        pytest.param(receipt("id:5 what is my stat: 7", esm_class=0), id="a reply that looks more like one"),
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
    said = parse(DeliverSm(esm_class=esm, data_coding=coding, short_message=text, tlvs=tlvs))
    assert said is None or "\0" not in said.provider_id + said.code + said.raw


WORDS = st.sampled_from(
    [
        "0013",
        "ab-1",
        "a.b",
        "x_y",
        "DELIVRD",
        "undeliv",
        "000",
        "034",
        "submit",
        "DONE",
        "id",
        "text",
        "é",
        "",
    ]
)


@given(WORDS, WORDS, WORDS, st.sampled_from([DATES, DATES.upper(), "done date:1", ""]))
def test_what_is_written_by_the_book_is_read_as_everything_is(
    provider_id: str, stat: str, err: str, dates: str
) -> None:
    """A space ahead of it is against the book."""
    text = f"id:{provider_id} sub:001 dlvrd:001 {dates} stat:{stat} err:{err} text:id:6 stat:EXPIRED err:7"
    book, free = parse(receipt(text)), parse(receipt(" " + text))
    assert book is not None
    assert free is not None
    assert replace(book, raw="") == replace(free, raw="")
