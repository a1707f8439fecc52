"""Tables that are asked for the longest prefix."""

import pytest

from hopwire.prefixes import Prefixes


@pytest.mark.parametrize(
    ("digits", "found"),
    [
        pytest.param("380501234567", "long", id="the longest prefix"),
        pytest.param("380671234567", "short", id="a shorter one"),
        pytest.param("48501234567", "all", id="the empty one"),
        pytest.param("38050", "long", id="a number no longer than its prefix"),
        pytest.param("3805", "short", id="a number shorter than a prefix"),
        pytest.param("", "all", id="no number"),
    ],
)
def test_the_longest_prefix_wins(digits: str, found: str) -> None:
    table = Prefixes({"": "all", "380": "short", "38050": "long"})
    assert table.longest(digits) == found


def test_what_has_no_prefix_is_not_found() -> None:
    assert Prefixes({"380": 1}).longest("48501234567") is None
    assert Prefixes().longest("380") is None


def test_a_price_of_nothing_is_a_price() -> None:
    assert Prefixes({"": 5, "380": 0}).longest("380") == 0


@pytest.mark.parametrize(
    ("digits", "country", "found"),
    [
        pytest.param("16045551234", "CA", "Vancouver", id="a longer prefix stands before the country"),
        pytest.param("15145551234", "CA", "Canada", id="the country before its calling code"),
        pytest.param("12125551234", "US", "North America", id="another country of the same code"),
        pytest.param("15145551234", "", "North America", id="nobody says which country"),
    ],
)
def test_a_country_stands_between_long_prefixes_and_calling_codes(
    digits: str, country: str, found: str
) -> None:
    table = Prefixes({"1604": "Vancouver", "CA": "Canada", "1": "North America"})
    assert table.longest(digits, country) == found
