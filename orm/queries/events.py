"""The log: committed events in order, of all jobs or of one."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from orm.engine import Engine
from orm.queries.batch import EVENT_COLUMNS, marks
from orm.rows import EventRow

ABOUT_COLUMNS = ("description", "template", "creator", "parent", "labels")
_OWN = len(EVENT_COLUMNS)
_SELECT = (
    f"SELECT {', '.join(f'e.{name}' for name in EVENT_COLUMNS)}, "
    f"{', '.join(f'j.{name}' for name in ABOUT_COLUMNS)}, j.pk "
    "FROM events e LEFT JOIN jobs j ON j.pk = e.job "
)
_ALL = f"{_SELECT} WHERE e.gseq > ? ORDER BY e.gseq LIMIT ?"
_OF_JOBS = " AND e.gseq > ? AND e.gseq <= ? ORDER BY e.gseq LIMIT ?"


class Told(NamedTuple):
    """An event, and ``ABOUT_COLUMNS`` of its job; ``None`` when that was removed for good."""

    event: EventRow
    job: tuple[Any, ...] | None


async def after(engine: Engine, gseq: int, limit: int) -> list[Told]:
    """Return up to ``limit`` events behind number ``gseq``, oldest first."""
    return _told(await engine.fetch(_ALL, (gseq, limit)))


async def of_jobs(
    engine: Engine, jobs: Sequence[int], gseq: int, upto: int, limit: int
) -> list[Told]:
    """Return up to ``limit`` events of ``jobs`` with ``gseq < number <= upto``, oldest first."""
    sql = f"{_SELECT} WHERE e.job IN ({marks(len(jobs))}){_OF_JOBS}"
    return _told(await engine.fetch(sql, (*jobs, gseq, upto, limit)))


def _told(rows: Iterable[Sequence[Any]]) -> list[Told]:
    return [
        Told(EventRow(*row[:_OWN]), None if row[-1] is None else tuple(row[_OWN:-1]))
        for row in rows
    ]
