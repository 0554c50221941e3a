"""The rules of a job's life: who may do what in which state, against a table and a model."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hub.auth.permissions import PERMISSIONS
from hub.errors import HubError
from hub.lifecycle import commands as c
from hub.lifecycle.decide import RULES
from hub.lifecycle.leases import NO_END_US
from hub.lifecycle.planner import Batch
from hub.lifecycle.states import Status
from orm.rows import JobRow, last_holder
from tests.folding import violations
from tests.unit.batch_world import (
    ADMIN,
    CREATOR,
    NOW_US,
    SECOND_US,
    STRANGER,
    Desk,
    MemoryBatches,
    a_job,
    bytes_named,
    new_desk,
    worker,
)
from tests.unit.job_model import TIMEOUT_S, Ask, Job, Model

HOLDER, OTHER, FORMER = worker(1), worker(2), worker(3)
ASKERS = {
    "holder": HOLDER,
    "other": OTHER,
    "former": FORMER,
    "admin": ADMIN,
    "creator": CREATOR,
    "stranger": STRANGER,
}

COMMANDS: dict[str, Callable[[c.Actor], c.Command]] = {
    "acquire": lambda actor: c.Acquire(actor=actor, job=1),
    "release": lambda actor: c.Release(actor=actor, job=1),
    "start": lambda actor: c.Start(actor=actor, job=1),
    "progress": lambda actor: c.Progress(actor=actor, job=1, value=0.5, body="{}"),
    "finish": lambda actor: c.Finish(actor=actor, job=1),
    "fail": lambda actor: c.Finish(actor=actor, job=1, error="broken"),
    "reset": lambda actor: c.Reset(actor=actor, job=1),
    "abort": lambda actor: c.Abort(actor=actor, job=1),
    "cancel": lambda actor: c.Cancel(actor=actor, job=1),
    "requeue": lambda actor: c.Requeue(actor=actor, job=1),
    "describe": lambda actor: c.Describe(actor=actor, job=1, description="another"),
    "destroy": lambda actor: c.Destroy(actor=actor, job=1),
    "reinstate": lambda actor: c.Reinstate(actor=actor, job=1),
    "hard delete": lambda actor: c.HardDelete(actor=actor, job=1),
    "upload": lambda actor: bytes_named("log", 1, actor, run=(2, 1)),
}

# Where a job can stand. Node 3 held every one of them before.
SITUATIONS = (
    *("PENDING", "BLOCKED", "QUEUED", "ACQUIRED", "RUNNING"),
    *("FAILED", "FAILED, unheld", "COMPLETED", "CANCELED", "deleted"),
)

ILLEGAL, HELD, NOT_YOURS = "illegal_transition", "job_held", "not_the_holder"
SAME = "same"
"""Granted, and nothing happens."""

# A line for a command and those who ask: what comes of it in each situation, in the order above.
# "-" stands where nobody is the holder.
TABLE = """
acquire  holder          illegal illegal -        same      same      same     -        illegal illegal -
acquire  other,former    illegal illegal ACQUIRED held      held      held     FAILED   illegal illegal missing
release  holder          -       -       -        QUEUED    illegal   FAILED   -        illegal illegal -
release  other           notyours x10
release  former          same x10
start    holder          -       -       -        RUNNING   same      illegal  -        illegal illegal -
start    other,former    notyours x10
progress holder          -       -       -        illegal   RUNNING   illegal  -        illegal illegal -
progress other,former    notyours x10
finish   holder          -       -       -        illegal   COMPLETED illegal  -        same    same    -
finish   other           notyours x10
finish   former          same x10
fail     holder          -       -       -        illegal   FAILED    same     -        illegal same    -
fail     other           notyours x10
fail     former          same x10
reset    holder          -       -       -        illegal   illegal   ACQUIRED -        illegal illegal -
reset    other,former    notyours x10
abort    admin           illegal illegal same     QUEUED    QUEUED    QUEUED   QUEUED   illegal illegal deleted
cancel   admin,creator   CANCELED CANCELED CANCELED CANCELED CANCELED CANCELED CANCELED same    same    CANCELED
cancel   stranger        notyours x10
requeue  admin           illegal illegal illegal  illegal   illegal   QUEUED   QUEUED   illegal QUEUED  deleted
describe admin           stays   stays   stays    stays     stays     stays    stays    stays   stays   stays
destroy  admin           stays   stays   stays    in_use    in_use    stays    stays    stays   stays   same
reinstate admin          same    same    same     same      same      same     same     same    same    stays
harddelete admin         gone    gone    gone     in_use    in_use    gone     gone     gone    gone    gone
upload   holder          -       -       -        illegal   stays     stays    -        illegal stays   -
upload   other,former    notyours x10
upload   admin           illegal illegal illegal  illegal   stays     stays    stays    illegal illegal illegal
upload   creator,stranger notyours x10
"""  # noqa: E501  # a table is read across

CODES = {
    "illegal": ILLEGAL,
    "held": HELD,
    "notyours": NOT_YOURS,
    "missing": "not_found",
    "deleted": "job_deleted",
    "in_use": "job_in_use",
}


def cases() -> list[tuple[str, str, str, str]]:
    """Return (command, asker, situation, expected) for every cell of the table."""
    found = []
    for line in TABLE.strip().splitlines():
        command, askers, *cells = line.split()
        if cells[-1] == "x10":
            cells = cells[:1] * len(SITUATIONS)
        name = "hard delete" if command == "harddelete" else command
        for asker in askers.split(","):
            for situation, cell in zip(SITUATIONS, cells, strict=True):
                if cell != "-":
                    found.append((name, asker, situation, CODES.get(cell, cell)))
    return found


def job_in(desk: Desk, situation: str) -> JobRow:
    """Make job 1 and bring it there; node 3 held it first, and gave it back."""
    desk.together([a_job()])
    desk.do(c.Acquire(actor=FORMER, job=1))
    desk.do(c.Release(actor=FORMER, job=1))
    if situation in ("PENDING", "BLOCKED"):  # nothing leads there yet
        desk.store.jobs[1] = _as(desk.store.jobs[1], situation)
    for command in WAYS.get(situation, ()):
        desk.do(command)
    return desk.store.jobs[1]


def _as(row: JobRow, status: str) -> JobRow:
    about = {name: getattr(row, name) for name in row.__struct_fields__}
    return JobRow(**(about | {"status": status}))


_ACQUIRED = (COMMANDS["acquire"](HOLDER),)
_RUNNING = (*_ACQUIRED, COMMANDS["start"](HOLDER))
_FAILED = (*_RUNNING, COMMANDS["fail"](HOLDER))
WAYS: dict[str, tuple[c.Command, ...]] = {
    "ACQUIRED": _ACQUIRED,
    "RUNNING": _RUNNING,
    "FAILED": _FAILED,
    "FAILED, unheld": (*_FAILED, COMMANDS["release"](HOLDER)),
    "COMPLETED": (*_RUNNING, COMMANDS["finish"](HOLDER)),
    "CANCELED": (*_RUNNING, COMMANDS["cancel"](CREATOR)),
    "deleted": (COMMANDS["destroy"](ADMIN),),
}


def asked(desk: Desk, command: c.Command) -> tuple[str, int]:
    """Run it; return its refusal's code or the status after it, and how many events it made."""
    seen = len(desk.store.events)
    (outcome,) = desk.together([command])
    events = len(desk.store.events) - seen
    if isinstance(outcome, HubError):
        return outcome.code, events
    return outcome.job.status, events


