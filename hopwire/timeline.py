"""What has happened to a message: as it is kept, and as a person reads it.

Rule 1: an event that has changed nothing is not noted; every receipt is told raw.
Rule 2: what other rows tell is not noted twice: acceptance, money.
Rule 3: numbers and texts are told only to who asks for them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import NamedTuple

from hopwire import money
from hopwire.delivery import STOPPED, Delivery
from hopwire.events import (
    Action,
    Answered,
    Delete,
    DoubleDelivery,
    Event,
    Freed,
    Reported,
    Rerouted,
    Spared,
    Stopped,
    Submit,
    Timer,
)
from hopwire.model import (
    Answer,
    Fact,
    Fault,
    FlashSms,
    Later,
    Never,
    Outcome,
    SmsContent,
    SmsText,
    Status,
    Taken,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)
from hopwire.privacy import forgotten, masked
from hopwire.rung import Part, PartState, Rung


class What(IntEnum):
    """What a note tells. The numbers are kept: none ever gets another meaning."""

    TAKEN = 1  # detail: the provider's id
    LATER = 2  # detail: when it is tried again, in milliseconds; empty: never
    REFUSED = 3  # detail: whose fault
    UNKNOWN = 4
    SPARED = 5  # detail: whose fault
    PROGRESS = 6
    EXPIRED = 7  # as the upstream says
    FAILED = 8  # detail: whose fault
    DELIVERED = 9
    SEEN = 10
    LAPSED = 11  # the step's lifetime is over
    NEXT = 12  # the step begins; code: why, detail: when, in milliseconds
    LATE = 13  # delivered when the step after it had left
    DELETED = 14  # detail: why, where nobody has asked for it
    HELD = 15  # until the operator decides; detail: why
    FREED = 16  # by the operator; detail: when it leaves, in milliseconds
    REROUTED = 17  # code: why, where no answer has told it; detail: the connector that had the step


class Note(Fact, frozen=True):
    """One thing that has happened."""

    step: int
    part: int  # 0 where it concerns the whole step
    what: What
    status: Status  # of the message, after it
    code: str = ""  # the upstream's word or number
    detail: str = ""
    handed_at: int | None = None  # when the part was handed over, where its try is over with this


# ---- noting

_REPORTS = {
    Outcome.PROGRESS: What.PROGRESS,
    Outcome.EXPIRED: What.EXPIRED,
    Outcome.FAILED: What.FAILED,
    Outcome.DELIVERED: What.DELIVERED,
    Outcome.SEEN: What.SEEN,
}


def notes(before: Delivery, event: Event, after: Delivery, actions: Sequence[Action]) -> list[Note]:
    """What is to be kept of an event that made `after` out of `before`, in its order."""
    if (actions and isinstance(actions[0], Submit)) or after is before or after == before:
        return []  # a hand-over is told by the note of what came of it; until then by the delivery
    noted = _noted(before, event, after)
    if any(rung.plan.others for rung in before.rungs):
        noted += _rerouted(before, event, after)
    if actions and isinstance(actions[-1], DoubleDelivery):
        noted.append(Note(noted[-1].step, 0, What.LATE, after.status))
    if after.at != before.at:
        reason = "refused" if after.rungs[before.at].any(PartState.FAILED) else "not delivered"
        noted.append(Note(after.at, 0, What.NEXT, after.status, reason, str(after.due_at)))
    return noted


def _noted(before: Delivery, event: Event, after: Delivery) -> list[Note]:
    match event:
        case Answered(step, part, answer):
            return [_answer(step, part, after, answer, _ended(before.rungs[step], part))]
        case Reported(step, part, outcome, code, fault):
            detail = str(fault) if outcome is Outcome.FAILED else ""
            ended = _ended(before.rungs[step], part)
            return [Note(step, part, _REPORTS[outcome], after.status, code, detail, ended)]
        case Stopped(step):
            return [Note(step, 0, What.SPARED, after.status, STOPPED, str(Fault.BLOCKED))]
        case Spared(step, code, fault):
            return [Note(step, 0, What.SPARED, after.status, code, str(fault))]
        case Delete():
            return [Note(after.at, 0, What.DELETED, after.status)]
        case Freed():
            return [Note(after.at, 0, What.FREED, after.status, "", str(after.due_at))]
        case Timer() if before.held_until:
            return [Note(after.at, 0, What.DELETED, after.status, "", "nobody has released it")]
        case Rerouted():
            return []
    return list(_timed(before, after))


def _rerouted(before: Delivery, event: Event, after: Delivery) -> Iterator[Note]:
    why = event.why if isinstance(event, Rerouted) else ""
    for step, (old, new) in enumerate(zip(before.rungs, after.rungs, strict=True)):
        if old.plan.connector != new.plan.connector:
            yield Note(step, 0, What.REROUTED, after.status, why, old.plan.connector)


def _ended(rung: Rung, part: int) -> int | None:
    """When the part was handed over whose try ends now; of a step, one part at a time is being tried."""
    return rung.handed_at if rung.parts[part].state is PartState.SENDING else None


def _answer(step: int, part: int, after: Delivery, answer: Answer, ended: int | None) -> Note:
    match answer:
        case Taken(provider_id):
            return Note(step, part, What.TAKEN, after.status, "", provider_id, ended)
        case Later(_, code):
            again = after.rungs[step].parts[part]
            at = str(again.due_at) if again.state is PartState.WAITING and not after.status.final else ""
            return Note(step, part, What.LATER, after.status, code, at, ended)
        case Never(code, fault):
            return Note(step, part, What.REFUSED, after.status, code, str(fault), ended)
        case Unknown(code):
            return Note(step, part, What.UNKNOWN, after.status, code, "", ended)


def _timed(before: Delivery, after: Delivery) -> Iterator[Note]:
    """What time has changed: answers that nobody will give any more, and lifetimes that are over."""
    for step, (old, new) in enumerate(zip(before.rungs, after.rungs, strict=True)):
        for part, (was, now) in enumerate(zip(old.parts, new.parts, strict=True)):
            if was.state is PartState.SENDING and now.state is not was.state:
                yield Note(step, part, What.UNKNOWN, after.status, "lost", "", old.handed_at)
        if any(map(_lapsed, old.parts, new.parts)):
            yield Note(step, 0, What.LAPSED, after.status)


def _lapsed(was: Part, now: Part) -> bool:
    """Whether time has ended the part; one that waited for another try may have been taken before."""
    ended = now.state is PartState.EXPIRED or (was.state is PartState.WAITING and now.state > was.state)
    return ended and now.state is not was.state


# ---- telling


class Payment(NamedTuple):
    """A movement of money, as the ledger has it."""

    at: int
    kind: str  # of PAYMENTS
    amount: int
    step: int


class RawReceipt(NamedTuple):
    """A receipt as it came."""

    received_at: int
    connector: str
    provider_id: str
    outcome: Outcome
    code: str
    raw: str


class Story(NamedTuple):
    """Everything that is kept of a message."""

    id: int
    account_id: int
    accepted_at: int
    send_at: int
    recipient: str
    sms_sender: str
    sms: SmsContent | None
    viber_sender: str
    viber: ViberContent | None
    status_at: int
    delivery: Delivery
    notes: Sequence[tuple[int, Note]]  # with their moments, in order
    payments: Sequence[Payment]
    receipts: Sequence[RawReceipt]


class Line(NamedTuple):
    """A line of the table that a person reads."""

    at: int
    step: str
    part: str
    what: str
    status: str  # of the message, where it has changed
    code: str
    meaning: str  # of the code


PAYMENTS = {
    "reserve": "reserved",
    "charge": "charged",
    "release": "released",
    "refund": "given back",
    "commission": "earned by the reseller",
    "cost": "costs us",
}
Meaning = Callable[[str, str], str]  # connector, code -> what the code means there; empty: nobody knows


def lines(story: Story, currency: str, meaning: Meaning) -> list[Line]:
    """The timeline: acceptance, what followed, and what it cost, in the order in which it happened."""
    told = [
        (story.accepted_at, 0, Line(story.accepted_at, "", "", _acceptance(story), "", "", "")),
        *(
            (one.at, 1 if one.kind == "reserve" else 3, _payment(story, one, currency))
            for one in story.payments
        ),
        *((line.at, 2, line) for line in _note_lines(story, meaning)),
    ]
    return [line for *_, line in sorted(told, key=lambda one: one[:2])]


def _acceptance(story: Story) -> str:
    later = story.send_at > story.accepted_at
    return f"accepted, to leave at {moment(story.send_at)}" if later else "accepted"


def _payment(story: Story, one: Payment, currency: str) -> Line:
    what = f"{PAYMENTS[one.kind]} {money.text(one.amount)} {currency}"
    return Line(one.at, _step(story, one.step), "", what, "", "", "")


def _note_lines(story: Story, meaning: Meaning) -> Iterator[Line]:
    status = Status.PENDING
    tried: set[tuple[int, int]] = set()  # parts whose answer was lost, and which may have been taken
    carriers = _carriers(story)
    for at, note in story.notes:
        rung = story.delivery.rungs[note.step]
        where = note.step, note.part
        by = carriers[note.step][0]
        if note.handed_at is not None:
            yield _handed(story, *where, by, note.handed_at, where in tried)
        tried |= {where} if note.what is What.UNKNOWN else set()
        if note.what is What.REROUTED:
            del carriers[note.step][0]
        yield Line(
            at,
            _step(story, note.step),
            _part(rung, note.part) if note.what < What.LAPSED else "",
            _what(at, note, rung, carriers[note.step][0]),
            "" if note.status is status else _word(note.status),
            "" if note.what is What.NEXT else note.code,
            meaning(by, note.code) if note.code and note.what < What.PROGRESS else "",
        )
        status = note.status
    for step, rung in enumerate(story.delivery.rungs):
        for part, one in enumerate(rung.parts):
            if one.state is PartState.SENDING:
                yield _handed(story, step, part, rung.plan.connector, rung.handed_at or 0, one.repeated)


def _carriers(story: Story) -> list[list[str]]:
    """For each step, the connectors that have carried it, in their order."""
    carriers: list[list[str]] = [[] for _ in story.delivery.rungs]
    for _, note in story.notes:
        if note.what is What.REROUTED:
            carriers[note.step].append(note.detail)
    return [[*left, rung.plan.connector] for left, rung in zip(carriers, story.delivery.rungs, strict=True)]


def _handed(story: Story, step: int, part: int, by: str, at: int, again: bool) -> Line:
    what = f"handed over to {by}" + (", perhaps again" if again else "")
    return Line(at, _step(story, step), _part(story.delivery.rungs[step], part), what, "", "", "")


def _part(rung: Rung, part: int) -> str:
    return f"{part + 1}/{len(rung.parts)}" if len(rung.parts) > 1 else ""


def _what(at: int, note: Note, rung: Rung, by: str) -> str:
    """A note in words; after it this connector carries the step."""
    match note.what:
        case What.TAKEN:
            return f"taken as {note.detail}" if note.detail else "taken"
        case What.LATER:
            when = f", again at {moment(int(note.detail))}" if note.detail and int(note.detail) > at else ""
            return f"not now{when}" if note.detail else "not now, given up"
        case What.FREED:
            return "released" + (f", to leave at {moment(int(note.detail))}" if int(note.detail) > at else "")
        case What.REROUTED:
            return f"goes by {by} instead"
        case What.NEXT:
            when = f" at {moment(int(note.detail))}" if int(note.detail) > at else ""
            return f"{note.code}: {rung.plan.channel} begins{when}"
    return WORDS[note.what] + (f": {note.detail}" if note.detail else "")


WORDS = {
    What.REFUSED: "refused",
    What.UNKNOWN: "no answer",
    What.SPARED: "passed over",
    What.PROGRESS: "receipt: on its way",
    What.EXPIRED: "receipt: expired",
    What.FAILED: "receipt: failed",
    What.DELIVERED: "receipt: delivered",
    What.SEEN: "receipt: seen",
    What.LAPSED: "lifetime over",
    What.LATE: "delivered late, what came after it had left",
    What.DELETED: "deleted",
    What.HELD: "held",
}


def _step(story: Story, step: int) -> str:
    return f"{step + 1} {story.delivery.rungs[step].plan.channel}"


def _word(status: Status) -> str:
    return status.name.lower().replace("_", " ")


def moment(at: int) -> str:
    """Milliseconds as a person reads them: UTC, to the millisecond."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at % 1000:03}Z"


