"""Nodes that fall silent: when a run is doubted, lost, revived, or has taken too long. Pure.

Silence alone takes nothing away at once: it makes a job grantable again. Until somebody else got it
the lost node's next call finds everything as it left it.
"""

import msgspec
from msgspec.structs import replace

from hub.lifecycle import commands as c
from hub.lifecycle import leases, results
from hub.lifecycle.failures import NODE_LOST, TIMEOUT
from hub.lifecycle.states import HELD, WITHOUT_TRIES, Action, Status
from hub.lifecycle.world import Decision, Fact, World
from orm.rows import JobRow

SILENT_RUN_US = 60 * leases.SECOND_US
"""A running job whose node takes another one is given up after this much silence."""

REVIVES = (c.Start, c.Progress, c.Finish, c.AddOutput)
"""The calls by which a lost holder shows that it is still at work."""


class LostRun(msgspec.Struct, frozen=True):
    """What a lost holder gets back.

    ``us`` is when it was lost, ``queued_us`` since when it had waited before it was granted at
    ``granted_us`` and began at ``start_us``.
    """

    us: int
    queued_us: int
    granted_us: int | None
    start_us: int
    progress: float
    data: str | None


def expire(command: c.Expire, world: World, now_us: int) -> Decision:
    """Decide what a lease that has run out means; one that is current again stays."""
    row = world.job(command.job)
    if row.attempt != command.attempt or row.status not in HELD:
        return Decision(row)
    if row.deadline_us is not None and row.deadline_us <= now_us:
        return timed_out(row, now_us)
    heard_us = max(row.last_contact_us or 0, command.seen_us)
    if not command.is_idle:
        return _judged(row, heard_us, world, now_us)
    return (
        _lost_to_silence(row, heard_us, world, now_us) if is_silent(row, now_us) else Decision(row)
    )


def _judged(row: JobRow, heard_us: int, world: World, now_us: int) -> Decision:
    """Decide about a held job whose node was heard of last at ``heard_us``."""
    until_us = heard_us + leases.suspect_after_us(row)
    if row.suspect_us is not None and heard_us > row.suspect_us:
        return trusted(row, max(until_us, now_us + 1))
    if row.lease_expires_us is None or row.lease_expires_us > now_us:
        return Decision(row)
    if row.suspect_us is not None:
        return _lost_to_silence(row, heard_us, world, now_us)
    return trusted(row, until_us) if until_us > now_us else suspected(row, heard_us, now_us)


def suspected(row: JobRow, heard_us: int, now_us: int) -> Decision:
    """Doubt the holder: everybody is told, nothing is taken from it."""
    lost_us = now_us + row.silence_s * leases.SECOND_US - leases.suspect_after_us(row)
    after = replace(row, suspect_us=now_us, lease_expires_us=lost_us)
    return Decision(after, (Fact(Action.SUSPECT, row.status, detail=_silence(heard_us, now_us)),))


def trusted(row: JobRow, expires_us: int) -> Decision:
    """Extend the lease of a holder that was heard of; end the doubt if there was one.

    ``last_contact_us`` stays: a call about another matter is no sign of work on this job.
    """
    facts = () if row.suspect_us is None else (Fact(Action.REVIVED, row.status),)
    return Decision(replace(row, suspect_us=None, lease_expires_us=expires_us), facts)


def lost(row: JobRow, now_us: int, detail: dict[str, object]) -> tuple[JobRow, Fact]:
    """Return a held job as it is without its holder: in the queue, or failed after its last try."""
    fact = Fact(Action.LOST, row.status, detail=detail)
    if row.tries >= row.max_tries:
        failed = replace(
            leases.unheld(row, now_us),
            status=WITHOUT_TRIES[(Status(row.status), Action.LOST)],
            error=f"{NODE_LOST}: node {row.node} was lost, and it was try {row.tries}",
            error_name=NODE_LOST,
            end_us=now_us,
            output_count=0,
        )
        return failed, fact
    if row.status == Status.RUNNING:
        return leases.queued_again(row, now_us), fact
    return replace(leases.unheld(row, now_us), status=Status.QUEUED, queued_us=now_us), fact


