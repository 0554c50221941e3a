"""A batch store in memory, and the people and commands that tests of the rules start from."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from hub.errors import HubError
from hub.lifecycle import commands as c
from hub.lifecycle.planner import Batch, Outcome
from orm.queries import audit
from orm.queries.batch import (
    CHANGING,
    REPORTED,
    Loaded,
    Needs,
    Plan,
    Writes,
    copies,
    may_return,
    needs_outputs,
    values,
    waiting,
)
from orm.rows import AuditEntry, ExecutionRow, JobRow, OutputRow, SpecRow
from tests.folding import Story

NOW_US = 1_700_000_000_000_000
SECOND_US = 1_000_000

HUB = c.Actor(account=None)
ADMIN = c.Actor(account=1, is_admin=True)
CREATOR = c.Actor(account=20)
STRANGER = c.Actor(account=30)

JOB: dict[str, Any] = {
    "template": 1,
    "priority": 100,
    "max_tries": 3,
    "silence_s": 3_600,
    "timeout_s": None,
    "description": "",
    "labels": "{}",
    "inputs": "{}",
    "parameters": "{}",
}


def worker(node: int) -> c.Actor:
    """Return a worker on ``node``; its account owns the node and nothing else."""
    return c.Actor(account=100 + node, node=node, session=f"session-{node}")


def a_job(**about: Any) -> c.Create:
    """Return a command that makes a job."""
    return c.Create(actor=CREATOR, **JOB | about)


def bytes_named(
    name: str, job: int, actor: c.Actor, *, sha256: str = "a", run: tuple[int, int] = (1, 1)
) -> c.AddOutput:
    """Return a command that attaches an output, to the first run of the first attempt."""
    return c.AddOutput(actor=actor, job=job, name=name, type="t", sha256=sha256, size=1, run=run)


class MemoryBatches:
    """``BatchStore`` in memory: the same as the databases do, without any."""

    def __init__(self) -> None:
        self.jobs: dict[int, JobRow] = {}
        self.specs: dict[int, SpecRow] = {}
        self.executions: dict[tuple[int, int], ExecutionRow] = {}
        self.outputs: dict[int, OutputRow] = {}
        self.events: list[dict[str, Any]] = []
        self.audits: list[tuple[Any, ...]] = []
        self.nodes = set(range(1, 10))
        self._last_job = 0
        self._last_output = 0

    async def run(self, needs: Needs, plan: Plan) -> int:
        """Load, plan and write one batch."""
        return self.write(plan(self.load(needs)))

    def load(self, needs: Needs) -> Loaded:
        """Return what a batch asks for."""
        asked = [row for row in self.jobs.values() if row.pk in needs.jobs]
        nodes = {*needs.slots_of, *may_return(asked)}
        asked += [r for r in self.jobs.values() if r.slot_until_us is not None and r.node in nodes]
        roots = {row.root for row in asked if row.root is not None}
        asked += [row for row in self.jobs.values() if row.root in roots]
        jobs = list({row.pk: row for row in asked}.values())
        seen = {*needs.outputs_of, *(row.pk for row in jobs if needs_outputs(row))}
        outputs = [output for output in self.outputs.values() if output.job in seen]
        new_outputs = needs.new_outputs + copies(jobs, outputs, needs)
        return Loaded(
            jobs=jobs,
            outputs=outputs,
            parents=[row.parent for row in self.jobs.values() if row.parent in needs.children_of],
            nodes=[node for node in needs.slots_of if node in self.nodes],
            fresh_jobs=range(self._last_job + 1, self._last_job + 1 + needs.new_jobs),
            fresh_outputs=range(self._last_output + 1, self._last_output + 1 + new_outputs),
            now_us=None,
            specs=[self.specs[pk] for pk in waiting(jobs)],
        )

    def write(self, writes: Writes) -> int:
        """Write as the statements of the databases do, and return the newest number."""
        for rows, names in ((writes.reported, REPORTED), (writes.changed, CHANGING)):
            for row in rows:
                seen = dict(zip(names, values(row, names), strict=True))
                self.jobs[row.pk] = replace(self.jobs[row.pk], **seen)
        self.specs |= {spec.pk: spec for spec in writes.specs} | writes.filled
        for row in writes.created:
            self.jobs[row.pk] = row
            self._last_job = max(self._last_job, row.pk)
        for key, step in writes.executions.items():
            known = self.executions.get(key, step)
            self.executions[key] = replace(step, attempt=max(known.attempt, step.attempt))
        self._write_outputs(writes)
        for draft in writes.drafts:
            self.events.append({"gseq": len(self.events) + 1, **asdict(draft)})
        for pk in writes.erased:
            self._erase(pk)
        head = self.audits[-1][-1] if self.audits else ""
        self.audits += audit.chained(head, writes.audits, writes.now_us)
        return len(self.events)

    def _write_outputs(self, writes: Writes) -> None:
        for output in writes.outputs:
            there = self.outputs.get(output.pk)
            self.outputs[output.pk] = (
                replace(there, deleted_us=output.deleted_us) if there else output
            )
            self._last_output = max(self._last_output, output.pk)
        for pk in writes.outputs_removed:
            self.outputs.pop(pk, None)

    def _erase(self, pk: int) -> None:
        """Remove the job and blank its events but the last, which says that it was removed."""
        del self.jobs[pk]
        self.executions = {key: row for key, row in self.executions.items() if key[0] != pk}
        *blank, _ = [event for event in self.events if event["job"] == pk]
        for event in blank:
            event |= {"type": "void", "data": "{}"}

    def story(self) -> Story:
        """Return everything, as it would be read from a database."""
        names = (*AuditEntry.__struct_fields__, "hash")
        audits = [
            dict(zip(("time_us", *names), row, strict=True)) | {"pk": pk}
            for pk, row in enumerate(self.audits, 1)
        ]
        head = self.audits[-1][-1] if self.audits else ""
        return Story(
            clock={"gseq": len(self.events), "audit_hash": head},
            jobs=[asdict(row) for row in self.jobs.values()],
            events=self.events,
            outputs=[asdict(row) for row in self.outputs.values()],
            executions=[asdict(row) for _, row in sorted(self.executions.items())],
            audit=audits,
        )


class Desk(msgspec.Struct):
    """Runs commands through the real planner against a store in memory."""

    store: MemoryBatches
    now_us: int = NOW_US

    def together(self, commands: Sequence[c.Command]) -> list[Outcome | HubError]:
        """Run commands as one batch."""
        batch = Batch(commands, {}, self.now_us)
        self.store.write(batch.plan(self.store.load(batch.needs)))
        return batch.outcomes

    def do(self, command: c.Command) -> Outcome:
        """Run one command and return what it did; a refusal is raised."""
        (outcome,) = self.together([command])
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    def look(self) -> None:
        """Do what the hub does every other second: look at all leases that have run out."""
        rows = self.store.jobs.values()
        due = [row for row in rows if _is_due(row.lease_expires_us, self.now_us)]
        due += [row for row in rows if _is_due(row.deadline_us, self.now_us)]
        self.together([c.Expire(actor=HUB, job=row.pk, attempt=row.attempt) for row in due])

    def poll(self, node: int) -> None:
        """Let ``node`` ask for free jobs, and the hub look at what it holds."""
        held = [row for row in self.store.jobs.values() if row.node == node]
        self.together(
            [c.Expire(actor=HUB, job=r.pk, attempt=r.attempt, is_idle=True) for r in held]
        )


def _is_due(moment_us: int | None, now_us: int) -> bool:
    return moment_us is not None and moment_us <= now_us


def new_desk() -> Desk:
    """Return a desk over an empty store."""
    return Desk(MemoryBatches())