@pytest.mark.parametrize(("name", "asker", "situation", "expected"), cases())
def test_each_command_does_in_each_state_what_the_table_says(
    name: str, asker: str, situation: str, expected: str
) -> None:
    desk = new_desk()
    before = job_in(desk, situation).status
    answer, events = asked(desk, COMMANDS[name](ASKERS[asker]))
    match expected:
        case "same":
            assert (answer, events) == (before, 0)
        case "stays" | "gone":
            assert (answer, events) == (before, 1)
            assert (1 in desk.store.jobs) is (expected == "stays")
        case _:
            assert (answer, events) == (expected, int(expected in Status.__members__))


@pytest.mark.parametrize(("name", "asker", "situation", "expected"), cases())
def test_what_is_refused_changes_nothing(
    name: str, asker: str, situation: str, expected: str
) -> None:
    desk = new_desk()
    row = job_in(desk, situation)
    command = COMMANDS[name](ASKERS[asker])
    batch = Batch([command], {}, NOW_US)
    writes = batch.plan(desk.store.load(batch.needs))
    is_refused = expected in CODES.values()
    assert isinstance(batch.outcomes[0], HubError) is is_refused
    assert writes.is_empty() or not is_refused
    assert desk.store.jobs[1] is row


@pytest.mark.parametrize("name", ["acquire", "release", "start", "progress", "finish", "reset"])
def test_only_a_node_may_ask_for_what_a_node_does(name: str) -> None:
    # The rules count on it: they compare nodes, and "no node" would be a match for "no holder".
    assert PERMISSIONS[f"jobs_{name}"].needs_node


