"""The log as the fan-out layer reads it: rows of the database as events."""

from collections.abc import Iterable, Sequence

from channels.events import About, Event
from orm.engine import Engine
from orm.queries import events, meta
from orm.queries.events import Told
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
        return _events(await events.after(self._engine, after, limit))

    async def read_jobs(
        self, jobs: Sequence[int], after: int, upto: int, limit: int
    ) -> list[Event]:
        """Return the first events of some jobs with ``after < gseq <= upto``."""
        return _events(await events.of_jobs(self._engine, jobs, after, upto, limit))


def _events(told: Iterable[Told]) -> list[Event]:
    known: dict[int, About] = {}
    return [
        event_of(event, None if job is None else known.setdefault(event.job, About(*job)))
        for event, job in told
    ]


def event_of(row: EventRow, about: About | None) -> Event:
    """Return a stored event, and the job it is about, as the fan-out layer knows them."""
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
        about=about,
    )
