"""The SMPP channel against far ends that are not ours, row by row of the table in far_ends.py."""

import asyncio
import logging
import shutil
import subprocess
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from far_ends import ENDS, FEATURES, NODE, OURS, PERL, Heard, start, table
from linked import HELLO, MESSAGE, NUMBER, all_taken, linked, taken
from smpp_ends import Gateway, Lines, missing

from hopwire import wap
from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Later,
    Never,
    Outcome,
    SmsText,
    Taken,
    Unknown,
    WapPush,
)

REFUSED = {OURS: "380501234511"}  # elsewhere what ends in 0
UNDELIVERED = {OURS: "380501234506"}  # elsewhere what ends in 9
LONG = SmsText(text="Довге повідомлення, " * 8)
LONG_GSM = SmsText(text="A" * 152 + "€" + "B" * 100)  # the euro needs two septets and only one is left

proved: list[tuple[str, str]] = []  # feature, test
Test = Callable[..., Any]


def proves(feature: str) -> Callable[[Test], Test]:
    """Run the test against every far end that the row names."""

    def mark(test: Test) -> Test:
        proved.append((feature, test.__name__))
        return pytest.mark.parametrize("end", FEATURES[feature].ends)(test)

    return mark


def test_every_row_is_proved_by_the_test_that_it_names_and_by_no_other() -> None:
    assert proved == [(name, f"test_{feature.test}") for name, feature in FEATURES.items()]
    against = [
        name
        for name, test in globals().items()
        if name[:5] == "test_" and "end" in signature(test).parameters
    ]
    assert against == [test for _, test in proved]


def test_a_cell_without_a_test_has_its_reason() -> None:
    for name, feature in FEATURES.items():
        assert feature.ends, name
        assert set(feature.ends) | set(feature.without) == set(ENDS)
        assert all(feature.without.values())
    lines = table().splitlines()
    assert f"| {' | '.join(ENDS)} |" in lines[0]
    assert all(lines[2 + n].startswith(f"| {name} |") for n, name in enumerate(FEATURES))


# ---- sessions


@proves("bind_transceiver")
async def test_a_transceiver_is_bound(end: str) -> None:
    async with linked(end) as link:
        bind = await link.far.hears("bind_transceiver")
        assert (bind["system_id"], bind["interface_version"]) == ("me", 0x34)
        assert isinstance(await link.send_one(), Taken)


@proves("bind_transmitter and bind_receiver")
async def test_a_transmitter_and_a_receiver_are_bound(end: str) -> None:
    async with linked(end, {"bind": "transmitter+receiver"}) as link:
        binds = {(await link.far.told.get())["command"] for _ in range(2)}
        assert binds == {"bind_transmitter", "bind_receiver"}
        said = await link.send_one()
        assert isinstance(said, Taken)
        if end != PERL:
            assert [receipt.provider_id for receipt in await link.receipts(1)] == [said.provider_id]


@proves("Several sessions")
async def test_several_sessions_are_bound(end: str) -> None:
    async with linked(end, {"sessions": 2}) as link:
        await link.far.hears_many("bind_transceiver", 2)
        assert all_taken(await asyncio.gather(*(link.send_one() for _ in range(4))))


@proves("A wrong password")
async def test_a_wrong_password_is_refused(end: str) -> None:
    lines, log = Lines(), logging.getLogger("hopwire.channels.smpp")
    log.addHandler(lines)
    async with start(end) as far:
        gateway = Gateway(far.port, password="wrong")
        await gateway.channel.start()
        await lines.have("status=ESME_RINVPASWD")
        assert gateway.channel.capacity == 0
        await gateway.channel.stop()
    log.removeHandler(lines)


@proves("enquire_link from us")
async def test_a_silent_link_is_asked(end: str) -> None:
    async with linked(end, {"enquire_link_s": 0.05}) as link:
        await link.far.hears_many("enquire_link", 3)  # the first two were answered
        assert isinstance(await link.send_one(), Taken)


@proves("enquire_link from the SMSC")
async def test_an_enquiry_is_answered(end: str) -> None:
    async with linked(end, enquire_link="yes") as link:
        assert isinstance(await link.send_one(), Taken)
        await link.far.hears("enquire_link_resp")


# ---- texts


def says(heard: Heard, *fields: str) -> tuple[Any, ...]:
    return tuple(heard[field] for field in fields)


def text_of(end: str, heard: Heard) -> str | None:
    """What the far end's own stack makes of the octets; None: it leaves them as they are."""
    return heard["text"] if end == NODE else None


