"""Graphs of jobs: who starts, waits, ends and fails with whom."""

import json
from typing import Any

import msgspec
import pytest

from hub.errors import HubError
from hub.lifecycle import commands as c
from hub.lifecycle.graphs import Wire
from hub.lifecycle.planner import Outcome
from orm.rows import JobRow
from tests.unit.batch_world import ADMIN, CREATOR, Desk, MemoryBatches, a_job, bytes_named, worker

TOP, A, B, C = 1, 2, 3, 4


def wires(*pairs: tuple[str, str]) -> str | None:
    """Return wires that give output ``o`` of each source to an input."""
    made = [Wire(source, "o", name, "JobOutput<t>") for source, name in pairs]
    return msgspec.json.encode(made).decode() if made else None


def member(name: str, *pairs: tuple[str, str], parent: int = -1, **about: Any) -> c.Member:
    """Return a child that waits for the outputs ``o`` of siblings: (source, input)."""
    return c.Member(
        parent=parent,
        name=name,
        template=1,
        priority=100,
        max_tries=1,
        silence_s=3_600,
        timeout_s=None,
        description=f"child job '{name}'",
        labels="{}",
        inputs=about.get("inputs", "{}"),
        parameters="{}",
        wires=wires(*pairs),
    )


def desk_with(*members: c.Member) -> Desk:
    """Return a desk with one graph: job 1 is the meta-job, its members follow in order."""
    desk = Desk(MemoryBatches())
    desk.do(a_job(members=members))
    return desk


@pytest.fixture
def chain() -> Desk:
    """Return a graph a -> b -> c."""
    return desk_with(member("a"), member("b", ("a", "x")), member("c", ("b", "y")))


def run(desk: Desk, job: int, node: int = 1, **finish: Any) -> Outcome:
    """Take a job, do it with output ``o``, and end it."""
    begin(desk, job, node)
    if "error" not in finish:
        run_of = desk.store.jobs[job].attempt, desk.store.jobs[job].num_exes
        desk.do(bytes_named("o", job, worker(node), run=run_of))
    return desk.do(c.Finish(actor=worker(node), job=job, **finish))


def begin(desk: Desk, job: int, node: int = 1) -> None:
    """Take a job and start it."""
    desk.do(c.Acquire(actor=worker(node), job=job))
    desk.do(c.Start(actor=worker(node), job=job))


def report(desk: Desk, job: int, value: float, node: int = 1) -> None:
    """Report progress."""
    desk.do(c.Progress(actor=worker(node), job=job, value=value, body='{"k":1}'))


def statuses(desk: Desk) -> list[str]:
    """Return where each job stands, in order of their numbers."""
    return [row.status for _, row in sorted(desk.store.jobs.items())]


def told(desk: Desk, job: int) -> list[tuple[str, str]]:
    """Return what the log tells of a job: each step with the state after it."""
    return [(e["type"], e["to_status"]) for e in desk.store.events if e["job"] == job]


def refusal(desk: Desk, command: c.Command) -> str:
    """Return the code with which a command is refused."""
    with pytest.raises(HubError) as caught:
        desk.do(command)
    return caught.value.code


def row(desk: Desk, job: int) -> JobRow:
    """Return a job as it is stored."""
    return desk.store.jobs[job]


def test_all_jobs_of_a_graph_are_there_from_the_start(chain: Desk) -> None:
    assert statuses(chain) == ["QUEUED", "QUEUED", "PENDING", "PENDING"]
    assert [(r.parent, r.root, r.child, r.children) for r in chain.store.jobs.values()] == [
        (None, TOP, None, 3),
        (TOP, TOP, "a", 0),
        (TOP, TOP, "b", 0),
        (TOP, TOP, "c", 0),
    ]


def test_the_first_child_starts_its_parent_once(chain: Desk) -> None:
    begin(chain, A)
    assert statuses(chain) == ["RUNNING", "RUNNING", "PENDING", "PENDING"]
    assert told(chain, TOP) == [("create", "QUEUED"), ("start", "RUNNING")]


def test_a_completed_child_queues_those_that_waited_for_it_alone(chain: Desk) -> None:
    run(chain, A)
    assert statuses(chain) == ["RUNNING", "COMPLETED", "QUEUED", "PENDING"]


def test_what_a_child_gave_is_an_input_of_the_next(chain: Desk) -> None:
    run(chain, A)
    (output,) = [o for o in chain.store.outputs.values() if o.job == A]
    assert json.loads(chain.store.specs[B].inputs) == {
        "x": {"value": output.pk, "type": "JobOutput<t>"}
    }


def test_a_child_that_waits_for_two_is_queued_by_the_second() -> None:
    desk = desk_with(member("a"), member("b"), member("c", ("a", "x"), ("b", "y")))
    run(desk, A)
    assert row(desk, C).status == "PENDING"
    run(desk, B)
    assert row(desk, C).status == "QUEUED"
    assert set(json.loads(desk.store.specs[C].inputs)) == {"x", "y"}


