"""What one batch sees of the database, and what it will write: plain values, no I/O.

``decide`` reads a ``World``; the ledger applies each decision to it, so that the next command of
the same batch sees what the one before did.
"""

from collections.abc import Iterable, Iterator

import msgspec

from hub.errors import NotFound
from orm.rows import AuditEntry, JobRow, OutputRow, SpecRow


class Fact(msgspec.Struct, frozen=True, gc=False):
    """What happened to a job, before the log numbers it.

    ``body`` is the worker's JSON text of a progress report; ``detail`` further members of a
    transition. A blank one leaves nothing of the job in the log.
    """

    type: str
    before: str | None
    body: str | None = None
    detail: dict[str, object] | None = None
    is_blank: bool = False


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The outcome of one command: rows as they will be, facts for the log and the audit.

    ``others`` happened before the job's own facts, ``members`` are jobs made with it; ``filled`` is
    what a waiting job was created with once it has all its inputs.
    """

    job: JobRow
    facts: tuple[Fact, ...] = ()
    others: tuple[tuple[JobRow, Fact], ...] = ()
    outputs: tuple[OutputRow, ...] = ()
    output: OutputRow | None = None
    removed_outputs: tuple[OutputRow, ...] = ()
    members: tuple[tuple[JobRow, Fact], ...] = ()
    specs: tuple[SpecRow, ...] = ()
    filled: SpecRow | None = None
    is_erased: bool = False
    audit: AuditEntry | None = None


class World:
    """The jobs and outputs that a batch loaded and locked, and fresh numbers for new ones."""

    def __init__(
        self,
        jobs: Iterable[JobRow],
        outputs: Iterable[OutputRow],
        fresh_jobs: Iterable[int] = (),
        fresh_outputs: Iterable[int] = (),
        parents: Iterable[int] = (),
        nodes: Iterable[int] = (),
        specs: Iterable[SpecRow] = (),
    ) -> None:
        self.jobs: dict[int, JobRow] = {}
        self._members: dict[int, set[int]] = {}
        for row in jobs:
            self._put(row)
        self.outputs: dict[int, dict[int, OutputRow]] = {}
        for output in outputs:
            self.outputs.setdefault(output.job, {})[output.pk] = output
        self.parents = frozenset(parents)
        self.nodes = frozenset(nodes)
        self.specs = {spec.pk: spec for spec in specs}
        self._fresh_jobs = iter(fresh_jobs)
        self._fresh_outputs = iter(fresh_outputs)
        self._new_jobs: set[int] = set()
        self._new_outputs: set[int] = set()

    def job(self, pk: int) -> JobRow:
        """Return the row of job ``pk``.

        Raises:
            NotFound: there is no such job.
        """
        row = self.jobs.get(pk)
        # Nobody was told the number of a job that this very batch makes: who names it has guessed.
        if row is None or pk in self._new_jobs:
            raise NotFound(f"there is no job {pk}")
        return row

    def children_of(self, pk: int) -> list[JobRow]:
        """Return the members of meta-job ``pk`` as they are now, oldest first."""
        return [self.jobs[child] for child in sorted(self._members.get(pk, ()))]

    def output(self, job: int, pk: int) -> OutputRow:
        """Return output ``pk`` of ``job``, hidden or not.

        Raises:
            NotFound: the job has no such output.
        """
        row = self.outputs.get(job, {}).get(pk)
        if row is None or pk in self._new_outputs:
            raise NotFound(f"there is no output {pk}")
        return row

    def outputs_of(self, job: int) -> Iterator[OutputRow]:
        """Yield every output of ``job``, hidden ones and those of former attempts too."""
        yield from self.outputs.get(job, {}).values()

    def visible(self, row: JobRow) -> list[OutputRow]:
        """Return the outputs of the present attempt that are not hidden, oldest first."""
        return [
            output
            for output in self.outputs_of(row.pk)
            if output.attempt == row.attempt and output.deleted_us is None
        ]

    def slots_of(self, node: int | None, now_us: int) -> list[JobRow]:
        """Return the jobs that occupy a slot of ``node`` now."""
        return [
            row
            for row in self.jobs.values()
            if row.node == node and row.slot_until_us is not None and row.slot_until_us > now_us
        ]

    def fresh_job(self) -> int:
        """Return a number for a new job."""
        pk = next(self._fresh_jobs)
        self._new_jobs.add(pk)
        return pk

    def fresh_output(self) -> int:
        """Return a number for a new output."""
        pk = next(self._fresh_outputs)
        self._new_outputs.add(pk)
        return pk

    def apply(self, decision: Decision) -> None:
        """Take over what a decision changed."""
        self._put(decision.job)
        for row, _ in (*decision.others, *decision.members):
            self._put(row)
        self.specs.update((spec.pk, spec) for spec in decision.specs)
        if decision.filled is not None:
            self.specs[decision.filled.pk] = decision.filled
        for output in decision.outputs:
            self.outputs.setdefault(output.job, {})[output.pk] = output
        for output in decision.removed_outputs:
            self.outputs.get(output.job, {}).pop(output.pk, None)
        if decision.is_erased:
            self._drop(decision.job)

    def _put(self, row: JobRow) -> None:
        self.jobs[row.pk] = row
        if row.parent is not None:
            self._members.setdefault(row.parent, set()).add(row.pk)

    def _drop(self, row: JobRow) -> None:
        del self.jobs[row.pk]
        self.outputs.pop(row.pk, None)
        if row.parent is not None:
            self._members[row.parent].discard(row.pk)