@proves("Text in the GSM alphabet")
async def test_a_plain_text_arrives(end: str) -> None:
    async with linked(end) as link:
        assert isinstance(await link.send_one(), Taken)
        heard = await link.far.hears("submit_sm")
        assert heard["octets"] == "68656c6c6f201b281b651b29"
        assert text_of(end, heard) in {HELLO.text, None}
        assert says(heard, "data_coding", "esm_class", "registered_delivery") == (0, 0, 1)
        assert says(heard, "source_addr_ton", "source_addr_npi", "source_addr") == (5, 0, "Alpha")
        assert says(heard, "dest_addr_ton", "dest_addr_npi", "destination_addr") == (1, 1, NUMBER)


@proves("Text in UCS-2")
async def test_a_text_in_ucs2_arrives(end: str) -> None:
    text = "Привіт 🌊"
    async with linked(end) as link:
        assert isinstance(await link.send_one(SmsText(text=text)), Taken)
        heard = await link.far.hears("submit_sm")
        assert bytes.fromhex(heard["octets"]).decode("utf-16-be") == text
        assert text_of(end, heard) in {text, None}
        assert says(heard, "data_coding", "esm_class") == (8, 0)


@proves("Flash: 0xF0, 0x10, dest_addr_subunit")
@pytest.mark.parametrize(
    ("flash", "codings", "subunit"),
    [("f0", [0xF0, 0x18], None), ("10", [0x10, 0x18], None), ("subunit", [0x00, 0x08], 1)],
)
async def test_a_flash_message_arrives(end: str, flash: str, codings: list[int], subunit: int | None) -> None:
    async with linked(end, {"flash": flash}) as link:
        for text in ("Flash", "Флеш"):
            assert isinstance(await link.send_one(FlashSms(text=text)), Taken)
        heard = await link.far.hears_many("submit_sm", 2)
        assert [one["data_coding"] for one in heard] == codings
        assert [one["tlvs"].get("dest_addr_subunit") for one in heard] == [subunit, subunit]
        assert [one["octets"] for one in heard] == [b"Flash".hex(), "Флеш".encode("utf-16-be").hex()]


async def in_parts(end: str, content: SmsText, long_message: str) -> list[Heard]:
    """The parts, as the far end has heard them, in the order of their numbers."""
    async with linked(end, {"long_message": long_message}) as link:
        said = await link.send(content)
        assert all_taken(said)
        return await link.far.hears_many("submit_sm", len(said))


def without_header(heard: list[Heard], header: str) -> bytes:
    """The text of the parts, whose headers are these octets, the number of parts, and the own number."""
    octets = [bytes.fromhex(one["octets"]) for one in heard]
    start = bytes.fromhex(header)
    size = len(start) + 2
    assert [one[:size] for one in octets] == [start + bytes((len(heard), n + 1)) for n in range(len(heard))]
    assert {one["esm_class"] for one in heard} == {0x40}
    return b"".join(one[size:] for one in octets)


@proves("Long text, 8-bit reference")
async def test_parts_with_an_8_bit_reference_arrive(end: str) -> None:
    heard = await in_parts(end, LONG, "udh8")
    assert without_header(heard, "05 00 03 02").decode("utf-16-be") == LONG.text
    heard = await in_parts(end, LONG_GSM, "udh8")
    assert without_header(heard, "05 00 03 02") == b"A" * 152 + b"\x1be" + b"B" * 100
    assert len(bytes.fromhex(heard[0]["octets"])) == 6 + 152, "the euro is not cut"


@proves("Long text, 16-bit reference")
async def test_parts_with_a_16_bit_reference_arrive(end: str) -> None:
    heard = await in_parts(end, LONG, "udh16")
    assert without_header(heard, "06 08 04 1702").decode("utf-16-be") == LONG.text


@proves("Long text, SAR TLVs")
async def test_parts_tied_by_sar_arrive(end: str) -> None:
    heard = await in_parts(end, LONG, "sar")
    names = ("sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")
    assert [says(one["tlvs"], *names) for one in heard] == [(0x1702, 3, 1), (0x1702, 3, 2), (0x1702, 3, 3)]
    assert {one["esm_class"] for one in heard} == {0}
    octets = bytes.fromhex("".join(one["octets"] for one in heard))
    assert octets.decode("utf-16-be") == LONG.text


@proves("Long text, message_payload")
async def test_a_long_text_arrives_in_the_payload(end: str) -> None:
    (heard,) = await in_parts(end, LONG, "payload")
    assert bytes.fromhex(heard["octets"]).decode("utf-16-be") == LONG.text
    assert text_of(end, heard) in {LONG.text, None}
    assert says(heard, "data_coding", "esm_class") == (8, 0)


