"""The log over HTTP: pages of committed events behind a cursor, of all jobs or of one."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from channels.events import BadCursor, Cursor, Event
from hub.api.desk import CURSOR_HEADER, Desk
from hub.api.job_view import iso
from hub.api.lists import PAGE, PAGE_BYTES
from hub.errors import CursorGone, InvalidInput
from hub.lifecycle.log import CommittedLog
from hub.wire.events import EventOut, EventPage
from orm.queries import meta

After = Annotated[str | None, QueryParameter(name="after")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1_000)]
Read = Callable[[int, int], Awaitable[list[Event]]]
"""The first events behind a number, up to so many."""


@get("/v1/events", opt={"action": "events_list"}, operation_id="events_list", tags=["events"])
async def events_list(
    desk: NamedDependency[Desk],
    log: NamedDependency[CommittedLog],
    after: After = None,
    limit: Limit = 100,
) -> Response[EventPage]:
    """Read the log of all jobs behind ``after``; without it, from the oldest event it still has.

    410 ``cursor_gone``: the log no longer reaches back to this cursor.
    """
    now, position = await _position(desk, after)

    async def read(after: int, most: int) -> list[Event]:
        return await log.read(after, min(most, now.gseq - after))

    return await _page(now, position, limit, read)


@get(
    "/v1/jobs/{pk:int}/events",
    opt={"action": "jobs_events"},
    operation_id="jobs_events",
    tags=["events"],
)
async def jobs_events(
    pk: FromPath[int],
    desk: NamedDependency[Desk],
    log: NamedDependency[CommittedLog],
    after: After = None,
    limit: Limit = 100,
) -> Response[EventPage]:
    """Read one job's events behind ``after``; without it, from its creation."""
    await desk.brief(pk)
    now, position = await _position(desk, after)

    async def read(after: int, most: int) -> list[Event]:
        return await log.read_jobs([pk], after, now.gseq, most)

    return await _page(now, position, limit, read)


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


async def _page(now: meta.Clock, position: int, limit: int, read: Read) -> Response[EventPage]:
    """Return a page; one that runs out of events has reached the head, so its cursor is the head.

    It ends at ``PAGE_BYTES``, before ``limit``; its cursor is where the next one goes on.
    """
    items: list[msgspec.Raw] = []
    reached = max(now.gseq, position)
    size = 0
    async with aclosing(_events(position, limit, read)) as events:
        async for event in events:
            item = msgspec.json.encode(event_out(event))
            items.append(msgspec.Raw(item))
            size += len(item)
            if size >= PAGE_BYTES or len(items) == limit:
                reached = event.gseq
                break
    cursor = str(Cursor(now.epoch, reached))
    content: Any = msgspec.json.encode(
        {"items": items, "cursor": cursor, "head": str(Cursor(now.epoch, now.gseq))}
    )
    return Response(content=content, media_type="application/json", headers={CURSOR_HEADER: cursor})


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


def event_out(event: Event) -> EventOut:
    """Return an event as ``/v1`` shows it; its data is spliced in as it is stored."""
    return EventOut(
        g=event.gseq,
        job=event.job,
        seq=event.seq,
        tseq=event.tseq,
        type="job.progress" if event.kind == "p" else "job.transition",
        transition=event.type,
        from_status=event.from_status,
        to_status=event.to_status,
        time=iso(event.time_us),
        attempt=event.attempt,
        node=event.node,
        progress_amount=event.progress,
        n=event.n,
        data=msgspec.Raw(event.data),
    )
