import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop
from answers import answer_to
from smpp_ends import LATE, Gateway, Lines, Smsc, handover, missing, receipt

from hopwire import metrics
from hopwire.channels.smpp import intake
from hopwire.model import Answer, Fault, Handover, Incoming, Later, Never, Outcome, Taken, Unknown
from hopwire.smpp.pdu import (
    Bind,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Response,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)

pytestmark = pytest.mark.usefixtures("hurry")
PEERS = Path(__file__).parent / "peers"


@pytest.fixture
async def gateway(smsc: Smsc) -> AsyncIterator[Gateway]:
    near = Gateway(await smsc.start(), response_timeout_s=5.0)
    await near.channel.start()
    await near.is_ready()
    yield near
    await near.channel.stop()


# ---- submits


async def test_a_submit_is_taken_and_its_id_is_normal(smsc: Smsc, gateway: Gateway) -> None:
    assert await answer_to(gateway.channel, handover("hello")) == Taken("ab")
    pdu = await smsc.hear(SubmitSm)
    assert pdu == SubmitSm(
        sequence=2,
        source_addr_ton=5,
        source_addr="Alpha",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="380501234567",
        validity_period="000001000000000R",
        registered_delivery=1,
        short_message=b"hello",
    )


async def test_the_parts_of_a_message_carry_its_reference(smsc: Smsc, gateway: Gateway) -> None:
    text = "long " * 50
    answers = await asyncio.gather(*(answer_to(gateway.channel, handover(text, part)) for part in (0, 1)))
    assert answers == [Taken("ab"), Taken("ab")]
    headers = [(await smsc.hear(SubmitSm)).short_message[:6] for _ in answers]
    assert headers == [bytes((5, 0, 3, 17, 2, 1)), bytes((5, 0, 3, 17, 2, 2))]


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (SubmitSmResp(status=0x0B), Never("ESME_RINVDSTADR", Fault.NUMBER)),
        (SubmitSmResp(status=0x08), Later(30, "ESME_RSYSERR")),
        (SubmitSmResp(), Taken("")),
    ],
)
async def test_the_answer_is_what_the_status_means(
    smsc: Smsc, gateway: Gateway, response: Response, said: Answer
) -> None:
    smsc.answer = lambda pdu: response
    assert await answer_to(gateway.channel, handover()) == said


