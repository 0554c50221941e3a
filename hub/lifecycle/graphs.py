"""Graphs of jobs: what a step of one means for its parent, its siblings and its children. Pure.

A meta-job is nobody's work: it starts with its first child, goes on with them, ends with the last
and fails with any. All jobs of a graph exist from the start. A child that waits for siblings is
queued when the last of them is completed, with their outputs among its inputs.
"""

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from hub.lifecycle import leases
from hub.lifecycle.refusals import GraphMember
from hub.lifecycle.results import OUTPUTS_MAX, told
from hub.lifecycle.states import FINAL, META_TRANSITIONS, WAITING, Action, Status
from hub.lifecycle.world import Decision, Fact, World
from orm.rows import JobRow, OutputRow, SpecRow

SEPARATOR = ":"
NAME_MAX = 200


class Wire(msgspec.Struct, frozen=True):
    """An input that is an output of a sibling: the number of output ``output`` as a ``type``."""

    source: str
    output: str
    input: str
    type: str


Steps = Iterator[Decision]


def consequences(
    before: JobRow | None, after: JobRow, action: str, world: World, now_us: int
) -> Steps:
    """Yield what follows from a step of a job, one job at a time.

    Each is decided when it is asked for: the one before must have been taken over into ``world``,
    with its own consequences.
    """
    if before is None:
        return
    if after.children and action in DOWNWARDS:
        yield from DOWNWARDS[Action(action)](after, world, now_us)
    if after.parent is not None:
        yield from _upwards(before, after, action, world, now_us)


def missing_outputs(row: JobRow, world: World) -> str | None:
    """Say which outputs a job may not end without, since siblings wait for them; ``None``: none."""
    if row.parent is None:
        return None
    there = {output.name for output in world.visible(row)}
    wanted = {
        wire.output
        for sibling in world.children_of(row.parent)
        for wire in _wires(sibling, world)
        if wire.source == row.child and wire.output not in there
    }
    if not wanted:
        return None
    return f"outputs that other jobs wait for are missing: {', '.join(sorted(wanted))}"


def check_goes_on(row: JobRow, world: World) -> None:
    """Refuse to run a job again whose graph has ended.

    Raises:
        GraphMember: its meta-job is completed or canceled.
    """
    parent = None if row.parent is None else world.jobs[row.parent]
    if parent is not None and parent.status in FINAL:
        raise GraphMember(f"job {parent.pk}, which job {row.pk} belongs to, is {parent.status}")


def check_may_go(row: JobRow, world: World) -> None:
    """Refuse to delete a job on which others of its graph may still count.

    Raises:
        GraphMember: its meta-job has not ended.
    """
    parent = None if row.parent is None else world.jobs.get(row.parent)
    if parent is not None and parent.status not in FINAL and parent.deleted_us is None:
        raise GraphMember(f"job {parent.pk}, which job {row.pk} belongs to, is {parent.status}")


def check_unawaited(row: JobRow, output: int, world: World) -> None:
    """Refuse to take away an output that becomes an input of a sibling.

    Raises:
        GraphMember: a sibling still waits.
    """
    names = {o.name for o in world.visible(row) if o.pk == output}
    for sibling in _siblings(row, world):
        if any(w.source == row.child and w.output in names for w in _wires(sibling, world)):
            raise GraphMember(f"job {sibling.pk} waits for this output")


# What a child's step does to its parent and its siblings


def _upwards(before: JobRow, after: JobRow, action: str, world: World, now_us: int) -> Steps:
    if action == Action.PROGRESS or before.progress != after.progress:
        yield from _progressed(after, action, world)
    if before.status == after.status:
        return
    match Status(after.status):
        case Status.RUNNING:
            yield from _started(after, world, now_us)
        case Status.COMPLETED:
            yield from _finished(after, world, now_us)
        case Status.FAILED:
            yield from _failed(after, world, now_us)
        case _:
            pass
    if before.status == Status.FAILED and after.status not in FINAL:
        yield from _lifted(after, world, now_us)