def timed_out(row: JobRow, now_us: int) -> Decision:
    """Fail a run that took longer than its template allows, however lively it is."""
    after = replace(
        leases.without_lease(row),
        status=Status.FAILED,
        error=f"{TIMEOUT}: the run took longer than {row.timeout_s} s",
        error_name=TIMEOUT,
        end_us=now_us,
        slot_until_us=now_us + leases.CANCEL_GRACE_US,
        modified_us=now_us,
    )
    return Decision(after, (Fact(Action.TIMEOUT, row.status),))


def superseded(held: list[JobRow], row: JobRow, now_us: int) -> list[tuple[JobRow, Fact]]:
    """Return what a sequential node gives up by taking ``row``: unstarted jobs, and silent runs.

    An unstarted one costs no try; a run does, for work was done on it.
    """
    reason: dict[str, object] = {"reason": "superseded-by-self"}
    given_up = []
    for other in held:
        if other.pk == row.pk:
            continue
        if other.status == Status.ACQUIRED:
            fact = Fact(Action.RELEASE, other.status, detail=reason)
            queued = replace(leases.unheld(other, now_us), status=Status.QUEUED, queued_us=now_us)
            given_up.append((replace(queued, tries=other.tries - 1), fact))
        elif other.status == Status.RUNNING and is_silent(other, now_us):
            given_up.append(lost(other, now_us, reason))
    return given_up


def is_silent(row: JobRow, now_us: int) -> bool:
    """Whether the holder of a running job was not heard of for so long that it plainly stopped."""
    return now_us - (row.last_contact_us or row.start_us or now_us) >= SILENT_RUN_US


def revival(command: c.Command, world: World, now_us: int) -> Decision | None:
    """Return what the call itself proves before it is decided: that its node is alive.

    ``None``: nobody doubted it, or it is not its holder any more.
    """
    row, node = world.jobs.get(command.job), command.actor.node
    if row is None or node is None or row.deleted_us is not None:
        return None
    if row.node == node and row.suspect_us is not None:
        heard = replace(row, last_contact_us=now_us)
        return trusted(heard, now_us + leases.suspect_after_us(row))
    is_back = leases.may_return(row, node) and isinstance(command, REVIVES)
    if not is_back or world.slots_of(node, now_us):
        return None
    return _revived(row, command.actor, world, now_us)


def _revived(row: JobRow, actor: c.Actor, world: World, now_us: int) -> Decision:
    run = msgspec.json.decode(row.lost_run or "", type=LostRun)
    hidden = [output for output in world.outputs_of(row.pk) if output.deleted_us == run.us]
    shown = [replace(o, deleted_us=None) for o in hidden if o.attempt == row.attempt]
    after = replace(
        row,
        status=Status.RUNNING,
        node=actor.node,
        lease_session=actor.session,
        queued_us=run.queued_us,
        lease_granted_us=run.granted_us,
        last_contact_us=now_us,
        lease_expires_us=now_us + leases.suspect_after_us(row),
        deadline_us=leases.deadline_us(row, run.start_us),
        lost_run=None,
        slot_until_us=leases.NO_END_US,
        start_us=run.start_us,
        progress=run.progress,
        progress_data=run.data,
        output_count=len(shown),
        modified_us=now_us,
    )
    return Decision(after, (Fact(Action.REVIVED, row.status),), outputs=tuple(shown))


def _lost_to_silence(row: JobRow, heard_us: int, world: World, now_us: int) -> Decision:
    after, fact = lost(row, now_us, _silence(heard_us, now_us))
    if after.status == Status.QUEUED and row.start_us is not None:
        run = LostRun(
            us=now_us,
            queued_us=row.queued_us,
            granted_us=row.lease_granted_us,
            start_us=row.start_us,
            progress=row.progress,
            data=row.progress_data,
        )
        kept = msgspec.json.encode(run).decode()
        after = replace(after, lost_run=kept, num_exes=row.num_exes)
    return Decision(after, (fact,), outputs=results.hidden(world.visible(row), now_us))


def _silence(heard_us: int, now_us: int) -> dict[str, object]:
    return {"silent_s": round((now_us - heard_us) / leases.SECOND_US, 1)}