# ---- what comes next


def outlook(d: Delivery) -> str:
    """What happens next to the message by itself, and when."""
    timer_at = d.timer_at
    if d.ended:
        return (
            "ended" if timer_at is None else f"ended; what is under way may report until {moment(timer_at)}"
        )
    if d.held_until:
        return f"held; deleted at {moment(d.held_until)} unless it is released"
    rung = d.rungs[d.at]
    return _expected(d, rung) + _otherwise(d, rung)


def _expected(d: Delivery, rung: Rung) -> str:
    if rung.any(PartState.SENDING):
        return f"waits for the answer of {rung.plan.connector} until {moment(d.lease_at)}"
    if d.due_at is not None:
        others = "".join(f", or {one.connector}" for one in rung.plan.others)
        return f"leaves at {moment(d.due_at)}, when {rung.plan.connector}{others} has room"
    return f"waits for a receipt until {moment(rung.ends_at)}"


def _otherwise(d: Delivery, rung: Rung) -> str:
    if d.at + 1 == len(d.rungs):
        return ""
    begins_at = rung.give_up_at if rung.handed_at is None else rung.ends_at
    this, following = rung.plan.channel, d.rungs[d.at + 1].plan.channel
    return f"; {following} begins at {moment(begins_at)} unless {this} delivers"


