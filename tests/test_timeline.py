"""A message's story in words: what a person reads of it, and what is left out."""

import pytest
from conftest import NOW, SMS, VIBER
from msgspec.structs import replace

from hopwire.delivery import Delivery, advance, plan_delivery
from hopwire.events import (
    Answered,
    Begin,
    Delete,
    Event,
    Orphaned,
    Reported,
    Spared,
    Timer,
)
from hopwire.model import (
    Fault,
    FlashSms,
    Later,
    Never,
    Outcome,
    SmsContent,
    SmsText,
    Step,
    Taken,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)
from hopwire.privacy import masked
from hopwire.timeline import Note, Payment, Story, head, lines, notes, outlook, redacted

History = list[tuple[int, Event]]  # seconds after NOW

TO = "380501112233"
BOTH = (VIBER, SMS)
TWO = (replace(SMS, parts=2),)
RESENT = (replace(SMS, resend=True),)
BEGIN = Begin(lease_ms=30_000)
NOT_THERE = Never("9", Fault.NO_ACCOUNT)
LIFE = VIBER.lifetime_s + VIBER.grace_s


def answer(answer: Taken | Later | Never | Unknown, step: int = 0, part: int = 0) -> Event:
    return Answered(step, part, answer)


def report(outcome: Outcome, step: int = 0, code: str = "", fault: Fault = Fault.RECIPIENT) -> Event:
    return Reported(step, 0, outcome, code, fault)


ON_VIBER: History = [(0, BEGIN), (1, answer(Taken("v1")))]
SMS_LEFT: History = [*ON_VIBER, (LIFE, Timer()), (LIFE, BEGIN)]


def play(steps: tuple[Step, ...], history: History, due_s: int = 0) -> Story:
    """The story of a message that had this history."""
    d = plan_delivery(steps, NOW + 1000 * due_s)
    noted: list[tuple[int, Note]] = []
    for at_s, event in history:
        at = NOW + 1000 * at_s
        after, actions = advance(d, event, at)
        noted += [(at, note) for note in notes(d, event, after, actions)]
        d = after
    return tell(d, noted, due_s)


def tell(d: Delivery, noted: list[tuple[int, Note]], due_s: int = 0) -> Story:
    return Story(
        id=17, account_id=1, accepted_at=NOW, send_at=NOW + 1000 * due_s, recipient=TO, sms_sender="Shop",
        sms=SmsText(text="hello"), viber_sender="Shop", viber=ViberText(text="hello"), status_at=NOW,
        delivery=d, notes=noted, payments=[], receipts=[],
    )  # fmt: skip


def told(story: Story) -> list[str]:
    """The lines after acceptance: second, step, part, words, status and code."""
    rows = lines(story, "UAH", lambda connector, code: "")[1:]
    cells = [
        [f"{(row.at - NOW) // 1000}", row.step, row.part, row.what, row.status, row.code] for row in rows
    ]
    return [" | ".join(cell for cell in row if cell) for row in cells]


