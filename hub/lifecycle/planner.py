"""From commands to one batch: what it needs, and what it writes. Pure."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from hub.errors import HubError
from hub.lifecycle import commands as c
from hub.lifecycle.decide import decide
from hub.lifecycle.states import Action
from hub.lifecycle.world import Decision, Fact, World
from orm.queries.batch import Draft, Loaded, Needs, Writes
from orm.rows import JobRow, OutputRow

TAKES_SLOT = (c.Acquire, c.Start)
TOUCHES_OUTPUTS = (
    c.AddOutput,
    c.RemoveOutput,
    c.ReinstateOutput,
    c.HardDeleteOutput,
    c.HardDelete,
)


class Outcome(msgspec.Struct, gc=False):
    """The answer to a command: the job after it, and where the log stood when it was committed."""

    job: JobRow
    outputs: list[OutputRow]
    output: OutputRow | None
    removed_outputs: tuple[OutputRow, ...]
    gseq: int = 0


class Batch:
    """Plans one batch: ``needs`` says what to load, ``plan`` decides and collects what to write."""

    def __init__(
        self, commands: Sequence[c.Command], contacts: dict[int, int], now_us: int
    ) -> None:
        self._commands = commands
        self._contacts = contacts
        self._now_us = now_us
        self.outcomes: list[Outcome | HubError] = []
        self.descriptions: list[str] = []
        self.drafts: list[Draft] = []

    @property
    def needs(self) -> Needs:
        """What the batch must see."""
        return Needs(
            jobs=tuple({command.job for command in self._commands if command.job}),
            slots_of=tuple(
                {
                    command.actor.node
                    for command in self._commands
                    if isinstance(command, TAKES_SLOT) and command.actor.node is not None
                }
            ),
            outputs_of=tuple({m.job for m in self._commands if isinstance(m, TOUCHES_OUTPUTS)}),
            children_of=tuple({m.job for m in self._commands if isinstance(m, c.HardDelete)}),
            new_jobs=sum(isinstance(command, c.Create) for command in self._commands),
            new_outputs=sum(isinstance(command, c.AddOutput) for command in self._commands),
        )

    def plan(self, loaded: Loaded) -> Writes:
        """Decide every command in order of arrival; a refused one costs the others nothing."""
        now_us = self._now_us if loaded.now_us is None else loaded.now_us
        world = World(
            [self._with_contact(row) for row in loaded.jobs],
            loaded.outputs,
            loaded.fresh_jobs,
            loaded.fresh_outputs,
            loaded.parents,
            loaded.nodes,
        )
        # As they were stored: a contact that was only remembered so far is written with the batch.
        before = {row.pk: row for row in loaded.jobs}
        writes = Writes(now_us)
        self.outcomes, self.descriptions, self.drafts = [], [], writes.drafts
        for command in self._commands:
            self.outcomes.append(self._one(command, world, writes, now_us))
        _collect_rows(before, world, writes)
        return writes

    def _with_contact(self, row: JobRow) -> JobRow:
        heard_us = self._contacts.get(row.pk)
        if heard_us is None or row.last_contact_us is None or heard_us <= row.last_contact_us:
            return row
        return replace(row, last_contact_us=heard_us)

    def _one(
        self, command: c.Command, world: World, writes: Writes, now_us: int
    ) -> Outcome | HubError:
        try:
            decision = decide(command, world, now_us)
        except HubError as refusal:
            return refusal
        others = tuple(
            (self._log(row, (fact,), writes, now_us), fact) for row, fact in decision.others
        )
        job = self._log(decision.job, decision.facts, writes, now_us)
        decision = replace(decision, job=job, others=others)
        if decision.is_erased:
            self._blank(job.pk, writes)
        world.apply(decision)
        _collect_rest(decision, writes)
        shown = world.visible(job) if job.output_count else []
        return Outcome(job, shown, decision.output, decision.removed_outputs)

    def _log(self, row: JobRow, facts: tuple[Fact, ...], writes: Writes, now_us: int) -> JobRow:
        for fact in facts:
            row, draft = drafted(row, fact, now_us)
            writes.drafts.append(draft)
            self.descriptions.append("" if fact.is_blank else row.description)
        return row

    def _blank(self, job: int, writes: Writes) -> None:
        """Empty what this batch logged of a job it removes; older events are the store's part."""
        for n, draft in enumerate(writes.drafts[:-1]):
            if draft.job == job:
                writes.drafts[n] = replace(draft, type="void", data="{}")
                self.descriptions[n] = ""


def drafted(row: JobRow, fact: Fact, now_us: int) -> tuple[JobRow, Draft]:
    """Return ``row`` with its counters moved, and the event that ``fact`` becomes."""
    is_transition = fact.body is None
    row = replace(row, seq=row.seq + 1, tseq=row.tseq + is_transition)
    draft = Draft(
        job=row.pk,
        seq=row.seq,
        tseq=row.tseq,
        kind="t" if is_transition else "p",
        type=fact.type,
        time_us=now_us,
        from_status=fact.before,
        to_status=row.status,
        attempt=row.attempt,
        node=row.node,
        progress=row.progress,
        n=1,
        data=_data(row, fact) if fact.body is None else fact.body,
    )
    return row, draft


def _data(row: JobRow, fact: Fact) -> str:
    """Return a transition's data: the short row after it, and what else the fact tells."""
    if fact.is_blank:
        return msgspec.json.encode(fact.detail or {}).decode()
    short = {
        "status": row.status,
        "progress_amount": row.progress,
        "description": row.description,
        "labels": msgspec.Raw(row.labels.encode()),
        "creator": row.creator,
        "template": row.template,
        "parent": row.parent,
        "node": row.node,
        "attempt": row.attempt,
        "tries": row.tries,
        "priority": row.priority,
        "error_reason": row.error,
        "deleted": row.deleted_us is not None,
    }
    return msgspec.json.encode({"row": short, **(fact.detail or {})}).decode()


def _collect_rest(decision: Decision, writes: Writes) -> None:
    if decision.spec is not None:
        writes.specs.append(decision.spec)
    if decision.is_erased:
        writes.erased.append(decision.job.pk)
    if decision.audit is not None:
        writes.audits.append(decision.audit)
    removed = {output.pk for output in decision.removed_outputs}
    writes.outputs_removed.extend(removed)
    changed = {output.pk for output in decision.outputs} | removed
    writes.outputs = [o for o in writes.outputs if o.pk not in changed] + list(decision.outputs)


def _collect_rows(before: dict[int, JobRow], world: World, writes: Writes) -> None:
    """Sort the rows that differ from what was loaded by how much of them must be written."""
    moved = {draft.job for draft in writes.drafts if draft.type != Action.PROGRESS}
    for pk, row in world.jobs.items():
        old = before.get(pk)
        if old is None:
            writes.created.append(row)
        elif pk in moved or (old is not row and not _only_reported(old, row)):
            writes.changed.append(row)
        elif old is not row and old != row:
            writes.reported.append(row)


def _only_reported(old: JobRow, row: JobRow) -> bool:
    return old.status == row.status and old.slot_until_us == row.slot_until_us