@proves("WAP push, in one and several parts")
@pytest.mark.parametrize(
    ("path", "header", "parts"),
    [("", "06 05 04 0b84 23f0", 1), ("long/path/" * 20, "0b 05 04 0b84 23f0 00 03 02", 2)],
)
async def test_a_wap_push_arrives(end: str, path: str, header: str, parts: int) -> None:
    push = WapPush(url=f"https://www.example.com/{path}", text="Подивіться")
    async with linked(end) as link:
        said = await link.send(push)
        assert (all_taken(said), len(said)) == (True, parts)
        heard = await link.far.hears_many("submit_sm", parts)
    assert {one["data_coding"] for one in heard} == {4}
    if parts > 1:
        data = without_header(heard, header)
    else:
        octets, start = bytes.fromhex(heard[0]["octets"]), bytes.fromhex(header)
        assert octets.startswith(start)
        data = octets.removeprefix(start)
    assert wap.decode(data) == (push.url, push.text)


# ---- receipts


async def are_read(end: str, **options: Any) -> None:
    """A delivered and an undelivered message are reported as such, under the ids of their answers."""
    async with linked(end, **options) as link:
        numbers = [NUMBER, UNDELIVERED.get(end, "380501234569")]
        ids = taken([await link.send_one(to=number) for number in numbers])
        assert len(set(ids)) == 2
        found = {receipt.provider_id: receipt for receipt in await link.receipts(2)}
        assert [found[one].outcome for one in ids] == [Outcome.DELIVERED, Outcome.FAILED]
        assert [found[one].recipient for one in ids] == numbers


@proves("Receipts as text")
async def test_receipts_in_text_are_read(end: str) -> None:
    await are_read(end, receipts="text")


@proves("Receipts as TLVs")
async def test_receipts_in_tlvs_are_read(end: str) -> None:
    options: dict[str, Any] = {} if end == OURS else {"receipts": "tlv"}
    await are_read(end, **options)


@proves("Receipts in message_payload")
async def test_receipts_in_the_payload_are_read(end: str) -> None:
    await are_read(end, receipts="payload")


@proves("Receipts ahead of the answer")
async def test_receipts_ahead_of_the_answer_are_read(end: str) -> None:
    options: dict[str, Any] = {} if end == OURS else {"receipts_first": "yes"}
    async with linked(end, **options) as link:
        said = await link.send_one(to="380501234510" if end == OURS else NUMBER)
        assert isinstance(said, Taken)
        assert (await link.receipts(1))[0].provider_id == said.provider_id


@proves("Receipts that are not final")
async def test_receipts_that_are_not_final_are_progress(end: str) -> None:
    async with linked(end, accepted_first="yes") as link:
        assert isinstance(await link.send_one(), Taken)
        outcomes = [receipt.outcome for receipt in await link.receipts(2)]
        assert outcomes == [Outcome.PROGRESS, Outcome.DELIVERED]


@proves("Ids: decimal, hexadecimal, padded, capitals, UUID")
@pytest.mark.parametrize("known", [True, False], ids=["told", "auto"])
@pytest.mark.parametrize(
    ("ids", "receipt_ids", "setting"),
    [
        ("dec", "same", "same"),
        ("hex", "upper", "same"),
        ("padded", "stripped", "same"),
        ("padded", "stripped,upper", "same"),
        ("uuid", "upper", "same"),
        ("hex", "dec-of-hex", "hex_to_dec"),
        ("padded", "dec-of-hex", "hex_to_dec"),
        ("dec", "hex-of-dec,upper", "dec_to_hex"),
    ],
)
async def test_ids_of_another_form_are_matched(
    end: str, ids: str, receipt_ids: str, setting: str, known: bool
) -> None:
    settings = {"receipt_ids": setting if known else "auto"}
    async with linked(end, settings, ids=ids, receipt_ids=receipt_ids) as link:
        said = await link.send_one()
        assert isinstance(said, Taken)
        (receipt,) = await link.receipts(1)
        if known or setting == "same":
            assert receipt.provider_id == said.provider_id
        else:
            assert said.provider_id in receipt.also


@proves("One id for all messages")
async def test_an_id_that_all_messages_have_is_taken(end: str) -> None:
    async with linked(end) as link:
        assert [await link.send_one() for _ in range(2)] == [Taken("123456789")] * 2


# ---- answers


@proves("A refused number")
async def test_a_refused_number_is_a_final_no(end: str) -> None:
    async with linked(end) as link:
        said = await link.send_one(to=REFUSED.get(end, "380501234560"))
        assert said == Never("ESME_RINVDSTADR", Fault.NUMBER)


@proves("ESME_RTHROTTLED")
async def test_throttling_pauses_and_then_it_goes_on(end: str) -> None:
    options: dict[str, Any] = {} if end == OURS else {"throttle": 2}
    async with linked(end, **options) as link:
        said: list[Answer] = []
        while len(said) < 3:
            said.append(await link.send_one(to="380501234508" if end == OURS else NUMBER))
            if isinstance(said[-1], Later):
                assert link.gateway.channel.capacity == 0
                await link.gateway.is_ready()
        refused = [one for one in said if isinstance(one, Later)]
        assert {(one.code, one.throttled) for one in refused} == {("ESME_RTHROTTLED", True)}
        assert isinstance(said[-1], Taken)