@pytest.mark.parametrize("name", ["abort", "requeue", "update", "destroy", "hard_delete"])
def test_only_an_administrator_may_ask_for_what_administrators_do(name: str) -> None:
    action = f"jobs_{name}"
    if action in PERMISSIONS:
        assert {role.value for role in PERMISSIONS[action].roles} == {"admin"}


# Leases


def running(desk: Desk, node: c.Actor = HOLDER) -> int:
    """Return a new job that ``node`` runs."""
    job = desk.do(a_job()).job.pk
    desk.do(c.Acquire(actor=node, job=job))
    desk.do(c.Start(actor=node, job=job))
    return job


def test_each_grant_is_an_attempt_more_and_a_try_more() -> None:
    desk = new_desk()
    running(desk)
    desk.do(COMMANDS["abort"](ADMIN))
    row = desk.do(COMMANDS["acquire"](OTHER)).job
    assert (row.attempt, row.tries, row.num_exes) == (2, 2, 2)


def test_a_job_given_back_unstarted_costs_no_try() -> None:
    desk = new_desk()
    desk.do(a_job())
    desk.do(COMMANDS["acquire"](HOLDER))
    row = desk.do(COMMANDS["release"](HOLDER)).job
    assert (row.attempt, row.tries, row.num_exes) == (1, 0, 1)


def test_a_reset_is_another_run_of_the_same_attempt_on_a_clean_slate() -> None:
    desk = new_desk()
    job_in(desk, "RUNNING")
    desk.do(COMMANDS["progress"](HOLDER))
    desk.do(COMMANDS["upload"](HOLDER))
    desk.do(COMMANDS["fail"](HOLDER))
    row = desk.do(COMMANDS["reset"](HOLDER)).job
    assert (row.attempt, row.num_exes, row.progress, row.error) == (2, 2, 0.0, None)
    assert (row.output_count, row.start_us, row.end_us) == (0, None, None)
    assert desk.store.outputs[1].deleted_us == NOW_US


def test_a_node_that_takes_a_second_job_gives_up_the_one_it_has_not_started() -> None:
    desk = new_desk()
    desk.together([a_job(), a_job()])
    desk.do(c.Acquire(actor=HOLDER, job=1))
    desk.do(c.Acquire(actor=HOLDER, job=2))
    assert (desk.store.jobs[1].status, desk.store.jobs[1].tries) == ("QUEUED", 0)
    assert desk.store.jobs[2].status == "ACQUIRED"


