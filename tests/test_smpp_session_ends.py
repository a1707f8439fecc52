import math
from collections.abc import Sequence

import pytest
from one_session import Smsc

from hopwire.smpp.pdu import (
    BindReceiver,
    BindResp,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)
from hopwire.smpp.session import (
    LEAVE_S,
    Answered,
    Bound,
    Closed,
    Delivered,
    Event,
    Invited,
    State,
    Unanswered,
    Unsent,
)


@pytest.fixture
def smsc() -> Smsc:
    return Smsc().bound()


# ---- the end


def test_what_was_written_is_unanswered_and_what_was_not_is_unsent(smsc: Smsc) -> None:
    written = smsc.submit()
    smsc.hears()
    kept = smsc.submit()
    assert smsc.session.receive(b"", 1) == [
        Unanswered(written),
        Unsent(kept),
        Closed("the connection has ended"),
    ]
    assert smsc.hears() == []
    assert smsc.session.next_tick == math.inf
    assert smsc.session.tick(1000) == smsc.says(EnquireLink()) == []


def test_an_unsent_submit_does_not_leave_with_the_goodbye(smsc: Smsc) -> None:
    sequence = smsc.submit()
    assert smsc.says(Unbind(sequence=4)) == [Unsent(sequence), Closed("the peer has said goodbye")]
    assert smsc.hears() == [UnbindResp(sequence=4)]


def test_our_goodbye_follows_what_was_submitted_and_ends_with_its_answer(smsc: Smsc) -> None:
    sequence = smsc.submit()
    smsc.session.unbind(smsc.now)
    assert [type(pdu) for pdu in smsc.hears()] == [SubmitSm]
    assert smsc.session.room == 0
    assert smsc.session.state is State.DRAINING
    answer = SubmitSmResp(sequence=sequence)
    assert smsc.says(answer) == [Answered(sequence, answer)]
    assert smsc.hears() == [Unbind(sequence=3)]
    assert smsc.says(UnbindResp(sequence=3)) == [Closed("unbound")]


def test_our_goodbye_follows_what_was_given_up(smsc: Smsc) -> None:
    sequence = smsc.sent()
    smsc.now = 4
    smsc.session.unbind(smsc.now)
    assert smsc.waits(10) == [Unanswered(sequence)]
    assert smsc.hears() == [Unbind(sequence=3)]
    assert smsc.waits(20) == [Closed("the peer does not answer")]


def test_while_answers_are_waited_for_the_peer_is_served(smsc: Smsc) -> None:
    smsc.sent()
    smsc.session.unbind(smsc.now)
    assert smsc.says(EnquireLink(sequence=7), DeliverSm(sequence=8)) == [Delivered(DeliverSm(sequence=8))]
    smsc.session.deliver_resp(8, 0)
    assert smsc.hears() == [EnquireLinkResp(sequence=7), DeliverSmResp(sequence=8)]


def test_a_peer_that_dies_while_its_answers_are_waited_for_is_left() -> None:
    smsc = Smsc()
    smsc.session.response_timeout_s = 100
    smsc.bound()
    sequence = smsc.sent()
    smsc.session.unbind(smsc.now)
    assert smsc.waits(30) == []
    assert smsc.hears() == [EnquireLink(sequence=3)]
    smsc.session.response_timeout_s = 10
    assert smsc.waits(40) == [Unanswered(sequence), Closed("the peer does not answer")]


def test_a_nack_is_an_answer_to_our_goodbye(smsc: Smsc) -> None:
    smsc.session.unbind(smsc.now)
    assert smsc.hears() == [Unbind(sequence=2)]
    assert smsc.says(GenericNack(sequence=1, status=3)) == []
    assert smsc.says(GenericNack(sequence=2, status=3)) == [Closed("unbound")]


def test_the_peers_goodbye_waits_for_the_answers_under_way(smsc: Smsc) -> None:
    first, second = smsc.sent(), smsc.sent()
    assert smsc.says(Unbind(sequence=9)) == []
    assert (smsc.session.room, smsc.hears()) == (0, [])
    answers = SubmitSmResp(sequence=first), SubmitSmResp(sequence=second)
    assert smsc.says(answers[0], DeliverSm(sequence=10)) == [
        Answered(first, answers[0]),
        Delivered(DeliverSm(sequence=10)),
    ]
    assert smsc.says(answers[1]) == [Answered(second, answers[1])]
    assert smsc.hears() == []
    smsc.session.deliver_resp(10, 0)
    assert smsc.session.next_tick <= smsc.now
    assert smsc.waits(smsc.now) == [Closed("the peer has said goodbye")]
    assert smsc.hears() == [DeliverSmResp(sequence=10), UnbindResp(sequence=9)]


