"""The simulators do with a message what the table of endings says, on real sockets."""

import json
from typing import Any

import aiohttp
import pytest
from simulated import Simulated, far

from hopwire.model import SmsText
from hopwire.simulators import smsc
from hopwire.simulators.scenario import SCENARIOS, Refusals, scenario, table
from hopwire.smpp import pdu as smpp
from hopwire.smpp.receipt import parse

__all__ = ["far"]  # a fixture

BASE = "3805012345"
OTHER = BASE + "99"
HELLO = SmsText(text="Hello")
LONG = SmsText(text="Long " * 40)
ENDINGS = [*SCENARIOS, "99"]


# ---- the table


def test_every_row_of_the_table_is_told_and_the_last_one_is_any_other() -> None:
    assert [ending for ending, _, _ in table()] == [*SCENARIOS, "any other"]
    assert all(viber and sms for _, viber, sms in table())
    assert scenario("380501234567") is scenario("380501234500")


def test_something_is_refused_as_often_as_told_and_then_starts_afresh() -> None:
    refusals = Refusals(limit=2)
    assert [refusals.refuse("a", 2) for _ in range(4)] == [True, True, False, True]
    for key in ("b", "c", "d"):
        assert refusals.refuse(key, 1)
    assert refusals.refuse("b", 1), "the oldest was forgotten"


# ---- Viber


@pytest.mark.parametrize(
    ("ending", "status", "callbacks"),
    [
        pytest.param("01", 0, [0, 1], id="01: delivered, then seen"),
        pytest.param("02", 9, [], id="02: not a Viber user"),
        pytest.param("03", 8, [], id="03: blocked"),
        pytest.param("04", 10, [], id="04: no suitable device"),
        pytest.param("05", 0, [2], id="05: expired at the TTL"),
        pytest.param("06", 9, [], id="06: not a Viber user"),
        pytest.param("07", 0, [], id="07: silence while no SMS leaves"),
        pytest.param("10", 0, [1, 1, 0, 0], id="10: seen before delivered, each twice"),
        pytest.param("11", 27, [], id="11: invalid number"),
        pytest.param("12", 0, [], id="12: silence for ever"),
        pytest.param("99", 0, [0], id="any other: delivered"),
    ],
)
async def test_viber_answers_and_calls_back_as_the_row_says(
    far: Simulated, ending: str, status: int, callbacks: list[int]
) -> None:
    answer = await far.viber(BASE + ending, seq=5)
    assert (answer["status"], answer["seq"]) == (status, 5)
    assert ("message_token" in answer) == (status == 0)
    told = [await far.gateway.called_back() for _ in callbacks]
    assert [callback["message_status"] for callback in told] == callbacks
    for callback in told:
        assert callback["message_token"] == answer["message_token"]
        assert (callback["phone_number"], callback["service_id"]) == (BASE + ending, 3100)
        assert callback["message_time"] > 1_700_000_000_000
    await far.viber(OTHER)
    assert (await far.gateway.called_back())["phone_number"] == OTHER, "and nothing more"


async def test_a_late_delivered_of_viber_comes_after_the_redirect_has_left(far: Simulated) -> None:
    token = (await far.viber(BASE + "07"))["message_token"]
    async with far.esme() as esme:
        esme.submit(BASE + "07", HELLO)
        assert (await esme.hears(smpp.SubmitSmResp)).status == 0
        callback = await far.gateway.called_back()
    assert (callback["message_token"], callback["message_status"]) == (token, 0)


async def test_viber_fails_twice_for_each_message_and_then_takes_it(far: Simulated) -> None:
    for text in ("one", "two"):
        tries = [await far.viber(BASE + "08", message={"#txt": text, "#tracking_data": ""}) for _ in range(3)]
        assert [answer["status"] for answer in tries] == [1, 1, 0]
        assert (await far.gateway.called_back())["message_token"] == tries[-1]["message_token"]


async def test_viber_hangs_up_and_the_callback_says_delivered(far: Simulated) -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        await far.viber(BASE + "09")
    callback = await far.gateway.called_back()
    (submission,) = await far.api("submits", number=BASE + "09")
    assert (callback["message_status"], submission["status"]) == (0, None)
    assert callback["message_token"] == submission["provider_id"]


