"""`hopwire sms parts`: what it prints, and how it ends."""

import json
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import typer

from hopwire import wap
from hopwire.cli.console import CommandError, Ending
from hopwire.cli.sms import commands

SETTINGS = """
    [connectors.operator]
    kind = "smpp"
    host = "smsc.example.net"
    system_id = "u"
    password = "p"
    transliterate = true
    long_message = "udh16"

    [connectors.viber]
    kind = "viber"
    service_ids = { "*" = 3100 }
    callback_secret = "aaaaaaaaaaaaaaaa"
"""


class Parts:
    """Runs the command in a directory with settings."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._app = typer.Typer()
        self._app.add_typer(commands, name="sms")

    def __call__(self, *words: str) -> str:
        """What it prints; what it says against it is raised."""
        self._app(["sms", "parts", *words], standalone_mode=False)
        return self._capsys.readouterr().out

    def refuses(self, *words: str) -> tuple[Ending, str]:
        with pytest.raises(CommandError) as refusal:
            self(*words)
        return refusal.value.ending, str(refusal.value)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Parts:
    (tmp_path / "settings.toml").write_text(SETTINGS, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOPWIRE_CONFIG", "settings.toml")
    return Parts(capsys)


def test_a_short_text_is_one_part(parts: Parts) -> None:
    assert parts("Hello €") == (
        "encoding: GSM 7-bit\nparts: 1\nunits: 8; a part has 160, the last has 152 left\npart 1: Hello €\n"
    )


def test_what_forces_ucs2_is_named(parts: Parts) -> None:
    assert parts("`" + "a" * 70 + "😀") == (
        "encoding: UCS-2\n"
        "parts: 2\n"
        "units: 73; a part has 67, the last has 61 left\n"
        "forced UCS-2: ` (U+0060 GRAVE ACCENT), 😀 (U+1F600 GRINNING FACE)\n"
        f"part 1: `{'a' * 66}\n"
        "part 2: aaaa😀\n"
    )


def test_json_is_one_object(parts: Parts) -> None:
    assert json.loads(parts("a\x07", "--json")) == {
        "encoding": "UCS-2",
        "units": 2,
        "whole": 70,
        "part": 67,
        "left": 68,
        "parts": 1,
        "forced": [{"character": "\x07", "code": "U+0007", "name": "(no name)"}],
        "text": "a\x07",
        "texts": ["a\x07"],
    }


def test_a_flash_message_is_cut_as_a_text(parts: Parts) -> None:
    assert parts("a" * 200, "--flash") == parts("a" * 200)


def test_a_push_is_in_hex(parts: Parts) -> None:
    told = json.loads(parts("Hi", "--wap", "http://a.example", "--json"))
    assert told["encoding"] == "8-bit, WAP push"
    assert told["texts"] == [wap.encode("http://a.example", "Hi").hex()]


def test_a_connector_has_its_own_writing(parts: Parts) -> None:
    told = json.loads(parts("Привіт", "--connector", "operator", "--json"))
    assert (told["text"], told["part"]) == ("Pryvit", 152)


@pytest.mark.parametrize(
    ("name", "ending", "said"),
    [
        ("nobody", Ending.NOT_FOUND, "there is no connector nobody"),
        ("viber", Ending.USAGE, "the connector viber does not carry SMS"),
    ],
)
def test_a_connector_must_carry_sms(parts: Parts, name: str, ending: Ending, said: str) -> None:
    assert parts.refuses("Hi", "--connector", name) == (ending, said)


@pytest.mark.parametrize("given", ["два\nрядки", "два\nрядки\n"])
def test_a_text_comes_from_standard_input(parts: Parts, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(given.encode()), "utf-8"))
    assert json.loads(parts("-", "--json"))["text"] == "два\nрядки"


def test_a_text_in_another_encoding_is_refused(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = (Ending.USAGE, "the text is not UTF-8")
    assert parts.refuses("\udcff") == refusal
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"\xff"), "utf-8"))
    assert parts.refuses("-") == refusal