def test_the_peers_goodbye_does_not_wait_for_long(smsc: Smsc) -> None:
    smsc.now = 1
    sent, kept = smsc.sent(), smsc.submit()
    assert smsc.says(Unbind(sequence=9)) == [Unsent(kept)]
    assert smsc.session.next_tick == 1 + LEAVE_S
    smsc.now = 4
    assert smsc.says(Unbind(sequence=10)) == []
    assert smsc.waits(1 + LEAVE_S) == [Unanswered(sent), Closed("the peer has said goodbye")]
    assert smsc.hears() == [UnbindResp(sequence=10)]


def test_a_peer_that_says_goodbye_to_our_goodbye_is_answered(smsc: Smsc) -> None:
    smsc.session.unbind(smsc.now)
    assert smsc.says(Unbind(sequence=9), UnbindResp(sequence=2)) == [Closed("the peer has said goodbye")]
    assert smsc.hears() == [Unbind(sequence=2), UnbindResp(sequence=9)]


def test_a_session_ends_once(smsc: Smsc) -> None:
    broken = encode(Unbind(sequence=9)) + b"\0\0\0\1" + bytes(12)
    assert smsc.session.receive(broken, 1) == [Closed("the peer has said goodbye")]
    assert smsc.hears() == [UnbindResp(sequence=9)]


def test_a_goodbye_without_an_answer_ends_in_time(smsc: Smsc) -> None:
    smsc.session.unbind(5)
    assert smsc.waits(15) == [Closed("the peer does not answer")]


def test_nothing_is_said_after_the_end(smsc: Smsc) -> None:
    smsc.session.receive(b"", 1)
    smsc.session.deliver_resp(7, 0)
    smsc.session.unbind(1)
    assert smsc.hears() == []


# ---- outbind

OUTBIND = Outbind(sequence=1, system_id="SMSC", password="geheim")
GUEST = BindReceiver(system_id="me", password="secret")


@pytest.fixture
def caller() -> Smsc:
    """An SMSC that has opened the connection itself."""
    return Smsc(GUEST, outbind=True)


def test_an_invitation_is_accepted_with_a_bind(caller: Smsc) -> None:
    assert caller.hears() == []
    caller.now = 9
    assert caller.says(OUTBIND) == [Invited("SMSC", "geheim")]
    assert caller.hears() == []
    caller.now = 11
    caller.session.accept(caller.now)
    assert caller.hears() == [BindReceiver(sequence=1, system_id="me", password="secret")]
    assert caller.session.next_tick == 21
    assert caller.says(BindResp(sequence=1, command=BindReceiver)) == [Bound("", None)]


def test_an_invitation_is_refused_without_a_word(caller: Smsc) -> None:
    caller.says(OUTBIND)
    assert caller.session.refuse(1) == [Closed("the outbind was refused")]
    assert caller.session.refuse(1) == []
    caller.session.accept(1)
    assert (caller.hears(), caller.session.state) == ([], State.CLOSED)


def test_what_is_bound_cannot_be_refused(smsc: Smsc) -> None:
    assert smsc.session.refuse(1) == []
    smsc.session.accept(1)
    assert (smsc.hears(), smsc.session.state) == ([], State.BOUND)


def test_a_caller_that_does_not_say_who_it_is_is_left(caller: Smsc) -> None:
    assert caller.says(DeliverSm(sequence=4), BindResp(sequence=1)) == []
    assert caller.hears() == [DeliverSmResp(sequence=4, status=0x04)]
    assert caller.waits(10) == [Closed("no outbind came")]


def test_an_invitation_nobody_decides_on_ends(caller: Smsc) -> None:
    caller.now = 5
    caller.says(OUTBIND)
    assert caller.says(OUTBIND) == []
    assert caller.session.next_tick == 15
    assert caller.waits(15) == [Closed("the outbind was neither accepted nor refused")]


def test_an_outbind_to_who_has_called_is_not_answered(smsc: Smsc) -> None:
    assert smsc.says(OUTBIND) == []
    assert smsc.hears() == []


def test_an_invitation_does_not_print_its_password() -> None:
    assert "geheim" not in repr(Invited("SMSC", "geheim"))


# ---- inactive


