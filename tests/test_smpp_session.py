import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_session import BIND, Smsc

from hopwire.smpp.pdu import (
    MAX_SEQUENCE,
    BindReceiver,
    BindResp,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Other,
    Outbind,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    encode,
)
from hopwire.smpp.session import (
    LATE_S,
    Answered,
    AnsweredLate,
    BindFailed,
    Bound,
    Closed,
    Delivered,
    Forgotten,
    State,
    Unanswered,
    Unsent,
)


@pytest.fixture
def stranger() -> Smsc:
    return Smsc()


@pytest.fixture
def smsc(stranger: Smsc) -> Smsc:
    return stranger.bound()


# ---- bind


def test_the_bind_goes_first_and_its_answer_opens_the_window(stranger: Smsc) -> None:
    assert stranger.hears() == [
        BindTransceiver(sequence=1, system_id="me", password="secret", system_type="VMA")
    ]
    assert stranger.session.room == 0
    assert stranger.says(BindResp(sequence=1, system_id="SMSC", sc_interface_version=0x34)) == [
        Bound("SMSC", 0x34)
    ]
    assert stranger.session.room == 3


@pytest.mark.parametrize("refusal", [BindResp(sequence=1, status=0x0E), GenericNack(sequence=1, status=0x0E)])
def test_a_refused_bind_says_why_and_closes(stranger: Smsc, refusal: Pdu) -> None:
    assert stranger.says(refusal) == [BindFailed(0x0E), Closed("the bind was refused")]
    assert stranger.session.room == 0


def test_a_bind_without_an_answer_is_given_up(stranger: Smsc) -> None:
    assert stranger.session.next_tick == 10
    assert stranger.waits(9.9) == []
    assert stranger.waits(10) == [Closed("the peer does not answer")]


def test_nothing_is_taken_from_a_peer_before_the_bind(stranger: Smsc) -> None:
    stranger.hears()
    assert stranger.says(DeliverSm(sequence=5)) == []
    assert stranger.hears() == [DeliverSmResp(sequence=5, status=0x04)]


def test_a_second_answer_to_the_bind_changes_nothing(smsc: Smsc) -> None:
    assert smsc.says(BindResp(sequence=1, status=0x0E)) == []
    assert smsc.session.room == 3


def test_a_receiver_submits_nothing() -> None:
    smsc = Smsc(BindReceiver(system_id="me", password="secret"))
    smsc.says(BindResp(sequence=1, command=BindReceiver))
    assert (smsc.session.state, smsc.session.transmits, smsc.session.room) == (State.BOUND, False, 0)
    with pytest.raises(AssertionError):
        smsc.submit()
    assert smsc.says(DeliverSm(sequence=1)) == [Delivered(DeliverSm(sequence=1))]


def test_a_transmitter_takes_what_it_gets_all_the_same() -> None:
    smsc = Smsc(BindTransmitter(system_id="me", password="secret"))
    smsc.says(BindResp(sequence=1, command=BindTransmitter))
    assert (smsc.session.transmits, smsc.session.room) == (True, 3)
    assert smsc.says(DeliverSm(sequence=1)) == [Delivered(DeliverSm(sequence=1))]


# ---- submits


def test_answers_find_their_submits_in_any_order(smsc: Smsc) -> None:
    first, second = smsc.submit(), smsc.submit()
    assert [pdu.sequence for pdu in smsc.hears()] == [first, second]
    no, yes = SubmitSmResp(sequence=second, status=0x0B), SubmitSmResp(sequence=first, message_id="a1")
    assert smsc.says(no, yes) == [Answered(second, no), Answered(first, yes)]


def test_the_window_closes_and_opens(smsc: Smsc) -> None:
    first = smsc.sent()
    smsc.submit()
    smsc.submit()
    assert (smsc.session.room, smsc.session.pending) == (0, 3)
    smsc.says(SubmitSmResp(sequence=first))
    assert (smsc.session.room, smsc.session.pending) == (1, 2)


def test_a_nack_answers_the_submit_that_it_names(smsc: Smsc) -> None:
    nack = GenericNack(sequence=smsc.sent(), status=3)
    assert smsc.says(nack) == [Answered(nack.sequence, nack)]


def test_an_answer_that_belongs_to_nothing_is_dropped(smsc: Smsc) -> None:
    answers = [SubmitSmResp(sequence=99), GenericNack(sequence=99, status=2), DeliverSmResp(), DataSmResp()]
    assert smsc.says(*answers) == []


def test_an_answer_to_what_has_not_left_is_none(smsc: Smsc) -> None:
    answer = SubmitSmResp(sequence=smsc.submit(), message_id="a1")
    assert smsc.says(answer) == []
    assert [pdu.sequence for pdu in smsc.hears()] == [answer.sequence]
    assert smsc.says(answer) == [Answered(answer.sequence, answer)]


