"""What has become of a message, in its reader's words: what timeline.py tells the operator's command line.

Rule: a customer reads what concerns him: when, what, why, and what it cost him; not by whose connector, under
which of its ids, nor what it cost us.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from hopwire.model import Fault, Outcome, Status
from hopwire.rung import PartState, Rung
from hopwire.timeline import Note, RawReceipt, Story, What
from hopwire.web.pages.words import Words
from hopwire.web.pages.words import marked as _

Meaning = Callable[[str, str], str]  # connector, code -> what the code means there
Tone = tuple[str, str]  # a colour, and an icon

CHANNELS = {"viber": _("Viber"), "sms": _("SMS")}
HANDED = {"viber": _("Given to Viber"), "sms": _("Given to the mobile network")}
AGAIN = {
    "viber": _("Given to Viber, perhaps for the second time"),
    "sms": _("Given to the mobile network, perhaps for the second time"),
}
TAKEN = {"viber": _("Taken by Viber"), "sms": _("Taken by the mobile network")}
FAULTS = {
    Fault.RECIPIENT: _("the phone cannot be reached"),
    Fault.NO_ACCOUNT: _("the number is not on Viber"),
    Fault.NUMBER: _("the number is wrong or not assigned"),
    Fault.BLOCKED: _("the recipient wants no messages from this sender"),
    Fault.CONTENT: _("the content was not accepted"),
    Fault.SENDER: _("the sender name was not accepted"),
    Fault.CONFIGURATION: _("a fault on our side"),
    Fault.ROUTE: _("there is no way to this number"),
}
PLAIN: dict[What, tuple[str, Tone]] = {
    What.UNKNOWN: (_("No answer came"), ("late", "question")),
    What.PROGRESS: (_("On its way"), ("sent", "clock")),
    What.EXPIRED: (_("Not delivered in time"), ("late", "hourglass")),
    What.DELIVERED: (_("Delivered"), ("good", "checks")),
    What.SEEN: (_("Read"), ("good", "eye")),
    What.LAPSED: (_("The time for it is over"), ("late", "hourglass")),
    What.LATE: (_("Delivered late: what follows it had left already"), ("late", "warning")),
    What.DELETED: (_("Deleted"), ("waiting", "cross")),
    What.HELD: (_("Held until somebody has looked at it"), ("late", "pause")),
}
BECAUSE = {
    What.REFUSED: _("Refused: %(why)s"),
    What.SPARED: _("Not tried: %(why)s"),
    What.FAILED: _("Not delivered: %(why)s"),
}
OURS = {  # codes of our own
    "lost": _("the process that handed it over, or its link, was gone"),
    "remembered": _("this was learned from an earlier message"),
    "no room": _("more was to be sent than could be taken"),
    "paused": _("our configuration had been refused just before"),
    "stopped": _("the number is on the stop list"),
}
CLASSES = {  # of command_status
    "temporary": _("temporary"),
    "throttled": _("too fast"),
    "session": _("the session was out of step"),
    "recipient": _("the phone cannot be reached"),
    "number": _("the number is wrong or not assigned"),
    "sender": _("the sender name was not accepted"),
    "content": _("the content was not accepted"),
    "configuration": _("a fault on our side"),
}
PARTS: dict[PartState, tuple[str, Tone]] = {
    PartState.WAITING: (_("waiting"), ("waiting", "clock")),
    PartState.SENDING: (_("being handed over"), ("waiting", "clock")),
    PartState.UNKNOWN: (_("no answer"), ("late", "question")),
    PartState.TAKEN: (_("taken"), ("sent", "check")),
    PartState.EXPIRED: (_("not delivered in time"), ("late", "hourglass")),
    PartState.FAILED: (_("not delivered"), ("bad", "cross")),
    PartState.DELIVERED: (_("delivered"), ("good", "checks")),
    PartState.SEEN: (_("read"), ("good", "eye")),
}
PAYMENTS = {
    "reserve": _("Reserved"),
    "charge": _("Charged"),
    "release": _("Released"),
    "refund": _("Given back"),
    "commission": _("Earned by the reseller"),
    "cost": _("Costs us"),
}
OURS_ALONE = ("commission", "cost")


class Line(NamedTuple):
    """A line of the timeline."""

    at: int
    where: str  # the step, and the part where there are several
    what: str
    tone: Tone
    status: Status | None  # of the message, where it has changed
    code: str
    meaning: str  # of the code


class PartTold(NamedTuple):
    text: str
    tone: Tone
    code: str


class StepTold(NamedTuple):
    channel: str
    sender: str
    parts: list[PartTold]
    price: int
    connector: str
    cost: int
    ids: list[str]  # of the connector


class MoneyTold(NamedTuple):
    at: int
    what: str
    channel: str
    amount: int


class Told:
    """A message's story, for one reader."""

    def __init__(self, story: Story, words: Words, meaning: Meaning, now: int, *, operator: bool) -> None:
        self._story = story
        self._words = words
        self._ask = meaning
        self._now = now
        self.operator = operator

    @property
    def is_live(self) -> bool:
        """Whether something may still happen soon."""
        return not self._story.delivery.ended

    @property
    def is_scheduled(self) -> bool:
        """Whether it can still be taken back."""
        d = self._story.delivery
        later = d.due_at is not None and d.due_at > self._now
        return d.status is Status.PENDING and (later or bool(d.held_until))

    # ---- the timeline

    @property
    def lines(self) -> list[Line]:
        story = self._story
        what = self._words("Accepted")
        if story.send_at > story.accepted_at:
            what = self._words("Accepted, to leave at %(when)s", when=self._moment(story.send_at))
        first = Line(story.accepted_at, "", what, ("waiting", "check"), None, "", "")
        return sorted([first, *self._notes(), *self._under_way()], key=lambda one: one.at)

    def _notes(self) -> Iterator[Line]:
        status = Status.PENDING
        tried: set[tuple[int, int]] = set()
        carriers = self._carriers()
        for at, note in self._story.notes:
            place = note.step, note.part
            by = carriers[note.step][0] if carriers else ""
            if note.handed_at is not None:
                yield self._handed(*place, by, note.handed_at, place in tried)
            if note.what is What.UNKNOWN:
                tried.add(place)
            if note.what is What.REROUTED:
                del carriers[note.step][0]
            if note.what is not What.REROUTED or self.operator:
                yield self._line(at, note, by, carriers, status)
            status = note.status

    def _line(self, at: int, note: Note, by: str, carriers: list[list[str]], before: Status) -> Line:
        what, tone = self._what(at, note, carriers)
        code = "" if note.what is What.NEXT else note.code
        return Line(
            at,
            self._where(note.step, note.part if note.what < What.LAPSED else None),
            what,
            tone,
            None if note.status is before else note.status,
            code,
            self.meaning(by, code) if code else "",
        )

    def _what(self, at: int, note: Note, carriers: list[list[str]]) -> tuple[str, Tone]:
        words = self._words
        channel = self._channel(note.step)
        if note.what in BECAUSE:
            return words(BECAUSE[note.what], why=self._why(note.detail)), ("bad", "cross")
        match note.what:
            case What.TAKEN:
                named = self.operator and note.detail
                return words(TAKEN[channel]) + (f": {note.detail}" if named else ""), ("sent", "check")
            case What.LATER if not note.detail:
                return words("Not taken, and given up"), ("bad", "cross")
            case What.LATER:
                when = self._moment(int(note.detail))
                return words("Not taken now, tried again at %(when)s", when=when), ("late", "clock")
            case What.NEXT if int(note.detail) > at:
                when = self._moment(int(note.detail))
                return words(
                    "%(channel)s follows at %(when)s", channel=channel_name(words, channel), when=when
                ), (
                    "waiting",
                    "turn",
                )
            case What.NEXT:
                return words("%(channel)s follows", channel=channel_name(words, channel)), ("waiting", "turn")
            case What.FREED:
                return words("Released"), ("waiting", "check")
            case What.REROUTED:
                to = carriers[note.step][0]
                return words("Goes by %(connector)s instead", connector=to), ("late", "turn")
        sentence, tone = PLAIN[note.what]
        return words(sentence), tone

    def _why(self, fault: str) -> str:
        known = fault in set(Fault)
        return self._words(FAULTS[Fault(fault)]) if known else fault

    def _under_way(self) -> Iterator[Line]:
        for step, rung in enumerate(self._story.delivery.rungs):
            for part, one in enumerate(rung.parts):
                if one.state is PartState.SENDING:
                    yield self._handed(step, part, rung.plan.connector, rung.handed_at or 0, one.repeated)

    def _handed(self, step: int, part: int, by: str, at: int, again: bool) -> Line:
        what = self._words((AGAIN if again else HANDED)[self._channel(step)])
        if self.operator:
            what = f"{what} ({by})"
        return Line(at, self._where(step, part), what, ("waiting", "send"), None, "", "")

    def _carriers(self) -> list[list[str]]:
        """For each step, the connectors that have carried it, in their order."""
        carriers: list[list[str]] = [[] for _ in self._story.delivery.rungs]
        for _at, note in self._story.notes:
            if note.what is What.REROUTED:
                carriers[note.step].append(note.detail)
        rungs = self._story.delivery.rungs
        return [[*left, rung.plan.connector] for left, rung in zip(carriers, rungs, strict=True)]

    def _channel(self, step: int) -> str:
        rungs = self._story.delivery.rungs
        return rungs[step].plan.channel if step < len(rungs) else "sms"

    def _where(self, step: int, part: int | None) -> str:
        rungs = self._story.delivery.rungs
        if step >= len(rungs):
            return ""
        name = channel_name(self._words, rungs[step].plan.channel)
        parts = len(rungs[step].parts)
        if part is None or parts < 2:
            return name
        return self._words(
            "%(channel)s, part %(part)s of %(parts)s", channel=name, part=part + 1, parts=parts
        )

    def meaning(self, connector: str, code: str) -> str:
        """What a code means, in words where there are any."""
        if code in OURS:
            return self._words(OURS[code])
        said = self._ask(connector, code)
        return self._words(CLASSES[said]) if said in CLASSES else said

    def _moment(self, at: int) -> str:
        return self._words.moment(at, seconds=True)

    # ---- steps, money, receipts

    @property
    def steps(self) -> list[StepTold]:
        return [self._step(rung) for rung in self._story.delivery.rungs]

    def _step(self, rung: Rung) -> StepTold:
        story, plan = self._story, rung.plan
        viber = plan.channel == "viber"
        return StepTold(
            plan.channel,
            story.viber_sender if viber else story.sms_sender,
            [self._part(one.state, one.code) for one in rung.parts],
            plan.price,
            plan.connector,
            plan.part_cost * plan.parts,
            [one.provider_id for one in rung.parts if one.provider_id],
        )

    def _part(self, state: PartState, code: str) -> PartTold:
        if state is PartState.WAITING and self._story.delivery.status.final:
            return PartTold(self._words("not sent"), ("waiting", "stop"), "")
        text, tone = PARTS[state]
        return PartTold(self._words(text), tone, code)

    @property
    def money(self) -> list[MoneyTold]:
        """What was moved; for a customer, of his own money."""
        return [
            MoneyTold(one.at, self._words(PAYMENTS[one.kind]), self._channel(one.step), one.amount)
            for one in self._story.payments
            if self.operator or not (one.kind in OURS_ALONE or (one.kind == "refund" and one.amount < 0))
        ]

    @property
    def receipts(self) -> list[RawReceipt]:
        return list(self._story.receipts)

    def outcome(self, receipt: RawReceipt) -> tuple[str, Tone]:
        return outcome(self._words, receipt.outcome)

    # ---- what comes next

    @property
    def outlook(self) -> str:
        """What happens next by itself, and when; "" where nothing does."""
        d, words = self._story.delivery, self._words
        if d.ended:
            if d.timer_at is None:
                return ""
            return words("It has ended; news may still come until %(when)s.", when=self._moment(d.timer_at))
        if d.held_until:
            when = self._moment(d.held_until)
            return words("It is held, and deleted at %(when)s unless it is released.", when=when)
        return f"{self._expected(d.rungs[d.at])} {self._otherwise()}".strip()

    def _expected(self, rung: Rung) -> str:
        d, words = self._story.delivery, self._words
        name = channel_name(words, rung.plan.channel)
        if rung.any(PartState.SENDING):
            return words("%(channel)s is being asked.", channel=name)
        if d.due_at is not None and d.due_at > self._now:
            return words("It leaves by %(channel)s at %(when)s.", channel=name, when=self._moment(d.due_at))
        if d.due_at is not None:
            return words("It leaves by %(channel)s as soon as there is room.", channel=name)
        when = self._moment(rung.ends_at)
        return words("It waits for word from the phone until %(when)s.", when=when)

    def _otherwise(self) -> str:
        d, words = self._story.delivery, self._words
        if d.at + 1 == len(d.rungs):
            return ""
        rung, following = d.rungs[d.at], d.rungs[d.at + 1]
        begins_at = rung.give_up_at if rung.handed_at is None else rung.ends_at
        name = channel_name(words, following.plan.channel)
        if begins_at <= self._now:
            return words("%(channel)s follows unless it is delivered.", channel=name)
        when = self._moment(begins_at)
        return words("%(channel)s follows at %(when)s unless it is delivered.", channel=name, when=when)


def outcome(words: Words, said: Outcome) -> tuple[str, Tone]:
    """What a receipt says."""
    if said is Outcome.FAILED:
        return words("Not delivered"), ("bad", "cross")
    sentence, tone = PLAIN[What[said.name]]
    return words(sentence), tone


def channel_name(words: Words, channel: str) -> str:
    return words(CHANNELS[channel]) if channel in CHANNELS else channel


def refundable(story: Story) -> int:
    """What a message has cost and was not given back."""
    charged = sum(one.amount for one in story.payments if one.kind == "charge")
    back = sum(one.amount for one in story.payments if one.kind == "refund" and one.amount > 0)
    return charged - back
