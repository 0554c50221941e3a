"""The session cookie: what browsers are told about it, and how it is read."""

import pytest

from hub.auth import cookies


def test_the_cookie_stays_on_its_host_and_out_of_the_reach_of_scripts() -> None:
    name, *rules = cookies.setting("text", 60).split("; ")
    assert name == "__Host-hub=text"
    # A name that begins like this is kept only with both of the first two, and without a domain.
    assert rules == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=60"]
    assert cookies.CLEARED.startswith("__Host-hub=; Path=/; Secure;")
    assert cookies.CLEARED.endswith("Max-Age=0")


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (["__Host-hub=one"], "one"),
        (["a=1; __Host-hub=one ;b=2"], "one"),
        (["a=1", "__Host-hub=one"], "one"),
        (["__Host-hub=one; __Host-hub=one"], "one"),
        (["__Host-hub=one; __Host-hub=two"], None),
        (["__Host-hub=one", "__Host-hub=two"], None),
        (["__host-hub=one; x__Host-hub=one; hub=one"], None),
        ([""], None),
        ([], None),
        ([";;=;__Host-hub"], ""),
        (["__Host-hub=a=b"], "a=b"),
    ],
)
def test_the_cookie_is_read_from_what_a_browser_sends(headers: list[str], text: str | None) -> None:
    assert cookies.sent([(b"cookie", line.encode()) for line in headers]) == text