@pytest.mark.parametrize(("silent_s", "given_up"), [(59, False), (60, True)])
def test_a_run_is_given_up_for_another_job_only_after_a_minute_of_silence(
    silent_s: int, given_up: bool
) -> None:
    desk = new_desk()
    job, another = running(desk), desk.do(a_job()).job.pk
    desk.do(bytes_named("log", job, HOLDER))
    desk.now_us += silent_s * SECOND_US
    desk.do(c.Acquire(actor=HOLDER, job=another))
    row = desk.store.jobs[job]
    assert (row.status, row.tries) == (("QUEUED", 1) if given_up else ("RUNNING", 1))
    assert (desk.store.outputs[1].deleted_us is not None) is given_up


def test_a_node_starts_no_second_job_while_it_runs_one() -> None:
    desk = new_desk()
    running(desk)
    desk.do(a_job())
    desk.do(c.Acquire(actor=HOLDER, job=2))
    assert asked(desk, c.Start(actor=HOLDER, job=2)) == ("node_busy", 0)


@pytest.mark.parametrize("end", ["30 s", "finish"])
def test_a_canceled_run_keeps_its_node_busy_until_it_ends_or_half_a_minute_passed(end: str) -> None:
    desk = new_desk()
    job = running(desk)
    desk.do(c.Cancel(actor=CREATOR, job=job))
    desk.do(a_job())
    desk.do(c.Acquire(actor=HOLDER, job=2))
    desk.now_us += 29 * SECOND_US
    assert asked(desk, c.Start(actor=HOLDER, job=2)) == ("node_busy", 0)
    if end == "finish":
        desk.do(c.Finish(actor=HOLDER, job=job))
    else:
        desk.now_us += SECOND_US
    assert asked(desk, c.Start(actor=HOLDER, job=2)) == ("RUNNING", 1)


def test_the_stored_progress_never_goes_back_though_the_report_is_passed_on() -> None:
    desk = new_desk()
    running(desk)
    for value in (0.7, 0.2):
        desk.do(c.Progress(actor=HOLDER, job=1, value=value, body=f'{{"value":{value}}}'))
    row = desk.store.jobs[1]
    assert (row.progress, row.progress_data) == (0.7, '{"value":0.2}')
    assert desk.store.events[-1]["data"] == '{"value":0.2}'


def test_progress_does_not_count_as_a_modification() -> None:
    desk = new_desk()
    running(desk)
    desk.now_us += SECOND_US
    row = desk.do(COMMANDS["progress"](HOLDER)).job
    assert (row.modified_us, row.last_contact_us) == (NOW_US, NOW_US + SECOND_US)


def test_a_finish_names_outputs_that_must_be_there() -> None:
    desk = new_desk()
    running(desk)
    finish = c.Finish(actor=HOLDER, job=1, outputs=("model", "log"))
    desk.do(bytes_named("log", 1, HOLDER))
    assert asked(desk, finish) == ("outputs_missing", 0)
    desk.do(bytes_named("model", 1, HOLDER))
    assert asked(desk, finish) == ("COMPLETED", 1)


def test_outputs_of_an_attempt_do_not_show_in_the_next() -> None:
    desk = new_desk()
    running(desk)
    desk.do(bytes_named("log", 1, HOLDER))
    desk.do(COMMANDS["fail"](HOLDER))
    desk.do(COMMANDS["release"](HOLDER))
    row = desk.do(COMMANDS["acquire"](OTHER)).job
    assert (row.status, row.attempt, row.output_count) == ("FAILED", 2, 0)


def test_bytes_that_began_to_come_in_a_former_run_are_refused() -> None:
    desk = new_desk()
    running(desk)
    desk.do(COMMANDS["fail"](HOLDER))
    desk.do(COMMANDS["reset"](HOLDER))
    desk.do(COMMANDS["start"](HOLDER))
    assert asked(desk, bytes_named("log", 1, HOLDER)) == ("run_over", 0)
    assert asked(desk, bytes_named("log", 1, HOLDER, run=(1, 2))) == ("RUNNING", 1)


