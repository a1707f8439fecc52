"""The rules of delivery and of money, one case a row: a history of (second, event), and how it must end."""

import pytest
from histories import (
    BEGIN,
    BOTH,
    EXPIRED,
    LATER,
    ON_VIBER,
    SEEN,
    SMS,
    SMS_3,
    SMS_3_ON_DELIVERY,
    SMS_DUE,
    SMS_LEFT,
    SMS_ON_DELIVERY,
    SMS_RESEND,
    SMS_TAKEN,
    THROTTLED,
    TIMER,
    TWO_TAKEN,
    UNKNOWN,
    VIBER,
    History,
    answer,
    but,
    delivered,
    money,
    never,
    play,
    receipt,
    seconds,
    submits,
    taken,
)
from msgspec.structs import replace

from hopwire.delivery import advance, plan_delivery
from hopwire.events import (
    Action,
    Charge,
    Delete,
    DoubleDelivery,
    Event,
    Orphaned,
    Release,
    Reported,
    Spared,
    Submit,
)
from hopwire.model import Fault, Later, Outcome, Status, Step, Taken
from hopwire.rung import PartState


@pytest.mark.parametrize("fault", list(Fault))
def test_a_final_no_of_viber_makes_the_sms_due_at_once(fault: Fault) -> None:
    for no in (never(fault), receipt(Outcome.FAILED, fault=fault)):
        d, actions = play(BOTH, [(0, BEGIN), (2, no)])
        assert (d.at, seconds(d.due_at), d.connector) == (1, 2, "s")
        assert money(actions) == []
        assert submits(play(BOTH, [(0, BEGIN), (2, no), (2, BEGIN)])[1]) == [Submit(0, 0), Submit(1, 0)]


@pytest.mark.parametrize(
    ("step", "fault"),
    [pytest.param(step, fault, id=f"{step.channel} {fault}") for step in BOTH for fault in Fault],
)
def test_a_final_no_of_the_last_step_ends_the_message(step: Step, fault: Fault) -> None:
    d, actions = play((step,), [(0, BEGIN), (1, never(fault))])
    status = Status.BAD_NUMBER if fault is Fault.NUMBER else Status.FAILED
    assert (d.status, d.due_at, d.timer_at) == (status, None, None)
    assert money(actions) == money([Release(0, step.price)])


SPARED = Spared(0, "remembered", Fault.NO_ACCOUNT)


def test_a_step_that_would_be_refused_is_passed_over_and_the_next_one_due_at_once() -> None:
    d, actions = play(BOTH, [(10, SPARED), (10, SPARED), (11, BEGIN), (12, taken(step=1))], due_s=10)
    assert (d.at, d.status, d.rungs[0].parts[0].code) == (1, Status.SENT, "remembered")
    assert submits(actions) == [Submit(1, 0)]
    assert money(actions) == money([Charge(1, 10)])
    assert money(play(BOTH, [(10, SPARED)], due_s=10)[1]) == []


@pytest.mark.parametrize(
    ("steps", "history"),
    [
        pytest.param((VIBER,), [], id="the last one is tried"),
        pytest.param(BOTH, [(0, BEGIN)], id="it has begun"),
        pytest.param(BOTH, [(0, BEGIN), (1, answer(LATER))], id="it is to be tried again"),
        pytest.param((), [], id="there is none"),
    ],
)
def test_a_step_is_passed_over_only_where_another_one_follows_and_nothing_has_left(
    steps: tuple[Step, ...], history: History
) -> None:
    assert play(steps, [*history, (5, SPARED)]) == play(steps, history)


def test_what_is_scheduled_is_not_passed_over_before_its_time() -> None:
    assert play(BOTH, [(9, SPARED)], due_s=10) == play(BOTH, [], due_s=10)


def test_only_the_step_that_is_meant_is_passed_over() -> None:
    assert play(BOTH, [(5, replace(SPARED, step=1))]) == play(BOTH, [])


@pytest.mark.parametrize("no", [never(Fault.BLOCKED), receipt(Outcome.FAILED, fault=Fault.BLOCKED)])
def test_a_user_who_blocked_a_promotional_business_gets_no_sms(no: Event) -> None:
    d, actions = play((but(VIBER, redirect_blocked=False), SMS), [(0, BEGIN), (1, no), (2, BEGIN)])
    assert (d.status, d.due_at, d.timer_at) == (Status.FAILED, None, None)
    assert submits(actions) == [Submit(0, 0)]
    assert money(actions) == money([Release(0, 7), Release(1, 10)])


