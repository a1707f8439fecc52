import pytest

from hopwire.model import Answer, Fault, Later, Never
from hopwire.smpp import status


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param(0x58, Later(1, "ESME_RTHROTTLED", throttled=True), id="throttled: not a try"),
        pytest.param(0x14, Later(5, "ESME_RMSGQFUL", throttled=True), id="queue full: not a try"),
        pytest.param(0x08, Later(30, "ESME_RSYSERR"), id="system error"),
        pytest.param(0x64, Later(30, "ESME_RX_T_APPN"), id="temporary at the receiver"),
        pytest.param(0x04, Later(1, "ESME_RINVBNDSTS"), id="the session, not the message"),
        pytest.param(0x0B, Never("ESME_RINVDSTADR", Fault.NUMBER), id="bad number"),
        pytest.param(0x33, Never("ESME_RINVNUMDESTS", Fault.RECIPIENT), id="recipient"),
        pytest.param(0x0A, Never("ESME_RINVSRCADR", Fault.SENDER), id="sender name not registered"),
        pytest.param(0x01, Never("ESME_RINVMSGLEN", Fault.CONTENT), id="content"),
        pytest.param(0x0E, Never("ESME_RINVPASWD", Fault.CONFIGURATION), id="our password"),
        pytest.param(0x02, Never("ESME_RINVCMDLEN", Fault.CONFIGURATION), id="this message, not the session"),
        pytest.param(
            0x401, Never("0x00000401", Fault.CONFIGURATION), id="a vendor's own: the operator looks"
        ),
        pytest.param(0xFFFFFFFF, Never("0xFFFFFFFF", Fault.CONFIGURATION), id="any other number"),
    ],
)
def test_a_status_says_whether_and_when_to_try_again(code: int, said: Answer) -> None:
    assert status.answer(code) == said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param(0x03, Never("ESME_RINVCMDID", Fault.CONFIGURATION), id="does not know the command"),
        pytest.param(0x02, Never("ESME_RINVCMDLEN", Fault.CONFIGURATION), id="cannot read it"),
        pytest.param(0x58, Later(1, "ESME_RTHROTTLED", throttled=True), id="throttled"),
        pytest.param(0x0B, Later(30, "ESME_RSYSERR"), id="a code that a nack cannot mean"),
        pytest.param(0x00, Later(30, "ESME_RSYSERR"), id="no code at all"),
    ],
)
def test_a_generic_nack_is_final_only_when_it_could_not_be_read(code: int, said: Answer) -> None:
    assert status.nacked(code) == said


def test_only_throttling_does_not_count_as_a_try() -> None:
    said = {code: status.answer(code) for code in status.TABLE}
    assert {code for code, answer in said.items() if isinstance(answer, Later) and answer.throttled} == (
        status.THROTTLED
    )


def test_every_name_is_there_once() -> None:
    names = [name for name, _ in status.TABLE.values()]
    assert len(names) == len(set(names))
    assert status.name(0) == "ESME_ROK"
