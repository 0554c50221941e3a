"""Who holds a job and for how long: the rules of legacy leases, pure.

A legacy worker speaks only the plain UFDL calls and is strictly sequential: it has one slot.
"""

from msgspec.structs import replace

from hub.lifecycle.commands import Actor
from hub.lifecycle.refusals import NotYours
from hub.lifecycle.states import Action, Status, next_status
from orm.rows import JobRow, last_holder

SECOND_US = 1_000_000
NO_END_US = 2**62
"""`slot_until_us` of a job that a node holds: the slot is taken until something ends it."""

CANCEL_GRACE_US = 30 * SECOND_US
"""A canceled run keeps its node's slot this long, or until the node finishes it."""

CANCEL_TEXT = "Cancelled"
"""What ``error_reason`` says of a canceled job: existing workers look for a text there."""

FORMER_NODES_MAX = 32

SUSPECT_SHARE = 12
"""A node is suspect after this part of the silence that loses its job: 5 minutes of an hour."""


def suspect_after_us(row: JobRow) -> int:
    """Return how long a node may be silent before it is suspect."""
    return row.silence_s * SECOND_US // SUSPECT_SHARE


def granted(row: JobRow, actor: Actor, now_us: int) -> JobRow:
    """Return ``row`` as the actor's node gets it: a new attempt, a try counted."""
    row = given_up(row)
    status = next_status(row.status, Action.ACQUIRE) or row.status
    return replace(
        row,
        status=status,
        node=actor.node,
        attempt=row.attempt + 1,
        tries=row.tries + 1,
        output_count=0,
        lease_session=actor.session,
        lease_granted_us=now_us,
        last_contact_us=now_us,
        lease_expires_us=now_us + suspect_after_us(row) if status == Status.ACQUIRED else None,
        slot_until_us=NO_END_US if status == Status.ACQUIRED else None,
        modified_us=now_us,
    )


def canceled(row: JobRow, now_us: int) -> JobRow:
    """Return ``row`` ended for good; a worker learns of it later and keeps its slot a while."""
    return replace(
        without_lease(given_up(row)),
        status=Status.CANCELED,
        error=CANCEL_TEXT,
        error_name=None,
        end_us=None,
        canceled_us=now_us,
        slot_until_us=now_us + CANCEL_GRACE_US if row.status == Status.RUNNING else None,
        modified_us=now_us,
    )


def hidden(row: JobRow, now_us: int) -> JobRow:
    """Return ``row`` deleted: neither lists nor nodes see it."""
    return replace(row, deleted_us=now_us, modified_us=now_us)


def shown(row: JobRow, now_us: int) -> JobRow:
    """Return ``row`` back from deletion."""
    return replace(row, deleted_us=None, modified_us=now_us)


def given_up(row: JobRow) -> JobRow:
    """Return ``row`` without a lost run that its node might have gone on with: it waits anew."""
    if row.lost_run is None:
        return row
    return replace(row, lost_run=None, num_exes=row.num_exes + 1)


def without_lease(row: JobRow) -> JobRow:
    """Return ``row`` as one that the hub need not look at: nobody works on it."""
    return replace(row, lease_expires_us=None, suspect_us=None, deadline_us=None)


def deadline_us(row: JobRow, start_us: int) -> int | None:
    """Return when a run that began at ``start_us`` has taken too long; ``None``: never."""
    return None if row.timeout_s is None else start_us + row.timeout_s * SECOND_US


def unheld(row: JobRow, now_us: int) -> JobRow:
    """Return ``row`` without its holder, who is remembered as a former one."""
    return replace(
        without_lease(row),
        node=None,
        former_nodes=_remember(row.former_nodes, row.node),
        lease_session=None,
        lease_granted_us=None,
        last_contact_us=None,
        slot_until_us=None,
        modified_us=now_us,
    )


def may_return(row: JobRow, node: int | None) -> bool:
    """Whether ``node`` may go on with the run of this job that it lost."""
    is_there = row.lost_run is not None and row.deleted_us is None
    return is_there and node is not None and last_holder(row) == node


def was_held_by(row: JobRow, node: int) -> bool:
    """Whether ``node`` held the job once; the last 32 holders are remembered."""
    return str(node) in row.former_nodes.split(",")


def check_holder(row: JobRow, actor: Actor) -> None:
    """Refuse what only the job's holder may do.

    Raises:
        NotYours: the actor's node does not hold the job.
    """
    if row.node is None or row.node != actor.node:
        raise NotYours(f"node {actor.node} does not hold job {row.pk}")


def check_holder_once(row: JobRow, actor: Actor) -> None:
    """Refuse what only a node may do that holds the job or has held it.

    Raises:
        NotYours: the actor's node never did.
    """
    if actor.node is None or not was_held_by(row, actor.node):
        check_holder(row, actor)


def _remember(former: str, node: int | None) -> str:
    nodes = [text for text in former.split(",") if text and text != str(node)]
    return ",".join([*nodes, str(node)][-FORMER_NODES_MAX:]) if node is not None else former


def queued_again(row: JobRow, now_us: int) -> JobRow:
    """Return ``row`` in the queue as if it had never run; its attempt and tries stay counted."""
    return replace(
        unheld(row, now_us),
        status=Status.QUEUED,
        queued_us=now_us,
        num_exes=row.num_exes + 1,
        start_us=None,
        end_us=None,
        canceled_us=None,
        error=None,
        error_name=None,
        progress=0.0,
        progress_data=None,
        output_count=0,
    )
