"""The log over HTTP: pages of committed events behind a cursor, of all jobs or of one."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from channels.events import BadCursor, Cursor, Event
from hub.api.desk import CURSOR_HEADER, Desk
from hub.api.job_view import iso
from hub.errors import CursorGone, InvalidInput
from hub.lifecycle.log import CommittedLog
from hub.wire.events import EventOut, EventPage
from orm.queries import meta

After = Annotated[str | None, QueryParameter(name="after")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1_000)]


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
    return _page(now, position, await log.read(position, min(limit, now.gseq - position)), limit)


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
    return _page(now, position, await log.read_job(pk, position, now.gseq, limit), limit)


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


def _page(now: meta.Clock, position: int, events: list[Event], limit: int) -> Response[EventPage]:
    """Return a page; a short one has reached the head, so its cursor is the head."""
    reached = events[-1].gseq if events and len(events) >= limit else max(now.gseq, position)
    cursor = str(Cursor(now.epoch, reached))
    page = EventPage(
        [event_out(event) for event in events], cursor, str(Cursor(now.epoch, now.gseq))
    )
    content: Any = msgspec.json.encode(page)
    return Response(content=content, media_type="application/json", headers={CURSOR_HEADER: cursor})


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