def test_an_answer_brings_its_tlvs(smsc: Smsc) -> None:
    answer = SubmitSmResp(sequence=smsc.sent(), message_id="a1", tlvs={0x0428: b"\x50"})
    assert smsc.says(answer) == [Answered(answer.sequence, answer)]


def test_a_peer_that_could_not_read_us_is_left(smsc: Smsc) -> None:
    sequence = smsc.sent()
    assert smsc.says(GenericNack(sequence=0, status=2), SubmitSmResp(sequence=sequence)) == [
        Unanswered(sequence),
        Closed("the peer could not read us"),
    ]


def test_a_repeated_answer_is_dropped(smsc: Smsc) -> None:
    answer = SubmitSmResp(sequence=smsc.sent(), message_id="a1")
    assert smsc.says(answer, answer) == [Answered(answer.sequence, answer)]


def test_an_answer_that_is_missing_is_given_up_and_its_place_is_free(smsc: Smsc) -> None:
    smsc.now = 5
    sequence = smsc.sent()
    assert smsc.session.next_tick == 15
    assert smsc.waits(15) == [Unanswered(sequence)]
    assert smsc.session.room == 3


def test_a_late_answer_is_still_told(smsc: Smsc) -> None:
    answer = SubmitSmResp(sequence=smsc.sent(), message_id="late")
    assert smsc.waits(10) == [Unanswered(answer.sequence)]
    smsc.now = 20
    assert smsc.says(answer) == [AnsweredLate(answer.sequence, answer)]
    assert smsc.says(answer) == []


def test_a_submit_is_forgotten_after_ten_minutes(smsc: Smsc) -> None:
    sequence = smsc.sent()
    smsc.waits(10)
    for _ in range(1 + int(LATE_S / 20)):
        smsc.says(EnquireLinkResp())
        smsc.now += 20
    assert Forgotten(sequence) in smsc.session.tick(smsc.now)
    assert smsc.says(SubmitSmResp(sequence=sequence)) == []


def test_what_could_not_leave_in_time_does_not_leave(smsc: Smsc) -> None:
    sequence = smsc.submit()
    assert smsc.waits(10) == [Unsent(sequence)]
    assert smsc.hears() == []
    assert smsc.says(SubmitSmResp(sequence=sequence)) == []


def test_a_refused_submit_sends_nothing_and_uses_no_place(smsc: Smsc) -> None:
    with pytest.raises(ValueError, match="latin"):
        smsc.session.submit(SubmitSm(source_addr="Ж"), smsc.now)
    assert (smsc.hears(), smsc.session.room) == ([], 3)


def test_sequence_numbers_begin_again_after_the_last(smsc: Smsc) -> None:
    smsc.session._sequence = MAX_SEQUENCE - 1
    assert [smsc.submit(), smsc.submit()] == [MAX_SEQUENCE, 1]


def test_sequence_numbers_that_may_still_be_answered_are_passed_over(smsc: Smsc) -> None:
    late = smsc.sent()
    smsc.waits(10)
    pending = smsc.sent()
    smsc.session._sequence = MAX_SEQUENCE
    assert (late, pending) == (2, 3)
    assert [smsc.submit(), smsc.submit()] == [1, 4]


# ---- alive


def test_a_silent_peer_is_asked_and_its_answer_is_enough(smsc: Smsc) -> None:
    assert smsc.session.next_tick == 30
    assert smsc.waits(30) == []
    assert smsc.hears() == [EnquireLink(sequence=2)]
    smsc.now = 35
    assert smsc.says(EnquireLinkResp(sequence=2)) == []
    assert smsc.session.next_tick == 65


def test_a_peer_that_talks_is_not_asked(smsc: Smsc) -> None:
    smsc.now = 29
    smsc.says(EnquireLink(sequence=1))
    smsc.hears()
    smsc.waits(58)
    assert smsc.hears() == []


def test_a_dead_peer_is_left(smsc: Smsc) -> None:
    smsc.waits(30)
    sequence = smsc.submit()
    smsc.hears()
    assert smsc.waits(40) == [Unanswered(sequence), Closed("the peer does not answer")]


def test_a_nack_is_a_sign_of_life(smsc: Smsc) -> None:
    smsc.waits(30)
    smsc.now = 35
    assert smsc.says(GenericNack(sequence=2, status=3)) == []
    assert smsc.session.next_tick == 65


def test_a_peer_that_asks_is_answered(smsc: Smsc) -> None:
    assert smsc.says(EnquireLink(sequence=77)) == []
    assert smsc.hears() == [EnquireLinkResp(sequence=77)]


# ---- what peers send


