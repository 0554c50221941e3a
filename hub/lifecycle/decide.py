"""What each command does: pure functions from (command, world, now) to a decision, or a refusal.

No I/O, no clock, no randomness: the same arguments give the same decision. Source of the rules: the
job API's documents and the state table in ``states``; outputs are in ``results``.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from hub.errors import BadNodeId, NotFound
from hub.lifecycle import commands as c
from hub.lifecycle import creation, graphs, leases, liveness, results
from hub.lifecycle.auditing import entry
from hub.lifecycle.failures import TIMEOUT, UNKNOWN
from hub.lifecycle.refusals import (
    GraphMember,
    IllegalTransition,
    JobDeleted,
    JobHeld,
    JobTaken,
    MetaJob,
    NodeBusy,
    NotYours,
    OutputsMissing,
)
from hub.lifecycle.states import FINAL, HELD, Action, Status, next_status
from hub.lifecycle.world import Decision, Fact, World
from orm.rows import AuditEntry, JobRow, last_holder

OF_WORK = (
    *(c.Acquire, c.Release, c.Start, c.Progress, c.Finish, c.Reset, c.Abort, c.Requeue),
    c.AddOutput,
)
"""What is not done to a meta-job itself."""

Rule = Callable[[Any, World, int], Decision]


def decide(command: c.Command, world: World, now_us: int) -> Decision:
    """Return what ``command`` changes.

    Raises:
        HubError: the command is refused and changes nothing.
    """
    row = world.jobs.get(command.job)
    if row is not None and row.children and isinstance(command, OF_WORK):
        raise MetaJob(f"job {row.pk} is a meta-job: its {row.children} children do the work")
    if row is not None and isinstance(command, c.RemoveOutput | c.HardDeleteOutput):
        graphs.check_unawaited(row, command.output, world)
    return RULES[type(command)](command, world, now_us)


def acquire(command: c.Acquire, world: World, now_us: int) -> Decision:
    """Grant the job to the actor's node; the holder that asks again gets the same lease."""
    row, node = world.job(command.job), command.actor.node
    if row.deleted_us is not None:
        raise NotFound(f"there is no job {row.pk}")
    if node not in world.nodes:  # it was removed while it asked
        raise BadNodeId(f"there is no node {node}")
    if row.node == node and row.status not in FINAL:
        return Decision(replace(row, last_contact_us=now_us))
    if row.node is not None and row.status not in FINAL:
        raise JobHeld(row)
    _require(row, Action.ACQUIRE)
    others = liveness.superseded(world.slots_of(node, now_us), row, now_us)
    lost = [world.job(other.pk) for other, fact in others if fact.type == Action.LOST]
    return Decision(
        leases.granted(row, command.actor, now_us),
        (Fact(Action.ACQUIRE, row.status),),
        others=tuple(others),
        outputs=tuple(o for job in lost for o in results.hidden(world.visible(job), now_us)),
    )


def release(command: c.Release, world: World, now_us: int) -> Decision:
    """Put an unstarted job back and give the try back; a failed one loses its holder."""
    row = world.job(command.job)
    if row.node != command.actor.node:
        return _unchanged_for_former_holder(row, command.actor)
    status = _require(row, Action.RELEASE)
    after = replace(leases.unheld(row, now_us), status=status)
    if status == Status.QUEUED:
        after = replace(after, tries=row.tries - 1, queued_us=now_us)
    return Decision(after, (Fact(Action.RELEASE, row.status),))


def start(command: c.Start, world: World, now_us: int) -> Decision:
    """Begin the run, if the node has no other one."""
    row = _held_by(world.job(command.job), command.actor)
    if row.status == Status.RUNNING:
        return Decision(replace(row, last_contact_us=now_us))
    for other in world.slots_of(row.node, now_us):
        if other.pk != row.pk and other.status != Status.ACQUIRED:
            raise NodeBusy(row, other)
    status = _require(row, Action.START)
    after = replace(
        row,
        status=status,
        start_us=now_us,
        deadline_us=leases.deadline_us(row, now_us),
        last_contact_us=now_us,
        modified_us=now_us,
    )
    return Decision(after, (Fact(Action.START, row.status),))


def progress(command: c.Progress, world: World, now_us: int) -> Decision:
    """Store the report; the stored value never goes back within an attempt."""
    row = _held_by(world.job(command.job), command.actor)
    _require(row, Action.PROGRESS)
    after = replace(
        row,
        progress=max(row.progress, command.value),
        progress_data=command.body,
        last_contact_us=now_us,
    )
    return Decision(after, (Fact(Action.PROGRESS, row.status, body=command.body),))


