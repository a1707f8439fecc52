from pathlib import Path

import pytest
from fuzz.play import play

from hopwire.smpp.session import Event

CORPUS = sorted((Path(__file__).parent / "fuzz" / "corpus").iterdir())


@pytest.mark.parametrize("script", CORPUS, ids=lambda path: path.name)
def test_the_rules_of_a_session_hold(script: Path) -> None:
    assert play(script.read_bytes())


def test_the_corpus_shows_everything_that_can_happen() -> None:
    seen = {type(event) for script in CORPUS for event in play(script.read_bytes())}
    assert seen == set(Event.__subclasses__())