def test_a_node_that_is_gone_gets_no_job() -> None:
    desk = new_desk()
    desk.do(a_job())
    desk.store.nodes.clear()
    assert asked(desk, COMMANDS["acquire"](HOLDER)) == ("bad_node_id", 0)


def test_a_finish_that_comes_too_late_is_noted_and_changes_nothing() -> None:
    desk = new_desk()
    running(desk)
    desk.do(COMMANDS["abort"](ADMIN))
    row = desk.store.jobs[1]
    assert desk.do(COMMANDS["finish"](HOLDER)).job is row
    assert desk.store.story().audit[-1]["action"] == "jobs.finish_late"


def test_a_slot_ends_with_the_run() -> None:
    desk = new_desk()
    running(desk)
    assert desk.store.jobs[1].slot_until_us == NO_END_US
    assert desk.do(COMMANDS["finish"](HOLDER)).job.slot_until_us is None


def test_a_hard_deleted_job_leaves_only_blank_events() -> None:
    desk = new_desk()
    running(desk)
    desk.do(bytes_named("log", 1, HOLDER))
    desk.do(COMMANDS["finish"](HOLDER))
    desk.do(COMMANDS["hard delete"](ADMIN))
    *blank, last = desk.store.events
    assert {(event["type"], event["data"]) for event in blank} == {("void", "{}")}
    assert last["type"] == "destroy"
    assert (desk.store.jobs, desk.store.outputs) == ({}, {})


def test_a_job_with_children_is_not_deleted_for_good() -> None:
    desk = new_desk()
    desk.together([a_job(), a_job()])
    child = desk.store.jobs[2]
    about = {name: getattr(child, name) for name in child.__struct_fields__}
    desk.store.jobs[2] = JobRow(**(about | {"parent": 1}))
    assert asked(desk, COMMANDS["hard delete"](ADMIN)) == ("job_in_use", 0)


# The rules against the model

JOBS_MAX = 3
JOBS = st.integers(1, JOBS_MAX)
NODES = st.integers(1, 3)
THE_HOLDER = 0
"""Stands for the node that has the job, or had it last: most calls come from it."""

STEP = "step"
"""Stands for what brings a job on."""

NODE_ASKS = st.builds(
    lambda what, job, node: Ask(what, job, node),
    st.sampled_from([*[STEP] * 6, "acquire", "release", "start", "finish", "fail", "reset"]),
    JOBS,
    st.sampled_from([*[THE_HOLDER] * 9, 1, 2, 3]),
)
REPORTS = st.builds(
    lambda ask, value: ask._replace(what="progress", value=value),
    NODE_ASKS,
    st.sampled_from([0.0, 0.5, 1.0]),
)
UPLOADS = st.builds(
    lambda ask, name, value: ask._replace(what="upload", name=name, value=value),
    NODE_ASKS,
    st.sampled_from(["log", "model"]),
    st.sampled_from([1.0, 2.0]),
)
STRICT_ENDS = NODE_ASKS.map(lambda ask: ask._replace(what="finish", name="log"))
ADMIN_ASKS = st.builds(
    lambda what, job: Ask(what, job, is_admin=True),
    st.sampled_from(["abort", "requeue", "destroy", "reinstate", "erase", "cancel"]),
    JOBS,
)
CANCELS = st.builds(
    lambda job, is_creator: Ask("cancel", job, is_creator=is_creator), JOBS, st.booleans()
)
ASKS = st.one_of(NODE_ASKS, REPORTS, UPLOADS, STRICT_ENDS, ADMIN_ASKS, CANCELS)


