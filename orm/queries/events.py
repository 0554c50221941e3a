"""The log: committed events in order, of all jobs or of one."""

from orm.engine import Engine
from orm.queries.batch import EVENT_COLUMNS
from orm.rows import EventRow

_SELECT = (
    f"SELECT {', '.join(f'e.{name}' for name in EVENT_COLUMNS)}, coalesce(j.description, '') "
    "FROM events e LEFT JOIN jobs j ON j.pk = e.job "
)
_ALL = f"{_SELECT} WHERE e.gseq > ? ORDER BY e.gseq LIMIT ?"
_OF_JOB = f"{_SELECT} WHERE e.job = ? AND e.gseq > ? AND e.gseq <= ? ORDER BY e.gseq LIMIT ?"


async def after(engine: Engine, gseq: int, limit: int) -> list[EventRow]:
    """Return up to ``limit`` events behind number ``gseq``, oldest first."""
    return [EventRow(*row) for row in await engine.fetch(_ALL, (gseq, limit))]


async def of_job(engine: Engine, job: int, gseq: int, upto: int, limit: int) -> list[EventRow]:
    """Return up to ``limit`` events of ``job`` with ``gseq < number <= upto``, oldest first."""
    return [EventRow(*row) for row in await engine.fetch(_OF_JOB, (job, gseq, upto, limit))]
