"""Addresses: what counts as one, in which network it is, and whose word is taken for it."""

import pytest

from hopwire import addresses
from hopwire.web.addresses import client_address

OURS = ("10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2.1:", None),
        ("192.0.2.256", None),
        ("192.0.2.01", None),
        ("[]", None),
        ("1" * 10_000, None),
    ],
)
def test_an_address_is_read_as_proxies_write_it(text: str, address: str | None) -> None:
    found = addresses.read(text)
    assert (found and str(found)) == address


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("10.255.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("11.0.0.1", False),
        ("2001:db8:1::9", True),
        ("2001:db8:2::9", False),
        ("127.0.0.1", True),
        ("::1", False),
        ("", False),
        ("10.0.0", False),
    ],
)
def test_an_address_is_in_a_network_or_not(text: str, inside: bool) -> None:
    assert addresses.within(text, OURS) == inside
    assert not addresses.within(text, ())


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("192.0.2.1", (), "192.0.2.1", id="nobody between"),
        pytest.param("192.0.2.1", ("10.1.1.1",), "192.0.2.1", id="a stranger's word counts for nothing"),
        pytest.param("10.0.0.1", ("192.0.2.1",), "192.0.2.1", id="a proxy of ours"),
        pytest.param("10.0.0.1", ("203.0.113.9, 192.0.2.1",), "192.0.2.1", id="what a stranger told a proxy"),
        pytest.param("10.0.0.1", ("203.0.113.9", "192.0.2.1"), "192.0.2.1", id="in a line of its own"),
        pytest.param("10.0.0.1", ("x, 192.0.2.1, 10.0.0.2",), "192.0.2.1", id="two proxies of ours"),
        pytest.param("127.0.0.1", ("192.0.2.1,10.0.0.2", "10.0.0.3"), "192.0.2.1", id="three, in two lines"),
        pytest.param("10.0.0.1", ("10.0.0.7",), "10.0.0.7", id="from our own network"),
        pytest.param("10.0.0.1", (), "10.0.0.1", id="the proxy itself"),
        pytest.param("10.0.0.1", ("",), "", id="an empty line"),
        pytest.param("10.0.0.1", ("192.0.2.1, unknown",), "", id="a proxy that does not tell"),
        pytest.param("10.0.0.1", ("192.0.2.1:1025",), "192.0.2.1:1025", id="with a port"),
        pytest.param("::ffff:10.0.0.1", ("2001:db8::5",), "2001:db8::5", id="a socket for both families"),
        pytest.param("", ("192.0.2.1",), "", id="a socket without addresses"),
    ],
)
def test_the_client_is_who_the_first_proxy_of_ours_has_seen(
    peer: str, forwarded: tuple[str, ...], client: str
) -> None:
    assert addresses.client(peer, forwarded, OURS) == client
    assert addresses.client(peer, forwarded, ()) == peer
    lines = [(b"x-forwarded-for", line.encode()) for line in forwarded] + [(b"host", b"10.0.0.1")]
    assert client_address(peer, lines, OURS) == client
    assert client_address(peer, lines, ()) == peer


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.1:99", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "unknown", True),
    ],
)
def test_a_place_is_what_one_customer_of_a_provider_has(one: str, other: str, same: bool) -> None:
    assert (addresses.neighbourhood(one) == addresses.neighbourhood(other)) == same