@pytest.mark.parametrize(
    ("steps", "history", "said"),
    [
        pytest.param(BOTH, [], [], id="nothing yet"),
        pytest.param(BOTH, [(1, BEGIN)], ["1 | 1 viber | handed over to viber"], id="handed over"),
        pytest.param(
            BOTH,
            [*ON_VIBER, (5, report(Outcome.DELIVERED, code="0")), (9, report(Outcome.SEEN, code="1"))],
            [
                "0 | 1 viber | handed over to viber",
                "1 | 1 viber | taken as v1 | sent",
                "5 | 1 viber | receipt: delivered | delivered | 0",
                "9 | 1 viber | receipt: seen | read | 1",
            ],
            id="delivered and seen",
        ),
        pytest.param(
            BOTH,
            [(0, BEGIN), (1, answer(NOT_THERE)), (2, BEGIN), (3, answer(Taken(""), step=1))],
            [
                "0 | 1 viber | handed over to viber",
                "1 | 1 viber | refused: no account | sending | 9",
                "1 | 2 sms | refused: sms begins",
                "2 | 2 sms | handed over to smsc",
                "3 | 2 sms | taken | sent",
            ],
            id="refused, then SMS",
        ),
        pytest.param(
            BOTH,
            [*SMS_LEFT, (LIFE + 1, report(Outcome.DELIVERED))],
            [
                "0 | 1 viber | handed over to viber",
                "1 | 1 viber | taken as v1 | sent",
                "615 | 1 viber | lifetime over",
                "615 | 2 sms | not delivered: sms begins",
                "615 | 2 sms | handed over to smsc",
                "616 | 1 viber | receipt: delivered | delivered",
                "616 | 1 viber | delivered late, what came after it had left",
            ],
            id="delivered late, while the SMS leaves",
        ),
        pytest.param(
            BOTH,
            [*ON_VIBER, (5, report(Outcome.EXPIRED, code="2"))],
            [
                "0 | 1 viber | handed over to viber",
                "1 | 1 viber | taken as v1 | sent",
                "5 | 1 viber | receipt: expired | 2",
                "5 | 2 sms | not delivered: sms begins at 2027-01-15T08:10:00.000Z",
            ],
            id="an upstream's expiry does not shorten the lifetime",
        ),
        pytest.param(
            BOTH,
            [(0, Spared(0, "remembered", Fault.NO_ACCOUNT))],
            ["0 | 1 viber | passed over: no account | remembered", "0 | 2 sms | refused: sms begins"],
            id="passed over",
        ),
        pytest.param(
            TWO,
            [(0, BEGIN), (1, answer(Taken("a"))), (2, BEGIN), (3, answer(Unknown("timeout"), part=1))],
            [
                "0 | 1 sms | 1/2 | handed over to smsc",
                "1 | 1 sms | 1/2 | taken as a | sending",
                "2 | 1 sms | 2/2 | handed over to smsc",
                "3 | 1 sms | 2/2 | no answer | timeout",
            ],
            id="two parts",
        ),
        pytest.param(
            RESENT,
            [(0, BEGIN), (1, Orphaned()), (9, BEGIN), (10, answer(Later(0, "busy"))), (12, BEGIN)],
            [
                "0 | 1 sms | handed over to smsc",
                "1 | 1 sms | no answer | sending | lost",
                "9 | 1 sms | handed over to smsc, perhaps again",
                "10 | 1 sms | not now, again at 2027-01-15T08:00:12.000Z | busy",
                "12 | 1 sms | handed over to smsc, perhaps again",
            ],
            id="perhaps twice",
        ),
        pytest.param(
            (SMS,),
            [(0, BEGIN), (1, answer(Later(1.0, "busy", tries=1)))],
            ["0 | 1 sms | handed over to smsc", "1 | 1 sms | not now, given up | failed | busy"],
            id="tried often enough",
        ),
        pytest.param(
            (SMS,), [(3600, Timer())], ["3600 | 1 sms | lifetime over | expired"], id="it has never left"
        ),
        pytest.param((), [], [], id="no route"),
    ],
)
def test_a_story_is_told_in_its_order(steps: tuple[Step, ...], history: History, said: list[str]) -> None:
    assert told(play(steps, history)) == said


def test_a_schedule_and_its_end_are_told() -> None:
    story = play(BOTH, [(1, Delete())], due_s=60)
    first = lines(story, "UAH", lambda connector, code: "")[0]
    assert first.what == "accepted, to leave at 2027-01-15T08:01:00.000Z"
    assert told(story) == ["1 | 1 viber | deleted | deleted"]


def test_money_is_told_when_it_moved() -> None:
    story = play((SMS,), [(0, BEGIN), (1, answer(Taken("a")))])._replace(
        payments=[Payment(NOW, "reserve", 620_000, 0), Payment(NOW + 1000, "charge", 310_000, 0),
                  Payment(NOW + 1000, "release", 310_000, 0)]
    )  # fmt: skip
    assert told(story) == [
        "0 | 1 sms | reserved 0.62 UAH",
        "0 | 1 sms | handed over to smsc",
        "1 | 1 sms | taken as a | sent",
        "1 | 1 sms | charged 0.31 UAH",
        "1 | 1 sms | released 0.31 UAH",
    ]


def test_the_meaning_of_a_code_is_asked_of_its_connector_and_of_answers_alone() -> None:
    history = [(0, BEGIN), (1, answer(NOT_THERE)), (2, BEGIN), (3, answer(Taken("a"), step=1))]
    story = play(BOTH, [*history, (4, report(Outcome.FAILED, step=1, code="9"))])
    asked = lines(story, "UAH", lambda connector, code: f"{code} on {connector}")
    assert [line.meaning for line in asked if line.code] == ["9 on viber", ""]


