"""Events of the log on the wire."""

from typing import Any, Literal

import msgspec

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
