"""One SMSC account, many ways to be connected to it: several sessions, two kinds of bind, a rate, outbind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from answers import answer_to
from smpp_ends import Gateway, Lines, Smsc, handover, receipt

from hopwire.channels.smpp import link
from hopwire.model import Answer, Fault, Later, Never, Outcome, Taken, TraceOrder, Unknown
from hopwire.smpp.pdu import (
    Bind,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSmResp,
    GenericNack,
    Outbind,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    encode,
)

pytestmark = pytest.mark.usefixtures("hurry")
FOREVER = 2**53


@asynccontextmanager
async def running(port: int, **settings: object) -> AsyncIterator[Gateway]:
    near = Gateway(port, **settings)
    await near.channel.start()
    try:
        yield near
    finally:
        await near.channel.stop()


async def bound(gateway: Gateway, sessions: int) -> None:
    async with asyncio.timeout(20):
        while gateway.channel.state.sessions < sessions:
            await gateway.is_ready() if gateway.ready.is_set() else await asyncio.sleep(0.01)


# ---- kinds of binds


@pytest.mark.parametrize(
    ("bind", "kinds"),
    [
        ("transceiver", {BindTransceiver: 2}),
        ("transmitter+receiver", {BindTransmitter: 2, BindReceiver: 2}),
        ("transmitter", {BindTransmitter: 2}),
    ],
)
async def test_each_session_is_bound_as_the_setting_says(
    smsc: Smsc, bind: str, kinds: dict[type[Bind], int]
) -> None:
    async with running(await smsc.start(), bind=bind, sessions=2) as gateway:
        await bound(gateway, sum(kinds.values()))
        heard = Counter([type(await smsc.hear(Bind)) for _ in range(sum(kinds.values()))])
        assert heard == kinds
        assert gateway.channel.capacity == 20
        assert gateway.channel.state.state == "up"


async def test_receipts_come_over_the_receiver(smsc: Smsc) -> None:
    async with running(await smsc.start(), bind="transmitter+receiver") as gateway:
        await bound(gateway, 2)
        assert await answer_to(gateway.channel, handover()) == Taken("ab")
        smsc.say_to(BindReceiver, receipt("AB"))
        assert await smsc.hear(DeliverSmResp) == DeliverSmResp(sequence=0xAB)
        ((kept,),) = gateway.kept
        assert (kept.provider_id, kept.outcome) == ("ab", Outcome.DELIVERED)


async def test_a_receiver_alone_takes_no_submits(smsc: Smsc) -> None:
    async with running(await smsc.start(), bind="transmitter+receiver") as gateway:
        await bound(gateway, 2)
        smsc.drop(BindTransmitter)
        smsc.bind_status = 0x0D
        while gateway.channel.state.sessions == 2:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        assert gateway.channel.capacity == 0
        assert isinstance(await answer_to(gateway.channel, handover()), Later)
        assert gateway.channel.state.state == "partly up"


# ---- several sessions


async def test_single_messages_go_where_there_is_most_room(smsc: Smsc) -> None:
    smsc.answer = lambda pdu: None
    async with running(await smsc.start(), sessions=2, window=4, response_timeout_s=1) as gateway:
        await bound(gateway, 2)
        submits = [answer_to(gateway.channel, handover(message_id=n)) for n in range(8)]
        for _ in range(8):
            await smsc.hear(SubmitSm)
        assert sorted(smsc.submits.values()) == [4, 4]
        assert gateway.channel.capacity == 0
        await asyncio.gather(*submits)


async def test_the_parts_of_a_message_leave_over_one_session(smsc: Smsc) -> None:
    text = "long " * 200
    async with running(await smsc.start(), sessions=3) as gateway:
        await bound(gateway, 3)
        for part in range(7):
            said = [handover(text, part, parts=7, message_id=n) for n in range(4)]
            await asyncio.gather(*(answer_to(gateway.channel, one) for one in said))
    where: dict[int, set[int]] = {}
    for session, pdu in smsc.heard_submits:
        where.setdefault(pdu.short_message[3], set()).add(session)
    assert {message: len(sessions) for message, sessions in where.items()} == dict.fromkeys(range(4), 1)


async def test_when_its_session_is_lost_a_message_goes_on_over_another(smsc: Smsc) -> None:
    async with running(await smsc.start(), sessions=2) as gateway:
        await bound(gateway, 2)
        assert await answer_to(gateway.channel, handover("long " * 50, 0, parts=2)) == Taken("ab")
        smsc.bind_status = 0x0D
        smsc.drop(session=smsc.heard_submits[0][0])
        while gateway.channel.state.sessions == 2:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        assert await answer_to(gateway.channel, handover("long " * 50, 1, parts=2)) == Taken("ab")


async def test_when_its_session_says_goodbye_a_message_goes_on_over_another(smsc: Smsc) -> None:
    async with running(await smsc.start(), sessions=2) as gateway:
        await bound(gateway, 2)
        assert await answer_to(gateway.channel, handover("long " * 50, 0, parts=2)) == Taken("ab")
        smsc.answer = lambda pdu: SubmitSmResp(status=0x04)
        await answer_to(gateway.channel, handover())
        smsc.answer = lambda pdu: SubmitSmResp(message_id="00AB")
        assert await answer_to(gateway.channel, handover("long " * 50, 1, parts=2)) == Taken("ab")


# ---- rates


async def test_the_rate_holds_over_all_sessions(smsc: Smsc) -> None:
    async with running(await smsc.start(), sessions=2, window=100, rate=50) as gateway:
        await bound(gateway, 2)
        assert gateway.channel.state.rate == 50
        began, sent = asyncio.get_running_loop().time(), 0
        while sent < 40:
            if gateway.channel.capacity:
                assert isinstance(await answer_to(gateway.channel, handover()), Taken)
                sent += 1
            else:
                await gateway.is_ready()
        assert sent <= 50 * (asyncio.get_running_loop().time() - began) + 5


async def test_throttling_slows_down_and_what_was_throttled_leaves_later(smsc: Smsc) -> None:
    refusals = iter([0x58, 0x14, 0x58])
    smsc.answer = lambda pdu: SubmitSmResp(status=next(refusals, 0), message_id="1")
    async with running(await smsc.start()) as gateway:
        await bound(gateway, 1)
        said: list[Answer] = []
        while not said or not isinstance(said[-1], Taken):
            while not gateway.channel.capacity:
                await gateway.is_ready()
            said.append(await answer_to(gateway.channel, handover()))
        assert [isinstance(one, Later) and one.throttled for one in said] == [True, True, True, False]
        state = gateway.channel.state
        assert (state.throttled, state.taken, state.submitted) == (3, 1, 4)
        assert state.rate is not None


# ---- answers


async def test_a_session_out_of_step_lets_the_answers_under_way_come(smsc: Smsc) -> None:
    smsc.answer = lambda pdu: None
    async with running(await smsc.start()) as gateway:
        await bound(gateway, 1)
        submits = [asyncio.ensure_future(answer_to(gateway.channel, handover())) for _ in range(2)]
        first, second = [await smsc.hear(SubmitSm) for _ in range(2)]
        smsc.say(SubmitSmResp(sequence=first.sequence, status=0x04))
        assert await submits[0] == Later(1, "ESME_RINVBNDSTS")
        assert gateway.channel.capacity == 0
        smsc.say(SubmitSmResp(sequence=second.sequence, message_id="2"))
        assert await submits[1] == Taken("2")
        await smsc.hear(Unbind)
        await bound(gateway, 1)


async def test_an_operator_says_what_the_smscs_own_codes_mean(smsc: Smsc) -> None:
    smsc.answer = lambda pdu: SubmitSmResp(status=0x400)
    async with running(await smsc.start(), statuses={"0x400-0x4FF": "recipient"}) as gateway:
        await bound(gateway, 1)
        assert await answer_to(gateway.channel, handover()) == Never("0x00000400", Fault.RECIPIENT)


async def test_a_nack_of_a_submit_is_its_answer(smsc: Smsc) -> None:
    smsc.answer = lambda pdu: GenericNack(status=3)
    async with running(await smsc.start()) as gateway:
        await bound(gateway, 1)
        assert await answer_to(gateway.channel, handover()) == Never("ESME_RINVCMDID", Fault.CONFIGURATION)
        assert gateway.channel.state.last_error == "ESME_RINVCMDID"


async def test_refused_credentials_are_tried_again_by_one_connection_after_a_while(
    smsc: Smsc, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "REFUSED_S", (60.0, 900.0))
    smsc.bind_status = 0x0E
    async with running(await smsc.start(), sessions=3) as gateway:
        await lines.have("bind refused connector=alpha status=ESME_RINVPASWD")
        state = gateway.channel.state
        assert (state.state, state.last_error) == ("refused", "bind refused: ESME_RINVPASWD")


# ---- ids


async def test_what_is_learned_of_ids_is_told(smsc: Smsc) -> None:
    ids = iter(range(0x10C8F40D, 0x10C8F4FF))
    smsc.answer = lambda pdu: SubmitSmResp(message_id=f"{next(ids):X}")
    async with running(await smsc.start()) as gateway:
        await bound(gateway, 1)
        answered = [await answer_to(gateway.channel, handover()) for _ in range(8)]
        known = {said.provider_id for said in answered if isinstance(said, Taken)}
        gateway.find = lambda r: next((one for one in (r.provider_id, *r.also) if one in known), None)
        for n in range(0x10C8F40D, 0x10C8F40D + 8):
            smsc.say(receipt(f"{n:010}", sequence=n))
            await smsc.hear(DeliverSmResp)
        assert gateway.channel.state.receipt_ids == "hex_to_dec"
        kept = [one for batch in gateway.kept for one in batch]
        assert (kept[-1].provider_id, kept[-1].also) == (f"{0x10C8F40D + 7:x}", ())


# ---- outbind


@pytest.mark.parametrize(("said", "welcome"), [("let me in", True), ("wrong", False)])
async def test_an_smsc_may_connect_and_invite_us(said: str, welcome: bool, free_port: int) -> None:
    settings = {"outbind": f"127.0.0.1:{free_port}", "outbind_password": "let me in"}
    async with running(1, **settings) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", free_port)
        writer.write(encode(Outbind(sequence=1, system_id="smsc", password=said)))
        if welcome:
            answer = await reader.readexactly(16)
            assert answer[4:8] == b"\0\0\0\x09"
        else:
            assert await reader.read() == b""
        assert gateway.channel.capacity == 0
        writer.transport.abort()


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as sock:
        number: int = sock.getsockname()[1]
        return number


# ---- tracing


@pytest.mark.parametrize(("texts", "shown"), [(False, False), (True, True)])
async def test_what_goes_over_the_wire_can_be_read(
    smsc: Smsc, tmp_path: Path, texts: bool, shown: bool
) -> None:
    trace = tmp_path / "trace.txt"
    async with running(await smsc.start()) as gateway:
        await bound(gateway, 1)
        gateway.channel.trace(TraceOrder(file=str(trace), format="text", until=FOREVER, texts=texts))
        assert await answer_to(gateway.channel, handover("the secret of life")) == Taken("ab")
        gateway.channel.trace(None)
        assert await answer_to(gateway.channel, handover("not traced")) == Taken("ab")
    lines = trace.read_text().splitlines()
    assert ["submit_sm" in line for line in lines] == [True, True]
    assert ["submit_sm_resp" in line for line in lines] == [False, True]
    assert ("the secret of life" in lines[0]) is shown


async def test_a_trace_never_holds_the_password(smsc: Smsc, tmp_path: Path) -> None:
    trace = tmp_path / "trace.pcap"
    near = Gateway(await smsc.start(), password="planted-secret")
    near.channel.trace(TraceOrder(file=str(trace), format="pcap", until=FOREVER, texts=True))
    await near.channel.start()
    await bound(near, 1)
    await near.channel.stop()
    assert b"me\0" in trace.read_bytes()
    assert b"planted-secret" not in trace.read_bytes()


async def test_a_trace_that_cannot_be_written_stops_nothing(smsc: Smsc, tmp_path: Path) -> None:
    async with running(await smsc.start()) as gateway:
        await bound(gateway, 1)
        gateway.channel.trace(TraceOrder(file=str(tmp_path / "no" / "dir"), format="text", until=FOREVER))
        assert await answer_to(gateway.channel, handover()) == Taken("ab")
        gateway.channel.trace(TraceOrder(file="/dev/full", format="text", until=FOREVER))
        assert await answer_to(gateway.channel, handover()) == Taken("ab")
        assert not isinstance(await answer_to(gateway.channel, handover()), Unknown)
