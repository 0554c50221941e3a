"""Addresses as settings write them: web origins, the hub's public URL, networks of proxies."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import msgspec

Network = IPv4Network | IPv6Network

HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""How a browser on this machine may write it in an address."""


class PublicUrl(msgspec.Struct, frozen=True):
    """Where browsers reach the hub: an origin, and the path in front of the hub's own, or none."""

    origin: str
    prefix: str


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listed(text: str) -> list[str]:
    """Return the entries of a comma-separated list."""
    return [entry for part in text.split(",") if (entry := part.strip())]


def local_origins(port: int) -> frozenset[str]:
    """Return the origins of pages that a hub on ``port`` serves to this machine."""
    suffix = "" if port == DEFAULT_PORTS["http"] else f":{port}"
    return frozenset(f"http://{name}{suffix}" for name in LOOPBACK_NAMES)


def public_url(text: str) -> PublicUrl:
    """Return what a public URL says.

    Raises:
        ValueError: it is none, or the session cookie would not be kept there: browsers keep it over
            https, and over http only on their own machine.
    """
    parts = _parts(text)
    origin = _origin(parts)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https://… unless it is on this machine")
    prefix = parts.path.rstrip("/")
    if prefix and not (prefix.isascii() and prefix.isprintable() and not set(prefix) & set(' "<>')):
        raise ValueError("has a path that is written in other than plain characters")
    return PublicUrl(origin, prefix)


def origins(text: str) -> frozenset[str]:
    """Return the origins of a comma-separated list.

    Raises:
        ValueError: an entry is no origin, written as browsers write it.
    """
    found = listed(text)
    for entry in found:
        if _origin(_parts(entry)) != entry:
            raise ValueError(f"{entry!r} is no origin like https://host or https://host:8443")
    return frozenset(found)


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a comma-separated list of addresses and CIDRs.

    Raises:
        ValueError: an entry is neither.
    """
    return tuple(ip_network(entry) for entry in listed(text))


def _parts(text: str) -> SplitResult:
    parts = urlsplit(text)
    if parts.scheme not in DEFAULT_PORTS or not HOST.fullmatch(parts.hostname or ""):
        raise ValueError(f"{text!r} is no address like https://host")
    if "@" in parts.netloc or parts.query or parts.fragment or not text.isascii():
        raise ValueError(f"{text!r} has more than a plain scheme, host, port and path")
    return parts


def _origin(parts: SplitResult) -> str:
    """Return the origin as browsers send it: small letters, and no port that goes without saying.

    Raises:
        ValueError: the port is none.
    """
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    is_usual = parts.port in (None, DEFAULT_PORTS[parts.scheme])
    return f"{parts.scheme}://{shown}{'' if is_usual else f':{parts.port}'}"
