"""From commands to one batch: what it asks for, and what it writes."""

from msgspec.structs import replace

from hub.errors import HubError, NotFound
from hub.lifecycle import commands as c
from hub.lifecycle.planner import Batch
from orm.queries.batch import Loaded, Writes
from orm.rows import JobRow
from tests.unit.batch_world import (
    ADMIN,
    CREATOR,
    HUB,
    NOW_US,
    SECOND_US,
    STRANGER,
    Desk,
    a_job,
    bytes_named,
    new_desk,
    worker,
)

NODE = worker(7)


def planned(desk: Desk, *commands: c.Command) -> tuple[Batch, Writes]:
    batch = Batch(commands, {}, desk.now_us)
    return batch, batch.plan(desk.store.load(batch.needs))


def running_job(desk: Desk) -> int:
    job = desk.do(a_job()).job.pk
    desk.do(c.Acquire(actor=NODE, job=job))
    desk.do(c.Start(actor=NODE, job=job))
    return job


def report(job: int, value: float = 0.5) -> c.Progress:
    return c.Progress(actor=NODE, job=job, value=value, body="{}")


# What it asks for


def test_a_batch_asks_for_each_job_once_and_for_a_number_a_creation() -> None:
    needs = Batch([a_job(), a_job(), report(3), report(3), report(4)], {}, NOW_US).needs
    assert (set(needs.jobs), len(needs.jobs), needs.new_jobs) == ({3, 4}, 2, 2)


def test_only_who_takes_a_slot_has_the_others_of_its_node_loaded() -> None:
    acquire, start = c.Acquire(actor=NODE, job=1), c.Start(actor=worker(8), job=2)
    assert set(Batch([acquire, start], {}, NOW_US).needs.slots_of) == {7, 8}
    assert Batch([report(1)], {}, NOW_US).needs.slots_of == ()


def test_outputs_and_children_are_loaded_only_for_commands_that_look_at_them() -> None:
    needs = Batch(
        [bytes_named("log", 1, NODE), c.HardDelete(actor=ADMIN, job=2), report(3)], {}, NOW_US
    ).needs
    assert (set(needs.outputs_of), needs.children_of, needs.new_outputs) == ({1, 2}, (2,), 1)


# What it writes


def test_a_report_alone_rewrites_only_what_reports_change() -> None:
    desk = new_desk()
    job = running_job(desk)
    _, writes = planned(desk, report(job), report(job, 0.6))
    assert [row.progress for row in writes.reported] == [0.6]
    assert (writes.created, writes.changed, len(writes.drafts)) == ([], [], 2)


def test_a_report_before_a_finish_is_written_with_it() -> None:
    desk = new_desk()
    job = running_job(desk)
    _, writes = planned(desk, report(job), c.Finish(actor=NODE, job=job))
    assert [(row.status, row.progress) for row in writes.changed] == [("COMPLETED", 0.5)]
    assert writes.reported == []


def test_a_freed_slot_is_written_though_nothing_happened_to_the_job() -> None:
    desk = new_desk()
    job = running_job(desk)
    desk.do(c.Cancel(actor=CREATOR, job=job))
    _, writes = planned(desk, c.Finish(actor=NODE, job=job))
    assert [row.slot_until_us for row in writes.changed] == [None]
    assert writes.drafts == []


def test_a_repeat_writes_the_contact_and_no_event() -> None:
    desk = new_desk()
    job = running_job(desk)
    desk.now_us += SECOND_US
    _, writes = planned(desk, c.Start(actor=NODE, job=job))
    assert [row.last_contact_us for row in writes.reported] == [NOW_US + SECOND_US]
    assert (writes.changed, writes.drafts) == ([], [])


def test_what_a_job_was_created_with_is_written_beside_its_row() -> None:
    _, writes = planned(new_desk(), a_job(inputs='{"a":1}'), a_job(parameters='{"b":2}'))
    assert [row.pk for row in writes.created] == [1, 2]
    assert [(spec.pk, spec.inputs, spec.parameters) for spec in writes.specs] == [
        (1, '{"a":1}', "{}"),
        (2, "{}", '{"b":2}'),
    ]


