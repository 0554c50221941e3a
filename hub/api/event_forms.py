"""The forms in which a page of events can be had: our own JSON, or a batch of CloudEvents."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

import msgspec
from litestar import Request, Response
from litestar.params import QueryParameter

from channels.events import Cursor, Event
from hub.api.accept import preferred
from hub.api.desk import CURSOR_HEADER
from hub.wire import cloudevents
from hub.wire.cloudevents import CloudEvents
from hub.wire.events import EventPage
from hub.wire.stored_events import event_out

HEAD_HEADER = "X-Hub-Head"
JSON_TYPE = "application/json"

Format = Annotated[
    Literal["json", "cloudevents"] | None,
    QueryParameter(name="format", description="of the answer; without it `Accept` decides"),
]

OFFERED = (JSON_TYPE, cloudevents.BATCH_TYPE, cloudevents.ONE_TYPE)


class EventForm(Protocol):
    """How a page looks: each event by itself, so that its size is known, then all together."""

    def item(self, event: Event) -> bytes:
        """Return one event."""
        ...

    def page(self, items: Sequence[bytes], cursor: Cursor, head: Cursor) -> Response[EventPage]:
        """Return the answer with ``items``; the next one starts at ``cursor``."""
        ...


class OwnForm:
    """An object of events, cursor and head."""

    def item(self, event: Event) -> bytes:
        """Return one event as ``/v1`` shows it."""
        return msgspec.json.encode(event_out(event))

    def page(self, items: Sequence[bytes], cursor: Cursor, head: Cursor) -> Response[EventPage]:
        """Return the object."""
        shown = {"items": [msgspec.Raw(item) for item in items], "cursor": str(cursor)}
        body = msgspec.json.encode(shown | {"head": str(head)})
        return _answer(body, JSON_TYPE, cursor, head)


class CloudForm:
    """An array of CloudEvents; there cursor and head stand in the headers only."""

    def __init__(self, epoch: str) -> None:
        self._events = CloudEvents(epoch)

    def item(self, event: Event) -> bytes:
        """Return one event as a CloudEvent."""
        return self._events.of_event(event)

    def page(self, items: Sequence[bytes], cursor: Cursor, head: Cursor) -> Response[EventPage]:
        """Return the array."""
        return _answer(cloudevents.batch(items), cloudevents.BATCH_TYPE, cursor, head)


def form_of(request: Request[Any, Any, Any], asked: str | None, epoch: str) -> EventForm:
    """Return the form that a request asks for, by ``?format=``, else by ``Accept``."""
    if asked is None:
        liked = preferred(accept_of(request), OFFERED)
        asked = "json" if liked == JSON_TYPE else cloudevents.FORMAT
    return CloudForm(epoch) if asked == cloudevents.FORMAT else OwnForm()


def accept_of(request: Request[Any, Any, Any]) -> str:
    """Return what a request says in all its ``Accept`` headers."""
    return ",".join(request.headers.getall("accept", []))


def _answer(body: bytes, media_type: str, cursor: Cursor, head: Cursor) -> Response[EventPage]:
    headers = {CURSOR_HEADER: str(cursor), HEAD_HEADER: str(head), "Vary": "Accept"}
    content: Any = body
    return Response(content=content, media_type=media_type, headers=headers)