def test_the_last_child_ends_its_parent_with_all_their_outputs(chain: Desk) -> None:
    for job in (A, B, C):
        run(chain, job)
    assert statuses(chain) == ["COMPLETED"] * 4
    names = [o.name for o in chain.store.outputs.values() if o.job == TOP]
    assert names == ["a:o", "b:o", "c:o"]
    assert row(chain, TOP).output_count == 3


def test_progress_of_the_parent_is_the_mean_and_tells_whose_it_was(chain: Desk) -> None:
    begin(chain, A)
    report(chain, A, 0.6)
    assert row(chain, TOP).progress == pytest.approx(0.2)
    assert json.loads(row(chain, TOP).progress_data or "") == {"triggered_by": A, "progress": 0.6}


def test_an_aborted_child_takes_its_progress_from_the_parent(chain: Desk) -> None:
    begin(chain, A)
    report(chain, A, 0.6)
    chain.do(c.Abort(actor=ADMIN, job=A))
    assert row(chain, TOP).progress == 0.0
    assert statuses(chain) == ["RUNNING", "QUEUED", "PENDING", "PENDING"]


def test_a_failed_child_fails_its_parent_and_blocks_all_behind_it(chain: Desk) -> None:
    run(chain, A, error="no disk")
    assert statuses(chain) == ["FAILED", "FAILED", "BLOCKED", "BLOCKED"]
    assert row(chain, TOP).error == "Error in child job 'a':\nno disk"


def test_children_that_do_not_wait_for_a_failed_one_go_on() -> None:
    desk = desk_with(member("a"), member("b"), member("c", ("b", "x")))
    begin(desk, B, node=2)
    run(desk, A, error="no disk")
    desk.do(bytes_named("o", B, worker(2)))
    desk.do(c.Finish(actor=worker(2), job=B))
    assert statuses(desk) == ["FAILED", "FAILED", "COMPLETED", "QUEUED"]


@pytest.mark.parametrize("again", ["reset", "abort", "requeue"])
def test_a_failed_child_that_runs_again_lifts_its_graph(chain: Desk, again: str) -> None:
    run(chain, A, error="no disk")
    chain.do(
        {
            "reset": c.Reset(actor=worker(1), job=A),
            "abort": c.Abort(actor=ADMIN, job=A),
            "requeue": c.Requeue(actor=ADMIN, job=A),
        }[again]
    )
    assert statuses(chain)[2:] == ["PENDING", "PENDING"]
    assert (row(chain, TOP).status, row(chain, TOP).error) == ("RUNNING", None)


def test_a_graph_stays_failed_while_another_child_is() -> None:
    desk = desk_with(member("a"), member("b"), member("c", ("a", "x"), ("b", "y")))
    run(desk, A, error="no disk")
    run(desk, B, node=2, error="no net")
    desk.do(c.Requeue(actor=ADMIN, job=A))
    assert statuses(desk) == ["FAILED", "QUEUED", "FAILED", "BLOCKED"]
    desk.do(c.Requeue(actor=ADMIN, job=B))
    assert statuses(desk) == ["RUNNING", "QUEUED", "QUEUED", "PENDING"]


def test_a_graph_goes_to_its_end_after_a_failure(chain: Desk) -> None:
    run(chain, A, error="no disk")
    chain.do(c.Requeue(actor=ADMIN, job=A))
    for job in (A, B, C):
        run(chain, job)
    assert statuses(chain) == ["COMPLETED"] * 4


def test_cancel_of_the_meta_job_takes_all_children_along(chain: Desk) -> None:
    run(chain, A)
    begin(chain, B)
    chain.do(c.Cancel(actor=CREATOR, job=TOP))
    assert statuses(chain) == ["CANCELED", "COMPLETED", "CANCELED", "CANCELED"]


def test_a_child_alone_is_not_canceled(chain: Desk) -> None:
    assert refusal(chain, c.Cancel(actor=ADMIN, job=A)) == "graph_member"


@pytest.mark.parametrize(
    "command",
    [
        c.Acquire(actor=worker(1), job=TOP),
        c.Start(actor=worker(1), job=TOP),
        c.Progress(actor=worker(1), job=TOP, value=0.5, body="{}"),
        c.Finish(actor=worker(1), job=TOP),
        c.Abort(actor=ADMIN, job=TOP),
    ],
)
def test_nobody_works_on_a_meta_job(chain: Desk, command: c.Command) -> None:
    assert refusal(chain, command) == "meta_job"


@pytest.mark.parametrize("job", [B, C])
def test_a_job_that_waits_is_not_acquired(chain: Desk, job: int) -> None:
    assert refusal(chain, c.Acquire(actor=worker(1), job=job)) == "illegal_transition"


def test_a_child_that_ends_without_what_others_wait_for_has_failed(chain: Desk) -> None:
    begin(chain, A)
    outcome = chain.do(c.Finish(actor=worker(1), job=A))
    assert outcome.job.status == "FAILED"
    assert "missing: o" in (outcome.job.error or "")


