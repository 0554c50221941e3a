"""The log as the fan-out layer reads it: rows of the database as events."""

from channels.events import Event
from orm.engine import Engine
from orm.queries import events, meta
from orm.rows import EventRow


class CommittedLog:
    """``channels.feed.EventLog`` over the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def head(self) -> int:
        """Return the number of the newest committed event, 0 if there is none."""
        return (await meta.clock(self._engine)).gseq

    async def read(self, after: int, limit: int) -> list[Event]:
        """Return the first events behind ``after`` of all jobs."""
        return [event_of(row) for row in await events.after(self._engine, after, limit)]

    async def read_job(self, job: int, after: int, upto: int, limit: int) -> list[Event]:
        """Return the first events of one job with ``after < gseq <= upto``."""
        rows = await events.of_job(self._engine, job, after, upto, limit)
        return [event_of(row) for row in rows]


def event_of(row: EventRow) -> Event:
    """Return a stored event as the fan-out layer knows it."""
    return Event(
        gseq=row.gseq,
        job=row.job,
        seq=row.seq,
        tseq=row.tseq,
        kind=row.kind,
        type=row.type,
        time_us=row.time_us,
        from_status=row.from_status,
        to_status=row.to_status,
        attempt=row.attempt,
        node=row.node,
        progress=row.progress,
        n=row.n,
        data=row.data.encode(),
        description=row.description,
    )
