"""Silent nodes: when the hub doubts them, takes their jobs, gives a run back; all of it pure."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hub.errors import HubError
from hub.lifecycle import commands as c
from hub.lifecycle.planner import Batch
from hub.upkeep.reaper import GAP_US, GRACE_US, JUMP_US, Moment, missed
from orm.queries.leases import Look, Shift
from orm.rows import ExecutionRow, JobRow
from tests.folding import violations
from tests.unit.batch_world import (
    ADMIN,
    CREATOR,
    HUB,
    NOW_US,
    SECOND_US,
    Desk,
    a_job,
    bytes_named,
    new_desk,
    worker,
)
from tests.unit.test_graphs import TOP, A, desk_with, member, statuses

HOLDER, OTHER = worker(1), worker(2)
LOST_S, DOUBT_S = 3_600, 300
"""Silence that loses a job, and the twelfth of it after which its node is doubted."""


# --- The stage ------------------------------------------------------------------------------------


def acquired(desk: Desk, **about: Any) -> int:
    job = desk.do(a_job(**about)).job.pk
    desk.do(c.Acquire(actor=HOLDER, job=job))
    return job


def running(desk: Desk, **about: Any) -> int:
    job = acquired(desk, **about)
    desk.do(c.Start(actor=HOLDER, job=job))
    return job


def report(job: int, value: float = 0.5, node: c.Actor = HOLDER) -> c.Progress:
    return c.Progress(actor=node, job=job, value=value, body=f'{{"at":{value}}}')


def after(desk: Desk, seconds: float) -> None:
    """Let time pass; the hub looks at the end of it."""
    desk.now_us += round(seconds * SECOND_US)
    desk.look()


def silent(desk: Desk) -> None:
    """Let everybody be silent until all jobs are lost."""
    after(desk, DOUBT_S)
    after(desk, LOST_S - DOUBT_S)


def looked(desk: Desk, job: int, *, seen_us: int = 0) -> JobRow:
    """Let the hub look at a job whose node called last at ``seen_us``."""
    attempt = desk.store.jobs[job].attempt
    return desk.do(c.Expire(actor=HUB, job=job, attempt=attempt, seen_us=seen_us)).job


def story(desk: Desk, job: int = 1) -> list[str]:
    return [str(event["type"]) for event in desk.store.events if event["job"] == job]


def detail(desk: Desk) -> dict[str, Any]:
    """Return what the last event tells beyond the row."""
    told: dict[str, Any] = msgspec.json.decode(desk.store.events[-1]["data"])
    return {name: value for name, value in told.items() if name != "row"}


def executions(desk: Desk, job: int = 1) -> list[ExecutionRow]:
    return [row for (of, _), row in sorted(desk.store.executions.items()) if of == job]


def outcomes(desk: Desk, job: int = 1) -> list[tuple[int, str | None]]:
    """Return of each execution its last grant and what came of it."""
    return [(row.attempt, row.outcome) for row in executions(desk, job)]


@pytest.fixture
def desk() -> Any:
    """A desk; in the end all that is stored must fit together."""
    made = new_desk()
    yield made
    assert violations(made.store.story()) == []


# --- Doubt ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [acquired, running])
@pytest.mark.parametrize(("silent_s", "is_doubted"), [(DOUBT_S - 1, False), (DOUBT_S, True)])
def test_a_node_is_doubted_after_a_twelfth_of_the_silence(
    desk: Desk, taken: Callable[..., int], silent_s: int, is_doubted: bool
) -> None:
    before = desk.store.jobs[taken(desk)]
    after(desk, silent_s)
    row = desk.store.jobs[1]
    assert (row.suspect_us == desk.now_us) is is_doubted
    assert (row.status, row.node, row.attempt) == (before.status, 1, 1)
    assert (story(desk)[-1] == "suspect") is is_doubted


def test_everybody_is_told_how_long_a_doubted_node_was_silent(desk: Desk) -> None:
    running(desk)
    after(desk, 301.26)
    assert detail(desk) == {"silent_s": 301.3}


def test_a_node_is_doubted_once(desk: Desk) -> None:
    running(desk)
    for seconds in (DOUBT_S, 2, 2, 600):
        after(desk, seconds)
    assert story(desk).count("suspect") == 1


CALLS: dict[str, Callable[[int], c.Command]] = {
    "start": lambda job: c.Start(actor=HOLDER, job=job),
    "progress": report,
    "finish": lambda job: c.Finish(actor=HOLDER, job=job),
    "acquire": lambda job: c.Acquire(actor=HOLDER, job=job),
    "an upload": lambda job: bytes_named("log", job, HOLDER),
    "a GET of the job": lambda job: c.Touch(actor=HOLDER, job=job, ago_us=SECOND_US),
    "what is refused": lambda job: c.Reset(actor=HOLDER, job=job),
}


@pytest.mark.parametrize("call", CALLS)
def test_any_call_about_the_job_ends_the_doubt(desk: Desk, call: str) -> None:
    running(desk)
    after(desk, DOUBT_S)
    desk.now_us += SECOND_US
    desk.together([CALLS[call](1)])
    assert desk.store.jobs[1].suspect_us is None
    assert story(desk)[3:5] == ["suspect", "revived"]


def test_a_call_about_another_matter_ends_the_doubt_too(desk: Desk) -> None:
    running(desk)
    after(desk, DOUBT_S)
    desk.now_us += 60 * SECOND_US
    row = looked(desk, 1, seen_us=desk.now_us - SECOND_US)
    assert (row.suspect_us, row.lease_expires_us) == (None, desk.now_us + (DOUBT_S - 1) * SECOND_US)
    assert story(desk)[-1] == "revived"


def test_a_call_before_the_doubt_does_not_end_it(desk: Desk) -> None:
    running(desk)
    after(desk, DOUBT_S)
    row = looked(desk, 1, seen_us=desk.now_us)
    assert row.suspect_us == desk.now_us


def test_calls_of_others_leave_the_doubt(desk: Desk) -> None:
    running(desk)
    after(desk, DOUBT_S)
    desk.together([report(1, node=OTHER), c.Describe(actor=ADMIN, job=1, description="x")])
    assert desk.store.jobs[1].suspect_us is not None


# --- Contact --------------------------------------------------------------------------------------


def test_a_lease_is_extended_without_an_event(desk: Desk) -> None:
    running(desk)
    desk.now_us += 200 * SECOND_US
    desk.do(report(1))
    heard_us, events = desk.now_us, len(desk.store.events)
    after(desk, 100)
    assert desk.store.jobs[1].lease_expires_us == heard_us + DOUBT_S * SECOND_US
    assert len(desk.store.events) == events


def test_who_is_heard_of_elsewhere_keeps_its_job_but_that_is_no_sign_of_work(desk: Desk) -> None:
    running(desk)
    before = desk.store.jobs[1]
    desk.now_us += DOUBT_S * SECOND_US
    seen_us = desk.now_us - SECOND_US
    row = looked(desk, 1, seen_us=seen_us)
    assert row == replace(before, lease_expires_us=seen_us + DOUBT_S * SECOND_US)


def test_a_contact_that_is_not_stored_yet_extends_the_lease(desk: Desk) -> None:
    job = running(desk)
    desk.now_us += DOUBT_S * SECOND_US
    batch = Batch([c.Expire(actor=HUB, job=job, attempt=1)], {job: SECOND_US}, desk.now_us)
    desk.store.write(batch.plan(desk.store.load(batch.needs)))
    assert story(desk)[-1] == "start"
    assert desk.store.jobs[1].lease_expires_us == desk.now_us + (DOUBT_S - 1) * SECOND_US


def test_a_job_is_looked_at_only_while_a_node_holds_it(desk: Desk) -> None:
    job = running(desk)
    desk.do(c.Finish(actor=HOLDER, job=job))
    row = desk.store.jobs[job]
    assert (row.lease_expires_us, row.suspect_us, row.deadline_us) == (None, None, None)


# --- Loss -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [acquired, running])
def test_a_job_is_lost_after_the_whole_silence_and_no_second_before(
    desk: Desk, taken: Callable[..., int]
) -> None:
    before = desk.store.jobs[taken(desk)]
    after(desk, DOUBT_S)
    after(desk, LOST_S - DOUBT_S - 1)
    assert desk.store.jobs[1].status == before.status
    after(desk, 1)
    row = desk.store.jobs[1]
    assert (row.status, row.node, row.former_nodes) == ("QUEUED", None, "1")
    assert (row.attempt, row.tries) == (1, 1)
    assert detail(desk) == {"silent_s": LOST_S, "from_node": 1}


def test_the_silence_counts_from_the_last_call(desk: Desk) -> None:
    running(desk)
    after(desk, DOUBT_S)
    desk.now_us += 60 * SECOND_US
    looked(desk, 1, seen_us=desk.now_us)
    after(desk, DOUBT_S)
    after(desk, LOST_S - DOUBT_S - 1)
    assert desk.store.jobs[1].status == "RUNNING"
    after(desk, 1)
    assert desk.store.jobs[1].status == "QUEUED"


def test_nobody_is_lost_who_was_not_doubted_before(desk: Desk) -> None:
    # Whoever looks for the first time after long has not listened either.
    running(desk)
    after(desk, 100 * LOST_S)
    assert story(desk)[-1] == "suspect"
    after(desk, LOST_S - DOUBT_S)
    assert story(desk)[-1] == "lost"


def test_a_lost_run_leaves_nothing_that_is_shown(desk: Desk) -> None:
    running(desk)
    desk.do(report(1))
    desk.do(bytes_named("log", 1, HOLDER))
    silent(desk)
    row = desk.store.jobs[1]
    assert (row.progress, row.progress_data, row.output_count) == (0.0, None, 0)
    assert (row.start_us, row.queued_us) == (None, desk.now_us)
    assert desk.store.outputs[1].deleted_us == desk.now_us


def test_each_grant_costs_a_try_and_the_last_one_ends_the_job(desk: Desk) -> None:
    desk.do(a_job(max_tries=3))
    for tries in (1, 2, 3):
        node = worker(tries)
        desk.do(c.Acquire(actor=node, job=1))
        desk.do(c.Start(actor=node, job=1))
        silent(desk)
        assert desk.store.jobs[1].tries == tries
    row = desk.store.jobs[1]
    assert (row.status, row.error_name, row.node) == ("FAILED", "node-lost", None)
    assert row.error == "node-lost: node 3 was lost, and it was try 3"
    assert (row.end_us, row.lost_run) == (desk.now_us, None)
    assert outcomes(desk) == [(1, "lost"), (2, "lost"), (3, "lost")]


def test_an_unstarted_job_that_is_lost_costs_a_try_too(desk: Desk) -> None:
    # A job that kills its worker before it says "start" must end some day.
    acquired(desk, max_tries=1)
    silent(desk)
    assert desk.store.jobs[1].status == "FAILED"


def test_a_job_that_failed_for_good_shows_no_outputs_of_the_lost_run(desk: Desk) -> None:
    running(desk, max_tries=1)
    desk.do(bytes_named("log", 1, HOLDER))
    silent(desk)
    assert desk.store.jobs[1].output_count == 0
    assert desk.store.outputs[1].deleted_us == desk.now_us


def test_an_administrator_can_give_it_another_try(desk: Desk) -> None:
    running(desk, max_tries=1)
    silent(desk)
    row = desk.do(c.Requeue(actor=ADMIN, job=1)).job
    assert (row.status, row.error_name, row.max_tries) == ("QUEUED", None, 2)


# --- A look that is out of date -------------------------------------------------------------------

MEANWHILE: dict[str, tuple[c.Command, ...]] = {
    "finished": (c.Finish(actor=HOLDER, job=1),),
    "failed": (c.Finish(actor=HOLDER, job=1, error="broken"),),
    "canceled": (c.Cancel(actor=CREATOR, job=1),),
    "taken by another": (
        c.Abort(actor=ADMIN, job=1),
        c.Acquire(actor=OTHER, job=1),
        c.Start(actor=OTHER, job=1),
    ),
    "reset": (c.Finish(actor=HOLDER, job=1, error="broken"), c.Reset(actor=HOLDER, job=1)),
    "heard of": (report(1),),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("is_idle", [False, True])
def test_a_look_at_what_has_changed_since_changes_nothing(
    desk: Desk, meanwhile: str, is_idle: bool
) -> None:
    job = running(desk)
    after(desk, DOUBT_S)
    desk.now_us += LOST_S * SECOND_US
    look = c.Expire(actor=HUB, job=job, attempt=1, is_idle=is_idle)
    desk.together([*MEANWHILE[meanwhile]])
    row, events = desk.store.jobs[job], len(desk.store.events)
    assert desk.do(look).job == row == desk.store.jobs[job]
    assert len(desk.store.events) == events


@pytest.mark.parametrize("is_idle", [False, True])
def test_a_look_at_a_former_grant_says_nothing_of_the_present_one(
    desk: Desk, *, is_idle: bool
) -> None:
    job = running(desk)
    for command in MEANWHILE["taken by another"]:
        desk.do(command)
    desk.now_us += LOST_S * SECOND_US
    row = desk.store.jobs[job]
    assert desk.do(c.Expire(actor=HUB, job=job, attempt=1, is_idle=is_idle)).job == row


def test_a_look_at_a_job_that_was_removed_is_refused(desk: Desk) -> None:
    (refusal,) = desk.together([c.Expire(actor=HUB, job=1, attempt=1)])
    assert isinstance(refusal, HubError)
    assert refusal.code == "not_found"


# --- The way back ---------------------------------------------------------------------------------

BACK: dict[str, tuple[c.Command, str]] = {
    "progress": (report(1, 0.75), "RUNNING"),
    "start": (c.Start(actor=HOLDER, job=1), "RUNNING"),
    "an upload": (bytes_named("model", 1, HOLDER), "RUNNING"),
    "finish": (c.Finish(actor=HOLDER, job=1, outputs=("log",)), "COMPLETED"),
    "a failure": (c.Finish(actor=HOLDER, job=1, error="broken"), "FAILED"),
}


def lost_run(desk: Desk, **about: Any) -> JobRow:
    """Return the row of a run with a report and an output, which is lost by now."""
    running(desk, **about)
    desk.do(report(1, 0.5))
    desk.do(bytes_named("log", 1, HOLDER))
    before = desk.store.jobs[1]
    silent(desk)
    assert desk.store.jobs[1].status == "QUEUED"
    return before


@pytest.mark.parametrize("call", BACK)
def test_who_lost_a_job_that_nobody_took_finds_its_run_as_it_was(desk: Desk, call: str) -> None:
    before = lost_run(desk)
    command, status = BACK[call]
    desk.now_us += SECOND_US
    row = desk.do(command).job
    assert (row.status, row.node, row.attempt, row.tries) == (status, 1, 1, 1)
    for name in ("queued_us", "lease_granted_us", "start_us"):
        assert getattr(row, name) == getattr(before, name)
    assert row.progress >= before.progress
    assert desk.store.outputs[1].deleted_us is None
    assert story(desk)[-2 if call != "start" else -1] == "revived"
    assert len(executions(desk)) == row.num_exes == 1


def test_the_run_goes_on_with_its_last_report(desk: Desk) -> None:
    before = lost_run(desk)
    row = desk.do(c.Start(actor=HOLDER, job=1)).job
    assert (row.progress, row.progress_data) == (before.progress, before.progress_data)
    assert (row.output_count, row.lost_run) == (1, None)
    assert row.lease_expires_us == desk.now_us + DOUBT_S * SECOND_US


def test_only_the_outputs_that_the_loss_hid_are_shown_again(desk: Desk) -> None:
    running(desk)
    for name in ("log", "model"):
        desk.do(bytes_named(name, 1, HOLDER))
    desk.do(c.RemoveOutput(actor=ADMIN, job=1, output=1))
    silent(desk)
    desk.do(report(1))
    assert desk.store.jobs[1].output_count == 1
    assert [o.deleted_us is None for o in desk.store.outputs.values()] == [False, True]


SINCE: dict[str, tuple[c.Command, ...]] = {
    "another node took it": (c.Acquire(actor=OTHER, job=1),),
    "another node took it and gave it back": (
        c.Acquire(actor=OTHER, job=1),
        c.Release(actor=OTHER, job=1),
    ),
    "it was canceled": (c.Cancel(actor=CREATOR, job=1),),
    "it was aborted": (c.Abort(actor=ADMIN, job=1),),
    "it was deleted": (c.Destroy(actor=ADMIN, job=1),),
    "the node took another job": (a_job(), c.Acquire(actor=HOLDER, job=2)),
}


@pytest.mark.parametrize("since", SINCE)
def test_a_run_does_not_come_back_once_that_is_too_late(desk: Desk, since: str) -> None:
    lost_run(desk)
    for command in SINCE[since]:
        desk.do(command)
    row, events = desk.store.jobs[1], len(desk.store.events)
    (refusal,) = desk.together([report(1)])
    assert isinstance(refusal, HubError)
    assert refusal.code == "not_the_holder"
    assert desk.do(c.Finish(actor=HOLDER, job=1)).job == row
    assert len(desk.store.events) == events


def test_a_run_does_not_come_back_after_the_last_try(desk: Desk) -> None:
    running(desk, max_tries=1)
    silent(desk)
    row = desk.do(c.Finish(actor=HOLDER, job=1)).job
    assert (row.status, row.error_name) == ("FAILED", "node-lost")
    assert story(desk)[-1] == "lost"


def test_a_job_that_was_lost_before_its_start_does_not_come_back(desk: Desk) -> None:
    acquired(desk)
    silent(desk)
    (refusal,) = desk.together([c.Start(actor=HOLDER, job=1)])
    assert isinstance(refusal, HubError)


def test_it_comes_back_when_the_other_job_of_the_node_is_over(desk: Desk) -> None:
    lost_run(desk)
    another = running(desk)
    desk.do(c.Finish(actor=HOLDER, job=another))
    assert desk.do(report(1)).job.status == "RUNNING"


def test_others_cannot_bring_it_back(desk: Desk) -> None:
    lost_run(desk)
    refusals = desk.together([report(1, node=OTHER), c.Finish(actor=OTHER, job=1)])
    assert all(isinstance(one, HubError) for one in refusals)
    assert desk.store.jobs[1].status == "QUEUED"


def test_a_touch_does_not_bring_it_back(desk: Desk) -> None:
    lost_run(desk)
    desk.together([c.Touch(actor=HOLDER, job=1, ago_us=0)])
    assert desk.store.jobs[1].status == "QUEUED"


def test_a_run_can_be_lost_and_come_back_again(desk: Desk) -> None:
    lost_run(desk)
    desk.do(report(1, 0.75))
    silent(desk)
    row = desk.do(c.Finish(actor=HOLDER, job=1, outputs=("log",))).job
    assert (row.status, row.progress, row.num_exes) == ("COMPLETED", 0.75, 1)
    assert outcomes(desk) == [(1, "completed")]


def test_a_lost_job_can_be_taken_by_the_node_that_lost_it_as_any_other(desk: Desk) -> None:
    lost_run(desk)
    row = desk.do(c.Acquire(actor=HOLDER, job=1)).job
    assert (row.status, row.attempt, row.tries) == ("ACQUIRED", 2, 2)


# --- A sequential node ----------------------------------------------------------------------------


def test_a_silent_run_is_lost_when_its_node_asks_for_other_work(desk: Desk) -> None:
    running(desk)
    desk.now_us += 59 * SECOND_US
    desk.poll(1)
    assert desk.store.jobs[1].status == "RUNNING"
    desk.now_us += SECOND_US
    desk.poll(1)
    assert desk.store.jobs[1].status == "QUEUED"
    assert detail(desk) == {"silent_s": 60.0, "from_node": 1}


def test_calls_about_other_matters_do_not_keep_the_job_of_a_node_that_asks_for_work(
    desk: Desk,
) -> None:
    # A node that polls is heard of all the time, and yet does not work.
    running(desk)
    for _ in range(3):
        desk.now_us += DOUBT_S * SECOND_US
        looked(desk, 1, seen_us=desk.now_us)
    desk.poll(1)
    assert desk.store.jobs[1].status == "QUEUED"


def test_a_poll_costs_a_node_nothing_that_reports(desk: Desk) -> None:
    running(desk)
    desk.now_us += 60 * SECOND_US
    desk.do(report(1))
    desk.poll(1)
    assert desk.store.jobs[1].status == "RUNNING"


@pytest.mark.parametrize(("max_tries", "status"), [(2, "QUEUED"), (1, "FAILED")])
def test_a_silent_run_that_its_node_leaves_for_another_job_is_lost(
    desk: Desk, max_tries: int, status: str
) -> None:
    running(desk, max_tries=max_tries)
    desk.do(bytes_named("log", 1, HOLDER))
    another = desk.do(a_job()).job.pk
    desk.now_us += 60 * SECOND_US
    desk.do(c.Acquire(actor=HOLDER, job=another))
    row = desk.store.jobs[1]
    assert (row.status, row.lost_run, row.output_count) == (status, None, 0)
    assert outcomes(desk)[0] == (1, "lost")
    lost = next(event for event in desk.store.events if event["type"] == "lost")
    assert msgspec.json.decode(lost["data"])["reason"] == "superseded-by-self"


def test_an_unstarted_job_that_its_node_leaves_costs_no_try_even_at_the_last_one(
    desk: Desk,
) -> None:
    acquired(desk, max_tries=1)
    another = desk.do(a_job()).job.pk
    desk.do(c.Acquire(actor=HOLDER, job=another))
    row = desk.store.jobs[1]
    assert (row.status, row.tries) == ("QUEUED", 0)
    assert outcomes(desk) == [(1, None)]


# --- Too long -------------------------------------------------------------------------------------


def test_a_run_ends_after_its_time_however_lively_it_is(desk: Desk) -> None:
    running(desk, timeout_s=100)
    for _ in range(9):
        desk.do(report(1))
        after(desk, 11)
    assert desk.store.jobs[1].status == "RUNNING"
    desk.do(report(1))
    after(desk, 1)
    row = desk.store.jobs[1]
    assert (row.status, row.error_name, row.node) == ("FAILED", "timeout", 1)
    assert row.error == "timeout: the run took longer than 100 s"
    assert story(desk)[-1] == "timeout"


def test_the_time_of_a_run_begins_with_its_start(desk: Desk) -> None:
    acquired(desk, timeout_s=100)
    after(desk, 200)
    desk.do(c.Start(actor=HOLDER, job=1))
    after(desk, 99)
    assert desk.store.jobs[1].status == "RUNNING"
    after(desk, 1)
    assert desk.store.jobs[1].status == "FAILED"


def test_a_worker_whose_run_took_too_long_may_still_leave_its_log_and_finish(desk: Desk) -> None:
    running(desk, timeout_s=100)
    after(desk, 100)
    another = desk.do(a_job()).job.pk
    desk.do(c.Acquire(actor=HOLDER, job=another))
    (refusal, *late) = desk.together(
        [
            c.Start(actor=HOLDER, job=another),
            bytes_named("log", 1, HOLDER),
            c.Finish(actor=HOLDER, job=1, outputs=("log",)),
            c.Start(actor=HOLDER, job=another),
        ]
    )
    assert isinstance(refusal, HubError)
    assert refusal.code == "node_busy"
    assert not any(isinstance(one, HubError) for one in late)
    assert (desk.store.jobs[1].status, desk.store.jobs[another].status) == ("FAILED", "RUNNING")


def test_a_run_that_comes_back_has_no_more_time_than_before(desk: Desk) -> None:
    before = lost_run(desk, timeout_s=2 * LOST_S)
    row = desk.do(report(1)).job
    assert row.deadline_us == before.deadline_us


# --- A job of a graph -----------------------------------------------------------------------------


def graph_with(max_tries: int, timeout_s: int | None = None) -> Desk:
    """Return a meta-job with a child that runs, with an output for which another one waits."""
    first = replace(member("a"), max_tries=max_tries, timeout_s=timeout_s)
    desk = desk_with(first, member("b", ("a", "x")))
    desk.do(c.Acquire(actor=HOLDER, job=A))
    desk.do(c.Start(actor=HOLDER, job=A))
    desk.do(bytes_named("o", A, HOLDER))
    return desk


def test_a_child_that_comes_back_with_its_end_hands_on_its_outputs() -> None:
    desk = graph_with(max_tries=2)
    silent(desk)
    assert statuses(desk) == ["RUNNING", "QUEUED", "PENDING"]
    desk.do(c.Finish(actor=HOLDER, job=A))
    assert statuses(desk) == ["RUNNING", "COMPLETED", "QUEUED"]
    shown = [(o.job, o.name) for o in desk.store.outputs.values() if o.deleted_us is None]
    assert shown == [(A, "o"), (TOP, "a:o")]


@pytest.mark.parametrize("fate", ["lost", "too long"])
def test_a_child_that_is_lost_for_good_fails_its_graph(fate: str) -> None:
    desk = graph_with(max_tries=1, timeout_s=600 if fate == "too long" else None)
    silent(desk)
    assert statuses(desk) == ["FAILED", "FAILED", "BLOCKED"]
    desk.do(c.Requeue(actor=ADMIN, job=A))
    assert statuses(desk) == ["RUNNING", "QUEUED", "PENDING"]


# --- Executions -----------------------------------------------------------------------------------

ACQUIRE, START = c.Acquire(actor=HOLDER, job=1), c.Start(actor=HOLDER, job=1)
RUN = (ACQUIRE, START)
FAIL = c.Finish(actor=HOLDER, job=1, error="broken")
RELEASE = c.Release(actor=HOLDER, job=1)
ABORT, CANCEL = c.Abort(actor=ADMIN, job=1), c.Cancel(actor=CREATOR, job=1)
SILENCE = None
"""Stands for silence until the job is lost."""

STORIES: dict[str, tuple[tuple[c.Command | None, ...], list[tuple[int, str | None]]]] = {
    "waits": ((), [(0, None)]),
    "acquired": ((ACQUIRE,), [(1, None)]),
    "given back": ((ACQUIRE, RELEASE), [(1, None)]),
    "given back, canceled": ((ACQUIRE, RELEASE, CANCEL), [(1, "canceled")]),
    "taken again": ((ACQUIRE, RELEASE, ACQUIRE), [(2, None)]),
    "completed": ((*RUN, c.Finish(actor=HOLDER, job=1)), [(1, "completed")]),
    "failed": ((*RUN, FAIL), [(1, "failed")]),
    "failed, then canceled": ((*RUN, FAIL, CANCEL), [(1, "failed")]),
    "failed, taken by another": (
        (*RUN, FAIL, RELEASE, c.Acquire(actor=OTHER, job=1)),
        [(1, "failed")],
    ),
    "reset": ((*RUN, FAIL, c.Reset(actor=HOLDER, job=1)), [(1, "failed"), (1, None)]),
    "reset by another": (
        (*RUN, FAIL, RELEASE, c.Acquire(actor=OTHER, job=1), c.Reset(actor=OTHER, job=1)),
        [(1, "failed"), (2, None)],
    ),
    "canceled while it waits": ((CANCEL,), [(0, "canceled")]),
    "canceled while it runs": ((*RUN, CANCEL), [(1, "canceled")]),
    "canceled, requeued": (
        (*RUN, CANCEL, c.Requeue(actor=ADMIN, job=1)),
        [(1, "canceled"), (0, None)],
    ),
    "failed, requeued, taken": (
        (*RUN, FAIL, c.Requeue(actor=ADMIN, job=1), ACQUIRE),
        [(1, "failed"), (2, None)],
    ),
    "aborted before its start": ((ACQUIRE, ABORT), [(1, "aborted"), (0, None)]),
    "aborted while it runs": ((*RUN, ABORT), [(1, "aborted"), (0, None)]),
    "aborted after it failed": ((*RUN, FAIL, ABORT), [(1, "failed"), (0, None)]),
    "lost before its start": ((ACQUIRE, SILENCE), [(1, None)]),
    "lost": ((*RUN, SILENCE), [(1, "lost")]),
    "lost, taken": ((*RUN, SILENCE, ACQUIRE), [(1, "lost"), (2, None)]),
    "lost, canceled": ((*RUN, SILENCE, CANCEL), [(1, "lost"), (0, "canceled")]),
    "lost, aborted": ((*RUN, SILENCE, ABORT), [(1, "lost"), (0, None)]),
    "lost, back": ((*RUN, SILENCE, report(1)), [(1, None)]),
    "lost, back, failed": ((*RUN, SILENCE, FAIL), [(1, "failed")]),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_job_has_an_execution_for_each_time_it_was_queued(desk: Desk, name: str) -> None:
    commands, expected = STORIES[name]
    desk.do(a_job())
    for command in commands:
        if command is None:
            silent(desk)
        else:
            desk.do(command)
    assert outcomes(desk) == expected
    assert desk.store.jobs[1].num_exes == len(expected)


def test_an_execution_tells_who_had_it_when_and_why_it_failed(desk: Desk) -> None:
    desk.do(a_job())
    for command in (*RUN, FAIL):
        desk.now_us += SECOND_US
        desk.do(command)
    assert executions(desk) == [
        ExecutionRow(
            job=1,
            number=1,
            attempt=1,
            node=1,
            queued_us=NOW_US,
            granted_us=NOW_US + SECOND_US,
            start_us=NOW_US + 2 * SECOND_US,
            end_us=NOW_US + 3 * SECOND_US,
            outcome="failed",
            error="broken",
            error_name="algorithm-unknown",
        )
    ]


def test_a_lost_execution_keeps_its_node_and_times(desk: Desk) -> None:
    before = lost_run(desk)
    desk.do(c.Acquire(actor=OTHER, job=1))
    lost, following = executions(desk)
    assert (lost.node, lost.granted_us, lost.start_us) == (1, NOW_US, before.start_us)
    assert (lost.end_us, lost.error_name) == (desk.now_us, "node-lost")
    assert (following.node, following.queued_us) == (2, desk.now_us)


def test_an_execution_that_goes_on_was_never_lost(desk: Desk) -> None:
    lost_run(desk)
    desk.now_us += SECOND_US
    desk.do(report(1))
    (row,) = executions(desk)
    assert (row.outcome, row.end_us, row.error_name) == (None, None, None)
    assert (row.granted_us, row.start_us) == (NOW_US, NOW_US)


def test_what_happens_in_one_batch_is_told_like_one_by_one(desk: Desk) -> None:
    desk.do(a_job())
    desk.together([ACQUIRE, RELEASE, CANCEL])
    assert outcomes(desk) == [(1, "canceled")]


# --- What was missed ------------------------------------------------------------------------------

S = SECOND_US
BEFORE = Moment(Look(NOW_US, NOW_US - 2 * S, 0, 0), steady_s=100.0)


def moment(
    wall_s: float,
    steady_s: float,
    *,
    unsure_s: float = 0.0,
    others_silence_s: int = 0,
    others_jump_s: int = 0,
) -> Moment:
    """Return what a process sees so many seconds after ``BEFORE`` by either clock."""
    look = Look(NOW_US + round(wall_s * S), NOW_US, others_silence_s * S, others_jump_s * S)
    return Moment(look, 100.0 + steady_s, unsure_s)


NOTHING = Shift()
LIVES: dict[str, tuple[Moment, Shift]] = {
    "all is well": (moment(2, 2), NOTHING),
    "the clock is slewed": (moment(2.5, 2), NOTHING),
    "a look came late": (moment(9, 9), NOTHING),
    "the process was frozen": (moment(15, 15), Shift(15 * S, 0, GRACE_US)),
    "the clock was set forward": (moment(3_602, 2), Shift(0, 3_600 * S, 0)),
    "the clock was set back": (moment(-3_598, 2), Shift(0, -3_600 * S, 0)),
    "frozen, and then the clock was set": (moment(100, 15), Shift(15 * S, 85 * S, GRACE_US)),
    "the database answered late": (moment(5, 2.5, unsure_s=3.0), NOTHING),
    "another process moved for the same jump": (moment(3_602, 2, others_jump_s=3_600), NOTHING),
    "another process moved for a jump back": (moment(-3_598, 2, others_jump_s=-3_600), NOTHING),
    "another process moved for the same silence": (moment(15, 15, others_silence_s=15), NOTHING),
    "another process was frozen alone": (moment(2, 2, others_silence_s=60), NOTHING),
}


@pytest.mark.parametrize("life", LIVES)
def test_what_could_not_be_heard_moves_leases_and_nothing_else_does(life: str) -> None:
    now, expected = LIVES[life]
    assert missed(now, BEFORE) == expected


@pytest.mark.parametrize(
    ("away_s", "expected"),
    [
        (0.5, NOTHING),
        (10, NOTHING),
        (11, Shift(11 * S, 0, GRACE_US)),
        (86_400, Shift(86_400 * S, 0, GRACE_US)),
        (-60, Shift(0, -60 * S, GRACE_US)),
    ],
)
def test_a_process_that_starts_takes_the_time_since_the_last_look_for_silence(
    away_s: float, expected: Shift
) -> None:
    look = Look(NOW_US, NOW_US - round(away_s * S), 7, 7)
    assert missed(Moment(look, 5.0), None) == expected


def test_a_hub_that_never_looked_has_missed_nothing() -> None:
    assert missed(Moment(Look(NOW_US, 0, 0, 0), 5.0), None) == NOTHING


def test_the_limits_of_what_is_missed_are_those_that_are_said() -> None:
    assert missed(moment(GAP_US / S, GAP_US / S), BEFORE) == NOTHING
    assert missed(moment(2 + JUMP_US / S, 2), BEFORE) == NOTHING
