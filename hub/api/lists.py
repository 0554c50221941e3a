"""``POST …/list`` of every resource: a filter in, a bare JSON array out, streamed page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from hub.api import bodies
from hub.api.desk import Desk
from hub.errors import InvalidInput
from orm.filters.fields import Resource
from orm.filters.spec import BadFilter, parse
from orm.queries import listing

PAGE = 500
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
    try:
        spec = parse(body)
        pks = await listing.matching(
            desk.engine, resource, spec, limit=desk.list_max, hide_waiting=hide_waiting
        )
    except BadFilter as error:
        raise InvalidInput(
            f"Bad filter: {error}", fields={"non_field_errors": [str(error)]}
        ) from error
    headers = {TRUNCATED: "true"} if len(pks) > desk.list_max else {}
    pks = pks[: desk.list_max]
    if len(pks) <= PAGE:
        content: Any = b"[" + b",".join(await encode(pks)) + b"]"
        return Response(
            content=content, status_code=200, media_type="application/json", headers=headers
        )
    pages = _pages(pks, encode)
    return Stream(pages, status_code=200, media_type="application/json", headers=headers)


async def _pages(pks: list[int], encode: Encode) -> AsyncIterator[bytes]:
    lead = b"["
    for first in range(0, len(pks), PAGE):
        for row in await encode(pks[first : first + PAGE]):
            yield lead + row
            lead = b","
    yield b"[]" if lead == b"[" else b"]"
