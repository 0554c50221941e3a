"""One batch of the ledger: load and lock, let the rules plan, write, commit.

The number of statements is constant for a batch, whatever its size. The clock row is taken last, so
that numbers are given in the order of commits.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from orm.rows import AuditEntry, ExecutionRow, JobRow, OutputRow, SpecRow, last_holder


class Numbered(Protocol):
    """A row with a number."""

    @property
    def pk(self) -> int:
        """Its number."""
        ...


Row = TypeVar("Row", bound=Numbered)


class Needs(msgspec.Struct, frozen=True):
    """What a batch must see: jobs, those that occupy slots of nodes, and fresh numbers.

    With a job that is part of a graph comes the whole graph.
    """

    jobs: tuple[int, ...]
    slots_of: tuple[int, ...] = ()
    outputs_of: tuple[int, ...] = ()
    children_of: tuple[int, ...] = ()
    ending: tuple[int, ...] = ()
    new_jobs: int = 0
    new_outputs: int = 0


class Loaded(msgspec.Struct, frozen=True):
    """What it sees; ``now_us`` is the database's time, ``None`` where the hub's decides."""

    jobs: list[JobRow]
    outputs: list[OutputRow]
    parents: list[int]
    nodes: list[int]
    fresh_jobs: Sequence[int]
    fresh_outputs: Sequence[int]
    now_us: int | None
    specs: list[SpecRow] = []


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event before the clock row numbers it; the fields after the number, in column order."""

    job: int
    seq: int
    tseq: int
    kind: str
    type: str
    time_us: int
    from_status: str | None
    to_status: str | None
    attempt: int
    node: int | None
    progress: float
    n: int
    data: str


class Writes(msgspec.Struct):
    """What a batch changes, and when. A job stands in one of the three lists of rows only."""

    now_us: int
    created: list[JobRow] = []
    specs: list[SpecRow] = []
    filled: dict[int, SpecRow] = {}
    changed: list[JobRow] = []
    reported: list[JobRow] = []
    erased: list[int] = []
    outputs: list[OutputRow] = []
    outputs_removed: list[int] = []
    executions: dict[tuple[int, int], ExecutionRow] = {}
    drafts: list[Draft] = []
    audits: list[AuditEntry] = []

    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not any(getattr(self, name) for name in self.__struct_fields__ if name != "now_us")


Plan = Callable[[Loaded], Writes]


class BatchStore(Protocol):
    """Runs batches against one database.

    ``run`` gives the number of the newest event after the batch: the batch's own events are the
    last ``len(drafts)`` numbers up to it. It raises ``StorageError`` when the outcome is unknown or
    nothing was written; it never half writes.
    """

    async def run(self, needs: Needs, plan: Plan) -> int:
        """Load, plan, write and commit one batch."""
        ...


JOB_COLUMNS = JobRow.__struct_fields__
OUTPUT_COLUMNS = OutputRow.__struct_fields__
EVENT_COLUMNS = ("gseq", *Draft.__struct_fields__)
FIXED = frozenset(
    {"pk", "template", "creator", "parent", "root", "child", "children", "created_us"}
    | {"silence_s", "timeout_s"}
)
CHANGING = tuple(name for name in JOB_COLUMNS if name not in FIXED)
SPEC_COLUMNS = SpecRow.__struct_fields__
EXECUTION_COLUMNS = ExecutionRow.__struct_fields__
EXECUTION_KEY = ("job", "number")
# An execution that nobody holds does not say who had it last: the last grant stays.
EXECUTION_MOVED = ", ".join(
    f"{name} = excluded.{name}"
    for name in EXECUTION_COLUMNS
    if name not in (*EXECUTION_KEY, "attempt")
) + (
    ", attempt = CASE WHEN excluded.attempt > executions.attempt THEN excluded.attempt "
    "ELSE executions.attempt END"
)
REPORTED = ("seq", "progress", "progress_data", "last_contact_us")

JOBS = f"SELECT {', '.join(JOB_COLUMNS)} FROM jobs"
SPECS = "SELECT pk, inputs, parameters, wires FROM job_specs"
OUTPUTS = f"SELECT {', '.join(OUTPUT_COLUMNS)} FROM outputs"


def needs_outputs(row: JobRow) -> bool:
    """Whether the outputs of a job must be seen: some are shown, or may be shown again."""
    return row.output_count > 0 or row.lost_run is not None


def may_return(rows: Iterable[JobRow]) -> list[int]:
    """Return the nodes that may go on with a run they lost, if they have taken nothing since."""
    holders = {last_holder(row) for row in rows if row.lost_run is not None}
    return [node for node in holders if node is not None]


def copies(rows: Sequence[JobRow], outputs: Sequence[OutputRow], needs: Needs) -> int:
    """Return how many outputs at most go up to meta-jobs when the jobs ``needs.ending`` end.

    Those of unfinished jobs may, once for each meta-job above them; also those of a run that was
    lost, for it may come back with its end.
    """
    by_pk = {row.pk: row for row in rows}
    depth = max((_depth(by_pk, pk) for pk in needs.ending), default=0)
    if not depth:
        return 0
    unfinished = [row for row in rows if row.root is not None and row.status != "COMPLETED"]
    lost = {row.pk for row in unfinished if row.lost_run is not None}
    hidden = sum(output.job in lost for output in outputs)
    return depth * (needs.new_outputs + hidden + sum(row.output_count for row in unfinished))


def _depth(by_pk: dict[int, JobRow], pk: int) -> int:
    depth, row = 0, by_pk.get(pk)
    while row is not None and row.parent is not None:
        depth, row = depth + 1, by_pk.get(row.parent)
    return depth


def waiting(rows: Iterable[JobRow]) -> list[int]:
    """Return those jobs of graphs that wait for others."""
    return [row.pk for row in rows if row.status in ("PENDING", "BLOCKED")]


def in_order(pks: Sequence[int], rows: Iterable[Row]) -> list[Row]:
    """Return ``rows`` in the order of ``pks``; those that are not there are left out."""
    by_pk = {row.pk: row for row in rows}
    return [by_pk[pk] for pk in pks if pk in by_pk]


def marks(count: int) -> str:
    """Return ``count`` question marks, comma-separated."""
    return ", ".join("?" * count)


def values(row: Any, names: Sequence[str]) -> tuple[Any, ...]:
    """Return the named fields of ``row``."""
    return tuple(getattr(row, name) for name in names)
