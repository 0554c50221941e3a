"""The log over HTTP: pages of committed events behind a cursor, of all jobs or of one."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from channels.events import BadCursor, Cursor, Event
from hub.api.desk import Desk
from hub.api.event_forms import EventForm, Format, form_of
from hub.api.lists import PAGE, PAGE_BYTES
from hub.errors import CursorGone, InvalidInput
from hub.lifecycle.log import CommittedLog
from hub.wire.events import EventPage
from orm.queries import meta

After = Annotated[str | None, QueryParameter(name="after")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1_000)]
AnyRequest = Request[Any, Any, Any]
Read = Callable[[int, int], Awaitable[list[Event]]]
"""The first events behind a number, up to so many."""


@get("/v1/events", opt={"action": "events_list"}, operation_id="events_list", tags=["events"])
async def events_list(
    request: AnyRequest,
    desk: NamedDependency[Desk],
    log: NamedDependency[CommittedLog],
    after: After = None,
    limit: Limit = 100,
    shape: Format = None,
) -> Response[EventPage]:
    """Read the log of all jobs behind ``after``; without it, from the oldest event it still has.

    Tools that take CloudEvents get them with ``?format=cloudevents``, or with ``Accept:
    application/cloudevents-batch+json``; where to go on is then said by the headers alone.

    410 ``cursor_gone``: the log no longer reaches back to this cursor.
    """
    now, position = await _position(desk, after)

    async def read(after: int, most: int) -> list[Event]:
        return await log.read(after, min(most, now.gseq - after))

    return await _page(now, position, limit, read, form_of(request, shape, now.epoch))


@get(
    "/v1/jobs/{pk:int}/events",
    opt={"action": "jobs_events"},
    operation_id="jobs_events",
    tags=["events"],
)
async def jobs_events(
    request: AnyRequest,
    pk: FromPath[int],
    desk: NamedDependency[Desk],
    log: NamedDependency[CommittedLog],
    after: After = None,
    limit: Limit = 100,
    shape: Format = None,
) -> Response[EventPage]:
    """Read one job's events behind ``after``; without it, from its creation.

    As CloudEvents, too: see ``events_list``.
    """
    await desk.brief(pk)
    now, position = await _position(desk, after)

    async def read(after: int, most: int) -> list[Event]:
        return await log.read_jobs([pk], after, now.gseq, most)

    return await _page(now, position, limit, read, form_of(request, shape, now.epoch))


async def _position(desk: Desk, after: str | None) -> tuple[meta.Clock, int]:
    now = await meta.clock(desk.engine)
    if after is None:
        return now, now.floor
    try:
        cursor = Cursor.parse(after)
    except BadCursor as error:
        raise InvalidInput(str(error), fields={"after": [str(error)]}) from error
    if cursor.epoch != now.epoch or not now.floor <= cursor.gseq <= now.gseq:
        raise CursorGone(f"this log reaches from {now.floor} to {now.gseq} in epoch {now.epoch}")
    return now, cursor.gseq


async def _page(
    now: meta.Clock, position: int, limit: int, read: Read, form: EventForm
) -> Response[EventPage]:
    """Return a page; one that runs out of events has reached the head, so its cursor is the head.

    It ends at ``PAGE_BYTES``, before ``limit``; its cursor is where the next one goes on.
    """
    items: list[bytes] = []
    reached = max(now.gseq, position)
    size = 0
    async with aclosing(_events(position, limit, read)) as events:
        async for event in events:
            items.append(form.item(event))
            size += len(items[-1])
            if size >= PAGE_BYTES or len(items) == limit:
                reached = event.gseq
                break
    return form.page(items, Cursor(now.epoch, reached), Cursor(now.epoch, now.gseq))


async def _events(position: int, limit: int, read: Read) -> AsyncGenerator[Event, None]:
    """Give up to ``limit`` events behind ``position``, read in parts: each may be large."""
    for done in range(0, limit, PAGE):
        asked = min(PAGE, limit - done)
        events = await read(position, asked)
        for event in events:
            yield event
        if len(events) < asked:
            return
        position = events[-1].gseq
