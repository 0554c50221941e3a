"""Events of the log on the wire."""

from typing import Any, Literal

import msgspec

from channels.events import Event
from hub import clock

EventType = Literal["job.transition", "job.progress"]


class EventOut(msgspec.Struct, frozen=True):
    """One committed change of one job.

    ``g`` is dense over the log, ``seq`` over the job; ``tseq`` counts the job's transitions up to
    here. ``data`` is the worker's body of a progress report, or ``{"row": …}``, the short job after
    a transition, with what else there is to say about it. An event of a job that was removed for
    good is ``void`` and empty.
    """

    g: int
    job: int
    seq: int
    tseq: int
    type: EventType
    transition: str
    from_status: str | None
    to_status: str | None
    time: str
    attempt: int
    node: int | None
    progress_amount: float
    n: int
    data: Any


class EventPage(msgspec.Struct, frozen=True):
    """Events behind a cursor; the next page starts at ``cursor``, the log ends at ``head``."""

    items: list[EventOut]
    cursor: str
    head: str


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
        time=clock.iso(event.time_us),
        attempt=event.attempt,
        node=event.node,
        progress_amount=event.progress,
        n=event.n,
        data=msgspec.Raw(event.data),
    )
