"""Which pages may use the session cookie: exactly those, and none that looks like them."""

import pytest

from hub.auth.origins import OriginRefused, Origins

PORT = 8000
OWN = "https://hub.example.com"
PUBLIC = Origins(OWN, {"https://dash.example.com", "https://dash.example.com:8443"})
LOCAL = Origins(None)


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (OWN, True),
        ("https://dash.example.com", True),
        ("https://dash.example.com:8443", True),
        ("https://hub.example.com:8443", False),
        ("https://hub.example.com:443", False),
        ("http://hub.example.com", False),
        ("https://HUB.example.com", False),
        ("https://hub.example.com/", False),
        ("https://hub.example.com.evil.com", False),
        ("https://evil-hub.example.com", False),
        ("https://evilhub.example.com", False),
        ("https://sub.hub.example.com", False),
        ("https://example.com", False),
        ("https://hub.example.com@evil.com", False),
        ("https://hub.example.com, https://evil.com", False),
        ("null", False),
        ("", False),
        ("*", False),
        ("http://localhost:8000", False),
        ("http://127.0.0.1:8000", False),
    ],
)
def test_an_origin_is_allowed_if_it_is_exactly_one_of_the_list(
    origin: str, *, is_allowed: bool
) -> None:
    assert PUBLIC.allows(origin, PORT) is is_allowed


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("https://localhost:8000", False),
        ("http://localhost:8001", False),
        ("http://localhost", False),
        ("http://localhost.evil.com:8000", False),
        ("http://127.0.0.1.evil.com:8000", False),
        ("http://10.0.0.5:8000", False),
        ("null", False),
    ],
)
def test_without_a_public_url_only_pages_on_this_machine_are_the_hubs_own(
    origin: str, *, is_allowed: bool
) -> None:
    assert LOCAL.allows(origin, PORT) is is_allowed


def test_where_the_port_is_unknown_no_page_is_the_hubs_own() -> None:
    assert not LOCAL.allows("http://localhost:8000", None)
    with pytest.raises(OriginRefused):
        LOCAL.check("http://localhost", None)