def finish(command: c.Finish, world: World, now_us: int) -> Decision:
    """End the run. A worker whose run was taken, canceled or too long changes nothing."""
    row = world.job(command.job)
    if row.node != command.actor.node:
        unchanged = _unchanged_for_former_holder(row, command.actor)
        return replace(unchanged, audit=audit(command, "jobs.finish_late", row.pk))
    if row.status == Status.CANCELED or row.error_name == TIMEOUT:
        return Decision(replace(row, slot_until_us=None))
    error = command.error
    if error is None:
        error = graphs.missing_outputs(row, world)
    action = Action.FINISH if error is None else Action.ERROR
    if row.status == {Action.FINISH: Status.COMPLETED, Action.ERROR: Status.FAILED}[action]:
        return Decision(row)
    status = _require(row, action)
    _require_outputs(command, world.visible(row))
    after = replace(
        leases.without_lease(row),
        status=status,
        error=error,
        error_name=None if error is None else UNKNOWN,
        end_us=now_us,
        slot_until_us=None,
        last_contact_us=now_us,
        modified_us=now_us,
    )
    return Decision(after, (Fact(action, row.status),))


def reset(command: c.Reset, world: World, now_us: int) -> Decision:
    """Give the node that failed the job another run of it, on a clean slate: another try, too.

    Else a release after it would give back the try of the run that failed.
    """
    row = _alive(_held_by(world.job(command.job), command.actor))
    status = _require(row, Action.RESET)
    after = replace(
        row,
        status=status,
        error=None,
        error_name=None,
        start_us=None,
        end_us=None,
        progress=0.0,
        progress_data=None,
        output_count=0,
        tries=row.tries + 1,
        num_exes=row.num_exes + 1,
        queued_us=now_us,
        lease_expires_us=now_us + leases.suspect_after_us(row),
        slot_until_us=leases.NO_END_US,
        last_contact_us=now_us,
        modified_us=now_us,
    )
    hidden = results.hidden(world.visible(row), now_us)
    return Decision(after, (Fact(Action.RESET, row.status),), outputs=hidden)


def abort(command: c.Abort, world: World, now_us: int) -> Decision:
    """Take the job from its holder, also from one that was lost: its lease is void from then on."""
    row = _alive(world.job(command.job))
    if row.status == Status.QUEUED and row.lost_run is None:
        return Decision(row)
    _require(row, Action.ABORT)
    is_lost = row.lost_run is not None
    detail: dict[str, object] | None = {"lost_node": last_holder(row)} if is_lost else None
    return Decision(
        leases.given_up(replace(row, modified_us=now_us))
        if is_lost
        else leases.queued_again(row, now_us),
        (Fact(Action.ABORT, row.status, detail=detail),),
        outputs=results.hidden(world.visible(row), now_us),
        audit=audit(command, "jobs.abort", row.pk, row.status, Status.QUEUED),
    )


def cancel(command: c.Cancel, world: World, now_us: int) -> Decision:
    """End the job at once; a running worker learns of it later and keeps its slot a while."""
    row = world.job(command.job)
    if not (command.actor.is_admin or row.creator == command.actor.account):
        raise NotYours(f"only the creator of job {row.pk} or an administrator may cancel it")
    if row.status in FINAL:
        return Decision(row)
    if row.parent is not None:
        raise GraphMember(f"job {row.pk} belongs to job {row.root}: cancel that one")
    status = _require(row, Action.CANCEL)
    return Decision(
        leases.canceled(row, now_us),
        (Fact(Action.CANCEL, row.status),),
        audit=audit(command, "jobs.cancel", row.pk, row.status, status),
    )


def requeue(command: c.Requeue, world: World, now_us: int) -> Decision:
    """Queue a failed or canceled job for one more try."""
    row = _alive(world.job(command.job))
    _require(row, Action.REQUEUE)
    graphs.check_goes_on(row, world)
    after = replace(
        leases.queued_again(row, now_us),
        max_tries=row.tries + 1,
        priority=row.priority if command.priority is None else command.priority,
    )
    return Decision(
        after,
        (Fact(Action.REQUEUE, row.status),),
        outputs=results.hidden(world.visible(row), now_us),
        audit=audit(command, "jobs.requeue", row.pk, row.status, Status.QUEUED),
    )