@proves("ESME_RMSGQFUL")
async def test_a_full_queue_is_tried_later(end: str) -> None:
    async with linked(end, queue_full=1) as link:
        said = await link.send_one()
        assert isinstance(said, Later)
        assert said.code == "ESME_RMSGQFUL"


@proves("generic_nack")
async def test_a_nack_is_a_final_no(end: str) -> None:
    async with linked(end, nack=2) as link:
        said = [await link.send_one() for _ in range(3)]
        assert said[1] == Never("ESME_RINVCMDID", Fault.CONFIGURATION)
        assert all_taken([said[0], said[2]])


@proves("No answer")
async def test_silence_is_unknown(end: str) -> None:
    options: dict[str, Any] = {} if end == OURS else {"silent": 1}
    async with linked(end, {"response_timeout_s": 0.2}, **options) as link:
        said = await link.send_one(to="380501234509" if end == OURS else NUMBER)
        assert said == Unknown("no answer in time")


@proves("An answer that comes too late")
async def test_a_late_answer_is_told(end: str) -> None:
    async with linked(end, {"response_timeout_s": 0.2}, late_ms=600) as link:
        assert await link.send_one() == Unknown("no answer in time")
        message_id, step, part, said = await link.gateway.late.get()
        assert (message_id, step, part) == (MESSAGE, 1, 0)
        assert isinstance(said, Taken)


# ---- connections


@proves("A connection that breaks")
async def test_a_broken_connection_comes_back(end: str) -> None:
    async with linked(end, drop_after=2) as link:
        assert isinstance(await link.send_one(), Taken)
        assert await link.send_one() == Unknown("connection lost")
        await link.gateway.is_ready()
        assert isinstance(await link.send_one(), Taken)


@proves("unbind from the SMSC")
async def test_a_goodbye_is_answered_and_it_comes_back(end: str) -> None:
    async with linked(end, unbind_after=1) as link:
        assert isinstance(await link.send_one(), Taken)
        await link.far.hears("unbind_resp")
        await link.far.hears("bind_transceiver")


@proves("Incoming message in parts")
async def test_an_incoming_message_is_kept(end: str) -> None:
    async with linked(end) as link:
        assert isinstance(await link.send_one(SmsText(text="MO")), Taken)
        await link.far.hears_many("deliver_sm_resp", 2 if end == PERL else 3)  # with the receipt
        parts = [part for batch in link.gateway.incoming for part in batch]
        assert [part.payload.decode("utf-16-be") for part in parts] == ["Привіт, ", "світе"]
        assert [(part.reference, part.part, part.parts) for part in parts] == [(0x17, 1, 2), (0x17, 2, 2)]
        assert {(part.sender, part.recipient, part.data_coding) for part in parts} == {(NUMBER, "Alpha", 8)}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A PEM file with the key and the certificate of `smsc.example`, signed by nobody else."""
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    made, key = tmp_path / "smsc.pem", tmp_path / "key.pem"
    line = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {made} -days 2"
    name = "-subj /CN=smsc.example -addext subjectAltName=DNS:smsc.example"
    subprocess.run(f"{line} {name}".split(), check=True, capture_output=True, timeout=60)
    made.write_text(made.read_text() + key.read_text())
    return made


@proves("TLS, its certificate verified")
async def test_messages_go_over_tls(end: str, certificate: Path) -> None:
    settings = {"tls": True, "tls_ca": str(certificate), "tls_name": "smsc.example"}
    async with linked(end, settings, tls=certificate) as link:
        assert isinstance(await link.send_one(), Taken)
        assert [receipt.outcome for receipt in await link.receipts(1)] == [Outcome.DELIVERED]


@proves("Unknown commands and TLVs")
async def test_what_is_unknown_does_no_harm(end: str) -> None:
    async with linked(end, unknown="yes") as link:
        said = await link.send_one()
        assert isinstance(said, Taken)
        nack = await link.far.hears("generic_nack")
        assert nack["status"] == 3
        assert [receipt.provider_id for receipt in await link.receipts(1)] == [said.provider_id]


@proves("PDUs in pieces and joined")
async def test_pieces_of_pdus_are_joined(end: str) -> None:
    async with linked(end, pieces="yes") as link:
        ids = taken(await asyncio.gather(*(link.send_one() for _ in range(10))))
        assert len(set(ids)) == 10
        assert {receipt.provider_id for receipt in await link.receipts(10)} == set(ids)
