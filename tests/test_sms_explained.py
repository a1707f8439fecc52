"""What a text becomes on its way by SMS, as it is told to who asks."""

import pytest
from hypothesis import given
from test_sms import TEXTS, WRITINGS

from hopwire import sms, wap
from hopwire.model import FlashSms, SmsContent, SmsText, WapPush, Writing


@pytest.mark.parametrize(
    ("content", "writing", "told"),
    [
        pytest.param(
            "a{", Writing(), sms.Explained("GSM 7-bit", 3, 160, 153, 157, ("a{",), (), "a{"), id="GSM"
        ),
        pytest.param(
            SmsText(text="😀aї`😀" + "a" * 80),
            Writing(),
            sms.Explained(
                "UCS-2",
                87,
                70,
                67,
                47,
                ("😀aї`😀" + "a" * 60, "a" * 20),
                ("😀", "ї", "`"),
                "😀aї`😀" + "a" * 80,
            ),
            id="the characters that forced UCS-2",
        ),
        pytest.param(
            "ї😀\u200d",
            Writing(transliterate=True, national="turkish"),
            sms.Explained("UCS-2", 4, 70, 67, 66, ("ї😀\u200d",), ("😀",), "ї😀\u200d"),
            id="only what could not be transliterated",
        ),
        pytest.param(
            "ğа",
            Writing(national="turkish"),
            sms.Explained("UCS-2", 2, 70, 67, 68, ("ğа",), ("а",), "ğа"),
            id="only what the national table lacks",
        ),
        pytest.param(
            "ş",
            Writing(national="turkish"),
            sms.Explained("GSM 7-bit, Turkish extension", 2, 155, 149, 153, ("ş",), (), "ş"),
            id="Turkish",
        ),
        pytest.param(
            "щ",
            Writing(transliterate=True),
            sms.Explained("GSM 7-bit", 4, 160, 153, 156, ("shch",), (), "shch"),
            id="transliterated",
        ),
        pytest.param(
            "{",
            Writing(alphabet="latin1", long="udh16"),
            sms.Explained("Latin-1", 2, 160, 152, 158, ("{",), (), "{"),
            id="Latin-1",
        ),
        pytest.param(
            FlashSms(text="é"),
            Writing(alphabet="ascii"),
            sms.Explained("UCS-2", 1, 70, 67, 69, ("é",), ("é",), "é"),
            id="what ASCII lacks",
        ),
        pytest.param(
            "я", Writing(alphabet="ucs2"), sms.Explained("UCS-2", 1, 70, 67, 69, ("я",), (), "я"), id="chosen"
        ),
    ],
)
def test_a_text_is_explained(content: SmsContent | str, writing: Writing, told: sms.Explained) -> None:
    assert sms.explain(content, writing) == told


def test_a_push_is_explained_in_hex() -> None:
    push = wap.encode("http://a.example", "я")
    told = sms.explain(WapPush(url="http://a.example", text="я"))
    assert told[:5] == ("8-bit, WAP push", len(push), 133, 128, 133 - len(push))
    assert told.parts == (push.hex(),)


@given(TEXTS, WRITINGS)
def test_a_text_is_in_ucs2_by_choice_or_for_a_reason(text: str, writing: Writing) -> None:
    told = sms.explain(text, writing)
    in_vain = told.encoding == "UCS-2" and writing.alphabet != "ucs2"
    assert bool(told.forced) == in_vain
    assert set(told.forced) <= set(told.text)
