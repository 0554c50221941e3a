"""``POST …/list`` of every resource: a filter in, a bare JSON array out, streamed page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from hub.api import bodies
from hub.api.desk import Desk
from hub.errors import InvalidInput, Unavailable
from orm.errors import TooSlow
from orm.filters.fields import Resource
from orm.filters.spec import BadFilter, FilterSpec, parse
from orm.queries import listing

PAGE = 100
"""Rows that are read together: one that has everything it may have is some megabytes."""

PAGE_BYTES = 16 * 2**20
"""Where a page ends, however few items it has; the item that reaches it is the last one."""

CHUNK_BYTES = 256 * 1024
"""Most bytes of several rows that are sent at once: a call of the framework costs more than a row,
and a page may be too large to be copied."""

TRUNCATED = "X-Hub-Truncated"

Encode = Callable[[Sequence[int]], Awaitable[list[bytes]]]
"""Rows by number, in that order, as JSON; those that have gone since are left out."""


async def answer_list(
    request: Request[Any, Any, Any], desk: Desk, resource: Resource, encode: Encode
) -> Response[Any]:
    """Answer a list call by the filter in its body; see ``answer_matching``."""
    spec = read_filter(await bodies.raw_body(request))
    return await answer_matching(desk, resource, spec, encode)


def read_filter(body: bytes) -> FilterSpec:
    """Return the filter that a list call sends; no body is one that lists all.

    Raises:
        InvalidInput: it is malformed.
    """
    bodies.parse(body or b"{}", dict[str, Any])  # broken JSON is said like everywhere else
    with searching("non_field_errors"):
        return parse(body)


async def answer_matching(
    desk: Desk, resource: Resource, spec: FilterSpec, encode: Encode
) -> Response[Any]:
    """Answer what matches a filter: the numbers first, in one query, then the rows page by page.

    At most ``HUB_LIST_MAX`` rows; ``X-Hub-Truncated: true`` says that there are more.

    Raises:
        InvalidInput: the filter names a field that may not be filtered.
    """
    return await answer_rows(await numbers(desk, resource, spec), encode, desk.list_max)


async def numbers(
    desk: Desk, resource: Resource, spec: FilterSpec, *, hide_waiting: bool = False
) -> list[int]:
    """Return what matches a filter, by number, in its order: one more than a list shows, if any.

    Raises:
        InvalidInput: the filter names a field that may not be filtered.
    """
    with searching("non_field_errors"):
        return await listing.matching(
            desk.engine, resource, spec, limit=desk.list_max, hide_waiting=hide_waiting
        )


async def answer_rows(pks: Sequence[int], encode: Encode, most: int) -> Response[Any]:
    """Answer with the first rows of ``pks``, at most so many, a page at a time."""
    headers = {TRUNCATED: "true"} if len(pks) > most else {}
    pks = pks[:most]
    if len(pks) <= PAGE:
        content: Any = b"[" + b",".join(await encode(pks)) + b"]"
        return Response(
            content=content, status_code=200, media_type="application/json", headers=headers
        )
    pages = _pages(pks, encode)
    return Stream(pages, status_code=200, media_type="application/json", headers=headers)


@contextmanager
def searching(*members: str) -> Iterator[None]:
    """Turn what a search says went wrong into the hub's errors.

    Args:
        members: What a bad filter is a fault of.

    Raises:
        InvalidInput: the filter is malformed.
        Unavailable: it takes longer to answer than a search may.
    """
    try:
        yield
    except BadFilter as error:
        fields = {member: [str(error)] for member in members}
        raise InvalidInput(f"Bad filter: {error}", fields=fields) from error
    except TooSlow as error:
        raise Unavailable("this filter takes too long; ask for less", retry_after_s=5) from error


async def _pages(pks: Sequence[int], encode: Encode) -> AsyncIterator[bytes]:
    lead = b"["
    for first in range(0, len(pks), PAGE):
        for chunk in chunks(await encode(pks[first : first + PAGE])):
            yield lead + chunk
            lead = b","
    yield b"[]" if lead == b"[" else b"]"


def chunks(rows: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the rows with commas between them, joined to pieces of ``CHUNK_BYTES`` or one row."""
    joined: list[bytes] = []
    size = 0
    for row in rows:
        if joined and size + len(row) > CHUNK_BYTES:
            yield b",".join(joined)
            joined, size = [], 0
        joined.append(row)
        size += len(row)
    if joined:
        yield b",".join(joined)
