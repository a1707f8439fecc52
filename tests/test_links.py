"""Links that let somebody in: for one purpose, for a while, until what they are bound to has changed."""

import pytest
from conftest import NOW

from hopwire import links
from hopwire.links import LASTS_MS, Purpose, is_good, make, read

SECRET = b"installation"
WHO = "anna@shop.example"


def good(
    token: str,
    purpose: Purpose = Purpose.RESET,
    now: int = NOW,
    bound: str = "hash",
    secret: bytes = SECRET,
) -> bool:
    claim = read(token)
    return claim is not None and is_good(secret, purpose, claim, now, bound)


TOKEN = make(SECRET, Purpose.RESET, WHO, NOW, "hash")


def test_a_link_says_who_it_is_for() -> None:
    claim = read(TOKEN)
    assert claim is not None
    assert (claim.who, claim.until) == (WHO, NOW + LASTS_MS[Purpose.RESET])
    assert good(TOKEN)


@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.RESET])
def test_it_is_good_for_nothing_else(purpose: Purpose) -> None:
    assert not good(TOKEN, purpose)


def test_its_time_is_over_at_the_moment_that_it_names() -> None:
    until = NOW + LASTS_MS[Purpose.RESET]
    assert good(TOKEN, now=until - 1)
    assert not good(TOKEN, now=until)


def test_it_is_used_when_what_it_is_bound_to_has_changed() -> None:
    assert not good(TOKEN, bound="another hash")


def test_another_installation_does_not_take_it() -> None:
    assert not good(TOKEN, secret=b"another")


@pytest.mark.parametrize("place", range(3))
def test_no_part_of_it_can_be_altered(place: int) -> None:
    parts = TOKEN.split(".")
    parts[place] = parts[place][:-2] + ("AA" if parts[place][-2:] != "AA" else "BB")
    assert not good(".".join(parts))


def test_a_later_end_is_not_believed() -> None:
    who, until, mark = TOKEN.split(".")
    assert not good(f"{who}.{int(until, 16) + 1:x}.{mark}")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "..",
        "a.b.c",
        "YQ.zz.YQ",
        "YQ.1.Y",
        "/w.1.YQ",
        "_w.1.YQ",
        "я.1.YQ",
        "YQ.-1.",
        "A" * 5000,
        "a.1.b.c",
    ],
)
def test_what_is_no_link_is_none(token: str) -> None:
    assert not good(token)


def test_a_link_is_written_as_an_address_needs_it() -> None:
    token = make(SECRET, Purpose.CONFIRM, "ÿ?>~" * 20, NOW)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(make(SECRET, Purpose.CONFIRM, "a" * 254, NOW)) < links.LONGEST
