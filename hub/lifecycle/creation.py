"""New jobs, alone or as a whole graph. Pure."""

from msgspec.structs import replace

from hub.lifecycle import commands as c
from hub.lifecycle.states import Action, Status
from hub.lifecycle.world import Decision, Fact, World
from orm.rows import JobRow, SpecRow

CREATED = Fact(Action.CREATE, None)


def create(command: c.Create, world: World, now_us: int) -> Decision:
    """Queue a new job; of a graph, those of its jobs that wait for no other."""
    top = _row(command, command, world.fresh_job(), now_us)
    spec = SpecRow(top.pk, command.inputs, command.parameters, notifications=command.notifications)
    if not command.members:
        return Decision(top, (CREATED,), specs=(spec,))
    members = _members(command, top, world, now_us)
    children = _counted([top, *members])
    return Decision(
        children[0],
        (CREATED,),
        members=tuple((member, CREATED) for member in children[1:]),
        specs=(
            spec,
            *(
                SpecRow(
                    row.pk, member.inputs, member.parameters, member.wires, member.notifications
                )
                for row, member in zip(members, command.members, strict=True)
            ),
        ),
    )


def _members(command: c.Create, top: JobRow, world: World, now_us: int) -> list[JobRow]:
    made: list[JobRow] = []
    for member in command.members:
        parent = top if member.parent < 0 else made[member.parent]
        is_ready = member.wires is None and parent.status == Status.QUEUED
        made.append(
            _row(
                command,
                member,
                world.fresh_job(),
                now_us,
                status=Status.QUEUED if is_ready else Status.PENDING,
                parent=parent.pk,
                root=top.pk,
                child=member.name,
            )
        )
    return made


def _counted(rows: list[JobRow]) -> list[JobRow]:
    """Return the jobs of a graph knowing how many children each has; parents are nobody's work."""
    counts = dict.fromkeys((row.pk for row in rows), 0)
    for row in rows:
        if row.parent is not None:
            counts[row.parent] += 1
    return [
        replace(row, root=rows[0].pk, children=counts[row.pk], num_exes=0)
        if counts[row.pk]
        else row
        for row in rows
    ]


def _row(
    command: c.Create,
    made_from: c.Create | c.Member,
    pk: int,
    now_us: int,
    *,
    status: Status = Status.QUEUED,
    parent: int | None = None,
    root: int | None = None,
    child: str | None = None,
) -> JobRow:
    return JobRow(
        pk=pk,
        template=made_from.template,
        status=status,
        priority=made_from.priority,
        description=made_from.description,
        labels=made_from.labels,
        creator=command.actor.account,
        parent=parent,
        root=root,
        child=child,
        children=0,
        seq=0,
        tseq=0,
        attempt=0,
        tries=0,
        max_tries=made_from.max_tries,
        num_exes=1,
        node=None,
        former_nodes="",
        lease_session=None,
        lease_granted_us=None,
        last_contact_us=None,
        lease_expires_us=None,
        suspect_us=None,
        deadline_us=None,
        lost_run=None,
        silence_s=made_from.silence_s,
        timeout_s=made_from.timeout_s,
        slot_until_us=None,
        progress=0.0,
        progress_data=None,
        output_count=0,
        error=None,
        error_name=None,
        created_us=now_us,
        queued_us=now_us,
        start_us=None,
        end_us=None,
        canceled_us=None,
        modified_us=now_us,
        deleted_us=None,
    )
