"""SMSCs that are not ours, and our simulator: how they are started, and what is held against each of them.

Rule: a cell of the table is a test in test_peers.py that has the row's name and runs against that far end, or
it is a reason why there is none. The manual prints the table.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

PEERS = Path(__file__).parent / "peers"

NODE, TWISTED, PERL, OURS = ENDS = ("npm smpp", "smpp.twisted3", "Net::SMPP", "our simulator")

# ---- the table

WHOLE = "Writes its PDUs whole."
PLAIN = "Has no TLS here."
KNOWN = "Says nothing that SMPP 3.4 does not know."
PROMPT = "Answers at once or not at all."
FINAL = "Sends final receipts alone."
OWN_IDS = "Writes an id in its receipts as in its answers."
MANY_IDS = "Gives every message an id of its own."
NO_RECEIPTS = "Gives all messages one id, and sends no receipts."
BOTH_WAYS = "Its receipts say everything in TLVs and in text."
NO_ENDING = "None of its endings of a number does this."

ONLY_OURS_CANNOT = {OURS: NO_ENDING}


def only_node(why: str) -> dict[str, str]:
    return {TWISTED: why, PERL: why, OURS: why}


class Feature(NamedTuple):
    """One row: the name of its test, without `test_`, and why a far end is not asked."""

    test: str
    without: Mapping[str, str] = MappingProxyType({})

    @property
    def ends(self) -> list[str]:
        return [end for end in ENDS if end not in self.without]


FEATURES = {
    "bind_transceiver": Feature("a_transceiver_is_bound"),
    "bind_transmitter and bind_receiver": Feature("a_transmitter_and_a_receiver_are_bound"),
    "Several sessions": Feature("several_sessions_are_bound"),
    "A wrong password": Feature("a_wrong_password_is_refused"),
    "enquire_link from us": Feature("a_silent_link_is_asked"),
    "enquire_link from the SMSC": Feature("an_enquiry_is_answered", ONLY_OURS_CANNOT),
    "Text in the GSM alphabet": Feature("a_plain_text_arrives"),
    "Text in UCS-2": Feature("a_text_in_ucs2_arrives"),
    "Flash: 0xF0, 0x10, dest_addr_subunit": Feature("a_flash_message_arrives"),
    "Long text, 8-bit reference": Feature("parts_with_an_8_bit_reference_arrive"),
    "Long text, 16-bit reference": Feature("parts_with_a_16_bit_reference_arrive"),
    "Long text, SAR TLVs": Feature("parts_tied_by_sar_arrive"),
    "Long text, message_payload": Feature("a_long_text_arrives_in_the_payload"),
    "WAP push, in one and several parts": Feature("a_wap_push_arrives"),
    "Receipts as text": Feature("receipts_in_text_are_read", {PERL: NO_RECEIPTS, OURS: BOTH_WAYS}),
    "Receipts as TLVs": Feature("receipts_in_tlvs_are_read", {PERL: NO_RECEIPTS}),
    "Receipts in message_payload": Feature(
        "receipts_in_the_payload_are_read", {PERL: NO_RECEIPTS, OURS: BOTH_WAYS}
    ),
    "Receipts ahead of the answer": Feature("receipts_ahead_of_the_answer_are_read", {PERL: NO_RECEIPTS}),
    "Receipts that are not final": Feature(
        "receipts_that_are_not_final_are_progress", {TWISTED: FINAL, PERL: NO_RECEIPTS, OURS: FINAL}
    ),
    "Ids: decimal, hexadecimal, padded, capitals, UUID": Feature(
        "ids_of_another_form_are_matched", {TWISTED: OWN_IDS, PERL: NO_RECEIPTS, OURS: OWN_IDS}
    ),
    "One id for all messages": Feature(
        "an_id_that_all_messages_have_is_taken", {NODE: MANY_IDS, TWISTED: MANY_IDS, OURS: MANY_IDS}
    ),
    "A refused number": Feature("a_refused_number_is_a_final_no"),
    "ESME_RTHROTTLED": Feature("throttling_pauses_and_then_it_goes_on"),
    "ESME_RMSGQFUL": Feature("a_full_queue_is_tried_later", ONLY_OURS_CANNOT),
    "generic_nack": Feature("a_nack_is_a_final_no", ONLY_OURS_CANNOT),
    "No answer": Feature("silence_is_unknown"),
    "An answer that comes too late": Feature("a_late_answer_is_told", only_node(PROMPT)),
    "A connection that breaks": Feature("a_broken_connection_comes_back", ONLY_OURS_CANNOT),
    "unbind from the SMSC": Feature("a_goodbye_is_answered_and_it_comes_back", ONLY_OURS_CANNOT),
    "Incoming message in parts": Feature("an_incoming_message_is_kept", ONLY_OURS_CANNOT),
    "TLS, its certificate verified": Feature("messages_go_over_tls", only_node(PLAIN)),
    "Unknown commands and TLVs": Feature("what_is_unknown_does_no_harm", only_node(KNOWN)),
    "PDUs in pieces and joined": Feature("pieces_of_pdus_are_joined", only_node(WHOLE)),
}


def table() -> str:
    """The table in Markdown, with its reasons numbered below it."""
    reasons = list(dict.fromkeys(why for feature in FEATURES.values() for why in feature.without.values()))
    rows = [
        f"| {name} | {' | '.join(_cell(feature, end, reasons) for end in ENDS)} |"
        for name, feature in FEATURES.items()
    ]
    head = [f"| | {' | '.join(ENDS)} |", "| --- " * (1 + len(ENDS)) + "|"]
    notes = [f"{number}. {why}" for number, why in enumerate(reasons, 1)]
    return "\n".join([*head, *rows, "", *notes, ""])


def _cell(feature: Feature, end: str, reasons: list[str]) -> str:
    return f"– ({reasons.index(feature.without[end]) + 1})" if end in feature.without else "✓"


# ---- far ends at work

Heard = dict[str, Any]
"""A PDU as the far end has read it: its `command`, fields, `tlvs`, and the `octets` of its text in hex."""


class FarEnd:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.told: asyncio.Queue[Heard] = asyncio.Queue()

    async def hears(self, command: str) -> Heard:
        """The next such PDU; others are passed over."""
        while (heard := await self.told.get())["command"] != command:
            pass
        return heard

    async def hears_many(self, command: str, count: int) -> list[Heard]:
        return [await self.hears(command) for _ in range(count)]


@asynccontextmanager
async def start(name: str, **options: object) -> AsyncIterator[FarEnd]:
    """Run a far end; what it can be told to do is in the head of its file. Our simulator takes no options."""
    if name == OURS:
        async with _simulator() as far:
            yield far
        return
    process = await asyncio.create_subprocess_exec(
        *_command(name),
        *(f"{option}={value}" for option, value in options.items()),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if name == TWISTED else None,  # it logs every connection
        start_new_session=True,
        limit=2**20,
    )
    assert process.stdout
    far = FarEnd(int(await process.stdout.readline()))
    listening = asyncio.create_task(_listen(process.stdout, far))
    try:
        yield far
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with its children
        await asyncio.gather(process.wait(), listening)


async def _listen(lines: asyncio.StreamReader, far: FarEnd) -> None:
    async for line in lines:
        if line.startswith(b"{"):  # smpp.twisted3 prints words of its own, too
            far.told.put_nowait(json.loads(line))


class _Program(NamedTuple):
    runs: str
    file: str
    check: tuple[str, ...]  # arguments with which it fails when the stack is not there
    brought_by: str


_PROGRAMS = {
    NODE: _Program("node", "smsc.js", ("-e", "require('smpp')"), "npm's smpp@0.5.1"),
    TWISTED: _Program(
        os.environ.get("HOPWIRE_TEST_PEERS_PYTHON", sys.executable),
        "twisted_smsc.py",
        ("-c", "import smpp.twisted"),
        "scripts/peers",
    ),
    PERL: _Program("perl", "net_smpp_smsc.pl", ("-MNet::SMPP", "-e", "1"), "Debian's libnet-smpp-perl"),
}


def _command(name: str) -> list[str]:
    """The program; the test is skipped where its stack is not installed, and fails in CI."""
    program = _PROGRAMS[name]
    if not _is_there(program):
        from smpp_ends import missing

        missing(f"{name} is not installed: {program.brought_by} brings it")
    return [program.runs, str(PEERS / program.file)]


@cache
def _is_there(program: _Program) -> bool:
    if shutil.which(program.runs) is None:
        return False
    check = [program.runs, *program.check]
    return subprocess.run(check, cwd=PEERS, capture_output=True, timeout=60).returncode == 0


# ---- our own

TLVS = {
    0x0005: "dest_addr_subunit",
    0x020C: "sar_msg_ref_num",
    0x020E: "sar_total_segments",
    0x020F: "sar_segment_seqnum",
}


@asynccontextmanager
async def _simulator() -> AsyncIterator[FarEnd]:
    from hopwire.simulators.record import Record
    from hopwire.simulators.smsc import Session, SmscSimulator
    from hopwire.smpp.pdu import Stream

    far = FarEnd(0)

    class Telling(Session):
        """Tells what it hears, as the other far ends do."""

        def __init__(self, smsc: SmscSimulator) -> None:
            super().__init__(smsc, asyncio.get_running_loop())
            self._heard = Stream()

        def data_received(self, data: bytes) -> None:
            for pdu in self._heard.feed(data):
                far.told.put_nowait(_heard(pdu))
            super().data_received(data)

    smsc = SmscSimulator(Record(), "secret", receipt_delay_s=0)
    server = await asyncio.get_running_loop().create_server(lambda: Telling(smsc), "127.0.0.1", 0)
    far.port = server.sockets[0].getsockname()[1]
    try:
        yield far
    finally:
        server.close()


def _heard(pdu: Any) -> Heard:
    name = type(pdu).__name__
    heard = {field: getattr(pdu, field) for field in pdu.__struct_fields__}
    tlvs = heard.pop("tlvs", {})
    octets = heard.pop("short_message", b"") or tlvs.get(0x0424, b"")
    return heard | {
        "command": "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:],
        "tlvs": {TLVS[tag]: int.from_bytes(value) for tag, value in tlvs.items() if tag in TLVS},
        "octets": octets.hex(),
    }
