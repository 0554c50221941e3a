"""Who holds a job and for how long: the rules of legacy leases, pure.

A legacy worker speaks only the plain UFDL calls and is strictly sequential: it has one slot.
"""

from msgspec.structs import replace

from hub.lifecycle.commands import Actor
from hub.lifecycle.refusals import NotYours
from hub.lifecycle.states import Action, Status, next_status
from hub.lifecycle.world import Fact
from orm.rows import JobRow

SECOND_US = 1_000_000
NO_END_US = 2**62
"""`slot_until_us` of a job that a node holds: the slot is taken until something ends it."""

SILENT_RUN_US = 60 * SECOND_US
"""A running job whose node takes another one is given up after this much silence."""

CANCEL_GRACE_US = 30 * SECOND_US
"""A canceled run keeps its node's slot this long, or until the node finishes it."""

FORMER_NODES_MAX = 32


def granted(row: JobRow, actor: Actor, now_us: int) -> JobRow:
    """Return ``row`` as the actor's node gets it: a new attempt, a try counted."""
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
        slot_until_us=NO_END_US if status == Status.ACQUIRED else None,
        modified_us=now_us,
    )


def unheld(row: JobRow, now_us: int) -> JobRow:
    """Return ``row`` without its holder, who is remembered as a former one."""
    return replace(
        row,
        node=None,
        former_nodes=_remember(row.former_nodes, row.node),
        lease_session=None,
        lease_granted_us=None,
        last_contact_us=None,
        slot_until_us=None,
        modified_us=now_us,
    )


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
        progress=0.0,
        progress_data=None,
        output_count=0,
    )


def superseded(held: list[JobRow], row: JobRow, now_us: int) -> list[tuple[JobRow, Fact]]:
    """Return what a sequential node gives up by taking ``row``: unstarted jobs, and silent runs.

    An unstarted one costs no try; a run does, for work was done on it.
    """
    given_up = []
    for other in held:
        if other.pk == row.pk:
            continue
        if other.status == Status.ACQUIRED:
            given_up.append(_given_up(other, Action.RELEASE, other.tries - 1, now_us))
        elif other.status == Status.RUNNING and is_silent(other, now_us):
            given_up.append(_given_up(other, Action.LOST, other.tries, now_us))
    return given_up


def is_silent(row: JobRow, now_us: int) -> bool:
    """Whether the holder of a running job was not heard of for so long that it plainly stopped."""
    return now_us - (row.last_contact_us or row.start_us or now_us) >= SILENT_RUN_US


def _given_up(row: JobRow, action: Action, tries: int, now_us: int) -> tuple[JobRow, Fact]:
    fact = Fact(action, row.status, detail={"reason": "superseded-by-self", "from_node": row.node})
    if action == Action.RELEASE:
        after = replace(unheld(row, now_us), status=Status.QUEUED, queued_us=now_us)
    else:
        after = queued_again(row, now_us)
    return replace(after, tries=tries), fact
