"""Where a hub is, and what its calls are signed with."""

import ipaddress
import os
from collections.abc import Mapping
from typing import Self
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from hub.client.errors import BadAddress

CONNECT_S = 10.0
"""How long a connection, or the head of an answer, may take."""


class Address(Struct, frozen=True):
    """One hub.

    Attributes:
        url: ``http://host:port`` or ``https://…``, perhaps with a path before ``/v1``.
        token: Goes as a bearer token with each call; empty for none.
    """

    url: str
    token: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadAddress(f"the address of a hub looks like http://host:8000, not {self.url!r}")

    def __repr__(self) -> str:
        return f"Address({self.url!r})"  # a token has no place in a log

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the hub that ``HUB_URL`` and ``HUB_TOKEN`` name.

        Raises:
            BadAddress: ``HUB_URL`` is missing, or no address.
        """
        return cls(environ.get("HUB_URL", ""), environ.get("HUB_TOKEN", ""))

    @property
    def is_here(self) -> bool:
        """Whether only this machine can reach it; then no proxy can."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def headers(self) -> dict[str, str]:
        """Headers that go with every call."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def http(self, path: str) -> str:
        """Return the URL of a path that begins with a slash."""
        return self.url.rstrip("/") + path

    def socket(self, path: str) -> str:
        """Return the URL of a WebSocket."""
        return "ws" + self.http(path).removeprefix("http")

    def client(self) -> httpx.AsyncClient:
        """Return a client for calls; whoever reads a long answer watches the time itself."""
        timeout = httpx.Timeout(CONNECT_S, read=None)
        return httpx.AsyncClient(headers=self.headers, timeout=timeout, trust_env=not self.is_here)
