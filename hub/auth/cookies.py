"""The session cookie: how it is set, taken back and read.

Its name makes browsers keep it to this very host, over https only: no other host below the same
domain can set or read it. Over plain http they keep it on their own machine alone.
"""

from collections.abc import Iterable

NAME = "__Host-hub"
RULES = "Path=/; Secure; HttpOnly; SameSite=Lax"
CLEARED = f"{NAME}=; {RULES}; Max-Age=0"
"""Value of ``Set-Cookie`` that takes the cookie back."""


def setting(text: str, life_s: int) -> str:
    """Return the value of ``Set-Cookie`` that keeps ``text`` for ``life_s`` seconds."""
    return f"{NAME}={text}; {RULES}; Max-Age={life_s}"


def sent(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return what the session cookie holds.

    ``None`` when it was not sent, and when it was sent twice: which one is meant is unknown then.
    """
    pairs = (
        pair.partition("=")
        for key, value in headers
        if key == b"cookie"
        for pair in value.decode("latin-1").split(";")
    )
    found = {value.strip() for name, _, value in pairs if name.strip() == NAME}
    return found.pop() if len(found) == 1 else None