def test_an_erased_job_is_not_also_changed() -> None:
    desk = new_desk()
    desk.do(a_job())
    batch, writes = planned(
        desk,
        c.Describe(actor=ADMIN, job=1, description="farewell"),
        c.HardDelete(actor=ADMIN, job=1),
        c.Describe(actor=ADMIN, job=1, description="too late"),
    )
    assert (writes.erased, writes.changed) == ([1], [])
    assert [(draft.seq, draft.tseq) for draft in writes.drafts] == [(2, 2), (3, 3)]
    assert writes.drafts[-1].type == "destroy"
    assert isinstance(batch.outcomes[2], NotFound)


def test_what_a_batch_itself_makes_has_no_number_yet_that_others_could_name() -> None:
    desk = new_desk()
    job = running_job(desk)
    batch, writes = planned(
        desk,
        bytes_named("log", job, NODE),
        c.HardDeleteOutput(actor=ADMIN, job=job, output=1),
        a_job(),
        c.HardDelete(actor=ADMIN, job=job + 1),
    )
    assert isinstance(batch.outcomes[1], NotFound)
    assert isinstance(batch.outcomes[3], NotFound)
    assert [output.pk for output in writes.outputs] == [1]
    assert [row.pk for row in writes.created] == [job + 1]


def test_an_output_changed_twice_is_written_once_as_it_is_last() -> None:
    desk = new_desk()
    job = running_job(desk)
    desk.do(bytes_named("log", job, NODE))
    _, writes = planned(
        desk,
        c.RemoveOutput(actor=ADMIN, job=job, output=1),
        c.ReinstateOutput(actor=ADMIN, job=job, output=1),
    )
    assert [(output.pk, output.deleted_us) for output in writes.outputs] == [(1, None)]
    assert [entry.action for entry in writes.audits] == [
        "job_outputs.destroy",
        "job_outputs.reinstate",
    ]


def test_the_events_of_a_batch_are_numbered_through_for_each_job() -> None:
    desk = new_desk()
    job = running_job(desk)
    another = desk.do(a_job()).job.pk
    _, writes = planned(
        desk, report(job), c.Cancel(actor=CREATOR, job=another), c.Cancel(actor=CREATOR, job=job)
    )
    drafts = [(draft.job, draft.seq, draft.tseq, draft.kind) for draft in writes.drafts]
    assert drafts == [(job, 4, 3, "p"), (another, 2, 2, "t"), (job, 5, 4, "t")]


def test_what_a_node_gives_up_is_logged_before_what_it_takes() -> None:
    desk = new_desk()
    desk.together([a_job(), a_job()])
    desk.do(c.Acquire(actor=NODE, job=1))
    _, writes = planned(desk, c.Acquire(actor=NODE, job=2))
    assert [(draft.job, draft.type) for draft in writes.drafts] == [(1, "release"), (2, "acquire")]


# Outcomes


def test_each_command_sees_what_the_one_before_did() -> None:
    desk = new_desk()
    desk.do(a_job())
    batch, _ = planned(
        desk,
        c.Acquire(actor=NODE, job=1),
        c.Acquire(actor=worker(8), job=1),
        c.Start(actor=NODE, job=1),
    )
    codes = [o.code if isinstance(o, HubError) else o.job.status for o in batch.outcomes]
    assert codes == ["ACQUIRED", "job_held", "RUNNING"]


def test_a_refused_command_costs_its_neighbours_nothing() -> None:
    desk = new_desk()
    job = running_job(desk)
    refused = [
        c.Cancel(actor=STRANGER, job=job),
        c.Start(actor=NODE, job=99),
        bytes_named("log", 99, NODE),
    ]
    batch, writes = planned(desk, *refused, report(job), *refused)
    alone, the_same = planned(desk, report(job))
    assert writes == the_same
    assert repr(batch.outcomes[3]) == repr(alone.outcomes[0])
    assert all(isinstance(batch.outcomes[n], HubError) for n in (0, 1, 2, 4, 5, 6))