def command_of(ask: Ask) -> c.Command:
    """Return the hub's command for a question to the model."""
    actor = CREATOR if ask.is_creator else ADMIN if ask.is_admin else STRANGER
    actor = actor if ask.node is None else worker(ask.node)
    match ask.what:
        case "create":
            return a_job(timeout_s=TIMEOUT_S)
        case "progress":
            return c.Progress(actor=actor, job=ask.job, value=ask.value, body="{}")
        case "upload":
            return bytes_named(ask.name, ask.job, actor, sha256=str(ask.value), run=ask.run)
        case "finish" | "fail":
            error = "broken" if ask.what == "fail" else None
            outputs = (ask.name,) if ask.name else ()
            return c.Finish(actor=actor, job=ask.job, error=error, outputs=outputs)
    plain: dict[str, type[c.Command]] = {
        "acquire": c.Acquire,
        "release": c.Release,
        "start": c.Start,
        "reset": c.Reset,
        "abort": c.Abort,
        "cancel": c.Cancel,
        "requeue": c.Requeue,
        "destroy": c.Destroy,
        "reinstate": c.Reinstate,
        "erase": c.HardDelete,
    }
    return plain[ask.what](actor=actor, job=ask.job)


STEPS = {"ACQUIRED": "start", "RUNNING": "progress", "FAILED": "reset"}


def begun(desk: Desk, ask: Ask) -> Ask:
    """Return ``ask`` with what its stand-ins stand for now; uploads begin in the present run."""
    row = desk.store.jobs.get(ask.job)
    if row is None:
        return ask._replace(what="start" if ask.what == STEP else ask.what)
    if ask.what == STEP:
        ask = ask._replace(what=STEPS.get(row.status, "acquire"), value=0.25)
    if ask.node == THE_HOLDER:
        ask = ask._replace(node=row.node or last_holder(row) or row.pk)
    return ask._replace(run=(row.attempt, row.num_exes))


def as_modelled(row: JobRow, desk: Desk) -> Job:
    """Return a stored job in the words of the model; what the model does not promise is left."""
    outputs = {
        output.name: float(output.sha256)
        for output in desk.store.outputs.values()
        if (output.job, output.attempt) == (row.pk, row.attempt) and output.deleted_us is None
    }
    assert row.output_count == len(outputs)
    return Job(
        status=row.status,
        holder=row.node,
        former={int(node) for node in row.former_nodes.split(",") if node} - {row.node},
        attempt=row.attempt,
        tries=row.tries,
        runs=row.num_exes,
        progress=row.progress,
        error=row.error,
        outputs=outputs,
        events=row.seq,
        is_deleted=row.deleted_us is not None,
    )


def promised(job: Job) -> Job:
    """Return what of the model can be compared."""
    return Job(
        status=job.status,
        holder=job.holder,
        former=job.former - {job.holder},
        attempt=job.attempt,
        tries=job.tries,
        runs=job.runs,
        progress=job.progress,
        error=job.error,
        outputs=job.outputs,
        events=job.events,
        is_deleted=job.is_deleted,
    )