WAITS = [
    pytest.param(SMS_LEFT, None, 106, Status.SENT, id="the SMS is handed over: no step back"),
    pytest.param([], 0, 60, Status.PENDING, id="accepted: due now, given up after the lifetime"),
    pytest.param([(50, BEGIN)], None, 80, Status.SENDING, id="handed over: its worker has a lease"),
    pytest.param([(50, BEGIN), (51, taken())], None, 125, Status.SENT, id="the lifetime starts at hand-over"),
    pytest.param([(0, BEGIN), (1, answer(UNKNOWN))], None, 75, Status.SENDING, id="answer lost: held"),
    pytest.param([*ON_VIBER, (74.999, TIMER)], None, 75, Status.SENT, id="the grace belongs to the lifetime"),
    pytest.param([*ON_VIBER, (75, TIMER)], 75, 375, Status.SENT, id="the timer makes the SMS due"),
    pytest.param([*ON_VIBER, (20, EXPIRED)], 60, 360, Status.SENT, id="an early expired does not hurry"),
    pytest.param([*ON_VIBER, (70, EXPIRED)], 70, 370, Status.SENT, id="expired within the grace: at once"),
    pytest.param([*ON_VIBER, (20, receipt(Outcome.PROGRESS))], None, 75, Status.SENT, id="only progress"),
    pytest.param([(0, BEGIN), (1, receipt(Outcome.PROGRESS)), (2, answer(UNKNOWN))], None, 75, Status.SENT,
        id="progress tells that it was taken"),
    pytest.param([(60, TIMER)], 60, 360, Status.PENDING, id="no connector up: the next step"),
    pytest.param([(60, BEGIN)], 60, 360, Status.PENDING, id="claimed too late: the next step"),
    pytest.param([(59, TIMER)], 0, 60, Status.PENDING, id="no connector up: waits for the lifetime"),
    pytest.param([(0, BEGIN), (1, answer(LATER))], 2, 60, Status.SENDING, id="later: another try"),
    pytest.param([(0, BEGIN), (1, answer(LATER)), (60, TIMER)], 60, 360, Status.SENDING, id="always later"),
    pytest.param([(59, BEGIN), (61, answer(LATER))], 61, 361, Status.SENDING, id="later after the end"),
    pytest.param([(0, BEGIN), (1, TIMER)], None, 30, Status.SENDING, id="a timer before its time"),
]  # fmt: skip


@pytest.mark.parametrize(("history", "due_s", "timer_s", "status"), WAITS)
def test_a_message_waits_for_what_comes_first(
    history: History, due_s: float | None, timer_s: float | None, status: Status
) -> None:
    d, actions = play(BOTH, history)
    assert (seconds(d.due_at), seconds(d.timer_at), d.status) == (due_s, timer_s, status)
    assert money(actions) == []


def test_a_viber_message_alone_ends_with_its_lifetime() -> None:
    d, actions = play((VIBER,), SMS_DUE)
    assert (d.status, d.timer_at, money(actions)) == (Status.EXPIRED, None, money([Release(0, 7)]))


