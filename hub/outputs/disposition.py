"""The headers in which a file's name and digest travel."""

import base64
import binascii
import hashlib
import re
import unicodedata
from urllib.parse import quote

from hub.outputs.errors import BadDigest

_LONGEST_NAME_BYTES = 255  # of one file name, on every usual file system
_NAMELESS = "download"
_JOINERS = "\u200c\u200d"  # letters of some scripts and many emoji fall apart without them
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, format, surrogate, line, paragraph
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE)
# Clients disagree about these four inside quotes: escapes, percent codes, end of the parameter.
_DOUBTFUL = re.compile(r'[^ -~]|["\\%;]')
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187 3.2.1, besides letters and digits
_SHA256_FIELD = re.compile(r":([A-Za-z0-9+/=]*):[ \t]*(?:;.*)?")


def attachment(filename: str) -> str:
    """Return a ``Content-Disposition`` that offers to save as ``filename``, whatever that text is.

    Two forms after RFC 6266: ASCII in quotes for old clients, UTF-8 after RFC 8187 for the others.
    Neither names another folder, a hidden file or a device, turns text round, or exceeds 255 bytes.
    """
    name = _safe_name(filename)
    plain = _DOUBTFUL.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"


def _safe_name(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)
    seen = (c for c in composed if c in _JOINERS or unicodedata.category(c) not in _UNSEEN)
    name = re.sub(r"[/\\]", "_", "".join(seen)).strip(" .")
    if _DEVICE.fullmatch(name):
        name = f"_{name}"
    return _shortened(name) or _NAMELESS


def _shortened(name: str) -> str:
    cut = name.encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore")
    return cut.rstrip(" .")


def content_digest(header: str) -> bytes | None:
    """Return the 32 bytes of ``sha-256`` in a ``Content-Digest`` header (RFC 9530).

    Returns:
        ``None`` when the header names other algorithms only. Of two digests the last counts.

    Raises:
        BadDigest: a ``sha-256`` is there and is no digest.
    """
    digest = None
    for member in header.split(","):
        algorithm, _, value = member.strip().partition("=")
        # Lower case by the RFC; but to pass over `SHA-256` would drop a check the client wants.
        if algorithm.lower() == "sha-256":
            digest = _decoded(value)
    return digest


def _decoded(value: str) -> bytes:
    match = _SHA256_FIELD.fullmatch(value)
    if match is None:
        raise BadDigest("Content-Digest wants sha-256=:BASE64:")
    try:
        # A missing padding is forgiven, as RFC 9651 4.2.7 asks.
        digest = base64.b64decode(match[1] + "=" * (-len(match[1]) % 4), validate=True)
    except binascii.Error as error:
        raise BadDigest("The sha-256 of Content-Digest is no base64") from error
    if len(digest) != hashlib.sha256().digest_size:
        raise BadDigest("The sha-256 of Content-Digest is not 32 bytes long")
    return digest