def test_a_deliver_sm_is_answered_when_we_say_so(smsc: Smsc) -> None:
    assert smsc.says(DeliverSm(sequence=8), DeliverSm(sequence=9)) == [
        Delivered(DeliverSm(sequence=8)),
        Delivered(DeliverSm(sequence=9)),
    ]
    assert smsc.hears() == []
    smsc.session.deliver_resp(8, 0)
    smsc.session.deliver_resp(9, 0x64)
    assert smsc.hears() == [DeliverSmResp(sequence=8), DeliverSmResp(sequence=9, status=0x64)]


def test_a_data_sm_comes_as_a_deliver_sm_and_is_answered_as_what_it_was(smsc: Smsc) -> None:
    tlvs = {0x0424: b"id:5 stat:DELIVRD", 0x001E: b"5\0"}
    data = DataSm(sequence=8, source_addr="380501234567", esm_class=4, data_coding=3, tlvs=tlvs)
    assert smsc.says(data) == [
        Delivered(DeliverSm(sequence=8, source_addr="380501234567", esm_class=4, data_coding=3, tlvs=tlvs))
    ]
    smsc.session.deliver_resp(8, 0x64)
    smsc.session.deliver_resp(8, 0)
    assert smsc.hears() == [DataSmResp(sequence=8, status=0x64), DeliverSmResp(sequence=8)]


def test_a_data_sm_before_the_bind_is_refused_as_what_it_is(stranger: Smsc) -> None:
    stranger.hears()
    assert stranger.says(DataSm(sequence=5)) == []
    assert stranger.hears() == [DataSmResp(sequence=5, status=0x04)]


@pytest.mark.parametrize(
    ("pdu", "answer"),
    [
        pytest.param(
            Other(command_id=0x110, sequence=5), [GenericNack(sequence=5, status=3)], id="unknown request"
        ),
        pytest.param(Other(command_id=0x80000110, sequence=5), [], id="unknown response"),
        pytest.param(Other(command_id=0x102, sequence=5), [], id="alert_notification"),
        pytest.param(Outbind(sequence=5, system_id="SMSC"), [], id="outbind"),
        pytest.param(Other(command_id=0x0B, sequence=5), [], id="unreadable outbind"),
        pytest.param(SubmitSm(sequence=5), [GenericNack(sequence=5, status=3)], id="submit_sm to us"),
        pytest.param(BIND, [GenericNack(status=3)], id="bind to us"),
        pytest.param(
            Other(command_id=0x05, sequence=5, body=b"\xff"),
            [GenericNack(sequence=5, status=2)],
            id="unreadable",
        ),
        pytest.param(Other(command_id=0x80000005, sequence=5, body=b"\xff"), [], id="unreadable answer"),
    ],
)
def test_what_cannot_be_served_is_nacked_and_the_session_lives(
    smsc: Smsc, pdu: Pdu, answer: list[Pdu]
) -> None:
    assert smsc.says(pdu) == []
    assert smsc.hears() == answer
    assert smsc.session.room == 3


def test_a_length_that_no_pdu_has_ends_the_session_after_what_came_before(smsc: Smsc) -> None:
    answer = SubmitSmResp(sequence=smsc.submit())
    smsc.hears()
    bad = b"\0\0\0\1" + encode(Unbind(sequence=6))[4:]
    assert smsc.session.receive(encode(answer) + bad, 1) == [
        Answered(answer.sequence, answer),
        Closed("the peer sent a length that no PDU has"),
    ]
    assert smsc.hears() == [GenericNack(sequence=6, status=2)]


known = st.sampled_from([0, 1, 2, 4, 5, 6, 9, 0x0B, 0x15, 0x102, 0x103])
frame = st.builds(
    lambda command, response, status, sequence, body: encode(
        Other(command_id=command | response, status=status, sequence=sequence, body=body)
    ),
    known,
    st.sampled_from([0, 0x80000000]),
    st.sampled_from([0, 0x0E, 0x58]),
    st.integers(0, 5),
    st.binary(max_size=60),
)


@given(st.lists(st.binary(min_size=1, max_size=60) | frame, max_size=10))
def test_the_session_survives_any_bytes(chunks: list[bytes]) -> None:
    smsc = Smsc()
    smsc.says(BindResp(sequence=1))
    submitted = [smsc.submit() for _ in range(3)]
    smsc.hears()
    events = [event for chunk in chunks for event in smsc.session.receive(chunk, 1)]
    smsc.hears()
    events += smsc.session.tick(20) + smsc.session.receive(b"", 21)
    ended = [e.sequence for e in events if isinstance(e, Answered | Unanswered | Unsent)]
    assert sorted(ended) == submitted
    assert sum(isinstance(event, Closed) for event in events) == 1