def describe(command: c.Describe, world: World, now_us: int) -> Decision:
    """Change the description."""
    row = world.job(command.job)
    if command.description is None or command.description == row.description:
        return Decision(row)
    after = replace(row, description=command.description, modified_us=now_us)
    noted = audit(command, "jobs.update", row.pk, row.description, command.description)
    return Decision(after, (Fact("update", row.status),), audit=noted)


def destroy(command: c.Destroy, world: World, now_us: int) -> Decision:
    """Hide the job; one that a node holds must be canceled first."""
    row = world.job(command.job)
    if row.deleted_us is not None:
        return Decision(row)
    _check_unused(row, world)
    noted = audit(command, "jobs.destroy", row.pk)
    return Decision(leases.hidden(row, now_us), (Fact(Action.DESTROY, row.status),), audit=noted)


def reinstate(command: c.Reinstate, world: World, now_us: int) -> Decision:
    """Bring a hidden job back."""
    row = world.job(command.job)
    if row.deleted_us is None:
        return Decision(row)
    noted = audit(command, "jobs.reinstate", row.pk)
    fact = Fact(Action.REINSTATE, row.status)
    return Decision(leases.shown(row, now_us), (fact,), audit=noted)


def hard_delete(command: c.HardDelete, world: World, now_us: int) -> Decision:
    """Remove the job and everything it produced; its events stay in the log, blank."""
    row = world.job(command.job)
    _check_unused(row, world)
    if row.pk in world.parents:
        raise JobTaken(row, "other jobs belong to it, delete them first")
    return Decision(
        row,
        (Fact(Action.DESTROY, row.status, detail={"hard": True}, is_blank=True),),
        removed_outputs=tuple(world.outputs_of(row.pk)),
        is_erased=True,
        audit=audit(command, "jobs.hard_delete", row.pk),
    )


def touch(command: c.Touch, world: World, now_us: int) -> Decision:
    """Move the last contact forward, if the node still holds the job."""
    row = world.jobs.get(command.job)
    if row is None or row.node != command.actor.node:
        raise NotFound(f"node {command.actor.node} no longer holds job {command.job}")
    heard_us = now_us - command.ago_us
    return Decision(replace(row, last_contact_us=max(row.last_contact_us or 0, heard_us)))


def audit(
    command: c.Command, action: str, pk: int, before: str | None = None, after: str | None = None
) -> AuditEntry:
    """Return the audit entry of a privileged act on job ``pk``."""
    return entry(command.actor, action, "job", pk, before, after)


def _check_unused(row: JobRow, world: World) -> None:
    if any(member.status in HELD for member in (row, *world.children_of(row.pk))):
        raise JobTaken(row, "cancel it first")
    graphs.check_may_go(row, world)


def _require(row: JobRow, action: Action) -> Status:
    status = next_status(row.status, action)
    if status is None:
        raise IllegalTransition(row, action)
    return status


def _alive(row: JobRow) -> JobRow:
    if row.deleted_us is not None:
        raise JobDeleted(f"job {row.pk} is deleted; reinstate it first")
    return row


def _held_by(row: JobRow, actor: c.Actor) -> JobRow:
    leases.check_holder(row, actor)
    return row


def _unchanged_for_former_holder(row: JobRow, actor: c.Actor) -> Decision:
    leases.check_holder_once(row, actor)
    return Decision(row)


def _require_outputs(command: c.Finish, there: list[Any]) -> None:
    missing = sorted(set(command.outputs) - {output.name for output in there})
    if missing:
        raise OutputsMissing(f"not uploaded yet: {', '.join(missing)}")


RULES: dict[type[c.Command], Rule] = {
    c.Create: creation.create,
    c.Acquire: acquire,
    c.Release: release,
    c.Start: start,
    c.Progress: progress,
    c.Finish: finish,
    c.Reset: reset,
    c.Abort: abort,
    c.Cancel: cancel,
    c.Requeue: requeue,
    c.Describe: describe,
    c.Destroy: destroy,
    c.Reinstate: reinstate,
    c.HardDelete: hard_delete,
    c.Expire: liveness.expire,
    c.Touch: touch,
    c.AddOutput: results.add,
    c.RemoveOutput: results.remove,
    c.ReinstateOutput: results.reinstate,
    c.HardDeleteOutput: results.hard_delete,
}