class JobLives(RuleBasedStateMachine):
    """Random batches through planner and model side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.desk, self.model = new_desk(), Model()
        self.model.now_us = self.desk.now_us
        self.somebody_creates()
        self.somebody_creates()

    @precondition(lambda self: self.model.made < JOBS_MAX)
    @rule()
    def somebody_creates(self) -> None:
        self.together([Ask("create")])

    @rule(asks=st.lists(ASKS, min_size=1, max_size=6))
    def together(self, asks: Sequence[Ask]) -> None:
        asks = [begun(self.desk, ask) for ask in asks]
        expected = [self.model.ask(ask) for ask in asks]
        outcomes = self.desk.together([command_of(ask) for ask in asks])
        codes = [outcome.code if isinstance(outcome, HubError) else "" for outcome in outcomes]
        assert codes == expected

    @rule(jobs=st.lists(JOBS, min_size=1, max_size=8))
    def work_goes_on(self, jobs: Sequence[int]) -> None:
        """Walk far: calls at random alone seldom bring a job to its end."""
        for job in jobs:
            self.together([Ask(STEP, job, THE_HOLDER)])

    @rule(job=JOBS, what=st.sampled_from(["start", "progress", "finish", "fail"]))
    def the_holder_calls(self, job: int, what: str) -> None:
        """Also who lost the job: then it may go on."""
        self.together([Ask(what, job, THE_HOLDER, value=0.5)])

    @rule(seconds=st.sampled_from([1, 29, 31, 61, 301, 601, 3_301]), is_looked=st.booleans())
    def time_passes(self, seconds: int, *, is_looked: bool) -> None:
        self.desk.now_us += seconds * SECOND_US
        self.model.now_us = self.desk.now_us
        if is_looked:
            self.desk.look()
            self.model.look()

    @rule()
    def everybody_falls_silent(self) -> None:
        for seconds in (301, 3_301):
            self.time_passes(seconds=seconds, is_looked=True)

    @rule(node=NODES)
    def a_node_asks_for_work(self, node: int) -> None:
        self.desk.poll(node)
        self.model.poll(node)

    @invariant()
    def the_rows_are_what_the_model_says(self) -> None:
        stored = {pk: as_modelled(row, self.desk) for pk, row in self.desk.store.jobs.items()}
        assert stored == {pk: promised(job) for pk, job in self.model.jobs.items()}

    @invariant()
    def no_node_runs_two_jobs(self) -> None:
        running = [row.node for row in self.desk.store.jobs.values() if row.status == "RUNNING"]
        assert len(running) == len(set(running))

    def teardown(self) -> None:
        assert violations(self.desk.store.story()) == []


def test_random_lives_go_as_the_model_says() -> None:
    run_state_machine_as_test(
        JobLives, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_very_many_random_lives_go_as_the_model_says() -> None:
    run_state_machine_as_test(
        JobLives, settings=settings(max_examples=10_000, stateful_step_count=100, deadline=None)
    )


# Nobody knows the number of a job before it is committed: its creation is a batch of its own.
LIVES = st.lists(
    st.one_of(st.just([Ask("create")]), st.lists(ASKS, min_size=1, max_size=8)),
    min_size=1,
    max_size=8,
)


@given(LIVES)
@settings(max_examples=150, deadline=None)
def test_a_batch_does_what_its_commands_would_do_one_by_one(lives: list[list[Ask]]) -> None:
    together, alone = new_desk(), new_desk()
    for asks in [[Ask("create"), Ask("create")], *lives]:
        commands = [command_of(begun(together, ask)) for ask in asks]
        outcomes = together.together(commands)
        one_by_one = [alone.together([command])[0] for command in commands]
        assert [repr(outcome) for outcome in outcomes] == [repr(one) for one in one_by_one]
        assert without_times(together.store) == without_times(alone.store)


def without_times(store: MemoryBatches) -> dict[str, Any]:
    """Return all that a store holds but the audit's times and hashes, which are not the rules'."""
    story = store.story()
    audit = [
        {name: value for name, value in row.items() if name not in ("time_us", "hash")}
        for row in story.audit
    ]
    return {"jobs": story.jobs, "events": story.events, "outputs": story.outputs, "audit": audit}


@given(LIVES)
@settings(max_examples=50, deadline=None)
def test_the_same_commands_at_the_same_time_are_decided_the_same(lives: list[list[Ask]]) -> None:
    desk = new_desk()
    for asks in [[Ask("create"), Ask("create")], *lives]:
        commands = [command_of(begun(desk, ask)) for ask in asks]
        batch, again = (Batch(commands, {}, desk.now_us) for _ in range(2))
        loaded = desk.store.load(batch.needs)
        writes = batch.plan(loaded)
        assert writes == again.plan(loaded)
        assert repr(batch.outcomes) == repr(again.outcomes)
        desk.store.write(writes)


def test_every_command_has_a_rule() -> None:
    def leaves(kind: type[c.Command]) -> set[type[c.Command]]:
        below = kind.__subclasses__()
        return {kind} if not below else set().union(*map(leaves, below))

    assert set(RULES) == leaves(c.Command)
