"""A link that is cut again and again, the SMSC behind it, which forgets nothing, and the gateway before it.

Rule 1: the link changes no byte and no order within a connection: it delays, and it cuts.
Rule 2: whatever submit_sm arrives whole is taken, whether or not its answer gets back.
Rule 3: a receipt belongs to the SMSC, and not to a connection, until it is answered ESME_ROK.
"""

import asyncio
import itertools
import random
import socket
import struct
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, cast

from system import PATIENCE_S, environment

from hopwire import sms
from hopwire.cli.processes import Part, listen
from hopwire.config import Config
from hopwire.smpp import pdu as smpp
from hopwire.smpp.part import read_part

LIFE_S = (0.1, 0.5)  # of a connection
ARMED_S = 0.05  # how long a cut waits for bytes of the gateway that it can go through
LAG_S = 0.02  # most that the link adds on the way to the gateway
ANSWER_S = 0.2  # most that the SMSC takes to answer; most answers come much sooner
RECEIPT_S = 0.4  # most until a receipt leaves
FIRST = 0.2  # share of receipts that leave before the answer to their submit
COPIES = (1, 2, 3)  # of a receipt
OUTSTANDING = 100  # receipts that may be unanswered on a connection
AGAIN_S = 0.05  # until a receipt that was refused is sent again

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST instead of FIN


# ---- the link


class CutLink:
    """Listens for the gateway, and connects it to the SMSC; what was done is counted in `cuts`."""

    def __init__(self, smsc_port: int, seed: int) -> None:
        self.smsc_port = smsc_port
        self.chance = random.Random(seed)
        self.cutting = True
        self.cuts: Counter[str] = Counter()
        self._wires: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[int]:
        """Carry and cut until the block ends; with it the port."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for wire in self._wires:
                wire.cancel()
            await asyncio.gather(*self._wires, return_exceptions=True)

    def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        wire = asyncio.ensure_future(self._live(reader, writer))
        self._wires.add(wire)
        wire.add_done_callback(self._wires.discard)

    async def _live(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection from its beginning to its end."""
        smsc_reader, smsc_writer = await asyncio.open_connection("127.0.0.1", self.smsc_port)
        wire = Wire(self.chance, reader, writer, smsc_reader, smsc_writer)
        try:
            while not await wire.carries(self.chance.uniform(*LIFE_S)):
                if self.cutting:
                    await wire.cut()
                    self.cuts["cuts"] += 1
                    self.cuts += wire.lost
                    break
        finally:
            await wire.close()


