"""The demo reaches Viber by any provider's API: `hopwire demo --viber KIND`."""

from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from system import Demo, demo, number, run

from hopwire.cli.run import DEMO_PROVIDERS
from hopwire.config import KINDS, HttpConnector
from hopwire.simulators.run import PROVIDERS


@pytest.fixture(scope="module", params=DEMO_PROVIDERS)
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("demo"), "--viber", request.param) as running:
        yield running


def test_every_provider_of_the_demo_is_a_kind_of_connector_and_has_a_simulator() -> None:
    assert DEMO_PROVIDERS.keys() == PROVIDERS.keys()
    assert all(issubclass(KINDS[kind], HttpConnector) for kind in DEMO_PROVIDERS)


def test_a_message_is_seen_on_viber(gateway: Demo) -> None:
    gateway.reaches(gateway.send(number("01")), 116)


def test_a_number_that_is_not_on_viber_gets_an_sms(gateway: Demo) -> None:
    to = number("02")
    gateway.reaches(gateway.send(to), 3)
    assert [message["channel"] for message in gateway.received(to)] == ["sms"]


def test_a_message_that_reaches_nobody_fails(gateway: Demo) -> None:
    to = number("06")
    gateway.reaches(gateway.send(to), 96)
    assert gateway.received(to) == []


def test_the_page_of_the_phones_shows_what_was_sent(gateway: Demo) -> None:
    to = number("99")
    gateway.reaches(gateway.send(to, viber_message="Good day"), 3)
    (message,) = gateway.received(to)
    assert (message["channel"], message["text"]) == ("viber", "Good day")
    with urlopen(gateway.ready["phone"]) as page:  # noqa: S310
        text = page.read().decode()
    assert to in text
    assert "Good day" in text


def test_a_provider_that_is_not_known_is_told_plainly() -> None:
    ended = run("demo", "--port", "0", "--viber", "pigeon")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"hopwire: --viber pigeon: must be one of {', '.join(DEMO_PROVIDERS)}\n"