VIBER_PAID = [Charge(0, 7), Release(1, 10)]
SMS_PAID = [Charge(1, 10), Release(0, 7)]
LATE = [
    pytest.param(BOTH, [*ON_VIBER, (9, delivered())], Status.DELIVERED, VIBER_PAID, False, id="in time"),
    pytest.param(BOTH, [*SMS_DUE, (76, delivered())], Status.DELIVERED, VIBER_PAID, False,
        id="before the SMS left: Viber is paid, the SMS stays"),
    pytest.param(BOTH, [*ON_VIBER, (20, EXPIRED), (30, delivered())], Status.DELIVERED, VIBER_PAID, False,
        id="delivered after an early expired"),
    pytest.param(BOTH, [*SMS_TAKEN, (80, delivered())], Status.DELIVERED, SMS_PAID, True,
        id="after the SMS was taken: the SMS alone is paid"),
    pytest.param(BOTH, [*SMS_LEFT, (77, delivered()), (78, taken(step=1))], Status.DELIVERED, SMS_PAID, True,
        id="while the SMS is handed over, and it is taken"),
    pytest.param(BOTH, [*SMS_LEFT, (77, delivered()), (78, never(Fault.CONTENT, step=1))], Status.DELIVERED,
        VIBER_PAID, True, id="while the SMS is handed over, and it is refused"),
    pytest.param(BOTH, [*SMS_LEFT, (77, delivered()), (78, answer(LATER, step=1)), (80, BEGIN)],
        Status.DELIVERED, VIBER_PAID, True, id="while the SMS is handed over, and it would be tried again"),
    pytest.param(BOTH, [*SMS_LEFT, (77, delivered()), (106, TIMER), (391, TIMER)], Status.DELIVERED,
        VIBER_PAID, True, id="while the SMS is handed over, and nobody knows"),
    pytest.param((VIBER, SMS_ON_DELIVERY), [*SMS_TAKEN, (80, delivered()), (81, delivered(step=1))],
        Status.DELIVERED, SMS_PAID, True, id="both delivered, both paid on delivery: the SMS alone is paid"),
    pytest.param((VIBER, SMS_ON_DELIVERY),
        [*SMS_TAKEN, (80, delivered()), (81, receipt(Outcome.FAILED, step=1))], Status.DELIVERED, VIBER_PAID,
        True, id="the SMS left in vain and is paid on delivery: Viber is paid"),
    pytest.param((VIBER, SMS_ON_DELIVERY), [*SMS_TAKEN, (80, delivered()), (391, TIMER)], Status.DELIVERED,
        VIBER_PAID, True, id="the SMS is never heard of and is paid on delivery: Viber is paid"),
    pytest.param((VIBER, SMS_3_ON_DELIVERY),
        [*SMS_LEFT, (77, delivered(0, 1)), (77, BEGIN), (77, delivered(1, 1)), (77, BEGIN),
            (77, answer(LATER, 2, 1)), (78, SEEN)],
        Status.READ, [Charge(1, 20), Release(1, 10), Release(0, 7)], True,
        id="what the SMS delivered is paid, the part that waits goes back"),
    pytest.param(BOTH, [*SMS_TAKEN, (80, delivered(step=1)), (90, delivered())], Status.DELIVERED, SMS_PAID,
        True, id="after the SMS was delivered"),
    pytest.param(BOTH, [*SMS_TAKEN, (80, delivered(step=1)), (90, SEEN)], Status.READ, SMS_PAID, True,
        id="seen on Viber after the SMS was delivered"),
    pytest.param(BOTH, [*SMS_TAKEN, (80, SEEN), (81, delivered(step=1))], Status.READ, SMS_PAID, True,
        id="seen on Viber before the SMS was delivered"),
    pytest.param((VIBER, but(SMS, parts=2, part_price=5)),
        [*SMS_LEFT, (77, taken(0, 1)), (77, BEGIN), (78, delivered()), (79, delivered(0, 1)),
            (79, receipt(Outcome.FAILED, 1, 1))],
        Status.DELIVERED, SMS_PAID, True, id="before the SMS was delivered in part"),
    pytest.param((VIBER, SMS_RESEND),
        [*SMS_LEFT, (77, delivered()), (78, answer(UNKNOWN, step=1)), (79, delivered(step=1))],
        Status.DELIVERED, SMS_PAID, True, id="while nobody knows of the SMS, and its receipt comes"),
    pytest.param((VIBER,), [*SMS_DUE, (90, delivered())], Status.DELIVERED, [Release(0, 7)], False,
        id="after the message had ended: nothing is taken back"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "history", "status", "paid", "double"), LATE)
def test_a_late_delivered_is_recorded_and_paid_once(
    steps: tuple[Step, ...], history: History, status: Status, paid: list[Action], double: bool
) -> None:
    d, actions = play(steps, history)
    assert (d.status, d.due_at, d.timer_at) == (status, None, None)
    assert money(actions) == money(paid)
    assert actions.count(DoubleDelivery()) == double
    assert advance(d, BEGIN, 10**9) == (d, ())


RANKS = [
    pytest.param([delivered(), EXPIRED], Status.DELIVERED, id="expired after delivered"),
    pytest.param([delivered(), receipt(Outcome.FAILED)], Status.DELIVERED, id="failed after delivered"),
    pytest.param([delivered(), delivered()], Status.DELIVERED, id="once per device: the first counts"),
    pytest.param([delivered(), SEEN], Status.READ, id="seen after delivered"),
    pytest.param([SEEN], Status.READ, id="seen implies delivered"),
    pytest.param([SEEN, delivered()], Status.READ, id="delivered after seen is ignored"),
    pytest.param([SEEN, SEEN, EXPIRED], Status.READ, id="expired after seen is ignored"),
]  # fmt: skip


