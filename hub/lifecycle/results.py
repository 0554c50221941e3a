"""Outputs of a job: who may attach them and when. Pure, like ``decide``, which calls it.

An output belongs to an attempt: only those of the present attempt are shown, so a second run starts
with none and no late upload of a former worker can stand among them.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from hub.lifecycle import commands as c
from hub.lifecycle.auditing import entry
from hub.lifecycle.leases import SECOND_US, may_return, was_held_by
from hub.lifecycle.refusals import (
    IllegalTransition,
    NotYours,
    OutputExists,
    RunOver,
    TooManyOutputs,
)
from hub.lifecycle.states import Status
from hub.lifecycle.world import Decision, Fact, World
from orm.rows import AuditEntry, JobRow, OutputRow

AFTER_CANCEL_US = 600 * SECOND_US
"""How long the holder of a canceled job may still upload: workers send their log late."""

OUTPUTS_MAX = 1_000


def hidden(outputs: Iterable[OutputRow], now_us: int) -> tuple[OutputRow, ...]:
    """Return ``outputs`` as they are once hidden."""
    return tuple(replace(output, deleted_us=now_us) for output in outputs)


def check_may_ever_add(actor: c.Actor) -> None:
    """Refuse who may add outputs to no job at all: what can be said without looking at one.

    Raises:
        NotYours: the actor is neither a node nor an administrator.
    """
    if actor.node is None and not actor.is_admin:
        raise NotYours("only the node that holds a job, or an administrator, may add outputs")


def run_of(row: JobRow) -> tuple[int, int]:
    """Return which run the job is in: a reset begins another one of the same attempt."""
    return row.attempt, row.num_exes


def is_too_late(row: JobRow, actor: c.Actor) -> bool:
    """Whether the actor's node had the job once, and neither has it now nor may get it back."""
    if actor.node is None or row.node == actor.node:
        return False
    return was_held_by(row, actor.node) and not may_return(row, actor.node)


def check_may_add(row: JobRow, actor: c.Actor, now_us: int) -> None:
    """Refuse an upload; asked before the bytes are taken, and again after.

    Raises:
        NotYours: the actor's node does not hold the job, or it is neither node nor administrator.
        IllegalTransition: the job is not in a state that takes outputs.
    """
    check_may_ever_add(actor)
    is_holder = actor.node is not None and row.node == actor.node
    if actor.node is not None and not is_holder:
        raise NotYours(f"only the node that holds job {row.pk} may add outputs to it")
    if row.status in (Status.RUNNING, Status.FAILED):
        return
    if is_holder and now_us - (row.canceled_us or 0) <= AFTER_CANCEL_US:
        return
    raise IllegalTransition(row, "output")


def add(command: c.AddOutput, world: World, now_us: int) -> Decision:
    """Attach an output; the same bytes under the same name again are no change."""
    row = world.job(command.job)
    check_may_add(row, command.actor, now_us)
    if run_of(row) != command.run:
        raise RunOver(f"job {row.pk} began another run while these bytes came")
    there = world.visible(row)
    for output in there:
        if (output.name, output.type) == (command.name, command.type):
            return _again(row, output, command)
    if len(there) >= OUTPUTS_MAX:
        raise TooManyOutputs(f"job {row.pk} already has {OUTPUTS_MAX} outputs")
    output = OutputRow(
        pk=world.fresh_output(),
        job=row.pk,
        attempt=row.attempt,
        name=command.name,
        type=command.type,
        sha256=command.sha256,
        size=command.size,
        creator=command.actor.account,
        created_us=now_us,
        deleted_us=None,
    )
    after = replace(
        row, output_count=len(there) + 1, last_contact_us=_contact(row, command, now_us)
    )
    by_admin = command.actor.node is None
    noted = _audit(command, "job_outputs.add", output) if by_admin else None
    fact = told(row, "added", output)
    return Decision(after, (fact,), outputs=(output,), output=output, audit=noted)


def remove(command: c.RemoveOutput, world: World, now_us: int) -> Decision:
    """Hide an output; again is no change."""
    output = world.output(command.job, command.output)
    row = world.job(command.job)
    if output.deleted_us is not None:
        return Decision(row, output=output)
    (gone,) = hidden([output], now_us)
    is_shown = output.attempt == row.attempt
    after = replace(row, output_count=row.output_count - is_shown)
    noted = _audit(command, "job_outputs.destroy", output)
    return Decision(after, (told(row, "hidden", gone),), outputs=(gone,), output=gone, audit=noted)


def reinstate(command: c.ReinstateOutput, world: World, now_us: int) -> Decision:
    """Bring a hidden output back, unless the attempt has another such output by now."""
    del now_us
    output = world.output(command.job, command.output)
    row = world.job(command.job)
    if output.deleted_us is None:
        return Decision(row, output=output)
    twins = [
        other
        for other in world.outputs_of(row.pk)
        if other.deleted_us is None and _key(other) == _key(output)
    ]
    if twins:
        raise OutputExists(f"output {twins[0].pk} has the same name and type by now")
    back = replace(output, deleted_us=None)
    after = replace(row, output_count=row.output_count + (output.attempt == row.attempt))
    noted = _audit(command, "job_outputs.reinstate", output)
    return Decision(after, (told(row, "shown", back),), outputs=(back,), output=back, audit=noted)


def hard_delete(command: c.HardDeleteOutput, world: World, now_us: int) -> Decision:
    """Remove an output for good."""
    output = world.output(command.job, command.output)
    row = world.job(command.job)
    is_shown = output.deleted_us is None and output.attempt == row.attempt
    return Decision(
        replace(row, output_count=row.output_count - is_shown),
        (told(row, "removed", output),),
        output=replace(output, deleted_us=output.deleted_us or now_us),
        removed_outputs=(output,),
        audit=_audit(command, "job_outputs.hard_delete", output),
    )


def _again(row: JobRow, output: OutputRow, command: c.AddOutput) -> Decision:
    if output.sha256 != command.sha256:
        raise OutputExists(f"output {output.name!r} of type {output.type!r} has other bytes")
    return Decision(row, output=output)


def _key(output: OutputRow) -> tuple[int, str, str]:
    return output.attempt, output.name, output.type


def _contact(row: JobRow, command: c.Command, now_us: int) -> int | None:
    return now_us if command.actor.node is not None else row.last_contact_us


def told(row: JobRow, change: str, output: OutputRow) -> Fact:
    """Return what the log says of a change to an output of a job."""
    about = {"pk": output.pk, "name": output.name, "type": output.type, "size": output.size}
    return Fact("output", row.status, detail={"output": {**about, "change": change}})


def _audit(command: c.Command, action: str, output: OutputRow) -> AuditEntry:
    return entry(command.actor, action, "job_output", output.pk, output.name)