class Wire:
    """One connection: the gateway's end and the SMSC's, and the bytes between them."""

    def __init__(
        self,
        chance: random.Random,
        reader: StreamReader,
        writer: StreamWriter,
        smsc_reader: StreamReader,
        smsc_writer: StreamWriter,
    ) -> None:
        self._chance = chance
        self._writers = writer, smsc_writer
        self._to_gateway, self._to_smsc = smpp.Stream(), smpp.Stream()  # what has gone through
        self._held = b""  # of the SMSC's bytes, what goes on next
        self._armed = False  # the gateway's next bytes are the last ones, and not all of them
        self._pumps = [
            asyncio.ensure_future(self._carry_up(reader)),
            asyncio.ensure_future(self._carry_down(smsc_reader)),
        ]

    async def carries(self, for_s: float) -> bool:
        """Carry for so long; True when a side has ended the connection meanwhile."""
        ended, _ = await asyncio.wait(self._pumps, timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(ended)

    async def _carry_up(self, reader: StreamReader) -> None:
        """At once."""
        while data := await reader.read(65_536):
            armed = self._armed
            self._say_to_smsc(self._prefix(data) if armed else data)
            if armed:
                return

    async def _carry_down(self, reader: StreamReader) -> None:
        """A little later."""
        while data := await reader.read(65_536):
            self._held = data
            await asyncio.sleep(LAG_S * self._chance.random())
            self._held = b""
            self._say_to_gateway(data)

    def _prefix(self, data: bytes) -> bytes:
        return data[: self._chance.randrange(len(data) + 1)]

    def _say_to_gateway(self, data: bytes) -> None:
        self._to_gateway.feed(data)
        self._writers[0].write(data)

    def _say_to_smsc(self, data: bytes) -> None:
        self._to_smsc.feed(data)
        self._writers[1].write(data)

    async def cut(self) -> None:
        """Cut it now, or in the middle of the next bytes of the gateway; each side sees FIN or RST."""
        if self._chance.randrange(2):
            self._armed = True
            await self.carries(ARMED_S)
        self._say_to_gateway(self._prefix(self._held))
        for writer in self._writers:
            if self._chance.randrange(2):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    @property
    def lost(self) -> Counter[str]:
        """How it was cut, when it was."""
        return Counter(
            {
                "inside a PDU of the gateway": int(bool(self._to_smsc.unread)),
                "inside a PDU of the SMSC": int(bool(self._to_gateway.unread)),
            }
        )

    async def close(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for writer in self._writers:
            writer.close()


# ---- the SMSC


class Take(NamedTuple):
    """A submit_sm that was taken."""

    recipient: str
    part: int
    parts: int
    reference: int | None
    text: str


class Smsc:
    """Takes everything, says that it was delivered, and remembers it in `takes`."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.takes: list[Take] = []
        self.surprises: list[smpp.Pdu] = []  # what no gateway should say
        self.counts: Counter[str] = Counter()
        self.sessions: list[Session] = []  # bound
        self._ids = itertools.count(self.chance.getrandbits(48), 7919)
        self._ready: list[bytes] = []  # receipts that may leave
        self._kept = 0  # receipts that were not acknowledged
        self._all_acknowledged = asyncio.Event()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[int]:
        """Be there until the block ends; with it the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Session(self), "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for session in self.sessions:
                session.close()

    async def all_acknowledged(self) -> None:
        """Return when no receipt waits any more."""
        await self._all_acknowledged.wait()

    # ---- submits

    def take(self, session: "Session", submit: smpp.SubmitSm) -> None:
        part = read_part(submit)
        text = sms.decode(submit.data_coding, part.payload)
        self.takes.append(Take(submit.destination_addr, part.number, part.total, part.reference, text))
        provider_id = f"{next(self._ids):012x}"
        self._report(receipt(submit, provider_id), self.chance.choice(COPIES))
        answer = smpp.SubmitSmResp(sequence=submit.sequence, message_id=provider_id)
        delay_s = ANSWER_S * self.chance.random() ** 2
        asyncio.get_running_loop().call_later(delay_s, session.say, answer)

    # ---- receipts

    def _report(self, report: bytes, copies: int) -> None:
        self._kept += copies
        self._all_acknowledged.clear()
        for _ in range(copies):
            first = self.chance.random() < FIRST
            self.send_later(report, 0 if first else RECEIPT_S * self.chance.random())

    def send_later(self, report: bytes, after_s: float) -> None:
        asyncio.get_running_loop().call_later(after_s, self.send, [report])

    def send(self, reports: list[bytes]) -> None:
        """Send these and what else waits, in any order, as far as there is room; the rest waits."""
        self._ready += reports
        self.chance.shuffle(self._ready)
        for session in self.sessions:
            while self._ready and session.has_room:
                session.deliver(self._ready.pop())

    def acknowledged(self, report: bytes, status: int) -> None:
        if status:
            self.counts["receipts refused"] += 1
            self.send_later(report, AGAIN_S)
            return
        self._kept -= 1
        if not self._kept:
            self._all_acknowledged.set()


class Session(asyncio.Protocol):
    """One connection to the SMSC."""

    _transport: asyncio.Transport

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._stream = smpp.Stream()
        self._outstanding: dict[int, bytes] = {}
        self._sequences = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._smsc.sessions:
            self._smsc.sessions.remove(self)
        self._smsc.counts["receipts sent again"] += len(self._outstanding)
        self._smsc.send(list(self._outstanding.values()))

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        for pdu in self._stream.feed(data):
            self._hear(pdu)

    def _hear(self, pdu: smpp.Pdu) -> None:
        match pdu:
            case smpp.SubmitSm() if self in self._smsc.sessions:
                self._smsc.take(self, pdu)
            case smpp.DeliverSmResp() if pdu.sequence in self._outstanding:
                self._smsc.acknowledged(self._outstanding.pop(pdu.sequence), pdu.status)
                self._smsc.send([])
            case smpp.EnquireLink():
                self.say(smpp.EnquireLinkResp(sequence=pdu.sequence))
            case smpp.Bind():
                self.say(smpp.BindResp(sequence=pdu.sequence, command=type(pdu)))
                self._smsc.sessions.append(self)
                self._smsc.send([])
            case smpp.Unbind():
                self.say(smpp.UnbindResp(sequence=pdu.sequence))
                self._transport.close()
            case _:
                self._smsc.surprises.append(pdu)

    def say(self, pdu: smpp.Pdu) -> None:
        """Say it, unless the connection is no more."""
        if not self._transport.is_closing():
            self._transport.write(smpp.encode(pdu))

    @property
    def has_room(self) -> bool:
        return len(self._outstanding) < OUTSTANDING and not self._transport.is_closing()

    def deliver(self, report: bytes) -> None:
        """Send a receipt under the next sequence number, and remember it until it is answered."""
        sequence = next(self._sequences)
        self._outstanding[sequence] = report
        self._transport.write(b"".join((report[:12], sequence.to_bytes(4), report[16:])))


def receipt(submit: smpp.SubmitSm, provider_id: str) -> bytes:
    """The deliver_sm that says that the phone has it (SMPP 3.4, appendix B)."""
    text = (
        f"id:{provider_id} sub:001 dlvrd:001 submit date:2501010000 done date:2501010000 stat:DELIVRD err:000"
    )
    return smpp.encode(
        smpp.DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=submit.destination_addr,
            destination_addr=submit.source_addr,
            esm_class=smpp.ESM_RECEIPT,
            short_message=text.encode(),
        )
    )


# ---- the gateway

# A process of the gateway that waits less between connections: it would stay away up to a minute from an SMSC
# whose connections end so soon.
PROGRAM = """
from hopwire import app
from hopwire.channels.smpp import link

link.BACKOFF_S = 0.01, 0.05
app.main()
"""


class Process:
    """A running gateway; what it writes to standard error is in the file `log`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"
        self.log = log

    async def end(self) -> int:
        """End it in order; the exit code."""
        self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), PATIENCE_S)

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@asynccontextmanager
async def gateway(folder: Path, config: Config) -> AsyncIterator[Process]:
    """A gateway in a process of its own, told what to be as the supervisor tells it, until the block ends."""
    log = folder / "gateway.log"
    with listen("127.0.0.1", 0) as sock, log.open("w") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM),
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            pass_fds=[sock.fileno()],
            cwd=folder,
            env=environment(),
        )
        running = Process(process, sock.getsockname()[1], log)
        try:
            assert process.stdin
            assert process.stdout
            process.stdin.write(Part("gateway", "gateway", config, {"http": sock}).assignment())
            said = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
            assert said == b"ready\n", log.read_text()
            yield running
        finally:
            running.kill()
            await process.wait()
