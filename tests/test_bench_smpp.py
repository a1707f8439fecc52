"""SMPP sessions of ours and of others are measured side by side."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from test_bench import started

import hopwire
from bench import smpp, smpp_row
from bench.figures import BenchError


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = started(
        *("bench.smpp", "--messages", "40", "--windows", "4", "--answer-ms", "0", "5"),
        folder=tmp_path_factory.mktemp("smpp"),
    )
    out, err = run.communicate()
    assert run.returncode == 0, err
    assert f"hopwire {hopwire.__version__}" in err
    said: dict[str, Any] = json.loads(out)
    return said


def test_sessions_are_measured_side_by_side(sessions: dict[str, Any]) -> None:
    libraries = {"hopwire", *(smpp.PEERS if smpp.PEERS_PYTHON.exists() else ())}
    assert set(sessions) == {"bench", "machine", "libraries", "rows"}
    assert set(sessions["machine"]) == {"cpu", "cores", "system", "python"}
    assert set(sessions["libraries"]) == libraries
    rows = {(row["library"], row["window"], row["answer_ms"], row["receipts"]) for row in sessions["rows"]}
    assert rows == set(product(libraries, [4], [0, 5], [False, True]))


def test_a_row_tells_its_figures(sessions: dict[str, Any]) -> None:
    for row in sessions["rows"]:
        assert row["messages"] == 40
        assert row["rate"] > 0
        assert row["cpu_us"] > 0


def test_without_the_peers_we_are_measured_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert smpp.peers(tmp_path / "python", must=False) == {}
    assert "scripts/peers" in capsys.readouterr().err
    with pytest.raises(BenchError, match="scripts/peers"):
        smpp.peers(tmp_path / "python", must=True)


@pytest.mark.parametrize(
    ("window", "answer_ms", "messages"),
    [
        pytest.param(1, 0, 20_000, id="nothing to wait for"),
        pytest.param(1, 40, 75, id="25 a second, for three seconds"),
        pytest.param(1000, 40, 20_000, id="the window lets them all go"),
    ],
)
def test_a_slow_row_sends_less(window: int, answer_ms: int, messages: int) -> None:
    assert smpp.how_many(20_000, window, answer_ms) == messages


def test_the_text_of_the_sessions_has_62_characters() -> None:
    assert len(smpp_row.TEXT) == 62
