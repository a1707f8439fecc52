"""What each channel carries, and what each outcome there becomes: the two tables of docs/channels.md.

Rule: a cell is a case that is played (tests/provider_cases, by test_channels.py), for SMPP the name of a
test, or a reason. The manual prints the tables.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from provider_cases import Cases

from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Later,
    Never,
    Outcome,
    SmsContent,
    SmsText,
    Taken,
    Template,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)

LINK, PICTURE = "https://b.example/", "https://a.example/a.png"
TEXT = ViberText(text="Hi")

CONTENTS: dict[str, SmsContent | ViberContent] = {
    "text": TEXT,
    "image": ViberImage(image=PICTURE),
    "image with link": ViberImage(image=PICTURE, url=LINK),
    "button": ViberButton(text="Hi", caption="Open", url=LINK),
    "button with image": ViberButton(text="Hi", caption="Open", url=LINK, image=PICTURE),
    "template": TEXT,
    "SMS": SmsText(text="Hi"),
    "flash SMS": FlashSms(text="Hi"),
    "WAP push": WapPush(url=LINK, text="Hi"),
}
TEMPLATE = Template(id="2c01", language="uk", kind="transaction", parameters={"pin": "1234"})

ANSWERS = {
    "taken": "The message is taken",
    "not on Viber": "The number is not on Viber",
    "blocked": "The reader has blocked the sender",
    "no device": "No device of the reader's can show it",
    "bad number": "The number is wrong",
    "content refused": "The content is refused",
    "sender refused": "The sender is refused",
    "configuration refused": "Our configuration is at fault",
    "no credit": "There is no money left",
    "busy": "Try again later",
    "too many requests": "Too many requests",
    "not authorised": "Wrong credentials or address",
    "server error": "The server fails",
    "garbage": "What comes is no answer",
    "duplicate": "The request was made before",
}

REPORTS = {
    "delivered": "Later: delivered",
    "seen": "Later: read",
    "expired": "Later: its time is over",
    "failed": "Later: it cannot be delivered",
    "not on Viber": "Later: the number is not on Viber",
    "blocked": "Later: the reader has blocked the sender",
    "on its way": "Later: it is on its way",
    "rejected": "Later: it was rejected",
    "user reply": "Later: the reader answers",
    "unsubscribed": "Later: the reader wants no more",
    "unknown event": "Later: something unknown",
}


# ---- what the cells say


def meaning(answer: Answer) -> str:
    """In a word or two."""
    match answer:
        case Taken():
            return "taken"
        case Later(throttled=True):
            return "later, slower"
        case Later():
            return "later"
        case Never(fault=fault):
            return f"no: {fault.value}"
        case Unknown():
            return "in doubt"


NO_RECEIPT = {"user reply": "inbox", "unsubscribed": "stop list", "on its way": "nothing yet"}


def reported(name: str, outcome: Outcome | None, fault: Fault | None) -> str:
    if outcome is None:
        return NO_RECEIPT.get(name, "nothing")
    if outcome is Outcome.FAILED and fault:
        return f"failed: {fault.value}"
    return outcome.name.lower() if outcome else "nothing yet"


# ---- SMPP, which has tests of its own


class Held(NamedTuple):
    """A cell that a test holds."""

    by: str  # file::test
    says: str = "✓"


STATUSES = "test_smpp_status.py::test_a_status_says_whether_and_when_to_try_again"
RECEIPTS = "test_smpp_receipt.py::test_the_text_is_read_as_far_as_it_goes"
SMS_ALONE = "It is SMS alone."
NO_WORD = "SMPP has no word for it."

SMPP_CONTENTS: Mapping[str, Held | str] = {
    **dict.fromkeys(CONTENTS, SMS_ALONE),
    "SMS": Held("test_peers.py::test_a_plain_text_arrives"),
    "flash SMS": Held("test_peers.py::test_a_flash_message_arrives"),
    "WAP push": Held("test_peers.py::test_a_wap_push_arrives"),
}

SMPP_ANSWERS: Mapping[str, Held | str] = {
    "taken": Held("test_channel_smpp.py::test_a_submit_is_taken_and_its_id_is_normal", "taken"),
    "not on Viber": SMS_ALONE,
    "blocked": NO_WORD,
    "no device": NO_WORD,
    "bad number": Held("test_peers.py::test_a_refused_number_is_a_final_no", "no: number"),
    "content refused": Held(STATUSES, "no: content"),
    "sender refused": Held(STATUSES, "no: sender"),
    "configuration refused": Held(STATUSES, "no: configuration"),
    "no credit": Held(
        "test_smpp_status.py::test_an_operator_says_what_an_smscs_own_codes_mean", "no: configuration"
    ),
    "busy": Held(STATUSES, "later"),
    "too many requests": Held(
        "test_channel_smpp.py::test_throttling_pauses_the_channel_and_then_it_goes_on", "later, slower"
    ),
    "not authorised": Held("test_channel_smpp.py::test_a_refused_bind_gives_no_capacity", "it waits"),
    "server error": Held(
        "test_channel_smpp.py::test_a_lost_connection_leaves_what_was_written_unknown_and_comes_back",
        "in doubt",
    ),
    "garbage": Held(
        "test_smpp_session.py::test_a_length_that_no_pdu_has_ends_the_session_after_what_came_before",
        "in doubt",
    ),
    "duplicate": "SMPP has no key that makes a repeated request known.",
}

SMPP_REPORTS: Mapping[str, Held | str] = {
    "delivered": Held(RECEIPTS, "delivered"),
    "seen": "Nobody tells when an SMS is read.",
    "expired": Held(RECEIPTS, "expired"),
    "failed": Held(
        "test_smpp_receipt.py::test_an_error_tells_a_bad_number_from_a_phone_that_is_off", "failed: recipient"
    ),
    "not on Viber": SMS_ALONE,
    "blocked": NO_WORD,
    "on its way": Held("test_peers.py::test_receipts_that_are_not_final_are_progress", "nothing yet"),
    "rejected": Held(RECEIPTS, "failed: recipient"),
    "user reply": Held(
        "test_channel_smpp.py::test_a_message_from_a_phone_is_kept_and_then_answered", "inbox"
    ),
    "unsubscribed": Held(
        "test_store_inbox.py::test_a_stop_word_stops_one_account_until_a_start_word", "stop list"
    ),
    "unknown event": Held("test_peers.py::test_what_is_unknown_does_no_harm", "nothing"),
}


# ---- the tables


@cache
def providers() -> dict[str, Cases]:
    """The cases of every provider, by the kind of its connectors; the direct one is the first."""
    folder = Path(__file__).parent / "provider_cases"
    kinds = [path.stem for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    kinds.sort(key=lambda kind: kind != "viber")
    return {kind: importlib.import_module(f"provider_cases.{kind}").CASES for kind in kinds}


class Cell(NamedTuple):
    says: str
    why: str = ""  # why it says nothing


Column = dict[str, Cell]


def table() -> str:
    """Both tables in Markdown, with their reasons numbered below each of them."""
    cases = providers().values()
    contents = [_column(SMPP_CONTENTS, _held), *(_column(one.asks, lambda _: "✓") for one in cases)]
    answers = [_column(SMPP_ANSWERS, _held), *(_column(one.answers, _answered) for one in cases)]
    reports = [_column(SMPP_REPORTS, _held), *(_reports(one) for one in cases)]
    names = {name: name for name in CONTENTS}
    return "\n".join([*_table([(names, contents)]), *_table([(ANSWERS, answers), (REPORTS, reports)])])


def _column(cases: Mapping[str, Any], says: Callable[[Any], str]) -> Column:
    return {
        name: Cell("–", case) if isinstance(case, str) else Cell(says(case)) for name, case in cases.items()
    }


def _held(held: Held) -> str:
    return held.says


def _answered(case: tuple[int, bytes, Answer]) -> str:
    return meaning(case[2])


def _reports(cases: Cases) -> Column:
    return {
        name: Cell("–", case) if isinstance(case, str) else Cell(reported(name, *case[1:]))
        for name, case in cases.reports.items()
    }


def _table(blocks: Sequence[tuple[Mapping[str, str], Sequence[Column]]]) -> Iterator[str]:
    """One table; each block of rows has its own columns."""
    reasons = list(
        dict.fromkeys(
            column[name].why
            for rows, columns in blocks
            for name in rows
            for column in columns
            if column[name].why
        )
    )
    kinds = ["smpp", *providers()]
    yield from (f"| | {' | '.join(kinds)} |", "| --- " * (1 + len(kinds)) + "|")
    for rows, columns in blocks:
        for name, text in rows.items():
            yield f"| {text} | {' | '.join(_shown(column[name], reasons) for column in columns)} |"
    yield from ("", *(f"{number}. {why}" for number, why in enumerate(reasons, 1)), "")


def _shown(cell: Cell, reasons: list[str]) -> str:
    return f"– ({reasons.index(cell.why) + 1})" if cell.why else cell.says
