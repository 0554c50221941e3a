"""Where mail goes: the server that a URL names, and the addresses that can be written to."""

import ipaddress
import re
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

ADDRESS_MAX = 254
"""The longest address, in characters (RFC 5321)."""

# Neither blanks nor what lists of addresses are made of, so that none can smuggle in another.
_ADDRESS = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", re.A
)
_HOST = re.compile(r"[A-Za-z0-9:._-]{1,253}")
_ASCII = re.compile(r"[ -~]*")
_PORTS = {"smtp": 25, "smtps": 465}


def is_address(text: str) -> bool:
    """Whether mail can be sent to ``text``: one plain address, without a name or a comment."""
    return len(text) <= ADDRESS_MAX and _ADDRESS.fullmatch(text) is not None


class MailServer(msgspec.Struct, frozen=True):
    """A server that takes mail; an empty ``user`` sends without signing in.

    ``is_tls`` means TLS from the first byte, else the server may offer it (STARTTLS).
    """

    host: str
    port: int
    user: str
    password: str
    is_tls: bool

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"

    @property
    def is_local(self) -> bool:
        """Whether what is sent there stays on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def server_of(url: str) -> MailServer:
    """Return the server of ``smtp://user:password@host:port`` or ``smtps://``.

    User, password and port may be missing; ports are then 25 and 465.

    Raises:
        ValueError: why it is none; the text holds no part of the URL, which has a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("its host or port cannot be read") from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if problem := _problem(parts, host, user, password):
        raise ValueError(problem)
    return MailServer(
        host,
        _PORTS[parts.scheme] if port is None else port,
        user,
        password,
        parts.scheme == "smtps",
    )


def _problem(parts: SplitResult, host: str, user: str, password: str) -> str | None:
    if parts.scheme not in _PORTS:
        return "it starts with smtp:// or smtps://"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "nothing follows the port; in a password write / as %2F, ? as %3F and # as %23"
    if not _HOST.fullmatch(host):
        return "it names a host: smtp://user:password@host:port"
    if bool(user) != bool(password):
        return "user and password go together"
    if not _ASCII.fullmatch(user + password):
        return "user and password are printable ASCII characters"
    return None
