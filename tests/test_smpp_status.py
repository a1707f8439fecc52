import pytest

from hopwire.model import Answer, Fault, Later, Never
from hopwire.smpp import status
from hopwire.smpp.status import Class, Statuses

STANDARD = Statuses()


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
        pytest.param(
            0x02, Later(5, "ESME_RINVCMDLEN", tries=2), id="out of step, or this message: once more"
        ),
        pytest.param(0x45, Later(30, "ESME_RSUBMITFAIL", tries=2), id="failed: once more"),
        pytest.param(
            0x401, Never("0x00000401", Fault.CONFIGURATION), id="a vendor's own: the operator looks"
        ),
        pytest.param(0xFFFFFFFF, Never("0xFFFFFFFF", Fault.CONFIGURATION), id="any other number"),
    ],
)
def test_a_status_says_whether_and_when_to_try_again(code: int, said: Answer) -> None:
    assert STANDARD.answer(code) == said


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
    assert STANDARD.nacked(code) == said


def test_every_class_of_the_table_is_temporary_or_a_fault() -> None:
    temporary = {Class.TEMPORARY, Class.THROTTLED, Class.SESSION}
    for code, meaning in status.TABLE.items():
        said = STANDARD.answer(code)
        assert isinstance(said, Later) == (meaning.kind in temporary)
        assert not isinstance(said, Later) or said.throttled == (meaning.kind is Class.THROTTLED)


def test_every_name_is_there_once() -> None:
    names = [meaning.name for meaning in status.TABLE.values()]
    assert len(names) == len(set(names))
    assert status.name(0) == "ESME_ROK"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param(0x400, Never("0x00000400", Fault.SENDER), id="one code"),
        pytest.param(0x401, Later(30, "0x00000401"), id="the first of a range"),
        pytest.param(0x40F, Later(30, "0x0000040F"), id="the last of a range"),
        pytest.param(1040, Later(1, "0x00000410", throttled=True), id="a decimal one"),
        pytest.param(0x411, Never("0x00000411", Fault.CONFIGURATION), id="one that is not named"),
        pytest.param(0x0B, Never("ESME_RINVDSTADR", Fault.RECIPIENT), id="over the table"),
        pytest.param(0x14, Later(5, "ESME_RMSGQFUL", throttled=True), id="the table for the rest"),
    ],
)
def test_an_operator_says_what_an_smscs_own_codes_mean(code: int, said: Answer) -> None:
    own = {"0x400": "sender", "0x401-0x40F": "temporary", "1040": "throttled", "11": "recipient"}
    assert Statuses(own).answer(code) == said


@pytest.mark.parametrize("own", [{"0x40F-0x401": "sender"}, {"1": "blocked"}, {"one": "sender"}])
def test_what_is_no_code_or_class_is_refused(own: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"wrong way|not a valid|invalid literal"):
        Statuses(own)