async def test_a_fault_of_our_configuration_alerts_once(
    smsc: Smsc, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    smsc.answer = lambda pdu: SubmitSmResp(status=0x401)
    before = metrics.ALERTS.labels("alpha")._value.get()
    for _ in range(3):
        assert await answer_to(gateway.channel, handover()) == Never("0x00000401", Fault.CONFIGURATION)
    assert caplog.text.count("connector=alpha refused our configuration code=0x00000401") == 1
    assert metrics.ALERTS.labels("alpha")._value.get() == before + 1


async def test_what_cannot_be_written_in_a_pdu_is_refused(gateway: Gateway) -> None:
    assert await answer_to(gateway.channel, handover(sender="Привіт")) == Never(
        "cannot be encoded", Fault.CONTENT
    )


async def test_submits_of_one_turn_leave_together_and_in_order(smsc: Smsc, gateway: Gateway) -> None:
    smsc.reads.clear()
    await asyncio.gather(*(answer_to(gateway.channel, handover(str(n))) for n in range(10)))
    assert smsc.reads == [10]
    assert [(await smsc.hear(SubmitSm)).short_message for _ in range(10)] == [b"%d" % n for n in range(10)]


async def test_answers_that_come_together_are_told_together(smsc: Smsc, gateway: Gateway) -> None:
    smsc.answer = lambda pdu: None
    handovers = [handover(message_id=n) for n in range(11)]
    told: list[list[tuple[Handover, Answer]]] = []
    gateway.channel.submit(handovers, lambda answers: told.append(list(answers)))
    assert gateway.channel.capacity == 0
    ((over, refused),) = told.pop()
    assert (over, type(refused)) == (handovers[10], Later)
    first = await smsc.hear(SubmitSm)
    smsc.say(*(SubmitSmResp(sequence=first.sequence + n, message_id=f"{n + 1}") for n in range(10)))
    await gateway.is_ready()
    assert told == [[(one, Taken(f"{n + 1}")) for n, one in enumerate(handovers[:10])]]


async def test_the_window_is_the_capacity_and_its_end_is_told(smsc: Smsc, gateway: Gateway) -> None:
    smsc.answer = lambda pdu: None
    assert gateway.channel.capacity == 10
    submits = asyncio.gather(*(answer_to(gateway.channel, handover()) for _ in range(11)))
    first = await smsc.hear(SubmitSm)
    assert gateway.channel.capacity == 0
    assert not gateway.ready.is_set()
    smsc.say(*(SubmitSmResp(sequence=first.sequence + n) for n in range(10)))
    *taken, refused = await submits
    assert taken == [Taken("")] * 10
    assert isinstance(refused, Later)
    assert refused.throttled
    await gateway.is_ready()
    assert gateway.channel.capacity == 10


async def test_throttling_pauses_the_channel_and_then_it_goes_on(smsc: Smsc, gateway: Gateway) -> None:
    smsc.answer = lambda pdu: SubmitSmResp(status=0x58)
    assert await answer_to(gateway.channel, handover()) == Later(1, "ESME_RTHROTTLED", throttled=True)
    assert (gateway.channel.state.state, gateway.channel.capacity) == ("throttled", 0)
    assert isinstance(await answer_to(gateway.channel, handover()), Later)
    await gateway.is_ready()
    assert (gateway.channel.state.state, gateway.channel.state.rate is None) == ("up", False)
    assert gateway.channel.capacity > 0


async def test_an_answer_that_comes_too_late_is_told_all_the_same(smsc: Smsc) -> None:
    gateway = Gateway(await smsc.start(), response_timeout_s=0.1)
    await gateway.channel.start()
    await gateway.is_ready()
    smsc.answer = lambda pdu: None
    assert await answer_to(gateway.channel, handover()) == Unknown("no answer in time")
    smsc.say(SubmitSmResp(sequence=(await smsc.hear(SubmitSm)).sequence, message_id="00C"))
    assert await gateway.late.get() == (*LATE, Taken("c"))
    await gateway.channel.stop()


# ---- the connection


async def test_a_lost_connection_leaves_what_was_written_unknown_and_comes_back(
    smsc: Smsc, gateway: Gateway
) -> None:
    def drop(pdu: SubmitSm) -> None:
        smsc.drop()

    smsc.answer = drop
    assert await answer_to(gateway.channel, handover()) == Unknown("connection lost")
    smsc.answer = lambda pdu: SubmitSmResp(message_id="1")
    await gateway.is_ready()
    assert await answer_to(gateway.channel, handover()) == Taken("1")


async def test_what_had_not_left_when_the_connection_ended_is_for_later(smsc: Smsc, gateway: Gateway) -> None:
    submit = answer_to(gateway.channel, handover())
    gateway.channel._links[0].data_received(encode(Unbind(sequence=5)))
    assert await submit == Later(1, "not sent", throttled=True)
    await smsc.hear(UnbindResp)
    assert smsc.reads[-1] == 0


async def test_a_goodbye_of_the_peer_is_answered_and_the_channel_comes_back(
    smsc: Smsc, gateway: Gateway
) -> None:
    smsc.answer = lambda pdu: None
    written = answer_to(gateway.channel, handover())
    await smsc.hear(SubmitSm)
    smsc.say(Unbind(sequence=5))
    assert await written == Unknown("connection lost")
    assert isinstance(await answer_to(gateway.channel, handover()), Later)
    await smsc.hear(UnbindResp)
    await gateway.is_ready()


async def test_a_session_out_of_step_is_bound_again(smsc: Smsc, gateway: Gateway) -> None:
    smsc.answer = lambda pdu: SubmitSmResp(status=0x04)
    assert await answer_to(gateway.channel, handover()) == Later(1, "ESME_RINVBNDSTS")
    await smsc.hear(Unbind)
    await gateway.is_ready()


async def test_a_refused_bind_gives_no_capacity(smsc: Smsc, lines: Lines) -> None:
    smsc.bind_status = 0x0E
    gateway = Gateway(await smsc.start())
    await gateway.channel.start()
    await lines.have("bind refused connector=alpha status=ESME_RINVPASWD")
    assert gateway.channel.capacity == 0
    await gateway.channel.stop()
    assert not gateway.ready.is_set()


async def test_stopping_in_the_middle_of_a_bind_hangs_up(smsc: Smsc) -> None:
    smsc.bind_status = None
    gateway = Gateway(await smsc.start())
    await gateway.channel.start()
    await smsc.hear(Bind)
    await gateway.channel.stop()
    await smsc.hung_up.wait()


@pytest.mark.parametrize("settings", [{"system_id": "мій"}, {"password": "a\0b"}])
def test_credentials_that_no_pdu_can_carry_are_refused_at_once(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"latin-1|NUL"):
        Gateway(1, **settings)


async def test_a_far_end_that_is_not_there_is_tried_again(smsc: Smsc) -> None:
    port = await smsc.start()
    smsc._server.close()
    gateway = Gateway(port)
    await gateway.channel.start()
    smsc._server = await asyncio.start_server(smsc._serve, "127.0.0.1", port)
    await gateway.is_ready()
    await gateway.channel.stop()


async def test_a_silent_link_is_asked(smsc: Smsc) -> None:
    gateway = Gateway(await smsc.start(), enquire_link_s=0.05)
    await gateway.channel.start()
    await smsc.hear(EnquireLink)
    await smsc.hear(EnquireLink)
    assert gateway.channel.capacity == 10
    await gateway.channel.stop()


async def test_stopping_waits_for_the_answer_and_says_goodbye(smsc: Smsc, gateway: Gateway) -> None:
    smsc.answer = lambda pdu: None
    submit = answer_to(gateway.channel, handover())
    pdu = await smsc.hear(SubmitSm)
    stop = asyncio.create_task(gateway.channel.stop())
    smsc.say(SubmitSmResp(sequence=pdu.sequence, message_id="1"))
    await stop
    assert await submit == Taken("1")
    await smsc.hear(Unbind)
    assert isinstance(await answer_to(gateway.channel, handover()), Later)


async def test_stopping_keeps_the_receipts_that_have_come(smsc: Smsc, gateway: Gateway) -> None:
    gateway.may_keep.clear()
    smsc.say(receipt("1"), EnquireLink(sequence=9))
    await smsc.hear(EnquireLinkResp)
    stop = asyncio.create_task(gateway.channel.stop())
    await asyncio.sleep(0)
    gateway.may_keep.set()
    await stop
    assert await smsc.hear(DeliverSmResp) == DeliverSmResp(sequence=1)
    assert len(gateway.kept) == 1


async def test_a_channel_that_never_connected_stops(smsc: Smsc) -> None:
    port = await smsc.start()
    smsc._server.close()
    gateway = Gateway(port)
    await gateway.channel.stop()
    await gateway.channel.start()
    await gateway.channel.stop()
    assert gateway.channel.capacity == 0


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A PEM file with the key and the certificate of `localhost`, signed by nobody else."""
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    made = tmp_path / "localhost.pem"
    line = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {made} -out {tmp_path}/certificate -days 2"
    name = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(f"{line} {name}".split(), check=True, capture_output=True, timeout=60)
    made.write_text(made.read_text() + (tmp_path / "certificate").read_text())
    return made


async def serve_tls(smsc: Smsc, certificate: Path) -> int:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    return await smsc.start(tls)


async def test_messages_go_over_tls(smsc: Smsc, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    gateway = Gateway(await serve_tls(smsc, certificate), host="localhost", tls=True)
    await gateway.channel.start()
    await gateway.is_ready()
    assert await answer_to(gateway.channel, handover()) == Taken("ab")
    await gateway.channel.stop()


async def test_a_certificate_that_nobody_signed_gets_no_password(
    smsc: Smsc, certificate: Path, lines: Lines
) -> None:
    gateway = Gateway(await serve_tls(smsc, certificate), host="localhost", tls=True)
    await gateway.channel.start()
    await lines.have("CERTIFICATE_VERIFY_FAILED")
    await gateway.channel.stop()
    assert smsc.reads == []


def test_it_runs_on_uvloop(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def send(tls: bool) -> Answer:
        smsc = Smsc()
        port = await serve_tls(smsc, certificate) if tls else await smsc.start()
        gateway = Gateway(port, host="localhost", tls=tls)
        await gateway.channel.start()
        await gateway.is_ready()
        said = await answer_to(gateway.channel, handover())
        await gateway.channel.stop()
        await smsc.stop()
        return said

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert [runner.run(send(tls)) for tls in (False, True)] == [Taken("ab"), Taken("ab")]


# ---- receipts


async def test_receipts_of_one_turn_are_kept_together_and_then_answered(smsc: Smsc, gateway: Gateway) -> None:
    gateway.may_keep.clear()
    smsc.say(receipt("00A1"), receipt("00A2", "UNDELIV"), EnquireLink(sequence=9))
    await smsc.hear(EnquireLinkResp)
    assert smsc._heard.empty()
    gateway.may_keep.set()
    assert [await smsc.hear(DeliverSmResp) for _ in range(2)] == [
        DeliverSmResp(sequence=0xA1),
        DeliverSmResp(sequence=0xA2),
    ]
    ((first, second),) = gateway.kept
    assert (first.connector, first.provider_id, first.outcome) == ("alpha", "a1", Outcome.DELIVERED)
    assert (second.provider_id, second.outcome, second.code) == ("a2", Outcome.FAILED, "UNDELIV")


async def test_no_more_receipts_are_read_than_the_store_keeps_up_with(smsc: Smsc, gateway: Gateway) -> None:
    gateway.may_keep.clear()
    (bound,) = gateway.channel._links
    for n in range(1, intake.KEEPING + 1):
        assert bound._transport.is_reading()
        smsc.say(receipt(f"{n:X}"), EnquireLink(sequence=1000 + n))
        await smsc.hear(EnquireLinkResp)
    assert not bound._transport.is_reading()
    gateway.may_keep.set()
    assert {(await smsc.hear(DeliverSmResp)).sequence for _ in range(intake.KEEPING)} == set(
        range(1, intake.KEEPING + 1)
    )
    assert bound._transport.is_reading()


async def test_a_receipt_that_could_not_be_kept_is_asked_for_again(
    smsc: Smsc, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.disk_full = True
    smsc.say(receipt("1"))
    assert await smsc.hear(DeliverSmResp) == DeliverSmResp(sequence=1, status=0x64)
    assert "keep connector=alpha count=1" in caplog.text
    gateway.disk_full = False
    smsc.say(receipt("1"))
    assert await smsc.hear(DeliverSmResp) == DeliverSmResp(sequence=1)


async def test_a_message_from_a_phone_is_kept_and_then_answered(
    smsc: Smsc, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    header = bytes((5, 0, 3, 7, 2, 1))
    with caplog.at_level("DEBUG"):
        smsc.say(
            DeliverSm(sequence=3, source_addr="+380501234567", destination_addr="12", short_message=b"STOP"),
            DeliverSm(sequence=4, source_addr="Bank", source_addr_ton=5, esm_class=0x40, data_coding=8,
                short_message=header + "Пр".encode("utf-16-be")),
            receipt("5"),
        )  # fmt: skip
        answers = [await smsc.hear(DeliverSmResp) for _ in range(3)]
    assert answers == [DeliverSmResp(sequence=3), DeliverSmResp(sequence=4), DeliverSmResp(sequence=5)]
    ((whole, part),) = gateway.incoming
    assert whole == Incoming(
        connector="alpha", sender="380501234567", recipient="12", data_coding=0, payload=b"STOP"
    )
    assert (part.sender, part.reference, part.part, part.parts) == ("Bank", 7, 1, 2)
    assert part.payload == "Пр".encode("utf-16-be")
    assert len(gateway.kept) == 1
    assert "STOP" not in caplog.text
    assert "380501234567" not in caplog.text


async def test_a_message_from_a_phone_that_could_not_be_kept_is_asked_for_again(
    smsc: Smsc, gateway: Gateway
) -> None:
    gateway.disk_full = True
    smsc.say(DeliverSm(sequence=3, source_addr="380501234567", short_message=b"Hi"))
    assert await smsc.hear(DeliverSmResp) == DeliverSmResp(sequence=3, status=0x64)


async def test_a_receipt_may_overtake_the_answer_to_its_submit(smsc: Smsc, gateway: Gateway) -> None:
    smsc.answer = lambda pdu: None
    submit = answer_to(gateway.channel, handover())
    pdu = await smsc.hear(SubmitSm)
    smsc.say(receipt("AB"))
    await smsc.hear(DeliverSmResp)
    assert not submit.done()
    smsc.say(SubmitSmResp(sequence=pdu.sequence, message_id="00ab"))
    assert await submit == Taken(gateway.kept[0][0].provider_id)


# ---- a far end that is not ours


@pytest.fixture
async def node() -> AsyncIterator[int]:
    """The port of `peers/smsc.js`."""
    if shutil.which("node") is None:
        missing("node is not installed")
    if not _has_package():
        missing("node finds no smpp 0.5.1 (scripts/test brings it)")
    process = await asyncio.create_subprocess_exec("node", PEERS / "smsc.js", stdout=subprocess.PIPE)
    assert process.stdout is not None
    yield int(await process.stdout.readline())
    process.kill()
    await process.communicate()


def _has_package() -> bool:
    tried = subprocess.run(["node", "-e", "require('smpp')"], cwd=PEERS, capture_output=True, timeout=60)
    return tried.returncode == 0


async def test_node_smpp_takes_our_messages_and_we_its_receipts(node: int) -> None:
    gateway = Gateway(node)
    await gateway.channel.start()
    await gateway.is_ready()
    sent = [
        await answer_to(gateway.channel, handover("Привіт, світе " * 10, part, recipient=recipient))
        for part, recipient in [(0, "380501234561"), (1, "380501234561"), (0, "380501234569")]
    ]
    refused = await answer_to(gateway.channel, handover(recipient="380501234560"))
    await gateway.channel.stop()
    assert sent == [Taken("abc0"), Taken("abc1"), Taken("abc2")]
    assert refused == Never("ESME_RINVDSTADR", Fault.NUMBER)
    kept = [(r.provider_id, r.recipient, r.outcome, r.fault) for batch in gateway.kept for r in batch]
    assert kept == [
        ("abc0", "380501234561", Outcome.DELIVERED, Fault.RECIPIENT),
        ("abc1", "380501234561", Outcome.DELIVERED, Fault.RECIPIENT),
        ("abc2", "380501234569", Outcome.FAILED, Fault.NUMBER),
    ]


async def test_node_smpp_refuses_a_wrong_password(node: int, lines: Lines) -> None:
    gateway = Gateway(node, password="wrong")
    await gateway.channel.start()
    await lines.have("bind refused connector=alpha status=ESME_RINVPASWD")
    assert gateway.channel.capacity == 0
    await gateway.channel.stop()