@pytest.mark.parametrize(("receipts", "status"), RANKS)
def test_receipts_rank_seen_over_delivered_over_expired(receipts: list[Reported], status: Status) -> None:
    d, actions = play((VIBER,), [*ON_VIBER, *((2.0, one) for one in receipts)])
    assert (d.status, money(actions), d.timer_at) == (status, money([Charge(0, 7)]), None)


@pytest.mark.parametrize("late", [SEEN, taken(), never(Fault.RECIPIENT), answer(LATER), answer(UNKNOWN)])
def test_a_receipt_before_the_answer_stands(late: Event) -> None:
    d, actions = play((VIBER,), [(0, BEGIN), (1, delivered()), (2, late)])
    assert d.status in (Status.DELIVERED, Status.READ)
    assert money(actions) == money([Charge(0, 7)])


def test_an_answer_after_its_receipt_leaves_the_provider_id() -> None:
    d, _ = play((VIBER,), [(0, BEGIN), (1, EXPIRED), (2, taken())])
    assert (d.rungs[0].parts[0].provider_id, d.status) == ("id-0-0", Status.EXPIRED)


def test_a_late_answer_of_viber_does_not_touch_the_sms_in_flight() -> None:
    held: History = [(0, BEGIN), (1, answer(UNKNOWN)), (75, TIMER), (76, BEGIN)]
    for late in (taken(), never(Fault.NUMBER), answer(LATER), answer(UNKNOWN), EXPIRED):
        d, actions = play(BOTH, [*held, (77, late)])
        assert (d.at, d.status, d.due_at, seconds(d.timer_at)) == (1, Status.SENDING, None, 106)
        assert money(actions) == []


def test_a_lost_answer_is_held_and_not_sent_again() -> None:
    d, actions = play((SMS,), [(0, BEGIN), (5, answer(UNKNOWN)), (10, BEGIN), (314, TIMER)])
    assert (d.status, d.in_doubt, seconds(d.timer_at)) == (Status.SENDING, True, 315)
    d, done = advance(d, TIMER, 315_000)
    assert (d.status, d.in_doubt, d.timer_at) == (Status.EXPIRED, False, None)
    assert money(done) == money([Release(0, 10)])
    assert submits(actions) == [Submit(0, 0)]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome.DELIVERED, 3), (Outcome.FAILED, 96), (Outcome.EXPIRED, 5), (Outcome.PROGRESS, 2)],
)
def test_a_receipt_ends_the_doubt_and_tells_that_it_was_taken(outcome: Outcome, status: int) -> None:
    d, actions = play((SMS,), [(0, BEGIN), (5, answer(UNKNOWN)), (10, receipt(outcome))])
    nameless = outcome is Outcome.PROGRESS  # by which id the next receipt comes, nobody knows
    assert (d.status, d.in_doubt, money(actions)) == (status, nameless, money([Charge(0, 10)]))


def test_what_is_taken_without_an_id_stays_in_doubt() -> None:
    d, _ = play((SMS,), [(0, BEGIN), (5, answer(Taken("")))])
    assert (d.status, d.in_doubt) == (Status.SENT, True)
    assert not play((SMS,), [(0, BEGIN), (5, answer(Taken("x")))])[0].in_doubt


def test_where_the_connector_says_resend_a_lost_answer_is_sent_again_and_flagged() -> None:
    d, actions = play((SMS_RESEND,), [(0, BEGIN), (5, answer(UNKNOWN))])
    assert (seconds(d.due_at), d.rungs[0].parts[0].repeated) == (6, True)
    d, done = advance(d, BEGIN, 6_000)
    assert (done, d.rungs[0].parts[0].repeated) == ((Submit(0, 0),), True)
    assert money(actions) == []


@pytest.mark.parametrize(
    ("late", "status"),
    [
        pytest.param(taken(), Status.SENT, id="the answer after all"),
        pytest.param(receipt(Outcome.PROGRESS), Status.SENT, id="on its way"),
        pytest.param(delivered(), Status.DELIVERED, id="delivered"),
        pytest.param(receipt(Outcome.FAILED), Status.FAILED, id="failed"),
        pytest.param(EXPIRED, Status.EXPIRED, id="expired"),
    ],
)
def test_what_is_known_to_be_taken_is_not_sent_again(late: Event, status: Status) -> None:
    d, actions = play((SMS_RESEND,), [(0, BEGIN), (5, answer(UNKNOWN)), (5.5, late), (6, BEGIN)])
    assert (d.status, d.due_at, submits(actions)) == (status, None, [Submit(0, 0)])
    assert money(actions) == money([Charge(0, 10)])


