"""The log over HTTP: pages of committed events behind a cursor, or a stream without an end."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Annotated, Any, Protocol, cast, runtime_checkable

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from channels.events import BadCursor, Cursor, Event
from channels.protocol.frames import Subscribe
from hub.api.accept import preferred
from hub.api.desk import Desk
from hub.api.event_forms import OFFERED, EventForm, Format, accept_of, form_of
from hub.api.lists import PAGE, PAGE_BYTES
from hub.api.stream_query import wish_of
from hub.errors import CursorGone, InvalidInput
from hub.lifecycle.log import CommittedLog
from hub.wire.events import EventPage
from orm.queries import meta

After = Annotated[str | None, QueryParameter(name="after")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1_000)]
Read = Callable[[int, int], Awaitable[list[Event]]]
"""The first events behind a number, up to so many."""

AnyRequest = Request[Any, Any, Any]


@runtime_checkable
class Streams(Protocol):
    """Answers that do not end.

    Attributes:
        media_types: The forms there are, first that for who does not say.
    """

    media_types: tuple[str, ...]

    def answer(self, wish: Subscribe, media_type: str, *, may_reset: bool) -> Response[str]:
        """Return the answer that tells what ``wish`` asks for in one of ``media_types``.

        Without ``may_reset``, a cursor that the log cannot go on behind is refused.
        """
        ...


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
    "/v1/events/stream",
    opt={"action": "events_stream"},
    operation_id="events_stream",
    tags=["events"],
)
async def events_stream(request: AnyRequest, streams: NamedDependency[Streams]) -> Response[str]:
    """Watch all jobs, or those that match, as it happens; the answer does not end by itself.

    Server-sent events for a browser that accepts `text/event-stream`, else JSON line by line. The
    first place to go on from comes at once. 410 ``cursor_gone`` only comes with ``on_gap=error``.
    """
    media_type = preferred(accept_of(request), streams.media_types)
    wish = wish_of(request)
    return streams.answer(wish.subscribe, media_type, may_reset=wish.may_reset)


@get(
    "/v1/jobs/{pk:int}/events",
    opt={"action": "jobs_events"},
    operation_id="jobs_events",
    tags=["events"],
)
async def jobs_events(  # one argument a query parameter
    request: AnyRequest,
    pk: FromPath[int],
    desk: NamedDependency[Desk],
    log: NamedDependency[CommittedLog],
    streams: NamedDependency[Streams],
    after: After = None,
    limit: Limit = 100,
    shape: Format = None,
) -> Response[EventPage]:
    """Read one job's events behind ``after``; without it, from its creation.

    As CloudEvents, too: see ``events_list``. To who accepts `text/event-stream` or
    `application/x-ndjson`, and rather than JSON, it is told as it happens: from now on, or behind
    ``cursor``.
    """
    await desk.brief(pk)
    media_type = preferred(accept_of(request), (*OFFERED, *streams.media_types))
    if shape is None and media_type in streams.media_types:
        wish = wish_of(request, pk)
        stream: Any = streams.answer(wish.subscribe, media_type, may_reset=wish.may_reset)
        return cast(Response[EventPage], stream)
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