def _progressed(row: JobRow, action: str, world: World) -> Steps:
    parent = _parent(row, world)
    if parent.status != Status.RUNNING:
        return
    told: dict[str, Any] = {"triggered_by": row.pk, "progress": row.progress}
    if row.children and action == Action.PROGRESS and row.progress_data is not None:
        told["in_turn"] = msgspec.Raw(row.progress_data.encode())
    body = msgspec.json.encode(told).decode()
    siblings = world.children_of(parent.pk)
    mean = sum(sibling.progress for sibling in siblings) / parent.children
    after = replace(parent, progress=min(mean, 1.0), progress_data=body)
    yield Decision(after, (Fact(Action.PROGRESS, parent.status, body=body),))


def _started(row: JobRow, world: World, now_us: int) -> Steps:
    parent = _parent(row, world)
    if parent.status == Status.QUEUED:
        yield _moved(parent, Action.START, now_us, start_us=now_us)


def _finished(row: JobRow, world: World, now_us: int) -> Steps:
    copies = tuple(_copies(row, world, now_us))
    if copies:
        parent = _parent(row, world)
        yield Decision(
            replace(parent, output_count=parent.output_count + len(copies)),
            tuple(told(parent, "added", copy) for copy in copies),
            outputs=copies,
        )
    for sibling in _siblings(row, world):
        if _waits_for(sibling, {row.child}, world) and _is_fed(sibling, world):
            yield _queued(sibling, world, now_us)
    parent = _parent(row, world)
    statuses = {child.status for child in world.children_of(parent.pk)}
    if statuses == {Status.COMPLETED} and parent.status == Status.RUNNING:
        yield _moved(parent, Action.FINISH, now_us, end_us=now_us)


def _failed(row: JobRow, world: World, now_us: int) -> Steps:
    for sibling in _behind(row, Status.PENDING, world):
        yield Decision(
            replace(sibling, status=Status.BLOCKED, modified_us=now_us),
            (Fact(Action.BLOCKED, sibling.status),),
        )
    parent = _parent(row, world)
    if (Status(parent.status), Action.ERROR) in META_TRANSITIONS:
        error = f"Error in child job '{row.child}':\n{row.error}"
        named = {"error": error, "error_name": row.error_name}
        yield _moved(parent, Action.ERROR, now_us, end_us=now_us, **named)


def _lifted(row: JobRow, world: World, now_us: int) -> Steps:
    for sibling in _behind(row, Status.BLOCKED, world):
        if not _is_stuck(sibling, world):
            yield Decision(
                replace(sibling, status=Status.PENDING, modified_us=now_us),
                (Fact(Action.UNBLOCKED, sibling.status),),
            )
    parent = _parent(row, world)
    failed = any(child.status == Status.FAILED for child in world.children_of(parent.pk))
    if parent.status == Status.FAILED and not failed:
        yield _moved(parent, Action.RESET, now_us, error=None, error_name=None, end_us=None)


def _moved(row: JobRow, action: Action, now_us: int, **columns: Any) -> Decision:
    status = META_TRANSITIONS[(Status(row.status), action)]
    after = replace(row, status=status, modified_us=now_us, **columns)
    return Decision(after, (Fact(action, row.status),))


# What a meta-job's step does to its children


def _cancel_all(row: JobRow, world: World, now_us: int) -> Steps:
    for child in world.children_of(row.pk):
        if child.status not in FINAL:
            yield Decision(leases.canceled(child, now_us), (Fact(Action.CANCEL, child.status),))


def _hide_all(row: JobRow, world: World, now_us: int) -> Steps:
    for child in world.children_of(row.pk):
        if child.deleted_us is None:
            yield Decision(leases.hidden(child, now_us), (Fact(Action.DESTROY, child.status),))


def _show_all(row: JobRow, world: World, now_us: int) -> Steps:
    for child in world.children_of(row.pk):
        if child.deleted_us is not None:
            yield Decision(leases.shown(child, now_us), (Fact(Action.REINSTATE, child.status),))


def _queue_first(row: JobRow, world: World, now_us: int) -> Steps:
    """Hand the inputs of a meta-job that may begin to its children, and queue the first of them."""
    inputs = _values(world.specs[row.pk].inputs)
    for child in world.children_of(row.pk):
        spec = _with_inputs(world.specs[child.pk], _of_child(inputs, child))
        if world.specs[child.pk].wires is None:
            yield _queued(child, world, now_us, spec)
        else:
            yield Decision(child, filled=spec)