def test_a_message_that_viber_may_have_is_not_sent_as_sms_before_its_lifetime() -> None:
    viber = but(VIBER, resend=True)
    tried: History = [(50, BEGIN), (55, answer(UNKNOWN)), (56, BEGIN), (57, answer(LATER))]
    d, _ = play((viber, SMS), [*tried, (60, TIMER)])
    assert (d.at, d.in_doubt, seconds(d.timer_at)) == (0, True, 56 + 75)
    assert advance(d, TIMER, 131_000)[0].at == 1
    d, _ = play((viber, SMS), [(50, BEGIN), (61, answer(UNKNOWN))])
    assert (d.at, d.in_doubt, seconds(d.timer_at)) == (0, True, 50 + 75)


def test_later_is_tried_again_after_a_growing_delay() -> None:
    d = plan_delivery((but(SMS, lifetime_s=86_400),), 0)
    now, pauses = 0, []
    for _ in range(9):
        d, _ = advance(d, BEGIN, now)
        d, _ = advance(d, answer(LATER), now)
        assert d.due_at is not None
        pauses.append((d.due_at - now) // 1000)
        now = d.due_at
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_throttling_is_not_counted_as_a_try() -> None:
    d = plan_delivery((SMS,), 0)
    for now in range(0, 50_000, 1_000):
        d, _ = advance(d, BEGIN, now)
        d, _ = advance(d, answer(THROTTLED), now)
        assert (d.due_at, d.rungs[0].parts[0].tries) == (now + 1_000, 0)


@pytest.mark.parametrize(
    ("after_s", "due_s"),
    [
        pytest.param(0.2, 2, id="never less than our own pause"),
        pytest.param(30, 31, id="as long as the upstream asks for"),
        pytest.param(4000, 300, id="but within the lifetime"),
    ],
)
def test_an_upstream_may_ask_for_a_longer_pause(after_s: float, due_s: float) -> None:
    d, _ = play((SMS,), [(0, BEGIN), (1, answer(Later(after_s, "busy")))])
    assert seconds(d.due_at) == due_s


@pytest.mark.parametrize("step", [SMS, SMS_RESEND], ids=["hold", "resend"])
def test_some_refusals_are_final_when_repeated(step: Step) -> None:
    once = answer(Later(30, "failed", tries=2))
    d, _ = play((step,), [(0, BEGIN), (1, once)])
    assert seconds(d.due_at) == 31
    d, actions = play((step,), [(0, BEGIN), (1, once), (31, BEGIN), (32, once)])
    assert (d.status, money(actions)) == (Status.FAILED, money([Release(0, 10)]))
    assert not submits(play((step,), [(0, BEGIN), (1, once), (31, BEGIN), (32, once), (99, BEGIN)])[1][2:])


@pytest.mark.parametrize("lost", [(5, Orphaned()), (30, TIMER)], ids=["orphaned", "the lease ended"])
@pytest.mark.parametrize(("resend", "state"), [(False, PartState.UNKNOWN), (True, PartState.WAITING)])
def test_what_a_lost_worker_was_handing_over_is_unknown(
    lost: tuple[float, Event], resend: bool, state: PartState
) -> None:
    d, actions = play((but(SMS, resend=resend),), [(0, BEGIN), lost])
    part = d.rungs[0].parts[0]
    assert (part.state, part.repeated, d.due_at is not None) == (state, resend, resend)
    assert (submits(actions), money(actions)) == ([Submit(0, 0)], [])


def test_a_lost_worker_loses_nothing_that_was_answered() -> None:
    d, _ = play((SMS_3,), [*TWO_TAKEN, (2, Orphaned())])
    assert [p.state for p in d.rungs[0].parts] == [PartState.TAKEN, PartState.TAKEN, PartState.UNKNOWN]


def test_an_orphan_that_was_not_begun_stays_due() -> None:
    assert play(BOTH, [(5, Orphaned())]) == play(BOTH, [])


def test_the_answer_of_a_worker_that_was_thought_lost_is_welcome() -> None:
    d, actions = play((SMS,), [(0, BEGIN), (30, TIMER), (40, taken())])
    assert (d.status, d.in_doubt, money(actions)) == (Status.SENT, False, money([Charge(0, 10)]))


def test_an_answer_after_the_end_of_the_message_changes_no_money() -> None:
    d, actions = play((SMS,), [(0, BEGIN), (30, TIMER), (315, TIMER), (316, taken())])
    assert (d.status, money(actions)) == (Status.EXPIRED, money([Release(0, 10)]))


def test_nothing_leaves_before_its_time() -> None:
    d = plan_delivery(BOTH, 100_000)
    assert (d.due_at, d.timer_at) == (100_000, 160_000)
    assert advance(d, BEGIN, 99_999) == (d, ())
    assert advance(d, BEGIN, 100_000)[1] == (Submit(0, 0),)
    d, _ = play(BOTH, [*ON_VIBER, (20, EXPIRED)])
    assert advance(d, BEGIN, 59_999) == (d, ())


def test_a_scheduled_message_can_be_deleted_and_all_its_money_goes_back() -> None:
    d, actions = play(BOTH, [(99, Delete())], due_s=100)
    assert (d.status, d.due_at, d.timer_at) == (Status.DELETED, None, None)
    assert money(actions) == money([Release(0, 7), Release(1, 10)])
    for event in (BEGIN, Orphaned(), Delete(), delivered(), taken()):
        assert advance(d, event, 100_000) == (d, ())


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([], id="its time has come"),
        pytest.param([(0, BEGIN)], id="handed over"),
        pytest.param([(0, BEGIN), (0, answer(Later(30, "busy")))], id="waiting for another try"),
        pytest.param(ON_VIBER, id="taken"),
        pytest.param([*ON_VIBER, (1, EXPIRED)], id="the SMS waits for its time"),
        pytest.param([*ON_VIBER, (1, delivered())], id="delivered"),
    ],
)
def test_a_message_that_has_left_the_schedule_cannot_be_deleted(history: History) -> None:
    d, _ = play(BOTH, history)
    assert advance(d, Delete(), 2_000) == (d, ())


