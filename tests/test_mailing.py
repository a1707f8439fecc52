"""Mailings without a store: gaps, the message of a row, what its owner may want, the report."""

from typing import Any

import pytest

from hopwire import mailing
from hopwire.contents import Draft
from hopwire.errors import TextTooLong
from hopwire.mailing import Command, Mailing, NoValueError, RowState, State, fill, gaps
from hopwire.model import FlashSms, SendRequest, SmsContent, SmsText, ViberButton, ViberImage, ViberText
from hopwire.phone import Number

TO = "380501112233"
WRITTEN = ("message", "viber_message", "viber_image", "viber_url", "viber_button")


def fits(content: SmsContent, number: Number) -> None:
    if not isinstance(content, SmsText | FlashSms) or len(content.text) > 20:
        raise TextTooLong


def asked(draft: Draft, number: str = TO, **values: str) -> SendRequest | str:
    return mailing.asked(draft, number, values, "UA", fits)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        pytest.param("Hi {{name}}!", "Hi Anna!", id="a value"),
        pytest.param("{{ NAME }} {{name}}", "Anna Anna", id="in any letters, more than once"),
        pytest.param("{{name|you}}{{city|Lviv}}", "AnnaLviv", id="a default where there is no value"),
        pytest.param("{{blank|-}}{{city|}}.", "-.", id="a blank is no value, a default may be empty"),
        pytest.param("{{html}}", "{{name}}<b>", id="what is filled in is not looked at again"),
        pytest.param("{{}} { {name} } {name", "{{}} { {name} } {name", id="no gap"),
    ],
)
def test_gaps_are_filled(text: str, filled: str) -> None:
    values = {"name": "Anna", "blank": "  ", "html": "{{name}}<b>"}
    assert fill(Draft(message=text), values).message == filled


def test_every_written_field_may_have_gaps() -> None:
    draft = Draft(
        viber=True,
        viber_type="button",
        message="{{a}}",
        viber_message="{{b|x}}",
        viber_image="{{c}}",
        viber_url="{{d}}",
        viber_button="{{B}}",
    )
    assert gaps(draft) == {"a": True, "b": True, "c": True, "d": True}
    assert gaps(Draft(message="{{B|x}} {{b|y}} {b}")) == {"b": False}
    filled = fill(draft, dict(zip("abcd", "1234", strict=True)))
    assert (filled.message, filled.viber_message, filled.viber_image) == ("1", "2", "3")
    assert (filled.viber_url, filled.viber_button) == ("4", "2")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({"viber": False}, {"a"}, id="SMS"),
        pytest.param({"sms": False}, {"b"}, id="Viber text"),
        pytest.param({"sms": False, "viber_message": ""}, {"a"}, id="Viber text, as the SMS"),
        pytest.param({"sms": False, "viber_type": "image"}, {"c", "d"}, id="Viber image"),
        pytest.param({"viber_type": "image"}, {"a", "c", "d"}, id="Viber image, and SMS"),
    ],
)
def test_what_the_message_does_not_use_has_no_gaps(changes: dict[str, Any], found: set[str]) -> None:
    written = {name: f"{{{{{gap}}}}}" for name, gap in zip(WRITTEN, "abcde", strict=True)}
    assert gaps(Draft(**{"viber": True, **written, **changes})).keys() == found


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(NoValueError) as missing:
        fill(Draft(message="{{Name}} {{City}}"), {"name": "Anna"})
    assert missing.value.name == "City"


SMS = {"sender": "Shop", "message": "hello"}
VIBER = {"viber": True, "sms": False, "viber_from": "Shop", "viber_message": "hello"}
PICTURE = "https://example.com/a.PNG"


@pytest.mark.parametrize(
    ("draft", "sms", "viber"),
    [
        pytest.param(SMS, SmsText(text="hello"), None, id="SMS"),
        pytest.param(SMS | {"flash": True}, FlashSms(text="hello"), None, id="flash SMS"),
        pytest.param(VIBER, None, ViberText(text="hello"), id="Viber alone"),
        pytest.param(SMS | {"viber": True}, SmsText(text="hello"), ViberText(text="hello"), id="the same"),
        pytest.param(
            VIBER | {"viber_type": "image", "viber_image": PICTURE},
            None,
            ViberImage(image=PICTURE),
            id="image",
        ),
        pytest.param(
            VIBER | {"viber_type": "button", "viber_url": "https://a.b", "viber_button": "Go"},
            None,
            ViberButton(text="hello", caption="Go", url="https://a.b"),
            id="button",
        ),
        pytest.param({"viber": False, "sms": False, **SMS}, SmsText(text="hello"), None, id="neither is SMS"),
    ],
)
def test_a_draft_becomes_a_message(draft: dict[str, Any], sms: object, viber: object) -> None:
    made = asked(Draft(**draft))
    assert isinstance(made, SendRequest)
    assert (made.recipient, made.country, made.sms, made.viber) == (TO, "UA", sms, viber)
    assert made.viber_sender == ("Shop" if viber else "")


