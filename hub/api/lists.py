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
from orm.filters.spec import BadFilter, parse
from orm.queries import listing

PAGE = 100
"""Rows that are read together: one that has everything it may have is some megabytes."""

PAGE_BYTES = 16 * 2**20
"""Where a page ends, however few items it has; the item that reaches it is the last one."""

TRUNCATED = "X-Hub-Truncated"

Encode = Callable[[Sequence[int]], Awaitable[list[bytes]]]
"""Rows by number, in that order, as JSON; those that have gone since are left out."""


async def answer_list(
    request: Request[Any, Any, Any],
    desk: Desk,
    resource: Resource,
    encode: Encode,
    *,
    hide_waiting: bool = False,
) -> Response[Any]:
    """Answer a list call: the numbers first, in one query, then the rows a page at a time.

    At most ``HUB_LIST_MAX`` rows; ``X-Hub-Truncated: true`` says that there are more.

    Raises:
        InvalidInput: the filter is malformed, or names a field that may not be filtered.
    """
    body = await bodies.raw_body(request)
    bodies.parse(body or b"{}", dict[str, Any])  # broken JSON is said like everywhere else
    with searching("non_field_errors"):
        spec = parse(body)
        pks = await listing.matching(
            desk.engine, resource, spec, limit=desk.list_max, hide_waiting=hide_waiting
        )
    headers = {TRUNCATED: "true"} if len(pks) > desk.list_max else {}
    pks = pks[: desk.list_max]
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


async def _pages(pks: list[int], encode: Encode) -> AsyncIterator[bytes]:
    lead = b"["
    for first in range(0, len(pks), PAGE):
        for row in await encode(pks[first : first + PAGE]):
            yield lead + row
            lead = b","
    yield b"[]" if lead == b"[" else b"]"
