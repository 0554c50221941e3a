"""Jobs with all that an answer about them shows."""

from collections.abc import Sequence

import msgspec

from orm.engine import Engine
from orm.queries.batch import JOB_COLUMNS, OUTPUT_COLUMNS, marks
from orm.rows import JobRow, OutputRow, SpecRow


class FullJob(msgspec.Struct, frozen=True):
    """A job, what it was created with, and the outputs of its present attempt."""

    row: JobRow
    spec: SpecRow
    outputs: list[OutputRow]


_JOBS = (
    f"SELECT {', '.join(f'j.{name}' for name in JOB_COLUMNS)}, s.inputs, s.parameters "
    "FROM jobs j JOIN job_specs s ON s.pk = j.pk WHERE j.pk IN "
)
_OUTPUTS = (
    f"SELECT {', '.join(f'o.{name}' for name in OUTPUT_COLUMNS)} FROM outputs o "
    "JOIN jobs j ON j.pk = o.job AND j.attempt = o.attempt WHERE o.deleted_us IS NULL AND o.job IN "
)
_CLOCK = "SELECT epoch, gseq FROM hub_meta WHERE pk = 1"


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
    some = f"({marks(len(pks))})"
    clock, rows, outputs = await engine.snapshot(
        (_CLOCK, ()), (_JOBS + some, tuple(pks)), (f"{_OUTPUTS}{some} ORDER BY o.pk", tuple(pks))
    )
    shown: dict[int, list[OutputRow]] = {}
    for output in (OutputRow(*values) for values in outputs):
        shown.setdefault(output.job, []).append(output)
    found = {}
    for *job, inputs, parameters in rows:
        row = JobRow(*job)
        found[row.pk] = FullJob(row, SpecRow(row.pk, inputs, parameters), shown.get(row.pk, []))
    epoch, gseq = clock[0]
    return Snapshot(epoch, gseq, [found[pk] for pk in pks if pk in found])


async def specs(engine: Engine, pks: Sequence[int]) -> list[SpecRow]:
    """Return what jobs ``pks`` were created with."""
    sql = f"SELECT pk, inputs, parameters FROM job_specs WHERE pk IN ({marks(len(pks))})"
    return [SpecRow(*row) for row in await engine.fetch(sql, tuple(pks))]


async def brief(engine: Engine, pk: int) -> JobRow | None:
    """Return the changing part of job ``pk``."""
    sql = f"SELECT {', '.join(JOB_COLUMNS)} FROM jobs WHERE pk = ?"
    rows = await engine.fetch(sql, (pk,))
    return JobRow(*rows[0]) if rows else None