@pytest.mark.parametrize(
    ("changes", "number", "error"),
    [
        pytest.param({}, "12", "bad_recipient", id="number"),
        pytest.param({}, "3.80671E+11", "rounded", id="number that a spreadsheet has shortened"),
        pytest.param({"message": ""}, TO, "no_text", id="no text"),
        pytest.param({"message": "a" * 21}, TO, "text_too_long", id="text"),
        pytest.param({"message": "{{Name}}"}, TO, "no_value:Name", id="no value"),
        pytest.param({"message": "{{long}}"}, TO, "text_too_long", id="text with its values"),
        pytest.param({"sender": "Крамниця"}, TO, "bad_sender", id="sender"),
        pytest.param(VIBER | {"viber_from": "", "sender": ""}, TO, "no_viber_sender", id="Viber sender"),
        pytest.param(VIBER | {"message": "", "viber_message": ""}, TO, "no_viber_text", id="no Viber text"),
        pytest.param(VIBER | {"viber_message": "a" * 1001}, TO, "viber_text_too_long", id="Viber text"),
        pytest.param(VIBER | {"viber_lifetime": "59"}, TO, "bad_viber_lifetime", id="lifetime"),
        pytest.param(VIBER | {"viber_type": "image"}, TO, "no_viber_image", id="no image"),
        pytest.param(
            VIBER | {"viber_type": "image", "viber_image": "http://a/{{name|b}}.bmp"},
            TO,
            "bad_viber_image",
            id="image",
        ),
        pytest.param(VIBER | {"viber_type": "button"}, TO, "no_viber_url", id="no link"),
        pytest.param(
            VIBER | {"viber_type": "button", "viber_url": "https://a.b"},
            TO,
            "no_viber_button",
            id="no caption",
        ),
        pytest.param(VIBER | {"viber_type": "video"}, TO, "bad_viber_type", id="kind"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(changes: dict[str, Any], number: str, error: str) -> None:
    assert asked(Draft(**SMS | changes), number, long="a" * 21) == error
    assert mailing.told(error)[0]


def a_mailing(state: State, good: int = 3, waiting: int = 0) -> Mailing:
    return Mailing(
        id=1, account_id=1, created_at=0, name="", draft=None, state=state, reason="", starts_at=None,
        total=good + waiting, good=good, bad=0, repeated=0, accepted=0, refused=0, parts=0, price=0,
        ended_at=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "command", "state"),
    [
        pytest.param(a_mailing(State.READY), Command.START, State.SENDING, id="start"),
        pytest.param(a_mailing(State.READY, good=0), Command.START, None, id="start nothing"),
        pytest.param(a_mailing(State.CHECKING), Command.START, None, id="start too early"),
        pytest.param(a_mailing(State.SENDING), Command.START, None, id="start twice"),
        pytest.param(a_mailing(State.SENDING), Command.PAUSE, State.PAUSED, id="pause"),
        pytest.param(a_mailing(State.CHECKING), Command.PAUSE, State.PAUSED, id="pause the check"),
        pytest.param(a_mailing(State.READY), Command.PAUSE, None, id="pause what does nothing"),
        pytest.param(a_mailing(State.PAUSED), Command.GO_ON, State.SENDING, id="go on"),
        pytest.param(a_mailing(State.PAUSED, waiting=1), Command.GO_ON, State.CHECKING, id="go on checking"),
        pytest.param(a_mailing(State.SENDING), Command.GO_ON, None, id="go on twice"),
        pytest.param(a_mailing(State.DONE), Command.STOP, None, id="stop what is done"),
        pytest.param(a_mailing(State.STOPPED), Command.GO_ON, None, id="go on after the stop"),
        *(
            pytest.param(a_mailing(state), Command.STOP, State.STOPPED, id=f"stop while {state}")
            for state in State
            if not state.ended
        ),
    ],
)
def test_what_its_owner_wants(given: Mailing, command: Command, state: State | None) -> None:
    assert mailing.after(given, command) == state


def test_states_of_rows_do_not_change_their_numbers() -> None:
    assert [(one.name, int(one)) for one in RowState] == [
        ("WAITING", 0), ("GOOD", 1), ("BAD", 2), ("REPEATED", 3), ("SENT", 4), ("REFUSED", 5)
    ]  # fmt: skip