@pytest.mark.parametrize(
    ("steps", "history", "due_s", "said"),
    [
        pytest.param((), [], 0, "ended", id="no route"),
        pytest.param(
            BOTH, [], 60,
            "leaves at 2027-01-15T08:01:00.000Z, when viber has room;"
            " sms begins at 2027-01-15T08:11:00.000Z unless viber delivers",
            id="scheduled",
        ),
        pytest.param(
            BOTH, [(0, BEGIN)], 0,
            "waits for the answer of viber until 2027-01-15T08:00:30.000Z;"
            " sms begins at 2027-01-15T08:10:15.000Z unless viber delivers",
            id="handed over",
        ),
        pytest.param(
            BOTH, ON_VIBER, 0,
            "waits for a receipt until 2027-01-15T08:10:15.000Z;"
            " sms begins at 2027-01-15T08:10:15.000Z unless viber delivers",
            id="on Viber",
        ),
        pytest.param(
            BOTH, [*SMS_LEFT, (LIFE, answer(Taken("a"), step=1))], 0,
            "waits for a receipt until 2027-01-15T09:10:30.000Z",
            id="the last step",
        ),
        pytest.param(BOTH, [*ON_VIBER, (5, report(Outcome.SEEN))], 0, "ended", id="delivered"),
        pytest.param(
            BOTH, [*SMS_LEFT, (LIFE, report(Outcome.SEEN))], 0,
            "ended; what is under way may report until 2027-01-15T08:10:45.000Z",
            id="delivered, while the SMS leaves",
        ),
        pytest.param((replace(SMS, reports="none"),), ON_VIBER, 0, "ended", id="nobody reports"),
        pytest.param(BOTH, [(1, Delete())], 60, "ended", id="deleted"),
    ],
)  # fmt: skip
def test_what_comes_next_is_told(steps: tuple[Step, ...], history: History, due_s: int, said: str) -> None:
    assert outlook(play(steps, history, due_s).delivery) == said


@pytest.mark.parametrize(
    ("content", "kind", "texts"),
    [
        (SmsText(text="secret"), "text", "secret"),
        (FlashSms(text="secret"), "flash", "secret"),
        (WapPush(url="https://x.ua", text="secret"), "WAP push", "https://x.ua secret"),
        (ViberText(text="secret"), "text", "secret"),
        (ViberImage(image="https://x.ua/a.png"), "image", "https://x.ua/a.png"),
        (
            ViberButton(text="secret", caption="Go", url="https://x.ua"),
            "button",
            "secret Go https://x.ua",
        ),
    ],
)
def test_contents_are_told_by_their_kind_and_texts_on_demand(
    content: SmsContent | ViberContent, kind: str, texts: str
) -> None:
    story = play(BOTH, [])
    if isinstance(content, SmsContent):
        channel, story = "sms", story._replace(sms=content)
    else:
        channel, story = "viber", story._replace(viber=content)
    assert head(story, "shop")[channel] == f"{kind} from Shop"
    assert head(story, "shop", texts=True)[channel] == f"{kind} from Shop: {texts}"


def test_a_channel_that_was_not_asked_for_is_not_told() -> None:
    story = play((SMS,), [])._replace(viber=None)
    assert head(story, "shop") == {
        "id": 17, "account": "shop", "number": "…2233", "accepted": "2027-01-15T08:00:00.000Z",
        "status": "0 Pending", "since": "2027-01-15T08:00:00.000Z", "sms": "text from Shop",
    }  # fmt: skip
    assert head(story, "shop", numbers=True)["number"] == TO


SMPP = f"id:1 sub:001 to {TO} stat:DELIVRD err:000 text:hello\nthere"


@pytest.mark.parametrize(
    ("raw", "texts", "numbers", "said"),
    [
        (SMPP, False, False, "id:1 sub:001 to …2233 stat:DELIVRD err:000 text: …"),
        (SMPP, True, False, "id:1 sub:001 to …2233 stat:DELIVRD err:000 text:hello\nthere"),
        (SMPP, False, True, f"id:1 sub:001 to {TO} stat:DELIVRD err:000 text: …"),
        (SMPP, True, True, SMPP),
        ("id:1 Text : hello", False, False, "id:1 Text : …"),
        (f'{{"phone_number":"{TO}"}}', False, False, '{"phone_number":"…2233"}'),
        ("", False, False, ""),
    ],
)
def test_a_raw_receipt_is_shown_without_the_number_and_the_text(
    raw: str, texts: bool, numbers: bool, said: str
) -> None:
    assert redacted(raw, TO, texts=texts, numbers=numbers) == said


def test_a_receipt_of_nobody_s_number_is_left_as_it_is() -> None:
    assert redacted("id:1", "") == "id:1"
    assert masked("") == ""