# ---- the message itself

KINDS: dict[type[SmsContent | ViberContent], str] = {
    SmsText: "text",
    FlashSms: "flash",
    WapPush: "WAP push",
    ViberText: "text",
    ViberImage: "image",
    ViberButton: "button",
}
TEXT = re.compile(
    r"(\btext\s*:).*", re.IGNORECASE | re.DOTALL
)  # a receipt of SMPP ends with a piece of the text


def head(story: Story, account: str, *, texts: bool = False, numbers: bool = False) -> dict[str, object]:
    """What the message is, by name."""
    status = story.delivery.status
    gone = story.sms is None and story.viber is None
    told: dict[str, object] = {
        "id": story.id,
        "account": account,
        "number": story.recipient if numbers and not forgotten(story.recipient) else masked(story.recipient),
        "accepted": moment(story.accepted_at),
        "status": f"{status.value} {status.text}",
        "since": moment(story.status_at),
    }
    for channel, sender, content in (
        ("viber", story.viber_sender, story.viber),
        ("sms", story.sms_sender, story.sms),
    ):
        if content is not None:
            said = f": {' '.join(said_in(content))}" if texts else ""
            told[channel] = f"{KINDS[type(content)]} from {sender}{said}"
        elif sender and gone:
            told[channel] = f"forgotten, from {sender}"
    return told


def said_in(content: SmsContent | ViberContent) -> list[str]:
    """All that is written in a message, links too."""
    return [str(value) for name in content.__struct_fields__ if (value := getattr(content, name))]


def receipt_rows(story: Story, *, texts: bool = False, numbers: bool = False) -> list[dict[str, str]]:
    """The receipts as they came, each as a row of a table."""
    return [
        {
            "at": moment(one.received_at),
            "connector": one.connector,
            "id": one.provider_id,
            "outcome": one.outcome.name.lower(),
            "code": one.code,
            "raw": redacted(one.raw, story.recipient, texts=texts, numbers=numbers),
        }
        for one in story.receipts
    ]


def redacted(raw: str, number: str, *, texts: bool = False, numbers: bool = False) -> str:
    """A receipt's raw text without the number and without the text of the message."""
    if not numbers and number:
        raw = raw.replace(number, masked(number))
    return raw if texts else TEXT.sub(r"\1 …", raw)
