"""Jobs with all that an answer about them shows."""

from collections.abc import Sequence
from typing import Any

import msgspec

from orm.engine import Engine
from orm.queries.batch import JOB_COLUMNS, OUTPUT_COLUMNS, marks
from orm.rows import JobRow, OutputRow, SpecRow


class FullJob(msgspec.Struct, frozen=True):
    """A job, what it was created with, and the outputs of its present attempt."""

    row: JobRow
    spec: SpecRow
    outputs: list[OutputRow]


_OUTPUT_COUNT = JOB_COLUMNS.index("output_count")
_CLOCK = "SELECT epoch, gseq FROM hub_meta WHERE pk = 1"
_COLUMNS = (*(f"j.{name}" for name in JOB_COLUMNS), "s.inputs", "s.parameters")
_JOBS = (
    f"SELECT {', '.join(_COLUMNS)}, m.epoch, m.gseq FROM hub_meta m CROSS JOIN jobs j "
    "JOIN job_specs s ON s.pk = j.pk WHERE m.pk = 1 AND j.pk IN "
)
_OUTPUTS = (
    f"SELECT {', '.join(f'o.{name}' for name in OUTPUT_COLUMNS)} FROM outputs o "
    "JOIN jobs j ON j.pk = o.job AND j.attempt = o.attempt WHERE o.deleted_us IS NULL AND o.job IN "
)
_Rows = Sequence[tuple[Any, ...]]


class Snapshot(msgspec.Struct, frozen=True):
    """Jobs as they stood when the log's newest event was number ``gseq`` of ``epoch``."""

    epoch: str
    gseq: int
    jobs: list[FullJob]


async def snapshot(engine: Engine, pks: Sequence[int]) -> Snapshot:
    """Return jobs in the order of ``pks``, at one moment; missing ones are left out."""
    if not pks:
        ((epoch, gseq),) = await engine.fetch(_CLOCK)
        return Snapshot(epoch, gseq, [])
    of_all = (f"{_JOBS}({marks(len(pks))})", tuple(pks))
    rows = await engine.fetch(*of_all)
    # What most jobs show is in this one statement; a second one is of another moment.
    if rows and not any(row[_OUTPUT_COUNT] for row in rows):
        *_, epoch, gseq = rows[0]
        return Snapshot(epoch, gseq, _full(pks, rows, []))
    of_outputs = (f"{_OUTPUTS}({marks(len(pks))}) ORDER BY o.pk", tuple(pks))
    clock, rows, outputs = await engine.snapshot((_CLOCK, ()), of_all, of_outputs)
    ((epoch, gseq),) = clock
    return Snapshot(epoch, gseq, _full(pks, rows, outputs))


def _full(pks: Sequence[int], rows: _Rows, outputs: _Rows) -> list[FullJob]:
    shown: dict[int, list[OutputRow]] = {}
    for output in (OutputRow(*values) for values in outputs):
        shown.setdefault(output.job, []).append(output)
    found = {}
    for *job, inputs, parameters, _, _ in rows:
        row = JobRow(*job)
        found[row.pk] = FullJob(row, SpecRow(row.pk, inputs, parameters), shown.get(row.pk, []))
    return [found[pk] for pk in pks if pk in found]


async def existing(engine: Engine, pks: Sequence[int]) -> set[int]:
    """Return those of ``pks`` that are numbers of jobs, hidden ones too."""
    rows = await engine.fetch(f"SELECT pk FROM jobs WHERE pk IN ({marks(len(pks))})", tuple(pks))
    return {pk for (pk,) in rows}


async def specs(engine: Engine, pks: Sequence[int]) -> list[SpecRow]:
    """Return what jobs ``pks`` were created with."""
    sql = f"SELECT pk, inputs, parameters FROM job_specs WHERE pk IN ({marks(len(pks))})"
    return [SpecRow(*row) for row in await engine.fetch(sql, tuple(pks))]


async def brief(engine: Engine, pk: int) -> JobRow | None:
    """Return the changing part of job ``pk``."""
    sql = f"SELECT {', '.join(JOB_COLUMNS)} FROM jobs WHERE pk = ?"
    rows = await engine.fetch(sql, (pk,))
    return JobRow(*rows[0]) if rows else None