def test_an_output_that_others_wait_for_is_not_taken_away() -> None:
    desk = desk_with(member("a"), member("b"), member("c", ("a", "x"), ("b", "y")))
    run(desk, A)
    (output,) = [o.pk for o in desk.store.outputs.values() if o.job == A]
    assert refusal(desk, c.RemoveOutput(actor=ADMIN, job=A, output=output)) == "graph_member"
    run(desk, B)
    assert desk.do(c.RemoveOutput(actor=ADMIN, job=A, output=output)).output is not None


def test_a_canceled_graph_is_not_run_again_in_part(chain: Desk) -> None:
    chain.do(c.Cancel(actor=CREATOR, job=TOP))
    assert refusal(chain, c.Requeue(actor=ADMIN, job=A)) == "graph_member"


def test_a_member_of_an_unfinished_graph_stays(chain: Desk) -> None:
    assert refusal(chain, c.Destroy(actor=ADMIN, job=A)) == "graph_member"
    assert refusal(chain, c.HardDelete(actor=ADMIN, job=A)) == "graph_member"


def test_a_deleted_meta_job_hides_its_children_and_brings_them_back(chain: Desk) -> None:
    chain.do(c.Destroy(actor=ADMIN, job=TOP))
    assert all(r.deleted_us is not None for r in chain.store.jobs.values())
    chain.do(c.Reinstate(actor=ADMIN, job=TOP))
    assert all(r.deleted_us is None for r in chain.store.jobs.values())


def test_a_graph_that_a_node_works_on_is_not_deleted(chain: Desk) -> None:
    begin(chain, A)
    assert refusal(chain, c.Destroy(actor=ADMIN, job=TOP)) == "job_in_use"


NESTED, INNER, DEEP, DEEPER = 3, 4, 5, 6


@pytest.fixture
def nest() -> Desk:
    """Return a graph a -> n, where n is a graph i -> j; input x of n is one of i."""
    return desk_with(
        member("a"),
        member("n", ("a", "i:x")),
        member("i", parent=1),
        member("j", ("i", "y"), parent=1, inputs='{"z": {"value": 1, "type": "int"}}'),
    )


def test_a_graph_in_a_graph_waits_whole(nest: Desk) -> None:
    assert statuses(nest) == ["QUEUED", "QUEUED", "PENDING", "PENDING", "PENDING"]


def test_a_graph_in_a_graph_begins_with_its_first_child_and_hands_its_inputs_on(
    nest: Desk,
) -> None:
    run(nest, A)
    assert statuses(nest) == ["RUNNING", "COMPLETED", "QUEUED", "QUEUED", "PENDING"]
    assert set(json.loads(nest.store.specs[INNER].inputs)) == {"x"}


def test_steps_go_up_through_all_levels(nest: Desk) -> None:
    run(nest, A)
    begin(nest, INNER)
    report(nest, INNER, 0.5)
    assert row(nest, NESTED).progress == 0.25
    assert row(nest, TOP).progress == pytest.approx(0.125)
    assert json.loads(row(nest, TOP).progress_data or "") == {
        "triggered_by": NESTED,
        "progress": 0.25,
        "in_turn": {"triggered_by": INNER, "progress": 0.5},
    }
    nest.do(bytes_named("o", INNER, worker(1)))
    nest.do(c.Finish(actor=worker(1), job=INNER))
    run(nest, DEEP)
    assert statuses(nest) == ["COMPLETED"] * 5
    names = [o.name for o in nest.store.outputs.values() if o.job == TOP]
    assert names == ["a:o", "n:i:o", "n:j:o"]


def test_an_error_names_the_whole_way_down(nest: Desk) -> None:
    run(nest, A)
    run(nest, INNER, error="no disk")
    assert statuses(nest) == ["FAILED", "COMPLETED", "FAILED", "FAILED", "BLOCKED"]
    assert row(nest, TOP).error == ("Error in child job 'n':\nError in child job 'i':\nno disk")
    nest.do(c.Reset(actor=worker(1), job=INNER))
    assert statuses(nest) == ["RUNNING", "COMPLETED", "RUNNING", "ACQUIRED", "PENDING"]


def test_cancel_reaches_the_deepest_level(nest: Desk) -> None:
    run(nest, A)
    nest.do(c.Cancel(actor=CREATOR, job=TOP))
    assert statuses(nest) == ["CANCELED", "COMPLETED", "CANCELED", "CANCELED", "CANCELED"]


def test_a_lost_child_lifts_nothing_and_fails_its_graph_at_its_last_try(chain: Desk) -> None:
    begin(chain, A)
    attempt = row(chain, A).attempt
    for silence_s in (301, 3_700):
        chain.now_us += silence_s * 1_000_000
        chain.do(c.Expire(actor=c.Actor(None), job=A, attempt=attempt))
    assert statuses(chain) == ["FAILED", "FAILED", "BLOCKED", "BLOCKED"]
    assert "node-lost" in (row(chain, TOP).error or "")
