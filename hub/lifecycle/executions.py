"""The rows that tell of each queueing of a job, made from the job's own row. Pure."""

from collections.abc import Iterator

from msgspec.structs import replace

from hub.lifecycle.failures import NODE_LOST
from hub.lifecycle.states import HELD, Action, Status
from orm.rows import ExecutionRow, JobRow

OUTCOMES = {
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELED: "canceled",
}
CUT_SHORT = {Action.ABORT: "aborted", Action.LOST: "lost"}


def steps(before: JobRow | None, after: JobRow, action: str, now_us: int) -> Iterator[ExecutionRow]:
    """Yield the executions that a step of a job ends, opens or moves on.

    Nobody executes a meta-job, and an execution that has ended stays as it ended, whoever takes or
    cancels the job afterwards; only a lost one may go on.
    """
    if after.children:
        return
    if before is None:
        yield of(after)
        return
    is_over = after.num_exes > before.num_exes or after.lost_run is not None
    if action in CUT_SHORT and before.status in HELD and is_over:
        yield _cut_short(of(before), Action(action), now_us)
    had_ended = before.status in OUTCOMES and after.num_exes == before.num_exes
    if had_ended or after.lost_run is not None:
        return
    if of(after) != of(before):
        yield _with_last_holder(of(after), before)


def of(row: JobRow) -> ExecutionRow:
    """Return the present execution of a job; one that nobody holds does not tell its last grant."""
    outcome = OUTCOMES.get(Status(row.status))
    return ExecutionRow(
        job=row.pk,
        number=row.num_exes,
        attempt=0 if row.node is None else row.attempt,
        node=row.node,
        queued_us=row.queued_us,
        granted_us=row.lease_granted_us,
        start_us=row.start_us,
        end_us=row.end_us or row.canceled_us,
        outcome="lost" if row.error_name == NODE_LOST else outcome,
        error=row.error,
        error_name=row.error_name,
    )


def merged(earlier: ExecutionRow | None, later: ExecutionRow) -> ExecutionRow:
    """Return ``later`` with the last grant of both: within an execution it only grows."""
    known = 0 if earlier is None else earlier.attempt
    return later if later.attempt >= known else replace(later, attempt=known)


def _cut_short(execution: ExecutionRow, action: Action, now_us: int) -> ExecutionRow:
    name = NODE_LOST if action == Action.LOST else None
    return replace(execution, outcome=CUT_SHORT[action], end_us=now_us, error_name=name)


def _with_last_holder(execution: ExecutionRow, before: JobRow) -> ExecutionRow:
    """A run that ends because its node was lost was still that node's."""
    if execution.outcome != "lost":
        return execution
    return replace(execution, node=before.node, granted_us=before.lease_granted_us)
