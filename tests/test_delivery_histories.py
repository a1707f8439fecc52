"""Random lives of messages keep the invariants of the house.

A small world plays the store and the far ends: it calls `Begin` only when something is due and `Timer` only
when `timer_at` has passed; answers and receipts come late, twice, in any order or never. After every event
it checks what must always hold, by its own account of what has happened.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hopwire import hours
from hopwire.delivery import Delivery, advance, hold, plan_delivery
from hopwire.events import (
    Answered,
    Begin,
    Charge,
    Delete,
    Event,
    Freed,
    Orphaned,
    Release,
    Reported,
    Rerouted,
    Spared,
    Stopped,
    Submit,
    Timer,
)
from hopwire.model import Answer, Fault, Later, Never, Other, Outcome, Status, Step, Taken, Unknown
from hopwire.rung import PartState

LEASE_MS = 30_000
QUIET = "00:00-00:01 UTC"  # the first minute of a life, too
RANK = {Status.EXPIRED: 1, Status.FAILED: 1, Status.BAD_NUMBER: 1}
RANK |= {Status.PARTIAL: 2, Status.DELIVERED: 3, Status.READ: 4}
NOT_TAKEN = (Later, Never)

Where = tuple[int, int]  # step, part


@dataclass
class Attempt:
    """One part handed to a far end, which answers once, however often the answer comes."""

    step: int
    part: int
    at: int
    connector: str
    answer: Answer | None = None

    @property
    def where(self) -> Where:
        return self.step, self.part


def _quiet(plan: Step, now: int) -> bool:
    return bool(plan.quiet) and hours.parse(plan.quiet).contains(now)


def _sending(d: Delivery) -> set[Where]:
    parts = [(i, j, part) for i, rung in enumerate(d.rungs) for j, part in enumerate(rung.parts)]
    return {(i, j) for i, j, part in parts if part.state is PartState.SENDING}


@dataclass
class World:
    d: Delivery
    first_due: int
    now: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    refused: Counter[Where] = field(default_factory=Counter)  # "later" answers, and "no" that led elsewhere
    lost: Counter[Where] = field(default_factory=Counter)  # answers that nobody knows
    heard: set[Where] = field(default_factory=set)  # an upstream has said that it had it
    said_no: set[int] = field(default_factory=set)  # steps with a final no
    delivered: set[int] = field(default_factory=set)  # steps of which a part was delivered
    in_vain: bool = False  # it had ended undelivered, whatever came later
    paid: list[Charge | Release] = field(default_factory=list)

    @property
    def due(self) -> list[int]:
        """When the store has something to do."""
        return [at for at in (self.d.due_at, self.d.timer_at) if at is not None]

    # ---- what happens

    def happen(self, event: Event) -> None:
        before = self.d
        self.d, actions = advance(before, event, self.now)
        assert advance(before, event, self.now) == (self.d, actions)
        assert not (isinstance(event, Begin) and before.due_at is None and actions)
        if not isinstance(event, Begin):
            assert advance(self.d, event, self.now) == (self.d, ()), "the same event twice"
        assert msgspec.json.decode(msgspec.json.encode(self.d), type=Delivery) == self.d
        self._take_note(event, before)
        self._check_status(before)
        self._check_step(before)
        for action in actions:
            if isinstance(action, Submit):
                self._submit(action, before)
            elif isinstance(action, Charge | Release):
                self.paid.append(action)
        self._check_money()

    def work(self) -> None:
        """What the store does at this moment."""
        timer_at = self.d.timer_at
        if timer_at is not None and timer_at <= self.now:
            self.happen(Timer())
            assert self.d.timer_at is None or self.d.timer_at > self.now, "a timer would spin"
        if self.d.due_at is not None and self.d.due_at <= self.now:
            self.happen(Begin(LEASE_MS))

    def answer(self, attempt: Attempt, answer: Answer) -> None:
        """The far end answers; what a former attempt was told comes after all only when it was taken."""
        attempt.answer = attempt.answer or answer
        newest = [other for other in self.attempts if other.where == attempt.where][-1]
        if attempt is newest or isinstance(attempt.answer, Taken):
            self.happen(Answered(attempt.step, attempt.part, attempt.answer, attempt.connector))

    def report(self, attempt: Attempt, outcome: Outcome, fault: Fault) -> None:
        """Where the connector carries the step no more, it is known to have taken the part."""
        if attempt.connector != self.d.rungs[attempt.step].plan.connector:
            self.answer(attempt, Taken("id"))
            if not isinstance(attempt.answer, Taken):
                return
        self.happen(Reported(attempt.step, attempt.part, outcome, outcome.name, fault))

    # ---- what must hold

    def _take_note(self, event: Event, before: Delivery) -> None:
        if isinstance(event, Timer | Orphaned):
            self.lost.update(_sending(before) - _sending(self.d))
        match event:
            case Spared(step) if self.d != before:
                self.said_no.add(step)
            case Answered(step, part, Later()):
                self.refused[step, part] += 1
            case Answered(step, part, Unknown()):
                self.lost[step, part] += 1
            case Answered(step, part, Taken()):
                self.heard.add((step, part))
            case Answered(step, part, Never()) if before.rungs[step].plan.others:
                turned = self.d.rungs[step].parts[part].state is PartState.WAITING
                self.refused[step, part] += turned
                self.said_no |= set() if turned else {step}
            case Answered(step, _, Never()):
                self.said_no.add(step)
            case Stopped(step) if self.d != before:
                self.said_no.add(step)
            case Reported(step, part, outcome):
                self.heard.add((step, part))
                self.delivered |= {step} if outcome >= Outcome.DELIVERED else set()
                self.said_no |= {step} if outcome is Outcome.FAILED else set()

    def _check_status(self, before: Delivery) -> None:
        """I5: a status moves only along the graph, and a final one only upwards."""
        old, new = before.status, self.d.status
        if old in (Status.DELETED, Status.NO_ROUTE):
            assert new is old
        elif old.final and new is not old:
            assert RANK[new] > RANK[old]
        elif not new.final:
            assert new >= old
        for was, rung in zip(before.rungs, self.d.rungs, strict=True):
            for a, b in zip(was.parts, rung.parts, strict=True):
                assert b.state >= a.state or a.state in (PartState.SENDING, PartState.UNKNOWN)
        assert not (self.d.status.final and self.d.due_at is not None)
        self.in_vain |= RANK.get(new) == 1

    def _check_step(self, before: Delivery) -> None:
        """The next step comes after a final no, or when what may have been taken has had its lifetime."""
        assert self.d.at in (before.at, before.at + 1)
        if self.d.at == before.at or before.at in self.said_no:
            return
        maybe = [a.at for a in self.attempts if a.step == before.at and not isinstance(a.answer, NOT_TAKEN)]
        lifetime_ms = 1000 * before.rungs[before.at].plan.lifetime_s
        assert self.d.due_at is not None
        assert self.d.due_at >= max(maybe, default=self.first_due) + lifetime_ms

    def _submit(self, submit: Submit, before: Delivery) -> None:
        assert self.now >= self.first_due, "I11: left before its time"
        assert before.due_at is not None
        assert self.now >= before.due_at
        assert self.delivered <= {submit.step}, "I6: left after a former step had delivered"
        assert not before.status.final
        assert not before.held_until, "left while it was held"
        rung = before.rungs[submit.step]
        assert rung.handed_at is not None or not _quiet(rung.plan, self.now), "began in quiet hours"
        assert all(attempt.step <= submit.step for attempt in self.attempts), "a former step left"
        parts = before.rungs[submit.step].parts
        assert all(part.state > PartState.SENDING for part in parts[: submit.part]), "out of order"
        assert all(part.state is not PartState.FAILED for part in parts), "a part of what cannot arrive whole"
        connector = before.rungs[submit.step].plan.connector
        self._check_try((submit.step, submit.part))
        self._check_way(submit, connector)
        self.attempts.append(Attempt(submit.step, submit.part, self.now, connector))

    def _check_way(self, submit: Submit, connector: str) -> None:
        """All parts leave over one connector: it has had each of those that have left before."""
        left = [one for one in self.attempts if one.step == submit.step and one.part != submit.part]
        for part in {one.part for one in left if not isinstance(one.answer, NOT_TAKEN)}:
            assert connector in {one.connector for one in left if one.part == part}

    def _check_try(self, where: Where) -> None:
        """I7: what may be a duplicate is where the connector says so, and flagged."""
        rung = self.d.rungs[where[0]]
        tries = sum(attempt.where == where for attempt in self.attempts)
        assert where not in self.heard, "sent again although it is known to be taken"
        if tries > self.refused[where]:
            assert rung.plan.resend or any(one.resend for one in rung.plan.others)
            assert tries <= self.refused[where] + self.lost[where]
            assert rung.parts[where[1]].repeated

    def _check_money(self) -> None:
        """I3: one charge and one release for each rung, together its price."""
        assert all(action.amount > 0 for action in self.paid)
        assert max(Counter((type(action), action.step) for action in self.paid).values(), default=1) == 1
        for i, rung in enumerate(self.d.rungs):
            assert self._moved(i) == (rung.plan.price if rung.settled else 0)

    def _moved(self, step: int) -> int:
        return sum(action.amount for action in self.paid if action.step == step)

    def _charged(self, step: int) -> bool:
        return any(isinstance(action, Charge) and action.step == step for action in self.paid)

    # ---- the end

    def come_to_rest(self, answers: list[Answer | None]) -> None:
        """I2: no more receipts; handing over is answered by these in turn, or not at all."""
        plans = [rung.plan for rung in self.d.rungs]
        longest = sum(1000 * (2 * plan.lifetime_s + plan.grace_s) + LEASE_MS for plan in plans)
        longest += sum(60_000 for plan in plans if plan.quiet)
        limit = max(self.now, self.first_due, self.d.held_until) + longest
        turn = 0
        while self.due:
            self.now = max(self.now, min(self.due))
            assert self.now <= limit
            known = len(self.attempts)
            self.work()
            for attempt in self.attempts[known:]:
                turn += 1
                if (answer := answers[turn % len(answers)]) is not None:
                    self.answer(attempt, answer)
        self._check_rest()

    def _check_rest(self) -> None:
        reports = {rung.plan.reports for rung in self.d.rungs}
        assert self.d.status.final or (self.d.status is Status.SENT and "none" in reports)
        assert not self.d.in_doubt
        assert all(self._moved(i) == rung.plan.price for i, rung in enumerate(self.d.rungs))
        if self.d.status is Status.DELETED:
            assert not self.attempts
            assert not any(isinstance(action, Charge) for action in self.paid)
        charged = sum(map(self._charged, range(len(self.d.rungs))))
        assert charged <= 1, "one message, paid on one step"
        assert charged or self.in_vain or RANK.get(self.d.status, 0) < RANK[Status.PARTIAL]


# ---- lives

SECONDS = st.integers(1, 100)


def others(names: str, *reports: str) -> st.SearchStrategy[tuple[Other, ...]]:
    """Up to two other connectors."""
    one = st.builds(
        Other, connector=st.sampled_from(names), resend=st.booleans(), reports=st.sampled_from(reports)
    )
    return st.lists(one, max_size=2, unique_by=lambda one: one.connector).map(tuple)


STEPS = {
    "viber": st.builds(
        Step,
        channel=st.just("viber"),
        connector=st.just("v"),
        parts=st.just(1),
        part_price=st.integers(1, 9),
        charge_on=st.just("delivered"),
        lifetime_s=SECONDS,
        grace_s=st.integers(0, 15),
        quiet=st.sampled_from(["", "", QUIET]),
        resend=st.booleans(),
        redirect_blocked=st.booleans(),
        others=others("w", "all"),
    ),
    "sms": st.builds(
        Step,
        channel=st.just("sms"),
        connector=st.just("s"),
        parts=st.integers(1, 3),
        part_price=st.integers(1, 9),
        charge_on=st.sampled_from(["taken", "delivered"]),
        lifetime_s=SECONDS,
        grace_s=st.integers(0, 15),
        resend=st.booleans(),
        quiet=st.sampled_from(["", "", QUIET]),
        reports=st.sampled_from(["all", "first", "last"]),
        others=others("tu", "all", "first", "last"),
    ),
    "sms without receipts": st.builds(
        Step,
        channel=st.just("sms"),
        connector=st.just("s"),
        parts=st.integers(1, 3),
        part_price=st.integers(1, 9),
        charge_on=st.just("taken"),
        lifetime_s=SECONDS,
        resend=st.booleans(),
        reports=st.just("none"),
        others=others("tu", "all", "none"),
    ),
}
SMS = st.one_of(STEPS["sms"], STEPS["sms"], STEPS["sms without receipts"])
BOTH = st.tuples(STEPS["viber"], SMS)
PLANS = st.one_of(st.tuples(STEPS["viber"]), st.tuples(SMS), BOTH, BOTH)
FAULTS = st.sampled_from(Fault)
ANSWERS = st.one_of(
    st.just(Taken("id")),
    st.builds(
        Later,
        st.sampled_from([0.0, 0.5, 7.0, 500.0]),
        st.just("busy"),
        st.booleans(),
        st.sampled_from([0, 2]),
    ),
    st.builds(Never, st.just("no"), FAULTS),
    st.just(Unknown("timeout")),
)
NUMBERS = st.integers(0, 5)  # which attempt, counted from the newest, round and round
HAPPENINGS = {
    "wait": st.tuples(st.just("wait"), st.one_of(st.integers(0, 3_000), st.integers(0, 100_000))),
    "work": st.just(("work",)),
    "next": st.just(("next",)),
    "answer": st.tuples(st.just("answer"), NUMBERS, ANSWERS),
    "report": st.tuples(st.just("report"), NUMBERS, st.sampled_from(Outcome), FAULTS),
    "spare": st.just(("spare",)),
    "orphan": st.just(("orphan",)),
    "reroute": st.tuples(st.just("reroute"), st.frozensets(st.sampled_from("vwstu"))),
    "stop": st.just(("stop",)),
    "delete": st.just(("delete",)),
    "free": st.just(("free",)),
}
OFTEN = [
    "next",
    "next",
    "next",
    "answer",
    "answer",
    "report",
    "report",
    "wait",
    "work",
    "spare",
    "orphan",
    "reroute",
    "delete",
    "stop",
    "free",
]
HAPPENING = st.sampled_from(OFTEN).flatmap(HAPPENINGS.__getitem__)
LIVES = st.lists(HAPPENING, min_size=10, max_size=40)
LAST_ANSWERS = st.lists(
    st.sampled_from([None, Unknown("timeout"), Never("no", Fault.RECIPIENT)]), min_size=1, max_size=4
)


def live(world: World, happening: tuple[object, ...]) -> None:
    attempts = world.attempts
    match happening:
        case ("wait", int(ms)):
            world.now += ms
        case ("work",):
            world.work()
        case ("next",):  # the very moment at which something is to be done
            world.now = max(world.now, min(world.due, default=0))
            world.work()
        case ("answer", int(n), Taken() | Later() | Never() | Unknown() as answer) if attempts:
            world.answer(attempts[-1 - n % len(attempts)], answer)
        case ("report", int(n), Outcome() as outcome, Fault() as fault) if attempts:
            world.report(attempts[-1 - n % len(attempts)], outcome, fault)
        case ("spare",):
            world.happen(Spared(world.d.at, "remembered", Fault.NO_ACCOUNT))
        case ("reroute", frozenset() as to):
            world.happen(Rerouted(world.d.at, world.d.connector, to, "down"))
        case ("orphan",):
            world.happen(Orphaned())
        case ("stop",):
            world.happen(Stopped(world.d.at))
        case ("delete",):
            world.happen(Delete())
        case ("free",):
            world.happen(Freed())


@settings(max_examples=400)
@given(PLANS, st.integers(0, 20_000), st.sampled_from([0, 0, 1, 50_000]), LIVES, LAST_ANSWERS)
def test_every_life_keeps_the_invariants_and_ends(
    steps: tuple[Step, ...],
    due_at: int,
    held_until: int,
    happenings: list[tuple[object, ...]],
    last_answers: list[Answer | None],
) -> None:
    world = World(hold(plan_delivery(steps, due_at), held_until), due_at)
    for happening in happenings:
        live(world, happening)
    world.come_to_rest(last_answers)
