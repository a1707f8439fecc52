"""What the simulated phones show of what has come."""

import asyncio
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import Simulated, far, simulated
from test_simulators import BASE, BUTTON, HELLO, IMAGE, LONG, OTHER, TEXT

from hopwire import wap
from hopwire.model import FlashSms, SmsText, WapPush
from hopwire.simulators import handset
from hopwire.simulators.record import Record, Shown
from hopwire.smpp import pdu as smpp
from hopwire.smpp.part import Part, read_part

__all__ = ["far"]  # a fixture


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        pytest.param(SmsText(text="Price: 5 €"), {"kind": "sms", "text": "Price: 5 €"}, id="GSM 7-bit"),
        pytest.param(SmsText(text="Привіт"), {"kind": "sms", "text": "Привіт"}, id="UCS-2"),
        pytest.param(SmsText(text="Ґ😀" * 60), {"text": "Ґ😀" * 60, "parts": 3}, id="long UCS-2"),
        pytest.param(FlashSms(text="Now"), {"kind": "flash", "text": "Now"}, id="flash"),
        pytest.param(FlashSms(text="Зараз"), {"kind": "flash", "text": "Зараз"}, id="flash in UCS-2"),
        pytest.param(
            WapPush(url="https://www.example.com/a", text="See"),
            {"kind": "wap", "url": "https://www.example.com/a", "text": "See"},
            id="WAP push",
        ),
        pytest.param(
            WapPush(url="https://example.com/" + "a" * 200, text="See"),
            {"kind": "wap", "url": "https://example.com/" + "a" * 200, "parts": 2},
            id="long WAP push",
        ),
    ],
)
async def test_a_phone_shows_the_sms(far: Simulated, content: Any, shown: dict[str, Any]) -> None:
    async with far.esme() as esme:
        for _ in esme.submit(OTHER, content):
            await esme.hears(smpp.SubmitSmResp)
    (message,) = await far.api("received")
    assert message == message | {"channel": "sms", "number": OTHER, "sender": "Hopwire"} | shown
    assert len(message["provider_ids"]) == message["parts"]


@pytest.mark.parametrize(
    ("type_", "message", "shown"),
    [
        pytest.param(225, TEXT, {"kind": "text", "text": "Hi"}, id="text"),
        pytest.param(207, IMAGE, {"kind": "image", "image": IMAGE["#img"]}, id="image"),
        pytest.param(
            208,
            BUTTON | IMAGE,
            {
                "kind": "button",
                "text": "Hi",
                "caption": "Open",
                "url": BUTTON["#action"],
                "image": IMAGE["#img"],
            },
            id="button",
        ),
    ],
)
async def test_a_phone_shows_the_viber_message(
    far: Simulated, type_: int, message: dict[str, str], shown: dict[str, str]
) -> None:
    token = (await far.viber(OTHER, type=type_, message=message))["message_token"]
    await far.gateway.called_back()
    (received,) = await far.api("received")
    assert received == received | {"channel": "viber", "sender": "Hopwire", "provider_ids": [token]} | shown


async def test_tests_can_ask_for_what_is_new_and_for_one_number(far: Simulated) -> None:
    for number in (OTHER, BASE + "98", OTHER):
        await far.viber(number)
        await far.gateway.called_back()
    assert [m["n"] for m in await far.api("received", number=OTHER)] == [1, 3]
    assert [m["n"] for m in await far.api("received", since=2)] == [3]
    async with far.http.get(far.page + "api/received?since=x") as answer:
        assert answer.status == 400


async def test_every_submission_is_kept_with_what_became_of_it(far: Simulated) -> None:
    async with far.esme() as esme:
        for _ in range(2):
            for _ in esme.submit(OTHER, LONG, reference=9):
                await esme.answered()
        esme.submit(BASE + "11", HELLO)
        await esme.answered()
    *taken, refused = await far.api("submits")
    assert [(s["part"], s["parts"], s["reference"], s["repeated"]) for s in taken] == [
        (1, 2, 9, False),
        (2, 2, 9, False),
        (1, 2, 9, True),
        (2, 2, 9, True),
    ]
    assert len({s["provider_id"] for s in taken}) == 4
    assert taken[0]["text_hash"] == taken[2]["text_hash"] != taken[1]["text_hash"]
    assert refused["text_hash"] == hashlib.sha256(b"Hello").hexdigest()
    assert (refused["status"], refused["provider_id"]) == (0x0B, "")
    assert (await far.api("stats"))["sms"] == {"submitted": 5, "taken": 4, "repeated": 2, "received": 2}


