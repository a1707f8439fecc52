"""A message that was sent is written again as it was."""

import pytest

from hopwire.contents import compose, draft_of
from hopwire.model import (
    FlashSms,
    SmsContent,
    SmsText,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)
from hopwire.phone import Number, parse

PICTURE, LINK = "https://shop.example/a.png", "https://shop.example/"


def nothing(content: SmsContent, number: Number) -> None:
    """Every text fits."""


@pytest.mark.parametrize(
    ("sms", "viber"),
    [
        pytest.param(SmsText(text="Hello"), None, id="an SMS"),
        pytest.param(FlashSms(text="Hello"), None, id="a flash SMS"),
        pytest.param(None, ViberText(text="Привіт"), id="Viber alone"),
        pytest.param(SmsText(text="Hello"), ViberText(text="Привіт"), id="Viber, then another text by SMS"),
        pytest.param(None, ViberImage(image=PICTURE), id="a picture"),
        pytest.param(SmsText(text="Hello"), ViberImage(image=PICTURE, url=LINK), id="a picture with a link"),
        pytest.param(None, ViberButton(text="Hi", caption="Open", url=LINK), id="a button"),
        pytest.param(None, ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE), id="all of it"),
    ],
)
def test_what_was_sent_is_written_again(sms: SmsContent | None, viber: ViberContent | None) -> None:
    number = parse("380501234567", "UA")
    assert number is not None
    senders = "Shop" if sms else "", "Cafe" if viber else ""
    again = compose(draft_of(sms, senders[0], viber, senders[1]), number, nothing)
    assert (again.sms, again.viber, again.sms_sender, again.viber_sender) == (sms, viber, *senders)


def test_a_wap_push_is_not_written_in_a_form() -> None:
    draft = draft_of(WapPush(url=LINK, text="Ticket"), "Shop", ViberText(text="Hi"), "Cafe")
    assert (draft.sms, draft.message, draft.viber_message) == (False, "", "Hi")
