"""The oracle itself: it finds nothing in a good database, and each of many ways to spoil one."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from hub import clock
from hub.errors import HubError
from hub.lifecycle import commands as c
from hub.lifecycle.planner import Batch
from orm.queries import meta
from orm.queries.batch_sqlite import SqliteBatches
from orm.sqlite import EmbeddedEngine
from tests.folding import check_log, fold, read_story
from tests.integration import NODE as NODE_ROW
from tests.integration import TEMPLATE, USER, insert, migrated
from tests.unit.batch_world import ADMIN, CREATOR, a_job, bytes_named, worker

NODE = worker(1)


def report(job: int, value: float) -> c.Progress:
    return c.Progress(actor=NODE, job=job, value=value, body="{}")


# Job 1 is RUNNING in its second attempt, 2 COMPLETED, 3 FAILED, 4 CANCELED, 5 removed, 6 QUEUED.
STORY: tuple[c.Command, ...] = (
    *(a_job(description=f"job {number}") for number in range(1, 7)),
    c.Acquire(actor=NODE, job=2),
    c.Start(actor=NODE, job=2),
    report(2, 0.5),
    report(2, 0.25),
    bytes_named("log", 2, NODE),
    bytes_named("model", 2, NODE),
    c.RemoveOutput(actor=ADMIN, job=2, output=2),
    c.Finish(actor=NODE, job=2),
    c.Acquire(actor=NODE, job=3),
    c.Start(actor=NODE, job=3),
    c.Finish(actor=NODE, job=3, error="broken"),
    c.Cancel(actor=CREATOR, job=4),
    c.HardDelete(actor=ADMIN, job=5),
    c.Acquire(actor=NODE, job=1),
    c.Start(actor=NODE, job=1),
    report(1, 0.75),
    c.Abort(actor=ADMIN, job=1),
    c.Acquire(actor=NODE, job=1),
    c.Start(actor=NODE, job=1),
    report(1, 0.5),
    report(1, 0.625),
)


async def live_through(path: Path) -> None:
    async with migrated(f"sqlite:///{path}") as engine:
        assert isinstance(engine, EmbeddedEngine)
        await meta.ensure(engine, clock.wall_us())
        await insert(engine, "job_templates", TEMPLATE, {"name": "work"})
        await insert(engine, "users", USER, {"username": "ada"})
        await insert(engine, "nodes", NODE_ROW, {"ip": "::1"})
        for command in STORY:
            batch = Batch([command], {}, clock.wall_us())
            await SqliteBatches(engine).run(batch.needs, batch.plan)
            assert not isinstance(batch.outcomes[0], HubError)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "hub.sqlite3"
    asyncio.run(live_through(path))
    return path


async def test_a_good_database_is_found_good(good: Path) -> None:
    assert await check_log(f"sqlite:///{good}") == []


async def test_a_job_is_what_its_events_make_of_it(good: Path) -> None:
    events = [e for e in (await read_story(f"sqlite:///{good}")).events if e["job"] == 1]
    state = fold(events)
    assert (state.status, state.attempt, state.node) == ("RUNNING", 2, 1)
    assert (state.progress, state.seq, state.tseq) == (0.625, 9, 6)


LAST = "(SELECT max(gseq) FROM events)"
OF_2 = "job = 2 AND type"
SPOILED = {
    "an event is missing": f"DELETE FROM events WHERE gseq = {LAST} - 3",
    "the last event is missing": f"DELETE FROM events WHERE gseq = {LAST}",
    "the clock is ahead": "UPDATE hub_meta SET gseq = gseq + 1",
    "the clock is behind": "UPDATE hub_meta SET gseq = gseq - 1",
    "a number is given twice in a job": f"UPDATE events SET seq = seq - 1 WHERE gseq = {LAST}",
    "a report counts as a transition": f"UPDATE events SET tseq = tseq + 1 WHERE gseq = {LAST}",
    "a report is marked as a transition": f"UPDATE events SET kind = 't' WHERE gseq = {LAST}",
    "two events of a job changed places": (
        f"UPDATE events SET gseq = -1 WHERE gseq = {LAST};"
        f"UPDATE events SET gseq = gseq + 1 WHERE gseq = {LAST};"
        f"UPDATE events SET gseq = {LAST} - 1 WHERE gseq = -1"
    ),
    "an illegal step": f"UPDATE events SET to_status = 'QUEUED' WHERE {OF_2} = 'finish'",
    "a step from elsewhere": f"UPDATE events SET from_status = 'QUEUED' WHERE {OF_2} = 'finish'",
    "a step that is not known": f"UPDATE events SET type = 'jump' WHERE {OF_2} = 'start'",
    "an attempt is left out": (
        "UPDATE events SET attempt = attempt + 1 WHERE job = 1 AND attempt = 2;"
        "UPDATE jobs SET attempt = 3 WHERE pk = 1"
    ),
    "an attempt is granted twice": (
        "UPDATE events SET attempt = 1 WHERE job = 1; UPDATE jobs SET attempt = 1 WHERE pk = 1"
    ),
    "a write of a former attempt": f"UPDATE events SET attempt = 1 WHERE gseq = {LAST}",
    "a write of another node": f"UPDATE events SET node = 2 WHERE gseq = {LAST}",
    "a grant to nobody": f"UPDATE events SET node = NULL WHERE {OF_2} = 'acquire'",
    "progress went back": f"UPDATE events SET progress = 0.125 WHERE gseq = {LAST}",
    "the row went back": "UPDATE jobs SET progress = 0.5 WHERE pk = 1",
    "the row has another status": "UPDATE jobs SET status = 'RUNNING' WHERE pk = 2",
    "the row has another node": "UPDATE jobs SET node = 2 WHERE pk = 1",
    "the row has another attempt": "UPDATE jobs SET attempt = 1 WHERE pk = 1",
    "the row missed an event": "UPDATE jobs SET seq = seq - 1 WHERE pk = 1",
    "the row missed a transition": "UPDATE jobs SET tseq = tseq - 1 WHERE pk = 1",
    "the row lost its error": "UPDATE jobs SET error = NULL WHERE pk = 3",
    "the row of a canceled job has another error": "UPDATE jobs SET error = 'x' WHERE pk = 4",
    "the row has another description": "UPDATE jobs SET description = 'x' WHERE pk = 6",
    "the row counts another try": "UPDATE jobs SET tries = tries + 1 WHERE pk = 1",
    "the row is deleted": "UPDATE jobs SET deleted_us = 1 WHERE pk = 6",
    "the row counts another output": "UPDATE jobs SET output_count = 2 WHERE pk = 2",
    "a row is missing": "DELETE FROM jobs WHERE pk = 6",
    "a row without a story": "DELETE FROM events WHERE job = 6",
    "a removed job is back": (
        "CREATE TEMP TABLE back AS SELECT * FROM jobs WHERE pk = 6;"
        "UPDATE back SET pk = 5, seq = 2, tseq = 2; INSERT INTO jobs SELECT * FROM back"
    ),
    "a removed job still tells": (
        "UPDATE events SET type = 'create', data = '{\"row\":{}}' WHERE job = 5 AND seq = 1"
    ),
    "an output is missing": "DELETE FROM outputs WHERE pk = 1",
    "an output is hidden": "UPDATE outputs SET deleted_us = 1 WHERE pk = 1",
    "a hidden output is shown": "UPDATE outputs SET deleted_us = NULL WHERE pk = 2",
    "an output of another attempt": "UPDATE outputs SET attempt = 2 WHERE pk = 1",
    "a held job has no lease": "UPDATE jobs SET lease_expires_us = NULL WHERE pk = 1",
    "a job that nobody holds has a lease": "UPDATE jobs SET lease_expires_us = 1 WHERE pk = 6",
    "a doubt that nobody was told of": "UPDATE jobs SET suspect_us = 1 WHERE pk = 1",
    "a lost run that nobody was told of": "UPDATE jobs SET lost_run = '{}' WHERE pk = 6",
    "an execution is missing": "DELETE FROM executions WHERE job = 1 AND number = 1",
    "the job counts another execution": "UPDATE jobs SET num_exes = 3 WHERE pk = 1",
    "an execution is numbered otherwise": "UPDATE executions SET number = 3 WHERE job = 2",
    "an execution came out otherwise": "UPDATE executions SET outcome = 'lost' WHERE job = 3",
    "an execution has no end": "UPDATE executions SET end_us = NULL WHERE job = 2",
    "an execution of another grant": "UPDATE executions SET attempt = 2 WHERE job = 2",
    "an execution of another node": "UPDATE executions SET node = 2 WHERE job = 3",
    "an execution has another error": "UPDATE executions SET error = 'x' WHERE job = 3",
    "an execution never began": "UPDATE executions SET start_us = NULL WHERE job = 2",
    "an execution of a removed job": (
        "INSERT INTO executions (job, number, attempt, queued_us) VALUES (5, 1, 0, 1)"
    ),
    "an audit row was changed": "UPDATE audit SET actor = 7 WHERE pk = 2",
    "an audit row is missing": "DELETE FROM audit WHERE pk = 2",
    "the last audit row is missing": "DELETE FROM audit WHERE pk = (SELECT max(pk) FROM audit)",
    "an audit row came in": "INSERT INTO audit SELECT pk + 100, time_us, actor, session, address,"
    " action, object_type, object_pk, before, after, hash FROM audit WHERE pk = 1",
}


@pytest.mark.parametrize("spoiled", SPOILED)
async def test_a_spoiled_database_is_found_out(good: Path, tmp_path: Path, spoiled: str) -> None:
    path = tmp_path / "hub.sqlite3"
    shutil.copy(good, path)
    connection = sqlite3.connect(path)
    before = connection.total_changes
    connection.executescript(
        "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;" + SPOILED[spoiled]
    )
    assert connection.total_changes > before
    connection.close()
    assert await check_log(f"sqlite:///{path}") != []
