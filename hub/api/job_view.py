"""The one projection of a job to ``/v1``: rows in, the JSON of ``wire.jobs.JobOut`` out."""

from collections import OrderedDict
from functools import lru_cache

import msgspec

from hub import clock
from hub.errors import NotFound
from hub.lifecycle.planner import Outcome
from hub.lifecycle.states import WAITING, Status
from hub.wire.jobs import JobOut, OutputOut, OutputRef, TemplateRef
from orm.engine import Engine
from orm.queries import jobs, templates
from orm.rows import JobRow, OutputRow, SpecRow

SPECS_BYTES = 32 * 2**20
TEMPLATES_MAX = 4_096
ENCODER = msgspec.json.Encoder()


@lru_cache(maxsize=16_384)
def iso(moment_us: int) -> str:
    """Return a stored time as it stands in answers; a job's times are asked for again and again."""
    return clock.iso(moment_us)


def maybe_iso(moment_us: int | None) -> str | None:
    """Return a stored time as it stands in answers, ``None`` for none."""
    return None if moment_us is None else iso(moment_us)


class JobViews:
    """Encodes jobs; keeps what never changes about them in bounded memory.

    A member of a graph that waits for others has not all of its inputs yet: it is not kept.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._specs: OrderedDict[int, SpecRow] = OrderedDict()
        self._specs_bytes = 0
        self._templates: dict[int, TemplateRef] = {}

    async def of_outcome(self, outcome: Outcome) -> bytes:
        """Return the JSON of the job after a command."""
        row = outcome.job
        spec = self._known(row.pk) or await self._load_spec(row)
        return await self.of_rows(row, spec, outcome.outputs)

    async def of_rows(self, row: JobRow, spec: SpecRow, outputs: list[OutputRow]) -> bytes:
        """Return the JSON of a job given its rows."""
        template = self._templates.get(row.template) or await self._load_template(row.template)
        return ENCODER.encode(job_out(row, spec, template, outputs))

    async def of_job(self, job: jobs.FullJob) -> bytes:
        """Return the JSON of a job as a snapshot gives it."""
        return await self.of_rows(job.row, job.spec, job.outputs)

    def remember(self, spec: SpecRow) -> None:
        """Keep what a job was created with, dropping the longest unused beyond the limit."""
        former = self._specs.pop(spec.pk, None)
        self._specs[spec.pk] = spec
        self._specs_bytes += _weight(spec) - (_weight(former) if former else 0)
        while self._specs_bytes > SPECS_BYTES:
            _, gone = self._specs.popitem(last=False)
            self._specs_bytes -= _weight(gone)

    def _known(self, pk: int) -> SpecRow | None:
        if pk in self._specs:
            self._specs.move_to_end(pk)
        return self._specs.get(pk)

    async def _load_spec(self, row: JobRow) -> SpecRow:
        found = await jobs.specs(self._engine, [row.pk])
        if not found:  # the job was removed by the command that is answered
            return SpecRow(row.pk, "{}", "{}")
        if row.status not in WAITING:
            self.remember(found[0])
        return found[0]

    async def _load_template(self, pk: int) -> TemplateRef:
        row = await templates.get(self._engine, pk)
        if row is None:
            raise NotFound(f"there is no job template {pk}")
        if len(self._templates) >= TEMPLATES_MAX:
            self._templates.clear()
        self._templates[pk] = TemplateRef(row.pk, row.name, row.version)
        return self._templates[pk]


def _weight(spec: SpecRow) -> int:
    return len(spec.inputs) + len(spec.parameters) + 200


def job_out(row: JobRow, spec: SpecRow, template: TemplateRef, outputs: list[OutputRow]) -> JobOut:
    """Return a job as ``/v1`` shows it; JSON columns are spliced in as they are stored."""
    return JobOut(
        pk=row.pk,
        template=template,
        parent=row.parent,
        child=row.child,
        children=row.children,
        start_time=maybe_iso(row.start_us),
        end_time=maybe_iso(row.end_us),
        error_reason=row.error,
        input_values=msgspec.Raw(spec.inputs),  # type: ignore[arg-type]  # JSON text of that shape
        parameter_values=msgspec.Raw(spec.parameters),  # type: ignore[arg-type]  # likewise
        node=row.node,
        outputs=[OutputRef(output.pk, output.name, output.type) for output in outputs],
        description=row.description,
        is_cancelled=row.status == Status.CANCELED,
        creator=row.creator,
        creation_time=iso(row.created_us),
        deletion_time=maybe_iso(row.deleted_us),
        status=row.status,
        progress_amount=row.progress,
        progress_data=None if row.progress_data is None else msgspec.Raw(row.progress_data),
        attempt=row.attempt,
        tries=row.tries,
        max_tries=row.max_tries,
        num_exes=row.num_exes,
        priority=row.priority,
        labels=msgspec.Raw(row.labels),  # type: ignore[arg-type]  # likewise
        queued_time=iso(row.queued_us),
        last_modified=iso(row.modified_us),
    )


def output_out(row: OutputRow) -> OutputOut:
    """Return an output as ``/v1`` shows it."""
    return OutputOut(
        pk=row.pk,
        job=row.job,
        name=row.name,
        type=row.type,
        creator=row.creator,
        creation_time=iso(row.created_us),
        deletion_time=maybe_iso(row.deleted_us),
        attempt=row.attempt,
        size=row.size,
        sha256=row.sha256,
    )