TEXT = {"#txt": "Hi", "#tracking_data": ""}
BUTTON = {"#txt": "Hi", "#caption": "Open", "#action": "https://example.com/", "#tracking_data": ""}
IMAGE = {"#img": "https://example.com/a.png", "#tracking_data": ""}
TEMPLATE = {"templateId": "7", "templateLang": "uk", "templateParams": {"pin": "1234"}}


def without(message: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in message.items() if name not in names}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"dest": None}, 3, id="no recipient"),
        pytest.param({"service_id": None}, 3, id="no service"),
        pytest.param({"seq": "421"}, 3, id="seq is no number"),
        pytest.param({"type": 1}, 5, id="unknown type"),
        pytest.param({"label": None}, 18, id="no label"),
        pytest.param({"label": "news"}, 18, id="unknown label"),
        pytest.param({"ttl": 29}, 20, id="TTL too short"),
        pytest.param({"ttl": 30}, 0, id="shortest TTL"),
        pytest.param({"ttl": None}, 0, id="no TTL: fourteen days"),
        pytest.param({"ttl": 1_209_601}, 20, id="TTL too long"),
        pytest.param({"dest": "+380501234599"}, 27, id="a plus before the number"),
        pytest.param({"message": {"#txt": "Hi"}}, 6, id="two-way without tracking data"),
        pytest.param({"type": 106, "message": {"#txt": "Hi"}}, 0, id="one-way text without tracking data"),
        pytest.param({"type": 107, "message": IMAGE}, 6, id="one-way image with tracking data"),
        pytest.param({"type": 107, "message": without(IMAGE, "#tracking_data")}, 0, id="one-way image"),
        pytest.param({"type": 207, "message": IMAGE}, 0, id="two-way image"),
        pytest.param({"type": 207, "message": TEXT}, 3, id="an image without one"),
        pytest.param({"message": TEXT | {"#txt": "x" * 1000}}, 0, id="longest text"),
        pytest.param({"message": TEXT | {"#txt": "x" * 1001}}, 3, id="text too long"),
        pytest.param({"message": TEXT | {"#txt": ""}}, 3, id="empty text"),
        pytest.param({"type": 209, "message": BUTTON}, 0, id="button"),
        pytest.param({"type": 209, "message": without(BUTTON, "#action")}, 3, id="button without action"),
        pytest.param({"type": 209, "message": BUTTON | {"#caption": "x" * 31}}, 3, id="caption too long"),
        pytest.param({"type": 208, "message": BUTTON}, 3, id="button with image, without the image"),
        pytest.param({"type": 208, "message": BUTTON | IMAGE}, 0, id="button with image"),
        pytest.param({"type": 1702, "message": None} | TEMPLATE, 0, id="template"),
        pytest.param({"type": 1702} | TEMPLATE | {"templateLang": None}, 38, id="template without language"),
        pytest.param(
            {"type": 1702} | TEMPLATE | {"templateParams": {"pin": "1" * 126}}, 39, id="parameter too long"
        ),
    ],
)
async def test_viber_checks_the_request(far: Simulated, fields: dict[str, Any], status: int) -> None:
    assert (await far.viber(OTHER, **fields))["status"] == status


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", json.dumps({"dest": 5}).encode()])
async def test_viber_answers_bad_data_to_what_is_no_request(far: Simulated, body: bytes) -> None:
    assert (await far.post(body))["status"] == 3


async def test_a_callback_is_posted_again_until_the_gateway_takes_it(far: Simulated) -> None:
    far.gateway.refuse = 2
    await far.viber(BASE + "01")
    told = [await far.gateway.called_back() for _ in range(2)]
    assert [callback["message_status"] for callback in told] == [0, 1]


# ---- SMS

MESSAGE_STATES = {"DELIVRD": 2, "UNDELIV": 5}


def states(*receipts: smpp.DeliverSm) -> list[str]:
    """What the receipts say, and that their text and their TLVs agree."""
    words = [receipt.short_message.decode().split("stat:")[1].split()[0] for receipt in receipts]
    for word, receipt in zip(words, receipts, strict=True):
        assert receipt.tlvs[0x0427] == bytes([MESSAGE_STATES[word]])
        assert receipt.esm_class == 4
    return words


