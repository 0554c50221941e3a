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
    """The outcome of one command: rows as they will be, facts for the log and the audit."""

    job: JobRow
    facts: tuple[Fact, ...] = ()
    others: tuple[tuple[JobRow, Fact], ...] = ()
    outputs: tuple[OutputRow, ...] = ()
    output: OutputRow | None = None
    removed_outputs: tuple[OutputRow, ...] = ()
    spec: SpecRow | None = None
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
    ) -> None:
        self.jobs = {row.pk: row for row in jobs}
        self.outputs: dict[int, dict[int, OutputRow]] = {}
        for output in outputs:
            self.outputs.setdefault(output.job, {})[output.pk] = output
        self.parents = frozenset(parents)
        self.nodes = frozenset(nodes)
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
        self.jobs[decision.job.pk] = decision.job
        self.jobs.update((row.pk, row) for row, _ in decision.others)
        for output in decision.outputs:
            self.outputs.setdefault(output.job, {})[output.pk] = output
        for output in decision.removed_outputs:
            self.outputs.get(output.job, {}).pop(output.pk, None)
        if decision.is_erased:
            del self.jobs[decision.job.pk]
            self.outputs.pop(decision.job.pk, None)