def test_a_session_nobody_uses_says_goodbye_though_the_peer_lives() -> None:
    smsc = Smsc(inactivity_s=60).bound()
    assert smsc.waits(30) == []
    assert smsc.hears() == [EnquireLink(sequence=2)]
    smsc.says(EnquireLinkResp(sequence=2))
    assert smsc.waits(59) == []
    assert smsc.session.room == 3
    assert smsc.waits(60) == []
    assert smsc.hears() == [Unbind(sequence=3)]
    assert smsc.says(UnbindResp(sequence=3)) == [Closed("inactive")]


@pytest.mark.parametrize("sign", ["a submit", "an answer", "a deliver_sm", "a data_sm"])
def test_what_passes_keeps_a_session(sign: str) -> None:
    smsc = Smsc(inactivity_s=20).bound()
    smsc.now = 9
    sequence = smsc.sent()
    smsc.now = 15
    match sign:
        case "a submit":
            smsc.sent()
        case "an answer":
            smsc.says(SubmitSmResp(sequence=sequence))
        case "a deliver_sm":
            smsc.says(DeliverSm(sequence=1))
        case "a data_sm":
            smsc.says(DataSm(sequence=1))
    smsc.waits(34.9)
    assert smsc.session.room
    smsc.waits(35)
    assert not smsc.session.room


def test_inactivity_begins_with_the_bind_and_stands_still_while_we_do_not_read() -> None:
    smsc = Smsc(inactivity_s=20)
    smsc.now = 5
    smsc.bound()
    assert smsc.session.next_tick == 25
    smsc.session.pause_hearing()
    smsc.session.resume_hearing(9)
    assert smsc.session.next_tick == 29


def test_an_inactive_session_still_waits_for_its_answers() -> None:
    smsc = Smsc(inactivity_s=4).bound()
    sequence = smsc.sent()
    assert smsc.waits(4) == []
    assert (smsc.session.state, smsc.hears()) == (State.DRAINING, [])
    answer = SubmitSmResp(sequence=sequence)
    assert smsc.says(answer) == [Answered(sequence, answer)]
    assert smsc.hears() == [Unbind(sequence=3)]


# ---- deaf


def test_who_does_not_read_blames_nobody_for_silence(smsc: Smsc) -> None:
    sequence = smsc.sent()
    smsc.session.pause_hearing()
    assert smsc.session.next_tick == math.inf
    assert smsc.session.tick(1000) == []
    assert smsc.hears() == []
    smsc.now = 1000
    smsc.session.resume_hearing(smsc.now)
    assert smsc.session.next_tick == 1010
    answer = SubmitSmResp(sequence=sequence)
    assert smsc.says(answer) == [Answered(sequence, answer)]
    assert smsc.session.next_tick == 1030


def test_an_enquire_link_has_its_whole_time_when_we_read_again(smsc: Smsc) -> None:
    smsc.waits(30)
    smsc.session.pause_hearing()
    smsc.session.resume_hearing(50)
    assert smsc.session.next_tick == 60
    smsc.session.resume_hearing(59)
    assert smsc.waits(60) == [Closed("the peer does not answer")]


def test_a_submit_runs_out_of_time_however_often_reading_stops(smsc: Smsc) -> None:
    sequence = smsc.sent()
    events: Sequence[Event] = ()
    while not events and smsc.now < 100:
        smsc.now += 3
        smsc.says(EnquireLink())
        smsc.session.pause_hearing()
        smsc.now += 1
        smsc.session.resume_hearing(smsc.now)
        events = smsc.session.tick(smsc.now)
    assert (events, smsc.now) == ([Unanswered(sequence)], 16)


def test_what_is_submitted_while_we_do_not_read_has_its_time_afterwards(smsc: Smsc) -> None:
    first = smsc.sent()
    smsc.session.pause_hearing()
    smsc.now = 5
    second = smsc.sent()
    smsc.session.resume_hearing(8)
    assert smsc.waits(18) == [Unanswered(first), Unanswered(second)]


def test_what_was_read_already_when_reading_stopped_ends_no_pause(smsc: Smsc) -> None:
    smsc.sent()
    smsc.session.pause_hearing()
    smsc.now = 60
    smsc.says(EnquireLink())
    smsc.session.pause_hearing()
    smsc.session.resume_hearing(80)
    assert smsc.session.next_tick == 90


def test_the_end_is_noticed_by_who_does_not_read(smsc: Smsc) -> None:
    sequence = smsc.sent()
    smsc.session.pause_hearing()
    assert smsc.session.receive(b"", 1) == [Unanswered(sequence), Closed("the connection has ended")]
