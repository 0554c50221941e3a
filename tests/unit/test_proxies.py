"""Whose word counts for where a call comes from."""

from typing import Any

import pytest

from hub.addresses import networks
from hub.auth.proxies import Proxies, address_of

PROXIES = Proxies(networks("10.0.0.1, 192.168.0.0/16, fd00::/8"))
PROXY = "10.0.0.1"


def seen(peer: str, *headers: tuple[str, str], proxies: Proxies = PROXIES) -> tuple[str, str]:
    """Return the address and the scheme that are believed."""
    scope: Any = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 40_000),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }
    proxies.reveal(scope)
    return scope["client"][0], scope["scheme"]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("198.51.100.9, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.9, 203.0.113.7, 192.168.3.4, 10.0.0.1", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7 , fd00::5", "203.0.113.7"),
        ("192.168.3.4, 192.168.3.5", "192.168.3.4"),
        ("203.0.113.7, unknown, 192.168.3.5", "192.168.3.5"),
        ("evil\nline", PROXY),
        ("9" * 5_000, PROXY),
        ("", PROXY),
    ],
)
def test_the_nearest_address_that_is_no_proxys_is_the_callers(forwarded: str, address: str) -> None:
    assert seen(PROXY, ("X-Forwarded-For", forwarded)) == (address, "http")


def test_headers_that_stand_twice_are_one_list() -> None:
    twice = (("X-Forwarded-For", "198.51.100.9"), ("X-Forwarded-For", "203.0.113.7"))
    assert seen(PROXY, *twice)[0] == "203.0.113.7"


def test_what_a_stranger_says_has_no_effect() -> None:
    said = (("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"))
    assert seen("203.0.113.99", *said) == ("203.0.113.99", "http")
    assert seen(PROXY, *said, proxies=Proxies()) == (PROXY, "http")


@pytest.mark.parametrize(
    ("said", "scheme"),
    [("https", "https"), ("HTTPS", "https"), ("https, http", "http"), ("javascript", "http")],
)
def test_the_proxy_says_the_scheme(said: str, scheme: str) -> None:
    assert seen(PROXY, ("X-Forwarded-Proto", said)) == (PROXY, scheme)


def test_a_socket_behind_a_secure_proxy_is_a_secure_socket() -> None:
    scope: Any = {
        "type": "websocket",
        "scheme": "ws",
        "client": (PROXY, 1),
        "headers": [(b"x-forwarded-proto", b"https")],
    }
    PROXIES.reveal(scope)
    assert scope["scheme"] == "wss"


def test_a_caller_without_an_address_stays_without() -> None:
    scope: Any = {"type": "http", "scheme": "http", "client": None, "headers": []}
    PROXIES.reveal(scope)
    assert scope["client"] is None
    assert address_of("unix:") is None
