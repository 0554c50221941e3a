"""Addresses in settings: what they say, and what is refused at the start."""

import pytest

from hub.addresses import PublicUrl, local_origins, origins, public_url
from hub.settings import BadSettings, load


@pytest.mark.parametrize(
    ("text", "origin", "prefix"),
    [
        ("https://hub.example", "https://hub.example", ""),
        ("https://hub.example/", "https://hub.example", ""),
        ("HTTPS://Hub.Example:443/", "https://hub.example", ""),
        ("https://hub.example:8443", "https://hub.example:8443", ""),
        ("https://example.org/jobs/hub/", "https://example.org", "/jobs/hub"),
        ("https://[2001:db8::1]:8443/hub", "https://[2001:db8::1]:8443", "/hub"),
        ("http://localhost:8000", "http://localhost:8000", ""),
        ("http://127.0.0.1:80", "http://127.0.0.1", ""),
        ("http://[::1]:8000", "http://[::1]:8000", ""),
    ],
)
def test_a_public_url_is_an_origin_and_a_prefix(text: str, origin: str, prefix: str) -> None:
    assert public_url(text) == PublicUrl(origin, prefix)


@pytest.mark.parametrize(
    "text",
    [
        "hub.example",
        "https://",
        "ftp://hub.example",
        "http://hub.example",
        "http://10.0.0.5:8000",
        "https://user:secret@hub.example",
        "https://hub.example?x=1",
        "https://hub.example#x",
        "https://hub.example:99999",
        "https://hub.example:x",
        "https://hüb.example",
        'https://hub.example/"><script>',
    ],
)
def test_a_public_url_where_browsers_would_keep_no_cookie_is_refused(text: str) -> None:
    with pytest.raises(BadSettings, match="HUB_PUBLIC_URL"):
        load({"HUB_PUBLIC_URL": text})


def test_allowed_origins_are_a_list() -> None:
    listed = origins("https://a.example, https://b.example:8443 ,")
    assert listed == {"https://a.example", "https://b.example:8443"}
    assert origins("") == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        *("*", "null", "a.example", "https://*.example", "https://a.example/"),
        *(
            "https://A.example",
            "https://a.example:443",
            "https://a.example/path",
            "wss://a.example",
        ),
    ],
)
def test_what_no_browser_sends_as_origin_is_refused(text: str) -> None:
    with pytest.raises(BadSettings, match="HUB_ALLOWED_ORIGINS"):
        load({"HUB_ALLOWED_ORIGINS": f"https://good.example,{text}"})


@pytest.mark.parametrize("text", ["*", "proxy", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1 10.0.0.2"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(BadSettings, match="HUB_TRUSTED_PROXIES"):
        load({"HUB_TRUSTED_PROXIES": text})


def test_a_page_on_this_machine_has_one_of_three_origins() -> None:
    assert local_origins(8000) == {
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
    }
    assert "http://localhost" in local_origins(80)
