"""How a job stands when somebody begins to watch it: by its newest event in memory, else stored.

Most watchers come for a job of which something has just happened, and need no look at the database.
"""

import msgspec

from channels.events import Event
from channels.feed import Feed
from hub.errors import NotFound
from hub.lifecycle.states import Action, Status
from orm.engine import Engine
from orm.queries import jobs

UNTOLD = frozenset({"void", Action.DESTROY})
"""Types of events after which the job may be there no longer."""


class Standing(msgspec.Struct, frozen=True):
    """What a new watcher is told of a job that has begun, as of event ``gseq`` of all jobs."""

    job: int
    status: Status
    description: str
    progress: float
    node: int | None
    error: str | None
    seq: int
    tseq: int
    gseq: int


async def standing(feed: Feed, engine: Engine, job: int) -> Standing:
    """Return how ``job`` stands. What comes after ``gseq`` follows through the feed.

    Raises:
        NotFound: there is no such job.
    """
    newest = feed.ring.newest(job)
    if newest is None or newest.type in UNTOLD or newest.to_status is None:
        return await _stored(engine, job)
    status = Status(newest.to_status)
    return Standing(
        job=job,
        status=status,
        description=newest.description,
        progress=newest.progress,
        node=newest.node,
        error=error_of(newest) if status == Status.FAILED else None,
        seq=newest.seq,
        tseq=newest.tseq,
        gseq=feed.head,
    )


def error_of(event: Event) -> str | None:
    """Return the error of a job that has failed, after a transition of it."""
    error: str | None = msgspec.json.decode(event.data)["row"]["error_reason"]
    return error


async def _stored(engine: Engine, pk: int) -> Standing:
    snapshot = await jobs.snapshot(engine, [pk])
    if not snapshot.jobs:
        raise NotFound(f"there is no job {pk}")
    row = snapshot.jobs[0].row
    return Standing(
        job=pk,
        status=Status(row.status),
        description=row.description,
        progress=row.progress,
        node=row.node,
        error=row.error if row.status == Status.FAILED else None,
        seq=row.seq,
        tseq=row.tseq,
        gseq=snapshot.gseq,
    )
