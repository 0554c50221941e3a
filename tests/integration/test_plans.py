"""What is asked all the time is found without a look at all that has gathered over the years."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orm.engine import Engine
from orm.queries import slots
from orm.queries.batch_postgres import LOCK_JOBS
from orm.queries.nodes import current_jobs
from tests.integration import JOB, KINDS, NODE, TEMPLATE, USER, databases, insert, migrated

FINISHED = {"status": "COMPLETED", "attempt": 1, "tries": 1, "node": 1}
RUNNING = {"status": "RUNNING", "attempt": 1, "tries": 1, "node": 1, "slot_until_us": 2**62}
FORMER_JOBS = 2_000


@pytest_asyncio.fixture(params=KINDS)
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """A node that has had many jobs and works on the last one."""
    with databases(request.param, tmp_path) as new_url:
        async with migrated(new_url("slots")) as engine:
            await insert(engine, "users", USER, {"username": "ada"})
            await insert(engine, "job_templates", TEMPLATE, {"name": "resize"})
            await insert(engine, "nodes", NODE, {"ip": "10.0.0.1"})
            rows = [JOB | FINISHED] * FORMER_JOBS
            await insert(engine, "jobs", {}, *rows, JOB | RUNNING)
            if engine.kind == "postgres":
                await engine.fetch("ANALYZE jobs")  # what autovacuum does by and by
            yield engine


async def plan_of(engine: Engine, sql: str, *values: Any) -> str:
    explain = "EXPLAIN QUERY PLAN " if engine.kind == "sqlite" else "EXPLAIN "
    return "\n".join(str(line[-1]) for line in await engine.fetch(explain + sql, values))


async def test_of_a_nodes_jobs_only_those_in_slots_are_read(engine: Engine) -> None:
    plan = await plan_of(engine, slots.of_nodes(engine.kind, "pk", 1), 1)

    assert "jobs_slots" in plan, plan
    assert "jobs_node" not in plan, plan


async def test_a_batch_does_not_read_all_graphs_to_find_those_of_its_jobs(engine: Engine) -> None:
    if engine.kind == "sqlite":
        return  # it asks for graphs by the rows that it has read
    plan = await plan_of(engine, LOCK_JOBS, [1], [1])

    assert plan.count("jobs_root") == 1, plan
    assert "jobs_node" not in plan, plan


async def test_a_nodes_job_is_the_one_that_it_works_on(engine: Engine) -> None:
    assert await current_jobs(engine, [1]) == {1: FORMER_JOBS + 1}