DOWNWARDS: dict[Action, Callable[[JobRow, World, int], Steps]] = {
    Action.CANCEL: _cancel_all,
    Action.DESTROY: _hide_all,
    Action.REINSTATE: _show_all,
    Action.QUEUE: _queue_first,
}


# Who waits for whom


def _parent(row: JobRow, world: World) -> JobRow:
    assert row.parent is not None
    return world.jobs[row.parent]


def _siblings(row: JobRow, world: World) -> list[JobRow]:
    return [s for s in world.children_of(row.parent or 0) if s.pk != row.pk]


@lru_cache(maxsize=4_096)
def _parsed(wires: str) -> list[Wire]:
    return msgspec.json.decode(wires, type=list[Wire])


def _wires(row: JobRow, world: World) -> list[Wire]:
    """Return what a waiting job waits for; one that waits no longer has no wires to look at."""
    spec = world.specs.get(row.pk)
    if row.status not in WAITING or spec is None or spec.wires is None:
        return []
    return _parsed(spec.wires)


def _waits_for(row: JobRow, names: Collection[str | None], world: World) -> bool:
    return any(wire.source in names for wire in _wires(row, world))


def _is_fed(row: JobRow, world: World) -> bool:
    sources = {wire.source for wire in _wires(row, world)}
    return bool(sources) and all(
        sibling.status == Status.COMPLETED
        for sibling in _siblings(row, world)
        if sibling.child in sources
    )


def _is_stuck(row: JobRow, world: World) -> bool:
    sources = {wire.source for wire in _wires(row, world)}
    return any(
        sibling.status in (Status.FAILED, Status.BLOCKED, Status.CANCELED)
        for sibling in _siblings(row, world)
        if sibling.child in sources
    )


def _behind(row: JobRow, status: Status, world: World) -> Iterator[JobRow]:
    """Yield the siblings in ``status`` that wait for ``row``, directly or not, nearest first."""
    reached = {row.child}
    waiting = [s for s in _siblings(row, world) if s.status == status]
    while nearest := [s for s in waiting if _waits_for(s, reached, world)]:
        yield from nearest
        reached |= {s.child for s in nearest}
        waiting = [s for s in waiting if s not in nearest]


# What they hand on


def _queued(row: JobRow, world: World, now_us: int, spec: SpecRow | None = None) -> Decision:
    filled = _with_inputs(spec or world.specs[row.pk], _wired(row, world))
    after = replace(row, status=Status.QUEUED, queued_us=now_us, modified_us=now_us)
    return Decision(after, (Fact(Action.QUEUE, row.status),), filled=filled)


def _wired(row: JobRow, world: World) -> dict[str, Any]:
    return {
        wire.input: {"value": _output(row, wire, world).pk, "type": wire.type}
        for wire in _wires(row, world)
    }


def _output(row: JobRow, wire: Wire, world: World) -> OutputRow:
    """Return the output that a wire names; of several types the one that was declared."""
    source = next(s for s in _siblings(row, world) if s.child == wire.source)
    named = [output for output in world.visible(source) if output.name == wire.output]
    return next((output for output in named if f"<{output.type}>" in wire.type), named[0])


def _with_inputs(spec: SpecRow, more: dict[str, Any]) -> SpecRow:
    if not more:
        return spec
    return replace(spec, inputs=msgspec.json.encode(_values(spec.inputs) | more).decode())


def _values(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


def _of_child(values: dict[str, Any], child: JobRow) -> dict[str, Any]:
    prefix = f"{child.child}{SEPARATOR}"
    return {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}


def _copies(row: JobRow, world: World, now_us: int) -> Iterator[OutputRow]:
    """Yield the outputs of a child as its parent's; a name that would be too long stays below."""
    parent = _parent(row, world)
    room = OUTPUTS_MAX - parent.output_count
    for output in world.visible(row)[:room]:
        name = f"{row.child}{SEPARATOR}{output.name}"
        if len(name) <= NAME_MAX:
            yield replace(
                output,
                pk=world.fresh_output(),
                job=parent.pk,
                attempt=parent.attempt,
                name=name,
                created_us=now_us,
            )
