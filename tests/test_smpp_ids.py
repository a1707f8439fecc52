"""Message ids: the same one in an answer and in a receipt, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire.smpp.ids import EVIDENCE, Ids, Spelling, as_answered, key


@pytest.mark.parametrize(
    ("answered", "receipted"),
    [("00C8F40E", "c8f40e"), ("0013169678", "13169678"), ("A-B", "a-b"), ("0", "000"), ("", "")],
)
def test_an_id_is_the_same_in_another_case_and_with_other_zeros(answered: str, receipted: str) -> None:
    assert key(answered) == key(receipted)


def test_ids_that_differ_stay_apart() -> None:
    assert len({key(x) for x in ("", "0", "1", "10", "a", "a0")}) == 6


@pytest.mark.parametrize(
    ("setting", "answered", "receipted"),
    [
        pytest.param("same", "00AB12", "ab12", id="same"),
        pytest.param("hex_to_dec", "00C8F40E", "0013169678", id="hexadecimal, then decimal"),
        pytest.param("hex_to_dec", "c8f40e", "13169678", id="the same without zeros"),
        pytest.param("dec_to_hex", "13169678", "00C8F40E", id="decimal, then hexadecimal"),
        pytest.param("hex_to_dec", "a-b-c", "A-B-C", id="an id that is no number"),
        pytest.param("dec_to_hex", "x17", "X17", id="nor hexadecimal"),
    ],
)
def test_a_setting_tells_how_a_receipt_writes_its_id(setting: str, answered: str, receipted: str) -> None:
    ids = Ids(setting)
    assert ids.of_receipt(receipted) == Spelling(ids.of_answer(answered))


def test_where_ids_are_of_no_use_there_are_none() -> None:
    ids = Ids("none")
    assert (ids.of_answer("123456789"), ids.of_receipt("123456789")) == ("", Spelling(""))


@pytest.mark.parametrize(
    ("receipted", "spelling"),
    [
        pytest.param("0013169678", Spelling("13169678", ("c8f40e", "320247416")), id="digits"),
        pytest.param("00C8F40E", Spelling("c8f40e", ("13169678",)), id="hexadecimal"),
        pytest.param("5", Spelling("5"), id="the same in every form"),
        pytest.param("B7E1-44", Spelling("b7e1-44"), id="no number"),
        pytest.param("", Spelling(""), id="nothing"),
    ],
)
def test_until_it_is_known_an_id_has_all_its_spellings(receipted: str, spelling: Spelling) -> None:
    assert Ids("auto").of_receipt(receipted) == spelling


SENT = range(0x10C8F40D, 0x10C8F40D + EVIDENCE)


@pytest.mark.parametrize(
    ("form", "answers", "receipts"),
    [
        ("same", [f"{n}" for n in SENT], [f"{n:012}" for n in SENT]),
        ("hex_to_dec", [f"{n:X}" for n in SENT], [f"{n:010}" for n in SENT]),
        ("dec_to_hex", [f"{n}" for n in SENT], [f"{n:X}" for n in SENT]),
    ],
)
def test_what_matches_again_and_again_is_learned(form: str, answers: list[str], receipts: list[str]) -> None:
    ids = Ids("auto")
    learned = [ids.matched(r, ids.of_answer(a)) for a, r in zip(answers, receipts, strict=True)]
    assert learned == [False] * (EVIDENCE - 1) + [True]
    assert (ids.learned, ids.form) == (form, form)
    assert [ids.of_receipt(r) for r in receipts] == [Spelling(key(a)) for a in answers]


def test_what_is_written_alike_proves_nothing() -> None:
    ids = Ids("auto")
    for n in range(1, 10):
        assert not ids.matched(str(n), str(n))
    assert ids.learned == ""


def test_what_was_learned_is_forgotten_when_it_finds_nothing_any_more() -> None:
    ids = Ids("auto")
    for n in SENT:
        ids.matched(f"{n:X}", f"{n}")
    for _ in range(EVIDENCE - 1):
        ids.matched("ABC", None)
    assert ids.learned == "dec_to_hex"
    ids.matched("ABC", None)
    assert (ids.learned, ids.of_receipt("ABC").also) == ("", ("2748",))


def test_an_id_that_comes_again_and_again_is_found_to_be_none() -> None:
    ids = Ids("auto")
    assert [ids.of_answer("123456789") for _ in range(6)] == ["123456789"] * 3 + [""] * 3
    assert (ids.learned, ids.of_receipt("123456789")) == ("none", Spelling(""))


def test_one_id_twice_is_no_reason() -> None:
    ids = Ids("auto")
    assert [ids.of_answer(one) for one in ("a", "a", "b", "b", "c", "c")] == ["a", "a", "b", "b", "c", "c"]
    assert ids.learned == ""


@given(st.integers(1, 2**64 - 1))
def test_a_number_comes_back_from_its_other_form(n: int) -> None:
    assert as_answered(key(f"{n}"), "hex_to_dec") == key(f"{n:X}")
    assert as_answered(key(f"{n:08X}"), "dec_to_hex") == key(f"{n}")


@given(st.text(max_size=30))
def test_any_id_can_be_asked(text: str) -> None:
    for setting in ("auto", "same", "hex_to_dec", "dec_to_hex", "none"):
        ids = Ids(setting)
        ids.of_answer(text)
        first, also = ids.of_receipt(text)
        assert first not in also
        ids.matched(text, first)
