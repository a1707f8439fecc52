"""What ties the parts of a message together, read from what has come over the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire import sms
from hopwire.model import SmsText, WapPush, Writing
from hopwire.smpp.part import Part, read_part
from hopwire.smpp.pdu import DeliverSm, SubmitSm

HEADER = bytes.fromhex
SAR = {0x020C: b"\x12\x34", 0x020E: b"\x03", 0x020F: b"\x02"}


@pytest.mark.parametrize(
    ("pdu", "part"),
    [
        pytest.param(SubmitSm(short_message=b"Hi"), Part(b"Hi"), id="alone"),
        pytest.param(DeliverSm(tlvs={0x0424: b"long"}), Part(b"long"), id="in the payload"),
        pytest.param(
            SubmitSm(esm_class=0x40, short_message=HEADER("0500030a0201") + b"x"),
            Part(b"x", 10, 1, 2),
            id="an 8-bit reference",
        ),
        pytest.param(
            SubmitSm(esm_class=0x43, short_message=HEADER("06080412340302") + b"x"),
            Part(b"x", 0x1234, 2, 3),
            id="a 16-bit reference",
        ),
        pytest.param(SubmitSm(short_message=b"x", tlvs=SAR), Part(b"x", 0x1234, 2, 3), id="SAR"),
        pytest.param(
            SubmitSm(esm_class=0x40, short_message=HEADER("0605040b8423f0") + b"x"),
            Part(b"x", port=2948),
            id="ports",
        ),
        pytest.param(
            SubmitSm(esm_class=0x40, short_message=HEADER("0b05040b8423f000030a0201") + b"x"),
            Part(b"x", 10, 1, 2, 2948),
            id="ports and a reference",
        ),
        pytest.param(
            SubmitSm(esm_class=0x40, short_message=HEADER("03240101") + b"x", tlvs=SAR),
            Part(b"x", 0x1234, 2, 3, national=1),
            id="a national table, and SAR",
        ),
        pytest.param(
            SubmitSm(esm_class=0x40, short_message=HEADER("0500030a0203") + b"x"), Part(b"x"), id="3 of 2"
        ),
        pytest.param(
            SubmitSm(esm_class=0x40, short_message=HEADER("0500030a00")),
            Part(HEADER("0500030a00")),
            id="cut off",
        ),
        pytest.param(SubmitSm(short_message=b"x", tlvs={0x020C: b"\1\1"}), Part(b"x", 257), id="half of SAR"),
    ],
)
def test_a_header_is_read(pdu: SubmitSm | DeliverSm, part: Part) -> None:
    assert read_part(pdu) == part


@given(
    st.integers(0, 255),
    st.binary(max_size=254),
    st.dictionaries(st.sampled_from(list(SAR)), st.binary(max_size=4)),
)
def test_any_octets_are_something(esm_class: int, octets: bytes, tlvs: dict[int, bytes]) -> None:
    part = read_part(DeliverSm(esm_class=esm_class, short_message=octets, tlvs=tlvs))
    assert 1 <= part.number <= part.total <= 255
    assert octets.endswith(part.payload)


@pytest.mark.parametrize("long", ["udh8", "udh16", "sar"])
@pytest.mark.parametrize(
    "content", [SmsText(text="Ї" * 200), WapPush(url="http://a.example/", text="я" * 150)]
)
def test_what_we_write_is_read_again(content: SmsText | WapPush, long: str) -> None:
    segments = sms.encode(content, 0x1234, Writing(long=long))
    for number, one in enumerate(segments, 1):
        tlvs = {} if one.sar is None else {
            0x020C: one.sar[0].to_bytes(2), 0x020E: bytes((one.sar[1],)), 0x020F: bytes((one.sar[2],))
        }  # fmt: skip
        part = read_part(SubmitSm(esm_class=one.esm_class, short_message=one.udh + one.payload, tlvs=tlvs))
        assert (part.number, part.total, part.payload) == (number, len(segments), one.payload)
        assert part.reference in (0x34, 0x1234)
        assert part.port == (2948 if isinstance(content, WapPush) else None)