@pytest.mark.parametrize("ending", [e for e in ENDINGS if e not in ("06", "08", "09", "10", "11", "12")])
async def test_an_sms_is_taken_and_its_receipt_says_delivered(far: Simulated, ending: str) -> None:
    async with far.esme() as esme:
        (sequence,) = esme.submit(BASE + ending, HELLO)
        answer = await esme.hears(smpp.SubmitSmResp)
        receipt = await esme.receipt()
    assert (answer.sequence, answer.status) == (sequence, 0)
    assert states(receipt) == ["DELIVRD"]
    assert int(answer.message_id, 16) > 0
    assert receipt.tlvs[0x001E] == answer.message_id.encode() + b"\0"
    assert f"id:{answer.message_id} ".encode() in receipt.short_message
    assert (receipt.source_addr, receipt.destination_addr) == (BASE + ending, "Hopwire")
    (message,) = await far.api("received")
    assert (message["text"], message["provider_ids"]) == ("Hello", [answer.message_id])


async def test_an_sms_that_cannot_be_delivered_does_not_reach_the_phone(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.submit(BASE + "06", HELLO)
        assert (await esme.hears(smpp.SubmitSmResp)).status == 0
        receipt = await esme.receipt()
    assert states(receipt) == ["UNDELIV"]
    assert await far.api("received") == []


async def test_each_part_is_throttled_twice_and_then_taken(far: Simulated) -> None:
    async with far.esme() as esme:
        answers = []
        for _ in range(3):
            for _ in esme.submit(BASE + "08", LONG):
                answers.append((await esme.answered()).status)
        assert answers == [0x58, 0x58, 0x58, 0x58, 0, 0]
        assert states(await esme.receipt(), await esme.receipt()) == ["DELIVRD", "DELIVRD"]


async def test_an_sms_is_not_answered_and_its_receipt_says_delivered(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.submit(BASE + "09", HELLO)
        receipt = await esme.receipt()
        esme.say(smpp.EnquireLink(sequence=99))
        await esme.hears(smpp.EnquireLinkResp)
    assert states(receipt) == ["DELIVRD"]
    (submission,) = await far.api("submits")
    assert submission["status"] is None


async def test_the_receipt_comes_before_the_answer_and_twice(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.submit(BASE + "10", HELLO)
        first, second = await esme.receipt(), await esme.receipt()
        answer = await esme.hears(smpp.SubmitSmResp)
    assert states(first, second) == ["DELIVRD", "DELIVRD"]
    assert first.short_message == second.short_message
    assert first.sequence != second.sequence
    assert answer.message_id.encode() in first.short_message


async def test_a_bad_number_is_refused(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.submit(BASE + "11", HELLO)
        answer = await esme.hears(smpp.SubmitSmResp)
    assert (answer.status, answer.message_id) == (0x0B, "")


async def test_the_first_part_is_delivered_and_the_others_are_not(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.submit(BASE + "12", LONG)
        ids = [(await esme.hears(smpp.SubmitSmResp)).message_id for _ in range(2)]
        receipts = [await esme.receipt() for _ in range(2)]
    assert [receipt.tlvs[0x001E][:-1].decode() for receipt in receipts] == ids
    assert states(*receipts) == ["DELIVRD", "UNDELIV"]
    assert await far.api("received") == []


async def test_the_gateways_own_reader_understands_a_receipt(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.submit(OTHER, HELLO)
        await esme.hears(smpp.SubmitSmResp)
        assert parse(await esme.receipt()) is not None


@pytest.mark.parametrize(
    ("ending", "wanted", "receipts"),
    [
        pytest.param("99", 0, [], id="none"),
        pytest.param("99", 2, [], id="of failure alone, delivered"),
        pytest.param("06", 2, ["UNDELIV"], id="of failure alone, failed"),
    ],
)
async def test_receipts_are_sent_where_they_are_asked_for(
    far: Simulated, ending: str, wanted: int, receipts: list[str]
) -> None:
    async with far.esme() as esme:
        esme.submit(BASE + ending, HELLO, registered_delivery=wanted)
        await esme.hears(smpp.SubmitSmResp)
        assert states(*[await esme.receipt() for _ in receipts]) == receipts
        esme.submit(OTHER, HELLO)
        await esme.hears(smpp.SubmitSmResp)
        assert (await esme.receipt()).source_addr == OTHER, "and nothing more"


async def test_receipts_outlive_a_dropped_connection_until_they_are_acknowledged(far: Simulated) -> None:
    async with far.esme() as esme:
        for _ in range(3):
            esme.submit(OTHER, HELLO)
            await esme.answered()
        acknowledged = (await esme.receipt()).short_message
        unanswered = [(await esme.hears(smpp.DeliverSm)).short_message for _ in range(2)]
        esme.submit(OTHER, HELLO)  # and the link breaks before its receipt
        last = (await esme.hears(smpp.SubmitSmResp)).message_id.encode()
    async with far.esme() as esme:
        again = [(await esme.receipt()).short_message for _ in range(3)]
    assert acknowledged not in again
    assert sorted(again)[:2] == sorted(unanswered)
    assert any(last in text for text in again)


async def test_a_receipt_that_was_refused_comes_again(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.submit(OTHER, HELLO)
        await esme.hears(smpp.SubmitSmResp)
        first = await esme.receipt(status=0x64)
        second = await esme.receipt()
    assert first.short_message == second.short_message


async def test_a_transmitter_gets_its_receipts_over_a_receiver(far: Simulated) -> None:
    async with far.esme(smpp.BindTransmitter) as sends:
        sends.submit(OTHER, HELLO)
        await sends.hears(smpp.SubmitSmResp)
        async with far.esme(smpp.BindReceiver) as hears:
            assert states(await hears.receipt()) == ["DELIVRD"]
            hears.submit(OTHER, HELLO)
            assert (await hears.hears(smpp.SubmitSmResp)).status == smsc.RINVBNDSTS


async def test_a_slow_gateway_is_not_overrun_with_receipts(
    far: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smsc, "OUTSTANDING", 2)
    async with far.esme() as esme:
        for _ in range(5):
            esme.submit(OTHER, HELLO)
            await esme.answered()
        first, _ = await esme.hears(smpp.DeliverSm), await esme.hears(smpp.DeliverSm)
        esme.say(smpp.EnquireLink(sequence=99))
        await esme.hears(smpp.EnquireLinkResp)
        esme.say(smpp.DeliverSmResp(sequence=first.sequence))
        await esme.hears(smpp.DeliverSm)


async def test_a_wrong_password_is_refused_and_the_connection_closed(far: Simulated) -> None:
    async with far.esme(password="guess") as esme:
        assert esme.bound.status == smsc.RINVPASWD
        with pytest.raises(EOFError):
            await esme.next()


async def test_a_second_bind_on_a_connection_is_refused(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.say(smpp.BindTransceiver(sequence=9, system_id="gateway", password="secret"))
        assert (await esme.hears(smpp.BindResp)).status == smsc.RALYBND


async def test_unbind_is_answered_and_the_connection_closed(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.say(smpp.Unbind(sequence=9))
        assert (await esme.hears(smpp.UnbindResp)).sequence == 9
        with pytest.raises(EOFError):
            await esme.next()


async def test_an_unknown_command_is_refused_and_the_session_goes_on(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.say(smpp.Other(sequence=9, command_id=0x21))
        assert (await esme.hears(smpp.GenericNack)).status == smsc.RINVCMDID
        esme.write(bytes.fromhex("00000012 00000004 00000000 0000000a 4141"))
        assert (await esme.hears(smpp.GenericNack)).status == smsc.RINVCMDLEN
        esme.say(smpp.EnquireLink(sequence=11))
        assert (await esme.hears(smpp.EnquireLinkResp)).sequence == 11


async def test_a_length_that_cannot_be_ends_the_connection(far: Simulated) -> None:
    async with far.esme() as esme:
        esme.write(bytes.fromhex("00000003 00000015 00000000 00000009"))
        assert (await esme.hears(smpp.GenericNack)).status == smsc.RINVCMDLEN
        with pytest.raises(EOFError):
            await esme.next()