MONEY = [
    pytest.param(BOTH, ON_VIBER, [], id="Viber is not paid when taken"),
    pytest.param(BOTH, [*ON_VIBER, (2, SEEN)], VIBER_PAID, id="Viber is paid when seen"),
    pytest.param(BOTH, SMS_TAKEN, [Charge(1, 10)], id="SMS is paid when taken; Viber may yet deliver"),
    pytest.param(BOTH, [*SMS_TAKEN, (80, delivered(step=1))], SMS_PAID, id="the end releases the rest"),
    pytest.param(BOTH, [*SMS_TAKEN, (391, TIMER)], SMS_PAID, id="an SMS taken in vain stays paid"),
    pytest.param((SMS_ON_DELIVERY,), [(0, BEGIN), (1, taken())], [], id="on delivery: not when taken"),
    pytest.param((SMS_ON_DELIVERY,), [(0, BEGIN), (1, taken()), (2, delivered())], [Charge(0, 10)],
        id="on delivery: then"),
    pytest.param((SMS_ON_DELIVERY,), [(0, BEGIN), (1, taken()), (315, TIMER)], [Release(0, 10)],
        id="on delivery: or never"),
    pytest.param((but(VIBER, part_price=0),), [*ON_VIBER, (2, delivered())], [],
        id="what is free moves no money"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "history", "paid"), MONEY)
def test_each_step_is_charged_or_released_once(
    steps: tuple[Step, ...], history: History, paid: list[Action]
) -> None:
    assert money(play(steps, history)[1]) == money(paid)


def test_without_a_route_a_message_has_ended() -> None:
    d = plan_delivery((), 0)
    assert (d.status, d.due_at, d.timer_at) == (Status.NO_ROUTE, None, None)
    assert (d.connector, d.in_doubt) == ("", False)
    for event in (BEGIN, TIMER, Orphaned(), Delete(), delivered(), taken()):
        assert advance(d, event, 1_000) == (d, ())


@pytest.mark.parametrize(
    "event", [delivered(step=1), taken(step=1), delivered(1), taken(1), delivered(step=2), taken(step=2)]
)
def test_what_was_never_handed_over_cannot_be_answered(event: Event) -> None:
    d, _ = play(BOTH, ON_VIBER)
    assert advance(d, event, 2_000) == (d, ())
