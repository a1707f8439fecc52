"""Which template a text is an instance of, and what stands for its variables."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire.model import Template
from hopwire.templates import MOST_VALUE, Registered, Templates, check

CODE = "Your code is {{pin}}. Do not tell it."


def registered(text: str = CODE, id: str = "t1", sender: str = "Shop", **more: object) -> Registered:
    fields = {"language": "uk", "kind": "transaction", "id": id, "sender": sender, "text": text}
    return Registered(**(fields | more))  # type: ignore[arg-type]


def values(template: str, text: str) -> dict[str, str] | None:
    """What stands for the variables of the one template there is; None: the text is no instance."""
    found = Templates([registered(template)]).match("Shop", text)
    return None if found is None else found.parameters


@pytest.mark.parametrize(
    ("template", "text", "parameters"),
    [
        pytest.param(CODE, "Your code is 1234. Do not tell it.", {"pin": "1234"}, id="one variable"),
        pytest.param("Good morning", "Good morning", {}, id="no variable"),
        pytest.param("{{a}} is here", "Anna Maria is here", {"a": "Anna Maria"}, id="at the beginning"),
        pytest.param("It is {{a}}", "It is late", {"a": "late"}, id="at the end"),
        pytest.param("Код {{ pin }}", "Код 12", {"pin": "12"}, id="white space about the name"),
        pytest.param("From {{a}} to {{b}}", "From 1 to 2", {"a": "1", "b": "2"}, id="two"),
        pytest.param("I am {{a}}{{b}}!", "I am 123!", {"a": "1", "b": "23"}, id="two side by side"),
        pytest.param("{{a}}, {{b}} ok", "1, 2, 3 ok", {"a": "1", "b": "2, 3"}, id="the first one short"),
        pytest.param("{{a}} x {{b}} x", "1 x 2 x 3 x", {"a": "1", "b": "2 x 3"}, id="up to the last piece"),
        pytest.param("Hi {{a}}, {{a}}!", "Hi Al, Al!", {"a": "Al"}, id="one twice"),
        pytest.param("Total\n{{a}} UAH", "Total  \n5 UAH\n", {"a": "5"}, id="white space at line ends"),
        pytest.param("Total \r\n{{a}} UAH ", "Total\n5 UAH", {"a": "5"}, id="or in the template"),
        pytest.param("Hi {{a}} now", "Hi two\nlines now", {"a": "two\nlines"}, id="a value of two lines"),
        pytest.param("Hi {{a}} now", "Hi   1  now", {"a": "  1 "}, id="a value with white space"),
        pytest.param("Hi {{a}}", "Hi " + "я" * MOST_VALUE, {"a": "я" * MOST_VALUE}, id="as long as may be"),
        pytest.param(
            "{{a}}x{{b}}x", "1x" + "y" * 100 + "x" + "y" * 100 + "x",
            {"a": "1x" + "y" * 100, "b": "y" * 100}, id="longer, so that the rest is not too long",
        ),
        pytest.param("See https://a.example/{{a}}", "See https://a.example/1", {"a": "1"}, id="a fixed link"),
        pytest.param("{{a}} {{b}} ok", " 1 2 ok", {"a": " 1", "b": "2"}, id="a blank alone is no value"),
    ],
)  # fmt: skip
def test_an_instance_is_told_with_its_parameters(
    template: str, text: str, parameters: dict[str, str]
) -> None:
    assert values(template, text) == parameters


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param(CODE, "Your code is . Do not tell it.", id="nothing for a variable"),
        pytest.param(CODE, "Your code is  . Do not tell it.", id="a blank for a variable"),
        pytest.param(CODE, "Your code is 1234. Do not tell it!", id="another end"),
        pytest.param(CODE, "your code is 1234. Do not tell it.", id="another beginning"),
        pytest.param(CODE, "Your code is 1234. Do not tell it. Bye", id="more behind it"),
        pytest.param(CODE, "> Your code is 1234. Do not tell it.", id="more before it"),
        pytest.param(CODE, "Your code is ", id="only the beginning"),
        pytest.param(CODE, "Your code is 1234.", id="no end"),
        pytest.param(CODE, CODE[:13] + CODE[20:], id="beginning and end run into one another"),
        pytest.param("Good morning", "Good morning!", id="no variable, and more"),
        pytest.param("Hi {{a}}", "Hi " + "a" * (MOST_VALUE + 1), id="too long a value"),
        pytest.param("Hi {{a}} now", "Hi http://x.example now", id="a link for a variable"),
        pytest.param("Hi {{a}} now", "Hi WWW.x.example now", id="a link without a scheme"),
        pytest.param("Hi {{a}}, {{a}}!", "Hi Al, Bo!", id="one name, two values"),
        pytest.param("Total\n{{a}} UAH", "  Total\n5 UAH", id="white space at the beginning"),
        pytest.param("a\nb", "a b", id="a space for a new line"),
        pytest.param("{{a}} end", " end", id="no more than the end"),
        pytest.param("x {{a}}", " ", id="a blank text"),
        pytest.param("x {{a}}", "", id="no text"),
    ],
)
def test_another_text_is_no_instance(template: str, text: str) -> None:
    assert values(template, text) is None


FEW, MANY = "Dear {{name}}, {{text}}", "Dear {{name}}, order {{n}} is ready"
READY = "Dear Anna, order 17 is ready"


@pytest.mark.parametrize(
    ("templates", "id"),
    [
        pytest.param([registered(FEW, "a"), registered(MANY, "b")], "b", id="the most fixed text"),
        pytest.param([registered(MANY, "a", "*"), registered(MANY, "b")], "b", id="then the sender's own"),
        pytest.param([registered(MANY, "d"), registered(MANY, "c")], "c", id="then the least id"),
        pytest.param([registered(MANY, "a", "*")], "a", id="one of every sender"),
        pytest.param([registered(FEW, "a"), registered(MANY, "b", active=False)], "a", id="none is paused"),
        pytest.param([registered(FEW, "a"), registered(MANY, "b", "Bank")], "a", id="none of another sender"),
        pytest.param([registered(MANY, "b", "Bank")], None, id="only another sender's"),
        pytest.param([registered("Bye", "a"), registered("Bye bye", "b")], None, id="none that is like it"),
        pytest.param([], None, id="no templates"),
    ],
)
def test_one_of_several_is_chosen(templates: list[Registered], id: str | None) -> None:
    for order in (templates, templates[::-1]):
        found = Templates(order).match("Shop", READY)
        assert (found and found.id) == id


def test_a_template_is_told_as_the_upstream_knows_it() -> None:
    one = registered(CODE, "2c01", language="en", kind="promotion")
    assert Templates([one]).match("Shop", "Your code is 7. Do not tell it.") == Template(
        id="2c01", language="en", kind="promotion", parameters={"pin": "7"}
    )


# ---- properties

FIXED = st.text(alphabet=string.ascii_lowercase + " ", min_size=1, max_size=8)
VALUE = st.text(alphabet=string.digits + "Äя", min_size=1, max_size=MOST_VALUE)
ANYTHING = st.text(alphabet="ab {}\n:/w.", max_size=60)
NAMES = ["a", "b", "c", "d", "e"]


def written(pieces: list[str], between: list[str]) -> str:
    return "".join(piece + value for piece, value in zip(pieces, [*between, ""], strict=True))


@given(
    st.integers(0, 5).flatmap(lambda n: st.tuples(*[st.lists(FIXED, min_size=n + 1, max_size=n + 1)])),
    st.data(),
)
def test_a_filled_template_matches_and_gives_the_values_back(
    drawn: tuple[list[str]], data: st.DataObject
) -> None:
    pieces = ["x" + drawn[0][0], *drawn[0][1:]]
    names = NAMES[: len(pieces) - 1]
    filled = data.draw(st.lists(VALUE, min_size=len(names), max_size=len(names)))
    template = written(pieces, [f"{{{{{name}}}}}" for name in names])
    assert values(template, written(pieces, filled)) == dict(zip(names, filled, strict=True))


@given(st.lists(ANYTHING, min_size=1, max_size=4), st.data())
def test_whatever_matches_is_the_template_filled(between: list[str], data: st.DataObject) -> None:
    pieces = data.draw(st.lists(FIXED, min_size=len(between) + 1, max_size=len(between) + 1))
    pieces = ["x" + pieces[0], *pieces[1:-1], pieces[-1] + "x"]
    names = NAMES[: len(between)]
    template = written(pieces, [f"{{{{{name}}}}}" for name in names])
    text = written(pieces, between)
    found = values(template, text)
    if found is None:  # what stands at the end of a line, too, is no part of it where it is white space
        ends_in_space = any(line != line.rstrip() for line in text.split("\n"))
        assert ends_in_space or any(not one.strip() or "://" in one or "www." in one for one in between)
    else:
        lines = written(pieces, [found[name] for name in names]).split("\n")
        assert [line.rstrip() for line in lines] == [line.rstrip() for line in text.split("\n")]


@given(ANYTHING, ANYTHING)
def test_any_text_is_looked_for_in_any_template(template: str, text: str) -> None:
    found = values(f"{template}x", text)
    assert found is None or all(1 <= len(value) <= MOST_VALUE for value in found.values())


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 1000, id="the same letter"),
        pytest.param("b" * 127 + "a" * 400 + "cab", id="a beginning too long by two"),
        pytest.param("b" + "a" * 610 + "cab", id="nearly"),
        pytest.param("ab" * 310 + "cab", id="pairs"),
        pytest.param("w" * 997 + "cab", id="what links begin with"),
        pytest.param("://" * 200 + "cab", id="links"),
        pytest.param(" " * 600 + "cab", id="blanks"),
    ],
)
def test_a_hostile_text_does_not_hang(text: str) -> None:
    many = [registered("{{a}}a{{b}}a{{c}}a{{d}}a{{e}}cab", f"t{n}") for n in range(2000)]
    assert Templates([*many, registered("Hi {{a}}")]).match("Shop", text) in (
        None,
        Templates(many).match("Shop", text),
    )


# ---- what may be registered


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        pytest.param({"id": ""}, "id", id="no id"),
        pytest.param({"id": "a b"}, "id", id="a space in the id"),
        pytest.param({"sender": ""}, "sender", id="no sender"),
        pytest.param({"sender": "x" * 29}, "sender", id="a long sender"),
        pytest.param({"language": "Ukrainian"}, "language", id="no language code"),
        pytest.param({"kind": "otp"}, "kind", id="another kind"),
        pytest.param({"text": ""}, "text", id="no text"),
        pytest.param({"text": "x" * 1001}, "text", id="a long text"),
        pytest.param({"text": "{{a}} {{b}}"}, "more than variables", id="variables alone"),
        pytest.param({"text": "Hi {{my name}}"}, "name", id="a name with a space"),
        pytest.param({"text": "Hi {{}}"}, "name", id="no name"),
        pytest.param({"text": "Hi {{name}"}, "name", id="half a variable"),
        pytest.param({"text": "Hi name}}"}, "name", id="its other half"),
        pytest.param({"text": "Hi\0"}, "characters", id="NUL"),
    ],
)
def test_a_template_that_cannot_be_is_refused(wrong: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        check(registered(**wrong))


@pytest.mark.parametrize(
    "right", [{}, {"sender": "*"}, {"language": "pt-BR"}, {"kind": "promotion"}, {"text": "Hi { {{a}} }"}]
)
def test_a_good_template_is_none_the_less(right: dict[str, str]) -> None:
    check(registered(**right))