def test_an_answer_shows_the_outputs_of_the_present_attempt() -> None:
    desk = new_desk()
    job = running_job(desk)
    desk.do(bytes_named("log", job, NODE))
    assert [output.name for output in desk.do(report(job)).outputs] == ["log"]
    assert desk.do(c.Abort(actor=ADMIN, job=job)).outputs == []


def test_planning_again_starts_from_nothing() -> None:
    desk = new_desk()
    batch = Batch([a_job()], {}, NOW_US)
    loaded = desk.store.load(batch.needs)
    assert batch.plan(loaded) == batch.plan(loaded)
    assert len(batch.outcomes) == len(batch.drafts) == len(batch.abouts) == 1


# Time and contacts


def test_the_clock_of_the_database_decides_where_it_is_given() -> None:
    desk = new_desk()
    job = running_job(desk)
    batch = Batch([report(job)], {}, NOW_US)
    loaded = desk.store.load(batch.needs)
    there = Loaded(
        jobs=loaded.jobs,
        outputs=[],
        parents=[],
        nodes=[],
        fresh_jobs=(),
        fresh_outputs=(),
        now_us=NOW_US + 5,
    )
    assert [draft.time_us for draft in batch.plan(there).drafts] == [NOW_US + 5]


def silent_job(desk: Desk, contacts: dict[int, int]) -> JobRow:
    """Let a node that was silent for a minute take another job, and return the first one."""
    job = running_job(desk)
    another = desk.do(a_job()).job.pk
    batch = Batch([c.Acquire(actor=NODE, job=another)], contacts, NOW_US + 60 * SECOND_US)
    desk.store.write(batch.plan(desk.store.load(batch.needs)))
    return desk.store.jobs[job]


def test_a_contact_that_is_not_stored_yet_counts_in_decisions() -> None:
    assert silent_job(new_desk(), {}).status == "QUEUED"
    assert silent_job(new_desk(), {1: 59 * SECOND_US}).status == "RUNNING"


def test_a_contact_rides_along_with_the_batch_and_never_goes_back() -> None:
    desk = new_desk()
    job = running_job(desk)
    row = desk.store.jobs[job]
    later_us = NOW_US + 5 * SECOND_US
    for ago_us, stored in (
        (6 * SECOND_US, []),
        (4 * SECOND_US, [replace(row, last_contact_us=NOW_US + SECOND_US)]),
    ):
        batch = Batch([c.Describe(actor=ADMIN, job=job)], {job: ago_us}, later_us)
        assert batch.plan(desk.store.load(batch.needs)).reported == stored
    batch = Batch([report(job)], {job: SECOND_US}, NOW_US)
    written = batch.plan(desk.store.load(batch.needs)).reported
    assert written == [replace(row, seq=4, progress=0.5, progress_data="{}")]


def test_a_contact_of_a_job_that_is_only_looked_at_is_left_for_another_batch() -> None:
    # On PostgreSQL such a row is not locked: what was read of it may be out of date.
    desk = new_desk()
    lost = running_job(desk)
    desk.now_us += 301 * SECOND_US
    desk.do(c.Expire(actor=HUB, job=lost, attempt=1))
    desk.now_us += 3_600 * SECOND_US
    desk.do(c.Expire(actor=HUB, job=lost, attempt=1))
    other = running_job(desk)
    batch = Batch([report(lost)], {other: SECOND_US}, desk.now_us + 5 * SECOND_US)
    loaded = desk.store.load(batch.needs)
    assert {row.pk for row in loaded.jobs} == {lost, other}
    assert batch.plan(loaded).is_empty()


def test_a_touch_moves_only_the_last_contact_of_the_holder() -> None:
    desk = new_desk()
    job = running_job(desk)
    row = desk.store.jobs[job]
    desk.now_us += 3 * SECOND_US
    touch = c.Touch(actor=NODE, job=job, ago_us=2 * SECOND_US)
    _, writes = planned(desk, touch, c.Touch(actor=worker(8), job=job, ago_us=0))
    assert writes.reported == [replace(row, last_contact_us=NOW_US + SECOND_US)]
    assert writes.drafts == []
