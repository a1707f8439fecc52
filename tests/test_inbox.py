"""Incoming messages: the parts of each become its text, once; a word alone is a wish."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hopwire.inbox import Key, Pile, Wish, add, key, text, whole, wish
from hopwire.model import Incoming

GSM = 0x00
LATIN_1 = 0x03
UCS2 = 0x08

NOW = 1_800_000_000_000


def incoming(
    payload: bytes = b"hi", coding: int = GSM, reference: int | None = None, part: int = 1, parts: int = 1
) -> Incoming:
    return Incoming(
        connector="smsc", sender="380671112233", recipient="4455", data_coding=coding, payload=payload,
        reference=reference, part=part, parts=parts,
    )  # fmt: skip


def cut(said: str, octets: int, reference: int = 1, sender: str = "380671112233") -> list[Incoming]:
    """The parts of a text in UCS-2, this many octets each."""
    data = said.encode("utf-16-be")
    payloads = [data[at : at + octets] for at in range(0, len(data), octets)] or [b""]
    parts = [incoming(one, UCS2, reference, n + 1, len(payloads)) for n, one in enumerate(payloads)]
    return [replace(part, sender=sender) for part in parts]


# ---- text


A, B, C = (incoming(said, GSM, 1, n + 1, 3) for n, said in enumerate((b"a", b"b", b"c")))
TRUMPET = "🎺".encode("utf-16-be")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        pytest.param([incoming(b"hello")], "hello", id="whole"),
        pytest.param([A, B, C], "abc", id="in order"),
        pytest.param([C, A, B], "abc", id="in another order"),
        pytest.param([A, B, B, C, A], "abc", id="repeated"),
        pytest.param([A, C], "a…c", id="one is missing"),
        pytest.param([B], "…b…", id="two are missing"),
        pytest.param(
            [incoming(b"\x1b", GSM, 1, 1, 2), incoming(b"e", GSM, 1, 2, 2)],
            "€",
            id="a character of two septets",
        ),
        pytest.param(
            [incoming(TRUMPET[:2], UCS2, 1, 1, 2), incoming(TRUMPET[2:], UCS2, 1, 2, 2)], "🎺", id="a pair"
        ),
        pytest.param([incoming(TRUMPET[:2], UCS2, 1, 1, 2)], "\ufffd…", id="half a pair"),
        pytest.param([incoming(TRUMPET[:3], UCS2)], "\ufffd", id="half a pair and an octet, whole"),
        pytest.param([A, incoming("ї".encode("utf-16-be"), UCS2, 1, 2, 3), C], "aїc", id="several codings"),
        pytest.param([incoming(b"\xe9", LATIN_1, 1, 1, 2), incoming(b"\x05", GSM, 1, 2, 2)], "éé", id="two"),
        pytest.param([incoming(b"x", GSM, reference=None, part=2, parts=3)], "x", id="nothing ties it"),
        pytest.param([incoming(b"x", GSM, 1, part=4, parts=3)], "x", id="a fourth of three"),
        pytest.param([incoming(b"x", GSM, 1, part=0, parts=0)], "x", id="part 0 of 0"),
        pytest.param([incoming(b"")], "", id="empty"),
    ],
)
def test_parts_are_read_as_one_text(parts: list[Incoming], said: str) -> None:
    assert text(parts) == said


@given(st.binary(max_size=20), st.integers(0, 255), st.integers(0, 4), st.integers(0, 4))
def test_whatever_comes_has_a_text_that_can_be_kept(
    payload: bytes, coding: int, part: int, parts: int
) -> None:
    text([incoming(payload, coding, 7, part, parts)]).encode("utf-8")


# ---- parts


@pytest.mark.parametrize(
    ("message", "alone"),
    [
        (incoming(reference=None), True),
        (incoming(reference=0, part=1, parts=2), False),
        (incoming(reference=9, part=2, parts=2), False),
        (incoming(reference=9, part=1, parts=1), True),
        (incoming(reference=9, part=0, parts=2), True),
        (incoming(reference=9, part=3, parts=2), True),
    ],
)
def test_a_message_is_by_itself_or_a_part(message: Incoming, alone: bool) -> None:
    assert whole(message) is alone


def feed(parts: Sequence[Incoming]) -> tuple[list[str], dict[Key, Pile]]:
    """What goes to the inbox of these, and what is left."""
    piles: dict[Key, Pile] = {}
    said: list[str] = []
    for at, part in enumerate(parts):
        piles[key(part)], done = add(piles.get(key(part)), part, NOW + at)
        if done is not None:
            said.append(text(list(done.parts.values())))
    return said, piles


def test_a_message_goes_to_the_inbox_when_its_last_part_has_come() -> None:
    assert feed([C, A])[0] == []
    assert feed([C, A, B])[0] == ["abc"]


def test_a_part_that_is_repeated_changes_nothing() -> None:
    pile = feed([A, B])[1][key(A)]
    assert add(pile, A, NOW + 9) == (pile, None)
    joined = feed([A, B, C])[1][key(A)]
    assert add(joined, C, NOW + 9) == (joined, None)


def test_the_age_of_a_pile_is_that_of_its_first_part() -> None:
    assert feed([A, B])[1][key(A)].since == NOW


def test_a_reference_used_again_begins_another_message() -> None:
    again = [replace(part, payload=part.payload.upper()) for part in (A, B, C)]
    assert feed([A, B, C, *again])[0] == ["abc", "ABC"]


def test_what_was_kept_of_an_earlier_message_is_not_lost_by_that() -> None:
    again = [replace(part, payload=part.payload.upper()) for part in (A, B, C)]
    said, piles = feed([A, B, *again])
    assert said == ["ab…", "ABC"]
    assert piles[key(A)].since == NOW + 2


@pytest.mark.parametrize(
    "other",
    [
        replace(B, sender="380671112234"),
        replace(B, recipient="4456"),
        replace(B, connector="other"),
        replace(B, reference=2),
        replace(B, parts=4),
    ],
)
def test_parts_of_others_do_not_complete_a_message(other: Incoming) -> None:
    assert feed([A, C, other])[0] == []


texts = st.lists(st.text(min_size=2, max_size=40), min_size=1, max_size=5)


@given(texts, st.integers(1, 6), st.data())
def test_in_any_order_with_repeats_each_message_comes_once_and_whole(
    said: list[str], characters: int, data: st.DataObject
) -> None:
    messages = [cut(one, 2 * characters, reference) for reference, one in enumerate(said)]
    parts = [part for message in messages for part in message if not whole(part)]
    repeats = data.draw(st.lists(st.sampled_from(parts), max_size=10)) if parts else []
    came, piles = feed(data.draw(st.permutations([*parts, *repeats])))
    assert sorted(came) == sorted(
        one for one, message in zip(said, messages, strict=True) if len(message) > 1
    )
    assert all(pile.joined for pile in piles.values())


# ---- wishes


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        pytest.param("STOP", Wish.STOP, id="the word"),
        pytest.param("  stop! ", Wish.STOP, id="with signs around"),
        pytest.param("«Стоп».\n", Wish.STOP, id="in another alphabet"),
        pytest.param("Start", Wish.START, id="a start word"),
        pytest.param("stop it", None, id="not alone"),
        pytest.param("unstop", None, id="a part of a word"),
        pytest.param("both", Wish.STOP, id="in both lists: stop"),
        pytest.param("", None, id="nothing"),
        pytest.param(" …!", None, id="only signs"),
        pytest.param("STRASSE", Wish.STOP, id="folded"),
    ],
)
def test_a_word_alone_is_a_wish(said: str, meant: Wish | None) -> None:
    assert wish(said, ("stop", "СТОП", "both", "Straße", ""), ("START", "both")) is meant


def test_without_words_nothing_is_a_wish() -> None:
    assert wish("stop", (), ()) is None


def test_a_long_text_costs_no_more_than_its_length() -> None:
    """A pattern that looks for the last signs would try every gap."""
    assert wish("a" + " " * 200_000 + "b", ("stop",), ()) is None
