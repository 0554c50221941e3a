"""Who really calls, where a proxy stands in front: its ``X-Forwarded-*``, if it is to be believed.

Anybody can send these headers, so they count only as far as trusted proxies wrote them: from the
right, up to the first address that is none of theirs.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from hub.addresses import Network

Address = IPv4Address | IPv6Address

SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
SECURE = {"http": {"http": "http", "https": "https"}, "websocket": {"http": "ws", "https": "wss"}}
LONGEST = 64
"""Longest text that is looked at as an address."""


class Proxies:
    """The proxies that are believed; nobody is where ``networks`` are none."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def reveal(self, scope: Any) -> None:
        """Put the caller's own address and scheme into ``scope`` if a trusted proxy tells them."""
        client = scope.get("client") if self._networks else None
        if client is None or not self._trusts(address_of(client[0])):
            return
        caller = self._caller(_values(scope, b"x-forwarded-for"))
        if caller is not None:
            scope["client"] = (str(caller), 0)
        scheme = SCHEMES.get(next(_values(scope, b"x-forwarded-proto"), "").lower())
        if scheme is not None:
            scope["scheme"] = SECURE[scope["type"]][scheme]

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _caller(self, hops: Iterator[str]) -> Address | None:
        """Return the nearest address that is no proxy's, else the farthest proxy's."""
        farthest = None
        for text in hops:
            address = address_of(text)
            if address is None:  # whoever stands behind it cannot be known
                return farthest
            if not self._trusts(address):
                return address
            farthest = address
        return farthest


def _values(scope: Any, name: bytes) -> Iterator[str]:
    """Yield the entries of a header that is a list, the last first."""
    for key, value in reversed(scope["headers"]):
        if key == name:
            for entry in reversed(value.decode("latin-1").split(",")):
                yield entry.strip()


def address_of(text: str) -> Address | None:
    """Return the address in ``text``, which may have a port; ``None`` if there is none."""
    if len(text) > LONGEST:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
