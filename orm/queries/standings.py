"""How jobs stand at one place in the log: what a watcher begins with."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from orm.engine import Engine
from orm.queries.batch import JOB_COLUMNS, marks
from orm.rows import JobRow

_COLUMNS = ", ".join(f"j.{name}" for name in JOB_COLUMNS)
# The clock also comes where there is no such job.
_SELECT = (
    f"SELECT m.epoch, m.gseq, m.floor, {_COLUMNS} FROM hub_meta m "
    "LEFT JOIN (SELECT * FROM jobs WHERE {where} ORDER BY pk LIMIT ?) j ON 1 = 1 "
    "WHERE m.pk = 1 ORDER BY j.pk"
)
_HAS_LABEL = {
    "sqlite": "EXISTS (SELECT 1 FROM json_each(labels) AS l WHERE l.key = ? AND l.value = ?)",
    "postgres": "CAST(labels AS JSONB) ->> ? = ?",
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs, none of them hidden; what is empty does not restrict."""

    statuses: Sequence[str] = ()
    templates: Sequence[int] = ()
    creators: Sequence[int] = ()
    nodes: Sequence[int] = ()
    parents: Sequence[int] = ()
    labels: Sequence[tuple[str, str]] = ()


class Standings(msgspec.Struct, frozen=True):
    """Jobs in the order of their numbers, as they stood when ``gseq`` was the newest event."""

    epoch: str
    gseq: int
    floor: int
    rows: list[JobRow]


async def of_jobs(engine: Engine, pks: Sequence[int]) -> Standings:
    """Return some jobs, at least one, hidden ones too; what does not exist is left out."""
    sql = _SELECT.format(where=f"pk IN ({marks(len(pks))})")
    return _standings(await engine.fetch(sql, [*pks, len(pks)]))


async def of_wanted(engine: Engine, wanted: Wanted, after: int, limit: int) -> Standings:
    """Return the first ``limit`` jobs that are wanted and have a number above ``after``."""
    conditions = list(_conditions(engine.kind, wanted))
    where = " AND ".join(["pk > ?", "deleted_us IS NULL", *(sql for sql, _ in conditions)])
    values = [after, *(value for _, some in conditions for value in some)]
    return _standings(await engine.search(_SELECT.format(where=where), [*values, limit]))


def _conditions(kind: str, wanted: Wanted) -> Iterator[tuple[str, Sequence[Any]]]:
    for column, choices in (
        ("status", wanted.statuses),
        ("template", wanted.templates),
        ("creator", wanted.creators),
        ("node", wanted.nodes),
        ("parent", wanted.parents),
    ):
        if choices:
            yield f"{column} IN ({marks(len(choices))})", choices
    for label in wanted.labels:
        yield _HAS_LABEL[kind], label


def _standings(rows: Sequence[tuple[Any, ...]]) -> Standings:
    epoch, gseq, floor = rows[0][:3]
    return Standings(epoch, gseq, floor, [JobRow(*row[3:]) for row in rows if row[3] is not None])
