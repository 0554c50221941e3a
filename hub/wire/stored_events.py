"""Stored events as ``/v1`` shows them."""

import msgspec

from channels.events import Event
from channels.times import iso
from hub.wire.events import EventOut


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
