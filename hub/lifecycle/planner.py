"""From commands to one batch: what it needs, and what it writes. Pure."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from channels.events import About
from hub.errors import HubError
from hub.lifecycle import commands as c
from hub.lifecycle import executions
from hub.lifecycle.decide import decide
from hub.lifecycle.graphs import consequences
from hub.lifecycle.liveness import revival
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


MOVES_QUIETLY = ("status", "slot_until_us", "lease_expires_us", "output_count")
"""What a step without an event may change beyond what a report does."""


class Outcome(msgspec.Struct, gc=False):
    """The answer to a command: the job after it, and where the log stood when it was committed."""

    job: JobRow
    outputs: list[OutputRow]
    output: OutputRow | None
    removed_outputs: tuple[OutputRow, ...]
    gseq: int = 0


class Batch:
    """Plans one batch: ``needs`` says what to load, ``plan`` decides and collects what to write.

    ``contacts`` says of jobs how many microseconds ago their holders were heard of.
    """

    def __init__(
        self, commands: Sequence[c.Command], contacts: dict[int, int], now_us: int
    ) -> None:
        self._commands = commands
        self._contacts = contacts
        self._now_us = now_us
        self.outcomes: list[Outcome | HubError] = []
        self.abouts: list[About | None] = []
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
            ending=tuple({m.job for m in self._commands if isinstance(m, c.Finish)}),
            new_jobs=sum(1 + len(m.members) for m in self._commands if isinstance(m, c.Create)),
            new_outputs=sum(isinstance(command, c.AddOutput) for command in self._commands),
        )

    def plan(self, loaded: Loaded) -> Writes:
        """Decide every command in order of arrival; a refused one costs the others nothing."""
        now_us = self._now_us if loaded.now_us is None else loaded.now_us
        world = World(
            [self._with_contact(row, now_us) for row in loaded.jobs],
            loaded.outputs,
            loaded.fresh_jobs,
            loaded.fresh_outputs,
            loaded.parents,
            loaded.nodes,
            loaded.specs,
        )
        # As they were stored: a contact that was only remembered so far is written with the batch.
        before = {row.pk: row for row in loaded.jobs}
        writes = Writes(now_us)
        self.outcomes, self.abouts, self.drafts = [], [], writes.drafts
        for command in self._commands:
            self.outcomes.append(self._one(command, world, writes, now_us))
        _collect_rows(before, world, writes)
        return writes

    def _with_contact(self, row: JobRow, now_us: int) -> JobRow:
        ago_us = self._contacts.get(row.pk)
        if ago_us is None or row.last_contact_us is None or not self._is_locked(row):
            return row
        heard_us = now_us - ago_us
        return row if heard_us <= row.last_contact_us else replace(row, last_contact_us=heard_us)

    def _is_locked(self, row: JobRow) -> bool:
        """Whether nobody else can write the row: some are only looked at, and must not be."""
        return row.pk in self.needs.jobs or row.node in self.needs.slots_of

    def _one(
        self, command: c.Command, world: World, writes: Writes, now_us: int
    ) -> Outcome | HubError:
        alive = revival(command, world, now_us)
        if alive is not None:
            self._take(alive, world, writes, now_us)
        try:
            decision = decide(command, world, now_us)
        except HubError as refusal:
            return refusal
        decision = self._take(decision, world, writes, now_us)
        shown = world.visible(decision.job) if decision.job.output_count else []
        return Outcome(decision.job, shown, decision.output, decision.removed_outputs)

    def _take(self, decision: Decision, world: World, writes: Writes, now_us: int) -> Decision:
        """Take over what was decided, and what follows from it for the graphs of its jobs."""
        before = {row.pk: world.jobs.get(row.pk) for row in _rows(decision)}
        others = tuple(
            (self._log(row, (fact,), world, writes), fact) for row, fact in decision.others
        )
        job = self._log(decision.job, decision.facts, world, writes)
        members = tuple(
            (self._log(row, (fact,), world, writes), fact) for row, fact in decision.members
        )
        decision = replace(decision, job=job, others=others, members=members)
        if decision.is_erased:
            self._blank(job.pk, writes)
        world.apply(decision)
        _collect_rest(decision, writes)
        for row, fact in (*others, *((job, fact) for fact in decision.facts[-1:])):
            if row.root is not None and not decision.is_erased:
                for step in consequences(before[row.pk], row, fact.type, world, now_us):
                    self._take(step, world, writes, now_us)
        return decision

    def _log(self, row: JobRow, facts: tuple[Fact, ...], world: World, writes: Writes) -> JobRow:
        before = world.jobs.get(row.pk)
        holder = row.node if before is None else before.node
        for fact in facts:
            row, draft = drafted(row, fact, holder, writes.now_us)
            holder = row.node
            writes.drafts.append(draft)
            self.abouts.append(None if fact.is_blank else about_of(row))
            if fact.body is None:
                for step in executions.steps(before, row, fact.type, writes.now_us):
                    key = (step.job, step.number)
                    writes.executions[key] = executions.merged(writes.executions.get(key), step)
        return row

    def _blank(self, job: int, writes: Writes) -> None:
        """Empty what this batch logged of a job it removes; older events are the store's part."""
        for n, draft in enumerate(writes.drafts[:-1]):
            if draft.job == job:
                writes.drafts[n] = replace(draft, type="void", data="{}")
                self.abouts[n] = None


def _rows(decision: Decision) -> list[JobRow]:
    return [decision.job, *(row for row, _ in (*decision.others, *decision.members))]


def drafted(row: JobRow, fact: Fact, holder: int | None, now_us: int) -> tuple[JobRow, Draft]:
    """Return ``row`` with its counters moved, and the event that ``fact`` becomes.

    ``holder`` is the node that held the job before.
    """
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
        data=_data(row, fact, holder) if fact.body is None else fact.body,
    )
    return row, draft


def about_of(row: JobRow) -> About:
    """Return what the events of a job tell of it."""
    return About(row.description, row.template, row.creator, row.parent, row.labels)


def _data(row: JobRow, fact: Fact, holder: int | None) -> str:
    """Return a transition's data: the short row after it, and what else the fact tells.

    ``from_node`` is there where the job changed hands: who follows a node must see what leaves it.
    """
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
    moved = {} if holder == row.node else {"from_node": holder}
    return msgspec.json.encode({"row": short, **moved, **(fact.detail or {})}).decode()


def _collect_rest(decision: Decision, writes: Writes) -> None:
    writes.specs.extend(decision.specs)
    if decision.filled is not None:
        writes.filled[decision.filled.pk] = decision.filled
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
    return all(getattr(old, name) == getattr(row, name) for name in MOVES_QUIETLY)