def test_a_record_forgets_the_oldest() -> None:
    record = Record(limit=2)
    for number in ("1", "2", "3", "1"):
        record.submitted("sms", number, text_hash="h", provider_id="p", status=0)
        record.received("sms", number, "", Shown(kind="sms"), ["p"])
    assert [(s.n, s.number, s.repeated) for s in record.submissions] == [(3, "3", False), (4, "1", False)]
    assert [m.n for m in record.messages] == [3, 4]


# ---- reading what came


@given(st.binary(max_size=160), st.integers(0, 255), st.integers(0, 255))
def test_whatever_the_octets_are_a_phone_shows_something(
    data: bytes, esm_class: int, data_coding: int
) -> None:
    submit = smpp.SubmitSm(short_message=data, esm_class=esm_class, data_coding=data_coding)
    part = read_part(submit)
    shown = handset.show(data_coding, part, part.payload)
    assert shown.kind in ("sms", "flash", "wap")
    shown.text.encode()


@given(st.binary(max_size=60))
def test_a_broken_push_is_told(data: bytes) -> None:
    push = wap.encode("https://example.com/", "See")[:12] + data
    assert handset.show(0x04, Part(push, port=2948), push).kind == "wap"


@pytest.mark.parametrize(
    ("esm_class", "data", "tlvs", "part"),
    [
        pytest.param(0x40, "0500030903024142", {}, (b"AB", 9, 2, 3), id="8-bit reference"),
        pytest.param(0x43, "060804010903024142", {}, (b"AB", 0x109, 2, 3), id="16-bit reference"),
        pytest.param(
            0, "4142", {0x020C: b"\1\t", 0x020E: b"\3", 0x020F: b"\2"}, (b"AB", 0x109, 2, 3), id="SAR"
        ),
        pytest.param(0, "", {0x0424: b"AB"}, (b"AB", None, 1, 1), id="message_payload"),
        pytest.param(0x40, "0500030902034142", {}, (b"AB", None, 1, 1), id="part 3 of 2"),
        pytest.param(0x40, "ff4142", {}, (b"\xffAB", None, 1, 1), id="a header longer than the message"),
    ],
)
def test_a_part_tells_what_ties_it_to_the_others(
    esm_class: int, data: str, tlvs: dict[int, bytes], part: tuple[bytes, int | None, int, int]
) -> None:
    submit = smpp.SubmitSm(esm_class=esm_class, short_message=bytes.fromhex(data), tlvs=tlvs)
    assert read_part(submit)[:4] == part


def test_parts_are_joined_in_order_and_old_ones_dropped() -> None:
    joiner = handset.Joiner(limit=1)
    assert joiner.add("1", "a", Part(b"B", 1, 2, 2), "y") is None
    assert joiner.add("1", "a", Part(b"A", 1, 1, 2), "x") == (b"AB", ["x", "y"])
    assert joiner.add("1", "a", Part(b"A", 1, 1, 2), "x") is None
    assert joiner.add("2", "a", Part(b"A", 1, 1, 2), "x") is None
    assert joiner.add("1", "a", Part(b"B", 1, 2, 2), "y") is None, "its first part was dropped"


async def test_the_simulators_stop_when_they_are_cancelled_with_work_under_way() -> None:
    async with simulated() as far, far.esme() as esme:
        far.gateway.refuse = 1000
        await far.viber(OTHER)
        await far.viber(BASE + "07")
        esme.submit(OTHER, HELLO)
        await esme.hears(smpp.SubmitSmResp)
    assert len(asyncio.all_tasks()) == 1
