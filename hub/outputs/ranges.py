"""Which part of an output a request asks for, after RFC 9110 sections 13 and 14."""

import re

import msgspec

from hub.outputs.errors import RangeNotSatisfiable

# More digits than any size has; `int` itself refuses some thousands of them.
_SINGLE_RANGE = re.compile(
    r"bytes=[ \t]*([0-9]{0,40})-([0-9]{0,40})[ \t]*", re.IGNORECASE | re.ASCII
)
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


class ByteRange(msgspec.Struct, frozen=True):
    """A part that is there: ``0 <= start < end <= size``, ``end`` not included."""

    start: int
    end: int


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the part of ``size`` bytes that a ``Range`` header asks for.

    Returns:
        ``None``: serve everything with 200. So it is without a header, and for units other than
        bytes, several ranges, or text that is no range, which RFC 9110 14.2 lets a server ignore.

    Raises:
        RangeNotSatisfiable: no byte of the range exists.
    """
    match = _SINGLE_RANGE.fullmatch(header.strip()) if header is not None else None
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return _suffix(int(last), size) if last else None
    return _from_to(int(first), int(last) if last else None, size)


def _suffix(length: int, size: int) -> ByteRange | None:
    if length == 0:
        raise RangeNotSatisfiable
    # The last bytes of nothing are all of it, and Content-Range cannot name an empty part.
    return ByteRange(max(0, size - length), size) if size else None


def _from_to(first: int, last: int | None, size: int) -> ByteRange | None:
    if last is not None and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable
    return ByteRange(first, size if last is None else min(last + 1, size))


def content_range(part: ByteRange | None, size: int) -> str:
    """Return the ``Content-Range`` text: of an answer 206, or with no ``part`` of an answer 416."""
    return f"bytes */{size}" if part is None else f"bytes {part.start}-{part.end - 1}/{size}"


def entity_tag(sha256: str) -> str:
    """Return the strong ``ETag`` of the bytes with this digest."""
    return f'"{sha256}"'


def is_unchanged(if_none_match: str | None, tag: str) -> bool:
    """Tell whether the client already has the bytes of ``tag``: answer 304.

    The comparison is the weak one, as RFC 9110 13.1.2 wants it.
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in _ENTITY_TAG.findall(if_none_match)


def is_range_wanted(if_range: str | None, tag: str) -> bool:
    """Tell whether ``Range`` still counts, given an ``If-Range`` header.

    Only the same strong tag says so (RFC 9110 13.1.5); no date does, as outputs carry none.
    """
    return if_range is None or if_range.strip() == tag
